//! VAT receipts, 3.0 and old.

use serde_json::{Value, json};
use tulbur_core::{ErrorKind, Method, Outcome, ProviderRef};
use tulbur_qpay::{CreateReceipt, ReceiptStatus, Receiver};

use crate::common::*;

const PAYMENT: &str = "019276866891878";
const RECEIPT: &str = "ca48461c-0b85-438d-b8f4-8b46582a668c";

fn citizen() -> CreateReceipt {
    CreateReceipt::new(charge(PAYMENT), Receiver::Citizen(None))
}

fn created() -> Value {
    json!({
        "id": RECEIPT, "ebarimt_by": "QPAY", "ebarimt_receiver": "88******", "g_payment_id": PAYMENT,
        "amount": "1000.00", "vat_amount": "89.2857", "city_tax_amount": "17.8571",
        "ebarimt_qr_data": "planted-qr", "ebarimt_lottery": "HV 83198235", "ebarimt_receipt_id": "0301",
        "barimt_status": "REGISTERED", "barimt_status_date": "2024-11-04T05:45:42.945Z", "status": true,
        "barimt_items": [{ "id": 1 }], "barimt_histories": [],
    })
}

#[tokio::test]
async fn a_receipt_is_made_with_what_is_known() {
    let company = Receiver::Company("5395305".into());
    let full =
        CreateReceipt::new(charge(PAYMENT), company).district_code("3505").classification_code("2391000");
    for (request, sent) in [
        (citizen(), r#"{"payment_id":"019276866891878","ebarimt_receiver_type":"CITIZEN"}"#),
        (
            full,
            concat!(
                r#"{"payment_id":"019276866891878","ebarimt_receiver_type":"COMPANY","ebarimt_receiver":"5395305","#,
                r#""district_code":"3505","classification_code":"2391000"}"#
            ),
        ),
    ] {
        let (qpay, script) = qpay();
        script.then(ok(&created()));
        let receipt = qpay.create_receipt(&request).await.unwrap();
        assert_eq!(receipt.status, Some(ReceiptStatus::Registered));
        assert_eq!((receipt.id.unwrap().as_str(), receipt.amount), (RECEIPT, Some(mnt("1000"))));
        // Four decimals are no money of any currency.
        assert_eq!(
            (receipt.vat_amount.as_deref(), receipt.city_tax_amount.as_deref()),
            (Some("89.2857"), Some("17.8571"))
        );
        assert_eq!(receipt.lottery.as_deref(), Some("HV 83198235"));
        let request = script.one();
        assert_eq!((request.method, request.url.path()), (Method::Post, "/v2/ebarimt_v3/create"));
        assert_eq!(body(&request), sent);
    }
}

#[tokio::test]
async fn amounts_may_be_numbers_and_an_answer_may_be_empty() {
    let (qpay, script) = qpay();
    let mut answer = created();
    (answer["amount"], answer["vat_amount"]) = (json!(1000), json!(90.91));
    script.then(ok(&answer)).then(http(200, "{}"));
    let receipt = qpay.create_receipt(&citizen()).await.unwrap();
    assert_eq!((receipt.amount, receipt.vat_amount.as_deref()), (Some(mnt("1000")), Some("90.91")));
    let empty = qpay.create_old_receipt(&citizen()).await.unwrap();
    assert_eq!((empty.id, empty.status, empty.amount), (None, None, None));
    assert_eq!(script.sent()[1].url.path(), "/v2/ebarimt/create");
}

#[tokio::test]
async fn a_receipt_is_cancelled_by_the_payments_id_and_an_old_one_by_its_own() {
    let (qpay, script) = qpay();
    let canceled =
        json!({ "id": RECEIPT, "g_payment_id": PAYMENT, "barimt_status": "CANCELED", "amount": "100.00" });
    script.then(ok(&canceled)).then(ok(&canceled)).then(ok(&created()));
    let id = ProviderRef::parse(RECEIPT).unwrap();
    assert_eq!(qpay.cancel_receipt(&charge(PAYMENT)).await.unwrap().status, Some(ReceiptStatus::Canceled));
    assert_eq!(qpay.cancel_old_receipt(&id).await.unwrap().status, Some(ReceiptStatus::Canceled));
    assert_eq!(qpay.read_old_receipt(&id).await.unwrap().status, Some(ReceiptStatus::Registered));
    let sent: Vec<_> =
        script.sent().iter().map(|one| (one.method, one.url.path().to_owned(), one.body.len())).collect();
    assert_eq!(
        sent,
        [
            (Method::Delete, format!("/v2/ebarimt_v3/{PAYMENT}"), 0),
            (Method::Delete, format!("/v2/ebarimt/{RECEIPT}"), 0),
            (Method::Get, format!("/v2/ebarimt/{RECEIPT}"), 0),
        ]
    );
}

#[tokio::test]
async fn a_receipt_of_something_else_is_untrusted() {
    let (qpay, script) = qpay();
    let mut other = created();
    other["g_payment_id"] = "19276866891878".into();
    script.then(ok(&other)).then(ok(&other)).then(ok(&created()));
    let error = qpay.create_receipt(&citizen()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Untrusted, Outcome::Unknown));
    let error = qpay.cancel_receipt(&charge(PAYMENT)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Untrusted, Outcome::Unknown));
    let error = qpay.read_old_receipt(&ProviderRef::parse("another").unwrap()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Untrusted, Outcome::NoEffect));
}

#[tokio::test]
async fn what_cannot_be_asked_is_not_sent() {
    let (qpay, script) = qpay();
    let with = |receiver| CreateReceipt::new(charge(PAYMENT), receiver);
    for (request, field) in [
        (with(Receiver::Company(String::new())), "receiver"),
        (with(Receiver::Citizen(Some(String::new()))), "receiver"),
        (citizen().district_code("35"), "district_code"),
        (citizen().classification_code("abc"), "classification_code"),
        (CreateReceipt::new(charge("../invoice"), Receiver::Citizen(None)), "payment_id"),
    ] {
        let error = qpay.create_receipt(&request).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidRequest, Some(field)));
    }
    let error = qpay.create_old_receipt(&citizen().classification_code("2391000")).await.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Unsupported, Some("classification_code")));
    for id in ["a/b", "..", "a?b"] {
        assert!(qpay.cancel_receipt(&charge(id)).await.is_err());
        assert!(qpay.read_old_receipt(&ProviderRef::parse(id).unwrap()).await.is_err());
        assert!(qpay.cancel_old_receipt(&ProviderRef::parse(id).unwrap()).await.is_err());
    }
    assert!(script.sent().is_empty() && script.logins().is_empty());
}

#[test]
fn a_receipt_prints_nothing_about_a_person() {
    let request = CreateReceipt::new(charge(PAYMENT), Receiver::Citizen(Some("planted-phone".into())));
    let printed = format!("{request:?}");
    assert!(printed.contains("CITIZEN") && !printed.contains("planted"), "{printed}");
}

#[tokio::test]
async fn what_is_read_of_a_receipt_is_not_printed() {
    let (qpay, script) = qpay();
    script.then(ok(&created()));
    let printed = format!("{:?}", qpay.create_receipt(&citizen()).await.unwrap());
    assert!(printed.contains("Registered") && !printed.contains("planted") && !printed.contains("83198235"));
}
