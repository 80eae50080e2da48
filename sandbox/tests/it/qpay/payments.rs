//! Payments: checked, read, listed, given back.

use serde_json::{Value, json};

use super::support::{CHECK, INVOICE, LIST, act, explained, names, payment_id, start, statuses};

#[tokio::test]
async fn a_check_has_the_shape_and_the_types_of_qpay() {
    let (_sandbox, shop, qpay) = start().await;
    let id = shop.invoice("A-1").await;
    let body = json!({ "object_type": "INVOICE", "object_id": id }).to_string();
    assert_eq!(shop.raw("POST", CHECK, &body).await.text, "{\"count\":0,\"paid_amount\":0,\"rows\":[]}");
    qpay.set_switch("paid-amount-of-nothing", "absent").unwrap();
    assert_eq!(shop.raw("POST", CHECK, &body).await.text, "{\"count\":0,\"rows\":[]}");

    act(&qpay, "A-1", "pay", &[("amount", "40.50")]);
    act(&qpay, "A-1", "pay-by-card", &[]);
    let check = shop.check(&id).await;
    assert_eq!((&check["count"], &check["paid_amount"]), (&json!(2), &json!(100)));
    let [transfer, card] = check["rows"].as_array().unwrap().as_slice() else { panic!("{check}") };
    let members = [
        "card_transactions",
        "next_payment_date",
        "next_payment_datetime",
        "p2p_transactions",
        "payment_amount",
        "payment_currency",
        "payment_id",
        "payment_status",
        "payment_type",
        "payment_wallet",
        "trx_fee",
    ];
    for row in [transfer, card] {
        assert_eq!(names(row), members);
        assert_eq!((&row["payment_status"], &row["payment_currency"]), (&json!("PAID"), &json!("MNT")));
        assert_eq!((&row["next_payment_date"], &row["next_payment_datetime"]), (&Value::Null, &Value::Null));
        assert!(row["payment_wallet"].is_string());
    }
    assert_eq!((&transfer["payment_amount"], &transfer["trx_fee"]), (&json!("40.50"), &json!("0.40")));
    assert_eq!((&transfer["payment_type"], &card["payment_type"]), (&json!("P2P"), &json!("CARD")));
    assert_eq!(transfer["card_transactions"], json!([]));
    assert_eq!(transfer["p2p_transactions"][0]["amount"], "40.10");
    assert_eq!(card["payment_amount"], "59.50");
    assert_eq!(card["p2p_transactions"], json!([]));
    assert_eq!(card["card_transactions"][0]["amount"], "59.50");
    let id_of = |row: &Value| row["payment_id"].as_str().unwrap().to_owned();
    assert!(id_of(transfer).len() == 15 && id_of(transfer).bytes().all(|byte| byte.is_ascii_digit()));
    assert!(uuid::Uuid::parse_str(&id_of(card)).is_ok());

    qpay.set_switch("rows-order", "newest-first").unwrap();
    assert_eq!(id_of(&shop.check(&id).await["rows"][0]), id_of(card));
}

#[tokio::test]
async fn a_check_is_paged_and_counts_all() {
    let (_sandbox, shop, qpay) = start().await;
    let id = shop.invoice("A-1").await;
    act(&qpay, "A-1", "pay", &[("failed_before", "100")]);
    let first = shop.check_page(&id, 1, 100).await;
    assert_eq!((&first["count"], &first["paid_amount"]), (&json!(101), &json!(100)));
    assert!(statuses(&first).len() == 100 && statuses(&first).iter().all(|status| *status == "FAILED"));
    assert_eq!(statuses(&shop.check_page(&id, 2, 100).await), ["PAID"]);
    assert_eq!(statuses(&shop.check_page(&id, 3, 100).await), [""; 0]);
    let body = json!({ "object_type": "INVOICE", "object_id": id });
    assert_eq!(statuses(&shop.good("POST", CHECK, &body).await).len(), 10, "the default of the sandbox");
    qpay.set_switch("usual-page-limit", "50").unwrap();
    assert_eq!(statuses(&shop.good("POST", CHECK, &body).await).len(), 50);

    let offset = |offset: Value| json!({ "object_type": "INVOICE", "object_id": id, "offset": offset });
    let texts = offset(json!({ "page_number": "2", "page_limit": "100" }));
    assert_eq!(statuses(&shop.good("POST", CHECK, &texts).await), ["PAID"]);
    for (wrong, name, kind) in [
        (json!({ "page_limit": 0 }), "page_limit", "MIN_NUMBER"),
        (json!({ "page_number": -1 }), "page_number", "MIN_NUMBER"),
        (json!({ "page_limit": 1001 }), "page_limit", "MAX_NUMBER"),
        (json!({ "page_limit": "x" }), "page_limit", "INVALID"),
    ] {
        let reply = shop.call("POST", CHECK, &offset(wrong)).await;
        assert_eq!((reply.status, &reply.json()["error"][name]["type"]), (400, &json!(kind)));
    }
    let huge = offset(json!({ "page_number": u64::MAX, "page_limit": 1000 }));
    assert_eq!(statuses(&shop.good("POST", CHECK, &huge).await), [""; 0]);
}

