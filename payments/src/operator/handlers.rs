//! Registers and removes handlers, and brings back what was given up for one.

use tulbur_core::Timestamp;

use crate::engine::deliveries::{missing_key, undelivered_key};
use crate::engine::inner::Payments;
use crate::error::{Error, Result};
use crate::store::{Changes, ParkedDelivery, RegisteredHandler, Store};

/// Deliveries that were given up are looked through up to this many.
const MOST_PARKED: u32 = 10_000;

impl Payments {
    /// Registers this process's handlers: they are told of every event that is committed from now on. The first
    /// handlers that a database has are told of everything before as well.
    ///
    /// [`Payments::run`] does so by itself. Call it earlier where events must not be missed that are committed before
    /// a process with a *new* handler runs, for example when a release is deployed.
    ///
    /// # Errors
    /// The database's.
    pub async fn register_handlers(&self) -> Result<()> {
        Ok(self.0.register().await?)
    }

    /// All registered handlers, those of other processes too, and how much waits for each.
    ///
    /// # Errors
    /// The database's.
    pub async fn handlers(&self) -> Result<Vec<RegisteredHandler>> {
        Ok(self.0.store.handlers().await?)
    }

    /// As [`remove_handler`].
    ///
    /// # Errors
    /// As [`remove_handler`].
    pub async fn remove_handler(&self, name: &str, heir: Option<&str>) -> Result<u64> {
        remove_handler(&*self.0.store, name, heir, self.now()).await
    }

    /// Has a registered handler told of the events committed at or after this time that it has not heard of: for a
    /// handler that is newer than they are. Answers how many that were. No event is committed meanwhile, so do it in a
    /// quiet hour where there are millions.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not registered; the database's.
    pub async fn backfill_handler(&self, name: &str, from: Timestamp) -> Result<u64> {
        let found = self.0.store.backfill_handler(name, from, self.now()).await?;
        self.0.wake.notify_one();
        found.ok_or_else(|| Error::NotFound(format!("registered handler `{name}`")))
    }
}

/// Removes a handler that the application has no more. What waits for it, and what was given up for it, goes to another
/// registered handler, the heir, for example when it was renamed; without one it is **dropped**. Answers how many
/// deliveries that were.
///
/// Stop the processes that have the handler first: they are told of nothing more, and register it again when they start.
///
/// # Errors
/// [`Error::NotFound`] when one of the two is not registered; the database's.
pub async fn remove_handler(
    store: &dyn Store,
    name: &str,
    heir: Option<&str>,
    now: Timestamp,
) -> Result<u64> {
    let handlers = store.handlers().await?;
    let missing =
        handlers.iter().find(|handler| handler.name == name).map(|one| missing_key(name, one.seen_at));
    let parked = store.parked_deliveries(MOST_PARKED).await?;
    let removed = store.remove_handler(name, heir, now).await?.ok_or_else(|| {
        let names: Vec<&str> = handlers.iter().map(|handler| handler.name.as_str()).collect();
        let both = heir.map(|heir| format!(" and `{heir}`")).unwrap_or_default();
        Error::NotFound(format!(
            "handler `{name}`{both}, two different ones; registered are: {}",
            names.join(", ")
        ))
    })?;
    let parked = parked.iter().filter(|one| one.handler == name);
    let parked = parked.map(|one| undelivered_key(name, &one.event.id, one.first_at));
    let resolved = missing.into_iter().chain(parked).map(|key| (key, now)).collect();
    store.commit(Changes { resolved, ..Changes::default() }).await?;
    Ok(removed)
}

/// Makes a delivery that was given up due again, and resolves its item; whether it was still given up.
///
/// # Errors
/// The database's.
pub async fn unpark(store: &dyn Store, parked: &ParkedDelivery, now: Timestamp) -> Result<bool> {
    let ParkedDelivery { handler, event, first_at, .. } = parked;
    if !store.unpark_delivery(handler, &event.id, now).await? {
        return Ok(false);
    }
    let resolved = vec![(undelivered_key(handler, &event.id, *first_at), now)];
    store.commit(Changes { resolved, ..Changes::default() }).await?;
    Ok(true)
}
