//! What should not come, sent to a running shop: a clear refusal, nothing changed, and the bank asked no more than
//! needed.

use std::path::Path;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tulbur_tests::{Sandbox, Shop, eventually, shop_program};

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
    // It is answered as a refusal is, so that nobody learns which accounts there are.
    assert!(matches!(answer.status().as_u16(), 400 | 401 | 403), "{}", answer.status());

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

#[tokio::test]
async fn another_site_and_another_name_get_nothing_of_the_shop() {
    let street = Street::open().await;
    let home = street.shop.url();
    let host = home.trim_start_matches("http://").trim_end_matches('/');
    let form = [("order", "order-1"), ("product", "tea"), ("way", "card")];
    let buy = || street.http.post(format!("{home}buy")).form(&form);
    let list = || street.http.get(format!("{home}orders"));
    for (request, name, value) in [
        (list(), "host", "evil.example"),
        (list(), "host", "localhost.evil.example:80"),
        (list(), "host", "evil.example@localhost"),
        (buy(), "host", "evil.example"),
        (buy(), "origin", "https://evil.example"),
        (buy(), "origin", "null"),
        (buy(), "sec-fetch-site", "cross-site"),
    ] {
        let answer = request.header(name, value).send().await.expect("the shop answers");
        assert_eq!(answer.status(), 403, "{name}: {value}");
    }
    assert!(street.sandbox.payments().await.is_empty());
    for own in [host, "localhost", "[::1]:80"] {
        let answer = list().header("host", own).send().await.expect("the shop answers");
        assert_eq!(answer.status(), 200, "{own}");
    }
    let own = buy().header("origin", home.trim_end_matches('/')).header("sec-fetch-site", "same-origin");
    assert_eq!(own.send().await.expect("the shop answers").status(), 303);

    // Nor does a change of language lead anywhere else.
    for (referer, leads) in [
        (format!("{home}orders"), "/orders"),
        (format!("{home}orders/order-1?a=b"), "/orders/order-1"),
        (format!("{home}/evil.example/x"), "/"),
        (format!("{home}\\evil.example"), "/"),
        (format!("{home}orders//evil.example"), "/"),
        ("https://evil.example//evil.example".to_owned(), "/"),
        ("data:text/html,x".to_owned(), "/"),
    ] {
        let request = street.http.post(format!("{home}language/en")).header("referer", &referer);
        let answer = request.send().await.expect("the shop answers");
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["location"]),
            (303, &leads.parse().unwrap()),
            "{referer}"
        );
    }
    street.sandbox.kill().await;
}

#[tokio::test]
async fn a_customer_is_not_told_what_the_bank_says() {
    let street = Street::open().await;
    street.sandbox.fault(&json!({ "kind": "error-before", "path": "/api/invoice" })).await;
    let form = [("order", "order-1"), ("product", "tea"), ("way", "card")];
    let (status, page) = street.shop.caller().post("buy", &form).await.expect("the shop answers");
    assert_eq!(status, 400);
    assert!(page.contains("choose another way to pay"), "{page}");
    for word in ["ordered fault", "500", "olomt", "/api/"] {
        assert!(!page.contains(word), "{word}: {page}");
    }
    street.sandbox.kill().await;
}

