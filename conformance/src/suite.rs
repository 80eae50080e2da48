//! A suite: the checks that apply to one provider, run together, and what came of them.

use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::check::{Check, List, Setting, Verdict};
use crate::checks;
use crate::counterpart::Counterpart;
use crate::under_test::UnderTest;

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
        let mut list = List::new(self.setting.clone());
        checks::list(&mut list, &self.setting.under_test);
        list.into_checks()
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
