//! Defines the next action of the payer: a page, a QR, an app, an approval.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

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
    pub name: String,
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

/// Where the provider sends the browser, or the app, when the payer is done.
///
/// The text is kept as given, because it is hashed and sent as given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallbackUrl {
    text: String,
    app: bool,
}

impl CallbackUrl {
    /// Takes an `https` address, an `http` address of this machine (loopback), or an app's own scheme.
    ///
    /// # Errors
    /// When the text is no address, or would carry a payer over an unprotected connection.
    pub fn parse(text: impl Into<String>) -> Result<Self, ReferenceError> {
        const WHAT: &str = "callback address";
        let text = text.into();
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(ReferenceError::new(WHAT, "it contains white space or a control character"));
        }
        let url = Url::parse(&text).map_err(|e| ReferenceError::new(WHAT, e.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ReferenceError::new(WHAT, "it must not carry a user name or password"));
        }
        match url.scheme() {
            "https" => Ok(Self { text, app: false }),
            "http" if is_loopback(&url) => Ok(Self { text, app: false }),
            "http" => {
                Err(ReferenceError::new(WHAT, "it must be https (http is allowed only for this machine)"))
            }
            "javascript" | "data" | "file" | "blob" | "about" | "ws" | "wss" | "ftp" => {
                Err(ReferenceError::new(WHAT, format!("the scheme `{}` cannot be returned to", url.scheme())))
            }
            _ => Ok(Self { text, app: true }),
        }
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

impl TryFrom<String> for CallbackUrl {
    type Error = ReferenceError;
    fn try_from(text: String) -> Result<Self, ReferenceError> {
        Self::parse(text)
    }
}

impl From<CallbackUrl> for String {
    fn from(url: CallbackUrl) -> Self {
        url.text
    }
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
        assert!(CallbackUrl::parse("myapp://payment/done").unwrap().is_app());
        for bad in [
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
    fn an_unknown_language_is_refused() {
        assert_eq!(Language::parse("MN"), Ok(Language::Mn));
        assert!(Language::parse("ru").unwrap_err().to_string().contains("mn, en, vi"));
    }
}
