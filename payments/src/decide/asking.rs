//! Decides what follows when nothing final is known: a hint, a question without a final answer, an operator's decision.

use tulbur_core::{Asking, ErrorKind, NotFound, OperationState, QueryBy};

use super::step::Step;
use super::{can_be_asked, may_be_charged};
use crate::model::event::{AttentionKind, Source};
use crate::model::record::{EndedBy, Status};

/// The number of failed questions after a notification, one after the other, at which the payment is listed.
const UNBELIEVED: u32 = 3;

impl Step<'_> {
    /// Something unproven came: it makes us ask, or look where nothing can be asked.
    pub(super) fn hinted(&mut self, source: Source, what: &str) {
        self.touched = true;
        if self.situation.flow.asking == Asking::OnHint {
            if self.payment.hints == 0 {
                // Questions that nobody called for do not slow down those that this one calls for.
                self.payment.asked = 0;
            }
            self.payment.hints = self.payment.hints.saturating_add(1);
        }
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
        self.resolve(self.key_of_payment(AttentionKind::UnresolvedOperation));
        self.resolve(self.key_of_payment(AttentionKind::Unproven));
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
        if let Some(amount) = self.payment.mismatch {
            // A person accepts what the provider says was paid.
            self.payment.captured = Some(amount);
        }
        if !matches!(self.payment.operation, OperationState::Reserved | OperationState::Submitted) {
            self.payment.operation = OperationState::Succeeded;
        }
        self.payment.confirmed = true;
        self.pay(Source::Person, Status::Paid, &format!("{by} says that it was paid"));
    }

    pub(super) fn not_found(&mut self, asked_on: u32) {
        if asked_on != self.payment.revision {
            self.ask_again();
            return;
        }
        self.payment.hints = 0;
        if self.payment.status.is_success() {
            // A notification is ahead of the provider's own books, or they disagree.
            self.ask_again();
            self.list_what_is_overdue();
            return;
        }
        let age = self.now().since(self.payment.created_at);
        // Absence proves nothing about money that may have moved.
        if let NotFound::ProvesAfter(wait) = self.situation.flow.not_found
            && age >= wait
            && self.is_inert()
            && self.payment.status == Status::Pending
            && self.is_over()
        {
            self.end(Status::Canceled, EndedBy::Us);
            self.write(Source::Query, "its time is over, and the provider does not know it");
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
            if self.payment.hints > 0 {
                self.payment.asked = self.payment.asked.saturating_add(1);
                self.list_what_is_overdue();
            }
            return;
        }
        self.ask_again();
        // One line when it begins; the rest is the same line again and again.
        if self.payment.asked == 1 {
            self.write(Source::Query, &format!("could not be asked ({kind}): {why}"));
        }
        self.list_what_is_overdue();
    }

    /// Whether the payer's time is over, and the margin after it.
    fn is_over(&self) -> bool {
        let margin = self.situation.schedule.margin;
        self.payment.expires_at.is_some_and(|end| self.now() >= end.after(margin))
    }

    /// The provider says, in whatever words, that nothing final is known.
    pub(super) fn still_open(&mut self, source: Source, what: &str) {
        self.payment.asked = self.payment.asked.saturating_add(1);
        self.touched = true;
        let over = self.is_over();
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
        // Money that may be moving, or that came in another amount, is not given up by the clock.
        let came_in_part = over && self.payment.status.is_open() && self.is_held_up_by_a_part();
        let held_up = unknown
            || came_in_part
            || self.payment.mismatch.is_some()
            || may_be_charged(self.situation.flow, &self.payment);
        if self.payment.status.is_open() && over && !held_up {
            if self.payment.said_paid {
                self.attention(
                    AttentionKind::Unproven,
                    "a signed notification said that it is paid, and the provider answered until the end that it is \
                     not; look it up with the provider",
                );
            }
            self.end(Status::Expired, EndedBy::Us);
            self.write(Source::Clock, "its time is over, and the last question found it unpaid");
            return;
        }
        self.payment.ask_at = self.next();
        if self.payment.asked == 1 {
            self.write(source, what);
        }
        self.list_what_is_overdue();
    }

    /// Lists what waits longer than it should: a write of which nobody knows, a charge that does not become final, a
    /// payment that no query has confirmed.
    pub(super) fn list_what_is_overdue(&mut self) {
        let Some((kind, detail)) =
            overdue(&self.payment, self.situation.flow, self.situation.schedule, self.now())
        else {
            return;
        };
        self.attention(kind, detail);
        self.payment.overdue = true;
    }
}

/// What of a payment waits longer than it should, and what to tell a person of it.
pub(crate) fn overdue(
    payment: &crate::model::record::PaymentRecord,
    flow: &tulbur_core::FlowInfo,
    schedule: &crate::model::schedule::Schedule,
    now: tulbur_core::Timestamp,
) -> Option<(AttentionKind, &'static str)> {
    let old = now.since(payment.created_at) >= schedule.unresolved_after;
    if payment.operation == OperationState::Unknown && payment.status.is_open() && old {
        return Some((
            AttentionKind::UnresolvedOperation,
            "it may have been charged, and the provider does not say; look it up with the provider",
        ));
    }
    if may_be_charged(flow, payment) && payment.operation == OperationState::Succeeded && old {
        return Some((
            AttentionKind::UnresolvedOperation,
            "it may be charged, and the provider does not say that it is final; look it up with the provider",
        ));
    }
    if flow.asking == Asking::OnHint && payment.hints > 0 && payment.asked >= UNBELIEVED && old {
        return Some((
            AttentionKind::Unproven,
            "a notification calls for a question, and none of the provider's answers could be read or believed; look it \
             up with the provider",
        ));
    }
    let since_paid = payment.paid_at.map(|at| now.since(at)).unwrap_or_default();
    if payment.status.is_success()
        && !payment.confirmed
        && can_be_asked(flow, payment)
        && since_paid >= flow.confirm_within
    {
        return Some((
            AttentionKind::Unconfirmed,
            "a notification says that it is paid, and the provider has not confirmed it; look it up with the provider",
        ));
    }
    None
}

/// Whether an item stays until an operator decides or the provider tells, because nobody knows yet whether money moved.
pub(crate) fn awaits_decision(
    kind: AttentionKind,
    payment: &crate::model::record::PaymentRecord,
    operation: Option<&crate::model::operation::OperationRecord>,
) -> bool {
    match (kind, operation) {
        (AttentionKind::UnresolvedOperation, Some(operation)) => operation.is_unresolved(),
        (AttentionKind::UnresolvedOperation, None) => payment.status.is_open(),
        (AttentionKind::AmountMismatch, _) => payment.status.is_open() && payment.mismatch.is_some(),
        _ => false,
    }
}