#[tokio::test]
async fn a_second_click_leads_to_the_paid_order() {
    let street = Street::open().await;
    let (status, page) = street.shop.post("cards", &[]).await.expect("the shop answers");
    assert_eq!(status, 303);
    let invoice = page.rsplit('/').next().unwrap_or_default();
    let payments = street.sandbox.payments().await;
    let setup = payments.iter().find(|payment| payment["id"] == invoice).expect("the bank knows the set-up");
    let reference = setup["reference"].as_str().expect("it has a reference");
    assert!(street.sandbox.act(reference, "pay", &json!({ "card": "success" })).await);
    eventually(Duration::from_secs(30), || async {
        street.shop.card().await.map(|_| ()).ok_or("no card is saved".into())
    })
    .await;
    let card = street.shop.card().await.expect("it was there a moment ago");

    let (status, page) = street.shop.buy("order-1", "saved", Some(&card)).await.expect("the shop answers");
    assert_eq!(status, 303, "{page}");
    let form = [("way", "saved"), ("card", card.as_str())];
    for (status, page) in [
        street.shop.buy("order-1", "saved", Some(&card)).await.expect("the shop answers"),
        street.shop.buy("order-1", "card", None).await.expect("the shop answers"),
        street.shop.post("orders/order-1/pay", &form).await.expect("the shop answers"),
    ] {
        assert_eq!((status, page.as_str()), (303, "/orders/order-1"));
    }
    assert!(street.shop.page("orders/order-1").await.contains("data-status=\"paid\""));
    let order = street.shop.order("order-1").await;
    assert_eq!(
        (&order["paid_events"], order["payments"].as_array().map(Vec::len)),
        (&json!(1), Some(1)),
        "{order}"
    );
    street.sandbox.kill().await;
}

/// Buys coffee at Galaxy Pay and has it paid; the payment's id at the shop, and its reference.
async fn paid_coffee(street: &Street, order: &str, way: &str, status: &str) -> (String, String) {
    let form = [("order", order), ("product", "coffee"), ("way", way)];
    assert_eq!(street.shop.post("buy", &form).await.expect("the shop answers").0, 303);
    let reference = street.shop.references(order).await.remove(0);
    assert!(street.sandbox.books("galaxy-pay").act(&reference, "pay", &json!({})).await);
    eventually(Duration::from_secs(30), || async {
        let told = street.shop.order(order).await;
        (told["payments"][0]["status"] == status).then_some(()).ok_or_else(|| told.to_string())
    })
    .await;
    let told = street.shop.order(order).await;
    (told["payments"][0]["id"].as_str().expect("an id").to_owned(), reference)
}

#[tokio::test]
async fn a_way_that_does_not_fit_asks_no_provider() {
    let street = Street::open().await;
    for form in [
        // No phone to send it to, or none that is one.
        vec![("product", "tea"), ("way", "socialpay-phone")],
        vec![("product", "tea"), ("way", "socialpay-phone"), ("phone", "   ")],
        vec![("product", "tea"), ("way", "socialpay-phone"), ("phone", "call me")],
        vec![("product", "tea"), ("way", "socialpay-phone"), ("phone", "99112233; 88112233")],
        // The other country's ways, and its cards.
        vec![("product", "tea"), ("way", "galaxy")],
        vec![("product", "tea"), ("way", "galaxy-hold")],
        vec![("product", "coffee"), ("way", "card")],
        vec![("product", "coffee"), ("way", "socialpay-qr")],
        vec![("product", "coffee"), ("way", "saved"), ("card", "nobody's")],
        vec![("product", "coffee"), ("way", "saved")],
        vec![("product", "coffee"), ("way", "GALAXY")],
        vec![("product", "yacht"), ("way", "galaxy")],
    ] {
        let form = [vec![("order", "order-1")], form].concat();
        let (status, _) = street.shop.post("buy", &form).await.expect("the shop answers");
        assert_eq!(status, 400, "{form:?}");
    }
    for provider in ["golomt-ecommerce", "golomt-instore", "galaxy-pay"] {
        let booked = street.sandbox.books(provider).payments().await;
        assert!(booked.is_empty(), "{provider} was asked: {booked:?}");
    }
    // What was no number of a phone is written down as refused, and nothing is left to wait for.
    let order = street.shop.order("order-1").await;
    let payments = order["payments"].as_array().expect("a list");
    assert_eq!(payments.len(), 2, "{order}");
    assert!(payments.iter().all(|payment| payment["operation"] == "refused"), "{order}");
    assert_eq!((&order["status"], &order["paid_events"]), (&json!("not paid"), &json!(0)), "{order}");
    street.sandbox.kill().await;
}

