//! A provider whose invoices can be paid in several movements, that signs nothing, and that may be asked on hints alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tulbur_core::{
    AccountName, Alphabet, Asking, ChargeRef, CreateInvoice, Currency, Delivery, Error, ErrorKind, Flow,
    FlowEffect, FlowInfo, FlowStart, Invoice, InvoiceProvider, IpnEvent, IpnOutcome, IpnProvider, NextAction,
    NotifyAddress, PaidPart, Payment, PaymentRef, Poll, Proof, Provider, ProviderId, ProviderInfo,
    ProviderRef, QueryBy, QueryProvider, RefRule, Refund, RefundPart, RefundProvider, RefundRequest,
    RefundRule, RefundStatus, Reply, Result, Subject, Voucher, Way, async_trait,
};

use super::mnt;

pub const APP: Flow = Flow::new("app");

/// What the wallet knows, and what a test tells it to do.
#[derive(Debug, Default)]
pub struct Books {
    /// The movements for each invoice, by our reference.
    pub parts: HashMap<String, Vec<PaidPart>>,
    /// Where notifications about each go.
    pub addresses: HashMap<String, String>,
    pub queries: u32,
    /// Which part each refund named.
    pub refunds: Vec<String>,
    pub down: bool,
}

#[derive(Debug)]
pub struct Wallet {
    info: ProviderInfo,
    pub books: Arc<Mutex<Books>>,
}

impl Wallet {
    pub fn new() -> Self {
        let (id, account) = (ProviderId::parse("wallet").unwrap(), AccountName::parse("wallet").unwrap());
        let rule = RefRule::new(Alphabet::Alphanumeric, 32..=32);
        let mut info = ProviderInfo::new(id, account, "Wallet", Currency::MNT, rule);
        let flow =
            FlowInfo::new(APP, FlowStart::Invoice(vec![Way::App]), FlowEffect::Inert, QueryBy::ProviderRef);
        let slowly = Duration::from_secs(15);
        info.flows = vec![
            flow.asking(Asking::OnHint)
                .lifetime(Some(Duration::from_hours(1)))
                .poll(Poll { first: slowly, every: slowly }),
        ];
        info.ways = vec![Way::App];
        info.notify = NotifyAddress::PerPayment;
        info.in_parts = true;
        info.refunds = Some(RefundRule { part: RefundPart::WholePart, repeated: true, window: None });
        Self { info, books: Arc::default() }
    }
}

pub fn part(id: &str, units: i64, method: &str) -> PaidPart {
    let mut part = PaidPart::new(ChargeRef::parse(id).unwrap(), mnt(units));
    part.method = Some(method.into());
    part.refundable = method == "CARD";
    part
}

impl Provider for Wallet {
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

#[async_trait]
impl InvoiceProvider for Wallet {
    async fn create_invoice(&self, request: &CreateInvoice) -> Result<Invoice> {
        assert!(request.created_at.is_some(), "the engine says when it was asked for");
        let mut books = self.books.lock().unwrap();
        let reference = request.merchant_ref.as_str().to_owned();
        let address = request.notify_url.as_ref().expect("each payment has an address").as_str().to_owned();
        books.parts.insert(reference.clone(), Vec::new());
        books.addresses.insert(reference, address);
        let number = ProviderRef::parse(format!("inv-{}", request.merchant_ref)).unwrap();
        let payment = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), APP);
        Ok(Invoice::new(payment.with_provider_ref(number), vec![NextAction::Approve]))
    }
}

#[async_trait]
impl QueryProvider for Wallet {
    async fn query(&self, payment: &PaymentRef) -> Result<Payment> {
        assert!(payment.created_at.is_some(), "it is kept for later calls");
        let mut books = self.books.lock().unwrap();
        books.queries += 1;
        if books.down {
            return Err(Error::new(ErrorKind::Unavailable, "the wallet is down"));
        }
        let parts = books.parts[payment.merchant_ref.as_str()].clone();
        Payment::of_parts(payment.clone(), payment.amount.expect("it is a payment"), parts)
    }
}

#[async_trait]
impl RefundProvider for Wallet {
    async fn refund(&self, request: &RefundRequest) -> Result<Refund> {
        let part = request.part.as_ref().expect("a refund names its part").as_str().to_owned();
        self.books.lock().unwrap().refunds.push(part);
        Ok(Refund::new(request.amount, RefundStatus::Pending))
    }
}

impl IpnProvider for Wallet {
    fn verify(&self, delivery: &Delivery<'_>) -> Result<IpnEvent> {
        let fields = delivery.query_fields()?;
        if fields.get("test")?.is_some() {
            return Ok(IpnEvent::test_message());
        }
        let id = fields.get("id")?.ok_or_else(|| Error::new(ErrorKind::Malformed, "no id"))?;
        Ok(IpnEvent::new(Subject::default(), Proof::Hint(Voucher::Address), id))
    }

    fn acknowledge(&self, outcome: IpnOutcome<'_>) -> Reply {
        match outcome {
            IpnOutcome::Accepted | IpnOutcome::Repeat { .. } => Reply::text(200, "SUCCESS"),
            IpnOutcome::Ignored => Reply::text(200, "TEST"),
            _ => Reply::text(400, "NO"),
        }
    }
}
