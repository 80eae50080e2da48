//! What goes on in the background: asking about what is due, and telling handlers what happened.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tracing::Instrument;
use tulbur_core::{OperationState, Timestamp};

use crate::ask::Reason;
use crate::error::Result;
use crate::event::{EventHandler, EventKind, GiveUp, HandlerError};
use crate::observe::{self, Sampler};
use crate::payments::{Inner, Payments};
use crate::probe::Point;
use crate::record::PaymentId;
use crate::schedule::spread;
use crate::store::{ClaimedEvent, Settle};
use crate::transition::Fact;

/// Payments and operations taken from the database at once.
const TAKEN_AT_ONCE: u32 = 16;
/// Events claimed at once.
const EVENTS_AT_ONCE: u32 = 32;
/// Events that handlers which keep the order work on at one time.
const EVENTS_UNDER_WAY: usize = 128;
/// Everything under way at one time. Only what waits for somebody slow comes near.
const MOST_JOBS: usize = 4096;
/// How long handlers that keep no order may take before an event's order goes on without them.
const PATIENCE: Duration = Duration::from_millis(250);
/// The longest sleep, so that what other processes commit is seen.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// After this many failures an event is parked for a person.
const MOST_ATTEMPTS: u32 = 20;

/// What is under way. Nothing here waits for anything else here: a bank that does not answer and a handler that does
/// not end hold up what waits for them, and nobody else.
#[derive(Debug)]
struct Work {
    jobs: JoinSet<Result<()>>,
    room: Arc<Semaphore>,
}

impl Work {
    fn new() -> Self {
        Self { jobs: JoinSet::new(), room: Arc::new(Semaphore::new(EVENTS_UNDER_WAY)) }
    }

    fn is_full(&self) -> bool {
        self.jobs.len() >= MOST_JOBS || self.room.available_permits() == 0
    }

    /// Takes what is due now and begins to work on it; whether there was anything.
    async fn take(&mut self, payments: &Payments) -> Result<bool> {
        let inner = &payments.0;
        if self.jobs.len() >= MOST_JOBS {
            return Ok(false);
        }
        let now = inner.clock.now();
        let lease = now.after(inner.schedule.work_lease);
        let room = u32::try_from(self.room.available_permits()).unwrap_or(u32::MAX).min(EVENTS_AT_ONCE);
        let events = if room == 0 { Vec::new() } else { inner.store.take_events(now, lease, room).await? };
        let due = inner.store.take_due(now, lease, TAKEN_AT_ONCE).await?;
        let operations = inner.store.take_operations(now, lease, TAKEN_AT_ONCE).await?;
        let busy = !events.is_empty() || !due.is_empty() || !operations.is_empty();
        for event in events {
            let (inner, room) = (Arc::clone(inner), Arc::clone(&self.room).try_acquire_owned().ok());
            let span =
                tracing::info_span!("event", id = event.event.id.as_str(), kind = event.event.kind.name());
            self.jobs.spawn(async move { inner.deliver_event(&event, lease, room).await }.instrument(span));
        }
        for payment in due {
            let inner = Arc::clone(inner);
            self.jobs.spawn(async move { inner.attend(&payment).await });
        }
        for operation in operations {
            let inner = Arc::clone(inner);
            self.jobs.spawn(async move { inner.attend_operation(&operation).await });
        }
        Ok(busy)
    }

    /// Waits until something that was begun has ended; for ever if nothing was.
    async fn ended(&mut self) {
        match self.jobs.join_next().await {
            Some(result) => note(result),
            None => std::future::pending().await,
        }
    }

    async fn finish(&mut self) {
        while let Some(result) = self.jobs.join_next().await {
            note(result);
        }
    }
}

fn note(result: std::result::Result<Result<()>, tokio::task::JoinError>) {
    // What failed stays leased and comes again.
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "an item of background work failed"),
        Err(error) => tracing::error!(%error, "an item of background work ended without a word"),
    }
}

impl Payments {
    /// The background work, until `stop` is ready: spawn it once per process.
    ///
    /// It begins by asking about every open payment, because a notification may have come while nobody listened.
    /// Then it asks about payments that are due, ends what nobody finished, takes over what a dead process left, and
    /// delivers events to the handlers. What it was doing when it stops is finished first.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        let mut stop = std::pin::pin!(stop);
        if let Err(error) = self.0.store.hurry(self.now()).await {
            tracing::error!(%error, "open payments could not be made due after the start; they are asked about in time");
        }
        let _hearing = self.0.hear();
        let mut work = Work::new();
        let sampler = Sampler::default();
        loop {
            let pause = match work.take(self).await {
                Ok(true) => Duration::ZERO,
                Ok(false) => self.pause(work.is_full()).await,
                Err(error) => {
                    tracing::error!(%error, "the background work could not go on; trying again");
                    Duration::from_secs(1)
                }
            };
            self.0.forget_old_asks();
            if sampler.is_time(self.now()) {
                let (sampler, inner) = (sampler.clone(), Arc::clone(&self.0));
                work.jobs.spawn(async move {
                    sampler.sample(&inner).await;
                    Ok(())
                });
            }
            while let Some(result) = work.jobs.try_join_next() {
                note(result);
            }
            tokio::select! {
                () = &mut stop => break,
                () = self.0.wake.notified(), if !pause.is_zero() => {}
                () = work.ended(), if !pause.is_zero() => {}
                () = self.0.sleep(pause), if !pause.is_zero() => {}
                () = std::future::ready(()), if pause.is_zero() => {}
            }
        }
        work.finish().await;
    }

    /// Does what is due now, and says how long there is nothing to do. For tests and for those who schedule it
    /// themselves.
    ///
    /// # Errors
    /// The database's.
    pub async fn work_once(&self) -> Result<Duration> {
        let mut work = Work::new();
        let busy = work.take(self).await?;
        work.finish().await;
        self.0.forget_old_asks();
        if busy {
            return Ok(Duration::ZERO);
        }
        Ok(self.pause(false).await)
    }

    /// How long there is nothing to do. When there is no room for more, something that ends is what is waited for.
    async fn pause(&self, full: bool) -> Duration {
        if full {
            return Duration::from_millis(250);
        }
        match self.0.store.next_due().await {
            Ok(next) => {
                let now = self.0.clock.now();
                let wait = next.map_or(LONGEST_SLEEP, |next| next.since(now).min(LONGEST_SLEEP));
                wait.max(Duration::from_millis(10))
            }
            Err(error) => {
                tracing::error!(%error, "the database does not say what is due next; looking again");
                Duration::from_secs(1)
            }
        }
    }
}

