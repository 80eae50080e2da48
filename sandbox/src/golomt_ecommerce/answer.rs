//! Writes the bank's answers, error bodies and notifications, signed.

use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use super::checksum::checksum;
use super::request::amount_in_form;
use super::state::{BankPayment, BankState, Books, Kind};
use crate::fault::FaultKind;
use crate::plugin::{Desk, Notification, Tamper, Timestamp};

/// The issuer's name in answers about a card; the documents' own sample.
const BANK: &str = "Голомт банк";

/// What an answer's shape depends on.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) amount_echo: String,
    pub(super) token_absent: bool,
}

impl Shape {
    pub(super) fn of(desk: &Desk<BankState>) -> Self {
        Self {
            amount_echo: desk.switch("amount-echo"),
            token_absent: desk.switch("token-when-none") == "absent",
        }
    }

    fn amount(&self, payment: &BankPayment) -> String {
        amount_in_form(&payment.amount, &self.amount_echo)
    }

    /// The outer `None` leaves the field out, the inner one is a JSON null.
    #[expect(clippy::option_option, reason = "a field of the wire can be absent, null or a text")]
    fn token<'a>(&self, token: Option<&'a str>) -> Option<Option<&'a str>> {
        match token {
            None if self.token_absent => None,
            other => Some(other),
        }
    }
}

/// A checksum over an answer's values, wrong if that was ordered.
pub(crate) fn sign(secret: &str, tamper: Tamper, values: &[&str]) -> String {
    match tamper {
        Tamper::Key => checksum(&format!("{secret}-another-key"), values),
        _ => checksum(secret, values),
    }
}

pub(crate) fn shown_amount(amount: String, tamper: Tamper) -> String {
    if tamper != Tamper::Amount {
        return amount;
    }
    let mut characters = amount.chars();
    let first = characters.next().and_then(|digit| digit.to_digit(10)).unwrap_or(0);
    format!("{}{}", first % 9 + 1, characters.as_str())
}

/// `/api/inquiry`, and with fewer fields `/api/check` and `/api/pay`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Result<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank: Option<&'a str>,
    error_desc: &'a str,
    error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_holder: Option<&'a str>,
    card_number: String,
    transaction_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(clippy::option_option, reason = "a field of the wire can be absent, null or a text")]
    token: Option<Option<&'a str>>,
    checksum: String,
}

/// Which of the result's answers it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Inquiry,
    Check,
    Pay { mongolian: bool },
}

pub(super) fn result(
    payment: &BankPayment,
    answer: Answer,
    secret: &str,
    shape: &Shape,
    tamper: Tamper,
) -> Response {
    let amount = shape.amount(payment);
    let code = payment.code.as_deref();
    let token = payment.token.as_deref().filter(|_| !matches!(answer, Answer::Pay { .. }));
    let mongolian = match answer {
        Answer::Pay { mongolian } => mongolian,
        Answer::Inquiry | Answer::Check => true,
    };
    let values = [payment.transaction_id.as_str(), code.unwrap_or(""), &amount, token.unwrap_or("")];
    let checksum = sign(secret, tamper, &values);
    let known = payment.card.is_some();
    let inquiry = answer == Answer::Inquiry;
    ok(&Result {
        status: inquiry.then(|| status(payment)),
        amount: shown_amount(amount, tamper),
        bank: inquiry.then_some(if known { BANK } else { "" }),
        error_desc: payment.text(mongolian),
        error_code: code,
        card_holder: inquiry.then_some(payment.holder.as_str()),
        card_number: payment.masked_card(),
        transaction_id: &payment.transaction_id,
        token: if matches!(answer, Answer::Pay { .. }) { None } else { shape.token(token) },
        checksum,
    })
}

/// `SENT` says that payment data was sent. It is no sign of success.
fn status(payment: &BankPayment) -> &'static str {
    if payment.submitted_at.is_some() { "SENT" } else { "PENDING" }
}

