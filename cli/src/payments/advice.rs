//! Explains the state of a payment, the next automatic step, and the operator's options.

use std::collections::BTreeSet;
use std::time::Duration;

use tulbur::Timestamp;
use tulbur::core::OperationState;
use tulbur::payments::store::{DeliveryState, EventDelivery};
use tulbur::payments::{
    AttentionItem, AttentionKind, EndedBy, OperationKind, OperationRecord, PaymentRecord, Status,
};

use crate::out::{Wall, span};

/// A running application looks at least every five seconds; what is due for longer is not done by anybody.
const SOON: Duration = Duration::from_mins(1);

/// What to do about an item, where `payment` is what the commands are to name.
pub(super) fn for_item(item: &AttentionItem) -> String {
    let payment = item.payment.as_ref().map_or("PAYMENT", |payment| payment.as_str());
    let resolve = format!("tulbur payments resolve {} --done --by NAME", item.key);
    match item.kind {
        AttentionKind::AmountMismatch => format!(
            "Look up at the provider what was taken and given back. While the payment is open, decide: tulbur payments \
             resolve {payment} --happened --by NAME accepts what was paid, and the application is told; --never ends \
             the payment, and what was paid is yours to give back. If it is paid already, put right by hand what \
             differs. Then: {resolve}"
        ),
        AttentionKind::Overpaid => format!(
            "The order is paid and may be delivered. Give back what came too much, or agree with the payer: tulbur payments              show {payment} names the parts, and tulbur payments refund {payment} --part ID --reason \"paid too much\" --key \
             overpaid-{payment} gives one back. Then: {resolve}"
        ),
        AttentionKind::PaidAgain => format!(
            "The customer paid twice. Give this payment back: tulbur payments refund {payment} --reason \"paid twice\" \
             --key paid-twice-{payment}; a whole refund resolves the item. If you refund at the provider by hand: \
             {resolve}"
        ),
        AttentionKind::UnknownPayment => format!(
            "Does another system use this account, or was the database restored from an old copy? If the money \
             belongs to a payment that was lost with a database, deliver or refund by hand. Then: {resolve}"
        ),
        AttentionKind::Contradiction => format!(
            "The provider is asked which is right. If the payment ended up right (tulbur payments show {payment}), \
             resolve it: {resolve}. If it stays open, ask the provider's people"
        ),
        AttentionKind::UnresolvedOperation => {
            let subject = item.key.split_once('/').map_or(payment, |(_, subject)| subject);
            format!(
                "Look it up at the provider, then say what you found: tulbur payments resolve {subject} --happened --by \
                 NAME, or --never. Do not do it again before you know"
            )
        }
        AttentionKind::Reversed => format!(
            "Nothing was taken back here: paid never goes back by itself. Ask the provider, and decide about the goods. \
             Then: {resolve}"
        ),
        AttentionKind::Unproven => format!(
            "Look it up at the provider, then say what you found: tulbur payments resolve {payment} --happened --by \
             NAME, or --never"
        ),
        AttentionKind::Undelivered => format!(
            "Repair the application's handler. Then: tulbur payments retry {payment}, which resolves the item. If it \
             need not be delivered any more: {resolve}"
        ),
        AttentionKind::HandlerMissing => {
            let name = item.key.split('/').nth(1).unwrap_or("HANDLER");
            format!(
                "Run a process that has this handler; the item is resolved by itself. If the application has it no more: \
                 tulbur payments remove-handler {name}, with --heir NEW where it was renamed"
            )
        }
        AttentionKind::Unreadable => format!(
            "A newer release wrote it: run that release, and the item is resolved by itself. Else the database is \
             damaged. Once the event does not matter any more: {resolve}"
        ),
        _ => format!("Look at its history (tulbur payments show {payment}). Then: {resolve}"),
    }
}

