//! The store: what a database must do for [`Payments`](crate::Payments).
//!
//! Decisions are made outside, on what was read; a [`Changes`] names the versions that it was decided on and is
//! committed whole, or not at all with [`StoreError::Conflict`]. So a store has no logic of its own.

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) mod group;
pub(crate) mod memory;
mod outbox;
#[cfg(feature = "postgres")]
pub mod postgres;
pub(crate) mod seal;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tulbur_core::{AccountName, MerchantRef, OperationRef, OperationState, OrderRef, ProviderRef, Timestamp};

use crate::error::StoreError;
pub use crate::model::changes::{Changes, InboxEntry, Verdict};
use crate::model::event::{AttentionItem, Event, HistoryEntry};
use crate::model::operation::{IdempotencyKey, KeyRecord, OperationRecord};
use crate::model::record::{
    Card, CardId, CardRecord, CustomerRef, Order, OrderRecord, PaymentId, PaymentRecord, Status,
};

pub use crate::model::schedule::LongestWaits;
pub use outbox::{
    Claim, ClaimedDelivery, DeliveryState, EVENT_FORMAT, EventDelivery, HandlerDelivery, HandlerSpec, Outbox,
    ParkedDelivery, RegisteredHandler, Settle, StoredEvent,
};

/// How a store uses its database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreSettings {
    /// At most so many connections; `None` is the store's own default: 4 readers and a writer on SQLite, 10 on
    /// PostgreSQL. PostgreSQL has one more, for listening.
    pub connections: Option<u32>,
    /// How many commits that arrive at once are put into one transaction. 1 gives each its own.
    pub commits_together: usize,
    /// How long a call waits for a free connection.
    pub wait: Duration,
    /// Whose clock says when leases end and things are due.
    pub clock: StoreClock,
    /// How long PostgreSQL lets a process stand still inside a transaction. Then it undoes the transaction, and others
    /// get what it held. SQLite has no such limit.
    pub idle_in_transaction: Duration,
    /// How long PostgreSQL lets a statement wait for what another transaction holds: longer than the limit above, so that
    /// it gets it, and shorter than any lease.
    pub lock_wait: Duration,
}

/// Whose clock says when leases end and things are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StoreClock {
    /// The database's, where it has one that all its processes share, as PostgreSQL has; else the process's.
    #[default]
    Database,
    /// Each process's own. For tests that move the time.
    Process,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            connections: None,
            commits_together: 128,
            wait: Duration::from_secs(5),
            clock: StoreClock::default(),
            idle_in_transaction: Duration::from_secs(5),
            lock_wait: Duration::from_secs(15),
        }
    }
}

impl StoreSettings {
    /// With at most so many connections.
    #[must_use]
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = Some(connections.max(1));
        self
    }

    /// With at most so many commits in one transaction.
    #[must_use]
    pub fn commits_together(mut self, commits: usize) -> Self {
        self.commits_together = commits.max(1);
        self
    }

    /// With another time to wait for a free connection.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// With another limit of standing still inside a transaction.
    #[must_use]
    pub fn idle_in_transaction(mut self, limit: Duration) -> Self {
        self.idle_in_transaction = limit;
        self
    }

    /// With another limit of waiting for what another transaction holds.
    #[must_use]
    pub fn lock_wait(mut self, limit: Duration) -> Self {
        self.lock_wait = limit;
        self
    }

    /// With another clock.
    #[must_use]
    pub fn clock(mut self, clock: StoreClock) -> Self {
        self.clock = clock;
        self
    }
}

impl Order {
    /// An order with its payments, oldest first, as a store reads them.
    pub fn new(record: OrderRecord, payments: Vec<PaymentRecord>) -> Self {
        Self { record, payments }
    }
}

/// Opens a store by its address, with the settings that stores have by themselves.
///
/// | address | store |
/// |---|---|
/// | `sqlite:shop.db`, `sqlite:///var/lib/shop/shop.db` | `SqliteStore`, with the feature `sqlite` |
/// | `postgres://user:password@host:5432/shop`, `postgresql://…` | `PostgresStore`, with the feature `postgres` |
/// | `memory:` | [`MemoryStore`](crate::MemoryStore), which keeps nothing |
///
/// # Errors
/// [`StoreError::Unavailable`] for an address of another form, and for a database whose feature is off; and what
/// opening it can fail with. No error repeats the address, which may hold a password.
pub async fn open_store(address: &str) -> Result<Arc<dyn Store>, StoreError> {
    open_store_with(address, &StoreSettings::default()).await
}

