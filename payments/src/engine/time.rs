//! Tells the time by which leases and due times are decided.
//!
//! It is the process's own monotonic time plus an offset. The offset comes from the database's clock where the database
//! has one that all processes share, and from the wall clock of the machine otherwise. So a process whose own wall clock
//! is wrong decides nothing by it, and a clock that is set back is noticed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tulbur_core::{Clock, Monotonic, Timestamp};

use crate::error::StoreError;

/// How old a sample may be where something is decided.
pub(crate) const OLD: Duration = Duration::from_secs(30);
/// How old a sample may be at a turn of the worker.
pub(crate) const A_TURN_OLD: Duration = Duration::from_secs(1);
/// How long after a failure the database is not asked again.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How far, in milliseconds, time may fall behind without more ado. Beyond it what is stored may lie too far ahead.
const STEP: i64 = 1000;

/// The time that decides.
#[derive(Debug)]
pub(crate) struct Time {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// One at a time asks the database.
    sampling: tokio::sync::Mutex<()>,
}

/// All in milliseconds.
#[derive(Debug)]
struct State {
    /// What is added to a monotonic reading.
    offset: i64,
    /// By how much the wall clock was ahead of the monotonic reading. If that has changed, the wall clock was set or the
    /// machine slept: a reason to sample anew, and nothing else.
    wall: i64,
    /// When it was last sampled.
    sampled: Option<Monotonic>,
    /// When sampling last failed.
    failed: Option<Monotonic>,
    /// Whether stored times are to be looked at, because they may lie too far ahead.
    clamp: bool,
}

