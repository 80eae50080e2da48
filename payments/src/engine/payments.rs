//! Reads payments, orders, events and items for the application.

use tulbur_core::{AccountName, CustomerRef, OrderRef, Provider, ProviderInfo, Timestamp, Url};

use crate::engine::inner::{Payments, secret_hash};
use crate::engine::throttle::AccountState;
use crate::error::{Error, Result};
use crate::model::event::{AttentionItem, Event, History};
use crate::model::record::{Card, Order, PageSecret, PaymentId, PaymentRecord};
use crate::store::{Find, InboxEntry};

impl Payments {
    /// Where the web adapter is reached from outside; it ends with `/`.
    pub fn public_url(&self) -> &Url {
        &self.0.public_url
    }

    /// The time that counts: the database's, where its processes share one, or the machine's.
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// The configured accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountName> {
        self.0.accounts.keys()
    }

    /// What an account's provider is and can do.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such account.
    pub fn info(&self, account: &AccountName) -> Result<&ProviderInfo> {
        Ok(self.0.provider(account)?.info())
    }

    /// An account's provider as its own type, for what only that provider has.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such account, or it is of another type.
    pub fn provider<T: Provider>(&self, account: &AccountName) -> Result<&T> {
        let provider: &dyn std::any::Any = self.0.provider(account)?;
        provider
            .downcast_ref()
            .ok_or_else(|| Error::NotFound(format!("provider of this type behind account `{account}`")))
    }

    /// A payment or card set-up.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the database's.
    pub async fn payment(&self, id: &PaymentId) -> Result<PaymentRecord> {
        self.0.load(id).await
    }

    /// An order with its payments.
    ///
    /// # Errors
    /// The database's.
    pub async fn order(&self, order: &OrderRef) -> Result<Option<Order>> {
        Ok(self.0.store.order(order).await?)
    }

    /// The newest orders, newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn orders(&self, limit: u32) -> Result<Vec<Order>> {
        Ok(self.0.store.orders(limit).await?)
    }

    /// Everything that happened to an order, oldest first. It prints.
    ///
    /// # Errors
    /// The database's.
    pub async fn history(&self, order: &OrderRef) -> Result<History> {
        Ok(History(self.0.store.history(order).await?))
    }

    /// Everything that happened to one payment or card set-up, oldest first. It prints.
    ///
    /// # Errors
    /// The database's.
    pub async fn payment_history(&self, payment: &PaymentId) -> Result<History> {
        Ok(History(self.0.store.payment_history(payment).await?))
    }

    /// All events of an order, oldest first, delivered or not.
    ///
    /// # Errors
    /// The database's.
    pub async fn events(&self, order: &OrderRef) -> Result<Vec<Event>> {
        Ok(self.0.store.events(order).await?)
    }

    /// What waits for a person, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn attention(&self) -> Result<Vec<AttentionItem>> {
        Ok(self.0.store.attention().await?)
    }

    /// The newest deliveries, newest first: what became of each, and how often it came. What they said is sealed.
    ///
    /// # Errors
    /// The database's.
    pub async fn inbox(&self, limit: u32) -> Result<Vec<(InboxEntry, u32)>> {
        Ok(self.0.store.inbox(limit).await?)
    }

    /// A customer's saved cards, newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn cards(&self, customer: &CustomerRef) -> Result<Vec<Card>> {
        Ok(self.0.store.cards(customer).await?)
    }

    /// The payment or card set-up behind a payer's page.
    ///
    /// # Errors
    /// The database's.
    pub async fn page(&self, secret: &PageSecret) -> Result<Option<PaymentRecord>> {
        Ok(self.0.store.payment(Find::SecretHash(&secret_hash(secret))).await?)
    }

    /// The secret of a payment's pages. Give it to the payer only.
    ///
    /// # Errors
    /// [`Error::Sealed`] when the key that sealed it is not configured.
    pub fn page_secret(&self, record: &PaymentRecord) -> Result<PageSecret> {
        self.0.page_secret_of(record)
    }

    /// The address of a payment's checkout page.
    ///
    /// # Errors
    /// As [`Payments::page_secret`].
    pub fn checkout_url(&self, record: &PaymentRecord) -> Result<Url> {
        let secret = self.page_secret(record)?;
        Ok(self.0.url(&format!("checkout/{}", secret.expose())))
    }

    /// The address of a payment's result page.
    ///
    /// # Errors
    /// As [`Payments::page_secret`].
    pub fn result_url(&self, record: &PaymentRecord) -> Result<Url> {
        let secret = self.page_secret(record)?;
        Ok(self.0.url(&format!("checkout/{}/result", secret.expose())))
    }

    /// How this process gets on with each account: whether it is asked, and what failed last.
    pub fn accounts_state(&self) -> Vec<AccountState> {
        let (reading, now) = (self.0.clock.monotonic(), self.now());
        self.0.gates.iter().map(|(account, gate)| gate.state_of(account, reading, now)).collect()
    }
}
