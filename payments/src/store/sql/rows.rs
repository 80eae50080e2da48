//! Rows and records.

use serde::de::DeserializeOwned;
use sqlx::Row as _;
use tulbur_core::{AccountName, Channel, ProviderRef, Timestamp};

use super::dialect::Row;
use crate::error::StoreError;
use crate::model::operation::{IdempotencyKey, KeyRecord, OperationRecord};
use crate::model::record::{CardRecord, OrderRecord, PaymentId, PaymentRecord};
use crate::store::{InboxEntry, Verdict};

pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Unreadable(e.to_string()))
}

pub(super) fn read_body<T: DeserializeOwned>(row: &Row) -> Result<T, StoreError> {
    read(row.get("body"))
}

pub(super) fn read_bodies<T: DeserializeOwned>(rows: &[Row]) -> Result<Vec<T>, StoreError> {
    rows.iter().map(read_body).collect()
}

/// Those of a list that can be read, one by one: what cannot be is left out, and stops nobody from seeing the others.
pub(super) fn readable<T>(rows: &[Row], read: impl Fn(&Row) -> Result<T, StoreError>) -> Vec<T> {
    rows.iter().filter_map(|row| read(row).inspect_err(|error| skip(&error.to_string())).ok()).collect()
}

/// Says that something is left out of a list.
pub(super) fn skip(why: &str) {
    tracing::error!(why, "something that cannot be read is left out of a list");
}

pub(super) fn time(row: &Row, column: &str) -> Option<Timestamp> {
    row.get::<Option<i64>, _>(column).map(Timestamp::from_millis)
}

pub(super) fn count(row: &Row, column: &str) -> u64 {
    u64::try_from(row.get::<i64, _>(column)).unwrap_or(0)
}

/// The format in which this release writes records. A newer release that writes something which this one would drop
/// writes a higher number.
pub(super) const FORMAT: i64 = 1;

/// Refuses what a newer release has written: whoever read it here would write it back without what it does not know.
fn known_format(row: &Row, column: &str) -> Result<(), StoreError> {
    let format: i64 = row.get(column);
    if format <= FORMAT {
        return Ok(());
    }
    Err(StoreError::Unreadable(format!(
        "a record is of a newer release: format {format}, and this one knows {FORMAT}; run the newer release"
    )))
}

pub(super) fn payment_of(row: &Row) -> Result<PaymentRecord, StoreError> {
    known_format(row, "format")?;
    let mut payment: PaymentRecord = read_body(row)?;
    payment.version = row.get("version");
    payment.ask_at = time(row, "ask_at");
    payment.lease_until = time(row, "lease_until");
    // Where the lease was moved with the clock, so is what began with it.
    if let Some(lease) = payment.lease_until {
        payment.write_ends = payment.write_ends.map(|ends| ends.min(lease));
    }
    Ok(payment)
}

pub(super) fn order_of(row: &Row) -> Result<OrderRecord, StoreError> {
    known_format(row, "format")?;
    let mut order: OrderRecord = read_body(row)?;
    order.version = row.get("version");
    Ok(order)
}

/// The order in a row that has its payment too.
pub(super) fn known_order_of(row: &Row) -> Result<OrderRecord, StoreError> {
    known_format(row, "order_format")?;
    let mut order: OrderRecord = read(row.get("order_body"))?;
    order.version = row.get("order_version");
    Ok(order)
}

pub(super) fn operation_of(row: &Row) -> Result<OperationRecord, StoreError> {
    known_format(row, "format")?;
    let mut operation: OperationRecord = read_body(row)?;
    operation.version = row.get("version");
    operation.lease_until = time(row, "lease_until");
    operation.write_ends = time(row, "write_ends");
    Ok(operation)
}

pub(super) fn card_of(row: &Row) -> Result<CardRecord, StoreError> {
    Ok(CardRecord { card: read_body(row)?, sealed_token: row.get("sealed_token") })
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
        provider_ref: row
            .get::<Option<String>, _>("provider_ref")
            .map(ProviderRef::parse)
            .transpose()
            .map_err(|_| unreadable("reference of the provider's"))?,
        due_at: time(row, "due_at"),
        sealed: row.get("sealed"),
    };
    Ok((entry, u32::try_from(count(row, "times")).unwrap_or(u32::MAX)))
}
