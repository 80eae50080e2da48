//! The store: what a database must do for [`Payments`](crate::Payments).
//!
//! Decisions are made outside, on what was read; a [`Changes`] names the versions that it was decided on and is
//! committed whole, or not at all with [`StoreError::Conflict`]. So a store has no logic of its own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tulbur_core::{
    AccountName, Channel, MerchantRef, OperationRef, OperationState, OrderRef, ProviderRef, Timestamp,
};

use crate::error::StoreError;
use crate::event::{AttentionItem, Event, HistoryEntry};
use crate::operation::{IdempotencyKey, KeyRecord, OperationRecord};
use crate::record::{
    Card, CardId, CardRecord, CustomerRef, EventId, Order, OrderRecord, PaymentId, PaymentRecord, Status,
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
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { connections: None, commits_together: 128, wait: Duration::from_secs(5) }
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
}

/// What a store of your own needs to know of a record, beside what it serialises.
impl PaymentRecord {
    /// The version that it was read at; 0 if it was never stored. A commit writes the next one.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// As read at this version.
    #[must_use]
    pub fn at_version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }

    /// By what [`Find::SecretHash`] finds it: unique.
    pub fn secret_hash(&self) -> &str {
        &self.secret_hash
    }
}

/// What a store of your own needs to know of a record, beside what it serialises.
impl OrderRecord {
    /// The version that it was read at; 0 if it was never stored. A commit writes the next one.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// As read at this version.
    #[must_use]
    pub fn at_version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }
}

/// What a store of your own needs to know of a record, beside what it serialises.
impl OperationRecord {
    /// The version that it was read at; 0 if it was never stored. A commit writes the next one.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// As read at this version.
    #[must_use]
    pub fn at_version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }
}

impl Order {
    /// An order with its payments, oldest first, as a store reads them.
    pub fn new(record: OrderRecord, payments: Vec<PaymentRecord>) -> Self {
        Self { record, payments }
    }
}

impl Event {
    /// Events with the same one are delivered one after the other: those of an order, or of a card set-up.
    pub fn stream(&self) -> &str {
        let order = self.order.as_ref().map(OrderRef::as_str);
        order.or(self.payment.as_ref().map(PaymentId::as_str)).unwrap_or("-")
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
            let options = crate::sqlite::parse(address)?;
            Ok(Arc::new(crate::sqlite::SqliteStore::connect(options, settings).await?))
        }
        #[cfg(not(feature = "sqlite"))]
        Some("sqlite") => Err(StoreError::Unavailable(
            "the address names SQLite, and the feature `sqlite` of tulbur or tulbur-payments is off".into(),
        )),
        #[cfg(feature = "postgres")]
        Some("postgres" | "postgresql") => {
            let options = crate::postgres::parse(address)?;
            Ok(Arc::new(crate::postgres::PostgresStore::connect(options, settings).await?))
        }
        #[cfg(not(feature = "postgres"))]
        Some("postgres" | "postgresql") => Err(StoreError::Unavailable(
            "the address names PostgreSQL, and the feature `postgres` of tulbur or tulbur-payments is off"
                .into(),
        )),
        Some("memory") => Ok(Arc::new(crate::memory::MemoryStore::new())),
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

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Genuine, and about a payment of ours.
    Accepted,
    /// Genuine, and not about a payment of ours.
    UnknownPayment,
    /// It says something else than an earlier delivery of the same event; not applied.
    Contradiction,
    /// Not genuine, or unreadable.
    Refused,
}

impl Verdict {
    /// The word, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::UnknownPayment => "unknown-payment",
            Self::Contradiction => "contradiction",
            Self::Refused => "refused",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Accepted, Self::UnknownPayment, Self::Contradiction, Self::Refused]
            .into_iter()
            .find(|verdict| verdict.as_str() == word)
    }
}

/// A delivery as kept: sealed, with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// Its id.
    pub id: String,
    /// The account.
    pub account: AccountName,
    /// How it came.
    pub channel: Channel,
    /// When it came first.
    pub at: Timestamp,
    /// The key by which a repeat is recognised; a refused delivery has its own id here.
    pub repeat_key: String,
    /// Digest of what it means.
    pub meaning: String,
    /// What became of it.
    pub verdict: Verdict,
    /// In words, without anything secret.
    pub note: String,
    /// The payment that it is about.
    pub payment: Option<PaymentId>,
    /// Method, query, headers and body, sealed for this id.
    pub sealed: String,
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
    /// Events that are not delivered.
    pub events_pending: u64,
    /// When the oldest of them was committed.
    pub oldest_event: Option<Timestamp>,
    /// Events that were given up.
    pub events_parked: u64,
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

/// Everything that one commit changes.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Orders that are new (version 0) or changed on the version they carry.
    pub orders: Vec<OrderRecord>,
    /// Payments that are new (version 0) or changed on the version they carry.
    pub payments: Vec<PaymentRecord>,
    /// Operations that are new (version 0) or changed on the version they carry.
    pub operations: Vec<OperationRecord>,
    /// Keys used for the first time. One that is there already is a conflict.
    pub keys: Vec<KeyRecord>,
    /// New cards.
    pub cards: Vec<CardRecord>,
    /// New events.
    pub events: Vec<Event>,
    /// New lines of history.
    pub history: Vec<HistoryEntry>,
    /// Items for a person; one that is listed already stays as it was, and its event is not sent again.
    pub attention: Vec<(AttentionItem, Event)>,
    /// Keys of items that what is committed settles, and when; one that is not listed is no error.
    pub struck: Vec<(String, Timestamp)>,
    /// Deliveries. One with the same account, key and meaning is counted, not added.
    pub inbox: Vec<InboxEntry>,
}

