//! The provider, through the real transport and over real sockets, against a bank that was written without it.

use std::time::Duration;

use tulbur_core::{
    AccountName, BuildEnv, CancelRequest, Channel, CreateInvoice, Currency, Delivery, Error, ErrorKind,
    Invoice, IpnEvent, MerchantRef, Money, NextAction, OperationRef, Outcome, Payment, PaymentRef,
    PaymentStatus, Proof, Provider, RandomIds, RefundRequest, Voucher, Way, cancel, confirm,
};
use tulbur_golomt_instore::v2::{Card, InstoreV2, InstoreV2Config, V2Amount};
use tulbur_golomt_instore::{FLOW_QR, GolomtInstore, GolomtInstoreConfig, ID};
use tulbur_reqwest::ReqwestTransport;
use tulbur_sandbox::{Fault, FaultKind, Sandbox};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// The merchant's till, the sandbox, and the merchant's server that the bank pushes to.
struct World {
    sandbox: Sandbox,
    merchant: MockServer,
    env: BuildEnv,
    till: GolomtInstore,
}

fn till(
    bank: &tulbur_sandbox::Provider,
    env: &BuildEnv,
    name: &str,
    terminal: &str,
    secret: &str,
) -> GolomtInstore {
    let mut config = GolomtInstoreConfig::new(terminal, secret.into());
    config.base_url = bank.base_url().parse().unwrap();
    GolomtInstore::new(AccountName::parse(name).unwrap(), config, env.clone()).unwrap()
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
        let bank = sandbox.provider(ID).unwrap();
        bank.set_push_address(Some(&format!("{}/push", merchant.uri()))).unwrap();
        let credentials = bank.credentials();
        let till = till(&bank, &env, "till-1", &credentials["terminal"], &credentials["secret"]);
        Self { sandbox, merchant, env, till }
    }

    fn bank(&self) -> tulbur_sandbox::Provider {
        self.sandbox.provider(ID).unwrap()
    }

    fn reference(&self) -> MerchantRef {
        MerchantRef::generate(&self.till.info().ref_rule, &RandomIds)
    }

    fn request(&self, way: Way) -> CreateInvoice {
        let mut request = CreateInvoice::new(self.reference(), money("1100.50"), "Two coffees");
        request.way = way;
        request.payer.phone = Some("99112233".into());
        request
    }

    async fn open(&self, way: Way) -> Invoice {
        create(&self.till, &self.request(way)).await.unwrap()
    }

    async fn query(&self, payment: &PaymentRef) -> Result<Payment, Error> {
        confirm(self.till.queries().unwrap(), payment).await.map(tulbur_core::Verified::into_inner)
    }

    fn pay(&self, payment: &PaymentRef) {
        self.bank().act(payment.merchant_ref.as_str(), "pay").unwrap();
    }

    fn debits(&self, payment: &PaymentRef) -> u32 {
        self.bank().payment(payment.merchant_ref.as_str()).map_or(0, |payment| payment.debits)
    }

    /// What the bank pushed, once there are this many: query and body.
    async fn pushed(&self, count: usize) -> Vec<(Option<String>, Vec<u8>)> {
        for _ in 0..2000 {
            let received = self.merchant.received_requests().await.unwrap();
            if received.len() >= count {
                let letter =
                    |request: wiremock::Request| (request.url.query().map(str::to_owned), request.body);
                return received.into_iter().map(letter).collect();
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the bank did not push {count} times")
    }

    async fn refund(&self, payment: &PaymentRef) -> Result<tulbur_core::Refund, Error> {
        let operation = OperationRef::parse(self.reference().as_str()).unwrap();
        let amount = payment.amount.unwrap();
        let request = RefundRequest::new(payment.clone(), operation, amount, "sent back");
        self.till.refunds().unwrap().refund(&request).await
    }

    fn calls(&self, path: &str) -> usize {
        self.bank().requests().iter().filter(|request| request.target == path).count()
    }
}

async fn create(till: &GolomtInstore, request: &CreateInvoice) -> Result<Invoice, Error> {
    match request.way {
        Way::Qr => till.qr().unwrap().create_qr(request).await,
        _ => till.invoices().unwrap().create_invoice(request).await,
    }
}

fn verify(till: &GolomtInstore, (query, body): &(Option<String>, Vec<u8>)) -> Result<IpnEvent, Error> {
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let query = query.as_deref();
    let channel = Channel::Notify;
    till.ipn().unwrap().verify(&Delivery { channel, method: "POST", query, headers: &headers, body })
}

fn checked(event: &IpnEvent) -> bool {
    matches!(event.proof, Proof::Hint(Voucher::Checksum))
}

fn money(text: &str) -> Money {
    Money::parse(text, Currency::MNT).unwrap()
}

#[tokio::test]
async fn each_way_is_paid_pushed_and_confirmed() {
    let world = World::new().await;
    for (number, way) in [Way::Qr, Way::App, Way::Phone].into_iter().enumerate() {
        let invoice = world.open(way).await;
        let right = match (way, &invoice.next[..]) {
            (Way::Qr, [NextAction::ShowQr(payload)]) => payload.starts_with("000201"),
            (Way::App, [NextAction::OpenApp(apps), NextAction::ShowQr(shown)]) => apps[0].link == *shown,
            (Way::Phone, [NextAction::Approve]) => true,
            _ => false,
        };
        assert!(right, "{way:?}: {:?}", invoice.next);
        let open = world.query(&invoice.payment).await.unwrap();
        assert_eq!((open.status, open.amount), (PaymentStatus::Pending, None));

        world.pay(&invoice.payment);
        let event = verify(&world.till, &world.pushed(number + 1).await[number]).unwrap();
        assert!(checked(&event), "{event:?}");
        assert_eq!(event.subject.merchant_ref.as_ref(), Some(&invoice.payment.merchant_ref));
        assert_eq!((event.claimed, event.amount), (Some(PaymentStatus::Paid), Some(money("1100.5"))));
        let paid = world.query(&invoice.payment).await.unwrap();
        assert_eq!((paid.status, paid.amount), (PaymentStatus::Paid, Some(money("1100.5"))));
        assert_eq!(world.debits(&invoice.payment), 1);
    }
}

#[tokio::test]
async fn the_banks_page_on_amounts() {
    let world = World::new().await;
    for (amount, text) in [
        ("1", "1"),
        ("1100", "1100"),
        ("1100.50", "1100.5"),
        ("999999.99", "999999.99"),
        ("1000000", "1000000"),
        ("123456789", "123456789"),
    ] {
        let mut request = world.request(Way::Qr);
        request.amount = money(amount);
        let invoice = create(&world.till, &request).await.unwrap();
        let kept = world.bank().payment(request.merchant_ref.as_str()).unwrap();
        assert_eq!(kept.amount, text, "the bank got");
        world.pay(&invoice.payment);
        assert_eq!(world.query(&invoice.payment).await.unwrap().amount, Some(money(amount)));
    }
}

/// Every choice that the sandbox makes where nobody knows the bank's.
#[tokio::test]
async fn whatever_the_bank_does_where_its_documents_are_silent() {
    let world = World::new().await;
    let mut pushes = 0;
    for (switch, values) in [
        ("unpaid-check", &["result", "error", "error-inside"][..]),
        ("unpaid-code", &["01", "51", "99", "empty"]),
        ("qr-form", &["payload", "link"]),
        ("deeplink-form", &["key", "qpay", "payload"]),
        ("amount-echo", &["as-sent", "two-decimals", "shortest"]),
        ("amount-type", &["text", "number"]),
        ("answer-checksum", &["as-request", "absent"]),
        ("qr-checksum", &["x25-lower", "x25-upper", "emvco-upper"]),
        ("push-format", &["json", "query"]),
        ("push-fields", &["six", "eight"]),
    ] {
        for value in values {
            world.bank().set_switch(switch, value).unwrap();
            for way in [Way::Qr, Way::App] {
                let invoice = world.open(way).await;
                let shown = invoice.next.iter().any(|next| matches!(next, NextAction::ShowQr(_)));
                assert!(shown, "{switch} {value} {way:?}: {:?}", invoice.next);
                let status = world.query(&invoice.payment).await.unwrap().status;
                assert_eq!(status, PaymentStatus::Pending, "{switch} {value}");
                world.pay(&invoice.payment);
                let paid = world.query(&invoice.payment).await.unwrap();
                assert_eq!(
                    (paid.status, paid.amount),
                    (PaymentStatus::Paid, Some(money("1100.5"))),
                    "{value}"
                );
                pushes += 1;
                let event = verify(&world.till, &world.pushed(pushes).await[pushes - 1]).unwrap();
                assert!(checked(&event), "{switch} {value}");
            }
        }
    }
}

#[tokio::test]
async fn what_the_customer_refuses_stays_open_here() {
    let world = World::new().await;
    world.bank().set_switch("push-unpaid", "yes").unwrap();
    let invoice = world.open(Way::Phone).await;
    world.bank().act(invoice.payment.merchant_ref.as_str(), "decline").unwrap();
    assert_eq!(world.query(&invoice.payment).await.unwrap().status, PaymentStatus::Pending);
    let event = verify(&world.till, &world.pushed(1).await[0]).unwrap();
    assert_eq!(event.claimed, Some(PaymentStatus::Pending));
}

#[tokio::test]
async fn an_invoice_is_taken_back_and_a_paid_one_is_not() {
    let world = World::new().await;
    for (way, shape) in [(Way::Qr, "status"), (Way::App, "resp-code"), (Way::Phone, "status")] {
        world.bank().set_switch("cancel-shape", shape).unwrap();
        let payment = world.open(way).await.payment;
        let canceled =
            cancel(world.till.cancels().unwrap(), &CancelRequest::new(payment.clone())).await.unwrap();
        assert_eq!(canceled.status, PaymentStatus::Canceled);
    }
    let payment = world.open(Way::Qr).await.payment;
    world.pay(&payment);
    let error =
        cancel(world.till.cancels().unwrap(), &CancelRequest::new(payment.clone())).await.unwrap_err();
    assert_eq!((error.outcome(), error.code()), (Outcome::Refused, Some("FAILED")), "{error}");
    assert!(world.query(&payment).await.unwrap().status.is_paid());
}

#[tokio::test]
async fn a_payment_is_given_back_once() {
    let world = World::new().await;
    let payment = world.open(Way::Qr).await.payment;
    world.pay(&payment);
    assert_eq!(world.refund(&payment).await.unwrap().amount, money("1100.5"));
    for form in ["result", "error"] {
        world.bank().set_switch("refused-refund", form).unwrap();
        // No document says which answers are a no.
        assert_eq!(world.refund(&payment).await.unwrap_err().outcome(), Outcome::Unknown, "{form}");
    }
    assert_eq!(world.debits(&payment), 1);
}

#[tokio::test]
async fn a_terminal_is_settled() {
    let world = World::new().await;
    for (number, form) in ["number", "text"].into_iter().enumerate() {
        world.bank().set_switch("settlement-count", form).unwrap();
        let payment = world.open(Way::Qr).await.payment;
        world.pay(&payment);
        let settled = world.till.settle(&format!("DAY{number}")).await.unwrap();
        assert_eq!((settled.amount, settled.count), (Some(money("1100.5")), Some(1)), "{form}");
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let world = World::new().await;
    let unknown = PaymentRef::new(world.reference(), Some(money("1")), FLOW_QR);
    assert_eq!(world.query(&unknown).await.unwrap_err().kind(), ErrorKind::NotFound);
    let error = cancel(world.till.cancels().unwrap(), &CancelRequest::new(unknown)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::NotFound, Outcome::Refused), "{error}");

    let bank = world.bank();
    let terminal = bank.credentials()["terminal"].clone();
    let known = world.open(Way::Qr).await.payment;
    for (terminal, secret) in [(terminal.as_str(), "another-secret"), ("99999999", "sandbox-instore-secret")]
    {
        let stranger = till(&bank, &world.env, "stranger", terminal, secret);
        let error = create(&stranger, &world.request(Way::Phone)).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "no document has these errors: {error}");
        // What is wrong with us never reads as: nobody has paid.
        assert_eq!(stranger.queries().unwrap().query(&known).await.unwrap_err().outcome(), Outcome::NoEffect);
    }
}

