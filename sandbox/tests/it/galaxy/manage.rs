//! Refund, authorise, capture, void.

use serde_json::{Value, json};
use tulbur_sandbox::PaymentState;

use super::support::{CAPTURE, OPTION, PAY, QR, QUERY, REFUND, Shop, VOID, by, hosted, order, start, with};
use crate::support::Till;

fn refund(id: &str, order_id: &str, amount: &str) -> Value {
    json!({
        "transactionID": id, "orderID": order_id, "orderAmount": amount, "orderCurrency": "VND",
        "orderDateTime": "20250101080000", "orderDescription": "Hoàn tiền",
    })
}

#[tokio::test]
async fn parts_are_refunded_up_to_what_was_paid() {
    let (_sandbox, shop, gateway) = start().await;
    let id = shop.open(OPTION, order("A-1")).await;
    assert!(shop.refused(REFUND, refund(&id, "R-0", "1"), "400").await.contains("the payment is open"));
    gateway.act("A-1", "pay").unwrap();

    assert!(shop.good(REFUND, refund(&id, "R-1", "40000")).await.is_null());
    let message = shop.refused(REFUND, refund(&id, "R-2", "60001"), "400").await;
    assert!(message.contains("60001 is more than what is left, 60000"), "{message}");
    // A lost answer is no reason to refund twice: the same orderID is a duplicate.
    shop.refused(REFUND, refund(&id, "R-1", "40000"), "409").await;
    shop.refused(REFUND, refund(&id, "A-1", "40000"), "409").await;
    shop.good(REFUND, refund(&id, "R-3", "60000")).await;
    shop.refused(REFUND, refund(&id, "R-4", "1"), "400").await;

    let payment = gateway.payment("A-1").unwrap();
    assert_eq!((&payment.details["refunds"], &payment.details["refunded"]), (&json!(2), &json!("100000")));
    assert_eq!((payment.state, payment.debits), (PaymentState::Paid, 1));
    assert_eq!(shop.query(&id).await["transactionStage"], "SUCCESSFUL");
    gateway.set_switch("stage-refunded", "REFUNDED").unwrap();
    assert_eq!(shop.query(&id).await["transactionStage"], "REFUNDED");
}

#[tokio::test]
async fn a_refund_s_fields_are_checked() {
    let (_sandbox, shop, gateway) = start().await;
    let id = shop.open(OPTION, order("A-1")).await;
    gateway.act("A-1", "pay").unwrap();
    for name in
        ["transactionID", "orderID", "orderAmount", "orderCurrency", "orderDateTime", "orderDescription"]
    {
        let message = shop.refused(REFUND, with(refund(&id, "R", "1"), json!({ name: null })), "400").await;
        assert!(message.contains(&format!("mandatory field {name} is missing")), "{message}");
    }
    let dollars = with(refund(&id, "R", "1"), json!({ "orderCurrency": "USD" }));
    assert!(shop.refused(REFUND, dollars, "400").await.contains("the payment is in VND"));
    assert_eq!(shop.refused(REFUND, refund("25", "R", "1"), "400").await, "Transaction not found");
}

#[tokio::test]
async fn only_listed_providers_refund_unless_the_switch_says_all() {
    let (_sandbox, shop, gateway) = start().await;
    let qr = with(by("A-1", "QRPAY"), json!({ "sourceType": "QRPAY" }));
    let id = shop.open(QR, qr).await;
    gateway.act("A-1", "pay").unwrap();
    assert!(shop.refused(REFUND, refund(&id, "R-1", "5"), "400").await.contains("not supported"));
    gateway.set_switch("refund-providers", "all").unwrap();
    shop.good(REFUND, refund(&id, "R-1", "5")).await;

    gateway.set_switch("refund-providers", "listed").unwrap();
    let momo = with(by("A-2", "WALLET"), json!({ "sourceType": "MOMO" }));
    let id = shop.open(PAY, momo).await;
    gateway.act("A-2", "pay").unwrap();
    shop.good(REFUND, refund(&id, "R-2", "5")).await;
}

/// Opens an authorisation, by a JSON boolean or a text, and pays.
async fn hold(shop: &Shop, gateway: &tulbur_sandbox::Provider, id: &str, wish: Value) -> String {
    let data = with(by(id, "INTERNATIONAL"), json!({ "isAutoCapture": wish, "apiVersion": 2 }));
    let transaction = shop.open(PAY, data).await;
    gateway.act(id, "pay").unwrap();
    transaction
}

