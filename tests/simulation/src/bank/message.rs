//! Builds the bank's notifications: genuine, contradicting and forged.

use tulbur_core::{Currency, Money, Scheme, SecretString, SigningKeys};

use super::books::Entry;
use crate::random::Random;

/// The key of North's notifications.
pub(super) const NORTH_KEY: &str = "simulated-north-key";
/// The salt of South's notifications.
pub(super) const SOUTH_SALT: &str = "simulated-south-salt";

/// A notification on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// The account whose address it goes to.
    pub(crate) account: String,
    /// The address of one payment, if it goes to one.
    pub(crate) address: Option<String>,
    /// The text.
    pub(crate) body: String,
    /// The label of the payment that it is about.
    pub(crate) subject: String,
    /// The process that it must go to, if it must.
    pub(crate) to: Option<usize>,
    /// The event's number.
    pub(crate) event: u32,
    /// Whether it is sent again while it is not acknowledged.
    pub(crate) insist: bool,
}

/// How the status is written in a message.
fn code_of(status: &str) -> &'static str {
    match status {
        "paid" => "000",
        "authorized" => "001",
        "canceled" => "200",
        "pending" => "300",
        _ => "100",
    }
}

/// The text of a message about an entry. North names our reference; South only its own.
pub(crate) fn text_of(entry: &Entry, status: &str, amount: i64, event: u32, genuine: bool) -> String {
    let code = code_of(status);
    let money = Money::from_minor(amount, Currency::MNT).to_decimal_text();
    let event = format!("{event:04}");
    if entry.names_its_own() {
        let document = format!("{}|{code}|{money}|{event}", entry.provider_ref);
        let salt = if genuine { SOUTH_SALT } else { "forged" };
        let keys = SigningKeys::new(Scheme::SaltedSha256, &[SecretString::from(salt)])
            .expect("the salt is not empty");
        let signature = keys.sign(&[&document]);
        return format!("{document}#{signature}");
    }
    let parts = [entry.merchant_ref.as_str(), code, money.as_str(), event.as_str()];
    let key = if genuine { NORTH_KEY } else { "forged" };
    let keys =
        SigningKeys::new(Scheme::HmacSha256, &[SecretString::from(key)]).expect("the key is not empty");
    format!("{}|{}", parts.join("|"), keys.sign(&parts))
}

impl Message {
    /// What the bank tells about an entry as it stands.
    pub(crate) fn about(entry: &Entry, status: &str, amount: i64, event: u32) -> Self {
        Self {
            account: entry.account.clone(),
            address: entry.notify_url.clone(),
            body: text_of(entry, status, amount, event, true),
            subject: entry.label.clone(),
            to: None,
            event,
            insist: true,
        }
    }
}

/// Bytes that mean nothing, at an account's address.
pub(crate) fn garbage(random: &mut Random, account: &str, count: u64) -> Vec<Message> {
    let body = |random: &mut Random| match random.below(3) {
        0 => format!("{:x}", random.draw()),
        1 => format!("{:032x}|000|1000.00|0001|{:064x}", random.draw(), random.draw()),
        _ => "x".repeat(usize::try_from(random.below(200)).unwrap_or(0)),
    };
    (0..count)
        .map(|_| Message {
            account: account.to_owned(),
            address: None,
            body: body(random),
            subject: "garbage".into(),
            to: None,
            event: 0,
            insist: false,
        })
        .collect()
}
