//! What follows from facts about an operation on the payment: capture, void, refund, cancel.

use tulbur_core::{Money, OperationState, Outcome, Refund, RefundStatus};

use super::{OperationAnswer, Step};
use crate::event::{AttentionKind, EventKind, Source};
use crate::operation::OperationKind;
use crate::proven::Proven;
use crate::record::{EndedBy, Status};

impl Step<'_> {
    pub(super) fn operation_submitted(&mut self) {
        let lease = self.now().after(self.situation.schedule.operation_lease);
        self.operate(OperationState::Submitted, |operation| operation.lease_until = Some(lease));
    }

    pub(super) fn operation_answered(&mut self, answer: OperationAnswer) {
        match self.operation.as_ref().map(|operation| operation.state) {
            // Another process or a person was first, and it is settled.
            None | Some(OperationState::Succeeded) => return,
            Some(OperationState::Refused) => self.attention(
                AttentionKind::Contradiction,
                "it was taken as not done, and now the provider's answer to it came after all",
            ),
            Some(OperationState::Reserved | OperationState::Submitted | OperationState::Unknown) => {}
        }
        match answer {
            OperationAnswer::Refund(refund) => self.refund_answered(refund),
            OperationAnswer::Payment(proven) => self.payment_answered(&proven),
        }
    }

    pub(super) fn operation_failed(
        &mut self,
        outcome: Outcome,
        why: &str,
        code: Option<String>,
        text: Option<String>,
    ) {
        if self.operation.as_ref().is_none_or(|operation| !operation.is_unresolved()) {
            return;
        }
        match outcome {
            Outcome::NoEffect | Outcome::Refused => {
                self.operate(OperationState::Refused, |operation| {
                    operation.code = code;
                    operation.text = text.or_else(|| Some(why.to_owned()));
                });
                self.refused(Source::Answer, why);
            }
            Outcome::Unknown => {
                self.operate(OperationState::Unknown, |operation| {
                    operation.code = code;
                    operation.text = Some(why.to_owned());
                });
                self.unknown(Source::Answer, why);
            }
        }
    }

    pub(super) fn operation_abandoned(&mut self) {
        match self.operation.as_ref().map(|operation| operation.state) {
            Some(OperationState::Reserved) => {
                let why = "the process ended before anything was sent";
                self.operate(OperationState::Refused, |operation| operation.text = Some(why.into()));
                self.refused(Source::Recovery, why);
            }
            Some(OperationState::Submitted) => {
                let why = "the process ended before the answer came";
                self.operate(OperationState::Unknown, |operation| operation.text = Some(why.into()));
                self.unknown(Source::Recovery, why);
            }
            _ => {}
        }
    }

    /// The payment was asked about, to learn what became of an unknown operation.
    pub(super) fn operation_asked(&mut self, proven: Option<&Proven>, others: Option<Money>) {
        let Some((kind, amount, created_at)) = self
            .operation
            .as_ref()
            .filter(|operation| operation.state == OperationState::Unknown)
            .map(|operation| (operation.kind, operation.amount, operation.created_at))
        else {
            return;
        };
        if let Some(proven) = proven {
            let happened = match kind {
                OperationKind::Capture => proven.status == Status::Paid,
                OperationKind::Void => matches!(proven.status, Status::Canceled | Status::Expired),
                // Whatever it says, the payment itself is settled by it.
                OperationKind::Cancel => !proven.status.is_open(),
                OperationKind::Refund => self.refund_is_in(proven.refunded, amount, others),
            };
            if happened {
                // The payer was first: then there was nothing to cancel any more.
                let too_late = kind == OperationKind::Cancel && proven.status.is_success();
                let state = if too_late { OperationState::Refused } else { OperationState::Succeeded };
                self.operate(state, |_| {});
                match kind {
                    OperationKind::Refund => self.give_back(Source::Query, amount),
                    OperationKind::Capture => {
                        self.payment.captured = self.less_than_all(amount);
                        self.proven(proven, None);
                    }
                    OperationKind::Void | OperationKind::Cancel => self.proven(proven, None),
                }
                return;
            }
        }
        let schedule = self.situation.schedule;
        let age = self.now().since(created_at);
        let again = self.now().after((age / 2).clamp(schedule.work_lease, schedule.longest_wait));
        let goes_on = age < schedule.give_up_after;
        self.operate(OperationState::Unknown, |operation| operation.lease_until = goes_on.then_some(again));
        if age >= schedule.unresolved_after && kind != OperationKind::Cancel {
            self.attention(
                AttentionKind::UnresolvedOperation,
                &format!(
                    "this {kind} may have happened, and the provider does not say; look it up with the provider"
                ),
            );
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
            self.operate(OperationState::Refused, |operation| operation.text = Some(words.clone()));
            self.refused(Source::Person, &words);
            return;
        }
        let words = format!("{by} says that it happened");
        self.operate(OperationState::Succeeded, |operation| operation.text = Some(words.clone()));
        match kind {
            OperationKind::Refund => self.give_back(Source::Person, amount),
            OperationKind::Capture if self.payment.status == Status::Authorized => {
                self.payment.captured = self.less_than_all(amount);
                self.pay(Source::Person, Status::Paid, &words);
            }
            OperationKind::Void | OperationKind::Cancel if self.payment.status.is_open() => {
                self.end(Status::Canceled, EndedBy::Provider);
                self.write(Source::Person, &words);
            }
            _ => self.write(Source::Person, &words),
        }
    }

    fn refund_answered(&mut self, refund: Refund) {
        let asked = self.operation.as_ref().and_then(|operation| operation.amount);
        if refund.status == RefundStatus::Failed {
            self.operate(OperationState::Refused, |operation| operation.provider_ref = refund.provider_ref);
            self.refused(Source::Answer, "the provider says that it failed");
            return;
        }
        let text = (refund.status == RefundStatus::Pending)
            .then(|| "the provider took it; the money is on its way".to_owned());
        self.operate(OperationState::Succeeded, |operation| {
            operation.provider_ref = refund.provider_ref;
            operation.text = text;
        });
        if asked.is_some_and(|asked| asked != refund.amount) {
            self.attention(
                AttentionKind::AmountMismatch,
                &format!("the provider says that it gave back {}, not what was asked for", refund.amount),
            );
        }
        self.give_back(Source::Answer, asked);
    }

    /// The answer to a capture, void or cancel says how the payment now stands.
    fn payment_answered(&mut self, proven: &Proven) {
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
                if proven.amount.is_some_and(|taken| amount.is_some_and(|asked| taken != asked)) {
                    self.attention(
                        AttentionKind::AmountMismatch,
                        &format!(
                            "the provider says that it took {}, not what was asked for",
                            proven.amount.map_or_else(String::new, |taken| taken.to_string())
                        ),
                    );
                }
                self.payment.captured = self.less_than_all(amount);
                let answered = Proven { amount: self.payment.amount(), ..proven.clone() };
                self.proven(&answered, None);
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

    /// Whether what the provider says is refunded is what the certain refunds, this one and all others that are not
    /// resolved come to. Any other sum leaves open which of them happened, or whether somebody gave money back by hand.
    fn refund_is_in(&self, refunded: Option<Money>, amount: Option<Money>, others: Option<Money>) -> bool {
        let (Some(refunded), Some(amount)) = (refunded, amount) else { return false };
        let parts = [self.payment.refunded, others].into_iter().flatten();
        let sum = parts.into_iter().try_fold(amount, Money::checked_add);
        sum.is_ok_and(|sum| sum == refunded)
    }

    fn less_than_all(&self, amount: Option<Money>) -> Option<Money> {
        amount.filter(|amount| Some(*amount) != self.payment.amount())
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
        if self.payment.refunded == self.payment.taken() {
            self.strike(self.key_of(AttentionKind::PaidAgain));
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

    fn operate(
        &mut self,
        state: OperationState,
        change: impl FnOnce(&mut crate::operation::OperationRecord),
    ) {
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
