//! Takes notifications and returning browsers: finds the account, verifies, stores and acknowledges.

use std::time::Instant;

use tracing::Instrument;
use tulbur_core::{
    AccountName, Delivery, Error as CoreError, ErrorKind, IpnEvent, IpnOutcome, IpnProvider, MerchantRef,
    Proof, Provider, ProviderRef, Reply, Voucher,
};

use crate::engine::inner::{Inner, Payments};
use crate::engine::probe::Point;
use crate::engine::spacing::Reason;
use crate::error::{Error, Result};
use crate::metrics;
use crate::model::record::{PageSecret, PaymentRecord};
use crate::store::Find;

/// How the address of a notification names its account.
#[derive(Debug, Clone, Copy)]
pub enum NotifyTarget<'a> {
    /// `/notify/{account}`, or `/notify/{provider}`, where the account is the one whose key verifies.
    Name(&'a str),
    /// `/notify/{account}/{secret}`: the address was made for one payment.
    WithSecret {
        /// The account.
        account: &'a str,
        /// The payment's page secret.
        secret: &'a str,
    },
}

/// A delivery that was read by the account that it belongs to.
pub(crate) struct Read<'a> {
    pub(crate) provider: &'a dyn Provider,
    pub(crate) ipn: &'a dyn IpnProvider,
    pub(crate) event: IpnEvent,
    /// The payment whose own address it came to. That binds a hint, and never a fact.
    pub(crate) address_of: Option<PaymentRecord>,
}

/// What was done with a delivery.
pub(crate) struct Taken {
    pub(crate) outcome: OutcomeWord,
    pub(crate) ask: Option<(PaymentRecord, Reason)>,
}

pub(crate) enum OutcomeWord {
    Accepted,
    Repeat {
        completed: bool,
    },
    UnknownPayment,
    /// It names another payment than the one whose address it came to.
    Misdirected,
}

impl Payments {
    /// Takes a notification, and says what to answer.
    ///
    /// The answer is made after the notification is on disk, and does not wait for anything else: the confirming
    /// question is asked afterwards. If it could not be stored, the answer is never a success.
    pub async fn notify(&self, target: NotifyTarget<'_>, delivery: Delivery<'_>) -> Reply {
        let reply =
            self.take_notification(target, delivery).instrument(tracing::info_span!("notification")).await;
        self.0.reached(Point::Acknowledged);
        reply
    }

    async fn take_notification(&self, target: NotifyTarget<'_>, delivery: Delivery<'_>) -> Reply {
        let began = Instant::now();
        let read = match self.0.read(target, &delivery).await {
            Ok(read) => read,
            Err(Refusal::NoSuchAddress) => return not_here(),
            Err(Refusal::NoSuchName(reply)) => {
                self.0.note_stranger(target.name());
                metrics::notification("no_such_name", began);
                return reply;
            }
            Err(Refusal::Store(error)) => {
                tracing::error!(%error, "a notification could not be checked; the provider is told to come again");
                metrics::notification("not_stored", began);
                return Reply::text(503, "not stored");
            }
            Err(Refusal::Refused { account, reply, error }) => {
                self.0.refuse(&account, &delivery, &error).await;
                metrics::notification("refused", began);
                return reply;
            }
        };
        let account = read.provider.info().account.clone();
        if read.event.is_test {
            tracing::info!(%account, "a test message of the provider; nothing follows from it");
            metrics::notification("test", began);
            return read.ipn.acknowledge(IpnOutcome::Ignored);
        }
        match self.0.take(&account, &read, &delivery).await {
            Ok(Taken { outcome: OutcomeWord::Misdirected, .. }) => {
                let error = misdirected();
                metrics::notification("refused", began);
                read.ipn.acknowledge(IpnOutcome::Rejected(&error))
            }
            Ok(taken) => {
                self.0.reached(Point::BeforeAcknowledgement);
                if let Some((payment, reason)) = taken.ask {
                    self.ask_soon(payment, reason);
                }
                let (word, outcome) = match taken.outcome {
                    OutcomeWord::Accepted => ("accepted", IpnOutcome::Accepted),
                    OutcomeWord::Repeat { completed } => ("repeat", IpnOutcome::Repeat { completed }),
                    OutcomeWord::UnknownPayment | OutcomeWord::Misdirected => {
                        ("unknown", IpnOutcome::UnknownPayment)
                    }
                };
                metrics::notification(word, began);
                read.ipn.acknowledge(outcome)
            }
            Err(error) => {
                tracing::error!(%account, %error, "a notification could not be stored; the provider is told so");
                metrics::notification("not_stored", began);
                read.ipn.acknowledge(IpnOutcome::NotStored)
            }
        }
    }

