//! Draws the hosted pages. They work without a script.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use tulbur_qr::{Correction, Picture};

use super::callback::{Shape, WayBack, signed};
use super::cards::{Challenge, TEST_CARDS, TestCard};
use super::codes::{CODES, result_text};
use super::order::METHODS;
use super::pay::{page_path, vietqr};
use super::shared::Gateway;
use super::state::{Kind, Payment};
use super::texts::Texts;
use crate::plugin::{PaymentState, Tamper};

/// What stands at the top of every page about a payment.
pub(super) struct Head<'a> {
    pub(super) t: &'static Texts,
    pub(super) payment: &'a Payment,
    pub(super) amount: String,
    pub(super) seconds_left: i64,
    pub(super) clock: String,
    pub(super) problems: Vec<&'static str>,
    /// The codes of the driver on the page.
    pub(super) codes: &'static [(&'static str, &'static str)],
    /// Back to the choice of methods, where there is one.
    pub(super) other: Option<String>,
}

/// One way to pay, as the payer chooses it.
pub(super) struct Choice {
    pub(super) method: &'static str,
    pub(super) source: Option<String>,
    pub(super) name: String,
}

#[derive(Template)]
#[template(path = "galaxy-pay/choose.html")]
struct ChoosePage<'a> {
    h: Head<'a>,
    choices: Vec<Choice>,
}

#[derive(Template)]
#[template(path = "galaxy-pay/contact.html")]
struct ContactPage<'a> {
    h: Head<'a>,
    fields: Vec<(&'static str, &'static str)>,
}

/// What a payer has typed, to be shown again. A number is shown back only if it is a test card's.
#[derive(Default)]
pub(super) struct Typed {
    pub(super) number: String,
    pub(super) date: String,
    pub(super) holder: String,
    pub(super) cvv: String,
}

#[derive(Template)]
#[template(path = "galaxy-pay/card.html")]
struct CardPage<'a> {
    h: Head<'a>,
    domestic: bool,
    typed: Typed,
    cards: Vec<&'static TestCard>,
    query: String,
}

#[derive(Template)]
#[template(path = "galaxy-pay/challenge.html")]
struct ChallengePage<'a> {
    h: Head<'a>,
    card: &'static TestCard,
    otp: bool,
}

#[derive(Template)]
#[template(path = "galaxy-pay/app.html")]
struct AppPage<'a> {
    h: Head<'a>,
    name: &'a str,
}

#[derive(Template)]
#[template(path = "galaxy-pay/qr.html")]
struct QrPage<'a> {
    h: Head<'a>,
    picture: String,
    text: String,
    app: String,
}

#[derive(Template)]
#[template(path = "galaxy-pay/result.html")]
struct ResultPage<'a> {
    t: &'static Texts,
    heading: &'static str,
    detail: &'static str,
    payment: &'a Payment,
    amount: String,
    good: bool,
    back: Option<WayBack>,
    leaves: bool,
    /// Tells the modal around it.
    modal: bool,
}

#[derive(Template)]
#[template(path = "galaxy-pay/message.html")]
struct MessagePage {
    t: &'static Texts,
    message: String,
}

/// Renders a page with the headers that all of them have. Framing stays allowed: the modal is a frame.
pub(super) fn render<T: Template>(status: StatusCode, template: &T) -> Response {
    let html = match template.render() {
        Ok(html) => html,
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    };
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'"),
    );
    response
}

pub(super) fn message(status: StatusCode, t: &'static Texts, message: impl Into<String>) -> Response {
    render(status, &MessagePage { t, message: message.into() })
}

impl<'a> Head<'a> {
    fn new(gateway: &Gateway, t: &'static Texts, payment: &'a Payment, problems: Vec<&'static str>) -> Self {
        let left = (payment.expires_at.as_millis() - gateway.desk.now().as_millis()).max(0) / 1000;
        let chooses = payment.order.method.is_none();
        Self {
            t,
            payment,
            amount: written_amount(&payment.order.amount, &payment.order.currency),
            seconds_left: left,
            clock: format!("{}:{:02}", left / 60, left % 60),
            problems,
            codes: &CODES[1..],
            other: chooses.then(|| format!("{}?lang={}", page_path(payment), t.code)),
        }
    }

    fn status(&self) -> StatusCode {
        if self.problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
    }
}

/// An amount with its digits in groups, and the currency behind it.
fn written_amount(text: &str, currency: &str) -> String {
    let (whole, decimals) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let whole = whole.trim_start_matches('0');
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    if grouped.is_empty() {
        grouped.push('0');
    }
    match decimals {
        Some(decimals) => format!("{grouped}.{decimals:0<2} {currency}"),
        None => format!("{grouped} {currency}"),
    }
}

/// The ways to pay that the payer may choose from, on the pages that ask.
pub(super) fn choices(payment: &Payment, t: &Texts) -> Vec<Choice> {
    let choice = |method: &'static str, source: Option<&str>| {
        let name = source.filter(|_| method != "QRPAY");
        let name =
            name.map_or_else(|| t.name(method).to_owned(), |source| format!("{}: {source}", t.name(method)));
        Choice { method, source: source.map(str::to_owned), name }
    };
    if let Some(link) = &payment.order.link {
        let of = |name: &String| match name.as_str() {
            "MPGS" => choice("INTERNATIONAL", None),
            "NAPAS" => choice("DOMESTIC", None),
            "QRPAY" => choice("QRPAY", Some("QRPAY")),
            wallet => choice("WALLET", Some(wallet)),
        };
        return link
            .methods
            .iter()
            .map(of)
            .filter(|choice| choice.method != "QRPAY" || payment.account.is_some())
            .collect();
    }
    if let Some(method) = &payment.order.method {
        let known = METHODS.iter().find(|known| *known == method);
        return known.map(|method| choice(method, payment.order.source.as_deref())).into_iter().collect();
    }
    if payment.saves_card() {
        return vec![choice("DOMESTIC", None), choice("INTERNATIONAL", None)];
    }
    let mut all = vec![choice("INTERNATIONAL", None)];
    if payment.order.currency == "VND" {
        all.push(choice("DOMESTIC", None));
        all.push(choice("QRPAY", Some("QRPAY")));
        all.extend(["MOMO", "ZALOPAY", "GALAXYPAY"].map(|wallet| choice("WALLET", Some(wallet))));
        all.push(choice("BNPL", Some("KREDIVO")));
    }
    all.push(choice("HUB", Some("2C2P")));
    all
}

