//! What must never be kept or shown, what survives a restart, and text from outside.

use serde_json::json;
use tulbur_sandbox::{PaymentState, Sandbox};

use super::support::{
    CREATE_TOKEN, GATEWAY, OPTION, PAY, PLAIN, SECURE, Shop, by, card, hosted, order, sign, start, with,
};

#[tokio::test]
async fn card_data_tokens_and_the_key_are_in_no_log_and_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.json");
    let sandbox = Sandbox::builder().state_file(&file).start().await.unwrap();
    let shop = Shop::of(&sandbox);
    let gateway = sandbox.provider(GATEWAY).unwrap();

    let secret = json!({
        "sourceOfFund": "CARD", "cardNumber": 5_506_920_809_243_667_u64, "cardHolderName": "TRAN THI SECRET",
        "cardExpireDate": "07/31", "cardVerificationValue": 917,
    });
    shop.open(PAY, with(by("A-1", "INTERNATIONAL"), secret.clone())).await;
    let made =
        shop.good(CREATE_TOKEN, with(secret.clone(), json!({ "paymentMethod": "INTERNATIONAL" }))).await;
    let token = made["token"].as_str().unwrap();
    shop.open(PAY, with(by("A-2", "INTERNATIONAL"), json!({ "sourceOfFund": "TOKEN", "token": token })))
        .await;
    // Refused for its signature: the explanation shows how the body begins and ends.
    let body = json!({ "requestDateTime": 1, "requestID": "r", "requestData": secret }).to_string();
    assert_eq!(shop.send_signed(PAY, &body, &sign("wrong", &body)).await.status, 401);
    let id = shop.open(PAY, by("A-3", "INTERNATIONAL")).await;
    let mut form = card("4111 1111 1111 1111");
    form[3].1 = "917";
    shop.form(&format!("/pay/{id}"), &form).await;

    let control = reqwest::get(format!("{}/p/{GATEWAY}", sandbox.control_url()));
    let control = control.await.unwrap().text().await.unwrap();
    // How long an answer took is no secret, and could be 917 milliseconds.
    let requests = format!("{:?}", gateway.requests()).replace("millis: Some(917)", "");
    let seen = format!("{requests}{:?}{control}", gateway.payments());
    for text in ["5506920809243667", "4111 1111", "41111111", "07/31", token] {
        assert!(!seen.contains(text), "{text} is shown");
    }
    // Ids and times are full of digits: the card's code is looked for as a word of its own.
    assert!(seen.split(|c: char| !c.is_ascii_alphanumeric()).all(|word| word != "917"), "917 is shown");
    assert!(!format!("{:?}", gateway.requests()).contains("TRAN THI SECRET"));
    let kept = std::fs::read_to_string(&file).unwrap();
    for text in
        ["5506920809243667", "5506 9208", "4111 1111", "41111111", ":917,", ":917}", "\"917\"", "07/31"]
    {
        assert!(!kept.contains(text), "{text} is in the file");
    }
}

#[tokio::test]
async fn everything_acknowledged_survives_a_drop_without_farewell() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.json");
    let (id, token);
    {
        let sandbox = Sandbox::builder().state_file(&file).start().await.unwrap();
        let shop = Shop::of(&sandbox);
        id = shop.open(PAY, by("A-1", "INTERNATIONAL")).await;
        shop.form(&format!("/pay/{id}"), &card(SECURE)).await;
        let made =
            shop.good(CREATE_TOKEN, with(hosted(PLAIN), json!({ "paymentMethod": "INTERNATIONAL" }))).await;
        token = made["token"].as_str().unwrap().to_owned();
        drop(sandbox);
    }
    let sandbox = Sandbox::builder().state_file(&file).start().await.unwrap();
    let shop = Shop::of(&sandbox);
    let gateway = sandbox.provider(GATEWAY).unwrap();
    // The question that was asked before is asked still, and an orderID stays used.
    assert!(shop.get(&format!("/pay/{id}")).await.text.contains("3-D Secure"));
    shop.form(&format!("/pay/{id}"), &[("action", "confirm")]).await;
    assert_eq!(gateway.payment("A-1").unwrap().debits, 1);
    shop.refused(OPTION, order("A-1"), "409").await;
    shop.open(PAY, with(by("A-2", "INTERNATIONAL"), json!({ "sourceOfFund": "TOKEN", "token": token })))
        .await;
    assert_eq!(gateway.payment("A-2").unwrap().state, PaymentState::Paid);
}

#[tokio::test]
async fn text_from_outside_is_escaped_on_every_page() {
    let (sandbox, shop, _gateway) = start().await;
    let evil = "<script>alert('x')</script>\"&";
    let data = with(
        order(evil),
        json!({ "orderDescription": evil, "successURL": "https://s.example/?q=\"><script>alert(2)</script>" }),
    );
    let id = shop.open(OPTION, data).await;
    let page = format!("/payWithOption/{id}?method=INTERNATIONAL");
    let mut form = card(PLAIN);
    form[4].1 = evil;
    form[3].1 = "x";
    let again = shop.form(&page, &form).await.text;
    form[3].1 = "100";
    shop.form(&page, &form).await;
    let bank_app = format!("/-/bank-app?{}", serde_urlencoded::to_string([("qr", evil)]).unwrap());
    for text in [
        shop.get(&page).await.text,
        again,
        shop.get(&bank_app).await.text,
        shop.get(&format!("/payWithOption/{id}?lang={}", "%3Cscript%3Ealert")).await.text,
        reqwest::get(format!("{}/p/{GATEWAY}", sandbox.control_url())).await.unwrap().text().await.unwrap(),
    ] {
        assert!(!text.contains("<script>alert"), "{text}");
    }
}

#[tokio::test]
async fn broken_bodies_are_refused_with_the_cause() {
    let (_sandbox, shop, gateway) = start().await;
    let deep = format!("{{\"requestID\":\"A\",\"extra\":{}{}}}", "[".repeat(60_000), "]".repeat(60_000));
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1024 * 1024));
    for (body, words) in [
        ("", "empty"),
        ("null", "not a JSON object"),
        ("[1]", "not a JSON object"),
        ("{\"requestID\":", "not JSON"),
        ("{} {}", "not JSON"),
        ("{\"requestID\":\"a\",\"requestID\":\"b\"}", "requestID occurs twice"),
        ("requestID=A", "not JSON"),
        (&deep, "not JSON"),
        (&large, "larger than 262144 bytes"),
        (
            "{\"requestID\":\"a\",\"requestDateTime\":\"20250101070000\",\"requestData\":7}",
            "must be a JSON object",
        ),
        (
            "{\"requestID\":\"a\",\"requestDateTime\":\"20250101070000\",\"requestData\":{\"orderID\":1,\"orderID\":2}}",
            "orderID occurs twice",
        ),
    ] {
        let reply = shop.send(PAY, body).await;
        assert_eq!(
            (reply.status, &reply.json()["responseCode"]),
            (400, &json!("400")),
            "{words}: {}",
            reply.text
        );
        let shown: String = reply.text.chars().take(400).collect();
        assert!(shown.contains(words), "{words}: {shown}");
        assert!(gateway.requests().pop().unwrap().explanation.contains(words), "{words}");
    }
    shop.open(OPTION, order("A-1")).await;
}
