//! Measures the cost of durability, as ratios of two things measured in turn on one machine.
//!
//! `cargo bench -p tulbur-payments --features sqlite,postgres,store-suite --bench durable`; with `-- acks`, `-- due`,
//! `-- events` or `-- memory` only that, with `sqlite` too only on SQLite. The databases are in the target folder, so on a real disk;
//! without PostgreSQL its half is left out, and that is printed.
#![allow(clippy::disallowed_types, clippy::float_arithmetic, reason = "measured numbers, not money")]
#![allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "what is measured is printed")]

#[path = "../tests/it/support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection};
use support::{Bank, Shop};
use tulbur_core::{
    AccountName, Channel, Clock, Delivery, ManualClock, MerchantRef, OrderRef, Timestamp, Url,
};
use tulbur_payments::store::{HandlerSpec, Settle};
use tulbur_payments::store_suite::PostgresServer;
use tulbur_payments::{
    NotifyTarget, OpenPayment, Pace, Payments, PostgresStore, SqliteStore, Store, StoreSettings,
};
use tulbur_reqwest::TokioClock;

const SENDERS: usize = 64;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let only_sqlite = wanted.iter().any(|arg| arg == "sqlite");
    let is_wanted =
        |name: &str| wanted.iter().all(|arg| arg == "sqlite") || wanted.iter().any(|arg| arg == name);
    metrics::set_global_recorder(Counting).expect("nobody else records");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("the target folder can be written to");
    let server = if only_sqlite { None } else { server() };
    if is_wanted("acks") {
        runtime.block_on(acks(folder.path(), server.as_ref()));
    }
    if is_wanted("due") {
        runtime.block_on(due(folder.path(), server.as_ref()));
    }
    if is_wanted("events") {
        runtime.block_on(events(folder.path(), server.as_ref()));
    }
    if is_wanted("memory") {
        runtime.block_on(memory(folder.path()));
    }
}

/// PostgreSQL as it comes, waiting for the disk.
fn server() -> Option<PostgresServer> {
    if !PostgresServer::is_installed() {
        println!("PostgreSQL is not installed: its half is left out");
        return None;
    }
    let folder = tempfile::Builder::new().prefix("bench-postgres-").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    Some(
        PostgresServer::start_durable(folder.expect("the target folder can be written to"))
            .expect("it starts"),
    )
}

async fn database(server: &PostgresServer, name: &str) -> sqlx::postgres::PgConnectOptions {
    let options: sqlx::postgres::PgConnectOptions = server.url().parse().expect("its address is one");
    let mut admin = sqlx::PgConnection::connect_with(&options).await.expect("it answers");
    let statement = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(statement).execute(&mut admin).await.expect("a database can be made");
    options.database(name)
}

fn file(folder: &Path, name: &str) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(folder.join(name)).create_if_missing(true)
}

async fn payments(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) -> (Payments, Arc<std::sync::Mutex<support::State>>) {
    let bank = Bank::new("bank");
    let state = Arc::clone(&bank.state);
    let url = Url::parse("https://shop.example/").expect("an address");
    let payments = Payments::builder(store, clock, support::sealing_keys(), url).account(Arc::new(bank));
    (payments.build().await.expect("it starts"), state)
}

