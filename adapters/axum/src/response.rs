//! Tulbur's answer, as axum sends it.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::StreamExt;
use tulbur_web::WebResponse;

pub(crate) fn respond(answer: WebResponse) -> Response {
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
