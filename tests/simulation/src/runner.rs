//! The runner of a story: moves virtual time, ticks the processes, and does what the story says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tulbur_core::{Channel, Delivery};
use tulbur_payments::store::Changes;
use tulbur_payments::{CardId, CardRecord, MemoryStore, NotifyTarget, Outbox, Records, Status};

use crate::bank::{ACCOUNTS, Message, garbage, notify, tell};
use crate::calls::{self, Target};
use crate::fault::Kind;
use crate::notes::{Answer, CallNote};
use crate::outcome::{Outcome, collect};
use crate::process::Process;
use crate::sim::{Due, Sim};
use crate::store::at_once;
use crate::story::{Action, Call, Story};
use crate::units::{DAY, HOUR, MINUTE, Micros, ProcessId, SECOND};

/// How long the bank waits for the answer to a notification.
const PATIENCE: Micros = 10 * SECOND;

/// A run of a story: the world, and the processes in it.
pub(crate) struct Runner<'a> {
    story: &'a Story,
    sim: Arc<Sim>,
    store: MemoryStore,
    processes: Vec<Option<Process>>,
    cards: Vec<(&'static str, CardId)>,
    /// The handlers that every process has in the end.
    handlers: Vec<String>,
}

impl<'a> Runner<'a> {
    /// A run that has not begun, without saved cards.
    pub(crate) fn new(story: &'a Story, loud: bool) -> Self {
        let sim = Sim::new(story.schedule, story.database, story.processes.len(), loud);
        let mut handlers: Vec<String> =
            story.processes.iter().flat_map(|process| process.handlers.clone()).collect();
        handlers.sort();
        handlers.dedup();
        Self {
            story,
            sim,
            store: MemoryStore::default(),
            processes: story.processes.iter().map(|_| None).collect(),
            cards: Vec::new(),
            handlers,
        }
    }

    /// Begins with these saved cards.
    pub(crate) fn with_cards(mut self, cards: Vec<CardRecord>) -> Self {
        self.cards = cards
            .iter()
            .map(|record| {
                let name = record.card.account.as_str();
                let known = ACCOUNTS.iter().find(|account| **account == name);
                (*known.unwrap_or(&"north"), record.card.id.clone())
            })
            .collect();
        at_once(self.store.commit(Changes { cards, ..Changes::default() })).expect("the cards are new");
        self
    }

    /// Plays the whole story.
    pub(crate) fn play(&mut self) {
        {
            let mut world = self.sim.world();
            world.faults.set(&self.story.rules);
            for (index, process) in self.story.processes.iter().enumerate() {
                world.push(0, Due::Start(index, process.handlers.clone()));
            }
            for (index, (at, _)) in self.story.actions.iter().enumerate() {
                world.push(*at, Due::Act(index));
            }
        }
        self.go(self.story.calm_at);
        self.calm();
        self.go(self.story.calm_at + DAY / 2);
        self.redeliver();
        self.go(self.story.ends_at);
    }

    /// What came of it so far.
    pub(crate) fn outcome(&self) -> Outcome {
        collect(&self.sim, &self.store)
    }

    /// Ends all processes.
    pub(crate) fn end(&mut self) {
        self.processes.clear();
    }

    /// Does everything that is due until then.
    fn go(&mut self, end: Micros) {
        loop {
            let Some(due) = self.sim.world().pop(end) else { return };
            match due {
                // Nobody waits for it any more.
                Due::Wake(_, delay) if Arc::strong_count(&delay) == 1 => continue,
                Due::Wake(process, delay) => {
                    delay.fire();
                    self.tick(process);
                }
                Due::Tick(process) => self.tick(process),
                Due::Do(what) => what(&self.sim),
                Due::Act(index) => self.act(index),
                Due::Resume(process) => self.resume(process),
                Due::Start(process, handlers) => self.start(process, handlers),
                Due::Deliver(message, tries) => self.deliver(*message, tries),
                Due::Kill(process, generation) => self.kill(process, generation),
            }
            self.bury();
        }
    }

