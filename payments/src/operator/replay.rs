//! Repeats a delivery, a question or an event for an operator, and resolves items of the list.
//!
//! The functions that take a [`Store`] need no account: a person at a terminal has the database, and the running
//! application does the work.

use tulbur_core::{Channel, FlowInfo, IpnEvent, OperationState, OrderRef, Timestamp};

use crate::decide::Fact;
use crate::engine::arrivals::{claim_of, is_anybodys};
use crate::engine::inner::Payments;
use crate::engine::kept::RawDelivery;
use crate::engine::notify::{Binding, binding};
use crate::engine::spacing::Reason;
use crate::error::{Error, Result, StoreError};
use crate::model::event::{HistoryEntry, Source};
use crate::model::record::{PaymentId, PaymentRecord, Status};
use crate::operator::handlers::unpark;
use crate::store::{Changes, Find, InboxEntry, Store};

/// How often a decision is made anew because somebody else was faster.
const TRIES: usize = 20;
/// Events that were given up are looked through up to this many.
const MOST_PARKED: u32 = 10_000;

/// What came of a replayed delivery.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Replayed {
    /// It was read, and the provider was asked. Only the provider's answer moved anything.
    Asked {
        /// Whether its signature was right; otherwise anybody could have sent it.
        genuine: bool,
        /// What the delivery claims.
        said: String,
        /// How the payment stood before.
        before: Status,
        /// How it stands now.
        payment: Box<PaymentRecord>,
    },
    /// It was read, and names no payment of ours.
    UnknownPayment {
        /// Whether its signature was right; otherwise anybody could have sent it.
        genuine: bool,
        /// What the delivery claims.
        said: String,
    },
    /// The account's provider refuses it, as it did or would when it arrived.
    Refused {
        /// Why.
        why: String,
    },
}

/// What was made due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MadeDue {
    /// Unknown operations of the payment that are asked about.
    pub operations: usize,
    /// Deliveries of events to handlers that had been given up and are due again.
    pub events: usize,
}

impl Payments {
    /// Gives a kept delivery to its account's provider again. It is verified anew, for example because a key was
    /// configured meanwhile; but it is only a hint: the provider is asked, and what it answers counts. It is written
    /// into the history under `by`.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an id that is not in the inbox or an account that is not configured;
    /// [`Error::Sealed`] when the key that sealed it is not configured; [`Error::Conflict`] when only its beginning
    /// was kept.
    pub async fn replay(&self, id: &str, by: &str) -> Result<Replayed> {
        let inner = &self.0;
        let found = inner.store.inbox_entry(id).await?;
        let (entry, _) = found.ok_or_else(|| Error::NotFound(format!("delivery `{id}`")))?;
        let provider = inner.provider(&entry.account)?;
        let ipn = provider
            .ipn()
            .ok_or_else(|| Error::NotFound(format!("way for account `{}` to be notified", entry.account)))?;
        let raw = RawDelivery::open(&inner.keys, &entry)?;
        let body = raw.body()?;
        if body.len() < raw.bytes {
            return Err(Error::conflict(
                format!("delivery `{id}`"),
                format!("of its {} bytes only {} were kept, because it was refused", raw.bytes, body.len()),
            ));
        }
        let event = match ipn.verify(&raw.delivery(entry.channel, &body)) {
            Ok(event) => event,
            Err(error) => return Ok(Replayed::Refused { why: error.to_string() }),
        };
        let (said, genuine) = (claim_of(&event), !is_anybodys(&event));
        let Some(record) = self.replayed_payment(&entry, &event).await? else {
            return Ok(Replayed::UnknownPayment { genuine, said });
        };
        if binding(&event, &record) == Binding::Contradicts {
            let why = format!("it names another payment than `{}`", record.id);
            return Ok(Replayed::Refused { why });
        }
        let source = match entry.channel {
            Channel::Notify => Source::Notification,
            Channel::Return => Source::Return,
        };
        let what = format!("{by} replayed delivery {id}, which says {said}; asking");
        inner.apply(&record.id, &Fact::Hinted { source, what }, None).await?;
        let payment = inner.ask_spaced(&record.id, Reason::Told).await?;
        Ok(Replayed::Asked { genuine, said, before: record.status, payment: Box::new(payment) })
    }

