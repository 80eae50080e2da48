//! The header `X-Golomt-Signature`: SHA-256 of the body as hexadecimal text, encrypted under SocialPay's public key.
//!
//! It is no signature: whoever has the public key can make one. It says that the body came as it was sent.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs8::EncodePublicKey;
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, Pkcs1v15Encrypt, RsaPrivateKey};
use sha2::{Digest, Sha256};

/// THROW-AWAY KEY, made for this sandbox, published on purpose, worthless everywhere: the two primes of 1024 bits of
/// RSA, which is the size of the key in the bank's page.
const PRIMES: [&[u8]; 2] = [
    b"f63c02183d6443b59e9ded8ec31f60e16b4a3788cf40031a7c1a7d5be7d83394\
      deb1868769718ce5fe6c0e9b8be47d384ae13be579c22774e6319c3b152b6231",
    b"da8f8fcce5e3bcfa9ad893e2169d885ce6d016403f5e920bdfdec601b7a0e83f\
      263814a744d1570bb1f1e0933009f57335717c55e4509eaafdd769b42e8b271b",
];

static KEY: LazyLock<RsaPrivateKey> = LazyLock::new(|| {
    let [p, q] = PRIMES.map(|digits| BigUint::parse_bytes(digits, 16).expect("the digits are hexadecimal"));
    RsaPrivateKey::from_p_q(p, q, BigUint::from(65537u32)).expect("the primes make a key")
});

/// The public key as the bank hands it out: base64 of its X.509 form.
pub(super) fn public_key() -> String {
    let der = KEY.to_public_key().to_public_key_der().expect("a public key has an X.509 form");
    STANDARD.encode(der.as_bytes())
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Checks the header against the body as it came.
///
/// # Errors
///
/// Says in words what is wrong with it.
pub(super) fn check(header: &str, body: &[u8]) -> Result<(), String> {
    let expected = digest(body);
    let how = "X-Golomt-Signature is base64 of the RSA encryption (PKCS#1 v1.5, under the public key) of the SHA-256 of the body, as 64 lower-case hexadecimal characters";
    let encrypted = match STANDARD.decode(header) {
        Ok(bytes) => bytes,
        Err(error) => return Err(format!("the signature is not base64: {error}. {how}")),
    };
    // Hexadecimal is base64 too, of something longer.
    if hex::decode(header).is_ok_and(|bytes| !bytes.is_empty()) && encrypted.len() != KEY.size() {
        return Err(format!("the signature is hexadecimal; it must be base64. {how}"));
    }
    if encrypted.len() != KEY.size() {
        return Err(format!(
            "the signature has {} bytes, but this key makes {}; was it made with another key? {how}",
            encrypted.len(),
            KEY.size()
        ));
    }
    let Ok(plain) = KEY.decrypt(Pkcs1v15Encrypt, &encrypted) else {
        return Err(format!(
            "the signature cannot be decrypted: it was made with another key, with another padding (OAEP?), or signed with a private key. {how}"
        ));
    };
    if plain == expected.as_bytes() {
        return Ok(());
    }
    Err(format!(
        "the signature does not fit the body: the SHA-256 of the {} bytes that came is {expected}, the signature holds {}. {}",
        body.len(),
        shown(&plain),
        guess(&plain, body).map_or_else(
            || "Hash exactly the bytes that are sent; spaces and the order of the members count".to_owned(),
            |guess| format!("It looks as if {guess}"),
        )
    ))
}

/// Only what looks like a digest is shown: anything else could be a token in the clear.
fn shown(plain: &[u8]) -> String {
    let text = String::from_utf8_lossy(plain);
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return text.into_owned();
    }
    format!("{} bytes that are no hexadecimal digest", plain.len())
}

/// What the sender did instead, where it can be told.
fn guess(plain: &[u8], body: &[u8]) -> Option<String> {
    if plain == body {
        return Some("the body itself was encrypted, without hashing it first".to_owned());
    }
    if plain == Sha256::digest(body).as_slice() {
        return Some("the digest was encrypted as 32 bytes; it must be its hexadecimal text".to_owned());
    }
    let text = String::from_utf8_lossy(plain);
    if text == digest(body).to_uppercase() {
        return Some("the digest was written in upper case; it must be lower case".to_owned());
    }
    if text == STANDARD.encode(Sha256::digest(body)) {
        return Some("the digest was written as base64; it must be hexadecimal".to_owned());
    }
    other_bytes(body)
        .into_iter()
        .find(|(bytes, _)| text.eq_ignore_ascii_case(&digest(bytes)))
        .map(|(_, what)| format!("{what} was hashed, and not the bytes that were sent"))
}

