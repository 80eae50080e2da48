//! Golomt Bank Instore: SocialPay at the till. Invoices to a phone, QR codes, deep links, check, cancel, refund,
//! settlement, and the notification that a customer has paid.
//!
//! Written from the one page of the bank's documents that is known and from what public clients send and read. What
//! neither says is a switch labelled as an assumption; of the refusals only the shape and two keys are known (from the
//! bank's SocialPay web page), all others are ours.

mod answer;
mod api;
mod card;
mod code;
mod phone;
mod profile;
mod settings;
mod shared;
mod state;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;

pub use settings::{DEFAULT_SECRET, DEFAULT_TERMINAL, GolomtInstore, PROVIDER_ID};
pub use state::InstoreState;

use shared::Bank;

use crate::error::SandboxError;
use crate::golomt_ecommerce::request::Fields;
use crate::plugin::{
    ActionRequest, Desk, Notification, PaymentRecord, Plugin, Profile, RequestHead, Tamper, Timestamp,
    Transaction,
};

impl Plugin for GolomtInstore {
    type State = InstoreState;

    fn profile(&self) -> Profile {
        profile::profile(self)
    }

    fn routes(&self, desk: Desk<InstoreState>) -> Router {
        let bank = Bank { plugin: self.clone(), desk };
        api::routes()
            .merge(card::routes())
            .merge(phone::routes())
            .fallback(api::nothing_here)
            .method_not_allowed_fallback(api::wrong_method)
            .with_state(bank)
    }

    fn payments(&self, state: &InstoreState) -> Vec<PaymentRecord> {
        profile::records(state)
    }

    fn act(
        &self,
        tx: &mut Transaction<'_, InstoreState>,
        action: &ActionRequest,
    ) -> Result<String, SandboxError> {
        state::act(tx, &action.reference, &action.action, &action.details)
    }

    fn notification(
        &self,
        tx: &Transaction<'_, InstoreState>,
        reference: &str,
        tamper: Tamper,
    ) -> Option<Notification> {
        let terminal = &tx.state().invoices.get(reference)?.terminal;
        let count = settings::terminal_count(&tx.switch("terminals"));
        // A terminal that has been taken away since still has its money: it signs with the shared secret.
        let secret = self.secret_of(terminal, count).unwrap_or(&self.secret);
        answer::notification(tx, secret, reference, tamper)
    }

    fn subject(&self, state: &InstoreState, request: &RequestHead<'_>) -> Option<String> {
        let fields = Fields::parse(request.body).ok()?;
        let terminal = fields.required("terminal", false).ok()?;
        let invoice = fields.required("invoice", false).ok()?;
        let known = state.reference(terminal, invoice).map(str::to_owned);
        Some(known.unwrap_or_else(|| invoice.to_owned()))
    }

    fn trouble(&self, status: StatusCode, _path: &str, message: &str, _now: Timestamp) -> Response {
        answer::trouble(status, message)
    }

    fn tick(&self, desk: &Desk<InstoreState>) {
        let now = desk.now();
        if desk.read(|state| state.is_overdue(now))
            && let Err(error) = desk.update(state::run_clock)
        {
            tracing::warn!(%error, "the bank's clock could not write");
        }
    }
}
