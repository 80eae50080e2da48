//! An account's settings: from code, TOML or the environment, as one serde struct per provider.
//!
//! No error here ever quotes a value: any of them may be a secret in the wrong place.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};

use crate::error::{Error, ErrorKind, Result};
use crate::reference::{AccountName, ProviderId, ReferenceError};

/// One account: its name, its provider, and settings that are not read yet.
///
/// `Debug` shows the names of the settings, not their values.
#[derive(Clone)]
pub struct AccountConfig {
    name: AccountName,
    provider: ProviderId,
    values: BTreeMap<String, Setting>,
}

impl AccountConfig {
    /// An account without settings.
    pub fn new(name: AccountName, provider: ProviderId) -> Self {
        Self { name, provider, values: BTreeMap::new() }
    }

    /// With a setting, written as it would stand in the environment.
    #[must_use]
    pub fn with(mut self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.insert(field.into(), Setting::Text(value.into()));
        self
    }

    /// The account's name.
    pub fn name(&self) -> &AccountName {
        &self.name
    }

    /// Its provider.
    pub fn provider(&self) -> &ProviderId {
        &self.provider
    }

    /// Whether a secret is one of the settings, or one in a list or a table of them.
    pub(crate) fn holds(&self, secret: &SecretString) -> bool {
        self.values.values().any(|setting| match setting {
            // As a list is read: separated by commas.
            Setting::Text(text) => {
                text == secret.expose_secret()
                    || text.split(',').any(|part| part.trim() == secret.expose_secret())
            }
            Setting::Toml(value) => holds(value, secret.expose_secret()),
        })
    }

    /// Reads the settings as a provider's own struct.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`], naming the setting but never its value.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        let fields = self.values.iter().map(|(name, value)| (name.as_str(), Named { name, value }));
        T::deserialize(MapDeserializer::new(fields)).map_err(|problem: Problem| {
            Error::new(ErrorKind::Configuration, format!("account `{}`: {}", self.name, problem.0))
        })
    }
}

impl fmt::Debug for AccountConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.values.keys().map(String::as_str).collect();
        f.debug_struct("AccountConfig")
            .field("name", &self.name)
            .field("provider", &self.provider)
            .field("settings", &names)
            .finish()
    }
}

fn holds(value: &toml::Value, secret: &str) -> bool {
    match value {
        toml::Value::String(text) => text == secret,
        toml::Value::Array(items) => items.iter().any(|item| holds(item, secret)),
        toml::Value::Table(table) => table.values().any(|item| holds(item, secret)),
        _ => false,
    }
}

/// The accounts that TOML and the environment name together.
///
/// TOML has a table per account; the environment sets or replaces single settings:
///
/// ```toml
/// [accounts.web-shop]
/// provider = "golomt-ecommerce"   # may be left out where the account has the provider's name
/// token = "…"
/// ```
/// ```text
/// TULBUR_WEB_SHOP_SECRET=…
/// ```
///
/// An account that TOML does not name exists if `TULBUR_<ACCOUNT>_PROVIDER` names its provider, or if a setting
/// is given under the id of one of the `known` providers.
///
/// # Errors
/// [`ErrorKind::Configuration`] for TOML that cannot be read (with its line) or an account without a provider.
pub fn accounts_from(
    toml: Option<&str>,
    environment: impl IntoIterator<Item = (String, String)>,
    known: &[ProviderId],
) -> Result<Vec<AccountConfig>> {
    let mut accounts = toml.map_or_else(|| Ok(BTreeMap::new()), from_toml)?;
    let environment: BTreeMap<String, String> =
        environment.into_iter().filter(|(name, _)| name.starts_with("TULBUR_")).collect();
    for (name, value) in &environment {
        let account = name.strip_prefix("TULBUR_").and_then(|name| name.strip_suffix("_PROVIDER"));
        if let Some(account) = account.filter(|account| !account.is_empty()) {
            let refuse = |why: &ReferenceError| configuration(format!("`{name}`: {why}"));
            let account = AccountName::parse(account.to_ascii_lowercase().replace('_', "-"))
                .map_err(|why| refuse(&why))?;
            let provider = ProviderId::parse(value.clone()).map_err(|why| refuse(&why))?;
            let new = AccountConfig::new(account.clone(), provider.clone());
            accounts.entry(account).or_insert(new).provider = provider;
        }
    }
    for provider in known {
        let account = AccountName::parse(provider.as_str())?;
        if environment.keys().any(|name| name.starts_with(&prefix(&account))) {
            accounts.entry(account.clone()).or_insert_with(|| AccountConfig::new(account, provider.clone()));
        }
    }
    // The longest name wins, so that `till` does not take what is meant for `till-10`.
    let mut prefixes: Vec<(String, AccountName)> =
        accounts.keys().map(|name| (prefix(name), name.clone())).collect();
    prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    for (name, value) in environment {
        let Some((prefix, account)) = prefixes.iter().find(|(prefix, _)| name.starts_with(prefix)) else {
            continue;
        };
        let field = name[prefix.len()..].to_ascii_lowercase();
        if field != "provider"
            && let Some(account) = accounts.get_mut(account)
        {
            account.values.insert(field, Setting::Text(value));
        }
    }
    Ok(accounts.into_values().collect())
}

