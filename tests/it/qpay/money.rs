//! Payments in full, in parts, too much, too late and in other currencies, and the state that each leads to.

use std::time::Duration;

use tulbur::core::{ChargeRef, ErrorKind, NextAction, OperationState};
use tulbur::payments::{AttentionKind, Error, RefundPayment, Status, Timing};
use tulbur_sandbox::FaultKind;

use super::street::{Street, mnt};

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_qr_that_is_paid_at_once_is_asked_about_once() {
    let street = Street::open().await;
    let payment = street.invoice(1000).await;
    let qr = payment.next.iter().find_map(|next| match next {
        NextAction::ShowQr(text) => Some(text.as_str()),
        _ => None,
    });
    let form = [("qr", qr.expect("there is a QR")), ("action", "pay")];
    let app = format!("{}/-/bank-app", street.qpay.base_url());
    let answer = street.http.post(app).form(&form).send().await.expect("the bank's app answers");
    assert_eq!(answer.status(), 200);
    let record = street.becomes(&payment, Status::Paid).await;
    assert_eq!(record.taken(), Some(mnt(1000)));
    assert_eq!(street.paid().await, [(mnt(1000), Timing::InTime)]);
    street.pass(3 * DAY).await;
    assert_eq!(street.asked(&payment), 1, "the callback, and nothing else");
    let attempts = street.attempts(&payment, 1).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].status, attempts[0].reply.as_str()), (Some(200), "SUCCESS"));
    assert_eq!(street.books(&payment), ("1000.00".into(), vec!["PAID".into()]));
    assert!(street.listed().await.is_empty());
    assert!(street.page(&payment).await.contains("Payment successful"));
}

#[tokio::test]
async fn a_part_is_shown_to_the_payer_and_the_rest_makes_it_paid() {
    let street = Street::open().await;
    let payment = street.invoice(1000).await;
    street.act(&payment, "pay", &[("amount", "600")]);
    let record = street.receives(&payment, 600).await;
    assert_eq!(record.status, Status::Pending);
    let page = street.page(&payment).await;
    assert!(page.contains("A part of the amount has arrived. Please pay the rest."), "{page}");
    assert!(page.contains("Received") && page.contains("600"), "{page}");
    assert!(street.paid().await.is_empty() && street.listed().await.is_empty());
    street.act(&payment, "pay-by-card", &[]);
    assert_eq!(street.becomes(&payment, Status::Paid).await.taken(), Some(mnt(1000)));
    assert_eq!(street.paid().await, [(mnt(1000), Timing::InTime)]);
    assert!(!street.page(&payment).await.contains("Please pay the rest."));
    street.pass(3 * DAY).await;
    street.is_asked(&payment, 2).await;
    assert_eq!(street.books(&payment), ("1000.00".into(), vec!["PAID".into(); 2]));
    assert!(street.listed().await.is_empty());
}

#[tokio::test]
async fn too_much_is_paid_once_and_listed_and_a_card_s_part_goes_back() {
    let street = Street::open().await;
    let payment = street.invoice(1000).await;
    street.act(&payment, "pay", &[("amount", "600")]);
    street.receives(&payment, 600).await;
    let transfer = ChargeRef::parse(street.last_id(&payment)).expect("an id");
    street.act(&payment, "pay-by-card", &[("amount", "700")]);
    assert_eq!(street.becomes(&payment, Status::Paid).await.taken(), Some(mnt(1300)));
    let card = ChargeRef::parse(street.last_id(&payment)).expect("an id");
    assert_eq!(street.paid().await, [(mnt(1300), Timing::InTime)]);
    assert_eq!(street.listed().await, [AttentionKind::Overpaid]);
    assert!(street.page(&payment).await.contains("More than the amount has arrived."));

    let refund = |part: &ChargeRef| RefundPayment::new(payment.id.clone(), "too much").part(part.clone());
    let Err(Error::Provider(error)) = street.payments.refund(refund(&transfer)).await else {
        panic!("a transfer cannot be given back")
    };
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("600.00 MNT came by P2P"), "{error}");
    assert!(error.message().contains("give it back by hand"), "{error}");
    let accepted = street.payments.refund(refund(&card)).await.expect("QPay takes it");
    assert!(!accepted.is_done(), "QPay only took it");
    assert_eq!(street.books(&payment), ("600.00".into(), vec!["PAID".into(), "REFUNDED".into()]));
    street.pass(DAY).await;
    let operation = &accepted.record().operation_ref;
    let operation = street.payments.operation(operation).await.expect("it is stored");
    assert_eq!((operation.state, operation.amount), (OperationState::Succeeded, Some(mnt(700))));
    let record = street.now(&payment).await;
    assert_eq!((record.status, record.refunded), (Status::Paid, Some(mnt(700))));
    assert_eq!(street.paid().await.len(), 1);
}

/// The provider asks once by itself after it has canceled.
#[tokio::test]
async fn what_is_paid_after_it_was_canceled_is_paid_late() {
    let street = Street::open().await;
    for (units, found_by) in [(1000, "its callback"), (2000, "the late question")] {
        let payment = street.invoice(units).await;
        let record = street.payments.cancel(&payment.id).await.expect("QPay cancels it");
        assert_eq!((record.status, street.asked(&payment)), (Status::Canceled, 1));
        if found_by == "the late question" {
            street.fault(&payment, FaultKind::PushLost);
            street.act(&payment, "pay", &[]);
            street.pass(Duration::from_hours(1)).await;
        } else {
            street.act(&payment, "pay", &[]);
        }
        street.becomes(&payment, Status::Paid).await;
        street.pass(3 * DAY).await;
        street.is_asked(&payment, 2).await;
        assert_eq!(street.books(&payment).1, ["PAID"], "{found_by}");
    }
    let late = Timing::After(Status::Canceled);
    assert_eq!(street.paid().await, [(mnt(1000), late), (mnt(2000), late)]);
    assert!(street.listed().await.is_empty());
}

