//! The provider crate of the simulated bank: the only place that implements core's provider traits.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tulbur_core::layers::{Deadline, Retry, Timeout};
use tulbur_core::{
    AccountKeys, AccountName, Alphabet, BuildEnv, CancelProvider, CancelRequest, Capture, CaptureProvider,
    CaptureRequest, CaptureRule, CardInfo, CardSetup, CardSetupAnswer, CardSetupState, CardToken, Charge,
    ChargeProvider, ChargeRequest, Clock, CreateCardSetup, CreateInvoice, Currency, Delivery, Effect, Error,
    ErrorKind, FieldLength, Flow, FlowEffect, FlowInfo, FlowStart, HttpRequest, HttpTransport, Invoice,
    InvoiceProvider, IpnEvent, IpnFacts, IpnOutcome, IpnProvider, MessageShape, Money, Monotonic, NextAction,
    NoNetwork, NotFound, NotifyAddress, Outcome, PageKind, Payment, PaymentRef, PaymentStatus, Poll, Proof,
    ProofBy, Provider, ProviderId, ProviderInfo, ProviderRef, QueryBy, QueryProvider, RandomIds, Reading,
    Redirect, RefRule, Refund, RefundPart, RefundProvider, RefundRequest, RefundRule, RefundStatus, Reply,
    Result, SavedCard, Scheme, SecretString, SignedField, Subject, TokenizeProvider, Url, VoidProvider,
    VoidRequest, Way,
};

use super::message::{NORTH_KEY, SOUTH_SALT};
use super::transport::Wire;
use crate::sim::Sim;
use crate::units::ProcessId;

/// The accounts. North is asked by our reference and names it. South and West know only their own; South notifies each
/// payment at an address of its own, West all at one.
pub(crate) const ACCOUNTS: [&str; 3] = ["north", "south", "west"];

const PAGE: Flow = Flow::new("page");
const LINK: Flow = Flow::new("link");
const CHARGE: Flow = Flow::new("charge");
const SETUP: Flow = Flow::new("setup");

/// One account of the bank, as one process sees it.
struct SimBank {
    account: &'static str,
    info: ProviderInfo,
    keys: AccountKeys,
    salt: AccountKeys,
    wire: Retry<Deadline<Timeout<Wire>>>,
    url: Url,
}

impl std::fmt::Debug for SimBank {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SimBank({})", self.account)
    }
}

/// How the flows of an account work.
fn flows(account: &str) -> Vec<FlowInfo> {
    let by = if account == "north" { QueryBy::MerchantRef } else { QueryBy::ProviderRef };
    let flow = |flow, start, effect, query_by, lifetime: Option<Duration>| {
        let mut info = FlowInfo::new(flow, start, effect, query_by);
        info.not_found = NotFound::ProvesNothing;
        info.proof = ProofBy::QueryOrSignedIpn;
        info.lifetime = lifetime;
        info.poll = Poll { first: Duration::from_secs(30), every: Duration::from_secs(5) };
        info
    };
    let ten = Some(Duration::from_mins(10));
    let mut flows = vec![
        flow(PAGE, FlowStart::Invoice(vec![Way::Page]), FlowEffect::Inert, by, ten),
        flow(CHARGE, FlowStart::Charge, FlowEffect::MovesMoney, by, None),
        flow(SETUP, FlowStart::CardSetup, FlowEffect::Inert, QueryBy::MerchantRef, ten),
    ];
    if account == "north" {
        let link = flow(LINK, FlowStart::Invoice(vec![Way::App]), FlowEffect::Inert, QueryBy::Nothing, ten);
        let mut link = link;
        link.proof = ProofBy::SignedIpn;
        flows.push(link);
    }
    flows
}

/// An account of the bank for one process.
pub(crate) fn provider(
    sim: &Arc<Sim>,
    process: ProcessId,
    account: &'static str,
    clock: &Arc<dyn Clock>,
) -> Arc<dyn Provider> {
    let name = AccountName::parse(account).expect("an account's name");
    let id = ProviderId::parse("bank").expect("a provider's id");
    let rule = RefRule::new(Alphabet::Alphanumeric, 32..=32);
    let mut info = ProviderInfo::new(id, name, "Bank", Currency::MNT, rule);
    info.flows = flows(account);
    info.ways = if account == "north" { vec![Way::Page, Way::App] } else { vec![Way::Page] };
    info.notify = if account == "south" { NotifyAddress::PerPayment } else { NotifyAddress::PerAccount };
    info.refunds = Some(RefundRule { part: RefundPart::Any, repeated: true, window: None });
    info.captures = Some(CaptureRule { partial: true, window: None });
    let wire = Wire { sim: Arc::clone(sim), process, account };
    let wire = Timeout::new(wire, Arc::clone(clock), Duration::from_secs(30));
    let wire = Deadline::new(wire, Arc::clone(clock));
    let env = BuildEnv::new(Arc::new(NoNetwork), Arc::clone(clock) as Arc<dyn Clock>, Arc::new(RandomIds));
    let keys = |scheme, secret: &str| {
        env.keys(scheme, [&SecretString::from(secret)], &info.ref_rule).expect("a secret")
    };
    let (keys, salt) = (keys(Scheme::HmacSha256, NORTH_KEY), keys(Scheme::SaltedSha256, SOUTH_SALT));
    Arc::new(SimBank {
        account,
        info,
        keys,
        salt,
        wire: Retry::new(wire, Arc::clone(clock)),
        url: Url::parse("https://bank.example/").expect("an address"),
    })
}