/// Fifty tills with one secret, one push address, and one till that knows each push.
#[tokio::test]
async fn one_address_serves_fifty_tills() {
    let world = World::new().await;
    let bank = world.bank();
    bank.set_switch("terminals", "50").unwrap();
    let first: u32 = bank.credentials()["terminal"].parse().unwrap();
    let secret = bank.credentials()["secret"].clone();
    let tills: Vec<GolomtInstore> = (0..50)
        .map(|number| {
            till(&bank, &world.env, &format!("till-{number}"), &(first + number).to_string(), &secret)
        })
        .collect();
    let mut owners = std::collections::BTreeMap::new();
    for till in &tills {
        let invoice = create(till, &world.request(Way::Qr)).await.unwrap();
        world.pay(&invoice.payment);
        owners.insert(invoice.payment.merchant_ref.to_string(), (till, invoice.payment));
    }
    for letter in world.pushed(50).await {
        let read: Vec<_> =
            tills.iter().filter_map(|till| Some((till, verify(till, &letter).ok()?))).collect();
        let [(reader, event)] = &read[..] else { panic!("{} tills took it", read.len()) };
        let reference = event.subject.merchant_ref.as_ref().unwrap();
        let (owner, payment) = owners.remove(reference.as_str()).expect("each is pushed once");
        assert_eq!(reader.info().account, owner.info().account);
        assert!(checked(event));
        assert!(confirm(reader.queries().unwrap(), &payment).await.unwrap().status.is_paid());
    }
    assert!(owners.is_empty());
}

