//! What can go wrong, by where it went wrong.

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
    /// The database. Nothing of the call was committed.
    #[error(transparent)]
    Store(#[from] StoreError),
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

/// Why the database did not do what was asked. Nothing was committed; except that, with
/// [`StoreError::Unavailable`], the answer to a commit may have been lost with the connection: what is stored is read
/// anew before anything is decided.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else changed the same record first. The caller reads it anew and decides again.
    #[error("the record was changed by somebody else meanwhile")]
    Conflict,
    /// Another process holds the database.
    #[error("the database is locked by another process; nothing was stored. Try again when it is free")]
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
    /// It cannot be reached.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// What is stored cannot be read.
    #[error("the database holds something unreadable: {0}")]
    Unreadable(String),
}
