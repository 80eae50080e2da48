//! A run with one of everything that an application, a bank, a payer and the worker can do: every statement of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection};
use tulbur_core::{
    AccountName, Channel, Clock, CustomerRef, Delivery, ManualClock, MerchantRef, OrderRef, PaymentStatus,
    ProviderRef, Timestamp, Url, Way,
};
use tulbur_payments::store::Unread;
use tulbur_payments::{
    CapturePayment, ChargeCard, IdempotencyKey, NotifyTarget, OpenCardSetup, OpenPayment, PaymentRecord,
    Payments, RefundPayment, SqliteStore, Store, VoidPayment,
};

use crate::recorder::{NOW, TURN, in_sqlite, listen, sent};
use crate::support::{self, Bank, LINK, Shop, State, Told, Write};

/// Rows of which a few match: due, open, of one order, refused. `number` is from 1 to 20,000.
const FILL: [&str; 12] = [
    "INSERT INTO tulbur_orders (order_ref, version, created_at, body) SELECT 'filled-' || n, 1, n, '{}' FROM numbers",
    "INSERT INTO tulbur_payments (id, version, account, merchant_ref, provider_ref, secret_hash, status, operation, \
     ask_at, lease_until, created_at, body) SELECT 'payment-' || n, 1, 'bank', 'reference-' || n, 'provider-' || n, \
     'hash-' || n, CASE WHEN n % 50 = 0 THEN 'pending' ELSE 'paid' END, 'succeeded', \
     CASE WHEN n % 100 = 0 THEN 1799999000000 + n WHEN n % 10 = 0 THEN 1800001000000 + n END, \
     CASE WHEN n % 500 = 0 THEN 1800001000000 + n END, n, '{}' FROM numbers",
    "INSERT INTO tulbur_leases (payment, ask_at, until) SELECT 'payment-' || n, 1799999000000 + n, 1800000030000 + n \
     FROM numbers WHERE n % 200 = 0",
    "INSERT INTO tulbur_operations (operation_ref, version, payment, state, lease_until, created_at, body) \
     SELECT 'operation-' || n, 1, 'payment-' || n, CASE WHEN n % 400 = 0 THEN 'unknown' ELSE 'succeeded' END, \
     CASE WHEN n % 100 = 0 THEN 1800001000000 + n END, n, '{\"kind\":\"refund\"}' FROM numbers",
    "INSERT INTO tulbur_cards (id, customer, created_at, body, sealed_token) SELECT 'card-' || n, 'filled-' || n, n, '{}', '' \
     FROM numbers",
    "INSERT INTO tulbur_keys (key, content, subject, at) SELECT 'key-' || n, 'c', 'subject-' || n, n FROM numbers",
    "INSERT INTO tulbur_events (id, stream, order_ref, kind, at, format, body) SELECT 'event-' || n, 'filled-' || n, \
     'filled-' || n, 'canceled', n, 1, '{}' FROM numbers",
    "INSERT INTO tulbur_history (order_ref, payment, at, body) SELECT 'filled-' || n, 'payment-' || n, n, '{}' FROM numbers",
    "INSERT INTO tulbur_attention (key, at, body, resolved_at) SELECT 'item-' || n, n, '{}', n FROM numbers",
    "INSERT INTO tulbur_inbox (id, account, channel, at, repeat_key, meaning, verdict, note, provider_ref, due_at, sealed) \
     SELECT 'inbox-' || n, 'bank', 'notify', n, 'repeat-' || n, 'm', CASE WHEN n % 100 = 0 THEN 'refused' ELSE 'accepted' \
     END, '', 'provider-' || n, CASE WHEN n % 1000 = 0 THEN 1800000001000 END, '' FROM numbers",
    "INSERT INTO tulbur_handled (seq, handler, at) SELECT n, 'filled-', n FROM numbers",
    "INSERT INTO tulbur_deliveries (handler, seq, stream, due_at) SELECT 'ship', n + 1000000, 'filled-' || n, \
     CASE WHEN n % 100 = 0 THEN 1800001000000 END FROM numbers",
];

