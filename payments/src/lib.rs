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

mod decide;
mod engine;
mod error;
mod metrics;
mod model;
mod operator;
pub mod store;
#[cfg(feature = "store-suite")]
pub mod store_suite;
pub mod webhook;

pub use engine::ask::Watch;
pub use engine::builder::PaymentsBuilder;
pub use engine::inner::Payments;
pub use engine::notify::NotifyTarget;
pub use engine::probe::{Point, Probe};
pub use engine::throttle::{AccountState, CircuitState, Pace};
pub use error::{Error, Result, StoreError};
pub use metrics::{METRICS, Metric, MetricKind, describe_metrics};
pub use model::event::{
    AttentionItem, AttentionKind, Event, EventHandler, EventKind, GiveUp, HandlerError, History,
    HistoryEntry, RetryLimit, Source, Timing,
};
pub use model::operation::{
    IdempotencyKey, KeyRecord, KeySubject, Operation, OperationKind, OperationRecord,
};
pub use model::record::{
    Card, CardId, CardRecord, EndedBy, EventId, Order, OrderRecord, PageSecret, PaymentId, PaymentRecord,
    Purpose, Status,
};
pub use model::request::{
    CapturePayment, ChargeCard, OpenCardSetup, OpenPayment, RefundPayment, VoidPayment,
};
pub use model::schedule::Schedule;
pub use operator::handlers::{remove_handler, unpark};
pub use operator::reconcile;
pub use operator::replay::{MadeDue, Replayed, make_due};
pub use operator::reseal::{ResealFrom, Resealed};
pub use operator::resolve::resolve_item;
pub use operator::shown::{ShownDelivery, ShownField};
pub use store::memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use store::postgres::{self, PostgresStore};
pub use store::seal::SealingKeys;
#[cfg(feature = "sqlite")]
pub use store::sqlite::{self, SqliteStore};
pub use store::{DueWork, Inbox, Lists, Outbox, Records, Store, StoreSettings, open_store};
pub use webhook::{Webhook, WebhookRefused, WebhookSecrets};
