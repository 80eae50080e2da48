//! What should not come, sent to a running shop: a clear refusal, nothing changed, and the bank asked no more than
//! needed.

use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tulbur_tests::{Sandbox, Shop, shop_program};

const SECRET: &[u8] = b"sandbox-golomt-secret";

/// The bank's checksum, written here from its documents alone.
fn checksum(parts: &[&str]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("any key will do");
    for part in parts {
        mac.update(part.as_bytes());
    }
    hex::encode(mac.finalize().into_bytes())
}

fn push(reference: &str, code: &str, amount: &str) -> Value {
    json!({
        "transactionId": reference, "errorCode": code, "amount": amount, "bank": "Голомт банк",
        "errorDesc": "Амжилттай", "cardHolder": "", "cardNumber": "949625******0003",
        "checksum": checksum(&[reference, code, amount]),
    })
}

struct Street {
    sandbox: Sandbox,
    shop: Shop,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Street {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let sandbox = Sandbox::start(env!("CARGO_BIN_EXE_tulbur-process"), Path::new(folder.path())).await;
        let home = folder.path().join("shop");
        std::fs::create_dir(&home).expect("a folder can be made");
        let program =
            shop_program(env!("CARGO_BIN_EXE_shop-process"), env!("CARGO_BIN_EXE_shop-actix-process"));
        let mut shop = Shop::new(program, &home, &sandbox);
        shop.start(None).await;
        let http =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { sandbox, shop, http, _folder: folder }
    }

    /// An order that waits for its payer, and the reference of its payment.
    async fn waiting(&self, order: &str) -> String {
        let (status, _) = self.shop.buy(order, "card", None).await.expect("the shop answers");
        assert_eq!(status, 303);
        self.shop.references(order).await.remove(0)
    }

    async fn notify(&self, body: impl Into<reqwest::Body>) -> (u16, String) {
        let url = format!("{}tulbur/notify/golomt-ecommerce", self.shop.url());
        let request = self.http.post(url).header("content-type", "application/json").body(body);
        let answer = request.send().await.expect("the shop answers");
        (answer.status().as_u16(), answer.text().await.unwrap_or_default())
    }

    async fn refuses(&self, why: &str, body: impl Into<reqwest::Body>) {
        let (status, text) = self.notify(body).await;
        assert!((400..500).contains(&status), "{why}: {status} {text}");
        assert!(!text.contains("golomt-secret"), "{why}: {text}");
    }

    async fn status(&self, order: &str) -> Value {
        self.shop.order(order).await["status"].clone()
    }

    /// How often the bank was asked about this payment.
    async fn asked(&self, reference: &str) -> usize {
        let log = self.sandbox.get("requests").await;
        let log = log.as_array().cloned().unwrap_or_default();
        log.iter()
            .filter(|entry| entry["target"] == "/api/inquiry" && entry["reference"] == reference)
            .count()
    }
}

#[tokio::test]
async fn what_is_not_the_banks_push_changes_nothing() {
    let street = Street::open().await;
    let reference = street.waiting("order-1").await;
    let other = street.waiting("order-2").await;
    let good = push(&reference, "000", "1500.00");
    let with = |member: &str, value: Value| {
        let mut changed = good.clone();
        changed[member] = value;
        changed.to_string()
    };

    street.refuses("nothing", "").await;
    street.refuses("no JSON", "transactionId=1").await;
    street.refuses("a list", "[]").await;
    let mut none = good.clone();
    none.as_object_mut().expect("an object").remove("checksum");
    street.refuses("no checksum", none.to_string()).await;
    street.refuses("an empty checksum", with("checksum", json!(""))).await;
    street.refuses("no text as checksum", with("checksum", json!(1))).await;
    let upper = good["checksum"].as_str().expect("a text").to_uppercase();
    street.refuses("an upper-case checksum", with("checksum", json!(upper))).await;
    let own = good["checksum"].as_str().expect("a text").to_owned();
    let doubled = good.to_string().replacen('{', &format!("{{\"checksum\":\"{own}\","), 1);
    street.refuses("a doubled checksum", doubled).await;
    street.refuses("two checksums in one", with("checksum", json!(format!("{own}{own}")))).await;
    let strange = push(&other, "000", "1500.00")["checksum"].clone();
    street.refuses("another payment's checksum", with("checksum", strange)).await;
    street.refuses("another result", with("errorCode", json!("300"))).await;
    street.refuses("another amount", with("amount", json!("15.00"))).await;
    street.refuses("the same amount in another text", with("amount", json!("1500"))).await;
    for bit in 0..8 {
        let mut flipped = own.clone().into_bytes();
        flipped[17] ^= 1 << bit;
        street.refuses("a flipped bit", with("checksum", json!(String::from_utf8_lossy(&flipped)))).await;
    }
    // The same hashed text, with characters moved across a boundary.
    let moved = [
        (reference[..31].to_owned(), format!("{}00", &reference[31..]), "01500.00".to_owned()),
        (reference.clone(), "0001".into(), "500.00".into()),
        (reference.clone(), "00".into(), "01500.00".into()),
        (format!("{reference}0"), "001".into(), "500.00".into()),
    ];
    for (reference, code, amount) in moved {
        let mut body = good.clone();
        body["transactionId"] = json!(reference);
        body["errorCode"] = json!(code);
        body["amount"] = json!(amount);
        street.refuses("a moved boundary", body.to_string()).await;
    }
    let mut bytes = good.to_string().into_bytes();
    let place = bytes.windows(4).position(|window| window == b"\"000").expect("the code is there");
    bytes[place + 1] = 0xff;
    street.refuses("invalid UTF-8", bytes).await;
    street.refuses("a megabyte", format!("{{\"x\":\"{}\"}}", "y".repeat(1 << 20))).await;
    street.refuses("deep nesting", format!("{{\"x\":{}1{}}}", "[".repeat(30_000), "]".repeat(30_000))).await;
    let url = format!("{}tulbur/notify/golomt-ecommerce", street.shop.url());
    let answer = street.http.get(format!("{url}?transactionId={reference}")).send().await.expect("an answer");
    assert!(answer.status().is_client_error(), "the bank notifies by POST only");
    let elsewhere = url.replace("golomt-ecommerce", "nobody");
    let answer = street.http.post(elsewhere).body(good.to_string()).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 404);

    assert_eq!(street.status("order-1").await, "waiting");
    assert_eq!(street.status("order-2").await, "waiting");
    // And the genuine one still works.
    assert_eq!(street.notify(good.to_string()).await.0, 200);
    assert_eq!(street.status("order-1").await, "paid");
    street.sandbox.kill().await;
}

