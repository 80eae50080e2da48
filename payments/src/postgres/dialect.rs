//! What is PostgreSQL's own: transactions, leases, announcements, errors.

use std::time::Duration;

use sqlx::postgres::{PgArguments, PgListener, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{Postgres, Transaction};
use tokio::sync::mpsc;

use super::statement::{Kind, Value};
use crate::error::StoreError;
use crate::event::Event;
use crate::record::PaymentId;
use crate::store::{Changes, Wake};

pub(super) type TheStore = super::PostgresStore;
pub(super) type Pool = sqlx::postgres::PgPool;
pub(super) type Connection = sqlx::postgres::PgConnection;
pub(super) type Row = sqlx::postgres::PgRow;

/// The channel on which commits are announced.
const CHANNEL: &str = "tulbur";
/// How long after a failure the server is tried again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// Leases operations: lease, now, limit. The rows are picked once (`MATERIALIZED`), whatever the plan.
pub(super) const TAKE_OPERATIONS: &str = "WITH picked AS MATERIALIZED \
    (SELECT operation_ref FROM tulbur_operations WHERE lease_until <= $2 ORDER BY lease_until LIMIT $3 \
     FOR UPDATE SKIP LOCKED) \
    UPDATE tulbur_operations AS this SET lease_until = $1 FROM picked \
    WHERE this.operation_ref = picked.operation_ref RETURNING this.version, this.lease_until, this.body";

/// Leases events: lease, now, limit.
pub(super) const TAKE_EVENTS: &str = "WITH picked AS MATERIALIZED \
    (SELECT seq FROM tulbur_events AS this WHERE state = 'pending' AND due_at <= $2 AND (late = 1 OR NOT EXISTS \
     (SELECT 1 FROM tulbur_events AS earlier WHERE earlier.stream = this.stream \
      AND earlier.seq < this.seq AND earlier.state = 'pending' AND earlier.late = 0)) \
     ORDER BY seq LIMIT $3 FOR UPDATE SKIP LOCKED) \
    UPDATE tulbur_events AS this SET due_at = $1, attempts = attempts + 1 FROM picked WHERE this.seq = picked.seq \
    RETURNING this.seq, this.attempts, this.body";

/// Many rows, as what a statement reads from: an array for each column.
pub(super) fn source(columns: &[(&str, Kind)]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let arrays: Vec<String> = (1..)
        .zip(columns)
        .map(|(number, (_, kind))| match kind {
            Kind::Text => format!("${number}::text[]"),
            Kind::Number => format!("${number}::bigint[]"),
        })
        .collect();
    format!("unnest({}) WITH ORDINALITY AS new ({}, place)", arrays.join(", "), names.join(", "))
}

#[expect(clippy::unnecessary_wraps, reason = "the other dialect can fail here")]
pub(super) fn bind_rows<'q, const COLUMNS: usize>(
    mut query: Query<'q, Postgres, PgArguments>,
    columns: &[(&str, Kind)],
    rows: Vec<[Value<'_>; COLUMNS]>,
) -> Result<Query<'q, Postgres, PgArguments>, StoreError> {
    let mut rows: Vec<_> = rows.into_iter().map(<[_; COLUMNS]>::into_iter).collect();
    for (_, kind) in columns {
        let column = rows.iter_mut().map(|row| row.next().unwrap_or(Value::Nothing));
        query = match kind {
            Kind::Text => query.bind(
                column
                    .map(|value| if let Value::Text(text) = value { Some(text.into_owned()) } else { None })
                    .collect::<Vec<_>>(),
            ),
            Kind::Number => query.bind(
                column
                    .map(|value| if let Value::Number(number) = value { Some(number) } else { None })
                    .collect::<Vec<_>>(),
            ),
        };
    }
    Ok(query)
}

pub(super) async fn begin(pool: &Pool) -> Result<Transaction<'static, Postgres>, StoreError> {
    pool.begin().await.map_err(store_error)
}

/// Holds the turn to take payments until the transaction ends; `false` if somebody else has it.
pub(super) async fn take_turn(tx: &mut Connection) -> Result<bool, StoreError> {
    let turn = sqlx::query("SELECT name FROM tulbur_turns WHERE name = 'payments' FOR UPDATE SKIP LOCKED")
        .fetch_optional(tx)
        .await
        .map_err(store_error)?;
    Ok(turn.is_some())
}

/// Waits for the turn to take payments, and holds it until the transaction ends.
pub(super) async fn await_turn(tx: &mut Connection) -> Result<(), StoreError> {
    sqlx::query("SELECT name FROM tulbur_turns WHERE name = 'payments' FOR UPDATE")
        .fetch_optional(tx)
        .await
        .map_err(store_error)?;
    Ok(())
}

