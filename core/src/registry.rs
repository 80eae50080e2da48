//! Registers provider crates, so that an application finds them by their id.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use crate::clock::Clock;
use crate::config::AccountConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::http::HttpTransport;
use crate::ids::IdSource;
use crate::info::ProviderInfo;
use crate::keys::Scheme;
use crate::proof::AccountKeys;
use crate::provider::Provider;
use crate::reference::{AccountName, ProviderId, RefRule};

/// What a provider is given when it is built: the ports.
#[derive(Debug, Clone)]
pub struct BuildEnv {
    /// How it reaches its other side.
    pub transport: Arc<dyn HttpTransport>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Arc<dyn IdSource>,
    account: Option<AccountConfig>,
}

impl BuildEnv {
    /// From the three ports, for a provider whose settings are given in code.
    pub fn new(transport: Arc<dyn HttpTransport>, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { transport, clock, ids, account: None }
    }

    /// The account's keys, which prove what notifications say. The first secret signs; any of them checks.
    ///
    /// `rule` is the account's rule for references ([`ProviderInfo::ref_rule`]).
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when there is no secret, one is empty, or one is not a setting of the account that
    /// is being built: a secret that a provider made up would prove anything.
    pub fn keys<'a>(
        &self,
        scheme: Scheme,
        secrets: impl IntoIterator<Item = &'a SecretString>,
        rule: &RefRule,
    ) -> Result<AccountKeys> {
        let secrets: Vec<&SecretString> = secrets.into_iter().collect();
        if let Some(account) = &self.account
            && !secrets.iter().all(|secret| secret.expose_secret().is_empty() || account.holds(secret))
        {
            let why = "the provider brings a secret that is not one of this account's settings";
            return Err(Error::new(ErrorKind::Configuration, why).with_field("secret"));
        }
        AccountKeys::new(scheme, &secrets, rule)
    }
}

/// Makes a provider from its settings. Each provider crate has one, and registers it.
pub trait ProviderFactory {
    /// The provider's id, e.g. `golomt-ecommerce`.
    const ID: &'static str;
    /// The provider's settings, as they stand in TOML.
    type Config: DeserializeOwned;

    /// What the provider is and can do, told without credentials and with default settings.
    fn describe() -> ProviderInfo;

    /// The provider as configured.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when the settings contradict each other or miss something.
    fn build(account: &AccountName, config: Self::Config, env: &BuildEnv) -> Result<Arc<dyn Provider>>;
}

/// A factory with its types erased.
#[derive(Clone, Copy)]
pub struct Registration {
    id: &'static str,
    describe: fn() -> ProviderInfo,
    build: fn(&AccountConfig, &BuildEnv) -> Result<Arc<dyn Provider>>,
}

impl Registration {
    /// Erases a factory. [`register_provider!`](crate::register_provider) calls this.
    pub const fn of<F: ProviderFactory>() -> Self {
        Self {
            id: F::ID,
            describe: F::describe,
            build: |account, env| {
                let env = BuildEnv { account: Some(account.clone()), ..env.clone() };
                F::build(account.name(), account.read()?, &env)
            },
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registration({})", self.id)
    }
}

inventory::collect!(Registration);

/// Registers a provider with every application that links this crate.
///
/// ```
/// # use std::sync::Arc;
/// # use tulbur_core::{AccountName, BuildEnv, Provider, ProviderFactory, ProviderInfo, Registry, Result};
/// struct MyBankFactory;
///
/// impl ProviderFactory for MyBankFactory {
///     const ID: &'static str = "my-bank";
/// #   type Config = ();
/// #   fn describe() -> ProviderInfo {
/// #       unreachable!()
/// #   }
/// #   fn build(_: &AccountName, _: (), _: &BuildEnv) -> Result<Arc<dyn Provider>> {
/// #       unreachable!()
/// #   }
///     // ...
/// }
///
/// tulbur_core::register_provider!(MyBankFactory);
///
/// assert_eq!(Registry::linked()?.ids()[0].as_str(), "my-bank");
/// # Ok::<(), tulbur_core::Error>(())
/// ```
///
/// A crate that nothing names is not linked: an application says once `use my_bank as _;`. Where link-time
/// registration does not work at all, [`Registry::with`] does it by hand.
#[macro_export]
macro_rules! register_provider {
    ($factory:ty) => {
        $crate::__inventory::submit! { $crate::Registration::of::<$factory>() }
    };
}

/// The providers that an application knows.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    providers: BTreeMap<&'static str, Registration>,
}

impl Registry {
    /// What the linked crates registered.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when two crates registered one id.
    pub fn linked() -> Result<Self> {
        inventory::iter::<Registration>
            .into_iter()
            .try_fold(Self::default(), |registry, one| registry.add(*one))
    }

    /// Nothing.
    pub fn empty() -> Self {
        Self::default()
    }

    /// With one more provider, registered by hand.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when the id is taken.
    pub fn with<F: ProviderFactory>(self) -> Result<Self> {
        self.add(Registration::of::<F>())
    }

    fn add(mut self, registration: Registration) -> Result<Self> {
        ProviderId::parse(registration.id)?;
        if self.providers.insert(registration.id, registration).is_some() {
            return Err(Error::new(
                ErrorKind::Configuration,
                format!(
                    "two providers call themselves `{}`; link only one of the crates, and only one version of it",
                    registration.id
                ),
            ));
        }
        Ok(self)
    }

