//! Holds the parts that one check works with: a new provider, its wire, its mailbox and its log.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tulbur_core::layers::{Deadline, Retry, Tracing};
use tulbur_core::{
    BuildEnv, CallbackUrl, Capture, CardSetupState, CardToken, Channel, Charge, ChargeRequest, Clock,
    CreateCardSetup, CreateInvoice, Error, Invoice, Language, MerchantRef, Money, Monotonic, NotifyAddress,
    Payment, PaymentRef, PaymentStatus, Provider, ProviderInfo, RandomIds, SavedCard, Timestamp, Way,
    async_trait, system_monotonic, system_now,
};

use crate::counterpart::{Books, Counterpart, CounterpartError, Deed, Skill};
use crate::logs::Logs;
use crate::mailbox::{Letter, Mailbox};
use crate::under_test::{Keys, UnderTest};
use crate::wire::Wire;

/// Why a check did not pass.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The provider broke a promise.
    Failed(String),
    /// The check could not be made.
    Ignored(String),
}

pub(crate) type Checked<T = ()> = Result<T, Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(format!("an unexpected error ({:?}, {:?}): {error}", error.kind(), error.outcome()))
    }
}

impl From<CounterpartError> for Stop {
    fn from(error: CounterpartError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(format!("this machine has no loopback port to spare: {error}"))
    }
}

pub(crate) fn fail<T>(why: impl Into<String>) -> Checked<T> {
    Err(Stop::Failed(why.into()))
}

pub(crate) fn ignore<T>(why: impl Into<String>) -> Checked<T> {
    Err(Stop::Ignored(why.into()))
}

/// Fails the check unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($why:tt)*) => {
        if !$condition {
            return Err($crate::world::Stop::Failed(format!($($why)*)));
        }
    };
}
pub(crate) use ensure;

/// The system's clocks and tokio's timer.
#[derive(Debug)]
struct TokioClock;

