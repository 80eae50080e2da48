//! Runs the background work: asks about payments that are due, and delivers events to handlers.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tulbur_core::{OperationState, Timestamp};

use crate::decide::{Fact, lease_is_over};
use crate::engine::apply::Patience;
use crate::engine::inner::{Inner, Payments};
use crate::engine::sampler::Sampler;
use crate::engine::spacing::Reason;
use crate::error::Result;
use crate::model::record::PaymentId;

/// Payments and operations taken from the database at once.
const TAKEN_AT_ONCE: u32 = 16;
/// How soon a notification that came before its payment was known is tried again.
const KEPT_AGAIN: Duration = Duration::from_secs(30);
/// Everything under way at one time. Only what waits for somebody slow comes near.
const MOST_JOBS: usize = 4096;
/// The longest sleep, so that what other processes commit is seen.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// The shortest.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);
/// How long to sleep when there is no room for more.
const FULL_FOR: Duration = Duration::from_millis(250);

/// What is under way. Nothing here waits for anything else here: a bank that does not answer and a handler that does
/// not end hold up what waits for them, and nobody else.
#[derive(Debug)]
struct Work {
    jobs: JoinSet<Result<()>>,
    deliveries: JoinSet<Result<()>>,
}

/// The kinds of work that are due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Due {
    deliveries: bool,
    /// Payments, operations and kept notifications.
    questions: bool,
}

/// The kind of work that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Job,
    Delivery,
}

/// How a turn of the worker ended.
struct Turn {
    took: Due,
    /// How long there is nothing to do.
    pause: Duration,
}

impl Work {
    fn new() -> Self {
        Self { jobs: JoinSet::new(), deliveries: JoinSet::new() }
    }

    fn is_full(&self) -> bool {
        self.jobs.len() >= MOST_JOBS
    }

    /// Takes of what is due and begins to work on it; whether there was anything. Deliveries and questions do not stop
    /// each other by failing.
    async fn take(&mut self, payments: &Payments, due: Due) -> Result<Due> {
        let mut took = Due::default();
        let mut failed = Ok(());
        if due.deliveries {
            match payments.0.take_deliveries(&mut self.deliveries).await {
                Ok(busy) => took.deliveries = busy,
                Err(error) => failed = Err(error),
            }
        }
        if due.questions {
            took.questions = self.take_questions(payments).await?;
        }
        failed.map(|()| took)
    }

    async fn take_questions(&mut self, payments: &Payments) -> Result<bool> {
        let inner = &payments.0;
        if self.is_full() {
            return Ok(false);
        }
        let now = inner.now();
        let lease = now.after(inner.schedule.work_lease);
        let due = inner.store.take_due(now, lease, TAKEN_AT_ONCE).await?;
        let operations = inner.store.take_operations(now, lease, TAKEN_AT_ONCE).await?;
        let kept = inner.store.take_kept(now, now.after(KEPT_AGAIN), TAKEN_AT_ONCE).await?;
        let busy = !due.is_empty() || !operations.is_empty() || !kept.is_empty();
        for entry in kept {
            let inner = Arc::clone(inner);
            self.jobs.spawn(async move { inner.try_kept(&entry).await });
        }
        for payment in due {
            let inner = Arc::clone(inner);
            self.jobs.spawn(async move { inner.attend(&payment).await });
        }
        for operation in operations {
            let inner = Arc::clone(inner);
            self.jobs.spawn(async move {
                match inner.load_due_operation(&operation).await? {
                    Some(operation) => inner.attend_operation(&operation).await,
                    None => Ok(()),
                }
            });
        }
        Ok(busy)
    }

    /// Waits until something that was begun has ended; for ever if nothing was.
    async fn ended(&mut self) -> Ended {
        tokio::select! {
            biased;
            Some(result) = self.jobs.join_next() => {
                note(result);
                Ended::Job
            }
            Some(result) = self.deliveries.join_next() => {
                note(result);
                Ended::Delivery
            }
            else => std::future::pending().await,
        }
    }

    async fn finish(&mut self) {
        while !(self.jobs.is_empty() && self.deliveries.is_empty()) {
            self.ended().await;
        }
    }

