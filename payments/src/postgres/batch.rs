//! Many callers' changes in one transaction, with as few round trips as one of them takes.

use std::collections::{HashMap, HashSet};

use tulbur_core::{OrderRef, ProviderRef, Timestamp};

use super::dialect::{Connection, Pool, announce, begin, hold_streams, storable, store_error};
use super::rows::{channel_word, json};
use super::store::commit_one;
use crate::error::StoreError;
use crate::event::{AttentionItem, Event, HistoryEntry};
use crate::operation::{KeyRecord, OperationRecord};
use crate::record::{CardRecord, OrderRecord, PaymentId, PaymentRecord};
use crate::store::{Changes, InboxEntry};

/// Commits each of the batch, and answers for each in the same order.
///
/// Callers who want the same record cannot share a transaction: the later ones are decided on what the earlier ones
/// leave. Who conflicts is taken out, and the rest is committed without them. If an index objects, which says nothing of
/// who was meant, or two processes lock each other, each is committed alone.
pub(super) async fn commit_batch(pool: &Pool, batch: Vec<Changes>) -> Vec<Result<(), StoreError>> {
    let mut results: Vec<Option<Result<(), StoreError>>> = batch.iter().map(|_| None).collect();
    loop {
        let mut claimed = Claimed::default();
        let mut together: Vec<usize> = Vec::new();
        for (number, changes) in batch.iter().enumerate() {
            if results[number].is_none() && claimed.claim(changes) {
                together.push(number);
            }
        }
        let chosen: Vec<&Changes> = together.iter().map(|number| &batch[*number]).collect();
        match &chosen[..] {
            [] => break,
            [alone] => results[together[0]] = Some(commit_one(pool, alone).await),
            several => match try_together(pool, several).await {
                Ok(losers) if losers.is_empty() => {
                    for number in together {
                        results[number] = Some(Ok(()));
                    }
                }
                Ok(losers) => {
                    for place in losers {
                        results[together[place]] = Some(Err(StoreError::Conflict));
                    }
                }
                Err(StoreError::Conflict | StoreError::Unreadable(_)) => {
                    for number in together {
                        results[number] = Some(commit_one(pool, &batch[number]).await);
                    }
                }
                // Never again here: if the connection broke, it may have been committed.
                Err(error) => {
                    for number in together {
                        results[number] = Some(Err(error.clone()));
                    }
                }
            },
        }
    }
    results.into_iter().map(|result| result.expect("the loop ends when each has a result")).collect()
}

/// The records that those who share a transaction change or make.
#[derive(Default)]
struct Claimed<'a> {
    names: HashSet<(&'static str, &'a str)>,
    references: HashSet<(&'a str, &'a str)>,
}

impl<'a> Claimed<'a> {
    /// Whether nobody has any of it yet; then it is taken.
    fn claim(&mut self, changes: &'a Changes) -> bool {
        let mut names: Vec<(&'static str, &'a str)> = Vec::new();
        names.extend(changes.orders.iter().map(|order| ("order", order.order.as_str())));
        names.extend(changes.payments.iter().map(|payment| ("payment", payment.id.as_str())));
        names.extend(changes.payments.iter().map(|payment| ("page", payment.secret_hash.as_str())));
        names.extend(changes.operations.iter().map(|one| ("operation", one.operation_ref.as_str())));
        names.extend(changes.keys.iter().map(|key| ("key", key.key.as_str())));
        names.extend(changes.cards.iter().map(|card| ("card", card.card.id.as_str())));
        // Events of one order, so that their order is that of their commits.
        let listed = changes.attention.iter().map(|(_, event)| event);
        names.extend(changes.events.iter().chain(listed).map(|event| ("event", event.id.as_str())));
        names.extend(changes.events.iter().map(|event| ("stream", event.stream())));
        names.extend(changes.attention.iter().map(|(item, _)| ("attention", item.key.as_str())));
        names.extend(changes.struck.iter().map(|(key, _)| ("attention", key.as_str())));
        // A record that stands twice in one caller's changes is for the database to refuse.
        names.sort_unstable();
        names.dedup();
        let references: Vec<(&'a str, &'a str)> = changes
            .payments
            .iter()
            .map(|payment| (payment.account.as_str(), payment.reference.merchant_ref.as_str()))
            .collect();
        let free = names.iter().all(|name| !self.names.contains(name))
            && references.iter().all(|reference| !self.references.contains(reference));
        if free {
            self.names.extend(names);
            self.references.extend(references);
        }
        free
    }
}

