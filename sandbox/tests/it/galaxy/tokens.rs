//! Saved cards: delivered in the notification only, charged, deleted, linked.

use serde_json::{Value, json};
use tulbur_sandbox::{Fault, FaultKind, PaymentState, Provider};

use super::support::{
    CHECKOUT, CREATE_TOKEN, DELETE_TOKEN, NAPAS, OPTION, PAY, PLAIN, QUERY_TOKENS, REMOVE_TOKEN, SECURE,
    Shop, by, card, hosted, order, start, with,
};
use crate::support::Till;

/// Pays on the page with a card that is to be saved, and gives the notification's `tokenization`.
async fn save(shop: &Shop, till: &Till, id: &str, number: &str, method: &str) -> Value {
    let data =
        with(by(id, method), json!({ "apiOperation": "PAY_WITH_CREATE_TOKEN", "ipnURL": till.address }));
    let transaction = shop.open(PAY, data).await;
    let page = format!("/pay/{transaction}");
    assert!(shop.get(&page).await.text.contains("will be saved"));
    let before = till.count();
    let mut reply = shop.form(&page, &card(number)).await;
    if reply.status == 200 {
        let proof = if number == NAPAS { ("otp", "otp") } else { ("action", "confirm") };
        reply = shop.form(&page, &[proof]).await;
    }
    let returned = shop.returned(reply.location());
    assert!(
        returned["responseData"].get("tokenization").is_none(),
        "a token came by the browser: {returned}"
    );
    shop.ipn(&till.wait_for(before + 1).await[before])["responseData"]["tokenization"].clone()
}

fn charge(id: &str, token: &str) -> Value {
    with(by(id, "INTERNATIONAL"), json!({ "sourceOfFund": "TOKEN", "token": token }))
}

#[tokio::test]
async fn a_token_comes_in_the_notification_only() {
    let (_sandbox, shop, gateway) = start().await;
    let till = Till::open().await;
    for (id, number, method, brand, source, masked) in [
        ("A-1", PLAIN, "INTERNATIONAL", "VISA", "SANDBOX BANK", "401200******0026"),
        ("A-2", SECURE, "INTERNATIONAL", "MASTER", "SANDBOX BANK", "550692******3667"),
        ("A-3", NAPAS, "DOMESTIC", "NAPAS", "SAIGONBANK", "970400******0018"),
    ] {
        let saved = save(&shop, &till, id, number, method).await;
        let token = saved["token"].as_str().unwrap();
        assert_eq!(token.len(), 36);
        assert_eq!(
            saved,
            json!({
                "accountBrand": brand, "accountSource": source, "accountNumber": masked,
                "accountName": "NGUYEN VAN A", "token": token, "status": "200", "message": "Success",
            })
        );
        assert_eq!(gateway.payment(id).unwrap().details["hasToken"], true);
    }
    // A payment that fails saves nothing.
    let data = with(
        by("A-4", "INTERNATIONAL"),
        json!({ "apiOperation": "PAY_WITH_CREATE_TOKEN", "ipnURL": till.address }),
    );
    let id = shop.open(PAY, data).await;
    shop.form(&format!("/pay/{id}"), &card("9999990000000014")).await;
    let document = shop.ipn(&till.wait_for(4).await[3]);
    assert!(document["responseData"].get("tokenization").is_none());

    gateway.set_switch("token-creation", "failed").unwrap();
    let failed = save(&shop, &till, "A-5", PLAIN, "INTERNATIONAL").await;
    assert!(failed.get("token").is_none());
    assert_eq!(failed["status"], "502");
    gateway.set_switch("token-creation", "absent").unwrap();
    assert!(save(&shop, &till, "A-6", PLAIN, "INTERNATIONAL").await.is_null());
}

