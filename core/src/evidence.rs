//! Grades how well an operation of a provider is known.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How well an operation's path and required fields are known. Every operation declares it; the docs print it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// Reasoned from other facts; nobody was seen doing it.
    Inferred,
    /// Seen in what real clients send and read.
    Observed,
    /// Stated by the provider's own documents.
    Documented,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inferred => "inferred",
            Self::Observed => "observed",
            Self::Documented => "documented",
        })
    }
}

/// An account's setting `accept`: the weakest evidence that it works with. Below it, an ability is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accept {
    /// Documented and observed operations; the default.
    #[default]
    Observed,
    /// Also what is only inferred.
    Inferred,
}

impl Accept {
    /// Whether an operation of this evidence is offered.
    pub fn allows(self, evidence: Evidence) -> bool {
        match self {
            Self::Observed => evidence >= Evidence::Observed,
            Self::Inferred => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inferred_operations_need_an_account_that_accepts_them() {
        assert!(Accept::default().allows(Evidence::Documented));
        assert!(Accept::default().allows(Evidence::Observed));
        assert!(!Accept::default().allows(Evidence::Inferred));
        assert!(Accept::Inferred.allows(Evidence::Inferred));
    }
}