fn prefix(account: &AccountName) -> String {
    format!("TULBUR_{}_", account.as_str().to_ascii_uppercase().replace('-', "_"))
}

fn configuration(message: String) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

fn from_toml(text: &str) -> Result<BTreeMap<AccountName, AccountConfig>> {
    // The library's own message quotes the line, which may hold a secret.
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        let line = e.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        configuration(format!("the TOML cannot be read; look near line {line}"))
    })?;
    let mut accounts = BTreeMap::new();
    let Some(entries) = table.get("accounts") else { return Ok(accounts) };
    let entries = entries.as_table().ok_or_else(|| configuration("`accounts` must be a table".into()))?;
    for (name, settings) in entries {
        let refuse =
            |why: ReferenceError| configuration(format!("`accounts.{}`: {why}", name.escape_debug()));
        let name = AccountName::parse(name.clone()).map_err(refuse)?;
        let settings = settings
            .as_table()
            .ok_or_else(|| configuration(format!("`accounts.{name}` must be a table of settings")))?;
        let provider = match settings.get("provider") {
            Some(toml::Value::String(id)) => ProviderId::parse(id.clone())
                .map_err(|why| configuration(format!("`accounts.{name}.provider`: {why}")))?,
            Some(_) => return Err(configuration(format!("`accounts.{name}.provider` must be a text"))),
            None => ProviderId::parse(name.as_str())?,
        };
        let mut account = AccountConfig::new(name.clone(), provider);
        account.values = settings
            .iter()
            .filter(|(field, _)| *field != "provider")
            .map(|(field, value)| (field.clone(), Setting::Toml(value.clone())))
            .collect();
        accounts.insert(name, account);
    }
    Ok(accounts)
}

#[derive(Clone)]
enum Setting {
    Text(String),
    Toml(toml::Value),
}

/// A deserialisation error that names what was expected and never what was found.
#[derive(Debug)]
struct Problem(String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}

impl Problem {
    fn expected(what: &str) -> Self {
        Self(format!("expected {what}"))
    }
}

/// What a type says of its own accord is not passed on: most quote what they were given, some shortened or escaped.
impl serde::de::Error for Problem {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self("its value is not one that this setting can have".into())
    }
    fn invalid_length(_: usize, expected: &dyn serde::de::Expected) -> Self {
        Self(format!("expected {expected}"))
    }
    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self(format!("unknown field `{field}`, expected one of {}", expected.join(", ")))
    }
    fn missing_field(field: &'static str) -> Self {
        Self(format!("missing field `{field}`"))
    }
    fn duplicate_field(field: &'static str) -> Self {
        Self(format!("duplicate field `{field}`"))
    }
    fn invalid_type(_: serde::de::Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Self(format!("expected {expected}"))
    }
    fn invalid_value(_: serde::de::Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Self(format!("expected {expected}"))
    }
    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(format!("expected one of {}", expected.join(", ")))
    }
}

/// A setting that knows its name, for messages.
#[derive(Clone, Copy)]
struct Named<'a> {
    name: &'a str,
    value: &'a Setting,
}

