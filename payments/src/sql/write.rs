//! The statements of a commit: one for all records of a kind.

use std::collections::{HashMap, HashSet};

use sqlx::Row as _;
use tulbur_core::{OrderRef, ProviderRef, Timestamp};

use super::dialect::{Connection, Row, store_error};
use super::rows::channel_word;
use super::statement::{Value, body, maybe, statement, text, time};
use crate::error::StoreError;
use crate::event::{AttentionItem, Event, HistoryEntry};
use crate::operation::{KeyRecord, OperationRecord};
use crate::record::{CardRecord, OrderRecord, PaymentId, PaymentRecord};
use crate::store::InboxEntry;

fn rows<'a, T, const COLUMNS: usize>(
    records: &[&'a T],
    row: impl Fn(&'a T) -> Result<[Value<'a>; COLUMNS], StoreError>,
) -> Result<Vec<[Value<'a>; COLUMNS]>, StoreError> {
    records.iter().map(|record| row(record)).collect()
}

/// The names that a statement returned.
fn names(rows: &[Row]) -> Result<HashSet<String>, StoreError> {
    rows.iter().map(|row| row.try_get(0).map_err(store_error)).collect()
}

statement! { UPDATE_ORDERS (name: Text, body: Text, paid_by: Text, version: Number)
    "UPDATE tulbur_orders AS this SET body = new.body, paid_by = new.paid_by, version = this.version + 1 FROM {new} \
     WHERE this.order_ref = new.name AND this.version = new.version RETURNING order_ref"
}

/// Writes orders that were there before, and says which were as they were when it was decided.
pub(super) async fn update_orders(
    tx: &mut Connection,
    orders: &[&OrderRecord],
) -> Result<HashSet<String>, StoreError> {
    let rows = rows(orders, |order| {
        let paid_by = maybe(order.paid_by.as_ref().map(PaymentId::as_str), text);
        Ok([text(order.order.as_str()), body(order)?, paid_by, Value::Number(order.version)])
    })?;
    names(&UPDATE_ORDERS.run(tx, rows).await?)
}

statement! { INSERT_ORDERS (order_ref: Text, body: Text, paid_by: Text, created_at: Number)
    "INSERT INTO tulbur_orders (order_ref, body, paid_by, created_at, version) \
     SELECT order_ref, body, paid_by, created_at, 1 FROM {new}"
}

pub(super) async fn insert_orders(tx: &mut Connection, orders: &[&OrderRecord]) -> Result<(), StoreError> {
    let rows = rows(orders, |order| {
        let paid_by = maybe(order.paid_by.as_ref().map(PaymentId::as_str), text);
        Ok([text(order.order.as_str()), body(order)?, paid_by, time(order.created_at)])
    })?;
    INSERT_ORDERS.run(tx, rows).await.map(drop)
}

// What a payment is called never changes, and most commits leave it as it stands: the indexes of what is not changed are
// left alone.
statement! { TOUCH_PAYMENTS (name: Text, body: Text, provider_ref: Text, status: Text, operation: Text, ask_at: Number,
        paid_at: Number, version: Number)
    "UPDATE tulbur_payments AS this SET body = new.body, ask_at = new.ask_at, version = this.version + 1 FROM {new} \
     WHERE this.id = new.name AND this.version = new.version AND this.status = new.status \
     AND this.operation = new.operation AND this.provider_ref IS NOT DISTINCT FROM new.provider_ref \
     AND this.paid_at IS NOT DISTINCT FROM new.paid_at RETURNING id"
}

statement! { UPDATE_PAYMENTS (name: Text, body: Text, provider_ref: Text, status: Text, operation: Text, ask_at: Number,
        paid_at: Number, version: Number)
    "UPDATE tulbur_payments AS this SET body = new.body, provider_ref = new.provider_ref, status = new.status, \
     operation = new.operation, ask_at = new.ask_at, paid_at = new.paid_at, version = this.version + 1 FROM {new} \
     WHERE this.id = new.name AND this.version = new.version RETURNING id"
}

/// Writes payments that were there before, and says which were as they were when it was decided.
pub(super) async fn update_payments(
    tx: &mut Connection,
    payments: &[&PaymentRecord],
) -> Result<HashSet<String>, StoreError> {
    let mut done = names(&TOUCH_PAYMENTS.run(tx, rows(payments, changed)?).await?)?;
    let moved: Vec<&PaymentRecord> =
        payments.iter().copied().filter(|payment| !done.contains(payment.id.as_str())).collect();
    done.extend(names(&UPDATE_PAYMENTS.run(tx, rows(&moved, changed)?).await?)?);
    Ok(done)
}

