//! A small bank behind the provider traits, whose every answer a test decides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tulbur_core::{
    AccountKeys, AccountName, Alphabet, BuildEnv, CancelProvider, CancelRequest, Capture, CaptureProvider,
    CaptureRequest, CaptureRule, CardInfo, CardSetup, CardSetupAnswer, CardSetupState, CardToken, Channel,
    Charge, ChargeProvider, ChargeRequest, CreateCardSetup, CreateInvoice, Currency, Delivery, Error,
    ErrorKind, FieldLength, Flow, FlowEffect, FlowInfo, FlowStart, FreeText, Invoice, InvoiceProvider,
    IpnEvent, IpnOutcome, IpnProvider, Language, ManualClock, MerchantRef, MessageShape, Money, NextAction,
    NoNetwork, NotifyAddress, Outcome, PageKind, Payment, PaymentRef, PaymentStatus, Poll, Proof, ProofBy,
    Provider, ProviderId, ProviderInfo, ProviderRef, QueryBy, QueryProvider, RandomIds, Reading, Redirect,
    RefRule, Refund, RefundPart, RefundProvider, RefundRequest, RefundRule, RefundStatus, Reply, Result,
    SavedCard, Scheme, SecretString, SignedField, Subject, Timestamp, TokenizeProvider, Url, VoidProvider,
    VoidRequest, Voucher, Way, async_trait,
};

pub const PAGE: Flow = Flow::new("page");
/// A page whose payments the bank cannot be asked about.
pub const LINK: Flow = Flow::new("link");
pub const SETUP: Flow = Flow::new("setup");
pub const CHARGE: Flow = Flow::new("charge");
pub const SECRET: &str = "planted-bank-secret";
pub const TOKEN: &str = "planted-card-token-planted-card-token-planted-card-token-1234567";

/// What the bank does with the next write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Write {
    #[default]
    Answer,
    /// It happens, and the answer is lost.
    AnswerLost,
    /// It does not happen, and the caller cannot know.
    LostBefore,
    Refuse,
    NeverSent,
    /// It happens once the test says so.
    Hang,
}

#[derive(Debug, Clone)]
pub struct Entry {
    pub status: PaymentStatus,
    pub amount: Option<Money>,
    pub code: Option<String>,
    pub saved: bool,
    pub debits: u32,
    /// The money is held first.
    pub later: bool,
    pub captured: Option<Money>,
    pub refunds: Vec<Money>,
}

impl Entry {
    pub fn new(status: PaymentStatus, amount: Option<Money>) -> Self {
        Self {
            status,
            amount,
            code: None,
            saved: false,
            debits: 0,
            later: false,
            captured: None,
            refunds: Vec::new(),
        }
    }
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a test tells the bank to do")]
pub struct State {
    pub payments: HashMap<String, Entry>,
    pub write: Write,
    pub queries: u32,
    pub creates: u32,
    pub charges: u32,
    pub down: bool,
    /// Whether questions wait until the test says otherwise.
    pub silent: bool,
    /// Requests that wait at the bank until the test says otherwise.
    pub hanging: u32,
    pub saves_cards: bool,
    pub charge_status: Option<PaymentStatus>,
    /// What the bank does with the next capture, void, refund or cancel.
    pub operation: Write,
    /// How many of those reached the bank, whatever it did with them.
    pub operations: u32,
    /// Whether an answer to a question says what was refunded.
    pub tells_refunds: bool,
    /// Whether the bank can take an invoice back.
    pub cancels: bool,
    /// Whether the bank gives each invoice the same number, as one does that was reset.
    pub one_number: bool,
    /// What the bank says of everything: in its words, as its code, and as the name of the card's bank.
    pub says: Option<String>,
}

static PUSH: MessageShape<3> = MessageShape::joined([
    SignedField::reference("reference", FieldLength::OfReferences),
    SignedField::result("result", FieldLength::Exactly(3)),
    SignedField::amount("amount", FieldLength::UpTo(20)),
]);

pub struct Bank {
    info: ProviderInfo,
    keys: AccountKeys,
    pub state: Arc<Mutex<State>>,
}

impl std::fmt::Debug for Bank {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bank")
    }
}

pub fn mnt(units: i64) -> Money {
    Money::from_major(units, Currency::MNT).unwrap()
}

impl Bank {
    pub fn new(account: &str) -> Self {
        Self::with_secret(account, SECRET)
    }

