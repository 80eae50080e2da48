//! The gateway's side, played from a script: what was sent is kept, what is answered is given.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
pub(crate) use tulbur_conformance::{Script, Scripted};
use tulbur_core::{
    Accept, AccountName, BuildEnv, CallbackUrl, CaptureRequest, CardToken, ChargeRequest, CreateInvoice,
    Currency, Error, Flow, HttpResponse, IdSource, Language, ManualClock, MerchantRef, Money, Monotonic,
    OperationRef, Options, PaymentRef, Provider, ProviderRef, RefundRequest, ReturnUrls, Timestamp,
    VoidRequest, Way,
};
use tulbur_galaxy_pay::{
    Checkout, ExpiryUnit, FLOW_AUTHORIZE, FLOW_OPTION, GalaxyPay, GalaxyPayConfig, GalaxyPayOptions,
    LinkMethod, Method, PaymentLink, RawCard, SourceType, UAT_CHECKOUT_SCRIPT,
};

pub(crate) const KEY: &str = "cGxhbnRlZA==.planted-api-key";
pub(crate) const SALT: &str = "planted@salt-of-common";
pub(crate) const TOKEN: &str = "3235EAC3C7A94E1B8D2F6A5B4C3D2E1F0A9B";
pub(crate) const CUSTOMER: &str = "eyJwbGFudGVk.customer-token.c2ln";
pub(crate) const CARD: &str = "4012000033330026";
pub(crate) const REFERENCE: &str = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b";
pub(crate) const OTHER: &str = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5c";
pub(crate) const REFUND: &str = "0190ffffc3d47e5f8a9b0c1d2e3f4a5d";
pub(crate) const TRANSACTION: &str = "2311165672361384300115770";
pub(crate) const LINK: &str = "9354202307051688550745270";
/// The id of every request, because every script begins anew.
pub(crate) const REQUEST: &str = "01900000000070008000000000000000";
/// 2023-11-14 22:13:20 UTC, which is the next day in Vietnam.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
pub(crate) const TODAY: u64 = 20_231_115_051_320;

/// The one request that was sent, as path and JSON.
pub(crate) fn one(script: &Script) -> (String, Value) {
    let request = script.one();
    (request.url.path().to_owned(), serde_json::from_slice(&request.body).unwrap())
}

/// Ids of which the first is [`REQUEST`].
#[derive(Debug, Default)]
pub(crate) struct Ids(Mutex<u128>);

impl IdSource for Ids {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }

    fn uuid_v7(&self) -> String {
        let mut next = self.0.lock().unwrap();
        let id = format!("{:032x}", 0x0190_0000_0000_7000_8000_0000_0000_0000_u128 + *next);
        *next += 1;
        id
    }
}

pub(crate) fn config() -> GalaxyPayConfig {
    let mut config = GalaxyPayConfig::new(KEY.into(), SALT.into());
    config.checkout_script = Some(UAT_CHECKOUT_SCRIPT.parse().unwrap());
    config.token_method = Some(Method::International);
    config
}

/// An account that accepts what is inferred, and so has every operation.
pub(crate) fn all() -> GalaxyPayConfig {
    let mut config = config();
    config.accept = Accept::Inferred;
    config
}

pub(crate) fn gateway_with(config: GalaxyPayConfig) -> (GalaxyPay, Arc<Script>) {
    let script = Arc::new(Script::default());
    let env = BuildEnv::new(script.clone(), Arc::new(ManualClock::new(NOW)), Arc::new(Ids::default()));
    (GalaxyPay::new(AccountName::parse("saigon-shop").unwrap(), config, env).unwrap(), script)
}

pub(crate) fn gateway() -> (GalaxyPay, Arc<Script>) {
    gateway_with(all())
}

/// The signature, computed here and not by the crates under test.
pub(crate) fn sign_with(salt: &str, text: &[u8]) -> String {
    hex::encode(Sha256::new().chain_update(text).chain_update(salt).finalize())
}

pub(crate) fn sign(text: impl AsRef<[u8]>) -> String {
    sign_with(SALT, text.as_ref())
}

#[expect(clippy::unnecessary_wraps, reason = "it is one of a script's answers, of which others fail")]
pub(crate) fn http(status: u16, body: impl Into<Vec<u8>>) -> Scripted {
    Ok(HttpResponse::new(status, vec![], body.into()))
}

