//! PostgreSQL's own parts: transactions, leases, announcements, errors.

use std::time::Duration;

use sqlx::postgres::{PgArguments, PgDatabaseError, PgListener, PgPoolOptions, PgSeverity};
use sqlx::query::Query;
use sqlx::{Postgres, Row as _, Transaction};
use tokio::sync::mpsc;
use tulbur_core::Timestamp;

use super::sql::value::{Kind, Value};
use crate::error::StoreError;
use crate::model::event::Event;
use crate::model::record::PaymentId;
use crate::store::{Changes, Wake};

pub(super) type Pool = sqlx::postgres::PgPool;
pub(super) type Connection = sqlx::postgres::PgConnection;
pub(super) type Row = sqlx::postgres::PgRow;
pub(super) type Sql<'q> = Query<'q, Postgres, PgArguments>;

/// The channel on which commits are announced.
const CHANNEL: &str = "tulbur";
/// What is said about a pooler that lends sessions for one transaction only.
pub(super) const REFUSED: &str = "between this store and the server is a pooler that changes sessions between transactions; \
     prepared statements, LISTEN and the store's limits live in a session: set the pooler to session mode (PgBouncer: \
     pool_mode = session), or connect to the server itself";
/// How long after a failure the server is tried again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// Makes the tables.
pub(super) const TABLES: &str = include_str!("0001.sql");

/// Whether the list of what was made is there.
pub(super) const TABLES_EXIST: &str = "SELECT to_regclass('tulbur_migrations') IS NOT NULL";

/// Leases operations: lease, now, limit. The rows are picked once (`MATERIALIZED`), whatever the plan.
pub(super) const TAKE_OPERATIONS: &str = "WITH picked AS MATERIALIZED \
    (SELECT operation_ref FROM tulbur_operations WHERE lease_until <= $2 ORDER BY lease_until LIMIT $3 \
     FOR UPDATE SKIP LOCKED) \
    UPDATE tulbur_operations AS this SET lease_until = $1 FROM picked \
    WHERE this.operation_ref = picked.operation_ref RETURNING this.operation_ref";

/// Takes deliveries that wait: when they are due again, now, limit.
pub(super) const TAKE_KEPT: &str = "WITH picked AS MATERIALIZED \
    (SELECT id AS taken FROM tulbur_inbox WHERE due_at <= $2 ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED) \
    UPDATE tulbur_inbox AS this SET due_at = $1 FROM picked WHERE this.id = picked.taken RETURNING this.*";

/// Claims deliveries of a handler: lease, now, owner, handler, limit.
pub(super) const CLAIM_DELIVERIES: &str = "WITH picked AS MATERIALIZED \
    (SELECT seq FROM tulbur_deliveries WHERE handler = $4 AND due_at <= $2 ORDER BY due_at, seq LIMIT $5 \
     FOR UPDATE SKIP LOCKED) \
    UPDATE tulbur_deliveries AS this SET due_at = $1, owner = $3, attempts = this.attempts + 1, \
    first_at = coalesce(this.first_at, $2) FROM picked WHERE this.handler = $4 AND this.seq = picked.seq \
    RETURNING this.seq, this.attempts, this.first_at, this.aside_at";

/// Deletes deliveries that are done, of those that are still claimed.
pub(super) const DELETE_DONE: &str = "DELETE FROM tulbur_deliveries AS this USING {new} \
    WHERE this.handler = new.name AND this.seq = new.number AND this.owner = new.token RETURNING handler, seq";

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

/// Begins a transaction of our own statements. Each of them finds its rows by an index; the server, which may know
/// nothing yet of a table that has just grown, is told not to read it whole. It holds for this transaction alone.
pub(super) async fn begin(pool: &Pool) -> Result<Transaction<'static, Postgres>, StoreError> {
    const BEGIN: &str = "BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";
    pool.begin_with(BEGIN).await.map_err(store_error)
}

pub(super) async fn commit(tx: Transaction<'static, Postgres>) -> Result<(), StoreError> {
    tx.commit().await.map_err(commit_error)
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
    let streams = changes
        .flat_map(|changes| changes.events.iter().chain(changes.attention.iter().map(|(_, event)| event)))
        .map(Event::stream)
        .collect();
    hold(tx, streams).await
}

/// Holds streams until the transaction ends; and shares with others who hold some that no handler comes or goes.
pub(super) async fn hold(tx: &mut Connection, mut streams: Vec<&str>) -> Result<(), StoreError> {
    streams.sort_unstable();
    streams.dedup();
    if streams.is_empty() {
        return Ok(());
    }
    // The first of the two first: the sub-select is done before anything of the list is.
    sqlx::query(
        "SELECT pg_advisory_xact_lock(hashtextextended('tulbur/' || stream, 0)) FROM \
         (SELECT pg_advisory_xact_lock_shared(hashtextextended('tulbur-handlers', 0)) OFFSET 0) AS handlers, \
         (SELECT stream FROM unnest($1::text[]) AS stream ORDER BY 1) AS streams",
    )
    .bind(&streams)
    .execute(tx)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// Keeps whoever commits events from doing so until the transaction ends; fails where they do not let go in time. All
/// others wait meanwhile, so it is not for long.
pub(super) async fn exclude_commits(tx: &mut Connection) -> Result<(), StoreError> {
    for statement in [
        "SET LOCAL lock_timeout = '2s'",
        "SELECT pg_advisory_xact_lock(hashtextextended('tulbur-handlers', 0))",
    ] {
        sqlx::query(statement).execute(&mut *tx).await.map_err(store_error)?;
    }
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

/// The server's clock, whichever machine asks.
pub(super) async fn time(pool: &Pool) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now")
        .fetch_one(pool)
        .await
        .map_err(store_error)?;
    Ok(Some(Timestamp::from_millis(row.get("now"))))
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

/// `idle_in_transaction_session_timeout`
const IDLE: &str = "25P03";

/// SQLSTATE codes: Appendix A of PostgreSQL's manual.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    let unavailable = |text: &str| StoreError::Unavailable(text.to_owned());
    match error {
        sqlx::Error::Database(error) => match error.code().as_deref() {
            // unique_violation, serialization_failure, deadlock_detected
            Some("23505" | "40001" | "40P01") => StoreError::Conflict,
            // lock_not_available
            Some("55P03") => StoreError::Locked,
            Some(IDLE) => unavailable(
                "this process stood still inside a transaction for longer than the database allows; the server has \
                 undone it",
            ),
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
            // invalid_sql_statement_name, duplicate_prepared_statement: another's session
            Some("26000" | "42P05") => unavailable(REFUSED),
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

/// What the error of a COMMIT says, or that of a statement which commits itself.
///
/// An answer of the server that leaves the session as it was, with severity `ERROR`, says that it was undone. So does the
/// end of a session that stood idle in its transaction: it ended before COMMIT was read. Anything else may have come
/// after the commit: a broken connection, or a session that was ended meanwhile.
pub(super) fn commit_error(error: sqlx::Error) -> StoreError {
    let known = match &error {
        sqlx::Error::Database(answer) => answer.try_downcast_ref::<PgDatabaseError>(),
        _ => None,
    };
    if known.is_some_and(|answer| answer.severity() == PgSeverity::Error || answer.code() == IDLE) {
        return store_error(error);
    }
    StoreError::MaybeCommitted(match store_error(error) {
        StoreError::Unavailable(why) => why,
        other => other.to_string(),
    })
}
