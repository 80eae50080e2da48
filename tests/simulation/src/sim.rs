//! The world of one run: virtual time, the queue of what is due, the processes' states, and everything that is noted
//! for the judge.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tulbur_payments::PaymentId;

use crate::bank::{Ledger, Message};
use crate::fault::{FaultCounts, FaultTable, Kind};
use crate::notes::Notes;
use crate::random::{Digest, Random};
use crate::story::Database;
use crate::units::{Micros, ProcessId, SECOND, time_text};

/// What happens outside of all processes.
pub(crate) type Happening = Box<dyn FnOnce(&Arc<Sim>) + Send>;

/// Something that happens at a time.
pub(crate) enum Due {
    /// A future of a process is woken.
    Wake(ProcessId, Arc<Delay>),
    /// A process has something to do.
    Tick(ProcessId),
    /// Something outside of all processes happens: at the database, at the bank, on the network.
    Do(Happening),
    /// An action of the story.
    Act(usize),
    /// A paused process goes on.
    Resume(ProcessId),
    /// A process that is down starts, with these handlers.
    Start(ProcessId, Vec<String>),
    /// A notification is sent to the shop: for the how manieth time.
    Deliver(Box<Message>, u32),
    /// A process that was asked to stop is ended if it did not.
    Kill(ProcessId, u64),
}

struct Entry {
    at: Micros,
    order: u64,
    due: Due,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// How a process stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProcessState {
    /// Whether it has a runtime.
    pub(crate) alive: bool,
    /// It is not ticked until then.
    pub(crate) paused_until: Option<Micros>,
    /// It ends as soon as the present tick is over, and starts again after so long.
    pub(crate) crash: Option<Micros>,
    /// How far its time of day is off, in milliseconds.
    pub(crate) clock_off: i64,
    /// When it started.
    pub(crate) started: Micros,
    /// Counts starts.
    pub(crate) generation: u64,
    /// The handlers it was started with.
    pub(crate) handlers: Vec<String>,
    /// Commits and requests that it waits for.
    pub(crate) waiting: u32,
    /// How often its worker looked in vain for what the store said was due.
    pub(crate) naps: u32,
    /// Where it hears of commits of others.
    pub(crate) listener: Option<tokio::sync::mpsc::Sender<tulbur_payments::store::Wake>>,
    /// What it has not heard of yet.
    pub(crate) unheard: Vec<tulbur_payments::store::Wake>,
    /// Whether its worker is to look, whatever is due.
    pub(crate) poked: bool,
    /// The stretched sleep of its worker.
    pub(crate) idle: std::sync::Weak<Delay>,
}

/// Who holds the database inside a transaction, and until when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) by: ProcessId,
}

/// Everything that changes.
pub(crate) struct World {
    pub(crate) now: Micros,
    queue: BinaryHeap<Reverse<Entry>>,
    order: u64,
    /// Latencies; none makes all of them equal.
    random: Option<Random>,
    /// Choices that are no latency: nonces and ids.
    pub(crate) ids: Random,
    pub(crate) processes: Vec<ProcessState>,
    pub(crate) faults: FaultTable,
    pub(crate) fault_counts: FaultCounts,
    pub(crate) bank: Ledger,
    pub(crate) notes: Notes,
    pub(crate) database: Database,
    pub(crate) database_away: Micros,
    pub(crate) held: Option<Held>,
    /// Payments by the label that the story gives them, in the order of their commits.
    pub(crate) labels: BTreeMap<String, Vec<PaymentId>>,
    pub(crate) digest: Digest,
    pub(crate) steps: u64,
    /// Whether a line is printed for everything that happens.
    pub(crate) loud: bool,
}

/// The world behind a lock. Everything that happens in one run happens on one thread; the lock is for the traits, which
/// want to be shared.
pub struct Sim(Mutex<World>);

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sim")
    }
}

impl Sim {
    pub(crate) fn new(schedule: Option<u64>, database: Database, processes: usize, loud: bool) -> Arc<Self> {
        Arc::new(Self(Mutex::new(World {
            now: 0,
            queue: BinaryHeap::new(),
            order: 0,
            random: schedule.map(Random::new),
            ids: Random::new(schedule.unwrap_or(0).wrapping_add(1)),
            processes: vec![ProcessState::default(); processes],
            faults: FaultTable::default(),
            fault_counts: FaultCounts::default(),
            bank: Ledger::default(),
            notes: Notes::default(),
            database,
            database_away: 0,
            held: None,
            labels: BTreeMap::new(),
            digest: Digest::default(),
            steps: 0,
            loud,
        })))
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for this long: a suspension of a process.
    pub(crate) fn delay(&self, process: ProcessId, wait: Micros) -> Waiting {
        let delay = Arc::new(Delay::default());
        let mut world = self.world();
        let at = world.now.saturating_add(wait);
        world.push(at, Due::Wake(process, Arc::clone(&delay)));
        Waiting(delay)
    }

    /// Waits as long as a hop takes.
    pub(crate) fn hop(&self, process: ProcessId) -> Waiting {
        let wait = self.world().latency();
        self.delay(process, wait)
    }
}

impl World {
    pub(crate) fn push(&mut self, at: Micros, due: Due) {
        self.order += 1;
        self.queue.push(Reverse(Entry { at: at.max(self.now), order: self.order, due }));
    }

