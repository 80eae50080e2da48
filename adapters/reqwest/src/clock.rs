use std::time::Duration;

use tulbur_core::{Clock, Timestamp, async_trait, system_now};

/// The system's wall clock, and tokio's timer.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioClock;

#[async_trait]
impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        system_now()
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
        let before = TokioClock.now();
        TokioClock.sleep(Duration::from_millis(20)).await;
        assert!(TokioClock.now().since(before) >= Duration::from_millis(15));
    }
}