impl Gateway {
    pub(super) fn choose_page(
        &self,
        t: &'static Texts,
        payment: &Payment,
        problems: Vec<&'static str>,
    ) -> Response {
        let mut h = Head::new(self, t, payment, problems);
        h.other = None;
        let choices = choices(payment, t);
        render(h.status(), &ChoosePage { h, choices })
    }

    pub(super) fn contact_page(
        &self,
        t: &'static Texts,
        payment: &Payment,
        problems: Vec<&'static str>,
    ) -> Response {
        let asked = payment.order.link.as_ref().map(|link| link.fields.as_slice()).unwrap_or_default();
        let known = t.contact.iter().filter(|(name, _)| asked.iter().any(|asked| asked == name));
        let fields = known.copied().collect();
        let mut h = Head::new(self, t, payment, problems);
        h.other = None;
        render(h.status(), &ContactPage { h, fields })
    }

    pub(super) fn card_page(
        &self,
        t: &'static Texts,
        payment: &Payment,
        domestic: bool,
        typed: Typed,
        problems: Vec<&'static str>,
    ) -> Response {
        let cards = TEST_CARDS.iter().filter(|card| card.is_domestic() == domestic).collect();
        let method = if domestic { "DOMESTIC" } else { "INTERNATIONAL" };
        let query = format!("?lang={}&method={method}", t.code);
        let h = Head::new(self, t, payment, problems);
        render(h.status(), &CardPage { h, domestic, typed, cards, query })
    }

    pub(super) fn challenge_page(
        &self,
        t: &'static Texts,
        payment: &Payment,
        card: &'static TestCard,
        problems: Vec<&'static str>,
    ) -> Response {
        let mut h = Head::new(self, t, payment, problems);
        h.other = None;
        render(h.status(), &ChallengePage { h, card, otp: card.challenge == Challenge::Otp })
    }

    pub(super) fn app_page(&self, t: &'static Texts, payment: &Payment, name: &str) -> Response {
        let h = Head::new(self, t, payment, Vec::new());
        render(StatusCode::OK, &AppPage { h, name })
    }

    pub(super) fn qr_page(&self, t: &'static Texts, payment: &Payment) -> Response {
        let Some(text) = vietqr(payment) else {
            return message(StatusCode::NOT_FOUND, t, t.bad_method);
        };
        let picture = match Picture::of_text(&text, Correction::Medium) {
            Ok(picture) => picture.to_svg(),
            Err(error) => return message(StatusCode::INTERNAL_SERVER_ERROR, t, error.to_string()),
        };
        let escaped = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC);
        let app = format!("/-/bank-app?qr={escaped}");
        let h = Head::new(self, t, payment, Vec::new());
        render(StatusCode::OK, &QrPage { h, picture, text, app })
    }

    /// Where the browser goes now; `None` if the merchant gave no address or there is no result.
    pub(super) fn way_back(&self, payment: &Payment) -> Option<WayBack> {
        payment.code.as_ref()?;
        if matches!(payment.kind, Kind::Checkout | Kind::PaymentLink) {
            return None;
        }
        let shape = Shape::of(|id| self.desk.switch(id), false);
        let signed = signed(payment, &self.salt, &shape, self.desk.now(), Tamper::None);
        WayBack::of(payment, signed, &self.desk.switch("return-method"))
    }

    /// Sends the browser back; a payment without a result shows where it stands.
    pub(super) fn leave(&self, t: &'static Texts, payment: &Payment) -> Response {
        match self.way_back(payment) {
            Some(WayBack::Get(address)) => WayBack::redirect(&address),
            _ => self.result_page(t, payment, true),
        }
    }

    pub(super) fn result_page(&self, t: &'static Texts, payment: &Payment, leaves: bool) -> Response {
        let heading = match payment.state {
            PaymentState::Paid => t.paid,
            PaymentState::Authorized => t.authorized,
            PaymentState::Declined => t.declined,
            PaymentState::Canceled => t.canceled,
            PaymentState::Expired => t.expired,
            PaymentState::Open | PaymentState::Sent => t.sent,
        };
        let back = self.way_back(payment);
        render(
            StatusCode::OK,
            &ResultPage {
                t,
                heading,
                detail: payment.code.as_deref().map_or("", |code| result_text(code, t.is_vietnamese())),
                payment,
                amount: written_amount(&payment.order.amount, &payment.order.currency),
                good: matches!(payment.state, PaymentState::Paid | PaymentState::Authorized),
                leaves: leaves && back.is_some(),
                back,
                modal: payment.kind == Kind::Checkout && payment.code.is_some(),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_people_read_them() {
        for (text, currency, written) in [
            ("100000", "VND", "100\u{a0}000 VND"),
            ("1", "JPY", "1 JPY"),
            ("12.5", "USD", "12.50 USD"),
            ("0.05", "USD", "0.05 USD"),
            ("1234567", "VND", "1\u{a0}234\u{a0}567 VND"),
        ] {
            assert_eq!(written_amount(text, currency), written);
        }
    }
}
