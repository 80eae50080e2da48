//! Request shapes of the gateway's official samples and of merchants' public clients, each with its own order of
//! members, its own scalars and its own headers; only address and keys are ours. The shapes are those that the gateway's
//! specification notes record (their appendix, section 14).

use serde_json::{Value, json};

use super::support::{CHECKOUT, OPTION, PAY, QR, QUERY, Shop, sign, start};
use crate::support::Reply;

/// Sends a body as it is, with the header names that the client writes.
async fn send(shop: &Shop, path: &str, names: (&str, &str), body: &str) -> Reply {
    let response = shop
        .http
        .post(format!("{}{path}", shop.base))
        .header(names.0, &shop.api_key)
        .header(names.1, sign(&shop.salt, body))
        .header("content-type", "application/json; charset=utf-8")
        .body(body.to_owned())
        .send()
        .await
        .unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Reply { status, headers, text: response.text().await.unwrap() }
}

async fn taken(shop: &Shop, path: &str, names: (&str, &str), body: &str) -> Value {
    let reply = send(shop, path, names, body).await;
    assert_eq!((reply.status, &reply.json()["responseCode"]), (200, &json!("200")), "{}", reply.text);
    reply.json()["responseData"].clone()
}

/// Official .NET sample: every scalar a text, unused members null, undashed `requestID`, dashed `orderID`, no prefix.
#[tokio::test]
async fn sample_upc_dotnet() {
    let (_sandbox, shop, gateway) = start().await;
    let names = ("apiKey", "signature");
    let body = r#"{"requestID":"8f14e45fceea467f9b1c7a1f6f0e2d11","requestDateTime":"20230712101500","requestData":{"apiOperation":"PAY","orderID":"2a43e4b9-c5df-49e6-8b18-42af9bcd150e","orderNumber":"205249008064","orderAmount":"100000","orderCurrency":"VND","orderDateTime":"20230712101500","orderDescription":"DEMO GIAO DỊCH","language":"vi","successURL":"https://shop.example/api/result","failureURL":"https://shop.example/api/result","cancelURL":"https://shop.example/api/cancel","ipnURL":"http://127.0.0.1:9/api/ipn","paymentMethod":"DOMESTIC","sourceType":"","sourceOfFund":null,"cardNumber":null,"cardHolderName":null,"cardExpireDate":null,"cardVerificationValue":null,"token":null,"extraData":{"airline":{"journeyType":"1"}}}}"#;
    assert!(taken(&shop, "/pay", names, body).await["endpoint"].as_str().unwrap().contains("/pay/"));
    let body = body.replace("8f14e45f", "8f14e460").replace("2a43e4b9", "2a43e4c0");
    let opened = taken(&shop, "/payWithOption", names, &body).await;
    assert!(opened["endpoint"].as_str().unwrap().contains("/payWithOption/"));
    let body = body.replace("8f14e460", "8f14e461").replace("2a43e4c0", "2a43e4c1").replace(
        "\"sourceOfFund\":null,\"cardNumber\":null,\"cardHolderName\":null,\"cardExpireDate\":null",
        "\"sourceOfFund\":\"CARD\",\"cardNumber\":\"9704000000000018\",\"cardHolderName\":\"Nguyen Van A\",\"cardExpireDate\":\"03/07\"",
    );
    taken(&shop, "/pay", names, &body).await;
    assert_eq!(gateway.payments().len(), 3);
}

/// The .NET sample's playground signs an indented document byte for byte.
#[tokio::test]
async fn sample_upc_dotnet_playground() {
    let (_sandbox, shop, _gateway) = start().await;
    let body = "{\r\n  \"requestID\": \"r-1\",\r\n  \"requestDateTime\": \"20230307093000\",\r\n  \"requestData\": {\r\n    \"transactionID\": \"2303070000000000000000001\"\r\n  }\r\n}";
    let reply = send(&shop, QUERY, ("apiKey", "signature"), body).await;
    assert_eq!(reply.json()["responseMessage"], "Transaction not found");
}

