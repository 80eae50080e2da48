//! The store that keeps nothing: for tests and trials.

mod state;

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::mpsc;
use tulbur_core::{AccountName, OperationRef, OperationState, OrderRef, Timestamp};

use crate::error::StoreError;
use crate::event::{AttentionItem, Event, HistoryEntry};
use crate::operation::{IdempotencyKey, KeyRecord, OperationKind, OperationRecord};
use crate::record::{
    Card, CardId, CardRecord, CustomerRef, EventId, Order, OrderRecord, PaymentId, PaymentRecord,
};
use crate::store::{
    Changes, ClaimedEvent, DeliveryState, EventDelivery, Find, InboxEntry, Known, PaymentFilter, Settle,
    Store, StoreStats, Verdict, Wake,
};

use state::{Kept, State};

/// Keeps payments in memory, **and loses all of them when the process ends**.
///
/// It does everything else that a store does, and passes the same suite. It is for tests and for a first try; a payment
/// that was made with it and paid after a restart is known to nobody. Clones share what is kept.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

impl MemoryStore {
    /// An empty store. It warns in the log that it keeps nothing.
    pub fn new() -> Self {
        tracing::warn!("payments are kept in memory only: they are lost when this process ends");
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore")
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        let mut state = self.state();
        if !state.accepts(&changes) {
            return Err(StoreError::Conflict);
        }
        let mut wakes: Vec<Wake> =
            changes.payments.iter().map(|payment| Wake::Payment(payment.id.clone())).collect();
        if wakes.is_empty() && !(changes.events.is_empty() && changes.attention.is_empty()) {
            wakes.push(Wake::Anything);
        }
        state.write(changes);
        state.listening.retain(|listener| {
            for wake in &wakes {
                // Who does not keep up misses some, and finds what is due by its time.
                drop(listener.try_send(wake.clone()));
            }
            !listener.is_closed()
        });
        Ok(())
    }

    async fn order(&self, order: &OrderRef) -> Result<Option<Order>, StoreError> {
        let state = self.state();
        Ok(state.orders.get(order.as_str()).map(|record| state.order(record)))
    }

    async fn orders(&self, limit: u32) -> Result<Vec<Order>, StoreError> {
        let state = self.state();
        let mut records: Vec<&OrderRecord> = state.orders.values().collect();
        records.sort_by(|a, b| (b.created_at, b.order.as_str()).cmp(&(a.created_at, a.order.as_str())));
        Ok(records.into_iter().take(limit as usize).map(|record| state.order(record)).collect())
    }

    async fn payment(&self, find: Find<'_>) -> Result<Option<PaymentRecord>, StoreError> {
        let is_it = |payment: &&PaymentRecord| match find {
            Find::Id(id) => payment.id == *id,
            Find::MerchantRef(account, reference) => {
                payment.account == *account && payment.reference.merchant_ref == *reference
            }
            Find::ProviderRef(account, reference) => {
                payment.account == *account && payment.reference.provider_ref.as_ref() == Some(reference)
            }
            Find::SecretHash(hash) => payment.secret_hash == hash,
        };
        Ok(self.state().payments.values().find(is_it).cloned())
    }

