//! The promises of `tulbur_payments`, each tried against a bank whose every answer the test decides.

use std::sync::Arc;
use std::time::Duration;

use crate::support;
use crate::support::cards::{charge, saved_card};
use crate::support::{SECRET, Shop, TOKEN, Write, mnt};
use tulbur_core::{Channel, CustomerRef, Delivery, MerchantRef, OperationState, PaymentStatus, Way};
use tulbur_payments::{AttentionKind, EndedBy, Error, EventKind, NotifyTarget, Status, Timing};

fn reference(record: &tulbur_payments::PaymentRecord) -> MerchantRef {
    record.reference.merchant_ref.clone()
}

#[tokio::test]
async fn a_payment_is_opened_notified_and_paid_once() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    assert_eq!((payment.status, payment.operation), (Status::Pending, OperationState::Succeeded));
    assert_eq!(payment.next.len(), 1);
    shop.pay(&reference(&payment));
    let body = Shop::body(&reference(&payment), "000", "1500.00");
    assert_eq!(shop.notify(&body).await.body, "accepted");
    for _ in 0..5 {
        assert_eq!(shop.notify(&body).await.body, "repeat");
    }
    shop.work_for_days().await;
    assert_eq!(shop.kinds("1").await, ["paid"]);
    let order = shop.payments.order(&shop.order("1")).await.unwrap().unwrap();
    assert_eq!(order.record.paid_by, Some(payment.id.clone()));
    assert!(order.payments[0].confirmed, "a signed notification is confirmed by a query all the same");
    let told = shop.told.0.lock().unwrap().clone();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].kind, EventKind::Paid { amount: mnt(1500), timing: Timing::InTime });
    assert!(shop.payments.attention().await.unwrap().is_empty());
}

#[tokio::test]
async fn without_any_notification_it_is_asked_about_and_paid() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    shop.pay(&reference(&payment));
    shop.clock.advance(Duration::from_mins(1));
    shop.work().await;
    assert_eq!(shop.kinds("1").await, ["paid"]);
    assert_eq!(shop.payments.payment(&payment.id).await.unwrap().ask_at, None, "nothing is left to ask");
}

#[tokio::test]
async fn the_same_order_opened_again_is_the_same_payment() {
    let shop = Shop::open().await;
    let (one, two) = tokio::join!(
        shop.payments.open(shop.request("1", 1500)),
        shop.payments.open(shop.request("1", 1500))
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.id, two.id);
    assert_eq!((one.next.len(), two.next.len()), (1, 1), "both can go on");
    assert_eq!(shop.bank.lock().unwrap().creates, 1);
    let dearer = shop.payments.open(shop.request("1", 1600)).await.unwrap_err();
    assert!(matches!(&dearer, Error::Conflict { reason, .. } if reason.contains("1500.00 MNT")), "{dearer}");
    let mut other = shop.request("1", 1500);
    other.description = "Three things".into();
    assert!(matches!(shop.payments.open(other).await, Err(Error::Conflict { .. })));
}

#[tokio::test]
async fn a_paid_order_cannot_be_opened_again() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    shop.pay(&reference(&payment));
    shop.payments.query(&payment.id).await.unwrap();
    let error = shop.payments.open(shop.request("1", 1500)).await.unwrap_err();
    assert!(error.to_string().contains("paid already"), "{error}");
}

#[tokio::test]
async fn a_second_payment_of_an_order_is_paid_again_and_listed() {
    let shop = Shop::open().await;
    let first = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    let given_up = shop.payments.cancel(&first.id).await.unwrap();
    assert_eq!((given_up.status, given_up.ended_by), (Status::Canceled, Some(EndedBy::Us)));
    let second = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    assert_ne!(first.id, second.id);
    shop.pay(&reference(&second));
    shop.payments.query(&second.id).await.unwrap();
    shop.pay(&reference(&first));
    shop.notify(&Shop::body(&reference(&first), "000", "1500")).await;
    shop.work_for_days().await;
    assert_eq!(shop.kinds("1").await, ["canceled", "paid", "paid-again", "attention"]);
    let attention = shop.payments.attention().await.unwrap();
    assert_eq!(attention.len(), 1);
    assert_eq!(attention[0].kind, AttentionKind::PaidAgain);
    shop.payments.resolve(&attention[0].key, "S").await.unwrap();
    assert!(shop.payments.attention().await.unwrap().is_empty());
    assert!(shop.payments.resolve(&attention[0].key, "S").await.is_err());
}

