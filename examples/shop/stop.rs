//! Testing aids of the shop: it waits at a named point, to be killed or stopped exactly there; and its clock is
//! wrong.

use std::sync::Arc;
use std::time::Duration;

use tulbur::core::{
    Clock, Effect, HttpRequest, HttpResponse, HttpTransport, Monotonic, Timestamp, TransportError,
    async_trait,
};
use tulbur::payments::{Point, Probe};

use crate::Result;

/// The provider has done what it was asked, and nobody here has seen its answer.
const SENT: &str = "sent";

/// The points of a write, between its reservation and the commit of its answer.
const OF_WRITES: [Point; 6] = [
    Point::Reserved,
    Point::BeforeSend,
    Point::Answered,
    Point::OperationReserved,
    Point::OperationBeforeSend,
    Point::OperationAnswered,
];

/// Stops the process's work at one point, and dwells at those of writes; does nothing if it is to do neither.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    at: Option<Arc<str>>,
    dwell: Option<Duration>,
}

impl Stop {
    /// At the point of this name.
    pub(crate) fn at(point: Option<&str>) -> Result<Self> {
        let known = |name: &str| name == SENT || Point::ALL.iter().any(|point| point.as_str() == name);
        match point {
            Some(name) if !known(name) => {
                let names: Vec<&str> = Point::ALL.iter().map(|point| point.as_str()).chain([SENT]).collect();
                Err(format!("there is no point `{name}`; there are {}", names.join(", ")).into())
            }
            point => Ok(Self { at: point.map(Arc::from), dwell: None }),
        }
    }

    /// Dwells for so long at each point of each write, and says so, so that a test can stop the process there.
    pub(crate) fn dwelling(self, dwell: Option<Duration>) -> Self {
        Self { dwell, ..self }
    }

    #[expect(clippy::print_stdout, reason = "the test waits for this line")]
    fn here(&self, name: &str) {
        if self.at.as_deref() == Some(name) {
            println!("stopped at {name}");
            loop {
                std::thread::park();
            }
        }
    }
}

impl Probe for Stop {
    #[expect(clippy::print_stdout, reason = "the test reads these lines")]
    fn reached(&self, point: Point) {
        self.here(point.as_str());
        if let Some(dwell) = self.dwell.filter(|_| OF_WRITES.contains(&point)) {
            println!("at {point}", point = point.as_str());
            std::thread::sleep(dwell);
            println!("past {point}", point = point.as_str());
        }
    }
}

/// A transport that stands still between a write and its answer.
#[derive(Debug)]
pub(crate) struct StopAtSent {
    inner: Arc<dyn HttpTransport>,
    stop: Stop,
}

impl StopAtSent {
    pub(crate) fn new(inner: Arc<dyn HttpTransport>, stop: Stop) -> Self {
        Self { inner, stop }
    }
}

#[async_trait]
impl HttpTransport for StopAtSent {
    async fn send(&self, request: HttpRequest) -> std::result::Result<HttpResponse, TransportError> {
        let writes = request.effect == Effect::Write;
        let answer = self.inner.send(request).await;
        if writes {
            self.stop.here(SENT);
        }
        answer
    }
}

/// A clock whose time of day is wrong. Time passes as it does.
#[derive(Debug)]
pub(crate) struct WrongClock {
    right: Arc<dyn Clock>,
    ahead: Duration,
}

impl WrongClock {
    pub(crate) fn new(right: Arc<dyn Clock>, ahead: Duration) -> Self {
        Self { right, ahead }
    }
}

#[async_trait]
impl Clock for WrongClock {
    fn now(&self) -> Timestamp {
        self.right.now().after(self.ahead)
    }

    fn monotonic(&self) -> Monotonic {
        self.right.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        self.right.sleep(duration).await;
    }
}
