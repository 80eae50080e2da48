//! The payer's page (BANK.md, sections 1 and 6). It works without a script.

use std::time::Duration;

use serde::Deserialize;
use tulbur_sandbox::axum::Router;
use tulbur_sandbox::axum::extract::{Form, Path, State};
use tulbur_sandbox::axum::http::{StatusCode, header};
use tulbur_sandbox::axum::response::{Html, IntoResponse as _, Response};
use tulbur_sandbox::axum::routing::get;
use tulbur_sandbox::plugin::{Desk, Note};

use crate::books::{self, Books, Invoice};

/// How long the payer's way back waits for the merchant's reply to the notification.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) fn routes() -> Router<Desk<Books>> {
    Router::new().route("/pay/{language}/{number}", get(page).post(done))
}

#[derive(Deserialize)]
struct Choice {
    choice: String,
}

fn find(desk: &Desk<Books>, number: &str) -> Option<Invoice> {
    desk.read(|books| books.by_number(number).cloned())
}

fn gone() -> Response {
    (StatusCode::NOT_FOUND, "There is no such page.").into_response()
}

async fn page(State(desk): State<Desk<Books>>, Path((language, number)): Path<(String, String)>) -> Response {
    let Some(invoice) = find(&desk, &number) else { return gone() };
    let [title, pay, decline, cancel, over] = if language == "en" {
        ["Pay", "Pay", "Card that is declined", "Cancel", "This page is done."]
    } else {
        ["Төлбөр төлөх", "Төлөх", "Татгалзах карт", "Болих", "Энэ хуудас дууссан."]
    };
    let rest = if invoice.is_open() {
        format!(
            "<form method=post><button name=choice value=PAID>{pay}</button> \
             <button name=choice value=FAIL>{decline}</button> \
             <button name=choice value=VOID>{cancel}</button></form>"
        )
    } else {
        format!("<p>{over} <a href=\"{}\">&rarr;</a></p>", escaped(&way_back(&invoice)))
    };
    let html = format!(
        "<!doctype html><html lang={}><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Khur Bank</title><h1>{title}</h1><p>{}</p><p><strong>{} ₮</strong></p>{rest}",
        if language == "en" { "en" } else { "mn" },
        escaped(&invoice.description),
        escaped(&invoice.amount),
    );
    let policy = "default-src 'none'; base-uri 'none'";
    ([(header::CONTENT_SECURITY_POLICY, policy), (header::CACHE_CONTROL, "no-store")], Html(html))
        .into_response()
}

async fn done(
    State(desk): State<Desk<Books>>,
    Path((_, number)): Path<(String, String)>,
    Form(form): Form<Choice>,
) -> Response {
    let Some(invoice) = find(&desk, &number) else { return gone() };
    if !["PAID", "FAIL", "VOID"].contains(&form.choice.as_str()) {
        return (StatusCode::BAD_REQUEST, "That is no button of this page.").into_response();
    }
    match desk.update(|tx| books::finish(tx, &invoice.reference, &form.choice)) {
        Ok(Ok(Some(ticket))) => {
            desk.wait_for_push(&ticket, PATIENCE).await;
        }
        // Without an address nobody is told; and a page that was done already leads back all the same.
        Ok(Ok(None) | Err(_)) => {}
        Err(error) => return error.into_response(),
    }
    let back = find(&desk, &number).map(|invoice| way_back(&invoice)).unwrap_or_default();
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, back)]).into_response();
    response.extensions_mut().insert(Note::accepted("the payer goes back"));
    response
}

fn way_back(invoice: &Invoice) -> String {
    let (address, fragment) = invoice.return_url.split_once('#').unwrap_or((&invoice.return_url, ""));
    let joint = if address.contains('?') { '&' } else { '?' };
    let fragment = if fragment.is_empty() { String::new() } else { format!("#{fragment}") };
    let back = format!("{address}{joint}reference={}&result={}{fragment}", invoice.reference, invoice.result);
    // A `Location` is ASCII; the merchant's own address may have other letters.
    let mut written = String::new();
    for byte in back.bytes() {
        match byte {
            b'!'..=b'~' => written.push(char::from(byte)),
            _ => written.extend(["%", &hex::encode_upper([byte])]),
        }
    }
    written
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
