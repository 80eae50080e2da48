//! The settings of an account, and what is checked of them.

use serde::Deserialize;
use tulbur_core::wire::{check_address, check_base};
use tulbur_core::{
    Accept, Currency, Error, ErrorKind, ExposeSecret, Result, SecretString, Url, check_credential,
};

use crate::codes::Method;

/// Where the gateway answers in production (D: payment-solution/general-integration-steps).
pub const PRODUCTION: &str = "https://secure.galaxypay.vn";
/// Where it answers for acceptance tests (the same page). Key and salt differ from production's.
pub const UAT: &str = "https://uat-secure.galaxypay.vn";
/// The script of the modal checkout for acceptance tests, as one public client loads it (DOC). Production's is unknown.
pub const UAT_CHECKOUT_SCRIPT: &str =
    "https://uat-stc.galaxypay.vn/checkout/vietjet/script-modal.js?version=20230710";

/// What is made of the `signature` header of an answer.
///
/// The documents name the header and not its formula. **Assumed** is the formula of requests: SHA-256 over the body and
/// the salt. No public client checks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResponseSignature {
    /// It is not looked at.
    Off,
    /// It is checked where there is one. One that does not fit is logged as a warning and counted
    /// ([`GalaxyPay::response_signatures`](crate::GalaxyPay::response_signatures)), and the answer is used: it came
    /// over TLS, and refusing it on a guess would leave every payment unknown.
    #[default]
    Lenient,
    /// It must be there and fit, or the answer is not used; but 401 is believed, because a wrong salt cannot check who
    /// says so. The 2023 guide lists no such header for a query.
    Strict,
}

/// The JSON type of `ipnStatus` in the reply to a notification, which no document states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpnStatusType {
    /// `"200"`. The guide calls the field Alphanumeric (G 2.7.2), and the one client that replies so sends a text (W24).
    #[default]
    String,
    /// `200`. That client's own type declares a number.
    Number,
}

/// The settings of one account at the gateway.
///
/// ```toml
/// [accounts.galaxy-pay]
/// api_key = "…"     # both from Galaxy Pay, one pair per environment
/// salt = "…"
/// ```
///
/// `Debug` shows no secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GalaxyPayConfig {
    /// The merchant's API key: sent with every call, opaque.
    pub api_key: SecretString,
    /// The merchant's salt: signs every call, and checks notifications and returns.
    pub salt: SecretString,
    /// Further salts by which notifications may be signed, while Galaxy Pay changes from one to another.
    #[serde(default)]
    pub verification_salts: Vec<SecretString>,
    /// **Weak.** Takes salts with fewer than 16 characters. A notification and a return show a text and its hash with the salt,
    /// and a return passes through the payer's browser: a short salt is found from one of them in seconds, without asking
    /// anybody, and its finder signs whatever they like. Ask Galaxy Pay for a longer one.
    #[serde(default)]
    pub accept_short_salt: bool,
    /// Whether what a signed notification or return says is confirmed by a query before the order is told that it is paid.
    /// On, because the signature is a hash that anybody can try salts against. A payment link cannot be asked about, so its
    /// notification counts by itself.
    #[serde(default = "confirm_before_paid")]
    pub confirm_before_paid: bool,
    /// Where the gateway answers: `https`, or plain `http` on this machine. [`PRODUCTION`] if not set.
    #[serde(default = "production")]
    pub base_url: Url,
    /// The currencies that the account takes, the first being the one of payment links; VND if not set.
    ///
    /// Amounts of other currencies are written with the decimals of ISO 4217 (USD two, JPY none). No document states
    /// that rule: it is **assumed** from the official sample's form (NET).
    #[serde(default = "currencies")]
    pub currencies: Vec<Currency>,
    /// The version of notifications that is asked for, 1 or 2; 2 if not set (D: api-specification/payment/pay).
    #[serde(default = "api_version")]
    pub api_version: u8,
    /// The kind of the cards that are saved here, if all are of one kind: `DOMESTIC`, `INTERNATIONAL` or `WALLET`.
    /// Charging a saved card must name it; without this setting each charge does, by its options.
    #[serde(default)]
    pub token_method: Option<Method>,
    /// The script of the modal checkout. Without it the modal is not offered. For acceptance tests:
    /// [`UAT_CHECKOUT_SCRIPT`].
    #[serde(default)]
    pub checkout_script: Option<Url>,
    /// What is made of the signature of answers.
    #[serde(default)]
    pub response_signature: ResponseSignature,
    /// How `ipnStatus` is written in replies to notifications.
    #[serde(default)]
    pub ipn_status: IpnStatusType,
    /// The weakest evidence that this account works with. `inferred` adds holding money, capture, void, removing a
    /// customer's linked card, and lets a payment link's notification prove that it was paid.
    #[serde(default)]
    pub accept: Accept,
}

fn production() -> Url {
    Url::parse(PRODUCTION).expect("the constant is an address")
}

fn currencies() -> Vec<Currency> {
    vec![Currency::VND]
}

fn confirm_before_paid() -> bool {
    true
}

/// A salt has to have so many characters: with 95 to choose from, that is as good as a key of 105 bits.
const SALT_LENGTH: usize = 16;

/// Refuses a salt that can be found by trying.
fn check_length(setting: &'static str, salt: &SecretString) -> Result<()> {
    if salt.expose_secret().chars().count() < SALT_LENGTH {
        let why = "it has fewer than 16 characters, so that it can be found from one notification; ask Galaxy Pay for a \
                   longer one, or set accept_short_salt and know that payments can be forged";
        return Err(wrong(setting, why));
    }
    Ok(())
}

fn api_version() -> u8 {
    2
}

fn wrong(field: &'static str, why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, why).with_field(field)
}

