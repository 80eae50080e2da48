//! Keeps values that must not be printed, and checks credentials.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::error::{Error, ErrorKind, Result};

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

/// Checks a credential that stands in an account's settings. One that was copied with a line end or a blank never works,
/// and few providers say why.
///
/// # Errors
/// [`ErrorKind::Configuration`] when it is empty, or begins or ends with white space. It names the setting, never the
/// secret.
pub fn check_credential(setting: &'static str, secret: &SecretString) -> Result<()> {
    let wrong = |why: &str| Err(Error::new(ErrorKind::Configuration, why).with_field(setting));
    let text = secret.expose_secret();
    if text.is_empty() {
        return wrong("it is empty; the provider hands it out after the contract");
    }
    if text.trim() != text {
        return wrong("it begins or ends with white space; copy it without");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_copied_whole() {
        assert!(check_credential("secret", &"planted".into()).is_ok());
        for bad in ["", " planted", "planted\n", "planted\u{a0}"] {
            let error = check_credential("secret", &bad.into()).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Configuration, Some("secret")));
            assert!(!error.to_string().contains("planted"), "{error}");
        }
    }

    #[test]
    fn a_token_is_not_printed() {
        assert_eq!(format!("{:?}", CardToken::new("abc")), "CardToken([redacted])");
        assert_eq!(CardToken::new("abc"), CardToken::new("abc"));
        assert_ne!(CardToken::new("abc"), CardToken::new("abd"));
    }
}
