//! SQLite's own parts: transactions, leases, errors.

use std::ops::{Deref, DerefMut};
use std::time::Instant;

use serde::{Serialize, Serializer};
use sqlx::Sqlite;
use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use tokio::sync::mpsc;
use tulbur_core::Timestamp;

use super::sql::value::{Kind, Value, json};
use crate::error::StoreError;
use crate::store::{Changes, Wake};

pub(super) type Pool = sqlx::sqlite::SqlitePool;
pub(super) type Connection = sqlx::sqlite::SqliteConnection;
pub(super) type Row = sqlx::sqlite::SqliteRow;
pub(super) type Sql<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Makes the tables.
pub(super) const TABLES: &str = include_str!("0001.sql");

/// Whether the list of what was made is there.
pub(super) const TABLES_EXIST: &str =
    "SELECT count(*) > 0 FROM sqlite_master WHERE name = 'tulbur_migrations'";

/// Leases operations: lease, now, limit.
pub(super) const TAKE_OPERATIONS: &str = "UPDATE tulbur_operations SET lease_until = $1 WHERE operation_ref IN \
    (SELECT operation_ref FROM tulbur_operations WHERE lease_until <= $2 ORDER BY lease_until LIMIT $3) \
    RETURNING operation_ref";

/// Takes deliveries that wait: when they are due again, now, limit.
pub(super) const TAKE_KEPT: &str = "UPDATE tulbur_inbox SET due_at = $1 WHERE id IN \
    (SELECT id FROM tulbur_inbox WHERE due_at <= $2 ORDER BY due_at LIMIT $3) RETURNING *";

/// Claims deliveries of a handler: lease, now, owner, handler, limit.
pub(super) const CLAIM_DELIVERIES: &str = "UPDATE tulbur_deliveries SET due_at = $1, owner = $3, \
    attempts = attempts + 1, first_at = coalesce(first_at, $2) WHERE handler = $4 AND seq IN \
    (SELECT seq FROM tulbur_deliveries WHERE handler = $4 AND due_at <= $2 ORDER BY due_at, seq LIMIT $5) \
    RETURNING seq, attempts, first_at, aside_at";

/// Deletes deliveries that are done, of those that are still claimed.
pub(super) const DELETE_DONE: &str = "DELETE FROM tulbur_deliveries WHERE (handler, seq, owner) IN \
    (SELECT name, number, token FROM {new}) RETURNING handler, seq";

/// A transaction. When SQLite itself has undone one, as on a full disk, sqlx takes it to be open for ever; so it is
/// begun and ended here, and a connection of which it is not known how it stands is closed.
pub(super) struct Tx {
    connection: PoolConnection<Sqlite>,
    /// Whether it is known to be over.
    ended: bool,
    /// Since when it has the write lock.
    began: Instant,
}

impl Tx {
    /// Undoes what was done, where SQLite has not.
    pub(super) async fn rollback(mut self) -> Result<(), sqlx::Error> {
        sqlx::query("ROLLBACK").execute(&mut *self.connection).await?;
        self.ended = true;
        Ok(())
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}

impl Deref for Tx {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

/// Takes the write lock at once, so that two writers wait instead of failing half way.
pub(super) async fn begin(pool: &Pool) -> Result<Tx, StoreError> {
    let connection = pool.acquire().await.map_err(store_error)?;
    let mut tx = Tx { connection, ended: false, began: Instant::now() };
    let begun = sqlx::query("BEGIN IMMEDIATE").execute(&mut *tx).await;
    tx.began = Instant::now();
    // Where it did not begin, there is nothing to undo, and the connection is as good as before.
    tx.ended = begun.is_err();
    begun.map_err(store_error)?;
    Ok(tx)
}

/// Commits a transaction.
///
/// Where COMMIT fails and the transaction is still open, as when the file is busy, it is undone, and nothing was
/// committed. Where SQLite has undone it by itself, only the error says how far it came: the log's last frame is what
/// commits, and after an error of the disk it may stand in the file, to be found when the file is opened anew.
pub(super) async fn commit(mut tx: Tx) -> Result<(), StoreError> {
    let statements = tx.began.elapsed();
    let Err(error) = sqlx::query("COMMIT").execute(&mut *tx).await else {
        tx.ended = true;
        // For benches: how long others wait, and for what.
        tracing::trace!(target: "tulbur_write_lock", ?statements, held = ?tx.began.elapsed());
        return Ok(());
    };
    let undone = sqlx::query("ROLLBACK").execute(&mut *tx).await;
    tx.ended = undone.is_ok();
    Err(if undone.is_ok() { store_error(error) } else { commit_error(error) })
}

/// Many rows, as what a statement reads from: a list of lists in JSON.
pub(super) fn source(columns: &[(&str, Kind)]) -> String {
    let columns: Vec<String> = (0..)
        .zip(columns)
        .map(|(number, (name, _)): (usize, _)| format!("value ->> {number} AS {name}"))
        .collect();
    format!("(SELECT {}, key AS place FROM json_each($1)) AS new", columns.join(", "))
}

#[expect(clippy::needless_pass_by_value, reason = "the other dialect consumes them")]
pub(super) fn bind_rows<'q, const COLUMNS: usize>(
    query: Query<'q, Sqlite, SqliteArguments>,
    _: &[(&str, Kind)],
    rows: Vec<[Value<'_>; COLUMNS]>,
) -> Result<Query<'q, Sqlite, SqliteArguments>, StoreError> {
    let rows: Vec<&[Value<'_>]> = rows.iter().map(<[_; COLUMNS]>::as_slice).collect();
    Ok(query.bind(json(&rows)?))
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Nothing => serializer.serialize_none(),
        }
    }
}

