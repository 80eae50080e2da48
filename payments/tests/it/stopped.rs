//! Processes that are stopped inside a transaction, as a paused machine or a swapped-out process is: others wait for a
//! bounded time, and are told what they wait for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};
use tulbur_core::{AccountName, Clock, OrderRef, Url};
use tulbur_payments::{Error, OpenPayment, PaymentRecord, Payments, SqliteStore, Store, StoreError};

use crate::child::{Part, say};
use crate::support::{self, Bank};

async fn shop(store: Arc<dyn Store>) -> Payments {
    let clock: Arc<dyn Clock> = Arc::new(tulbur_reqwest::TokioClock);
    let url = Url::parse("https://shop.example/").unwrap();
    let builder = Payments::builder(store, clock, support::sealing_keys(), url);
    builder.account(Arc::new(Bank::new("bank"))).build().await.unwrap()
}

async fn open(payments: &Payments, order: &str) -> Result<PaymentRecord, Error> {
    let (order, account) = (OrderRef::parse(order).unwrap(), AccountName::parse("bank").unwrap());
    payments.open(OpenPayment::new(order, account, support::mnt(1500), "Two things")).await
}

/// SQLite cannot take the lock from a stopped process: others are told so, until it goes on or ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_says_what_it_waits_for_until_the_process_ends() {
    let folder = support::folder();
    let path = folder.path().join("shop.db");
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .busy_timeout(Duration::from_millis(300));
    let store = SqliteStore::open_with(options).await.unwrap();
    let payments = shop(Arc::new(store)).await;
    let about = [("TULBUR_TEST_FILE", path.to_str().unwrap())];
    for ends in [false, true] {
        let mut part = Part::start("stopped::holds_the_write_lock", "", &about);
        assert_eq!(part.hear(), "inside");
        part.stop();
        let error = open(&payments, &format!("stopped-{ends}")).await.unwrap_err();
        assert!(matches!(&error, Error::Store(StoreError::Locked)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("perhaps a stopped one, holds the database's write lock"), "{text}");
        assert!(payments.orders(10).await.is_ok(), "what is stored can be read meanwhile");
        if ends {
            part.end();
        } else {
            part.go_on();
            assert_eq!(part.hear(), "done");
        }
        open(&payments, &format!("after-{ends}")).await.unwrap();
    }
}

#[tokio::test]
#[ignore = "the part of another process"]
async fn holds_the_write_lock() {
    let Some(path) = std::env::var_os("TULBUR_TEST_FILE") else { return };
    let mut connection =
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path)).await.unwrap();
    connection.execute("BEGIN IMMEDIATE").await.unwrap();
    say("inside");
    // While it is stopped, this time passes too.
    tokio::time::sleep(Duration::from_millis(100)).await;
    connection.execute("COMMIT").await.unwrap();
    say("done");
}

#[cfg(feature = "postgres")]
mod postgres {
    use sqlx::postgres::PgConnection;
    use tulbur_payments::store::{Changes, Find};
    use tulbur_payments::store_suite::{TestDatabase, postgres_for_tests};
    use tulbur_payments::{DueWork, PaymentId, PostgresStore, Records, Status, StoreSettings};

    use super::*;

    /// Below these the others get what a stopped process held.
    fn settings() -> StoreSettings {
        StoreSettings::default()
            .idle_in_transaction(Duration::from_millis(1500))
            .lock_wait(Duration::from_secs(20))
    }

    async fn connect(database: &TestDatabase) -> PgConnection {
        PgConnection::connect_with(&database.options()).await.unwrap()
    }

