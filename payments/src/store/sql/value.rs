//! Defines the values of a column, and writes records as values.

use std::borrow::Cow;

use serde::Serialize;
use tulbur_core::Timestamp;

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

pub(super) fn body<T: Serialize>(record: &T) -> Result<Value<'static>, StoreError> {
    Ok(Value::Text(json(record)?.into()))
}

pub(super) fn time(at: Timestamp) -> Value<'static> {
    Value::Number(at.as_millis())
}

pub(super) fn maybe<'a, T>(value: Option<T>, some: impl Fn(T) -> Value<'a>) -> Value<'a> {
    value.map_or(Value::Nothing, some)
}

pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Unreadable(e.to_string()))
}

/// A text that came from outside, as a column can hold it: a column of text has no zero character.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}
