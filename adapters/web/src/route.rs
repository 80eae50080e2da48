//! Which address is what, and which methods it takes.

use tulbur_payments::NotifyTarget;

use crate::assets::Asset;

/// An address below the mount.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Route<'a> {
    /// Where a provider's server reports.
    Notify(NotifyTarget<'a>),
    /// Where a provider sends the browser back to.
    Return { account: &'a str, secret: &'a str },
    /// A payer's page.
    Page { secret: &'a str, page: Page },
    /// The status of a payment as it changes.
    Events { secret: &'a str },
    /// Gives a payment up.
    Cancel { secret: &'a str },
    /// A file of the pages.
    Asset(Asset),
}

/// Which of a payment's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// Where the payer chooses how to pay.
    Checkout,
    /// Where the payer comes back to.
    Result,
    /// What the display at a till shows the customer.
    Display,
}

impl<'a> Route<'a> {
    /// What a path leads to, if anything.
    ///
    /// Nothing is decoded: no name or secret that exists needs it. Doubled slashes and a slash at the end count for nothing,
    /// because an address that a person types, or that a program joins from parts, often has them.
    pub(crate) fn find(path: &'a str) -> Option<Self> {
        let mut parts = path.strip_prefix('/')?.split('/').filter(|part| !part.is_empty());
        let room = parts.next()?;
        let rest: [Option<&str>; 3] = [parts.next(), parts.next(), parts.next()];
        if parts.next().is_some() {
            return None;
        }
        match (room, rest) {
            ("notify", [Some(name), None, None]) => Some(Self::Notify(NotifyTarget::Name(name))),
            ("notify", [Some(account), Some(secret), None]) => {
                Some(Self::Notify(NotifyTarget::WithSecret { account, secret }))
            }
            ("return", [Some(account), Some(secret), None]) => Some(Self::Return { account, secret }),
            ("checkout", [Some(secret), None, None]) => Some(Self::Page { secret, page: Page::Checkout }),
            ("checkout", [Some(secret), Some("result"), None]) => {
                Some(Self::Page { secret, page: Page::Result })
            }
            ("checkout", [Some(secret), Some("events"), None]) => Some(Self::Events { secret }),
            ("checkout", [Some(secret), Some("cancel"), None]) => Some(Self::Cancel { secret }),
            ("display", [Some(secret), None, None]) => Some(Self::Page { secret, page: Page::Display }),
            ("assets", [Some(name), None, None]) => Asset::find(name).map(Self::Asset),
            _ => None,
        }
    }

    /// The methods that it takes.
    ///
    /// Known providers notify by POST, but the world has some that do it by GET; so both are let through, and the
    /// provider refuses what it does not send. A browser comes back by GET or with a posted form. Neither takes
    /// HEAD, which promises to have no effect.
    pub(crate) fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::Notify(_) | Self::Return { .. } => &["GET", "POST"],
            Self::Page { .. } | Self::Asset(_) => &["GET", "HEAD"],
            Self::Events { .. } => &["GET"],
            Self::Cancel { .. } => &["POST"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_leads_to_its_room_and_no_other_does() {
        assert!(matches!(Route::find("/notify/golomt"), Some(Route::Notify(NotifyTarget::Name("golomt")))));
        assert!(matches!(
            Route::find("/notify/till-1/abc"),
            Some(Route::Notify(NotifyTarget::WithSecret { account: "till-1", secret: "abc" }))
        ));
        assert!(matches!(Route::find("/return/a/b"), Some(Route::Return { account: "a", secret: "b" })));
        assert!(matches!(
            Route::find("/checkout/s"),
            Some(Route::Page { secret: "s", page: Page::Checkout })
        ));
        let result = Route::find("/checkout/s/result");
        assert!(matches!(result, Some(Route::Page { secret: "s", page: Page::Result })));
        let display = Route::find("/display/s");
        assert!(matches!(display, Some(Route::Page { secret: "s", page: Page::Display })));
        assert!(matches!(Route::find("/checkout/s/events"), Some(Route::Events { secret: "s" })));
        assert!(matches!(Route::find("/checkout/s/cancel"), Some(Route::Cancel { secret: "s" })));
        assert!(matches!(Route::find("/assets/tulbur.css"), Some(Route::Asset(_))));
        for page in ["/checkout/s/", "//checkout/s", "/checkout//s", "//checkout//s/"] {
            let found = Route::find(page);
            assert!(matches!(found, Some(Route::Page { secret: "s", page: Page::Checkout })), "{page}");
        }
        for one in ["/notify/a/", "//notify//a", "/notify//a/"] {
            assert!(matches!(Route::find(one), Some(Route::Notify(NotifyTarget::Name("a")))), "{one}");
        }
        for nothing in [
            "",
            "/",
            "notify/x",
            "/notify",
            "/notify/",
            "/notify/a/b/c",
            "/return/a",
            "/return/a/",
            "/checkout",
            "/checkout/",
            "/checkout/s/other",
            "/checkout/s/result/x",
            "/display",
            "/display/",
            "/display/s/result",
            "/assets/../Cargo.toml",
            "/assets/other.css",
            "/a/b/c/d/e/f",
        ] {
            assert!(Route::find(nothing).is_none(), "{nothing}");
        }
    }
}
