//! The embedded store: one SQLite file, nothing to install.

mod claims;
mod rows;

use std::path::Path;

use async_trait::async_trait;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Row, SqlSafeStr, Sqlite, Transaction};
use tulbur_core::{AccountName, OrderRef, Timestamp};

use crate::error::StoreError;
use crate::event::{AttentionItem, Event, HistoryEntry};
use crate::record::{
    Card, CardId, CardRecord, CustomerRef, EventId, Order, OrderRecord, PaymentId, PaymentRecord,
};
use crate::store::{Changes, ClaimedEvent, Find, InboxEntry, Settle, Store};

pub use claims::{CLAIMS_TABLE, claim_in, create_claims_table};
use rows::{json, payment_of, read, store_error};

/// Keeps payments in one SQLite file.
///
/// Commits are durable: write-ahead log with `synchronous=FULL`. Several processes may open one file; they wait for
/// each other up to five seconds.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    pool: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, makes it if it is missing, and brings its tables up to date.
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
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        let pool =
            SqlitePoolOptions::new().max_connections(4).connect_with(options).await.map_err(store_error)?;
        migrate(&pool).await?;
        Ok(Self { pool })
    }

    /// Waits for what is under way and closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Takes the write lock at once, so that two writers wait instead of failing half way.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)
    }

    async fn order_of(&self, row: &sqlx::sqlite::SqliteRow) -> Result<Order, StoreError> {
        let mut record: OrderRecord = read(row.get("body"))?;
        record.version = row.get("version");
        let payments = sqlx::query(
            "SELECT version, ask_at, body FROM tulbur_payments WHERE order_ref = ? ORDER BY created_at, id",
        )
        .bind(record.order.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        let payments = payments.iter().map(payment_of).collect::<Result<_, _>>()?;
        Ok(Order { record, payments })
    }
}

