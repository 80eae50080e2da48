//! Finds whose address a request came from: the connection's, or what a trusted proxy says.

use std::net::IpAddr;

use tulbur_core::{Error, ErrorKind, Result};

/// The proxies whose word about a payer's address is taken. With none, forwarded headers count for nothing.
///
/// ```
/// use tulbur_web::{ForwardedHeader, TrustedProxies};
///
/// let proxies = TrustedProxies::new(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])?;
/// let chain = [("x-forwarded-for".to_owned(), "192.0.2.7, 203.0.113.9, 10.1.1.1".to_owned())];
/// // The payer can write what stands further to the left.
/// assert_eq!(proxies.address("10.2.2.2".parse().ok(), &chain), "203.0.113.9".parse().ok());
/// // Somebody who is no proxy of ours can write all of it.
/// assert_eq!(proxies.address("198.51.100.1".parse().ok(), &chain), "198.51.100.1".parse().ok());
/// // A proxy that sends the header of RFC 7239 instead:
/// let other = proxies.header(ForwardedHeader::Forwarded);
/// assert_eq!(other.address("10.2.2.2".parse().ok(), &chain), None);
/// # Ok::<(), tulbur_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<Network>,
    header: ForwardedHeader,
}

/// The header in which the proxies say whom they serve. They must set or extend this one: a payer can send the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`: addresses, separated by commas.
    #[default]
    XForwardedFor,
    /// `Forwarded`, as RFC 7239 has it.
    Forwarded,
}

impl TrustedProxies {
    /// With the proxies at these addresses or in these networks, such as `10.0.0.0/8`.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when one is neither.
    pub fn new<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let networks = networks.into_iter().map(Network::parse).collect::<Result<_>>()?;
        Ok(Self { networks, header: ForwardedHeader::default() })
    }

    /// With another header than `X-Forwarded-For`.
    #[must_use]
    pub fn header(mut self, header: ForwardedHeader) -> Self {
        self.header = header;
        self
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    fn has(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.has(address))
    }

    /// The address of the one who sent a request, given the connection's other end and the request's headers.
    ///
    /// It is the last one of the chain that is no proxy of ours. `None` when a proxy of ours does not say it: its own
    /// address is nobody's.
    pub fn address(&self, peer: Option<IpAddr>, headers: &[(String, String)]) -> Option<IpAddr> {
        let peer = peer?.to_canonical();
        if !self.has(peer) {
            return Some(peer);
        }
        let (name, read): (_, fn(&str) -> Option<IpAddr>) = match self.header {
            ForwardedHeader::XForwardedFor => ("x-forwarded-for", node),
            ForwardedHeader::Forwarded => ("forwarded", forwarded_for),
        };
        let values = headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        let hops: Vec<&str> = values.flat_map(|(_, value)| value.split(',')).map(str::trim).collect();
        for hop in hops.into_iter().rev() {
            let address = read(hop)?;
            if !self.has(address) {
                return Some(address);
            }
        }
        None
    }
}

/// The `for` of an element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let value = value.trim();
    node(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// An address, perhaps with a port: `192.0.2.7`, `192.0.2.7:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn node(text: &str) -> Option<IpAddr> {
    let plain = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    plain.or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}

/// Addresses that begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            let why = "a trusted proxy is an address or a network written like 10.0.0.0/8 or fd00::/8";
            Error::new(ErrorKind::Configuration, why).with_field("trusted_proxies")
        };
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or_else(wrong)?,
            None => most,
        };
        Ok(Self { address, bits })
    }

    fn has(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                let differs = (u32::from(ours) ^ u32::from(other)).leading_zeros();
                differs >= self.bits
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                let differs = (u128::from(ours) ^ u128::from(other)).leading_zeros();
                differs >= self.bits
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(proxies: &TrustedProxies, peer: &str, headers: &[(&str, &str)]) -> Option<String> {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        proxies.address(peer.parse().ok(), &headers).map(|address| address.to_string())
    }

    #[test]
    fn without_the_setting_headers_count_for_nothing() {
        let none = TrustedProxies::default();
        for name in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP"] {
            let claimed = [(name, "for=1.2.3.4"), (name, "1.2.3.4")];
            assert_eq!(address(&none, "127.0.0.1", &claimed).as_deref(), Some("127.0.0.1"), "{name}");
        }
        assert_eq!(none.address(None, &[]), None);
    }

    #[test]
    fn only_what_our_own_proxies_wrote_is_believed() {
        let proxies = TrustedProxies::new(["10.0.0.0/8", "::1", "fd00::/8"]).unwrap();
        let from = |peer: &str, value: &str| address(&proxies, peer, &[("X-Forwarded-For", value)]);
        for (peer, value, expected) in [
            ("10.0.0.1", "203.0.113.9", Some("203.0.113.9")),
            ("10.0.0.1", "1.1.1.1, 203.0.113.9", Some("203.0.113.9")),
            ("10.0.0.1", "garbage, 203.0.113.9,10.9.9.9", Some("203.0.113.9")),
            ("::ffff:10.0.0.1", "203.0.113.9:4711", Some("203.0.113.9")),
            ("::1", "[2001:db8::7]:443", Some("2001:db8::7")),
            ("fd12::3", "2001:db8::7", Some("2001:db8::7")),
            ("10.0.0.1", "::ffff:203.0.113.9", Some("203.0.113.9")),
            ("11.0.0.1", "203.0.113.9", Some("11.0.0.1")),
            ("10.0.0.1", "", None),
            ("10.0.0.1", "203.0.113.9, unknown", None),
            ("10.0.0.1", "10.0.0.2", None),
        ] {
            assert_eq!(from(peer, value).as_deref(), expected, "{peer} {value}");
        }
        let two = [("x-forwarded-for", "1.1.1.1"), ("X-FORWARDED-FOR", "203.0.113.9")];
        assert_eq!(address(&proxies, "10.0.0.1", &two).as_deref(), Some("203.0.113.9"));
        assert_eq!(address(&proxies, "10.0.0.1", &[("forwarded", "for=1.1.1.1")]), None);
        let other = proxies.header(ForwardedHeader::Forwarded);
        for (value, expected) in [
            ("for=1.1.1.1, For=203.0.113.9;proto=https", Some("203.0.113.9")),
            ("proto=https; for=\"[2001:db8::7]:443\"", Some("2001:db8::7")),
            ("for=203.0.113.9, for=\"10.0.0.2:80\"", Some("203.0.113.9")),
            ("for=_hidden", None),
            ("for=unknown", None),
        ] {
            assert_eq!(address(&other, "10.0.0.1", &[("Forwarded", value)]).as_deref(), expected, "{value}");
        }
        assert_eq!(address(&other, "10.0.0.1", &[("x-forwarded-for", "1.1.1.1")]), None);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for wrong in ["", "proxy", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "*"] {
            let error = TrustedProxies::new([wrong]).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Configuration, Some("trusted_proxies")));
        }
        let all = TrustedProxies::new(["0.0.0.0/0"]).unwrap();
        assert_eq!(address(&all, "9.9.9.9", &[("x-forwarded-for", "8.8.8.8")]), None);
    }
}
