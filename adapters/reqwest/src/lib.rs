//! The network and the clock that Tulbur's providers are given, on [`reqwest`] and tokio.
//!
//! This is the only crate that knows reqwest. [`standard_env`] is what most applications pass to a registry:
//!
//! ```
//! let env = tulbur_reqwest::standard_env()?;
//! # Ok::<(), tulbur_core::Error>(())
//! ```
//!
//! What the transport promises beyond [`HttpTransport`]:
//!
//! * `https` only; plain `http` reaches this machine and nothing else, and `localhost` is never looked up.
//! * Certificates are checked against the system's roots, and those given to the [builder](ReqwestTransportBuilder).
//! * No redirect is followed, no cookie kept, no proxy taken from the environment, no referrer sent.
//! * An answer larger than the limit is cut off while it arrives.
//! * HTTP/1.1: one request per connection at a time, so a connection that dies leaves one outcome open, not many.
//! * A request is handed to the network once. See [`ReqwestTransport`] for what that means with pooled connections.
//! * No error, `Debug` or source names an address's path or query, a header, or a body.

mod clock;
mod fault;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use tulbur_core::layers::{Deadline, Metrics, Retry, Timeout, Tracing};
use tulbur_core::{BuildEnv, Clock, HttpTransport, RandomIds, Result};

pub use clock::TokioClock;
pub use transport::{ReqwestTransport, ReqwestTransportBuilder};

/// The ports as production uses them: this transport with default limits, tokio's clock, the system's randomness.
///
/// # Errors
/// As [`ReqwestTransportBuilder::build`].
pub fn standard_env() -> Result<BuildEnv> {
    Ok(env_with(ReqwestTransport::builder().build()?))
}

/// As [`standard_env`], with a transport of one's own limits.
///
/// From the outside in: a repeat where it is safe, then metrics and a span for every try, then for each try the
/// deadline of a write and a timeout. The transport's own timeout comes first, because it knows whether a connection
/// was made; the outer one only holds should that ever fail.
pub fn env_with(transport: ReqwestTransport) -> BuildEnv {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock);
    let limit = transport.timeout() + Duration::from_secs(1);
    let timed = Timeout::new(transport, clock.clone(), limit);
    let in_time = Deadline::new(timed, clock.clone());
    let watched = Metrics::new(Tracing::new(in_time), clock.clone());
    let repeated: Arc<dyn HttpTransport> = Arc::new(Retry::new(watched, clock.clone()));
    BuildEnv::new(repeated, clock, Arc::new(RandomIds))
}
