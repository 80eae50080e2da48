//! The provider: what it sends for each ability, and what it makes of the answers.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use tulbur_core::wire::below;
use tulbur_core::{
    Ability, AccountKeys, AccountName, AmountText, BuildEnv, CancelProvider, CreateInvoice, Effect, Error,
    ErrorKind, ExposeSecret, Flow, FreeText, HttpRequest, HttpResponse, Invoice, InvoiceProvider,
    IpnProvider, Money, Monotonic, NextAction, Payment, PaymentRef, PaymentStatus, Provider, ProviderFactory,
    ProviderInfo, QrProvider, QueryProvider, RefundProvider, Result, Scheme, Way, async_trait,
    register_provider,
};

use crate::ID;
use crate::config::GolomtInstoreConfig;
use crate::info::{self, FLOW_APP, FLOW_PHONE, FLOW_QR};
use crate::payload;
use crate::sign::{self, AMOUNT};
use crate::status;
use crate::wire::{InvoiceRequest, PhoneRequest, Said, SimpleResult, TransactionResult, open};

/// One terminal at Golomt Bank's Instore service.
///
/// `Debug` shows account, terminal and host.
pub struct GolomtInstore {
    pub(crate) info: ProviderInfo,
    pub(crate) config: GolomtInstoreConfig,
    pub(crate) keys: AccountKeys,
    env: BuildEnv,
}

impl fmt::Debug for GolomtInstore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GolomtInstore")
            .field("account", &self.info.account)
            .field("terminal", &self.config.terminal)
            .field("host", &self.config.base_url.host_str())
            .finish_non_exhaustive()
    }
}

/// What the bank says of an invoice's payment, with what only this bank has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transaction {
    /// How the payment stands.
    pub payment: Payment,
    /// The issuer's approval code, for the receipt.
    pub approval_code: Option<String>,
}

/// Builds [`GolomtInstore`] from settings; registered under [`ID`].
#[derive(Debug, Clone, Copy)]
pub struct GolomtInstoreFactory;

impl ProviderFactory for GolomtInstoreFactory {
    const ID: &'static str = ID;
    type Config = GolomtInstoreConfig;

    fn describe() -> ProviderInfo {
        let account = AccountName::parse(ID).expect("the constant is a name");
        info::describe(account, &GolomtInstoreConfig::new("00000000", "-".into()))
    }

    fn build(account: &AccountName, config: Self::Config, env: &BuildEnv) -> Result<Arc<dyn Provider>> {
        Ok(Arc::new(GolomtInstore::new(account.clone(), config, env.clone())?))
    }
}

register_provider!(GolomtInstoreFactory);

impl GolomtInstore {
    /// An account with these settings.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`], naming the setting.
    pub fn new(account: AccountName, config: GolomtInstoreConfig, env: BuildEnv) -> Result<Self> {
        let info = info::describe(account, &config);
        let keys = config
            .check()
            .and_then(|()| env.keys(Scheme::HmacSha256, config.secrets(), &info.ref_rule))
            .map_err(|error| error.at(&info.id, &info.account, "configuration"))?
            .in_field("checksum");
        Ok(Self { info, config, keys, env })
    }

    /// Asks how a payment stands, as [`QueryProvider::query`] does, and returns the approval code with it.
    ///
    /// # Errors
    /// As [`QueryProvider::query`].
    pub async fn transaction(&self, payment: &PaymentRef) -> Result<Transaction> {
        self.named(info::CHECK, self.check(payment).await)
    }

    /// Names this account and operation in an error.
    pub(crate) fn named<T>(&self, operation: &'static str, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.at(&self.info.id, &self.info.account, operation))
    }

