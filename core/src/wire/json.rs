//! Reads JSON objects field by field: duplicates refused, text and numbers kept as written, errors that quote nothing.
//!
//! A provider writes its messages as `serde` structs of [`Field`] and [`Text`], and reads them with [`read`]. An error
//! names the field by its path and never quotes its value, which may be a card token. A name of the struct that stands
//! twice is refused, `null` is as good as absent, unknown names are ignored.
//!
//! ```
//! use serde::Deserialize;
//! use tulbur_core::wire::{Field, filled, needed, read};
//!
//! #[derive(Deserialize)]
//! #[serde(bound(deserialize = "'de: 'a"))]
//! struct Answer<'a> {
//!     id: Field<'a>,
//!     amount: Field<'a>,
//! }
//!
//! let answer: Answer<'_> = read(br#"{"id":"A1","amount":1500.00}"#)?;
//! assert_eq!((needed("id", &answer.id)?, filled(&answer.amount)), ("A1", Some("1500.00")));
//! # Ok::<(), tulbur_core::Error>(())
//! ```

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};

/// A JSON string or number, as its characters. `Debug` hides them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Scalar<'a>(Cow<'a, str>);

/// A JSON string. A number is refused. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Text<'a>(Cow<'a, str>);

/// An optional field that may be a JSON string or a number.
pub type Field<'a> = Option<Scalar<'a>>;

/// The characters between the quotes of a raw JSON string, or nothing for another value.
fn unquoted<E: serde::de::Error>(raw: &str) -> Option<Result<Cow<'_, str>, E>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    Some(if inner.contains('\\') {
        serde_json::from_str(raw).map(Cow::Owned).map_err(|_| E::custom("it is not text in Unicode"))
    } else {
        Ok(Cow::Borrowed(inner))
    })
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        if raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            return Ok(Self(Cow::Borrowed(raw)));
        }
        let text = unquoted(raw).unwrap_or_else(|| Err(D::Error::custom("it is neither text nor a number")));
        text.map(Self)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        unquoted(raw).unwrap_or_else(|| Err(D::Error::custom("it is not a JSON string"))).map(Self)
    }
}

macro_rules! texts {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }

        impl AsRef<str> for $name<'_> {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl<'a> From<Cow<'a, str>> for $name<'a> {
            fn from(text: Cow<'a, str>) -> Self {
                Self(text)
            }
        }

        impl<'a> From<$name<'a>> for Cow<'a, str> {
            fn from(text: $name<'a>) -> Self {
                text.0
            }
        }
    )*};
}

texts!(Scalar Text);

/// The characters of a field that is there and not empty.
pub fn filled<T: AsRef<str>>(field: &Option<T>) -> Option<&str> {
    field.as_ref().map(AsRef::as_ref).filter(|text| !text.is_empty())
}

/// The characters of a field that must be there.
///
/// # Errors
/// [`ErrorKind::Malformed`] when it is missing or empty.
pub fn needed<'f, T: AsRef<str>>(name: &'static str, field: &'f Option<T>) -> Result<&'f str> {
    filled(field).ok_or_else(|| Error::new(ErrorKind::Malformed, "it is missing").with_field(name))
}

/// Reads a JSON object, with or without a byte order mark before it.
///
/// # Errors
/// [`ErrorKind::Malformed`] when it is not UTF-8, not a JSON object, or a field is of another type. The error says where,
/// and quotes nothing.
pub fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T> {
    let malformed = |why: String| Error::new(ErrorKind::Malformed, why);
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    let text = std::str::from_utf8(json)
        .map_err(|e| malformed(format!("it is not UTF-8 (byte {})", e.valid_up_to())))?;
    // A list would be read too, by position.
    if text.trim_start().starts_with('[') {
        return Err(malformed("it is not a JSON object".into()));
    }
    serde_json::from_str(text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        match error.classify() {
            Category::Data => wrong_type::<T>(text),
            Category::Eof => malformed("the JSON ends too early".into()),
            Category::Syntax | Category::Io => malformed(format!("it is not JSON ({place})")),
        }
    })
}

/// Reads once more, to learn which field is wrong.
fn wrong_type<'a, T: Deserialize<'a>>(text: &'a str) -> Error {
    let malformed = |why: &str| Error::new(ErrorKind::Malformed, why);
    let mut reader = serde_json::Deserializer::from_str(text);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut reader) else {
        return malformed("it is not a JSON object of the expected shape");
    };
    let path = error.path().to_string();
    // Its messages may quote a value, but for those that are made here and the names of doubled and missing fields.
    let message = error.inner().to_string();
    let message = message.split(" at line").next().unwrap_or_default();
    let known = ["it is not text in Unicode", "it is neither text nor a number", "it is not a JSON string"];
    let root = path == ".";
    for (kind, why) in [("duplicate", "the field stands more than once"), ("missing", "it is missing")] {
        let name = message.strip_prefix(kind).and_then(|rest| rest.strip_prefix(" field `"));
        if let Some(name) = name.and_then(|name| name.strip_suffix('`')) {
            let field = if root { name.to_owned() } else { format!("{path}.{name}") };
            return malformed(why).with_field(field);
        }
    }
    if root {
        return malformed("it is not a JSON object of the expected shape");
    }
    let why =
        known.into_iter().find(|why| *why == message).unwrap_or("it is of another type than documented");
    malformed(why).with_field(path)
}

