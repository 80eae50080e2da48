//! The outbox part of a store: which handlers there are, and what each of them is still to be told.
//!
//! An event is *delivered* to each handler by itself. The commit of an event makes one delivery for every registered
//! handler; what is done is deleted, so that looking for work reads the backlog and never the history.

use std::fmt;

use async_trait::async_trait;
use tulbur_core::{OrderRef, Timestamp};

use crate::error::StoreError;
use crate::model::event::Event;
use crate::model::record::{EventId, PaymentId};

/// The newest form of a stored event that this release reads. A store keeps it beside each event that it writes.
pub const EVENT_FORMAT: i64 = 1;

/// A handler, as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerSpec {
    /// Its name; not empty.
    pub name: String,
    /// Whether it is told the events of one stream one by one and in their order.
    pub in_order: bool,
}

impl HandlerSpec {
    /// A handler of this name.
    pub fn new(name: impl Into<String>, in_order: bool) -> Self {
        Self { name: name.into(), in_order }
    }
}

/// A registered handler, and how much waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisteredHandler {
    /// Its name.
    pub name: String,
    /// Whether it is told the events of one stream one by one and in their order.
    pub in_order: bool,
    /// When it was registered: it is told what was committed since.
    pub registered_at: Timestamp,
    /// When a process last said that it has this handler.
    pub seen_at: Timestamp,
    /// Deliveries that are not done and not parked.
    pub waiting: u64,
    /// When the oldest event of those was committed.
    pub oldest: Option<Timestamp>,
    /// Deliveries that were given up.
    pub parked: u64,
}

impl RegisteredHandler {
    /// A handler that nothing waits for: for a store that puts it together.
    pub fn new(spec: HandlerSpec, registered_at: Timestamp, seen_at: Timestamp) -> Self {
        let HandlerSpec { name, in_order } = spec;
        Self { name, in_order, registered_at, seen_at, waiting: 0, oldest: None, parked: 0 }
    }
}

/// An event as it is stored. One that another release wrote may be unreadable here, and is listed all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its id.
    pub id: EventId,
    /// When it was committed.
    pub at: Timestamp,
    /// The word for what happened.
    pub kind: String,
    /// The event, or why this release cannot read it.
    pub read: Result<Event, String>,
}

impl From<Event> for StoredEvent {
    fn from(event: Event) -> Self {
        Self { id: event.id.clone(), at: event.at, kind: event.kind.name().to_owned(), read: Ok(event) }
    }
}

/// The claim of one delivery: who holds it may call the handler and settle it, until the lease ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The handler.
    pub handler: String,
    /// The event's number in the order of the commits.
    pub seq: i64,
    /// The event.
    pub event: EventId,
    /// The event's [`stream`](Event::stream).
    pub stream: String,
    /// The token that was claimed with.
    pub owner: String,
}

/// A delivery that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedDelivery {
    /// The claim.
    pub claim: Claim,
    /// The event, or why this release cannot read it.
    pub event: Result<Event, String>,
    /// How often it was claimed, this time included.
    pub attempts: u32,
    /// When it was first claimed.
    pub first_at: Timestamp,
    /// When it was first set aside because a release could not read it.
    pub aside_at: Option<Timestamp>,
}

/// How a claimed delivery is settled. Every way ends the claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// The handler did its work. The delivery is deleted, and a line says who handled what and when.
    Done,
    /// Again at this time. Later events of its stream wait.
    Again(Timestamp),
    /// Not again by itself. Later events of its stream go on.
    Parked,
    /// The handler was not called: again at this time, and the attempt does not count.
    Released(Timestamp),
    /// This release cannot read the event: again at this time, and the attempt does not count.
    SetAside {
        /// When it is tried again.
        until: Timestamp,
        /// Whether later events of its stream go on without it.
        alone: bool,
    },
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is delivered at its time, for the first time or again.
    Due,
    /// It waits for an earlier event of its stream.
    Waiting,
    /// A process holds it, and works on it.
    Claimed,
    /// The handler did its work.
    Done,
    /// It was given up, and waits for a person.
    Parked,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Due, Self::Waiting, Self::Claimed, Self::Done, Self::Parked];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Waiting => "waiting",
            Self::Claimed => "claimed",
            Self::Done => "done",
            Self::Parked => "parked",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One handler's part in an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerDelivery {
    /// The handler.
    pub handler: String,
    /// How it stands.
    pub state: DeliveryState,
    /// How often it was claimed; 0 once it is done.
    pub attempts: u32,
    /// When it is due, when its lease ends, when it was done or when it was parked; none while it waits for an
    /// earlier event.
    pub at: Option<Timestamp>,
}

