//! Applies what the provider has proven: paid, held, pending, or ended.

use tulbur_core::{FlowEffect, Money, OperationState, QueryBy};

use super::step::Step;
use crate::decide::proven::Proven;
use crate::model::event::{AttentionKind, EventKind, Source, Timing};
use crate::model::record::{CardRecord, EndedBy, Status};

impl Step<'_> {
    pub(super) fn proven(&mut self, proven: &Proven, card: Option<CardRecord>) {
        if let Some(reference) = &proven.reference {
            self.refer(reference);
        }
        if !proven.status.is_success() && proven.asked_on.is_some_and(|on| on != self.payment.revision) {
            // The question was asked before something else was learnt: only final proof counts.
            self.ask_again();
            return;
        }
        if proven.source == Source::Query {
            // Every hint that came before the question is answered by it.
            if self.payment.hints > 0 {
                self.resolve(self.key_of_payment(AttentionKind::Unproven));
            }
            self.payment.hints = 0;
        }
        self.note_parts(proven);
        if self.waits_for_confirmation(proven) {
            // Its card too: a query may not bring it again.
            self.payment.waiting_card = card.map(Box::new).or(self.payment.waiting_card.take());
            return;
        }
        if self.is_given_back_already(proven) || !self.amount_fits(proven) {
            return;
        }
        match proven.status {
            Status::Paid | Status::Saved => self.succeeded(proven, card),
            Status::Pending => self.pending(proven),
            Status::Authorized | Status::Declined | Status::Canceled | Status::Expired => self.other(proven),
        }
    }

    /// The direct answer to a charge.
    pub(super) fn charged(&mut self, proven: &Proven) {
        if proven.status == Status::Pending && !self.payment.status.is_open() {
            // Something else was faster, and knew more.
            if self.payment.operation != OperationState::Succeeded {
                self.payment.operation = OperationState::Succeeded;
                if self.payment.status.is_failed() {
                    // Whoever ended it did not know of this answer: it is watched.
                    self.payment.ended_by = Some(EndedBy::Us);
                    self.reschedule();
                }
                self.write(Source::Answer, "the provider has it, after it had ended here; not final yet");
            }
            return;
        }
        self.proven(proven, None);
        if self.payment.operation == OperationState::Submitted {
            // Whatever it says, it was answered.
            self.payment.operation = OperationState::Succeeded;
            self.touched = true;
        }
    }

    /// Whether a notification has to wait until the provider has been asked, because its key could be guessed or the
    /// account wants it so.
    fn waits_for_confirmation(&mut self, proven: &Proven) -> bool {
        let waits = self.situation.confirm_first
            && proven.source == Source::Notification
            && proven.status.is_success()
            && !self.payment.status.is_success();
        if waits {
            self.touched = true;
            self.ask_now();
            if !self.payment.said_paid {
                self.payment.said_paid = true;
                self.write(proven.source, "signed, says paid; it counts once the provider answers the same");
            }
        }
        waits
    }

    /// Whether the proven amount is one that may be believed. If not, a person is told and nothing moves.
    fn amount_fits(&mut self, proven: &Proven) -> bool {
        let Some(expected) = self.payment.amount() else { return true };
        let by_amount =
            self.situation.flow.query_by == QueryBy::MerchantRefAndAmount && proven.source == Source::Query;
        let Some(amount) = proven.amount else {
            if by_amount || proven.status == Status::Pending {
                return true;
            }
            let detail =
                format!("the provider proves {} without an amount; {expected} was asked for", proven.status);
            return self.amount_does_not_fit(proven, None, &detail);
        };
        if !proven.parts.is_empty() && amount.currency() == expected.currency() {
            return self.parts_fit(proven, amount, expected);
        }
        let is_part_asked_for = proven.status == Status::Pending && self.payment.capturing == Some(amount);
        if amount == expected || self.payment.taken() == Some(amount) || is_part_asked_for {
            return true;
        }
        if let Some(asked) = self.payment.capturing.filter(|_| proven.status == Status::Paid) {
            // What the provider says it took replaces what was asked for.
            if amount != asked {
                self.attention(
                    AttentionKind::AmountMismatch,
                    &format!("the provider says that it took {amount}; a capture of {asked} was asked for"),
                );
            }
            self.payment.captured = Some(amount);
            return true;
        }
        let detail = format!("the provider proves {} of {amount}; {expected} was asked for", proven.status);
        self.amount_does_not_fit(proven, Some(amount), &detail)
    }

    /// Whether money went back before it was known here that it came: it fulfils no order, a person decides.
    fn is_given_back_already(&mut self, proven: &Proven) -> bool {
        let Some(refunded) = proven.refunded.filter(|refunded| refunded.is_positive()) else { return false };
        if proven.status != Status::Paid || self.payment.status.is_success() {
            return false;
        }
        let Some(amount) = proven.amount.or(self.payment.amount()) else { return false };
        let Ok(left) = amount.checked_sub(refunded) else { return false };
        if self.payment.amount().is_some_and(|asked| left.minor() >= asked.minor()) {
            // More came than was asked for, and the rest went back.
            return false;
        }
        let detail = format!("the provider proves that {amount} came and {refunded} of it went back");
        self.amount_does_not_fit(proven, Some(left), &detail);
        true
    }

    fn amount_does_not_fit(&mut self, proven: &Proven, amount: Option<Money>, detail: &str) -> bool {
        self.attention(AttentionKind::AmountMismatch, detail);
        let paid = if proven.status.is_success() { amount } else { self.payment.mismatch };
        let is_new = paid != self.payment.mismatch || paid.is_none() && self.payment.asked == 0;
        if paid == self.payment.mismatch {
            self.ask_again();
        } else {
            self.payment.mismatch = paid;
            self.reschedule();
        }
        if is_new {
            self.write(proven.source, &format!("not applied: {detail}"));
        }
        false
    }

    fn describe(&mut self, proven: &Proven) {
        self.payment.code.clone_from(&proven.code);
        self.payment.text.clone_from(&proven.text);
        if !proven.card.is_empty() {
            self.payment.card = proven.card.clone();
        }
    }

    fn succeeded(&mut self, proven: &Proven, card: Option<CardRecord>) {
        self.describe(proven);
        if proven.source == Source::Query {
            self.payment.confirmed = true;
        }
        let waiting = self.payment.waiting_card.take().map(|card| *card);
        self.keep_card(card.or(waiting));
        self.note_captured(proven);
        self.payment.operation = OperationState::Succeeded;
        if self.payment.status.is_success() {
            if self.payment.confirmed != self.situation.payment.confirmed {
                self.write(proven.source, "confirmed");
            }
            self.payment.ask_at = self.next();
            self.touched = true;
            return;
        }
        self.pay(proven.source, proven.status, "paid");
    }

    /// A sum that the provider says it took replaces the sum that was assumed; where it is another one than was asked
    /// for or recorded, a person is told.
    fn note_captured(&mut self, proven: &Proven) {
        let Some(captured) = proven.captured else { return };
        let assumed = if self.payment.status.is_success() {
            self.payment.taken()
        } else {
            self.payment.capturing.or(self.payment.amount())
        };
        if assumed != Some(captured) {
            let assumed = assumed.map_or_else(|| "nothing".to_owned(), |amount| amount.to_string());
            self.attention(
                AttentionKind::AmountMismatch,
                &format!("the provider says that it took {captured}; {assumed} was recorded"),
            );
        }
        self.payment.captured = Some(captured).filter(|captured| Some(*captured) != self.payment.amount());
    }

    /// The money is there, or the card is saved.
    pub(super) fn pay(&mut self, source: Source, status: Status, what: &str) {
        let before = self.payment.status;
        self.payment.status = status;
        self.payment.ended_by = Some(EndedBy::Provider);
        self.payment.next.clear();
        self.payment.paid_at = Some(self.now());
        if self.payment.captured.is_none() {
            // A part that was asked for is what was taken, where the provider names the whole.
            self.payment.captured =
                self.payment.capturing.filter(|asked| Some(*asked) != self.payment.amount());
        }
        self.payment.mismatch = None;
        self.payment.said_paid = false;
        self.reschedule();
        let Some(amount) = self.payment.taken() else {
            self.write(source, "the card is saved");
            return;
        };
        let timing = if before.is_failed() { Timing::After(before) } else { Timing::InTime };
        match &mut self.order {
            Some(order) if order.paid_by.is_none() => {
                order.paid_by = Some(self.payment.id.clone());
                self.event(EventKind::Paid { amount, timing });
                self.write(source, what);
            }
            _ => {
                self.event(EventKind::PaidAgain { amount });
                self.attention(
                    AttentionKind::PaidAgain,
                    &format!("the order was paid already; this payment of {amount} is to be refunded"),
                );
                self.write(source, &format!("{what}, although the order was paid already"));
            }
        }
    }

    fn keep_card(&mut self, card: Option<CardRecord>) {
        let Some(card) = card.filter(|_| self.payment.saved_card.is_none()) else { return };
        self.touched = true;
        self.payment.saved_card = Some(card.card.id.clone());
        self.event(EventKind::CardSaved { customer: card.card.customer.clone(), card: card.card.id.clone() });
        self.changes.cards.push(card);
    }

    fn pending(&mut self, proven: &Proven) {
        if self.payment.status.is_success() {
            // A signed notification is ahead of the provider's own books, or they disagree; asking goes on.
            self.ask_again();
            self.list_what_is_overdue();
            return;
        }
        if self.payment.operation == OperationState::Unknown && self.payment.status.is_open() {
            self.payment.operation = OperationState::Succeeded;
            let end = self.end_of_life(None);
            self.payment.expires_at.get_or_insert(end);
        }
        if !proven.next.is_empty() && self.payment.status.is_open() {
            self.payment.next = proven.next.iter().filter(|next| next.is_protected()).cloned().collect();
        }
        if proven.source == Source::Answer {
            self.payment.operation = OperationState::Succeeded;
            let end = self.end_of_life(None);
            self.payment.expires_at.get_or_insert(end);
            self.reschedule();
            self.write(Source::Answer, "the provider has it; not final yet");
            return;
        }
        self.still_open(proven.source, "asked: not paid yet");
    }

    /// Authorised, or ended without success, by the provider's own word.
    fn other(&mut self, proven: &Proven) {
        let let_go = self.payment.was_held
            && self.payment.status == Status::Canceled
            && self.payment.ended_by == Some(EndedBy::Provider);
        if proven.status == Status::Authorized && (self.payment.status.is_success() || let_go) {
            // Where a provider cannot tell held money from what became of it, this says nothing new. It confirms nothing
            // either: money that nobody captured is held, whatever a notification says.
            self.ask_again();
            self.list_what_is_overdue();
            return;
        }
        if self.payment.status.is_success() {
            self.contradicts_paid(proven);
            return;
        }
        self.describe(proven);
        self.payment.operation = OperationState::Succeeded;
        // Only the second such answer confirms: the first may have been wrong.
        let again = proven.status.is_failed() && self.situation.payment.status == proven.status;
        self.payment.confirmed |= proven.source == Source::Query && again;
        if proven.status == Status::Authorized {
            self.held(proven);
            return;
        }
        if self.payment.status.is_open() {
            self.end(proven.status, EndedBy::Provider);
            self.write(proven.source, &format!("the provider says {}", proven.status));
            return;
        }
        self.ask_again();
        if self.payment.ended_by == Some(EndedBy::Us) {
            // It had ended here already and the application was told; now the provider agrees. A page that refused a card
            // may take another, and where nothing can be asked, nobody would tell of that.
            let may_take_another = proven.status == Status::Declined
                && self.situation.flow.effect == FlowEffect::Inert
                && self.situation.flow.query_by == QueryBy::Nothing;
            if !may_take_another {
                self.payment.ended_by = Some(EndedBy::Provider);
            }
            self.write(proven.source, &format!("the provider says {} too", proven.status));
        }
    }

    fn contradicts_paid(&mut self, proven: &Proven) {
        let (kind, detail) = if proven.source == Source::Query {
            self.payment.confirmed = true;
            (AttentionKind::Reversed, format!("it was paid, and the provider now answers {}", proven.status))
        } else {
            (AttentionKind::Contradiction, format!("it was paid, and a notification says {}", proven.status))
        };
        self.attention(kind, &detail);
        self.payment.ask_at = self.next();
        self.write(proven.source, &format!("not applied: {detail}"));
    }

    fn held(&mut self, proven: &Proven) {
        if self.payment.status == Status::Authorized {
            self.ask_again();
            return;
        }
        self.payment.status = Status::Authorized;
        self.payment.was_held = true;
        self.payment.ended_by = None;
        self.payment.next.clear();
        self.payment.expires_at = None;
        self.reschedule();
        if let Some(amount) = self.payment.amount() {
            self.event(EventKind::Authorized { amount });
        }
        self.write(proven.source, "the money is held");
    }
}
