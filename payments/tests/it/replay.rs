//! Tests of the operator's commands that repeat a delivery, a question or an event.

use std::sync::Arc;

use crate::support;
use crate::support::{Bank, SECRET, Shop, TOKEN, Write, sealing_keys};
use tulbur_core::{Channel, CustomerRef, Delivery, OperationState, SecretString};
use tulbur_payments::store::{DeliveryState, InboxEntry, Lists, Outbox, Settle, Verdict};
use tulbur_payments::{
    Error, OpenCardSetup, PaymentRecord, RefundPayment, Replayed, SealingKeys, Source, SqliteStore, Status,
    make_due, resolve_item,
};

async fn store(shop: &Shop) -> SqliteStore {
    SqliteStore::open_with(support::options(&shop.folder.path().join("shop.db"))).await.unwrap()
}

async fn newest(shop: &Shop) -> InboxEntry {
    shop.payments.inbox(1).await.unwrap().remove(0).0
}

async fn lines(shop: &Shop, payment: &PaymentRecord) -> String {
    shop.payments.payment_history(&payment.id).await.unwrap().to_string()
}

/// What a delivery said is not believed a second time either: the provider is asked.
#[tokio::test]
async fn a_replay_is_a_hint_and_the_provider_is_asked() {
    let shop = Shop::open().await;
    let opened = shop.payments.open(shop.request("A", 1500)).await.unwrap();
    let reference = &opened.reference.merchant_ref;
    // The bank answers nothing, so the notification is a contradiction of nothing and not applied by amount.
    shop.bank.lock().unwrap().down = true;
    shop.notify(&Shop::body(reference, "000", "15")).await;
    shop.settle().await;
    let entry = newest(&shop).await;
    assert_eq!(shop.payments.payment(&opened.id).await.unwrap().status, Status::Pending);

    shop.bank.lock().unwrap().down = false;
    let replayed = shop.payments.replay(&entry.id, "Saruul").await.unwrap();
    let Replayed::Asked { genuine: true, said, before, payment } = replayed else {
        panic!("it was read when it came: {replayed:?}")
    };
    assert_eq!((before, payment.status), (Status::Pending, Status::Pending), "the bank says that it is open");
    assert!(said.contains("paid") && said.contains("15.00 MNT"), "{said}");
    let history = lines(&shop, &opened).await;
    assert!(history.contains(&format!("Saruul replayed delivery {}", entry.id)), "{history}");

    shop.pay(reference);
    let Replayed::Asked { payment, .. } = shop.payments.replay(&entry.id, "Saruul").await.unwrap() else {
        panic!("it was read when it came")
    };
    assert_eq!((payment.status, payment.confirmed), (Status::Paid, true));
    shop.payments.replay(&entry.id, "Saruul").await.unwrap();
    assert_eq!(shop.kinds("A").await.iter().filter(|kind| **kind == "paid").count(), 1);
}

/// The key was wrong when it came, and is right now.
#[tokio::test]
async fn a_refused_delivery_is_verified_anew() {
    let mut shop = Shop::open().await;
    let opened = shop.payments.open(shop.request("A", 1500)).await.unwrap();
    let body = Shop::body(&opened.reference.merchant_ref, "000", "1500");
    // The checksum is random, so a letter that is to be changed must be one that is surely there.
    let (genuine, last) = body.split_at(body.len() - 1);
    let forged = format!("{genuine}{}", if last == "0" { '1' } else { '0' });
    shop.notify(&forged).await;
    let refused = newest(&shop).await;
    assert_eq!(refused.verdict, Verdict::Refused);
    let Replayed::Refused { why } = shop.payments.replay(&refused.id, "Saruul").await.unwrap() else {
        panic!("it is forged for ever")
    };
    assert!(!why.is_empty() && !why.contains(SECRET));
    assert_eq!(shop.payments.payment(&opened.id).await.unwrap().status, Status::Pending);

    // What a process with another secret refused: the same bytes, kept as refused.
    let mut bank = Bank::with_secret("bank", "another-secret");
    bank.state = Arc::clone(&shop.bank);
    let builder = support::builder(&shop.folder.path().join("shop.db"), &shop.clock).await;
    shop.payments = builder.account(Arc::new(bank)).build().await.unwrap();
    shop.notify(&body).await;
    let refused = newest(&shop).await;
    assert_eq!(refused.verdict, Verdict::Refused);
    assert!(matches!(shop.payments.replay(&refused.id, "S").await.unwrap(), Replayed::Refused { .. }));
    shop.restart().await;
    shop.pay(&opened.reference.merchant_ref);
    let Replayed::Asked { payment, .. } = shop.payments.replay(&refused.id, "S").await.unwrap() else {
        panic!("the secret is right now")
    };
    assert_eq!(payment.status, Status::Paid);
    // The provider's repeat of it is a first delivery, not a repeat of a replay.
    shop.notify(&body).await;
    assert_eq!(newest(&shop).await.verdict, Verdict::Accepted);
}