/// One writer at a time, so whoever writes has the turn.
#[expect(clippy::unused_async, reason = "the other dialect has something to do here")]
pub(super) async fn take_turn(_: &mut Connection) -> Result<bool, StoreError> {
    Ok(true)
}

/// As [`take_turn`].
#[expect(clippy::unused_async, reason = "the other dialect has something to do here")]
pub(super) async fn await_turn(_: &mut Connection) -> Result<(), StoreError> {
    Ok(())
}

/// One writer at a time: nobody can count before and commit after.
pub(super) async fn hold_streams(
    _: &mut Connection,
    _: impl Iterator<Item = &Changes>,
) -> Result<(), StoreError> {
    Ok(())
}

/// As [`hold_streams`].
#[expect(clippy::unused_async, reason = "the other dialect has something to do here")]
pub(super) async fn hold(_: &mut Connection, _: Vec<&str>) -> Result<(), StoreError> {
    Ok(())
}

/// One writer at a time: no event is committed meanwhile.
#[expect(clippy::unused_async, reason = "the other dialect has something to do here")]
pub(super) async fn exclude_commits(_: &mut Connection) -> Result<(), StoreError> {
    Ok(())
}

/// SQLite tells other processes nothing.
pub(super) async fn announce(
    _: &mut Connection,
    _: impl Iterator<Item = &Changes>,
) -> Result<(), StoreError> {
    Ok(())
}

/// All processes are on one machine, and its clock counts.
#[expect(clippy::unused_async, reason = "the other dialect has something to do here")]
pub(super) async fn time(_: &Pool) -> Result<Option<Timestamp>, StoreError> {
    Ok(None)
}

#[expect(clippy::unused_async, reason = "the other dialect has something to do here")]
pub(super) async fn wakes(_: &Pool) -> Result<Option<mpsc::Receiver<Wake>>, StoreError> {
    Ok(None)
}

/// Primary result codes of `SQLite` (sqlite.org/rescode.html); the extended code has the primary in its low byte.
fn code_of(error: &dyn sqlx::error::DatabaseError) -> i32 {
    error.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0) & 0xff
}

const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READ_ONLY: i32 = 8;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;
const CONSTRAINT: i32 = 19;
const NOT_A_DATABASE: i32 = 26;

pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) => match code_of(&*error) {
            BUSY | LOCKED => StoreError::Locked,
            READ_ONLY => StoreError::ReadOnly,
            FULL => StoreError::Full,
            CONSTRAINT if error.is_unique_violation() => StoreError::Conflict,
            // On a disk that is read-only too: its write-ahead log stands beside the file.
            CANNOT_OPEN => StoreError::Unavailable(
                "the file cannot be opened; does its folder exist, and may it be written to?".into(),
            ),
            NOT_A_DATABASE => StoreError::Unreadable("the file is no SQLite database".into()),
            _ => StoreError::Unavailable(error.message().to_owned()),
        },
        sqlx::Error::PoolTimedOut => StoreError::Locked,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            StoreError::Unreadable(error.to_string())
        }
        other => StoreError::Unavailable(other.to_string()),
    }
}

/// What the error of a COMMIT says that has ended its transaction, or that of a statement which commits itself.
///
/// The listed codes come before anything that commits was written: the lock was not given, the statement was refused,
/// or the log could not grow by the frame that commits. After any other one, such as a failed `fsync`, it may stand there.
pub(super) fn commit_error(error: sqlx::Error) -> StoreError {
    const ERROR: i32 = 1;
    const MISMATCH: i32 = 20;
    if let sqlx::Error::Database(known) = &error
        && matches!(
            code_of(&**known),
            ERROR | BUSY | LOCKED | READ_ONLY | FULL | CANNOT_OPEN | CONSTRAINT | MISMATCH | NOT_A_DATABASE
        )
    {
        return store_error(error);
    }
    match error {
        sqlx::Error::Database(error) => StoreError::MaybeCommitted(error.message().to_owned()),
        other => StoreError::MaybeCommitted(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::SqliteStore;

    /// SQLite lets a commit fail and its transaction stay open: here because a reference leads nowhere.
    #[tokio::test]
    async fn a_commit_that_leaves_its_transaction_open_is_undone_for_certain() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("shop.db")).await.unwrap();
        let mut tx = begin(&store.writer).await.unwrap();
        sqlx::raw_sql(
            "PRAGMA defer_foreign_keys = on; \
             INSERT INTO tulbur_payments (id, version, order_ref, account, merchant_ref, secret_hash, status, operation, \
             created_at, body) VALUES ('p', 1, 'no such order', 'bank', 'm', 'h', 'pending', 'reserved', 0, '{}')",
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        let error = commit(tx).await.unwrap_err();
        assert!(!error.may_have_committed(), "{error:?}");
        assert!(error.to_string().contains("FOREIGN KEY"), "{error}");
        let count = "SELECT count(*) FROM tulbur_payments";
        let kept: i64 = sqlx::query_scalar(count).fetch_one(&store.writer).await.unwrap();
        assert_eq!(kept, 0);
        let tx = begin(&store.writer).await.expect("the connection is as good as before");
        commit(tx).await.unwrap();
    }
}
