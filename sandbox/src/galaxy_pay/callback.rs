//! Writes the gateway's notifications and browser returns, both signed over base64 text.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::codes::result_text;
use super::signature::signature;
use super::state::{Books, Kind, Payment, number_switch};
use crate::plugin::{Notification, PaymentState, Tamper, Timestamp};

/// What may not stand in a query's value: base64's `+`, `/` and `=` among others.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// What may not stand in a `Location`: anything that is not visible ASCII. The merchant's own characters stay.
const LOCATION: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>');

/// A callback's two fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Signed {
    pub(super) data: String,
    pub(super) signature: String,
}

impl Signed {
    /// Signs the base64 text of a document; a tampered amount is changed after signing.
    fn of(salt: &str, document: &str, tampered: Option<String>, tamper: Tamper) -> Self {
        let data = STANDARD.encode(document);
        let salt = if tamper == Tamper::Key { format!("{salt}-another-key") } else { salt.to_owned() };
        let signature = signature(&salt, data.as_bytes());
        let data = tampered.map_or(data, |document| STANDARD.encode(document));
        Self { data, signature }
    }
}

/// A date on the wire: `yyyyMMddHHmmss` in UTC+7.
pub(super) fn wire_date(at: Timestamp) -> String {
    at.format("%Y%m%d%H%M%S", 7)
}

/// An amount that is another one.
pub(super) fn spoiled(amount: &str) -> String {
    let mut characters = amount.chars();
    let first = characters.next().and_then(|digit| digit.to_digit(10)).unwrap_or(0);
    format!("{}{}", first % 9 + 1, characters.as_str())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Callback<'a, D> {
    #[serde(rename = "requestID")]
    request_id: &'a str,
    response_date_time: String,
    response_code: &'a str,
    response_message: &'a str,
    response_data: D,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the wire's own names")]
struct Transaction<'a> {
    #[serde(rename = "transactionID")]
    transaction_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_date_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_type: Option<&'a str>,
    #[serde(rename = "orderID")]
    order_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_number: Option<&'a str>,
    order_amount: &'a str,
    order_currency: &'a str,
    order_date_time: &'a str,
    order_description: &'a str,
    language: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokenization: Option<Tokenization<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tokenization<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_brand: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    status: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkResult<'a> {
    order_no: &'a str,
    order_reference: &'a str,
    order_amount: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_data: Option<LinkPayer<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkPayer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    full_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipping_address: Option<&'a str>,
}

/// What the switches say about a callback.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) date_time: bool,
    pub(super) token_creation: String,
    /// For the server, which alone gets a token.
    pub(super) ipn: bool,
}

impl Shape {
    pub(super) fn of(switch: impl Fn(&str) -> String, ipn: bool) -> Self {
        Self {
            date_time: switch("callback-transaction-date-time") == "yes",
            token_creation: switch("token-creation"),
            ipn,
        }
    }
}

/// The document of a callback about a payment.
fn document(payment: &Payment, shape: &Shape, now: Timestamp, amount: &str) -> String {
    let order = &payment.order;
    let code = payment.code.as_deref().unwrap_or_default();
    let v2 = order.api_version >= 2;
    let data = Transaction {
        transaction_id: &payment.id,
        transaction_date_time: shape.date_time.then(|| wire_date(payment.finished_at.unwrap_or(now))),
        transaction_status: v2.then_some(code),
        transaction_description: v2.then(|| result_text(code, order.language() == "vi")),
        payment_method: payment.method.as_deref().or(order.method.as_deref()).filter(|_| v2),
        source_type: payment.source.as_deref().or(order.source.as_deref()).filter(|_| v2),
        order_id: &order.order_id,
        order_number: order.order_number.as_deref(),
        order_amount: amount,
        order_currency: &order.currency,
        order_date_time: &order.date_time,
        order_description: &order.description,
        language: order.language(),
        tokenization: tokenization(payment, shape),
    };
    written(&order.request_id, code, now, data)
}

fn tokenization<'a>(payment: &'a Payment, shape: &Shape) -> Option<Tokenization<'a>> {
    let card = payment.card()?;
    let good = matches!(payment.state, PaymentState::Paid | PaymentState::Authorized);
    if !shape.ipn || !good || !payment.saves_card() || shape.token_creation == "absent" {
        return None;
    }
    let token = payment.token.as_deref();
    Some(Tokenization {
        account_brand: Some(card.brand()),
        account_source: card.issuer(),
        account_number: Some(card.masked()),
        account_name: Some(payment.holder.as_str()).filter(|holder| !holder.is_empty()),
        token,
        status: if token.is_some() { "200" } else { "502" },
        message: if token.is_some() { "Success" } else { "The card could not be saved" },
    })
}

/// The document of a payment link's notification; its `requestId` has a small d (specification, 10.5).
fn link_document(payment: &Payment, now: Timestamp, amount: &str) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct LinkCallback<'a> {
        request_id: &'a str,
        response_date_time: String,
        response_code: &'a str,
        response_message: &'a str,
        response_data: LinkResult<'a>,
    }

    let typed = |name: &str| payment.payer.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let payer = LinkPayer {
        full_name: typed("fullname"),
        phone: typed("phone"),
        email: typed("email"),
        shipping_address: typed("shippingAddress"),
    };
    let code = payment.code.as_deref().unwrap_or_default();
    let document = LinkCallback {
        request_id: &payment.order.request_id,
        response_date_time: wire_date(now),
        response_code: code,
        response_message: result_text(code, false),
        response_data: LinkResult {
            order_no: &payment.id,
            order_reference: &payment.order.order_id,
            order_amount: amount,
            extra_data: (!payment.payer.is_empty()).then_some(payer),
        },
    };
    serde_json::to_string(&document).unwrap_or_default()
}