    /// A bank whose notifications are signed with another secret.
    pub fn with_secret(account: &str, secret: &str) -> Self {
        let (id, account) = (ProviderId::parse("bank").unwrap(), AccountName::parse(account).unwrap());
        let rule = RefRule::new(Alphabet::Alphanumeric, 32..=32);
        let mut info = ProviderInfo::new(id, account, "Bank", Currency::MNT, rule);
        let poll = Poll { first: Duration::from_secs(30), every: Duration::from_secs(3) };
        let flow = |flow, start, effect, minutes: Option<u64>| {
            FlowInfo::new(flow, start, effect, QueryBy::MerchantRef)
                .proof(ProofBy::QueryOrSignedIpn)
                .lifetime(minutes.map(Duration::from_mins))
                .poll(poll)
        };
        info.flows = vec![
            flow(PAGE, FlowStart::Invoice(vec![Way::Page]), FlowEffect::Inert, Some(10)),
            FlowInfo::new(LINK, FlowStart::Invoice(vec![Way::App]), FlowEffect::Inert, QueryBy::Nothing)
                .lifetime(Some(Duration::from_mins(10)))
                .poll(poll),
            flow(SETUP, FlowStart::CardSetup, FlowEffect::Inert, Some(10)),
            flow(CHARGE, FlowStart::Charge, FlowEffect::MovesMoney, None),
        ];
        info.languages = vec![Language::Mn, Language::En];
        info.ways = vec![Way::Page, Way::App];
        info.notify = NotifyAddress::PerAccount;
        info.saves_card_with_payment = true;
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let env = BuildEnv::new(Arc::new(NoNetwork), clock, Arc::new(RandomIds));
        let keys = env.keys(Scheme::HmacSha256, [&SecretString::from(secret)], &info.ref_rule).unwrap();
        info.refunds = Some(RefundRule {
            part: RefundPart::Any,
            repeated: true,
            window: Some(Duration::from_hours(24 * 365)),
        });
        info.captures = Some(CaptureRule { partial: true, window: None });
        Self { info, keys, state: Arc::default() }
    }

    /// "Paid" by a notification counts only once a query has said so.
    pub fn confirm_before_paid(&mut self) {
        self.info.flows[0] = self.info.flows[0].clone().confirm_before_paid(true);
    }

    /// The request has come, and waits as long as the test says.
    async fn hang(&self, how: fn(&State) -> Write) {
        self.state.lock().unwrap().hanging += 1;
        while how(&self.state.lock().unwrap()) == Write::Hang {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.state.lock().unwrap().hanging -= 1;
    }

    /// Does an operation as the test says, and answers or not.
    async fn operate<T>(&self, reference: &PaymentRef, work: impl FnOnce(&mut Entry) -> T) -> Result<T> {
        self.hang(|state| state.operation).await;
        let mut state = self.state.lock().unwrap();
        state.operations += 1;
        let lost = |text: &str| Error::new(ErrorKind::Timeout, text).with_outcome(Outcome::Unknown);
        let how = std::mem::take(&mut state.operation);
        if how == Write::NeverSent {
            return Err(Error::new(ErrorKind::Unavailable, "connection refused"));
        }
        if how == Write::Refuse {
            return Err(Error::new(ErrorKind::Rejected, "the bank said no")
                .with_outcome(Outcome::Refused)
                .with_answer(Some("12"), Some(state.says.as_deref().unwrap_or("not possible"))));
        }
        if how == Write::LostBefore {
            return Err(lost("no answer"));
        }
        let entry = state.payments.get_mut(reference.merchant_ref.as_str()).expect("the bank knows it");
        let done = work(entry);
        if how == Write::AnswerLost { Err(lost("no answer")) } else { Ok(done) }
    }

    fn write(&self, reference: &MerchantRef, entry: Entry) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        let lost = |text: &str| Err(Error::new(ErrorKind::Timeout, text).with_outcome(Outcome::Unknown));
        let write = std::mem::take(&mut state.write);
        if matches!(write, Write::Answer | Write::AnswerLost) {
            state.payments.insert(reference.as_str().to_owned(), entry);
        }
        match write {
            Write::Answer => Ok(()),
            Write::AnswerLost | Write::LostBefore | Write::Hang => lost("no answer"),
            Write::Refuse => Err(Error::new(ErrorKind::Rejected, "the bank said no")
                .with_outcome(Outcome::Refused)
                .with_answer(Some("51"), Some(state.says.as_deref().unwrap_or("no")))),
            Write::NeverSent => Err(Error::new(ErrorKind::Unavailable, "connection refused")),
        }
    }