impl Inner {
    /// A payment is due: its write was left half done, or the provider is to be asked.
    async fn attend(&self, id: &PaymentId) -> Result<()> {
        if self.is_in_flight(id.as_str()) {
            return Ok(());
        }
        let payment = self.load(id).await?;
        if payment.ask_at.is_none_or(|at| at > self.clock.now()) {
            // Somebody else was told, and has asked.
            return Ok(());
        }
        if matches!(payment.operation, OperationState::Reserved | OperationState::Submitted) {
            self.decide(payment.into(), None, &Fact::Abandoned, None).await?;
            return Ok(());
        }
        self.ask_about(payment, Reason::Due).await?;
        Ok(())
    }

    /// Calls every handler that has not done its work for this event, all at the same time. What one of them does or
    /// does not do is nothing to the others.
    async fn deliver_event(
        &self,
        claimed: &ClaimedEvent,
        lease: Timestamp,
        room: Option<OwnedSemaphorePermit>,
    ) -> Result<()> {
        self.reached(Point::EventClaimed);
        let id = &claimed.event.id;
        if claimed.attempts == 0
            && let EventKind::Attention { reason, .. } = claimed.event.kind
        {
            observe::attention(reason);
        }
        let (ordered, late): (Vec<_>, Vec<_>) = self
            .handlers
            .iter()
            .filter(|(name, _)| !claimed.done.contains(name))
            .partition(|(_, handler)| handler.in_order());
        let ordered = join_all(ordered.into_iter().map(|(name, handler)| self.call(claimed, name, handler)));
        let late = join_all(late.into_iter().map(|(name, handler)| self.call(claimed, name, handler)));
        let (ordered, late) = match select(ordered, late).await {
            Either::Right((late, ordered)) => (ordered.await, late),
            Either::Left((ordered, late)) => match select(late, Box::pin(self.sleep(PATIENCE))).await {
                Either::Left((late, _)) => (ordered, late),
                Either::Right(((), late)) => {
                    // Somebody slow keeps no order: the events that come after go on.
                    drop(room);
                    if ordered.iter().all(|end| matches!(end, Ok(End::Done))) {
                        self.store.settle_event(id, Settle::Late(lease)).await?;
                        self.wake.notify_one();
                    }
                    (ordered, late.await)
                }
            },
        };
        let in_order = ordered.iter().all(|end| matches!(end, Ok(End::Done)));
        let mut ends = Vec::with_capacity(ordered.len() + late.len());
        for end in ordered.into_iter().chain(late) {
            ends.push(end?);
        }
        if ends.iter().all(|end| *end == End::Done) {
            return Ok(self.store.settle_event(id, Settle::Done).await?);
        }
        let hopeless = ends.iter().all(|end| *end != End::Again);
        if hopeless || claimed.attempts + 1 >= MOST_ATTEMPTS {
            tracing::error!(event = %id, attempts = claimed.attempts + 1, "parked; a person must look");
            observe::parked();
            return Ok(self.store.settle_event(id, Settle::Parked).await?);
        }
        let wait = Duration::from_secs(1 << claimed.attempts.min(9));
        let again = self.clock.now().after(spread(wait, id.as_str(), claimed.attempts));
        let settle = if in_order { Settle::Late(again) } else { Settle::Again(again) };
        Ok(self.store.settle_event(id, settle).await?)
    }

    /// Calls one handler, and notes it if it did its work.
    async fn call(&self, claimed: &ClaimedEvent, name: &str, handler: &Arc<dyn EventHandler>) -> Result<End> {
        let event = &claimed.event;
        let (handler, owned) = (Arc::clone(handler), event.clone());
        // In a task of its own, so that a handler that panics is a handler that failed.
        let called = tokio::spawn(async move { handler.handle(&owned).await }.in_current_span());
        let failure: HandlerError = match called.await {
            Ok(Ok(())) => {
                self.reached(Point::EventHandled);
                self.store.handled(&event.id, name).await?;
                observe::handler(name, Some(self.clock.now().since(event.at)));
                return Ok(End::Done);
            }
            Ok(Err(failure)) => failure,
            Err(panic) => panic.into(),
        };
        observe::handler(name, None);
        if failure.is::<GiveUp>() {
            tracing::error!(event = %event.id, handler = name, %failure, "a handler gives the event up");
            return Ok(End::GivenUp);
        }
        tracing::warn!(event = %event.id, handler = name, %failure, "a handler failed; it comes again");
        Ok(End::Again)
    }
}

/// How a handler ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    Again,
    GivenUp,
}
