//! Cancelling invoices, and giving card payments back.

use serde_json::{Value, json};
use tulbur_core::{
    Accept, CancelRequest, Error, ErrorKind, Method, Outcome, Payment, PaymentStatus, Phase, Provider,
    RefundStatus, TransportError, TransportFault, cancel as prove,
};
use tulbur_qpay::QPay;

use crate::common::*;

async fn cancel(qpay: &QPay) -> Result<Payment, Error> {
    let request = CancelRequest::new(payment()).send_by(SEND_BY);
    Ok(prove(qpay.cancels().unwrap(), &request).await?.into_inner())
}

#[tokio::test]
async fn an_invoice_is_cancelled_and_asked_about_once_more() {
    for answer in [http(200, "{}"), http(400, failure("INVOICE_ALREADY_CANCELED"))] {
        let (qpay, script) = qpay();
        script.then(answer).then(ok(&checked(&[])));
        assert_eq!(cancel(&qpay).await.unwrap().status, PaymentStatus::Canceled);
        let sent = script.sent();
        assert_eq!(
            (sent[0].method, sent[0].url.path()),
            (Method::Delete, format!("/v2/invoice/{INVOICE}").as_str())
        );
        assert!(sent[0].body.is_empty());
        assert_eq!((sent[1].url.path(), sent.len()), ("/v2/payment/check", 2));
    }
}

/// An empty answer may be one that was lost on the way.
#[tokio::test]
async fn an_empty_answer_leaves_open_what_happened() {
    for status in [200, 204] {
        let (qpay, script) = qpay();
        script.then(http(status, ""));
        assert_eq!(cancel(&qpay).await.unwrap_err().outcome(), Outcome::Unknown);
        script.then(ok(&read(CARD, "PAID", "100.00"))).then(http(status, ""));
        let refund = qpay.refunds().unwrap().refund(&refund_request(CARD, "100")).await;
        assert_eq!(refund.unwrap_err().outcome(), Outcome::Unknown);
    }
}

#[tokio::test]
async fn money_that_came_while_it_was_cancelled_is_found() {
    for answer in [
        http(200, "{}"),
        http(400, failure("INVOICE_PAID")),
        http(409, failure("INVOICE_PAID")),
        http(400, failure("INVOICE_ALREADY_CANCELED")),
    ] {
        let (qpay, script) = qpay();
        script.then(answer);
        script_check(&script, &[(TRANSFER, "PAID", "100.00")]);
        let said = cancel(&qpay).await.unwrap();
        assert_eq!((said.status, said.amount), (PaymentStatus::Paid, Some(mnt("100"))));
    }
    // A part of it came: the invoice is cancelled, and the money is not forgotten.
    let (qpay, script) = qpay();
    script.then(http(200, "{}"));
    script_check(&script, &[(TRANSFER, "PAID", "40.00")]);
    let said = cancel(&qpay).await.unwrap();
    assert_eq!((said.status, said.amount), (PaymentStatus::Canceled, Some(mnt("40"))));
}

#[tokio::test]
async fn a_question_that_fails_takes_no_answer_away() {
    let (qpay, script) = qpay();
    script.then(http(200, "{}")).then(http(502, "<html>"));
    assert_eq!(cancel(&qpay).await.unwrap().status, PaymentStatus::Canceled);
    script.then(http(400, failure("INVOICE_PAID"))).then(http(502, "<html>"));
    let error = cancel(&qpay).await.unwrap_err();
    assert_eq!((error.code(), error.outcome()), (Some("INVOICE_PAID"), Outcome::Refused));
}

