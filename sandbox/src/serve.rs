//! The accept loop. It is ours and not a framework's because a handler must be able to really cut its connection,
//! and because dropping the sandbox must end everything at once, as killing its process does.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long a running request may still take when the sandbox is asked to stop.
const FAREWELL: Duration = Duration::from_secs(2);

/// Ends the connection without an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was cut on order")
    }
}

impl std::error::Error for Cut {}

impl From<Infallible> for Cut {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Serves until `stop` changes, then lets running requests finish for a moment. Dropped, it ends at once.
pub(crate) async fn serve<H, F>(listener: TcpListener, handler: H, mut stop: watch::Receiver<bool>)
where
    H: Fn(Request<Body>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Body>, Cut>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection(stream, peer, handler.clone(), stop.clone()));
                }
                Err(error) => {
                    // Out of file descriptors or a peer that left already: neither ends the service.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = stop.changed() => break,
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(FAREWELL, finished).await.is_err() {
        connections.abort_all();
    }
}

async fn connection<H, F>(stream: TcpStream, peer: SocketAddr, handler: H, mut stop: watch::Receiver<bool>)
where
    H: Fn(Request<Body>) -> F + Send + 'static,
    F: Future<Output = Result<Response<Body>, Cut>> + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| handler(request.map(Body::new)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(30))
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stop.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}