    fn tick(&mut self, process: ProcessId) {
        {
            let mut world = self.sim.world();
            if world.is_paused(process) {
                return;
            }
            let stamp = world.now << 3 | u64::try_from(process).unwrap_or(7);
            world.digest.number(stamp);
        }
        let Some(living) = &self.processes[process] else { return };
        living.tick();
        if living.shared.stopped.load(Ordering::Relaxed) {
            let mut world = self.sim.world();
            let at = world.now;
            world.notes.stopped.push((process, at, true));
            drop(world);
            self.drop_process(process);
        }
    }

    fn resume(&mut self, process: ProcessId) {
        let mut world = self.sim.world();
        if world.processes[process].paused_until.is_some_and(|until| until <= world.now) {
            world.processes[process].paused_until = None;
            world.note(|| format!("process {process} goes on"));
            drop(world);
            self.tick(process);
        }
    }

    fn start(&mut self, process: ProcessId, handlers: Vec<String>) {
        if self.processes[process].is_some() {
            return;
        }
        let mut world = self.sim.world();
        let now = world.now;
        let state = &mut world.processes[process];
        (state.alive, state.paused_until, state.waiting, state.started) = (true, None, 0, now);
        state.generation += 1;
        (state.listener, state.unheard) = (None, Vec::new());
        state.handlers.clone_from(&handlers);
        world.note(|| format!("process {process} starts with {handlers:?}"));
        drop(world);
        self.processes[process] = Some(Process::start(&self.sim, &self.store, process, handlers));
        self.tick(process);
    }

    /// Ends processes that crashed in what was just done.
    fn bury(&mut self) {
        let crashed: Vec<(ProcessId, Micros)> = {
            let mut world = self.sim.world();
            if world.processes.iter().all(|process| process.crash.is_none()) {
                return;
            }
            let states = world.processes.iter_mut().enumerate();
            states.filter_map(|(index, process)| Some((index, process.crash.take()?))).collect()
        };
        for (process, down) in crashed {
            let handlers = self.sim.world().processes[process].handlers.clone();
            self.drop_process(process);
            self.sim.world().after(down, Due::Start(process, handlers));
        }
    }

    fn drop_process(&mut self, process: ProcessId) {
        // Its tasks look at the world while they are dropped.
        drop(self.processes[process].take());
        let mut world = self.sim.world();
        world.processes[process].alive = false;
        world.processes[process].paused_until = None;
        for call in &mut world.notes.calls {
            call.lost |= call.process == process && call.answer.is_none();
        }
    }

    fn kill(&mut self, process: ProcessId, generation: u64) {
        let mut world = self.sim.world();
        if self.processes[process].is_none() || world.processes[process].generation != generation {
            return;
        }
        let at = world.now;
        world.notes.stopped.push((process, at, false));
        drop(world);
        self.drop_process(process);
    }

    /// Faults are over: what is paused goes on, clocks are right, and every process has all handlers.
    fn calm(&mut self) {
        let count = self.processes.len();
        {
            let mut world = self.sim.world();
            world.faults.over = true;
            world.database_away = 0;
            for process in &mut world.processes {
                process.clock_off = 0;
                process.paused_until = None;
            }
            world.poke();
            world.note(|| "faults are over".into());
        }
        for process in 0..count {
            let complete = {
                let world = self.sim.world();
                self.handlers.iter().all(|handler| world.processes[process].handlers.contains(handler))
                    && world.processes[process].handlers.len() == self.handlers.len()
            };
            match &self.processes[process] {
                Some(living) if !complete => {
                    living.stop();
                    let mut world = self.sim.world();
                    let generation = world.processes[process].generation;
                    world.after(30 * SECOND, Due::Kill(process, generation));
                }
                Some(_) => {}
                None => self.start(process, self.handlers.clone()),
            }
            self.sim.world().after(31 * SECOND, Due::Start(process, self.handlers.clone()));
            self.tick(process);
        }
    }

    /// An operator has events delivered again that were given up.
    fn redeliver(&self) {
        let now = tulbur_core::Timestamp::from_millis(self.sim.world().true_time());
        for parked in at_once(self.store.parked_deliveries(10_000)).expect("the memory store answers") {
            at_once(tulbur_payments::unpark(&self.store, &parked, now)).expect("the memory store answers");
        }
    }