#[tokio::test]
async fn an_amount_is_held_until_it_is_captured() {
    let (_sandbox, shop, gateway) = start().await;
    let till = Till::open().await;
    gateway.set_push_address(Some(&till.address)).unwrap();
    for (at, wish) in [json!(false), json!("false")].into_iter().enumerate() {
        let order_id = format!("A-{at}");
        let id = hold(&shop, &gateway, &order_id, wish).await;
        let payment = gateway.payment(&order_id).unwrap();
        assert_eq!((payment.state, payment.debits), (PaymentState::Authorized, 0));
        for (switch, value, stage, status) in [
            ("stage-authorized", "AUTHORIZED", json!("AUTHORIZED"), "200"),
            ("stage-authorized", "PROCESSING", json!("PROCESSING"), "200"),
            ("stage-authorized", "SUCCESSFUL", json!("SUCCESSFUL"), "200"),
            ("stage-authorized", "absent", Value::Null, "200"),
            ("authorized-status", "as-pending", Value::Null, ""),
        ] {
            gateway.set_switch(switch, value).unwrap();
            let stands = shop.query(&id).await;
            assert_eq!((&stands["transactionStage"], &stands["transactionStatus"]), (&stage, &json!(status)));
        }
        gateway.set_switch("stage-authorized", "AUTHORIZED").unwrap();
        gateway.set_switch("authorized-status", "200").unwrap();
        assert!(shop.refused(REFUND, refund(&id, "R", "1"), "400").await.contains("is authorized"));
        for amount in ["99999", "100001"] {
            shop.refused(CAPTURE, refund(&id, "C", amount), "400").await;
        }
        shop.good(CAPTURE, refund(&id, &format!("C-{at}"), "100000")).await;
        assert_eq!(gateway.payment(&order_id).unwrap().debits, 1);
        assert_eq!(shop.query(&id).await["transactionStage"], "SUCCESSFUL");
        assert!(shop.refused(CAPTURE, refund(&id, "C-9", "100000"), "400").await.contains("is paid"));
        assert!(shop.refused(VOID, refund(&id, "V-9", "100000"), "400").await.contains("is paid"));
        shop.good(REFUND, refund(&id, &format!("R-{at}"), "100000")).await;
        till.wait_for(2 * (at + 1)).await;
    }
    // The switches take the notification of a capture away, and that of what is held.
    gateway.set_switch("capture-ipn", "no").unwrap();
    let id = hold(&shop, &gateway, "B-1", json!("false")).await;
    shop.good(CAPTURE, json!({ "transactionID": id })).await;
    assert_eq!(gateway.payment("B-1").unwrap().pushes.len(), 1);
    gateway.set_switch("authorized-ipn", "no").unwrap();
    hold(&shop, &gateway, "B-3", json!("false")).await;
    assert_eq!(gateway.payment("B-3").unwrap().pushes.len(), 0);

    gateway.set_switch("partial-capture", "allowed").unwrap();
    let id = hold(&shop, &gateway, "B-2", json!(false)).await;
    shop.good(CAPTURE, refund(&id, "C-2", "30000")).await;
    assert_eq!(gateway.payment("B-2").unwrap().details["captured"], "30000");
    shop.refused(REFUND, refund(&id, "R-8", "30001"), "400").await;
    shop.good(REFUND, refund(&id, "R-9", "30000")).await;
}

#[tokio::test]
async fn a_void_lets_go_of_everything_and_its_path_is_an_assumption() {
    let (_sandbox, shop, gateway) = start().await;
    for (at, (switch, status)) in [("499", "499"), ("200", "200")].into_iter().enumerate() {
        gateway.set_switch("voided-status", switch).unwrap();
        let order_id = format!("A-{at}");
        let id = hold(&shop, &gateway, &order_id, json!(false)).await;
        assert!(shop.refused(VOID, refund(&id, "V", "5"), "400").await.contains("whole amount"));
        gateway.set_switch("void-path", "not-there").unwrap();
        assert_eq!(shop.call(VOID, json!({ "transactionID": id })).await.status, 404);
        gateway.set_switch("void-path", "served").unwrap();
        shop.good(VOID, json!({ "transactionID": id })).await;
        let payment = gateway.payment(&order_id).unwrap();
        assert_eq!((payment.state, payment.debits), (PaymentState::Canceled, 0));
        assert!(payment.actions.is_empty() && payment.details["voidedAt"].is_string());
        let stands = shop.query(&id).await;
        assert_eq!(
            (&stands["transactionStage"], &stands["transactionStatus"]),
            (&json!("VOIDED"), &json!(status))
        );
        for path in [VOID, CAPTURE] {
            shop.refused(path, json!({ "transactionID": id }), "400").await;
        }
        assert_eq!(payment.pushes.len(), 1);
    }
    gateway.set_switch("void-ipn", "yes").unwrap();
    let id = hold(&shop, &gateway, "A-9", json!(false)).await;
    shop.good(VOID, json!({ "transactionID": id })).await;
    assert_eq!(gateway.payment("A-9").unwrap().pushes.len(), 2);
}

#[tokio::test]
async fn a_merchant_hosted_card_without_a_challenge_is_held_or_paid_with_the_call() {
    let (_sandbox, shop, gateway) = start().await;
    let data = with(by("A-1", "INTERNATIONAL"), hosted(super::support::PLAIN));
    let opened = shop.good(PAY, data.clone()).await;
    assert!(opened["endpoint"].is_string());
    assert_eq!(gateway.payment("A-1").unwrap().debits, 1);
    shop.good(PAY, with(data, json!({ "orderID": "A-2", "isAutoCapture": "false" }))).await;
    assert_eq!(gateway.payment("A-2").unwrap().state, PaymentState::Authorized);
}

#[tokio::test]
async fn money_that_comes_late_is_possible_and_a_query_sees_the_end_before_the_clock_ticks() {
    let (_sandbox, shop, gateway) = start().await;
    gateway.set_switch("page-seconds", "1").unwrap();
    let id = shop.open(OPTION, order("A-1")).await;
    tokio::time::sleep(std::time::Duration::from_millis(1010)).await;
    let stands = shop.good(QUERY, json!({ "transactionID": id })).await;
    assert_eq!(
        (&stands["transactionStage"], &stands["transactionStatus"]),
        (&json!("EXPIRED"), &json!("408"))
    );
    gateway.act("A-1", "pay").unwrap();
    assert_eq!(shop.query(&id).await["transactionStage"], "SUCCESSFUL");
    assert!(gateway.act("A-1", "pay").unwrap_err().to_string().contains("is paid"));
    // The transaction's own id names it too.
    assert!(gateway.act(&id, "cancel").unwrap_err().to_string().contains("is paid"));
    assert!(gateway.act("nobody", "pay").is_err());
}
