//! Rules about what was done or listed without a reason, or left undone. Each looks only where no fault is an excuse.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, Complaint};
use crate::fault::Kind;
use crate::notes::{Answer, CallNote};
use crate::outcome::{Outcome, PaymentSeen};
use crate::story::{Action, Call, Database, Story};
use crate::units::{HOUR, Micros, SECOND};

/// Less than the lease of any write.
const WITHIN_A_LEASE: Micros = 115 * SECOND;
/// How long after the end of all faults every event must be delivered and every payment be known.
const SOON: Micros = 3 * HOUR;

fn occurred(outcome: &Outcome, kind: Kind) -> bool {
    outcome.fault_counts.count(kind) > 0
}

/// Whether everything that the bank said about a payment is true.
fn was_told_the_truth(case: &Case<'_>, payment: &PaymentSeen) -> bool {
    let entry = case.outcome.entry(payment);
    !occurred(case.outcome, Kind::OtherState)
        && entry.is_some_and(|entry| !entry.lied && !entry.twisted)
        && !case.was_misled(payment)
}

/// A payment counts as paid by no more than was taken, and no more is taken than is held.
pub(super) fn sums(case: &mut Case<'_>) {
    let outcome = case.outcome;
    for payment in &outcome.payments {
        let Some(entry) = outcome.entry(payment) else { continue };
        let taken = entry.taken();
        let told = outcome.notes.events.iter().find(|event| {
            matches!(event.kind.as_str(), "paid" | "paid-again")
                && event.payment.as_ref() == Some(&payment.id)
        });
        if told.is_some() && payment.status != "paid" {
            case.complain("went-back", format!("{} was paid, and is {}", payment.label, payment.status));
        }
        if let Some(told) = told.and_then(|event| event.amount)
            && told > taken
            && taken > 0
            && !entry.lied
            && !outcome.notes.said.iter().any(|said| said.payment == payment.id)
        {
            case.complain(
                "paid-short",
                format!("{} counts as paid by {told}, and {taken} was taken", payment.label),
            );
        }
        if entry.later && taken > entry.amount && !entry.twisted {
            let held = entry.amount;
            case.complain("over-captured", format!("{taken} of {held} was captured for {}", payment.label));
        }
        let mut by_label: BTreeMap<&str, u32> = BTreeMap::new();
        for refund in entry.refunds.iter().filter(|refund| refund.by_shop) {
            *by_label.entry(&refund.by).or_default() += 1;
        }
        for (label, count) in by_label {
            if count > 1 {
                case.complain("key-twice", format!("the refund `{label}` was made {count} times"));
            }
        }
    }
}

/// What is on the list is there for a reason.
pub(super) fn alarms(case: &mut Case<'_>) {
    let outcome = case.outcome;
    for item in outcome.notes.listed.values().filter(|item| item.open) {
        let Some(payment) = outcome.payments.iter().find(|one| item.payment.as_ref() == Some(&one.id)) else {
            continue;
        };
        if !was_told_the_truth(case, payment) {
            continue;
        }
        // While it is not final, the bank may name another sum than in the end.
        let is_final = outcome.entry(payment).is_some_and(|entry| entry.not_final_until == 0);
        if item.kind == "reversed" || item.kind == "amount-mismatch" && is_final {
            case.complain("false-alarm", format!("{}: {}", payment.label, item.detail));
        }
        let of_operation = outcome.operations.iter().find(|one| item.key.contains(&one.reference));
        let is_settled = match of_operation {
            Some(operation) => matches!(operation.state.as_str(), "succeeded" | "refused"),
            None => payment.status == "paid",
        };
        if item.kind == "unresolved-operation" && is_settled {
            case.complain(
                "false-alarm",
                format!("{} is settled, and listed: {}", payment.label, item.detail),
            );
        }
    }
}

/// What a person took off the list, and is still open, is listed again.
pub(super) fn listed_again(case: &mut Case<'_>) {
    let outcome = case.outcome;
    for payment in &outcome.payments {
        let items =
            || outcome.notes.listed.values().filter(|item| item.payment.as_ref() == Some(&payment.id));
        let is_open = payment.status == "pending"
            || outcome
                .operations
                .iter()
                .any(|one| one.payment == payment.id && one.state == "unknown" && one.kind != "cancel");
        if is_open && items().any(|item| item.by_person) && !items().any(|item| item.open) {
            case.complain("not-relisted", format!("{} is open, and was taken off the list", payment.label));
        }
    }
}

fn first_call<'a>(outcome: &'a Outcome, call: &CallNote) -> Option<&'a CallNote> {
    outcome.notes.calls.iter().find(|other| other.label == call.label && other.what == call.what)
}

