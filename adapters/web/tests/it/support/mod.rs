//! A shop with a small made-up bank, for the tests of this crate and of every adapter.
#![allow(dead_code, unreachable_pub, reason = "each test binary that includes this uses its own part of it")]

pub mod bank;
pub mod sockets;
pub mod vectors;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

pub use bank::{FakeBank, Said};
use tulbur_core::{
    AccountName, AppLink, CallbackUrl, CardInfo, Clock, Currency, CustomerRef, Embed, Flow, Language, Money,
    Monotonic, NextAction, OrderRef, PaymentStatus, SecretString, Timestamp, Url, async_trait,
    system_monotonic, system_now,
};
use tulbur_payments::sqlite::SqliteStore;
use tulbur_payments::{OpenCardSetup, OpenPayment, PaymentRecord, Payments, SealingKeys, Status};
use tulbur_web::{Body, TrustedProxies, Web, WebRequest, WebResponse, WebSettings};

pub const PAGE: Flow = Flow::new("page");
pub const SETUP: Flow = Flow::new("save-card");
pub const ACCOUNT: &str = "fake-bank";
/// What a genuine notification of the fake bank carries.
pub const NOTIFY_KEY: &str = "open-sesame";
/// Must never be on any page.
pub const CARD_TOKEN: &str = "tok-4f1e5d2c-planted";
pub const BANK_CODE: &str = "ZQ-77-planted";

