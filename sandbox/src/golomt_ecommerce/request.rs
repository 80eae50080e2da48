//! Reads a request of the bank's API: a flat JSON object whose values keep the characters in which they came.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The longest text that the bank's tables allow for any field.
pub(super) const FIELD_SIZE: usize = 256;
/// Callbacks are the exception: the tables give them no size and real ones carry long queries.
const CALLBACK_SIZE: usize = 2048;

/// A value as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A JSON string, unescaped.
    Text(String),
    /// A JSON number: the token itself, so that `1.50` stays `1.50`.
    Number(String),
    Null,
    /// Something that no field of this API is.
    Other(&'static str),
}

/// The members of a request's body, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    members: Vec<(String, Value)>,
}

impl Fields {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// Says in words what is wrong with it.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(body)
            .map_err(|error| format!("the body is not UTF-8: byte {} does not fit", error.valid_up_to()))?;
        if text.trim().is_empty() {
            return Err("the body is empty; a JSON object is expected".to_owned());
        }
        // serde_json limits how deeply it nests, but not for what is only skipped; so nothing is skipped.
        serde_json::from_str::<serde_json::Value>(text)
            .map_err(|error| format!("the body is not JSON: {error}"))?;
        let raw: RawFields =
            serde_json::from_str(text).map_err(|error| format!("the body is not a JSON object: {error}"))?;
        let mut members: Vec<(String, Value)> = Vec::new();
        for (name, raw) in raw.0 {
            if members.iter().any(|(known, _)| *known == name) {
                return Err(format!("field {name} occurs twice"));
            }
            members.push((name, value(raw.get())));
        }
        Ok(Self { members })
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The characters of a required field, as hashed. `numeric` also takes a JSON number.
    ///
    /// # Errors
    ///
    /// Names the field and says what it should be.
    pub(crate) fn required(&self, name: &str, numeric: bool) -> Result<&str, String> {
        let text = match self.get(name) {
            None => return Err(format!("field {name} is missing")),
            Some(Value::Null) => return Err(format!("field {name} is null")),
            Some(Value::Number(token)) if numeric => token,
            Some(Value::Number(_)) => return Err(format!("field {name} is a number; it must be a string")),
            Some(Value::Other(kind)) => return Err(format!("field {name} is {kind}; it must be a string")),
            Some(Value::Text(text)) => text,
        };
        if text.is_empty() {
            return Err(format!("field {name} is empty"));
        }
        let size = if name == "callback" { CALLBACK_SIZE } else { FIELD_SIZE };
        if text.chars().count() > size {
            return Err(format!("field {name} is longer than {size} characters"));
        }
        if text.chars().any(char::is_control) {
            return Err(format!("field {name} contains a control character"));
        }
        Ok(text)
    }

    /// The text of an optional field; one that is absent or null is absent.
    ///
    /// # Errors
    ///
    /// Names the field if it is no text.
    pub(super) fn optional(&self, name: &str) -> Result<Option<&str>, String> {
        match self.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::Number(_)) => Err(format!("field {name} is a number; it must be a string")),
            Some(Value::Other(kind)) => Err(format!("field {name} is {kind}; it must be a string")),
        }
    }

    /// Every member that has characters, by name.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().filter_map(|(name, value)| match value {
            Value::Text(text) | Value::Number(text) => Some((name.as_str(), text.as_str())),
            Value::Null | Value::Other(_) => None,
        })
    }

    /// The names that are not among these; the bank tolerates them, and a developer wants to know.
    pub(crate) fn unknown(&self, known: &[&str]) -> Vec<&str> {
        self.members.iter().map(|(name, _)| name.as_str()).filter(|name| !known.contains(name)).collect()
    }
}

fn value(raw: &str) -> Value {
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw).map_or(Value::Other("an unreadable text"), Value::Text),
        Some(b'-' | b'0'..=b'9') => Value::Number(raw.to_owned()),
        Some(b'n') => Value::Null,
        Some(b'{') => Value::Other("an object"),
        Some(b'[') => Value::Other("a list"),
        _ => Value::Other("true or false"),
    }
}

