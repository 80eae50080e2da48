//! A shop's database as a real application leaves it: two banks of the sandbox, real payments, and planted secrets.
#![allow(dead_code, reason = "each test binary uses its own part of it")]
#![expect(unreachable_pub, reason = "a module that several test binaries include")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tulbur::core::{AccountConfig, Channel, Clock as _, Delivery, ManualClock};
use tulbur::payments::store::{HandlerSpec, Settle};
use tulbur::payments::{
    NotifyTarget, OpenPayment, PaymentRecord, Payments, SealingKeys, SqliteStore, Status, Store,
};
use tulbur::reqwest::TokioClock;
use tulbur::{AccountName, Currency, Money, OrderRef, ProviderId, Registry, SecretString, Url, Way};
use tulbur_sandbox::golomt_ecommerce::checksum;
use tulbur_sandbox::{Provider, Sandbox};

pub const WEB: &str = "golomt-ecommerce";
pub const TILL: &str = "golomt-instore";
/// A sealing key, as `openssl rand -base64 32` prints one.
pub const KEY: &str = "cGxhbnRlZC1zZWFsaW5nLWtleS0wMTIzNDU2Nzg5QUI=";
/// What must never be printed.
pub const PLANTED: [&str; 7] = [
    "planted-token-000111222333",
    "planted-signature-value",
    "PLANTED HOLDER",
    "4111111111111111",
    "planted-header-value",
    "sandbox-golomt-secret",
    "cGxhbnRlZC1zZWFsaW5n",
];

/// A shop on SQLite unless told otherwise.
pub struct World<S = SqliteStore> {
    pub folder: tempfile::TempDir,
    pub sandbox: Sandbox,
    pub payments: Payments,
    pub store: S,
    url: String,
    pub clock: ManualClock,
}

/// The day that it is at this many hours east of UTC. In a day's last two minutes it waits for the next one: a payment
/// and a question about its day must not have a midnight between them.
pub async fn today(hours_east: i8) -> String {
    let day = |at: tulbur::core::Timestamp| at.format_at(hours_east, "%Y-%m-%d");
    loop {
        let now = TokioClock.now();
        if day(now) == day(now.after(Duration::from_mins(2))) {
            return day(now);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// What a command did.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Done {
    pub fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Each of these stands in what was printed.
    pub fn says(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.out.contains(word), "`{word}` is missing:\n{}\n{}", self.out, self.err);
        }
        self
    }
}

pub fn mnt(units: i64) -> Money {
    Money::from_major(units, Currency::MNT).unwrap()
}

impl World {
    pub async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shop.db");
        let store = SqliteStore::open(&file).await.unwrap();
        Self::fill(folder, store, format!("sqlite:{}", file.display())).await
    }
}

