//! Describes the bank on the control page: credentials, switches, invoices.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::settings::{DEFAULT_TERMINAL, GolomtInstore, PROVIDER_ID};
use super::state::{Channel, InstoreState, Invoice, actions, written};
use crate::fault::FaultKind;
use crate::plugin::{PaymentRecord, Profile, Switch};

/// The most terminals that stand in a row.
const TERMINALS: u64 = 500;

pub(super) fn profile(bank: &GolomtInstore) -> Profile {
    let mut profile = Profile::new(PROVIDER_ID, "Golomt Bank Instore (SocialPay at the till)")
        .credential("terminal", DEFAULT_TERMINAL)
        .credential("secret", &bank.secret)
        .api_prefix("/pos/")
        .action("pay", "debits the customer; also after the end of the invoice, as money that comes late")
        .action("decline", "the customer refuses")
        .action("cancel", "the invoice is withdrawn")
        .action("expire", "the invoice's time runs out now")
        .action("refund", "gives back everything that is left, as a clerk of the bank would")
        .fault(FaultKind::AnswerTamperedAmount)
        .fault(FaultKind::PushTamperedAmount)
        .fault(FaultKind::PushWrongKey)
        .sealed_field("card")
        .sealed_field("expiry");
    profile.switches = switches();
    for (number, secret) in &bank.others {
        profile = profile.credential(&format!("secret of {number}"), secret);
    }
    profile
        .note("the customer's phone", "/-/phone on this provider's port lists what can be paid, and scans")
        .note(
            "push address",
            "one for all terminals, as at the bank, where it is agreed with the merchant",
        )
        .note(
            "wording",
            "of the bank's refusals only error.notfound.invoice with NotFound is known, from its SocialPay web page; the rest are the sandbox's own",
        )
        .note(
            "fault answer-wrong-checksum",
            "not offered: how the bank makes the checksum of an answer is not known",
        )
        .note(
            "not played",
            "QR information, paying a QR invoice, and the Instore transaction check: their addresses are not known",
        )
}

fn switches() -> Vec<Switch> {
    [requests(), answers(), codes(), outcomes(), notifications()].concat()
}

fn no_yes(id: &str, text: &str) -> Switch {
    Switch::one_of(id, text, &[("no", "no"), ("yes", "yes")])
}

fn requests() -> Vec<Switch> {
    vec![
        Switch::number(
            "terminals",
            "how many terminals there are, counted up from 13161272, all with the same secret",
            1,
            TERMINALS,
            1,
        ),
        no_yes(
            "lenient-amount",
            "whether a checksum over the same amount in other characters passes (sent 5000.00, hashed 5000)",
        )
        .assumed("one public client works only if the bank does this; nothing confirms it"),
        Switch::one_of(
            "duplicate-invoice",
            "what happens with an invoice number that is there already",
            &[
                ("refused", "it is refused"),
                ("same-answer", "an open one of the same amount is answered again, others are refused"),
                ("replaced", "the new content takes its place unless it is paid"),
            ],
        )
        .assumed("not documented"),
        Switch::one_of(
            "amount-must-match",
            "whether check, cancel and refund must name the amount of the invoice",
            &[("yes", "another amount is an unknown invoice"), ("no", "any amount will do")],
        )
        .assumed("the amount is part of every request, and what the bank does with it is not documented"),
        Switch::one_of(
            "unknown-phone",
            "an invoice to the number 00000000, which stands for nobody's",
            &[("accepted", "succeeds, and nobody ever sees it"), ("failed", "status FAILED")],
        )
        .assumed("what the bank says of a number without SocialPay is not documented"),
        Switch::number("invoice-seconds", "how long an invoice can be paid; 0 is for ever", 0, 86_400, 0)
            .assumed("no lifetime is documented"),
        no_yes(
            "instore-v2",
            "whether POST /transaction/v1.0 takes a card payment without any authentication",
        )
        .assumed("only the end of its path is known, and nothing of its authentication"),
    ]
}

