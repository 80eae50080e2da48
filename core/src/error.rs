//! One error type, whose first question is what may have happened to the operation.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::http::{HttpResponse, Phase, TransportError, TransportFault};
use crate::money::MoneyError;
use crate::outcome::{Effect, Outcome};
use crate::redacted::FreeText;
use crate::reference::{AccountName, ProviderId, ReferenceError};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of a failure. What to do next follows from [`Error::outcome`] first and this second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The account's settings are wrong or incomplete.
    Configuration,
    /// What the caller asked for cannot be asked: an amount of nothing, a reference that does not fit.
    InvalidRequest,
    /// The provider does not offer this, or not to this account.
    Unsupported,
    /// The provider did not accept our credentials.
    Unauthorized,
    /// The provider does not know what was asked about.
    NotFound,
    /// The provider says that it has seen this before; the first one stands.
    Duplicate,
    /// Too many calls; later.
    RateLimited,
    /// The provider could not be reached, or answered that it is broken.
    Unavailable,
    /// No answer in time, or no time left to send it.
    Timeout,
    /// A checksum was missing, wrong, or proves something else.
    Untrusted,
    /// The message could not be read.
    Malformed,
    /// The provider refused, with a code that is about this payment and not about us.
    Rejected,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configuration => "configuration",
            Self::InvalidRequest => "invalid request",
            Self::Unsupported => "unsupported",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not found",
            Self::Duplicate => "duplicate",
            Self::RateLimited => "rate limited",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Untrusted => "untrusted",
            Self::Malformed => "malformed",
            Self::Rejected => "rejected",
        })
    }
}

/// What went wrong, to which operation of which account, and what may have happened.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    outcome: Outcome,
    message: String,
    field: Option<Cow<'static, str>>,
    account: Option<AccountName>,
    provider: Option<ProviderId>,
    operation: Option<&'static str>,
    code: Option<FreeText>,
    text: Option<FreeText>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error after which nothing can have happened.
    ///
    /// `message` says what happened and what to do next; it must not quote a secret. A card number in it is hidden.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            outcome: Outcome::NoEffect,
            message: hidden(message.into()),
            field: None,
            account: None,
            provider: None,
            operation: None,
            code: None,
            text: None,
            source: None,
        }))
    }

    /// A request that cannot be made, and the field that is in the way.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message).with_field(field)
    }

    /// With another outcome than [`Outcome::NoEffect`].
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = outcome;
        self
    }

    /// With the field or setting that it is about.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// With the provider, account and operation it happened to; what is already named stays.
    #[must_use]
    pub fn at(mut self, provider: &ProviderId, account: &AccountName, operation: &'static str) -> Self {
        self.0.provider.get_or_insert_with(|| provider.clone());
        self.0.account.get_or_insert_with(|| account.clone());
        self.0.operation.get_or_insert(operation);
        self
    }

    /// With the provider's own code and words, as a [`FreeText`] holds them: shortened, without card numbers and tokens.
    /// Neither may hold another secret; [`FreeText::without`] takes one out.
    #[must_use]
    pub fn with_answer(mut self, code: Option<&str>, text: Option<&str>) -> Self {
        self.0.code = code.map(FreeText::from);
        self.0.text = text.map(FreeText::from);
        self
    }

    /// With the error that caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// From a transport failure of a request with this effect.
    ///
    /// What was never sent, and what only reads, has no effect; a write that may have left is unknown.
    pub fn from_transport(error: TransportError, effect: Effect) -> Self {
        let kind = match error.fault() {
            TransportFault::Timeout | TransportFault::TooLate => ErrorKind::Timeout,
            TransportFault::TooLarge => ErrorKind::Malformed,
            TransportFault::Refused => ErrorKind::Configuration,
            TransportFault::Connect | TransportFault::Cut => ErrorKind::Unavailable,
        };
        let outcome = match error.phase() {
            Phase::NeverSent => Outcome::NoEffect,
            Phase::MayHaveBeenSent => effect.outcome_when_lost(),
        };
        Self::new(kind, error.to_string()).with_outcome(outcome).with_source(error)
    }

    /// From an answer that cannot be read as what it should be. `why` is a constant, so that it quotes nothing.
    pub fn unreadable(effect: Effect, response: &HttpResponse, why: &'static str) -> Self {
        Self::new(ErrorKind::Malformed, why).in_answer(effect, response)
    }

    /// An error about an answer that came: where no field is named, with the answer's status and size, and with the
    /// outcome of an operation whose answer is lost.
    #[must_use]
    pub fn in_answer(mut self, effect: Effect, response: &HttpResponse) -> Self {
        if self.0.field.is_none() {
            let (status, bytes) = (response.status, response.body.len());
            self.0.message =
                format!("the answer (HTTP {status}, {bytes} bytes) cannot be read: {}", self.0.message);
        }
        self.with_outcome(effect.outcome_when_lost())
    }

    /// What may have happened to the operation.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, in words, without where it happened.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The field or setting that it is about.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// The account it happened to.
    pub fn account(&self) -> Option<&AccountName> {
        self.0.account.as_ref()
    }

    /// The provider it happened to.
    pub fn provider(&self) -> Option<&ProviderId> {
        self.0.provider.as_ref()
    }

    /// The operation it happened to.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The provider's own code.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The provider's own words.
    pub fn text(&self) -> Option<&str> {
        self.0.text.as_deref()
    }
}

