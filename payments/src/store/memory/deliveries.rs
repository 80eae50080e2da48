//! The memory store's outbox, as the contract has it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use tulbur_core::{OrderRef, Timestamp};

use super::MemoryStore;
use super::outbox::{Kept, Registered, event_at};
use crate::error::StoreError;
use crate::model::event::Event;
use crate::model::record::{EventId, PaymentId};
use crate::store::{
    Claim, ClaimedDelivery, EventDelivery, HandlerSpec, Outbox, ParkedDelivery, RegisteredHandler, Settle,
};

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[async_trait]
impl Outbox for MemoryStore {
    async fn register_handlers(&self, handlers: &[HandlerSpec], now: Timestamp) -> Result<(), StoreError> {
        let outbox = &mut self.state().outbox;
        for HandlerSpec { name, in_order } in handlers {
            let is_as_it_was = outbox.handlers.get(name).is_none_or(|known| known.in_order == *in_order);
            let fresh = Registered { in_order: *in_order, since: now, seen_at: now };
            outbox.handlers.entry(name.clone()).or_insert(fresh).in_order = *in_order;
            if is_as_it_was {
                continue;
            }
            let events = &outbox.events;
            let streams: Vec<(i64, String)> = outbox
                .of(name)
                .filter(|(_, kept)| kept.parked_at.is_none())
                .filter_map(|(seq, _)| Some((seq, event_at(events, seq)?.event.stream().to_owned())))
                .collect();
            for (seq, stream) in streams {
                if let Some(kept) = outbox.deliveries.get_mut(&(name.clone(), seq)) {
                    kept.stream = in_order.then_some(stream);
                }
            }
            outbox.put_in_order(name, now);
        }
        if !handlers.is_empty() {
            for seq in std::mem::take(&mut outbox.unheard) {
                for handler in handlers {
                    outbox.owe(&handler.name, seq, Some(now));
                }
            }
        }
        Ok(())
    }

