//! The object that an application holds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::sync::{Notify, broadcast};
use tulbur_core::{
    AccountName, Clock, ErrorKind, FlowInfo, IdSource, OperationRef, OperationState, OrderRef, Provider,
    ProviderInfo, RandomIds, Timestamp, Url, is_loopback,
};

use crate::ask::AskSlot;
use crate::error::{Error, Result, StoreError};
use crate::event::{AttentionItem, Event, EventHandler, History};
use crate::observe;
use crate::operation::OperationRecord;
use crate::pace::{Gate, Pace, gates};
use crate::probe::{Point, Probe};
use crate::record::{Card, CustomerRef, Order, OrderRecord, PageSecret, PaymentId, PaymentRecord};
use crate::schedule::Schedule;
use crate::seal::SealingKeys;
use crate::store::{Changes, Find, InboxEntry, Store};
use crate::transition::{Fact, Situation, transition};

/// Payments whose decisions can be made at the same time, in one process.
const TURNS: usize = 1024;

/// Durable payments. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Payments(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) accounts: BTreeMap<AccountName, Arc<dyn Provider>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) keys: SealingKeys,
    pub(crate) public_url: Url,
    pub(crate) schedule: Schedule,
    pub(crate) handlers: Vec<(String, Arc<dyn EventHandler>)>,
    pub(crate) probe: Option<Arc<dyn Probe>>,
    /// Which payments changed, for those who watch.
    pub(crate) changed: broadcast::Sender<PaymentId>,
    /// That the worker has something to do.
    pub(crate) wake: Notify,
    /// Ids of the payments and operations whose answer this process is waiting for; others' are taken over.
    pub(crate) in_flight: Mutex<HashSet<String>>,
    pub(crate) asks: Mutex<HashMap<PaymentId, Arc<AskSlot>>>,
    /// What holds questions back, by account.
    pub(crate) gates: BTreeMap<AccountName, Gate>,
    /// Decisions about one payment follow each other in this process, so that a thousand deliveries of one
    /// notification do not read, decide and conflict a thousand times. Other processes are kept apart by versions.
    turns: [tokio::sync::Mutex<()>; TURNS],
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
    probe: Option<Arc<dyn Probe>>,
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

    /// With a handler for events. Its name is stored, so that it is not called again for an event that it did.
    #[must_use]
    pub fn handler(mut self, name: impl Into<String>, handler: Arc<dyn EventHandler>) -> Self {
        self.handlers.push((name.into(), handler));
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
        if let Some(account) = self.paces.keys().find(|account| !accounts.contains_key(*account)) {
            return Err(refuse(
                "accounts",
                format!("there is a pace for account `{account}`, and no such account"),
            ));
        }
        Ok(Payments(Arc::new(Inner {
            gates: gates(accounts.keys(), self.pace, &self.paces),
            store: self.store,
            accounts,
            clock: self.clock,
            ids: self.ids,
            keys: self.keys,
            public_url,
            schedule: self.schedule,
            handlers: self.handlers,
            probe: self.probe,
            changed: broadcast::channel(1024).0,
            wake: Notify::new(),
            in_flight: Mutex::default(),
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
            probe: None,
        }
    }

    /// Where the web adapter is reached from outside; it ends with `/`.
    pub fn public_url(&self) -> &Url {
        &self.0.public_url
    }

    /// What the injected clock says.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
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

    /// Strikes an item off the list, by its key, once a person has dealt with it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not on the list.
    pub async fn resolve(&self, key: &str) -> Result<()> {
        if self.0.store.resolve_attention(key, self.now()).await? {
            Ok(())
        } else {
            Err(Error::NotFound(format!("open item `{key}`")))
        }
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
        let text = self.0.keys.open_text(&format!("page/{}", record.id), &record.sealed_secret)?;
        PageSecret::parse(&text).ok_or_else(|| Error::Sealed("it is no page secret".into()))
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

    pub(crate) async fn load(&self, id: &PaymentId) -> Result<PaymentRecord> {
        let payment = self.store.payment(Find::Id(id)).await?;
        payment.ok_or_else(|| Error::NotFound(format!("payment `{id}`")))
    }

    pub(crate) fn reached(&self, point: Point) {
        if let Some(probe) = &self.probe {
            probe.reached(point);
        }
    }

    /// Applies a fact about a payment, with the delivery that told it.
    pub(crate) async fn apply(
        &self,
        id: &PaymentId,
        fact: &Fact,
        delivery: Option<&InboxEntry>,
    ) -> Result<PaymentRecord> {
        let payment = self.load(id).await?;
        self.decide(payment.into(), None, fact, delivery).await
    }

    /// The only way by which a payment or an operation changes: reads it, lets [`transition`] decide, commits, and
    /// decides anew if somebody else was first. It begins with what its caller has read.
    pub(crate) async fn decide(
        &self,
        mut read: AsRead,
        operation: Option<&OperationRef>,
        fact: &Fact,
        delivery: Option<&InboxEntry>,
    ) -> Result<PaymentRecord> {
        const TRIES: usize = 50;
        let id = read.payment.id.clone();
        let hash = Sha256::digest(id.as_str().as_bytes());
        let _turn = self.turns[usize::from(u16::from_be_bytes([hash[0], hash[1]])) % TURNS].lock().await;
        for tried in 0..TRIES {
            if tried > 0 {
                read = self.load(&id).await?.into();
            }
            let AsRead { payment, order } = read.clone();
            let order = match (order, payment.order()) {
                (None, Some(order)) => self.store.order_record(order).await?,
                (order, _) => order,
            };
            let operation = match operation {
                Some(operation) => self.store.operation(operation).await?,
                None => None,
            };
            let mut changes = transition(
                &Situation {
                    order: order.as_ref(),
                    payment: &payment,
                    operation: operation.as_ref(),
                    flow: self.flow(&payment)?,
                    schedule: &self.schedule,
                    now: self.clock.now(),
                    new_id: &|| self.ids.uuid_v7(),
                },
                fact.clone(),
            );
            changes.inbox.extend(delivery.map(|delivery| InboxEntry {
                note: format!("{}; {}", delivery.note, effect(&payment, &changes)),
                ..delivery.clone()
            }));
            if changes.payments.is_empty() && changes.inbox.is_empty() {
                return Ok(payment);
            }
            let after = changes.payments.first().map(|after| {
                // What a store does to a record that it takes.
                PaymentRecord { version: after.version + 1, ..after.clone() }
            });
            let lost = changes.payments.iter().any(|after| {
                after.operation == OperationState::Unknown && payment.operation != after.operation
            });
            let settled: Vec<OperationRecord> = changes
                .operations
                .iter()
                .filter(|after| operation.as_ref().is_none_or(|before| before.state != after.state))
                .cloned()
                .collect();
            match (self.commit(changes).await, after) {
                (Ok(()), Some(after)) => {
                    if lost {
                        observe::unknown(&payment.account);
                    }
                    settled.iter().for_each(observe::operation);
                    let _ = self.changed.send(id.clone());
                    self.wake.notify_one();
                    return Ok(after);
                }
                (Ok(()), None) => return Ok(payment),
                (Err(StoreError::Conflict), _) => tokio::task::yield_now().await,
                (Err(error), _) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    pub(crate) async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        let kinds: Vec<&'static str> = changes.events.iter().map(|event| event.kind.name()).collect();
        let began = Instant::now();
        let result = self.store.commit(changes).await;
        observe::commit(&result, began);
        result?;
        for kind in kinds {
            observe::event(kind);
        }
        Ok(())
    }

    pub(crate) fn is_in_flight(&self, id: &str) -> bool {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Waits for this long, by the injected clock.
    pub(crate) async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }
}

/// What came of a delivery, for a person.
fn effect(before: &PaymentRecord, changes: &Changes) -> String {
    let after = changes.payments.first().map_or(before, |after| after);
    if after.status != before.status {
        return format!("the payment was {} and became {}", before.status, after.status);
    }
    if let Some((item, _)) = changes.attention.first() {
        return format!("not applied, and listed for a person ({})", item.kind);
    }
    if after.ask_at.is_some() && after.ask_at != before.ask_at {
        return "the provider is asked".to_owned();
    }
    "nothing new".to_owned()
}

/// A payment as it was read, and its order if that was read with it.
#[derive(Debug, Clone)]
pub(crate) struct AsRead {
    pub(crate) payment: PaymentRecord,
    pub(crate) order: Option<OrderRecord>,
}

impl From<PaymentRecord> for AsRead {
    fn from(payment: PaymentRecord) -> Self {
        Self { payment, order: None }
    }
}

/// A write that this process is waiting for, as long as this lives.
pub(crate) struct Flight(Arc<Inner>, String);

impl Flight {
    pub(crate) fn start(inner: &Arc<Inner>, id: &str) -> Self {
        inner.in_flight.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
        Self(Arc::clone(inner), id.to_owned())
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}
