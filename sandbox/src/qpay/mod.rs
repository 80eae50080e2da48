//! QPay's merchant API v2 (Mongolia): tokens, invoices paid in bank apps, payments, VAT receipts.
//!
//! Written from a specification that collects QPay's texts, recorded answers of its sandbox, and what published clients
//! send and read. Tags such as `[ETAG]` or `[OAS]` name its sources. What none of them says is a switch labelled as an
//! assumption, or is left out.

mod act;
mod answer;
mod api;
mod bank_app;
mod call;
mod callback;
mod code;
mod codes;
mod ids;
mod invoices;
mod lines;
mod order;
mod pages;
mod payments;
mod profile;
mod receipt;
mod receipts;
mod session;
mod settings;
mod shared;
mod state;
mod switches;
mod texts;
mod tokens;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;

pub use settings::{
    DEFAULT_INVOICE_CODE, DEFAULT_PASSWORD, DEFAULT_USERNAME, DEFAULT_VAT_INVOICE_CODE, PROVIDER_ID, QPay,
};
pub use state::QPayState;

use shared::Bank;

use crate::error::SandboxError;
use crate::plugin::{
    ActionRequest, Desk, Notification, PaymentRecord, Plugin, Profile, RequestHead, Tamper, Timestamp,
    Transaction,
};

impl Plugin for QPay {
    type State = QPayState;

    fn profile(&self) -> Profile {
        profile::profile(self)
    }

    fn routes(&self, desk: Desk<QPayState>) -> Router {
        let bank = Bank { account: self.clone(), desk };
        api::routes()
            .merge(pages::routes())
            .merge(bank_app::routes())
            .fallback(api::nothing_here)
            .method_not_allowed_fallback(api::nothing_here)
            .with_state(bank)
    }

    fn payments(&self, state: &QPayState) -> Vec<PaymentRecord> {
        profile::records(state)
    }

    fn act(
        &self,
        tx: &mut Transaction<'_, QPayState>,
        action: &ActionRequest,
    ) -> Result<String, SandboxError> {
        act::act(tx, action)
    }

    fn notification(
        &self,
        tx: &Transaction<'_, QPayState>,
        reference: &str,
        tamper: Tamper,
    ) -> Option<Notification> {
        callback::notification(tx, reference, tamper)
    }

    fn subject(&self, state: &QPayState, request: &RequestHead<'_>) -> Option<String> {
        api::subject(state, request.path, request.body)
    }

    fn trouble(&self, status: StatusCode, _path: &str, message: &str, _now: Timestamp) -> Response {
        api::trouble(status, message)
    }
}
