//! The one function that moves a payment from one state to another.
//!
//! Everything that learns something about a payment (an answer, a notification, a query, the clock, the
//! application) makes a [`Fact`] of it and comes here. It is pure: what it returns is committed whole by the store,
//! on the versions that were read, or decided anew.

use std::time::Duration;

use tulbur_core::{
    CardInfo, Charge, ErrorKind, FlowEffect, FlowInfo, IpnEvent, IpnFacts, Money, NextAction, NotFound,
    OperationState, Outcome, Payment, PaymentRef, Poll, QueryBy, Timestamp, Verified,
};
use tulbur_core::{CardSetupAnswer, CardSetupState};

use crate::event::{AttentionItem, AttentionKind, Event, EventKind, HistoryEntry, Source, Timing};
use crate::record::{CardRecord, EndedBy, EventId, OrderRecord, PaymentRecord, Purpose, Status};
use crate::store::Changes;

/// How long things are waited for. The defaults suit a shop; tests shorten them.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Schedule {
    /// A payer's time where the provider names none.
    pub lifetime: Duration,
    /// How long after a payer's time the last question is asked before a payment expires by itself.
    pub margin: Duration,
    /// The longest wait between two questions about an open payment.
    pub longest_wait: Duration,
    /// When, after a payment was ended by us, the provider is asked whether it was paid all the same.
    pub late_questions: [Duration; 4],
    /// How long a write may stay unknown before a person is told.
    pub unresolved_after: Duration,
    /// How long an unknown write is asked about at all.
    pub give_up_after: Duration,
    /// How long a write may take before a restart takes it for lost.
    pub operation_lease: Duration,
    /// How long a process may work on an event or a question before another takes it over. A handler that works
    /// longer may be called twice.
    pub work_lease: Duration,
    /// Another pace of questions than the provider's own: for sandboxes only.
    pub pace: Option<Poll>,
}

impl Schedule {
    /// How often this flow is asked about.
    pub(crate) fn poll(&self, flow: &FlowInfo) -> Poll {
        self.pace.unwrap_or(flow.poll)
    }
}

impl Default for Schedule {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        Self {
            lifetime: Duration::from_secs(24 * HOUR),
            margin: Duration::from_secs(5 * MINUTE),
            longest_wait: Duration::from_secs(5 * MINUTE),
            late_questions: [10 * MINUTE, HOUR, 6 * HOUR, 24 * HOUR].map(Duration::from_secs),
            unresolved_after: Duration::from_secs(HOUR),
            give_up_after: Duration::from_secs(7 * 24 * HOUR),
            operation_lease: Duration::from_secs(2 * MINUTE),
            work_lease: Duration::from_secs(MINUTE),
            pace: None,
        }
    }
}

/// Something that the provider has proven. It can only be made from a [`Verified`].
#[derive(Debug, Clone)]
pub(crate) struct Proven {
    source: Source,
    status: Status,
    amount: Option<Money>,
    reference: Option<PaymentRef>,
    code: Option<String>,
    text: Option<String>,
    card: CardInfo,
    next: Vec<NextAction>,
}

impl Proven {
    pub(crate) fn by_query(payment: Verified<Payment>) -> Self {
        Self::of_payment(Source::Query, payment.into_inner(), Vec::new())
    }

    pub(crate) fn by_charge(charge: Verified<Charge>) -> Self {
        let charge = charge.into_inner();
        Self::of_payment(Source::Answer, charge.payment, charge.next)
    }

    fn of_payment(source: Source, payment: Payment, next: Vec<NextAction>) -> Self {
        Self {
            source,
            status: payment.status.into(),
            amount: payment.amount,
            reference: Some(payment.reference),
            code: payment.code,
            text: payment.text,
            card: payment.card,
            next,
        }
    }

