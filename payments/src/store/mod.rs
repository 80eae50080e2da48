//! The store: what a database must do for [`Payments`](crate::Payments).
//!
//! Decisions are made outside, on what was read; a [`Changes`] names the versions that it was decided on and is
//! committed whole, or not at all with [`StoreError::Conflict`](crate::StoreError::Conflict). So a store has no logic of its own.

mod contract;
mod due;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) mod group;
mod inbox;
mod lists;
pub(crate) mod memory;
mod open;
mod outbox;
#[cfg(feature = "postgres")]
pub mod postgres;
mod records;
pub(crate) mod seal;
mod settings;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use crate::model::changes::{Changes, InboxEntry, Verdict};
pub use crate::model::schedule::LongestWaits;
pub use contract::Store;
pub use due::{DueWork, Unread, UnreadSince, Wake};
pub use inbox::{Inbox, Known};
pub use lists::{Lists, PaymentFilter, StoreStats};
pub use open::{open_store, open_store_with};
pub use outbox::{
    Claim, ClaimedDelivery, DeliveryState, EVENT_FORMAT, EventDelivery, HandlerDelivery, HandlerSpec, Outbox,
    ParkedDelivery, RegisteredHandler, Settle, StoredEvent,
};
pub use records::{Find, Records};
pub use settings::{StoreClock, StoreSettings};
