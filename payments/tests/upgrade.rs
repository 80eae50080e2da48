//! A database that an older release left is found again as it was: what is paid stays paid and is found by its day, what
//! is open is asked about, what was not told is told. One of a newer release is refused.

mod support;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection};
use support::{Bank, Entry, Shop, Told, mnt};
use tulbur_core::{
    AccountName, Channel, Delivery, ManualClock, MerchantRef, OrderRef, PaymentStatus, Timestamp, Url,
};
use tulbur_payments::store::PaymentFilter;
use tulbur_payments::{NotifyTarget, PaymentId, Payments, RefundPayment, Status, Store, StoreError};

const NOW: i64 = 1_800_000_000_000;
const YESTERDAY: i64 = NOW - 86_400_000;

/// The statements of a migration, and the checksum that a release which had run them wrote beside. One that is changed
/// after it was released has another, and its databases are refused: here, before anybody has such a release.
type Released = (&'static str, &'static str);

const SQLITE: [Released; 6] = [
    (
        include_str!("../src/sqlite/0001.sql"),
        "324daef1f64ed2e2e47e3039e3d182e490f2a55360e35e145558350be6ca7c511813e464c9ae6a303efbdf5104add275",
    ),
    (
        include_str!("../src/sqlite/0002.sql"),
        "b78f470206351ab6f84df27e174ad3468b971508a700f62afbd7ff50d296d393a2bfbf5284642b42427fcd6b5092f155",
    ),
    (
        include_str!("../src/sqlite/0003.sql"),
        "9fb639459a8bf285a242181b1cc5781daf43a7a72e3ec4536b126d25d139db05015eaec745ada4baafc0dee9fa6bdeaf",
    ),
    (
        include_str!("../src/sqlite/0004.sql"),
        "1f754c702cceb592fadf42e2f7b402098a3c01c077993ad780b946c1808a6772b257617576d1f02375d9b77519d741f2",
    ),
    (
        include_str!("../src/sqlite/0005.sql"),
        "d1425c0aa49ca578dddc4ff5a71cf7321f0abe676dc502e65b7144d8f9570c7c956120424b938d6ad2ef3582c95736d3",
    ),
    (
        include_str!("../src/sqlite/0006.sql"),
        "9a8e20f4247b4bc17b69162e0a4cf9a121186e81c5eb66d53777ccd07754c67e98f7f1ecb8c484c2410ea62004f095a4",
    ),
];

#[cfg(feature = "postgres")]
const POSTGRES: [Released; 3] = [
    (
        include_str!("../src/postgres/0001.sql"),
        "8a357ff39c135b95e953494bf4c435babe5d58d7efb49499321bc0c8a0c3f69506d95909e9fb9b87c2bdf529e235076d",
    ),
    (
        include_str!("../src/postgres/0002.sql"),
        "a767bf9ddf594d97e0f6beb27f5ca5702e2c90419df30f6c58c7fad96b528e659ead6b2fbf49eaeb912a5ff33d97d627",
    ),
    (
        include_str!("../src/postgres/0003.sql"),
        "6f765cb80fae5b78c2e2d9c43179fda39b3510e35b862e0845f090883d1d6a5d105e6f991b284de2a229231271b0c252",
    ),
];

/// A record's names: all of them follow from one.
fn merchant_ref(name: &str) -> String {
    format!("{name:0>32}")
}

fn id(name: &str) -> PaymentId {
    PaymentId::from_text(format!("payment-{name}"))
}

/// A payment's record as the first release wrote it.
fn first_record(name: &str, status: &str) -> Value {
    let amount = json!({ "minor": 150_000, "currency": "MNT" });
    let paid = status == "paid";
    json!({
        "id": id(name),
        "purpose": { "payment": {
            "order": name, "amount": amount, "save_card_for": null, "charged_card": null,
        } },
        "account": "bank",
        "reference": {
            "merchant_ref": merchant_ref(name), "amount": amount, "provider_ref": format!("inv-{name}"),
            "charge_ref": null, "flow": "page",
        },
        "description": "Two things", "language": "mn", "continue_to": null, "operation": "succeeded",
        "status": status, "ended_by": paid.then_some("provider"), "next": [], "code": null,
        // A text that PostgreSQL's own JSON functions refuse.
        "text": "\0", "card": { "masked_number": null, "brand": null, "bank": null }, "saved_card": null,
        "created_at": YESTERDAY, "changed_at": YESTERDAY, "expires_at": NOW + 600_000,
        "ask_at": (!paid).then_some(NOW + 30_000), "asked": 0, "confirmed": paid, "content": "content",
        "secret_hash": format!("hash-{name}"), "sealed_secret": "sealed", "version": 1,
    })
}

