//! Writes the bank's answers: the envelope, the two shapes of a result, refusals and the notification.

use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::shared::Bank;
use super::state::{Books, InstoreState, Invoice, number_switch};
use crate::golomt_ecommerce::answer::{shown_amount, sign};
use crate::golomt_ecommerce::cards::TEST_CARDS;
use crate::golomt_ecommerce::request::amount_in_form;
use crate::plugin::{Desk, Note, Notification, PaymentState, Tamper};

/// A call that the bank refuses: what its error says, and why, for the request log.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The dotted key of `errorDesc`.
    key: &'static str,
    /// The word of `errorType`.
    word: &'static str,
    pub(super) why: String,
}

impl Refusal {
    pub(super) fn invalid(why: impl Into<String>) -> Self {
        Self { key: "error.invalid.request", word: "InvalidRequest", why: why.into() }
    }

    pub(super) fn checksum(why: String) -> Self {
        Self { key: "error.invalid.checksum", word: "InvalidChecksum", why }
    }

    pub(super) fn terminal(why: String) -> Self {
        Self { key: "error.notfound.terminal", word: "NotFound", why }
    }

    /// Key and word are the bank's own, from its SocialPay web page.
    pub(super) fn not_found(why: String) -> Self {
        Self { key: "error.notfound.invoice", word: "NotFound", why }
    }

    pub(super) fn duplicate(why: String) -> Self {
        Self { key: "error.duplicate.invoice", word: "Duplicate", why }
    }

    pub(super) fn unpaid(why: String) -> Self {
        Self { key: "error.notpaid.invoice", word: "NotPaid", why }
    }

    fn body(&self) -> Failed<'_> {
        Failed { error: ErrorBody { error_desc: self.key, error_type: self.word } }
    }
}

impl From<crate::error::SandboxError> for Refusal {
    fn from(error: crate::error::SandboxError) -> Self {
        Self { key: "error.internal", word: "InternalError", why: error.to_string() }
    }
}

impl Bank {
    /// A refusal in the bank's envelope, with the reason in the request log.
    pub(super) fn refuse(&self, refusal: Refusal) -> Response {
        let status = match self.desk.switch("error-http-status").as_str() {
            "400" => StatusCode::BAD_REQUEST,
            _ => StatusCode::OK,
        };
        let mut response = envelope(status, 400, refusal.body());
        response.extensions_mut().insert(Note::refused(refusal.why));
        response
    }
}

/// An error inside an answer whose header says success: one client guards against that.
pub(super) fn refuse_inside(refusal: Refusal) -> Response {
    let mut response = envelope(StatusCode::OK, 200, refusal.body());
    response.extensions_mut().insert(Note::refused(refusal.why));
    response
}

#[derive(Serialize)]
struct Envelope<B> {
    header: Header,
    body: B,
}

#[derive(Serialize)]
struct Header {
    code: u16,
    status: &'static str,
}

#[derive(Serialize)]
struct Done<R> {
    response: R,
}

#[derive(Serialize)]
struct Failed<'a> {
    error: ErrorBody<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody<'a> {
    error_desc: &'a str,
    error_type: &'a str,
}

