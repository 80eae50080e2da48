//! Opening: payments, charges of saved cards, card set-ups; and giving up.
//!
//! The intent is committed first. What follows runs in a task of its own, so that a caller who goes away stops
//! nothing half way.

use std::sync::Arc;
use std::time::Duration;

use tulbur_core::{
    AccountName, CallbackUrl, Capture, CardInfo, CardToken, ChargeRequest, CreateCardSetup, CreateInvoice,
    Error as CoreError, ErrorKind, Flow, FlowEffect, FlowInfo, FlowStart, Language, MerchantRef,
    NotifyAddress, OperationState, Outcome, PaymentRef, Provider, ReturnUrls, Way,
};

use crate::error::{Error, Result, StoreError};
use crate::event::{HistoryEntry, Source};
use crate::operate::{Ask, key_conflict};
use crate::operation::{IdempotencyKey, KeyRecord, KeySubject, OperationKind};
use crate::payments::{Flight, Inner, Payments, secret_hash};
use crate::probe::Point;
use crate::proven::Proven;
use crate::record::{Order, OrderRecord, PageSecret, PaymentId, PaymentRecord, Purpose, Status};
use crate::request::{ChargeCard, OpenCardSetup, OpenPayment, digest};
use crate::store::{Changes, Find};
use crate::transition::Fact;

/// The write that a committed intent stands for.
enum Write {
    Invoice(CreateInvoice),
    Setup(CreateCardSetup),
    Charge(ChargeRequest),
}

/// What a record begins with.
struct Intent {
    account: AccountName,
    purpose: Purpose,
    description: String,
    language: Language,
    continue_to: Option<CallbackUrl>,
    capture: Capture,
    content: String,
    key: Option<IdempotencyKey>,
}

impl Payments {
    /// Opens a payment of an order, and returns it once the payer can go on.
    ///
    /// Opening an order again with the same content returns the payment that is open. An order whose payment
    /// ended without success can be opened again, and gets another payment.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the order is paid, or another payment of it is open;
    /// [`Error::Provider`] when the request is not valid (nothing is changed then) or the provider did not make it.
    pub async fn open(&self, request: OpenPayment) -> Result<PaymentRecord> {
        let inner = &self.0;
        let provider = inner.provider(&request.account)?;
        let info = provider.info();
        let offers =
            if request.way == Way::Qr { provider.qr().is_some() } else { provider.invoices().is_some() };
        if !offers {
            return Err(unsupported(&request.account, "way"));
        }
        let content = request.content()?;
        let merchant_ref = match &request.merchant_ref {
            Some(given) => given.clone(),
            None => MerchantRef::generate(&info.ref_rule, &*inner.ids),
        };
        let secret = inner.new_secret();
        let mut invoice =
            CreateInvoice::new(merchant_ref.clone(), request.amount, request.description.clone());
        invoice.language = request.language;
        invoice.way = request.way;
        invoice.payer = request.payer.clone();
        invoice.save_card = request.save_card_for.is_some();
        invoice.capture = request.capture;
        invoice.options = request.options.clone();
        invoice.return_urls = Some(match request.return_urls.clone() {
            Some(urls) => urls,
            None => inner.return_urls(&request.account, &secret)?,
        });
        invoice.notify_url = inner.notify_url(provider, &secret)?;
        invoice.check(provider)?;
        let intent = Intent {
            account: request.account.clone(),
            purpose: Purpose::Payment {
                order: request.order.clone(),
                amount: request.amount,
                save_card_for: request.save_card_for.clone(),
                charged_card: None,
            },
            description: request.description.clone(),
            language: request.language,
            continue_to: request.continue_to.clone(),
            capture: request.capture,
            content,
            key: request.key.clone(),
        };
        let flow = flow_name(provider.flow_of_invoice(&invoice), &request.account)?;
        let reference = PaymentRef::new(merchant_ref, Some(request.amount), flow);
        self.start(Begin {
            intent,
            reference,
            secret,
            own_reference: request.merchant_ref.is_some(),
            write: Write::Invoice(invoice),
        })
        .await
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
        let provider = inner.provider(&account)?;
        if provider.charges().is_none() {
            return Err(unsupported(&account, "card"));
        }
        let token =
            CardToken::new(inner.keys.open_text(&format!("card/{}", card.card.id), &card.sealed_token)?);
        let merchant_ref = MerchantRef::generate(&provider.info().ref_rule, &*inner.ids);
        let secret = inner.new_secret();
        let mut charge = ChargeRequest::new(merchant_ref.clone(), request.amount, token);
        charge.description.clone_from(&request.description);
        charge.language = request.language;
        charge.options = request.options.clone();
        charge.return_urls = Some(inner.return_urls(&account, &secret)?);
        charge.notify_url = inner.notify_url(provider, &secret)?;
        charge.check(provider)?;
        let intent = Intent {
            account: account.clone(),
            purpose: Purpose::Payment {
                order: request.order.clone(),
                amount: request.amount,
                save_card_for: None,
                charged_card: Some(request.card.clone()),
            },
            description: request.description.clone(),
            language: request.language,
            continue_to: request.continue_to.clone(),
            capture: Capture::Now,
            content: request.content()?,
            key: request.key.clone(),
        };
        let flow = flow_name(provider.flow_of_charge(&charge), &account)?;
        let reference = PaymentRef::new(merchant_ref, Some(request.amount), flow);
        self.start(Begin { intent, reference, secret, own_reference: false, write: Write::Charge(charge) })
            .await
    }

