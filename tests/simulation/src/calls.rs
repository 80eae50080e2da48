//! Makes the calls of the application and of operators, and classifies the answers.
//!
//! Everything that knows the calls of [`Payments`] and their errors is in this file.

use std::sync::Arc;

use tulbur_core::{AccountName, Currency, CustomerRef, Money, OperationState, OrderRef, Outcome, Way};
use tulbur_payments::{
    CapturePayment, CardId, ChargeCard, Error, IdempotencyKey, OpenPayment, OperationRecord, PaymentId,
    PaymentRecord, Payments, RefundPayment, VoidPayment,
};

use crate::fault::Kind;
use crate::notes::{Answer, Said};
use crate::sim::Sim;
use crate::store::may_have_committed;
use crate::story::Call;

/// The customer of all saved cards.
pub(crate) const CUSTOMER: &str = "customer";

/// What a call is about, found out before it begins.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) payment: Option<PaymentId>,
    pub(crate) card: Option<CardId>,
}

fn mnt(minor: i64) -> Money {
    Money::from_minor(minor, Currency::MNT)
}

fn account_of(flow: &str) -> &'static str {
    match flow.as_bytes().first() {
        Some(b's') => "south",
        Some(b'w') => "west",
        _ => "north",
    }
}

/// The label of what a call makes or looks at, and what it does in one word.
pub(crate) fn describe(call: &Call) -> (&str, &'static str) {
    match call {
        Call::Open { label, .. } => (label, "open"),
        Call::Charge { label, .. } => (label, "charge"),
        Call::Capture { label, .. } => (label, "capture"),
        Call::Void { label, .. } => (label, "void"),
        Call::Refund { label, .. } => (label, "refund"),
        Call::Cancel { payment } => (payment, "cancel"),
        Call::Query { payment } => (payment, "query"),
        Call::DeclarePayment { payment, .. } | Call::DeclareOperations { payment, .. } => {
            (payment, "declare")
        }
        Call::Resolve { payment } => (payment, "resolve"),
        Call::Replay { payment } => (payment, "replay"),
        Call::Retry { payment } => (payment, "retry"),
    }
}

/// The label of the payment that a call needs to exist.
pub(crate) fn needs(call: &Call) -> Option<&str> {
    match call {
        Call::Open { .. } | Call::Charge { .. } => None,
        Call::Capture { payment, .. }
        | Call::Void { payment, .. }
        | Call::Refund { payment, .. }
        | Call::Cancel { payment }
        | Call::Query { payment }
        | Call::DeclarePayment { payment, .. }
        | Call::DeclareOperations { payment, .. }
        | Call::Resolve { payment }
        | Call::Replay { payment }
        | Call::Retry { payment } => Some(payment),
    }
}

fn of_payment(payment: &PaymentRecord) -> Answer {
    Answer::Payment {
        status: payment.status.as_str().to_owned(),
        operation: payment.operation.as_str().to_owned(),
        has_next: !payment.next.is_empty(),
    }
}

fn of_operation(operation: &OperationRecord) -> Answer {
    Answer::Operation {
        reference: operation.operation_ref.as_str().to_owned(),
        state: operation.state.as_str().to_owned(),
    }
}

fn of_error(error: &Error) -> Answer {
    match error {
        Error::Provider(error) => match error.outcome() {
            Outcome::Refused => Answer::Refused,
            Outcome::NoEffect => Answer::Nothing(error.to_string()),
            Outcome::Unknown => Answer::Unknown(error.to_string()),
        },
        Error::Store(error) if may_have_committed(error) => Answer::Unknown(error.to_string()),
        Error::Store(error) => Answer::Nothing(error.to_string()),
        Error::Conflict { .. } => Answer::Conflict(error.to_string()),
        Error::NotFound(_) => Answer::Missing(error.to_string()),
        other => Answer::Unknown(other.to_string()),
    }
}

/// Makes a call, and returns what came of it.
pub(crate) async fn make(sim: Arc<Sim>, payments: Payments, call: Call, target: Target) -> Answer {
    match perform(&sim, &payments, &call, &target).await {
        Ok(answer) => answer,
        Err(error) => of_error(&error),
    }
}

