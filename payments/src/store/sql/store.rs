//! The store in SQL that both databases understand; what they do not share is in each one's `dialect`.

use async_trait::async_trait;
use sqlx::Row as _;
use tokio::sync::mpsc;
use tulbur_core::{AccountName, CustomerRef, OperationRef, OrderRef, ProviderRef, Timestamp};

use super::super::TheStore;
use super::alone;
use super::batch::commit_batch;
use super::dialect::{self, store_error};
use super::due;
use super::known::{Sought, known};
use super::rows::{
    card_of, count, inbox_of, key_of, operation_of, order_of, payment_of, read_bodies, read_body, readable,
    skip, time,
};
use super::value::storable;
use crate::error::StoreError;
use crate::model::event::{AttentionItem, Event, HistoryEntry};
use crate::model::operation::{IdempotencyKey, KeyRecord, OperationRecord};
use crate::model::record::{Card, CardId, CardRecord, Order, OrderRecord, PaymentId, PaymentRecord, Status};
use crate::store::{
    Changes, DueWork, Find, Inbox, InboxEntry, Known, Lists, LongestWaits, PaymentFilter, Records,
    StoreClock, StoreStats, Unread, UnreadSince, Wake,
};

/// Reads payments: the rest of a statement.
macro_rules! payments {
    ($rest:literal) => {
        concat!("SELECT version, format, ask_at, lease_until, body FROM tulbur_payments ", $rest)
    };
}

/// Reads operations: the rest of a statement.
macro_rules! operations {
    ($rest:literal) => {
        concat!("SELECT version, format, lease_until, write_ends, body FROM tulbur_operations ", $rest)
    };
}

/// Reads orders: the rest of a statement.
macro_rules! orders {
    ($rest:literal) => {
        concat!("SELECT version, format, body FROM tulbur_orders ", $rest)
    };
}

impl TheStore {
    async fn with_payments(&self, record: OrderRecord) -> Result<Order, StoreError> {
        let payments = sqlx::query(payments!("WHERE order_ref = $1 ORDER BY created_at, id"))
            .bind(record.order.as_str())
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
        let payments = payments.iter().map(payment_of).collect::<Result<_, _>>()?;
        Ok(Order { record, payments })
    }
}

