//! Plays the other side from a script, for a provider's own tests: what was sent is kept, what is answered is given.

use std::collections::VecDeque;
use std::error::Error as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tulbur_core::{Error, HttpRequest, HttpResponse, HttpTransport, TransportError, async_trait};

/// One answer of a [`Script`]: a whole answer, or none.
pub type Scripted = Result<HttpResponse, TransportError>;

/// A transport that answers from a script, in the order in which the answers were given to it.
///
/// It is for tests of what a provider sends and what it makes of each answer. A request for which there is no answer
/// ends the test.
///
/// ```
/// use tulbur_conformance::Script;
/// use tulbur_core::{Effect, HttpRequest, HttpResponse, HttpTransport, Method, Url};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let bank = Script::default();
/// bank.then(Ok(HttpResponse::new(200, vec![], "{}")));
/// let url = Url::parse("https://bank.example/invoice").unwrap();
/// let answer = bank.send(HttpRequest::new("query", Effect::Read, Method::Get, url)).await.unwrap();
/// assert_eq!((answer.status, bank.one().operation), (200, "query"));
/// # });
/// ```
#[derive(Debug, Default)]
pub struct Script {
    answers: Mutex<VecDeque<Scripted>>,
    sent: Mutex<Vec<HttpRequest>>,
}

impl Script {
    /// Answers so the first request that has no answer yet.
    pub fn then(&self, answer: Scripted) -> &Self {
        locked(&self.answers).push_back(answer);
        self
    }

    /// What was sent since this was last called.
    pub fn sent(&self) -> Vec<HttpRequest> {
        std::mem::take(&mut locked(&self.sent))
    }

    /// The one request that was sent since then. It is a failure of the test when there are more, or none.
    pub fn one(&self) -> HttpRequest {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "exactly one request is sent");
        sent.remove(0)
    }

    /// How many answers are left.
    pub fn left(&self) -> usize {
        locked(&self.answers).len()
    }
}

#[async_trait]
impl HttpTransport for Script {
    async fn send(&self, request: HttpRequest) -> Scripted {
        locked(&self.sent).push(request);
        locked(&self.answers).pop_front().expect("the script has an answer for every request")
    }
}

/// What a script holds is whole after each line that has it, so that a failed test leaves nothing half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything that an error shows anywhere, with its causes: what a test looks through for secrets.
pub fn printed(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text} {cause} {cause:?}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use tulbur_core::{Effect, ErrorKind, Method, Phase, TransportFault, Url};

    use super::*;

    fn request(operation: &'static str) -> HttpRequest {
        HttpRequest::new(operation, Effect::Read, Method::Get, Url::parse("https://bank.example").unwrap())
    }

    #[tokio::test]
    async fn answers_come_in_their_order_and_requests_are_kept() {
        let script = Script::default();
        let lost = TransportError::new(Phase::MayHaveBeenSent, TransportFault::Cut, "scripted");
        script.then(Ok(HttpResponse::new(200, vec![], "a"))).then(Err(lost));
        assert_eq!(script.send(request("first")).await.unwrap().body, "a");
        assert_eq!(script.left(), 1);
        assert!(script.send(request("second")).await.is_err());
        let sent: Vec<_> = script.sent().iter().map(|request| request.operation).collect();
        assert_eq!(sent, ["first", "second"]);
        assert!(script.sent().is_empty() && script.left() == 0);
    }

    #[test]
    fn an_error_is_printed_with_its_causes() {
        let cause = Error::new(ErrorKind::Malformed, "the cause");
        let text = printed(&Error::new(ErrorKind::Unavailable, "the error").with_source(cause));
        assert!(text.contains("the error") && text.contains("the cause"), "{text}");
    }
}