    /// Takes a payer's browser that came back, and returns the payment whose result page it is to see.
    ///
    /// What the browser says is never proof: it makes us ask, and not more often than the provider's pace allows.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an address that was not made here; [`Error::Provider`] when the fields cannot be read
    /// or are about another payment. Nothing is changed then.
    pub async fn returned(
        &self,
        account: &str,
        secret: &PageSecret,
        delivery: Delivery<'_>,
    ) -> Result<PaymentRecord> {
        let missing = || Error::NotFound("payment behind this address".into());
        let record =
            self.page(secret).await?.filter(|record| record.account == *account).ok_or_else(missing)?;
        let provider = self.0.provider(&record.account)?;
        let ipn = provider.ipn().ok_or_else(missing)?;
        // A browser that lost its fields on the way, or a bank that sends none. The address says which payment it is.
        if delivery.query.is_none_or(str::is_empty) && delivery.body.trim_ascii().is_empty() {
            self.ask_soon(record.clone(), Reason::Looking);
            return Ok(record);
        }
        let event = ipn
            .verify(&delivery)
            .and_then(|event| if contradicts(&event, &record) { Err(misdirected()) } else { Ok(event) });
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                self.0.refuse(&record.account, &delivery, &error).await;
                return Err(error.into());
            }
        };
        if event.is_test {
            return Ok(record);
        }
        let read = Read { provider, ipn, event, address_of: Some(record.clone()) };
        let account = record.account.clone();
        let taken = self.0.take(&account, &read, &delivery).await?;
        if matches!(taken.outcome, OutcomeWord::Misdirected) {
            return Err(misdirected().into());
        }
        if let Some((payment, reason)) = taken.ask {
            self.ask_soon(payment, reason);
        }
        self.0.load(&record.id).await
    }

    fn ask_soon(&self, payment: PaymentRecord, reason: Reason) {
        let inner = std::sync::Arc::clone(&self.0);
        tokio::spawn(async move { inner.ask_after_delivery(payment, reason).await });
    }
}

impl<'a> NotifyTarget<'a> {
    /// The account or provider that the address names.
    fn name(self) -> &'a str {
        match self {
            Self::Name(name) | Self::WithSecret { account: name, .. } => name,
        }
    }
}

fn not_here() -> Reply {
    Reply::text(404, "no such notification address")
}

enum Refusal {
    NoSuchAddress,
    /// No account is called so. The answer is one that an account gives to what is not genuine, so that it does not tell
    /// which accounts there are.
    NoSuchName(Reply),
    Store(Error),
    Refused {
        account: AccountName,
        reply: Reply,
        error: CoreError,
    },
}

/// How a delivery stands to a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    /// It names our reference, or the reference of the provider's that is stored for it.
    Matches,
    /// It names another payment.
    Contradicts,
    /// It names nothing that says either.
    Undecided,
}

/// How a delivery stands to a payment, by what it names. A signed one is bound by what its signature covers.
pub(crate) fn binding(event: &IpnEvent, record: &PaymentRecord) -> Binding {
    if contradicts(event, record) {
        return Binding::Contradicts;
    }
    let (merchant, provider) = names(event);
    let ours = merchant.is_some_and(|named| *named == record.reference.merchant_ref);
    let theirs = provider.is_some() && provider == record.reference.provider_ref.as_ref();
    if ours || theirs { Binding::Matches } else { Binding::Undecided }
}

/// The references that a delivery is bound by: of a signed one those that its signature covers.
pub(crate) fn names(event: &IpnEvent) -> (Option<&MerchantRef>, Option<&ProviderRef>) {
    match &event.proof {
        Proof::Signed(facts) => (facts.merchant_ref.as_ref(), facts.provider_ref.as_ref()),
        Proof::Hint(_) => (event.subject.merchant_ref.as_ref(), event.subject.provider_ref.as_ref()),
    }
}

