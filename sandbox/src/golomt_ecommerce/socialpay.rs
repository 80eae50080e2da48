//! SocialPay: the deep link, and a page that plays the app on the payer's phone.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::cards::TEST_CARDS;
use super::html::{message, render};
use super::shared::Bank;
use super::state::{self, BankPayment, Books, Done};
use super::texts::{Language, Texts};
use crate::plugin::PaymentState;

const LINK: &str = "socialpay-payment://key=";

pub(super) fn routes() -> Router<Bank> {
    Router::new().route("/-/socialpay-app", get(app).post(decide))
}

/// The deep link of a key. Real ones hold 80 bytes of unknown make; ours are random and looked up.
pub(super) fn deeplink(key: Option<&str>) -> Option<String> {
    key.map(|key| format!("{LINK}{key}"))
}

/// The payer agrees in the app. The wallet stands for the card that always pays (assumption).
pub(super) fn pay(tx: &mut Books<'_>, transaction_id: &str) -> Option<Done> {
    state::submit(tx, transaction_id, &TEST_CARDS[0], "SocialPay")
}

/// The payer refuses in the app. Which code the bank gives then is not known; it is that of a cancelled payment.
pub(super) fn refuse(tx: &mut Books<'_>, transaction_id: &str) -> Option<Done> {
    let payment = tx.state().payments.get(transaction_id)?.clone();
    if payment.state == PaymentState::Open {
        return state::end(tx, transaction_id, PaymentState::Canceled);
    }
    Some(Done { payment, ticket: None })
}

#[derive(Template)]
#[template(path = "golomt-ecommerce/socialpay-app.html")]
struct AppPage {
    t: &'static Texts,
    key: String,
    payment: Option<BankPayment>,
    open: bool,
}

#[derive(serde::Deserialize)]
struct Asked {
    #[serde(default)]
    key: String,
    #[serde(default)]
    action: String,
}

async fn app(State(bank): State<Bank>, Query(asked): Query<Asked>) -> Response {
    // What people paste is the whole link, and forms turn a plus into a blank.
    let key = asked.key.trim().trim_start_matches(LINK).replace(' ', "+");
    let payment = find(&bank, &key);
    if !key.is_empty() && payment.is_none() {
        return message(StatusCode::NOT_FOUND, Language::English, "no payment has this deep link");
    }
    let open = payment.as_ref().is_some_and(|payment| payment.state == PaymentState::Open);
    render(StatusCode::OK, &AppPage { t: Language::English.texts(), key, payment, open })
}

/// The app has no browser to send back: the merchant hears by notification or asks.
async fn decide(State(bank): State<Bank>, Form(asked): Form<Asked>) -> Response {
    let Some(payment) = find(&bank, &asked.key) else {
        return message(StatusCode::NOT_FOUND, Language::English, "no payment has this deep link");
    };
    let id = payment.transaction_id;
    let done = bank.desk.update(|tx| if asked.action == "pay" { pay(tx, &id) } else { refuse(tx, &id) });
    match done {
        Ok(_) => {
            let key = utf8_percent_encode(&asked.key, NON_ALPHANUMERIC);
            Redirect::to(&format!("/-/socialpay-app?key={key}")).into_response()
        }
        Err(error) => message(StatusCode::INTERNAL_SERVER_ERROR, Language::English, error.to_string()),
    }
}

fn find(bank: &Bank, key: &str) -> Option<BankPayment> {
    bank.desk.read(|state| state.deeplinks.get(key).and_then(|id| state.payments.get(id)).cloned())
}
