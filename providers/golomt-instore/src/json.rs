//! Reading what the bank sends: tolerant of what no document fixes, and silent about values in errors.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::error::Category;
use serde_json::value::RawValue;
use tulbur_core::{Error, ErrorKind, Result};

/// Reads a JSON object. An error says where it is wrong and never quotes what stands there.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    let malformed = |why: String| Error::new(ErrorKind::Malformed, why);
    let text = std::str::from_utf8(body)
        .map_err(|e| malformed(format!("it is not UTF-8 (byte {})", e.valid_up_to())))?;
    // A list would be read by position.
    if text.trim_start().starts_with('[') {
        return Err(malformed("it is a list and not an object".into()));
    }
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        malformed(match error.classify() {
            Category::Data if message.starts_with("duplicate field") => {
                message.split(" at line").next().unwrap_or_default().to_owned()
            }
            Category::Data => {
                format!(
                    "something is of another type than known (line {}, column {})",
                    error.line(),
                    error.column()
                )
            }
            Category::Eof => "the JSON ends too early".into(),
            Category::Syntax | Category::Io => {
                format!("it is not JSON (line {}, column {})", error.line(), error.column())
            }
        })
    })
}

/// The characters of a field that may be a JSON string or number: which of both many fields are, no document says.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Word(String);

impl Word {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw).map(Self).map_err(|_| D::Error::custom("no text")),
            Some(b'-' | b'0'..=b'9') => Ok(Self(raw.to_owned())),
            _ => Err(D::Error::custom("neither text nor a number")),
        }
    }
}

/// The text of a field, where an empty one is as good as none.
pub(crate) fn filled(word: Option<&Word>) -> Option<&str> {
    word.map(Word::as_str).filter(|text| !text.is_empty())
}

/// Nothing, written in one of the ways that servers write it.
pub(crate) fn is_empty(raw: &RawValue) -> bool {
    let inner: String = raw.get().chars().filter(|c| !c.is_ascii_whitespace()).collect();
    matches!(inner.as_str(), "null" | "\"\"" | "[]" | "{}")
}

/// An object that may be missing or empty.
pub(crate) fn object<'a, T: Deserialize<'a> + 'a>(raw: Option<&'a RawValue>) -> Result<Option<T>> {
    match raw {
        Some(raw) if !is_empty(raw) => read(raw.get().as_bytes()).map(Some),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Deserialize)]
    struct Sample {
        one: Option<Word>,
    }

    fn one(body: &[u8]) -> Result<Option<String>> {
        read::<Sample>(body).map(|sample| filled(sample.one.as_ref()).map(str::to_owned))
    }

    #[test]
    fn texts_and_numbers_keep_their_characters() {
        for (body, text) in [
            (r#"{"one":"a b","two":[{}]}"#, Some("a b")),
            (r#"{"one":"\u0430\"\n"}"#, Some("а\"\n")),
            (r#"{"one":1500.00}"#, Some("1500.00")),
            (r#"{"one":-1e400}"#, Some("-1e400")),
            (r#"{"one":null}"#, None),
            (r#"{"one":""}"#, None),
            ("{}", None),
        ] {
            assert_eq!(one(body.as_bytes()).unwrap().as_deref(), text, "{body}");
        }
    }

    #[test]
    fn what_is_empty_is_none() {
        for empty in ["null", "\"\"", "[]", "{}", "[ ]", "{\n}"] {
            let raw: &RawValue = serde_json::from_str(empty).unwrap();
            assert!(object::<Sample>(Some(raw)).unwrap().is_none(), "{empty}");
        }
        assert!(object::<Sample>(None).unwrap().is_none());
        let raw: &RawValue = serde_json::from_str(r#"{"one":1}"#).unwrap();
        assert!(object::<Sample>(Some(raw)).unwrap().unwrap().one.is_some());
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in ".+") {
            let body = serde_json::to_vec(&serde_json::json!({ "one": text })).unwrap();
            prop_assert_eq!(one(&body).unwrap(), Some(text));
        }

        #[test]
        fn no_bytes_are_too_strange(body in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(one(&body));
        }
    }
}
