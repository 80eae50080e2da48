//! The switches: what QPay's documents leave open (specification, 16), and a test's wishes.

use super::codes::CODES;
use crate::plugin::Switch;

pub(super) fn all() -> Vec<Switch> {
    [wishes(), tokens(), invoices(), payments(), callbacks(), receipts()].concat()
}

fn wishes() -> Vec<Switch> {
    let mut codes = vec![("normal", "as it is")];
    codes.extend(CODES.iter().map(|code| (code.name, code.meaning())));
    vec![
        Switch::one_of(
            "answer-code",
            "answers every call that has a good token with one of QPay's codes",
            &codes,
        ),
        Switch::one_of(
            "answer-code-effect",
            "whether a call that answer-code answers is carried out",
            &[("nothing-done", "it is not"), ("carried-out", "it is")],
        ),
    ]
}

fn tokens() -> Vec<Switch> {
    vec![
        Switch::number("token-seconds", "how long both tokens are good", 1, 86_400, 86_400),
        Switch::one_of(
            "token-expiry",
            "what expires_in and refresh_expires_in hold",
            &[("unix-time", "Unix time in seconds, as recorded"), ("duration", "seconds from now")],
        )
        .assumed("one community's text has the duration; nobody has seen it on the wire"),
        Switch::one_of(
            "no-credentials",
            "the code of a missing or bad token",
            &[
                ("NO_CREDENTIALS", "as recorded in 2026"),
                ("NO_CREDENDIALS", "as in QPay's table, and in its older sandbox"),
            ],
        )
        .assumed("both spellings are known, and not which server has which"),
        Switch::one_of(
            "second-login",
            "what a login does to the tokens before it",
            &[("keeps-the-first", "nothing"), ("ends-the-first", "they are revoked")],
        )
        .assumed("not known"),
    ]
}

fn invoices() -> Vec<Switch> {
    vec![
        Switch::one_of(
            "unique-sender-invoice-no",
            "whether a second invoice with the same sender_invoice_no is refused",
            &[("no", "it is a new invoice"), ("yes", "it is refused with 409")],
        )
        .assumed("documented as unique; whether QPay looks, and the code, are not known: the body is the sandbox's"),
        Switch::number("least-amount", "the least amount of an invoice, in tögrög", 0, 1_000_000, 0)
            .assumed("one user reports 10; the range is each merchant's"),
        Switch::number("most-amount", "the largest amount, in tögrög; 0 is any", 0, 1_000_000_000, 0)
            .assumed("the range is each merchant's"),
        Switch::one_of(
            "receiver-data",
            "what invoice_receiver_data must have",
            &[
                ("optional", "it may be left out"),
                ("required", "it must be there"),
                ("phone", "with phone"),
                ("email", "with email"),
                ("address", "with address"),
            ],
        )
        .assumed("the codes exist; for which accounts is not known"),
        Switch::one_of(
            "taxes",
            "whether the taxes of lines are inside their prices, where an invoice has no amount",
            &[("inside", "they are"), ("added", "they come on top")],
        )
        .assumed("one live shop takes them as inside"),
        Switch::one_of(
            "closes-with",
            "when an invoice becomes CLOSED",
            &[("full-amount", "when its amount is paid"), ("any-payment", "with the first payment")],
        )
        .assumed("the rule for partial payments is not known"),
        Switch::one_of(
            "canceled-status",
            "invoice_status of a canceled invoice",
            &[("CANCELED", "as one client reads it"), ("CANCELLED", "as another does"), ("CLOSED", "no word of its own")],
        )
        .assumed("clients disagree"),
        Switch::one_of(
            "expired-status",
            "invoice_status of an expired invoice",
            &[("OPEN", "no word of its own"), ("CLOSED", "closed")],
        )
        .assumed("no word is known"),
        Switch::one_of(
            "invoice-paid-status",
            "the HTTP status of INVOICE_PAID",
            &[("400", "400"), ("409", "409")],
        )
        .assumed("400 is inferred from its proved sisters"),
        Switch::one_of(
            "invoice-amounts",
            "the type of the amounts of an invoice beside total_amount",
            &[("text", "texts"), ("number", "numbers")],
        )
        .assumed("clients read both"),
        Switch::one_of(
            "links-member",
            "what the list of bank apps is called",
            &[("urls", "urls, as in every recorded answer"), ("qPay_deeplink", "as in one table"), ("both", "both")],
        )
        .assumed("a table of QPay's contradicts its answers"),
    ]
}