#[tokio::test]
async fn late_money_is_paid_and_says_so() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    shop.clock.advance(Duration::from_mins(16));
    shop.work().await;
    let expired = shop.payments.payment(&payment.id).await.unwrap();
    assert_eq!((expired.status, expired.ended_by), (Status::Expired, Some(EndedBy::Us)));
    shop.pay(&reference(&payment));
    shop.clock.advance(Duration::from_hours(2));
    shop.work().await;
    let events = shop.payments.events(&shop.order("1")).await.unwrap();
    let late = EventKind::Paid { amount: mnt(1500), timing: Timing::After(Status::Expired) };
    assert_eq!(events.iter().map(|e| e.kind.clone()).collect::<Vec<_>>(), [EventKind::Expired, late]);
}

#[tokio::test]
async fn nothing_expires_while_the_bank_cannot_be_asked() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    shop.bank.lock().unwrap().down = true;
    shop.clock.advance(Duration::from_hours(5));
    shop.work().await;
    assert_eq!(shop.payments.payment(&payment.id).await.unwrap().status, Status::Pending);
    shop.bank.lock().unwrap().down = false;
    shop.pay(&reference(&payment));
    shop.clock.advance(Duration::from_hours(1));
    shop.work().await;
    assert_eq!(shop.kinds("1").await, ["paid"]);
}

#[tokio::test]
async fn a_return_is_no_proof_and_a_thousand_ask_a_few_times() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    let secret = shop.payments.page_secret(&payment).unwrap();
    let query = format!("ref={}&code=000", payment.reference.merchant_ref);
    let delivery =
        Delivery { channel: Channel::Return, method: "GET", query: Some(&query), headers: &[], body: b"" };
    let mut calls = Vec::new();
    for _ in 0..1000 {
        calls.push(shop.payments.returned("bank", &secret, delivery));
    }
    for call in futures_util::future::join_all(calls).await {
        assert_eq!(call.unwrap().status, Status::Pending);
    }
    shop.settle().await;
    shop.work().await;
    assert!(shop.kinds("1").await.is_empty());
    let asked = shop.bank.lock().unwrap().queries;
    assert!((1..=3).contains(&asked), "a thousand returns asked {asked} times");
    // Spread over ten minutes, they are still spaced ever wider.
    for _ in 0..60 {
        shop.clock.advance(Duration::from_secs(5));
        shop.payments.returned("bank", &secret, delivery).await.unwrap();
        shop.settle().await;
    }
    let asked = shop.bank.lock().unwrap().queries;
    assert!(asked <= 12, "sixty returns in five minutes asked {asked} times in all");
}

#[tokio::test]
async fn a_return_about_another_payment_is_refused() {
    let shop = Shop::open().await;
    let one = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    let two = shop.payments.open(shop.request("2", 1500)).await.unwrap();
    let secret = shop.payments.page_secret(&one).unwrap();
    let query = format!("ref={}&code=000", two.reference.merchant_ref);
    let delivery =
        Delivery { channel: Channel::Return, method: "GET", query: Some(&query), headers: &[], body: b"" };
    let error = shop.payments.returned("bank", &secret, delivery).await.unwrap_err();
    assert!(error.to_string().contains("another payment"), "{error}");
    assert!(shop.payments.returned("other", &secret, delivery).await.is_err());
    assert_eq!(shop.bank.lock().unwrap().queries, 0);
}

