//! Faults: at which point of a run they occur, what they do, and how often each kind occurred.

use crate::units::{Micros, ProcessId};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// A kind of fault, as counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word in reports.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

kinds! {
    /// A process stood still while it waited for a commit or for the bank.
    Pause = "process paused",
    /// A process stood still between the last check of a request and its first byte.
    PauseBeforeFirstByte = "paused before the first byte",
    /// A process stood still inside a transaction.
    PauseInside = "paused inside a transaction",
    /// A process died while it waited for a commit or for the bank.
    Crash = "process crashed",
    /// A process without one of the handlers took events.
    FewerHandlers = "deployed with fewer handlers",
    /// A process with a handler of another name took events.
    RenamedHandler = "deployed with a renamed handler",
    /// A process whose clock is ahead committed something.
    ClockAhead = "clock ahead",
    /// A process whose clock is behind committed something.
    ClockBehind = "clock behind",
    /// A clock was set while the process waited for a commit or for the bank.
    ClockJump = "clock jumped",
    /// A commit was refused.
    CommitRefused = "commit refused",
    /// A commit was done and its answer lost.
    CommitAnswerLost = "commit done, answer lost",
    /// A commit was done after its error.
    CommitLater = "commit done later",
    /// A claim of work was done and its answer lost.
    ClaimAnswerLost = "claim done, answer lost",
    /// The database could not be reached.
    DatabaseAway = "database away",
    /// A write never left.
    NeverSent = "write never sent",
    /// A write never arrived.
    RequestLost = "write lost on its way",
    /// A write was done and its answer lost.
    AnswerLost = "write done, answer lost",
    /// A write was done and its answer came late.
    AnswerLate = "write done, answer late",
    /// An answer was cut.
    AnswerCut = "write done, answer cut",
    /// The bank moved another amount.
    OtherAmount = "other amount",
    /// The bank answered another state.
    OtherState = "other state",
    /// The bank moved money and said that nothing is final.
    NotFinal = "not final yet",
    /// A write was done after its time limit.
    ArrivesLate = "write done after the time limit",
    /// The bank refused.
    Refused = "write refused",
    /// The bank was down.
    BankDown = "bank down",
    /// A notification did not come.
    NotificationMissing = "notification missing",
    /// A notification came before the answer to the request.
    NotificationEarly = "notification early",
    /// A notification came late.
    NotificationLate = "notification late",
    /// A notification came several times.
    NotificationRepeated = "notification repeated",
    /// A later notification came before an earlier one.
    NotificationReordered = "notifications reordered",
    /// Two notifications of one event differ.
    NotificationContradicting = "notification contradicting",
    /// A notification with a wrong signature.
    NotificationForged = "notification forged",
    /// A genuine notification came to another payment's address.
    NotificationMisdirected = "notification at another address",
    /// A handler failed.
    HandlerFails = "handler fails",
    /// A handler never returned.
    HandlerHangs = "handler hangs",
    /// A handler panicked.
    HandlerPanics = "handler panics",
    /// A payer paid two payments of one order.
    PaidTwice = "payer pays twice",
    /// A payer paid after the payment had ended here.
    PaidLate = "payer pays late",
    /// A payer paid after the payment was cancelled here.
    PaidAfterCancel = "payer pays after cancel",
    /// A person declared something that is not true.
    WrongDeclaration = "person declares wrongly",
    /// A person took an item off the list without need.
    WrongResolve = "person resolves wrongly",
    /// Garbage arrived as notifications.
    Garbage = "garbage notifications",
}

/// How often each kind occurred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultCounts(Vec<u32>);

impl Default for FaultCounts {
    fn default() -> Self {
        Self(vec![0; Kind::ALL.len()])
    }
}

impl FaultCounts {
    /// It occurred once more.
    pub fn add(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }

    /// How often it occurred.
    pub fn count(&self, kind: Kind) -> u32 {
        self.0[kind as usize]
    }
}

/// When a fault occurs, relative to the step that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before it is sent.
    Before,
    /// After it was done, before its answer.
    After,
    /// Inside the transaction.
    Inside,
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The process stands still.
    Pause(Micros, Moment),
    /// The process dies, and starts again after so long.
    Crash(Micros, Moment),
    /// A commit or write is refused; nothing happens.
    Refuse,
    /// It is done and its answer is lost.
    Lose,
    /// A commit fails, and is done so much later.
    Later(Micros),
    /// A write never leaves.
    NeverSent,
    /// A write never arrives.
    LoseRequest,
    /// Its answer comes so late.
    Late(Micros),
    /// Its answer is cut.
    Cut,
    /// The bank moves this amount instead, in minor units.
    Amount(i64),
    /// The bank does it and answers this word.
    Say(String),
    /// The bank does it, and says for so long that nothing is final.
    NotFinal(Micros),
    /// The request arrives so much later.
    ArriveLate(Micros),
    /// The bank is down.
    Down,
    /// A notification is dropped.
    Drop,
    /// A notification comes so much later.
    Delay(Micros),
    /// A notification comes so often.
    Repeat(u32),
    /// Another notification of the same event says something else.
    Contradict,
    /// A notification goes to the address of this payment.
    Misdirect(String),
    /// A notification goes out before the answer to the request that made it.
    Early,
    /// A handler fails.
    Fail,
    /// A handler never returns.
    Hang,
    /// A handler panics.
    Panic,
}

/// A kind of place at which a fault can occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A commit.
    Commit,
    /// A claim of due work.
    Claim,
    /// A request to the bank, after its last check and before its first byte.
    Send,
    /// A request that left.
    Bank,
    /// A call of a handler.
    Handler,
    /// A notification.
    Note,
}

/// A fault that waits for its point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// At which process; any, if none.
    pub who: Option<ProcessId>,
    /// At what kind of place.
    pub point: Point,
    /// At which of these; any, if none.
    pub label: Option<String>,
    /// About which payment; any, if none.
    pub subject: Option<String>,
    /// At the how manieth; 0 is at every one.
    pub nth: u32,
    /// What it does.
    pub fault: Fault,
}

#[derive(Debug, Clone)]
struct Waiting {
    rule: Rule,
    seen: u32,
}

/// The faults that have not occurred yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct FaultTable {
    waiting: Vec<Waiting>,
    /// Whether the time of faults is over.
    pub(crate) over: bool,
}

impl FaultTable {
    pub(crate) fn set(&mut self, rules: &[Rule]) {
        self.waiting = rules.iter().cloned().map(|rule| Waiting { rule, seen: 0 }).collect();
    }

    /// The fault that occurs here, if any.
    pub(crate) fn at(&mut self, point: Point, who: ProcessId, label: &str, subject: &str) -> Option<Fault> {
        if self.over {
            return None;
        }
        let mut found = None;
        for (index, one) in self.waiting.iter_mut().enumerate() {
            let rule = &one.rule;
            let fits = rule.point == point
                && rule.who.is_none_or(|process| process == who)
                && rule.label.as_deref().is_none_or(|wanted| wanted == label)
                && rule.subject.as_deref().is_none_or(|wanted| wanted == subject);
            if fits {
                one.seen += 1;
                if one.seen >= rule.nth && found.is_none() {
                    found = Some(index);
                }
            }
        }
        let index = found?;
        if self.waiting[index].rule.nth == 0 {
            return Some(self.waiting[index].rule.fault.clone());
        }
        Some(self.waiting.remove(index).rule.fault)
    }
}
