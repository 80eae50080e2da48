//! Describes notifications and browser returns: the request that arrives, the event that it proves, the reply.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::money::Money;
use crate::proof::{Proof, Voucher};
use crate::redacted::FreeText;
use crate::reference::{MerchantRef, ProviderRef};
use crate::status::{CardInfo, PaymentStatus, SavedCard};
use crate::wire::Fields;

/// How a delivery came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// From the provider's server.
    Notify,
    /// Through the payer's browser, who may have changed it.
    Return,
}

/// A request that claims to come from a provider, as the web adapter received it.
///
/// `Debug` shows sizes only.
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    /// How it came.
    pub channel: Channel,
    /// The HTTP method, upper case.
    pub method: &'a str,
    /// The query string without its `?`, still encoded.
    pub query: Option<&'a str>,
    /// Header names and values.
    pub headers: &'a [(String, String)],
    /// The body as received.
    pub body: &'a [u8],
}

impl<'a> Delivery<'a> {
    /// The first value of a header, whatever its case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text, without a byte order mark. What is not UTF-8 is replaced, so that a text that nothing is made of, such
    /// as the words of a refusal in another charset, does not hide the rest. A signature over replaced text does not fit.
    pub fn body_text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(self.body))
    }

    /// Whether the body may be JSON by its `content-type`: JSON, plain text, or none. Some senders say what their library
    /// says by itself; a signature counts, and not the header.
    pub fn may_be_json(&self) -> bool {
        let essence = self.header("content-type").and_then(|value| value.split(';').next()).map(str::trim);
        essence.is_none_or(|essence| {
            ["application/json", "text/plain"].iter().any(|known| essence.eq_ignore_ascii_case(known))
        })
    }

    /// The fields of the posted form, or of the query string for every other method.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) as [`Fields::parse`].
    pub fn fields(&self) -> Result<Fields<'a>> {
        if self.method == "POST" { self.body_fields() } else { self.query_fields() }
    }

    /// The fields of the query string, whatever the method.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) as [`Fields::parse`].
    pub fn query_fields(&self) -> Result<Fields<'a>> {
        Fields::parse(self.query.unwrap_or_default().as_bytes())
    }

    /// The fields of the body, read as a form, whatever the method and the content type.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) as [`Fields::parse`].
    pub fn body_fields(&self) -> Result<Fields<'a>> {
        Fields::parse(self.body)
    }
}

impl fmt::Debug for Delivery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("channel", &self.channel)
            .field("method", &self.method)
            .field("query_bytes", &self.query.map_or(0, str::len))
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What a delivery is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Our reference.
    pub merchant_ref: Option<MerchantRef>,
    /// The provider's.
    pub provider_ref: Option<ProviderRef>,
}

impl Subject {
    /// By our reference.
    pub fn merchant(merchant_ref: MerchantRef) -> Self {
        Self { merchant_ref: Some(merchant_ref), provider_ref: None }
    }

    /// By the provider's reference.
    pub fn provider(provider_ref: ProviderRef) -> Self {
        Self { merchant_ref: None, provider_ref: Some(provider_ref) }
    }
}

/// A delivery that was read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IpnEvent {
    /// What it is about.
    pub subject: Subject,
    /// What it proves.
    pub proof: Proof,
    /// The status that it claims. A claim moves nothing.
    pub claimed: Option<PaymentStatus>,
    /// The amount that it claims.
    pub amount: Option<Money>,
    /// The provider's own code.
    pub code: Option<FreeText>,
    /// The provider's own words.
    pub text: Option<FreeText>,
    /// What may be shown of the card.
    pub card: CardInfo,
    /// A card that was saved on the way.
    pub saved_card: Option<SavedCard>,
    /// Whether it is a test of the provider's own and about no payment. It is answered, counted and forgotten.
    pub is_test: bool,
    repeat_key: String,
    meaning: Meaning,
}

impl IpnEvent {
    /// A genuine test message of the provider: nothing follows from it.
    pub fn test_message() -> Self {
        let event = Self::new(Subject::default(), Proof::Hint(Voucher::None), "test");
        Self { is_test: true, ..event }
    }

    /// An event about a subject. `event` names it among the subject's events, so that a repeat is recognised:
    /// the provider's own event id where there is one, else what kind of message it is.
    pub fn new(subject: Subject, proof: Proof, event: &str) -> Self {
        let name = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let repeat_key = format!(
            "{}/{}/{event}",
            name(subject.merchant_ref.as_ref().map(MerchantRef::as_str)),
            name(subject.provider_ref.as_ref().map(ProviderRef::as_str)),
        );
        Self {
            subject,
            proof,
            claimed: None,
            amount: None,
            code: None,
            text: None,
            card: CardInfo::default(),
            saved_card: None,
            is_test: false,
            repeat_key,
            meaning: Meaning::of(&[]),
        }
    }

    /// With what it claims, and the digest of that: two events with one key and two meanings contradict each
    /// other.
    #[must_use]
    pub fn with_claim(
        mut self,
        claimed: Option<PaymentStatus>,
        amount: Option<Money>,
        code: Option<&str>,
    ) -> Self {
        self.claimed = claimed;
        self.amount = amount;
        self.code = code.map(FreeText::from);
        let amount = amount.map(|a| a.to_string());
        self.meaning = Meaning::of(&[
            claimed.map_or("-", PaymentStatus::as_str),
            amount.as_deref().unwrap_or("-"),
            code.unwrap_or("-"),
        ]);
        self
    }

    /// The key by which a repeat is recognised.
    pub fn repeat_key(&self) -> &str {
        &self.repeat_key
    }

    /// The digest of what it means.
    pub fn meaning(&self) -> Meaning {
        self.meaning
    }
}

/// A digest of what an event means.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Meaning([u8; 32]);

impl Meaning {
    /// The digest of these parts, each with its length, so that no two lists share one.
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(hash.finalize().into())
    }

    /// As 64 hexadecimal characters.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex()[..16])
    }
}

/// What became of a delivery; the provider's page says what each is answered.
#[derive(Debug, Clone, Copy)]
pub enum IpnOutcome<'a> {
    /// It is on disk.
    Accepted,
    /// It was on disk already.
    Repeat {
        /// Whether the payment had its final state before.
        completed: bool,
    },
    /// It is on disk, and we know no such payment.
    UnknownPayment,
    /// It is of no interest.
    Ignored,
    /// It is not genuine, or cannot be read.
    Rejected(&'a Error),
    /// It could not be stored. This must never be answered with success.
    NotStored,
}

/// The answer to a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The content type.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// A plain-text answer.
    pub fn text(status: u16, body: &'static str) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: Bytes::from_static(body.as_bytes()) }
    }

    /// A JSON answer, already serialised.
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: "application/json", body: body.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meanings_differ_where_parts_move() {
        assert_ne!(Meaning::of(&["ab", "c"]), Meaning::of(&["a", "bc"]));
        assert_eq!(Meaning::of(&["a"]), Meaning::of(&["a"]));
    }
}
