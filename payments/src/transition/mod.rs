//! The one function that moves a payment from one state to another.
//!
//! Everything that learns something about a payment (an answer, a notification, a query, the clock, the
//! application) makes a [`Fact`] of it and comes here. It is pure: what it returns is committed whole by the store,
//! on the versions that were read, or decided anew.

use tulbur_core::{
    ErrorKind, FlowEffect, FlowInfo, Money, NextAction, OperationState, Outcome, PaymentRef, QueryBy, Refund,
    Timestamp,
};

mod asking;
#[cfg(test)]
mod every_order;
mod opening;
mod operations;

use crate::event::{AttentionItem, AttentionKind, Event, EventKind, HistoryEntry, Source, Timing};
use crate::operation::OperationRecord;
use crate::proven::Proven;
use crate::record::{CardRecord, EndedBy, EventId, OrderRecord, PaymentRecord, Status};
use crate::schedule::{Schedule, next_question};
use crate::store::Changes;

/// Something that was learnt.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    /// The write is handed to the network now.
    Submitted,
    /// The write that opens it succeeded.
    Opened { reference: PaymentRef, next: Vec<NextAction>, expires_at: Option<Timestamp> },
    /// The write failed.
    WriteFailed { outcome: Outcome, why: String, code: Option<String>, text: Option<String> },
    /// A restart found the write half done.
    Abandoned,
    /// The provider proved something. The card is one that it saved on the way, already sealed.
    Proven(Box<Proven>, Option<CardRecord>),
    /// The provider was asked and does not know it.
    NotFound,
    /// The provider could not be asked.
    AskFailed { why: String, kind: ErrorKind },
    /// The application gave it up, and the provider need not be told.
    GivenUp,
    /// A notification says that there is something to ask about.
    Hinted { source: Source, what: String },
    /// Two deliveries of one event say different things.
    Contradicted { detail: String },
    /// A person looked it up with the provider: it was paid, or it never will be.
    Declared { paid: bool, by: String },
    /// The request of the situation's operation is handed to the network now.
    OperationSubmitted,
    /// The provider answered the operation's request.
    OperationAnswered(OperationAnswer),
    /// The operation's request failed.
    OperationFailed { outcome: Outcome, why: String, code: Option<String>, text: Option<String> },
    /// A restart found the operation half done.
    OperationAbandoned,
    /// The provider was asked how the payment stands, to learn what became of an unknown operation. No answer if it
    /// could not be asked; `others` is what the payment's other unresolved refunds may have given back.
    OperationAsked { answer: Option<Box<Proven>>, others: Option<Money> },
    /// A person looked the operation up with the provider.
    OperationDeclared { happened: bool, by: String },
}

/// What a provider answered to an operation.
#[derive(Debug, Clone)]
pub(crate) enum OperationAnswer {
    /// To a refund.
    Refund(Refund),
    /// To a capture, void or cancel: how the payment now stands.
    Payment(Box<Proven>),
}

/// What a decision is made on.
pub(crate) struct Situation<'a> {
    pub(crate) order: Option<&'a OrderRecord>,
    pub(crate) payment: &'a PaymentRecord,
    /// The operation that the fact is about, if it is about one.
    pub(crate) operation: Option<&'a OperationRecord>,
    pub(crate) flow: &'a FlowInfo,
    pub(crate) schedule: &'a Schedule,
    pub(crate) now: Timestamp,
    pub(crate) new_id: &'a dyn Fn() -> String,
}

