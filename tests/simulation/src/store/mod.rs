//! The simulated database: the memory store behind a network that suspends, reorders, fails and loses answers.
//!
//! Everything that knows the [`Store`] contract and what a commit holds is in this folder.

mod answer;
mod commit;
mod network;
mod told;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tulbur_core::{AccountName, CustomerRef, OperationRef, OperationState, OrderRef, Timestamp};
use tulbur_payments::store::{
    Changes, Claim, ClaimedDelivery, DueWork, EventDelivery, Find, HandlerSpec, Inbox, InboxEntry, Known,
    Lists, LongestWaits, Outbox, ParkedDelivery, PaymentFilter, Records, RegisteredHandler, Settle,
    StoreStats, Unread, UnreadSince, Wake,
};
use tulbur_payments::{
    AttentionItem, Card, CardId, CardRecord, Event, EventId, HistoryEntry, IdempotencyKey, KeyRecord,
    MemoryStore, OperationRecord, Order, OrderRecord, PaymentId, PaymentRecord, StoreError,
};

use self::answer::away;
use self::commit::{Commit, label_of, subject_of};
use crate::fault::{Fault, Kind, Moment, Point};
use crate::sim::{Due, Slot, World};
use crate::story::Database;
use crate::units::ProcessId;

pub(crate) use answer::{at_once, may_have_committed};
pub(crate) use network::SimStore;

/// How long this process's worker has nothing to look for, in microseconds, as far as the database knows.
pub(crate) fn quiet_for(inner: &MemoryStore, world: &World, process: ProcessId) -> u64 {
    let now = world.clock_of(process);
    let due = at_once(inner.next_due()).ok().flatten().map(Timestamp::as_millis);
    let handlers = &world.processes[process].handlers;
    let delivery = at_once(inner.next_delivery(handlers)).ok().flatten().map(Timestamp::as_millis);
    let next = due.into_iter().chain(delivery).min();
    let wait = next.map_or(i64::MAX, |at| at.saturating_sub(now).max(0));
    u64::try_from(wait).unwrap_or(0).saturating_mul(1000)
}

#[async_trait]
impl Records for SimStore {
    async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        let slot = Slot::new();
        let fault = {
            let mut world = self.sim.world();
            let world = &mut *world;
            let (label, subject) = (label_of(&changes), subject_of(&changes, world));
            if label.starts_with("answer-")
                && let Some(operation) = changes.operations.first()
                && operation.state == OperationState::Succeeded
            {
                world.notes.answered.insert(operation.operation_ref.as_str().to_owned());
            }
            world.processes[self.process].waiting += 1;
            let fault = world.faults.at(Point::Commit, self.process, &label, &subject);
            match fault {
                Some(Fault::Pause(wait, Moment::Before)) => {
                    world.pause(self.process, wait);
                    None
                }
                Some(Fault::Crash(down, Moment::Before)) => {
                    world.crash(self.process, down);
                    None
                }
                fault => fault,
            }
        };
        // The process sends it when it runs.
        self.sim.hop(self.process).await;
        {
            let mut world = self.sim.world();
            let wait = world.latency();
            let commit = Commit {
                inner: self.inner.clone(),
                slot: Arc::clone(&slot),
                process: self.process,
                changes,
                fault,
                since: world.now,
            };
            world.after(wait, Due::Do(Box::new(move |sim| commit.arrive(sim))));
        }
        let result = slot.wait().await;
        let mut world = self.sim.world();
        let waiting = &mut world.processes[self.process].waiting;
        *waiting = waiting.saturating_sub(1);
        result
    }

    async fn order(&self, order: &OrderRef) -> Result<Option<Order>, StoreError> {
        self.read(self.inner.order(order)).await
    }

    async fn order_record(&self, order: &OrderRef) -> Result<Option<OrderRecord>, StoreError> {
        self.read(self.inner.order_record(order)).await
    }

    async fn payment(&self, find: Find<'_>) -> Result<Option<PaymentRecord>, StoreError> {
        self.read(self.inner.payment(find)).await
    }

    async fn operations(&self, payment: &PaymentId) -> Result<Vec<OperationRecord>, StoreError> {
        self.read(self.inner.operations(payment)).await
    }

    async fn operation(&self, operation: &OperationRef) -> Result<Option<OperationRecord>, StoreError> {
        self.read(self.inner.operation(operation)).await
    }

    async fn key(&self, key: &IdempotencyKey) -> Result<Option<KeyRecord>, StoreError> {
        self.read(self.inner.key(key)).await
    }

    async fn cards(&self, customer: &CustomerRef) -> Result<Vec<Card>, StoreError> {
        self.read(self.inner.cards(customer)).await
    }

    async fn card(&self, card: &CardId) -> Result<Option<CardRecord>, StoreError> {
        self.read(self.inner.card(card)).await
    }

    async fn sealed_cards(&self, after: Option<&CardId>, limit: u32) -> Result<Vec<CardRecord>, StoreError> {
        self.read(self.inner.sealed_cards(after, limit)).await
    }

    async fn reseal_card(&self, card: &CardId, from: &str, to: &str) -> Result<bool, StoreError> {
        self.change("reseal-card", self.inner.reseal_card(card, from, to)).await
    }
}

