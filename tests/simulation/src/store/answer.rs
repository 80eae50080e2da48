//! Defines the errors of the simulated database, and how long it makes others wait.

use futures_util::FutureExt;
use tulbur_payments::StoreError;

use crate::units::SECOND;

/// How long a call waits for a database that somebody else holds inside a transaction.
pub(super) const BUSY: u64 = 5 * SECOND;
/// How long the server lets a transaction stand still.
pub(super) const IDLE_IN_TRANSACTION: u64 = 60 * SECOND;

/// The answer of a future that does not wait for anything.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("the memory store answers at once")
}

pub(super) fn away() -> StoreError {
    StoreError::Unavailable("the simulated database is away".into())
}

/// The error of a commit of which nobody knows whether it was done.
pub(super) fn maybe_committed() -> StoreError {
    StoreError::MaybeCommitted("the answer to the commit was lost".into())
}

/// Whether an error of the store leaves open whether it was done.
pub(crate) fn may_have_committed(error: &StoreError) -> bool {
    error.may_have_committed()
}