/// A record as those wrote it that knew when something was paid.
fn later_record(name: &str, status: &str) -> Value {
    let mut record = first_record(name, status);
    for name in ["capture", "captured", "refunded", "paid_at"] {
        record[name] = Value::Null;
    }
    record["capture"] = "now".into();
    if status == "paid" {
        record["paid_at"] = YESTERDAY.into();
    }
    record
}

/// The statements that write an order and its payment, and the line of its history.
fn written(record: &Value, knows_paid_at: bool) -> String {
    let name = record["purpose"]["payment"]["order"].as_str().unwrap();
    let (id, status) = (id(name), record["status"].as_str().unwrap());
    let paid_by = if status == "paid" { format!("'{id}'") } else { "NULL".into() };
    let order = json!({
        "order": name, "amount": { "minor": 150_000, "currency": "MNT" },
        "paid_by": (status == "paid").then_some(&id), "created_at": YESTERDAY, "version": 0,
    });
    // What JSON calls null, SQL calls so too.
    let (column, paid_at) =
        if knows_paid_at { (", paid_at", format!(", {}", record["paid_at"])) } else { ("", String::new()) };
    let line = json!({
        "at": YESTERDAY, "order": name, "payment": id, "source": "notification",
        "change": ["pending", status], "what": status,
    });
    format!(
        "INSERT INTO tulbur_orders (order_ref, version, paid_by, created_at, body) \
         VALUES ('{name}', 1, {paid_by}, {YESTERDAY}, '{order}');\n\
         INSERT INTO tulbur_payments (id, version, order_ref, account, merchant_ref, provider_ref, secret_hash, status, \
         operation, ask_at, created_at, body{column}) VALUES ('{id}', 2, '{name}', 'bank', '{reference}', 'inv-{name}', \
         'hash-{name}', '{status}', 'succeeded', {ask_at}, {YESTERDAY}, '{record}'{paid_at});\n\
         INSERT INTO tulbur_history (order_ref, payment, at, body) VALUES ('{name}', '{id}', {YESTERDAY}, '{line}');\n",
        reference = merchant_ref(name),
        ask_at = record["ask_at"],
    )
}

/// That the order is paid, which nobody has been told.
fn event(name: &str) -> String {
    let id = id(name);
    let body = json!({
        "id": format!("event-{name}"), "at": YESTERDAY, "order": name, "payment": id,
        "kind": { "paid": { "amount": { "minor": 150_000, "currency": "MNT" }, "timing": "in-time" } },
    });
    format!(
        "INSERT INTO tulbur_events (id, stream, order_ref, kind, at, body, state, due_at, attempts) \
         VALUES ('event-{name}', '{name}', '{name}', 'paid', {YESTERDAY}, '{body}', 'pending', {YESTERDAY}, 0);\n"
    )
}

fn delivery(name: &str) -> String {
    format!(
        "INSERT INTO tulbur_inbox (id, account, channel, at, repeat_key, meaning, verdict, note, payment, sealed) \
         VALUES ('delivery-{name}', 'bank', 'notify', {YESTERDAY}, '{}/-/push', 'meaning', 'accepted', \
         'signed, says paid', '{}', 'sealed');\n",
        merchant_ref(name),
        id(name),
    )
}

/// The statements of the releases up to a version, and what those releases said of them.
fn tables(released: &[Released], migrations_table: &str, blob: impl Fn(&str) -> String) -> String {
    let mut script = format!("{migrations_table};\n");
    for (version, (statements, checksum)) in (1..).zip(released) {
        let version: usize = version;
        script += statements;
        let sum = blob(checksum);
        script += &[
            "\nINSERT INTO tulbur_migrations (version, description, success, checksum, execution_time) ",
            &format!("VALUES ({version}, 'as released', TRUE, {sum}, 1);\n"),
        ]
        .concat();
    }
    script
}

