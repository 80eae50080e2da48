//! Puts [`Payments`] together, and checks that its parts fit.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};
use tulbur_core::{AccountName, Clock, ErrorKind, IdSource, Provider, QueryBy, RandomIds, Url, is_loopback};

use crate::engine::deliverer::Deliverer;
use crate::engine::inner::{Inner, Payments};
use crate::engine::probe::Probe;
use crate::engine::refusals::Refusals;
use crate::engine::throttle::{Pace, gates};
use crate::engine::time::{OLD, Time};
use crate::error::{Error, Result};
use crate::model::event::EventHandler;
use crate::model::schedule::Schedule;
use crate::store::seal::SealingKeys;
use crate::store::{LongestWaits, Store};

/// Puts [`Payments`] together.
pub struct PaymentsBuilder {
    store: Arc<dyn Store>,
    accounts: Vec<Arc<dyn Provider>>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    keys: SealingKeys,
    public_url: Url,
    schedule: Schedule,
    pace: Pace,
    paces: BTreeMap<AccountName, Pace>,
    handlers: Vec<(String, Arc<dyn EventHandler>)>,
    handler_limit: Duration,
    stop_within: Duration,
    gauges: bool,
    probe: Option<Arc<dyn Probe>>,
    confirm_first: HashSet<AccountName>,
}

impl fmt::Debug for PaymentsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaymentsBuilder").field("accounts", &self.accounts).finish_non_exhaustive()
    }
}

impl PaymentsBuilder {
    /// With a provider's account.
    #[must_use]
    pub fn account(mut self, provider: Arc<dyn Provider>) -> Self {
        self.accounts.push(provider);
        self
    }

    /// Adds a handler for events. Its name is stored with its deliveries. [`Payments::run`] or
    /// [`Payments::register_handlers`] registers it. It then receives every event that is committed after its
    /// registration. The first handlers of a database also receive all earlier events.
    #[must_use]
    pub fn handler(mut self, name: impl Into<String>, handler: Arc<dyn EventHandler>) -> Self {
        self.handlers.push((name.into(), handler));
        self
    }

    /// How long a handler may take for one event; five minutes if this is not called. After that it is aborted at its
    /// next `await`, and has failed.
    #[must_use]
    pub fn handler_limit(mut self, limit: Duration) -> Self {
        self.handler_limit = limit;
        self
    }

    /// How long [`Payments::run`] goes on with what it has begun after it was to stop; thirty seconds if this is not
    /// called. Handlers that are not done by then are aborted, and called again by the next process.
    #[must_use]
    pub fn stop_within(mut self, time: Duration) -> Self {
        self.stop_within = time;
        self
    }

    /// Turns off the gauges of the whole store: the background work does not read them. Use it in a process without a
    /// metrics collector. [`Payments::sample_metrics`] still reads them.
    #[must_use]
    pub fn without_gauges(mut self) -> Self {
        self.gauges = false;
        self
    }

    /// With other waiting times.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// With another pace of questions, for every account that has none of its own.
    #[must_use]
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// With another pace of questions to one account.
    #[must_use]
    pub fn account_pace(mut self, account: AccountName, pace: Pace) -> Self {
        self.paces.insert(account, pace);
        self
    }

    /// With another source of ids.
    #[must_use]
    pub fn ids(mut self, ids: Arc<dyn IdSource>) -> Self {
        self.ids = ids;
        self
    }

    /// With *confirm before paid* for one account: a signed notification makes us ask, and only the provider's answer to
    /// that question makes a payment paid. A flow may ask for it by itself
    /// ([`FlowInfo::confirm_before_paid`](tulbur_core::FlowInfo::confirm_before_paid)).
    #[must_use]
    pub fn confirm_before_paid(mut self, account: AccountName) -> Self {
        self.confirm_first.insert(account);
        self
    }

    /// With a probe, for tests that end the process at a named point.
    #[must_use]
    pub fn probe(mut self, probe: Arc<dyn Probe>) -> Self {
        self.probe = Some(probe);
        self
    }