struct RawFields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for RawFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = RawFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawFields, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(RawFields(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// An amount that this sandbox takes: digits, at most two decimals, more than nothing.
///
/// What the bank says to other shapes is unknown; the wording is ours.
///
/// # Errors
///
/// Says what is wrong with it.
pub(crate) fn check_amount(text: &str) -> Result<(), String> {
    let (whole, decimals) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !decimals.is_none_or(digits) {
        return Err(format!(
            "amount {text:?} is not an amount: digits and at most one point are expected, without separators or sign"
        ));
    }
    if decimals.is_some_and(|decimals| decimals.len() > 2) {
        return Err(format!("amount {text:?} has more than two decimals"));
    }
    if whole.len() > 13 {
        return Err(format!("amount {text:?} is too large"));
    }
    if text.bytes().all(|byte| matches!(byte, b'0' | b'.')) {
        return Err(format!("amount {text:?} is not above zero"));
    }
    Ok(())
}

/// An amount in another of the forms that merchants use; `text` has passed [`check_amount`].
pub(crate) fn amount_in_form(text: &str, form: &str) -> String {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    match form {
        "two-decimals" => format!("{whole}.{decimals:0<2}"),
        "shortest" => {
            let decimals = decimals.trim_end_matches('0');
            if decimals.is_empty() { whole.to_owned() } else { format!("{whole}.{decimals}") }
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_keep_their_characters() {
        let fields = Fields::parse(
            "{\"a\":\"1500.00\",\"b\":1500.00,\"c\":1e2,\"d\":null,\"e\":{},\"f\":\"\\u0442\\u04e9\"}"
                .as_bytes(),
        )
        .unwrap();
        assert_eq!(fields.required("a", true), Ok("1500.00"));
        assert_eq!(fields.required("b", true), Ok("1500.00"));
        assert_eq!(fields.required("c", true), Ok("1e2"));
        assert_eq!(fields.required("f", false), Ok("тө"));
        assert_eq!(fields.required("b", false).unwrap_err(), "field b is a number; it must be a string");
        assert_eq!(fields.required("d", false).unwrap_err(), "field d is null");
        assert_eq!(fields.required("e", false).unwrap_err(), "field e is an object; it must be a string");
        assert_eq!(fields.required("g", false).unwrap_err(), "field g is missing");
        assert_eq!(fields.optional("d"), Ok(None));
        assert_eq!(fields.unknown(&["a", "b", "c", "d"]), ["e", "f"]);
    }

    #[test]
    fn what_is_no_request_is_named() {
        let why = |body: &[u8]| Fields::parse(body).unwrap_err();
        assert!(why(b"").contains("empty"));
        assert!(why(b"{\"a\":\"\xff\"}").contains("byte 6"));
        assert!(why(b"{").contains("not JSON"));
        assert!(why(b"[]").contains("not a JSON object"));
        assert!(why(b"{\"checksum\":\"a\",\"checksum\":\"b\"}").contains("checksum occurs twice"));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(why(deep.as_bytes()).contains("recursion limit"));
    }

    #[test]
    fn amounts() {
        for good in ["1", "1.5", "1500.00", "0.01", "0001", "9999999999999.99"] {
            assert_eq!(check_amount(good), Ok(()), "{good}");
        }
        for bad in [
            "0",
            "0.00",
            "-1",
            "+1",
            "1.",
            ".5",
            "1.234",
            "1,500",
            "1e3",
            " 1",
            "१",
            "99999999999999",
            "1.2.3",
        ] {
            assert!(check_amount(bad).is_err(), "{bad}");
        }
        assert_eq!(amount_in_form("1500", "two-decimals"), "1500.00");
        assert_eq!(amount_in_form("1500.5", "two-decimals"), "1500.50");
        assert_eq!(amount_in_form("1500.50", "shortest"), "1500.5");
        assert_eq!(amount_in_form("1500.00", "shortest"), "1500");
        assert_eq!(amount_in_form("1500.0", "as-sent"), "1500.0");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Fields::parse(&body);
        }

        #[test]
        fn near_json_is_read_or_refused(body in r#"[\[\]{}",:0-9a-z\\. ]{0,80}"#) {
            let _ = Fields::parse(body.as_bytes());
        }

        #[test]
        fn a_text_comes_out_as_it_went_in(name in "[a-z]{1,8}", text in "\\PC{1,40}") {
            let body = serde_json::to_vec(&std::collections::BTreeMap::from([(&name, &text)])).unwrap();
            let fields = Fields::parse(&body).unwrap();
            prop_assert_eq!(fields.required(&name, false), Ok(text.as_str()));
        }

        #[test]
        fn every_form_of_an_amount_is_an_amount_of_the_same_value(whole in 0u64..10_000_000, cents in 0u64..100) {
            prop_assume!(whole + cents > 0);
            let text = format!("{whole}.{cents:02}");
            prop_assert_eq!(check_amount(&text), Ok(()));
            let short = amount_in_form(&text, "shortest");
            prop_assert_eq!(check_amount(&short), Ok(()));
            prop_assert_eq!(amount_in_form(&short, "two-decimals"), text);
        }
    }
}
