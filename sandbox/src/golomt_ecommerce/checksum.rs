//! Checksums, and why one was wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::request::amount_in_form;

/// The bank's checksum: HMAC-SHA256 under the merchant's secret over the values joined with nothing between them,
/// as 64 lower-case hexadecimal characters.
pub fn checksum(secret: &str, values: &[&str]) -> String {
    hex::encode(hmac(secret.as_bytes(), values.concat().as_bytes()))
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// The fields that a checksum covers, with their characters, in the order in which they are joined.
pub(crate) struct Covered<'a> {
    pub(crate) fields: Vec<(&'static str, &'a str)>,
}

impl Covered<'_> {
    fn values(&self) -> Vec<&str> {
        self.fields.iter().map(|(_, value)| *value).collect()
    }

    pub(crate) fn checksum(&self, secret: &str) -> String {
        checksum(secret, &self.values())
    }

    fn order(&self) -> String {
        self.fields.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" + ")
    }
}

/// Says why `given` is not the checksum of these fields: what was hashed, what was expected and, where it can be
/// told, what the sender did instead. The key is never shown; card tokens are shortened.
pub(crate) fn explain(
    covered: &Covered<'_>,
    secret: &str,
    bearer: Option<&str>,
    given: &str,
    others: &[(&str, &str)],
) -> String {
    let shown: Vec<String> = covered
        .fields
        .iter()
        .map(|(name, value)| if *name == "token" { shorten(value) } else { (*value).to_owned() })
        .collect();
    let text = format!(
        "checksum does not match: hashed {:?} ({}, joined without separators), HMAC-SHA256 under the merchant secret; expected {}, received {:?}",
        shown.concat(),
        covered.order(),
        covered.checksum(secret),
        given,
    );
    let well_formed = given.len() == 64 && given.bytes().all(|byte| byte.is_ascii_hexdigit());
    let hint = match guess(covered, secret, bearer, given, others) {
        Some(guess) => format!("It looks as if {guess}"),
        None if !well_formed => "A checksum is 64 hexadecimal characters; this is not".to_owned(),
        None => {
            "No known mistake gives what was received; compare the hashed characters and the secret with yours".to_owned()
        }
    };
    format!("{text}. {hint}")
}

fn shorten(value: &str) -> String {
    let characters: Vec<char> = value.chars().collect();
    if characters.len() <= 12 {
        return value.to_owned();
    }
    let head: String = characters[..4].iter().collect();
    let tail: String = characters[characters.len() - 4..].iter().collect();
    format!("{head}…[{} characters]…{tail}", characters.len())
}

/// Tries the mistakes that people make, the simplest explanation first.
fn guess(
    covered: &Covered<'_>,
    secret: &str,
    bearer: Option<&str>,
    given: &str,
    others: &[(&str, &str)],
) -> Option<String> {
    if given == covered.checksum(secret).to_uppercase() {
        return Some("it was written in upper case; it must be lower case".to_owned());
    }
    let messages = messages(covered, others);
    for (key, key_mistake) in keys(secret, bearer) {
        for (message, message_mistake) in &messages {
            for (digest, digest_mistake) in digests(&key, message.as_bytes()) {
                if !digest.eq_ignore_ascii_case(given) {
                    continue;
                }
                let mistakes: Vec<&str> =
                    [key_mistake, message_mistake.as_deref(), digest_mistake].into_iter().flatten().collect();
                return Some(mistakes.join(", and "));
            }
        }
    }
    None
}

fn keys(secret: &str, bearer: Option<&str>) -> Vec<(Vec<u8>, Option<&'static str>)> {
    let mut keys = vec![
        (secret.as_bytes().to_vec(), None),
        (Vec::new(), Some("the key was empty")),
        (format!("{secret}\n").into_bytes(), Some("the secret had a line break at its end")),
        (format!(" {secret}").into_bytes(), Some("the secret had a blank in front")),
        (format!("{secret} ").into_bytes(), Some("the secret had a blank at its end")),
        (format!("\"{secret}\"").into_bytes(), Some("the secret was taken with its quotation marks")),
    ];
    if let Some(bearer) = bearer {
        let why = "the merchant token was used as the key instead of the secret";
        keys.push((bearer.as_bytes().to_vec(), Some(why)));
    }
    if let Ok(bytes) = hex::decode(secret) {
        keys.push((bytes, Some("the secret was decoded as hexadecimal; use its characters as they are")));
    }
    if let Ok(bytes) = STANDARD.decode(secret) {
        keys.push((bytes, Some("the secret was decoded as base64; use its characters as they are")));
    }
    keys
}