    /// Sends a body that is serialised here, once, and gives the answer to a 200; every other status is an error.
    /// `send_by` is what the caller's write request says.
    pub(crate) async fn call(
        &self,
        operation: &'static str,
        effect: Effect,
        path: &[&str],
        body: &(impl Serialize + Sync),
        send_by: Option<Monotonic>,
    ) -> Result<HttpResponse> {
        let body = serde_json::to_vec(body).map_err(|e| {
            Error::new(ErrorKind::InvalidRequest, "it cannot be written as JSON").with_source(e)
        })?;
        let url = below(&self.config.base_url, path);
        let request = HttpRequest::post_json(operation, effect, url, body).send_by(send_by);
        let response =
            self.env.transport.send(request).await.map_err(|error| Error::from_transport(error, effect))?;
        if response.status == 200 {
            Ok(response)
        } else {
            Err(self.hiding(status::of_http(&response, effect), &[]))
        }
    }

    /// Reads an answer, and checks what of it is wrong for this effect: after a write nothing is certain.
    pub(crate) fn read_answer<'a, T>(
        &self,
        effect: Effect,
        response: &'a HttpResponse,
        personal: &[&str],
        read: impl FnOnce(&'a [u8]) -> Result<T>,
    ) -> Result<T> {
        read(&response.body).map_err(|error| match error.kind() {
            ErrorKind::Malformed | ErrorKind::Untrusted => error.in_answer(effect, response),
            // The others come from `status`, which has decided.
            _ => self.hiding(error, personal),
        })
    }

    /// The error without these in the bank's words, should it ever repeat them.
    fn hiding(&self, error: Error, personal: &[&str]) -> Error {
        let config = &self.config;
        let hide = |text: Option<&str>| {
            let secrets = std::iter::once(&config.secret).chain(&config.verification_secrets);
            let all = secrets.map(ExposeSecret::expose_secret).chain(personal.iter().copied());
            text.map(|text| FreeText::without(text, all))
        };
        let (code, text) = (hide(error.code()), hide(error.text()));
        error.with_answer(code.as_deref(), text.as_deref())
    }

    /// The text of an amount, as it is signed and sent.
    fn render(amount: Money) -> Result<AmountText> {
        Ok(AMOUNT.render(amount)?)
    }

    /// Sends one of the calls whose body is an invoice.
    pub(crate) async fn about_invoice(
        &self,
        operation: &'static str,
        effect: Effect,
        path: &[&str],
        invoice: &str,
        amount: Money,
        send_by: Option<Monotonic>,
    ) -> Result<HttpResponse> {
        let amount = Self::render(amount)?;
        let terminal = self.config.terminal.as_str();
        let body = InvoiceRequest {
            checksum: &self.keys.sign(&sign::invoice(terminal, invoice, amount.as_str())),
            amount: &amount,
            invoice,
            terminal,
        };
        self.call(operation, effect, path, &body, send_by).await
    }

