//! What a customer sees, whichever web framework it is on.

use std::fmt;

use askama::Template;
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

/// What every answer of the shop carries.
pub(crate) const GUARD: [(&str, &str); 3] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
];

/// What a form of another site is told, with status 403.
pub(crate) const FOREIGN: &str = "this form belongs to another site";

/// Another site's page must not buy in a customer's name.
pub(crate) fn is_foreign(method: &str, sec_fetch_site: Option<&str>) -> bool {
    method != "GET" && matches!(sec_fetch_site, Some("cross-site" | "same-site"))
}

/// The language that the customer chose.
pub(crate) fn language(cookies: Option<&str>) -> Language {
    let mut cookies = cookies.unwrap_or_default().split(';');
    let chosen = cookies.find_map(|cookie| cookie.trim().strip_prefix("language="));
    chosen.and_then(|code| Language::parse(code).ok()).unwrap_or(Language::En)
}

/// What the shop answers; the framework's file makes its response of it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Answer {
    fn new(status: u16, content_type: &str, body: String) -> Self {
        Self { status, headers: vec![("content-type", content_type.to_owned())], body }
    }

    fn page(status: u16, page: &impl Template) -> Self {
        match page.render() {
            Ok(html) => Self::new(status, "text/html; charset=utf-8", html),
            Err(error) => Self::new(500, "text/plain; charset=utf-8", error.to_string()),
        }
    }

    fn see_other(address: &str) -> Self {
        Self { status: 303, headers: vec![("location", address.to_owned())], body: String::new() }
    }
}

/// A failure, told on a page of its own.
#[derive(Debug)]
pub(crate) struct Failure(u16, String);

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(400, error.into().to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1)
    }
}

impl Failure {
    fn missing() -> Self {
        Self(404, "there is no such order".into())
    }

    pub(crate) fn answer(&self) -> Answer {
        Answer::page(self.0, &FailurePage { message: self.1.clone(), language: "en" })
    }
}

/// What a page's handler gives its framework.
pub(crate) type Told = Result<Answer, Failure>;

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

pub(crate) fn set_language(code: &str, referer: Option<&str>) -> Told {
    let language = Language::parse(code)?;
    let back = referer.and_then(|url| tulbur::core::Url::parse(url).ok());
    let mut answer = Answer::see_other(back.as_ref().map_or("/", |url| url.path()));
    answer.headers.push(("set-cookie", format!("language={language}; Path=/; SameSite=Lax; HttpOnly")));
    Ok(answer)
}

#[derive(Deserialize)]
pub(crate) struct Buy {
    order: String,
    product: String,
    way: String,
    card: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct PayAgain {
    way: String,
    card: Option<String>,
}

fn status_of(order: Option<&Order>) -> &'static str {
    match order {
        Some(order) if order.is_paid() => "paid",
        Some(order) if order.live().is_some() => "waiting",
        Some(_) => "not paid",
        None => "new",
    }
}

/// The shop: its goods, and the payments for them. Each of its pages is one method.
#[derive(Debug, Clone)]
pub(crate) struct Shop {
    pub(crate) payments: Payments,
    pub(crate) goods: Goods,
}

impl Shop {
    async fn cards(&self) -> Result<Vec<CardView>> {
        let cards = self.payments.cards(&customer()?).await?;
        let number =
            |card: &tulbur::payments::Card| card.info.masked_number.clone().unwrap_or_else(|| "card".into());
        Ok(cards.iter().map(|card| CardView { id: card.id.to_string(), number: number(card) }).collect())
    }

    pub(crate) async fn index(&self, language: Language) -> Told {
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
        let page = IndexPage { goods, cards: self.cards().await?, language: language.code() };
        Ok(Answer::page(200, &page))
    }

    pub(crate) async fn buy(&self, form: Buy, language: Language) -> Told {
        let order = OrderRef::parse(form.order)?;
        let product = Product::find(&form.product).ok_or("there is no such product")?;
        self.goods.add(&order, product).await?;
        let found = self.goods.find(&order).await?.ok_or("there is no such order")?;
        self.pay(&found, &form.way, form.card, language).await
    }