/// Keeps events of one order in the order of their commits: a sequence counts before the commit, so whoever counts
/// later must wait for whoever counted before.
pub(super) async fn hold_streams<'a>(
    tx: &mut Connection,
    changes: impl Iterator<Item = &'a Changes>,
) -> Result<(), StoreError> {
    let mut streams: Vec<&str> = changes
        .flat_map(|changes| changes.events.iter().chain(changes.attention.iter().map(|(_, event)| event)))
        .map(Event::stream)
        .collect();
    streams.sort_unstable();
    streams.dedup();
    if streams.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "SELECT pg_advisory_xact_lock(hashtextextended('tulbur/' || stream, 0)) FROM \
         (SELECT stream FROM unnest($1::text[]) AS stream ORDER BY 1) AS streams",
    )
    .bind(&streams)
    .execute(tx)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// Tells every process that listens, once this is committed.
pub(super) async fn announce<'a>(
    tx: &mut Connection,
    changes: impl Iterator<Item = &'a Changes>,
) -> Result<(), StoreError> {
    let mut ids: Vec<&str> = Vec::new();
    for changes in changes {
        ids.extend(changes.payments.iter().map(|payment| payment.id.as_str()));
        ids.extend(changes.operations.iter().map(|operation| operation.payment.as_str()));
        if changes.payments.is_empty() && !(changes.events.is_empty() && changes.attention.is_empty()) {
            ids.push("");
        }
    }
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query("SELECT pg_notify($1, id) FROM unnest($2::text[]) AS id")
        .bind(CHANNEL)
        .bind(&ids)
        .execute(tx)
        .await
        .map_err(store_error)?;
    Ok(())
}

/// Listens on a connection of its own, for as long as somebody takes what comes.
pub(super) async fn wakes(pool: &Pool) -> Result<Option<mpsc::Receiver<Wake>>, StoreError> {
    let options = (*pool.connect_options()).clone();
    let own = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(pool.options().get_acquire_timeout())
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options);
    let listener = listen(&own).await?;
    let (send, receive) = mpsc::channel(1024);
    tokio::spawn(async move {
        let mut listener = Some(listener);
        while !send.is_closed() {
            let Some(hearing) = listener.as_mut() else {
                tokio::time::sleep(LISTEN_AGAIN).await;
                if let Ok(fresh) = listen(&own).await {
                    listener = Some(fresh);
                    // What was announced meanwhile is lost.
                    hand_on(&send, Wake::Anything);
                }
                continue;
            };
            tokio::select! {
                heard = hearing.try_recv() => match heard {
                    Ok(Some(heard)) if heard.payload().is_empty() => hand_on(&send, Wake::Anything),
                    Ok(Some(heard)) => hand_on(&send, Wake::Payment(PaymentId::from_text(heard.payload()))),
                    Ok(None) => listener = None,
                    Err(error) => {
                        tracing::warn!(error = %store_error(error), "commits of other processes are not heard of; trying again");
                        listener = None;
                    }
                },
                () = send.closed() => return,
            }
        }
    });
    Ok(Some(receive))
}

/// Who does not keep up misses single wake-ups, and finds what is due by its time.
fn hand_on(send: &mpsc::Sender<Wake>, wake: Wake) {
    drop(send.try_send(wake));
}

async fn listen(pool: &Pool) -> Result<PgListener, StoreError> {
    let mut listener = PgListener::connect_with(pool).await.map_err(store_error)?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await.map_err(store_error)?;
    Ok(listener)
}

/// SQLSTATE codes: Appendix A of PostgreSQL's manual.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    let unavailable = |text: &str| StoreError::Unavailable(text.to_owned());
    match error {
        sqlx::Error::Database(error) => match error.code().as_deref() {
            // unique_violation, serialization_failure, deadlock_detected
            Some("23505" | "40001" | "40P01") => StoreError::Conflict,
            // lock_not_available
            Some("55P03") => StoreError::Locked,
            // read_only_sql_transaction: a standby, or a setting
            Some("25006") => StoreError::ReadOnly,
            // disk_full
            Some("53100") => StoreError::Full,
            // too_many_connections
            Some("53300") => unavailable(
                "the server has no connection left; raise its max_connections, or lower the stores' connections",
            ),
            // admin_shutdown, crash_shutdown, cannot_connect_now
            Some("57P01" | "57P02" | "57P03") => {
                unavailable("the server is stopping or starting; it is tried again with the next call")
            }
            // query_canceled
            Some("57014") => unavailable("the statement was canceled; is statement_timeout too short?"),
            // invalid_password, invalid_authorization_specification
            Some("28P01" | "28000") => {
                unavailable("the server refuses this user or password; check the address of the database")
            }
            // invalid_catalog_name
            Some("3D000") => unavailable("the server has no such database; make it with `createdb`"),
            // insufficient_privilege
            Some("42501") => {
                unavailable("this user may not do that; it must own the `tulbur_` tables, or may make them")
            }
            _ => StoreError::Unavailable(error.message().to_owned()),
        },
        sqlx::Error::PoolTimedOut => unavailable(
            "no connection in time; the server is away, or all of this store's connections are busy",
        ),
        sqlx::Error::Io(error) => {
            StoreError::Unavailable(format!("the connection to the server is broken: {error}"))
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            StoreError::Unreadable(error.to_string())
        }
        other => StoreError::Unavailable(other.to_string()),
    }
}
