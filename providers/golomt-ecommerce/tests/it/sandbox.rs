//! The provider, through the real transport and over real sockets, against a bank that was written without it.

use std::collections::BTreeMap;
use std::time::Duration;

use tulbur_core::{
    AccountName, BuildEnv, CallbackUrl, CardSetupState, CardToken, Channel, ChargeRequest, CreateCardSetup,
    CreateInvoice, Currency, Delivery, ErrorKind, HttpRequest, Invoice, IpnEvent, MerchantRef, Method, Money,
    NextAction, Outcome, PaymentRef, PaymentStatus, Proof, Provider, RandomIds, ReturnUrls, confirm,
};
use tulbur_golomt_ecommerce::{
    Date, FLOW_CHARGE, FLOW_PAGE, GolomtEcommerce, GolomtEcommerceConfig, SettlementQuery,
};
use tulbur_reqwest::ReqwestTransport;
use tulbur_sandbox::{Fault, FaultKind, Sandbox};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// The merchant, the sandbox, and the merchant's server that the bank pushes to.
struct World {
    sandbox: Sandbox,
    merchant: MockServer,
    env: BuildEnv,
    shop: GolomtEcommerce,
}

fn shop(bank: &tulbur_sandbox::Provider, env: &BuildEnv, token: &str, secret: &str) -> GolomtEcommerce {
    let mut config = GolomtEcommerceConfig::new(token.into(), secret.into());
    config.base_url = bank.base_url().parse().unwrap();
    config.merchant_id = Some("000000000087050".into());
    GolomtEcommerce::new(AccountName::parse("web-shop").unwrap(), config, env.clone()).unwrap()
}

impl World {
    async fn new() -> Self {
        let sandbox = Sandbox::builder().start().await.unwrap();
        let merchant = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/push"))
            .respond_with(ResponseTemplate::new(200).set_body_string("OK"))
            .mount(&merchant)
            .await;
        let transport = ReqwestTransport::builder().timeout(Duration::from_secs(5)).build().unwrap();
        let env = tulbur_reqwest::env_with(transport);
        let bank = sandbox.provider("golomt-ecommerce").unwrap();
        bank.set_push_address(Some(&format!("{}/push", merchant.uri()))).unwrap();
        let credentials = bank.credentials();
        let shop = shop(&bank, &env, &credentials["token"], &credentials["secret"]);
        Self { sandbox, merchant, env, shop }
    }

    fn bank(&self) -> tulbur_sandbox::Provider {
        self.sandbox.provider("golomt-ecommerce").unwrap()
    }

    fn reference(&self) -> MerchantRef {
        MerchantRef::generate(&self.shop.info().ref_rule, &RandomIds)
    }

    fn request(&self) -> CreateInvoice {
        let mut request = CreateInvoice::new(self.reference(), money("1500"), "Two books");
        request.return_urls = Some(back());
        request
    }

    async fn invoice(&self) -> Invoice {
        self.shop.invoices().unwrap().create_invoice(&self.request()).await.unwrap()
    }

    async fn query(&self, payment: &PaymentRef) -> Result<tulbur_core::Payment, tulbur_core::Error> {
        confirm(self.shop.queries().unwrap(), payment).await.map(tulbur_core::Verified::into_inner)
    }

    fn act(&self, reference: &MerchantRef, action: &str, card: &str) {
        let details = BTreeMap::from([("card".to_owned(), card.to_owned())]);
        self.bank().act_with(reference.as_str(), action, details).unwrap();
    }

