//! Each handler is told by itself: whatever processes, other handlers and other releases do.
#![expect(clippy::similar_names, reason = "a shop has a handler that ships")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tulbur_core::{ManualClock, MerchantRef, Timestamp, async_trait};
use tulbur_payments::store::{DeliveryState, Outbox};
use tulbur_payments::{
    AttentionKind, Event, EventHandler, HandlerError, Payments, PaymentsBuilder, SqliteStore, unpark,
};

use crate::support;
use crate::support::{Bank, Shop, Told};

/// A handler that does as it is told, and remembers its calls.
#[derive(Default)]
struct Handler {
    heard: Mutex<Vec<Event>>,
    /// Fails for these kinds, or for all with `*`.
    fails: Mutex<Vec<&'static str>>,
    /// Waits until this is unset.
    waits: AtomicBool,
    out: AtomicUsize,
    most: AtomicUsize,
    any_order: bool,
}

impl Handler {
    fn failing(kind: &'static str) -> Arc<Self> {
        Arc::new(Self { fails: Mutex::new(vec![kind]), ..Self::default() })
    }

    fn waiting() -> Arc<Self> {
        Arc::new(Self { waits: AtomicBool::new(true), ..Self::default() })
    }

    fn calls(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.heard.lock().unwrap().iter().map(|event| event.kind.name()).collect()
    }

    fn mended(&self) {
        self.fails.lock().unwrap().clear();
        self.waits.store(false, Ordering::SeqCst);
    }

