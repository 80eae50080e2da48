//! Checks the addresses that an account is configured with, and builds the addresses below them.

use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::next::is_loopback;

/// Checks an address that is called or shown: `https`, or plain `http` on this machine, without user name or password.
///
/// # Errors
/// [`ErrorKind::Configuration`], naming the setting and never the address.
pub fn check_address(setting: &'static str, url: &Url) -> Result<()> {
    let wrong = |why: &str| Err(Error::new(ErrorKind::Configuration, why).with_field(setting));
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    if !safe || url.cannot_be_a_base() {
        return wrong("it must be https (http is allowed only for this machine)");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("it must be an address without user name or password");
    }
    Ok(())
}

/// Checks an address below which a provider's paths stand: as [`check_address`], and without query or fragment.
///
/// # Errors
/// [`ErrorKind::Configuration`], naming the setting and never the address.
pub fn check_base(setting: &'static str, url: &Url) -> Result<()> {
    check_address(setting, url)?;
    if url.query().or(url.fragment()).is_some() {
        let why = "it must be an address without query or fragment";
        return Err(Error::new(ErrorKind::Configuration, why).with_field(setting));
    }
    Ok(())
}

/// An address below a base that [`check_base`] has passed. Each part of the path is encoded.
pub fn below(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut parts) = url.path_segments_mut() {
        parts.pop_if_empty().extend(path);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_safe_addresses() {
        let check = |text: &str| check_base("base_url", &Url::parse(text).unwrap());
        for good in [
            "https://bank.example",
            "https://bank.example:8443/test",
            "http://127.0.0.1:4002",
            "http://localhost:1/a/",
            "http://[::1]:4002",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "http://bank.example",
            "ftp://127.0.0.1",
            "https://planted@bank.example",
            "https://:planted@bank.example",
            "https://bank.example/?planted",
            "https://bank.example/#planted",
            "mailto:planted@bank.example",
        ] {
            let error = check(bad).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Configuration, Some("base_url")), "{bad}");
            assert!(!error.to_string().contains("planted"), "{error}");
        }
        assert!(check_address("script", &Url::parse("https://bank.example/a.js?v=1").unwrap()).is_ok());
    }

    #[test]
    fn paths_stand_below_the_base() {
        for base in ["https://bank.example/a", "https://bank.example/a/"] {
            let url = below(&Url::parse(base).unwrap(), &["pos", "a/b?c"]);
            assert_eq!(url.as_str(), "https://bank.example/a/pos/a%2Fb%3Fc");
        }
    }
}
