//! What is refused before anything is sent.

use tulbur_core::{
    Capture, CaptureRequest, CardToken, CreateInvoice, ErrorKind, Language, Money, OperationRef, Outcome,
    PaymentRef, Provider, RefundRequest, ReturnUrls, VoidRequest, Way,
};
use tulbur_galaxy_pay::{
    Checkout, ExtraData, FLOW_AUTHORIZE, FLOW_LINK, FLOW_OPTION, GalaxyPayConfig, GalaxyPayOptions, Method,
    SourceType,
};

use crate::common::*;

async fn refused_by(config: GalaxyPayConfig, request: CreateInvoice, field: &str) {
    let (gateway, script) = gateway_with(config);
    let error = if request.way == Way::Qr {
        gateway.qr().unwrap().create_qr(&request).await.unwrap_err()
    } else {
        gateway.invoices().unwrap().create_invoice(&request).await.unwrap_err()
    };
    assert_eq!((error.field(), error.outcome()), (Some(field), Outcome::NoEffect), "{error}");
    assert!(matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::Unsupported), "{error}");
    assert!(script.sent().is_empty(), "nothing is sent");
}

async fn refused(change: impl FnOnce(&mut CreateInvoice), field: &str) {
    let mut request = invoice_request();
    change(&mut request);
    refused_by(all(), request, field).await;
}

async fn refused_options(change: impl FnOnce(&mut GalaxyPayOptions)) {
    refused(|request| request.options = with(change), "options").await;
}

#[tokio::test]
async fn what_every_provider_refuses() {
    refused(|r| r.amount = vnd(0), "amount").await;
    refused(|r| r.amount = money("1.50", "USD"), "amount").await;
    refused(|r| r.language = Language::Mn, "language").await;
    refused(|r| r.way = Way::Phone, "way").await;
    refused(|r| r.way = Way::App, "way").await;
    for bad in ["a-b", "a b", &"a".repeat(51)] {
        refused(|r| r.merchant_ref = tulbur_core::MerchantRef::parse(bad).unwrap(), "merchant_ref").await;
    }
    // The default language of a request is one that these pages do not have.
    refused_by(all(), CreateInvoice::new(reference(), vnd(1), "x"), "language").await;
}

#[tokio::test]
async fn texts_that_do_not_fit_their_fields() {
    refused(|r| r.description = "ế".repeat(251), "description").await;
    refused(
        |r| r.return_urls = Some(ReturnUrls::one(url(&format!("https://a.vn/{}", "a".repeat(500))))),
        "return_urls",
    )
    .await;
    refused(|r| r.notify_url = Some(url(&format!("https://a.vn/{}", "a".repeat(500)))), "notify_url").await;
    for name in ["data", "signature"] {
        let address = format!("https://shop.vn/back?{name}=1");
        refused(|r| r.return_urls = Some(ReturnUrls::one(url(&address))), "return_urls").await;
    }
    refused(|r| r.options = with(|o| o.order_number = Some("1".repeat(21))), "order_number").await;
    refused(
        |r| {
            r.options = with(|o| {
                (o.method, o.sub_merchant) = (Some(Method::Domestic), Some("m".repeat(51)));
            });
        },
        "sub_merchant",
    )
    .await;
    let (gateway, script) = gateway();
    script.then(http(200, Operation::Option.good()));
    let mut request = invoice_request();
    request.description = "ế".repeat(250);
    gateway.invoices().unwrap().create_invoice(&request).await.unwrap();
}

#[tokio::test]
async fn options_that_do_not_fit_each_other() {
    refused_options(|o| (o.checkout, o.payment_link) = (Some(Checkout::default()), Some(link()))).await;
    refused_options(|o| o.source_type = Some(SourceType::MOMO)).await;
    for method in [Method::Wallet, Method::Hub, Method::Qr, Method::Bnpl] {
        refused_options(|o| o.method = Some(method)).await;
    }
    refused_options(|o| o.fast_pay = true).await;
    refused_options(|o| o.checkout = Some(Checkout::default())).await;
    refused_options(|o| o.sub_merchant = Some("m".into())).await;
    refused_options(|o| {
        (o.checkout, o.method) = (Some(Checkout::default()), Some(Method::Domestic));
        o.sub_merchant = Some("m".into());
    })
    .await;
    for part in [money("1", "USD"), Money::from_minor(-1, tulbur_core::Currency::VND)] {
        refused_options(|o| {
            let mut checkout = Checkout::default();
            checkout.fee = Some(part);
            (o.checkout, o.method) = (Some(checkout), Some(Method::Domestic));
        })
        .await;
    }
    for change in [
        |o: &mut GalaxyPayOptions| o.order_number = Some("7".into()),
        |o: &mut GalaxyPayOptions| o.method = Some(Method::Domestic),
        |o: &mut GalaxyPayOptions| o.extra_data = Some(ExtraData::Any(serde_json::Map::new())),
        |o: &mut GalaxyPayOptions| o.payment_link.as_mut().unwrap().methods.clear(),
        |o: &mut GalaxyPayOptions| o.payment_link.as_mut().unwrap().expires_after = 0,
        |o: &mut GalaxyPayOptions| o.payment_link.as_mut().unwrap().name = "x".repeat(251),
    ] {
        refused_options(|o| {
            o.payment_link = Some(link());
            change(o);
        })
        .await;
    }
}

