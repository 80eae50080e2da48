//! The toy bank's provider, with a place for each flaw.

use std::fmt;
use std::sync::Mutex;

use serde::Deserialize;
use serde_json::json;
use tulbur_core::wire::Fields;
use tulbur_core::{
    Ability, AccountKeys, AccountName, Alphabet, BuildEnv, CancelProvider, CancelRequest, Capture,
    CaptureProvider, CaptureRequest, CardInfo, CardToken, Channel, Charge, ChargeProvider, ChargeRequest,
    CreateInvoice, Currency, Delivery, Effect, Error, ErrorKind, Evidence, ExposeSecret, FieldLength, Flow,
    FlowEffect, FlowInfo, FlowStart, HttpRequest, HttpResponse, Invoice, InvoiceProvider, IpnEvent,
    IpnOutcome, IpnProvider, Language, MerchantRef, MessageShape, Method, Money, Monotonic, NextAction,
    NotifyAddress, OperationInfo, Outcome, PageKind, Payment, PaymentRef, PaymentStatus, Poll, Proof,
    ProofBy, Provider, ProviderId, ProviderInfo, QrProvider, QueryBy, QueryProvider, Reading, Redirect,
    RefRule, Refund, RefundPart, RefundProvider, RefundRequest, RefundRule, RefundStatus, Reply, Result,
    SavedCard, Scheme, SecretString, SignedField, Subject, TokenVaultProvider, Url, VoidProvider,
    VoidRequest, Voucher, Way, async_trait,
};

const PAGE: Flow = Flow::new("page");
const QR: Flow = Flow::new("qr");
const CHARGE: Flow = Flow::new("charge");

/// What is wrong with the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    AcceptsAnyChecksum,
    ChecksumInAnyCase,
    KnowsNoOtherKey,
    Calls500ARefusal,
    CallsACutNoEffect,
    RepeatsAWrite,
    DeclaresAWriteAsARead,
    EchoesTheAmountAsked,
    PrintsItsKey,
    LogsItsKey,
    QuotesTheBank,
    ClaimsRefundsAndRefusesThem,
    TrustsTheBrowser,
    TakesNullForADecline,
    TakesEveryCodeForPaid,
    AnswersAnotherWord,
    AnswersSuccessWhenNotStored,
    SendsAnyReference,
    SendsAnyAmount,
    TakesAnAnswerAboutAnother,
    PanicsOnAStrangeAnswer,
    RefundsInPartsAgainstItsRule,
    MakesAQrThatDoesNotScan,
    CallsHeldMoneyPaid,
    IgnoresItsSendBy,
    WaitsForAConfirmationThatCannotCome,
    TakesEveryNotificationForTheLastInvoice,
    TakesTheLastOfTwoMembers,
    PrintsTheBanksWords,
    TakesAnUnsignedAnswer,
    NoneAndAnswersAreSigned,
}

pub(super) struct ToyBank {
    flaw: Flaw,
    base: Url,
    key: SecretString,
    keys: AccountKeys,
    info: ProviderInfo,
    env: BuildEnv,
    /// The reference of the invoice that was made last.
    last: Mutex<Option<MerchantRef>>,
}

impl fmt::Debug for ToyBank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ToyBank");
        if self.flaw == Flaw::PrintsItsKey {
            shown.field("key", &self.key.expose_secret());
        }
        shown.finish_non_exhaustive()
    }
}

/// An answer of the bank's about one payment, and a notification.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "ref")]
    reference: String,
    amount: Option<String>,
    code: Option<String>,
    token: Option<String>,
    sum: Option<String>,
}

fn malformed(why: &str) -> Error {
    Error::new(ErrorKind::Malformed, why)
}