    async fn see_handlers(
        &self,
        handlers: &[String],
        now: Timestamp,
    ) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let outbox = &mut self.state().outbox;
        let mut seen = Vec::new();
        for name in handlers {
            if let Some(known) = outbox.handlers.get_mut(name) {
                seen.push((name.clone(), std::mem::replace(&mut known.seen_at, now)));
            }
        }
        Ok(seen)
    }

    async fn handlers(&self) -> Result<Vec<RegisteredHandler>, StoreError> {
        let outbox = &self.state().outbox;
        let registered = outbox.handlers.iter().map(|(name, known)| {
            let waiting = || outbox.of(name).filter(|(_, kept)| kept.parked_at.is_none());
            RegisteredHandler {
                waiting: count(waiting().count()),
                oldest: waiting().find_map(|(seq, _)| outbox.event(seq)).map(|event| event.at),
                parked: count(outbox.of(name).filter(|(_, kept)| kept.parked_at.is_some()).count()),
                ..RegisteredHandler::new(
                    HandlerSpec::new(name.clone(), known.in_order),
                    known.since,
                    known.seen_at,
                )
            }
        });
        Ok(registered.collect())
    }

    async fn remove_handler(
        &self,
        name: &str,
        heir: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<u64>, StoreError> {
        let outbox = &mut self.state().outbox;
        let heir_in_order = match heir {
            Some(heir) => match outbox.handlers.get(heir).filter(|_| heir != name) {
                Some(known) => Some(known.in_order),
                None => return Ok(None),
            },
            None => None,
        };
        if outbox.handlers.remove(name).is_none() {
            return Ok(None);
        }
        let seqs: Vec<i64> = outbox.of(name).map(|(seq, _)| seq).collect();
        let mut moved = 0;
        for seq in seqs {
            let Some(kept) = outbox.deliveries.remove(&(name.to_owned(), seq)) else { continue };
            let Some((heir, in_order)) = heir.zip(heir_in_order) else {
                moved += 1;
                continue;
            };
            let Some(event) = event_at(&outbox.events, seq) else { continue };
            let place = (heir.to_owned(), seq);
            if event.handled.contains_key(heir) || outbox.deliveries.contains_key(&place) {
                continue;
            }
            let stream = in_order.then(|| event.event.stream().to_owned());
            outbox.deliveries.insert(place, Kept::new(stream, kept.due_at));
            moved += 1;
        }
        if let Some(heir) = heir {
            outbox.put_in_order(heir, now);
        }
        Ok(Some(moved))
    }

    async fn backfill_handler(
        &self,
        name: &str,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<Option<u64>, StoreError> {
        let outbox = &mut self.state().outbox;
        if !outbox.handlers.contains_key(name) {
            return Ok(None);
        }
        let known: BTreeSet<i64> = outbox.of(name).map(|(seq, _)| seq).collect();
        let missing: Vec<i64> = (1..)
            .zip(&outbox.events)
            .filter(|(seq, kept)| {
                kept.event.at >= from && !kept.handled.contains_key(name) && !known.contains(seq)
            })
            .map(|(seq, _)| seq)
            .collect();
        for seq in &missing {
            outbox.owe(name, *seq, Some(now));
        }
        outbox.put_in_order(name, now);
        Ok(Some(count(missing.len())))
    }

    async fn claim_deliveries(
        &self,
        wanted: &[(String, u32)],
        owner: &str,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        let outbox = &mut self.state().outbox;
        Ok(wanted
            .iter()
            .flat_map(|(handler, most)| outbox.claim(handler, *most, owner, now, lease))
            .collect())
    }

    async fn renew_delivery(&self, claim: &Claim, lease: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state();
        let claimed = state.outbox.claimed(claim);
        Ok(claimed.map(|kept| kept.due_at = Some(lease)).is_some())
    }

    async fn settle_delivery(
        &self,
        claim: &Claim,
        settle: Settle,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.state().outbox.settle(claim, settle, now))
    }

    async fn next_delivery(&self, handlers: &[String]) -> Result<Option<Timestamp>, StoreError> {
        let outbox = &self.state().outbox;
        Ok(handlers.iter().flat_map(|name| outbox.of(name)).filter_map(|(_, kept)| kept.due_at).min())
    }

    async fn deliveries(
        &self,
        order: Option<&OrderRef>,
        payment: &PaymentId,
    ) -> Result<Vec<EventDelivery>, StoreError> {
        let outbox = &self.state().outbox;
        let is_its = |event: &Event| match order {
            Some(order) => event.order.as_ref() == Some(order),
            None => event.order.is_none() && event.stream() == payment.as_str(),
        };
        Ok((1..)
            .zip(&outbox.events)
            .filter(|(_, kept)| is_its(&kept.event))
            .map(|(seq, kept)| EventDelivery {
                event: kept.event.clone().into(),
                handlers: outbox.of_event(seq),
            })
            .collect())
    }

    async fn parked_deliveries(&self, limit: u32) -> Result<Vec<ParkedDelivery>, StoreError> {
        let outbox = &self.state().outbox;
        let mut parked: Vec<(i64, ParkedDelivery)> = outbox
            .deliveries
            .iter()
            .filter_map(|((handler, seq), kept)| {
                let parked_at = kept.parked_at?;
                let parked = ParkedDelivery {
                    handler: handler.clone(),
                    event: outbox.event(*seq)?.clone().into(),
                    attempts: kept.attempts,
                    first_at: kept.first_at.unwrap_or(parked_at),
                    parked_at,
                };
                Some((*seq, parked))
            })
            .collect();
        parked.sort_by(|(a, one), (b, other)| (a, &one.handler).cmp(&(b, &other.handler)));
        parked.truncate(limit as usize);
        Ok(parked.into_iter().map(|(_, parked)| parked).collect())
    }

    async fn unpark_delivery(
        &self,
        handler: &str,
        event: &EventId,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let outbox = &mut self.state().outbox;
        let Some(seq) = outbox.seq(event) else { return Ok(false) };
        let in_order = outbox.handlers.get(handler).is_some_and(|known| known.in_order);
        let stream = outbox.event(seq).filter(|_| in_order).map(|event| event.stream().to_owned());
        let place = (handler.to_owned(), seq);
        let parked = outbox.deliveries.get_mut(&place).filter(|kept| kept.parked_at.is_some());
        let Some(kept) = parked else { return Ok(false) };
        *kept = Kept::new(stream.clone(), Some(at));
        if let Some(stream) = stream {
            let others = || {
                outbox
                    .of(handler)
                    .filter(|(other, kept)| *other != seq && kept.stream.as_ref() == Some(&stream))
            };
            let waits = others().any(|(other, kept)| kept.owner.is_some() || other < seq);
            for (other, kept) in outbox.of_mut(handler) {
                let is_of_it = kept.stream.as_ref() == Some(&stream) && kept.owner.is_none();
                if is_of_it && (other == seq) == waits {
                    kept.due_at = None;
                }
            }
        }
        Ok(true)
    }
}
