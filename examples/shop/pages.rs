//! What a customer sees.

use askama::Template;
use axum::extract::{Form, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tulbur::core::{AccountName, CallbackUrl, Language, NextAction, Options, OrderRef, PageKind};
use tulbur::golomt_ecommerce::{GolomtEcommerceOptions, Page};
use tulbur::payments::{
    AttentionItem, CardId, ChargeCard, CustomerRef, EventKind, History, OpenCardSetup, OpenPayment, Order,
    PaymentId, PaymentRecord, Payments, Status,
};
use tulbur::web::format_amount;

use crate::goods::{Goods, PRODUCTS, Product, ShopOrder};
use crate::{ACCOUNT, Result};

/// The only customer; a real shop has a login.
const CUSTOMER: &str = "customer-1";

#[derive(Debug, Clone)]
struct Shop {
    payments: Payments,
    goods: Goods,
}

pub(crate) fn router(payments: Payments, goods: Goods) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/buy", post(buy))
        .route("/cards", post(save_card))
        .route("/orders", get(orders))
        .route("/orders/{order}", get(order))
        .route("/orders/{order}/pay", post(pay_again))
        .route("/api/orders/{order}", get(order_json))
        .route("/language/{language}", post(set_language))
        .layer(middleware::from_fn(own_pages_only))
        .with_state(Shop { payments, goods })
}

/// Another site's page must not buy in a customer's name.
async fn own_pages_only(request: Request, next: Next) -> Response {
    let site = request.headers().get("sec-fetch-site").and_then(|value| value.to_str().ok());
    if request.method() != axum::http::Method::GET && matches!(site, Some("cross-site" | "same-site")) {
        return (StatusCode::FORBIDDEN, "this form belongs to another site").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        header::HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
    );
    response
}

/// A failure, told on a page of its own.
struct Failure(StatusCode, String);

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(StatusCode::BAD_REQUEST, error.into().to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let page = FailurePage { message: self.1, language: "en" };
        (self.0, render(&page)).into_response()
    }
}

fn render(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    message: String,
    language: &'static str,
}

struct Goodie {
    id: &'static str,
    name: &'static str,
    text: &'static str,
    price: String,
    /// The order that this form opens: sent twice, it is still one order.
    order: String,
}

struct CardView {
    id: String,
    number: String,
}

#[derive(Template)]
#[template(path = "index.html")]
struct IndexPage {
    goods: Vec<Goodie>,
    cards: Vec<CardView>,
    language: &'static str,
}

#[derive(Template)]
#[template(path = "orders.html")]
struct OrdersPage {
    orders: Vec<OrderLine>,
    attention: Vec<AttentionItem>,
    language: &'static str,
}

struct OrderLine {
    order: String,
    what: String,
    price: String,
    status: &'static str,
    shipped: u32,
}

struct Attempt {
    id: String,
    reference: String,
    status: Status,
    operation: &'static str,
    text: String,
    checkout: Option<String>,
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    shop_order: ShopOrder,
    price: String,
    status: &'static str,
    paid: bool,
    attempts: Vec<Attempt>,
    cards: Vec<CardView>,
    history: History,
    language: &'static str,
}

fn customer() -> Result<CustomerRef> {
    Ok(CustomerRef::parse(CUSTOMER)?)
}

fn language(headers: &HeaderMap) -> Language {
    let cookies = headers.get(header::COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let chosen = cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix("language="));
    chosen.and_then(|code| Language::parse(code).ok()).unwrap_or(Language::En)
}

async fn set_language(Path(code): Path<String>, headers: HeaderMap) -> Result<Response, Failure> {
    let language = Language::parse(&code)?;
    let back = headers.get(header::REFERER).and_then(|value| value.to_str().ok());
    let back = back
        .and_then(|url| tulbur::core::Url::parse(url).ok())
        .map_or("/".into(), |url| url.path().to_owned());
    let cookie = format!("language={language}; Path=/; SameSite=Lax; HttpOnly");
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&back)).into_response())
}