fn answers() -> Vec<Switch> {
    vec![
        Switch::one_of(
            "error-http-status",
            "the HTTP status of a refusal",
            &[("200", "200, as the bank's SocialPay web page does"), ("400", "400")],
        )
        .assumed("not documented for Instore"),
        Switch::one_of(
            "unpaid-check",
            "how a check says that an invoice is not paid",
            &[
                ("result", "a transaction result whose resp_code is not 00"),
                ("error", "body.error with header 400"),
                ("error-inside", "body.error although the header says 200"),
            ],
        )
        .assumed("clients cope with all three"),
        Switch::one_of(
            "unknown-check",
            "how a check says that there is no such invoice",
            &[
                ("error", "body.error with error.notfound.invoice"),
                ("result", "a transaction result whose resp_code is not 00"),
            ],
        )
        .assumed("not documented"),
        Switch::one_of(
            "unpaid-code",
            "the resp_code of what is not paid or not done",
            &[("01", "01"), ("51", "51"), ("99", "99"), ("empty", "an empty text")],
        )
        .assumed("every value but 00 means not paid; which ones there are is not known"),
        Switch::one_of(
            "refunded-check",
            "how a check speaks of a payment that was given back",
            &[("paid", "still 00"), ("unpaid", "not 00")],
        )
        .assumed("not documented"),
        Switch::one_of(
            "amount-echo",
            "how an amount looks in answers and notifications",
            &[
                ("as-sent", "the characters that the merchant sent"),
                ("two-decimals", "always two decimals"),
                ("shortest", "without needless zeros"),
            ],
        )
        .assumed("not documented"),
        Switch::one_of(
            "amount-type",
            "the JSON type of an amount in answers and notifications",
            &[("text", "a string"), ("number", "a number")],
        )
        .assumed("clients disagree"),
        Switch::one_of(
            "answer-checksum",
            "the checksum in a transaction result",
            &[("as-request", "terminal + invoice + amount"), ("absent", "left out")],
        )
        .assumed("the field is known, its formula is not"),
        Switch::one_of(
            "cancel-shape",
            "how a cancel answers",
            &[("status", "desc and status"), ("resp-code", "resp_code and resp_desc")],
        )
        .assumed("clients disagree"),
        Switch::one_of(
            "settlement-count",
            "the JSON type of count in a settlement",
            &[("number", "a number"), ("text", "a string")],
        )
        .assumed("not known"),
    ]
}

fn codes() -> Vec<Switch> {
    vec![
        Switch::one_of(
            "qr-checksum",
            "the checksum in a QR payload",
            &[
                ("x25-lower", "CRC-16/X-25 in lower case, as in the bank's one sample"),
                ("x25-upper", "CRC-16/X-25 in upper case"),
                ("emvco-upper", "EMVCo's in upper case"),
                ("emvco-lower", "EMVCo's in lower case"),
            ],
        )
        .assumed("read off one sample; the documents do not mention it"),
        Switch::one_of(
            "qr-form",
            "what desc of /pos/invoice/qr is",
            &[
                ("payload", "the EMVCo payload, as documented"),
                ("link", "a link socialpay-payment://key=, as an old client expects"),
            ],
        )
        .assumed("the documents and an old client disagree"),
        Switch::one_of(
            "deeplink-form",
            "what desc of /pos/invoice/qr/deeplink is",
            &[
                ("key", "socialpay-payment://key= and an opaque text, as the E-Commerce product has it"),
                ("qpay", "socialpay-payment://q?qPay_QRcode= and the EMVCo payload"),
                ("payload", "the EMVCo payload alone"),
            ],
        )
        .assumed("only that it contains socialpay-payment is known, from a client"),
    ]
}