#[async_trait]
impl DueWork for SimStore {
    async fn take_due(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<PaymentId>, StoreError> {
        self.change("take-due", self.inner.take_due(now, lease, limit)).await
    }

    async fn put_off(&self, payment: &PaymentRecord, until: Timestamp) -> Result<(), StoreError> {
        self.change("put-off", self.inner.put_off(payment, until)).await
    }

    async fn put_off_unread(
        &self,
        what: Unread<'_>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<UnreadSince>, StoreError> {
        self.change("put-off-unread", self.inner.put_off_unread(what, now, until)).await
    }

    async fn take_operations(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<OperationRef>, StoreError> {
        self.change("take-operations", self.inner.take_operations(now, lease, limit)).await
    }

    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut world = self.sim.world();
        if world.now < world.database_away {
            world.fault_counts.add(Kind::DatabaseAway);
            return Err(away());
        }
        // Only a server has a clock of its own.
        Ok((world.database == Database::Postgres).then(|| Timestamp::from_millis(world.true_time())))
    }

    async fn clamp_times(&self, now: Timestamp, longest: &LongestWaits) -> Result<u64, StoreError> {
        self.change("clamp-times", self.inner.clamp_times(now, longest)).await
    }

    async fn make_all_due(&self, now: Timestamp) -> Result<(), StoreError> {
        self.change("make_all_due", self.inner.make_all_due(now)).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(self.inner.next_due()).await
    }

    async fn watched_accounts(&self) -> Result<Vec<AccountName>, StoreError> {
        self.read(self.inner.watched_accounts()).await
    }

    async fn wakes(&self) -> Result<Option<mpsc::Receiver<Wake>>, StoreError> {
        let (send, receive) = mpsc::channel(1024);
        let mut world = self.sim.world();
        world.processes[self.process].listener = Some(send);
        Ok(Some(receive))
    }
}

#[async_trait]
impl Inbox for SimStore {
    async fn known(
        &self,
        account: &AccountName,
        payment: Find<'_>,
        repeat_key: &str,
    ) -> Result<Known, StoreError> {
        self.read(self.inner.known(account, payment, repeat_key)).await
    }

    async fn kept_for(
        &self,
        account: &AccountName,
        provider_ref: &tulbur_core::ProviderRef,
    ) -> Result<Vec<InboxEntry>, StoreError> {
        self.read(self.inner.kept_for(account, provider_ref)).await
    }

    async fn take_kept(
        &self,
        now: Timestamp,
        again: Timestamp,
        limit: u32,
    ) -> Result<Vec<InboxEntry>, StoreError> {
        self.change("take-kept", self.inner.take_kept(now, again, limit)).await
    }

    async fn inbox(&self, limit: u32) -> Result<Vec<(InboxEntry, u32)>, StoreError> {
        self.read(self.inner.inbox(limit)).await
    }

    async fn inbox_entry(&self, id: &str) -> Result<Option<(InboxEntry, u32)>, StoreError> {
        self.read(self.inner.inbox_entry(id)).await
    }

    async fn sealed_inbox(&self, after: Option<&str>, limit: u32) -> Result<Vec<InboxEntry>, StoreError> {
        self.read(self.inner.sealed_inbox(after, limit)).await
    }

    async fn reseal_inbox(&self, id: &str, from: &str, to: &str) -> Result<bool, StoreError> {
        self.change("reseal-inbox", self.inner.reseal_inbox(id, from, to)).await
    }
}

#[async_trait]
impl Lists for SimStore {
    async fn orders(&self, limit: u32) -> Result<Vec<Order>, StoreError> {
        self.read(self.inner.orders(limit)).await
    }

    async fn payments(&self, filter: &PaymentFilter) -> Result<Vec<PaymentRecord>, StoreError> {
        self.read(self.inner.payments(filter)).await
    }

