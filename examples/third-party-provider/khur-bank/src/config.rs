//! The settings of an account, and what is checked of them.

use serde::Deserialize;
use tulbur_core::{Error, ErrorKind, ExposeSecret, HmacHexKeys, Result, SecretString, Url, is_loopback};

/// Where the bank answers in production.
pub const PRODUCTION: &str = "https://api.khur-bank.example";

// ANCHOR: config
/// The settings of one account at the bank.
///
/// ```toml
/// [accounts.khur-bank]
/// merchant = "…"   # both from the bank, after the contract
/// secret = "…"
/// ```
///
/// `Debug` shows no secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KhurBankConfig {
    /// The merchant's name at the bank: sent with every call.
    pub merchant: String,
    /// The merchant's secret: signs every call, and checks answers and notifications.
    pub secret: SecretString,
    /// Further secrets by which answers and notifications may be signed, while the bank changes from one to another.
    #[serde(default)]
    pub verification_secrets: Vec<SecretString>,
    /// Where the bank answers: `https`, or plain `http` on this machine. [`PRODUCTION`] if not set.
    #[serde(default = "production")]
    pub base_url: Url,
}
// ANCHOR_END: config

fn production() -> Url {
    Url::parse(PRODUCTION).expect("the constant is an address")
}

impl KhurBankConfig {
    /// The two credentials, and defaults for the rest.
    pub fn new(merchant: impl Into<String>, secret: SecretString) -> Self {
        let merchant = merchant.into();
        Self { merchant, secret, verification_secrets: Vec::new(), base_url: production() }
    }

    /// Checks what can be wrong, and prepares the keys.
    pub(crate) fn check(&self) -> Result<HmacHexKeys> {
        let wrong = |field, why| Err(Error::new(ErrorKind::Configuration, why).with_field(field));
        if self.merchant.is_empty() || !self.merchant.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        {
            return wrong("merchant", "it must be letters, digits and hyphens, as the bank gave it");
        }
        let secrets = || std::iter::once(&self.secret).chain(&self.verification_secrets);
        if secrets().map(ExposeSecret::expose_secret).any(|text| text.trim() != text) {
            return wrong("secret", "it begins or ends with white space; copy it without");
        }
        let url = &self.base_url;
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(url)) {
            return wrong("base_url", "it must be https (http is allowed only for this machine)");
        }
        if url.query().or(url.fragment()).is_some() || !url.username().is_empty() {
            return wrong("base_url", "it must be an address without query, fragment or user name");
        }
        HmacHexKeys::new(secrets())
    }
}
