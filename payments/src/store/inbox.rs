//! The inbox of a store: notifications and returns, as they arrived.

use async_trait::async_trait;
use tulbur_core::{AccountName, ProviderRef, Timestamp};

use crate::error::StoreError;
use crate::model::changes::InboxEntry;
use crate::model::record::{OrderRecord, PaymentRecord};
use crate::store::records::Find;

/// What is stored about a delivery.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The payment or card set-up that it is about.
    pub payment: Option<PaymentRecord>,
    /// That payment's order.
    pub order: Option<OrderRecord>,
    /// The first delivery of the same event that was about a payment of ours.
    pub earlier: Option<InboxEntry>,
}

/// Keeps what arrived: notifications and returns.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// What is stored about a delivery that names this payment, and this event of the account: one read, because every
    /// notification needs it.
    async fn known(
        &self,
        account: &AccountName,
        payment: Find<'_>,
        repeat_key: &str,
    ) -> Result<Known, StoreError>;

    /// Waiting deliveries of an account that name this reference of the provider's, oldest first.
    async fn kept_for(
        &self,
        account: &AccountName,
        provider_ref: &ProviderRef,
    ) -> Result<Vec<InboxEntry>, StoreError>;

    /// Waiting deliveries that are due, the soonest ones, oldest first; each is due again at `again`.
    async fn take_kept(
        &self,
        now: Timestamp,
        again: Timestamp,
        limit: u32,
    ) -> Result<Vec<InboxEntry>, StoreError>;

    /// The newest deliveries, newest first, each with how often it came.
    async fn inbox(&self, limit: u32) -> Result<Vec<(InboxEntry, u32)>, StoreError>;

    /// One delivery, and how often it came.
    async fn inbox_entry(&self, id: &str) -> Result<Option<(InboxEntry, u32)>, StoreError>;

    /// Deliveries in the order of their ids, after this one: for sealing them anew.
    async fn sealed_inbox(&self, after: Option<&str>, limit: u32) -> Result<Vec<InboxEntry>, StoreError>;

    /// Puts another sealing of the same delivery in place of this one; whether it was still this one.
    async fn reseal_inbox(&self, id: &str, from: &str, to: &str) -> Result<bool, StoreError>;
}