/// A message without card numbers, which stays as it is if it has none.
fn hidden(message: String) -> String {
    match tulbur_redact::card_numbers(&message) {
        Cow::Borrowed(_) => message,
        Cow::Owned(shown) => shown,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if let Some(account) = &inner.account {
            write!(f, "{account}")?;
            if let Some(provider) = inner.provider.as_ref().filter(|p| p.as_str() != account.as_str()) {
                write!(f, " ({provider})")?;
            }
            f.write_str(" ")?;
        }
        if let Some(operation) = inner.operation {
            write!(f, "{operation}: ")?;
        } else if inner.account.is_some() {
            f.write_str(": ")?;
        }
        if let Some(field) = &inner.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&inner.message)?;
        match (&inner.code, &inner.text) {
            (Some(code), Some(text)) => write!(f, " [{code}: {text}]")?,
            (Some(word), None) | (None, Some(word)) => write!(f, " [{word}]")?,
            (None, None) => {}
        }
        if inner.outcome == Outcome::Unknown {
            f.write_str(" (it may have happened: ask about it, do not repeat it)")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl From<MoneyError> for Error {
    fn from(error: MoneyError) -> Self {
        Self::invalid("amount", error.to_string()).with_source(error)
    }
}

impl From<ReferenceError> for Error {
    fn from(error: ReferenceError) -> Self {
        Self::invalid("reference", error.to_string()).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::{Currency, Money};

    #[test]
    fn an_error_says_where_what_and_whether_to_repeat() {
        let error = Error::new(ErrorKind::Timeout, "no answer within 30 s")
            .with_outcome(Outcome::Unknown)
            .with_answer(Some("504"), None)
            .at(&ProviderId::parse("bank").unwrap(), &AccountName::parse("till-1").unwrap(), "charge");
        assert_eq!(
            error.to_string(),
            "till-1 (bank) charge: no answer within 30 s [504] (it may have happened: ask about it, do not repeat it)"
        );
        assert_eq!(Error::from(MoneyError::TooLarge).field(), Some("amount"));
    }

    #[test]
    fn an_error_shows_no_card_number() {
        for number in ["4111111111111111", "4111 1111 1111 1111", "x4111-1111-1111-1111", "٤١١١١١١١١١١١١١١١"]
        {
            let error = Error::new(ErrorKind::Rejected, format!("no card {number}"))
                .with_answer(Some(number), Some(number))
                .with_source(Money::parse(&format!("{number}.001"), Currency::MNT).unwrap_err());
            let all = format!("{error} {error:?} {:?} {:?} {}", error.code(), error.text(), error.message());
            assert!(!all.contains(number) && all.contains("no card"), "{all}");
        }
    }

    #[test]
    fn a_lost_write_is_unknown_and_a_lost_read_is_nothing() {
        let lost = |phase, effect| {
            Error::from_transport(TransportError::new(phase, TransportFault::Cut, "cut"), effect).outcome()
        };
        assert_eq!(lost(Phase::NeverSent, Effect::Write), Outcome::NoEffect);
        assert_eq!(lost(Phase::MayHaveBeenSent, Effect::Write), Outcome::Unknown);
        assert_eq!(lost(Phase::MayHaveBeenSent, Effect::Keyed), Outcome::Unknown);
        assert_eq!(lost(Phase::MayHaveBeenSent, Effect::Read), Outcome::NoEffect);
        assert_eq!(lost(Phase::MayHaveBeenSent, Effect::ReadOnce), Outcome::NoEffect);
        let late = TransportError::new(Phase::NeverSent, TransportFault::TooLate, "too late");
        let late = Error::from_transport(late, Effect::Write);
        assert_eq!((late.outcome(), late.kind()), (Outcome::NoEffect, ErrorKind::Timeout));
    }
}
