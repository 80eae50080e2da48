//! Computes the time of the next question about a payment, and the longest wait of each kind.

use std::time::Duration;

use tulbur_core::{Asking, FlowEffect, FlowInfo, OperationState, Poll, QueryBy, Timestamp};

use crate::model::record::{EndedBy, PaymentRecord, Status};

/// How long things are waited for. The defaults suit a shop; tests shorten them.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Schedule {
    /// A payer's time where the provider names none.
    pub lifetime: Duration,
    /// How long after a payer's time the last question is asked before a payment expires by itself.
    pub margin: Duration,
    /// The longest wait between two questions about a payment whose payer still has time. Later, waits grow with the
    /// payment's age, so that the number of questions is bounded.
    pub longest_wait: Duration,
    /// The longest wait between two questions about an operation of which nobody knows.
    pub longest_operation_wait: Duration,
    /// When, after a payment was ended by us, the provider is asked whether it was paid all the same.
    pub late_questions: [Duration; 4],
    /// How long a write may stay unknown before a person is told.
    pub unresolved_after: Duration,
    /// How long an unknown write is asked about at all.
    pub give_up_after: Duration,
    /// How long a write may take before another process takes it for lost; at least half as long again as the flow says
    /// that its write takes.
    pub operation_lease: Duration,
    /// How long after the end of a write's lease an operator's decision that it did not happen is accepted.
    pub declare_after: Duration,
    /// How long a notification about a payment that is not known yet is kept and tried again before it is listed.
    pub early_for: Duration,
    /// How long a process may work on an event or a question before another takes it over. A handler that works
    /// longer may be called twice.
    pub work_lease: Duration,
    /// The longest that a payer's time is taken to be, whatever the provider says: for sandboxes only.
    pub longest_life: Option<Duration>,
    /// The longest that a write is taken to last, whatever the flow says: for sandboxes only.
    pub longest_write: Option<Duration>,
    /// Another pace of questions than the provider's own: for sandboxes only.
    pub pace: Option<Poll>,
}

