//! Handlers hear of everything at least once, in order, and a claim makes their effect exactly once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support;
use crate::support::{Bank, Shop};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tulbur_core::async_trait;
use tulbur_payments::sqlite::{claim_in, create_claims_table};
use tulbur_payments::{Event, EventHandler, HandlerError};

/// Ships in a database of its own; fails or panics as often as it is told to, after the effect.
#[derive(Debug)]
struct Shipping {
    pool: SqlitePool,
    failures: AtomicU32,
    panics: AtomicU32,
    calls: AtomicU32,
}

impl Shipping {
    async fn new(shop: &Shop, failures: u32, panics: u32) -> Arc<Self> {
        let options = SqliteConnectOptions::new()
            .filename(shop.folder.path().join("shipping.db"))
            .create_if_missing(true);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        create_claims_table(&mut pool.acquire().await.unwrap()).await.unwrap();
        sqlx::query("CREATE TABLE IF NOT EXISTS shipments (order_ref TEXT)").execute(&pool).await.unwrap();
        let number = AtomicU32::new;
        Arc::new(Self { pool, failures: number(failures), panics: number(panics), calls: number(0) })
    }

    async fn shipments(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM shipments").fetch_one(&self.pool).await.unwrap()
    }
}

fn take_one(counter: &AtomicU32) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[async_trait]
impl EventHandler for Shipping {
    async fn handle(&self, event: &Event) -> Result<(), HandlerError> {
        if event.kind.name() == "attention" {
            return Ok(());
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        let mut tx = self.pool.begin().await?;
        if claim_in(&mut tx, "shipping", &event.id).await? {
            let order = event.order.as_ref().map(|order| order.as_str().to_owned());
            sqlx::query("INSERT INTO shipments VALUES (?)").bind(order).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        assert!(!take_one(&self.panics), "a planned panic after the effect");
        if take_one(&self.failures) { Err("a planned failure after the effect".into()) } else { Ok(()) }
    }
}

async fn with_handler(shop: &mut Shop, handler: Arc<Shipping>) {
    let mut bank = Bank::new("bank");
    bank.state = Arc::clone(&shop.bank);
    shop.payments = support::builder(&shop.folder.path().join("shop.db"), &shop.clock)
        .await
        .account(Arc::new(bank))
        .handler("told", shop.told.clone())
        .handler("shipping", handler)
        .build()
        .await
        .unwrap();
}

async fn paid(shop: &Shop, order: &str) {
    let payment = shop.payments.open(shop.request(order, 1500)).await.unwrap();
    shop.pay(&payment.reference.merchant_ref);
    shop.notify(&Shop::body(&payment.reference.merchant_ref, "000", "1500.00")).await;
}

#[tokio::test]
async fn a_failing_handler_is_called_again_and_ships_once() {
    let mut shop = Shop::open().await;
    let shipping = Shipping::new(&shop, 3, 2).await;
    with_handler(&mut shop, shipping.clone()).await;
    paid(&shop, "1").await;
    for _ in 0..8 {
        shop.work().await;
        shop.clock.advance(Duration::from_mins(1));
    }
    assert_eq!(shipping.calls.load(Ordering::SeqCst), 6, "three failures, two panics, one success");
    assert_eq!(shipping.shipments().await, 1);
    assert_eq!(shop.told.0.lock().unwrap().len(), 1, "the handler before it did its work once");
}

#[tokio::test]
async fn a_handler_that_never_works_is_parked_and_holds_up_no_other_order() {
    let mut shop = Shop::open().await;
    let shipping = Shipping::new(&shop, 20, 0).await;
    with_handler(&mut shop, shipping.clone()).await;
    paid(&shop, "1").await;
    for _ in 0..40 {
        shop.work().await;
        shop.clock.advance(Duration::from_mins(10));
    }
    assert_eq!(shipping.calls.load(Ordering::SeqCst), 20);
    paid(&shop, "2").await;
    shop.work().await;
    assert_eq!(shipping.shipments().await, 2);
    shop.clock.advance(Duration::from_hours(24));
    shop.work().await;
    assert_eq!(shipping.calls.load(Ordering::SeqCst), 21, "a parked event does not come by itself");
}

#[tokio::test]
async fn events_of_one_order_come_in_order() {
    let mut shop = Shop::open().await;
    let shipping = Shipping::new(&shop, 1, 0).await;
    with_handler(&mut shop, shipping.clone()).await;
    let first = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    shop.payments.cancel(&first.id).await.unwrap();
    paid(&shop, "1").await;
    shop.work().await;
    assert_eq!(shipping.calls.load(Ordering::SeqCst), 1, "the second waits for the first to be done");
    shop.clock.advance(Duration::from_mins(1));
    shop.work().await;
    let kinds: Vec<_> = shop.told.0.lock().unwrap().iter().map(|event| event.kind.name()).collect();
    assert_eq!(kinds, ["canceled", "paid"]);
}

#[tokio::test]
async fn a_rolled_back_claim_is_no_claim() {
    let shop = Shop::open().await;
    let shipping = Shipping::new(&shop, 0, 0).await;
    let event = tulbur_payments::EventId::from_text("event");
    let mut tx = shipping.pool.begin().await.unwrap();
    assert!(claim_in(&mut tx, "shipping", &event).await.unwrap());
    tx.rollback().await.unwrap();
    let mut tx = shipping.pool.begin().await.unwrap();
    assert!(claim_in(&mut tx, "shipping", &event).await.unwrap());
    assert!(!claim_in(&mut tx, "shipping", &event).await.unwrap());
    assert!(claim_in(&mut tx, "another", &event).await.unwrap());
    tx.commit().await.unwrap();
}
