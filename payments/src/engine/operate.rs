//! Performs operations on payments: capture, void, refund, cancel; and records an operator's decision about what became of them.

use std::sync::Arc;

use tulbur_core::{
    CancelRequest, CaptureRequest, Error as CoreError, ErrorKind, Money, OperationRef, OperationState,
    Outcome, RefundRequest, Timestamp, VoidRequest,
};

use crate::decide::intents::{
    Ask, OperationSituation, Reserve, key_conflict, refused_before, reserve_operation, same_request,
};
use crate::decide::proven::Proven;
use crate::decide::{Answer, Fact, can_be_asked, moves_money};
use crate::engine::apply::{Committed, Patience};
use crate::engine::inner::{Inner, Payments};
use crate::engine::open::gone;
use crate::engine::write::{Flight, Performed, Subject, WritePermit, in_its_own_task};
use crate::error::{Error, Result, StoreError};
use crate::model::event::AttentionKind;
use crate::model::operation::{IdempotencyKey, KeySubject, Operation, OperationKind, OperationRecord};
use crate::model::record::{PaymentId, PaymentRecord};
use crate::model::request::{CapturePayment, RefundPayment, VoidPayment, digest};

impl Payments {
    /// Gives money back, all that is left of it or a part.
    ///
    /// The refund is reserved in the same commit that checks what is left, so that no two refunds together give back
    /// more than was taken. One whose answer was lost counts as given back, is asked about, and is never sent again by
    /// itself.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the payment is not paid, or less is left; [`Error::Provider`] when the account cannot
    /// make this refund, or the provider refused it. Nothing was given back then. [`Error::Unrecorded`] when the
    /// provider was called, and the database does not take what came of it.
    pub async fn refund(&self, request: RefundPayment) -> Result<Operation> {
        let ask = Ask {
            amount: request.amount,
            part: request.part,
            reason: request.reason,
            by: request.by,
            key: request.key,
            ..Ask::new(OperationKind::Refund, request.payment)
        };
        self.operate(ask).await.map(Operation::of)
    }

    /// Takes money that is held: all of it, or a part where the provider can.
    ///
    /// # Errors
    /// As [`Payments::refund`]; and [`Error::Conflict`] when the order was paid otherwise meanwhile, or another payment
    /// of it may be taking the money.
    pub async fn capture(&self, request: CapturePayment) -> Result<Operation> {
        let ask = Ask {
            amount: request.amount,
            key: request.key,
            ..Ask::new(OperationKind::Capture, request.payment)
        };
        self.operate(ask).await.map(Operation::of)
    }

    /// Lets go of money that is held.
    ///
    /// # Errors
    /// As [`Payments::refund`].
    pub async fn void(&self, request: VoidPayment) -> Result<Operation> {
        let ask = Ask {
            reason: request.reason,
            key: request.key,
            ..Ask::new(OperationKind::Void, request.payment)
        };
        self.operate(ask).await.map(Operation::of)
    }

