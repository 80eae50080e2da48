//! A provider of a running sandbox, as tests drive it from code.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::error::SandboxError;
use crate::fault::Fault;
use crate::log::LoggedRequest;
use crate::plugin::{ActionRequest, PaymentRecord, Profile};
use crate::push::Push;
use crate::room::AnyRoom;

/// One provider of a running [`Sandbox`](crate::Sandbox): the same that the control API offers, from code.
#[derive(Clone)]
pub struct Provider {
    room: Arc<dyn AnyRoom>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("id", &self.room.profile().id)
            .field("base_url", &self.room.base_url())
            .finish_non_exhaustive()
    }
}

impl Provider {
    pub(crate) fn new(room: Arc<dyn AnyRoom>) -> Self {
        Self { room }
    }

    /// Who it is and what can be set.
    pub fn profile(&self) -> &Profile {
        self.room.profile()
    }

    /// The address that stands for its host, without a slash at the end.
    pub fn base_url(&self) -> &str {
        self.room.base_url()
    }

    /// What a merchant signs in and signs with, by name.
    pub fn credentials(&self) -> &BTreeMap<String, String> {
        &self.room.profile().credentials
    }

    /// All payments, oldest first.
    pub fn payments(&self) -> Vec<PaymentRecord> {
        self.room.payments()
    }

    /// The payment with this merchant reference.
    pub fn payment(&self, reference: &str) -> Option<PaymentRecord> {
        self.room.payments().into_iter().find(|payment| payment.reference == reference)
    }

    /// Does something to a payment: one of the profile's actions, such as `pay`. Says what happened.
    ///
    /// # Errors
    ///
    /// See [`Plugin::act`](crate::plugin::Plugin::act).
    pub fn act(&self, reference: &str, action: &str) -> Result<String, SandboxError> {
        self.act_with(reference, action, BTreeMap::new())
    }

    /// As [`act`](Self::act), with details such as `card`.
    ///
    /// # Errors
    ///
    /// See [`Plugin::act`](crate::plugin::Plugin::act).
    pub fn act_with(
        &self,
        reference: &str,
        action: &str,
        details: BTreeMap<String, String>,
    ) -> Result<String, SandboxError> {
        self.room.act(&ActionRequest { reference: reference.to_owned(), action: action.to_owned(), details })
    }

    /// Where notifications go.
    pub fn push_address(&self) -> Option<String> {
        self.room.push_address()
    }

    /// Sets where notifications go; `None` sends none.
    ///
    /// # Errors
    ///
    /// [`SandboxError::Invalid`] if that is no http address; the state file's errors.
    pub fn set_push_address(&self, address: Option<&str>) -> Result<(), SandboxError> {
        self.room.set_push_address(address.map(str::to_owned))
    }

    /// All switches with their values.
    pub fn switches(&self) -> BTreeMap<String, String> {
        self.room.switches()
    }

    /// Sets one switch.
    ///
    /// # Errors
    ///
    /// [`SandboxError::NotFound`] or [`SandboxError::Invalid`], with what there is; the state file's errors.
    pub fn set_switch(&self, id: &str, value: &str) -> Result<(), SandboxError> {
        self.room.set_switches(&BTreeMap::from([(id.to_owned(), value.to_owned())]))
    }

    /// The faults that are waiting.
    pub fn faults(&self) -> Vec<Fault> {
        self.room.faults()
    }

    /// Orders a fault; gives it back with its id.
    ///
    /// # Errors
    ///
    /// [`SandboxError::Invalid`] if this provider cannot do that; the state file's errors.
    pub fn add_fault(&self, fault: Fault) -> Result<Fault, SandboxError> {
        self.room.add_fault(fault)
    }

    /// Takes all waiting faults away.
    ///
    /// # Errors
    ///
    /// The state file's errors.
    pub fn clear_faults(&self) -> Result<(), SandboxError> {
        self.room.remove_faults(None)
    }

    /// The last requests, oldest first.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.room.log().all()
    }

    /// All notifications, oldest first.
    pub fn pushes(&self) -> Vec<Push> {
        self.room.pushes()
    }

    /// Sends a notification once more, the same bytes. Gives the number of the new one.
    ///
    /// # Errors
    ///
    /// [`SandboxError::NotFound`] or, without an address to send to, [`SandboxError::Refused`].
    pub fn resend_push(&self, id: u64) -> Result<u64, SandboxError> {
        self.room.resend(id)
    }
}
