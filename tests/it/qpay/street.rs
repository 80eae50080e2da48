//! One shop on one street with QPay. The shop's time moves by hand, so that every question can be counted.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use tulbur::core::{
    AccountConfig, AccountName, BuildEnv, Currency, ManualClock, Money, OrderRef, ProviderId, SecretString,
    Url, Way, async_trait,
};
use tulbur::payments::{
    AttentionKind, Event, EventHandler, EventKind, HandlerError, OpenPayment, PaymentRecord, Payments,
    SealingKeys, SqliteStore, Status, Timing,
};
use tulbur::web::{Web, WebSettings};
use tulbur_sandbox::qpay::{DEFAULT_INVOICE_CODE, DEFAULT_PASSWORD, DEFAULT_USERNAME};
use tulbur_sandbox::{Attempt, Fault, FaultKind, Provider, Sandbox};
use tulbur_tests::eventually;

/// How long anything may take that happens by itself.
const LIMIT: Duration = Duration::from_mins(1);
/// The pause that QPay's provider wants between two questions of those who look.
pub(crate) const PACE: Duration = Duration::from_secs(15);
const ACCOUNT: &str = "qpay";
const CHECK: &str = "/v2/payment/check";

/// The events that the application was told of.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<Event>>);

#[async_trait]
impl EventHandler for Told {
    async fn handle(&self, event: &Event) -> Result<(), HandlerError> {
        self.0.lock().expect("nobody panics with it").push(event.clone());
        Ok(())
    }
}

pub(crate) struct Street {
    pub(crate) payments: Payments,
    pub(crate) qpay: Provider,
    pub(crate) clock: ManualClock,
    pub(crate) http: reqwest::Client,
    home: Url,
    told: Arc<Told>,
    folder: tempfile::TempDir,
    _sandbox: Sandbox,
}

pub(crate) fn mnt(units: i64) -> Money {
    Money::from_major(units, Currency::MNT).expect("an amount")
}