fn envelope(http: StatusCode, code: u16, body: impl Serialize) -> Response {
    let status = if code == 200 { "success" } else { "failed" };
    match serde_json::to_vec(&Envelope { header: Header { code, status }, body }) {
        Ok(body) => (http, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A body of any shape under a header that says success.
pub(super) fn success(body: impl Serialize) -> Response {
    envelope(StatusCode::OK, 200, body)
}

/// Trouble that the host meets, in the bank's envelope.
pub(super) fn trouble(status: StatusCode, message: &str) -> Response {
    let word = if status.is_server_error() { "InternalError" } else { "InvalidRequest" };
    let error = ErrorBody { error_desc: message, error_type: word };
    envelope(status, status.as_u16(), Failed { error })
}

/// The simple result: phone invoice, QR, deep link, cancel.
pub(super) fn simple(desc: &str, succeeded: bool) -> Response {
    #[derive(Serialize)]
    struct Simple<'a> {
        desc: &'a str,
        status: &'a str,
    }

    let status = if succeeded { "SUCCESS" } else { "FAILED" };
    success(Done { response: Simple { desc, status } })
}

/// A cancel as one client of late reads it.
pub(super) fn canceled_by_code(desc: &str, code: &str) -> Response {
    #[derive(Serialize)]
    struct ByCode<'a> {
        resp_code: &'a str,
        resp_desc: &'a str,
    }

    success(Done { response: ByCode { resp_code: code, resp_desc: desc } })
}

pub(super) fn settled(amount: &str, count: u64, count_is_number: bool, shape: &Shape) -> Response {
    #[derive(Serialize)]
    struct Settled {
        amount: Box<RawValue>,
        count: Box<RawValue>,
        status: &'static str,
    }

    let amount = shape.amount(amount, Tamper::None).1;
    let count = wire(&count.to_string(), count_is_number);
    success(Done { response: Settled { amount, count, status: "SUCCESS" } })
}

/// What the texts of an answer depend on.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    amount_echo: String,
    amount_is_number: bool,
    has_checksum: bool,
    pub(super) unpaid_code: String,
    refunded_stays_paid: bool,
}

impl Shape {
    pub(super) fn of(desk: &Desk<InstoreState>) -> Self {
        Self::read(|id| desk.switch(id))
    }

    fn read(switch: impl Fn(&str) -> String) -> Self {
        let unpaid_code = switch("unpaid-code");
        Self {
            amount_echo: switch("amount-echo"),
            amount_is_number: switch("amount-type") == "number",
            has_checksum: switch("answer-checksum") == "as-request",
            unpaid_code: if unpaid_code == "empty" { String::new() } else { unpaid_code },
            refunded_stays_paid: switch("refunded-check") == "paid",
        }
    }

    /// The amount as it is signed, and as it stands in JSON.
    fn amount(&self, amount: &str, tamper: Tamper) -> (String, Box<RawValue>) {
        let text = amount_in_form(amount, &self.amount_echo);
        let shown = wire(&shown_amount(text.clone(), tamper), self.amount_is_number);
        (text, shown)
    }

    fn is_paid(&self, invoice: &Invoice) -> bool {
        invoice.is_paid() && (invoice.kept() > 0 || self.refunded_stays_paid)
    }
}

/// A text, or a JSON number of the same characters where JSON can write them.
fn wire(text: &str, as_number: bool) -> Box<RawValue> {
    if as_number && let Ok(number) = RawValue::from_string(text.to_owned()) {
        return number;
    }
    to_raw_value(text).expect("a text can always be written as JSON")
}

/// The transaction result (check and refund), and the notification, which has fewer of its fields.
#[derive(Serialize)]
struct Transaction<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_code: Option<&'a str>,
    amount: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_number: Option<String>,
    resp_desc: &'a str,
    resp_code: &'a str,
    terminal: &'a str,
    invoice: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

/// The customer's card is the test card that always pays; how the bank masks one is not known.
fn masked_card() -> String {
    TEST_CARDS[0].masked()
}

/// Who asks, and how the answer must be wrong.
pub(super) struct Asked<'a> {
    pub(super) secret: &'a str,
    pub(super) shape: &'a Shape,
    pub(super) tamper: Tamper,
}

