//! The transport that the provider is given: it counts, remembers, and lets things go wrong.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tulbur_core::layers::Timeout;
use tulbur_core::{Clock, Effect, HttpRequest, HttpResponse, HttpTransport, TransportError, async_trait};

/// One request that left the provider, repetitions included.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) operation: &'static str,
    pub(crate) effect: Effect,
    pub(crate) path: String,
    /// What came back, if anything.
    pub(crate) answer: Option<HttpResponse>,
}

type Rewrite = Arc<dyn Fn(HttpResponse) -> HttpResponse + Send + Sync>;

/// What happens to a request.
#[derive(Clone)]
pub(crate) enum Trouble {
    /// It goes to this address instead.
    Divert(SocketAddr),
    /// It goes to this address, where nobody answers; patience ends soon.
    Slow(SocketAddr),
    /// It is carried out, and its answer comes back changed.
    Rewrite(Rewrite),
}

impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Divert(to) => write!(f, "Divert({to})"),
            Self::Slow(to) => write!(f, "Slow({to})"),
            Self::Rewrite(_) => f.write_str("Rewrite"),
        }
    }
}

#[derive(Debug, Clone)]
struct Plan {
    operation: &'static str,
    trouble: Trouble,
    /// How often it still strikes.
    times: usize,
}

#[derive(Debug)]
struct State {
    plan: Option<Plan>,
    /// Answers that are played back, by the operation that they answer.
    played: Vec<(&'static str, HttpResponse)>,
    seen: Vec<Seen>,
}

/// The wire.
#[derive(Debug)]
pub(crate) struct Wire {
    base: Arc<dyn HttpTransport>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

/// How long an answer may take that is meant to be too late.
const PATIENCE: Duration = Duration::from_millis(300);

impl Wire {
    pub(crate) fn new(base: Arc<dyn HttpTransport>, clock: Arc<dyn Clock>) -> Self {
        Self { base, clock, state: Mutex::new(State { plan: None, played: Vec::new(), seen: Vec::new() }) }
    }

    /// Lets the next requests of an operation go wrong, so often.
    pub(crate) fn plan(&self, operation: &'static str, trouble: Trouble, times: usize) {
        self.lock().plan = Some(Plan { operation, trouble, times });
    }

    /// Answers the requests of these operations so, until [`Self::heal`]. They are carried out all the same.
    pub(crate) fn play(&self, answers: Vec<(&'static str, HttpResponse)>) {
        self.lock().played = answers;
    }

    /// Everything goes well again.
    pub(crate) fn heal(&self) {
        let mut state = self.lock();
        state.plan = None;
        state.played.clear();
    }

    /// Forgets what was seen, and what was planned.
    pub(crate) fn reset(&self) {
        let mut state = self.lock();
        state.plan = None;
        state.played.clear();
        state.seen.clear();
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    /// How many requests of an operation left.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.lock().seen.iter().filter(|seen| seen.operation == operation).count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the request, and says what happens to it.
    fn enter(&self, request: &HttpRequest) -> (usize, Option<Trouble>) {
        let mut state = self.lock();
        state.seen.push(Seen {
            operation: request.operation,
            effect: request.effect,
            path: request.url.path().to_owned(),
            answer: None,
        });
        let at = state.seen.len() - 1;
        let trouble = match &mut state.plan {
            Some(plan) if plan.operation == request.operation && plan.times > 0 => {
                plan.times -= 1;
                Some(plan.trouble.clone())
            }
            _ => None,
        };
        let played = state.played.iter().find(|(operation, _)| *operation == request.operation);
        let trouble = trouble.or_else(|| {
            played.map(|(_, answer)| {
                let answer = answer.clone();
                Trouble::Rewrite(Arc::new(move |_| answer.clone()))
            })
        });
        (at, trouble)
    }
}

fn divert(mut request: HttpRequest, to: SocketAddr) -> HttpRequest {
    let fits = "an address with a host takes plain http, a loopback address and a port";
    request.url.set_scheme("http").expect(fits);
    request.url.set_ip_host(to.ip()).expect(fits);
    request.url.set_port(Some(to.port())).expect(fits);
    request
}

#[async_trait]
impl HttpTransport for Wire {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let (at, trouble) = self.enter(&request);
        let result = match trouble {
            None => self.base.send(request).await,
            Some(Trouble::Divert(to)) => self.base.send(divert(request, to)).await,
            Some(Trouble::Slow(to)) => {
                let timed = Timeout::new(Arc::clone(&self.base), Arc::clone(&self.clock), PATIENCE);
                timed.send(divert(request, to)).await
            }
            Some(Trouble::Rewrite(rewrite)) => self.base.send(request).await.map(|answer| rewrite(answer)),
        };
        if let Ok(answer) = &result
            && let Some(seen) = self.lock().seen.get_mut(at)
        {
            seen.answer = Some(answer.clone());
        }
        result
    }
}