#[tokio::test]
async fn another_amount_moves_nothing_and_is_listed() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    assert_eq!(shop.notify(&Shop::body(&reference(&payment), "000", "15.00")).await.status, 200);
    shop.entry(&reference(&payment), |entry| {
        entry.status = PaymentStatus::Paid;
        entry.amount = Some(mnt(15));
    });
    shop.work_for_days().await;
    assert_eq!(shop.payments.payment(&payment.id).await.unwrap().status, Status::Pending);
    let kinds: Vec<_> = shop.payments.attention().await.unwrap().iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [AttentionKind::AmountMismatch], "told once, however often it is asked");
    assert!(!shop.kinds("1").await.contains(&"paid"));
}

#[tokio::test]
async fn equal_decimals_are_the_same_amount() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    shop.notify(&Shop::body(&reference(&payment), "000", "1500")).await;
    assert_eq!(shop.payments.payment(&payment.id).await.unwrap().status, Status::Paid);
}

#[tokio::test]
async fn what_is_not_genuine_changes_nothing_and_is_bounded() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    let good = Shop::body(&reference(&payment), "000", "1500.00");
    for byte in 0..good.len() {
        let mut bad = good.clone().into_bytes();
        bad[byte] ^= 1;
        let delivery =
            Delivery { channel: Channel::Notify, method: "POST", query: None, headers: &[], body: &bad };
        let reply = shop.payments.notify(NotifyTarget::Name("bank"), delivery).await;
        assert_eq!(reply.status, 400, "byte {byte}");
    }
    for _ in 0..150 {
        shop.notify(&"nonsense ".repeat(5000)).await;
    }
    let kept = shop.payments.inbox(10_000).await.unwrap();
    assert_eq!(kept.len(), 200, "as many as are kept, of {} and more", good.len() + 150);
    assert!(kept.iter().all(|(entry, _)| entry.verdict == tulbur_payments::store::Verdict::Refused));
    assert!(kept.iter().all(|(entry, _)| entry.sealed.len() < 10_000), "and not whole");
    shop.work().await;
    assert_eq!(shop.payments.payment(&payment.id).await.unwrap().status, Status::Pending);
    assert_eq!(shop.bank.lock().unwrap().queries, 0);
    let delivery =
        Delivery { channel: Channel::Notify, method: "POST", query: None, headers: &[], body: b"x" };
    assert_eq!(shop.payments.notify(NotifyTarget::Name("nobody"), delivery).await.status, 400);
}

#[tokio::test]
async fn a_notification_about_nothing_of_ours_is_kept_and_listed_once() {
    let shop = Shop::open().await;
    let stranger = MerchantRef::parse("f".repeat(32)).unwrap();
    for _ in 0..3 {
        assert_eq!(shop.notify(&Shop::body(&stranger, "000", "1500.00")).await.body, "unknown");
    }
    let attention = shop.payments.attention().await.unwrap();
    assert_eq!(attention.iter().map(|item| item.kind).collect::<Vec<_>>(), [AttentionKind::UnknownPayment]);
}

#[tokio::test]
async fn a_contradiction_is_flagged_not_applied_and_asked_about() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    shop.notify(&Shop::body(&reference(&payment), "300", "1500.00")).await;
    assert_eq!(shop.payments.payment(&payment.id).await.unwrap().status, Status::Declined);
    shop.notify(&Shop::body(&reference(&payment), "000", "1500.00")).await;
    assert_eq!(shop.payments.payment(&payment.id).await.unwrap().status, Status::Declined);
    shop.pay(&reference(&payment));
    shop.clock.advance(Duration::from_secs(10));
    shop.settle().await;
    shop.work_for_days().await;
    let kinds = shop.kinds("1").await;
    assert_eq!(kinds.iter().filter(|kind| **kind == "paid").count(), 1, "{kinds:?}");
    assert!(
        shop.payments.attention().await.unwrap().iter().any(|item| item.kind == AttentionKind::Contradiction)
    );
}

