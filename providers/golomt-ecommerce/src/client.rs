//! The provider: what it sends for each ability, and what it makes of the answers.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use tulbur_core::wire::below;
use tulbur_core::{Ability, FreeText, HttpResponse, Url};
use tulbur_core::{
    AccountKeys, AccountName, AmountFormat, BuildEnv, CallbackUrl, CardToken, ChargeProvider, CreateInvoice,
    Effect, Error, ErrorKind, ExposeSecret, HttpRequest, Invoice, InvoiceProvider, IpnProvider, Monotonic,
    Payment, PaymentRef, PaymentStatus, Provider, ProviderFactory, ProviderInfo, QueryProvider, Result,
    SavedCard, Scheme, SecretString, TokenizeProvider, Way, async_trait, read_options, register_provider,
};

use crate::ID;
use crate::config::{GenToken, GolomtEcommerceConfig};
use crate::info::{self, FLOW_CARD_SETUP, FLOW_CHARGE, FLOW_PAGE};
use crate::options::GolomtEcommerceOptions;
use crate::wire::{InvoiceAnswer, InvoiceRequest, Question, ResultDocument};
use crate::{pages, sign, status};

/// Two decimals: what most live clients hash and send.
pub(crate) const AMOUNT: AmountFormat = AmountFormat::Fixed(2);

/// One account at Golomt Bank's E-Commerce service.
///
/// `Debug` shows account and host.
pub struct GolomtEcommerce {
    pub(crate) info: ProviderInfo,
    pub(crate) config: GolomtEcommerceConfig,
    pub(crate) keys: AccountKeys,
    authorization: SecretString,
    env: BuildEnv,
}

impl fmt::Debug for GolomtEcommerce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GolomtEcommerce")
            .field("account", &self.info.account)
            .field("host", &self.config.base_url.host_str())
            .finish_non_exhaustive()
    }
}

/// Builds [`GolomtEcommerce`] from settings; registered under [`ID`].
#[derive(Debug, Clone, Copy)]
pub struct GolomtEcommerceFactory;

impl ProviderFactory for GolomtEcommerceFactory {
    const ID: &'static str = ID;
    type Config = GolomtEcommerceConfig;

    fn describe() -> ProviderInfo {
        let account = AccountName::parse(ID).expect("the constant is a name");
        info::describe(account, &GolomtEcommerceConfig::new("-".into(), "-".into()))
    }

    fn build(account: &AccountName, config: Self::Config, env: &BuildEnv) -> Result<Arc<dyn Provider>> {
        Ok(Arc::new(GolomtEcommerce::new(account.clone(), config, env.clone())?))
    }
}

register_provider!(GolomtEcommerceFactory);

impl GolomtEcommerce {
    /// An account with these settings.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`], naming the setting.
    pub fn new(account: AccountName, config: GolomtEcommerceConfig, env: BuildEnv) -> Result<Self> {
        let info = info::describe(account, &config);
        let keys = config
            .check()
            .and_then(|()| env.keys(Scheme::HmacSha256, config.secrets(), &info.ref_rule))
            .map_err(|error| error.at(&info.id, &info.account, "configuration"))?
            .in_field("checksum");
        let authorization = format!("Bearer {}", config.token.expose_secret()).into();
        Ok(Self { info, config, keys, authorization, env })
    }

    /// Names this account and operation in an error.
    pub(crate) fn named<T>(&self, operation: &'static str, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.at(&self.info.id, &self.info.account, operation))
    }

    /// When a page opened now dies.
    pub(crate) fn page_dies(&self) -> tulbur_core::Timestamp {
        self.env.clock.now().after(self.config.page_lifetime())
    }

    /// An address of the bank's API.
    pub(crate) fn address(&self, path: &[&str]) -> Url {
        below(&self.config.base_url, path)
    }

    /// A request cannot say where its notifications go.
    pub(crate) fn refuse_notify_url(url: Option<&CallbackUrl>) -> Result<()> {
        let why = "the bank has one address per account; register it there and leave this out";
        url.map_or(Ok(()), |_| Err(Error::new(ErrorKind::Unsupported, why).with_field("notify_url")))
    }