#[tokio::test]
async fn a_token_is_charged_at_once_or_after_a_challenge() {
    let (_sandbox, shop, gateway) = start().await;
    let till = Till::open().await;
    let token = |saved: Value| saved["token"].as_str().unwrap().to_owned();
    let plain = token(save(&shop, &till, "A-1", PLAIN, "INTERNATIONAL").await);
    let secure = token(save(&shop, &till, "A-2", SECURE, "INTERNATIONAL").await);

    let opened = shop.good(PAY, charge("C-1", &plain)).await;
    assert!(opened["endpoint"].is_string());
    assert_eq!(gateway.payment("C-1").unwrap().debits, 1);
    let id = opened["transactionID"].as_str().unwrap();
    assert!(shop.get(&format!("/pay/{id}")).await.text.contains("data-state=\"paid\""));

    gateway.set_switch("token-without-challenge", "on-page").unwrap();
    let id = shop.open(PAY, charge("C-2", &plain)).await;
    assert_eq!(gateway.payment("C-2").unwrap().debits, 0);
    assert_eq!(shop.form(&format!("/pay/{id}"), &[("action", "confirm")]).await.status, 303);
    assert_eq!(gateway.payment("C-2").unwrap().debits, 1);

    let id = shop.open(PAY, charge("C-3", &secure)).await;
    let page = shop.get(&format!("/pay/{id}")).await;
    assert!(page.text.contains("3-D Secure") && page.text.contains("550692******3667"));
    let failed = shop.form(&format!("/pay/{id}"), &[("action", "refuse")]).await;
    assert_eq!(shop.returned(failed.location())["responseCode"], "505");
    let id = shop.open(PAY, charge("C-4", &secure)).await;
    let paid = shop.form(&format!("/pay/{id}"), &[("action", "confirm")]).await;
    assert_eq!(shop.returned(paid.location())["responseCode"], "200");

    gateway.set_switch("token-charge-outcome", "decline").unwrap();
    shop.open(PAY, charge("C-5", &plain)).await;
    let declined = gateway.payment("C-5").unwrap();
    assert_eq!((declined.state, declined.debits), (PaymentState::Declined, 0));
    gateway.set_switch("token-charge-outcome", "by-card").unwrap();
    let details = [("card".to_owned(), "token-declined".to_owned())].into();
    let data = with(order("A-3"), json!({ "apiOperation": "PAY_WITH_CREATE_TOKEN", "ipnURL": till.address }));
    shop.open(OPTION, data).await;
    gateway.act_with("A-3", "pay", details).unwrap();
    let saved = shop.ipn(&till.wait_for(3).await[2])["responseData"]["tokenization"]["token"].clone();
    shop.open(PAY, charge("C-6", saved.as_str().unwrap())).await;
    assert_eq!(gateway.payment("C-6").unwrap().state, PaymentState::Declined);
}

#[tokio::test]
async fn a_charge_s_notification_can_come_before_its_answer() {
    let (_sandbox, shop, gateway) = start().await;
    let till = Till::open().await;
    let token = created(&shop, PLAIN).await;
    till.answer_with(axum::http::StatusCode::OK, std::time::Duration::from_millis(200));
    gateway.set_push_address(Some(&till.address)).unwrap();
    gateway.add_fault(Fault::new(FaultKind::PushBeforeAnswer).for_reference("C-1")).unwrap();
    shop.open(PAY, charge("C-1", &token)).await;
    assert_eq!(gateway.pushes().pop().unwrap().attempts.len(), 1, "the answer did not wait");
}

