//! The customer's phone, played on a page: opens the mini app, and shows what merchants have written.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::address::check_url;
use super::customers::{CUSTOMERS, Customer};
use super::shared::SocialPay;
use super::signature;
use super::state::{self, Message};
use crate::golomt_ecommerce::html::{asset, render};

pub(super) fn routes() -> Router<SocialPay> {
    Router::new().route("/-/phone", get(show).post(open)).route(
        "/-/page.css",
        get(|| async { asset("text/css", include_str!("../../templates/golomt-ecommerce/page.css")) }),
    )
}

#[derive(Template)]
#[template(path = "golomt-mini-app/phone.html")]
struct PhonePage {
    customers: &'static [Customer],
    chosen: &'static Customer,
    cert_id: String,
    public_key: String,
    url: String,
    problem: String,
    token: String,
    address: String,
    messages: Vec<Message>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    customer: String,
    url: String,
}

impl Asked {
    fn customer(&self) -> &'static Customer {
        Customer::by_name(&self.customer).unwrap_or(&CUSTOMERS[0])
    }
}

async fn show(State(socialpay): State<SocialPay>, Query(asked): Query<Asked>) -> Response {
    phone(&socialpay, StatusCode::OK, &asked, None, String::new())
}

async fn open(State(socialpay): State<SocialPay>, Form(asked): Form<Asked>) -> Response {
    let url = asked.url.trim();
    if !url.is_empty()
        && let Err(problem) = check_url(url)
    {
        return phone(&socialpay, StatusCode::UNPROCESSABLE_ENTITY, &asked, None, problem);
    }
    let url = (!url.is_empty()).then_some(url);
    match socialpay.desk.update(|tx| state::mint(tx, asked.customer(), url)) {
        Ok(opened) => phone(&socialpay, StatusCode::OK, &asked, Some(opened), String::new()),
        Err(error) => phone(&socialpay, StatusCode::INTERNAL_SERVER_ERROR, &asked, None, error.to_string()),
    }
}

fn phone(
    socialpay: &SocialPay,
    status: StatusCode,
    asked: &Asked,
    opened: Option<state::Opened>,
    problem: String,
) -> Response {
    let chosen = asked.customer();
    let mut messages: Vec<Message> = socialpay.desk.read(|state| {
        state.messages.iter().filter(|message| message.customer == chosen.name).cloned().collect()
    });
    messages.reverse();
    let (token, address) =
        opened.map_or_else(Default::default, |opened| (opened.token, opened.address.unwrap_or_default()));
    let page = PhonePage {
        customers: CUSTOMERS,
        chosen,
        cert_id: socialpay.cert_id.clone(),
        public_key: signature::public_key(),
        url: asked.url.trim().to_owned(),
        problem,
        token,
        address,
        messages,
    };
    render(status, &page)
}
