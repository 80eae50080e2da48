//! Signs and checks messages under secrets, as hexadecimal text: HMAC and salted hashes.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::error::{Error, ErrorKind, Result};

/// How a signature is computed from a message and a secret. Its text is hexadecimal and lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// HMAC-SHA256: 64 characters.
    HmacSha256,
    /// HMAC-SHA512: 128 characters.
    HmacSha512,
    /// SHA-256 of the message with the secret behind it: 64 characters.
    ///
    /// An attacker who has one message and its signature can try secrets offline. A short secret is found in this way.
    SaltedSha256,
}

impl Scheme {
    /// The number of characters of a signature.
    const fn characters(self) -> usize {
        match self {
            Self::HmacSha256 | Self::SaltedSha256 => 64,
            Self::HmacSha512 => 128,
        }
    }
}

/// Secrets that sign and check messages.
///
/// The first signs; any of them checks, so that a secret can be changed without losing a message. These keys say
/// whether a signature is right. Only the keys of an account ([`AccountKeys`](crate::AccountKeys)) prove facts. `Debug`
/// shows how many there are.
#[derive(Clone)]
pub struct SigningKeys {
    scheme: Scheme,
    either_case: bool,
    field: &'static str,
    prepared: Vec<Key>,
}

#[derive(Clone)]
enum Key {
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
    Salt(SecretString),
}

/// A signature's characters, without an allocation.
struct Signature {
    characters: [u8; 128],
    length: usize,
}

impl Signature {
    fn of(hash: &[u8]) -> Self {
        let mut characters = [0; 128];
        let length = hash.len() * 2;
        hex::encode_to_slice(hash, &mut characters[..length]).expect("a byte is two characters");
        Self { characters, length }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.characters[..self.length]
    }
}

impl Key {
    fn new(scheme: Scheme, secret: &SecretString) -> Self {
        let bytes = secret.expose_secret().as_bytes();
        let every_length = "HMAC takes keys of every length";
        match scheme {
            Scheme::HmacSha256 => Self::Sha256(Hmac::new_from_slice(bytes).expect(every_length)),
            Scheme::HmacSha512 => Self::Sha512(Hmac::new_from_slice(bytes).expect(every_length)),
            Scheme::SaltedSha256 => Self::Salt(secret.clone()),
        }
    }

    fn sign<P: AsRef<[u8]>>(&self, parts: &[P]) -> Signature {
        fn hmac<M: Mac + Clone, P: AsRef<[u8]>>(key: &M, parts: &[P]) -> Signature {
            let mut mac = key.clone();
            for part in parts {
                mac.update(part.as_ref());
            }
            Signature::of(&mac.finalize().into_bytes())
        }
        match self {
            Self::Sha256(key) => hmac(key, parts),
            Self::Sha512(key) => hmac(key, parts),
            Self::Salt(salt) => {
                let mut hash = Sha256::new();
                for part in parts {
                    hash.update(part);
                }
                hash.update(salt.expose_secret());
                Signature::of(&hash.finalize())
            }
        }
    }
}

