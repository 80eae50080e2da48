//! Group commit: what arrives while the database is busy is committed together.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::error::StoreError;
use crate::store::Changes;

/// Commits that wait for the one that is under way.
///
/// Whoever comes first commits at once and alone; nobody waits for company. A batch is committed in a task of its own, so
/// that a caller who goes away takes nothing of the others with them.
#[derive(Clone)]
pub(crate) struct Group {
    most: usize,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    busy: bool,
}

/// One caller.
struct Waiting {
    changes: Changes,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

/// Frees the queue when a batch panics: those who wait are told by their dropped answers.
struct Busy(Option<Arc<Mutex<Queue>>>);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            let mut queue = lock(&queue);
            queue.busy = false;
            queue.waiting.clear();
        }
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("most", &self.most).finish_non_exhaustive()
    }
}

impl Group {
    pub(crate) fn new(most: usize) -> Self {
        Self { most: most.max(1), queue: Arc::default() }
    }

    /// Whether commits are put together at all.
    pub(crate) fn is_on(&self) -> bool {
        self.most > 1
    }

    /// Returns once these changes are committed, or are not. `commit` commits a batch, and answers for each of it in
    /// the same order.
    pub(crate) async fn commit<Commit, Committed>(
        &self,
        changes: Changes,
        commit: Commit,
    ) -> Result<(), StoreError>
    where
        Commit: Fn(Vec<Changes>) -> Committed + Send + 'static,
        Committed: Future<Output = Vec<Result<(), StoreError>>> + Send,
    {
        let (answer, answered) = oneshot::channel();
        let first = {
            let mut queue = lock(&self.queue);
            queue.waiting.push(Waiting { changes, answer });
            !std::mem::replace(&mut queue.busy, true)
        };
        if first {
            let (most, queue) = (self.most, Arc::clone(&self.queue));
            tokio::spawn(async move {
                let mut busy = Busy(Some(Arc::clone(&queue)));
                loop {
                    let batch: Vec<Waiting> = {
                        let mut queue = lock(&queue);
                        if queue.waiting.is_empty() {
                            queue.busy = false;
                            // Whoever comes now is the first again; there is nothing left to free.
                            busy.0 = None;
                            return;
                        }
                        let size = queue.waiting.len().min(most);
                        queue.waiting.drain(..size).collect()
                    };
                    let (changes, answers): (Vec<_>, Vec<_>) =
                        batch.into_iter().map(|one| (one.changes, one.answer)).unzip();
                    crate::observe::batch(changes.len());
                    for (answer, result) in answers.into_iter().zip(commit(changes).await) {
                        // Who went away does not hear of it; it is committed all the same.
                        drop(answer.send(result));
                    }
                }
            });
        }
        answered.await.unwrap_or_else(|_| {
            Err(StoreError::Unavailable(
                "the commit ended without an answer; read anew what is stored".into(),
            ))
        })
    }
}
