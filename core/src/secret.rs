//! Values that must not be printed.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// The value by which a provider charges a saved card.
///
/// It is worth money: `Debug` hides it, it has no `Display` and no `Serialize`, and its memory is wiped.
#[derive(Clone)]
pub struct CardToken(SecretString);

impl CardToken {
    /// Takes a token as it was received.
    pub fn new(token: impl Into<String>) -> Self {
        Self(SecretString::from(token.into()))
    }

    /// The token in clear, to be sent to the provider or sealed.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for CardToken {
    fn eq(&self, other: &Self) -> bool {
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

impl Eq for CardToken {}

impl fmt::Debug for CardToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardToken([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_printed() {
        assert_eq!(format!("{:?}", CardToken::new("abc")), "CardToken([redacted])");
        assert_eq!(CardToken::new("abc"), CardToken::new("abc"));
        assert_ne!(CardToken::new("abc"), CardToken::new("abd"));
    }
}