fn mnt(text: &str) -> Option<Money> {
    text.parse().ok().map(|minor| Money::from_minor(minor, Currency::MNT))
}

fn status_of(word: &str) -> PaymentStatus {
    match word {
        "paid" => PaymentStatus::Paid,
        "authorized" => PaymentStatus::Authorized,
        "declined" => PaymentStatus::Declined,
        "canceled" => PaymentStatus::Canceled,
        "expired" => PaymentStatus::Expired,
        _ => PaymentStatus::Pending,
    }
}

fn name_of(reference: &PaymentRef) -> (String, String) {
    let theirs = reference.provider_ref.as_ref().map_or("-", ProviderRef::as_str);
    (reference.merchant_ref.as_str().to_owned(), theirs.to_owned())
}

impl SimBank {
    /// Sends a request, and reads the fields of the answer.
    async fn call(
        &self,
        operation: &'static str,
        effect: Effect,
        body: String,
        send_by: Option<Monotonic>,
    ) -> Result<Vec<String>> {
        let request = HttpRequest::post_json(operation, effect, self.url.clone(), body).send_by(send_by);
        let answer = self.wire.send(request).await.map_err(|error| Error::from_transport(error, effect))?;
        if answer.status != 200 {
            let outcome = effect.outcome_when_lost();
            return Err(Error::new(ErrorKind::Unavailable, "the bank is down").with_outcome(outcome));
        }
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let mut fields: Vec<String> = text.split('|').map(str::to_owned).collect();
        if fields.pop().as_deref() != Some(".") {
            return Err(Error::unreadable(effect, &answer, "it has no end"));
        }
        match fields[0].as_str() {
            "ok" => Ok(fields),
            "notfound" => Err(Error::new(ErrorKind::NotFound, "the bank does not know it")),
            "refused" => Err(Error::new(ErrorKind::Rejected, "the bank said no")
                .with_outcome(Outcome::Refused)
                .with_answer(fields.get(1).map(String::as_str), None)),
            _ => Err(Error::unreadable(effect, &answer, "it is no answer")),
        }
    }

    async fn operate(
        &self,
        what: &'static str,
        payment: &PaymentRef,
        amount: Money,
        operation: &str,
        reason: &str,
        send_by: Option<Monotonic>,
    ) -> Result<Vec<String>> {
        let (ours, theirs) = name_of(payment);
        let body = format!("{what}|{ours}|{theirs}|{}|{operation}|{reason}", amount.minor());
        self.call(what, Effect::Write, body, send_by).await
    }

    async fn change(
        &self,
        what: &'static str,
        payment: &PaymentRef,
        amount: Money,
        operation: &str,
        send_by: Option<Monotonic>,
    ) -> Result<Payment> {
        let fields = self.operate(what, payment, amount, operation, what, send_by).await?;
        let mut answer = Payment::new(payment.clone(), status_of(&fields[1]));
        answer.amount = mnt(&fields[2]);
        Ok(answer)
    }
}

impl Provider for SimBank {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }
    fn invoices(&self) -> Option<&dyn InvoiceProvider> {
        Some(self)
    }
    fn queries(&self) -> Option<&dyn QueryProvider> {
        Some(self)
    }
    fn tokenize(&self) -> Option<&dyn TokenizeProvider> {
        Some(self)
    }
    fn charges(&self) -> Option<&dyn ChargeProvider> {
        Some(self)
    }
    fn refunds(&self) -> Option<&dyn RefundProvider> {
        Some(self)
    }
    fn captures(&self) -> Option<&dyn CaptureProvider> {
        Some(self)
    }
    fn voids(&self) -> Option<&dyn VoidProvider> {
        Some(self)
    }
    fn cancels(&self) -> Option<&dyn CancelProvider> {
        (self.account == "south").then_some(self)
    }
    fn ipn(&self) -> Option<&dyn IpnProvider> {
        Some(self)
    }
}

