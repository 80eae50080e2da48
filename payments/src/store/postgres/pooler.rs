//! Refuses a pooler that lends a session of the server for one transaction only.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Row as _};

use super::dialect::{REFUSED, store_error};
use crate::error::StoreError;

/// So often two connections are compared. Others may use the pooler meanwhile, and hide what it does once.
const ROUNDS: usize = 3;

/// Compares the sessions of two connections: each must keep its own. What a pooler lends for one transaction, it lends to
/// the next one as well.
pub(super) async fn refuse(options: &PgConnectOptions) -> Result<(), StoreError> {
    let mut one = PgConnection::connect_with(options).await.map_err(store_error)?;
    let compared = compare(&mut one, options).await;
    drop(one.close().await);
    compared
}

async fn compare(one: &mut PgConnection, options: &PgConnectOptions) -> Result<(), StoreError> {
    let mine = session(one).await?;
    let mut other = PgConnection::connect_with(options).await.map_err(store_error)?;
    let mut seen = Ok(());
    for _ in 0..ROUNDS {
        seen = match (session(&mut other).await, session(one).await) {
            (Ok(theirs), Ok(again)) if theirs == mine || again != mine => {
                Err(StoreError::Unavailable(REFUSED.to_owned()))
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
            _ => Ok(()),
        };
        if seen.is_err() {
            break;
        }
    }
    drop(other.close().await);
    seen
}

/// The server's process behind a connection, asked for without a prepared statement.
async fn session(connection: &mut PgConnection) -> Result<i32, StoreError> {
    let row = sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await.map_err(store_error)?;
    row.try_get(0).map_err(store_error)
}
