//! One provider's room in the sandbox: its plug-in, the desk that it works at, and its request log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::future::BoxFuture;

use crate::clock::Timestamp;
use crate::desk::{Desk, PluginState, Transaction};
use crate::error::SandboxError;
use crate::fault::{self, Fault, Tamper};
use crate::log::RequestLog;
use crate::plugin::{ActionRequest, PaymentRecord, Plugin, RequestHead};
use crate::profile::Profile;
use crate::push::{Attempt, Notification, Push, PushState};
use crate::vault::Vault;

pub(crate) struct Room<S> {
    plugin: Arc<dyn Plugin<State = S>>,
    desk: Desk<S>,
    log: RequestLog,
}

impl<S: PluginState> Room<S> {
    pub(crate) fn open(
        plugin: Arc<dyn Plugin<State = S>>,
        base_url: String,
        vault: Arc<Vault>,
    ) -> Result<Arc<Self>, SandboxError> {
        let maker = Arc::clone(&plugin);
        let notifier = move |tx: &Transaction<'_, S>, reference: &str, tamper: Tamper| {
            maker.notification(tx, reference, tamper)
        };
        let desk = Desk::open(plugin.profile(), base_url, vault, Box::new(notifier))?;
        Ok(Arc::new(Self { plugin, desk, log: RequestLog::default() }))
    }

    pub(crate) fn desk(&self) -> Desk<S> {
        self.desk.clone()
    }
}

/// A room whose state's type nobody needs to know: what the host works with.
pub(crate) trait AnyRoom: Send + Sync {
    fn profile(&self) -> &Profile;
    fn base_url(&self) -> &str;
    fn log(&self) -> &RequestLog;
    fn routes(&self) -> Router;
    fn trouble(&self, status: StatusCode, path: &str, message: &str) -> Response;
    fn subject(&self, request: &RequestHead<'_>) -> Option<String>;
    fn take_faults(&self, path: &str, reference: Option<&str>) -> Result<Vec<Fault>, SandboxError>;
    fn tick(&self);

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
        self.desk.profile()
    }

    fn base_url(&self) -> &str {
        self.desk.base_url()
    }

    fn log(&self) -> &RequestLog {
        &self.log
    }

    fn routes(&self) -> Router {
        self.plugin.routes(self.desk())
    }

    fn trouble(&self, status: StatusCode, path: &str, message: &str) -> Response {
        self.plugin.trouble(status, path, message, self.desk.now())
    }

    fn subject(&self, request: &RequestHead<'_>) -> Option<String> {
        self.plugin.subject(&self.desk.state().plugin, request)
    }

    fn take_faults(&self, path: &str, reference: Option<&str>) -> Result<Vec<Fault>, SandboxError> {
        // Most requests suffer nothing, and then nothing is written.
        if self.desk.state().settings.faults.is_empty() {
            return Ok(Vec::new());
        }
        self.desk.update(|tx| {
            fault::take_for_request(
                &mut tx.state.settings.faults,
                path,
                &self.profile().api_prefix,
                reference,
            )
        })
    }

    fn tick(&self) {
        self.plugin.tick(&self.desk);
    }

    fn payments(&self) -> Vec<PaymentRecord> {
        let state = self.desk.state();
        let mut payments = self.plugin.payments(&state.plugin);
        let mut pushes = BTreeMap::<&str, Vec<u64>>::new();
        for push in state.pushes.values() {
            pushes.entry(&push.reference).or_default().push(push.id);
        }
        for payment in &mut payments {
            payment.pushes = pushes.get(payment.reference.as_str()).cloned().unwrap_or_default();
            for address in payment.pages.values_mut().filter(|address| address.starts_with('/')) {
                *address = format!("{}{address}", self.base_url());
            }
        }
        payments
    }

    fn act(&self, request: &ActionRequest) -> Result<String, SandboxError> {
        if !self.profile().actions.iter().any(|action| action.name == request.action) {
            let known: Vec<_> = self.profile().actions.iter().map(|action| action.name.as_str()).collect();
            return Err(SandboxError::not_found(format!(
                "{} has no action {:?}; it has: {}",
                self.profile().id,
                request.action,
                known.join(", ")
            )));
        }
        self.desk.update(|tx| self.plugin.act(tx, request))?
    }

