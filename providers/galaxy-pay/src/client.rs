//! The provider: how it calls, and which abilities it has.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use tulbur_core::wire::{below, filled, needed, read};
use tulbur_core::{
    AccountKeys, AccountName, BuildEnv, Bytes, CaptureProvider, ChargeProvider, ChargeRequest, CreateInvoice,
    Error, ErrorKind, ExposeSecret, FlowInfo, FreeText, HttpRequest, HttpResponse, InvoiceProvider,
    IpnProvider, Monotonic, Provider, ProviderFactory, ProviderInfo, QrProvider, QueryProvider,
    RefundProvider, Result, Scheme, Timestamp, TokenVaultProvider, Url, VoidProvider, register_provider,
};
use zeroize::Zeroizing;

use crate::ID;
use crate::config::{GalaxyPayConfig, ResponseSignature};
use crate::info;
use crate::status::{self, Call, SUCCESS, UNAUTHORIZED};
use crate::wire::{Envelope, Number, Request, number};

/// Clocks in Vietnam are seven hours ahead of UTC (NODE, HPI); the documents name no zone.
const HOURS_EAST: i8 = 7;

/// One account at Galaxy Pay.
///
/// `Debug` shows account and host.
pub struct GalaxyPay {
    pub(crate) info: ProviderInfo,
    pub(crate) config: GalaxyPayConfig,
    pub(crate) keys: AccountKeys,
    env: BuildEnv,
    fitted: AtomicU64,
    not_fitted: AtomicU64,
}

impl fmt::Debug for GalaxyPay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GalaxyPay")
            .field("account", &self.info.account)
            .field("host", &self.config.base_url.host_str())
            .finish_non_exhaustive()
    }
}

/// Builds [`GalaxyPay`] from settings; registered under [`ID`].
#[derive(Debug, Clone, Copy)]
pub struct GalaxyPayFactory;

impl ProviderFactory for GalaxyPayFactory {
    const ID: &'static str = ID;
    type Config = GalaxyPayConfig;

    fn describe() -> ProviderInfo {
        let account = AccountName::parse(ID).expect("the constant is a name");
        info::describe(account, &GalaxyPayConfig::new("-".into(), "-".into()))
    }

    fn build(account: &AccountName, config: Self::Config, env: &BuildEnv) -> Result<Arc<dyn Provider>> {
        Ok(Arc::new(GalaxyPay::new(account.clone(), config, env.clone())?))
    }
}

register_provider!(GalaxyPayFactory);

/// What a request's id tells of it, because a callback names the id of the request that it is about (G 2.6.1) and
/// nothing else that says whether money was taken or only held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A payment whose money is taken at once, or a question.
    Plain,
    /// A payment whose money is held.
    Held,
    /// A refund, a capture, a void: a success of it is not a payment's.
    Change,
}

impl Mark {
    fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Held => "h",
            Self::Change => "c",
        }
    }

    /// The mark of a request's id, if that is one of ours: 32 hexadecimal characters and the mark.
    pub(crate) fn of(request_id: Option<&str>) -> Option<Self> {
        let (id, suffix) = request_id?.split_at_checked(32)?;
        let ours = id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        [Self::Plain, Self::Held, Self::Change].into_iter().find(|mark| ours && mark.suffix() == suffix)
    }
}

/// What an operation is, whatever it sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) call: Call,
    pub(crate) mark: Mark,
    /// The moment before which its request must be on its way.
    pub(crate) send_by: Option<Monotonic>,
}

impl Operation {
    pub(crate) const fn new(name: &'static str, path: &'static str, call: Call) -> Self {
        Self { name, path, call, mark: Mark::Plain, send_by: None }
    }

    pub(crate) const fn marked(mut self, mark: Mark) -> Self {
        self.mark = mark;
        self
    }

    pub(crate) const fn send_by(mut self, moment: Option<Monotonic>) -> Self {
        self.send_by = moment;
        self
    }
}