/// What matters of a payment, in a few words. `unknown` are operations of which nobody knows whether they happened, its own
/// among them.
pub(super) fn in_short(payment: &PaymentRecord, unknown: &[OperationRecord], now: Timestamp) -> String {
    let mut words: Vec<String> = unknown
        .iter()
        .filter(|one| one.payment == payment.id)
        .map(|one| match one.amount {
            Some(amount) => format!("the {} of {amount} may have happened", one.kind),
            None => format!("the {} may have happened", one.kind),
        })
        .collect();
    if payment.status.is_open() {
        match payment.operation {
            OperationState::Unknown => words.push("may have been charged".to_owned()),
            OperationState::Reserved | OperationState::Submitted => words.push("being opened".to_owned()),
            OperationState::Accepted => words.push("taken, and not settled yet".to_owned()),
            OperationState::Succeeded | OperationState::Refused => {}
        }
    }
    if let Some(received) = payment.received().filter(|received| Some(*received) != payment.amount()) {
        words.push(format!("{received} is there"));
    }
    if let Some(refunded) = payment.refunded {
        words.push(format!("{refunded} given back"));
    }
    if payment.status == Status::Paid && !payment.confirmed {
        words.push(if payment.ask_at.is_some() { "not confirmed yet" } else { "not confirmed" }.to_owned());
    }
    if let Some(late) = overdue(payment.ask_at, now) {
        words.push(format!("due for {}: is the application running?", span(late)));
    }
    words.join("; ")
}

fn overdue(due: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    due.map(|due| now.since(due)).filter(|late| *late > SOON)
}

/// What is known, and what comes next, of one payment.
pub(super) fn for_payment(
    payment: &PaymentRecord,
    operations: &[OperationRecord],
    wall: Wall,
    now: Timestamp,
) -> Vec<String> {
    let mut lines = vec![known(payment, operations, wall, now)];
    if let Some(late) = overdue(payment.ask_at, now) {
        lines.push(format!(
            "It has been due to be asked about for {}, and nobody asked. Is the application running on this database, \
             with account `{}`?",
            span(late),
            payment.account
        ));
    } else if let Some(due) = payment.ask_at {
        let wait = due.since(now);
        let when = if wait.is_zero() { "now".to_owned() } else { format!("in {}", span(wait)) };
        let times = match payment.asked {
            0 => String::new(),
            1 => ", asked once so far".to_owned(),
            asked => format!(", asked {asked} times so far"),
        };
        lines.push(format!(
            "The provider is asked {when}{times}. Sooner: tulbur payments retry {}",
            payment.id
        ));
    } else if payment.status.is_open() {
        lines.push(format!(
            "Nobody asks about it any more. Look it up at the provider, then: tulbur payments resolve {} --happened \
             --by NAME, or --never",
            payment.id
        ));
    }
    for operation in operations.iter().filter(|operation| operation.is_unresolved()) {
        let (kind, reference) = (operation.kind, &operation.operation_ref);
        lines.push(match operation.state {
            OperationState::Unknown => format!(
                "Its {kind} {reference} may have happened. It is never sent again by itself. Look it up at the provider, \
                 then: tulbur payments resolve {reference} --happened --by NAME, or --never"
            ),
            OperationState::Accepted => {
                format!("The provider took its {kind} {reference}, and settles it later. It is asked about.")
            }
            _ => format!("Its {kind} {reference} is under way."),
        });
    }
    lines
}