/// As [`open_store`], with settings.
///
/// # Errors
/// As [`open_store`].
#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    expect(
        unused_variables,
        clippy::unused_async,
        reason = "only databases have settings, and are waited for"
    )
)]
pub async fn open_store_with(address: &str, settings: &StoreSettings) -> Result<Arc<dyn Store>, StoreError> {
    match address.split_once(':').map(|(scheme, _)| scheme) {
        #[cfg(feature = "sqlite")]
        Some("sqlite") => {
            let options = crate::store::sqlite::parse(address)?;
            Ok(Arc::new(crate::store::sqlite::SqliteStore::connect(options, settings).await?))
        }
        #[cfg(not(feature = "sqlite"))]
        Some("sqlite") => Err(StoreError::Unavailable(
            "the address names SQLite, and the feature `sqlite` of tulbur or tulbur-payments is off".into(),
        )),
        #[cfg(feature = "postgres")]
        Some("postgres" | "postgresql") => {
            let options = crate::store::postgres::parse(address)?;
            Ok(Arc::new(crate::store::postgres::PostgresStore::connect(options, settings).await?))
        }
        #[cfg(not(feature = "postgres"))]
        Some("postgres" | "postgresql") => Err(StoreError::Unavailable(
            "the address names PostgreSQL, and the feature `postgres` of tulbur or tulbur-payments is off"
                .into(),
        )),
        Some("memory") => Ok(Arc::new(crate::store::memory::MemoryStore::new())),
        _ => Err(StoreError::Unavailable(
            "the address of the database must begin with `sqlite:`, `postgres://` or `memory:`".into(),
        )),
    }
}

/// By what a payment is looked for.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Find<'a> {
    /// Our id.
    Id(&'a PaymentId),
    /// Our reference at an account.
    MerchantRef(&'a AccountName, &'a MerchantRef),
    /// The provider's reference at an account.
    ProviderRef(&'a AccountName, &'a ProviderRef),
    /// The hash of a page's secret.
    SecretHash(&'a str),
}

/// Something that is due and cannot be read, because it is damaged or a newer release wrote it.
#[derive(Debug, Clone, Copy)]
pub enum Unread<'a> {
    /// A payment or card set-up.
    Payment(&'a PaymentId),
    /// An operation.
    Operation(&'a OperationRef),
}

/// Since when something cannot be read, and what is known of it beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadSince {
    /// When that was found first, since it last could be.
    pub since: Timestamp,
    /// The payment, or the operation's.
    pub payment: PaymentId,
    /// Its account.
    pub account: AccountName,
    /// Its order.
    pub order: Option<OrderRef>,
}

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

/// That something was committed, possibly by another process on the same database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// This payment changed.
    Payment(PaymentId),
    /// Something changed; it is not known what.
    Anything,
}

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

/// Keeps payments. All of a [`Changes`] is on disk when [`Store::commit`] returns.
#[async_trait]
pub trait Store: Outbox + fmt::Debug + Send + Sync {
    /// Commits everything or nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a version is not the stored one any more, or something new exists already.
    async fn commit(&self, changes: Changes) -> Result<(), StoreError>;

    /// An order with its payments, oldest first.
    async fn order(&self, order: &OrderRef) -> Result<Option<Order>, StoreError>;

    /// An order without its payments.
    async fn order_record(&self, order: &OrderRef) -> Result<Option<OrderRecord>, StoreError> {
        Ok(self.order(order).await?.map(|order| order.record))
    }

    /// The newest orders, newest first.
    async fn orders(&self, limit: u32) -> Result<Vec<Order>, StoreError>;