/// Looks at everything through the store, and goes on from there. `paid` are the orders that were paid yesterday, of which
/// `told` are those with an event.
async fn is_as_it_was(store: Arc<dyn Store>, paid: &[&str], told: &[&str]) {
    let mut yesterday = PaymentFilter::default();
    yesterday.account = Some(AccountName::parse("bank").unwrap());
    (yesterday.paid_from, yesterday.paid_before, yesterday.limit) =
        (Some(Timestamp::from_millis(YESTERDAY)), Some(Timestamp::from_millis(NOW)), 100);
    let of_the_day = async || {
        let found = store.payments(&yesterday).await.unwrap();
        let times: Vec<_> = found.iter().map(|payment| payment.paid_at).collect();
        assert_eq!(times, vec![Some(Timestamp::from_millis(YESTERDAY)); found.len()], "the record says when");
        let mut found: Vec<String> =
            found.iter().map(|payment| payment.order().unwrap().as_str().to_owned()).collect();
        found.sort();
        found
    };
    assert_eq!(of_the_day().await, paid, "the payments of that day");
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.open, stats.unknown, stats.events_pending), (1, 0, told.len() as u64));

    let (bank, clock) = (Bank::new("bank"), ManualClock::new(Timestamp::from_millis(NOW)));
    for name in paid.iter().chain(&["open"]) {
        let entry = Entry::new(PaymentStatus::Paid, Some(mnt(1500)));
        bank.state.lock().unwrap().payments.insert(merchant_ref(name), entry);
    }
    let asked = Arc::clone(&bank.state);
    let heard = Arc::new(Told::default());
    let url = Url::parse("https://shop.example/").unwrap();
    let payments =
        Payments::builder(Arc::clone(&store), Arc::new(clock.clone()), support::sealing_keys(), url)
            .account(Arc::new(bank))
            .handler("told", heard.clone())
            .build()
            .await
            .unwrap();
    let inbox = payments.inbox(10).await.unwrap();
    assert_eq!((inbox.len(), &*inbox[0].0.note), (1, "signed, says paid"));
    assert_eq!(inbox[0].0.payment.as_ref(), Some(&id(told[0])));
    let order = |name: &str| OrderRef::parse(name).unwrap();
    for name in paid {
        assert!(payments.order(&order(name)).await.unwrap().unwrap().is_paid());
        assert_eq!(payments.payment(&id(name)).await.unwrap().status, Status::Paid);
        assert_eq!(payments.history(&order(name)).await.unwrap().0.len(), 1);
    }
    assert_eq!(payments.payment(&id("open")).await.unwrap().status, Status::Pending);

    // What is due is asked about, and everything is told.
    clock.advance(Duration::from_mins(1));
    for _ in 0..20 {
        payments.work_once().await.unwrap();
    }
    assert_eq!(payments.payment(&id("open")).await.unwrap().status, Status::Paid);
    assert_eq!(asked.lock().unwrap().queries, 1, "only what was open is asked about");
    let mut events: Vec<String> = heard
        .0
        .lock()
        .unwrap()
        .iter()
        .map(|event| event.order.as_ref().unwrap().as_str().to_owned())
        .collect();
    events.sort();
    let mut wanted: Vec<&str> = told.iter().chain(&["open"]).copied().collect();
    wanted.sort_unstable();
    assert_eq!(events, wanted);

    // A late repeat makes nothing of it a second time, and what is written anew keeps its day.
    for name in paid {
        let body = Shop::body(&MerchantRef::parse(merchant_ref(name)).unwrap(), "000", "1500.00");
        let delivery = Delivery {
            channel: Channel::Notify,
            method: "POST",
            query: None,
            headers: &[],
            body: body.as_bytes(),
        };
        assert_eq!(payments.notify(NotifyTarget::Name("bank"), delivery).await.status, 200);
        payments.refund(RefundPayment::new(id(name), "it broke").amount(mnt(1))).await.unwrap();
    }
    assert_eq!(of_the_day().await, paid, "after a change too");
    for name in told {
        let events = payments.events(&order(name)).await.unwrap();
        assert_eq!(events.iter().filter(|event| event.kind.name() == "paid").count(), 1, "{name}");
    }
}

