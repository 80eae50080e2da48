//! Keeps SocialPay's tokens and messages.

use serde::{Deserialize, Serialize};

use super::address::with_token;
use super::customers::Customer;
use crate::plugin::{Records, Timestamp, Transaction};

/// SocialPay's memory. It is opaque to everybody else; see [`PaymentRecord`](crate::PaymentRecord) for the view.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct MiniAppState {
    tokens: Records<String, Token>,
    pub(super) messages: Vec<Message>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Token {
    customer: String,
    made_at: Timestamp,
    used_at: Option<Timestamp>,
}

/// A message that a merchant has sent to a customer's phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) customer: String,
    pub(super) at: Timestamp,
    pub(super) title: String,
    pub(super) text: String,
    pub(super) view: String,
    pub(super) url: String,
}

impl MiniAppState {
    pub(super) fn customer_of(&self, token: &str) -> Option<&'static Customer> {
        self.tokens.get(token).and_then(|token| Customer::by_name(&token.customer))
    }

    /// How many tokens a customer's phone has made, and how many of them were used.
    pub(super) fn counts(&self, customer: &str) -> (usize, usize) {
        let mine = || self.tokens.values().filter(|token| token.customer == customer);
        (mine().count(), mine().filter(|token| token.used_at.is_some()).count())
    }
}

/// A change of SocialPay's books.
pub(super) type Books<'a> = Transaction<'a, MiniAppState>;

/// A mini app that a customer has opened.
pub(super) struct Opened {
    pub(super) token: String,
    /// The merchant's page with the token, if an address was given.
    pub(super) address: Option<String>,
}

/// The customer opens the mini app: SocialPay makes a one-time token.
pub(super) fn mint(tx: &mut Books<'_>, customer: &Customer, url: Option<&str>) -> Opened {
    let token = uuid::Uuid::new_v4().simple().to_string();
    let address = url.map(|url| with_token(url, &token, &tx.switch("token-address")));
    let made = Token { customer: customer.name.to_owned(), made_at: tx.now(), used_at: None };
    tx.state_mut().tokens.insert(token.clone(), made);
    Opened { token, address }
}

/// Uses a token up.
///
/// # Errors
///
/// Says why it is not good, or no longer.
pub(super) fn redeem(tx: &mut Books<'_>, token: &str) -> Result<&'static Customer, &'static str> {
    let now = tx.now();
    let seconds: i64 = tx.switch("token-seconds").parse().unwrap_or_default();
    let Some(found) = tx.state_mut().tokens.get_mut(token) else {
        return Err("this token was never made here; a customer's phone or the control API makes one");
    };
    if found.used_at.is_some() {
        return Err("this token was used before, and a token is good once");
    }
    if seconds > 0 && found.made_at.plus_seconds(seconds) <= now {
        return Err("this token's time is over; the switch token-seconds sets it");
    }
    found.used_at = Some(now);
    Customer::by_name(&found.customer).ok_or("the customer of this token is no longer invented")
}
