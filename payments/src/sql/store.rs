//! The store in SQL that both databases understand; what they do not share is in each one's `dialect`.

use async_trait::async_trait;
use sqlx::Row as _;
use tokio::sync::mpsc;
use tulbur_core::{AccountName, OperationRef, OrderRef, Timestamp};

use super::batch::commit_batch;
use super::dialect::{self, TheStore, store_error};
use super::due;
use super::known::{Sought, known};
use super::rows::{
    card_of, count, delivery_of, inbox_of, key_of, operation_of, order_of, payment_of, read_bodies,
    read_body, storable, time,
};
use super::write::insert_inbox;
use crate::error::StoreError;
use crate::event::{AttentionItem, Event, HistoryEntry};
use crate::operation::{IdempotencyKey, KeyRecord, OperationRecord};
use crate::record::{
    Card, CardId, CardRecord, CustomerRef, EventId, Order, OrderRecord, PaymentId, PaymentRecord, Status,
};
use crate::store::{
    Changes, ClaimedEvent, EventDelivery, Find, InboxEntry, Known, PaymentFilter, Settle, Store, StoreStats,
    Wake,
};

impl TheStore {
    async fn with_payments(&self, record: OrderRecord) -> Result<Order, StoreError> {
        let payments = sqlx::query(
            "SELECT version, ask_at, body FROM tulbur_payments WHERE order_ref = $1 ORDER BY created_at, id",
        )
        .bind(record.order.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        let payments = payments.iter().map(payment_of).collect::<Result<_, _>>()?;
        Ok(Order { record, payments })
    }
}

#[async_trait]
impl Store for TheStore {
    async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        let writer = self.writer.clone();
        let together = move |batch: Vec<Changes>| {
            let writer = writer.clone();
            async move {
                crate::observe::batch(batch.len());
                commit_batch(&writer, batch).await
            }
        };
        self.group.join(changes, together).await
    }

    async fn order(&self, order: &OrderRef) -> Result<Option<Order>, StoreError> {
        match self.order_record(order).await? {
            Some(record) => self.with_payments(record).await.map(Some),
            None => Ok(None),
        }
    }

