//! Defines requests and responses as an adapter exchanges them with this crate.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_util::Stream;
use tulbur_core::{Bytes, Channel, Delivery, Reply};

/// The longest body that is taken: several times what any provider sends.
pub(crate) const BODY_LIMIT: usize = 64 * 1024;
/// How long a body may take to arrive.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// A request, free of any framework.
///
/// `Debug` shows neither path nor query nor body: each may hold a secret.
#[derive(Clone)]
pub struct WebRequest {
    /// The HTTP method, upper case.
    pub method: String,
    /// The path below the mount, still encoded, with its leading slash.
    pub path: String,
    /// The query string without its `?`, still encoded.
    pub query: Option<String>,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// The body, at most [`Web::BODY_LIMIT`](crate::Web::BODY_LIMIT) bytes.
    pub body: Bytes,
    /// The other end of the connection, if it is known. Behind a proxy that is the proxy:
    /// [`Web::payer_address`](crate::Web::payer_address) says whom it serves.
    pub peer: Option<IpAddr>,
}

impl WebRequest {
    /// The first value of a header, whatever its case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// What a provider checks of it.
    pub(crate) fn delivery(&self, channel: Channel) -> Delivery<'_> {
        Delivery {
            channel,
            method: &self.method,
            query: self.query.as_deref(),
            headers: &self.headers,
            body: &self.body,
        }
    }
}

impl fmt::Debug for WebRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebRequest")
            .field("method", &self.method)
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The chunks of a body that is not finished yet.
pub type BodyStream = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// The body of an answer.
pub enum Body {
    /// All of it.
    Full(Bytes),
    /// Chunk by chunk, each to be sent as soon as it comes. Dropping it ends it.
    Stream(BodyStream),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(bytes) => write!(f, "Full({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// An answer, free of any framework.
///
/// `Debug` shows the names of its headers: an address in them may hold a secret.
pub struct WebResponse {
    /// The HTTP status.
    pub status: u16,
    /// Header names, lower case, and values; visible ASCII only.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
}

impl WebResponse {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![
            ("content-type", content_type.to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
            ("referrer-policy", "no-referrer".to_owned()),
            ("cross-origin-resource-policy", "same-origin".to_owned()),
        ];
        Self { status, headers, body: Body::Full(body.into()) }.with("cache-control", "no-store")
    }

    pub(crate) fn text(status: u16, text: impl Into<String>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text.into() + "\n")
    }

    /// What a provider is answered.
    pub(crate) fn reply(reply: Reply) -> Self {
        Self::new(reply.status, reply.content_type, reply.body)
    }

    pub(crate) fn method_not_allowed(methods: &[&str]) -> Self {
        let allowed = methods.join(", ");
        Self::text(405, format!("This address takes {allowed}.")).with("allow", allowed)
    }

    /// Sends the browser on with a GET, whatever it came with.
    pub(crate) fn see_other(location: impl Into<String>) -> Self {
        Self::text(303, "Continue at the address in `Location`.").with("location", location)
    }

    /// Sets a header, in place of an earlier value.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(header, _)| *header != name);
        self.headers.push((name, value.into()));
        self
    }

    /// What an adapter answers when a body is longer than [`Web::BODY_LIMIT`](crate::Web::BODY_LIMIT).
    pub fn body_too_large() -> Self {
        Self::text(413, format!("The body is larger than {BODY_LIMIT} bytes; nothing was read or stored."))
    }

    /// What an adapter answers when a body ended before its announced length, or cannot be read.
    pub fn body_unreadable() -> Self {
        Self::text(400, "The body could not be read to its end; nothing was stored. Send it again.")
    }

    /// What an adapter answers when a body takes longer than [`Web::BODY_TIMEOUT`](crate::Web::BODY_TIMEOUT).
    pub fn body_too_slow() -> Self {
        Self::text(408, "The body did not arrive in time; nothing was stored. Send it again.")
    }
}

impl fmt::Debug for WebResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        f.debug_struct("WebResponse")
            .field("status", &self.status)
            .field("headers", &names)
            .field("body", &self.body)
            .finish()
    }
}