/// An answer's envelope, as every sample has it: all of it text.
pub(crate) fn envelope(code: &str, message: &str, data: &Value) -> String {
    json!({
        "requestID": REQUEST, "responseDateTime": "20231115051321", "responseCode": code,
        "responseMessage": message, "responseData": data,
    })
    .to_string()
}

pub(crate) fn done(data: &Value) -> String {
    envelope("200", "Success", data)
}

pub(crate) fn vnd(units: i64) -> Money {
    Money::from_major(units, Currency::VND).unwrap()
}

pub(crate) fn money(text: &str, currency: &str) -> Money {
    Money::parse(text, Currency::parse(currency).unwrap()).unwrap()
}

pub(crate) fn reference() -> MerchantRef {
    MerchantRef::parse(REFERENCE).unwrap()
}

pub(crate) fn url(text: &str) -> CallbackUrl {
    CallbackUrl::parse(text).unwrap()
}

/// The moment that every write's request carries.
pub(crate) const SEND_BY: Option<Monotonic> = Some(Monotonic::from_millis(60_000));

pub(crate) fn invoice_request() -> CreateInvoice {
    let mut request = CreateInvoice::new(reference(), vnd(100_000), "Hai quyển sách").send_by(SEND_BY);
    request.language = Language::Vi;
    request.return_urls = Some(ReturnUrls {
        success: url("https://shop.vn/ok"),
        failure: url("https://shop.vn/failed?order=7"),
        cancel: CallbackUrl::app("shop", "shop://cancel").unwrap(),
    });
    request.notify_url = Some(url("https://shop.vn/notify"));
    request
}

#[expect(clippy::unnecessary_wraps, reason = "it stands where a request has its options")]
pub(crate) fn with(change: impl FnOnce(&mut GalaxyPayOptions)) -> Option<Options> {
    let mut options = GalaxyPayOptions::default();
    change(&mut options);
    Some(Options::new(&options).unwrap())
}

pub(crate) fn charge_request() -> ChargeRequest {
    let mut request = ChargeRequest::new(reference(), vnd(100_000), CardToken::new(TOKEN)).send_by(SEND_BY);
    request.language = Language::En;
    request.description = "Tháng 11".into();
    request
}

pub(crate) fn payment(flow: Flow) -> PaymentRef {
    PaymentRef::new(reference(), Some(vnd(100_000)), flow)
        .with_provider_ref(ProviderRef::parse(TRANSACTION).unwrap())
}

pub(crate) fn operation_ref() -> OperationRef {
    OperationRef::parse(REFUND).unwrap()
}

pub(crate) fn link() -> PaymentLink {
    PaymentLink::new("Đơn hàng 7", 3, ExpiryUnit::Day, [LinkMethod::Napas, LinkMethod::Momo])
}

pub(crate) fn raw_card() -> RawCard {
    RawCard::parse(CARD.into(), "NGUYEN VAN PLANTED".into(), "01/39".into(), Some("987".into())).unwrap()
}

pub(crate) fn created() -> Value {
    json!({ "transactionID": TRANSACTION, "endpoint": format!("https://uat-payment.galaxypay.vn/pay/{TRANSACTION}") })
}

/// What a query is answered about a payment.
pub(crate) fn queried(code: &str, stage: Option<&str>) -> Value {
    let mut data = json!({
        "transactionID": TRANSACTION, "transactionDateTime": "20231115051300", "transactionStatus": code,
        "transactionDescription": "Giao dịch thành công.", "orderID": REFERENCE, "orderNumber": "7",
        "orderAmount": "100000", "orderCurrency": "VND", "orderDateTime": "20231115051200",
        "orderDescription": "Hai quyển sách",
    });
    if let Some(stage) = stage {
        data["transactionStage"] = stage.into();
    }
    data
}

/// A callback's text: its JSON in base64.
pub(crate) fn encode(document: &Value) -> String {
    base64::engine::general_purpose::STANDARD.encode(document.to_string())
}