    async fn take_due(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<PaymentId>, StoreError> {
        let mut state = self.state();
        let mut due: Vec<(Timestamp, PaymentId)> = state
            .payments
            .values()
            .filter_map(|payment| Some((payment.ask_at.filter(|at| *at <= now)?, payment.id.clone())))
            .filter(|(at, id)| state.lease(id, *at).is_none_or(|until| until <= now))
            .collect();
        due.sort_unstable();
        due.truncate(limit as usize);
        state.leases.extend(due.iter().map(|(at, id)| (id.clone(), (*at, lease))));
        Ok(due.into_iter().map(|(_, id)| id).collect())
    }

    async fn put_off(&self, payment: &PaymentRecord, until: Timestamp) -> Result<(), StoreError> {
        let mut state = self.state();
        let stored = state.payments.get_mut(&payment.id).filter(|stored| stored.version == payment.version);
        if let Some(ask_at @ Some(_)) = stored.map(|stored| &mut stored.ask_at) {
            *ask_at = Some(until);
        }
        Ok(())
    }

    async fn payments(&self, filter: &PaymentFilter) -> Result<Vec<PaymentRecord>, StoreError> {
        let state = self.state();
        let after = filter
            .after
            .as_ref()
            .map(|id| state.payments.get(id).map(|record| (record.created_at, &record.id)));
        let is_wanted = |payment: &&PaymentRecord| {
            filter.account.as_ref().is_none_or(|account| payment.account == *account)
                && filter.status.is_none_or(|status| payment.status == status)
                && filter.operation.is_none_or(|operation| payment.operation == operation)
                && filter.paid_from.is_none_or(|from| payment.paid_at.is_some_and(|at| at >= from))
                && filter.paid_before.is_none_or(|before| payment.paid_at.is_some_and(|at| at < before))
                && after
                    .is_none_or(|after| after.is_some_and(|after| (payment.created_at, &payment.id) < after))
        };
        let mut found: Vec<&PaymentRecord> = state.payments.values().filter(is_wanted).collect();
        found.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        Ok(found.into_iter().take(filter.limit as usize).cloned().collect())
    }

    async fn operations(&self, payment: &PaymentId) -> Result<Vec<OperationRecord>, StoreError> {
        let state = self.state();
        let mut found: Vec<OperationRecord> =
            state.operations.values().filter(|operation| operation.payment == *payment).cloned().collect();
        found.sort_by_key(|operation| operation.created_at);
        Ok(found)
    }

    async fn operation(&self, operation: &OperationRef) -> Result<Option<OperationRecord>, StoreError> {
        Ok(self.state().operations.get(operation.as_str()).cloned())
    }

    async fn take_operations(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<OperationRecord>, StoreError> {
        let mut state = self.state();
        let mut due: Vec<&mut OperationRecord> =
            state.operations.values_mut().filter(|one| one.lease_until.is_some_and(|at| at <= now)).collect();
        due.sort_by_key(|operation| operation.lease_until);
        let take = due.into_iter().take(limit as usize);
        Ok(take
            .map(|operation| {
                operation.lease_until = Some(lease);
                operation.clone()
            })
            .collect())
    }

    async fn unknown_operations(&self, limit: u32) -> Result<Vec<OperationRecord>, StoreError> {
        let state = self.state();
        let is_unknown = |one: &&OperationRecord| one.state == OperationState::Unknown;
        let mut found: Vec<OperationRecord> = state.operations.values().filter(is_unknown).cloned().collect();
        found.sort_by_key(|operation| operation.created_at);
        found.truncate(limit as usize);
        Ok(found)
    }

    async fn named(&self, name: &str, limit: u32) -> Result<Vec<PaymentRecord>, StoreError> {
        let is_called_so = |payment: &&PaymentRecord| {
            let reference = &payment.reference;
            payment.id.as_str() == name
                || reference.merchant_ref.as_str() == name
                || reference.provider_ref.as_ref().is_some_and(|known| known.as_str() == name)
        };
        let state = self.state();
        let mut found: Vec<PaymentRecord> = state.payments.values().filter(is_called_so).cloned().collect();
        found.sort_by_key(|payment| payment.created_at);
        found.truncate(limit as usize);
        Ok(found)
    }

    async fn key(&self, key: &IdempotencyKey) -> Result<Option<KeyRecord>, StoreError> {
        Ok(self.state().keys.get(key.as_str()).cloned())
    }

    async fn hurry(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut state = self.state();
        let State { payments, leases, .. } = &mut *state;
        for payment in payments.values_mut() {
            let written = matches!(payment.operation, OperationState::Succeeded | OperationState::Unknown);
            if written && payment.status.is_open() {
                payment.ask_at = payment.ask_at.map(|at| at.min(now));
                leases.remove(&payment.id);
            }
        }
        Ok(())
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let state = self.state();
        let payments = state
            .payments
            .values()
            .filter_map(|payment| payment.ask_at.filter(|at| state.lease(&payment.id, *at).is_none()));
        let operations = state.operations.values().filter_map(|operation| operation.lease_until);
        Ok(payments.chain(operations).chain(state.pending().map(|kept| kept.due_at)).min())
    }

    async fn take_events(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<ClaimedEvent>, StoreError> {
        let mut state = self.state();
        let (mut claimed, mut held) = (Vec::new(), HashSet::new());
        for kept in state.events.iter_mut().filter(|kept| kept.state == DeliveryState::Pending) {
            if claimed.len() == limit as usize {
                break;
            }
            // Only the first that is not settled, whether its time has come or not; or one that nobody waits for.
            let its_turn = if kept.late { true } else { held.insert(kept.event.stream().to_owned()) };
            if its_turn && kept.due_at <= now {
                let done = kept.done.iter().cloned().collect();
                claimed.push(ClaimedEvent { event: kept.event.clone(), attempts: kept.attempts, done });
                kept.due_at = lease;
                kept.attempts += 1;
            }
        }
        Ok(claimed)
    }

    async fn handled(&self, event: &EventId, handler: &str) -> Result<(), StoreError> {
        if let Some(kept) = self.state().event(event) {
            kept.done.insert(handler.to_owned());
        }
        Ok(())
    }

    async fn settle_event(&self, event: &EventId, settle: Settle) -> Result<(), StoreError> {
        if let Some(kept) = self.state().event(event) {
            match settle {
                Settle::Done => kept.state = DeliveryState::Done,
                Settle::Again(at) => (kept.state, kept.due_at) = (DeliveryState::Pending, at),
                Settle::Late(at) => {
                    (kept.state, kept.due_at, kept.late) = (DeliveryState::Pending, at, true);
                }
                Settle::Parked => kept.state = DeliveryState::Parked,
            }
        }
        Ok(())
    }

    async fn known(
        &self,
        account: &AccountName,
        payment: Find<'_>,
        repeat_key: &str,
    ) -> Result<Known, StoreError> {
        let payment = self.payment(payment).await?.filter(|payment| payment.account == *account);
        let state = self.state();
        let order = payment.as_ref().and_then(PaymentRecord::order);
        let entries = state.inbox.iter().map(|(entry, _)| entry).filter(|entry| {
            entry.account == *account && entry.repeat_key == repeat_key && entry.verdict != Verdict::Refused
        });
        Ok(Known {
            order: order.and_then(|order| state.orders.get(order.as_str())).cloned(),
            earlier: entries.min_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id))).cloned(),
            payment,
        })
    }

