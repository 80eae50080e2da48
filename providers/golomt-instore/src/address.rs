//! Addresses: which may be called, and what stands below one.

use tulbur_core::{Error, ErrorKind, Result, Url, is_loopback};

/// Checks the setting `base_url`.
pub(crate) fn check_base(url: &Url) -> Result<()> {
    let wrong = |why: &str| Err(Error::new(ErrorKind::Configuration, why).with_field("base_url"));
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    if !safe || url.cannot_be_a_base() {
        return wrong("it must be https (http is allowed only for this machine)");
    }
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return wrong("it must be an address without query, fragment, user name or password");
    }
    Ok(())
}

/// An address below the base.
pub(crate) fn below(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    url.path_segments_mut().expect("the base was checked when configured").pop_if_empty().extend(path);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_safe_addresses() {
        let check = |text: &str| check_base(&Url::parse(text).unwrap());
        for good in [
            "https://instore.golomtbank.com",
            "http://127.0.0.1:4002",
            "http://localhost:1/a/",
            "https://b/x",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "http://bank.example",
            "ftp://127.0.0.1",
            "https://a@bank.example",
            "https://:b@bank.example",
            "https://bank.example/?a",
            "https://bank.example/#a",
            "mailto:a@bank.example",
        ] {
            let error = check(bad).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Configuration, Some("base_url")), "{bad}");
        }
    }

    #[test]
    fn paths_stand_below_the_base() {
        for base in ["https://bank.example/a", "https://bank.example/a/"] {
            let url = below(&Url::parse(base).unwrap(), &["pos", "invoice"]);
            assert_eq!(url.as_str(), "https://bank.example/a/pos/invoice");
        }
    }
}
