//! Runs many seeds on several threads, and says what was done and how often each fault occurred.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fault::Kind;
use crate::generate::generate;
use crate::judge::{Complaint, judge_story};
use crate::outcome::Outcome;
use crate::random::Digest;
use crate::run::run;

/// What one seed came to.
#[derive(Debug, Clone)]
pub struct SeedResult {
    /// The seed.
    pub seed: u64,
    /// The digest of all that happened.
    pub digest: u64,
    /// What was wrong.
    pub complaints: Vec<Complaint>,
    /// How often each kind of fault occurred.
    pub occurred: Vec<u32>,
    /// What was done.
    pub done: Done,
}

/// What was done, in numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Done {
    /// Payments.
    pub payments: u64,
    /// Debits at the bank.
    pub debits: u64,
    /// Refunds at the bank.
    pub refunds: u64,
    /// Captures, voids, refunds and cancels, as stored.
    pub operations: u64,
    /// Events.
    pub events: u64,
    /// Commits.
    pub commits: u64,
    /// Items on the list.
    pub listed: u64,
    /// Steps of the simulator.
    pub steps: u64,
    /// Calls of the application.
    pub calls: u64,
}

impl Done {
    fn of(outcome: &Outcome) -> Self {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Self {
            payments: count(outcome.payments.len()),
            debits: count(outcome.bank.iter().map(|entry| entry.debits.len()).sum()),
            refunds: count(outcome.bank.iter().map(|entry| entry.refunds.len()).sum()),
            operations: count(outcome.operations.len()),
            events: count(outcome.notes.events.len()),
            commits: outcome.notes.commits,
            listed: count(outcome.notes.listed.len()),
            steps: outcome.steps,
            calls: count(outcome.notes.calls.len()),
        }
    }

    fn add(&mut self, other: &Self) {
        self.payments += other.payments;
        self.debits += other.debits;
        self.refunds += other.refunds;
        self.operations += other.operations;
        self.events += other.events;
        self.commits += other.commits;
        self.listed += other.listed;
        self.steps += other.steps;
        self.calls += other.calls;
    }
}

/// Runs one seed and judges it.
pub fn run_seed(seed: u64) -> SeedResult {
    let story = generate(seed);
    let outcome = run(&story, false);
    SeedResult {
        seed,
        digest: outcome.digest.0,
        complaints: judge_story(&story, &outcome),
        occurred: Kind::ALL.iter().map(|kind| outcome.fault_counts.count(*kind)).collect(),
        done: Done::of(&outcome),
    }
}

/// What many seeds came to.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The digest of all of them, whatever the number of threads.
    pub digest: u64,
    /// What was done.
    pub done: Done,
    /// In how many seeds each kind of fault occurred.
    pub occurred: Vec<u64>,
    /// Seeds in which something was wrong.
    pub failed: Vec<SeedResult>,
    /// How many seeds.
    pub seeds: u64,
}

/// Runs seeds from `from` on, split over threads.
pub fn run_seeds(from: u64, count: u64, threads: usize) -> Report {
    let next = AtomicU64::new(from);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let mut own = Vec::new();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from.saturating_add(count) {
                        break;
                    }
                    own.push(run_seed(seed));
                }
                results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).append(&mut own);
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|result| result.seed);
    let mut report = Report { occurred: vec![0; Kind::ALL.len()], seeds: count, ..Report::default() };
    let mut digest = Digest::default();
    for result in results {
        digest.number(result.digest);
        report.done.add(&result.done);
        for (sum, occurred) in report.occurred.iter_mut().zip(&result.occurred) {
            *sum += u64::from(*occurred > 0);
        }
        if !result.complaints.is_empty() {
            report.failed.push(result);
        }
    }
    report.digest = digest.0;
    report
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = &self.done;
        let seeds = self.seeds.max(1);
        writeln!(
            f,
            "{} seeds: {} payments, {} debits, {} refunds, {} operations, {} calls, {} events, {} listed, {} commits",
            self.seeds,
            done.payments,
            done.debits,
            done.refunds,
            done.operations,
            done.calls,
            done.events,
            done.listed,
            done.commits
        )?;
        writeln!(f, "a seed has {} payments and {} steps", done.payments / seeds, done.steps / seeds)?;
        writeln!(f, "seeds in which each fault occurred:")?;
        for (kind, occurred) in Kind::ALL.iter().zip(&self.occurred) {
            writeln!(
                f,
                "  {:>5}.{} %  {}",
                occurred * 100 / seeds,
                occurred * 1000 / seeds % 10,
                kind.as_str()
            )?;
        }
        Ok(())
    }
}
