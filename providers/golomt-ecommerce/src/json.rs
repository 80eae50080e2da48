//! Reading what the bank sends, field by field, as the characters that were received.
//!
//! Two things that a plain derive does not give: an error names the field and never quotes its value (which may be a
//! card token), and a number keeps its characters, because they are what was hashed. A name that stands twice is
//! refused, `null` is as good as absent, unknown names are ignored.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;
use tulbur_core::{Error, ErrorKind, Result};

/// Reads a JSON object into a [`document!`].
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    let malformed = |why: String| Error::new(ErrorKind::Malformed, why);
    let text = std::str::from_utf8(body)
        .map_err(|e| malformed(format!("it is not UTF-8 (byte {})", e.valid_up_to())))?;
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        match error.classify() {
            // The fields are raw, so that only these two are left; the message of the first names it.
            Category::Data if message.starts_with("duplicate field") => {
                malformed(message.split(" at line").next().unwrap_or_default().to_owned())
            }
            Category::Data => malformed("it is not a JSON object of the expected shape".into()),
            Category::Eof => malformed("the JSON ends too early".into()),
            Category::Syntax | Category::Io => {
                malformed(format!("it is not JSON (line {}, column {})", error.line(), error.column()))
            }
        }
    })
}

/// The text of a field that must be a JSON string.
pub(crate) fn text<'a>(name: &'static str, raw: Option<&'a RawValue>) -> Result<Option<Cow<'a, str>>> {
    let Some(raw) = raw.map(RawValue::get) else { return Ok(None) };
    let unfit = |why| Error::new(ErrorKind::Malformed, why).with_field(name);
    let inner = raw
        .strip_prefix('"')
        .and_then(|raw| raw.strip_suffix('"'))
        .ok_or_else(|| unfit("it is not a JSON string"))?;
    if inner.contains('\\') {
        serde_json::from_str(raw)
            .map(|text: String| Some(Cow::Owned(text)))
            .map_err(|_| unfit("it is not text in Unicode"))
    } else {
        Ok(Some(Cow::Borrowed(inner)))
    }
}

/// The characters of a field that may be a JSON string or a JSON number.
pub(crate) fn text_or_number<'a>(
    name: &'static str,
    raw: Option<&'a RawValue>,
) -> Result<Option<Cow<'a, str>>> {
    match raw.map(RawValue::get) {
        Some(number) if number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
            Ok(Some(Cow::Borrowed(number)))
        }
        _ => text(name, raw),
    }
}

/// A number or a flag that must be there.
pub(crate) fn value<'a, T: Deserialize<'a>>(name: &'static str, raw: Option<&'a RawValue>) -> Result<T> {
    let unfit = |why| Error::new(ErrorKind::Malformed, why).with_field(name);
    let raw = raw.ok_or_else(|| unfit("it is missing"))?;
    serde_json::from_str(raw.get()).map_err(|_| unfit("it is of another type than documented"))
}

/// A JSON object whose fields are read later, each by its name on the wire.
macro_rules! document {
    ($(#[$doc:meta])* $name:ident { $($field:ident = $wire:literal,)* }) => {
        $(#[$doc])*
        #[derive(serde::Deserialize)]
        pub(crate) struct $name<'a> {
            $(#[serde(borrow, rename = $wire)] $field: Option<&'a serde_json::value::RawValue>,)*
        }
    };
}
pub(crate) use document;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    document!(Sample { one = "one", two = "two", });

    fn read_one(body: &[u8]) -> Result<Option<String>> {
        let sample: Sample<'_> = read(body)?;
        text("two", sample.two)?;
        Ok(text("one", sample.one)?.map(Cow::into_owned))
    }

    #[test]
    fn text_is_read_as_it_was_meant() {
        assert_eq!(read_one(br#"{"one":"a b","three":[{}]}"#).unwrap().as_deref(), Some("a b"));
        assert_eq!(read_one(br#"{"one":"\u0430\"\n"}"#).unwrap().as_deref(), Some("а\"\n"));
        assert_eq!(read_one(br#"{"one":null}"#).unwrap(), None);
        assert_eq!(read_one(b"{}").unwrap(), None);
    }

    #[test]
    fn numbers_keep_their_characters_where_they_are_allowed() {
        let sample: Sample<'_> = read(br#"{"one":1500.00,"two":true}"#).unwrap();
        assert_eq!(text_or_number("one", sample.one).unwrap().as_deref(), Some("1500.00"));
        assert_eq!(text("one", sample.one).unwrap_err().field(), Some("one"));
        assert_eq!(text_or_number("two", sample.two).unwrap_err().field(), Some("two"));
        assert!(value::<bool>("two", sample.two).unwrap());
        assert_eq!(value::<u32>("two", sample.two).unwrap_err().field(), Some("two"));
    }

    #[test]
    fn what_cannot_be_read_is_named_and_never_quoted() {
        let deep = format!("{{\"one\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        for (body, word) in [
            (&br#"{"one":"a","one":"planted"}"#[..], "duplicate field `one`"),
            (br#""planted""#, "not a JSON object"),
            (br#"{"one":{"planted":1}}"#, "not a JSON string"),
            (br#"{"one":"planted""#, "ends too early"),
            (b"planted", "not JSON"),
            (b"{\"one\":\"planted\xFF\"}", "not UTF-8"),
            (br#"{"one":"planted\uD800"}"#, "not text in Unicode"),
            (b"", "ends too early"),
            (deep.as_bytes(), "not a JSON string"),
        ] {
            let message = read_one(body).unwrap_err().to_string();
            assert!(message.contains(word) && !message.contains("planted"), "{message}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(one in ".*") {
            let body = serde_json::to_vec(&serde_json::json!({ "one": one })).unwrap();
            prop_assert_eq!(read_one(&body).unwrap(), Some(one));
        }

        #[test]
        fn no_bytes_are_too_strange(body in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(read_one(&body));
        }
    }
}
