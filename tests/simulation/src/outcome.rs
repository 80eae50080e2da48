//! The end of a run: the bank's books, what is stored, what was heard and what is listed. The judge needs nothing
//! else.

use std::sync::Arc;

use tulbur_core::{OperationState, QueryBy};
use tulbur_payments::store::PaymentFilter;
use tulbur_payments::{Lists, MemoryStore, PaymentRecord, Records};

use crate::bank::Entry;
use crate::fault::FaultCounts;
use crate::notes::Notes;
use crate::random::Digest;
use crate::sim::Sim;
use crate::store::at_once;
use crate::units::Micros;

/// A payment as it is stored at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentSeen {
    /// Its id.
    pub id: String,
    /// The label that the story gives it.
    pub label: String,
    /// Its order.
    pub order: String,
    /// The account.
    pub account: String,
    /// Our reference.
    pub merchant_ref: String,
    /// The bank's reference.
    pub provider_ref: Option<String>,
    /// Its status.
    pub status: String,
    /// The state of the write that opened it.
    pub operation: String,
    /// Whether a question confirmed it.
    pub confirmed: bool,
    /// Whether the bank can be asked about it.
    pub askable: bool,
    /// What was taken, as stored, in minor units.
    pub taken: i64,
    /// What was given back, as stored, in minor units.
    pub refunded: i64,
    /// Lines of its history.
    pub history: u64,
}

/// An operation as it is stored at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationSeen {
    /// Its id.
    pub reference: String,
    /// What it does.
    pub kind: String,
    /// The payment's id.
    pub payment: String,
    /// In minor units.
    pub amount: Option<i64>,
    /// Its state.
    pub state: String,
}

/// A whole outcome.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Payments, oldest first.
    pub payments: Vec<PaymentSeen>,
    /// Operations.
    pub operations: Vec<OperationSeen>,
    /// The bank's books.
    pub bank: Vec<Entry>,
    /// What was noted.
    pub notes: Notes,
    /// How often faults occurred.
    pub fault_counts: FaultCounts,
    /// When faults were over.
    pub ended_at: Micros,
    /// Events of the queue that were worked on.
    pub steps: u64,
    /// The digest of everything that happened.
    pub digest: Digest,
}

impl Outcome {
    /// The entry of a payment in the books.
    pub fn entry(&self, payment: &PaymentSeen) -> Option<&Entry> {
        self.bank.iter().find(|entry| entry.merchant_ref == payment.merchant_ref)
    }

    /// The payments of an order.
    pub fn of_order<'a>(&'a self, order: &'a str) -> impl Iterator<Item = &'a PaymentSeen> {
        self.payments.iter().filter(move |payment| payment.order == order)
    }

    /// The newest payment with this label.
    pub fn labelled(&self, label: &str) -> Option<&PaymentSeen> {
        self.payments.iter().rev().find(|payment| payment.label == label)
    }
}

fn payment_seen(store: &MemoryStore, record: &PaymentRecord) -> PaymentSeen {
    let flow = record.reference.flow.as_str();
    let by = match (record.account.as_str(), flow) {
        (_, "link") => QueryBy::Nothing,
        ("south" | "west", "page" | "charge") => QueryBy::ProviderRef,
        _ => QueryBy::MerchantRef,
    };
    let lost = by == QueryBy::ProviderRef && record.reference.provider_ref.is_none();
    let history = at_once(store.payment_history(&record.id)).unwrap_or_default();
    PaymentSeen {
        id: record.id.as_str().to_owned(),
        label: record.description.clone(),
        order: record.order().map_or_else(|| "-".into(), |order| order.as_str().to_owned()),
        account: record.account.as_str().to_owned(),
        merchant_ref: record.reference.merchant_ref.as_str().to_owned(),
        provider_ref: record.reference.provider_ref.as_ref().map(|name| name.as_str().to_owned()),
        status: record.status.as_str().to_owned(),
        operation: record.operation.as_str().to_owned(),
        confirmed: record.confirmed,
        askable: by != QueryBy::Nothing && !lost,
        taken: record.taken().map_or(0, tulbur_core::Money::minor),
        refunded: record.refunded.map_or(0, tulbur_core::Money::minor),
        history: u64::try_from(history.len()).unwrap_or(u64::MAX),
    }
}

/// Reads everything that is left at the end of a run.
pub(crate) fn collect(sim: &Arc<Sim>, store: &MemoryStore) -> Outcome {
    let mut filter = PaymentFilter::default();
    filter.limit = 10_000;
    let mut records = at_once(store.payments(&filter)).unwrap_or_default();
    records.reverse();
    let open = at_once(store.attention()).unwrap_or_default();
    let mut operations = Vec::new();
    for record in &records {
        for one in at_once(store.operations(&record.id)).unwrap_or_default() {
            operations.push(OperationSeen {
                reference: one.operation_ref.as_str().to_owned(),
                kind: one.kind.as_str().to_owned(),
                payment: one.payment.as_str().to_owned(),
                amount: one.amount.map(tulbur_core::Money::minor),
                state: match one.state {
                    OperationState::Reserved => "reserved",
                    OperationState::Submitted => "submitted",
                    other => other.as_str(),
                }
                .to_owned(),
            });
        }
    }
    let mut world = sim.world();
    for listed in world.notes.listed.values_mut() {
        listed.open = open.iter().any(|item| item.key == listed.key);
    }
    let payments: Vec<PaymentSeen> =
        records.iter().filter(|one| one.order().is_some()).map(|one| payment_seen(store, one)).collect();
    let mut digest = world.digest;
    for payment in &payments {
        digest.text(&payment.id);
        digest.text(&payment.status);
        digest.number(payment.history);
    }
    for operation in &operations {
        digest.text(&operation.reference);
        digest.text(&operation.state);
    }
    for key in world.notes.listed.keys() {
        digest.text(key);
    }
    digest.number(u64::try_from(world.notes.heard.len()).unwrap_or(0));
    Outcome {
        payments,
        operations,
        bank: world.bank.entries.values().cloned().collect(),
        notes: std::mem::take(&mut world.notes),
        fault_counts: world.fault_counts.clone(),
        ended_at: world.now,
        steps: world.steps,
        digest,
    }
}
