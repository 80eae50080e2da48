//! Invoices: opening, reading, cancelling, and every way in which an order is wrong.

use serde_json::{Value, json};

use super::support::{INVOICE, act, explained, names, simple, start, with};

#[tokio::test]
async fn an_invoice_is_answered_with_a_code_a_picture_links_and_a_page() {
    let (_sandbox, shop, qpay) = start().await;
    let created = shop.good("POST", INVOICE, &simple("A-1")).await;
    assert_eq!(names(&created), ["invoice_id", "qPay_shortUrl", "qr_image", "qr_text", "urls"]);
    let id = created["invoice_id"].as_str().unwrap();
    assert!(uuid::Uuid::parse_str(id).is_ok());
    let text = created["qr_text"].as_str().unwrap();
    let payload = tulbur_qr::Payload::parse(text).unwrap();
    payload.checksum().unwrap();
    assert_eq!(
        (payload.amount(), payload.bill_number(), payload.additional(5)),
        (Some("100"), Some("A-1"), Some("test"))
    );
    assert_eq!(payload.national_account().unwrap().bank.as_deref(), Some("TESTMNUB"));
    assert_eq!(payload.additional(7).map(str::len), Some(21));
    // A picture, without "data:".
    assert!(created["qr_image"].as_str().unwrap().starts_with("iVBORw0KGgo"));
    let urls = created["urls"].as_array().unwrap();
    assert!(urls.len() >= 3);
    for app in urls {
        assert_eq!(names(app), ["description", "link", "logo", "name"]);
        let link = app["link"].as_str().unwrap();
        assert!(link.starts_with("tulbur-sandbox-") && link.ends_with(&format!("://q?qPay_QRcode={text}")));
    }
    let page = created["qPay_shortUrl"].as_str().unwrap().strip_prefix(&shop.base).unwrap();
    assert_eq!(shop.get(page).await.status, 200);
    let logo = urls[0]["logo"].as_str().unwrap().strip_prefix(&shop.base).unwrap();
    assert!(shop.get(logo).await.text.contains("<svg"));

    qpay.set_switch("links-member", "both").unwrap();
    let created = shop.good("POST", INVOICE, &simple("A-2")).await;
    assert_eq!(created["urls"], created["qPay_deeplink"]);
    qpay.set_switch("links-member", "qPay_deeplink").unwrap();
    let created = shop.good("POST", INVOICE, &simple("A-3")).await;
    assert!(created.get("urls").is_none() && created["qPay_deeplink"].is_array());
}

