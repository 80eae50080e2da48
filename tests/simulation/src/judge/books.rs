//! Rules about money: what the shop made move, against what it was entitled to.

use std::collections::BTreeMap;

use super::case::Case;

/// Nothing about money is sent twice, and no order is debited twice by the shop.
pub(super) fn nothing_twice(case: &mut Case<'_>) {
    let outcome = case.outcome;
    for entry in &outcome.bank {
        let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        for request in entry.requests.iter().filter(|request| request.operation != "-") {
            *counts.entry((&request.what, &request.operation)).or_default() += 1;
        }
        for ((what, operation), count) in counts {
            if count > 1 {
                case.complain(
                    "sent-twice",
                    format!("{what} `{operation}` of {} was sent {count} times", entry.label),
                );
            }
        }
    }
    let mut orders: Vec<&str> = outcome.payments.iter().map(|payment| payment.order.as_str()).collect();
    orders.sort_unstable();
    orders.dedup();
    for order in orders {
        one_debit_by_the_shop(case, order);
    }
}

fn one_debit_by_the_shop(case: &mut Case<'_>, order: &str) {
    let outcome = case.outcome;
    if case.order_was_misled(order) {
        return;
    }
    let entries: Vec<_> = outcome.of_order(order).filter_map(|one| outcome.entry(one)).collect();
    for (index, first) in entries.iter().enumerate() {
        // What a lying bank said of the first excuses the second.
        if first.lied || first.twisted {
            continue;
        }
        let Some(debit) = first.debits.iter().find(|debit| debit.by_shop) else { continue };
        if first.debits.len() > 1 {
            case.complain(
                "double-debit",
                format!("{} was debited {} times", first.label, first.debits.len()),
            );
        }
        for (other, second) in entries.iter().enumerate() {
            // The other began, or was captured, after the first had been debited.
            let later = second.made_at > debit.at && !second.debits.is_empty();
            let captured = second.debits.iter().any(|one| one.by_shop && one.at > debit.at);
            if other != index && (later || captured) {
                case.complain(
                    "double-debit",
                    format!("order {order}: {} was debited, and then {} too", first.label, second.label),
                );
            }
        }
    }
}

/// No more is given back than was taken; if it is all the same, it is listed.
pub(super) fn refunds(case: &mut Case<'_>) {
    let outcome = case.outcome;
    for payment in &outcome.payments {
        let Some(entry) = outcome.entry(payment) else { continue };
        let (taken, given) = (entry.taken(), entry.given_back());
        if given <= taken || case.was_misled(payment) {
            continue;
        }
        let text = format!("{given} of {taken} was given back for {}", payment.label);
        if !case.is_listed(payment, &[]) {
            case.complain("over-refunded", format!("{text}, and nothing is listed"));
        } else if !entry.twisted && !entry.lied {
            case.complain("over-refunded", format!("{text} at the shop's own request"));
        }
    }
}

/// What is stored of a payment is what the books say, or a person is told.
pub(super) fn agreement(case: &mut Case<'_>) {
    let outcome = case.outcome;
    let mut names: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for payment in &outcome.payments {
        if let Some(name) = &payment.provider_ref {
            *names.entry((&payment.account, name)).or_default() += 1;
        }
        let (taken, given, held) = outcome.entry(payment).map_or((0, 0, false), |entry| {
            (entry.taken(), entry.given_back(), entry.standing.as_str() == "authorized")
        });
        let mut differs = Vec::new();
        if payment.taken != taken {
            differs.push(format!("{} was taken, and {} is stored", taken, payment.taken));
        }
        let unknown =
            outcome.operations.iter().any(|one| one.payment == payment.id && one.state == "unknown");
        if payment.refunded != given && !unknown {
            differs.push(format!("{} was given back, and {} is stored", given, payment.refunded));
        }
        if held != (payment.status == "authorized") && payment.taken == taken {
            differs.push(format!("held at the bank: {held}, and stored is {}", payment.status));
        }
        if differs.is_empty() || case.was_misled(payment) {
            continue;
        }
        // That an order was paid twice says nothing of how much.
        if !case.is_listed(payment, &["paid-again"]) {
            case.complain("differs", format!("{}: {}; nothing is listed", payment.label, differs.join("; ")));
        }
    }
    for ((account, name), count) in names {
        if count > 1 {
            case.complain("shared-reference", format!("{count} payments at {account} have `{name}`"));
        }
    }
}
