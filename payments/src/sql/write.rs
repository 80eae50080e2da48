//! The statements of a commit, one record at a time.

use tulbur_core::{OrderRef, ProviderRef, Timestamp};

use super::dialect::{Connection, storable, store_error};
use super::rows::{channel_word, json};
use crate::error::StoreError;
use crate::event::{AttentionItem, Event, HistoryEntry};
use crate::operation::{KeyRecord, OperationRecord};
use crate::record::{CardRecord, OrderRecord, PaymentId, PaymentRecord};
use crate::store::{Changes, InboxEntry};

/// Writes everything, or fails where something is not as it was when it was decided.
pub(super) async fn write_changes(tx: &mut Connection, changes: &Changes) -> Result<(), StoreError> {
    for order in &changes.orders {
        write_order(tx, order).await?;
    }
    for payment in &changes.payments {
        write_payment(tx, payment).await?;
    }
    for operation in &changes.operations {
        write_operation(tx, operation).await?;
    }
    for key in &changes.keys {
        write_key(tx, key).await?;
    }
    for card in &changes.cards {
        write_card(tx, card).await?;
    }
    for event in &changes.events {
        write_event(tx, event).await?;
    }
    for entry in &changes.history {
        write_history(tx, entry).await?;
    }
    for (item, event) in &changes.attention {
        if write_attention(tx, item).await? {
            write_event(tx, event).await?;
        }
    }
    for (key, at) in &changes.struck {
        strike_attention(tx, key, *at).await?;
    }
    for entry in &changes.inbox {
        write_inbox(tx, entry).await?;
    }
    Ok(())
}

fn expect_one(rows: u64) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

async fn write_order(tx: &mut Connection, order: &OrderRecord) -> Result<(), StoreError> {
    let statement = if order.version == 0 {
        "INSERT INTO tulbur_orders (body, paid_by, created_at, version, order_ref) VALUES ($1, $2, $3, $4 + 1, $5)"
    } else {
        "UPDATE tulbur_orders SET body = $1, paid_by = $2, created_at = $3, version = version + 1 \
         WHERE version = $4 AND order_ref = $5"
    };
    let done = sqlx::query(statement)
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

async fn write_payment(tx: &mut Connection, payment: &PaymentRecord) -> Result<(), StoreError> {
    let statement = if payment.version == 0 {
        "INSERT INTO tulbur_payments (body, order_ref, account, merchant_ref, provider_ref, secret_hash, status, \
         operation, ask_at, created_at, paid_at, version, id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 + 1, $13)"
    } else {
        "UPDATE tulbur_payments SET body = $1, order_ref = $2, account = $3, merchant_ref = $4, provider_ref = $5, \
         secret_hash = $6, status = $7, operation = $8, ask_at = $9, created_at = $10, paid_at = $11, \
         version = version + 1 WHERE version = $12 AND id = $13"
    };
    let done = sqlx::query(statement)
        .bind(json(payment)?)
        .bind(payment.order().map(OrderRef::as_str))
        .bind(payment.account.as_str())
        .bind(payment.reference.merchant_ref.as_str())
        .bind(payment.reference.provider_ref.as_ref().map(ProviderRef::as_str))
        .bind(&payment.secret_hash)
        .bind(payment.status.as_str())
        .bind(payment.operation.as_str())
        .bind(payment.ask_at.map(Timestamp::as_millis))
        .bind(payment.created_at.as_millis())
        .bind(payment.paid_at.map(Timestamp::as_millis))
        .bind(payment.version)
        .bind(payment.id.as_str())
        .execute(tx)
        .await
        .map_err(store_error)?;
    expect_one(done.rows_affected())
}

async fn write_operation(tx: &mut Connection, operation: &OperationRecord) -> Result<(), StoreError> {
    let statement = if operation.version == 0 {
        "INSERT INTO tulbur_operations (body, payment, state, lease_until, created_at, version, operation_ref) \
         VALUES ($1, $2, $3, $4, $5, $6 + 1, $7)"
    } else {
        "UPDATE tulbur_operations SET body = $1, payment = $2, state = $3, lease_until = $4, created_at = $5, \
         version = version + 1 WHERE version = $6 AND operation_ref = $7"
    };
    let done = sqlx::query(statement)
        .bind(json(operation)?)
        .bind(operation.payment.as_str())
        .bind(operation.state.as_str())
        .bind(operation.lease_until.map(Timestamp::as_millis))
        .bind(operation.created_at.as_millis())
        .bind(operation.version)
        .bind(operation.operation_ref.as_str())
        .execute(tx)
        .await
        .map_err(store_error)?;
    expect_one(done.rows_affected())
}

async fn write_key(tx: &mut Connection, key: &KeyRecord) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO tulbur_keys (key, content, subject, at) VALUES ($1, $2, $3, $4)")
        .bind(key.key.as_str())
        .bind(&key.content)
        .bind(json(&key.subject)?)
        .bind(key.at.as_millis())
        .execute(tx)
        .await
        .map_err(store_error)?;
    Ok(())
}

async fn write_card(tx: &mut Connection, card: &CardRecord) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tulbur_cards (id, customer, created_at, body, sealed_token) VALUES ($1, $2, $3, $4, $5)",
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

async fn write_event(tx: &mut Connection, event: &Event) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tulbur_events (id, stream, order_ref, kind, at, body, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(event.id.as_str())
    .bind(event.stream())
    .bind(event.order.as_ref().map(OrderRef::as_str))
    .bind(event.kind.name())
    .bind(event.at.as_millis())
    .bind(json(event)?)
    .bind(event.at.as_millis())
    .execute(tx)
    .await
    .map_err(store_error)?;
    Ok(())
}

async fn write_history(tx: &mut Connection, entry: &HistoryEntry) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO tulbur_history (order_ref, payment, at, body) VALUES ($1, $2, $3, $4)")
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
async fn write_attention(tx: &mut Connection, item: &AttentionItem) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO tulbur_attention (key, at, body) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING",
    )
    .bind(&item.key)
    .bind(item.at.as_millis())
    .bind(json(item)?)
    .execute(tx)
    .await
    .map_err(store_error)?;
    Ok(done.rows_affected() == 1)
}

async fn strike_attention(tx: &mut Connection, key: &str, at: Timestamp) -> Result<(), StoreError> {
    sqlx::query("UPDATE tulbur_attention SET resolved_at = $1 WHERE key = $2 AND resolved_at IS NULL")
        .bind(at.as_millis())
        .bind(key)
        .execute(tx)
        .await
        .map_err(store_error)?;
    Ok(())
}

pub(super) async fn write_inbox(tx: &mut Connection, entry: &InboxEntry) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tulbur_inbox (id, account, channel, at, repeat_key, meaning, verdict, note, payment, sealed) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (account, repeat_key, meaning) DO UPDATE SET times = tulbur_inbox.times + 1",
    )
    .bind(&entry.id)
    .bind(entry.account.as_str())
    .bind(channel_word(entry.channel))
    .bind(entry.at.as_millis())
    .bind(storable(&entry.repeat_key))
    .bind(storable(&entry.meaning))
    .bind(entry.verdict.as_str())
    .bind(storable(&entry.note))
    .bind(entry.payment.as_ref().map(PaymentId::as_str))
    .bind(&entry.sealed)
    .execute(tx)
    .await
    .map_err(store_error)?;
    Ok(())
}
