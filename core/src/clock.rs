//! Time as a port: what the clock says, and how to wait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A moment, to the millisecond.
///
/// Serialised as milliseconds since 1970-01-01 UTC; displayed as RFC 3339 in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970-01-01 UTC.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This much later; the end of time if that is past it.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This much earlier.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long it is from `earlier` to this moment; nothing if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Written by a `strftime` pattern as clocks show it at a fixed distance from UTC, in hours: 8 for
    /// Ulaanbaatar, 7 for Hồ Chí Minh City.
    pub fn format_at(self, hours_east: i8, pattern: &str) -> String {
        let offset = jiff::tz::Offset::from_hours(hours_east).unwrap_or(jiff::tz::Offset::UTC);
        offset.to_datetime(self.to_jiff()).strftime(pattern).to_string()
    }

    fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_jiff().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The clock: core has no runtime, so both reading it and waiting on it are given from outside.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync {
    /// What time it is.
    fn now(&self) -> Timestamp;

    /// Returns once this much time has passed.
    async fn sleep(&self, duration: Duration);
}

/// The system's wall clock, read once; for [`Clock`] implementations of runtimes.
pub fn system_now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
    let now = jiff::Timestamp::now();
    Timestamp(now.as_millisecond())
}

/// A clock that moves only when it is told to; for tests.
#[derive(Debug, Clone)]
pub struct ManualClock {
    state: Arc<Mutex<ManualState>>,
}

#[derive(Debug)]
struct ManualState {
    now: Timestamp,
    sleepers: Vec<Waker>,
}

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self { state: Arc::new(Mutex::new(ManualState { now, sleepers: Vec::new() })) }
    }

    /// Moves the clock forward and wakes everybody whose time has come.
    pub fn advance(&self, duration: Duration) {
        let sleepers = {
            let mut state = self.lock();
            state.now = state.now.after(duration);
            std::mem::take(&mut state.sleepers)
        };
        for sleeper in sleepers {
            sleeper.wake();
        }
    }

    /// How many tasks are waiting on this clock.
    pub fn sleepers(&self) -> usize {
        self.lock().sleepers.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ManualState> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.now().after(duration);
        ManualSleep { clock: self, until }.await;
    }
}

struct ManualSleep<'a> {
    clock: &'a ManualClock,
    until: Timestamp,
}

impl Future for ManualSleep<'_> {
    type Output = ();
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.lock();
        if state.now >= self.until {
            return Poll::Ready(());
        }
        if !state.sleepers.iter().any(|waker| waker.will_wake(context.waker())) {
            state.sleepers.push(context.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc_and_where_people_live() {
        let moment = Timestamp::from_millis(1_659_085_234_000);
        assert_eq!(moment.to_string(), "2022-07-29T09:00:34.000Z");
        assert_eq!(moment.format_at(8, "%H%M%S"), "170034");
        assert_eq!(moment.after(Duration::from_secs(1)).since(moment), Duration::from_secs(1));
        assert_eq!(moment.since(moment.after(Duration::from_secs(1))), Duration::ZERO);
        assert_eq!(Timestamp::from_millis(i64::MAX).after(Duration::MAX).as_millis(), i64::MAX);
        assert!(!Timestamp::from_millis(i64::MAX).to_string().is_empty());
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_only_whose_time_has_come() {
        let clock = ManualClock::new(Timestamp::from_millis(0));
        let sleeping = {
            let clock = clock.clone();
            tokio::spawn(async move { clock.sleep(Duration::from_secs(10)).await })
        };
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeping.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeping.await.unwrap();
    }
}
