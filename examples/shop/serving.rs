//! Serves an axum router, and closes connections on which a request's head does not come: `axum::serve` waits for it without
//! end, so that a few thousand connections that trickle hold all that a process may open.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

/// A head is sent in one piece; so long the slowest phone takes.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// So long accepting waits when the process has no more connections to give.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stopping` ends. Answers that have begun are finished.
pub(crate) async fn serve(listener: TcpListener, app: Router, stopping: impl Future<Output = ()>) {
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stopping = std::pin::pin!(stopping);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let app = app.clone().layer(axum::Extension(ConnectInfo(peer)));
                    connections.spawn(connection(stream, app, stopped.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = stopping.as_mut() => break,
        }
    }
    drop(listener);
    stop.send_replace(true);
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, app: Router, mut stop: watch::Receiver<bool>) {
    let service = service_fn(move |request: Request<Incoming>| app.clone().oneshot(request.map(Body::new)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = async { drop(stop.wait_for(|stop| *stop).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_head_that_trickles_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/", get(|| async { "here" }));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stopping = async move { drop(stopped.await) };
        let server = tokio::spawn(serve(listener, app, stopping));
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await.unwrap();
        let mut quick = TcpStream::connect(address).await.unwrap();
        quick.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        quick.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
        let (began, mut rest) = (Instant::now(), Vec::new());
        let closed = async {
            loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                if slow.write_all(b"x").await.is_err() || matches!(slow.try_read_buf(&mut rest), Ok(0)) {
                    return;
                }
            }
        };
        tokio::time::timeout(HEAD_WITHIN * 3, closed).await.expect("it is closed");
        assert!(began.elapsed() + Duration::from_secs(2) >= HEAD_WITHIN, "a slow phone has its time");
        stop.send(()).unwrap();
        tokio::time::timeout(HEAD_WITHIN, server).await.expect("it stops").unwrap();
    }
}
