//! The gateway's switches: what its documents leave open, and what a test wishes.

use super::codes::CODES;
use crate::plugin::Switch;

pub(super) fn all() -> Vec<Switch> {
    [requests(), money(), callbacks(), standing()].concat()
}

fn yes_no(id: &str, text: &str) -> Switch {
    Switch::one_of(id, text, &[("yes", "yes"), ("no", "no")])
}

fn no_yes(id: &str, text: &str) -> Switch {
    Switch::one_of(id, text, &[("no", "no"), ("yes", "yes")])
}

/// What is taken, and how it is answered.
fn requests() -> Vec<Switch> {
    let codes: Vec<(&str, &str)> =
        std::iter::once(("normal", "as it should be")).chain(CODES.iter().skip(1).copied()).collect();
    vec![
        Switch::one_of("answer-code", "the code of every answer, on request", &codes),
        Switch::one_of(
            "answer-code-effect",
            "what a call with an ordered code does",
            &[("nothing-done", "nothing"), ("carried-out", "it is carried out all the same")],
        ),
        Switch::one_of(
            "duplicate-key",
            "what must not come twice, or the answer is 409",
            &[
                ("both", "requestID and orderID, each"),
                ("request-id", "requestID"),
                ("order-id", "orderID"),
                ("none", "nothing"),
            ],
        )
        .assumed("which key makes a duplicate is not documented"),
        Switch::one_of(
            "error-http-status",
            "the HTTP status of a refusal",
            &[("as-code", "the response code"), ("always-200", "200, also for refusals")],
        )
        .assumed("not documented; official samples read the body of other statuses too"),
        Switch::one_of(
            "response-signature",
            "the header signature of an answer",
            &[
                ("body-then-salt", "SHA-256 of the body with the salt behind it, as for requests"),
                ("another-formula", "64 digits that this formula does not give"),
                ("none", "left out"),
            ],
        )
        .assumed("the header is documented, its formula is not, and no public client checks it"),
        Switch::one_of(
            "pay-success-code",
            "responseCode of pay when it worked",
            &[("200", "200, as the table says"), ("00", "00, as in one example of the guide")],
        )
        .assumed("the guide contradicts itself once"),
        Switch::one_of(
            "unknown-transaction",
            "the answer about an unknown transactionID",
            &[
                ("400", "400"),
                ("404", "404, which the table of codes does not have"),
                ("200-without-data", "a query is answered with 200 and no data"),
            ],
        )
        .assumed("not documented"),
        Switch::one_of(
            "fast-pay-answer",
            "what the answer to a fast payment carries",
            &[
                ("id", "transactionID alone"),
                ("result", "also transactionStatus"),
                ("endpoint", "also endpoint"),
            ],
        )
        .assumed("that part of the documentation could not be read"),
        Switch::one_of(
            "wallet-qr",
            "qrCode of payWithQR for a wallet",
            &[("endpoint", "the page's address"), ("absent", "left out")],
        )
        .assumed("what such a code holds is not known"),
        Switch::one_of(
            "checkout-amounts",
            "net amount, fee and discount of a checkout",
            &[
                ("optional", "may be left out, as one live client does"),
                ("mandatory", "must be there, as the field table says"),
            ],
        )
        .assumed("the field table and a live client disagree"),
        Switch::one_of(
            "void-path",
            "/api/v1/transaction/void",
            &[("served", "is there"), ("not-there", "404")],
        )
        .assumed("the page exists, its path was never seen; the path is an analogy"),
        Switch::one_of(
            "remove-token-path",
            "/api/v1/tokenization/removeToken",
            &[("served", "is there"), ("not-there", "404")],
        )
        .assumed("the page exists, path and fields were never seen; they are analogies"),
    ]
}