#[tokio::test]
async fn a_full_invoice_is_read_back_with_the_types_of_qpay() {
    let (_sandbox, shop, qpay) = start().await;
    let lines = json!([{
        "line_description": "x", "line_quantity": "2.00", "line_unit_price": 50.25, "note": null,
        "discounts": [{ "discount_code": "D", "description": "d", "amount": "0.50" }],
        "surcharges": [{ "surcharge_code": "S", "description": "s", "amount": 1 }],
        "taxes": [{ "tax_code": "VAT", "description": "v", "amount": "9.1363" }],
    }]);
    let transactions = json!([{ "description": "t", "amount": "101.00", "accounts": [{
        "account_bank_code": "050000", "account_number": "5000000000", "iban_number": "", "account_name": "A",
        "account_currency": "MNT", "is_default": "true",
    }] }]);
    let order = json!({
        "invoice_code": "SANDBOX_VAT_INVOICE", "sender_invoice_no": "A-1", "invoice_receiver_code": "83",
        "invoice_description": "full", "amount": null, "enable_expiry": "false", "expiry_date": "2026-12-31",
        "allow_partial": "true", "minimum_amount": "50", "allow_exceed": false, "maximum_amount": null,
        "calculate_vat": "true", "tax_type": "1", "district_code": "3505", "sender_branch_code": "B",
        "sender_branch_data": { "name": "b", "address": { "city": "c" } }, "sender_terminal_data": null,
        "invoice_receiver_data": { "register": "AA00000000", "name": "n", "email": "e@x", "phone": "88000000" },
        "callback_url": "https://shop.example/cb?o=1", "lines": lines, "transactions": transactions,
    });
    let created = shop.good("POST", INVOICE, &order).await;
    let id = created["invoice_id"].as_str().unwrap();
    let read = shop.read(id).await;
    let expected = [
        "allow_exceed",
        "allow_partial",
        "callback_url",
        "discount_amount",
        "enable_expiry",
        "expiry_date",
        "gross_amount",
        "inputs",
        "invoice_description",
        "invoice_due_date",
        "invoice_id",
        "invoice_status",
        "lines",
        "maximum_amount",
        "minimum_amount",
        "note",
        "sender_branch_code",
        "sender_branch_data",
        "sender_invoice_no",
        "sender_staff_code",
        "sender_staff_data",
        "sender_terminal_code",
        "sender_terminal_data",
        "surcharge_amount",
        "tax_amount",
        "total_amount",
        "transactions",
    ];
    assert_eq!(names(&read), expected);
    for (name, value) in [
        ("invoice_status", json!("OPEN")),
        ("total_amount", json!("101.00")),
        ("gross_amount", json!("100.50")),
        ("discount_amount", json!("0.50")),
        ("surcharge_amount", json!("1.00")),
        ("tax_amount", json!("9.13")),
        ("allow_partial", json!(true)),
        ("minimum_amount", json!("50.00")),
        ("allow_exceed", json!(false)),
        ("maximum_amount", Value::Null),
        ("enable_expiry", json!(false)),
        ("expiry_date", json!("2026-12-31")),
        ("sender_terminal_data", Value::Null),
        ("lines", lines),
        ("transactions", transactions),
        ("inputs", json!([])),
        ("callback_url", json!("https://shop.example/cb?o=1")),
    ] {
        assert_eq!(read[name], value, "{name}");
    }
    qpay.set_switch("invoice-amounts", "number").unwrap();
    let read = shop.raw("GET", &format!("/v2/invoice/{id}"), "").await.text;
    assert!(
        read.contains("\"total_amount\":\"101.00\"") && read.contains("\"gross_amount\":100.50"),
        "{read}"
    );

    act(&qpay, "A-1", "pay", &[]);
    let read = shop.read(id).await;
    assert_eq!(read["invoice_status"], "CLOSED");
    assert_eq!(read["payments"], shop.check(id).await["rows"]);
}

#[tokio::test]
async fn the_taxes_of_lines_are_inside_or_added_where_there_is_no_amount() {
    let (_sandbox, shop, qpay) = start().await;
    let line = json!({ "line_description": "x", "line_quantity": 1, "line_unit_price": 100,
        "taxes": [{ "tax_code": "VAT", "amount": 10 }, { "tax_code": "CITY_TAX", "amount": "2" }] });
    let order = |number: &str| with(simple(number), json!({ "amount": null, "lines": [line.clone()] }));
    for (number, how, total) in [("A-1", "inside", "100.00"), ("A-2", "added", "112.00")] {
        qpay.set_switch("taxes", how).unwrap();
        let created = shop.good("POST", INVOICE, &order(number)).await;
        let read = shop.read(created["invoice_id"].as_str().unwrap()).await;
        assert_eq!((&read["total_amount"], &read["tax_amount"]), (&json!(total), &json!("12.00")));
    }
}

#[tokio::test]
async fn amounts_are_numbers_or_texts_and_nothing_else() {
    let (_sandbox, shop, _qpay) = start().await;
    for (at, (amount, total)) in [
        ("100", "100.00"),
        ("\"100\"", "100.00"),
        ("100.0", "100.00"),
        ("\"100.50\"", "100.50"),
        ("0.01", "0.01"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = simple(&format!("A-{at}")).to_string().replace(":100,", &format!(":{amount},"));
        let reply = shop.raw("POST", INVOICE, &body).await;
        assert_eq!(reply.status, 200, "{amount}: {}", reply.text);
        let id = reply.json()["invoice_id"].as_str().unwrap().to_owned();
        assert_eq!(shop.read(&id).await["total_amount"], total);
    }
    for amount in ["0", "-1", "1e3", "\"1,000\"", "\"x\"", "null", "1.001", "99999999999999999"] {
        let body = simple("B").to_string().replace(":100,", &format!(":{amount},"));
        let reply = shop.raw("POST", INVOICE, &body).await;
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("INVALID_AMOUNT")), "{amount}");
    }
}

