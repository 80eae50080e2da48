//! Unsigned notifications, contradicting notifications, and late money without a notification.

use std::time::Duration;

use crate::support::{Shop, mnt};
use sqlx::{Connection, SqliteConnection};
use tulbur_core::{MerchantRef, PaymentStatus};
use tulbur_payments::store::Verdict;
use tulbur_payments::{AttentionKind, EventKind, PaymentRecord, Replayed, Status, Timing};

fn unsigned(payment: &PaymentRecord, code: &str, amount: usize) -> String {
    format!("unsigned|{}|{code}|{amount}.00", payment.reference.merchant_ref)
}

fn reference(payment: &PaymentRecord) -> MerchantRef {
    payment.reference.merchant_ref.clone()
}

/// A thousand forged pushes with all sorts of amounts and results, of one payment.
async fn flood(shop: &Shop, payment: &PaymentRecord) {
    for number in 0..1000 {
        let code = if number % 3 == 0 { "300" } else { "000" };
        assert_eq!(shop.notify(&unsigned(payment, code, number + 1)).await.status, 200);
    }
    shop.settle().await;
}

#[tokio::test]
async fn what_anybody_can_send_fills_nothing_and_asks_at_the_provider_s_pace() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    let begun = shop.payments.payment_history(&payment.id).await.unwrap().0.len();
    flood(&shop, &payment).await;
    let asked = shop.bank.lock().unwrap().queries;
    assert!((1..=3).contains(&asked), "a thousand forged pushes asked {asked} times");
    assert_eq!(shop.payments.payment(&payment.id).await.unwrap().status, Status::Pending);
    let inbox = shop.payments.inbox(100).await.unwrap();
    assert_eq!(
        inbox.iter().map(|(_, times)| *times).collect::<Vec<_>>(),
        [1000],
        "one row, however they vary"
    );
    assert!(inbox[0].0.note.starts_with("not signed, says declined"), "{}", inbox[0].0.note);

    // The genuine one comes after them, and contradicts nothing.
    shop.pay(&reference(&payment));
    assert_eq!(shop.notify(&Shop::body(&reference(&payment), "000", "1500.00")).await.status, 200);
    assert_eq!(
        shop.payments.payment(&payment.id).await.unwrap().status,
        Status::Paid,
        "its own commit moves it"
    );
    shop.settle().await;
    let asked = shop.bank.lock().unwrap().queries;

    // And they come after the genuine one.
    flood(&shop, &payment).await;
    assert_eq!(shop.bank.lock().unwrap().queries, asked, "about a paid payment nobody makes us ask");
    shop.work().await;
    assert!(shop.payments.attention().await.unwrap().is_empty(), "no contradiction");
    assert_eq!(shop.kinds("1").await, ["paid"]);
    let history = shop.payments.payment_history(&payment.id).await.unwrap().0.len();
    assert!(history <= begun + 8, "the history grew from {begun} to {history} lines");
    assert_eq!(shop.payments.inbox(100).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_replay_says_whether_it_is_genuine() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    shop.notify(&unsigned(&payment, "000", 1500)).await;
    shop.settle().await;
    let id = shop.payments.inbox(1).await.unwrap()[0].0.id.clone();
    let replayed = shop.payments.replay(&id, "Saruul").await.unwrap();
    assert!(matches!(replayed, Replayed::Asked { genuine: false, .. }), "{replayed:?}");
}

#[tokio::test]
async fn the_inbox_says_what_came_of_a_delivery() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    shop.notify(&Shop::body(&reference(&payment), "000", "1.00")).await;
    shop.notify(&Shop::body(&reference(&payment), "000", "1500.00")).await;
    let second = shop.payments.open(shop.request("2", 1500)).await.unwrap();
    shop.notify(&Shop::body(&reference(&second), "000", "1500.00")).await;
    let inbox = shop.payments.inbox(10).await.unwrap();
    let mut notes: Vec<&str> = inbox.iter().map(|(entry, _)| entry.note.as_str()).collect();
    notes.sort_unstable();
    assert_eq!(
        notes,
        [
            "signed, says paid, 1.00 MNT, code 000; not applied, and listed for a person (amount-mismatch)",
            "signed, says paid, 1500.00 MNT, code 000, and an earlier delivery of the same event said otherwise; not \
             applied, and listed for a person (contradiction)",
            "signed, says paid, 1500.00 MNT, code 000; the payment was pending and became paid",
        ]
    );
}