/// `/api/get/token`.
pub(super) fn saved_card(payment: &BankPayment, secret: &str, shape: &Shape, tamper: Tamper) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct SavedCard<'a> {
        bank_code: &'a str,
        bank: &'a str,
        error_desc: &'a str,
        checksum: String,
        error_code: Option<&'a str>,
        card_holder: &'a str,
        transaction_id: &'a str,
        card_number: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[expect(clippy::option_option, reason = "a field of the wire can be absent, null or a text")]
        token: Option<Option<&'a str>>,
    }

    let token = payment.token.as_deref();
    ok(&SavedCard {
        // Public clients read this field; no value of it is known.
        bank_code: "",
        bank: if payment.card.is_some() { BANK } else { "" },
        error_desc: payment.text(true),
        checksum: sign(secret, tamper, &[&payment.transaction_id, token.unwrap_or("")]),
        error_code: payment.code.as_deref(),
        card_holder: &payment.holder,
        transaction_id: &payment.transaction_id,
        card_number: payment.masked_card(),
        token: shape.token(token),
    })
}

/// `/api/invoice` and `/api/confirmation`.
pub(super) fn opened(payment: &BankPayment, secret: &str, tamper: Tamper) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Opened<'a> {
        invoice: &'a str,
        transaction_id: &'a str,
        checksum: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        social_deeplink: Option<String>,
    }

    let page = payment.page.as_ref();
    let invoice = page.map(|page| page.invoice.as_str()).unwrap_or_default();
    ok(&Opened {
        invoice,
        transaction_id: &payment.transaction_id,
        checksum: sign(secret, tamper, &[invoice, &payment.transaction_id]),
        social_deeplink: super::socialpay::deeplink(page.and_then(|page| page.deeplink.as_deref())),
    })
}

pub(super) fn ok<T: Serialize>(body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The bank's error body.
pub(super) fn error(status: StatusCode, path: &str, message: &str, now: Timestamp) -> Response {
    let word = match status {
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::FORBIDDEN => "Forbidden",
        status if status.is_server_error() => "Internal",
        _ => "Validation",
    };
    error_word(status, word, path, message, now)
}

pub(super) fn error_word(
    status: StatusCode,
    word: &str,
    path: &str,
    message: &str,
    now: Timestamp,
) -> Response {
    let body = json!({
        "timestamp": now.format("%Y-%m-%dT%H:%M:%S%.3f%z", 0),
        "status": status.as_u16(),
        "error": word,
        "message": message,
        "path": path,
    });
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// The notification about a payment, unless a switch says that there is none about its sort.
pub(super) fn notification(
    tx: &Books<'_>,
    secret: &str,
    transaction_id: &str,
    tamper: Tamper,
) -> Option<Notification> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Pushed<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<&'a str>,
        amount: String,
        bank: &'a str,
        error_desc: &'a str,
        checksum: String,
        error_code: Option<&'a str>,
        card_holder: &'a str,
        transaction_id: &'a str,
        card_number: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<&'a str>,
    }

    let payment = tx.state().payments.get(transaction_id)?;
    let wanted = match payment.kind {
        Kind::Invoice => true,
        Kind::TokenCharge => {
            // Ordering a notification before the answer asks for a notification, whatever the switch says.
            tx.switch("push-token-payments") == "yes"
                || tx.push_fault_waits(FaultKind::PushBeforeAnswer, transaction_id)
        }
        Kind::CardSetup => tx.switch("push-card-setups") == "yes",
    };
    if !wanted {
        return None;
    }
    let amount = amount_in_form(&payment.amount, &tx.switch("amount-echo"));
    let code = payment.code.as_deref();
    let token = payment.token.as_deref();
    let values = [transaction_id, code.unwrap_or(""), &amount, token.unwrap_or("")];
    let checksum = sign(secret, tamper, &values);
    let body = Pushed {
        status: (tx.switch("push-status-field") == "yes").then(|| status(payment)),
        amount: shown_amount(amount, tamper),
        bank: if payment.card.is_some() { BANK } else { "" },
        error_desc: payment.text(true),
        checksum,
        error_code: code,
        card_holder: &payment.holder,
        transaction_id,
        card_number: payment.masked_card(),
        token,
    };
    let retries = usize::try_from(super::state::number_switch(tx, "push-retries")).unwrap_or_default();
    let body = serde_json::to_string(&body).ok()?;
    Some(Notification::json(body).retry_after(vec![Duration::from_secs(1); retries]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tampered_amount_is_another_amount() {
        for (before, after) in [("1500.00", "2500.00"), ("9", "1"), ("0.50", "1.50")] {
            assert_eq!(shown_amount(before.to_owned(), Tamper::Amount), after);
            assert_eq!(shown_amount(before.to_owned(), Tamper::Key), before);
        }
    }
}
