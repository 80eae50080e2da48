//! The outbox in SQL: handlers, and what each of them is still to be told.

use async_trait::async_trait;
use sqlx::Row as _;
use tulbur_core::{OrderRef, Timestamp};

use super::super::TheStore;
use super::alone;
use super::dialect::{self, Connection, Row, store_error};
use super::rows::{count, read, time};
use super::settle::{Settling, settle_batch};
use super::statement::statement;
use super::value::{Value, text};
use crate::error::StoreError;
use crate::model::event::Event;
use crate::model::record::{EventId, PaymentId};
use crate::store::{
    Claim, ClaimedDelivery, DeliveryState, EVENT_FORMAT, EventDelivery, HandlerDelivery, HandlerSpec, Outbox,
    ParkedDelivery, RegisteredHandler, Settle, StoredEvent,
};

// Most of the time nothing is due, and a look writes nothing and waits for nobody.
statement! { HAS_DUE (name: Text, now: Number)
    "SELECT new.name FROM {new} WHERE EXISTS (SELECT 1 FROM tulbur_deliveries AS due WHERE due.handler = new.name \
     AND due.due_at <= new.now)"
}

statement! { NEXT_OF_HANDLERS (name: Text)
    "SELECT (SELECT due.due_at FROM tulbur_deliveries AS due WHERE due.handler = new.name AND due.due_at IS NOT NULL \
     ORDER BY due.due_at LIMIT 1) AS at FROM {new}"
}

statement! { EVENTS_OF (number: Number)
    "SELECT event.seq, event.id, event.stream, event.format, event.body FROM {new} CROSS JOIN tulbur_events AS event \
     WHERE event.seq = new.number"
}

statement! { SEEN_BEFORE (handler: Text)
    "SELECT known.name, known.seen_at FROM {new} CROSS JOIN tulbur_handlers AS known WHERE known.name = new.handler"
}

statement! { SEE (handler: Text, now: Number)
    "UPDATE tulbur_handlers AS this SET seen_at = new.now FROM {new} WHERE this.name = new.handler"
}

/// That something of the stream of the delivery `this` goes before it, in SQL.
macro_rules! must_wait {
    () => {
        "EXISTS (SELECT 1 FROM tulbur_deliveries AS other WHERE other.handler = this.handler \
         AND other.stream = this.stream AND (other.seq < this.seq OR (other.owner IS NOT NULL AND other.seq <> this.seq)))"
    };
}