    async fn invoice(&self, request: &CreateInvoice) -> Result<Invoice> {
        request.check(self)?;
        if request.notify_url.is_some() {
            let why = "the bank has one address per merchant; agree on it with the bank and leave this out";
            return Err(Error::new(ErrorKind::Unsupported, why).with_field("notify_url"));
        }
        if request.options.is_some() {
            let why = "this provider has no options; leave them out";
            return Err(Error::new(ErrorKind::Unsupported, why).with_field("options"));
        }
        let flow = match request.way {
            Way::Phone => FLOW_PHONE,
            Way::App => FLOW_APP,
            _ => FLOW_QR,
        };
        let next =
            if request.way == Way::Phone { self.phone(request).await? } else { self.shown(request).await? };
        let payment = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), flow);
        let mut invoice = Invoice::new(payment, next);
        invoice.expires_at = self.config.wait().map(|wait| self.env.clock.now().after(wait));
        Ok(invoice)
    }

    /// Sends the invoice to the payer's phone.
    async fn phone(&self, request: &CreateInvoice) -> Result<Vec<NextAction>> {
        let phone = phone_number(request.payer.phone.as_deref())?;
        let amount = Self::render(request.amount)?;
        let (terminal, invoice) = (self.config.terminal.as_str(), request.merchant_ref.as_str());
        let body = PhoneRequest {
            checksum: &self.keys.sign(&sign::phone(terminal, invoice, amount.as_str(), phone)),
            amount: &amount,
            invoice,
            phone,
            terminal,
        };
        let response = self
            .call(info::PHONE, Effect::Write, &["pos", "invoice", "phone"], &body, request.send_by)
            .await?;
        self.read_answer(Effect::Write, &response, &[phone], |body| {
            succeeded(body).map(|_| vec![NextAction::Approve])
        })
    }

    /// Makes something that is shown to the payer.
    async fn shown(&self, request: &CreateInvoice) -> Result<Vec<NextAction>> {
        let (operation, path): (_, &[&str]) = match request.way {
            Way::App => (info::DEEPLINK, &["pos", "invoice", "qr", "deeplink"]),
            _ => (info::QR, &["pos", "invoice", "qr"]),
        };
        let invoice = request.merchant_ref.as_str();
        let response = self
            .about_invoice(operation, Effect::Write, path, invoice, request.amount, request.send_by)
            .await?;
        self.read_answer(Effect::Write, &response, &[], |body| {
            let result = succeeded(body)?;
            let missing = || Error::new(ErrorKind::Malformed, "it is missing").with_field("desc");
            payload::next(result.desc().ok_or_else(missing)?, request.way, request.amount)
        })
    }

    async fn check(&self, payment: &PaymentRef) -> Result<Transaction> {
        let amount = own_amount(payment)?;
        let invoice = payment.merchant_ref.as_str();
        let path = ["pos", "invoice", "check"];
        let response = self.about_invoice(info::CHECK, Effect::Read, &path, invoice, amount, None).await?;
        self.read_answer(Effect::Read, &response, &[], |body| {
            let result = match open::<TransactionResult<'_>>(body)? {
                Said::Executed(result) => result,
                Said::Failed(failure) => {
                    let error = status::of_failure(&failure, Effect::Read);
                    if !status::may_be_unpaid(&failure, &error) {
                        return Err(error);
                    }
                    let mut open = Payment::new(payment.clone(), PaymentStatus::Pending);
                    (open.code, open.text) = (failure.kind.or(failure.header), failure.text);
                    return Ok(Transaction { payment: open, approval_code: None });
                }
            };
            self.check_echo(payment, &result)?;
            let mut said = Payment::new(payment.clone(), status::of_code(result.resp_code()));
            // Beside a code that is not 00 an amount is nobody's money.
            if said.status.is_paid() {
                said.amount = result.amount()?;
            }
            said.code = result.resp_code().map(FreeText::new);
            said.text = result.text();
            said.card = result.card();
            let approval_code = result.approval_code().filter(|_| said.status.is_paid());
            Ok(Transaction { payment: said, approval_code })
        })
    }

    /// Checks that an answer is about the invoice that was asked about, as far as it says which.
    pub(crate) fn check_echo(&self, asked: &PaymentRef, result: &TransactionResult<'_>) -> Result<()> {
        let other = |field| {
            let why = "the answer is about another payment than the one asked about";
            Err(Error::new(ErrorKind::Untrusted, why).with_field(field))
        };
        if result.invoice().is_some_and(|invoice| invoice != asked.merchant_ref.as_str()) {
            return other("invoice");
        }
        if result.terminal().is_some_and(|terminal| terminal != self.config.terminal) {
            return other("terminal");
        }
        Ok(())
    }
}

/// A code that no source lists: it may have happened.
pub(crate) fn not_listed(code: &str, text: Option<&str>) -> Error {
    Error::new(ErrorKind::Rejected, "the bank answered with a code that no document lists")
        .with_outcome(tulbur_core::Outcome::Unknown)
        .with_answer(Some(code), text)
}

/// The amount of a payment of this provider's, without which nothing can be asked about it.
pub(crate) fn own_amount(payment: &PaymentRef) -> Result<Money> {
    if ![FLOW_PHONE, FLOW_QR, FLOW_APP].contains(&payment.flow) {
        let why = format!("`{}` is no flow of this provider", payment.flow);
        return Err(Error::new(ErrorKind::Unsupported, why).with_field("flow"));
    }
    let amount = payment.amount.ok_or_else(|| {
        Error::invalid("amount", "it is missing; the bank knows a payment by reference and amount")
    })?;
    if amount.currency() != sign::CURRENCY || !amount.is_positive() {
        return Err(Error::invalid("amount", format!("{amount} is no amount in tögrög")));
    }
    Ok(amount)
}

