//! One provider's room in the sandbox: its state, settings, notifications and log, and the desk a plug-in works at.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use crate::clock::Timestamp;
use crate::error::SandboxError;
use crate::fault::{self, Fault, FaultKind};
use crate::log::RequestLog;
use crate::plugin::{ActionRequest, PaymentRecord, Plugin, PluginState, Profile, RequestHead, Tamper};
use crate::push::{Attempt, Notification, Push, PushState, Ticket};
use crate::records::Records;
use crate::vault::{Vault, lock};

/// What people and tests have set for a provider.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) push_address: Option<String>,
    pub(crate) switches: BTreeMap<String, String>,
    pub(crate) faults: Vec<Fault>,
    next_fault: u64,
    next_push: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct RoomState<S> {
    settings: Settings,
    pushes: Records<u64, Push>,
    plugin: S,
}

pub(crate) struct Room<S> {
    plugin: Arc<dyn Plugin<State = S>>,
    profile: Profile,
    base_url: String,
    state: Mutex<RoomState<S>>,
    vault: Arc<Vault>,
    log: RequestLog,
    added: Notify,
    progress: watch::Sender<u64>,
}

/// What a plug-in works at: its state, the host's clock, its switches, and the sending of notifications.
///
/// Cloning it is cheap; clones are the same desk.
pub struct Desk<S> {
    room: Arc<Room<S>>,
}

impl<S> Clone for Desk<S> {
    fn clone(&self) -> Self {
        Self { room: Arc::clone(&self.room) }
    }
}

impl<S> fmt::Debug for Desk<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("provider", &self.room.profile.id).finish_non_exhaustive()
    }
}

impl<S: PluginState> Desk<S> {
    /// The host's present time.
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// The address of this provider, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.room.base_url
    }

    /// The value of one of the profile's switches. A name that the profile does not list is empty text.
    pub fn switch(&self, id: &str) -> String {
        switch_value(&self.room.profile, &lock(&self.room.state).settings, id)
    }

    /// Looks at the state. Do not wait for anything inside.
    pub fn read<R>(&self, look: impl FnOnce(&S) -> R) -> R {
        look(&lock(&self.room.state).plugin)
    }

    /// Changes the state. When this returns, the change is in the state file; an answer that depends on it may leave.
    ///
    /// # Errors
    ///
    /// [`SandboxError::StateFile`] if it could not be written (the change then stands in memory only, and the honest
    /// answer is a 500), [`SandboxError::Stopped`] when the sandbox was dropped.
    pub fn update<R>(&self, change: impl FnOnce(&mut Transaction<'_, S>) -> R) -> Result<R, SandboxError> {
        self.room.update(change)
    }

    /// Waits until a notification has been tried once, but not longer than `most`. Says whether it was.
    pub async fn wait_for_push(&self, ticket: &Ticket, most: Duration) -> bool {
        let mut progress = self.room.progress.subscribe();
        let tried = async {
            loop {
                progress.borrow_and_update();
                let waiting = {
                    let state = lock(&self.room.state);
                    ticket
                        .ids
                        .iter()
                        .filter_map(|id| state.pushes.get(id))
                        .any(|push| push.state == PushState::Waiting && push.attempts.is_empty())
                };
                if !waiting || progress.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(most, tried).await.is_ok()
    }
}

/// A change of a provider's state that is written as one.
pub struct Transaction<'a, S> {
    room: &'a Room<S>,
    state: &'a mut RoomState<S>,
    now: Timestamp,
}

impl<S> fmt::Debug for Transaction<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("provider", &self.room.profile.id).finish_non_exhaustive()
    }
}