/// Gives every delivery of a handler its place: in each stream what is claimed keeps its time, else the first is due.
async fn put_in_order(tx: &mut Connection, handler: &str, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query(concat!(
        "UPDATE tulbur_deliveries AS this SET due_at = NULL WHERE handler = $1 AND due_at IS NOT NULL \
         AND stream IS NOT NULL AND owner IS NULL AND ",
        must_wait!()
    ))
    .bind(handler)
    .execute(&mut *tx)
    .await
    .map_err(store_error)?;
    sqlx::query(concat!(
        "UPDATE tulbur_deliveries AS this SET due_at = $2 WHERE handler = $1 AND due_at IS NULL AND parked_at IS NULL \
         AND NOT ",
        must_wait!()
    ))
    .bind(handler)
    .bind(now.as_millis())
    .execute(&mut *tx)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// Whether a handler is registered, and whether it keeps the order.
async fn keeps_order(tx: &mut Connection, handler: &str) -> Result<Option<bool>, StoreError> {
    let row = sqlx::query("SELECT in_order FROM tulbur_handlers WHERE name = $1 AND name <> ''")
        .bind(handler)
        .fetch_optional(tx)
        .await
        .map_err(store_error)?;
    Ok(row.map(|row| row.get::<i64, _>("in_order") == 1))
}

async fn register(tx: &mut Connection, handler: &HandlerSpec, now: Timestamp) -> Result<(), StoreError> {
    let in_order = i64::from(handler.in_order);
    match keeps_order(tx, &handler.name).await? {
        Some(known) if known == handler.in_order => return Ok(()),
        Some(_) => {
            sqlx::query("UPDATE tulbur_handlers SET in_order = $1 WHERE name = $2")
                .bind(in_order)
                .bind(&handler.name)
                .execute(&mut *tx)
                .await
                .map_err(store_error)?;
            sqlx::query(
                "UPDATE tulbur_deliveries AS this SET stream = CASE WHEN $1 = 1 THEN (SELECT event.stream \
                 FROM tulbur_events AS event WHERE event.seq = this.seq) END WHERE handler = $2 AND parked_at IS NULL",
            )
            .bind(in_order)
            .bind(&handler.name)
            .execute(&mut *tx)
            .await
            .map_err(store_error)?;
        }
        None => {
            sqlx::query(
                "INSERT INTO tulbur_handlers (name, in_order, registered_at, seen_at) VALUES ($1, $2, $3, $3)",
            )
            .bind(&handler.name)
            .bind(in_order)
            .bind(now.as_millis())
            .execute(&mut *tx)
            .await
            .map_err(store_error)?;
            // What was committed while nobody was registered: of all others nothing is left here.
            sqlx::query(
                "INSERT INTO tulbur_deliveries (handler, seq, stream, due_at) SELECT $1, unheard.seq, \
                 CASE WHEN $2 = 1 THEN event.stream END, $3 FROM tulbur_deliveries AS unheard \
                 JOIN tulbur_events AS event ON event.seq = unheard.seq WHERE unheard.handler = ''",
            )
            .bind(&handler.name)
            .bind(in_order)
            .bind(now.as_millis())
            .execute(&mut *tx)
            .await
            .map_err(store_error)?;
        }
    }
    put_in_order(tx, &handler.name, now).await
}

async fn registered(tx: &mut Connection, handlers: &[HandlerSpec], now: Timestamp) -> Result<(), StoreError> {
    dialect::exclude_commits(tx).await?;
    for handler in handlers {
        register(tx, handler, now).await?;
    }
    for statement in
        ["DELETE FROM tulbur_deliveries WHERE handler = ''", "DELETE FROM tulbur_handlers WHERE name = ''"]
    {
        sqlx::query(statement).execute(&mut *tx).await.map_err(store_error)?;
    }
    Ok(())
}

async fn remove(
    tx: &mut Connection,
    name: &str,
    heir: Option<&str>,
    now: Timestamp,
) -> Result<Option<u64>, StoreError> {
    dialect::exclude_commits(tx).await?;
    if keeps_order(tx, name).await?.is_none() || heir == Some(name) {
        return Ok(None);
    }
    let mut moved = None;
    if let Some(heir) = heir {
        let Some(in_order) = keeps_order(tx, heir).await? else { return Ok(None) };
        let done = sqlx::query(
            "INSERT INTO tulbur_deliveries (handler, seq, stream, due_at) \
             SELECT $1, this.seq, CASE WHEN $2 = 1 THEN event.stream END, this.due_at FROM tulbur_deliveries AS this \
             JOIN tulbur_events AS event ON event.seq = this.seq WHERE this.handler = $3 \
             AND NOT EXISTS (SELECT 1 FROM tulbur_handled AS handled WHERE handled.seq = this.seq \
             AND handled.handler = $1) \
             AND NOT EXISTS (SELECT 1 FROM tulbur_deliveries AS own WHERE own.handler = $1 AND own.seq = this.seq)",
        )
        .bind(heir)
        .bind(i64::from(in_order))
        .bind(name)
        .execute(&mut *tx)
        .await
        .map_err(store_error)?;
        moved = Some(done.rows_affected());
    }
    let dropped = sqlx::query("DELETE FROM tulbur_deliveries WHERE handler = $1")
        .bind(name)
        .execute(&mut *tx)
        .await
        .map_err(store_error)?;
    sqlx::query("DELETE FROM tulbur_handlers WHERE name = $1")
        .bind(name)
        .execute(&mut *tx)
        .await
        .map_err(store_error)?;
    sqlx::query(
        "INSERT INTO tulbur_handlers (name, in_order, registered_at, seen_at) SELECT '', 0, 0, 0 \
         WHERE NOT EXISTS (SELECT 1 FROM tulbur_handlers)",
    )
    .execute(&mut *tx)
    .await
    .map_err(store_error)?;
    if let Some(heir) = heir {
        put_in_order(tx, heir, now).await?;
    }
    Ok(Some(moved.unwrap_or(dropped.rows_affected())))
}

async fn backfill(
    tx: &mut Connection,
    name: &str,
    from: Timestamp,
    now: Timestamp,
) -> Result<Option<u64>, StoreError> {
    dialect::exclude_commits(tx).await?;
    let Some(in_order) = keeps_order(tx, name).await? else { return Ok(None) };
    let done = sqlx::query(
        "INSERT INTO tulbur_deliveries (handler, seq, stream, due_at) SELECT $1, event.seq, \
         CASE WHEN $2 = 1 THEN event.stream END, $4 FROM tulbur_events AS event WHERE event.at >= $3 \
         AND NOT EXISTS (SELECT 1 FROM tulbur_handled AS handled WHERE handled.seq = event.seq \
         AND handled.handler = $1) \
         AND NOT EXISTS (SELECT 1 FROM tulbur_deliveries AS own WHERE own.handler = $1 AND own.seq = event.seq)",
    )
    .bind(name)
    .bind(i64::from(in_order))
    .bind(from.as_millis())
    .bind(now.as_millis())
    .execute(&mut *tx)
    .await
    .map_err(store_error)?;
    put_in_order(tx, name, now).await?;
    Ok(Some(done.rows_affected()))
}

async fn unpark(
    tx: &mut Connection,
    handler: &str,
    event: &EventId,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let found = sqlx::query("SELECT seq, stream FROM tulbur_events WHERE id = $1")
        .bind(event.as_str())
        .fetch_optional(&mut *tx)
        .await
        .map_err(store_error)?;
    let Some(found) = found else { return Ok(false) };
    let (seq, stream): (i64, String) = (found.get("seq"), found.get("stream"));
    dialect::hold(tx, vec![&stream]).await?;
    let Some(in_order) = keeps_order(tx, handler).await? else { return Ok(false) };
    // Before anybody else claims one of them.
    sqlx::query(
        "UPDATE tulbur_deliveries SET due_at = NULL WHERE handler = $1 AND stream = $2 AND seq > $3 AND owner IS NULL \
         AND EXISTS (SELECT 1 FROM tulbur_deliveries AS own WHERE own.handler = $1 AND own.seq = $3 \
         AND own.parked_at IS NOT NULL)",
    )
    .bind(handler)
    .bind(&stream)
    .bind(seq)
    .execute(&mut *tx)
    .await
    .map_err(store_error)?;
    let done = sqlx::query(
        "UPDATE tulbur_deliveries SET parked_at = NULL, attempts = 0, first_at = NULL, aside_at = NULL, \
         stream = CASE WHEN $1 = 1 THEN $2 END, due_at = CASE WHEN EXISTS (SELECT 1 FROM tulbur_deliveries AS other \
         WHERE other.handler = $3 AND other.stream = $2 AND (other.owner IS NOT NULL OR other.seq < $4)) THEN NULL \
         ELSE CAST($5 AS BIGINT) END WHERE handler = $3 AND seq = $4 AND parked_at IS NOT NULL",
    )
    .bind(i64::from(in_order))
    .bind(&stream)
    .bind(handler)
    .bind(seq)
    .bind(at.as_millis())
    .execute(&mut *tx)
    .await
    .map_err(store_error)?;
    Ok(done.rows_affected() == 1)
}

fn names(handlers: &[String]) -> Vec<[Value<'_>; 1]> {
    handlers.iter().map(|name| [text(name)]).collect()
}

/// The event in a row, or why this release cannot read it.
fn event_of(row: &Row) -> Result<Event, String> {
    let format: i64 = row.get("format");
    if format > EVENT_FORMAT {
        return Err(format!("it is of format {format}, and this release reads formats up to {EVENT_FORMAT}"));
    }
    read(row.get("body")).map_err(|error| error.to_string())
}

fn stored_event_of(row: &Row) -> StoredEvent {
    StoredEvent {
        id: EventId::from_text(row.get::<String, _>("id")),
        at: Timestamp::from_millis(row.get("at")),
        kind: row.get("kind"),
        read: event_of(row),
    }
}

fn attempts_of(row: &Row) -> u32 {
    u32::try_from(count(row, "attempts")).unwrap_or(u32::MAX)
}

/// Runs in a transaction of its own, which is undone if it fails.
macro_rules! in_one {
    ($store:expr, $tx:ident => $work:expr) => {{
        let mut tx = dialect::begin(&$store.writer).await?;
        let $tx = &mut *tx;
        match $work.await {
            Ok(done) => {
                dialect::commit(tx).await?;
                Ok(done)
            }
            Err(error) => {
                drop(tx.rollback().await);
                Err(error)
            }
        }
    }};
}

#[async_trait]
impl Outbox for TheStore {
    async fn register_handlers(&self, handlers: &[HandlerSpec], now: Timestamp) -> Result<(), StoreError> {
        // Commits are excluded only where something changes: a restart must not wait for a process that was stopped
        // in the middle of one.
        let mut connection = self.pool.acquire().await.map_err(store_error)?;
        let mut change = false;
        for handler in handlers {
            change |= keeps_order(&mut connection, &handler.name).await? != Some(handler.in_order);
        }
        drop(connection);
        if !change {
            return Ok(());
        }
        in_one!(self, tx => registered(tx, handlers, now))
    }

    async fn see_handlers(
        &self,
        handlers: &[String],
        now: Timestamp,
    ) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let mut sorted = handlers.to_vec();
        sorted.sort_unstable();
        let mut connection = self.writer.acquire().await.map_err(store_error)?;
        let before = SEEN_BEFORE.run(&mut connection, names(&sorted)).await?;
        let rows = sorted.iter().map(|name| [text(name), super::value::time(now)]).collect();
        SEE.run(&mut connection, rows).await?;
        Ok(before.iter().map(|row| (row.get("name"), Timestamp::from_millis(row.get("seen_at")))).collect())
    }

    async fn handlers(&self) -> Result<Vec<RegisteredHandler>, StoreError> {
        let rows = sqlx::query(
            "SELECT name, in_order, registered_at, seen_at, \
             (SELECT count(*) FROM tulbur_deliveries WHERE handler = name AND parked_at IS NULL) AS waiting, \
             (SELECT event.at FROM tulbur_events AS event WHERE event.seq = (SELECT waiting.seq \
             FROM tulbur_deliveries AS waiting WHERE waiting.handler = name AND waiting.parked_at IS NULL \
             ORDER BY waiting.seq LIMIT 1)) AS oldest, \
             (SELECT count(*) FROM tulbur_deliveries WHERE handler = name AND parked_at IS NOT NULL) AS parked \
             FROM tulbur_handlers WHERE name <> '' ORDER BY name",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        Ok(rows
            .iter()
            .map(|row| {
                let spec = HandlerSpec::new(row.get::<String, _>("name"), row.get::<i64, _>("in_order") == 1);
                let at = |column| Timestamp::from_millis(row.get(column));
                RegisteredHandler {
                    waiting: count(row, "waiting"),
                    oldest: time(row, "oldest"),
                    parked: count(row, "parked"),
                    ..RegisteredHandler::new(spec, at("registered_at"), at("seen_at"))
                }
            })
            .collect())
    }

    async fn remove_handler(
        &self,
        name: &str,
        heir: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<u64>, StoreError> {
        in_one!(self, tx => remove(tx, name, heir, now))
    }

    async fn backfill_handler(
        &self,
        name: &str,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<Option<u64>, StoreError> {
        in_one!(self, tx => backfill(tx, name, from, now))
    }

    async fn claim_deliveries(
        &self,
        wanted: &[(String, u32)],
        owner: &str,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(store_error)?;
        let look = wanted.iter().map(|(name, _)| [text(name), super::value::time(now)]).collect();
        let due = HAS_DUE.run(&mut connection, look).await?;
        drop(connection);
        let due: Vec<String> = due.iter().map(|row| row.get(0)).collect();
        let wanted: Vec<&(String, u32)> = wanted.iter().filter(|(name, _)| due.contains(name)).collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        in_one!(self, tx => claim(tx, &wanted, owner, now, lease))
    }

    async fn renew_delivery(&self, claim: &Claim, lease: Timestamp) -> Result<bool, StoreError> {
        let renewal = sqlx::query(
            "UPDATE tulbur_deliveries SET due_at = $1 WHERE handler = $2 AND seq = $3 AND owner = $4",
        )
        .bind(lease.as_millis())
        .bind(&claim.handler)
        .bind(claim.seq)
        .bind(&claim.owner);
        Ok(alone::execute(&self.writer, renewal).await? == 1)
    }

    async fn settle_delivery(
        &self,
        claim: &Claim,
        settle: Settle,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let writer = self.writer.clone();
        let together = move |batch: Vec<Settling>| {
            let writer = writer.clone();
            async move { settle_batch(&writer, batch).await }
        };
        self.settling.join(Settling { claim: claim.clone(), settle, now }, together).await
    }

    async fn next_delivery(&self, handlers: &[String]) -> Result<Option<Timestamp>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(store_error)?;
        let rows = NEXT_OF_HANDLERS.run(&mut connection, names(handlers)).await?;
        Ok(rows.iter().filter_map(|row| time(row, "at")).min())
    }

    async fn deliveries(
        &self,
        order: Option<&OrderRef>,
        payment: &PaymentId,
    ) -> Result<Vec<EventDelivery>, StoreError> {
        let query = match order {
            Some(order) => sqlx::query(
                "SELECT seq, id, kind, at, format, body FROM tulbur_events WHERE order_ref = $1 ORDER BY seq",
            )
            .bind(order.as_str()),
            None => sqlx::query(
                "SELECT seq, id, kind, at, format, body FROM tulbur_events WHERE order_ref IS NULL AND stream = $1 \
                 ORDER BY seq",
            )
            .bind(payment.as_str()),
        };
        let events = query.fetch_all(&self.pool).await.map_err(store_error)?;
        let mut deliveries = Vec::with_capacity(events.len());
        for event in &events {
            let rows = sqlx::query(
                "SELECT handler, 'done' AS state, CAST(0 AS BIGINT) AS attempts, at FROM tulbur_handled WHERE seq = $1 \
                 UNION ALL SELECT this.handler, CASE WHEN this.parked_at IS NOT NULL THEN 'parked' \
                 WHEN this.owner IS NOT NULL THEN 'claimed' WHEN this.due_at IS NOT NULL THEN 'due' ELSE 'waiting' END, \
                 this.attempts, coalesce(this.parked_at, this.due_at) FROM tulbur_handlers AS known \
                 CROSS JOIN tulbur_deliveries AS this WHERE this.handler = known.name AND this.seq = $1 \
                 AND known.name <> '' ORDER BY 1",
            )
            .bind(event.get::<i64, _>("seq"))
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
            let handlers = rows
                .iter()
                .map(|row| {
                    Ok(HandlerDelivery {
                        handler: row.get("handler"),
                        state: DeliveryState::parse(row.get("state")).ok_or_else(|| {
                            StoreError::Unreadable("a delivery has an unknown state".into())
                        })?,
                        attempts: attempts_of(row),
                        at: time(row, "at"),
                    })
                })
                .collect::<Result<_, StoreError>>()?;
            deliveries.push(EventDelivery { event: stored_event_of(event), handlers });
        }
        Ok(deliveries)
    }

    async fn parked_deliveries(&self, limit: u32) -> Result<Vec<ParkedDelivery>, StoreError> {
        let rows = sqlx::query(
            "SELECT this.handler, this.attempts, coalesce(this.first_at, this.parked_at) AS first_at, this.parked_at, \
             event.id, event.kind, event.at, event.format, event.body FROM tulbur_deliveries AS this \
             JOIN tulbur_events AS event ON event.seq = this.seq WHERE this.parked_at IS NOT NULL \
             ORDER BY this.seq, this.handler LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        Ok(rows
            .iter()
            .map(|row| ParkedDelivery {
                handler: row.get("handler"),
                event: stored_event_of(row),
                attempts: attempts_of(row),
                first_at: Timestamp::from_millis(row.get("first_at")),
                parked_at: Timestamp::from_millis(row.get("parked_at")),
            })
            .collect())
    }

    async fn unpark_delivery(
        &self,
        handler: &str,
        event: &EventId,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        in_one!(self, tx => unpark(tx, handler, event, at))
    }
}

async fn claim(
    tx: &mut Connection,
    wanted: &[&(String, u32)],
    owner: &str,
    now: Timestamp,
    lease: Timestamp,
) -> Result<Vec<ClaimedDelivery>, StoreError> {
    let mut claimed = Vec::new();
    for (handler, most) in wanted {
        let mut rows = sqlx::query(dialect::CLAIM_DELIVERIES)
            .bind(lease.as_millis())
            .bind(now.as_millis())
            .bind(owner)
            .bind(handler)
            .bind(i64::from(*most))
            .fetch_all(&mut *tx)
            .await
            .map_err(store_error)?;
        rows.sort_by_key(|row| row.get::<i64, _>("seq"));
        let seqs = rows.iter().map(|row| [Value::Number(row.get("seq"))]).collect();
        let mut events: std::collections::HashMap<i64, Row> =
            EVENTS_OF.run(tx, seqs).await?.into_iter().map(|event| (event.get("seq"), event)).collect();
        for row in &rows {
            let seq: i64 = row.get("seq");
            let Some(event) = events.remove(&seq) else {
                return Err(StoreError::Unreadable(format!("the event of delivery {seq} is missing")));
            };
            claimed.push(ClaimedDelivery {
                claim: Claim {
                    handler: handler.clone(),
                    seq,
                    event: EventId::from_text(event.get::<String, _>("id")),
                    stream: event.get("stream"),
                    owner: owner.to_owned(),
                },
                event: event_of(&event),
                attempts: attempts_of(row),
                first_at: time(row, "first_at").unwrap_or(now),
                aside_at: time(row, "aside_at"),
            });
        }
    }
    Ok(claimed)
}
