//! The pages that a payer sees: card, SocialPay, save a card. They work without a script.

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use super::cards::{TEST_CARDS, TestCard};
use super::html::{asset, message, render, written_amount};
use super::shared::{Bank, PUSH_PATIENCE};
use super::state::{self, BankPayment, Done, Kind};
use super::texts::{Language, Texts};
use super::way_back::WayBack;
use crate::error::SandboxError;
use crate::plugin::{Note, PaymentState};

pub(super) fn routes() -> Router<Bank> {
    Router::new()
        .route("/payment/{language}/{invoice}", get(card_page).post(card_submit))
        .route("/socialpay/{language}/{invoice}", get(socialpay_page).post(socialpay_submit))
        .route("/confirmation/{language}/{invoice}", get(save_page).post(save_submit))
        .route(
            "/-/page.css",
            get(|| async { asset("text/css", include_str!("../../templates/golomt-ecommerce/page.css")) }),
        )
        .route(
            "/-/page.js",
            get(|| async {
                asset("text/javascript", include_str!("../../templates/golomt-ecommerce/page.js"))
            }),
        )
}

/// Which of the hosted pages it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Card,
    SocialPay,
    SaveCard,
}

impl Room {
    fn serves(self, kind: Kind) -> bool {
        match self {
            Self::Card | Self::SocialPay => kind == Kind::Invoice,
            Self::SaveCard => kind == Kind::CardSetup,
        }
    }
}

/// What a payer has typed, to be shown again. The card number is shown back but never kept.
#[derive(Default)]
struct Typed {
    number: String,
    expiry: String,
    holder: String,
    phone: String,
    cvc: String,
}

struct CardLink {
    id: &'static str,
    number: String,
    text: &'static str,
}

#[derive(Template)]
#[template(path = "golomt-ecommerce/pay.html")]
struct PayPage<'a> {
    t: &'static Texts,
    room: Room,
    title: &'static str,
    payment: &'a BankPayment,
    amount: String,
    seconds_left: i64,
    clock: String,
    typed: Typed,
    problems: Vec<&'static str>,
    cards: Vec<CardLink>,
}

#[derive(Template)]
#[template(path = "golomt-ecommerce/result.html")]
struct ResultPage<'a> {
    t: &'static Texts,
    heading: &'static str,
    detail: &'static str,
    payment: &'a BankPayment,
    amount: String,
    good: bool,
    back: WayBack,
    /// Leaves at once, where a script may.
    leaves: bool,
}

type Fields = BTreeMap<String, String>;
type Address = Path<(String, String)>;

async fn card_page(State(bank): State<Bank>, Path(at): Address, Query(query): Query<Fields>) -> Response {
    show(&bank, Room::Card, &at, &query)
}

async fn socialpay_page(
    State(bank): State<Bank>,
    Path(at): Address,
    Query(query): Query<Fields>,
) -> Response {
    show(&bank, Room::SocialPay, &at, &query)
}

async fn save_page(State(bank): State<Bank>, Path(at): Address, Query(query): Query<Fields>) -> Response {
    show(&bank, Room::SaveCard, &at, &query)
}

async fn card_submit(State(bank): State<Bank>, Path(at): Address, Form(fields): Form<Fields>) -> Response {
    submit(&bank, Room::Card, &at, &fields).await
}

async fn socialpay_submit(
    State(bank): State<Bank>,
    Path(at): Address,
    Form(fields): Form<Fields>,
) -> Response {
    submit(&bank, Room::SocialPay, &at, &fields).await
}

async fn save_submit(State(bank): State<Bank>, Path(at): Address, Form(fields): Form<Fields>) -> Response {
    submit(&bank, Room::SaveCard, &at, &fields).await
}