#[tokio::test]
async fn what_is_missing_too_long_or_of_another_kind_is_named() {
    let (_sandbox, shop, qpay) = start().await;
    let long = |most: usize| "ө".repeat(most + 1);
    for name in ["invoice_code", "sender_invoice_no", "invoice_receiver_code", "invoice_description"] {
        let reply = shop.call("POST", INVOICE, &with(simple("A"), json!({ name: null }))).await;
        assert_eq!((reply.status, &reply.json()["error"][name]["type"]), (400, &json!("REQUIRED")), "{name}");
        assert!(explained(&qpay).contains(name));
    }
    for (name, most) in [
        ("sender_invoice_no", 45),
        ("invoice_receiver_code", 45),
        ("invoice_description", 255),
        ("callback_url", 255),
        ("sender_branch_code", 45),
        ("sender_staff_code", 100),
        ("sender_terminal_code", 45),
        ("note", 1000),
    ] {
        let reply = shop.call("POST", INVOICE, &with(simple("A"), json!({ name: long(most) }))).await;
        assert_eq!(
            (reply.status, &reply.json()["error"][name]["type"]),
            (400, &json!("MAX_LENGTH")),
            "{name}"
        );
        let fits = "ө".repeat(most);
        shop.good("POST", INVOICE, &with(simple("B"), json!({ name: fits }))).await;
    }
    for (more, name) in [
        (json!({ "sender_branch_data": { "register": long(20) } }), "register"),
        (json!({ "invoice_receiver_data": { "phone": long(20) } }), "phone"),
        (json!({ "invoice_receiver_data": { "address": { "zipcode": long(20) } } }), "zipcode"),
        (json!({ "invoice_receiver_data": "x" }), "invoice_receiver_data"),
        (json!({ "enable_expiry": "maybe" }), "enable_expiry"),
        (json!({ "allow_partial": [1] }), "allow_partial"),
        (json!({ "tax_type": "4" }), "tax_type"),
        (json!({ "district_code": "x" }), "district_code"),
        (json!({ "lines": {} }), "lines"),
        (json!({ "lines": [{ "line_quantity": 1, "line_unit_price": 1 }] }), "line_description"),
        (
            json!({ "lines": [{ "line_description": "x", "line_quantity": 1, "line_unit_price": 1,
                "taxes": [{ "tax_code": "OTHER", "amount": 1 }] }] }),
            "tax_code",
        ),
        (json!({ "transactions": [{ "amount": 1 }] }), "description"),
        (
            json!({ "transactions": [{ "description": "t", "amount": 1, "accounts": [{ "account_number": "1" }] }] }),
            "account_bank_code",
        ),
    ] {
        let reply = shop.call("POST", INVOICE, &with(simple("A"), more)).await;
        assert_eq!(reply.status, 400, "{name}: {}", reply.text);
        assert!(reply.json()["error"][name]["message"].is_string(), "{name}: {}", reply.text);
    }
    for (more, code) in [
        (json!({ "invoice_code": "OTHER" }), "INVOICE_CODE_INVALID"),
        (json!({ "invoice_code": "sandbox_invoice" }), "INVOICE_CODE_INVALID"),
        (json!({ "invoice_code": "SANDBOX_VAT_INVOICE" }), "INVOICE_LINE_REQUIRED"),
        (
            json!({ "lines": [{ "line_description": "x", "line_quantity": "1e9", "line_unit_price": 1 }] }),
            "INVALID_AMOUNT",
        ),
        (
            json!({ "amount": null, "lines": [{ "line_description": "x", "line_quantity": 1, "line_unit_price": 1,
                "discounts": [{ "amount": 2 }] }] }),
            "INVALID_AMOUNT",
        ),
    ] {
        shop.refused("POST", INVOICE, &with(simple("A"), more), 400, code).await;
    }
    for body in ["{", "[]", "{\"a\":1,\"a\":2}"] {
        let reply = shop.raw("POST", INVOICE, body).await;
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("OBJECT_DATA_ERROR")), "{body}");
    }
}

