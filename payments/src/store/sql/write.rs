//! The statements of a commit: one for all records of a kind.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::Row as _;
use tulbur_core::{OrderRef, ProviderRef, Timestamp};

use super::dialect::{Connection, Row, store_error};
use super::rows::channel_word;
use super::statement::statement;
use super::value::storable;
use super::value::{Value, body, maybe, text, time};
use crate::error::StoreError;
use crate::model::event::{AttentionItem, Event, HistoryEntry};
use crate::model::operation::{KeyRecord, KeySubject, OperationRecord};
use crate::model::record::{CardRecord, OrderRecord, PaymentId, PaymentRecord};
use crate::store::{EVENT_FORMAT, InboxEntry};

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
    "UPDATE tulbur_orders AS this SET body = new.body, format = 1, paid_by = new.paid_by, version = this.version + 1 FROM {new} \
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
        paid_at: Number, owner: Text, lease_until: Number, version: Number)
    "UPDATE tulbur_payments AS this SET body = new.body, ask_at = new.ask_at, owner = new.owner, \
     lease_until = new.lease_until, format = 1, unread_since = NULL, version = this.version + 1 FROM {new} \
     WHERE this.id = new.name AND this.version = new.version AND this.status = new.status \
     AND this.operation = new.operation AND this.provider_ref IS NOT DISTINCT FROM new.provider_ref \
     AND this.paid_at IS NOT DISTINCT FROM new.paid_at RETURNING id"
}

statement! { UPDATE_PAYMENTS (name: Text, body: Text, provider_ref: Text, status: Text, operation: Text, ask_at: Number,
        paid_at: Number, owner: Text, lease_until: Number, version: Number)
    "UPDATE tulbur_payments AS this SET body = new.body, owner = new.owner, lease_until = new.lease_until, format = 1, \
     unread_since = NULL, provider_ref = new.provider_ref, status = new.status, \
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

fn changed(payment: &PaymentRecord) -> Result<[Value<'_>; 10], StoreError> {
    Ok([
        text(payment.id.as_str()),
        body(payment)?,
        maybe(payment.reference.provider_ref.as_ref().map(ProviderRef::as_str), text),
        text(payment.status.as_str()),
        text(payment.operation.as_str()),
        maybe(payment.ask_at, time),
        maybe(payment.paid_at, time),
        maybe(payment.owner.as_deref(), text),
        maybe(payment.lease_until, time),
        Value::Number(payment.version),
    ])
}

statement! { INSERT_PAYMENTS (id: Text, body: Text, order_ref: Text, account: Text, merchant_ref: Text,
        provider_ref: Text, secret_hash: Text, status: Text, operation: Text, ask_at: Number, created_at: Number,
        paid_at: Number, owner: Text, lease_until: Number)
    "INSERT INTO tulbur_payments (id, body, order_ref, account, merchant_ref, provider_ref, secret_hash, status, \
     operation, ask_at, created_at, paid_at, owner, lease_until, version) \
     SELECT id, body, order_ref, account, merchant_ref, provider_ref, secret_hash, status, operation, ask_at, \
     created_at, paid_at, owner, lease_until, 1 FROM {new}"
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
            maybe(payment.owner.as_deref(), text),
            maybe(payment.lease_until, time),
        ])
    })?;
    INSERT_PAYMENTS.run(tx, rows).await.map(drop)
}

statement! { UPDATE_OPERATIONS (name: Text, body: Text, state: Text, lease_until: Number, owner: Text,
        write_ends: Number, version: Number)
    "UPDATE tulbur_operations AS this SET body = new.body, state = new.state, lease_until = new.lease_until, \
     owner = new.owner, write_ends = new.write_ends, format = 1, unread_since = NULL, version = this.version + 1 FROM {new} \
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
            maybe(one.owner.as_deref(), text),
            maybe(one.write_ends, time),
            Value::Number(one.version),
        ])
    })?;
    names(&UPDATE_OPERATIONS.run(tx, rows).await?)
}

