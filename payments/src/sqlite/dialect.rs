//! What is SQLite's own: transactions, leases, errors.

use std::ops::{Deref, DerefMut};

use serde::{Serialize, Serializer};
use sqlx::Sqlite;
use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use tokio::sync::mpsc;

use super::rows::json;
use super::statement::{Kind, Value};
use crate::error::StoreError;
use crate::store::{Changes, Wake};

pub(super) type TheStore = super::SqliteStore;
pub(super) type Pool = sqlx::sqlite::SqlitePool;
pub(super) type Connection = sqlx::sqlite::SqliteConnection;
pub(super) type Row = sqlx::sqlite::SqliteRow;

/// Leases operations: lease, now, limit.
pub(super) const TAKE_OPERATIONS: &str = "UPDATE tulbur_operations SET lease_until = $1 WHERE operation_ref IN \
    (SELECT operation_ref FROM tulbur_operations WHERE lease_until <= $2 ORDER BY lease_until LIMIT $3) \
    RETURNING version, lease_until, body";

/// Leases events: lease, now, limit.
pub(super) const TAKE_EVENTS: &str = "UPDATE tulbur_events SET due_at = $1, attempts = attempts + 1 WHERE seq IN \
    (SELECT seq FROM tulbur_events AS this WHERE state = 'pending' AND due_at <= $2 AND (late = 1 OR NOT EXISTS \
     (SELECT 1 FROM tulbur_events AS earlier WHERE earlier.stream = this.stream \
      AND earlier.seq < this.seq AND earlier.state = 'pending' AND earlier.late = 0)) ORDER BY seq LIMIT $3) \
    RETURNING seq, attempts, body";

/// A transaction. When SQLite itself has undone one, as on a full disk, sqlx takes it to be open for ever; so it is
/// begun and ended here, and a connection of which it is not known how it stands is closed.
pub(super) struct Tx {
    connection: PoolConnection<Sqlite>,
    /// Whether it is known to be over.
    ended: bool,
}

impl Tx {
    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::query("COMMIT").execute(&mut *self.connection).await?;
        self.ended = true;
        Ok(())
    }

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
    let mut tx = Tx { connection, ended: false };
    let begun = sqlx::query("BEGIN IMMEDIATE").execute(&mut *tx).await;
    // Where it did not begin, there is nothing to undo, and the connection is as good as before.
    tx.ended = begun.is_err();
    begun.map_err(store_error)?;
    Ok(tx)
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

/// SQLite tells other processes nothing.
pub(super) async fn announce(
    _: &mut Connection,
    _: impl Iterator<Item = &Changes>,
) -> Result<(), StoreError> {
    Ok(())
}

#[expect(clippy::unused_async, reason = "the other dialect has something to do here")]
pub(super) async fn wakes(_: &Pool) -> Result<Option<mpsc::Receiver<Wake>>, StoreError> {
    Ok(None)
}

/// Primary result codes of `SQLite` (sqlite.org/rescode.html); the extended code has the primary in its low byte.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const READ_ONLY: i32 = 8;
    const FULL: i32 = 13;
    const CANNOT_OPEN: i32 = 14;
    const CONSTRAINT: i32 = 19;
    const NOT_A_DATABASE: i32 = 26;
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0) & 0xff;
            match code {
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
            }
        }
        sqlx::Error::PoolTimedOut => StoreError::Locked,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            StoreError::Unreadable(error.to_string())
        }
        other => StoreError::Unavailable(other.to_string()),
    }
}
