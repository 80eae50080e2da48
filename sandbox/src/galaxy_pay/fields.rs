//! Reads a message of the gateway's API: JSON whose scalars keep the characters in which they came.
//!
//! Public clients send numbers bare or quoted, in any order of members, with nulls and empty texts for what they do not
//! use (specification, 4 and 7.1); all of that is one and the same here.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A value as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    /// A text, a number's own characters, `true` or `false`.
    Scalar(String),
    /// Null, or an empty text.
    Absent,
    /// The text of an object.
    Object(String),
    /// The text of a list.
    List(String),
}

/// The members of a JSON object, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    members: Vec<(String, Value)>,
}

impl Fields {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// Says in words what is wrong with it; never repeats a value.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(body)
            .map_err(|error| format!("the body is not UTF-8: byte {} does not fit", error.valid_up_to()))?;
        if text.trim().is_empty() {
            return Err("the body is empty; a JSON object is expected".to_owned());
        }
        // serde_json limits how deeply it nests, but not for what is only skipped; so nothing is skipped.
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
            format!(
                "the body is not JSON, line {} column {}: {:?}",
                error.line(),
                error.column(),
                error.classify()
            )
        })?;
        if !value.is_object() {
            return Err("the body is not a JSON object".to_owned());
        }
        Self::members_of(text, "the body")
    }

    fn members_of(text: &str, what: &str) -> Result<Self, String> {
        let raw: RawFields =
            serde_json::from_str(text).map_err(|_| format!("{what} is not a JSON object"))?;
        let mut members: Vec<(String, Value)> = Vec::new();
        for (name, raw) in raw.0 {
            if members.iter().any(|(known, _)| *known == name) {
                return Err(format!("field {name} occurs twice; which one counts would be a guess"));
            }
            members.push((name, value(raw.get())));
        }
        Ok(Self { members })
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The characters of an optional scalar; null and an empty text are absent.
    ///
    /// # Errors
    ///
    /// Names the field if it is no scalar, longer than `most` characters or has a control character.
    pub(crate) fn optional(&self, name: &str, most: usize) -> Result<Option<&str>, String> {
        let text = match self.get(name) {
            None | Some(Value::Absent) => return Ok(None),
            Some(Value::Object(_)) => return Err(format!("field {name} is an object; it must be a text")),
            Some(Value::List(_)) => return Err(format!("field {name} is a list; it must be a text")),
            Some(Value::Scalar(text)) => text,
        };
        if text.chars().count() > most {
            return Err(format!("field {name} is longer than {most} characters"));
        }
        if text.chars().any(char::is_control) {
            return Err(format!("field {name} contains a control character"));
        }
        Ok(Some(text))
    }

    /// The characters of a mandatory scalar.
    ///
    /// # Errors
    ///
    /// Names the field and says what it should be.
    pub(crate) fn required(&self, name: &str, most: usize) -> Result<&str, String> {
        self.optional(name, most)?.ok_or_else(|| format!("mandatory field {name} is missing"))
    }

    /// The members of an optional object.
    ///
    /// # Errors
    ///
    /// Names the field if it is something else.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Self>, String> {
        match self.get(name) {
            None | Some(Value::Absent) => Ok(None),
            Some(Value::Object(text)) => Self::members_of(text, name).map(Some),
            Some(Value::Scalar(_) | Value::List(_)) => Err(format!("field {name} must be a JSON object")),
        }
    }

    /// Whether an optional member is an object, whatever is in it.
    ///
    /// # Errors
    ///
    /// Names the field if it is something else.
    pub(super) fn any_object(&self, name: &str) -> Result<(), String> {
        match self.get(name) {
            None | Some(Value::Absent | Value::Object(_)) => Ok(()),
            Some(Value::Scalar(_) | Value::List(_)) => Err(format!("field {name} must be a JSON object")),
        }
    }

    /// The objects of an optional list, each with its members; none when it is absent.
    ///
    /// # Errors
    ///
    /// Names the field if it is something else.
    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Self>, String> {
        let text = match self.get(name) {
            None | Some(Value::Absent) => return Ok(Vec::new()),
            Some(Value::List(text)) => text,
            Some(Value::Scalar(_) | Value::Object(_)) => {
                return Err(format!("field {name} must be a list of objects"));
            }
        };
        let raw: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|_| format!("field {name} must be a list of objects"))?;
        raw.into_iter().map(|raw| Self::members_of(raw.get(), name)).collect()
    }

    /// The JSON text of an object or a list, as it came.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Object(text) | Value::List(text) => Some(text),
            Value::Scalar(_) | Value::Absent => None,
        }
    }

    /// The texts of a mandatory list.
    ///
    /// # Errors
    ///
    /// Names the field if it is missing or something else.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        match self.get(name) {
            None | Some(Value::Absent) => Err(format!("mandatory field {name} is missing")),
            Some(Value::List(text)) => {
                serde_json::from_str(text).map_err(|_| format!("field {name} must be a list of texts"))
            }
            Some(Value::Scalar(_) | Value::Object(_)) => Err(format!("field {name} must be a list of texts")),
        }
    }

    /// The names that are not among these; they are tolerated, and a developer wants to know.
    pub(super) fn unknown(&self, known: &[&[&str]]) -> Vec<&str> {
        let known = |name: &&str| known.iter().any(|names| names.contains(name));
        self.members.iter().map(|(name, _)| name.as_str()).filter(|name| !known(name)).collect()
    }
}

