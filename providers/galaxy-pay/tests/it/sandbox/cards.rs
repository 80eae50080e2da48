//! Saved and collected cards; refunds; money that is held.

use tulbur_core::{
    CallbackUrl, Capture, CaptureRequest, ChargeRequest, Language, NextAction, Outcome, PaymentRef,
    PaymentStatus, Provider, RefundRequest, RefundStatus, VoidRequest,
};
use tulbur_galaxy_pay::{Checkout, Method, RawCard};
use tulbur_sandbox::{Fault, FaultKind};

use super::world::*;

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
