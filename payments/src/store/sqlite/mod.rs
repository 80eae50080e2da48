//! The embedded store: one SQLite file, nothing to install.

mod claims;
mod dialect;
#[path = "../sql/mod.rs"]
mod sql;

use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::error::StoreError;
use crate::store::group::Group;
use crate::store::{Changes, Known, StoreClock, StoreSettings};

pub use claims::{CLAIMS_TABLE, claim_in, create_claims_table};
use dialect::store_error;
use sql::known::Sought;
use sql::settle::Settling;
pub use sql::tables::newest_tables;

/// Pages that the writing connection keeps, in KiB below zero: what is written again soon is not read again before.
const CACHE: &str = "-32768";
/// Pages of the log after which it is copied into the file: 32 MiB, so that a page which many commits change is copied
/// once. A log that a dead process left is read by whoever opens the file next.
const CHECKPOINT: &str = "8192";

/// Keeps payments in one SQLite file.
///
/// Commits are durable: write-ahead log with `synchronous=FULL`. Several processes may open one file; they wait for
/// each other up to five seconds. Not on a network file system: its locks do not work there.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    pool: SqlitePool,
    /// SQLite has one writer at a time. Who waits for a connection waits in a queue; who waits for the file's lock looks
    /// again and again.
    writer: SqlitePool,
    group: Group<Changes, ()>,
    settling: Group<Settling, bool>,
    readers: Group<Sought, Known>,
    clock: StoreClock,
}

/// The name that the statements of both databases know it by.
type TheStore = SqliteStore;

impl SqliteStore {
    /// Opens the file, makes it if it is missing, and brings its tables up to date. A file that it makes can be read and
    /// written by its owner only, like those that SQLite keeps beside it.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be opened or is not one of ours.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(SqliteConnectOptions::new().filename(path).create_if_missing(true)).await
    }

    /// As [`SqliteStore::open`], with connection options of the application's own. The journal, its durability and
    /// foreign keys are set here all the same.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub async fn open_with(options: SqliteConnectOptions) -> Result<Self, StoreError> {
        Self::connect(options, &StoreSettings::default()).await
    }

    /// As [`SqliteStore::open_with`], with settings.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub async fn connect(
        options: SqliteConnectOptions,
        settings: &StoreSettings,
    ) -> Result<Self, StoreError> {
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", CHECKPOINT)
            // What undoes one statement need not survive the process: the log is what is durable.
            .pragma("temp_store", "memory")
            .foreign_keys(true);
        make_private(&options);
        let writer = first_connection(options.clone(), settings).await?;
        let pool = SqlitePoolOptions::new()
            .max_connections(settings.connections.unwrap_or(4))
            .acquire_timeout(settings.wait)
            .connect_with(options)
            .await
            .map_err(store_error)?;
        Ok(Self {
            pool,
            writer,
            group: Group::new(settings.commits_together, StoreError::unanswered_commit()),
            settling: Group::new(settings.commits_together, StoreError::unanswered_commit()),
            readers: Group::new(settings.commits_together, StoreError::unanswered_read()),
            clock: settings.clock,
        })
    }

    /// Waits for what is under way and closes the file.
    pub async fn close(&self) {
        self.writer.close().await;
        self.pool.close().await;
    }
}

/// Makes the file if it is missing and would be made, readable by its owner only: SQLite itself would make it for
/// everybody whom the umask lets. SQLite gives the files beside it (`-wal`, `-shm`) the mode of the file.
///
/// A file that exists keeps its mode, which is its owner's decision. Why it cannot be made is said by SQLite, which meets
/// the same.
fn make_private(options: &SqliteConnectOptions) {
    let url = options.to_url_lossy();
    if url.query_pairs().any(|(name, value)| name == "mode" && value == "rwc") {
        let mut file = std::fs::OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
        drop(file.write(true).create_new(true).open(options.get_filename()));
    }
}

/// Reads an address such as `sqlite:shop.db`.
pub(crate) fn parse(address: &str) -> Result<SqliteConnectOptions, StoreError> {
    let rest = address.strip_prefix("sqlite:").unwrap_or(address);
    if matches!(rest.trim_start_matches("//"), "" | ":memory:") || rest.contains("mode=memory") {
        return Err(StoreError::Unavailable(
            "a SQLite store needs a file, as in `sqlite:shop.db`; what keeps nothing is `memory:`".into(),
        ));
    }
    let options = SqliteConnectOptions::from_str(address).map_err(|_| {
        StoreError::Unavailable(
            "the address is not of the form `sqlite:shop.db` or `sqlite:///path/shop.db`".into(),
        )
    })?;
    // Unless it says `mode=ro` or `mode=rw`, the file is made.
    Ok(if rest.contains("mode=") { options } else { options.create_if_missing(true) })
}

/// Connects, and brings the tables up to date.
///
/// Whoever makes a new file holds it for a moment, also where SQLite does not wait by itself: while it turns the
/// write-ahead log on. So this is tried again for as long as a connection is waited for.
async fn first_connection(
    options: SqliteConnectOptions,
    settings: &StoreSettings,
) -> Result<SqlitePool, StoreError> {
    let began = Instant::now();
    loop {
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(settings.wait)
            .connect_with(options.clone().pragma("cache_size", CACHE))
            .await
            .map_err(store_error);
        let ready = match writer {
            Ok(writer) => migrate(&writer).await.map(|()| writer),
            Err(error) => Err(error),
        };
        match ready {
            Err(StoreError::Locked) if began.elapsed() < settings.wait => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            ready => return ready,
        }
    }
}

/// Brings the tables up to date.
///
/// Where they are, nothing is locked. Else all of it is one transaction that holds the write lock from its beginning: of
/// several processes that open a new file together, one makes the tables and the others find them.
async fn migrate(pool: &SqlitePool) -> Result<(), StoreError> {
    if sql::tables::are_up_to_date(pool).await? {
        return Ok(());
    }
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
    sql::tables::make(&mut tx).await?;
    tx.commit().await.map_err(store_error)
}
