//! Webhooks reach the merchant's other systems, signed so that others' libraries believe them, and hold up nobody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support;
use crate::support::{Bank, Shop, TOKEN};
use crate::words::{WRITINGS, parts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tulbur_core::{
    AccountName, CustomerRef, HttpTransport, ManualClock, PaymentStatus, SecretString, Timestamp, Url,
    system_now,
};
use tulbur_payments::{AttentionKind, OpenCardSetup, Outbox, Payments, Webhook, WebhookSecrets, unpark};
use tulbur_reqwest::ReqwestTransport;

fn secret(byte: u8) -> SecretString {
    use base64::Engine as _;
    SecretString::from(format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode([byte; 32])))
}

fn secrets(bytes: &[u8]) -> WebhookSecrets {
    let secrets: Vec<SecretString> = bytes.iter().map(|byte| secret(*byte)).collect();
    WebhookSecrets::new(&secrets).unwrap()
}

#[derive(Debug, Clone)]
struct Received {
    path: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Received {
    fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn verify(&self, secrets: &WebhookSecrets, now: Timestamp) -> bool {
        let header = |name| self.headers[name].as_str();
        secrets
            .verify(self.id(), header("webhook-timestamp"), header("webhook-signature"), &self.body, now)
            .is_ok()
    }
}

/// What an endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Status(u16),
    Redirect,
    /// It takes the request and says nothing.
    Silence,
    /// It answers and never stops.
    Flood,
}

/// A merchant's other system, over a real socket.
#[derive(Debug)]
struct Endpoint {
    url: Url,
    answer: Mutex<Answer>,
    received: Mutex<Vec<Received>>,
}

impl Endpoint {
    async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url =
            Url::parse(&format!("http://{}/hook?token=planted", listener.local_addr().unwrap())).unwrap();
        let endpoint =
            Arc::new(Self { url, answer: Mutex::new(Answer::Status(204)), received: Mutex::default() });
        let serving = Arc::clone(&endpoint);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = Arc::clone(&serving);
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        endpoint
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut bytes = Vec::new();
        let head = loop {
            let mut part = [0; 4096];
            let read = stream.read(&mut part).await.ok().filter(|read| *read > 0)?;
            bytes.extend_from_slice(&part[..read]);
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break String::from_utf8(bytes.drain(..end + 4).collect()).ok()?;
            }
        };
        let mut lines = head.lines();
        let path = lines.next()?.split(' ').nth(1)?.to_owned();
        let headers: HashMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers.get("content-length")?.parse().ok()?;
        while bytes.len() < length {
            let mut part = [0; 4096];
            let read = stream.read(&mut part).await.ok().filter(|read| *read > 0)?;
            bytes.extend_from_slice(&part[..read]);
        }
        self.received.lock().unwrap().push(Received { path, headers, body: bytes });
        let answer = *self.answer.lock().unwrap();
        match answer {
            Answer::Status(status) => {
                let text =
                    format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(text.as_bytes()).await.ok()
            }
            Answer::Redirect => {
                let text = "HTTP/1.1 307 Elsewhere\r\nlocation: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                stream.write_all(text.as_bytes()).await.ok()
            }
            Answer::Silence => std::future::pending().await,
            Answer::Flood => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await.ok()?;
                let endless = vec![b'a'; 65536];
                while stream.write_all(&endless).await.is_ok() {}
                None
            }
        }
    }
}

fn transport() -> Arc<dyn HttpTransport> {
    Arc::new(ReqwestTransport::builder().build().unwrap())
}

fn webhook(endpoint: &Endpoint, keys: &[u8], clock: &ManualClock) -> Webhook {
    Webhook::new(endpoint.url.clone(), secrets(keys), transport(), Arc::new(clock.clone())).unwrap()
}

/// A shop that also tells these webhooks.
async fn shop_with(webhooks: Vec<Webhook>, mut shop: Shop) -> Shop {
    let mut bank = Bank::new("bank");
    bank.state = Arc::clone(&shop.bank);
    let mut builder = support::builder(&shop.folder.path().join("shop.db"), &shop.clock)
        .await
        .account(Arc::new(bank))
        .handler("told", shop.told.clone());
    for (number, webhook) in webhooks.into_iter().enumerate() {
        builder = builder.handler(format!("webhook-{number}"), Arc::new(webhook));
    }
    shop.payments = builder.build().await.unwrap();
    shop
}

async fn paid(shop: &Shop, order: &str) {
    let payment = shop.payments.open(shop.request(order, 1500)).await.unwrap();
    shop.pay(&payment.reference.merchant_ref);
    shop.notify(&Shop::body(&payment.reference.merchant_ref, "000", "1500.00")).await;
}