#[tokio::test]
async fn an_account_can_be_stricter() {
    let (_sandbox, shop, qpay) = start().await;
    qpay.set_switch("least-amount", "101").unwrap();
    shop.refused("POST", INVOICE, &simple("A-1"), 400, "MIN_AMOUNT_ERR").await;
    qpay.set_switch("least-amount", "0").unwrap();
    qpay.set_switch("most-amount", "99").unwrap();
    shop.refused("POST", INVOICE, &simple("A-1"), 400, "MAX_AMOUNT_ERR").await;
    qpay.set_switch("most-amount", "0").unwrap();

    let person = |member: &str| json!({ "invoice_receiver_data": { member: "x" } });
    for (value, code) in [
        ("required", "INVOICE_RECEIVER_DATA_REQUIRED"),
        ("phone", "INVOICE_RECEIVER_DATA_PHONE_REQUIRED"),
        ("email", "INVOICE_RECEIVER_DATA_EMAIL_REQUIRED"),
        ("address", "INVOICE_RECEIVER_DATA_ADDRESS_REQUIRED"),
    ] {
        qpay.set_switch("receiver-data", value).unwrap();
        shop.refused("POST", INVOICE, &simple("A-1"), 400, "INVOICE_RECEIVER_DATA_REQUIRED").await;
        if value != "required" {
            shop.refused("POST", INVOICE, &with(simple("A-1"), person("name")), 400, code).await;
            shop.invoice_with("A", person(value)).await;
        }
    }
    qpay.set_switch("receiver-data", "optional").unwrap();

    // The same number again is a new invoice; the control API calls it by its id.
    shop.invoice("A-1").await;
    let second = shop.invoice("A-1").await;
    assert_eq!(qpay.payment(&second).unwrap().details["sender_invoice_no"], "A-1");
    qpay.set_switch("unique-sender-invoice-no", "yes").unwrap();
    let reply = shop.call("POST", INVOICE, &simple("A-1")).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["sender_invoice_no"]["type"]),
        (409, &json!("NOT_UNIQUE"))
    );
    shop.invoice("A-2").await;
}

#[tokio::test]
async fn an_invoice_is_canceled_once_and_only_while_it_is_unpaid() {
    let (_sandbox, shop, qpay) = start().await;
    let id = shop.invoice("A-1").await;
    let path = format!("/v2/invoice/{id}");
    let reply = shop.raw("DELETE", &path, "").await;
    assert_eq!((reply.status, reply.text.as_str()), (200, "{}"));
    let reply = shop.raw("DELETE", &path, "").await;
    assert_eq!(reply.status, 400);
    assert_eq!(
        reply.text,
        "{\"error\":\"INVOICE_ALREADY_CANCELED\",\"message\":\"Нэхэмжлэл цуцлагдсан байна\"}"
    );
    for status in ["CANCELED", "CANCELLED", "CLOSED"] {
        qpay.set_switch("canceled-status", status).unwrap();
        assert_eq!(shop.read(&id).await["invoice_status"], status);
    }
    let paid = shop.invoice("A-2").await;
    act(&qpay, "A-2", "pay", &[("amount", "40")]);
    let path = format!("/v2/invoice/{paid}");
    shop.refused("DELETE", &path, &json!({}), 400, "INVOICE_PAID").await;
    qpay.set_switch("invoice-paid-status", "409").unwrap();
    shop.refused("DELETE", &path, &json!({}), 409, "INVOICE_PAID").await;

    let none = json!({});
    for method in ["GET", "DELETE"] {
        shop.refused(method, "/v2/invoice/none", &none, 422, "INVOICE_NOTFOUND").await;
    }
    let payment = super::support::payment_id(&qpay, "A-2");
    shop.refused("GET", &format!("/v2/invoice/{payment}"), &none, 422, "INVOICE_NOTFOUND").await;
    assert!(explained(&qpay).contains("this is a payment_id"));
}

#[tokio::test]
async fn an_address_that_is_not_there_is_a_404_with_an_error() {
    let (_sandbox, shop, qpay) = start().await;
    for (method, path, words) in [
        ("GET", "/v2/nothing", "no such address"),
        ("PUT", "/v2/invoice", "this method"),
        ("POST", "/v2/invoice/list", "no such address"),
        ("GET", "/v2/payment/get/1", "no /payment/get/"),
        ("DELETE", "/v2/payment/cancel", "into the path"),
        ("GET", "/", "under /v2/"),
        ("POST", "/v2/payment/cancel/1", "this method"),
    ] {
        let reply = shop.raw(method, path, "").await;
        assert_eq!(reply.status, 404, "{method} {path}");
        assert!(reply.json()["error"].is_string());
        assert!(explained(&qpay).contains(words), "{method} {path}: {}", explained(&qpay));
    }
}
