//! A store that forgets one thing, around one that does not.

mod outbox;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc::Receiver;
use tulbur_core::{AccountName, CustomerRef, OperationRef, OrderRef, Timestamp};
use tulbur_payments::store::{
    Changes, DueWork, Find, Inbox, InboxEntry, Known, Lists, LongestWaits, PaymentFilter, Records,
    StoreStats, Unread, UnreadSince, Wake,
};
use tulbur_payments::store_suite::{Stores, checks};
use tulbur_payments::{
    AttentionItem, Card, CardId, CardRecord, Event, HistoryEntry, IdempotencyKey, KeyRecord, MemoryStore,
    OperationRecord, Order, PaymentId, PaymentRecord, StoreError,
};

/// What is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Nothing,
    /// What conflicts is taken for done.
    Conflicts,
    /// The parts of a commit are committed one by one.
    Atomicity,
    /// Two payments may have one reference of the provider's.
    ProviderRef,
    /// What was taken is not leased.
    PaymentLease,
    OperationLease,
    /// A claim is not leased.
    DeliveryLease,
    /// Deliveries are handed out newest first.
    DeliveryOrder,
    /// The claimed attempt, or its return, is not counted.
    Attempts,
    /// Whoever has had a claim may settle it.
    Token,
    /// Whoever has had a claim may renew it, and gets it.
    RenewToken,
    /// A claim is not renewed.
    Renewal,
    /// A parked delivery is done.
    Parking,
    /// Parking holds up the later ones.
    ParkedFirst,
    /// What is brought back does not wait.
    Unparking,
    /// A delivery that leaves its stream holds it up.
    Aside,
    /// The next of a stream is never due.
    NextOfStream,
    /// All handlers keep the order.
    InOrder,
    /// What was committed before the first registration.
    Unheard,
    /// What is committed while a handler is registered.
    Registration,
    /// A handler that is registered again is told of everything anew.
    RegisteredAgain,
    /// A handler keeps the order that it had first.
    OrderChange,
    /// What waits for a removed handler.
    Heir,
    /// When a handler was seen.
    Seen,
    /// A handler's part in an event.
    Shown,
    /// When the next delivery is due.
    NextDelivery,
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
    /// Items are not resolved by a commit.
    Resolved,
    /// A restart asks about nothing.
    MakeAllDue,
    /// What lies too far ahead stays there.
    Clamp,
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
}

pub(super) struct Forgetful(pub(super) Arc<MemoryStore>, pub(super) Fault);

impl fmt::Debug for Forgetful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Forgetful({:?})", self.1)
    }
}

pub(super) type Answer<T> = Result<T, StoreError>;

#[async_trait]
impl Records for Forgetful {
    async fn commit(&self, mut changes: Changes) -> Answer<()> {
        match self.1 {
            Fault::RefusedBound => changes.refused.iter_mut().for_each(|(_, keep)| *keep = u32::MAX),
            Fault::History => changes.history.clear(),
            Fault::Resolved => changes.resolved.clear(),
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
            Fault::ProviderRef => {
                if let Err(StoreError::Conflict) = self.0.commit(changes.clone()).await {
                    for payment in &mut changes.payments {
                        payment.reference.provider_ref = None;
                    }
                    return self.0.commit(changes).await;
                }
                return Ok(());
            }
            Fault::Registration => return outbox::commit_beside_registration(&self.0, changes).await,
            _ => {}
        }
        self.0.commit(changes).await
    }

    async fn order(&self, order: &OrderRef) -> Answer<Option<Order>> {
        self.0.order(order).await
    }

    async fn payment(&self, find: Find<'_>) -> Answer<Option<PaymentRecord>> {
        self.0.payment(find).await
    }

    async fn operations(&self, payment: &PaymentId) -> Answer<Vec<OperationRecord>> {
        self.0.operations(payment).await
    }

    async fn operation(&self, operation: &OperationRef) -> Answer<Option<OperationRecord>> {
        self.0.operation(operation).await
    }

    async fn key(&self, key: &IdempotencyKey) -> Answer<Option<KeyRecord>> {
        self.0.key(key).await
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
}

#[async_trait]
impl DueWork for Forgetful {
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

    async fn put_off_unread(
        &self,
        what: Unread<'_>,
        now: Timestamp,
        until: Timestamp,
    ) -> Answer<Option<UnreadSince>> {
        self.0.put_off_unread(what, now, until).await
    }