fn value(raw: &str) -> Value {
    match raw.as_bytes().first() {
        Some(b'"') => match serde_json::from_str::<String>(raw) {
            Ok(text) if !text.is_empty() => Value::Scalar(text),
            _ => Value::Absent,
        },
        Some(b'n') | None => Value::Absent,
        Some(b'{') => Value::Object(raw.to_owned()),
        Some(b'[') => Value::List(raw.to_owned()),
        Some(_) => Value::Scalar(raw.to_owned()),
    }
}

struct RawFields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for RawFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = RawFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    members.push(entry);
                }
                Ok(RawFields(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// How many decimals amounts of a currency have: none for the đồng (guide); for the yen and the won none and for
/// all others up to two, which no page says (assumption).
fn decimals(currency: &str) -> usize {
    if matches!(currency, "VND" | "JPY" | "KRW") { 0 } else { 2 }
}

/// Hundredths of the currency's unit, exactly.
///
/// # Errors
///
/// Names the field and says what an amount looks like.
pub(crate) fn parse_amount(name: &str, text: &str, currency: &str) -> Result<u64, String> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (text, "0"),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || text.len() > 16 {
        return Err(format!(
            "field {name} is not an amount: up to 16 digits with at most one point are expected, without sign, separators or exponent"
        ));
    }
    let allowed = decimals(currency);
    if text.contains('.') && fraction.len() > allowed {
        return Err(format!("field {name} has more decimals than {currency} has, which is {allowed}"));
    }
    let number = |part: &str| part.parse::<u64>().map_err(|_| format!("field {name} is too large"));
    let hundredths = number(whole)? * 100 + number(&format!("{fraction:0<2}"))?;
    if hundredths == 0 {
        return Err(format!("field {name} is not above zero"));
    }
    Ok(hundredths)
}

/// An amount as the wire writes it: without decimals that are not there.
pub(crate) fn amount_text(hundredths: u64) -> String {
    match hundredths % 100 {
        0 => (hundredths / 100).to_string(),
        rest => format!("{}.{rest:02}", hundredths / 100),
    }
}

/// Checks the form of a date, `yyyyMMddHHmmss`. Nothing more: live clients send other zones, and one even a wrong
/// pattern (specification, 4).
///
/// # Errors
///
/// Names the field.
pub(super) fn check_date(name: &str, text: &str) -> Result<(), String> {
    if text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(format!("field {name} is not a date: 14 digits yyyyMMddHHmmss in UTC+7 are expected"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_and_quoted_numbers_are_one_and_absence_has_three_forms() {
        let fields = Fields::parse(
            "{\"a\":\"1500\", \"b\" : 1500,\"c\":null,\"d\":\"\",\"e\":{\"x\":[1]},\"f\":true,\"g\":[\"p\"],\"h\":\"\\u0111\"}"
                .as_bytes(),
        )
        .unwrap();
        assert_eq!(fields.required("a", 9), fields.required("b", 9));
        for name in ["c", "d", "z"] {
            assert_eq!(fields.optional(name, 9), Ok(None));
            assert_eq!(fields.required(name, 9), Err(format!("mandatory field {name} is missing")));
        }
        assert_eq!(fields.optional("f", 9), Ok(Some("true")));
        assert_eq!(fields.required("h", 1), Ok("đ"));
        assert_eq!(fields.texts("g"), Ok(vec!["p".to_owned()]));
        assert!(fields.required("a", 3).unwrap_err().contains("a is longer than 3"));
        assert!(fields.required("e", 9).unwrap_err().contains("e is an object"));
        assert!(fields.any_object("e").is_ok() && fields.any_object("a").is_err());
        assert_eq!((fields.raw("e"), fields.raw("a")), (Some("{\"x\":[1]}"), None));
        let list = Fields::parse(b"{\"l\":[{\"x\":1},{}],\"m\":null,\"n\":[1]}").unwrap();
        assert_eq!(list.objects("l").unwrap().len(), 2);
        assert_eq!(list.objects("l").unwrap()[0].required("x", 1), Ok("1"));
        assert_eq!(list.objects("m"), Ok(Vec::new()));
        assert!(list.objects("n").is_err() && fields.objects("e").is_err());
        assert_eq!(fields.unknown(&[&["a", "b"], &["c", "d", "e", "f"]]), ["g", "h"]);
    }

    #[test]
    fn what_is_no_message_is_named_without_its_values() {
        let why = |body: &[u8]| Fields::parse(body).unwrap_err();
        assert!(why(b" ").contains("empty"));
        assert!(why(b"{\"a\":\"\xff\"}").contains("byte 6"));
        assert!(why(b"{\"a\":4111").contains("not JSON, line 1"));
        assert!(why(b"[]").contains("not a JSON object"));
        assert!(why(b"{\"a\":1,\"a\":2}").contains("a occurs twice"));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(why(deep.as_bytes()).contains("not JSON"));
    }

    #[test]
    fn amounts() {
        for (text, currency, hundredths) in [
            ("100000", "VND", 10_000_000),
            ("1", "JPY", 100),
            ("12.50", "USD", 1250),
            ("12.5", "USD", 1250),
            ("12", "USD", 1200),
            ("0.01", "USD", 1),
            ("9999999999999999", "VND", 999_999_999_999_999_900),
        ] {
            assert_eq!(parse_amount("orderAmount", text, currency), Ok(hundredths), "{text} {currency}");
        }
        for (text, currency) in [
            ("0", "VND"),
            ("0.00", "USD"),
            ("100000.00", "VND"),
            ("1.0", "JPY"),
            ("1.234", "USD"),
            ("1e3", "VND"),
            ("-1", "VND"),
            ("1,000", "VND"),
            (".5", "USD"),
            ("5.", "USD"),
            ("12345678901234567", "VND"),
            ("१", "VND"),
        ] {
            assert!(parse_amount("orderAmount", text, currency).is_err(), "{text} {currency}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Fields::parse(&body);
        }

        #[test]
        fn near_json_is_read_or_refused(body in r#"\{[\[\]{}",:0-9a-z\\. ]{0,80}\}"#) {
            let _ = Fields::parse(body.as_bytes());
        }

        #[test]
        fn a_text_comes_out_as_it_went_in(name in "[a-z]{1,8}", text in "\\PC{1,40}") {
            let body = serde_json::to_vec(&std::collections::BTreeMap::from([(&name, &text)])).unwrap();
            let fields = Fields::parse(&body).unwrap();
            prop_assert_eq!(fields.required(&name, 40), Ok(text.as_str()));
        }

        #[test]
        fn quotes_around_a_number_and_white_space_change_nothing(number in 1u64..1_000_000_000, blanks in "[ \\t\\r\\n]{0,4}") {
            let bare = Fields::parse(format!("{{{blanks}\"n\"{blanks}:{blanks}{number}{blanks}}}").as_bytes()).unwrap();
            let quoted = Fields::parse(format!("{{\"n\":\"{number}\"}}").as_bytes()).unwrap();
            prop_assert_eq!(&bare, &quoted);
            prop_assert_eq!(parse_amount("n", bare.required("n", 16).unwrap(), "VND"), Ok(number * 100));
        }

        #[test]
        fn an_amount_is_written_as_it_is_read(hundredths in 1u64..100_000_000_000) {
            prop_assert_eq!(parse_amount("n", &amount_text(hundredths), "USD"), Ok(hundredths));
        }
    }
}