impl Time {
    /// By the wall clock, until the store is asked.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let wall = wall_ahead(&*clock);
        let state = State { offset: wall, wall, sampled: None, failed: None, clamp: true };
        Self { clock, state: Mutex::new(state), sampling: tokio::sync::Mutex::default() }
    }

    /// The time, by the last sample.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(millis(self.clock.monotonic()).saturating_add(self.lock().offset))
    }

    /// Samples the time if the last sample is older than that. `ask` asks the store for its own.
    pub(crate) async fn refresh<Asked>(&self, ask: impl FnOnce() -> Asked, old: Duration)
    where
        Asked: Future<Output = Result<Option<Timestamp>, StoreError>>,
    {
        if !self.is_due(old) {
            return;
        }
        let never = self.lock().sampled.is_none();
        let turn = match self.sampling.try_lock() {
            Ok(turn) => turn,
            Err(_) if never => self.sampling.lock().await,
            // Somebody else does it.
            Err(_) => return,
        };
        if self.is_due(old) {
            self.sample(ask()).await;
        }
        drop(turn);
    }

    fn is_due(&self, old: Duration) -> bool {
        let now = self.clock.monotonic();
        let wall = wall_ahead(&*self.clock);
        let state = self.lock();
        if state.failed.is_some_and(|failed| now.since(failed) < AFTER_FAILURE) {
            return false;
        }
        state.sampled.is_none_or(|sampled| now.since(sampled) >= old)
            || state.wall.abs_diff(wall) > STEP.unsigned_abs()
    }

    async fn sample(&self, asked: impl Future<Output = Result<Option<Timestamp>, StoreError>>) {
        let before = self.clock.monotonic();
        let answer = asked.await;
        let after = self.clock.monotonic();
        let wall = wall_ahead(&*self.clock);
        // The clock was read at some moment in between: so the offset is between these two.
        let (least, most) = match &answer {
            Ok(Some(time)) => (time.as_millis() - millis(after), time.as_millis() - millis(before)),
            Ok(None) => (wall, wall),
            Err(error) => {
                tracing::warn!(%error, "the database does not tell the time; this process goes on by its own clock");
                let mut state = self.lock();
                state.failed = Some(after);
                if state.sampled.is_none() {
                    (state.offset, state.wall) = (wall, wall);
                }
                return;
            }
        };
        let mut state = self.lock();
        // What is known already stays as long as it can be right, so that time does not jitter with the network.
        let offset = state.offset.clamp(least, most.max(least));
        let moved = offset.saturating_sub(state.offset);
        state.clamp |= moved < -STEP;
        let first = state.sampled.is_none();
        (state.offset, state.wall, state.sampled, state.failed) = (offset, wall, Some(after), None);
        drop(state);
        if moved.abs() > STEP {
            if first {
                tracing::warn!(
                    milliseconds = moved,
                    "this machine's clock differs from the database's, which counts"
                );
            } else {
                tracing::warn!(milliseconds = moved, "the clock was set, or the machine slept; time moved");
            }
        }
    }

    /// Whether stored times are to be clamped, now that the time is known.
    pub(crate) fn is_clamp_due(&self) -> bool {
        let state = self.lock();
        state.clamp && state.sampled.is_some()
    }

    /// Notes that the stored times were clamped.
    pub(crate) fn note_clamped(&self) {
        self.lock().clamp = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(reading: Monotonic) -> i64 {
    i64::try_from(reading.as_millis()).unwrap_or(i64::MAX)
}

fn wall_ahead(clock: &dyn Clock) -> i64 {
    clock.now().as_millis().saturating_sub(millis(clock.monotonic()))
}

#[cfg(test)]
mod tests {
    use tulbur_core::ManualClock;

    use super::*;

    const START: i64 = 1_800_000_000_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(START + millis)
    }

    fn time() -> (Time, ManualClock) {
        let clock = ManualClock::new(at(0));
        clock.advance(Duration::from_secs(77));
        clock.set_now(at(0));
        (Time::new(Arc::new(clock.clone())), clock)
    }

    async fn sample(time: &Time, answer: Result<Option<Timestamp>, StoreError>, old: Duration) {
        time.refresh(|| std::future::ready(answer), old).await;
    }

    #[tokio::test]
    async fn the_database_s_clock_counts_and_time_goes_on_by_our_own() {
        let (time, clock) = time();
        assert_eq!(time.now(), at(0), "the wall clock, while nothing else is known");
        sample(&time, Ok(Some(at(-130_000))), OLD).await;
        assert_eq!(time.now(), at(-130_000));
        clock.advance(Duration::from_secs(29));
        assert_eq!(time.now(), at(-101_000));
        sample(&time, Ok(Some(at(5_000_000))), OLD).await;
        assert_eq!(time.now(), at(-101_000), "a sample is good for a while");
        clock.advance(Duration::from_secs(1));
        sample(&time, Ok(Some(at(5_000_000))), OLD).await;
        assert_eq!(time.now(), at(5_000_000));
    }

    #[tokio::test]
    async fn a_wall_clock_that_is_set_makes_us_sample_and_decides_nothing() {
        let (time, clock) = time();
        sample(&time, Ok(Some(at(10))), OLD).await;
        clock.set_now(at(-8 * 3_600_000));
        assert_eq!(time.now(), at(10));
        sample(&time, Ok(Some(at(20))), OLD).await;
        assert_eq!(time.now(), at(20), "sampled at once");
        sample(&time, Ok(Some(at(30))), OLD).await;
        assert_eq!(time.now(), at(20), "and only once");
    }

    #[tokio::test]
    async fn without_a_database_s_clock_the_wall_clock_counts() {
        let (time, clock) = time();
        sample(&time, Ok(None), OLD).await;
        clock.set_now(at(3_600_000));
        sample(&time, Ok(None), OLD).await;
        assert_eq!(time.now(), at(3_600_000));
    }

    #[tokio::test]
    async fn times_are_clamped_at_the_start_and_when_time_falls_behind() {
        let (time, clock) = time();
        assert!(!time.is_clamp_due(), "not before the time is known");
        sample(&time, Ok(Some(at(0))), OLD).await;
        assert!(time.is_clamp_due(), "at the start");
        time.lock().clamp = false;
        for (moved, due) in [(500, false), (-900, false), (1_000_000, false), (-1_002, true)] {
            clock.advance(Duration::from_secs(1));
            let next = Timestamp::from_millis(time.now().as_millis() + moved);
            sample(&time, Ok(Some(next)), A_TURN_OLD).await;
            assert_eq!((time.now(), time.is_clamp_due()), (next, due), "{moved}");
        }
    }

    #[tokio::test]
    async fn a_slow_answer_says_no_more_than_it_can() {
        let (time, clock) = time();
        sample(&time, Ok(Some(at(0))), OLD).await;
        clock.advance(Duration::from_mins(1));
        let answer = async {
            clock.advance(Duration::from_secs(4));
            Ok(Some(at(63_000)))
        };
        time.refresh(|| answer, OLD).await;
        assert_eq!(
            time.now(),
            at(64_000),
            "it was read three seconds after it was asked for, or four, or one"
        );
        clock.advance(Duration::from_mins(1));
        let answer = async {
            clock.advance(Duration::from_secs(4));
            Ok(Some(at(130_000)))
        };
        time.refresh(|| answer, OLD).await;
        assert_eq!(time.now(), at(130_000), "no less than what the database said");
    }

    #[tokio::test]
    async fn while_the_database_is_away_time_goes_on() {
        let (time, clock) = time();
        let away = || Err(StoreError::Unavailable("away".into()));
        sample(&time, away(), OLD).await;
        assert_eq!(time.now(), at(0));
        assert!(!time.is_clamp_due(), "nothing is moved by a time that nobody confirmed");
        clock.advance(AFTER_FAILURE);
        sample(&time, Ok(Some(at(9_000))), OLD).await;
        assert_eq!(time.now(), at(9_000));
        clock.advance(OLD);
        sample(&time, away(), OLD).await;
        assert_eq!(time.now(), at(39_000), "by our own, from what was known");
        sample(&time, Ok(Some(at(0))), OLD).await;
        assert_eq!(time.now(), at(39_000), "the database is not asked again at once");
        clock.advance(AFTER_FAILURE);
        sample(&time, Ok(Some(at(44_100))), OLD).await;
        assert_eq!(time.now(), at(44_100));
    }
}
