//! The system's clocks, with tokio's timer.

use std::time::Duration;

use tulbur_core::{Clock, Monotonic, Timestamp, async_trait, system_monotonic, system_now};

/// The system's clocks for the time of day and for time that passes, and tokio's timer.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioClock;

#[async_trait]
impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        system_now()
    }

    fn monotonic(&self) -> Monotonic {
        system_monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_moves_on_its_own() {
        let (before, start) = (TokioClock.now(), TokioClock.monotonic());
        TokioClock.sleep(Duration::from_millis(20)).await;
        assert!(TokioClock.now().since(before) >= Duration::from_millis(15));
        assert!(TokioClock.monotonic().since(start) >= Duration::from_millis(15));
    }
}