async fn acks(folder: &Path, server: Option<&PostgresServer>) {
    const ROUNDS: usize = 3;
    println!(
        "\nDurable acknowledgements, {SENDERS} concurrent senders at Payments::notify, each of another payment"
    );
    let mut best = [[0.0_f64; 2]; 2];
    for round in 0..ROUNDS {
        for (place, together) in [1, StoreSettings::default().commits_together].into_iter().enumerate() {
            let settings = StoreSettings::default().commits_together(together);
            let options = file(folder, &format!("acks-{round}-{together}.db"));
            let store = SqliteStore::connect(options, &settings).await.expect("the file opens");
            let run = acknowledge(Arc::new(store)).await;
            report("SQLite, synchronous=FULL", together, &run);
            best[0][place] = best[0][place].max(run.acks);
            if let Some(server) = server {
                let options = database(server, &format!("acks_{round}_{together}")).await;
                let store = PostgresStore::connect(options, &settings).await.expect("it connects");
                let run = acknowledge(Arc::new(store)).await;
                report("PostgreSQL, as it comes", together, &run);
                best[1][place] = best[1][place].max(run.acks);
            }
        }
    }
    for (name, [alone, together]) in ["SQLite", "PostgreSQL"].into_iter().zip(best) {
        if alone > 0.0 {
            println!(
                "  {name}: {:.1} times as many with group commit (best of {ROUNDS} each)",
                together / alone
            );
        }
    }
}

fn report(name: &str, together: usize, run: &Run) {
    println!(
        "  {name}, up to {together} commits in a transaction: {:.0} acknowledgements/s; {:.0} commits/s in {:.0} \
         transactions/s",
        run.acks, run.commits, run.transactions
    );
}

struct Run {
    acks: f64,
    commits: f64,
    transactions: f64,
}

