//! Checks the expectations that a story states itself.

use super::case::Complaint;
use crate::notes::Answer;
use crate::outcome::Outcome;
use crate::story::{Count, Expect, Story};
use crate::units::time_text;

/// What of a story's own expectations is not so.
pub fn expectations(story: &Story, outcome: &Outcome) -> Vec<Complaint> {
    let failed =
        |expect: &Expect| met(outcome, expect).err().map(|text| Complaint { word: "expectation", text });
    story.expects.iter().filter_map(failed).collect()
}

fn sum(numbers: impl Iterator<Item = usize>) -> i64 {
    i64::try_from(numbers.sum::<usize>()).unwrap_or(i64::MAX)
}

fn count(outcome: &Outcome, count: Count, subject: &str) -> i64 {
    let entries = || outcome.of_order(subject).filter_map(|one| outcome.entry(one));
    let payment = outcome.labelled(subject);
    match count {
        Count::Debits => sum(entries().map(|entry| entry.debits.len())),
        Count::Taken => entries().map(crate::bank::Entry::taken).sum(),
        Count::GivenBack => entries().map(crate::bank::Entry::given_back).sum(),
        Count::Charges => sum(entries().map(|entry| {
            entry.requests.iter().filter(|one| matches!(one.what.as_str(), "charge" | "capture")).count()
        })),
        Count::Questions => {
            payment.and_then(|one| outcome.entry(one)).map_or(0, |entry| i64::from(entry.questions))
        }
        Count::Writes => payment
            .and_then(|one| outcome.entry(one))
            .map_or(0, |entry| sum([entry.requests.len()].into_iter())),
        Count::History => payment.map_or(0, |one| i64::try_from(one.history).unwrap_or(i64::MAX)),
        Count::Refunds => payment.and_then(|one| outcome.entry(one)).map_or(0, |entry| {
            sum(std::iter::once(entry.requests.iter().filter(|one| one.what == "refund").count()))
        }),
        Count::Concurrent => {
            let of_handler = outcome.notes.running.iter().filter(|((handler, _), _)| handler == subject);
            of_handler.map(|(_, (_, most))| i64::from(*most)).max().unwrap_or(0)
        }
    }
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn met(outcome: &Outcome, expect: &Expect) -> Result<(), String> {
    match expect {
        Expect::Between(what, subject, least, most) => {
            let number = count(outcome, *what, subject);
            check((*least..=*most).contains(&number), || {
                format!("{} {subject} is {number}, not {least} to {most}", what.as_str())
            })
        }
        Expect::Events(order, kinds) => {
            let events = outcome.notes.events.iter().filter(|event| event.order.as_deref() == Some(order));
            let found: Vec<&str> = events
                .map(|event| event.kind.as_str())
                .filter(|kind| !kind.starts_with("attention"))
                .collect();
            check(found == *kinds, || format!("the events of {order} are {found:?}, not {kinds:?}"))
        }
        Expect::Status(label, status) => {
            let found = outcome.labelled(label).map_or("missing", |payment| payment.status.as_str());
            check(found == status, || format!("{label} is {found}, not {status}"))
        }
        Expect::StoredTaken(label, amount) => {
            let found = outcome.labelled(label).map_or(0, |payment| payment.taken);
            check(found == *amount, || format!("stored as taken of {label} is {found}, not {amount}"))
        }
        Expect::Listed(label, kind) => {
            let found = listed(outcome, label, false);
            let holds = kind.as_ref().map_or(!found.is_empty(), |kind| found.iter().any(|one| one == kind));
            check(holds, || format!("{label} should be listed ({kind:?}); listed is {found:?}"))
        }
        Expect::NotListed(label) => {
            let found = listed(outcome, label, true);
            check(found.is_empty(), || format!("{label} should not be listed, and is: {found:?}"))
        }
        Expect::Heard(handler, order, kind, by) => {
            let at = heard(outcome, handler, order, kind);
            check(at.is_some_and(|at| at <= *by), || {
                let when = at.map_or_else(|| "never".into(), time_text);
                format!("{handler} heard {kind} of {order}: {when}, not by {}", time_text(*by))
            })
        }
        Expect::NotHeard(handler, order, kind) => {
            check(heard(outcome, handler, order, kind).is_none(), || {
                format!("{handler} heard {kind} of {order}")
            })
        }
        Expect::Call(label, words) => {
            let answers: Vec<&str> = outcome
                .notes
                .calls
                .iter()
                .filter(|call| call.label == *label)
                .filter(|call| !matches!(call.what, "query" | "declare" | "resolve" | "replay" | "retry"))
                .map(|call| call.answer.as_ref().map_or("lost", |(_, answer)| Answer::word(answer)))
                .collect();
            let last = answers.last().copied().unwrap_or("not-made");
            check(words.iter().any(|word| word == last), || {
                format!("the call {label} ended {answers:?}, not {words:?}")
            })
        }
        Expect::Stopped(process, by) => {
            let stopped = outcome.notes.stopped.iter().find(|(one, _, _)| one == process);
            check(stopped.is_some_and(|(_, at, itself)| *itself && at <= by), || {
                format!("process {process} should stop by {}; it did: {stopped:?}", time_text(*by))
            })
        }
        Expect::EventAmount(order, kind, amount) => {
            let mut events =
                outcome.notes.events.iter().filter(|event| event.order.as_deref() == Some(order));
            let found = events.find(|event| event.kind == *kind).and_then(|event| event.amount);
            check(found == Some(*amount), || {
                format!("the event {kind} of {order} tells {found:?}, not {amount}")
            })
        }
        Expect::Complaint(_) => Ok(()),
    }
}

fn listed(outcome: &Outcome, label: &str, only_open: bool) -> Vec<String> {
    let Some(payment) = outcome.labelled(label) else { return Vec::new() };
    let entry = outcome.entry(payment);
    let is_its = |item: &&crate::notes::Listed| {
        let named = entry.is_some_and(|entry| {
            item.kind == "unknown-payment"
                && (item.detail.contains(&entry.provider_ref) || item.detail.contains(&entry.merchant_ref))
        });
        (item.payment.as_deref() == Some(&payment.id) || named) && (item.open || !only_open)
    };
    outcome.notes.listed.values().filter(is_its).map(|item| item.kind.clone()).collect()
}

fn heard(outcome: &Outcome, handler: &str, order: &str, kind: &str) -> Option<u64> {
    let mut events = outcome.notes.events.iter().filter(|event| event.order.as_deref() == Some(order));
    let event = events.find(|event| event.kind == kind)?;
    let mut heard = outcome.notes.heard.iter().filter(|one| one.handler == handler && one.event == event.id);
    heard.next().map(|one| one.at)
}
