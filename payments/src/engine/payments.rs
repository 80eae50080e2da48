//! The object that an application holds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{Notify, broadcast};
use tulbur_core::{
    AccountName, Clock, ErrorKind, FlowInfo, IdSource, OrderRef, Provider, ProviderInfo, QueryBy, RandomIds,
    Timestamp, Url, is_loopback,
};

use crate::engine::ask::AskSlot;
use crate::engine::deliveries::Deliverer;
use crate::engine::probe::{Point, Probe};
use crate::engine::refused::Refused;
use crate::engine::throttle::{Gate, Pace, gates};
use crate::engine::time::{OLD, Time};
use crate::error::{Error, Result};
use crate::model::event::{AttentionItem, Event, EventHandler, History};
use crate::model::record::{Card, CustomerRef, Order, PageSecret, PaymentId, PaymentRecord};
use crate::model::schedule::Schedule;
use crate::store::seal::SealingKeys;
use crate::store::{Find, InboxEntry, LongestWaits, Store};

/// Payments whose decisions can be made at the same time, in one process.
pub(crate) const TURNS: usize = 1024;

/// Durable payments. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Payments(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) accounts: BTreeMap<AccountName, Arc<dyn Provider>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) time: Time,
    pub(crate) longest: LongestWaits,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) keys: SealingKeys,
    pub(crate) public_url: Url,
    pub(crate) schedule: Schedule,
    pub(crate) deliverer: Deliverer,
    /// How long `run` goes on after it was to stop.
    pub(crate) stop_within: Duration,
    /// Whether `run` samples the numbers of the whole store.
    pub(crate) gauges: bool,
    pub(crate) probe: Option<Arc<dyn Probe>>,
    /// Which payments changed, for those who watch.
    pub(crate) changed: broadcast::Sender<PaymentId>,
    /// That the worker has something to do.
    pub(crate) wake: Notify,
    /// Ids of the payments and operations whose answer this process is waiting for; others' are taken over.
    pub(crate) in_flight: Mutex<HashSet<String>>,
    /// That one of them ended.
    pub(crate) landed: Notify,
    /// Accounts whose notifications count only once a query has confirmed them.
    pub(crate) confirm_first: HashSet<AccountName>,
    /// What bounds the work that refused notifications make.
    pub(crate) refused: Refused,
    pub(crate) asks: Mutex<HashMap<PaymentId, Arc<AskSlot>>>,
    /// What holds questions back, by account.
    pub(crate) gates: BTreeMap<AccountName, Gate>,
    /// Decisions about one payment follow each other in this process, so that a thousand deliveries of one
    /// notification do not read, decide and conflict a thousand times. Other processes are kept apart by versions.
    pub(crate) turns: [tokio::sync::Mutex<()>; TURNS],
}

