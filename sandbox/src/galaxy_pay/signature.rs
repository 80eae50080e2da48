//! Signatures, and why one was wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::log::redact_text;

/// The gateway's signature: SHA-256 over the text with the merchant's salt behind it, as 64 lower-case hexadecimal
/// characters (guide v3.6.1, 1.6). The text is a request's body, byte for byte, or a callback's base64 text.
pub fn signature(salt: &str, text: &[u8]) -> String {
    let mut digest = Sha256::new();
    digest.update(text);
    digest.update(salt.as_bytes());
    hex::encode(digest.finalize())
}

/// How many characters of a body's start and end an explanation shows.
const SHOWN: usize = 48;
/// Bodies up to this length are redacted as a whole, so that their end may be shown too.
const WHOLE: usize = 8 * 1024;

/// Says why `given` is not the signature of this body: what was hashed, what was expected and, where it can be told,
/// what the sender did instead. Neither salt nor card data is ever shown.
pub(super) fn explain(body: &[u8], salt: &str, api_key: &str, given: &str, sealed: &[String]) -> String {
    let text = format!(
        "signature does not match: hashed the body's {} bytes as they came ({}) with the salt behind them, SHA-256; expected {}, received {:?}",
        body.len(),
        ends(body, sealed),
        signature(salt, body),
        given.chars().take(100).collect::<String>(),
    );
    let well_formed = given.len() == 64 && given.bytes().all(|byte| byte.is_ascii_hexdigit());
    let hint = match guess(body, salt, api_key, given) {
        Some(guess) => format!("It looks as if {guess}"),
        None if !well_formed => "A signature is 64 hexadecimal characters; this is not".to_owned(),
        None => "No known mistake gives what was received; compare the hashed bytes and the salt with yours"
            .to_owned(),
    };
    format!("{text}. {hint}")
}

fn ends(body: &[u8], sealed: &[String]) -> String {
    let shown: Vec<char> = redact_text(body, sealed, None).chars().collect();
    let head: String = shown.iter().take(SHOWN).collect();
    if body.len() > WHOLE {
        return format!("they begin {head:?}");
    }
    if shown.len() <= 2 * SHOWN {
        return format!("{:?}", shown.iter().collect::<String>());
    }
    let tail: String = shown[shown.len() - SHOWN..].iter().collect();
    format!("they begin {head:?} and end {tail:?}; card data and tokens are not shown here")
}

/// Tries the mistakes that people make, the simplest explanation first.
fn guess(body: &[u8], salt: &str, api_key: &str, given: &str) -> Option<String> {
    if given == signature(salt, body).to_uppercase() {
        return Some("it was written in upper case; it must be lower case".to_owned());
    }
    for (message, message_mistake) in messages(body) {
        for (salt, salt_mistake) in salts(salt, api_key) {
            for (digest, digest_mistake) in digests(&message, &salt) {
                if digest.eq_ignore_ascii_case(given) {
                    let mistakes: Vec<&str> =
                        [message_mistake, salt_mistake, digest_mistake].into_iter().flatten().collect();
                    return (!mistakes.is_empty()).then(|| mistakes.join(", and "));
                }
            }
        }
    }
    None
}

type Mistake = Option<&'static str>;

