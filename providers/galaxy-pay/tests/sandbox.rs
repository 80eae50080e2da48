//! The provider, through the real transport and over real sockets, against a gateway that was written without it.

use std::collections::BTreeMap;
use std::time::Duration;

use tulbur_core::{
    Accept, AccountName, BuildEnv, CallbackUrl, Capture, CaptureRequest, CardToken, Channel, ChargeRequest,
    CreateInvoice, Currency, Delivery, ErrorKind, Invoice, IpnEvent, Language, MerchantRef, Money,
    NextAction, OperationRef, Options, Outcome, Payment, PaymentRef, PaymentStatus, Proof, Provider,
    RandomIds, RefundRequest, RefundStatus, ReturnUrls, SavedCard, VoidRequest, Way, confirm,
};
use tulbur_galaxy_pay::{
    Checkout, ExpiryUnit, GalaxyPay, GalaxyPayConfig, GalaxyPayOptions, LinkMethod, Method, PaymentLink,
    RawCard, ResponseSignature, SourceType, UAT_CHECKOUT_SCRIPT,
};
use tulbur_reqwest::ReqwestTransport;
use tulbur_sandbox::{Fault, FaultKind, Sandbox};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// The shop, the sandbox, and the shop's server that the gateway notifies.
struct World {
    sandbox: Sandbox,
    merchant: MockServer,
    env: BuildEnv,
    shop: GalaxyPay,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut GalaxyPayConfig)) -> Self {
        let sandbox = Sandbox::builder().start().await.unwrap();
        let merchant = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(200).set_body_string(r#"{"ipnStatus":"200"}"#))
            .mount(&merchant)
            .await;
        let transport = ReqwestTransport::builder().timeout(Duration::from_millis(2500)).build().unwrap();
        let env = tulbur_reqwest::env_with(transport);
        let gateway = sandbox.provider("galaxy-pay").unwrap();
        let credentials = gateway.credentials();
        let mut config =
            GalaxyPayConfig::new(credentials["api_key"].as_str().into(), credentials["salt"].as_str().into());
        config.base_url = gateway.base_url().parse().unwrap();
        config.accept = Accept::Inferred;
        config.token_method = Some(Method::International);
        config.checkout_script = Some(UAT_CHECKOUT_SCRIPT.parse().unwrap());
        config.response_signature = ResponseSignature::Strict;
        change(&mut config);
        let shop = GalaxyPay::new(AccountName::parse("saigon-shop").unwrap(), config, env.clone()).unwrap();
        Self { sandbox, merchant, env, shop }
    }

    fn gateway(&self) -> tulbur_sandbox::Provider {
        self.sandbox.provider("galaxy-pay").unwrap()
    }

    fn switch(&self, name: &str, value: &str) {
        self.gateway().set_switch(name, value).unwrap();
    }

    fn reference(&self) -> MerchantRef {
        MerchantRef::generate(&self.shop.info().ref_rule, &RandomIds)
    }

    fn request(&self, change: impl FnOnce(&mut GalaxyPayOptions)) -> CreateInvoice {
        let mut options = GalaxyPayOptions::default();
        change(&mut options);
        let mut request = CreateInvoice::new(self.reference(), vnd(100_000), "Thanh toán đơn hàng số 7");
        request.language = Language::Vi;
        request.notify_url = Some(CallbackUrl::parse(format!("{}/notify", self.merchant.uri())).unwrap());
        request.return_urls =
            Some(ReturnUrls::one(CallbackUrl::parse("http://127.0.0.1:9/back?order=7").unwrap()));
        request.options = Some(Options::new(&options).unwrap());
        request
    }

    async fn create(&self, request: &CreateInvoice) -> Invoice {
        self.shop.invoices().unwrap().create_invoice(request).await.unwrap()
    }

    async fn query(&self, payment: &PaymentRef) -> Payment {
        confirm(self.shop.queries().unwrap(), payment).await.unwrap().into_inner()
    }

    fn act(&self, reference: &MerchantRef, action: &str, details: &[(&str, &str)]) {
        let details: BTreeMap<String, String> =
            details.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.gateway().act_with(reference.as_str(), action, details).unwrap();
    }

    fn debits(&self, reference: &MerchantRef) -> u32 {
        self.gateway().payment(reference.as_str()).unwrap().debits
    }

    /// What the gateway notified, once there are this many.
    async fn notified(&self, count: usize) -> Vec<IpnEvent> {
        let mut bodies = Vec::new();
        for _ in 0..200 {
            bodies = self.merchant.received_requests().await.unwrap();
            if bodies.len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert_eq!(bodies.len(), count, "so many notifications came");
        bodies.iter().map(|request| self.verify(Channel::Notify, "POST", None, &request.body)).collect()
    }

    fn verify(&self, channel: Channel, method: &str, query: Option<&str>, body: &[u8]) -> IpnEvent {
        let headers = match channel {
            Channel::Notify => vec![("content-type".to_owned(), "application/json".to_owned())],
            Channel::Return => vec![],
        };
        let delivery = Delivery { channel, method, query, headers: &headers, body };
        self.shop.ipn().unwrap().verify(&delivery).unwrap()
    }

    async fn saved_card(&self, card: &str) -> SavedCard {
        let before = self.merchant.received_requests().await.unwrap().len();
        let mut request = self.request(|options| options.method = Some(Method::International));
        request.save_card = true;
        let invoice = self.create(&request).await;
        self.act(&request.merchant_ref, "pay", &[("card", card)]);
        assert_eq!(self.query(&invoice.payment).await.saved_card, None, "a query brings no token");
        let event = self.notified(before + 1).await.pop().unwrap();
        assert_eq!(proven(&event), Some(PaymentStatus::Paid));
        event.saved_card.expect("the notification brings the token")
    }

    async fn charge(&self, card: &SavedCard, fast: bool) -> (MerchantRef, tulbur_core::Charge) {
        let mut request = ChargeRequest::new(self.reference(), vnd(50_000), card.token.clone());
        request.language = Language::Vi;
        let mut options = GalaxyPayOptions::default();
        options.fast_pay = fast;
        request.options = Some(Options::new(&options).unwrap());
        let charge = self.shop.charges().unwrap().charge(&request).await.unwrap();
        (request.merchant_ref, charge)
    }
}

fn vnd(units: i64) -> Money {
    Money::from_major(units, Currency::VND).unwrap()
}

fn operation() -> OperationRef {
    OperationRef::parse(tulbur_core::IdSource::uuid_v7(&RandomIds)).unwrap()
}

fn proven(event: &IpnEvent) -> Option<PaymentStatus> {
    match &event.proof {
        Proof::Signed(facts) => Some(facts.status),
        Proof::Hint { .. } => None,
    }
}

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

#[tokio::test]
async fn a_saved_card_is_charged_challenged_declined_and_deleted() {
    let world = World::new().await;
    let card = world.saved_card("mpgs").await;
    assert!(card.card.masked_number.is_some());
    let (reference, charge) = world.charge(&card, false).await;
    assert_eq!(charge.payment.status, PaymentStatus::Pending, "the answer leaves it open");
    let payment = world.query(&charge.payment.reference).await;
    assert_eq!((payment.status, payment.amount), (PaymentStatus::Paid, Some(vnd(50_000))));
    assert_eq!(world.debits(&reference), 1);

    let challenged = world.saved_card("mpgs-3ds").await;
    let (reference, charge) = world.charge(&challenged, false).await;
    assert!(matches!(&charge.next[..], [NextAction::Redirect(_)]), "{:?}", charge.next);
    assert_eq!(world.query(&charge.payment.reference).await.status, PaymentStatus::Pending);
    assert_eq!(world.debits(&reference), 0);
    world.act(&reference, "pay", &[]);
    assert_eq!(world.query(&charge.payment.reference).await.status, PaymentStatus::Paid);

    let bad = world.saved_card("token-declined").await;
    let (reference, charge) = world.charge(&bad, false).await;
    assert_eq!(world.query(&charge.payment.reference).await.status, PaymentStatus::Declined);
    assert_eq!(world.debits(&reference), 0);

    world.shop.vault().unwrap().delete_card(&card.token).await.unwrap();
    let mut again = ChargeRequest::new(world.reference(), vnd(50_000), card.token.clone());
    again.language = Language::Vi;
    if let Ok(charge) = world.shop.charges().unwrap().charge(&again).await {
        assert!(!charge.payment.status.is_paid());
        assert_eq!(world.debits(&again.merchant_ref), 0);
    }
}

/// The answer of fast pay is unknown; whichever it is, asking tells.
#[tokio::test]
async fn fast_pay_is_asked_about_whatever_it_answers() {
    let world = World::new().await;
    let card = world.saved_card("mpgs-3ds").await;
    for answer in ["id", "result", "endpoint"] {
        world.switch("fast-pay-answer", answer);
        let (reference, charge) = world.charge(&card, true).await;
        assert_eq!(charge.payment.status, PaymentStatus::Pending, "{answer}");
        assert_eq!(world.query(&charge.payment.reference).await.status, PaymentStatus::Paid, "{answer}");
        assert_eq!(world.debits(&reference), 1);
    }
}

#[tokio::test]
async fn a_charge_whose_answer_is_lost_is_unknown_until_its_notification() {
    let world = World::new().await;
    let card = world.saved_card("mpgs").await;
    let before = world.merchant.received_requests().await.unwrap().len();
    world.gateway().add_fault(Fault::new(FaultKind::AnswerLost).on_path("/api/v1/transaction/pay")).unwrap();
    let mut request = ChargeRequest::new(world.reference(), vnd(50_000), card.token);
    request.language = Language::Vi;
    request.notify_url = Some(CallbackUrl::parse(format!("{}/notify", world.merchant.uri())).unwrap());
    let error = world.shop.charges().unwrap().charge(&request).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(world.debits(&request.merchant_ref), 1, "it was carried out");
    let asked =
        PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), tulbur_galaxy_pay::FLOW_TOKEN);
    let error = world.shop.queries().unwrap().query(&asked).await.unwrap_err();
    assert_eq!(error.field(), Some("provider_ref"), "there is nothing to ask by");
    let event = world.notified(before + 1).await.pop().unwrap();
    assert_eq!(proven(&event), Some(PaymentStatus::Paid));
    assert_eq!(event.subject.merchant_ref, Some(request.merchant_ref));
}