/// The payer's phone number, as it is signed and sent. Its form is unknown; samples have eight digits.
fn phone_number(phone: Option<&str>) -> Result<&str> {
    let phone = phone.filter(|phone| !phone.is_empty()).ok_or_else(|| {
        Error::invalid("payer.phone", "it is missing; the invoice is sent to the payer's phone")
    })?;
    let digits = phone.strip_prefix('+').unwrap_or(phone);
    if !(6..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        let why = "it is not 6 to 15 digits; write it without blanks and hyphens";
        return Err(Error::invalid("payer.phone", why));
    }
    Ok(phone)
}

/// The result of an invoice that was made. `FAILED` is the documented no (page D-qr); another word says nothing.
fn succeeded(body: &[u8]) -> Result<SimpleResult<'_>> {
    let result = match open::<SimpleResult<'_>>(body)? {
        Said::Executed(result) => result,
        Said::Failed(failure) => return Err(status::of_failure(&failure, Effect::Write)),
    };
    match result.status() {
        Some("SUCCESS") => Ok(result),
        Some("FAILED") => Err(failed(&result)),
        Some(word) => Err(not_listed(word, result.text().as_deref())),
        None => Err(Error::new(ErrorKind::Malformed, "it is missing").with_field("status")),
    }
}

pub(crate) fn failed(result: &SimpleResult<'_>) -> Error {
    Error::new(ErrorKind::Rejected, "the bank says that it failed")
        .with_outcome(tulbur_core::Outcome::Refused)
        .with_answer(Some("FAILED"), result.text().as_deref())
}

impl Provider for GolomtInstore {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn invoices(&self) -> Option<&dyn InvoiceProvider> {
        self.offered(Ability::Invoice).then_some(self)
    }

    fn qr(&self) -> Option<&dyn QrProvider> {
        self.offered(Ability::Qr).then_some(self)
    }

    fn queries(&self) -> Option<&dyn QueryProvider> {
        self.offered(Ability::Query).then_some(self)
    }

    fn cancels(&self) -> Option<&dyn CancelProvider> {
        self.offered(Ability::Cancel).then_some(self)
    }

    fn refunds(&self) -> Option<&dyn RefundProvider> {
        self.offered(Ability::Refund).then_some(self)
    }

    fn ipn(&self) -> Option<&dyn IpnProvider> {
        self.offered(Ability::Ipn).then_some(self)
    }
}

impl GolomtInstore {
    /// Whether every operation of an ability is known well enough for this account.
    fn offered(&self, ability: Ability) -> bool {
        let mut operations = self.info.operations.iter().filter(|operation| operation.ability == ability);
        operations.all(|operation| self.config.accept.allows(operation.evidence))
    }

    fn operation_of(way: Way) -> &'static str {
        match way {
            Way::Phone => info::PHONE,
            Way::App => info::DEEPLINK,
            _ => info::QR,
        }
    }
}

#[async_trait]
impl InvoiceProvider for GolomtInstore {
    async fn create_invoice(&self, request: &CreateInvoice) -> Result<Invoice> {
        self.named(Self::operation_of(request.way), self.invoice(request).await)
    }
}

#[async_trait]
impl QrProvider for GolomtInstore {
    async fn create_qr(&self, request: &CreateInvoice) -> Result<Invoice> {
        let flow: Flow = if request.way == Way::App { FLOW_APP } else { FLOW_QR };
        if request.way == Way::Phone {
            let why = format!("a phone invoice shows no QR; ask for Way::Qr (flow `{flow}`)");
            return self.named(info::QR, Err(Error::new(ErrorKind::Unsupported, why).with_field("way")));
        }
        self.named(Self::operation_of(request.way), self.invoice(request).await)
    }
}

#[async_trait]
impl QueryProvider for GolomtInstore {
    async fn query(&self, payment: &PaymentRef) -> Result<Payment> {
        self.transaction(payment).await.map(|transaction| transaction.payment)
    }
}
