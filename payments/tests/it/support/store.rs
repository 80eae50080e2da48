//! Which database the tests are on: a SQLite file; or with `TULBUR_TEST_STORE=postgres`, and the feature `postgres`, a
//! database on the server whose address is in `TULBUR_TEST_POSTGRES`.

use std::sync::Arc;

use sqlx::sqlite::SqliteConnectOptions;
use tulbur_payments::{SqliteStore, Store};

pub async fn open(options: SqliteConnectOptions) -> Arc<dyn Store> {
    #[cfg(feature = "postgres")]
    if std::env::var("TULBUR_TEST_STORE").is_ok_and(|store| store == "postgres") {
        return postgres(options.get_filename()).await;
    }
    Arc::new(SqliteStore::open_with(options).await.unwrap())
}

/// One database for each file that there would be: a restart finds it again. They go with the server.
#[cfg(feature = "postgres")]
async fn postgres(file: &std::path::Path) -> Arc<dyn Store> {
    use sha2::{Digest, Sha256};
    use sqlx::postgres::{PgConnectOptions, PgConnection};
    use sqlx::{AssertSqlSafe, Connection};
    use tulbur_payments::store::{StoreClock, StoreSettings};

    let url =
        std::env::var("TULBUR_TEST_POSTGRES").expect("TULBUR_TEST_STORE=postgres needs TULBUR_TEST_POSTGRES");
    let server: PgConnectOptions = url.parse().expect("TULBUR_TEST_POSTGRES is an address");
    let name = format!("tulbur_{}", &hex::encode(Sha256::digest(file.as_os_str().as_encoded_bytes()))[..24]);
    let mut admin = PgConnection::connect_with(&server).await.unwrap();
    let make = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    // After a restart it is there.
    drop(sqlx::raw_sql(make).execute(&mut admin).await);
    // The tests move the time.
    let settings = StoreSettings::default().clock(StoreClock::Process);
    Arc::new(tulbur_payments::PostgresStore::connect(server.database(&name), &settings).await.unwrap())
}
