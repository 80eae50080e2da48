//! An outcome as the rules look at it, and what they complain of.

use std::fmt;

use crate::bank::Entry;
use crate::outcome::{Outcome, PaymentSeen};

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Which, in one word.
    pub word: &'static str,
    /// How.
    pub text: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.word, self.text)
    }
}

/// An outcome with the questions that the rules ask of it.
pub(crate) struct Case<'a> {
    pub(crate) outcome: &'a Outcome,
    complaints: Vec<Complaint>,
}

impl<'a> Case<'a> {
    pub(crate) fn new(outcome: &'a Outcome) -> Self {
        Self { outcome, complaints: Vec::new() }
    }

    pub(crate) fn into_complaints(self) -> Vec<Complaint> {
        self.complaints
    }

    pub(crate) fn complain(&mut self, word: &'static str, text: String) {
        self.complaints.push(Complaint { word, text });
    }

    /// Whether a person said something untrue about this payment, or about an operation of it.
    pub(crate) fn was_misled(&self, payment: &PaymentSeen) -> bool {
        let entry = self.outcome.entry(payment);
        self.outcome.notes.said.iter().filter(|said| said.payment == payment.id).any(|said| {
            let truth = match &said.operation {
                None => entry.is_some_and(|entry| entry.taken() > 0),
                Some(operation) => {
                    entry.is_some_and(|entry| entry.requests.iter().any(|one| one.operation == *operation))
                }
            };
            // A declaration "happened" means: with the amount that was asked for.
            truth != said.happened || said.happened && entry.is_some_and(|entry| entry.twisted)
        })
    }

    /// Whether a person misled us about any payment of the order.
    pub(crate) fn order_was_misled(&self, order: &str) -> bool {
        self.outcome.of_order(order).any(|payment| self.was_misled(payment))
    }

    /// Whether something of these kinds is on the list about this payment, or a person took it off.
    pub(crate) fn is_listed(&self, payment: &PaymentSeen, but: &[&str]) -> bool {
        let entry = self.outcome.entry(payment);
        self.outcome.notes.listed.values().filter(|item| item.open || item.by_person).any(|item| {
            let by_id = item.payment.as_deref() == Some(&payment.id);
            let by_name = item.kind == "unknown-payment"
                && entry.is_some_and(|entry| {
                    item.detail.contains(&entry.provider_ref) || item.detail.contains(&entry.merchant_ref)
                });
            (by_id || by_name) && !but.contains(&item.kind.as_str())
        })
    }

    /// Whether an item about it is open, so that a person is still told of it.
    pub(crate) fn is_still_listed(&self, payment: &PaymentSeen) -> bool {
        let mut items = self.outcome.notes.listed.values();
        items.any(|item| item.open && item.payment.as_deref() == Some(&payment.id))
    }

    pub(crate) fn lied(&self, payment: &PaymentSeen) -> bool {
        self.outcome.entry(payment).is_some_and(|entry| entry.lied)
    }

    pub(crate) fn taken(&self, payment: &PaymentSeen) -> i64 {
        self.outcome.entry(payment).map_or(0, Entry::taken)
    }
}
