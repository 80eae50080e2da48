//! Golomt Instore's settings: its id, its terminals with their secrets, and the plug-in that holds them.

use std::collections::BTreeMap;
use std::fmt;

/// The id of this provider.
pub const PROVIDER_ID: &str = "golomt-instore";
/// The terminal that the sandbox has unless told otherwise.
pub const DEFAULT_TERMINAL: &str = "13161272";
/// The secret of that terminal.
pub const DEFAULT_SECRET: &str = "sandbox-instore-secret";

/// The bank's side of the Instore API, for any number of terminals that share one push address.
///
/// Terminal `13161272` is there from the start. The switch `terminals` adds the numbers after it, all with its secret.
#[derive(Clone)]
pub struct GolomtInstore {
    pub(super) secret: String,
    pub(super) others: BTreeMap<String, String>,
}

impl fmt::Debug for GolomtInstore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GolomtInstore")
            .field("terminals", &self.others.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Default for GolomtInstore {
    fn default() -> Self {
        Self::new()
    }
}

impl GolomtInstore {
    /// A bank with the sandbox's fixed terminal and secret.
    pub fn new() -> Self {
        Self { secret: DEFAULT_SECRET.to_owned(), others: BTreeMap::new() }
    }

    /// Gives the fixed terminal, and those that the switch `terminals` adds, another secret.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = secret.into();
        self
    }

    /// Adds a terminal with a secret of its own, or with one that several share.
    #[must_use]
    pub fn terminal(mut self, number: impl Into<String>, secret: impl Into<String>) -> Self {
        self.others.insert(number.into(), secret.into());
        self
    }

    /// The secret of a terminal that there is, when so many stand in a row.
    pub(super) fn secret_of(&self, terminal: &str, count: u32) -> Option<&str> {
        if let Some(secret) = self.others.get(terminal) {
            return Some(secret);
        }
        let first: u32 = DEFAULT_TERMINAL.parse().ok()?;
        let number: u32 = terminal.parse().ok()?;
        // Written back, so that "+13161272" and "013161272" are no terminals.
        let there = number.to_string() == terminal && (first..first + count).contains(&number);
        there.then_some(self.secret.as_str())
    }
}

/// How many terminals stand in a row, by the switch `terminals`.
pub(super) fn terminal_count(switch: &str) -> u32 {
    switch.parse().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_stand_in_a_row_or_have_a_secret_of_their_own() {
        let bank = GolomtInstore::new().terminal("TILL", "own");
        assert_eq!(bank.secret_of(DEFAULT_TERMINAL, 1), Some(DEFAULT_SECRET));
        assert_eq!(bank.secret_of("13161273", 1), None);
        assert_eq!(bank.secret_of("13161321", 50), Some(DEFAULT_SECRET));
        assert_eq!(bank.secret_of("13161322", 50), None);
        assert_eq!(bank.secret_of("TILL", 1), Some("own"));
        for wrong in ["", "+13161272", "013161272", "13161271", "till"] {
            assert_eq!(bank.secret_of(wrong, 50), None, "{wrong}");
        }
        assert!(!format!("{bank:?}").contains("own"));
    }
}