    pub(crate) fn by_setup_query(answer: Verified<CardSetupAnswer>) -> Self {
        let answer = answer.into_inner();
        let (status, card) = match answer.state {
            CardSetupState::Pending => (Status::Pending, CardInfo::default()),
            CardSetupState::Saved(saved) => (Status::Saved, saved.card),
            CardSetupState::Declined => (Status::Declined, CardInfo::default()),
        };
        Self {
            source: Source::Query,
            status,
            amount: None,
            reference: Some(answer.reference),
            code: answer.code,
            text: answer.text,
            card,
            next: Vec::new(),
        }
    }

    pub(crate) fn by_notification(facts: Verified<IpnFacts>, event: &IpnEvent) -> Self {
        let facts = facts.into_inner();
        Self {
            source: Source::Notification,
            status: facts.status.into(),
            amount: Some(facts.amount),
            reference: None,
            code: event.code.clone(),
            text: event.text.clone(),
            card: event.card.clone(),
            next: Vec::new(),
        }
    }
}

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
}

/// What a decision is made on.
pub(crate) struct Situation<'a> {
    pub(crate) order: Option<&'a OrderRecord>,
    pub(crate) payment: &'a PaymentRecord,
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
        Fact::GivenUp => {
            step.end(Status::Canceled, EndedBy::Us);
            step.write(Source::Application, "given up");
        }
        Fact::Hinted { source, what } => {
            step.touched = true;
            step.ask_now();
            step.write(source, &what);
        }
        Fact::Contradicted { detail } => {
            step.touched = true;
            step.ask_now();
            step.attention(AttentionKind::Contradiction, &detail);
            step.write(Source::Notification, "it contradicts an earlier notification; not applied");
        }
    }
    step.finish()
}

/// When to ask next, given how often it was asked since the last change.
fn next_question(
    payment: &PaymentRecord,
    flow: &FlowInfo,
    schedule: &Schedule,
    now: Timestamp,
) -> Option<Timestamp> {
    if flow.query_by == QueryBy::Nothing {
        // Nothing can be asked; an open payment is looked at once, when its time is over.
        return payment
            .status
            .is_open()
            .then(|| payment.expires_at.unwrap_or(now).after(schedule.margin).max(now));
    }
    let poll = schedule.poll(flow);
    let wait = || {
        let doubled = poll.every.saturating_mul(1 << payment.asked.min(10));
        doubled.min(schedule.longest_wait).max(poll.every)
    };
    if payment.status.is_success() {
        return (!payment.confirmed && payment.asked < 12).then(|| now.after(wait()));
    }
    if payment.status.is_failed() {
        let late = schedule.late_questions.get(payment.asked as usize);
        // A payer may try another card on a page that has refused one; what was charged and refused is over.
        let watched = payment.operation != OperationState::Refused
            && (payment.ended_by == Some(EndedBy::Us) || flow.effect == FlowEffect::Inert);
        return late
            .filter(|_| watched)
            .map(|wait| payment.changed_at.after(*wait).max(now.after(poll.every)));
    }
    if payment.operation == OperationState::Unknown {
        let age = now.since(payment.created_at);
        return (age < schedule.give_up_after).then(|| now.after(wait()));
    }
    let last = payment.expires_at.map(|end| end.after(schedule.margin));
    let next = if payment.asked == 0 { now.after(poll.first) } else { now.after(wait()) };
    Some(last.filter(|last| *last > now).map_or(next, |last| next.min(last)))
}

struct Step<'a> {
    situation: &'a Situation<'a>,
    payment: PaymentRecord,
    order: Option<OrderRecord>,
    changes: Changes,
    touched: bool,
}

