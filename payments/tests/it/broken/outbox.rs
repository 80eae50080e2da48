//! The outbox of a store that forgets one thing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tulbur_core::{OrderRef, Timestamp};
use tulbur_payments::store::{
    Changes, Claim, ClaimedDelivery, EventDelivery, HandlerSpec, Outbox, ParkedDelivery, RegisteredHandler,
    Settle,
};
use tulbur_payments::{EventId, MemoryStore, PaymentId, Records};

use super::{Answer, Fault, Forgetful};

/// Commits events as a store would that reads the handlers before its transaction: one that is registered between is
/// not told.
pub(super) async fn commit_beside_registration(store: &Arc<MemoryStore>, changes: Changes) -> Answer<()> {
    let before: Vec<String> = store.handlers().await?.into_iter().map(|handler| handler.name).collect();
    let events: Vec<EventId> = changes.events.iter().map(|event| event.id.clone()).collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    if changes.events.iter().any(|event| event.id.as_str().ends_with("-0/000")) {
        // One of them holds on until a handler was registered and has heard of others.
        let began = Instant::now();
        while store.handlers().await?.len() == before.len() && began.elapsed() < Duration::from_secs(1) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    store.commit(changes).await?;
    for handler in store.handlers().await? {
        if before.contains(&handler.name) {
            continue;
        }
        let now = Timestamp::from_millis(i64::MAX / 2);
        let wanted = [(handler.name, u32::MAX)];
        for claimed in store.claim_deliveries(&wanted, "nobody", now, now).await? {
            let forgotten = events.contains(&claimed.claim.event);
            let settle = if forgotten { Settle::Done } else { Settle::Released(Timestamp::from_millis(0)) };
            store.settle_delivery(&claimed.claim, settle, now).await?;
        }
    }
    Ok(())
}

#[async_trait]
impl Outbox for Forgetful {
    async fn register_handlers(&self, handlers: &[HandlerSpec], now: Timestamp) -> Answer<()> {
        let known = self.0.handlers().await?;
        let mut handlers = handlers.to_vec();
        match self.1 {
            Fault::InOrder => handlers.iter_mut().for_each(|handler| handler.in_order = true),
            Fault::OrderChange => handlers.retain(|new| known.iter().all(|old| old.name != new.name)),
            Fault::RegisteredAgain => {
                for handler in &known {
                    self.0.remove_handler(&handler.name, None, now).await?;
                }
            }
            Fault::Unheard if known.is_empty() => {
                self.0.register_handlers(&[HandlerSpec::new("nobody", false)], now).await?;
                self.0.register_handlers(&handlers, now).await?;
                self.0.remove_handler("nobody", None, now).await?;
                return Ok(());
            }
            _ => {}
        }
        self.0.register_handlers(&handlers, now).await
    }

    async fn see_handlers(&self, handlers: &[String], now: Timestamp) -> Answer<Vec<(String, Timestamp)>> {
        if self.1 == Fault::Seen { Ok(Vec::new()) } else { self.0.see_handlers(handlers, now).await }
    }

    async fn handlers(&self) -> Answer<Vec<RegisteredHandler>> {
        self.0.handlers().await
    }

    async fn remove_handler(&self, name: &str, heir: Option<&str>, now: Timestamp) -> Answer<Option<u64>> {
        self.0.remove_handler(name, heir.filter(|_| self.1 != Fault::Heir), now).await
    }

    async fn backfill_handler(&self, name: &str, from: Timestamp, now: Timestamp) -> Answer<Option<u64>> {
        if self.1 == Fault::Unheard { Ok(Some(0)) } else { self.0.backfill_handler(name, from, now).await }
    }

    async fn claim_deliveries(
        &self,
        wanted: &[(String, u32)],
        owner: &str,
        now: Timestamp,
        lease: Timestamp,
    ) -> Answer<Vec<ClaimedDelivery>> {
        let lease = if self.1 == Fault::DeliveryLease { now } else { lease };
        let mut claimed = self.0.claim_deliveries(wanted, owner, now, lease).await?;
        match self.1 {
            Fault::DeliveryOrder => claimed.reverse(),
            Fault::Attempts => claimed.iter_mut().for_each(|one| one.attempts = 1),
            _ => {}
        }
        Ok(claimed)
    }

    async fn renew_delivery(&self, claim: &Claim, lease: Timestamp) -> Answer<bool> {
        match self.1 {
            Fault::Renewal => Ok(true),
            Fault::RenewToken => {
                self.0.renew_delivery(claim, lease).await?;
                Ok(true)
            }
            _ => self.0.renew_delivery(claim, lease).await,
        }
    }

    async fn settle_delivery(&self, claim: &Claim, settle: Settle, now: Timestamp) -> Answer<bool> {
        let settle = match (self.1, settle) {
            (Fault::Parking, Settle::Parked) => Settle::Done,
            // It stays where it was, and nothing comes after it.
            (Fault::ParkedFirst, Settle::Parked) | (Fault::NextOfStream, Settle::Done) => {
                Settle::Again(Timestamp::from_millis(i64::MAX))
            }
            (Fault::Aside, Settle::SetAside { until, .. }) => Settle::SetAside { until, alone: false },
            (_, settle) => settle,
        };
        let held = self.0.settle_delivery(claim, settle, now).await?;
        Ok(held || self.1 == Fault::Token)
    }

    async fn next_delivery(&self, handlers: &[String]) -> Answer<Option<Timestamp>> {
        if self.1 == Fault::NextDelivery { Ok(None) } else { self.0.next_delivery(handlers).await }
    }

    async fn deliveries(&self, order: Option<&OrderRef>, payment: &PaymentId) -> Answer<Vec<EventDelivery>> {
        let mut found = self.0.deliveries(order, payment).await?;
        if self.1 == Fault::Shown {
            for one in &mut found {
                one.handlers.clear();
            }
        }
        Ok(found)
    }

    async fn parked_deliveries(&self, limit: u32) -> Answer<Vec<ParkedDelivery>> {
        self.0.parked_deliveries(limit).await
    }

    async fn unpark_delivery(&self, handler: &str, event: &EventId, at: Timestamp) -> Answer<bool> {
        if self.1 == Fault::Unparking {
            // As if nobody had any of its stream.
            let everything = [(handler.to_owned(), u32::MAX)];
            let (now, end) = (Timestamp::from_millis(i64::MAX / 2), Timestamp::from_millis(0));
            for claimed in self.0.claim_deliveries(&everything, "nobody", now, now).await? {
                self.0.settle_delivery(&claimed.claim, Settle::Released(end), now).await?;
            }
        }
        self.0.unpark_delivery(handler, event, at).await
    }
}