    /// One payment or card set-up.
    async fn payment(&self, find: Find<'_>) -> Result<Option<PaymentRecord>, StoreError>;

    /// Payments that are due to be asked about: the soonest ones, in any order. Until `lease` nobody else takes them
    /// for the same `ask_at`; then they come again, should this process have died. It is no change of the payments:
    /// who decides about one need not know of it. May be empty while somebody else takes some.
    async fn take_due(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<PaymentId>, StoreError>;

    /// Puts off what is asked about and cannot be read, and says since when it could not; none if it is not asked about
    /// any more. Nothing is counted, and no version changes.
    async fn put_off_unread(
        &self,
        what: Unread<'_>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<UnreadSince>, StoreError>;

    /// Moves when a payment is asked about, if it was not changed since it was read and is asked about at all. Its
    /// version stays: it is no change of the payment.
    async fn put_off(&self, payment: &PaymentRecord, until: Timestamp) -> Result<(), StoreError>;

    /// Payments and card set-ups, newest first.
    async fn payments(&self, filter: &PaymentFilter) -> Result<Vec<PaymentRecord>, StoreError>;

    /// A payment's operations, oldest first.
    async fn operations(&self, payment: &PaymentId) -> Result<Vec<OperationRecord>, StoreError>;

    /// One operation.
    async fn operation(&self, operation: &OperationRef) -> Result<Option<OperationRecord>, StoreError>;

    /// Operations that a dead process left half done, or that are to be asked about: those whose `lease_until` has
    /// passed. It is moved to `lease`, so that nobody else takes them meanwhile, and they come again.
    async fn take_operations(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<OperationRef>, StoreError>;

    /// Operations of which nobody knows whether they happened, oldest first.
    async fn unknown_operations(&self, limit: u32) -> Result<Vec<OperationRecord>, StoreError>;

    /// Payments and card set-ups that are called so, at whatever account: by our id, by our reference or by the
    /// provider's. For a person who has only a name; it may read the whole table.
    async fn named(&self, name: &str, limit: u32) -> Result<Vec<PaymentRecord>, StoreError>;

    /// What a key was first used for.
    async fn key(&self, key: &IdempotencyKey) -> Result<Option<KeyRecord>, StoreError>;

    /// What the database's clock says, where all processes share it. None where the time of the machine counts.
    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    /// Moves leases and due times that lie further ahead than they can, to now plus their longest wait; and says how many.
    /// It is no change of the payments. [`LongestWaits::of_payment`] and [`LongestWaits::of_operation`] say what the
    /// longest wait is. When a write ended (`write_ends`) is moved while its record is due or leased; of one that is
    /// looked at no more it may stay, and an operator's decision about it is then accepted later.
    async fn clamp_times(&self, now: Timestamp, longest: &LongestWaits) -> Result<u64, StoreError>;

    /// Makes every open payment whose write is not under way due now, whoever has taken it: what was notified while
    /// nobody listened is missing.
    async fn make_all_due(&self, now: Timestamp) -> Result<(), StoreError>;

    /// The time at which the next payment, operation or kept notification is due. Nothing can be taken before it. A
    /// payment under a lease is due when the lease ends.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

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

    /// A customer's cards, newest first.
    async fn cards(&self, customer: &CustomerRef) -> Result<Vec<Card>, StoreError>;

    /// A card with its sealed token.
    async fn card(&self, card: &CardId) -> Result<Option<CardRecord>, StoreError>;

    /// Cards with their sealed tokens in the order of their ids, after this one: for sealing them anew.
    async fn sealed_cards(&self, after: Option<&CardId>, limit: u32) -> Result<Vec<CardRecord>, StoreError>;

    /// Puts another sealing of the same token in place of this one; whether it was still this one.
    async fn reseal_card(&self, card: &CardId, from: &str, to: &str) -> Result<bool, StoreError>;

    /// Deliveries in the order of their ids, after this one: for sealing them anew.
    async fn sealed_inbox(&self, after: Option<&str>, limit: u32) -> Result<Vec<InboxEntry>, StoreError>;

    /// Puts another sealing of the same delivery in place of this one; whether it was still this one.
    async fn reseal_inbox(&self, id: &str, from: &str, to: &str) -> Result<bool, StoreError>;

    /// The accounts that have payments or operations which are still watched.
    async fn watched_accounts(&self) -> Result<Vec<AccountName>, StoreError>;

    /// What the store holds, in numbers.
    async fn stats(&self) -> Result<StoreStats, StoreError>;

    /// Tells of commits, those of other processes too; none where the database cannot. A wake-up may come without
    /// need, and may be lost when the connection is: what is due is found by its time all the same.
    async fn wakes(&self) -> Result<Option<tokio::sync::mpsc::Receiver<Wake>>, StoreError> {
        Ok(None)
    }
}
