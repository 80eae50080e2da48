//! The store for several machines: one PostgreSQL database, any number of processes.

mod claims;
mod dialect;
mod pooler;
#[allow(clippy::duplicate_mod, reason = "one SQL source over two databases' types")]
#[path = "../sql/mod.rs"]
mod sql;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection};

use crate::error::StoreError;
use crate::store::group::Group;
use crate::store::{Changes, Known, StoreClock, StoreSettings};

pub use claims::{CLAIMS_TABLE, claim_in, create_claims_table};
use dialect::store_error;
use sql::known::Sought;
use sql::settle::Settling;
pub use sql::tables::newest_tables;

/// A connection that was used this short a time ago is taken to be alive.
const SURELY_ALIVE: Duration = Duration::from_secs(1);

/// How each session begins.
///
/// A plan that is kept would be the one that was made while the tables were nearly empty: so each statement is planned
/// for the tables as they are. Compiling a plan takes longer than any statement here. The limits keep a process that
/// stands still from holding up the others.
fn session(settings: &StoreSettings) -> String {
    // No limit at all is what 0 means to the server.
    let millis = |limit: Duration| limit.as_millis().clamp(1, 2_000_000_000);
    format!(
        "SET plan_cache_mode = force_custom_plan; SET jit = off; SET idle_in_transaction_session_timeout = {}; \
         SET lock_timeout = {}",
        millis(settings.idle_in_transaction),
        millis(settings.lock_wait)
    )
}

/// Under this lock, one process at a time makes tables.
const MIGRATING: i64 = 8_402_118;

/// Keeps payments in a PostgreSQL database (12 or newer; tested with 15) that any number of processes share.
///
/// What one process commits, the others hear of by `LISTEN`/`NOTIFY`; what a dead process had taken, the others take
/// over. Connections that break are made anew by the next call. It needs sessions of its own: a pooler between that works
/// per transaction or per statement is refused.
///
/// `Debug` shows the host and the database's name, and neither user nor password.
#[derive(Clone)]
pub struct PostgresStore {
    pool: PgPool,
    writer: PgPool,
    group: Group<Changes, ()>,
    settling: Group<Settling, bool>,
    readers: Group<Sought, Known>,
    clock: StoreClock,
}

/// The name that the statements of both databases know it by.
type TheStore = PostgresStore;

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
        // Poolers take no parameter at the start of a session that they do not know, and here are no floats.
        let options = options.extra_float_digits(None);
        let session: Arc<str> = session(settings).into();
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
            .after_connect(move |connection, _| {
                let session = AssertSqlSafe(session.to_string());
                Box::pin(async move { sqlx::raw_sql(session).execute(connection).await.map(drop) })
            })
            .connect_with(options.clone())
            .await
            .map_err(store_error)?;
        let compared = tokio::time::timeout(settings.wait, pooler::refuse(&options)).await;
        compared.map_err(|_| store_error(sqlx::Error::PoolTimedOut))??;
        migrate(&pool).await?;
        Ok(Self {
            writer: pool.clone(),
            pool,
            group: Group::new(settings.commits_together, StoreError::unanswered_commit()),
            settling: Group::new(settings.commits_together, StoreError::unanswered_commit()),
            readers: Group::new(settings.commits_together, StoreError::unanswered_read()),
            clock: settings.clock,
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

/// Brings the tables up to date.
///
/// Where they are, nothing is locked: no process that starts then waits for another. Else all of it is one transaction
/// under a lock of that transaction, so that the server ends it if the process stands still.
async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    if sql::tables::are_up_to_date(pool).await? {
        return Ok(());
    }
    let mut tx = pool.begin().await.map_err(store_error)?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(MIGRATING)
        .execute(&mut *tx)
        .await
        .map_err(store_error)?;
    sql::tables::make(&mut tx).await?;
    dialect::commit(tx).await
}
