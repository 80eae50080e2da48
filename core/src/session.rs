//! Shares one login of an account between many tasks, for providers whose calls need a session.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use crate::clock::{Clock, Monotonic};
use crate::error::{Error, ErrorKind, Result};
use crate::outcome::Outcome;

/// Logs in at a provider. A login changes nothing about money, so it may be repeated.
#[async_trait]
pub trait Login: Send + Sync + 'static {
    /// The token that calls carry, with all that a renewal needs.
    type Token: Clone + Send + Sync + 'static;

    /// Logs in, or renews `last` where the provider has a cheaper way for that.
    ///
    /// # Errors
    /// The provider's. Every call that waits for this login gets it.
    async fn login(&self, last: Option<&Self::Token>) -> Result<Ticket<Self::Token>>;
}

/// A login's result. `Debug` hides the token.
#[derive(Clone)]
pub struct Ticket<T> {
    token: T,
    good_for: Option<Duration>,
}

impl<T> Ticket<T> {
    /// A token that is good until the provider answers 401.
    pub fn new(token: T) -> Self {
        Self { token, good_for: None }
    }

    /// A token that is good for so long from now. Take off a margin for the clocks and the way.
    #[must_use]
    pub fn good_for(mut self, duration: Duration) -> Self {
        self.good_for = Some(duration);
        self
    }
}

impl<T> fmt::Debug for Ticket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("good_for", &self.good_for).finish_non_exhaustive()
    }
}

/// One login of an account, shared by all its calls.
///
/// * Many calls at once make one login. A call that goes away while it logs in takes nothing from the others.
/// * A call that the provider does not accept (401) renews the login once and is made once more, also a write: a 401 is
///   proof of no effect. Calls that were refused at the same time share one renewal.
/// * There is no further try, and no background task.
///
/// `Debug` shows no token.
pub struct Session<L: Login> {
    inner: Arc<Inner<L>>,
}

struct Inner<L: Login> {
    login: L,
    clock: Arc<dyn Clock>,
    state: Mutex<State<L::Token>>,
}

struct State<T: Clone> {
    current: Option<Current<T>>,
    logins: u64,
    running: Option<WeakShared<LoggingIn<T>>>,
}

/// A login's token, and the number of the login that brought it.
#[derive(Clone)]
struct Current<T> {
    number: u64,
    token: T,
    good_until: Option<Monotonic>,
}

type LoggingIn<T> = BoxFuture<'static, Result<Current<T>, Arc<Error>>>;

impl<L: Login> Session<L> {
    /// A session without a login; the first call makes it.
    pub fn new(login: L, clock: Arc<dyn Clock>) -> Self {
        let state = Mutex::new(State { current: None, logins: 0, running: None });
        Self { inner: Arc::new(Inner { login, clock, state }) }
    }

    /// Makes a call with the account's token.
    ///
    /// `call` is used twice at the most: again only after an error of [`ErrorKind::Unauthorized`] whose outcome is not
    /// unknown.
    ///
    /// # Errors
    /// The call's, or the login's with [`Outcome::NoEffect`]: without a token nothing was sent.
    pub async fn call<R, F>(&self, call: impl Fn(L::Token) -> F + Send + Sync) -> Result<R>
    where
        F: Future<Output = Result<R>> + Send,
    {
        let first = self.token(None).await?;
        match call(first.token).await {
            Err(error) if error.kind() == ErrorKind::Unauthorized && error.outcome() != Outcome::Unknown => {
                let second = self.token(Some(first.number)).await?;
                call(second.token).await
            }
            result => result,
        }
    }

