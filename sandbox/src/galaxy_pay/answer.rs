//! Writes the gateway's answers: the envelope, its signature and its HTTP status.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;

use super::callback::{spoiled, wire_date};
use super::codes::result_text;
use super::shared::Gateway;
use super::signature::signature;
use super::state::Payment;
use crate::plugin::{PaymentState, Tamper, Timestamp};

/// What an answer carries as `responseData`, for each kind of call.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Opened {
    #[serde(rename = "transactionID")]
    pub(super) transaction_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) transaction_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) qr_code: Option<String>,
}

/// An answer to be sent.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) data: Option<Box<RawValue>>,
    /// The same data with another amount, for the fault that wants it.
    pub(super) tampered: Option<Box<RawValue>>,
    /// The word for the request log.
    pub(super) note: String,
}

impl Answer {
    /// Success without data.
    pub(super) fn done(note: impl Into<String>) -> Self {
        Self {
            code: "200".to_owned(),
            message: "Success".to_owned(),
            data: None,
            tampered: None,
            note: note.into(),
        }
    }

    /// Success with data.
    pub(super) fn with<T: Serialize>(data: &T, note: impl Into<String>) -> Self {
        Self { data: serde_json::value::to_raw_value(data).ok(), ..Self::done(note) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(rename = "requestID")]
    request_id: &'a str,
    response_date_time: String,
    response_code: &'a str,
    response_message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_data: Option<&'a RawValue>,
}

/// Writes an envelope with its signature header.
pub(super) fn write(gateway: &Gateway, request_id: &str, answer: &Answer, tamper: Tamper) -> Response {
    let now = gateway.desk.now();
    let body = |data: Option<&RawValue>| envelope(request_id, &answer.code, &answer.message, data, now);
    let honest = body(answer.data.as_deref());
    let signature = match (gateway.desk.switch("response-signature").as_str(), tamper) {
        ("none", _) => None,
        ("another-formula", _) => Some(signature(&honest, gateway.salt.as_bytes())),
        (_, Tamper::Key) => Some(signature(&format!("{}-another-key", gateway.salt), honest.as_bytes())),
        _ => Some(signature(&gateway.salt, honest.as_bytes())),
    };
    let sent = match (tamper, &answer.tampered) {
        (Tamper::Amount, Some(data)) => body(Some(data)),
        _ => honest,
    };
    let status = http_status(&answer.code, &gateway.desk.switch("error-http-status"));
    let mut response =
        (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], sent).into_response();
    if let Some(value) = signature.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert("signature", value);
    }
    response
}

pub(super) fn envelope(
    request_id: &str,
    code: &str,
    message: &str,
    response_data: Option<&RawValue>,
    now: Timestamp,
) -> String {
    // 250 characters are what the documents allow for the message.
    let message: String = message.chars().take(250).collect();
    let envelope = Envelope {
        request_id,
        response_date_time: wire_date(now),
        response_code: code,
        response_message: &message,
        response_data,
    };
    serde_json::to_string(&envelope).unwrap_or_default()
}

fn http_status(code: &str, switch: &str) -> StatusCode {
    if switch == "always-200" {
        return StatusCode::OK;
    }
    code.parse::<u16>().ok().and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::OK)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Queried<'a> {
    #[serde(rename = "transactionID")]
    transaction_id: &'a str,
    transaction_date_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_stage: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_status: Option<&'a str>,
    transaction_description: &'a str,
    #[serde(rename = "orderID")]
    order_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_number: Option<&'a str>,
    order_amount: &'a str,
    order_currency: &'a str,
    order_date_time: &'a str,
    order_description: &'a str,
}

/// The answer to a query: how the payment stands.
pub(super) fn queried(gateway: &Gateway, payment: &Payment) -> Answer {
    let order = &payment.order;
    let switch = |id: &str| gateway.desk.switch(id);
    let stage = stage(payment, &switch);
    let status = status(payment, &switch);
    let make = |amount: &str| {
        let code = payment.code.as_deref();
        let data = Queried {
            transaction_id: &payment.id,
            transaction_date_time: wire_date(payment.finished_at.unwrap_or(payment.created_at)),
            transaction_stage: stage.as_deref(),
            transaction_status: status.as_deref(),
            transaction_description: code.map_or("", |code| result_text(code, order.language() == "vi")),
            order_id: &order.order_id,
            order_number: order.order_number.as_deref(),
            order_amount: amount,
            order_currency: &order.currency,
            order_date_time: &order.date_time,
            order_description: &order.description,
        };
        serde_json::value::to_raw_value(&data).ok()
    };
    Answer {
        data: make(&order.amount),
        tampered: make(&spoiled(&order.amount)),
        ..Answer::done(format!("the payment is {}", payment.state.name()))
    }
}

/// `transactionStage`. Only `PROCESSING` and `SUCCESSFUL` have been seen; the others are switches.
fn stage(payment: &Payment, switch: &impl Fn(&str) -> String) -> Option<String> {
    let text = match payment.state {
        PaymentState::Open | PaymentState::Sent => "PROCESSING".to_owned(),
        PaymentState::Paid if payment.refunds.is_empty() => "SUCCESSFUL".to_owned(),
        PaymentState::Paid => switch("stage-refunded"),
        PaymentState::Authorized => switch("stage-authorized"),
        ended => match (switch("stage-ended").as_str(), ended) {
            ("by-outcome", _) if payment.voided_at.is_some() => "VOIDED".to_owned(),
            ("by-outcome", PaymentState::Canceled) => "CANCELED".to_owned(),
            ("by-outcome", PaymentState::Expired) => "EXPIRED".to_owned(),
            ("by-outcome", _) => "FAILED".to_owned(),
            (other, _) => other.to_owned(),
        },
    };
    (text != "absent").then_some(text)
}

/// `transactionStatus`: the code of the result; what stands there while there is none is a switch.
fn status(payment: &Payment, switch: &impl Fn(&str) -> String) -> Option<String> {
    let pending = || match switch("pending-status").as_str() {
        "empty" => Some(String::new()),
        "absent" => None,
        code => Some(code.to_owned()),
    };
    match payment.state {
        PaymentState::Open | PaymentState::Sent => pending(),
        PaymentState::Authorized if switch("authorized-status") == "as-pending" => pending(),
        _ => payment.code.clone(),
    }
}
