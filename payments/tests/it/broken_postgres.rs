//! PostgreSQL that goes away under a live shop, and comes back; and two processes on one database.

use std::sync::Arc;
use std::time::Duration;

use crate::support;
use crate::support::{Bank, Passing, Shop, State, Told};
use tulbur_core::{
    AccountName, Channel, Delivery, ManualClock, OrderRef, PaymentStatus, Reply, Timestamp, Url,
};
use tulbur_payments::store::StoreClock;
use tulbur_payments::store_suite::{TestDatabase, postgres_for_tests};
use tulbur_payments::{
    Error, Lists, NotifyTarget, OpenPayment, Payments, PostgresStore, Status, StoreError, StoreSettings,
};

/// One process of a shop.
struct Process {
    payments: Payments,
    bank: Arc<std::sync::Mutex<State>>,
    told: Arc<Told>,
    clock: ManualClock,
}

impl Process {
    /// With the other's bank and clock, where there is another one.
    async fn start(database: &TestDatabase, other: Option<&Self>) -> Self {
        let settings = StoreSettings::default().wait(Duration::from_millis(500)).clock(StoreClock::Process);
        let store = PostgresStore::connect(database.options(), &settings).await.unwrap();
        let clock = other.map_or_else(
            || ManualClock::new(Timestamp::from_millis(1_800_000_000_000)),
            |other| other.clock.clone(),
        );
        let mut bank = Bank::new("bank");
        if let Some(other) = other {
            bank.state = Arc::clone(&other.bank);
        }
        let (state, told) = (Arc::clone(&bank.state), Arc::new(Told::default()));
        let url = Url::parse("https://shop.example/").unwrap();
        let payments =
            Payments::builder(Arc::new(store), Arc::new(clock.clone()), support::sealing_keys(), url)
                .account(Arc::new(bank))
                .handler("told", told.clone())
                .build()
                .await
                .unwrap();
        Self { payments, bank: state, told, clock }
    }

    async fn open(&self, order: &str) -> Result<tulbur_payments::PaymentRecord, Error> {
        let account = AccountName::parse("bank").unwrap();
        let order = OrderRef::parse(order).unwrap();
        self.payments.open(OpenPayment::new(order, account, support::mnt(1500), "Two things")).await
    }

    fn pay(&self, payment: &tulbur_payments::PaymentRecord) {
        let mut bank = self.bank.lock().unwrap();
        let entry = bank.payments.get_mut(payment.reference.merchant_ref.as_str()).unwrap();
        (entry.status, entry.debits) = (PaymentStatus::Paid, entry.debits + 1);
    }

    async fn notify(&self, payment: &tulbur_payments::PaymentRecord) -> Reply {
        notify(&self.payments, &Shop::body(&payment.reference.merchant_ref, "000", "1500.00")).await
    }

    async fn kinds(&self, order: &str) -> Vec<&'static str> {
        let events = self.payments.events(&OrderRef::parse(order).unwrap()).await.unwrap();
        events.iter().map(|event| event.kind.name()).collect()
    }
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

