//! Groups calls that arrive while the database is busy: commits become one group commit, and so do the reads before them.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use tokio::sync::oneshot;

use crate::error::StoreError;

/// What waits for the batch that is under way.
///
/// Whoever comes first is served at once and alone; nobody waits for company. A batch is a task of its own, so that a
/// caller who goes away takes nothing of the others with them.
///
/// A batch that panics or is canceled answers nobody: its members, and nobody else, get the error that the group was made
/// with. What waited behind it is done in the next batch, or was never begun.
pub(crate) struct Group<Item, Answer> {
    most: usize,
    /// What a batch without an answer means to its members.
    unanswered: StoreError,
    queue: Arc<Mutex<Queue<Item, Answer>>>,
}

struct Queue<Item, Answer> {
    waiting: Vec<Waiting<Item, Answer>>,
    busy: bool,
}

/// One caller.
struct Waiting<Item, Answer> {
    item: Item,
    answer: oneshot::Sender<Result<Answer, StoreError>>,
}

impl<Item, Answer> Clone for Group<Item, Answer> {
    fn clone(&self) -> Self {
        Self { most: self.most, unanswered: self.unanswered.clone(), queue: Arc::clone(&self.queue) }
    }
}

/// Frees the queue when its task ends early, because the runtime shuts down: what still waits was not begun.
struct Busy<Item, Answer>(Option<Arc<Mutex<Queue<Item, Answer>>>>);

impl<Item, Answer> Drop for Busy<Item, Answer> {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            let mut queue = lock(&queue);
            queue.busy = false;
            for one in queue.waiting.drain(..) {
                let error = StoreError::Unavailable("the runtime is shutting down; it was not begun".into());
                drop(one.answer.send(Err(error)));
            }
        }
    }
}

fn lock<Item, Answer>(queue: &Mutex<Queue<Item, Answer>>) -> MutexGuard<'_, Queue<Item, Answer>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<Item, Answer> fmt::Debug for Group<Item, Answer> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("most", &self.most).finish_non_exhaustive()
    }
}

impl<Item: Send + 'static, Answer: Send + 'static> Group<Item, Answer> {
    /// Batches of so many at most; of one, nobody is put together with anybody, nor waits for another.
    pub(crate) fn new(most: usize, unanswered: StoreError) -> Self {
        let queue = Arc::new(Mutex::new(Queue { waiting: Vec::new(), busy: false }));
        Self { most: most.max(1), unanswered, queue }
    }

    /// Does one thing, with what others want at the same time. `together` does a batch, and answers for each of it in
    /// the same order.
    pub(crate) async fn join<Together, Done>(
        &self,
        item: Item,
        together: Together,
    ) -> Result<Answer, StoreError>
    where
        Together: Fn(Vec<Item>) -> Done + Send + Sync + 'static,
        Done: Future<Output = Vec<Result<Answer, StoreError>>> + Send,
    {
        if self.most == 1 {
            return together(vec![item]).await.pop().unwrap_or_else(|| Err(self.unanswered.clone()));
        }
        let (answer, answered) = oneshot::channel();
        let first = {
            let mut queue = lock(&self.queue);
            queue.waiting.push(Waiting { item, answer });
            !std::mem::replace(&mut queue.busy, true)
        };
        if first {
            let (most, queue) = (self.most, Arc::clone(&self.queue));
            tokio::spawn(async move {
                let mut busy = Busy(Some(Arc::clone(&queue)));
                loop {
                    let batch: Vec<Waiting<Item, Answer>> = {
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
                    let (items, answers): (Vec<_>, Vec<_>) =
                        batch.into_iter().map(|one| (one.item, one.answer)).unzip();
                    // Built inside, so that it may panic there too. Whoever has no result is told by its dropped answer.
                    let batch = AssertUnwindSafe(async { together(items).await }).catch_unwind();
                    let results = batch.await.unwrap_or_else(|_| {
                        tracing::error!(
                            "a batch of the database panicked; its members are told that it has no answer"
                        );
                        Vec::new()
                    });
                    for (answer, result) in answers.into_iter().zip(results) {
                        // Who went away does not hear of it; it is done all the same.
                        drop(answer.send(result));
                    }
                }
            });
        }
        answered.await.unwrap_or_else(|_| Err(self.unanswered.clone()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::*;

    fn group() -> Group<u32, u32> {
        Group::new(8, StoreError::MaybeCommitted("unanswered".into()))
    }

    /// Answers with the number, but panics in a batch that has a 13.
    async fn together(batch: Vec<u32>) -> Vec<Result<u32, StoreError>> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!batch.contains(&13), "planted");
        batch.into_iter().map(Ok).collect()
    }

    #[tokio::test]
    async fn a_batch_that_panics_is_unanswered_and_the_next_is_done() {
        let group = group();
        // All come at once, and are taken eight at a time.
        let calls = [1, 13, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        let answers = join_all(calls.map(|number| group.join(number, together))).await;
        let answers: Vec<Option<u32>> = answers
            .into_iter()
            .map(|answer| match answer {
                Ok(number) => Some(number),
                Err(error) => {
                    assert!(error.may_have_committed(), "{error:?}");
                    None
                }
            })
            .collect();
        assert_eq!(answers[..8], [None; 8], "the members of the batch that panicked");
        assert_eq!(answers[8..], [Some(8), Some(9), Some(10)], "what waited behind it is done");
        assert_eq!(group.join(11, together).await.unwrap(), 11, "and so is what comes after it");
    }

    #[tokio::test]
    async fn who_gets_no_answer_from_its_batch_is_told_so() {
        let short = async |mut batch: Vec<u32>| {
            batch.pop();
            batch.into_iter().map(Ok).collect()
        };
        let group = group();
        let error = group.join(1, short).await.unwrap_err();
        assert!(error.may_have_committed(), "{error:?}");
    }

    #[test]
    fn a_runtime_that_shuts_down_says_what_was_not_begun() {
        let group = group();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let forever = |_: Vec<u32>| async {
            std::future::pending::<()>().await;
            Vec::new()
        };
        let outside = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (under_way, waiting) = outside.block_on(async {
            let begun = {
                let _inside = runtime.enter();
                let (first, second) = (group.clone(), group.clone());
                let mut first = Box::pin(async move { first.join(1, forever).await });
                let mut second = Box::pin(async move { second.join(2, forever).await });
                assert!(first.as_mut().now_or_never().is_none());
                while !lock(&group.queue).waiting.is_empty() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                assert!(second.as_mut().now_or_never().is_none());
                (first, second)
            };
            runtime.shutdown_background();
            tokio::join!(begun.0, begun.1)
        });
        assert!(under_way.unwrap_err().may_have_committed(), "the batch that was under way");
        assert!(matches!(waiting, Err(StoreError::Unavailable(_))), "what was not begun: {waiting:?}");
    }
}
