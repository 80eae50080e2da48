//! The worlds in which decisions are tried: an order with its payments, and what may come next.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use tulbur_core::{
    AccountName, CardInfo, ChargeRef, Currency, ErrorKind, Flow, FlowEffect, FlowInfo, FlowStart, Language,
    MerchantRef, Money, NotFound, OperationRef, OperationState, OrderRef, Outcome, PaidPart, Payment,
    PaymentRef, Poll, ProofBy, QueryBy, Refund, RefundStatus, Timestamp,
};

use super::{Answer, Fact, Failure, Situation, decide};
use crate::decide::proven::Proven;
use crate::model::event::{EventKind, Source};
use crate::model::operation::{OperationKind, OperationRecord};
use crate::model::record::{OrderRecord, PaymentId, PaymentRecord, Purpose, Status};
use crate::model::schedule::Schedule;
use crate::store::Changes;

const OWNER: &str = "owner";

/// One thing that may come next for one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    Opened,
    Lost,
    Refused,
    Abandoned,
    Says(Source, Status),
    /// A question is answered by what came in parts: hundredths of what was asked for, and whether each went back.
    Came(&'static [(i64, bool)]),
    OtherAmount,
    NotFound,
    CannotAsk,
    GivenUp,
    Hinted,
    Contradicted,
    Later,
    PersonSaysPaid,
    PersonSaysNot,
    Operation(Told),
}

/// What is learnt of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Answered,
    Pending,
    Refused,
    Lost,
    Abandoned,
    AskedAndDone,
    AskedAndNot,
    CannotAsk,
    PersonSaysDone,
    PersonSaysNot,
}

pub(super) const TOLD: [Told; 10] = [
    Told::Answered,
    Told::Pending,
    Told::Refused,
    Told::Lost,
    Told::Abandoned,
    Told::AskedAndDone,
    Told::AskedAndNot,
    Told::CannotAsk,
    Told::PersonSaysDone,
    Told::PersonSaysNot,
];

pub(super) fn moves() -> Vec<Move> {
    let mut all = vec![
        Move::Opened,
        Move::Lost,
        Move::Refused,
        Move::Abandoned,
        Move::OtherAmount,
        Move::NotFound,
        Move::CannotAsk,
        Move::GivenUp,
        Move::Hinted,
        Move::Contradicted,
        Move::Later,
        Move::PersonSaysPaid,
        Move::PersonSaysNot,
    ];
    for source in [Source::Query, Source::Notification] {
        for status in [
            Status::Pending,
            Status::Authorized,
            Status::Paid,
            Status::Declined,
            Status::Canceled,
            Status::Expired,
        ] {
            all.push(Move::Says(source, status));
        }
    }
    all
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) order: OrderRecord,
    pub(super) payments: Vec<PaymentRecord>,
    pub(super) operation: Option<OperationRecord>,
    pub(super) events: Vec<EventKind>,
    /// Payments that something proved to be paid.
    pub(super) proven: HashSet<usize>,
    /// Payments whose request, and the operation's, has been answered: that happens once, however late.
    answered: BTreeSet<usize>,
    operation_answered: bool,
    /// Items for a person that are open.
    pub(super) listed: BTreeSet<String>,
}

pub(super) struct Rules {
    pub(super) flow: FlowInfo,
    pub(super) schedule: Schedule,
}

pub(super) fn rules(effect: FlowEffect, query_by: QueryBy) -> Rules {
    let flow = FlowInfo::new(Flow::new("flow"), FlowStart::Charge, effect, query_by)
        .not_found(NotFound::ProvesAfter(Duration::from_mins(30)))
        .proof(ProofBy::QueryOrSignedIpn)
        .lifetime(Some(Duration::from_mins(10)))
        .poll(Poll { first: Duration::from_secs(30), every: Duration::from_secs(3) });
    Rules { flow, schedule: Schedule::default() }
}

pub(super) fn amount() -> Money {
    Money::from_major(1500, Currency::MNT).expect("it is small")
}