    async fn called(&self, times: usize) {
        while self.calls() < times {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// A call, for as long as it lives.
struct Out<'a>(&'a AtomicUsize);

impl Drop for Out<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl EventHandler for Handler {
    async fn handle(&self, event: &Event) -> Result<(), HandlerError> {
        let now = self.out.fetch_add(1, Ordering::SeqCst) + 1;
        let _out = Out(&self.out);
        self.most.fetch_max(now, Ordering::SeqCst);
        self.heard.lock().unwrap().push(event.clone());
        while self.waits.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let kind = event.kind.name();
        let fails = self.fails.lock().unwrap().iter().any(|one| *one == kind || *one == "*");
        if fails { Err("a planned failure".into()) } else { Ok(()) }
    }

    fn in_order(&self) -> bool {
        !self.any_order
    }
}

/// A process of this shop with these handlers, on a clock of its own if it has one.
async fn process_on(
    shop: &Shop,
    clock: &ManualClock,
    handlers: &[(&str, Arc<dyn EventHandler>)],
    change: impl FnOnce(PaymentsBuilder) -> PaymentsBuilder,
) -> Payments {
    let mut bank = Bank::new("bank");
    bank.state = Arc::clone(&shop.bank);
    let mut builder =
        support::builder(&shop.folder.path().join("shop.db"), clock).await.account(Arc::new(bank));
    for (name, handler) in handlers {
        builder = builder.handler(*name, Arc::clone(handler));
    }
    change(builder).build().await.unwrap()
}

async fn process(shop: &Shop, handlers: &[(&str, Arc<dyn EventHandler>)]) -> Payments {
    process_on(shop, &shop.clock, handlers, |builder| builder).await
}

async fn work(payments: &Payments) {
    for _ in 0..200 {
        if !payments.work_once().await.unwrap().is_zero() {
            return;
        }
    }
    panic!("the background work never rests");
}

/// Works for some minutes, looking every half minute.
async fn work_for(shop: &Shop, payments: &Payments, minutes: u64) {
    for _ in 0..minutes * 2 {
        work(payments).await;
        shop.clock.advance(Duration::from_secs(30));
    }
    work(payments).await;
}

async fn paid(shop: &Shop, payments: &Payments, order: &str) {
    let payment = payments.open(shop.request(order, 1500)).await.unwrap();
    shop.pay(&payment.reference.merchant_ref);
    payments.query(&payment.id).await.unwrap();
}

async fn listed(payments: &Payments, kind: AttentionKind) -> Vec<String> {
    let items = payments.attention().await.unwrap();
    items.into_iter().filter(|item| item.kind == kind).map(|item| item.detail).collect()
}

async fn store(shop: &Shop) -> SqliteStore {
    SqliteStore::open_with(support::options(&shop.folder.path().join("shop.db"))).await.unwrap()
}

/// How the handlers of an order's first event stand.
async fn states(shop: &Shop, order: &str) -> Vec<(String, DeliveryState)> {
    let payment = shop.payments.order(&shop.order(order)).await.unwrap().unwrap().payments.remove(0);
    let found = store(shop).await.deliveries(Some(&shop.order(order)), &payment.id).await.unwrap();
    found[0].handlers.iter().map(|part| (part.handler.clone(), part.state)).collect()
}

fn handler(handler: &Arc<Handler>) -> Arc<dyn EventHandler> {
    Arc::clone(handler) as Arc<dyn EventHandler>
}

/// Story 3: while a release is deployed, processes with and without a handler run side by side.
#[tokio::test]
async fn a_process_without_a_handler_leaves_its_events_alone_and_lists_them() {
    let shop = Shop::open().await;
    let (ship, mail) = (Arc::new(Handler::default()), Arc::new(Handler::default()));
    let with = process(&shop, &[("ship", handler(&ship))]).await;
    work(&with).await;
    let without = process(&shop, &[("mail", handler(&mail))]).await;
    work(&without).await;
    paid(&shop, &without, "1").await;
    work_for(&shop, &without, 9).await;
    assert_eq!((ship.calls(), mail.kinds()), (0, vec!["paid"]));
    let due = ("ship".to_owned(), DeliveryState::Due);
    assert!(states(&shop, "1").await.contains(&due), "it waits for the process that has it");
    assert!(listed(&without, AttentionKind::HandlerMissing).await.is_empty(), "a deployment takes minutes");
    work_for(&shop, &without, 5).await;
    let missing = listed(&without, AttentionKind::HandlerMissing).await;
    assert!(matches!(&missing[..], [one] if one.contains("handler `ship`")), "{missing:?}");
    work_for(&shop, &without, 120).await;
    assert_eq!(listed(&without, AttentionKind::HandlerMissing).await.len(), 1, "it is listed once");

    work(&with).await;
    assert_eq!(ship.kinds(), ["paid", "attention"], "however late");
    assert!(listed(&with, AttentionKind::HandlerMissing).await.is_empty(), "and it is resolved");
    work_for(&shop, &without, 5).await;
    assert_eq!((ship.calls(), mail.calls()), (2, 2), "each was told of both, once");
}

#[tokio::test]
async fn what_is_paid_before_any_handler_is_registered_is_told_to_the_first() {
    let shop = Shop::open().await;
    // A shop's website, which never runs the background work.
    let website = process(&shop, &[]).await;
    paid(&shop, &website, "1").await;
    let ship = Arc::new(Handler::default());
    let built = process(&shop, &[("ship", handler(&ship))]).await;
    paid(&shop, &built, "2").await;
    assert!(built.handlers().await.unwrap().is_empty(), "building registers nothing");
    work(&built).await;
    assert_eq!(ship.kinds(), ["paid", "paid"]);

    // A handler that comes later is told of what comes later, and of the rest where somebody asks for it.
    let mail = Arc::new(Handler::default());
    let later = process(&shop, &[("mail", handler(&mail)), ("ship", handler(&ship))]).await;
    later.register_handlers().await.unwrap();
    paid(&shop, &website, "3").await;
    work(&later).await;
    assert_eq!((mail.calls(), ship.calls()), (1, 3));
    assert_eq!(later.backfill_handler("mail", Timestamp::from_millis(0)).await.unwrap(), 2);
    work(&later).await;
    assert_eq!((mail.calls(), ship.calls()), (3, 3));
}

#[tokio::test]
async fn a_renamed_handler_is_listed_until_somebody_says_so() {
    let shop = Shop::open().await;
    let (old, new) = (Handler::failing("paid"), Arc::new(Handler::default()));
    let before = process(&shop, &[("ship", handler(&old))]).await;
    work(&before).await;
    paid(&shop, &before, "1").await;
    work(&before).await;
    assert_eq!(old.calls(), 1);
    let after = process(&shop, &[("shipping", handler(&new))]).await;
    work_for(&shop, &after, 15).await;
    assert_eq!(new.kinds(), ["attention"], "it was registered after the payment");
    assert_eq!(listed(&after, AttentionKind::HandlerMissing).await.len(), 1);
    assert!(after.remove_handler("ship", Some("nobody")).await.is_err());
    assert_eq!(after.remove_handler("ship", Some("shipping")).await.unwrap(), 1, "it has the other already");
    work(&after).await;
    assert_eq!(new.kinds(), ["attention", "paid"]);
    assert!(listed(&after, AttentionKind::HandlerMissing).await.is_empty());
    let names: Vec<String> = after.handlers().await.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["shipping"]);
}

/// Two processes with the same handler, of which one works for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_renewed_while_its_handler_works() {
    let shop = Shop::open().await;
    let (slow, other) = (Handler::waiting(), Arc::new(Handler::default()));
    let patient = |builder: PaymentsBuilder| builder.handler_limit(Duration::from_hours(1));
    let one = process_on(&shop, &shop.clock, &[("ship", handler(&slow))], patient).await;
    let two = process(&shop, &[("ship", handler(&other))]).await;
    paid(&shop, &one, "1").await;
    let working = tokio::spawn(async move { work(&one).await });
    slow.called(1).await;
    let (store, clock) = (store(&shop).await, &shop.clock);
    let payment = shop.payments.order(&shop.order("1")).await.unwrap().unwrap().payments.remove(0);
    let mut lease = Timestamp::from_millis(0);
    for _ in 0..40 {
        // It waits for its time limit, or to be renewed.
        while clock.sleepers() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        clock.advance(Duration::from_secs(21));
        // Until the claim was renewed. Where only the time limit was waited for just now, the wait for the next renewal
        // began after the time had passed, so it passes once more: that is still within the lease.
        let mut once_more = Some(std::time::Instant::now() + Duration::from_secs(1));
        loop {
            if once_more.is_some_and(|at| std::time::Instant::now() >= at) {
                once_more = None;
                clock.advance(Duration::from_secs(21));
            }
            let found = store.deliveries(Some(&shop.order("1")), &payment.id).await.unwrap();
            let until = found[0].handlers[0].at.unwrap();
            if until > lease {
                lease = until;
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        work(&two).await;
    }
    assert_eq!((slow.calls(), other.calls()), (1, 0), "nobody else is called for a quarter of an hour");
    slow.mended();
    working.await.unwrap();
    assert_eq!(states(&shop, "1").await, [("ship".to_owned(), DeliveryState::Done)]);
    work(&two).await;
    assert_eq!((slow.calls(), other.calls()), (1, 0));
}

/// A process that is stopped while it holds a claim has a clock that stands still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_sleeps_over_its_lease_settles_nothing() {
    let shop = Shop::open().await;
    let stopped_clock = ManualClock::new(tulbur_core::Clock::now(&shop.clock));
    let (sleeper, other) = (Handler::waiting(), Handler::failing("paid"));
    let stopped = process_on(&shop, &stopped_clock, &[("ship", handler(&sleeper))], |builder| builder).await;
    let awake = process(&shop, &[("ship", handler(&other))]).await;
    paid(&shop, &awake, "1").await;
    let working = tokio::spawn(async move { work(&stopped).await });
    sleeper.called(1).await;
    shop.clock.advance(Duration::from_secs(59));
    work(&awake).await;
    assert_eq!(other.calls(), 0, "not before the lease is over");
    shop.clock.advance(Duration::from_secs(2));
    work(&awake).await;
    assert_eq!(other.calls(), 1);
    // It wakes up, and its handler has done its work. That is not for it to say any more.
    sleeper.mended();
    working.await.unwrap();
    assert_eq!(states(&shop, "1").await, [("ship".to_owned(), DeliveryState::Due)], "it is the other's");
    other.mended();
    work_for(&shop, &awake, 2).await;
    assert_eq!((sleeper.calls(), other.calls()), (1, 2));
    assert_eq!(states(&shop, "1").await, [("ship".to_owned(), DeliveryState::Done)]);
}

#[tokio::test]
async fn a_dead_handler_uses_up_nobody_s_tries_and_delays_nobody() {
    let shop = Shop::open().await;
    let dead = Arc::new(Handler { fails: Mutex::new(vec!["*"]), any_order: true, ..Handler::default() });
    let (ship, well) = (Handler::failing("paid"), Arc::new(Handler::default()));
    let handlers = [("dead", handler(&dead)), ("ship", handler(&ship)), ("well", handler(&well))];
    let payments = process(&shop, &handlers).await;
    let first = payments.open(shop.request("1", 1500)).await.unwrap();
    payments.cancel(&first.id).await.unwrap();
    paid(&shop, &payments, "1").await;
    work(&payments).await;
    assert_eq!(well.kinds(), ["canceled", "paid"], "both, at once");
    assert_eq!(ship.kinds(), ["canceled", "paid"]);
    work_for(&shop, &payments, 60).await;
    // After as many tries as the dead one has left of its own, the other one works.
    let tries = ship.calls() - 1;
    assert!(tries >= 12 && well.calls() == 2, "{tries}");
    ship.mended();
    work_for(&shop, &payments, 180).await;
    let parked = store(&shop).await.parked_deliveries(10).await.unwrap();
    let mut parked: Vec<_> =
        parked.iter().map(|one| (one.handler.as_str(), one.event.kind.as_str(), one.attempts)).collect();
    parked.sort_unstable();
    let gone = [
        ("dead", "attention", 20),
        ("dead", "attention", 20),
        ("dead", "canceled", 20),
        ("dead", "paid", 20),
    ];
    assert_eq!(parked, gone, "its own events, and the news of those; and of that no more");
    assert_eq!(ship.kinds().iter().filter(|kind| **kind == "paid").count(), tries + 1);
    assert_eq!(well.kinds(), ["canceled", "paid", "attention", "attention"]);
    let undelivered = listed(&payments, AttentionKind::Undelivered).await;
    assert_eq!(undelivered.len(), 2);
    assert!(undelivered.iter().all(|detail| detail.contains("handler `dead`")), "{undelivered:?}");

    // Brought back for that handler, it is told to nobody else.
    dead.mended();
    let (store, before) = (store(&shop).await, (ship.calls(), well.calls(), dead.calls()));
    for one in store.parked_deliveries(10).await.unwrap() {
        assert!(unpark(&store, &one, payments.now()).await.unwrap());
    }
    work(&payments).await;
    assert_eq!((ship.calls(), well.calls(), dead.calls()), (before.0, before.1, before.2 + 4));
    assert!(listed(&payments, AttentionKind::Undelivered).await.is_empty());
}

/// Alerts about nothing of ours have no order, and are in nobody's way.
#[tokio::test]
async fn alerts_without_an_order_do_not_wait_for_each_other() {
    let shop = Shop::open().await;
    let ship = Handler::failing("attention");
    let payments = process(&shop, &[("ship", handler(&ship))]).await;
    work(&payments).await;
    for number in 0..5 {
        let unknown = MerchantRef::parse(format!("{number:0>32}")).unwrap();
        shop.notify(&Shop::body(&unknown, "000", "1500.00")).await;
    }
    work_for(&shop, &payments, 1).await;
    let ids: std::collections::BTreeSet<String> =
        ship.heard.lock().unwrap().iter().map(|event| event.id.as_str().to_owned()).collect();
    assert_eq!(ids.len(), 5, "all of them were tried, although each fails");
}

/// Story 15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_never_returns_is_called_one_at_a_time_and_parked() {
    let shop = Shop::open().await;
    let (hangs, well) = (Handler::waiting(), Arc::new(Handler::default()));
    let payments =
        process_on(&shop, &shop.clock, &[("hangs", handler(&hangs)), ("well", handler(&well))], |builder| {
            builder.handler_limit(Duration::from_mins(2))
        })
        .await;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn({
        let payments = payments.clone();
        async move { payments.run(async { drop(ended.await) }).await }
    });
    paid(&shop, &payments, "1").await;
    let store = store(&shop).await;
    let mut minutes = 0;
    while store.parked_deliveries(1).await.unwrap().is_empty() {
        shop.clock.advance(Duration::from_secs(15));
        tokio::time::sleep(Duration::from_millis(3)).await;
        minutes += 1;
        assert!(minutes < 4 * 60 * 6, "it is never given up; called {} times", hangs.calls());
    }
    let calls: HashMap<String, usize> =
        hangs.heard.lock().unwrap().iter().fold(HashMap::new(), |mut all, event| {
            *all.entry(event.kind.name().to_owned()).or_default() += 1;
            all
        });
    assert_eq!(calls["paid"], 20, "each try counts when it begins");
    assert_eq!(hangs.most.load(Ordering::SeqCst), 1, "one call at a time");
    assert_eq!(well.kinds()[0], "paid");

