//! Which payments are due, and who has taken them.

use sqlx::Row as _;
use tulbur_core::Timestamp;

use super::alone;
use super::dialect::{self, Pool, Row, store_error};
use super::rows::time;
use super::statement::{Statement, statement};
use super::value::{Value, text};
use crate::error::StoreError;
use crate::model::record::PaymentId;
use crate::store::LongestWaits;

/// How many due times are clamped in one transaction.
const CLAMPED_AT_ONCE: i64 = 500;

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
macro_rules! is_made_due {
    () => {
        "status IN ('pending', 'authorized') AND operation IN ('succeeded', 'unknown')"
    };
}

/// Takes payments that are due; see [`crate::store::DueWork::take_due`].
pub(super) async fn take_due(
    pool: &Pool,
    writer: &Pool,
    now: Timestamp,
    lease: Timestamp,
    limit: u32,
) -> Result<Vec<PaymentId>, StoreError> {
    // Most of the time nothing is due, and a look writes nothing and waits for nobody.
    let due = sqlx::query(concat!(
        "SELECT 1 FROM tulbur_payments AS due WHERE ",
        is_due!("$1"),
        " ORDER BY ask_at LIMIT 1"
    ))
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
    // Leases of payments whose due time has changed are deleted too, so that the search for the next end of a lease stays
    // short. With `=` SQLite would read the payments, which lie anywhere; with `BETWEEN` it reads the index of what is
    // due, where they lie together.
    sqlx::query(
        "DELETE FROM tulbur_leases WHERE until <= $1 OR NOT EXISTS (SELECT 1 FROM tulbur_payments AS due \
         WHERE due.ask_at = tulbur_leases.ask_at AND due.id BETWEEN tulbur_leases.payment AND tulbur_leases.payment)",
    )
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
    dialect::commit(tx).await?;
    rows.iter()
        .map(|row| row.try_get::<String, _>("payment").map(PaymentId::from_text).map_err(store_error))
        .collect()
}

/// Makes open payments due; see [`crate::store::DueWork::make_all_due`].
pub(super) async fn make_all_due(writer: &Pool, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = dialect::begin(writer).await?;
    dialect::await_turn(&mut tx).await?;
    sqlx::query(concat!(
        "DELETE FROM tulbur_leases WHERE EXISTS (SELECT 1 FROM tulbur_payments WHERE id = tulbur_leases.payment AND ",
        is_made_due!(),
        ")"
    ))
    .execute(&mut *tx)
    .await
    .map_err(store_error)?;
    sqlx::query(concat!("UPDATE tulbur_payments SET ask_at = $1 WHERE ask_at > $1 AND ", is_made_due!()))
        .bind(now.as_millis())
        .execute(&mut *tx)
        .await
        .map_err(store_error)?;
    dialect::commit(tx).await
}

/// A due time that can be moved: what is found that lies too far ahead, and how it is moved. What is found has the bounds
/// `$1` to `$5`: the least of all, then those of writes, held money, late questions, and questions.
struct Clamped {
    find: &'static str,
    put: &'static Statement,
}

statement! { CLAMP_QUESTIONS (name: Text, most: Number)
    "UPDATE tulbur_payments AS this SET ask_at = new.most FROM {new} WHERE this.id = new.name \
     AND this.ask_at > new.most RETURNING id"
}

statement! { CLAMP_WRITES (name: Text, most: Number)
    "UPDATE tulbur_payments AS this SET lease_until = new.most FROM {new} WHERE this.id = new.name \
     AND this.lease_until > new.most RETURNING id"
}

statement! { CLAMP_OPERATIONS (name: Text, most: Number)
    "UPDATE tulbur_operations AS this SET lease_until = new.most FROM {new} WHERE this.operation_ref = new.name \
     AND this.lease_until > new.most RETURNING operation_ref"
}

statement! { CLAMP_OPERATIONS_WRITES (name: Text, most: Number)
    "UPDATE tulbur_operations AS this SET write_ends = new.most FROM {new} WHERE this.operation_ref = new.name \
     AND this.write_ends > new.most RETURNING operation_ref"
}

