//! No secret, token or full card number, raw or encoded, gets into a trace-level log, the database with its log file
//! or a page.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tulbur_tests::{Sandbox, Shop, eventually, shop_program};

const CARD_NUMBER: &str = "9999990000000006";
/// One of Galaxy Pay's test cards, which asks nothing of its holder.
const VISA_NUMBER: &str = "4012000033330026";

/// The secret as it is, and as it looks encoded: hexadecimal, percent, and base64 wherever it begins in a group.
fn disguises(secret: &str) -> Vec<Vec<u8>> {
    let mut found = vec![secret.to_owned(), hex::encode(secret), hex::encode_upper(secret)];
    found.push(utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string());
    for before in 0..3 {
        let text = [vec![b'.'; before], secret.as_bytes().to_vec()].concat();
        let encoded = STANDARD_NO_PAD.encode(&text);
        // The first and last characters mix with what stands beside the secret.
        let start = (before * 8).div_ceil(6);
        let end = text.len() * 8 / 6;
        found.push(encoded[start..end].to_owned());
    }
    found.into_iter().map(String::into_bytes).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Everything in a folder, by file name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("the folder can be listed");
    entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            (path.display().to_string(), std::fs::read(&path).expect("a file can be read"))
        })
        .collect()
}

/// Card tokens, as the bank's own books have them.
fn tokens(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| match value {
            Value::String(text) if name.contains("oken") && matches!(text.len(), 36 | 64) => {
                found.push(text.clone());
            }
            value => tokens(value, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| tokens(item, found)),
        _ => {}
    }
}

