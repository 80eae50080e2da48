//! No bank is asked faster than it is to be asked, and one that does not answer holds up nobody else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support;
use crate::support::{Bank, Shop, State, mnt};
use tulbur_core::{AccountName, ManualClock, OrderRef};
use tulbur_payments::{CircuitState, OpenPayment, Pace, PaymentId, PaymentRecord, Payments, Status};

fn account(name: &str) -> AccountName {
    AccountName::parse(name).unwrap()
}

async fn two_accounts(shop: &Shop, pace: Pace) -> (Payments, Arc<Mutex<State>>) {
    let mut bank = Bank::new("bank");
    bank.state = Arc::clone(&shop.bank);
    let other = Bank::new("other");
    let state = Arc::clone(&other.state);
    let payments = support::builder(&shop.folder.path().join("shop.db"), &shop.clock)
        .await
        .account(Arc::new(bank))
        .account(Arc::new(other))
        .handler("told", shop.told.clone())
        .pace(pace)
        .build()
        .await
        .unwrap();
    (payments, state)
}

async fn open(payments: &Payments, at: &str, order: String) -> PaymentRecord {
    let request = OpenPayment::new(OrderRef::parse(order).unwrap(), account(at), mnt(1500), "Two things");
    payments.open(request).await.unwrap()
}

async fn work(payments: &Payments) {
    for _ in 0..500 {
        if !payments.work_once().await.unwrap().is_zero() {
            return;
        }
    }
    panic!("the background work never rests");
}

async fn within_seconds(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..6000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not come to pass: {what}");
}

async fn asked(payments: &Payments, id: &PaymentId) -> u32 {
    payments.payment(id).await.unwrap().asked
}

/// Moves the clock second by second, with the work that falls due.
async fn pass(payments: &Payments, clock: &ManualClock, seconds: u64) {
    for _ in 0..seconds {
        clock.advance(Duration::from_secs(1));
        work(payments).await;
    }
}

#[tokio::test]
async fn a_bank_that_does_not_answer_holds_up_no_other_account() {
    let shop = Shop::open().await;
    let (payments, other) = two_accounts(&shop, Pace::default()).await;
    for number in 0..50 {
        open(&payments, "bank", format!("bank-{number}")).await;
    }
    shop.clock.advance(Duration::from_secs(1));
    let paid = open(&payments, "other", "other".into()).await;
    other.lock().unwrap().payments.get_mut(paid.reference.merchant_ref.as_str()).unwrap().status =
        tulbur_core::PaymentStatus::Paid;
    shop.bank.lock().unwrap().silent = true;
    shop.clock.advance(Duration::from_secs(40));

    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn({
        let payments = payments.clone();
        async move { payments.run(async { drop(ended.await) }).await }
    });
    within_seconds("the other account is asked", || other.lock().unwrap().queries > 0).await;
    within_seconds("the silent one is asked", || shop.bank.lock().unwrap().queries == 16).await;
    let told = || shop.told.0.lock().unwrap().iter().any(|event| event.kind.name() == "paid");
    within_seconds("the handler is told", told).await;
    assert_eq!(shop.bank.lock().unwrap().queries, 16, "no more than so many at one time");
    within_seconds("the other account has answered", || payments.accounts_state()[1].asking == 0).await;
    let states = payments.accounts_state();
    assert_eq!((states[0].account.as_str(), states[0].asking), ("bank", 16));
    assert_eq!(states[1].account.as_str(), "other");

    shop.bank.lock().unwrap().silent = false;
    end.send(()).unwrap();
    running.await.unwrap();
    assert_eq!(payments.accounts_state()[0].asking, 0);
}

