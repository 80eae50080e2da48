//! Saved cards and collected ones: charged, deleted, listed.

use serde_json::{Value, json};
use tulbur_core::{
    CardToken, ChargeRequest, ErrorKind, NextAction, Outcome, PageKind, PaymentStatus, Provider,
};
use tulbur_galaxy_pay::{FLOW_CARD, FLOW_FAST, FLOW_TOKEN, GalaxyPayOptions, Method, RawCard, SourceType};

use crate::common::*;

fn charge_with(change: impl FnOnce(&mut GalaxyPayOptions)) -> ChargeRequest {
    let mut request = charge_request();
    request.options = with(change);
    request
}

#[tokio::test]
async fn a_charge_waits_and_may_want_to_see_the_payer() {
    for endpoint in [true, false] {
        let mut data = created();
        if !endpoint {
            data.as_object_mut().unwrap().remove("endpoint");
        }
        let (gateway, script) = gateway();
        script.then(http(200, done(&data)));
        let charge = gateway.charges().unwrap().charge(&charge_request()).await.unwrap();
        assert_eq!(charge.payment.status, PaymentStatus::Pending, "created is not paid");
        assert_eq!(charge.payment.reference, payment(FLOW_TOKEN));
        assert_eq!((charge.payment.amount, charge.payment.code), (None, None));
        let page = charge.next.first().map(|next| match next {
            NextAction::Redirect(redirect) => redirect.page,
            other => panic!("{other:?}"),
        });
        assert_eq!(page, endpoint.then_some(PageKind::Challenge));
        let (path, sent) = one(&script);
        assert_eq!(path, "/api/v1/transaction/pay");
        assert_eq!(
            sent["requestData"],
            json!({
                "apiVersion": 2, "apiOperation": "PAY", "orderID": REFERENCE, "orderAmount": 100_000,
                "orderCurrency": "VND", "orderDateTime": TODAY, "orderDescription": "Tháng 11",
                "paymentMethod": "INTERNATIONAL", "sourceOfFund": "TOKEN", "token": TOKEN, "language": "en",
            })
        );
    }
}

/// The method is the charge's, or else the account's; never a guess.
#[tokio::test]
async fn the_kind_of_card_is_told_and_not_guessed() {
    let mut silent = all();
    silent.token_method = None;
    let (gateway, script) = gateway_with(silent.clone());
    let error = gateway.charges().unwrap().charge(&charge_request()).await.unwrap_err();
    assert_eq!((error.field(), error.outcome()), (Some("options"), Outcome::NoEffect));
    assert!(error.to_string().contains("token_method"), "{error}");
    assert!(script.sent().is_empty());

    for (method, source) in
        [(Method::Domestic, None), (Method::International, None), (Method::Wallet, Some(SourceType::GPAY))]
    {
        let (gateway, script) = gateway_with(silent.clone());
        script.then(http(200, Operation::Token.good()));
        let request = charge_with(|o| (o.method, o.source_type) = (Some(method.clone()), source));
        gateway.charges().unwrap().charge(&request).await.unwrap();
        assert_eq!(one(&script).1["requestData"]["paymentMethod"], method.as_str());
    }
    let (gateway, script) = gateway_with(silent);
    for change in [
        |o: &mut GalaxyPayOptions| o.method = Some(Method::Qr),
        |o: &mut GalaxyPayOptions| o.method = Some(Method::Wallet),
        |o: &mut GalaxyPayOptions| (o.fast_pay, o.method) = (true, Some(Method::Domestic)),
        |o: &mut GalaxyPayOptions| o.payment_link = Some(link()),
    ] {
        let error = gateway.charges().unwrap().charge(&charge_with(change)).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidRequest, Some("options")), "{error}");
    }
    for token in ["", "a b", &"a".repeat(51)] {
        let mut request = charge_request();
        request.token = CardToken::new(token);
        let error = gateway.charges().unwrap().charge(&request).await.unwrap_err();
        assert_eq!(error.field(), Some("token"));
    }
    assert!(script.sent().is_empty());
}

/// What fast pay answers is unknown, so that whatever it says is only passed on.
#[tokio::test]
async fn fast_pay_is_pending_until_it_is_asked_about() {
    for status in [None, Some("200"), Some("505"), Some("new")] {
        let mut data = json!({ "transactionID": TRANSACTION });
        if let Some(status) = status {
            data["transactionStatus"] = status.into();
        }
        let (gateway, script) = gateway();
        script.then(http(200, done(&data)));
        let request = charge_with(|o| o.fast_pay = true);
        assert_eq!(gateway.flow_of_charge(&request).unwrap().flow, FLOW_FAST);
        let charge = gateway.charges().unwrap().charge(&request).await.unwrap();
        assert_eq!(charge.payment.status, PaymentStatus::Pending);
        assert_eq!((charge.payment.code.as_deref(), charge.next.len()), (status, 0));
        assert_eq!(charge.payment.reference, payment(FLOW_FAST));
        let data = &one(&script).1["requestData"];
        assert_eq!(
            (&data["apiOperation"], &data["paymentMethod"]),
            (&"FAST_PAY".into(), &"INTERNATIONAL".into())
        );
    }
}