/// Commits all of it; or nothing, and says at which places those stand who were decided on an old version.
async fn try_together(pool: &Pool, several: &[&Changes]) -> Result<Vec<usize>, StoreError> {
    let mut tx = begin(pool).await?;
    // First, as where each is committed alone: who locks in the same order cannot lock each other.
    hold_streams(&mut tx, several.iter().copied()).await?;
    let mut losers = Vec::new();
    let old = |version: i64| version != 0;
    let orders = flat(several, |changes| &changes.orders, |order| order.order.as_str());
    let changed: Vec<_> = orders.iter().filter(|(_, order)| old(order.version)).collect();
    let done = update_orders(&mut tx, &changed.iter().map(|(_, order)| *order).collect::<Vec<_>>()).await?;
    losers.extend(
        changed.iter().filter(|(_, order)| !done.contains(order.order.as_str())).map(|(place, _)| *place),
    );
    let payments = flat(several, |changes| &changes.payments, |payment| payment.id.as_str());
    let operations = flat(several, |changes| &changes.operations, |one| one.operation_ref.as_str());
    if losers.is_empty() {
        let changed: Vec<_> = payments.iter().filter(|(_, payment)| old(payment.version)).collect();
        let list: Vec<_> = changed.iter().map(|(_, payment)| *payment).collect();
        let done = write_payments(&mut tx, &list, UPDATE_PAYMENTS).await?;
        losers.extend(
            changed.iter().filter(|(_, one)| !done.contains(one.id.as_str())).map(|(place, _)| *place),
        );
        let changed: Vec<_> = operations.iter().filter(|(_, one)| old(one.version)).collect();
        let list: Vec<_> = changed.iter().map(|(_, one)| *one).collect();
        let done = write_operations(&mut tx, &list, UPDATE_OPERATIONS).await?;
        losers.extend(
            changed
                .iter()
                .filter(|(_, one)| !done.contains(one.operation_ref.as_str()))
                .map(|(place, _)| *place),
        );
    }
    if !losers.is_empty() {
        drop(tx.rollback().await);
        losers.sort_unstable();
        losers.dedup();
        return Ok(losers);
    }
    insert_orders(&mut tx, &new_of(&orders, |order| order.version)).await?;
    write_payments(&mut tx, &new_of(&payments, |payment| payment.version), INSERT_PAYMENTS).await?;
    write_operations(&mut tx, &new_of(&operations, |one| one.version), INSERT_OPERATIONS).await?;
    insert_keys(&mut tx, &flat_only(several, |changes| &changes.keys)).await?;
    insert_cards(&mut tx, &flat_only(several, |changes| &changes.cards)).await?;
    let mut events = flat_only(several, |changes| &changes.events);
    insert_history(&mut tx, &flat_only(several, |changes| &changes.history)).await?;
    let items = flat_only(several, |changes| &changes.attention);
    let listed = insert_attention(&mut tx, &items.iter().map(|(item, _)| item).collect::<Vec<_>>()).await?;
    let mut told = HashSet::new();
    events.extend(
        items
            .iter()
            .filter(|(item, _)| listed.contains(item.key.as_str()) && told.insert(item.key.as_str()))
            .map(|(_, event)| event),
    );
    insert_events(&mut tx, &events).await?;
    strike(&mut tx, &flat_only(several, |changes| &changes.struck)).await?;
    insert_inbox(&mut tx, &flat_only(several, |changes| &changes.inbox)).await?;
    announce(&mut tx, several.iter().copied()).await?;
    tx.commit().await.map_err(store_error)?;
    Ok(losers)
}

