//! Delivers events: claims what is due for each handler of this process, calls the handler, and settles how it ended.
//!
//! Each handler has deliveries, claims and attempts of its own, so what one of them does or does not do is nothing to
//! another. A claim is renewed while its handler works. The commit that settles it compares its token, so a process
//! that slept over its lease settles nothing.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinHandle, JoinSet};
use tracing::Instrument;
use tulbur_core::Timestamp;

use crate::engine::deliverer::{Handler, lock};
use crate::engine::inner::Inner;
use crate::engine::probe::Point;
use crate::error::{Result, StoreError};
use crate::metrics;
use crate::model::event::{
    AttentionItem, AttentionKind, Event, EventHandler, EventKind, GiveUp, HandlerError, RetryLimit,
};
use crate::model::record::EventId;
use crate::model::schedule::spread;
use crate::store::{Changes, Claim, ClaimedDelivery, Settle};

/// Deliveries of one handler that are claimed at once.
const CLAIMED_AT_ONCE: usize = 32;
/// A handler that no process has had for this long, and that something waits for, is listed.
const MISSING_AFTER: Duration = Duration::from_mins(10);
/// How long until an event that this release cannot read is looked at again: another release may have taken it by then.
const ASIDE: Duration = Duration::from_mins(1);
/// The same, once it is listed.
const ASIDE_LISTED: Duration = Duration::from_mins(10);
/// How long an event may stay unreadable before it is listed.
const UNREADABLE_FOR: Duration = Duration::from_hours(1);
/// The longest wait between two tries, as a power of two in seconds: of a handler that ends by attempts, and by age.
const LONGEST_WAITS: (u32, u32) = (9, 12);

/// A call that is under way, as long as this lives.
struct Calling {
    inner: Arc<Inner>,
    place: (String, i64),
    _room: OwnedSemaphorePermit,
}

impl Calling {
    /// None if the same delivery is being called already.
    fn start(inner: &Arc<Inner>, claim: &Claim, room: OwnedSemaphorePermit) -> Option<Self> {
        let place = (claim.handler.clone(), claim.seq);
        let mut calls = lock(&inner.deliverer.calls);
        if calls.contains_key(&place) {
            return None;
        }
        calls.insert(place.clone(), false);
        drop(calls);
        Some(Self { inner: Arc::clone(inner), place, _room: room })
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        if lock(&self.inner.deliverer.calls).remove(&self.place) == Some(true) {
            // Its handler can be called again.
            self.inner.wake.notify_one();
        }
    }
}

/// A handler's call in a task of its own, so that one that panics has failed. It is aborted when nobody waits for it any
/// more.
struct Call {
    task: JoinHandle<Result<(), HandlerError>>,
    calls: Arc<Mutex<HashMap<(String, i64), bool>>>,
    place: (String, i64),
}

impl Call {
    fn start(calling: Calling, handler: &Arc<dyn EventHandler>, event: &Event) -> Self {
        let (calls, place) = (Arc::clone(&calling.inner.deliverer.calls), calling.place.clone());
        let (handler, event) = (Arc::clone(handler), event.clone());
        let work = async move {
            let _calling = calling;
            handler.handle(&event).await
        };
        Self { task: tokio::spawn(work.in_current_span()), calls, place }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(aborted) = lock(&self.calls).get_mut(&self.place) {
            *aborted = true;
        }
        self.task.abort();
    }
}

/// How a call ended.
enum End {
    Done,
    Failed(HandlerError),
    /// Another process took the delivery over.
    Lost,
}

impl Inner {
    /// Registers this process's handlers, once.
    pub(crate) async fn register(&self) -> Result<(), StoreError> {
        let deliverer = &self.deliverer;
        if deliverer.registered.load(Ordering::Acquire) || deliverer.handlers.is_empty() {
            return Ok(());
        }
        let now = self.now();
        self.store.register_handlers(&deliverer.specs(), now).await?;
        deliverer.registered.store(true, Ordering::Release);
        Ok(())
    }

    /// Registers the handlers of this process once, and looks for missing handlers now and then. It comes before any
    /// claim.
    pub(crate) async fn prepare_deliveries(&self) -> Result<()> {
        self.register().await?;
        Ok(self.watch_handlers().await?)
    }

