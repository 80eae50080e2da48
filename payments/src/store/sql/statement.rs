//! Statements about many records at once.

use std::borrow::Cow;
use std::sync::LazyLock;

use tulbur_core::Timestamp;

use super::dialect::{Connection, Row, bind_rows, store_error};
use super::rows::{json, storable};
use crate::error::StoreError;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
}

/// What stands in a column.
pub(crate) enum Value<'a> {
    Text(Cow<'a, str>),
    Number(i64),
    Nothing,
}

pub(super) fn text(text: &str) -> Value<'_> {
    Value::Text(storable(text))
}

pub(super) fn body<T: serde::Serialize>(record: &T) -> Result<Value<'static>, StoreError> {
    Ok(Value::Text(json(record)?.into()))
}

pub(super) fn time(at: Timestamp) -> Value<'static> {
    Value::Number(at.as_millis())
}

pub(super) fn maybe<'a, T>(value: Option<T>, some: impl Fn(T) -> Value<'a>) -> Value<'a> {
    value.map_or(Value::Nothing, some)
}

/// A statement about many records, which are its rows called `new`; `place` counts them.
pub(super) struct Statement {
    pub(super) columns: &'static [(&'static str, Kind)],
    pub(super) sql: LazyLock<String>,
}

/// A statement in which `{new}` stands for its rows. What is returned needs a name that only one of the tables has.
macro_rules! statement {
    ($name:ident ($($column:ident: $kind:ident),*) $sql:expr) => {
        static $name: super::statement::Statement = super::statement::Statement {
            columns: &[$((stringify!($column), super::statement::Kind::$kind)),*],
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
