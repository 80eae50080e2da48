//! Holds the records in memory, and applies one commit to all of them or to none.

use std::collections::{BTreeMap, HashSet};

use tokio::sync::mpsc;
use tulbur_core::{AccountName, ProviderRef, Timestamp};

use crate::model::event::{AttentionItem, Event, HistoryEntry};
use crate::model::operation::{KeyRecord, OperationRecord};
use crate::model::record::{CardId, CardRecord, Order, OrderRecord, PaymentId, PaymentRecord};
use crate::store::{Changes, InboxEntry, Verdict, Wake};

use super::outbox::OutboxState;

/// Everything that is kept.
#[derive(Default)]
pub(super) struct State {
    pub(super) orders: BTreeMap<String, OrderRecord>,
    pub(super) payments: BTreeMap<PaymentId, PaymentRecord>,
    /// When each payment that was taken was due, and until when nobody else takes it for that.
    pub(super) leases: BTreeMap<PaymentId, (Timestamp, Timestamp)>,
    pub(super) operations: BTreeMap<String, OperationRecord>,
    /// Since when what is due could not be read.
    pub(super) unread_payments: BTreeMap<PaymentId, Timestamp>,
    pub(super) unread_operations: BTreeMap<String, Timestamp>,
    pub(super) keys: BTreeMap<String, KeyRecord>,
    pub(super) cards: BTreeMap<CardId, CardRecord>,
    pub(super) outbox: OutboxState,
    pub(super) history: Vec<HistoryEntry>,
    /// Each item, and when it was resolved.
    pub(super) attention: BTreeMap<String, (AttentionItem, Option<Timestamp>)>,
    /// Each delivery, and how often it came.
    pub(super) inbox: Vec<(InboxEntry, u32)>,
    pub(super) listening: Vec<mpsc::Sender<Wake>>,
}

/// Whether each key stands once, in what is new.
fn all_different<T: std::hash::Hash + Eq>(keys: impl Iterator<Item = T>) -> bool {
    let mut seen = HashSet::new();
    keys.into_iter().all(|key| seen.insert(key))
}

impl State {
    /// Until when a payment is taken that is due at this time.
    pub(super) fn lease(&self, payment: &PaymentId, ask_at: Timestamp) -> Option<Timestamp> {
        self.leases.get(payment).filter(|(at, _)| *at == ask_at).map(|(_, until)| *until)
    }

    /// Whether all of it can be written as it was decided.
    pub(super) fn accepts(&self, changes: &Changes) -> bool {
        let orders =
            changes.orders.iter().all(|new| {
                self.orders.get(new.order.as_str()).map_or(0, |stored| stored.version) == new.version
            }) && all_different(changes.orders.iter().map(|order| order.order.as_str()));
        let operations = changes.operations.iter().all(|new| {
            self.operations.get(new.operation_ref.as_str()).map_or(0, |stored| stored.version) == new.version
        }) && all_different(changes.operations.iter().map(|one| one.operation_ref.as_str()));
        let is_free = |key: &KeyRecord| {
            let stored = self.keys.get(key.key.as_str());
            stored.is_none_or(|stored| changes.freed.contains(&stored.subject))
        };
        let keys = changes.keys.iter().all(is_free)
            && all_different(changes.keys.iter().map(|key| key.key.as_str()));
        let cards = changes.cards.iter().all(|new| !self.cards.contains_key(&new.card.id))
            && all_different(changes.cards.iter().map(|card| &card.card.id));
        orders
            && self.accepts_payments(&changes.payments)
            && operations
            && keys
            && cards
            && self.accepts_events(changes)
            && self.accepts_inbox(changes)
    }

    fn is_listed(&self, key: &str) -> bool {
        matches!(self.attention.get(key), Some((_, None)))
    }

    fn accepts_payments(&self, payments: &[PaymentRecord]) -> bool {
        let unique = |new: &PaymentRecord| {
            self.payments.values().filter(|stored| stored.id != new.id).all(|stored| {
                stored.secret_hash != new.secret_hash
                    && (&stored.account, &stored.reference.merchant_ref)
                        != (&new.account, &new.reference.merchant_ref)
                    && (theirs(new).is_none() || theirs(stored) != theirs(new))
            })
        };
        payments.iter().all(|new| {
            self.payments.get(&new.id).map_or(0, |stored| stored.version) == new.version && unique(new)
        }) && all_different(payments.iter().map(|new| &new.id))
            && all_different(payments.iter().map(|new| &new.secret_hash))
            && all_different(payments.iter().map(|new| (&new.account, &new.reference.merchant_ref)))
            && all_different(payments.iter().filter_map(theirs))
    }

