//! Measures genuine notifications beside a flood of garbage and beside as many genuine repeats, in one run; and how long
//! SQLite's write lock is held.
//!
//! `cargo bench -p tulbur-payments --features sqlite,postgres,store-suite --bench noise`; with `-- sqlite` only on SQLite.
//! The databases are in the target folder, so on a real disk.
#![allow(clippy::disallowed_types, clippy::float_arithmetic, reason = "measured numbers, not money")]
#![allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "what is measured is printed")]

#[path = "../tests/it/support/mod.rs"]
mod support;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use sqlx::sqlite::SqliteConnectOptions;
use support::{Bank, Shop};
use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tulbur_core::{AccountName, Channel, Delivery, MerchantRef, OrderRef, PaymentStatus, Reply, Url};
use tulbur_payments::store_suite::PostgresServer;
use tulbur_payments::{NotifyTarget, OpenPayment, Payments, PostgresStore, SqliteStore, Store};
use tulbur_reqwest::TokioClock;

/// Who notifies genuinely, one after the other, and is measured.
const SENDERS: usize = 16;
/// What each of them sends.
const EACH: usize = 60;
/// How much is in flight beside them.
const IN_FLIGHT: [usize; 2] = [512, 4096];

fn main() {
    let only_sqlite = std::env::args().any(|arg| arg == "sqlite");
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Locks))
        .expect("nobody else listens");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("the target folder can be written to");
    println!("\nGenuine notifications from {SENDERS} senders, beside what else is in flight");
    let options =
        SqliteConnectOptions::new().filename(folder.path().join("noise.db")).create_if_missing(true);
    runtime.block_on(async {
        let store = SqliteStore::open_with(options).await.expect("the file opens");
        measure("SQLite", Arc::new(store)).await;
    });
    print_locks();
    if only_sqlite || !PostgresServer::is_installed() {
        println!("  PostgreSQL is left out");
        return;
    }
    let server = tempfile::Builder::new().prefix("bench-postgres-").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    let server = PostgresServer::start_durable(server.expect("a folder")).expect("it starts");
    runtime.block_on(async {
        let store = PostgresStore::open(&server.url()).await.expect("it connects");
        measure("PostgreSQL", Arc::new(store)).await;
    });
}

async fn measure(name: &str, store: Arc<dyn Store>) {
    let bank = Bank::new("bank");
    let state = Arc::clone(&bank.state);
    let url = Url::parse("https://shop.example/").expect("an address");
    let payments = Payments::builder(store, Arc::new(TokioClock), support::sealing_keys(), url)
        .account(Arc::new(bank))
        .build()
        .await
        .expect("it starts");
    let most = IN_FLIGHT.into_iter().max().unwrap_or(0);
    let rounds = 1 + 2 * IN_FLIGHT.len();
    let all = open(&payments, most + rounds * SENDERS * EACH).await;
    for entry in state.lock().expect("no panic").payments.values_mut() {
        entry.status = PaymentStatus::Paid;
    }
    let (repeated, mut fresh) = all.split_at(most);
    let repeated: Vec<MerchantRef> = repeated.to_vec();
    let mut next = || {
        let (mine, rest) = fresh.split_at(SENDERS * EACH);
        fresh = rest;
        mine.to_vec()
    };
    // Known once, so that what comes again is a repeat.
    futures_util::stream::iter(&repeated)
        .for_each_concurrent(64, |reference| async {
            assert_eq!(notify(&payments, &genuine(reference)).await.status, 200);
        })
        .await;
    let alone = genuine_beside(&payments, &next(), 0, |_| String::new()).await;
    println!("  {name}, nothing else: {alone}");
    for count in IN_FLIGHT {
        let repeats = genuine_beside(&payments, &next(), count, |number| genuine(&repeated[number])).await;
        let garbage =
            genuine_beside(&payments, &next(), count, |number| format!("{number:032}|000|1500.00|bad")).await;
        println!(
            "  {name}, {count} in flight: beside repeats {repeats}; beside garbage {garbage}; p99 {:.2} times",
            garbage.p99.as_secs_f64() / repeats.p99.as_secs_f64()
        );
    }
}