    async fn unknown_operations(&self, limit: u32) -> Result<Vec<OperationRecord>, StoreError> {
        self.read(self.inner.unknown_operations(limit)).await
    }

    async fn named(&self, name: &str, limit: u32) -> Result<Vec<PaymentRecord>, StoreError> {
        self.read(self.inner.named(name, limit)).await
    }

    async fn history(&self, order: &OrderRef) -> Result<Vec<HistoryEntry>, StoreError> {
        self.read(self.inner.history(order)).await
    }

    async fn payment_history(&self, payment: &PaymentId) -> Result<Vec<HistoryEntry>, StoreError> {
        self.read(self.inner.payment_history(payment)).await
    }

    async fn events(&self, order: &OrderRef) -> Result<Vec<Event>, StoreError> {
        self.read(self.inner.events(order)).await
    }

    async fn attention(&self) -> Result<Vec<AttentionItem>, StoreError> {
        self.read(self.inner.attention()).await
    }

    async fn resolve_attention(&self, key: &str, at: Timestamp) -> Result<bool, StoreError> {
        let resolved = self.change("resolve", self.inner.resolve_attention(key, at)).await?;
        if let Some(listed) = self.sim.world().notes.listed.get_mut(key).filter(|_| resolved) {
            listed.by_person = true;
        }
        Ok(resolved)
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.read(self.inner.stats()).await
    }
}

#[async_trait]
impl Outbox for SimStore {
    async fn register_handlers(&self, handlers: &[HandlerSpec], now: Timestamp) -> Result<(), StoreError> {
        self.change("register", self.inner.register_handlers(handlers, now)).await?;
        let mut world = self.sim.world();
        let at = world.now;
        // The first handlers of all are told of everything before as well.
        let since = if world.notes.handlers.is_empty() { 0 } else { at };
        for handler in handlers {
            world.notes.handlers.entry(handler.name.clone()).or_insert(since);
        }
        Ok(())
    }

    async fn see_handlers(
        &self,
        handlers: &[String],
        now: Timestamp,
    ) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.change("see-handlers", self.inner.see_handlers(handlers, now)).await
    }

    async fn handlers(&self) -> Result<Vec<RegisteredHandler>, StoreError> {
        self.glance(self.inner.handlers())
    }

    async fn remove_handler(
        &self,
        name: &str,
        heir: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<u64>, StoreError> {
        self.change("remove-handler", self.inner.remove_handler(name, heir, now)).await
    }

    async fn backfill_handler(
        &self,
        name: &str,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<Option<u64>, StoreError> {
        self.change("backfill", self.inner.backfill_handler(name, from, now)).await
    }

    async fn claim_deliveries(
        &self,
        wanted: &[(String, u32)],
        owner: &str,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        let claimed =
            self.change("claim-deliveries", self.inner.claim_deliveries(wanted, owner, now, lease)).await?;
        if !claimed.is_empty() {
            let mut world = self.sim.world();
            let handlers = world.processes[self.process].handlers.clone();
            let all: Vec<String> = world.notes.handlers.keys().cloned().collect();
            if all.iter().any(|handler| !handlers.contains(handler)) {
                let renamed = handlers.iter().any(|handler| handler.ends_with('2'));
                world.fault_counts.add(if renamed { Kind::RenamedHandler } else { Kind::FewerHandlers });
            }
        }
        Ok(claimed)
    }

    async fn renew_delivery(&self, claim: &Claim, lease: Timestamp) -> Result<bool, StoreError> {
        self.change("renew", self.inner.renew_delivery(claim, lease)).await
    }

    async fn settle_delivery(
        &self,
        claim: &Claim,
        settle: Settle,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.change("settle", self.inner.settle_delivery(claim, settle, now)).await
    }

    async fn next_delivery(&self, handlers: &[String]) -> Result<Option<Timestamp>, StoreError> {
        self.glance(self.inner.next_delivery(handlers))
    }

    async fn deliveries(
        &self,
        order: Option<&OrderRef>,
        payment: &PaymentId,
    ) -> Result<Vec<EventDelivery>, StoreError> {
        self.read(self.inner.deliveries(order, payment)).await
    }

    async fn parked_deliveries(&self, limit: u32) -> Result<Vec<ParkedDelivery>, StoreError> {
        self.read(self.inner.parked_deliveries(limit)).await
    }

    async fn unpark_delivery(
        &self,
        handler: &str,
        event: &EventId,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.change("unpark", self.inner.unpark_delivery(handler, event, at)).await
    }
}