/// One kind of record of all callers, each with its caller's place, in the order of their names: two processes that lock
/// the same rows lock them in the same order.
fn flat<'a, T, K: Ord>(
    several: &[&'a Changes],
    records: impl Fn(&'a Changes) -> &'a Vec<T>,
    name: impl Fn(&'a T) -> K,
) -> Vec<(usize, &'a T)> {
    let mut all: Vec<(usize, &'a T)> = several
        .iter()
        .enumerate()
        .flat_map(|(place, changes)| records(changes).iter().map(move |record| (place, record)))
        .collect();
    all.sort_by_key(|(_, record)| name(record));
    all
}

/// One kind of record of all callers, in the callers' order.
fn flat_only<'a, T>(several: &[&'a Changes], records: impl Fn(&'a Changes) -> &'a Vec<T>) -> Vec<&'a T> {
    several.iter().flat_map(|changes| records(changes).iter()).collect()
}

fn new_of<'a, T>(all: &[(usize, &'a T)], version: impl Fn(&T) -> i64) -> Vec<&'a T> {
    all.iter().map(|(_, record)| *record).filter(|record| version(record) == 0).collect()
}

/// One column of many records.
fn column<'a, T, V>(records: &[&'a T], value: impl Fn(&'a T) -> V) -> Vec<V> {
    records.iter().map(|record| value(record)).collect()
}

fn bodies<T: serde::Serialize>(records: &[&T]) -> Result<Vec<String>, StoreError> {
    records.iter().map(json).collect()
}

const UPDATE_ORDERS: &str = "UPDATE tulbur_orders AS this SET body = new.body, paid_by = new.paid_by, \
    version = this.version + 1 FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) \
    AS new (order_ref, body, paid_by, version) \
    WHERE this.order_ref = new.order_ref AND this.version = new.version RETURNING this.order_ref";

async fn update_orders(tx: &mut Connection, orders: &[&OrderRecord]) -> Result<HashSet<String>, StoreError> {
    if orders.is_empty() {
        return Ok(HashSet::new());
    }
    let done: Vec<String> = sqlx::query_scalar(UPDATE_ORDERS)
        .bind(column(orders, |order| order.order.as_str()))
        .bind(bodies(orders)?)
        .bind(column(orders, |order| order.paid_by.as_ref().map(PaymentId::as_str)))
        .bind(column(orders, |order| order.version))
        .fetch_all(tx)
        .await
        .map_err(store_error)?;
    Ok(done.into_iter().collect())
}

async fn insert_orders(tx: &mut Connection, orders: &[&OrderRecord]) -> Result<(), StoreError> {
    if orders.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO tulbur_orders (order_ref, body, paid_by, created_at, version) \
         SELECT *, 1 FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])",
    )
    .bind(column(orders, |order| order.order.as_str()))
    .bind(bodies(orders)?)
    .bind(column(orders, |order| order.paid_by.as_ref().map(PaymentId::as_str)))
    .bind(column(orders, |order| order.created_at.as_millis()))
    .execute(tx)
    .await
    .map_err(store_error)?;
    Ok(())
}

const UPDATE_PAYMENTS: &str = "UPDATE tulbur_payments AS this SET body = new.body, order_ref = new.order_ref, \
    account = new.account, merchant_ref = new.merchant_ref, provider_ref = new.provider_ref, \
    secret_hash = new.secret_hash, status = new.status, operation = new.operation, ask_at = new.ask_at, \
    created_at = new.created_at, paid_at = new.paid_at, version = this.version + 1 \
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
    $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[]) \
    AS new (id, body, order_ref, account, merchant_ref, provider_ref, secret_hash, status, operation, ask_at, \
    created_at, paid_at, version) WHERE this.id = new.id AND this.version = new.version RETURNING this.id";

const INSERT_PAYMENTS: &str = "INSERT INTO tulbur_payments (id, body, order_ref, account, merchant_ref, provider_ref, \
    secret_hash, status, operation, ask_at, created_at, paid_at, version) \
    SELECT id, body, order_ref, account, merchant_ref, provider_ref, secret_hash, status, operation, ask_at, \
    created_at, paid_at, version + 1 \
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
    $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[]) \
    AS new (id, body, order_ref, account, merchant_ref, provider_ref, secret_hash, status, operation, ask_at, \
    created_at, paid_at, version) RETURNING id";

