//! A call of a merchant's server: how it is answered and how it is refused.

use std::collections::BTreeMap;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::codes::{message_of, status_of};
use crate::error::SandboxError;
use crate::galaxy_pay::fields::Fields;
use crate::plugin::Note;

/// What a call ends with.
pub(super) type Outcome = Result<Good, Refusal>;

/// An answer with status 200.
pub(super) struct Good {
    body: String,
    note: String,
}

impl Good {
    /// Answers with this document; the note is for the request log.
    pub(super) fn with<T: Serialize>(body: &T, note: impl Into<String>) -> Outcome {
        let body = serde_json::to_string(body).map_err(|error| Refusal::busy(error.to_string()))?;
        Ok(Self { body, note: note.into() })
    }

    /// Answers with `{}`, QPay's empty success [ETAG].
    pub(super) fn empty(note: impl Into<String>) -> Self {
        Self { body: "{}".to_owned(), note: note.into() }
    }

    /// Answers without a body.
    pub(super) fn nothing(note: impl Into<String>) -> Self {
        Self { body: String::new(), note: note.into() }
    }

    pub(super) fn note(&self) -> &str {
        &self.note
    }
}

/// A call that QPay refuses, in the shape of its error bodies, with the reason for the request log.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    body: String,
    why: String,
}

#[derive(Serialize)]
struct Coded<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

#[derive(Serialize)]
struct Named<'a> {
    error: BTreeMap<&'a str, Problem<'a>>,
}

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'a str,
    message: &'a str,
}

fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).unwrap_or_default()
}

impl Refusal {
    /// `{"error":CODE,"message":text}` with the code's own status.
    pub(super) fn code(name: &str, why: impl Into<String>) -> Self {
        let body = json(&Coded { error: name, message: Some(message_of(name)) });
        Self { status: status_of(name), body, why: why.into() }
    }

    /// The host's own trouble, in QPay's shape.
    pub(super) fn trouble(status: u16, name: &str, why: &str) -> Self {
        Self { status, body: json(&Coded { error: name, message: Some(name) }), why: why.to_owned() }
    }

    /// The same with another status, where a switch says so.
    pub(super) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// `{"error":CODE}` alone, as once recorded for `SYSTEM_BUSY` [ETAG].
    pub(super) fn bare(name: &str, why: impl Into<String>) -> Self {
        let body = json(&Coded { error: name, message: None });
        Self { status: status_of(name), body, why: why.into() }
    }

    /// `{"error":{"field":{"type","message"}}}` with status 400 [QG]. Of the types only `MIN_NUMBER` is known.
    pub(super) fn field(name: &str, kind: &str, message: &str, why: impl Into<String>) -> Self {
        let body = json(&Named { error: BTreeMap::from([(name, Problem { r#type: kind, message })]) });
        Self { status: 400, body, why: why.into() }
    }

    /// A member that is missing or has another shape than it must have; its type is the sandbox's own word.
    pub(super) fn invalid(name: &str, why: impl Into<String>) -> Self {
        let why = why.into();
        Self::field(name, "INVALID", &why, why.clone())
    }

    pub(super) fn missing(name: &str) -> Self {
        let why = format!("mandatory field {name} is missing");
        Self::field(name, "REQUIRED", &why, why.clone())
    }

    /// 500 `SYSTEM_BUSY` [ETAG].
    pub(super) fn busy(why: impl Into<String>) -> Self {
        Self::code("SYSTEM_BUSY", why)
    }

    /// Adds to the reason.
    pub(super) fn also(mut self, why: &str) -> Self {
        self.why = format!("{}; {why}", self.why);
        self
    }
}

impl From<SandboxError> for Refusal {
    fn from(error: SandboxError) -> Self {
        Self::busy(error.to_string())
    }
}

/// Writes an answer or a refusal, with its note.
pub(super) fn write(outcome: Outcome) -> Response {
    let (status, body, note) = match outcome {
        Ok(good) => (StatusCode::OK, good.body, Note::accepted(good.note)),
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
            (status, refusal.body, Note::refused(refusal.why))
        }
    };
    let mut response =
        (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response();
    response.extensions_mut().insert(note);
    response
}

/// A call's body; QPay's clients send none where nothing is mandatory [RUN].
pub(super) fn body_of(bytes: &[u8]) -> Result<Fields, Refusal> {
    let bytes = if bytes.trim_ascii().is_empty() { &b"{}"[..] } else { bytes };
    Fields::parse(bytes).map_err(|why| Refusal::code("OBJECT_DATA_ERROR", why))
}

/// An optional scalar: a text, or a number's or boolean's own characters.
pub(super) fn text(fields: &Fields, name: &str, most: usize) -> Result<Option<String>, Refusal> {
    let text = fields.optional(name, usize::MAX).map_err(|why| Refusal::invalid(name, why))?;
    if text.is_some_and(|text| text.chars().count() > most) {
        let why = format!("field {name} is longer than {most} characters");
        return Err(Refusal::field(name, "MAX_LENGTH", &why, why.clone()));
    }
    Ok(text.map(str::to_owned))
}

/// A mandatory scalar.
pub(super) fn required(fields: &Fields, name: &str, most: usize) -> Result<String, Refusal> {
    text(fields, name, most)?.ok_or_else(|| Refusal::missing(name))
}

/// An optional boolean, which clients also send as a text [RUN].
pub(super) fn boolean(fields: &Fields, name: &str) -> Result<Option<bool>, Refusal> {
    match text(fields, name, 5)?.as_deref() {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Refusal::invalid(name, format!("field {name} is neither true nor false"))),
    }
}
