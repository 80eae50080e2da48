//! A store that forgets one thing, around one that does not.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc::Receiver;
use tulbur_core::{AccountName, OperationRef, OrderRef, Timestamp};
use tulbur_payments::store::{
    Changes, ClaimedEvent, EventDelivery, Find, InboxEntry, Known, PaymentFilter, Settle, StoreStats, Wake,
};
use tulbur_payments::store_suite::{Stores, checks};
use tulbur_payments::{
    AttentionItem, Card, CardId, CardRecord, CustomerRef, Event, EventId, HistoryEntry, IdempotencyKey,
    KeyRecord, MemoryStore, OperationRecord, Order, PaymentId, PaymentRecord, Store, StoreError,
};

/// What is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// What conflicts is taken for done.
    Conflicts,
    /// The parts of a commit are committed one by one.
    Atomicity,
    /// What was taken is not leased.
    PaymentLease,
    OperationLease,
    EventLease,
    /// Events are handed out newest first.
    EventOrder,
    /// A handler's work is not noted.
    HandlersDone,
    /// A parked event is done.
    Parking,
    /// The history is never written.
    History,
    /// A repeat of a delivery is not counted.
    Repeats,
    /// Nothing is known of earlier deliveries.
    Delivered,
    /// A notification does not find its payment's order.
    KnownOrder,
    /// All refused deliveries are kept.
    RefusedBound,
    Keys,
    /// Items are not struck off by a commit.
    Strikes,
    /// A restart asks about nothing.
    Hurry,
    /// The time of the next thing that is due.
    NextDue,
    /// Any token is replaced.
    Reseal,
    /// The page after the first is the first again.
    Paging,
    /// What an account has under way.
    WatchedAccounts,
    Wakes,
    Stats,
    /// A payment that changed meanwhile is put off all the same.
    PutOff,
    /// An event that nobody waits for holds up the others.
    Late,
}

struct Forgetful(Arc<MemoryStore>, Fault);

impl fmt::Debug for Forgetful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Forgetful({:?})", self.1)
    }
}

type Answer<T> = Result<T, StoreError>;

#[async_trait]
impl Store for Forgetful {
    async fn commit(&self, mut changes: Changes) -> Answer<()> {
        match self.1 {
            Fault::History => changes.history.clear(),
            Fault::Strikes => changes.struck.clear(),
            Fault::Keys => changes.keys.clear(),
            Fault::Repeats => {
                let mut fresh = Vec::new();
                for entry in std::mem::take(&mut changes.inbox) {
                    let known = self.0.inbox(u32::MAX).await?;
                    let same = |(kept, _): &(InboxEntry, u32)| {
                        kept.repeat_key == entry.repeat_key && kept.meaning == entry.meaning
                    };
                    if !known.iter().any(same) {
                        fresh.push(entry);
                    }
                }
                changes.inbox = fresh;
            }
            Fault::Atomicity => {
                let first = Changes { inbox: std::mem::take(&mut changes.inbox), ..Changes::default() };
                self.0.commit(first).await?;
            }
            Fault::Conflicts => {
                return match self.0.commit(changes).await {
                    Err(StoreError::Conflict) => Ok(()),
                    other => other,
                };
            }
            _ => {}
        }
        self.0.commit(changes).await
    }

    async fn order(&self, order: &OrderRef) -> Answer<Option<Order>> {
        self.0.order(order).await
    }

    async fn orders(&self, limit: u32) -> Answer<Vec<Order>> {
        self.0.orders(limit).await
    }

    async fn payment(&self, find: Find<'_>) -> Answer<Option<PaymentRecord>> {
        self.0.payment(find).await
    }

    async fn take_due(&self, now: Timestamp, lease: Timestamp, limit: u32) -> Answer<Vec<PaymentId>> {
        self.0.take_due(now, if self.1 == Fault::PaymentLease { now } else { lease }, limit).await
    }

    async fn put_off(&self, payment: &PaymentRecord, until: Timestamp) -> Answer<()> {
        if self.1 == Fault::PutOff
            && let Some(stored) = self.0.payment(Find::Id(&payment.id)).await?
        {
            return self.0.put_off(&stored, until).await;
        }
        self.0.put_off(payment, until).await
    }

    async fn payments(&self, filter: &PaymentFilter) -> Answer<Vec<PaymentRecord>> {
        let mut filter = filter.clone();
        if self.1 == Fault::Paging {
            filter.after = None;
        }
        self.0.payments(&filter).await
    }

