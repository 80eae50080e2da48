//! The store for several machines: one PostgreSQL database, any number of processes.

#[allow(clippy::duplicate_mod, reason = "one SQL source over two databases' types")]
#[path = "../sql/batch.rs"]
mod batch;
mod claims;
mod dialect;
#[allow(clippy::duplicate_mod, reason = "one SQL source over two databases' types")]
#[path = "../sql/due.rs"]
mod due;
#[allow(clippy::duplicate_mod, reason = "one SQL source over two databases' types")]
#[path = "../sql/known.rs"]
mod known;
#[allow(clippy::duplicate_mod, reason = "one SQL source over two databases' types")]
#[path = "../sql/rows.rs"]
mod rows;
#[allow(clippy::duplicate_mod, reason = "one SQL source over two databases' types")]
#[path = "../sql/statement.rs"]
mod statement;
#[allow(clippy::duplicate_mod, reason = "one SQL source over two databases' types")]
#[path = "../sql/store.rs"]
mod store;
#[allow(clippy::duplicate_mod, reason = "one SQL source over two databases' types")]
#[path = "../sql/write.rs"]
mod write;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, SqlSafeStr};

use crate::error::StoreError;
use crate::group::Group;
use crate::store::{Changes, Known, StoreSettings};

pub use claims::{CLAIMS_TABLE, claim_in, create_claims_table};
use dialect::store_error;
use known::Sought;

/// A connection that was used this short a time ago is taken to be alive.
const SURELY_ALIVE: Duration = Duration::from_secs(1);

/// A plan is kept for as long as the connection, and those made while a table was nearly empty read all of it: so
/// whatever has an index is found by it, from the first row on. What has none then seems so dear to the server that it
/// would compile the plan first, which takes longer than any statement here.
const PLANS: &str =
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off";

/// Keeps payments in a PostgreSQL database (12 or newer; tested with 15) that any number of processes share.
///
/// What one process commits, the others hear of by `LISTEN`/`NOTIFY`; what a dead process had taken, the others take
/// over. Connections that break are made anew by the next call. It needs sessions of its own: a pooler between must not
/// work per transaction or per statement.
///
/// `Debug` shows the host and the database's name, and neither user nor password.
#[derive(Clone)]
pub struct PostgresStore {
    pool: PgPool,
    writer: PgPool,
    group: Group<Changes, ()>,
    readers: Group<Sought, Known>,
}

impl PostgresStore {
    /// Connects to `postgres://user:password@host:port/database` and brings the tables up to date. Several processes
    /// may do so at once.
    ///
    /// # Errors
    /// [`StoreError`] when the address cannot be read, the server cannot be reached or refuses, or the tables are of a
    /// newer version. No error repeats the address.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::connect(parse(url)?, &StoreSettings::default()).await
    }

    /// As [`PostgresStore::open`], with connection options of the application's own.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn open_with(options: PgConnectOptions) -> Result<Self, StoreError> {
        Self::connect(options, &StoreSettings::default()).await
    }

    /// As [`PostgresStore::open_with`], with settings.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn connect(options: PgConnectOptions, settings: &StoreSettings) -> Result<Self, StoreError> {
        let pool = PgPoolOptions::new()
            .max_connections(settings.connections.unwrap_or(10))
            .acquire_timeout(settings.wait)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > SURELY_ALIVE {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(|connection, _| {
                Box::pin(async move { sqlx::raw_sql(PLANS).execute(connection).await.map(drop) })
            })
            .connect_with(options)
            .await
            .map_err(store_error)?;
        migrate(&pool).await?;
        Ok(Self {
            writer: pool.clone(),
            pool,
            group: Group::new(settings.commits_together),
            readers: Group::new(settings.commits_together),
        })
    }

    /// Waits for what is under way and closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.pool.connect_options();
        f.debug_struct("PostgresStore")
            .field("host", &options.get_host())
            .field("database", &options.get_database())
            .finish_non_exhaustive()
    }
}

/// Reads an address. What is wrong with it is said without repeating it: it holds a password.
pub(crate) fn parse(url: &str) -> Result<PgConnectOptions, StoreError> {
    PgConnectOptions::from_str(url).map_err(|_| {
        StoreError::Unavailable(
            "the address is not of the form postgres://user:password@host:port/database".into(),
        )
    })
}

/// The version of the newest tables that this knows: what opening a database brings it to. Its own stands in
/// `tulbur_migrations`.
pub fn newest_tables() -> i64 {
    migrator().iter().map(|migration| migration.version).max().unwrap_or(0)
}

fn migrator() -> Migrator {
    let simple = |version, about: &'static str, sql: sqlx::SqlStr| {
        Migration::new(version, about.into(), MigrationType::Simple, sql, false)
    };
    let mut migrator = Migrator::with_migrations(vec![
        simple(1, "payments, operations, events, inbox, history", include_str!("0001.sql").into_sql_str()),
        simple(2, "leases", include_str!("0002.sql").into_sql_str()),
        simple(3, "kinds of operations", include_str!("0003.sql").into_sql_str()),
    ]);
    migrator.dangerous_set_table_name("tulbur_migrations");
    migrator
}

async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    // It holds an advisory lock meanwhile, so that processes that start at once wait for each other.
    migrator().run(pool).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::Execute(error)
        | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => store_error(error),
        sqlx::migrate::MigrateError::VersionMissing(found) => StoreError::Unreadable(format!(
            "its tables are of a newer release: version {found}, and this one knows {}; run the newer release",
            newest_tables()
        )),
        other => StoreError::Unreadable(format!("its tables are not as expected: {other}")),
    })
}
