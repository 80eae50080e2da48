//! What is due is found by its index on both databases, however many payments there are: the very statements that the
//! store sends, as the database says that it would do them.

mod support;

use std::fmt;
use std::sync::{Mutex, OnceLock};

use sqlx::{AssertSqlSafe, Connection, Row};
use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tulbur_core::Timestamp;
use tulbur_payments::{SqliteStore, Store};

const NOW: i64 = 1_800_000_000_000;
/// Some are due, most are not yet, and most have nothing left to ask.
const FILL: &str = "INSERT INTO tulbur_payments (id, version, account, merchant_ref, secret_hash, status, operation, \
    ask_at, created_at, body) SELECT 'payment-' || n, 1, 'bank', 'reference-' || n, 'hash-' || n, 'pending', 'succeeded', \
    CASE WHEN n % 100 = 0 THEN 1799999000000 + n WHEN n % 10 = 0 THEN 1800001000000 + n END, n, '{}' FROM numbers";

/// Every statement that sqlx sends, by its log.
struct Statements;

static SENT: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Statement(String);

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        // A short statement stands in the summary only.
        if field.name() == "db.statement" && !value.is_empty()
            || field.name() == "summary" && self.0.is_empty()
        {
            value.trim().clone_into(&mut self.0);
        }
    }
    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

impl<S: tracing::Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut statement = Statement(String::new());
            event.record(&mut statement);
            SENT.lock().unwrap().push(statement.0);
        }
    }
}

/// SQLite works in threads of its own, so this is for all threads.
fn listen() {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Statements)).unwrap();
    });
}

/// The two statements that look for what is due, with values in them, as the store has just sent them.
async fn statements(store: &dyn Store) -> [String; 2] {
    listen();
    let now = Timestamp::from_millis(NOW);
    let taken = store.take_due(now, Timestamp::from_millis(NOW + 60_000), 50).await.unwrap();
    assert_eq!(taken.len(), 50);
    let sent = SENT.lock().unwrap();
    let find = |begin: &str| {
        sent.iter()
            .find(|one| one.starts_with(begin))
            .unwrap_or_else(|| panic!("no {begin}: {sent:?}"))
            .clone()
    };
    let now = NOW.to_string();
    [
        find("SELECT 1 FROM tulbur_payments").replace("$1", &now),
        find("INSERT INTO tulbur_leases")
            .replace("$1", "1800000060000")
            .replace("$2", &now)
            .replace("$3", "500"),
    ]
}

#[tokio::test]
async fn sqlite_finds_what_is_due_in_the_index_alone() {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

    let folder = support::folder();
    let path = folder.path().join("shop.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let mut connection =
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path)).await.unwrap();
    let numbers =
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000)";
    sqlx::query(AssertSqlSafe(format!("{numbers} {FILL}"))).execute(&mut connection).await.unwrap();
    let mut plan = async |statement: &str| {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let rows = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>()
    };
    let statements = statements(&store).await;
    for statement in &statements {
        let plan = plan(statement).await;
        let by_time = "SEARCH due USING COVERING INDEX tulbur_payments_due (ask_at<?)";
        assert!(plan.iter().any(|step| step == by_time), "{statement}: {plan:?}");
        assert!(plan.iter().any(|step| step.starts_with("SEARCH lease USING PRIMARY KEY")), "{plan:?}");
        let all = |step: &String| step.starts_with("SCAN due") || step.contains("TEMP B-TREE");
        assert!(!plan.iter().any(all), "nothing is read whole or sorted: {plan:?}");
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn postgres_finds_what_is_due_in_the_index() {
    use sqlx::PgConnection;
    use tulbur_payments::PostgresStore;
    use tulbur_payments::store_suite::postgres_for_tests;

    let Some(server) = postgres_for_tests() else { return };
    let database = server.database().await.unwrap();
    listen();
    let store = PostgresStore::open(&database.url()).await.unwrap();
    // A connection that is set up as the store's are.
    let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
    let settings: Vec<String> =
        SENT.lock().unwrap().iter().filter(|sent| sent.starts_with("SET enable_")).cloned().collect();
    assert!(!settings.is_empty(), "the store says how its statements are to be planned");
    for setting in settings {
        sqlx::raw_sql(AssertSqlSafe(setting)).execute(&mut connection).await.unwrap();
    }
    let fill = format!("WITH numbers AS (SELECT n FROM generate_series(1, 20000) AS n) {FILL}");
    sqlx::query(AssertSqlSafe(fill)).execute(&mut connection).await.unwrap();
    sqlx::query("VACUUM ANALYZE tulbur_payments").execute(&mut connection).await.unwrap();
    for statement in statements(&store).await {
        let explain = AssertSqlSafe(format!("EXPLAIN {statement}"));
        let rows = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let by_time =
            |step: &String| step.contains("Index Only Scan using tulbur_payments_due on tulbur_payments due");
        assert!(plan.iter().any(by_time), "{statement}: {plan:#?}");
        assert!(plan.iter().any(|step| step.contains("Index Cond: (ask_at <= ")), "{plan:#?}");
        let all = |step: &String| step.contains("Seq Scan on tulbur_payments") || step.contains("Sort");
        assert!(!plan.iter().any(all), "nothing is read whole or sorted: {plan:#?}");
    }
}