    end.send(()).unwrap();
    while !running.is_finished() {
        shop.clock.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_background_work_stops_in_time_whatever_handlers_do() {
    let shop = Shop::open().await;
    let hangs = Handler::waiting();
    let patient = |builder: PaymentsBuilder| builder.handler_limit(Duration::from_hours(24));
    let payments = process_on(&shop, &shop.clock, &[("hangs", handler(&hangs))], patient).await;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn({
        let payments = payments.clone();
        async move { payments.run(async { drop(ended.await) }).await }
    });
    paid(&shop, &payments, "1").await;
    hangs.called(1).await;
    end.send(()).unwrap();
    let mut seconds = 0;
    while !running.is_finished() {
        shop.clock.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(2)).await;
        seconds += 1;
        // Far from the handler's own limit, however slow this machine is.
        assert!(seconds < 6 * 3600, "it waits for the handler");
    }
    running.await.unwrap();
    while hangs.out.load(Ordering::SeqCst) > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(
        states(&shop, "1").await,
        [("hangs".to_owned(), DeliveryState::Claimed)],
        "until its lease is over"
    );
}

/// A handler that blocks its thread cannot be aborted.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_that_blocks_is_called_once_and_stops_nothing_else() {
    struct Blocks(Mutex<std::sync::mpsc::Receiver<()>>, AtomicUsize);

