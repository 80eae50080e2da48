//! Looks at the whole store now and then, and sets the gauges.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tulbur_core::{Monotonic, Timestamp};

use crate::engine::inner::{Inner, Payments};
use crate::error::StoreError;
use crate::metrics::{
    ATTENTION_OPEN, OLDEST_OPEN, OPEN, OUTBOX, OUTBOX_LAG, OUTBOX_PARKED, UNRESOLVED, UNSERVED, number,
};
use crate::model::event::AttentionKind;

/// When the store was last looked at as a whole, and how long to wait before the next time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sampler(Arc<Mutex<Sampled>>);

#[derive(Debug, Default)]
struct Sampled {
    next: Option<Monotonic>,
    under_way: bool,
}

impl Sampler {
    const EVERY: Duration = Duration::from_secs(15);
    /// A look that takes long is taken rarely: at most one part in so many of the time.
    const SHARE: u32 = 100;

    /// Whether it is time. Whoever is told so must look.
    pub(crate) fn is_time(&self, now: Monotonic) -> bool {
        let mut sampled = self.lock();
        let time = !sampled.under_way && sampled.next.is_none_or(|next| now >= next);
        sampled.under_way |= time;
        time
    }

    /// Sets the gauges.
    pub(crate) async fn sample(&self, payments: &Inner) {
        let now = payments.clock.monotonic();
        let began = Instant::now();
        if let Err(error) = payments.gauge(payments.now()).await {
            tracing::warn!(%error, "the database could not be looked at for its numbers; trying again later");
        }
        let pause = began.elapsed().saturating_mul(Self::SHARE).max(Self::EVERY);
        *self.lock() = Sampled { next: Some(now.after(pause)), under_way: false };
    }

    fn lock(&self) -> MutexGuard<'_, Sampled> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Payments {
    /// Reads the store's numbers and sets the gauges. The background work does so by itself, every 15 seconds or, where
    /// that takes long, more rarely.
    ///
    /// # Errors
    /// The database's.
    pub async fn sample_metrics(&self) -> crate::Result<()> {
        Ok(self.0.gauge(self.now()).await?)
    }
}

impl Inner {
    async fn gauge(&self, now: Timestamp) -> Result<(), StoreError> {
        /// More than a person reads; their number is told all the same.
        const LISTED: u64 = 1000;
        let stats = self.store.stats().await?;
        let age = |at: Option<Timestamp>| at.map_or(Duration::ZERO, |at| now.since(at));
        metrics::gauge!(OPEN).set(number(stats.open));
        metrics::gauge!(OLDEST_OPEN).set(age(stats.oldest_open));
        metrics::gauge!(UNRESOLVED).set(number(stats.unknown));
        for handler in self.store.handlers().await? {
            let name = || handler.name.clone();
            metrics::gauge!(OUTBOX, "handler" => name()).set(number(handler.waiting));
            metrics::gauge!(OUTBOX_LAG, "handler" => name()).set(age(handler.oldest));
            metrics::gauge!(OUTBOX_PARKED, "handler" => name()).set(number(handler.parked));
            metrics::gauge!(UNSERVED, "handler" => name()).set(age(Some(handler.seen_at)));
        }
        let mut reasons: BTreeMap<&'static str, u64> =
            AttentionKind::ALL.into_iter().map(|kind| (kind.as_str(), 0)).collect();
        reasons.insert("other", 0);
        if stats.attention <= LISTED {
            for item in self.store.attention().await? {
                *reasons.entry(item.kind.as_str()).or_default() += 1;
            }
        } else {
            reasons.insert("other", stats.attention);
        }
        for (reason, count) in reasons {
            metrics::gauge!(ATTENTION_OPEN, "reason" => reason).set(number(count));
        }
        Ok(())
    }
}