    fn push_address(&self) -> Option<String> {
        self.desk.state().settings.push_address.clone()
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
        self.desk.update(|tx| tx.state.settings.push_address = address)
    }

    fn switches(&self) -> BTreeMap<String, String> {
        self.desk.switches()
    }

    fn set_switches(&self, values: &BTreeMap<String, String>) -> Result<(), SandboxError> {
        let mut parsed = BTreeMap::new();
        for (id, value) in values {
            let Some(switch) = self.profile().switches.iter().find(|switch| switch.id == *id) else {
                let known: Vec<_> = self.profile().switches.iter().map(|switch| switch.id.as_str()).collect();
                return Err(SandboxError::not_found(format!(
                    "{} has no switch {id:?}; it has: {}",
                    self.profile().id,
                    known.join(", ")
                )));
            };
            parsed.insert(id.clone(), switch.parse(value)?);
        }
        self.desk.update(|tx| tx.state.settings.switches.extend(parsed))
    }

    fn faults(&self) -> Vec<Fault> {
        self.desk.state().settings.faults.clone()
    }

    fn add_fault(&self, mut fault: Fault) -> Result<Fault, SandboxError> {
        if !self.profile().faults.contains(&fault.kind) {
            let known: Vec<_> = self.profile().faults.iter().map(|kind| kind.name()).collect();
            return Err(SandboxError::invalid(format!(
                "{} cannot do {}; it can do: {}",
                self.profile().id,
                fault.kind.name(),
                known.join(", ")
            )));
        }
        if fault.times == Some(0) {
            return Err(SandboxError::invalid(
                "a fault that strikes 0 times strikes never; use null for always",
            ));
        }
        self.desk.update(|tx| {
            let settings = &mut tx.state.settings;
            settings.next_fault += 1;
            fault.id = settings.next_fault;
            settings.faults.push(fault.clone());
            fault
        })
    }

    fn remove_faults(&self, id: Option<u64>) -> Result<(), SandboxError> {
        let Some(id) = id else { return self.desk.update(|tx| tx.state.settings.faults.clear()) };
        if !self.faults().iter().any(|fault| fault.id == id) {
            return Err(SandboxError::not_found(format!(
                "there is no fault {id}; it may have struck already"
            )));
        }
        self.desk.update(|tx| tx.state.settings.faults.retain(|fault| fault.id != id))
    }

    fn pushes(&self) -> Vec<Push> {
        self.desk.state().pushes.values().cloned().collect()
    }

    fn resend(&self, id: u64) -> Result<u64, SandboxError> {
        let old = self.desk.state().pushes.get(&id).cloned();
        let Some(old) = old else {
            return Err(SandboxError::not_found(format!("there is no notification {id}")));
        };
        let own = old.notification.address.clone();
        let Some(address) = own.or_else(|| self.push_address()).or(old.address) else {
            return Err(SandboxError::refused("no push address is set, so there is nowhere to send it to"));
        };
        self.desk.update(|tx| {
            let notification = Notification { retry_after: Vec::new(), ..old.notification };
            tx.queue(Push {
                id: 0,
                reference: old.reference,
                state: PushState::Waiting,
                created_at: tx.now(),
                due_at: tx.now(),
                address: Some(address),
                notification,
                faults: vec![format!("sent again by hand, the same bytes as notification {id}")],
                attempts: Vec::new(),
            })
        })
    }

    fn due_pushes(&self, flying: &BTreeSet<u64>) -> (Vec<Push>, Option<Timestamp>) {
        let now = self.desk.now();
        let state = self.desk.state();
        let waiting = state
            .pushes
            .values()
            .filter(|push| push.state == PushState::Waiting && !flying.contains(&push.id));
        let (due, later): (Vec<&Push>, Vec<&Push>) = waiting.partition(|push| push.due_at <= now);
        (due.into_iter().cloned().collect(), later.iter().map(|push| push.due_at).min())
    }

    fn push_attempted(&self, id: u64, attempt: Attempt) {
        let written = self.desk.update(|tx| {
            let now = tx.now();
            let Some(push) = tx.state.pushes.get_mut(&id) else { return };
            let taken = push.notification.is_taken(&attempt);
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
        self.desk.push_tried();
    }

    fn push_added(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.desk.changed())
    }
}