fn info() -> Result<ProviderInfo> {
    let (id, account) = (ProviderId::parse("toy-bank")?, AccountName::parse("toy-bank")?);
    let rule = RefRule::new(Alphabet::Alphanumeric, 32..=32);
    let mut info = ProviderInfo::new(id, account, "Toy Bank", Currency::VND, rule);
    info.languages = vec![Language::Mn];
    info.ways = vec![Way::Page, Way::Qr];
    info.amounts =
        Some(Money::from_minor(100, Currency::VND)..=Money::from_minor(99_000_000_000, Currency::VND));
    info.refunds = Some(RefundRule { part: RefundPart::Any, repeated: true, window: None });
    info.notify = NotifyAddress::PerAccount;
    info.saves_card_with_payment = true;
    let named = [
        (Ability::Invoice, "create_invoice", "POST /invoice"),
        (Ability::Query, "query", "GET /payment"),
        (Ability::Charge, "charge", "POST /charge"),
        (Ability::Refund, "refund", "POST /refund"),
        (Ability::Qr, "create_invoice", "POST /invoice"),
        (Ability::Cancel, "cancel", "POST /cancel"),
        (Ability::Capture, "capture", "POST /capture"),
        (Ability::Void, "void", "POST /void"),
        (Ability::Vault, "delete_card", "POST /forget"),
        (Ability::Ipn, "notify", "POST"),
    ];
    info.operations = named
        .map(|(ability, name, wire)| OperationInfo::new(ability, name, wire, Evidence::Documented, "made up"))
        .to_vec();
    let second = std::time::Duration::from_secs(1);
    let flow = |flow, start, effect| {
        FlowInfo::new(flow, start, effect, QueryBy::MerchantRef)
            .proof(ProofBy::QueryOrSignedIpn)
            .poll(Poll { first: second, every: second })
    };
    info.flows = vec![
        flow(PAGE, FlowStart::Invoice(vec![Way::Page]), FlowEffect::Inert),
        flow(QR, FlowStart::Invoice(vec![Way::Qr]), FlowEffect::Inert),
        flow(CHARGE, FlowStart::Charge, FlowEffect::MovesMoney),
    ];
    Ok(info)
}

static NOTIFICATION: MessageShape<3> = MessageShape::joined([
    SignedField::reference("reference", FieldLength::OfReferences),
    SignedField::result("result", FieldLength::Exactly(3)),
    SignedField::amount("amount", FieldLength::UpTo(12)),
]);

impl ToyBank {
    pub(super) fn new(flaw: Flaw, base: Url, key: &str, env: BuildEnv) -> Result<Self> {
        let key = SecretString::from(key);
        let mut info = info()?;
        let keys = env.keys(Scheme::HmacSha256, [&key], &info.ref_rule)?;
        if flaw == Flaw::RefundsInPartsAgainstItsRule {
            info.refunds = Some(RefundRule { part: RefundPart::Whole, repeated: false, window: None });
        }
        if flaw == Flaw::WaitsForAConfirmationThatCannotCome {
            let start = FlowStart::Invoice(vec![Way::Qr]);
            info.flows.retain(|flow| flow.flow != QR);
            info.flows.push(
                FlowInfo::new(QR, start, FlowEffect::Inert, QueryBy::Nothing).confirm_before_paid(true),
            );
        }
        Ok(Self { flaw, base, key, keys, info, env, last: Mutex::default() })
    }