/// Whoever looks, however often, takes nothing from the questions that are still to be asked.
#[tokio::test]
async fn late_money_is_found_however_often_somebody_looked_before() {
    for ended in ["declined", "expired"] {
        let shop = Shop::open().await;
        let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
        let status = if ended == "declined" {
            shop.entry(&reference(&payment), |entry| entry.status = PaymentStatus::Declined);
            shop.notify(&Shop::body(&reference(&payment), "300", "1500.00")).await;
            shop.settle().await;
            Status::Declined
        } else {
            shop.clock.advance(Duration::from_mins(16));
            shop.work().await;
            Status::Expired
        };
        assert_eq!(shop.payments.payment(&payment.id).await.unwrap().status, status);
        for _ in 0..8 {
            shop.clock.advance(Duration::from_mins(1));
            shop.payments.query(&payment.id).await.unwrap();
        }
        shop.clock.advance(Duration::from_hours(2));
        shop.pay(&reference(&payment));
        shop.work_for_days().await;
        let events = shop.payments.events(&shop.order("1")).await.unwrap();
        let late = EventKind::Paid { amount: mnt(1500), timing: Timing::After(status) };
        assert_eq!(events.last().map(|event| event.kind.clone()), Some(late), "{ended}");
        let asked = shop.bank.lock().unwrap().queries;
        shop.work_for_days().await;
        assert_eq!(shop.bank.lock().unwrap().queries, asked, "and then it is left alone");
    }
}

/// While the database is busy: what is garbage waits for it only as far as a few are kept, and is answered all the same.
#[tokio::test]
async fn a_flood_of_garbage_is_slowed_down_and_a_few_are_kept() {
    const ALL: usize = 500;
    const KEPT: usize = 8;
    let mut shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    let genuine = Shop::body(&payment.reference.merchant_ref, "000", "1500.00");
    shop.restart_with(|options| options.busy_timeout(Duration::from_mins(1))).await;
    let path = shop.folder.path().join("shop.db");
    let mut busy = SqliteConnection::connect_with(&crate::support::options(&path)).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut busy).await.unwrap();
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..ALL {
        let payments = shop.payments.clone();
        sending.spawn(async move {
            let body = format!("{number:032}|000|1500.00|no such checksum");
            crate::support::notify(&payments, &body).await.status
        });
    }
    // Those that are not kept wait for the clock alone, so that a flood does not take the processor.
    while shop.clock.sleepers() < ALL - KEPT {
        tokio::task::yield_now().await;
    }
    assert!(sending.try_join_next().is_none(), "no answer comes at once");
    shop.clock.advance(Duration::from_millis(100));
    for _ in 0..ALL - KEPT {
        let status = tokio::time::timeout(Duration::from_secs(30), sending.join_next()).await;
        let status = status.expect("it waits for no database").unwrap().unwrap();
        assert!(!(200..300).contains(&status) && status != 503, "it is refused: {status}");
    }
    let stored = {
        let (payments, genuine) = (shop.payments.clone(), genuine.clone());
        tokio::spawn(async move { crate::support::notify(&payments, &genuine).await.status })
    };
    sqlx::raw_sql("COMMIT").execute(&mut busy).await.unwrap();
    assert_eq!(stored.await.unwrap(), 200);
    while let Some(status) = sending.join_next().await {
        status.unwrap();
    }
    let inbox = shop.payments.inbox(1000).await.unwrap();
    assert_eq!(inbox.len(), KEPT + 1, "a few, and the genuine one");
}

/// Two deliveries of one event that differ, both read before either is stored.
#[tokio::test]
async fn a_contradiction_is_seen_however_close_together_the_two_come() {
    let mut shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    shop.restart_with(|options| options.busy_timeout(Duration::from_mins(1))).await;
    let path = shop.folder.path().join("shop.db");
    let mut busy = SqliteConnection::connect_with(&crate::support::options(&path)).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut busy).await.unwrap();
    let body = |code| Shop::body(&payment.reference.merchant_ref, code, "1500.00");
    let (declined, paid) = (body("300"), body("000"));
    let arrived = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut busy).await.unwrap();
    };
    tokio::join!(shop.notify(&declined), shop.notify(&paid), arrived);
    let verdicts: Vec<Verdict> =
        shop.payments.inbox(10).await.unwrap().iter().map(|(entry, _)| entry.verdict).collect();
    assert_eq!(
        verdicts.iter().filter(|verdict| **verdict == Verdict::Contradiction).count(),
        1,
        "{verdicts:?}"
    );
    let listed: Vec<_> = shop.payments.attention().await.unwrap().iter().map(|item| item.kind).collect();
    assert_eq!(listed, [AttentionKind::Contradiction]);
}