fn changed(payment: &PaymentRecord) -> Result<[Value<'_>; 8], StoreError> {
    Ok([
        text(payment.id.as_str()),
        body(payment)?,
        maybe(payment.reference.provider_ref.as_ref().map(ProviderRef::as_str), text),
        text(payment.status.as_str()),
        text(payment.operation.as_str()),
        maybe(payment.ask_at, time),
        maybe(payment.paid_at, time),
        Value::Number(payment.version),
    ])
}

statement! { INSERT_PAYMENTS (id: Text, body: Text, order_ref: Text, account: Text, merchant_ref: Text,
        provider_ref: Text, secret_hash: Text, status: Text, operation: Text, ask_at: Number, created_at: Number,
        paid_at: Number)
    "INSERT INTO tulbur_payments (id, body, order_ref, account, merchant_ref, provider_ref, secret_hash, status, \
     operation, ask_at, created_at, paid_at, version) \
     SELECT id, body, order_ref, account, merchant_ref, provider_ref, secret_hash, status, operation, ask_at, \
     created_at, paid_at, 1 FROM {new}"
}

pub(super) async fn insert_payments(
    tx: &mut Connection,
    payments: &[&PaymentRecord],
) -> Result<(), StoreError> {
    let rows = rows(payments, |payment| {
        Ok([
            text(payment.id.as_str()),
            body(payment)?,
            maybe(payment.order().map(OrderRef::as_str), text),
            text(payment.account.as_str()),
            text(payment.reference.merchant_ref.as_str()),
            maybe(payment.reference.provider_ref.as_ref().map(ProviderRef::as_str), text),
            text(&payment.secret_hash),
            text(payment.status.as_str()),
            text(payment.operation.as_str()),
            maybe(payment.ask_at, time),
            time(payment.created_at),
            maybe(payment.paid_at, time),
        ])
    })?;
    INSERT_PAYMENTS.run(tx, rows).await.map(drop)
}

statement! { UPDATE_OPERATIONS (name: Text, body: Text, state: Text, lease_until: Number, version: Number)
    "UPDATE tulbur_operations AS this SET body = new.body, state = new.state, lease_until = new.lease_until, \
     version = this.version + 1 FROM {new} \
     WHERE this.operation_ref = new.name AND this.version = new.version RETURNING operation_ref"
}

/// Writes operations that were there before, and says which were as they were when it was decided.
pub(super) async fn update_operations(
    tx: &mut Connection,
    operations: &[&OperationRecord],
) -> Result<HashSet<String>, StoreError> {
    let rows = rows(operations, |one| {
        Ok([
            text(one.operation_ref.as_str()),
            body(one)?,
            text(one.state.as_str()),
            maybe(one.lease_until, time),
            Value::Number(one.version),
        ])
    })?;
    names(&UPDATE_OPERATIONS.run(tx, rows).await?)
}

statement! { INSERT_OPERATIONS (operation_ref: Text, body: Text, payment: Text, state: Text, lease_until: Number,
        created_at: Number)
    "INSERT INTO tulbur_operations (operation_ref, body, payment, state, lease_until, created_at, version) \
     SELECT operation_ref, body, payment, state, lease_until, created_at, 1 FROM {new}"
}

pub(super) async fn insert_operations(
    tx: &mut Connection,
    operations: &[&OperationRecord],
) -> Result<(), StoreError> {
    let rows = rows(operations, |one| {
        Ok([
            text(one.operation_ref.as_str()),
            body(one)?,
            text(one.payment.as_str()),
            text(one.state.as_str()),
            maybe(one.lease_until, time),
            time(one.created_at),
        ])
    })?;
    INSERT_OPERATIONS.run(tx, rows).await.map(drop)
}

statement! { INSERT_KEYS (key: Text, content: Text, subject: Text, at: Number)
    "INSERT INTO tulbur_keys (key, content, subject, at) SELECT key, content, subject, at FROM {new}"
}

pub(super) async fn insert_keys(tx: &mut Connection, keys: &[&KeyRecord]) -> Result<(), StoreError> {
    let rows = rows(keys, |key| {
        Ok([text(key.key.as_str()), text(&key.content), body(&key.subject)?, time(key.at)])
    })?;
    INSERT_KEYS.run(tx, rows).await.map(drop)
}

statement! { INSERT_CARDS (id: Text, customer: Text, created_at: Number, body: Text, sealed_token: Text)
    "INSERT INTO tulbur_cards (id, customer, created_at, body, sealed_token) \
     SELECT id, customer, created_at, body, sealed_token FROM {new}"
}

pub(super) async fn insert_cards(tx: &mut Connection, cards: &[&CardRecord]) -> Result<(), StoreError> {
    let rows = rows(cards, |CardRecord { card, sealed_token }| {
        Ok([
            text(card.id.as_str()),
            text(card.customer.as_str()),
            time(card.created_at),
            body(card)?,
            text(sealed_token),
        ])
    })?;
    INSERT_CARDS.run(tx, rows).await.map(drop)
}