    #[async_trait]
    impl EventHandler for Blocks {
        async fn handle(&self, _: &Event) -> Result<(), HandlerError> {
            self.1.fetch_add(1, Ordering::SeqCst);
            let _ = self.0.lock().unwrap().recv();
            Ok(())
        }
    }

    let shop = Shop::open().await;
    let (release, blocked) = std::sync::mpsc::channel();
    let (blocks, told) =
        (Arc::new(Blocks(Mutex::new(blocked), AtomicUsize::new(0))), Arc::new(Told::default()));
    let handlers: [(&str, Arc<dyn EventHandler>); 2] = [("blocks", blocks.clone()), ("told", told.clone())];
    let payments = process(&shop, &handlers).await;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn({
        let payments = payments.clone();
        async move { payments.run(async { drop(ended.await) }).await }
    });
    paid(&shop, &payments, "1").await;
    while blocks.1.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Its time is over, and many more events come.
    for _ in 0..30 {
        shop.clock.advance(Duration::from_secs(15));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for number in 2..12 {
        paid(&shop, &payments, &number.to_string()).await;
    }
    while told.0.lock().unwrap().len() < 11 {
        shop.clock.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(blocks.1.load(Ordering::SeqCst), 1, "no further thread is given to it");
    end.send(()).unwrap();
    while !running.is_finished() {
        shop.clock.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // Once it ends, its handler is called again, here or elsewhere.
    drop(release);
    for _ in 0..200 {
        if blocks.1.load(Ordering::SeqCst) > 11 {
            break;
        }
        shop.clock.advance(Duration::from_mins(1));
        work(&payments).await;
    }
    assert_eq!(blocks.1.load(Ordering::SeqCst), 12);
}

/// Story 7: an event that a newer release wrote.
#[tokio::test]
async fn an_event_that_cannot_be_read_is_set_aside_and_stops_nothing_else() {
    for damage in ["body = '{\"kind\":{\"invented\":{}}}'", "format = 2", "body = 'no json'"] {
        let shop = Shop::open().await;
        let ship = Arc::new(Handler::default());
        let payments = process(&shop, &[("ship", handler(&ship))]).await;
        let first = payments.open(shop.request("1", 1500)).await.unwrap();
        payments.cancel(&first.id).await.unwrap();
        let event = payments.events(&shop.order("1")).await.unwrap().remove(0);
        let options = support::options(&shop.folder.path().join("shop.db"));
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let mut run = async |sql: String| {
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        };
        run(format!("CREATE TABLE kept AS SELECT * FROM tulbur_events WHERE id = '{}'", event.id)).await;
        run(format!("UPDATE tulbur_events SET {damage} WHERE id = '{}'", event.id)).await;
        paid(&shop, &payments, "1").await;
        // Another order's event, and a payment that is to be asked about.
        paid(&shop, &payments, "2").await;
        let silent = payments.open(shop.request("3", 1500)).await.unwrap();
        shop.pay(&silent.reference.merchant_ref);
        work_for(&shop, &payments, 5).await;
        assert_eq!(ship.kinds(), ["paid", "paid"], "{damage}: those of two other orders");
        assert!(listed(&payments, AttentionKind::Unreadable).await.is_empty(), "a newer release may run");
        work_for(&shop, &payments, 70).await;
        let unreadable = listed(&payments, AttentionKind::Unreadable).await;
        assert!(matches!(&unreadable[..], [one] if one.contains(event.id.as_str())), "{unreadable:?}");
        assert_eq!(ship.kinds(), ["paid", "paid", "paid", "attention"], "the order goes on without it");
        let parked = store(&shop).await.parked_deliveries(10).await.unwrap();
        assert!(parked.is_empty(), "it is not given up");

        // The release that can read it.
        run("UPDATE tulbur_events AS this SET body = kept.body, format = kept.format FROM kept WHERE this.id = kept.id"
            .to_owned())
        .await;
        work_for(&shop, &payments, 15).await;
        assert_eq!(ship.kinds(), ["paid", "paid", "paid", "attention", "canceled"]);
        assert!(listed(&payments, AttentionKind::Unreadable).await.is_empty(), "it is resolved");
        let states = states(&shop, "1").await;
        assert_eq!(states, [("ship".to_owned(), DeliveryState::Done)]);
    }
}

/// A process that dies again and again while it works for one event uses up that event's tries.
#[tokio::test]
async fn a_try_counts_when_it_begins() {
    let shop = Shop::open().await;
    let ship = Arc::new(Handler::default());
    let payments = process(&shop, &[("ship", handler(&ship))]).await;
    paid(&shop, &payments, "1").await;
    payments.register_handlers().await.unwrap();
    let store = store(&shop).await;
    for _ in 0..20 {
        let (wanted, now) = ([("ship".to_owned(), 10)], payments.now());
        let claimed = store.claim_deliveries(&wanted, "dies", now, now).await.unwrap();
        assert_eq!(claimed.len(), 1);
    }
    work(&payments).await;
    assert_eq!(ship.kinds(), ["attention"], "it is given up, and that is told");
    assert_eq!(listed(&payments, AttentionKind::Undelivered).await.len(), 1);
}
