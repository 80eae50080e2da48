//! Keeps events and their deliveries in memory.

use std::collections::BTreeMap;

use tulbur_core::Timestamp;

use crate::model::event::Event;
use crate::model::record::EventId;
use crate::store::{Claim, ClaimedDelivery, DeliveryState, HandlerDelivery, Settle};

/// The outbox.
#[derive(Default)]
pub(super) struct OutboxState {
    /// All events in the order of their commits; an event's number is its place, counted from 1.
    pub(super) events: Vec<KeptEvent>,
    pub(super) handlers: BTreeMap<String, Registered>,
    pub(super) deliveries: BTreeMap<(String, i64), Kept>,
    /// Events that were committed while there was no handler.
    pub(super) unheard: Vec<i64>,
}

/// An event, and which handlers did their work for it when.
pub(super) struct KeptEvent {
    pub(super) event: Event,
    pub(super) handled: BTreeMap<String, Timestamp>,
}

pub(super) struct Registered {
    pub(super) in_order: bool,
    pub(super) since: Timestamp,
    pub(super) seen_at: Timestamp,
}

/// A delivery that is not done.
pub(super) struct Kept {
    /// In which it has its place; none if it waits for nobody and nobody waits for it.
    pub(super) stream: Option<String>,
    pub(super) due_at: Option<Timestamp>,
    pub(super) owner: Option<String>,
    pub(super) attempts: u32,
    pub(super) first_at: Option<Timestamp>,
    pub(super) aside_at: Option<Timestamp>,
    pub(super) parked_at: Option<Timestamp>,
}

impl Kept {
    pub(super) fn new(stream: Option<String>, due_at: Option<Timestamp>) -> Self {
        Self { stream, due_at, owner: None, attempts: 0, first_at: None, aside_at: None, parked_at: None }
    }

    pub(super) fn state(&self) -> DeliveryState {
        match (self.parked_at, &self.owner, self.due_at) {
            (Some(_), _, _) => DeliveryState::Parked,
            (None, Some(_), _) => DeliveryState::Claimed,
            (None, None, Some(_)) => DeliveryState::Due,
            (None, None, None) => DeliveryState::Waiting,
        }
    }
}

pub(super) fn event_at(events: &[KeptEvent], seq: i64) -> Option<&KeptEvent> {
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

    pub(super) fn event(&self, seq: i64) -> Option<&Event> {
        event_at(&self.events, seq).map(|kept| &kept.event)
    }

    pub(super) fn seq(&self, event: &EventId) -> Option<i64> {
        let place = self.events.iter().position(|kept| kept.event.id == *event)?;
        i64::try_from(place + 1).ok()
    }

    pub(super) fn of<'a>(&'a self, handler: &'a str) -> impl Iterator<Item = (i64, &'a Kept)> {
        let all = (handler.to_owned(), i64::MIN)..=(handler.to_owned(), i64::MAX);
        self.deliveries.range(all).map(|((_, seq), kept)| (*seq, kept))
    }

    pub(super) fn of_mut<'a>(&'a mut self, handler: &'a str) -> impl Iterator<Item = (i64, &'a mut Kept)> {
        let all = (handler.to_owned(), i64::MIN)..=(handler.to_owned(), i64::MAX);
        self.deliveries.range_mut(all).map(|((_, seq), kept)| (*seq, kept))
    }

    /// Makes a delivery, which is due if nothing of its stream stands before it.
    pub(super) fn owe(&mut self, handler: &str, seq: i64, due_at: Option<Timestamp>) {
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
    pub(super) fn next_of(&mut self, handler: &str, stream: &str, now: Timestamp) {
        let mut of_stream = self.of_mut(handler).filter(|(_, kept)| kept.stream.as_deref() == Some(stream));
        let first = of_stream.next().map(|(_, kept)| kept);
        if of_stream.all(|(_, kept)| kept.due_at.is_none())
            && let Some(first) = first
        {
            first.due_at = first.due_at.or(Some(now));
        }
    }

    /// Gives every delivery of a handler its place: in each stream what is claimed keeps its time, else the first is due.
    pub(super) fn put_in_order(&mut self, handler: &str, now: Timestamp) {
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

    pub(super) fn claimed(&mut self, claim: &Claim) -> Option<&mut Kept> {
        let kept = self.deliveries.get_mut(&(claim.handler.clone(), claim.seq))?;
        (kept.owner.as_ref() == Some(&claim.owner)).then_some(kept)
    }

    pub(super) fn settle(&mut self, claim: &Claim, settle: Settle, now: Timestamp) -> bool {
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

    pub(super) fn claim(
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

    pub(super) fn of_event(&self, seq: i64) -> Vec<HandlerDelivery> {
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