#[tokio::test]
async fn a_genuine_push_of_another_amount_or_payment_goes_to_a_person() {
    let street = Street::open().await;
    let reference = street.waiting("order-1").await;
    assert_eq!(street.notify(push(&reference, "000", "15.00").to_string()).await.0, 200);
    assert_eq!(street.status("order-1").await, "waiting");
    let stranger = "f".repeat(32);
    assert_eq!(street.notify(push(&stranger, "000", "1500.00").to_string()).await.0, 200);
    let listed = street.shop.page("orders").await;
    assert!(listed.contains("amount-mismatch") && listed.contains("15.00 MNT"), "{listed}");
    assert!(listed.contains("unknown-payment") && listed.contains(&stranger), "{listed}");
    street.sandbox.kill().await;
}

#[tokio::test]
async fn a_thousand_returns_that_claim_success_ask_a_few_times() {
    let street = Street::open().await;
    let reference = street.waiting("order-1").await;
    // The payer knows the secret of the page; a thousand returns are a payer's mischief, or a broken browser's.
    let page = street.shop.page("orders/order-1").await;
    let (_, link) = page.split_once("/tulbur/checkout/").expect("an open payment can be gone on with");
    let callback = format!("{}tulbur/return/golomt-ecommerce/{}", street.shop.url(), &link[..32]);
    let before = street.asked(&reference).await;
    let began = std::time::Instant::now();
    for number in 0..1000 {
        // Every other one tries what a forger would vary.
        let claim = format!("{callback}?invoice={reference}&status_code=000&desc={}", number % 7);
        let answer = street.http.get(claim).send().await.expect("the shop answers");
        assert_eq!(answer.status().as_u16(), 303);
    }
    let waited = began.elapsed().as_secs();
    let asked = street.asked(&reference).await - before;
    // The hasty shop asks by itself too, every two seconds at most.
    let own = usize::try_from(waited / 2).unwrap_or(0) + 4;
    assert!((1..=own + 8).contains(&asked), "a thousand returns in {waited} s asked {asked} times");
    assert_eq!(street.status("order-1").await, "waiting");
    let order = street.shop.order("order-1").await;
    assert_eq!((&order["paid_events"], &order["shipped"]), (&json!(0), &json!(0)));

    for bad in [
        format!("{callback}?invoice={}&status_code=000", "f".repeat(32)),
        format!("{callback}?invoice={reference}&invoice={reference}&status_code=000"),
        format!("{callback}?invoice=%FF%FE&status_code=000"),
        format!("{}?invoice={reference}&status_code=000", callback.replace("/return/", "/return/x")),
    ] {
        let answer = street.http.get(&bad).send().await.expect("the shop answers");
        assert!(answer.status().is_client_error(), "{bad}: {}", answer.status());
    }
    street.sandbox.kill().await;
}

#[tokio::test]
async fn a_shops_own_bad_requests_change_nothing() {
    let street = Street::open().await;
    for (order, way, card) in [
        ("", "card", None),
        ("order\u{7}", "card", None),
        ("o", "cash", None),
        ("o", "saved", Some("nobody's")),
    ] {
        let (status, _) = street.shop.buy(order, way, card).await.expect("the shop answers");
        assert_eq!(status, 400, "{order:?} {way}");
    }
    assert!(street.sandbox.payments().await.is_empty());
    street.sandbox.kill().await;
}
