//! The settings of an account, and what is checked of them.

use serde::Deserialize;
use tulbur_core::wire::check_base;
use tulbur_core::{Error, ErrorKind, Result, SecretString, Url, check_credential};

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

    /// The secrets by which messages are signed; the first is the account's own.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        std::iter::once(&self.secret).chain(&self.verification_secrets)
    }

    /// Checks what can be wrong.
    pub(crate) fn check(&self) -> Result<()> {
        if self.merchant.is_empty() || !self.merchant.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        {
            let why = "it must be letters, digits and hyphens, as the bank gave it";
            return Err(Error::new(ErrorKind::Configuration, why).with_field("merchant"));
        }
        for secret in self.secrets() {
            check_credential("secret", secret)?;
        }
        check_base("base_url", &self.base_url)
    }
}
