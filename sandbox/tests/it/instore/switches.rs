//! Each switch changes what it says.

use std::time::Duration;

use serde_json::{Value, json};
use tulbur_qr::{Checksum, Payload};
use tulbur_sandbox::PaymentState;

use super::support::{INVOICE, code, desc, error, start};
use crate::support::{eventually, sign};

#[tokio::test]
async fn every_assumption_says_so_and_no_default_is_missing() {
    let (_sandbox, _, bank) = start().await;
    let values = bank.switches();
    for switch in &bank.profile().switches {
        assert_eq!(values[&switch.id], switch.default);
        assert_eq!(switch.assumption.is_none(), switch.id == "terminals", "{}", switch.id);
    }
    assert_eq!(values.len(), 30);
}

#[tokio::test]
async fn how_a_check_says_no() {
    let (_sandbox, till, bank) = start().await;
    till.phone("A", "5").await;
    for (value, expected) in [("01", "01"), ("51", "51"), ("99", "99"), ("empty", "")] {
        bank.set_switch("unpaid-code", value).unwrap();
        assert_eq!(code(&till.check("A", "5").await), expected);
    }
    bank.set_switch("unpaid-check", "error").unwrap();
    assert_eq!(error(&till.check("A", "5").await), ("error.notpaid.invoice", "NotPaid"));
    bank.set_switch("unpaid-check", "error-inside").unwrap();
    let answer = till.check("A", "5").await;
    assert_eq!(answer["header"], json!({ "code": 200, "status": "success" }));
    assert_eq!(answer["body"]["error"]["errorDesc"], "error.notpaid.invoice");
    bank.act("A", "pay").unwrap();
    assert_eq!(code(&till.check("A", "5").await), "00");

    bank.set_switch("unpaid-code", "01").unwrap();
    bank.set_switch("unknown-check", "result").unwrap();
    let unknown = till.check("B", "5").await;
    assert_eq!((code(&unknown), &unknown["body"]["response"]["invoice"]), ("01", &json!("B")));

    bank.set_switch("error-http-status", "400").unwrap();
    let reply = till.send("/pos/invoice/check", "{}").await.unwrap();
    assert_eq!((reply.status, &reply.json()["header"]["code"]), (400, &json!(400)));
}

#[tokio::test]
async fn a_number_that_is_there_already() {
    let (_sandbox, till, bank) = start().await;
    let first = till.qr("A", "5").await;
    assert_eq!(error(&till.simple("/pos/invoice/qr", "A", "5").await).0, "error.duplicate.invoice");
    bank.set_switch("duplicate-invoice", "same-answer").unwrap();
    assert_eq!(till.qr("A", "5.00").await, first);
    assert_eq!(error(&till.simple("/pos/invoice/qr", "A", "6").await).0, "error.duplicate.invoice");
    assert_eq!(error(&till.phone("A", "5").await).0, "error.duplicate.invoice");
    bank.set_switch("duplicate-invoice", "replaced").unwrap();
    let second = till.qr("A", "6").await;
    assert_ne!(second, first);
    assert_eq!(bank.payments().len(), 1);
    assert_eq!(till.form("/-/phone/scan", &[("code", &first)]).await.status, 422);
    bank.act("A", "pay").unwrap();
    assert_eq!(error(&till.simple("/pos/invoice/qr", "A", "6").await).0, "error.duplicate.invoice");
}

#[tokio::test]
async fn cancel_and_refund_as_the_switches_say() {
    let (_sandbox, till, bank) = start().await;
    for number in ["NOTHING", "REFUNDS", "TWICE", "PART", "SETTLED"] {
        till.phone(number, "5").await;
        bank.act(number, "pay").unwrap();
    }
    let refunds = |number: &str| bank.payment(number).unwrap().details["refunds"].clone();
    bank.set_switch("cancel-paid", "nothing").unwrap();
    desc(&till.cancel("NOTHING", "5").await);
    assert_eq!(refunds("NOTHING"), 0);
    bank.set_switch("cancel-paid", "refunds").unwrap();
    desc(&till.cancel("REFUNDS", "5").await);
    assert_eq!(refunds("REFUNDS"), 1);
    bank.set_switch("refunded-check", "unpaid").unwrap();
    assert_eq!(code(&till.check("REFUNDS", "5").await), "01");
    bank.set_switch("refunded-check", "paid").unwrap();
    assert_eq!(code(&till.check("REFUNDS", "5").await), "00");

    bank.set_switch("double-refund", "success").unwrap();
    for _ in 0..2 {
        assert_eq!(code(&till.refund("TWICE", "5").await), "00");
    }
    assert_eq!(refunds("TWICE"), 1);
    bank.set_switch("double-refund", "refused").unwrap();
    bank.set_switch("refused-refund", "error").unwrap();
    error(&till.refund("TWICE", "5").await);

    assert_eq!(error(&till.refund("PART", "2").await).1, "NotFound");
    bank.set_switch("partial-refund", "yes").unwrap();
    assert_eq!(code(&till.refund("PART", "2").await), "00");
    assert_eq!(bank.payment("PART").unwrap().details["refunded"], "2.00");
    error(&till.refund("PART", "3.01").await);
    assert_eq!(code(&till.refund("PART", "3").await), "00");

    bank.set_switch("settlement-count", "text").unwrap();
    let settled = till.settle("S").await;
    assert_eq!(settled["body"]["response"], json!({ "amount": "10", "count": "2", "status": "SUCCESS" }));
    bank.set_switch("refund-after-settlement", "no").unwrap();
    error(&till.refund("SETTLED", "5").await);
    bank.set_switch("refund-after-settlement", "yes").unwrap();
    assert_eq!(code(&till.refund("SETTLED", "5").await), "00");

    till.phone("ENDED", "5").await;
    bank.set_switch("cancel-ended", "success").unwrap();
    bank.set_switch("cancel-shape", "resp-code").unwrap();
    for _ in 0..2 {
        assert_eq!(code(&till.cancel("ENDED", "5").await), "00");
    }
}

