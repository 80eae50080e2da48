//! While a provider changes from one secret to another, its messages are believed with either, and ours are signed with
//! the new one: real providers, from the opening to the notification and the question after it.

mod galaxy_pay;
mod golomt_ecommerce;
mod golomt_instore;

use std::sync::Arc;

use crate::support::{self, Shop};
use tulbur_core::{
    AccountName, BuildEnv, Channel, Delivery, HttpTransport, Money, OrderRef, Provider, Scheme, SecretString,
    SequenceIds, SigningKeys,
};
use tulbur_payments::{NotifyTarget, OpenPayment, Payments};

/// The secrets of these tests. The last one is nobody's.
const KNOWN: [&str; 3] = ["old-secret", "new-secret", "other-secret"];

fn sign(secret: &str, parts: &[&str]) -> String {
    SigningKeys::new(Scheme::HmacSha256, &[SecretString::from(secret)]).unwrap().sign(parts)
}

/// The text of a field in flat JSON.
fn field(body: &serde_json::Value, name: &str) -> String {
    body[name].as_str().unwrap_or_default().to_owned()
}

fn account() -> AccountName {
    AccountName::parse("bank").unwrap()
}

fn env(bank: Arc<impl HttpTransport + 'static>, shop: &Shop) -> BuildEnv {
    BuildEnv::new(bank, Arc::new(shop.clock.clone()), Arc::new(SequenceIds::default()))
}

async fn payments_at(shop: &Shop, provider: Arc<dyn Provider>) -> Payments {
    let file = shop.folder.path().join("shop.db");
    support::builder(&file, &shop.clock).await.account(provider).build().await.unwrap()
}

fn request(order: OrderRef, amount: Money) -> OpenPayment {
    OpenPayment::new(order, account(), amount, "Two things")
}

async fn notify(payments: &Payments, body: &str) -> u16 {
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let delivery = Delivery {
        channel: Channel::Notify,
        method: "POST",
        query: None,
        headers: &headers,
        body: body.as_bytes(),
    };
    payments.notify(NotifyTarget::Name("bank"), delivery).await.status
}
