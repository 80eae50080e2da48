//! What follows from the request that opens a payment: its answer, its failure, or the end of its process.

use tulbur_core::{NextAction, OperationState, Outcome, PaymentRef, Timestamp};

use super::Step;
use crate::event::Source;
use crate::record::{EndedBy, Status};

impl Step<'_> {
    pub(super) fn opened(
        &mut self,
        reference: &PaymentRef,
        next: Vec<NextAction>,
        expires_at: Option<Timestamp>,
    ) {
        self.payment.reference.fill_from(reference);
        self.payment.operation = OperationState::Succeeded;
        if !self.payment.status.is_open() {
            // It was given up, or a fast notification ended it, while the answer was on its way.
            self.payment.ask_at = self.next();
            self.write(Source::Answer, "the provider made it, after it had ended here");
            return;
        }
        self.payment.next = next;
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

    pub(super) fn write_failed(
        &mut self,
        outcome: Outcome,
        why: &str,
        code: Option<String>,
        text: Option<String>,
    ) {
        if !self.payment.status.is_open() {
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
                self.end(
                    Status::Canceled,
                    if outcome == Outcome::Refused { EndedBy::Provider } else { EndedBy::Us },
                );
                self.write(Source::Answer, &format!("not made: {why}"));
            }
            Outcome::Unknown => self.lost(Source::Answer, why),
        }
    }

    pub(super) fn abandoned(&mut self) {
        match self.payment.operation {
            OperationState::Reserved => {
                self.payment.operation = OperationState::Refused;
                if self.payment.status.is_open() {
                    self.end(Status::Canceled, EndedBy::Us);
                }
                self.write(Source::Recovery, "the process ended before anything was sent");
            }
            OperationState::Submitted if self.payment.status.is_open() => {
                self.lost(Source::Recovery, "the process ended before the answer came");
            }
            OperationState::Submitted => {
                self.payment.operation = OperationState::Unknown;
                self.payment.ask_at = self.next();
                self.write(Source::Recovery, "the process ended before the answer came");
            }
            OperationState::Succeeded | OperationState::Refused | OperationState::Unknown => {}
        }
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