#[expect(clippy::too_many_lines, reason = "a record with all its fields")]
pub(super) fn world(payments: usize, operation: Option<OperationKind>) -> World {
    let now = Timestamp::from_millis(1_800_000_000_000);
    let order = OrderRef::parse("order").expect("it is a name");
    let payments: Vec<_> = (0..payments)
        .map(|number| PaymentRecord {
            id: PaymentId::from_text(format!("payment-{number}")),
            purpose: Purpose::Payment {
                order: order.clone(),
                amount: amount(),
                save_card_for: None,
                charged_card: None,
            },
            account: AccountName::parse("bank").expect("it is a name"),
            reference: PaymentRef::new(
                MerchantRef::parse(format!("reference-{number}")).expect("it is a reference"),
                Some(amount()),
                Flow::new("flow"),
            ),
            description: String::new(),
            language: Language::En,
            continue_to: None,
            operation: if operation.is_some() {
                OperationState::Succeeded
            } else {
                OperationState::Submitted
            },
            lease_until: None,
            status: match operation {
                Some(OperationKind::Refund) => Status::Paid,
                Some(OperationKind::Capture | OperationKind::Void) => Status::Authorized,
                _ => Status::Pending,
            },
            ended_by: None,
            next: Vec::new(),
            code: None,
            text: None,
            card: CardInfo::default(),
            saved_card: None,
            capture: tulbur_core::Capture::Now,
            captured: None,
            capturing: match operation {
                Some(OperationKind::Capture) => Some(amount()),
                _ => None,
            },
            mismatch: None,
            refunded: None,
            paid_at: None,
            created_at: now,
            changed_at: now,
            expires_at: None,
            ask_at: None,
            asked: 0,
            confirmed: false,
            said_paid: false,
            parts: Vec::new(),
            hints: 0,
            waiting_card: None,
            was_held: false,
            overdue: false,
            owner: Some(OWNER.to_owned()),
            write_ends: None,
            revision: 0,
            commit: String::new(),
            content: String::new(),
            secret_hash: String::new(),
            sealed_secret: String::new(),
            version: 1,
        })
        .collect();
    let operation = operation.map(|kind| OperationRecord {
        operation_ref: OperationRef::parse("operation").expect("it is a reference"),
        kind,
        payment: payments[0].id.clone(),
        account: payments[0].account.clone(),
        order: Some(order.clone()),
        amount: matches!(kind, OperationKind::Refund | OperationKind::Capture).then(amount),
        part: None,
        by: None,
        reason: String::new(),
        state: OperationState::Submitted,
        provider_ref: None,
        code: None,
        text: None,
        created_at: now,
        changed_at: now,
        lease_until: None,
        write_ends: None,
        asked: 0,
        owner: Some(OWNER.to_owned()),
        version: 1,
    });
    let refund = operation.as_ref().is_some_and(|operation| operation.kind == OperationKind::Refund);
    let record = OrderRecord {
        order,
        amount: amount(),
        paid_by: refund.then(|| payments[0].id.clone()),
        taking: None,
        created_at: now,
        version: 1,
    };
    World {
        now,
        order: record,
        payments,
        operation,
        events: if refund {
            vec![EventKind::Paid { amount: amount(), timing: crate::model::event::Timing::InTime }]
        } else {
            Vec::new()
        },
        proven: if refund { HashSet::from([0]) } else { HashSet::new() },
        answered: BTreeSet::new(),
        operation_answered: false,
        listed: BTreeSet::new(),
    }
}

pub(super) fn says(source: Source, status: Status, amount: Money, reference: &PaymentRef) -> Proven {
    Proven {
        source,
        status,
        amount: Some(amount),
        captured: None,
        refunded: None,
        parts: Vec::new(),
        reference: Some(reference.clone()),
        code: None,
        text: None,
        card: CardInfo::default(),
        next: Vec::new(),
        asked_on: None,
    }
}