    /// The ids, sorted.
    pub fn ids(&self) -> Vec<ProviderId> {
        self.providers.keys().filter_map(|id| ProviderId::parse(*id).ok()).collect()
    }

    /// What each provider is and can do, told without credentials.
    pub fn describe(&self) -> Vec<ProviderInfo> {
        self.providers.values().map(|registration| (registration.describe)()).collect()
    }

    /// Builds an account's provider.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for an id that is not linked (listing what is, and what usually is the reason)
    /// or settings that do not fit.
    pub fn build(&self, account: &AccountConfig, env: &BuildEnv) -> Result<Arc<dyn Provider>> {
        let Some(registration) = self.providers.get(account.provider().as_str()) else {
            let linked: Vec<&str> = self.providers.keys().copied().collect();
            let linked = if linked.is_empty() { "none".to_owned() } else { linked.join(", ") };
            return Err(Error::new(
                ErrorKind::Configuration,
                format!(
                    "account `{}` names a provider that is not linked (linked: {linked}). Either its cargo feature \
                     is off, or its crate is never named: write `use its_crate as _;` once in the application, or \
                     register it with Registry::with",
                    account.name()
                ),
            )
            .with_field("provider"));
        };
        (registration.build)(account, env)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::clock::{ManualClock, Timestamp};
    use crate::http::NoNetwork;
    use crate::ids::SequenceIds;
    use crate::money::Currency;
    use crate::reference::{Alphabet, RefRule};

    #[derive(Debug)]
    struct Bank(ProviderInfo);

    impl Provider for Bank {
        fn info(&self) -> &ProviderInfo {
            &self.0
        }
    }

    struct BankFactory;

    #[derive(Deserialize)]
    struct BankConfig {
        secret: SecretString,
        #[serde(default)]
        old_secrets: Vec<SecretString>,
        #[serde(default)]
        careless: bool,
    }

    impl ProviderFactory for BankFactory {
        const ID: &'static str = "bank";
        type Config = BankConfig;

        fn describe() -> ProviderInfo {
            let rule = RefRule::new(Alphabet::Digits, 8..=8);
            let (id, account) = (ProviderId::parse("bank").unwrap(), AccountName::parse("bank").unwrap());
            ProviderInfo::new(id, account, "Bank", Currency::MNT, rule)
        }

        fn build(_: &AccountName, config: BankConfig, env: &BuildEnv) -> Result<Arc<dyn Provider>> {
            let info = Self::describe();
            env.keys(
                Scheme::HmacSha256,
                [&config.secret].into_iter().chain(&config.old_secrets),
                &info.ref_rule,
            )?;
            if config.careless {
                let own = SecretString::from("the author's own");
                env.keys(Scheme::SaltedSha256, [&config.secret, &own], &info.ref_rule)?;
            }
            Ok(Arc::new(Bank(info)))
        }
    }

    register_provider!(BankFactory);

    fn env() -> BuildEnv {
        let clock = ManualClock::new(Timestamp::from_millis(0));
        BuildEnv::new(Arc::new(NoNetwork), Arc::new(clock), Arc::new(SequenceIds::default()))
    }

    fn account(provider: &str) -> AccountConfig {
        AccountConfig::new(AccountName::parse("till").unwrap(), ProviderId::parse(provider).unwrap())
    }

    #[test]
    fn linked_providers_are_found_and_built() {
        let registry = Registry::linked().unwrap();
        assert_eq!(registry.ids(), [ProviderId::parse("bank").unwrap()]);
        assert_eq!(registry.describe()[0].name, "Bank");
        assert!(registry.build(&account("bank").with("secret", "s"), &env()).is_ok());
        let missing = registry.build(&account("bank"), &env()).unwrap_err().to_string();
        assert!(missing.contains("till") && missing.contains("secret"), "{missing}");
    }

    #[test]
    fn only_the_secrets_of_the_account_become_its_keys() {
        let registry = Registry::linked().unwrap();
        let build = |account: &AccountConfig| registry.build(account, &env());
        let account = account("bank").with("secret", "s, with a comma").with("old_secrets", "a, b");
        assert!(build(&account).is_ok());
        let error = build(&account.with("careless", "true")).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Configuration, Some("secret")));
        assert!(!error.to_string().contains("own"), "{error}");
        let toml = "accounts.bank = { secret = 's', old_secrets = ['a', 'b'] }";
        let accounts = crate::config::accounts_from(Some(toml), [], &[]).unwrap();
        assert!(build(&accounts[0]).is_ok());
    }

    #[test]
    fn one_id_is_one_provider() {
        let error = Registry::linked().unwrap().with::<BankFactory>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(Registry::empty().with::<BankFactory>().is_ok());
    }

    #[test]
    fn an_unknown_id_lists_what_is_linked_and_what_to_do() {
        let message = Registry::linked().unwrap().build(&account("other"), &env()).unwrap_err().to_string();
        for part in ["`till`", "linked: bank", "feature", "use its_crate as _", "Registry::with"] {
            assert!(message.contains(part), "{message}");
        }
    }
}
