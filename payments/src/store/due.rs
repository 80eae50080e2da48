//! The due work of a store: which payments and operations are to be looked at, and when.

use async_trait::async_trait;
use tulbur_core::{AccountName, OperationRef, OrderRef, Timestamp};

use crate::error::StoreError;
use crate::model::record::{PaymentId, PaymentRecord};
use crate::model::schedule::LongestWaits;

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

/// That something was committed, possibly by another process on the same database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// This payment changed.
    Payment(PaymentId),
    /// Something changed; it is not known what.
    Anything,
}

/// Knows what is due, and lends it to one process at a time.
#[async_trait]
pub trait DueWork: Send + Sync {
    /// What the database's clock says, where all processes share it. None where the time of the machine counts.
    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    /// Payments that are due to be asked about: the soonest ones, in any order. Until `lease` nobody else takes them
    /// for the same `ask_at`; then they come again, should this process have died. It is no change of the payments:
    /// who decides about one need not know of it. May be empty while somebody else takes some.
    async fn take_due(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<PaymentId>, StoreError>;

    /// Operations that a dead process left half done, or that are to be asked about: those whose `lease_until` has
    /// passed. It is moved to `lease`, so that nobody else takes them meanwhile, and they come again.
    async fn take_operations(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<OperationRef>, StoreError>;

    /// Moves when a payment is asked about, if it was not changed since it was read and is asked about at all. Its
    /// version stays: it is no change of the payment.
    async fn put_off(&self, payment: &PaymentRecord, until: Timestamp) -> Result<(), StoreError>;

    /// Puts off what is asked about and cannot be read, and says since when it could not; none if it is not asked about
    /// any more. Nothing is counted, and no version changes.
    async fn put_off_unread(
        &self,
        what: Unread<'_>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<UnreadSince>, StoreError>;

    /// The time at which the next payment, operation or kept notification is due. Nothing can be taken before it. A
    /// payment under a lease is due when the lease ends.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Makes every open payment whose write is not under way due now, whoever has taken it: what was notified while
    /// nobody listened is missing.
    async fn make_all_due(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Moves leases and due times that lie further ahead than they can, to now plus their longest wait; and says how many.
    /// It is no change of the payments. [`LongestWaits::of_payment`] and [`LongestWaits::of_operation`] say what the
    /// longest wait is. When a write ended (`write_ends`) is moved while its record is due or leased; of one that is
    /// looked at no more it may stay, and an operator's decision about it is then accepted later.
    async fn clamp_times(&self, now: Timestamp, longest: &LongestWaits) -> Result<u64, StoreError>;

    /// The accounts that have payments or operations which are still watched.
    async fn watched_accounts(&self) -> Result<Vec<AccountName>, StoreError>;

    /// Tells of commits, those of other processes too; none where the database cannot. A wake-up may come without
    /// need, and may be lost when the connection is: what is due is found by its time all the same.
    async fn wakes(&self) -> Result<Option<tokio::sync::mpsc::Receiver<Wake>>, StoreError> {
        Ok(None)
    }
}