impl GalaxyPayConfig {
    /// The two credentials, and defaults for the rest.
    pub fn new(api_key: SecretString, salt: SecretString) -> Self {
        Self {
            api_key,
            salt,
            verification_salts: Vec::new(),
            accept_short_salt: false,
            confirm_before_paid: confirm_before_paid(),
            base_url: production(),
            currencies: currencies(),
            api_version: api_version(),
            token_method: None,
            checkout_script: None,
            response_signature: ResponseSignature::default(),
            ipn_status: IpnStatusType::default(),
            accept: Accept::default(),
        }
    }

    /// The salts by which messages are signed; the first is the account's own.
    pub(crate) fn salts(&self) -> impl Iterator<Item = &SecretString> {
        std::iter::once(&self.salt).chain(&self.verification_salts)
    }

    /// Checks what can be wrong.
    pub(crate) fn check(&self) -> Result<()> {
        check_credential("api_key", &self.api_key)?;
        if !self.api_key.expose_secret().bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong("api_key", "it has characters that no header can carry"));
        }
        check_credential("salt", &self.salt)?;
        for salt in &self.verification_salts {
            check_credential("verification_salts", salt)?;
        }
        if !self.accept_short_salt {
            check_length("salt", &self.salt)?;
            self.verification_salts.iter().try_for_each(|salt| check_length("verification_salts", salt))?;
        }
        check_base("base_url", &self.base_url)?;
        if let Some(script) = &self.checkout_script {
            check_address("checkout_script", script)?;
        }
        if self.currencies.is_empty() {
            return Err(wrong("currencies", "it is empty; leave it out for VND"));
        }
        if !(1..=2).contains(&self.api_version) {
            return Err(wrong("api_version", "the gateway has 1 and 2"));
        }
        if let Some(method) = &self.token_method
            && !method.can_have_tokens()
        {
            return Err(wrong("token_method", "cards are DOMESTIC, INTERNATIONAL or WALLET"));
        }
        Ok(())
    }

    /// Whether what is only inferred is offered.
    pub(crate) fn accepts_inferred(&self) -> bool {
        self.accept == Accept::Inferred
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> GalaxyPayConfig {
        GalaxyPayConfig::new("planted.key".into(), "planted@salt-123".into())
    }

    #[test]
    fn good_settings_are_taken() {
        for base in [PRODUCTION, UAT, "http://127.0.0.1:4003", "https://gateway.example:8443/test"] {
            let config = GalaxyPayConfig { base_url: Url::parse(base).unwrap(), ..config() };
            assert!(config.check().is_ok(), "{base}");
        }
        let mut config = config();
        config.checkout_script = Some(Url::parse(UAT_CHECKOUT_SCRIPT).unwrap());
        config.token_method = Some(Method::Domestic);
        config.api_version = 1;
        assert!(config.check().is_ok());
    }

    #[test]
    fn a_salt_that_can_be_found_by_trying_is_refused() {
        let refused = |config: GalaxyPayConfig| {
            let error = config.check().unwrap_err();
            assert!(error.to_string().contains("accept_short_salt"), "{error}");
            assert!(!error.to_string().contains("planted"), "{error}");
            error.field().map(str::to_owned)
        };
        // The salt of the guide's own samples, and one character less than enough, whatever its bytes.
        for short in ["GO@2021", "planted@salt-12", "\u{1ea1}\u{1ea1}\u{1ea1}\u{1ea1}\u{1ea1}\u{1ea1}"] {
            let config = GalaxyPayConfig { salt: short.into(), ..config() };
            assert_eq!(refused(config.clone()).as_deref(), Some("salt"));
            assert!(GalaxyPayConfig { accept_short_salt: true, ..config }.check().is_ok());
        }
        let config = GalaxyPayConfig { verification_salts: vec!["planted".into()], ..config() };
        assert_eq!(refused(config).as_deref(), Some("verification_salts"));
    }

    #[test]
    fn bad_settings_are_named() {
        let url = |text| Url::parse(text).unwrap();
        let cases: [(GalaxyPayConfig, &str); 15] = [
            (GalaxyPayConfig { api_key: "".into(), ..config() }, "api_key"),
            (GalaxyPayConfig { api_key: "planted\n".into(), ..config() }, "api_key"),
            (GalaxyPayConfig { api_key: "pla nted".into(), ..config() }, "api_key"),
            (GalaxyPayConfig { salt: "".into(), ..config() }, "salt"),
            (GalaxyPayConfig { salt: " planted".into(), ..config() }, "salt"),
            (
                GalaxyPayConfig { verification_salts: vec!["planted ".into()], ..config() },
                "verification_salts",
            ),
            (GalaxyPayConfig { base_url: url("http://gateway.example"), ..config() }, "base_url"),
            (GalaxyPayConfig { base_url: url("ftp://127.0.0.1"), ..config() }, "base_url"),
            (GalaxyPayConfig { base_url: url("https://a@gateway.example"), ..config() }, "base_url"),
            (GalaxyPayConfig { base_url: url("https://gateway.example/?a"), ..config() }, "base_url"),
            (
                GalaxyPayConfig { checkout_script: Some(url("http://script.example/a.js")), ..config() },
                "checkout_script",
            ),
            (GalaxyPayConfig { currencies: vec![], ..config() }, "currencies"),
            (GalaxyPayConfig { api_version: 0, ..config() }, "api_version"),
            (GalaxyPayConfig { api_version: 3, ..config() }, "api_version"),
            (GalaxyPayConfig { token_method: Some(Method::Qr), ..config() }, "token_method"),
        ];
        for (config, field) in cases {
            let error = config.check().unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Configuration, Some(field)));
            assert!(!format!("{error} {error:?} {config:?}").contains("planted"));
        }
    }
}
