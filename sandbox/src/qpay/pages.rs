//! QPay's page behind the short link: the QR code and the list of bank apps.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tulbur_qr::{Correction, Picture};

use super::code::{App, apps};
use super::shared::Bank;
use super::state::{Invoice, QPayState};
use super::texts::Texts;
use crate::galaxy_pay::fields::amount_text;
use crate::golomt_ecommerce::html::{asset, render, written_amount};
use crate::plugin::{Note, PaymentState};

const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path fill="#1d3b5c" d="M1 1h6v6H1z"/></svg>"##;

pub(super) fn routes() -> Router<Bank> {
    Router::new()
        .route("/s/{code}", get(list))
        .route(
            "/-/page.css",
            get(|| async { asset("text/css", include_str!("../../templates/golomt-ecommerce/page.css")) }),
        )
        .route(
            "/-/qpay.css",
            get(|| async { asset("text/css", include_str!("../../templates/qpay/qpay.css")) }),
        )
        .route("/-/logo.svg", get(|| async { asset("image/svg+xml", LOGO) }))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    lang: String,
}

/// An invoice as the pages show it.
pub(super) struct Shown {
    pub(super) invoice: Invoice,
    pub(super) amount: String,
    pub(super) state: PaymentState,
    pub(super) paid: Option<String>,
    pub(super) failed: bool,
}

impl Shown {
    pub(super) fn of(state: &QPayState, invoice: &Invoice) -> Self {
        let paid = state.paid(invoice);
        Self {
            amount: written_amount(&amount_text(invoice.order.hundredths)),
            state: state.state_of(invoice),
            paid: (paid > 0).then(|| written_amount(&amount_text(paid))),
            failed: state.rows(invoice).last().is_some_and(|row| row.status == "FAILED"),
            invoice: invoice.clone(),
        }
    }

    pub(super) fn heading(&self, t: &'static Texts) -> &'static str {
        match self.state {
            PaymentState::Paid => t.paid,
            PaymentState::Canceled => t.canceled,
            PaymentState::Expired => t.expired,
            _ => t.open,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == PaymentState::Open
    }
}

#[derive(Template)]
#[template(path = "qpay/list.html")]
struct ListPage {
    t: &'static Texts,
    shown: Shown,
    heading: &'static str,
    open: bool,
    picture: String,
    apps: Vec<App>,
    bank_app: String,
}

#[derive(Template)]
#[template(path = "qpay/message.html")]
struct MessagePage {
    t: &'static Texts,
    message: String,
}

pub(super) fn message(status: StatusCode, t: &'static Texts, message: impl Into<String>) -> Response {
    render(status, &MessagePage { t, message: message.into() })
}

/// The address of the bank app with a code in it.
pub(super) fn bank_app(qr_text: &str, t: &Texts) -> String {
    format!("/-/bank-app?lang={}&qr={}", t.code, utf8_percent_encode(qr_text, NON_ALPHANUMERIC))
}

async fn list(State(bank): State<Bank>, Path(code): Path<String>, Query(asked): Query<Asked>) -> Response {
    let t = Texts::of(&asked.lang);
    let shown = bank.desk.read(|state| state.by_key(&code).map(|invoice| Shown::of(state, invoice)));
    let Some(shown) = shown else {
        let mut response = message(StatusCode::NOT_FOUND, t, t.not_found);
        let why = "no invoice has this page; its address is qPay_shortUrl of the answer";
        response.extensions_mut().insert(Note::refused(why));
        return response;
    };
    let qr_text = &shown.invoice.qr_text;
    let picture = Picture::of_text(qr_text, Correction::Medium).map(|picture| picture.to_svg());
    let page = ListPage {
        t,
        heading: shown.heading(t),
        open: shown.is_open(),
        picture: picture.unwrap_or_default(),
        apps: apps(bank.desk.base_url(), qr_text),
        bank_app: bank_app(qr_text, t),
        shown,
    };
    render(StatusCode::OK, &page)
}