fn outcomes() -> Vec<Switch> {
    vec![
        Switch::one_of(
            "cancel-paid",
            "cancelling an invoice that is paid",
            &[
                ("failed", "FAILED, it stays paid"),
                ("nothing", "SUCCESS, and it stays paid"),
                ("refunds", "SUCCESS, and the money goes back"),
            ],
        )
        .assumed("not documented"),
        Switch::one_of(
            "cancel-ended",
            "cancelling an invoice that has ended without money",
            &[("failed", "FAILED"), ("success", "SUCCESS")],
        )
        .assumed("not documented"),
        Switch::one_of(
            "double-refund",
            "refunding what has been given back already",
            &[("refused", "it is refused"), ("success", "00 once more, and no money moves")],
        )
        .assumed("not documented"),
        Switch::one_of(
            "refused-refund",
            "how a refund is refused",
            &[
                ("result", "a transaction result whose resp_code is not 00"),
                ("error", "body.error with header 400"),
            ],
        )
        .assumed("not documented"),
        no_yes("partial-refund", "whether a refund may name a smaller amount than the invoice")
            .assumed("not documented"),
        Switch::one_of(
            "refund-after-settlement",
            "whether a settled payment can be refunded",
            &[("yes", "yes"), ("no", "no")],
        )
        .assumed("not documented"),
    ]
}

fn notifications() -> Vec<Switch> {
    vec![
        Switch::one_of(
            "push-format",
            "where a notification has its values",
            &[("json", "in a JSON body"), ("query", "in the query of the address, by POST")],
        )
        .assumed("JSON is inferred from the sister product; one client reads both"),
        Switch::one_of(
            "push-fields",
            "which fields a notification has",
            &[
                ("six", "resp_code, resp_desc, amount, checksum, invoice, terminal"),
                ("eight", "these, approval_code and card_number"),
            ],
        )
        .assumed("clients read six; whether there are more is not known"),
        no_yes("push-unpaid", "whether an invoice that ends without money is notified too")
            .assumed("not documented"),
        Switch::number("push-retries", "how often a notification is tried again, a second apart", 0, 10, 0)
            .assumed("nothing is documented about retries"),
    ]
}

pub(super) fn records(state: &InstoreState) -> Vec<PaymentRecord> {
    let mut invoices: Vec<&Invoice> = state.invoices.values().collect();
    invoices.sort_by_key(|invoice| invoice.number);
    invoices.into_iter().map(record).collect()
}

fn record(invoice: &Invoice) -> PaymentRecord {
    let phone = match &invoice.channel {
        Channel::Phone(number) => Some(number.as_str()),
        Channel::Qr | Channel::Deeplink => None,
    };
    let refunded: u64 = invoice.refunds.iter().map(|(_, hundredths)| hundredths).sum();
    let mut record = PaymentRecord::new(
        &invoice.number.to_string(),
        &invoice.reference,
        invoice.channel.name(),
        &invoice.amount,
        invoice.created_at,
    )
    .detail("terminal", invoice.terminal.as_str())
    .detail("invoice", invoice.invoice.as_str())
    .detail("phone", phone)
    .detail("qr", invoice.payload.as_deref())
    .detail("link", invoice.link.as_deref())
    .detail("billNumber", invoice.bill_number.as_deref())
    .detail("refunds", invoice.refunds.len())
    .detail("refunded", written(refunded))
    .detail("settledBy", invoice.settled_by.as_deref());
    record.state = invoice.state;
    record.code = invoice.is_paid().then(|| "00".to_owned());
    record.expires_at = invoice.expires_at;
    record.debited_at = invoice.debits.first().copied();
    record.debits = u32::try_from(invoice.debits.len()).unwrap_or(u32::MAX);
    record.actions = actions(invoice).iter().map(|action| (*action).to_owned()).collect();
    let reference = utf8_percent_encode(&invoice.reference, NON_ALPHANUMERIC);
    record.pages.insert("customer's phone".to_owned(), format!("/-/phone/{reference}"));
    record
}
