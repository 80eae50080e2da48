//! The provider: how it calls, and which abilities it has.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use tulbur_core::wire::below;
use tulbur_core::{
    AccountName, BuildEnv, CancelProvider, Effect, Error, ErrorKind, ExposeSecret, HttpRequest, HttpResponse,
    HttpTransport, InvoiceProvider, IpnProvider, Method, Monotonic, PaymentRef, Provider, ProviderFactory,
    ProviderInfo, QrProvider, QueryProvider, RefundProvider, Result, Session, register_provider,
};

use crate::ID;
use crate::config::QPayConfig;
use crate::info;
use crate::login::Credentials;
use crate::status;

/// One account at QPay.
///
/// All its calls share one login. `Debug` shows account and host.
pub struct QPay {
    pub(crate) info: ProviderInfo,
    pub(crate) config: QPayConfig,
    session: Session<Credentials>,
    transport: Arc<dyn HttpTransport>,
}

impl fmt::Debug for QPay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QPay")
            .field("account", &self.info.account)
            .field("host", &self.config.base_url.host_str())
            .finish_non_exhaustive()
    }
}

/// Builds [`QPay`] from settings; registered under [`ID`].
#[derive(Debug, Clone, Copy)]
pub struct QPayFactory;

impl ProviderFactory for QPayFactory {
    const ID: &'static str = ID;
    type Config = QPayConfig;

    fn describe() -> ProviderInfo {
        info::describe(AccountName::parse(ID).expect("the constant is a name"))
    }

    fn build(account: &AccountName, config: Self::Config, env: &BuildEnv) -> Result<Arc<dyn Provider>> {
        Ok(Arc::new(QPay::new(account.clone(), config, env.clone())?))
    }
}

register_provider!(QPayFactory);

/// What an operation is, whatever it sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation<'a> {
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    /// The path below `/v2`; each part is encoded.
    pub(crate) path: &'a [&'a str],
    /// The moment before which its request must be on its way.
    pub(crate) send_by: Option<Monotonic>,
}

impl<'a> Operation<'a> {
    pub(crate) fn new(name: &'static str, method: Method, path: &'a [&'a str]) -> Self {
        Self { name, method, path, send_by: None }
    }

    pub(crate) fn send_by(mut self, moment: Option<Monotonic>) -> Self {
        self.send_by = moment;
        self
    }
}

/// A body that is serialised once.
pub(crate) fn body(content: &(impl Serialize + Sync)) -> Result<Vec<u8>> {
    serde_json::to_vec(content)
        .map_err(|e| Error::new(ErrorKind::InvalidRequest, "it cannot be written as JSON").with_source(e))
}

impl QPay {
    /// An account with these settings. Nothing is sent; the first call logs in.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`], naming the setting.
    pub fn new(account: AccountName, config: QPayConfig, env: BuildEnv) -> Result<Self> {
        let info = info::describe(account);
        config.check().map_err(|error| error.at(&info.id, &info.account, "configuration"))?;
        let (clock, transport) = (Arc::clone(&env.clock), Arc::clone(&env.transport));
        let session = Session::new(Credentials::new(&config, env), clock);
        Ok(Self { info, config, session, transport })
    }

    /// Names this account and operation in an error.
    pub(crate) fn named<T>(&self, operation: &'static str, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.at(&self.info.id, &self.info.account, operation))
    }

    /// Sends one request under the account's login and reads a good answer; every other answer is an error.
    ///
    /// After a 401 the login is renewed once and the request is made once more: a 401 says that nothing was done
    /// (inferred). Whatever else fails after a write leaves open what happened, and is never repeated.
    pub(crate) async fn call<R>(
        &self,
        operation: Operation<'_>,
        effect: Effect,
        content: Option<Vec<u8>>,
        read: impl FnOnce(&[u8]) -> Result<R> + Send,
    ) -> Result<R> {
        let response = self.send(operation, effect, content).await?;
        read(&response.body).map_err(|error| error.in_answer(effect, &response))
    }

    async fn send(
        &self,
        operation: Operation<'_>,
        effect: Effect,
        content: Option<Vec<u8>>,
    ) -> Result<HttpResponse> {
        let path: Vec<&str> = ["v2"].into_iter().chain(operation.path.iter().copied()).collect();
        let request =
            HttpRequest::new(operation.name, effect, operation.method, below(&self.config.base_url, &path))
                .send_by(operation.send_by)
                .with_header("accept", "application/json");
        let request = match content {
            Some(content) => request.with_body("application/json", content),
            None => request,
        };
        let (username, password) = (&self.config.username, &self.config.password);
        let request = &request;
        self.session
            .call(move |token| async move {
                let request = request.clone().with_header("authorization", token.header());
                let sent = self.transport.send(request).await;
                let response = sent.map_err(|error| Error::from_transport(error, effect))?;
                let hidden = [token.secret(), username.expose_secret(), password.expose_secret()];
                status::check(&response, effect, &hidden)?;
                Ok(response)
            })
            .await
    }

    /// QPay's id of an invoice, by which alone it is found. It names one part of a path or a body, and no more.
    pub(crate) fn invoice_id(payment: &PaymentRef) -> Result<&str> {
        let id = payment.provider_ref.as_ref().ok_or_else(|| {
            let why = "it is not known, because the answer that names it was lost; QPay finds an invoice by \
                       nothing else, and nobody has seen its QR, so make a new one";
            Error::new(ErrorKind::Unsupported, why).with_field("provider_ref")
        })?;
        if is_id(id.as_str()) {
            Ok(id.as_str())
        } else {
            Err(Error::invalid("provider_ref", "it is no id of QPay's"))
        }
    }
}

/// Whether a text can be an id of QPay's: a UUID, or digits (OAS, TPA). A check takes 50 characters (`object_id`).
pub(crate) fn is_id(text: &str) -> bool {
    (1..=50).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

impl Provider for QPay {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn invoices(&self) -> Option<&dyn InvoiceProvider> {
        Some(self)
    }

    fn qr(&self) -> Option<&dyn QrProvider> {
        Some(self)
    }

    fn queries(&self) -> Option<&dyn QueryProvider> {
        Some(self)
    }

    fn cancels(&self) -> Option<&dyn CancelProvider> {
        Some(self)
    }

    fn refunds(&self) -> Option<&dyn RefundProvider> {
        Some(self)
    }

    fn ipn(&self) -> Option<&dyn IpnProvider> {
        Some(self)
    }
}
