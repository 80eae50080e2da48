//! Operations on payments: capture, void, refund; and what a person says of those nobody else can tell about.

use std::sync::Arc;

use tulbur_core::{
    CaptureRequest, Error as CoreError, ErrorKind, Money, OperationRef, OperationState, Outcome, QueryBy,
    RefundRequest, VoidRequest,
};

use crate::error::{Error, Result, StoreError};
use crate::event::{HistoryEntry, Source};
use crate::open::in_its_own_task;
use crate::operation::{IdempotencyKey, KeyRecord, KeySubject, OperationKind, OperationRecord};
use crate::payments::{Flight, Inner, Payments};
use crate::probe::Point;
use crate::proven::Proven;
use crate::record::{Order, PaymentId, PaymentRecord, Status};
use crate::request::{CapturePayment, RefundPayment, VoidPayment, digest};
use crate::store::Changes;
use crate::transition::{Fact, OperationAnswer};

/// An operation that an application asks for.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) kind: OperationKind,
    pub(crate) payment: PaymentId,
    pub(crate) amount: Option<Money>,
    pub(crate) reason: String,
    pub(crate) key: Option<IdempotencyKey>,
}

impl Ask {
    fn content(&self) -> Result<String> {
        digest(&serde_json::json!({
            "operation": self.kind, "payment": self.payment, "amount": self.amount, "reason": self.reason,
        }))
    }
}

impl Payments {
    /// Gives money back, all that is left of it or a part.
    ///
    /// The refund is reserved in the same commit that checks what is left, so that no two refunds together give back
    /// more than was taken. One whose answer was lost is `Unknown`: it counts as given back, is asked about, and is
    /// never sent again by itself.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the payment is not paid, or less is left; [`Error::Provider`] when the account cannot
    /// make this refund, or the provider refused it. Nothing was given back then.
    pub async fn refund(&self, request: RefundPayment) -> Result<OperationRecord> {
        self.operate(Ask {
            kind: OperationKind::Refund,
            payment: request.payment,
            amount: request.amount,
            reason: request.reason,
            key: request.key,
        })
        .await
    }

    /// Takes money that is held: all of it, or a part where the provider can.
    ///
    /// # Errors
    /// As [`Payments::refund`]; and [`Error::Conflict`] when the order was paid otherwise meanwhile.
    pub async fn capture(&self, request: CapturePayment) -> Result<OperationRecord> {
        self.operate(Ask {
            kind: OperationKind::Capture,
            payment: request.payment,
            amount: request.amount,
            reason: String::new(),
            key: request.key,
        })
        .await
    }

    /// Lets go of money that is held.
    ///
    /// # Errors
    /// As [`Payments::refund`].
    pub async fn void(&self, request: VoidPayment) -> Result<OperationRecord> {
        self.operate(Ask {
            kind: OperationKind::Void,
            payment: request.payment,
            amount: None,
            reason: request.reason,
            key: request.key,
        })
        .await
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

    /// Takes a person's word for what became of an operation that nobody else can tell about. It is written into the
    /// history under `by`.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it is not unknown.
    pub async fn declare_operation(
        &self,
        operation: &OperationRef,
        happened: bool,
        by: &str,
    ) -> Result<OperationRecord> {
        let record = self.0.load_operation(operation).await?;
        if record.state != OperationState::Unknown {
            return Err(Error::conflict(
                format!("operation `{operation}`"),
                format!("it is {}; only what is unknown needs a person's word", record.state),
            ));
        }
        let fact = Fact::OperationDeclared { happened, by: by.to_owned() };
        self.0.apply_to_operation(&record, &fact).await
    }

    /// Takes a person's word for whether a payment was paid, where the provider cannot be asked. It is written into
    /// the history under `by`.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it is paid already, or the provider's own word can still settle it.
    pub async fn declare_payment(&self, id: &PaymentId, paid: bool, by: &str) -> Result<PaymentRecord> {
        let record = self.0.load(id).await?;
        let settled = if paid { record.status.is_success() } else { !record.status.is_open() };
        if settled || record.order().is_none() {
            return Err(Error::conflict(
                format!("payment `{id}`"),
                format!("it is {}; there is nothing for a person to settle", record.status),
            ));
        }
        let askable = match self.0.flow(&record)?.query_by {
            QueryBy::Nothing => false,
            QueryBy::ProviderRef => record.reference.provider_ref.is_some(),
            QueryBy::MerchantRef | QueryBy::MerchantRefAndAmount => true,
        };
        if askable && record.operation != OperationState::Unknown {
            return Err(Error::conflict(
                format!("payment `{id}`"),
                "the provider can be asked about it, and only its word moves it",
            ));
        }
        self.0.apply(id, &Fact::Declared { paid, by: by.to_owned() }, None).await
    }

    /// Commits the operation, performs it in a task of its own, and returns how it then stands.
    pub(crate) async fn operate(&self, ask: Ask) -> Result<OperationRecord> {
        let this = self.clone();
        in_its_own_task(async move {
            let (record, flight) = match this.0.reserve_operation(&ask).await? {
                Reserved::New(record, flight) => (record, flight),
                Reserved::Known(record) => return Ok(record),
            };
            let result = this.0.perform_operation(&record).await;
            drop(flight);
            result
        })
        .await
    }
}

enum Reserved {
    New(OperationRecord, Flight),
    Known(OperationRecord),
}

impl Inner {
    async fn load_operation(&self, operation: &OperationRef) -> Result<OperationRecord> {
        let found = self.store.operation(operation).await?;
        found.ok_or_else(|| Error::NotFound(format!("operation `{operation}`")))
    }