/// Official Node sample: another front door, upper-case header names, no `apiOperation`, `pendingURL`, amount a text, one
/// fixed `orderID`.
#[tokio::test]
async fn sample_upc_nodejs() {
    let (_sandbox, shop, gateway) = start().await;
    let names = ("APIKey", "Signature");
    let body = r#"{"requestID":"d2c8f0a5b1c94c3f8f8e2f5a4b3c2d1e","requestDateTime":"20230315093000","requestData":{"orderID":"9144c96d599548ae88bdfd77f49b22cf","orderNumber":"20221103113341","orderAmount":"10000","orderCurrency":"VND","orderDateTime":"20230315093000","orderDescription":"DEMO TRANSACTION","paymentMethod":"DOMESTIC","sourceType":"","language":"vi","successURL":"http://localhost:8383/api/result","failureURL":"http://localhost:8383/api/result","pendingURL":"http://localhost:8383/api/result","cancelURL":"http://localhost:8383/api/cancel","ipnURL":"http://127.0.0.1:9/api/ipns","extraData":{"customer":{"phoneType":"CjcFqIPAtc"},"airline":{"journeyType":279182634,"departureDateTime":"26/04/202206:31:22"},"billing":{"countryCode":"vn","stateProvine":"Hồ Chí Minh"}}}}"#;
    let opened = taken(&shop, "/api/v1.0/Merchant/Pay", names, body).await;
    assert!(opened["endpoint"].is_string());
    let log = gateway.requests().pop().unwrap();
    assert!(log.explanation.contains("pendingURL"), "{}", log.explanation);
    // At the present address apiOperation is mandatory, as the guide says.
    let body = body.replace("d2c8f0a5", "d2c8f0a6").replace("9144c96d", "9144c96e");
    assert_eq!(
        send(&shop, PAY, names, &body).await.json()["responseMessage"],
        "mandatory field apiOperation is missing"
    );
    // The fixed orderID is a duplicate the second time, unless the switch says otherwise.
    let again = body.replace("9144c96e", "9144c96d");
    assert_eq!(send(&shop, "/api/v1.0/Merchant/Pay", names, &again).await.status, 409);
    gateway.set_switch("duplicate-key", "request-id").unwrap();
    taken(&shop, "/api/v1.0/Merchant/Pay", names, &again).await;
}

/// HPINEXT: QR, lower-case header names, 32-character `requestID`, UUID `orderID`, dates in UTC, only `ipnURL`; then query.
#[tokio::test]
async fn hpinext() {
    let (_sandbox, shop, gateway) = start().await;
    let names = ("apikey", "signature");
    let body = r#"{"requestID":"a3f1c2d4e5b6a7988796a5b4c3d2e1f0","requestDateTime":"20250410021500","requestData":{"apiOperation":"PAY","orderID":"6f9619ff-8b86-4011-b42d-00c04fc964ff","orderNumber":"HPI0000123","orderAmount":"109000","orderCurrency":"VND","orderDateTime":"20250410021500","orderDescription":"Thanh toan don hang HPI0000123","paymentMethod":"QRPAY","sourceType":"QRPAY","ipnURL":"http://127.0.0.1:9/gpay/ipn"}}"#;
    let opened = taken(&shop, QR, names, body).await;
    assert!(opened["qrCode"].as_str().unwrap().starts_with("000201010212") && opened["endpoint"].is_string());
    let id = opened["transactionID"].as_str().unwrap();
    let query = format!(
        r#"{{"requestID":"b3f1c2d4e5b6a7988796a5b4c3d2e1f1","requestDateTime":"20250410021600","requestData":{{"transactionID":"{id}"}}}}"#
    );
    assert_eq!(taken(&shop, QUERY, names, &query).await["transactionStage"], "PROCESSING");
    gateway.act("6f9619ff-8b86-4011-b42d-00c04fc964ff", "pay").unwrap();
    let stands = taken(&shop, QUERY, names, &query).await;
    assert_eq!(
        (&stands["transactionStage"], &stands["transactionStatus"]),
        (&json!("SUCCESSFUL"), &json!("200"))
    );
}