#[async_trait]
impl InvoiceProvider for SimBank {
    async fn create_invoice(&self, request: &CreateInvoice) -> Result<Invoice> {
        let later = request.capture == Capture::Later;
        let flow = match (self.account, request.way, later) {
            (_, Way::App, _) => "link",
            ("south", _, true) => "shold",
            ("south", _, false) => "spage",
            ("west", _, true) => "whold",
            ("west", _, false) => "wpage",
            (_, _, true) => "hold",
            _ => "page",
        };
        let notify = request.notify_url.as_ref().map_or_else(|| "-".into(), |url| url.as_str().to_owned());
        let body = format!(
            "create|{}|{}|{flow}|{notify}|{}|{}",
            request.merchant_ref,
            request.amount.minor(),
            u8::from(later),
            request.description
        );
        let fields = self.call("create", Effect::Write, body, request.send_by).await?;
        let flow = if request.way == Way::App { LINK } else { PAGE };
        let reference = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), flow)
            .with_provider_ref(ProviderRef::parse(&*fields[1])?);
        let page = Redirect { url: self.url.clone(), page: PageKind::Card, language: None };
        Ok(Invoice::new(reference, vec![NextAction::Redirect(page)]))
    }
}

#[async_trait]
impl ChargeProvider for SimBank {
    async fn charge(&self, request: &ChargeRequest) -> Result<Charge> {
        let notify = request.notify_url.as_ref().map_or_else(|| "-".into(), |url| url.as_str().to_owned());
        let flow = match self.account {
            "south" => "scharge",
            "west" => "wcharge",
            _ => "charge",
        };
        let body = format!(
            "charge|{}|{}|{flow}|{notify}|{}",
            request.merchant_ref,
            request.amount.minor(),
            request.description
        );
        let fields = self.call("charge", Effect::Write, body, request.send_by).await?;
        let reference = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), CHARGE)
            .with_provider_ref(ProviderRef::parse(&*fields[3])?);
        let mut payment = Payment::new(reference, status_of(&fields[1]));
        payment.amount = mnt(&fields[2]);
        Ok(Charge::new(payment))
    }
}

#[async_trait]
impl QueryProvider for SimBank {
    async fn query(&self, payment: &PaymentRef) -> Result<Payment> {
        let (ours, theirs) = name_of(payment);
        // South and West are asked by their own reference alone.
        let ours = if self.account == "north" { ours } else { "-".to_owned() };
        let fields = self.call("query", Effect::Read, format!("query|{ours}|{theirs}"), None).await?;
        let mut reference = payment.clone();
        reference.merchant_ref = tulbur_core::MerchantRef::parse(&*fields[5])?;
        reference.provider_ref = Some(ProviderRef::parse(&*fields[6])?);
        let mut answer = Payment::new(reference, status_of(&fields[1]));
        answer.amount = mnt(&fields[2]);
        answer.captured = mnt(&fields[3]);
        answer.refunded = mnt(&fields[4]);
        Ok(answer)
    }
}

#[async_trait]
impl CaptureProvider for SimBank {
    async fn capture(&self, request: &CaptureRequest) -> Result<Payment> {
        let operation = request.operation_ref.as_str();
        self.change("capture", &request.payment, request.amount, operation, request.send_by).await
    }
}

#[async_trait]
impl VoidProvider for SimBank {
    async fn void(&self, request: &VoidRequest) -> Result<Payment> {
        let none = Money::from_minor(0, Currency::MNT);
        self.change("void", &request.payment, none, request.operation_ref.as_str(), request.send_by).await
    }
}

#[async_trait]
impl CancelProvider for SimBank {
    async fn cancel(&self, request: &CancelRequest) -> Result<Payment> {
        let none = Money::from_minor(0, Currency::MNT);
        self.change("cancel", &request.payment, none, "-", request.send_by).await
    }
}

#[async_trait]
impl RefundProvider for SimBank {
    async fn refund(&self, request: &RefundRequest) -> Result<Refund> {
        let operation = request.operation_ref.as_str();
        let fields = self
            .operate("refund", &request.payment, request.amount, operation, &request.reason, request.send_by)
            .await?;
        let status = match fields[1].as_str() {
            "succeeded" => RefundStatus::Succeeded,
            "failed" => RefundStatus::Failed,
            _ => RefundStatus::Pending,
        };
        let mut refund = Refund::new(mnt(&fields[2]).unwrap_or(request.amount), status);
        refund.provider_ref = Some(ProviderRef::parse(&*fields[3])?);
        Ok(refund)
    }
}

