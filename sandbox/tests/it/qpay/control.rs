//! Actions of a person or a test on an invoice.

use serde_json::json;
use tulbur_sandbox::PaymentState;

use super::support::{act, payment_id, start, statuses, try_act};

#[tokio::test]
async fn an_invoice_is_paid_in_full_in_part_more_and_twice() {
    let (_sandbox, shop, qpay) = start().await;
    let full = shop.invoice("A-1").await;
    act(&qpay, "A-1", "pay", &[]);
    assert_eq!(shop.check(&full).await["paid_amount"], 100);
    let record = qpay.payment("A-1").unwrap();
    assert_eq!((record.state, record.debits, record.amount.as_str()), (PaymentState::Paid, 1, "100"));
    assert!(record.debited_at.is_some());

    let part = shop.invoice("A-2").await;
    act(&qpay, "A-2", "pay", &[("amount", "40")]);
    assert_eq!(shop.read(&part).await["invoice_status"], "OPEN");
    assert_eq!(qpay.payment("A-2").unwrap().state, PaymentState::Open);
    assert_eq!(qpay.payment("A-2").unwrap().details["paid"], "40.00");
    // What is left, unless told.
    act(&qpay, "A-2", "pay", &[("type", "CARD")]);
    let check = shop.check(&part).await;
    assert_eq!((&check["paid_amount"], &check["rows"][1]["payment_amount"]), (&json!(100), &json!("60.00")));
    assert_eq!(shop.read(&part).await["invoice_status"], "CLOSED");

    let more = shop.invoice("A-3").await;
    act(&qpay, "A-3", "pay", &[("amount", "150.50")]);
    let body = json!({ "object_type": "INVOICE", "object_id": more });
    let text = shop.call("POST", super::support::CHECK, &body).await.text;
    assert!(text.contains("\"paid_amount\":150.50,"), "a number, as it is: {text}");

    let twice = shop.invoice("A-4").await;
    act(&qpay, "A-4", "pay", &[]);
    act(&qpay, "A-4", "pay", &[]);
    assert_eq!(statuses(&shop.check(&twice).await), ["PAID", "PAID"]);
    assert_eq!(
        (shop.check(&twice).await["paid_amount"].as_u64(), qpay.payment("A-4").unwrap().debits),
        (Some(200), 2)
    );

    qpay.set_switch("closes-with", "any-payment").unwrap();
    let first = shop.invoice("A-5").await;
    act(&qpay, "A-5", "pay", &[("amount", "1")]);
    assert_eq!(shop.read(&first).await["invoice_status"], "CLOSED");
}

#[tokio::test]
async fn failed_then_paid_then_refunded() {
    let (_sandbox, shop, qpay) = start().await;
    let id = shop.invoice("A-1").await;
    act(&qpay, "A-1", "fail", &[]);
    let check = shop.check(&id).await;
    assert_eq!(
        (statuses(&check), &check["count"], &check["paid_amount"]),
        (vec!["FAILED"], &json!(1), &json!(0))
    );
    assert_eq!(qpay.payment("A-1").unwrap().debits, 0);
    assert_eq!(shop.read(&id).await["invoice_status"], "OPEN");
    assert!(try_act(&qpay, "A-1", "refund", &[]).is_err());
    act(&qpay, "A-1", "pay", &[]);
    assert_eq!(statuses(&shop.check(&id).await), ["FAILED", "PAID"]);

    // QPay's own people can give a transfer back, though the API cannot.
    act(&qpay, "A-1", "refund", &[]);
    let check = shop.check(&id).await;
    assert_eq!((statuses(&check), &check["paid_amount"]), (vec!["FAILED", "REFUNDED"], &json!(0)));
    let record = qpay.payment("A-1").unwrap();
    assert_eq!(
        (record.state, record.debits, record.code.as_deref()),
        (PaymentState::Paid, 1, Some("REFUNDED"))
    );
    qpay.set_switch("paid-amount-counts", "refunded-too").unwrap();
    assert_eq!(shop.check(&id).await["paid_amount"], 100);
}

#[tokio::test]
async fn a_named_payment_is_refunded() {
    let (_sandbox, shop, qpay) = start().await;
    let id = shop.invoice("A-1").await;
    act(&qpay, "A-1", "pay", &[("payment_id", "111")]);
    act(&qpay, "A-1", "pay", &[("payment_id", "222")]);
    act(&qpay, "A-1", "refund", &[("payment_id", "111")]);
    assert_eq!(statuses(&shop.check(&id).await), ["REFUNDED", "PAID"]);
    assert!(try_act(&qpay, "A-1", "refund", &[("payment_id", "111")]).is_err());
    assert!(try_act(&qpay, "A-1", "refund", &[("amount", "1")]).is_err());
}

#[tokio::test]
async fn an_invoice_is_paid_while_it_is_being_canceled() {
    let (_sandbox, shop, qpay) = start().await;
    let id = shop.invoice("A-1").await;
    act(&qpay, "A-1", "pay-on-cancel", &[("type", "CARD")]);
    assert_eq!(shop.check(&id).await["count"], 0);
    let reply = shop.raw("DELETE", &format!("/v2/invoice/{id}"), "").await;
    assert_eq!((reply.status, reply.text.as_str()), (200, "{}"));
    let check = shop.check(&id).await;
    assert_eq!((statuses(&check), &check["rows"][0]["payment_type"]), (vec!["PAID"], &json!("CARD")));
    assert_eq!(qpay.payment("A-1").unwrap().state, PaymentState::Paid);
    assert_eq!(shop.read(&id).await["invoice_status"], "CANCELED");
}

