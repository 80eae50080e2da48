//! Makes the changes that a plan stands for, on what the memory store holds now.

use std::collections::BTreeSet;

use tulbur_core::{Channel, Timestamp};
use tulbur_payments::store::{Changes, Find, InboxEntry, Verdict};
use tulbur_payments::{Event, EventKind, MemoryStore, OperationRecord, OrderRecord, PaymentRecord, Records};

use super::commands::{
    Arrival, ArrivalId, EventPlan, Lease, OperationChange, OrderChange, PaymentChange, Plan, Version,
};
use super::records::{self, at};

/// What was sent so far, by number.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) events: Vec<Event>,
    pub(super) entries: Vec<InboxEntry>,
    lines: usize,
}

fn version(stored: i64, which: Version) -> i64 {
    match which {
        Version::Current => stored,
        Version::Older => stored - 1,
        Version::Newer => stored + 1,
    }
}

/// When it is due or leased, and when its lease ended.
fn lease(of: Lease, now: i64) -> (Option<Timestamp>, Option<Timestamp>) {
    match of {
        Lease::None => (None, None),
        Lease::Runs(until) => (Some(at(now + until)), Some(at(now + until))),
        Lease::Ended(until) => (None, Some(at(now + until))),
    }
}

/// Makes changes at a moment.
pub(super) struct Planner<'a> {
    pub(super) memory: &'a MemoryStore,
    pub(super) sent: &'a mut Sent,
    pub(super) now: i64,
    /// Names that others who commit at the same moment have: what is theirs is left out.
    pub(super) taken: Option<&'a mut BTreeSet<(&'static str, usize)>>,
}

