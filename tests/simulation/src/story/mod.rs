//! Stories: what the processes, the payers, the bank and the people of one run do, and which faults occur.
//!
//! A story has a text form, one line for each thing. A seed makes a story, a story can be written by hand, and both are
//! run and judged alike.

mod expect;
mod parse;
mod print;

pub use expect::{Count, Expect};
pub use parse::{StoryError, parse, time};

use crate::fault::Rule;
use crate::units::{Micros, ProcessId};

/// Which database the simulated one behaves like, where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Database {
    /// A transaction that does not end holds the others up for as long as it lasts.
    Sqlite,
    /// A transaction that does not end is ended by the server.
    #[default]
    Postgres,
}

/// A process, and the handlers that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its name.
    pub name: String,
    /// Its handlers. One whose name ends with `~` keeps no order.
    pub handlers: Vec<String>,
}

/// A call of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Opens a payment.
    Open {
        /// The order.
        order: String,
        /// The flow: `page`, `link`, `hold` at North; `spage`, `shold` at South; `wpage`, `whold` at West.
        flow: String,
        /// In minor units.
        amount: i64,
        /// The payment's label.
        label: String,
        /// Whether the call has a key.
        keyed: bool,
    },
    /// Charges a saved card.
    Charge {
        /// The order.
        order: String,
        /// The account.
        account: String,
        /// In minor units.
        amount: i64,
        /// The payment's label.
        label: String,
        /// Whether the call has a key.
        keyed: bool,
    },
    /// Takes held money.
    Capture {
        /// The payment's label.
        payment: String,
        /// In minor units; all of it, if none.
        amount: Option<i64>,
        /// The operation's label.
        label: String,
    },
    /// Lets held money go.
    Void {
        /// The payment's label.
        payment: String,
        /// The operation's label.
        label: String,
    },
    /// Gives money back.
    Refund {
        /// The payment's label.
        payment: String,
        /// In minor units; all that is left, if none.
        amount: Option<i64>,
        /// The operation's label.
        label: String,
    },
    /// Gives a payment up.
    Cancel {
        /// The payment's label.
        payment: String,
    },
    /// Looks at a payment.
    Query {
        /// The payment's label.
        payment: String,
    },
    /// A person says what became of a payment.
    DeclarePayment {
        /// The payment's label.
        payment: String,
        /// What the person says.
        paid: bool,
    },
    /// A person says what became of a payment's unknown operations.
    DeclareOperations {
        /// The payment's label.
        payment: String,
        /// What the person says.
        happened: bool,
    },
    /// A person takes the payment's items off the list.
    Resolve {
        /// The payment's label.
        payment: String,
    },
    /// A person replays the payment's notifications.
    Replay {
        /// The payment's label.
        payment: String,
    },
    /// A person asks to look again.
    Retry {
        /// The payment's label.
        payment: String,
    },
}

/// A notification that the story sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The payment that it is about.
    pub payment: String,
    /// What it says.
    pub status: String,
    /// In minor units; what was asked for, if none.
    pub amount: Option<i64>,
    /// The payment at whose address it arrives; its own, if none.
    pub address: Option<String>,
    /// Whether its signature is right.
    pub genuine: bool,
    /// The event's number; a new one, if none.
    pub event: Option<u32>,
    /// The process that it goes to; any, if none.
    pub to: Option<ProcessId>,
}

/// Something that happens at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The application calls.
    Call(ProcessId, Call),
    /// The payer pays, this much if it is said.
    Pay(String, Option<i64>),
    /// The payer's bank will say no.
    Decline(String),
    /// The bank notifies.
    Notify(Note),
    /// Garbage arrives: so many, at one moment.
    Garbage(u64),
    /// A process stands still.
    Pause(ProcessId, Micros),
    /// A process dies, and starts again after so long.
    Crash(ProcessId, Micros),
    /// A process is asked to stop, and has so long to do it.
    Stop(ProcessId, Micros),
    /// A process starts with these handlers.
    Start(ProcessId, Vec<String>),
    /// A process's clock is set to be so far off the right time, in milliseconds.
    Clock(ProcessId, i64),
    /// The database cannot be reached for so long.
    Away(Micros),
}

/// A whole story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// What it is about, for people.
    pub title: Vec<String>,
    /// The seed of all latencies; equal ones, if none.
    pub schedule: Option<u64>,
    /// The database.
    pub database: Database,
    /// The processes.
    pub processes: Vec<Process>,
    /// When faults end: what is paused goes on, clocks are right, and every process has all handlers.
    pub calm_at: Micros,
    /// When the judge looks.
    pub ends_at: Micros,
    /// What happens, and when.
    pub actions: Vec<(Micros, Action)>,
    /// The faults that wait for their point.
    pub rules: Vec<Rule>,
    /// What must be true at the end, beyond what the judge always asks for.
    pub expects: Vec<Expect>,
}
