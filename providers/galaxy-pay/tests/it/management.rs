//! What is done with a payment that is there: asking, refunding, capturing, voiding.

use serde_json::{Value, json};
use tulbur_core::{CaptureRequest, PaymentStatus, Provider, RefundRequest, RefundStatus, VoidRequest};
use tulbur_galaxy_pay::{FLOW_AUTHORIZE, FLOW_OPTION};

use crate::common::*;

#[tokio::test]
async fn a_query_names_the_gateways_id_and_says_how_the_payment_stands() {
    for (code, stage, status) in [
        ("200", Some("SUCCESSFUL"), PaymentStatus::Paid),
        ("200", None, PaymentStatus::Paid),
        ("200", Some("PROCESSING"), PaymentStatus::Pending),
        ("200", Some("SOMETHING"), PaymentStatus::Pending),
        ("499", None, PaymentStatus::Canceled),
        ("408", None, PaymentStatus::Expired),
        ("505", None, PaymentStatus::Declined),
        ("504", None, PaymentStatus::Pending),
        ("51", None, PaymentStatus::Pending),
    ] {
        for number in [false, true] {
            let mut data = queried(code, stage);
            if number {
                data["orderAmount"] = 100_000.into();
                data["transactionDateTime"] = TODAY.into();
                data["transactionStatus"] = code.parse::<u64>().unwrap().into();
            }
            let (gateway, script) = gateway();
            script.then(http(200, done(&data)));
            let said = gateway.queries().unwrap().query(&payment(FLOW_OPTION)).await.unwrap();
            assert_eq!(said.status, status, "{code} {stage:?}");
            assert_eq!((said.reference, said.amount), (payment(FLOW_OPTION), Some(vnd(100_000))));
            assert_eq!(said.code.as_deref(), Some(code));
            assert_eq!(said.text.as_deref(), Some("Giao dịch thành công."));
            let wanted = json!({ "requestID": REQUEST, "requestDateTime": TODAY,
                "requestData": { "transactionID": TRANSACTION } });
            assert_eq!(one(&script), ("/api/v1/transaction/query".into(), wanted));
        }
    }
}

/// A query cannot tell held money from taken money.
#[tokio::test]
async fn held_money_is_authorized_at_least() {
    for (code, stage, status) in [
        ("200", Some("SUCCESSFUL"), PaymentStatus::Authorized),
        ("200", Some("AUTHORIZED"), PaymentStatus::Authorized),
        ("200", None, PaymentStatus::Authorized),
        ("200", Some("PROCESSING"), PaymentStatus::Pending),
        ("499", None, PaymentStatus::Canceled),
        ("505", None, PaymentStatus::Declined),
    ] {
        let (gateway, script) = gateway();
        script.then(http(200, done(&queried(code, stage))));
        let said = gateway.queries().unwrap().query(&payment(FLOW_AUTHORIZE)).await.unwrap();
        assert_eq!(said.status, status, "{code} {stage:?}");
    }
}

#[tokio::test]
async fn an_answer_without_an_amount_or_currency_names_none() {
    for missing in ["orderAmount", "orderCurrency"] {
        let mut data = queried("200", None);
        data[missing] = Value::Null;
        let (gateway, script) = gateway();
        script.then(http(200, done(&data)));
        let said = gateway.queries().unwrap().query(&payment(FLOW_OPTION)).await.unwrap();
        assert_eq!((said.status, said.amount), (PaymentStatus::Paid, None), "never the amount asked about");
    }
}

#[tokio::test]
async fn refund_capture_and_void_name_the_payment_and_themselves() {
    let wanted = |amount: u64, description: &str| {
        json!({ "requestID": format!("{REQUEST}c"), "requestDateTime": TODAY, "requestData": {
            "transactionID": TRANSACTION, "orderID": REFUND, "orderAmount": amount, "orderCurrency": "VND",
            "orderDateTime": TODAY, "orderDescription": description,
        } })
    };
    let (gateway, script) = gateway();
    for _ in 0..3 {
        script.then(http(200, Operation::Refund.good()));
    }
    let request = RefundRequest::new(payment(FLOW_OPTION), operation_ref(), vnd(40_000), "Trả lại");
    let refund = gateway.refunds().unwrap().refund(&request).await.unwrap();
    assert_eq!((refund.amount, refund.status), (vnd(40_000), RefundStatus::Succeeded));
    assert_eq!(refund.provider_ref, None, "the gateway names none");
    assert_eq!(one(&script), ("/api/v1/transaction/refund".into(), wanted(40_000, "Trả lại")));

    // A description is mandatory, so that the reference stands in for none.
    let (gateway, script) = crate::common::gateway();
    script.then(http(200, Operation::Capture.good()));
    let request = CaptureRequest::new(payment(FLOW_AUTHORIZE), operation_ref(), vnd(100_000));
    let captured = gateway.captures().unwrap().capture(&request).await.unwrap();
    assert_eq!((captured.status, captured.reference), (PaymentStatus::Paid, payment(FLOW_AUTHORIZE)));
    assert_eq!(one(&script), ("/api/v1/transaction/capture".into(), wanted(100_000, REFUND)));

    let (gateway, script) = crate::common::gateway();
    script.then(http(200, Operation::Void.good()));
    let request = VoidRequest::new(payment(FLOW_AUTHORIZE), operation_ref());
    let voided = gateway.voids().unwrap().void(&request).await.unwrap();
    assert_eq!((voided.status, voided.reference), (PaymentStatus::Canceled, payment(FLOW_AUTHORIZE)));
    assert_eq!(one(&script), ("/api/v1/transaction/void".into(), wanted(100_000, REFUND)));
}
