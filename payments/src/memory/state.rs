//! What is kept in memory, and what is written together.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tokio::sync::mpsc;
use tulbur_core::Timestamp;

use crate::event::{AttentionItem, Event, HistoryEntry};
use crate::operation::{KeyRecord, OperationRecord};
use crate::record::{CardId, CardRecord, EventId, Order, OrderRecord, PaymentId, PaymentRecord};
use crate::store::{Changes, DeliveryState, InboxEntry, Wake};

/// Everything that is kept.
#[derive(Default)]
pub(super) struct State {
    pub(super) orders: BTreeMap<String, OrderRecord>,
    pub(super) payments: BTreeMap<PaymentId, PaymentRecord>,
    /// When each payment that was taken was due, and until when nobody else takes it for that.
    pub(super) leases: BTreeMap<PaymentId, (Timestamp, Timestamp)>,
    pub(super) operations: BTreeMap<String, OperationRecord>,
    pub(super) keys: BTreeMap<String, KeyRecord>,
    pub(super) cards: BTreeMap<CardId, CardRecord>,
    pub(super) events: Vec<Kept>,
    pub(super) history: Vec<HistoryEntry>,
    /// Each item, and when it was struck off.
    pub(super) attention: BTreeMap<String, (AttentionItem, Option<Timestamp>)>,
    /// Each delivery, and how often it came.
    pub(super) inbox: Vec<(InboxEntry, u32)>,
    pub(super) listening: Vec<mpsc::Sender<Wake>>,
}

/// An event in the order of its commit.
pub(super) struct Kept {
    pub(super) event: Event,
    pub(super) state: DeliveryState,
    pub(super) due_at: Timestamp,
    pub(super) attempts: u32,
    pub(super) done: BTreeSet<String>,
    /// Whether later events of its order need not wait for it.
    pub(super) late: bool,
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
        let keys = changes.keys.iter().all(|new| !self.keys.contains_key(new.key.as_str()))
            && all_different(changes.keys.iter().map(|key| key.key.as_str()));
        let cards = changes.cards.iter().all(|new| !self.cards.contains_key(&new.card.id))
            && all_different(changes.cards.iter().map(|card| &card.card.id));
        orders
            && self.accepts_payments(&changes.payments)
            && operations
            && keys
            && cards
            && self.accepts_events(changes)
    }

    fn accepts_payments(&self, payments: &[PaymentRecord]) -> bool {
        let unique = |new: &PaymentRecord| {
            self.payments.values().filter(|stored| stored.id != new.id).all(|stored| {
                stored.secret_hash != new.secret_hash
                    && (&stored.account, &stored.reference.merchant_ref)
                        != (&new.account, &new.reference.merchant_ref)
            })
        };
        payments.iter().all(|new| {
            self.payments.get(&new.id).map_or(0, |stored| stored.version) == new.version && unique(new)
        }) && all_different(payments.iter().map(|new| &new.id))
            && all_different(payments.iter().map(|new| &new.secret_hash))
            && all_different(payments.iter().map(|new| (&new.account, &new.reference.merchant_ref)))
    }

    fn accepts_events(&self, changes: &Changes) -> bool {
        let listed = changes.attention.iter().filter(|(item, _)| !self.attention.contains_key(&item.key));
        let events: Vec<&Event> = changes.events.iter().chain(listed.map(|(_, event)| event)).collect();
        let is_paid = |event: &Event| event.kind.name() == "paid";
        events.iter().all(|new| {
            self.events.iter().all(|kept| {
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

    pub(super) fn write(&mut self, changes: Changes) {
        for mut order in changes.orders {
            order.version += 1;
            self.orders.insert(order.order.as_str().to_owned(), order);
        }
        for mut payment in changes.payments {
            payment.version += 1;
            self.payments.insert(payment.id.clone(), payment);
        }
        for mut operation in changes.operations {
            operation.version += 1;
            self.operations.insert(operation.operation_ref.as_str().to_owned(), operation);
        }
        for key in changes.keys {
            self.keys.insert(key.key.as_str().to_owned(), key);
        }
        for card in changes.cards {
            self.cards.insert(card.card.id.clone(), card);
        }
        let keep = |event: Event| Kept {
            due_at: event.at,
            event,
            state: DeliveryState::Pending,
            attempts: 0,
            done: BTreeSet::new(),
            late: false,
        };
        self.events.extend(changes.events.into_iter().map(keep));
        self.history.extend(changes.history);
        for (item, event) in changes.attention {
            if !self.attention.contains_key(&item.key) {
                self.attention.insert(item.key.clone(), (item, None));
                self.events.push(keep(event));
            }
        }
        for (key, at) in changes.struck {
            if let Some((_, struck @ None)) = self.attention.get_mut(&key) {
                *struck = Some(at);
            }
        }
        for entry in changes.inbox {
            self.keep(entry);
        }
    }

    pub(super) fn keep(&mut self, entry: InboxEntry) {
        let same = |kept: &InboxEntry| {
            (&kept.account, &kept.repeat_key, &kept.meaning)
                == (&entry.account, &entry.repeat_key, &entry.meaning)
        };
        match self.inbox.iter_mut().find(|(kept, _)| same(kept)) {
            Some((_, times)) => *times += 1,
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

    pub(super) fn event(&mut self, id: &EventId) -> Option<&mut Kept> {
        self.events.iter_mut().find(|kept| kept.event.id == *id)
    }

    pub(super) fn pending(&self) -> impl Iterator<Item = &Kept> {
        self.events.iter().filter(|kept| kept.state == DeliveryState::Pending)
    }
}
