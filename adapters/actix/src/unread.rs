//! An answer to a body that was not read to its end.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Payload;
use tulbur_core::Bytes;
use tulbur_web::WebResponse;

use crate::response::respond;

/// An answer that ends its connection, because what the sender still sends is not read.
///
/// It takes the payload along: a chunked payload that is dropped before the answer is out makes actix read it to its
/// end, however long that is.
pub(crate) struct Unread {
    pub(crate) answer: WebResponse,
    pub(crate) payload: Payload,
}

impl Unread {
    pub(crate) fn respond(self) -> HttpResponse {
        respond(self.answer).map_body(|_, body| match body.try_into_bytes() {
            Ok(text) => Held { text, _payload: self.payload }.boxed(),
            Err(body) => body,
        })
    }
}

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unread").field("answer", &self.answer).finish_non_exhaustive()
    }
}

/// A body that keeps the request's payload until it is sent.
struct Held {
    text: Bytes,
    _payload: Payload,
}

impl MessageBody for Held {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(u64::try_from(self.text.len()).unwrap_or(u64::MAX))
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let text = std::mem::take(&mut self.text);
        Poll::Ready((!text.is_empty()).then_some(Ok(text)))
    }
}
