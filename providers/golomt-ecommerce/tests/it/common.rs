//! The bank's side, played from a script: what was sent is kept, what is answered is given.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
pub(crate) use tulbur_conformance::{Script, Scripted};
use tulbur_core::{
    AccountName, BuildEnv, CallbackUrl, CardToken, ChargeRequest, CreateCardSetup, CreateInvoice, Currency,
    Error, HttpResponse, ManualClock, MerchantRef, Money, Monotonic, PaymentRef, Provider, ReturnUrls,
    SequenceIds, Timestamp,
};
use tulbur_golomt_ecommerce::{
    Date, FLOW_CARD_SETUP, FLOW_CHARGE, FLOW_PAGE, GolomtEcommerce, GolomtEcommerceConfig, SettlementQuery,
};

pub(crate) const TOKEN: &str = "planted-merchant-token";
pub(crate) const SECRET: &str = "planted-secret!#";
pub(crate) const CARD: &str = "2d1f5b0c9a7e4d3f8b6a1c0e2f4d6b8a0c1e3f5a7b9d1c3e5f7a9b0d2c4e6f80";
pub(crate) const REFERENCE: &str = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b";
pub(crate) const OTHER: &str = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5c";
pub(crate) const INVOICE: &str = "d7fb2858-df36-469e-b40d-2815fe9215cf";
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub(crate) fn config() -> GolomtEcommerceConfig {
    let mut config = GolomtEcommerceConfig::new(TOKEN.into(), SECRET.into());
    config.merchant_id = Some("000000000087050".into());
    config
}

pub(crate) fn bank_with(config: GolomtEcommerceConfig) -> (GolomtEcommerce, Arc<Script>) {
    let script = Arc::new(Script::default());
    let env =
        BuildEnv::new(script.clone(), Arc::new(ManualClock::new(NOW)), Arc::new(SequenceIds::default()));
    (GolomtEcommerce::new(AccountName::parse("web-shop").unwrap(), config, env).unwrap(), script)
}