statement! { INSERT_EVENTS (id: Text, stream: Text, order_ref: Text, kind: Text, at: Number, body: Text)
    "INSERT INTO tulbur_events (id, stream, order_ref, kind, at, due_at, body) \
     SELECT id, stream, order_ref, kind, at, at, body FROM {new} ORDER BY place"
}

pub(super) async fn insert_events(tx: &mut Connection, events: &[&Event]) -> Result<(), StoreError> {
    let rows = rows(events, |event| {
        Ok([
            text(event.id.as_str()),
            text(event.stream()),
            maybe(event.order.as_ref().map(OrderRef::as_str), text),
            text(event.kind.name()),
            time(event.at),
            body(event)?,
        ])
    })?;
    INSERT_EVENTS.run(tx, rows).await.map(drop)
}

statement! { INSERT_HISTORY (order_ref: Text, payment: Text, at: Number, body: Text)
    "INSERT INTO tulbur_history (order_ref, payment, at, body) \
     SELECT order_ref, payment, at, body FROM {new} ORDER BY place"
}

pub(super) async fn insert_history(tx: &mut Connection, lines: &[&HistoryEntry]) -> Result<(), StoreError> {
    let rows = rows(lines, |line| {
        let order = maybe(line.order.as_ref().map(OrderRef::as_str), text);
        Ok([order, text(line.payment.as_str()), time(line.at), body(line)?])
    })?;
    INSERT_HISTORY.run(tx, rows).await.map(drop)
}

// `WHERE true`, because SQLite would take `ON` for a join's.
statement! { INSERT_ATTENTION (key: Text, at: Number, body: Text)
    "INSERT INTO tulbur_attention (key, at, body) SELECT key, at, body FROM {new} WHERE true ORDER BY place \
     ON CONFLICT (key) DO NOTHING RETURNING key"
}

/// Lists items, and says which are new.
pub(super) async fn insert_attention(
    tx: &mut Connection,
    items: &[&AttentionItem],
) -> Result<HashSet<String>, StoreError> {
    let mut seen = HashSet::new();
    let mut items: Vec<&AttentionItem> =
        items.iter().copied().filter(|item| seen.insert(&item.key)).collect();
    items.sort_by(|a, b| a.key.cmp(&b.key));
    let rows = rows(&items, |item| Ok([text(&item.key), time(item.at), body(item)?]))?;
    names(&INSERT_ATTENTION.run(tx, rows).await?)
}

statement! { STRIKE_ATTENTION (key: Text, at: Number)
    "UPDATE tulbur_attention AS this SET resolved_at = new.at FROM {new} \
     WHERE this.key = new.key AND this.resolved_at IS NULL"
}

pub(super) async fn strike_attention(
    tx: &mut Connection,
    struck: &[&(String, Timestamp)],
) -> Result<(), StoreError> {
    let rows = rows(struck, |(key, at)| Ok([text(key), time(*at)]))?;
    STRIKE_ATTENTION.run(tx, rows).await.map(drop)
}

statement! { INSERT_INBOX (id: Text, account: Text, channel: Text, at: Number, repeat_key: Text, meaning: Text,
        verdict: Text, note: Text, payment: Text, sealed: Text, times: Number)
    "INSERT INTO tulbur_inbox (id, account, channel, at, repeat_key, meaning, verdict, note, payment, sealed, times) \
     SELECT id, account, channel, at, repeat_key, meaning, verdict, note, payment, sealed, times FROM {new} WHERE true \
     ORDER BY place \
     ON CONFLICT (account, repeat_key, meaning) DO UPDATE SET times = tulbur_inbox.times + excluded.times"
}

/// Keeps deliveries; those that are the same are counted, also among themselves.
pub(super) async fn insert_inbox(tx: &mut Connection, entries: &[&InboxEntry]) -> Result<(), StoreError> {
    let mut times: HashMap<(&str, &str, &str), i64> = HashMap::new();
    let mut first: Vec<&InboxEntry> = Vec::new();
    for entry in entries {
        let seen = times.entry(same(entry)).or_insert(0);
        if *seen == 0 {
            first.push(entry);
        }
        *seen += 1;
    }
    first.sort_by_key(|entry| same(entry));
    let rows = rows(&first, |entry| {
        Ok([
            text(&entry.id),
            text(entry.account.as_str()),
            text(channel_word(entry.channel)),
            time(entry.at),
            text(&entry.repeat_key),
            text(&entry.meaning),
            text(entry.verdict.as_str()),
            text(&entry.note),
            maybe(entry.payment.as_ref().map(PaymentId::as_str), text),
            text(&entry.sealed),
            Value::Number(times[&same(entry)]),
        ])
    })?;
    INSERT_INBOX.run(tx, rows).await.map(drop)
}

/// By what a repeat is recognised.
fn same(entry: &InboxEntry) -> (&str, &str, &str) {
    (entry.account.as_str(), &entry.repeat_key, &entry.meaning)
}