impl Street {
    pub(crate) async fn open() -> Self {
        let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
        let qpay = sandbox.provider(ACCOUNT).expect("it plays QPay");
        qpay.set_switch("callback-retry-seconds", "0").expect("a switch");
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let home = Url::parse(&format!("http://{address}/pay/")).expect("an address");
        let folder = tempfile::tempdir().expect("a folder can be made");
        let told = Arc::new(Told::default());
        let env = tulbur::reqwest::standard_env().expect("an environment");
        let clock = ManualClock::new(env.clock.now());
        let payments = shop(&qpay, env, &clock, &folder, &home, &told).await;
        let pages = tulbur::axum::router(Web::new(payments.clone(), WebSettings::default()));
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().nest("/pay", pages)).await });
        let http = reqwest::Client::builder().build().expect("a client");
        Self { payments, qpay, clock, http, home, told, folder, _sandbox: sandbox }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("shop.db")
    }

    /// An invoice of so many tögrög that waits for its payer.
    pub(crate) async fn invoice(&self, units: i64) -> PaymentRecord {
        let order = OrderRef::parse(format!("order-{units}")).expect("a name");
        let account = AccountName::parse(ACCOUNT).expect("a name");
        let request = OpenPayment::new(order, account, mnt(units), "Two coffees").way(Way::Qr);
        self.payments.open(request).await.expect("QPay makes it")
    }

    /// Does something to an invoice at QPay; `details` as in the control API.
    pub(crate) fn act(&self, payment: &PaymentRecord, action: &str, details: &[(&str, &str)]) {
        let details = details.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.qpay.act_with(reference(payment), action, details).expect("QPay does it");
    }

    pub(crate) fn switch(&self, id: &str, value: &str) {
        self.qpay.set_switch(id, value).expect("a switch");
    }

    /// Orders a fault of an invoice's next callback.
    pub(crate) fn fault(&self, payment: &PaymentRecord, kind: FaultKind) {
        let fault = Fault::new(kind).for_reference(reference(payment));
        self.qpay.add_fault(fault).expect("QPay can do that");
    }

    pub(crate) async fn now(&self, payment: &PaymentRecord) -> PaymentRecord {
        self.payments.payment(&payment.id).await.expect("it is stored")
    }

    /// Waits until a payment stands so.
    pub(crate) async fn becomes(&self, payment: &PaymentRecord, status: Status) -> PaymentRecord {
        eventually(LIMIT, || async {
            let record = self.now(payment).await;
            if record.status == status { Ok(()) } else { Err(format!("it is {}", record.status)) }
        })
        .await;
        self.now(payment).await
    }

    /// Waits until so much of a payment is there.
    pub(crate) async fn receives(&self, payment: &PaymentRecord, units: i64) -> PaymentRecord {
        eventually(LIMIT, || async {
            let received = self.now(payment).await.received();
            if received == Some(mnt(units)) { Ok(()) } else { Err(format!("{received:?} is there")) }
        })
        .await;
        self.now(payment).await
    }

    /// Waits until QPay was asked so often about a payment, and nothing is under way any more.
    pub(crate) async fn is_asked(&self, payment: &PaymentRecord, times: usize) {
        eventually(LIMIT, || async {
            let asked = self.asked(payment);
            if asked >= times { Ok(()) } else { Err(format!("asked {asked} times, not {times}")) }
        })
        .await;
        self.settle().await;
        assert_eq!(self.asked(payment), times);
    }

    /// How often QPay was asked about a payment. A page of an answer counts as one.
    pub(crate) fn asked(&self, payment: &PaymentRecord) -> usize {
        let invoice = payment.reference.provider_ref.as_ref().expect("QPay has named it");
        let log = self.qpay.requests();
        log.iter().filter(|one| one.target == CHECK && one.body.contains(invoice.as_str())).count()
    }

    /// Waits for so many attempts to bring the callbacks of a payment, and returns them.
    pub(crate) async fn attempts(&self, payment: &PaymentRecord, least: usize) -> Vec<Attempt> {
        let attempts = || {
            let mut pushes = self.qpay.pushes();
            pushes.retain(|push| push.reference == reference(payment));
            pushes.into_iter().flat_map(|push| push.attempts).collect::<Vec<_>>()
        };
        eventually(LIMIT, || async {
            let found = attempts().len();
            if found >= least { Ok(()) } else { Err(format!("{found} attempts, not {least}")) }
        })
        .await;
        attempts()
    }

    /// Calls the address that QPay was given for a payment, as anybody can who knows it.
    pub(crate) async fn callback(&self, secret: &str, query: &str) -> (u16, String) {
        let url = format!("{}notify/{ACCOUNT}/{secret}?{query}", self.home);
        let answer = self.http.get(url).send().await.expect("the shop answers");
        (answer.status().as_u16(), answer.text().await.expect("it is text"))
    }

    pub(crate) fn secret(&self, payment: &PaymentRecord) -> String {
        self.payments.page_secret(payment).expect("it is sealed by us").expose().to_owned()
    }

    /// The payer's page, in English.
    pub(crate) async fn page(&self, payment: &PaymentRecord) -> String {
        let mut url = self.payments.checkout_url(payment).expect("it has a page");
        url.set_query(Some("lang=en"));
        let answer = self.http.get(url).send().await.expect("the shop answers");
        assert_eq!(answer.status(), 200);
        answer.text().await.expect("it is text")
    }

    /// Does the background work that is due.
    pub(crate) async fn work(&self) {
        self.settle().await;
        for _ in 0..1000 {
            if !self.payments.work_once().await.expect("the database answers").is_zero() {
                return;
            }
        }
        panic!("the background work never rests");
    }

    /// Lets time pass in the shop, with all its background work.
    pub(crate) async fn pass(&self, time: Duration) {
        const STEP: Duration = Duration::from_hours(2);
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(STEP);
            self.clock.advance(step);
            self.work().await;
            left -= step;
        }
    }

    /// Waits until nothing is under way: until nothing has moved for many turns of the runtime, however slow it is.
    pub(crate) async fn settle(&self) {
        let moved = || {
            let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
            (tasks, self.qpay.requests().len(), self.payments.accounts_state()[0].asking)
        };
        let (mut last, mut quiet) = (moved(), 0);
        for _ in 0..10_000 {
            tokio::time::sleep(Duration::from_millis(2)).await;
            // Who tries keys waits for those who are writing.
            drop(self.payments.resolve("no item", "S").await);
            let now = moved();
            quiet = if now == last && now.2 == 0 { quiet + 1 } else { 0 };
            last = now;
            if quiet == 10 {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    pub(crate) async fn listed(&self) -> Vec<AttentionKind> {
        let items = self.payments.attention().await.expect("the database answers");
        items.iter().map(|item| item.kind).collect()
    }

    /// All `Paid` events that the application was told of, and whether there was a `PaidAgain`.
    pub(crate) async fn paid(&self) -> Vec<(Money, Timing)> {
        self.work().await;
        let told = self.told.0.lock().expect("nobody panics with it");
        assert!(!told.iter().any(|event| matches!(event.kind, EventKind::PaidAgain { .. })));
        let paid = told.iter().filter_map(|event| match event.kind {
            EventKind::Paid { amount, timing } => Some((amount, timing)),
            _ => None,
        });
        paid.collect()
    }

    /// What QPay's books say of an invoice: what is there, in tögrög, and the words of its rows.
    pub(crate) fn books(&self, payment: &PaymentRecord) -> (String, Vec<String>) {
        let record = self.qpay.payment(reference(payment)).expect("QPay knows it");
        let rows = record.details["payments"].as_array().expect("its rows");
        let words = rows.iter().map(|row| row["payment_status"].as_str().expect("a word").to_owned());
        (record.details["paid"].as_str().expect("a sum").to_owned(), words.collect())
    }

    /// The id of an invoice's last row.
    pub(crate) fn last_id(&self, payment: &PaymentRecord) -> String {
        let record = self.qpay.payment(reference(payment)).expect("QPay knows it");
        let rows = record.details["payments"].as_array().expect("its rows");
        rows.last().expect("there is one")["payment_id"].as_str().expect("an id").to_owned()
    }
}

pub(crate) fn reference(payment: &PaymentRecord) -> &str {
    payment.reference.merchant_ref.as_str()
}

async fn shop(
    qpay: &Provider,
    mut env: BuildEnv,
    clock: &ManualClock,
    folder: &tempfile::TempDir,
    home: &Url,
    told: &Arc<Told>,
) -> Payments {
    env.clock = Arc::new(clock.clone());
    let account = AccountConfig::new(
        AccountName::parse(ACCOUNT).expect("a name"),
        ProviderId::parse("qpay").expect("an id"),
    )
    .with("base_url", qpay.base_url())
    .with("username", DEFAULT_USERNAME)
    .with("password", DEFAULT_PASSWORD)
    .with("invoice_code", DEFAULT_INVOICE_CODE);
    let registry = tulbur::Registry::linked().expect("the provider is linked");
    let account = registry.build(&account, &env).expect("the account is right");
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("shop.db"))
        .create_if_missing(true)
        .busy_timeout(Duration::from_millis(200));
    let store = SqliteStore::open_with(options).await.expect("the file can be made");
    let key = SecretString::from("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
    let keys = SealingKeys::new([("1", &key)]).expect("a key");
    let builder = Payments::builder(Arc::new(store), Arc::new(clock.clone()), keys, home.clone());
    builder.account(account).handler("told", told.clone()).build().await.expect("payments start")
}