/// Whether a value is nothing, in one of the ways that servers write it: `null`, `""`, `[]`, `{}`.
pub fn is_nothing(raw: &RawValue) -> bool {
    let inner: String = raw.get().chars().filter(|c| !c.is_ascii_whitespace()).collect();
    matches!(inner.as_str(), "null" | "\"\"" | "[]" | "{}")
}

/// Reads an object that may be missing or empty.
///
/// # Errors
/// As [`read`].
pub fn object<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Result<Option<T>> {
    match raw {
        Some(raw) if !is_nothing(raw) => read(raw.get().as_bytes()).map(Some),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(bound(deserialize = "'de: 'a"))]
    struct Sample<'a> {
        one: Field<'a>,
        two: Option<Text<'a>>,
        #[serde(default)]
        list: Vec<Inner<'a>>,
        count: Option<u32>,
    }

    #[derive(Deserialize)]
    #[serde(bound(deserialize = "'de: 'a"))]
    struct Inner<'a> {
        inner: Field<'a>,
        #[serde(default = "nothing")]
        needed: Needed,
    }

    #[derive(Deserialize)]
    struct Needed {
        count: u32,
    }

    fn nothing() -> Needed {
        Needed { count: 0 }
    }

    fn one(json: &[u8]) -> Result<Option<String>> {
        let sample: Sample<'_> = read(json)?;
        assert!(
            sample.list.iter().all(|item| item.inner.is_some() && item.needed.count == 0)
                && sample.count.is_none_or(|n| n < 10)
        );
        Ok(filled(&sample.one).or(filled(&sample.two)).map(str::to_owned))
    }

    #[test]
    fn texts_and_numbers_keep_their_characters() {
        for (json, text) in [
            (r#"{"one":"a b","other":[{}]}"#, Some("a b")),
            (r#"{"one":"\u0430\"\n"}"#, Some("а\"\n")),
            (r#"{"one":1500.00}"#, Some("1500.00")),
            (r#"{"one": 12.50 }"#, Some("12.50")),
            (r#"{"one":-1e400}"#, Some("-1e400")),
            (r#"{"two":"200"}"#, Some("200")),
            (r#"{"one":null}"#, None),
            (r#"{"one":""}"#, None),
            ("{}", None),
        ] {
            assert_eq!(one(json.as_bytes()).unwrap().as_deref(), text, "{json}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_and_never_quoted() {
        let deep = format!("{{\"one\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        for (json, field, word) in [
            (&br#"{"one":"a","one":"planted"}"#[..], Some("one"), "more than once"),
            (
                br#"{"list":[{"inner":1},{"inner":"a","inner":"planted"}]}"#,
                Some("list[1].inner"),
                "more than once",
            ),
            (br#"{"list":[{"inner":1},{"inner":["planted"]}]}"#, Some("list[1].inner"), "neither text nor"),
            (br#"{"list":[{"inner":1,"needed":{"planted":1}}]}"#, Some("list[0].needed.count"), "missing"),
            (br#"{"list":"planted"}"#, Some("list"), "another type"),
            (br#"{"count":"planted"}"#, Some("count"), "another type"),
            (br#"{"two":7}"#, Some("two"), "not a JSON string"),
            (br#"{"one":{"planted":1}}"#, Some("one"), "neither text nor"),
            (br#"{"one":true}"#, Some("one"), "neither text nor"),
            (br#"{"one":"planted\uD800"}"#, Some("one"), "Unicode"),
            (br#""planted""#, None, "not a JSON object"),
            (br#"["planted"]"#, None, "not a JSON object"),
            (b"null", None, "not a JSON object"),
            (b"7", None, "not a JSON object"),
            (br#"{"one":"planted""#, None, "ends too early"),
            (b"", None, "ends too early"),
            (b"planted", None, "not JSON"),
            (b"{\"one\":\"planted\xFF\"}", None, "not UTF-8"),
            (deep.as_bytes(), Some("one"), "neither text nor"),
        ] {
            let error = one(json).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Malformed, field), "{json:.40?}: {error}");
            let message = error.to_string();
            assert!(message.contains(word) && !message.contains("planted"), "{json:.40?}: {message}");
        }
        let sample: Sample<'_> = read(br#"{"one":"planted","two":"planted"}"#).unwrap();
        assert!(!format!("{:?} {:?}", sample.one, sample.two).contains("planted"));
    }

    #[test]
    fn what_is_empty_is_none() {
        for empty in ["null", "\"\"", "[]", "{}", "[ ]", "{\n}"] {
            let raw: &RawValue = serde_json::from_str(empty).unwrap();
            assert!(object::<Sample<'_>>(Some(raw)).unwrap().is_none(), "{empty}");
        }
        assert!(object::<Sample<'_>>(None).unwrap().is_none());
        let raw: &RawValue = serde_json::from_str(r#"{"one":1}"#).unwrap();
        assert!(object::<Sample<'_>>(Some(raw)).unwrap().unwrap().one.is_some());
        assert_eq!(needed("one", &Field::None).unwrap_err().field(), Some("one"));
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in ".+") {
            let json = serde_json::to_vec(&serde_json::json!({ "one": text })).unwrap();
            prop_assert_eq!(one(&json).unwrap(), Some(text));
        }

        #[test]
        fn no_bytes_are_too_strange(json in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,200}") {
            drop(one(&json));
            drop(one(text.as_bytes()));
        }
    }
}