const ANSWER_FAULTS: [FaultKind; 7] = [
    FaultKind::AnswerLost,
    FaultKind::CutBefore,
    FaultKind::ErrorBefore,
    FaultKind::ErrorAfter,
    FaultKind::Slow,
    FaultKind::Truncated,
    FaultKind::NotJson,
];

fn fault(kind: FaultKind, path: &str) -> Fault {
    let fault = Fault::new(kind).on_path(path);
    if kind == FaultKind::Slow { fault.millis(15_000) } else { fault }
}

/// The heart of it: a phone invoice whose answer is lost in any way is unknown, was sent once, and is found by asking.
#[tokio::test]
async fn a_phone_invoice_without_a_good_answer_is_unknown_sent_once_and_found_by_asking() {
    let world = World::new().await;
    for kind in ANSWER_FAULTS {
        world.bank().add_fault(fault(kind, "/pos/invoice/phone")).unwrap();
        let before = world.calls("/pos/invoice/phone");
        let request = world.request(Way::Phone);
        let error = create(&world.till, &request).await.expect_err("there was no good answer");
        assert_eq!(error.outcome(), Outcome::Unknown, "{kind:?}: {error}");
        assert_eq!(world.calls("/pos/invoice/phone") - before, 1, "{kind:?}: calls that the bank saw");

        let flow = world.till.flow_of_invoice(&request).unwrap().flow.clone();
        let asked = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), flow);
        if matches!(kind, FaultKind::CutBefore | FaultKind::ErrorBefore) {
            assert_eq!(world.query(&asked).await.unwrap_err().kind(), ErrorKind::NotFound, "{kind:?}");
        } else {
            // It is on the phone: the customer approves, although the till never heard of it.
            world.pay(&asked);
            assert!(world.query(&asked).await.unwrap().status.is_paid(), "{kind:?}");
            assert_eq!(world.debits(&asked), 1);
        }
    }
}

