//! A commit on its way to the simulated database, and the name by which a fault of a story means it.

use std::sync::Arc;

use tulbur_core::OperationState;
use tulbur_payments::store::Changes;
use tulbur_payments::{MemoryStore, OperationKind, Records, Source, StoreError};

use super::answer::{BUSY, IDLE_IN_TRANSACTION, at_once, away, maybe_committed};
use crate::fault::{Fault, Kind, Moment};
use crate::sim::{Due, Held, Sim, Slot, World};
use crate::story::Database;
use crate::units::{ProcessId, SECOND};

fn word_of_source(source: Source) -> &'static str {
    match source {
        Source::Application => "submit",
        other => other.as_str(),
    }
}

/// What a commit is, by which a fault names it: `reserve`, `submit`, `answer`, `notification`, `query`, `recovery`,
/// `person`, `clock`, `return`; of an operation with `-refund` and the like behind it.
pub(super) fn label_of(changes: &Changes) -> String {
    let source = changes.history.last().map(|line| word_of_source(line.source));
    if let Some(operation) = changes.operations.first() {
        let kind = match operation.kind {
            OperationKind::Capture => "capture",
            OperationKind::Void => "void",
            OperationKind::Refund => "refund",
            OperationKind::Cancel => "cancel",
            _ => "operation",
        };
        let step = match operation.state {
            OperationState::Reserved => "reserve",
            OperationState::Submitted => "submit",
            _ => source.unwrap_or("query"),
        };
        return format!("{step}-{kind}");
    }
    let word = match changes.payments.first() {
        Some(payment) if payment.version() == 0 => "reserve",
        _ if !changes.inbox.is_empty() => "notification",
        Some(_) => source.unwrap_or("query"),
        None => "other",
    };
    word.to_owned()
}

/// The label of the payment that a commit is about.
pub(super) fn subject_of(changes: &Changes, world: &World) -> String {
    let by_payment = changes.payments.first().map(|payment| payment.description.clone());
    by_payment
        .or_else(|| {
            let id = &changes.operations.first()?.payment;
            world.label_of(id).map(str::to_owned)
        })
        .unwrap_or_else(|| "-".into())
}

/// A commit on its way to the database.
pub(super) struct Commit {
    pub(super) inner: MemoryStore,
    pub(super) slot: Arc<Slot<Result<(), StoreError>>>,
    pub(super) process: ProcessId,
    pub(super) changes: Changes,
    pub(super) fault: Option<Fault>,
    pub(super) since: u64,
}

impl Commit {
    /// The commit arrives at the database.
    pub(super) fn arrive(mut self, sim: &Arc<Sim>) {
        let mut guard = sim.world();
        let world = &mut *guard;
        let back = world.latency();
        if world.now < world.database_away {
            world.fault_counts.add(Kind::DatabaseAway);
            self.slot.answer(world, self.process, back, Err(away()));
            return;
        }
        if world.held.is_some_and(|held| held.by != self.process) {
            if world.now >= self.since + BUSY {
                self.slot.answer(world, self.process, back, Err(StoreError::Locked));
            } else {
                world.after(SECOND / 10, Due::Do(Box::new(move |sim| self.arrive(sim))));
            }
            return;
        }
        match self.fault.take() {
            Some(Fault::Refuse) => {
                world.fault_counts.add(Kind::CommitRefused);
                self.slot.answer(world, self.process, back, Err(StoreError::Locked));
            }
            Some(Fault::Later(wait)) => {
                self.slot.answer(world, self.process, back, Err(maybe_committed()));
                let (inner, process, changes) = (self.inner, self.process, self.changes);
                let later = move |sim: &Arc<Sim>| {
                    let mut world = sim.world();
                    world.fault_counts.add(Kind::CommitLater);
                    // If it was repeated meanwhile, it is a conflict now.
                    if at_once(inner.commit(changes.clone())).is_ok() {
                        world.committed(process, &changes);
                        world.note(|| "the late commit is done".into());
                    }
                };
                world.after(wait, Due::Do(Box::new(later)));
            }
            Some(Fault::Pause(wait, Moment::Inside)) => {
                world.fault_counts.add(Kind::PauseInside);
                world.held = Some(Held { by: self.process });
                world.pause(self.process, wait);
                let held = match world.database {
                    Database::Sqlite => wait,
                    Database::Postgres => wait.min(IDLE_IN_TRANSACTION),
                };
                let ends_by_server = held < wait;
                let end = move |sim: &Arc<Sim>| {
                    sim.world().held = None;
                    if ends_by_server {
                        let mut world = sim.world();
                        self.slot.answer(&mut world, self.process, back, Err(maybe_committed()));
                    } else {
                        self.arrive(sim);
                    }
                };
                world.after(held, Due::Do(Box::new(end)));
            }
            fault => self.perform(world, fault.as_ref(), back),
        }
    }

    fn perform(self, world: &mut World, fault: Option<&Fault>, back: u64) {
        let mut result = at_once(self.inner.commit(self.changes.clone()));
        world.note(|| {
            let label = label_of(&self.changes);
            let lines: Vec<&str> = self.changes.history.iter().map(|line| line.what.as_str()).collect();
            format!("process {} commits {label}: {lines:?} {result:?}", self.process)
        });
        if result.is_ok() {
            world.committed(self.process, &self.changes);
            match fault {
                Some(Fault::Lose) => {
                    world.fault_counts.add(Kind::CommitAnswerLost);
                    result = Err(maybe_committed());
                }
                Some(Fault::Pause(wait, _)) => world.pause(self.process, *wait),
                Some(Fault::Crash(down, _)) => world.crash(self.process, *down),
                _ => {}
            }
        }
        self.slot.answer(world, self.process, back, result);
    }
}
