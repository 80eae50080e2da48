//! Makes each command on both stores, and compares the answers.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use tulbur_core::Timestamp;
use tulbur_payments::store::{
    Claim, ClaimedDelivery, Find, HandlerSpec, LongestWaits, Settle, Unread as UnreadThing,
};
use tulbur_payments::store_suite::Stores;
use tulbur_payments::{DueWork, Inbox, MemoryStore, Outbox as _, PaymentId, Records, Store, StoreError};

use super::commands::{Command, HANDLERS, How, OPERATIONS, Plan, Step, Unread, Version};
use super::look::{everything, look, text};
use super::plans::{Planner, Sent};
use super::records::{self, START, at};

pub(super) struct Twins {
    memory: MemoryStore,
    stores: Stores,
    now: i64,
    sent: Sent,
    /// What was claimed in memory and in the database.
    claims: Vec<(Claim, Claim)>,
    tokens: usize,
}

/// The waits that `clamp_times` is called with; a few of the planned times lie further ahead.
fn longest() -> LongestWaits {
    let mut longest = LongestWaits::default();
    longest.write = Duration::from_secs(20);
    longest.work = Duration::from_secs(15);
    longest.question = Duration::from_secs(25);
    longest.held = Duration::from_mins(1);
    longest.late = Duration::from_secs(90);
    longest.delivery = Duration::from_secs(30);
    longest
}

/// A list of which the order is open.
fn in_any_order<T: std::fmt::Debug>(answer: Result<Vec<T>, StoreError>) -> String {
    text(answer.map(|list| list.iter().map(|one| format!("{one:#?}")).collect::<BTreeSet<String>>()))
}

/// What is promised of claims: which deliveries, per handler in the order of their events. Which handler's come first is
/// open, and so are the events' numbers: only their order means something.
fn claimed(answer: &Result<Vec<ClaimedDelivery>, StoreError>) -> String {
    text(answer.as_ref().map_err(Clone::clone).map(|claims| {
        let mut claims: Vec<&ClaimedDelivery> = claims.iter().collect();
        claims.sort_by_key(|one| &one.claim.handler);
        let shown = claims.into_iter().map(|one| {
            let Claim { handler, event, stream, owner, .. } = &one.claim;
            let claim = (handler.clone(), event.clone(), stream.clone(), owner.clone());
            (claim, one.event.clone(), one.attempts, one.first_at, one.aside_at)
        });
        shown.collect::<Vec<_>>()
    }))
}

/// So many that the last one is sooner than the first one that is left: which of several that are due at the same moment
/// are taken is open.
fn untied(limit: u32, mut due: Vec<Timestamp>) -> u32 {
    due.sort_unstable();
    let limit = usize::try_from(limit).unwrap();
    let rest = due.get(limit..).unwrap_or_default().iter();
    let tied = rest.take_while(|at| Some(*at) == limit.checked_sub(1).map(|last| &due[last])).count();
    u32::try_from(limit + tied).unwrap()
}

impl Twins {
    pub(super) fn new(stores: Stores) -> Self {
        let (memory, sent) = (MemoryStore::new(), Sent::default());
        Self { memory, stores, now: START, sent, claims: Vec::new(), tokens: 0 }
    }

    fn twin(&self, step: &Step) -> &dyn Store {
        if step.second_process { &*self.stores.two } else { &*self.stores.one }
    }

    pub(super) async fn step(&mut self, step: &Step) {
        self.now += step.wait;
        if step.when_due {
            self.wait_until_due(matches!(step.command, Command::Claim { .. })).await;
        }
        match &step.command {
            Command::Commit(plan) => self.commit(step, plan).await,
            Command::Together(plans) => self.together(step, plans).await,
            Command::Claim { wanted, lease } => self.claim(step, wanted, *lease).await,
            Command::Renew { claim, lease } => self.renew(step, *claim, *lease).await,
            Command::Settle(settled) => self.settle(step, settled).await,
            command => {
                let limit = self.limit(command).await;
                let in_memory = self.call(&self.memory, command, limit).await;
                let in_twin = self.call(self.twin(step), command, limit).await;
                self.agree(step, &in_memory, &in_twin);
            }
        }
        // What a process waits by.
        for command in [super::commands::Look::NextDue, super::commands::Look::Stats] {
            self.look(self.twin(step), &command).await;
        }
    }

    async fn wait_until_due(&mut self, delivery: bool) {
        const SOON: i64 = 60_000;
        let handlers: Vec<String> = (0..HANDLERS).map(records::handler).collect();
        let due =
            if delivery { self.memory.next_delivery(&handlers).await } else { self.memory.next_due().await };
        let wait = due.unwrap().map_or(0, |at| at.as_millis() - self.now);
        if (0..SOON).contains(&wait) {
            self.now += wait;
        }
    }

