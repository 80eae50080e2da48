//! Named points on the way of a payment, so that a test can end the process exactly there.

/// A point at which a process may die; whatever happens there, no promise may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Point {
    /// The intent is committed; leave to send it is not given yet.
    Reserved,
    /// Leave to send it is committed; no byte has left.
    BeforeSend,
    /// The provider has answered; the answer is not committed.
    Answered,
    /// A capture, void or refund is committed; leave to send it is not given yet.
    OperationReserved,
    /// Leave to send a capture, void or refund is committed; no byte of it has left.
    OperationBeforeSend,
    /// The provider has answered a capture, void or refund; the answer is not committed.
    OperationAnswered,
    /// A notification is committed; its answer has not been given to the web framework.
    BeforeAcknowledgement,
    /// The answer to a notification was given to the web framework.
    Acknowledged,
    /// An event was claimed; no handler has been called.
    EventClaimed,
    /// The handlers did their work; that is not noted yet.
    EventHandled,
}

impl Point {
    /// All points.
    pub const ALL: [Self; 10] = [
        Self::Reserved,
        Self::BeforeSend,
        Self::Answered,
        Self::OperationReserved,
        Self::OperationBeforeSend,
        Self::OperationAnswered,
        Self::BeforeAcknowledgement,
        Self::Acknowledged,
        Self::EventClaimed,
        Self::EventHandled,
    ];

    /// The word by which a command line names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::BeforeSend => "before-send",
            Self::Answered => "answered",
            Self::OperationReserved => "operation-reserved",
            Self::OperationBeforeSend => "operation-before-send",
            Self::OperationAnswered => "operation-answered",
            Self::BeforeAcknowledgement => "before-acknowledgement",
            Self::Acknowledged => "acknowledged",
            Self::EventClaimed => "event-claimed",
            Self::EventHandled => "event-handled",
        }
    }
}

/// Is told when a point is reached. It may block, or end the process.
pub trait Probe: Send + Sync {
    /// This point is reached.
    fn reached(&self, point: Point);
}
