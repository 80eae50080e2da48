//! Every code of the gateway's table, on request; the HTTP status and the signature of answers.

use serde_json::{Value, json};
use tulbur_sandbox::{Fault, FaultKind, PaymentState};

use super::support::{OPTION, PAY, QUERY, by, order, sign, start};
use crate::support::Till;

#[tokio::test]
async fn every_code_can_answer_with_and_without_the_call_being_carried_out() {
    let (_sandbox, shop, gateway) = start().await;
    for (at, code) in ["400", "401", "408", "409", "499", "502", "503", "504", "505"].iter().enumerate() {
        gateway.set_switch("answer-code", code).unwrap();
        shop.refused(OPTION, order(&format!("N-{at}")), code).await;
        assert!(gateway.payment(&format!("N-{at}")).is_none());
        gateway.set_switch("answer-code-effect", "carried-out").unwrap();
        shop.refused(OPTION, order(&format!("C-{at}")), code).await;
        assert!(gateway.payment(&format!("C-{at}")).is_some());
        assert!(gateway.requests().pop().unwrap().explanation.contains("carried out all the same"));
        gateway.set_switch("answer-code-effect", "nothing-done").unwrap();
    }
    gateway.set_switch("answer-code", "normal").unwrap();
    shop.open(OPTION, order("A-1")).await;
}

#[tokio::test]
async fn every_code_can_end_a_payment_by_the_page_and_by_the_control_call() {
    let (_sandbox, shop, gateway) = start().await;
    let till = Till::open().await;
    gateway.set_push_address(Some(&till.address)).unwrap();
    let mut told = 0;
    for code in ["200", "400", "401", "408", "409", "499", "502", "503", "504", "505"] {
        for by_page in [false, true] {
            if by_page && code == "200" {
                continue;
            }
            let order_id = format!("{code}-{by_page}");
            let id = shop.open(OPTION, order(&order_id)).await;
            if by_page {
                let reply =
                    shop.form(&format!("/payWithOption/{id}"), &[("action", "end"), ("code", code)]).await;
                let place = if code == "499" { "canceled" } else { "failed" };
                assert!(reply.location().starts_with(&format!("https://shop.example/{place}?data=")));
                assert_eq!(shop.returned(reply.location())["responseCode"], code);
            } else {
                gateway.act_with(&order_id, "end", [("code".to_owned(), code.to_owned())].into()).unwrap();
            }
            told += 1;
            let ipn = till.wait_for(told).await;
            let document = shop.ipn(&ipn[told - 1]);
            assert_eq!(
                (&document["responseCode"], &document["responseData"]["orderID"]),
                (&json!(code), &json!(order_id))
            );
            let stands = shop.query(&id).await;
            assert_eq!(stands["transactionStatus"], code);
            let state = match code {
                "200" => PaymentState::Paid,
                "408" => PaymentState::Expired,
                "499" => PaymentState::Canceled,
                _ => PaymentState::Declined,
            };
            assert_eq!(gateway.payment(&order_id).unwrap().state, state);
        }
    }
    assert_eq!(told, 19);
    let id = shop.open(OPTION, order("X")).await;
    assert_eq!(
        shop.form(&format!("/payWithOption/{id}"), &[("action", "end"), ("code", "117")]).await.status,
        422
    );
    for (details, words) in [
        (vec![], "name the code"),
        (vec![("code", "117")], "not in the gateway's table"),
        (vec![("card", "nothing")], "no test card"),
        (vec![("colour", "red")], "unknown detail"),
    ] {
        let details = details.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let why = gateway.act_with("X", "end", details).unwrap_err().to_string();
        assert!(why.contains(words), "{why}");
    }
}

#[tokio::test]
async fn what_a_decline_is_and_how_refusals_and_success_look_are_switches() {
    let (_sandbox, shop, gateway) = start().await;
    for code in ["505", "400", "502", "503", "504"] {
        gateway.set_switch("decline-code", code).unwrap();
        let order_id = format!("D-{code}");
        shop.open(OPTION, order(&order_id)).await;
        gateway.act(&order_id, "decline").unwrap();
        assert_eq!(gateway.payment(&order_id).unwrap().code.as_deref(), Some(code));
    }
    gateway.set_switch("error-http-status", "always-200").unwrap();
    let reply = shop.call(PAY, json!({})).await;
    assert_eq!((reply.status, &reply.json()["responseCode"]), (200, &json!("400")));
    gateway.set_switch("error-http-status", "as-code").unwrap();
    assert_eq!(shop.call(PAY, json!({})).await.status, 400);

    gateway.set_switch("pay-success-code", "00").unwrap();
    let reply = shop.call(PAY, by("A-1", "DOMESTIC")).await;
    assert_eq!((reply.status, &reply.json()["responseCode"]), (200, &json!("00")));
}