impl Asked<'_> {
    /// How a check says that an invoice stands.
    pub(super) fn standing(&self, invoice: &Invoice) -> Response {
        let paid = self.shape.is_paid(invoice);
        self.transaction(invoice, &invoice.amount, paid, text_of(invoice, paid))
    }

    /// What became of a refund.
    pub(super) fn refunded(&self, invoice: &Invoice, amount: &str, done: bool, text: &str) -> Response {
        self.transaction(invoice, amount, done, text)
    }

    /// A transaction result about an invoice that the bank does not know.
    pub(super) fn unknown(&self, terminal: &str, invoice: &str, amount: &str) -> Response {
        let (signed, shown) = self.shape.amount(amount, self.tamper);
        success(Done {
            response: Transaction {
                approval_code: Some(""),
                amount: shown,
                card_number: Some(String::new()),
                resp_desc: "Гүйлгээ олдсонгүй",
                resp_code: &self.shape.unpaid_code,
                terminal,
                invoice,
                checksum: self.checksum(&[terminal, invoice, &signed]),
            },
        })
    }

    fn transaction(&self, invoice: &Invoice, amount: &str, good: bool, text: &str) -> Response {
        let (signed, shown) = self.shape.amount(amount, self.tamper);
        success(Done {
            response: Transaction {
                approval_code: Some(&invoice.approval),
                amount: shown,
                card_number: Some(if invoice.is_paid() { masked_card() } else { String::new() }),
                resp_desc: text,
                resp_code: if good { "00" } else { &self.shape.unpaid_code },
                terminal: &invoice.terminal,
                invoice: &invoice.invoice,
                checksum: self.checksum(&[&invoice.terminal, &invoice.invoice, &signed]),
            },
        })
    }

    fn checksum(&self, values: &[&str]) -> Option<String> {
        self.shape.has_checksum.then(|| sign(self.secret, Tamper::None, values))
    }
}

/// `Амжилттай` goes with `00`; every other text is ours.
fn text_of(invoice: &Invoice, paid: bool) -> &'static str {
    match invoice.state {
        _ if paid => "Амжилттай",
        PaymentState::Paid => "Гүйлгээ буцаагдсан",
        PaymentState::Declined => "Гүйлгээнээс татгалзсан",
        PaymentState::Canceled => "Нэхэмжлэх цуцлагдсан",
        PaymentState::Expired => "Нэхэмжлэхийн хугацаа дууссан",
        _ => "Гүйлгээ хийгдээгүй",
    }
}

/// The notification about an invoice: always when it is paid, by switch when it ended without money.
pub(super) fn notification(
    tx: &Books<'_>,
    secret: &str,
    reference: &str,
    tamper: Tamper,
) -> Option<Notification> {
    let invoice = tx.state().invoices.get(reference)?;
    let wanted = invoice.is_paid() || tx.switch("push-unpaid") == "yes";
    if !wanted {
        return None;
    }
    let shape = Shape::read(|id| tx.switch(id));
    let (signed, shown) = shape.amount(&invoice.amount, tamper);
    let eight = tx.switch("push-fields") == "eight";
    let paid = invoice.is_paid();
    let body = Transaction {
        approval_code: eight.then_some(invoice.approval.as_str()),
        amount: shown,
        card_number: eight.then(|| if paid { masked_card() } else { String::new() }),
        resp_desc: text_of(invoice, paid),
        resp_code: if paid { "00" } else { &shape.unpaid_code },
        terminal: &invoice.terminal,
        invoice: &invoice.invoice,
        checksum: Some(sign(secret, tamper, &[&invoice.terminal, &invoice.invoice, &signed])),
    };
    let retries = usize::try_from(number_switch(tx, "push-retries")).unwrap_or_default();
    let notification = if tx.switch("push-format") == "query" {
        Notification::in_query(query(&body)?)
    } else {
        Notification::json(serde_json::to_string(&body).ok()?)
    };
    Some(notification.retry_after(vec![Duration::from_secs(1); retries]))
}

fn query(body: &Transaction<'_>) -> Option<String> {
    let value: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&serde_json::to_string(body).ok()?).ok()?;
    let texts = value.into_iter().map(|(name, value)| match value {
        serde_json::Value::String(text) => (name, text),
        // A number's own characters: going through a number type could change them.
        _ => (name, body.amount.get().to_owned()),
    });
    serde_urlencoded::to_string(texts.collect::<Vec<_>>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_its_characters_or_stays_a_text() {
        assert_eq!(wire("1100.50", true).get(), "1100.50");
        assert_eq!(wire("1100.50", false).get(), "\"1100.50\"");
        assert_eq!(wire("007", true).get(), "\"007\"");
    }
}
