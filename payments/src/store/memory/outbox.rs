//! Keeps events and their deliveries in memory.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use tulbur_core::{OrderRef, Timestamp};

use super::MemoryStore;
use crate::error::StoreError;
use crate::model::event::Event;
use crate::model::record::{EventId, PaymentId};
use crate::store::{
    Claim, ClaimedDelivery, DeliveryState, EventDelivery, HandlerDelivery, HandlerSpec, Outbox,
    ParkedDelivery, RegisteredHandler, Settle,
};

/// The outbox.
#[derive(Default)]
pub(super) struct OutboxState {
    /// All events in the order of their commits; an event's number is its place, counted from 1.
    pub(super) events: Vec<KeptEvent>,
    handlers: BTreeMap<String, Registered>,
    deliveries: BTreeMap<(String, i64), Kept>,
    /// Events that were committed while there was no handler.
    pub(super) unheard: Vec<i64>,
}

/// An event, and which handlers did their work for it when.
pub(super) struct KeptEvent {
    pub(super) event: Event,
    handled: BTreeMap<String, Timestamp>,
}

struct Registered {
    in_order: bool,
    since: Timestamp,
    seen_at: Timestamp,
}

/// A delivery that is not done.
struct Kept {
    /// In which it has its place; none if it waits for nobody and nobody waits for it.
    stream: Option<String>,
    due_at: Option<Timestamp>,
    owner: Option<String>,
    attempts: u32,
    first_at: Option<Timestamp>,
    aside_at: Option<Timestamp>,
    parked_at: Option<Timestamp>,
}

impl Kept {
    fn new(stream: Option<String>, due_at: Option<Timestamp>) -> Self {
        Self { stream, due_at, owner: None, attempts: 0, first_at: None, aside_at: None, parked_at: None }
    }

    fn state(&self) -> DeliveryState {
        match (self.parked_at, &self.owner, self.due_at) {
            (Some(_), _, _) => DeliveryState::Parked,
            (None, Some(_), _) => DeliveryState::Claimed,
            (None, None, Some(_)) => DeliveryState::Due,
            (None, None, None) => DeliveryState::Waiting,
        }
    }
}

fn event_at(events: &[KeptEvent], seq: i64) -> Option<&KeptEvent> {
    usize::try_from(seq).ok().and_then(|seq| events.get(seq.checked_sub(1)?))
}

impl OutboxState {
    pub(super) fn add(&mut self, event: Event) {
        self.events.push(KeptEvent { event, handled: BTreeMap::new() });
        let seq = i64::try_from(self.events.len()).unwrap_or(i64::MAX);
        if self.handlers.is_empty() {
            self.unheard.push(seq);
        }
        for handler in self.handlers.keys().cloned().collect::<Vec<_>>() {
            self.owe(&handler, seq, None);
        }
    }

    fn event(&self, seq: i64) -> Option<&Event> {
        event_at(&self.events, seq).map(|kept| &kept.event)
    }

    fn seq(&self, event: &EventId) -> Option<i64> {
        let place = self.events.iter().position(|kept| kept.event.id == *event)?;
        i64::try_from(place + 1).ok()
    }

