//! The pages that a payer sees, and what a payer does on them.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use super::cards::{Challenge, TestCard, is_card_date};
use super::codes::known;
use super::pay::page_path;
use super::shared::{Gateway, PUSH_PATIENCE};
use super::state::{self, Books, Done, Kind, Payment};
use super::texts::Texts;
use super::view::{Typed, choices, message};
use crate::error::SandboxError;
use crate::plugin::{Note, PaymentState};

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route("/pay/{id}", get(pay_page).post(pay_submit))
        .route("/payWithOption/{id}", get(option_page).post(option_submit))
        .route("/s/{code}", get(link_page).post(link_submit))
        .route(
            "/checkout/vietjet/script-modal.js",
            get(|| async {
                asset(
                    "text/javascript; charset=utf-8",
                    include_str!("../../templates/galaxy-pay/script-modal.js"),
                )
            }),
        )
        .route(
            "/-/page.css",
            get(|| async {
                asset("text/css; charset=utf-8", include_str!("../../templates/golomt-ecommerce/page.css"))
            }),
        )
        .route(
            "/-/gateway.css",
            get(|| async {
                asset("text/css; charset=utf-8", include_str!("../../templates/galaxy-pay/gateway.css"))
            }),
        )
        .route(
            "/-/page.js",
            get(|| async {
                asset("text/javascript; charset=utf-8", include_str!("../../templates/galaxy-pay/page.js"))
            }),
        )
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

type Fields = BTreeMap<String, String>;

/// Which of the hosted pages it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Pay,
    PayWithOption,
    Link,
}

impl Room {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Pay | Kind::PayWithQr | Kind::Checkout => Self::Pay,
            Kind::PayWithOption => Self::PayWithOption,
            Kind::PaymentLink => Self::Link,
        }
    }
}

async fn pay_page(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    Query(query): Query<Fields>,
) -> Response {
    show(&gateway, Room::Pay, &id, &query)
}

async fn option_page(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    Query(query): Query<Fields>,
) -> Response {
    show(&gateway, Room::PayWithOption, &id, &query)
}

async fn link_page(
    State(gateway): State<Gateway>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
) -> Response {
    show(&gateway, Room::Link, &code, &query)
}

async fn pay_submit(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    Query(query): Query<Fields>,
    Form(fields): Form<Fields>,
) -> Response {
    submit(&gateway, Room::Pay, &id, &query, &fields).await
}

async fn option_submit(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    Query(query): Query<Fields>,
    Form(fields): Form<Fields>,
) -> Response {
    submit(&gateway, Room::PayWithOption, &id, &query, &fields).await
}

async fn link_submit(
    State(gateway): State<Gateway>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    Form(fields): Form<Fields>,
) -> Response {
    submit(&gateway, Room::Link, &code, &query, &fields).await
}

/// A page's payment and language; writes down that its time ran out if it did.
fn find(
    gateway: &Gateway,
    room: Room,
    id: &str,
    query: &Fields,
) -> Result<(&'static Texts, Payment), Box<Response>> {
    let wish = query.get("lang").map(String::as_str);
    let found = gateway.desk.read(|state| {
        let id = if room == Room::Link { state.links.get(id).map_or("", String::as_str) } else { id };
        state.payments.get(id).filter(|payment| Room::of(payment.kind) == room).cloned()
    });
    let Some(payment) = found else {
        let t = Texts::of(wish.unwrap_or("vi"));
        let mut response = message(StatusCode::NOT_FOUND, t, t.not_found);
        response.extensions_mut().insert(Note::refused(
            "no payment has this page; its address is the field endpoint or shortLink of the answer",
        ));
        return Err(Box::new(response));
    };
    let t = Texts::of(wish.unwrap_or_else(|| payment.order.language()));
    if !payment.is_overdue(gateway.desk.now()) {
        return Ok((t, payment));
    }
    let ended = gateway.desk.update(|tx| {
        state::run_clock(tx);
        tx.state().payments.get(&payment.id).cloned()
    });
    match ended {
        Ok(ended) => Ok((t, ended.unwrap_or(payment))),
        Err(error) => Err(Box::new(broken(t, &error))),
    }
}

fn broken(t: &'static Texts, error: &SandboxError) -> Response {
    message(StatusCode::INTERNAL_SERVER_ERROR, t, error.to_string())
}

