//! Statements that write and are a transaction of their own.
//!
//! Such a statement commits itself, so that its error can leave open whether it did, as an error of a commit can. An error
//! of getting a connection cannot: nothing was sent.

use super::dialect::{Pool, Row, Sql, commit_error, store_error};
use crate::error::StoreError;

/// Runs it, and says how many rows it changed.
pub(super) async fn execute(writer: &Pool, statement: Sql<'_>) -> Result<u64, StoreError> {
    let mut connection = writer.acquire().await.map_err(store_error)?;
    let done = statement.execute(&mut *connection).await.map_err(commit_error)?;
    Ok(done.rows_affected())
}

/// Runs it, and returns the rows that it returns.
pub(super) async fn fetch_all(writer: &Pool, statement: Sql<'_>) -> Result<Vec<Row>, StoreError> {
    let mut connection = writer.acquire().await.map_err(store_error)?;
    statement.fetch_all(&mut *connection).await.map_err(commit_error)
}
