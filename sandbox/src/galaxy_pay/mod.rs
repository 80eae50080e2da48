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
pub(crate) mod fields;
mod manage;
mod order;
mod pages;
mod pay;
mod profile;
mod settings;
mod shared;
mod signature;
mod state;
mod switches;
mod texts;
mod tokens;
mod view;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;

pub use cards::{CardOutcome, Challenge, TEST_CARDS, TestCard};
pub use settings::{DEFAULT_API_KEY, DEFAULT_SALT, GalaxyPay, PROVIDER_ID};
pub use signature::signature;
pub use state::GatewayState;

use shared::Gateway;

use crate::error::SandboxError;
use crate::plugin::{
    ActionRequest, Desk, Notification, PaymentRecord, Plugin, Profile, RequestHead, Tamper, Timestamp,
    Transaction,
};

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
