//! The network between a process and the simulated database: it suspends, fails and loses answers.

use std::sync::Arc;

use tulbur_payments::{MemoryStore, StoreError};

use super::answer::{BUSY, at_once, away, maybe_committed};
use crate::fault::{Fault, Kind, Moment, Point};
use crate::sim::Sim;
use crate::units::{ProcessId, SECOND};

/// The database as one process sees it.
#[derive(Debug)]
pub(crate) struct SimStore {
    pub(super) inner: MemoryStore,
    pub(super) sim: Arc<Sim>,
    pub(super) process: ProcessId,
}

/// What a change returns.
pub(super) trait Changed {
    /// Whether it changed nothing.
    fn nothing(&self) -> bool {
        false
    }
}

impl Changed for () {}
impl Changed for bool {}
impl Changed for u64 {}
impl<T> Changed for Option<T> {
    fn nothing(&self) -> bool {
        self.is_none()
    }
}
impl<T> Changed for Vec<T> {
    fn nothing(&self) -> bool {
        self.is_empty()
    }
}

impl SimStore {
    pub(crate) fn new(inner: MemoryStore, sim: Arc<Sim>, process: ProcessId) -> Self {
        Self { inner, sim, process }
    }

    /// A read: one suspension, before it or after it; or none.
    pub(super) async fn read<T>(
        &self,
        read: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let (place, wait, gone) = {
            let mut world = self.sim.world();
            let gone = world.now < world.database_away;
            (world.choose(3), world.latency(), gone)
        };
        if gone {
            self.sim.world().fault_counts.add(Kind::DatabaseAway);
            self.sim.delay(self.process, wait).await;
            return Err(away());
        }
        if place == 2 {
            return at_once(read);
        }
        if place == 0 {
            self.sim.delay(self.process, wait).await;
            return at_once(read);
        }
        let result = at_once(read);
        self.sim.delay(self.process, wait).await;
        result
    }

    /// A read that follows another one, and on whose moment nothing depends: no suspension.
    pub(super) fn glance<T>(
        &self,
        read: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let mut world = self.sim.world();
        if world.now < world.database_away {
            world.fault_counts.add(Kind::DatabaseAway);
            return Err(away());
        }
        drop(world);
        at_once(read)
    }

    /// A change that is no commit: a suspension before it, and one after it if it changed something.
    pub(super) async fn change<T: Changed>(
        &self,
        name: &'static str,
        change: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let (fault, prompt) = {
            let mut world = self.sim.world();
            let fault = world.faults.at(Point::Claim, self.process, name, "-");
            if let Some(Fault::Pause(wait, Moment::Before)) = fault {
                world.pause(self.process, wait);
            }
            let prompt = fault.is_none() && world.choose(3) > 0;
            (fault, prompt)
        };
        // Most claims of a worker find nothing; they need not be apart.
        if !prompt {
            self.sim.hop(self.process).await;
        }
        let began = self.sim.world().now;
        while !self.is_free(began)? {
            self.sim.delay(self.process, SECOND / 10).await;
        }
        if fault == Some(Fault::Refuse) {
            self.sim.world().fault_counts.add(Kind::CommitRefused);
            return Err(StoreError::Locked);
        }
        let result = self.changed(at_once(change), fault.as_ref());
        if result.as_ref().is_ok_and(Changed::nothing) {
            return result;
        }
        self.sim.world().processes[self.process].naps = 0;
        self.sim.hop(self.process).await;
        result
    }

    /// Whether the database takes a change now.
    fn is_free(&self, since: u64) -> Result<bool, StoreError> {
        let mut world = self.sim.world();
        if world.now < world.database_away {
            world.fault_counts.add(Kind::DatabaseAway);
            return Err(away());
        }
        let held = world.held.is_some_and(|held| held.by != self.process);
        if held && world.now >= since + BUSY { Err(StoreError::Locked) } else { Ok(!held) }
    }

    /// What the process learns of a change that was made.
    fn changed<T>(&self, result: Result<T, StoreError>, fault: Option<&Fault>) -> Result<T, StoreError> {
        let value = result?;
        let mut world = self.sim.world();
        world.count_clock(self.process);
        world.processes[self.process].waiting += 1;
        match fault {
            Some(Fault::Pause(wait, Moment::After)) => world.pause(self.process, *wait),
            Some(Fault::Crash(down, _)) => world.crash(self.process, *down),
            _ => {}
        }
        world.processes[self.process].waiting -= 1;
        if fault == Some(&Fault::Lose) {
            world.fault_counts.add(Kind::ClaimAnswerLost);
            return Err(maybe_committed());
        }
        Ok(value)
    }
}
