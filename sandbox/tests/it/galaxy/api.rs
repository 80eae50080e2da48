//! The merchant's calls: what is taken, and how each refusal looks and explains itself.

use serde_json::{Value, json};
use tulbur_sandbox::{PaymentState, Verdict};

use super::support::{CHECKOUT, LINK, OPTION, PAY, QR, QUERY, by, fresh, order, sign, start, with};

#[tokio::test]
async fn a_payment_is_created_and_not_paid() {
    let (_sandbox, shop, gateway) = start().await;
    for (at, (path, data, page)) in [
        (PAY, by("A-0", "DOMESTIC"), "/pay/"),
        (OPTION, order("A-1"), "/payWithOption/"),
        (QR, with(by("A-2", "QRPAY"), json!({ "sourceType": "QRPAY" })), "/pay/"),
    ]
    .into_iter()
    .enumerate()
    {
        let opened = shop.good(path, data).await;
        let id = opened["transactionID"].as_str().unwrap();
        assert_eq!(id.len(), 25);
        assert!(id.bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(opened["endpoint"], format!("{}{page}{id}", shop.base));
        assert_eq!(opened.get("qrCode").is_some(), path == QR);
        assert!(opened.get("transactionStatus").is_none());
        let stands = shop.query(id).await;
        assert_eq!(
            (&stands["transactionStage"], &stands["transactionStatus"]),
            (&json!("PROCESSING"), &json!(""))
        );
        let payment = gateway.payment(&format!("A-{at}")).unwrap();
        assert_eq!((payment.state, payment.debits), (PaymentState::Open, 0));
        // The id begins with the day in UTC+7, and so does every date.
        assert!(stands["transactionDateTime"].as_str().unwrap()[2..].starts_with(&id[..6]));
    }
}

#[tokio::test]
async fn answers_are_strings_in_utc_7_and_echo_the_request() {
    let (_sandbox, shop, gateway) = start().await;
    let id = shop.open(PAY, by("A-1", "DOMESTIC")).await;
    let body = format!(
        "{{\"requestID\":\"q-1\",\"requestDateTime\":\"20250101070000\",\"requestData\":{{\"transactionID\":\"{id}\"}}}}"
    );
    let reply = shop.send(QUERY, &body).await;
    let answer = reply.json();
    assert_eq!(answer["requestID"], "q-1");
    assert_eq!(reply.headers["content-type"], "application/json; charset=utf-8");
    assert!(answer["responseData"].as_object().unwrap().values().all(Value::is_string), "{answer}");
    assert_eq!(answer["responseData"]["orderAmount"], "100000");
    assert_eq!(answer["responseData"]["orderNumber"], "42");
    assert_eq!(answer["responseData"]["orderDescription"], "Thanh toán đơn hàng");
    let order: Vec<&str> = reply.text.split('"').collect();
    assert_eq!(order[1], "requestID", "{}", reply.text);
    // Between two payments, whatever hour or day began in between.
    shop.open(PAY, by("A-2", "DOMESTIC")).await;
    let [before, after] =
        ["A-1", "A-2"].map(|order| gateway.payment(order).unwrap().created_at.format("%Y%m%d%H%M%S", 7));
    let answered = answer["responseDateTime"].as_str().unwrap();
    assert!(*before <= *answered && *answered <= *after, "{before} {answered} {after}");
}

#[tokio::test]
async fn a_missing_or_wrong_key_or_signature_gets_401_and_a_reason() {
    let (_sandbox, shop, gateway) = start().await;
    let body =
        json!({ "requestID": "r-1", "requestDateTime": "20250101070000", "requestData": order("A-1") });
    let body = body.to_string();
    let good = sign(&shop.salt, &body);
    let ask = |headers: Vec<(&'static str, String)>| {
        let mut request = shop.http.post(format!("{}{PAY}", shop.base)).body(body.clone());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request
    };
    let key = || ("apiKey", shop.api_key.clone());
    for (headers, words) in [
        (vec![("signature", good.clone())], "the header apiKey is missing"),
        (vec![("apiKey", "nonsense".into()), ("signature", good.clone())], "not this merchant's API key"),
        (vec![("apiKey", shop.salt.clone()), ("signature", good.clone())], "holds the salt"),
        (vec![("apiKey", format!("\"{}\"", shop.api_key)), ("signature", good.clone())], "quotation marks"),
        (vec![key()], "the header signature is missing"),
        (vec![key(), ("signature", "abc".into())], "64 hexadecimal characters; this is not"),
        (vec![key(), ("signature", good.to_uppercase())], "upper case"),
        (vec![key(), ("signature", sign("", &body))], "the salt was left out"),
    ] {
        let response = ask(headers).send().await.unwrap();
        assert_eq!(response.status(), 401);
        let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!((&answer["responseCode"], &answer["requestID"]), (&json!("401"), &json!("r-1")));
        let log = gateway.requests().pop().unwrap();
        assert_eq!(log.verdict, Some(Verdict::Refused));
        assert!(log.explanation.contains(words), "{words}: {}", log.explanation);
        assert!(!format!("{log:?}").contains(&shop.salt), "{log:?}");
    }
    // Names of headers have no case, as every HTTP library knows; the samples write them in three ways.
    for (one, two) in [("APIKey", "Signature"), ("apikey", "signature")] {
        let body =
            json!({ "requestID": fresh(), "requestDateTime": "20250101070000", "requestData": order(one) });
        let body = body.to_string();
        let request = shop.http.post(format!("{}{OPTION}", shop.base));
        let request = request.header(one, &shop.api_key).header(two, sign(&shop.salt, &body)).body(body);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn each_missing_mandatory_field_is_named() {
    let (_sandbox, shop, gateway) = start().await;
    let common = ["orderID", "orderAmount", "orderCurrency", "orderDescription"];
    let link = json!({
        "orderID": "L", "orderName": "n", "orderAmount": 1, "orderCurrency": "VND", "orderDescription": "d",
        "expiryDuration": 1, "paymentMethods": ["QRPAY"], "paymentFields": ["email"],
    });
    let qr = with(by("Q", "QRPAY"), json!({ "sourceType": "QRPAY" }));
    let cases = [
        (PAY, by("A", "INTERNATIONAL"), vec!["apiOperation", "orderDateTime", "paymentMethod"]),
        (OPTION, order("A"), vec!["apiOperation", "orderDateTime"]),
        (QR, qr, vec!["apiOperation", "orderDateTime", "paymentMethod", "sourceType"]),
        (CHECKOUT, by("A", "WALLET"), vec!["orderDateTime", "paymentMethod", "sourceType"]),
        (LINK, link, vec!["orderName", "expiryDuration", "paymentMethods", "paymentFields"]),
    ];
    for (path, data, own) in cases {
        let data = with(data, json!({ "sourceType": "QRPAY" }));
        for name in common.iter().chain(&own) {
            for nothing in [Value::Null, json!("")] {
                let data = with(data.clone(), json!({ *name: nothing }));
                let message = shop.refused(path, data, "400").await;
                assert!(
                    message.contains(&format!("mandatory field {name} is missing")),
                    "{path} {name}: {message}"
                );
            }
        }
    }
    for body in [
        json!({ "requestDateTime": "20250101070000", "requestData": {} }),
        json!({ "requestID": "r", "requestData": {} }),
        json!({ "requestID": "r", "requestDateTime": "20250101070000" }),
    ] {
        let reply = shop.send(PAY, &body.to_string()).await;
        assert_eq!(reply.status, 400, "{body}");
        assert!(reply.text.contains("mandatory field request"), "{}", reply.text);
    }
    assert!(gateway.payments().is_empty());
}

#[tokio::test]
async fn values_that_make_no_sense_are_named() {
    let (_sandbox, shop, gateway) = start().await;
    let cases = [
        (json!({ "orderAmount": 0 }), "not above zero"),
        (json!({ "orderAmount": -5 }), "not an amount"),
        (json!({ "orderAmount": 100.5 }), "more decimals than VND has"),
        (json!({ "orderAmount": "1e3" }), "not an amount"),
        (json!({ "orderAmount": "100,000" }), "not an amount"),
        (json!({ "orderCurrency": "EUR" }), "must be one of VND"),
        (json!({ "orderDateTime": "2025-01-01" }), "not a date"),
        (json!({ "apiOperation": "REFUND" }), "must be one of PAY"),
        (json!({ "apiVersion": 3 }), "must be 1 or 2"),
        (json!({ "language": "vn" }), "must be one of vi, en"),
        (json!({ "paymentMethod": "CASH" }), "must be one of DOMESTIC"),
        (json!({ "paymentMethod": "WALLET" }), "sourceType is missing"),
        (json!({ "apiOperation": "FAST_PAY" }), "FAST_PAY needs paymentMethod INTERNATIONAL"),
        (json!({ "isAutoCapture": "maybe" }), "must be true or false"),
        (json!({ "isAutoCapture": false }), "for international cards only"),
        (json!({ "sourceOfFund": "CASH" }), "must be CARD or TOKEN"),
        (json!({ "sourceOfFund": "TOKEN" }), "token is missing"),
        (json!({ "sourceOfFund": "CARD" }), "cardNumber is missing"),
        (json!({ "successURL": "javascript:alert(1)" }), "scheme javascript"),
        (json!({ "ipnURL": "app://x" }), "must start with http"),
        (json!({ "ipnURL": "nonsense" }), "not an address"),
        (json!({ "orderID": "x".repeat(51) }), "longer than 50"),
        (json!({ "orderDescription": "x".repeat(251) }), "longer than 250"),
        (json!({ "orderID": { "a": 1 } }), "orderID is an object"),
        (json!({ "extraData": [1] }), "extraData must be a JSON object"),
        (json!({ "subMerchant": {} }), "identifier is missing"),
    ];
    for (more, words) in cases {
        let message = shop.refused(PAY, with(by("A-1", "DOMESTIC"), more), "400").await;
        assert!(message.contains(words), "{words}: {message}");
    }
    for (more, words) in [
        (json!({ "paymentMethod": "QRPAY", "sourceType": "VNPAY" }), "payWithQR takes"),
        (json!({ "paymentMethod": "WALLET", "sourceType": "VIETEL" }), "payWithQR takes"),
        (json!({ "paymentMethod": "WALLET", "sourceType": "MOMO", "orderCurrency": "USD" }), "must be VND"),
    ] {
        let message = shop.refused(QR, with(order("A-1"), more), "400").await;
        assert!(message.contains(words), "{words}: {message}");
    }
    assert!(gateway.payments().is_empty());
}

#[tokio::test]
async fn currencies_have_their_own_decimals_on_the_wire_and_on_the_page() {
    let (_sandbox, shop, _gateway) = start().await;
    for (at, (amount, currency, shown)) in [
        ("100000", "VND", "100\u{a0}000 VND"),
        ("12.50", "USD", "12.50 USD"),
        ("1500", "JPY", "1\u{a0}500 JPY"),
    ]
    .into_iter()
    .enumerate()
    {
        let data =
            with(order(&format!("A-{at}")), json!({ "orderAmount": amount, "orderCurrency": currency }));
        let id = shop.open(OPTION, data).await;
        assert_eq!(shop.query(&id).await["orderAmount"], amount);
        let page = shop.get(&format!("/payWithOption/{id}?lang=en")).await.text;
        assert!(page.contains(shown), "{page}");
        // A QR is for đồng only.
        assert_eq!(page.contains("method=QRPAY"), currency == "VND");
    }
    let yen = with(order("A-9"), json!({ "orderAmount": "1500.5", "orderCurrency": "JPY" }));
    assert!(shop.refused(OPTION, yen, "400").await.contains("more decimals than JPY has, which is 0"));
}

#[tokio::test]
async fn duplicates_are_refused_by_the_key_that_the_switch_names() {
    let (_sandbox, shop, gateway) = start().await;
    let send = async |request: &str, order_id: &str| {
        let body = json!({
            "requestID": request, "requestDateTime": "20250101070000", "requestData": order(order_id),
        });
        shop.send(OPTION, &body.to_string()).await.json()["responseCode"].clone()
    };
    let mut round = 0;
    for (switch, same_request, same_order) in [
        ("both", "409", "409"),
        ("request-id", "409", "200"),
        ("order-id", "200", "409"),
        ("none", "200", "200"),
    ] {
        gateway.set_switch("duplicate-key", switch).unwrap();
        round += 1;
        let (request, order_id) = (format!("r-{round}"), format!("o-{round}"));
        assert_eq!(send(&request, &order_id).await, "200");
        assert_eq!(send(&request, &format!("{order_id}b")).await, same_request, "{switch}");
        assert_eq!(send(&format!("{request}b"), &order_id).await, same_order, "{switch}");
    }
    // Two at the same moment: one of them.
    gateway.set_switch("duplicate-key", "both").unwrap();
    let codes = futures_util::future::join_all((0..12).map(|_| send("r-same", "o-same"))).await;
    assert_eq!(codes.iter().filter(|code| **code == "200").count(), 1, "{codes:?}");
}

#[tokio::test]
async fn an_unknown_transaction_is_answered_as_the_switch_says() {
    let (_sandbox, shop, gateway) = start().await;
    let data = json!({ "transactionID": "2501010000000000000000001" });
    assert_eq!(shop.refused(QUERY, data.clone(), "400").await, "Transaction not found");
    gateway.set_switch("unknown-transaction", "404").unwrap();
    shop.refused(QUERY, data.clone(), "404").await;
    gateway.set_switch("unknown-transaction", "200-without-data").unwrap();
    assert!(shop.good(QUERY, data).await.is_null());
}

#[tokio::test]
async fn the_api_takes_post_only_and_unknown_addresses_say_so() {
    let (_sandbox, shop, _gateway) = start().await;
    let reply = shop.get(QUERY).await;
    assert_eq!((reply.status, &reply.json()["responseCode"]), (405, &json!("405")));
    let reply = shop.call("/api/v1/transaction/nothing", order("A-1")).await;
    assert_eq!((reply.status, &reply.json()["responseCode"]), (404, &json!("404")));
}

#[tokio::test]
async fn what_a_call_does_not_know_is_tolerated_and_pointed_out() {
    let (_sandbox, shop, gateway) = start().await;
    shop.open(OPTION, with(order("A-1"), json!({ "pendingURL": "x", "isAutoCapture": false }))).await;
    let log = gateway.requests().pop().unwrap();
    assert!(
        log.explanation.contains("ignored") && log.explanation.contains("pendingURL"),
        "{}",
        log.explanation
    );
}

#[tokio::test]
async fn wallet_codes_and_checkout_amounts_are_switches() {
    let (_sandbox, shop, gateway) = start().await;
    let wallet = |id: &str| with(by(id, "WALLET"), json!({ "sourceType": "MOMO" }));
    let opened = shop.good(QR, wallet("A-1")).await;
    assert_eq!(opened["qrCode"], opened["endpoint"]);
    gateway.set_switch("wallet-qr", "absent").unwrap();
    assert!(shop.good(QR, wallet("A-2")).await.get("qrCode").is_none());

    shop.good(CHECKOUT, wallet("A-3")).await;
    gateway.set_switch("checkout-amounts", "mandatory").unwrap();
    assert!(shop.refused(CHECKOUT, wallet("A-4"), "400").await.contains("orderNetAmount is missing"));
    let whole = json!({ "orderNetAmount": 100_000, "orderFeeAmount": 0, "orderDiscountAmount": "0" });
    shop.good(CHECKOUT, with(wallet("A-4"), whole)).await;
}