pub(crate) fn bank() -> (GolomtEcommerce, Arc<Script>) {
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

pub(crate) fn error_json(status: u16, error: &str, message: &str) -> String {
    format!(
        r#"{{"timestamp":"2020-06-02T10:51:56.359+0000","status":{status},"error":"{error}","message":"{message}","path":"/api/x"}}"#
    )
}

pub(crate) fn money(text: &str) -> Money {
    Money::parse(text, Currency::MNT).unwrap()
}

pub(crate) fn reference() -> MerchantRef {
    MerchantRef::parse(REFERENCE).unwrap()
}

pub(crate) fn back() -> ReturnUrls {
    ReturnUrls::one(CallbackUrl::parse("https://shop.mn/back?order=7").unwrap())
}

/// The moment that every write's request carries.
pub(crate) const SEND_BY: Option<Monotonic> = Some(Monotonic::from_millis(60_000));

pub(crate) fn invoice_request() -> CreateInvoice {
    let mut request = CreateInvoice::new(reference(), money("1500"), "Two books").send_by(SEND_BY);
    request.return_urls = Some(back());
    request
}

pub(crate) fn setup_request() -> CreateCardSetup {
    let mut request = CreateCardSetup::new(reference()).send_by(SEND_BY);
    request.return_urls = Some(back());
    request
}

pub(crate) fn charge_request() -> ChargeRequest {
    ChargeRequest::new(reference(), money("1500"), CardToken::new(CARD)).send_by(SEND_BY)
}

pub(crate) fn page_ref() -> PaymentRef {
    PaymentRef::new(reference(), Some(money("1500")), FLOW_PAGE)
}

pub(crate) fn charge_ref() -> PaymentRef {
    PaymentRef::new(reference(), Some(money("1500")), FLOW_CHARGE)
}

pub(crate) fn setup_ref() -> PaymentRef {
    PaymentRef::new(reference(), None, FLOW_CARD_SETUP)
}

pub(crate) fn settlement_query() -> SettlementQuery {
    SettlementQuery::new(
        CardToken::new(CARD),
        Date::parse("2020-07-29").unwrap(),
        Date::parse("2022-08-31").unwrap(),
    )
}

/// An answer of `/api/invoice` or `/api/confirmation`.
pub(crate) fn invoice_answer(reference: &str) -> String {
    let checksum = sign(&format!("{INVOICE}{reference}"));
    format!(r#"{{"invoice":"{INVOICE}","transactionId":"{reference}","checksum":"{checksum}"}}"#)
}

/// An answer of `/api/inquiry`, `/api/check` or `/api/pay`, or a push.
pub(crate) fn result(reference: &str, code: Option<&str>, amount: &str, token: Option<&str>) -> String {
    let message = [reference, code.unwrap_or_default(), amount, token.unwrap_or_default()].concat();
    result_signed(reference, code, amount, token, &sign(&message))
}

pub(crate) fn result_signed(
    reference: &str,
    code: Option<&str>,
    amount: &str,
    token: Option<&str>,
    checksum: &str,
) -> String {
    let json = |text: Option<&str>| text.map_or("null".to_owned(), |text| format!("\"{text}\""));
    format!(
        r#"{{"status":"SENT","amount":"{amount}","bank":"Голомт банк","errorDesc":"Амжилттай","errorCode":{},"cardHolder":"Golomt bank","cardNumber":"949625******0003","transactionId":"{reference}","token":{},"checksum":"{checksum}"}}"#,
        json(code),
        json(token),
    )
}

/// An answer of `/api/get/token`.
pub(crate) fn token_answer(code: Option<&str>, token: Option<&str>) -> String {
    let message = [REFERENCE, token.unwrap_or_default()].concat();
    result_signed(REFERENCE, code, "", token, &sign(&message))
}

pub(crate) fn settlement_answer(last: bool) -> String {
    format!(
        r#"{{"content":[{{"id":2184720,"merchantId":"000000000087050","cardNumber":"515023******6617","token":"{CARD}","amount":"100","merchantInvoice":"6","respCode":"00","requestDate":"2022-07-29T09:00:34.000+0000"}}],"pageable":{{"first":true,"last":{last},"totalPages":2,"totalElements":2}}}}"#
    )
}

/// Every operation, so that what holds for all of them is tested on all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Invoice,
    CardSetup,
    Charge,
    Query,
    QueryCharge,
    ReadCardSetup,
    Settlements,
}

impl Operation {
    pub(crate) const ALL: [Self; 7] = [
        Self::Invoice,
        Self::CardSetup,
        Self::Charge,
        Self::Query,
        Self::QueryCharge,
        Self::ReadCardSetup,
        Self::Settlements,
    ];

    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Invoice | Self::CardSetup | Self::Charge)
    }

    /// Whether its request carries the moment before which it must be on its way.
    pub(crate) fn has_deadline(self) -> bool {
        self.writes()
    }

    pub(crate) fn good(self) -> String {
        match self {
            Self::Invoice | Self::CardSetup => invoice_answer(REFERENCE),
            Self::Charge | Self::Query | Self::QueryCharge => result(REFERENCE, Some("000"), "1500.00", None),
            Self::ReadCardSetup => token_answer(Some("000"), Some(CARD)),
            Self::Settlements => settlement_answer(true),
        }
    }

    pub(crate) async fn run(self, bank: &GolomtEcommerce) -> Result<(), Error> {
        match self {
            Self::Invoice => bank.invoices().unwrap().create_invoice(&invoice_request()).await.map(drop),
            Self::CardSetup => bank.tokenize().unwrap().create_card_setup(&setup_request()).await.map(drop),
            Self::Charge => bank.charges().unwrap().charge(&charge_request()).await.map(drop),
            Self::Query => bank.queries().unwrap().query(&page_ref()).await.map(drop),
            Self::QueryCharge => bank.queries().unwrap().query(&charge_ref()).await.map(drop),
            Self::ReadCardSetup => bank.tokenize().unwrap().read_card_setup(&setup_ref()).await.map(drop),
            Self::Settlements => bank.settlements(&settlement_query()).await.map(drop),
        }
    }
}