    /// Checks everything and starts.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when an account or handler name stands twice, the public address is neither
    /// `https` nor this machine's, or payments that are still watched belong to an account that is not configured.
    pub async fn build(self) -> Result<Payments> {
        let refuse = |field: &'static str, why: String| {
            Error::Provider(tulbur_core::Error::new(ErrorKind::Configuration, why).with_field(field))
        };
        let mut public_url = self.public_url;
        if public_url.scheme() != "https" && !(public_url.scheme() == "http" && is_loopback(&public_url)) {
            return Err(refuse(
                "public_url",
                "it must be https (http is allowed only for this machine)".into(),
            ));
        }
        if !public_url.path().ends_with('/') {
            let path = format!("{}/", public_url.path());
            public_url.set_path(&path);
        }
        let mut accounts: BTreeMap<AccountName, Arc<dyn Provider>> = BTreeMap::new();
        for provider in self.accounts {
            let name = provider.info().account.clone();
            if accounts.insert(name.clone(), provider).is_some() {
                return Err(refuse("accounts", format!("two accounts are called `{name}`")));
            }
        }
        let mut names = HashSet::new();
        if let Some((twice, _)) = self.handlers.iter().find(|(name, _)| !names.insert(name.as_str())) {
            return Err(refuse("handlers", format!("two handlers are called `{twice}`")));
        }
        let is_no_name = |name: &str| name.is_empty() || name.len() > 100 || name.contains(['/', '\0']);
        if let Some(name) = names.iter().find(|name| is_no_name(name)) {
            let why =
                format!("`{name}` is no name: it must have 1 to 100 bytes, and neither `/` nor a zero byte");
            return Err(refuse("handlers", why));
        }
        for account in self.store.watched_accounts().await? {
            if !accounts.contains_key(&account) {
                return Err(refuse(
                    "accounts",
                    format!(
                        "the database has payments of account `{account}` that are not finished, and it is not \
                         configured; configure it until they are"
                    ),
                ));
            }
        }
        for account in &self.confirm_first {
            let provider = accounts.get(account).ok_or_else(|| {
                refuse(
                    "accounts",
                    format!("account `{account}` is to confirm before paid, and there is no such account"),
                )
            })?;
            if let Some(flow) = provider.info().flows.iter().find(|flow| flow.query_by == QueryBy::Nothing) {
                return Err(refuse(
                    "accounts",
                    format!(
                        "account `{account}` is to confirm before paid, and its flow `{}` cannot be asked about",
                        flow.flow
                    ),
                ));
            }
        }
        if let Some(account) = self.paces.keys().find(|account| !accounts.contains_key(*account)) {
            return Err(refuse(
                "accounts",
                format!("there is a pace for account `{account}`, and no such account"),
            ));
        }
        let flows = accounts.values().flat_map(|provider| &provider.info().flows);
        let longest = LongestWaits::new(&self.schedule, flows);
        let time = Time::new(Arc::clone(&self.clock));
        time.refresh(|| self.store.time(), OLD).await;
        Ok(Payments(Arc::new(Inner {
            time,
            longest,
            gates: gates(accounts.keys(), self.pace, &self.paces),
            store: self.store,
            accounts,
            clock: self.clock,
            ids: self.ids,
            keys: self.keys,
            public_url,
            schedule: self.schedule,
            deliverer: Deliverer::new(self.handlers, self.handler_limit),
            stop_within: self.stop_within,
            gauges: self.gauges,
            probe: self.probe,
            changed: broadcast::channel(1024).0,
            wake: Notify::new(),
            in_flight: Mutex::default(),
            landed: Notify::new(),
            confirm_first: self.confirm_first,
            refusals: Refusals::default(),
            asks: Mutex::default(),
            turns: std::array::from_fn(|_| tokio::sync::Mutex::new(())),
        })))
    }
}

impl Payments {
    /// Begins to put one together.
    ///
    /// `public_url` is where the web adapter is reached from outside: payers' pages, returns and notifications
    /// stand below it.
    pub fn builder(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        keys: SealingKeys,
        public_url: Url,
    ) -> PaymentsBuilder {
        PaymentsBuilder {
            store,
            accounts: Vec::new(),
            clock,
            ids: Arc::new(RandomIds),
            keys,
            public_url,
            schedule: Schedule::default(),
            pace: Pace::default(),
            paces: BTreeMap::new(),
            handlers: Vec::new(),
            handler_limit: Duration::from_mins(5),
            stop_within: Duration::from_secs(30),
            gauges: true,
            probe: None,
            confirm_first: HashSet::new(),
        }
    }
}
