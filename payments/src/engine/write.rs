//! Sends writes: every opening, charge, capture, void, refund and cancel goes this one way.
//!
//! A write is reserved, submitted, performed, and its answer recorded. Leave to send it ([`WritePermit`]) comes only from
//! the commit that submits it, is good once, and ends. What was submitted counts as sent for ever; nobody else sends it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tulbur_core::{Monotonic, OperationRef, OperationState, Outcome};

use crate::decide::intents::Ask;
use crate::decide::{Answer, Fact, Failure, write_lease};
use crate::engine::apply::{Decided, Patience};
use crate::engine::inner::{Inner, Payments};
use crate::engine::probe::Point;
use crate::error::{Error, Result, StoreError};
use crate::model::operation::OperationKind;
use crate::model::record::{EndedBy, PaymentId};

/// How long a caller waits for an answer to be stored that the database does not take.
const CALLER_WAITS: Duration = Duration::from_secs(5);

/// Leave to send one write, once, until a time. It cannot be copied, and whoever sends uses it up.
#[derive(Debug)]
pub(crate) struct WritePermit {
    send_by: Monotonic,
}

impl WritePermit {
    /// Uses the permit: the transport sends nothing after this time.
    pub(crate) fn send_by(self) -> Monotonic {
        self.send_by
    }
}

/// What a write is about.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) payment: PaymentId,
    /// None for the write that opens the payment.
    pub(crate) operation: Option<OperationRef>,
}

impl Subject {
    fn name(&self) -> String {
        match &self.operation {
            Some(operation) => format!("operation `{operation}`"),
            None => format!("payment `{}`", self.payment),
        }
    }

    /// The points of its way: reserved, before it is sent, answered.
    fn points(&self) -> [Point; 3] {
        match self.operation {
            Some(_) => [Point::OperationReserved, Point::OperationBeforeSend, Point::OperationAnswered],
            None => [Point::Reserved, Point::BeforeSend, Point::Answered],
        }
    }
}

/// What came of a write: how it now stands, and the error of the provider if there was one.
#[derive(Debug)]
pub(crate) struct Performed {
    pub(crate) decided: Decided,
    pub(crate) error: Option<tulbur_core::Error>,
}

impl Inner {
    /// Sends a reserved write and records its answer. `send` gets the permit and performs it.
    pub(crate) async fn perform<Sent>(
        self: &Arc<Self>,
        subject: Subject,
        owner: String,
        flight: Flight,
        send: impl FnOnce(WritePermit) -> Sent,
    ) -> Result<Performed>
    where
        Sent: Future<Output = tulbur_core::Result<Answer>>,
    {
        let [reserved, before_send, answered] = subject.points();
        self.reached(reserved);
        let permit = match self.submit(&subject, &owner).await {
            Ok(Some(permit)) => permit,
            Ok(None) => {
                let why = "it was given up, or taken over, before it was sent";
                self.record(subject.clone(), owner, Err(Failure::never_sent(why)), flight).await?;
                return Err(Error::conflict(subject.name(), format!("{why}; nothing was sent")));
            }
            Err(error) => {
                // Nothing was sent. That is recorded as soon as the database answers, so that nobody has to ask.
                let why = "the database did not answer in time; nothing was sent";
                self.record_later(subject, owner, Err(Failure::never_sent(why)), flight);
                return Err(error);
            }
        };
        self.reached(before_send);
        // The transport looks again before the first byte.
        if self.clock.monotonic() >= permit.send_by {
            let why = "its time to be sent was over; nothing was sent";
            self.record(subject.clone(), owner, Err(Failure::never_sent(why)), flight).await?;
            return Err(Error::conflict(subject.name(), format!("{why}; it can be asked for again")));
        }
        let answer = send(permit).await;
        self.reached(answered);
        match answer {
            Ok(answer) => {
                let decided = self.record(subject, owner, Ok(answer), flight).await?;
                Ok(Performed { decided, error: None })
            }
            Err(error) => {
                if error.outcome() == Outcome::Unknown {
                    tracing::warn!(subject = subject.name(), %error, "it may have happened; asking");
                }
                let decided = self.record(subject, owner, Err(Failure::from(&error)), flight).await?;
                Ok(Performed { decided, error: Some(error) })
            }
        }
    }

    /// Commits that the write is sent now. Only that commit gives leave: from Reserved, by this owner, while the payment
    /// is as it was when the write was decided. A decision that changed nothing gives none.
    async fn submit(&self, subject: &Subject, owner: &str) -> Result<Option<WritePermit>> {
        let began = self.clock.monotonic();
        let payment = self.load(&subject.payment).await?;
        let flow = self.flow(&payment)?;
        // The answer is expected within the lease, so it is sent well before its end.
        let lease = write_lease(flow, &self.schedule);
        let send_by = began.after(lease.saturating_sub(self.schedule.write_within(flow)).max(lease / 4));
        let fact = Fact::Submitted { owner: owner.to_owned() };
        let decided = self
            .decide(payment.into(), subject.operation.as_ref(), &fact, None, Patience::Until(send_by))
            .await?;
        let (state, by) = match (&subject.operation, &decided.operation) {
            (None, _) => (decided.payment.operation, &decided.payment.owner),
            (Some(_), Some(operation)) => (operation.state, &operation.owner),
            (Some(_), None) => return Ok(None),
        };
        let granted = state == OperationState::Submitted && by.as_deref() == Some(owner);
        Ok(granted.then_some(WritePermit { send_by }))
    }