#[tokio::test]
async fn a_refund_without_a_good_answer_is_unknown_and_sent_once() {
    let world = World::new().await;
    for kind in ANSWER_FAULTS {
        let payment = world.open(Way::Qr).await.payment;
        world.pay(&payment);
        world.bank().add_fault(fault(kind, "/pos/payment/cancel")).unwrap();
        let before = world.calls("/pos/payment/cancel");
        assert_eq!(world.refund(&payment).await.unwrap_err().outcome(), Outcome::Unknown, "{kind:?}");
        assert_eq!(world.calls("/pos/payment/cancel") - before, 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_question_without_a_good_answer_changes_nothing_and_is_asked_again() {
    let world = World::new().await;
    let payment = world.open(Way::Qr).await.payment;
    world.pay(&payment);
    for kind in ANSWER_FAULTS.into_iter().filter(|kind| *kind != FaultKind::Slow) {
        world.bank().add_fault(fault(kind, "/pos/invoice/check").always()).unwrap();
        let error = world.query(&payment).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NoEffect, "{kind:?}: {error}");
        world.bank().clear_faults().unwrap();
    }
    // The transport repeats a read that was cut, by itself.
    world.bank().add_fault(fault(FaultKind::AnswerLost, "/pos/invoice/check")).unwrap();
    assert!(world.query(&payment).await.unwrap().status.is_paid());
}

#[tokio::test]
async fn a_push_with_a_wrong_checksum_is_a_hint_like_any_other() {
    let world = World::new().await;
    for (number, kind) in [FaultKind::PushWrongKey, FaultKind::PushTamperedAmount].into_iter().enumerate() {
        world.bank().add_fault(Fault::new(kind)).unwrap();
        let payment = world.open(Way::Qr).await.payment;
        world.pay(&payment);
        let event = verify(&world.till, &world.pushed(number + 1).await[number]).unwrap();
        assert!(!checked(&event), "{kind:?}");
        assert_eq!(event.subject.merchant_ref.as_ref(), Some(&payment.merchant_ref));
        let paid = world.query(&payment).await.unwrap();
        assert_eq!(paid.amount, payment.amount, "the answer to our own question has the right one");
    }
}

#[tokio::test]
async fn a_card_is_charged_by_version_two() {
    let world = World::new().await;
    let bank = world.bank();
    bank.set_switch("instore-v2", "yes").unwrap();
    let terminal = bank.credentials()["terminal"].clone();
    let mut config = InstoreV2Config::new(terminal, bank.base_url().parse().unwrap(), V2Amount::Shortest);
    config.accept = tulbur_core::Accept::Inferred;
    let v2 = InstoreV2::new(config, world.env.clone()).unwrap();
    let card = Card::new("9999990000000006".to_owned().into(), "1230".to_owned().into()).unwrap();
    let said = v2.pay(&card, money("1100.50")).await.unwrap();
    assert!(said.response_code.is_some(), "{said:?}");
}
