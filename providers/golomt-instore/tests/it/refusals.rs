//! Requests that are not made: each names its field, and nothing is sent.

use tulbur_core::{
    CallbackUrl, CancelRequest, Capture, CreateInvoice, Currency, Error, ErrorKind, Flow, MerchantRef, Money,
    Options, Outcome, Provider, ProviderOptions, Way,
};
use tulbur_golomt_instore::FLOW_QR;

use crate::common::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Foreign;

impl ProviderOptions for Foreign {
    const PROVIDER: &'static str = "other-bank";
}

/// Options that claim to be this provider's, which has none.
#[derive(serde::Serialize, serde::Deserialize)]
struct Own;

impl ProviderOptions for Own {
    const PROVIDER: &'static str = tulbur_golomt_instore::ID;
}

fn refused(error: &Error, field: &str) {
    assert_eq!((error.field(), error.outcome()), (Some(field), Outcome::NoEffect), "{error}");
    assert!(matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::Unsupported), "{error}");
}

#[tokio::test]
async fn an_invoice_that_cannot_be_asked_for() {
    type Change = fn(&mut CreateInvoice);
    let changes: [(&str, Change); 20] = [
        ("amount", |r| r.amount = money("0")),
        ("amount", |r| r.amount = Money::from_minor(-1, Currency::MNT)),
        ("amount", |r| r.amount = Money::from_minor(100, Currency::USD)),
        ("merchant_ref", |r| r.merchant_ref = MerchantRef::parse(format!("{REFERENCE}0")).unwrap()),
        ("merchant_ref", |r| r.merchant_ref = MerchantRef::parse("INV-1").unwrap()),
        ("merchant_ref", |r| r.merchant_ref = MerchantRef::parse("нэг").unwrap()),
        ("way", |r| r.way = Way::Page),
        ("capture", |r| r.capture = Capture::Later),
        ("save_card", |r| r.save_card = true),
        ("notify_url", |r| r.notify_url = Some(CallbackUrl::parse("https://shop.mn/push").unwrap())),
        ("options", |r| r.options = Some(Options::new(&Foreign).unwrap())),
        ("options", |r| r.options = Some(Options::new(&Own).unwrap())),
        ("payer.phone", |r| r.payer.phone = None),
        ("payer.phone", |r| r.payer.phone = Some(String::new())),
        ("payer.phone", |r| r.payer.phone = Some("9911 2233".into())),
        ("payer.phone", |r| r.payer.phone = Some("99112233x".into())),
        ("payer.phone", |r| r.payer.phone = Some("12345".into())),
        ("payer.phone", |r| r.payer.phone = Some("+".into())),
        ("payer.phone", |r| r.payer.phone = Some("1234567890123456".into())),
        ("payer.phone", |r| r.payer.phone = Some("９９１１２２３３".into())),
    ];
    let (bank, script) = bank();
    for (field, change) in changes {
        let mut request = invoice_request(Way::Phone);
        change(&mut request);
        let error = bank.invoices().unwrap().create_invoice(&request).await.unwrap_err();
        refused(&error, field);
        assert!(!error.to_string().contains("9911"), "a phone number is nobody's business: {error}");
    }
    let error = bank.qr().unwrap().create_qr(&invoice_request(Way::Phone)).await.unwrap_err();
    refused(&error, "way");
    assert!(script.sent().is_empty());
}

#[tokio::test]
async fn what_is_no_payment_here_is_not_asked_about() {
    let (bank, script) = bank();
    let mut other = payment(FLOW_QR);
    other.flow = Flow::new("page");
    refused(&bank.queries().unwrap().query(&other).await.unwrap_err(), "flow");
    refused(&bank.cancels().unwrap().cancel(&CancelRequest::new(other)).await.unwrap_err(), "flow");
    for amount in [None, Some(money("0")), Some(Money::from_minor(110_000, Currency::USD))] {
        let mut unclear = payment(FLOW_QR);
        unclear.amount = amount;
        refused(&bank.queries().unwrap().query(&unclear).await.unwrap_err(), "amount");
        refused(
            &bank.cancels().unwrap().cancel(&CancelRequest::new(unclear.clone())).await.unwrap_err(),
            "amount",
        );
        let mut request = refund_request("1100");
        request.payment = unclear;
        refused(&bank.refunds().unwrap().refund(&request).await.unwrap_err(), "amount");
    }
    assert!(script.sent().is_empty());
}

#[tokio::test]
async fn a_part_or_more_than_was_paid_is_not_given_back() {
    let (bank, script) = bank();
    for amount in ["1099.99", "1100.01", "0.01"] {
        refused(&bank.refunds().unwrap().refund(&refund_request(amount)).await.unwrap_err(), "amount");
    }
    let mut request = refund_request("1100");
    request.amount = Money::from_minor(110_000, Currency::USD);
    refused(&bank.refunds().unwrap().refund(&request).await.unwrap_err(), "amount");
    assert!(script.sent().is_empty());
}

#[tokio::test]
async fn a_settlement_has_a_number() {
    let (bank, script) = bank();
    for number in ["", "a b", "нэг", "a/b", &"1".repeat(65)] {
        refused(&bank.settle(number).await.unwrap_err(), "settlement_id");
    }
    assert!(script.sent().is_empty());
}