fn digests(key: &[u8], message: &[u8]) -> Vec<(String, Option<&'static str>)> {
    let mac = hmac(key, message);
    vec![
        (hex::encode(&mac), None),
        (STANDARD.encode(&mac), Some("it was written as base64; it must be hexadecimal")),
        (
            hex::encode(Sha256::digest([message, key].concat())),
            Some("it is a plain SHA-256 with the key at the end, not an HMAC"),
        ),
        (
            hex::encode(Sha256::digest([key, message].concat())),
            Some("it is a plain SHA-256 with the key in front, not an HMAC"),
        ),
        (hex::encode(Sha256::digest(message)), Some("it is a plain SHA-256 without a key, not an HMAC")),
    ]
}

/// Other messages that the sender may have hashed, each with the mistake that leads to it.
fn messages(covered: &Covered<'_>, others: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
    let plain: Vec<(&str, &str)> = covered.fields.clone();
    let joined = |fields: &[(&str, &str)], separator: &str| {
        fields.iter().map(|(_, value)| *value).collect::<Vec<_>>().join(separator)
    };
    let names =
        |fields: &[(&str, &str)]| fields.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" + ");
    let mut out = vec![(joined(&plain, ""), None)];

    let orders = permutations(&plain);
    let amounts = amount_forms(&plain);
    for (form, text) in &amounts {
        let fields = with_amount(&plain, text);
        out.push((
            joined(&fields, ""),
            Some(format!("the amount was hashed as {text:?} ({form}) but sent otherwise")),
        ));
    }
    for separator in ["|", "&", ",", ";", ":", "-", " ", "\n"] {
        out.push((joined(&plain, separator), Some(format!("the values were joined with {separator:?}"))));
    }
    for fields in &orders {
        out.push((joined(fields, ""), Some(format!("the order was {}", names(fields)))));
        for (form, text) in &amounts {
            out.push((
                joined(&with_amount(fields, text), ""),
                Some(format!(
                    "the order was {} and the amount was hashed as {text:?} ({form})",
                    names(fields)
                )),
            ));
        }
    }
    for left_out in 0..plain.len() {
        let mut fields = plain.clone();
        let (name, _) = fields.remove(left_out);
        out.push((
            joined(&fields, ""),
            Some(format!("{name} was left out: the fields were {}", names(&fields))),
        ));
    }
    for (name, value) in others.iter().filter(|(name, _)| *name != "checksum") {
        for at in 0..=plain.len() {
            let mut fields = plain.clone();
            fields.insert(at, (name, value));
            out.push((
                joined(&fields, ""),
                Some(format!("{name} was hashed too: the fields were {}", names(&fields))),
            ));
        }
    }
    out
}

fn amount_forms(fields: &[(&str, &str)]) -> Vec<(&'static str, String)> {
    let Some((_, amount)) = fields.iter().find(|(name, _)| *name == "amount") else { return Vec::new() };
    let bare: String = amount.chars().filter(|character| *character != ',').collect();
    if super::request::check_amount(&bare).is_err() {
        return Vec::new();
    }
    let two = amount_in_form(&bare, "two-decimals");
    let short = amount_in_form(&bare, "shortest");
    let one = if short.contains('.') { short.clone() } else { format!("{short}.0") };
    let (whole, decimals) = two.split_once('.').unwrap_or((&two, ""));
    let grouped = thousands(whole);
    let forms = [
        ("two decimals", two.clone()),
        ("shortest", short.clone()),
        ("one decimal", one),
        ("with thousands separators", format!("{grouped}.{decimals}")),
        ("with thousands separators", grouped),
        ("in hundredths", format!("{whole}{decimals}")),
    ];
    let mut forms = forms.to_vec();
    forms.extend(exponent(&short).map(|text| ("with an exponent, as Go prints a float", text)));
    forms.into_iter().filter(|(_, text)| text != amount).collect()
}

/// A float as Go's default format writes it from a million on, such as `1e+06`; `shortest` has no needless zeros.
pub(crate) fn exponent(shortest: &str) -> Option<String> {
    let (whole, decimals) = shortest.split_once('.').unwrap_or((shortest, ""));
    let whole = whole.trim_start_matches('0');
    if whole.len() < 7 {
        return None;
    }
    let (first, rest) = whole.split_at(1);
    let rest = format!("{rest}{decimals}");
    let rest = rest.trim_end_matches('0');
    let point = if rest.is_empty() { "" } else { "." };
    Some(format!("{first}{point}{rest}e+{:02}", whole.len() - 1))
}