    /// The token of the present login; or of a new one, if there is none, it is over, or the `refused` one is present.
    async fn token(&self, refused: Option<u64>) -> Result<Current<L::Token>> {
        let login = {
            let mut state = self.inner.state();
            let now = self.inner.clock.monotonic();
            if let Some(current) = &state.current
                && refused.is_none_or(|refused| current.number > refused)
                && current.good_until.is_none_or(|end| now < end)
            {
                return Ok(current.clone());
            }
            match state.running.as_ref().and_then(WeakShared::upgrade) {
                Some(running) => running,
                None => self.begin(&mut state),
            }
        };
        login.await.map_err(|error| {
            Error::new(error.kind(), format!("the login failed: {}", error.message()))
                .with_answer(error.code(), error.text())
                .with_source(error)
        })
    }

    fn begin(&self, state: &mut State<L::Token>) -> Shared<LoggingIn<L::Token>> {
        state.logins += 1;
        let login = Arc::clone(&self.inner).log_in(state.logins, state.current.clone());
        let login = login.boxed().shared();
        state.running = login.downgrade();
        login
    }
}

impl<L: Login> Inner<L> {
    /// No code that holds this lock can panic in between, so that what it guards is always whole.
    fn state(&self) -> MutexGuard<'_, State<L::Token>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn log_in(
        self: Arc<Self>,
        number: u64,
        last: Option<Current<L::Token>>,
    ) -> Result<Current<L::Token>, Arc<Error>> {
        let asked = self.clock.monotonic();
        let login = self.login.login(last.as_ref().map(|last| &last.token));
        let result = AssertUnwindSafe(login).catch_unwind().await;
        let result = result.unwrap_or_else(|_| Err(Error::new(ErrorKind::Unavailable, "the login panicked")));
        let mut state = self.state();
        // The next call starts a new login, or finds the token.
        state.running = None;
        match result {
            Ok(ticket) => {
                // Counted from before the request: the provider's clock began at some time after it.
                let good_until = ticket.good_for.map(|duration| asked.after(duration));
                let current = Current { number, token: ticket.token, good_until };
                state.current = Some(current.clone());
                Ok(current)
            }
            Err(error) => Err(Arc::new(error)),
        }
    }
}

