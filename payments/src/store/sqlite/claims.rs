//! Exactly-once effects: a claim in the application's own transaction.

use sqlx::sqlite::SqliteConnection;

use crate::error::StoreError;
use crate::model::record::EventId;
use crate::store::sqlite::dialect::store_error;

/// The table of claims, as SQL for the application's own migrations.
///
/// Without sqlx, the same works by hand: `INSERT OR IGNORE INTO tulbur_claims (handler, event_id) VALUES (?, ?)` inside
/// the transaction that has the effect, and the effect only if one row was inserted.
pub const CLAIMS_TABLE: &str = include_str!("claims.sql");

/// Makes the table of claims in the application's database, if it is not there.
///
/// # Errors
/// When the database refuses.
pub async fn create_claims_table(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    sqlx::query(CLAIMS_TABLE).execute(connection).await.map_err(store_error)?;
    Ok(())
}

/// Claims an event for a handler, inside the transaction that has the effect.
///
/// It is `true` once: an event that comes again, because the process died between the effect and its note, finds
/// the claim and gives `false`. If the transaction is rolled back, so is the claim.
///
/// ```
/// # async fn example(pool: sqlx::SqlitePool, event: tulbur_payments::Event)
/// #     -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let mut tx = pool.begin().await?;
/// if tulbur_payments::sqlite::claim_in(&mut tx, "ship", &event.id).await? {
///     sqlx::query("INSERT INTO shipments (order_ref) VALUES (?)")
///         .bind(event.order.as_ref().map(|order| order.as_str().to_owned()))
///         .execute(&mut *tx)
///         .await?;
/// }
/// tx.commit().await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the database refuses.
pub async fn claim_in(
    connection: &mut SqliteConnection,
    handler: &str,
    event: &EventId,
) -> Result<bool, StoreError> {
    let done = sqlx::query("INSERT OR IGNORE INTO tulbur_claims (handler, event_id) VALUES (?, ?)")
        .bind(handler)
        .bind(event.as_str())
        .execute(connection)
        .await
        .map_err(store_error)?;
    Ok(done.rows_affected() == 1)
}
