//! Opens payments, charges saved cards, opens card set-ups, and gives payments up.

use std::sync::Arc;
use std::time::Duration;

use tulbur_core::{
    AccountName, CallbackUrl, CardToken, ChargeRequest, CreateCardSetup, CreateInvoice, Error as CoreError,
    ErrorKind, FlowEffect, FlowStart, MerchantRef, Monotonic, NotifyAddress, OperationState, PaymentRef,
    Provider, ReturnUrls, Timestamp, Way,
};

use crate::decide::intents::{
    self, Ask, Named, OpeningSituation, Reserve, refused_before, reserve_opening, same_request,
};
use crate::decide::proven::Proven;
use crate::decide::{Answer, Fact, lease_is_over};
use crate::engine::apply::{Committed, Patience};
use crate::engine::inner::{Inner, Payments, secret_hash};
use crate::engine::wanted::{Ready, Wanted, flow_name, key_content, unsupported};
use crate::engine::write::{Flight, Performed, Subject, WritePermit, in_its_own_task};
use crate::error::{Error, Result, StoreError};
use crate::model::operation::{KeySubject, OperationKind};
use crate::model::record::{PageSecret, PaymentId, PaymentRecord, Purpose};
use crate::model::request::{ChargeCard, OpenCardSetup, OpenPayment};
use crate::store::Find;
use crate::store::seal::Place;

/// The write that a committed intent stands for.
enum Write {
    Invoice(CreateInvoice),
    Setup(CreateCardSetup),
    Charge(ChargeRequest),
}

#[expect(clippy::large_enum_variant, reason = "there is one of them, for a moment")]
enum Reserved {
    New(PaymentRecord, Write, String, Flight),
    Known(PaymentRecord),
}

impl Payments {
    /// Opens a payment of an order, and returns it once the payer can go on.
    ///
    /// Opening an order again with the same content returns the payment that is open; if its request was never sent,
    /// because its process died or the database's answer was lost, this call sends it. While another call's request is
    /// under way, this one waits for its answer. An order whose payment ended without success can be opened again, and
    /// gets another payment.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the order is paid, or another payment of it is open;
    /// [`Error::Provider`] when the request is not valid (nothing is changed then) or the provider did not make it;
    /// [`Error::Unrecorded`] when the provider was called and the database does not take what came of it.
    pub async fn open(&self, request: OpenPayment) -> Result<PaymentRecord> {
        self.start(Wanted::Invoice(Box::new(request))).await
    }

    /// Charges a saved card for an order, and returns how the payment then stands.
    ///
    /// A decline is a payment with status `Declined`, not an error. Where the answer was lost, the payment stays
    /// pending and is asked about; it is never charged again by itself.
    ///
    /// # Errors
    /// As [`Payments::open`], and [`Error::NotFound`] when the customer has no such card.
    pub async fn charge(&self, request: ChargeCard) -> Result<PaymentRecord> {
        let inner = &self.0;
        let missing =
            || Error::NotFound(format!("card `{}` of customer `{}`", request.card, request.customer));
        let card = inner.store.card(&request.card).await?.ok_or_else(missing)?;
        if card.card.customer != request.customer {
            return Err(missing());
        }
        let account = card.card.account.clone();
        let token = CardToken::new(inner.keys.open_text(&Place::of_card(&card.card), &card.sealed_token)?);
        self.start(Wanted::Charge(Box::new(request), account, token)).await
    }

    /// Opens a page on which a customer saves a card.
    ///
    /// # Errors
    /// As [`Payments::open`].
    pub async fn save_card(&self, request: OpenCardSetup) -> Result<PaymentRecord> {
        self.start(Wanted::Setup(request)).await
    }

