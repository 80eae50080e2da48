//! The names of things: the shop's, ours, and the provider's.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::IdSource;
use crate::money::Money;

/// Why a text cannot be a name of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceError {
    what: &'static str,
    why: String,
}

impl ReferenceError {
    pub(crate) fn new(what: &'static str, why: impl Into<String>) -> Self {
        Self { what, why: why.into() }
    }

    /// The kind of name that was refused, e.g. `merchant reference`.
    pub fn what(&self) -> &'static str {
        self.what
    }
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid {}: {}", self.what, self.why)
    }
}

impl std::error::Error for ReferenceError {}

fn check_text(what: &'static str, text: &str, max: usize) -> Result<(), ReferenceError> {
    if text.is_empty() {
        return Err(ReferenceError::new(what, "it is empty"));
    }
    if text.len() > max {
        return Err(ReferenceError::new(what, format!("it is {} bytes long, at most {max} fit", text.len())));
    }
    if text.chars().any(char::is_control) {
        return Err(ReferenceError::new(what, "it contains a control character"));
    }
    Ok(())
}

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("Takes a text as ", $what, ".")]
            ///
            /// # Errors
            #[doc = concat!("When it is empty, longer than ", stringify!($max), " bytes, or has control characters.")]
            pub fn parse(text: impl Into<String>) -> Result<Self, ReferenceError> {
                let text = text.into();
                check_text($what, &text, $max)?;
                Ok(Self(text))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ReferenceError;
            fn try_from(text: String) -> Result<Self, ReferenceError> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

text_name!(
    /// The shop's own key of what is being paid.
    ///
    /// An order may need several payments (attempts), because a bank's page dies after minutes and its reference
    /// cannot be used again. It never leaves the shop.
    OrderRef,
    "order reference",
    255
);

text_name!(
    /// The provider's own id of an invoice. It is opaque: compared, stored, never taken apart.
    ProviderRef,
    "provider reference",
    255
);

text_name!(
    /// The provider's id of the money movement, where that is another one than the invoice's.
    ChargeRef,
    "charge reference",
    255
);

text_name!(
    /// Our persisted id of one write: a refund's own order number, an idempotency key.
    OperationRef,
    "operation reference",
    64
);

text_name!(
    /// Our unique id of one payment at one account: Golomt's `transactionId`, Galaxy Pay's `orderID`.
    ///
    /// Which characters and lengths are allowed is the account's [`RefRule`]; [`MerchantRef::generate`] makes one
    /// that fits.
    MerchantRef,
    "merchant reference",
    255
);

text_name!(
    /// The shop's own key of a customer: to whom saved cards belong, and who pays.
    CustomerRef,
    "customer reference",
    255
);

impl MerchantRef {
    /// Makes a new reference for an account with this rule.
    ///
    /// Where 32 characters fit, it is a version 7 UUID in hexadecimal, which sorts by time; where fewer fit, it
    /// is random characters of the rule's alphabet, as many as fit.
    pub fn generate(rule: &RefRule, ids: &dyn IdSource) -> Self {
        let length = 32.clamp(*rule.length.start(), *rule.length.end());
        let mut text =
            if rule.alphabet == Alphabet::Digits || length < 32 { String::new() } else { ids.uuid_v7() };
        let alphabet = rule.alphabet.generated();
        while text.len() < length {
            let mut bytes = [0_u8; 32];
            ids.fill(&mut bytes);
            // Bytes past the last whole multiple of the alphabet would favour its first characters.
            let fair = 256 - 256 % alphabet.len();
            for byte in bytes.into_iter().map(usize::from).filter(|byte| *byte < fair) {
                if text.len() < length {
                    text.push(char::from(alphabet[byte % alphabet.len()]));
                }
            }
        }
        Self(text)
    }
}

/// Which characters an account's references may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Alphabet {
    /// `0-9`.
    Digits,
    /// `A-Z a-z 0-9`.
    Alphanumeric,
    /// `A-Z a-z 0-9 -`.
    AlphanumericHyphen,
}

impl Alphabet {
    fn allows(self, byte: u8) -> bool {
        match self {
            Self::Digits => byte.is_ascii_digit(),
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::AlphanumericHyphen => byte.is_ascii_alphanumeric() || byte == b'-',
        }
    }