    /// Sends a body that is serialised here, once, and gives the answer to a 200; every other status is an error.
    ///
    /// `card` is the card token in the body, if there is one, so that no error repeats it. `send_by` is what the
    /// caller's write request says.
    pub(crate) async fn call(
        &self,
        operation: &'static str,
        effect: Effect,
        url: Url,
        body: &(impl Serialize + Sync),
        card: Option<&CardToken>,
        send_by: Option<Monotonic>,
    ) -> Result<HttpResponse> {
        let body = serde_json::to_vec(body).map_err(|e| {
            Error::new(ErrorKind::InvalidRequest, "it cannot be written as JSON").with_source(e)
        })?;
        let request = HttpRequest::post_json(operation, effect, url, body)
            .send_by(send_by)
            .with_header("authorization", self.authorization.expose_secret());
        let response =
            self.env.transport.send(request).await.map_err(|error| Error::from_transport(error, effect))?;
        if response.status == 200 {
            return Ok(response);
        }
        let config = &self.config;
        let hidden = [&config.token, &config.secret]
            .into_iter()
            .chain(&config.verification_secrets)
            .map(ExposeSecret::expose_secret)
            .chain(card.map(CardToken::expose));
        Err(status::of_http(&response, effect, hidden))
    }

    /// Reads an answer, and checks what of it is wrong for this effect: after a write nothing is certain.
    pub(crate) fn read_answer<'a, T>(
        effect: Effect,
        response: &'a HttpResponse,
        read: impl FnOnce(&'a [u8]) -> Result<T>,
    ) -> Result<T> {
        read(&response.body).map_err(|error| error.in_answer(effect, response))
    }

    /// Checks that an answer is about the transaction that was asked about.
    pub(crate) fn check_transaction(asked: &str, answered: &str) -> Result<()> {
        if asked == answered {
            return Ok(());
        }
        let why = "the answer is about another payment than the one asked about";
        Err(Error::new(ErrorKind::Untrusted, why).with_field("transactionId"))
    }

    /// Reads an answer about one payment: whose it is, whether its checksum is right, and what it says.
    pub(crate) fn read_payment(&self, body: &[u8], asked: &PaymentRef, with_token: bool) -> Result<Payment> {
        let answer = ResultDocument::read(body)?;
        Self::check_transaction(asked.merchant_ref.as_str(), &answer.transaction)?;
        let mut message = answer.message();
        if !with_token {
            message.token = None;
        }
        sign::RESULT.check(&self.keys, message.values(), answer.checksum.as_deref())?;
        let values = message.read()?;
        let mut payment = Payment::new(asked.clone(), values.status);
        payment.amount = values.amount;
        payment.code = message.code.map(FreeText::from);
        // Only a payment on the page can have saved its card; a charge's answer names the card that was charged.
        if asked.flow == FLOW_PAGE && values.status == PaymentStatus::Paid {
            payment.saved_card = values.token.map(|token| SavedCard::new(token, answer.card.clone()));
        }
        payment.text = answer.text;
        payment.card = answer.card;
        Ok(payment)
    }

