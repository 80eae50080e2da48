//! What arrives while the database is busy is done together: commits as group commit, and the reads before them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::error::StoreError;

/// What waits for the batch that is under way.
///
/// Whoever comes first is served at once and alone; nobody waits for company. A batch is a task of its own, so that a
/// caller who goes away takes nothing of the others with them.
pub(crate) struct Group<Item, Answer> {
    most: usize,
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
        Self { most: self.most, queue: Arc::clone(&self.queue) }
    }
}

/// Frees the queue when a batch panics: those who wait are told by their dropped answers.
struct Busy<Item, Answer>(Option<Arc<Mutex<Queue<Item, Answer>>>>);

impl<Item, Answer> Drop for Busy<Item, Answer> {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            let mut queue = lock(&queue);
            queue.busy = false;
            queue.waiting.clear();
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
    pub(crate) fn new(most: usize) -> Self {
        Self { most: most.max(1), queue: Arc::new(Mutex::new(Queue { waiting: Vec::new(), busy: false })) }
    }

    /// Does one thing, with what others want at the same time. `together` does a batch, and answers for each of it in
    /// the same order.
    pub(crate) async fn join<Together, Done>(
        &self,
        item: Item,
        together: Together,
    ) -> Result<Answer, StoreError>
    where
        Together: Fn(Vec<Item>) -> Done + Send + 'static,
        Done: Future<Output = Vec<Result<Answer, StoreError>>> + Send,
    {
        let lost = || StoreError::Unavailable("it ended without an answer; read anew what is stored".into());
        if self.most == 1 {
            return together(vec![item]).await.pop().unwrap_or_else(|| Err(lost()));
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
                    for (answer, result) in answers.into_iter().zip(together(items).await) {
                        // Who went away does not hear of it; it is done all the same.
                        drop(answer.send(result));
                    }
                }
            });
        }
        answered.await.unwrap_or_else(|_| Err(lost()))
    }
}
