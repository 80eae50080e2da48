//! Tulbur's answer, as actix sends it.

use std::convert::Infallible;

use actix_web::HttpResponse;
use actix_web::body::BodyStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use futures_util::StreamExt;
use tulbur_web::{Body, WebResponse};

pub(crate) fn respond(answer: WebResponse) -> HttpResponse {
    // A provider's acknowledgement may name any status; one that HTTP does not have must not become a success.
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match answer.body {
        Body::Full(bytes) => HttpResponse::with_body(status, bytes).map_into_boxed_body(),
        Body::Stream(stream) => {
            let stream = BodyStream::new(stream.map(Ok::<_, Infallible>));
            HttpResponse::with_body(status, stream).map_into_boxed_body()
        }
    };
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}