/// Real time, which a test can move forward.
#[derive(Debug, Default)]
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn advance(&self, duration: Duration) {
        self.0.fetch_add(i64::try_from(duration.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(system_now().as_millis() + self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Monotonic {
        let ahead = u64::try_from(self.0.load(Ordering::SeqCst)).unwrap();
        system_monotonic().after(Duration::from_millis(ahead))
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The shop, the bank behind it, and its pages.
pub struct World {
    pub bank: Arc<FakeBank>,
    pub clock: Arc<TestClock>,
    pub payments: Payments,
    pub web: Web,
    /// To be closed by a test that wants it gone.
    pub database: SqliteStore,
    orders: AtomicUsize,
    _folder: tempfile::TempDir,
}

/// What a test's payment is like.
#[derive(Debug, Clone)]
pub struct Like {
    pub order: Option<String>,
    pub minor: i64,
    pub currency: Currency,
    pub description: String,
    pub language: Language,
    /// What the payer can do, instead of the bank's own pages.
    pub next: Option<Vec<NextAction>>,
}

impl Default for Like {
    fn default() -> Self {
        Self {
            order: None,
            minor: 150_000,
            currency: Currency::MNT,
            description: "Цай 2 ш".into(),
            language: Language::Mn,
            next: None,
        }
    }
}

impl World {
    pub async fn new() -> Self {
        Self::at("https://shop.example/tulbur/").await
    }

    pub async fn at(public_url: &str) -> Self {
        let settings = WebSettings::default().heartbeat(Duration::from_millis(300)).app_schemes([
            "most-money",
            "wallet",
            "khan",
            "golomt",
            "tdb",
            "xac",
            "most",
        ]);
        Self::with(public_url, settings).await
    }

    /// With a trusted proxy on this machine.
    pub async fn behind_a_proxy(public_url: &str) -> Self {
        let proxies = TrustedProxies::new(["127.0.0.1"]).unwrap();
        Self::with(public_url, WebSettings::default().trusted_proxies(proxies)).await
    }

    pub async fn with(public_url: &str, settings: WebSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("shop.db")).await.unwrap();
        let database = store.clone();
        let key = SecretString::from("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned());
        let keys = SealingKeys::new([("k1", &key)]).unwrap();
        let bank = Arc::new(FakeBank::new());
        let clock = Arc::new(TestClock::default());
        let payments =
            Payments::builder(Arc::new(store), clock.clone(), keys, Url::parse(public_url).unwrap())
                .account(bank.clone())
                .build()
                .await
                .unwrap();
        let web = Web::new(payments.clone(), settings);
        Self { bank, clock, payments, web, database, orders: AtomicUsize::new(0), _folder: folder }
    }

    /// An open payment.
    pub async fn open(&self) -> PaymentRecord {
        self.open_like(Like::default()).await
    }

    pub async fn open_like(&self, like: Like) -> PaymentRecord {
        let number = self.orders.fetch_add(1, Ordering::SeqCst);
        let order = OrderRef::parse(like.order.unwrap_or_else(|| format!("order-{number}"))).unwrap();
        let amount = Money::from_minor(like.minor, like.currency);
        *self.bank.instead.lock().unwrap() = like.next;
        let request = OpenPayment::new(order, AccountName::parse(ACCOUNT).unwrap(), amount, like.description)
            .language(like.language)
            .continue_to(CallbackUrl::parse("https://shop.example/thanks?a=1&b=2").unwrap());
        self.payments.open(request).await.unwrap()
    }

    /// An open card set-up.
    pub async fn open_setup(&self) -> PaymentRecord {
        let customer = CustomerRef::parse("customer-1").unwrap();
        let request = OpenCardSetup::new(customer, AccountName::parse(ACCOUNT).unwrap());
        self.payments.save_card(request).await.unwrap()
    }

    /// Lets the bank say something, and asks it.
    pub async fn settle(&self, record: &PaymentRecord, said: Said) -> PaymentRecord {
        self.bank.say(record, said);
        self.ask(record).await
    }

    /// Asks the bank, however soon it was asked before.
    pub async fn ask(&self, record: &PaymentRecord) -> PaymentRecord {
        self.clock.advance(Duration::from_secs(1));
        self.payments.query(&record.id).await.unwrap()
    }

    pub fn secret(&self, record: &PaymentRecord) -> String {
        self.payments.page_secret(record).unwrap().expose().to_owned()
    }

    /// How the payment stands once what happens in the background has happened.
    pub async fn status(&self, record: &PaymentRecord, expected: Status) -> Status {
        self.status_within(record, expected, 30).await
    }

    /// The same after so many seconds at most.
    pub async fn status_within(&self, record: &PaymentRecord, expected: Status, seconds: u32) -> Status {
        for _ in 0..seconds * 50 {
            let status = self.payments.payment(&record.id).await.unwrap().status;
            if status == expected {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.payments.payment(&record.id).await.unwrap().status
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let request = WebRequest {
            method: method.into(),
            path: path.into(),
            query: query.map(str::to_owned),
            headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            body: body.to_vec().into(),
            peer: None,
        };
        Answer::from(self.web.handle(request).await)
    }
}

/// An answer whose body was read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The text of the body's first element of this name, without tags.
    pub fn element(&self, name: &str) -> String {
        let open =
            self.body.find(&format!("<{name}")).unwrap_or_else(|| panic!("no <{name}> in {}", self.body));
        let rest = &self.body[open..];
        let start = rest.find('>').unwrap() + 1;
        let end = rest.find(&format!("</{name}>")).unwrap();
        rest[start..end].trim().to_owned()
    }
}

impl From<WebResponse> for Answer {
    fn from(response: WebResponse) -> Self {
        let body = match response.body {
            Body::Full(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Body::Stream(_) => "(a stream)".into(),
        };
        let headers = response.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { status: response.status, headers, body }
    }
}

/// A link of an app, as a provider may send it.
pub fn app(name: &str, link: &str) -> NextAction {
    NextAction::OpenApp(vec![AppLink { name: name.into(), link: link.into(), logo: None }])
}

/// A VietQR payload with a right checksum (the one that `tulbur-qr` is tried on).
pub const VIETQR: &str = "00020101021238540010A00000072701240006970437011012345678900208QRIBFTTA\
                          53037045405100005802VN62170813TT DON HANG 16304FFE7";

/// A provider's modal.
pub fn modal(script: &str, value: &str) -> NextAction {
    NextAction::Embed(Embed {
        script: Url::parse(script).unwrap(),
        function: "fakeBankPay".into(),
        container: "fake-bank-box".into(),
        value: value.into(),
    })
}

/// A payment in a state, by its name.
pub async fn given(world: &World, state: &str, like: Like, text: Option<String>) -> PaymentRecord {
    let card = CardInfo::masked(Some("4987381234563883")).with_bank(Some("Голомт банк"));
    let said = |status| Said { status, text: text.clone(), card: card.clone(), parts: Vec::new() };
    let (base, setup) = match state.strip_prefix("setup-") {
        Some(state) => (state, true),
        None => (state, false),
    };
    let record = if setup { world.open_setup().await } else { world.open_like(like.clone()).await };
    let status = match base {
        "open" => return record,
        // The bank has said yes, and we do not know it yet.
        "paid-at-bank" => {
            world.bank.say(&record, said(PaymentStatus::Paid));
            return record;
        }
        "canceled" => return world.payments.cancel(&record.id).await.unwrap(),
        "time-up" => {
            world.clock.advance(Duration::from_secs(601));
            return record;
        }
        "expired" => {
            world.clock.advance(Duration::from_hours(1));
            return world.ask(&record).await;
        }
        "late" => {
            world.payments.cancel(&record.id).await.unwrap();
            PaymentStatus::Paid
        }
        "paid-again" => {
            world.payments.cancel(&record.id).await.unwrap();
            let order = record.order().unwrap().to_string();
            let second = world.open_like(Like { order: Some(order), ..like }).await;
            world.settle(&second, said(PaymentStatus::Paid)).await;
            PaymentStatus::Paid
        }
        "part" | "too-much" => {
            let asked = record.amount().unwrap();
            let units = if base == "part" { vec![600] } else { vec![600, asked.minor()] };
            let parts = units.into_iter().map(|units| Money::from_minor(units, asked.currency())).collect();
            let status = if base == "part" { PaymentStatus::Pending } else { PaymentStatus::Paid };
            return world.settle(&record, Said { parts, ..said(status) }).await;
        }
        "expired-at-bank" => PaymentStatus::Expired,
        "paid" => PaymentStatus::Paid,
        "authorized" => PaymentStatus::Authorized,
        "declined" => PaymentStatus::Declined,
        other => panic!("no payment is `{other}`"),
    };
    world.settle(&record, said(status)).await
}
