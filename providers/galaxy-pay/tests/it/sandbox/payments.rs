//! Payments: each flow, each end, returns, links, currencies, and every assumption.

use tulbur_core::{
    Accept, CardToken, Channel, ChargeRequest, CreateInvoice, Currency, ErrorKind, Language, Money,
    NextAction, Outcome, PaymentStatus, Provider, RefundRequest, Way,
};
use tulbur_galaxy_pay::{
    Checkout, ExpiryUnit, GalaxyPayOptions, LinkMethod, Method, PaymentLink, ResponseSignature, SourceType,
};

use super::world::*;

#[tokio::test]
async fn each_flow_is_paid_and_proven_twice() {
    let world = World::new().await;
    let qr = |way: Way, mut request: CreateInvoice| {
        request.way = way;
        request
    };
    let modal = world.request(|options| {
        options.method = Some(Method::International);
        options.checkout = Some(Checkout::default());
    });
    let wallet = |options: &mut GalaxyPayOptions| {
        (options.method, options.source_type) = (Some(Method::Wallet), Some(SourceType::MOMO));
    };
    let mut notifications = 0;
    for (request, flow) in [
        (world.request(|_| {}), "option"),
        (world.request(wallet), "pay"),
        (world.request(|options| options.method = Some(Method::Domestic)), "pay"),
        (qr(Way::Qr, world.request(|_| {})), "qr"),
        (qr(Way::Qr, world.request(wallet)), "qr"),
        (modal, "checkout"),
    ] {
        let invoice = world.create(&request).await;
        assert_eq!(invoice.payment.flow.as_str(), flow);
        assert_eq!(world.query(&invoice.payment).await.status, PaymentStatus::Pending, "{flow}");
        world.act(&request.merchant_ref, "pay", &[]);
        let payment = world.query(&invoice.payment).await;
        assert_eq!((payment.status, payment.amount), (PaymentStatus::Paid, Some(vnd(100_000))), "{flow}");
        assert_eq!(world.debits(&request.merchant_ref), 1);
        // The modal's request has no field for an address.
        if flow != "checkout" {
            notifications += 1;
            let event = world.notified(notifications).await.pop().unwrap();
            assert_eq!(proven(&event), Some(PaymentStatus::Paid), "{flow}");
            assert_eq!(event.subject.merchant_ref.as_ref(), Some(&request.merchant_ref));
            assert_eq!(event.subject.provider_ref, invoice.payment.provider_ref);
        }
    }
    assert_eq!(world.shop.response_signatures().1, 0, "every answer was signed as assumed");
}

#[tokio::test]
async fn each_end_is_what_it_is_in_query_and_notification() {
    for version in [1, 2] {
        let world = World::with(|config| config.api_version = version).await;
        for (count, (code, status)) in [
            ("499", PaymentStatus::Canceled),
            ("408", PaymentStatus::Expired),
            ("505", PaymentStatus::Declined),
            ("504", PaymentStatus::Pending),
            ("502", PaymentStatus::Pending),
            ("409", PaymentStatus::Pending),
        ]
        .into_iter()
        .enumerate()
        {
            let request = world.request(|_| {});
            let invoice = world.create(&request).await;
            world.act(&request.merchant_ref, "end", &[("code", code)]);
            assert_eq!(world.query(&invoice.payment).await.status, status, "{code}");
            let event = world.notified(count + 1).await.pop().unwrap();
            assert_eq!((proven(&event), event.code.as_deref()), (Some(status), Some(code)));
            assert_eq!(world.debits(&request.merchant_ref), 0);
        }
    }
}

#[tokio::test]
async fn a_pending_payment_is_pending_whatever_the_gateway_calls_it() {
    let world = World::new().await;
    let invoice = world.create(&world.request(|_| {})).await;
    for value in ["empty", "absent", "200", "504"] {
        world.switch("pending-status", value);
        assert_eq!(world.query(&invoice.payment).await.status, PaymentStatus::Pending, "{value}");
    }
}

/// The page of the gateway is used as a payer does, and what its redirect carries is read.
#[tokio::test]
async fn a_payer_who_comes_back_is_believed() {
    let world = World::new().await;
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for kind in ["get", "post"] {
        world.switch("return-method", kind);
        let request = world.request(|_| {});
        let invoice = world.create(&request).await;
        let NextAction::Redirect(page) = &invoice.next[0] else { panic!("{:?}", invoice.next) };
        let form = [("action", "cancel")];
        let sent = serde_form(&form);
        let answer = browser
            .post(page.url.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(sent)
            .send()
            .await
            .unwrap();
        let location = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        let html = answer.text().await.unwrap();
        let event = if let Some(location) = location {
            assert_eq!(kind, "get");
            let query = location.split_once('?').unwrap().1.to_owned();
            assert!(query.contains("data=") && query.contains("order=7"), "{query}");
            world.verify(Channel::Return, "GET", Some(&query), b"")
        } else {
            assert_eq!(kind, "post");
            let body =
                serde_form(&[("data", value_of(&html, "data")), ("signature", value_of(&html, "signature"))]);
            world.verify(Channel::Return, "POST", None, body.as_bytes())
        };
        assert_eq!(proven(&event), Some(PaymentStatus::Canceled), "{kind}");
        assert_eq!(event.subject.merchant_ref.as_ref(), Some(&request.merchant_ref));
    }
}

fn serde_form(fields: &[(&str, &str)]) -> String {
    let mut url = tulbur_core::Url::parse("http://x/").unwrap();
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap().to_owned()
}

/// The value of a hidden field.
fn value_of<'h>(html: &'h str, name: &str) -> &'h str {
    let field = html.split("<input").find(|field| field.contains(&format!("name=\"{name}\""))).expect(name);
    field.split("value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect(name)
}