    /// Another try for an order: the payment that is still open is given up first, and watched.
    pub(crate) async fn pay_again(&self, order: String, form: PayAgain, language: Language) -> Told {
        let order = OrderRef::parse(order)?;
        let found = self.goods.find(&order).await?.ok_or("there is no such order")?;
        if let Some(live) = self.payments.order(&order).await?.as_ref().and_then(Order::live) {
            self.payments.cancel(&live.id).await?;
        }
        self.pay(&found, &form.way, form.card, language).await
    }

    async fn pay(&self, order: &ShopOrder, way: &str, card: Option<String>, language: Language) -> Told {
        let home = self.payments.public_url().join("/")?;
        let order_page = home.join(&format!("orders/{}", order.order))?;
        let back = CallbackUrl::parse(order_page.clone())?;
        let price = order.product.price();
        if way == "saved" {
            let card = CardId::from_text(card.ok_or("choose a card")?);
            let charge = ChargeCard::new(order.order.clone(), customer()?, card, price, order.product.name)
                .language(language)
                .continue_to(back);
            let payment = self.payments.charge(charge).await?;
            return Ok(Answer::see_other(self.payments.result_url(&payment)?.as_str()));
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
        let payment = self.payments.open(request).await?;
        Ok(Answer::see_other(&self.first_page(&payment, kind)?))
    }

    /// The bank's page of this kind, in the payer's language; our own checkout page if there is none.
    fn first_page(&self, payment: &PaymentRecord, kind: PageKind) -> Result<String> {
        let pages = payment.next.iter().filter_map(|next| match next {
            NextAction::Redirect(redirect) if redirect.page == kind => Some(redirect),
            _ => None,
        });
        let mut pages = pages.collect::<Vec<_>>();
        pages.sort_by_key(|page| page.language != Some(payment.language));
        match pages.first() {
            Some(page) => Ok(page.url.to_string()),
            None => Ok(self.payments.checkout_url(payment)?.to_string()),
        }
    }

    pub(crate) async fn save_card(&self, language: Language) -> Told {
        let back = CallbackUrl::parse(self.payments.public_url().join("/")?)?;
        let setup = OpenCardSetup::new(customer()?, AccountName::parse(ACCOUNT)?)
            .language(language)
            .continue_to(back);
        let setup = self.payments.save_card(setup).await?;
        Ok(Answer::see_other(&self.first_page(&setup, PageKind::SaveCard)?))
    }

    pub(crate) async fn orders(&self, language: Language) -> Told {
        let mut lines = Vec::new();
        for order in self.payments.orders(50).await? {
            let Some(own) = self.goods.find(&order.record.order).await? else { continue };
            lines.push(OrderLine {
                order: own.order.to_string(),
                what: own.product.name.to_owned(),
                price: format_amount(own.product.price(), language),
                status: status_of(Some(&order)),
                shipped: own.shipped,
            });
        }
        let attention = self.payments.attention().await?;
        Ok(Answer::page(200, &OrdersPage { orders: lines, attention, language: language.code() }))
    }

    pub(crate) async fn order(&self, order: String, language: Language) -> Told {
        let order = OrderRef::parse(order)?;
        let shop_order = self.goods.find(&order).await?.ok_or_else(Failure::missing)?;
        let stored = self.payments.order(&order).await?;
        let mut attempts = Vec::new();
        for payment in stored.iter().flat_map(|order| &order.payments) {
            let open = payment.is_live().then(|| self.payments.checkout_url(payment)).transpose()?;
            attempts.push(Attempt {
                id: payment.id.to_string(),
                reference: payment.reference.merchant_ref.to_string(),
                status: payment.status,
                operation: payment.operation.as_str(),
                text: payment.text.clone().unwrap_or_default(),
                checkout: open.map(|url| url.to_string()),
            });
        }
        let page = OrderPage {
            price: format_amount(shop_order.product.price(), language),
            shop_order,
            status: status_of(stored.as_ref()),
            paid: stored.as_ref().is_some_and(Order::is_paid),
            attempts,
            cards: self.cards().await?,
            history: self.payments.history(&order).await?,
            language: language.code(),
        };
        Ok(Answer::page(200, &page))
    }

    /// The same for programs: what tests compare with what the bank took.
    pub(crate) async fn order_json(&self, order: String) -> Told {
        let order = OrderRef::parse(order)?;
        let own = self.goods.find(&order).await?.ok_or_else(Failure::missing)?;
        let stored = self.payments.order(&order).await?;
        let events = self.payments.events(&order).await?;
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
        Ok(Answer::new(200, "application/json", body.to_string()))
    }
}
