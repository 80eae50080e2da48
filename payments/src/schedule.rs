//! When the provider is asked, and how long things are waited for.

use std::time::Duration;

use tulbur_core::{FlowEffect, FlowInfo, OperationState, Poll, QueryBy, Timestamp};

use crate::record::{EndedBy, PaymentRecord, Status};

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
    /// The longest that a payer's time is taken to be, whatever the provider says: for sandboxes only.
    pub longest_life: Option<Duration>,
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
            longest_life: None,
            pace: None,
        }
    }
}

/// A wait, or up to a tenth less, so that what began together does not come again together for ever.
///
/// How much less follows from the name and the step alone: a run can be repeated.
pub(crate) fn spread(wait: Duration, name: &str, step: u32) -> Duration {
    // FNV-1a: a few bytes, spread evenly.
    let hash = name
        .bytes()
        .chain(step.to_be_bytes())
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    wait.saturating_sub((wait / 10_240).saturating_mul((hash >> 16) % 1024))
}

/// When to ask next, given how often it was asked since the last change.
pub(crate) fn next_question(
    payment: &PaymentRecord,
    flow: &FlowInfo,
    schedule: &Schedule,
    now: Timestamp,
) -> Option<Timestamp> {
    if flow.query_by == QueryBy::Nothing {
        // Nothing can be asked. It is looked at once, when its time is over: until then what was given up here can
        // still be paid.
        let end = payment.expires_at.unwrap_or(now).after(schedule.margin);
        let given_up = payment.status.is_failed()
            && payment.ended_by == Some(EndedBy::Us)
            && payment.operation == OperationState::Succeeded
            && end > now;
        return (payment.status.is_open() || given_up).then(|| end.max(now));
    }
    let poll = schedule.poll(flow);
    let wait = || {
        let doubled = poll.every.saturating_mul(1 << payment.asked.min(10));
        spread(doubled.min(schedule.longest_wait), payment.id.as_str(), payment.asked).max(poll.every)
    };
    if payment.status.is_success() {
        return (!payment.confirmed && payment.asked < 12).then(|| now.after(wait()));
    }
    if payment.status == Status::Authorized {
        // It waits for the shop, not for the payer.
        let hold = Duration::from_hours(1);
        let wait = poll.every.saturating_mul(1 << payment.asked.min(16)).min(hold);
        return Some(now.after(spread(wait, payment.id.as_str(), payment.asked).max(poll.every)));
    }
    if payment.status.is_failed() {
        // By its age: however often somebody looked meanwhile, each of these questions is still to be asked.
        let since = |wait: &Duration| payment.changed_at.after(*wait);
        let late = schedule.late_questions.iter().map(since).find(|at| *at > now);
        // A payer may try another card on a page that has refused one; what was charged and refused is over.
        let watched = payment.operation != OperationState::Refused
            && (payment.ended_by == Some(EndedBy::Us) || flow.effect == FlowEffect::Inert);
        return late.filter(|_| watched).map(|at| at.max(now.after(poll.every)));
    }
    if payment.operation == OperationState::Unknown {
        let age = now.since(payment.created_at);
        return (age < schedule.give_up_after).then(|| now.after(wait()));
    }
    let last = payment.expires_at.map(|end| end.after(schedule.margin));
    let next = if payment.asked == 0 { now.after(poll.first) } else { now.after(wait()) };
    Some(last.filter(|last| *last > now).map_or(next, |last| next.min(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_spread_evenly_and_repeatably() {
        let wait = Duration::from_mins(5);
        let mut tenths = [0; 10];
        for number in 0..1000 {
            let name = format!("{number:032x}");
            let spread = spread(wait, &name, 7);
            assert_eq!(spread, super::spread(wait, &name, 7));
            assert!(spread <= wait && spread > wait * 9 / 10, "{spread:?}");
            let tenth = wait.saturating_sub(spread).as_millis() / 3000;
            tenths[usize::try_from(tenth).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|count| (60..140).contains(count)), "{tenths:?}");
        assert_ne!(spread(wait, "a", 1), spread(wait, "a", 2));
    }
}
