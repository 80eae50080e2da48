//! A shop on a file of its own, and the bank that it sells through.
#![allow(dead_code, reason = "each test binary uses its own part of it")]
#![expect(unreachable_pub, reason = "a module that several test binaries include")]

mod bank;
pub mod cards;
pub mod recorder;
mod store;
pub mod wallet;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use tulbur_core::{
    AccountName, CallbackUrl, Channel, Delivery, ManualClock, MerchantRef, OrderRef, PaymentStatus, Reply,
    Scheme, SecretString, SigningKeys, Timestamp, Url, async_trait,
};
use tulbur_payments::{
    Event, EventHandler, HandlerError, NotifyTarget, OpenPayment, Payments, PaymentsBuilder, SealingKeys,
};

#[allow(unused_imports, reason = "each test binary uses its own part of it")]
pub use bank::{Bank, CHARGE, Entry, LINK, PAGE, SECRET, SETUP, State, TOKEN, Write, mnt};

/// Remembers what it was told.
#[derive(Debug, Default)]
pub struct Told(pub Mutex<Vec<Event>>);

#[async_trait]
impl EventHandler for Told {
    async fn handle(&self, event: &Event) -> Result<(), HandlerError> {
        self.0.lock().unwrap().push(event.clone());
        Ok(())
    }
}

pub struct Shop {
    pub payments: Payments,
    pub bank: Arc<Mutex<State>>,
    pub clock: ManualClock,
    pub told: Arc<Told>,
    pub folder: tempfile::TempDir,
}

pub fn sealing_keys() -> SealingKeys {
    let key = SecretString::from("cGxhbnRlZC1zZWFsaW5nLWtleS0wMTIzNDU2Nzg5QUI=");
    SealingKeys::new([("test", &key)]).unwrap()
}

pub async fn builder(path: &Path, clock: &ManualClock) -> PaymentsBuilder {
    builder_with(options(path), clock).await
}

pub fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .busy_timeout(Duration::from_millis(200))
}

pub async fn builder_with(options: SqliteConnectOptions, clock: &ManualClock) -> PaymentsBuilder {
    let store = store::open(options).await;
    let url = Url::parse("https://shop.example/tulbur").unwrap();
    Payments::builder(store, Arc::new(clock.clone()), sealing_keys(), url)
}

/// A folder in memory where there is one: the disk's speed is not what these tests are about.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// A notification of the bank.
pub async fn notify(payments: &Payments, body: &str) -> Reply {
    let delivery = Delivery {
        channel: Channel::Notify,
        method: "POST",
        query: None,
        headers: &[],
        body: body.as_bytes(),
    };
    payments.notify(NotifyTarget::Name("bank"), delivery).await
}

/// Time that passes on a clock that is else moved by hand, as long as this lives. Where a real database fails, the engine
/// waits before it tries again, and it must not wait for ever.
#[must_use = "time stands still again when this is dropped"]
pub struct Passing(tokio::task::JoinHandle<()>);

impl Passing {
    pub fn on(clock: &ManualClock) -> Self {
        let (clock, step) = (clock.clone(), Duration::from_millis(10));
        Self(tokio::spawn(async move {
            loop {
                tokio::time::sleep(step).await;
                clock.advance(step);
            }
        }))
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Shop {
    pub async fn open() -> Self {
        let (folder, clock) = (folder(), ManualClock::new(Timestamp::from_millis(1_800_000_000_000)));
        let bank = Bank::new("bank");
        let (state, told) = (Arc::clone(&bank.state), Arc::new(Told::default()));
        let payments = builder(&folder.path().join("shop.db"), &clock)
            .await
            .account(Arc::new(bank))
            .handler("told", told.clone())
            .build()
            .await
            .unwrap();
        Self { payments, bank: state, clock, told, folder }
    }

    /// Another process on the same database, as after a crash. The bank is the same.
    pub async fn restart(&mut self) {
        self.restart_with(|options| options).await;
    }

    /// Another process, whose connections have other options.
    pub async fn restart_with(&mut self, change: impl FnOnce(SqliteConnectOptions) -> SqliteConnectOptions) {
        let mut bank = Bank::new("bank");
        bank.state = Arc::clone(&self.bank);
        self.payments = builder_with(change(options(&self.folder.path().join("shop.db"))), &self.clock)
            .await
            .account(Arc::new(bank))
            .handler("told", self.told.clone())
            .build()
            .await
            .unwrap();
    }

    pub fn request(&self, order: &str, units: i64) -> OpenPayment {
        OpenPayment::new(self.order(order), AccountName::parse("bank").unwrap(), mnt(units), "Two things")
    }

    #[expect(clippy::unused_self, reason = "it reads like the rest of the shop's calls")]
    pub fn order(&self, order: &str) -> OrderRef {
        OrderRef::parse(order).unwrap()
    }

    pub fn entry(&self, reference: &MerchantRef, change: impl FnOnce(&mut Entry)) {
        change(self.bank.lock().unwrap().payments.get_mut(reference.as_str()).expect("the bank knows it"));
    }

    /// The payer pays at the bank.
    pub fn pay(&self, reference: &MerchantRef) {
        self.entry(reference, |entry| {
            entry.code = Some("000".into());
            if entry.later {
                entry.status = PaymentStatus::Authorized;
            } else {
                entry.status = PaymentStatus::Paid;
                entry.debits += 1;
            }
        });
    }

    pub fn body(reference: &MerchantRef, code: &str, amount: &str) -> String {
        let keys = SigningKeys::new(Scheme::HmacSha256, &[SecretString::from(SECRET)]).unwrap();
        let checksum = keys.sign(&[reference.as_str(), code, amount]);
        format!("{reference}|{code}|{amount}|{checksum}")
    }

    pub async fn notify(&self, body: &str) -> Reply {
        notify(&self.payments, body).await
    }

    /// Works until nothing is due now.
    pub async fn work(&self) {
        for _ in 0..200 {
            if !self.payments.work_once().await.unwrap().is_zero() {
                return;
            }
        }
        panic!("the background work never rests");
    }

    /// Works through the next two days.
    pub async fn work_for_days(&self) {
        self.work().await;
        for _ in 0..160 {
            self.clock.advance(Duration::from_mins(20));
            self.work().await;
        }
    }

    pub async fn kinds(&self, order: &str) -> Vec<&'static str> {
        let events = self.payments.events(&self.order(order)).await.unwrap();
        events.iter().map(|event| event.kind.name()).collect()
    }

    /// Waits until a request hangs at the bank.
    pub async fn until_it_hangs(&self) {
        while self.bank.lock().unwrap().hanging == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until questions that run beside us are answered.
    pub async fn settle(&self) {
        settle(&self.payments, || {
            let bank = self.bank.lock().unwrap();
            (bank.queries, bank.creates, bank.operations)
        })
        .await;
    }
}

/// Waits until questions that run beside us are answered: until nothing has moved for a while in which the store answers,
/// so that a slow machine only makes it longer. `bank` says what has moved at the bank.
pub async fn settle<T: PartialEq>(payments: &Payments, bank: impl Fn() -> T) {
    let moved = || {
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        (tasks, bank(), payments.accounts_state()[0].asking)
    };
    let (mut last, mut quiet) = (moved(), 0);
    for _ in 0..2000 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        // No item has this key. The call waits until the writes before it are done.
        drop(payments.resolve("no item", "S").await);
        let now = moved();
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
        if quiet == 16 {
            return;
        }
    }
}

pub fn callback(text: &str) -> CallbackUrl {
    CallbackUrl::parse(text).unwrap()
}
