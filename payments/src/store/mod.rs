//! The store: what a database must do for [`Payments`](crate::Payments).
//!
//! Decisions are made outside, on what was read; a [`Changes`] names the versions that it was decided on and is
//! committed whole, or not at all with [`StoreError::Conflict`]. So a store has no logic of its own.

mod due;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) mod group;
mod inbox;
mod lists;
pub(crate) mod memory;
mod outbox;
#[cfg(feature = "postgres")]
pub mod postgres;
mod records;
pub(crate) mod seal;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::StoreError;
pub use crate::model::changes::{Changes, InboxEntry, Verdict};
use crate::model::record::{Order, OrderRecord, PaymentRecord};
pub use crate::model::schedule::LongestWaits;
pub use due::{DueWork, Unread, UnreadSince, Wake};
pub use inbox::{Inbox, Known};
pub use lists::{Lists, PaymentFilter, StoreStats};
pub use outbox::{
    Claim, ClaimedDelivery, DeliveryState, EVENT_FORMAT, EventDelivery, HandlerDelivery, HandlerSpec, Outbox,
    ParkedDelivery, RegisteredHandler, Settle, StoredEvent,
};
pub use records::{Find, Records};

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

/// What a database must do for [`Payments`](crate::Payments): one trait for each thing that it serves. A type that has them
/// all is a store.
pub trait Store: Records + DueWork + Outbox + Inbox + Lists + fmt::Debug {}

impl<T: Records + DueWork + Outbox + Inbox + Lists + fmt::Debug> Store for T {}