    async fn order_record(&self, order: &OrderRef) -> Result<Option<OrderRecord>, StoreError> {
        let row = sqlx::query("SELECT version, body FROM tulbur_orders WHERE order_ref = $1")
            .bind(order.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        row.as_ref().map(order_of).transpose()
    }

    async fn orders(&self, limit: u32) -> Result<Vec<Order>, StoreError> {
        let rows = sqlx::query(
            "SELECT version, body FROM tulbur_orders ORDER BY created_at DESC, order_ref DESC LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        let mut orders = Vec::with_capacity(rows.len());
        for row in &rows {
            orders.push(self.with_payments(order_of(row)?).await?);
        }
        Ok(orders)
    }

    async fn payment(&self, find: Find<'_>) -> Result<Option<PaymentRecord>, StoreError> {
        let query = match find {
            Find::Id(id) => {
                sqlx::query("SELECT version, ask_at, body FROM tulbur_payments WHERE id = $1")
                    .bind(id.as_str())
            }
            Find::MerchantRef(account, reference) => sqlx::query(
                "SELECT version, ask_at, body FROM tulbur_payments WHERE account = $1 AND merchant_ref = $2",
            )
            .bind(account.as_str())
            .bind(reference.as_str()),
            Find::ProviderRef(account, reference) => sqlx::query(
                "SELECT version, ask_at, body FROM tulbur_payments WHERE account = $1 AND provider_ref = $2 LIMIT 1",
            )
            .bind(account.as_str())
            .bind(reference.as_str()),
            Find::SecretHash(hash) => {
                sqlx::query("SELECT version, ask_at, body FROM tulbur_payments WHERE secret_hash = $1").bind(hash)
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
    ) -> Result<Vec<PaymentId>, StoreError> {
        due::take_due(&self.pool, &self.writer, now, lease, limit).await
    }

    async fn put_off(&self, payment: &PaymentRecord, until: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE tulbur_payments SET ask_at = $1 WHERE id = $2 AND version = $3 AND ask_at IS NOT NULL",
        )
        .bind(until.as_millis())
        .bind(payment.id.as_str())
        .bind(payment.version)
        .execute(&self.writer)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn payments(&self, filter: &PaymentFilter) -> Result<Vec<PaymentRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT version, ask_at, body FROM tulbur_payments WHERE ($1 IS NULL OR account = $1) \
             AND ($2 IS NULL OR status = $2) AND ($3 IS NULL OR operation = $3) \
             AND ($4 IS NULL OR paid_at >= $4) AND ($5 IS NULL OR paid_at < $5) AND ($6 IS NULL OR (created_at, id) < \
             (SELECT created_at, id FROM tulbur_payments WHERE id = $6)) \
             ORDER BY created_at DESC, id DESC LIMIT $7",
        )
        .bind(filter.account.as_ref().map(|account| account.as_str().to_owned()))
        .bind(filter.status.map(Status::as_str))
        .bind(filter.operation.map(tulbur_core::OperationState::as_str))
        .bind(filter.paid_from.map(Timestamp::as_millis))
        .bind(filter.paid_before.map(Timestamp::as_millis))
        .bind(filter.after.as_ref().map(|id| id.as_str().to_owned()))
        .bind(i64::from(filter.limit))
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        rows.iter().map(payment_of).collect()
    }

    async fn operations(&self, payment: &PaymentId) -> Result<Vec<OperationRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT version, lease_until, body FROM tulbur_operations WHERE payment = $1 \
             ORDER BY created_at, operation_ref",
        )
        .bind(payment.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        rows.iter().map(operation_of).collect()
    }

    async fn operation(&self, operation: &OperationRef) -> Result<Option<OperationRecord>, StoreError> {
        let row =
            sqlx::query("SELECT version, lease_until, body FROM tulbur_operations WHERE operation_ref = $1")
                .bind(operation.as_str())
                .fetch_optional(&self.pool)
                .await
                .map_err(store_error)?;
        row.as_ref().map(operation_of).transpose()
    }

    async fn take_operations(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<OperationRecord>, StoreError> {
        let rows = sqlx::query(dialect::TAKE_OPERATIONS)
            .bind(lease.as_millis())
            .bind(now.as_millis())
            .bind(i64::from(limit))
            .fetch_all(&self.writer)
            .await
            .map_err(store_error)?;
        rows.iter().map(operation_of).collect()
    }

    async fn unknown_operations(&self, limit: u32) -> Result<Vec<OperationRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT version, lease_until, body FROM tulbur_operations WHERE state = 'unknown' \
             ORDER BY created_at, operation_ref LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        rows.iter().map(operation_of).collect()
    }

    async fn named(&self, name: &str, limit: u32) -> Result<Vec<PaymentRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT version, ask_at, body FROM tulbur_payments WHERE id = $1 OR merchant_ref = $1 OR provider_ref = $1 \
             ORDER BY created_at, id LIMIT $2",
        )
        .bind(storable(name))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        rows.iter().map(payment_of).collect()
    }

    async fn key(&self, key: &IdempotencyKey) -> Result<Option<KeyRecord>, StoreError> {
        let row = sqlx::query("SELECT key, content, subject, at FROM tulbur_keys WHERE key = $1")
            .bind(key.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        row.as_ref().map(key_of).transpose()
    }

    async fn hurry(&self, now: Timestamp) -> Result<(), StoreError> {
        due::hurry(&self.writer, now).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        due::next_due(&self.pool).await
    }

    async fn take_events(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<ClaimedEvent>, StoreError> {
        let mut tx = dialect::begin(&self.writer).await?;
        let rows = sqlx::query(dialect::TAKE_EVENTS)
            .bind(lease.as_millis())
            .bind(now.as_millis())
            .bind(i64::from(limit))
            .fetch_all(&mut *tx)
            .await
            .map_err(store_error)?;
        let mut claimed = Vec::with_capacity(rows.len());
        for row in &rows {
            let event: Event = read_body(row)?;
            let done = sqlx::query("SELECT handler FROM tulbur_event_handlers WHERE event_id = $1")
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
        sqlx::query(
            "INSERT INTO tulbur_event_handlers (event_id, handler) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(event.as_str())
        .bind(handler)
        .execute(&self.writer)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn settle_event(&self, event: &EventId, settle: Settle) -> Result<(), StoreError> {
        let (state, due, late) = match settle {
            Settle::Done => ("done", None, 0_i64),
            Settle::Again(at) => ("pending", Some(at.as_millis()), 0),
            Settle::Late(at) => ("pending", Some(at.as_millis()), 1),
            Settle::Parked => ("parked", None, 0),
        };
        sqlx::query(
            "UPDATE tulbur_events SET state = $1, due_at = coalesce($2, due_at), \
             late = CASE WHEN $3 = 1 THEN 1 ELSE late END WHERE id = $4",
        )
        .bind(state)
        .bind(due)
        .bind(late)
        .bind(event.as_str())
        .execute(&self.writer)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn known(
        &self,
        account: &AccountName,
        payment: Find<'_>,
        repeat_key: &str,
    ) -> Result<Known, StoreError> {
        let sought = Sought::new(account, payment, repeat_key);
        let pool = self.pool.clone();
        let together = move |batch| {
            let pool = pool.clone();
            async move { known(&pool, batch).await }
        };
        self.readers.join(sought, together).await
    }

    async fn keep_refused(&self, entry: InboxEntry, keep: u32) -> Result<(), StoreError> {
        let mut tx = dialect::begin(&self.writer).await?;
        insert_inbox(&mut tx, &[&entry]).await?;
        sqlx::query(
            "DELETE FROM tulbur_inbox WHERE account = $1 AND verdict = 'refused' AND id NOT IN \
             (SELECT id FROM tulbur_inbox WHERE account = $1 AND verdict = 'refused' ORDER BY at DESC, id DESC LIMIT $2)",
        )
        .bind(entry.account.as_str())
        .bind(i64::from(keep))
        .execute(&mut *tx)
        .await
        .map_err(store_error)?;
        tx.commit().await.map_err(store_error)
    }

    async fn inbox(&self, limit: u32) -> Result<Vec<(InboxEntry, u32)>, StoreError> {
        let rows = sqlx::query("SELECT * FROM tulbur_inbox ORDER BY at DESC, id DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
        rows.iter().map(inbox_of).collect()
    }

    async fn inbox_entry(&self, id: &str) -> Result<Option<(InboxEntry, u32)>, StoreError> {
        let row = sqlx::query("SELECT * FROM tulbur_inbox WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        row.as_ref().map(inbox_of).transpose()
    }

    async fn parked_events(&self, limit: u32) -> Result<Vec<Event>, StoreError> {
        let rows = sqlx::query("SELECT body FROM tulbur_events WHERE state = 'parked' ORDER BY seq LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
        read_bodies(&rows)
    }

    async fn unpark_event(&self, event: &EventId, at: Timestamp) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE tulbur_events SET state = 'pending', attempts = 0, due_at = $1 WHERE id = $2 AND state = 'parked'",
        )
        .bind(at.as_millis())
        .bind(event.as_str())
        .execute(&self.writer)
        .await
        .map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn history(&self, order: &OrderRef) -> Result<Vec<HistoryEntry>, StoreError> {
        let rows = sqlx::query("SELECT body FROM tulbur_history WHERE order_ref = $1 ORDER BY seq")
            .bind(order.as_str())
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
        read_bodies(&rows)
    }

    async fn payment_history(&self, payment: &PaymentId) -> Result<Vec<HistoryEntry>, StoreError> {
        let rows = sqlx::query("SELECT body FROM tulbur_history WHERE payment = $1 ORDER BY seq")
            .bind(payment.as_str())
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
        read_bodies(&rows)
    }

    async fn events(&self, order: &OrderRef) -> Result<Vec<Event>, StoreError> {
        let rows = sqlx::query("SELECT body FROM tulbur_events WHERE order_ref = $1 ORDER BY seq")
            .bind(order.as_str())
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
        read_bodies(&rows)
    }

    async fn deliveries(
        &self,
        order: Option<&OrderRef>,
        payment: &PaymentId,
    ) -> Result<Vec<EventDelivery>, StoreError> {
        let query = match order {
            Some(order) => sqlx::query(
                "SELECT id, body, state, attempts, due_at FROM tulbur_events WHERE order_ref = $1 ORDER BY seq",
            )
            .bind(order.as_str()),
            None => sqlx::query(
                "SELECT id, body, state, attempts, due_at FROM tulbur_events WHERE order_ref IS NULL \
                 AND stream = $1 ORDER BY seq",
            )
            .bind(payment.as_str()),
        };
        let rows = query.fetch_all(&self.pool).await.map_err(store_error)?;
        let mut deliveries = Vec::with_capacity(rows.len());
        for row in &rows {
            let handled =
                sqlx::query("SELECT handler FROM tulbur_event_handlers WHERE event_id = $1 ORDER BY 1")
                    .bind(row.get::<&str, _>("id"))
                    .fetch_all(&self.pool)
                    .await
                    .map_err(store_error)?;
            deliveries.push(delivery_of(row, handled.iter().map(|row| row.get("handler")).collect())?);
        }
        Ok(deliveries)
    }

    async fn attention(&self) -> Result<Vec<AttentionItem>, StoreError> {
        let rows =
            sqlx::query("SELECT body FROM tulbur_attention WHERE resolved_at IS NULL ORDER BY at, key")
                .fetch_all(&self.pool)
                .await
                .map_err(store_error)?;
        read_bodies(&rows)
    }

    async fn resolve_attention(&self, key: &str, at: Timestamp) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE tulbur_attention SET resolved_at = $1 WHERE key = $2 AND resolved_at IS NULL",
        )
        .bind(at.as_millis())
        .bind(key)
        .execute(&self.writer)
        .await
        .map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn cards(&self, customer: &CustomerRef) -> Result<Vec<Card>, StoreError> {
        let rows = sqlx::query(
            "SELECT body FROM tulbur_cards WHERE customer = $1 ORDER BY created_at DESC, id DESC",
        )
        .bind(customer.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        read_bodies(&rows)
    }

    async fn card(&self, card: &CardId) -> Result<Option<CardRecord>, StoreError> {
        let row = sqlx::query("SELECT body, sealed_token FROM tulbur_cards WHERE id = $1")
            .bind(card.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        row.as_ref().map(card_of).transpose()
    }

    async fn sealed_cards(&self, after: Option<&CardId>, limit: u32) -> Result<Vec<CardRecord>, StoreError> {
        let rows =
            sqlx::query("SELECT body, sealed_token FROM tulbur_cards WHERE id > $1 ORDER BY id LIMIT $2")
                .bind(after.map_or("", CardId::as_str))
                .bind(i64::from(limit))
                .fetch_all(&self.pool)
                .await
                .map_err(store_error)?;
        rows.iter().map(card_of).collect()
    }

    async fn reseal_card(&self, card: &CardId, from: &str, to: &str) -> Result<bool, StoreError> {
        let done =
            sqlx::query("UPDATE tulbur_cards SET sealed_token = $1 WHERE id = $2 AND sealed_token = $3")
                .bind(to)
                .bind(card.as_str())
                .bind(from)
                .execute(&self.writer)
                .await
                .map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn sealed_inbox(&self, after: Option<&str>, limit: u32) -> Result<Vec<InboxEntry>, StoreError> {
        let rows = sqlx::query("SELECT * FROM tulbur_inbox WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(after.unwrap_or(""))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| inbox_of(row).map(|(entry, _)| entry)).collect()
    }

    async fn reseal_inbox(&self, id: &str, from: &str, to: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE tulbur_inbox SET sealed = $1 WHERE id = $2 AND sealed = $3")
            .bind(to)
            .bind(id)
            .bind(from)
            .execute(&self.writer)
            .await
            .map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn watched_accounts(&self) -> Result<Vec<AccountName>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT account FROM tulbur_payments WHERE ask_at IS NOT NULL UNION \
             SELECT DISTINCT payment.account FROM tulbur_operations AS operation JOIN tulbur_payments AS payment \
             ON payment.id = operation.payment WHERE operation.lease_until IS NOT NULL ORDER BY 1",
        )
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

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM tulbur_payments WHERE status IN ('pending', 'authorized')) AS open, \
             (SELECT min(created_at) FROM tulbur_payments WHERE status IN ('pending', 'authorized')) AS oldest_open, \
             (SELECT count(*) FROM tulbur_payments WHERE operation = 'unknown' AND status IN ('pending', 'authorized')) \
             + (SELECT count(*) FROM tulbur_operations WHERE state = 'unknown' AND kind <> 'cancel') AS unknown, \
             (SELECT count(*) FROM tulbur_events WHERE state = 'pending') AS events_pending, \
             (SELECT min(at) FROM tulbur_events WHERE state = 'pending') AS oldest_event, \
             (SELECT count(*) FROM tulbur_events WHERE state = 'parked') AS events_parked, \
             (SELECT count(*) FROM tulbur_attention WHERE resolved_at IS NULL) AS attention",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(store_error)?;
        Ok(StoreStats {
            open: count(&row, "open"),
            oldest_open: time(&row, "oldest_open"),
            unknown: count(&row, "unknown"),
            events_pending: count(&row, "events_pending"),
            oldest_event: time(&row, "oldest_event"),
            events_parked: count(&row, "events_parked"),
            attention: count(&row, "attention"),
        })
    }

    async fn wakes(&self) -> Result<Option<mpsc::Receiver<Wake>>, StoreError> {
        dialect::wakes(&self.pool).await
    }
}
