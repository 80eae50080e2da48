//! A made-up bank whose every answer the test decides.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tulbur_core::{
    AccountName, Alphabet, CardInfo, CardSetup, CardSetupAnswer, CardSetupState, CardToken, ChargeRef,
    CreateCardSetup, CreateInvoice, Currency, Delivery, Error, ErrorKind, FlowEffect, FlowInfo, FlowStart,
    Invoice, InvoiceProvider, IpnEvent, IpnOutcome, IpnProvider, Language, MerchantRef, Money, NextAction,
    NotifyAddress, PageKind, PaidPart, Payment, PaymentRef, PaymentStatus, Poll, Proof, Provider, ProviderId,
    ProviderInfo, QueryBy, QueryProvider, Redirect, RefRule, Reply, Result, SavedCard, Subject,
    TokenizeProvider, Url, Voucher, Way, async_trait,
};
use tulbur_payments::PaymentRecord;

use super::{ACCOUNT, BANK_CODE, CARD_TOKEN, NOTIFY_KEY, PAGE, SETUP};

/// What the fake bank says of one payment.
#[derive(Debug, Clone)]
pub struct Said {
    pub status: PaymentStatus,
    pub text: Option<String>,
    pub card: CardInfo,
    /// What came in each movement of money, of a payment that came in parts.
    pub parts: Vec<Money>,
}

impl Said {
    pub fn status(status: PaymentStatus) -> Self {
        Self { status, text: None, card: CardInfo::default(), parts: Vec::new() }
    }
}

/// A bank with a card page in two languages, a wallet page, and an app.
#[derive(Debug)]
pub struct FakeBank {
    info: ProviderInfo,
    said: Mutex<HashMap<MerchantRef, Said>>,
    pub asked: AtomicUsize,
    /// Further ways to pay, offered with the next invoice.
    pub next: Mutex<Vec<NextAction>>,
    /// What the next invoice offers instead of the bank's own pages.
    pub instead: Mutex<Option<Vec<NextAction>>>,
}

impl FakeBank {
    pub fn new() -> Self {
        let rule = RefRule::new(Alphabet::AlphanumericHyphen, 1..=64);
        let mut info = ProviderInfo::new(
            ProviderId::parse(ACCOUNT).unwrap(),
            AccountName::parse(ACCOUNT).unwrap(),
            "Fake Bank",
            Currency::MNT,
            rule,
        );
        info.ways = vec![Way::Page];
        info.currencies.extend([Currency::VND, Currency::USD, Currency::JPY]);
        info.notify = NotifyAddress::PerAccount;
        info.flows = [(PAGE, FlowStart::Invoice(vec![Way::Page])), (SETUP, FlowStart::CardSetup)]
            .map(|(flow, start)| {
                FlowInfo::new(flow, start, FlowEffect::Inert, QueryBy::MerchantRef)
                    .lifetime(Some(Duration::from_mins(10)))
                    .poll(Poll { first: Duration::from_millis(20), every: Duration::from_millis(20) })
            })
            .to_vec();
        Self {
            info,
            said: Mutex::default(),
            asked: AtomicUsize::new(0),
            next: Mutex::default(),
            instead: Mutex::default(),
        }
    }

    fn books(&self) -> MutexGuard<'_, HashMap<MerchantRef, Said>> {
        self.said.lock().unwrap()
    }

    pub fn say(&self, record: &PaymentRecord, said: Said) {
        self.books().insert(record.reference.merchant_ref.clone(), said);
    }

    fn said(&self, reference: &PaymentRef) -> Result<Said> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let said = self.books().get(&reference.merchant_ref).cloned();
        said.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such payment"))
    }

    fn register(&self, reference: &MerchantRef) {
        self.books().insert(reference.clone(), Said::status(PaymentStatus::Pending));
    }
}

pub fn redirect(url: &str, page: PageKind, language: Option<Language>) -> NextAction {
    NextAction::Redirect(Redirect { url: Url::parse(url).unwrap(), page, language })
}

impl Provider for FakeBank {
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
    fn ipn(&self) -> Option<&dyn IpnProvider> {
        Some(self)
    }
}

