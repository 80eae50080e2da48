//! Rows and records.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use tulbur_core::{AccountName, Channel, Timestamp};

use super::dialect::Row;
use crate::error::StoreError;
use crate::operation::{IdempotencyKey, KeyRecord, OperationRecord};
use crate::record::{CardRecord, OrderRecord, PaymentId, PaymentRecord};
use crate::store::{DeliveryState, EventDelivery, InboxEntry, Verdict};

pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Unreadable(e.to_string()))
}

pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Unreadable(e.to_string()))
}

pub(super) fn read_body<T: DeserializeOwned>(row: &Row) -> Result<T, StoreError> {
    read(row.get("body"))
}

pub(super) fn read_bodies<T: DeserializeOwned>(rows: &[Row]) -> Result<Vec<T>, StoreError> {
    rows.iter().map(read_body).collect()
}

pub(super) fn time(row: &Row, column: &str) -> Option<Timestamp> {
    row.get::<Option<i64>, _>(column).map(Timestamp::from_millis)
}

pub(super) fn count(row: &Row, column: &str) -> u64 {
    u64::try_from(row.get::<i64, _>(column)).unwrap_or(0)
}

pub(super) fn payment_of(row: &Row) -> Result<PaymentRecord, StoreError> {
    let mut payment: PaymentRecord = read_body(row)?;
    payment.version = row.get("version");
    payment.ask_at = time(row, "ask_at");
    Ok(payment)
}

pub(super) fn order_of(row: &Row) -> Result<OrderRecord, StoreError> {
    let mut order: OrderRecord = read_body(row)?;
    order.version = row.get("version");
    Ok(order)
}

/// The order in a row that has its payment too.
pub(super) fn known_order_of(row: &Row) -> Result<OrderRecord, StoreError> {
    let mut order: OrderRecord = read(row.get("order_body"))?;
    order.version = row.get("order_version");
    Ok(order)
}

pub(super) fn operation_of(row: &Row) -> Result<OperationRecord, StoreError> {
    let mut operation: OperationRecord = read_body(row)?;
    operation.version = row.get("version");
    operation.lease_until = time(row, "lease_until");
    Ok(operation)
}

pub(super) fn card_of(row: &Row) -> Result<CardRecord, StoreError> {
    Ok(CardRecord { card: read_body(row)?, sealed_token: row.get("sealed_token") })
}

pub(super) fn delivery_of(row: &Row, handled: Vec<String>) -> Result<EventDelivery, StoreError> {
    Ok(EventDelivery {
        event: read_body(row)?,
        state: DeliveryState::parse(row.get("state"))
            .ok_or_else(|| StoreError::Unreadable("an event has an unknown state".into()))?,
        attempts: u32::try_from(count(row, "attempts")).unwrap_or(u32::MAX),
        due_at: Timestamp::from_millis(row.get("due_at")),
        handled,
    })
}

pub(super) fn key_of(row: &Row) -> Result<KeyRecord, StoreError> {
    let unreadable = |what: &str| StoreError::Unreadable(format!("an idempotency key has an unknown {what}"));
    Ok(KeyRecord {
        key: IdempotencyKey::parse(row.get::<String, _>("key")).map_err(|_| unreadable("form"))?,
        content: row.get("content"),
        subject: read(row.get("subject"))?,
        at: time(row, "at").ok_or_else(|| unreadable("time"))?,
    })
}

pub(super) fn channel_word(channel: Channel) -> &'static str {
    match channel {
        Channel::Notify => "notify",
        Channel::Return => "return",
    }
}

pub(super) fn inbox_of(row: &Row) -> Result<(InboxEntry, u32), StoreError> {
    let unreadable = |what: &str| StoreError::Unreadable(format!("an inbox entry has an unknown {what}"));
    let entry = InboxEntry {
        id: row.get("id"),
        account: AccountName::parse(row.get::<String, _>("account")).map_err(|_| unreadable("account"))?,
        channel: match row.get("channel") {
            "notify" => Channel::Notify,
            "return" => Channel::Return,
            _ => return Err(unreadable("channel")),
        },
        at: Timestamp::from_millis(row.get("at")),
        repeat_key: row.get("repeat_key"),
        meaning: row.get("meaning"),
        verdict: Verdict::parse(row.get("verdict")).ok_or_else(|| unreadable("verdict"))?,
        note: row.get("note"),
        payment: row.get::<Option<String>, _>("payment").map(PaymentId::from_text),
        sealed: row.get("sealed"),
    };
    Ok((entry, u32::try_from(count(row, "times")).unwrap_or(u32::MAX)))
}

/// A text that came from outside, as a column can hold it: a column of text has no zero character.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}
