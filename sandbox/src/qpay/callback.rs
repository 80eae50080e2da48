//! Writes QPay's callback: a GET of the merchant's address with `qpay_payment_id` in its query (specification, 8).

use std::time::Duration;

use serde::Serialize;

use super::ids::digits;
use super::state::Books;
use crate::plugin::{Notification, Tamper};

/// The body of the form that only one page of a community's documentation has; nobody has recorded one.
#[derive(Serialize)]
struct Posted<'a> {
    invoice_id: &'a str,
}

/// The callback about the payment that an invoice was told of last.
///
/// It has no signature and no amount, so a tampered one names a payment that does not exist.
pub(super) fn notification(tx: &Books<'_>, reference: &str, tamper: Tamper) -> Option<Notification> {
    let invoice = tx.state().by_reference(reference)?;
    let payment_id = match tamper {
        Tamper::None => invoice.told.clone()?,
        _ => digits(15),
    };
    let query = format!("qpay_payment_id={payment_id}");
    let mut notification = Notification::get(query.as_str());
    if tx.switch("callback-method") == "post" {
        let body = serde_json::to_string(&Posted { invoice_id: &invoice.id }).ok()?;
        notification = Notification { query, ..Notification::json(body) };
    }
    if tx.switch("callback-taken") == "success-text" {
        notification = notification.expects("SUCCESS");
    }
    let number = |id: &str| tx.switch(id).parse::<u64>().unwrap_or_default();
    let retries = usize::try_from(number("callback-retries")).unwrap_or_default();
    let pause = Duration::from_secs(number("callback-retry-seconds"));
    let notification = notification.retry_after(vec![pause; retries]);
    Some(match &invoice.order.callback_url {
        Some(address) => notification.to(address),
        None => notification,
    })
}