#[tokio::test]
async fn paid_never_goes_back() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    shop.notify(&Shop::body(&reference(&payment), "000", "1500.00")).await;
    shop.entry(&reference(&payment), |entry| entry.status = PaymentStatus::Declined);
    shop.settle().await;
    shop.work_for_days().await;
    assert_eq!(shop.payments.payment(&payment.id).await.unwrap().status, Status::Paid);
    assert!(shop.payments.attention().await.unwrap().iter().any(|item| item.kind == AttentionKind::Reversed));
    assert_eq!(shop.payments.cancel(&payment.id).await.unwrap().status, Status::Paid);
}

#[tokio::test]
async fn a_lost_answer_to_a_page_closes_it_and_it_stays_watched() {
    let shop = Shop::open().await;
    shop.bank.lock().unwrap().write = Write::AnswerLost;
    let error = shop.payments.open(shop.request("1", 1500)).await.unwrap_err();
    assert!(matches!(&error, Error::Provider(error) if error.outcome() == tulbur_core::Outcome::Unknown));
    let order = shop.payments.order(&shop.order("1")).await.unwrap().unwrap();
    let lost = order.payments[0].clone();
    assert_eq!((lost.status, lost.operation), (Status::Canceled, OperationState::Unknown));
    let second = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    assert_ne!(lost.reference.merchant_ref, second.reference.merchant_ref, "a reference is used once");
    shop.pay(&reference(&lost));
    shop.work_for_days().await;
    assert!(shop.kinds("1").await.contains(&"paid"));
}

#[tokio::test]
async fn what_was_never_sent_or_refused_ends_at_once() {
    let shop = Shop::open().await;
    for write in [Write::NeverSent, Write::Refuse] {
        shop.bank.lock().unwrap().write = write;
        assert!(shop.payments.open(shop.request("1", 1500)).await.is_err());
    }
    let order = shop.payments.order(&shop.order("1")).await.unwrap().unwrap();
    assert!(
        order.payments.iter().all(|p| p.status == Status::Canceled && p.operation == OperationState::Refused)
    );
    shop.work_for_days().await;
    assert_eq!(shop.bank.lock().unwrap().queries, 0, "there is nothing to ask about");
    assert_eq!(shop.payments.open(shop.request("1", 1500)).await.unwrap().status, Status::Pending);
}

#[tokio::test]
async fn a_caller_who_goes_away_stops_nothing() {
    let shop = Shop::open().await;
    shop.bank.lock().unwrap().write = Write::Hang;
    let payments = shop.payments.clone();
    let request = shop.request("1", 1500);
    let caller = tokio::spawn(async move { payments.open(request).await });
    while shop.bank.lock().unwrap().creates == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    shop.bank.lock().unwrap().write = Write::Answer;
    for _ in 0..4000 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let order = shop.payments.order(&shop.order("1")).await.unwrap().unwrap();
        if order.payments[0].operation == OperationState::Succeeded {
            return;
        }
    }
    panic!("the write that was under way was dropped with its caller");
}

#[tokio::test]
async fn a_restart_takes_over_what_a_dead_process_left() {
    let mut shop = Shop::open().await;
    shop.bank.lock().unwrap().write = Write::Hang;
    let payments = shop.payments.clone();
    let request = shop.request("1", 1500);
    tokio::spawn(async move { payments.open(request).await });
    while shop.bank.lock().unwrap().creates == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    shop.restart().await;
    shop.work().await;
    let order = shop.payments.order(&shop.order("1")).await.unwrap().unwrap();
    assert_eq!(order.payments[0].operation, OperationState::Submitted, "its lease still runs");
    shop.clock.advance(Duration::from_mins(3));
    shop.work().await;
    let order = shop.payments.order(&shop.order("1")).await.unwrap().unwrap();
    assert_eq!(
        (order.payments[0].operation, order.payments[0].status),
        (OperationState::Unknown, Status::Canceled)
    );
    assert!(
        shop.payments.history(&shop.order("1")).await.unwrap().to_string().contains("gave no answer in time")
    );
    shop.bank.lock().unwrap().write = Write::Answer;
}