fn known(payment: &PaymentRecord, operations: &[OperationRecord], wall: Wall, now: Timestamp) -> String {
    let told = operations.iter().any(|one| one.kind == OperationKind::Cancel && one.may_have_happened());
    let watched = if payment.ask_at.is_some() {
        ", and then there is an event"
    } else {
        ", and is asked about no more"
    };
    let by = match payment.ended_by {
        Some(EndedBy::Us) if told => {
            format!(
                "by us; the provider was told, and has not confirmed it, so it may still be paid{watched}"
            )
        }
        Some(EndedBy::Us) => {
            format!("by us; the provider was not asked to, so it may still be paid{watched}")
        }
        Some(EndedBy::Provider) => "by the provider's own word".to_owned(),
        None => String::new(),
    };
    match payment.status {
        Status::Pending => match payment.operation {
            OperationState::Reserved => "It was written down and nothing was sent yet.".into(),
            OperationState::Submitted => "Its request is on the way to the provider.".into(),
            OperationState::Unknown => {
                "It may have been charged: the answer was lost. It is asked about, and never sent again."
                    .into()
            }
            OperationState::Accepted => {
                "The provider took it, and settles it later. It is asked about.".into()
            }
            OperationState::Succeeded | OperationState::Refused => match payment.expires_at {
                Some(end) if end <= now => {
                    format!(
                        "The payer's time ended at {}. It is asked about before it is closed.",
                        wall.time(end)
                    )
                }
                Some(end) => format!("It waits for the payer, until {}.", wall.time(end)),
                None => "It waits for the payer.".into(),
            },
        },
        Status::Authorized => {
            "The money is held and not taken. The application captures it, or lets it go by a void.".into()
        }
        Status::Paid if payment.confirmed => {
            "It is paid, and the provider's answer or an operator's decision has confirmed it.".into()
        }
        Status::Paid if payment.ask_at.is_some() => {
            "It is paid. A question to the provider has not confirmed it yet.".into()
        }
        Status::Paid => {
            "It is paid, by a proof that no question to the provider has confirmed, and none is to come."
                .into()
        }
        Status::Saved => "The card is saved.".into(),
        Status::Declined => "It was declined by the provider's own word.".into(),
        Status::Canceled if payment.operation == OperationState::Refused => {
            "It was never made at the provider: nobody can pay it.".into()
        }
        Status::Canceled => format!("It was given up, {by}."),
        Status::Expired => format!("Its time ran out, {by}."),
    }
}

/// What comes next of the events.
pub(super) fn for_events(events: &[EventDelivery], name: &str, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    let parts = || events.iter().flat_map(|one| one.handlers.iter().map(move |part| (&one.event, part)));
    let parked: BTreeSet<&str> = parts()
        .filter(|(_, part)| part.state == DeliveryState::Parked)
        .map(|(_, part)| part.handler.as_str())
        .collect();
    for handler in parked {
        lines.push(format!(
            "Events were given up, because the application's handler `{handler}` failed every time. Repair it, then: \
             tulbur payments retry {name}"
        ));
    }
    if events.iter().any(|one| one.handlers.is_empty()) {
        lines.push(
            "Events wait, because no handler of the application was registered yet. Does it run on this database?".into(),
        );
    }
    let due = |state| matches!(state, DeliveryState::Due | DeliveryState::Claimed);
    let mut told = BTreeSet::new();
    for (event, part) in parts().filter(|(_, part)| due(part.state)) {
        if !told.insert(&part.handler) {
            continue;
        }
        let (kind, handler) = (&event.kind, &part.handler);
        lines.push(match (part.state, overdue(part.at, now)) {
            (_, Some(late)) => format!(
                "Its event `{kind}` has been due for handler `{handler}` for {}, and nobody delivers it. Does a process \
                 with this handler run on this database?",
                span(late)
            ),
            (DeliveryState::Claimed, None) => format!("Handler `{handler}` is being told of its event `{kind}`."),
            (_, None) if part.attempts == 0 => {
                format!("Its event `{kind}` is about to be delivered to handler `{handler}`.")
            }
            (_, None) => format!(
                "Handler `{handler}` was told of its event `{kind}` {} times, failed, and is told again {}.",
                part.attempts,
                match part.at.map_or(std::time::Duration::ZERO, |at| at.since(now)) {
                    wait if wait.is_zero() => "now".to_owned(),
                    wait => format!("in {}", span(wait)),
                }
            ),
        });
    }
    lines
}
