//! An application that is paid through Khur Bank. It names the bank's crate once, so that it is linked; everything
//! else goes through the registry, and would go the same way with any other provider.
//!
//! `cargo run -p app` needs nothing: the sandbox plays the bank on this machine.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tulbur_core::{
    AccountConfig, CallbackUrl, Channel, CreateInvoice, Currency, Delivery, IpnEvent, IpnOutcome,
    MerchantRef, Money, NextAction, OperationRef, Proof, Provider, RefundRequest, Registry, ReturnUrls,
    accounts_from, confirm,
};
use tulbur_sandbox::Sandbox;

// The crate registers itself; but what nothing names is not linked.
use khur_bank as _;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let sandbox = Sandbox::builder().without_built_in().plugin(khur_bank_sandbox::KhurBank).start().await?;
    println!("sandbox       {}", sandbox.control_url());
    let result = take_a_payment(&sandbox).await;
    sandbox.shutdown().await;
    result
}

// ANCHOR: account
/// Part of the settings comes from TOML and the secret from the environment, as in production.
fn account(registry: &Registry, sandbox: &Sandbox) -> Result<AccountConfig, AnyError> {
    let bank = sandbox.provider("khur-bank")?;
    let credential = |name| bank.credentials().get(name).cloned().ok_or("the sandbox shows its credentials");
    let toml = format!(
        "[accounts.book-shop]\nprovider = \"khur-bank\"\nmerchant = \"{}\"\nbase_url = \"{}\"\n",
        credential("merchant")?,
        bank.base_url()
    );
    let environment = [("TULBUR_BOOK_SHOP_SECRET".to_owned(), credential("secret")?)];
    let accounts = accounts_from(Some(&toml), environment, &registry.ids())?;
    Ok(accounts.into_iter().next().ok_or("the TOML names an account")?)
}
// ANCHOR_END: account

async fn take_a_payment(sandbox: &Sandbox) -> Result<(), AnyError> {
    let registry = Registry::linked()?;
    let linked: Vec<String> =
        registry.describe().iter().map(|info| format!("{} ({})", info.id, info.name)).collect();
    println!("linked        {}", linked.join(", "));

    let env = tulbur_reqwest::standard_env()?;
    let provider = registry.build(&account(&registry, sandbox)?, &env)?;
    let (invoices, queries, refunds) = (
        provider.invoices().ok_or("this provider makes no invoices")?,
        provider.queries().ok_or("this provider answers no questions")?,
        provider.refunds().ok_or("this provider gives no money back")?,
    );
    println!("account       {} of {}", provider.info().account, provider.info().id);

    let (address, mut notifications) = listen(Arc::clone(&provider)).await?;
    sandbox.provider("khur-bank")?.set_push_address(Some(&address))?;

    let reference = MerchantRef::generate(&provider.info().ref_rule, &*env.ids);
    let price = Money::from_major(25_000, Currency::MNT)?;
    let mut request = CreateInvoice::new(reference.clone(), price, "Two books");
    request.return_urls = Some(ReturnUrls::one(CallbackUrl::parse("http://127.0.0.1:9/back")?));
    let invoice = invoices.create_invoice(&request).await?;
    println!("invoice       {reference} for {price}, {}", invoice.status);
    if let Some(NextAction::Redirect(page)) = invoice.next.first() {
        println!("payer's page  {}", page.url);
    }

    // A person would pay on that page; the sandbox's control API does it for a program.
    let pay = format!("{}/api/khur-bank/payments/{reference}/pay", sandbox.control_url());
    reqwest::Client::new().post(pay).send().await?.error_for_status()?;
    let event = tokio::time::timeout(Duration::from_secs(10), notifications.recv()).await?;
    let event = event.ok_or("the listener has ended")?;
    let Proof::Signed(facts) = event.proof else { return Err("the notification proves nothing".into()) };
    if facts.merchant_ref.as_ref() != Some(&reference) || facts.amount != price {
        return Err("the notification is about something else".into());
    }
    println!("notification  {}: {} is proven by its checksum", facts.status, facts.amount);

    let paid = confirm(queries, &invoice.payment).await?;
    println!("asked         {}, the bank says {}", paid.status, amount(paid.amount));

    let half = Money::from_minor(price.minor() / 2, price.currency());
    let operation = OperationRef::parse(env.ids.uuid_v7())?;
    let request = RefundRequest::new(invoice.payment.clone(), operation, half, "one of the two was sold out");
    let refund = refunds.refund(&request).await?;
    println!("refund        {} {:?}", refund.amount, refund.status);
    let after = confirm(queries, &invoice.payment).await?;
    println!(
        "asked         {}, {} of {} given back",
        after.status,
        amount(after.refunded),
        amount(after.amount)
    );
    Ok(())
}

fn amount(money: Option<Money>) -> String {
    money.map_or_else(|| "nothing".to_owned(), |money| money.to_string())
}

type Listener = (Arc<dyn Provider>, mpsc::UnboundedSender<IpnEvent>);

/// Takes the provider's notifications on a free port: the address, and what is verified of what arrives there.
async fn listen(
    provider: Arc<dyn Provider>,
) -> Result<(String, mpsc::UnboundedReceiver<IpnEvent>), AnyError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = format!("http://{}/notify/{}", listener.local_addr()?, provider.info().account);
    let (sender, receiver) = mpsc::unbounded_channel();
    let routes = Router::new().route("/notify/{account}", post(notified)).with_state((provider, sender));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok((address, receiver))
}

async fn notified(
    State((provider, events)): State<Listener>,
    headers: HeaderMap,
    request: Request<Body>,
) -> Response {
    let Some(ipn) = provider.ipn() else { return StatusCode::NOT_FOUND.into_response() };
    let headers: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let query = request.uri().query().map(str::to_owned);
    let body: Bytes = axum::body::to_bytes(request.into_body(), 64 * 1024).await.unwrap_or_default();
    let delivery = Delivery {
        channel: Channel::Notify,
        method: "POST",
        query: query.as_deref(),
        headers: &headers,
        body: &body,
    };
    let reply = match ipn.verify(&delivery) {
        // An application that keeps its payments stores the event before it answers so.
        Ok(event) => match events.send(event) {
            Ok(()) => ipn.acknowledge(IpnOutcome::Accepted),
            Err(_) => ipn.acknowledge(IpnOutcome::NotStored),
        },
        Err(error) => ipn.acknowledge(IpnOutcome::Rejected(&error)),
    };
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, reply.content_type)], reply.body).into_response()
}