    /// A payment's operations, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn operations(&self, payment: &PaymentId) -> Result<Vec<OperationRecord>> {
        Ok(self.0.store.operations(payment).await?)
    }

    /// One operation.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the database's.
    pub async fn operation(&self, operation: &OperationRef) -> Result<OperationRecord> {
        self.0.load_operation(operation).await
    }

    /// Records an operator's decision about what became of an operation that nobody else can tell about. It is written
    /// into the history under `by`. That it did not happen is accepted an hour after the time in which its request can still be
    /// under way ([`Schedule::declare_after`](crate::Schedule::declare_after)).
    ///
    /// # Errors
    /// [`Error::Conflict`] when it is neither unknown nor waiting to be settled, or too early.
    pub async fn declare_operation(
        &self,
        operation: &OperationRef,
        happened: bool,
        by: &str,
    ) -> Result<OperationRecord> {
        let record = self.0.load_operation(operation).await?;
        let subject = || format!("operation `{operation}`");
        if !matches!(record.state, OperationState::Unknown | OperationState::Accepted) {
            return Err(Error::conflict(
                subject(),
                format!("it is {}; only an unknown one needs an operator's decision", record.state),
            ));
        }
        if !happened {
            self.0.may_still_happen(record.write_ends, subject)?;
        }
        let fact = Fact::OperationDeclared { happened, by: by.to_owned() };
        self.0.apply_to_operation(&record.payment, operation, &fact).await
    }

    /// Records an operator's decision about whether a payment was paid, where the provider cannot be asked, or does not
    /// say. It is written into the history under `by`. What was listed about another amount is resolved with it.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it is paid already, when the provider's own word can still settle it, or when it is too
    /// early to say that it was not paid, as for [`Payments::declare_operation`].
    pub async fn declare_payment(&self, id: &PaymentId, paid: bool, by: &str) -> Result<PaymentRecord> {
        let record = self.0.load(id).await?;
        let settled = if paid { record.status.is_success() } else { !record.status.is_open() };
        if settled || record.order().is_none() {
            return Err(Error::conflict(
                format!("payment `{id}`"),
                format!("it is {}; there is nothing for a person to settle", record.status),
            ));
        }
        let flow = self.0.flow(&record)?;
        // What the provider can still settle is its to settle, except where it has said all that it will say.
        let is_a_persons = record.operation == OperationState::Unknown
            || record.mismatch.is_some()
            || record.overdue
            || record.said_paid && record.status.is_failed();
        if can_be_asked(flow, &record) && !is_a_persons {
            return Err(Error::conflict(
                format!("payment `{id}`"),
                "the provider can be asked about it, and only its word moves it",
            ));
        }
        // What was answered is under way no more.
        if !paid && record.operation != OperationState::Succeeded {
            self.0.may_still_happen(record.write_ends, || format!("payment `{id}`"))?;
        }
        let record = self.0.apply(id, &Fact::Declared { paid, by: by.to_owned() }, None).await?;
        for item in self.0.store.attention().await? {
            if item.kind == AttentionKind::AmountMismatch && item.payment.as_ref() == Some(id) {
                self.0.store.resolve_attention(&item.key, self.0.now()).await?;
            }
        }
        Ok(record)
    }

    /// Reserves the operation, performs it in a task of its own, and returns how it then stands. One that was refused is
    /// an error, also when its key is used again.
    pub(crate) async fn operate(&self, ask: Ask) -> Result<OperationRecord> {
        const TRIES: usize = 20;
        let this = self.clone();
        in_its_own_task(async move {
            for _ in 0..TRIES {
                let record = match this.0.reserve_operation(&ask).await? {
                    Reserved::New(record, owner, flight) => {
                        return this.0.perform_operation(*record, owner, flight).await;
                    }
                    Reserved::Known(record) => this.0.wait_for_operation(*record).await?,
                };
                if record.state != OperationState::Refused {
                    return Ok(record);
                }
                if ask.key.is_none() || this.0.is_used(ask.key.as_ref()).await? {
                    return Err(refused_before(record.code.as_deref(), record.text.as_deref()));
                }
                // The earlier try was certainly never sent: this call is a new one.
            }
            Err(StoreError::Conflict.into())
        })
        .await
    }
}

enum Reserved {
    New(Box<OperationRecord>, String, Flight),
    Known(Box<OperationRecord>),
}

/// What tells an operation with a key from another.
fn content(ask: &Ask) -> Result<String> {
    digest(&serde_json::json!({
        "operation": ask.kind, "payment": ask.payment, "amount": ask.amount, "part": ask.part,
        "reason": ask.reason,
    }))
}

impl Inner {
    pub(crate) async fn load_operation(&self, operation: &OperationRef) -> Result<OperationRecord> {
        let found = self.store.operation(operation).await?;
        found.ok_or_else(|| Error::NotFound(format!("operation `{operation}`")))
    }

    /// Refuses a person's "it did not happen" while its request can still be under way somewhere.
    fn may_still_happen(&self, write_ends: Option<Timestamp>, subject: impl Fn() -> String) -> Result<()> {
        let Some(from) = write_ends.map(|ends| ends.after(self.schedule.declare_after)) else {
            return Ok(());
        };
        if self.now() >= from {
            return Ok(());
        }
        Err(Error::conflict(
            subject(),
            format!("its request may still be under way; that it did not happen can be said from {from} on"),
        ))
    }