    fn of<'a>(&'a self, handler: &'a str) -> impl Iterator<Item = (i64, &'a Kept)> {
        let all = (handler.to_owned(), i64::MIN)..=(handler.to_owned(), i64::MAX);
        self.deliveries.range(all).map(|((_, seq), kept)| (*seq, kept))
    }

    fn of_mut<'a>(&'a mut self, handler: &'a str) -> impl Iterator<Item = (i64, &'a mut Kept)> {
        let all = (handler.to_owned(), i64::MIN)..=(handler.to_owned(), i64::MAX);
        self.deliveries.range_mut(all).map(|((_, seq), kept)| (*seq, kept))
    }

    /// Makes a delivery, which is due if nothing of its stream stands before it.
    fn owe(&mut self, handler: &str, seq: i64, due_at: Option<Timestamp>) {
        let (Some(registered), Some(event)) = (self.handlers.get(handler), self.event(seq)) else { return };
        if self.deliveries.contains_key(&(handler.to_owned(), seq)) {
            return;
        }
        let stream = registered.in_order.then(|| event.stream().to_owned());
        let first = stream.is_none() || self.of(handler).all(|(_, kept)| kept.stream != stream);
        let due_at = first.then(|| due_at.unwrap_or(event.at));
        self.deliveries.insert((handler.to_owned(), seq), Kept::new(stream, due_at));
    }

    /// Makes the first of a stream due, if none of it is.
    fn next_of(&mut self, handler: &str, stream: &str, now: Timestamp) {
        let mut of_stream = self.of_mut(handler).filter(|(_, kept)| kept.stream.as_deref() == Some(stream));
        let first = of_stream.next().map(|(_, kept)| kept);
        if of_stream.all(|(_, kept)| kept.due_at.is_none())
            && let Some(first) = first
        {
            first.due_at = first.due_at.or(Some(now));
        }
    }

    /// Gives every delivery of a handler its place: in each stream what is claimed keeps its time, else the first is due.
    fn put_in_order(&mut self, handler: &str, now: Timestamp) {
        let mut heads: BTreeMap<String, i64> = BTreeMap::new();
        for (seq, kept) in self.of(handler) {
            if let Some(stream) = &kept.stream {
                let head = heads.entry(stream.clone()).or_insert(seq);
                if kept.owner.is_some() {
                    *head = seq;
                }
            }
        }
        for (seq, kept) in self.of_mut(handler).filter(|(_, kept)| kept.parked_at.is_none()) {
            let is_due = kept.owner.is_some()
                || kept.stream.as_ref().is_none_or(|stream| heads.get(stream) == Some(&seq));
            kept.due_at = is_due.then(|| kept.due_at.unwrap_or(now));
        }
    }

    /// When deliveries are due, or their leases end.
    pub(super) fn due_times(&mut self) -> impl Iterator<Item = &mut Timestamp> {
        self.deliveries.values_mut().filter_map(|kept| kept.due_at.as_mut())
    }

    fn claimed(&mut self, claim: &Claim) -> Option<&mut Kept> {
        let kept = self.deliveries.get_mut(&(claim.handler.clone(), claim.seq))?;
        (kept.owner.as_ref() == Some(&claim.owner)).then_some(kept)
    }

    fn settle(&mut self, claim: &Claim, settle: Settle, now: Timestamp) -> bool {
        let Some(kept) = self.claimed(claim) else { return false };
        let stream = kept.stream.clone();
        kept.owner = None;
        if matches!(settle, Settle::Released(_) | Settle::SetAside { .. }) {
            kept.attempts = kept.attempts.saturating_sub(1);
            kept.first_at = kept.first_at.filter(|_| kept.attempts > 0);
        }
        match settle {
            Settle::Done => {
                self.deliveries.remove(&(claim.handler.clone(), claim.seq));
                let place = usize::try_from(claim.seq - 1).ok();
                if let Some(event) = place.and_then(|place| self.events.get_mut(place)) {
                    event.handled.insert(claim.handler.clone(), now);
                }
            }
            Settle::Again(at) | Settle::Released(at) => kept.due_at = Some(at),
            Settle::Parked => (kept.stream, kept.due_at, kept.parked_at) = (None, None, Some(now)),
            Settle::SetAside { until, alone } => {
                kept.due_at = Some(until);
                kept.aside_at = kept.aside_at.or(Some(now));
                if alone {
                    kept.stream = None;
                }
            }
        }
        if let Some(stream) = stream {
            self.next_of(&claim.handler, &stream, now);
        }
        true
    }

    fn claim(
        &mut self,
        handler: &str,
        most: u32,
        owner: &str,
        now: Timestamp,
        lease: Timestamp,
    ) -> Vec<ClaimedDelivery> {
        let mut due: Vec<(Timestamp, i64)> = self
            .of(handler)
            .filter_map(|(seq, kept)| Some((kept.due_at.filter(|at| *at <= now)?, seq)))
            .collect();
        due.sort_unstable();
        due.truncate(most as usize);
        due.sort_unstable_by_key(|(_, seq)| *seq);
        let mut claimed = Vec::with_capacity(due.len());
        for (_, seq) in due {
            let Some(event) = self.event(seq).cloned() else { continue };
            let Some(kept) = self.deliveries.get_mut(&(handler.to_owned(), seq)) else { continue };
            kept.due_at = Some(lease);
            kept.owner = Some(owner.to_owned());
            kept.attempts += 1;
            claimed.push(ClaimedDelivery {
                claim: Claim {
                    handler: handler.to_owned(),
                    seq,
                    event: event.id.clone(),
                    stream: event.stream().to_owned(),
                    owner: owner.to_owned(),
                },
                event: Ok(event),
                attempts: kept.attempts,
                first_at: *kept.first_at.get_or_insert(now),
                aside_at: kept.aside_at,
            });
        }
        claimed
    }

    fn of_event(&self, seq: i64) -> Vec<HandlerDelivery> {
        let handled = event_at(&self.events, seq).into_iter().flat_map(|kept| &kept.handled);
        let mut found: BTreeMap<&str, HandlerDelivery> = handled
            .map(|(handler, at)| {
                let (handler_name, state, attempts) = (handler.clone(), DeliveryState::Done, 0);
                let done = HandlerDelivery { handler: handler_name, state, attempts, at: Some(*at) };
                (handler.as_str(), done)
            })
            .collect();
        for handler in self.handlers.keys() {
            if let Some(kept) = self.deliveries.get(&(handler.clone(), seq)) {
                found.insert(
                    handler,
                    HandlerDelivery {
                        handler: handler.clone(),
                        state: kept.state(),
                        attempts: kept.attempts,
                        at: kept.parked_at.or(kept.due_at),
                    },
                );
            }
        }
        found.into_values().collect()
    }
}

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
