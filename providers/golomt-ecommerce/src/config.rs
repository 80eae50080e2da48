//! The settings of an account, and what is checked of them.

use std::time::Duration;

use serde::Deserialize;
use tulbur_core::wire::check_base;
use tulbur_core::{Accept, Error, ErrorKind, ExposeSecret, Result, SecretString, Url, check_credential};

use crate::options::Page;

/// Where the bank answers in production.
pub const PRODUCTION: &str = "https://ecommerce.golomtbank.com";

/// The lengths that an account's references may have.
const REFERENCE_LENGTHS: std::ops::RangeInclusive<usize> = 12..=64;
/// The page lifetimes that the bank sets up (page D-check).
const PAGE_MINUTES: std::ops::RangeInclusive<u64> = 2..=10;

/// When the bank is asked to return a card token (`genToken`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GenToken {
    /// When the payment is to save the card; as the documentation has it.
    #[default]
    WhenSaving,
    /// With every invoice. A live client (R-me, 2026) found that the card page does not load without it and claims
    /// that its time has run out; choose this if payers report that. Tokens that nobody asked for then come back too.
    Always,
}

/// The settings of one account at the bank.
///
/// ```toml
/// [accounts.golomt-ecommerce]
/// token = "…"     # both from the bank, after the contract
/// secret = "…"
/// ```
///
/// `Debug` shows no secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GolomtEcommerceConfig {
    /// The merchant token: sent with every call.
    pub token: SecretString,
    /// The merchant secret: signs every call, and checks answers and pushes. Its characters are the key as they are.
    pub secret: SecretString,
    /// Further secrets by which answers and pushes may be signed, while the bank changes from one to another.
    #[serde(default)]
    pub verification_secrets: Vec<SecretString>,
    /// Where the bank answers: `https`, or plain `http` on this machine. [`PRODUCTION`] if not set.
    #[serde(default = "production")]
    pub base_url: Url,
    /// The merchant's number, 15 digits in the bank's sample. Only the settlement list needs it.
    #[serde(default)]
    pub merchant_id: Option<String>,
    /// How many characters every payment reference (`transactionId`) of this account has; 12 to 64, 32 if not set.
    ///
    /// One length for all, because the bank joins a notification's fields without separators, and only a known length
    /// says where the reference ends. The bank's invoice page says *under 16*; its check page says 256, and live
    /// clients use 36 to 47. Choose 15 or less should the bank insist. After a change, pushes for older payments are
    /// refused, and those payments are found by asking.
    #[serde(default = "reference_length")]
    pub reference_length: usize,
    /// How long a payment page lives, as agreed with the bank: 2 to 10 minutes, 10 if not set.
    #[serde(default = "page_minutes")]
    pub page_minutes: u64,
    /// When the bank is asked to return a card token.
    #[serde(default)]
    pub gen_token: GenToken,
    /// Which payment page comes first.
    #[serde(default)]
    pub page: Page,
    /// The weakest evidence that this account works with. Everything offered here is documented or observed.
    #[serde(default)]
    pub accept: Accept,
}

fn production() -> Url {
    Url::parse(PRODUCTION).expect("the constant is an address")
}

fn reference_length() -> usize {
    32
}

fn page_minutes() -> u64 {
    10
}

fn wrong(field: &'static str, why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, why).with_field(field)
}

impl GolomtEcommerceConfig {
    /// The two credentials, and defaults for the rest.
    pub fn new(token: SecretString, secret: SecretString) -> Self {
        Self {
            token,
            secret,
            verification_secrets: Vec::new(),
            base_url: production(),
            merchant_id: None,
            reference_length: reference_length(),
            page_minutes: page_minutes(),
            gen_token: GenToken::default(),
            page: Page::default(),
            accept: Accept::default(),
        }
    }

    pub(crate) fn page_lifetime(&self) -> Duration {
        Duration::from_secs(self.page_minutes * 60)
    }

