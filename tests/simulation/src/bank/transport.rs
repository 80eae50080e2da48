//! The wire between a process and the bank: the place where requests and answers are lost, late or cut.

use std::sync::Arc;

use async_trait::async_trait;
use tulbur_core::{Effect, HttpRequest, HttpResponse, HttpTransport, Phase, TransportError, TransportFault};

use super::books::{Asked, Twist};
use super::notify::tell;
use crate::fault::{Fault, Kind, Moment, Point};
use crate::sim::{Due, Sim, Slot, World};
use crate::units::ProcessId;

/// The network of one process.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    pub(crate) sim: Arc<Sim>,
    pub(crate) process: ProcessId,
    pub(crate) account: &'static str,
}

/// Counts a process as waiting while it lives.
struct Waits(Arc<Sim>, ProcessId);

impl Waits {
    fn begin(sim: &Arc<Sim>, process: ProcessId) -> Self {
        sim.world().processes[process].waiting += 1;
        Self(Arc::clone(sim), process)
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        let mut world = self.0.world();
        let waiting = &mut world.processes[self.1].waiting;
        *waiting = waiting.saturating_sub(1);
    }
}

impl World {
    /// The label of the payment that a request is about.
    fn subject_of(&self, fields: &[&str]) -> String {
        match fields {
            ["create", _, _, _, _, _, label, ..] | ["charge", _, _, _, _, label, ..] => (*label).to_owned(),
            [_, ours, theirs, ..] => {
                let by_ours = self.bank.entries.get(*ours);
                by_ours
                    .or_else(|| self.bank.by_provider_ref(theirs))
                    .map_or_else(|| "-".into(), |entry| entry.label.clone())
            }
            _ => "-".into(),
        }
    }
}

fn cut(phase: Phase, fault: TransportFault, text: &str) -> TransportError {
    TransportError::new(phase, fault, text)
}

#[async_trait]
impl HttpTransport for Wire {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let writes = matches!(request.effect, Effect::Write | Effect::Keyed);
        let _waits = writes.then(|| Waits::begin(&self.sim, self.process));
        let subject = {
            let mut world = self.sim.world();
            let fields: Vec<&str> = body.split('|').collect();
            let subject = world.subject_of(&fields);
            match world.faults.at(Point::Send, self.process, fields[0], &subject) {
                Some(Fault::NeverSent) => {
                    if writes {
                        world.fault_counts.add(Kind::NeverSent);
                    }
                    return Err(cut(Phase::NeverSent, TransportFault::Connect, "connection refused"));
                }
                Some(Fault::Pause(wait, _)) => {
                    world.fault_counts.add(Kind::PauseBeforeFirstByte);
                    world.pause(self.process, wait);
                }
                Some(Fault::Crash(down, _)) => world.crash(self.process, down),
                _ => {}
            }
            subject
        };
        // The first byte leaves when this process runs again.
        self.sim.hop(self.process).await;
        let slot = Slot::new();
        {
            let mut world = self.sim.world();
            let operation = body.split('|').next().unwrap_or_default();
            let mut fault = world.faults.at(Point::Bank, self.process, operation, &subject);
            // One more may occur on the way of what the bank does differently.
            let mut twist = None;
            if fault.as_ref().is_some_and(twists) {
                twist = fault.take();
                fault = world.faults.at(Point::Bank, self.process, operation, &subject);
                fault = fault.filter(|fault| !twists(fault));
            }
            let mut wait = world.latency();
            match &fault {
                Some(Fault::LoseRequest) => {
                    if writes {
                        world.fault_counts.add(Kind::RequestLost);
                    }
                    wait = u64::MAX;
                }
                Some(Fault::ArriveLate(late)) => wait = *late,
                _ => {}
            }
            if wait < u64::MAX {
                let arrival = Arrival {
                    slot: Arc::clone(&slot),
                    process: self.process,
                    account: self.account,
                    body,
                    writes,
                    twist,
                    fault,
                };
                world.after(wait, Due::Do(Box::new(move |sim| arrival.happen(sim))));
            }
        }
        slot.wait().await
    }
}