impl<S: Store + Clone + 'static> World<S> {
    pub async fn on(store: S, url: &str) -> Self {
        Self::fill(tempfile::tempdir().unwrap(), store, url.to_owned()).await
    }

    async fn fill(folder: tempfile::TempDir, store: S, url: String) -> Self {
        let sandbox = Sandbox::builder().port(0).start().await.unwrap();
        let env = tulbur::reqwest::standard_env().unwrap();
        let clock = ManualClock::new(env.clock.now());
        let key = SecretString::from(KEY);
        let keys = SealingKeys::new([("2027", &key)]).unwrap();
        let public = Url::parse("https://shop.example/tulbur/").unwrap();
        let mut builder = Payments::builder(Arc::new(store.clone()), Arc::new(clock.clone()), keys, public);
        for (name, settings) in accounts(&sandbox) {
            let mut account =
                AccountConfig::new(AccountName::parse(name).unwrap(), ProviderId::parse(name).unwrap());
            for (field, value) in settings {
                account = account.with(field, value);
            }
            builder = builder.account(Registry::linked().unwrap().build(&account, &env).unwrap());
        }
        let payments = builder.build().await.unwrap();
        let world = Self { folder, sandbox, payments, store, url, clock };
        let mut config = String::from("sealing_keys = [{ id = \"2027\", env = \"SHOP_KEY\" }]\n");
        writeln!(config, "database = \"{}\"", world.url()).unwrap();
        for (name, settings) in accounts(&world.sandbox) {
            writeln!(config, "[accounts.{name}]").unwrap();
            for (field, value) in settings {
                writeln!(config, "{field} = \"{value}\"").unwrap();
            }
        }
        std::fs::write(world.folder.path().join("with-accounts.toml"), config).unwrap();
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    pub fn bank(&self, account: &str) -> Provider {
        self.sandbox.provider(account).unwrap()
    }

    pub async fn order(&self, account: &str, order: &str, units: i64) -> PaymentRecord {
        let account = AccountName::parse(account).unwrap();
        let order = OrderRef::parse(order).unwrap();
        let mut request = OpenPayment::new(order, account.clone(), mnt(units), "Three things");
        if account == *TILL {
            request = request.way(Way::Qr);
        }
        self.clock.advance(Duration::from_millis(5));
        self.payments.open(request).await.unwrap()
    }

    /// Two payments of one order, both paid.
    pub async fn paid_twice(&self, order: &str) -> PaymentRecord {
        let first = self.order(WEB, order, 1500).await;
        self.payments.cancel(&first.id).await.unwrap();
        self.paid(WEB, order, 1500).await;
        self.bank(WEB).act(first.reference.merchant_ref.as_str(), "pay").unwrap();
        self.payments.retry(&first.id, "the test").await.unwrap().0
    }

    pub async fn paid(&self, account: &str, order: &str, units: i64) -> PaymentRecord {
        let opened = self.order(account, order, units).await;
        self.bank(account).act(opened.reference.merchant_ref.as_str(), "pay").unwrap();
        let (paid, _) = self.payments.retry(&opened.id, "the test").await.unwrap();
        assert_eq!(paid.status, Status::Paid);
        paid
    }

    /// A push of the card bank's, signed with its secret, with everything in it that must never be printed.
    pub async fn push(&self, reference: &str, code: &str, amount: &str, secret: &str) -> u16 {
        let body = json!({
            "amount": amount, "bank": "PLANTED HOLDER's bank", "errorDesc": "PLANTED HOLDER", "errorCode": code,
            "cardHolder": "PLANTED HOLDER", "transactionId": reference, "cardNumber": "949625******0003",
            "token": "planted-token-000111222333", "extra": "4111111111111111",
            "checksum": checksum(secret, &[reference, code, amount, "planted-token-000111222333"]),
        });
        self.deliver(body.to_string().as_bytes()).await
    }

    pub async fn deliver(&self, body: &[u8]) -> u16 {
        let headers = [
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-signature".to_owned(), "planted-header-value".to_owned()),
        ];
        let delivery =
            Delivery { channel: Channel::Notify, method: "POST", query: None, headers: &headers, body };
        self.payments.notify(NotifyTarget::Name(WEB), delivery).await.status
    }

    /// A handler that failed for hours.
    pub async fn park_everything(&self) -> usize {
        // What the command committed is due by the real clock.
        let now = TokioClock.now().after(Duration::from_secs(1));
        self.store.register_handlers(&[HandlerSpec::new("ship", false)], now).await.unwrap();
        let wanted = [("ship".to_owned(), 100)];
        let claimed = self.store.claim_deliveries(&wanted, "the test", now, now).await.unwrap();
        for one in &claimed {
            self.store.settle_delivery(&one.claim, Settle::Parked, now).await.unwrap();
        }
        claimed.len()
    }

    pub async fn inbox(&self) -> Vec<String> {
        let newest = self.payments.inbox(100).await.unwrap();
        newest.into_iter().map(|(entry, _)| entry.id).collect()
    }

    /// Runs the command on this database, without accounts.
    pub fn run(&self, arguments: &[&str]) -> Done {
        self.run_with(arguments, &[("TULBUR_DATABASE", &self.url())])
    }

    /// With accounts and the sealing key.
    pub fn acting(&self, arguments: &[&str]) -> Done {
        let config = self.path("with-accounts.toml");
        let arguments = [arguments, &["--config", config.to_str().unwrap()]].concat();
        self.run_with(&arguments, &[("SHOP_KEY", KEY)])
    }

    /// Whatever it prints, nothing secret is in it.
    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Done {
        let done = run(arguments, environment, self.folder.path());
        for planted in PLANTED {
            assert!(!done.out.contains(planted) && !done.err.contains(planted), "{planted} in {done:?}");
        }
        assert!(!done.out.contains('\u{1b}'), "a pipe gets no colours: {done:?}");
        done
    }
}

pub fn run(arguments: &[&str], environment: &[(&str, &str)], folder: &std::path::Path) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tulbur"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("TULBUR_")) {
            command.env_remove(name);
        }
    }
    let output = command
        .args(arguments)
        .envs(environment.iter().copied())
        .env("USER", "oyuna")
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn accounts(sandbox: &Sandbox) -> BTreeMap<&'static str, BTreeMap<String, String>> {
    [WEB, TILL]
        .into_iter()
        .map(|name| {
            let bank = sandbox.provider(name).unwrap();
            let mut settings: BTreeMap<String, String> = bank.credentials().clone();
            settings.insert("base_url".into(), bank.base_url().to_owned());
            (name, settings)
        })
        .collect()
}