impl Named<'_> {
    fn refuse(self, problem: &Problem) -> Problem {
        Problem(format!("setting `{}`: {problem}", self.name))
    }

    fn parse<T: std::str::FromStr>(self, text: &str, expected: &str) -> Result<T, Problem> {
        text.trim().parse().map_err(|_| self.refuse(&Problem::expected(expected)))
    }
}

impl IntoDeserializer<'_, Problem> for Named<'_> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $kind:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
            match self.value {
                Setting::Text(text) => visitor.$visit(self.parse::<$kind>(text, "a whole number")?),
                Setting::Toml(_) => self.deserialize_any(visitor),
            }
            .map_err(|problem: Problem| if problem.0.contains(self.name) { problem } else { self.refuse(&problem) })
        }
    )*};
}

impl<'de> Deserializer<'de> for Named<'_> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let result = match self.value {
            Setting::Text(text) | Setting::Toml(toml::Value::String(text)) => visitor.visit_str(text),
            Setting::Toml(toml::Value::Integer(number)) => visitor.visit_i64(*number),
            Setting::Toml(toml::Value::Boolean(flag)) => visitor.visit_bool(*flag),
            Setting::Toml(toml::Value::Array(items)) => {
                let items: Vec<Setting> = items.iter().cloned().map(Setting::Toml).collect();
                visitor.visit_seq(SeqDeserializer::new(
                    items.iter().map(|value| Named { name: self.name, value }),
                ))
            }
            Setting::Toml(toml::Value::Table(table)) => {
                let items: Vec<(String, Setting)> =
                    table.iter().map(|(name, value)| (name.clone(), Setting::Toml(value.clone()))).collect();
                let items = items.iter().map(|(name, value)| (name.as_str(), Named { name, value }));
                visitor.visit_map(MapDeserializer::new(items))
            }
            Setting::Toml(toml::Value::Float(_) | toml::Value::Datetime(_)) => {
                Err(Problem("floats and dates are not used; write a text or a whole number".into()))
            }
        };
        result.map_err(
            |problem: Problem| {
                if problem.0.starts_with("setting `") { problem } else { self.refuse(&problem) }
            },
        )
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.value {
            Setting::Text(text) => visitor.visit_bool(self.parse(text, "true or false")?),
            Setting::Toml(_) => self.deserialize_any(visitor),
        }
    }

    numbers!(
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64
    );

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    /// In the environment a list is separated by commas; one value is a list of one.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.value {
            Setting::Text(text) => {
                let items: Vec<Setting> =
                    text.split(',').map(|item| Setting::Text(item.trim().to_owned())).collect();
                visitor.visit_seq(SeqDeserializer::new(
                    items.iter().map(|value| Named { name: self.name, value }),
                ))
            }
            Setting::Toml(toml::Value::Array(_)) => self.deserialize_any(visitor),
            Setting::Toml(_) => visitor.visit_seq(SeqDeserializer::new(std::iter::once(self))),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let text = match self.value {
            Setting::Text(text) | Setting::Toml(toml::Value::String(text)) => text.as_str(),
            Setting::Toml(_) => return Err(self.refuse(&Problem::expected("a word"))),
        };
        visitor.visit_enum(text.into_deserializer()).map_err(|problem: Problem| self.refuse(&problem))
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier
        ignored_any
    }
}

#[cfg(test)]
mod tests {
    use secrecy::{ExposeSecret, SecretString};
    use serde::Deserialize;