    fn agree(&self, what: &impl std::fmt::Debug, in_memory: &str, in_twin: &str) {
        assert!(
            in_memory == in_twin,
            "at {} the stores answer differently to {what:?}\n\nmemory: {in_memory}\n\nthe database: {in_twin}",
            at(self.now)
        );
    }

    async fn look(&self, twin: &dyn Store, what: &super::commands::Look) {
        let in_memory = look(&self.memory, what, self.now).await;
        let in_twin = look(twin, what, self.now).await;
        self.agree(what, &in_memory, &in_twin);
    }

    pub(super) async fn compare_everything(&self) {
        for what in everything(self.sent.entries.len()) {
            self.look(&*self.stores.one, &what).await;
        }
    }

    async fn commit(&mut self, step: &Step, plan: &Plan) {
        let mut planner = Planner { memory: &self.memory, sent: &mut self.sent, now: self.now, taken: None };
        let changes = planner.changes(plan).await;
        let in_memory = text(self.memory.commit(changes.clone()).await);
        let in_twin = text(self.twin(step).commit(changes).await);
        self.agree(step, &in_memory, &in_twin);
    }

    /// Several commits of one process at the same moment. Each has records of its own, so that whatever the store puts
    /// together, all of them end as if they had come one after the other.
    async fn together(&mut self, step: &Step, plans: &[Plan]) {
        let mut taken = BTreeSet::new();
        let mut all = Vec::new();
        for plan in plans {
            let (memory, sent) = (&self.memory, &mut self.sent);
            let mut planner = Planner { memory, sent, now: self.now, taken: Some(&mut taken) };
            all.push(planner.changes(plan).await);
        }
        let mut in_memory = Vec::new();
        for changes in &all {
            in_memory.push(self.memory.commit(changes.clone()).await);
        }
        let twin = self.twin(step);
        let in_twin = join_all(all.into_iter().map(|changes| twin.commit(changes))).await;
        self.agree(step, &format!("{in_memory:#?}"), &format!("{in_twin:#?}"));
    }

    async fn claim(&mut self, step: &Step, wanted: &[(usize, u32)], lease: i64) {
        let mut seen = BTreeSet::new();
        let wanted: Vec<(String, u32)> = wanted
            .iter()
            .filter(|(handler, _)| seen.insert(*handler))
            .map(|(handler, most)| (records::handler(*handler), *most))
            .collect();
        self.tokens += 1;
        let owner = format!("owner {}", self.tokens);
        let (now, lease) = (at(self.now), at(self.now + lease));
        let in_memory = self.memory.claim_deliveries(&wanted, &owner, now, lease).await;
        let in_twin = self.twin(step).claim_deliveries(&wanted, &owner, now, lease).await;
        self.agree(step, &claimed(&in_memory), &claimed(&in_twin));
        let in_twin = in_twin.unwrap();
        for ClaimedDelivery { claim, .. } in in_memory.unwrap() {
            let is_it = |one: &&ClaimedDelivery| {
                (&one.claim.handler, &one.claim.event) == (&claim.handler, &claim.event)
            };
            let twin = in_twin.iter().find(is_it).expect("they are the same").claim.clone();
            self.claims.push((claim, twin));
        }
    }

    /// One of the claims that were ever made, counted from the last one; it may have ended.
    fn claimed(&self, number: usize) -> Option<&(Claim, Claim)> {
        let count = self.claims.len();
        (count > 0).then(|| &self.claims[count - 1 - number % count])
    }

    async fn renew(&mut self, step: &Step, number: usize, lease: i64) {
        let Some((claim, twin)) = self.claimed(number) else { return };
        let lease = at(self.now + lease);
        let in_memory = text(self.memory.renew_delivery(claim, lease).await);
        let in_twin = text(self.twin(step).renew_delivery(twin, lease).await);
        self.agree(step, &in_memory, &in_twin);
    }

    async fn settle(&mut self, step: &Step, settled: &[(usize, How)]) {
        let now = at(self.now);
        let mut in_memory = Vec::new();
        let mut twins = Vec::new();
        for (number, how) in settled {
            let Some((claim, twin)) = self.claimed(*number) else { return };
            let settle = match *how {
                How::Done => Settle::Done,
                How::Again(ahead) => Settle::Again(at(self.now + ahead)),
                How::Parked => Settle::Parked,
                How::Released(ahead) => Settle::Released(at(self.now + ahead)),
                How::SetAside(ahead, alone) => Settle::SetAside { until: at(self.now + ahead), alone },
            };
            in_memory.push(self.memory.settle_delivery(claim, settle, now).await);
            twins.push((twin.clone(), settle));
        }
        let twin = self.twin(step);
        let settling = twins.iter().map(|(claim, settle)| twin.settle_delivery(claim, *settle, now));
        let in_twin = join_all(settling).await;
        self.agree(step, &format!("{in_memory:#?}"), &format!("{in_twin:#?}"));
    }