async fn open(payments: &Payments, count: usize) -> Vec<MerchantRef> {
    let opening = (0..count).map(|number| async move {
        let order = OrderRef::parse(format!("order-{number}")).expect("a reference");
        let account = AccountName::parse("bank").expect("a name");
        let request = OpenPayment::new(order, account, support::mnt(1500), "Two things");
        payments.open(request).await.expect("it opens").reference.merchant_ref
    });
    futures_util::stream::iter(opening).buffer_unordered(256).collect().await
}

fn genuine(reference: &MerchantRef) -> String {
    Shop::body(reference, "000", "1500.00")
}

async fn notify(payments: &Payments, body: &str) -> Reply {
    let delivery = Delivery {
        channel: Channel::Notify,
        method: "POST",
        query: None,
        headers: &[],
        body: body.as_bytes(),
    };
    payments.notify(NotifyTarget::Name("bank"), delivery).await
}

struct Times {
    p50: Duration,
    p99: Duration,
    /// How many others were answered meanwhile, in a second.
    others: f64,
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {:.1?}, p99 {:.1?} ({:.0} others/s)", self.p50, self.p99, self.others)
    }
}

/// How long genuine notifications take, while so many others are always in flight.
async fn genuine_beside(
    payments: &Payments,
    references: &[MerchantRef],
    count: usize,
    other: impl Fn(usize) -> String,
) -> Times {
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let others: Vec<_> = (0..count)
        .map(|number| {
            let (payments, body) = (payments.clone(), other(number));
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    notify(&payments, &body).await;
                    answered.fetch_add(1, Ordering::Relaxed);
                    // As the next request on a connection comes.
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (began, before) = (Instant::now(), answered.load(Ordering::Relaxed));
    let senders = references.chunks(EACH).map(|mine| {
        let (payments, mine) = (payments.clone(), mine.to_vec());
        tokio::spawn(async move {
            let mut times = Vec::with_capacity(mine.len());
            for reference in mine {
                let body = genuine(&reference);
                let began = Instant::now();
                let reply = notify(&payments, &body).await;
                times.push(began.elapsed());
                assert_eq!(reply.status, 200, "a genuine one is stored, whatever else comes");
            }
            times
        })
    });
    let mut times: Vec<Duration> = Vec::new();
    for sent in futures_util::future::join_all(senders).await {
        times.extend(sent.expect("no panic"));
    }
    let seconds = began.elapsed().as_secs_f64();
    let others_answered = answered.load(Ordering::Relaxed) - before;
    stop.store(true, Ordering::Relaxed);
    futures_util::future::join_all(others).await;
    times.sort_unstable();
    Times {
        p50: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
        others: others_answered as f64 / seconds,
    }
}

/// How long each transaction had SQLite's write lock: for its statements, and with its commit.
static HELD: Mutex<Vec<(Duration, Duration)>> = Mutex::new(Vec::new());

struct Locks;

#[derive(Default)]
struct Held {
    statements: Option<Duration>,
    held: Option<Duration>,
}

impl Visit for Held {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let time = parse(&format!("{value:?}"));
        match field.name() {
            "statements" => self.statements = time,
            "held" => self.held = time,
            _ => {}
        }
    }
}

/// A duration as it prints.
fn parse(text: &str) -> Option<Duration> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        "ns" => number / 1e9,
        "µs" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        _ => return None,
    };
    Some(Duration::from_secs_f64(seconds))
}

impl<S: tracing::Subscriber> Layer<S> for Locks {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target() == "tulbur_write_lock"
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut held = Held::default();
        event.record(&mut held);
        if let (Some(statements), Some(held)) = (held.statements, held.held) {
            HELD.lock().expect("no panic").push((statements, held));
        }
    }
}

fn print_locks() {
    let held = HELD.lock().expect("no panic");
    let percentile = |pick: fn(&(Duration, Duration)) -> Duration, percent: usize| {
        let mut times: Vec<Duration> = held.iter().map(pick).collect();
        times.sort_unstable();
        times.get(times.len() * percent / 100).copied().unwrap_or_default()
    };
    let line = |pick| format!("p50 {:.1?}, p99 {:.1?}", percentile(pick, 50), percentile(pick, 99));
    println!(
        "  SQLite's write lock in {} transactions: held {}; by statements {}; by the commit and its fsync {}",
        held.len(),
        line(|(_, held)| *held),
        line(|(statements, _)| *statements),
        line(|(statements, held)| held.saturating_sub(*statements)),
    );
}