#[tokio::test]
async fn what_cannot_be_replayed_says_why() {
    let shop = Shop::open().await;
    let missing = shop.payments.replay("nothing", "S").await.unwrap_err();
    assert!(matches!(missing, Error::NotFound(_)), "{missing}");

    shop.notify(&"x".repeat(5000)).await;
    let cut = shop.payments.replay(&newest(&shop).await.id, "S").await.unwrap_err();
    assert!(cut.to_string().contains("5000 bytes only 4096"), "{cut}");

    let stranger = tulbur_core::MerchantRef::parse("0".repeat(32)).unwrap();
    shop.notify(&Shop::body(&stranger, "000", "7")).await;
    let unknown = shop.payments.replay(&newest(&shop).await.id, "S").await.unwrap();
    assert!(matches!(unknown, Replayed::UnknownPayment { .. }), "{unknown:?}");
}

/// A payer's return proves nothing, and its replay neither.
#[tokio::test]
async fn a_replayed_return_only_makes_us_ask() {
    let shop = Shop::open().await;
    let opened = shop.payments.open(shop.request("A", 1500)).await.unwrap();
    let secret = shop.payments.page_secret(&opened).unwrap();
    let query = format!("ref={}&code=000", opened.reference.merchant_ref);
    let delivery =
        Delivery { channel: Channel::Return, method: "GET", query: Some(&query), headers: &[], body: b"" };
    shop.payments.returned("bank", &secret, delivery).await.unwrap();
    shop.settle().await;
    let queries = shop.bank.lock().unwrap().queries;
    let Replayed::Asked { payment, .. } = shop.payments.replay(&newest(&shop).await.id, "S").await.unwrap()
    else {
        panic!("it was read when it came")
    };
    assert_eq!(payment.status, Status::Pending);
    assert_eq!(shop.bank.lock().unwrap().queries, queries + 1);
}

#[tokio::test]
async fn a_delivery_is_shown_without_secrets_and_only_with_its_key() {
    let shop = Shop::open().await;
    let opened = shop.payments.open(shop.request("A", 1500)).await.unwrap();
    let reference = opened.reference.merchant_ref.as_str();
    let query = format!("ref={reference}&code=000&token={TOKEN}&card=4111111111111111&name=Bat");
    let secret = shop.payments.page_secret(&opened).unwrap();
    let headers = [("X-Signature".to_owned(), "planted-signature".to_owned())];
    let delivery = Delivery {
        channel: Channel::Return,
        method: "GET",
        query: Some(&query),
        headers: &headers,
        body: b"",
    };
    shop.payments.returned("bank", &secret, delivery).await.unwrap();
    let entry = newest(&shop).await;
    let shown = sealing_keys().show_delivery(&entry, &[]).unwrap();
    let field = |name: &str| shown.query.iter().find(|field| field.name == name).unwrap();
    assert_eq!(field("ref").value.as_deref(), Some(reference));
    assert_eq!(field("code").value.as_deref(), Some("000"));
    assert_eq!(shown.headers[0].name, "X-Signature");
    let text = format!("{shown:?}");
    for planted in [TOKEN, "4111111111111111", "Bat", "planted-signature"] {
        assert!(!text.contains(planted), "{text}");
    }
    let other = SecretString::from("cGxhbnRlZC1zZWFsaW5nLWtleS0wMTIzNDU2Nzg5QUI=");
    let other = SealingKeys::new([("other", &other)]).unwrap();
    let missing = other.show_delivery(&entry, &[]).unwrap_err().to_string();
    assert!(missing.contains("`test` is not configured"), "{missing}");
}

