//! Rows and records; the database's errors and ours.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use tulbur_core::{AccountName, Channel, Timestamp};

use crate::error::StoreError;
use crate::record::{PaymentId, PaymentRecord};
use crate::store::{InboxEntry, Verdict};

pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Unreadable(e.to_string()))
}

pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Unreadable(e.to_string()))
}

pub(super) fn payment_of(row: &SqliteRow) -> Result<PaymentRecord, StoreError> {
    let mut payment: PaymentRecord = read(row.get("body"))?;
    payment.version = row.get("version");
    payment.ask_at = row.get::<Option<i64>, _>("ask_at").map(Timestamp::from_millis);
    Ok(payment)
}

pub(super) fn channel_word(channel: Channel) -> &'static str {
    match channel {
        Channel::Notify => "notify",
        Channel::Return => "return",
    }
}

pub(super) fn inbox_of(row: &SqliteRow) -> Result<InboxEntry, StoreError> {
    let unreadable = |what: &str| StoreError::Unreadable(format!("an inbox entry has an unknown {what}"));
    Ok(InboxEntry {
        id: row.get("id"),
        account: AccountName::parse(row.get::<String, _>("account")).map_err(|_| unreadable("account"))?,
        channel: match row.get("channel") {
            "notify" => Channel::Notify,
            "return" => Channel::Return,
            _ => return Err(unreadable("channel")),
        },
        at: Timestamp::from_millis(row.get("at")),
        repeat_key: row.get("repeat_key"),
        meaning: row.get("meaning"),
        verdict: Verdict::parse(row.get("verdict")).ok_or_else(|| unreadable("verdict"))?,
        note: row.get("note"),
        payment: row.get::<Option<String>, _>("payment").map(PaymentId::from_text),
        sealed: row.get("sealed"),
    })
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
                CANNOT_OPEN => {
                    StoreError::Unavailable("the file cannot be opened; does its folder exist?".into())
                }
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
