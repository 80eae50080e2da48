//! Requests that are not made: each names its field, and nothing is sent.

use tulbur_core::CallbackUrl;
use tulbur_core::{
    Capture, CardToken, CreateInvoice, Currency, Error, ErrorKind, Language, MerchantRef, Money, Options,
    Outcome, Provider, ProviderOptions, ReturnUrls, Way,
};
use tulbur_golomt_ecommerce::{Date, FLOW_PAGE, GolomtEcommerceOptions, ReturnType};

use crate::common::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Foreign;

impl ProviderOptions for Foreign {
    const PROVIDER: &'static str = "other-bank";
}

fn refused(error: &Error, field: &str) {
    assert_eq!((error.field(), error.outcome()), (Some(field), Outcome::NoEffect), "{error}");
    assert!(matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::Unsupported), "{error}");
}

#[tokio::test]
async fn an_invoice_that_cannot_be_asked_for() {
    type Change = fn(&mut CreateInvoice);
    let changes: [(&str, Change); 15] = [
        ("amount", |r| r.amount = money("0")),
        ("amount", |r| r.amount = Money::from_minor(-1, Currency::MNT)),
        ("amount", |r| r.amount = Money::from_minor(100, Currency::USD)),
        ("merchant_ref", |r| r.merchant_ref = MerchantRef::parse(&REFERENCE[1..]).unwrap()),
        ("merchant_ref", |r| r.merchant_ref = MerchantRef::parse(format!("{REFERENCE}0")).unwrap()),
        ("merchant_ref", |r| r.merchant_ref = MerchantRef::parse(REFERENCE.replace('a', "-")).unwrap()),
        ("language", |r| r.language = Language::Vi),
        ("way", |r| r.way = Way::Qr),
        ("way", |r| r.way = Way::Phone),
        ("capture", |r| r.capture = Capture::Later),
        ("return_urls", |r| r.return_urls = None),
        ("return_urls", |r| {
            r.return_urls.as_mut().unwrap().failure = CallbackUrl::parse("https://shop.mn/no").unwrap();
        }),
        ("return_urls", |r| {
            r.return_urls = Some(ReturnUrls::one(CallbackUrl::app("shop", "shop://back").unwrap()));
        }),
        ("notify_url", |r| r.notify_url = Some(CallbackUrl::parse("https://shop.mn/push").unwrap())),
        ("options", |r| r.options = Some(Options::new(&Foreign).unwrap())),
    ];
    let (bank, script) = bank();
    for (field, change) in changes {
        let mut request = invoice_request();
        change(&mut request);
        refused(&bank.invoices().unwrap().create_invoice(&request).await.unwrap_err(), field);
    }
    assert!(script.sent().is_empty());
}

/// Amounts and addresses that cannot be made in the first place.
#[test]
fn over_precise_amounts_and_unsafe_callbacks_do_not_exist() {
    assert!(Money::parse("1500.001", Currency::MNT).is_err());
    assert!(CallbackUrl::parse("http://shop.mn/back").is_err());
    assert!(Language::parse("xx").is_err());
}

#[tokio::test]
async fn cards_that_cannot_be_charged_or_saved() {
    let (bank, script) = bank();
    let charges = bank.charges().unwrap();
    let mut request = charge_request();
    request.amount = money("0");
    refused(&charges.charge(&request).await.unwrap_err(), "amount");
    for token in ["", "planted token", "planted\n", &"x".repeat(257)] {
        let mut request = charge_request();
        request.token = CardToken::new(token);
        let error = charges.charge(&request).await.unwrap_err();
        refused(&error, "token");
        assert!(!format!("{error:?}").contains("planted"));
    }
    let mut request = charge_request();
    request.merchant_ref = MerchantRef::parse("short").unwrap();
    refused(&charges.charge(&request).await.unwrap_err(), "merchant_ref");
    let mut request = charge_request();
    request.language = Language::Vi;
    refused(&charges.charge(&request).await.unwrap_err(), "language");
    let mut request = charge_request();
    request.notify_url = Some(CallbackUrl::parse("https://shop.mn/push").unwrap());
    refused(&charges.charge(&request).await.unwrap_err(), "notify_url");

    let cards = bank.tokenize().unwrap();
    let mut request = setup_request();
    request.return_urls = None;
    refused(&cards.create_card_setup(&request).await.unwrap_err(), "return_urls");
    let mut request = setup_request();
    request.options = Some(Options::new(&Foreign).unwrap());
    refused(&cards.create_card_setup(&request).await.unwrap_err(), "options");
    refused(&cards.read_card_setup(&page_ref()).await.unwrap_err(), "flow");
    assert!(script.sent().is_empty());
}

#[tokio::test]
async fn questions_about_what_is_no_payment_here() {
    let (bank, script) = bank();
    let queries = bank.queries().unwrap();
    refused(&queries.query(&setup_ref()).await.unwrap_err(), "flow");
    let mut other = page_ref();
    other.flow = tulbur_core::Flow::new("till");
    refused(&queries.query(&other).await.unwrap_err(), "flow");
    assert_eq!(page_ref().flow, FLOW_PAGE);

    let mut query = settlement_query();
    query.size = 0;
    refused(&bank.settlements(&query).await.unwrap_err(), "size");
    let mut query = settlement_query();
    query.end = Date::parse("2020-07-28").unwrap();
    refused(&bank.settlements(&query).await.unwrap_err(), "end");
    assert!(script.sent().is_empty());

    let mut config = config();
    config.merchant_id = None;
    let (bank, script) = bank_with(config);
    let error = bank.settlements(&settlement_query()).await.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Configuration, Some("merchant_id")));
    assert!(script.sent().is_empty());
}

#[tokio::test]
async fn a_mobile_return_may_also_be_a_web_link() {
    let (bank, script) = bank();
    let mut options = GolomtEcommerceOptions::default();
    options.return_type = ReturnType::Mobile;
    let mut request = invoice_request();
    request.options = Some(Options::new(&options).unwrap());
    script.then(http(200, invoice_answer(REFERENCE)));
    assert!(bank.invoices().unwrap().create_invoice(&request).await.is_ok());
}