async fn migrate(pool: &SqlitePool) -> Result<(), StoreError> {
    let first = Migration::new(
        1,
        "payments, events, inbox, history".into(),
        MigrationType::Simple,
        include_str!("schema.sql").into_sql_str(),
        false,
    );
    let mut migrator = Migrator::with_migrations(vec![first]);
    migrator.dangerous_set_table_name("tulbur_migrations");
    migrator.run(pool).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::Execute(error)
        | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => store_error(error),
        other => StoreError::Unreadable(format!("its tables are not as expected: {other}")),
    })
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for order in &changes.orders {
            write_order(&mut tx, order).await?;
        }
        for payment in &changes.payments {
            write_payment(&mut tx, payment).await?;
        }
        for card in &changes.cards {
            write_card(&mut tx, card).await?;
        }
        for event in &changes.events {
            write_event(&mut tx, event).await?;
        }
        for entry in &changes.history {
            write_history(&mut tx, entry).await?;
        }
        for (item, event) in &changes.attention {
            if write_attention(&mut tx, item).await? {
                write_event(&mut tx, event).await?;
            }
        }
        for entry in &changes.inbox {
            write_inbox(&mut tx, entry).await?;
        }
        tx.commit().await.map_err(store_error)
    }

    async fn order(&self, order: &OrderRef) -> Result<Option<Order>, StoreError> {
        let row = sqlx::query("SELECT version, body FROM tulbur_orders WHERE order_ref = ?")
            .bind(order.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        match row {
            Some(row) => self.order_of(&row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn orders(&self, limit: u32) -> Result<Vec<Order>, StoreError> {
        let rows = sqlx::query(
            "SELECT version, body FROM tulbur_orders ORDER BY created_at DESC, order_ref DESC LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        let mut orders = Vec::with_capacity(rows.len());
        for row in &rows {
            orders.push(self.order_of(row).await?);
        }
        Ok(orders)
    }

    async fn payment(&self, find: Find<'_>) -> Result<Option<PaymentRecord>, StoreError> {
        let query = match find {
            Find::Id(id) => {
                sqlx::query("SELECT version, ask_at, body FROM tulbur_payments WHERE id = ?").bind(id.as_str())
            }
            Find::MerchantRef(account, reference) => sqlx::query(
                "SELECT version, ask_at, body FROM tulbur_payments WHERE account = ? AND merchant_ref = ?",
            )
            .bind(account.as_str())
            .bind(reference.as_str()),
            Find::ProviderRef(account, reference) => sqlx::query(
                "SELECT version, ask_at, body FROM tulbur_payments WHERE account = ? AND provider_ref = ? LIMIT 1",
            )
            .bind(account.as_str())
            .bind(reference.as_str()),
            Find::SecretHash(hash) => {
                sqlx::query("SELECT version, ask_at, body FROM tulbur_payments WHERE secret_hash = ?").bind(hash)
            }
        };
        let row = query.fetch_optional(&self.pool).await.map_err(store_error)?;
        row.as_ref().map(payment_of).transpose()
    }

    async fn take_due(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<PaymentRecord>, StoreError> {
        let rows = sqlx::query(
            "UPDATE tulbur_payments SET ask_at = ? WHERE id IN \
             (SELECT id FROM tulbur_payments WHERE ask_at <= ? ORDER BY ask_at LIMIT ?) \
             RETURNING version, ask_at, body",
        )
        .bind(lease.as_millis())
        .bind(now.as_millis())
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        rows.iter().map(payment_of).collect()
    }

    async fn hurry(&self, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE tulbur_payments SET ask_at = ?1 WHERE ask_at > ?1 AND status IN ('pending', 'authorized') \
             AND operation IN ('succeeded', 'unknown')",
        )
        .bind(now.as_millis())
        .execute(&self.pool)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query(
            "SELECT min(at) AS at FROM (SELECT min(ask_at) AS at FROM tulbur_payments WHERE ask_at IS NOT NULL \
             UNION ALL SELECT min(due_at) FROM tulbur_events WHERE state = 'pending')",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(store_error)?;
        Ok(row.get::<Option<i64>, _>("at").map(Timestamp::from_millis))
    }

    async fn take_events(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<ClaimedEvent>, StoreError> {
        let mut tx = self.begin().await?;
        let rows = sqlx::query(
            "UPDATE tulbur_events SET due_at = ?, attempts = attempts + 1 WHERE seq IN \
             (SELECT seq FROM tulbur_events AS this WHERE state = 'pending' AND due_at <= ? AND NOT EXISTS \
              (SELECT 1 FROM tulbur_events AS earlier WHERE earlier.stream = this.stream \
               AND earlier.seq < this.seq AND earlier.state = 'pending') ORDER BY seq LIMIT ?) \
             RETURNING seq, attempts, body",
        )
        .bind(lease.as_millis())
        .bind(now.as_millis())
        .bind(limit)
        .fetch_all(&mut *tx)
        .await
        .map_err(store_error)?;
        let mut claimed = Vec::with_capacity(rows.len());
        for row in &rows {
            let event: Event = read(row.get("body"))?;
            let done = sqlx::query("SELECT handler FROM tulbur_event_handlers WHERE event_id = ?")
                .bind(event.id.as_str())
                .fetch_all(&mut *tx)
                .await
                .map_err(store_error)?;
            let attempts = u32::try_from(row.get::<i64, _>("attempts") - 1).unwrap_or(0);
            let done = done.iter().map(|row| row.get("handler")).collect();
            claimed.push((row.get::<i64, _>("seq"), ClaimedEvent { event, attempts, done }));
        }
        tx.commit().await.map_err(store_error)?;
        claimed.sort_by_key(|(seq, _)| *seq);
        Ok(claimed.into_iter().map(|(_, event)| event).collect())
    }

    async fn handled(&self, event: &EventId, handler: &str) -> Result<(), StoreError> {
        sqlx::query("INSERT OR IGNORE INTO tulbur_event_handlers (event_id, handler) VALUES (?, ?)")
            .bind(event.as_str())
            .bind(handler)
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn settle_event(&self, event: &EventId, settle: Settle) -> Result<(), StoreError> {
        let (state, due) = match settle {
            Settle::Done => ("done", None),
            Settle::Again(at) => ("pending", Some(at.as_millis())),
            Settle::Parked => ("parked", None),
        };
        sqlx::query("UPDATE tulbur_events SET state = ?, due_at = coalesce(?, due_at) WHERE id = ?")
            .bind(state)
            .bind(due)
            .bind(event.as_str())
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn delivered(
        &self,
        account: &AccountName,
        repeat_key: &str,
    ) -> Result<Option<InboxEntry>, StoreError> {
        let row = sqlx::query(
            "SELECT * FROM tulbur_inbox WHERE account = ? AND repeat_key = ? AND verdict <> 'refused' \
             ORDER BY at, id LIMIT 1",
        )
        .bind(account.as_str())
        .bind(repeat_key)
        .fetch_optional(&self.pool)
        .await
        .map_err(store_error)?;
        row.as_ref().map(rows::inbox_of).transpose()
    }

    async fn keep_refused(&self, entry: InboxEntry, keep: u32) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        write_inbox(&mut tx, &entry).await?;
        sqlx::query(
            "DELETE FROM tulbur_inbox WHERE account = ?1 AND verdict = 'refused' AND id NOT IN \
             (SELECT id FROM tulbur_inbox WHERE account = ?1 AND verdict = 'refused' ORDER BY at DESC, id DESC LIMIT ?2)",
        )
        .bind(entry.account.as_str())
        .bind(keep)
        .execute(&mut *tx)
        .await
        .map_err(store_error)?;
        tx.commit().await.map_err(store_error)
    }

    async fn inbox(&self, limit: u32) -> Result<Vec<(InboxEntry, u32)>, StoreError> {
        let rows = sqlx::query("SELECT * FROM tulbur_inbox ORDER BY at DESC, id DESC LIMIT ?")
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| Ok((rows::inbox_of(row)?, row.get("times")))).collect()
    }

    async fn history(&self, order: &OrderRef) -> Result<Vec<HistoryEntry>, StoreError> {
        let rows = sqlx::query("SELECT body FROM tulbur_history WHERE order_ref = ? ORDER BY seq")
            .bind(order.as_str())
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| read(row.get("body"))).collect()
    }

    async fn payment_history(&self, payment: &PaymentId) -> Result<Vec<HistoryEntry>, StoreError> {
        let rows = sqlx::query("SELECT body FROM tulbur_history WHERE payment = ? ORDER BY seq")
            .bind(payment.as_str())
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| read(row.get("body"))).collect()
    }

    async fn events(&self, order: &OrderRef) -> Result<Vec<Event>, StoreError> {
        let rows = sqlx::query("SELECT body FROM tulbur_events WHERE order_ref = ? ORDER BY seq")
            .bind(order.as_str())
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| read(row.get("body"))).collect()
    }

    async fn attention(&self) -> Result<Vec<AttentionItem>, StoreError> {
        let rows =
            sqlx::query("SELECT body FROM tulbur_attention WHERE resolved_at IS NULL ORDER BY at, key")
                .fetch_all(&self.pool)
                .await
                .map_err(store_error)?;
        rows.iter().map(|row| read(row.get("body"))).collect()
    }

    async fn resolve_attention(&self, key: &str, at: Timestamp) -> Result<bool, StoreError> {
        let done =
            sqlx::query("UPDATE tulbur_attention SET resolved_at = ? WHERE key = ? AND resolved_at IS NULL")
                .bind(at.as_millis())
                .bind(key)
                .execute(&self.pool)
                .await
                .map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn cards(&self, customer: &CustomerRef) -> Result<Vec<Card>, StoreError> {
        let rows =
            sqlx::query("SELECT body FROM tulbur_cards WHERE customer = ? ORDER BY created_at DESC, id DESC")
                .bind(customer.as_str())
                .fetch_all(&self.pool)
                .await
                .map_err(store_error)?;
        rows.iter().map(|row| read(row.get("body"))).collect()
    }

    async fn card(&self, card: &CardId) -> Result<Option<CardRecord>, StoreError> {
        let row = sqlx::query("SELECT body, sealed_token FROM tulbur_cards WHERE id = ?")
            .bind(card.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        row.map(|row| Ok(CardRecord { card: read(row.get("body"))?, sealed_token: row.get("sealed_token") }))
            .transpose()
    }

    async fn watched_accounts(&self) -> Result<Vec<AccountName>, StoreError> {
        let rows =
            sqlx::query("SELECT DISTINCT account FROM tulbur_payments WHERE ask_at IS NOT NULL ORDER BY 1")
                .fetch_all(&self.pool)
                .await
                .map_err(store_error)?;
        rows.iter()
            .map(|row| {
                AccountName::parse(row.get::<String, _>("account"))
                    .map_err(|e| StoreError::Unreadable(e.to_string()))
            })
            .collect()
    }
}

async fn write_order(tx: &mut SqliteConnection, order: &OrderRecord) -> Result<(), StoreError> {
    let statement = if order.version == 0 {
        sqlx::query(
            "INSERT INTO tulbur_orders (body, paid_by, created_at, version, order_ref) VALUES (?, ?, ?, ? + 1, ?)",
        )
    } else {
        sqlx::query(
            "UPDATE tulbur_orders SET body = ?, paid_by = ?, created_at = ?, version = version + 1 \
             WHERE version = ? AND order_ref = ?",
        )
    };
    let done = statement
        .bind(json(order)?)
        .bind(order.paid_by.as_ref().map(PaymentId::as_str))
        .bind(order.created_at.as_millis())
        .bind(order.version)
        .bind(order.order.as_str())
        .execute(tx)
        .await
        .map_err(store_error)?;
    expect_one(done.rows_affected())
}

async fn write_payment(tx: &mut SqliteConnection, payment: &PaymentRecord) -> Result<(), StoreError> {
    let statement = if payment.version == 0 {
        sqlx::query(
            "INSERT INTO tulbur_payments (body, order_ref, account, merchant_ref, provider_ref, secret_hash, status, \
             operation, ask_at, created_at, version, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? + 1, ?)",
        )
    } else {
        sqlx::query(
            "UPDATE tulbur_payments SET body = ?, order_ref = ?, account = ?, merchant_ref = ?, provider_ref = ?, \
             secret_hash = ?, status = ?, operation = ?, ask_at = ?, created_at = ?, version = version + 1 \
             WHERE version = ? AND id = ?",
        )
    };
    let done = statement
        .bind(json(payment)?)
        .bind(payment.order().map(OrderRef::as_str))
        .bind(payment.account.as_str())
        .bind(payment.reference.merchant_ref.as_str())
        .bind(payment.reference.provider_ref.as_ref().map(tulbur_core::ProviderRef::as_str))
        .bind(&payment.secret_hash)
        .bind(payment.status.as_str())
        .bind(payment.operation.as_str())
        .bind(payment.ask_at.map(Timestamp::as_millis))
        .bind(payment.created_at.as_millis())
        .bind(payment.version)
        .bind(payment.id.as_str())
        .execute(tx)
        .await
        .map_err(store_error)?;
    expect_one(done.rows_affected())
}

fn expect_one(rows: u64) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

async fn write_card(tx: &mut SqliteConnection, card: &CardRecord) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tulbur_cards (id, customer, created_at, body, sealed_token) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(card.card.id.as_str())
    .bind(card.card.customer.as_str())
    .bind(card.card.created_at.as_millis())
    .bind(json(&card.card)?)
    .bind(&card.sealed_token)
    .execute(tx)
    .await
    .map_err(store_error)?;
    Ok(())
}

async fn write_event(tx: &mut SqliteConnection, event: &Event) -> Result<(), StoreError> {
    let order = event.order.as_ref().map(OrderRef::as_str);
    let stream = order.or(event.payment.as_ref().map(PaymentId::as_str)).unwrap_or("-");
    sqlx::query("INSERT INTO tulbur_events (id, stream, order_ref, kind, at, body, due_at) VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(event.id.as_str())
        .bind(stream)
        .bind(order)
        .bind(event.kind.name())
        .bind(event.at.as_millis())
        .bind(json(event)?)
        .bind(event.at.as_millis())
        .execute(tx)
        .await
        .map_err(store_error)?;
    Ok(())
}

async fn write_history(tx: &mut SqliteConnection, entry: &HistoryEntry) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO tulbur_history (order_ref, payment, at, body) VALUES (?, ?, ?, ?)")
        .bind(entry.order.as_ref().map(OrderRef::as_str))
        .bind(entry.payment.as_str())
        .bind(entry.at.as_millis())
        .bind(json(entry)?)
        .execute(tx)
        .await
        .map_err(store_error)?;
    Ok(())
}

/// Whether the item is new.
async fn write_attention(tx: &mut SqliteConnection, item: &AttentionItem) -> Result<bool, StoreError> {
    let done = sqlx::query("INSERT OR IGNORE INTO tulbur_attention (key, at, body) VALUES (?, ?, ?)")
        .bind(&item.key)
        .bind(item.at.as_millis())
        .bind(json(item)?)
        .execute(tx)
        .await
        .map_err(store_error)?;
    Ok(done.rows_affected() == 1)
}

async fn write_inbox(tx: &mut SqliteConnection, entry: &InboxEntry) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tulbur_inbox (id, account, channel, at, repeat_key, meaning, verdict, note, payment, sealed) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (account, repeat_key, meaning) DO UPDATE SET times = times + 1",
    )
    .bind(&entry.id)
    .bind(entry.account.as_str())
    .bind(rows::channel_word(entry.channel))
    .bind(entry.at.as_millis())
    .bind(&entry.repeat_key)
    .bind(&entry.meaning)
    .bind(entry.verdict.as_str())
    .bind(&entry.note)
    .bind(entry.payment.as_ref().map(PaymentId::as_str))
    .bind(&entry.sealed)
    .execute(tx)
    .await
    .map_err(store_error)?;
    Ok(())
}
