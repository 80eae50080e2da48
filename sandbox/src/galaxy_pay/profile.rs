//! What the control page shows of the gateway: credentials, switches, test cards, payments.

use super::PROVIDER_ID;
use super::act::actions;
use super::cards::TEST_CARDS;
use super::fields::amount_text;
use super::pay::{page_path, vietqr};
use super::state::{GatewayState, Kind, Payment};
use crate::fault::FaultKind;
use crate::plugin::{PaymentRecord, PaymentState, Profile, Switch};

/// What the request log does not show: of calls, of answers, of forms.
const SEALED: &[&str] = &[
    "apiKey",
    "token",
    "customerToken",
    "cardNumber",
    "cardHolderName",
    "cardExpireDate",
    "cardVerificationValue",
    "number",
    "cvv",
    "otp",
];

pub(super) fn sealed_fields() -> Vec<String> {
    SEALED.iter().map(|name| (*name).to_owned()).collect()
}

pub(super) fn profile(api_key: &str, salt: &str) -> Profile {
    let mut profile = Profile::new(PROVIDER_ID, "Galaxy Pay")
        .credential("api_key", api_key)
        .credential("salt", salt)
        .api_prefix("/api/")
        .action(
            "pay",
            "the payer pays; also after the end, as money that comes late (details: card, or method and source)",
        )
        .action("decline", "the provider refuses (detail: code)")
        .action("send", "the payment goes off and has no result yet")
        .action("cancel", "the payer gives up (499)")
        .action("expire", "the time runs out now (408)")
        .action("end", "ends with any code of the table (detail: code)")
        .fault(FaultKind::AnswerWrongChecksum)
        .fault(FaultKind::AnswerTamperedAmount)
        .fault(FaultKind::PushTamperedAmount)
        .fault(FaultKind::PushWrongKey);
    profile.sealed_fields = sealed_fields();
    profile.switches = switches();
    for card in TEST_CARDS {
        profile = profile.note(
            &format!("card {}", card.grouped()),
            &format!("{}: {} (date {}, CVV {})", card.id, card.text, card.date, card.cvv),
        );
    }
    profile
        .note("OTP", "the literal text otp; three wrong ones end the payment with 505")
        .note("VietQR", "paid on /-/bank-app, which plays the payer's bank app and reads the QR's text")
        .note("notifications", "go to the order's ipnURL, else to the address set here, before the browser goes back (assumption)")
        .note("duplicates", "requestID is looked at for calls that change something (assumption)")
        .note("wording", "of the results only those of 200 and 499 are the guide's words; the rest are the sandbox's own")
        .note("404, 405, 500", "are no codes of the gateway; unknown addresses and the sandbox's own trouble use them")
        .note("a payment's end", "is final: a new try needs a new order (assumption)")
        .note("one card at a time", "dates and CVV may be anything of the right shape (assumption)")
}

fn switches() -> Vec<Switch> {
    let no_yes = |id: &str, text: &str| Switch::one_of(id, text, &[("no", "no"), ("yes", "yes")]);
    let yes_no = |id: &str, text: &str| Switch::one_of(id, text, &[("yes", "yes"), ("no", "no")]);
    let codes: Vec<(&str, &str)> = std::iter::once(("normal", "as it should be"))
        .chain(super::codes::CODES.iter().skip(1).copied())
        .collect();
    vec![
        Switch::one_of("answer-code", "the code of every answer, on request", &codes),
        Switch::one_of(
            "answer-code-effect",
            "what a call with an ordered code does",
            &[("nothing-done", "nothing"), ("carried-out", "it is carried out all the same")],
        ),
        Switch::one_of(
            "token-charge-outcome",
            "what happens when a token is charged",
            &[("by-card", "as its test card says"), ("decline", "declined")],
        ),
        Switch::number("page-seconds", "how long a hosted page or a QR lives", 1, 86_400, 900)
            .assumed("no source says; one live client takes a QR for dead after 900 seconds"),
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
            "decline-code",
            "the code of a payment that the issuer refuses",
            &[("505", "505"), ("400", "400"), ("502", "502"), ("503", "503"), ("504", "504")],
        )
        .assumed("no code for a refusal by the issuer is published"),
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
        yes_no("capture-ipn", "whether a capture is notified").assumed("not documented"),
        no_yes("void-ipn", "whether a void is notified").assumed("not documented"),
        yes_no("callback-transaction-date-time", "whether callbacks carry transactionDateTime")
            .assumed("the guide lists it, the newest table of the web documentation does not"),
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

pub(super) fn records(state: &GatewayState) -> Vec<PaymentRecord> {
    let mut payments: Vec<&Payment> = state.payments.values().collect();
    payments.sort_by_key(|payment| payment.number);
    payments.into_iter().map(record).collect()
}

fn record(payment: &Payment) -> PaymentRecord {
    let order = &payment.order;
    let mut record = PaymentRecord::new(
        &payment.id,
        &order.order_id,
        payment.kind.name(),
        &order.amount,
        payment.created_at,
    )
    .detail("orderID", order.order_id.as_str())
    .detail("requestID", order.request_id.as_str())
    .detail("orderNumber", order.order_number.as_deref())
    .detail("currency", order.currency.as_str())
    .detail("apiVersion", order.api_version)
    .detail("paymentMethod", payment.method.as_deref().or(order.method.as_deref()))
    .detail("sourceType", payment.source.as_deref().or(order.source.as_deref()))
    .detail("card", payment.card.as_deref())
    .detail("hasToken", payment.token.is_some())
    .detail("subMerchant", order.sub_merchant.as_deref())
    .detail("authorized", payment.state == PaymentState::Authorized)
    .detail("captured", amount_text(payment.captured))
    .detail("refunded", amount_text(payment.refunded()))
    .detail("refunds", payment.refunds.len())
    .detail("voidedAt", payment.voided_at.map(|at| at.to_string()));
    let id = if payment.kind == Kind::PaymentLink { "orderNo" } else { "transactionID" };
    record = record.detail(id, payment.id.as_str());
    record.state = payment.state;
    record.code.clone_from(&payment.code);
    record.debited_at = payment.debits.first().copied();
    record.debits = u32::try_from(payment.debits.len()).unwrap_or(u32::MAX);
    record.actions = actions(payment).iter().map(|action| (*action).to_owned()).collect();
    record.expires_at = Some(payment.expires_at);
    for (name, language) in [("page vi", "vi"), ("page en", "en")] {
        record.pages.insert(name.to_owned(), format!("{}?lang={language}", page_path(payment)));
    }
    if let Some(text) = vietqr(payment) {
        let text = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC);
        record.pages.insert("bank app".to_owned(), format!("/-/bank-app?qr={text}"));
    }
    record
}