    fn last(&self) -> Option<MerchantRef> {
        self.last.lock().expect("nobody panics with it").clone()
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn status(&self, code: Option<&str>) -> PaymentStatus {
        match code {
            None if self.has(Flaw::TakesNullForADecline) => PaymentStatus::Declined,
            Some("000") => PaymentStatus::Paid,
            Some("100") if self.has(Flaw::CallsHeldMoneyPaid) => PaymentStatus::Paid,
            Some("100") => PaymentStatus::Authorized,
            Some("179") => PaymentStatus::Declined,
            Some("801") => PaymentStatus::Canceled,
            Some("802") => PaymentStatus::Expired,
            Some(_) if self.has(Flaw::TakesEveryCodeForPaid) => PaymentStatus::Paid,
            _ => PaymentStatus::Pending,
        }
    }

    async fn write(
        &self,
        operation: &'static str,
        path: &str,
        body: String,
        send_by: Option<Monotonic>,
    ) -> Result<HttpResponse> {
        let url = self.base.join(path).map_err(|error| malformed(&error.to_string()))?;
        let effect = if self.has(Flaw::DeclaresAWriteAsARead) { Effect::Read } else { Effect::Write };
        let sum = self.keys.sign(&[&body]);
        let send_by = send_by.filter(|_| !self.has(Flaw::IgnoresItsSendBy));
        let request =
            HttpRequest::post_json(operation, effect, url, body).with_header("x-sum", sum).send_by(send_by);
        if self.has(Flaw::LogsItsKey) {
            tracing::debug!(key = self.key.expose_secret(), "signing");
        }
        let mut result = self.env.transport.send(request.clone()).await;
        if self.has(Flaw::RepeatsAWrite) && !result.as_ref().is_ok_and(|answer| answer.status == 200) {
            result = self.env.transport.send(request).await;
        }
        self.answered(Effect::Write, result)
    }

    async fn read(&self, reference: &str) -> Result<HttpResponse> {
        let query = format!("ref={reference}");
        let mut url = self.base.join("/payment").map_err(|error| malformed(&error.to_string()))?;
        url.set_query(Some(&query));
        let mut request = HttpRequest::post_json("query", Effect::Read, url, "");
        request.method = Method::Get;
        let request = request.with_header("x-sum", self.keys.sign(&[&query]));
        self.answered(Effect::Read, self.env.transport.send(request).await)
    }

    fn answered(
        &self,
        effect: Effect,
        result: Result<HttpResponse, tulbur_core::TransportError>,
    ) -> Result<HttpResponse> {
        let response = result.map_err(|error| {
            let error = Error::from_transport(error, effect);
            if self.has(Flaw::CallsACutNoEffect) { error.with_outcome(Outcome::NoEffect) } else { error }
        })?;
        let lost = effect.outcome_when_lost();
        let no = if lost == Outcome::Unknown { Outcome::Refused } else { lost };
        // The bank's refusals are JSON with a word it documents; anything else comes from elsewhere.
        let word = serde_json::from_slice::<serde_json::Value>(&response.body).unwrap_or_default();
        let word = word["error"].as_str().unwrap_or_default();
        let (kind, outcome) = match (response.status, word) {
            (200, _) => return self.signed(effect, response),
            (401, "signature") => (ErrorKind::Unauthorized, no),
            (404, "unknown") => (ErrorKind::NotFound, no),
            (409, "duplicate") => (ErrorKind::Duplicate, lost),
            (422, "reference" | "token" | "not paid" | "too much" | "not held") => (ErrorKind::Rejected, no),
            (500..=599, _) if self.has(Flaw::Calls500ARefusal) => (ErrorKind::Rejected, no),
            _ => (ErrorKind::Unavailable, lost),
        };
        let message = if self.has(Flaw::QuotesTheBank) {
            format!("the bank said {}", String::from_utf8_lossy(&response.body))
        } else {
            format!("the bank answered {}", response.status)
        };
        Err(Error::new(kind, message).with_outcome(outcome))
    }

    /// Checks an answer's checksum, where the documents have one.
    fn signed(&self, effect: Effect, response: HttpResponse) -> Result<HttpResponse> {
        let sum = response.header("x-sum");
        let checks = self.has(Flaw::NoneAndAnswersAreSigned)
            || (self.has(Flaw::TakesAnUnsignedAnswer) && sum.is_some());
        if checks {
            let right = self.keys.check(&[&response.body], sum);
            right.map_err(|error| error.with_outcome(effect.outcome_when_lost()))?;
        }
        Ok(response)
    }

    /// Reads an answer; whatever is wrong with it leaves a write open.
    fn document(&self, effect: Effect, asked: &str, response: &HttpResponse) -> Result<Document> {
        if self.has(Flaw::PanicsOnAStrangeAnswer) {
            return Ok(serde_json::from_slice(&response.body).expect("the bank answers well"));
        }
        if self.has(Flaw::TakesTheLastOfTwoMembers) {
            // As who reads into a map first: of two members the last one stays.
            let last = serde_json::from_slice::<serde_json::Value>(&response.body).unwrap_or_default();
            return serde_json::from_value(last)
                .map_err(|_| Error::unreadable(effect, response, "it is not the JSON of a payment"));
        }
        let document: Document = serde_json::from_slice(&response.body)
            .map_err(|_| Error::unreadable(effect, response, "it is not the JSON of a payment"))?;
        if self.has(Flaw::PrintsTheBanksWords)
            && let Some(code) = document.code.as_deref().filter(|code| code.len() != 3)
        {
            // Its own message is clean; the cause of it is not.
            let error = Error::unreadable(effect, response, "it has an unknown code");
            return Err(error.with_source(std::io::Error::other(format!("the bank says {code}"))));
        }
        if document.reference != asked && !self.has(Flaw::TakesAnAnswerAboutAnother) {
            let other = Error::new(ErrorKind::Untrusted, "it is about another payment");
            return Err(other.with_outcome(effect.outcome_when_lost()));
        }
        Ok(document)
    }

    fn amount(effect: Effect, response: &HttpResponse, document: &Document) -> Result<Option<Money>> {
        let parse = |text: &String| Money::parse(text, Currency::VND);
        document
            .amount
            .as_ref()
            .map(parse)
            .transpose()
            .map_err(|why| Error::from(why).in_answer(effect, response))
    }

    fn payment(&self, effect: Effect, asked: &PaymentRef, response: &HttpResponse) -> Result<Payment> {
        let document = self.document(effect, asked.merchant_ref.as_str(), response)?;
        let status = self.status(document.code.as_deref());
        let mut payment = Payment::new(asked.clone(), status);
        payment.amount = if self.has(Flaw::EchoesTheAmountAsked) {
            asked.amount
        } else {
            Self::amount(effect, response, &document)?
        };
        if payment.amount.is_none() && status != PaymentStatus::Pending {
            return Err(Error::unreadable(effect, response, "a result has no amount"));
        }
        payment.saved_card =
            document.token.map(|token| SavedCard::new(CardToken::new(token), CardInfo::default()));
        payment.code = document.code.map(Into::into);
        Ok(payment)
    }

    /// Reads a notification or, for a provider that trusts browsers, a return.
    fn event(&self, document: &Document, sum: Option<&str>) -> Result<IpnEvent> {
        let values =
            [Some(document.reference.as_str()), document.code.as_deref(), document.amount.as_deref()];
        let status = |code: &str| self.status(Some(code));
        let proof = self.keys.prove(&NOTIFICATION, values, sum, &Reading::new(Currency::VND, &status))?;
        let Proof::Signed(facts) = &proof else {
            return Err(Error::new(ErrorKind::Untrusted, "its members are not in their places"));
        };
        let (status, amount) = (facts.status, facts.amount);
        let mut subject = Subject::merchant(MerchantRef::parse(document.reference.as_str())?);
        if self.has(Flaw::TakesEveryNotificationForTheLastInvoice) {
            subject.merchant_ref = self.last().or(subject.merchant_ref);
        }
        Ok(IpnEvent::new(subject, proof, "notify").with_claim(
            Some(status),
            Some(amount),
            document.code.as_deref(),
        ))
    }

    /// The checksum that this document should have.
    fn right_sum(&self, document: &Document) -> String {
        let parts = [Some(document.reference.as_str()), document.code.as_deref(), document.amount.as_deref()];
        self.keys.sign(&parts.map(Option::unwrap_or_default))
    }
}

impl Provider for ToyBank {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }
    fn invoices(&self) -> Option<&dyn InvoiceProvider> {
        Some(self)
    }
    fn queries(&self) -> Option<&dyn QueryProvider> {
        Some(self)
    }
    fn charges(&self) -> Option<&dyn ChargeProvider> {
        Some(self)
    }
    fn qr(&self) -> Option<&dyn QrProvider> {
        Some(self)
    }
    fn cancels(&self) -> Option<&dyn CancelProvider> {
        Some(self)
    }
    fn captures(&self) -> Option<&dyn CaptureProvider> {
        Some(self)
    }
    fn voids(&self) -> Option<&dyn VoidProvider> {
        Some(self)
    }
    fn vault(&self) -> Option<&dyn TokenVaultProvider> {
        Some(self)
    }
    fn refunds(&self) -> Option<&dyn RefundProvider> {
        Some(self)
    }
    fn ipn(&self) -> Option<&dyn IpnProvider> {
        Some(self)
    }
}