statement! { INSERT_OPERATIONS (operation_ref: Text, body: Text, payment: Text, state: Text, lease_until: Number,
        owner: Text, write_ends: Number, created_at: Number)
    "INSERT INTO tulbur_operations (operation_ref, body, payment, state, lease_until, owner, write_ends, created_at, \
     version) SELECT operation_ref, body, payment, state, lease_until, owner, write_ends, created_at, 1 FROM {new}"
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
            maybe(one.owner.as_deref(), text),
            maybe(one.write_ends, time),
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

statement! { FREE_KEYS (subject: Text)
    "DELETE FROM tulbur_keys WHERE subject IN (SELECT subject FROM {new})"
}

/// Forgets the keys of writes of which nothing was sent.
pub(super) async fn free_keys(tx: &mut Connection, freed: &[&KeySubject]) -> Result<(), StoreError> {
    let rows = rows(freed, |subject| Ok([body(subject)?]))?;
    FREE_KEYS.run(tx, rows).await.map(drop)
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

statement! { INSERT_EVENTS (id: Text, stream: Text, order_ref: Text, kind: Text, at: Number, format: Number, body: Text)
    "INSERT INTO tulbur_events (id, stream, order_ref, kind, at, format, body) \
     SELECT id, stream, order_ref, kind, at, format, body FROM {new} ORDER BY place RETURNING id, seq"
}

// One row for each event and handler. Of a stream in which something waits already, and of those that come with others of
// their stream, nothing but the first is due.
statement! { INSERT_DELIVERIES (seq: Number, stream: Text, at: Number, first: Number)
    "INSERT INTO tulbur_deliveries (handler, seq, stream, due_at) \
     SELECT handler.name, new.seq, CASE WHEN handler.in_order = 1 THEN new.stream END, \
     CASE WHEN handler.in_order = 0 OR (new.first = 1 AND NOT EXISTS (SELECT 1 FROM tulbur_deliveries AS waiting \
     WHERE waiting.handler = handler.name AND waiting.stream = new.stream)) THEN new.at END \
     FROM {new} CROSS JOIN tulbur_handlers AS handler"
}

/// Writes events, and what each registered handler is to be told.
pub(super) async fn insert_events(tx: &mut Connection, events: &[&Event]) -> Result<(), StoreError> {
    let rows = rows(events, |event| {
        Ok([
            text(event.id.as_str()),
            text(event.stream()),
            maybe(event.order.as_ref().map(OrderRef::as_str), text),
            text(event.kind.name()),
            time(event.at),
            Value::Number(EVENT_FORMAT),
            body(event)?,
        ])
    })?;
    let mut seqs: HashMap<String, i64> = HashMap::new();
    for row in INSERT_EVENTS.run(tx, rows).await? {
        seqs.insert(row.try_get(0).map_err(store_error)?, row.try_get(1).map_err(store_error)?);
    }
    let mut streams = HashSet::new();
    let deliveries = events.iter().filter_map(|event| {
        let first = i64::from(streams.insert(event.stream()));
        let seq = *seqs.get(&*storable(event.id.as_str()))?;
        Some([Value::Number(seq), text(event.stream()), time(event.at), Value::Number(first)])
    });
    INSERT_DELIVERIES.run(tx, deliveries.collect()).await.map(drop)
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
     ON CONFLICT (key) DO UPDATE SET at = excluded.at, body = excluded.body, resolved_at = NULL \
     WHERE tulbur_attention.resolved_at IS NOT NULL RETURNING key"
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

statement! { RESOLVE_ATTENTION (key: Text, at: Number)
    "UPDATE tulbur_attention AS this SET resolved_at = new.at FROM {new} \
     WHERE this.key = new.key AND this.resolved_at IS NULL"
}

pub(super) async fn resolve_attention(
    tx: &mut Connection,
    resolved: &[&(String, Timestamp)],
) -> Result<(), StoreError> {
    let rows = rows(resolved, |(key, at)| Ok([text(key), time(*at)]))?;
    RESOLVE_ATTENTION.run(tx, rows).await.map(drop)
}

statement! { INSERT_INBOX (id: Text, account: Text, channel: Text, at: Number, repeat_key: Text, meaning: Text,
        verdict: Text, note: Text, payment: Text, provider_ref: Text, due_at: Number, sealed: Text, times: Number)
    "INSERT INTO tulbur_inbox (id, account, channel, at, repeat_key, meaning, verdict, note, payment, provider_ref, \
     due_at, sealed, times) \
     SELECT id, account, channel, at, repeat_key, meaning, verdict, note, payment, provider_ref, due_at, sealed, times \
     FROM {new} WHERE true ORDER BY place \
     ON CONFLICT (account, repeat_key, meaning) DO UPDATE SET times = tulbur_inbox.times + excluded.times, \
     verdict = CASE WHEN tulbur_inbox.verdict IN ('waiting', 'unknown-payment') THEN excluded.verdict \
     ELSE tulbur_inbox.verdict END, \
     note = CASE WHEN tulbur_inbox.verdict IN ('waiting', 'unknown-payment') THEN excluded.note \
     ELSE tulbur_inbox.note END, \
     payment = CASE WHEN tulbur_inbox.verdict IN ('waiting', 'unknown-payment') THEN excluded.payment \
     ELSE tulbur_inbox.payment END, \
     due_at = CASE WHEN tulbur_inbox.verdict IN ('waiting', 'unknown-payment') THEN excluded.due_at \
     ELSE tulbur_inbox.due_at END"
}

statement! { SETTLE_INBOX (name: Text, verdict: Text, note: Text, payment: Text)
    "UPDATE tulbur_inbox AS this SET verdict = new.verdict, note = new.note, payment = new.payment, due_at = NULL \
     FROM {new} WHERE this.id = new.name"
}

/// Notes what became of deliveries that are stored.
pub(super) async fn settle_inbox(tx: &mut Connection, settled: &[&InboxEntry]) -> Result<(), StoreError> {
    let rows = rows(settled, |entry| {
        let payment = maybe(entry.payment.as_ref().map(PaymentId::as_str), text);
        Ok([text(&entry.id), text(entry.verdict.as_str()), text(&entry.note), payment])
    })?;
    SETTLE_INBOX.run(tx, rows).await.map(drop)
}

/// Keeps deliveries; those that are the same are counted, also among themselves.
pub(super) async fn insert_inbox(tx: &mut Connection, entries: &[&InboxEntry]) -> Result<(), StoreError> {
    let mut found: BTreeMap<(&str, &str, &str), (Cow<'_, InboxEntry>, i64)> = BTreeMap::new();
    for entry in entries {
        found
            .entry(entry.sameness())
            .and_modify(|(first, times)| {
                *times += 1;
                first.to_mut().came_again(entry);
            })
            .or_insert((Cow::Borrowed(*entry), 1));
    }
    let found: Vec<(Cow<'_, InboxEntry>, i64)> = found.into_values().collect();
    let rows = rows(&found.iter().collect::<Vec<_>>(), |(entry, times)| {
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
            maybe(entry.provider_ref.as_ref().map(ProviderRef::as_str), text),
            maybe(entry.due_at, time),
            text(&entry.sealed),
            Value::Number(*times),
        ])
    })?;
    INSERT_INBOX.run(tx, rows).await.map(drop)
}

/// Keeps refused deliveries, and of each account only the newest.
pub(super) async fn keep_refused(
    tx: &mut Connection,
    refused: &[&(InboxEntry, u32)],
) -> Result<(), StoreError> {
    if refused.is_empty() {
        return Ok(());
    }
    insert_inbox(tx, &refused.iter().map(|(entry, _)| entry).collect::<Vec<_>>()).await?;
    // Once for each account, however many came together.
    let accounts: BTreeMap<&str, u32> =
        refused.iter().map(|(entry, keep)| (entry.account.as_str(), *keep)).collect();
    for (account, keep) in accounts {
        sqlx::query(
            "DELETE FROM tulbur_inbox WHERE account = $1 AND verdict = 'refused' AND (at, id) <= (SELECT at, id \
             FROM tulbur_inbox WHERE account = $1 AND verdict = 'refused' ORDER BY at DESC, id DESC LIMIT 1 OFFSET $2)",
        )
        .bind(account)
        .bind(i64::from(keep))
        .execute(&mut *tx)
        .await
        .map_err(store_error)?;
    }
    Ok(())
}