    async fn keep_refused(&self, entry: InboxEntry, keep: u32) -> Result<(), StoreError> {
        let mut state = self.state();
        let account = entry.account.clone();
        state.keep(entry);
        let is_refused = |entry: &InboxEntry| entry.account == account && entry.verdict == Verdict::Refused;
        let mut refused: Vec<(Timestamp, String)> = state
            .inbox
            .iter()
            .filter(|(entry, _)| is_refused(entry))
            .map(|(entry, _)| (entry.at, entry.id.clone()))
            .collect();
        refused.sort_unstable_by(|a, b| b.cmp(a));
        let dropped: HashSet<String> = refused.into_iter().skip(keep as usize).map(|(_, id)| id).collect();
        state.inbox.retain(|(entry, _)| !dropped.contains(&entry.id));
        Ok(())
    }

    async fn inbox(&self, limit: u32) -> Result<Vec<(InboxEntry, u32)>, StoreError> {
        let mut entries = self.state().inbox.clone();
        entries.sort_by(|(a, _), (b, _)| (b.at, &b.id).cmp(&(a.at, &a.id)));
        entries.truncate(limit as usize);
        Ok(entries)
    }

    async fn inbox_entry(&self, id: &str) -> Result<Option<(InboxEntry, u32)>, StoreError> {
        Ok(self.state().inbox.iter().find(|(entry, _)| entry.id == id).cloned())
    }

    async fn parked_events(&self, limit: u32) -> Result<Vec<Event>, StoreError> {
        let state = self.state();
        let parked = state.events.iter().filter(|kept| kept.state == DeliveryState::Parked);
        Ok(parked.take(limit as usize).map(|kept| kept.event.clone()).collect())
    }

    async fn unpark_event(&self, event: &EventId, at: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(kept) = state.event(event).filter(|kept| kept.state == DeliveryState::Parked) else {
            return Ok(false);
        };
        (kept.state, kept.attempts, kept.due_at) = (DeliveryState::Pending, 0, at);
        Ok(true)
    }

    async fn history(&self, order: &OrderRef) -> Result<Vec<HistoryEntry>, StoreError> {
        let is_its = |line: &&HistoryEntry| line.order.as_ref() == Some(order);
        Ok(self.state().history.iter().filter(is_its).cloned().collect())
    }

    async fn payment_history(&self, payment: &PaymentId) -> Result<Vec<HistoryEntry>, StoreError> {
        Ok(self.state().history.iter().filter(|line| line.payment == *payment).cloned().collect())
    }

    async fn events(&self, order: &OrderRef) -> Result<Vec<Event>, StoreError> {
        let state = self.state();
        let events = state.events.iter().map(|kept| &kept.event);
        Ok(events.filter(|event| event.order.as_ref() == Some(order)).cloned().collect())
    }

