//! Faults of the wire: each is really what its name says, and the effect is there or not as promised.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tulbur_sandbox::{Fault, FaultKind};

use crate::support::{INVOICE, Merchant, PAY, RESULT, SUCCESS, TWICE, eventually, start};

async fn charge(merchant: &Merchant, id: &str, token: &str) -> reqwest::Result<crate::support::Reply> {
    merchant.try_call("/api/pay", json!({ "amount": "5.00", "transactionId": id, "token": token }), PAY).await
}

#[tokio::test]
async fn the_connection_is_really_cut_before_or_after_the_debit() {
    let (_sandbox, merchant, bank) = start().await;
    let token = merchant.token("A-1", SUCCESS).await;
    for (id, kind, debits) in [("C-1", FaultKind::AnswerLost, 1), ("C-2", FaultKind::CutBefore, 0)] {
        bank.add_fault(Fault::new(kind).on_path("/api/pay")).unwrap();
        let error = charge(&merchant, id, &token).await.unwrap_err();
        assert!(error.is_request() && !error.is_timeout() && !error.is_connect(), "{error:?}");
        assert_eq!(bank.payment(id).map_or(0, |payment| payment.debits), debits, "{kind:?}");
        let log = bank.requests().pop().unwrap();
        assert_eq!((log.status, log.faults.len()), (None, 1));
        // It struck once; the same request again meets the bank as it is.
        assert!(bank.faults().is_empty());
        let again = charge(&merchant, id, &token).await.unwrap();
        assert_eq!(again.status, if debits == 1 { 400 } else { 200 });
    }
    let check = merchant.call("/api/check", json!({ "transactionId": "C-1" }), TWICE).await;
    assert_eq!(check.json()["errorCode"], "000");
}

#[tokio::test]
async fn a_500_comes_before_or_after_the_effect() {
    let (_sandbox, merchant, bank) = start().await;
    let token = merchant.token("A-1", SUCCESS).await;
    for (id, kind, debits) in [("C-1", FaultKind::ErrorAfter, 1), ("C-2", FaultKind::ErrorBefore, 0)] {
        bank.add_fault(Fault::new(kind)).unwrap();
        let reply = charge(&merchant, id, &token).await.unwrap();
        assert_eq!((reply.status, &reply.json()["error"]), (500, &json!("Internal")));
        assert_eq!(bank.payment(id).map_or(0, |payment| payment.debits), debits, "{kind:?}");
    }
}

#[tokio::test]
async fn a_slow_answer_has_its_effect_at_once() {
    let (_sandbox, merchant, bank) = start().await;
    bank.add_fault(Fault::new(FaultKind::Slow).millis(3000)).unwrap();
    let call = async {
        merchant.invoice("A-1").await;
        Instant::now()
    };
    let look = async {
        eventually("the invoice is there", || bank.payment("A-1").is_some()).await;
        Instant::now()
    };
    let (answered, there) = tokio::join!(call, look);
    assert!(
        answered.saturating_duration_since(there) >= Duration::from_secs(1),
        "the effect came with the answer"
    );
}

#[tokio::test]
async fn truncated_and_non_json_answers() {
    let (_sandbox, merchant, bank) = start().await;
    bank.add_fault(Fault::new(FaultKind::Truncated)).unwrap();
    let body = json!({ "transactionId": "A-1", "amount": "1", "returnType": "GET", "callback": "https://s.example" });
    let error = merchant.try_call("/api/invoice", body, INVOICE).await.unwrap_err();
    assert!(error.is_body() || error.is_decode() || error.is_request(), "{error:?}");
    assert!(bank.payment("A-1").is_some());

    bank.add_fault(Fault::new(FaultKind::NotJson)).unwrap();
    let reply = merchant.call("/api/inquiry", json!({ "transactionId": "A-1" }), TWICE).await;
    assert_eq!((reply.status, reply.headers["content-type"].to_str().unwrap()), (200, "text/html"));
    assert!(serde_json::from_str::<Value>(&reply.text).is_err());
}

#[tokio::test]
async fn an_answer_is_signed_with_another_key_or_tampered_with() {
    let (_sandbox, merchant, bank) = start().await;
    merchant.invoice("A-1").await;
    for kind in [FaultKind::AnswerWrongChecksum, FaultKind::AnswerTamperedAmount] {
        bank.add_fault(Fault::new(kind).on_path("/api/inquiry")).unwrap();
        let body = merchant.call("/api/inquiry", json!({ "transactionId": "A-1" }), TWICE).await.json();
        assert_ne!(
            body["checksum"],
            crate::support::sign(&merchant.secret, &crate::support::joined(&body, RESULT))
        );
        assert_eq!(body["amount"] == "2500.00", kind == FaultKind::AnswerTamperedAmount);
    }
    merchant.inquiry("A-1").await;
}

#[tokio::test]
async fn faults_are_aimed_counted_and_lasting() {
    let (_sandbox, merchant, bank) = start().await;
    let invoice = merchant.invoice("A-1").await;
    merchant.invoice("A-2").await;
    let inquiry = |id: &'static str| merchant.try_call("/api/inquiry", json!({ "transactionId": id }), TWICE);

    bank.add_fault(Fault::new(FaultKind::ErrorBefore).for_reference("A-2").times(2)).unwrap();
    assert_eq!(inquiry("A-1").await.unwrap().status, 200);
    assert_eq!(inquiry("A-2").await.unwrap().status, 500);
    assert_eq!(inquiry("A-2").await.unwrap().status, 500);
    assert_eq!(inquiry("A-2").await.unwrap().status, 200);

    bank.add_fault(Fault::new(FaultKind::CutBefore).always()).unwrap();
    for _ in 0..3 {
        assert!(inquiry("A-1").await.is_err());
    }
    // A fault without a path leaves the payer's pages alone.
    assert_eq!(merchant.get(&format!("/payment/mn/{invoice}")).await.status, 200);
    bank.clear_faults().unwrap();
    assert_eq!(inquiry("A-1").await.unwrap().status, 200);

    bank.add_fault(Fault::new(FaultKind::AnswerLost).on_path("/payment/").for_reference("A-1")).unwrap();
    let form = crate::support::card_form(SUCCESS);
    assert!(merchant.try_form(&format!("/payment/mn/{invoice}"), &form).await.is_err());
    assert_eq!(bank.payment("A-1").unwrap().debits, 1);
}