    async fn reserve_operation(self: &Arc<Self>, ask: &Ask) -> Result<Reserved> {
        const TRIES: usize = 50;
        let content = content(ask)?;
        self.refresh_time().await;
        let owner = self.ids.uuid_v7();
        let operation_ref = OperationRef::parse(self.ids.uuid_v7()).map_err(CoreError::from)?;
        for tried in 0..TRIES {
            if tried > 0
                && let Some(record) = self.store.operation(&operation_ref).await?
            {
                // An earlier try was stored, and its answer was lost: it is ours, and nobody has sent it.
                let flight = Flight::start(self, operation_ref.as_str());
                return Ok(Reserved::New(Box::new(record), owner, flight));
            }
            if let Some(key) = &ask.key
                && let Some(used) = self.store.key(key).await?
            {
                return match same_request(&used, &content)? {
                    KeySubject::Operation(operation) => {
                        self.load_operation(operation).await.map(|record| Reserved::Known(Box::new(record)))
                    }
                    KeySubject::Payment(_) => Err(key_conflict(key)),
                };
            }
            let payment = self.load(&ask.payment).await?;
            self.offers(ask.kind, &payment)?;
            let order = match payment.order() {
                Some(order) => self.store.order(order).await?,
                None => None,
            };
            let earlier = self.store.operations(&payment.id).await?;
            let moves = |other: &PaymentRecord| self.flow(other).is_ok_and(moves_money);
            let situation = OperationSituation {
                payment: &payment,
                order: order.as_ref(),
                earlier: &earlier,
                info: self.provider(&payment.account)?.info(),
                flow: self.flow(&payment)?,
                moves_money: &moves,
                schedule: &self.schedule,
                now: self.now(),
            };
            let (record, changes) =
                match reserve_operation(&situation, ask, &content, operation_ref.clone(), &owner) {
                    Ok(Reserve::New(record, changes)) => (record, changes),
                    Ok(Reserve::Known(record)) => return Ok(Reserved::Known(record)),
                    // The same call was committed elsewhere since the key was looked up: its result is the answer.
                    Err(_) if self.is_used(ask.key.as_ref()).await? => continue,
                    Err(error) => return Err(error),
                };
            let flight = Flight::start(self, record.operation_ref.as_str());
            match self.commit_known(&changes, Patience::Short).await? {
                Committed::Yes => {
                    crate::metrics::operation(&record);
                    let record = OperationRecord { version: 1, ..*record };
                    return Ok(Reserved::New(Box::new(record), owner, flight));
                }
                Committed::Conflict => tokio::task::yield_now().await,
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Whether there is a key, and something was stored under it.
    pub(crate) async fn is_used(&self, key: Option<&IdempotencyKey>) -> Result<bool> {
        match key {
            Some(key) => Ok(self.store.key(key).await?.is_some()),
            None => Ok(false),
        }
    }

    fn offers(&self, kind: OperationKind, payment: &PaymentRecord) -> Result<()> {
        let provider = self.provider(&payment.account)?;
        let offered = match kind {
            OperationKind::Capture => provider.captures().is_some(),
            OperationKind::Void => provider.voids().is_some(),
            OperationKind::Refund => provider.refunds().is_some(),
            OperationKind::Cancel => provider.cancels().is_some(),
        };
        if offered {
            return Ok(());
        }
        let why = format!("account `{}` does not offer a {kind}", payment.account);
        Err(CoreError::new(ErrorKind::Unsupported, why).with_field("account").into())
    }

    async fn perform_operation(
        self: &Arc<Self>,
        record: OperationRecord,
        owner: String,
        flight: Flight,
    ) -> Result<OperationRecord> {
        let subject =
            Subject { payment: record.payment.clone(), operation: Some(record.operation_ref.clone()) };
        let inner = Arc::clone(self);
        let operation_ref = record.operation_ref.clone();
        let send = |permit: WritePermit| async move { inner.send_operation(&record, permit).await };
        let Performed { decided, error } = self.perform(subject, owner, flight, send).await?;
        match error {
            Some(error) if error.outcome() != Outcome::Unknown => Err(error.into()),
            _ => match decided.operation {
                Some(operation) if operation.state == OperationState::Refused => {
                    Err(refused_before(operation.code.as_deref(), operation.text.as_deref()))
                }
                Some(operation) => Ok(operation),
                None => self.load_operation(&operation_ref).await,
            },
        }
    }

    /// Waits for an operation that another call is waiting for, until the lease of its write is over.
    async fn wait_for_operation(&self, record: OperationRecord) -> Result<OperationRecord> {
        let mut changes = self.changed.subscribe();
        loop {
            let under_way = self.is_in_flight(record.operation_ref.as_str());
            let now_is = self.load_operation(&record.operation_ref).await?;
            let waits = matches!(now_is.state, OperationState::Reserved | OperationState::Submitted);
            let over = now_is.write_ends.is_none_or(|until| until <= self.now());
            if !waits || over && !under_way {
                return Ok(now_is);
            }
            tokio::select! {
                biased;
                _ = changes.recv() => {}
                () = self.sleep(std::time::Duration::from_secs(1)) => {}
            }
        }
    }

    async fn send_operation(
        &self,
        record: &OperationRecord,
        permit: WritePermit,
    ) -> tulbur_core::Result<Answer> {
        let provider = self.provider(&record.account).map_err(|error| gone(&error))?;
        let payment = self.load(&record.payment).await.map_err(|error| gone(&error))?;
        let missing = || {
            let why = format!("account `{}` does not offer a {}", record.account, record.kind);
            CoreError::new(ErrorKind::Unsupported, why)
        };
        let reference = payment.reference.clone();
        let operation_ref = record.operation_ref.clone();
        let amount = record.amount.or(payment.amount());
        let amount =
            || amount.ok_or_else(|| CoreError::new(ErrorKind::InvalidRequest, "the payment has no amount"));
        let send_by = Some(permit.send_by());
        let answer = match record.kind {
            OperationKind::Refund => {
                let refunds = provider.refunds().ok_or_else(missing)?;
                let mut request =
                    RefundRequest::new(reference, operation_ref, amount()?, record.reason.clone());
                request.taken = payment.taken();
                request.part.clone_from(&record.part);
                request.by.clone_from(&record.by);
                return refunds.refund(&request.send_by(send_by)).await.map(Answer::Refund);
            }
            OperationKind::Capture => {
                let captures = provider.captures().ok_or_else(missing)?;
                let request = CaptureRequest::new(reference, operation_ref, amount()?).send_by(send_by);
                tulbur_core::capture(captures, &request).await?
            }
            OperationKind::Void => {
                let voids = provider.voids().ok_or_else(missing)?;
                tulbur_core::void(voids, &VoidRequest::new(reference, operation_ref).send_by(send_by)).await?
            }
            OperationKind::Cancel => {
                let cancels = provider.cancels().ok_or_else(missing)?;
                tulbur_core::cancel(cancels, &CancelRequest::new(reference).send_by(send_by)).await?
            }
        };
        Ok(Answer::Payment(Box::new(Proven::by_answer(answer))))
    }

    /// An operation is due: the lease of its write is over, or nobody knows what became of it.
    pub(crate) async fn attend_operation(&self, record: &OperationRecord) -> Result<()> {
        if self.is_in_flight(record.operation_ref.as_str()) {
            return Ok(());
        }
        let fact = if matches!(record.state, OperationState::Unknown | OperationState::Accepted) {
            let payment = self.load(&record.payment).await?;
            let flow = self.flow(&payment)?;
            let asked = match self.provider(&record.account).ok().and_then(tulbur_core::Provider::queries) {
                Some(queries) if can_be_asked(flow, &payment) => {
                    let question = tulbur_core::confirm(queries, &payment.reference);
                    match self.at_pace(&record.account, &payment.id, question).await? {
                        Some(answer) => answer.ok(),
                        // It was not asked; its lease brings it again.
                        None => return Ok(()),
                    }
                }
                _ => None,
            };
            // After the answer: whatever could be in it is counted.
            let others = self.unresolved_refunds(record).await?;
            let answer = asked.map(|answer| Box::new(Proven::by_query(answer).asked_on(payment.revision)));
            Fact::OperationAsked { answer, others }
        } else {
            Fact::Abandoned
        };
        self.apply_to_operation(&record.payment, &record.operation_ref, &fact).await?;
        Ok(())
    }

    /// What the payment's other refunds that are not resolved may have given back.
    async fn unresolved_refunds(&self, but: &OperationRecord) -> Result<Option<Money>> {
        let all = self.store.operations(&but.payment).await?;
        let others = all.iter().filter(|one| {
            one.operation_ref != but.operation_ref && one.kind == OperationKind::Refund && one.is_unresolved()
        });
        let mut amounts = others.filter_map(|one| one.amount);
        let Some(first) = amounts.next() else { return Ok(None) };
        let sum = amounts.try_fold(first, Money::checked_add);
        sum.map(Some).map_err(|error| Error::conflict("the payment's refunds", error.to_string()))
    }
}
