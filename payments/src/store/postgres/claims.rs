//! Exactly-once effects: a claim in the application's own transaction.

use sqlx::postgres::PgConnection;

use crate::error::StoreError;
use crate::model::record::EventId;
use crate::store::postgres::dialect::store_error;

/// The table of claims, as SQL for the application's own migrations.
///
/// Without sqlx, the same works by hand: `INSERT INTO tulbur_claims (handler, event_id) VALUES ($1, $2) ON CONFLICT DO
/// NOTHING` inside the transaction that has the effect, and the effect only if one row was inserted.
pub const CLAIMS_TABLE: &str = include_str!("claims.sql");

/// Makes the table of claims in the application's database, if it is not there.
///
/// Several processes may call it at once.
///
/// # Errors
/// When the database refuses.
pub async fn create_claims_table(connection: &mut PgConnection) -> Result<(), StoreError> {
    // `IF NOT EXISTS` alone can fail when two sessions make the table at the same moment. Both statements are one
    // message, and so one transaction, where the caller has begun none.
    const MAKE: &str = concat!("SELECT pg_advisory_xact_lock(8402117); ", include_str!("claims.sql"));
    sqlx::raw_sql(MAKE).execute(connection).await.map_err(store_error)?;
    Ok(())
}

/// Claims an event for a handler, inside the transaction that has the effect.
///
/// It is `true` once: an event that comes again, because the process died between the effect and its note, finds
/// the claim and gives `false`. If another transaction is claiming the same event, this one waits for its end. If the
/// transaction is rolled back, so is the claim.
///
/// ```
/// # async fn example(pool: sqlx::PgPool, event: tulbur_payments::Event)
/// #     -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let mut tx = pool.begin().await?;
/// if tulbur_payments::postgres::claim_in(&mut tx, "ship", &event.id).await? {
///     sqlx::query("INSERT INTO shipments (order_ref) VALUES ($1)")
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
    connection: &mut PgConnection,
    handler: &str,
    event: &EventId,
) -> Result<bool, StoreError> {
    let done =
        sqlx::query("INSERT INTO tulbur_claims (handler, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(handler)
            .bind(event.as_str())
            .execute(connection)
            .await
            .map_err(store_error)?;
    Ok(done.rows_affected() == 1)
}
