//! Operations on a payment that exists: capture, void, refund, cancel.
//!
//! Each is a record of its own, committed before its request leaves. One that may have happened is `Unknown`: it is
//! never sent again by itself, and blocks what would conflict with it.

use std::fmt;

use serde::{Deserialize, Serialize};
use tulbur_core::{
    AccountName, ChargeRef, FreeText, Money, OperationRef, OperationState, OrderRef, ProviderRef,
    ReferenceError, Timestamp,
};

use crate::model::record::PaymentId;

/// What an operation does to its payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OperationKind {
    /// Takes money that is held.
    Capture,
    /// Lets go of money that is held.
    Void,
    /// Gives money back.
    Refund,
    /// Takes back a payment that nobody has paid.
    Cancel,
}

impl OperationKind {
    /// The word, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
            Self::Cancel => "cancel",
        }
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One operation, as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OperationRecord {
    /// Our id of it, which the provider is told where it takes one.
    pub operation_ref: OperationRef,
    /// What it does.
    pub kind: OperationKind,
    /// The payment.
    pub payment: PaymentId,
    /// The payment's account.
    pub account: AccountName,
    /// The payment's order.
    pub order: Option<OrderRef>,
    /// How much; none for a void or a cancel.
    pub amount: Option<Money>,
    /// The part that it gives back, of a payment that came in parts.
    #[serde(default)]
    pub part: Option<ChargeRef>,
    /// Why, for people.
    pub reason: String,
    /// Who asked for it, for the provider's books.
    #[serde(default)]
    pub by: Option<String>,
    /// How it stands.
    pub state: OperationState,
    /// The provider's id of it.
    pub provider_ref: Option<ProviderRef>,
    /// The provider's code.
    pub code: Option<FreeText>,
    /// The provider's words, or why it is not known.
    pub text: Option<FreeText>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// When it is looked at again: another process takes it for abandoned, or it is asked about; none once it is settled.
    pub lease_until: Option<Timestamp>,
    /// When the lease of its write ends: then another process takes it for abandoned, and an hour later a person may say
    /// that it did not happen.
    #[serde(default)]
    pub write_ends: Option<Timestamp>,
    /// How often the provider was asked what became of it.
    #[serde(default)]
    pub asked: u32,
    /// The token of the one call that may send it.
    #[serde(default)]
    pub(crate) owner: Option<String>,
    /// Counts changes; a commit names the one that it was decided on.
    pub(crate) version: i64,
}

impl OperationRecord {
    /// Whether it has happened, may have happened, or is about to: what would conflict with it is refused.
    pub fn may_have_happened(&self) -> bool {
        self.state != OperationState::Refused
    }

    /// Whether nobody knows yet how it ended.
    pub fn is_unresolved(&self) -> bool {
        !matches!(self.state, OperationState::Succeeded | OperationState::Refused)
    }
}

/// What came of an operation that was not refused. A refused one is an error.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// It happened.
    Done(OperationRecord),
    /// The provider took it, or may have: it is settled later, and an event tells how. It must not be asked for again.
    Accepted(OperationRecord),
}

impl Operation {
    pub(crate) fn of(record: OperationRecord) -> Self {
        if record.state == OperationState::Succeeded { Self::Done(record) } else { Self::Accepted(record) }
    }

    /// Whether it happened.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    /// The operation as stored.
    pub fn record(&self) -> &OperationRecord {
        let (Self::Done(record) | Self::Accepted(record)) = self;
        record
    }

    /// The operation as stored.
    pub fn into_record(self) -> OperationRecord {
        let (Self::Done(record) | Self::Accepted(record)) = self;
        record
    }
}

/// The caller's own name of one request: the same key with the same content gives the first result, however often
/// it is asked for; the same key with other content is refused. A request of which nothing was sent frees its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Takes a text as a key.
    ///
    /// # Errors
    /// When it is empty, longer than 255 bytes, or has control characters.
    pub fn parse(text: impl Into<String>) -> Result<Self, ReferenceError> {
        OrderRef::parse(text).map(|text| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IdempotencyKey {
    type Error = ReferenceError;
    fn try_from(text: String) -> Result<Self, ReferenceError> {
        Self::parse(text)
    }
}

impl From<IdempotencyKey> for String {
    fn from(key: IdempotencyKey) -> Self {
        key.0
    }
}

/// What a key was first used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeySubject {
    /// A payment or card set-up.
    Payment(PaymentId),
    /// An operation.
    Operation(OperationRef),
}

/// A key that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The key.
    pub key: IdempotencyKey,
    /// Digest of the request.
    pub content: String,
    /// What came of it.
    pub subject: KeySubject,
    /// When.
    pub at: Timestamp,
}