/// How a delivered event is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// All handlers did their work.
    Done,
    /// Again at this time.
    Again(Timestamp),
    /// Again at this time, for handlers that keep no order only: later events of its order need not wait for it.
    Late(Timestamp),
    /// Not again by itself; listed for a person.
    Parked,
}

/// How the delivery of an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is to be delivered, for the first time or again.
    Pending,
    /// All handlers did their work.
    Done,
    /// It was given up, and waits for a person.
    Parked,
}

impl DeliveryState {
    /// The word, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Parked => "parked",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Done, Self::Parked].into_iter().find(|state| state.as_str() == word)
    }
}

/// An event, and how its delivery to the application's handlers stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventDelivery {
    /// The event.
    pub event: Event,
    /// How it stands.
    pub state: DeliveryState,
    /// How often it was claimed for delivery.
    pub attempts: u32,
    /// When it is due, or its claim ends.
    pub due_at: Timestamp,
    /// The handlers that did their work.
    pub handled: Vec<String>,
}

/// An event that was claimed for delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedEvent {
    /// The event.
    pub event: Event,
    /// How often it was claimed before.
    pub attempts: u32,
    /// The handlers that did their work already.
    pub done: Vec<String>,
}

/// What is stored about a delivery.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The payment or card set-up that it is about.
    pub payment: Option<PaymentRecord>,
    /// That payment's order.
    pub order: Option<OrderRecord>,
    /// The first delivery of the same event that was not refused.
    pub earlier: Option<InboxEntry>,
}

/// Keeps payments. All of a [`Changes`] is on disk when [`Store::commit`] returns.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
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
    ) -> Result<Vec<OperationRecord>, StoreError>;

    /// Operations of which nobody knows whether they happened, oldest first.
    async fn unknown_operations(&self, limit: u32) -> Result<Vec<OperationRecord>, StoreError>;

    /// Payments and card set-ups that are called so, at whatever account: by our id, by our reference or by the
    /// provider's. For a person who has only a name; it may read the whole table.
    async fn named(&self, name: &str, limit: u32) -> Result<Vec<PaymentRecord>, StoreError>;

    /// What a key was first used for.
    async fn key(&self, key: &IdempotencyKey) -> Result<Option<KeyRecord>, StoreError>;

    /// Makes every open payment whose write is not under way due now, whoever has taken it: what was notified while
    /// nobody listened is missing.
    async fn hurry(&self, now: Timestamp) -> Result<(), StoreError>;

    /// When the next payment, operation or event is due. Payments that somebody has taken are not counted: their leases
    /// end unannounced, so look now and then.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Events to be delivered now, in order; per order never one before an earlier one is settled. They are
    /// leased like payments.
    async fn take_events(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<ClaimedEvent>, StoreError>;

    /// Notes that a handler did its work for an event.
    async fn handled(&self, event: &EventId, handler: &str) -> Result<(), StoreError>;

    /// Settles a claimed event.
    async fn settle_event(&self, event: &EventId, settle: Settle) -> Result<(), StoreError>;

    /// What is stored about a delivery that names this payment, and this event of the account: one read, because every
    /// notification needs it.
    async fn known(
        &self,
        account: &AccountName,
        payment: Find<'_>,
        repeat_key: &str,
    ) -> Result<Known, StoreError>;

    /// Keeps a refused delivery, and only the newest `keep` of its account.
    async fn keep_refused(&self, entry: InboxEntry, keep: u32) -> Result<(), StoreError>;

    /// The newest deliveries, newest first, each with how often it came.
    async fn inbox(&self, limit: u32) -> Result<Vec<(InboxEntry, u32)>, StoreError>;

    /// One delivery, and how often it came.
    async fn inbox_entry(&self, id: &str) -> Result<Option<(InboxEntry, u32)>, StoreError>;

    /// Events that were given up, oldest first.
    async fn parked_events(&self, limit: u32) -> Result<Vec<Event>, StoreError>;

    /// Makes an event that was given up due again; whether it was one.
    async fn unpark_event(&self, event: &EventId, at: Timestamp) -> Result<bool, StoreError>;

    /// An order's history, oldest first.
    async fn history(&self, order: &OrderRef) -> Result<Vec<HistoryEntry>, StoreError>;

    /// One payment's or card set-up's history, oldest first.
    async fn payment_history(&self, payment: &PaymentId) -> Result<Vec<HistoryEntry>, StoreError>;

    /// All events of an order, oldest first.
    async fn events(&self, order: &OrderRef) -> Result<Vec<Event>, StoreError>;

    /// An order's events, or with none those of one card set-up, oldest first, with how their delivery stands.
    async fn deliveries(
        &self,
        order: Option<&OrderRef>,
        payment: &PaymentId,
    ) -> Result<Vec<EventDelivery>, StoreError>;

    /// What waits for a person, oldest first.
    async fn attention(&self) -> Result<Vec<AttentionItem>, StoreError>;

    /// Strikes an item off the list.
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
