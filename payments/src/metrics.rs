//! Metrics: their names, labels and units.
//!
//! Names and labels are as OpenTelemetry's become when Prometheus reads them: underscores, the unit last, `_total` for
//! what only grows. No label has more values than there are accounts, handlers or words in this crate: no reference,
//! amount, address or secret is one.

use std::time::{Duration, Instant};

use tulbur_core::{AccountName, ErrorKind};

use crate::error::StoreError;
use crate::model::event::AttentionKind;
use crate::model::operation::OperationRecord;

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
const NOT_KEPT: &str = "tulbur_refused_not_kept_total";
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
pub(crate) const UNSERVED: &str = "tulbur_handler_unserved_seconds";
pub(crate) const OPEN: &str = "tulbur_payments_open";
pub(crate) const OLDEST_OPEN: &str = "tulbur_payments_oldest_open_seconds";
pub(crate) const UNRESOLVED: &str = "tulbur_unresolved";
pub(crate) const OUTBOX: &str = "tulbur_outbox_pending";
pub(crate) const OUTBOX_LAG: &str = "tulbur_outbox_oldest_seconds";
pub(crate) const OUTBOX_PARKED: &str = "tulbur_outbox_parked";
pub(crate) const ATTENTION_OPEN: &str = "tulbur_attention_open";

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
        metric(
            NOT_KEPT,
            Counter,
            &[],
            "refused notifications that were answered and not stored, because too many came",
        ),
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
        metric(PARKED, Counter, &["handler"], "events that a handler was given up for"),
        metric(OPEN, Gauge, &[], "payments that are open"),
        metric(OLDEST_OPEN, Gauge, &[], "the age of the oldest open payment"),
        metric(
            UNRESOLVED,
            Gauge,
            &[],
            "payments and operations of which nobody knows whether they moved money",
        ),
        metric(OUTBOX, Gauge, &["handler"], "events that wait for a handler"),
        metric(OUTBOX_LAG, Gauge, &["handler"], "the age of the oldest of them"),
        metric(OUTBOX_PARKED, Gauge, &["handler"], "events that a handler was given up for, for a person"),
        metric(UNSERVED, Gauge, &["handler"], "how long no process has said that it has a handler"),
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
    if verdict == "refused" {
        // It is there before it grows.
        metrics::counter!(NOT_KEPT).increment(0);
    }
    metrics::histogram!(INTAKE).record(began.elapsed());
}

pub(crate) fn refused_not_kept() {
    metrics::counter!(NOT_KEPT).increment(1);
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
        Err(StoreError::MaybeCommitted(_)) => "unknown",
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

pub(crate) fn parked(handler: &str) {
    metrics::counter!(PARKED, "handler" => handler.to_owned()).increment(1);
}

/// A gauge holds numbers up to here exactly; more payments than this are open nowhere.
pub(crate) fn number(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