#[async_trait]
impl TokenizeProvider for SimBank {
    async fn create_card_setup(&self, request: &CreateCardSetup) -> Result<CardSetup> {
        self.call("setup", Effect::Write, format!("setup|{}|-", request.merchant_ref), request.send_by)
            .await?;
        let reference = PaymentRef::new(request.merchant_ref.clone(), None, SETUP);
        let page = Redirect { url: self.url.clone(), page: PageKind::SaveCard, language: None };
        Ok(CardSetup::new(reference, vec![NextAction::Redirect(page)]))
    }

    async fn read_card_setup(&self, setup: &PaymentRef) -> Result<CardSetupAnswer> {
        let body = format!("read-setup|{}|-", setup.merchant_ref);
        self.call("read-setup", Effect::Read, body, None).await?;
        let token = CardToken::new(format!("token-of-{}", self.account));
        let card = SavedCard::new(token, CardInfo::masked(Some("949625******0003")));
        Ok(CardSetupAnswer::new(setup.clone(), CardSetupState::Saved(card)))
    }
}

fn malformed(text: &'static str) -> Error {
    Error::new(ErrorKind::Malformed, text)
}

fn code_status(code: &str) -> PaymentStatus {
    match code {
        "000" => PaymentStatus::Paid,
        "001" => PaymentStatus::Authorized,
        "200" => PaymentStatus::Canceled,
        "300" => PaymentStatus::Pending,
        _ => PaymentStatus::Declined,
    }
}

static NORTH: MessageShape<4> = MessageShape::joined([
    SignedField::reference("reference", FieldLength::OfReferences),
    SignedField::result("result", FieldLength::Exactly(3)),
    SignedField::amount("amount", FieldLength::UpTo(20)),
    SignedField::other("other", FieldLength::Exactly(4)),
]);

impl SimBank {
    fn verify_north(&self, text: &str) -> Result<IpnEvent> {
        let parts: Vec<&str> = text.split('|').collect();
        let [reference, code, amount, event, checksum] = parts[..] else {
            return Err(malformed("five parts are expected"));
        };
        let proof = self.keys.prove(
            &NORTH,
            [Some(reference), Some(code), Some(amount), Some(event)],
            Some(checksum),
            &Reading::new(Currency::MNT, &code_status),
        )?;
        let amount = Money::parse(amount, Currency::MNT)?;
        let subject = Subject::merchant(tulbur_core::MerchantRef::parse(reference)?);
        let event = IpnEvent::new(subject, proof, event);
        Ok(event.with_claim(Some(code_status(code)), Some(amount), Some(code)))
    }

    fn verify_own(&self, text: &str) -> Result<IpnEvent> {
        let (document, signature) = text.split_once('#').ok_or_else(|| malformed("there is no signature"))?;
        let read = |document: &[u8]| {
            let document = std::str::from_utf8(document).map_err(|_| malformed("not UTF-8"))?;
            let parts: Vec<&str> = document.split('|').collect();
            let [reference, code, amount, _] = parts[..] else {
                return Err(malformed("four parts are expected"));
            };
            let amount = Money::parse(amount, Currency::MNT)?;
            Ok(IpnFacts::of_provider_ref(ProviderRef::parse(reference)?, code_status(code), amount))
        };
        let facts = self.salt.prove_document(document.as_bytes(), Some(signature), read)?;
        let parts: Vec<&str> = document.split('|').collect();
        let (reference, status, amount) = (ProviderRef::parse(parts[0])?, facts.status, facts.amount);
        let event = IpnEvent::new(Subject::provider(reference), Proof::Signed(facts), parts[3]);
        Ok(event.with_claim(Some(status), Some(amount), Some(parts[1])))
    }
}

impl IpnProvider for SimBank {
    fn verify(&self, delivery: &Delivery<'_>) -> Result<IpnEvent> {
        let text = std::str::from_utf8(delivery.body).map_err(|_| malformed("not UTF-8"))?;
        if self.account == "north" { self.verify_north(text) } else { self.verify_own(text) }
    }

    fn acknowledge(&self, outcome: IpnOutcome<'_>) -> Reply {
        match outcome {
            IpnOutcome::Accepted | IpnOutcome::Repeat { .. } | IpnOutcome::Ignored => Reply::text(200, "ok"),
            IpnOutcome::UnknownPayment => Reply::text(200, "unknown"),
            IpnOutcome::Rejected(_) => Reply::text(400, "rejected"),
            IpnOutcome::NotStored => Reply::text(503, "not stored"),
        }
    }
}
