//! The handlers of this process: which can be called, which have room, and the calls that are under way.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tulbur_core::Timestamp;

use crate::model::event::EventHandler;
use crate::store::HandlerSpec;

/// Deliveries of one handler that are under way at one time.
const UNDER_WAY: usize = 128;
/// How often a process says which handlers it has, and looks for those that nobody has.
const WATCH_EVERY: Duration = Duration::from_mins(1);

/// The handlers of this process, and the calls that are under way.
pub(crate) struct Deliverer {
    pub(super) handlers: Vec<Handler>,
    /// How long a handler may take for one event.
    pub(super) limit: Duration,
    /// Calls that have not ended, each with whether it was to be aborted.
    pub(super) calls: Arc<Mutex<HashMap<(String, i64), bool>>>,
    pub(super) registered: AtomicBool,
    pub(super) watched: Mutex<Watched>,
}

pub(super) struct Handler {
    pub(super) name: String,
    pub(super) work: Arc<dyn EventHandler>,
    pub(super) room: Arc<Semaphore>,
}

#[derive(Default)]
pub(super) struct Watched {
    last: Option<Timestamp>,
    /// Keys of missing handlers that were listed by this process.
    pub(super) listed: BTreeSet<String>,
}

impl Watched {
    /// Whether it is time to look; then it is not for a while.
    pub(super) fn is_time(&mut self, now: Timestamp) -> bool {
        // A clock that was set back must not stop it.
        let time = self.last.is_none_or(|last| now.since(last) >= WATCH_EVERY || now < last);
        if time {
            self.last = Some(now);
        }
        time
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Deliverer {
    pub(crate) fn new(handlers: Vec<(String, Arc<dyn EventHandler>)>, limit: Duration) -> Self {
        let handlers = handlers
            .into_iter()
            .map(|(name, work)| Handler { name, work, room: Arc::new(Semaphore::new(UNDER_WAY)) })
            .collect();
        Self {
            handlers,
            limit,
            calls: Arc::default(),
            registered: AtomicBool::new(false),
            watched: Mutex::default(),
        }
    }

    pub(crate) fn specs(&self) -> Vec<HandlerSpec> {
        let spec = |one: &Handler| HandlerSpec::new(&one.name, one.work.in_order());
        self.handlers.iter().map(spec).collect()
    }

    /// The handlers that can be called now. One with a call that was aborted and goes on all the same is not: it blocks
    /// a thread, and each further call might block another.
    pub(super) fn able(&self) -> impl Iterator<Item = &Handler> {
        let calls = lock(&self.calls);
        let stuck: BTreeSet<String> =
            calls.iter().filter(|(_, aborted)| **aborted).map(|((name, _), _)| name.clone()).collect();
        drop(calls);
        self.handlers.iter().filter(move |one| !stuck.contains(&one.name))
    }

    /// The handlers that can be called now and have room.
    pub(crate) fn waiting_for_work(&self) -> Vec<String> {
        self.with_room().map(|one| one.name.clone()).collect()
    }

    /// Whether each handler can be called now and has room.
    pub(crate) fn has_room_everywhere(&self) -> bool {
        self.with_room().count() == self.handlers.len()
    }

    pub(super) fn with_room(&self) -> impl Iterator<Item = &Handler> {
        self.able().filter(|one| one.room.available_permits() > 0)
    }
}