    fn accepts_events(&self, changes: &Changes) -> bool {
        let mut found = HashSet::new();
        let listed = changes
            .attention
            .iter()
            .filter(|(item, _)| !self.is_listed(&item.key) && found.insert(&item.key));
        let events: Vec<&Event> = changes.events.iter().chain(listed.map(|(_, event)| event)).collect();
        let is_paid = |event: &Event| event.kind.name() == "paid";
        events.iter().all(|new| {
            self.outbox.events.iter().all(|kept| {
                kept.event.id != new.id
                    && !(is_paid(new)
                        && is_paid(&kept.event)
                        && new.order.is_some()
                        && kept.event.order == new.order)
            })
        }) && all_different(events.iter().map(|event| &event.id))
            && all_different(
                events.iter().filter(|event| is_paid(event)).filter_map(|event| event.order.as_ref()),
            )
    }

    /// Whether no new delivery has the id of another one.
    fn accepts_inbox(&self, changes: &Changes) -> bool {
        let arrived: Vec<&InboxEntry> =
            changes.inbox.iter().chain(changes.refused.iter().map(|(entry, _)| entry)).collect();
        if arrived.is_empty() {
            return true;
        }
        let mut same: HashSet<_> = self.inbox.iter().map(|(kept, _)| kept.sameness()).collect();
        let mut ids: HashSet<&str> = self.inbox.iter().map(|(kept, _)| kept.id.as_str()).collect();
        arrived.into_iter().all(|new| !same.insert(new.sameness()) || ids.insert(&new.id))
    }

    pub(super) fn write(&mut self, changes: Changes) {
        for mut order in changes.orders {
            order.version += 1;
            self.orders.insert(order.order.as_str().to_owned(), order);
        }
        for mut payment in changes.payments {
            payment.version += 1;
            self.unread_payments.remove(&payment.id);
            self.payments.insert(payment.id.clone(), payment);
        }
        for mut operation in changes.operations {
            operation.version += 1;
            self.unread_operations.remove(operation.operation_ref.as_str());
            self.operations.insert(operation.operation_ref.as_str().to_owned(), operation);
        }
        self.keys.retain(|_, key| !changes.freed.contains(&key.subject));
        for key in changes.keys {
            self.keys.insert(key.key.as_str().to_owned(), key);
        }
        for card in changes.cards {
            self.cards.insert(card.card.id.clone(), card);
        }
        changes.events.into_iter().for_each(|event| self.outbox.add(event));
        self.history.extend(changes.history);
        for (item, event) in changes.attention {
            if !self.is_listed(&item.key) {
                crate::metrics::attention(item.kind);
                self.attention.insert(item.key.clone(), (item, None));
                self.outbox.add(event);
            }
        }
        for (key, at) in changes.resolved {
            if let Some((_, resolved @ None)) = self.attention.get_mut(&key) {
                *resolved = Some(at);
            }
        }
        for entry in changes.inbox {
            self.keep(entry);
        }
        for (entry, keep) in changes.refused {
            let account = entry.account.clone();
            self.keep(entry);
            let is_its = |entry: &InboxEntry| entry.account == account && entry.verdict == Verdict::Refused;
            let mut kept: Vec<(Timestamp, String)> = self
                .inbox
                .iter()
                .filter(|(entry, _)| is_its(entry))
                .map(|(entry, _)| (entry.at, entry.id.clone()))
                .collect();
            kept.sort_unstable_by(|a, b| b.cmp(a));
            if let Some(first) = kept.get(keep as usize) {
                self.inbox.retain(|(entry, _)| !is_its(entry) || (entry.at, &entry.id) > (first.0, &first.1));
            }
        }
        for settled in changes.settled {
            if let Some((kept, _)) = self.inbox.iter_mut().find(|(kept, _)| kept.id == settled.id) {
                (kept.verdict, kept.note, kept.due_at) = (settled.verdict, settled.note, None);
                kept.payment = settled.payment;
            }
        }
    }

    pub(super) fn keep(&mut self, entry: InboxEntry) {
        match self.inbox.iter_mut().find(|(kept, _)| kept.sameness() == entry.sameness()) {
            Some((kept, times)) => {
                *times += 1;
                kept.came_again(&entry);
            }
            None => self.inbox.push((entry, 1)),
        }
    }

    pub(super) fn order(&self, record: &OrderRecord) -> Order {
        let mut payments: Vec<PaymentRecord> = self
            .payments
            .values()
            .filter(|payment| payment.order() == Some(&record.order))
            .cloned()
            .collect();
        payments.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Order { record: record.clone(), payments }
    }
}

/// The provider's reference of a payment, which no other payment of the account has.
fn theirs(payment: &PaymentRecord) -> Option<(&AccountName, &ProviderRef)> {
    payment.reference.provider_ref.as_ref().map(|reference| (&payment.account, reference))
}