#[tokio::test]
async fn a_flow_that_the_request_cannot_have() {
    let links = |o: &mut GalaxyPayOptions| o.payment_link = Some(link());
    let modal = |o: &mut GalaxyPayOptions| {
        (o.checkout, o.method) = (Some(Checkout::default()), Some(Method::International));
    };
    for way in [Way::Qr, Way::Page] {
        for (capture, save) in [(Capture::Later, false), (Capture::Now, true), (Capture::Now, false)] {
            for options in [with(links), with(modal)] {
                if way == Way::Page && capture == Capture::Now && !save {
                    continue;
                }
                let field = if way == Way::Page && capture == Capture::Now { "save_card" } else { "options" };
                refused(
                    |r| (r.way, r.capture, r.save_card, r.options) = (way, capture, save, options),
                    field,
                )
                .await;
            }
        }
    }
    refused(|r| (r.way, r.capture) = (Way::Qr, Capture::Later), "capture").await;
    refused(|r| (r.way, r.save_card) = (Way::Qr, true), "save_card").await;
    for method in [Method::Domestic, Method::Wallet] {
        refused(|r| (r.capture, r.options) = (Capture::Later, with(|o| o.method = Some(method))), "options")
            .await;
    }
    for method in [Method::Wallet, Method::Hub] {
        let options = with(|o| (o.method, o.source_type) = (Some(method), Some(SourceType::MOMO)));
        refused(|r| (r.save_card, r.options) = (true, options), "options").await;
    }
    refused(|r| (r.way, r.options) = (Way::Qr, with(|o| o.method = Some(Method::Domestic))), "options").await;
    refused(|r| (r.way, r.options) = (Way::Qr, with(|o| o.method = Some(Method::Wallet))), "options").await;
}

#[tokio::test]
async fn what_the_account_does_not_have() {
    let mut hold = invoice_request();
    hold.capture = Capture::Later;
    refused_by(config(), hold, "capture").await;

    let mut no_script = config();
    no_script.checkout_script = None;
    refused_by(no_script, Operation::Checkout.invoice(), "checkout_script").await;

    let mut dollars = config();
    dollars.currencies = vec![tulbur_core::Currency::VND, tulbur_core::Currency::USD];
    for operation in [Operation::Qr, Operation::Link] {
        let mut request = operation.invoice();
        request.amount = money("1", "USD");
        refused_by(dollars.clone(), request, "amount").await;
    }

    let (gateway, script) = gateway_with(config());
    let error = gateway.remove_token(&CUSTOMER.into(), "12").await.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Unsupported, Some("accept")));
    assert!(script.sent().is_empty());
}

#[tokio::test]
async fn what_cannot_be_asked_or_changed() {
    let (gateway, script) = gateway();
    let lost = PaymentRef::new(reference(), Some(vnd(100_000)), FLOW_OPTION);
    for (asked, field) in [(lost, "provider_ref"), (payment(FLOW_LINK), "flow")] {
        let error = gateway.queries().unwrap().query(&asked).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Unsupported, Some(field)));
        let request = RefundRequest::new(asked, operation_ref(), vnd(1), "x");
        let error = gateway.refunds().unwrap().refund(&request).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Unsupported, Some(field)));
    }
    for amount in [vnd(0), vnd(100_001), money("1", "USD"), vnd(-1)] {
        let request = RefundRequest::new(payment(FLOW_OPTION), operation_ref(), amount, "x");
        let error = gateway.refunds().unwrap().refund(&request).await.unwrap_err();
        assert_eq!((error.field(), error.outcome()), (Some("amount"), Outcome::NoEffect), "{amount}");
    }
    for bad in ["a-b", "a/b", &"a".repeat(51)] {
        let operation = OperationRef::parse(bad).unwrap();
        let request = RefundRequest::new(payment(FLOW_OPTION), operation, vnd(1), "x");
        let error = gateway.refunds().unwrap().refund(&request).await.unwrap_err();
        assert_eq!(error.field(), Some("operation_ref"), "{bad}");
    }
    for amount in [vnd(99_999), vnd(100_001)] {
        let request = CaptureRequest::new(payment(FLOW_AUTHORIZE), operation_ref(), amount);
        assert_eq!(gateway.captures().unwrap().capture(&request).await.unwrap_err().field(), Some("amount"));
    }
    let request = CaptureRequest::new(payment(FLOW_OPTION), operation_ref(), vnd(100_000));
    assert_eq!(gateway.captures().unwrap().capture(&request).await.unwrap_err().field(), Some("flow"));
    let request = VoidRequest::new(payment(FLOW_OPTION), operation_ref());
    assert_eq!(gateway.voids().unwrap().void(&request).await.unwrap_err().field(), Some("flow"));
    for token in ["", "a b", &"a".repeat(51), "t\n"] {
        let error = gateway.vault().unwrap().delete_card(&CardToken::new(token)).await.unwrap_err();
        assert_eq!(error.field(), Some("token"));
    }
    assert_eq!(gateway.query_tokens(&"".into()).await.unwrap_err().field(), Some("customer_token"));
    assert!(script.sent().is_empty(), "nothing is sent");
}
