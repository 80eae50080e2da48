//! The customer's phone, played on a page: what arrived, what can be scanned, and the decision.
//!
//! Every control has a fixed id, and every invoice an attribute `data-invoice`, so that a test can find its way.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tulbur_qr::Payload;

use super::code::{CODE_LINK, KEY_LINK};
use super::shared::Bank;
use super::state::{self, Channel, InstoreState, Invoice};
use crate::golomt_ecommerce::html::{asset, render, written_amount};
use crate::plugin::PaymentState;

pub(super) fn routes() -> Router<Bank> {
    Router::new()
        .route("/-/phone", get(list))
        .route("/-/phone/scan", post(scan))
        .route("/-/phone/{reference}", get(show).post(decide))
        .route(
            "/-/page.css",
            get(|| async { asset("text/css", include_str!("../../templates/golomt-ecommerce/page.css")) }),
        )
}

/// One line of the list.
struct Line {
    reference: String,
    path: String,
    amount: String,
    terminal: String,
    phone: String,
}

impl Line {
    fn of(invoice: &Invoice) -> Self {
        Self {
            path: path_of(&invoice.reference),
            reference: invoice.reference.clone(),
            amount: written_amount(&invoice.amount),
            terminal: invoice.terminal.clone(),
            phone: match &invoice.channel {
                Channel::Phone(number) => number.clone(),
                Channel::Qr | Channel::Deeplink => String::new(),
            },
        }
    }
}

fn path_of(reference: &str) -> String {
    format!("/-/phone/{}", utf8_percent_encode(reference, NON_ALPHANUMERIC))
}

#[derive(Template)]
#[template(path = "golomt-instore/list.html")]
struct ListPage {
    phone: String,
    arrived: Vec<Line>,
    codes: Vec<Line>,
    typed: String,
    problem: String,
}

#[derive(Template)]
#[template(path = "golomt-instore/invoice.html")]
struct InvoicePage<'a> {
    invoice: &'a Invoice,
    path: String,
    amount: String,
    expires: String,
    open: bool,
}

#[derive(Template)]
#[template(path = "golomt-instore/message.html")]
struct MessagePage {
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    phone: String,
    code: String,
    action: String,
}

async fn list(State(bank): State<Bank>, Query(asked): Query<Asked>) -> Response {
    list_page(&bank, StatusCode::OK, asked.phone.trim(), String::new(), String::new())
}

fn list_page(bank: &Bank, status: StatusCode, phone: &str, typed: String, problem: String) -> Response {
    let now = bank.desk.now();
    let mut open: Vec<Invoice> = bank.desk.read(|state| {
        let open = |invoice: &&Invoice| invoice.state == PaymentState::Open && !invoice.is_overdue(now);
        state.invoices.values().filter(open).cloned().collect()
    });
    open.sort_by_key(|invoice| std::cmp::Reverse(invoice.number));
    let (arrived, codes): (Vec<Invoice>, Vec<Invoice>) =
        open.into_iter().partition(|invoice| matches!(invoice.channel, Channel::Phone(_)));
    let mine = |invoice: &&Invoice| match &invoice.channel {
        // A number that nobody has is nobody's phone.
        Channel::Phone(number) => number != super::api::NOBODY && (phone.is_empty() || number == phone),
        Channel::Qr | Channel::Deeplink => true,
    };
    let page = ListPage {
        phone: phone.to_owned(),
        arrived: arrived.iter().filter(mine).map(Line::of).collect(),
        codes: codes.iter().map(Line::of).collect(),
        typed,
        problem,
    };
    render(status, &page)
}

/// Opens what was pasted: the text of a QR code, a link, or a link's key.
async fn scan(State(bank): State<Bank>, Form(asked): Form<Asked>) -> Response {
    let code = asked.code.trim();
    match bank.desk.read(|state| scanned(state, code)) {
        Ok(reference) => Redirect::to(&path_of(&reference)).into_response(),
        Err(problem) => {
            list_page(&bank, StatusCode::UNPROCESSABLE_ENTITY, asked.phone.trim(), code.to_owned(), problem)
        }
    }
}

/// The invoice that a scanned text belongs to.
fn scanned(state: &InstoreState, code: &str) -> Result<String, String> {
    if code.is_empty() {
        return Err("Nothing was scanned.".to_owned());
    }
    let payload = code.strip_prefix(CODE_LINK).unwrap_or(code);
    let found = state.invoices.values().find(|invoice| {
        let link = invoice.link.as_deref();
        invoice.payload.as_deref() == Some(payload)
            || link.is_some_and(|link| link == code || link.strip_prefix(KEY_LINK) == Some(code))
    });
    if let Some(invoice) = found {
        return Ok(invoice.reference.clone());
    }
    if code.starts_with("socialpay-payment:") && !code.starts_with(CODE_LINK) {
        return Err("This link belongs to no invoice here; it must be passed on byte for byte.".to_owned());
    }
    // Why a payload is not ours is worth knowing: it may have been spoiled on the way.
    Err(match Payload::parse(payload) {
        Err(error) => format!("This is no payment code: {error}."),
        Ok(parsed) => match parsed.checksum() {
            Err(error) => format!("This payment code is spoiled: {error}."),
            Ok(_) => "This payment code is right, but belongs to no invoice here.".to_owned(),
        },
    })
}

async fn show(State(bank): State<Bank>, Path(reference): Path<String>) -> Response {
    let now = bank.desk.now();
    if bank.desk.read(|state| state.is_overdue(now))
        && let Err(error) = bank.desk.update(state::run_clock)
    {
        return message(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    }
    let Some(invoice) = bank.desk.read(|state| state.invoices.get(&reference).cloned()) else {
        return message(StatusCode::NOT_FOUND, "There is no such invoice.".to_owned());
    };
    let page = InvoicePage {
        path: path_of(&reference),
        amount: written_amount(&invoice.amount),
        expires: invoice.expires_at.map_or_else(String::new, |at| at.to_string()),
        open: invoice.state == PaymentState::Open,
        invoice: &invoice,
    };
    render(StatusCode::OK, &page)
}

async fn decide(
    State(bank): State<Bank>,
    Path(reference): Path<String>,
    Form(asked): Form<Asked>,
) -> Response {
    if !matches!(asked.action.as_str(), "pay" | "refuse" | "expire") {
        return message(StatusCode::BAD_REQUEST, format!("There is no action {:?}.", asked.action));
    }
    match bank.desk.update(|tx| state::decide(tx, &reference, &asked.action)) {
        Ok(Some(_)) => Redirect::to(&path_of(&reference)).into_response(),
        Ok(None) => message(StatusCode::NOT_FOUND, "There is no such invoice.".to_owned()),
        Err(error) => message(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn message(status: StatusCode, message: String) -> Response {
    render(status, &MessagePage { message })
}
