//! How callbacks come: forged, repeated, for another payment, too early, never, and while nothing can be stored.

use std::time::Duration;

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tulbur::payments::{Status, Timing};
use tulbur_sandbox::FaultKind;
use tulbur_tests::eventually;

use super::street::{PACE, Street, mnt};

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_callback_at_an_address_that_nobody_was_given_does_nothing() {
    let street = Street::open().await;
    let payment = street.invoice(1000).await;
    street.fault(&payment, FaultKind::PushLost);
    street.act(&payment, "pay", &[]);
    let query = format!("qpay_payment_id={}", street.last_id(&payment));
    let secret = street.secret(&payment);
    let mut other = secret.clone();
    other.replace_range(31.., if secret.ends_with('0') { "1" } else { "0" });
    for forged in [other.as_str(), "00000000000000000000000000000000", "x", "..%2f"] {
        let (status, text) = street.callback(forged, &query).await;
        assert_eq!(status, 404, "{forged}: {text}");
        assert_ne!(text, "SUCCESS");
    }
    let (status, text) = street.callback("", &query).await;
    assert!((400..500).contains(&status) && text != "SUCCESS", "{status} {text}");
    for odd in ["", "payment_id=1", "qpay_payment_id=", "qpay_payment_id=1&qpay_payment_id=2"] {
        let (status, text) = street.callback(&secret, odd).await;
        assert_eq!((status, text.as_str()), (400, "Rejected"), "{odd}");
    }
    street.is_asked(&payment, 0).await;
    assert_eq!(street.now(&payment).await.status, Status::Pending);
    assert!(street.paid().await.is_empty() && street.listed().await.is_empty());
    // The genuine one still works.
    assert_eq!(street.callback(&secret, &query).await, (200, "SUCCESS".into()));
    street.becomes(&payment, Status::Paid).await;
    assert_eq!(street.paid().await, [(mnt(1000), Timing::InTime)]);
    street.is_asked(&payment, 1).await;
}

#[tokio::test]
async fn a_callback_that_comes_again_and_again_is_one() {
    let street = Street::open().await;
    let payment = street.invoice(1000).await;
    street.fault(&payment, FaultKind::PushDoubled);
    street.act(&payment, "pay", &[]);
    street.becomes(&payment, Status::Paid).await;
    let push = street.qpay.pushes()[0].id;
    for _ in 0..5 {
        street.qpay.resend_push(push).expect("QPay sends it again");
    }
    let attempts = street.attempts(&payment, 7).await;
    assert!(attempts.iter().all(|one| one.status == Some(200) && one.reply == "SUCCESS"), "{attempts:?}");
    assert_eq!(street.paid().await, [(mnt(1000), Timing::InTime)]);
    street.pass(3 * DAY).await;
    // Two that come in the same moment may both count as news; those that come later do not.
    let asked = street.asked(&payment);
    assert!((1..=2).contains(&asked), "asked {asked} times");
    assert_eq!(street.books(&payment), ("1000.00".into(), vec!["PAID".into()]));
    assert!(street.listed().await.is_empty());
}

#[tokio::test]
async fn a_callback_that_names_another_s_payment_takes_nothing_from_it() {
    let street = Street::open().await;
    let (mine, other) = (street.invoice(1000).await, street.invoice(2000).await);
    // QPay's own callback about my invoice names a payment that is nobody's.
    street.switch("callback-on-failed", "yes");
    street.fault(&mine, FaultKind::PushForeignId);
    street.act(&mine, "fail", &[]);
    street.is_asked(&mine, 1).await;
    // And a payer, who knows the address of their own payment, names the one of another.
    street.fault(&other, FaultKind::PushLost);
    street.act(&other, "pay", &[]);
    let query = format!("qpay_payment_id={}", street.last_id(&other));
    assert_eq!(street.callback(&street.secret(&mine), &query).await, (200, "SUCCESS".into()));
    street.is_asked(&mine, 2).await;
    assert_eq!(street.asked(&other), 0);
    for payment in [&mine, &other] {
        assert_eq!(street.now(payment).await.status, Status::Pending);
    }
    assert!(street.paid().await.is_empty());
    assert_eq!(street.callback(&street.secret(&other), &query).await, (200, "SUCCESS".into()));
    street.becomes(&other, Status::Paid).await;
    assert_eq!(street.paid().await, [(mnt(2000), Timing::InTime)]);
    assert_eq!(street.now(&mine).await.status, Status::Pending);
    street.is_asked(&other, 1).await;
    assert_eq!(street.asked(&mine), 2);
    assert!(street.listed().await.is_empty());
}

/// The answer to a question that came too early is "nothing yet".
#[tokio::test]
async fn a_callback_before_the_check_knows_is_no_payment_yet() {
    let street = Street::open().await;
    // The longest that can be set, so that no machine is too slow.
    street.switch("check-lag-ms", "60000");
    let payment = street.invoice(1000).await;
    street.act(&payment, "pay", &[]);
    street.is_asked(&payment, 1).await;
    let attempts = street.attempts(&payment, 1).await;
    assert_eq!((attempts[0].status, attempts[0].reply.as_str()), (Some(200), "SUCCESS"));
    assert_eq!(street.now(&payment).await.status, Status::Pending);
    assert!(street.paid().await.is_empty() && street.listed().await.is_empty());
}