/// Decides what follows from a fact. Nothing at all may follow.
pub(crate) fn transition(situation: &Situation<'_>, fact: Fact) -> Changes {
    let mut step = Step::new(situation);
    match fact {
        Fact::Submitted => {
            step.payment.operation = OperationState::Submitted;
            step.payment.ask_at = Some(situation.now.after(situation.schedule.operation_lease));
            step.write(Source::Application, "the request is sent");
        }
        Fact::Opened { reference, next, expires_at } => step.opened(&reference, next, expires_at),
        Fact::WriteFailed { outcome, why, code, text } => step.write_failed(outcome, &why, code, text),
        Fact::Abandoned => step.abandoned(),
        Fact::Proven(proven, card) => step.proven(&proven, card),
        Fact::NotFound => step.not_found(),
        Fact::AskFailed { why, kind } => step.ask_failed(&why, kind),
        // It may have ended, or its money may be held, since the application saw it open.
        Fact::GivenUp if step.payment.status != Status::Pending => {}
        Fact::GivenUp => {
            step.end(Status::Canceled, EndedBy::Us);
            step.write(Source::Application, "given up");
        }
        Fact::Hinted { source, what } => step.hinted(source, &what),
        Fact::Contradicted { detail } => {
            step.touched = true;
            step.ask_now();
            step.attention(AttentionKind::Contradiction, &detail);
            step.write(Source::Notification, "it contradicts an earlier notification; not applied");
        }
        Fact::Declared { paid, by } => step.declared(paid, &by),
        Fact::OperationSubmitted => step.operation_submitted(),
        Fact::OperationAnswered(answer) => step.operation_answered(answer),
        Fact::OperationFailed { outcome, why, code, text } => {
            step.operation_failed(outcome, &why, code, text);
        }
        Fact::OperationAbandoned => step.operation_abandoned(),
        Fact::OperationAsked { answer, others } => step.operation_asked(answer.as_deref(), others),
        Fact::OperationDeclared { happened, by } => step.operation_declared(happened, &by),
    }
    step.finish()
}

struct Step<'a> {
    situation: &'a Situation<'a>,
    payment: PaymentRecord,
    order: Option<OrderRecord>,
    operation: Option<OperationRecord>,
    changes: Changes,
    touched: bool,
}

impl<'a> Step<'a> {
    fn new(situation: &'a Situation<'a>) -> Self {
        Self {
            situation,
            payment: situation.payment.clone(),
            order: None,
            operation: situation.operation.cloned(),
            changes: Changes::default(),
            touched: false,
        }
    }

    fn now(&self) -> Timestamp {
        self.situation.now
    }

    fn is_inert(&self) -> bool {
        self.situation.flow.effect == FlowEffect::Inert
    }

    /// Writes a line of history, with the change of status since the record was read.
    fn write(&mut self, source: Source, what: &str) {
        let (from, to) = (self.situation.payment.status, self.payment.status);
        self.touched = true;
        self.changes.history.push(HistoryEntry {
            at: self.now(),
            order: self.payment.order().cloned(),
            payment: self.payment.id.clone(),
            source,
            change: (from != to).then_some((from, to)),
            what: what.to_owned(),
        });
    }

    fn make_event(&self, kind: EventKind) -> Event {
        Event {
            id: EventId::from_text((self.situation.new_id)()),
            at: self.now(),
            order: self.payment.order().cloned(),
            payment: Some(self.payment.id.clone()),
            kind,
        }
    }

    fn event(&mut self, kind: EventKind) {
        let event = self.make_event(kind);
        self.changes.events.push(event);
    }

    fn attention(&mut self, kind: AttentionKind, detail: &str) {
        self.touched = true;
        let event = self.make_event(EventKind::Attention { reason: kind, detail: detail.to_owned() });
        let item = AttentionItem {
            key: match kind {
                // Of these a payment has one, and it is struck off when it is settled.
                AttentionKind::PaidAgain | AttentionKind::UnresolvedOperation | AttentionKind::Unproven => {
                    self.key_of(kind)
                }
                _ => format!("{}/{}", self.key_of(kind), tulbur_core::Meaning::of(&[detail]).to_hex()),
            },
            at: self.now(),
            kind,
            account: self.payment.account.clone(),
            order: self.payment.order().cloned(),
            payment: Some(self.payment.id.clone()),
            detail: detail.to_owned(),
        };
        self.changes.attention.push((item, event));
    }

    fn key_of(&self, kind: AttentionKind) -> String {
        match &self.operation {
            Some(operation) if kind == AttentionKind::UnresolvedOperation => {
                format!("{kind}/{}", operation.operation_ref)
            }
            _ => self.key_of_payment(kind),
        }
    }

