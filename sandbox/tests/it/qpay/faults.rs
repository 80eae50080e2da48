//! Faults: what a network, a proxy and a busy QPay do to a call.

use std::time::{Duration, Instant};

use serde_json::json;
use tulbur_sandbox::{Fault, FaultKind};

use super::support::{CHECK, INVOICE, explained, simple, start};

#[tokio::test]
async fn a_create_is_cut_busy_or_spoiled_before_or_after_its_effect() {
    let (_sandbox, shop, qpay) = start().await;
    let busy = "{\"error\":\"SYSTEM_BUSY\",\"message\":\"SYSTEM_BUSY\"}";
    for (number, kind, there, status) in [
        ("A-1", FaultKind::AnswerLost, true, None),
        ("A-2", FaultKind::CutBefore, false, None),
        ("A-3", FaultKind::ErrorBefore, false, Some((500, busy))),
        ("A-4", FaultKind::ErrorAfter, true, Some((500, busy))),
        (
            "A-5",
            FaultKind::BadGateway,
            true,
            Some((502, "<html><body><h1>502 Bad Gateway</h1></body></html>")),
        ),
        (
            "A-6",
            FaultKind::TokenRefused,
            false,
            Some((401, "{\"error\":\"NO_CREDENTIALS\",\"message\":\"NO_CREDENTIALS\"}")),
        ),
    ] {
        qpay.add_fault(Fault::new(kind).on_path(INVOICE)).unwrap();
        let reply = shop.try_call("POST", INVOICE, &simple(number)).await;
        let seen = reply.as_ref().ok().map(|reply| (reply.status, reply.text.as_str()));
        assert_eq!(seen, status, "{kind:?}");
        assert_eq!(qpay.payment(number).is_some(), there, "{kind:?}");
        assert!(qpay.faults().is_empty(), "{kind:?}");
        if kind == FaultKind::BadGateway {
            assert_eq!(reply.unwrap().headers["content-type"], "text/html");
        }
    }
    // The token is still good: a 401 in mid-way says nothing of it.
    shop.invoice("A-7").await;
}

#[tokio::test]
async fn faults_are_aimed_at_an_invoice_by_its_number() {
    let (_sandbox, shop, qpay) = start().await;
    let (first, second) = (shop.invoice("A-1").await, shop.invoice("A-2").await);
    super::support::act(&qpay, "A-2", "pay-by-card", &[]);
    let payment = super::support::payment_id(&qpay, "A-2");
    let paths = [
        ("POST", CHECK.to_owned(), json!({ "object_type": "INVOICE", "object_id": second })),
        ("GET", format!("/v2/invoice/{second}"), json!({})),
        ("GET", format!("/v2/payment/{payment}"), json!({})),
        (
            "POST",
            "/v2/ebarimt_v3/create".to_owned(),
            json!({ "payment_id": payment, "ebarimt_receiver_type": "CITIZEN" }),
        ),
        ("DELETE", format!("/v2/ebarimt_v3/{payment}"), json!({})),
        ("DELETE", format!("/v2/payment/refund/{payment}"), json!({})),
    ];
    for (method, path, body) in paths {
        qpay.add_fault(Fault::new(FaultKind::ErrorBefore).for_reference("A-2")).unwrap();
        assert_eq!(shop.check(&first).await["count"], 0);
        assert_eq!(shop.call(method, &path, &body).await.status, 500, "{path}");
        assert!(explained(&qpay).contains("ordered fault"));
    }
}

#[tokio::test]
async fn an_answer_is_slow_and_half() {
    let (_sandbox, shop, qpay) = start().await;
    qpay.add_fault(Fault::new(FaultKind::Slow).millis(700)).unwrap();
    let started = Instant::now();
    shop.invoice("A-1").await;
    assert!(started.elapsed() >= Duration::from_millis(690));
    qpay.add_fault(Fault::new(FaultKind::Truncated)).unwrap();
    assert!(shop.try_call("POST", INVOICE, &simple("A-2")).await.is_err());
    assert!(qpay.payment("A-2").is_some());
    // Faults without a path leave pages alone.
    qpay.add_fault(Fault::new(FaultKind::ErrorBefore)).unwrap();
    assert_eq!(shop.get("/-/bank-app").await.status, 200);
    assert_eq!(shop.get("/s/none").await.status, 404);
    for kind in [FaultKind::PushWrongKey, FaultKind::AnswerWrongChecksum, FaultKind::PushBeforeAnswer] {
        assert!(qpay.add_fault(Fault::new(kind)).is_err(), "QPay signs nothing");
    }
}