#[async_trait]
impl InvoiceProvider for FakeBank {
    async fn create_invoice(&self, request: &CreateInvoice) -> Result<Invoice> {
        self.register(&request.merchant_ref);
        let payment = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), PAGE);
        if let Some(instead) = self.instead.lock().unwrap().take() {
            return Ok(Invoice::new(payment, instead));
        }
        let mut next = vec![
            redirect("https://bank.example/mn/card", PageKind::Card, Some(Language::Mn)),
            redirect("https://bank.example/en/card", PageKind::Card, Some(Language::En)),
            redirect("https://bank.example/mn/wallet", PageKind::SocialPay, Some(Language::Mn)),
            redirect("https://bank.example/en/wallet", PageKind::SocialPay, Some(Language::En)),
        ];
        next.append(&mut self.next.lock().unwrap());
        Ok(Invoice::new(payment, next))
    }
}

#[async_trait]
impl QueryProvider for FakeBank {
    async fn query(&self, asked: &PaymentRef) -> Result<Payment> {
        let said = self.said(asked)?;
        let mut payment = if said.parts.is_empty() {
            let mut payment = Payment::new(asked.clone(), said.status);
            payment.amount = asked.amount;
            payment
        } else {
            let part = |(number, amount): (usize, &Money)| {
                PaidPart::new(ChargeRef::parse(format!("part-{number}")).unwrap(), *amount)
            };
            let parts = said.parts.iter().enumerate().map(part).collect();
            Payment::of_parts(asked.clone(), asked.amount.unwrap(), parts)?
        };
        payment.text = said.text.map(Into::into);
        payment.card = said.card;
        payment.code = Some(BANK_CODE.into());
        Ok(payment)
    }
}

#[async_trait]
impl TokenizeProvider for FakeBank {
    async fn create_card_setup(&self, request: &CreateCardSetup) -> Result<CardSetup> {
        self.register(&request.merchant_ref);
        let reference = PaymentRef::new(request.merchant_ref.clone(), None, SETUP);
        Ok(CardSetup::new(reference, vec![redirect("https://bank.example/save", PageKind::SaveCard, None)]))
    }

    async fn read_card_setup(&self, setup: &PaymentRef) -> Result<CardSetupAnswer> {
        let said = self.said(setup)?;
        let state = match said.status {
            PaymentStatus::Paid => {
                CardSetupState::Saved(SavedCard::new(CardToken::new(CARD_TOKEN), said.card))
            }
            PaymentStatus::Pending | PaymentStatus::Authorized => CardSetupState::Pending,
            _ => CardSetupState::Declined,
        };
        Ok(CardSetupAnswer::new(setup.clone(), state))
    }
}

/// A notification is `{"reference": "…"}` by POST with the key in a header; a return names the payment in a field.
impl IpnProvider for FakeBank {
    fn verify(&self, delivery: &Delivery<'_>) -> Result<IpnEvent> {
        let reference = match delivery.channel {
            tulbur_core::Channel::Notify => {
                if delivery.method != "POST" {
                    return Err(Error::new(ErrorKind::Malformed, "a notification comes by POST"));
                }
                if delivery.header("x-fake-key") != Some(NOTIFY_KEY) {
                    return Err(Error::new(ErrorKind::Untrusted, "the key is missing or wrong"));
                }
                let body: serde_json::Value = serde_json::from_slice(delivery.body)
                    .map_err(|_| Error::new(ErrorKind::Malformed, "the body is not JSON"))?;
                body["reference"].as_str().unwrap_or_default().to_owned()
            }
            tulbur_core::Channel::Return => delivery
                .fields()?
                .get("reference")?
                .ok_or_else(|| Error::new(ErrorKind::Malformed, "it is missing").with_field("reference"))?
                .to_owned(),
        };
        let checked = delivery.channel == tulbur_core::Channel::Notify;
        let subject = Subject::merchant(MerchantRef::parse(reference)?);
        Ok(IpnEvent::new(
            subject,
            Proof::Hint(if checked { Voucher::Checksum } else { Voucher::None }),
            "result",
        ))
    }

    fn acknowledge(&self, outcome: IpnOutcome<'_>) -> Reply {
        match outcome {
            IpnOutcome::Accepted => Reply::text(200, "OK"),
            IpnOutcome::Repeat { .. } => Reply::text(200, "OK, again"),
            IpnOutcome::UnknownPayment | IpnOutcome::Ignored => Reply::json(404, r#"{"error":"unknown"}"#),
            IpnOutcome::Rejected(_) => Reply::text(403, "DENIED"),
            IpnOutcome::NotStored => Reply::text(500, "LATER"),
        }
    }
}
