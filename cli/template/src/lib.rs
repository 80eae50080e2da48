//! My Bank for Tulbur: a payment page, and the question how a payment stands.
//!
//! FILL IN: the documents that this was written from, and what they leave open. An application says `use my_bank as _;`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tulbur_core::*;

/// The provider's id.
pub const ID: &str = "my-bank";
const FLOW_PAGE: Flow = Flow::new("page");
/// FILL IN: how the bank writes amounts. The wire has no currency, so it is the account's.
const AMOUNT: AmountFormat = AmountFormat::Fixed(2);
const CURRENCY: Currency = Currency::MNT;

/// The settings of one account. FILL IN: what the bank hands out. `Debug` shows no secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Sent with every call.
    pub token: SecretString,
    /// Where the bank answers.
    pub base_url: Url,
}

/// One account at the bank.
#[derive(Debug)]
pub struct MyBank {
    info: ProviderInfo,
    config: Config,
    env: BuildEnv,
}

impl ProviderFactory for MyBank {
    const ID: &'static str = ID;
    type Config = Config;

    fn describe() -> ProviderInfo {
        describe(AccountName::parse(ID).expect("the id is a name"))
    }

    fn build(account: &AccountName, config: Config, env: &BuildEnv) -> Result<Arc<dyn Provider>> {
        Ok(Arc::new(Self { info: describe(account.clone()), config, env: env.clone() }))
    }
}

register_provider!(MyBank);

/// FILL IN: what the bank takes; for each operation its path, how well it is known, and the page that says so; for each
/// flow what `FlowInfo` has a setter for.
fn describe(account: AccountName) -> ProviderInfo {
    let id = ProviderId::parse(ID).expect("the constant is an id");
    let rule = RefRule::new(Alphabet::Alphanumeric, 8..=32);
    let mut info = ProviderInfo::new(id, account, "My Bank", CURRENCY, rule);
    info.ways = vec![Way::Page];
    let one = |ability, name, wire| OperationInfo::new(ability, name, wire, Evidence::Inferred, "FILL IN");
    info.operations = vec![
        one(Ability::Invoice, "create_invoice", "POST /invoices"),
        one(Ability::Query, "query", "POST /inquiry"),
    ];
    let start = FlowStart::Invoice(vec![Way::Page]);
    info.flows = vec![FlowInfo::new(FLOW_PAGE, start, FlowEffect::Inert, QueryBy::MerchantRef)];
    info
}

/// FILL IN: the members of the bank's answers.
#[derive(Deserialize)]
struct Opened {
    reference: String,
    page: Url,
}

#[derive(Deserialize)]
struct Standing {
    reference: String,
    result: String,
    amount: AmountText,
}

/// FILL IN: the bank's codes. Pending unless it is explicit.
fn status(result: &str) -> PaymentStatus {
    match result {
        "paid" => PaymentStatus::Paid,
        "declined" => PaymentStatus::Declined,
        "canceled" => PaymentStatus::Canceled,
        "expired" => PaymentStatus::Expired,
        _ => PaymentStatus::Pending,
    }
}

/// FILL IN: the bank's refusals. Only a documented one is a refusal; after a write, all else leaves open what happened.
fn refusal(response: &HttpResponse, effect: Effect) -> Error {
    let lost = effect.outcome_when_lost();
    let no = if lost == Outcome::NoEffect { lost } else { Outcome::Refused };
    let code = serde_json::from_slice::<Value>(&response.body).ok().map(|body| body["code"].clone());
    let (kind, outcome) = match (response.status, code.as_ref().and_then(Value::as_str)) {
        (401, Some("token")) => (ErrorKind::Unauthorized, no),
        (404, Some("unknown")) => (ErrorKind::NotFound, no),
        (409, Some("duplicate")) => (ErrorKind::Duplicate, lost),
        _ => (ErrorKind::Unavailable, lost),
    };
    Error::new(kind, format!("the bank answered with HTTP {}", response.status)).with_outcome(outcome)
}

fn about(asked: &MerchantRef, answered: &str, effect: Effect) -> Result<()> {
    let why = "the answer is about another payment than the one asked about";
    let error = || Error::new(ErrorKind::Untrusted, why).with_outcome(effect.outcome_when_lost());
    if asked.as_str() == answered { Ok(()) } else { Err(error()) }
}

impl MyBank {
    async fn call<A: serde::de::DeserializeOwned>(
        &self,
        operation: &'static str,
        effect: Effect,
        path: &str,
        body: Value,
        send_by: Option<Monotonic>,
    ) -> Result<A> {
        let mut url = self.config.base_url.clone();
        url.set_path(path);
        let request = HttpRequest::post_json(operation, effect, url, body.to_string())
            .send_by(send_by)
            .with_header("authorization", format!("Bearer {}", self.config.token.expose_secret()));
        let response =
            self.env.transport.send(request).await.map_err(|e| Error::from_transport(e, effect))?;
        if response.status != 200 {
            return Err(refusal(&response, effect));
        }
        wire::read(&response.body).map_err(|error| error.in_answer(effect, &response))
    }
}

#[async_trait]
impl InvoiceProvider for MyBank {
    async fn create_invoice(&self, request: &CreateInvoice) -> Result<Invoice> {
        request.check(self)?;
        let body = json!({ "reference": request.merchant_ref, "amount": AMOUNT.render(request.amount)? });
        let opened: Opened =
            self.call("create_invoice", Effect::Write, "/invoices", body, request.send_by).await?;
        about(&request.merchant_ref, &opened.reference, Effect::Write)?;
        let payment = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), FLOW_PAGE);
        let page = Redirect { url: opened.page, page: PageKind::Card, language: None };
        Ok(Invoice::new(payment, vec![NextAction::Redirect(page)]))
    }
}

#[async_trait]
impl QueryProvider for MyBank {
    async fn query(&self, payment: &PaymentRef) -> Result<Payment> {
        let body = json!({ "reference": payment.merchant_ref });
        let standing: Standing = self.call("query", Effect::Read, "/inquiry", body, None).await?;
        about(&payment.merchant_ref, &standing.reference, Effect::Read)?;
        let mut found = Payment::new(payment.clone(), status(&standing.result));
        found.amount = Some(standing.amount.to_money(CURRENCY)?);
        Ok(found)
    }
}

/// FILL IN: refunds, notifications and the rest, as traits of their own. What is not here, the provider cannot do.
impl Provider for MyBank {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }
    fn invoices(&self) -> Option<&dyn InvoiceProvider> {
        Some(self)
    }
    fn queries(&self) -> Option<&dyn QueryProvider> {
        Some(self)
    }
}