/// Finds a page's payment, and writes down that its time ran out if it did.
fn find(bank: &Bank, room: Room, at: &(String, String)) -> Result<(Language, BankPayment), Box<Response>> {
    let (language, invoice) = at;
    let Some(language) = Language::parse(language) else {
        let text = format!("the page's language is {language:?}; it must be mn or en");
        let mut response = message(StatusCode::NOT_FOUND, Language::English, text.clone());
        response.extensions_mut().insert(Note::refused(text));
        return Err(Box::new(response));
    };
    let invoice = invoice.to_ascii_lowercase();
    let found =
        bank.desk.read(|state| state.invoices.get(&invoice).and_then(|id| state.payments.get(id)).cloned());
    match found {
        Some(payment) if room.serves(payment.kind) => {
            if !payment.is_overdue(bank.desk.now()) {
                return Ok((language, payment));
            }
            let ended = bank.desk.update(|tx| {
                state::run_clock(tx);
                tx.state().payments.get(&payment.transaction_id).cloned()
            });
            match ended {
                Ok(ended) => Ok((language, ended.unwrap_or(payment))),
                Err(error) => Err(Box::new(broken(language, &error))),
            }
        }
        other => {
            let mut response = message(StatusCode::NOT_FOUND, language, language.texts().not_found);
            let why = other.map_or_else(
                || {
                    "no invoice has this id; the page's address takes the field invoice of the answer"
                        .to_owned()
                },
                |payment| format!("this invoice is a {}, which has another page", payment.kind.name()),
            );
            response.extensions_mut().insert(Note::refused(why));
            Err(Box::new(response))
        }
    }
}

fn broken(language: Language, error: &SandboxError) -> Response {
    message(StatusCode::INTERNAL_SERVER_ERROR, language, error.to_string())
}

fn show(bank: &Bank, room: Room, at: &(String, String), query: &Fields) -> Response {
    let (language, payment) = match find(bank, room, at) {
        Ok(found) => found,
        Err(response) => return *response,
    };
    if payment.state != PaymentState::Open {
        return result_page(bank, language, &payment, false);
    }
    let leaves_token = payment.page.as_ref().is_some_and(|page| page.gen_token);
    if !leaves_token && bank.desk.switch("page-without-token") == "times-out" {
        return message(StatusCode::OK, language, language.texts().expired);
    }
    let typed =
        query.get("fill").and_then(|id| TestCard::by_id(id)).map_or_else(Typed::default, |card| Typed {
            number: card.grouped(),
            expiry: "12/30".to_owned(),
            cvc: "123".to_owned(),
            holder: "TEST PAYER".to_owned(),
            phone: String::new(),
        });
    form(bank, room, language, &payment, typed, Vec::new())
}

fn form(
    bank: &Bank,
    room: Room,
    language: Language,
    payment: &BankPayment,
    typed: Typed,
    problems: Vec<&'static str>,
) -> Response {
    let t = language.texts();
    let left = payment
        .page
        .as_ref()
        .map_or(0, |page| (page.expires_at.as_millis() - bank.desk.now().as_millis()).max(0) / 1000);
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let cards = TEST_CARDS
        .iter()
        .map(|card| CardLink {
            id: card.id,
            number: card.grouped(),
            text: if language.is_mongolian() { card.text_mn } else { card.text_en },
        })
        .collect();
    let title = match room {
        Room::Card => t.pay_title,
        Room::SocialPay => t.socialpay_title,
        Room::SaveCard => t.save_title,
    };
    render(
        status,
        &PayPage {
            t,
            room,
            title,
            payment,
            amount: written_amount(&payment.amount),
            seconds_left: left,
            clock: format!("{}:{:02}", left / 60, left % 60),
            typed,
            problems,
            cards,
        },
    )
}

async fn submit(bank: &Bank, room: Room, at: &(String, String), fields: &Fields) -> Response {
    let (language, payment) = match find(bank, room, at) {
        Ok(found) => found,
        Err(response) => return *response,
    };
    if payment.state != PaymentState::Open {
        return leave(bank, language, &payment);
    }
    let field = |name: &str| fields.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
    let id = payment.transaction_id.as_str();
    let done = match (field("action").as_str(), room) {
        ("cancel", _) => bank.desk.update(|tx| end_if_open(tx, id)),
        ("refuse", Room::SocialPay) => bank.desk.update(|tx| super::socialpay::refuse(tx, id)),
        (_, Room::SocialPay) => {
            let phone = field("phone");
            if phone.len() != 8 || !phone.bytes().all(|byte| byte.is_ascii_digit()) {
                let typed = Typed { phone, ..Typed::default() };
                return form(bank, room, language, &payment, typed, vec![language.texts().bad_phone]);
            }
            bank.desk.update(|tx| super::socialpay::pay(tx, id))
        }
        (_, Room::Card | Room::SaveCard) => match read_card(language.texts(), &field) {
            Err(wrong) => return form(bank, room, language, &payment, wrong.typed, wrong.problems),
            Ok((card, holder)) => bank.desk.update(|tx| state::submit(tx, id, card, &holder)),
        },
    };
    finish(bank, language, payment, done).await
}