/// Tables that have a row for each handler, or for each payment that is being asked about, or one.
const SMALL: [&str; 4] = ["tulbur_handlers", "tulbur_leases", "tulbur_turns", "tulbur_migrations"];

/// What may read more than it finds, and why.
const ALLOWED: [(&str, &str); 6] = [
    (
        "SELECT id AS name, most FROM (SELECT id, ask_at, CASE",
        "looks for due times that lie too far ahead, at a start and after a clock was set back",
    ),
    (
        "UPDATE tulbur_deliveries AS this SET due_at =",
        "puts the deliveries of one handler in order anew, when it is registered for the first time or in another way",
    ),
    (
        "SELECT name, in_order, registered_at, seen_at, (SELECT count(*)",
        "counts what is owed to each handler, as rarely",
    ),
    (
        "SELECT body FROM tulbur_attention WHERE resolved_at IS NULL",
        "reads the list for people, from an index of what is open",
    ),
    (
        "SELECT (SELECT count(*) FROM tulbur_payments",
        "counts what is open, every 15 seconds at most, and rarer if it takes long",
    ),
    (
        "SELECT DISTINCT account FROM tulbur_payments WHERE ask_at IS NOT NULL",
        "reads what is watched, once at the start",
    ),
];

/// A shop with a bank of its own.
struct Run {
    payments: Payments,
    bank: Arc<Mutex<State>>,
    clock: ManualClock,
}

impl Run {
    async fn open(&self, order: &str, change: impl FnOnce(OpenPayment) -> OpenPayment) -> PaymentRecord {
        let (order, account) = (OrderRef::parse(order).unwrap(), AccountName::parse("bank").unwrap());
        let request = OpenPayment::new(order, account, support::mnt(1500), "Two things");
        self.payments.open(change(request)).await.unwrap()
    }

    fn stands(&self, payment: &PaymentRecord, status: PaymentStatus) {
        let mut bank = self.bank.lock().unwrap();
        bank.payments.get_mut(payment.reference.merchant_ref.as_str()).unwrap().status = status;
    }

    async fn notify(&self, target: NotifyTarget<'_>, body: &str) {
        let delivery = Delivery {
            channel: Channel::Notify,
            method: "POST",
            query: None,
            headers: &[],
            body: body.as_bytes(),
        };
        self.payments.notify(target, delivery).await;
    }

    async fn paid(&self, order: &str) -> PaymentRecord {
        let payment = self.open(order, |request| request).await;
        self.stands(&payment, PaymentStatus::Paid);
        self.payments.query(&payment.id).await.unwrap()
    }

    async fn work(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        for _ in 0..200 {
            if !self.payments.work_once().await.unwrap().is_zero() {
                return;
            }
        }
    }
}

