//! Khur Bank's own side of the wire, as a plug-in for Tulbur's sandbox. The host adds the control page and API, the
//! request log, faults, delivery of notifications and the state file.
//!
//! It is written from `BANK.md` alone and shares no line with the provider crate, so that the two can disagree.
//!
//! ```
//! use khur_bank_sandbox::KhurBank;
//! use tulbur_sandbox::Sandbox;
//!
//! # async fn start() -> Result<(), tulbur_sandbox::SandboxError> {
//! let sandbox = Sandbox::builder().without_built_in().plugin(KhurBank).start().await?;
//! println!("call {}", sandbox.provider(khur_bank_sandbox::ID)?.base_url());
//! # Ok(())
//! # }
//! ```

mod api;
mod books;
mod pages;

use std::time::Duration;

use tulbur_sandbox::axum::Router;
use tulbur_sandbox::plugin::{
    ActionRequest, Desk, Notification, PaymentRecord, Plugin, Profile, RequestHead, Tamper, Transaction,
};
use tulbur_sandbox::{FaultKind, SandboxError};

pub use api::{MERCHANT, SECRET};
pub use books::Books;

/// The provider's id in the sandbox.
pub const ID: &str = "khur-bank";

/// The bank's side, for one merchant.
#[derive(Clone, Copy, Debug, Default)]
pub struct KhurBank;

impl Plugin for KhurBank {
    type State = Books;

    fn profile(&self) -> Profile {
        Profile::new(ID, "Khur Bank")
            .credential("merchant", MERCHANT)
            .credential("secret", SECRET)
            .api_prefix("/v1/")
            .action("pay", "the payer pays")
            .action("decline", "the payer's bank says no")
            .action("cancel", "the payer gives up")
            .action("expire", "the page's time runs out")
            .action("contradict", "the payer pays, and the bank then notifies that it was refused")
            .fault(FaultKind::AnswerWrongChecksum)
            .fault(FaultKind::AnswerTamperedAmount)
            .fault(FaultKind::PushTamperedAmount)
            .fault(FaultKind::PushWrongKey)
            .note("A made-up bank", "It stands for any bank whose side an outside crate plays.")
    }

    fn routes(&self, desk: Desk<Books>) -> Router {
        api::routes().merge(pages::routes()).with_state(desk)
    }

    fn payments(&self, books: &Books) -> Vec<PaymentRecord> {
        books.records()
    }

    fn act(&self, tx: &mut Transaction<'_, Books>, action: &ActionRequest) -> Result<String, SandboxError> {
        let result = match action.action.as_str() {
            "pay" | "contradict" => "PAID",
            "decline" => "FAIL",
            "cancel" => "VOID",
            _ => "LATE",
        };
        books::finish(tx, &action.reference, result)?;
        if action.action == "contradict" {
            books::lie(tx, &action.reference, "FAIL");
        }
        Ok(format!("{} is {result}", action.reference))
    }

    // ANCHOR: notification
    fn notification(
        &self,
        tx: &Transaction<'_, Books>,
        reference: &str,
        tamper: Tamper,
    ) -> Option<Notification> {
        let invoice = tx.state().by_reference(reference)?;
        let values = [("reference", reference), ("result", &invoice.result), ("amount", &invoice.amount)];
        let pauses = [1, 2, 4, 8].map(Duration::from_secs).to_vec();
        Some(Notification::json(api::signed(&values, tamper).to_string()).retry_after(pauses))
    }
    // ANCHOR_END: notification

    fn subject(&self, books: &Books, request: &RequestHead<'_>) -> Option<String> {
        if request.path.starts_with("/v1/") {
            let body: serde_json::Value = serde_json::from_slice(request.body).ok()?;
            return Some(body.get("reference")?.as_str()?.to_owned());
        }
        let number = request.path.rsplit('/').next()?;
        books.by_number(number).map(|invoice| invoice.reference.clone())
    }

    fn tick(&self, desk: &Desk<Books>) {
        let now = desk.now();
        for reference in desk.read(|books| books.overdue(now)) {
            // A payer who was faster, or a sandbox that has been stopped, is no trouble.
            let _ = desk.update(|tx| books::finish(tx, &reference, "LATE").is_ok());
        }
    }
}
