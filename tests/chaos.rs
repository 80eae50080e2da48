//! Chaos: thousands of payments over all providers, with every fault of the sandbox striking, while shops are killed with
//! `kill -9` about every second, and stopped and sent on again. At the end the providers' books say what was paid.
//!
//! `TULBUR_CHAOS_PAYMENTS` says how many orders (the book has the long run), `TULBUR_CHAOS_SEED` repeats the choices.

mod chaos {
    pub(crate) mod accidents;
    pub(crate) mod customers;
    pub(crate) mod judge;
    pub(crate) mod street;
}

use chaos::street::{Database, Street};

/// Two shops on one SQLite file: where one stands still, the other takes over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_shops_on_one_sqlite_file() {
    Street::open(Database::Sqlite, 2).await.run().await;
}

/// Three shops on one PostgreSQL, of which one has a wrong clock; the server is restarted once, without mercy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_shops_on_one_postgres() {
    let Some(database) = Database::postgres().await else { return };
    Street::open(database, 3).await.run().await;
}
