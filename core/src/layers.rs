//! What wraps a transport: retry, timeout, tracing, metrics. Written once, for every provider.
//!
//! They log operation, host, status and size; never a body, a query or a header.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::future::{Either, select};
use tracing::{Instrument, debug, info_span, warn};

use crate::clock::Clock;
use crate::http::{Effect, HttpRequest, HttpResponse, HttpTransport, Phase, TransportError, TransportFault};

/// Repeats what is safe to repeat: what was never sent, reads, and writes that the provider makes safe by key.
///
/// A plain write that may have been sent is never repeated.
#[derive(Debug, Clone)]
pub struct Retry<T> {
    inner: T,
    clock: Arc<dyn Clock>,
    times: usize,
    first_wait: Duration,
}

impl<T> Retry<T> {
    /// Up to two more tries, waiting 200 ms and then 400 ms.
    pub fn new(inner: T, clock: Arc<dyn Clock>) -> Self {
        Self { inner, clock, times: 2, first_wait: Duration::from_millis(200) }
    }

    /// With another number of further tries.
    #[must_use]
    pub fn with_times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// With another wait before the second try; each later one doubles.
    #[must_use]
    pub fn with_first_wait(mut self, wait: Duration) -> Self {
        self.first_wait = wait;
        self
    }
}

/// Whether this result of a request may be followed by the same request again.
fn may_repeat(effect: Effect, result: &Result<HttpResponse, TransportError>) -> bool {
    let repeatable = matches!(effect, Effect::Read | Effect::Keyed);
    match result {
        Err(error)
            if error.fault() == TransportFault::Refused || error.fault() == TransportFault::TooLarge =>
        {
            false
        }
        Err(error) => error.phase() == Phase::NeverSent || repeatable,
        Ok(response) => effect == Effect::Read && matches!(response.status, 502..=504),
    }
}

#[async_trait]
impl<T: HttpTransport> HttpTransport for Retry<T> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let waits =
            ExponentialBuilder::default().with_min_delay(self.first_wait).with_max_times(self.times).build();
        for wait in waits {
            let result = self.inner.send(request.clone()).await;
            if !may_repeat(request.effect, &result) {
                return result;
            }
            debug!(operation = request.operation, host = request.host(), ?wait, "repeating after a wait");
            self.clock.sleep(wait).await;
        }
        self.inner.send(request).await
    }
}

/// Gives up on an answer after a while. The request may have been sent by then.
#[derive(Debug, Clone)]
pub struct Timeout<T> {
    inner: T,
    clock: Arc<dyn Clock>,
    limit: Duration,
}

impl<T> Timeout<T> {
    /// With this limit for one try.
    pub fn new(inner: T, clock: Arc<dyn Clock>, limit: Duration) -> Self {
        Self { inner, clock, limit }
    }
}

#[async_trait]
impl<T: HttpTransport> HttpTransport for Timeout<T> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        match select(self.inner.send(request), self.clock.sleep(self.limit)).await {
            Either::Left((result, _)) => result,
            Either::Right(((), _)) => Err(TransportError::new(
                Phase::MayHaveBeenSent,
                TransportFault::Timeout,
                format!("no answer within {} ms", self.limit.as_millis()),
            )),
        }
    }
}

/// A span for each request, and a line for its end.
#[derive(Debug, Clone)]
pub struct Tracing<T>(T);

impl<T> Tracing<T> {
    /// Wraps a transport.
    pub fn new(inner: T) -> Self {
        Self(inner)
    }
}

#[async_trait]
impl<T: HttpTransport> HttpTransport for Tracing<T> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let span = info_span!(
            "provider request",
            operation = request.operation,
            host = request.host(),
            sent_bytes = request.body.len()
        );
        let result = self.0.send(request).instrument(span.clone()).await;
        span.in_scope(|| match &result {
            Ok(response) => {
                debug!(status = response.status, received_bytes = response.body.len(), "answered");
            }
            Err(error) => warn!(phase = ?error.phase(), fault = ?error.fault(), "no answer"),
        });
        result
    }
}

/// Counts requests (`tulbur_provider_requests_total`) and their duration (`tulbur_provider_request_seconds`) by
/// operation, host and result.
#[derive(Debug, Clone)]
pub struct Metrics<T> {
    inner: T,
    clock: Arc<dyn Clock>,
}

