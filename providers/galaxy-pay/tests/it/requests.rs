//! What is sent, byte for byte where it matters, and what a good answer becomes.

use serde_json::{Value, json};
use tulbur_core::{
    Capture, Effect, Embed, Language, NextAction, PageKind, PaymentStatus, Provider, Redirect, Way,
};
use tulbur_galaxy_pay::{
    Checkout, Customer, ExpiryUnit, ExtraData, ExtraGroups, FLOW_AUTHORIZE, FLOW_CHECKOUT, FLOW_LINK,
    FLOW_OPTION, FLOW_PAY, FLOW_QR, LinkField, LinkMethod, Method, SourceType, UAT_CHECKOUT_SCRIPT,
};

use crate::common::*;

fn redirect(url: &str, page: PageKind) -> NextAction {
    NextAction::Redirect(Redirect { url: url.parse().unwrap(), page, language: None })
}

fn endpoint(page: PageKind) -> NextAction {
    redirect(&format!("https://uat-payment.galaxypay.vn/pay/{TRANSACTION}"), page)
}

/// What every request of a payment holds.
fn order(description: &str) -> Value {
    json!({
        "orderID": REFERENCE, "orderAmount": 100_000, "orderCurrency": "VND", "orderDateTime": TODAY,
        "orderDescription": description,
    })
}

fn addresses() -> Value {
    json!({
        "successURL": "https://shop.vn/ok", "failureURL": "https://shop.vn/failed?order=7",
        "cancelURL": "shop://cancel", "ipnURL": "https://shop.vn/notify",
    })
}

fn join(parts: &[Value]) -> Value {
    let mut whole = serde_json::Map::new();
    for part in parts {
        whole.extend(part.as_object().unwrap().clone());
    }
    Value::Object(whole)
}

