//! The list of checks, and how they are run.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::checks;
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
struct Setting {
    under_test: Arc<dyn UnderTest>,
    counterpart: Arc<dyn Counterpart>,
    /// One check at a time: the counterpart has one notification address and one list of faults.
    turn: Arc<Mutex<()>>,
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

/// A provider, its counterpart, and the checks that apply to them.
#[derive(Clone)]
pub struct Suite {
    setting: Setting,
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite")
            .field("under_test", &self.setting.under_test)
            .field("counterpart", &self.setting.counterpart)
            .finish()
    }
}

impl Suite {
    /// A suite.
    pub fn new(under_test: impl UnderTest, counterpart: impl Counterpart) -> Self {
        let setting = Setting {
            under_test: Arc::new(under_test),
            counterpart: Arc::new(counterpart),
            turn: Arc::default(),
        };
        Self { setting }
    }

    /// The checks that the provider's traits, flows and limits ask for.
    pub fn checks(&self) -> Vec<Check> {
        let mut list = List { setting: self.setting.clone(), checks: Vec::new() };
        checks::list(&mut list, &self.setting.under_test);
        list.checks
    }

    /// Runs all of them, one after the other.
    pub fn run(&self) -> Report {
        let verdicts = self.checks().iter().map(|check| (check.name().to_owned(), check.run())).collect();
        Report { verdicts }
    }
}

/// What came of all checks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Each check's name and verdict, in their order.
    pub verdicts: Vec<(String, Verdict)>,
}

impl Report {
    /// The names of the checks that failed.
    pub fn failed(&self) -> Vec<&str> {
        self.names(|verdict| matches!(verdict, Verdict::Failed(_)))
    }

    /// The names of the checks that could not be tried.
    pub fn ignored(&self) -> Vec<&str> {
        self.names(|verdict| matches!(verdict, Verdict::Ignored(_)))
    }

    /// The names of the checks that passed.
    pub fn passed(&self) -> Vec<&str> {
        self.names(|verdict| *verdict == Verdict::Passed)
    }

    fn names(&self, wanted: impl Fn(&Verdict) -> bool) -> Vec<&str> {
        self.verdicts.iter().filter(|(_, verdict)| wanted(verdict)).map(|(name, _)| name.as_str()).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, verdict) in &self.verdicts {
            match verdict {
                Verdict::Passed => writeln!(f, "passed   {name}")?,
                Verdict::Ignored(why) => writeln!(f, "ignored  {name}: {why}")?,
                Verdict::Failed(why) => writeln!(f, "FAILED   {name}: {why}")?,
            }
        }
        Ok(())
    }
}

/// Runs the suite as a test program of its own (`harness = false`): `cargo test` shows each check by its name, and
/// takes the usual filters.
pub fn main(suite: &Suite) -> ExitCode {
    let trials = suite
        .checks()
        .into_iter()
        .map(|check| {
            let name = check.name().to_owned();
            Trial::ignorable_test(name, move || match check.run() {
                Verdict::Passed => Ok(Completion::Completed),
                Verdict::Ignored(why) => Ok(Completion::ignored_with(why)),
                Verdict::Failed(why) => Err(Failed::from(why)),
            })
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
