//! The merchant's calls: what is taken, and how each refusal looks and explains itself.

use serde_json::{Value, json};
use tulbur_sandbox::Verdict;

use crate::support::{CONFIRMATION, DECLINE, EXPIRED, INVOICE, PENDING, SUCCESS, TWICE, start};

fn body(id: &str) -> Value {
    json!({
        "transactionId": id, "amount": "1500.00", "returnType": "GET", "callback": "https://shop.example/back",
        "genToken": "N",
    })
}

#[tokio::test]
async fn an_invoice_is_pending_until_paid_and_then_reports_the_card() {
    let (_sandbox, merchant, bank) = start().await;
    let invoice = merchant.invoice("A-1").await;
    assert_eq!(uuid::Uuid::parse_str(&invoice).unwrap().to_string(), invoice);

    let pending = merchant.inquiry("A-1").await;
    assert_eq!(pending["status"], "PENDING");
    assert!(pending["errorCode"].is_null() && pending.get("errorCode").is_some());
    assert!(pending["token"].is_null());
    for field in ["bank", "errorDesc", "cardHolder", "cardNumber"] {
        assert_eq!(pending[field], "", "{field}");
    }

    let returned = merchant.pay_page(&invoice, SUCCESS).await;
    assert_eq!(returned.status, 303);
    assert!(returned.location().starts_with("https://shop.example/back?invoice=A-1&status_code=000&desc="));

    let paid = merchant.inquiry("A-1").await;
    assert_eq!(paid["status"], "SENT");
    assert_eq!(paid["errorCode"], "000");
    assert_eq!(paid["errorDesc"], "Амжилттай");
    assert_eq!(paid["amount"], "1500.00");
    assert_eq!(paid["cardNumber"], "999999******0006");
    assert_eq!(paid["cardHolder"], "TEST PAYER");
    assert!(paid["token"].is_null());
    assert_eq!(bank.payment("A-1").unwrap().debits, 1);
}

#[tokio::test]
async fn declines_and_unfinished_payments_are_answers() {
    let (_sandbox, merchant, bank) = start().await;
    for (id, card, code, text) in [
        ("A-1", DECLINE, "179", "Acquirer / Issuer Host Declined"),
        ("A-2", EXPIRED, "300", "Картын хугацаа дууссан"),
    ] {
        let invoice = merchant.invoice(id).await;
        let returned = merchant.pay_page(&invoice, card).await;
        assert!(returned.location().contains(&format!("status_code={code}")), "{}", returned.location());
        let answer = merchant.inquiry(id).await;
        assert_eq!((&answer["errorCode"], &answer["errorDesc"]), (&json!(code), &json!(text)));
        assert_eq!(answer["status"], "SENT");
        assert_eq!(bank.payment(id).unwrap().debits, 0);
    }

    let invoice = merchant.invoice("A-3").await;
    assert_eq!(merchant.pay_page(&invoice, PENDING).await.status, 200);
    let answer = merchant.inquiry("A-3").await;
    assert_eq!(answer["status"], "SENT");
    assert!(answer["errorCode"].is_null());
    bank.act("A-3", "pay").unwrap();
    assert_eq!(merchant.inquiry("A-3").await["errorCode"], "000");
}

