//! Clocks that are wrong: ahead of the others', or set back. Nothing is decided by one process's own, and nothing stands
//! still.

use std::time::Duration;

use tulbur_core::{OperationState, PaymentStatus, Timestamp};
use tulbur_payments::{CircuitState, RefundPayment, Status};

use crate::support::{Shop, Write};

/// Sets this machine's clock, and lets no time pass.
fn set_back(shop: &Shop, hours: u64) {
    let now = tulbur_core::Clock::now(&shop.clock);
    shop.clock.set_now(now.before(Duration::from_hours(hours)));
}

/// Works for some minutes, as a worker that turns every five seconds.
async fn work_for(shop: &Shop, minutes: u64) {
    for _ in 0..minutes * 12 {
        shop.clock.advance(Duration::from_secs(5));
        shop.work().await;
    }
}

#[tokio::test]
async fn a_clock_that_goes_back_eight_hours_holds_up_nothing() {
    let shop = Shop::open().await;
    let paid_silently = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    let notified = shop.payments.open(shop.request("2", 1500)).await.unwrap();
    shop.work().await;
    let asked = shop.bank.lock().unwrap().queries;
    set_back(&shop, 8);

    // A notification, and its event, right after.
    shop.pay(&notified.reference.merchant_ref);
    let body = Shop::body(&notified.reference.merchant_ref, "000", "1500.00");
    assert_eq!(shop.notify(&body).await.status, 200);
    shop.settle().await;
    shop.work().await;
    assert_eq!(shop.told.0.lock().unwrap().len(), 1, "its event is delivered at once");
    // And a payment of which nobody tells is asked about within the longest wait.
    shop.pay(&paid_silently.reference.merchant_ref);
    work_for(&shop, 6).await;
    assert!(shop.bank.lock().unwrap().queries > asked + 1, "it is asked about");
    assert_eq!(shop.kinds("1").await, ["paid"]);
    assert_eq!(shop.told.0.lock().unwrap().len(), 2);
}

/// The clock was wrong while a process ran, and right when the next one started.
#[tokio::test]
async fn a_restart_takes_over_what_a_clock_that_was_ahead_left() {
    let mut shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    shop.pay(&payment.reference.merchant_ref);
    shop.payments.query(&payment.id).await.unwrap();
    let payment = shop.payments.payment(&payment.id).await.unwrap();
    assert_eq!(payment.status, Status::Paid);
    // A refund whose process dies while it is under way.
    shop.bank.lock().unwrap().operation = Write::Hang;
    let refunding = {
        let (payments, id) = (shop.payments.clone(), payment.id.clone());
        tokio::spawn(async move { payments.refund(RefundPayment::new(id, "broken")).await })
    };
    shop.until_it_hangs().await;
    refunding.abort();
    set_back(&shop, 8);
    shop.restart().await;
    work_for(&shop, 10).await;
    let operations = shop.payments.operations(&payment.id).await.unwrap();
    assert_eq!(operations[0].state, OperationState::Unknown, "it was taken over: {operations:?}");
}

