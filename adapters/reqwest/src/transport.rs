//! Sends requests with reqwest, and says of each failure whether the request may have left.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tulbur_core::{
    Error, ErrorKind, HttpRequest, HttpResponse, HttpTransport, Method, Result, TransportError, Url,
    async_trait, is_loopback,
};

use crate::fault;

/// How long a name, a port and TLS may take together.
const CONNECT: Duration = Duration::from_secs(10);
/// How long everything may take. A bank that asks the card's bank needs tens of seconds at times.
const TOTAL: Duration = Duration::from_secs(40);
/// Larger than any answer of a provider, small beside any machine.
const BODY: usize = 2 * 1024 * 1024;
/// Shorter than servers usually keep a silent connection, so that few are found dead.
const IDLE: Duration = Duration::from_secs(20);

/// Sends providers' requests with one pooled [`reqwest::Client`].
///
/// # When a pooled connection turns out to be dead
///
/// A server may close a silent connection just when a request is given to it. Underneath, hyper gives a request
/// back unchanged when the connection ended before it took the request up, and only such a request goes to another
/// connection. Once hyper has begun to write it, the request is never given back: if the connection ends then,
/// the error says that it may have been sent, and nobody here sends it again. reqwest's own repetition (of HTTP/2
/// refusals) is switched off: repeating is [`Retry`](tulbur_core::layers::Retry)'s, which knows the
/// [`Effect`](tulbur_core::Effect).
#[derive(Clone)]
pub struct ReqwestTransport {
    client: reqwest::Client,
    /// Why this machine cannot check certificates, if it cannot.
    no_tls: Option<String>,
    timeout: Duration,
    body_limit: usize,
}

impl ReqwestTransport {
    /// A builder with default limits.
    pub fn builder() -> ReqwestTransportBuilder {
        ReqwestTransportBuilder::default()
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    fn check(&self, url: &Url) -> Result<(), TransportError> {
        match url.scheme() {
            "https" => match &self.no_tls {
                Some(why) => Err(fault::refused(format!(
                    "this machine cannot check certificates ({why}); install its root certificates (the package \
                     ca-certificates) and start again"
                ))),
                None => Ok(()),
            },
            "http" if is_loopback(url) => Ok(()),
            "http" => Err(fault::refused(format!(
                "plain http is for this machine only, and {} is another; use https",
                url.host_str().unwrap_or("-")
            ))),
            scheme => Err(fault::refused(format!("`{scheme}` is not http or https"))),
        }
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransport")
            .field("timeout", &self.timeout)
            .field("body_limit", &self.body_limit)
            .field("tls", &self.no_tls.is_none())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpTransport for ReqwestTransport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        self.check(&request.url)?;
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut outgoing = reqwest::Request::new(method, request.url);
        *outgoing.headers_mut() = headers(&request.headers)?;
        *outgoing.body_mut() = Some(request.body.into());
        let mut answer = self.client.execute(outgoing).await.map_err(fault::sending)?;

        let announced = answer.content_length().unwrap_or(0);
        if usize::try_from(announced).map_or(true, |length| length > self.body_limit) {
            return Err(fault::too_large(self.body_limit));
        }
        let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or(0));
        while let Some(chunk) = answer.chunk().await.map_err(fault::receiving)? {
            if body.len() + chunk.len() > self.body_limit {
                return Err(fault::too_large(self.body_limit));
            }
            body.extend_from_slice(&chunk);
        }
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        Ok(HttpResponse::new(answer.status().as_u16(), headers, body))
    }
}

fn headers(given: &[(&'static str, impl AsRef<str>)]) -> Result<HeaderMap, TransportError> {
    let mut headers = HeaderMap::with_capacity(given.len());
    for (name, value) in given {
        let unfit = || fault::refused(format!("the header `{name}` has characters that no header may have"));
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
        let mut value = HeaderValue::from_str(value.as_ref()).map_err(|_| unfit())?;
        // Keeps it out of the library's own debug output.
        value.set_sensitive(true);
        headers.append(header, value);
    }
    Ok(headers)
}

/// Limits and roots of a [`ReqwestTransport`].
#[derive(Debug, Clone)]
pub struct ReqwestTransportBuilder {
    connect_timeout: Duration,
    timeout: Duration,
    body_limit: usize,
    roots: Vec<reqwest::Certificate>,
    proxy: Option<Url>,
}

impl Default for ReqwestTransportBuilder {
    fn default() -> Self {
        Self { connect_timeout: CONNECT, timeout: TOTAL, body_limit: BODY, roots: Vec::new(), proxy: None }
    }
}

impl ReqwestTransportBuilder {
    /// How long a connection may take: name, port and TLS together; 10 seconds if not set.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long everything may take, from the connection to the answer's last byte; 40 seconds if not set.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// How many bytes an answer's body may have; 2 MiB if not set.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Trusts further root certificates, beside the system's.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when the text is not PEM with certificates in it.
    pub fn root_certificates(mut self, pem: &[u8]) -> Result<Self> {
        let unfit = || {
            Error::new(ErrorKind::Configuration, "it is not PEM with certificates in it")
                .with_field("root_certificates")
        };
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|_| unfit())?;
        if certificates.is_empty() {
            return Err(unfit());
        }
        self.roots.extend(certificates);
        Ok(self)
    }

    /// Sends `https` requests through this proxy. None is used unless given here, whatever the environment says.
    #[must_use]
    pub fn proxy(mut self, proxy: Url) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Builds it.
    ///
    /// A machine without root certificates is no error: plain requests to itself still work, and each `https`
    /// request says what is missing.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when a limit is nothing, or the proxy's address is not one.
    pub fn build(self) -> Result<ReqwestTransport> {
        for (field, empty) in [
            ("connect_timeout", self.connect_timeout.is_zero()),
            ("timeout", self.timeout.is_zero()),
            ("body_limit", self.body_limit == 0),
        ] {
            if empty {
                let message = "it must be more than nothing";
                return Err(Error::new(ErrorKind::Configuration, message).with_field(field));
            }
        }
        let (client, no_tls) = match self.client()?.tls_certs_merge(self.roots.clone()).build() {
            Ok(client) => (client, None),
            Err(error) => {
                let client = self.client()?.tls_certs_only(self.roots.clone()).build().map_err(unbuilt)?;
                (client, Some(innermost(&error)))
            }
        };
        Ok(ReqwestTransport { client, no_tls, timeout: self.timeout, body_limit: self.body_limit })
    }

    fn client(&self) -> Result<reqwest::ClientBuilder> {
        // The port 0 stands for the address's own.
        let localhost = [(Ipv4Addr::LOCALHOST, 0).into(), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
        let client = reqwest::Client::builder()
            .connect_timeout(self.connect_timeout)
            .timeout(self.timeout)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .no_proxy()
            .resolve_to_addrs("localhost", &localhost);
        Ok(match &self.proxy {
            Some(proxy) => client.proxy(reqwest::Proxy::https(proxy.as_str()).map_err(unbuilt)?),
            None => client,
        })
    }
}

fn unbuilt(error: reqwest::Error) -> Error {
    Error::new(ErrorKind::Configuration, "the HTTP client cannot be built").with_source(error.without_url())
}

/// The last cause of an error: what reqwest itself says is only that it could not build.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