/// Checks the answers to calls against the state of the payment.
pub(super) fn answers(case: &mut Case<'_>) {
    let outcome = case.outcome;
    let honest = !occurred(outcome, Kind::Refused)
        && !occurred(outcome, Kind::OtherState)
        && outcome.bank.iter().all(|entry| !entry.lied);
    for call in &outcome.notes.calls {
        let Some((_, answer)) = &call.answer else { continue };
        if call.what == "open"
            && matches!(answer, Answer::Payment { status, has_next: false, .. } if status == "pending")
        {
            case.complain("no-next", format!("open {} gave a page that nobody can see", call.label));
        }
        // An earlier try was not sent, or its process ended; and the bank was not told to refuse anything.
        let was_free = outcome.notes.calls.iter().any(|other| {
            (&other.label, other.what) == (&call.label, call.what)
                && other.at < call.at
                && matches!(other.answer, None | Some((_, Answer::Nothing(_))))
        });
        if call.what == "refund" && *answer == Answer::Refused && was_free && honest {
            case.complain("burnt-key", format!("refund {} was never sent, and its key is used", call.label));
        }
    }
    for payment in &outcome.payments {
        let excused = [
            Kind::RequestLost,
            Kind::Refused,
            Kind::Crash,
            Kind::PauseBeforeFirstByte,
            Kind::WrongDeclaration,
        ]
        .into_iter()
        .any(|kind| occurred(outcome, kind))
            || outcome.notes.stopped.iter().any(|(_, _, itself)| !itself);
        if payment.operation == "unknown" && outcome.entry(payment).is_none() && !excused {
            case.complain("unsent-unknown", format!("{} was never sent, and is unknown", payment.label));
        }
    }
}

/// One key has one result: a call whose own key made the refund is not told that nothing is left to refund.
pub(super) fn one_result(case: &mut Case<'_>) {
    let outcome = case.outcome;
    for call in outcome.notes.calls.iter().filter(|call| call.what == "refund") {
        let Some((at, Answer::Conflict(text))) = &call.answer else { continue };
        let by_itself = ["all of it is refunded", "refunds a payment once", " is left"];
        let made = outcome.notes.calls.iter().any(|other| {
            (&other.label, other.what) == (&call.label, call.what)
                && other.at <= call.at
                && matches!(&other.answer, Some((made, Answer::Operation { .. })) if *made <= *at + 5 * SECOND)
        });
        if made && by_itself.iter().any(|words| text.contains(words)) {
            case.complain("two-results", format!("refund {} was made, and told: {text}", call.label));
        }
    }
}

/// Checks that an answer is recorded once its process began to commit it, however late, unless that process ended.
fn recorded(case: &mut Case<'_>) {
    let outcome = case.outcome;
    let ended = occurred(outcome, Kind::Crash) || outcome.notes.stopped.iter().any(|(_, _, itself)| !itself);
    if ended {
        return;
    }
    for operation in &outcome.operations {
        if outcome.notes.answered.contains(&operation.reference) && operation.state != "succeeded" {
            let (reference, state) = (&operation.reference, &operation.state);
            case.complain(
                "not-recorded",
                format!("operation `{reference}` was answered with success, and is {state}"),
            );
        }
    }
}

/// Whether a wrong clock may decide: on SQLite, where the processes have no other one.
fn clocks_are_wrong(story: &Story) -> bool {
    let set = story.actions.iter().any(|(_, action)| matches!(action, Action::Clock(..)));
    set && story.database == Database::Sqlite
}

/// What is ours is not listed as unknown.
fn unknown(case: &mut Case<'_>) {
    let outcome = case.outcome;
    let items = outcome.notes.listed.values();
    for item in items.filter(|item| item.open && item.kind == "unknown-payment") {
        let known = outcome.payments.iter().find(|one| {
            one.provider_ref.iter().chain([&one.merchant_ref]).any(|name| item.detail.contains(name.as_str()))
        });
        if let Some(known) = known {
            case.complain("false-alarm", format!("{} is listed as no payment of ours", known.label));
        }
    }
}

/// Nobody closes a write of another whose lease lasts.
fn taken_over(story: &Story, case: &mut Case<'_>) {
    let outcome = case.outcome;
    let given_up = |label: &str| {
        story.actions.iter().any(|(_, action)| match action {
            Action::Call(
                _,
                Call::Cancel { payment } | Call::DeclarePayment { payment, .. } | Call::Void { payment, .. },
            ) => payment == label,
            _ => false,
        })
    };
    for call in &outcome.notes.calls {
        let Some((at, answer)) = &call.answer else { continue };
        if *at >= call.at + WITHIN_A_LEASE
            || first_call(outcome, call).is_none_or(|first| first.at != call.at)
        {
            continue;
        }
        let taken = match (call.what, answer) {
            ("refund", Answer::Conflict(text)) => text.contains("taken over"),
            ("open" | "charge", Answer::Conflict(text)) => {
                text.contains("taken over") && !given_up(&call.label)
            }
            ("open" | "charge", Answer::Payment { status, .. }) => {
                status == "canceled" && !given_up(&call.label) && !closed_by_its_owner(outcome, call)
            }
            _ => false,
        };
        if taken {
            case.complain("taken-over", format!("{} {} was closed within its lease", call.what, call.label));
        }
    }
}