async fn store(shop: &Shop) -> tulbur_payments::SqliteStore {
    let options = support::options(&shop.folder.path().join("shop.db"));
    tulbur_payments::SqliteStore::open_with(options).await.unwrap()
}

#[tokio::test]
async fn an_event_comes_signed_and_again_under_its_id_until_it_is_taken() {
    let shop = Shop::open().await;
    let endpoint = Endpoint::start().await;
    let shop = shop_with(vec![webhook(&endpoint, &[2, 1], &shop.clock)], shop).await;
    endpoint.answers(Answer::Status(500));
    paid(&shop, "order-1").await;
    shop.work().await;
    assert_eq!(endpoint.received().len(), 1);
    for answer in [Answer::Redirect, Answer::Flood, Answer::Status(299)] {
        endpoint.answers(answer);
        shop.clock.advance(Duration::from_mins(1));
        shop.work().await;
    }
    shop.clock.advance(Duration::from_hours(1));
    shop.work().await;
    let received = endpoint.received();
    assert_eq!(received.len(), 4, "500, a redirect and an endless answer bring it again; 299 does not");
    for (number, one) in received.iter().enumerate() {
        assert_eq!((one.path.as_str(), one.id()), ("/hook?token=planted", received[0].id()));
        assert_eq!(one.body, received[0].body, "what is signed is the same each time");
        let sent = Timestamp::from_millis(one.headers["webhook-timestamp"].parse::<i64>().unwrap() * 1000);
        assert!(one.verify(&secrets(&[1]), sent) && one.verify(&secrets(&[2]), sent), "{number}");
        assert!(!one.verify(&secrets(&[3]), sent));
        assert_eq!(one.headers["content-type"], "application/json");
    }
    assert_ne!(received[0].headers["webhook-timestamp"], received[3].headers["webhook-timestamp"]);
    let body = received[0].json();
    let payment = shop.payments.order(&shop.order("order-1")).await.unwrap().unwrap().payments.remove(0);
    assert_eq!(body["type"], "payment.paid");
    assert_eq!(body["data"]["order"], "order-1");
    assert_eq!(body["data"]["payment"], payment.id.as_str());
    assert_eq!(body["data"]["amount"], serde_json::json!({ "value": "1500.00", "currency": "MNT" }));
    assert_eq!(body["data"]["paid_after"], serde_json::Value::Null);
    let event = shop.payments.events(&shop.order("order-1")).await.unwrap().remove(0);
    assert_eq!(
        (received[0].id(), body["timestamp"].as_str().unwrap()),
        (event.id.as_str(), &*event.at.to_string())
    );
}

#[tokio::test]
async fn gone_parks_at_once_and_a_dead_endpoint_after_three_days() {
    let shop = Shop::open().await;
    let endpoint = Endpoint::start().await;
    let shop = shop_with(vec![webhook(&endpoint, &[1], &shop.clock)], shop).await;
    endpoint.answers(Answer::Status(410));
    paid(&shop, "gone").await;
    shop.work().await;
    let store = store(&shop).await;
    let parked = async || {
        let parked = store.parked_deliveries(10).await.unwrap();
        assert!(parked.iter().all(|one| one.handler == "webhook-0"));
        let events = parked.into_iter().map(|one| one.event.read.unwrap());
        // The endpoint is not told either that it was not told.
        let events = events.filter(|event| event.kind.name() == "paid");
        events.map(|event| event.order.unwrap().as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(parked().await, ["gone"]);

    endpoint.answers(Answer::Status(503));
    paid(&shop, "dead").await;
    for _ in 0..71 {
        shop.work().await;
        shop.clock.advance(Duration::from_hours(1));
    }
    assert_eq!(parked().await, ["gone"], "a weekend is not enough");
    for _ in 0..10 {
        shop.work().await;
        shop.clock.advance(Duration::from_mins(30));
    }
    assert_eq!(parked().await, ["gone", "dead"]);
    let told = of_orders(&shop);
    assert_eq!(told, ["gone", "dead"], "the other handler did its work once for each");
    let listed = shop.payments.attention().await.unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|item| item.kind == AttentionKind::Undelivered), "{listed:?}");

    endpoint.answers(Answer::Status(200));
    let event = shop.payments.events(&shop.order("dead")).await.unwrap().remove(0);
    let parked = store.parked_deliveries(10).await.unwrap();
    let dead = parked.into_iter().find(|one| one.event.id == event.id).unwrap();
    assert!(unpark(&store, &dead, shop.payments.now()).await.unwrap());
    assert_eq!(shop.payments.attention().await.unwrap().len(), 1, "it is resolved");
    shop.work().await;
    assert!(endpoint.received().iter().any(|one| one.id() == event.id.as_str()));
    assert_eq!(of_orders(&shop), ["gone", "dead"]);
}

