//! Notes of a run for the judge: calls, events, deliveries and listed items.

use std::collections::{BTreeMap, BTreeSet};

use crate::units::{Micros, ProcessId};

/// A committed event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventNote {
    /// Its id.
    pub id: String,
    /// When it was committed.
    pub at: Micros,
    /// Its kind's word; of an item for a person also which.
    pub kind: String,
    /// The order.
    pub order: Option<String>,
    /// The payment's id.
    pub payment: Option<String>,
    /// The amount that it tells, in minor units.
    pub amount: Option<i64>,
}

/// A handler that did its work for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The handler.
    pub handler: String,
    /// The event.
    pub event: String,
    /// When.
    pub at: Micros,
}

/// An item on the list for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its kind's word.
    pub kind: String,
    /// The payment's id.
    pub payment: Option<String>,
    /// The order.
    pub order: Option<String>,
    /// In words.
    pub detail: String,
    /// When it was listed.
    pub at: Micros,
    /// Whether it is on the list at the end.
    pub open: bool,
    /// Whether a person took it off.
    pub by_person: bool,
}

/// What a call of the application ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A payment, with its status and the state of its opening.
    Payment {
        /// Its status.
        status: String,
        /// The state of its opening.
        operation: String,
        /// Whether the payer can do something.
        has_next: bool,
    },
    /// An operation, with its state.
    Operation {
        /// Its id.
        reference: String,
        /// Its state.
        state: String,
    },
    /// Something else that went well.
    Fine,
    /// The provider refused.
    Refused,
    /// The call says that nothing happened.
    Nothing(String),
    /// It contradicts what is stored.
    Conflict(String),
    /// The call says that nobody knows.
    Unknown(String),
    /// There is no such thing.
    Missing(String),
    /// What it is about does not exist yet, so it was not made.
    NotMade,
}

impl Answer {
    /// The word by which a story expects it.
    pub fn word(&self) -> &str {
        match self {
            Self::Payment { status, has_next: false, .. } if status == "pending" => "pending-without-next",
            Self::Payment { status, .. } => status,
            Self::Operation { state, .. } => state,
            Self::Fine => "fine",
            Self::Refused => "refused-by-bank",
            Self::Nothing(_) => "nothing-happened",
            Self::Conflict(_) => "conflict",
            Self::Unknown(_) => "unknown-error",
            Self::Missing(_) => "missing",
            Self::NotMade => "not-made",
        }
    }

    /// Whether the call was made at all.
    pub fn was_made(&self) -> bool {
        *self != Self::NotMade
    }

    /// Whether the caller is told that no money moved.
    pub fn says_nothing_moved(&self) -> bool {
        matches!(self, Self::Refused | Self::Nothing(_) | Self::Conflict(_))
            || matches!(self, Self::Operation { state, .. } if state == "refused")
    }
}

/// A call of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallNote {
    /// The label of what it makes.
    pub label: String,
    /// What it does, in one word.
    pub what: &'static str,
    /// The process.
    pub process: ProcessId,
    /// When it was made.
    pub at: Micros,
    /// When it ended, and how; none if its process ended before.
    pub answer: Option<(Micros, Answer)>,
    /// Whether its process ended before it did.
    pub lost: bool,
}

/// What a person declared, and the engine took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The payment's id.
    pub payment: String,
    /// The operation's id, if it is about one.
    pub operation: Option<String>,
    /// Whether the person said that it happened.
    pub happened: bool,
}

/// Everything that is noted during a run.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// Operations whose process began to commit that the provider said yes.
    pub answered: BTreeSet<String>,
    /// Committed events, in the order of their commits.
    pub events: Vec<EventNote>,
    pub(crate) event_ids: BTreeSet<String>,
    /// Who heard what.
    pub heard: Vec<Heard>,
    /// How often each handler was called for each event.
    pub called: BTreeMap<(String, String), u32>,
    /// Calls of a handler for an event that run now, and the most at one time.
    pub running: BTreeMap<(String, String), (u32, u32)>,
    /// Items for a person, by their keys.
    pub listed: BTreeMap<String, Listed>,
    /// Calls of the application.
    pub calls: Vec<CallNote>,
    /// What people declared.
    pub said: Vec<Said>,
    /// The newest event that arrived about each payment's label.
    pub arrived: BTreeMap<String, u32>,
    /// Processes that stopped when they were asked to, and when they were not.
    pub stopped: Vec<(ProcessId, Micros, bool)>,
    /// Handlers, and when each was first part of a process.
    pub handlers: BTreeMap<String, Micros>,
    /// Commits that succeeded.
    pub commits: u64,
}
