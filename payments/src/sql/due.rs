//! Which payments are due, and who has taken them.

use sqlx::Row as _;
use tulbur_core::Timestamp;

use super::dialect::{self, Pool, store_error};
use super::rows::time;
use crate::error::StoreError;
use crate::record::PaymentId;

/// That nobody has taken the payment `due` since it is due at this time, in SQL.
macro_rules! is_free {
    () => {
        "NOT EXISTS (SELECT 1 FROM tulbur_leases AS lease WHERE lease.payment = due.id AND lease.ask_at = due.ask_at)"
    };
}

/// That the payment `due` is to be taken at this time, in SQL: nobody has it, or had it for too long.
macro_rules! is_due {
    ($now:literal) => {
        concat!(
            "due.ask_at <= ",
            $now,
            " AND NOT EXISTS (SELECT 1 FROM tulbur_leases AS lease WHERE lease.payment = due.id \
             AND lease.ask_at = due.ask_at AND lease.until > ",
            $now,
            ")"
        )
    };
}

/// That a payment is open and its write is not under way, in SQL.
macro_rules! is_hurried {
    () => {
        "status IN ('pending', 'authorized') AND operation IN ('succeeded', 'unknown')"
    };
}

/// Takes payments that are due; see [`crate::Store::take_due`].
pub(super) async fn take_due(
    pool: &Pool,
    writer: &Pool,
    now: Timestamp,
    lease: Timestamp,
    limit: u32,
) -> Result<Vec<PaymentId>, StoreError> {
    // Most of the time nothing is due, and a look writes nothing and waits for nobody.
    let due = sqlx::query(concat!("SELECT 1 FROM tulbur_payments AS due WHERE ", is_due!("$1"), " LIMIT 1"))
        .bind(now.as_millis())
        .fetch_optional(pool)
        .await
        .map_err(store_error)?;
    if due.is_none() {
        return Ok(Vec::new());
    }
    let mut tx = dialect::begin(writer).await?;
    if !dialect::take_turn(&mut tx).await? {
        tx.rollback().await.map_err(store_error)?;
        return Ok(Vec::new());
    }
    sqlx::query("DELETE FROM tulbur_leases WHERE until <= $1")
        .bind(now.as_millis())
        .execute(&mut *tx)
        .await
        .map_err(store_error)?;
    let rows = sqlx::query(concat!(
        "INSERT INTO tulbur_leases (payment, ask_at, until) SELECT id, ask_at, $1 FROM tulbur_payments AS due WHERE ",
        is_due!("$2"),
        " ORDER BY ask_at, id LIMIT $3 \
         ON CONFLICT (payment) DO UPDATE SET ask_at = excluded.ask_at, until = excluded.until RETURNING payment"
    ))
    .bind(lease.as_millis())
    .bind(now.as_millis())
    .bind(i64::from(limit))
    .fetch_all(&mut *tx)
    .await
    .map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    rows.iter()
        .map(|row| row.try_get::<String, _>("payment").map(PaymentId::from_text).map_err(store_error))
        .collect()
}

/// Makes open payments due; see [`crate::Store::hurry`].
pub(super) async fn hurry(writer: &Pool, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = dialect::begin(writer).await?;
    dialect::await_turn(&mut tx).await?;
    sqlx::query(concat!(
        "DELETE FROM tulbur_leases WHERE EXISTS (SELECT 1 FROM tulbur_payments WHERE id = tulbur_leases.payment AND ",
        is_hurried!(),
        ")"
    ))
    .execute(&mut *tx)
    .await
    .map_err(store_error)?;
    sqlx::query(concat!("UPDATE tulbur_payments SET ask_at = $1 WHERE ask_at > $1 AND ", is_hurried!()))
        .bind(now.as_millis())
        .execute(&mut *tx)
        .await
        .map_err(store_error)?;
    tx.commit().await.map_err(store_error)
}

/// When something is due next; see [`crate::Store::next_due`].
pub(super) async fn next_due(pool: &Pool) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query(concat!(
        "SELECT min(at) AS at FROM (SELECT (SELECT ask_at FROM tulbur_payments AS due WHERE ask_at IS NOT NULL \
         AND ",
        is_free!(),
        " ORDER BY ask_at LIMIT 1) AS at \
         UNION ALL SELECT min(lease_until) FROM tulbur_operations WHERE lease_until IS NOT NULL \
         UNION ALL SELECT min(due_at) FROM tulbur_events WHERE state = 'pending') AS soonest"
    ))
    .fetch_one(pool)
    .await
    .map_err(store_error)?;
    Ok(time(&row, "at"))
}
