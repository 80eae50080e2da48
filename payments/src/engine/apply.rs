//! Applies facts: reads, lets the pure decision decide, commits, and decides anew if somebody else was faster.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tulbur_core::{Monotonic, OperationRef, OperationState, ProviderRef};

use crate::decide::{Fact, Situation, decide};
use crate::engine::arrival::{Arrival, contradiction};
use crate::engine::inner::{Inner, TURNS};
use crate::error::{Error, Result, StoreError};
use crate::metrics;
use crate::model::changes::{Changes, InboxEntry};
use crate::model::operation::OperationRecord;
use crate::model::record::{OrderRecord, PaymentId, PaymentRecord};
use crate::store::{Find, Known};

/// How often a decision is made anew because somebody else was faster.
const TRIES: usize = 50;
/// The first and the longest wait before the same changes are committed again.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long a commit is tried again of which nobody knows whether it was made, or which the database did not take.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// What the database refused is an error at once; what may have been made is made sure of for a short while.
    Short,
    /// As short, until this time.
    Until(Monotonic),
    /// Until the database answers.
    Endless,
}

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Committed {
    /// It is stored.
    Yes,
    /// The records are not as they were. Where an earlier try may have been stored, that try may be the reason.
    Conflict,
}

/// What a decision led to.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    pub(crate) payment: PaymentRecord,
    pub(crate) operation: Option<OperationRecord>,
}

/// A payment as it was read, and its order if that was read with it.
#[derive(Debug, Clone)]
pub(crate) struct AsRead {
    pub(crate) payment: PaymentRecord,
    pub(crate) order: Option<OrderRecord>,
}

impl From<PaymentRecord> for AsRead {
    fn from(payment: PaymentRecord) -> Self {
        Self { payment, order: None }
    }
}

impl Inner {
    /// Applies a fact about a payment, with the delivery that told it.
    pub(crate) async fn apply(
        &self,
        id: &PaymentId,
        fact: &Fact,
        arrival: Option<Arrival<'_>>,
    ) -> Result<PaymentRecord> {
        let payment = self.load(id).await?;
        let decided = self.decide(payment.into(), None, fact, arrival, Patience::Short).await?;
        Ok(decided.payment)
    }

    /// Applies a fact about an operation.
    pub(crate) async fn apply_to_operation(
        &self,
        payment: &PaymentId,
        operation: &OperationRef,
        fact: &Fact,
    ) -> Result<OperationRecord> {
        let payment = self.load(payment).await?;
        let decided = self.decide(payment.into(), Some(operation), fact, None, Patience::Short).await?;
        match decided.operation {
            Some(operation) => Ok(operation),
            None => self.load_operation(operation).await,
        }
    }

    /// The only way by which a payment or an operation changes. It begins with what its caller has read.
    pub(crate) async fn decide(
        &self,
        read: AsRead,
        operation: Option<&OperationRef>,
        fact: &Fact,
        arrival: Option<Arrival<'_>>,
        patience: Patience,
    ) -> Result<Decided> {
        // It is large, and a part of nearly every future of this crate.
        Box::pin(self.decide_and_commit(read, operation, fact, arrival, patience)).await
    }

