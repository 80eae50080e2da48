//! The store that keeps nothing: for tests and trials.

mod deliveries;
mod outbox;
mod state;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tulbur_core::{AccountName, CustomerRef, OperationRef, OperationState, OrderRef, ProviderRef, Timestamp};

use crate::error::StoreError;
use crate::model::event::{AttentionItem, Event, HistoryEntry};
use crate::model::operation::{IdempotencyKey, KeyRecord, OperationKind, OperationRecord};
use crate::model::record::{Card, CardId, CardRecord, Order, OrderRecord, PaymentId, PaymentRecord};
use crate::store::{
    Changes, DueWork, Find, Inbox, InboxEntry, Known, Lists, LongestWaits, PaymentFilter, Records,
    StoreStats, Unread, UnreadSince, Verdict, Wake,
};

use state::State;

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
impl Records for MemoryStore {
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

    async fn key(&self, key: &IdempotencyKey) -> Result<Option<KeyRecord>, StoreError> {
        Ok(self.state().keys.get(key.as_str()).cloned())
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
}

#[async_trait]
impl DueWork for MemoryStore {
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
        if due.is_empty() {
            return Ok(Vec::new());
        }
        state.leases.retain(|_, (_, until)| *until > now);
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

    async fn put_off_unread(
        &self,
        what: Unread<'_>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<UnreadSince>, StoreError> {
        let mut state = self.state();
        let State { payments, operations, unread_payments, unread_operations, .. } = &mut *state;
        let (payment, since) = match what {
            Unread::Payment(id) => {
                let due = payments.get_mut(id).and_then(|payment| payment.ask_at.as_mut());
                let Some(due) = due else { return Ok(None) };
                *due = until;
                (id, *unread_payments.entry(id.clone()).or_insert(now))
            }
            Unread::Operation(reference) => {
                let operation = operations.get_mut(reference.as_str());
                let Some(operation) = operation.filter(|one| one.lease_until.is_some()) else {
                    return Ok(None);
                };
                operation.lease_until = Some(until);
                let since = unread_operations.entry(reference.as_str().to_owned()).or_insert(now);
                (&operation.payment, *since)
            }
        };
        Ok(payments.get(payment).map(|payment| UnreadSince {
            since,
            payment: payment.id.clone(),
            account: payment.account.clone(),
            order: payment.order().cloned(),
        }))
    }