impl SigningKeys {
    /// Prepares the keys: the characters of each secret as UTF-8.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when there is none, or one is empty: there is no key that passes by default.
    pub fn new<'a>(scheme: Scheme, secrets: impl IntoIterator<Item = &'a SecretString>) -> Result<Self> {
        let wrong = |why: &str| Error::new(ErrorKind::Configuration, why).with_field("secret");
        let mut prepared = Vec::new();
        for secret in secrets {
            if secret.expose_secret().is_empty() {
                return Err(wrong("it is empty"));
            }
            prepared.push(Key::new(scheme, secret));
        }
        if prepared.is_empty() {
            return Err(wrong("there is none"));
        }
        Ok(Self { scheme, either_case: false, field: "signature", prepared })
    }

    /// Takes signatures in upper case too.
    #[must_use]
    pub fn in_either_case(mut self) -> Self {
        self.either_case = true;
        self
    }

    /// Names the field that carries the signature on the wire, for errors. It is `signature` if not set.
    #[must_use]
    pub fn in_field(mut self, name: &'static str) -> Self {
        self.field = name;
        self
    }

    /// The signature of these parts, one after the other.
    pub fn sign<P: AsRef<[u8]>>(&self, parts: &[P]) -> String {
        self.prepared[0].sign(parts).as_bytes().iter().copied().map(char::from).collect()
    }

    /// Checks a signature of these parts, one after the other, in constant time.
    ///
    /// # Errors
    /// [`ErrorKind::Untrusted`], saying whether it is missing, has another shape, or does not match.
    pub fn check<P: AsRef<[u8]>>(&self, parts: &[P], received: Option<&str>) -> Result<()> {
        let untrusted = |why: String| Error::new(ErrorKind::Untrusted, why).with_field(self.field);
        let received =
            received.filter(|text| !text.is_empty()).ok_or_else(|| untrusted("it is missing".into()))?;
        let (characters, either) = (self.scheme.characters(), self.either_case);
        let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f') || (either && matches!(b, b'A'..=b'F'));
        if received.len() != characters || !received.bytes().all(digit) {
            let case = if either { "" } else { "lower-case " };
            return Err(untrusted(format!(
                "it does not have the shape of one: {characters} {case}hexadecimal characters"
            )));
        }
        let mut lower = [0; 128];
        let lower = &mut lower[..characters];
        lower.copy_from_slice(received.as_bytes());
        lower.make_ascii_lowercase();
        let mut matched = subtle::Choice::from(0);
        for key in &self.prepared {
            matched |= key.sign(parts).as_bytes().ct_eq(lower);
        }
        if bool::from(matched) {
            Ok(())
        } else {
            Err(untrusted("it does not match the message under this account's secret".into()))
        }
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys({:?}, {} redacted)", self.scheme, self.prepared.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(scheme: Scheme, secrets: &[&str]) -> SigningKeys {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
        SigningKeys::new(scheme, &secrets).unwrap()
    }

    #[test]
    fn published_signatures_are_reproduced() {
        // mnpay/mn-payment-platforms, packages/golomt/test/helpers/generateChecksum.test.ts
        assert_eq!(
            keys(Scheme::HmacSha256, &["testSecret"]).sign(&[
                "helloworld1",
                "2000",
                "GET",
                "https://uwish.travel"
            ]),
            "6b4f750465b22b536e329870d3119983a132922f7bea9ec9097637c4ab3f0eb8"
        );
        // RFC 4231, test case 2.
        assert_eq!(
            keys(Scheme::HmacSha512, &["Jefe"]).sign(&["what do ya want ", "for nothing?"]),
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
             9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
        );
        // Galaxy Pay Integration Guide 3.6.1, section 1.6 has the formula; the value is of `sha256sum`.
        let salted = keys(Scheme::SaltedSha256, &["GO@2021"]).sign(&["document"]);
        assert_eq!(salted, hex::encode(Sha256::digest(b"documentGO@2021")));
    }

    #[test]
    fn a_signature_is_needed_in_its_exact_shape() {
        for scheme in [Scheme::HmacSha256, Scheme::HmacSha512, Scheme::SaltedSha256] {
            let keys = keys(scheme, &["new", "old"]);
            let good = keys.sign(&["a", "b"]);
            assert_eq!(good.len(), scheme.characters());
            assert!(keys.check(&["ab"], Some(&good)).is_ok());
            assert!(
                keys.check(&["ab"], Some(&self::keys(scheme, &["old"]).sign(&["ab"]))).is_ok(),
                "rotation"
            );
            let upper = good.to_uppercase();
            for bad in [None, Some(""), Some("00"), Some(upper.as_str()), Some(&format!("{good}{good}"))] {
                assert_eq!(keys.check(&["ab"], bad).unwrap_err().kind(), ErrorKind::Untrusted);
            }
            assert!(keys.check(&["ab"], Some(&self::keys(scheme, &["third"]).sign(&["ab"]))).is_err());
            assert!(keys.clone().in_either_case().check(&["ab"], Some(&upper)).is_ok());
            assert!(SigningKeys::new(scheme, &[]).is_err());
            assert!(SigningKeys::new(scheme, &[SecretString::from("")]).is_err());
            assert!(!format!("{keys:?}").contains("new"));
        }
    }

    proptest! {
        #[test]
        fn every_changed_bit_is_refused(byte in 0_usize..64, bit in 0_u8..8) {
            let keys = keys(Scheme::HmacSha256, &["k"]);
            let mut signature = keys.sign(&["message"]).into_bytes();
            signature[byte] ^= 1 << bit;
            let changed = String::from_utf8_lossy(&signature).into_owned();
            prop_assert!(keys.check(&["message"], Some(&changed)).is_err());
        }
    }
}
