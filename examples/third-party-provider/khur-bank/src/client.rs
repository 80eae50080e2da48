//! The provider: what it sends for each ability, and what it makes of the answers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tulbur_core::wire::{below, read};
use tulbur_core::{
    AccountKeys, AccountName, AmountFormat, BuildEnv, CreateInvoice, Effect, Error, ErrorKind, HttpRequest,
    Invoice, InvoiceProvider, IpnProvider, Money, Monotonic, NextAction, PageKind, Payment, PaymentRef,
    Provider, ProviderFactory, ProviderInfo, ProviderRef, QueryProvider, Redirect, Refund, RefundProvider,
    RefundRequest, RefundStatus, Result, ReturnUrls, Scheme, async_trait, register_provider,
};

use crate::config::KhurBankConfig;
use crate::info::{self, FLOW_PAGE};
use crate::sign::{self, CURRENCY};
use crate::status;
use crate::wire::{Answer, InquiryAnswer, InvoiceAnswer, RefundAnswer};

const AMOUNT: AmountFormat = AmountFormat::Fixed(2);
/// The longest description (BANK.md, section 1).
const DESCRIPTION: usize = 100;

/// One account at Khur Bank. `Debug` shows its name and nothing else.
pub struct KhurBank {
    info: ProviderInfo,
    config: KhurBankConfig,
    pub(crate) keys: AccountKeys,
    env: BuildEnv,
}

impl fmt::Debug for KhurBank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KhurBank").field("account", &self.info.account).finish_non_exhaustive()
    }
}

// ANCHOR: factory
impl ProviderFactory for KhurBank {
    const ID: &'static str = crate::ID;
    type Config = KhurBankConfig;

    fn describe() -> ProviderInfo {
        info::describe(AccountName::parse(crate::ID).expect("the constant is a name"))
    }

    fn build(account: &AccountName, config: KhurBankConfig, env: &BuildEnv) -> Result<Arc<dyn Provider>> {
        Ok(Arc::new(Self::new(account.clone(), config, env.clone())?))
    }
}

register_provider!(KhurBank);
// ANCHOR_END: factory

impl KhurBank {
    /// An account with these settings.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`], naming the setting.
    pub fn new(account: AccountName, config: KhurBankConfig, env: BuildEnv) -> Result<Self> {
        let info = info::describe(account);
        let keys = config
            .check()
            .and_then(|()| env.keys(Scheme::HmacSha256, config.secrets(), &info.ref_rule))
            .map_err(|error| error.at(&info.id, &info.account, "configuration"))?
            .in_field("checksum");
        Ok(Self { info, config, keys, env })
    }

    /// Names this account and operation in an error.
    pub(crate) fn named<T>(&self, operation: &'static str, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.at(&self.info.id, &self.info.account, operation))
    }