    /// Finishes what was begun, until this is ready; then it is aborted.
    async fn finish_until(&mut self, deadline: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = self.finish() => return,
            () = deadline => {}
        }
        let (jobs, deliveries) = (self.jobs.len(), self.deliveries.len());
        tracing::error!(
            jobs,
            deliveries,
            "background work has not ended in time and is aborted; it comes again"
        );
        self.jobs.abort_all();
        self.deliveries.abort_all();
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
    /// delivers events to the handlers, which it registers first. What it was doing when it is to stop is finished, for
    /// as long as [`PaymentsBuilder::stop_within`](crate::PaymentsBuilder::stop_within) says.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        let mut stop = std::pin::pin!(stop);
        let _starting = self.0.make_all_due();
        let _hearing = self.0.hear();
        let mut work = Work::new();
        let sampler = Sampler::default();
        let mut more = Due::default();
        'running: loop {
            let pause = match self.turn(&mut work, more).await {
                Ok(Turn { took, pause }) => {
                    more = took;
                    pause
                }
                Err(error) => {
                    tracing::error!(%error, "the background work could not go on; trying again");
                    Duration::from_secs(1)
                }
            };
            self.0.forget_old_asks();
            self.0.refusals.say_left_out(self.0.clock.monotonic());
            if self.0.gauges && sampler.is_time(self.0.clock.monotonic()) {
                let (sampler, inner) = (sampler.clone(), Arc::clone(&self.0));
                work.jobs.spawn(async move {
                    sampler.sample(&inner).await;
                    Ok(())
                });
            }
            while let Some(result) = work.jobs.try_join_next() {
                note(result);
            }
            while let Some(result) = work.deliveries.try_join_next() {
                note(result);
            }
            if pause.is_zero() {
                tokio::select! {
                    biased;
                    () = &mut stop => break,
                    () = std::future::ready(()) => continue,
                }
            }
            // Something may be due for which there is room only when something else has ended.
            let no_room = work.is_full() || !self.0.deliverer.has_room_everywhere();
            let mut slept = std::pin::pin!(self.0.sleep(pause));
            loop {
                tokio::select! {
                    biased;
                    () = &mut stop => break 'running,
                    () = self.0.wake.notified() => break,
                    // A question wakes the worker by its commit. A delivery may have made the next event of its order due.
                    ended = work.ended() => if no_room || ended == Ended::Delivery { break },
                    () = &mut slept => break,
                }
            }
        }
        work.finish_until(self.0.sleep(self.0.stop_within)).await;
    }

    /// Does what is due now, and says how long there is nothing to do. For tests and for those who schedule it
    /// themselves.
    ///
    /// # Errors
    /// The database's.
    pub async fn work_once(&self) -> Result<Duration> {
        let mut work = Work::new();
        let turn = self.turn(&mut work, Due::default()).await?;
        work.finish().await;
        self.0.forget_old_asks();
        Ok(turn.pause)
    }

    /// One turn of the background work. It looks when something is due before it takes anything, because most commits
    /// that wake it make nothing due. Of what the last turn took there may be more.
    async fn turn(&self, work: &mut Work, more: Due) -> Result<Turn> {
        let inner = &self.0;
        let prepared = inner.prepare_deliveries().await;
        inner.turn_of_time().await;
        let now = inner.now();
        let asked = inner.store.next_due().await?;
        let delivered = inner.store.next_delivery(&inner.deliverer.waiting_for_work()).await?;
        let is_due = |next: Option<Timestamp>| next.is_some_and(|next| next <= now);
        let due = Due {
            deliveries: prepared.is_ok() && (more.deliveries || is_due(delivered)),
            questions: more.questions || is_due(asked),
        };
        let took = work.take(self, due).await?;
        prepared?;
        let pause = if took != Due::default() {
            Duration::ZERO
        } else if work.is_full() {
            // Something that ends is what is waited for.
            FULL_FOR
        } else {
            let next = asked.into_iter().chain(delivered).min();
            // Another process has taken it.
            next.map_or(LONGEST_SLEEP, |next| next.since(now).clamp(SHORTEST_SLEEP, LONGEST_SLEEP))
        };
        Ok(Turn { took, pause })
    }
}

impl Inner {
    /// Makes every open payment due, for as long as what it returns lives. It is tried until the database lets us, and
    /// nothing else waits for it: a process that was stopped inside a transaction keeps no worker from starting.
    fn make_all_due(self: &Arc<Self>) -> JoinSet<()> {
        let inner = Arc::clone(self);
        let mut starting = JoinSet::new();
        starting.spawn(async move {
            while let Err(error) = inner.store.make_all_due(inner.now()).await {
                tracing::warn!(%error, "open payments could not be made due after the start; trying again");
                inner.sleep(LONGEST_SLEEP).await;
            }
            inner.wake.notify_one();
        });
        starting
    }

    /// A payment is due: its write was left half done, or the provider is to be asked.
    async fn attend(&self, id: &PaymentId) -> Result<()> {
        if self.is_in_flight(id.as_str()) {
            return Ok(());
        }
        let Some(payment) = self.load_due(id).await? else { return Ok(()) };
        if payment.ask_at.is_none_or(|at| at > self.now()) {
            // Somebody else was told, and has asked.
            return Ok(());
        }
        let under_way = matches!(payment.operation, OperationState::Reserved | OperationState::Submitted);
        if under_way && lease_is_over(payment.lease_until, self.flow(&payment)?, &self.schedule, self.now()) {
            self.decide(payment.into(), None, &Fact::Abandoned, None, Patience::Short).await?;
            return Ok(());
        }
        self.ask_about(payment, Reason::Due).await?;
        Ok(())
    }
}
