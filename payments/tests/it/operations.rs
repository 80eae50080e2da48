//! Captures, voids and refunds, each tried against a bank whose every answer the test decides.

use std::time::Duration;

use crate::support::{Shop, Write, mnt};
use tulbur_core::{Money, OperationState};
use tulbur_payments::{
    AttentionKind, CapturePayment, Error, EventKind, IdempotencyKey, OperationRecord, PaymentRecord,
    RefundPayment, Status, Timing, VoidPayment,
};

async fn paid(shop: &Shop, order: &str, units: i64) -> PaymentRecord {
    let payment = shop.payments.open(shop.request(order, units)).await.unwrap();
    shop.pay(&payment.reference.merchant_ref);
    shop.payments.query(&payment.id).await.unwrap()
}

async fn held(shop: &Shop, order: &str, units: i64) -> PaymentRecord {
    let payment = shop.payments.open(shop.request(order, units).capture_later()).await.unwrap();
    shop.pay(&payment.reference.merchant_ref);
    let payment = shop.payments.query(&payment.id).await.unwrap();
    assert_eq!(payment.status, Status::Authorized);
    payment
}

fn refund(payment: &PaymentRecord, units: i64) -> RefundPayment {
    RefundPayment::new(payment.id.clone(), "a broken cup").amount(mnt(units))
}

fn given_back(shop: &Shop, payment: &PaymentRecord) -> Vec<Money> {
    let state = shop.bank.lock().unwrap();
    state.payments[payment.reference.merchant_ref.as_str()].refunds.clone()
}

fn next_operation(shop: &Shop, how: Write) {
    shop.bank.lock().unwrap().operation = how;
}

async fn reread(shop: &Shop, operation: &OperationRecord) -> OperationRecord {
    shop.payments.operation(&operation.operation_ref).await.unwrap()
}

#[tokio::test]
async fn parts_are_refunded_until_nothing_is_left() {
    let shop = Shop::open().await;
    let payment = paid(&shop, "1", 1500).await;
    let first = shop.payments.refund(refund(&payment, 500)).await.unwrap().into_record();
    assert_eq!((first.state, first.amount), (OperationState::Succeeded, Some(mnt(500))));
    let too_much = shop.payments.refund(refund(&payment, 1001)).await.unwrap_err();
    assert!(too_much.to_string().contains("only 1000.00 MNT is left to refund"), "{too_much}");
    let rest =
        shop.payments.refund(RefundPayment::new(payment.id.clone(), "the rest")).await.unwrap().into_record();
    assert_eq!(rest.amount, Some(mnt(1000)));
    assert!(matches!(shop.payments.refund(refund(&payment, 1)).await, Err(Error::Conflict { .. })));
    assert_eq!(given_back(&shop, &payment), [mnt(500), mnt(1000)]);
    let payment = shop.payments.payment(&payment.id).await.unwrap();
    assert_eq!((payment.status, payment.refunded), (Status::Paid, Some(mnt(1500))));
    assert_eq!(shop.kinds("1").await, ["paid", "refunded", "refunded"]);
    for amount in [mnt(0), mnt(-5), Money::from_minor(100, tulbur_core::Currency::VND)] {
        let bad = RefundPayment::new(payment.id.clone(), "").amount(amount);
        assert!(shop.payments.refund(bad).await.is_err(), "{amount}");
    }
    assert_eq!(shop.bank.lock().unwrap().operations, 2, "what is refused here never reaches the bank");
}

