//! Reading a request's body within its limits, whichever framework it comes from.

use futures_util::{Stream, StreamExt};
use tulbur_core::Bytes;

use crate::http::{BODY_LIMIT, BODY_TIMEOUT, WebResponse};

/// How much of a body that is too long is read and thrown away, so that its sender comes to read the answer
/// instead of finding the connection cut.
const DISCARD: usize = 4 * 1024 * 1024;

/// Reads a body up to [`Web::BODY_LIMIT`](crate::Web::BODY_LIMIT) and no longer than [`Web::BODY_TIMEOUT`](crate::Web::BODY_TIMEOUT). For
/// adapters.
///
/// `content_length` is the text of that header, where there is one; what it says is not relied on.
///
/// # Errors
/// The answer to a body that is too long, too slow or cut off.
pub async fn read_body<S, E>(content_length: Option<&str>, body: S) -> Result<Bytes, WebResponse>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    let mut body = body;
    let announced = content_length.and_then(|length| length.parse().ok()).unwrap_or(0);
    let answer = match tokio::time::timeout(BODY_TIMEOUT, collect(&mut body, announced)).await {
        Ok(Ok(body)) => return Ok(body),
        Ok(Err(Unread::TooLong(read))) => {
            // Bounded by size here and by time there.
            drop(tokio::time::timeout(BODY_TIMEOUT, discard(&mut body, DISCARD - read)).await);
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

async fn collect<S, E>(stream: &mut S, announced: usize) -> Result<Bytes, Unread>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    if announced > BODY_LIMIT {
        return Err(Unread::TooLong(0));
    }
    let mut body = Vec::with_capacity(announced);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Unread::Cut)?;
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(Unread::TooLong((body.len() + chunk.len()).min(DISCARD)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

async fn discard<S, E>(stream: &mut S, most: usize)
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    let mut left = most;
    while let Some(Ok(chunk)) = stream.next().await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    async fn answered<E>(
        body: impl Stream<Item = Result<Bytes, E>> + Unpin,
        announced: Option<usize>,
    ) -> Result<Bytes, u16> {
        let announced = announced.map(|length| length.to_string());
        read_body(announced.as_deref(), body).await.map_err(|answer| answer.status)
    }

    fn chunks(size: usize, count: usize) -> impl Stream<Item = Result<Bytes, Infallible>> + Unpin {
        stream::iter(vec![Ok(Bytes::from(vec![0; size])); count])
    }

    #[tokio::test]
    async fn the_limit_holds_whatever_is_announced() {
        let limit = BODY_LIMIT;
        assert_eq!(answered(chunks(limit, 1), Some(limit)).await.unwrap().len(), limit);
        assert_eq!(answered(chunks(limit / 16, 16), None).await.unwrap().len(), limit);
        assert_eq!(answered(chunks(limit / 16, 17), None).await, Err(413));
        assert_eq!(answered(chunks(1, 1), Some(limit + 1)).await, Err(413));
        assert_eq!(answered(chunks(limit + 1, 1), Some(1)).await, Err(413));
        assert_eq!(answered(chunks(1024, 1_000_000), None).await, Err(413));
    }

    #[tokio::test]
    async fn an_announcement_that_is_no_number_is_as_if_there_were_none() {
        for announced in ["", "-1", "1e9", "99999999999999999999999"] {
            let read = read_body(Some(announced), chunks(1, 1)).await;
            assert_eq!(read.map(|body| body.len()).map_err(|answer| answer.status), Ok(1), "{announced}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let silent = || stream::pending::<Result<Bytes, Infallible>>();
        assert_eq!(answered(silent(), None).await, Err(408));
        assert_eq!(answered(silent(), Some(BODY_LIMIT + 1)).await, Err(413));
    }

    #[tokio::test]
    async fn a_body_that_breaks_is_not_taken() {
        let broken = stream::iter([Ok(Bytes::from_static(b"{}")), Err("cut")]);
        assert_eq!(answered(broken, None).await, Err(400));
    }
}
