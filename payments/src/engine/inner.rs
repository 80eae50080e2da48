//! Holds the state that all files of the engine share: accounts, store, clock, and the work under way in this process.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{Notify, broadcast};
use tulbur_core::{AccountName, Clock, FlowInfo, IdSource, Provider, Timestamp, Url};

use crate::engine::deliverer::Deliverer;
use crate::engine::probe::{Point, Probe};
use crate::engine::refusals::Refusals;
use crate::engine::spacing::AskSlot;
use crate::engine::throttle::Gate;
use crate::engine::time::{A_TURN_OLD, OLD, Time};
use crate::error::{Error, Result};
use crate::model::record::{PageSecret, PaymentId, PaymentRecord};
use crate::model::schedule::Schedule;
use crate::store::seal::{Place, SealingKeys};
use crate::store::{Find, LongestWaits, Store};

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
    pub(crate) refusals: Refusals,
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
        let text = self.keys.open_text(&Place::of_payment(record), &record.sealed_secret)?;
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

    /// The time that decides.
    pub(crate) fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// Samples the time, before something is decided by it.
    pub(crate) async fn refresh_time(&self) {
        self.time.refresh(|| self.store.time(), OLD).await;
    }

    /// Samples the time, and clamps what is stored when it fell behind, and once at the start: what was written by a clock
    /// that was ahead would stand still for as long as it was ahead.
    pub(crate) async fn turn_of_time(&self) {
        self.time.refresh(|| self.store.time(), A_TURN_OLD).await;
        if !self.time.is_clamp_due() {
            return;
        }
        match self.store.clamp_times(self.now(), &self.longest).await {
            Ok(0) => {}
            Ok(moved) => tracing::warn!(
                moved,
                "leases and due times lay too far ahead, by a wrong clock; they were moved"
            ),
            Err(error) => {
                tracing::error!(%error, "leases and due times could not be looked at; trying again");
                return;
            }
        }
        self.time.note_clamped();
    }
}
