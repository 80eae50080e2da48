//! What is counted, and under which names.
//!
//! Names and labels are as OpenTelemetry's become when Prometheus reads them: underscores, the unit last, `_total` for
//! what only grows. No label has more values than there are accounts, handlers or words in this crate: no reference,
//! amount, address or secret is one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tulbur_core::{AccountName, ErrorKind, Timestamp};

use crate::error::StoreError;
use crate::event::AttentionKind;
use crate::operation::OperationRecord;
use crate::payments::{Inner, Payments};

/// What kind of instrument a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Many values, of which the spread is of interest.
    Histogram,
}

/// One metric of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: MetricKind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

const fn metric(
    name: &'static str,
    kind: MetricKind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind, labels, help }
}

const OPENED: &str = "tulbur_payments_opened_total";
const EVENTS: &str = "tulbur_payment_events_total";
const UNKNOWN: &str = "tulbur_payments_unknown_total";
const OPERATIONS: &str = "tulbur_operations_total";
const ATTENTION: &str = "tulbur_attention_total";
const NOTIFICATIONS: &str = "tulbur_notifications_total";
const INTAKE: &str = "tulbur_intake_seconds";
const QUESTIONS: &str = "tulbur_questions_total";
const PUT_OFF: &str = "tulbur_questions_put_off_total";
const CIRCUIT: &str = "tulbur_circuit_open";
const COMMITS: &str = "tulbur_commits_total";
const COMMIT_SECONDS: &str = "tulbur_commit_seconds";
const BATCH: &str = "tulbur_commit_batch_size";
const HANDLER_CALLS: &str = "tulbur_handler_calls_total";
const DELIVERY: &str = "tulbur_event_delivery_seconds";
const PARKED: &str = "tulbur_events_parked_total";
const OPEN: &str = "tulbur_payments_open";
const OLDEST_OPEN: &str = "tulbur_payments_oldest_open_seconds";
const UNRESOLVED: &str = "tulbur_unresolved";
const OUTBOX: &str = "tulbur_outbox_pending";
const OUTBOX_LAG: &str = "tulbur_outbox_oldest_seconds";
const OUTBOX_PARKED: &str = "tulbur_outbox_parked";
const ATTENTION_OPEN: &str = "tulbur_attention_open";

/// All metrics of this crate. Those of the requests to providers are in `tulbur_core::layers::Metrics`.
pub const METRICS: &[Metric] = {
    use MetricKind::{Counter, Gauge, Histogram};
    &[
        metric(OPENED, Counter, &["account"], "payments and card set-ups opened"),
        metric(EVENTS, Counter, &["kind"], "events committed, by what happened"),
        metric(
            UNKNOWN,
            Counter,
            &["account"],
            "openings and charges of which nobody knew whether they happened",
        ),
        metric(
            OPERATIONS,
            Counter,
            &["kind", "state"],
            "captures, voids, refunds and cancels that came to a state",
        ),
        metric(ATTENTION, Counter, &["reason"], "items for a person, once each"),
        metric(NOTIFICATIONS, Counter, &["verdict"], "notifications, by what became of them"),
        metric(INTAKE, Histogram, &[], "from a notification's arrival to its commit"),
        metric(QUESTIONS, Counter, &["account", "outcome"], "questions to providers, by how they ended"),
        metric(PUT_OFF, Counter, &["account", "reason"], "questions that had to wait"),
        metric(
            CIRCUIT,
            Gauge,
            &["account"],
            "1 while an account is left in peace because it does not answer",
        ),
        metric(COMMITS, Counter, &["result"], "commits, by how they ended"),
        metric(COMMIT_SECONDS, Histogram, &[], "how long a commit took, waiting included"),
        metric(
            BATCH,
            Histogram,
            &[],
            "how many commits went into one transaction, where they are put together",
        ),
        metric(HANDLER_CALLS, Counter, &["handler", "result"], "calls of event handlers"),
        metric(DELIVERY, Histogram, &["handler"], "from an event's commit to the end of its handler's work"),
        metric(PARKED, Counter, &[], "events that were given up"),
        metric(OPEN, Gauge, &[], "payments that are open"),
        metric(OLDEST_OPEN, Gauge, &[], "the age of the oldest open payment"),
        metric(
            UNRESOLVED,
            Gauge,
            &[],
            "payments and operations of which nobody knows whether they moved money",
        ),
        metric(OUTBOX, Gauge, &[], "events that are not delivered"),
        metric(OUTBOX_LAG, Gauge, &[], "the age of the oldest of them"),
        metric(OUTBOX_PARKED, Gauge, &[], "events that were given up and wait for a person"),
        metric(ATTENTION_OPEN, Gauge, &["reason"], "items on the list for a person"),
    ]
};