/// What a query says of a payment that comes in parts.
fn came(parts: &[(i64, bool)], reference: &PaymentRef) -> Proven {
    let part = |(number, (share, returned)): (usize, &(i64, bool))| {
        let name = ChargeRef::parse(format!("part-{number}")).expect("it is a name");
        let mut part = PaidPart::new(name, Money::from_minor(amount().minor() * share / 100, Currency::MNT));
        part.returned = *returned;
        part
    };
    let parts = parts.iter().enumerate().map(part).collect();
    let payment = Payment::of_parts(reference.clone(), amount(), parts).expect("they have a sum");
    Proven {
        amount: payment.amount,
        refunded: payment.refunded,
        parts: payment.parts,
        ..says(Source::Query, payment.status.into(), amount(), reference)
    }
}

fn answered(answer: Answer) -> Fact {
    Fact::Answered { owner: OWNER.to_owned(), answer }
}

fn failed(outcome: Outcome) -> Fact {
    let failure = Failure { outcome, why: "why".to_owned(), code: None, text: None };
    Fact::WriteFailed { owner: OWNER.to_owned(), failure }
}

fn fact_of(world: &World, which: usize, next: Move) -> Option<Fact> {
    let payment = &world.payments[which];
    // Also of a request that another process has taken for lost meanwhile.
    let waits = !world.answered.contains(&which) && payment.operation != OperationState::Reserved;
    let why = || String::from("why");
    let proven = |proven| Fact::Proven(Box::new(proven), None);
    Some(match next {
        Move::Opened if waits => answered(Answer::Opened {
            reference: payment.reference.clone(),
            next: vec![tulbur_core::NextAction::Approve],
            expires_at: None,
        }),
        Move::Lost | Move::Refused if waits => {
            failed(if next == Move::Lost { Outcome::Unknown } else { Outcome::Refused })
        }
        Move::Opened | Move::Lost | Move::Refused | Move::Later => return None,
        Move::Abandoned => Fact::Abandoned,
        Move::Says(source, status) => proven(says(source, status, amount(), &payment.reference)),
        Move::Came(parts) => proven(came(parts, &payment.reference)),
        Move::OtherAmount => {
            let other = Money::from_minor(1, Currency::MNT);
            proven(says(Source::Query, Status::Paid, other, &payment.reference))
        }
        Move::NotFound => Fact::NotFound { asked_on: payment.revision },
        Move::CannotAsk => Fact::AskFailed { why: why(), kind: ErrorKind::Unavailable },
        Move::GivenUp => Fact::GivenUp,
        Move::Hinted => Fact::Hinted { source: Source::Notification, what: why() },
        Move::Contradicted => Fact::Contradicted { detail: why() },
        Move::PersonSaysPaid => Fact::Declared { paid: true, by: why() },
        Move::PersonSaysNot => Fact::Declared { paid: false, by: why() },
        Move::Operation(told) => {
            let operation = world.operation.as_ref().filter(|_| which == 0)?;
            let open = !world.operation_answered;
            let stands = |status| says(Source::Answer, status, amount(), &payment.reference);
            let done = match operation.kind {
                OperationKind::Capture | OperationKind::Refund => Status::Paid,
                OperationKind::Void | OperationKind::Cancel => Status::Canceled,
            };
            let answer = answered;
            let stands = |status| Answer::Payment(Box::new(stands(status)));
            match told {
                Told::Answered | Told::Pending if !open => return None,
                Told::Answered | Told::Pending if operation.kind == OperationKind::Refund => {
                    let status =
                        if told == Told::Answered { RefundStatus::Succeeded } else { RefundStatus::Pending };
                    answer(Answer::Refund(Refund::new(amount(), status)))
                }
                Told::Answered => answer(stands(done)),
                Told::Pending => answer(stands(Status::Pending)),
                Told::Refused | Told::Lost if open => {
                    failed(if told == Told::Lost { Outcome::Unknown } else { Outcome::Refused })
                }
                Told::Refused | Told::Lost => return None,
                Told::Abandoned => Fact::Abandoned,
                Told::AskedAndDone | Told::AskedAndNot => {
                    let it_is = told == Told::AskedAndDone;
                    let status = if it_is { done } else { payment.status };
                    let mut proven = says(Source::Query, status, amount(), &payment.reference);
                    proven.refunded =
                        Some(if it_is { amount() } else { Money::from_minor(0, Currency::MNT) });
                    Fact::OperationAsked { answer: Some(Box::new(proven)), others: None }
                }
                Told::CannotAsk => Fact::OperationAsked { answer: None, others: None },
                Told::PersonSaysDone => Fact::OperationDeclared { happened: true, by: why() },
                Told::PersonSaysNot => Fact::OperationDeclared { happened: false, by: why() },
            }
        }
    })
}