impl GalaxyPay {
    /// An account with these settings.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`], naming the setting.
    pub fn new(account: AccountName, config: GalaxyPayConfig, env: BuildEnv) -> Result<Self> {
        let info = info::describe(account, &config);
        let keys = config
            .check()
            .and_then(|()| env.keys(Scheme::SaltedSha256, config.salts(), &info.ref_rule))
            .map_err(|error| error.at(&info.id, &info.account, "configuration"))?;
        let (fitted, not_fitted) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self { info, config, keys, env, fitted, not_fitted })
    }

    /// How many answers had a signature that fits the assumed formula, and how many had one that does not.
    ///
    /// Many of the first and none of the second is the sign that the account can be set to
    /// [`ResponseSignature::Strict`].
    pub fn response_signatures(&self) -> (u64, u64) {
        (self.fitted.load(Ordering::Relaxed), self.not_fitted.load(Ordering::Relaxed))
    }

    /// Names this account and operation in an error.
    pub(crate) fn named<T>(&self, operation: &'static str, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.at(&self.info.id, &self.info.account, operation))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.env.clock.now()
    }

    /// The time as the gateway writes it.
    pub(crate) fn date(&self) -> Result<Number> {
        number(self.now().format_at(HOURS_EAST, "%Y%m%d%H%M%S"))
    }

    /// Sends one request, serialised here once, and reads what `responseCode` 200 brings.
    ///
    /// Every other code is an error. So is an answer that `read_data` refuses, and after a write its outcome is unknown.
    /// `hidden` is what the request holds of secrets, so that no error repeats them.
    pub(crate) async fn call<R>(
        &self,
        operation: Operation,
        data: &(impl Serialize + Sync),
        hidden: &[&str],
        read_data: impl FnOnce(&[u8]) -> Result<R> + Send,
    ) -> Result<R> {
        let effect = operation.call.effect();
        let id = self.env.ids.uuid_v7() + operation.mark.suffix();
        let now = self.date()?;
        let request = Request { request_id: &id, request_date_time: &now, request_data: data };
        // Large enough for what is usual: a buffer that grows leaves copies behind that nobody wipes.
        let mut body = Zeroizing::new(Vec::with_capacity(8 * 1024));
        serde_json::to_writer(&mut *body, &request).map_err(|e| {
            Error::new(ErrorKind::InvalidRequest, "it cannot be written as JSON").with_source(e)
        })?;
        let signature = self.keys.sign(&[&body]);
        let request = HttpRequest::post_json(
            operation.name,
            effect,
            self.address(operation.path),
            Bytes::from_owner(body),
        )
        .send_by(operation.send_by)
        .with_header("accept", "application/json")
        .with_header("apikey", self.config.api_key.expose_secret())
        .with_header("signature", signature);
        let response =
            self.env.transport.send(request).await.map_err(|error| Error::from_transport(error, effect))?;
        let parsed = read::<Envelope<'_>>(&response.body);
        let envelope = match parsed {
            Ok(envelope) if filled(&envelope.response_code).is_some() => envelope,
            Ok(_) => {
                let why = Error::new(ErrorKind::Malformed, "responseCode is missing");
                return Err(status::without_envelope(operation.call, &response, why));
            }
            Err(why) => return Err(status::without_envelope(operation.call, &response, why)),
        };
        let code = needed("responseCode", &envelope.response_code)?;
        self.check_signature(operation, &response, code)?;
        let lost = effect.outcome_when_lost();
        if filled(&envelope.request_id).is_some_and(|answered| answered != id) {
            let why = "the answer is about another request than this one";
            return Err(Error::new(ErrorKind::Untrusted, why).with_field("requestID").with_outcome(lost));
        }
        if code != SUCCESS {
            let text = filled(&envelope.response_message).map(|text| self.hide(text, hidden));
            let code = self.hide(code, hidden);
            return Err(status::refusal(operation.call, &code, text.as_deref()));
        }
        if !(200..300).contains(&response.status) {
            let why = format!("HTTP {} and responseCode 200 contradict each other", response.status);
            return Err(Error::new(ErrorKind::Malformed, why).with_outcome(lost));
        }
        let data = envelope.response_data.map_or("null", |raw| raw.get());
        read_data(data.as_bytes()).map_err(|error| error.with_outcome(lost))
    }

    /// An address of the gateway's API. Its routes are written in camel case.
    fn address(&self, path: &str) -> Url {
        let path: Vec<&str> = ["api", "v1"].into_iter().chain(path.split('/')).collect();
        below(&self.config.base_url, &path)
    }

    /// The gateway's words without these secrets and this account's own, should it ever repeat them.
    fn hide(&self, text: &str, hidden: &[&str]) -> FreeText {
        let config = &self.config;
        let own = std::iter::once(&config.api_key).chain(config.salts());
        FreeText::without(text, own.map(ExposeSecret::expose_secret).chain(hidden.iter().copied()))
    }

    fn check_signature(&self, operation: Operation, response: &HttpResponse, code: &str) -> Result<()> {
        let strict = match self.config.response_signature {
            ResponseSignature::Off => return Ok(()),
            ResponseSignature::Lenient => false,
            ResponseSignature::Strict => true,
        };
        let received = response.header("signature");
        if received.is_none() && !strict {
            return Ok(());
        }
        match self.keys.check(&[&response.body], received) {
            Ok(()) => {
                self.fitted.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                self.not_fitted.fetch_add(1, Ordering::Relaxed);
                // Who is told that the salt is not the right one cannot check by it who says so.
                if strict && code != UNAUTHORIZED {
                    return Err(error.with_outcome(operation.call.effect().outcome_when_lost()));
                }
                tracing::warn!(
                    account = self.info.account.as_str(),
                    operation = operation.name,
                    "the signature of an answer does not fit the formula that is assumed for it; the answer is used"
                );
                Ok(())
            }
        }
    }
}