/// The final failures of the table are the card's answer, not a failure of the call.
#[tokio::test]
async fn a_refused_card_is_an_answer() {
    for operation in [Operation::Token, Operation::Fast] {
        for (code, status) in [
            ("505", PaymentStatus::Declined),
            ("499", PaymentStatus::Canceled),
            ("408", PaymentStatus::Expired),
        ] {
            let (gateway, script) = gateway();
            script.then(http(200, envelope(code, "Không thành công", &Value::Null)));
            let request = charge_with(|o| o.fast_pay = operation == Operation::Fast);
            let charge = gateway.charges().unwrap().charge(&request).await.unwrap();
            assert_eq!(charge.payment.status, status, "{code}");
            assert_eq!(charge.payment.code.as_deref(), Some(code));
            assert_eq!(charge.payment.text.as_deref(), Some("Không thành công"));
            assert_eq!(charge.payment.reference.merchant_ref, reference());
        }
    }
}

#[tokio::test]
async fn a_collected_card_is_sent_and_waits() {
    for (fast, save, operation, flow) in [
        (false, false, "PAY", FLOW_CARD),
        (false, true, "PAY_WITH_CREATE_TOKEN", FLOW_CARD),
        (true, false, "FAST_PAY", FLOW_FAST),
    ] {
        let (gateway, script) = gateway();
        script.then(http(200, Operation::Card.good()));
        let mut request = Operation::Card.invoice();
        request.save_card = save;
        request.options = with(|o| (o.method, o.fast_pay) = (Some(Method::International), fast));
        let charge = gateway.pay_with_card(&request, &raw_card()).await.unwrap();
        assert_eq!((charge.payment.status, charge.next.len()), (PaymentStatus::Pending, 1));
        assert_eq!(charge.payment.reference, payment(flow));
        let sent = one(&script).1["requestData"].clone();
        assert_eq!(sent["apiOperation"], operation);
        for (name, value) in [
            ("sourceOfFund", "CARD"),
            ("cardNumber", CARD),
            ("cardHolderName", "NGUYEN VAN PLANTED"),
            ("cardExpireDate", "01/39"),
            ("cardVerificationValue", "987"),
        ] {
            assert_eq!(sent[name], value);
        }
    }
}

#[tokio::test]
async fn a_collected_card_that_does_not_fit_is_not_sent() {
    let (gateway, script) = gateway();
    let without = RawCard::parse(CARD.into(), "A".into(), "01/39".into(), None).unwrap();
    for (request, card, field) in [
        (invoice_request(), raw_card(), "options"),
        (Operation::Link.invoice(), raw_card(), "options"),
        (Operation::Pay.invoice(), raw_card(), "options"),
        (Operation::Card.invoice(), without, "card_verification_value"),
    ] {
        let error = gateway.pay_with_card(&request, &card).await.unwrap_err();
        assert_eq!((error.field(), error.outcome()), (Some(field), Outcome::NoEffect));
    }
    assert!(script.sent().is_empty());
}

#[tokio::test]
async fn a_card_is_saved_without_a_payment() {
    let (gateway, script) = gateway();
    script.then(http(200, Operation::CreateToken.good()));
    let saved = gateway.create_token(&raw_card(), &Method::International).await.unwrap();
    assert_eq!(saved.token.expose(), TOKEN);
    assert_eq!(saved.card.masked_number.as_deref(), Some("401200******0026"));
    let wanted = json!({
        "paymentMethod": "INTERNATIONAL", "cardNumber": CARD, "cardHolderName": "NGUYEN VAN PLANTED",
        "cardExpireDate": "01/39", "cardVerificationValue": "987",
    });
    assert_eq!(one(&script).1["requestData"], wanted);
}

#[tokio::test]
async fn a_card_is_deleted_by_its_token() {
    let (gateway, script) = gateway();
    script.then(http(200, Operation::Delete.good()));
    gateway.vault().unwrap().delete_card(&CardToken::new(TOKEN)).await.unwrap();
    let (path, sent) = one(&script);
    assert_eq!(path, "/api/v1/tokenization/deleteToken");
    assert_eq!(sent["requestData"], json!({ "token": TOKEN }));
}

#[tokio::test]
async fn a_customers_linked_cards_are_listed_and_removed() {
    let (gateway, script) = gateway();
    script.then(http(200, Operation::QueryTokens.good()));
    let linked = gateway.query_tokens(&CUSTOMER.into()).await.unwrap();
    assert_eq!(linked.customer_id.as_deref(), Some("77"));
    assert_eq!((linked.tokens.len(), linked.tokens[0].id.as_str()), (1, "12"));
    assert_eq!(linked.tokens[0].card.brand.as_deref(), Some("VISA"));
    assert_eq!(one(&script).1["requestData"], json!({ "customerToken": CUSTOMER }));

    let (gateway, script) = crate::common::gateway();
    script.then(http(200, Operation::RemoveToken.good()));
    gateway.remove_token(&CUSTOMER.into(), "12").await.unwrap();
    assert_eq!(one(&script).1["requestData"], json!({ "customerToken": CUSTOMER, "tokenID": "12" }));
}