async fn cards(payments: &Payments) -> Result<Vec<CardView>> {
    let cards = payments.cards(&customer()?).await?;
    let number =
        |card: &tulbur::payments::Card| card.info.masked_number.clone().unwrap_or_else(|| "card".into());
    Ok(cards.iter().map(|card| CardView { id: card.id.to_string(), number: number(card) }).collect())
}

async fn index(State(shop): State<Shop>, headers: HeaderMap) -> Result<Response, Failure> {
    let language = language(&headers);
    let mut goods = Vec::new();
    for product in &PRODUCTS {
        let mut bytes = [0_u8; 6];
        getrandom::fill(&mut bytes).map_err(|e| e.to_string())?;
        goods.push(Goodie {
            id: product.id,
            name: product.name,
            text: product.text,
            price: format_amount(product.price(), language),
            order: format!("order-{}", hex::encode(bytes)),
        });
    }
    Ok(render(&IndexPage { goods, cards: cards(&shop.payments).await?, language: language.code() }))
}

#[derive(Deserialize)]
struct Buy {
    order: String,
    product: String,
    way: String,
    card: Option<String>,
}

async fn buy(
    State(shop): State<Shop>,
    headers: HeaderMap,
    Form(form): Form<Buy>,
) -> Result<Response, Failure> {
    let order = OrderRef::parse(form.order)?;
    let product = Product::find(&form.product).ok_or("there is no such product")?;
    shop.goods.add(&order, product).await?;
    let found = shop.goods.find(&order).await?.ok_or("there is no such order")?;
    pay(&shop, &found, &form.way, form.card, language(&headers)).await
}

#[derive(Deserialize)]
struct PayAgain {
    way: String,
    card: Option<String>,
}

/// Another try for an order: the payment that is still open is given up first, and watched.
async fn pay_again(
    State(shop): State<Shop>,
    Path(order): Path<String>,
    headers: HeaderMap,
    Form(form): Form<PayAgain>,
) -> Result<Response, Failure> {
    let order = OrderRef::parse(order)?;
    let found = shop.goods.find(&order).await?.ok_or("there is no such order")?;
    if let Some(live) = shop.payments.order(&order).await?.as_ref().and_then(Order::live) {
        shop.payments.cancel(&live.id).await?;
    }
    pay(&shop, &found, &form.way, form.card, language(&headers)).await
}

async fn pay(
    shop: &Shop,
    order: &ShopOrder,
    way: &str,
    card: Option<String>,
    language: Language,
) -> Result<Response, Failure> {
    let home = shop.payments.public_url().join("/")?;
    let order_page = home.join(&format!("orders/{}", order.order))?;
    let back = CallbackUrl::parse(order_page.clone())?;
    let price = order.product.price();
    if way == "saved" {
        let card = CardId::from_text(card.ok_or("choose a card")?);
        let charge = ChargeCard::new(order.order.clone(), customer()?, card, price, order.product.name)
            .language(language)
            .continue_to(back);
        let payment = shop.payments.charge(charge).await?;
        return Ok(Redirect::to(shop.payments.result_url(&payment)?.as_str()).into_response());
    }
    let (page, kind) = match way {
        "card" | "card-saving" => (Page::Card, PageKind::Card),
        "socialpay" => (Page::SocialPay, PageKind::SocialPay),
        _ => return Err("the ways to pay are card, card-saving, socialpay and saved".into()),
    };
    let mut options = GolomtEcommerceOptions::default();
    options.page = Some(page);
    let account = AccountName::parse(ACCOUNT)?;
    let mut request = OpenPayment::new(order.order.clone(), account, price, order.product.name)
        .language(language)
        .continue_to(back)
        .options(Options::new(&options)?);
    if way == "card-saving" {
        request = request.save_card_for(customer()?);
    }
    let payment = shop.payments.open(request).await?;
    Ok(Redirect::to(&first_page(shop, &payment, kind)?).into_response())
}

/// The bank's page of this kind, in the payer's language; our own checkout page if there is none.
fn first_page(shop: &Shop, payment: &PaymentRecord, kind: PageKind) -> Result<String> {
    let pages = payment.next.iter().filter_map(|next| match next {
        NextAction::Redirect(redirect) if redirect.page == kind => Some(redirect),
        _ => None,
    });
    let mut pages = pages.collect::<Vec<_>>();
    pages.sort_by_key(|page| page.language != Some(payment.language));
    match pages.first() {
        Some(page) => Ok(page.url.to_string()),
        None => Ok(shop.payments.checkout_url(payment)?.to_string()),
    }
}

