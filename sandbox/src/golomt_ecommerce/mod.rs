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
mod settings;
mod settlement;
mod shared;
mod socialpay;
mod state;
mod texts;
mod way_back;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;

pub use cards::{CardOutcome, TEST_CARDS, TestCard};
pub use checksum::checksum;
pub use settings::{DEFAULT_SECRET, DEFAULT_TOKEN, GolomtEcommerce, PROVIDER_ID};
pub use state::BankState;

use shared::Bank;

use crate::error::SandboxError;
use crate::plugin::{
    ActionRequest, Desk, Notification, PaymentRecord, Plugin, Profile, RequestHead, Tamper, Timestamp,
    Transaction,
};

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