/// Without accounts: the database says that it is due, and whoever runs on it does the work.
#[tokio::test]
async fn what_is_made_due_is_done_by_whoever_runs() {
    let shop = Shop::open().await;
    let opened = shop.payments.open(shop.request("A", 1500)).await.unwrap();
    shop.pay(&opened.reference.merchant_ref);
    shop.work().await;
    let store = store(&shop).await;
    let paid = shop.payments.payment(&opened.id).await.unwrap();
    assert_eq!(paid.status, Status::Pending, "its time has not come");
    let due = make_due(&store, &opened.id, "Saruul", shop.payments.now()).await.unwrap();
    assert_eq!((due.operations, due.events), (0, 0));
    shop.work().await;
    assert_eq!(shop.payments.payment(&opened.id).await.unwrap().status, Status::Paid);
    assert!(lines(&shop, &opened).await.contains("Saruul asks to look again"));

    // An unknown refund is asked about at once too.
    shop.bank.lock().unwrap().operation = Write::AnswerLost;
    shop.bank.lock().unwrap().tells_refunds = true;
    let refund =
        shop.payments.refund(RefundPayment::new(opened.id.clone(), "broken")).await.unwrap().into_record();
    assert_eq!(refund.state, OperationState::Unknown);
    let names: Vec<_> =
        store.unknown_operations(10).await.unwrap().into_iter().map(|one| one.operation_ref).collect();
    assert_eq!(names, std::slice::from_ref(&refund.operation_ref));
    let due = make_due(&store, &opened.id, "Saruul", shop.payments.now()).await.unwrap();
    assert_eq!(due.operations, 1);
    shop.work().await;
    let state = shop.payments.operation(&refund.operation_ref).await.unwrap().state;
    assert_eq!(state, OperationState::Succeeded);
    assert!(store.unknown_operations(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn retry_asks_in_this_process() {
    let shop = Shop::open().await;
    let opened = shop.payments.open(shop.request("A", 1500)).await.unwrap();
    shop.pay(&opened.reference.merchant_ref);
    let (payment, _) = shop.payments.retry(&opened.id, "Saruul").await.unwrap();
    assert_eq!(payment.status, Status::Paid);
    shop.bank.lock().unwrap().operation = Write::AnswerLost;
    shop.bank.lock().unwrap().tells_refunds = true;
    let refund =
        shop.payments.refund(RefundPayment::new(opened.id.clone(), "broken")).await.unwrap().into_record();
    shop.payments.retry(&opened.id, "Saruul").await.unwrap();
    let state = shop.payments.operation(&refund.operation_ref).await.unwrap().state;
    assert_eq!(state, OperationState::Succeeded);
}

/// A request that may be on its way is not taken for abandoned because somebody was impatient.
#[tokio::test]
async fn a_request_under_way_is_left_alone() {
    let shop = Shop::open().await;
    shop.bank.lock().unwrap().write = Write::Hang;
    let (payments, request) = (shop.payments.clone(), shop.request("A", 1500));
    let opening = tokio::spawn(async move { payments.open(request).await });
    let store = store(&shop).await;
    let payment = loop {
        let order = shop.payments.order(&shop.order("A")).await.unwrap();
        if let Some(payment) = order.and_then(|order| order.payments.into_iter().next())
            && payment.operation == OperationState::Submitted
        {
            break payment;
        }
        tokio::task::yield_now().await;
    };
    let refused = make_due(&store, &payment.id, "S", shop.payments.now()).await.unwrap_err();
    assert!(refused.to_string().contains("under way"), "{refused}");
    shop.bank.lock().unwrap().write = Write::Answer;
    assert_eq!(opening.await.unwrap().unwrap().operation, OperationState::Succeeded);

    shop.bank.lock().unwrap().write = Write::Refuse;
    let _ = shop.payments.open(shop.request("B", 1)).await;
    let never = shop.payments.order(&shop.order("B")).await.unwrap().unwrap().payments.remove(0);
    let refused = make_due(&store, &never.id, "S", shop.payments.now()).await.unwrap_err();
    assert!(refused.to_string().contains("never made it"), "{refused}");

    // Its event can have been given up all the same.
    let (wanted, now) = ([("told".to_owned(), 10)], shop.payments.now());
    shop.payments.register_handlers().await.unwrap();
    for one in store.claim_deliveries(&wanted, "the test", now, now).await.unwrap() {
        store.settle_delivery(&one.claim, Settle::Parked, now).await.unwrap();
    }
    let due = shop.payments.retry(&never.id, "S").await.unwrap().1;
    assert_eq!((due.operations, due.events), (0, 1));
    assert!(store.parked_deliveries(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn events_are_told_with_their_delivery_and_payments_found_by_any_name() {
    let shop = Shop::open().await;
    let opened = shop.payments.open(shop.request("A", 1500)).await.unwrap();
    shop.pay(&opened.reference.merchant_ref);
    shop.payments.retry(&opened.id, "S").await.unwrap();
    let store = store(&shop).await;
    let states = |deliveries: Vec<tulbur_payments::store::EventDelivery>| {
        let parts = |one: &tulbur_payments::store::EventDelivery| {
            one.handlers.iter().map(|part| (part.handler.clone(), part.state)).collect::<Vec<_>>()
        };
        deliveries.iter().map(|one| (one.event.kind.clone(), parts(one))).collect::<Vec<_>>()
    };
    let order = shop.order("A");
    let before = states(store.deliveries(Some(&order), &opened.id).await.unwrap());
    assert_eq!(before, [("paid".to_owned(), vec![])]);
    shop.payments.register_handlers().await.unwrap();
    let registered = states(store.deliveries(Some(&order), &opened.id).await.unwrap());
    assert_eq!(registered, [("paid".to_owned(), vec![("told".to_owned(), DeliveryState::Due)])]);
    shop.work().await;
    let after = states(store.deliveries(Some(&order), &opened.id).await.unwrap());
    assert_eq!(after, [("paid".to_owned(), vec![("told".to_owned(), DeliveryState::Done)])]);

    let provider_ref = opened.reference.provider_ref.as_ref().unwrap().as_str();
    for name in [opened.id.as_str(), opened.reference.merchant_ref.as_str(), provider_ref] {
        let found = store.named(name, 10).await.unwrap();
        assert!(matches!(&found[..], [one] if one.id == opened.id), "{name}: {found:?}");
    }
    assert!(store.named("A", 10).await.unwrap().is_empty());

    let customer = CustomerRef::parse("c-1").unwrap();
    let account = opened.account.clone();
    let setup = shop.payments.save_card(OpenCardSetup::new(customer.clone(), account)).await.unwrap();
    shop.pay(&setup.reference.merchant_ref);
    shop.payments.retry(&setup.id, "S").await.unwrap();
    let saved = states(store.deliveries(None, &setup.id).await.unwrap());
    assert_eq!(saved.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["card-saved"]);
}

#[tokio::test]
async fn who_resolved_an_item_is_in_the_history() {
    let shop = Shop::open().await;
    let first = shop.payments.open(shop.request("A", 1500)).await.unwrap();
    shop.payments.cancel(&first.id).await.unwrap();
    for paid in [&shop.payments.open(shop.request("A", 1500)).await.unwrap(), &first] {
        shop.notify(&Shop::body(&paid.reference.merchant_ref, "000", "1500")).await;
        shop.settle().await;
    }
    let item = shop.payments.attention().await.unwrap().remove(0);
    let store = store(&shop).await;
    resolve_item(&store, &item, "Saruul", shop.payments.now()).await.unwrap();
    assert!(shop.payments.attention().await.unwrap().is_empty());
    let last = shop.payments.payment_history(&first.id).await.unwrap().0.pop().unwrap();
    assert_eq!((last.source, last.what.as_str()), (Source::Person, "Saruul resolved `paid-again`"));
    assert!(resolve_item(&store, &item, "Saruul", shop.payments.now()).await.is_err());
}

#[tokio::test]
async fn what_may_have_moved_money_is_decided_and_not_taken_off_the_list() {
    let shop = Shop::open().await;
    let opened = shop.payments.open(shop.request("A", 1500)).await.unwrap();
    shop.notify(&Shop::body(&opened.reference.merchant_ref, "000", "7")).await;
    shop.settle().await;
    let item = shop.payments.attention().await.unwrap().remove(0);
    let history = shop.payments.payment_history(&opened.id).await.unwrap().0;
    let refused = shop.payments.resolve(&item.key, "Saruul").await.unwrap_err();
    assert!(matches!(refused, Error::Conflict { .. }), "{refused}");
    assert_eq!(shop.payments.attention().await.unwrap(), [item]);
    assert_eq!(shop.payments.payment_history(&opened.id).await.unwrap().0, history, "nothing was changed");

    let paid = shop.payments.declare_payment(&opened.id, true, "Saruul").await.unwrap();
    assert_eq!(paid.status, Status::Paid);
    assert_eq!(paid.taken().unwrap().to_string(), "7.00 MNT", "what was paid, not what was asked for");
    assert!(shop.payments.attention().await.unwrap().is_empty(), "the decision resolved it");
}
