//! The bank notifies the shop: about an entry as it stands, or as a story says.

use super::books::Standing;
use super::message::{Message, text_of};
use crate::fault::{Fault, Kind, Point};
use crate::sim::{Due, World};
use crate::story::Note;

/// Sends a notification of the story.
pub(crate) fn notify(world: &mut World, note: &Note) {
    let address = note.address.as_ref().and_then(|label| world.bank.newest(label)?.notify_url.clone());
    let Some(name) = world.bank.newest(&note.payment).map(|entry| entry.merchant_ref.clone()) else {
        return;
    };
    let Some(entry) = world.bank.entries.get_mut(&name) else { return };
    let event = note.event.unwrap_or_else(|| {
        entry.notified += 1;
        entry.notified
    });
    let amount = note.amount.unwrap_or(entry.amount);
    let mut message = Message::about(entry, &note.status, amount, event);
    if note.genuine {
        let true_one = entry.standing.as_str() == note.status;
        entry.lied |= !true_one;
    } else {
        message.body = text_of(entry, &note.status, amount, event, false);
        message.insist = false;
    }
    if address.is_some() {
        message.address = address;
        world.fault_counts.add(Kind::NotificationMisdirected);
    }
    if !note.genuine {
        world.fault_counts.add(Kind::NotificationForged);
    }
    message.to = note.to;
    world.after(0, Due::Deliver(Box::new(message), 0));
}

/// The bank notifies about an entry as it stands.
pub(crate) fn tell(world: &mut World, name: &str, early: bool) {
    let Some(entry) = world.bank.entries.get_mut(name) else { return };
    entry.notified += 1;
    let (event, standing) = (entry.notified, entry.standing);
    let amount = if standing == Standing::Paid { entry.taken() } else { entry.amount };
    let mut message = Message::about(entry, standing.as_str(), amount, event);
    let held_back = entry.not_final_until.saturating_sub(world.now);
    let (flow, label) = (entry.flow.clone(), entry.label.clone());
    let mut wait = held_back + 3 * world.latency();
    if early {
        wait = 0;
        world.fault_counts.add(Kind::NotificationEarly);
    }
    match world.faults.at(Point::Note, usize::MAX, &flow, &label) {
        Some(Fault::Drop) => {
            world.fault_counts.add(Kind::NotificationMissing);
            return;
        }
        Some(Fault::Delay(late)) => {
            world.fault_counts.add(Kind::NotificationLate);
            wait += late;
        }
        Some(Fault::Repeat(times)) => {
            world.fault_counts.add(Kind::NotificationRepeated);
            for _ in 1..times {
                let more = wait + world.latency() * 7;
                world.after(more, Due::Deliver(Box::new(message.clone()), 0));
            }
        }
        Some(Fault::Contradict) => {
            world.fault_counts.add(Kind::NotificationContradicting);
            if let Some(entry) = world.bank.entries.get_mut(name) {
                let other = if standing == Standing::Paid { "declined" } else { "paid" };
                entry.lied = true;
                let second = Message::about(entry, other, amount, event);
                let later = wait + world.latency() * 11;
                world.after(later, Due::Deliver(Box::new(second), 0));
            }
        }
        Some(Fault::Misdirect(other)) => {
            if let Some(url) = world.bank.newest(&other).and_then(|entry| entry.notify_url.clone()) {
                world.fault_counts.add(Kind::NotificationMisdirected);
                message.address = Some(url);
            }
        }
        _ => {}
    }
    world.after(wait, Due::Deliver(Box::new(message), 0));
}