    /// Generated references stay in one case, because some systems compare without it.
    fn generated(self) -> &'static [u8] {
        match self {
            Self::Digits => b"0123456789",
            Self::Alphanumeric | Self::AlphanumericHyphen => b"0123456789abcdefghijklmnopqrstuvwxyz",
        }
    }
}

impl fmt::Display for Alphabet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digits => "digits",
            Self::Alphanumeric => "letters A-Z a-z and digits",
            Self::AlphanumericHyphen => "letters A-Z a-z, digits and hyphens",
        })
    }
}

/// The references that an account accepts: their alphabet and length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefRule {
    alphabet: Alphabet,
    length: RangeInclusive<usize>,
}

impl RefRule {
    /// References of `length` characters of `alphabet`.
    ///
    /// A range of one value says that all references of the account have one length, which some checksums need
    /// to be unambiguous. An empty or reversed range becomes its start alone.
    pub fn new(alphabet: Alphabet, length: RangeInclusive<usize>) -> Self {
        let start = (*length.start()).clamp(1, 255);
        let end = (*length.end()).clamp(start, 255);
        Self { alphabet, length: start..=end }
    }

    /// The allowed characters.
    pub fn alphabet(&self) -> Alphabet {
        self.alphabet
    }

    /// The allowed lengths, in characters.
    pub fn length(&self) -> &RangeInclusive<usize> {
        &self.length
    }

    /// Checks a reference that was not generated here.
    ///
    /// # Errors
    /// Names what the rule asks for and what was given instead.
    pub fn check(&self, reference: &MerchantRef) -> Result<(), ReferenceError> {
        let text = reference.as_str();
        if let Some(bad) = text.chars().find(|c| !u8::try_from(*c).is_ok_and(|b| self.alphabet.allows(b))) {
            return Err(ReferenceError::new(
                "merchant reference",
                format!("`{}` is not allowed; this account takes {}", bad.escape_debug(), self.alphabet),
            ));
        }
        if !self.length.contains(&text.len()) {
            return Err(ReferenceError::new(
                "merchant reference",
                format!(
                    "it has {} characters; this account takes {} to {}",
                    text.len(),
                    self.length.start(),
                    self.length.end()
                ),
            ));
        }
        Ok(())
    }
}

/// A provider's id, e.g. `golomt-ecommerce`. A string, so that outside crates are first class.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProviderId(String);

/// The name under which a provider is configured. Many accounts of one provider are normal (fifty tills).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountName(String);