    /// Opens a page on which a customer saves a card.
    ///
    /// # Errors
    /// As [`Payments::open`].
    pub async fn save_card(&self, request: OpenCardSetup) -> Result<PaymentRecord> {
        let inner = &self.0;
        let provider = inner.provider(&request.account)?;
        if provider.tokenize().is_none() {
            return Err(unsupported(&request.account, "card set-up"));
        }
        let merchant_ref = MerchantRef::generate(&provider.info().ref_rule, &*inner.ids);
        let secret = inner.new_secret();
        let mut setup = CreateCardSetup::new(merchant_ref.clone());
        setup.language = request.language;
        setup.options = request.options.clone();
        setup.return_urls = Some(inner.return_urls(&request.account, &secret)?);
        setup.notify_url = inner.notify_url(provider, &secret)?;
        setup.check(provider)?;
        let intent = Intent {
            account: request.account.clone(),
            purpose: Purpose::CardSetup { customer: request.customer.clone() },
            description: String::new(),
            language: request.language,
            continue_to: request.continue_to.clone(),
            capture: Capture::Now,
            content: String::new(),
            key: request.key.clone(),
        };
        let reference = PaymentRef::new(
            merchant_ref,
            None,
            flow_name(provider.info().flow_of(&FlowStart::CardSetup), &request.account)?,
        );
        self.start(Begin { intent, reference, secret, own_reference: false, write: Write::Setup(setup) })
            .await
    }

    /// Gives a payment or card set-up up.
    ///
    /// Where the provider can cancel, it is asked to, as an operation of its own. Where it cannot, the payment is
    /// canceled here and watched: if it is paid all the same, there is a `Paid` event with `After(Canceled)`. What
    /// ended before is returned as it is.
    ///
    /// # Errors
    /// [`Error::Conflict`] while nobody knows whether it was charged, and for money that is held: that is for
    /// [`Payments::void`].
    pub async fn cancel(&self, id: &PaymentId) -> Result<PaymentRecord> {
        let record = self.0.load(id).await?;
        if !record.status.is_open() {
            return Ok(record);
        }
        if record.status == Status::Authorized {
            return Err(Error::conflict(format!("payment `{id}`"), "its money is held; void it"));
        }
        let moves_money = self.0.flow(&record)?.effect == FlowEffect::MovesMoney;
        if moves_money && record.operation != OperationState::Succeeded {
            return Err(Error::conflict(
                format!("payment `{id}`"),
                "it may have been charged; wait until the provider has been asked",
            ));
        }
        if self.0.provider(&record.account)?.cancels().is_some() && record.order().is_some() {
            let ask = Ask {
                kind: OperationKind::Cancel,
                payment: id.clone(),
                amount: None,
                reason: String::new(),
                key: None,
            };
            let told = match self.operate(ask).await {
                Ok(operation) => operation.state == OperationState::Succeeded,
                // It was told before, or ended meanwhile, or the provider refused.
                Err(Error::Conflict { .. } | Error::Provider(_)) => false,
                Err(error) => return Err(error),
            };
            if !told {
                let record = self.0.ask(id).await?;
                if !record.status.is_open() {
                    return Ok(record);
                }
            }
        }
        let record = self.0.load(id).await?;
        if record.status != Status::Pending {
            return Ok(record);
        }
        self.0.apply(id, &Fact::GivenUp, None).await
    }

    /// Commits the intent and performs its write, in a task of its own.
    async fn start(&self, begin: Begin) -> Result<PaymentRecord> {
        let this = self.clone();
        in_its_own_task(async move {
            match this.0.reserve(&begin).await? {
                Reserved::New(record, flight) => {
                    let result = this.0.perform(&record, begin.write).await;
                    drop(flight);
                    result
                }
                Reserved::Live(record) => this.wait_for_answer(record).await,
            }
        })
        .await
    }

