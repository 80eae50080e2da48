//! An axum request, read as one that Tulbur answers.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, HeaderValue};
use tulbur_web::{WebRequest, WebResponse};

/// A request with its body, as long as that keeps the limits of size and time.
pub(crate) async fn read(request: Request) -> Result<WebRequest, WebResponse> {
    let (head, body) = request.into_parts();
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let body = tulbur_web::read_body(announced, body.into_data_stream()).await?;
    Ok(WebRequest {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: texts(&head.headers),
        body,
        peer: head.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip()),
    })
}

pub(crate) fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}