/// A second caller waits for a write of another process. Its lease seems over, and then the clock is set back.
#[tokio::test]
async fn a_clock_that_is_set_back_gives_no_caller_a_page_without_an_address() {
    let mut shop = Shop::open().await;
    shop.bank.lock().unwrap().write = Write::Hang;
    let first = {
        let (payments, request) = (shop.payments.clone(), shop.request("1", 1500));
        tokio::spawn(async move { payments.open(request).await })
    };
    shop.until_it_hangs().await;
    shop.restart().await;
    let second = {
        let (payments, request) = (shop.payments.clone(), shop.request("1", 1500));
        tokio::spawn(async move { payments.open(request).await })
    };
    while shop.clock.sleepers() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let payment = shop.payments.order(&shop.order("1")).await.unwrap().unwrap().payments.remove(0);
    let now = tulbur_core::Clock::now(&shop.clock);
    let until_over = payment.lease_until.unwrap().since(now) + Duration::from_secs(1);
    shop.clock.set_now(now.before(Duration::from_secs(30)));
    shop.clock.advance(until_over);
    // It waits again, for a second at a time.
    while shop.clock.sleepers() == 0 {
        assert!(!second.is_finished(), "it does not wait: {:?}", second.await);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    shop.bank.lock().unwrap().write = Write::Answer;
    while !second.is_finished() {
        shop.clock.advance(Duration::from_millis(100));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let (first, second) = (first.await.unwrap().unwrap(), second.await.unwrap().unwrap());
    assert_eq!((first.id, second.next.len()), (second.id, 1), "the same page, with its address");
}

/// How often a bank is asked, and when it is left in peace, does not depend on the time of day.
#[tokio::test]
async fn a_clock_that_is_set_changes_no_pace() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    let queries = || shop.bank.lock().unwrap().queries;
    shop.payments.query(&payment.id).await.unwrap();
    assert_eq!(queries(), 1);
    for hours in [1, 8] {
        set_back(&shop, hours);
        shop.payments.query(&payment.id).await.unwrap();
        assert_eq!(queries(), 1, "it was asked just now");
    }
    shop.clock.set_now(Timestamp::from_millis(1_900_000_000_000));
    shop.payments.query(&payment.id).await.unwrap();
    assert_eq!(queries(), 1, "it was asked just now");
    shop.clock.advance(Duration::from_secs(3));
    shop.payments.query(&payment.id).await.unwrap();
    assert_eq!(queries(), 2);

    // The circuit opens, and closes by time that has passed.
    shop.bank.lock().unwrap().down = true;
    for order in 2..8 {
        let other = shop.payments.open(shop.request(&order.to_string(), 1500)).await.unwrap();
        shop.payments.query(&other.id).await.unwrap();
    }
    let circuit = || shop.payments.accounts_state()[0].circuit;
    assert!(
        matches!(circuit(), CircuitState::Open { until } if until > shop.payments.now()),
        "{:?}",
        circuit()
    );
    let before = queries();
    shop.clock.set_now(Timestamp::from_millis(2_000_000_000_000));
    shop.clock.advance(Duration::from_secs(4));
    shop.payments.query(&payment.id).await.unwrap();
    assert_eq!(queries(), before, "the rest is not over because somebody set the clock");
    set_back(&shop, 24);
    shop.clock.advance(Duration::from_secs(2));
    shop.entry(&payment.reference.merchant_ref, |entry| entry.status = PaymentStatus::Paid);
    shop.bank.lock().unwrap().down = false;
    assert_eq!(shop.payments.query(&payment.id).await.unwrap().status, Status::Paid, "now it is");
}

#[cfg(feature = "postgres")]
mod postgres {
    use std::sync::Arc;

    use tulbur_core::{AccountName, ManualClock, OrderRef, Url};
    use tulbur_payments::store::StoreClock;
    use tulbur_payments::store_suite::postgres_for_tests;
    use tulbur_payments::{OpenPayment, Payments, PostgresStore, StoreSettings};

    use super::*;
    use crate::support::{self, Bank};

    async fn process(
        database: &tulbur_payments::store_suite::TestDatabase,
        clock: &ManualClock,
        counts: StoreClock,
    ) -> (Payments, Arc<std::sync::Mutex<support::State>>) {
        let settings = StoreSettings::default().clock(counts);
        let store = PostgresStore::connect(database.options(), &settings).await.unwrap();
        let bank = Bank::new("bank");
        let state = Arc::clone(&bank.state);
        let url = Url::parse("https://shop.example/").unwrap();
        let builder =
            Payments::builder(Arc::new(store), Arc::new(clock.clone()), support::sealing_keys(), url);
        (builder.account(Arc::new(bank)).build().await.unwrap(), state)
    }

    /// What another process makes of a refund that is about to be answered, if its clock is ahead.
    async fn seen_from_ahead(counts: StoreClock) -> Option<OperationState> {
        let database = postgres_for_tests()?.database().await.unwrap();
        let right = tulbur_core::system_now();
        let clocks = [ManualClock::new(right), ManualClock::new(right.after(Duration::from_secs(130)))];
        let (one, bank) = process(&database, &clocks[0], counts).await;
        let (two, _) = process(&database, &clocks[1], counts).await;
        let (order, account) = (OrderRef::parse("1").unwrap(), AccountName::parse("bank").unwrap());
        let request = OpenPayment::new(order, account, support::mnt(1500), "Two things");
        let payment = one.open(request).await.unwrap();
        let reference = payment.reference.merchant_ref.as_str().to_owned();
        bank.lock().unwrap().payments.get_mut(&reference).unwrap().status = PaymentStatus::Paid;
        one.query(&payment.id).await.unwrap();
        bank.lock().unwrap().operation = Write::Hang;
        let refunding = {
            let (one, id) = (one.clone(), payment.id.clone());
            tokio::spawn(async move { one.refund(RefundPayment::new(id, "broken")).await })
        };
        while bank.lock().unwrap().hanging == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        for _ in 0..5 {
            two.work_once().await.unwrap();
        }
        let seen = two.operations(&payment.id).await.unwrap()[0].state;
        bank.lock().unwrap().operation = Write::Answer;
        refunding.await.unwrap().unwrap();
        Some(seen)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_process_whose_clock_is_ahead_takes_nothing_from_another() {
        let Some(seen) = seen_from_ahead(StoreClock::Database).await else { return };
        assert_eq!(seen, OperationState::Submitted);
        // By the processes' own clocks it would be taken over: so this test can fail.
        assert_eq!(seen_from_ahead(StoreClock::Process).await, Some(OperationState::Unknown));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_stored_says_the_database_s_time() {
        let Some(postgres) = postgres_for_tests() else { return };
        let database = postgres.database().await.unwrap();
        let clock = ManualClock::new(Timestamp::from_millis(1_000_000_000_000));
        let (payments, _) = process(&database, &clock, StoreClock::Database).await;
        let (order, account) = (OrderRef::parse("1").unwrap(), AccountName::parse("bank").unwrap());
        let request = OpenPayment::new(order, account, support::mnt(1500), "Two things");
        let before = tulbur_core::system_now();
        let payment = payments.open(request).await.unwrap();
        // Its own time stands still between two samples, so it is not later than the server's.
        assert!(payment.created_at.since(before) < Duration::from_mins(1), "{}", payment.created_at);
        assert!(before.since(payment.created_at) < Duration::from_mins(1), "{}", payment.created_at);
        assert!(before.since(payments.now()) < Duration::from_mins(1));
    }
}