fn thousands(whole: &str) -> String {
    let mut out = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn with_amount<'a>(fields: &[(&'a str, &'a str)], amount: &'a str) -> Vec<(&'a str, &'a str)> {
    fields
        .iter()
        .map(|(name, value)| if *name == "amount" { (*name, amount) } else { (*name, *value) })
        .collect()
}

fn permutations<'a>(fields: &[(&'a str, &'a str)]) -> Vec<Vec<(&'a str, &'a str)>> {
    if fields.len() <= 1 {
        return vec![fields.to_vec()];
    }
    let mut out = Vec::new();
    for at in 0..fields.len() {
        let mut rest = fields.to_vec();
        let first = rest.remove(at);
        for mut tail in permutations(&rest) {
            tail.insert(0, first);
            out.push(tail);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "test-secret-key";

    fn invoice() -> Covered<'static> {
        Covered {
            fields: vec![
                ("transactionId", "ORDER-1"),
                ("amount", "1500.00"),
                ("returnType", "GET"),
                ("callback", "https://shop.example/back"),
            ],
        }
    }

    fn explained(given: &str) -> String {
        let others = [("genToken", "N"), ("checksum", given), ("lang", "MN")];
        explain(&invoice(), SECRET, Some("the-token"), given, &others)
    }

    #[test]
    fn says_what_was_hashed_and_expected_and_never_the_key() {
        let text = explained("nonsense");
        assert!(text.contains("\"ORDER-11500.00GEThttps://shop.example/back\""), "{text}");
        assert!(text.contains("transactionId + amount + returnType + callback"), "{text}");
        assert!(text.contains(&invoice().checksum(SECRET)), "{text}");
        assert!(text.contains("64 hexadecimal characters; this is not"), "{text}");
        assert!(!text.contains(SECRET), "{text}");
        assert!(explained(&"0".repeat(64)).contains("No known mistake"));
    }

    #[test]
    fn guesses_the_mistakes_that_people_make() {
        let callback = "https://shop.example/back";
        let cases = [
            (invoice().checksum(SECRET).to_uppercase(), "upper case"),
            (
                checksum("the-token", &["ORDER-1", "1500.00", "GET", callback]),
                "merchant token was used as the key",
            ),
            (
                checksum(SECRET, &["1500.00", "ORDER-1", "GET", callback]),
                "order was amount + transactionId + returnType",
            ),
            (checksum(SECRET, &["ORDER-1", "1500", "GET", callback]), "hashed as \"1500\" (shortest)"),
            (checksum(SECRET, &["ORDER-1", "1,500.00", "GET", callback]), "with thousands separators"),
            (
                checksum(SECRET, &["1500", "ORDER-1", "GET", callback]),
                "and the amount was hashed as \"1500\"",
            ),
            (checksum(SECRET, &["ORDER-1", "GET", callback]), "amount was left out"),
            (checksum(SECRET, &["ORDER-1", "1500.00", "GET", callback, "N"]), "genToken was hashed too"),
            (checksum(SECRET, &["ORDER-1|1500.00|GET|", callback]), "joined with \"|\""),
            (checksum("test-secret-key\n", &["ORDER-1", "1500.00", "GET", callback]), "line break"),
            (
                hex::encode(Sha256::digest(format!("ORDER-11500.00GET{callback}"))),
                "plain SHA-256 without a key",
            ),
            (
                STANDARD.encode(hmac(SECRET.as_bytes(), format!("ORDER-11500.00GET{callback}").as_bytes())),
                "written as base64",
            ),
        ];
        for (given, words) in cases {
            let text = explained(&given);
            assert!(text.contains("It looks as if"), "{text}");
            assert!(text.contains(words), "{words}: {text}");
        }
    }

    #[test]
    fn a_token_is_shortened() {
        let token = "2d1f5b0c9a7e4d3f8b6a1c0e2f4d6b8a0c1e3f5a7b9d1c3e5f7a9b0d2c4e6f80";
        let covered = Covered { fields: vec![("amount", "5"), ("transactionId", "A"), ("token", token)] };
        let text = explain(&covered, SECRET, Some("t"), "x", &[]);
        assert!(!text.contains(token) && text.contains("5A2d1f…[64 characters]…6f80"), "{text}");
    }
}
