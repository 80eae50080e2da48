//! The callback: a GET with the payment's id, repeated until it is taken.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use tulbur_sandbox::{Fault, FaultKind, Provider, PushState};

use super::support::{Shop, act, payment_id, start, statuses};
use crate::support::{Till, eventually};

async fn told(shop: &Shop, till: &Till, number: &str, query: &str) -> String {
    shop.invoice_with(number, json!({ "callback_url": format!("{}{query}", till.address) })).await
}

fn last(qpay: &Provider) -> tulbur_sandbox::Push {
    qpay.pushes().pop().unwrap()
}

#[tokio::test]
async fn a_callback_is_a_get_that_keeps_the_merchant_s_own_query() {
    let (_sandbox, shop, qpay) = start().await;
    let till = Till::open().await;
    till.answer_text("SUCCESS");
    told(&shop, &till, "A-1", "?id=1001&payment_id=mine").await;
    told(&shop, &till, "A-2", "").await;
    act(&qpay, "A-1", "pay", &[("payment_id", "089741882240445")]);
    let received = till.wait_for(1).await;
    assert_eq!(received[0].method, "GET");
    assert_eq!(received[0].target, "/notify?id=1001&payment_id=mine&qpay_payment_id=089741882240445");
    assert!(received[0].body.is_empty() && !received[0].headers.contains_key("content-type"));
    act(&qpay, "A-2", "pay", &[]);
    let target = till.wait_for(2).await[1].target.clone();
    assert_eq!(target, format!("/notify?qpay_payment_id={}", payment_id(&qpay, "A-2")));
    eventually("recorded", || qpay.pushes().iter().all(|push| push.state == PushState::Delivered)).await;
    assert_eq!(qpay.payment("A-1").unwrap().pushes.len(), 1);

    // Without an address of its own an invoice's callback goes to the push address.
    shop.invoice("A-3").await;
    act(&qpay, "A-3", "pay", &[]);
    assert_eq!(last(&qpay).state, PushState::NoAddress);
    qpay.set_push_address(Some(&till.address)).unwrap();
    act(&qpay, "A-3", "pay", &[]);
    till.wait_for(3).await;
}

#[tokio::test]
async fn it_is_repeated_until_the_reply_is_200_and_exactly_success() {
    let (_sandbox, shop, qpay) = start().await;
    let till = Till::open().await;
    qpay.set_switch("callback-retry-seconds", "0").unwrap();
    qpay.set_switch("callback-retries", "2").unwrap();
    for (number, status, text) in [
        ("A-1", StatusCode::OK, "{\"message\":\"SUCCESS\"}"),
        ("A-2", StatusCode::OK, "SUCCESS\n"),
        ("A-3", StatusCode::OK, ""),
        ("A-4", StatusCode::CREATED, "SUCCESS"),
        ("A-5", StatusCode::INTERNAL_SERVER_ERROR, "SUCCESS"),
    ] {
        till.answer_with(status, Duration::ZERO);
        till.answer_text(text);
        told(&shop, &till, number, "").await;
        act(&qpay, number, "pay", &[]);
        eventually("given up", || last(&qpay).state == PushState::Failed).await;
        assert_eq!(last(&qpay).attempts.len(), 3, "{number}");
    }
    // The same bytes each time.
    let all = till.all();
    assert!(all[..3].iter().all(|one| one.target == all[0].target));

    till.answer_with(StatusCode::OK, Duration::ZERO);
    till.answer_text("no");
    qpay.set_switch("callback-retry-seconds", "1").unwrap();
    told(&shop, &till, "A-6", "").await;
    act(&qpay, "A-6", "pay", &[]);
    till.wait_for(16).await;
    till.answer_text("SUCCESS");
    eventually("taken", || last(&qpay).state == PushState::Delivered).await;
    assert_eq!(last(&qpay).attempts.len(), 2);

    qpay.set_switch("callback-taken", "any-2xx").unwrap();
    till.answer_text("{}");
    told(&shop, &till, "A-7", "").await;
    act(&qpay, "A-7", "pay", &[]);
    eventually("taken", || last(&qpay).state == PushState::Delivered).await;
    assert_eq!(last(&qpay).attempts.len(), 1);
}

