//! Reads forms and query strings: the pairs raw, in the order received, and decoded.

use std::borrow::Cow;
use std::fmt;

use crate::error::{Error, ErrorKind, Result};

/// One `name=value` pair.
///
/// `Debug` shows the name.
#[derive(Clone)]
pub struct Pair<'a> {
    /// The pair as received, still encoded.
    pub raw: &'a str,
    /// The decoded name.
    pub name: Cow<'a, str>,
    /// The decoded value.
    pub value: Cow<'a, str>,
}

impl<'a> Pair<'a> {
    fn parse(raw: &'a str) -> Self {
        let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
        Self { raw, name: decode(name), value: decode(value) }
    }

    /// The name as received, still encoded.
    pub fn raw_name(&self) -> &'a str {
        self.raw.split_once('=').map_or(self.raw, |(name, _)| name)
    }

    /// The value as received, still encoded.
    pub fn raw_value(&self) -> &'a str {
        self.raw.split_once('=').map_or("", |(_, value)| value)
    }
}

impl fmt::Debug for Pair<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pair({:?})", self.name)
    }
}

/// One name or value, by the rules of `application/x-www-form-urlencoded`. What is not UTF-8 becomes U+FFFD.
fn decode(raw: &str) -> Cow<'_, str> {
    if !raw.contains(['%', '+']) {
        return Cow::Borrowed(raw);
    }
    // A lone value reads as a pair whose name it is. An `=` in it would end the name.
    let whole = raw.replace('=', "%3D");
    Cow::Owned(url::form_urlencoded::parse(whole.as_bytes()).map(|(name, _)| name.into_owned()).collect())
}

/// The fields of a form or of a query string.
///
/// `Debug` shows the names.
#[derive(Clone)]
pub struct Fields<'a>(Vec<Pair<'a>>);

impl<'a> Fields<'a> {
    /// More fields than any provider sends.
    const MOST: usize = 200;

    /// Reads `application/x-www-form-urlencoded` text.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] when the text, a name or a value is not UTF-8, or there are more than 200 fields.
    pub fn parse(encoded: &'a [u8]) -> Result<Self> {
        let malformed = |why: String| Error::new(ErrorKind::Malformed, why);
        let not_utf8 = || malformed("the fields are not UTF-8".into());
        let text = std::str::from_utf8(encoded).map_err(|_| not_utf8())?;
        let pairs: Vec<_> =
            text.split('&').filter(|raw| !raw.is_empty()).map(Pair::parse).take(Self::MOST + 1).collect();
        if pairs.len() > Self::MOST {
            return Err(malformed(format!("there are more than {} fields", Self::MOST)));
        }
        if pairs.iter().any(|pair| [&pair.name, &pair.value].iter().any(|text| text.contains('\u{FFFD}'))) {
            return Err(not_utf8());
        }
        Ok(Self(pairs))
    }

    /// Fields that were chosen from others.
    pub(crate) fn of(pairs: Vec<Pair<'a>>) -> Self {
        Self(pairs)
    }

    /// The pairs in the order received.
    pub fn pairs(&self) -> impl Iterator<Item = &Pair<'a>> {
        self.0.iter()
    }

    /// The value of a field that may stand once or not at all.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] when it stands twice: which one is meant must not be guessed.
    pub fn get(&self, name: &'static str) -> Result<Option<&str>> {
        let mut values = self.0.iter().filter(|pair| pair.name == name).map(|pair| pair.value.as_ref());
        let first = values.next();
        if values.next().is_some() {
            return Err(Error::new(ErrorKind::Malformed, "the field stands more than once").with_field(name));
        }
        Ok(first)
    }

    /// As [`Fields::get`], apart from these fields.
    ///
    /// # Errors
    /// As [`Fields::get`].
    pub fn take(&self, name: &'static str) -> Result<Option<Cow<'a, str>>> {
        let found = self.get(name)?.is_some();
        let pair = self.0.iter().find(|pair| found && pair.name == name);
        Ok(pair.map(|pair| pair.value.clone()))
    }

    /// The value of a field that must be there and not empty.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] when it is missing or empty, or stands twice.
    pub fn needed(&self, name: &'static str) -> Result<&str> {
        self.get(name)?
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Error::new(ErrorKind::Malformed, "it is missing").with_field(name))
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|pair| &pair.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_doubled_field_is_not_guessed() {
        let fields = Fields::parse(b"a=1&b=2&a=1").unwrap();
        assert_eq!(fields.get("b").unwrap(), Some("2"));
        assert_eq!(fields.get("c").unwrap(), None);
        assert_eq!(fields.get("a").unwrap_err().field(), Some("a"));
        assert_eq!(fields.needed("c").unwrap_err().field(), Some("c"));
        assert!(Fields::parse(b"a=%FF").is_err());
        assert!(Fields::parse(b"a=\xFF").is_err());
        assert!(Fields::parse("a&".repeat(1000).as_bytes()).is_err());
    }

    #[test]
    fn pairs_keep_their_order_and_their_encoding() {
        let fields = Fields::parse(b"b=%2f+x&&a=1=2&c").unwrap();
        let raw: Vec<_> = fields.pairs().map(|pair| (pair.raw, pair.raw_name(), pair.raw_value())).collect();
        assert_eq!(raw, [("b=%2f+x", "b", "%2f+x"), ("a=1=2", "a", "1=2"), ("c", "c", "")]);
        assert_eq!(fields.get("b").unwrap(), Some("/ x"));
        assert_eq!(fields.get("a").unwrap(), Some("1=2"));
        assert_eq!(format!("{fields:?}"), r#"["b", "a", "c"]"#);
    }

    proptest! {
        #[test]
        fn decoding_agrees_with_the_library(text in "[a-c=&+%0-9A-F]{0,40}") {
            let ours = Fields::parse(text.as_bytes());
            let theirs: Vec<_> = url::form_urlencoded::parse(text.as_bytes()).collect();
            if let Ok(ours) = ours {
                let pairs: Vec<_> = ours.pairs().map(|pair| (pair.name.clone(), pair.value.clone())).collect();
                prop_assert_eq!(pairs, theirs);
            } else {
                let unreadable = |text: &str| text.contains('\u{FFFD}');
                prop_assert!(theirs.iter().any(|(name, value)| unreadable(name) || unreadable(value)));
            }
        }
    }
}