#[tokio::test]
async fn what_is_paid_while_it_is_canceled_is_paid() {
    let street = Street::open().await;
    let payment = street.invoice(1000).await;
    street.act(&payment, "pay-on-cancel", &[]);
    street.fault(&payment, FaultKind::PushLost);
    let record = street.payments.cancel(&payment.id).await.expect("QPay says how it stands");
    assert_eq!(record.status, Status::Paid);
    // The provider asks after it has canceled, and the engine before it believes that.
    street.is_asked(&payment, 2).await;
    street.pass(3 * DAY).await;
    assert_eq!(street.paid().await, [(mnt(1000), Timing::InTime)]);
    street.is_asked(&payment, 2).await;
    assert!(street.listed().await.is_empty());
}

#[tokio::test]
async fn an_attempt_that_failed_leaves_it_open() {
    let street = Street::open().await;
    street.switch("callback-on-failed", "yes");
    let payment = street.invoice(1000).await;
    street.act(&payment, "fail", &[]);
    street.is_asked(&payment, 1).await;
    let record = street.now(&payment).await;
    assert_eq!((record.status, record.received()), (Status::Pending, None));
    assert!(street.paid().await.is_empty() && street.listed().await.is_empty());
    street.act(&payment, "pay", &[]);
    street.becomes(&payment, Status::Paid).await;
    assert_eq!(street.paid().await, [(mnt(1000), Timing::InTime)]);
    street.pass(3 * DAY).await;
    street.is_asked(&payment, 2).await;
    assert_eq!(street.books(&payment), ("1000.00".into(), vec!["FAILED".into(), "PAID".into()]));
    assert!(street.listed().await.is_empty());
}

#[tokio::test]
async fn money_that_went_back_before_it_was_known_is_listed_and_pays_for_nothing() {
    let street = Street::open().await;
    let payment = street.invoice(1000).await;
    street.act(&payment, "pay-by-card", &[("status", "REFUNDED")]);
    street.is_asked(&payment, 1).await;
    let record = street.now(&payment).await;
    assert_eq!((record.status, record.received()), (Status::Pending, None));
    assert_eq!(street.listed().await, [AttentionKind::AmountMismatch]);
    street.pass(3 * DAY).await;
    assert!(street.paid().await.is_empty());
    assert_eq!(street.books(&payment), ("0.00".into(), vec!["REFUNDED".into()]));
    assert_eq!(street.listed().await, [AttentionKind::AmountMismatch]);
    street.is_asked(&payment, 1).await;
}

#[tokio::test]
async fn money_of_another_currency_pays_for_nothing_and_is_listed() {
    let street = Street::open().await;
    let payment = street.invoice(1000).await;
    street.act(&payment, "pay", &[("currency", "USD")]);
    street.is_asked(&payment, 1).await;
    assert_eq!(street.now(&payment).await.status, Status::Pending);
    assert!(street.listed().await.is_empty(), "it may have been a mistake of the moment");
    street.pass(3 * DAY).await;
    let record = street.now(&payment).await;
    assert_eq!((record.status, record.received()), (Status::Pending, None), "money is not given up");
    assert!(street.paid().await.is_empty());
    assert_eq!(street.listed().await, [AttentionKind::Unproven]);
    // What cannot be believed is asked about again, ever more seldom.
    let asked = street.asked(&payment);
    assert!((3..=40).contains(&asked), "asked {asked} times");
    let by_hand = street.payments.declare_payment(&payment.id, true, "S").await.expect("a person decides");
    assert_eq!(by_hand.status, Status::Paid);
    assert_eq!(street.paid().await, [(mnt(1000), Timing::InTime)]);
    assert!(street.listed().await.is_empty());
}

#[tokio::test]
async fn a_payment_on_the_second_page_is_found() {
    let street = Street::open().await;
    let payment = street.invoice(1000).await;
    street.act(&payment, "pay", &[("failed_before", "100")]);
    street.becomes(&payment, Status::Paid).await;
    assert_eq!(street.paid().await, [(mnt(1000), Timing::InTime)]);
    street.pass(3 * DAY).await;
    street.is_asked(&payment, 2).await;
    assert_eq!(street.books(&payment).1.len(), 101);
    assert!(street.listed().await.is_empty());
}

#[tokio::test]
async fn a_token_that_ends_between_two_calls_is_renewed() {
    let street = Street::open().await;
    let logins = |name: &str| street.qpay.payment("session").expect("it logged in").details[name].clone();
    for (units, action, expected) in [(1000, "expire-tokens", (1, 1)), (2000, "revoke-tokens", (2, 1))] {
        let payment = street.invoice(units).await;
        street.qpay.act("session", action).expect("QPay does it");
        street.act(&payment, "pay", &[]);
        street.becomes(&payment, Status::Paid).await;
        assert_eq!((logins("logins"), logins("refreshes")), (expected.0.into(), expected.1.into()));
        // The first of both was refused for its token.
        street.is_asked(&payment, 2).await;
    }
    assert_eq!(street.paid().await.len(), 2);
    assert!(street.listed().await.is_empty());
}
