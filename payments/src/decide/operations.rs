//! Decides what follows from facts about an operation on the payment: capture, void, refund, cancel.

use std::time::Duration;

use tulbur_core::{Money, OperationState, Outcome, Refund, RefundStatus};

use super::step::Step;
use super::{Failure, intents, lease_is_over, write_lease};
use crate::decide::proven::Proven;
use crate::model::event::{AttentionKind, EventKind, Source};
use crate::model::operation::{OperationKind, OperationRecord};
use crate::model::record::{EndedBy, Status};

impl Step<'_> {
    /// Leave to send is given once: from Reserved, to the owner, while the payment is as the operation needs it.
    pub(super) fn operation_submitted(&mut self, owner: &str) {
        let Some(operation) = &self.operation else { return };
        let others_take = operation.kind == OperationKind::Capture
            && self.order.as_ref().is_some_and(|order| {
                order.paid_by.is_some() || order.taking.as_ref() != Some(&self.payment.id)
            });
        let may = operation.state == OperationState::Reserved
            && self.is_owner(owner)
            && intents::stands_as_needed(operation.kind, &self.payment)
            && !others_take;
        if !may {
            return;
        }
        let lease = self.now().after(write_lease(self.situation.flow, self.situation.schedule));
        self.operate(OperationState::Submitted, |operation| {
            operation.lease_until = Some(lease);
            operation.write_ends = Some(lease);
        });
    }

    /// Whether the answer of its sender can still say something; if it was settled otherwise meanwhile, that is listed.
    pub(super) fn operation_may_be_answered(&mut self) -> bool {
        match self.operation.as_ref().map(|operation| operation.state) {
            None | Some(OperationState::Succeeded) => false,
            Some(OperationState::Refused) => {
                self.attention(
                    AttentionKind::Contradiction,
                    "it was taken as not done, and now the provider's answer to it came after all",
                );
                true
            }
            Some(
                OperationState::Reserved
                | OperationState::Submitted
                | OperationState::Accepted
                | OperationState::Unknown,
            ) => true,
        }
    }

    pub(super) fn operation_failed(&mut self, owner: &str, failure: Failure) {
        let Some(state) = self.operation.as_ref().map(|operation| operation.state) else { return };
        if !self.is_owner(owner) || state == OperationState::Refused {
            return;
        }
        let Failure { outcome, why, code, text } = failure;
        if state == OperationState::Succeeded {
            // Somebody said that it happened; its sender knows better only if it is certain.
            if outcome != Outcome::Unknown {
                self.take_back_success(&why);
            }
            return;
        }
        match outcome {
            Outcome::NoEffect | Outcome::Refused => {
                self.operate(OperationState::Refused, |operation| {
                    operation.code = code;
                    operation.text = text.or_else(|| Some(why.as_str().into()));
                });
                if outcome == Outcome::NoEffect {
                    self.free_key();
                }
                self.refused(Source::Answer, &why);
            }
            Outcome::Unknown => {
                self.operate(OperationState::Unknown, |operation| {
                    operation.code = code;
                    operation.text = Some(why.as_str().into());
                });
                self.unknown(Source::Answer, &why);
            }
        }
    }

    /// It was recorded as done by another's word, and the answer to its own request says that it was not.
    fn take_back_success(&mut self, why: &str) {
        let Some((kind, amount)) = self.operation.as_ref().map(|one| (one.kind, one.amount)) else { return };
        self.attention(
            AttentionKind::Contradiction,
            &format!("this {kind} was taken as done, and its own request was answered otherwise: {why}"),
        );
        if kind == OperationKind::Refund {
            let back = amount.and_then(|amount| self.payment.refunded?.checked_sub(amount).ok());
            self.payment.refunded = back.filter(|left| left.is_positive());
            self.operate(OperationState::Refused, |operation| operation.text = Some(why.into()));
            self.refused(Source::Answer, why);
        } else {
            // How the payment stands is not undone by that; the provider is asked.
            self.ask_now();
            self.write(
                Source::Answer,
                &format!("{kind} answered as not done, and taken as done before: {why}"),
            );
        }
    }

    pub(super) fn operation_abandoned(&mut self) {
        let Some(operation) = &self.operation else { return };
        if !lease_is_over(operation.write_ends, self.situation.flow, self.situation.schedule, self.now()) {
            return;
        }
        match operation.state {
            OperationState::Reserved => {
                let why = "its process ended before anything was sent";
                self.operate(OperationState::Refused, |operation| operation.text = Some(why.into()));
                self.free_key();
                self.refused(Source::Recovery, why);
            }
            OperationState::Submitted => {
                let why = "its process gave no answer in time";
                self.operate(OperationState::Unknown, |operation| operation.text = Some(why.into()));
                self.unknown(Source::Recovery, why);
            }
            _ => {}
        }
    }

    /// The payment was asked about, to learn what became of an unresolved operation.
    pub(super) fn operation_asked(&mut self, proven: Option<&Proven>, others: Option<Money>) {
        let waits =
            |one: &&OperationRecord| matches!(one.state, OperationState::Unknown | OperationState::Accepted);
        let Some(operation) = self.operation.as_ref().filter(waits).cloned() else { return };
        let (kind, amount) = (operation.kind, operation.amount);
        if let Some(proven) = proven {
            self.note_parts(proven);
        }
        if let Some(proven) = proven
            && self.happened(&operation, proven, others)
        {
            // The payer was first: then there was nothing to cancel any more.
            let too_late = kind == OperationKind::Cancel && proven.status.is_success();
            let state = if too_late { OperationState::Refused } else { OperationState::Succeeded };
            self.operate(state, |_| {});
            match kind {
                OperationKind::Refund => self.give_back(Source::Query, amount),
                OperationKind::Capture => self.captured(proven, amount),
                OperationKind::Void | OperationKind::Cancel => self.proven(proven, None),
            }
            return;
        }
        let schedule = self.situation.schedule;
        let age = self.now().since(operation.created_at);
        // Counted by questions, not by age: the clock that wrote `created_at` may have been wrong.
        let wait = |asked: u32| {
            schedule.work_lease.saturating_mul(1 << asked.min(16)).min(schedule.longest_operation_wait)
        };
        let again = self.now().after(wait(operation.asked));
        let goes_on = (0..operation.asked).map(wait).sum::<Duration>() < schedule.give_up_after;
        self.operate(operation.state, |operation| {
            operation.asked = operation.asked.saturating_add(1);
            operation.lease_until = goes_on.then_some(again);
        });
        // One that the provider took settles in its own time; a person is told when nobody asks any more.
        let too_long = if operation.state == OperationState::Accepted {
            !goes_on
        } else {
            age >= schedule.unresolved_after
        };
        if too_long && kind != OperationKind::Cancel {
            self.attention(
                AttentionKind::UnresolvedOperation,
                &format!(
                    "this {kind} may have happened, and the provider does not say; look it up with the provider"
                ),
            );
        }
    }

    /// Whether the state of the payment proves that the operation happened.
    fn happened(&self, operation: &OperationRecord, proven: &Proven, others: Option<Money>) -> bool {
        match operation.kind {
            OperationKind::Capture => proven.status == Status::Paid,
            OperationKind::Void => matches!(proven.status, Status::Canceled | Status::Expired),
            // Whatever it says, the payment itself is settled by it.
            OperationKind::Cancel => !proven.status.is_open(),
            OperationKind::Refund => match &operation.part {
                Some(part) => proven.parts.iter().any(|one| one.charge_ref == *part && one.returned),
                None => self.refund_is_in(proven.refunded, operation.amount, others),
            },
        }
    }

    pub(super) fn operation_declared(&mut self, happened: bool, by: &str) {
        let Some((kind, amount)) = self
            .operation
            .as_ref()
            .filter(|operation| operation.is_unresolved())
            .map(|operation| (operation.kind, operation.amount))
        else {
            return;
        };
        if !happened {
            let words = format!("{by} says that it did not happen");
            self.operate(OperationState::Refused, |operation| operation.text = Some(words.as_str().into()));
            self.refused(Source::Person, &words);
            return;
        }
        let words = format!("{by} says that it happened");
        self.operate(OperationState::Succeeded, |operation| operation.text = Some(words.as_str().into()));
        match kind {
            OperationKind::Refund => self.give_back(Source::Person, amount),
            OperationKind::Capture if self.payment.status == Status::Authorized => {
                self.pay(Source::Person, Status::Paid, &words);
                self.capture_is_settled();
            }
            OperationKind::Void | OperationKind::Cancel if self.payment.status.is_open() => {
                self.end(Status::Canceled, EndedBy::Provider);
                self.write(Source::Person, &words);
            }
            _ => {
                self.capture_is_settled();
                self.write(Source::Person, &words);
            }
        }
    }

    pub(super) fn refund_answered(&mut self, refund: Refund) {
        let asked = self.operation.as_ref().and_then(|operation| operation.amount);
        if refund.status == RefundStatus::Failed {
            self.operate(OperationState::Refused, |operation| operation.provider_ref = refund.provider_ref);
            self.refused(Source::Answer, "the provider says that it failed");
            return;
        }
        if asked.is_some_and(|asked| asked != refund.amount) {
            self.attention(
                AttentionKind::AmountMismatch,
                &format!("the provider says that it gave back {}, not what was asked for", refund.amount),
            );
        }
        // What the provider says it gave back is what is counted, where it can be counted.
        let same_currency = asked.is_none_or(|asked| asked.currency() == refund.amount.currency());
        let amount = if same_currency { Some(refund.amount) } else { asked };
        if refund.status == RefundStatus::Pending {
            let soon = self.now().after(self.situation.schedule.longest_wait);
            self.operate(OperationState::Accepted, |operation| {
                operation.provider_ref = refund.provider_ref;
                operation.text = Some("the provider took it; the money is on its way".into());
                operation.amount = amount;
                operation.lease_until = Some(soon);
            });
            if let Some((operation, amount)) =
                self.operation.as_ref().map(|one| one.operation_ref.clone()).zip(amount)
            {
                self.event(EventKind::RefundAccepted { operation, amount });
            }
            self.write(Source::Answer, "the provider took the refund, and settles it later");
            return;
        }
        self.operate(OperationState::Succeeded, |operation| {
            operation.provider_ref = refund.provider_ref;
            operation.amount = amount;
        });
        self.give_back(Source::Answer, amount);
    }

    /// The answer to a capture, void or cancel says how the payment now stands.
    pub(super) fn payment_answered(&mut self, proven: &Proven) {
        let Some((kind, amount)) =
            self.operation.as_ref().map(|operation| (operation.kind, operation.amount))
        else {
            return;
        };
        let (code, text) = (proven.code.clone(), proven.text.clone());
        let happened = match kind {
            OperationKind::Capture => proven.status == Status::Paid,
            OperationKind::Void | OperationKind::Cancel => {
                matches!(proven.status, Status::Canceled | Status::Expired)
            }
            OperationKind::Refund => false,
        };
        if happened {
            self.operate(OperationState::Succeeded, |operation| {
                operation.code = code;
                operation.text = text;
            });
            if kind == OperationKind::Capture {
                self.captured(proven, amount);
            } else {
                let answered = Proven { amount: self.payment.amount(), ..proven.clone() };
                self.proven(&answered, None);
            }
            return;
        }
        if proven.status == Status::Pending {
            self.operate(OperationState::Unknown, |operation| operation.code = code);
            self.unknown(Source::Answer, "the provider took the request, and has not done it yet");
            return;
        }
        self.operate(OperationState::Refused, |operation| {
            operation.code = code;
            operation.text = text;
        });
        self.refused(Source::Answer, &format!("the provider answers that the payment is {}", proven.status));
        let answered = Proven { amount: proven.amount.or(self.payment.amount()), ..proven.clone() };
        self.proven(&answered, None);
    }

    /// A capture happened. Without a sum in what proves it, the sum that was asked for is what was taken.
    fn captured(&mut self, proven: &Proven, asked: Option<Money>) {
        self.payment.capturing = asked.or(self.payment.capturing);
        if let (Source::Answer, Some(taken), Some(asked)) = (proven.source, proven.amount, asked)
            && taken != asked
            && Some(taken) == self.payment.amount()
        {
            // The whole, where a part was asked for: its own answer says what it took.
            self.attention(
                AttentionKind::AmountMismatch,
                &format!("the provider says that it took {taken}; a capture of {asked} was asked for"),
            );
            self.payment.captured = Some(taken);
        }
        let answered = Proven { amount: proven.amount.or(asked), ..proven.clone() };
        self.proven(&answered, None);
        // Where a provider cannot tell held money from taken money, no later question says more than this.
        self.payment.confirmed |= self.payment.status == Status::Paid;
        self.capture_is_settled();
    }

    /// Whether what the provider says is refunded is what the certain refunds, this one and all others that are not
    /// resolved come to. Any other sum leaves open which of them happened, or whether somebody gave money back by hand.
    fn refund_is_in(&self, refunded: Option<Money>, amount: Option<Money>, others: Option<Money>) -> bool {
        let (Some(refunded), Some(amount)) = (refunded, amount) else { return false };
        let parts = [self.payment.refunded, others].into_iter().flatten();
        let sum = parts.into_iter().try_fold(amount, Money::checked_add);
        sum.is_ok_and(|sum| sum == refunded)
    }

    fn give_back(&mut self, source: Source, amount: Option<Money>) {
        let Some((amount, operation)) =
            amount.zip(self.operation.as_ref().map(|operation| operation.operation_ref.clone()))
        else {
            return;
        };
        let total = self.payment.refunded.map_or(Some(amount), |before| before.checked_add(amount).ok());
        self.payment.refunded = total.or(self.payment.refunded);
        self.payment.changed_at = self.now();
        let taken = self.payment.taken();
        if self.payment.refunded == taken {
            self.resolve(self.key_of(AttentionKind::PaidAgain));
        }
        if let (Some(refunded), Some(taken)) = (self.payment.refunded, taken)
            && refunded.currency() == taken.currency()
            && refunded.minor() > taken.minor()
        {
            self.attention(
                AttentionKind::OverRefunded,
                &format!("{refunded} of {taken} was given back; ask the provider what became of the rest"),
            );
        }
        self.event(EventKind::Refunded { operation, amount });
        self.write(source, &format!("{amount} given back"));
    }

    fn refused(&mut self, source: Source, why: &str) {
        let Some((kind, operation, code, text)) = self.operation.as_ref().map(|operation| {
            (operation.kind, operation.operation_ref.clone(), operation.code.clone(), operation.text.clone())
        }) else {
            return;
        };
        self.capture_is_settled();
        if kind != OperationKind::Cancel {
            self.event(EventKind::OperationRefused { operation, kind, code, text });
        }
        self.write(source, &format!("{kind} not done: {why}"));
    }

    fn unknown(&mut self, source: Source, why: &str) {
        let Some(kind) = self.operation.as_ref().map(|operation| operation.kind) else { return };
        let soon = self.now().after(self.situation.schedule.poll(self.situation.flow).first);
        self.operate(OperationState::Unknown, |operation| operation.lease_until = Some(soon));
        self.write(source, &format!("{kind} may have happened; asking, not repeating: {why}"));
    }

    fn operate(&mut self, state: OperationState, change: impl FnOnce(&mut OperationRecord)) {
        let now = self.now();
        let Some(operation) = &mut self.operation else { return };
        operation.state = state;
        operation.changed_at = now;
        operation.lease_until = None;
        change(operation);
        // Every change of an operation is decided on its payment too.
        self.touched = true;
    }
}