/// Does one of everything that an application, a bank, a payer and the worker can do.
async fn one_of_everything(store: Arc<dyn Store>) {
    let clock = ManualClock::new(Timestamp::from_millis(NOW));
    let bank = Bank::new("bank");
    let state = Arc::clone(&bank.state);
    let url = Url::parse("https://shop.example/").unwrap();
    let builder =
        Payments::builder(Arc::clone(&store), Arc::new(clock.clone()), support::sealing_keys(), url);
    let payments =
        builder.account(Arc::new(bank)).handler("ship", Arc::new(Told::default())).build().await.unwrap();
    let run = Run { payments, bank: state, clock };
    let (now, account) = (Timestamp::from_millis(NOW), AccountName::parse("bank").unwrap());
    let key = |name: &str| IdempotencyKey::parse(name).unwrap();

    // Notifications: genuine, again, contradicting, unknown, garbage, to an address of one payment.
    let notified = run.open("1", |request| request.key(key("open"))).await;
    run.stands(&notified, PaymentStatus::Paid);
    let reference = &notified.reference.merchant_ref;
    let by_name = NotifyTarget::Name("bank");
    let unknown = MerchantRef::parse("0".repeat(32)).unwrap();
    for (reference, code) in [(reference, "000"), (reference, "000"), (reference, "111"), (&unknown, "000")] {
        run.notify(by_name, &Shop::body(reference, code, "1500.00")).await;
    }
    run.notify(by_name, "garbage").await;
    let secret = run.payments.page_secret(&notified).unwrap();
    let at_address = NotifyTarget::WithSecret { account: "bank", secret: secret.expose() };
    run.notify(at_address, &Shop::body(reference, "000", "1500.00")).await;
    let query = format!("ref={reference}&code=000");
    let returning =
        Delivery { channel: Channel::Return, method: "GET", query: Some(&query), headers: &[], body: b"" };
    drop(run.payments.returned("bank", &secret, returning).await);
    drop(run.payments.page(&secret).await);
    let other = ProviderRef::parse("inv-unknown").unwrap();
    drop(store.kept_for(&account, &other).await.unwrap());
    drop(
        store
            .take_kept(now.after(Duration::from_mins(10)), now.after(Duration::from_mins(11)), 10)
            .await
            .unwrap(),
    );

    // Writes: refunds, also lost ones; holds that are captured and let go; cancels; links; saved cards and charges.
    let refunded = run.paid("2").await;
    let refund = |amount| RefundPayment::new(refunded.id.clone(), "broken").amount(support::mnt(amount));
    drop(run.payments.refund(refund(100).key(key("refund"))).await.unwrap());
    drop(run.payments.refund(refund(100).key(key("refund"))).await.unwrap());
    for how in [Write::AnswerLost, Write::NeverSent, Write::Refuse] {
        run.bank.lock().unwrap().operation = how;
        drop(run.payments.refund(refund(50).key(key(&format!("{how:?}")))).await);
    }
    for order in ["3", "4"] {
        let held = run.open(order, OpenPayment::capture_later).await;
        run.stands(&held, PaymentStatus::Authorized);
        run.payments.query(&held.id).await.unwrap();
        if order == "3" {
            drop(run.payments.capture(CapturePayment::new(held.id)).await.unwrap());
        } else {
            drop(run.payments.void(VoidPayment::new(held.id, "gone")).await.unwrap());
        }
    }
    run.bank.lock().unwrap().cancels = true;
    let canceled = run.open("5", |request| request).await;
    run.payments.cancel(&canceled.id).await.unwrap();
    let link = run.open("6", |request| request.way(Way::App)).await;
    assert_eq!(link.reference.flow, LINK);
    let customer = CustomerRef::parse("customer").unwrap();
    let setup = run.payments.save_card(OpenCardSetup::new(customer.clone(), account.clone())).await.unwrap();
    run.stands(&setup, PaymentStatus::Paid);
    run.payments.query(&setup.id).await.unwrap();
    let card = run.payments.cards(&customer).await.unwrap().remove(0);
    for (order, how) in [("7", Write::Answer), ("8", Write::AnswerLost), ("9", Write::NeverSent)] {
        run.bank.lock().unwrap().write = how;
        let order = OrderRef::parse(order).unwrap();
        let charge = ChargeCard::new(order, customer.clone(), card.id.clone(), support::mnt(1500), "Again");
        drop(run.payments.charge(charge.key(key(&format!("charge-{how:?}")))).await);
    }

    // The worker: questions, events, expiry, late questions, and what cannot be read.
    let watched = run.open("10", |request| request).await;
    for seconds in [0, 5, 60, 300, 1200, 3600, 90_000] {
        run.work(seconds).await;
    }
    let watched = run.payments.payment(&watched.id).await.unwrap();
    store.put_off(&watched, now).await.unwrap();
    store.put_off_unread(Unread::Payment(&watched.id), now, now).await.unwrap();
    let operation = run.payments.operations(&refunded.id).await.unwrap().remove(0).operation_ref;
    store.put_off_unread(Unread::Operation(&operation), now, now).await.unwrap();
    let worker = run.payments.clone();
    let running = tokio::spawn(async move { worker.run(std::future::pending()).await });
    for _ in 0..20 {
        run.clock.advance(Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.abort();
    drop(run.payments.resolve("no such item", "S").await);
    assert!(run.clock.now() > now);
}

/// The table that a plan's name stands for in a statement: itself, or what is called so there.
fn table_of(statement: &str, name: &str) -> Option<String> {
    if name.starts_with("tulbur_") {
        return Some(name.to_owned());
    }
    let words: Vec<&str> =
        statement.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty()).collect();
    words
        .windows(3)
        .find(|three| three[0].starts_with("tulbur_") && three[1] == "AS" && three[2] == name)
        .map(|three| three[0].to_owned())
}

/// Fails with all statements whose plans read a table whole.
fn judge(found: Vec<(String, String)>, seen: usize) {
    assert!(seen > 60, "a run with one of everything sends more statements than {seen}");
    let bad: Vec<_> = found
        .into_iter()
        .filter(|(statement, _)| !ALLOWED.iter().any(|(begin, _)| statement.starts_with(begin)))
        .map(|(statement, step)| format!("{step}\n    in: {statement}"))
        .collect();
    assert!(bad.is_empty(), "read whole:\n{}", bad.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_finds_everything_by_an_index() {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

    let _turn = TURN.lock().await;
    let folder = support::folder();
    let path = folder.path().join("shop.db");
    listen();
    let store = SqliteStore::open(&path).await.unwrap();
    let mut connection =
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path)).await.unwrap();
    let numbers =
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000)";
    Box::pin(one_of_everything(Arc::new(store))).await;
    let statements = sent();
    for fill in FILL {
        sqlx::query(AssertSqlSafe(format!("{numbers} {fill}"))).execute(&mut connection).await.unwrap();
    }
    let mut found = Vec::new();
    for statement in &statements {
        for step in &in_sqlite(&mut connection, statement).await {
            let Some(rest) = step.strip_prefix("SCAN ") else { continue };
            let name = rest.split(' ').next().unwrap_or_default();
            let Some(table) = table_of(statement, name) else { continue };
            // The first of an index that holds only what is wanted, in its order.
            let in_order =
                rest.contains("USING") && statement.contains("LIMIT") && !rest.contains("PRIMARY KEY");
            if !SMALL.contains(&table.as_str()) && !in_order {
                found.push((statement.clone(), step.clone()));
            }
        }
    }
    judge(found, statements.len());
    let due = statements.iter().find(|one| one.starts_with("INSERT INTO tulbur_leases")).unwrap();
    let plan = in_sqlite(&mut connection, due).await;
    let by_time = "SEARCH due USING COVERING INDEX tulbur_payments_due (ask_at<?)";
    assert!(plan.iter().any(|step| step == by_time), "{plan:?}");
    assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "nothing is sorted: {plan:?}");
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_finds_everything_by_an_index() {
    use sqlx::PgConnection;
    use tulbur_payments::PostgresStore;
    use tulbur_payments::store::{StoreClock, StoreSettings};
    use tulbur_payments::store_suite::postgres_for_tests;

    use crate::recorder::in_postgres;

    let Some(server) = postgres_for_tests() else { return };
    let database = server.database().await.unwrap();
    let _turn = TURN.lock().await;
    listen();
    let settings = StoreSettings::default().clock(StoreClock::Process);
    let store = PostgresStore::connect(database.options(), &settings).await.unwrap();
    Box::pin(one_of_everything(Arc::new(store))).await;
    let statements = sent();
    let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
    for fill in FILL {
        let fill = format!("WITH numbers AS (SELECT n FROM generate_series(1, 20000) AS n) {fill}");
        sqlx::query(AssertSqlSafe(fill)).execute(&mut connection).await.unwrap();
    }
    sqlx::raw_sql("VACUUM ANALYZE").execute(&mut connection).await.unwrap();
    let mut found = Vec::new();
    for statement in &statements {
        for step in &in_postgres(&mut connection, statement).await {
            let Some((_, rest)) = step.split_once("Seq Scan on ") else { continue };
            let table = rest.split(' ').next().unwrap_or_default();
            if table.starts_with("tulbur_") && !SMALL.contains(&table) {
                found.push((statement.clone(), step.trim().to_owned()));
            }
        }
    }
    judge(found, statements.len());
}