/// After a callback that came too early nothing polls either: the next callback or somebody who looks finds it.
#[tokio::test]
async fn what_was_told_too_early_is_found_by_the_next_who_asks() {
    let street = Street::open().await;
    for (units, comes_again) in [(1000, true), (2000, false)] {
        let payment = street.invoice(units).await;
        let id = format!("early-{units}");
        let query = format!("qpay_payment_id={id}");
        assert_eq!(street.callback(&street.secret(&payment), &query).await, (200, "SUCCESS".into()));
        street.is_asked(&payment, 1).await;
        street.fault(&payment, FaultKind::PushLost);
        street.act(&payment, "pay", &[("payment_id", &id)]);
        street.pass(Duration::from_hours(12)).await;
        street.is_asked(&payment, 1).await;
        assert_eq!(street.now(&payment).await.status, Status::Pending);
        if comes_again {
            assert_eq!(street.callback(&street.secret(&payment), &query).await, (200, "SUCCESS".into()));
        } else {
            street.page(&payment).await;
        }
        street.becomes(&payment, Status::Paid).await;
        street.is_asked(&payment, 2).await;
    }
    assert_eq!(street.paid().await.len(), 2);
    assert!(street.listed().await.is_empty());
}

#[tokio::test]
async fn without_a_callback_nothing_is_asked_until_somebody_looks() {
    let street = Street::open().await;
    let payment = street.invoice(1000).await;
    street.fault(&payment, FaultKind::PushLost);
    street.act(&payment, "pay", &[]);
    street.pass(DAY / 2).await;
    assert_eq!((street.asked(&payment), street.now(&payment).await.status), (0, Status::Pending));
    street.page(&payment).await;
    street.becomes(&payment, Status::Paid).await;
    assert_eq!(street.paid().await, [(mnt(1000), Timing::InTime)]);
    street.pass(3 * DAY).await;
    street.is_asked(&payment, 1).await;
    assert_eq!(street.books(&payment), ("1000.00".into(), vec!["PAID".into()]));
    assert!(street.listed().await.is_empty());
}

#[tokio::test]
async fn those_who_look_ask_at_the_provider_s_pace() {
    let street = Street::open().await;
    let payment = street.invoice(1000).await;
    for _ in 0..20 {
        street.page(&payment).await;
    }
    street.is_asked(&payment, 1).await;
    street.clock.advance(PACE);
    for _ in 0..20 {
        street.page(&payment).await;
    }
    street.is_asked(&payment, 2).await;
    assert!(street.paid().await.is_empty());
}

#[tokio::test]
async fn a_lost_callback_s_money_is_found_at_the_end() {
    let street = Street::open().await;
    let (payment, unpaid) = (street.invoice(1000).await, street.invoice(2000).await);
    street.fault(&payment, FaultKind::PushLost);
    street.act(&payment, "pay", &[]);
    street.pass(Duration::from_hours(23)).await;
    assert_eq!((street.asked(&payment), street.asked(&unpaid)), (0, 0));
    street.pass(3 * DAY).await;
    assert_eq!(street.now(&payment).await.status, Status::Paid);
    assert_eq!(street.now(&unpaid).await.status, Status::Expired);
    assert_eq!(street.paid().await, [(mnt(1000), Timing::InTime)]);
    street.is_asked(&payment, 1).await;
    assert_eq!(street.asked(&unpaid), 2, "at the end, and once more");
    assert!(street.listed().await.is_empty());
}

/// While another process holds the database, nothing can be stored, and so nothing is acknowledged.
#[tokio::test]
async fn success_is_answered_only_after_it_is_stored() {
    let street = Street::open().await;
    street.switch("callback-retries", "20");
    street.switch("callback-retry-seconds", "1");
    let payment = street.invoice(1000).await;
    let options = SqliteConnectOptions::new().filename(street.database());
    let mut other = SqliteConnection::connect_with(&options).await.expect("the file is there");
    let held = other.begin_with("BEGIN IMMEDIATE").await.expect("nobody writes");
    street.act(&payment, "pay", &[]);
    let refused = street.attempts(&payment, 2).await;
    for one in &refused {
        assert_eq!((one.status, one.reply.as_str()), (Some(503), "Not stored"));
    }
    assert_eq!((street.asked(&payment), street.now(&payment).await.status), (0, Status::Pending));
    held.rollback().await.expect("it lets go");
    street.becomes(&payment, Status::Paid).await;
    eventually(Duration::from_mins(1), || async {
        let last = street.attempts(&payment, 3).await.pop().expect("there are three");
        let taken = last.status == Some(200) && last.reply == "SUCCESS";
        if taken { Ok(()) } else { Err(format!("{last:?}")) }
    })
    .await;
    assert_eq!(street.paid().await, [(mnt(1000), Timing::InTime)]);
    street.pass(3 * DAY).await;
    street.is_asked(&payment, 1).await;
    assert!(street.listed().await.is_empty());
}