    fn key_of_payment(&self, kind: AttentionKind) -> String {
        format!("{kind}/{}", self.payment.id)
    }

    /// Strikes an item off the list, because what is committed settles it.
    fn strike(&mut self, key: String) {
        self.changes.struck.push((key, self.now()));
    }

    /// Strikes off what was listed because nobody knew, whichever fact it was that told.
    fn strike_what_is_known(&mut self) {
        let (before, after) = (self.situation.payment, &self.payment);
        let answered =
            before.operation == OperationState::Unknown && after.operation != OperationState::Unknown;
        // Of what cannot be asked about, only an end that somebody else knew of says anything.
        let told = self.situation.flow.query_by == QueryBy::Nothing
            && after.ended_by == Some(EndedBy::Provider)
            && (before.status, before.ended_by) != (after.status, after.ended_by);
        if answered || told {
            self.strike(self.key_of_payment(AttentionKind::UnresolvedOperation));
            self.strike(self.key_of_payment(AttentionKind::Unproven));
        }
        let unresolved = |operation: Option<&OperationRecord>| {
            operation.is_some_and(|operation| operation.state == OperationState::Unknown)
        };
        if unresolved(self.situation.operation) && !unresolved(self.operation.as_ref()) {
            self.strike(self.key_of(AttentionKind::UnresolvedOperation));
        }
    }

    /// Restarts the questions, because something changed.
    fn reschedule(&mut self) {
        self.payment.asked = 0;
        self.payment.changed_at = self.now();
        self.payment.ask_at = self.next();
    }

    fn next(&self) -> Option<Timestamp> {
        next_question(&self.payment, self.situation.flow, self.situation.schedule, self.now())
    }

    fn ask_now(&mut self) {
        if self.situation.flow.query_by != QueryBy::Nothing {
            self.payment.ask_at = Some(self.now());
        }
    }

    fn end(&mut self, status: Status, by: EndedBy) {
        self.touched = true;
        self.payment.status = status;
        self.payment.ended_by = Some(by);
        self.payment.next.clear();
        self.reschedule();
        self.event(match status {
            Status::Declined => {
                EventKind::Declined { code: self.payment.code.clone(), text: self.payment.text.clone() }
            }
            Status::Expired => EventKind::Expired,
            _ => EventKind::Canceled,
        });
    }

    fn proven(&mut self, proven: &Proven, card: Option<CardRecord>) {
        if let Some(reference) = &proven.reference {
            self.payment.reference.fill_from(reference);
        }
        if !self.amount_fits(proven) {
            return;
        }
        match proven.status {
            Status::Paid | Status::Saved => self.succeeded(proven, card),
            Status::Pending => self.pending(proven),
            Status::Authorized | Status::Declined | Status::Canceled | Status::Expired => self.other(proven),
        }
    }

    /// Whether the proven amount is the one that was asked for. If not, a person is told and nothing moves.
    fn amount_fits(&mut self, proven: &Proven) -> bool {
        let Some(expected) = self.payment.amount() else { return true };
        let by_amount =
            self.situation.flow.query_by == QueryBy::MerchantRefAndAmount && proven.source == Source::Query;
        let detail = match proven.amount {
            Some(amount) if amount == expected => return true,
            None if by_amount || proven.status == Status::Pending => return true,
            None => {
                format!("the provider proves {} without an amount; {expected} was asked for", proven.status)
            }
            Some(amount) => {
                format!("the provider proves {} of {amount}; {expected} was asked for", proven.status)
            }
        };
        self.attention(AttentionKind::AmountMismatch, &detail);
        self.payment.asked = self.payment.asked.saturating_add(1);
        self.payment.ask_at = self.next();
        self.write(proven.source, &format!("not applied: {detail}"));
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
        self.keep_card(card);
        self.payment.operation = OperationState::Succeeded;
        let before = self.payment.status;
        if before.is_success() {
            if self.payment.confirmed != self.situation.payment.confirmed {
                self.write(proven.source, "confirmed");
            }
            self.payment.ask_at = self.next();
            self.touched = true;
            return;
        }
        self.pay(proven.source, proven.status, "paid");
    }

