//! An actix request, read as one that Tulbur answers.

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use actix_web::web::Payload;
use tulbur_web::WebRequest;

use crate::unread::Unread;

/// A request with its body, as long as that keeps the limits of size and time.
pub(crate) async fn read(
    request: &HttpRequest,
    path: &str,
    mut payload: Payload,
) -> Result<WebRequest, Unread> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let body = match tulbur_web::read_body(announced, &mut payload).await {
        Ok(body) => body,
        Err(answer) => return Err(Unread { answer, payload }),
    };
    Ok(WebRequest {
        method: request.method().as_str().to_owned(),
        path: path.to_owned(),
        query: request.uri().query().map(str::to_owned),
        headers: texts(request.headers()),
        body,
        peer: request.peer_addr().map(|peer| peer.ip()),
    })
}

pub(crate) fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}
