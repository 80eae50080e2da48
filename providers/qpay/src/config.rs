//! The settings of an account, and what is checked of them.

use serde::Deserialize;
use tulbur_core::wire::check_base;
use tulbur_core::{Accept, Error, ErrorKind, ExposeSecret, Result, SecretString, Url, check_credential};

/// Where QPay answers in production (DOC, QC, QG, WC, QPL, PB).
pub const PRODUCTION: &str = "https://merchant.qpay.mn";
/// Where it answers for tests (OFF, DOC, QC, QG). Whether production's credentials work there differs by source.
pub const SANDBOX: &str = "https://merchant-sandbox.qpay.mn";

/// The most characters of an invoice code (OAS).
const LONGEST_CODE: usize = 45;

/// The settings of one account at QPay.
///
/// ```toml
/// [accounts.qpay]
/// username = "…"       # all three from QPay, after the contract
/// password = "…"
/// invoice_code = "…"
/// ```
///
/// `Debug` shows no secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct QPayConfig {
    /// The user name (`client_id`) of the login.
    pub username: SecretString,
    /// The password (`client_secret`) of the login.
    pub password: SecretString,
    /// The code that stands in every invoice; at most 45 characters, upper and lower case differ.
    pub invoice_code: String,
    /// The second code, which QPay hands out for invoices with a VAT receipt (TPA). Invoices with
    /// [`vat`](crate::QPayOptions::vat) carry it; the first one if not set.
    #[serde(default)]
    pub vat_invoice_code: Option<String>,
    /// Where QPay answers, without `/v2`: `https`, or plain `http` on this machine. [`PRODUCTION`] if not set.
    #[serde(default = "production")]
    pub base_url: Url,
    /// The weakest evidence that this account works with. `inferred` adds cancelling a card payment
    /// ([`QPay::cancel_payment`](crate::QPay::cancel_payment)).
    #[serde(default)]
    pub accept: Accept,
}

fn production() -> Url {
    Url::parse(PRODUCTION).expect("the constant is an address")
}

fn wrong(field: &'static str, why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, why).with_field(field)
}

fn check_code(field: &'static str, code: &str) -> Result<()> {
    let length = code.chars().count();
    if code.is_empty() || length > LONGEST_CODE {
        return Err(wrong(field, format!("it has {length} characters; QPay hands out 1 to {LONGEST_CODE}")));
    }
    if code.trim() != code || code.chars().any(char::is_control) {
        return Err(wrong(field, "it has white space around it, or control characters; copy it without"));
    }
    Ok(())
}

impl QPayConfig {
    /// The login and the invoice code, and defaults for the rest.
    pub fn new(username: SecretString, password: SecretString, invoice_code: impl Into<String>) -> Self {
        Self {
            username,
            password,
            invoice_code: invoice_code.into(),
            vat_invoice_code: None,
            base_url: production(),
            accept: Accept::default(),
        }
    }

    /// Checks what can be wrong.
    pub(crate) fn check(&self) -> Result<()> {
        check_credential("username", &self.username)?;
        // Basic authentication ends the name at the first colon (RFC 7617).
        if self.username.expose_secret().contains(':') {
            return Err(wrong("username", "it has a colon, which no login can carry"));
        }
        check_credential("password", &self.password)?;
        for (field, secret) in [("username", &self.username), ("password", &self.password)] {
            if secret.expose_secret().chars().any(char::is_control) {
                return Err(wrong(field, "it has control characters; copy it without"));
            }
        }
        check_code("invoice_code", &self.invoice_code)?;
        if let Some(code) = &self.vat_invoice_code {
            check_code("vat_invoice_code", code)?;
        }
        check_base("base_url", &self.base_url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> QPayConfig {
        QPayConfig::new("planted-name".into(), "planted:word".into(), "TEST_INVOICE")
    }

    #[test]
    fn good_settings_are_taken() {
        for base in [PRODUCTION, SANDBOX, "http://127.0.0.1:4004", "https://qpay.example:8443/test"] {
            let config = QPayConfig { base_url: Url::parse(base).unwrap(), ..config() };
            assert!(config.check().is_ok(), "{base}");
        }
        assert!(QPayConfig { vat_invoice_code: Some("TEST_VAT".into()), ..config() }.check().is_ok());
    }

    #[test]
    fn bad_settings_are_named() {
        let url = |text| Url::parse(text).unwrap();
        let cases: [(QPayConfig, &str); 12] = [
            (QPayConfig { username: "".into(), ..config() }, "username"),
            (QPayConfig { username: "planted:name".into(), ..config() }, "username"),
            (QPayConfig { username: "plant\ned".into(), ..config() }, "username"),
            (QPayConfig { password: "".into(), ..config() }, "password"),
            (QPayConfig { password: "planted\n".into(), ..config() }, "password"),
            (QPayConfig { password: "pla\nnted".into(), ..config() }, "password"),
            (QPayConfig { invoice_code: String::new(), ..config() }, "invoice_code"),
            (QPayConfig { invoice_code: "x".repeat(46), ..config() }, "invoice_code"),
            (QPayConfig { invoice_code: "CODE ".into(), ..config() }, "invoice_code"),
            (QPayConfig { vat_invoice_code: Some(String::new()), ..config() }, "vat_invoice_code"),
            (QPayConfig { base_url: url("http://qpay.example"), ..config() }, "base_url"),
            (QPayConfig { base_url: url("https://planted@qpay.example"), ..config() }, "base_url"),
        ];
        for (config, field) in cases {
            let error = config.check().unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Configuration, Some(field)));
            let printed = format!("{error} {error:?} {:?} {:?}", config.username, config.password);
            assert!(!printed.contains("planted"), "{printed}");
        }
    }
}