    // ANCHOR: call
    /// Sends a call, and gives its answer if that is signed and about the payment that was meant.
    ///
    /// `signed` are the values that its checksum covers, after the merchant; the reference is the first. `send_by` is
    /// what the caller's write request says.
    async fn call<A: Answer>(
        &self,
        (operation, effect, path): (&'static str, Effect, &str),
        signed: &[(&str, &str)],
        others: &[(&str, &str)],
        send_by: Option<Monotonic>,
    ) -> Result<A> {
        let merchant = ("merchant", self.config.merchant.as_str());
        let values: Vec<&str> = std::iter::once(&merchant).chain(signed).map(|(_, value)| *value).collect();
        let checksum = sign::sign(&self.keys, &values);
        let mut call: BTreeMap<&str, &str> = signed.iter().chain(others).copied().collect();
        call.extend([merchant, ("checksum", &checksum)]);
        let body = serde_json::to_vec(&call).expect("a map of texts is JSON");

        let request =
            HttpRequest::post_json(operation, effect, below(&self.config.base_url, &["v1", path]), body)
                .send_by(send_by);
        let sent = self.env.transport.send(request).await;
        let response = sent.map_err(|error| Error::from_transport(error, effect))?;
        if response.status != 200 {
            return Err(status::of_refusal(&response, effect));
        }
        let answer: A = read(&response.body).map_err(|error| error.in_answer(effect, &response))?;
        sign::check(&self.keys, &answer.values(), answer.checksum())
            .map_err(|error| error.with_outcome(effect.outcome_when_lost()))?;
        if answer.values()[0] != signed[0].1 {
            let why = "the answer is about another payment than the one asked about";
            return Err(Error::new(ErrorKind::Untrusted, why).with_outcome(effect.outcome_when_lost()));
        }
        Ok(answer)
    }
    // ANCHOR_END: call

    async fn invoice(&self, request: &CreateInvoice) -> Result<Invoice> {
        request.check(self)?;
        if request.notify_url.is_some() {
            let why = "the bank has one address per account; register it there and leave this out";
            return Err(Error::new(ErrorKind::Unsupported, why).with_field("notify_url"));
        }
        let return_url = request.return_urls.as_ref().and_then(ReturnUrls::as_one).ok_or_else(|| {
            Error::invalid("return_urls", "the bank wants one address for all three; use ReturnUrls::one")
        })?;
        let reference = ("reference", request.merchant_ref.as_str());
        let amount = AMOUNT.render(request.amount)?;
        let description: String = request.description.chars().take(DESCRIPTION).collect();
        let dies = self.env.clock.now().after(info::PAGE);
        let answer: InvoiceAnswer = self
            .call(
                (info::INVOICE, Effect::Write, "invoices"),
                &[reference, ("amount", amount.as_str()), ("return_url", return_url.as_str())],
                &[("description", &description)],
                request.send_by,
            )
            .await?;
        let payment = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), FLOW_PAGE);
        let page = Redirect {
            url: below(&self.config.base_url, &["pay", request.language.code(), &answer.invoice]),
            page: PageKind::Card,
            language: Some(request.language),
        };
        let number = ProviderRef::parse(answer.invoice)
            .map_err(|e| Error::from(e).with_outcome(Effect::Write.outcome_when_lost()))?;
        let mut invoice = Invoice::new(payment.with_provider_ref(number), vec![NextAction::Redirect(page)]);
        invoice.expires_at = Some(dies);
        Ok(invoice)
    }

    async fn ask(&self, payment: &PaymentRef) -> Result<Payment> {
        check_flow(payment)?;
        let reference = ("reference", payment.merchant_ref.as_str());
        let answer: InquiryAnswer =
            self.call((info::QUERY, Effect::Read, "inquiry"), &[reference], &[], None).await?;
        let mut found = Payment::new(payment.clone(), status::of_result(&answer.result));
        found.amount = Some(amount(&answer.amount, Effect::Read)?);
        found.refunded = Some(amount(&answer.refunded, Effect::Read)?).filter(|money| money.is_positive());
        found.code = Some(answer.result.into());
        Ok(found)
    }

    async fn give_back(&self, request: &RefundRequest) -> Result<Refund> {
        check_flow(&request.payment)?;
        tulbur_core::check_amount(request.amount, &self.info)?;
        let reference = ("reference", request.payment.merchant_ref.as_str());
        let (sum, refund) = (AMOUNT.render(request.amount)?, request.operation_ref.as_str());
        let answer: RefundAnswer = self
            .call(
                (info::REFUND, Effect::Write, "refunds"),
                &[reference, ("amount", sum.as_str()), ("refund", refund)],
                &[("reason", &request.reason)],
                request.send_by,
            )
            .await?;
        if answer.result != "DONE" || answer.refund != refund {
            let why = "the answer does not say that this refund is done";
            let error = Error::new(ErrorKind::Malformed, why).with_answer(Some(&answer.result), None);
            return Err(error.with_outcome(Effect::Write.outcome_when_lost()));
        }
        Ok(Refund::new(amount(&answer.amount, Effect::Write)?, RefundStatus::Succeeded))
    }
}

fn amount(text: &str, effect: Effect) -> Result<Money> {
    Money::parse(text, CURRENCY).map_err(|e| {
        let error = Error::new(ErrorKind::Malformed, e.to_string()).with_field("amount");
        error.with_outcome(effect.outcome_when_lost())
    })
}

fn check_flow(payment: &PaymentRef) -> Result<()> {
    if payment.flow == FLOW_PAGE {
        return Ok(());
    }
    let why = format!("`{}` is no flow of this provider", payment.flow);
    Err(Error::new(ErrorKind::Unsupported, why).with_field("flow"))
}

// ANCHOR: provider
impl Provider for KhurBank {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }
    fn invoices(&self) -> Option<&dyn InvoiceProvider> {
        Some(self)
    }
    fn queries(&self) -> Option<&dyn QueryProvider> {
        Some(self)
    }
    fn refunds(&self) -> Option<&dyn RefundProvider> {
        Some(self)
    }
    fn ipn(&self) -> Option<&dyn IpnProvider> {
        Some(self)
    }
}
// ANCHOR_END: provider

#[async_trait]
impl InvoiceProvider for KhurBank {
    async fn create_invoice(&self, request: &CreateInvoice) -> Result<Invoice> {
        self.named(info::INVOICE, self.invoice(request).await)
    }
}

#[async_trait]
impl QueryProvider for KhurBank {
    async fn query(&self, payment: &PaymentRef) -> Result<Payment> {
        self.named(info::QUERY, self.ask(payment).await)
    }
}

#[async_trait]
impl RefundProvider for KhurBank {
    async fn refund(&self, request: &RefundRequest) -> Result<Refund> {
        self.named(info::REFUND, self.give_back(request).await)
    }
}