impl<'a> Step<'a> {
    fn new(situation: &'a Situation<'a>) -> Self {
        Self {
            situation,
            payment: situation.payment.clone(),
            order: None,
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
            key: format!("{kind}/{}/{}", self.payment.id, tulbur_core::Meaning::of(&[detail]).to_hex()),
            at: self.now(),
            kind,
            account: self.payment.account.clone(),
            order: self.payment.order().cloned(),
            payment: Some(self.payment.id.clone()),
            detail: detail.to_owned(),
        };
        self.changes.attention.push((item, event));
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

    fn opened(&mut self, reference: &PaymentRef, next: Vec<NextAction>, expires_at: Option<Timestamp>) {
        self.payment.reference.fill_from(reference);
        self.payment.operation = OperationState::Succeeded;
        if !self.payment.status.is_open() {
            // It was given up, or a fast notification ended it, while the answer was on its way.
            self.payment.ask_at = self.next();
            self.write(Source::Answer, "the provider made it, after it had ended here");
            return;
        }
        self.payment.next = next;
        let lifetime = self.situation.flow.lifetime.unwrap_or(self.situation.schedule.lifetime);
        self.payment.expires_at = Some(expires_at.unwrap_or(self.now().after(lifetime)));
        self.reschedule();
        self.write(Source::Answer, "the provider made it; the payer can go on");
    }

    fn write_failed(&mut self, outcome: Outcome, why: &str, code: Option<String>, text: Option<String>) {
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

    fn abandoned(&mut self) {
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
    fn lost(&mut self, source: Source, why: &str) {
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

    fn not_found(&mut self) {
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
        self.still_open(Source::Query, "the provider does not know it");
    }

    fn ask_failed(&mut self, why: &str, kind: ErrorKind) {
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
    fn still_open(&mut self, source: Source, what: &str) {
        self.payment.asked = self.payment.asked.saturating_add(1);
        self.touched = true;
        let over = self
            .payment
            .expires_at
            .is_some_and(|end| self.now() >= end.after(self.situation.schedule.margin));
        let unknown = self.payment.operation == OperationState::Unknown && !self.is_inert();
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

    fn tell_if_unresolved(&mut self) {
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
        if self.payment.operation != OperationState::Succeeded {
            self.payment.operation = OperationState::Succeeded;
        }
        let before = self.payment.status;
        if before.is_success() {
            if self.payment.confirmed != self.situation.payment.confirmed {
                self.write(proven.source, "confirmed");
            }
            self.payment.ask_at = self.next();
            self.touched = true;
            return;
        }
        self.payment.status = proven.status;
        self.payment.ended_by = Some(EndedBy::Provider);
        self.payment.next.clear();
        self.reschedule();
        let Purpose::Payment { amount, .. } = self.payment.purpose else {
            self.write(proven.source, "the card is saved");
            return;
        };
        let timing = if before.is_failed() { Timing::After(before) } else { Timing::InTime };
        match self.situation.order {
            Some(order) if order.paid_by.is_none() => {
                let mut order = order.clone();
                order.paid_by = Some(self.payment.id.clone());
                self.order = Some(order);
                self.event(EventKind::Paid { amount, timing });
                self.write(proven.source, "paid");
            }
            _ => {
                self.event(EventKind::PaidAgain { amount });
                self.attention(
                    AttentionKind::PaidAgain,
                    &format!("the order was paid already; this payment of {amount} is to be refunded"),
                );
                self.write(proven.source, "paid, although the order was paid already");
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
            let lifetime = self.situation.flow.lifetime.unwrap_or(self.situation.schedule.lifetime);
            self.payment.expires_at.get_or_insert(self.situation.now.after(lifetime));
        }
        if !proven.next.is_empty() {
            self.payment.next.clone_from(&proven.next);
        }
        if proven.source == Source::Answer {
            self.payment.operation = OperationState::Succeeded;
            let lifetime = self.situation.flow.lifetime.unwrap_or(self.situation.schedule.lifetime);
            self.payment.expires_at.get_or_insert(self.situation.now.after(lifetime));
            self.reschedule();
            self.write(Source::Answer, "the provider has it; not final yet");
            return;
        }
        self.still_open(proven.source, "asked: not paid yet");
    }

    /// Authorised, or ended without success, by the provider's own word.
    fn other(&mut self, proven: &Proven) {
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
            if self.payment.status != Status::Authorized {
                self.payment.status = Status::Authorized;
                self.payment.ended_by = None;
                self.reschedule();
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
        if self.touched {
            self.changes.payments.push(self.payment);
        }
        self.changes.orders.extend(self.order);
        self.changes
    }
}