    /// Gives a payment or card set-up up.
    ///
    /// Where the provider can cancel, it is asked to, as an operation of its own. Where it cannot, the payment is
    /// canceled here and watched: if it is paid all the same, there is a `Paid` event with `After(Canceled)`. What
    /// ended before is returned as it is. A request that was not sent yet is not sent any more.
    ///
    /// # Errors
    /// [`Error::Conflict`] while money may be moving that the provider has not told of, and for money that is held: that
    /// is for [`Payments::void`].
    pub async fn cancel(&self, id: &PaymentId) -> Result<PaymentRecord> {
        let inner = &self.0;
        let mut record = inner.load(id).await?;
        if !record.status.is_open() {
            return Ok(record);
        }
        let moves_money = crate::decide::moves_money(inner.flow(&record)?);
        if moves_money && record.operation == OperationState::Succeeded {
            // What may have moved money is asked about before it is given up.
            record = inner.ask(id).await?;
            if !record.status.is_open() {
                return Ok(record);
            }
        }
        intents::may_be_given_up(&record, inner.flow(&record)?)?;
        let sent = record.operation != OperationState::Reserved;
        if sent && inner.provider(&record.account)?.cancels().is_some() && record.order().is_some() {
            let ask = Ask::new(OperationKind::Cancel, id.clone());
            let told = match self.operate(ask).await {
                Ok(operation) => operation.state == OperationState::Succeeded,
                // It was told before, or ended meanwhile, or the provider refused.
                Err(Error::Conflict { .. } | Error::Provider(_)) => false,
                Err(error) => return Err(error),
            };
            if !told {
                let record = inner.ask(id).await?;
                if !record.status.is_open() {
                    return Ok(record);
                }
            }
        }
        let record = inner.load(id).await?;
        if !record.status.is_open() {
            return Ok(record);
        }
        intents::may_be_given_up(&record, inner.flow(&record)?)?;
        let record = inner.apply(id, &Fact::GivenUp, None).await?;
        if record.status.is_open() {
            // Something was learnt meanwhile.
            intents::may_be_given_up(&record, inner.flow(&record)?)?;
        }
        Ok(record)
    }

    /// Reserves, sends and records an opening, in a task of its own.
    async fn start(&self, wanted: Wanted) -> Result<PaymentRecord> {
        let this = self.clone();
        in_its_own_task(async move { this.0.open(&wanted).await }).await
    }
}

impl Inner {
    fn new_secret(&self) -> PageSecret {
        let mut bytes = [0_u8; 16];
        self.ids.fill(&mut bytes);
        PageSecret::parse(&hex::encode(bytes)).expect("16 bytes are 32 hexadecimal characters")
    }

    fn return_urls(&self, account: &AccountName, secret: &PageSecret) -> Result<ReturnUrls> {
        let url = self.url(&format!("return/{account}/{}", secret.expose()));
        Ok(ReturnUrls::one(CallbackUrl::parse(url).map_err(CoreError::from)?))
    }

    fn notify_url(&self, provider: &dyn Provider, secret: &PageSecret) -> Result<Option<CallbackUrl>> {
        if provider.info().notify != NotifyAddress::PerPayment {
            return Ok(None);
        }
        let url = self.url(&format!("notify/{}/{}", provider.info().account, secret.expose()));
        Ok(Some(CallbackUrl::parse(url).map_err(CoreError::from)?))
    }