    /// Waits for an answer that another call on the same payment is waiting for.
    async fn wait_for_answer(&self, record: PaymentRecord) -> Result<PaymentRecord> {
        let id = record.id;
        let mut changes = self.0.changed.subscribe();
        loop {
            // Looked at before the record is read: once it is over, what came of it is in the database.
            let under_way = self.0.is_in_flight(id.as_str());
            let record = self.0.load(&id).await?;
            let answered = !matches!(record.operation, OperationState::Reserved | OperationState::Submitted);
            if answered || !under_way {
                return Ok(record);
            }
            tokio::select! {
                _ = changes.recv() => {}
                () = self.0.sleep(Duration::from_secs(1)) => {}
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
            Err(_) => Err(Error::Store(StoreError::Unavailable("the runtime is shutting down".into()))),
        },
    }
}

fn unsupported(account: &AccountName, field: &'static str) -> Error {
    CoreError::new(ErrorKind::Unsupported, format!("account `{account}` does not offer this"))
        .with_field(field)
        .into()
}

fn flow_name(flow: Option<&FlowInfo>, account: &AccountName) -> Result<Flow> {
    flow.map(|info| info.flow.clone()).ok_or_else(|| unsupported(account, "way"))
}

/// All that opening needs, once it is known to be valid.
struct Begin {
    intent: Intent,
    reference: PaymentRef,
    secret: PageSecret,
    /// Whether the application chose the reference.
    own_reference: bool,
    write: Write,
}

enum Reserved {
    New(PaymentRecord, Flight),
    Live(PaymentRecord),
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

