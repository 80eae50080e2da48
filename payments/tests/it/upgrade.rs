//! A database of a newer release is refused.

use sqlx::Connection;
use tulbur_payments::StoreError;

use crate::support;

#[tokio::test]
async fn a_sqlite_file_of_a_newer_release_is_refused() {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
    use tulbur_payments::SqliteStore;

    let folder = support::folder();
    let path = folder.path().join("shop.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    let options = SqliteConnectOptions::new().filename(&path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let newer = "INSERT INTO tulbur_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'from the future', TRUE, x'00', 1)";
    sqlx::query(newer).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    refused_as_newer(&SqliteStore::open(&path).await.unwrap_err(), tulbur_payments::sqlite::newest_tables());
}

fn refused_as_newer(error: &StoreError, known: i64) {
    assert!(matches!(error, StoreError::Unreadable(_)), "{error:?}");
    let said = format!("its tables are of a newer release: version 9999, and this one knows {known}");
    assert!(error.to_string().contains(&said), "{error}");
}

#[cfg(feature = "postgres")]
mod postgres {
    use sqlx::PgConnection;
    use tulbur_payments::PostgresStore;
    use tulbur_payments::store_suite::postgres_for_tests;

    use super::*;

    #[tokio::test]
    async fn a_database_of_a_newer_release_is_refused() {
        let Some(server) = postgres_for_tests() else { return };
        let database = server.database().await.unwrap();
        PostgresStore::open(&database.url()).await.unwrap().close().await;
        let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
        let newer = r"INSERT INTO tulbur_migrations (version, description, success, checksum, execution_time)
                      VALUES (9999, 'from the future', TRUE, '\x00', 1)";
        sqlx::query(newer).execute(&mut connection).await.unwrap();
        refused_as_newer(
            &PostgresStore::open(&database.url()).await.unwrap_err(),
            tulbur_payments::postgres::newest_tables(),
        );
    }
}
