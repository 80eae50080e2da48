//! Keeps web pages of others away from every port of the sandbox.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, header};

/// Decides whether a request may come in, by the name that it asks for and the page that sends it.
///
/// A page that a developer visits can send requests to loopback, and with a name that it makes point to loopback
/// ("DNS rebinding") can even read the answers. So the name asked for must be ours, and what changes something must
/// not come from another origin. A program sends no origin, and is not asked for one: a shop's calls come through.
#[derive(Debug)]
pub(crate) struct Guard {
    any_ip: bool,
    hosts: Vec<String>,
}

impl Guard {
    pub(crate) fn new(bind: IpAddr, hosts: Vec<String>) -> Self {
        Self { any_ip: !bind.is_loopback(), hosts }
    }

    /// # Errors
    /// Why the request is turned away.
    pub(crate) fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), String> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if !self.is_ours(host) {
            return Err(format!(
                "the sandbox does not answer to the name {host:?}; use 127.0.0.1 or localhost, or allow the name when the sandbox is started"
            ));
        }
        if method.is_safe() {
            return Ok(());
        }
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
            return Err("the sandbox takes no orders from another site's page".to_owned());
        }
        match headers.get(header::ORIGIN) {
            Some(origin)
                if origin.to_str().ok().and_then(|text| text.split_once("://")).map(|pair| pair.1)
                    != Some(host) =>
            {
                Err("the sandbox takes no orders from another origin".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn is_ours(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else { return false };
        let name = authority.host();
        let ip: Option<IpAddr> = name.trim_start_matches('[').trim_end_matches(']').parse().ok();
        name.eq_ignore_ascii_case("localhost")
            || ip.is_some_and(|ip| ip.is_loopback() || self.any_ip)
            || self.hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<HeaderMap>()
    }

    #[test]
    fn only_our_own_names_are_answered() {
        let guard = Guard::new("127.0.0.1".parse().unwrap(), vec!["sandbox".into()]);
        for host in
            ["127.0.0.1:4000", "localhost:4000", "LOCALHOST", "[::1]:4000", "127.9.9.9", "sandbox:4000"]
        {
            assert!(guard.check(&Method::GET, &headers(&[("host", host)])).is_ok(), "{host}");
        }
        for host in
            ["", "evil.example:4000", "192.168.0.9:4000", "localhost.evil.example", "127.0.0.1.evil.example"]
        {
            assert!(guard.check(&Method::GET, &headers(&[("host", host)])).is_err(), "{host}");
        }
        let open = Guard::new("0.0.0.0".parse().unwrap(), Vec::new());
        assert!(open.check(&Method::GET, &headers(&[("host", "192.168.0.9:4000")])).is_ok());
        assert!(open.check(&Method::GET, &headers(&[("host", "evil.example:4000")])).is_err());
    }

    #[test]
    fn orders_from_other_pages_are_refused() {
        let guard = Guard::new("127.0.0.1".parse().unwrap(), Vec::new());
        let post = |extra: &[(&'static str, &str)]| {
            let pairs: Vec<_> = [("host", "127.0.0.1:4000")].iter().chain(extra).copied().collect();
            guard.check(&Method::POST, &headers(&pairs)).is_ok()
        };
        assert!(post(&[]));
        assert!(post(&[("origin", "http://127.0.0.1:4000"), ("sec-fetch-site", "same-origin")]));
        assert!(!post(&[("origin", "http://127.0.0.1:4001")]));
        assert!(!post(&[("origin", "https://evil.example")]));
        assert!(!post(&[("origin", "null")]));
        assert!(!post(&[("sec-fetch-site", "same-site")]));
        assert!(!post(&[("sec-fetch-site", "cross-site")]));
    }
}