#[tokio::test]
async fn a_missing_wrong_or_empty_bearer_token_gets_403_and_no_body() {
    let (_sandbox, merchant, bank) = start().await;
    let url = format!("{}/api/inquiry", merchant.base);
    let secret = merchant.secret.clone();
    let headers: [(Option<String>, &str); 6] = [
        (None, "is missing"),
        (Some("Bearer ".into()), "must read"),
        (Some("Bearer nonsense".into()), "not this merchant's token"),
        (Some(format!("Bearer {secret}")), "is the merchant secret"),
        (Some(format!("Basic {}", merchant.token)), "must read"),
        (Some(merchant.token.clone()), "must read"),
    ];
    for (value, words) in headers {
        let mut request = merchant.http.post(&url).body("{}");
        if let Some(value) = &value {
            request = request.header("authorization", value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 403);
        assert_eq!(response.text().await.unwrap(), "");
        let log = bank.requests().pop().unwrap();
        assert_eq!(log.verdict, Some(Verdict::Refused));
        assert!(log.explanation.contains(words), "{value:?}: {}", log.explanation);
        assert!(!format!("{log:?}").contains(&secret));
    }
}

#[tokio::test]
async fn refusals_have_the_bank_s_error_body_and_name_the_field() {
    let (_sandbox, merchant, bank) = start().await;
    let cases: Vec<(Value, &str)> = vec![
        (json!({ "amount": "0" }), "not above zero"),
        (json!({ "amount": "0.00" }), "not above zero"),
        (json!({ "amount": "-1" }), "not an amount"),
        (json!({ "amount": "1.001" }), "more than two decimals"),
        (json!({ "amount": "1,500.00" }), "without separators"),
        (json!({ "amount": "" }), "amount is empty"),
        (json!({ "amount": null }), "amount is null"),
        (json!({ "amount": ["1"] }), "amount is a list"),
        (json!({ "amount": true }), "amount is true or false"),
        (json!({ "transactionId": "" }), "transactionId is empty"),
        (json!({ "transactionId": 12 }), "transactionId is a number"),
        (json!({ "transactionId": "x".repeat(257) }), "longer than 256"),
        (json!({ "transactionId": "a\u{7}b" }), "control character"),
        (json!({ "returnType": "PUT" }), "must be GET, POST or MOBILE"),
        (json!({ "returnType": "get" }), "must be GET, POST or MOBILE"),
        (json!({ "callback": "shop" }), "not an address"),
        (json!({ "callback": "javascript:alert(1)" }), "does not fit"),
        (json!({ "callback": "javascript:alert(1)", "returnType": "MOBILE" }), "does not fit"),
        (json!({ "callback": "myapp://back" }), "does not fit"),
        (json!({ "genToken": "yes" }), "genToken"),
        (json!({ "socialDeeplink": 1 }), "socialDeeplink is a number"),
    ];
    for (change, words) in cases {
        let mut body = body("A-1");
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let reply = merchant.call("/api/invoice", body, INVOICE).await;
        assert_eq!(reply.status, 400, "{change}");
        let error = reply.json();
        assert!(error["message"].as_str().unwrap().contains(words), "{change}: {error}");
        assert_eq!((&error["status"], &error["error"]), (&json!(400), &json!("Validation")));
        assert_eq!(error["path"], "/api/invoice");
        let timestamp = error["timestamp"].as_str().unwrap();
        assert!(timestamp.len() == 28 && timestamp.ends_with("+0000"), "{timestamp}");
        assert_eq!(reply.headers["content-type"], "application/json");
    }
    for field in ["transactionId", "amount", "returnType", "callback"] {
        let mut body = body("A-1");
        body.as_object_mut().unwrap().remove(field);
        let reply = merchant.call("/api/invoice", body, INVOICE).await;
        assert!(reply.text.contains(&format!("field {field} is missing")), "{}", reply.text);
    }
    let reply = merchant.send("/api/invoice", body("A-1").to_string()).await.unwrap();
    assert!(reply.text.contains("field checksum is missing"));
    assert!(bank.payments().is_empty(), "a refusal changed something");
}

#[tokio::test]
async fn a_wrong_checksum_is_explained_in_the_answer_and_in_the_log() {
    let (_sandbox, merchant, bank) = start().await;
    let mut wrong = body("A-1");
    wrong["checksum"] =
        crate::support::sign(&merchant.secret, "1500.00A-1GEThttps://shop.example/back").into();
    let reply = merchant.send("/api/invoice", wrong.to_string()).await.unwrap();
    assert_eq!(reply.status, 400);
    let message = reply.json()["message"].as_str().unwrap().to_owned();
    for words in [
        "A-11500.00GEThttps://shop.example/back",
        "transactionId + amount + returnType + callback",
        "the order was amount + transactionId + returnType + callback",
        &crate::support::sign(&merchant.secret, "A-11500.00GEThttps://shop.example/back"),
    ] {
        assert!(message.contains(words), "{words}: {message}");
    }
    assert!(!message.contains(&merchant.secret));
    let log = bank.requests().pop().unwrap();
    assert_eq!(log.explanation, message);
    assert_eq!(log.verdict, Some(Verdict::Refused));
    assert_eq!(log.reference.as_deref(), Some("A-1"));

    // Another payment's checksum, and characters moved across a border that the checksum does not see.
    let invoice = merchant.invoice("A-1").await;
    assert!(!invoice.is_empty());
    let moved = json!({
        "transactionId": "A-", "amount": "11500.00", "returnType": "GET", "callback": "https://shop.example/back",
    });
    let taken = merchant.call("/api/invoice", moved, INVOICE).await;
    assert_eq!(taken.status, 200, "the bank cannot see this: its fields are joined without separators");
}

#[tokio::test]
async fn a_transaction_id_can_be_used_once() {
    let (_sandbox, merchant, bank) = start().await;
    merchant.invoice("A-1").await;
    let again = merchant.call("/api/invoice", body("A-1"), INVOICE).await;
    assert_eq!(again.status, 400);
    assert!(again.json()["message"].as_str().unwrap().contains("duplicated"));
    let setup =
        json!({ "transactionId": "A-1", "returnType": "GET", "callback": "https://shop.example/back" });
    assert!(merchant.call("/api/confirmation", setup, CONFIRMATION).await.text.contains("duplicated"));
    assert_eq!(bank.payments().len(), 1);
}

#[tokio::test]
async fn an_unknown_payment_is_400_with_the_bank_s_own_words() {
    let (_sandbox, merchant, _bank) = start().await;
    for path in ["/api/inquiry", "/api/check", "/api/get/token"] {
        let reply = merchant.call(path, json!({ "transactionId": "nobody" }), TWICE).await;
        assert_eq!(reply.status, 400);
        assert_eq!(reply.json()["message"], "Payment not found.");
        assert_eq!(reply.json()["path"], path);
    }
}

#[tokio::test]
async fn the_api_takes_post_only_and_unknown_addresses_say_so() {
    let (_sandbox, merchant, _bank) = start().await;
    let reply = merchant.get("/api/inquiry").await;
    assert_eq!(reply.status, 405);
    assert!(reply.json()["message"].as_str().unwrap().contains("POST only"));
    let reply = merchant.call("/api/merchant/invoice", body("A-1"), INVOICE).await;
    assert_eq!((reply.status, &reply.json()["error"]), (404, &json!("NotFound")));
}

#[tokio::test]
async fn amounts_come_back_as_the_switch_says_and_the_checksum_covers_what_is_sent() {
    let (_sandbox, merchant, bank) = start().await;
    for (switch, sent, echoed) in [
        ("as-sent", "1500.0", "1500.0"),
        ("two-decimals", "1500", "1500.00"),
        ("shortest", "1500.00", "1500"),
    ] {
        bank.set_switch("amount-echo", switch).unwrap();
        merchant.invoice_with(switch, json!({ "amount": sent })).await;
        assert_eq!(merchant.inquiry(switch).await["amount"], echoed);
    }
}

#[tokio::test]
async fn strict_transaction_ids_and_a_left_out_token_are_switches() {
    let (_sandbox, merchant, bank) = start().await;
    merchant.invoice("MEF2026-6f9619ff-8b86-d011-b42d-00c04fc964ff-R2").await;
    bank.set_switch("transaction-id", "strict").unwrap();
    let reply = merchant.call("/api/invoice", body("A-1"), INVOICE).await;
    assert!(reply.text.contains("fewer than 16 letters and digits"), "{}", reply.text);
    merchant.invoice("R749P918K873").await;
    bank.set_switch("token-when-none", "absent").unwrap();
    assert!(merchant.inquiry("R749P918K873").await.get("token").is_none());
}

#[tokio::test]
async fn a_socialpay_deep_link_is_opaque_and_has_an_app_to_open_it() {
    use base64::Engine as _;

    let (_sandbox, merchant, bank) = start().await;
    let mut body = body("A-1");
    body["socialDeeplink"] = "Y".into();
    body["email"] = "somebody@example.com".into();
    let reply = merchant.call("/api/invoice", body, INVOICE).await.json();
    let link = reply["socialDeeplink"].as_str().unwrap();
    let key = link.strip_prefix("socialpay-payment://key=").unwrap();
    assert_eq!(base64::engine::general_purpose::STANDARD.decode(key).unwrap().len(), 80);

    let query = serde_urlencoded::to_string([("key", link)]).unwrap();
    let page = merchant.get(&format!("/-/socialpay-app?{query}")).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("A-1"));
    let done = merchant.form("/-/socialpay-app", &[("key", key), ("action", "pay")]).await;
    assert_eq!(done.status, 303);
    assert_eq!(bank.payment("A-1").unwrap().debits, 1);
    assert_eq!(merchant.get("/-/socialpay-app?key=nonsense").await.status, 404);

    let plain = merchant.call("/api/invoice", self::body("A-2"), INVOICE).await.json();
    assert!(plain.get("socialDeeplink").is_none());
}
