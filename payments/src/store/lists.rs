//! The lists of a store: what people look at, and its history.

use async_trait::async_trait;
use tulbur_core::{AccountName, OperationState, OrderRef, Timestamp};

use crate::error::StoreError;
use crate::model::event::{AttentionItem, Event, HistoryEntry};
use crate::model::operation::OperationRecord;
use crate::model::record::{Order, PaymentId, PaymentRecord, Status};

/// Which payments to list. The default is all of them.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PaymentFilter {
    /// Only of this account.
    pub account: Option<AccountName>,
    /// Only in this state.
    pub status: Option<Status>,
    /// Only whose opening is in this state.
    pub operation: Option<OperationState>,
    /// Only first known to be paid at or after this.
    pub paid_from: Option<Timestamp>,
    /// Only first known to be paid before this.
    pub paid_before: Option<Timestamp>,
    /// Only after this one in the list: for the next page.
    pub after: Option<PaymentId>,
    /// At most so many.
    pub limit: u32,
}

/// What a store holds, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStats {
    /// Payments that are open.
    pub open: u64,
    /// When the oldest open payment was opened.
    pub oldest_open: Option<Timestamp>,
    /// Payments and operations of which nobody knows whether they moved money.
    pub unknown: u64,
    /// Events that are told to nobody yet, because no handler was registered when they were committed.
    pub events_unheard: u64,
    /// Items on the list for a person.
    pub attention: u64,
}

/// Lists what people look at.
#[async_trait]
pub trait Lists: Send + Sync {
    /// The newest orders, newest first.
    async fn orders(&self, limit: u32) -> Result<Vec<Order>, StoreError>;

    /// Payments and card set-ups, newest first.
    async fn payments(&self, filter: &PaymentFilter) -> Result<Vec<PaymentRecord>, StoreError>;

    /// Payments and card set-ups that are called so, at whatever account: by our id, by our reference or by the
    /// provider's. For a person who has only a name; it may read the whole table.
    async fn named(&self, name: &str, limit: u32) -> Result<Vec<PaymentRecord>, StoreError>;

    /// Operations of which nobody knows whether they happened, oldest first.
    async fn unknown_operations(&self, limit: u32) -> Result<Vec<OperationRecord>, StoreError>;

    /// An order's history, oldest first.
    async fn history(&self, order: &OrderRef) -> Result<Vec<HistoryEntry>, StoreError>;

    /// One payment's or card set-up's history, oldest first.
    async fn payment_history(&self, payment: &PaymentId) -> Result<Vec<HistoryEntry>, StoreError>;

    /// All events of an order, oldest first.
    async fn events(&self, order: &OrderRef) -> Result<Vec<Event>, StoreError>;

    /// What waits for a person, oldest first.
    async fn attention(&self) -> Result<Vec<AttentionItem>, StoreError>;

    /// Resolves an item.
    async fn resolve_attention(&self, key: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// What the store holds, in numbers.
    async fn stats(&self) -> Result<StoreStats, StoreError>;
}
