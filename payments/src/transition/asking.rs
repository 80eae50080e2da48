//! What follows when nothing final is known: a hint, a question without a final answer, a person's word.

use tulbur_core::{ErrorKind, NotFound, OperationState, QueryBy};

use super::Step;
use crate::event::{AttentionKind, Source};
use crate::record::{EndedBy, Status};

impl Step<'_> {
    /// Something unproven came: it makes us ask, or look where nothing can be asked.
    pub(super) fn hinted(&mut self, source: Source, what: &str) {
        self.touched = true;
        if self.situation.flow.query_by == QueryBy::Nothing {
            if source == Source::Notification && !self.payment.status.is_success() {
                self.attention(
                    AttentionKind::Unproven,
                    &format!(
                        "{what}; it proves nothing and nothing can be asked: look it up with the provider"
                    ),
                );
            }
        } else {
            self.ask_now();
        }
        self.write(source, what);
    }

    pub(super) fn declared(&mut self, paid: bool, by: &str) {
        // Whatever was listed about it is settled by that, also what a provider could still tell.
        self.strike(self.key_of_payment(AttentionKind::UnresolvedOperation));
        self.strike(self.key_of_payment(AttentionKind::Unproven));
        if !paid {
            self.payment.operation = OperationState::Refused;
            if self.payment.status.is_open() {
                self.end(Status::Canceled, EndedBy::Provider);
            }
            self.write(Source::Person, &format!("{by} says that it will never be paid"));
            return;
        }
        if self.payment.status.is_success() {
            return;
        }
        self.pay(Source::Person, Status::Paid, &format!("{by} says that it was paid"));
    }

    pub(super) fn not_found(&mut self) {
        let age = self.now().since(self.payment.created_at);
        if let NotFound::ProvesAfter(wait) = self.situation.flow.not_found
            && age >= wait
            && self.payment.status.is_open()
        {
            self.payment.operation = OperationState::Refused;
            self.end(Status::Canceled, EndedBy::Provider);
            self.write(Source::Query, "the provider does not know it: it never happened");
            return;
        }
        let asked = self.situation.flow.query_by != QueryBy::Nothing;
        self.still_open(
            Source::Query,
            if asked { "the provider does not know it" } else { "the provider cannot be asked about it" },
        );
    }

    pub(super) fn ask_failed(&mut self, why: &str, kind: ErrorKind) {
        self.touched = true;
        if self.payment.status.is_failed() {
            // A late question that was not answered was not asked.
            let schedule = self.situation.schedule;
            let goes_on = self.now().since(self.payment.changed_at) < schedule.give_up_after;
            self.payment.ask_at = goes_on.then(|| self.now().after(schedule.longest_wait));
            return;
        }
        self.payment.asked = self.payment.asked.saturating_add(1);
        self.payment.ask_at = self.next();
        // One line when it begins; the rest is the same line again and again.
        if self.payment.asked == 1 {
            self.write(Source::Query, &format!("could not be asked ({kind}): {why}"));
        }
        self.tell_if_unresolved();
    }

    /// The provider says, in whatever words, that nothing final is known.
    pub(super) fn still_open(&mut self, source: Source, what: &str) {
        self.payment.asked = self.payment.asked.saturating_add(1);
        self.touched = true;
        let over = self
            .payment
            .expires_at
            .is_some_and(|end| self.now() >= end.after(self.situation.schedule.margin));
        let unknown = self.payment.operation == OperationState::Unknown && !self.is_inert();
        let untold = self.situation.flow.query_by == QueryBy::Nothing;
        if over && untold && !self.payment.status.is_success() {
            if self.payment.status.is_open() {
                self.end(Status::Expired, EndedBy::Us);
            }
            self.payment.ask_at = None;
            self.attention(
                AttentionKind::UnresolvedOperation,
                "its time is over, nothing proved that it was paid, and the provider cannot be asked; look it up with \
                 the provider",
            );
            self.write(Source::Clock, "its time is over, and nothing proved that it was paid");
            return;
        }
        if self.payment.status.is_open() && over && !unknown {
            self.end(Status::Expired, EndedBy::Us);
            self.write(Source::Clock, "its time is over, and the last question found it unpaid");
            return;
        }
        self.payment.ask_at = self.next();
        if self.payment.asked == 1 {
            self.write(source, what);
        }
        self.tell_if_unresolved();
    }

    pub(super) fn tell_if_unresolved(&mut self) {
        let age = self.now().since(self.payment.created_at);
        if self.payment.operation == OperationState::Unknown
            && self.payment.status.is_open()
            && age >= self.situation.schedule.unresolved_after
        {
            self.attention(
                AttentionKind::UnresolvedOperation,
                "it may have been charged, and the provider does not say; look it up with the provider",
            );
        }
    }
}