    /// Claims deliveries that are due and begins to work on them; whether there were any.
    pub(crate) async fn take_deliveries(self: &Arc<Self>, jobs: &mut JoinSet<Result<()>>) -> Result<bool> {
        let mut rooms = HashMap::new();
        let mut wanted = Vec::new();
        for one in self.deliverer.able() {
            let most = one.room.available_permits().min(CLAIMED_AT_ONCE);
            let number = u32::try_from(most).unwrap_or(0);
            if let Some(room) =
                Arc::clone(&one.room).try_acquire_many_owned(number).ok().filter(|_| number > 0)
            {
                rooms.insert(one.name.as_str(), room);
                wanted.push((one.name.clone(), number));
            }
        }
        if wanted.is_empty() {
            return Ok(false);
        }
        let (now, owner) = (self.now(), self.ids.uuid_v7());
        let lease = now.after(self.schedule.work_lease);
        let claimed = self.store.claim_deliveries(&wanted, &owner, now, lease).await?;
        let busy = !claimed.is_empty();
        for one in claimed {
            let room = rooms.get_mut(one.claim.handler.as_str()).and_then(|room| room.split(1));
            let inner = Arc::clone(self);
            let span = tracing::info_span!(
                "event",
                id = one.claim.event.as_str(),
                kind = one.event.as_ref().map_or("unreadable", |event| event.kind.name()),
                handler = one.claim.handler
            );
            jobs.spawn(async move { inner.deliver(&one, room).await }.instrument(span));
        }
        Ok(busy)
    }

    /// Calls the handler for one delivery, and settles how that ended.
    async fn deliver(
        self: &Arc<Self>,
        claimed: &ClaimedDelivery,
        room: Option<OwnedSemaphorePermit>,
    ) -> Result<()> {
        self.reached(Point::EventClaimed);
        let claim = &claimed.claim;
        let found = self.deliverer.handlers.iter().find(|one| one.name == claim.handler);
        let (Some(Handler { work: handler, .. }), Some(room)) = (found, room) else {
            // More than was asked for: it is for somebody else.
            return self.settle(claim, Settle::Released(self.now())).await;
        };
        let event = match &claimed.event {
            Ok(event) => event,
            Err(why) => return self.set_aside(claimed, why).await,
        };
        let limit = handler.retry_limit();
        if matches!(limit, RetryLimit::Attempts(most) if claimed.attempts > most) {
            // Each time the process died or was stopped meanwhile.
            return self.park(claimed, event).await;
        }
        let end = match Calling::start(self, claim, room) {
            Some(calling) => self.call(claim, calling, handler, event).await,
            None => End::Failed("an earlier call of it has not ended in this process".into()),
        };
        let failure = match end {
            End::Done => return self.done(claimed, event).await,
            End::Lost => {
                tracing::warn!(event = %event.id, handler = claim.handler, "another process took it over");
                return Ok(());
            }
            End::Failed(failure) => failure,
        };
        metrics::handler(&claim.handler, None);
        let now = self.now();
        let (hopeless, longest) = match limit {
            RetryLimit::Attempts(most) => (claimed.attempts >= most, LONGEST_WAITS.0),
            RetryLimit::Age(most) => (now.since(claimed.first_at) >= most, LONGEST_WAITS.1),
        };
        if hopeless || failure.is::<GiveUp>() {
            tracing::error!(event = %event.id, handler = claim.handler, %failure, "a handler gives the event up");
            return self.park(claimed, event).await;
        }
        tracing::warn!(event = %event.id, handler = claim.handler, %failure, "a handler failed; it comes again");
        let tried = claimed.attempts.saturating_sub(1);
        let wait = Duration::from_secs(1 << tried.min(longest));
        self.settle(claim, Settle::Again(now.after(spread(wait, event.id.as_str(), tried)))).await
    }

    /// Calls a handler, and renews the claim while it works.
    async fn call(
        &self,
        claim: &Claim,
        calling: Calling,
        handler: &Arc<dyn EventHandler>,
        event: &Event,
    ) -> End {
        let lease = self.schedule.work_lease;
        let mut call = Call::start(calling, handler, event);
        let mut limit = std::pin::pin!(self.sleep(self.deliverer.limit));
        loop {
            tokio::select! {
                biased;
                ended = &mut call.task => return match ended {
                    Ok(Ok(())) => End::Done,
                    Ok(Err(failure)) => End::Failed(failure),
                    Err(panic) => End::Failed(panic.into()),
                },
                () = &mut limit => {
                    let limit = self.deliverer.limit;
                    return End::Failed(format!("it did not end within {limit:?} and was aborted").into());
                }
                () = self.sleep(lease / 3) => {}
            }
            match self.store.renew_delivery(claim, self.now().after(lease)).await {
                Ok(true) => {}
                Ok(false) => return End::Lost,
                Err(error) => tracing::warn!(%error, "a claim could not be renewed; trying again"),
            }
        }
    }

    async fn done(&self, claimed: &ClaimedDelivery, event: &Event) -> Result<()> {
        self.reached(Point::EventHandled);
        let claim = &claimed.claim;
        self.settle(claim, Settle::Done).await?;
        metrics::handler(&claim.handler, Some(self.now().since(event.at)));
        if claimed.aside_at.is_some() {
            self.resolve(unreadable_key(&event.id)).await?;
        }
        Ok(())
    }

