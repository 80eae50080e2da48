//! The command on PostgreSQL: the same answers, and nothing made where nothing was.

use crate::support::{TILL, WEB, World, run, today};
use tulbur::payments::{Lists, PostgresStore, Status};
use tulbur_payments::store_suite::postgres_for_tests;

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_work_on_postgresql() {
    let Some(server) = postgres_for_tests() else { return };
    let day = today(0).await;
    let database = server.database().await.unwrap();
    let url = database.url();
    let world = World::open().await;

    // A database without our tables gets none.
    let empty = run(&["payments", "list"], &[("TULBUR_DATABASE", &url)], world.folder.path());
    assert!(empty.code == 1 && empty.err.contains("no database of Tulbur's"), "{empty:?}");
    let again = run(&["payments", "list"], &[("TULBUR_DATABASE", &url)], world.folder.path());
    assert_eq!(again.err, empty.err, "the first look made nothing");

    let store = PostgresStore::open(&url).await.unwrap();
    let world = World::on(store.clone(), &url).await;
    let paid = world.paid(WEB, "order-1", 1500).await;
    let open = world.order(TILL, "order-2", 20).await;
    world.push(&"0".repeat(32), "000", "7.00", "sandbox-golomt-secret").await;

    world.run(&["payments", "list"]).says(&["order-1", "paid", "order-2", "1 items for a person"]);
    let reference = paid.reference.merchant_ref.as_str();
    for name in ["order-1", paid.id.as_str(), reference] {
        world.run(&["payments", "show", name]).says(&["It is paid", "the test asks to look again"]);
    }
    world.run(&["payments", "list", "--unknown"]).says(&["No payment is like that."]);
    world.run(&["inbox", "list"]).says(&["unknown-payment"]);
    world.run(&["payments", "retry", "order-2"]).says(&["is due now"]);
    world.bank(TILL).act(open.reference.merchant_ref.as_str(), "pay").unwrap();
    world.acting(&["payments", "retry", "order-2"]).says(&["was pending and is paid"]);
    assert_eq!(world.payments.payment(&open.id).await.unwrap().status, Status::Paid);

    std::fs::write(world.path("list.csv"), format!("ref,amount\n{reference},1\n")).unwrap();
    let compared = world.run(&["reconcile", "--account", WEB, "--day", &day, "--file", "list.csv"]);
    assert_eq!(compared.code, 1, "{compared:?}");
    compared.says(&["amount", "1.00 MNT", "1500.00 MNT"]);
    let items = store.attention().await.unwrap();
    let done = world.run(&["payments", "resolve", &items[0].key, "--done", "--by", "Saruul", "--yes"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(store.attention().await.unwrap().is_empty());
}
