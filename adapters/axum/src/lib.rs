//! Mounts Tulbur's web handlers on axum.
//!
//! ```no_run
//! # async fn mount(payments: tulbur_payments::Payments) -> std::io::Result<()> {
//! use tulbur_web::{Web, WebSettings};
//!
//! // `payments` was given the public address `https://shop.mn/tulbur/`.
//! let web = Web::new(payments, WebSettings::default().shop("Shop"));
//! let app = axum::Router::new().nest("/tulbur", tulbur_axum::router(web.clone()));
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! axum::serve(listener, app)
//!     .with_graceful_shutdown(async move {
//!         tokio::signal::ctrl_c().await.ok();
//!         // Otherwise the server waits until everybody has closed their page.
//!         web.end_streams();
//!     })
//!     .await
//! # }
//! ```

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::any;
use futures_util::StreamExt;
use tulbur_core::Bytes;
use tulbur_web::{Web, WebRequest, WebResponse};

/// How much of a body that is too long is read and thrown away, so that its sender comes to read the answer
/// instead of finding the connection cut.
const DISCARD: usize = 4 * 1024 * 1024;

/// The payers' pages and the providers' routes, to be nested where the public address points, or merged if that is
/// the root.
///
/// It has routes for [`Web::ROOMS`] and no fallback: what else lies below the mount stays the application's.
/// The body limit is its own; axum's default limit does not matter.
pub fn router(web: Web) -> Router {
    let routes = Web::ROOMS
        .iter()
        .fold(Router::new(), |router, room| router.route(&format!("/{room}/{{*rest}}"), any(handle)));
    routes.with_state(web)
}

async fn handle(State(web): State<Web>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let answer = match read(&head.headers, body).await {
        Ok(body) => {
            let request = WebRequest {
                method: head.method.as_str().to_owned(),
                path: head.uri.path().to_owned(),
                query: head.uri.query().map(str::to_owned),
                headers: headers(&head.headers),
                body,
            };
            web.handle(request).await
        }
        Err(answer) => answer,
    };
    respond(answer)
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// The body, as long as it keeps the limits of size and time.
async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, WebResponse> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let mut stream = body.into_data_stream();
    let reading = collect(&mut stream, announced.unwrap_or(0));
    let answer = match tokio::time::timeout(Web::BODY_TIMEOUT, reading).await {
        Ok(Ok(body)) => return Ok(body),
        Ok(Err(Unread::TooLong(read))) => {
            // Bounded by size here and by time there.
            drop(tokio::time::timeout(Web::BODY_TIMEOUT, discard(&mut stream, DISCARD - read)).await);
            WebResponse::body_too_large()
        }
        Ok(Err(Unread::Cut)) => WebResponse::body_unreadable(),
        Err(_) => WebResponse::body_too_slow(),
    };
    Err(answer)
}

enum Unread {
    /// After so many bytes.
    TooLong(usize),
    Cut,
}

async fn collect(stream: &mut BodyDataStream, announced: usize) -> Result<Bytes, Unread> {
    if announced > Web::BODY_LIMIT {
        return Err(Unread::TooLong(0));
    }
    let mut body = Vec::with_capacity(announced);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Unread::Cut)?;
        if body.len() + chunk.len() > Web::BODY_LIMIT {
            return Err(Unread::TooLong((body.len() + chunk.len()).min(DISCARD)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

async fn discard(stream: &mut BodyDataStream, most: usize) {
    let mut left = most;
    while let Some(Ok(chunk)) = stream.next().await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn respond(answer: WebResponse) -> Response {
    let body = match answer.body {
        tulbur_web::Body::Full(bytes) => Body::from(bytes),
        tulbur_web::Body::Stream(stream) => Body::from_stream(stream.map(Ok::<_, Infallible>)),
    };
    let mut response = Response::new(body);
    // A provider's acknowledgement may name any status; one that HTTP does not have must not become a success.
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    async fn answered(body: Body, announced: Option<usize>) -> Result<Bytes, u16> {
        let mut headers = HeaderMap::new();
        if let Some(length) = announced {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        read(&headers, body).await.map_err(|answer| answer.status)
    }

    fn chunks(size: usize, count: usize) -> Body {
        Body::from_stream(stream::iter(vec![Ok::<_, Infallible>(Bytes::from(vec![0; size])); count]))
    }

    #[tokio::test]
    async fn the_limit_holds_whatever_is_announced() {
        let limit = Web::BODY_LIMIT;
        assert_eq!(answered(chunks(limit, 1), Some(limit)).await.unwrap().len(), limit);
        assert_eq!(answered(chunks(limit / 16, 16), None).await.unwrap().len(), limit);
        assert_eq!(answered(chunks(limit / 16, 17), None).await, Err(413));
        assert_eq!(answered(chunks(1, 1), Some(limit + 1)).await, Err(413));
        assert_eq!(answered(chunks(limit + 1, 1), Some(1)).await, Err(413));
        assert_eq!(answered(chunks(1024, 1_000_000), None).await, Err(413));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let silent = || Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        assert_eq!(answered(silent(), None).await, Err(408));
        assert_eq!(answered(silent(), Some(Web::BODY_LIMIT + 1)).await, Err(413));
    }

    #[tokio::test]
    async fn a_body_that_breaks_is_not_taken() {
        let broken = stream::iter([Ok(Bytes::from_static(b"{}")), Err(std::io::Error::other("cut"))]);
        assert_eq!(answered(Body::from_stream(broken), None).await, Err(400));
    }
}
