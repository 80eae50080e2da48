//! Proof as a type: only this crate makes a [`Verified`], and only a `Verified` fulfils an order.
//!
//! Here are the checksums that prove what a notification says. Answers to our own questions are proven by
//! [`confirm`](crate::confirm).

use std::fmt;
use std::ops::Deref;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::{Error, ErrorKind, Result};
use crate::money::{Currency, Money};
use crate::reference::{MerchantRef, ProviderRef};
use crate::status::PaymentStatus;

/// Something that the provider has proven: by a checksum that covers it, or by answering our own question.
///
/// It cannot be made outside this crate, deserialised or read back from a disk. A replay asks again.
///
/// ```compile_fail
/// let forged = tulbur_core::Verified("paid");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// What was proven. Only this module and the proofs of answers call it.
    pub(crate) fn new(proven: T) -> Self {
        Self(proven)
    }

    /// The proven value, which is proven no longer once it is out.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// What a notification's checksum covers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IpnFacts {
    /// Our reference.
    pub merchant_ref: Option<MerchantRef>,
    /// The provider's reference.
    pub provider_ref: Option<ProviderRef>,
    /// How the payment stands.
    pub status: PaymentStatus,
    /// The amount.
    pub amount: Money,
}

impl IpnFacts {
    /// Facts about a payment named by our reference.
    pub fn new(merchant_ref: MerchantRef, status: PaymentStatus, amount: Money) -> Self {
        Self { merchant_ref: Some(merchant_ref), provider_ref: None, status, amount }
    }

    /// Facts about a payment named by the provider's reference alone.
    pub fn of_provider_ref(provider_ref: ProviderRef, status: PaymentStatus, amount: Money) -> Self {
        Self { merchant_ref: None, provider_ref: Some(provider_ref), status, amount }
    }

    /// Named by the provider's reference too.
    #[must_use]
    pub fn with_provider_ref(mut self, provider_ref: ProviderRef) -> Self {
        self.provider_ref = Some(provider_ref);
        self
    }
}

/// What a delivery proves.
#[derive(Debug, Clone)]
pub enum Proof {
    /// Its checksum covers reference, amount and result, unambiguously. This may move a payment.
    Signed(Verified<IpnFacts>),
    /// It says that something happened; only a query can prove what.
    Hint {
        /// Whether some checksum was right, although it does not cover everything.
        checked: bool,
    },
}

/// What a field of a checksum's message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Our reference of the payment.
    Reference,
    /// The result code.
    Result,
    /// The amount.
    Amount,
    /// Anything else.
    Other,
}

/// How long a field of a checksum's message may be; what makes a message without separators readable in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Always this many bytes.
    Exactly(usize),
    /// Absent, or this many bytes.
    NoneOr(usize),
    /// One byte to this many.
    UpTo(usize),
}

/// One field of a checksum's message, in its place.
#[derive(Clone, Copy)]
pub struct SignedField<'a> {
    role: Role,
    place: Place,
    text: Option<&'a str>,
}

impl<'a> SignedField<'a> {
    /// A field; an absent one contributes nothing to the message.
    pub fn new(role: Role, place: Place, text: Option<&'a str>) -> Self {
        Self { role, place, text }
    }

    fn fits(&self) -> bool {
        match (self.place, self.text.map(str::len)) {
            (Place::Exactly(length) | Place::NoneOr(length), Some(given)) => given == length,
            (Place::NoneOr(_), None) => true,
            (Place::UpTo(most), Some(given)) => (1..=most).contains(&given),
            (Place::Exactly(_) | Place::UpTo(_), None) => false,
        }
    }
}

impl fmt::Debug for SignedField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.role, self.place)
    }
}