/// Tells the installed recorder what each metric is. Once, after it was installed.
pub fn describe_metrics() {
    for metric in METRICS {
        let unit =
            if metric.name.ends_with("_seconds") { metrics::Unit::Seconds } else { metrics::Unit::Count };
        match metric.kind {
            MetricKind::Counter => metrics::describe_counter!(metric.name, unit, metric.help),
            MetricKind::Gauge => metrics::describe_gauge!(metric.name, unit, metric.help),
            MetricKind::Histogram => metrics::describe_histogram!(metric.name, unit, metric.help),
        }
    }
}

pub(crate) fn opened(account: &AccountName) {
    metrics::counter!(OPENED, "account" => account.as_str().to_owned()).increment(1);
}

pub(crate) fn event(kind: &'static str) {
    metrics::counter!(EVENTS, "kind" => kind).increment(1);
}

pub(crate) fn unknown(account: &AccountName) {
    metrics::counter!(UNKNOWN, "account" => account.as_str().to_owned()).increment(1);
}

pub(crate) fn operation(record: &OperationRecord) {
    metrics::counter!(OPERATIONS, "kind" => record.kind.as_str(), "state" => record.state.as_str())
        .increment(1);
}

pub(crate) fn attention(reason: AttentionKind) {
    metrics::counter!(ATTENTION, "reason" => reason.as_str()).increment(1);
}

pub(crate) fn notification(verdict: &'static str, began: Instant) {
    metrics::counter!(NOTIFICATIONS, "verdict" => verdict).increment(1);
    metrics::histogram!(INTAKE).record(began.elapsed());
}

pub(crate) fn question(account: &AccountName, failure: Option<ErrorKind>) {
    let outcome = match failure {
        None => "answered",
        Some(ErrorKind::NotFound) => "not_found",
        Some(ErrorKind::Unavailable) => "unavailable",
        Some(ErrorKind::Timeout) => "timeout",
        Some(ErrorKind::RateLimited) => "rate_limited",
        Some(ErrorKind::Unauthorized) => "unauthorized",
        Some(ErrorKind::Untrusted) => "untrusted",
        Some(ErrorKind::Malformed) => "malformed",
        Some(_) => "refused",
    };
    metrics::counter!(QUESTIONS, "account" => account.as_str().to_owned(), "outcome" => outcome).increment(1);
}

pub(crate) fn put_off(account: &AccountName, reason: &'static str) {
    metrics::counter!(PUT_OFF, "account" => account.as_str().to_owned(), "reason" => reason).increment(1);
}

pub(crate) fn circuit(account: &str, open: bool) {
    metrics::gauge!(CIRCUIT, "account" => account.to_owned()).set(u8::from(open));
}

pub(crate) fn commit(result: &Result<(), StoreError>, began: Instant) {
    let result = match result {
        Ok(()) => "done",
        Err(StoreError::Conflict) => "conflict",
        Err(_) => "failed",
    };
    metrics::counter!(COMMITS, "result" => result).increment(1);
    metrics::histogram!(COMMIT_SECONDS).record(began.elapsed());
}

/// So many commits went into one transaction: for a store that puts them together.
#[cfg_attr(not(any(feature = "sqlite", feature = "postgres")), expect(dead_code, reason = "stores call it"))]
pub(crate) fn batch(commits: usize) {
    metrics::histogram!(BATCH).record(number(commits as u64));
}

pub(crate) fn handler(name: &str, done: Option<Duration>) {
    let result = if done.is_some() { "done" } else { "failed" };
    metrics::counter!(HANDLER_CALLS, "handler" => name.to_owned(), "result" => result).increment(1);
    if let Some(since_commit) = done {
        metrics::histogram!(DELIVERY, "handler" => name.to_owned()).record(since_commit);
    }
}

pub(crate) fn parked() {
    metrics::counter!(PARKED).increment(1);
}

/// A gauge holds numbers up to here exactly; more payments than this are open nowhere.
fn number(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// When the store was last looked at as a whole, and how long to wait before the next time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sampler(Arc<Mutex<Sampled>>);

#[derive(Debug, Default)]
struct Sampled {
    next: Option<Timestamp>,
    under_way: bool,
}

impl Sampler {
    const EVERY: Duration = Duration::from_secs(15);
    /// A look that takes long is taken rarely: at most one part in so many of the time.
    const SHARE: u32 = 100;

    /// Whether it is time. Whoever is told so must look.
    pub(crate) fn is_time(&self, now: Timestamp) -> bool {
        let mut sampled = self.lock();
        let time = !sampled.under_way && sampled.next.is_none_or(|next| now >= next);
        sampled.under_way |= time;
        time
    }

    /// Sets the gauges.
    pub(crate) async fn sample(&self, payments: &Inner) {
        let now = payments.clock.now();
        let began = Instant::now();
        if let Err(error) = payments.gauge(now).await {
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
        metrics::gauge!(OUTBOX).set(number(stats.events_pending));
        metrics::gauge!(OUTBOX_LAG).set(age(stats.oldest_event));
        metrics::gauge!(OUTBOX_PARKED).set(number(stats.events_parked));
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