#[async_trait]
impl InvoiceProvider for ToyBank {
    async fn create_invoice(&self, request: &CreateInvoice) -> Result<Invoice> {
        let checked = request.check(self);
        let excused =
            |flaw, field| self.has(flaw) && checked.as_ref().is_err_and(|error| error.field() == Some(field));
        if !excused(Flaw::SendsAnyReference, "merchant_ref") && !excused(Flaw::SendsAnyAmount, "amount") {
            checked?;
        }
        let reference = request.merchant_ref.as_str();
        let amount = request.amount.minor().to_string();
        let body = json!({ "ref": reference, "amount": amount, "save": request.save_card,
            "later": request.capture == Capture::Later })
        .to_string();
        let response = self.write("create_invoice", "/invoice", body, request.send_by).await?;
        self.document(Effect::Write, reference, &response)?;
        *self.last.lock().expect("nobody panics with it") = Some(request.merchant_ref.clone());
        if request.way == Way::Qr {
            let payment = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), QR);
            return Ok(Invoice::new(payment, vec![NextAction::ShowQr(self.scannable(reference))]));
        }
        let page = self.base.join("/page").map_err(|error| malformed(&error.to_string()))?;
        let page = Redirect { url: page, page: PageKind::Card, language: None };
        let payment = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), PAGE);
        Ok(Invoice::new(payment, vec![NextAction::Redirect(page)]))
    }
}

