//! `cargo test` runs the suite against this stand-in for the bank. FILL IN: what the bank's documents say it does.

use std::collections::BTreeMap;
use std::sync::Arc;

use my_bank::{Config, ID, MyBank};
use serde_json::{Value, json};
use tulbur_conformance::{Keys, SandboxCounterpart, Suite, UnderTest};
use tulbur_core::{AccountName, BuildEnv, HttpTransport, Provider, ProviderFactory, Url};
use tulbur_sandbox::axum::http::{HeaderMap, StatusCode};
use tulbur_sandbox::axum::{Router, body::Bytes, extract::State, routing::post};
use tulbur_sandbox::{PaymentRecord, PaymentState, Plugin, Sandbox, SandboxError, plugin::*};

const ACTIONS: [(&str, PaymentState); 4] = [
    ("pay", PaymentState::Paid),
    ("decline", PaymentState::Declined),
    ("cancel", PaymentState::Canceled),
    ("expire", PaymentState::Expired),
];

/// By reference: the amount, and how the payment stands.
type Books = BTreeMap<String, (String, PaymentState)>;

struct Bank;

impl Plugin for Bank {
    type State = Books;

    fn profile(&self) -> Profile {
        let bank = Profile::new(ID, "My Bank");
        ACTIONS.iter().fold(bank, |bank, (name, state)| bank.action(name, state.name()))
    }
    fn routes(&self, desk: Desk<Books>) -> Router {
        Router::new().route("/invoices", post(bank)).route("/inquiry", post(bank)).with_state(desk)
    }
    fn payments(&self, books: &Books) -> Vec<PaymentRecord> {
        let long_ago: Timestamp = serde_json::from_str("\"2026-01-01T00:00:00Z\"").unwrap();
        let record = |(reference, (amount, state)): (&String, &(String, PaymentState))| {
            let mut record = PaymentRecord::new(reference, reference, "invoice", amount, long_ago);
            record.state = *state;
            record.debits = u32::from(*state == PaymentState::Paid);
            record
        };
        books.iter().map(record).collect()
    }
    fn act(&self, tx: &mut Transaction<'_, Books>, action: &ActionRequest) -> Result<String, SandboxError> {
        let done = ACTIONS.iter().find(|(name, _)| *name == action.action);
        match (tx.state_mut().get_mut(&action.reference), done) {
            (Some(payment), Some((_, state))) => payment.1 = *state,
            _ => return Err(SandboxError::NotFound { what: "there is no such payment".into() }),
        }
        Ok("done".into())
    }
    fn notification(&self, _: &Transaction<'_, Books>, _: &str, _: Tamper) -> Option<Notification> {
        None
    }
    fn subject(&self, _: &Books, request: &RequestHead<'_>) -> Option<String> {
        let body: Value = serde_json::from_slice(request.body).ok()?;
        body["reference"].as_str().map(str::to_owned)
    }
}

async fn bank(State(desk): State<Desk<Books>>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let reference = body["reference"].as_str().unwrap_or_default().to_owned();
    let known = desk.read(|books| books.get(&reference).cloned());
    let (status, answer) = match (body["amount"].as_str(), known) {
        _ if headers.get("authorization").is_none_or(|value| value != "Bearer own-token") => {
            (401, json!({ "code": "token" }))
        }
        (Some(_), Some(_)) => (409, json!({ "code": "duplicate" })),
        (Some(amount), None) => {
            let sale = (amount.to_owned(), PaymentState::Open);
            desk.update(|tx| tx.state_mut().insert(reference.clone(), sale)).unwrap();
            (200, json!({ "reference": reference, "page": "https://bank.example/pay" }))
        }
        (None, None) => (404, json!({ "code": "unknown" })),
        (None, Some((amount, state))) => {
            (200, json!({ "reference": reference, "result": state.name(), "amount": amount }))
        }
    };
    (StatusCode::from_u16(status).unwrap(), answer.to_string())
}

#[derive(Debug)]
struct Account {
    base_url: Url,
}

impl UnderTest for Account {
    fn build(&self, keys: Keys, env: &BuildEnv) -> tulbur_core::Result<Arc<dyn Provider>> {
        let token = if keys == Keys::Own { "own-token" } else { "other-token" };
        let config = Config { token: token.into(), base_url: self.base_url.clone() };
        MyBank::build(&AccountName::parse(ID)?, config, env)
    }
    fn transport(&self) -> tulbur_core::Result<Arc<dyn HttpTransport>> {
        let builder = tulbur_reqwest::ReqwestTransport::builder();
        Ok(Arc::new(builder.timeout(std::time::Duration::from_secs(5)).build()?))
    }
    fn secrets(&self) -> Vec<String> {
        vec!["own-token".into()]
    }
}

fn main() -> std::process::ExitCode {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sandbox = runtime.block_on(Sandbox::builder().without_built_in().plugin(Bank).start()).unwrap();
    let counterpart = runtime.block_on(SandboxCounterpart::connect(sandbox.control_url(), ID)).unwrap();
    let base_url = Url::parse(sandbox.base_url(ID).unwrap()).unwrap();
    tulbur_conformance::main(&Suite::new(Account { base_url }, counterpart))
}
