//! Golomt Bank E-Commerce: hosted card page, SocialPay page, card tokens, settlement list.
//!
//! Written from the bank's documents and from what public clients of it send and read. What neither says is a switch
//! labelled as an assumption; the exact words of most refusals are ours, because the bank's are not known.

pub(crate) mod answer;
mod api;
mod call;
pub(crate) mod cards;
pub(crate) mod checksum;
pub(crate) mod html;
mod pages;
mod profile;
pub(crate) mod request;
mod settlement;
mod socialpay;
mod state;
mod texts;
mod way_back;

use std::fmt;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;

pub use cards::{CardOutcome, TEST_CARDS, TestCard};
pub use checksum::checksum;
pub use state::BankState;

use crate::error::SandboxError;
use crate::plugin::{
    ActionRequest, Desk, Notification, PaymentRecord, Plugin, Profile, RequestHead, Tamper, Timestamp,
    Transaction,
};

/// The id of this provider.
pub const PROVIDER_ID: &str = "golomt-ecommerce";
/// The merchant token that the sandbox takes unless told otherwise.
pub const DEFAULT_TOKEN: &str = "sandbox-golomt-token";
/// The merchant secret that the sandbox signs with unless told otherwise.
pub const DEFAULT_SECRET: &str = "sandbox-golomt-secret";

/// The bank's side of the E-Commerce API, for one merchant.
#[derive(Clone)]
pub struct GolomtEcommerce {
    token: String,
    secret: String,
}

impl fmt::Debug for GolomtEcommerce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GolomtEcommerce").finish_non_exhaustive()
    }
}

impl Default for GolomtEcommerce {
    fn default() -> Self {
        Self::new()
    }
}

impl GolomtEcommerce {
    /// A bank with the sandbox's fixed credentials.
    pub fn new() -> Self {
        Self { token: DEFAULT_TOKEN.to_owned(), secret: DEFAULT_SECRET.to_owned() }
    }

    /// Takes another merchant token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = token.into();
        self
    }

    /// Signs with another merchant secret.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = secret.into();
        self
    }
}

/// The bank as its handlers share it.
#[derive(Clone)]
struct Bank {
    token: String,
    secret: String,
    desk: Desk<BankState>,
}

/// How long a payer's way back, or an answer that must come second, waits for the merchant's reply to a notification.
const PUSH_PATIENCE: Duration = Duration::from_secs(3);

impl Plugin for GolomtEcommerce {
    type State = BankState;

    fn profile(&self) -> Profile {
        profile::profile(&self.token, &self.secret)
    }

    fn routes(&self, desk: Desk<BankState>) -> Router {
        let bank = Bank { token: self.token.clone(), secret: self.secret.clone(), desk };
        api::routes()
            .merge(pages::routes())
            .merge(socialpay::routes())
            .fallback(api::nothing_here)
            .method_not_allowed_fallback(api::wrong_method)
            .with_state(bank)
    }

    fn payments(&self, state: &BankState) -> Vec<PaymentRecord> {
        profile::records(state)
    }

    fn act(
        &self,
        tx: &mut Transaction<'_, BankState>,
        action: &ActionRequest,
    ) -> Result<String, SandboxError> {
        state::act(tx, &action.reference, &action.action, &action.details)
    }

    fn notification(
        &self,
        tx: &Transaction<'_, BankState>,
        reference: &str,
        tamper: Tamper,
    ) -> Option<Notification> {
        answer::notification(tx, &self.secret, reference, tamper)
    }

    fn subject(&self, state: &BankState, request: &RequestHead<'_>) -> Option<String> {
        if request.path.starts_with("/api/") {
            let fields = request::Fields::parse(request.body).ok()?;
            return fields.required("transactionId", false).ok().map(str::to_owned);
        }
        let invoice = request.path.rsplit('/').next()?.to_ascii_lowercase();
        state.invoices.get(&invoice).cloned()
    }

    fn trouble(&self, status: StatusCode, path: &str, message: &str, now: Timestamp) -> Response {
        answer::error(status, path, message, now)
    }

    fn tick(&self, desk: &Desk<BankState>) {
        let now = desk.now();
        if desk.read(|state| state::clock_has_work(state, now))
            && let Err(error) = desk.update(state::run_clock)
        {
            tracing::warn!(%error, "the bank's clock could not write");
        }
    }
}