impl<T> Metrics<T> {
    /// Wraps a transport.
    pub fn new(inner: T, clock: Arc<dyn Clock>) -> Self {
        Self { inner, clock }
    }
}

#[async_trait]
impl<T: HttpTransport> HttpTransport for Metrics<T> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let (operation, host) = (request.operation, request.host().to_owned());
        let started = self.clock.now();
        let result = self.inner.send(request).await;
        let outcome = match &result {
            Ok(response) => format!("{}xx", response.status / 100),
            Err(error) if error.phase() == Phase::NeverSent => "never_sent".to_owned(),
            Err(_) => "lost".to_owned(),
        };
        let labels = [("operation", operation.to_owned()), ("host", host), ("result", outcome)];
        metrics::counter!("tulbur_provider_requests_total", &labels).increment(1);
        metrics::histogram!("tulbur_provider_request_seconds", &labels)
            .record(self.clock.now().since(started));
        result
    }
}

#[async_trait]
impl<T: HttpTransport + ?Sized> HttpTransport for Arc<T> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        (**self).send(request).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::clock::{ManualClock, Timestamp};

    /// Answers from a list, and counts.
    #[derive(Debug, Default)]
    struct Scripted(Mutex<Vec<Result<u16, (Phase, TransportFault)>>>, Mutex<usize>);

    #[async_trait]
    impl HttpTransport for Scripted {
        async fn send(&self, _: HttpRequest) -> Result<HttpResponse, TransportError> {
            *self.1.lock().unwrap() += 1;
            match self.0.lock().unwrap().remove(0) {
                Ok(status) => Ok(HttpResponse::new(status, vec![], "")),
                Err((phase, fault)) => Err(TransportError::new(phase, fault, "scripted")),
            }
        }
    }

    #[derive(Debug)]
    struct InstantClock;

    #[async_trait]
    impl Clock for InstantClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(0)
        }
        async fn sleep(&self, _: Duration) {}
    }

    fn request(effect: Effect) -> HttpRequest {
        HttpRequest::post_json("test", effect, url::Url::parse("https://bank.example/").unwrap(), "{}")
    }

    async fn tries(effect: Effect, script: Vec<Result<u16, (Phase, TransportFault)>>) -> usize {
        let inner = Arc::new(Scripted(Mutex::new(script), Mutex::new(0)));
        drop(Retry::new(inner.clone(), Arc::new(InstantClock)).send(request(effect)).await);
        *inner.1.lock().unwrap()
    }

    #[tokio::test]
    async fn a_write_that_may_have_left_is_sent_once() {
        let cut = || Err((Phase::MayHaveBeenSent, TransportFault::Cut));
        let refused = || Err((Phase::NeverSent, TransportFault::Connect));
        assert_eq!(tries(Effect::Write, vec![cut(), Ok(200)]).await, 1);
        assert_eq!(tries(Effect::Write, vec![Ok(503), Ok(200)]).await, 1);
        assert_eq!(tries(Effect::ReadOnce, vec![cut(), Ok(200)]).await, 1);
        assert_eq!(tries(Effect::Write, vec![refused(), cut(), Ok(200)]).await, 2);
        assert_eq!(tries(Effect::Read, vec![cut(), Ok(503), Ok(200)]).await, 3);
        assert_eq!(tries(Effect::Read, vec![cut(), cut(), cut(), Ok(200)]).await, 3);
        assert_eq!(tries(Effect::Keyed, vec![cut(), Ok(200)]).await, 2);
        assert_eq!(tries(Effect::Read, vec![Ok(500), Ok(200)]).await, 1);
    }

    #[derive(Debug)]
    struct Silent;

    #[async_trait]
    impl HttpTransport for Silent {
        async fn send(&self, _: HttpRequest) -> Result<HttpResponse, TransportError> {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn silence_ends_and_may_have_been_sent() {
        let clock = ManualClock::new(Timestamp::from_millis(0));
        let transport = Timeout::new(Silent, Arc::new(clock.clone()), Duration::from_secs(30));
        let sending = tokio::spawn(async move { transport.send(request(Effect::Write)).await });
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(30));
        let error = sending.await.unwrap().unwrap_err();
        assert_eq!((error.phase(), error.fault()), (Phase::MayHaveBeenSent, TransportFault::Timeout));
    }
}