/// Galaxy Pay: a card that is saved along with a payment, charged again and refunded. Instore: a QR and a phone, paid and
/// open. Each account's secrets have signed something, and each provider has notified.
async fn at_the_other_providers(shop: &Shop, sandbox: &Sandbox, client: &reqwest::Client) {
    let patience = Duration::from_secs(30);
    let paid = async |order: &str| {
        eventually(patience, || async {
            (shop.order(order).await["status"] == "paid").then_some(()).ok_or(format!("{order} is not paid"))
        })
        .await;
    };
    let buy = async |form: &[(&str, &str)]| {
        let (status, next) = shop.post("buy", form).await.expect("the shop answers");
        assert_eq!(status, 303, "{form:?}");
        next
    };
    let page = buy(&[("order", "vn-1"), ("product", "coffee"), ("way", "galaxy-saving")]).await;
    let form =
        [("number", VISA_NUMBER), ("date", "12/30"), ("cvv", "731"), ("holder", "TEST"), ("action", "pay")];
    let page = format!("{page}{}method=INTERNATIONAL", if page.contains('?') { "&" } else { "?" });
    let answer = client.post(&page).form(&form).send().await.expect("the gateway's page answers");
    assert!(answer.status().is_success(), "{}", answer.status());
    paid("vn-1").await;

    let mut card = None;
    while card.is_none() {
        let cards = shop.caller().json("api/cards").await.expect("the shop answers");
        let saved = cards.as_array().and_then(|all| all.iter().find(|card| card["account"] == "galaxy-pay"));
        card = saved.and_then(|card| card["id"].as_str()).map(str::to_owned);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let card = card.expect("it was there a moment ago");
    buy(&[("order", "vn-2"), ("product", "coffee"), ("way", "saved"), ("card", &card)]).await;
    paid("vn-2").await;
    let payment = shop.order("vn-1").await["payments"][0]["id"].as_str().expect("an id").to_owned();
    let form = [("payment", payment.as_str()), ("action", "refund-half"), ("key", "secrets-1")];
    assert_eq!(shop.post("orders/vn-1/counter", &form).await.expect("the shop answers").0, 303);

    let till = sandbox.books("golomt-instore");
    buy(&[("order", "till-1"), ("product", "tea"), ("way", "socialpay-qr")]).await;
    buy(&[("order", "till-2"), ("product", "tea"), ("way", "socialpay-phone"), ("phone", "99112233")]).await;
    let reference = shop.references("till-1").await.remove(0);
    assert!(till.act(&reference, "pay", &json!({})).await);
    paid("till-1").await;
}

#[test]
fn the_search_finds_what_is_hidden() {
    for text in ["planted-secret-1", "x planted-secret-1 y"] {
        for before in 0..3 {
            let hidden = STANDARD_NO_PAD.encode(format!("{}{text}", "-".repeat(before)));
            assert!(
                disguises("planted-secret-1").iter().any(|one| contains(hidden.as_bytes(), one)),
                "{hidden}"
            );
        }
        assert!(disguises("planted-secret-1").iter().any(|one| contains(hex::encode(text).as_bytes(), one)));
    }
}

#[tokio::test]
async fn no_secret_is_written_or_shown() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (bank, home) = (folder.path().join("bank"), folder.path().join("shop"));
    for made in [&bank, &home] {
        std::fs::create_dir(made).expect("a folder can be made");
    }
    let sandbox = Sandbox::start(env!("CARGO_BIN_EXE_tulbur-process"), &bank).await;
    let program = shop_program(env!("CARGO_BIN_EXE_shop-process"), env!("CARGO_BIN_EXE_shop-actix-process"));
    let mut shop = Shop::new(program, &home, &sandbox).logging("trace");
    shop.start(None).await;
    let patience = Duration::from_secs(30);

    // A payment that saves its card, typed into the bank's own page; a card set-up; a charge; a decline.
    let (_, page) = shop.buy("order-1", "card-saving", None).await.expect("the shop answers");
    let form =
        [("number", CARD_NUMBER), ("expiry", "12/30"), ("cvc", "737"), ("holder", "TEST"), ("action", "pay")];
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::limited(5)).build().expect("a client");
    let answer = client.post(&page).form(&form).send().await.expect("the bank's page answers");
    assert!(answer.status().is_success(), "{}", answer.status());
    eventually(patience, || async {
        (shop.order("order-1").await["status"] == "paid").then_some(()).ok_or("order-1 is not paid".into())
    })
    .await;
    eventually(patience, || async { shop.card().await.map(|_| ()).ok_or("no card".into()) }).await;
    let card = shop.card().await.expect("it was there a moment ago");
    shop.buy("order-2", "saved", Some(&card)).await.expect("the shop answers");
    eventually(patience, || async {
        (shop.order("order-2").await["status"] == "paid").then_some(()).ok_or("order-2 is not paid".into())
    })
    .await;
    shop.buy("order-3", "card", None).await.expect("the shop answers");
    let reference = shop.references("order-3").await.remove(0);
    assert!(sandbox.act(&reference, "decline", &json!({})).await);
    at_the_other_providers(&shop, &sandbox, &client).await;
    // What is wrongly signed ends in a log line and in the inbox.
    let forged =
        json!({ "transactionId": reference, "errorCode": "000", "amount": "1500.00", "checksum": "0" });
    let notify = format!("{}tulbur/notify/golomt-ecommerce", shop.url());
    let answer = client
        .post(notify)
        .header("authorization", "Bearer planted-authorization")
        .json(&forged)
        .send()
        .await
        .expect("the shop answers");
    assert_eq!(answer.status().as_u16(), 400);

    let mut shown = Vec::new();
    let listed = ["", "orders", "api/orders/order-1", "api/orders/vn-1", "api/cards", "api/attention"];
    let orders = ["order-1", "order-2", "order-3", "vn-1", "vn-2", "till-1", "till-2"];
    let orders = orders.map(|order| format!("orders/{order}"));
    for path in listed.into_iter().chain(orders.iter().map(String::as_str)) {
        shown.push((path.to_owned(), shop.page(path).await.into_bytes()));
    }
    let (_, result) = shop.buy("order-4", "card", None).await.expect("the shop answers");
    assert!(result.starts_with(&sandbox.bank));
    let order = shop.page("orders/order-4").await;
    let (_, checkout) = order.split_once("/tulbur/checkout/").expect("an open payment can be gone on with");
    let secret = checkout[..32].to_owned();
    for path in [format!("tulbur/checkout/{secret}"), format!("tulbur/checkout/{secret}/result")] {
        shown.push((path.clone(), shop.page(&path).await.into_bytes()));
    }
    shop.terminate().await;

    let books = std::fs::read(bank.join("sandbox.json")).expect("the bank keeps books");
    let mut secrets = Vec::new();
    for line in serde_json::Deserializer::from_slice(&books).into_iter() {
        tokens(&line.expect("its books are lines of JSON"), &mut secrets);
    }
    for length in [36, 64] {
        assert!(secrets.iter().any(|token| token.len() == length), "the books have the saved cards' tokens");
    }
    let key = std::fs::read_to_string(home.join("sealing.key")).expect("the shop has a key");
    secrets.extend(
        ["sandbox-golomt-token", "sandbox-golomt-secret", CARD_NUMBER, key.trim()].map(str::to_owned),
    );
    secrets.extend(
        ["sandbox-instore-secret", "sandbox-galaxy-key", "sandbox-galaxy-salt", VISA_NUMBER]
            .map(str::to_owned),
    );
    secrets.push("planted-authorization".into());

    let mut written = files(&home);
    written.retain(|(name, _)| !name.ends_with("sealing.key"));
    let log = written.iter().find(|(name, _)| name.ends_with("shop.log")).map(|(_, text)| text.len());
    assert!(log.is_some_and(|length| length > 20_000), "the log is at trace level: {log:?} bytes");
    assert!(
        written.iter().any(|(name, text)| name.contains("shop.db") && contains(text, b"999999******0006"))
    );
    assert!(
        written.iter().any(|(name, text)| name.contains("shop.db") && contains(text, b"401200******0026"))
    );
    for secret in &secrets {
        for disguise in disguises(secret) {
            for (place, text) in written.iter().chain(&shown) {
                assert!(!contains(text, &disguise), "{place} has {}", String::from_utf8_lossy(&disguise));
            }
        }
    }
    // A page's own secret stands in that page's address, and nowhere in what is written but in the request itself.
    for (place, text) in written.iter().filter(|(name, _)| !name.ends_with("shop.log")) {
        assert!(!contains(text, secret.as_bytes()), "{place} has a page's secret");
    }
    sandbox.kill().await;
}