impl Provider for GalaxyPay {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn flow_of_invoice(&self, request: &CreateInvoice) -> Option<&FlowInfo> {
        self.info.flow(&Self::flow_of(request).ok()?)
    }

    fn flow_of_charge(&self, request: &ChargeRequest) -> Option<&FlowInfo> {
        self.info.flow(&Self::charge_flow(request).ok()?)
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

    fn captures(&self) -> Option<&dyn CaptureProvider> {
        self.config.accepts_inferred().then_some(self)
    }

    fn voids(&self) -> Option<&dyn VoidProvider> {
        self.config.accepts_inferred().then_some(self)
    }

    fn refunds(&self) -> Option<&dyn RefundProvider> {
        Some(self)
    }

    fn charges(&self) -> Option<&dyn ChargeProvider> {
        Some(self)
    }

    fn vault(&self) -> Option<&dyn TokenVaultProvider> {
        Some(self)
    }

    fn ipn(&self) -> Option<&dyn IpnProvider> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_tells_what_it_was_for() {
        let id = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b";
        for mark in [Mark::Plain, Mark::Held, Mark::Change] {
            assert_eq!(Mark::of(Some(&format!("{id}{}", mark.suffix()))), Some(mark));
        }
        for other in [
            None,
            Some(""),
            Some("14653fa1-2f69-4f4f-9d4b-240e1bebbdf3"),
            Some("0190A1B2C3D47E5F8A9B0C1D2E3F4A5B"),
            Some("0190a1b2c3d47e5f8a9b0c1d2e3f4a5bx"),
            Some("0190a1b2c3d47e5f8a9b0c1d2e3f4a5bhc"),
            Some("0190a1b2c3d47e5f8a9b0c1d2e3f4aёёё"),
        ] {
            assert_eq!(Mark::of(other), None, "{other:?}");
        }
    }
}
