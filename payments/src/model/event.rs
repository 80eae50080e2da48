//! Events for the application, items for the operator, and lines of history.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tulbur_core::{AccountName, CustomerRef, FreeText, Money, OperationRef, OrderRef, Timestamp};

use crate::model::operation::OperationKind;
use crate::model::record::{CardId, EventId, PaymentId, Status};

/// When the money came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    /// While the payment was open.
    InTime,
    /// After the payment had ended in another way: the shop may have given the goods to somebody else.
    After(Status),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EventKind {
    /// The order is paid. An order has exactly one of these, whatever happens.
    Paid {
        /// How much.
        amount: Money,
        /// Whether it came in time: every handler must look.
        timing: Timing,
    },
    /// A further payment of an order that is paid: to be refunded.
    PaidAgain {
        /// How much.
        amount: Money,
    },
    /// The money is held. It is taken by [`Payments::capture`](crate::Payments::capture), let go by
    /// [`Payments::void`](crate::Payments::void).
    Authorized {
        /// How much.
        amount: Money,
    },
    /// Money was given back.
    Refunded {
        /// The refund.
        operation: OperationRef,
        /// How much.
        amount: Money,
    },
    /// The provider took a refund and settles it later. [`EventKind::Refunded`] or [`EventKind::OperationRefused`] says
    /// how it ended.
    RefundAccepted {
        /// The refund.
        operation: OperationRef,
        /// How much.
        amount: Money,
    },
    /// The provider refused a capture, void or refund: nothing happened.
    OperationRefused {
        /// The operation.
        operation: OperationRef,
        /// What it was to do.
        kind: OperationKind,
        /// The provider's code.
        code: Option<FreeText>,
        /// The provider's words.
        text: Option<FreeText>,
    },
    /// A payment was refused. The order may be paid by another one.
    Declined {
        /// The provider's code.
        code: Option<FreeText>,
        /// The provider's words.
        text: Option<FreeText>,
    },
    /// A payment was given up.
    Canceled,
    /// A payment's time ran out.
    Expired,
    /// A card was saved.
    CardSaved {
        /// To whom it belongs.
        customer: CustomerRef,
        /// Its id.
        card: CardId,
    },
    /// Something does not fit and a person must look.
    Attention {
        /// What does not fit.
        reason: AttentionKind,
        /// In words.
        detail: String,
    },
}

impl EventKind {
    /// The word, as stored.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Paid { .. } => "paid",
            Self::PaidAgain { .. } => "paid-again",
            Self::Authorized { .. } => "authorized",
            Self::Refunded { .. } => "refunded",
            Self::RefundAccepted { .. } => "refund-accepted",
            Self::OperationRefused { .. } => "operation-refused",
            Self::Declined { .. } => "declined",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::CardSaved { .. } => "card-saved",
            Self::Attention { .. } => "attention",
        }
    }
}

/// Something that happened, delivered at least once under one stable id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// The same however often it is delivered.
    pub id: EventId,
    /// When it was committed.
    pub at: Timestamp,
    /// The order, if it is about one.
    pub order: Option<OrderRef>,
    /// The payment, if it is about one.
    pub payment: Option<PaymentId>,
    /// What happened.
    pub kind: EventKind,
}

/// Why a handler could not do its work now. It will be called again.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// An error of a handler that says: calling again is of no use. Its delivery of the event is parked for a person at once.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct GiveUp(pub String);

/// When a delivery that fails every time is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryLimit {
    /// After this many tries.
    Attempts(u32),
    /// With the first failure at this age, counted from the first try.
    Age(Duration),
}

/// Does the application's work for events.
///
/// **At least once.** Every event that is committed while the handler is registered is delivered to it, under an
/// [`id`](Event::id) that never changes. It may be delivered again: the process may die after the work and before that
/// is noted, or sleep for longer than its lease while another process takes over. So `handle` must bear to be called
/// twice for one event, also at the same time in two processes. A claim in the application's own transaction
/// (`claim_in`) makes the effect exactly once.
///
/// **In order.** A handler that keeps the order is told events of one order one after the other: the next one when the
/// one before it was handled or given up. Other orders do not wait. See [`EventHandler::in_order`].
///
/// **On its own.** Each handler has its own deliveries, tries and list of what was given up. One that fails, hangs or is
/// away delays no other.
///
/// **In time.** A call that takes longer than
/// [`PaymentsBuilder::handler_limit`](crate::PaymentsBuilder::handler_limit) has failed, and is aborted at its next
/// `await`; so is one that is under way when [`Payments::run`](crate::Payments::run) has to end. A handler must not
/// block its thread: what blocks cannot be aborted, and until it ends its handler is not called again in this process.
/// Use `spawn_blocking` for work that blocks.
///
/// **By name.** What waits for a handler is stored under its name. A process that does not have a handler of that name
/// leaves its deliveries alone. Removing or renaming a handler is
/// [`Payments::remove_handler`](crate::Payments::remove_handler); without it, what waits for the old name is listed
/// for a person.
#[async_trait]
pub trait EventHandler: Send + Sync {
    /// Does the work.
    ///
    /// # Errors
    /// Any error, and any panic, makes the event come again, later and later, until its
    /// [`retry_limit`](EventHandler::retry_limit); then the delivery is parked for a person. [`GiveUp`] parks it at once.
    async fn handle(&self, event: &Event) -> Result<(), HandlerError>;