    async fn deliveries(
        &self,
        order: Option<&OrderRef>,
        payment: &PaymentId,
    ) -> Result<Vec<EventDelivery>, StoreError> {
        let is_its = |kept: &&Kept| match order {
            Some(order) => kept.event.order.as_ref() == Some(order),
            None => kept.event.order.is_none() && kept.event.stream() == payment.as_str(),
        };
        let delivery = |kept: &Kept| EventDelivery {
            event: kept.event.clone(),
            state: kept.state,
            attempts: kept.attempts,
            due_at: kept.due_at,
            handled: kept.done.iter().cloned().collect(),
        };
        Ok(self.state().events.iter().filter(is_its).map(delivery).collect())
    }

    async fn attention(&self) -> Result<Vec<AttentionItem>, StoreError> {
        let state = self.state();
        let open = state.attention.values().filter(|(_, struck)| struck.is_none());
        let mut items: Vec<AttentionItem> = open.map(|(item, _)| item.clone()).collect();
        items.sort_by_key(|item| item.at);
        Ok(items)
    }

    async fn resolve_attention(&self, key: &str, at: Timestamp) -> Result<bool, StoreError> {
        match self.state().attention.get_mut(key) {
            Some((_, struck @ None)) => {
                *struck = Some(at);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn cards(&self, customer: &CustomerRef) -> Result<Vec<Card>, StoreError> {
        let state = self.state();
        let own = state.cards.values().map(|record| &record.card).filter(|card| card.customer == *customer);
        let mut cards: Vec<Card> = own.cloned().collect();
        cards.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        Ok(cards)
    }

    async fn card(&self, card: &CardId) -> Result<Option<CardRecord>, StoreError> {
        Ok(self.state().cards.get(card).cloned())
    }

    async fn sealed_cards(&self, after: Option<&CardId>, limit: u32) -> Result<Vec<CardRecord>, StoreError> {
        let state = self.state();
        let next = state.cards.values().filter(|record| after.is_none_or(|after| record.card.id > *after));
        Ok(next.take(limit as usize).cloned().collect())
    }

    async fn reseal_card(&self, card: &CardId, from: &str, to: &str) -> Result<bool, StoreError> {
        match self.state().cards.get_mut(card).filter(|record| record.sealed_token == from) {
            Some(record) => {
                to.clone_into(&mut record.sealed_token);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    async fn sealed_inbox(&self, after: Option<&str>, limit: u32) -> Result<Vec<InboxEntry>, StoreError> {
        let mut entries: Vec<InboxEntry> =
            self.state().inbox.iter().map(|(entry, _)| entry.clone()).collect();
        entries.retain(|entry| after.is_none_or(|after| *entry.id > *after));
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        entries.truncate(limit as usize);
        Ok(entries)
    }

    async fn reseal_inbox(&self, id: &str, from: &str, to: &str) -> Result<bool, StoreError> {
        let mut state = self.state();
        match state.inbox.iter_mut().find(|(entry, _)| entry.id == id && entry.sealed == from) {
            Some((entry, _)) => {
                to.clone_into(&mut entry.sealed);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    async fn watched_accounts(&self) -> Result<Vec<AccountName>, StoreError> {
        let state = self.state();
        let asked = state.payments.values().filter(|payment| payment.ask_at.is_some());
        let leased = state.operations.values().filter(|operation| operation.lease_until.is_some());
        let of_operations = leased.filter_map(|operation| state.payments.get(&operation.payment));
        let accounts: BTreeSet<&AccountName> =
            asked.chain(of_operations).map(|payment| &payment.account).collect();
        Ok(accounts.into_iter().cloned().collect())
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        let state = self.state();
        let open = || state.payments.values().filter(|payment| payment.status.is_open());
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let may_have_moved_money = |one: &&OperationRecord| {
            one.state == OperationState::Unknown && one.kind != OperationKind::Cancel
        };
        let unknown = open().filter(|payment| payment.operation == OperationState::Unknown).count()
            + state.operations.values().filter(may_have_moved_money).count();
        Ok(StoreStats {
            open: count(open().count()),
            oldest_open: open().map(|payment| payment.created_at).min(),
            unknown: count(unknown),
            events_pending: count(state.pending().count()),
            oldest_event: state.pending().map(|kept| kept.event.at).min(),
            events_parked: count(
                state.events.iter().filter(|kept| kept.state == DeliveryState::Parked).count(),
            ),
            attention: count(state.attention.values().filter(|(_, struck)| struck.is_none()).count()),
        })
    }

    async fn wakes(&self) -> Result<Option<mpsc::Receiver<Wake>>, StoreError> {
        let (send, receive) = mpsc::channel(1024);
        self.state().listening.push(send);
        Ok(Some(receive))
    }
}