macro_rules! slug_name {
    ($name:ident, $what:literal) => {
        impl $name {
            #[doc = concat!("Takes a text as ", $what, ": 1 to 64 of `a-z 0-9 -`, beginning with a letter.")]
            ///
            /// # Errors
            /// When the text has another shape. It stands in addresses and in names of environment variables.
            pub fn parse(text: impl Into<String>) -> Result<Self, ReferenceError> {
                let text = text.into();
                let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
                if text.len() > 64
                    || !text.starts_with(|c: char| c.is_ascii_lowercase())
                    || !text.bytes().all(allowed)
                {
                    // Not repeated: in a configuration it may be a secret in the wrong place.
                    let why = "it must be 1 to 64 of a-z, 0-9 and -, beginning with a letter";
                    return Err(ReferenceError::new($what, why));
                }
                Ok(Self(text))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ReferenceError;
            fn try_from(text: String) -> Result<Self, ReferenceError> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }
    };
}

slug_name!(ProviderId, "provider id");
slug_name!(AccountName, "account name");

/// Which of a provider's ways a payment goes, because each is asked about in its own way.
///
/// An open set: each provider crate has constants of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flow(std::borrow::Cow<'static, str>);

impl Flow {
    /// A provider crate's constant.
    pub const fn new(name: &'static str) -> Self {
        Self(std::borrow::Cow::Borrowed(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All that any provider needs to find a payment again.
///
/// Answers return a fuller one: fields only ever go from none to some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PaymentRef {
    /// Our id of it at this account.
    pub merchant_ref: MerchantRef,
    /// What was asked for; none for a card set-up, which is no payment.
    pub amount: Option<Money>,
    /// The provider's id of the invoice, once known.
    pub provider_ref: Option<ProviderRef>,
    /// The provider's id of the money movement, once known and where it differs.
    pub charge_ref: Option<ChargeRef>,
    /// Which way it goes.
    pub flow: Flow,
    /// When it was asked for, by our time; none for a reference that was written by hand. Some providers want it with
    /// every later call.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
}

impl PaymentRef {
    /// A reference to something that the provider has not answered about yet.
    pub fn new(merchant_ref: MerchantRef, amount: Option<Money>, flow: Flow) -> Self {
        Self { merchant_ref, amount, provider_ref: None, charge_ref: None, flow, created_at: None }
    }

    /// With the provider's id of the invoice.
    #[must_use]
    pub fn with_provider_ref(mut self, provider_ref: ProviderRef) -> Self {
        self.provider_ref = Some(provider_ref);
        self
    }

    /// With the time when it was asked for.
    #[must_use]
    pub fn with_created_at(mut self, moment: Timestamp) -> Self {
        self.created_at = Some(moment);
        self
    }

    /// With the provider's id of the money movement.
    #[must_use]
    pub fn with_charge_ref(mut self, charge_ref: ChargeRef) -> Self {
        self.charge_ref = Some(charge_ref);
        self
    }

    /// Takes over what `newer` knows and this one does not; what is known stays.
    pub fn fill_from(&mut self, newer: &Self) {
        if self.provider_ref.is_none() {
            self.provider_ref.clone_from(&newer.provider_ref);
        }
        if self.charge_ref.is_none() {
            self.charge_ref.clone_from(&newer.charge_ref);
        }
        self.created_at = self.created_at.or(newer.created_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{RandomIds, SequenceIds};
    use proptest::prelude::*;

    #[test]
    fn a_reference_outside_the_rule_is_refused_by_name() {
        let rule = RefRule::new(Alphabet::Alphanumeric, 8..=32);
        let refused = |text: &str| rule.check(&MerchantRef::parse(text).unwrap()).unwrap_err().to_string();
        assert!(refused("abc").contains("3 characters"));
        assert!(refused("abc_defgh").contains("`_`"));
        assert!(refused("төлбөр123").contains("`т`"));
        assert!(rule.check(&MerchantRef::parse("abcDEF12").unwrap()).is_ok());
    }

    #[test]
    fn names_with_control_characters_or_nothing_in_them_are_refused() {
        assert!(OrderRef::parse("").is_err());
        assert!(OrderRef::parse("a\nb").is_err());
        assert!(MerchantRef::parse("x".repeat(256)).is_err());
        assert!(AccountName::parse("Till 1").is_err());
        assert!(AccountName::parse("1till").is_err());
        assert!(serde_json::from_str::<AccountName>("\"A\"").is_err());
    }

    #[test]
    fn what_is_known_of_a_payment_is_never_replaced() {
        let name = |text| MerchantRef::parse(text).unwrap();
        let mut old = PaymentRef::new(name("a"), None, Flow::new("page"))
            .with_provider_ref(ProviderRef::parse("one").unwrap());
        let newer = PaymentRef::new(name("a"), None, Flow::new("page"))
            .with_provider_ref(ProviderRef::parse("two").unwrap())
            .with_charge_ref(ChargeRef::parse("charge").unwrap());
        old.fill_from(&newer);
        assert_eq!(old.provider_ref.unwrap().as_str(), "one");
        assert_eq!(old.charge_ref.unwrap().as_str(), "charge");
    }

    #[test]
    fn the_same_ids_make_the_same_references() {
        let rule = RefRule::new(Alphabet::Alphanumeric, 12..=12);
        let make = || MerchantRef::generate(&rule, &SequenceIds::default());
        assert_eq!(make(), make());
    }

    proptest! {
        #[test]
        fn generated_references_fit_their_rule(start in 1_usize..80, extra in 0_usize..80, kind in 0_usize..3) {
            let alphabet = [Alphabet::Digits, Alphabet::Alphanumeric, Alphabet::AlphanumericHyphen][kind];
            let rule = RefRule::new(alphabet, start..=start + extra);
            let one = MerchantRef::generate(&rule, &RandomIds);
            prop_assert!(rule.check(&one).is_ok(), "{one} does not fit {rule:?}");
            if *rule.length().end() >= 16 {
                prop_assert_ne!(one, MerchantRef::generate(&rule, &RandomIds));
            }
        }
    }
}