fn end_if_open(tx: &mut state::Books<'_>, id: &str) -> Option<Done> {
    let payment = tx.state().payments.get(id)?.clone();
    if payment.state == PaymentState::Open {
        return state::end(tx, id, PaymentState::Canceled);
    }
    Some(Done { payment, ticket: None })
}

/// The merchant is told before the browser goes back, but a merchant that does not answer keeps no payer.
pub(super) async fn finish(
    bank: &Bank,
    language: Language,
    before: BankPayment,
    done: Result<Option<Done>, SandboxError>,
) -> Response {
    match done {
        Err(error) => broken(language, &error),
        Ok(done) => {
            let done = done.unwrap_or(Done { payment: before, ticket: None });
            if let Some(ticket) = &done.ticket {
                bank.desk.wait_for_push(ticket, PUSH_PATIENCE).await;
            }
            leave(bank, language, &done.payment)
        }
    }
}

/// A form as it was filled in, and what is wrong with it.
struct Mistakes {
    typed: Typed,
    problems: Vec<&'static str>,
}

/// The test card and the name that were typed, or what is wrong with the form.
fn read_card(
    t: &'static Texts,
    field: &impl Fn(&str) -> String,
) -> Result<(&'static TestCard, String), Box<Mistakes>> {
    let typed = Typed {
        number: field("number"),
        expiry: field("expiry"),
        holder: field("holder"),
        phone: String::new(),
        cvc: String::new(),
    };
    let cvc = field("cvc");
    let card = TestCard::by_number(&typed.number);
    let mut problems = Vec::new();
    if card.is_none() {
        problems.push(t.bad_number);
    }
    if !is_expiry(&typed.expiry) {
        problems.push(t.bad_expiry);
    }
    if cvc.len() != 3 || !cvc.bytes().all(|byte| byte.is_ascii_digit()) {
        problems.push(t.bad_cvc);
    }
    if typed.holder.is_empty()
        || typed.holder.chars().count() > 60
        || typed.holder.chars().any(char::is_control)
    {
        problems.push(t.bad_holder);
    }
    match card {
        Some(card) if problems.is_empty() => Ok((card, typed.holder)),
        // A number that is none of ours could be somebody's: it is not even shown back.
        None => Err(Box::new(Mistakes { typed: Typed { number: String::new(), ..typed }, problems })),
        Some(_) => Err(Box::new(Mistakes { typed, problems })),
    }
}

fn is_expiry(text: &str) -> bool {
    let Some((month, year)) = text.split_once('/') else { return false };
    let (month, year) = (month.trim(), year.trim());
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(month) && digits(year) && month.parse().is_ok_and(|month: u8| (1..=12).contains(&month))
}

/// Sends the browser back; a payment without a result shows where it stands.
fn leave(bank: &Bank, language: Language, payment: &BankPayment) -> Response {
    if matches!(payment.state, PaymentState::Sent | PaymentState::Open) {
        return result_page(bank, language, payment, false);
    }
    match way_back(bank, language, payment) {
        Some(WayBack::Get(address)) => WayBack::redirect(&address),
        _ => result_page(bank, language, payment, true),
    }
}

fn way_back(bank: &Bank, language: Language, payment: &BankPayment) -> Option<WayBack> {
    WayBack::of(
        payment,
        language,
        &bank.desk.switch("callback-query"),
        &bank.desk.switch("mobile-parameters"),
    )
}

fn result_page(bank: &Bank, language: Language, payment: &BankPayment, leaves: bool) -> Response {
    let t = language.texts();
    let Some(destination) = way_back(bank, language, payment) else {
        return message(StatusCode::NOT_FOUND, language, t.not_found);
    };
    let heading = match payment.state {
        PaymentState::Paid => t.paid,
        PaymentState::Declined => t.declined,
        PaymentState::Canceled => t.canceled,
        PaymentState::Expired => t.expired,
        _ => t.sent,
    };
    render(
        StatusCode::OK,
        &ResultPage {
            t,
            heading,
            detail: payment.text(language.is_mongolian()),
            payment,
            amount: written_amount(&payment.amount),
            good: payment.is_paid(),
            back: destination,
            leaves,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_dates() {
        assert!(is_expiry("12/30") && is_expiry("01 / 27"));
        assert!(!is_expiry("13/30") && !is_expiry("0/30") && !is_expiry("1230") && !is_expiry("12/2030"));
    }
}