    async fn operations(&self, payment: &PaymentId) -> Answer<Vec<OperationRecord>> {
        self.0.operations(payment).await
    }

    async fn operation(&self, operation: &OperationRef) -> Answer<Option<OperationRecord>> {
        self.0.operation(operation).await
    }

    async fn take_operations(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Answer<Vec<OperationRecord>> {
        self.0.take_operations(now, if self.1 == Fault::OperationLease { now } else { lease }, limit).await
    }

    async fn unknown_operations(&self, limit: u32) -> Answer<Vec<OperationRecord>> {
        self.0.unknown_operations(limit).await
    }

    async fn named(&self, name: &str, limit: u32) -> Answer<Vec<PaymentRecord>> {
        self.0.named(name, limit).await
    }

    async fn key(&self, key: &IdempotencyKey) -> Answer<Option<KeyRecord>> {
        self.0.key(key).await
    }

    async fn hurry(&self, now: Timestamp) -> Answer<()> {
        if self.1 == Fault::Hurry { Ok(()) } else { self.0.hurry(now).await }
    }

    async fn next_due(&self) -> Answer<Option<Timestamp>> {
        if self.1 == Fault::NextDue { Ok(None) } else { self.0.next_due().await }
    }

    async fn take_events(&self, now: Timestamp, lease: Timestamp, limit: u32) -> Answer<Vec<ClaimedEvent>> {
        let lease = if self.1 == Fault::EventLease { now } else { lease };
        let mut claimed = self.0.take_events(now, lease, limit).await?;
        if self.1 == Fault::EventOrder {
            claimed.reverse();
        }
        Ok(claimed)
    }

    async fn handled(&self, event: &EventId, handler: &str) -> Answer<()> {
        if self.1 == Fault::HandlersDone { Ok(()) } else { self.0.handled(event, handler).await }
    }

    async fn settle_event(&self, event: &EventId, settle: Settle) -> Answer<()> {
        let settle = match (self.1, settle) {
            (Fault::Parking, Settle::Parked) => Settle::Done,
            (Fault::Late, Settle::Late(at)) => Settle::Again(at),
            (_, settle) => settle,
        };
        self.0.settle_event(event, settle).await
    }

    async fn known(&self, account: &AccountName, payment: Find<'_>, repeat_key: &str) -> Answer<Known> {
        let mut known = self.0.known(account, payment, repeat_key).await?;
        match self.1 {
            Fault::Delivered => known.earlier = None,
            Fault::KnownOrder => known.order = None,
            _ => {}
        }
        Ok(known)
    }

    async fn keep_refused(&self, entry: InboxEntry, keep: u32) -> Answer<()> {
        self.0.keep_refused(entry, if self.1 == Fault::RefusedBound { u32::MAX } else { keep }).await
    }

    async fn inbox(&self, limit: u32) -> Answer<Vec<(InboxEntry, u32)>> {
        self.0.inbox(limit).await
    }

    async fn inbox_entry(&self, id: &str) -> Answer<Option<(InboxEntry, u32)>> {
        self.0.inbox_entry(id).await
    }

    async fn parked_events(&self, limit: u32) -> Answer<Vec<Event>> {
        self.0.parked_events(limit).await
    }

    async fn unpark_event(&self, event: &EventId, at: Timestamp) -> Answer<bool> {
        self.0.unpark_event(event, at).await
    }

    async fn history(&self, order: &OrderRef) -> Answer<Vec<HistoryEntry>> {
        self.0.history(order).await
    }

    async fn payment_history(&self, payment: &PaymentId) -> Answer<Vec<HistoryEntry>> {
        self.0.payment_history(payment).await
    }

    async fn events(&self, order: &OrderRef) -> Answer<Vec<Event>> {
        self.0.events(order).await
    }

    async fn deliveries(&self, order: Option<&OrderRef>, payment: &PaymentId) -> Answer<Vec<EventDelivery>> {
        self.0.deliveries(order, payment).await
    }

    async fn attention(&self) -> Answer<Vec<AttentionItem>> {
        self.0.attention().await
    }

    async fn resolve_attention(&self, key: &str, at: Timestamp) -> Answer<bool> {
        self.0.resolve_attention(key, at).await
    }

    async fn cards(&self, customer: &CustomerRef) -> Answer<Vec<Card>> {
        self.0.cards(customer).await
    }

    async fn card(&self, card: &CardId) -> Answer<Option<CardRecord>> {
        self.0.card(card).await
    }

    async fn sealed_cards(&self, after: Option<&CardId>, limit: u32) -> Answer<Vec<CardRecord>> {
        self.0.sealed_cards(after, limit).await
    }

    async fn reseal_card(&self, card: &CardId, from: &str, to: &str) -> Answer<bool> {
        let stored = self.0.card(card).await?.map(|record| record.sealed_token);
        let from = if self.1 == Fault::Reseal { stored.as_deref().unwrap_or(from) } else { from };
        self.0.reseal_card(card, from, to).await
    }

    async fn sealed_inbox(&self, after: Option<&str>, limit: u32) -> Answer<Vec<InboxEntry>> {
        self.0.sealed_inbox(after, limit).await
    }

    async fn reseal_inbox(&self, id: &str, from: &str, to: &str) -> Answer<bool> {
        self.0.reseal_inbox(id, from, to).await
    }

    async fn watched_accounts(&self) -> Answer<Vec<AccountName>> {
        if self.1 == Fault::WatchedAccounts { Ok(Vec::new()) } else { self.0.watched_accounts().await }
    }

    async fn stats(&self) -> Answer<StoreStats> {
        if self.1 == Fault::Stats { Ok(StoreStats::default()) } else { self.0.stats().await }
    }

    async fn wakes(&self) -> Answer<Option<Receiver<Wake>>> {
        if self.1 == Fault::Wakes {
            let (send, receive) = tokio::sync::mpsc::channel(1);
            std::mem::forget(send);
            return Ok(Some(receive));
        }
        self.0.wakes().await
    }
}

/// Each fault, and a check that must find it.
const FAULTS: [(Fault, &str); 24] = [
    (Fault::Conflicts, "a_stale_version_is_a_conflict"),
    (Fault::Atomicity, "a_commit_is_all_or_nothing"),
    (Fault::PaymentLease, "due_payments_are_taken_once"),
    (Fault::OperationLease, "due_operations_are_taken_once"),
    (Fault::EventLease, "events_are_taken_once"),
    (Fault::EventOrder, "events_of_an_order_come_one_by_one"),
    (Fault::HandlersDone, "an_event_comes_again"),
    (Fault::Parking, "a_parked_event_holds_up_nobody"),
    (Fault::History, "history_is_in_order"),
    (Fault::Repeats, "a_repeated_delivery_is_counted"),
    (Fault::KnownOrder, "a_notification_finds_what_it_needs"),
    (Fault::Delivered, "a_delivery_of_other_meaning_is_kept_beside"),
    (Fault::RefusedBound, "refused_deliveries_are_bounded"),
    (Fault::Keys, "what_is_new_must_be_new"),
    (Fault::Strikes, "an_item_is_struck_once"),
    (Fault::Hurry, "hurry_makes_open_payments_due"),
    (Fault::NextDue, "next_due_is_the_soonest_of_all"),
    (Fault::Reseal, "a_card_is_sealed_anew"),
    (Fault::Paging, "payments_come_in_pages"),
    (Fault::WatchedAccounts, "watched_accounts_are_those_still_asked_about"),
    (Fault::Wakes, "commits_wake_other_processes"),
    (Fault::Stats, "numbers_are_right"),
    (Fault::PutOff, "a_payment_is_put_off_unless_it_changed"),
    (Fault::Late, "a_late_event_holds_up_nobody"),
];

async fn run(fault: Fault, name: &str) -> Result<(), String> {
    let check = checks().into_iter().find(|check| check.name == name);
    let check = check.unwrap_or_else(|| panic!("there is no check `{name}`"));
    let store = Arc::new(Forgetful(Arc::new(MemoryStore::new()), fault));
    let taking = tokio::time::timeout(
        std::time::Duration::from_secs(20),
        check.run(Stores::new(store.clone(), store)),
    );
    taking.await.unwrap_or_else(|_| Err("it never ends".into()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_is_found_by_the_check_that_names_it() {
    let running = FAULTS.map(|(fault, name)| async move {
        assert_eq!(run(Fault::Nothing, name).await, Ok(()), "{name} fails a good store");
        assert!(run(fault, name).await.is_err(), "{name} does not find {fault:?}");
    });
    futures_util::future::join_all(running).await;
}
