//! Card tokens: made, saved, charged, checked, settled.

use serde_json::{Value, json};
use tulbur_sandbox::PaymentState;

use crate::support::{
    CONFIRMATION, DECLINE, Merchant, PAY, RESULT, SUCCESS, TOKEN_DECLINED, TWICE, card_form, eventually,
    start,
};

async fn charge(merchant: &Merchant, id: &str, token: &str, extra: Value) -> crate::support::Reply {
    let mut body = json!({ "amount": "500.00", "transactionId": id, "lang": "MN", "token": token });
    for (name, value) in extra.as_object().unwrap() {
        body[name] = value.clone();
    }
    merchant.call("/api/pay", body, PAY).await
}

#[tokio::test]
async fn a_paid_invoice_leaves_a_token_when_asked_and_a_declined_one_never() {
    let (_sandbox, merchant, _bank) = start().await;
    let token = merchant.token("A-1", SUCCESS).await;
    assert_eq!(token.len(), 64);
    assert!(token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    let invoice = merchant.invoice_with("A-2", json!({ "genToken": "Y" })).await;
    merchant.pay_page(&invoice, DECLINE).await;
    assert!(merchant.inquiry("A-2").await["token"].is_null());
}

#[tokio::test]
async fn a_token_is_charged_at_once_and_checked_later() {
    let (_sandbox, merchant, bank) = start().await;
    let token = merchant.token("A-1", SUCCESS).await;
    let reply = charge(&merchant, "C-1", &token, json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let paid = reply.json();
    merchant.verify(&paid, &["transactionId", "errorCode", "amount"]);
    assert_eq!(paid["errorCode"], "000");
    assert_eq!(paid["errorDesc"], "Амжилттай");
    assert_eq!(paid["amount"], "500.00");
    assert_eq!(paid["cardNumber"], "999999******0006");
    assert_eq!(bank.payment("C-1").unwrap().debits, 1);

    let check = merchant.call("/api/check", json!({ "transactionId": "C-1" }), TWICE).await.json();
    merchant.verify(&check, RESULT);
    assert_eq!(check["errorCode"], "000");

    let again = charge(&merchant, "C-1", &token, json!({})).await;
    assert_eq!(again.status, 400);
    assert!(again.text.contains("duplicated"));
    assert_eq!(bank.payment("C-1").unwrap().debits, 1);

    let english = charge(&merchant, "C-2", &token, json!({ "lang": "EN" })).await.json();
    assert_eq!(english["errorDesc"], "Success");
    assert!(charge(&merchant, "C-3", &token, json!({ "lang": "de" })).await.text.contains("MN"));
    let unknown = charge(&merchant, "C-4", &"0".repeat(64), json!({})).await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.text.contains("assumption"));
    assert!(bank.payment("C-4").is_none());
}

#[tokio::test]
async fn a_charge_can_be_declined_by_its_card_or_by_a_switch() {
    let (_sandbox, merchant, bank) = start().await;
    let token = merchant.token("A-1", TOKEN_DECLINED).await;
    let declined = charge(&merchant, "C-1", &token, json!({})).await;
    assert_eq!(declined.status, 200);
    assert_eq!(declined.json()["errorCode"], "179");
    merchant.verify(&declined.json(), &["transactionId", "errorCode", "amount"]);

    let good = merchant.token("A-2", SUCCESS).await;
    bank.set_switch("token-charge-outcome", "decline-300").unwrap();
    assert_eq!(charge(&merchant, "C-2", &good, json!({})).await.json()["errorCode"], "300");
    assert_eq!(bank.payment("C-2").unwrap().debits, 0);
}

#[tokio::test]
async fn the_two_inquiries_know_each_other_s_payments_only_by_switch() {
    let (_sandbox, merchant, bank) = start().await;
    let token = merchant.token("A-1", SUCCESS).await;
    charge(&merchant, "C-1", &token, json!({})).await;
    for (path, id, switch) in [
        ("/api/inquiry", "C-1", "inquiry-knows-token-payments"),
        ("/api/check", "A-1", "check-knows-page-payments"),
        ("/api/get/token", "A-1", "get-token-knows-page-payments"),
    ] {
        let before = merchant.call(path, json!({ "transactionId": id }), TWICE).await;
        assert_eq!((before.status, &before.json()["message"]), (400, &json!("Payment not found.")));
        bank.set_switch(switch, "yes").unwrap();
        let after = merchant.call(path, json!({ "transactionId": id }), TWICE).await;
        assert_eq!((after.status, &after.json()["errorCode"]), (200, &json!("000")), "{path}");
    }
}

#[tokio::test]
async fn a_card_is_saved_for_a_small_amount_that_goes_back() {
    let (_sandbox, merchant, bank) = start().await;
    bank.set_switch("card-refund-seconds", "1").unwrap();
    let body =
        json!({ "transactionId": "S-1", "returnType": "GET", "callback": "https://shop.example/card" });
    let reply = merchant.call("/api/confirmation", body, CONFIRMATION).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    merchant.verify(&reply.json(), &["invoice", "transactionId"]);
    let invoice = reply.json()["invoice"].as_str().unwrap().to_owned();

    let read =
        || async { merchant.call("/api/get/token", json!({ "transactionId": "S-1" }), TWICE).await.json() };
    let before = read().await;
    merchant.verify(&before, &["transactionId", "token"]);
    assert!(before["errorCode"].is_null() && before["token"].is_null());

    let page = format!("/confirmation/en/{invoice}");
    assert!(merchant.get(&page).await.text.contains("Save a card"));
    assert_eq!(merchant.get(&format!("/payment/en/{invoice}")).await.status, 404);
    let returned = merchant.form(&page, &card_form(SUCCESS)).await;
    assert!(returned.location().starts_with("https://shop.example/card?invoice=S-1&status_code=000"));
    let record = bank.payment("S-1").unwrap();
    assert_eq!((record.state, record.debits), (PaymentState::Paid, 1));
    assert!(record.amount.ends_with(".00"));

    let after = read().await;
    merchant.verify(&after, &["transactionId", "token"]);
    assert_eq!(after["errorCode"], "000");
    for field in ["bankCode", "bank", "errorDesc", "cardHolder", "cardNumber", "transactionId"] {
        assert!(after[field].is_string(), "{field}");
    }
    let token = after["token"].as_str().unwrap();
    assert_eq!(charge(&merchant, "C-1", token, json!({})).await.json()["errorCode"], "000");

    eventually("the small amount goes back", || {
        !bank.payment("S-1").unwrap().details["refundedAt"].is_null()
    })
    .await;
}

async fn settled(merchant: &Merchant, token: &str, query: &str) -> crate::support::Reply {
    let body = json!({ "merchantId": "000000000087050", "token": token });
    merchant.call(&format!("/api/getSettlementDetails?{query}"), body, &["merchantId", "token"]).await
}

#[tokio::test]
async fn the_settlement_list_has_the_card_s_payments_by_pages() {
    let (_sandbox, merchant, _bank) = start().await;
    let token = merchant.token("A-1", SUCCESS).await;
    let other = merchant.token("B-1", TOKEN_DECLINED).await;
    for id in ["C-1", "C-2", "C-3", "C-4"] {
        charge(&merchant, id, &token, json!({ "amount": "100" })).await;
    }
    charge(&merchant, "C-9", &other, json!({})).await;

    let range = "start=2020-07-29&end=2099-08-31";
    let reply = settled(&merchant, &token, &format!("page=0&size=2&{range}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let first = reply.json();
    assert_eq!(
        first["pageable"],
        json!({ "first": true, "last": false, "totalPages": 3, "totalElements": 5 })
    );
    assert_eq!(first["content"].as_array().unwrap().len(), 2);
    let item = &first["content"][1];
    assert_eq!(item["merchantInvoice"], "C-1");
    assert_eq!(
        (&item["amount"], &item["respCode"], &item["respDesc"]),
        (&json!("100"), &json!("00"), &json!("Амжилттай"))
    );
    assert_eq!(item["token"], token);
    for (field, length) in [
        ("merchantId", 15),
        ("terminalId", 8),
        ("batchNumber", 6),
        ("invoiceNumber", 6),
        ("cardNumber", 16),
        ("tranTime", 6),
        ("tranDate", 4),
        ("sysReference", 12),
        ("approvalCode", 6),
        ("requestDate", 28),
        ("checkedDate", 28),
    ] {
        assert_eq!(item[field].as_str().unwrap().len(), length, "{field}");
    }
    assert!(item["id"].is_u64() && item["reversedDate"].is_null() && item["freeText1"].is_null());

    let last = settled(&merchant, &token, &format!("page=2&size=2&{range}")).await.json();
    assert_eq!(last["pageable"]["last"], true);
    assert_eq!(last["content"].as_array().unwrap().len(), 1);
    let beyond = settled(&merchant, &token, &format!("page=9&size=2&{range}")).await.json();
    assert_eq!(beyond["content"], json!([]));
    let old = settled(&merchant, &token, "page=0&size=2&start=2020-07-29&end=2022-08-31").await.json();
    assert_eq!(old["pageable"], json!({ "first": true, "last": true, "totalPages": 0, "totalElements": 0 }));
    let wrong = settled(&merchant, &token, "page=0&size=2").await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text.contains("start is missing"));
}