/// How payments go.
fn money() -> Vec<Switch> {
    vec![
        Switch::one_of(
            "token-charge-outcome",
            "what happens when a token is charged",
            &[("by-card", "as its test card says"), ("decline", "declined")],
        ),
        Switch::number("page-seconds", "how long a hosted page or a QR lives", 1, 86_400, 900)
            .assumed("no source says; one live client takes a QR for dead after 900 seconds"),
        Switch::one_of(
            "decline-code",
            "the code of a payment that the issuer refuses",
            &[("505", "505"), ("400", "400"), ("502", "502"), ("503", "503"), ("504", "504")],
        )
        .assumed("no code for a refusal by the issuer is published"),
        Switch::one_of(
            "token-creation",
            "how saving a card ends when the payment succeeded",
            &[
                ("created", "the notification carries the token"),
                ("failed", "it carries a status of its own and no token"),
                ("absent", "it carries nothing about a token"),
            ],
        ),
        Switch::one_of(
            "token-without-challenge",
            "when a token is charged whose card asks nothing of its holder",
            &[("at-once", "with the call"), ("on-page", "when the payer opens the page and agrees")],
        )
        .assumed("not documented; the answer has a page either way"),
        Switch::one_of(
            "partial-capture",
            "capturing less than what is held",
            &[("refused", "refused"), ("allowed", "allowed once; the rest is let go")],
        )
        .assumed("not documented"),
        Switch::one_of(
            "refund-providers",
            "which payments can be refunded",
            &[("listed", "those of the documentation's list of providers"), ("all", "all")],
        )
        .assumed("the list is documented, which code refuses the others is not"),
    ]
}

/// What the merchant is told by itself.
fn callbacks() -> Vec<Switch> {
    vec![
        Switch::one_of(
            "return-method",
            "how the browser goes back to the merchant",
            &[("get", "GET with data and signature in the query"), ("post", "a form that posts them")],
        )
        .assumed("both are documented, and not which one when"),
        Switch::number("ipn-retries", "how often a notification is tried again", 0, 20, 0)
            .assumed("nothing is documented about retries; a reply with a 2xx status ends them here"),
        Switch::number("ipn-retry-seconds", "the pause before each retry", 0, 3600, 1)
            .assumed("nothing is documented about retries"),
        yes_no("ipn-on-failure", "whether payments that were not paid are notified")
            .assumed("one live client handles such notifications"),
        yes_no("authorized-ipn", "whether an amount that is held is notified, with 200")
            .assumed("not documented"),
        yes_no("capture-ipn", "whether a capture is notified").assumed("not documented"),
        no_yes("void-ipn", "whether a void is notified").assumed("not documented"),
        yes_no("callback-transaction-date-time", "whether callbacks carry transactionDateTime")
            .assumed("the guide lists it, the newest table of the web documentation does not"),
    ]
}

/// How a query says where a payment stands.
fn standing() -> Vec<Switch> {
    vec![
        Switch::one_of(
            "pending-status",
            "transactionStatus of a query while there is no result",
            &[
                ("empty", "an empty text"),
                ("absent", "left out"),
                ("200", "200, beside transactionStage PROCESSING"),
                ("504", "504"),
            ],
        )
        .assumed("not documented"),
        Switch::one_of(
            "stage-authorized",
            "transactionStage while an amount is held",
            &[
                ("AUTHORIZED", "AUTHORIZED"),
                ("PROCESSING", "PROCESSING"),
                ("SUCCESSFUL", "SUCCESSFUL"),
                ("absent", "left out"),
            ],
        )
        .assumed("only PROCESSING and SUCCESSFUL have been seen"),
        Switch::one_of(
            "authorized-status",
            "transactionStatus while an amount is held",
            &[("200", "200"), ("as-pending", "as while there is no result")],
        )
        .assumed("not documented"),
        Switch::one_of(
            "stage-ended",
            "transactionStage of a payment that was not paid",
            &[
                ("by-outcome", "FAILED, CANCELED, EXPIRED or VOIDED"),
                ("FAILED", "FAILED"),
                ("PROCESSING", "PROCESSING"),
                ("absent", "left out"),
            ],
        )
        .assumed("only PROCESSING and SUCCESSFUL have been seen"),
        Switch::one_of(
            "stage-refunded",
            "transactionStage of a payment that was refunded, also in part",
            &[("SUCCESSFUL", "SUCCESSFUL"), ("REFUNDED", "REFUNDED")],
        )
        .assumed("only PROCESSING and SUCCESSFUL have been seen"),
        Switch::one_of(
            "voided-status",
            "the code of a payment that was voided",
            &[("499", "499"), ("200", "200")],
        )
        .assumed("not documented"),
    ]
}