#[tokio::test]
async fn no_payment_takes_another_s_id_and_no_sum_overflows() {
    let (_sandbox, shop, qpay) = start().await;
    let id = shop.invoice("A-1").await;
    act(&qpay, "A-1", "pay-on-cancel", &[("payment_id", "111")]);
    shop.invoice("A-2").await;
    act(&qpay, "A-2", "pay", &[("payment_id", "111")]);
    shop.raw("DELETE", &format!("/v2/invoice/{id}"), "").await;
    assert_eq!(statuses(&shop.check(&id).await), ["PAID"]);
    assert_ne!(payment_id(&qpay, "A-1"), "111");
    for _ in 0..30 {
        act(&qpay, "A-2", "pay", &[("amount", "9999999999999999")]);
    }
    assert_eq!(qpay.payment("A-2").unwrap().debits, 31);
    let second = qpay.payment("A-2").unwrap().id;
    assert_eq!(shop.check(&second).await["count"], 31);
}

#[tokio::test]
async fn money_comes_after_the_end() {
    let (_sandbox, shop, qpay) = start().await;
    let canceled = shop.invoice("A-1").await;
    shop.raw("DELETE", &format!("/v2/invoice/{canceled}"), "").await;
    assert_eq!(qpay.payment("A-1").unwrap().state, PaymentState::Canceled);
    let expired = shop.invoice("A-2").await;
    act(&qpay, "A-2", "expire", &[]);
    assert_eq!(qpay.payment("A-2").unwrap().state, PaymentState::Expired);
    for status in ["OPEN", "CLOSED"] {
        qpay.set_switch("expired-status", status).unwrap();
        assert_eq!(shop.read(&expired).await["invoice_status"], status);
    }
    for (id, number) in [(canceled, "A-1"), (expired, "A-2")] {
        assert!(try_act(&qpay, number, "expire", &[]).is_err());
        act(&qpay, number, "pay", &[]);
        assert_eq!(shop.check(&id).await["paid_amount"], 100);
        assert_eq!(qpay.payment(number).unwrap().state, PaymentState::Paid);
    }
}

#[tokio::test]
async fn strange_rows_come_on_order() {
    let (_sandbox, shop, qpay) = start().await;
    let id = shop.invoice("A-1").await;
    act(&qpay, "A-1", "pay", &[("status", "SOMETHING_NEW")]);
    act(&qpay, "A-1", "pay", &[("currency", "USD"), ("wallet", "w")]);
    act(&qpay, "A-1", "pay", &[("payment_id", "089741882240445")]);
    let check = shop.check(&id).await;
    assert_eq!(statuses(&check), ["SOMETHING_NEW", "PAID", "PAID"]);
    assert_eq!(
        (&check["rows"][1]["payment_currency"], &check["rows"][1]["payment_wallet"]),
        (&json!("USD"), &json!("w"))
    );
    assert_eq!(check["rows"][2]["payment_id"], "089741882240445");
    let read = shop.good("GET", "/v2/payment/089741882240445", &json!({})).await;
    assert_eq!(read["object_id"], id);
    shop.refused("GET", "/v2/payment/89741882240445", &json!({}), 422, "PAYMENT_NOTFOUND").await;
    // Of 200 random ids some begin with a zero.
    act(&qpay, "A-1", "pay", &[("failed_before", "200")]);
    let all = qpay.payment("A-1").unwrap().details["payments"].clone();
    assert!(
        all.as_array()
            .unwrap()
            .iter()
            .skip(3)
            .any(|row| row["payment_id"].as_str().unwrap().starts_with('0'))
    );
}

#[tokio::test]
async fn details_that_make_no_sense_are_refused_with_what_there_is() {
    let (_sandbox, shop, qpay) = start().await;
    shop.invoice("A-1").await;
    act(&qpay, "A-1", "fail", &[("payment_id", "1")]);
    for (name, value, words) in [
        ("amount", "x", "not an amount"),
        ("type", "CASH", "P2P nor CARD"),
        ("status", "paid", "in capitals"),
        ("currency", "", "in capitals"),
        ("payment_id", "a/b", "not an id"),
        ("payment_id", "1", "used already"),
        ("failed_before", "2001", "up to 2000"),
        ("card", "success", "there are amount, type"),
    ] {
        let why = try_act(&qpay, "A-1", "pay", &[(name, value)]).unwrap_err().to_string();
        assert!(why.contains(words), "{why}");
    }
    assert!(try_act(&qpay, "nobody", "pay", &[]).is_err());
    assert_eq!(payment_id(&qpay, "A-1"), "1");
    let record = qpay.payment("A-1").unwrap();
    assert_eq!(record.actions, ["pay", "pay-by-card", "fail", "pay-on-cancel", "expire"]);
}