#[tokio::test]
async fn money_is_refunded_in_parts_up_to_the_amount() {
    let world = World::new().await;
    let request = world.request(|options| options.method = Some(Method::International));
    let invoice = world.create(&request).await;
    world.act(&request.merchant_ref, "pay", &[]);
    let refund = async |units: i64| {
        let request = RefundRequest::new(invoice.payment.clone(), operation(), vnd(units), "Trả lại hàng");
        world.shop.refunds().unwrap().refund(&request).await
    };
    for units in [40_000, 50_000] {
        let refund = refund(units).await.unwrap();
        assert_eq!((refund.amount, refund.status), (vnd(units), RefundStatus::Succeeded));
    }
    let error = refund(10_001).await.unwrap_err();
    assert_eq!((error.outcome(), error.code()), (Outcome::Refused, Some("400")));
    refund(10_000).await.unwrap();
    assert_eq!(world.query(&invoice.payment).await.status, PaymentStatus::Paid, "refunded money was paid");
    assert_eq!(world.debits(&request.merchant_ref), 1);
}

#[tokio::test]
async fn held_money_is_captured_or_let_go() {
    for stage in ["AUTHORIZED", "SUCCESSFUL", "absent"] {
        for capture in [true, false] {
            let world = World::new().await;
            world.switch("stage-authorized", stage);
            world.switch("void-ipn", "yes");
            let mut request = world.request(|_| {});
            request.capture = Capture::Later;
            let payment = world.create(&request).await.payment;
            world.act(&request.merchant_ref, "pay", &[]);
            assert_eq!(world.query(&payment).await.status, PaymentStatus::Authorized, "{stage}");
            assert_eq!(world.debits(&request.merchant_ref), 0);
            let event = world.notified(1).await.pop().unwrap();
            assert_eq!(proven(&event), Some(PaymentStatus::Authorized), "held is not taken");
            let status = if capture {
                let request = CaptureRequest::new(payment.clone(), operation(), vnd(100_000));
                world.shop.captures().unwrap().capture(&request).await.unwrap().status
            } else {
                let request = VoidRequest::new(payment.clone(), operation());
                world.shop.voids().unwrap().void(&request).await.unwrap().status
            };
            let (wanted, debits) =
                if capture { (PaymentStatus::Paid, 1) } else { (PaymentStatus::Canceled, 0) };
            assert_eq!((status, world.debits(&request.merchant_ref)), (wanted, debits));
            // What the gateway notifies of it, if anything, never turns let-go money into taken money.
            for event in world.notified(2).await {
                assert!(capture || proven(&event) != Some(PaymentStatus::Paid), "{event:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_card_that_the_shop_collected() {
    let world = World::new().await;
    let card =
        RawCard::parse("4012000033330026".into(), "NGUYEN VAN A".into(), "01/39".into(), Some("100".into()));
    let card = card.unwrap();
    let mut request = world.request(|options| options.method = Some(Method::International));
    request.save_card = true;
    let charge = world.shop.pay_with_card(&request, &card).await.unwrap();
    assert_eq!(charge.payment.status, PaymentStatus::Pending);
    if world.query(&charge.payment.reference).await.status == PaymentStatus::Pending {
        world.act(&request.merchant_ref, "pay", &[]);
    }
    assert_eq!(world.query(&charge.payment.reference).await.status, PaymentStatus::Paid);
    assert!(world.notified(1).await[0].saved_card.is_some());

    let fast = world.request(|options| options.fast_pay = true);
    let charge = world.shop.pay_with_card(&fast, &card).await.unwrap();
    assert_eq!(world.query(&charge.payment.reference).await.status, PaymentStatus::Paid);

    let saved = world.shop.create_token(&card, &Method::International).await.unwrap();
    let (reference, charge) = world.charge(&saved, true).await;
    assert_eq!(world.query(&charge.payment.reference).await.status, PaymentStatus::Paid);
    assert_eq!(world.debits(&reference), 1);
}

#[tokio::test]
async fn a_customers_linked_cards() {
    let world = World::new().await;
    let customer = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl".into();
    let request = world.request(|options| {
        (options.method, options.checkout) = (Some(Method::International), Some(Checkout::default()));
    });
    let invoice = world.shop.checkout_for_customer(&request, &customer).await.unwrap();
    assert!(matches!(&invoice.next[..], [NextAction::Embed(_)]));
    world.act(&request.merchant_ref, "pay", &[("card", "mpgs")]);
    let linked = world.shop.query_tokens(&customer).await.unwrap();
    assert!(linked.customer_id.is_some());
    for card in &linked.tokens {
        world.shop.remove_token(&customer, &card.id).await.unwrap();
    }
    assert_eq!(world.shop.query_tokens(&customer).await.unwrap().tokens, []);
}

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
