//! Why a day's list cannot be read.

use std::fmt;

/// Why a list cannot be read. Nothing was compared or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListError {
    line: Option<u64>,
    column: Option<String>,
    why: String,
}

impl ListError {
    pub(super) fn new(line: Option<u64>, column: Option<&str>, why: impl Into<String>) -> Self {
        Self { line, column: column.map(str::to_owned), why: why.into() }
    }

    /// The line, from 1.
    pub fn line(&self) -> Option<u64> {
        self.line
    }

    /// The heading of the column.
    pub fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, &self.column) {
            (Some(line), Some(column)) => write!(f, "line {line}, column `{column}`: {}", self.why),
            (Some(line), None) => write!(f, "line {line}: {}", self.why),
            (None, _) => f.write_str(&self.why),
        }
    }
}

impl std::error::Error for ListError {}