    pub(crate) fn after(&mut self, wait: Micros, due: Due) {
        self.push(self.now.saturating_add(wait), due);
    }

    /// The next thing that happens before `end`; the time is then its time.
    pub(crate) fn pop(&mut self, end: Micros) -> Option<Due> {
        if self.queue.peek().is_none_or(|next| next.0.at > end) {
            self.now = self.now.max(end);
            return None;
        }
        let Reverse(entry) = self.queue.pop()?;
        self.now = entry.at;
        self.steps += 1;
        Some(entry.due)
    }

    /// How long one hop takes: to the database, to the bank, to a task of one's own.
    pub(crate) fn latency(&mut self) -> Micros {
        match &mut self.random {
            None => 1000,
            // Mostly short; now and then long enough that others overtake.
            Some(random) => match random.below(16) {
                0 => random.between(5_000, 60_000),
                1..=4 => random.between(1_000, 8_000),
                _ => random.between(100, 1_500),
            },
        }
    }

    /// A choice among `count`; the first where the schedule is even.
    pub(crate) fn choose(&mut self, count: u64) -> u64 {
        self.random.as_mut().map_or(0, |random| random.below(count))
    }

    pub(crate) fn is_paused(&self, process: ProcessId) -> bool {
        self.processes[process].paused_until.is_some()
    }

    /// Stops a process; it goes on after this time.
    pub(crate) fn pause(&mut self, process: ProcessId, wait: Micros) {
        let until = self.now.saturating_add(wait);
        if !self.processes[process].alive || self.faults.over {
            return;
        }
        let is_waiting = self.processes[process].waiting > 0;
        let state = &mut self.processes[process];
        state.paused_until = Some(state.paused_until.map_or(until, |before| before.max(until)));
        let at = state.paused_until.unwrap_or(until);
        self.push(at, Due::Resume(process));
        if is_waiting {
            self.fault_counts.add(Kind::Pause);
        }
        self.note(|| format!("process {process} is paused for {}", time_text(wait)));
    }

    /// Ends a process once its present tick is over.
    pub(crate) fn crash(&mut self, process: ProcessId, down: Micros) {
        if !self.processes[process].alive || self.faults.over {
            return;
        }
        if self.processes[process].waiting > 0 {
            self.fault_counts.add(Kind::Crash);
        }
        self.processes[process].crash = Some(down);
        self.note(|| format!("process {process} crashes"));
    }

    /// Has every worker look at its clock: none sleeps longer than five seconds before it does.
    pub(crate) fn poke(&mut self) {
        for index in 0..self.processes.len() {
            if let Some(idle) = self.processes[index].idle.upgrade() {
                self.processes[index].poked = true;
                self.after(5 * SECOND, Due::Wake(index, idle));
            }
        }
    }

    /// What the process's clock says, in milliseconds since 1970.
    pub(crate) fn clock_of(&self, process: ProcessId) -> i64 {
        self.true_time() + self.processes[process].clock_off
    }

    /// The right time, in milliseconds since 1970.
    pub(crate) fn true_time(&self) -> i64 {
        START + i64::try_from(self.now / 1000).unwrap_or(i64::MAX / 2)
    }

    /// Notes something for the digest, and prints it in a loud run.
    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        self.digest.number(self.now);
        if self.loud {
            #[expect(clippy::print_stderr, reason = "a loud run was asked for")]
            {
                eprintln!("{:>14} {}", time_text(self.now), what());
            }
        }
    }
}

/// When every run begins, in milliseconds since 1970.
pub const START: i64 = 1_800_000_000_000;

/// A suspension: who waits, and whether the wait is over.
#[derive(Debug, Default)]
pub(crate) struct Delay {
    over: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Delay {
    /// Ends the wait.
    pub(crate) fn fire(&self) {
        self.over.store(true, Ordering::Relaxed);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The future of a [`Delay`].
#[derive(Debug)]
pub(crate) struct Waiting(pub(crate) Arc<Delay>);

impl Future for Waiting {
    type Output = ();
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0.over.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        *self.0.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        Poll::Pending
    }
}

/// Something that is answered from outside of the process that waits for it.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    value: Mutex<Option<T>>,
    delay: Arc<Delay>,
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { value: Mutex::new(None), delay: Arc::default() })
    }

    /// Answers; the process hears of it after `wait`.
    pub(crate) fn answer(&self, world: &mut World, process: ProcessId, wait: Micros, value: T) {
        *self.value.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        world.after(wait, Due::Wake(process, Arc::clone(&self.delay)));
    }

    /// Waits for the answer.
    pub(crate) async fn wait(&self) -> T {
        loop {
            Waiting(Arc::clone(&self.delay)).await;
            if let Some(value) = self.value.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return value;
            }
        }
    }
}