#[tokio::test]
async fn what_is_not_paid_is_not_refunded() {
    let shop = Shop::open().await;
    let open = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    let error = shop.payments.refund(refund(&open, 1)).await.unwrap_err();
    assert!(error.to_string().contains("it is pending; a refund is for one that is paid"), "{error}");
    assert!(shop.payments.operations(&open.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_refund_after_the_providers_window_is_refused() {
    let shop = Shop::open().await;
    let payment = paid(&shop, "1", 1500).await;
    shop.clock.advance(Duration::from_hours(24 * 366));
    let error = shop.payments.refund(refund(&payment, 1)).await.unwrap_err();
    assert!(error.to_string().contains("365 days"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_at_once_give_back_what_was_taken_and_no_more() {
    let shop = Shop::open().await;
    let payment = paid(&shop, "1", 1000).await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (payments, request) = (shop.payments.clone(), refund(&payment, 300));
            tokio::spawn(async move { payments.refund(request).await.is_ok() })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += usize::from(task.await.unwrap());
    }
    assert_eq!(done, 3);
    assert_eq!(given_back(&shop, &payment), [mnt(300); 3]);
}

#[tokio::test]
async fn a_refused_refund_leaves_the_money_to_be_refunded() {
    let shop = Shop::open().await;
    let payment = paid(&shop, "1", 1500).await;
    for how in [Write::Refuse, Write::NeverSent] {
        next_operation(&shop, how);
        let error = shop.payments.refund(refund(&payment, 1500)).await.unwrap_err();
        assert!(matches!(error, Error::Provider(_)), "{error}");
    }
    let all = shop.payments.operations(&payment.id).await.unwrap();
    assert!(all.iter().all(|operation| operation.state == OperationState::Refused));
    assert_eq!(all[0].code.as_deref(), Some("12"));
    shop.payments.refund(refund(&payment, 1500)).await.unwrap();
    assert_eq!(shop.kinds("1").await, ["paid", "operation-refused", "operation-refused", "refunded"]);
}

#[tokio::test]
async fn a_refund_whose_answer_was_lost_is_never_sent_again() {
    for happened in [true, false] {
        let shop = Shop::open().await;
        shop.bank.lock().unwrap().tells_refunds = happened;
        let payment = paid(&shop, "1", 1500).await;
        next_operation(&shop, if happened { Write::AnswerLost } else { Write::LostBefore });
        let unknown = shop.payments.refund(refund(&payment, 1000)).await.unwrap().into_record();
        assert_eq!(unknown.state, OperationState::Unknown);
        let more = shop.payments.refund(refund(&payment, 600)).await.unwrap_err();
        assert!(more.to_string().contains("only 500.00 MNT"), "it counts as given back: {more}");
        shop.work_for_days().await;
        assert_eq!(shop.bank.lock().unwrap().operations, 1);
        let attention = shop.payments.attention().await.unwrap();
        if happened {
            assert_eq!(reread(&shop, &unknown).await.state, OperationState::Succeeded, "the bank told");
            assert_eq!(shop.kinds("1").await, ["paid", "refunded"]);
            assert!(attention.is_empty());
            continue;
        }
        assert_eq!(attention.len(), 1);
        assert_eq!(attention[0].kind, AttentionKind::UnresolvedOperation);
        let settled = shop.payments.declare_operation(&unknown.operation_ref, false, "Bold").await.unwrap();
        assert_eq!(settled.state, OperationState::Refused);
        assert!(shop.payments.attention().await.unwrap().is_empty(), "it is resolved");
        let history = shop.payments.history(&shop.order("1")).await.unwrap().to_string();
        assert!(history.contains("Bold says that it did not happen"), "{history}");
        assert!(shop.payments.declare_operation(&unknown.operation_ref, true, "Bold").await.is_err());
        shop.payments.refund(refund(&payment, 1500)).await.unwrap();
    }
}

#[tokio::test]
async fn a_person_can_say_that_a_refund_happened() {
    let shop = Shop::open().await;
    let payment = paid(&shop, "1", 1500).await;
    next_operation(&shop, Write::AnswerLost);
    let unknown = shop.payments.refund(refund(&payment, 1000)).await.unwrap().into_record();
    shop.payments.declare_operation(&unknown.operation_ref, true, "Bold").await.unwrap();
    assert_eq!(shop.payments.payment(&payment.id).await.unwrap().refunded, Some(mnt(1000)));
    assert_eq!(shop.kinds("1").await, ["paid", "refunded"]);
}

#[tokio::test]
async fn one_key_is_one_refund() {
    let shop = Shop::open().await;
    let payment = paid(&shop, "1", 1500).await;
    let key = IdempotencyKey::parse("return-7").unwrap();
    let (one, two) = tokio::join!(
        shop.payments.refund(refund(&payment, 500).key(key.clone())),
        shop.payments.refund(refund(&payment, 500).key(key.clone()))
    );
    assert_eq!(one.unwrap().record().operation_ref, two.unwrap().record().operation_ref);
    let again = shop.payments.refund(refund(&payment, 500).key(key.clone())).await.unwrap().into_record();
    assert_eq!(again.state, OperationState::Succeeded);
    assert_eq!(given_back(&shop, &payment), [mnt(500)]);
    let other = shop.payments.refund(refund(&payment, 400).key(key)).await.unwrap_err();
    assert!(other.to_string().contains("a new request needs a new key"), "{other}");
}

#[tokio::test]
async fn one_key_is_one_payment_even_after_it_ended() {
    let shop = Shop::open().await;
    let key = IdempotencyKey::parse("checkout-1").unwrap();
    let first = shop.payments.open(shop.request("1", 1500).key(key.clone())).await.unwrap();
    shop.payments.cancel(&first.id).await.unwrap();
    let again = shop.payments.open(shop.request("1", 1500).key(key.clone())).await.unwrap();
    assert_eq!((again.id, again.status), (first.id, Status::Canceled));
    assert_eq!(shop.bank.lock().unwrap().creates, 1);
    for other in [shop.request("1", 1600), shop.request("2", 1500)] {
        let error = shop.payments.open(other.key(key.clone())).await.unwrap_err();
        assert!(matches!(error, Error::Conflict { .. }), "{error}");
    }
    shop.payments.open(shop.request("1", 1500)).await.unwrap();
}

#[tokio::test]
async fn another_process_takes_over_an_operation_and_does_not_send_it_again() {
    let mut shop = Shop::open().await;
    let payment = paid(&shop, "1", 1500).await;
    next_operation(&shop, Write::Hang);
    let (payments, request) = (shop.payments.clone(), refund(&payment, 500));
    let caller = tokio::spawn(async move { payments.refund(request).await });
    shop.until_it_hangs().await;
    shop.restart().await;
    shop.clock.advance(Duration::from_mins(3));
    shop.work().await;
    let taken = shop.payments.operations(&payment.id).await.unwrap();
    assert_eq!((taken.len(), taken[0].state), (1, OperationState::Unknown));
    // The first process was only slow, and its answer comes after all.
    next_operation(&shop, Write::Answer);
    assert_eq!(caller.await.unwrap().unwrap().record().state, OperationState::Succeeded);
    shop.work_for_days().await;
    assert_eq!(given_back(&shop, &payment), [mnt(500)]);
    assert_eq!(shop.kinds("1").await, ["paid", "refunded"]);
    assert!(shop.payments.attention().await.unwrap().is_empty());
}

#[tokio::test]
async fn money_that_is_held_is_captured_once() {
    let shop = Shop::open().await;
    let payment = held(&shop, "1", 1500).await;
    assert!(payment.next.is_empty());
    assert!(matches!(shop.payments.cancel(&payment.id).await, Err(Error::Conflict { .. })));
    assert!(matches!(shop.payments.refund(refund(&payment, 1)).await, Err(Error::Conflict { .. })));
    shop.work_for_days().await;
    assert_eq!(shop.payments.payment(&payment.id).await.unwrap().status, Status::Authorized);
    let capture = CapturePayment::new(payment.id.clone());
    let (one, two) =
        tokio::join!(shop.payments.capture(capture.clone()), shop.payments.capture(capture.clone()));
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
    assert_eq!(shop.bank.lock().unwrap().operations, 1);
    assert_eq!(shop.kinds("1").await, ["authorized", "paid"]);
    assert!(matches!(shop.payments.capture(capture).await, Err(Error::Conflict { .. })));
    assert!(shop.payments.order(&shop.order("1")).await.unwrap().unwrap().is_paid());
}

#[tokio::test]
async fn a_part_is_captured_and_only_that_can_be_refunded() {
    let shop = Shop::open().await;
    let payment = held(&shop, "1", 1500).await;
    let too_much = CapturePayment::new(payment.id.clone()).amount(mnt(1501));
    assert!(matches!(shop.payments.capture(too_much).await, Err(Error::Conflict { .. })));
    shop.payments.capture(CapturePayment::new(payment.id.clone()).amount(mnt(900))).await.unwrap();
    let events = shop.payments.events(&shop.order("1")).await.unwrap();
    assert_eq!(events[1].kind, EventKind::Paid { amount: mnt(900), timing: Timing::InTime });
    assert!(matches!(shop.payments.refund(refund(&payment, 901)).await, Err(Error::Conflict { .. })));
    shop.payments.refund(refund(&payment, 900)).await.unwrap();
}

#[tokio::test]
async fn a_capture_whose_answer_was_lost_is_asked_about() {
    let shop = Shop::open().await;
    let payment = held(&shop, "1", 1500).await;
    next_operation(&shop, Write::AnswerLost);
    let capture = shop.payments.capture(CapturePayment::new(payment.id.clone())).await.unwrap().into_record();
    assert_eq!(capture.state, OperationState::Unknown);
    let void = shop.payments.void(VoidPayment::new(payment.id.clone(), "sold out")).await.unwrap_err();
    assert!(void.to_string().contains("is unknown"), "{void}");
    shop.work_for_days().await;
    assert_eq!(reread(&shop, &capture).await.state, OperationState::Succeeded);
    assert_eq!(shop.kinds("1").await, ["authorized", "paid"]);
    assert_eq!(shop.bank.lock().unwrap().operations, 1);
}

#[tokio::test]
async fn money_that_is_held_is_let_go() {
    let shop = Shop::open().await;
    let payment = held(&shop, "1", 1500).await;
    next_operation(&shop, Write::Refuse);
    assert!(shop.payments.void(VoidPayment::new(payment.id.clone(), "sold out")).await.is_err());
    shop.payments.void(VoidPayment::new(payment.id.clone(), "sold out")).await.unwrap();
    let payment = shop.payments.payment(&payment.id).await.unwrap();
    assert_eq!(payment.status, Status::Canceled);
    assert_eq!(shop.kinds("1").await, ["authorized", "operation-refused", "canceled"]);
    assert!(shop.payments.capture(CapturePayment::new(payment.id.clone())).await.is_err());
    shop.payments.open(shop.request("1", 1500)).await.unwrap();
}

#[tokio::test]
async fn an_order_that_was_paid_otherwise_is_not_captured_too() {
    let shop = Shop::open().await;
    let first = shop.payments.open(shop.request("1", 1500).capture_later()).await.unwrap();
    shop.payments.cancel(&first.id).await.unwrap();
    let second = paid(&shop, "1", 1500).await;
    shop.pay(&first.reference.merchant_ref);
    shop.payments.query(&first.id).await.unwrap();
    let late = shop.payments.payment(&first.id).await.unwrap();
    assert_eq!(late.status, Status::Authorized);
    let error = shop.payments.capture(CapturePayment::new(first.id.clone())).await.unwrap_err();
    assert!(error.to_string().contains(second.id.as_str()), "{error}");
    shop.payments.void(VoidPayment::new(first.id, "paid by the other")).await.unwrap();
    assert_eq!(shop.kinds("1").await, ["canceled", "paid", "authorized", "canceled"]);
}

#[tokio::test]
async fn a_full_refund_of_the_second_payment_settles_paid_again() {
    let shop = Shop::open().await;
    let first = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    shop.payments.cancel(&first.id).await.unwrap();
    paid(&shop, "1", 1500).await;
    shop.pay(&first.reference.merchant_ref);
    shop.payments.query(&first.id).await.unwrap();
    assert_eq!(shop.payments.attention().await.unwrap()[0].kind, AttentionKind::PaidAgain);
    shop.payments.refund(refund(&first, 700)).await.unwrap();
    assert_eq!(shop.payments.attention().await.unwrap().len(), 1);
    shop.payments.refund(refund(&first, 800)).await.unwrap();
    assert!(shop.payments.attention().await.unwrap().is_empty());
}

#[tokio::test]
async fn only_what_nobody_else_can_tell_needs_a_person() {
    let shop = Shop::open().await;
    let payment = paid(&shop, "1", 1500).await;
    for paid in [true, false] {
        let error = shop.payments.declare_payment(&payment.id, paid, "Bold").await.unwrap_err();
        assert!(matches!(error, Error::Conflict { .. }), "{error}");
    }
    let open = shop.payments.open(shop.request("2", 1500)).await.unwrap();
    let error = shop.payments.declare_payment(&open.id, true, "Bold").await.unwrap_err();
    assert!(error.to_string().contains("the provider can be asked"), "{error}");
    let missing = RefundPayment::new(tulbur_payments::PaymentId::from_text("nothing"), "");
    assert!(matches!(shop.payments.refund(missing).await, Err(Error::NotFound(_))));
}