#[tokio::test]
async fn a_card_payment_is_given_back_whole_and_nothing_is_claimed() {
    for (cancels, word) in [(false, "refund"), (true, "cancel")] {
        let (qpay, script) = qpay();
        script.then(ok(&read(CARD, "PAID", "100.00"))).then(http(200, "{}"));
        let request = refund_request(CARD, "100");
        let refund = if cancels {
            qpay.cancel_payment(&request).await.unwrap()
        } else {
            qpay.refunds().unwrap().refund(&request).await.unwrap()
        };
        assert_eq!(
            (refund.amount, refund.status, refund.provider_ref),
            (mnt("100"), RefundStatus::Pending, None)
        );
        let sent = script.sent();
        assert_eq!(
            (sent[0].method, sent[0].url.path()),
            (Method::Get, format!("/v2/payment/{CARD}").as_str())
        );
        assert_eq!(
            (sent[1].method, sent[1].url.path()),
            (Method::Delete, format!("/v2/payment/{word}/{CARD}").as_str())
        );
        assert_eq!((body(&sent[1]), sent.len()), (r#"{"note":"n"}"#, 2));
    }
    // What proves it comes with a later question.
    let (qpay, script) = qpay();
    script_check(&script, &[(CARD, "REFUNDED", "100.00")]);
    let said = query(&qpay).await.unwrap();
    assert!(said.status.is_paid() && said.refunded == Some(mnt("100")) && said.parts[0].returned);
}

#[tokio::test]
async fn what_qpay_would_not_give_back_is_refused_before_it_is_sent() {
    let change = |name: &str, value: Value| {
        let mut read = read(CARD, "PAID", "100.00");
        read[name] = value;
        read
    };
    for (answer, amount, kind, field) in [
        (change("transaction_type", "P2P".into()), "100", ErrorKind::Unsupported, "part"),
        (change("payment_status", "FAILED".into()), "100", ErrorKind::Rejected, "part"),
        (change("payment_status", "NEW".into()), "100", ErrorKind::Rejected, "part"),
        (change("payment_status", "REFUNDED".into()), "100", ErrorKind::Duplicate, "part"),
        (change("object_id", OTHER_INVOICE.into()), "100", ErrorKind::Untrusted, "object_id"),
        (change("payment_id", TRANSFER.into()), "100", ErrorKind::Untrusted, "payment_id"),
        (change("payment_currency", "USD".into()), "100", ErrorKind::Untrusted, "payment_currency"),
        (read(CARD, "PAID", "100.00"), "50", ErrorKind::InvalidRequest, "amount"),
        (read(CARD, "PAID", "100.00"), "100.01", ErrorKind::InvalidRequest, "amount"),
    ] {
        let (qpay, script) = qpay();
        script.then(ok(&answer));
        let error = qpay.refunds().unwrap().refund(&refund_request(CARD, amount)).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field(), error.outcome()),
            (kind, Some(field), Outcome::NoEffect),
            "{error}"
        );
        assert_eq!(script.one().method, Method::Get, "nothing but the question is sent");
    }
}

#[tokio::test]
async fn a_refund_names_its_part() {
    let (qpay, script) = qpay();
    let mut request = refund_request(CARD, "100");
    request.part = None;
    let error = qpay.refunds().unwrap().refund(&request).await.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidRequest, Some("part")));
    let error = qpay.refunds().unwrap().refund(&refund_request("../1", "100")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(script.sent().is_empty());
}

/// The type of a payment may be missing, or QPay may know better.
#[tokio::test]
async fn a_settled_payment_is_refused_in_clear_words() {
    for kind in [Value::Null, "CARD".into(), "OTHER".into()] {
        let (qpay, script) = qpay();
        let mut answer = read(CARD, "PAID", "100.00");
        answer["transaction_type"] = kind;
        script
            .then(ok(&answer))
            .then(http(400, r#"{"error":"PAYMENT_SETTLED","message":"PAYMENT_SETTLED"}"#));
        let error = qpay.refunds().unwrap().refund(&refund_request(CARD, "100")).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Rejected, Outcome::Refused));
        assert_eq!(error.code(), Some("PAYMENT_SETTLED"));
        assert!(error.message().contains("bank transfer") && error.message().contains("by hand"), "{error}");
    }
}

#[tokio::test]
async fn a_refund_whose_answer_is_lost_is_unknown_and_sent_once() {
    for answer in [
        http(500, failure("SYSTEM_BUSY")),
        http(500, failure("TypeError")),
        http(502, "<html>"),
        http(200, "<html>"),
        http(200, "[]"),
        http(400, failure("PAYMENT_ALREADY_CANCELED")),
        http(400, failure("NEVER_SEEN")),
        Err(TransportError::new(Phase::MayHaveBeenSent, TransportFault::Timeout, "scripted")),
    ] {
        let (qpay, script) = qpay();
        script.then(ok(&read(CARD, "PAID", "100.00"))).then(answer);
        let error = qpay.refunds().unwrap().refund(&refund_request(CARD, "100")).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        let sent = script.sent();
        assert_eq!(sent.iter().filter(|request| request.method == Method::Delete).count(), 1);
    }
}

#[tokio::test]
async fn cancelling_a_payment_is_only_for_accounts_that_accept_it() {
    let mut config = config();
    config.accept = Accept::Observed;
    let (qpay, script) = qpay_at(config, &tulbur_core::ManualClock::new(NOW));
    let error = qpay.cancel_payment(&refund_request(CARD, "100")).await.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Unsupported, Some("accept")));
    assert!(script.sent().is_empty() && script.logins().is_empty());
    script.then(ok(&read(CARD, "PAID", "100.00"))).then(ok(&json!({})));
    assert!(qpay.refunds().unwrap().refund(&refund_request(CARD, "100")).await.is_ok());
}