    /// Stops a process inside a transaction: in a statement that waits for what we hold, which is let go then.
    async fn stop_inside(database: &TestDatabase, part: &Part, mut holder: PgConnection) {
        let mut look = connect(database).await;
        let waiting = "SELECT pid FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let began = Instant::now();
        let session = loop {
            if let Some(session) =
                sqlx::query_scalar::<_, i32>(waiting).fetch_optional(&mut look).await.unwrap()
            {
                break session;
            }
            assert!(began.elapsed() < Duration::from_mins(1), "it comes to the lock");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        part.stop();
        holder.execute("ROLLBACK").await.unwrap();
        // On a slow machine the server may have ended it already.
        let goes_on =
            "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND state <> 'idle in transaction'";
        while sqlx::query_scalar::<_, i64>(goes_on).bind(session).fetch_one(&mut look).await.unwrap() > 0 {
            assert!(began.elapsed() < Duration::from_mins(1), "its session stands idle in its transaction");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn canceled(payment: &PaymentRecord) -> Changes {
        let mut changed = payment.clone();
        changed.status = Status::Canceled;
        Changes { payments: vec![changed], ..Changes::default() }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_process_that_stops_inside_a_commit_loses_it_for_certain() {
        let Some(postgres) = postgres_for_tests() else { return };
        let database = postgres.database().await.unwrap();
        let store = Arc::new(PostgresStore::connect(database.options(), &settings()).await.unwrap());
        let payments = shop(store.clone()).await;
        let payment = open(&payments, "1").await.unwrap();
        let mut holder = connect(&database).await;
        holder.execute("BEGIN").await.unwrap();
        let lock = "SELECT id FROM tulbur_payments WHERE id = $1 FOR UPDATE";
        sqlx::query(lock).bind(payment.id.as_str()).execute(&mut holder).await.unwrap();
        let url = database.url();
        let about = [("TULBUR_TEST_URL", url.as_str()), ("TULBUR_TEST_PAYMENT", payment.id.as_str())];
        let part = Part::start("stopped::postgres::commits", "", &about);
        stop_inside(&database, &part, holder).await;
        let began = Instant::now();
        store.commit(canceled(&payment)).await.expect("what the stopped process held is free again");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        part.go_on();
        let heard = part.hear();
        assert!(heard.starts_with("not committed: "), "{heard}");
        let stored = store.payment(Find::Id(&payment.id)).await.unwrap().unwrap();
        assert_eq!((stored.status, stored.version()), (Status::Canceled, payment.version() + 1));
    }

    #[tokio::test]
    #[ignore = "the part of another process"]
    async fn commits() {
        let Ok(url) = std::env::var("TULBUR_TEST_URL") else { return };
        let store = PostgresStore::connect(url.parse().unwrap(), &settings()).await.unwrap();
        let id = PaymentId::from_text(std::env::var("TULBUR_TEST_PAYMENT").unwrap());
        let mut changes = canceled(&store.payment(Find::Id(&id)).await.unwrap().unwrap());
        changes.payments[0].status = Status::Paid;
        match store.commit(changes).await {
            Err(error) if !error.may_have_committed() => say(&format!("not committed: {error}")),
            other => say(&format!("{other:?}")),
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_process_that_stops_while_it_makes_the_tables_keeps_nobody_from_starting() {
        let Some(postgres) = postgres_for_tests() else { return };
        let database = postgres.database().await.unwrap();
        let mut holder = connect(&database).await;
        // The name is taken until this transaction ends, so that whoever makes the tables waits half way.
        holder.execute("BEGIN; CREATE TABLE tulbur_cards (id TEXT)").await.unwrap();
        let url = database.url();
        let part = Part::start("stopped::postgres::makes_the_tables", "", &[("TULBUR_TEST_URL", &url)]);
        stop_inside(&database, &part, holder).await;
        let began = Instant::now();
        let store = PostgresStore::connect(database.options(), &settings()).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        open(&shop(Arc::new(store)).await, "1").await.unwrap();
    }

    #[tokio::test]
    #[ignore = "the part of another process"]
    async fn makes_the_tables() {
        let Ok(url) = std::env::var("TULBUR_TEST_URL") else { return };
        drop(PostgresStore::connect(url.parse().unwrap(), &settings()).await);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_worker_that_stops_while_it_takes_what_is_due_keeps_no_worker_from_starting() {
        let Some(postgres) = postgres_for_tests() else { return };
        let database = postgres.database().await.unwrap();
        let store = Arc::new(PostgresStore::connect(database.options(), &settings()).await.unwrap());
        let payments = shop(store.clone()).await;
        let payment = open(&payments, "1").await.unwrap();
        let mut holder = connect(&database).await;
        holder.execute("BEGIN; SELECT name FROM tulbur_turns FOR UPDATE").await.unwrap();
        let url = database.url();
        let part = Part::start("stopped::postgres::makes_all_due", "", &[("TULBUR_TEST_URL", &url)]);
        stop_inside(&database, &part, holder).await;
        let began = Instant::now();
        let worker = payments.clone();
        let running = tokio::spawn(async move { worker.run(std::future::pending()).await });
        // Its first question says that what is open was made due, and taken.
        while payments.payment(&payment.id).await.unwrap().asked == 0 {
            assert!(began.elapsed() < Duration::from_secs(15), "the worker works");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        running.abort();
    }

    #[tokio::test]
    #[ignore = "the part of another process"]
    async fn makes_all_due() {
        let Ok(url) = std::env::var("TULBUR_TEST_URL") else { return };
        let store = PostgresStore::connect(url.parse().unwrap(), &settings()).await.unwrap();
        drop(store.make_all_due(tulbur_core::system_now()).await);
    }
}