/// Commits as a store does.
fn commit(world: &mut World, changes: Changes) {
    for order in changes.orders {
        world.order = order;
    }
    for payment in changes.payments {
        let place = world.payments.iter_mut().find(|other| other.id == payment.id);
        *place.expect("it is one of ours") = payment;
    }
    for operation in changes.operations {
        world.operation = Some(operation);
    }
    for (item, _) in changes.attention {
        world.listed.insert(item.key);
    }
    for (key, _) in changes.resolved {
        world.listed.remove(&key);
    }
    world.events.extend(changes.events.into_iter().map(|event| event.kind));
}

#[expect(clippy::match_same_arms, reason = "each kind of fact has a line of its own")]
pub(super) fn step(rules: &Rules, before: &World, which: usize, next: Move) -> Option<World> {
    let mut after = before.clone();
    if next == Move::Later {
        after.now = after.now.after(Duration::from_mins(40));
        return Some(after);
    }
    let fact = fact_of(before, which, next)?;
    let proves = match &fact {
        Fact::Proven(proven, _) if !proven.parts.is_empty() => {
            let there = proven.parts.iter().filter(|part| !part.returned).map(|part| part.amount.minor());
            there.sum::<i64>() >= amount().minor()
        }
        Fact::Proven(proven, _) => proven.status == Status::Paid && proven.amount == Some(amount()),
        Fact::Declared { paid, .. } => *paid,
        Fact::Answered { answer: Answer::Payment(proven), .. } => proven.status == Status::Paid,
        Fact::OperationAsked { answer: Some(proven), .. } => proven.status == Status::Paid,
        Fact::OperationDeclared { happened, .. } => {
            *happened && before.operation.as_ref().is_some_and(|one| one.kind == OperationKind::Capture)
        }
        _ => false,
    };
    if proves {
        after.proven.insert(which);
    }
    let about_operation = matches!(next, Move::Operation(_));
    let changes = decide(
        &Situation {
            order: Some(&before.order),
            payment: &before.payments[which],
            operation: before.operation.as_ref().filter(|_| about_operation),
            flow: &rules.flow,
            schedule: &rules.schedule,
            confirm_first: false,
            taken: None,
            now: before.now,
            new_id: &|| String::from("id"),
        },
        fact,
    );
    commit(&mut after, changes);
    match next {
        Move::Opened | Move::Lost | Move::Refused => drop(after.answered.insert(which)),
        Move::Operation(Told::Answered | Told::Pending | Told::Refused | Told::Lost) => {
            after.operation_answered = true;
        }
        _ => {}
    }
    Some(after)
}

/// All that a decision looks at.
pub(super) fn key(world: &World) -> String {
    let mut text = format!("{:?} {:?}", world.now, world.order.paid_by);
    for payment in &world.payments {
        // No question is under way, so how often something was learnt says nothing.
        let payment = PaymentRecord { revision: 0, ..payment.clone() };
        text.push_str(&serde_json::to_string(&payment).expect("it is plain"));
    }
    if let Some(operation) = &world.operation {
        text.push_str(&serde_json::to_string(operation).expect("it is plain"));
    }
    let mut events: Vec<&str> = world.events.iter().map(EventKind::name).collect();
    events.sort_unstable();
    format!(
        "{text}{events:?}{}{:?}{}{:?}",
        world.proven.len(),
        world.answered,
        world.operation_answered,
        world.listed
    )
}
