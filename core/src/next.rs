//! Defines the next action of the payer: a page, a QR, an app, an approval.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::redacted::FreeText;
use crate::reference::ReferenceError;

/// A language that payers are addressed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Mongolian.
    #[default]
    Mn,
    /// English.
    En,
    /// Vietnamese.
    Vi,
}

impl Language {
    /// Reads `mn`, `en` or `vi`, in either case.
    ///
    /// # Errors
    /// When the text is another language.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        match text.to_ascii_lowercase().as_str() {
            "mn" => Ok(Self::Mn),
            "en" => Ok(Self::En),
            "vi" => Ok(Self::Vi),
            _ => {
                let shown: String = text.chars().take(16).collect();
                Err(ReferenceError::new(
                    "language",
                    format!("`{}` is none of mn, en, vi", shown.escape_debug()),
                ))
            }
        }
    }

    /// The lower-case code, also right for HTML's `lang`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Mn => "mn",
            Self::En => "en",
            Self::Vi => "vi",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What kind of page a redirect leads to, so that a shop can name its button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PageKind {
    /// The payer types a card.
    Card,
    /// The payer pays with the SocialPay wallet.
    SocialPay,
    /// The payer saves a card and buys nothing.
    SaveCard,
    /// The payer chooses among several ways there.
    Choice,
    /// The card's bank asks the payer to prove who they are.
    Challenge,
}

/// A page of the provider's and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// Where to send the browser.
    pub url: Url,
    /// What the payer finds there.
    pub page: PageKind,
    /// The page's language, where the address fixes it.
    pub language: Option<Language>,
}

/// A link that opens an app on the payer's phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppLink {
    /// The app's name.
    pub name: FreeText,
    /// The link, passed on byte for byte. It is never parsed as a URL: some are not one.
    pub link: String,
    /// Where the app's picture is, if the provider says so.
    pub logo: Option<Url>,
}

/// A provider's modal: a script that the page loads, and the function of it that the page calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Embed {
    /// Address of the script.
    pub script: Url,
    /// The global function, called as `function(value, on_result, on_close, { language })`.
    pub function: String,
    /// The id of the element that the script wants to find in the page.
    pub container: String,
    /// What the function is called with; an address that the modal opens, as a rule.
    pub value: String,
}

/// One way for the payer to go on. An invoice has alternatives, in order of preference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NextAction {
    /// Send the browser to this page.
    Redirect(Redirect),
    /// Show this payload as a QR picture; it is text, not an image.
    ShowQr(String),
    /// Offer these app links, on the payer's phone.
    OpenApp(Vec<AppLink>),
    /// Show the provider's own modal inside the shop's page.
    Embed(Embed),
    /// Nothing to show: it waits for approval on the payer's phone.
    Approve,
}

impl AppLink {
    /// Whether the link opens a protected page or one of these apps, by their schemes.
    ///
    /// It is passed on byte for byte, so this reads it as a browser would: a scheme at its very start, nothing that a
    /// browser leaves out while it reads. A scheme that nobody named may belong to the browser or to the system.
    pub fn opens<S: AsRef<str>>(&self, apps: &[S]) -> bool {
        let Some((scheme, _)) = self.link.split_once(':') else { return false };
        if self.link.chars().any(char::is_control) {
            return false;
        }
        if scheme.eq_ignore_ascii_case("https") {
            return Url::parse(&self.link).is_ok_and(|url| is_protected(&url));
        }
        apps.iter().any(|app| app.as_ref().eq_ignore_ascii_case(scheme))
    }
}

impl NextAction {
    /// Whether a payer may be led there: a page or a script only if its address is protected ([`is_protected`]). Of an
    /// app's link it is not known; [`AppLink::opens`] compares it with the apps that are offered.
    pub fn is_protected(&self) -> bool {
        match self {
            Self::Redirect(redirect) => is_protected(&redirect.url),
            Self::Embed(embed) => is_protected(&embed.script),
            _ => true,
        }
    }
}

/// Where the provider sends the browser, or the app, when the payer is done.
///
/// The text is kept as given, because it is hashed and sent as given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct CallbackUrl {
    text: String,
    app: bool,
}

/// A callback address as it is stored: a text, or one of which an application said that its app answers to it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Page(String),
    App { app: String },
}

impl CallbackUrl {
    const WHAT: &str = "callback address";

    /// Takes an `https` address, or an `http` address of this machine (loopback).
    ///
    /// # Errors
    /// When the text is no such address, has a user name, or has white space in it.
    pub fn parse(text: impl Into<String>) -> Result<Self, ReferenceError> {
        let text = text.into();
        let url = Self::address(&text)?;
        match url.scheme() {
            _ if is_protected(&url) => Ok(Self { text, app: false }),
            "https" | "http" => Err(ReferenceError::new(
                Self::WHAT,
                "it must be https (http is allowed only for this machine), without a user name or password",
            )),
            _ => Err(ReferenceError::new(
                Self::WHAT,
                "it is no page; of an address of your own app, say so with CallbackUrl::app",
            )),
        }
    }

