//! Payments and operations that this release cannot read: damaged, or written by a newer one. They are left alone, listed
//! after a while, and stop nothing else.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Row};
use tulbur_core::OperationState;
use tulbur_payments::{Error, RefundPayment, Status, StoreError};

use crate::support::{Shop, Write};

async fn connect(shop: &Shop) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(shop.folder.path().join("shop.db"));
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn run(connection: &mut SqliteConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.unwrap();
}

/// The whole row, without when it is due and since when it cannot be read.
async fn row(connection: &mut SqliteConnection, table: &str) -> Vec<(i64, i64, String)> {
    let rows =
        sqlx::query(AssertSqlSafe(format!("SELECT version, format, body FROM {table} WHERE format > 1")))
            .fetch_all(connection)
            .await
            .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[tokio::test]
async fn a_payment_of_a_newer_release_is_left_alone_and_listed_after_an_hour() {
    let shop = Shop::open().await;
    let newer = shop.payments.open(shop.request("newer", 1500)).await.unwrap();
    let damaged = shop.payments.open(shop.request("damaged", 1500)).await.unwrap();
    let good = shop.payments.open(shop.request("good", 1500)).await.unwrap();
    let mut other = connect(&shop).await;
    let (id, of) = (&newer.id, &damaged.id);
    run(&mut other, &format!("UPDATE tulbur_payments SET format = 2 WHERE id = '{id}'")).await;
    run(&mut other, &format!("UPDATE tulbur_payments SET body = '{{' WHERE id = '{of}'")).await;
    let before = row(&mut other, "tulbur_payments").await;
    shop.pay(&good.reference.merchant_ref);
    for _ in 0..3 {
        shop.clock.advance(Duration::from_secs(20));
        shop.work().await;
    }
    assert_eq!(shop.kinds("good").await, ["paid"], "the others are asked about");
    assert!(
        shop.payments.attention().await.unwrap().is_empty(),
        "two releases may run side by side for a while"
    );
    let error = shop.payments.payment(id).await.unwrap_err();
    assert!(matches!(&error, Error::Store(StoreError::Unreadable(_))), "{error:?}");
    assert!(error.to_string().contains("newer release"), "{error}");
    assert_eq!(shop.payments.orders(10).await.unwrap().len(), 1, "a list shows what can be read");
    for _ in 0..14 {
        shop.clock.advance(Duration::from_mins(5));
        shop.work().await;
    }
    let mut listed: Vec<String> =
        shop.payments.attention().await.unwrap().into_iter().map(|item| item.key).collect();
    listed.sort();
    let mut wanted = [format!("unreadable/{id}"), format!("unreadable/{of}")];
    wanted.sort();
    assert_eq!(listed, wanted, "once each");
    assert_eq!(row(&mut other, "tulbur_payments").await, before, "nothing of it is changed");

    // The newer release finds it as it was.
    run(&mut other, &format!("UPDATE tulbur_payments SET format = 1 WHERE id = '{id}'")).await;
    shop.pay(&newer.reference.merchant_ref);
    shop.clock.advance(Duration::from_mins(5));
    shop.work().await;
    assert_eq!(shop.payments.payment(id).await.unwrap().status, Status::Paid);
}

#[tokio::test]
async fn an_operation_that_cannot_be_read_stops_no_other() {
    let shop = Shop::open().await;
    let mut refunds = Vec::new();
    for order in ["1", "2"] {
        let payment = shop.payments.open(shop.request(order, 1500)).await.unwrap();
        shop.pay(&payment.reference.merchant_ref);
        shop.payments.query(&payment.id).await.unwrap();
        shop.bank.lock().unwrap().operation = Write::AnswerLost;
        let refund = shop.payments.refund(RefundPayment::new(payment.id.clone(), "broken")).await;
        drop(refund);
        refunds.push(shop.payments.operations(&payment.id).await.unwrap().remove(0));
    }
    assert!(refunds.iter().all(|one| one.state == OperationState::Unknown), "{refunds:?}");
    let mut other = connect(&shop).await;
    let (unread, good) = (&refunds[0].operation_ref, &refunds[1]);
    run(&mut other, &format!("UPDATE tulbur_operations SET format = 7 WHERE operation_ref = '{unread}'"))
        .await;
    let before = row(&mut other, "tulbur_operations").await;
    shop.bank.lock().unwrap().tells_refunds = true;
    for _ in 0..30 {
        shop.clock.advance(Duration::from_mins(5));
        shop.work().await;
    }
    let found = shop.payments.operation(&good.operation_ref).await.unwrap();
    assert_eq!(found.state, OperationState::Succeeded);
    let listed = shop.payments.attention().await.unwrap();
    let keys: Vec<&str> = listed.iter().map(|item| item.key.as_str()).collect();
    assert!(keys.contains(&format!("unreadable/{unread}").as_str()), "{keys:?}");
    assert_eq!(row(&mut other, "tulbur_operations").await, before);
}
