//! Every store passes the suite; a store that forgets one thing fails the check that names it.

mod broken;

use std::sync::Arc;

use tulbur_payments::MemoryStore;
use tulbur_payments::store_suite::{self, Stores};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory() {
    let report = store_suite::run(|| async {
        let store = Arc::new(MemoryStore::new());
        Stores::new(store.clone(), store)
    })
    .await;
    report.assert_passed();
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    use tulbur_payments::SqliteStore;

    let report = store_suite::run(|| async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.db");
        let one = SqliteStore::open(&path).await.unwrap();
        let two = SqliteStore::open(&path).await.unwrap();
        Stores::new(Arc::new(one), Arc::new(two)).keeping(folder)
    })
    .await;
    report.assert_passed();
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    use tulbur_payments::PostgresStore;

    let Some(server) = store_suite::postgres_for_tests() else { return };
    let report = store_suite::run(|| async {
        let database = server.database().await.unwrap();
        // Both at once, as when two processes are started together on an empty database.
        let url = database.url();
        let (one, two) = tokio::join!(PostgresStore::open(&url), PostgresStore::open(&url));
        Stores::new(Arc::new(one.unwrap()), Arc::new(two.unwrap())).keeping(database)
    })
    .await;
    report.assert_passed();
}