async fn perform(
    sim: &Arc<Sim>,
    payments: &Payments,
    call: &Call,
    target: &Target,
) -> tulbur_payments::Result<Answer> {
    let key = |label: &str| IdempotencyKey::parse(label).expect("a label is a key");
    let order_of = |order: &str| OrderRef::parse(order).expect("an order's name");
    match call {
        Call::Open { order, flow, amount, label, keyed } => {
            let account = AccountName::parse(account_of(flow)).expect("an account's name");
            let mut open = OpenPayment::new(order_of(order), account, mnt(*amount), label.clone());
            open.language = tulbur_core::Language::default();
            if flow.ends_with("hold") {
                open = open.capture_later();
            }
            if flow == "link" {
                open = open.way(Way::App);
            }
            if *keyed {
                open = open.key(key(label));
            }
            Ok(of_payment(&payments.open(open).await?))
        }
        Call::Charge { order, amount, label, keyed, .. } => {
            let Some(card) = target.card.clone() else { return Ok(Answer::NotMade) };
            let customer = CustomerRef::parse(CUSTOMER).expect("a customer's name");
            let mut charge = ChargeCard::new(order_of(order), customer, card, mnt(*amount), label.clone());
            if *keyed {
                charge = charge.key(key(label));
            }
            Ok(of_payment(&payments.charge(charge).await?))
        }
        _ => {
            let Some(payment) = target.payment.clone() else { return Ok(Answer::NotMade) };
            about(sim, payments, call, payment).await
        }
    }
}

/// A call about a payment that exists.
async fn about(
    sim: &Arc<Sim>,
    payments: &Payments,
    call: &Call,
    payment: PaymentId,
) -> tulbur_payments::Result<Answer> {
    let key = |label: &str| IdempotencyKey::parse(label).expect("a label is a key");
    Ok(match call {
        Call::Capture { amount, label, .. } => {
            let mut capture = CapturePayment::new(payment).key(key(label));
            if let Some(amount) = amount {
                capture = capture.amount(mnt(*amount));
            }
            of_operation(payments.capture(capture).await?.record())
        }
        Call::Void { label, .. } => {
            let void = VoidPayment::new(payment, label.clone()).key(key(label));
            of_operation(payments.void(void).await?.record())
        }
        Call::Refund { amount, label, .. } => {
            let mut refund = RefundPayment::new(payment, label.clone()).key(key(label));
            if let Some(amount) = amount {
                refund = refund.amount(mnt(*amount));
            }
            of_operation(payments.refund(refund).await?.record())
        }
        Call::Cancel { .. } => of_payment(&payments.cancel(&payment).await?),
        Call::DeclarePayment { paid, .. } => {
            let record = payments.declare_payment(&payment, *paid, "a person").await?;
            said(sim, &payment, None, *paid);
            of_payment(&record)
        }
        Call::DeclareOperations { happened, .. } => {
            for operation in payments.operations(&payment).await? {
                if operation.state == OperationState::Unknown {
                    payments.declare_operation(&operation.operation_ref, *happened, "a person").await?;
                    said(sim, &payment, Some(operation.operation_ref.as_str()), *happened);
                }
            }
            Answer::Fine
        }
        Call::Resolve { .. } => {
            for item in payments.attention().await? {
                if item.payment.as_ref() == Some(&payment) {
                    match payments.resolve(&item.key, "a person").await {
                        // Nobody knows yet whether money moved.
                        Ok(()) | Err(Error::Conflict { .. }) => {}
                        Err(error) => return Err(error),
                    }
                    sim.world().fault_counts.add(Kind::WrongResolve);
                }
            }
            Answer::Fine
        }
        Call::Replay { .. } => {
            for (entry, _) in payments.inbox(500).await? {
                if entry.payment.as_ref() == Some(&payment) {
                    payments.replay(&entry.id, "a person").await?;
                }
            }
            Answer::Fine
        }
        Call::Retry { .. } => of_payment(&payments.retry(&payment, "a person").await?.0),
        _ => of_payment(&payments.query(&payment).await?),
    })
}

/// Notes what a person said, and whether it is true now.
fn said(sim: &Arc<Sim>, payment: &PaymentId, operation: Option<&str>, happened: bool) {
    let mut world = sim.world();
    let label = world.label_of(payment).unwrap_or("-").to_owned();
    let entry = world.bank.newest(&label);
    let truth = match operation {
        None => entry.is_some_and(|entry| entry.taken() > 0),
        Some(operation) => {
            entry.is_some_and(|entry| entry.requests.iter().any(|one| one.operation == operation))
        }
    };
    if truth != happened {
        world.fault_counts.add(Kind::WrongDeclaration);
    }
    world.notes.said.push(Said {
        payment: payment.as_str().to_owned(),
        operation: operation.map(str::to_owned),
        happened,
    });
}