    /// Commits the intent, or finds the payment that is open already.
    async fn reserve(self: &Arc<Self>, begin: &Begin) -> Result<Reserved> {
        const TRIES: usize = 20;
        let Begin { intent, reference, secret, own_reference, .. } = begin;
        let key = intent.key.as_ref().map(|key| Ok::<_, Error>((key, key_content(intent)?))).transpose()?;
        for _ in 0..TRIES {
            if let Some((key, content)) = &key
                && let Some(used) = self.store.key(key).await?
            {
                return match used.subject {
                    KeySubject::Payment(payment) if used.content == *content => {
                        self.load(&payment).await.map(Reserved::Live)
                    }
                    _ => Err(key_conflict(key)),
                };
            }
            let order = match &intent.purpose {
                Purpose::Payment { order, .. } => self.store.order(order).await?,
                Purpose::CardSetup { .. } => None,
            };
            if let Some(live) =
                order.as_ref().map(|order| live_or_refused(order, intent)).transpose()?.flatten()
            {
                return Ok(Reserved::Live(live.clone()));
            }
            if *own_reference
                && self
                    .store
                    .payment(Find::MerchantRef(&intent.account, &reference.merchant_ref))
                    .await?
                    .is_some()
            {
                return Err(CoreError::invalid(
                    "merchant_ref",
                    format!("`{}` was used before at account `{}`", reference.merchant_ref, intent.account),
                )
                .into());
            }
            let now = self.clock.now();
            let record = self.new_record(intent, reference.clone(), secret);
            // Before the commit: whoever finds the record then sees that its answer is waited for.
            let flight = Flight::start(self, record.id.as_str());
            let mut changes = Changes::default();
            if let Purpose::Payment { order: name, amount, .. } = &intent.purpose {
                // An order that exists is written unchanged: its version keeps two openings apart.
                changes.orders.push(order.map_or_else(
                    || OrderRecord {
                        order: name.clone(),
                        amount: *amount,
                        paid_by: None,
                        created_at: now,
                        version: 0,
                    },
                    |order| order.record,
                ));
            }
            changes.history.push(HistoryEntry {
                at: now,
                order: record.order().cloned(),
                payment: record.id.clone(),
                source: Source::Application,
                change: None,
                what: match &record.purpose {
                    Purpose::Payment { amount, charged_card: None, .. } => {
                        format!("asked for {amount} through {}", record.account)
                    }
                    Purpose::Payment { amount, charged_card: Some(card), .. } => {
                        format!("asked to charge {amount} to card {card} through {}", record.account)
                    }
                    Purpose::CardSetup { customer } => {
                        format!("asked to save a card of {customer} through {}", record.account)
                    }
                },
            });
            changes.payments.push(record.clone());
            changes.keys.extend(key.as_ref().map(|(key, content)| KeyRecord {
                key: (*key).clone(),
                content: content.clone(),
                subject: KeySubject::Payment(record.id.clone()),
                at: now,
            }));
            match self.commit(changes).await {
                Ok(()) => {
                    crate::observe::opened(&record.account);
                    return Ok(Reserved::New(PaymentRecord { version: 1, ..record }, flight));
                }
                Err(StoreError::Conflict) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    fn new_record(&self, intent: &Intent, reference: PaymentRef, secret: &PageSecret) -> PaymentRecord {
        let now = self.clock.now();
        let id = PaymentId::from_text(self.ids.uuid_v7());
        let sealed_secret = self.keys.seal(&*self.ids, &format!("page/{id}"), secret.expose().as_bytes());
        PaymentRecord {
            id,
            purpose: intent.purpose.clone(),
            account: intent.account.clone(),
            reference,
            description: intent.description.clone(),
            language: intent.language,
            continue_to: intent.continue_to.clone(),
            operation: OperationState::Reserved,
            status: Status::Pending,
            ended_by: None,
            next: Vec::new(),
            code: None,
            text: None,
            card: CardInfo::default(),
            saved_card: None,
            capture: intent.capture,
            captured: None,
            refunded: None,
            paid_at: None,
            created_at: now,
            changed_at: now,
            expires_at: None,
            ask_at: Some(now.after(self.schedule.operation_lease)),
            asked: 0,
            confirmed: false,
            content: intent.content.clone(),
            secret_hash: secret_hash(secret),
            sealed_secret,
            version: 0,
        }
    }

    /// Sends what was committed, and commits what came of it.
    async fn perform(&self, record: &PaymentRecord, write: Write) -> Result<PaymentRecord> {
        let id = &record.id;
        let provider = self.provider(&record.account)?;
        self.apply(id, &Fact::Submitted, None).await?;
        self.reached(Point::BeforeSend);
        let answer = match write {
            Write::Invoice(request) => {
                let made = match (request.way, provider.qr(), provider.invoices()) {
                    (Way::Qr, Some(qr), _) => qr.create_qr(&request).await,
                    (_, _, Some(invoices)) => invoices.create_invoice(&request).await,
                    _ => Err(CoreError::new(ErrorKind::Unsupported, "this account does not make invoices")),
                };
                made.map(|made| Fact::Opened {
                    reference: made.payment,
                    next: made.next,
                    expires_at: made.expires_at,
                })
            }
            Write::Setup(request) => match provider.tokenize() {
                Some(tokenize) => tokenize.create_card_setup(&request).await.map(|made| Fact::Opened {
                    reference: made.reference,
                    next: made.next,
                    expires_at: made.expires_at,
                }),
                None => Err(CoreError::new(ErrorKind::Unsupported, "this account does not save cards")),
            },
            Write::Charge(request) => match provider.charges() {
                Some(charges) => tulbur_core::charge(charges, &request)
                    .await
                    .map(|charged| Fact::Proven(Box::new(Proven::by_charge(charged)), None)),
                None => Err(CoreError::new(ErrorKind::Unsupported, "this account does not charge cards")),
            },
        };
        self.reached(Point::Answered);
        match answer {
            Ok(fact) => self.apply(id, &fact, None).await,
            Err(error) => {
                let fact = Fact::WriteFailed {
                    outcome: error.outcome(),
                    why: error.message().to_owned(),
                    code: error.code().map(str::to_owned),
                    text: error.text().map(str::to_owned),
                };
                let record = self.apply(id, &fact, None).await?;
                // What may have been charged is not an error to be handled by trying again: it is pending.
                if error.outcome() == Outcome::Unknown && record.status.is_open() {
                    tracing::warn!(payment = %id, %error, "it may have been charged; asking");
                    return Ok(record);
                }
                Err(error.into())
            }
        }
    }
}

/// What tells a request with a key from another: the order or customer, and all that [`OpenPayment`] compares.
fn key_content(intent: &Intent) -> Result<String> {
    digest(
        &serde_json::json!({ "purpose": intent.purpose, "account": intent.account, "content": intent.content }),
    )
}

/// The payment that is open already, if it is for the same; none if a new one may be made.
fn live_or_refused<'a>(order: &'a Order, intent: &Intent) -> Result<Option<&'a PaymentRecord>> {
    let name = format!("order `{}`", order.record.order);
    let Purpose::Payment { amount, .. } = &intent.purpose else { return Ok(None) };
    if let Some(paid) = &order.record.paid_by {
        return Err(Error::conflict(name, format!("it is paid already, by payment `{paid}`")));
    }
    if order.record.amount != *amount {
        return Err(Error::conflict(
            name,
            format!("it was opened for {}; {amount} needs an order of its own", order.record.amount),
        ));
    }
    match order.live() {
        Some(live) if live.content == intent.content => Ok(Some(live)),
        Some(live) => Err(Error::conflict(
            name,
            format!("payment `{}` of it is open and asks for something else; cancel it first", live.id),
        )),
        None => Ok(None),
    }
}
