//! Defines the effect of a request at the provider, and the possible outcomes of a request that failed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What sending a request does to the provider's side, and so who may repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Changes nothing; the same bytes may be sent again.
    Read,
    /// Changes nothing, but the bytes hold a nonce: the caller builds them anew.
    ReadOnce,
    /// Changes something; never repeated once it may have been sent.
    Write,
    /// Changes something, and the provider makes the same bytes safe to send again.
    Keyed,
}

impl Effect {
    /// Whether it changes something at the provider.
    pub fn is_write(self) -> bool {
        matches!(self, Self::Write | Self::Keyed)
    }

    /// What may have happened when a request that was sent has no readable answer.
    pub fn outcome_when_lost(self) -> Outcome {
        match self {
            Self::Read | Self::ReadOnce => Outcome::NoEffect,
            Self::Write | Self::Keyed => Outcome::Unknown,
        }
    }
}

/// What may have happened to the operation that failed. The one thing that matters with money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing can have happened: it was never sent, or was a read, or failed before the write. Safe to repeat.
    NoEffect,
    /// The provider said no, with a documented code.
    Refused,
    /// It may have happened. Ask about it; never repeat it.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoEffect => "nothing happened",
            Self::Refused => "refused",
            Self::Unknown => "it may have happened",
        })
    }
}
