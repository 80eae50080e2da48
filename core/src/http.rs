//! The transport port: what a provider sends, what comes back, and whether it may have left.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use url::Url;
use zeroize::Zeroizing;

use crate::clock::Monotonic;
use crate::outcome::Effect;

/// An HTTP method that providers use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
}

impl Method {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// A request as the provider's crate built it: the body is bytes, and those bytes are what was signed.
///
/// `Debug` shows operation, effect, method, host and size; never the path's query, a header or the body.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpRequest {
    /// The operation's name, for logs and metrics, e.g. `create_invoice`.
    pub operation: &'static str,
    /// What sending it does.
    pub effect: Effect,
    /// The method.
    pub method: Method,
    /// The address.
    pub url: Url,
    /// Header names and values. Values may be credentials and are wiped from memory.
    pub headers: Vec<(&'static str, Zeroizing<String>)>,
    /// The body, exactly as signed.
    pub body: Bytes,
    /// The moment before which it must be on its way; none if there is no such limit.
    /// [`layers::Deadline`](crate::layers::Deadline) holds writes to it.
    pub send_by: Option<Monotonic>,
}

impl HttpRequest {
    /// A request without a body.
    pub fn new(operation: &'static str, effect: Effect, method: Method, url: Url) -> Self {
        Self { operation, effect, method, url, headers: Vec::new(), body: Bytes::new(), send_by: None }
    }

    /// A POST with a JSON body that is already serialised.
    pub fn post_json(operation: &'static str, effect: Effect, url: Url, body: impl Into<Bytes>) -> Self {
        Self::new(operation, effect, Method::Post, url).with_body("application/json", body)
    }

    /// With a body that is already serialised, and its content type. Any method can have one.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.with_header("content-type", content_type)
    }

    /// With the moment before which it must be on its way: what the caller's write request says.
    #[must_use]
    pub fn send_by(mut self, moment: Option<Monotonic>) -> Self {
        self.send_by = moment;
        self
    }

    /// With a further header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, Zeroizing::new(value.into())));
        self
    }

    /// The host it goes to, for logs.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or("-")
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("operation", &self.operation)
            .field("effect", &self.effect)
            .field("method", &self.method.as_str())
            .field("host", &self.host())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// An answer, whole. `Debug` shows status and size only.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// Header names (lower case) and values.
    pub headers: Vec<(String, String)>,
    /// The body as received.
    pub body: Bytes,
}

impl HttpResponse {
    /// An answer.
    pub fn new(status: u16, headers: Vec<(String, String)>, body: impl Into<Bytes>) -> Self {
        Self { status, headers, body: body.into() }
    }

    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// How far a request got before it failed: the first question an error answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// No byte of the request can have reached the provider.
    NeverSent,
    /// Some or all of it may have.
    MayHaveBeenSent,
}

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportFault {
    /// No connection could be made: name, port, TLS.
    Connect,
    /// The connection ended before the answer did.
    Cut,
    /// No answer in time.
    Timeout,
    /// The answer was larger than the limit.
    TooLarge,
    /// The transport does not send such a request, e.g. plain HTTP to a host that is not this machine.
    Refused,
    /// The moment before which it had to be on its way ([`HttpRequest::send_by`]) was over, so it was not sent.
    TooLate,
}

/// A failure to get an answer, classified by whether the request may have left.
#[derive(Debug)]
pub struct TransportError {
    phase: Phase,
    fault: TransportFault,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl TransportError {
    /// A failure. The message must not quote an address's path or query, a header or a body.
    pub fn new(phase: Phase, fault: TransportFault, message: impl Into<String>) -> Self {
        Self { phase, fault, message: message.into(), source: None }
    }

    /// With the library's error that caused it; it must not quote them either.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// How far it got.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What failed.
    pub fn fault(&self) -> TransportFault {
        self.fault
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// Sends one request and returns the whole answer, whatever its status.
///
/// An implementation follows no redirects, limits the answer's size, verifies certificates, and classifies every
/// failure by [`Phase`]. It never repeats anything: that is [`layers::Retry`](crate::layers::Retry)'s. Nor does it look
/// at [`HttpRequest::send_by`]: that is [`layers::Deadline`](crate::layers::Deadline)'s, which goes inside
/// `Retry`.
#[async_trait]
pub trait HttpTransport: fmt::Debug + Send + Sync {
    /// Sends the request.
    ///
    /// # Errors
    /// When there is no whole answer. An answer with an error status is an answer.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError>;
}

/// Reaches nothing: for a provider that is only described, or that only signs and verifies.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNetwork;

#[async_trait]
impl HttpTransport for NoNetwork {
    async fn send(&self, _: HttpRequest) -> Result<HttpResponse, TransportError> {
        let why = "this provider was built without a network";
        Err(TransportError::new(Phase::NeverSent, TransportFault::Connect, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_printed() {
        let url = Url::parse("https://bank.example/path?token=planted").unwrap();
        let request = HttpRequest::post_json("charge", Effect::Write, url, "{\"card\":\"planted\"}")
            .with_header("authorization", "Bearer planted");
        let printed = format!("{request:?} {:?}", HttpResponse::new(200, vec![], "planted"));
        assert!(printed.contains("bank.example"));
        assert!(!printed.contains("planted"), "{printed}");
    }
}