/// The car-wash back end: numeric `orderNumber`, `sourceOfFund` null, deep links; pay by token; delete the token.
#[tokio::test]
async fn w24() {
    let (_sandbox, shop, gateway) = start().await;
    let names = ("apiKey", "signature");
    let body = r#"{"requestID":"5a1d3c1e-7c3f-4a2b-9b7d-0f9a8e7d6c5b","requestDateTime":"20240501090000","requestData":{"apiVersion":"2","apiOperation":"PAY_WITH_CREATE_TOKEN","orderID":"662f1b0c9d","orderNumber":171453,"orderAmount":45000,"orderCurrency":"VND","orderDateTime":"20240501090000","orderDescription":"Rửa xe","language":"vi","sourceOfFund":null,"successURL":"app://payment/result?status=success","failureURL":"app://payment/result?status=fail","cancelURL":"app://payment/result?status=cancel","ipnURL":"http://127.0.0.1:9/ipn","extraData":{}}}"#;
    taken(&shop, OPTION, names, body).await;
    gateway.act("662f1b0c9d", "pay").unwrap();
    let push = gateway.pushes().pop().unwrap();
    let document = shop.verify(&serde_json::from_str(&push.notification.body).unwrap());
    let token = document["responseData"]["tokenization"]["token"].as_str().unwrap();
    assert_eq!(document["responseData"]["orderNumber"], "171453");

    let pay = format!(
        r#"{{"requestData":{{"token":"{token}","sourceOfFund":"TOKEN","paymentMethod":"INTERNATIONAL","sourceType":"","apiOperation":"PAY","orderID":"662f1b0c9e","orderNumber":171454,"orderAmount":45000,"orderCurrency":"VND","orderDateTime":"20240502090000","orderDescription":"Rửa xe"}},"requestDateTime":"20240502090000","requestID":"5a1d3c1e-7c3f-4a2b-9b7d-0f9a8e7d6c5c"}}"#
    );
    assert!(taken(&shop, PAY, names, &pay).await["endpoint"].is_string());
    let delete = format!(
        r#"{{"requestID":"5a1d3c1e-7c3f-4a2b-9b7d-0f9a8e7d6c5d","requestDateTime":"20240502090100","requestData":{{"token":"{token}"}}}}"#
    );
    let reply = send(&shop, super::support::DELETE_TOKEN, names, &delete).await;
    assert_eq!((&reply.json()["responseCode"], reply.json().get("responseData")), (&json!("200"), None));
}

/// The ticket shop: bare numbers for dates, made with a wrong pattern; no `paymentMethod`, no `ipnURL`.
#[tokio::test]
async fn tix() {
    let (_sandbox, shop, _gateway) = start().await;
    let body = r#"{"requestID":"TIX1700000000001","requestDateTime":20231116110512,"requestData":{"apiOperation":"PAY","orderID":"TIX-9001","orderNumber":9001,"orderAmount":250000,"orderCurrency":"VND","orderDateTime":20231116110512,"orderDescription":"Ve xem phim","language":"vi","successURL":"app://payment/success","failureURL":"app://payment/fail","cancelURL":"app://payment/cancel"}}"#;
    let opened = taken(&shop, OPTION, ("apiKey", "signature"), body).await;
    assert!(opened["transactionID"].is_string() && opened["endpoint"].is_string());
}

/// The doctor-booking app: checkout with `apiOperation` and `sourceOfFund`, without net amount, fee and discount, and
/// `Accept: text/plain`.
#[tokio::test]
async fn doc() {
    let (_sandbox, shop, _gateway) = start().await;
    let body = r#"{"requestID":"0b0e0f10a1b2c3d4e5f60718293a4b5c","requestDateTime":"20230720150000","requestData":{"apiOperation":"PAY","orderID":"DOC-77","orderNumber":"77","orderAmount":300000,"orderCurrency":"VND","orderDateTime":"20230720150000","orderDescription":"Dat lich kham","language":"vi","sourceOfFund":"CARD","paymentMethod":"INTERNATIONAL","sourceType":"","extraData":{}}}"#;
    let response = shop
        .http
        .post(format!("{}{CHECKOUT}", shop.base))
        .header("apikey", &shop.api_key)
        .header("signature", sign(&shop.salt, body))
        .header("accept", "text/plain")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert!(answer["responseData"]["endpoint"].is_string());
}