#[tokio::test]
async fn a_check_of_what_is_not_there() {
    let (_sandbox, shop, qpay) = start().await;
    let body = |kind: &str, id: &str| json!({ "object_type": kind, "object_id": id });
    shop.refused("POST", CHECK, &body("ORDER", "x"), 400, "INVALID_OBJECT_TYPE").await;
    shop.refused("POST", CHECK, &body("INVOICE", "x"), 422, "INVOICE_NOTFOUND").await;
    qpay.set_switch("check-of-unknown", "no-rows").unwrap();
    assert_eq!(shop.good("POST", CHECK, &body("INVOICE", "x")).await["count"], 0);
    let reply = shop.call("POST", CHECK, &json!({ "object_type": "INVOICE" })).await;
    assert_eq!((reply.status, &reply.json()["error"]["object_id"]["type"]), (400, &json!("REQUIRED")));
}

#[tokio::test]
async fn a_payment_is_read_with_its_invoice() {
    let (_sandbox, shop, qpay) = start().await;
    let id = shop.invoice("A-1").await;
    act(&qpay, "A-1", "pay", &[]);
    let payment = payment_id(&qpay, "A-1");
    let read = shop.good("GET", &format!("/v2/payment/{payment}"), &json!({})).await;
    let members = [
        "card_transactions",
        "next_payment_date",
        "next_payment_datetime",
        "object_id",
        "object_type",
        "p2p_transactions",
        "payment_amount",
        "payment_currency",
        "payment_date",
        "payment_fee",
        "payment_id",
        "payment_status",
        "payment_wallet",
        "transaction_type",
    ];
    assert_eq!(names(&read), members);
    assert_eq!((&read["object_type"], &read["object_id"]), (&json!("INVOICE"), &json!(id)));
    assert_eq!((&read["payment_fee"], &read["transaction_type"]), (&json!("1.00"), &json!("P2P")));
    let date = read["payment_date"].as_str().unwrap();
    assert!(date.len() == 24 && date.ends_with('Z') && date.parse::<jiff::Timestamp>().is_ok(), "{date}");
    let none = json!({});
    shop.refused("GET", "/v2/payment/000", &none, 422, "PAYMENT_NOTFOUND").await;
    shop.refused("GET", &format!("/v2/payment/{id}"), &none, 422, "PAYMENT_NOTFOUND").await;
    assert!(explained(&qpay).contains("this is an invoice_id"));
}

#[tokio::test]
async fn payments_are_listed_by_invoice_code_and_date() {
    let (_sandbox, shop, qpay) = start().await;
    shop.invoice_with("A-1", json!({ "sender_branch_code": "B1" })).await;
    let second = shop.invoice("A-2").await;
    act(&qpay, "A-1", "pay", &[]);
    act(&qpay, "A-2", "fail", &[]);
    act(&qpay, "A-2", "pay", &[]);
    let list = async |more: Value| {
        let body =
            super::support::with(json!({ "object_type": "INVOICE", "object_id": "SANDBOX_INVOICE" }), more);
        let list = shop.good("POST", LIST, &body).await;
        list["rows"].as_array().unwrap().len()
    };
    assert_eq!(list(json!({ "offset": { "page_number": 1, "page_limit": 20 } })).await, 3);
    assert_eq!(list(json!({ "offset": { "page_number": 2, "page_limit": 2 } })).await, 1);
    assert_eq!(list(json!({ "object_type": "MERCHANT", "object_id": "any" })).await, 3);
    assert_eq!(list(json!({ "merchant_branch_code": "B1" })).await, 1);
    assert_eq!(list(json!({ "object_id": "SANDBOX_VAT_INVOICE" })).await, 0);
    assert_eq!(list(json!({ "object_id": second })).await, 0);
    assert!(explained(&qpay).contains("INVOICE means the invoice_code"));
    let first = shop.good("POST", LIST, &json!({ "object_type": "MERCHANT", "object_id": "any" })).await;
    let paid_at: jiff::Timestamp = first["rows"][0]["payment_date"].as_str().unwrap().parse().unwrap();
    let today = paid_at.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8)));
    let day = |zoned: &jiff::Zoned| zoned.strftime("%Y-%m-%d").to_string();
    let (today, tomorrow) = (day(&today), day(&today.tomorrow().unwrap()));
    for (start, end, count) in [
        (format!("{today} 00:00:00"), format!("{tomorrow}T23:59:59.123456"), 3),
        (today.clone(), tomorrow.clone(), 3),
        ("2020-01-01".to_owned(), "2020-12-31".to_owned(), 0),
        (format!("{tomorrow} 23:59:59"), tomorrow.clone(), 0),
    ] {
        assert_eq!(list(json!({ "start_date": start, "end_date": end })).await, count, "{start} {end}");
    }
    let body = json!({ "object_type": "INVOICE", "object_id": "SANDBOX_INVOICE" });
    let row = shop.good("POST", LIST, &body).await["rows"][0].clone();
    for member in [
        "payment_id",
        "payment_date",
        "payment_fee",
        "payment_amount",
        "payment_name",
        "qr_code",
        "paid_by",
        "object_id",
    ] {
        assert!(row[member].is_string(), "{member}");
    }
    shop.refused(
        "POST",
        LIST,
        &json!({ "object_type": "ITEM", "object_id": "x" }),
        400,
        "INVALID_OBJECT_TYPE",
    )
    .await;
    let wrong = json!({ "object_type": "MERCHANT", "object_id": "x", "start_date": "31.01.2026" });
    assert_eq!(shop.call("POST", LIST, &wrong).await.status, 400);
}