    async fn invoice(&self, request: &CreateInvoice) -> Result<Invoice> {
        request.check(self)?;
        Self::refuse_notify_url(request.notify_url.as_ref())?;
        let options: GolomtEcommerceOptions = read_options(request.options.as_ref())?;
        let callback = pages::callback(request.return_urls.as_ref(), options.return_type)?.as_str();
        let amount = AMOUNT.render(request.amount)?;
        let return_type = options.return_type.as_str();
        let transaction = request.merchant_ref.as_str();
        let to_app = request.way == Way::App;
        let body = InvoiceRequest {
            checksum: &self.keys.sign(&sign::invoice_request(
                transaction,
                amount.as_str(),
                return_type,
                callback,
            )),
            amount: &amount,
            callback,
            gen_token: (request.save_card || self.config.gen_token == GenToken::Always).into(),
            return_type,
            transaction_id: transaction,
            social_deeplink: (options.social_deeplink || to_app).into(),
            email: options.email.as_deref(),
        };
        let dies = self.page_dies();
        let address = self.address(&["api", "invoice"]);
        let response =
            self.call(info::CREATE_INVOICE, Effect::Write, address, &body, None, request.send_by).await?;
        Self::read_answer(Effect::Write, &response, |body| {
            let answer = InvoiceAnswer::read(body)?;
            Self::check_transaction(transaction, &answer.transaction)?;
            self.keys
                .check(&sign::invoice_answer(&answer.invoice, transaction), answer.checksum.as_deref())?;
            let invoice = pages::invoice_ref(&answer.invoice)?;
            let next = pages::payment(
                &self.config.base_url,
                &invoice,
                request.language,
                options.page.unwrap_or(self.config.page),
                answer.deeplink.as_deref(),
                to_app,
            );
            let payment = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), FLOW_PAGE)
                .with_provider_ref(invoice);
            let mut invoice = Invoice::new(payment, next);
            invoice.expires_at = Some(dies);
            Ok(invoice)
        })
    }

    async fn ask(&self, operation: &'static str, path: &[&str], payment: &PaymentRef) -> Result<Payment> {
        let response = self.question(operation, path, payment).await?;
        Self::read_answer(Effect::Read, &response, |body| self.read_payment(body, payment, true))
    }

    /// Sends one of the questions that name nothing but a transaction.
    pub(crate) async fn question(
        &self,
        operation: &'static str,
        path: &[&str],
        payment: &PaymentRef,
    ) -> Result<HttpResponse> {
        let transaction = payment.merchant_ref.as_str();
        let body =
            Question { checksum: &self.keys.sign(&sign::question(transaction)), transaction_id: transaction };
        self.call(operation, Effect::Read, self.address(path), &body, None, None).await
    }
}

impl Provider for GolomtEcommerce {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn invoices(&self) -> Option<&dyn InvoiceProvider> {
        self.offered(Ability::Invoice).then_some(self)
    }

    fn queries(&self) -> Option<&dyn QueryProvider> {
        self.offered(Ability::Query).then_some(self)
    }

    fn tokenize(&self) -> Option<&dyn TokenizeProvider> {
        self.offered(Ability::Tokenize).then_some(self)
    }

    fn charges(&self) -> Option<&dyn ChargeProvider> {
        self.offered(Ability::Charge).then_some(self)
    }

    fn ipn(&self) -> Option<&dyn IpnProvider> {
        self.offered(Ability::Ipn).then_some(self)
    }
}

impl GolomtEcommerce {
    /// Whether every operation of an ability is known well enough for this account.
    fn offered(&self, ability: Ability) -> bool {
        let mut operations = self.info.operations.iter().filter(|operation| operation.ability == ability);
        operations.all(|operation| self.config.accept.allows(operation.evidence))
    }
}

#[async_trait]
impl InvoiceProvider for GolomtEcommerce {
    async fn create_invoice(&self, request: &CreateInvoice) -> Result<Invoice> {
        self.named(info::CREATE_INVOICE, self.invoice(request).await)
    }
}

#[async_trait]
impl QueryProvider for GolomtEcommerce {
    async fn query(&self, payment: &PaymentRef) -> Result<Payment> {
        if payment.flow == FLOW_PAGE {
            self.named(info::QUERY_PAGE, self.ask(info::QUERY_PAGE, &["api", "inquiry"], payment).await)
        } else if payment.flow == FLOW_CHARGE {
            self.named(info::QUERY_CHARGE, self.ask(info::QUERY_CHARGE, &["api", "check"], payment).await)
        } else {
            let why = if payment.flow == FLOW_CARD_SETUP {
                "a card set-up is no payment; read it with read_card_setup".to_owned()
            } else {
                format!("`{}` is no flow of this provider", payment.flow)
            };
            self.named(info::QUERY_PAGE, Err(Error::new(ErrorKind::Unsupported, why).with_field("flow")))
        }
    }
}