    fn read(&self, reference: &PaymentRef) -> Result<Entry> {
        let mut state = self.state.lock().unwrap();
        state.queries += 1;
        if state.down {
            return Err(Error::new(ErrorKind::Unavailable, "the bank is down"));
        }
        state
            .payments
            .get(reference.merchant_ref.as_str())
            .cloned()
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "not found"))
    }
}

fn saved() -> SavedCard {
    SavedCard::new(CardToken::new(TOKEN), CardInfo::masked(Some("949625******0003")))
}

impl Provider for Bank {
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
        self.state.lock().unwrap().cancels.then_some(self)
    }
    fn ipn(&self) -> Option<&dyn IpnProvider> {
        Some(self)
    }
}

#[async_trait]
impl RefundProvider for Bank {
    async fn refund(&self, request: &RefundRequest) -> Result<Refund> {
        self.operate(&request.payment, |entry| entry.refunds.push(request.amount)).await?;
        Ok(Refund::new(request.amount, RefundStatus::Succeeded))
    }
}

#[async_trait]
impl CaptureProvider for Bank {
    async fn capture(&self, request: &CaptureRequest) -> Result<Payment> {
        self.operate(&request.payment, |entry| {
            entry.status = PaymentStatus::Paid;
            entry.captured = Some(request.amount);
            entry.debits += 1;
        })
        .await?;
        Ok(Payment::new(request.payment.clone(), PaymentStatus::Paid))
    }
}

#[async_trait]
impl VoidProvider for Bank {
    async fn void(&self, request: &VoidRequest) -> Result<Payment> {
        self.operate(&request.payment, |entry| entry.status = PaymentStatus::Canceled).await?;
        Ok(Payment::new(request.payment.clone(), PaymentStatus::Canceled))
    }
}

#[async_trait]
impl CancelProvider for Bank {
    /// What is paid stays paid, and the answer says so.
    async fn cancel(&self, request: &CancelRequest) -> Result<Payment> {
        let payment = &request.payment;
        let status = self
            .operate(payment, |entry| {
                if entry.status == PaymentStatus::Pending {
                    entry.status = PaymentStatus::Canceled;
                }
                entry.status
            })
            .await?;
        Ok(Payment::new(payment.clone(), status))
    }
}

#[async_trait]
impl InvoiceProvider for Bank {
    async fn create_invoice(&self, request: &CreateInvoice) -> Result<Invoice> {
        self.state.lock().unwrap().creates += 1;
        self.hang(|state| state.write).await;
        let entry = Entry {
            saved: request.save_card,
            later: request.capture == Capture::Later,
            ..Entry::new(PaymentStatus::Pending, Some(request.amount))
        };
        self.write(&request.merchant_ref, entry)?;
        let flow = if request.way == Way::App { LINK } else { PAGE };
        let one_number = self.state.lock().unwrap().one_number;
        let number = if one_number { "inv-1".to_owned() } else { format!("inv-{}", request.merchant_ref) };
        let reference = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), flow)
            .with_provider_ref(ProviderRef::parse(number).unwrap());
        let url = Url::parse("https://bank.example/page").unwrap();
        let page = Redirect { url, page: PageKind::Card, language: Some(request.language) };
        Ok(Invoice::new(reference, vec![NextAction::Redirect(page)]))
    }
}

#[async_trait]
impl QueryProvider for Bank {
    async fn query(&self, payment: &PaymentRef) -> Result<Payment> {
        if self.state.lock().unwrap().silent {
            self.state.lock().unwrap().queries += 1;
            while self.state.lock().unwrap().silent {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let entry = self.read(payment)?;
        let mut answer = Payment::new(payment.clone(), entry.status);
        answer.amount = entry.amount;
        answer.code = entry.code.map(FreeText::from);
        let says = self.state.lock().unwrap().says.clone();
        answer.text = says.clone().map(FreeText::from);
        answer.card = answer.card.with_bank(says.as_deref()).with_brand(says.as_deref());
        if self.state.lock().unwrap().tells_refunds {
            let total = entry.refunds.iter().map(|refund| refund.minor()).sum();
            answer.refunded = Some(Money::from_minor(total, Currency::MNT));
        }
        if entry.saved && entry.status.is_paid() {
            answer.saved_card = Some(saved());
        }
        Ok(answer)
    }
}

#[async_trait]
impl TokenizeProvider for Bank {
    async fn create_card_setup(&self, request: &CreateCardSetup) -> Result<CardSetup> {
        let entry = Entry { saved: true, ..Entry::new(PaymentStatus::Pending, None) };
        self.write(&request.merchant_ref, entry)?;
        let reference = PaymentRef::new(request.merchant_ref.clone(), None, SETUP);
        let url = Url::parse("https://bank.example/save").unwrap();
        let page = Redirect { url, page: PageKind::SaveCard, language: None };
        Ok(CardSetup::new(reference, vec![NextAction::Redirect(page)]))
    }

    async fn read_card_setup(&self, setup: &PaymentRef) -> Result<CardSetupAnswer> {
        let state = match self.read(setup)?.status {
            PaymentStatus::Paid => CardSetupState::Saved(saved()),
            PaymentStatus::Declined => CardSetupState::Declined,
            _ => CardSetupState::Pending,
        };
        Ok(CardSetupAnswer::new(setup.clone(), state))
    }
}

#[async_trait]
impl ChargeProvider for Bank {
    async fn charge(&self, request: &ChargeRequest) -> Result<Charge> {
        assert_eq!(request.token.expose(), TOKEN, "the token comes back as it was sealed");
        let status = {
            let mut state = self.state.lock().unwrap();
            state.charges += 1;
            state.charge_status.unwrap_or(PaymentStatus::Paid)
        };
        self.hang(|state| state.write).await;
        let debits = u32::from(status.is_paid());
        let entry = Entry { debits, ..Entry::new(status, Some(request.amount)) };
        self.write(&request.merchant_ref, entry)?;
        let reference = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), CHARGE);
        let mut payment = Payment::new(reference, status);
        payment.amount = Some(request.amount);
        Ok(Charge::new(payment))
    }
}

