//! One process: a runtime of its own, its clock, its handlers, and the engine in it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tulbur_core::{Clock, IdSource, Monotonic, SecretString, Timestamp, Url};
use tulbur_payments::{
    Event, EventHandler, HandlerError, MemoryStore, Outbox, Payments, Schedule, SealingKeys, Store,
};

use crate::bank::{ACCOUNTS, provider};
use crate::fault::{Fault, Kind, Point};
use crate::notes::Heard;
use crate::sim::Sim;
use crate::store::{SimStore, at_once, quiet_for};
use crate::units::{HOUR, ProcessId, SECOND};

/// What the engine's worker sleeps when nothing is due. The clock stretches that sleep until something is.
const IDLE: Duration = Duration::from_secs(5);

/// What the engine's worker sleeps when something is due that it cannot take. Each time in a row takes twice as long.
const NAP: Duration = Duration::from_millis(10);

/// The longest that a worker is let sleep.
const LONGEST_IDLE: u64 = 6 * HOUR;

/// The clock of one process: its time of day may be wrong, its waiting is not.
#[derive(Debug)]
struct SimClock {
    sim: Arc<Sim>,
    store: MemoryStore,
    process: ProcessId,
}

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.sim.world().clock_of(self.process))
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic::from_millis(self.sim.world().now / 1000)
    }

    async fn sleep(&self, duration: Duration) {
        if duration == IDLE {
            return self.idle().await;
        }
        let mut wait = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / 4);
        if duration == NAP {
            let mut world = self.sim.world();
            let naps = &mut world.processes[self.process].naps;
            wait <<= (*naps).min(9);
            *naps += 1;
        }
        self.sim.delay(self.process, wait).await;
    }
}

impl SimClock {
    /// What the worker would have done meanwhile, had it not slept so long: it says which handlers it has.
    fn seen(&self) {
        let world = self.sim.world();
        let now = Timestamp::from_millis(world.clock_of(self.process));
        let names = world.processes[self.process].handlers.clone();
        if !world.is_paused(self.process) && world.now >= world.database_away {
            drop(at_once(self.store.see_handlers(&names, now)));
        }
    }

    /// What the worker would sleep again and again, as one sleep: until something is due, or it is to look at its clock.
    async fn idle(&self) {
        let began = self.sim.world().now;
        let mut quiet = quiet_for(&self.store, &self.sim.world(), self.process);
        loop {
            // Of several processes one comes first.
            let apart = {
                let mut world = self.sim.world();
                world.processes[self.process].poked = false;
                world.choose(3) * world.choose(SECOND)
            };
            let wait = quiet.clamp(5 * SECOND, LONGEST_IDLE).saturating_add(apart);
            let waiting = self.sim.delay(self.process, wait);
            self.sim.world().processes[self.process].idle = Arc::downgrade(&waiting.0);
            waiting.await;
            self.seen();
            quiet = quiet_for(&self.store, &self.sim.world(), self.process);
            let world = self.sim.world();
            if quiet == 0 || world.processes[self.process].poked || world.now >= began + LONGEST_IDLE {
                return;
            }
        }
    }
}

/// Ids that follow from the run's seed.
#[derive(Debug)]
struct SimIds(Arc<Sim>);

impl IdSource for SimIds {
    fn fill(&self, buffer: &mut [u8]) {
        let mut world = self.0.world();
        for chunk in buffer.chunks_mut(8) {
            let bytes = world.ids.draw().to_be_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }

    fn uuid_v7(&self) -> String {
        let mut world = self.0.world();
        let at = u64::try_from(world.true_time()).unwrap_or(0);
        let low = world.ids.draw();
        let middle = world.ids.draw() & 0x0FFF;
        format!("{at:012x}7{middle:03x}{:016x}", low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }
}

/// A handler that remembers what it was told.
#[derive(Debug)]
struct SimHandler {
    sim: Arc<Sim>,
    process: ProcessId,
    name: String,
    in_order: bool,
}

/// A call of a handler, for as long as it lives.
struct Calling<'a>(&'a SimHandler, String);

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        let key = (self.0.name.clone(), std::mem::take(&mut self.1));
        if let Some((now, _)) = self.0.sim.world().notes.running.get_mut(&key) {
            *now = now.saturating_sub(1);
        }
    }
}

#[async_trait]
impl EventHandler for SimHandler {
    async fn handle(&self, event: &Event) -> Result<(), HandlerError> {
        let id = event.id.as_str().to_owned();
        let fault = {
            let mut world = self.sim.world();
            world.note(|| format!("process {} tells {} of {}", self.process, self.name, event.kind.name()));
            let key = (self.name.clone(), id.clone());
            *world.notes.called.entry(key.clone()).or_default() += 1;
            let (now, most) = world.notes.running.entry(key).or_default();
            *now += 1;
            *most = (*most).max(*now);
            let subject = event.payment.as_ref().and_then(|id| world.label_of(id)).unwrap_or("-").to_owned();
            let fault = world.faults.at(Point::Handler, self.process, &self.name, &subject);
            match fault {
                Some(Fault::Fail) => world.fault_counts.add(Kind::HandlerFails),
                Some(Fault::Hang) => world.fault_counts.add(Kind::HandlerHangs),
                Some(Fault::Panic) => world.fault_counts.add(Kind::HandlerPanics),
                Some(Fault::Pause(wait, _)) => world.pause(self.process, wait),
                Some(Fault::Crash(down, _)) => world.crash(self.process, down),
                _ => {}
            }
            fault
        };
        let calling = Calling(self, id.clone());
        self.sim.hop(self.process).await;
        match fault {
            Some(Fault::Fail) => return Err("the simulated handler fails".into()),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Panic) => std::panic::resume_unwind(Box::new("the simulated handler panics")),
            _ => {}
        }
        drop(calling);
        let mut world = self.sim.world();
        let at = world.now;
        world.notes.heard.push(Heard { handler: self.name.clone(), event: id, at });
        Ok(())
    }

    fn in_order(&self) -> bool {
        self.in_order
    }
}