async fn created(shop: &Shop, number: &str) -> String {
    let made =
        shop.good(CREATE_TOKEN, with(hosted(number), json!({ "paymentMethod": "INTERNATIONAL" }))).await;
    assert_eq!((&made["accountBrand"], &made["accountName"]), (&json!("VISA"), &json!("NGUYEN VAN A")));
    made["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_fast_payment_has_no_page_and_answers_as_the_switch_says() {
    let (_sandbox, shop, gateway) = start().await;
    let token = created(&shop, PLAIN).await;
    let fast = |id: &str| with(charge(id, &token), json!({ "apiOperation": "FAST_PAY" }));
    for (switch, endpoint, status) in
        [("id", false, false), ("result", false, true), ("endpoint", true, false)]
    {
        gateway.set_switch("fast-pay-answer", switch).unwrap();
        let opened = shop.good(PAY, fast(switch)).await;
        assert_eq!(
            (opened.get("endpoint").is_some(), opened.get("transactionStatus").is_some()),
            (endpoint, status)
        );
        assert_eq!(gateway.payment(switch).unwrap().debits, 1);
    }
    // Also with a card, and without the challenge that it would meet on a page.
    let data = with(by("F-9", "INTERNATIONAL"), with(hosted(SECURE), json!({ "apiOperation": "FAST_PAY" })));
    shop.open(PAY, data).await;
    assert_eq!(gateway.payment("F-9").unwrap().debits, 1);
    let page = with(by("F-10", "INTERNATIONAL"), json!({ "apiOperation": "FAST_PAY" }));
    assert!(shop.refused(PAY, page, "400").await.contains("sourceOfFund is missing"));
}

#[tokio::test]
async fn a_deleted_token_is_gone_by_both_addresses() {
    let (_sandbox, shop, _gateway) = start().await;
    for path in [DELETE_TOKEN, "/api/v1/token/remove"] {
        let token = created(&shop, PLAIN).await;
        shop.good(path, json!({ "token": token })).await;
        assert_eq!(shop.refused(path, json!({ "token": token }), "400").await, "Token not found");
        assert_eq!(shop.refused(PAY, charge("C-1", &token), "400").await, "Token not found");
    }
    assert!(shop.refused(DELETE_TOKEN, json!({}), "400").await.contains("token is missing"));
    for (more, words) in [
        (json!({ "paymentMethod": "WALLET" }), "must be DOMESTIC or INTERNATIONAL"),
        (json!({ "paymentMethod": "DOMESTIC" }), "is a card for paymentMethod INTERNATIONAL"),
        (json!({ "cardNumber": "4111111111111111" }), "none of the sandbox's test cards"),
        (json!({ "cardExpireDate": "2039" }), "must look like MM/YY"),
        (json!({ "cardVerificationValue": null }), "cardVerificationValue is missing"),
        (json!({ "cardVerificationValue": "abc" }), "three digits"),
    ] {
        let data = with(with(hosted(PLAIN), json!({ "paymentMethod": "INTERNATIONAL" })), more);
        let message = shop.refused(CREATE_TOKEN, data, "400").await;
        assert!(message.contains(words), "{message}");
        assert!(!message.contains("4111"), "{message}");
    }
}

/// A customer token as the group's identity service makes it: the subject stays, the rest is new every week.
fn customer_token(subject: &str, signature: &str) -> String {
    use base64::Engine as _;
    let claims =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json!({ "sub": subject }).to_string());
    format!("e30.{claims}.{signature}")
}

async fn linked(gateway: &Provider, shop: &Shop, id: &str, customer: &str, link: bool) {
    let data = with(by(id, "INTERNATIONAL"), json!({ "customerToken": customer }));
    let transaction = shop.open(CHECKOUT, data).await;
    let mut form = card(PLAIN).to_vec();
    if link {
        form.push(("link_card", "yes"));
    }
    let page = shop.form(&format!("/pay/{transaction}"), &form).await;
    assert!(
        page.text.contains(&format!("data-transaction=\"{transaction}\" data-status=\"200\"")),
        "{}",
        page.text
    );
    assert_eq!(gateway.payment(id).unwrap().debits, 1);
}

#[tokio::test]
async fn a_customer_s_linked_cards_are_listed_and_removed() {
    let (_sandbox, shop, gateway) = start().await;
    let (one, again, other) =
        (customer_token("u1", "aa"), customer_token("u1", "bb"), customer_token("u2", "aa"));
    linked(&gateway, &shop, "A-1", &one, true).await;
    linked(&gateway, &shop, "A-2", &one, false).await;
    linked(&gateway, &shop, "A-3", &other, true).await;
    let list = shop.good(QUERY_TOKENS, json!({ "customerToken": again })).await;
    assert_eq!(list["tokens"].as_array().unwrap().len(), 1);
    let card = &list["tokens"][0];
    assert_eq!((&card["accountNumber"], &card["accountBrand"]), (&json!("401200******0026"), &json!("VISA")));
    assert!(card.get("token").is_none() && list["customerID"].is_string());

    let data = |token: &str| json!({ "customerToken": token, "tokenID": card["tokenID"] });
    shop.refused(REMOVE_TOKEN, data(&other), "400").await;
    gateway.set_switch("remove-token-path", "not-there").unwrap();
    assert_eq!(shop.call(REMOVE_TOKEN, data(&one)).await.status, 404);
    gateway.set_switch("remove-token-path", "served").unwrap();
    shop.good(REMOVE_TOKEN, data(&one)).await;
    assert_eq!(shop.good(QUERY_TOKENS, json!({ "customerToken": one })).await["tokens"], json!([]));
}