/// Whether a message of these fields, joined without separators, can be read in one way only.
///
/// Fields of a fixed length say where the others begin. One field may be of any length; one more may be absent, if
/// it is longer than that one can be.
fn reads_in_one_way(fields: &[SignedField<'_>]) -> bool {
    let open: Vec<usize> = fields
        .iter()
        .filter_map(|f| if let Place::UpTo(most) = f.place { Some(most) } else { None })
        .collect();
    let optional: Vec<usize> = fields
        .iter()
        .filter_map(|f| if let Place::NoneOr(length) = f.place { Some(length) } else { None })
        .collect();
    match (open.as_slice(), optional.as_slice()) {
        ([] | [_], []) | ([], [_]) => true,
        ([most], [length]) => length >= most,
        _ => false,
    }
}

/// HMAC-SHA256 in lower-case hexadecimal, over values joined without separators.
///
/// The keys are prepared once. The first signs; any of them verifies, so that a key can be changed without losing a
/// message. `Debug` shows how many there are.
#[derive(Clone)]
pub struct HmacHexKeys(Vec<Hmac<Sha256>>);

impl HmacHexKeys {
    /// Prepares the keys: the characters of each secret as UTF-8.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when there is none, or one is empty: there is no key that passes by default.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Result<Self> {
        let mut keys = Vec::new();
        for secret in secrets {
            let secret = secret.expose_secret();
            if secret.is_empty() {
                return Err(Error::new(ErrorKind::Configuration, "it is empty").with_field("secret"));
            }
            keys.push(Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of every length"));
        }
        if keys.is_empty() {
            return Err(Error::new(ErrorKind::Configuration, "there is none").with_field("secret"));
        }
        Ok(Self(keys))
    }

    /// The checksum of these values.
    pub fn sign(&self, parts: &[&str]) -> String {
        hex::encode(Self::digest(&self.0[0], parts.iter().copied()))
    }

    /// Checks a checksum over these values: as text, lower case, in constant time.
    ///
    /// # Errors
    /// [`ErrorKind::Untrusted`], saying whether it is missing, has another shape, or does not match.
    pub fn check(&self, parts: &[&str], received: Option<&str>) -> Result<()> {
        let untrusted = |why: &str| Error::new(ErrorKind::Untrusted, why).with_field("checksum");
        let received = received.filter(|text| !text.is_empty()).ok_or_else(|| untrusted("it is missing"))?;
        if received.len() != 64 || !received.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(untrusted("it does not have the shape of one: 64 lower-case hexadecimal characters"));
        }
        let mut matched = subtle::Choice::from(0);
        for key in &self.0 {
            let mut expected = [0; 64];
            hex::encode_to_slice(Self::digest(key, parts.iter().copied()), &mut expected)
                .expect("32 bytes are 64 characters");
            matched |= expected.ct_eq(received.as_bytes());
        }
        if bool::from(matched) {
            Ok(())
        } else {
            Err(untrusted("it does not match the message under this account's secret"))
        }
    }

    /// Checks a notification's checksum, and says what it proves.
    ///
    /// The result is [`Proof::Signed`] only if reference, result and amount are all covered, every field fits its
    /// place, and the message can be read in one way only.
    ///
    /// # Errors
    /// As [`HmacHexKeys::check`].
    pub fn prove(
        &self,
        fields: &[SignedField<'_>],
        received: Option<&str>,
        currency: Currency,
        status_of: impl Fn(&str) -> PaymentStatus,
    ) -> Result<Proof> {
        let parts: Vec<&str> = fields.iter().filter_map(|field| field.text).collect();
        self.check(&parts, received)?;
        let text = |role| {
            let mut found = fields.iter().filter(|field| field.role == role);
            match (found.next(), found.next()) {
                (Some(field), None) => field.text,
                _ => None,
            }
        };
        let hint = Proof::Hint { checked: true };
        if !fields.iter().all(SignedField::fits) || !reads_in_one_way(fields) {
            return Ok(hint);
        }
        let (Some(reference), Some(result), Some(amount)) =
            (text(Role::Reference), text(Role::Result), text(Role::Amount))
        else {
            return Ok(hint);
        };
        let (Ok(reference), Ok(amount)) = (MerchantRef::parse(reference), Money::parse(amount, currency))
        else {
            return Ok(hint);
        };
        Ok(Proof::Signed(Verified(IpnFacts::new(reference, status_of(result), amount))))
    }

    fn digest<'a>(key: &Hmac<Sha256>, parts: impl Iterator<Item = &'a str>) -> [u8; 32] {
        let mut mac = key.clone();
        for part in parts {
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for HmacHexKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HmacHexKeys({} redacted)", self.0.len())
    }
}

/// SHA-256 in lower-case hexadecimal over a text with a secret salt behind it.
///
/// The first salt signs; any of them verifies. `Debug` shows how many there are.
#[derive(Clone)]
pub struct SaltedSha256(Vec<SecretString>);

impl SaltedSha256 {
    /// Takes the salts.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when there is none, or one is empty.
    pub fn new(salts: impl IntoIterator<Item = SecretString>) -> Result<Self> {
        let salts: Vec<_> = salts.into_iter().collect();
        if salts.is_empty() || salts.iter().any(|salt| salt.expose_secret().is_empty()) {
            return Err(Error::new(ErrorKind::Configuration, "it is missing or empty").with_field("salt"));
        }
        Ok(Self(salts))
    }

    /// The signature of a text.
    pub fn sign(&self, text: &[u8]) -> String {
        Self::hash(text, &self.0[0])
    }

    /// Checks a signature over a text: lower case, in constant time.
    ///
    /// # Errors
    /// [`ErrorKind::Untrusted`].
    pub fn check(&self, text: &[u8], received: Option<&str>) -> Result<()> {
        let untrusted = |why: &str| Error::new(ErrorKind::Untrusted, why).with_field("signature");
        let received = received.filter(|text| !text.is_empty()).ok_or_else(|| untrusted("it is missing"))?;
        let mut matched = subtle::Choice::from(0);
        for salt in &self.0 {
            matched |= Self::hash(text, salt).as_bytes().ct_eq(received.as_bytes());
        }
        if bool::from(matched) {
            Ok(())
        } else {
            Err(untrusted("it does not match the text under this account's salt"))
        }
    }

    /// Checks a signature over a whole document, and proves what `read` finds in that very document.
    ///
    /// # Errors
    /// [`ErrorKind::Untrusted`], or what `read` says.
    pub fn prove(
        &self,
        document: &[u8],
        received: Option<&str>,
        read: impl FnOnce(&[u8]) -> Result<IpnFacts>,
    ) -> Result<Verified<IpnFacts>> {
        self.check(document, received)?;
        read(document).map(Verified)
    }

    fn hash(text: &[u8], salt: &SecretString) -> String {
        let mut hash = Sha256::new();
        hash.update(text);
        hash.update(salt.expose_secret().as_bytes());
        hex::encode(hash.finalize())
    }
}

impl fmt::Debug for SaltedSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SaltedSha256({} redacted)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(secrets: &[&str]) -> HmacHexKeys {
        let secrets: Vec<SecretString> = secrets.iter().map(|s| SecretString::from(*s)).collect();
        HmacHexKeys::new(&secrets).unwrap()
    }

    fn fields<'a>(
        reference: &'a str,
        result: &'a str,
        amount: &'a str,
        token: Option<&'a str>,
    ) -> [SignedField<'a>; 4] {
        [
            SignedField::new(Role::Reference, Place::Exactly(8), Some(reference)),
            SignedField::new(Role::Result, Place::Exactly(3), Some(result)),
            SignedField::new(Role::Amount, Place::UpTo(20), Some(amount)),
            SignedField::new(Role::Other, Place::NoneOr(64), token),
        ]
    }

    fn prove(fields: &[SignedField<'_>]) -> Proof {
        let keys = keys(&["k"]);
        let parts: Vec<&str> = fields.iter().filter_map(|f| f.text).collect();
        let checksum = keys.sign(&parts);
        let status = |code: &str| if code == "000" { PaymentStatus::Paid } else { PaymentStatus::Declined };
        keys.prove(fields, Some(&checksum), Currency::MNT, status).unwrap()
    }

    #[test]
    fn a_published_checksum_is_reproduced() {
        // mnpay/mn-payment-platforms, packages/golomt/test/helpers/generateChecksum.test.ts
        assert_eq!(
            keys(&["testSecret"]).sign(&["helloworld1", "2000", "GET", "https://uwish.travel"]),
            "6b4f750465b22b536e329870d3119983a132922f7bea9ec9097637c4ab3f0eb8"
        );
    }

    #[test]
    fn fields_in_fixed_places_are_signed_and_others_are_hints() {
        let token = "a".repeat(64);
        assert!(matches!(prove(&fields("abcd1234", "000", "1500.00", None)), Proof::Signed(_)));
        assert!(matches!(prove(&fields("abcd1234", "000", "1500.00", Some(&token))), Proof::Signed(_)));
        // One character moved across each boundary hashes alike and must prove nothing.
        assert!(matches!(prove(&fields("abcd123", "400", "01500.00", None)), Proof::Hint { checked: true }));
        assert!(matches!(prove(&fields("abcd1234", "00", "01500.00", None)), Proof::Hint { checked: true }));
        assert!(matches!(prove(&fields("abcd1234", "0001", "500.00", None)), Proof::Hint { checked: true }));
        assert!(matches!(
            prove(&fields("abcd1234", "000", "1500.00a", Some(&token[1..]))),
            Proof::Hint { .. }
        ));
    }

    #[test]
    fn a_message_that_reads_in_two_ways_is_never_signed() {
        let open = |text| SignedField::new(Role::Reference, Place::UpTo(20), Some(text));
        let mut fields = fields("abcd1234", "000", "1500.00", None);
        fields[0] = open("abcd1234");
        assert!(matches!(prove(&fields), Proof::Hint { checked: true }));
        let short_token = SignedField::new(Role::Other, Place::NoneOr(4), None);
        let mut fields = self::fields("abcd1234", "000", "1500.00", None);
        fields[3] = short_token;
        assert!(matches!(prove(&fields), Proof::Hint { checked: true }));
    }

    #[test]
    fn a_checksum_is_needed_in_its_exact_shape() {
        let keys = keys(&["new", "old"]);
        let good = keys.sign(&["a", "b"]);
        assert!(keys.check(&["ab"], Some(&good)).is_ok());
        assert!(keys.check(&["ab"], Some(&self::keys(&["old"]).sign(&["ab"]))).is_ok(), "rotation");
        for bad in
            [None, Some(""), Some("00"), Some(good.to_uppercase().as_str()), Some(&format!("{good}{good}"))]
        {
            assert_eq!(keys.check(&["ab"], bad).unwrap_err().kind(), ErrorKind::Untrusted);
        }
        assert!(keys.check(&["ab"], Some(&self::keys(&["third"]).sign(&["ab"]))).is_err());
        assert!(HmacHexKeys::new(&[]).is_err());
        assert!(HmacHexKeys::new(&[SecretString::from("")]).is_err());
        assert!(!format!("{keys:?}").contains("new"));
    }

    #[test]
    fn a_salted_hash_proves_its_document() {
        // Galaxy Pay Integration Guide 3.6.1, section 1.6 has the formula; this value was computed with sha256sum.
        let salt = SaltedSha256::new([SecretString::from("GO@2021")]).unwrap();
        let signature = salt.sign(b"document");
        assert_eq!(signature, hex::encode(Sha256::digest(b"documentGO@2021")));
        let amount = Money::from_minor(1, Currency::VND);
        let read = |_: &[u8]| Ok(IpnFacts::new(MerchantRef::parse("a")?, PaymentStatus::Paid, amount));
        assert_eq!(salt.prove(b"document", Some(&signature), read).unwrap().amount, amount);
        assert!(salt.prove(b"documenT", Some(&signature), read).is_err());
        assert!(salt.prove(b"document", None, read).is_err());
        assert!(SaltedSha256::new([]).is_err());
    }

    proptest! {
        #[test]
        fn every_changed_bit_is_refused(byte in 0_usize..64, bit in 0_u8..8) {
            let keys = keys(&["k"]);
            let mut checksum = keys.sign(&["message"]).into_bytes();
            checksum[byte] ^= 1 << bit;
            let changed = String::from_utf8_lossy(&checksum).into_owned();
            prop_assert!(keys.check(&["message"], Some(&changed)).is_err());
        }

        /// Whatever split of a signed message is offered, at most one is proven.
        #[test]
        fn one_message_proves_one_thing(cut_a in 1_usize..14, cut_b in 1_usize..14) {
            let message = "abcd12340001500.00";
            let (a, b) = (cut_a.min(cut_b), cut_a.max(cut_b));
            prop_assume!(a != b && b < message.len());
            let fields = fields(&message[..a], &message[a..b], &message[b..], None);
            let signed = matches!(prove(&fields), Proof::Signed(_));
            prop_assert_eq!(signed, (a, b) == (8, 11));
        }
    }
}