#[tokio::test]
async fn the_circuit_opens_and_nothing_is_asked_counted_or_expired_until_a_probe_is_answered() {
    let shop = Shop::open().await;
    let mut opened = Vec::new();
    for number in 0..20 {
        opened.push(open(&shop.payments, "bank", format!("{number}")).await);
        shop.clock.advance(Duration::from_millis(1));
    }
    shop.bank.lock().unwrap().down = true;
    shop.clock.advance(Duration::from_secs(31));
    shop.work().await;
    assert_eq!(shop.bank.lock().unwrap().queries, 5, "five failures, and no more");
    let state = &shop.payments.accounts_state()[0];
    assert!(matches!(state.circuit, CircuitState::Open { until } if until > shop.payments.now()));
    assert_eq!((state.failures, state.last_failure.unwrap().1), (5, tulbur_core::ErrorKind::Unavailable));
    let mut unasked = Vec::new();
    for payment in &opened {
        if asked(&shop.payments, &payment.id).await == 0 {
            unasked.push(payment.id.clone());
        }
    }
    assert_eq!(unasked.len(), 15, "what waits is not counted as asked");

    // Looking at a payment, or asking for it, is no way around.
    shop.payments.query(&unasked[0]).await.unwrap();
    assert_eq!(shop.bank.lock().unwrap().queries, 5);
    // Opening is the application's decision.
    let late = open(&shop.payments, "bank", "late".into()).await;
    assert_eq!(late.status, Status::Pending);

    // Long past every payment's time.
    pass(&shop.payments, &shop.clock, 20 * 60).await;
    let queries = shop.bank.lock().unwrap().queries;
    assert!((20..=30).contains(&queries), "one probe a minute, after shorter rests: {queries}");
    for payment in &opened {
        assert_eq!(shop.payments.payment(&payment.id).await.unwrap().status, Status::Pending);
    }

    shop.bank.lock().unwrap().down = false;
    shop.pay(&opened[7].reference.merchant_ref);
    pass(&shop.payments, &shop.clock, 6 * 60).await;
    let state = &shop.payments.accounts_state()[0];
    assert_eq!((state.circuit, state.failures), (CircuitState::Closed, 0));
    assert_eq!(shop.kinds("7").await, ["paid"]);
    for (number, payment) in opened.iter().enumerate().filter(|(number, _)| *number != 7) {
        let status = shop.payments.payment(&payment.id).await.unwrap().status;
        assert_eq!(status, Status::Expired, "{number}: asked once more, unpaid, and over");
    }
}

#[tokio::test]
async fn one_payment_that_the_bank_cannot_tell_about_opens_no_circuit() {
    let shop = Shop::open().await;
    open(&shop.payments, "bank", "1".into()).await;
    shop.bank.lock().unwrap().down = true;
    pass(&shop.payments, &shop.clock, 15 * 60).await;
    assert!(shop.bank.lock().unwrap().queries > 6);
    assert_eq!(shop.payments.accounts_state()[0].circuit, CircuitState::Closed);
}

#[tokio::test]
async fn questions_keep_the_pace_and_all_are_asked() {
    let shop = Shop::open().await;
    let (payments, _) = two_accounts(&shop, Pace::default().per_second(2)).await;
    let mut opened = Vec::new();
    for number in 0..40 {
        opened.push(open(&payments, "bank", format!("{number}")).await);
    }
    shop.clock.advance(Duration::from_secs(31));
    work(&payments).await;
    assert_eq!(shop.bank.lock().unwrap().queries, 6, "a burst");
    for second in 1..=17 {
        pass(&payments, &shop.clock, 1).await;
        let queries = shop.bank.lock().unwrap().queries;
        assert!((4 + 2 * second..=6 + 2 * second).contains(&queries), "after {second} s: {queries}");
    }
    for payment in &opened {
        shop.pay(&payment.reference.merchant_ref);
    }
    pass(&payments, &shop.clock, 10 * 60).await;
    for payment in &opened {
        assert_eq!(payments.payment(&payment.id).await.unwrap().status, Status::Paid);
    }
}

#[tokio::test]
async fn each_account_can_have_its_own_pace_and_an_unknown_one_is_refused() {
    let shop = Shop::open().await;
    let builder = support::builder(&shop.folder.path().join("shop.db"), &shop.clock).await;
    let payments = builder
        .account(Arc::new(Bank::new("bank")))
        .account(Arc::new(Bank::new("other")))
        .pace(Pace::default().at_once(3))
        .account_pace(account("other"), Pace::default().at_once(4))
        .build()
        .await
        .unwrap();
    let paces: Vec<_> = payments.accounts_state().iter().map(|state| state.pace.at_once).collect();
    assert_eq!(paces, [3, 4]);
    let builder = support::builder(&shop.folder.path().join("shop.db"), &shop.clock).await;
    let error = builder
        .account(Arc::new(Bank::new("bank")))
        .account_pace(account("another"), Pace::default())
        .build()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("`another`"), "{error}");
}
