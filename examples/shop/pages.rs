//! What a customer sees, whichever web framework it is on.

use std::fmt;

use askama::Template;
use serde::Deserialize;
use serde_json::json;
use tulbur::core::{
    AccountName, CallbackUrl, CustomerRef, ErrorKind, Language, NextAction, OrderRef, PageKind,
};
use tulbur::payments::{
    AttentionItem, CardId, ChargeCard, Error, EventKind, History, OpenCardSetup, Order, PaymentId,
    PaymentRecord, Payments, Status,
};
use tulbur::web::format_amount;

use crate::counter::{Done, done, refunds};
use crate::goods::{Goods, PRODUCTS, Product, ShopOrder};
use crate::ways::{Country, WayToPay, charge_options, spoken_by, ways};
use crate::{GOLOMT_ECOMMERCE, Result};

/// The only customer; a real shop has a login.
const CUSTOMER: &str = "customer-1";

/// What every answer of the shop carries.
pub(crate) const GUARD: [(&str, &str); 6] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

/// What is looked at of a request before anything is done.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'a str,
    pub(crate) host: Option<&'a str>,
    pub(crate) origin: Option<&'a str>,
    pub(crate) sec_fetch_site: Option<&'a str>,
}

impl Head<'_> {
    /// Why the request is turned away, with status 403.
    ///
    /// Another site's page must not buy in a customer's name, and with a name of its own that it makes point to this
    /// machine it must not read anything either. This shop is called by this machine's names only; one with a name of
    /// its own compares with that.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        let host = self.host.unwrap_or_default();
        let asked = tulbur::core::Url::parse(&format!("http://{host}/"));
        if !asked.is_ok_and(|url| tulbur::core::is_protected(&url) && url.path() == "/") {
            return Some("the shop has another name");
        }
        let changes = !matches!(self.method, "GET" | "HEAD");
        let origin = self.origin.map(|origin| origin.split_once("://").map_or("", |(_, host)| host));
        let is_foreign = matches!(self.sec_fetch_site, Some("cross-site" | "same-site"))
            || origin.is_some_and(|origin| origin != host);
        (changes && is_foreign).then_some("this form belongs to another site")
    }
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

    pub(crate) fn see_other(address: &str) -> Self {
        Self { status: 303, headers: vec![("location", address.to_owned())], body: String::new() }
    }
}

/// A failure, told on a page of its own.
#[derive(Debug)]
pub(crate) struct Failure(u16, String);

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        if is_of_the_database(&*error) {
            // Not the customer's mistake. Which database, and what it says, stands in the log.
            tracing::warn!(%error, "the shop's database is not available");
            return Self(503, "The shop's database is not available. Please try again in a moment.".into());
        }
        match error.downcast_ref::<Error>() {
            Some(told) => Self::of_a_payment(told),
            None => Self(400, error.to_string()),
        }
    }
}

fn is_of_the_database(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(
        error.downcast_ref(),
        Some(
            sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::Io(_)
                | sqlx::Error::Database(_)
        )
    ) || matches!(error.downcast_ref(), Some(Error::Store(_)))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1)
    }
}

impl Failure {
    /// The error of a provider or of the engine goes to the shop's log. The customer sees only the next step.
    fn of_a_payment(error: &Error) -> Self {
        tracing::warn!(%error, "not done");
        let (status, message) = match error {
            Error::Provider(error) if error.kind() == ErrorKind::InvalidRequest => match error.field() {
                Some(field) => return Self(400, format!("Please look at the {field} again.")),
                None => (400, "Something in the form does not fit."),
            },
            Error::Provider(_) => {
                (400, "The bank did not take it. Please try again in a moment, or choose another way to pay.")
            }
            Error::Conflict { .. } => (409, "The order stands otherwise by now. Please look at its page."),
            Error::NotFound(_) => (404, "There is nothing like that here."),
            _ => (500, "The shop cannot do this now. Please look at the order's page before you try again."),
        };
        Self(status, message.into())
    }