    /// Builds the request, and checks it, under this reference and for these addresses. The same call builds the same
    /// request for a payment that was reserved before.
    fn write_of(
        &self,
        wanted: &Wanted,
        merchant_ref: &MerchantRef,
        secret: &PageSecret,
        created_at: Timestamp,
    ) -> Result<(Write, PaymentRef)> {
        let account = wanted.account();
        let provider = self.provider(account)?;
        match wanted {
            Wanted::Invoice(request) => {
                let mut invoice =
                    CreateInvoice::new(merchant_ref.clone(), request.amount, request.description.clone());
                invoice.language = request.language;
                invoice.way = request.way;
                invoice.payer = request.payer.clone();
                invoice.customer = request.customer.clone().or_else(|| request.save_card_for.clone());
                invoice.created_at = Some(created_at);
                invoice.save_card = request.save_card_for.is_some();
                invoice.capture = request.capture;
                invoice.options.clone_from(&request.options);
                invoice.return_urls = Some(match request.return_urls.clone() {
                    Some(urls) => urls,
                    None => self.return_urls(account, secret)?,
                });
                invoice.notify_url = self.notify_url(provider, secret)?;
                invoice.check(provider)?;
                let flow = flow_name(provider.flow_of_invoice(&invoice), account)?;
                let reference = PaymentRef::new(merchant_ref.clone(), Some(request.amount), flow);
                Ok((Write::Invoice(invoice), reference.with_created_at(created_at)))
            }
            Wanted::Charge(request, _, token) => {
                let mut charge = ChargeRequest::new(merchant_ref.clone(), request.amount, token.clone());
                charge.description.clone_from(&request.description);
                charge.language = request.language;
                charge.options.clone_from(&request.options);
                charge.return_urls = Some(self.return_urls(account, secret)?);
                charge.notify_url = self.notify_url(provider, secret)?;
                charge.check(provider)?;
                let flow = flow_name(provider.flow_of_charge(&charge), account)?;
                let reference = PaymentRef::new(merchant_ref.clone(), Some(request.amount), flow);
                Ok((Write::Charge(charge), reference.with_created_at(created_at)))
            }
            Wanted::Setup(request) => {
                let mut setup = CreateCardSetup::new(merchant_ref.clone());
                setup.language = request.language;
                setup.options.clone_from(&request.options);
                setup.return_urls = Some(self.return_urls(account, secret)?);
                setup.notify_url = self.notify_url(provider, secret)?;
                setup.check(provider)?;
                let flow = flow_name(provider.info().flow_of(&FlowStart::CardSetup), account)?;
                let reference = PaymentRef::new(merchant_ref.clone(), None, flow);
                Ok((Write::Setup(setup), reference.with_created_at(created_at)))
            }
        }
    }

    /// Opens what is wanted: finds the payment that is open already, takes over one that was never sent, or makes a new
    /// one.
    async fn open(self: &Arc<Self>, wanted: &Wanted) -> Result<PaymentRecord> {
        const TRIES: usize = 20;
        for _ in 0..TRIES {
            let known = match self.reserve(wanted).await? {
                Reserved::New(record, write, owner, flight) => {
                    return self.send_opening(record, write, owner, flight).await;
                }
                Reserved::Known(record) => record,
            };
            match self.wait_for_answer(known).await? {
                Waited::Answered(record) => return Ok(record),
                Waited::Unsent(record) => {
                    if let Reserved::New(record, write, owner, flight) = self.resume(wanted, record).await? {
                        return self.send_opening(record, write, owner, flight).await;
                    }
                }
                // It was closed meanwhile, and nothing came of it: a new one may be made.
                Waited::Ended => {}
            }
        }
        Err(StoreError::Conflict.into())
    }

    async fn send_opening(
        self: &Arc<Self>,
        record: PaymentRecord,
        write: Write,
        owner: String,
        flight: Flight,
    ) -> Result<PaymentRecord> {
        let subject = Subject { payment: record.id.clone(), operation: None };
        let account = record.account.clone();
        let inner = Arc::clone(self);
        let send = |permit: WritePermit| async move { inner.send_write(&account, write, permit).await };
        let Performed { decided, error } = self.perform(subject, owner, flight, send).await?;
        match error {
            // What may have been charged is not an error to be handled by trying again: it is pending.
            Some(error)
                if error.outcome() != tulbur_core::Outcome::Unknown || !decided.payment.status.is_open() =>
            {
                Err(error.into())
            }
            _ => Ok(decided.payment),
        }
    }

