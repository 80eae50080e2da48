//! Records to store.

use tulbur_core::{
    AccountName, Capture, CardInfo, Channel, Currency, CustomerRef, Flow, Language, MerchantRef, Money,
    OperationRef, OperationState, OrderRef, PaymentRef, ProviderRef, Timestamp,
};

use crate::model::event::{AttentionItem, AttentionKind, Event, EventKind, HistoryEntry, Source, Timing};
use crate::model::operation::{IdempotencyKey, KeyRecord, KeySubject, OperationKind, OperationRecord};
use crate::model::record::{
    Card, CardId, CardRecord, EventId, OrderRecord, PaymentId, PaymentRecord, Purpose, Status,
};
use crate::store::{Changes, InboxEntry, Verdict};

/// The time at which all checks begin.
pub(super) const START: i64 = 1_800_000_000_000;

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(START + seconds * 1000)
}

pub(super) fn account(name: &str) -> AccountName {
    AccountName::parse(name).expect("the suite's names are well formed")
}

pub(super) fn order_ref(name: &str) -> OrderRef {
    OrderRef::parse(name).expect("the suite's names are well formed")
}

pub(super) fn amount() -> Money {
    Money::from_minor(150_000, Currency::MNT)
}

pub(super) fn order(name: &str) -> OrderRecord {
    OrderRecord {
        order: order_ref(name),
        amount: amount(),
        paid_by: None,
        taking: None,
        created_at: at(0),
        version: 0,
    }
}

pub(super) fn payment_id(name: &str) -> PaymentId {
    PaymentId::from_text(format!("payment-{name}"))
}

/// A new payment of an order of that name, open and asked about in ten seconds.
pub(super) fn payment(name: &str, of: &str) -> PaymentRecord {
    let merchant_ref =
        MerchantRef::parse(format!("merchant{name}")).expect("the suite's names are well formed");
    let provider_ref =
        ProviderRef::parse(format!("provider-{name}")).expect("the suite's names are well formed");
    PaymentRecord {
        id: payment_id(name),
        purpose: Purpose::Payment {
            order: order_ref(of),
            amount: amount(),
            save_card_for: None,
            charged_card: None,
        },
        account: account("bank"),
        reference: PaymentRef::new(merchant_ref, Some(amount()), Flow::new("page"))
            .with_provider_ref(provider_ref),
        description: "Two things".into(),
        language: Language::En,
        continue_to: None,
        operation: OperationState::Succeeded,
        status: Status::Pending,
        ended_by: None,
        next: Vec::new(),
        code: None,
        text: None,
        card: CardInfo::default(),
        saved_card: None,
        capture: Capture::Now,
        captured: None,
        capturing: None,
        mismatch: None,
        said_paid: false,
        parts: Vec::new(),
        hints: 0,
        waiting_card: None,
        was_held: false,
        overdue: false,
        lease_until: None,
        owner: None,
        write_ends: None,
        revision: 0,
        commit: String::new(),
        refunded: None,
        paid_at: None,
        created_at: at(0),
        changed_at: at(0),
        expires_at: None,
        ask_at: Some(at(10)),
        asked: 0,
        confirmed: false,
        content: "content".into(),
        secret_hash: format!("hash-{name}"),
        sealed_secret: "sealed".into(),
        version: 0,
    }
}

/// An order and its payment, both of this name.
pub(super) fn opened(name: &str) -> Changes {
    Changes { orders: vec![order(name)], payments: vec![payment(name, name)], ..Changes::default() }
}

pub(super) fn operation(name: &str, of: &str) -> OperationRecord {
    OperationRecord {
        operation_ref: operation_ref(name),
        kind: OperationKind::Refund,
        payment: payment_id(of),
        account: account("bank"),
        order: Some(order_ref(of)),
        amount: Some(amount()),
        part: None,
        by: None,
        reason: "it came broken".into(),
        state: OperationState::Reserved,
        provider_ref: None,
        code: None,
        text: None,
        created_at: at(1),
        changed_at: at(1),
        write_ends: None,
        asked: 0,
        owner: None,
        lease_until: Some(at(10)),
        version: 0,
    }
}

pub(super) fn operation_ref(name: &str) -> OperationRef {
    OperationRef::parse(format!("operation-{name}")).expect("the suite's names are well formed")
}

pub(super) fn key(name: &str) -> KeyRecord {
    KeyRecord {
        key: IdempotencyKey::parse(name).expect("the suite's names are well formed"),
        content: format!("content of {name}"),
        subject: KeySubject::Payment(payment_id(name)),
        at: at(0),
    }
}

pub(super) fn customer(name: &str) -> CustomerRef {
    CustomerRef::parse(name).expect("the suite's names are well formed")
}

pub(super) fn card(name: &str, of: &str, seconds: i64) -> CardRecord {
    CardRecord {
        card: Card {
            id: CardId::from_text(format!("card-{name}")),
            customer: customer(of),
            account: account("bank"),
            info: CardInfo::default(),
            created_at: at(seconds),
        },
        sealed_token: format!("sealed {name}"),
    }
}

/// An event of an order that says nothing but its name.
pub(super) fn event(name: &str, of: &str) -> Event {
    Event {
        id: EventId::from_text(format!("event-{name}")),
        at: at(0),
        order: Some(order_ref(of)),
        payment: Some(payment_id(of)),
        kind: EventKind::Canceled,
    }
}

pub(super) fn paid_event(name: &str, of: &str) -> Event {
    Event { kind: EventKind::Paid { amount: amount(), timing: Timing::InTime }, ..event(name, of) }
}

pub(super) fn history(of: &str, what: &str) -> HistoryEntry {
    HistoryEntry {
        at: at(0),
        order: Some(order_ref(of)),
        payment: payment_id(of),
        source: Source::Query,
        change: Some((Status::Pending, Status::Paid)),
        what: what.into(),
    }
}

pub(super) fn attention(key: &str, event_name: &str) -> (AttentionItem, Event) {
    let item = AttentionItem {
        key: key.into(),
        at: at(0),
        kind: AttentionKind::AmountMismatch,
        account: Some(account("bank")),
        order: Some(order_ref("of-attention")),
        payment: None,
        detail: format!("found with {event_name}"),
    };
    let kind = EventKind::Attention {
        reason: AttentionKind::AmountMismatch,
        detail: format!("found with {event_name}"),
    };
    (item, Event { kind, payment: None, ..event(event_name, "of-attention") })
}

pub(super) fn delivery(id: &str, repeat_key: &str, meaning: &str, verdict: Verdict) -> InboxEntry {
    InboxEntry {
        id: format!("delivery-{id}"),
        account: account("bank"),
        channel: Channel::Notify,
        at: at(0),
        repeat_key: repeat_key.into(),
        meaning: meaning.into(),
        verdict,
        note: "says paid".into(),
        payment: None,
        provider_ref: None,
        due_at: None,
        sealed: format!("sealed {id}"),
    }
}
