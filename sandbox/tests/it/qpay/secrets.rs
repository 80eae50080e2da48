//! Secrets that are never kept or shown: the password, tokens, and the personal data of receipts.

use serde_json::json;
use tulbur_sandbox::Sandbox;

use super::support::{QPAY, Shop, act, basic, payment_id};

#[tokio::test]
async fn passwords_tokens_and_people_are_in_no_log_and_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.json");
    let sandbox = Sandbox::builder().state_file(&file).start().await.unwrap();
    let mut shop = Shop::of(&sandbox).await;
    let qpay = sandbox.provider(QPAY).unwrap();
    let password = qpay.credentials()["password"].clone();
    let (first, first_refresh) = (shop.token.clone(), shop.refresh.clone());
    shop.log_in(&qpay).await;
    let bearer = format!("Bearer {first_refresh}");
    let renewed = shop.send("POST", "/v2/auth/refresh", Some(&bearer), None).await.json();
    shop.send("POST", "/v2/auth/token", Some(&basic("sandbox-qpay-user", "not-the-secret-one")), None).await;

    let people = json!({
        "register": "УБ90010112", "name": "Нууц Нэр", "email": "secret@person.example", "phone": "88112233",
        "address": { "city": "Нууц хот", "street": "Нууц гудамж", "building": "Нууц байр" },
    });
    shop.invoice_with("A-1", json!({ "invoice_receiver_data": people })).await;
    act(&qpay, "A-1", "pay", &[]);
    let payment = payment_id(&qpay, "A-1");
    for kind in ["CITIZEN", "COMPANY"] {
        let body =
            json!({ "payment_id": payment, "ebarimt_receiver_type": kind, "ebarimt_receiver": "88112233" });
        shop.good("POST", "/v2/ebarimt_v3/create", &body).await;
    }
    let receipt = shop.good("DELETE", &format!("/v2/ebarimt_v3/{payment}"), &json!({})).await;
    let lottery = receipt["ebarimt_lottery"].as_str().unwrap();

    let control = reqwest::get(format!("{}/p/{QPAY}", sandbox.control_url())).await.unwrap();
    let control = control.text().await.unwrap();
    let log = format!("{:?}", qpay.requests());
    let kept = std::fs::read_to_string(&file).unwrap();
    let tokens = [
        first.as_str(),
        &first_refresh,
        &shop.token,
        &shop.refresh,
        renewed["access_token"].as_str().unwrap(),
        renewed["refresh_token"].as_str().unwrap(),
    ];
    for text in tokens {
        for (place, seen) in [("log", &log), ("page", &control), ("file", &kept)] {
            assert!(!seen.contains(text), "a token is in the {place}");
        }
    }
    for text in ["УБ90010112", "Нууц", "secret@person.example", "88112233", "not-the-secret-one"] {
        for (place, seen) in [("log", &log), ("page", &control), ("file", &kept)] {
            assert!(!seen.contains(text), "{text} is in the {place}");
        }
    }
    assert!(!log.contains(lottery) && !log.contains("88******"), "a receipt is in the log");
    assert!(!log.contains(&password) && !kept.contains(&password), "the password is in the log or the file");
    assert!(!format!("{:?}", tulbur_sandbox::QPay::new()).contains(&password));
}