    /// What the bank pushed, once there are this many.
    async fn pushed(&self, count: usize) -> Vec<Vec<u8>> {
        for _ in 0..2000 {
            let received = self.merchant.received_requests().await.unwrap();
            if received.len() >= count {
                return received.into_iter().map(|request| request.body).collect();
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the bank did not push {count} times")
    }

    fn verify(&self, body: &[u8]) -> Result<IpnEvent, tulbur_core::Error> {
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        self.shop.ipn().unwrap().verify(&Delivery {
            channel: Channel::Notify,
            method: "POST",
            query: None,
            headers: &headers,
            body,
        })
    }

    /// A card saved with a purchase.
    async fn card(&self, card: &str) -> CardToken {
        let mut request = self.request();
        request.save_card = true;
        let invoice = self.shop.invoices().unwrap().create_invoice(&request).await.unwrap();
        self.act(&request.merchant_ref, "pay", card);
        self.query(&invoice.payment).await.unwrap().saved_card.expect("it was asked for").token
    }

    fn calls(&self, path: &str) -> usize {
        self.bank().requests().iter().filter(|request| request.target == path).count()
    }
}

fn money(text: &str) -> Money {
    Money::parse(text, Currency::MNT).unwrap()
}

fn back() -> ReturnUrls {
    ReturnUrls::one(CallbackUrl::parse("http://127.0.0.1:8080/back").unwrap())
}

#[tokio::test]
async fn an_invoice_is_paid_pushed_and_confirmed() {
    let world = World::new().await;
    let invoice = world.invoice().await;
    for next in &invoice.next {
        let NextAction::Redirect(redirect) = next else { panic!("{next:?}") };
        let mut page = HttpRequest::post_json("page", tulbur_core::Effect::Read, redirect.url.clone(), "");
        page.method = Method::Get;
        assert_eq!(world.env.transport.send(page).await.unwrap().status, 200, "{}", redirect.url);
    }
    assert_eq!(world.query(&invoice.payment).await.unwrap().status, PaymentStatus::Pending);

    world.act(&invoice.payment.merchant_ref, "pay", "success");
    let payment = world.query(&invoice.payment).await.unwrap();
    assert_eq!((payment.status, payment.amount), (PaymentStatus::Paid, Some(money("1500"))));
    assert_eq!(payment.card.masked_number.as_deref(), Some("999999******0006"));
    assert_eq!(payment.saved_card, None);

    let event = world.verify(&world.pushed(1).await[0]).unwrap();
    let Proof::Signed(facts) = &event.proof else { panic!("{event:?}") };
    assert_eq!(facts.merchant_ref.as_ref(), Some(&invoice.payment.merchant_ref));
    assert_eq!((facts.status, facts.amount), (PaymentStatus::Paid, money("1500")));
    assert_eq!(world.bank().payment(invoice.payment.merchant_ref.as_str()).unwrap().debits, 1);
}

#[tokio::test]
async fn a_declined_page_is_an_answer() {
    let world = World::new().await;
    for (card, code) in [("decline", "179"), ("expired", "300")] {
        let invoice = world.invoice().await;
        world.act(&invoice.payment.merchant_ref, "decline", card);
        let payment = world.query(&invoice.payment).await.unwrap();
        assert_eq!((payment.status, payment.code.as_deref()), (PaymentStatus::Declined, Some(code)));
    }
    let pushed = world.pushed(2).await;
    assert!(pushed.iter().all(|body| world.verify(body).unwrap().claimed == Some(PaymentStatus::Declined)));
}

#[tokio::test]
async fn whatever_the_bank_does_where_its_documents_are_silent() {
    let world = World::new().await;
    for (switch, values) in [
        ("amount-echo", &["as-sent", "two-decimals", "shortest"][..]),
        ("token-when-none", &["null", "absent"]),
        ("push-status-field", &["no", "yes"]),
    ] {
        for value in values {
            world.bank().set_switch(switch, value).unwrap();
            let invoice = world.invoice().await;
            assert_eq!(world.query(&invoice.payment).await.unwrap().status, PaymentStatus::Pending);
            world.act(&invoice.payment.merchant_ref, "pay", "success");
            let payment = world.query(&invoice.payment).await.unwrap();
            assert_eq!(
                (payment.status, payment.amount),
                (PaymentStatus::Paid, Some(money("1500"))),
                "{value}"
            );
        }
    }
    for body in world.pushed(7).await {
        assert!(matches!(world.verify(&body).unwrap().proof, Proof::Signed(_)));
    }
}

#[tokio::test]
async fn a_card_saved_with_a_payment_is_charged_checked_and_settled() {
    let world = World::new().await;
    let token = world.card("success").await;
    let event = world.verify(&world.pushed(1).await[0]).unwrap();
    assert_eq!(event.saved_card.map(|saved| saved.token), Some(token.clone()));

    let request = ChargeRequest::new(world.reference(), money("0.50"), token.clone());
    let charged = tulbur_core::charge(world.shop.charges().unwrap(), &request).await.unwrap();
    assert_eq!((charged.payment.status, charged.payment.amount), (PaymentStatus::Paid, Some(money("0.50"))));
    let checked = world.query(&charged.payment.reference).await.unwrap();
    assert_eq!((checked.status, checked.amount), (PaymentStatus::Paid, Some(money("0.50"))));

    let (start, end) = (Date::parse("2000-01-01").unwrap(), Date::parse("2999-12-31").unwrap());
    let mut query = SettlementQuery::new(token, start, end);
    query.size = 1;
    let mut pages = world.shop.settlement_pages(query);
    let mut settled = Vec::new();
    while let Some(page) = pages.next().await.unwrap() {
        settled.extend(page.settlements);
    }
    let mut amounts: Vec<i64> = settled.iter().map(|one| one.amount.minor()).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, [50, 150_000]);
}

#[tokio::test]
async fn a_card_is_saved_without_a_purchase() {
    let world = World::new().await;
    let cards = world.shop.tokenize().unwrap();
    let mut request = CreateCardSetup::new(world.reference());
    request.return_urls = Some(back());
    let setup = cards.create_card_setup(&request).await.unwrap();
    assert_eq!(cards.read_card_setup(&setup.reference).await.unwrap().state, CardSetupState::Pending);
    world.act(&request.merchant_ref, "pay", "success");
    let saved = cards.read_card_setup(&setup.reference).await.unwrap();
    let CardSetupState::Saved(card) = saved.state else { panic!("{saved:?}") };
    let charge = ChargeRequest::new(world.reference(), money("100"), card.token);
    let charged = world.shop.charges().unwrap().charge(&charge).await.unwrap();
    assert_eq!(charged.payment.status, PaymentStatus::Paid);

    let mut request = CreateCardSetup::new(world.reference());
    request.return_urls = Some(back());
    let setup = cards.create_card_setup(&request).await.unwrap();
    world.act(&request.merchant_ref, "decline", "expired");
    assert_eq!(cards.read_card_setup(&setup.reference).await.unwrap().state, CardSetupState::Declined);
}

#[tokio::test]
async fn a_declined_charge_takes_nothing() {
    let world = World::new().await;
    let token = world.card("token-declined").await;
    let request = ChargeRequest::new(world.reference(), money("100"), token);
    let charged = world.shop.charges().unwrap().charge(&request).await.unwrap();
    assert_eq!(charged.payment.status, PaymentStatus::Declined);
    assert_eq!(world.bank().payment(request.merchant_ref.as_str()).unwrap().debits, 0);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let world = World::new().await;
    let unknown = PaymentRef::new(world.reference(), Some(money("1")), FLOW_PAGE);
    assert_eq!(world.query(&unknown).await.unwrap_err().kind(), ErrorKind::NotFound);
    let unknown = PaymentRef::new(world.reference(), Some(money("1")), FLOW_CHARGE);
    assert_eq!(world.query(&unknown).await.unwrap_err().kind(), ErrorKind::NotFound);

    let request = world.request();
    let invoices = world.shop.invoices().unwrap();
    invoices.create_invoice(&request).await.unwrap();
    let error = invoices.create_invoice(&request).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Duplicate, Outcome::Unknown), "{error}");

    let bank = world.bank();
    let credentials = bank.credentials();
    for (token, secret, kind) in [
        ("another-token", credentials["secret"].as_str(), ErrorKind::Unauthorized),
        (credentials["token"].as_str(), "another-secret", ErrorKind::Rejected),
    ] {
        let stranger = shop(&bank, &world.env, token, secret);
        let error = stranger.invoices().unwrap().create_invoice(&world.request()).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::Refused), "{error}");
    }
}

