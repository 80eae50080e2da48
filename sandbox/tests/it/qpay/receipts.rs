//! VAT receipts, in the new and in the old way.

use serde_json::{Value, json};

use super::support::{INVOICE, Shop, act, names, payment_id, simple, start, with};

const V3: &str = "/v2/ebarimt_v3/create";
const OLD: &str = "/v2/ebarimt/create";

async fn paid(shop: &Shop, qpay: &tulbur_sandbox::Provider, number: &str, more: Value) -> String {
    shop.good("POST", INVOICE, &with(simple(number), more)).await;
    act(qpay, number, "pay", &[]);
    payment_id(qpay, number)
}

fn citizen(payment: &str) -> Value {
    json!({ "payment_id": payment, "ebarimt_receiver_type": "CITIZEN", "ebarimt_receiver": "88112233" })
}

#[tokio::test]
async fn a_receipt_is_registered_and_canceled_by_the_payment_s_id() {
    let (_sandbox, shop, qpay) = start().await;
    let payment = paid(&shop, &qpay, "A-1", json!({ "amount": 200, "sender_branch_code": "B" })).await;
    let receipt = shop.good("POST", V3, &citizen(&payment)).await;
    assert_eq!(names(&receipt).len(), 38);
    for (name, value) in [
        ("ebarimt_by", json!("QPAY")),
        ("ebarimt_receiver_type", json!("CITIZEN")),
        ("ebarimt_receiver", json!("88******")),
        ("merchant_branch_code", json!("B")),
        ("g_payment_id", json!(payment)),
        ("paid_by", json!("P2P")),
        ("object_type", json!("INVOICE")),
        ("amount", json!("200.00")),
        ("vat_amount", json!("18.18")),
        ("city_tax_amount", json!("0.00")),
        ("barimt_status", json!("REGISTERED")),
        ("tax_type", json!("1")),
        ("status", json!(true)),
        ("barimt_items", json!([])),
    ] {
        assert_eq!(receipt[name], value, "{name}");
    }
    assert_eq!(shop.good("POST", V3, &citizen(&payment)).await["id"], receipt["id"]);
    let canceled = shop.good("DELETE", &format!("/v2/ebarimt_v3/{payment}"), &json!({})).await;
    assert_eq!((&canceled["id"], &canceled["barimt_status"]), (&receipt["id"], &json!("CANCELED")));
    shop.refused("DELETE", "/v2/ebarimt_v3/none", &json!({}), 422, "BARIMT_NOT_FOUND").await;
    assert_eq!(qpay.payment("A-1").unwrap().details["receipts"], 1);
}

#[tokio::test]
async fn a_receipt_needs_a_paid_payment_and_its_fields() {
    let (_sandbox, shop, qpay) = start().await;
    shop.invoice("A-1").await;
    act(&qpay, "A-1", "fail", &[]);
    for path in [V3, OLD] {
        let reply = shop.call("POST", path, &citizen(&payment_id(&qpay, "A-1"))).await;
        let expected = "{\"error\":\"PAYMENT_NOT_PAID\",\"message\":\"Төлбөр төлөлт хийгдээгүй байна\"}";
        assert_eq!((reply.status, reply.text.as_str()), (400, expected));
        shop.refused("POST", path, &citizen("none"), 422, "PAYMENT_NOTFOUND").await;
    }
    for (body, name) in [
        (json!({ "ebarimt_receiver_type": "CITIZEN" }), "payment_id"),
        (json!({ "payment_id": "1" }), "ebarimt_receiver_type"),
        (json!({ "payment_id": "1", "ebarimt_receiver_type": "83" }), "ebarimt_receiver_type"),
        (json!({ "payment_id": "1", "ebarimt_receiver_type": "COMPANY" }), "ebarimt_receiver"),
        (
            json!({ "payment_id": "1", "ebarimt_receiver_type": "CITIZEN", "district_code": "x" }),
            "district_code",
        ),
    ] {
        let reply = shop.call("POST", V3, &body).await;
        assert_eq!(reply.status, 400);
        assert!(reply.json()["error"][name]["type"].is_string(), "{}", reply.text);
    }
}

#[tokio::test]
async fn vat_comes_from_the_lines_or_is_an_eleventh_or_none() {
    let (_sandbox, shop, qpay) = start().await;
    let lines = json!([{ "line_description": "x", "line_quantity": 1, "line_unit_price": 1000,
        "taxes": [{ "tax_code": "VAT", "amount": "89.2857" }, { "tax_code": "CITY_TAX", "amount": "17.8571" }] }]);
    for (number, more, vat, city) in [
        ("A-1", json!({ "amount": 1000, "lines": lines }), "89.28", "17.85"),
        ("A-2", json!({ "amount": 100 }), "9.09", "0.00"),
        ("A-3", json!({ "amount": 100, "tax_type": "2", "district_code": "0101" }), "0.00", "0.00"),
    ] {
        let payment = paid(&shop, &qpay, number, more).await;
        let receipt = shop.good("POST", V3, &citizen(&payment)).await;
        assert_eq!(
            (&receipt["vat_amount"], &receipt["city_tax_amount"]),
            (&json!(vat), &json!(city)),
            "{number}"
        );
        if number == "A-3" {
            assert_eq!(receipt["ebarimt_district_code"], "0101");
        }
    }
}

#[tokio::test]
async fn the_old_way_answers_as_qpay_s_sandbox_did() {
    let (_sandbox, shop, qpay) = start().await;
    let payment = paid(&shop, &qpay, "A-1", json!({})).await;
    let receipt = shop.good("POST", OLD, &citizen(&payment)).await;
    let path = format!("/v2/ebarimt/{}", receipt["id"].as_str().unwrap());
    assert_eq!(shop.good("GET", &path, &json!({})).await, receipt);
    qpay.set_switch("old-receipt-cancel", "refused").unwrap();
    shop.refused("DELETE", &path, &json!({}), 400, "EBARIMT_CANCEL_NOTSUPPERDED").await;
    qpay.set_switch("old-receipt-cancel", "works").unwrap();
    assert_eq!(shop.good("DELETE", &path, &json!({})).await["barimt_status"], "CANCELED");
    shop.refused("GET", "/v2/ebarimt/none", &json!({}), 422, "BARIMT_NOT_FOUND").await;
    for (value, status, text) in [
        ("empty", 200, "{}"),
        ("system-busy", 500, "{\"error\":\"SYSTEM_BUSY\"}"),
        ("type-error", 500, "{\"error\":\"TypeError\",\"message\":\"TypeError\"}"),
    ] {
        qpay.set_switch("old-receipt-answer", value).unwrap();
        let reply = shop.call("POST", OLD, &citizen(&payment)).await;
        assert_eq!((reply.status, reply.text.as_str()), (status, text));
    }
}