    /// Commits the intent, or finds the payment that is open already.
    async fn reserve(self: &Arc<Self>, wanted: &Wanted) -> Result<Reserved> {
        const TRIES: usize = 20;
        self.refresh_time().await;
        let account = wanted.account();
        let provider = self.provider(account)?;
        let Ready { opening, own_reference } = wanted.ready(provider)?;
        let key =
            opening.key.as_ref().map(|key| Ok::<_, Error>((key, key_content(&opening)?))).transpose()?;
        let mut unsure: Option<Named> = None;
        for _ in 0..TRIES {
            if let Some(mine) = &unsure
                && let Some(record) = self.store.payment(Find::Id(&mine.id)).await?
            {
                // An earlier try was stored, and its answer was lost: it is ours, and nobody has sent it.
                let secret = self.page_secret_of(&record)?;
                let (write, _) =
                    self.write_of(wanted, &record.reference.merchant_ref, &secret, record.created_at)?;
                let flight = Flight::start(self, record.id.as_str());
                return Ok(Reserved::New(record, write, mine.owner.clone(), flight));
            }
            if let Some((key, content)) = &key
                && let Some(used) = self.store.key(key).await?
            {
                return match same_request(&used, content)? {
                    KeySubject::Payment(payment) => self.load(payment).await.map(Reserved::Known),
                    KeySubject::Operation(_) => Err(intents::key_conflict(key)),
                };
            }
            // Each time anew: a reference that was made may have been made before.
            let merchant_ref = match wanted {
                Wanted::Invoice(request) if let Some(given) = &request.merchant_ref => given.clone(),
                _ => MerchantRef::generate(&provider.info().ref_rule, &*self.ids),
            };
            let secret = self.new_secret();
            let now = self.now();
            let (write, reference) = self.write_of(wanted, &merchant_ref, &secret, now)?;
            let order = match &opening.purpose {
                Purpose::Payment { order, .. } => self.store.order(order).await?,
                Purpose::CardSetup { .. } => None,
            };
            let named = self.name(&opening, reference, &secret);
            let flow =
                provider.info().flow(&named.reference.flow).ok_or_else(|| unsupported(account, "way"))?;
            let situation = OpeningSituation { order: order.as_ref(), flow, schedule: &self.schedule, now };
            let key = key.as_ref().map(|(key, content)| (*key, content.as_str()));
            let (record, changes) = match reserve_opening(&situation, &opening, key, &named) {
                Ok(Reserve::Known(record)) => return Ok(Reserved::Known(*record)),
                Ok(Reserve::New(record, changes)) => (record, changes),
                // The same call was committed elsewhere since the key was looked up: its result is the answer.
                Err(_) if self.is_used(opening.key.as_ref()).await? => continue,
                Err(error) => return Err(error),
            };
            if own_reference && self.store.payment(Find::MerchantRef(account, &merchant_ref)).await?.is_some()
            {
                if self.is_used(opening.key.as_ref()).await? {
                    continue;
                }
                return Err(CoreError::invalid(
                    "merchant_ref",
                    format!("`{merchant_ref}` was used before at account `{account}`"),
                )
                .into());
            }
            // Before the commit: whoever finds the record then sees that its answer is waited for.
            let flight = Flight::start(self, record.id.as_str());
            match self.commit_known(&changes, Patience::Short).await? {
                Committed::Yes => {
                    crate::metrics::opened(&record.account);
                    let record = PaymentRecord { version: 1, ..*record };
                    return Ok(Reserved::New(record, write, named.owner, flight));
                }
                Committed::Conflict => {
                    unsure = Some(named);
                    tokio::task::yield_now().await;
                }
            }
        }
        Err(StoreError::Conflict.into())
    }

    fn name(&self, opening: &intents::Opening, reference: PaymentRef, secret: &PageSecret) -> Named {
        let id = PaymentId::from_text(self.ids.uuid_v7());
        let place = Place::of_page(&id, &opening.account, &opening.purpose);
        let sealed_secret = self.keys.seal(&*self.ids, &place, secret.expose().as_bytes());
        let owner = self.ids.uuid_v7();
        Named { id, reference, secret_hash: secret_hash(secret), sealed_secret, commit: owner.clone(), owner }
    }

    /// Takes over a request that was reserved and never sent, for the same request again.
    async fn resume(self: &Arc<Self>, wanted: &Wanted, record: PaymentRecord) -> Result<Reserved> {
        let owner = self.ids.uuid_v7();
        let flow = self.flow(&record)?;
        let Some(changes) = intents::resume(&record, flow, &self.schedule, &owner, self.now()) else {
            return Ok(Reserved::Known(record));
        };
        let secret = self.page_secret_of(&record)?;
        let (write, reference) =
            self.write_of(wanted, &record.reference.merchant_ref, &secret, record.created_at)?;
        if reference.flow != record.reference.flow {
            return Err(Error::conflict(
                format!("payment `{}`", record.id),
                "it was opened with other settings and never sent; cancel it, and open the order again",
            ));
        }
        let flight = Flight::start(self, record.id.as_str());
        match self.commit_known(&changes, Patience::Short).await? {
            Committed::Yes => Ok(Reserved::New(self.load(&record.id).await?, write, owner, flight)),
            Committed::Conflict => {
                let stored = self.load(&record.id).await?;
                if stored.owner.as_deref() == Some(&owner) {
                    return Ok(Reserved::New(stored, write, owner, flight));
                }
                Ok(Reserved::Known(stored))
            }
        }
    }

