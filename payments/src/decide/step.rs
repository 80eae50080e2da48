//! Collects what one decision changes: records, lines of history, events, and items for a person.

use tulbur_core::{FlowEffect, OperationState, PaymentRef, QueryBy, Timestamp};

use super::{Situation, may_be_charged};
use crate::model::changes::Changes;
use crate::model::event::{AttentionItem, AttentionKind, Event, EventKind, HistoryEntry, Source};
use crate::model::operation::{KeySubject, OperationKind, OperationRecord};
use crate::model::record::{EndedBy, EventId, OrderRecord, PaymentRecord, Status};
use crate::model::schedule::next_question;

pub(super) struct Step<'a> {
    pub(super) situation: &'a Situation<'a>,
    pub(super) payment: PaymentRecord,
    pub(super) order: Option<OrderRecord>,
    pub(super) operation: Option<OperationRecord>,
    pub(super) changes: Changes,
    pub(super) touched: bool,
}

impl<'a> Step<'a> {
    pub(super) fn new(situation: &'a Situation<'a>) -> Self {
        Self {
            situation,
            payment: situation.payment.clone(),
            order: situation.order.cloned(),
            operation: situation.operation.cloned(),
            changes: Changes::default(),
            touched: false,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.situation.now
    }

    pub(super) fn is_inert(&self) -> bool {
        self.situation.flow.effect == FlowEffect::Inert
    }

    /// Whether the write that the situation is about belongs to this owner.
    pub(super) fn is_owner(&self, owner: &str) -> bool {
        let of_write = match &self.operation {
            Some(operation) => &operation.owner,
            None => &self.payment.owner,
        };
        of_write.as_deref() == Some(owner)
    }

    /// Writes a line of history, with the change of status since the record was read.
    pub(super) fn write(&mut self, source: Source, what: &str) {
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

    pub(super) fn event(&mut self, kind: EventKind) {
        let event = self.make_event(kind);
        self.changes.events.push(event);
    }

    pub(super) fn attention(&mut self, kind: AttentionKind, detail: &str) {
        self.touched = true;
        let event = self.make_event(EventKind::Attention { reason: kind, detail: detail.to_owned() });
        let item = AttentionItem {
            key: if kind.is_one_per_payment() {
                self.key_of(kind)
            } else {
                format!("{}/{}", self.key_of(kind), tulbur_core::Meaning::of(&[detail]).to_hex())
            },
            at: self.now(),
            kind,
            account: Some(self.payment.account.clone()),
            order: self.payment.order().cloned(),
            payment: Some(self.payment.id.clone()),
            detail: detail.to_owned(),
        };
        self.changes.attention.push((item, event));
    }

    pub(super) fn key_of(&self, kind: AttentionKind) -> String {
        match &self.operation {
            Some(operation) if kind == AttentionKind::UnresolvedOperation => {
                format!("{kind}/{}", operation.operation_ref)
            }
            _ => self.key_of_payment(kind),
        }
    }

    pub(super) fn key_of_payment(&self, kind: AttentionKind) -> String {
        format!("{kind}/{}", self.payment.id)
    }

    /// Resolves an item of the list, because what is committed settles it.
    pub(super) fn resolve(&mut self, key: String) {
        self.changes.resolved.push((key, self.now()));
    }

    /// Resolves what was listed because nobody knew, whichever fact it was that made it known.
    fn resolve_what_is_known(&mut self) {
        let (before, after) = (self.situation.payment, self.payment.clone());
        let answered =
            before.operation == OperationState::Unknown && after.operation != OperationState::Unknown;
        let ended = (before.status, before.ended_by) != (after.status, after.ended_by);
        // Of what cannot be asked about, only an end that somebody else knew of says anything.
        let told = self.situation.flow.query_by == QueryBy::Nothing
            && after.ended_by == Some(EndedBy::Provider)
            && ended;
        let settled = before.status.is_open()
            && after.ended_by == Some(EndedBy::Provider)
            && after.operation != OperationState::Unknown;
        // A charge that has become final: paid, held, declined or ended.
        let flow = self.situation.flow;
        let is_final = may_be_charged(flow, before)
            && !may_be_charged(flow, &after)
            && after.operation != OperationState::Unknown;
        if answered || told || settled || is_final {
            self.resolve(self.key_of_payment(AttentionKind::UnresolvedOperation));
            self.resolve(self.key_of_payment(AttentionKind::Unproven));
        }
        if after.confirmed && !before.confirmed {
            self.resolve(self.key_of_payment(AttentionKind::Unconfirmed));
        }
        let unresolved =
            |operation: Option<&OperationRecord>| operation.is_some_and(OperationRecord::is_unresolved);
        if unresolved(self.situation.operation) && !unresolved(self.operation.as_ref()) {
            self.resolve(self.key_of(AttentionKind::UnresolvedOperation));
        }
    }

    /// Takes over the references that the provider named. One that another payment has is left out: a message or an answer
    /// about it would move both.
    pub(super) fn refer(&mut self, reference: &PaymentRef) {
        let mut reference = reference.clone();
        if self.payment.reference.provider_ref.is_none()
            && let Some(taken) =
                self.situation.taken.filter(|taken| reference.provider_ref.as_ref() == Some(*taken))
        {
            reference.provider_ref = None;
            self.attention(
                AttentionKind::Contradiction,
                &format!("the provider names it `{taken}`, as it names another payment; it is kept without that name"),
            );
        }
        self.payment.reference.fill_from(&reference);
    }

    /// Restarts the questions, because something changed.
    pub(super) fn reschedule(&mut self) {
        self.payment.asked = 0;
        self.payment.changed_at = self.now();
        self.payment.ask_at = self.next();
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        next_question(&self.payment, self.situation.flow, self.situation.schedule, self.now())
    }

    /// Counts a question that brought nothing new, and sets the time of the next.
    pub(super) fn ask_again(&mut self) {
        self.payment.asked = self.payment.asked.saturating_add(1);
        self.payment.ask_at = self.next();
        self.touched = true;
    }

    pub(super) fn ask_now(&mut self) {
        if self.situation.flow.query_by != QueryBy::Nothing {
            self.payment.ask_at = Some(self.now());
        }
    }

    pub(super) fn end(&mut self, status: Status, by: EndedBy) {
        self.touched = true;
        self.payment.status = status;
        self.payment.ended_by = Some(by);
        self.payment.waiting_card = None;
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

    /// Nothing was sent, and nothing will be: a key that names this write may be used again.
    pub(super) fn free_key(&mut self) {
        self.changes.freed.push(match &self.operation {
            Some(operation) => KeySubject::Operation(operation.operation_ref.clone()),
            None => KeySubject::Payment(self.payment.id.clone()),
        });
    }

    /// Keeps the order's note of the payment that may be taking its money.
    fn note_who_takes(&mut self) {
        let taking = self.payment.capturing.is_some()
            || self.payment.operation == OperationState::Reserved && self.is_charge()
            || may_be_charged(self.situation.flow, &self.payment);
        let Some(order) = &mut self.order else { return };
        if !taking && order.taking.as_ref() == Some(&self.payment.id) {
            order.taking = None;
        }
    }

    fn is_charge(&self) -> bool {
        super::moves_money(self.situation.flow) && self.payment.status.is_open()
    }

    /// A capture that is settled, either way, takes nothing any more.
    pub(super) fn capture_is_settled(&mut self) {
        if self.operation.as_ref().is_some_and(|operation| operation.kind == OperationKind::Capture) {
            self.payment.capturing = None;
        }
    }

    pub(super) fn finish(mut self) -> Changes {
        self.list_money_of_what_ended();
        self.resolve_what_is_known();
        self.note_who_takes();
        let before = self.situation.payment;
        let learnt = |payment: &PaymentRecord| {
            (
                payment.status,
                payment.operation,
                payment.ended_by,
                payment.captured,
                payment.refunded,
                payment.hints,
                payment.received(),
            )
        };
        if learnt(before) != learnt(&self.payment) {
            self.payment.revision = self.payment.revision.wrapping_add(1);
            self.payment.overdue = false;
        }
        if matches!(self.payment.operation, OperationState::Reserved | OperationState::Submitted) {
            // While the write is under way it is looked at when its lease ends at the latest.
            let due = self.payment.ask_at.into_iter().chain(self.payment.lease_until).min();
            self.payment.ask_at = due;
        } else {
            self.payment.lease_until = None;
        }
        if self.touched {
            self.changes.payments.push(self.payment);
        }
        if self.order.as_ref() != self.situation.order {
            self.changes.orders.extend(self.order);
        }
        if self.operation.as_ref() != self.situation.operation {
            self.changes.operations.extend(self.operation);
        }
        self.changes
    }
}