impl<S: PluginState> Transaction<'_, S> {
    /// The state as it is.
    pub fn state(&self) -> &S {
        &self.state.plugin
    }

    /// The state, to be changed.
    pub fn state_mut(&mut self) -> &mut S {
        &mut self.state.plugin
    }

    /// The moment of this change.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The value of one of the profile's switches. A name that the profile does not list is empty text.
    pub fn switch(&self, id: &str) -> String {
        switch_value(&self.room.profile, &self.state.settings, id)
    }

    /// Whether a fault of this kind is waiting for a notification about this payment.
    pub fn push_fault_waits(&self, kind: FaultKind, reference: &str) -> bool {
        self.state.settings.faults.iter().any(|fault| {
            fault.kind == kind && fault.reference.as_deref().is_none_or(|wanted| wanted == reference)
        })
    }

    /// Makes the notification about a payment as it is now and queues it, with whatever faults are waiting for it.
    ///
    /// It goes out by itself once the change is on disk. The ticket is for [`Desk::wait_for_push`]; there is none if
    /// nobody should wait, because it was lost or is late on purpose, or because nobody has set a push address.
    pub fn push(&mut self, reference: &str) -> Option<Ticket> {
        // Counted down only once there is a notification to strike.
        let mut left = self.state.settings.faults.clone();
        let faults = fault::take_for_push(&mut left, reference);
        let has = |kind| faults.iter().find(|fault: &&Fault| fault.kind == kind);
        let tamper = if has(FaultKind::PushTamperedAmount).is_some() {
            Tamper::Amount
        } else if has(FaultKind::PushWrongKey).is_some() {
            Tamper::Key
        } else {
            Tamper::None
        };
        let room = self.room;
        let notification = room.plugin.notification(self, reference, tamper)?;
        self.state.settings.faults = left;
        let late = if let Some(fault) = has(FaultKind::PushDelayed) {
            Some(fault.ms.unwrap_or(1000))
        } else {
            has(FaultKind::PushAfterAnswer).map(|fault| fault.ms.unwrap_or(500))
        };
        let address = notification.address.clone().or_else(|| self.state.settings.push_address.clone());
        let state = if has(FaultKind::PushLost).is_some() {
            PushState::Lost
        } else if address.is_none() {
            PushState::NoAddress
        } else {
            PushState::Waiting
        };
        let copies = if has(FaultKind::PushDoubled).is_some() { 2 } else { 1 };
        let push = Push {
            id: 0,
            reference: reference.to_owned(),
            state,
            created_at: self.now,
            due_at: self.now.plus_millis(late.map_or(0, |ms| i64::try_from(ms).unwrap_or(i64::MAX))),
            address,
            notification,
            faults: faults.iter().map(|fault| fault.kind.text().to_owned()).collect(),
            attempts: Vec::new(),
        };
        let ids = (0..copies).map(|_| self.queue(push.clone())).collect();
        (state == PushState::Waiting && late.is_none()).then_some(Ticket { ids })
    }

    fn queue(&mut self, mut push: Push) -> u64 {
        self.state.settings.next_push += 1;
        push.id = self.state.settings.next_push;
        let id = push.id;
        self.state.pushes.insert(id, push);
        id
    }
}

fn switch_value(profile: &Profile, settings: &Settings, id: &str) -> String {
    settings.switches.get(id).cloned().unwrap_or_else(|| {
        profile
            .switches
            .iter()
            .find(|switch| switch.id == id)
            .map_or_else(String::new, |switch| switch.default.clone())
    })
}

impl<S: PluginState> Room<S> {
    pub(crate) fn open(
        plugin: Arc<dyn Plugin<State = S>>,
        base_url: String,
        vault: Arc<Vault>,
    ) -> Result<Arc<Self>, SandboxError> {
        let profile = plugin.profile();
        let state = vault.load::<RoomState<S>>(&profile.id)?.unwrap_or_default();
        Ok(Arc::new(Self {
            plugin,
            profile,
            base_url,
            state: Mutex::new(state),
            vault,
            log: RequestLog::default(),
            added: Notify::new(),
            progress: watch::Sender::new(0),
        }))
    }
}

impl<S: PluginState> Room<S> {
    pub(crate) fn desk(self: Arc<Self>) -> Desk<S> {
        Desk { room: self }
    }

