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
mod state;

use std::collections::BTreeMap;
use std::fmt;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;

pub use state::InstoreState;

use crate::error::SandboxError;
use crate::golomt_ecommerce::request::Fields;
use crate::plugin::{
    ActionRequest, Desk, Notification, PaymentRecord, Plugin, Profile, RequestHead, Tamper, Timestamp,
    Transaction,
};

/// The id of this provider.
pub const PROVIDER_ID: &str = "golomt-instore";
/// The terminal that the sandbox has unless told otherwise.
pub const DEFAULT_TERMINAL: &str = "13161272";
/// The secret of that terminal.
pub const DEFAULT_SECRET: &str = "sandbox-instore-secret";

/// The bank's side of the Instore API, for any number of terminals that share one push address.
///
/// Terminal `13161272` is there from the start. The switch `terminals` adds the numbers after it, all with its secret.
#[derive(Clone)]
pub struct GolomtInstore {
    secret: String,
    others: BTreeMap<String, String>,
}

impl fmt::Debug for GolomtInstore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GolomtInstore")
            .field("terminals", &self.others.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Default for GolomtInstore {
    fn default() -> Self {
        Self::new()
    }
}

impl GolomtInstore {
    /// A bank with the sandbox's fixed terminal and secret.
    pub fn new() -> Self {
        Self { secret: DEFAULT_SECRET.to_owned(), others: BTreeMap::new() }
    }

    /// Gives the fixed terminal, and those that the switch `terminals` adds, another secret.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = secret.into();
        self
    }

    /// Adds a terminal with a secret of its own, or with one that several share.
    #[must_use]
    pub fn terminal(mut self, number: impl Into<String>, secret: impl Into<String>) -> Self {
        self.others.insert(number.into(), secret.into());
        self
    }

    /// The secret of a terminal that there is, when so many stand in a row.
    fn secret_of(&self, terminal: &str, count: u32) -> Option<&str> {
        if let Some(secret) = self.others.get(terminal) {
            return Some(secret);
        }
        let first: u32 = DEFAULT_TERMINAL.parse().ok()?;
        let number: u32 = terminal.parse().ok()?;
        // Written back, so that "+13161272" and "013161272" are no terminals.
        let there = number.to_string() == terminal && (first..first + count).contains(&number);
        there.then_some(self.secret.as_str())
    }
}

/// The bank as its handlers share it.
#[derive(Clone)]
struct Bank {
    plugin: GolomtInstore,
    desk: Desk<InstoreState>,
}

impl Bank {
    fn secret_of(&self, terminal: &str) -> Option<&str> {
        self.plugin.secret_of(terminal, profile::terminal_count(&self.desk.switch("terminals")))
    }

    fn is_on(&self, switch: &str) -> bool {
        self.desk.switch(switch) == "yes"
    }
}

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
        let count = profile::terminal_count(&tx.switch("terminals"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_stand_in_a_row_or_have_a_secret_of_their_own() {
        let bank = GolomtInstore::new().terminal("TILL", "own");
        assert_eq!(bank.secret_of(DEFAULT_TERMINAL, 1), Some(DEFAULT_SECRET));
        assert_eq!(bank.secret_of("13161273", 1), None);
        assert_eq!(bank.secret_of("13161321", 50), Some(DEFAULT_SECRET));
        assert_eq!(bank.secret_of("13161322", 50), None);
        assert_eq!(bank.secret_of("TILL", 1), Some("own"));
        for wrong in ["", "+13161272", "013161272", "13161271", "till"] {
            assert_eq!(bank.secret_of(wrong, 50), None, "{wrong}");
        }
        assert!(!format!("{bank:?}").contains("own"));
    }
}
