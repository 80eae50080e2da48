//! Masks a field that is known to hold a card number, and takes known secrets out of a text.

use std::borrow::Cow;

use crate::HIDDEN;
use crate::characters::digit;

/// How many digits of a card number may be shown (PCI DSS 4.0, requirement 3.4.1): the first six and the last four.
const FIRST: usize = 6;
const LAST: usize = 4;

/// Masks a card number of which a provider may have masked nothing: what has more than ten digits in clear keeps the
/// first six and the last four, and `*` stands for each of the others.
///
/// For a field that holds nothing else; it asks for no issuer and no check digit. Digits of every script count.
pub fn masked_number(number: &str) -> Cow<'_, str> {
    let digits = number.chars().filter(|c| digit(*c).is_some()).count();
    if digits <= FIRST + LAST {
        return Cow::Borrowed(number);
    }
    let mut seen = 0;
    let mask = |c: char| {
        if digit(c).is_none() {
            return c;
        }
        seen += 1;
        if seen <= FIRST || seen > digits - LAST { c } else { '*' }
    };
    Cow::Owned(number.chars().map(mask).collect())
}

/// Hides secrets that the caller knows, such as what a request has sent, wherever they stand in a text.
///
/// An empty one hides nothing. A secret that the text has in another encoding, or in part, is not found.
pub fn without<'t, 's>(text: &'t str, secrets: impl IntoIterator<Item = &'s str>) -> Cow<'t, str> {
    let mut shown = Cow::Borrowed(text);
    for secret in secrets {
        if !secret.is_empty() && shown.contains(secret) {
            shown = Cow::Owned(shown.replace(secret, HIDDEN));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_not_masked_is_masked() {
        for (number, shown) in [
            ("4987381234563883", "498738******3883"),
            ("4987 3812 3456 3883", "4987 38** **** 3883"),
            ("４９８７３８１２３４５６３８８３", "４９８７３８******３８８３"),
            ("949625******0003", "949625******0003"),
            ("", ""),
        ] {
            assert_eq!(masked_number(number), shown);
        }
    }

    #[test]
    fn known_secrets_are_hidden_wherever_they_stand() {
        assert_eq!(without("for 99112233: no", ["99112233", ""]), "for [hidden]: no");
        assert!(matches!(without("nothing", ["99112233", ""]), Cow::Borrowed("nothing")));
    }
}
