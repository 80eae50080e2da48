//! Wraps a transport with retry, deadline, timeout, tracing and metrics. Written once, for every provider.
//!
//! They log operation, host, status and size; never a body, a query or a header.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::future::{Either, select};
use tracing::{Instrument, debug, info_span, warn};

use crate::clock::Clock;
use crate::http::{HttpRequest, HttpResponse, HttpTransport, Phase, TransportError, TransportFault};
use crate::outcome::Effect;

/// Repeats what is safe to repeat: what was never sent, reads, and writes that the provider makes safe by key.
///
/// A plain write that may have been sent is never repeated, nor is what came too late. No write waits past the moment
/// before which it must be on its way ([`HttpRequest::send_by`]): its last failure is returned at once.
///
/// Where one try of a keyed write may have been sent and a later one was certainly not, the error says of the whole
/// that it may have been sent.
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

    /// Whether a write could still be sent after this wait.
    fn has_time_after(&self, request: &HttpRequest, wait: Duration) -> bool {
        let limit = request.send_by.filter(|_| request.effect.is_write());
        limit.is_none_or(|moment| self.clock.monotonic().after(wait) < moment)
    }
}

/// Whether this result of a request may be followed by the same request again.
fn may_repeat(effect: Effect, result: &Result<HttpResponse, TransportError>) -> bool {
    let repeatable = matches!(effect, Effect::Read | Effect::Keyed);
    match result {
        Err(error)
            if matches!(
                error.fault(),
                TransportFault::Refused | TransportFault::TooLarge | TransportFault::TooLate
            ) =>
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
        let mut waits =
            ExponentialBuilder::default().with_min_delay(self.first_wait).with_max_times(self.times).build();
        let mut lost = None;
        loop {
            let result = self.inner.send(request.clone()).await;
            let next = if may_repeat(request.effect, &result) { waits.next() } else { None };
            let Some(wait) = next.filter(|wait| self.has_time_after(&request, *wait)) else {
                return as_a_whole(lost, result);
            };
            lost = lost.or(result.err().filter(|error| error.phase() == Phase::MayHaveBeenSent));
            debug!(operation = request.operation, host = request.host(), ?wait, "repeating after a wait");
            self.clock.sleep(wait).await;
        }
    }
}

/// The last try's result, unless that was never sent and an earlier one may have been.
fn as_a_whole(
    earlier: Option<TransportError>,
    last: Result<HttpResponse, TransportError>,
) -> Result<HttpResponse, TransportError> {
    last.map_err(|error| if error.phase() == Phase::NeverSent { earlier.unwrap_or(error) } else { error })
}

/// Sends no write once the moment is over before which it must be on its way ([`HttpRequest::send_by`]).
///
/// It belongs inside [`Retry`], so that each try is checked: a login before the write, or a wait before its repeat, may
/// have used up the time. What it refuses has certainly not been sent. Reads pass, however late.
#[derive(Debug, Clone)]
pub struct Deadline<T> {
    inner: T,
    clock: Arc<dyn Clock>,
}

impl<T> Deadline<T> {
    /// Wraps a transport. The clock is the one whose readings the requests carry.
    pub fn new(inner: T, clock: Arc<dyn Clock>) -> Self {
        Self { inner, clock }
    }
}

