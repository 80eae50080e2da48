//! Notifications: signed, in order, recorded, and spoiled on order.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::json;
use tulbur_sandbox::{Fault, FaultKind, PushState};

use crate::support::{DECLINE, PAY, RESULT, SUCCESS, Till, eventually, start};

#[tokio::test]
async fn the_merchant_is_told_before_the_payer_comes_back() {
    let (_sandbox, merchant, bank) = start().await;
    let till = Till::open().await;
    bank.set_push_address(Some(&till.address)).unwrap();
    let invoice = merchant.invoice_with("A-1", json!({ "genToken": "Y" })).await;
    till.answer_with(StatusCode::OK, Duration::from_millis(150));
    merchant.pay_page(&invoice, SUCCESS).await;

    let received = till.all();
    assert_eq!(received.len(), 1, "the redirect came before the notification");
    assert_eq!(received[0].method, "POST");
    assert_eq!(received[0].headers["content-type"], "application/json");
    let body = received[0].json();
    merchant.verify(&body, RESULT);
    let names: std::collections::BTreeSet<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "amount",
        "bank",
        "cardHolder",
        "cardNumber",
        "checksum",
        "errorCode",
        "errorDesc",
        "token",
        "transactionId",
    ];
    assert_eq!(names, expected.into());
    assert_eq!(body["token"], merchant.inquiry("A-1").await["token"]);

    let push = bank.pushes().pop().unwrap();
    assert_eq!((push.state, push.reference.as_str()), (PushState::Delivered, "A-1"));
    assert_eq!(push.attempts[0].status, Some(200));
    assert_eq!(bank.payment("A-1").unwrap().pushes, [push.id]);
}

#[tokio::test]
async fn failures_are_told_too_without_a_token() {
    let (_sandbox, merchant, bank) = start().await;
    let till = Till::open().await;
    bank.set_push_address(Some(&till.address)).unwrap();
    bank.set_switch("push-status-field", "yes").unwrap();
    let invoice = merchant.invoice_with("A-1", json!({ "genToken": "Y" })).await;
    merchant.pay_page(&invoice, DECLINE).await;
    let body = till.all()[0].json();
    merchant.verify(&body, RESULT);
    assert_eq!((&body["errorCode"], &body["status"]), (&json!("179"), &json!("SENT")));
    assert!(body.get("token").is_none());
}

#[tokio::test]
async fn a_merchant_that_hangs_keeps_no_payer() {
    let (_sandbox, merchant, bank) = start().await;
    let till = Till::open().await;
    bank.set_push_address(Some(&till.address)).unwrap();
    till.answer_with(StatusCode::OK, Duration::from_mins(1));
    let invoice = merchant.invoice("A-1").await;
    assert_eq!(merchant.pay_page(&invoice, SUCCESS).await.status, 303);
    assert_eq!(bank.pushes()[0].state, PushState::Waiting, "the payer came back before the try had ended");
}

#[tokio::test]
async fn without_an_address_nothing_is_sent_until_somebody_sends_it() {
    let (_sandbox, merchant, bank) = start().await;
    let invoice = merchant.invoice("A-1").await;
    merchant.pay_page(&invoice, SUCCESS).await;
    let push = bank.pushes().pop().unwrap();
    assert_eq!(push.state, PushState::NoAddress);
    assert!(bank.resend_push(push.id).unwrap_err().to_string().contains("no push address"));

    let till = Till::open().await;
    bank.set_push_address(Some(&till.address)).unwrap();
    let again = bank.resend_push(push.id).unwrap();
    assert_eq!(till.wait_for(1).await[0].body, push.notification.body.as_bytes());
    eventually("recorded", || {
        bank.pushes().iter().any(|push| push.id == again && push.state == PushState::Delivered)
    })
    .await;
    assert!(bank.resend_push(99).is_err());
    assert!(bank.set_push_address(Some("ftp://x")).is_err());
    assert!(bank.set_push_address(Some("nonsense")).is_err());
}

