//! Hearing of what other processes commit.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::engine::inner::Inner;
use crate::store::Wake;

/// How long after a failure the database is asked to tell again.
const AGAIN: Duration = Duration::from_secs(5);

impl Inner {
    /// Listens for as long as what it returns lives: who watches a payment sees what another process stored, and the
    /// worker looks for what is due. While nothing is heard, both find out by themselves, only later.
    pub(crate) fn hear(self: &Arc<Self>) -> JoinSet<()> {
        let inner = Arc::clone(self);
        let mut hearing = JoinSet::new();
        hearing.spawn(async move {
            loop {
                match inner.store.wakes().await {
                    Ok(None) => return,
                    Ok(Some(mut wakes)) => {
                        while let Some(wake) = wakes.recv().await {
                            if let Wake::Payment(id) = wake {
                                drop(inner.changed.send(id));
                            }
                            inner.wake.notify_one();
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "commits of other processes are not heard of; trying again");
                    }
                }
                inner.sleep(AGAIN).await;
            }
        });
        hearing
    }
}
