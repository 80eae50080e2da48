//! Time as a port: what the clock says, and how to wait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A fixed distance from UTC, to the minute: `+08:00` in Ulaanbaatar, `+05:30` in Delhi.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UtcOffset {
    minutes: i16,
}

impl UtcOffset {
    /// Reads `+08:00` or `-03:30`: at most fourteen hours either way. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, rest) = match text.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':')?;
        let number = |text: &str| {
            (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<i16>().ok())?
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        let all = hours * 60 + minutes;
        (minutes < 60 && all <= 14 * 60).then_some(Self { minutes: sign * all })
    }

    /// How far east of UTC, in seconds; less than nothing in the west.
    pub fn seconds(self) -> i32 {
        i32::from(self.minutes) * 60
    }
}

impl From<i8> for UtcOffset {
    /// So many whole hours east.
    fn from(hours_east: i8) -> Self {
        Self { minutes: i16::from(hours_east) * 60 }
    }
}

impl fmt::Display for UtcOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, minutes) = (if self.minutes < 0 { '-' } else { '+' }, self.minutes.unsigned_abs());
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

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

    /// Written by a `strftime` pattern as clocks show it at a fixed distance from UTC; a number is whole hours: 8 for
    /// Ulaanbaatar, 7 for Hồ Chí Minh City.
    pub fn format_at(self, offset: impl Into<UtcOffset>, pattern: &str) -> String {
        let offset = jiff::tz::Offset::from_seconds(offset.into().seconds());
        offset.unwrap_or(jiff::tz::Offset::UTC).to_datetime(self.to_jiff()).strftime(pattern).to_string()
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

/// A reading of a clock that only goes forward, in milliseconds since a start that nobody outside the process knows.
///
/// The time of day can be set, and jumps; this cannot. So it measures how long something took and says when a time
/// limit is over. Readings of two processes cannot be compared, and none is worth storing: it has no serialised form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(u64);

impl Monotonic {
    /// From milliseconds since the clock's own start.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the clock's own start.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This much later; the end of time if that is past it.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long it is from `earlier` to this reading; nothing if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// The clock: core has no runtime, so both reading it and waiting on it are given from outside.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of day. It may be wrong, and may jump in either direction.
    fn now(&self) -> Timestamp;

    /// A reading that never goes back, whatever is done to the time of day.
    fn monotonic(&self) -> Monotonic;

    /// Returns once this much time has passed by [`monotonic`](Self::monotonic).
    async fn sleep(&self, duration: Duration);
}

/// The system's wall clock, read once; for [`Clock`] implementations of runtimes.
pub fn system_now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
    let now = jiff::Timestamp::now();
    Timestamp(now.as_millisecond())
}

/// The system's monotonic clock, counted from its first reading in this process; for [`Clock`] implementations of
/// runtimes.
///
/// It goes on while the process is stopped. Whether it goes on while the whole machine sleeps depends on the system:
/// on Linux it does not.
pub fn system_monotonic() -> Monotonic {
    static START: OnceLock<Instant> = OnceLock::new();
    Monotonic(0).after(START.get_or_init(Instant::now).elapsed())
}

/// A clock that moves only when it is told to; for tests.
#[derive(Debug, Clone)]
pub struct ManualClock {
    state: Arc<Mutex<ManualState>>,
}

#[derive(Debug)]
struct ManualState {
    now: Timestamp,
    monotonic: Monotonic,
    sleepers: Vec<Waker>,
}

impl ManualClock {
    /// A clock whose time of day is `now`, and whose monotonic reading is nothing.
    pub fn new(now: Timestamp) -> Self {
        let state = ManualState { now, monotonic: Monotonic(0), sleepers: Vec::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Lets time pass: moves both readings forward, and wakes the tasks whose time has come.
    pub fn advance(&self, duration: Duration) {
        let sleepers = {
            let mut state = self.lock();
            state.now = state.now.after(duration);
            state.monotonic = state.monotonic.after(duration);
            std::mem::take(&mut state.sleepers)
        };
        for sleeper in sleepers {
            sleeper.wake();
        }
    }

    /// Sets the time of day, forward or back, as an operator or a time server does. No time passes: the monotonic
    /// reading stays, and nobody is woken.
    pub fn set_now(&self, now: Timestamp) {
        self.lock().now = now;
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

    fn monotonic(&self) -> Monotonic {
        self.lock().monotonic
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.monotonic().after(duration);
        ManualSleep { clock: self, until }.await;
    }
}

struct ManualSleep<'a> {
    clock: &'a ManualClock,
    until: Monotonic,
}

impl Future for ManualSleep<'_> {
    type Output = ();
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.lock();
        if state.monotonic >= self.until {
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
        for (offset, clock) in [("+05:30", "143034"), ("-03:30", "053034"), ("+00:00", "090034")] {
            let offset = UtcOffset::parse(offset).unwrap();
            assert_eq!(moment.format_at(offset, "%H%M%S"), clock, "{offset}");
        }
        assert_eq!(moment.after(Duration::from_secs(1)).since(moment), Duration::from_secs(1));
        assert_eq!(moment.since(moment.after(Duration::from_secs(1))), Duration::ZERO);
        assert_eq!(Timestamp::from_millis(i64::MAX).after(Duration::MAX).as_millis(), i64::MAX);
        assert!(!Timestamp::from_millis(i64::MAX).to_string().is_empty());
    }

    #[test]
    fn offsets_have_hours_and_minutes() {
        for text in ["+00:00", "+08:00", "+05:30", "+05:45", "-03:30", "-12:00", "+14:00"] {
            assert_eq!(UtcOffset::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(UtcOffset::parse("+08:00"), Some(UtcOffset::from(8)));
        for text in
            ["", "8", "+8:00", "+08", "+0800", "08:00", "+08:60", "+14:01", "+15:00", "+0८:00", "é", "+-8:00"]
        {
            assert_eq!(UtcOffset::parse(text), None, "{text}");
        }
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
    #[test]
    fn monotonic_readings_only_go_forward() {
        let first = Monotonic::from_millis(40);
        assert_eq!(first.after(Duration::from_secs(2)), Monotonic::from_millis(2_040));
        assert_eq!(first.after(Duration::from_secs(2)).since(first), Duration::from_secs(2));
        assert_eq!(first.since(first.after(Duration::from_secs(2))), Duration::ZERO);
        assert_eq!(first.after(Duration::MAX).as_millis(), u64::MAX);
        let before = system_monotonic();
        assert!(system_monotonic() >= before);
    }

    #[tokio::test]
    async fn setting_the_time_of_day_lets_no_time_pass() {
        let start = Timestamp::from_millis(8 * 3_600_000);
        let clock = ManualClock::new(start);
        let sleeping = {
            let clock = clock.clone();
            tokio::spawn(async move { clock.sleep(Duration::from_secs(10)).await })
        };
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        let before = clock.monotonic();
        clock.set_now(start.after(Duration::from_hours(8)));
        assert_eq!(clock.monotonic(), before);
        clock.set_now(Timestamp::from_millis(0));
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeping.is_finished());
        assert_eq!(clock.now(), Timestamp::from_millis(9_000));
        clock.advance(Duration::from_secs(1));
        sleeping.await.unwrap();
        assert_eq!(clock.monotonic().since(before), Duration::from_secs(10));
    }
}