/// Opens payments, and has them notified by many senders at once, for about two seconds.
async fn acknowledge(store: Arc<dyn Store>) -> Run {
    let (payments, bank) = payments(store, Arc::new(TokioClock)).await;
    let count = 9_600_usize;
    let opening = (0..SENDERS).map(|sender| {
        let payments = payments.clone();
        tokio::spawn(async move {
            let mut references = Vec::new();
            for number in 0..count / SENDERS {
                let order = OrderRef::parse(format!("order-{sender}-{number}")).expect("a reference");
                let account = AccountName::parse("bank").expect("a name");
                let request = OpenPayment::new(order, account, support::mnt(1500), "Two things");
                references.push(payments.open(request).await.expect("it opens").reference.merchant_ref);
            }
            references
        })
    });
    let mut references: Vec<Vec<MerchantRef>> = Vec::new();
    for opened in futures_util::future::join_all(opening).await {
        references.push(opened.expect("no panic"));
    }
    for entry in bank.lock().expect("no panic").payments.values_mut() {
        entry.status = tulbur_core::PaymentStatus::Paid;
    }
    let before =
        (COMMITS.load(Ordering::Relaxed), BATCHES.load(Ordering::Relaxed), GROUPED.load(Ordering::Relaxed));
    let began = Instant::now();
    let end = began + Duration::from_secs(2);
    let sending: FuturesUnordered<_> = references
        .into_iter()
        .map(|references| {
            let payments = payments.clone();
            tokio::spawn(async move {
                let mut sent = 0_u64;
                for reference in references {
                    if Instant::now() > end {
                        break;
                    }
                    let body = Shop::body(&reference, "000", "1500.00");
                    let delivery = Delivery {
                        channel: Channel::Notify,
                        method: "POST",
                        query: None,
                        headers: &[],
                        body: body.as_bytes(),
                    };
                    let reply = payments.notify(NotifyTarget::Name("bank"), delivery).await;
                    assert_eq!(reply.status, 200);
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    let sent: Vec<_> = sending.collect().await;
    let seconds = began.elapsed().as_secs_f64();
    let acks: u64 = sent.into_iter().map(|sent| sent.expect("no panic")).sum();
    let commits = COMMITS.load(Ordering::Relaxed) - before.0;
    let (batches, grouped) =
        (BATCHES.load(Ordering::Relaxed) - before.1, GROUPED.load(Ordering::Relaxed) - before.2);
    // What is not in a batch is a transaction of its own.
    let transactions = commits.saturating_sub(grouped) + batches;
    // The questions that follow the acknowledgements are not to disturb the next run.
    tokio::time::sleep(Duration::from_secs(1)).await;
    Run {
        acks: acks as f64 / seconds,
        commits: commits as f64 / seconds,
        transactions: transactions as f64 / seconds,
    }
}

async fn due(folder: &Path, server: Option<&PostgresServer>) {
    println!("\nFinding and leasing the next 500 due payments");
    let mut sqlite = Vec::new();
    let mut postgres = Vec::new();
    for size in [10_000_u32, 1_000_000] {
        let options = file(folder, &format!("due-{size}.db"));
        let store = SqliteStore::open_with(options.clone()).await.expect("the file opens");
        let store: Arc<dyn Store> = Arc::new(store);
        seed(&store).await;
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("it opens");
        let fill = format!(
            "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {size}) \
             INSERT INTO tulbur_payments (id, version, order_ref, account, merchant_ref, secret_hash, status, operation, \
             ask_at, created_at, body) SELECT printf('%08x-{size}', n), 1, order_ref, account, 'm' || n, 'h' || n, status, \
             operation, {}, created_at + n, body FROM tulbur_payments, number WHERE ask_at IS NULL",
            spread("n", size)
        );
        sqlx::raw_sql(AssertSqlSafe(fill)).execute(&mut connection).await.expect("it is filled");
        sqlx::raw_sql("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut connection)
            .await
            .expect("it is analysed");
        sqlite.push(take(&store).await);
        if let Some(server) = server {
            let options = database(server, &format!("due_{size}")).await;
            let store = PostgresStore::open_with(options.clone()).await.expect("it connects");
            let store: Arc<dyn Store> = Arc::new(store);
            seed(&store).await;
            let mut connection = sqlx::PgConnection::connect_with(&options).await.expect("it connects");
            let fill = format!(
                "INSERT INTO tulbur_payments (id, version, order_ref, account, merchant_ref, secret_hash, status, \
                 operation, ask_at, created_at, body) SELECT lpad(to_hex(n), 8, '0'), 1, order_ref, account, 'm' || n, \
                 'h' || n, status, operation, {}, created_at + n, body \
                 FROM tulbur_payments, generate_series(1, {size}) AS n WHERE ask_at IS NULL; ",
                spread("n", size)
            );
            sqlx::raw_sql(AssertSqlSafe(fill)).execute(&mut connection).await.expect("it is filled");
            sqlx::raw_sql("VACUUM ANALYZE tulbur_payments")
                .execute(&mut connection)
                .await
                .expect("it is analysed");
            sqlx::raw_sql("CHECKPOINT").execute(&mut connection).await.expect("it is written");
            postgres.push(take(&store).await);
        }
    }
    for (name, measured) in [("SQLite", sqlite), ("PostgreSQL", postgres)] {
        if let [few, many] = measured[..] {
            println!(
                "  {name}: {few:.2?} among 10,000, {many:.2?} among 1,000,000: {:.2} times (median of {TAKES})",
                many.as_secs_f64() / few.as_secs_f64()
            );
        }
    }
}

const NOW: i64 = 1_800_000_000_000;
const TAKES: usize = 15;

/// When the nth payment is due: all at another time, in no order; 9,000 of them in the past, whatever their number.
fn spread(n: &str, size: u32) -> String {
    format!("{NOW} + ((CAST({n} AS BIGINT) * 7919) % {size} - 9000) * 1000")
}

/// One payment that is not watched, whose row is copied.
async fn seed(store: &Arc<dyn Store>) {
    let clock = ManualClock::new(Timestamp::from_millis(NOW));
    let (payments, bank) = payments(Arc::clone(store), Arc::new(clock)).await;
    let order = OrderRef::parse("order-1").expect("a reference");
    let account = AccountName::parse("bank").expect("a name");
    let request = OpenPayment::new(order, account, support::mnt(1500), "Two things");
    let payment = payments.open(request).await.expect("it opens");
    for entry in bank.lock().expect("no panic").payments.values_mut() {
        entry.status = tulbur_core::PaymentStatus::Paid;
    }
    payments.query(&payment.id).await.expect("it is asked about");
    let record = payments.payment(&payment.id).await.expect("it is there");
    assert!(record.ask_at.is_none(), "a paid payment is not asked about: {:?}", record.ask_at);
}

async fn take(store: &Arc<dyn Store>) -> Duration {
    let (now, lease) = (Timestamp::from_millis(NOW), Timestamp::from_millis(NOW + 3_600_000_000));
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..TAKES {
        let began = Instant::now();
        let taken = store.take_due(now, lease, 500).await.expect("it answers");
        times.push(began.elapsed());
        assert_eq!(taken.len(), 500);
    }
    times.sort_unstable();
    times[TAKES / 2]
}

/// Finds and claims the next events of a handler, where so many were delivered before.
async fn events(folder: &Path, server: Option<&PostgresServer>) {
    println!("\nFinding and claiming the next 32 events of a handler");
    // The last 2,000 wait, in an order each; all the others were handled.
    let fill = |numbers: &str, size: u32| {
        let waiting = size - 2000;
        format!(
            "INSERT INTO tulbur_events (id, stream, order_ref, kind, at, format, body) SELECT 'event-' || n, \
             'order-' || n, 'order-' || n, 'canceled', {NOW} - {size} + n, 1, '{{\"id\":\"event-' || n || \
             '\",\"at\":{NOW},\"order\":null,\"payment\":null,\"kind\":\"canceled\"}}' FROM {numbers}; \
             INSERT INTO tulbur_handled (seq, handler, at) SELECT n, 'ship', {NOW} FROM {numbers} WHERE n <= {waiting}; \
             INSERT INTO tulbur_deliveries (handler, seq, stream, due_at) SELECT 'ship', n, 'order-' || n, \
             {NOW} - {size} + n FROM {numbers} WHERE n > {waiting}"
        )
    };
    let mut sqlite = Vec::new();
    let mut postgres = Vec::new();
    for size in [10_000_u32, 1_000_000] {
        let options = file(folder, &format!("events-{size}.db"));
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open_with(options.clone()).await.expect("the file opens"));
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("it opens");
        let numbers = format!(
            "(WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {size}) \
             SELECT n FROM number)"
        );
        register(&store).await;
        sqlx::raw_sql(AssertSqlSafe(fill(&numbers, size)))
            .execute(&mut connection)
            .await
            .expect("it is filled");
        sqlx::raw_sql("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut connection)
            .await
            .expect("it is analysed");
        sqlite.push(deliver(&store).await);
        if let Some(server) = server {
            let options = database(server, &format!("events_{size}")).await;
            let store: Arc<dyn Store> =
                Arc::new(PostgresStore::open_with(options.clone()).await.expect("it connects"));
            let mut connection = sqlx::PgConnection::connect_with(&options).await.expect("it connects");
            register(&store).await;
            sqlx::raw_sql(AssertSqlSafe(fill(&format!("generate_series(1, {size}) AS n"), size)))
                .execute(&mut connection)
                .await
                .expect("it is filled");
            for table in ["tulbur_events", "tulbur_handled", "tulbur_deliveries"] {
                sqlx::raw_sql(AssertSqlSafe(format!("VACUUM ANALYZE {table}")))
                    .execute(&mut connection)
                    .await
                    .expect("it is analysed");
            }
            sqlx::raw_sql("CHECKPOINT").execute(&mut connection).await.expect("it is written");
            postgres.push(deliver(&store).await);
        }
    }
    for (name, measured) in [("SQLite", sqlite), ("PostgreSQL", postgres)] {
        if let [few, many] = measured[..] {
            println!(
                "  {name}: {few:.2?} after 10,000 events, {many:.2?} after 1,000,000: {:.2} times (median of {TAKES})",
                many.as_secs_f64() / few.as_secs_f64()
            );
        }
    }
}

async fn register(store: &Arc<dyn Store>) {
    let ship = HandlerSpec::new("ship", true);
    store.register_handlers(&[ship], Timestamp::from_millis(0)).await.expect("it is registered");
}

async fn deliver(store: &Arc<dyn Store>) -> Duration {
    let (now, lease) = (Timestamp::from_millis(NOW), Timestamp::from_millis(NOW + 60_000));
    let names = ["ship".to_owned()];
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..TAKES {
        let began = Instant::now();
        assert!(store.next_delivery(&names).await.expect("it answers").is_some());
        let claimed = store
            .claim_deliveries(&[("ship".to_owned(), 32)], "bench", now, lease)
            .await
            .expect("they are claimed");
        times.push(began.elapsed());
        assert_eq!(claimed.len(), 32);
        for one in &claimed {
            assert!(store.settle_delivery(&one.claim, Settle::Done, now).await.expect("it is settled"));
        }
    }
    times.sort_unstable();
    times[TAKES / 2]
}

/// Works through many due payments of a bank that says nothing new, and looks at the process's memory on the way.
async fn memory(folder: &Path) {
    println!("\nMemory of the background work: open payments that are asked about again and again");
    for count in [3_000_u32, 30_000] {
        let options = file(folder, &format!("memory-{count}.db"));
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open_with(options).await.expect("the file opens"));
        let clock = ManualClock::new(Timestamp::from_millis(NOW));
        let bank = Bank::new("bank");
        let state = Arc::clone(&bank.state);
        let url = Url::parse("https://shop.example/").expect("an address");
        let payments = Payments::builder(store, Arc::new(clock.clone()), support::sealing_keys(), url)
            .account(Arc::new(bank))
            .pace(Pace::default().per_second(1_000_000).at_once(64))
            .build()
            .await
            .expect("it starts");
        let opening = (0..count).map(|number| {
            let payments = payments.clone();
            async move {
                let order = OrderRef::parse(format!("order-{number}")).expect("a reference");
                let account = AccountName::parse("bank").expect("a name");
                let request = OpenPayment::new(order, account, support::mnt(1500), "Two things");
                payments.open(request).await.expect("it opens");
            }
        });
        futures_util::stream::iter(opening).buffer_unordered(256).collect::<Vec<()>>().await;
        let (mut asked, before) = (0, resident());
        for round in 1..=6 {
            clock.advance(Duration::from_mins(2));
            while payments.work_once().await.expect("it works").is_zero() {}
            let queries = state.lock().expect("no panic").queries;
            println!(
                "  {count} payments, round {round}: {} questions, {} KiB more than before the first ({} MiB resident)",
                queries - asked,
                resident().saturating_sub(before),
                resident() / 1024
            );
            asked = queries;
        }
    }
}

/// This process's resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)).and_then(|number| number.parse().ok()).unwrap_or(0)
}

static COMMITS: AtomicU64 = AtomicU64::new(0);
static BATCHES: AtomicU64 = AtomicU64::new(0);
static GROUPED: AtomicU64 = AtomicU64::new(0);

/// Counts commits and the transactions that they went into.
struct Counting;

struct Commits;
struct Batches;

impl CounterFn for Commits {
    fn increment(&self, value: u64) {
        COMMITS.fetch_add(value, Ordering::Relaxed);
    }
    fn absolute(&self, _: u64) {}
}

impl HistogramFn for Batches {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a batch's size")]
    fn record(&self, value: f64) {
        BATCHES.fetch_add(1, Ordering::Relaxed);
        GROUPED.fetch_add(value as u64, Ordering::Relaxed);
    }
}

impl Recorder for Counting {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() == "tulbur_commits_total" {
            Counter::from_arc(Arc::new(Commits))
        } else {
            Counter::noop()
        }
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        if key.name() == "tulbur_commit_batch_size" {
            Histogram::from_arc(Arc::new(Batches))
        } else {
            Histogram::noop()
        }
    }
}
