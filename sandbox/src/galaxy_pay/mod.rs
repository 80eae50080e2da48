//! Galaxy Pay's payment gateway ("UPC"): hosted pages, VietQR, modal checkout, payment links, card tokens, refunds,
//! authorise and capture.
//!
//! Written from a specification that collects the gateway's guides, its documentation and what public clients of it send
//! and read. What none of them says is a switch labelled as an assumption; most words of its refusals are ours.

mod act;
mod answer;
mod api;
mod bank_app;
mod call;
mod callback;
mod cards;
mod codes;
mod duplicates;
mod fields;
mod manage;
mod order;
mod pages;
mod pay;
mod profile;
mod signature;
mod state;
mod switches;
mod texts;
mod tokens;
mod view;

use std::fmt;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;

pub use cards::{CardOutcome, Challenge, TEST_CARDS, TestCard};
pub use signature::signature;
pub use state::GatewayState;

use crate::error::SandboxError;
use crate::plugin::{
    ActionRequest, Desk, Notification, PaymentRecord, Plugin, Profile, RequestHead, Tamper, Timestamp,
    Transaction,
};

/// The id of this provider.
pub const PROVIDER_ID: &str = "galaxy-pay";
/// The API key that the sandbox takes unless told otherwise.
pub const DEFAULT_API_KEY: &str = "sandbox-galaxy-key";
/// The salt that the sandbox signs with unless told otherwise: the one that the guides' samples use.
pub const DEFAULT_SALT: &str = "GO@2021";

/// How long a payer's way back, or an answer that must come second, waits for the merchant's reply to a notification.
const PUSH_PATIENCE: Duration = Duration::from_secs(3);

/// The gateway's side of the API, for one merchant.
#[derive(Clone)]
pub struct GalaxyPay {
    api_key: String,
    salt: String,
}

impl fmt::Debug for GalaxyPay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GalaxyPay").finish_non_exhaustive()
    }
}

impl Default for GalaxyPay {
    fn default() -> Self {
        Self::new()
    }
}

impl GalaxyPay {
    /// A gateway with the sandbox's fixed credentials.
    pub fn new() -> Self {
        Self { api_key: DEFAULT_API_KEY.to_owned(), salt: DEFAULT_SALT.to_owned() }
    }

    /// Takes another API key.
    #[must_use]
    pub fn api_key(mut self, api_key: impl Into<String>) -> Self {
        self.api_key = api_key.into();
        self
    }

    /// Signs with another salt.
    #[must_use]
    pub fn salt(mut self, salt: impl Into<String>) -> Self {
        self.salt = salt.into();
        self
    }
}

/// The gateway as its handlers share it.
#[derive(Clone)]
struct Gateway {
    api_key: String,
    salt: String,
    desk: Desk<GatewayState>,
}

impl Plugin for GalaxyPay {
    type State = GatewayState;

    fn profile(&self) -> Profile {
        profile::profile(&self.api_key, &self.salt)
    }

    fn routes(&self, desk: Desk<GatewayState>) -> Router {
        let gateway = Gateway { api_key: self.api_key.clone(), salt: self.salt.clone(), desk };
        api::routes()
            .merge(pages::routes())
            .merge(bank_app::routes())
            .fallback(api::nothing_here)
            .method_not_allowed_fallback(api::wrong_method)
            .with_state(gateway)
    }

    fn payments(&self, state: &GatewayState) -> Vec<PaymentRecord> {
        profile::records(state)
    }

    fn act(
        &self,
        tx: &mut Transaction<'_, GatewayState>,
        action: &ActionRequest,
    ) -> Result<String, SandboxError> {
        act::act(tx, action)
    }

    fn notification(
        &self,
        tx: &Transaction<'_, GatewayState>,
        reference: &str,
        tamper: Tamper,
    ) -> Option<Notification> {
        callback::notification(tx, &self.salt, reference, tamper)
    }

    fn subject(&self, state: &GatewayState, request: &RequestHead<'_>) -> Option<String> {
        api::subject(state, request.path, request.body)
    }

    fn trouble(&self, status: StatusCode, _path: &str, message: &str, now: Timestamp) -> Response {
        api::trouble(status, message, now)
    }

    fn tick(&self, desk: &Desk<GatewayState>) {
        let now = desk.now();
        if desk.read(|state| state::clock_has_work(state, now))
            && let Err(error) = desk.update(state::run_clock)
        {
            tracing::warn!(%error, "the gateway's clock could not write");
        }
    }
}