    fn update<R>(&self, change: impl FnOnce(&mut Transaction<'_, S>) -> R) -> Result<R, SandboxError> {
        let mut state = lock(&self.state);
        let result = change(&mut Transaction { room: self, state: &mut state, now: Timestamp::now() });
        self.vault.save(&self.profile.id, &*state)?;
        drop(state);
        self.added.notify_one();
        Ok(result)
    }
}

/// A room whose state's type nobody needs to know: what the host works with.
pub(crate) trait AnyRoom: Send + Sync {
    fn profile(&self) -> &Profile;
    fn base_url(&self) -> &str;
    fn log(&self) -> &RequestLog;
    fn routes(self: Arc<Self>) -> Router;
    fn trouble(&self, status: StatusCode, path: &str, message: &str) -> Response;
    fn subject(&self, request: &RequestHead<'_>) -> Option<String>;
    fn take_faults(&self, path: &str, reference: Option<&str>) -> Result<Vec<Fault>, SandboxError>;
    fn tick(self: Arc<Self>);

    fn payments(&self) -> Vec<PaymentRecord>;
    fn act(&self, request: &ActionRequest) -> Result<String, SandboxError>;

    fn push_address(&self) -> Option<String>;
    fn set_push_address(&self, address: Option<String>) -> Result<(), SandboxError>;
    fn switches(&self) -> BTreeMap<String, String>;
    fn set_switches(&self, values: &BTreeMap<String, String>) -> Result<(), SandboxError>;
    fn faults(&self) -> Vec<Fault>;
    fn add_fault(&self, fault: Fault) -> Result<Fault, SandboxError>;
    fn remove_faults(&self, id: Option<u64>) -> Result<(), SandboxError>;

    fn pushes(&self) -> Vec<Push>;
    fn resend(&self, id: u64) -> Result<u64, SandboxError>;
    fn due_pushes(&self, flying: &BTreeSet<u64>) -> (Vec<Push>, Option<Timestamp>);
    fn push_attempted(&self, id: u64, attempt: Attempt);
    fn push_added(&self) -> BoxFuture<'_, ()>;
}

impl<S: PluginState> AnyRoom for Room<S> {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn base_url(&self) -> &str {
        &self.base_url
    }

    fn log(&self) -> &RequestLog {
        &self.log
    }

    fn routes(self: Arc<Self>) -> Router {
        let plugin = Arc::clone(&self.plugin);
        plugin.routes(self.desk())
    }

    fn trouble(&self, status: StatusCode, path: &str, message: &str) -> Response {
        self.plugin.trouble(status, path, message, Timestamp::now())
    }

    fn subject(&self, request: &RequestHead<'_>) -> Option<String> {
        self.plugin.subject(&lock(&self.state).plugin, request)
    }

    fn take_faults(&self, path: &str, reference: Option<&str>) -> Result<Vec<Fault>, SandboxError> {
        // Most requests suffer nothing, and then nothing is written.
        if lock(&self.state).settings.faults.is_empty() {
            return Ok(Vec::new());
        }
        self.update(|tx| {
            fault::take_for_request(&mut tx.state.settings.faults, path, &self.profile.api_prefix, reference)
        })
    }

    fn tick(self: Arc<Self>) {
        let plugin = Arc::clone(&self.plugin);
        plugin.tick(&self.desk());
    }

    fn payments(&self) -> Vec<PaymentRecord> {
        let state = lock(&self.state);
        let mut payments = self.plugin.payments(&state.plugin);
        let mut pushes = BTreeMap::<&str, Vec<u64>>::new();
        for push in state.pushes.values() {
            pushes.entry(&push.reference).or_default().push(push.id);
        }
        for payment in &mut payments {
            payment.pushes = pushes.get(payment.reference.as_str()).cloned().unwrap_or_default();
            for address in payment.pages.values_mut().filter(|address| address.starts_with('/')) {
                *address = format!("{}{address}", self.base_url);
            }
        }
        payments
    }

    fn act(&self, request: &ActionRequest) -> Result<String, SandboxError> {
        if !self.profile.actions.iter().any(|action| action.name == request.action) {
            let known: Vec<_> = self.profile.actions.iter().map(|action| action.name.as_str()).collect();
            return Err(SandboxError::not_found(format!(
                "{} has no action {:?}; it has: {}",
                self.profile.id,
                request.action,
                known.join(", ")
            )));
        }
        self.update(|tx| self.plugin.act(tx, request))?
    }

    fn push_address(&self) -> Option<String> {
        lock(&self.state).settings.push_address.clone()
    }

    fn set_push_address(&self, address: Option<String>) -> Result<(), SandboxError> {
        let address = address.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        if let Some(address) = &address {
            let scheme = url::Url::parse(address).map_err(|error| {
                SandboxError::invalid(format!("push address {address:?} is not an address: {error}"))
            })?;
            if !matches!(scheme.scheme(), "http" | "https") {
                return Err(SandboxError::invalid(format!(
                    "push address {address:?} must start with http or https"
                )));
            }
        }
        self.update(|tx| tx.state.settings.push_address = address)
    }

    fn switches(&self) -> BTreeMap<String, String> {
        let state = lock(&self.state);
        let value = |id: &str| switch_value(&self.profile, &state.settings, id);
        self.profile.switches.iter().map(|switch| (switch.id.clone(), value(&switch.id))).collect()
    }