    /// Takes an address of the application's own app, such as `myapp://paid`. The application vouches for `scheme`:
    /// its app, and nothing else on a payer's device, answers to it.
    ///
    /// # Errors
    /// When the text is no address of this scheme, or the scheme is one of pages.
    pub fn app(scheme: &str, text: impl Into<String>) -> Result<Self, ReferenceError> {
        let text = text.into();
        let url = Self::address(&text)?;
        if matches!(url.scheme(), "https" | "http") || !url.scheme().eq_ignore_ascii_case(scheme) {
            return Err(ReferenceError::new(
                Self::WHAT,
                "it has another scheme than the app that it is to open",
            ));
        }
        Ok(Self { text, app: true })
    }

    fn address(text: &str) -> Result<Url, ReferenceError> {
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(ReferenceError::new(Self::WHAT, "it contains white space or a control character"));
        }
        Url::parse(text).map_err(|e| ReferenceError::new(Self::WHAT, e.to_string()))
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it opens an app rather than a web page.
    pub fn is_app(&self) -> bool {
        self.app
    }
}

impl TryFrom<Written> for CallbackUrl {
    type Error = ReferenceError;
    fn try_from(written: Written) -> Result<Self, ReferenceError> {
        match written {
            Written::Page(text) => Self::parse(text),
            Written::App { app } => {
                let scheme = app.split(':').next().unwrap_or_default().to_owned();
                Self::app(&scheme, app)
            }
        }
    }
}

impl From<CallbackUrl> for Written {
    fn from(url: CallbackUrl) -> Self {
        if url.app { Self::App { app: url.text } } else { Self::Page(url.text) }
    }
}

/// Whether a payer can be sent to an address: `https`, or `http` of this machine, and no user name that could pass for a
/// host. Nothing else is: each other scheme means something of its own to a browser or a system.
pub fn is_protected(url: &Url) -> bool {
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    safe && url.has_host() && url.username().is_empty() && url.password().is_none()
}

/// Whether an address is this machine's own.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_are_https_loopback_or_an_app() {
        for good in ["https://shop.mn/a?b=1", "http://127.0.0.1:8080/", "http://localhost/x", "http://[::1]/"]
        {
            assert!(!CallbackUrl::parse(good).unwrap().is_app(), "{good}");
        }
        let app = CallbackUrl::app("myapp", "myapp://payment/done").unwrap();
        assert!(app.is_app());
        let page = CallbackUrl::parse("https://shop.mn/a").unwrap();
        for (url, stored) in [(app, r#"{"app":"myapp://payment/done"}"#), (page, r#""https://shop.mn/a""#)] {
            assert_eq!(serde_json::to_string(&url).unwrap(), stored);
            assert_eq!(serde_json::from_str::<CallbackUrl>(stored).unwrap(), url);
        }
        for (scheme, other) in
            [("myapp", "yourapp://x"), ("https", "https://shop.mn/"), ("", "myapp://x"), ("myapp", "x")]
        {
            assert!(CallbackUrl::app(scheme, other).is_err(), "{scheme} {other}");
        }
        for bad in [
            "myapp://payment/done",
            "vbscript:x",
            "filesystem:https://shop.mn/x",
            "view-source:https://shop.mn/",
            "intent://x#Intent;scheme=https;end",
            "ftp://shop.mn/",
            "file:///etc/passwd",
            "data:text/html,x",
            "blob:https://shop.mn/x",
            "http://127.0.0.1@shop.mn/",
            "https://:b@shop.mn/",
            "http://shop.mn/",
            "http://localhost.shop.mn/",
            "javascript:alert(1)",
            "shop.mn",
            "",
            "https://a:b@shop.mn/",
            "https://x/ y",
        ] {
            assert!(CallbackUrl::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            CallbackUrl::parse("https://example.com/төлбөр").unwrap().as_str(),
            "https://example.com/төлбөр"
        );
    }

    #[test]
    fn a_link_opens_a_protected_page_or_an_app_that_was_named() {
        let opens = |link: &str| {
            let link = AppLink { name: "A".into(), link: link.into(), logo: None };
            link.opens(&["socialpay-payment"])
        };
        for good in
            ["socialpay-payment://key=AbC+/=%zz", "SocialPay-Payment:x y", "https://wallet.example/pay?a=1"]
        {
            assert!(opens(good), "{good}");
        }
        for bad in [
            "ftp://bank.example/x",
            "intent://pay#Intent;scheme=bank;end",
            "vbscript:x",
            "filesystem:https://bank.example/x",
            "view-source:https://bank.example/",
            "javascript:alert(1)",
            "java\nscript:alert(1)",
            "socialpay-payment\n://x",
            " https://wallet.example/",
            "https://bank.example@evil.example/",
            "https://:x@evil.example/",
            "http://wallet.example/",
            "bank://pay",
            "//wallet.example",
            "wallet.example",
            "",
        ] {
            assert!(!opens(bad), "{bad}");
        }
    }

    #[test]
    fn an_unknown_language_is_refused() {
        assert_eq!(Language::parse("MN"), Ok(Language::Mn));
        assert!(Language::parse("ru").unwrap_err().to_string().contains("mn, en, vi"));
    }
}
