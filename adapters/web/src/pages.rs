//! Turns what is shown into HTML, with the headers that every page has.

use askama::Template;
use tulbur_core::Language;

use crate::assets::Asset;
use crate::http::WebResponse;
use crate::route::Page;
use crate::texts::{OFFERED, Texts, Words};
use crate::view::View;
use crate::ways::Way;

/// What a page may load and do: its own two files, its own events, its own form. Whatever a text from outside may
/// smuggle in, no script but ours runs.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Abilities of the browser that no page of ours uses.
const PERMISSIONS: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
                           magnetometer=(), microphone=(), midi=(), usb=(), xr-spatial-tracking=()";

/// And those that a provider's modal may need.
const PAYING: &str = "payment=(), publickey-credentials-get=()";

const POLICY_HEADER: &str = "content-security-policy";

/// What surrounds every page.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) texts: &'static Texts,
    pub(crate) words: &'static Words,
    pub(crate) shop: Option<&'a str>,
    pub(crate) style: String,
    pub(crate) script: String,
    pub(crate) languages: Vec<LanguageLink>,
}

/// A link that shows the page in another language.
#[derive(Debug)]
pub(crate) struct LanguageLink {
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) chosen: bool,
}

impl<'a> Frame<'a> {
    /// `base` is the path of the mount, with its slashes.
    pub(crate) fn new(base: &str, shop: Option<&'a str>, texts: &'static Texts) -> Self {
        let link = |other: &Texts| LanguageLink {
            code: other.language.code(),
            name: other.name,
            chosen: other.language == texts.language,
        };
        Self {
            texts,
            words: &texts.words,
            shop,
            style: format!("{base}{}", Asset::Style.address()),
            script: format!("{base}{}", Asset::Script.address()),
            languages: OFFERED.into_iter().map(link).collect(),
        }
    }

    fn language(&self) -> Language {
        self.texts.language
    }
}

#[derive(Template)]
#[template(path = "payment.html")]
struct PaymentPage<'a> {
    frame: Frame<'a>,
    view: View<'a>,
}

#[derive(Template)]
#[template(path = "display.html")]
struct DisplayPage<'a> {
    frame: Frame<'a>,
    view: View<'a>,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: Frame<'a>,
    headline: &'static str,
    explanation: &'static str,
    detail: Option<String>,
    to_payment: Option<String>,
}

/// A page about a payment.
pub(crate) fn payment(page: Page, frame: Frame<'_>, view: View<'_>) -> WebResponse {
    let policy = view.modal().map(|modal| modal.opens(POLICY));
    let response = match page {
        Page::Display => written(200, &DisplayPage { frame, view }),
        Page::Checkout | Page::Result => written(200, &PaymentPage { frame, view }),
    };
    match policy {
        // A bank's check of a card may open a window, which speaks with the one that opened it.
        Some(policy) => response
            .with(POLICY_HEADER, policy)
            .with("permissions-policy", PERMISSIONS)
            .with("cross-origin-opener-policy", "same-origin-allow-popups"),
        None => response,
    }
}

/// What went wrong, as a payer is told.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) headline: &'static str,
    pub(crate) explanation: &'static str,
    /// The cause in English, for whoever the payer shows it to.
    pub(crate) detail: Option<String>,
    /// Where the payment can be seen, if it is known which.
    pub(crate) to_payment: Option<String>,
}

/// A page about a problem.
pub(crate) fn problem(mut frame: Frame<'_>, problem: Problem) -> WebResponse {
    // Its address may be a provider's way back or a form's target: a link there would be a request of its own.
    frame.languages.clear();
    let Problem { status, headline, explanation, detail, to_payment } = problem;
    written(status, &ProblemPage { frame, headline, explanation, detail, to_payment })
}

fn written(status: u16, template: &impl Template) -> WebResponse {
    match template.render() {
        Ok(html) => guarded(WebResponse::new(status, "text/html; charset=utf-8", html)),
        // Writing to a string does not fail, and no filter that can is used.
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            WebResponse::text(500, "The page could not be written. Load it again.")
        }
    }
}

/// With the headers that every page and every redirect to one has.
pub(crate) fn guarded(response: WebResponse) -> WebResponse {
    response
        .with(POLICY_HEADER, POLICY)
        .with("x-frame-options", "DENY")
        .with("x-robots-tag", "noindex, nofollow")
        .with("cross-origin-opener-policy", "same-origin")
        .with("permissions-policy", format!("{PERMISSIONS}, {PAYING}"))
}