const ANSWER_FAULTS: [FaultKind; 9] = [
    FaultKind::AnswerLost,
    FaultKind::CutBefore,
    FaultKind::ErrorBefore,
    FaultKind::ErrorAfter,
    FaultKind::Slow,
    FaultKind::Truncated,
    FaultKind::NotJson,
    FaultKind::AnswerWrongChecksum,
    FaultKind::AnswerTamperedAmount,
];

fn fault(kind: FaultKind, path: &str) -> Fault {
    let fault = Fault::new(kind).on_path(path);
    if kind == FaultKind::Slow { fault.millis(15_000) } else { fault }
}

/// The heart of it: a charge whose answer is lost in any way is unknown, was sent once, and is found by asking.
#[tokio::test]
async fn a_charge_without_a_good_answer_is_unknown_sent_once_and_found_by_asking() {
    let world = World::new().await;
    let token = world.card("success").await;
    for kind in ANSWER_FAULTS {
        world.bank().add_fault(fault(kind, "/api/pay")).unwrap();
        let before = world.calls("/api/pay");
        let request = ChargeRequest::new(world.reference(), money("100"), token.clone());
        let result = world.shop.charges().unwrap().charge(&request).await;
        let error = result.expect_err("there was no good answer");
        assert_eq!(error.outcome(), Outcome::Unknown, "{kind:?}: {error}");
        if kind == FaultKind::AnswerTamperedAmount {
            assert_eq!((error.kind(), error.field()), (ErrorKind::Untrusted, Some("checksum")));
        }
        assert_eq!(world.calls("/api/pay") - before, 1, "{kind:?}: calls that the bank saw");

        let debits = world.bank().payment(request.merchant_ref.as_str()).map_or(0, |payment| payment.debits);
        let asked = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), FLOW_CHARGE);
        match world.query(&asked).await {
            Ok(payment) => assert_eq!((payment.status, debits), (PaymentStatus::Paid, 1), "{kind:?}"),
            Err(error) => assert_eq!((error.kind(), debits), (ErrorKind::NotFound, 0), "{kind:?}"),
        }
        let carried_out = !matches!(kind, FaultKind::CutBefore | FaultKind::ErrorBefore);
        assert_eq!(debits, u32::from(carried_out), "{kind:?}");
    }
}

