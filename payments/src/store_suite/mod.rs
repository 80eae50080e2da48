//! The suite that every [`Store`](crate::Store) passes, ours and yours.
//!
//! A store is trusted with the promise that nothing is lost and nothing happens twice, so each thing that
//! [`Payments`](crate::Payments) relies on is a check with a name. Put your store through all of them:
//!
//! ```
//! use std::sync::Arc;
//! use tulbur_payments::MemoryStore;
//! use tulbur_payments::store_suite::{self, Stores};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let report = store_suite::run(|| async {
//!     let store = Arc::new(MemoryStore::new());
//!     Stores::new(store.clone(), store)
//! })
//! .await;
//! report.assert_passed();
//! # }
//! ```
//!
//! Or take [`checks`] one by one, for a test harness of your own.

mod check;
mod commits;
mod deliveries;
mod due;
mod handlers;
mod inbox;
mod lists;
#[cfg(feature = "postgres")]
mod postgres_server;
mod samples;

use std::fmt;

pub use check::{Check, Stores};
#[cfg(feature = "postgres")]
pub use postgres_server::{PostgresServer, TestDatabase, TestPostgres, postgres_for_tests};

/// All checks.
pub fn checks() -> Vec<Check> {
    [commits::CHECKS, deliveries::CHECKS, due::CHECKS, handlers::CHECKS, inbox::CHECKS, lists::CHECKS]
        .concat()
}

/// Runs all checks, each on stores of its own that `open` makes on a database that nobody has used.
pub async fn run<Open, Opened>(open: Open) -> Report
where
    Open: Fn() -> Opened,
    Opened: Future<Output = Stores>,
{
    let mut report = Report(Vec::new());
    for check in checks() {
        let found = check.run(open().await).await;
        report.0.push((check, found));
    }
    report
}

/// How a store did.
#[derive(Debug)]
pub struct Report(Vec<(Check, Result<(), String>)>);

impl Report {
    /// The names of the checks that failed, and why.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().filter_map(|(check, found)| found.as_ref().err().map(|why| (check.name, why.as_str())))
    }

    /// # Panics
    /// With the report, when a check failed.
    pub fn assert_passed(&self) {
        assert!(self.failures().next().is_none(), "the store does not do what it must:\n{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (check, found) in &self.0 {
            match found {
                Ok(()) => writeln!(f, "ok      {}", check.name)?,
                Err(why) => writeln!(f, "FAILED  {}: {why}\n        wanted: {}", check.name, check.about)?,
            }
        }
        Ok(())
    }
}
