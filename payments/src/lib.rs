//! Durable payments over any Tulbur provider.
//!
//! [`Payments`] owns a [`Store`] and the accounts, and keeps these promises:
//!
//! * An intent is committed before a byte leaves, and runs in a task of its own: a browser tab that closes stops
//!   nothing half way.
//! * A payment moves only on a fact that the provider has proven ([`tulbur_core::Verified`]), about this reference and
//!   this amount.
//! * A notification is answered after it is on disk, and at once.
//! * An order has exactly one [`EventKind::Paid`], however often and in whatever order messages come.
//! * A write that may have happened is asked about, never repeated.
//! * Late money is never dropped; what nobody finishes ends by itself; what does not fit is listed for a person.
//! * Card tokens and raw messages are sealed in the database; an application sees only a [`CardId`].

mod ask;
mod deliver;
mod error;
mod event;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod group;
mod memory;
mod observe;
mod open;
mod operate;
mod operation;
mod pace;
mod payments;
#[cfg(feature = "postgres")]
pub mod postgres;
mod probe;
mod proven;
pub mod reconcile;
mod record;
mod redact;
mod replay;
mod request;
mod reseal;
mod schedule;
mod seal;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod store;
#[cfg(feature = "store-suite")]
pub mod store_suite;
mod transition;
mod wakes;
pub mod webhook;
mod worker;

pub use ask::Watch;
pub use deliver::NotifyTarget;
pub use error::{Error, Result, StoreError};
pub use event::{
    AttentionItem, AttentionKind, Event, EventHandler, EventKind, GiveUp, HandlerError, History,
    HistoryEntry, Source, Timing,
};
pub use memory::MemoryStore;
pub use observe::{METRICS, Metric, MetricKind, describe_metrics};
pub use operation::{IdempotencyKey, KeyRecord, KeySubject, OperationKind, OperationRecord};
pub use pace::{AccountState, CircuitState, Pace};
pub use payments::{Payments, PaymentsBuilder};
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
pub use probe::{Point, Probe};
pub use record::{
    Card, CardId, CardRecord, CustomerRef, EndedBy, EventId, Order, OrderRecord, PageSecret, PaymentId,
    PaymentRecord, Purpose, Status,
};
pub use redact::{ShownDelivery, ShownField};
pub use replay::{MadeDue, Replayed, make_due, strike_off};
pub use request::{CapturePayment, ChargeCard, OpenCardSetup, OpenPayment, RefundPayment, VoidPayment};
pub use reseal::{ResealFrom, Resealed};
pub use schedule::Schedule;
pub use seal::SealingKeys;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub use store::{Store, StoreSettings, open_store};
pub use webhook::{Webhook, WebhookRefused, WebhookSecrets};
