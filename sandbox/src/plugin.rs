//! Defines the provider's side of the wire: the trait that a plug-in implements, and its types.
//!
//! A plug-in is a description ([`Profile`]), a set of axum routes, and a state that it changes only inside
//! [`Desk::update`]. The host does the rest: ports, request log, faults, delivery of notifications, control page and
//! control API, and the state file.

use std::collections::BTreeMap;

use axum::Router;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

pub use crate::clock::Timestamp;
pub use crate::desk::{Desk, PluginState, Transaction};
use crate::error::SandboxError;
pub use crate::fault::Tamper;
pub use crate::log::{Note, Verdict};
pub use crate::profile::{Action, Profile};
pub use crate::push::{Notification, Ticket};
pub use crate::records::Records;
pub use crate::switch::{Switch, SwitchValues};

/// One provider's side of the wire.
///
/// All methods are quick and none is async: what waits (a person, a merchant's server) waits in the host.
pub trait Plugin: Send + Sync + 'static {
    /// What this provider remembers. It is written to the state file whenever it changes, so it must be able to
    /// come back from JSON; what must not be stored (card numbers) must not be in it. What grows with the number of
    /// payments belongs in [`Records`], of which only what changed is written.
    type State: PluginState;

    /// Who this is and what can be set. Asked once, before the start.
    fn profile(&self) -> Profile;

    /// The addresses that this provider serves, its API and its pages, from `/` of its own port. What the real host
    /// does not have (style sheets, a page that plays an app) belongs under `/-/`: it is not logged and meets no faults.
    ///
    /// A handler reads with [`Desk::read`] and changes with [`Desk::update`]. It may extract
    /// [`Call`] (`axum::Extension<Call>`) to learn which tampering the answer is to suffer, and attach a [`Note`] to
    /// its response to explain itself in the request log.
    fn routes(&self, desk: Desk<Self::State>) -> Router;

    /// The payments, oldest first, as the control page and the control API show them.
    fn payments(&self, state: &Self::State) -> Vec<PaymentRecord>;

    /// Does what a person or a test asked for on the control page: one of the actions of the [`Profile`].
    ///
    /// # Errors
    ///
    /// [`SandboxError::NotFound`] for an unknown reference, [`SandboxError::Refused`] when the payment is past that,
    /// [`SandboxError::Invalid`] for details that make no sense.
    fn act(
        &self,
        tx: &mut Transaction<'_, Self::State>,
        action: &ActionRequest,
    ) -> Result<String, SandboxError>;

    /// The notification about a payment as it is now, signed; `None` if this provider sends none about it.
    ///
    /// Called inside [`Transaction::push`]. `tamper` says how it must be wrong.
    fn notification(
        &self,
        tx: &Transaction<'_, Self::State>,
        reference: &str,
        tamper: Tamper,
    ) -> Option<Notification>;

    /// The merchant reference that a request is about, so that a fault can be aimed at one payment.
    fn subject(&self, state: &Self::State, request: &RequestHead<'_>) -> Option<String> {
        let _ = (state, request);
        None
    }

    /// How this provider reports trouble that the host meets: an unknown address, a body that is too large, an
    /// injected 500, a state file that cannot be written.
    fn trouble(&self, status: StatusCode, path: &str, message: &str, now: Timestamp) -> Response {
        let body = serde_json::json!({ "error": message, "path": path, "time": now });
        (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
    }

    /// Called a few times a second, for what happens by itself (a page that expires). Look before you change:
    /// every [`Desk::update`] writes the state file.
    fn tick(&self, desk: &Desk<Self::State>) {
        let _ = desk;
    }
}

/// Where a payment stands, in words that fit every provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PaymentState {
    /// Nobody has done anything yet.
    Open,
    /// The payer has acted and there is no result yet.
    Sent,
    /// The amount is held and not yet debited.
    Authorized,
    /// Debited.
    Paid,
    /// Refused for good.
    Declined,
    /// The payer gave up.
    Canceled,
    /// Nobody came in time.
    Expired,
}

impl PaymentState {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Sent => "sent",
            Self::Authorized => "authorized",
            Self::Paid => "paid",
            Self::Declined => "declined",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }
}

/// One payment as the control page and the control API show it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PaymentRecord {
    /// The provider's own id.
    pub id: String,
    /// The merchant's reference. Control addresses name a payment by it.
    pub reference: String,
    /// What sort of payment, in the provider's words: `invoice`, `token-charge`.
    pub kind: String,
    /// The amount as text, as the merchant sent it.
    pub amount: String,
    /// Where it stands.
    pub state: PaymentState,
    /// The provider's result code, when there is a result.
    pub code: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the payer's page ends.
    pub expires_at: Option<Timestamp>,
    /// When the payer's account was debited first. This and `debits` are what was *really* paid.
    pub debited_at: Option<Timestamp>,
    /// How often the payer's account was debited for this payment.
    pub debits: u32,
    /// Pages of this payment, each with a name. A path gets this provider's address in front.
    pub pages: BTreeMap<String, String>,
    /// The actions that make sense now.
    pub actions: Vec<String>,
    /// The ids of the notifications about it; the host fills this in.
    pub pushes: Vec<u64>,
    /// What else this provider knows, in its own names; these stand beside the other members in JSON.
    #[serde(flatten)]
    pub details: BTreeMap<String, serde_json::Value>,
}

impl PaymentRecord {
    /// A payment that has just been opened.
    pub fn new(id: &str, reference: &str, kind: &str, amount: &str, created_at: Timestamp) -> Self {
        Self {
            id: id.into(),
            reference: reference.into(),
            kind: kind.into(),
            amount: amount.into(),
            state: PaymentState::Open,
            code: None,
            created_at,
            expires_at: None,
            debited_at: None,
            debits: 0,
            pages: BTreeMap::new(),
            actions: Vec::new(),
            pushes: Vec::new(),
            details: BTreeMap::new(),
        }
    }

    /// Adds a member with the provider's own name for it.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.details.insert(name.into(), value.into());
        self
    }
}

/// What is to be done to which payment; see [`Plugin::act`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ActionRequest {
    /// The merchant's reference.
    pub reference: String,
    /// The action's name; the host has checked that the profile lists it.
    pub action: String,
    /// Further details, such as which test card.
    pub details: BTreeMap<String, String>,
}

/// What the host tells a handler about the request; a request extension.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Call {
    /// How the answer must be wrong.
    pub tamper: Tamper,
}

/// A request as far as [`Plugin::subject`] may look at it.
#[derive(Debug)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path.
    pub path: &'a str,
    /// The query, without its question mark.
    pub query: Option<&'a str>,
    /// The whole body, as received.
    pub body: &'a [u8],
}