#[tokio::test]
async fn every_request_is_signed_over_the_bytes_that_are_sent() {
    for operation in Operation::ALL {
        let (gateway, script) = gateway();
        script.then(http(200, operation.good()));
        operation.run(&gateway).await.unwrap();
        let sent = &script.sent()[0];
        let header = |name: &str| {
            let found = sent.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        assert_eq!(header("signature"), sign(&sent.body), "{operation:?}");
        assert_eq!(header("apikey"), KEY);
        assert_eq!((header("content-type"), header("accept")), ("application/json", "application/json"));
        assert_eq!((sent.method.as_str(), sent.url.path()), ("POST", operation.path()));
        assert_eq!(sent.url.host_str(), Some("secure.galaxypay.vn"));
        let effect = if operation.writes() { Effect::Write } else { Effect::ReadOnce };
        assert_eq!(sent.effect, effect, "{operation:?}");

        let text = std::str::from_utf8(&sent.body).unwrap();
        let begins = format!(
            r#"{{"requestID":"{REQUEST}{}","requestDateTime":{TODAY},"requestData":{{"#,
            operation.mark()
        );
        assert!(text.starts_with(&begins), "{text}");
        assert!(
            !text.contains(' ')
                || text.contains("quyển")
                || text.contains("PLANTED")
                || text.contains("Tháng")
                || text.contains("Trả"),
            "compact: {text}"
        );
    }
}

/// Vietnamese leaves as it is, and not as `\u` escapes: the hash would be another.
#[tokio::test]
async fn vietnamese_text_is_sent_raw() {
    let (gateway, script) = gateway();
    script.then(http(200, Operation::Option.good()));
    Operation::Option.run(&gateway).await.unwrap();
    let sent = &script.sent()[0];
    assert!(std::str::from_utf8(&sent.body).unwrap().contains(r#""orderDescription":"Hai quyển sách""#));
}

#[tokio::test]
async fn a_page_on_which_the_payer_chooses() {
    let (gateway, script) = gateway();
    script.then(http(200, Operation::Option.good()));
    let invoice = gateway.invoices().unwrap().create_invoice(&invoice_request()).await.unwrap();
    assert_eq!(invoice.status, PaymentStatus::Pending, "created is not paid");
    assert_eq!(invoice.next, [endpoint(PageKind::Choice)]);
    assert_eq!(invoice.payment, payment(FLOW_OPTION));
    assert_eq!(invoice.expires_at, None, "how long a page lives is unknown");
    let (path, sent) = one(&script);
    assert_eq!(path, "/api/v1/transaction/payWithOption");
    let wanted = [
        json!({ "apiVersion": 2, "apiOperation": "PAY", "language": "vi" }),
        order("Hai quyển sách"),
        addresses(),
    ];
    assert_eq!(sent["requestData"], join(&wanted));
}

#[tokio::test]
async fn version_one_is_asked_for_by_saying_nothing() {
    let mut config = config();
    config.api_version = 1;
    let (gateway, script) = gateway_with(config);
    script.then(http(200, Operation::Option.good()));
    Operation::Option.run(&gateway).await.unwrap();
    assert_eq!(one(&script).1["requestData"].get("apiVersion"), None);
}

#[tokio::test]
async fn one_method_with_all_that_it_can_carry() {
    let (gateway, script) = gateway();
    script.then(http(200, Operation::Pay.good()));
    let mut request = invoice_request();
    request.language = Language::En;
    let customer = serde_json::from_value::<Customer>(json!({ "firstName": "Ánh" })).unwrap();
    let mut groups = ExtraGroups::default();
    groups.customer = Some(customer);
    request.options = with(|options| {
        options.method = Some(Method::Wallet);
        options.source_type = Some(SourceType::MOMO);
        options.order_number = Some("0052".into());
        options.sub_merchant = Some("branch-7".into());
        options.extra_data = Some(ExtraData::from(groups));
    });
    // What the options say of the customer is said, and nothing is added to it.
    request.payer.email = Some("a@example.com".into());
    let invoice = gateway.invoices().unwrap().create_invoice(&request).await.unwrap();
    assert_eq!(invoice.payment.flow, FLOW_PAY);
    assert_eq!(gateway.flow_of_invoice(&request).unwrap().flow, FLOW_PAY);
    assert_eq!(invoice.next, [endpoint(PageKind::Choice)]);
    let wanted = [
        json!({
            "apiVersion": 2, "apiOperation": "PAY", "language": "en", "orderNumber": "0052",
            "paymentMethod": "WALLET", "sourceType": "MOMO", "subMerchant": { "identifier": "branch-7" },
            "extraData": { "customer": { "firstName": "Ánh" } },
        }),
        order("Hai quyển sách"),
        addresses(),
    ];
    assert_eq!(
        one(&script),
        (
            "/api/v1/transaction/pay".into(),
            json!({
                "requestID": REQUEST, "requestDateTime": TODAY, "requestData": join(&wanted),
            })
        )
    );
}

#[tokio::test]
async fn what_the_request_says_of_the_payer_is_passed_on() {
    let (gateway, script) = gateway();
    script.then(http(200, Operation::Option.good()));
    let mut request = invoice_request();
    request.payer.email = Some("a@example.com".into());
    request.payer.phone = Some("0900000000".into());
    request.payer.name = Some("Nguyễn Văn A".into());
    gateway.invoices().unwrap().create_invoice(&request).await.unwrap();
    let customer = json!({ "customer": { "email": "a@example.com", "phoneNumber": "0900000000" } });
    assert_eq!(one(&script).1["requestData"]["extraData"], customer);
}

#[tokio::test]
async fn a_card_is_saved_with_a_payment() {
    for (method, path) in [(None, "payWithOption"), (Some(Method::Domestic), "pay")] {
        let (gateway, script) = gateway();
        script.then(http(200, Operation::SaveCard.good()));
        let mut request = invoice_request();
        request.save_card = true;
        let page = if method.is_some() { PageKind::Card } else { PageKind::Choice };
        request.options = with(|options| options.method = method);
        let invoice = gateway.invoices().unwrap().create_invoice(&request).await.unwrap();
        assert_eq!(invoice.next, [endpoint(page)]);
        let (sent_to, sent) = one(&script);
        assert!(sent_to.ends_with(path), "{sent_to}");
        assert_eq!(sent["requestData"]["apiOperation"], "PAY_WITH_CREATE_TOKEN");
    }
}

#[tokio::test]
async fn money_is_held_for_international_cards() {
    for options in [None, with(|options| options.method = Some(Method::International))] {
        let (gateway, script) = gateway();
        script.then(http(200, Operation::Authorize.good()));
        let mut request = invoice_request();
        (request.capture, request.options) = (Capture::Later, options);
        assert_eq!(gateway.flow_of_invoice(&request).unwrap().flow, FLOW_AUTHORIZE);
        let invoice = gateway.invoices().unwrap().create_invoice(&request).await.unwrap();
        assert_eq!(invoice.payment, payment(FLOW_AUTHORIZE));
        let (path, sent) = one(&script);
        assert_eq!(path, "/api/v1/transaction/pay");
        assert_eq!(sent["requestData"]["isAutoCapture"], "false");
        assert_eq!(sent["requestData"]["paymentMethod"], "INTERNATIONAL");
        assert_eq!(sent["requestID"], format!("{REQUEST}h"), "its notifications tell what it was");
    }
}

#[tokio::test]
async fn a_qr_is_a_banks_or_a_wallets() {
    for (method, source, sent_as) in [
        (None, None, ("QRPAY", "QRPAY")),
        (Some(Method::Qr), None, ("QRPAY", "QRPAY")),
        (Some(Method::Qr), Some(SourceType::VNPAY), ("QRPAY", "VNPAY")),
        (Some(Method::Wallet), Some(SourceType::ZALOPAY), ("WALLET", "ZALOPAY")),
    ] {
        let (gateway, script) = gateway();
        script.then(http(200, Operation::Qr.good()));
        let mut request = invoice_request();
        request.options = with(|options| (options.method, options.source_type) = (method, source));
        request.way = Way::Qr;
        assert_eq!(gateway.flow_of_invoice(&request).unwrap().flow, FLOW_QR);
        request.way = Way::Page;
        let invoice = gateway.qr().unwrap().create_qr(&request).await.unwrap();
        assert_eq!(invoice.payment, payment(FLOW_QR));
        let shown = [NextAction::ShowQr("00020101021238".into()), endpoint(PageKind::Choice)];
        assert_eq!(invoice.next, shown);
        let (path, sent) = one(&script);
        assert_eq!(path, "/api/v1/transaction/payWithQR");
        let wanted = [
            json!({
                "apiOperation": "PAY", "language": "vi", "paymentMethod": sent_as.0, "sourceType": sent_as.1,
            }),
            order("Hai quyển sách"),
            addresses(),
        ];
        assert_eq!(sent["requestData"], join(&wanted));
    }
}

#[tokio::test]
async fn the_modal_is_given_with_its_script() {
    for (operation, customer) in
        [(Operation::Checkout, None), (Operation::CheckoutForCustomer, Some(CUSTOMER))]
    {
        let (gateway, script) = gateway();
        script.then(http(200, operation.good()));
        let request = operation.invoice();
        assert_eq!(gateway.flow_of_invoice(&request).unwrap().flow, FLOW_CHECKOUT);
        let invoice = if let Some(token) = customer {
            gateway.checkout_for_customer(&request, &token.into()).await.unwrap()
        } else {
            gateway.invoices().unwrap().create_invoice(&request).await.unwrap()
        };
        assert_eq!(invoice.payment, payment(FLOW_CHECKOUT));
        let embed = Embed {
            script: UAT_CHECKOUT_SCRIPT.parse().unwrap(),
            function: "galaxyPaySubmitPayment".into(),
            container: "galaxy-pay-sdk".into(),
            value: format!("https://uat-payment.galaxypay.vn/pay/{TRANSACTION}"),
        };
        assert_eq!(invoice.next, [NextAction::Embed(embed)]);
        let (path, sent) = one(&script);
        assert_eq!(path, "/api/v1/transaction/checkout");
        let mut wanted = vec![
            order("Hai quyển sách"),
            json!({
                "orderNetAmount": 100_000, "orderFeeAmount": 0, "orderDiscountAmount": 0, "language": "vi",
                "paymentMethod": "INTERNATIONAL",
            }),
        ];
        wanted.extend(customer.map(|token| json!({ "customerToken": token })));
        assert_eq!(sent["requestData"], join(&wanted), "no address and no operation: its table has none");
    }
}

#[tokio::test]
async fn the_parts_of_a_checkout_are_sent_as_given() {
    let mut config = config();
    config.currencies = vec![tulbur_core::Currency::USD];
    let (gateway, script) = gateway_with(config);
    script.then(http(200, Operation::Checkout.good()));
    let mut request = invoice_request();
    request.amount = money("12.50", "USD");
    let mut checkout = Checkout::default();
    checkout.net = Some(money("12", "USD"));
    checkout.fee = Some(money("1.25", "USD"));
    checkout.discount = Some(money("0.75", "USD"));
    request.options = with(|options| {
        (options.method, options.checkout) = (Some(Method::International), Some(checkout));
    });
    gateway.invoices().unwrap().create_invoice(&request).await.unwrap();
    let sent = script.sent();
    let text = std::str::from_utf8(&sent[0].body).unwrap();
    let wanted = r#""orderAmount":12.50,"orderNetAmount":12.00,"orderFeeAmount":1.25,"orderDiscountAmount":0.75,"orderCurrency":"USD""#;
    assert!(text.contains(wanted), "{text}");
}

#[tokio::test]
async fn a_payment_link_lives_as_long_as_it_was_told() {
    let (gateway, script) = gateway();
    script.then(http(200, Operation::Link.good()));
    let mut request = invoice_request();
    let mut link = link();
    link.fields = vec![LinkField::Email, LinkField::Other("mail".into())];
    (link.expires_after, link.expires_unit) = (90, ExpiryUnit::Minute);
    link.methods.push(LinkMethod::Other("NEW".into()));
    request.options = with(|options| options.payment_link = Some(link));
    assert_eq!(gateway.flow_of_invoice(&request).unwrap().flow, FLOW_LINK);
    let invoice = gateway.invoices().unwrap().create_invoice(&request).await.unwrap();
    assert_eq!(invoice.payment.flow, FLOW_LINK);
    assert_eq!(invoice.payment.provider_ref.as_ref().unwrap().as_str(), LINK);
    assert_eq!(invoice.next, [redirect("https://uat-s.galaxypay.vn/Ab3", PageKind::Choice)]);
    assert_eq!(invoice.expires_at.unwrap().since(NOW).as_secs(), 90 * 60);
    assert_eq!(
        one(&script),
        (
            "/api/v1/transaction/createPaymentLink".into(),
            json!({
                "requestID": REQUEST, "requestDateTime": TODAY, "requestData": {
                    "orderID": REFERENCE, "orderName": "Đơn hàng 7", "orderAmount": 100_000, "orderCurrency": "VND",
                    "orderDescription": "Hai quyển sách", "expiryDuration": 90, "expiryUnit": "MINUTE",
                    "paymentMethods": ["NAPAS", "MOMO", "NEW"], "paymentFields": ["email", "mail"],
                    "ipnURL": "https://shop.vn/notify", "language": "vi",
                },
            })
        )
    );
}

/// VND has no decimals and USD two; JPY has none, which is an assumption. What is sent is a JSON number.
#[tokio::test]
async fn amounts_are_exact_numbers() {
    for (text, currency, sent_as) in [
        ("100000", "VND", "100000"),
        ("1", "VND", "1"),
        ("9223372036854775807", "VND", "9223372036854775807"),
        ("12.5", "USD", "12.50"),
        ("12", "USD", "12.00"),
        ("0.01", "USD", "0.01"),
        ("1500", "JPY", "1500"),
        ("1500", "KRW", "1500"),
    ] {
        let mut config = config();
        config.currencies = vec![tulbur_core::Currency::parse(currency).unwrap()];
        let (gateway, script) = gateway_with(config);
        script.then(http(200, Operation::Option.good()));
        let mut request = invoice_request();
        request.amount = money(text, currency);
        gateway.invoices().unwrap().create_invoice(&request).await.unwrap();
        let sent = script.sent();
        let body = std::str::from_utf8(&sent[0].body).unwrap();
        let wanted = format!(r#""orderAmount":{sent_as},"orderCurrency":"{currency}""#);
        assert!(body.contains(&wanted), "{body}");
    }
}

#[test]
fn flows_are_declared_with_what_can_be_known_of_them() {
    for config in [config(), all()] {
        let inferred = config.accept == tulbur_core::Accept::Inferred;
        let (gateway, _) = gateway_with(config);
        let info = gateway.info();
        assert_eq!(gateway.captures().is_some(), inferred);
        assert_eq!(gateway.voids().is_some(), inferred);
        assert_eq!(info.captures.is_some(), inferred);
        assert_eq!(info.flow(&FLOW_AUTHORIZE).is_some(), inferred);
        assert_eq!(info.flow(&FLOW_LINK).unwrap().proof, tulbur_core::ProofBy::SignedIpn);
        assert_eq!(info.languages, [Language::Vi, Language::En]);
        for flow in &info.flows {
            let moves = ["token", "fast", "card"].contains(&flow.flow.as_str());
            assert_eq!(flow.effect == tulbur_core::FlowEffect::MovesMoney, moves, "{}", flow.flow);
        }
    }
}

/// A write without it could leave after its owner has lost it.
#[tokio::test]
async fn every_write_is_sent_with_its_deadline() {
    for operation in Operation::ALL {
        let (gateway, script) = gateway();
        script.then(http(200, operation.good()));
        operation.run(&gateway).await.unwrap();
        let [sent] = &script.sent()[..] else { panic!("one request") };
        let wanted = if operation.has_deadline() { SEND_BY } else { None };
        assert_eq!(sent.send_by, wanted, "{operation:?}");
    }
}