    async fn decide_and_commit(
        &self,
        mut read: AsRead,
        operation: Option<&OperationRef>,
        fact: &Fact,
        arrival: Option<Arrival<'_>>,
        patience: Patience,
    ) -> Result<Decided> {
        let id = read.payment.id.clone();
        let hash = Sha256::digest(id.as_str().as_bytes());
        self.refresh_time().await;
        let _turn = self.turns[usize::from(u16::from_be_bytes([hash[0], hash[1]])) % TURNS].lock().await;
        let commit = self.ids.uuid_v7();
        let mut instead = None;
        for tried in 0..TRIES {
            if tried > 0 {
                (read, instead) = self.read_again(&id, fact, arrival).await?;
            }
            let (fact, arrival) = match (&instead, arrival) {
                (Some((entry, fact)), Some(arrival)) => (fact, Some(arrival.with(entry))),
                _ => (fact, arrival),
            };
            let AsRead { payment, order } = read.clone();
            let order = match (order, payment.order()) {
                (None, Some(order)) => self.store.order_record(order).await?,
                (order, _) => order,
            };
            let before = match operation {
                Some(operation) => self.store.operation(operation).await?,
                None => None,
            };
            if tried > 0 && payment.commit == commit {
                // An earlier try was stored, and its answer was lost.
                return Ok(Decided { payment, operation: before });
            }
            let flow = self.flow(&payment)?;
            let decide_with = |taken: Option<&ProviderRef>| {
                let situation = Situation {
                    order: order.as_ref(),
                    payment: &payment,
                    operation: before.as_ref(),
                    flow,
                    schedule: &self.schedule,
                    confirm_first: flow.confirm_before_paid || self.confirm_first.contains(&payment.account),
                    taken,
                    now: self.now(),
                    new_id: &|| self.ids.uuid_v7(),
                };
                decide(&situation, fact.clone())
            };
            let mut changes = decide_with(None);
            if let Some(taken) = self.taken_reference(&payment, &changes).await? {
                changes = decide_with(Some(&taken));
            }
            note_arrival(arrival, &payment, &mut changes);
            if changes.payments.is_empty() && changes.inbox.is_empty() && changes.settled.is_empty() {
                return Ok(Decided { payment, operation: before });
            }
            for after in &mut changes.payments {
                commit.clone_into(&mut after.commit);
            }
            let decided = Decided {
                // What a store does to a record that it takes.
                payment: changes.payments.first().map_or_else(
                    || payment.clone(),
                    |after| PaymentRecord { version: after.version + 1, ..after.clone() },
                ),
                operation: changes.operations.first().map_or_else(
                    || before.clone(),
                    |after| Some(OperationRecord { version: after.version + 1, ..after.clone() }),
                ),
            };
            match self.commit_known(&changes, patience).await? {
                Committed::Yes => {
                    count(&payment, before.as_ref(), &changes);
                    if !changes.payments.is_empty() {
                        let _ = self.changed.send(id.clone());
                    }
                    self.wake.notify_one();
                    return Ok(decided);
                }
                Committed::Conflict => tokio::task::yield_now().await,
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// The provider's reference that a payment would get by these changes, if another payment has it already.
    async fn taken_reference(
        &self,
        before: &PaymentRecord,
        changes: &Changes,
    ) -> Result<Option<ProviderRef>> {
        let after = changes.payments.first().and_then(|after| after.reference.provider_ref.as_ref());
        let Some(named) = after.filter(|_| before.reference.provider_ref.is_none()) else { return Ok(None) };
        let has_it = self.store.payment(Find::ProviderRef(&before.account, named)).await?;
        Ok(has_it.filter(|other| other.id != before.id).map(|_| named.clone()))
    }

    /// Reads a payment again after a conflict. If another delivery of the same event was committed meanwhile, with another
    /// meaning, returns the contradiction that this delivery is.
    async fn read_again(
        &self,
        id: &PaymentId,
        fact: &Fact,
        arrival: Option<Arrival<'_>>,
    ) -> Result<(AsRead, Option<(InboxEntry, Fact)>)> {
        let Some(entry) = arrival.map(Arrival::entry) else { return Ok((self.load(id).await?.into(), None)) };
        let Known { payment, order, earlier } =
            self.store.known(&entry.account, Find::Id(id), &entry.repeat_key).await?;
        let payment = payment.ok_or_else(|| Error::NotFound(format!("payment `{id}`")))?;
        let differs = earlier.is_some_and(|earlier| earlier.meaning != entry.meaning);
        let instead = (differs && !matches!(fact, Fact::Contradicted { .. })).then(|| contradiction(entry));
        Ok((AsRead { payment, order }, instead))
    }

    /// Commits, and commits the very same again while nobody knows whether it was made. Nothing is read to find out:
    /// only a conflict says that something stands there, and whoever decided it then looks whether that is its own.
    pub(crate) async fn commit_known(
        &self,
        changes: &Changes,
        patience: Patience,
    ) -> Result<Committed, StoreError> {
        const SHORT: Duration = Duration::from_secs(5);
        let began = self.clock.monotonic();
        let mut wait = FIRST_WAIT;
        let mut may_be_stored = None;
        loop {
            let error = match self.commit(changes.clone()).await {
                Ok(()) => return Ok(Committed::Yes),
                Err(StoreError::Conflict) => return Ok(Committed::Conflict),
                Err(error) => error,
            };
            if error.may_have_committed() {
                may_be_stored = Some(error.clone());
            }
            let goes_on = match patience {
                Patience::Short => may_be_stored.is_some() && self.clock.monotonic().since(began) < SHORT,
                Patience::Until(end) => may_be_stored.is_some() && self.clock.monotonic() < end,
                Patience::Endless => true,
            };
            if !goes_on {
                // What may be stored stays so, whatever the last try said.
                return Err(may_be_stored.unwrap_or(error));
            }
            tracing::warn!(%error, "a commit is made again");
            self.sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    pub(crate) async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        let kinds: Vec<&'static str> = changes.events.iter().map(|event| event.kind.name()).collect();
        let began = Instant::now();
        let result = self.store.commit(changes).await;
        metrics::commit(&result, began);
        result?;
        for kind in kinds {
            metrics::event(kind);
        }
        Ok(())
    }
}

/// Puts the delivery into what is committed, with what came of it, for a person.
fn note_arrival(arrival: Option<Arrival<'_>>, before: &PaymentRecord, changes: &mut Changes) {
    let Some(Arrival::New(entry) | Arrival::Kept(entry)) = arrival else { return };
    let noted = InboxEntry { note: format!("{}; {}", entry.note, effect(before, changes)), ..entry.clone() };
    match arrival {
        Some(Arrival::Kept(_)) => changes.settled.push(noted),
        _ => changes.inbox.push(noted),
    }
}

/// What came of a delivery, for a person.
fn effect(before: &PaymentRecord, changes: &Changes) -> String {
    let after = changes.payments.first().map_or(before, |after| after);
    if after.status != before.status {
        return format!("the payment was {} and became {}", before.status, after.status);
    }
    if let Some((item, _)) = changes.attention.first() {
        return format!("not applied, and listed for a person ({})", item.kind);
    }
    if after.ask_at.is_some() && after.ask_at != before.ask_at {
        return "the provider is asked".to_owned();
    }
    "nothing new".to_owned()
}

fn count(before: &PaymentRecord, operation: Option<&OperationRecord>, changes: &Changes) {
    let lost = changes
        .payments
        .iter()
        .any(|after| after.operation == OperationState::Unknown && before.operation != after.operation);
    if lost {
        metrics::unknown(&before.account);
    }
    changes
        .operations
        .iter()
        .filter(|after| operation.is_none_or(|before| before.state != after.state))
        .for_each(metrics::operation);
}