impl Schedule {
    /// How long a write of this flow may take.
    pub(crate) fn write_within(&self, flow: &FlowInfo) -> Duration {
        self.longest_write.map_or(flow.write_within, |longest| flow.write_within.min(longest))
    }

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
            longest_operation_wait: Duration::from_secs(6 * HOUR),
            late_questions: [10 * MINUTE, HOUR, 6 * HOUR, 24 * HOUR].map(Duration::from_secs),
            unresolved_after: Duration::from_secs(HOUR),
            give_up_after: Duration::from_secs(7 * 24 * HOUR),
            operation_lease: Duration::from_secs(2 * MINUTE),
            declare_after: Duration::from_secs(HOUR),
            early_for: Duration::from_secs(HOUR),
            work_lease: Duration::from_secs(MINUTE),
            longest_life: None,
            longest_write: None,
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

/// The least number of questions before the questions end.
const LEAST_QUESTIONS: u32 = 10;

/// When to ask next, given how often it was asked since the last change.
pub(crate) fn next_question(
    payment: &PaymentRecord,
    flow: &FlowInfo,
    schedule: &Schedule,
    now: Timestamp,
) -> Option<Timestamp> {
    if flow.query_by == QueryBy::Nothing {
        // Nothing can be asked. It is looked at once, when its time is over: until then what was given up here can
        // still be paid, and a page that refused a card may take another.
        let end = payment.expires_at.unwrap_or(now).after(schedule.margin);
        let refused_a_card = payment.status == Status::Declined && flow.effect == FlowEffect::Inert;
        let can_be_paid = payment.status.is_failed()
            && (payment.ended_by == Some(EndedBy::Us) || refused_a_card)
            && payment.operation == OperationState::Succeeded
            && end > now;
        return (payment.status.is_open() || can_be_paid).then(|| end.max(now));
    }
    if flow.asking == Asking::OnHint && payment.hints == 0 && !payment.status.is_success() {
        return question_without_a_hint(payment, flow, schedule, now);
    }
    let poll = schedule.poll(flow);
    let waited = |longest: Duration, most_doublings: u32| {
        let doubled = poll.every.saturating_mul(1 << payment.asked.min(most_doublings));
        spread(doubled.min(longest), payment.id.as_str(), payment.asked).max(poll.every)
    };
    // Without anybody's time running out, waits grow with the age: some forty questions in a week.
    let by_age = |since: Timestamp| now.after(waited(schedule.longest_wait.max(now.since(since) / 8), 16));
    // The age alone does not end the questions: a clock may have been wrong, or no process was running.
    let goes_on =
        |since: Timestamp| now.since(since) < schedule.give_up_after || payment.asked < LEAST_QUESTIONS;
    if payment.status.is_success() {
        let since = payment.paid_at.unwrap_or(payment.changed_at);
        // A hint of a further part that could not be asked about yet.
        let is_hinted = flow.asking == Asking::OnHint && payment.hints > 0;
        return ((!payment.confirmed || is_hinted) && goes_on(since)).then(|| by_age(since));
    }
    if payment.mismatch.is_some() && payment.status.is_open() {
        return goes_on(payment.changed_at).then(|| by_age(payment.changed_at));
    }
    if payment.status == Status::Authorized {
        // It waits for the shop, not for the payer.
        let longest = Duration::from_hours(1).max(now.since(payment.changed_at) / 8);
        return Some(now.after(waited(longest, 16)));
    }
    if payment.status.is_failed() {
        // By its age: however often somebody looked meanwhile, each of these questions is still to be asked.
        let since = |wait: &Duration| payment.changed_at.after(*wait);
        // A payer may try another card on a page that has refused one. What was charged and refused is over once the
        // provider has said so a second time: its first answer may have been about something else.
        let watched = payment.ended_by == Some(EndedBy::Us) || flow.effect == FlowEffect::Inert;
        let goes_on = payment.operation != OperationState::Refused && (watched || !payment.confirmed);
        let late = schedule.late_questions.iter().map(since).find(|at| *at > now);
        return late.filter(|_| goes_on).map(|at| at.max(now.after(poll.every)));
    }
    let last = payment.expires_at.map(|end| end.after(schedule.margin));
    if payment.operation == OperationState::Unknown || last.is_some_and(|last| last <= now) {
        return goes_on(payment.created_at).then(|| by_age(payment.created_at));
    }
    let next =
        if payment.asked == 0 { now.after(poll.first) } else { now.after(waited(schedule.longest_wait, 10)) };
    Some(last.map_or(next, |last| next.min(last)))
}

/// When to ask about a payment of a flow that is asked about on hints alone, while no hint has come: once when the
/// payer's time is over, and once after it has ended without money.
fn question_without_a_hint(
    payment: &PaymentRecord,
    flow: &FlowInfo,
    schedule: &Schedule,
    now: Timestamp,
) -> Option<Timestamp> {
    if payment.status.is_failed() {
        let late = payment.changed_at.after(schedule.late_questions[0]);
        let is_over = payment.operation == OperationState::Refused || late <= now;
        return (!is_over).then_some(late);
    }
    if payment.mismatch.is_some() {
        // It is listed, and a person decides; what comes later is told by a hint.
        return None;
    }
    let end =
        payment.expires_at.unwrap_or(payment.created_at.after(schedule.lifetime)).after(schedule.margin);
    if end > now {
        return Some(end);
    }
    // The last question was not answered.
    let wait = schedule.longest_wait.max(now.since(payment.created_at) / 8).max(schedule.poll(flow).every);
    let goes_on = now.since(payment.created_at) < schedule.give_up_after || payment.asked < LEAST_QUESTIONS;
    goes_on.then(|| now.after(spread(wait, payment.id.as_str(), payment.asked)))
}

fn is_over(payment: &PaymentRecord, schedule: &Schedule, now: Timestamp) -> bool {
    payment.expires_at.is_some_and(|end| now >= end.after(schedule.margin))
}

/// Whether a question that is due must not be asked yet, because the provider wants to be asked on hints alone: the due
/// time was moved forward by a wrong clock, or by a start.
pub(crate) fn waits_for_a_hint(
    payment: &PaymentRecord,
    flow: &FlowInfo,
    schedule: &Schedule,
    now: Timestamp,
) -> Option<Timestamp> {
    let unasked = flow.asking == Asking::OnHint
        && payment.hints == 0
        && payment.status == Status::Pending
        && payment.operation == OperationState::Succeeded
        && !is_over(payment, schedule, now);
    if unasked { question_without_a_hint(payment, flow, schedule, now) } else { None }
}

/// How far ahead leases and due times can lie if they were written by a clock that was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LongestWaits {
    /// The lease of a write that is under way.
    pub write: Duration,
    /// The lease of whoever asks about a payment or delivers an event.
    pub work: Duration,
    /// The next question about what is open, or not confirmed.
    pub question: Duration,
    /// The next question about money that is held.
    pub held: Duration,
    /// The next question about what ended without success.
    pub late: Duration,
    /// The next try to deliver an event.
    pub delivery: Duration,
}

impl Default for LongestWaits {
    /// Of the default schedule, and of flows that ask for no more.
    fn default() -> Self {
        Self::new(&Schedule::default(), std::iter::empty())
    }
}

impl LongestWaits {
    /// Of this schedule and these flows.
    pub(crate) fn new<'a>(schedule: &Schedule, flows: impl Iterator<Item = &'a FlowInfo> + Clone) -> Self {
        let polls = flows.clone().map(|flow| schedule.poll(flow));
        let question = polls.map(|poll| poll.first.max(poll.every)).max().unwrap_or_default();
        let question = question.max(schedule.longest_wait).max(schedule.work_lease);
        let write = flows.map(|flow| flow.write_within).max().unwrap_or_default();
        Self {
            write: schedule.operation_lease.max(write.saturating_add(write / 2)),
            work: schedule.work_lease,
            question,
            held: question.max(Duration::from_hours(1)),
            late: schedule.late_questions.into_iter().max().unwrap_or_default().max(question),
            delivery: Duration::from_secs(1 << 12).max(schedule.work_lease),
        }
    }

    /// The longest wait of a payment in this state, as stored.
    pub fn of_payment(&self, status: Status, operation: OperationState) -> Duration {
        match (operation, status) {
            (OperationState::Reserved | OperationState::Submitted, _) => self.write,
            (_, Status::Authorized) => self.held,
            (_, Status::Declined | Status::Canceled | Status::Expired) => self.late,
            (_, Status::Pending | Status::Paid | Status::Saved) => self.question,
        }
    }

    /// The longest wait of an operation in this state.
    pub fn of_operation(&self, state: OperationState) -> Duration {
        match state {
            OperationState::Reserved | OperationState::Submitted => self.write,
            _ => self.question,
        }
    }
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