#[async_trait]
impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        system_now()
    }

    fn monotonic(&self) -> Monotonic {
        system_monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

pub(crate) struct World {
    pub(crate) under_test: Arc<dyn UnderTest>,
    pub(crate) counterpart: Arc<dyn Counterpart>,
    pub(crate) wire: Arc<Wire>,
    pub(crate) env: BuildEnv,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) mailbox: Mailbox,
    pub(crate) logs: Logs,
    /// Card tokens that were got, which are secrets too.
    tokens: Mutex<Vec<String>>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl World {
    pub(crate) async fn new(
        under_test: Arc<dyn UnderTest>,
        counterpart: Arc<dyn Counterpart>,
        logs: Logs,
    ) -> Checked<Self> {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock);
        let wire = Arc::new(Wire::new(under_test.transport()?, Arc::clone(&clock)));
        // As in production, but for the waits: what is repeated here would be repeated there.
        let watched = Tracing::new(Deadline::new(Arc::clone(&wire), Arc::clone(&clock)));
        let retry = Retry::new(watched, Arc::clone(&clock)).with_first_wait(Duration::from_millis(5));
        let env = BuildEnv::new(Arc::new(retry), clock, Arc::new(RandomIds));
        let provider = under_test.build(Keys::Own, &env)?;
        let mailbox = Mailbox::open().await?;
        if counterpart.can(Skill::Notify) && provider.info().notify == NotifyAddress::PerAccount {
            counterpart.notify_at(&mailbox.url).await?;
        }
        let tokens = Mutex::default();
        Ok(Self { under_test, counterpart, wire, env, provider, mailbox, logs, tokens })
    }

    /// The same account with credentials that the counterpart does not know.
    pub(crate) fn stranger(&self) -> Checked<Arc<dyn Provider>> {
        Ok(self.under_test.build(Keys::Other, &self.env)?)
    }

    pub(crate) fn info(&self) -> &ProviderInfo {
        self.provider.info()
    }

    pub(crate) fn need(&self, skill: Skill) -> Checked {
        if self.counterpart.can(skill) { Ok(()) } else { ignore(format!("the counterpart cannot {skill}")) }
    }

    pub(crate) async fn act(&self, deed: Deed, reference: &MerchantRef) -> Checked {
        self.need(Skill::Do(deed))?;
        Ok(self.counterpart.act(deed, reference).await?)
    }

    /// What really happened, if the counterpart can say.
    pub(crate) async fn books(&self, reference: &MerchantRef) -> Checked<Option<Books>> {
        if !self.counterpart.can(Skill::Books) {
            return Ok(None);
        }
        Ok(Some(self.counterpart.books(reference).await?.unwrap_or_default()))
    }

    pub(crate) fn reference(&self) -> MerchantRef {
        MerchantRef::generate(&self.info().ref_rule, &RandomIds)
    }

    /// An amount that nothing is special about: the middle one of those that are tried.
    pub(crate) fn amount(&self) -> Money {
        let amounts = self.under_test.amounts(self.info());
        let usual = amounts.iter().find(|a| a.minor() == 1500 * 10_i64.pow(a.currency().decimals()));
        usual.or_else(|| amounts.get(amounts.len() / 2)).copied().unwrap_or_else(|| {
            let currency = self.info().currencies[0];
            Money::from_minor(1500 * 10_i64.pow(currency.decimals()), currency)
        })
    }

    fn language(&self) -> Language {
        self.info().languages.first().copied().unwrap_or_default()
    }

    /// An address of the payment's own, as an application gives: not every notification names our reference in clear.
    fn notify_url(&self, reference: &MerchantRef) -> Option<CallbackUrl> {
        let told = self.info().notify == NotifyAddress::PerPayment;
        told.then(|| CallbackUrl::parse(format!("{}/{reference}", self.mailbox.url)).ok()).flatten()
    }

    pub(crate) fn invoice_request(&self, amount: Money) -> CreateInvoice {
        let mut request = CreateInvoice::new(self.reference(), amount, "Two books");
        request.language = self.language();
        request.payer = self.under_test.payer();
        request.return_urls = self.under_test.return_urls();
        request.notify_url = self.notify_url(&request.merchant_ref);
        if let Some(way) = self.info().ways.first() {
            request.way = *way;
        }
        request
    }

    pub(crate) fn setup_request(&self) -> CreateCardSetup {
        let mut request = CreateCardSetup::new(self.reference());
        request.language = self.language();
        request.return_urls = self.under_test.return_urls();
        request.notify_url = self.notify_url(&request.merchant_ref);
        request
    }

    pub(crate) fn charge_request(&self, amount: Money, token: CardToken) -> ChargeRequest {
        let mut request = ChargeRequest::new(self.reference(), amount, token);
        request.language = self.language();
        request.return_urls = self.under_test.return_urls();
        request.notify_url = self.notify_url(&request.merchant_ref);
        request
    }

    /// Creates what is asked for, by the trait that offers it.
    pub(crate) async fn create(&self, request: &CreateInvoice) -> tulbur_core::Result<Invoice> {
        create(&*self.provider, request).await
    }

    /// A fresh invoice.
    pub(crate) async fn open(&self) -> Checked<Invoice> {
        self.open_for(self.amount()).await
    }

    pub(crate) async fn open_for(&self, amount: Money) -> Checked<Invoice> {
        if self.provider.invoices().is_none() && self.provider.qr().is_none() {
            return ignore("the provider makes no invoices");
        }
        Ok(self.create(&self.invoice_request(amount)).await?)
    }

    /// Asks, and proves that the answer is about what was asked.
    pub(crate) async fn query(&self, payment: &PaymentRef) -> Checked<Payment> {
        Ok(self.try_query(payment).await?)
    }

    pub(crate) async fn try_query(&self, payment: &PaymentRef) -> tulbur_core::Result<Payment> {
        let Some(queries) = self.provider.queries() else {
            return Err(Error::new(tulbur_core::ErrorKind::Unsupported, "the provider has no query"));
        };
        tulbur_core::confirm(queries, payment).await.map(tulbur_core::Verified::into_inner)
    }

    /// An invoice that was paid.
    pub(crate) async fn paid(&self) -> Checked<PaymentRef> {
        let mut payment = self.open().await?.payment;
        self.act(Deed::Pay, &payment.merchant_ref).await?;
        if self.provider.queries().is_some() {
            payment.fill_from(&self.query(&payment).await?.reference);
        }
        Ok(payment)
    }

    /// A payment whose money is held.
    pub(crate) async fn authorized(&self) -> Checked<PaymentRef> {
        let mut request = self.invoice_request(self.amount());
        request.capture = Capture::Later;
        let mut payment = self.create(&request).await?.payment;
        self.act(Deed::Pay, &payment.merchant_ref).await?;
        let held = self.query(&payment).await?;
        ensure!(held.status == PaymentStatus::Authorized, "held money is called {}", held.status);
        payment.fill_from(&held.reference);
        Ok(payment)
    }

    /// A saved card, saved on the way of a payment or by a set-up.
    pub(crate) async fn card(&self, deed: Deed) -> Checked<CardToken> {
        let token = if self.info().saves_card_with_payment && self.provider.queries().is_some() {
            let mut request = self.invoice_request(self.amount());
            request.save_card = true;
            let invoice = self.create(&request).await?;
            self.act(deed, &request.merchant_ref).await?;
            match self.saved_card(&invoice.payment, true).await? {
                Some(saved) => saved.token,
                None => return fail("a card that was to be saved with a payment did not come back"),
            }
        } else if let Some(cards) = self.provider.tokenize() {
            let request = self.setup_request();
            let setup = cards.create_card_setup(&request).await?;
            let deed = if deed == Deed::Pay { Deed::SaveCard } else { deed };
            self.act(deed, &request.merchant_ref).await?;
            match cards.read_card_setup(&setup.reference).await?.state {
                CardSetupState::Saved(saved) => saved.token,
                other => return fail(format!("a card that was saved reads as {other:?}")),
            }
        } else {
            return ignore("the provider has no way to save a card");
        };
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).push(token.expose().to_owned());
        Ok(token)
    }

    /// The card that a payment saved: as the answer to a question has it, or else a notification.
    ///
    /// Where one is expected, notifications are waited for.
    pub(crate) async fn saved_card(
        &self,
        payment: &PaymentRef,
        expected: bool,
    ) -> Checked<Option<SavedCard>> {
        let answer = self.query(payment).await?;
        if answer.saved_card.is_some() || !self.counterpart.can(Skill::Notify) {
            return Ok(answer.saved_card);
        }
        let Some(ipn) = self.provider.ipn() else { return Ok(None) };
        let also = payment.provider_ref.as_ref().map(tulbur_core::ProviderRef::as_str);
        let letters = self.mailbox.about(&payment.merchant_ref, also, usize::from(expected)).await;
        for letter in letters {
            if let Some(saved) = ipn.verify(&letter.delivery(Channel::Notify))?.saved_card {
                return Ok(Some(saved));
            }
        }
        Ok(None)
    }

    /// How a charge ended: as its answer has it, or by asking, where answers leave that open. If the card's bank wants
    /// to see the payer, the payer agrees.
    pub(crate) async fn charge_end(&self, charge: &Charge) -> Checked<Payment> {
        let said = &charge.payment;
        if said.status != PaymentStatus::Pending || self.under_test.answers().charges {
            return Ok(said.clone());
        }
        let found = self.query(&said.reference).await?;
        if found.status != PaymentStatus::Pending || charge.next.is_empty() {
            return Ok(found);
        }
        self.act(Deed::Pay, &said.reference.merchant_ref).await?;
        self.query(&said.reference).await
    }

    /// The notifications about a payment, once there are so many.
    pub(crate) async fn letters(&self, payment: &PaymentRef, count: usize) -> Checked<Vec<Letter>> {
        self.need(Skill::Notify)?;
        let also = payment.provider_ref.as_ref().map(tulbur_core::ProviderRef::as_str);
        let letters = self.mailbox.about(&payment.merchant_ref, also, count).await;
        ensure!(letters.len() >= count, "{} of {count} notifications came", letters.len());
        Ok(letters)
    }

    /// What must not be shown.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let mut secrets = self.under_test.secrets();
        secrets.extend(self.tokens.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        secrets.retain(|secret| !secret.is_empty());
        secrets
    }

    /// The flow in which a charge is asked about.
    pub(crate) fn charge_ref(&self, request: &ChargeRequest) -> Option<PaymentRef> {
        let flow = self.provider.flow_of_charge(request)?.flow.clone();
        Some(PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), flow))
    }
}

/// By QR where that is wanted and has a trait of its own.
pub(crate) async fn create(provider: &dyn Provider, request: &CreateInvoice) -> tulbur_core::Result<Invoice> {
    match (provider.invoices(), provider.qr()) {
        (Some(invoices), None) => invoices.create_invoice(request).await,
        (Some(invoices), Some(_)) if request.way != Way::Qr => invoices.create_invoice(request).await,
        (_, Some(qr)) => qr.create_qr(request).await,
        (None, None) => {
            Err(Error::new(tulbur_core::ErrorKind::Unsupported, "the provider makes no invoices"))
        }
    }
}
