//! Holds text from outside without what nobody may read: card numbers, tokens, control characters.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// The most characters that are kept of a free text: they fit a log, a database and a page.
const MOST: usize = 300;
/// The most characters that are kept of a card's number.
const MOST_OF_A_NUMBER: usize = 40;

/// Text for people that somebody else wrote, or that quotes it: a provider's code and words, the name of a bank.
///
/// Whatever it is made from, it holds no card number in any writing and no token
/// ([`tulbur_redact::free_text`](https://docs.rs/tulbur-redact) says which), no control character, and at most 300
/// characters; `[hidden]` stands for what was taken out. That is also so for what is read back from a database.
///
/// It is no type for a reference, which must stay as it is.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct FreeText(String);

impl FreeText {
    /// Takes a text as it came.
    pub fn new<'a>(text: impl Into<Cow<'a, str>>) -> Self {
        let text = text.into();
        match tulbur_redact::free_text(&text) {
            // Nearly every text stays as it is, and a push is read often.
            Cow::Borrowed(_) => Self(printable(text)),
            Cow::Owned(shown) => Self(printable(shown.into())),
        }
    }

    /// Takes a text without these secrets, such as what the request has sent, should the provider ever repeat them.
    pub fn without<'s>(text: &str, secrets: impl IntoIterator<Item = &'s str>) -> Self {
        Self::new(tulbur_redact::without(text, secrets))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text without control characters, and cut. The cut leaves no part of a number that would be taken for one.
fn printable(text: Cow<'_, str>) -> String {
    if text.len() <= MOST && !text.chars().any(char::is_control) {
        return text.into_owned();
    }
    let cut: String = text.chars().filter(|c| !c.is_control()).take(MOST).collect();
    tulbur_redact::free_text(&cut).into_owned()
}

impl Deref for FreeText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FreeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FreeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'a> From<Cow<'a, str>> for FreeText {
    fn from(text: Cow<'a, str>) -> Self {
        Self::new(text)
    }
}

impl From<&str> for FreeText {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for FreeText {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<FreeText> for String {
    fn from(text: FreeText) -> Self {
        text.0
    }
}

/// A card's number as it may be shown: at most its first six and last four digits, e.g. `949625******0003`.
///
/// A number with more than ten digits in clear, of whatever script, is masked here, whatever the provider did.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct MaskedNumber(String);

impl MaskedNumber {
    /// Takes a number as a provider gave it, at most 40 characters of it.
    pub fn new(number: &str) -> Self {
        let shown = tulbur_redact::masked_number(number);
        Self(shown.chars().filter(|c| !c.is_control()).take(MOST_OF_A_NUMBER).collect())
    }

    /// The masked number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for MaskedNumber {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MaskedNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MaskedNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<String> for MaskedNumber {
    fn from(number: String) -> Self {
        Self::new(&number)
    }
}

impl From<MaskedNumber> for String {
    fn from(number: MaskedNumber) -> Self {
        number.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_free_text_loses_cards_tokens_control_characters_and_length() {
        for (text, shown) in [
            ("Амжилттай", "Амжилттай"),
            ("card 4987 3812 3456 3883,\n code 51", "card [hidden], code 51"),
            ("4987\u{0}3812\u{0}3456\u{0}3883", "[hidden]"),
            ("3235EAC3C7A94E1B8D2F6A5B4C3D2E1F0A9B", "[hidden]"),
            ("paid at 20261130101500", "paid at 20261130101500"),
        ] {
            assert_eq!(FreeText::new(text).as_str(), shown);
        }
        assert_eq!(FreeText::new("ө".repeat(500)).chars().count(), MOST);
        assert_eq!(&*FreeText::without("for 99112233: no", ["99112233", ""]), "for [hidden]: no");
    }

    /// A number across the end of what is kept is hidden before the text is cut.
    #[test]
    fn the_cut_shows_no_part_of_a_number() {
        for before in MOST - 25..MOST {
            let text = format!("{}4987 3812 3456 3883", "x ".repeat(before / 2));
            let shown = FreeText::new(text);
            assert!(!shown.contains("4987"), "{before}: {shown}");
        }
    }

    #[test]
    fn what_is_read_back_is_hidden_too() {
        let text: FreeText = serde_json::from_str("\"x4987-3812-3456-3883\"").unwrap();
        assert_eq!((format!("{text:?} {text}"), text.len()), ("\"x[hidden]\" x[hidden]".to_owned(), 9));
        assert_eq!(serde_json::to_string(&text).unwrap(), "\"x[hidden]\"");
        let number: MaskedNumber = serde_json::from_str("\"４９８７３８１２３４５６３８８３\"").unwrap();
        assert_eq!(number.as_str(), "４９８７３８******３８８３");
    }

    proptest! {
        #[test]
        fn what_was_taken_stays_as_it_is(text in "[0-9 x]{0,400}|.{0,400}") {
            let once = FreeText::new(&*text);
            prop_assert!(once.chars().count() <= MOST);
            prop_assert_eq!(FreeText::new(once.as_str()), once);
            let number = MaskedNumber::new(&text);
            prop_assert_eq!(MaskedNumber::new(&number), number);
        }
    }
}