/// An event, and how its deliveries stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDelivery {
    /// The event.
    pub event: StoredEvent,
    /// Each handler that has to do with it, by name.
    pub handlers: Vec<HandlerDelivery>,
}

/// A delivery that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedDelivery {
    /// The handler.
    pub handler: String,
    /// The event.
    pub event: StoredEvent,
    /// How often it was claimed.
    pub attempts: u32,
    /// When it was first claimed.
    pub first_at: Timestamp,
    /// When it was given up.
    pub parked_at: Timestamp,
}

/// What a commit of events owes to handlers, and who delivers it. Part of [`Store`](crate::Store).
///
/// A commit makes one delivery of each of its events for every handler that is registered, in the commit's own
/// transaction. **While no handler is registered at all**, events wait for the first call of
/// [`Outbox::register_handlers`], whose handlers are told of all of them.
///
/// For a handler that keeps the order, only the first delivery of a stream that is not parked is due; settling it makes
/// the next one due in the same transaction. For any other handler each delivery is due by itself. Two things are
/// serialised with commits of events, and a store must not forget either: settling within a stream, or a delivery
/// is never due; and registration, or a handler misses an event.
#[async_trait]
pub trait Outbox: fmt::Debug + Send + Sync {
    /// Registers handlers: they are told of every event that is committed from now on. One that is registered stays
    /// so, with what waits for it, and its [`in_order`](HandlerSpec::in_order) is that of the last call.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where commits could not be excluded in short time: try again.
    async fn register_handlers(&self, handlers: &[HandlerSpec], now: Timestamp) -> Result<(), StoreError>;

    /// Notes that a process has these handlers. Answers those of them that are registered, each with when it was
    /// noted before.
    async fn see_handlers(
        &self,
        handlers: &[String],
        now: Timestamp,
    ) -> Result<Vec<(String, Timestamp)>, StoreError>;

    /// All registered handlers by name, and how much waits for each.
    async fn handlers(&self) -> Result<Vec<RegisteredHandler>, StoreError>;

    /// Removes a handler. What waits for it, parked or not, is dropped, or goes to another registered handler that has
    /// not heard of it yet; for that one it is new. Answers how many deliveries that were; none if one of the two is not registered.
    async fn remove_handler(
        &self,
        name: &str,
        heir: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<u64>, StoreError>;

    /// Makes a registered handler be told of all events committed at or after this time of which it has not heard and
    /// is not to be told already. Answers how many that were; none if it is not registered.
    async fn backfill_handler(
        &self,
        name: &str,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<Option<u64>, StoreError>;

    /// Claims deliveries that are due, for each handler up to so many: its oldest due ones first, and per handler in
    /// the order of the events. They are not due for anybody until `lease`. Each claim counts as an attempt.
    ///
    /// A row that cannot be read is claimed like any other, and says so.
    async fn claim_deliveries(
        &self,
        wanted: &[(String, u32)],
        owner: &str,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Vec<ClaimedDelivery>, StoreError>;

    /// Moves the end of a claim's lease; whether the claim still held.
    async fn renew_delivery(&self, claim: &Claim, lease: Timestamp) -> Result<bool, StoreError>;

    /// Settles a claimed delivery; whether the claim still held. If not, nothing changes.
    async fn settle_delivery(
        &self,
        claim: &Claim,
        settle: Settle,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// When the next delivery of one of these handlers is due. The ends of leases count.
    async fn next_delivery(&self, handlers: &[String]) -> Result<Option<Timestamp>, StoreError>;

    /// An order's events, or with none those of one card set-up, oldest first, with how their deliveries stand.
    async fn deliveries(
        &self,
        order: Option<&OrderRef>,
        payment: &PaymentId,
    ) -> Result<Vec<EventDelivery>, StoreError>;

    /// Deliveries that were given up, oldest event first.
    async fn parked_deliveries(&self, limit: u32) -> Result<Vec<ParkedDelivery>, StoreError>;

    /// Makes a delivery that was given up due again, with its attempts counted anew; whether it was one. If a later
    /// event of its stream is being delivered, it waits for that one, and no other goes before it.
    async fn unpark_delivery(
        &self,
        handler: &str,
        event: &EventId,
        at: Timestamp,
    ) -> Result<bool, StoreError>;
}
