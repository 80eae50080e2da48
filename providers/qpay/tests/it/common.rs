//! QPay's side, played from a script: what was sent is kept, what is answered is given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tulbur_conformance::Script;
pub(crate) use tulbur_conformance::Scripted;
use tulbur_core::{
    Accept, AccountName, BuildEnv, CallbackUrl, CancelRequest, ChargeRef, CreateInvoice, Currency, Error,
    HttpRequest, HttpResponse, HttpTransport, Invoice, ManualClock, MerchantRef, Money, Monotonic,
    OperationRef, Payment, PaymentRef, Provider, ProviderRef, RefundRequest, SequenceIds, Timestamp, Way,
    async_trait,
};
use tulbur_qpay::{CreateReceipt, FLOW_INVOICE, QPay, QPayConfig, Receiver};

pub(crate) const USERNAME: &str = "planted-user";
pub(crate) const PASSWORD: &str = "planted:password";
pub(crate) const CODE: &str = "TEST_INVOICE";
/// The invoice of the vectors.
pub(crate) const INVOICE: &str = "d50f49f2-9032-4a74-8929-530531f28f63";
pub(crate) const OTHER_INVOICE: &str = "c565079c-11e6-45c2-a802-fc0f2f784993";
pub(crate) const TRANSFER: &str = "089741882240445";
pub(crate) const CARD: &str = "8e25b4d5-fe5a-4d0f-b050-def68a82aaad";
pub(crate) const NUMBER: &str = "1234567";
/// The QR of the vectors: 100 tögrög, number 1234567.
pub(crate) const QR: &str = "0002010102121531279404962794049600022310027138152045734530349654031005802MN5904TEST\
    6011Ulaanbaatar6244010712345670504test0721qWlrS8_zUpplFJmmfBGXc6304C66D";
/// 2026-01-29 07:02:05 UTC, when the token of the vectors was issued.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_769_670_125_000);
/// The moment that every write's request carries.
pub(crate) const SEND_BY: Option<Monotonic> = Some(Monotonic::from_millis(60_000));

/// QPay: a script of answers, and one of logins, which are answered well where it is empty.
#[derive(Debug, Default)]
pub(crate) struct Side {
    calls: Script,
    logins: Script,
    tokens: AtomicU64,
}

impl Side {
    pub(crate) fn then(&self, answer: Scripted) -> &Self {
        self.calls.then(answer);
        self
    }

    pub(crate) fn then_login(&self, answer: Scripted) -> &Self {
        self.logins.then(answer);
        self
    }

    /// What was sent, but for logins.
    pub(crate) fn sent(&self) -> Vec<HttpRequest> {
        self.calls.sent()
    }

    /// Logins and renewals.
    pub(crate) fn logins(&self) -> Vec<HttpRequest> {
        self.logins.sent()
    }

    /// The one request that was sent.
    pub(crate) fn one(&self) -> HttpRequest {
        self.calls.one()
    }
}

#[async_trait]
impl HttpTransport for Side {
    async fn send(&self, request: HttpRequest) -> Scripted {
        if !request.url.path().starts_with("/v2/auth/") {
            return self.calls.send(request).await;
        }
        if self.logins.left() == 0 {
            let number = self.tokens.fetch_add(1, Ordering::SeqCst) + 1;
            self.logins.then(ok(&token(number, &json!(1_769_756_525_u64))));
        }
        self.logins.send(request).await
    }
}

/// A header of a request.
pub(crate) fn header<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    request.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str())
}

pub(crate) fn body(request: &HttpRequest) -> &str {
    std::str::from_utf8(&request.body).unwrap()
}

/// The eight fields of a login's answer.
pub(crate) fn token(number: u64, expires: &Value) -> Value {
    json!({
        "token_type": "bearer", "refresh_expires_in": expires,
        "refresh_token": format!("planted-refresh-{number}"),
        "access_token": format!("planted-access-{number}"), "expires_in": expires,
        "scope": "get_token", "not-before-policy": "0", "session_state": "sandbox",
    })
}

pub(crate) fn config() -> QPayConfig {
    QPayConfig::new(USERNAME.into(), PASSWORD.into(), CODE)
}

/// An account that accepts what is inferred, and so has every operation.
pub(crate) fn all() -> QPayConfig {
    let mut config = config();
    config.accept = Accept::Inferred;
    config.vat_invoice_code = Some("TEST_VAT".into());
    config
}