#[tokio::test]
async fn it_comes_twice_late_out_of_order_never_or_about_somebody_else() {
    let (_sandbox, shop, qpay) = start().await;
    let till = Till::open().await;
    till.answer_text("SUCCESS");
    for number in ["TWICE", "NEVER", "FOREIGN", "LATE", "NEXT"] {
        told(&shop, &till, number, &format!("?o={number}")).await;
    }
    let order =
        |kind, number: &str| qpay.add_fault(Fault::new(kind).for_reference(number).millis(1500)).unwrap();
    order(FaultKind::PushDoubled, "TWICE");
    act(&qpay, "TWICE", "pay", &[]);
    let both = till.wait_for(2).await;
    assert_eq!(both[0].target, both[1].target);

    order(FaultKind::PushLost, "NEVER");
    act(&qpay, "NEVER", "pay", &[]);
    assert_eq!(last(&qpay).state, PushState::Lost);

    order(FaultKind::PushForeignId, "FOREIGN");
    act(&qpay, "FOREIGN", "pay", &[]);
    let foreign = till.wait_for(3).await[2].target.clone();
    let (own, id) = foreign.split_once("&qpay_payment_id=").unwrap();
    assert_eq!((own, id.len()), ("/notify?o=FOREIGN", 15));
    assert_ne!(id, payment_id(&qpay, "FOREIGN"));
    shop.refused("GET", &format!("/v2/payment/{id}"), &json!({}), 422, "PAYMENT_NOTFOUND").await;

    order(FaultKind::PushDelayed, "LATE");
    act(&qpay, "LATE", "pay", &[]);
    act(&qpay, "NEXT", "pay", &[]);
    let received = till.wait_for(5).await;
    assert!(received[3].target.contains("o=NEXT") && received[4].target.contains("o=LATE"));
    assert!(qpay.faults().is_empty());
}

#[tokio::test]
async fn it_can_come_before_the_check_knows_the_payment() {
    let (_sandbox, shop, qpay) = start().await;
    let till = Till::open().await;
    till.answer_text("SUCCESS");
    qpay.set_switch("check-lag-ms", "1500").unwrap();
    let id = told(&shop, &till, "A-1", "").await;
    act(&qpay, "A-1", "pay", &[]);
    till.wait_for(1).await;
    assert_eq!(shop.check(&id).await["count"], 0);
    let payment = payment_id(&qpay, "A-1");
    shop.refused("GET", &format!("/v2/payment/{payment}"), &json!({}), 422, "PAYMENT_NOTFOUND").await;
    assert!(super::support::explained(&qpay).contains("check-lag-ms"));
    assert!(shop.read(&id).await.get("payments").is_none());
    tokio::time::sleep(Duration::from_millis(1600)).await;
    assert_eq!(statuses(&shop.check(&id).await), ["PAID"]);
}

#[tokio::test]
async fn which_rows_have_a_callback_and_in_which_form_is_a_switch() {
    let (_sandbox, shop, qpay) = start().await;
    let till = Till::open().await;
    till.answer_text("SUCCESS");
    let id = told(&shop, &till, "A-1", "").await;
    act(&qpay, "A-1", "fail", &[]);
    act(&qpay, "A-1", "pay", &[]);
    act(&qpay, "A-1", "refund", &[]);
    till.wait_for(1).await;
    assert_eq!(qpay.pushes().len(), 1);
    qpay.set_switch("callback-on-failed", "yes").unwrap();
    qpay.set_switch("callback-on-refund", "yes").unwrap();
    act(&qpay, "A-1", "fail", &[]);
    act(&qpay, "A-1", "pay", &[]);
    act(&qpay, "A-1", "refund", &[]);
    till.wait_for(4).await;

    qpay.set_switch("callback-method", "post").unwrap();
    act(&qpay, "A-1", "pay", &[]);
    let posted = till.wait_for(5).await[4].clone();
    assert_eq!((posted.method.as_str(), posted.json()), ("POST", json!({ "invoice_id": id })));
    assert_eq!(posted.target, format!("/notify?qpay_payment_id={}", payment_id(&qpay, "A-1")));
}