/// A callback as the samples have it.
pub(crate) fn callback(request_id: &str, code: &str, inner: Option<&str>) -> Value {
    let mut data = json!({
        "transactionID": TRANSACTION, "transactionDateTime": "20231115051300", "orderID": REFERENCE,
        "orderNumber": "7", "orderAmount": "100000", "orderCurrency": "VND", "orderDateTime": "20231115051200",
        "orderDescription": "Hai quyển sách", "language": "vi",
    });
    if let Some(inner) = inner {
        data["transactionStatus"] = inner.into();
        data["transactionDescription"] = "Giao dịch thành công.".into();
        data["paymentMethod"] = "INTERNATIONAL".into();
        data["sourceType"] = "VISA".into();
    }
    json!({
        "requestID": request_id, "responseDateTime": "20231115051400", "responseCode": code,
        "responseMessage": "Thành công", "responseData": data,
    })
}

pub(crate) fn tokenization(status: &str, token: Option<&str>) -> Value {
    json!({
        "accountBrand": "VISA", "accountSource": "VIETCOMBANK", "accountNumber": "401200******0026",
        "accountName": "NGUYEN VAN A", "token": token, "status": status, "message": "Success",
    })
}

pub(crate) fn notification(data: &str, signature: &str) -> Vec<u8> {
    json!({ "data": data, "signature": signature }).to_string().into_bytes()
}

/// Every operation, so that what holds for all of them is tested on all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Option,
    Pay,
    SaveCard,
    Authorize,
    Qr,
    Checkout,
    CheckoutForCustomer,
    Link,
    Token,
    Fast,
    Card,
    Query,
    Refund,
    Capture,
    Void,
    Delete,
    QueryTokens,
    RemoveToken,
    CreateToken,
}

impl Operation {
    pub(crate) const ALL: [Self; 19] = [
        Self::Option,
        Self::Pay,
        Self::SaveCard,
        Self::Authorize,
        Self::Qr,
        Self::Checkout,
        Self::CheckoutForCustomer,
        Self::Link,
        Self::Token,
        Self::Fast,
        Self::Card,
        Self::Query,
        Self::Refund,
        Self::Capture,
        Self::Void,
        Self::Delete,
        Self::QueryTokens,
        Self::RemoveToken,
        Self::CreateToken,
    ];

    pub(crate) fn writes(self) -> bool {
        !matches!(self, Self::Query | Self::QueryTokens)
    }

    pub(crate) fn begins_a_payment(self) -> bool {
        self.writes() && !self.changes()
    }

    pub(crate) fn changes(self) -> bool {
        matches!(
            self,
            Self::Refund | Self::Capture | Self::Void | Self::Delete | Self::RemoveToken | Self::CreateToken
        )
    }

