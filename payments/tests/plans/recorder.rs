//! Records every statement that sqlx sends, and asks both databases how they do one.

use std::fmt;
use std::sync::{Mutex, OnceLock};

use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

/// The present time of these tests.
pub(crate) const NOW: i64 = 1_800_000_000_000;

/// One database at a time: what is sent is not told apart.
pub(crate) static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

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

/// Listens, from now on. SQLite works in threads of its own, so this is for all threads.
pub(crate) fn listen() {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Statements)).unwrap();
    });
    SENT.lock().unwrap().clear();
}

/// The statements that were sent since then and read or write rows of ours, each once.
pub(crate) fn sent() -> Vec<String> {
    let is_ours = |one: &&String| {
        ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].iter().any(|verb| one.starts_with(verb))
            && one.contains("tulbur_")
            && !one.contains("tulbur_migrations")
            && !one.contains("FROM numbers")
    };
    let mut sent: Vec<String> = SENT.lock().unwrap().iter().filter(is_ours).cloned().collect();
    sent.sort();
    sent.dedup();
    sent
}

/// The steps in which SQLite does a statement.
pub(crate) async fn in_sqlite(
    connection: &mut sqlx::sqlite::SqliteConnection,
    statement: &str,
) -> Vec<String> {
    use sqlx::Row as _;

    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let rows = sqlx::query(explain).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get("detail")).collect()
}

/// The steps in which PostgreSQL does a statement, planned for values as they come, as the store's sessions ask for.
#[cfg(feature = "postgres")]
pub(crate) async fn in_postgres(connection: &mut sqlx::PgConnection, statement: &str) -> Vec<String> {
    use sqlx::{AssertSqlSafe, Row as _};

    // What is written is planned as in the store's own transactions.
    let how = if statement.trim_start().starts_with("SELECT") { "on" } else { "off" };
    let scans =
        format!("SET enable_seqscan = {how}; SET enable_hashjoin = {how}; SET enable_mergejoin = {how}");
    for setting in ["SET plan_cache_mode = force_custom_plan", "SET jit = off", "DEALLOCATE ALL", &scans] {
        sqlx::raw_sql(AssertSqlSafe(setting.to_owned())).execute(&mut *connection).await.unwrap();
    }
    let prepare = AssertSqlSafe(format!("PREPARE looked_at AS {statement}"));
    if let Err(error) = sqlx::raw_sql(prepare).execute(&mut *connection).await {
        panic!("{error}: {statement}");
    }
    let types =
        "SELECT unnest(parameter_types)::text AS kind FROM pg_prepared_statements WHERE name = 'looked_at'";
    let types = sqlx::raw_sql(types).fetch_all(&mut *connection).await.unwrap();
    let values: Vec<String> =
        (1..).zip(&types).map(|(place, kind)| value(statement, place, kind.get("kind"))).collect();
    let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
    let explain = AssertSqlSafe(format!("EXPLAIN EXECUTE looked_at{values}"));
    let rows = sqlx::raw_sql(explain).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// A value as one that comes: the present time, a short page, a name, two records.
#[cfg(feature = "postgres")]
fn value(statement: &str, place: usize, kind: &str) -> String {
    let ends = |text: &str| {
        statement
            .split(&format!("{text} ${place}"))
            .skip(1)
            .any(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    match kind {
        "bigint" | "integer" if ends("LIMIT") || ends("OFFSET") => "16".to_owned(),
        "bigint" => NOW.to_string(),
        "integer" => "1".to_owned(),
        "text" if ends("handler =") => "'ship'".to_owned(),
        "text" => "'payment-7'".to_owned(),
        "text[]" => "ARRAY['payment-7', 'payment-8']".to_owned(),
        "bigint[]" => format!("ARRAY[{NOW}, 8]"),
        other => panic!("a parameter of type {other}: {statement}"),
    }
}