    fn act(&mut self, index: usize) {
        let story = self.story;
        let (_, action) = &story.actions[index];
        match action {
            Action::Call(process, call) => self.call(*process, call),
            Action::Pay(payment, amount) => self.pay(payment, *amount),
            Action::Decline(payment) => {
                self.sim.world().bank.declines.insert(payment.clone());
            }
            Action::Notify(note) => notify(&mut self.sim.world(), note),
            Action::Garbage(count) => {
                let mut world = self.sim.world();
                let world = &mut *world;
                world.fault_counts.add(Kind::Garbage);
                for message in garbage(&mut world.ids, "north", *count) {
                    let wait = world.latency();
                    world.after(wait, Due::Deliver(Box::new(message), 0));
                }
            }
            Action::Pause(process, wait) => self.sim.world().pause(*process, *wait),
            Action::Crash(process, down) => self.sim.world().crash(*process, *down),
            Action::Stop(process, wait) => {
                if let Some(living) = &self.processes[*process] {
                    living.stop();
                    let mut world = self.sim.world();
                    let generation = world.processes[*process].generation;
                    world.after(*wait, Due::Kill(*process, generation));
                    drop(world);
                    self.tick(*process);
                }
            }
            Action::Start(process, handlers) => self.start(*process, handlers.clone()),
            Action::Clock(process, off) => {
                let mut world = self.sim.world();
                if !world.faults.over {
                    if world.processes[*process].waiting > 0 {
                        world.fault_counts.add(Kind::ClockJump);
                    }
                    // On SQLite all processes are on one machine.
                    let shared = world.database == crate::story::Database::Sqlite;
                    for (index, state) in world.processes.iter_mut().enumerate() {
                        if shared || index == *process {
                            state.clock_off = *off;
                        }
                    }
                    world.poke();
                }
            }
            Action::Away(wait) => {
                let mut world = self.sim.world();
                world.database_away = world.now + wait;
            }
        }
    }

    fn call(&mut self, process: ProcessId, call: &Call) {
        let (label, what) = calls::describe(call);
        let Some(living) = &self.processes[process] else { return };
        let mut world = self.sim.world();
        let payment = calls::needs(call).and_then(|label| world.labels.get(label)?.last().cloned());
        let card = match call {
            Call::Charge { account, .. } => {
                self.cards.iter().find(|(name, _)| name == account).map(|(_, card)| card.clone())
            }
            _ => None,
        };
        let number = world.notes.calls.len();
        let at = world.now;
        world.notes.calls.push(CallNote {
            label: label.to_owned(),
            what,
            process,
            at,
            answer: None,
            lost: false,
        });
        world.note(|| format!("process {process} is asked to {call}"));
        drop(world);
        let (sim, shared, call) = (Arc::clone(&self.sim), Arc::clone(&living.shared), call.clone());
        let label = label.to_owned();
        living.spawn(async move {
            let payments = shared.payments().await;
            let target = Target { payment, card };
            let answer = calls::make(Arc::clone(&sim), payments, call, target).await;
            let mut world = sim.world();
            let at = world.now;
            world.note(|| format!("call {number} ends: {answer:?}"));
            if matches!(answer, Answer::Payment { has_next: true, .. }) {
                world.bank.show(&label);
            }
            world.notes.calls[number].answer = Some((at, answer));
        });
        self.tick(process);
    }

    /// The payer pays a page, if they can see it.
    fn pay(&mut self, label: &str, amount: Option<i64>) {
        let mut world = self.sim.world();
        let Some(name) = world.bank.newest(label).map(|entry| entry.merchant_ref.clone()) else { return };
        let now = world.now;
        if !world.bank.pay(now, &name, amount) {
            return;
        }
        world.note(|| format!("the payer pays {label}"));
        if let Some(id) = world.labels.get(label).and_then(|ids| ids.last().cloned()) {
            let found = at_once(self.store.payment(tulbur_payments::store::Find::Id(&id)));
            if let Ok(Some(record)) = found {
                match record.status {
                    Status::Canceled => world.fault_counts.add(Kind::PaidAfterCancel),
                    Status::Expired | Status::Declined => world.fault_counts.add(Kind::PaidLate),
                    _ => {}
                }
                let order = record.order().and_then(|order| at_once(self.store.order(order)).ok().flatten());
                let others = order.iter().flat_map(|order| &order.payments).filter(|one| one.id != id);
                let twice = others
                    .filter_map(|one| world.bank.entries.get(one.reference.merchant_ref.as_str()))
                    .any(|entry| entry.taken() > 0);
                if twice {
                    world.fault_counts.add(Kind::PaidTwice);
                }
            }
        }
        if amount.is_some() {
            world.fault_counts.add(Kind::OtherAmount);
            if let Some(entry) = world.bank.entries.get_mut(&name) {
                entry.twisted = true;
            }
        }
        tell(&mut world, &name, false);
    }