    /// How many are taken.
    async fn limit(&self, command: &Command) -> u32 {
        match command {
            Command::TakeDue { limit, .. } => *limit,
            Command::TakeOperations { limit, .. } => {
                let mut due = Vec::new();
                for number in 0..OPERATIONS {
                    let operation = self.memory.operation(&records::operation_ref(number)).await.unwrap();
                    due.extend(operation.and_then(|one| one.lease_until));
                }
                untied(*limit, due)
            }
            Command::TakeKept { limit, .. } => {
                let entries = self.memory.inbox(1000).await.unwrap();
                untied(*limit, entries.into_iter().filter_map(|(entry, _)| entry.due_at).collect())
            }
            _ => 0,
        }
    }

    /// What one store answers; lists of which the order is open are sorted.
    async fn call(&self, store: &dyn Store, command: &Command, limit: u32) -> String {
        let now = at(self.now);
        let ahead = |millis: &i64| at(self.now + millis);
        match command {
            Command::TakeDue { lease, .. } => in_any_order(store.take_due(now, ahead(lease), limit).await),
            Command::PutOff { payment, version, until } => {
                let id = records::payment_id(*payment);
                // Read from memory: both are asked about the same.
                let Some(payment) = self.memory.payment(Find::Id(&id)).await.unwrap() else {
                    return String::new();
                };
                let change = match version {
                    Version::Current => 0,
                    Version::Older => -1,
                    Version::Newer => 1,
                };
                let at_version = payment.version() + change;
                text(store.put_off(&payment.at_version(at_version), ahead(until)).await)
            }
            Command::PutOffUnread { of: Unread::Payment(number), until } => {
                let id: PaymentId = records::payment_id(*number);
                text(store.put_off_unread(UnreadThing::Payment(&id), now, ahead(until)).await)
            }
            Command::PutOffUnread { of: Unread::Operation(number), until } => {
                let reference = records::operation_ref(*number);
                text(store.put_off_unread(UnreadThing::Operation(&reference), now, ahead(until)).await)
            }
            Command::TakeOperations { lease, .. } => {
                in_any_order(store.take_operations(now, ahead(lease), limit).await)
            }
            Command::TakeKept { again, .. } => text(store.take_kept(now, ahead(again), limit).await),
            Command::MakeAllDue => text(store.make_all_due(now).await),
            Command::Clamp => text(store.clamp_times(now, &longest()).await),
            Command::Resolve(item) => text(store.resolve_attention(&records::item_key(*item), now).await),
            Command::ResealCard { .. } | Command::ResealInbox { .. } => self.reseal(store, command).await,
            Command::Look(what) => look(store, what, self.now).await,
            command => self.of_handlers(store, command).await,
        }
    }

    async fn of_handlers(&self, store: &dyn Store, command: &Command) -> String {
        let now = at(self.now);
        match command {
            Command::Register(handlers) => {
                let specs: Vec<HandlerSpec> = handlers
                    .iter()
                    .map(|(handler, in_order)| HandlerSpec::new(records::handler(*handler), *in_order))
                    .collect();
                text(store.register_handlers(&specs, now).await)
            }
            Command::See(handlers) => {
                let names: BTreeSet<String> =
                    handlers.iter().map(|handler| records::handler(*handler)).collect();
                let names: Vec<String> = names.into_iter().collect();
                in_any_order(store.see_handlers(&names, now).await)
            }
            Command::Remove { handler, heir } => {
                let heir = heir.map(records::handler);
                text(store.remove_handler(&records::handler(*handler), heir.as_deref(), now).await)
            }
            Command::Backfill { handler, from } => {
                text(store.backfill_handler(&records::handler(*handler), at(self.now + from), now).await)
            }
            Command::Unpark { handler, event, at: when } => {
                let event = records::event_id(event % self.sent.events.len().max(1));
                let when = at(self.now + when);
                text(store.unpark_delivery(&records::handler(*handler), &event, when).await)
            }
            _ => unreachable!("the callers know which these are"),
        }
    }

    async fn reseal(&self, store: &dyn Store, command: &Command) -> String {
        let other = |right: bool, sealed: &str| if right { sealed.to_owned() } else { "another".to_owned() };
        match command {
            Command::ResealCard { card, right } => {
                // From what this very store has: a call before may have changed it.
                let id = records::card_id(*card);
                let stored = store.card(&id).await.unwrap().map(|card| card.sealed_token);
                let from = other(*right, &stored.unwrap_or_default());
                text(store.reseal_card(&id, &from, &format!("{from}+")).await)
            }
            Command::ResealInbox { entry, right } => {
                let id = records::entry_id(entry % self.sent.entries.len().max(1));
                let stored = store.inbox_entry(&id).await.unwrap().map(|(entry, _)| entry.sealed);
                let from = other(*right, &stored.unwrap_or_default());
                text(store.reseal_inbox(&id, &from, &format!("{from}+")).await)
            }
            _ => unreachable!("the caller knows which these are"),
        }
    }
}
