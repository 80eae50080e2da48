//! The bank's side, played from a script: what was sent is kept, what is answered is given.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
pub(crate) use tulbur_conformance::{Script, Scripted};
use tulbur_core::{
    AccountName, BuildEnv, CancelRequest, CreateInvoice, Currency, Error, Flow, HttpRequest, HttpResponse,
    ManualClock, MerchantRef, Money, Monotonic, OperationRef, PaymentRef, Provider, RefundRequest,
    SequenceIds, Timestamp, Way,
};
use tulbur_golomt_instore::{FLOW_QR, GolomtInstore, GolomtInstoreConfig};

pub(crate) const TERMINAL: &str = "13161272";
pub(crate) const SECRET: &str = "planted-secret!#";
pub(crate) const REFERENCE: &str = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b";
pub(crate) const OTHER: &str = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5c";
pub(crate) const PHONE: &str = "99112233";
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// The payload that the bank's page prints, for 1100.
pub(crate) const PAYLOAD: &str = "00020101021215312662049626620496002303100000147520460105303496540411005802MN5908kub-test6011ULAANBAATAR62440121000008191937071002124031500000000003430080020163045aea";
pub(crate) const LINK: &str = "socialpay-payment://key=Tm90L2Ega2V5+YXQ/YWxsAA==";

pub(crate) fn env() -> (BuildEnv, Arc<Script>) {
    let script = Arc::new(Script::default());
    let clock = Arc::new(ManualClock::new(NOW));
    (BuildEnv::new(script.clone(), clock, Arc::new(SequenceIds::default())), script)
}

pub(crate) fn config() -> GolomtInstoreConfig {
    GolomtInstoreConfig::new(TERMINAL, SECRET.into())
}

pub(crate) fn bank_with(config: GolomtInstoreConfig) -> (GolomtInstore, Arc<Script>) {
    let (env, script) = env();
    (GolomtInstore::new(AccountName::parse("till-1").unwrap(), config, env).unwrap(), script)
}

pub(crate) fn bank() -> (GolomtInstore, Arc<Script>) {
    bank_with(config())
}

/// The checksum, computed here and not by the crates under test.
pub(crate) fn sign_with(secret: &str, message: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

pub(crate) fn sign(message: &str) -> String {
    sign_with(SECRET, message)
}

#[expect(clippy::unnecessary_wraps, reason = "it is one of a script's answers, of which others fail")]
pub(crate) fn http(status: u16, body: impl Into<Vec<u8>>) -> Scripted {
    Ok(HttpResponse::new(status, vec![], body.into()))
}

pub(crate) fn body(request: &HttpRequest) -> String {
    String::from_utf8(request.body.to_vec()).unwrap()
}

/// A good envelope around a result.
pub(crate) fn good(response: &str) -> String {
    format!(r#"{{"header":{{"code":200,"status":"success"}},"body":{{"response":{response}}}}}"#)
}

/// An error as the bank's sister service answers it, inside HTTP 200.
pub(crate) fn failed(kind: &str, text: &str) -> String {
    format!(
        r#"{{"header":{{"code":400,"status":"failed"}},"body":{{"error":{{"errorDesc":"{text}","errorType":"{kind}"}}}}}}"#
    )
}

pub(crate) fn shown(desc: &str) -> String {
    good(&format!(r#"{{"desc":"{desc}","status":"SUCCESS"}}"#))
}

/// The answer to a check or a refund.
pub(crate) fn transaction(reference: &str, code: &str, amount: &str) -> String {
    good(&format!(
        r#"{{"resp_code":"{code}","resp_desc":"Амжилттай","approval_code":"012345","amount":"{amount}","card_number":"498738******3883","terminal":"{TERMINAL}","invoice":"{reference}","checksum":"not ours to check"}}"#
    ))
}

pub(crate) fn money(text: &str) -> Money {
    Money::parse(text, Currency::MNT).unwrap()
}

pub(crate) fn reference() -> MerchantRef {
    MerchantRef::parse(REFERENCE).unwrap()
}

/// The moment that every write's request carries.
pub(crate) const SEND_BY: Option<Monotonic> = Some(Monotonic::from_millis(60_000));

pub(crate) fn invoice_request(way: Way) -> CreateInvoice {
    let mut request = CreateInvoice::new(reference(), money("1100"), "Two coffees").send_by(SEND_BY);
    request.way = way;
    if way == Way::Phone {
        request.payer.phone = Some(PHONE.into());
    }
    request
}

pub(crate) fn payment(flow: Flow) -> PaymentRef {
    PaymentRef::new(reference(), Some(money("1100")), flow)
}

pub(crate) fn refund_request(amount: &str) -> RefundRequest {
    RefundRequest::new(payment(FLOW_QR), OperationRef::parse("refund-1").unwrap(), money(amount), "sent back")
        .send_by(SEND_BY)
}

/// Every operation, so that what holds for all of them is tested on all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Phone,
    Qr,
    Deeplink,
    Cancel,
    Check,
    Refund,
    Settlement,
}

impl Operation {
    pub(crate) const ALL: [Self; 7] =
        [Self::Phone, Self::Qr, Self::Deeplink, Self::Cancel, Self::Check, Self::Refund, Self::Settlement];

    pub(crate) fn writes(self) -> bool {
        self != Self::Check
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Phone => "/pos/invoice/phone",
            Self::Qr => "/pos/invoice/qr",
            Self::Deeplink => "/pos/invoice/qr/deeplink",
            Self::Cancel => "/pos/invoice/cancel",
            Self::Check => "/pos/invoice/check",
            Self::Refund => "/pos/payment/cancel",
            Self::Settlement => "/pos/settlement",
        }
    }

    /// Whether its request carries the moment before which it must be on its way.
    pub(crate) fn has_deadline(self) -> bool {
        self.writes() && self != Self::Settlement
    }

    pub(crate) fn good(self) -> String {
        match self {
            Self::Phone | Self::Cancel => shown("success"),
            Self::Qr => shown(PAYLOAD),
            Self::Deeplink => shown(LINK),
            Self::Check | Self::Refund => transaction(REFERENCE, "00", "1100"),
            Self::Settlement => good(r#"{"amount":"5000.00","count":3,"status":"SUCCESS"}"#),
        }
    }

    pub(crate) async fn run(self, bank: &GolomtInstore) -> Result<(), Error> {
        let invoices = bank.invoices().unwrap();
        match self {
            Self::Phone => invoices.create_invoice(&invoice_request(Way::Phone)).await.map(drop),
            Self::Qr => bank.qr().unwrap().create_qr(&invoice_request(Way::Qr)).await.map(drop),
            Self::Deeplink => invoices.create_invoice(&invoice_request(Way::App)).await.map(drop),
            Self::Cancel => bank
                .cancels()
                .unwrap()
                .cancel(&CancelRequest::new(payment(FLOW_QR)).send_by(SEND_BY))
                .await
                .map(drop),
            Self::Check => bank.queries().unwrap().query(&payment(FLOW_QR)).await.map(drop),
            Self::Refund => bank.refunds().unwrap().refund(&refund_request("1100")).await.map(drop),
            Self::Settlement => bank.settle("SETTLE001").await.map(drop),
        }
    }
}
