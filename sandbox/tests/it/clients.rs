//! Request shapes of public clients of the bank, sent character by character: only the base address is ours.
//!
//! The shapes are those that the bank's specification notes record for each client; see `tests/clients/` for real
//! published clients that are installed and run.

use crate::support::{Merchant, SUCCESS, sign, start};

async fn send(merchant: &Merchant, path: &str, message: &str, body: &str) -> serde_json::Value {
    let body = body.replace("CHECKSUM", &sign(&merchant.secret, message));
    let reply = merchant.send(path, body).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

/// mongolian-payment/golomt-js: two decimals as a text.
#[tokio::test]
async fn golomt_js() {
    let (_sandbox, merchant, _bank) = start().await;
    let body = r#"{"amount":"1500.00","callback":"https://example.com/callback","checksum":"CHECKSUM","genToken":"N","returnType":"POST","transactionId":"txn-001","socialDeeplink":"N"}"#;
    let reply = send(&merchant, "/api/invoice", "txn-0011500.00POSThttps://example.com/callback", body).await;
    merchant.verify(&reply, &["invoice", "transactionId"]);
    // The page's address is built with the language in upper case.
    let page = merchant.get(&format!("/payment/MN/{}", reply["invoice"].as_str().unwrap())).await;
    assert_eq!(page.status, 200);
}

/// mnpay/mn-payment-platforms: the amount is a JSON number and hashed as its characters; no language.
#[tokio::test]
async fn mnpay() {
    let (_sandbox, merchant, _bank) = start().await;
    let body = r#"{"transactionId":"helloworld1","amount":2000,"returnType":"GET","callback":"https://uwish.travel","genToken":"N","checksum":"CHECKSUM"}"#;
    let reply = send(&merchant, "/api/invoice", "helloworld12000GEThttps://uwish.travel", body).await;
    merchant.pay_page(reply["invoice"].as_str().unwrap(), SUCCESS).await;
    assert_eq!(merchant.inquiry("helloworld1").await["amount"], "2000");

    let token = merchant.token("T-1", SUCCESS).await;
    let body = format!(r#"{{"amount":500,"transactionId":"txn-2","token":"{token}","checksum":"CHECKSUM"}}"#);
    let paid = send(&merchant, "/api/pay", &format!("500txn-2{token}"), &body).await;
    assert_eq!(paid["errorCode"], "000");
}

/// A number keeps its own characters, also those that a parser would drop.
#[tokio::test]
async fn a_number_is_hashed_as_it_was_written() {
    let (_sandbox, merchant, _bank) = start().await;
    let body = r#"{"transactionId":"n-1","amount":2000.50,"returnType":"GET","callback":"https://s.example","checksum":"CHECKSUM"}"#;
    send(&merchant, "/api/invoice", "n-12000.50GEThttps://s.example", body).await;
    assert_eq!(merchant.inquiry("n-1").await["amount"], "2000.50");
}

/// myagmarsurensedjav/simple-payment: a UUID as the reference, `getToken` where `genToken` is meant.
#[tokio::test]
async fn simple_payment() {
    let (_sandbox, merchant, bank) = start().await;
    let id = "6f9619ff-8b86-d011-b42d-00c04fc964ff";
    let body = format!(
        r#"{{"amount":"100","callback":"https://shop.example/back","checksum":"CHECKSUM","getToken":"N","returnType":"GET","transactionId":"{id}"}}"#
    );
    send(&merchant, "/api/invoice", &format!("{id}100GEThttps://shop.example/back"), &body).await;
    let log = bank.requests().pop().unwrap();
    assert!(
        log.explanation.contains("ignored") && log.explanation.contains("getToken"),
        "{}",
        log.explanation
    );
}

/// techpartners-asia/golomt-ecommerce-go: an empty `invoice` in `/api/pay`.
#[tokio::test]
async fn golomt_ecommerce_go() {
    let (_sandbox, merchant, _bank) = start().await;
    let token = merchant.token("T-1", SUCCESS).await;
    let body = format!(
        r#"{{"amount":"500","checksum":"CHECKSUM","transactionId":"go-1","token":"{token}","lang":"MN","invoice":""}}"#
    );
    let paid = send(&merchant, "/api/pay", &format!("500go-1{token}"), &body).await;
    assert_eq!(paid["errorCode"], "000");
}

/// techpartners-asia/golomt-api-go hashes the shortest amount and sends two decimals. The specification notes call that
/// a mistake, so it is refused, and told.
#[tokio::test]
async fn golomt_api_go() {
    let (_sandbox, merchant, _bank) = start().await;
    let token = merchant.token("T-1", SUCCESS).await;
    let checksum = sign(&merchant.secret, &format!("500go-2{token}"));
    let body = format!(
        r#"{{"amount":"500.00","checksum":"{checksum}","transactionId":"go-2","lang":"MN","token":"{token}"}}"#
    );
    let reply = merchant.send("/api/pay", body).await.unwrap();
    assert_eq!(reply.status, 400);
    let message = reply.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("the amount was hashed as \"500\" (shortest) but sent otherwise"), "{message}");
    assert!(!message.contains(&token));
}

/// `Buyanaa34/golomt_ecom`: `/api/pay` without a language.
#[tokio::test]
async fn golomt_ecom() {
    let (_sandbox, merchant, _bank) = start().await;
    let token = merchant.token("T-1", SUCCESS).await;
    let body =
        format!(r#"{{"amount":"500.00","checksum":"CHECKSUM","transactionId":"buy-1","token":"{token}"}}"#);
    let paid = send(&merchant, "/api/pay", &format!("500.00buy-1{token}"), &body).await;
    assert_eq!(paid["errorDesc"], "Амжилттай");
}

/// motforex: amounts in their shortest form, a deep link asked for, and a schema for the unpaid answer.
#[tokio::test]
async fn motforex() {
    let (_sandbox, merchant, _bank) = start().await;
    let body = r#"{"amount":"10","callback":"https://shop.example/back","checksum":"CHECKSUM","genToken":"N","returnType":"GET","transactionId":"10023","socialDeeplink":"Y"}"#;
    let reply = send(&merchant, "/api/invoice", "1002310GEThttps://shop.example/back", body).await;
    assert!(reply["socialDeeplink"].as_str().unwrap().starts_with("socialpay-payment://key="));
    let unpaid = merchant.inquiry("10023").await;
    for field in
        ["status", "amount", "bank", "errorDesc", "cardHolder", "cardNumber", "checksum", "transactionId"]
    {
        assert!(unpaid[field].is_string(), "{field}: {unpaid}");
    }
    assert!(unpaid["errorCode"].is_null() && unpaid["token"].is_null());
}

/// unread-llc/meform: long hyphenated reference, a callback with its own query, `lang` in the body.
#[tokio::test]
async fn meform() {
    let (_sandbox, merchant, _bank) = start().await;
    let id = "MEF2026-6f9619ff-8b86-d011-b42d-00c04fc964ff-R2";
    let callback = "https://example.com/success?registration_id=42";
    let body = format!(
        r#"{{"transactionId":"{id}","amount":"354183.25","callback":"{callback}","returnType":"GET","genToken":"Y","socialDeeplink":"N","lang":"MN","checksum":"CHECKSUM"}}"#
    );
    let reply = send(&merchant, "/api/invoice", &format!("{id}354183.25GET{callback}"), &body).await;
    let returned = merchant.pay_page(reply["invoice"].as_str().unwrap(), SUCCESS).await;
    assert!(
        returned.location().starts_with(&format!("{callback}&invoice={id}&status_code=000")),
        "{}",
        returned.location()
    );
}
