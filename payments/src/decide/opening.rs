//! Decides what follows from the request that opens a payment: its sending, its answer, its failure, or the end of its
//! lease.

use tulbur_core::{NextAction, OperationState, Outcome, PaymentRef, Timestamp};

use super::step::Step;
use super::{Failure, lease_is_over, write_lease};
use crate::model::event::{AttentionKind, Source};
use crate::model::record::{EndedBy, Status};

impl Step<'_> {
    /// Leave to send is given once: from Reserved, to the owner, while the payment is still open.
    pub(super) fn submitted(&mut self, owner: &str) {
        let may = self.payment.operation == OperationState::Reserved
            && self.is_owner(owner)
            && self.payment.status == Status::Pending;
        if !may {
            return;
        }
        let lease = self.now().after(write_lease(self.situation.flow, self.situation.schedule));
        self.payment.operation = OperationState::Submitted;
        self.payment.lease_until = Some(lease);
        self.payment.write_ends = Some(lease);
        self.payment.ask_at = Some(lease);
        self.write(Source::Application, "the request is sent");
    }

    pub(super) fn opened(
        &mut self,
        reference: &PaymentRef,
        next: Vec<NextAction>,
        expires_at: Option<Timestamp>,
    ) {
        self.refer(reference);
        self.payment.operation = OperationState::Succeeded;
        if !self.payment.status.is_open() {
            // It was given up, or a fast notification ended it, while the answer was on its way. What was closed here
            // is watched from now on: the page exists only since it was made.
            if self.payment.status.is_failed() {
                self.payment.expires_at = Some(self.end_of_life(expires_at));
                self.reschedule();
            } else {
                self.payment.ask_at = self.next();
            }
            self.write(Source::Answer, "the provider made it, after it had ended here");
            return;
        }
        self.payment.next = next.into_iter().filter(NextAction::is_protected).collect();
        self.payment.expires_at = Some(self.end_of_life(expires_at));
        self.reschedule();
        self.write(Source::Answer, "the provider made it; the payer can go on");
    }

    /// When the payer's time ends: as the provider says, as the flow says, or as long as we wait.
    pub(super) fn end_of_life(&self, said: Option<Timestamp>) -> Timestamp {
        let schedule = self.situation.schedule;
        let lifetime = self.situation.flow.lifetime.unwrap_or(schedule.lifetime);
        let end = said.unwrap_or(self.now().after(lifetime));
        schedule.longest_life.map_or(end, |longest| end.min(self.now().after(longest)))
    }

    pub(super) fn write_failed(&mut self, owner: &str, failure: Failure) {
        let settled = matches!(self.payment.operation, OperationState::Succeeded | OperationState::Refused);
        if !self.is_owner(owner) || (settled && !self.payment.status.is_success()) {
            return;
        }
        let Failure { outcome, why, code, text } = failure;
        let for_certain = outcome != Outcome::Unknown;
        if self.payment.status.is_success() {
            if for_certain && self.payment.operation != OperationState::Refused {
                self.attention(
                    AttentionKind::Contradiction,
                    "it is paid, and the answer to its own request says that it was not made",
                );
                self.write(Source::Answer, &format!("not made, it says, and it is paid: {why}"));
            }
            return;
        }
        if self.payment.status.is_failed() {
            if for_certain {
                // Closed here while the request was under way; now it is known that it made nothing.
                self.payment.operation = OperationState::Refused;
                self.payment.ask_at = None;
                if outcome == Outcome::NoEffect {
                    self.free_key();
                }
            } else if self.payment.operation == OperationState::Submitted {
                self.payment.operation = OperationState::Unknown;
                self.payment.ask_at = self.next();
            }
            self.write(
                Source::Answer,
                &format!("no good answer to the request, and it had ended already: {why}"),
            );
            return;
        }
        self.payment.code = code;
        self.payment.text = text;
        match outcome {
            Outcome::NoEffect | Outcome::Refused => {
                self.payment.operation = OperationState::Refused;
                if outcome == Outcome::NoEffect {
                    self.free_key();
                }
                let by = if outcome == Outcome::Refused { EndedBy::Provider } else { EndedBy::Us };
                self.end(Status::Canceled, by);
                self.write(Source::Answer, &format!("not made: {why}"));
            }
            Outcome::Unknown => self.lost(Source::Answer, &why),
        }
    }

    /// The lease of the write has ended: what was not submitted never will be, what was submitted counts as sent.
    pub(super) fn abandoned(&mut self) {
        if !lease_is_over(self.payment.lease_until, self.situation.flow, self.situation.schedule, self.now())
        {
            return;
        }
        match self.payment.operation {
            OperationState::Reserved => self.never_sent("its process ended before anything was sent"),
            OperationState::Submitted if self.payment.status.is_open() => {
                self.lost(Source::Recovery, "its process gave no answer in time");
            }
            OperationState::Submitted => {
                self.payment.operation = OperationState::Unknown;
                self.payment.ask_at = self.next();
                self.write(Source::Recovery, "its process gave no answer in time");
            }
            OperationState::Succeeded
            | OperationState::Refused
            | OperationState::Accepted
            | OperationState::Unknown => {}
        }
    }

    fn never_sent(&mut self, why: &str) {
        self.payment.operation = OperationState::Refused;
        self.free_key();
        if self.payment.status.is_open() {
            self.end(Status::Canceled, EndedBy::Us);
        }
        self.payment.ask_at = None;
        self.write(Source::Recovery, why);
    }

    /// The application gives it up. A request that was not submitted can never be sent any more.
    pub(super) fn given_up(&mut self) {
        let unsent = self.payment.operation == OperationState::Reserved;
        if unsent {
            self.payment.operation = OperationState::Refused;
            self.free_key();
        }
        self.end(Status::Canceled, EndedBy::Us);
        if unsent {
            self.payment.ask_at = None;
        }
        self.write(Source::Application, "given up");
    }

    /// The write may have happened.
    pub(super) fn lost(&mut self, source: Source, why: &str) {
        self.payment.operation = OperationState::Unknown;
        if self.is_inert() {
            self.end(Status::Canceled, EndedBy::Us);
            self.write(source, &format!("closed, because nobody can have seen it, and watched: {why}"));
        } else {
            self.reschedule();
            self.ask_now();
            self.write(source, &format!("it may have been charged; asking, not repeating: {why}"));
        }
    }
}
