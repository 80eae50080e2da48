//! What goes on in the background: asking about what is due, and telling handlers what happened.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, join3};
use tulbur_core::OperationState;

use crate::ask::Reason;
use crate::error::Result;
use crate::payments::{Inner, Payments};
use crate::probe::Point;
use crate::record::PaymentRecord;
use crate::store::{ClaimedEvent, Settle};
use crate::transition::Fact;

/// Payments asked about at once.
const ASKED_AT_ONCE: u32 = 16;
/// Events claimed at once.
const EVENTS_AT_ONCE: u32 = 32;
/// The longest sleep, so that what other processes commit is seen.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// After this many failures an event is parked for a person.
const MOST_ATTEMPTS: u32 = 20;

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
        loop {
            let pause = match self.work_once().await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::error!(%error, "the background work could not go on; trying again");
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = &mut stop => return,
                () = self.0.wake.notified(), if !pause.is_zero() => {}
                () = self.0.sleep(pause), if !pause.is_zero() => {}
                () = std::future::ready(()), if pause.is_zero() => {}
            }
        }
    }

    /// Does what is due now, and says how long there is nothing to do. For tests and for those who schedule it
    /// themselves.
    ///
    /// # Errors
    /// The database's.
    pub async fn work_once(&self) -> Result<Duration> {
        let inner = &self.0;
        let now = inner.clock.now();
        let lease = now.after(inner.schedule.work_lease);
        let events = inner.store.take_events(now, lease, EVENTS_AT_ONCE).await?;
        let due = inner.store.take_due(now, lease, ASKED_AT_ONCE).await?;
        let operations = inner.store.take_operations(now, lease, ASKED_AT_ONCE).await?;
        let busy = !events.is_empty() || !due.is_empty() || !operations.is_empty();
        let asking = join_all(due.iter().map(|payment| inner.attend(payment)));
        let telling = join_all(events.iter().map(|event| inner.deliver_event(event)));
        let settling = join_all(operations.iter().map(|operation| inner.attend_operation(operation)));
        let (asked, told, settled) = join3(asking, telling, settling).await;
        for result in asked.into_iter().chain(told).chain(settled) {
            // What failed stays leased and comes again.
            if let Err(error) = result {
                tracing::error!(%error, "an item of background work failed");
            }
        }
        inner.forget_old_asks();
        if busy {
            return Ok(Duration::ZERO);
        }
        let next = inner.store.next_due().await?;
        let now = inner.clock.now();
        let wait = next.map_or(LONGEST_SLEEP, |next| next.since(now).min(LONGEST_SLEEP));
        Ok(wait.max(Duration::from_millis(10)))
    }
}

impl Inner {
    /// A payment is due: its write was left half done, or the provider is to be asked.
    async fn attend(&self, payment: &PaymentRecord) -> Result<()> {
        if self.is_in_flight(payment.id.as_str()) {
            return Ok(());
        }
        if matches!(payment.operation, OperationState::Reserved | OperationState::Submitted) {
            self.apply(&payment.id, &Fact::Abandoned, None).await?;
            return Ok(());
        }
        self.ask_spaced(&payment.id, Reason::Due).await?;
        Ok(())
    }

    async fn deliver_event(&self, claimed: &ClaimedEvent) -> Result<()> {
        self.reached(Point::EventClaimed);
        let event = &claimed.event;
        for (name, handler) in &self.handlers {
            if claimed.done.contains(name) {
                continue;
            }
            let (handler, owned) = (Arc::clone(handler), event.clone());
            // In a task of its own, so that a handler that panics is a handler that failed.
            let result = tokio::spawn(async move { handler.handle(&owned).await }).await;
            let failure = match result {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(panic) => Some(panic.to_string()),
            };
            if let Some(failure) = failure {
                tracing::warn!(event = %event.id, handler = name, %failure, "a handler failed; it comes again");
                return self.event_failed(claimed).await;
            }
            self.reached(Point::EventHandled);
            self.store.handled(&event.id, name).await?;
        }
        Ok(self.store.settle_event(&event.id, Settle::Done).await?)
    }

    async fn event_failed(&self, claimed: &ClaimedEvent) -> Result<()> {
        let id = &claimed.event.id;
        if claimed.attempts + 1 >= MOST_ATTEMPTS {
            tracing::error!(event = %id, "parked after {MOST_ATTEMPTS} failures; a person must look");
            metrics::counter!("tulbur_events_parked_total").increment(1);
            return Ok(self.store.settle_event(id, Settle::Parked).await?);
        }
        let wait = Duration::from_secs(1 << claimed.attempts.min(9));
        let again = self.clock.now().after(wait);
        Ok(self.store.settle_event(id, Settle::Again(again)).await?)
    }
}
