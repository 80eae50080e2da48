//! Decides what changes: the pure functions that move a payment from one state to another.
//!
//! Everything that learns something about a payment (an answer, a notification, a query, the clock, the
//! application) makes a [`Fact`] of it and comes here; everything that wants to send something makes an intent
//! ([`intents`]). Both are pure: what they return is committed whole by the store, on the versions that were read, or
//! decided anew. A fact that is applied twice changes no more than one that is applied once.

use std::time::Duration;

use tulbur_core::{
    ErrorKind, FlowEffect, FlowInfo, Money, NextAction, OperationState, Outcome, PaymentRef, ProviderRef,
    QueryBy, Refund, Timestamp,
};

pub(crate) mod asking;
#[cfg(test)]
mod every_order;
pub(crate) mod intents;
mod known;
mod opening;
mod operations;
pub(crate) mod proven;
#[cfg(test)]
mod right_values;
mod step;

pub(crate) use asking::awaits_decision;

use crate::decide::proven::Proven;
use crate::model::changes::Changes;
use crate::model::event::{AttentionKind, Source};
use crate::model::operation::OperationRecord;
use crate::model::record::{CardRecord, OrderRecord, PaymentRecord, Status};
use crate::model::schedule::Schedule;
use step::Step;

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
    pub(crate) code: Option<String>,
    pub(crate) text: Option<String>,
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
            code: error.code().map(str::to_owned),
            text: error.text().map(str::to_owned),
        }
    }
}

/// What a decision is made on.
pub(crate) struct Situation<'a> {
    pub(crate) order: Option<&'a OrderRecord>,
    pub(crate) payment: &'a PaymentRecord,
    /// The operation that the fact is about, if it is about one.
    pub(crate) operation: Option<&'a OperationRecord>,
    pub(crate) flow: &'a FlowInfo,
    pub(crate) schedule: &'a Schedule,
    /// Whether a notification counts only once a query has confirmed it.
    pub(crate) confirm_first: bool,
    /// A reference of the provider's that another payment of the account has.
    pub(crate) taken: Option<&'a ProviderRef>,
    pub(crate) now: Timestamp,
    pub(crate) new_id: &'a dyn Fn() -> String,
}

/// How long the lease of a write is good for: longer than the write may take.
pub(crate) fn write_lease(flow: &FlowInfo, schedule: &Schedule) -> Duration {
    let within = schedule.write_within(flow);
    schedule.operation_lease.max(within.saturating_add(within / 2))
}

/// Whether a lease is over. One that lies further ahead than any lease is good for was written by a wrong clock.
pub(crate) fn lease_is_over(
    until: Option<Timestamp>,
    flow: &FlowInfo,
    schedule: &Schedule,
    now: Timestamp,
) -> bool {
    until
        .is_none_or(|until| until <= now || until > now.after(write_lease(flow, schedule)).after(LEASE_SLACK))
}

/// By how much the clocks that leases are written by may differ.
const LEASE_SLACK: Duration = Duration::from_mins(1);

/// Decides what follows from a fact. Nothing at all may follow.
pub(crate) fn decide(situation: &Situation<'_>, fact: Fact) -> Changes {
    let mut step = Step::new(situation);
    match fact {
        Fact::Submitted { owner } => match situation.operation {
            Some(_) => step.operation_submitted(&owner),
            None => step.submitted(&owner),
        },
        Fact::Answered { owner, answer } => step.answered(&owner, answer),
        Fact::WriteFailed { owner, failure } => match situation.operation {
            Some(_) => step.operation_failed(&owner, failure),
            None => step.write_failed(&owner, failure),
        },
        Fact::Abandoned => match situation.operation {
            Some(_) => step.operation_abandoned(),
            None => step.abandoned(),
        },
        Fact::Proven(proven, card) => step.proven(&proven, card),
        Fact::NotFound { asked_on } => step.not_found(asked_on),
        Fact::AskFailed { why, kind } => step.ask_failed(&why, kind),
        Fact::Overdue => step.list_what_is_overdue(),
        // It may have ended, its money may be held, or it may be charged, since the application saw it open.
        Fact::GivenUp => {
            let may = intents::may_be_given_up(&step.payment, situation.flow).is_ok();
            if may && step.payment.status == Status::Pending {
                step.given_up();
            }
        }
        Fact::Hinted { source, what } => step.hinted(source, &what),
        Fact::Contradicted { detail } => {
            step.touched = true;
            step.ask_now();
            step.attention(AttentionKind::Contradiction, &detail);
            step.write(Source::Notification, "it contradicts an earlier notification; not applied");
        }
        Fact::Declared { paid, by } => step.declared(paid, &by),
        Fact::OperationAsked { answer, others } => step.operation_asked(answer.as_deref(), others),
        Fact::OperationDeclared { happened, by } => step.operation_declared(happened, &by),
    }
    step.finish()
}

impl Step<'_> {
    fn answered(&mut self, owner: &str, answer: Answer) {
        if !self.is_owner(owner) {
            return;
        }
        match answer {
            Answer::Opened { reference, next, expires_at } => self.opened(&reference, next, expires_at),
            Answer::Charged(proven) => self.charged(&proven),
            Answer::Refund(refund) => {
                if self.operation_may_be_answered() {
                    self.refund_answered(refund);
                }
            }
            Answer::Payment(proven) => {
                if self.operation_may_be_answered() {
                    self.payment_answered(&proven);
                }
            }
        }
    }
}

/// Whether a write of this flow can take money without the payer doing anything more.
pub(crate) fn moves_money(flow: &FlowInfo) -> bool {
    flow.effect == FlowEffect::MovesMoney
}

/// Whether a payment of this flow can be asked about at all.
pub(crate) fn can_be_asked(flow: &FlowInfo, payment: &PaymentRecord) -> bool {
    match flow.query_by {
        QueryBy::Nothing => false,
        QueryBy::ProviderRef => payment.reference.provider_ref.is_some(),
        QueryBy::MerchantRef | QueryBy::MerchantRefAndAmount => true,
    }
}

/// Whether money may be moving that nobody has told us of: the charge was sent, it is not final, and the payer has
/// nothing left to do.
pub(crate) fn may_be_charged(flow: &FlowInfo, payment: &PaymentRecord) -> bool {
    moves_money(flow)
        && payment.status == Status::Pending
        && !matches!(payment.operation, OperationState::Reserved | OperationState::Refused)
        && payment.next.is_empty()
}