/// Other bytes that the sender may have hashed, each with the mistake that leads to it.
fn messages(body: &[u8]) -> Vec<(Vec<u8>, Mistake)> {
    let mut out = vec![(body.to_vec(), None)];
    let Ok(text) = std::str::from_utf8(body) else { return out };
    let mut add = |message: String, mistake| out.push((message.into_bytes(), Some(mistake)));
    add(compact(text), "the document was hashed without its blanks and line breaks but sent with them");
    add(escaped(text), "\\uXXXX escapes were hashed but raw UTF-8 was sent");
    add(unescaped(text), "raw UTF-8 was hashed but \\uXXXX escapes were sent");
    add(text.trim().to_owned(), "blanks or line breaks around the document were sent but not hashed");
    add(format!("{text}\n"), "a line break behind the document was hashed but not sent");
    add(text.replace("\r\n", "\n"), "line ends were changed on the way");
    add(STANDARD.encode(body), "the body's base64 text was hashed; only callbacks are signed so");
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
        add(value.to_string(), "the members were hashed in alphabetical order; hash the body that is sent");
        if let Ok(pretty) = serde_json::to_string_pretty(&value) {
            add(pretty, "an indented document with its members in alphabetical order was hashed");
        }
        let data = &value["requestData"];
        if data.is_object() {
            add(data.to_string(), "only requestData was hashed; hash the whole body");
        }
    }
    if let Some(data) = request_data(text) {
        add(data.to_owned(), "only requestData was hashed; hash the whole body");
    }
    out
}

fn request_data(text: &str) -> Option<&str> {
    #[derive(serde::Deserialize)]
    struct Envelope<'a> {
        #[serde(rename = "requestData", borrow)]
        data: &'a serde_json::value::RawValue,
    }
    serde_json::from_str::<Envelope<'_>>(text).ok().map(|envelope| envelope.data.get())
}

fn salts(salt: &str, api_key: &str) -> Vec<(Vec<u8>, Mistake)> {
    vec![
        (salt.as_bytes().to_vec(), None),
        (Vec::new(), Some("the salt was left out")),
        (api_key.as_bytes().to_vec(), Some("the API key was used in place of the salt")),
        (format!("{salt}\n").into_bytes(), Some("the salt had a line break at its end")),
        (format!(" {salt}").into_bytes(), Some("there was a blank before the salt")),
        (format!("{salt} ").into_bytes(), Some("the salt had a blank at its end")),
        (format!("\"{salt}\"").into_bytes(), Some("the salt was taken with its quotation marks")),
        (salt.to_lowercase().into_bytes(), Some("the salt was written in lower case")),
        (salt.to_uppercase().into_bytes(), Some("the salt was written in upper case")),
    ]
}

fn digests(message: &[u8], salt: &[u8]) -> Vec<(String, Mistake)> {
    let plain = Sha256::digest([message, salt].concat());
    let mut mac = Hmac::<Sha256>::new_from_slice(salt).expect("HMAC takes a key of any length");
    mac.update(message);
    vec![
        (hex::encode(plain), None),
        (STANDARD.encode(plain), Some("it was written as base64; it must be hexadecimal")),
        (
            hex::encode(Sha256::digest([salt, message].concat())),
            Some("the salt was put in front; it belongs behind"),
        ),
        (
            hex::encode(mac.finalize().into_bytes()),
            Some("it is an HMAC with the salt as the key, not a hash"),
        ),
    ]
}

/// A JSON text without the white space between its parts.
fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut inside, mut escape) = (false, false);
    for character in text.chars() {
        if inside {
            match character {
                '"' if !escape => inside = false,
                '\\' => escape = !escape,
                _ => escape = false,
            }
            if character != '\\' {
                escape = false;
            }
        } else if character == '"' {
            inside = true;
        } else if matches!(character, ' ' | '\t' | '\n' | '\r') {
            continue;
        }
        out.push(character);
    }
    out
}

/// A JSON text with `\uXXXX` in place of all that is not ASCII.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str("\\u");
                out.push_str(&hex::encode(unit.to_be_bytes()));
            }
        }
    }
    out
}

