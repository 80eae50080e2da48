//! What is known of a payment, what is waited for, and what a person can do.

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
    let strike = format!("tulbur payments resolve {} --done --by NAME", item.key);
    match item.kind {
        AttentionKind::AmountMismatch => format!(
            "The order is not paid here. Look the payment up at the provider. If the money is there, refund it or \
             deliver by hand; then find out why the amount differs. Then: {strike}"
        ),
        AttentionKind::PaidAgain => format!(
            "The customer paid twice. Give this payment back: tulbur payments refund {payment} --reason \"paid twice\" \
             --key paid-twice-{payment}; a whole refund strikes the item off. If you refund at the provider by hand: \
             {strike}"
        ),
        AttentionKind::UnknownPayment => format!(
            "Does another system use this account, or was the database restored from an old copy? If the money \
             belongs to a payment that was lost with a database, deliver or refund by hand. Then: {strike}"
        ),
        AttentionKind::Contradiction => format!(
            "The provider is asked which is right. If the payment ended up right (tulbur payments show {payment}), \
             strike it off: {strike}. If it stays open, ask the provider's people"
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
             Then: {strike}"
        ),
        AttentionKind::Unproven => format!(
            "Look it up at the provider, then say what you found: tulbur payments resolve {payment} --happened --by \
             NAME, or --never; and strike the item off: {strike}"
        ),
        _ => format!("Look at its history (tulbur payments show {payment}). Then: {strike}"),
    }
}

/// What matters of a payment, in a few words.
pub(super) fn in_short(payment: &PaymentRecord, now: Timestamp) -> String {
    let mut words = Vec::new();
    if payment.status.is_open() {
        match payment.operation {
            OperationState::Unknown => words.push("may have been charged".to_owned()),
            OperationState::Reserved | OperationState::Submitted => words.push("being opened".to_owned()),
            OperationState::Succeeded | OperationState::Refused => {}
        }
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
    let mut lines = vec![known(payment, operations, wall)];
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
            _ => format!("Its {kind} {reference} is under way."),
        });
    }
    lines
}

fn known(payment: &PaymentRecord, operations: &[OperationRecord], wall: Wall) -> String {
    let told = operations.iter().any(|one| one.kind == OperationKind::Cancel && one.may_have_happened());
    let by = match payment.ended_by {
        Some(EndedBy::Us) if told => {
            "by us; the provider was told, and has not confirmed it, so it may still be paid, and then there is an event"
        }
        Some(EndedBy::Us) => {
            "by us; the provider was not asked to, so it may still be paid, and then there is an event"
        }
        Some(EndedBy::Provider) => "by the provider's own word",
        None => "",
    };
    match payment.status {
        Status::Pending => match payment.operation {
            OperationState::Reserved => "It was written down and nothing was sent yet.".into(),
            OperationState::Submitted => "Its request is on the way to the provider.".into(),
            OperationState::Unknown => {
                "It may have been charged: the answer was lost. It is asked about, and never sent again."
                    .into()
            }
            OperationState::Succeeded | OperationState::Refused => match payment.expires_at {
                Some(end) => format!("It waits for the payer, until {}.", wall.time(end)),
                None => "It waits for the payer.".into(),
            },
        },
        Status::Authorized => {
            "The money is held and not taken. The application captures it, or lets it go by a void.".into()
        }
        Status::Paid if payment.confirmed => "It is paid, and the provider has confirmed it.".into(),
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
pub(super) fn for_events(deliveries: &[EventDelivery], name: &str, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    let parked = deliveries.iter().filter(|one| one.state == DeliveryState::Parked).count();
    if parked > 0 {
        lines.push(format!(
            "{parked} of its events were given up, because a handler of the application failed every time. Repair it, \
             then: tulbur payments retry {name}"
        ));
    }
    let waiting = deliveries.iter().find(|one| one.state == DeliveryState::Pending);
    if let Some(waiting) = waiting {
        let kind = waiting.event.kind.name();
        lines.push(match overdue(Some(waiting.due_at), now) {
            Some(late) => format!(
                "Its event `{kind}` has been due for {}, and nobody delivers it. Is the application running on this \
                 database?",
                span(late)
            ),
            None if waiting.attempts == 0 => format!("Its event `{kind}` is about to be delivered."),
            None => format!(
                "Its event `{kind}` was tried {} times and is tried again {}.",
                waiting.attempts,
                match waiting.due_at.since(now) {
                    wait if wait.is_zero() => "now".to_owned(),
                    wait => format!("in {}", span(wait)),
                }
            ),
        });
    }
    lines
}