    /// Stores what came of a write. While the database does not take it, it is kept and tried again, longer than the
    /// caller waits; the caller is then told so, and never told to call again.
    async fn record(
        self: &Arc<Self>,
        subject: Subject,
        owner: String,
        answer: std::result::Result<Answer, Failure>,
        flight: Flight,
    ) -> Result<Decided> {
        let name = subject.name();
        let mut recording = self.record_later(subject, owner, answer, flight);
        tokio::select! {
            biased;
            recorded = &mut recording => recorded.unwrap_or_else(|failure| {
                let cause = StoreError::Unavailable(format!("the task that stores it ended: {failure}"));
                Err(Error::Unrecorded { subject: name, cause })
            }),
            () = self.sleep(CALLER_WAITS) => {
                let cause = StoreError::Unavailable("it has not answered yet".into());
                Err(Error::Unrecorded { subject: name, cause })
            }
        }
    }

    /// As [`Inner::record`], in a task of its own that ends when it is stored.
    fn record_later(
        self: &Arc<Self>,
        subject: Subject,
        owner: String,
        answer: std::result::Result<Answer, Failure>,
        flight: Flight,
    ) -> tokio::task::JoinHandle<Result<Decided>> {
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            // Until it is stored, this process counts as waiting for the answer.
            let _flight = flight;
            let fact = match answer {
                Ok(answer) => Fact::Answered { owner, answer },
                Err(failure) => Fact::WriteFailed { owner, failure },
            };
            let mut wait = Duration::from_millis(50);
            loop {
                let recorded = match inner.load(&subject.payment).await {
                    Ok(payment) => {
                        let operation = subject.operation.as_ref();
                        inner.decide(payment.into(), operation, &fact, None, Patience::Endless).await
                    }
                    Err(error) => Err(error),
                };
                match recorded {
                    Err(Error::Store(error)) if !matches!(error, StoreError::Unreadable(_)) => {
                        tracing::error!(subject = subject.name(), %error, "an answer could not be stored; it is kept");
                    }
                    Ok(decided) => {
                        inner.after_record(&subject, &decided).await;
                        return Ok(decided);
                    }
                    Err(error) => {
                        tracing::error!(subject = subject.name(), %error, "an answer cannot be stored");
                        return Err(error);
                    }
                }
                inner.sleep(wait).await;
                wait = (wait * 2).min(Duration::from_secs(5));
            }
        })
    }
}

impl Inner {
    /// What an answer makes possible: early notifications about it are applied, and a page that was made after its
    /// payment was closed here is taken back, where the provider can.
    async fn after_record(self: &Arc<Self>, subject: &Subject, decided: &Decided) {
        if subject.operation.is_some() {
            return;
        }
        let payment = &decided.payment;
        self.try_kept_for(payment).await;
        let closed = payment.status.is_failed()
            && payment.operation == OperationState::Succeeded
            && payment.ended_by == Some(EndedBy::Us);
        let cancels = self.provider(&payment.account).is_ok_and(|provider| provider.cancels().is_some());
        if closed && cancels && payment.order().is_some() {
            let ask = Ask::new(OperationKind::Cancel, payment.id.clone());
            // It is watched all the same.
            let payments = Payments(Arc::clone(self));
            tokio::spawn(async move {
                if let Err(error) = payments.operate(ask).await {
                    tracing::info!(%error, "a page that was made too late was not taken back; it is watched");
                }
            });
        }
    }
}

impl Payments {
    /// Waits until no write of this process is under way and every answer is stored, and says whether that was reached
    /// within `limit`. Call it before the runtime ends: writes run in tasks of their own, and end with it.
    pub async fn drain(&self, limit: Duration) -> bool {
        let inner = &self.0;
        let end = inner.clock.monotonic().after(limit);
        loop {
            let landed = inner.landed.notified();
            let none = inner.in_flight.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
            let left = end.since(inner.clock.monotonic());
            if none || left.is_zero() {
                return none;
            }
            tokio::select! {
                biased;
                () = landed => {}
                () = inner.sleep(left.min(Duration::from_millis(200))) => {}
            }
        }
    }
}

/// Runs a future to its end, whatever becomes of the caller.
pub(crate) async fn in_its_own_task<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(failure) => match failure.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::Store(StoreError::MaybeCommitted("the runtime is shutting down".into()))),
        },
    }
}

/// A write that this process is waiting for, as long as this lives.
pub(crate) struct Flight(Arc<Inner>, String);

impl Flight {
    pub(crate) fn start(inner: &Arc<Inner>, id: &str) -> Self {
        inner.in_flight.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
        Self(Arc::clone(inner), id.to_owned())
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
        self.0.landed.notify_waiters();
    }
}
