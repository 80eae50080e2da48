//! Statements about many records at once.

use std::sync::LazyLock;

use super::dialect::{Connection, Row, bind_rows, store_error};
use super::value::{Kind, Value};
use crate::error::StoreError;

/// A statement about many records, which are its rows called `new`; `place` counts them.
pub(super) struct Statement {
    pub(super) columns: &'static [(&'static str, Kind)],
    pub(super) sql: LazyLock<String>,
}

/// A statement in which `{new}` stands for its rows. What is returned needs a name that only one of the tables has.
macro_rules! statement {
    ($name:ident ($($column:ident: $kind:ident),*) $sql:expr) => {
        static $name: super::statement::Statement = super::statement::Statement {
            columns: &[$((stringify!($column), super::value::Kind::$kind)),*],
            sql: std::sync::LazyLock::new(|| $sql.replace("{new}", &super::dialect::source($name.columns))),
        };
    };
}

impl Statement {
    /// Runs it, and returns the rows that it returns.
    pub(super) async fn run<const COLUMNS: usize>(
        &'static self,
        connection: &mut Connection,
        rows: Vec<[Value<'_>; COLUMNS]>,
    ) -> Result<Vec<Row>, StoreError> {
        debug_assert_eq!(COLUMNS, self.columns.len(), "each column has a value");
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let query = bind_rows(sqlx::query(self.sql.as_str()), self.columns, rows)?;
        query.fetch_all(connection).await.map_err(store_error)
    }
}

pub(super) use statement;