/// A JSON text with raw characters in place of `\uXXXX`, as far as they need no escape.
fn unescaped(text: &str) -> String {
    let mut units: Vec<u16> = Vec::new();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let flush = |units: &mut Vec<u16>, out: &mut String| {
        out.push_str(&String::from_utf16_lossy(units));
        units.clear();
    };
    while let Some(character) = rest.chars().next() {
        let unit = rest
            .strip_prefix("\\u")
            .and_then(|digits| digits.get(..4))
            .and_then(|digits| u16::from_str_radix(digits, 16).ok())
            .filter(|unit| *unit > 0x7f);
        if let Some(unit) = unit {
            units.push(unit);
            rest = &rest[6..];
        } else {
            flush(&mut units, &mut out);
            out.push(character);
            rest = &rest[character.len_utf8()..];
        }
    }
    flush(&mut units, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SALT: &str = "GO@2021";
    const BODY: &str = r#"{"requestID":"1","requestDateTime":20250101070000,"requestData":{"orderDescription":"Thanh toán đơn","cardNumber":"4012000033330026","cardVerificationValue":"100"}}"#;

    fn explained(given: &str) -> String {
        let sealed = ["cardNumber".to_owned(), "cardVerificationValue".to_owned()];
        explain(BODY.as_bytes(), SALT, "the-api-key", given, &sealed)
    }

    #[test]
    fn says_what_was_hashed_and_expected_and_never_the_salt_or_a_card() {
        let text = explained("nonsense");
        assert!(text.contains(&format!("the body's {} bytes", BODY.len())), "{text}");
        assert!(text.contains(r#"begin "{\"requestID\":\"1\""#), "{text}");
        assert!(text.contains(&signature(SALT, BODY.as_bytes())), "{text}");
        assert!(text.contains("64 hexadecimal characters; this is not"), "{text}");
        assert!(explained(&"0".repeat(64)).contains("No known mistake"));
        for secret in [SALT, "4012000033330026", "0026", r#":"100""#, r#":\"100\""#] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        let long = format!("{BODY}{}4012000033330026", " ".repeat(WHOLE));
        assert!(!explain(long.as_bytes(), SALT, "k", "x", &[]).contains("0026"));
    }

    #[test]
    fn guesses_the_mistakes_that_people_make() {
        let indented = BODY.replace("{\"", "{\n  \"");
        let cases = [
            (BODY, signature(SALT, BODY.as_bytes()).to_uppercase(), "upper case"),
            (BODY, signature("", BODY.as_bytes()), "the salt was left out"),
            (BODY, signature("the-api-key", BODY.as_bytes()), "API key was used"),
            (BODY, signature("GO@2021\n", BODY.as_bytes()), "line break at its end"),
            (BODY, hex::encode(Sha256::digest(format!("{SALT}{BODY}"))), "put in front"),
            (BODY, STANDARD.encode(Sha256::digest(format!("{BODY}{SALT}"))), "written as base64"),
            (BODY, signature(SALT, STANDARD.encode(BODY).as_bytes()), "only callbacks"),
            (BODY, signature(SALT, escaped(BODY).as_bytes()), "escapes were hashed but raw"),
            (&escaped(BODY), signature(SALT, BODY.as_bytes()), "raw UTF-8 was hashed"),
            (&indented, signature(SALT, BODY.as_bytes()), "without its blanks"),
            (
                BODY,
                signature(
                    SALT,
                    serde_json::from_str::<serde_json::Value>(BODY).unwrap().to_string().as_bytes(),
                ),
                "alphabetical order",
            ),
            (BODY, signature(SALT, request_data(BODY).unwrap().as_bytes()), "only requestData"),
        ];
        for (body, given, words) in cases {
            let text = explain(body.as_bytes(), SALT, "the-api-key", &given, &[]);
            assert!(text.contains("It looks as if") && text.contains(words), "{words}: {text}");
        }
    }

    proptest! {
        #[test]
        fn any_body_and_signature_are_explained(body in proptest::collection::vec(any::<u8>(), 0..200), given in "\\PC{0,80}") {
            prop_assert!(!explain(&body, "s4lt-of-the-merchant", "k", &given, &[]).contains("s4lt-of-the"));
        }

        #[test]
        fn escapes_come_back(text in "\\PC{0,60}") {
            prop_assume!(!text.contains("\\u"));
            prop_assert_eq!(unescaped(&escaped(&text)), text);
        }
    }
}
