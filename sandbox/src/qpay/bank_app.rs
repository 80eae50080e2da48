//! A page that plays the bank app on the payer's phone: it reads a QR's text or an app's link, and pays.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use tulbur_qr::{Payload, Rules};

use super::code::app_of;
use super::pages::{Shown, bank_app, message};
use super::shared::Bank;
use super::state::{self, Invoice, Standing, Wish};
use super::texts::Texts;
use crate::galaxy_pay::fields::{amount_text, parse_amount};
use crate::golomt_ecommerce::html::render;

pub(super) fn routes() -> Router<Bank> {
    Router::new().route("/-/bank-app", get(show).post(decide))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    lang: String,
    qr: String,
    amount: String,
    action: String,
}

#[derive(Template)]
#[template(path = "qpay/bank-app.html")]
struct AppPage {
    t: &'static Texts,
    qr: String,
    problem: String,
    scanned: Option<Scanned>,
}

/// What was scanned, and the invoice that it belongs to.
struct Scanned {
    heading: &'static str,
    open: bool,
    shown: Shown,
    merchant: String,
    /// The app that the link names.
    wallet: Option<&'static str>,
    /// What is left to pay, where the payer may choose the amount.
    chooses: Option<String>,
}

/// Reads a text as an app does: checksum first, then the rules, then whose invoice it is.
fn read(bank: &Bank, t: &'static Texts, text: &str) -> Result<Scanned, String> {
    let (wallet, code) = match text.split_once("://q?qPay_QRcode=") {
        Some((scheme, code)) => (app_of(scheme), percent_decode_str(code).decode_utf8_lossy().into_owned()),
        None => (None, text.to_owned()),
    };
    let payload = Payload::parse(&code).map_err(|error| error.to_string())?;
    payload.checksum().map_err(|error| error.to_string())?;
    payload.validate(Rules::Mongolia).map_err(|error| error.to_string())?;
    let key = payload.additional(7).ok_or("element 62 has no 07, so this is no code of QPay's")?;
    let found = bank
        .desk
        .read(|state| state.by_key(key).map(|invoice| (Shown::of(state, invoice), state.paid(invoice))));
    let (shown, paid) = found.ok_or("this code is right, but belongs to no invoice here")?;
    if shown.invoice.qr_text != code {
        return Err("this code is not the invoice's own; it was changed on the way".to_owned());
    }
    let order = &shown.invoice.order;
    let left = order.hundredths.saturating_sub(paid);
    let free = order.partial.is_some() || order.exceed.is_some();
    Ok(Scanned {
        heading: shown.heading(t),
        open: shown.is_open(),
        merchant: payload.merchant_name().unwrap_or_default().to_owned(),
        wallet,
        chooses: free.then(|| amount_text(left)),
        shown,
    })
}

/// Whether an invoice takes this amount at a time (specification, 7.4): its own, or within what it allows.
fn takes(invoice: &Invoice, left: u64, hundredths: u64) -> bool {
    let order = &invoice.order;
    let enough = hundredths >= left || order.partial.is_some_and(|least| hundredths >= least);
    let within = hundredths <= left
        || order
            .exceed
            .is_some_and(|most| most == 0 || hundredths <= most.saturating_sub(order.hundredths - left));
    enough && within
}

async fn show(State(bank): State<Bank>, Query(asked): Query<Asked>) -> Response {
    let t = Texts::of(&asked.lang);
    let qr = asked.qr.trim().to_owned();
    page(&bank, t, qr, String::new())
}

fn page(bank: &Bank, t: &'static Texts, qr: String, problem: String) -> Response {
    if qr.is_empty() {
        return render(StatusCode::OK, &AppPage { t, qr, problem, scanned: None });
    }
    let (scanned, problem) = match read(bank, t, &qr) {
        Ok(scanned) => (Some(scanned), problem),
        Err(why) => (None, why),
    };
    let status = if problem.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    render(status, &AppPage { t, qr, problem, scanned })
}

/// The app has no browser to send back: the merchant hears by callback, and the page with the QR reloads itself.
async fn decide(State(bank): State<Bank>, Form(asked): Form<Asked>) -> Response {
    let t = Texts::of(&asked.lang);
    let qr = asked.qr.trim().to_owned();
    let scanned = match read(&bank, t, &qr) {
        Ok(scanned) => scanned,
        Err(problem) => return message(StatusCode::UNPROCESSABLE_ENTITY, t, problem),
    };
    let amount = match asked.amount.trim() {
        "" => None,
        text => match parse_amount("amount", text, "MNT") {
            Ok(hundredths) => Some(hundredths),
            Err(_) => return page(&bank, t, qr, t.bad_amount.to_owned()),
        },
    };
    let wish = Wish {
        hundredths: amount,
        by_card: asked.action == "pay-by-card",
        status: (asked.action == "fail").then(|| "FAILED".to_owned()),
        wallet: scanned.wallet.map(str::to_owned),
        ..Wish::default()
    };
    let id = scanned.shown.invoice.id.as_str();
    // A second click, or a late one, pays nothing: the look and the payment are one change.
    let done = bank.desk.update(|tx| {
        let invoice = tx.state().invoices.get(id).filter(|invoice| invoice.standing == Standing::Open)?;
        let left = invoice.order.hundredths.saturating_sub(tx.state().paid(invoice));
        if !takes(invoice, left, amount.unwrap_or(left)) {
            return Some(false);
        }
        state::pay(tx, id, &wish);
        Some(true)
    });
    match done {
        Ok(Some(false)) => page(&bank, t, qr, t.bad_amount.to_owned()),
        Ok(_) => Redirect::to(&bank_app(&qr, t)).into_response(),
        Err(error) => message(StatusCode::INTERNAL_SERVER_ERROR, t, error.to_string()),
    }
}
