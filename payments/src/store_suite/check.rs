//! One check of the suite, the stores that it is run on, and the words in which it fails.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::store::Store;

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
    pub(super) work: fn(Stores) -> BoxFuture<'static, Found>,
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
        pub(super) const CHECKS: &[super::check::Check] = &[$(super::check::Check {
            name: stringify!($name),
            about: $about,
            work: |stores| Box::pin($name(stores)),
        }),+];
    };
}

pub(super) use {ensure, ensure_eq, named_checks};

/// What went wrong where nothing may.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn failed(error: crate::error::StoreError) -> String {
    format!("the store failed: {error}")
}
