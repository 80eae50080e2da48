//! Commits: the changes of one caller or of many in one transaction, with one statement for each kind of record.

use std::collections::HashSet;

use super::dialect::{Connection, Pool, announce, begin, commit, hold_streams};
use super::write;
use crate::error::StoreError;
use crate::model::event::AttentionKind;
use crate::store::Changes;

/// Commits one caller's changes, in a transaction of their own.
pub(super) async fn commit_one(pool: &Pool, changes: &Changes) -> Result<(), StoreError> {
    let losers = try_together(pool, &[changes]).await?;
    if losers.is_empty() { Ok(()) } else { Err(StoreError::Conflict) }
}

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
                // Never again here: it may have been committed, or what is in the way is in the way of each.
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
        names.extend(changes.resolved.iter().map(|(key, _)| ("attention", key.as_str())));
        // A record that stands twice in one caller's changes is no reason to take two for one.
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
    // Items for a person that are new.
    let mut found = Vec::new();
    let written = async {
        // First: who locks in the same order cannot lock each other.
        hold_streams(&mut tx, several.iter().copied()).await?;
        let losers = write_together(&mut tx, several, &mut found).await?;
        if losers.is_empty() {
            announce(&mut tx, several.iter().copied()).await?;
        }
        Ok(losers)
    };
    let written = written.await;
    if written.as_ref().is_ok_and(Vec::is_empty) {
        commit(tx).await?;
        found.into_iter().for_each(crate::metrics::attention);
    } else {
        // If that fails, the connection is broken and is closed.
        drop(tx.rollback().await);
    }
    written
}

/// Writes all of it, or says who was decided on an old version; then what was written is to be undone.
async fn write_together(
    tx: &mut Connection,
    several: &[&Changes],
    found: &mut Vec<AttentionKind>,
) -> Result<Vec<usize>, StoreError> {
    let orders = flat(several, |changes| &changes.orders, |order| order.order.as_str());
    let payments = flat(several, |changes| &changes.payments, |payment| payment.id.as_str());
    let operations = flat(several, |changes| &changes.operations, |one| one.operation_ref.as_str());
    let mut losers = twice(&orders, |order| order.order.as_str());
    losers.extend(twice(&payments, |payment| payment.id.as_str()));
    losers.extend(twice(&operations, |one| one.operation_ref.as_str()));
    let (new_orders, orders) = split(orders, |order| order.version);
    let (new_payments, payments) = split(payments, |payment| payment.version);
    let (new_operations, operations) = split(operations, |one| one.version);
    if losers.is_empty() {
        let done = write::update_orders(tx, &records(&orders)).await?;
        losers.extend(missing(&orders, |order| order.order.as_str(), &done));
    }
    if losers.is_empty() {
        let done = write::update_payments(tx, &records(&payments)).await?;
        losers.extend(missing(&payments, |payment| payment.id.as_str(), &done));
        let done = write::update_operations(tx, &records(&operations)).await?;
        losers.extend(missing(&operations, |one| one.operation_ref.as_str(), &done));
    }
    if !losers.is_empty() {
        losers.sort_unstable();
        losers.dedup();
        return Ok(losers);
    }
    write::insert_orders(tx, &records(&new_orders)).await?;
    write::insert_payments(tx, &records(&new_payments)).await?;
    write::insert_operations(tx, &records(&new_operations)).await?;
    write::free_keys(tx, &flat_only(several, |changes| &changes.freed)).await?;
    write::insert_keys(tx, &flat_only(several, |changes| &changes.keys)).await?;
    write::insert_cards(tx, &flat_only(several, |changes| &changes.cards)).await?;
    write::insert_history(tx, &flat_only(several, |changes| &changes.history)).await?;
    let items = flat_only(several, |changes| &changes.attention);
    let listed = write::insert_attention(tx, &items.iter().map(|(item, _)| item).collect::<Vec<_>>()).await?;
    let mut told = HashSet::new();
    let mut events = flat_only(several, |changes| &changes.events);
    events.extend(
        items
            .iter()
            .filter(|(item, _)| listed.contains(item.key.as_str()) && told.insert(item.key.as_str()))
            .inspect(|(item, _)| found.push(item.kind))
            .map(|(_, event)| event),
    );
    write::insert_events(tx, &events).await?;
    write::resolve_attention(tx, &flat_only(several, |changes| &changes.resolved)).await?;
    write::insert_inbox(tx, &flat_only(several, |changes| &changes.inbox)).await?;
    write::keep_refused(tx, &flat_only(several, |changes| &changes.refused)).await?;
    write::settle_inbox(tx, &flat_only(several, |changes| &changes.settled)).await?;
    Ok(losers)
}

/// Records, each with its caller's place.
type Placed<'a, T> = Vec<(usize, &'a T)>;

/// One kind of record of all callers, each with its caller's place, in the order of their names: two processes that lock
/// the same rows lock them in the same order.
fn flat<'a, T, K: Ord>(
    several: &[&'a Changes],
    records: impl Fn(&'a Changes) -> &'a Vec<T>,
    name: impl Fn(&'a T) -> K,
) -> Placed<'a, T> {
    let mut all: Placed<'a, T> = several
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

fn records<'a, T>(all: &[(usize, &'a T)]) -> Vec<&'a T> {
    all.iter().map(|(_, record)| *record).collect()
}

/// The new ones, and those that were there before.
fn split<T>(all: Placed<'_, T>, version: impl Fn(&T) -> i64) -> (Placed<'_, T>, Placed<'_, T>) {
    all.into_iter().partition(|(_, record)| version(record) == 0)
}

/// The places of those whose records are not among what was written.
fn missing<'a, T>(
    records: &[(usize, &'a T)],
    name: impl Fn(&'a T) -> &'a str,
    written: &HashSet<String>,
) -> Vec<usize> {
    records.iter().filter(|(_, record)| !written.contains(name(record))).map(|(place, _)| *place).collect()
}

/// The places of those who want to change one record twice.
fn twice<'a, T>(records: &[(usize, &'a T)], name: impl Fn(&'a T) -> &'a str) -> Vec<usize> {
    records.windows(2).filter(|pair| name(pair[0].1) == name(pair[1].1)).map(|pair| pair[1].0).collect()
}
