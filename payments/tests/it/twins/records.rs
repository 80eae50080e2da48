//! Records of numbered names. What a record is called follows from its number and never changes.

use serde_json::{Value, json};
use tulbur_core::{
    AccountName, Channel, Currency, CustomerRef, Flow, MerchantRef, Money, OperationRef, OrderRef,
    PaymentRef, ProviderRef, Timestamp,
};
use tulbur_payments::store::{InboxEntry, Verdict};
use tulbur_payments::{
    AttentionItem, AttentionKind, CardId, CardRecord, Event, EventId, EventKind, HistoryEntry,
    IdempotencyKey, KeyRecord, KeySubject, OperationRecord, OrderRecord, PaymentId, PaymentRecord, Purpose,
    Timing,
};

use super::commands::Subject;

/// When every sequence begins.
pub(super) const START: i64 = 1_800_000_000_000;

// Of either case and with signs between: pages of a list are sorted by bytes, not by a language.
const NAMES: [&str; 7] = ["a", "B", "a-1", "a_1", "A", "b", "ä"];

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(super) fn account(number: usize) -> AccountName {
    AccountName::parse(["bank", "till"][number]).unwrap()
}

pub(super) fn order_ref(number: usize) -> OrderRef {
    OrderRef::parse(format!("order {}", NAMES[number])).unwrap()
}

pub(super) fn payment_id(number: usize) -> PaymentId {
    PaymentId::from_text(format!("payment {}", NAMES[number]))
}

pub(super) fn operation_ref(number: usize) -> OperationRef {
    OperationRef::parse(format!("operation-{number}")).unwrap()
}

pub(super) fn handler(number: usize) -> String {
    ["ship", "Mail", "ledger"][number].to_owned()
}

pub(super) fn key(number: usize) -> IdempotencyKey {
    IdempotencyKey::parse(format!("key {number}")).unwrap()
}

pub(super) fn card_id(number: usize) -> CardId {
    CardId::from_text(format!("card {}", NAMES[number]))
}

pub(super) fn customer(number: usize) -> CustomerRef {
    CustomerRef::parse(format!("customer {number}")).unwrap()
}

pub(super) fn event_id(number: usize) -> EventId {
    EventId::from_text(format!("event {number}"))
}

pub(super) fn item_key(number: usize) -> String {
    format!("item {}", NAMES[number])
}

pub(super) fn repeat_key(number: usize) -> String {
    format!("repeat {number}")
}

pub(super) fn provider_ref(number: usize) -> ProviderRef {
    ProviderRef::parse(format!("provider-{number}")).unwrap()
}

/// The order of a payment; the fifth is a card set-up.
pub(super) fn order_of(payment: usize) -> Option<usize> {
    (payment != 4).then_some(payment % 3)
}

pub(super) fn account_of(payment: usize) -> AccountName {
    account(payment % 2)
}

/// The payment of which this one has a name: two have that of another one, and conflict with it.
pub(super) fn same_names(payment: usize) -> usize {
    match payment {
        5 => 1,
        6 => 0,
        other => other,
    }
}

/// Unique at an account, but for the sixth payment, which has that of the second.
pub(super) fn merchant_ref(payment: usize) -> MerchantRef {
    let of = if payment == 5 { same_names(payment) } else { payment };
    MerchantRef::parse(format!("merchant{of}")).unwrap()
}

/// Unique, but for the seventh payment, which has that of the first.
pub(super) fn secret_hash(payment: usize) -> String {
    let of = if payment == 6 { same_names(payment) } else { payment };
    format!("hash {of}")
}

pub(super) fn payment_of(operation: usize) -> usize {
    operation % 3
}

fn amount() -> Money {
    Money::from_minor(150_000, Currency::MNT)
}

fn record<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a record of this form can be read")
}

pub(super) fn order(number: usize) -> OrderRecord {
    // Some begin at the same moment: then their names decide which is newer.
    let created_at = at(START - 1000 * i64::from(number < 2));
    record(json!({
        "order": order_ref(number), "amount": amount(), "paid_by": null, "taking": null,
        "created_at": created_at, "version": 0,
    }))
}

