//! Records a finished commit for the judge, and announces it to the other processes.

use std::sync::Arc;

use tulbur_payments::store::{Changes, Wake};
use tulbur_payments::{AttentionItem, Event, EventKind, PaymentId};

use crate::fault::Kind;
use crate::notes::{EventNote, Listed};
use crate::sim::{Due, Sim, World};
use crate::units::{ProcessId, SECOND};

impl World {
    /// The label that the story gives a payment.
    pub(crate) fn label_of(&self, id: &PaymentId) -> Option<&str> {
        self.labels.iter().find(|(_, ids)| ids.contains(id)).map(|(label, _)| label.as_str())
    }

    pub(super) fn count_clock(&mut self, process: ProcessId) {
        match self.processes[process].clock_off {
            off if off > 1000 => self.fault_counts.add(Kind::ClockAhead),
            off if off < -1000 => self.fault_counts.add(Kind::ClockBehind),
            _ => {}
        }
    }

    /// Has a process hear of a commit: at once, or when it would look by itself, together with what came until then.
    fn tell_of(&mut self, process: ProcessId, wakes: &[Wake]) {
        let pending = &mut self.processes[process].unheard;
        let first = pending.is_empty();
        pending.extend_from_slice(wakes);
        if first {
            let wait = if self.choose(4) == 0 { self.latency() } else { 2 * SECOND };
            self.after(wait, Due::Do(Box::new(move |sim| hear(sim, process))));
        }
    }

    /// Notes what a commit brought, and wakes those who listen.
    pub(super) fn committed(&mut self, process: ProcessId, changes: &Changes) {
        self.notes.commits += 1;
        self.count_clock(process);
        for payment in changes.payments.iter().filter(|payment| payment.version() == 0) {
            self.labels.entry(payment.description.clone()).or_default().push(payment.id.clone());
        }
        let at = self.now;
        for event in &changes.events {
            self.notes.add_event(at, event);
        }
        for (item, event) in &changes.attention {
            if !self.notes.listed.contains_key(&item.key) {
                self.notes.add_event(at, event);
                self.notes.listed.insert(item.key.clone(), listed(at, item));
            }
        }
        let mut wakes: Vec<Wake> =
            changes.payments.iter().map(|payment| Wake::Payment(payment.id.clone())).collect();
        if wakes.is_empty() && !(changes.events.is_empty() && changes.attention.is_empty()) {
            wakes.push(Wake::Anything);
        }
        for other in 0..self.processes.len() {
            // The process that committed knows it.
            if other != process && !wakes.is_empty() {
                self.tell_of(other, &wakes);
            }
        }
    }
}

fn listed(at: u64, item: &AttentionItem) -> Listed {
    Listed {
        key: item.key.clone(),
        kind: item.kind.as_str().to_owned(),
        payment: item.payment.as_ref().map(|id| id.as_str().to_owned()),
        order: item.order.as_ref().map(|order| order.as_str().to_owned()),
        detail: item.detail.clone(),
        at,
        open: true,
        by_person: false,
    }
}

impl crate::notes::Notes {
    fn add_event(&mut self, at: u64, event: &Event) {
        let amount = match &event.kind {
            EventKind::Paid { amount, .. }
            | EventKind::PaidAgain { amount }
            | EventKind::Authorized { amount }
            | EventKind::Refunded { amount, .. } => Some(amount.minor()),
            _ => None,
        };
        let kind = match &event.kind {
            EventKind::Attention { reason, .. } => format!("attention/{reason}"),
            kind => kind.name().to_owned(),
        };
        self.event_ids.insert(event.id.as_str().to_owned());
        self.events.push(EventNote {
            id: event.id.as_str().to_owned(),
            at,
            kind,
            order: event.order.as_ref().map(|order| order.as_str().to_owned()),
            payment: event.payment.as_ref().map(|id| id.as_str().to_owned()),
            amount,
        });
    }
}

/// Tells a process what the others committed.
fn hear(sim: &Arc<Sim>, process: ProcessId) {
    let mut world = sim.world();
    let state = &mut world.processes[process];
    let wakes = std::mem::take(&mut state.unheard);
    let Some(sender) = state.listener.take().filter(|sender| !sender.is_closed()) else { return };
    drop(world);
    // Wakes a task, which must not meet the world's lock.
    for wake in wakes {
        drop(sender.try_send(wake));
    }
    let mut world = sim.world();
    world.processes[process].listener = Some(sender);
    world.after(0, Due::Tick(process));
}