    /// A notification arrives at the shop.
    fn deliver(&mut self, message: Message, tries: u32) {
        let mut world = self.sim.world();
        let living: Vec<ProcessId> =
            (0..self.processes.len()).filter(|index| world.processes[*index].alive).collect();
        let chosen = message.to.or_else(|| {
            let awake: Vec<ProcessId> =
                living.iter().copied().filter(|index| !world.is_paused(*index)).collect();
            // A balancer notices a process that stands still only now and then.
            let among = if awake.is_empty() || world.choose(4) == 3 { &living } else { &awake };
            let count = u64::try_from(among.len()).unwrap_or(0);
            among.get(usize::try_from(world.choose(count)).unwrap_or(0)).copied()
        });
        let Some(process) = chosen.filter(|process| living.contains(process)) else {
            if message.insist && tries < 8 {
                world.after(MINUTE, Due::Deliver(Box::new(message), tries + 1));
            }
            return;
        };
        if message.insist {
            let newest = world.notes.arrived.entry(message.subject.clone()).or_default();
            let reordered = message.event < *newest;
            *newest = (*newest).max(message.event);
            if reordered && tries == 0 {
                world.fault_counts.add(Kind::NotificationReordered);
            }
        }
        world.note(|| format!("process {process} is notified about {}", message.subject));
        let taken = Arc::new(AtomicBool::new(false));
        let (seen, again) = (Arc::clone(&taken), message.clone());
        let look = move |sim: &Arc<Sim>| {
            let waits = [30 * SECOND, 2 * MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, 12 * HOUR];
            let wait = waits.get(usize::try_from(tries).unwrap_or(usize::MAX)).copied();
            if let (false, true, Some(wait)) = (seen.load(Ordering::Relaxed), again.insist, wait) {
                sim.world().after(wait, Due::Deliver(Box::new(again), tries + 1));
            }
        };
        if message.insist {
            world.after(PATIENCE, Due::Do(Box::new(look)));
        }
        drop(world);
        let Some(living) = &self.processes[process] else { return };
        let shared = Arc::clone(&living.shared);
        living.spawn(async move {
            let payments = shared.payments().await;
            let delivery = Delivery {
                channel: Channel::Notify,
                method: "POST",
                query: None,
                headers: &[],
                body: message.body.as_bytes(),
            };
            let secret = message.address.as_deref().and_then(|url| url.rsplit('/').next());
            let target = match secret {
                Some(secret) => NotifyTarget::WithSecret { account: &message.account, secret },
                None => NotifyTarget::Name(&message.account),
            };
            let reply = payments.notify(target, delivery).await;
            taken.store(reply.status < 300, Ordering::Relaxed);
        });
        self.tick(process);
    }
}

/// Runs what saves the cards that every run begins with.
pub(crate) fn with_bare_runner<T: Send + 'static>(
    story: &Story,
    work: impl FnOnce(tulbur_payments::Payments, MemoryStore) -> futures_util::future::BoxFuture<'static, T>,
) -> T {
    let mut runner = Runner::new(story, false);
    runner.start(0, Vec::new());
    let result = Arc::new(std::sync::Mutex::new(None));
    runner.go(SECOND);
    let Some(living) = &runner.processes[0] else { unreachable!("it was started") };
    let payments = at_once(living.shared.payments());
    let (work, slot) = (work(payments, runner.store.clone()), Arc::clone(&result));
    living.spawn(async move {
        let value = work.await;
        *slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(value);
    });
    runner.tick(0);
    runner.go(HOUR);
    runner.end();
    let mut result = result.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    result.take().expect("the work is done within an hour")
}