    use super::*;
    use crate::evidence::Accept;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        token: SecretString,
        #[serde(default)]
        secrets: Vec<SecretString>,
        #[serde(default)]
        accept: Accept,
        minutes: Option<u32>,
        #[serde(default)]
        flag: bool,
        #[serde(default)]
        #[expect(dead_code, reason = "only what is said of it is tested")]
        address: Option<url::Url>,
        #[serde(default)]
        #[expect(dead_code, reason = "only what is said of it is tested")]
        currency: Option<crate::money::Currency>,
    }

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn known() -> Vec<ProviderId> {
        vec![ProviderId::parse("golomt-ecommerce").unwrap()]
    }

    #[test]
    fn toml_and_environment_make_one_account() {
        let toml = "[accounts.web]\nprovider = \"golomt-ecommerce\"\ntoken = \"t\"\nminutes = 5\nsecrets = [\"a\", \"b\"]";
        let vars = env(&[("TULBUR_WEB_TOKEN", "from-env"), ("TULBUR_WEB_FLAG", "true"), ("OTHER", "x")]);
        let accounts = accounts_from(Some(toml), vars, &known()).unwrap();
        let sample: Sample = accounts[0].read().unwrap();
        assert_eq!(sample.token.expose_secret(), "from-env");
        assert_eq!((sample.minutes, sample.flag, sample.secrets.len()), (Some(5), true, 2));
        assert!(!format!("{accounts:?}").contains("from-env"));
    }

    #[test]
    fn the_environment_alone_is_enough_and_the_longest_name_wins() {
        let vars = env(&[
            ("TULBUR_GOLOMT_ECOMMERCE_TOKEN", "123"),
            ("TULBUR_GOLOMT_ECOMMERCE_ACCEPT", "inferred"),
            ("TULBUR_GOLOMT_ECOMMERCE_SECRETS", "x, y"),
            ("TULBUR_TILL_PROVIDER", "bank"),
            ("TULBUR_TILL_10_PROVIDER", "bank"),
            ("TULBUR_TILL_10_TOKEN", "ten"),
        ]);
        let accounts = accounts_from(None, vars, &known()).unwrap();
        let names: Vec<&str> = accounts.iter().map(|a| a.name().as_str()).collect();
        assert_eq!(names, ["golomt-ecommerce", "till", "till-10"]);
        let sample: Sample = accounts[0].read().unwrap();
        assert_eq!(sample.token.expose_secret(), "123");
        assert_eq!((sample.accept, sample.secrets.len()), (Accept::Inferred, 2));
        assert!(accounts[1].values.is_empty());
    }

    #[test]
    fn errors_name_the_setting_and_never_its_value() {
        let fail = |toml: &str| {
            let accounts = match accounts_from(Some(toml), [], &known()) {
                Ok(accounts) => accounts,
                Err(error) => return error.to_string(),
            };
            accounts[0].read::<Sample>().unwrap_err().to_string()
        };
        let bank = "[accounts.bank]\ntoken = \"planted\"\n";
        for (toml, word) in [
            (format!("{bank}minutes = \"planted\""), "minutes"),
            ("[accounts.bank]\ntoken = 424242".to_owned(), "token"),
            (format!("{bank}accept = \"planted\""), "accept"),
            (format!("{bank}flag = \"planted\""), "flag"),
            (format!("{bank}unheard = \"planted\""), "unheard"),
            ("[accounts.bank]\nminutes = 1".to_owned(), "token"),
            (format!("{bank}secret = planted"), "line 3"),
            (format!("{bank}address = \"planted\""), "address"),
            (format!("{bank}address = \"http://planted:x\""), "address"),
            (format!("{bank}currency = \"planted\""), "currency"),
            (format!("{bank}currency = \"PLA\""), "an ISO 4217 currency code"),
            (format!("{bank}secrets = [424242]"), "secrets"),
            (format!("{bank}minutes = 424242.5"), "minutes"),
            (format!("{bank}provider = \"Planted planted\""), "accounts.bank.provider"),
            (format!("{bank}provider = 424242"), "accounts.bank.provider"),
            ("accounts = \"planted\"".to_owned(), "accounts"),
            ("[accounts]\nbank = \"planted\"".to_owned(), "accounts.bank"),
            ("[accounts.Bank]\ntoken = \"planted\"".to_owned(), "accounts.Bank"),
        ] {
            let message = fail(&toml);
            assert!(message.contains(word), "{message}");
            let lower = message.to_lowercase();
            assert!(!lower.contains("pla") && !lower.contains("424242"), "{message}");
        }
        let vars =
            env(&[("TULBUR_GOLOMT_ECOMMERCE_TOKEN", "t"), ("TULBUR_GOLOMT_ECOMMERCE_MINUTES", "planted")]);
        let message =
            accounts_from(None, vars, &known()).unwrap()[0].read::<Sample>().unwrap_err().to_string();
        assert!(message.contains("minutes") && !message.contains("planted"), "{message}");
        let vars = env(&[("TULBUR_TILL_PROVIDER", "Planted")]);
        let message = accounts_from(None, vars, &known()).unwrap_err().to_string();
        assert!(message.contains("`TULBUR_TILL_PROVIDER`") && !message.contains("Planted"), "{message}");
    }
}