/// Waits for something that must come.
async fn soon<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..3000 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what} did not come within a minute");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gone_and_back() {
    let Some(postgres) = postgres_for_tests() else { return };
    let database = postgres.database().await.unwrap();
    // A server that was given to the tests is not ours to stop.
    let Some(server) = database.server() else { return };
    let shop = Process::start(&database, None).await;
    // A commit that was under way when the server died is made again after a while.
    let _passing = Passing::on(&shop.clock);
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let worker = shop.payments.clone();
    let background = tokio::spawn(async move { worker.run(async { drop(ended.await) }).await });
    let mut payments = Vec::new();
    for number in 0..40 {
        let payment = shop.open(&format!("order-{number}")).await.unwrap();
        shop.pay(&payment);
        payments.push(payment);
    }
    // Banks go on notifying while the server is cut off, and come again until they are answered well.
    let delivering: Vec<_> = payments
        .iter()
        .enumerate()
        .map(|(number, payment)| {
            let (shop, body) =
                (shop.payments.clone(), Shop::body(&payment.reference.merchant_ref, "000", "1500.00"));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(number as u64 * 10)).await;
                while notify(&shop, &body).await.status != 200 {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(150)).await;
    server.stop_immediately().unwrap();

    let error = shop.open("order-new").await.unwrap_err();
    assert!(matches!(&error, Error::Store(StoreError::Unavailable(_))), "{error:?}");
    assert!(!error.to_string().contains("postgres://"), "{error}");
    let creates = shop.bank.lock().unwrap().creates;
    assert_eq!(creates, 40, "nothing is sent before it is written");
    assert_eq!(shop.notify(&payments[39]).await.status, 503, "what cannot be kept is not answered well");
    tokio::time::sleep(Duration::from_millis(600)).await;
    server.start_again().unwrap();

    for (number, delivery) in delivering.into_iter().enumerate() {
        let answered = tokio::time::timeout(Duration::from_mins(1), delivery).await;
        answered.unwrap_or_else(|_| panic!("notification {number} is not answered well")).unwrap();
    }
    // What was answered well is there, once, and told; nobody restarts anything.
    for number in 0..40 {
        assert_eq!(shop.kinds(&format!("order-{number}")).await, ["paid"], "order {number}");
    }
    // An event that was just being taken when the server died may be taken in its books: it comes when that lease is over.
    soon("the last event", async || {
        shop.clock.advance(Duration::from_secs(1));
        (shop.told.0.lock().unwrap().len() >= 40).then_some(())
    })
    .await;
    shop.open("order-new").await.unwrap();
    drop(end);
    background.await.unwrap();
    let mut told: Vec<String> =
        shop.told.0.lock().unwrap().iter().map(|event| event.id.to_string()).collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 40, "different events that the handler was told of");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_on_one_process_sees_what_another_stored() {
    use sqlx::{Connection, PgConnection};

    let Some(postgres) = postgres_for_tests() else { return };
    let database = postgres.database().await.unwrap();
    let one = Process::start(&database, None).await;
    let two = Process::start(&database, Some(&one)).await;
    let worker = one.payments.clone();
    // Its clock stands still: it hears of the other, or it sees nothing.
    let background = tokio::spawn(async move { worker.run(std::future::pending()).await });
    // What is announced while it does not listen is lost to it.
    let listens = async || {
        let mut look = PgConnection::connect_with(&database.options()).await.ok()?;
        let sessions = "SELECT count(*) FROM pg_stat_activity \
                        WHERE datname = current_database() AND state = 'idle' AND query LIKE 'LISTEN %'";
        let count: i64 = sqlx::query_scalar(sessions).fetch_one(&mut look).await.ok()?;
        (count > 0).then_some(())
    };
    let restart = database.server().is_some();
    for round in 0..if restart { 2 } else { 1 } {
        soon("the listening", listens).await;
        let order = format!("order-{round}");
        let payment = one.open(&order).await.unwrap();
        let mut watch = one.payments.watch(&payment.id);
        assert_eq!(watch.changed().await.unwrap().status, Status::Pending);
        let watching = tokio::spawn(async move { watch.changed().await });
        one.pay(&payment);
        let seen = async {
            let reply = two.notify(&payment).await;
            assert_eq!(reply.status, 200);
            watching.await.unwrap().unwrap().status
        };
        let seen = tokio::time::timeout(Duration::from_mins(1), seen).await.expect("it is heard of");
        assert_eq!(seen, Status::Paid);
        assert_eq!(one.kinds(&order).await, ["paid"]);
        if let Some(server) = database.server().filter(|_| round == 0) {
            server.stop_immediately().unwrap();
            server.start_again().unwrap();
            // It listens again by itself.
            soon("the connection", async || one.payments.orders(1).await.ok()).await;
            soon("the connection", async || two.payments.orders(1).await.ok()).await;
        }
    }
    background.abort();
}

#[tokio::test]
async fn read_only_and_refused_say_so() {
    use sqlx::{AssertSqlSafe, Connection, PgConnection};

    let Some(postgres) = postgres_for_tests() else { return };
    let database = postgres.database().await.unwrap();
    let shop = Process::start(&database, None).await;
    let _passing = Passing::on(&shop.clock);
    let payment = shop.open("order-1").await.unwrap();
    shop.pay(&payment);
    // As when the server becomes a standby: every new session can only read.
    let mut admin = PgConnection::connect_with(&database.options()).await.unwrap();
    let name = database.options().get_database().unwrap().to_owned();
    let set = |value: &str| format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::raw_sql(AssertSqlSafe(set("on"))).execute(&mut admin).await.unwrap();
    sqlx::raw_sql(cut).execute(&mut admin).await.unwrap();
    let error = soon("a read-only session", async || match shop.open("order-2").await.unwrap_err() {
        Error::Store(StoreError::Unavailable(_)) => None,
        other => Some(other),
    })
    .await;
    assert!(matches!(&error, Error::Store(StoreError::ReadOnly)), "{error:?}");
    assert_eq!(shop.bank.lock().unwrap().creates, 1, "nothing is sent before it is written");
    assert_eq!(shop.notify(&payment).await.status, 503);
    let looking = PostgresStore::open(&database.url()).await.expect("it can be looked at");
    assert_eq!(looking.orders(10).await.unwrap().len(), 1);

    sqlx::raw_sql(AssertSqlSafe(set("off"))).execute(&mut admin).await.unwrap();
    sqlx::raw_sql(cut).execute(&mut admin).await.unwrap();
    soon("the bank's next try", async || (shop.notify(&payment).await.status == 200).then_some(())).await;
    assert_eq!(shop.kinds("order-1").await, ["paid"]);

    let stranger = database.options().username("nobody_of_that_name").password("planted-password");
    let error = PostgresStore::open_with(stranger).await.unwrap_err().to_string();
    assert!(error.contains("refuses this user"), "{error}");
    assert!(!error.contains("planted-password"), "{error}");
}