/// Bytes that people hash instead of the body.
fn other_bytes(body: &[u8]) -> Vec<(Vec<u8>, &'static str)> {
    let mut out = vec![
        ([body, b"\n"].concat(), "the body with a line break at its end"),
        (body.trim_ascii().to_vec(), "the body without the blanks around it"),
        (STANDARD.encode(body).into_bytes(), "the body's base64"),
        (Vec::new(), "nothing"),
    ];
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) {
        let compact = value.to_string();
        out.push((compact.clone().into_bytes(), "the same JSON without spaces or in another order"));
        let pretty = serde_json::to_string_pretty(&value).unwrap_or_default();
        out.push((pretty.into_bytes(), "the same JSON over several lines"));
        if let Some(token) = value["token"].as_str() {
            out.push((token.as_bytes().to_vec(), "the token alone"));
            let spaced = format!("{{\"token\": {}}}", value["token"]);
            out.push((spaced.into_bytes(), "the same JSON with a space behind the colon"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rsa::RsaPublicKey;
    use rsa::pkcs8::DecodePublicKey;

    use super::*;

    /// PKCS#1 v1.5 padding by hand, so that the tests need no randomness and share nothing with the check.
    fn encrypt(plain: &[u8]) -> String {
        let der = STANDARD.decode(public_key()).unwrap();
        let key = RsaPublicKey::from_public_key_der(&der).unwrap();
        let mut block = vec![0, 2];
        block.resize(key.size() - plain.len() - 1, 0x5a);
        block.push(0);
        block.extend_from_slice(plain);
        let number = BigUint::from_bytes_be(&block).modpow(key.e(), key.n());
        let mut bytes = number.to_bytes_be();
        while bytes.len() < key.size() {
            bytes.insert(0, 0);
        }
        STANDARD.encode(bytes)
    }

    const BODY: &[u8] = br#"{"token":"1234567890"}"#;

    #[test]
    fn the_recorded_hash_is_what_passes() {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/golomt-instore.json")).unwrap();
        let vectors = file["vectors"].as_array().unwrap();
        let vector = vectors.iter().find(|vector| vector["name"] == "miniapp-signature-hash-step").unwrap();
        let expected = vector["expected"].as_str().unwrap();
        let body = vector["message"].as_str().unwrap().as_bytes();
        assert_eq!(digest(body), expected);
        assert_eq!(check(&encrypt(expected.as_bytes()), body), Ok(()));
        let why = check(&encrypt(expected.as_bytes()), br#"{"token":"1234567891"}"#).unwrap_err();
        assert!(why.contains(expected), "{why}");
    }

    #[test]
    fn mistakes_are_named() {
        let sha = Sha256::digest(BODY);
        for (plain, words) in [
            (BODY.to_vec(), "without hashing it first"),
            (sha.to_vec(), "32 bytes"),
            (hex::encode_upper(sha).into_bytes(), "upper case"),
            (STANDARD.encode(sha).into_bytes(), "written as base64"),
            (digest(br#"{"token": "1234567890"}"#).into_bytes(), "space behind the colon"),
            (digest(b"1234567890").into_bytes(), "the token alone"),
            (digest(b"{\"token\":\"1234567890\"}\n").into_bytes(), "line break"),
            (digest(b"something").into_bytes(), "exactly the bytes"),
        ] {
            let why = check(&encrypt(&plain), BODY).unwrap_err();
            assert!(why.contains(words), "{words}: {why}");
            assert!(!why.contains("1234567890\""), "{why}");
        }
        for (header, words) in [
            ("%%%".to_owned(), "not base64"),
            ("YWJj".to_owned(), "has 3 bytes"),
            (hex::encode([7; 128]), "hexadecimal"),
            (STANDARD.encode([7; 128]), "cannot be decrypted"),
            (String::new(), "has 0 bytes"),
        ] {
            let why = check(&header, BODY).unwrap_err();
            assert!(why.contains(words) && why.contains("PKCS#1 v1.5"), "{words}: {why}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_header_is_taken_or_refused(header in "[A-Za-z0-9+/=]{0,180}", body in any::<Vec<u8>>()) {
            prop_assert!(check(&header, &body).is_err());
        }
    }
}
