//! Rules about what is told, delivered, listed and ended.

use std::collections::{BTreeMap, BTreeSet};

use super::case::Case;

/// The most questions about one payment, and the most lines of its history, in one run.
pub const BOUND: u64 = 250;

/// One `Paid` per order, none without a debit, and further debits are reported.
pub(super) fn orders(case: &mut Case<'_>) {
    let outcome = case.outcome;
    let orders: BTreeSet<&str> = outcome.payments.iter().map(|payment| payment.order.as_str()).collect();
    for order in orders {
        let events: Vec<_> =
            outcome.notes.events.iter().filter(|event| event.order.as_deref() == Some(order)).collect();
        let paid: Vec<_> = events.iter().filter(|event| event.kind == "paid").collect();
        if paid.len() > 1 {
            case.complain("paid-twice", format!("order {order} has {} paid events", paid.len()));
        }
        let debited: Vec<_> = outcome.of_order(order).filter(|one| case.taken(one) > 0).collect();
        if case.order_was_misled(order) {
            continue;
        }
        match paid.first() {
            None => {
                for payment in debited {
                    if case.is_listed(payment, &[]) {
                        continue;
                    }
                    case.complain(
                        "no-paid",
                        format!(
                            "order {order} was debited by {}; no paid event, nothing listed",
                            payment.label
                        ),
                    );
                }
            }
            Some(event) => {
                let by = outcome.payments.iter().find(|one| Some(&one.id) == event.payment.as_ref());
                let Some(by) = by else { continue };
                let taken = case.taken(by);
                if taken == 0 && !(case.lied(by) && case.is_listed(by, &["paid-again"])) {
                    case.complain(
                        "paid-without-debit",
                        format!("order {order} is paid by {}, which was never debited", by.label),
                    );
                } else if taken > 0 && event.amount != Some(taken) && !case.is_listed(by, &["paid-again"]) {
                    let told = event.amount.unwrap_or(0);
                    case.complain(
                        "differs",
                        format!("order {order}: the paid event says {told}, and {taken} was taken"),
                    );
                }
                for other in debited.iter().filter(|one| one.id != by.id) {
                    let told = events.iter().any(|event| {
                        event.kind == "paid-again" && event.payment.as_deref() == Some(&other.id)
                    });
                    if !told && !case.is_listed(other, &[]) {
                        case.complain(
                            "not-reported",
                            format!("order {order} was debited again by {}; nobody is told", other.label),
                        );
                    }
                }
            }
        }
    }
}

/// Every handler hears every event that was committed since it is part of the shop.
pub(super) fn deliveries(case: &mut Case<'_>) {
    let outcome = case.outcome;
    let heard: BTreeSet<(&str, &str)> =
        outcome.notes.heard.iter().map(|heard| (heard.handler.as_str(), heard.event.as_str())).collect();
    let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    // A handler that no process has any more is for a person to remove.
    let kept = outcome.notes.handlers.iter().filter(|(handler, _)| !handler.ends_with('2'));
    for (handler, since) in kept {
        for event in outcome.notes.events.iter().filter(|event| event.at >= *since) {
            if !heard.contains(&(handler, &event.id)) {
                let order = event.order.as_deref().unwrap_or("-");
                missing.entry(handler).or_default().push(format!("{} of {order}", event.kind));
            }
        }
    }
    for (handler, events) in missing {
        let first: Vec<&str> = events.iter().take(4).map(String::as_str).collect();
        case.complain(
            "unheard",
            format!("{handler} never heard of {} events: {}", events.len(), first.join(", ")),
        );
    }
}

/// Nothing stays unfinished without being listed, and nothing is asked or written for ever.
pub(super) fn ends(case: &mut Case<'_>) {
    let outcome = case.outcome;
    for payment in &outcome.payments {
        let listed = case.is_listed(payment, &["paid-again"]);
        if matches!(payment.operation.as_str(), "reserved" | "submitted") {
            case.complain("unfinished", format!("the opening of {} is {}", payment.label, payment.operation));
        }
        if payment.status == "pending" && !case.is_still_listed(payment) {
            case.complain("unfinished", format!("{} is pending, and nothing is listed", payment.label));
        }
        if payment.status == "paid" && payment.askable && !payment.confirmed && !listed {
            let misled = case.was_misled(payment);
            if !misled {
                case.complain("unconfirmed", format!("{} was paid and never confirmed", payment.label));
            }
        }
        if payment.history > BOUND {
            case.complain("history", format!("{} has {} lines of history", payment.label, payment.history));
        }
        if let Some(entry) = outcome.entry(payment)
            && u64::from(entry.questions) > BOUND
        {
            case.complain(
                "questions",
                format!("{} was asked about {} times", payment.label, entry.questions),
            );
        }
    }
    for operation in &outcome.operations {
        let label = outcome.payments.iter().find(|one| one.id == operation.payment);
        let Some(payment) = label else { continue };
        let what = format!("{} `{}` of {}", operation.kind, operation.reference, payment.label);
        match operation.state.as_str() {
            "reserved" | "submitted" => {
                case.complain("unfinished", format!("{what} is {}", operation.state));
            }
            "unknown" | "accepted" if operation.kind != "cancel" => {
                let listed = outcome.notes.listed.values().any(|item| {
                    item.open
                        && item.kind == "unresolved-operation"
                        && item.payment.as_deref() == Some(&operation.payment)
                        && (item.key.contains(&operation.reference)
                            || item.detail.contains(&operation.reference))
                });
                if !listed {
                    case.complain("unlisted", format!("{what} is {}, and not listed", operation.state));
                }
            }
            _ => {}
        }
    }
}

/// Every call ends, and none says that nothing happened when money moved.
pub(super) fn calls(case: &mut Case<'_>) {
    let outcome = case.outcome;
    for call in &outcome.notes.calls {
        let Some((_, answer)) = &call.answer else {
            if !call.lost {
                case.complain("call-hangs", format!("{} {} never ended", call.what, call.label));
            }
            continue;
        };
        let conflict = matches!(answer, crate::notes::Answer::Conflict(_));
        if !answer.says_nothing_moved() || conflict || !matches!(call.what, "charge" | "refund") {
            continue;
        }
        for entry in outcome.bank.iter().filter(|entry| !entry.lied) {
            let moves = if call.what == "charge" { &entry.debits } else { &entry.refunds };
            let misled = outcome
                .payments
                .iter()
                .any(|one| one.merchant_ref == entry.merchant_ref && case.was_misled(one));
            // Another call of the same request may have made it move, and knows.
            let explained = |at: u64| {
                outcome.notes.calls.iter().any(|other| {
                    let knows = other.answer.as_ref().is_none_or(|(_, answer)| !answer.says_nothing_moved());
                    (other.label == call.label && other.what == call.what) && other.at <= at && knows
                })
            };
            let mut by_it = moves.iter().filter(|one| one.by_shop && one.by == call.label);
            if !misled && by_it.any(|one| !explained(one.at)) {
                case.complain(
                    "told-nothing",
                    format!("{} {} was told `{}`, and money moved", call.what, call.label, answer.word()),
                );
            }
        }
    }
}