pub(crate) fn qpay_at(config: QPayConfig, clock: &ManualClock) -> (QPay, Arc<Side>) {
    let script = Arc::new(Side::default());
    let env = BuildEnv::new(script.clone(), Arc::new(clock.clone()), Arc::new(SequenceIds::default()));
    (QPay::new(AccountName::parse("qpay-shop").unwrap(), config, env).unwrap(), script)
}

pub(crate) fn qpay() -> (QPay, Arc<Side>) {
    qpay_at(all(), &ManualClock::new(NOW))
}

#[expect(clippy::unnecessary_wraps, reason = "it is one of a script's answers, of which others fail")]
pub(crate) fn http(status: u16, body: impl Into<Vec<u8>>) -> Scripted {
    Ok(HttpResponse::new(status, vec![], body.into()))
}

pub(crate) fn ok(body: &Value) -> Scripted {
    http(200, body.to_string())
}

pub(crate) fn failure(code: &str) -> String {
    json!({ "error": code, "message": "Алдаа гарлаа" }).to_string()
}

pub(crate) fn mnt(text: &str) -> Money {
    Money::parse(text, Currency::MNT).unwrap()
}

pub(crate) fn reference() -> MerchantRef {
    MerchantRef::parse(NUMBER).unwrap()
}

pub(crate) fn charge(id: &str) -> ChargeRef {
    ChargeRef::parse(id).unwrap()
}

pub(crate) fn invoice_request() -> CreateInvoice {
    let mut request = CreateInvoice::new(reference(), mnt("100"), "test").send_by(SEND_BY);
    request.notify_url = Some(CallbackUrl::parse("https://example.com/cb?o=1").unwrap());
    request.way = Way::Qr;
    request
}

pub(crate) fn payment_of(invoice: &str) -> PaymentRef {
    PaymentRef::new(reference(), Some(mnt("100")), FLOW_INVOICE)
        .with_provider_ref(ProviderRef::parse(invoice).unwrap())
}

pub(crate) fn payment() -> PaymentRef {
    payment_of(INVOICE)
}

pub(crate) fn refund_request(part: &str, amount: &str) -> RefundRequest {
    let id = OperationRef::parse("refund-1").unwrap();
    let mut request = RefundRequest::new(payment(), id, mnt(amount), "n").send_by(SEND_BY);
    request.part = Some(charge(part));
    request
}

pub(crate) fn created() -> Value {
    json!({
        "invoice_id": INVOICE, "qr_text": QR, "qr_image": "iVBORw0KGgo=",
        "qPay_shortUrl": "https://s.qpay.mn/z1lKnIO5T",
        "urls": [
            { "name": "Khan bank", "description": "Хаан банк", "logo": "https://qpay.mn/q/logo/khanbank.png",
              "link": format!("khanbank://q?qPay_QRcode={QR}") },
            { "name": "Most money", "description": "МОСТ мони", "logo": null,
              "link": "most://q?qPay_QRcode=a b%2f+С" },
        ],
    })
}

/// A row of a check.
pub(crate) fn row(id: &str, status: &str, amount: &str) -> Value {
    let kind = if id.contains('-') { "CARD" } else { "P2P" };
    json!({
        "payment_id": id, "payment_status": status, "payment_amount": amount, "trx_fee": "1.00",
        "payment_currency": "MNT", "payment_wallet": "qPay wallet", "payment_type": kind,
        "next_payment_date": null, "next_payment_datetime": null, "card_transactions": [],
        "p2p_transactions": [],
    })
}

pub(crate) fn checked(rows: &[Value]) -> Value {
    json!({ "count": rows.len(), "paid_amount": 0, "rows": rows })
}

/// What a payment is read as.
pub(crate) fn read_of(invoice: &str, id: &str, status: &str, amount: &str) -> Value {
    let mut read = row(id, status, amount);
    let kind = read["payment_type"].take();
    let fields = read.as_object_mut().unwrap();
    for name in ["payment_type", "trx_fee"] {
        fields.remove(name);
    }
    fields.insert("transaction_type".into(), kind);
    fields.insert("payment_fee".into(), "1.00".into());
    fields.insert("payment_date".into(), "2022-03-11T05:57:47.336Z".into());
    fields.insert("object_type".into(), "INVOICE".into());
    fields.insert("object_id".into(), invoice.into());
    read
}