#[tokio::test]
async fn at_the_counter_nothing_is_done_twice_or_to_others() {
    let street = Street::open().await;
    let (payment, reference) = paid_coffee(&street, "order-1", "galaxy", "paid").await;
    let (other, _) = paid_coffee(&street, "order-2", "galaxy", "paid").await;
    let (held, held_reference) = paid_coffee(&street, "order-3", "galaxy-hold", "authorized").await;
    let books = street.sandbox.books("galaxy-pay");
    let counter = async |order: &str, payment: &str, action: &str, key: &str| {
        let form = [("payment", payment), ("action", action), ("key", key)];
        let path = format!("orders/{order}/counter");
        street.shop.post(&path, &form).await.expect("the shop answers").0
    };

    for (order, payment, action, key, why) in [
        ("order-1", payment.as_str(), "steal", "k", "a word that is no action"),
        ("order-1", payment.as_str(), "", "k", "no word"),
        ("order-1", payment.as_str(), "refund-half", "k\u{7}", "a control character in the key"),
        ("order-1", other.as_str(), "refund-half", "k", "another order's payment"),
        ("order-1", "x", "refund-half", "k", "no payment of anybody's"),
        ("order-1", reference.as_str(), "refund-half", "k", "the provider's reference"),
        ("order-9", payment.as_str(), "refund-half", "k", "no such order"),
        ("order-1", payment.as_str(), "capture", "k", "nothing is held"),
        ("order-1", payment.as_str(), "void", "k", "nothing is held any more"),
        ("order-3", held.as_str(), "refund-half", "k", "nothing was taken yet"),
    ] {
        let status = counter(order, payment, action, key).await;
        assert!((400..500).contains(&status), "{why}: {status}");
    }
    let (status, _) =
        street.shop.post("orders/order-1/counter", &[("action", "refund-half")]).await.expect("an answer");
    assert!((400..500).contains(&status), "no payment: {status}");
    for reference in [&reference, &held_reference] {
        assert_eq!(books.payment(reference).await["refunds"], 0);
    }
    assert_eq!(books.payment(&held_reference).await["authorized"], true);

    // The same form, sent three times at once and once more: one refund.
    let sends = [(); 3].map(|()| counter("order-1", &payment, "refund-half", "form-1"));
    let statuses = futures_util::future::join_all(sends).await;
    assert!(statuses.contains(&303), "{statuses:?}");
    assert_eq!(counter("order-1", &payment, "refund-half", "form-1").await, 303);
    let booked = books.payment(&reference).await;
    assert_eq!((&booked["refunds"], &booked["refunded"]), (&json!(1), &json!("50000")), "{booked}");
    // The same key for something else is refused, and more than there is, too.
    let status = counter("order-1", &payment, "refund-rest", "form-1").await;
    assert!((400..500).contains(&status), "another request under the same key: {status}");
    assert_eq!(counter("order-1", &payment, "refund-rest", "form-2").await, 303);
    for (action, key) in [("refund-half", "form-3"), ("refund-rest", "form-4")] {
        let status = counter("order-1", &payment, action, key).await;
        assert!((400..500).contains(&status), "{action} of what was given back: {status}");
    }
    let booked = books.payment(&reference).await;
    assert_eq!((&booked["refunds"], &booked["refunded"]), (&json!(2), &json!("100000")), "{booked}");

    // What is held is taken once, and then not let go.
    assert_eq!(counter("order-3", &held, "capture", "form-5").await, 303);
    assert_eq!(counter("order-3", &held, "capture", "form-5").await, 303);
    for (action, key) in [("capture", "form-6"), ("void", "form-7")] {
        let status = counter("order-3", &held, action, key).await;
        assert!((400..500).contains(&status), "{action} of what was taken: {status}");
    }
    let booked = books.payment(&held_reference).await;
    assert_eq!((&booked["debits"], &booked["captured"]), (&json!(1), &json!("100000")), "{booked}");
    street.sandbox.kill().await;
}
