//! A page that plays the bank app on the payer's phone: it reads a VietQR and pays what it says.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tulbur_qr::{Payload, Rules};

use super::fields::parse_amount;
use super::pages::end_if_open;
use super::pay::QR_BANK;
use super::shared::Gateway;
use super::state::{self, Payment};
use super::texts::Texts;
use super::view::{message, render};
use crate::plugin::PaymentState;

pub(super) fn routes() -> Router<Gateway> {
    Router::new().route("/-/bank-app", get(app).post(decide))
}

#[derive(Template)]
#[template(path = "galaxy-pay/bank-app.html")]
struct BankApp {
    t: &'static Texts,
    qr: String,
    transfer: Option<Transfer>,
    problem: String,
}

/// What a QR asks for, and the payment that it belongs to.
struct Transfer {
    bank: String,
    account: String,
    amount: String,
    purpose: String,
    payment: Payment,
    open: bool,
}

#[derive(serde::Deserialize)]
struct Asked {
    #[serde(default)]
    qr: String,
    #[serde(default)]
    action: String,
}

/// Reads a QR's text as an app does: checksum first, then the rules, then whose account it is.
fn read(gateway: &Gateway, text: &str) -> Result<Transfer, String> {
    let payload = Payload::parse(text).map_err(|error| error.to_string())?;
    payload.checksum().map_err(|error| error.to_string())?;
    payload.validate(Rules::VietQr).map_err(|error| error.to_string())?;
    let to = payload.vietqr().ok_or("this is no VietQR")?;
    if to.bin != QR_BANK {
        return Err(format!("the bank {} is none of this sandbox's", to.bin));
    }
    let amount = payload.amount().ok_or("the QR has no amount")?.to_owned();
    let found = gateway
        .desk
        .read(|state| state.accounts.get(&to.number).and_then(|id| state.payments.get(id)).cloned());
    let payment = found.ok_or_else(|| format!("no payment has the account {}", to.number))?;
    if parse_amount("amount", &amount, "VND")? != payment.order.hundredths {
        return Err("the QR's amount is not the payment's".to_owned());
    }
    let open = payment.state == PaymentState::Open && !payment.is_overdue(gateway.desk.now());
    let purpose = payload.purpose().unwrap_or_default().to_owned();
    Ok(Transfer { bank: to.bin, account: to.number, amount, purpose, payment, open })
}

async fn app(State(gateway): State<Gateway>, Query(asked): Query<Asked>) -> Response {
    let t = Texts::of("en");
    let qr = asked.qr.trim().to_owned();
    if qr.is_empty() {
        return render(StatusCode::OK, &BankApp { t, qr, transfer: None, problem: String::new() });
    }
    match read(&gateway, &qr) {
        Ok(transfer) => {
            render(StatusCode::OK, &BankApp { t, qr, transfer: Some(transfer), problem: String::new() })
        }
        Err(problem) => render(StatusCode::UNPROCESSABLE_ENTITY, &BankApp { t, qr, transfer: None, problem }),
    }
}

/// The app has no browser to send back: the merchant hears by notification or asks, and the QR's page reloads itself.
async fn decide(State(gateway): State<Gateway>, Form(asked): Form<Asked>) -> Response {
    let t = Texts::of("en");
    let transfer = match read(&gateway, asked.qr.trim()) {
        Ok(transfer) => transfer,
        Err(problem) => return message(StatusCode::UNPROCESSABLE_ENTITY, t, problem),
    };
    let id = transfer.payment.id.as_str();
    let done = gateway.desk.update(|tx| {
        state::run_clock(tx);
        if asked.action == "pay" {
            state::use_app(tx, id, "QRPAY", "QRPAY")
        } else {
            end_if_open(tx, id, "499")
        }
    });
    match done {
        Ok(_) => {
            let qr = utf8_percent_encode(asked.qr.trim(), NON_ALPHANUMERIC);
            Redirect::to(&format!("/-/bank-app?qr={qr}")).into_response()
        }
        Err(error) => message(StatusCode::INTERNAL_SERVER_ERROR, t, error.to_string()),
    }
}
