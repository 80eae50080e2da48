//! The settings of an account, and what is checked of them.

use std::time::Duration;

use serde::Deserialize;
use tulbur_core::wire::check_base;
use tulbur_core::{Accept, Error, ErrorKind, Result, SecretString, Url, check_credential};

/// Where the bank answers in production, as R-erxes has it in all generations.
pub const PRODUCTION: &str = "https://instore.golomtbank.com";

/// The digits of a terminal number (page D-qr).
const TERMINAL: usize = 8;
/// The waiting times that can be set.
const MINUTES: std::ops::RangeInclusive<u64> = 1..=1440;

/// The settings of one account at the bank, which is one terminal.
///
/// ```toml
/// [accounts.till-1]
/// provider = "golomt-instore"
/// terminal = "…"     # both from the bank, after the contract
/// secret = "…"
/// ```
///
/// `Debug` shows no secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GolomtInstoreConfig {
    /// The terminal's number: 8 digits. Every call and every push names it.
    pub terminal: String,
    /// The merchant's secret: signs every call. Its characters are the key as they are.
    pub secret: SecretString,
    /// Further secrets by which pushes may be signed, while the bank changes from one to another.
    #[serde(default)]
    pub verification_secrets: Vec<SecretString>,
    /// Where the bank answers: `https`, or plain `http` on this machine. [`PRODUCTION`] if not set.
    #[serde(default = "production")]
    pub base_url: Url,
    /// How long the shop waits for a payer, in minutes, 1 to 1440; not set by default.
    ///
    /// This is the shop's own wish: how long the bank keeps a QR or a phone invoice is **unknown**, and it is not told
    /// this either. It gives the payer's page its countdown. Money that comes later is still found.
    #[serde(default)]
    pub wait_minutes: Option<u64>,
    /// The weakest evidence that this account works with. Everything offered here is documented or observed.
    #[serde(default)]
    pub accept: Accept,
}

fn production() -> Url {
    Url::parse(PRODUCTION).expect("the constant is an address")
}

fn wrong(field: &'static str, why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, why).with_field(field)
}

impl GolomtInstoreConfig {
    /// The terminal and its secret, and defaults for the rest.
    pub fn new(terminal: impl Into<String>, secret: SecretString) -> Self {
        Self {
            terminal: terminal.into(),
            secret,
            verification_secrets: Vec::new(),
            base_url: production(),
            wait_minutes: None,
            accept: Accept::default(),
        }
    }

    pub(crate) fn wait(&self) -> Option<Duration> {
        self.wait_minutes.map(|minutes| Duration::from_secs(minutes * 60))
    }

    /// The secrets by which messages are signed; the first is the account's own.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        std::iter::once(&self.secret).chain(&self.verification_secrets)
    }

    /// Checks what can be wrong.
    pub(crate) fn check(&self) -> Result<()> {
        if self.terminal.len() != TERMINAL || !self.terminal.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong("terminal", "it is not the 8 digits that the bank's terminal numbers have"));
        }
        check_credential("secret", &self.secret)?;
        for secret in &self.verification_secrets {
            check_credential("verification_secrets", secret)?;
        }
        check_base("base_url", &self.base_url)?;
        if self.wait_minutes.is_some_and(|minutes| !MINUTES.contains(&minutes)) {
            return Err(wrong("wait_minutes", "1 to 1440 minutes (a day) can be waited"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> GolomtInstoreConfig {
        GolomtInstoreConfig::new("13161272", "planted-secret".into())
    }

    #[test]
    fn good_settings_are_taken() {
        assert!(config().check().is_ok());
        let base_url = Url::parse("http://127.0.0.1:4002").unwrap();
        let set = GolomtInstoreConfig { base_url, wait_minutes: Some(1440), ..config() };
        assert!(set.check().is_ok());
        assert_eq!(set.wait(), Some(Duration::from_hours(24)));
    }

    #[test]
    fn bad_settings_are_named() {
        let url = |text| Url::parse(text).unwrap();
        let terminal = |text: &str| GolomtInstoreConfig { terminal: text.into(), ..config() };
        for (config, field) in [
            (terminal(""), "terminal"),
            (terminal("1316127"), "terminal"),
            (terminal("131612720"), "terminal"),
            (terminal("1316127a"), "terminal"),
            (terminal(" 1316127"), "terminal"),
            (GolomtInstoreConfig { secret: "".into(), ..config() }, "secret"),
            (GolomtInstoreConfig { secret: " planted".into(), ..config() }, "secret"),
            (GolomtInstoreConfig { secret: "planted\n".into(), ..config() }, "secret"),
            (
                GolomtInstoreConfig { verification_secrets: vec!["planted\t".into()], ..config() },
                "verification_secrets",
            ),
            (GolomtInstoreConfig { base_url: url("http://bank.example"), ..config() }, "base_url"),
            (GolomtInstoreConfig { wait_minutes: Some(0), ..config() }, "wait_minutes"),
            (GolomtInstoreConfig { wait_minutes: Some(1441), ..config() }, "wait_minutes"),
        ] {
            let error = config.check().unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Configuration, Some(field)));
            assert!(!format!("{error} {error:?} {config:?}").contains("planted"));
        }
    }
}