#[tokio::test]
async fn the_answer_s_signature_is_there_wrong_or_absent_as_the_switch_and_faults_say() {
    let (_sandbox, shop, gateway) = start().await;
    let id = shop.open(PAY, by("A-1", "DOMESTIC")).await;
    let ask = || shop.call(QUERY, json!({ "transactionID": id }));
    gateway.set_switch("response-signature", "none").unwrap();
    assert!(ask().await.headers.get("signature").is_none());
    gateway.set_switch("response-signature", "another-formula").unwrap();
    let reply = ask().await;
    assert_ne!(reply.headers["signature"], sign(&shop.salt, &reply.text));
    assert_eq!(reply.headers["signature"].len(), 64);
    gateway.set_switch("response-signature", "body-then-salt").unwrap();
    for (kind, amount) in
        [(FaultKind::AnswerWrongChecksum, "100000"), (FaultKind::AnswerTamperedAmount, "200000")]
    {
        gateway.add_fault(Fault::new(kind).on_path(QUERY).for_reference("A-1")).unwrap();
        let reply = ask().await;
        assert_ne!(reply.headers["signature"], sign(&shop.salt, &reply.text), "{kind:?}");
        assert_eq!(reply.json()["responseData"]["orderAmount"], amount);
        let honest = ask().await;
        assert_eq!(honest.headers["signature"], sign(&shop.salt, &honest.text));
    }
}

#[tokio::test]
async fn faults_strike_the_payment_that_they_are_aimed_at() {
    let (_sandbox, shop, gateway) = start().await;
    gateway.add_fault(Fault::new(FaultKind::ErrorAfter).on_path(OPTION).for_reference("A-2")).unwrap();
    shop.open(OPTION, order("A-1")).await;
    let reply = shop.call(OPTION, order("A-2")).await;
    assert_eq!((reply.status, &reply.json()["responseCode"]), (500, &json!("500")));
    let id = gateway.payment("A-2").unwrap().id;
    // A query names only the transaction, and the fault still finds its order.
    gateway.add_fault(Fault::new(FaultKind::ErrorBefore).on_path(QUERY).for_reference("A-2")).unwrap();
    assert_eq!(shop.call(QUERY, json!({ "transactionID": id })).await.status, 500);
    assert_eq!(shop.query(&id).await["orderID"], "A-2");
    let about: Vec<Option<String>> =
        gateway.requests().into_iter().map(|request| request.reference).collect();
    assert_eq!(about.iter().filter(|reference| reference.as_deref() == Some("A-2")).count(), 3);
}

#[tokio::test]
async fn a_query_says_where_an_unfinished_or_failed_payment_stands_as_the_switches_say() {
    let (_sandbox, shop, gateway) = start().await;
    let open = shop.open(OPTION, order("A-1")).await;
    for (value, expected) in
        [("empty", json!("")), ("absent", Value::Null), ("200", json!("200")), ("504", json!("504"))]
    {
        gateway.set_switch("pending-status", value).unwrap();
        let stands = shop.query(&open).await;
        assert_eq!(
            (&stands["transactionStage"], &stands["transactionStatus"]),
            (&json!("PROCESSING"), &expected)
        );
    }
    for (action, word) in [("cancel", "CANCELED"), ("expire", "EXPIRED"), ("decline", "FAILED")] {
        let id = shop.open(OPTION, order(action)).await;
        gateway.act(action, action).unwrap();
        for (switch, stage) in [
            ("by-outcome", json!(word)),
            ("FAILED", json!("FAILED")),
            ("PROCESSING", json!("PROCESSING")),
            ("absent", Value::Null),
        ] {
            gateway.set_switch("stage-ended", switch).unwrap();
            assert_eq!(shop.query(&id).await["transactionStage"], stage, "{action} {switch}");
        }
    }
}