#[tokio::test]
async fn an_invoice_without_a_good_answer_is_unknown_and_sent_once() {
    let world = World::new().await;
    // An invoice's answer has no amount that could be changed.
    for kind in ANSWER_FAULTS.into_iter().filter(|kind| *kind != FaultKind::AnswerTamperedAmount) {
        world.bank().add_fault(fault(kind, "/api/invoice")).unwrap();
        let before = world.calls("/api/invoice");
        let error = world.shop.invoices().unwrap().create_invoice(&world.request()).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{kind:?}: {error}");
        assert_eq!(world.calls("/api/invoice") - before, 1, "{kind:?}: calls that the bank saw");
    }
}

#[tokio::test]
async fn a_question_without_a_good_answer_changes_nothing_and_is_asked_again() {
    let world = World::new().await;
    let invoice = world.invoice().await;
    world.act(&invoice.payment.merchant_ref, "pay", "success");
    for kind in ANSWER_FAULTS.into_iter().filter(|kind| *kind != FaultKind::Slow) {
        world.bank().add_fault(fault(kind, "/api/inquiry").always()).unwrap();
        let error = world.query(&invoice.payment).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NoEffect, "{kind:?}: {error}");
        world.bank().clear_faults().unwrap();
    }
    // The transport repeats a read that was cut, by itself.
    world.bank().add_fault(fault(FaultKind::AnswerLost, "/api/inquiry")).unwrap();
    assert!(world.query(&invoice.payment).await.unwrap().status.is_paid());
}

#[tokio::test]
async fn pushes_that_were_tampered_with_are_refused_and_doubled_ones_are_recognised() {
    let world = World::new().await;
    for (kind, count) in [(FaultKind::PushTamperedAmount, 1), (FaultKind::PushWrongKey, 2)] {
        world.bank().add_fault(Fault::new(kind)).unwrap();
        let invoice = world.invoice().await;
        world.act(&invoice.payment.merchant_ref, "pay", "success");
        let error = world.verify(world.pushed(count).await.last().unwrap()).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Untrusted, Some("checksum")), "{kind:?}");
        assert!(world.query(&invoice.payment).await.unwrap().status.is_paid(), "asking finds it");
    }
    world.bank().add_fault(Fault::new(FaultKind::PushDoubled)).unwrap();
    let invoice = world.invoice().await;
    world.act(&invoice.payment.merchant_ref, "pay", "success");
    let pushed = world.pushed(4).await;
    let (one, two) = (world.verify(&pushed[2]).unwrap(), world.verify(&pushed[3]).unwrap());
    assert_eq!((one.repeat_key(), one.meaning()), (two.repeat_key(), two.meaning()));
}
