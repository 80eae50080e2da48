//! Instore v2's one known call: a payment by card number and expiry date. Off unless switched on, because of the path
//! only its end is known, and of the authentication nothing at all.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use axum::routing::post;
use serde::Serialize;

use super::answer::{self, Refusal};
use super::shared::Bank;
use super::{api, state};
use crate::golomt_ecommerce::cards::{CardOutcome, TestCard};
use crate::golomt_ecommerce::request::{Fields, amount_in_form, check_amount};
use crate::plugin::Note;

pub(super) fn routes() -> Router<Bank> {
    Router::new().route("/transaction/v1.0", post(pay))
}

/// The transaction, under the name that the bank's sample gives it.
#[derive(Serialize)]
struct Body {
    user: User,
}

#[derive(Serialize)]
struct User {
    id: String,
    amount: String,
    #[serde(rename = "amountISO")]
    amount_iso: String,
    #[serde(rename = "batchNumber")]
    batch_number: String,
    #[serde(rename = "transactionNumber")]
    transaction_number: String,
    #[serde(rename = "referenceNumber")]
    reference_number: u64,
    #[serde(rename = "responseCode")]
    response_code: &'static str,
}

async fn pay(State(bank): State<Bank>, uri: Uri, body: Bytes) -> Response {
    if !bank.is_on("instore-v2") {
        return api::nothing_here(uri).await;
    }
    charge(&bank, &body).unwrap_or_else(|refusal| bank.refuse(refusal))
}

fn charge(bank: &Bank, body: &[u8]) -> Result<Response, Refusal> {
    let fields = Fields::parse(body).map_err(Refusal::invalid)?;
    let text = |name| fields.required(name, false).map_err(Refusal::invalid);
    let (terminal, amount, expiry) = (text("terminal")?, text("amount")?, text("expiry")?);
    if bank.secret_of(terminal).is_none() {
        return Err(Refusal::terminal(format!("terminal {terminal:?} is not one of this bank's")));
    }
    check_amount(amount).map_err(Refusal::invalid)?;
    if expiry.len() != 4 || !expiry.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::invalid("expiry must be four digits; in which order is not known"));
    }
    // The number is not shown, kept or logged, whosever it is.
    let card = TestCard::by_number(text("card")?).ok_or_else(|| {
        Refusal::invalid("the card is none of the sandbox's test cards; nothing else is taken here")
    })?;
    let (code, what) = match card.charge {
        CardOutcome::Approve => ("00", "approved"),
        CardOutcome::Decline(_) | CardOutcome::Pending => ("05", "declined"),
    };
    let number = u64::from(u32::from_be_bytes(state::random()));
    let hundredths = amount_in_form(amount, "two-decimals").replace('.', "");
    let user = User {
        id: String::new(),
        amount: amount.to_owned(),
        amount_iso: format!("{hundredths:0>12}"),
        batch_number: "000001".to_owned(),
        transaction_number: format!("{:06}", number % 1_000_000),
        reference_number: number,
        response_code: code,
    };
    let mut response = answer::success(Body { user });
    response.extensions_mut().insert(Note::accepted(format!(
        "card {}: {what}; nothing is remembered of it (assumptions)",
        card.id
    )));
    Ok(response)
}