fn payments() -> Vec<Switch> {
    vec![
        Switch::number("fee-per-mille", "what QPay keeps, in thousandths", 0, 1000, 10)
            .assumed("1.00 of 100.00 in QPay's examples; the rate is each merchant's"),
        Switch::number("check-lag-ms", "how long after a payment the API knows it", 0, 60_000, 0)
            .assumed("a callback may come before the check knows; whether it does is not known"),
        Switch::one_of(
            "check-of-unknown",
            "what a check of an unknown invoice answers",
            &[("INVOICE_NOTFOUND", "422"), ("no-rows", "a count of 0")],
        )
        .assumed("not known"),
        Switch::number(
            "usual-page-limit",
            "the rows of a page where a request names no page_limit",
            1,
            1000,
            10,
        )
        .assumed("one community's text has 10; nobody has confirmed it"),
        Switch::one_of(
            "refund-answer",
            "the body of a payment's cancel and refund",
            &[("empty-object", "{}, as for invoices"), ("nothing", "none")],
        )
        .assumed("the first is inferred, the second is one community's text"),
        Switch::one_of(
            "paid-amount-counts",
            "which rows paid_amount counts",
            &[("paid", "those that are PAID"), ("refunded-too", "those that are REFUNDED as well")],
        )
        .assumed("not known"),
        Switch::one_of(
            "paid-amount-of-nothing",
            "paid_amount when nothing is paid",
            &[("zero", "0"), ("absent", "left out")],
        )
        .assumed("sources disagree"),
        Switch::one_of(
            "rows-order",
            "the order of the rows of a check",
            &[("oldest-first", "as they were made"), ("newest-first", "the other way")],
        )
        .assumed("not known"),
    ]
}

fn callbacks() -> Vec<Switch> {
    vec![
        Switch::number("callback-retries", "how often a callback is repeated until it is taken", 0, 20, 3)
            .assumed("one test plan reads that it is repeated; how often is not known"),
        Switch::number("callback-retry-seconds", "the pause before each repetition", 0, 3600, 5)
            .assumed("not known"),
        Switch::one_of(
            "callback-taken",
            "which reply ends the repetitions",
            &[
                ("success-text", "status 200 with exactly SUCCESS, as QPay's text demands"),
                ("any-2xx", "any status of success, as many live shops reply"),
            ],
        )
        .assumed("whether QPay enforces its text is not known"),
        Switch::one_of(
            "callback-method",
            "how a callback is sent",
            &[("get", "GET"), ("post", "POST with {\"invoice_id\"}, the id in the query all the same")],
        )
        .assumed("GET is judged; one page of a community has POST, which nobody has recorded"),
        Switch::one_of(
            "callback-on-failed",
            "whether a FAILED row has a callback",
            &[("no", "no"), ("yes", "yes")],
        )
        .assumed("not known"),
        Switch::one_of(
            "callback-on-refund",
            "whether a payment that is given back has a callback",
            &[("no", "no"), ("yes", "yes")],
        )
        .assumed("not known"),
    ]
}

fn receipts() -> Vec<Switch> {
    vec![
        Switch::one_of(
            "old-receipt-answer",
            "what POST /v2/ebarimt/create answers for a paid payment",
            &[
                ("receipt", "the receipt"),
                ("empty", "{}, as recorded"),
                ("system-busy", "500 SYSTEM_BUSY without a message, as recorded"),
                ("type-error", "500 TypeError, as observed"),
            ],
        )
        .assumed("QPay's sandbox answered in the last three ways; its text has the first"),
        Switch::one_of(
            "old-receipt-cancel",
            "whether DELETE /v2/ebarimt/{id} works",
            &[("works", "it does"), ("refused", "EBARIMT_CANCEL_NOTSUPPERDED")],
        )
        .assumed("the code exists; when it is given is not known"),
    ]
}