impl ToyBank {
    /// EMVCo's form: the reference as additional data, and the checksum of all before it.
    fn scannable(&self, reference: &str) -> String {
        let data = format!("01{:02}{reference}", reference.len());
        let body = format!("00020101021253037045802VN62{:02}{data}6304", data.len());
        let sum = body.bytes().fold(0xFFFF_u16, |sum, byte| {
            (0..8).fold(sum ^ (u16::from(byte) << 8), |sum, _| (sum << 1) ^ ((sum >> 15) * 0x1021))
        });
        let sum = if self.has(Flaw::MakesAQrThatDoesNotScan) { sum ^ 1 } else { sum };
        format!("{body}{sum:04X}")
    }

    async fn hold(
        &self,
        operation: &'static str,
        path: &str,
        payment: &PaymentRef,
        send_by: Option<Monotonic>,
    ) -> Result<Payment> {
        let body = json!({ "ref": payment.merchant_ref.as_str() }).to_string();
        let response = self.write(operation, path, body, send_by).await?;
        self.payment(Effect::Write, payment, &response)
    }
}

#[async_trait]
impl QrProvider for ToyBank {
    async fn create_qr(&self, request: &CreateInvoice) -> Result<Invoice> {
        self.create_invoice(request).await
    }
}

#[async_trait]
impl CancelProvider for ToyBank {
    async fn cancel(&self, request: &CancelRequest) -> Result<Payment> {
        self.hold("cancel", "/cancel", &request.payment, request.send_by).await
    }
}

#[async_trait]
impl CaptureProvider for ToyBank {
    async fn capture(&self, request: &CaptureRequest) -> Result<Payment> {
        self.hold("capture", "/capture", &request.payment, request.send_by).await
    }
}

#[async_trait]
impl VoidProvider for ToyBank {
    async fn void(&self, request: &VoidRequest) -> Result<Payment> {
        self.hold("void", "/void", &request.payment, request.send_by).await
    }
}

#[async_trait]
impl TokenVaultProvider for ToyBank {
    async fn delete_card(&self, token: &CardToken) -> Result<()> {
        let body = json!({ "token": token.expose() }).to_string();
        self.write("delete_card", "/forget", body, None).await.map(drop)
    }
}

#[async_trait]
impl QueryProvider for ToyBank {
    async fn query(&self, payment: &PaymentRef) -> Result<Payment> {
        let response = self.read(payment.merchant_ref.as_str()).await?;
        self.payment(Effect::Read, payment, &response)
    }
}