    pub(crate) fn missing() -> Self {
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
    ways: &'static [WayToPay],
    /// The cards that can pay it.
    cards: Vec<CardView>,
}

#[derive(Clone)]
struct CardView {
    id: String,
    number: String,
    brand: String,
    account: String,
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
    /// What the shop did with it.
    done: Vec<Done>,
    held: bool,
    /// What of it can be given back: each button's action, and its words.
    refunds: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    shop_order: ShopOrder,
    price: String,
    status: &'static str,
    /// Whether nobody has paid it, nor has money held for it.
    to_pay: bool,
    attempts: Vec<Attempt>,
    ways: &'static [WayToPay],
    cards: Vec<CardView>,
    history: History,
    /// A form of this page that is sent twice does its work once.
    form_key: String,
    language: &'static str,
}

fn random_hex() -> Result<String> {
    let mut bytes = [0_u8; 6];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

fn customer() -> Result<CustomerRef> {
    Ok(CustomerRef::parse(CUSTOMER)?)
}

pub(crate) fn set_language(code: &str, referer: Option<&str>) -> Told {
    let language = Language::parse(code)?;
    let back = referer.and_then(|url| tulbur::core::Url::parse(url).ok());
    // Only to a page of ours: `//elsewhere.example` is a path, and as an address it is another site.
    let back = back.as_ref().map(tulbur::core::Url::path).filter(|path| is_page(path)).unwrap_or("/");
    let mut answer = Answer::see_other(back);
    answer.headers.push(("set-cookie", format!("language={language}; Path=/; SameSite=Lax; HttpOnly")));
    Ok(answer)
}

/// Whether a path is one of the shop's pages.
fn is_page(path: &str) -> bool {
    let of_order = path.strip_prefix("/orders/");
    path == "/orders" || of_order.is_some_and(|order| !order.is_empty() && !order.contains('/'))
}

#[derive(Deserialize)]
pub(crate) struct Buy {
    order: String,
    product: String,
    way: String,
    card: Option<String>,
    phone: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct PayAgain {
    way: String,
    card: Option<String>,
    phone: Option<String>,
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
        let view = |card: &tulbur::payments::Card| CardView {
            id: card.id.to_string(),
            number: card.info.masked_number.as_deref().unwrap_or("card").to_owned(),
            brand: card.info.brand.as_deref().unwrap_or_default().to_owned(),
            account: card.account.to_string(),
        };
        Ok(cards.iter().map(view).collect())
    }

    /// The cards that can pay what is sold there.
    async fn cards_for(&self, country: Country) -> Result<Vec<CardView>> {
        let mut cards = self.cards().await?;
        cards.retain(|card| ways(country).iter().any(|way| way.account == card.account));
        Ok(cards)
    }

    pub(crate) async fn index(&self, language: Language) -> Told {
        let mut goods = Vec::new();
        for product in &PRODUCTS {
            goods.push(Goodie {
                id: product.id,
                name: product.name,
                text: product.text,
                price: format_amount(product.price(), language),
                order: format!("order-{}", random_hex()?),
                ways: ways(product.country),
                cards: self.cards_for(product.country).await?,
            });
        }
        let page = IndexPage { goods, cards: self.cards().await?, language: language.code() };
        Ok(Answer::page(200, &page))
    }

    pub(crate) async fn buy(&self, form: Buy, language: Language) -> Told {
        let order = OrderRef::parse(form.order)?;
        let product = Product::find(&form.product).ok_or("there is no such product")?;
        let how = PayAgain { way: form.way, card: form.card, phone: form.phone };
        // A wrong word must not leave an order behind.
        if how.way != "saved" {
            WayToPay::find(product.country, &how.way)?;
        }
        self.goods.add(&order, product).await?;
        self.pay(&order, false, how, language).await
    }

    /// Another try for an order: the payment that is still open is given up first, and watched.
    pub(crate) async fn pay_again(&self, order: String, form: PayAgain, language: Language) -> Told {
        self.pay(&OrderRef::parse(order)?, true, form, language).await
    }

    /// Has an order paid. Who has paid it already, as by another click on the same button, is led to it: nothing failed.
    async fn pay(&self, order: &OrderRef, anew: bool, how: PayAgain, language: Language) -> Told {
        let told = self.try_to_pay(order, anew, how, language).await;
        let is_paid =
            async || Ok::<_, Error>(self.payments.order(order).await?.is_some_and(|order| order.is_paid()));
        match told {
            Err(_) if is_paid().await? => Ok(Answer::see_other(&format!("/orders/{order}"))),
            told => told,
        }
    }

    async fn try_to_pay(&self, order: &OrderRef, anew: bool, how: PayAgain, language: Language) -> Told {
        let order = self.goods.find(order).await?.ok_or("there is no such order")?;
        if anew && let Some(live) = self.payments.order(&order.order).await?.as_ref().and_then(Order::live) {
            self.payments.cancel(&live.id).await?;
        }
        let home = self.payments.public_url().join("/")?;
        let order_page = home.join(&format!("orders/{}", order.order))?;
        let back = CallbackUrl::parse(order_page.clone())?;
        if how.way == "saved" {
            let card = how.card.ok_or("choose a card")?;
            let cards = self.cards_for(order.product.country).await?;
            let own = cards.into_iter().find(|own| own.id == card).ok_or("there is no such card")?;
            let mut charge = ChargeCard::new(
                order.order.clone(),
                customer()?,
                CardId::from_text(card),
                order.product.price(),
                order.product.name,
            )
            .language(spoken_by(&own.account, language))
            .continue_to(back);
            charge.options = charge_options(&own.account, &own.brand)?;
            let payment = self.payments.charge(charge).await?;
            // The card's bank may want to see the customer.
            let page = if payment.next.is_empty() {
                self.payments.result_url(&payment)?.to_string()
            } else {
                self.first_page(&payment, Some(PageKind::Challenge))?
            };
            return Ok(Answer::see_other(&page));
        }
        let way = WayToPay::find(order.product.country, &how.way)?;
        let mut request = way.request(&order, language, how.phone)?.continue_to(back);
        if way.saves {
            request = request.save_card_for(customer()?);
        }
        let payment = self.payments.open(request).await?;
        Ok(Answer::see_other(&self.first_page(&payment, way.page)?))
    }

    /// The provider's page of this kind, in the payer's language, or whichever it has; our own checkout page if there
    /// is none, or none is wanted.
    fn first_page(&self, payment: &PaymentRecord, kind: Option<PageKind>) -> Result<String> {
        let pages = payment.next.iter().filter_map(|next| match next {
            NextAction::Redirect(redirect) => Some(redirect),
            _ => None,
        });
        let mut pages = pages.filter(|_| kind.is_some()).collect::<Vec<_>>();
        pages.sort_by_key(|page| (Some(page.page) != kind, page.language != Some(payment.language)));
        match pages.first() {
            Some(page) => Ok(page.url.to_string()),
            None => Ok(self.payments.checkout_url(payment)?.to_string()),
        }
    }

    pub(crate) async fn save_card(&self, language: Language) -> Told {
        let back = CallbackUrl::parse(self.payments.public_url().join("/")?)?;
        let setup = OpenCardSetup::new(customer()?, AccountName::parse(GOLOMT_ECOMMERCE)?)
            .language(spoken_by(GOLOMT_ECOMMERCE, language))
            .continue_to(back);
        let setup = self.payments.save_card(setup).await?;
        Ok(Answer::see_other(&self.first_page(&setup, Some(PageKind::SaveCard))?))
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
            let held = payment.status == Status::Authorized;
            let open =
                (payment.is_live() && !held).then(|| self.payments.checkout_url(payment)).transpose()?;
            let rule = self.payments.info(&payment.account)?.refunds.as_ref();
            attempts.push(Attempt {
                done: done(&self.payments.operations(&payment.id).await?, language),
                held,
                refunds: rule.map(|rule| refunds(payment, rule, language)).unwrap_or_default(),
                id: payment.id.to_string(),
                reference: payment.reference.merchant_ref.to_string(),
                status: payment.status,
                operation: payment.operation.as_str(),
                text: payment.text.as_deref().unwrap_or_default().to_owned(),
                checkout: open.map(|url| url.to_string()),
            });
        }
        let country = shop_order.product.country;
        let page = OrderPage {
            price: format_amount(shop_order.product.price(), language),
            ways: ways(country),
            shop_order,
            status: status_of(stored.as_ref()),
            to_pay: !stored.as_ref().is_some_and(Order::is_paid) && !attempts.iter().any(|paid| paid.held),
            attempts,
            cards: self.cards_for(country).await?,
            history: self.payments.history(&order).await?,
            form_key: format!("counter-{}", random_hex()?),
            language: language.code(),
        };
        Ok(Answer::page(200, &page))
    }

    /// The saved cards, for programs.
    pub(crate) async fn cards_json(&self) -> Told {
        let cards = self.cards().await?;
        let cards: Vec<_> =
            cards.iter().map(|card| json!({ "id": card.id, "account": card.account })).collect();
        Ok(Answer::new(200, "application/json", json!(cards).to_string()))
    }

    /// What waits for a person, for programs.
    pub(crate) async fn attention_json(&self) -> Told {
        let items: Vec<_> = self
            .payments
            .attention()
            .await?
            .iter()
            .map(|item| {
                json!({
                    "key": item.key, "kind": item.kind, "order": item.order,
                    "payment": item.payment.as_ref().map(PaymentId::as_str), "detail": item.detail,
                })
            })
            .collect();
        Ok(Answer::new(200, "application/json", json!(items).to_string()))
    }

    /// The same for programs: what tests compare with what the bank took.
    pub(crate) async fn order_json(&self, order: String) -> Told {
        let order = OrderRef::parse(order)?;
        let own = self.goods.find(&order).await?.ok_or_else(Failure::missing)?;
        let stored = self.payments.order(&order).await?;
        let events = self.payments.events(&order).await?;
        let paid = events.iter().filter(|event| matches!(event.kind, EventKind::Paid { .. })).count();
        let again = events.iter().filter(|event| matches!(event.kind, EventKind::PaidAgain { .. })).count();
        let mut payments = Vec::new();
        for payment in stored.iter().flat_map(|order| &order.payments) {
            let operations: Vec<_> = self.payments.operations(&payment.id).await?.iter().map(|operation| {
                json!({
                    "reference": operation.operation_ref, "kind": operation.kind, "state": operation.state,
                    "amount": operation.amount.map(|amount| amount.to_string()),
                })
            }).collect();
            payments.push(json!({
                "id": PaymentId::as_str(&payment.id),
                "account": payment.account,
                "reference": payment.reference.merchant_ref,
                "provider_reference": payment.reference.provider_ref,
                "status": payment.status,
                "operation": payment.operation,
                "watched": payment.ask_at.is_some(),
                "refunded": payment.refunded.map(|amount| amount.to_string()),
                "operations": operations,
            }));
        }
        let body = json!({
            "order": order, "status": status_of(stored.as_ref()), "shipped": own.shipped,
            "paid_events": paid, "paid_again_events": again, "payments": payments,
        });
        Ok(Answer::new(200, "application/json", body.to_string()))
    }
}