    /// A charge, whose refusal by the card is an answer.
    pub(crate) fn charges(self) -> bool {
        matches!(self, Self::Token | Self::Fast | Self::Card)
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Option => "/api/v1/transaction/payWithOption",
            Self::Pay | Self::SaveCard | Self::Authorize | Self::Token | Self::Fast | Self::Card => {
                "/api/v1/transaction/pay"
            }
            Self::Qr => "/api/v1/transaction/payWithQR",
            Self::Checkout | Self::CheckoutForCustomer => "/api/v1/transaction/checkout",
            Self::Link => "/api/v1/transaction/createPaymentLink",
            Self::Query => "/api/v1/transaction/query",
            Self::Refund => "/api/v1/transaction/refund",
            Self::Capture => "/api/v1/transaction/capture",
            Self::Void => "/api/v1/transaction/void",
            Self::Delete => "/api/v1/tokenization/deleteToken",
            Self::QueryTokens => "/api/v1/tokenization/queryTokens",
            Self::RemoveToken => "/api/v1/tokenization/removeToken",
            Self::CreateToken => "/api/v1/tokenization/createToken",
        }
    }

    /// The mark at the end of its request's id.
    pub(crate) fn mark(self) -> &'static str {
        match self {
            Self::Authorize => "h",
            Self::Refund | Self::Capture | Self::Void => "c",
            _ => "",
        }
    }

    /// Whether its request carries the moment before which it must be on its way.
    pub(crate) fn has_deadline(self) -> bool {
        self.writes() && !matches!(self, Self::Delete | Self::RemoveToken | Self::CreateToken)
    }

    /// What `responseCode` 200 brings, with its own request's id.
    pub(crate) fn good(self) -> String {
        let data = match self {
            Self::Qr => {
                let mut data = created();
                data["qrCode"] = "00020101021238".into();
                data
            }
            Self::Link => json!({ "orderNo": LINK, "shortLink": "https://uat-s.galaxypay.vn/Ab3" }),
            Self::Query => queried("200", Some("SUCCESSFUL")),
            Self::Refund | Self::Capture | Self::Void | Self::Delete | Self::RemoveToken => Value::Null,
            Self::QueryTokens => json!({
                "customerID": "77", "customerName": "NGUYEN VAN A",
                "tokens": [{ "tokenID": 12, "accountBrand": "VISA", "accountNumber": "401200******0026" }],
            }),
            Self::CreateToken => tokenization("200", Some(TOKEN)),
            _ => created(),
        };
        self.own(&done(&data))
    }

    /// An answer with the id of this operation's request.
    pub(crate) fn own(self, answer: &str) -> String {
        answer.replace(REQUEST, &format!("{REQUEST}{}", self.mark()))
    }

    pub(crate) fn invoice(self) -> CreateInvoice {
        let mut request = invoice_request();
        match self {
            Self::Pay => {
                request.options = with(|options| {
                    (options.method, options.source_type) = (Some(Method::Wallet), Some(SourceType::MOMO));
                });
            }
            Self::SaveCard => {
                request.options = with(|options| options.method = Some(Method::Domestic));
                request.save_card = true;
            }
            Self::Authorize => request.capture = tulbur_core::Capture::Later,
            Self::Qr => request.way = Way::Qr,
            Self::Checkout | Self::CheckoutForCustomer => {
                request.options = with(|options| {
                    options.method = Some(Method::International);
                    options.checkout = Some(Checkout::default());
                });
            }
            Self::Link => request.options = with(|options| options.payment_link = Some(link())),
            Self::Card => {
                request.options = with(|options| options.method = Some(Method::International));
            }
            _ => {}
        }
        request
    }

    pub(crate) async fn run(self, gateway: &GalaxyPay) -> Result<(), Error> {
        match self {
            Self::Option | Self::Pay | Self::SaveCard | Self::Authorize | Self::Checkout | Self::Link => {
                gateway.invoices().unwrap().create_invoice(&self.invoice()).await.map(drop)
            }
            Self::Qr => gateway.qr().unwrap().create_qr(&self.invoice()).await.map(drop),
            Self::CheckoutForCustomer => {
                gateway.checkout_for_customer(&self.invoice(), &CUSTOMER.into()).await.map(drop)
            }
            Self::Token => gateway.charges().unwrap().charge(&charge_request()).await.map(drop),
            Self::Fast => {
                let mut request = charge_request();
                request.options = with(|options| options.fast_pay = true);
                gateway.charges().unwrap().charge(&request).await.map(drop)
            }
            Self::Card => gateway.pay_with_card(&self.invoice(), &raw_card()).await.map(drop),
            Self::Query => gateway.queries().unwrap().query(&payment(FLOW_OPTION)).await.map(drop),
            Self::Refund => {
                let request =
                    RefundRequest::new(payment(FLOW_OPTION), operation_ref(), vnd(40_000), "Trả lại");
                gateway.refunds().unwrap().refund(&request.send_by(SEND_BY)).await.map(drop)
            }
            Self::Capture => {
                let request = CaptureRequest::new(payment(FLOW_AUTHORIZE), operation_ref(), vnd(100_000));
                gateway.captures().unwrap().capture(&request.send_by(SEND_BY)).await.map(drop)
            }
            Self::Void => {
                let request = VoidRequest::new(payment(FLOW_AUTHORIZE), operation_ref());
                gateway.voids().unwrap().void(&request.send_by(SEND_BY)).await.map(drop)
            }
            Self::Delete => gateway.vault().unwrap().delete_card(&CardToken::new(TOKEN)).await,
            Self::QueryTokens => gateway.query_tokens(&CUSTOMER.into()).await.map(drop),
            Self::RemoveToken => gateway.remove_token(&CUSTOMER.into(), "12").await,
            Self::CreateToken => gateway.create_token(&raw_card(), &Method::International).await.map(drop),
        }
    }
}
