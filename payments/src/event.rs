//! What an application is told, what a person is told, and what is written down.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tulbur_core::{AccountName, Money, OperationRef, OrderRef, Timestamp};

use crate::operation::OperationKind;
use crate::record::{CardId, CustomerRef, EventId, PaymentId, Status};

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
    /// The provider refused a capture, void or refund: nothing happened.
    OperationRefused {
        /// The operation.
        operation: OperationRef,
        /// What it was to do.
        kind: OperationKind,
        /// The provider's code.
        code: Option<String>,
        /// The provider's words.
        text: Option<String>,
    },
    /// A payment was refused. The order may be paid by another one.
    Declined {
        /// The provider's code.
        code: Option<String>,
        /// The provider's words.
        text: Option<String>,
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

/// An error of a handler that says: calling again is of no use. If no other handler is to be called again, the event is
/// parked for a person at once.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct GiveUp(pub String);

/// Does the application's work for events.
///
/// It is called at least once for each event, one at a time per order and in order. A claim in the application's
/// own transaction makes its effect exactly once.
#[async_trait]
pub trait EventHandler: Send + Sync {
    /// Does the work.
    ///
    /// # Errors
    /// Any error makes the event come again, later and later, until it is parked for a person.
    async fn handle(&self, event: &Event) -> Result<(), HandlerError>;

    /// Whether it must see the events of one order in their order; yes, if it does not say otherwise.
    ///
    /// While a handler that keeps the order fails, later events of that order wait, for all handlers. One that answers
    /// no holds up nobody, and may see a later event of an order before an earlier one.
    fn in_order(&self) -> bool {
        true
    }
}

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AttentionKind {
    /// The provider proves another amount than was asked for.
    AmountMismatch,
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
}

impl AttentionKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::AmountMismatch,
        Self::PaidAgain,
        Self::UnknownPayment,
        Self::Contradiction,
        Self::UnresolvedOperation,
        Self::Reversed,
        Self::Unproven,
    ];

    /// The word, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AmountMismatch => "amount-mismatch",
            Self::PaidAgain => "paid-again",
            Self::UnknownPayment => "unknown-payment",
            Self::Contradiction => "contradiction",
            Self::UnresolvedOperation => "unresolved-operation",
            Self::Reversed => "reversed",
            Self::Unproven => "unproven",
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
    /// The account.
    pub account: AccountName,
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