#[tokio::test]
async fn an_account_that_is_missing_stops_the_start() {
    let shop = Shop::open().await;
    shop.payments.open(shop.request("1", 1500)).await.unwrap();
    let path = shop.folder.path().join("shop.db");
    let error = support::builder(&path, &shop.clock).await.build().await.unwrap_err();
    assert!(error.to_string().contains("`bank`"), "{error}");
    let twice = support::builder(&path, &shop.clock)
        .await
        .account(Arc::new(support::Bank::new("bank")))
        .account(Arc::new(support::Bank::new("bank")));
    assert!(twice.build().await.is_err());
}

#[tokio::test]
async fn one_address_serves_many_accounts_of_a_provider() {
    let shop = Shop::open().await;
    let bank = support::Bank::new("till-2");
    let payments = support::builder(&shop.folder.path().join("other.db"), &shop.clock)
        .await
        .account(Arc::new(bank))
        .build()
        .await
        .unwrap();
    let mut request = shop.request("1", 1500);
    request.account = tulbur_core::AccountName::parse("till-2").unwrap();
    let payment = payments.open(request).await.unwrap();
    let body = Shop::body(&reference(&payment), "000", "1500.00");
    let delivery = Delivery {
        channel: Channel::Notify,
        method: "POST",
        query: None,
        headers: &[],
        body: body.as_bytes(),
    };
    assert_eq!(payments.notify(NotifyTarget::Name("bank"), delivery).await.body, "accepted");
    assert_eq!(payments.payment(&payment.id).await.unwrap().status, Status::Paid);
}

#[tokio::test]
async fn bad_requests_change_nothing_and_name_the_field() {
    let shop = Shop::open().await;
    let mut zero = shop.request("1", 1500);
    zero.amount = mnt(0);
    let mut negative = shop.request("1", 1500);
    negative.amount = mnt(-5);
    let mut dong = shop.request("1", 1500);
    dong.amount = tulbur_core::Money::from_minor(1500, tulbur_core::Currency::VND);
    let short = shop.request("1", 1500).merchant_ref(MerchantRef::parse("short").unwrap());
    let language = shop.request("1", 1500).language(tulbur_core::Language::Vi);
    for (request, field) in [
        (zero, "amount"),
        (negative, "amount"),
        (dong, "amount"),
        (short, "merchant_ref"),
        (language, "language"),
    ] {
        match shop.payments.open(request).await {
            Err(Error::Provider(error)) => assert_eq!(error.field(), Some(field), "{error}"),
            other => panic!("{field}: {other:?}"),
        }
    }
    assert!(shop.payments.orders(10).await.unwrap().is_empty());
    assert_eq!(shop.bank.lock().unwrap().creates, 0);
}

