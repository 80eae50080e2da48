//! Standing still at a named point, so that a test kills the process exactly there.

use std::sync::Arc;

use tulbur::core::{Effect, HttpRequest, HttpResponse, HttpTransport, TransportError, async_trait};
use tulbur::payments::{Point, Probe};

use crate::Result;

/// The provider has done what it was asked, and nobody here has seen its answer.
const SENT: &str = "sent";

/// Stops the process's work at one point; does nothing if there is none.
#[derive(Debug, Clone)]
pub(crate) struct Stop(Option<Arc<str>>);

impl Stop {
    /// At the point of this name.
    pub(crate) fn at(point: Option<&str>) -> Result<Self> {
        let known = |name: &str| name == SENT || Point::ALL.iter().any(|point| point.as_str() == name);
        match point {
            Some(name) if !known(name) => {
                let names: Vec<&str> = Point::ALL.iter().map(|point| point.as_str()).chain([SENT]).collect();
                Err(format!("there is no point `{name}`; there are {}", names.join(", ")).into())
            }
            point => Ok(Self(point.map(Arc::from))),
        }
    }

    #[expect(clippy::print_stdout, reason = "the test waits for this line")]
    fn here(&self, name: &str) {
        if self.0.as_deref() == Some(name) {
            println!("stopped at {name}");
            loop {
                std::thread::park();
            }
        }
    }
}

impl Probe for Stop {
    fn reached(&self, point: Point) {
        self.here(point.as_str());
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