    fn set_switches(&self, values: &BTreeMap<String, String>) -> Result<(), SandboxError> {
        let mut parsed = BTreeMap::new();
        for (id, value) in values {
            let Some(switch) = self.profile.switches.iter().find(|switch| switch.id == *id) else {
                let known: Vec<_> = self.profile.switches.iter().map(|switch| switch.id.as_str()).collect();
                return Err(SandboxError::not_found(format!(
                    "{} has no switch {id:?}; it has: {}",
                    self.profile.id,
                    known.join(", ")
                )));
            };
            parsed.insert(id.clone(), switch.parse(value)?);
        }
        self.update(|tx| tx.state.settings.switches.extend(parsed))
    }

    fn faults(&self) -> Vec<Fault> {
        lock(&self.state).settings.faults.clone()
    }

    fn add_fault(&self, mut fault: Fault) -> Result<Fault, SandboxError> {
        if !self.profile.faults.contains(&fault.kind) {
            let known: Vec<_> = self.profile.faults.iter().map(|kind| kind.name()).collect();
            return Err(SandboxError::invalid(format!(
                "{} cannot do {}; it can do: {}",
                self.profile.id,
                fault.kind.name(),
                known.join(", ")
            )));
        }
        if fault.times == Some(0) {
            return Err(SandboxError::invalid(
                "a fault that strikes 0 times strikes never; use null for always",
            ));
        }
        self.update(|tx| {
            let settings = &mut tx.state.settings;
            settings.next_fault += 1;
            fault.id = settings.next_fault;
            settings.faults.push(fault.clone());
            fault
        })
    }

    fn remove_faults(&self, id: Option<u64>) -> Result<(), SandboxError> {
        let Some(id) = id else { return self.update(|tx| tx.state.settings.faults.clear()) };
        if !self.faults().iter().any(|fault| fault.id == id) {
            return Err(SandboxError::not_found(format!(
                "there is no fault {id}; it may have struck already"
            )));
        }
        self.update(|tx| tx.state.settings.faults.retain(|fault| fault.id != id))
    }

    fn pushes(&self) -> Vec<Push> {
        lock(&self.state).pushes.values().cloned().collect()
    }

    fn resend(&self, id: u64) -> Result<u64, SandboxError> {
        let old = lock(&self.state).pushes.get(&id).cloned();
        let Some(old) = old else {
            return Err(SandboxError::not_found(format!("there is no notification {id}")));
        };
        let own = old.notification.address.clone();
        let Some(address) = own.or_else(|| self.push_address()).or(old.address) else {
            return Err(SandboxError::refused("no push address is set, so there is nowhere to send it to"));
        };
        self.update(|tx| {
            let notification = Notification { retry_after: Vec::new(), ..old.notification };
            tx.queue(Push {
                id: 0,
                reference: old.reference,
                state: PushState::Waiting,
                created_at: tx.now,
                due_at: tx.now,
                address: Some(address),
                notification,
                faults: vec![format!("sent again by hand, the same bytes as notification {id}")],
                attempts: Vec::new(),
            })
        })
    }

    fn due_pushes(&self, flying: &BTreeSet<u64>) -> (Vec<Push>, Option<Timestamp>) {
        let now = Timestamp::now();
        let state = lock(&self.state);
        let waiting = state
            .pushes
            .values()
            .filter(|push| push.state == PushState::Waiting && !flying.contains(&push.id));
        let (due, later): (Vec<&Push>, Vec<&Push>) = waiting.partition(|push| push.due_at <= now);
        (due.into_iter().cloned().collect(), later.iter().map(|push| push.due_at).min())
    }

    fn push_attempted(&self, id: u64, attempt: Attempt) {
        let written = self.update(|tx| {
            let now = tx.now;
            let Some(push) = tx.state.pushes.get_mut(&id) else { return };
            let taken = attempt.status.is_some_and(|status| (200..300).contains(&status));
            let pause = push.notification.retry_after.get(push.attempts.len()).copied();
            push.attempts.push(attempt);
            match pause {
                _ if taken => push.state = PushState::Delivered,
                None => push.state = PushState::Failed,
                Some(pause) => {
                    push.due_at = now.plus_millis(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
                }
            }
        });
        if let Err(error) = written {
            tracing::warn!(%error, "a notification's outcome could not be stored");
        }
        self.progress.send_modify(|count| *count += 1);
    }

    fn push_added(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.added.notified())
    }
}