pub(super) fn payment(number: usize) -> PaymentRecord {
    let purpose = match order_of(number) {
        Some(order) => Purpose::Payment {
            order: order_ref(order),
            amount: amount(),
            save_card_for: None,
            charged_card: None,
        },
        None => Purpose::CardSetup { customer: customer(0) },
    };
    let created_at = at(START - 1000 * i64::from(number < 3));
    record(json!({
        "id": payment_id(number), "purpose": purpose, "account": account_of(number),
        "reference": PaymentRef::new(merchant_ref(number), Some(amount()), Flow::new("page")),
        "description": "Two things", "language": "en", "continue_to": null, "operation": "reserved",
        "status": "pending", "ended_by": null, "next": [], "code": null, "text": null,
        "card": { "masked_number": null, "brand": null, "bank": null }, "saved_card": null,
        "created_at": created_at, "changed_at": created_at, "expires_at": null, "ask_at": null, "asked": 0,
        "confirmed": false, "content": "content", "secret_hash": secret_hash(number),
        "sealed_secret": "sealed", "version": 0,
    }))
}

/// With when the lease of its write ended, which only a stored record says.
pub(super) fn with_write_ends(payment: &PaymentRecord, write_ends: Option<Timestamp>) -> PaymentRecord {
    let mut value = serde_json::to_value(payment).unwrap();
    value["write_ends"] = json!(write_ends);
    record(value)
}

pub(super) fn operation(number: usize) -> OperationRecord {
    let of = payment_of(number);
    let kind = ["refund", "cancel", "capture", "void", "refund"][number];
    let created_at = at(START - 1000 * i64::from(number < 2));
    record(json!({
        "operation_ref": operation_ref(number), "kind": kind, "payment": payment_id(of),
        "account": account_of(of), "order": order_of(of).map(order_ref), "amount": amount(),
        "reason": "it came broken", "state": "reserved", "provider_ref": null, "code": null, "text": null,
        "created_at": created_at, "changed_at": created_at, "lease_until": null, "version": 0,
    }))
}

pub(super) fn subject(of: Subject) -> KeySubject {
    match of {
        Subject::Payment(number) => KeySubject::Payment(payment_id(number)),
        Subject::Operation(number) => KeySubject::Operation(operation_ref(number)),
    }
}

pub(super) fn key_record(number: usize, of: Subject, now: i64) -> KeyRecord {
    KeyRecord { key: key(number), content: format!("content {now}"), subject: subject(of), at: at(now) }
}

pub(super) fn card(number: usize, now: i64) -> CardRecord {
    let card = record(json!({
        "id": card_id(number), "customer": customer(number % 2), "account": account(0),
        "info": { "masked_number": null, "brand": null, "bank": null }, "created_at": at(now),
    }));
    CardRecord { card, sealed_token: format!("sealed {number}") }
}

pub(super) fn event(
    number: usize,
    order: Option<usize>,
    payment: Option<usize>,
    kind: &EventKind,
    now: i64,
) -> Event {
    record(json!({
        "id": event_id(number), "at": at(now), "order": order.map(order_ref),
        "payment": payment.map(payment_id), "kind": kind,
    }))
}

pub(super) fn paid(paid: bool) -> EventKind {
    if paid { EventKind::Paid { amount: amount(), timing: Timing::InTime } } else { EventKind::Canceled }
}

pub(super) fn listed() -> EventKind {
    EventKind::Attention { reason: AttentionKind::AmountMismatch, detail: "found".into() }
}

pub(super) fn item(number: usize, detail: usize, now: i64) -> AttentionItem {
    record(json!({
        "key": item_key(number), "at": at(now), "kind": AttentionKind::AmountMismatch, "account": account(0),
        "order": order_ref(0), "payment": null, "detail": format!("found with event {detail}"),
    }))
}

pub(super) fn history(order: Option<usize>, payment: usize, what: usize, now: i64) -> HistoryEntry {
    record(json!({
        "at": at(now), "order": order.map(order_ref), "payment": payment_id(payment), "source": "query",
        "change": null, "what": format!("line {what}"),
    }))
}

pub(super) fn entry_id(number: usize) -> String {
    format!("delivery {number:03}")
}

pub(super) fn refused(number: usize, of: usize, now: i64) -> InboxEntry {
    InboxEntry {
        id: entry_id(number),
        account: account(of),
        channel: Channel::Return,
        at: at(now),
        repeat_key: entry_id(number),
        meaning: String::new(),
        verdict: Verdict::Refused,
        note: "not genuine".into(),
        payment: None,
        provider_ref: None,
        due_at: None,
        sealed: format!("sealed {number}"),
    }
}
