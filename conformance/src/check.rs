//! One check: its name, how it is tried, and what came of it.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::counterpart::Counterpart;
use crate::logs::Logs;
use crate::under_test::UnderTest;
use crate::world::{Checked, Stop, World};

/// Longer than any check needs, on a slow machine too.
const LONGEST: Duration = Duration::from_mins(2);

type Body = Arc<dyn Fn(Arc<World>) -> Pin<Box<dyn Future<Output = Checked>>> + Send + Sync>;

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The provider keeps this promise.
    Passed,
    /// It does not, and why that was seen.
    Failed(String),
    /// It could not be tried, and why.
    Ignored(String),
}

/// One check: a promise, and how to try it.
#[derive(Clone)]
pub struct Check {
    name: String,
    body: Body,
    setting: Setting,
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Check({})", self.name)
    }
}

#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) under_test: Arc<dyn UnderTest>,
    pub(crate) counterpart: Arc<dyn Counterpart>,
    /// One check at a time: the counterpart has one notification address and one list of faults.
    pub(crate) turn: Arc<Mutex<()>>,
}

impl Check {
    /// The promise, such as `outcome::charge_cut_after_sending_is_unknown`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tries it, with a fresh provider. A panic is a failure.
    pub fn run(&self) -> Verdict {
        let turn = self.setting.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = match catch_unwind(AssertUnwindSafe(|| self.try_it())) {
            Ok(Ok(())) => Verdict::Passed,
            Ok(Err(Stop::Failed(why))) => Verdict::Failed(why),
            Ok(Err(Stop::Ignored(why))) => Verdict::Ignored(why),
            Err(panic) => Verdict::Failed(format!("a panic: {}", words(&*panic))),
        };
        drop(turn);
        verdict
    }

    fn try_it(&self) -> Checked {
        // One thread, so that everything that is logged anywhere below is caught by this thread's subscriber.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let logs = Logs::default();
        let _logging = tracing::dispatcher::set_default(&logs.subscriber());
        let Setting { under_test, counterpart, .. } = self.setting.clone();
        runtime.block_on(async {
            let work = async {
                let world = Arc::new(World::new(under_test, counterpart, logs).await?);
                (self.body)(world).await
            };
            tokio::time::timeout(LONGEST, work)
                .await
                .unwrap_or_else(|_| Err(Stop::Failed(format!("it was not done within {LONGEST:?}"))))
        })
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without words")
}

/// The checks that a list is made of.
pub(crate) struct List {
    setting: Setting,
    checks: Vec<Check>,
}

impl List {
    pub(crate) fn new(setting: Setting) -> Self {
        Self { setting, checks: Vec::new() }
    }

    pub(crate) fn into_checks(self) -> Vec<Check> {
        self.checks
    }

    /// Adds a check.
    pub(crate) fn add<F, Fut>(&mut self, name: impl Into<String>, body: F)
    where
        F: Fn(Arc<World>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Checked> + 'static,
    {
        let body: Body = Arc::new(move |world| Box::pin(body(world)));
        self.checks.push(Check { name: name.into(), body, setting: self.setting.clone() });
    }
}