impl Planner<'_> {
    fn takes(&mut self, kind: &'static str, number: usize) -> bool {
        self.taken.as_mut().is_none_or(|taken| taken.insert((kind, number)))
    }

    pub(super) async fn changes(&mut self, plan: &Plan) -> Changes {
        let now = self.now;
        let mut changes = Changes::default();
        for change in &plan.orders {
            if self.takes("order", change.order) {
                changes.orders.push(self.order(*change).await);
            }
        }
        for change in &plan.payments {
            if self.takes("payment", records::same_names(change.payment)) {
                let payment = self.payment(*change).await;
                if self.has_order(&mut changes, change.payment).await {
                    changes.payments.push(payment);
                }
            }
        }
        for change in &plan.operations {
            let id = records::payment_id(records::payment_of(change.operation));
            let of = self.memory.payment(Find::Id(&id)).await.unwrap();
            if of.is_some() {
                changes.operations.push(self.operation(*change).await);
            }
        }
        changes.keys = plan.keys.iter().map(|(key, of)| records::key_record(*key, *of, now)).collect();
        changes.freed = plan.freed.iter().map(|of| records::subject(*of)).collect();
        changes.cards = plan.cards.iter().map(|card| records::card(*card, now)).collect();
        for event in &plan.events {
            changes.events.push(self.event(*event, &records::paid(event.paid)));
        }
        for (order, payment) in &plan.history {
            self.sent.lines += 1;
            changes.history.push(records::history(*order, *payment, self.sent.lines, now));
        }
        for (item, event) in &plan.attention {
            let event = self.event(*event, &records::listed());
            changes.attention.push((records::item(*item, self.sent.events.len(), now), event));
        }
        changes.resolved = plan.resolved.iter().map(|item| (records::item_key(*item), at(now))).collect();
        changes.inbox = plan.inbox.iter().map(|arrival| self.arrival(*arrival)).collect();
        if let Some((number, verdict)) = plan.settled
            && let Some(entry) = self.entry(number)
        {
            let payment = (verdict == Verdict::Accepted).then(|| records::payment_id(number % 3));
            changes.settled =
                vec![InboxEntry { verdict, note: "settled".into(), payment, due_at: None, ..entry }];
        }
        for (account, ahead) in &plan.refused {
            let entry = records::refused(self.sent.entries.len(), *account, now + 1000 * ahead);
            self.sent.entries.push(entry.clone());
            // How many are kept is one number for each account: with two, it is open which of them counts.
            changes.refused.push((entry, 2));
        }
        changes
    }

    /// A payment's order is stored before it, or with it.
    async fn has_order(&mut self, changes: &mut Changes, payment: usize) -> bool {
        let Some(number) = records::order_of(payment) else { return true };
        let order = records::order_ref(number);
        if changes.orders.iter().any(|new| new.order == order)
            || self.memory.order(&order).await.unwrap().is_some()
        {
            return true;
        }
        let takes = self.takes("order", number);
        if takes {
            changes.orders.push(records::order(number));
        }
        takes
    }

    async fn order(&self, change: OrderChange) -> OrderRecord {
        let stored = self.memory.order(&records::order_ref(change.order)).await.unwrap();
        let mut order = stored.map_or_else(|| records::order(change.order), |order| order.record);
        order.paid_by = change.paid_by.map(records::payment_id);
        let at_version = version(order.version(), change.version);
        order.at_version(at_version)
    }

    async fn payment(&self, change: PaymentChange) -> PaymentRecord {
        let stored = self.memory.payment(Find::Id(&records::payment_id(change.payment))).await.unwrap();
        let mut payment = stored.unwrap_or_else(|| records::payment(change.payment));
        payment.asked += 1;
        payment.ask_at = change.ask_in.map(|ahead| at(self.now + ahead));
        let (lease_until, write_ends) = lease(change.lease, self.now);
        payment.lease_until = lease_until;
        if let Some((status, operation)) = change.moved {
            (payment.status, payment.operation) = (status, operation);
            // A reference that is known stays.
            let named = change.provider_ref.map(records::provider_ref);
            payment.reference.provider_ref = payment.reference.provider_ref.or(named);
            if change.paid {
                payment.paid_at = Some(at(self.now));
            }
        }
        let at_version = version(payment.version(), change.version);
        records::with_write_ends(&payment, write_ends).at_version(at_version)
    }

    async fn operation(&self, change: OperationChange) -> OperationRecord {
        let stored = self.memory.operation(&records::operation_ref(change.operation)).await.unwrap();
        let mut operation = stored.unwrap_or_else(|| records::operation(change.operation));
        operation.asked += 1;
        operation.state = change.state;
        (operation.lease_until, operation.write_ends) = lease(change.lease, self.now);
        if let Some(ahead) = change.due_in {
            operation.lease_until = Some(at(self.now + ahead));
        }
        let at_version = version(operation.version(), change.version);
        operation.at_version(at_version)
    }

    fn event(&mut self, plan: EventPlan, kind: &EventKind) -> Event {
        let count = self.sent.events.len();
        if let Some(number) = plan.repeated.filter(|_| count > 0) {
            return self.sent.events[number % count].clone();
        }
        let event = records::event(count, plan.order, plan.payment, kind, self.now + plan.at);
        self.sent.events.push(event.clone());
        event
    }

    /// An entry that came before.
    pub(super) fn entry(&self, number: usize) -> Option<InboxEntry> {
        let count = self.sent.entries.len();
        (count > 0).then(|| self.sent.entries[number % count].clone())
    }

    fn arrival(&mut self, arrival: Arrival) -> InboxEntry {
        let count = self.sent.entries.len();
        let waits = arrival.verdict == Verdict::Waiting;
        let mut entry = InboxEntry {
            id: records::entry_id(count),
            account: records::account(arrival.account),
            channel: Channel::Notify,
            at: at(self.now + arrival.at),
            repeat_key: records::repeat_key(arrival.repeat_key),
            meaning: format!("meaning {}", arrival.meaning),
            verdict: arrival.verdict,
            note: format!("came as {count}"),
            payment: arrival.payment.filter(|_| !waits).map(records::payment_id),
            provider_ref: waits.then(|| records::provider_ref(arrival.provider_ref)),
            due_at: waits.then(|| at(self.now + arrival.due_in)),
            sealed: format!("sealed {count}"),
        };
        match arrival.id {
            ArrivalId::Again(number) => {
                // What was refused comes as such, or it is not counted among those.
                if let Some(same) = self.entry(number).filter(|same| same.verdict != Verdict::Refused) {
                    return same;
                }
            }
            ArrivalId::Clash(number) => {
                if let Some(other) = self.entry(number) {
                    entry.meaning = format!("a meaning of its own {count}");
                    entry.id = other.id;
                }
            }
            ArrivalId::Fresh => {}
        }
        self.sent.entries.push(entry.clone());
        entry
    }
}