    async fn take_operations(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Answer<Vec<OperationRef>> {
        self.0.take_operations(now, if self.1 == Fault::OperationLease { now } else { lease }, limit).await
    }

    async fn time(&self) -> Answer<Option<Timestamp>> {
        self.0.time().await
    }

    async fn clamp_times(&self, now: Timestamp, longest: &LongestWaits) -> Answer<u64> {
        if self.1 == Fault::Clamp { Ok(0) } else { self.0.clamp_times(now, longest).await }
    }

    async fn make_all_due(&self, now: Timestamp) -> Answer<()> {
        if self.1 == Fault::MakeAllDue { Ok(()) } else { self.0.make_all_due(now).await }
    }

    async fn next_due(&self) -> Answer<Option<Timestamp>> {
        if self.1 == Fault::NextDue { Ok(None) } else { self.0.next_due().await }
    }

    async fn watched_accounts(&self) -> Answer<Vec<AccountName>> {
        if self.1 == Fault::WatchedAccounts { Ok(Vec::new()) } else { self.0.watched_accounts().await }
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

#[async_trait]
impl Inbox for Forgetful {
    async fn known(&self, account: &AccountName, payment: Find<'_>, repeat_key: &str) -> Answer<Known> {
        let mut known = self.0.known(account, payment, repeat_key).await?;
        match self.1 {
            Fault::Delivered => known.earlier = None,
            Fault::KnownOrder => known.order = None,
            _ => {}
        }
        Ok(known)
    }

    async fn kept_for(
        &self,
        account: &AccountName,
        provider_ref: &tulbur_core::ProviderRef,
    ) -> Result<Vec<InboxEntry>, StoreError> {
        self.0.kept_for(account, provider_ref).await
    }

    async fn take_kept(
        &self,
        now: Timestamp,
        again: Timestamp,
        limit: u32,
    ) -> Result<Vec<InboxEntry>, StoreError> {
        self.0.take_kept(now, again, limit).await
    }

    async fn inbox(&self, limit: u32) -> Answer<Vec<(InboxEntry, u32)>> {
        self.0.inbox(limit).await
    }

    async fn inbox_entry(&self, id: &str) -> Answer<Option<(InboxEntry, u32)>> {
        self.0.inbox_entry(id).await
    }

    async fn sealed_inbox(&self, after: Option<&str>, limit: u32) -> Answer<Vec<InboxEntry>> {
        self.0.sealed_inbox(after, limit).await
    }

    async fn reseal_inbox(&self, id: &str, from: &str, to: &str) -> Answer<bool> {
        self.0.reseal_inbox(id, from, to).await
    }
}

#[async_trait]
impl Lists for Forgetful {
    async fn orders(&self, limit: u32) -> Answer<Vec<Order>> {
        self.0.orders(limit).await
    }

    async fn payments(&self, filter: &PaymentFilter) -> Answer<Vec<PaymentRecord>> {
        let mut filter = filter.clone();
        if self.1 == Fault::Paging {
            filter.after = None;
        }
        self.0.payments(&filter).await
    }

    async fn unknown_operations(&self, limit: u32) -> Answer<Vec<OperationRecord>> {
        self.0.unknown_operations(limit).await
    }

    async fn named(&self, name: &str, limit: u32) -> Answer<Vec<PaymentRecord>> {
        self.0.named(name, limit).await
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

    async fn attention(&self) -> Answer<Vec<AttentionItem>> {
        self.0.attention().await
    }

    async fn resolve_attention(&self, key: &str, at: Timestamp) -> Answer<bool> {
        self.0.resolve_attention(key, at).await
    }

    async fn stats(&self) -> Answer<StoreStats> {
        if self.1 == Fault::Stats { Ok(StoreStats::default()) } else { self.0.stats().await }
    }
}

/// Each fault, and a check that must find it.
const FAULTS: [(Fault, &str); 43] = [
    (Fault::Conflicts, "a_stale_version_is_a_conflict"),
    (Fault::ProviderRef, "what_is_new_must_be_new"),
    (Fault::Atomicity, "a_commit_is_all_or_nothing"),
    (Fault::PaymentLease, "due_payments_are_taken_once"),
    (Fault::OperationLease, "due_operations_are_taken_once"),
    (Fault::DeliveryLease, "deliveries_are_claimed_once"),
    (Fault::DeliveryOrder, "events_of_an_order_come_one_by_one"),
    (Fault::Attempts, "a_delivery_comes_again"),
    (Fault::Attempts, "a_released_claim_gives_its_attempt_back"),
    (Fault::Token, "only_the_owner_settles"),
    (Fault::RenewToken, "only_the_owner_settles"),
    (Fault::Renewal, "a_renewed_claim_is_not_taken"),
    (Fault::Parking, "a_parked_delivery_holds_up_nobody"),
    (Fault::ParkedFirst, "a_parked_delivery_holds_up_nobody"),
    (Fault::Unparking, "a_parked_delivery_holds_up_nobody"),
    (Fault::Aside, "what_is_set_aside_alone_holds_up_nobody"),
    (Fault::NextOfStream, "deliveries_are_in_order_while_others_commit"),
    (Fault::InOrder, "without_order_nothing_waits"),
    (Fault::Unheard, "the_first_handlers_are_told_of_everything"),
    (Fault::Registration, "a_handler_misses_nothing_while_others_commit"),
    (Fault::RegisteredAgain, "registering_again_changes_nothing"),
    (Fault::Unheard, "a_later_handler_is_told_of_what_comes"),
    (Fault::OrderChange, "a_handler_may_change_its_order"),
    (Fault::Heir, "a_removed_handler_leaves_what_waits"),
    (Fault::Seen, "handlers_are_counted"),
    (Fault::Shown, "deliveries_say_how_events_stand"),
    (Fault::NextDelivery, "the_next_delivery_is_the_soonest"),
    (Fault::History, "history_is_in_order"),
    (Fault::Repeats, "a_repeated_delivery_is_counted"),
    (Fault::KnownOrder, "a_notification_finds_what_it_needs"),
    (Fault::Delivered, "a_delivery_of_other_meaning_is_kept_beside"),
    (Fault::RefusedBound, "refused_deliveries_are_bounded"),
    (Fault::Keys, "what_is_new_must_be_new"),
    (Fault::Resolved, "an_item_is_resolved_once"),
    (Fault::MakeAllDue, "every_open_payment_is_made_due"),
    (Fault::NextDue, "next_due_is_the_soonest_of_all"),
    (Fault::Clamp, "what_lies_too_far_ahead_is_moved"),
    (Fault::Reseal, "a_card_is_sealed_anew"),
    (Fault::Paging, "payments_come_in_pages"),
    (Fault::WatchedAccounts, "watched_accounts_are_those_still_asked_about"),
    (Fault::Wakes, "commits_wake_other_processes"),
    (Fault::Stats, "numbers_are_right"),
    (Fault::PutOff, "a_payment_is_put_off_unless_it_changed"),
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