/// Writes payments, and says which were written.
async fn write_payments(
    tx: &mut Connection,
    payments: &[&PaymentRecord],
    statement: &'static str,
) -> Result<HashSet<String>, StoreError> {
    if payments.is_empty() {
        return Ok(HashSet::new());
    }
    let done: Vec<String> = sqlx::query_scalar(statement)
        .bind(column(payments, |payment| payment.id.as_str()))
        .bind(bodies(payments)?)
        .bind(column(payments, |payment| payment.order().map(OrderRef::as_str)))
        .bind(column(payments, |payment| payment.account.as_str()))
        .bind(column(payments, |payment| payment.reference.merchant_ref.as_str()))
        .bind(column(payments, |payment| payment.reference.provider_ref.as_ref().map(ProviderRef::as_str)))
        .bind(column(payments, |payment| payment.secret_hash.as_str()))
        .bind(column(payments, |payment| payment.status.as_str()))
        .bind(column(payments, |payment| payment.operation.as_str()))
        .bind(column(payments, |payment| payment.ask_at.map(Timestamp::as_millis)))
        .bind(column(payments, |payment| payment.created_at.as_millis()))
        .bind(column(payments, |payment| payment.paid_at.map(Timestamp::as_millis)))
        .bind(column(payments, |payment| payment.version))
        .fetch_all(tx)
        .await
        .map_err(store_error)?;
    Ok(done.into_iter().collect())
}

const UPDATE_OPERATIONS: &str = "UPDATE tulbur_operations AS this SET body = new.body, payment = new.payment, \
    state = new.state, lease_until = new.lease_until, created_at = new.created_at, version = this.version + 1 \
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[]) \
    AS new (operation_ref, body, payment, state, lease_until, created_at, version) \
    WHERE this.operation_ref = new.operation_ref AND this.version = new.version RETURNING this.operation_ref";

const INSERT_OPERATIONS: &str = "INSERT INTO tulbur_operations (operation_ref, body, payment, state, lease_until, \
    created_at, version) SELECT operation_ref, body, payment, state, lease_until, created_at, version + 1 \
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[]) \
    AS new (operation_ref, body, payment, state, lease_until, created_at, version) RETURNING operation_ref";

/// Writes operations, and says which were written.
async fn write_operations(
    tx: &mut Connection,
    operations: &[&OperationRecord],
    statement: &'static str,
) -> Result<HashSet<String>, StoreError> {
    if operations.is_empty() {
        return Ok(HashSet::new());
    }
    let done: Vec<String> = sqlx::query_scalar(statement)
        .bind(column(operations, |one| one.operation_ref.as_str()))
        .bind(bodies(operations)?)
        .bind(column(operations, |one| one.payment.as_str()))
        .bind(column(operations, |one| one.state.as_str()))
        .bind(column(operations, |one| one.lease_until.map(Timestamp::as_millis)))
        .bind(column(operations, |one| one.created_at.as_millis()))
        .bind(column(operations, |one| one.version))
        .fetch_all(tx)
        .await
        .map_err(store_error)?;
    Ok(done.into_iter().collect())
}

async fn insert_keys(tx: &mut Connection, keys: &[&KeyRecord]) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    let subjects = column(keys, |key| &key.subject);
    sqlx::query(
        "INSERT INTO tulbur_keys (key, content, subject, at) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])",
    )
    .bind(column(keys, |key| key.key.as_str()))
    .bind(column(keys, |key| key.content.as_str()))
    .bind(bodies(&subjects)?)
    .bind(column(keys, |key| key.at.as_millis()))
    .execute(tx)
    .await
    .map_err(store_error)?;
    Ok(())
}

async fn insert_cards(tx: &mut Connection, cards: &[&CardRecord]) -> Result<(), StoreError> {
    if cards.is_empty() {
        return Ok(());
    }
    let shown = column(cards, |card| &card.card);
    sqlx::query(
        "INSERT INTO tulbur_cards (id, customer, created_at, body, sealed_token) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[])",
    )
    .bind(column(cards, |card| card.card.id.as_str()))
    .bind(column(cards, |card| card.card.customer.as_str()))
    .bind(column(cards, |card| card.card.created_at.as_millis()))
    .bind(bodies(&shown)?)
    .bind(column(cards, |card| card.sealed_token.as_str()))
    .execute(tx)
    .await
    .map_err(store_error)?;
    Ok(())
}

