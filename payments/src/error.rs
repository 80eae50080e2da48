//! Errors of payments and of stores.

use thiserror::Error;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call on [`Payments`](crate::Payments) did not do what was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The provider, or the request to it. Its [`outcome`](tulbur_core::Error::outcome) says what may have happened.
    #[error(transparent)]
    Provider(#[from] tulbur_core::Error),
    /// The database. Nothing of the call was committed, unless the error says that it may have been
    /// ([`StoreError::may_have_committed`]): then look at what is stored, or make the same call again, which goes on
    /// with what was stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The provider was called, and what came of it could not be stored yet. It is kept, and stored as soon as the
    /// database answers. The call must not be made again: look at the payment.
    #[error(
        "{subject}: the provider was called, and the database does not take what came of it ({cause}). It is kept and \
         stored as soon as the database answers; do not call again, look at the payment"
    )]
    Unrecorded {
        /// The payment or operation.
        subject: String,
        /// What the database says.
        cause: StoreError,
    },
    /// The call contradicts what is stored; nothing was changed.
    #[error("{subject}: {reason}")]
    Conflict {
        /// The order, payment or card.
        subject: String,
        /// What stands in the way, and what to do instead.
        reason: String,
    },
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(String),
    /// Sealed data could not be opened: the key is missing or the data was changed.
    #[error("sealed data cannot be opened: {0}")]
    Sealed(String),
}

impl Error {
    pub(crate) fn conflict(subject: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Conflict { subject: subject.into(), reason: reason.into() }
    }
}

/// Why the database did not do what was asked.
///
/// The first question that it answers is whether the change may be stored: only after
/// [`StoreError::MaybeCommitted`]. Every other error means for certain that nothing was committed.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else changed the same record first. The caller reads it anew and decides again.
    #[error("the record was changed by somebody else meanwhile")]
    Conflict,
    /// Another process holds a lock that is needed, and did not let go of it in time.
    #[error(
        "another process, perhaps a stopped one, holds the database's write lock; nothing was stored. It can be tried \
         again as soon as that process goes on or ends"
    )]
    Locked,
    /// There is no room.
    #[error("the disk or the database is full; nothing was stored. Make room and try again")]
    Full,
    /// It cannot be written to.
    #[error(
        "the database is read-only; nothing was stored. Check the file's and the folder's permissions, \
             or whether the server is a standby"
    )]
    ReadOnly,
    /// It cannot be reached. Nothing was committed.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// What is stored cannot be read.
    #[error("the database holds something unreadable: {0}")]
    Unreadable(String),
    /// The commit itself failed, or its answer was lost: the change is stored as a whole, or not at all, and nobody
    /// knows which. The caller commits the same change again: [`StoreError::Conflict`] then says that the records are
    /// not as they were, and reading them says whether that was this change.
    #[error(
        "the database did not say whether the change was stored: {0}. Look at what is stored before you repeat it"
    )]
    MaybeCommitted(String),
}

impl StoreError {
    /// Whether the change may be stored although there was an error.
    pub fn may_have_committed(&self) -> bool {
        matches!(self, Self::MaybeCommitted(_))
    }

    /// For the members of a batch of commits that ended without an answer.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn unanswered_commit() -> Self {
        Self::MaybeCommitted("its batch ended without an answer".into())
    }

    /// For the members of a batch of reads that ended without an answer.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn unanswered_read() -> Self {
        Self::Unavailable("the reading ended without an answer".into())
    }
}
