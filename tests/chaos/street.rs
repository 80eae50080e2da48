//! The sandbox, the shops and their database, from the first order to the last question.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Mutex;
use tulbur_payments::store_suite::{TestDatabase, postgres_for_tests};
use tulbur_tests::{Caller, Chance, Sandbox, Shop, number, shop_program};

use super::accidents::{Accidents, Occurrences};
use super::customers::Customer;
use super::judge;

/// The providers that the shop sells through.
pub(crate) const PROVIDERS: [&str; 3] = ["golomt-ecommerce", "golomt-instore", "galaxy-pay"];

/// Customers who are in the shop at once.
const AT_ONCE: u64 = 12;

pub(crate) enum Database {
    /// A file in the shop's folder.
    Sqlite,
    /// A database that several shops share.
    Postgres(Box<TestDatabase>, String),
}

impl Database {
    /// None where there is no PostgreSQL, and none is required.
    pub(crate) async fn postgres() -> Option<Self> {
        let server = postgres_for_tests()?;
        let database = server.database().await.expect("the server makes a database");
        let address = database.url();
        Some(Self::Postgres(Box::new(database), address))
    }

    fn address(&self) -> Option<&str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres(_, address) => Some(address),
        }
    }

    /// Restarts the server without letting anybody finish; `false` if there is none of ours.
    async fn restart(&self) -> bool {
        let Self::Postgres(database, _) = self else { return false };
        let Some(server) = database.server() else { return false };
        server.stop_immediately().expect("the server stops");
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.start_again().expect("the server starts again");
        true
    }

    fn can_restart(&self) -> bool {
        matches!(self, Self::Postgres(database, _) if database.server().is_some())
    }
}

/// What everybody in the street sees.
pub(crate) struct Street {
    pub(crate) seed: u64,
    pub(crate) orders: u64,
    pub(crate) sandbox: Sandbox,
    pub(crate) shops: Vec<Mutex<Shop>>,
    pub(crate) callers: Vec<Caller>,
    /// What the customers of the test could pay with.
    pub(crate) cards: Vec<Saved>,
    /// How many refunds of each payment customers asked for, each under a key of its own, by the payment's id.
    pub(crate) refunds_asked: std::sync::Mutex<HashMap<String, u64>>,
    pub(crate) kills: AtomicU32,
    pub(crate) server_restarts: AtomicU32,
    next: AtomicU64,
    database: Database,
    _folder: tempfile::TempDir,
}

/// A card that was saved before the chaos began.
pub(crate) struct Saved {
    pub(crate) id: String,
    pub(crate) product: &'static str,
}

impl Street {
    pub(crate) async fn open(database: Database, shops: usize) -> Arc<Self> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let (bank, home) = (folder.path().join("bank"), folder.path().join("shop"));
        for made in [&bank, &home] {
            std::fs::create_dir(made).expect("a folder can be made");
        }
        let sandbox = Sandbox::start(env!("CARGO_BIN_EXE_tulbur-process"), Path::new(&bank)).await;
        let program =
            shop_program(env!("CARGO_BIN_EXE_shop-process"), env!("CARGO_BIN_EXE_shop-actix-process"));
        let mut all = Vec::new();
        for number in 0..shops {
            // One folder: the shops share the key that seals what they store.
            let mut shop =
                Shop::new(program, &home, &sandbox).option("--lifetime", "12").option("--dwell", "25");
            if let Some(address) = database.address() {
                shop = shop.option("--database", address);
                if number == 1 {
                    // What counts is the database's clock, which all of them share; on a file it is the machine's.
                    shop = shop.option("--clock-ahead", "130");
                }
            }
            shop.start(None).await;
            all.push(shop);
        }
        let callers: Vec<Caller> = all.iter().map(Shop::caller).collect();
        let mut street = Self {
            seed: number("TULBUR_CHAOS_SEED", 20_261_121),
            orders: number("TULBUR_CHAOS_PAYMENTS", 200),
            sandbox,
            shops: all.into_iter().map(Mutex::new).collect(),
            callers,
            cards: Vec::new(),
            refunds_asked: std::sync::Mutex::default(),
            kills: AtomicU32::new(0),
            server_restarts: AtomicU32::new(0),
            next: AtomicU64::new(0),
            database,
            _folder: folder,
        };
        street.cards = super::customers::save_cards(&street).await;
        Arc::new(street)
    }

    pub(crate) fn order_name(number: u64) -> String {
        format!("order-{number}")
    }

    /// One of the shops, by chance; it may be dead.
    pub(crate) fn caller(&self, chance: &mut Chance) -> &Caller {
        chance.one(&self.callers)
    }

    /// Asks until a shop answers.
    pub(crate) async fn json(&self, chance: &mut Chance, path: &str) -> Value {
        let began = Instant::now();
        loop {
            if let Some(value) = self.caller(chance).json(path).await {
                return value;
            }
            assert!(began.elapsed() < Duration::from_mins(2), "no shop answers {path}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    #[expect(clippy::print_stdout, reason = "what a run showed, and the seed that repeats its choices")]
    pub(crate) async fn run(self: Arc<Self>) {
        let began = Instant::now();
        let accidents = Accidents::begin(&self).await;
        let customers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let street = Arc::clone(&self);
                tokio::spawn(async move {
                    loop {
                        let number = street.next.fetch_add(1, Ordering::Relaxed);
                        if number >= street.orders {
                            return;
                        }
                        Customer::new(&street, number).shops().await;
                    }
                })
            })
            .collect();
        for customer in customers {
            customer.await.expect("a customer does not panic");
        }
        let (occurrences, stops) = accidents.end().await;
        let busy = began.elapsed();
        println!(
            "seed {}: {} orders in {} s, {} kills, {} restarts of the database server",
            self.seed,
            self.orders,
            busy.as_secs(),
            self.kills.load(Ordering::Relaxed),
            self.server_restarts.load(Ordering::Relaxed)
        );
        println!("{stops}");
        let verdict = judge::judge(&self).await;
        println!("{verdict}");
        print_occurrences(&occurrences);
        assert!(self.kills.load(Ordering::Relaxed) > 0, "nobody was killed");
        assert!(stops.of_writes() > 0, "no shop was stopped past the lease of a write: {stops}");
        if self.database.can_restart() {
            let restarts = self.server_restarts.load(Ordering::Relaxed);
            assert_eq!(restarts, 1, "the database server was not restarted");
        }
        let missing: Vec<String> = occurrences
            .iter()
            .filter(|one| one.times == 0)
            .map(|one| format!("{} of {}", one.kind, one.provider))
            .collect();
        assert!(missing.is_empty(), "these faults never occurred: {}", missing.join(", "));
        println!("{} s in all", began.elapsed().as_secs());
    }

    pub(crate) async fn restart_server(&self) -> bool {
        self.database.restart().await
    }
}

#[expect(clippy::print_stdout, reason = "how often each fault occurred")]
fn print_occurrences(occurrences: &[Occurrences]) {
    println!("faults that occurred:");
    for provider in PROVIDERS {
        let of: Vec<String> = occurrences
            .iter()
            .filter(|one| one.provider == provider)
            .map(|one| format!("{} {}", one.kind, one.times))
            .collect();
        println!("  {provider}: {}", of.join(", "));
    }
}