const SQLITE_MIGRATIONS: &str = "CREATE TABLE tulbur_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, \
    execution_time BIGINT NOT NULL)";

#[tokio::test]
async fn a_sqlite_file_of_every_release() {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
    use tulbur_payments::SqliteStore;

    assert_eq!(
        usize::try_from(tulbur_payments::sqlite::newest_tables()),
        Ok(SQLITE.len()),
        "a release is missing here"
    );
    for version in 1..=SQLITE.len() {
        let folder = support::folder();
        let path = folder.path().join("shop.db");
        let mut script = tables(&SQLITE[..version], SQLITE_MIGRATIONS, |sum| format!("x'{sum}'"));
        // Since the second release there is a time of payment; what was paid before had none until the sixth.
        let mut paid = vec![];
        if version < 6 {
            script += &written(&first_record("with-event", "paid"), false);
            script += &event("with-event");
            script += &written(&first_record("with-history", "paid"), false);
            paid.extend(["with-event", "with-history"]);
        }
        let mut told = paid.first().copied().into_iter().collect::<Vec<_>>();
        if version >= 2 {
            script += &written(&later_record("with-time", "paid"), true);
            script += &event("with-time");
            paid.push("with-time");
            told.push("with-time");
        }
        script += &delivery(told[0]);
        script += &if version >= 2 {
            written(&later_record("open", "pending"), true)
        } else {
            written(&first_record("open", "pending"), false)
        };
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let store = SqliteStore::open(&path).await.unwrap();
        is_as_it_was(Arc::new(store), &paid, &told).await;
    }
}

#[tokio::test]
async fn a_sqlite_file_of_a_newer_release_is_refused() {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
    use tulbur_payments::SqliteStore;

    let folder = support::folder();
    let path = folder.path().join("shop.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    let options = SqliteConnectOptions::new().filename(&path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let newer = "INSERT INTO tulbur_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'from the future', TRUE, x'00', 1)";
    sqlx::query(newer).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    refused_as_newer(&SqliteStore::open(&path).await.unwrap_err(), SQLITE.len());
}

fn refused_as_newer(error: &StoreError, known: usize) {
    assert!(matches!(error, StoreError::Unreadable(_)), "{error:?}");
    let said = format!("its tables are of a newer release: version 9999, and this one knows {known}");
    assert!(error.to_string().contains(&said), "{error}");
}

#[cfg(feature = "postgres")]
mod postgres {
    use sqlx::PgConnection;
    use tulbur_payments::PostgresStore;
    use tulbur_payments::store_suite::postgres_for_tests;

    use super::*;

    const MIGRATIONS: &str = "CREATE TABLE tulbur_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
        installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), success BOOLEAN NOT NULL, checksum BYTEA NOT NULL, \
        execution_time BIGINT NOT NULL)";

    #[tokio::test]
    async fn a_database_of_every_release() {
        let Some(server) = postgres_for_tests() else { return };
        assert_eq!(
            usize::try_from(tulbur_payments::postgres::newest_tables()),
            Ok(POSTGRES.len()),
            "a release is missing here"
        );
        for version in 1..=POSTGRES.len() {
            let database = server.database().await.unwrap();
            let mut script = tables(&POSTGRES[..version], MIGRATIONS, |sum| format!(r"'\x{sum}'"));
            script += &written(&later_record("with-time", "paid"), true);
            script += &event("with-time");
            script += &delivery("with-time");
            script += &written(&later_record("open", "pending"), true);
            let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut connection).await.unwrap();
            let store = PostgresStore::open(&database.url()).await.unwrap();
            is_as_it_was(Arc::new(store), &["with-time"], &["with-time"]).await;
        }
    }

    #[tokio::test]
    async fn a_database_of_a_newer_release_is_refused() {
        let Some(server) = postgres_for_tests() else { return };
        let database = server.database().await.unwrap();
        PostgresStore::open(&database.url()).await.unwrap().close().await;
        let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
        let newer = r"INSERT INTO tulbur_migrations (version, description, success, checksum, execution_time)
                      VALUES (9999, 'from the future', TRUE, '\x00', 1)";
        sqlx::query(newer).execute(&mut connection).await.unwrap();
        refused_as_newer(&PostgresStore::open(&database.url()).await.unwrap_err(), POSTGRES.len());
    }
}
