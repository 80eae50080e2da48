//! Reading what the gateway sends.
//!
//! Its scalars are texts in every sample and numbers in its field tables, so that each is read from either, as the
//! characters that were received. An error never quotes a value: it may be a card token. A name that stands twice is
//! refused, `null` and empty are as good as absent, unknown names are ignored.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::error::Category;
use serde_json::value::RawValue;
use tulbur_core::{Error, ErrorKind, Result};

/// A JSON string or number, as its characters. `Debug` hides them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Scalar<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        if raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            return Ok(Self(Cow::Borrowed(raw)));
        }
        match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
            Some(text) if !text.contains('\\') => Ok(Self(Cow::Borrowed(text))),
            Some(_) => serde_json::from_str(raw)
                .map(|text: String| Self(Cow::Owned(text)))
                .map_err(|_| D::Error::custom("not Unicode")),
            None => Err(D::Error::custom("neither text nor number")),
        }
    }
}

impl fmt::Debug for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scalar({} bytes)", self.0.len())
    }
}

impl<'a> From<Scalar<'a>> for Cow<'a, str> {
    fn from(scalar: Scalar<'a>) -> Self {
        scalar.0
    }
}

/// An optional field; an empty text is as good as none.
pub(crate) type Field<'a> = Option<Scalar<'a>>;

/// The characters of a field that is there.
pub(crate) fn filled<'f>(field: &'f Field<'_>) -> Option<&'f str> {
    field.as_ref().map(|scalar| scalar.0.as_ref()).filter(|text| !text.is_empty())
}

/// The characters of a field that must be there.
pub(crate) fn needed<'f>(name: &'static str, field: &'f Field<'_>) -> Result<&'f str> {
    filled(field).ok_or_else(|| Error::new(ErrorKind::Malformed, "it is missing").with_field(name))
}

/// Bytes as text.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes)
        .map_err(|e| Error::new(ErrorKind::Malformed, format!("it is not UTF-8 (byte {})", e.valid_up_to())))
}

/// Reads a JSON object.
pub(crate) fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T> {
    // A list would be read too, by position.
    if json.trim_start().starts_with(['[', '"']) || json == "null" {
        return Err(Error::new(ErrorKind::Malformed, "it is not a JSON object"));
    }
    serde_json::from_str(json).map_err(|error| {
        let message = error.to_string();
        let why = match error.classify() {
            // Names are ours; every other message of this kind may quote a value.
            Category::Data if message.starts_with("duplicate field") => {
                message.split(" at line").next().unwrap_or_default().to_owned()
            }
            Category::Data => format!(
                "a value is of another type than documented (line {}, column {})",
                error.line(),
                error.column()
            ),
            Category::Eof => "the JSON ends too early".into(),
            Category::Syntax | Category::Io => {
                format!("it is not JSON (line {}, column {})", error.line(), error.column())
            }
        };
        Error::new(ErrorKind::Malformed, why)
    })
}

/// The gateway's words, at a length that fits a database and a page, without what may be a card's number or token.
pub(crate) fn words(text: &str) -> String {
    let short: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    let longest_run = short.split(|c: char| !c.is_ascii_alphanumeric()).map(str::len).max().unwrap_or(0);
    if longest_run < 13 {
        return short;
    }
    // A card's number has 13 to 19 digits; a token 36 characters (web documentation, page create-token).
    let suspicious = |run: &str| {
        run.len() > 32 || ((13..=19).contains(&run.len()) && run.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut kept = String::with_capacity(short.len());
    for part in short.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let run = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        kept.push_str(if suspicious(run) { "[hidden]" } else { run });
        kept.push_str(&part[run.len()..]);
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Deserialize)]
    struct Sample<'a> {
        #[serde(borrow)]
        one: Field<'a>,
        #[serde(borrow)]
        two: Field<'a>,
    }

    fn one(json: &str) -> Result<Option<String>> {
        let sample: Sample<'_> = read(json)?;
        drop(sample.two);
        Ok(filled(&sample.one).map(str::to_owned))
    }

    #[test]
    fn numbers_and_quoted_numbers_are_the_same_characters() {
        assert_eq!(one(r#"{"one":"200"}"#).unwrap().as_deref(), Some("200"));
        assert_eq!(one(r#"{"one":200,"three":[{}]}"#).unwrap().as_deref(), Some("200"));
        assert_eq!(one(r#"{"one": 12.50 }"#).unwrap().as_deref(), Some("12.50"));
        assert_eq!(one(r#"{"one":"\u0430\"\n"}"#).unwrap().as_deref(), Some("а\"\n"));
        for none in ["{}", r#"{"one":null}"#, r#"{"one":""}"#] {
            assert_eq!(one(none).unwrap(), None);
        }
    }

    #[test]
    fn what_cannot_be_read_is_never_quoted() {
        let deep = format!("{{\"one\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        for (json, word) in [
            (r#"{"one":"a","one":"planted"}"#, "duplicate field `one`"),
            (r#""planted""#, "not a JSON object"),
            (r#"["planted","planted"]"#, "not a JSON object"),
            ("null", "not a JSON object"),
            ("7", "another type"),
            (r#"{"one":{"planted":1}}"#, "another type"),
            (r#"{"one":true}"#, "another type"),
            (r#"{"one":"planted""#, "ends too early"),
            ("planted", "not JSON"),
            (r#"{"one":"planted\uD800"}"#, "another type"),
            ("", "ends too early"),
            (deep.as_str(), "another type"),
        ] {
            let message = one(json).unwrap_err().to_string();
            assert!(message.contains(word) && !message.contains("planted"), "{json:.40}: {message}");
        }
        assert!(utf8(b"planted\xFF").unwrap_err().to_string().contains("byte 7"));
        let sample: Sample<'_> = read(r#"{"one":"planted"}"#).unwrap();
        assert!(!format!("{:?}", sample.one).contains("planted"));
    }

    #[test]
    fn words_lose_what_may_be_a_card() {
        for (text, shown) in [
            ("Giao dịch thành công.", "Giao dịch thành công."),
            ("card 4012000033330026, code 505", "card [hidden], code 505"),
            ("3235EAC3C7A94E1B8D2F6A5B4C3D2E1F0A9B", "[hidden]"),
            ("2311165672361384300115770", "2311165672361384300115770"),
            ("a\nb", "ab"),
            ("", ""),
        ] {
            assert_eq!(words(text), shown);
        }
        assert_eq!(words(&"x ".repeat(500)).len(), 200);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in ".+") {
            let json = serde_json::json!({ "one": text }).to_string();
            prop_assert_eq!(one(&json).unwrap(), Some(text));
        }

        #[test]
        fn no_text_is_too_strange(json in ".{0,200}") {
            drop(one(&json));
            drop(words(&json));
        }
    }
}