/// The way to pay that the order names or the payer has chosen: `Ok(None)` if the payer must still choose.
fn chosen(
    payment: &Payment,
    t: &Texts,
    query: &Fields,
) -> Result<Option<(&'static str, Option<String>)>, ()> {
    let choices = choices(payment, t);
    let Some(wish) = payment.order.method.as_ref().or_else(|| query.get("method")) else { return Ok(None) };
    let source = query.get("source");
    let fits = choices.into_iter().find(|choice| {
        choice.method == wish
            && (payment.order.method.is_some() || source.is_none() || choice.source.as_ref() == source)
    });
    fits.map(|choice| Some((choice.method, choice.source))).ok_or(())
}

fn show(gateway: &Gateway, room: Room, id: &str, query: &Fields) -> Response {
    let (t, payment) = match find(gateway, room, id, query) {
        Ok(found) => found,
        Err(response) => return *response,
    };
    if payment.state != PaymentState::Open {
        // The QR's page watches by reloading itself, and leaves when the payer's app has paid.
        if query.contains_key("watch") {
            return gateway.leave(t, &payment);
        }
        return gateway.result_page(t, &payment, false);
    }
    if let Some(card) = payment.challenge() {
        return gateway.challenge_page(t, &payment, card, Vec::new());
    }
    if wants_contact(&payment) {
        return gateway.contact_page(t, &payment, Vec::new());
    }
    match chosen(&payment, t, query) {
        Err(()) => gateway.choose_page(t, &payment, vec![t.bad_method]),
        Ok(None) => gateway.choose_page(t, &payment, Vec::new()),
        Ok(Some(("QRPAY", _))) => gateway.qr_page(t, &payment),
        Ok(Some((method @ ("DOMESTIC" | "INTERNATIONAL"), _))) => {
            let typed =
                query.get("fill").and_then(|id| TestCard::by_id(id)).map_or_else(Typed::default, filled);
            gateway.card_page(t, &payment, method == "DOMESTIC", typed, Vec::new())
        }
        Ok(Some((method, source))) => gateway.app_page(t, &payment, source.as_deref().unwrap_or(method)),
    }
}

fn filled(card: &TestCard) -> Typed {
    Typed {
        number: card.grouped(),
        date: card.date.to_owned(),
        holder: card.holder.to_owned(),
        cvv: card.cvv.to_owned(),
    }
}

fn wants_contact(payment: &Payment) -> bool {
    payment.payer.is_empty() && payment.order.link.as_ref().is_some_and(|link| !link.fields.is_empty())
}

async fn submit(gateway: &Gateway, room: Room, id: &str, query: &Fields, fields: &Fields) -> Response {
    let (t, payment) = match find(gateway, room, id, query) {
        Ok(found) => found,
        Err(response) => return *response,
    };
    if payment.state != PaymentState::Open {
        return gateway.leave(t, &payment);
    }
    let field = |name: &str| fields.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
    let id = payment.id.as_str();
    let action = field("action");
    let done = match action.as_str() {
        "cancel" => gateway.desk.update(|tx| end_if_open(tx, id, "499")),
        "end" => match known(&field("code")) {
            Some(code) if code != "200" => gateway.desk.update(|tx| end_if_open(tx, id, code)),
            _ => return message(StatusCode::UNPROCESSABLE_ENTITY, t, "code?"),
        },
        "contact" => return contact(gateway, t, &payment, &field),
        _ => match payment.challenge() {
            Some(card) => return prove(gateway, t, payment.clone(), card, &action, fields.get("otp")).await,
            None if wants_contact(&payment) => return gateway.contact_page(t, &payment, Vec::new()),
            None => match chosen(&payment, t, query) {
                Ok(Some((method @ ("DOMESTIC" | "INTERNATIONAL"), _))) => {
                    let domestic = method == "DOMESTIC";
                    match read_card(t, domestic, &field) {
                        Err((typed, problems)) => {
                            return gateway.card_page(t, &payment, domestic, typed, problems);
                        }
                        Ok((card, holder)) => {
                            let links = payment.order.customer.is_some() && field("link_card") == "yes";
                            gateway.desk.update(|tx| pay_by_card(tx, id, card, &holder, links))
                        }
                    }
                }
                // Money comes by the bank app, never by this page.
                Ok(Some(("QRPAY", _))) => return gateway.qr_page(t, &payment),
                Ok(Some((method, source))) => {
                    let source = source.unwrap_or_else(|| method.to_owned());
                    gateway.desk.update(|tx| match action.as_str() {
                        "refuse" => end_if_open(tx, id, "499"),
                        _ => state::use_app(tx, id, method, &source),
                    })
                }
                Ok(None) | Err(()) => return gateway.choose_page(t, &payment, vec![t.bad_method]),
            },
        },
    };
    finish(gateway, t, payment, done).await
}