#[async_trait]
impl<T: HttpTransport> HttpTransport for Deadline<T> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let now = self.clock.monotonic();
        if request.effect.is_write()
            && let Some(moment) = request.send_by
            && now >= moment
        {
            let late = now.since(moment).as_millis();
            let message =
                format!("it was not sent: the time in which it could be sent was over {late} ms ago");
            return Err(TransportError::new(Phase::NeverSent, TransportFault::TooLate, message));
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
        let started = self.clock.monotonic();
        let result = self.inner.send(request).await;
        let outcome = match &result {
            Ok(response) => format!("{}xx", response.status / 100),
            Err(error) if error.phase() == Phase::NeverSent => "never_sent".to_owned(),
            Err(_) => "lost".to_owned(),
        };
        let labels = [("operation", operation.to_owned()), ("host", host), ("result", outcome)];
        metrics::counter!("tulbur_provider_requests_total", &labels).increment(1);
        metrics::histogram!("tulbur_provider_request_seconds", &labels)
            .record(self.clock.monotonic().since(started));
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
    use crate::clock::{ManualClock, Monotonic, Timestamp};

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
        fn monotonic(&self) -> Monotonic {
            Monotonic::from_millis(0)
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
        let late = Err((Phase::NeverSent, TransportFault::TooLate));
        assert_eq!(tries(Effect::Write, vec![late, Ok(200)]).await, 1);
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
    const CUT: Result<u16, (Phase, TransportFault)> = Err((Phase::MayHaveBeenSent, TransportFault::Cut));
    const NO_PORT: Result<u16, (Phase, TransportFault)> = Err((Phase::NeverSent, TransportFault::Connect));

    /// A clock whose sleeper wakes at once, that much later.
    #[derive(Debug, Clone)]
    struct Skipping(ManualClock);

    #[async_trait]
    impl Clock for Skipping {
        fn now(&self) -> Timestamp {
            self.0.now()
        }
        fn monotonic(&self) -> Monotonic {
            self.0.monotonic()
        }
        async fn sleep(&self, duration: Duration) {
            self.0.advance(duration);
        }
    }

    /// Takes this long over each request that reaches it.
    #[derive(Debug)]
    struct Slow(Arc<Scripted>, Skipping, Duration);

    #[async_trait]
    impl HttpTransport for Slow {
        async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
            self.1.sleep(self.2).await;
            self.0.send(request).await
        }
    }

    /// The layers as they are stacked, over a bank that takes `slow` over each request; and how many reached it.
    struct Stack {
        clock: Skipping,
        bank: Arc<Scripted>,
        layers: Retry<Deadline<Slow>>,
    }

    impl Stack {
        fn new(slow: Duration, script: Vec<Result<u16, (Phase, TransportFault)>>) -> Self {
            let clock = Skipping(ManualClock::new(Timestamp::from_millis(0)));
            let bank = Arc::new(Scripted(Mutex::new(script), Mutex::new(0)));
            let timed: Arc<dyn Clock> = Arc::new(clock.clone());
            let inner = Deadline::new(Slow(Arc::clone(&bank), clock.clone(), slow), Arc::clone(&timed));
            Self { clock, bank, layers: Retry::new(inner, timed) }
        }

        async fn send(&self, effect: Effect, send_by: u64) -> Result<u16, (Phase, TransportFault)> {
            let request = request(effect).send_by(Some(Monotonic::from_millis(send_by)));
            let answer = self.layers.send(request).await;
            answer.map(|answer| answer.status).map_err(|error| (error.phase(), error.fault()))
        }

        fn arrived(&self) -> usize {
            *self.bank.1.lock().unwrap()
        }
    }

    const TOO_LATE: Result<u16, (Phase, TransportFault)> = Err((Phase::NeverSent, TransportFault::TooLate));

    #[tokio::test]
    async fn a_write_past_its_deadline_is_never_sent() {
        for effect in [Effect::Write, Effect::Keyed] {
            let stack = Stack::new(Duration::ZERO, vec![Ok(200)]);
            stack.clock.0.advance(Duration::from_secs(5));
            assert_eq!(stack.send(effect, 4_000).await, TOO_LATE);
            assert_eq!(stack.send(effect, 5_000).await, TOO_LATE, "the moment itself is too late");
            assert_eq!((stack.arrived(), stack.clock.monotonic().as_millis()), (0, 5_000), "nobody waits");
            assert_eq!(stack.send(effect, 5_001).await, Ok(200));
        }
        let stack = Stack::new(Duration::ZERO, vec![Ok(200), Ok(200)]);
        stack.clock.0.advance(Duration::from_secs(5));
        assert_eq!(stack.send(Effect::Read, 4_000).await, Ok(200), "a question is never too late");
        assert_eq!(stack.send(Effect::ReadOnce, 4_000).await, Ok(200));
    }

    #[tokio::test]
    async fn the_time_of_day_is_no_deadline() {
        let stack = Stack::new(Duration::ZERO, vec![Ok(200)]);
        stack.clock.0.set_now(Timestamp::from_millis(8 * 3_600_000));
        assert_eq!(stack.send(Effect::Write, 1_000).await, Ok(200));
    }

    #[tokio::test]
    async fn a_slow_login_uses_up_the_time_of_the_write_after_it() {
        let stack = Stack::new(Duration::from_secs(40), vec![Ok(200), Ok(200)]);
        assert_eq!(stack.send(Effect::Read, 30_000).await, Ok(200));
        assert_eq!(stack.send(Effect::Write, 30_000).await, TOO_LATE);
        assert_eq!(stack.arrived(), 1);
    }

    #[tokio::test]
    async fn a_wait_before_a_repeat_uses_up_the_time_of_a_write() {
        // The first wait is 200 ms. It would end too late, so nobody waits.
        let stack = Stack::new(Duration::ZERO, vec![NO_PORT, Ok(200)]);
        assert_eq!(stack.send(Effect::Write, 150).await, NO_PORT);
        assert_eq!((stack.arrived(), stack.clock.monotonic().as_millis()), (1, 0));
        // It ends in time.
        let stack = Stack::new(Duration::ZERO, vec![NO_PORT, Ok(200)]);
        assert_eq!(stack.send(Effect::Write, 201).await, Ok(200));
        // A read waits: it may be repeated at any time.
        let stack = Stack::new(Duration::ZERO, vec![CUT, Ok(200)]);
        assert_eq!(stack.send(Effect::Read, 150).await, Ok(200));
    }

    /// Sleeps longer than it was told to, as a process does that is stopped meanwhile.
    #[derive(Debug)]
    struct Oversleeps(Skipping);

    #[async_trait]
    impl Clock for Oversleeps {
        fn now(&self) -> Timestamp {
            self.0.now()
        }
        fn monotonic(&self) -> Monotonic {
            self.0.monotonic()
        }
        async fn sleep(&self, duration: Duration) {
            self.0.sleep(duration + Duration::from_mins(1)).await;
        }
    }

    #[tokio::test]
    async fn a_process_that_is_stopped_before_a_repeat_sends_it_no_more() {
        for (effect, first, told) in [(Effect::Write, NO_PORT, TOO_LATE), (Effect::Keyed, CUT, CUT)] {
            let Stack { clock, bank, layers } = Stack::new(Duration::ZERO, vec![first, Ok(200)]);
            let layers = Retry::new(layers.inner, Arc::new(Oversleeps(clock.clone())));
            let answer = layers.send(request(effect).send_by(Some(Monotonic::from_millis(30_000)))).await;
            assert_eq!(answer.map(|a| a.status).map_err(|e| (e.phase(), e.fault())), told);
            assert_eq!(*bank.1.lock().unwrap(), 1);
        }
    }

    #[tokio::test]
    async fn one_try_that_may_have_left_is_never_forgotten() {
        let stack = Stack::new(Duration::ZERO, vec![CUT, NO_PORT, NO_PORT]);
        assert_eq!(stack.send(Effect::Keyed, 60_000).await, CUT);
        assert_eq!(stack.arrived(), 3);
        let stack = Stack::new(Duration::ZERO, vec![CUT, NO_PORT, Ok(200)]);
        assert_eq!(stack.send(Effect::Keyed, 60_000).await, Ok(200));
    }
}