#[async_trait]
impl ChargeProvider for ToyBank {
    async fn charge(&self, request: &ChargeRequest) -> Result<Charge> {
        request.check(self)?;
        let reference = request.merchant_ref.as_str();
        let amount = request.amount.minor().to_string();
        let body = json!({ "ref": reference, "amount": amount, "token": request.token.expose() }).to_string();
        let response = self.write("charge", "/charge", body, request.send_by).await?;
        let asked = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), CHARGE);
        Ok(Charge::new(self.payment(Effect::Write, &asked, &response)?))
    }
}

#[async_trait]
impl RefundProvider for ToyBank {
    async fn refund(&self, request: &RefundRequest) -> Result<Refund> {
        if self.has(Flaw::ClaimsRefundsAndRefusesThem) {
            return Err(Error::new(ErrorKind::Unsupported, "call the bank's hotline"));
        }
        let reference = request.payment.merchant_ref.as_str();
        let amount = request.amount.minor().to_string();
        let body = json!({ "ref": reference, "op": request.operation_ref.as_str(), "amount": amount });
        let response = self.write("refund", "/refund", body.to_string(), request.send_by).await?;
        let document = self.document(Effect::Write, reference, &response)?;
        let amount = Self::amount(Effect::Write, &response, &document)?;
        Ok(Refund::new(amount.unwrap_or(request.amount), RefundStatus::Succeeded))
    }
}

impl IpnProvider for ToyBank {
    fn verify(&self, delivery: &Delivery<'_>) -> Result<IpnEvent> {
        if delivery.channel == Channel::Return {
            let fields = Fields::parse(delivery.query.unwrap_or_default().as_bytes())?;
            let text = |name| fields.get(name).map(|value| value.map(str::to_owned));
            let document = Document {
                reference: text("ref")?.ok_or_else(|| malformed("there is no reference"))?,
                amount: text("amount")?,
                code: text("code")?,
                token: None,
                sum: None,
            };
            if self.has(Flaw::TrustsTheBrowser) {
                return self.event(&document, Some(&self.right_sum(&document)));
            }
            let subject = Subject::merchant(MerchantRef::parse(document.reference.as_str())?);
            let claimed = document.code.as_deref().map(|code| self.status(Some(code)));
            let event = IpnEvent::new(subject, Proof::Hint(Voucher::None), "return");
            return Ok(event.with_claim(claimed, None, document.code.as_deref()));
        }
        if delivery.method != "POST" || delivery.body.len() > 10_000 {
            return Err(malformed("the bank posts some hundred bytes"));
        }
        let document: Document = serde_json::from_slice(delivery.body)
            .map_err(|_| malformed("it is no notification of this bank"))?;
        match self.flaw {
            Flaw::AcceptsAnyChecksum => self.event(&document, Some(&self.right_sum(&document))),
            Flaw::ChecksumInAnyCase => {
                let lower = document.sum.as_deref().map(str::to_lowercase);
                self.event(&document, lower.as_deref())
            }
            Flaw::KnowsNoOtherKey => {
                // What an author does who takes the key from a constant and not from the settings.
                let fixed = self.env.keys(
                    Scheme::HmacSha256,
                    [&SecretString::from(super::KEY)],
                    &self.info.ref_rule,
                )?;
                let fixed = Self { keys: fixed, info: self.info.clone(), ..self.copy() };
                fixed.event(&document, document.sum.as_deref())
            }
            _ => self.event(&document, document.sum.as_deref()),
        }
    }

    fn acknowledge(&self, outcome: IpnOutcome<'_>) -> Reply {
        match outcome {
            IpnOutcome::Rejected(_) => Reply::text(403, "NO"),
            IpnOutcome::NotStored if self.has(Flaw::AnswersSuccessWhenNotStored) => Reply::text(200, "TAKEN"),
            IpnOutcome::NotStored => Reply::text(500, "AGAIN"),
            _ if self.has(Flaw::AnswersAnotherWord) => Reply::text(200, "taken"),
            _ => Reply::text(200, "TAKEN"),
        }
    }
}

impl ToyBank {
    fn copy(&self) -> Self {
        Self {
            flaw: self.flaw,
            base: self.base.clone(),
            key: self.key.clone(),
            keys: self.keys.clone(),
            info: self.info.clone(),
            env: self.env.clone(),
            last: Mutex::new(self.last()),
        }
    }
}