async fn insert_events(tx: &mut Connection, events: &[&Event]) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO tulbur_events (id, stream, order_ref, kind, at, due_at, body) \
         SELECT id, stream, order_ref, kind, at, at, body \
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[]) WITH ORDINALITY \
         AS new (id, stream, order_ref, kind, at, body, place) ORDER BY place",
    )
    .bind(column(events, |event| event.id.as_str()))
    .bind(column(events, Event::stream))
    .bind(column(events, |event| event.order.as_ref().map(OrderRef::as_str)))
    .bind(column(events, |event| event.kind.name()))
    .bind(column(events, |event| event.at.as_millis()))
    .bind(bodies(events)?)
    .execute(tx)
    .await
    .map_err(store_error)?;
    Ok(())
}

async fn insert_history(tx: &mut Connection, lines: &[&HistoryEntry]) -> Result<(), StoreError> {
    if lines.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO tulbur_history (order_ref, payment, at, body) SELECT order_ref, payment, at, body \
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) WITH ORDINALITY \
         AS new (order_ref, payment, at, body, place) ORDER BY place",
    )
    .bind(column(lines, |line| line.order.as_ref().map(OrderRef::as_str)))
    .bind(column(lines, |line| line.payment.as_str()))
    .bind(column(lines, |line| line.at.as_millis()))
    .bind(bodies(lines)?)
    .execute(tx)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// Lists items, and says which are new.
async fn insert_attention(
    tx: &mut Connection,
    items: &[&AttentionItem],
) -> Result<HashSet<String>, StoreError> {
    if items.is_empty() {
        return Ok(HashSet::new());
    }
    let mut seen = HashSet::new();
    let mut items: Vec<&AttentionItem> =
        items.iter().copied().filter(|item| seen.insert(&item.key)).collect();
    items.sort_by(|a, b| a.key.cmp(&b.key));
    let new: Vec<String> = sqlx::query_scalar(
        "INSERT INTO tulbur_attention (key, at, body) SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[]) \
         ON CONFLICT (key) DO NOTHING RETURNING key",
    )
    .bind(column(&items, |item| item.key.as_str()))
    .bind(column(&items, |item| item.at.as_millis()))
    .bind(bodies(&items)?)
    .fetch_all(tx)
    .await
    .map_err(store_error)?;
    Ok(new.into_iter().collect())
}

async fn strike(tx: &mut Connection, struck: &[&(String, Timestamp)]) -> Result<(), StoreError> {
    if struck.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE tulbur_attention AS this SET resolved_at = new.at FROM unnest($1::text[], $2::bigint[]) \
         AS new (key, at) WHERE this.key = new.key AND this.resolved_at IS NULL",
    )
    .bind(column(struck, |(key, _)| key.as_str()))
    .bind(column(struck, |(_, at)| at.as_millis()))
    .execute(tx)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// Keeps deliveries; those that are the same are counted, also among themselves.
async fn insert_inbox(tx: &mut Connection, entries: &[&InboxEntry]) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
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
    let texts =
        |text: &dyn Fn(&InboxEntry) -> String| first.iter().map(|entry| text(entry)).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO tulbur_inbox (id, account, channel, at, repeat_key, meaning, verdict, note, payment, sealed, times) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], \
         $8::text[], $9::text[], $10::text[], $11::bigint[]) \
         ON CONFLICT (account, repeat_key, meaning) DO UPDATE SET times = tulbur_inbox.times + excluded.times",
    )
    .bind(column(&first, |entry| entry.id.as_str()))
    .bind(column(&first, |entry| entry.account.as_str()))
    .bind(column(&first, |entry| channel_word(entry.channel)))
    .bind(column(&first, |entry| entry.at.as_millis()))
    .bind(texts(&|entry| storable(&entry.repeat_key).into_owned()))
    .bind(texts(&|entry| storable(&entry.meaning).into_owned()))
    .bind(column(&first, |entry| entry.verdict.as_str()))
    .bind(texts(&|entry| storable(&entry.note).into_owned()))
    .bind(column(&first, |entry| entry.payment.as_ref().map(PaymentId::as_str)))
    .bind(column(&first, |entry| entry.sealed.as_str()))
    .bind(column(&first, |entry| times[&same(entry)]))
    .execute(tx)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// By what a repeat is recognised.
fn same(entry: &InboxEntry) -> (&str, &str, &str) {
    (entry.account.as_str(), &entry.repeat_key, &entry.meaning)
}