#[tokio::test]
async fn only_a_card_s_payment_is_given_back_and_once() {
    let (_sandbox, shop, qpay) = start().await;
    for (number, path) in [("A-1", "cancel"), ("A-2", "refund")] {
        let id = shop.invoice(number).await;
        let body = json!({ "note": "n", "callback_url": "https://shop.example/cb" });
        let at = |payment: String| format!("/v2/payment/{path}/{payment}");
        act(&qpay, number, "fail", &[]);
        shop.refused("DELETE", &at(payment_id(&qpay, number)), &body, 400, "PAYMENT_NOT_PAID").await;
        act(&qpay, number, "pay", &[]);
        let reply = shop.call("DELETE", &at(payment_id(&qpay, number)), &body).await;
        assert_eq!(
            (reply.status, reply.text.as_str()),
            (400, "{\"error\":\"PAYMENT_SETTLED\",\"message\":\"PAYMENT_SETTLED\"}")
        );
        act(&qpay, number, "pay-by-card", &[]);
        let card = payment_id(&qpay, number);
        let reply = shop.raw("DELETE", &at(card.clone()), "").await;
        let text = if number == "A-1" { "{}" } else { "" };
        assert_eq!((reply.status, reply.text.as_str()), (200, text));
        qpay.set_switch("refund-answer", "nothing").unwrap();
        shop.refused("DELETE", &at(card.clone()), &body, 400, "PAYMENT_ALREADY_CANCELED").await;
        shop.refused("DELETE", &at("x".to_owned()), &body, 422, "PAYMENT_NOTFOUND").await;
        assert_eq!(statuses(&shop.check(&id).await), ["FAILED", "PAID", "REFUNDED"]);
        let read = shop.good("GET", &format!("/v2/payment/{card}"), &json!({})).await;
        assert_eq!(read["payment_status"], "REFUNDED");
    }
}

#[tokio::test]
async fn every_code_can_be_had_with_its_status() {
    let (_sandbox, shop, qpay) = start().await;
    let profile = qpay.profile().clone();
    let switch = profile.switches.iter().find(|switch| switch.id == "answer-code").unwrap();
    let tulbur_sandbox::plugin::SwitchValues::OneOf(values) = &switch.values else { panic!() };
    assert_eq!(values.len(), 58);
    for (code, _) in values.iter().skip(1) {
        qpay.set_switch("answer-code", code).unwrap();
        let status = match code.as_str() {
            "AUTHENTICATION_FAILED" | "NO_CREDENTIALS" | "NO_CREDENDIALS" => 401,
            "PERMISSION_DENIED" | "MERCHANT_INACTIVE" | "QRACCOUNT_INACTIVE" => 403,
            "SYSTEM_BUSY" | "TypeError" => 500,
            code if code.contains("NOTFOUND") || code.contains("NOT_FOUND") => 422,
            code if code.contains("DUPLICATE")
                || code.ends_with("REGISTERED") && code != "EBARIMT_NOT_REGISTERED" =>
            {
                409
            }
            "BANK_MCC_ALREADY_ADDED" => 409,
            _ => 400,
        };
        shop.refused("POST", INVOICE, &super::support::simple("A-1"), status, code).await;
    }
    assert!(qpay.payment("A-1").is_none());
    qpay.set_switch("answer-code-effect", "carried-out").unwrap();
    shop.call("POST", INVOICE, &super::support::simple("A-1")).await;
    assert!(qpay.payment("A-1").is_some() && explained(&qpay).contains("carried out all the same"));
}