    async fn replayed_payment(&self, entry: &InboxEntry, event: &IpnEvent) -> Result<Option<PaymentRecord>> {
        let store = &self.0.store;
        if let Some(id) = &entry.payment {
            return Ok(store.payment(Find::Id(id)).await?);
        }
        Ok(match (&event.subject.merchant_ref, &event.subject.provider_ref) {
            (Some(reference), _) => store.payment(Find::MerchantRef(&entry.account, reference)).await?,
            (None, Some(reference)) => store.payment(Find::ProviderRef(&entry.account, reference)).await?,
            (None, None) => None,
        })
    }

    /// How a payment's flow works: whether it can be asked about, for one.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the account is not configured, or does not have the flow.
    pub fn flow_of(&self, payment: &PaymentRecord) -> Result<&FlowInfo> {
        self.0.flow(payment)
    }

    /// Asks the provider about a payment and its unknown operations now, and makes its events that were given up due
    /// again. It is written into the history under `by`.
    ///
    /// # Errors
    /// As [`make_due`]. That the provider cannot be asked is no error here: it is in the history.
    pub async fn retry(&self, id: &PaymentId, by: &str) -> Result<(PaymentRecord, MadeDue)> {
        let inner = &self.0;
        let due = make_due(&*inner.store, id, by, self.now()).await?;
        let record = inner.load(id).await?;
        if matches!(record.operation, OperationState::Succeeded | OperationState::Unknown) {
            inner.ask_spaced(id, Reason::Told).await?;
        }
        for operation in inner.store.operations(id).await? {
            if matches!(operation.state, OperationState::Unknown | OperationState::Accepted) {
                inner.attend_operation(&operation).await?;
            }
        }
        Ok((inner.load(id).await?, due))
    }
}

/// Makes a payment, its unknown operations and its parked events due now; whichever process runs on this database
/// does the rest. It is written into the history under `by`.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] when the request that opens it is under way, or was never made; the
/// database's.
pub async fn make_due(store: &dyn Store, id: &PaymentId, by: &str, now: Timestamp) -> Result<MadeDue> {
    let found = store.payment(Find::Id(id)).await?;
    let payment = found.ok_or_else(|| Error::NotFound(format!("payment `{id}`")))?;
    let order = payment.order();
    let mut events = 0;
    for parked in store.parked_deliveries(MOST_PARKED).await? {
        let Ok(event) = &parked.event.read else { continue };
        let ours = match (&event.order, order) {
            (Some(one), Some(other)) => one == other,
            _ => event.payment.as_ref() == Some(id),
        };
        if ours && unpark(store, &parked, now).await? {
            events += 1;
        }
    }
    match hasten(store, id, &format!("{by} asks to look again"), now).await {
        Ok(operations) => Ok(MadeDue { operations, events }),
        // There is nothing to ask, and something was done all the same.
        Err(Error::Conflict { .. }) if events > 0 => Ok(MadeDue { operations: 0, events }),
        Err(error) => Err(error),
    }
}

/// Makes a payment and its unknown operations due, with this line in its history, and says how many of these there are.
pub(crate) async fn hasten(store: &dyn Store, id: &PaymentId, what: &str, now: Timestamp) -> Result<usize> {
    for _ in 0..TRIES {
        let found = store.payment(Find::Id(id)).await?;
        let mut payment = found.ok_or_else(|| Error::NotFound(format!("payment `{id}`")))?;
        let subject = || format!("payment `{id}`");
        match payment.operation {
            OperationState::Reserved | OperationState::Submitted => {
                return Err(Error::conflict(
                    subject(),
                    "the request that opens it is under way; if its process died, another takes it over by itself",
                ));
            }
            OperationState::Refused => {
                return Err(Error::conflict(
                    subject(),
                    "the provider never made it, so there is nothing to ask",
                ));
            }
            OperationState::Accepted | OperationState::Succeeded | OperationState::Unknown => {}
        }
        payment.ask_at = Some(now);
        let mut operations = store.operations(id).await?;
        operations.retain(|operation| operation.state == OperationState::Unknown);
        for operation in &mut operations {
            operation.lease_until = Some(now);
        }
        let count = operations.len();
        let line = person_line(now, payment.order().cloned(), id.clone(), what.to_owned());
        let changes =
            Changes { payments: vec![payment], operations, history: vec![line], ..Changes::default() };
        match store.commit(changes).await {
            Ok(()) => return Ok(count),
            Err(StoreError::Conflict) => tokio::task::yield_now().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

pub(super) fn person_line(
    at: Timestamp,
    order: Option<OrderRef>,
    payment: PaymentId,
    what: String,
) -> HistoryEntry {
    HistoryEntry { at, order, payment, source: Source::Person, change: None, what }
}