/// Ends a tick once the runtime has nothing to do.
#[derive(Default)]
struct Idle {
    is: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// What a process shares with the tasks in it.
#[derive(Default)]
pub(crate) struct Shared {
    payments: Mutex<Option<Payments>>,
    ready: Notify,
    stop: Notify,
    /// Whether `run` has returned.
    pub(crate) stopped: AtomicBool,
}

impl Shared {
    /// The engine, once it is there.
    pub(crate) async fn payments(&self) -> Payments {
        loop {
            let waits = self.ready.notified();
            if let Some(payments) = self.payments.lock().unwrap_or_else(PoisonError::into_inner).clone() {
                return payments;
            }
            waits.await;
        }
    }
}

/// A process that lives.
pub(crate) struct Process {
    runtime: Runtime,
    idle: Arc<Idle>,
    pub(crate) shared: Arc<Shared>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Process")
    }
}

/// The waiting times of the simulated shop: the defaults, but for how long it goes on asking.
fn schedule() -> Schedule {
    let mut schedule = Schedule::default();
    schedule.give_up_after = Duration::from_hours(12);
    schedule.longest_wait = Duration::from_mins(30);
    schedule
}

fn sealing_keys() -> SealingKeys {
    let key = SecretString::from("cGxhbnRlZC1zZWFsaW5nLWtleS0wMTIzNDU2Nzg5QUI=");
    SealingKeys::new([("simulated", &key)]).expect("a key of 32 bytes")
}

/// Puts the engine together, on this process's view of the world.
async fn build(
    sim: &Arc<Sim>,
    store: &MemoryStore,
    process: ProcessId,
    handlers: &[String],
) -> tulbur_payments::Result<Payments> {
    let clock: Arc<dyn Clock> = Arc::new(SimClock { sim: Arc::clone(sim), store: store.clone(), process });
    let database: Arc<dyn Store> = Arc::new(SimStore::new(store.clone(), Arc::clone(sim), process));
    let url = Url::parse("https://shop.example/pay/").expect("an address");
    let mut builder = Payments::builder(database, Arc::clone(&clock), sealing_keys(), url)
        .ids(Arc::new(SimIds(Arc::clone(sim))))
        .schedule(schedule())
        .without_gauges();
    for account in ACCOUNTS {
        builder = builder.account(provider(sim, process, account, &clock));
    }
    for name in handlers {
        let handler =
            SimHandler { sim: Arc::clone(sim), process, name: name.clone(), in_order: !name.ends_with('~') };
        builder = builder.handler(name.clone(), Arc::new(handler));
    }
    builder.build().await
}

impl Process {
    /// Starts a process: its runtime, and the engine in it.
    pub(crate) fn start(
        sim: &Arc<Sim>,
        store: &MemoryStore,
        process: ProcessId,
        handlers: Vec<String>,
    ) -> Self {
        let idle = Arc::new(Idle::default());
        let parked = Arc::clone(&idle);
        let runtime = Builder::new_current_thread()
            .on_thread_park(move || {
                parked.is.store(true, Ordering::Relaxed);
                let waker = parked.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            })
            .build()
            .expect("a runtime without drivers is always built");
        let shared = Arc::new(Shared::default());
        let (sim, store, inside) = (Arc::clone(sim), store.clone(), Arc::clone(&shared));
        runtime.spawn(async move {
            let payments = loop {
                match build(&sim, &store, process, &handlers).await {
                    Ok(payments) => break payments,
                    Err(_) => sim.delay(process, SECOND).await,
                }
            };
            *inside.payments.lock().unwrap_or_else(PoisonError::into_inner) = Some(payments.clone());
            inside.ready.notify_waiters();
            payments.run(inside.stop.notified()).await;
            inside.stopped.store(true, Ordering::Relaxed);
        });
        Self { runtime, idle, shared }
    }

    /// Runs the process until it has nothing to do.
    pub(crate) fn tick(&self) {
        let idle = &self.idle;
        idle.is.store(false, Ordering::Relaxed);
        self.runtime.block_on(poll_fn(|context| {
            if idle.is.load(Ordering::Relaxed) {
                return Poll::Ready(());
            }
            *idle.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
            Poll::Pending
        }));
    }

    /// Begins something in the process.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }

    /// Asks `run` to stop.
    pub(crate) fn stop(&self) {
        self.shared.stop.notify_one();
    }
}