#[tokio::test]
async fn a_refusing_or_missing_merchant_is_recorded_and_retried_only_by_switch() {
    let (_sandbox, merchant, bank) = start().await;
    let till = Till::open().await;
    bank.set_push_address(Some(&till.address)).unwrap();
    till.answer_with(StatusCode::INTERNAL_SERVER_ERROR, Duration::ZERO);
    let invoice = merchant.invoice("A-1").await;
    merchant.pay_page(&invoice, SUCCESS).await;
    let push = bank.pushes().pop().unwrap();
    assert_eq!((push.state, push.attempts[0].status), (PushState::Failed, Some(500)));

    bank.set_switch("push-retries", "2").unwrap();
    let invoice = merchant.invoice("A-2").await;
    merchant.pay_page(&invoice, SUCCESS).await;
    till.wait_for(2).await;
    till.answer_with(StatusCode::OK, Duration::ZERO);
    eventually("the second try is taken", || bank.pushes()[1].state == PushState::Delivered).await;
    assert_eq!(bank.pushes()[1].attempts.len(), 2);

    bank.set_switch("push-retries", "0").unwrap();
    // Nobody listens at a port that is bound and no more; one that was let go could be given to the next who asks.
    let bound = tokio::net::TcpSocket::new_v4().unwrap();
    bound.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = format!("http://{}/", bound.local_addr().unwrap());
    bank.set_push_address(Some(&address)).unwrap();
    let invoice = merchant.invoice("A-3").await;
    assert_eq!(merchant.pay_page(&invoice, SUCCESS).await.status, 303);
    let push = bank.pushes().pop().unwrap();
    assert_eq!(push.state, PushState::Failed);
    assert!(push.attempts[0].error.is_some());
}

#[tokio::test]
async fn lost_and_doubled() {
    let (_sandbox, merchant, bank) = start().await;
    let till = Till::open().await;
    bank.set_push_address(Some(&till.address)).unwrap();
    bank.add_fault(Fault::new(FaultKind::PushLost).for_reference("A-1")).unwrap();
    bank.add_fault(Fault::new(FaultKind::PushDoubled).for_reference("A-2")).unwrap();
    for id in ["A-1", "A-2"] {
        let invoice = merchant.invoice(id).await;
        merchant.pay_page(&invoice, SUCCESS).await;
    }
    let received = till.wait_for(2).await;
    assert!(received.iter().all(|one| one.json()["transactionId"] == "A-2"));
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(bank.pushes()[0].state, PushState::Lost);
    assert!(bank.faults().is_empty());
}

#[tokio::test]
async fn late_and_after_the_redirect() {
    let (_sandbox, merchant, bank) = start().await;
    let till = Till::open().await;
    bank.set_push_address(Some(&till.address)).unwrap();
    for (id, kind) in [("A-1", FaultKind::PushDelayed), ("A-2", FaultKind::PushAfterAnswer)] {
        // Longer than the payer's way back takes on any machine.
        bank.add_fault(Fault::new(kind).millis(3000)).unwrap();
        let before = till.count();
        let invoice = merchant.invoice(id).await;
        let started = Instant::now();
        merchant.pay_page(&invoice, SUCCESS).await;
        assert_eq!(till.count(), before, "{id}");
        till.wait_for(before + 1).await;
        // The sandbox counts whole milliseconds of another clock.
        assert!(started.elapsed() >= Duration::from_millis(2980));
    }
}

#[tokio::test]
async fn a_spoiled_notification_does_not_verify() {
    let (_sandbox, merchant, bank) = start().await;
    let till = Till::open().await;
    bank.set_push_address(Some(&till.address)).unwrap();
    for (at, kind) in [FaultKind::PushTamperedAmount, FaultKind::PushWrongKey].into_iter().enumerate() {
        bank.add_fault(Fault::new(kind)).unwrap();
        let invoice = merchant.invoice(&format!("A-{at}")).await;
        merchant.pay_page(&invoice, SUCCESS).await;
        let body = till.wait_for(at + 1).await[at].json();
        let expected = crate::support::sign(&merchant.secret, &crate::support::joined(&body, RESULT));
        assert_ne!(body["checksum"], expected, "{kind:?}");
        assert_eq!(body["amount"] == "2500.00", kind == FaultKind::PushTamperedAmount);
    }
}

#[tokio::test]
async fn a_charge_s_notification_can_come_before_its_answer() {
    let (_sandbox, merchant, bank) = start().await;
    let token = merchant.token("A-1", SUCCESS).await;
    let till = Till::open().await;
    bank.set_push_address(Some(&till.address)).unwrap();
    bank.set_switch("push-token-payments", "no").unwrap();
    let pay = |id: &str| {
        merchant.call("/api/pay", json!({ "amount": "5", "transactionId": id, "token": token }), PAY)
    };
    pay("C-1").await;
    assert_eq!(bank.payment("C-1").unwrap().pushes, [0u64; 0]);

    bank.add_fault(Fault::new(FaultKind::PushBeforeAnswer)).unwrap();
    till.answer_with(StatusCode::OK, Duration::from_millis(200));
    pay("C-2").await;
    assert_eq!(till.all()[0].json()["transactionId"], "C-2");
    assert_eq!(bank.pushes().pop().unwrap().state, PushState::Delivered);

    bank.set_switch("push-token-payments", "yes").unwrap();
    pay("C-3").await;
    till.wait_for(2).await;
}