/// Whether the call that sent the request was told that its answer was lost.
fn closed_by_its_owner(outcome: &Outcome, call: &CallNote) -> bool {
    outcome.notes.calls.iter().any(|other| {
        (&other.label, other.what) == (&call.label, call.what)
            && matches!(&other.answer, Some((_, Answer::Unknown(_))))
    })
}

/// Two genuine messages of one event that differ are listed.
fn contradictions(story: &Story, case: &mut Case<'_>) {
    let outcome = case.outcome;
    if occurred(outcome, Kind::OtherState) || !occurred(outcome, Kind::NotificationContradicting) {
        return;
    }
    for payment in &outcome.payments {
        let said = story.actions.iter().any(|(_, action)| {
            matches!(action, Action::Notify(note) if note.genuine && note.payment == payment.label)
        });
        if !case.lied(payment) || said {
            continue;
        }
        let listed = outcome.notes.listed.values().any(|item| {
            item.payment.as_ref() == Some(&payment.id)
                && matches!(item.kind.as_str(), "contradiction" | "reversed")
        });
        if !listed && !case.is_listed(payment, &["paid-again"]) {
            case.complain(
                "silent",
                format!("the bank contradicted itself about {}; nothing is listed", payment.label),
            );
        }
    }
}

/// A handler that keeps the order hears the events of one order in the order of their commits, unless one was given up.
pub(super) fn order(case: &mut Case<'_>) {
    let outcome = case.outcome;
    let place: BTreeMap<&str, usize> =
        outcome.notes.events.iter().enumerate().map(|(place, event)| (event.id.as_str(), place)).collect();
    let mut newest: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut first: BTreeSet<(&str, &str)> = BTreeSet::new();
    for heard in outcome.notes.heard.iter().filter(|heard| !heard.handler.ends_with('~')) {
        let given_up =
            outcome.notes.listed.values().any(|item| {
                item.kind == "undelivered" && item.detail.contains(&format!("`{}`", heard.handler))
            });
        let Some(place) = place.get(heard.event.as_str()).copied() else { continue };
        let Some(name) = outcome.notes.events[place].order.as_deref() else { continue };
        if given_up || !first.insert((&heard.handler, &heard.event)) {
            continue;
        }
        let before = newest.entry((&heard.handler, name)).or_insert(place);
        if place < *before {
            let kind = &outcome.notes.events[place].kind;
            case.complain("out-of-order", format!("{} heard {kind} of {name} too late", heard.handler));
        }
        *before = place.max(*before);
    }
}

/// Checks that soon after the end of all faults every event is delivered and every paid payment is known.
fn in_time(story: &Story, case: &mut Case<'_>) {
    let outcome = case.outcome;
    let events: BTreeMap<&str, _> =
        outcome.notes.events.iter().map(|event| (event.id.as_str(), event)).collect();
    for heard in outcome.notes.heard.iter().filter(|heard| heard.handler.ends_with('~')) {
        let calls = outcome.notes.called.get(&(heard.handler.clone(), heard.event.clone()));
        let since = outcome.notes.handlers.get(&heard.handler).copied().unwrap_or(0);
        if let (Some(event), Some(1)) = (events.get(heard.event.as_str()), calls)
            && heard.at > event.at.max(since).max(story.calm_at) + SOON
        {
            case.complain("late", format!("{} heard of {} late", heard.handler, event.kind));
        }
    }
    for payment in outcome.payments.iter().filter(|one| one.status == "paid" && one.askable) {
        let of_it = || {
            outcome.notes.events.iter().filter(|event| event.payment.as_deref() == Some(payment.id.as_str()))
        };
        // What ended otherwise before is asked about by the day.
        if of_it().any(|event| matches!(event.kind.as_str(), "canceled" | "expired" | "declined")) {
            continue;
        }
        let Some(debit) = outcome.entry(payment).and_then(|entry| entry.debits.first()) else { continue };
        let told = of_it().find(|event| matches!(event.kind.as_str(), "paid" | "paid-again"));
        if let Some(told) = told
            && told.at > debit.at.max(story.calm_at) + SOON
        {
            case.complain("late", format!("{} was debited, and is told as paid late", payment.label));
        }
    }
}

/// What is wrong where only the story tells whether a fault can be the reason.
pub(super) fn by_story(story: &Story, outcome: &Outcome) -> Vec<Complaint> {
    let mut case = Case::new(outcome);
    if !clocks_are_wrong(story) {
        taken_over(story, &mut case);
        unknown(&mut case);
    }
    recorded(&mut case);
    contradictions(story, &mut case);
    in_time(story, &mut case);
    case.into_complaints()
}