#[tokio::test]
async fn a_payment_link_is_paid_by_its_notification_alone() {
    for (accept, status) in [(Accept::Inferred, Some(PaymentStatus::Paid)), (Accept::Observed, None)] {
        let world = World::with(|config| config.accept = accept).await;
        let request = world.request(|options| {
            let methods = [LinkMethod::Mpgs, LinkMethod::QrPay];
            options.payment_link = Some(PaymentLink::new("Đơn hàng 7", 3, ExpiryUnit::Hour, methods));
        });
        let invoice = world.create(&request).await;
        assert!(invoice.expires_at.is_some());
        let error = world.shop.queries().unwrap().query(&invoice.payment).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        world.act(&request.merchant_ref, "pay", &[]);
        let event = world.notified(1).await.pop().unwrap();
        assert_eq!(proven(&event), status, "{accept:?}");
        assert_eq!(event.subject.provider_ref, invoice.payment.provider_ref);
        assert_eq!((event.subject.merchant_ref, event.amount), (None, Some(vnd(100_000))));
    }
}

/// The answer of fast pay is unknown; whichever it is, asking tells.
/// VND has no decimals, USD two, JPY none: both sides have the assumption from the same form of the official sample.
#[tokio::test]
async fn amounts_in_other_currencies_are_the_same_on_both_sides() {
    let all = ["VND", "USD", "JPY"].map(|code| Currency::parse(code).unwrap());
    let world = World::with(|config| config.currencies = all.to_vec()).await;
    for (text, currency) in [("100000", "VND"), ("12.50", "USD"), ("1500", "JPY"), ("0.01", "USD")] {
        let mut request = world.request(|options| options.method = Some(Method::International));
        request.amount = Money::parse(text, Currency::parse(currency).unwrap()).unwrap();
        let invoice = world.create(&request).await;
        let sent = world.gateway().payment(request.merchant_ref.as_str()).unwrap().amount;
        assert_eq!(sent, text);
        world.act(&request.merchant_ref, "pay", &[]);
        assert_eq!(world.query(&invoice.payment).await.amount, Some(request.amount));
    }
}

#[tokio::test]
async fn every_code_on_request() {
    let world = World::new().await;
    for code in ["400", "401", "408", "409", "499", "502", "503", "504", "505"] {
        for effect in ["nothing-done", "carried-out"] {
            world.switch("answer-code", "normal");
            let paid = world.create(&world.request(|_| {})).await.payment;
            world.act(&paid.merchant_ref, "pay", &[]);
            world.switch("answer-code-effect", effect);
            world.switch("answer-code", code);
            let error =
                world.shop.invoices().unwrap().create_invoice(&world.request(|_| {})).await.unwrap_err();
            let known = ["400", "401", "408", "499", "505"].contains(&code);
            let create = if known { Outcome::Refused } else { Outcome::Unknown };
            assert_eq!((error.outcome(), error.code()), (create, Some(code)));
            let request = RefundRequest::new(paid.clone(), operation(), vnd(1), "x");
            let error = world.shop.refunds().unwrap().refund(&request).await.unwrap_err();
            let change = if ["400", "401"].contains(&code) { Outcome::Refused } else { Outcome::Unknown };
            assert_eq!((error.outcome(), error.code()), (change, Some(code)));
            let error = world.shop.queries().unwrap().query(&paid).await.unwrap_err();
            assert_eq!((error.outcome(), error.code()), (Outcome::NoEffect, Some(code)));
        }
    }
}

/// What the switches of the sandbox hold open is not taken for more than it is.
#[tokio::test]
async fn assumptions_of_the_gateway_change_nothing_that_matters() {
    let world = World::with(|config| config.response_signature = ResponseSignature::Lenient).await;
    world.switch("response-signature", "another-formula");
    world.switch("error-http-status", "always-200");
    world.switch("callback-transaction-date-time", "no");
    let request = world.request(|_| {});
    let invoice = world.create(&request).await;
    world.act(&request.merchant_ref, "pay", &[]);
    assert_eq!(world.query(&invoice.payment).await.status, PaymentStatus::Paid);
    assert_eq!(proven(&world.notified(1).await[0]), Some(PaymentStatus::Paid));
    assert_eq!(world.shop.response_signatures(), (0, 2), "they are counted, and logged");

    // Code 00 is in one example of the guide, and in no table.
    world.switch("pay-success-code", "00");
    let request = world.request(|options| options.method = Some(Method::Domestic));
    let error = world.shop.invoices().unwrap().create_invoice(&request).await.unwrap_err();
    assert_eq!((error.outcome(), error.code()), (Outcome::Unknown, Some("00")));

    // What is answered about a payment that never was.
    let mut strange = invoice.payment;
    strange.provider_ref = Some(tulbur_core::ProviderRef::parse("2611216031502252512290000").unwrap());
    for (answer, kind) in [
        ("400", ErrorKind::Rejected),
        ("404", ErrorKind::NotFound),
        ("200-without-data", ErrorKind::Malformed),
    ] {
        world.switch("unknown-transaction", answer);
        let error = world.shop.queries().unwrap().query(&strange).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::NoEffect), "{answer}");
    }

    let token = CardToken::new("3235EAC3C7A94E1B8D2F6A5B4C3D2E1F0A9B");
    let mut request = ChargeRequest::new(world.reference(), vnd(1), token);
    request.language = Language::Vi;
    let error = world.shop.charges().unwrap().charge(&request).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Refused, "a token that nobody made");
    assert!(world.env.clock.now().as_millis() > 0);
}