    /// Waits for an answer that another call on the same payment is waiting for, here or in another process: until it
    /// is stored, or until the lease of that call's write is over.
    async fn wait_for_answer(&self, record: PaymentRecord) -> Result<Waited> {
        let id = record.id;
        let mut changes = self.changed.subscribe();
        let mut waited = false;
        loop {
            // Looked at before the record is read: once it is over, what came of it is in the database.
            let under_way = self.is_in_flight(id.as_str());
            let record = self.load(&id).await?;
            match record.operation {
                OperationState::Reserved | OperationState::Submitted => {}
                OperationState::Refused => {
                    return Err(refused_before(record.code.as_deref(), record.text.as_deref()));
                }
                // Its answer was lost while this call waited, and it is closed because nobody can have seen it.
                OperationState::Unknown
                    if waited
                        && record.status.is_failed()
                        && self.flow(&record)?.effect == FlowEffect::Inert =>
                {
                    return Ok(Waited::Ended);
                }
                _ => return Ok(Waited::Answered(record)),
            }
            waited = true;
            if record.status != crate::model::record::Status::Pending {
                return Ok(Waited::Answered(record));
            }
            let over = lease_is_over(record.lease_until, self.flow(&record)?, &self.schedule, self.now());
            if over && !under_way {
                if record.operation == OperationState::Reserved {
                    return Ok(Waited::Unsent(record));
                }
                // As the worker does: what was submitted counts as sent.
                let record = self.apply(&id, &Fact::Abandoned, None).await?;
                match (record.operation, record.status.is_open()) {
                    // The clock was set back meanwhile: it is not over yet.
                    (OperationState::Submitted, true) => {}
                    (_, true) => return Ok(Waited::Answered(record)),
                    (_, false) => return Ok(Waited::Ended),
                }
            }
            tokio::select! {
                biased;
                _ = changes.recv() => {}
                () = self.sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    async fn send_write(
        &self,
        account: &AccountName,
        write: Write,
        permit: WritePermit,
    ) -> tulbur_core::Result<Answer> {
        let provider = self.provider(account).map_err(|error| gone(&error))?;
        let send_by: Option<Monotonic> = Some(permit.send_by());
        match write {
            Write::Invoice(request) => {
                let request = request.send_by(send_by);
                let made = match (request.way, provider.qr(), provider.invoices()) {
                    (Way::Qr, Some(qr), _) => qr.create_qr(&request).await,
                    (_, _, Some(invoices)) => invoices.create_invoice(&request).await,
                    _ => Err(CoreError::new(ErrorKind::Unsupported, "this account does not make invoices")),
                };
                made.map(|made| Answer::Opened {
                    reference: made.payment,
                    next: made.next,
                    expires_at: made.expires_at,
                })
            }
            Write::Setup(request) => match provider.tokenize() {
                Some(tokenize) => {
                    let request = request.send_by(send_by);
                    tokenize.create_card_setup(&request).await.map(|made| Answer::Opened {
                        reference: made.reference,
                        next: made.next,
                        expires_at: made.expires_at,
                    })
                }
                None => Err(CoreError::new(ErrorKind::Unsupported, "this account does not save cards")),
            },
            Write::Charge(request) => match provider.charges() {
                Some(charges) => tulbur_core::charge(charges, &request.send_by(send_by))
                    .await
                    .map(|charged| Answer::Charged(Box::new(Proven::by_charge(charged)))),
                None => Err(CoreError::new(ErrorKind::Unsupported, "this account does not charge cards")),
            },
        }
    }
}

/// How waiting for another call's answer ended.
enum Waited {
    /// The answer is stored, or something else is known.
    Answered(PaymentRecord),
    /// Nothing was sent, and nobody is about to.
    Unsent(PaymentRecord),
    /// It was closed.
    Ended,
}

/// The account went away between the reservation and the request.
pub(crate) fn gone(error: &Error) -> CoreError {
    CoreError::new(ErrorKind::Unsupported, error.to_string())
}
