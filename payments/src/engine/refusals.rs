//! Bounds the work that refused notifications make: how many are stored at one time, how fast the
//! others are answered, and how many lines are logged.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tulbur_core::{Clock, Monotonic};

/// So many are being stored at one time. What comes beyond is answered and counted, and not stored.
const AT_ONCE: usize = 8;
/// So long the answer to one waits that is not stored, so that a flood does not take the processor from genuine ones.
const WAIT: Duration = Duration::from_millis(100);
/// So many wait at one time. What comes beyond is answered at once, so that waiting takes no more memory than this.
const WAITING: usize = 8192;
/// So many lines are written into the log in each period.
const LINES: u32 = 5;
/// The period.
const PERIOD: Duration = Duration::from_secs(1);

/// What bounds the work that refused notifications make.
#[derive(Debug)]
pub(crate) struct Refusals {
    pub(super) room: Semaphore,
    waiting: Semaphore,
    lines: Mutex<Lines>,
    strangers: RandomState,
}

/// The lines of the present period.
#[derive(Debug, Default)]
struct Lines {
    began: Option<Monotonic>,
    written: u32,
    left_out: u64,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            room: Semaphore::new(AT_ONCE),
            waiting: Semaphore::new(WAITING),
            lines: Mutex::default(),
            strangers: RandomState::new(),
        }
    }
}

impl Refusals {
    /// Waits before one that is not stored is answered.
    pub(super) async fn slow_down(&self, clock: &dyn Clock) {
        if let Ok(_place) = self.waiting.try_acquire() {
            clock.sleep(WAIT).await;
        }
    }

    /// One of so many for a name that does not exist: always the same one, and nobody outside can tell which.
    pub(super) fn stand_in(&self, name: &str, count: usize) -> usize {
        let place = self.strangers.hash_one(name) % u64::try_from(count).unwrap_or(u64::MAX).max(1);
        usize::try_from(place).unwrap_or_default()
    }

    /// Whether a line may be written now; and how many were left out in a period that is over, to be said first.
    pub(super) fn line(&self, now: Monotonic) -> (bool, u64) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = Self::over(&mut lines, now);
        lines.began.get_or_insert(now);
        let write = lines.written < LINES;
        if write {
            lines.written += 1;
        } else {
            lines.left_out += 1;
        }
        (write, left_out)
    }

    /// How many lines were left out in a period that is over.
    fn over(lines: &mut Lines, now: Monotonic) -> u64 {
        if lines.began.is_some_and(|began| now.since(began) >= PERIOD) {
            std::mem::take(lines).left_out
        } else {
            0
        }
    }

    /// Says how many lines were left out, once their period is over.
    pub(crate) fn say_left_out(&self, now: Monotonic) {
        let left_out = Self::over(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner), now);
        say(left_out);
    }
}

pub(super) fn say(left_out: u64) {
    if left_out > 0 {
        tracing::warn!(left_out, "more notifications were refused, without a line for each");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_writes_a_few_lines_a_second_and_one_with_the_number_left_out() {
        let refused = Refusals::default();
        let at = Monotonic::from_millis;
        let mut written = 0;
        for number in 0..1000 {
            let (write, left_out) = refused.line(at(number));
            assert_eq!(left_out, 0);
            written += u32::from(write);
        }
        assert_eq!(written, LINES);
        assert_eq!(refused.line(at(1000)), (true, 995), "the next one says how many were left out");
        assert_eq!(refused.line(at(1001)), (true, 0));
        for _ in 0..10 {
            refused.line(at(1002));
        }
        let mut lines = refused.lines.lock().unwrap();
        assert_eq!(Refusals::over(&mut lines, at(1999)), 0, "its period is not over");
        assert_eq!(Refusals::over(&mut lines, at(2000)), 7, "the next call after the flood reports them");
        assert_eq!(Refusals::over(&mut lines, at(9000)), 0);
    }
}