/// The orders that the shop's own handler was told were paid.
fn of_orders(shop: &Shop) -> Vec<String> {
    let told = shop.told.0.lock().unwrap();
    let paid = told.iter().filter(|event| event.kind.name() == "paid");
    paid.map(|event| event.order.as_ref().unwrap().as_str().to_owned()).collect()
}

#[tokio::test]
async fn a_silent_endpoint_holds_up_no_other_endpoint_handler_order_or_later_event() {
    let shop = Shop::open().await;
    let (silent, well) = (Endpoint::start().await, Endpoint::start().await);
    silent.answers(Answer::Silence);
    let hooks = vec![webhook(&silent, &[1], &shop.clock), webhook(&well, &[1], &shop.clock)];
    let shop = shop_with(hooks, shop).await;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn({
        let payments: Payments = shop.payments.clone();
        async move { payments.run(async { drop(ended.await) }).await }
    });
    // One order with two events, and a hundred others.
    let first = shop.payments.open(shop.request("order", 1500)).await.unwrap();
    shop.payments.cancel(&first.id).await.unwrap();
    paid(&shop, "order").await;
    for number in 0..100 {
        paid(&shop, &number.to_string()).await;
    }
    // The clock goes on only where nothing happens any more without it: a slow machine must not use up the time.
    let mut passed = 0;
    let (mut last, mut quiet) = ((0, 0), 0);
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = (shop.told.0.lock().unwrap().len(), well.received().len());
        if now == (102, 102) {
            break;
        }
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
        if quiet < 3 {
            continue;
        }
        quiet = 0;
        shop.clock.advance(Duration::from_millis(100));
        passed += 100;
        assert!(
            passed < 14_000,
            "told {}, well {}",
            shop.told.0.lock().unwrap().len(),
            well.received().len()
        );
    }
    let told = shop.told.0.lock().unwrap().clone();
    let of_order = |event: &&tulbur_payments::Event| event.order == Some(shop.order("order"));
    let kinds: Vec<_> = told.iter().filter(of_order).map(|event| event.kind.name()).collect();
    assert_eq!(kinds, ["canceled", "paid"], "in order, before the silent endpoint's time was over");
    assert!(silent.received().len() <= 16, "no more than so many wait for it: {}", silent.received().len());

    silent.answers(Answer::Status(200));
    let ids = |endpoint: &Endpoint| {
        endpoint.received().iter().map(|one| one.id().to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    for _ in 0..4000 {
        if ids(&silent).len() == 102 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        shop.clock.advance(Duration::from_millis(500));
    }
    assert_eq!(ids(&silent), ids(&well), "and in the end it gets everything");
    assert_eq!(shop.told.0.lock().unwrap().len(), 102);
    end.send(()).unwrap();
    shop.clock.advance(Duration::from_mins(1));
    running.await.unwrap();
}

#[tokio::test]
async fn a_failing_endpoint_is_left_in_peace() {
    let shop = Shop::open().await;
    let endpoint = Endpoint::start().await;
    let shop = shop_with(vec![webhook(&endpoint, &[1], &shop.clock)], shop).await;
    endpoint.answers(Answer::Status(502));
    for number in 0..60 {
        paid(&shop, &number.to_string()).await;
    }
    shop.work().await;
    let tries = endpoint.received().len();
    assert!((5..=20).contains(&tries), "five failures, and what was under way: {tries}");
    endpoint.answers(Answer::Status(200));
    for _ in 0..600 {
        shop.clock.advance(Duration::from_secs(1));
        shop.work().await;
    }
    let ids: std::collections::BTreeSet<_> =
        endpoint.received().iter().map(|one| one.id().to_owned()).collect();
    assert_eq!(ids.len(), 60, "all of them, once it answers");
    assert_eq!(endpoint.received().len(), 60 + tries);
}

#[tokio::test]
async fn only_some_types_and_nothing_secret() {
    let shop = Shop::open().await;
    let (all, some) = (Endpoint::start().await, Endpoint::start().await);
    let hooks = vec![
        webhook(&all, &[1], &shop.clock),
        webhook(&some, &[1], &shop.clock).only(["payment.paid"]).unwrap(),
    ];
    let printed = format!("{hooks:?}");
    assert!(!printed.contains("planted") && printed.contains("127.0.0.1"), "{printed}");
    let shop = shop_with(hooks, shop).await;
    let setup = OpenCardSetup::new(CustomerRef::parse("bat").unwrap(), AccountName::parse("bank").unwrap());
    let setup = shop.payments.save_card(setup).await.unwrap();
    shop.pay(&setup.reference.merchant_ref);
    shop.payments.query(&setup.id).await.unwrap();
    paid(&shop, "1").await;
    shop.work().await;
    let types = |endpoint: &Endpoint| {
        endpoint
            .received()
            .iter()
            .map(|one| one.json()["type"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(types(&all), ["card.saved", "payment.paid"]);
    assert_eq!(types(&some), ["payment.paid"]);
    for one in all.received() {
        let text = String::from_utf8(one.body.clone()).unwrap();
        assert!(!text.contains(TOKEN) && !text.contains("planted"), "{text}");
    }
    let card = &all.received()[0].json()["data"]["card"];
    let known = shop.payments.cards(&CustomerRef::parse("bat").unwrap()).await.unwrap();
    assert_eq!(card, known[0].id.as_str());
}

#[tokio::test]
async fn an_endpoint_is_https_or_this_machine() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let make = |url: &str| Webhook::new(Url::parse(url).unwrap(), secrets(&[1]), transport(), clock.clone());
    for good in ["https://erp.example/hook", "http://127.0.0.1:9/hook", "http://localhost/hook"] {
        assert!(make(good).is_ok(), "{good}");
    }
    for bad in ["http://erp.example/hook", "ftp://127.0.0.1/", "https://planted:planted@erp.example/"] {
        let error = make(bad).unwrap_err().to_string();
        assert!(!error.contains("planted"), "{error}");
    }
    let error = make("https://erp.example/").unwrap().only(["payment.payed"]).unwrap_err();
    assert!(error.to_string().contains("payment.paid_again"), "{error}");
}

/// Run by `payments/tests/clients/run.sh`, which says where a receiver with somebody else's library listens.
#[tokio::test]
#[ignore = "needs a receiver with another implementation: payments/tests/clients/run.sh starts one"]
async fn another_implementation_believes_it() {
    let url = std::env::var("TULBUR_WEBHOOK_RECEIVER").expect("run.sh sets it");
    let shop = Shop::open().await;
    // The receiver's clock is the real one.
    let clock = ManualClock::new(system_now());
    let key = |name: &str| SecretString::from(std::env::var(name).expect("run.sh sets it"));
    let (new, old) = (key("TULBUR_WEBHOOK_NEW"), key("TULBUR_WEBHOOK_OLD"));
    let keys = WebhookSecrets::new([&new, &old]).unwrap();
    let hook = Webhook::new(Url::parse(&url).unwrap(), keys, transport(), Arc::new(clock.clone())).unwrap();
    let shop = Shop { clock, ..shop };
    let shop = shop_with(vec![hook], shop).await;
    paid(&shop, "order-1").await;
    let canceled = shop.payments.open(shop.request("хоёр & \"2\"", 1500)).await.unwrap();
    shop.payments.cancel(&canceled.id).await.unwrap();
    shop.work().await;
    let handlers = shop.payments.handlers().await.unwrap();
    let left = handlers.iter().map(|handler| (handler.waiting, handler.parked));
    assert!(left.eq([(0, 0), (0, 0)]), "it believed both, at the first try: {handlers:?}");
}

#[tokio::test]
async fn a_card_number_in_a_bank_s_words_is_in_no_webhook() {
    let shop = Shop::open().await;
    let endpoint = Endpoint::start().await;
    let shop = shop_with(vec![webhook(&endpoint, &[1], &shop.clock)], shop).await;
    for (place, number) in WRITINGS.into_iter().enumerate() {
        shop.bank.lock().unwrap().says = Some(format!("no card {number} here"));
        let payment = shop.payments.open(shop.request(&format!("order-{place}"), 1500)).await.unwrap();
        shop.entry(&payment.reference.merchant_ref, |entry| entry.status = PaymentStatus::Declined);
        shop.notify(&Shop::body(&payment.reference.merchant_ref, "300", "1500.00")).await;
        shop.settle().await;
        shop.work().await;
    }
    let bodies: Vec<String> = endpoint.received().iter().map(|one| one.json().to_string()).collect();
    assert_eq!(bodies.iter().filter(|body| body.contains("payment.declined")).count(), WRITINGS.len());
    for body in bodies {
        assert!(!body.contains("declined") || body.contains("[hidden]"), "{body}");
        for number in WRITINGS {
            assert!(parts(number).iter().all(|part| !body.contains(part)), "{body}");
        }
    }
}