    /// Settles a delivery. A database that is busy is asked again: what a handler has done is not to be done again.
    async fn settle(&self, claim: &Claim, settle: Settle) -> Result<()> {
        const TRIES: usize = 3;
        let mut tried = 0;
        let held = loop {
            tried += 1;
            match self.store.settle_delivery(claim, settle, self.now()).await {
                Ok(held) => break held,
                Err(error) if tried == TRIES => return Err(error.into()),
                Err(_) => tokio::task::yield_now().await,
            }
        };
        if !held {
            let (event, handler) = (claim.event.as_str(), &claim.handler);
            tracing::warn!(event, handler, "the claim was over; another process calls the handler again");
        }
        // The next of its stream is due.
        self.wake.notify_one();
        Ok(())
    }

    /// Gives a delivery up: lists it first, so that nothing is given up in silence.
    async fn park(&self, claimed: &ClaimedDelivery, event: &Event) -> Result<()> {
        let claim = &claimed.claim;
        metrics::parked(&claim.handler);
        // What cannot be told to a handler is not told to it as news either.
        if !matches!(event.kind, EventKind::Attention { reason: AttentionKind::Undelivered, .. }) {
            let detail = format!(
                "handler `{}` failed {} times for event `{}` ({}), and is not called again by itself",
                claim.handler,
                claimed.attempts,
                event.kind.name(),
                event.id
            );
            let key = undelivered_key(&claim.handler, &event.id, claimed.first_at);
            self.list(key, AttentionKind::Undelivered, Some(event), detail).await?;
        }
        self.settle(claim, Settle::Parked).await
    }

    /// Puts off an event that this release cannot read; the release that wrote it can.
    async fn set_aside(&self, claimed: &ClaimedDelivery, why: &str) -> Result<()> {
        let (claim, now) = (&claimed.claim, self.now());
        let alone = claimed.aside_at.is_some_and(|since| now.since(since) >= UNREADABLE_FOR);
        tracing::warn!(event = %claim.event, handler = claim.handler, why, "an event cannot be read, and is set aside");
        if alone {
            let detail = format!(
                "event {} cannot be read, so handler `{}` and perhaps others are not told of it: {why}",
                claim.event, claim.handler
            );
            self.list(unreadable_key(&claim.event), AttentionKind::Unreadable, None, detail).await?;
        }
        let wait = if alone { ASIDE_LISTED } else { ASIDE };
        let until = now.after(spread(wait, &claim.owner, claimed.attempts));
        self.settle(claim, Settle::SetAside { until, alone }).await
    }

    /// Says which handlers this process has, and lists those that something waits for and no process has.
    async fn watch_handlers(&self) -> Result<(), StoreError> {
        let (now, deliverer) = (self.now(), &self.deliverer);
        if !lock(&deliverer.watched).is_time(now) {
            return Ok(());
        }
        let names: Vec<String> = deliverer.able().map(|one| one.name.clone()).collect();
        for (name, before) in self.store.see_handlers(&names, now).await? {
            if now.since(before) >= MISSING_AFTER {
                self.resolve(missing_key(&name, before)).await?;
            }
        }
        for handler in self.store.handlers().await? {
            let unseen = now.since(handler.seen_at);
            let key = missing_key(&handler.name, handler.seen_at);
            if handler.waiting == 0
                || unseen < MISSING_AFTER
                || lock(&deliverer.watched).listed.contains(&key)
            {
                continue;
            }
            let detail = format!(
                "{} events wait for handler `{}`, and no process has had it since {}",
                handler.waiting, handler.name, handler.seen_at
            );
            self.list(key.clone(), AttentionKind::HandlerMissing, None, detail).await?;
            lock(&deliverer.watched).listed.insert(key);
        }
        Ok(())
    }

    async fn list(
        &self,
        key: String,
        kind: AttentionKind,
        about: Option<&Event>,
        detail: String,
    ) -> Result<(), StoreError> {
        let at = self.now();
        let order = about.and_then(|event| event.order.clone());
        let payment = about.and_then(|event| event.payment.clone());
        let event = Event {
            id: EventId::from_text(self.ids.uuid_v7()),
            at,
            order: order.clone(),
            payment: payment.clone(),
            kind: EventKind::Attention { reason: kind, detail: detail.clone() },
        };
        let item = AttentionItem { key, at, kind, account: None, order, payment, detail };
        self.commit(Changes { attention: vec![(item, event)], ..Changes::default() }).await?;
        self.wake.notify_one();
        Ok(())
    }

    async fn resolve(&self, key: String) -> Result<(), StoreError> {
        self.commit(Changes { resolved: vec![(key, self.now())], ..Changes::default() }).await
    }
}

/// The key of the item that a delivery was given up. It is another one each time that it is.
pub(crate) fn undelivered_key(handler: &str, event: &EventId, first_at: Timestamp) -> String {
    format!("{}/{handler}/{event}/{}", AttentionKind::Undelivered, first_at.as_millis())
}

fn unreadable_key(event: &EventId) -> String {
    format!("{}/{event}", AttentionKind::Unreadable)
}

/// The key of the item that nobody has a handler, since it was last seen then.
pub(crate) fn missing_key(handler: &str, seen_at: Timestamp) -> String {
    format!("{}/{handler}/{}", AttentionKind::HandlerMissing, seen_at.as_millis())
}