    async fn reserve_operation(self: &Arc<Self>, ask: &Ask) -> Result<Reserved> {
        const TRIES: usize = 50;
        let content = ask.content()?;
        for _ in 0..TRIES {
            if let Some(key) = &ask.key
                && let Some(used) = self.store.key(key).await?
            {
                return match used.subject {
                    KeySubject::Operation(operation) if used.content == content => {
                        self.load_operation(&operation).await.map(Reserved::Known)
                    }
                    _ => Err(key_conflict(key)),
                };
            }
            let payment = self.load(&ask.payment).await?;
            let order = match payment.order() {
                Some(order) => self.store.order(order).await?,
                None => None,
            };
            let earlier = self.store.operations(&payment.id).await?;
            let amount = self.check(ask, &payment, order.as_ref(), &earlier)?;
            let now = self.clock.now();
            let record = OperationRecord {
                operation_ref: OperationRef::parse(self.ids.uuid_v7()).map_err(CoreError::from)?,
                kind: ask.kind,
                payment: payment.id.clone(),
                account: payment.account.clone(),
                order: payment.order().cloned(),
                amount,
                reason: ask.reason.clone(),
                state: OperationState::Reserved,
                provider_ref: None,
                code: None,
                text: None,
                created_at: now,
                changed_at: now,
                lease_until: Some(now.after(self.schedule.operation_lease)),
                version: 0,
            };
            let flight = Flight::start(self, record.operation_ref.as_str());
            let history = HistoryEntry {
                at: now,
                order: record.order.clone(),
                payment: record.payment.clone(),
                source: Source::Application,
                change: None,
                what: match amount {
                    Some(amount) => format!("asked for a {} of {amount}", ask.kind),
                    None => format!("asked for a {}", ask.kind),
                },
            };
            let keys = ask.key.iter().map(|key| KeyRecord {
                key: key.clone(),
                content: content.clone(),
                subject: KeySubject::Operation(record.operation_ref.clone()),
                at: now,
            });
            let changes = Changes {
                // Written unchanged: its version keeps two operations apart.
                payments: vec![payment],
                // So does the order's, between a capture and another payment of the same order.
                orders: order.map(|order| order.record).into_iter().collect(),
                operations: vec![record.clone()],
                keys: keys.collect(),
                history: vec![history],
                ..Changes::default()
            };
            match self.commit(changes).await {
                Ok(()) => {
                    crate::observe::operation(&record);
                    return Ok(Reserved::New(OperationRecord { version: 1, ..record }, flight));
                }
                Err(StoreError::Conflict) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Whether the operation may be reserved, and for how much.
    fn check(
        &self,
        ask: &Ask,
        payment: &PaymentRecord,
        order: Option<&Order>,
        earlier: &[OperationRecord],
    ) -> Result<Option<Money>> {
        let provider = self.provider(&payment.account)?;
        let info = provider.info();
        let name = || format!("payment `{}`", payment.id);
        let offered = match ask.kind {
            OperationKind::Capture => provider.captures().is_some(),
            OperationKind::Void => provider.voids().is_some(),
            OperationKind::Refund => provider.refunds().is_some(),
            OperationKind::Cancel => provider.cancels().is_some(),
        };
        if !offered {
            return Err(CoreError::new(
                ErrorKind::Unsupported,
                format!("account `{}` does not offer a {}", payment.account, ask.kind),
            )
            .with_field("account")
            .into());
        }
        let wanted = match ask.kind {
            OperationKind::Capture | OperationKind::Void => Status::Authorized,
            OperationKind::Refund => Status::Paid,
            OperationKind::Cancel => Status::Pending,
        };
        if payment.status != wanted {
            return Err(Error::conflict(
                name(),
                format!("it is {}; a {} is for one that is {wanted}", payment.status, ask.kind),
            ));
        }
        let standing =
            |kind| earlier.iter().filter(move |other| other.kind == kind && other.may_have_happened());
        if ask.kind != OperationKind::Refund {
            // Of these a payment sees one: while it may have happened, nothing that conflicts with it is sent.
            let all = [OperationKind::Capture, OperationKind::Void, OperationKind::Cancel];
            if let Some(other) = all.into_iter().flat_map(standing).next() {
                return Err(Error::conflict(
                    name(),
                    format!("its {} `{}` is {}", other.kind, other.operation_ref, other.state),
                ));
            }
        }
        match ask.kind {
            OperationKind::Void | OperationKind::Cancel => Ok(None),
            OperationKind::Capture => {
                if let Some(paid) = order.and_then(|order| order.record.paid_by.as_ref()) {
                    return Err(Error::conflict(
                        name(),
                        format!("its order is paid by payment `{paid}`; void this one"),
                    ));
                }
                let held = payment.amount().ok_or_else(|| Error::conflict(name(), "it has no amount"))?;
                let amount = ask.amount.unwrap_or(held);
                check_part(amount, held, "held")?;
                let partial = info.captures.as_ref().is_some_and(|rule| rule.partial);
                if amount != held && !partial {
                    return Err(whole_only(&info.name, "captures", held));
                }
                Ok(Some(amount))
            }
            OperationKind::Refund => {
                let taken = payment.taken().ok_or_else(|| Error::conflict(name(), "nothing was taken"))?;
                let rule = info.refunds.as_ref();
                let mut left = taken;
                for other in standing(OperationKind::Refund) {
                    if rule.is_some_and(|rule| !rule.repeated) {
                        return Err(Error::conflict(
                            name(),
                            format!(
                                "{} refunds a payment once, and refund `{}` is {}",
                                info.name, other.operation_ref, other.state
                            ),
                        ));
                    }
                    let part = other.amount.unwrap_or(taken);
                    left = left.checked_sub(part).map_err(CoreError::from)?;
                }
                if !left.is_positive() {
                    return Err(Error::conflict(name(), "all of it is refunded, or may be"));
                }
                let amount = ask.amount.unwrap_or(left);
                check_part(amount, left, "left to refund")?;
                if amount != taken && rule.is_some_and(|rule| !rule.partial) {
                    return Err(whole_only(&info.name, "refunds", taken));
                }
                let window = rule.and_then(|rule| rule.window);
                if let (Some(window), Some(paid_at)) = (window, payment.paid_at)
                    && self.clock.now().since(paid_at) > window
                {
                    return Err(Error::conflict(
                        name(),
                        format!(
                            "{} refunds for {} days after the payment",
                            info.name,
                            window.as_secs() / 86_400
                        ),
                    ));
                }
                Ok(Some(amount))
            }
        }
    }

    async fn perform_operation(&self, record: &OperationRecord) -> Result<OperationRecord> {
        let record = self.apply_to_operation(record, &Fact::OperationSubmitted).await?;
        self.reached(Point::OperationBeforeSend);
        let answer = self.send_operation(&record).await;
        self.reached(Point::OperationAnswered);
        match answer {
            Ok(answer) => self.apply_to_operation(&record, &Fact::OperationAnswered(answer)).await,
            Err(error) => {
                let fact = Fact::OperationFailed {
                    outcome: error.outcome(),
                    why: error.message().to_owned(),
                    code: error.code().map(str::to_owned),
                    text: error.text().map(str::to_owned),
                };
                let record = self.apply_to_operation(&record, &fact).await?;
                if error.outcome() == Outcome::Unknown {
                    tracing::warn!(operation = %record.operation_ref, %error, "it may have happened; asking");
                    return Ok(record);
                }
                Err(error.into())
            }
        }
    }

    async fn send_operation(&self, record: &OperationRecord) -> tulbur_core::Result<OperationAnswer> {
        let gone = |why: String| CoreError::new(ErrorKind::Unsupported, why).with_outcome(Outcome::NoEffect);
        let provider = self.provider(&record.account).map_err(|error| gone(error.to_string()))?;
        let payment = self.load(&record.payment).await.map_err(|error| gone(error.to_string()))?;
        let missing = || gone(format!("account `{}` does not offer a {}", record.account, record.kind));
        let reference = payment.reference.clone();
        let operation_ref = record.operation_ref.clone();
        let amount = record.amount.or(payment.amount());
        let amount = || amount.ok_or_else(|| gone("the payment has no amount".into()));
        match record.kind {
            OperationKind::Refund => {
                let refunds = provider.refunds().ok_or_else(missing)?;
                let request = RefundRequest::new(reference, operation_ref, amount()?, record.reason.clone());
                refunds.refund(&request).await.map(OperationAnswer::Refund)
            }
            OperationKind::Capture => {
                let captures = provider.captures().ok_or_else(missing)?;
                let request = CaptureRequest::new(reference, operation_ref, amount()?);
                let answer = tulbur_core::capture(captures, &request).await?;
                Ok(OperationAnswer::Payment(Box::new(Proven::by_answer(answer))))
            }
            OperationKind::Void => {
                let voids = provider.voids().ok_or_else(missing)?;
                let answer = tulbur_core::void(voids, &VoidRequest::new(reference, operation_ref)).await?;
                Ok(OperationAnswer::Payment(Box::new(Proven::by_answer(answer))))
            }
            OperationKind::Cancel => {
                let cancels = provider.cancels().ok_or_else(missing)?;
                let answer = tulbur_core::cancel(cancels, &reference).await?;
                Ok(OperationAnswer::Payment(Box::new(Proven::by_answer(answer))))
            }
        }
    }

    /// An operation is due: a dead process left it half done, or nobody knows what became of it.
    pub(crate) async fn attend_operation(&self, record: &OperationRecord) -> Result<()> {
        if self.is_in_flight(record.operation_ref.as_str()) {
            return Ok(());
        }
        let fact = if record.state == OperationState::Unknown {
            let payment = self.load(&record.payment).await?;
            let asked = match self.provider(&record.account).ok().and_then(tulbur_core::Provider::queries) {
                Some(queries)
                    if payment.reference.provider_ref.is_some() || self.asks_by_our_ref(&payment) =>
                {
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
            Fact::OperationAsked { answer: asked.map(|answer| Box::new(Proven::by_query(answer))), others }
        } else {
            Fact::OperationAbandoned
        };
        self.apply_to_operation(record, &fact).await?;
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

    fn asks_by_our_ref(&self, payment: &PaymentRecord) -> bool {
        use tulbur_core::QueryBy::{MerchantRef, MerchantRefAndAmount};
        self.flow(payment).is_ok_and(|flow| matches!(flow.query_by, MerchantRef | MerchantRefAndAmount))
    }

    async fn apply_to_operation(&self, record: &OperationRecord, fact: &Fact) -> Result<OperationRecord> {
        let payment = self.load(&record.payment).await?;
        self.decide(payment.into(), Some(&record.operation_ref), fact, None).await?;
        self.load_operation(&record.operation_ref).await
    }
}

pub(crate) fn key_conflict(key: &IdempotencyKey) -> Error {
    Error::conflict(
        format!("idempotency key `{}`", key.as_str()),
        "it was used for another request; a new request needs a new key",
    )
}

fn check_part(amount: Money, whole: Money, what: &str) -> Result<()> {
    if amount.currency() != whole.currency() || !amount.is_positive() {
        return Err(CoreError::invalid("amount", format!("{amount} is no part of {whole}")).into());
    }
    if amount.minor() > whole.minor() {
        return Err(Error::conflict(format!("amount {amount}"), format!("only {whole} is {what}")));
    }
    Ok(())
}

fn whole_only(provider: &str, what: &str, whole: Money) -> Error {
    CoreError::new(ErrorKind::Unsupported, format!("{provider} {what} the whole amount only: {whole}"))
        .with_field("amount")
        .into()
}
