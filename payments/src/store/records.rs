//! The records of a store: payments and their orders, operations, keys and cards.

use async_trait::async_trait;
use tulbur_core::{AccountName, CustomerRef, MerchantRef, OperationRef, OrderRef, ProviderRef};

use crate::error::StoreError;
use crate::model::changes::Changes;
use crate::model::operation::{IdempotencyKey, KeyRecord, OperationRecord};
use crate::model::record::{Card, CardId, CardRecord, Order, OrderRecord, PaymentId, PaymentRecord};

/// By what a payment is looked for.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Find<'a> {
    /// Our id.
    Id(&'a PaymentId),
    /// Our reference at an account.
    MerchantRef(&'a AccountName, &'a MerchantRef),
    /// The provider's reference at an account. Two payments never have the same.
    ProviderRef(&'a AccountName, &'a ProviderRef),
    /// The hash of a page's secret.
    SecretHash(&'a str),
}

/// Keeps payments, orders, operations, keys and cards. All of a [`Changes`] is on disk when [`Records::commit`] returns.
#[async_trait]
pub trait Records: Send + Sync {
    /// Commits everything or nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a version is not the stored one any more, something new exists already, or another
    /// payment of the account has the same reference of the provider's.
    async fn commit(&self, changes: Changes) -> Result<(), StoreError>;

    /// An order with its payments, oldest first.
    async fn order(&self, order: &OrderRef) -> Result<Option<Order>, StoreError>;

    /// An order without its payments.
    async fn order_record(&self, order: &OrderRef) -> Result<Option<OrderRecord>, StoreError> {
        Ok(self.order(order).await?.map(|order| order.record))
    }

    /// One payment or card set-up.
    async fn payment(&self, find: Find<'_>) -> Result<Option<PaymentRecord>, StoreError>;

    /// A payment's operations, oldest first.
    async fn operations(&self, payment: &PaymentId) -> Result<Vec<OperationRecord>, StoreError>;

    /// One operation.
    async fn operation(&self, operation: &OperationRef) -> Result<Option<OperationRecord>, StoreError>;

    /// What a key was first used for.
    async fn key(&self, key: &IdempotencyKey) -> Result<Option<KeyRecord>, StoreError>;

    /// A customer's cards, newest first.
    async fn cards(&self, customer: &CustomerRef) -> Result<Vec<Card>, StoreError>;

    /// A card with its sealed token.
    async fn card(&self, card: &CardId) -> Result<Option<CardRecord>, StoreError>;

    /// Cards with their sealed tokens in the order of their ids, after this one: for sealing them anew.
    async fn sealed_cards(&self, after: Option<&CardId>, limit: u32) -> Result<Vec<CardRecord>, StoreError>;

    /// Puts another sealing of the same token in place of this one; whether it was still this one.
    async fn reseal_card(&self, card: &CardId, from: &str, to: &str) -> Result<bool, StoreError>;
}
