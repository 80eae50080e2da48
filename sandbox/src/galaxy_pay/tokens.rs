//! The calls about saved cards (specification, 8).

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::answer::Answer;
use super::call::{Message, Outcome, Refusal};
use super::cards::TestCard;
use super::duplicates::used;
use super::order::read_card;
use super::shared::Gateway;
use super::state;

/// `tokenization/createToken`. That its answer ends with `token` is inferred.
pub(super) fn create(gateway: &Gateway, message: &Message) -> Result<Outcome, Refusal> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Created<'a> {
        account_brand: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        account_source: Option<&'a str>,
        account_number: String,
        account_name: &'a str,
        token: String,
    }

    let method = message.data.required("paymentMethod", 20)?;
    if !matches!(method, "DOMESTIC" | "INTERNATIONAL") {
        return Err("field paymentMethod must be DOMESTIC or INTERNATIONAL".to_owned().into());
    }
    let (card, holder) = read_card(&message.data, method)?;
    let token = gateway.desk.update(|tx| {
        used(tx, message);
        state::new_token(tx.state_mut(), card.id, holder.clone(), None)
    })?;
    let created = Created {
        account_brand: card.brand(),
        account_source: card.issuer(),
        account_number: card.masked(),
        account_name: &holder,
        token,
    };
    Ok(Answer::with(&created, format!("the test card {} was saved", card.id)).into())
}

/// `tokenization/deleteToken`, which the guide of 2023 calls Remove Token.
pub(super) fn delete(gateway: &Gateway, message: &Message) -> Result<Outcome, Refusal> {
    let token = message.data.required("token", 50)?;
    let removed = gateway.desk.update(|tx| {
        used(tx, message);
        tx.state_mut().tokens.remove(token)
    })?;
    match removed {
        Some(_) => Ok(Answer::done("the token was deleted").into()),
        None => Err(no_such_token()),
    }
}

/// `tokenization/queryTokens`: the cards that a customer linked in a checkout.
pub(super) fn query(gateway: &Gateway, message: &Message) -> Result<Outcome, Refusal> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Linked {
        #[serde(rename = "tokenID")]
        token_id: String,
        account_brand: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        account_source: Option<String>,
        account_number: String,
        account_name: String,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(clippy::struct_field_names, reason = "the wire's own names")]
    struct Customer {
        #[serde(rename = "customerID")]
        customer_id: String,
        customer_name: String,
        tokens: Vec<Linked>,
    }

    let mark = customer(message.data.required("customerToken", 8192)?);
    let tokens: Vec<Linked> = gateway.desk.read(|state| {
        let mut saved: Vec<_> =
            state.tokens.values().filter(|saved| saved.customer.as_ref() == Some(&mark)).collect();
        saved.sort_by_key(|saved| saved.id);
        let linked = |saved: &state::SavedCard| {
            TestCard::by_id(&saved.card).map(|card| Linked {
                token_id: saved.id.to_string(),
                account_brand: card.brand().to_owned(),
                account_source: card.issuer().map(str::to_owned),
                account_number: card.masked(),
                account_name: saved.holder.clone(),
            })
        };
        saved.into_iter().filter_map(linked).collect()
    });
    let note = format!("the customer has {} linked card(s)", tokens.len());
    let name = tokens.last().map(|linked| linked.account_name.clone()).unwrap_or_default();
    Ok(Answer::with(&Customer { customer_id: mark, customer_name: name, tokens }, note).into())
}

/// `tokenization/removeToken`: path and fields are inferred.
pub(super) fn remove(gateway: &Gateway, message: &Message) -> Result<Outcome, Refusal> {
    let mark = customer(message.data.required("customerToken", 8192)?);
    let id = message.data.required("tokenID", 10)?;
    let removed = gateway.desk.update(|tx| {
        used(tx, message);
        let tokens = &mut tx.state_mut().tokens;
        let before = tokens.len();
        tokens.retain(|_, saved| saved.customer.as_ref() != Some(&mark) || saved.id.to_string() != id);
        tokens.len() != before
    })?;
    if removed { Ok(Answer::done("the linked card was removed").into()) } else { Err(no_such_token()) }
}

/// A mark by which a customer's linked cards are found again. A customer token is renewed every week, so what counts is
/// the subject in it where it has one (assumption); its own signature cannot be checked here.
pub(super) fn customer(token: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let subject = token
        .split('.')
        .nth(1)
        .and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok())
        .and_then(|claims| serde_json::from_slice::<serde_json::Value>(&claims).ok())
        .and_then(|claims| claims["sub"].as_str().map(str::to_owned));
    hex::encode(&Sha256::digest(subject.as_deref().unwrap_or(token))[..12])
}

fn no_such_token() -> Refusal {
    Refusal::new("400", "Token not found")
        .because("no card has this token; which code the gateway gives is not known")
}

impl Gateway {
    /// The card and the holder that a token stands for.
    pub(super) fn card_of(&self, token: &str) -> Result<(&'static TestCard, String), Refusal> {
        let saved = self.desk.read(|state| state.tokens.get(token).cloned()).ok_or_else(no_such_token)?;
        TestCard::by_id(&saved.card).map(|card| (card, saved.holder)).ok_or_else(no_such_token)
    }
}
