//! Decides what changes: the pure functions that move a payment from one state to another.
//!
//! Everything that learns something about a payment (an answer, a notification, a query, the clock, the
//! application) makes a [`Fact`] of it and comes here; everything that wants to send something makes an intent
//! ([`intents`]). Both are pure: what they return is committed whole by the store, on the versions that were read, or
//! decided anew. A fact that is applied twice changes no more than one that is applied once.

pub(crate) mod asking;
#[cfg(test)]
mod every_order;
pub(crate) mod fact;
pub(crate) mod intents;
mod known;
#[cfg(test)]
mod must_hold;
mod opening;
mod operations;
mod parts;
pub(crate) mod proven;
#[cfg(test)]
mod right_values;
pub(crate) mod situation;
mod step;
#[cfg(test)]
mod worlds;

pub(crate) use asking::awaits_decision;
pub(crate) use fact::{Answer, Fact, Failure};
pub(crate) use situation::{
    Situation, can_be_asked, lease_is_over, may_be_charged, moves_money, write_lease,
};

use crate::model::changes::Changes;
use crate::model::event::{AttentionKind, Source};
use crate::model::record::Status;
use step::Step;

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