fn written<D: Serialize>(request_id: &str, code: &str, now: Timestamp, response_data: D) -> String {
    let callback = Callback {
        request_id,
        response_date_time: wire_date(now),
        response_code: code,
        response_message: result_text(code, false),
        response_data,
    };
    serde_json::to_string(&callback).unwrap_or_default()
}

/// The two fields of a callback about a payment as it is now.
pub(super) fn signed(payment: &Payment, salt: &str, shape: &Shape, now: Timestamp, tamper: Tamper) -> Signed {
    let make = |amount: &str| match payment.kind {
        Kind::PaymentLink => link_document(payment, now, amount),
        _ => document(payment, shape, now, amount),
    };
    let tampered = (tamper == Tamper::Amount).then(|| make(&spoiled(&payment.order.amount)));
    Signed::of(salt, &make(&payment.order.amount), tampered, tamper)
}

/// The notification about a payment that has a result.
pub(super) fn notification(
    tx: &Books<'_>,
    salt: &str,
    reference: &str,
    tamper: Tamper,
) -> Option<Notification> {
    let payment = tx.state().orders.get(reference).and_then(|id| tx.state().payments.get(id))?;
    payment.code.as_ref()?;
    let shape = Shape::of(|id| tx.switch(id), true);
    let body = serde_json::to_string(&signed(payment, salt, &shape, tx.now(), tamper)).ok()?;
    let retries = usize::try_from(number_switch(tx, "ipn-retries")).unwrap_or_default();
    let pause = Duration::from_secs(number_switch(tx, "ipn-retry-seconds").unsigned_abs());
    let notification = Notification::json(body).retry_after(vec![pause; retries]);
    Some(match &payment.order.ipn_url {
        Some(address) => notification.to(address),
        None => notification,
    })
}

/// Where the browser goes, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WayBack {
    /// By GET to this address.
    Get(String),
    /// By a form to this address.
    Post(String, Signed),
}

impl WayBack {
    /// The way back of a payment with a result; `None` if the merchant gave no address for it.
    pub(super) fn of(payment: &Payment, signed: Signed, method: &str) -> Option<Self> {
        let order = &payment.order;
        let address = match payment.state {
            PaymentState::Paid | PaymentState::Authorized => order.success_url.as_deref(),
            PaymentState::Canceled => order.cancel_url.as_deref(),
            PaymentState::Declined | PaymentState::Expired => order.failure_url.as_deref(),
            PaymentState::Open | PaymentState::Sent => None,
        }?;
        // An app's own scheme takes no form.
        if method == "post" && address.starts_with("http") {
            return Some(Self::Post(address.to_owned(), signed));
        }
        Some(Self::Get(join(address, &signed)))
    }

    /// The answer that sends a browser there at once; a form needs a page instead.
    pub(super) fn redirect(address: &str) -> Response {
        let location: String = utf8_percent_encode(address, LOCATION).collect();
        match HeaderValue::from_str(&location) {
            Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

fn join(address: &str, signed: &Signed) -> String {
    let (address, fragment) =
        address.split_once('#').map_or((address, None), |(left, right)| (left, Some(right)));
    let separator = match address.rfind('?') {
        None => "?",
        Some(at) if at + 1 == address.len() => "",
        Some(_) => "&",
    };
    let data = utf8_percent_encode(&signed.data, QUERY);
    let mut out = format!("{address}{separator}data={data}&signature={}", signed.signature);
    if let Some(fragment) = fragment {
        out.push('#');
        out.push_str(fragment);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_survives_a_query_and_the_merchant_s_own_address_is_kept() {
        let signed = Signed { data: "a+/b==".to_owned(), signature: "00".to_owned() };
        let tail = "data=a%2B%2Fb%3D%3D&signature=00";
        for (address, expected) in [
            ("https://s.vn/b", format!("https://s.vn/b?{tail}")),
            ("https://s.vn/b?x=1", format!("https://s.vn/b?x=1&{tail}")),
            ("https://s.vn/b?", format!("https://s.vn/b?{tail}")),
            ("https://s.vn/b#top", format!("https://s.vn/b?{tail}#top")),
            ("app://payment/result?status=1", format!("app://payment/result?status=1&{tail}")),
        ] {
            assert_eq!(join(address, &signed), expected);
        }
        let response = WayBack::redirect("https://s.vn/đơn?a=\"<b>\"");
        let location = response.headers().get(header::LOCATION).unwrap().to_str().unwrap();
        assert_eq!(location, "https://s.vn/%C4%91%C6%A1n?a=%22%3Cb%3E%22");
    }

    #[test]
    fn a_tampered_amount_is_another_amount() {
        for (before, after) in [("100000", "200000"), ("9", "1"), ("0.50", "1.50")] {
            assert_eq!(spoiled(before), after);
        }
    }
}
