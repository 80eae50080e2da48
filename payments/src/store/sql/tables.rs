//! Makes the tables, and knows whether they are there.

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Row as _, SqlSafeStr};

use super::dialect::{Connection, Pool, Row, TABLES, TABLES_EXIST, store_error};
use crate::error::StoreError;

/// The version of the newest tables that this knows: what opening a database brings it to. Its own stands in
/// `tulbur_migrations`.
pub fn newest_tables() -> i64 {
    migrator().iter().map(|migration| migration.version).max().unwrap_or(0)
}

fn migrator() -> Migrator {
    let simple = |version, about: &'static str, sql: sqlx::SqlStr| {
        Migration::new(version, about.into(), MigrationType::Simple, sql, false)
    };
    let mut migrator = Migrator::with_migrations(vec![simple(1, "tables", TABLES.into_sql_str())]);
    migrator.dangerous_set_table_name("tulbur_migrations");
    migrator
}

/// Brings the tables up to date, in the transaction of this connection. Its caller keeps other processes out.
pub(crate) async fn make(connection: &mut Connection) -> Result<(), StoreError> {
    // `run` would make a future that cannot be spawned.
    migrator().set_locking(false).run_direct(None, connection, false).await.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => store_error(error),
        MigrateError::VersionMissing(found) => StoreError::Unreadable(format!(
            "its tables are of a newer release: version {found}, and this one knows {}; run the newer release",
            newest_tables()
        )),
        other => StoreError::Unreadable(format!("its tables are not as expected: {other}")),
    })
}

/// Whether the database has exactly the tables that this release makes.
pub(crate) async fn are_up_to_date(pool: &Pool) -> Result<bool, StoreError> {
    let mut connection = pool.acquire().await.map_err(store_error)?;
    let there: bool =
        sqlx::query_scalar(TABLES_EXIST).fetch_one(&mut *connection).await.map_err(store_error)?;
    if !there {
        return Ok(false);
    }
    let rows = sqlx::query("SELECT version, success, checksum FROM tulbur_migrations ORDER BY version")
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
    let known = migrator();
    let same = |row: &Row, one: &Migration| {
        row.get::<i64, _>("version") == one.version
            && row.get::<bool, _>("success")
            && row.get::<&[u8], _>("checksum") == &*one.checksum
    };
    Ok(rows.len() == known.iter().count() && rows.iter().zip(known.iter()).all(|(row, one)| same(row, one)))
}