    /// The money is there, or the card is saved.
    fn pay(&mut self, source: Source, status: Status, what: &str) {
        let before = self.payment.status;
        self.payment.status = status;
        self.payment.ended_by = Some(EndedBy::Provider);
        self.payment.next.clear();
        self.payment.paid_at = Some(self.now());
        self.reschedule();
        let Some(amount) = self.payment.taken() else {
            self.write(source, "the card is saved");
            return;
        };
        let timing = if before.is_failed() { Timing::After(before) } else { Timing::InTime };
        match self.situation.order {
            Some(order) if order.paid_by.is_none() => {
                let mut order = order.clone();
                order.paid_by = Some(self.payment.id.clone());
                self.order = Some(order);
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
            self.payment.asked = self.payment.asked.saturating_add(1);
            self.payment.ask_at = self.next();
            self.touched = true;
            if self.payment.ask_at.is_none() && !self.payment.confirmed {
                self.attention(
                    AttentionKind::Contradiction,
                    "a signed notification says paid, and the provider still answers that it is open",
                );
            }
            return;
        }
        if self.payment.operation == OperationState::Unknown && self.payment.status.is_open() {
            self.payment.operation = OperationState::Succeeded;
            let end = self.end_of_life(None);
            self.payment.expires_at.get_or_insert(end);
        }
        if !proven.next.is_empty() {
            self.payment.next.clone_from(&proven.next);
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
        let let_go =
            self.payment.status == Status::Canceled && self.payment.ended_by == Some(EndedBy::Provider);
        if proven.status == Status::Authorized && (self.payment.status.is_success() || let_go) {
            // Where a provider cannot tell held money from what became of it, this says nothing new.
            self.payment.confirmed |= proven.source == Source::Query && !let_go;
            self.payment.asked = self.payment.asked.saturating_add(1);
            self.payment.ask_at = self.next();
            self.touched = true;
            return;
        }
        if self.payment.status.is_success() {
            let (kind, detail) = if proven.source == Source::Query {
                self.payment.confirmed = true;
                (
                    AttentionKind::Reversed,
                    format!("it was paid, and the provider now answers {}", proven.status),
                )
            } else {
                (
                    AttentionKind::Contradiction,
                    format!("it was paid, and a notification says {}", proven.status),
                )
            };
            self.attention(kind, &detail);
            self.payment.ask_at = self.next();
            self.write(proven.source, &format!("not applied: {detail}"));
            return;
        }
        self.describe(proven);
        self.payment.operation = OperationState::Succeeded;
        if proven.status == Status::Authorized {
            if self.payment.status == Status::Authorized {
                self.payment.asked = self.payment.asked.saturating_add(1);
                self.payment.ask_at = self.next();
                self.touched = true;
            } else {
                self.payment.status = Status::Authorized;
                self.payment.ended_by = None;
                self.payment.next.clear();
                self.payment.expires_at = None;
                self.reschedule();
                if let Some(amount) = self.payment.amount() {
                    self.event(EventKind::Authorized { amount });
                }
                self.write(proven.source, "the money is held");
            }
            return;
        }
        if self.payment.status.is_open() {
            self.end(proven.status, EndedBy::Provider);
            self.write(proven.source, &format!("the provider says {}", proven.status));
            return;
        }
        self.payment.asked = self.payment.asked.saturating_add(1);
        self.payment.ask_at = self.next();
        self.touched = true;
        if self.payment.ended_by == Some(EndedBy::Us) {
            // It had ended here already and the application was told; now the provider agrees.
            self.payment.ended_by = Some(EndedBy::Provider);
            self.write(proven.source, &format!("the provider says {} too", proven.status));
        }
    }

    fn finish(mut self) -> Changes {
        self.strike_what_is_known();
        if self.touched {
            self.changes.payments.push(self.payment);
        }
        self.changes.orders.extend(self.order);
        if self.operation.as_ref() != self.situation.operation {
            self.changes.operations.extend(self.operation);
        }
        self.changes
    }
}