static CLAMPED: [Clamped; 4] = [
    Clamped {
        find: "SELECT id AS name, most FROM (SELECT id, ask_at, CASE WHEN operation IN ('reserved', 'submitted') \
               THEN CAST($2 AS BIGINT) WHEN status = 'authorized' THEN $3 \
               WHEN status IN ('declined', 'canceled', 'expired') THEN $4 ELSE $5 END AS most \
               FROM tulbur_payments WHERE ask_at > $1) AS ahead WHERE ask_at > most LIMIT $6",
        put: &CLAMP_QUESTIONS,
    },
    Clamped {
        find: "SELECT id AS name, CAST($2 AS BIGINT) AS most FROM tulbur_payments WHERE lease_until > $1 \
               AND lease_until > $2 AND $3 >= $1 AND $4 >= $1 AND $5 >= $1 LIMIT $6",
        put: &CLAMP_WRITES,
    },
    Clamped {
        find: "SELECT operation_ref AS name, most FROM (SELECT operation_ref, lease_until, \
               CASE WHEN state IN ('reserved', 'submitted') THEN CAST($2 AS BIGINT) ELSE $5 END AS most \
               FROM tulbur_operations WHERE lease_until > $1) AS ahead \
               WHERE lease_until > most AND $3 >= $1 AND $4 >= $1 LIMIT $6",
        put: &CLAMP_OPERATIONS,
    },
    Clamped {
        find: "SELECT operation_ref AS name, CAST($2 AS BIGINT) AS most FROM tulbur_operations \
               WHERE lease_until IS NOT NULL AND write_ends > $2 AND $3 >= $1 AND $4 >= $1 AND $5 >= $1 LIMIT $6",
        put: &CLAMP_OPERATIONS_WRITES,
    },
];

/// Moves what lies too far ahead; see [`crate::store::DueWork::clamp_times`].
///
/// What is to be moved is read without a lock, and moved a part at a time.
pub(super) async fn clamp_times(
    pool: &Pool,
    writer: &Pool,
    now: Timestamp,
    longest: &LongestWaits,
) -> Result<u64, StoreError> {
    let after = |wait: std::time::Duration| now.after(wait).as_millis();
    let bounds = [longest.write, longest.held, longest.late, longest.question].map(after);
    let mut moved = 0;
    for Clamped { find, put } in &CLAMPED {
        loop {
            let mut query = sqlx::query(*find).bind(bounds.into_iter().min());
            for bound in bounds {
                query = query.bind(bound);
            }
            let rows = query.bind(CLAMPED_AT_ONCE).fetch_all(pool).await.map_err(store_error)?;
            moved += clamp(writer, put, &rows).await?;
            if rows.len() < usize::try_from(CLAMPED_AT_ONCE).unwrap_or(usize::MAX) {
                break;
            }
        }
    }
    for (statement, most) in [
        ("UPDATE tulbur_leases SET until = $1 WHERE until > $1", after(longest.work)),
        ("UPDATE tulbur_inbox SET due_at = $1 WHERE due_at > $1", after(longest.delivery)),
        (
            "UPDATE tulbur_deliveries SET due_at = $1 WHERE due_at > $1 \
             AND handler IN (SELECT name FROM tulbur_handlers)",
            after(longest.delivery),
        ),
    ] {
        moved += alone::execute(writer, sqlx::query(statement).bind(most)).await?;
    }
    Ok(moved)
}

async fn clamp(writer: &Pool, statement: &'static Statement, rows: &[Row]) -> Result<u64, StoreError> {
    if rows.is_empty() {
        return Ok(0);
    }
    let mut names: Vec<[Value<'_>; 2]> = Vec::with_capacity(rows.len());
    for row in rows {
        names.push([text(row.get("name")), Value::Number(row.get("most"))]);
    }
    let mut tx = dialect::begin(writer).await?;
    let moved = statement.run(&mut tx, names).await?;
    dialect::commit(tx).await?;
    Ok(moved.len() as u64)
}

/// When something is due next; see [`crate::store::DueWork::next_due`].
pub(super) async fn next_due(pool: &Pool) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query(concat!(
        "SELECT min(at) AS at FROM (SELECT (SELECT ask_at FROM tulbur_payments AS due WHERE ask_at IS NOT NULL \
         AND ",
        is_free!(),
        " ORDER BY ask_at LIMIT 1) AS at \
         UNION ALL SELECT (SELECT until FROM tulbur_leases AS lease WHERE EXISTS (SELECT 1 FROM tulbur_payments AS due \
         WHERE due.id = lease.payment AND due.ask_at = lease.ask_at) ORDER BY until LIMIT 1) \
         UNION ALL SELECT min(due_at) FROM tulbur_inbox WHERE due_at IS NOT NULL \
         UNION ALL SELECT min(lease_until) FROM tulbur_operations WHERE lease_until IS NOT NULL) AS soonest"
    ))
    .fetch_one(pool)
    .await
    .map_err(store_error)?;
    Ok(time(&row, "at"))
}