pub(crate) fn read(id: &str, status: &str, amount: &str) -> Value {
    read_of(INVOICE, id, status, amount)
}

/// A check with these rows, and a read for each that is money.
pub(crate) fn script_check(script: &Side, rows: &[(&str, &str, &str)]) {
    let listed: Vec<Value> = rows.iter().map(|(id, status, amount)| row(id, status, amount)).collect();
    script.then(ok(&checked(&listed)));
    for (id, status, amount) in rows {
        if matches!(*status, "PAID" | "REFUNDED" | "REFUND") {
            script.then(ok(&read(id, status, amount)));
        }
    }
}

pub(crate) async fn query(qpay: &QPay) -> Result<Payment, Error> {
    qpay.queries().unwrap().query(&payment()).await
}

pub(crate) async fn create(qpay: &QPay, request: &CreateInvoice) -> Result<Invoice, Error> {
    qpay.invoices().unwrap().create_invoice(request).await
}

pub(crate) fn receipt_request() -> CreateReceipt {
    CreateReceipt::new(charge(TRANSFER), Receiver::Citizen(None))
}

/// Every operation, so that what holds for all of them is tested on all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Check,
    Read,
    Cancel,
    Refund,
    CancelPayment,
    CreateReceipt,
    CancelReceipt,
    CreateOldReceipt,
    ReadOldReceipt,
    CancelOldReceipt,
}

impl Operation {
    pub(crate) const ALL: [Self; 11] = [
        Self::Create,
        Self::Check,
        Self::Read,
        Self::Cancel,
        Self::Refund,
        Self::CancelPayment,
        Self::CreateReceipt,
        Self::CancelReceipt,
        Self::CreateOldReceipt,
        Self::ReadOldReceipt,
        Self::CancelOldReceipt,
    ];

    pub(crate) fn writes(self) -> bool {
        !matches!(self, Self::Check | Self::Read | Self::ReadOldReceipt)
    }

    /// Whether it gives money back, for which it reads the payment first.
    pub(crate) fn gives_back(self) -> bool {
        matches!(self, Self::Refund | Self::CancelPayment)
    }

    /// What comes before the answer that matters.
    pub(crate) fn prepare(self, script: &Side) {
        if self.gives_back() {
            script.then(ok(&read(CARD, "PAID", "100.00")));
        }
    }

    /// Whether its request carries the moment before which it must be on its way.
    pub(crate) fn has_deadline(self) -> bool {
        matches!(self, Self::Create | Self::Cancel | Self::Refund | Self::CancelPayment)
    }

    pub(crate) fn good(self) -> Value {
        match self {
            Self::Create => created(),
            Self::Check => checked(&[]),
            Self::Read => read(CARD, "PAID", "100.00"),
            _ => json!({}),
        }
    }

    pub(crate) async fn run(self, qpay: &QPay) -> Result<(), Error> {
        let receipt = ProviderRef::parse("ca48461c-0b85-438d-b8f4-8b46582a668c").unwrap();
        match self {
            Self::Create => create(qpay, &invoice_request()).await.map(drop),
            Self::Check => query(qpay).await.map(drop),
            Self::Read => qpay.read_payment(&payment(), &charge(CARD)).await.map(drop),
            Self::Cancel => {
                let request = CancelRequest::new(payment()).send_by(SEND_BY);
                qpay.cancels().unwrap().cancel(&request).await.map(drop)
            }
            Self::Refund => qpay.refunds().unwrap().refund(&refund_request(CARD, "100")).await.map(drop),
            Self::CancelPayment => qpay.cancel_payment(&refund_request(CARD, "100")).await.map(drop),
            Self::CreateReceipt => qpay.create_receipt(&receipt_request()).await.map(drop),
            Self::CancelReceipt => qpay.cancel_receipt(&charge(TRANSFER)).await.map(drop),
            Self::CreateOldReceipt => qpay.create_old_receipt(&receipt_request()).await.map(drop),
            Self::ReadOldReceipt => qpay.read_old_receipt(&receipt).await.map(drop),
            Self::CancelOldReceipt => qpay.cancel_old_receipt(&receipt).await.map(drop),
        }
    }
}