#[tokio::test]
async fn a_used_reference_is_refused() {
    let shop = Shop::open().await;
    let own = MerchantRef::parse("a".repeat(32)).unwrap();
    shop.payments.open(shop.request("1", 1500).merchant_ref(own.clone())).await.unwrap();
    match shop.payments.open(shop.request("2", 1500).merchant_ref(own)).await {
        Err(Error::Provider(error)) => {
            assert_eq!(error.field(), Some("merchant_ref"));
            assert!(error.to_string().contains("used before"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert!(shop.payments.order(&shop.order("2")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_card_saved_with_a_payment_comes_with_the_notification() {
    let shop = Shop::open().await;
    shop.bank.lock().unwrap().saves_cards = true;
    let customer = CustomerRef::parse("customer").unwrap();
    let payment = shop.payments.open(shop.request("1", 1500).save_card_for(customer.clone())).await.unwrap();
    shop.notify(&Shop::body(&reference(&payment), "000", "1500.00")).await;
    shop.settle().await;
    shop.work_for_days().await;
    assert_eq!(shop.payments.cards(&customer).await.unwrap().len(), 1);
    assert_eq!(shop.kinds("1").await.iter().filter(|kind| **kind == "card-saved").count(), 1);
    // Nobody asked to save this one.
    let other = shop.payments.open(shop.request("2", 1500)).await.unwrap();
    shop.notify(&Shop::body(&reference(&other), "000", "1500.00")).await;
    assert_eq!(shop.payments.cards(&customer).await.unwrap().len(), 1);
}

/// Only the notification brings the card, and it counts once a query says that it is paid: then the card is there too.
#[tokio::test]
async fn a_card_waits_with_the_notification_that_brought_it() {
    let mut shop = Shop::open().await;
    let mut bank = crate::support::Bank::new("bank");
    bank.state = std::sync::Arc::clone(&shop.bank);
    bank.confirm_before_paid();
    shop.payments = crate::support::builder(&shop.folder.path().join("shop.db"), &shop.clock)
        .await
        .account(std::sync::Arc::new(bank))
        .handler("told", shop.told.clone())
        .build()
        .await
        .unwrap();
    shop.bank.lock().unwrap().saves_cards = true;
    let customer = CustomerRef::parse("customer").unwrap();
    let payment = shop.payments.open(shop.request("1", 1500).save_card_for(customer.clone())).await.unwrap();
    shop.entry(&reference(&payment), |entry| entry.saved = false);
    shop.bank.lock().unwrap().down = true;
    shop.notify(&Shop::body(&reference(&payment), "000", "1500.00")).await;
    shop.settle().await;
    assert_eq!(shop.payments.payment(&payment.id).await.unwrap().status, Status::Pending);
    assert!(shop.payments.cards(&customer).await.unwrap().is_empty(), "it counts with the payment");
    shop.bank.lock().unwrap().down = false;
    shop.pay(&reference(&payment));
    shop.work_for_days().await;
    assert_eq!(shop.payments.payment(&payment.id).await.unwrap().status, Status::Paid);
    assert_eq!(shop.payments.cards(&customer).await.unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_secret_is_in_the_database_or_printed() {
    let shop = Shop::open().await;
    let (customer, card) = saved_card(&shop).await;
    let paid = shop.payments.charge(charge(&shop, "1", &customer, &card)).await.unwrap();
    let page = shop.payments.page_secret(&paid).unwrap();
    let opened = shop.payments.open(shop.request("2", 1500)).await.unwrap();
    let body = Shop::body(&reference(&opened), "000", "1500.00");
    let checksum = body.rsplit('|').next().unwrap().to_owned();
    shop.notify(&body).await;
    let printed =
        format!("{:?} {paid:?} {page:?} {:?}", shop.payments, shop.payments.cards(&customer).await.unwrap());
    let planted = [TOKEN, SECRET, page.expose(), checksum.as_str(), "planted-sealing-key"];
    let encodings = |text: &str| {
        use base64::Engine;
        let base64 = base64::engine::general_purpose::STANDARD_NO_PAD.encode(text);
        [text.to_owned(), hex::encode(text), base64[..base64.len() - 1].to_owned()]
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(shop.folder.path()).unwrap() {
        files.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    assert!(files.windows(6).any(|w| w == b"******"), "the search itself works");
    for secret in planted.into_iter().flat_map(encodings) {
        assert!(!printed.contains(&secret), "printed: {secret}");
        assert!(!files.windows(secret.len()).any(|w| w == secret.as_bytes()), "in the database: {secret}");
    }
}

#[tokio::test]
async fn a_page_that_refused_a_card_is_watched_in_case_it_takes_another() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    shop.entry(&reference(&payment), |entry| entry.status = PaymentStatus::Declined);
    shop.notify(&Shop::body(&reference(&payment), "300", "1500.00")).await;
    shop.settle().await;
    // The bank cannot be asked when the first late question is due; that must not use it up.
    shop.bank.lock().unwrap().down = true;
    shop.clock.advance(Duration::from_mins(11));
    shop.work().await;
    shop.bank.lock().unwrap().down = false;
    shop.pay(&reference(&payment));
    shop.work_for_days().await;
    assert_eq!(shop.kinds("1").await, ["declined", "paid"]);
    let asked = shop.bank.lock().unwrap().queries;
    shop.work_for_days().await;
    assert_eq!(shop.bank.lock().unwrap().queries, asked, "and then it is left alone");
}

#[tokio::test]
async fn what_cannot_be_asked_about_is_paid_by_proof_alone() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500).way(Way::App)).await.unwrap();
    shop.pay(&reference(&payment));
    shop.clock.advance(Duration::from_mins(5));
    shop.work().await;
    shop.notify(&Shop::body(&reference(&payment), "000", "1500.00")).await;
    shop.work_for_days().await;
    assert_eq!(shop.kinds("1").await, ["paid"]);
    assert_eq!(shop.bank.lock().unwrap().queries, 0);
    assert!(shop.payments.attention().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_be_asked_about_and_is_not_proven_goes_to_a_person() {
    let shop = Shop::open().await;
    let [hinted, silent] = ["1", "2"].map(|order| shop.request(order, 1500).way(Way::App));
    let (hinted, silent) =
        (shop.payments.open(hinted).await.unwrap(), shop.payments.open(silent).await.unwrap());
    shop.notify(&format!("hint|{}", reference(&hinted))).await;
    let listed = |items: Vec<tulbur_payments::AttentionItem>| -> Vec<_> {
        items.into_iter().map(|item| (item.kind, item.payment.unwrap())).collect()
    };
    let attention = listed(shop.payments.attention().await.unwrap());
    assert_eq!(attention, [(AttentionKind::Unproven, hinted.id.clone())]);
    assert_eq!(shop.payments.payment(&hinted.id).await.unwrap().status, Status::Pending);
    shop.work_for_days().await;
    let attention = listed(shop.payments.attention().await.unwrap());
    let unresolved = AttentionKind::UnresolvedOperation;
    assert!(attention.contains(&(unresolved, hinted.id.clone())), "{attention:?}");
    assert!(attention.contains(&(unresolved, silent.id.clone())), "{attention:?}");
    let paid = shop.payments.declare_payment(&hinted.id, true, "Bold").await.unwrap();
    assert_eq!(paid.status, Status::Paid);
    // The proof that was lost comes at last.
    shop.pay(&reference(&silent));
    shop.notify(&Shop::body(&reference(&silent), "000", "1500.00")).await;
    assert_eq!(shop.kinds("1").await, ["attention", "expired", "attention", "paid"]);
    assert_eq!(shop.kinds("2").await, ["expired", "attention", "paid"]);
    assert!(shop.payments.attention().await.unwrap().is_empty(), "all of it is settled");
}

#[tokio::test]
async fn what_was_given_up_and_cannot_be_asked_about_is_looked_up_by_a_person() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500).way(Way::App)).await.unwrap();
    shop.payments.cancel(&payment.id).await.unwrap();
    shop.work().await;
    assert!(shop.payments.attention().await.unwrap().is_empty(), "it can still be paid");
    shop.work_for_days().await;
    let attention = shop.payments.attention().await.unwrap();
    assert_eq!(attention.len(), 1);
    assert_eq!(attention[0].kind, AttentionKind::UnresolvedOperation);
    assert_eq!(shop.kinds("1").await, ["canceled", "attention"]);
    // It had been paid all the same, and the person finds it.
    shop.payments.declare_payment(&payment.id, true, "Bold").await.unwrap();
    assert_eq!(shop.kinds("1").await, ["canceled", "attention", "paid"]);
    assert!(shop.payments.attention().await.unwrap().is_empty());
}
