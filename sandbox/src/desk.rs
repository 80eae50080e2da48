//! The desk that a plug-in works at: its state, its switches and its notifications, each change of them written as one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use crate::clock::Timestamp;
use crate::error::SandboxError;
use crate::fault::{self, Fault, FaultKind, Tamper};
use crate::lock::lock;
use crate::profile::Profile;
use crate::push::{Notification, Push, PushState, Ticket};
use crate::records::Records;
use crate::vault::Vault;

/// What a plug-in's state must be able to do; every type that can, is one.
pub trait PluginState: Serialize + DeserializeOwned + Default + Send + Sync + 'static {}

impl<S: Serialize + DeserializeOwned + Default + Send + Sync + 'static> PluginState for S {}

/// What people and tests have set for a provider.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) push_address: Option<String>,
    pub(crate) switches: BTreeMap<String, String>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) next_fault: u64,
    next_push: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct DeskState<S> {
    pub(crate) settings: Settings,
    pub(crate) pushes: Records<u64, Push>,
    pub(crate) plugin: S,
}

/// Makes the notification about a payment, inside the change that it is about.
pub(crate) type Notifier<S> =
    Box<dyn Fn(&Transaction<'_, S>, &str, Tamper) -> Option<Notification> + Send + Sync>;

struct Inner<S> {
    profile: Profile,
    base_url: String,
    notifier: Notifier<S>,
    state: Mutex<DeskState<S>>,
    vault: Arc<Vault>,
    added: Notify,
    progress: watch::Sender<u64>,
}

/// What a plug-in works at: its state, the host's clock, its switches, and the sending of notifications.
///
/// Cloning it is cheap; clones are the same desk.
pub struct Desk<S> {
    inner: Arc<Inner<S>>,
}

impl<S> Clone for Desk<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<S> fmt::Debug for Desk<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("provider", &self.inner.profile.id).finish_non_exhaustive()
    }
}

impl<S: PluginState> Desk<S> {
    pub(crate) fn open(
        profile: Profile,
        base_url: String,
        vault: Arc<Vault>,
        notifier: Notifier<S>,
    ) -> Result<Self, SandboxError> {
        let state = vault.load::<DeskState<S>>(&profile.id)?.unwrap_or_default();
        let inner = Inner {
            profile,
            base_url,
            notifier,
            state: Mutex::new(state),
            vault,
            added: Notify::new(),
            progress: watch::Sender::new(0),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(crate) fn profile(&self) -> &Profile {
        &self.inner.profile
    }

    pub(crate) fn switches(&self) -> BTreeMap<String, String> {
        let state = self.state();
        let value = |id: &str| switch_value(self.profile(), &state.settings, id);
        self.profile().switches.iter().map(|switch| (switch.id.clone(), value(&switch.id))).collect()
    }

    /// Everything that is on file for this provider, to be looked at.
    pub(crate) fn state(&self) -> MutexGuard<'_, DeskState<S>> {
        lock(&self.inner.state)
    }

    /// Waits until something has changed, so that a notification may have been queued.
    pub(crate) async fn changed(&self) {
        self.inner.added.notified().await;
    }

    /// Wakes those who wait for a notification to be tried.
    pub(crate) fn push_tried(&self) {
        self.inner.progress.send_modify(|count| *count += 1);
    }

    /// The host's present time.
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// The address of this provider, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.inner.base_url
    }

    /// The value of one of the profile's switches. A name that the profile does not list is empty text.
    pub fn switch(&self, id: &str) -> String {
        switch_value(&self.inner.profile, &self.state().settings, id)
    }

    /// Looks at the state. Do not wait for anything inside.
    pub fn read<R>(&self, look: impl FnOnce(&S) -> R) -> R {
        look(&self.state().plugin)
    }

    /// Changes the state. When this returns, the change is in the state file; an answer that depends on it may leave.
    ///
    /// # Errors
    ///
    /// [`SandboxError::StateFile`] if it could not be written (the change then stands in memory only, and the honest
    /// answer is a 500), [`SandboxError::Stopped`] when the sandbox was dropped.
    pub fn update<R>(&self, change: impl FnOnce(&mut Transaction<'_, S>) -> R) -> Result<R, SandboxError> {
        let mut state = self.state();
        let result = change(&mut Transaction { desk: &self.inner, state: &mut state, now: Timestamp::now() });
        self.inner.vault.save(&self.inner.profile.id, &*state)?;
        drop(state);
        self.inner.added.notify_one();
        Ok(result)
    }

    /// Waits until a notification has been tried once, but not longer than `most`. Says whether it was.
    pub async fn wait_for_push(&self, ticket: &Ticket, most: Duration) -> bool {
        let mut progress = self.inner.progress.subscribe();
        let tried = async {
            loop {
                progress.borrow_and_update();
                let waiting = {
                    let state = self.state();
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
    desk: &'a Inner<S>,
    pub(crate) state: &'a mut DeskState<S>,
    now: Timestamp,
}

impl<S> fmt::Debug for Transaction<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("provider", &self.desk.profile.id).finish_non_exhaustive()
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
        switch_value(&self.desk.profile, &self.state.settings, id)
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
        } else if has(FaultKind::PushForeignId).is_some() {
            Tamper::Id
        } else {
            Tamper::None
        };
        let desk = self.desk;
        let notification = (desk.notifier)(self, reference, tamper)?;
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

    pub(crate) fn queue(&mut self, mut push: Push) -> u64 {
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
