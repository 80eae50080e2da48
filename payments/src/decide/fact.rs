//! Defines the facts that decisions are about, with the answers to writes and their failures.

use tulbur_core::{ErrorKind, FreeText, Money, NextAction, Outcome, PaymentRef, Refund, Timestamp};

use crate::decide::proven::Proven;
use crate::model::event::Source;
use crate::model::record::CardRecord;

/// Something that was learnt.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    /// The owner of the write asks for leave to send it. Of the operation, where the situation has one.
    Submitted { owner: String },
    /// The provider answered the write of this owner.
    Answered { owner: String, answer: Answer },
    /// The write of this owner failed.
    WriteFailed { owner: String, failure: Failure },
    /// The lease of the write has ended, and its owner has not said what came of it.
    Abandoned,
    /// The provider proved something. The card is one that it saved on the way, already sealed.
    Proven(Box<Proven>, Option<CardRecord>),
    /// The provider was asked, when the payment was at this revision, and does not know it.
    NotFound { asked_on: u32 },
    /// The provider could not be asked.
    AskFailed { why: String, kind: ErrorKind },
    /// It waits longer than it should, and nobody could be asked meanwhile.
    Overdue,
    /// The application gave it up, and the provider need not be told.
    GivenUp,
    /// A notification says that there is something to ask about.
    Hinted { source: Source, what: String },
    /// Two deliveries of one event say different things.
    Contradicted { detail: String },
    /// A person looked it up with the provider: it was paid, or it never will be.
    Declared { paid: bool, by: String },
    /// The provider was asked how the payment stands, to learn what became of an unresolved operation. No answer if it
    /// could not be asked; `others` is what the payment's other unresolved refunds may have given back.
    OperationAsked { answer: Option<Box<Proven>>, others: Option<Money> },
    /// A person looked the operation up with the provider.
    OperationDeclared { happened: bool, by: String },
}

/// What a provider answered to a write.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// To the request that opens a payment or card set-up.
    Opened { reference: PaymentRef, next: Vec<NextAction>, expires_at: Option<Timestamp> },
    /// To a charge.
    Charged(Box<Proven>),
    /// To a refund.
    Refund(Refund),
    /// To a capture, void or cancel: how the payment now stands.
    Payment(Box<Proven>),
}

/// How a write failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) outcome: Outcome,
    pub(crate) why: String,
    pub(crate) code: Option<FreeText>,
    pub(crate) text: Option<FreeText>,
}

impl Failure {
    /// The write was not sent, and never will be.
    pub(crate) fn never_sent(why: impl Into<String>) -> Self {
        Self { outcome: Outcome::NoEffect, why: why.into(), code: None, text: None }
    }
}

impl From<&tulbur_core::Error> for Failure {
    fn from(error: &tulbur_core::Error) -> Self {
        Self {
            outcome: error.outcome(),
            why: error.message().to_owned(),
            code: error.code().map(FreeText::from),
            text: error.text().map(FreeText::from),
        }
    }
}