async fn save_card(State(shop): State<Shop>, headers: HeaderMap) -> Result<Response, Failure> {
    let back = CallbackUrl::parse(shop.payments.public_url().join("/")?)?;
    let setup = OpenCardSetup::new(customer()?, AccountName::parse(ACCOUNT)?)
        .language(language(&headers))
        .continue_to(back);
    let setup = shop.payments.save_card(setup).await?;
    Ok(Redirect::to(&first_page(&shop, &setup, PageKind::SaveCard)?).into_response())
}

fn status_of(order: Option<&Order>) -> &'static str {
    match order {
        Some(order) if order.is_paid() => "paid",
        Some(order) if order.live().is_some() => "waiting",
        Some(_) => "not paid",
        None => "new",
    }
}

async fn orders(State(shop): State<Shop>, headers: HeaderMap) -> Result<Response, Failure> {
    let language = language(&headers);
    let mut lines = Vec::new();
    for order in shop.payments.orders(50).await? {
        let Some(own) = shop.goods.find(&order.record.order).await? else { continue };
        lines.push(OrderLine {
            order: own.order.to_string(),
            what: own.product.name.to_owned(),
            price: format_amount(own.product.price(), language),
            status: status_of(Some(&order)),
            shipped: own.shipped,
        });
    }
    let attention = shop.payments.attention().await?;
    Ok(render(&OrdersPage { orders: lines, attention, language: language.code() }))
}

async fn order(
    State(shop): State<Shop>,
    Path(order): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let language = language(&headers);
    let order = OrderRef::parse(order)?;
    let missing = || Failure(StatusCode::NOT_FOUND, "there is no such order".into());
    let shop_order = shop.goods.find(&order).await?.ok_or_else(missing)?;
    let stored = shop.payments.order(&order).await?;
    let mut attempts = Vec::new();
    for payment in stored.iter().flat_map(|order| &order.payments) {
        let open = payment.is_live().then(|| shop.payments.checkout_url(payment)).transpose()?;
        attempts.push(Attempt {
            id: payment.id.to_string(),
            reference: payment.reference.merchant_ref.to_string(),
            status: payment.status,
            operation: payment.operation.as_str(),
            text: payment.text.clone().unwrap_or_default(),
            checkout: open.map(|url| url.to_string()),
        });
    }
    Ok(render(&OrderPage {
        price: format_amount(shop_order.product.price(), language),
        shop_order,
        status: status_of(stored.as_ref()),
        paid: stored.as_ref().is_some_and(Order::is_paid),
        attempts,
        cards: cards(&shop.payments).await?,
        history: shop.payments.history(&order).await?,
        language: language.code(),
    }))
}

/// The same for programs: what tests compare with what the bank took.
async fn order_json(State(shop): State<Shop>, Path(order): Path<String>) -> Result<Response, Failure> {
    let order = OrderRef::parse(order)?;
    let missing = || Failure(StatusCode::NOT_FOUND, "there is no such order".into());
    let own = shop.goods.find(&order).await?.ok_or_else(missing)?;
    let stored = shop.payments.order(&order).await?;
    let events = shop.payments.events(&order).await?;
    let paid = events.iter().filter(|event| matches!(event.kind, EventKind::Paid { .. })).count();
    let again = events.iter().filter(|event| matches!(event.kind, EventKind::PaidAgain { .. })).count();
    let payments: Vec<_> = stored
        .iter()
        .flat_map(|order| &order.payments)
        .map(|payment| {
            json!({
                "id": PaymentId::as_str(&payment.id),
                "reference": payment.reference.merchant_ref,
                "status": payment.status,
                "operation": payment.operation,
                "watched": payment.ask_at.is_some(),
            })
        })
        .collect();
    let body = json!({
        "order": order, "status": status_of(stored.as_ref()), "shipped": own.shipped,
        "paid_events": paid, "paid_again_events": again, "payments": payments,
    });
    Ok(Json(body).into_response())
}