impl<L: Login> fmt::Debug for Session<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.inner.state();
        f.debug_struct("Session")
            .field("logged_in", &state.current.is_some())
            .field("logins", &state.logins)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::clock::{ManualClock, Timestamp};

    /// A provider whose logins wait for permission, and are numbered.
    struct Bank {
        logins: AtomicU32,
        gate: Semaphore,
        fails: AtomicU32,
        last: Mutex<Option<u32>>,
    }

    #[async_trait]
    impl Login for Arc<Bank> {
        type Token = u32;

        async fn login(&self, last: Option<&u32>) -> Result<Ticket<u32>> {
            self.gate.acquire().await.unwrap().forget();
            *self.last.lock().unwrap() = last.copied();
            match self.fails.swap(0, Ordering::SeqCst) {
                1 => return Err(Error::new(ErrorKind::Unauthorized, "wrong password")),
                2 => panic!("as an author's mistake would"),
                _ => {}
            }
            let number = self.logins.fetch_add(1, Ordering::SeqCst) + 1;
            Ok(Ticket::new(number).good_for(Duration::from_mins(1)))
        }
    }

    fn session(permits: usize) -> (Arc<Session<Arc<Bank>>>, Arc<Bank>, ManualClock) {
        let bank = Arc::new(Bank {
            logins: AtomicU32::new(0),
            gate: Semaphore::new(permits),
            fails: AtomicU32::new(0),
            last: Mutex::new(None),
        });
        let clock = ManualClock::new(Timestamp::from_millis(0));
        let session = Session::new(Arc::clone(&bank), Arc::new(clock.clone()));
        (Arc::new(session), bank, clock)
    }

    fn unauthorized() -> Error {
        Error::new(ErrorKind::Unauthorized, "401")
    }

    async fn token(session: &Session<Arc<Bank>>) -> Result<u32> {
        session.call(|token| async move { Ok(token) }).await
    }

    #[tokio::test]
    async fn a_hundred_calls_make_one_login() {
        let (session, bank, _) = session(1);
        let calls = (0..100).map(|_| token(&session));
        assert!(join_all(calls).await.into_iter().all(|token| token.unwrap() == 1));
        assert_eq!(bank.logins.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_login_that_is_over_is_renewed_with_what_it_had() {
        let (session, bank, clock) = session(2);
        assert_eq!(token(&session).await.unwrap(), 1);
        clock.advance(Duration::from_secs(59));
        assert_eq!(token(&session).await.unwrap(), 1);
        clock.advance(Duration::from_secs(1));
        assert_eq!(token(&session).await.unwrap(), 2);
        assert_eq!(*bank.last.lock().unwrap(), Some(1));
    }

    #[tokio::test]
    async fn calls_that_are_refused_together_share_one_renewal_and_are_made_once_more() {
        let (session, bank, _) = session(100);
        let tries = AtomicU32::new(0);
        let tries = &tries;
        let calls = (0..50).map(|_| {
            session.call(move |token| async move {
                tries.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                if token == 1 { Err(unauthorized()) } else { Ok(token) }
            })
        });
        assert!(join_all(calls).await.into_iter().all(|token| token.unwrap() == 2));
        assert_eq!((tries.load(Ordering::SeqCst), bank.logins.load(Ordering::SeqCst)), (100, 2));
    }

    #[tokio::test]
    async fn a_second_refusal_is_the_answer_and_an_unknown_outcome_is_never_repeated() {
        let (session, bank, _) = session(100);
        for (outcome, tries) in [(Outcome::NoEffect, 2), (Outcome::Refused, 2), (Outcome::Unknown, 1)] {
            let made = AtomicU32::new(0);
            let call = || {
                made.fetch_add(1, Ordering::SeqCst);
                async move { Err::<(), _>(unauthorized().with_outcome(outcome)) }
            };
            assert_eq!(session.call(|_| call()).await.unwrap_err().outcome(), outcome);
            assert_eq!(made.load(Ordering::SeqCst), tries, "{outcome:?}");
        }
        let other = session.call(|_| async { Err::<(), _>(Error::new(ErrorKind::Rejected, "no")) }).await;
        assert_eq!(other.unwrap_err().kind(), ErrorKind::Rejected);
        assert_eq!(bank.logins.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_call_that_goes_away_takes_no_login_with_it() {
        let (session, bank, _) = session(0);
        let begin = |session: &Arc<Session<Arc<Bank>>>| {
            let session = Arc::clone(session);
            tokio::spawn(async move { token(&session).await })
        };
        let (first, second) = (begin(&session), begin(&session));
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        bank.gate.add_permits(1);
        assert_eq!(second.await.unwrap().unwrap(), 1);

        // All go away: the next one begins anew.
        let (session, bank, _) = self::session(0);
        let only = begin(&session);
        tokio::task::yield_now().await;
        only.abort();
        assert!(only.await.unwrap_err().is_cancelled());
        bank.gate.add_permits(1);
        assert_eq!(token(&session).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_login_that_fails_fails_for_all_that_wait_and_is_tried_by_the_next() {
        let (session, bank, _) = session(0);
        for (fault, kind) in [(1, ErrorKind::Unauthorized), (2, ErrorKind::Unavailable)] {
            bank.fails.store(fault, Ordering::SeqCst);
            let calls = (0..10).map(|_| token(&session));
            let (results, ()) = tokio::join!(join_all(calls), async { bank.gate.add_permits(1) });
            for result in results {
                let error = result.unwrap_err();
                assert_eq!((error.kind(), error.outcome()), (kind, Outcome::NoEffect));
                assert!(error.message().contains("login"), "{error}");
            }
        }
        assert_eq!(bank.logins.load(Ordering::SeqCst), 0);
        bank.gate.add_permits(1);
        assert_eq!(token(&session).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn no_token_is_printed() {
        let (session, _, _) = session(1);
        token(&session).await.unwrap();
        let printed = format!("{session:?} {:?}", Ticket::new("planted"));
        assert!(printed.contains("logged_in: true") && !printed.contains("planted"), "{printed}");
    }
}