impl IpnProvider for Bank {
    fn verify(&self, delivery: &Delivery<'_>) -> Result<IpnEvent> {
        if delivery.channel == Channel::Return {
            let fields = delivery.fields()?;
            let reference =
                fields.get("ref")?.ok_or_else(|| Error::new(ErrorKind::Malformed, "no reference"))?;
            let status = match fields.get("code")? {
                Some("000") => PaymentStatus::Paid,
                _ => PaymentStatus::Declined,
            };
            let subject = Subject::merchant(MerchantRef::parse(reference)?);
            return Ok(IpnEvent::new(subject, Proof::Hint(Voucher::None), "return").with_claim(
                Some(status),
                None,
                None,
            ));
        }
        let text =
            std::str::from_utf8(delivery.body).map_err(|_| Error::new(ErrorKind::Malformed, "not UTF-8"))?;
        let parts: Vec<&str> = text.split('|').collect();
        if let ["hint", reference] = parts[..] {
            let subject = Subject::merchant(MerchantRef::parse(reference)?);
            let paid = Some(PaymentStatus::Paid);
            return Ok(
                IpnEvent::new(subject, Proof::Hint(Voucher::Checksum), "hint").with_claim(paid, None, None)
            );
        }
        if let ["unsigned", reference, code, amount] = parts[..] {
            let subject = Subject::merchant(MerchantRef::parse(reference)?);
            let claimed = if code == "000" { PaymentStatus::Paid } else { PaymentStatus::Declined };
            let amount = Money::parse(amount, Currency::MNT)?;
            return Ok(IpnEvent::new(subject, Proof::Hint(Voucher::None), "push").with_claim(
                Some(claimed),
                Some(amount),
                Some(code),
            ));
        }
        let [reference, code, amount, checksum] = parts[..] else {
            return Err(Error::new(ErrorKind::Malformed, "four parts are expected"));
        };
        let status = |code: &str| if code == "000" { PaymentStatus::Paid } else { PaymentStatus::Declined };
        let proof = self.keys.prove(
            &PUSH,
            [Some(reference), Some(code), Some(amount)],
            Some(checksum),
            &Reading::new(Currency::MNT, &status),
        )?;
        let amount = Money::parse(amount, Currency::MNT)?;
        let mut event = IpnEvent::new(Subject::merchant(MerchantRef::parse(reference)?), proof, "push")
            .with_claim(Some(status(code)), Some(amount), Some(code));
        event.text = self.state.lock().unwrap().says.clone().map(FreeText::from);
        if self.state.lock().unwrap().saves_cards {
            event.saved_card = Some(saved());
        }
        Ok(event)
    }

    fn acknowledge(&self, outcome: IpnOutcome<'_>) -> Reply {
        match outcome {
            IpnOutcome::Accepted => Reply::text(200, "accepted"),
            IpnOutcome::Repeat { .. } => Reply::text(200, "repeat"),
            IpnOutcome::UnknownPayment => Reply::text(200, "unknown"),
            IpnOutcome::Ignored => Reply::text(200, "ignored"),
            IpnOutcome::Rejected(_) => Reply::text(400, "rejected"),
            IpnOutcome::NotStored => Reply::text(503, "not stored"),
        }
    }
}