    /// Whether it must see the events of one order in their order; yes, if it does not say otherwise.
    ///
    /// While a handler that keeps the order fails for an event, later events of that order wait for it, and no other
    /// handler does. One that answers no may see a later event of an order before an earlier one.
    fn in_order(&self) -> bool {
        true
    }

    /// When a delivery that fails every time is given up: after twenty tries, which take more than an hour and a half,
    /// if it does not say otherwise.
    fn retry_limit(&self) -> RetryLimit {
        RetryLimit::Attempts(20)
    }
}

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AttentionKind {
    /// The provider proves another amount than was asked for.
    AmountMismatch,
    /// More came for a payment than was asked for, and it counts as paid.
    Overpaid,
    /// The order was paid more than once: refund one.
    PaidAgain,
    /// A genuine notification about a payment that is not ours.
    UnknownPayment,
    /// Two messages about one thing say different things.
    Contradiction,
    /// A write may have happened, and the provider does not say.
    UnresolvedOperation,
    /// The provider no longer says that a paid payment is paid.
    Reversed,
    /// Something that proves nothing says that it was paid, and the provider cannot be asked.
    Unproven,
    /// A notification says that it is paid, and no query has confirmed it in time.
    Unconfirmed,
    /// More was given back than was taken.
    OverRefunded,
    /// A handler failed for an event every time, and is not told of it any more.
    Undelivered,
    /// Events wait for a handler that no process has.
    HandlerMissing,
    /// An event, payment or operation cannot be read by the release that runs.
    Unreadable,
}

impl AttentionKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::AmountMismatch,
        Self::Overpaid,
        Self::PaidAgain,
        Self::UnknownPayment,
        Self::Contradiction,
        Self::UnresolvedOperation,
        Self::Reversed,
        Self::Unproven,
        Self::Unconfirmed,
        Self::OverRefunded,
        Self::Undelivered,
        Self::HandlerMissing,
        Self::Unreadable,
    ];

    /// Whether a payment has at most one such item; of the others it has one for each thing that is said.
    pub(crate) fn is_one_per_payment(self) -> bool {
        matches!(
            self,
            Self::PaidAgain
                | Self::UnresolvedOperation
                | Self::Unproven
                | Self::Unconfirmed
                | Self::OverRefunded
        )
    }

    /// The word, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AmountMismatch => "amount-mismatch",
            Self::Overpaid => "overpaid",
            Self::PaidAgain => "paid-again",
            Self::UnknownPayment => "unknown-payment",
            Self::Contradiction => "contradiction",
            Self::UnresolvedOperation => "unresolved-operation",
            Self::Reversed => "reversed",
            Self::Unproven => "unproven",
            Self::Unconfirmed => "unconfirmed",
            Self::OverRefunded => "over-refunded",
            Self::Undelivered => "undelivered",
            Self::HandlerMissing => "handler-missing",
            Self::Unreadable => "unreadable",
        }
    }
}

impl fmt::Display for AttentionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something for a person to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttentionItem {
    /// What it is about and says: the same thing is listed once, however often it is found.
    pub key: String,
    /// When it was found first.
    pub at: Timestamp,
    /// What does not fit.
    pub kind: AttentionKind,
    /// The account, if it is about one.
    pub account: Option<AccountName>,
    /// The order, if known.
    pub order: Option<OrderRef>,
    /// The payment, if known.
    pub payment: Option<PaymentId>,
    /// In words, and what to do.
    pub detail: String,
}

/// How something was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The application asked for it.
    Application,
    /// The provider's answer to a write.
    Answer,
    /// A notification.
    Notification,
    /// The payer's browser came back.
    Return,
    /// The provider's answer to a question.
    Query,
    /// Our clock.
    Clock,
    /// A restart found it half done.
    Recovery,
    /// A person who looked it up.
    Person,
}

impl Source {
    /// The word, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Answer => "answer",
            Self::Notification => "notification",
            Self::Return => "return",
            Self::Query => "query",
            Self::Clock => "clock",
            Self::Recovery => "recovery",
            Self::Person => "person",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One line of an order's history. Lines are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// When.
    pub at: Timestamp,
    /// The order, if it is about one.
    pub order: Option<OrderRef>,
    /// The payment.
    pub payment: PaymentId,
    /// How it was learnt.
    pub source: Source,
    /// How it stood before and after, where that changed.
    pub change: Option<(Status, Status)>,
    /// In words.
    pub what: String,
}

/// The history of an order or card set-up; `Display` prints it for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History(pub Vec<HistoryEntry>);

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.0 {
            let payment = entry.payment.as_str();
            let short = &payment[payment.len().saturating_sub(6)..];
            write!(f, "{}  …{short}  {:<12}  {}", entry.at, entry.source, entry.what)?;
            if let Some((from, to)) = entry.change {
                write!(f, "  [{from} → {to}]")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