#[async_trait]
impl Records for TheStore {
    async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        let writer = self.writer.clone();
        let together = move |batch: Vec<Changes>| {
            let writer = writer.clone();
            async move {
                crate::metrics::batch(batch.len());
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
        let row = sqlx::query(orders!("WHERE order_ref = $1"))
            .bind(order.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        row.as_ref().map(order_of).transpose()
    }

    async fn payment(&self, find: Find<'_>) -> Result<Option<PaymentRecord>, StoreError> {
        let query = match find {
            Find::Id(id) => sqlx::query(payments!("WHERE id = $1")).bind(id.as_str()),
            Find::MerchantRef(account, reference) => {
                sqlx::query(payments!("WHERE account = $1 AND merchant_ref = $2"))
                    .bind(account.as_str())
                    .bind(reference.as_str())
            }
            Find::ProviderRef(account, reference) => {
                sqlx::query(payments!("WHERE account = $1 AND provider_ref = $2 LIMIT 1"))
                    .bind(account.as_str())
                    .bind(reference.as_str())
            }
            Find::SecretHash(hash) => sqlx::query(payments!("WHERE secret_hash = $1")).bind(hash),
        };
        let row = query.fetch_optional(&self.pool).await.map_err(store_error)?;
        row.as_ref().map(payment_of).transpose()
    }

    async fn operations(&self, payment: &PaymentId) -> Result<Vec<OperationRecord>, StoreError> {
        let rows = sqlx::query(operations!(
            "WHERE payment = $1 \
             ORDER BY created_at, operation_ref"
        ))
        .bind(payment.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        rows.iter().map(operation_of).collect()
    }

    async fn operation(&self, operation: &OperationRef) -> Result<Option<OperationRecord>, StoreError> {
        let row = sqlx::query(operations!("WHERE operation_ref = $1"))
            .bind(operation.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        row.as_ref().map(operation_of).transpose()
    }

    async fn key(&self, key: &IdempotencyKey) -> Result<Option<KeyRecord>, StoreError> {
        let row = sqlx::query("SELECT key, content, subject, at FROM tulbur_keys WHERE key = $1")
            .bind(key.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        row.as_ref().map(key_of).transpose()
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
        let statement =
            sqlx::query("UPDATE tulbur_cards SET sealed_token = $1 WHERE id = $2 AND sealed_token = $3")
                .bind(to)
                .bind(card.as_str())
                .bind(from);
        let done = alone::execute(&self.writer, statement).await?;
        Ok(done == 1)
    }
}

#[async_trait]
impl DueWork for TheStore {
    async fn take_due(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<PaymentId>, StoreError> {
        due::take_due(&self.pool, &self.writer, now, lease, limit).await
    }

    async fn put_off(&self, payment: &PaymentRecord, until: Timestamp) -> Result<(), StoreError> {
        let statement = sqlx::query(
            "UPDATE tulbur_payments SET ask_at = $1 WHERE id = $2 AND version = $3 AND ask_at IS NOT NULL",
        )
        .bind(until.as_millis())
        .bind(payment.id.as_str())
        .bind(payment.version);
        alone::execute(&self.writer, statement).await?;
        Ok(())
    }

    async fn put_off_unread(
        &self,
        what: Unread<'_>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<UnreadSince>, StoreError> {
        let statement = match what {
            Unread::Payment(id) => sqlx::query(
                "UPDATE tulbur_payments SET ask_at = $1, unread_since = coalesce(unread_since, $2) WHERE id = $3 \
                 AND ask_at IS NOT NULL RETURNING unread_since, id AS payment",
            )
            .bind(until.as_millis())
            .bind(now.as_millis())
            .bind(id.as_str()),
            Unread::Operation(operation) => sqlx::query(
                "UPDATE tulbur_operations SET lease_until = $1, unread_since = coalesce(unread_since, $2) \
                 WHERE operation_ref = $3 AND lease_until IS NOT NULL RETURNING unread_since, payment",
            )
            .bind(until.as_millis())
            .bind(now.as_millis())
            .bind(operation.as_str()),
        };
        let moved = alone::fetch_all(&self.writer, statement).await?;
        let Some(moved) = moved.first() else { return Ok(None) };
        let payment: String = moved.get("payment");
        let row = sqlx::query("SELECT account, order_ref FROM tulbur_payments WHERE id = $1")
            .bind(&payment)
            .fetch_one(&self.pool)
            .await
            .map_err(store_error)?;
        let unreadable =
            |_| StoreError::Unreadable(format!("the columns of payment `{payment}` are damaged"));
        Ok(Some(UnreadSince {
            since: time(moved, "unread_since").unwrap_or(now),
            account: AccountName::parse(row.get::<String, _>("account")).map_err(unreadable)?,
            order: row
                .get::<Option<String>, _>("order_ref")
                .map(OrderRef::parse)
                .transpose()
                .map_err(unreadable)?,
            payment: PaymentId::from_text(payment.clone()),
        }))
    }

    async fn take_operations(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<OperationRef>, StoreError> {
        let statement = sqlx::query(dialect::TAKE_OPERATIONS)
            .bind(lease.as_millis())
            .bind(now.as_millis())
            .bind(i64::from(limit));
        let rows = alone::fetch_all(&self.writer, statement).await?;
        rows.iter()
            .map(|row| {
                OperationRef::parse(row.get::<String, _>("operation_ref"))
                    .map_err(|e| StoreError::Unreadable(e.to_string()))
            })
            .collect()
    }

    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        match self.clock {
            StoreClock::Database => dialect::time(&self.pool).await,
            StoreClock::Process => Ok(None),
        }
    }

    async fn clamp_times(&self, now: Timestamp, longest: &LongestWaits) -> Result<u64, StoreError> {
        due::clamp_times(&self.pool, &self.writer, now, longest).await
    }

    async fn make_all_due(&self, now: Timestamp) -> Result<(), StoreError> {
        due::make_all_due(&self.writer, now).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        due::next_due(&self.pool).await
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

    async fn wakes(&self) -> Result<Option<mpsc::Receiver<Wake>>, StoreError> {
        dialect::wakes(&self.pool).await
    }
}

#[async_trait]
impl Inbox for TheStore {
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

    async fn kept_for(
        &self,
        account: &AccountName,
        provider_ref: &ProviderRef,
    ) -> Result<Vec<InboxEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM tulbur_inbox WHERE account = $1 AND provider_ref = $2 AND due_at IS NOT NULL \
             ORDER BY at, id LIMIT 100",
        )
        .bind(account.as_str())
        .bind(provider_ref.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        rows.iter().map(|row| inbox_of(row).map(|(entry, _)| entry)).collect()
    }

    async fn take_kept(
        &self,
        now: Timestamp,
        again: Timestamp,
        limit: u32,
    ) -> Result<Vec<InboxEntry>, StoreError> {
        // Most of the time nothing waits, and a look writes nothing and waits for nobody.
        let due = sqlx::query("SELECT 1 FROM tulbur_inbox WHERE due_at <= $1 ORDER BY due_at LIMIT 1")
            .bind(now.as_millis())
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        if due.is_none() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(dialect::TAKE_KEPT)
            .bind(again.as_millis())
            .bind(now.as_millis())
            .bind(i64::from(limit))
            .fetch_all(&self.writer)
            .await
            .map_err(store_error)?;
        let mut entries: Vec<InboxEntry> =
            readable(&rows, inbox_of).into_iter().map(|(entry, _)| entry).collect();
        entries.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok(entries)
    }

    async fn inbox(&self, limit: u32) -> Result<Vec<(InboxEntry, u32)>, StoreError> {
        let rows = sqlx::query("SELECT * FROM tulbur_inbox ORDER BY at DESC, id DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(readable(&rows, inbox_of))
    }

    async fn inbox_entry(&self, id: &str) -> Result<Option<(InboxEntry, u32)>, StoreError> {
        let row = sqlx::query("SELECT * FROM tulbur_inbox WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        row.as_ref().map(inbox_of).transpose()
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
        let statement = sqlx::query("UPDATE tulbur_inbox SET sealed = $1 WHERE id = $2 AND sealed = $3")
            .bind(to)
            .bind(id)
            .bind(from);
        let done = alone::execute(&self.writer, statement).await?;
        Ok(done == 1)
    }
}

#[async_trait]
impl Lists for TheStore {
    async fn orders(&self, limit: u32) -> Result<Vec<Order>, StoreError> {
        let rows = sqlx::query(orders!("ORDER BY created_at DESC, order_ref DESC LIMIT $1"))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
        let mut orders = Vec::with_capacity(rows.len());
        for record in readable(&rows, order_of) {
            match self.with_payments(record).await {
                Err(StoreError::Unreadable(why)) => skip(&why),
                order => orders.push(order?),
            }
        }
        Ok(orders)
    }

    async fn payments(&self, filter: &PaymentFilter) -> Result<Vec<PaymentRecord>, StoreError> {
        let rows = sqlx::query(
            payments!("WHERE ($1 IS NULL OR account = $1) \
             AND ($2 IS NULL OR status = $2) AND ($3 IS NULL OR operation = $3) \
             AND ($4 IS NULL OR paid_at >= $4) AND ($5 IS NULL OR paid_at < $5) AND ($6 IS NULL OR (created_at, id) < \
             (SELECT created_at, id FROM tulbur_payments WHERE id = $6)) \
             ORDER BY created_at DESC, id DESC LIMIT $7"),
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
        Ok(readable(&rows, payment_of))
    }

    async fn unknown_operations(&self, limit: u32) -> Result<Vec<OperationRecord>, StoreError> {
        let rows = sqlx::query(operations!(
            "WHERE state = 'unknown' \
             ORDER BY created_at, operation_ref LIMIT $1"
        ))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        Ok(readable(&rows, operation_of))
    }

    async fn named(&self, name: &str, limit: u32) -> Result<Vec<PaymentRecord>, StoreError> {
        let rows = sqlx::query(payments!(
            "WHERE id = $1 OR merchant_ref = $1 OR provider_ref = $1 \
             ORDER BY created_at, id LIMIT $2"
        ))
        .bind(storable(name))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        rows.iter().map(payment_of).collect()
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

    async fn attention(&self) -> Result<Vec<AttentionItem>, StoreError> {
        let rows =
            sqlx::query("SELECT body FROM tulbur_attention WHERE resolved_at IS NULL ORDER BY at, key")
                .fetch_all(&self.pool)
                .await
                .map_err(store_error)?;
        Ok(readable(&rows, read_body))
    }

    async fn resolve_attention(&self, key: &str, at: Timestamp) -> Result<bool, StoreError> {
        let statement = sqlx::query(
            "UPDATE tulbur_attention SET resolved_at = $1 WHERE key = $2 AND resolved_at IS NULL",
        )
        .bind(at.as_millis())
        .bind(key);
        let done = alone::execute(&self.writer, statement).await?;
        Ok(done == 1)
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM tulbur_payments WHERE status IN ('pending', 'authorized')) AS open, \
             (SELECT min(created_at) FROM tulbur_payments WHERE status IN ('pending', 'authorized')) AS oldest_open, \
             (SELECT count(*) FROM tulbur_payments WHERE operation = 'unknown' AND status IN ('pending', 'authorized')) \
             + (SELECT count(*) FROM tulbur_operations WHERE state = 'unknown' AND kind <> 'cancel') AS unknown, \
             (SELECT count(*) FROM tulbur_deliveries WHERE handler = '') AS events_unheard, \
             (SELECT count(*) FROM tulbur_attention WHERE resolved_at IS NULL) AS attention",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(store_error)?;
        Ok(StoreStats {
            open: count(&row, "open"),
            oldest_open: time(&row, "oldest_open"),
            unknown: count(&row, "unknown"),
            events_unheard: count(&row, "events_unheard"),
            attention: count(&row, "attention"),
        })
    }
}