pub(super) fn end_if_open(tx: &mut Books<'_>, id: &str, code: &str) -> Option<Done> {
    let payment = tx.state().payments.get(id)?.clone();
    if payment.state == PaymentState::Open {
        return state::end(tx, id, code);
    }
    Some(Done { payment, ticket: None })
}

fn pay_by_card(
    tx: &mut Books<'_>,
    id: &str,
    card: &'static TestCard,
    holder: &str,
    links: bool,
) -> Option<Done> {
    if let Some(payment) =
        tx.state_mut().payments.get_mut(id).filter(|payment| payment.state == PaymentState::Open)
    {
        payment.links_card = links;
    }
    state::use_card(tx, id, card, holder)
}

async fn prove(
    gateway: &Gateway,
    t: &'static Texts,
    payment: Payment,
    card: &'static TestCard,
    action: &str,
    otp: Option<&String>,
) -> Response {
    let passed = match (action, card.challenge, otp) {
        ("refuse", ..) => {
            let done = gateway.desk.update(|tx| end_if_open(tx, &payment.id, "505"));
            return finish(gateway, t, payment, done).await;
        }
        (_, Challenge::Otp, Some(otp)) => otp.trim() == "otp",
        ("confirm", Challenge::ThreeDSecure | Challenge::None, _) => true,
        // The card's form, sent twice: no answer to the question.
        _ => return gateway.challenge_page(t, &payment, card, Vec::new()),
    };
    let done = gateway.desk.update(|tx| state::prove(tx, &payment.id, passed));
    if let Ok(Some(done)) = &done
        && !passed
        && done.payment.challenge().is_some()
    {
        return gateway.challenge_page(t, &done.payment, card, vec![t.bad_otp]);
    }
    finish(gateway, t, payment, done).await
}

/// What the payer of a link says about themselves.
fn contact(
    gateway: &Gateway,
    t: &'static Texts,
    payment: &Payment,
    field: &impl Fn(&str) -> String,
) -> Response {
    let asked = payment.order.link.as_ref().map(|link| link.fields.clone()).unwrap_or_default();
    let typed: BTreeMap<String, String> = asked.iter().map(|name| (name.clone(), field(name))).collect();
    if typed.values().any(|text| text.is_empty() || text.chars().count() > 250) {
        return gateway.contact_page(t, payment, vec![t.bad_contact]);
    }
    let written = gateway.desk.update(|tx| {
        if let Some(payment) = tx.state_mut().payments.get_mut(&payment.id) {
            payment.payer = typed;
        }
    });
    match written {
        Ok(()) => Redirect::to(&format!("{}?lang={}", page_path(payment), t.code)).into_response(),
        Err(error) => broken(t, &error),
    }
}

/// The merchant is told before the browser goes back, but a merchant that does not answer keeps no payer.
async fn finish(
    gateway: &Gateway,
    t: &'static Texts,
    before: Payment,
    done: Result<Option<Done>, SandboxError>,
) -> Response {
    match done {
        Err(error) => broken(t, &error),
        Ok(done) => {
            let done = done.unwrap_or(Done { payment: before, ticket: None });
            if let Some(card) = done.payment.challenge() {
                return gateway.challenge_page(t, &done.payment, card, Vec::new());
            }
            if let Some(ticket) = &done.ticket {
                gateway.desk.wait_for_push(ticket, PUSH_PATIENCE).await;
            }
            gateway.leave(t, &done.payment)
        }
    }
}

/// The test card and the name that were typed, or what is wrong with the form.
fn read_card(
    t: &'static Texts,
    domestic: bool,
    field: &impl Fn(&str) -> String,
) -> Result<(&'static TestCard, String), (Typed, Vec<&'static str>)> {
    let typed =
        Typed { number: field("number"), date: field("date"), holder: field("holder"), cvv: String::new() };
    let cvv = field("cvv");
    let card = TestCard::by_number(&typed.number).filter(|card| card.is_domestic() == domestic);
    let mut problems = Vec::new();
    if card.is_none() {
        problems.push(t.bad_number);
    }
    if !is_card_date(&typed.date) {
        problems.push(t.bad_date);
    }
    if !domestic && (cvv.len() != 3 || !cvv.bytes().all(|byte| byte.is_ascii_digit())) {
        problems.push(t.bad_cvv);
    }
    let length = typed.holder.chars().count();
    if !(1..=50).contains(&length) || typed.holder.chars().any(char::is_control) {
        problems.push(t.bad_holder);
    }
    match card {
        Some(card) if problems.is_empty() => Ok((card, typed.holder)),
        // A number that is none of ours could be somebody's: it is not even shown back.
        None => Err((Typed { number: String::new(), ..typed }, problems)),
        Some(_) => Err((typed, problems)),
    }
}