/// Whether the bank does something else because of it, or says something else.
fn twists(fault: &Fault) -> bool {
    matches!(fault, Fault::Refuse | Fault::Amount(_) | Fault::Say(_) | Fault::NotFinal(_))
}

type Answer = Result<HttpResponse, TransportError>;

/// A request that reaches the bank.
struct Arrival {
    slot: Arc<Slot<Answer>>,
    process: ProcessId,
    account: &'static str,
    body: String,
    writes: bool,
    twist: Option<Fault>,
    fault: Option<Fault>,
}

impl Arrival {
    fn happen(self, sim: &Arc<Sim>) {
        let mut guard = sim.world();
        let world = &mut *guard;
        let fields: Vec<&str> = self.body.split('|').collect();
        let back = world.latency();
        let ok = |text: String| Ok(HttpResponse::new(200, Vec::new(), text));
        if matches!(self.fault, Some(Fault::Down)) {
            world.fault_counts.add(Kind::BankDown);
            let answer = Ok(HttpResponse::new(503, Vec::new(), "down"));
            self.slot.answer(world, self.process, back, answer);
            return;
        }
        let told_otherwise = match &self.twist {
            Some(Fault::Refuse) => Twist { refuse: true, ..Twist::default() },
            Some(Fault::Amount(amount)) => Twist { amount: Some(*amount), ..Twist::default() },
            Some(Fault::Say(said)) => Twist { say: Some(said.clone()), ..Twist::default() },
            Some(Fault::NotFinal(later)) => Twist { not_final: Some(*later), ..Twist::default() },
            _ => Twist::default(),
        };
        let answered =
            world.bank.handle(world.now, Asked { account: self.account, fields: &fields }, &told_otherwise);
        world.note(|| format!("bank: {} -> {}", self.body, answered.text));
        if let Some(name) = &answered.tell {
            tell(world, name, self.fault == Some(Fault::Early));
        }
        for kind in self.kinds(answered.done) {
            world.fault_counts.add(kind);
        }
        let mut wait = back;
        match self.fault {
            Some(Fault::Lose) => return,
            Some(Fault::Late(late)) => wait = late,
            Some(Fault::Early) => wait = 3 * crate::units::SECOND,
            Some(Fault::Pause(long, Moment::After)) => world.pause(self.process, long),
            Some(Fault::Crash(down, Moment::After)) => world.crash(self.process, down),
            _ => {}
        }
        // A fast payer sees the page before the shop has noted its address.
        if fields[0] == "create"
            && self.fault == Some(Fault::Early)
            && let Some(entry) = world.bank.entries.get_mut(fields[1])
        {
            entry.shown = true;
        }
        let text = match self.fault {
            Some(Fault::Cut) => answered.text[..answered.text.len() / 2].to_owned(),
            _ => answered.text,
        };
        self.slot.answer(world, self.process, wait, ok(text));
    }

    /// The kinds of fault that occurred.
    fn kinds(&self, done: bool) -> Vec<Kind> {
        let both = [self.twist.as_ref(), self.fault.as_ref()];
        both.into_iter().flatten().filter_map(|fault| self.kind_of(fault, done)).collect()
    }

    fn kind_of(&self, fault: &Fault, done: bool) -> Option<Kind> {
        let kind = match fault {
            Fault::Refuse => return self.writes.then_some(Kind::Refused),
            Fault::Amount(_) => Kind::OtherAmount,
            Fault::Say(_) => Kind::OtherState,
            Fault::NotFinal(_) => Kind::NotFinal,
            Fault::Lose => Kind::AnswerLost,
            Fault::Late(_) => Kind::AnswerLate,
            Fault::Cut => Kind::AnswerCut,
            Fault::ArriveLate(_) => Kind::ArrivesLate,
            _ => return None,
        };
        let about_questions = matches!(kind, Kind::OtherAmount | Kind::OtherState);
        (self.writes && done || about_questions).then_some(kind)
    }
}
