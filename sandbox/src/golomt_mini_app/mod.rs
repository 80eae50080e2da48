//! Golomt Bank's SocialPay mini app: a one-time token for a customer's data, and messages to the customer's phone.
//!
//! Written from the part of the bank's page that is known and from what public clients send and read. The customers are
//! invented: no register number, account, phone or address here can belong to anybody.

mod address;
mod api;
mod customers;
mod page;
mod profile;
mod settings;
mod shared;
mod signature;
mod state;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;

pub use customers::{CUSTOMERS, Customer};
pub use settings::{DEFAULT_CERT_ID, GolomtMiniApp, PROVIDER_ID};
pub use state::MiniAppState;

use shared::SocialPay;

use crate::error::SandboxError;
use crate::golomt_ecommerce::request::Fields;
use crate::plugin::{
    ActionRequest, Desk, Notification, PaymentRecord, Plugin, Profile, RequestHead, Tamper, Timestamp,
    Transaction,
};

impl Plugin for GolomtMiniApp {
    type State = MiniAppState;

    fn profile(&self) -> Profile {
        profile::profile(&self.cert_id)
    }

    fn routes(&self, desk: Desk<MiniAppState>) -> Router {
        let socialpay = SocialPay { cert_id: self.cert_id.clone(), desk };
        api::routes()
            .merge(page::routes())
            .fallback(api::nothing_here)
            .method_not_allowed_fallback(api::wrong_method)
            .with_state(socialpay)
    }

    fn payments(&self, state: &MiniAppState) -> Vec<PaymentRecord> {
        profile::records(state, self.since)
    }

    fn act(
        &self,
        tx: &mut Transaction<'_, MiniAppState>,
        action: &ActionRequest,
    ) -> Result<String, SandboxError> {
        let customer = Customer::by_name(&action.reference).ok_or_else(|| {
            let known: Vec<_> = CUSTOMERS.iter().map(|customer| customer.name).collect();
            SandboxError::not_found(format!(
                "there is no customer {:?}; there are {}",
                action.reference,
                known.join(", ")
            ))
        })?;
        if let Some(name) = action.details.keys().find(|name| *name != "url") {
            return Err(SandboxError::invalid(format!("unknown detail {name:?}; there is url")));
        }
        if let Some(url) = action.details.get("url") {
            address::check_url(url).map_err(SandboxError::invalid)?;
        }
        let opened = state::mint(tx, customer, action.details.get("url").map(String::as_str));
        Ok(opened.address.unwrap_or(opened.token))
    }

    fn notification(
        &self,
        _tx: &Transaction<'_, MiniAppState>,
        _reference: &str,
        _tamper: Tamper,
    ) -> Option<Notification> {
        // The merchant asks; nothing is sent to it.
        None
    }

    fn subject(&self, state: &MiniAppState, request: &RequestHead<'_>) -> Option<String> {
        let fields = Fields::parse(request.body).ok()?;
        let by_token = fields.required("token", false).ok().and_then(|token| state.customer_of(token));
        let by_id = || fields.required("individualId", true).ok().and_then(Customer::by_id);
        by_token.or_else(by_id).map(|customer| customer.name.to_owned())
    }

    fn trouble(&self, status: StatusCode, _path: &str, message: &str, _now: Timestamp) -> Response {
        api::message(status, message)
    }
}