#[tokio::test]
async fn what_a_code_looks_like() {
    let (_sandbox, till, bank) = start().await;
    for (at, (value, checksum)) in
        [("x25-upper", Checksum::X25), ("emvco-upper", Checksum::Emvco), ("emvco-lower", Checksum::Emvco)]
            .into_iter()
            .enumerate()
    {
        bank.set_switch("qr-checksum", value).unwrap();
        let text = till.qr(&format!("A{at}"), "1100").await;
        assert_eq!(Payload::parse(&text).unwrap().checksum().unwrap().checksum, checksum);
    }
    bank.set_switch("qr-form", "link").unwrap();
    assert!(till.qr("LINK", "5").await.starts_with("socialpay-payment://key="));
    bank.set_switch("deeplink-form", "qpay").unwrap();
    let link = till.deeplink("QPAY", "5").await;
    let payload = link.strip_prefix("socialpay-payment://q?qPay_QRcode=").unwrap();
    assert_eq!(bank.payment("QPAY").unwrap().details["qr"], payload);
    bank.set_switch("deeplink-form", "payload").unwrap();
    assert!(till.deeplink("PLAIN", "5").await.starts_with("000201"));
}

#[tokio::test]
async fn what_an_answer_looks_like() {
    let (_sandbox, till, bank) = start().await;
    till.phone("A", "1100.50").await;
    bank.act("A", "pay").unwrap();
    let response = async || till.check("A", "1100.50").await["body"]["response"].clone();
    for (form, shown) in [("two-decimals", "1100.50"), ("shortest", "1100.5"), ("as-sent", "1100.50")] {
        bank.set_switch("amount-echo", form).unwrap();
        let response = response().await;
        assert_eq!(response["amount"], shown);
        let message = format!("{}A{shown}", till.terminal);
        assert_eq!(response["checksum"], sign(&till.secret, &message));
    }
    bank.set_switch("amount-type", "number").unwrap();
    assert!(matches!(response().await["amount"], Value::Number(_)));
    bank.set_switch("answer-checksum", "absent").unwrap();
    assert!(response().await.get("checksum").is_none());
    bank.set_switch("amount-must-match", "no").unwrap();
    assert_eq!(code(&till.check("A", "7").await), "00");
}

#[tokio::test]
async fn numbers_without_socialpay_and_invoices_that_run_out() {
    let (_sandbox, till, bank) = start().await;
    let to_nobody = |number: &str| json!({ "invoice": number, "amount": "5", "phone": "00000000" });
    let covered = [INVOICE, &["phone"]].concat();
    desc(&till.call("/pos/invoice/phone", to_nobody("A"), &covered).await);
    assert!(!till.get("/-/phone").await.text.contains("data-invoice=\"A\""));
    bank.set_switch("unknown-phone", "failed").unwrap();
    let answer = till.call("/pos/invoice/phone", to_nobody("B"), &covered).await;
    assert_eq!(answer["body"]["response"]["status"], "FAILED");
    assert!(bank.payment("B").is_none());

    bank.set_switch("invoice-seconds", "1").unwrap();
    till.phone("C", "5").await;
    assert!(bank.payment("C").unwrap().expires_at.is_some());
    tokio::time::sleep(Duration::from_millis(1100)).await;
    till.form("/-/phone/C", &[("action", "pay")]).await;
    eventually("it ran out", || bank.payment("C").unwrap().state == PaymentState::Expired).await;
    assert_eq!(bank.payment("C").unwrap().debits, 0);
    bank.act("C", "pay").unwrap();
    assert_eq!(code(&till.check("C", "5").await), "00");
}

#[tokio::test]
async fn the_card_call_is_off_and_takes_only_test_cards() {
    let (_sandbox, till, bank) = start().await;
    let pay = async |card: &str| {
        let body = json!({ "card": card, "expiry": "1230", "amount": "1100.5", "terminal": till.terminal });
        till.send("/transaction/v1.0", body.to_string()).await.unwrap()
    };
    assert_eq!(pay("9999990000000006").await.status, 404);
    bank.set_switch("instore-v2", "yes").unwrap();
    let good = pay("9999990000000006").await.json();
    let user = &good["body"]["user"];
    assert_eq!((&user["responseCode"], &user["amountISO"]), (&json!("00"), &json!("000000110050")));
    assert!(user["referenceNumber"].is_number());
    assert_ne!(pay("9999990000000014").await.json()["body"]["user"]["responseCode"], "00");
    // A number that passes the check digit but is no test card.
    let other = pay("5555555555554444").await;
    assert_eq!(error(&other.json()).1, "InvalidRequest");
    let seen = format!("{:?}{:?}", bank.requests(), bank.payments());
    assert!(!seen.contains("5555555555554444") && !seen.contains("9999990000000006"), "{seen}");
    assert!(bank.payments().is_empty());
}