    /// The secrets by which messages are signed; the first is the account's own.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        std::iter::once(&self.secret).chain(&self.verification_secrets)
    }

    /// Checks what can be wrong.
    pub(crate) fn check(&self) -> Result<()> {
        check_credential("token", &self.token)?;
        if !self.token.expose_secret().bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong("token", "it has characters that no merchant token has"));
        }
        check_credential("secret", &self.secret)?;
        for secret in &self.verification_secrets {
            check_credential("verification_secrets", secret)?;
        }
        check_base("base_url", &self.base_url)?;
        if !REFERENCE_LENGTHS.contains(&self.reference_length) {
            return Err(wrong("reference_length", "12 to 64 characters fit"));
        }
        if !PAGE_MINUTES.contains(&self.page_minutes) {
            return Err(wrong("page_minutes", "the bank has 2 to 10 minutes"));
        }
        if let Some(id) = &self.merchant_id
            && (id.is_empty() || id.len() > 32 || !id.bytes().all(|b| b.is_ascii_alphanumeric()))
        {
            return Err(wrong("merchant_id", "it is not 1 to 32 letters and digits"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> GolomtEcommerceConfig {
        GolomtEcommerceConfig::new("planted-token".into(), "planted-secret".into())
    }

    #[test]
    fn good_settings_are_taken() {
        for base in
            [PRODUCTION, "http://127.0.0.1:4001", "http://localhost:4001/", "https://bank.example:8443/test"]
        {
            let config = GolomtEcommerceConfig { base_url: Url::parse(base).unwrap(), ..config() };
            assert!(config.check().is_ok(), "{base}");
        }
        let mut config = config();
        (config.reference_length, config.page_minutes) = (12, 2);
        assert!(config.check().is_ok());
        (config.reference_length, config.page_minutes) = (64, 10);
        assert!(config.check().is_ok());
    }

    #[test]
    fn bad_settings_are_named() {
        let url = |text| Url::parse(text).unwrap();
        let cases: [(GolomtEcommerceConfig, &str); 16] = [
            (GolomtEcommerceConfig { token: "".into(), ..config() }, "token"),
            (GolomtEcommerceConfig { token: "planted\n".into(), ..config() }, "token"),
            (GolomtEcommerceConfig { token: "pla nted".into(), ..config() }, "token"),
            (GolomtEcommerceConfig { token: "төлбөр".into(), ..config() }, "token"),
            (GolomtEcommerceConfig { secret: "".into(), ..config() }, "secret"),
            (GolomtEcommerceConfig { secret: " planted".into(), ..config() }, "secret"),
            (GolomtEcommerceConfig { secret: "planted\n".into(), ..config() }, "secret"),
            (
                GolomtEcommerceConfig { verification_secrets: vec!["".into()], ..config() },
                "verification_secrets",
            ),
            (GolomtEcommerceConfig { base_url: url("http://bank.example"), ..config() }, "base_url"),
            (GolomtEcommerceConfig { base_url: url("ftp://127.0.0.1"), ..config() }, "base_url"),
            (GolomtEcommerceConfig { base_url: url("https://a@bank.example"), ..config() }, "base_url"),
            (GolomtEcommerceConfig { base_url: url("https://bank.example/?a"), ..config() }, "base_url"),
            (GolomtEcommerceConfig { reference_length: 11, ..config() }, "reference_length"),
            (GolomtEcommerceConfig { reference_length: 65, ..config() }, "reference_length"),
            (GolomtEcommerceConfig { page_minutes: 11, ..config() }, "page_minutes"),
            (GolomtEcommerceConfig { merchant_id: Some("a b".into()), ..config() }, "merchant_id"),
        ];
        for (config, field) in cases {
            let error = config.check().unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Configuration, Some(field)));
            assert!(!format!("{error} {error:?} {config:?}").contains("planted"));
        }
    }
}
