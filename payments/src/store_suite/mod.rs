//! The suite that every [`Store`] passes, ours and yours.
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

mod commits;
mod deliveries;
mod due;
mod handlers;
mod inbox;
mod lists;
#[cfg(feature = "postgres")]
mod postgres_server;
mod samples;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::store::Store;

#[cfg(feature = "postgres")]
pub use postgres_server::{PostgresServer, TestDatabase, TestPostgres, postgres_for_tests};

/// Two stores on one database that nobody has used yet, as two processes would have it.
#[derive(Clone)]
pub struct Stores {
    /// The one process's.
    pub one: Arc<dyn Store>,
    /// The other's. For a store that lives in one process only, the same.
    pub two: Arc<dyn Store>,
    keep: Option<Arc<dyn Any + Send + Sync>>,
}

impl Stores {
    /// Two stores on one empty database.
    pub fn new(one: Arc<dyn Store>, two: Arc<dyn Store>) -> Self {
        Self { one, two, keep: None }
    }

    /// With something that must live as long as they do, such as a temporary folder.
    #[must_use]
    pub fn keeping(mut self, keep: impl Any + Send + Sync) -> Self {
        self.keep = Some(Arc::new(keep));
        self
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entry(&self.one).entry(&self.two).finish()
    }
}

/// What a check found: nothing, or what is wrong.
pub(crate) type Found = Result<(), String>;

/// One thing that every store must do.
#[derive(Clone, Copy)]
pub struct Check {
    /// Its name, in words joined by underscores.
    pub name: &'static str,
    /// What it asks for.
    pub about: &'static str,
    work: fn(Stores) -> BoxFuture<'static, Found>,
}

impl Check {
    /// Puts two stores on one **empty** database through it.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub async fn run(&self, stores: Stores) -> Result<(), String> {
        // In a task of its own, so that a store that panics is a store that failed.
        match tokio::spawn((self.work)(stores)).await {
            Ok(found) => found,
            Err(panic) => Err(format!("it panicked: {panic}")),
        }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).finish_non_exhaustive()
    }
}

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
pub struct Report(Vec<(Check, Found)>);

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

/// Fails the check, with words.
macro_rules! ensure {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err(format!($($words)+));
        }
    };
}

/// Fails the check when two things differ, and shows both.
macro_rules! ensure_eq {
    ($left:expr, $right:expr, $($words:tt)+) => {
        match (&$left, &$right) {
            (left, right) => {
                if left != right {
                    return Err(format!("{}: is {left:?}, must be {right:?}", format!($($words)+)));
                }
            }
        }
    };
}

/// Names checks and says what each asks for.
macro_rules! named_checks {
    ($($name:ident: $about:literal,)+) => {
        pub(super) const CHECKS: &[super::Check] = &[$(super::Check {
            name: stringify!($name),
            about: $about,
            work: |stores| Box::pin($name(stores)),
        }),+];
    };
}

use {ensure, ensure_eq, named_checks};

/// What went wrong where nothing may.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(error: crate::error::StoreError) -> String {
    format!("the store failed: {error}")
}