/// Takes the address's word for a message only where it came to an address with a payment's secret.
pub(crate) fn vouched_by_its_address(mut event: IpnEvent, address_of: Option<&PaymentRecord>) -> IpnEvent {
    if matches!(event.proof, Proof::Hint(Voucher::Address)) && address_of.is_none() {
        event.proof = Proof::Hint(Voucher::None);
    }
    event
}

/// Whether any reference in a delivery is another one than this payment's.
fn contradicts(event: &IpnEvent, record: &PaymentRecord) -> bool {
    let reference = &record.reference;
    let signed = names(event);
    let merchant = [signed.0, event.subject.merchant_ref.as_ref()].into_iter().flatten();
    let provider = [signed.1, event.subject.provider_ref.as_ref()].into_iter().flatten();
    merchant.into_iter().any(|named| *named != reference.merchant_ref)
        || reference
            .provider_ref
            .as_ref()
            .is_some_and(|known| provider.into_iter().any(|named| named != known))
}

pub(crate) fn misdirected() -> CoreError {
    CoreError::new(ErrorKind::Untrusted, "it is about another payment than its address")
        .with_field("reference")
}

impl Inner {
    /// What an account answers to what is not genuine, for a name that no account has.
    fn refusal_of_some_account(&self, name: &str) -> Reply {
        let all: Vec<_> = self.accounts.values().filter_map(|provider| provider.ipn()).collect();
        let error = CoreError::new(ErrorKind::Untrusted, "no account is called so");
        all.get(self.refusals.stand_in(name, all.len()))
            .map_or_else(not_here, |ipn| ipn.acknowledge(IpnOutcome::Rejected(&error)))
    }

    /// Finds the account whose provider can read the delivery.
    async fn read<'a>(
        &'a self,
        target: NotifyTarget<'_>,
        delivery: &Delivery<'_>,
    ) -> std::result::Result<Read<'a>, Refusal> {
        let (name, address_of, is_strange) = match target {
            NotifyTarget::Name(name) => (name, None, false),
            NotifyTarget::WithSecret { account, secret } => {
                let secret = PageSecret::parse(secret).ok_or(Refusal::NoSuchAddress)?;
                let hash = crate::engine::inner::secret_hash(&secret);
                // Read together with what other notifications need: anybody can guess addresses, many at a time.
                let Some((name, _)) = self.accounts.iter().find(|(name, _)| **name == *account) else {
                    return Err(Refusal::NoSuchName(not_here()));
                };
                let known = self.store.known(name, Find::SecretHash(&hash), "-").await;
                let known = known.map_err(|e| Refusal::Store(e.into()))?;
                let is_strange = known.payment.is_none();
                (account, known.payment, is_strange)
            }
        };
        let by_name = self.accounts.iter().find(|(account, _)| **account == *name);
        let candidates: Vec<_> = match by_name {
            Some(found) => vec![found],
            None => self.accounts.iter().filter(|(_, provider)| provider.info().id == *name).collect(),
        };
        let mut refused = None;
        for (account, provider) in candidates {
            let Some(ipn) = provider.ipn() else { continue };
            let checked = ipn.verify(delivery).and_then(|event| match &address_of {
                Some(record) if contradicts(&event, record) => Err(misdirected()),
                _ => Ok(event),
            });
            match checked {
                // The payment whose address it was may have been lost with a database. What is signed needs no address;
                // of anything else nothing is kept or told.
                Ok(IpnEvent { proof: Proof::Hint(_), .. }) | Err(_) if is_strange => {}
                Ok(event) => {
                    let event = vouched_by_its_address(event, address_of.as_ref());
                    return Ok(Read { provider: &**provider, ipn, event, address_of });
                }
                Err(error) => {
                    let reply = ipn.acknowledge(IpnOutcome::Rejected(&error));
                    refused = Some(Refusal::Refused { account: account.clone(), reply, error });
                }
            }
        }
        let is_name = matches!(target, NotifyTarget::Name(_));
        Err(refused.unwrap_or_else(|| {
            if is_name {
                Refusal::NoSuchName(self.refusal_of_some_account(name))
            } else {
                Refusal::NoSuchAddress
            }
        }))
    }
}