impl fmt::Debug for Payments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payments")
            .field("accounts", &self.0.accounts.keys())
            .field("store", &self.0.store)
            .finish_non_exhaustive()
    }
}

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

    /// With a handler for events. Its name is stored with what it is to be told and what it did. It is registered by
    /// [`Payments::run`] or [`Payments::register_handlers`], and is told of everything that is committed from then on;
    /// the first handlers that a database ever has are told of everything before as well.
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
    /// ([`FlowInfo::confirm_before_paid`]).
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
            refused: Refused::default(),
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

    /// Where the web adapter is reached from outside; it ends with `/`.
    pub fn public_url(&self) -> &Url {
        &self.0.public_url
    }

    /// The time that counts: the database's, where its processes share one, or the machine's.
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// The configured accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountName> {
        self.0.accounts.keys()
    }

    /// What an account's provider is and can do.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such account.
    pub fn info(&self, account: &AccountName) -> Result<&ProviderInfo> {
        Ok(self.0.provider(account)?.info())
    }

    /// An account's provider as its own type, for what only that provider has.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such account, or it is of another type.
    pub fn provider<T: Provider>(&self, account: &AccountName) -> Result<&T> {
        let provider: &dyn std::any::Any = self.0.provider(account)?;
        provider
            .downcast_ref()
            .ok_or_else(|| Error::NotFound(format!("provider of this type behind account `{account}`")))
    }

    /// A payment or card set-up.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the database's.
    pub async fn payment(&self, id: &PaymentId) -> Result<PaymentRecord> {
        self.0.load(id).await
    }

    /// An order with its payments.
    ///
    /// # Errors
    /// The database's.
    pub async fn order(&self, order: &OrderRef) -> Result<Option<Order>> {
        Ok(self.0.store.order(order).await?)
    }

    /// The newest orders, newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn orders(&self, limit: u32) -> Result<Vec<Order>> {
        Ok(self.0.store.orders(limit).await?)
    }

    /// Everything that happened to an order, oldest first. It prints.
    ///
    /// # Errors
    /// The database's.
    pub async fn history(&self, order: &OrderRef) -> Result<History> {
        Ok(History(self.0.store.history(order).await?))
    }

    /// Everything that happened to one payment or card set-up, oldest first. It prints.
    ///
    /// # Errors
    /// The database's.
    pub async fn payment_history(&self, payment: &PaymentId) -> Result<History> {
        Ok(History(self.0.store.payment_history(payment).await?))
    }

    /// All events of an order, oldest first, delivered or not.
    ///
    /// # Errors
    /// The database's.
    pub async fn events(&self, order: &OrderRef) -> Result<Vec<Event>> {
        Ok(self.0.store.events(order).await?)
    }

    /// What waits for a person, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn attention(&self) -> Result<Vec<AttentionItem>> {
        Ok(self.0.store.attention().await?)
    }

    /// The newest deliveries, newest first: what became of each, and how often it came. What they said is sealed.
    ///
    /// # Errors
    /// The database's.
    pub async fn inbox(&self, limit: u32) -> Result<Vec<(InboxEntry, u32)>> {
        Ok(self.0.store.inbox(limit).await?)
    }

    /// A customer's saved cards, newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn cards(&self, customer: &CustomerRef) -> Result<Vec<Card>> {
        Ok(self.0.store.cards(customer).await?)
    }

    /// The payment or card set-up behind a payer's page.
    ///
    /// # Errors
    /// The database's.
    pub async fn page(&self, secret: &PageSecret) -> Result<Option<PaymentRecord>> {
        Ok(self.0.store.payment(Find::SecretHash(&secret_hash(secret))).await?)
    }

    /// The secret of a payment's pages. Give it to the payer only.
    ///
    /// # Errors
    /// [`Error::Sealed`] when the key that sealed it is not configured.
    pub fn page_secret(&self, record: &PaymentRecord) -> Result<PageSecret> {
        self.0.page_secret_of(record)
    }

    /// The address of a payment's checkout page.
    ///
    /// # Errors
    /// As [`Payments::page_secret`].
    pub fn checkout_url(&self, record: &PaymentRecord) -> Result<Url> {
        let secret = self.page_secret(record)?;
        Ok(self.0.url(&format!("checkout/{}", secret.expose())))
    }

    /// The address of a payment's result page.
    ///
    /// # Errors
    /// As [`Payments::page_secret`].
    pub fn result_url(&self, record: &PaymentRecord) -> Result<Url> {
        let secret = self.page_secret(record)?;
        Ok(self.0.url(&format!("checkout/{}/result", secret.expose())))
    }
}

/// What is stored of a page secret, to find the page by it.
pub(crate) fn secret_hash(secret: &PageSecret) -> String {
    hex::encode(Sha256::digest(secret.expose().as_bytes()))
}

impl Inner {
    pub(crate) fn provider(&self, account: &AccountName) -> Result<&dyn Provider> {
        self.accounts.get(account).map(|provider| &**provider).ok_or_else(|| {
            Error::NotFound(format!("account `{account}`; configured are: {}", self.account_list()))
        })
    }

    fn account_list(&self) -> String {
        let names: Vec<&str> = self.accounts.keys().map(AccountName::as_str).collect();
        if names.is_empty() { "none".into() } else { names.join(", ") }
    }

    pub(crate) fn flow<'a>(&'a self, payment: &PaymentRecord) -> Result<&'a FlowInfo> {
        let info = self.provider(&payment.account)?.info();
        info.flow(&payment.reference.flow).ok_or_else(|| {
            Error::NotFound(format!("flow `{}` of account `{}`", payment.reference.flow, payment.account))
        })
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        self.public_url
            .join(path)
            .expect("a path of letters, digits, hyphens and slashes joins a base address")
    }

    pub(crate) fn page_secret_of(&self, record: &PaymentRecord) -> Result<PageSecret> {
        let text = self.keys.open_text(&format!("page/{}", record.id), &record.sealed_secret)?;
        PageSecret::parse(&text).ok_or_else(|| Error::Sealed("it is no page secret".into()))
    }

    pub(crate) async fn load(&self, id: &PaymentId) -> Result<PaymentRecord> {
        let payment = self.store.payment(Find::Id(id)).await?;
        payment.ok_or_else(|| Error::NotFound(format!("payment `{id}`")))
    }

    pub(crate) fn reached(&self, point: Point) {
        if let Some(probe) = &self.probe {
            probe.reached(point);
        }
    }

    pub(crate) fn is_in_flight(&self, id: &str) -> bool {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Waits for this long, by the injected clock.
    pub(crate) async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }
}