    async fn take_operations(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<OperationRef>, StoreError> {
        let mut state = self.state();
        let mut due: Vec<&mut OperationRecord> =
            state.operations.values_mut().filter(|one| one.lease_until.is_some_and(|at| at <= now)).collect();
        due.sort_by_key(|operation| operation.lease_until);
        let take = due.into_iter().take(limit as usize);
        Ok(take
            .map(|operation| {
                operation.lease_until = Some(lease);
                operation.operation_ref.clone()
            })
            .collect())
    }

    async fn clamp_times(&self, now: Timestamp, longest: &LongestWaits) -> Result<u64, StoreError> {
        let mut state = self.state();
        let mut moved = 0;
        let mut clamp = |at: &mut Timestamp, wait: Duration| {
            if *at > now.after(wait) {
                *at = now.after(wait);
                moved += 1;
            }
        };
        let State { payments, leases, operations, outbox, inbox, .. } = &mut *state;
        for payment in payments.values_mut() {
            let wait = longest.of_payment(payment.status, payment.operation);
            if let Some(at) = &mut payment.ask_at {
                clamp(at, wait);
            }
            if let Some(until) = &mut payment.lease_until {
                clamp(until, longest.write);
                payment.write_ends = payment.write_ends.map(|ends| ends.min(*until));
            }
        }
        for operation in operations.values_mut() {
            let wait = longest.of_operation(operation.state);
            if let Some(until) = &mut operation.lease_until {
                clamp(until, wait);
            }
            if let Some(until) = operation.write_ends.as_mut().filter(|_| operation.lease_until.is_some()) {
                clamp(until, longest.write);
            }
        }
        for (_, until) in leases.values_mut() {
            clamp(until, longest.work);
        }
        outbox.due_times().for_each(|at| clamp(at, longest.delivery));
        for due_at in inbox.iter_mut().filter_map(|(entry, _)| entry.due_at.as_mut()) {
            clamp(due_at, longest.delivery);
        }
        Ok(moved)
    }

    async fn make_all_due(&self, now: Timestamp) -> Result<(), StoreError> {
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
            .filter_map(|payment| payment.ask_at.map(|at| state.lease(&payment.id, at).unwrap_or(at)));
        let operations = state.operations.values().filter_map(|operation| operation.lease_until);
        let kept = state.inbox.iter().filter_map(|(entry, _)| entry.due_at);
        Ok(payments.chain(operations).chain(kept).min())
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

    async fn wakes(&self) -> Result<Option<mpsc::Receiver<Wake>>, StoreError> {
        let (send, receive) = mpsc::channel(1024);
        self.state().listening.push(send);
        Ok(Some(receive))
    }
}

#[async_trait]
impl Inbox for MemoryStore {
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
            entry.account == *account
                && entry.repeat_key == repeat_key
                && matches!(entry.verdict, Verdict::Accepted | Verdict::Contradiction)
        });
        Ok(Known {
            order: order.and_then(|order| state.orders.get(order.as_str())).cloned(),
            earlier: entries.min_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id))).cloned(),
            payment,
        })
    }

    async fn kept_for(
        &self,
        account: &AccountName,
        provider_ref: &ProviderRef,
    ) -> Result<Vec<InboxEntry>, StoreError> {
        let state = self.state();
        let entries = state.inbox.iter().map(|(entry, _)| entry).filter(|entry| {
            entry.due_at.is_some()
                && entry.account == *account
                && entry.provider_ref.as_ref() == Some(provider_ref)
        });
        let mut found: Vec<InboxEntry> = entries.cloned().collect();
        found.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok(found)
    }

    async fn take_kept(
        &self,
        now: Timestamp,
        again: Timestamp,
        limit: u32,
    ) -> Result<Vec<InboxEntry>, StoreError> {
        let mut state = self.state();
        let mut due: Vec<&mut InboxEntry> = state
            .inbox
            .iter_mut()
            .map(|(entry, _)| entry)
            .filter(|entry| entry.due_at.is_some_and(|at| at <= now))
            .collect();
        due.sort_by_key(|entry| entry.due_at);
        due.truncate(limit as usize);
        due.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok(due
            .into_iter()
            .map(|entry| {
                entry.due_at = Some(again);
                entry.clone()
            })
            .collect())
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
}

#[async_trait]
impl Lists for MemoryStore {
    async fn orders(&self, limit: u32) -> Result<Vec<Order>, StoreError> {
        let state = self.state();
        let mut records: Vec<&OrderRecord> = state.orders.values().collect();
        records.sort_by(|a, b| (b.created_at, b.order.as_str()).cmp(&(a.created_at, a.order.as_str())));
        Ok(records.into_iter().take(limit as usize).map(|record| state.order(record)).collect())
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

    async fn history(&self, order: &OrderRef) -> Result<Vec<HistoryEntry>, StoreError> {
        let is_its = |line: &&HistoryEntry| line.order.as_ref() == Some(order);
        Ok(self.state().history.iter().filter(is_its).cloned().collect())
    }

    async fn payment_history(&self, payment: &PaymentId) -> Result<Vec<HistoryEntry>, StoreError> {
        Ok(self.state().history.iter().filter(|line| line.payment == *payment).cloned().collect())
    }

    async fn events(&self, order: &OrderRef) -> Result<Vec<Event>, StoreError> {
        let state = self.state();
        let events = state.outbox.events.iter().map(|kept| &kept.event);
        Ok(events.filter(|event| event.order.as_ref() == Some(order)).cloned().collect())
    }

    async fn attention(&self) -> Result<Vec<AttentionItem>, StoreError> {
        let state = self.state();
        let open = state.attention.values().filter(|(_, resolved)| resolved.is_none());
        let mut items: Vec<AttentionItem> = open.map(|(item, _)| item.clone()).collect();
        items.sort_by_key(|item| item.at);
        Ok(items)
    }

    async fn resolve_attention(&self, key: &str, at: Timestamp) -> Result<bool, StoreError> {
        match self.state().attention.get_mut(key) {
            Some((_, resolved @ None)) => {
                *resolved = Some(at);
                Ok(true)
            }
            _ => Ok(false),
        }
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
            events_unheard: count(state.outbox.unheard.len()),
            attention: count(state.attention.values().filter(|(_, resolved)| resolved.is_none()).count()),
        })
    }
}
