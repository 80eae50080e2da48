//! The bank's words, at a length and with a content that fit a log, a database and a page.

/// The most characters that are kept of a text.
const MOST: usize = 200;

/// A text without control characters, cut, and without what may be a card's number.
pub(crate) fn clean(text: &str) -> String {
    let short: String = text.chars().filter(|c| !c.is_control()).take(MOST).collect();
    let mut kept = String::with_capacity(short.len());
    let mut rest = short.as_str();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        kept.push_str(if (13..=19).contains(&digits.len()) { "[hidden]" } else { digits });
        let next = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        kept.push_str(&after[..next]);
        rest = &after[next..];
    }
    kept
}

/// Takes these out of a text, should the bank ever repeat them.
pub(crate) fn without<'a>(text: &str, hidden: impl IntoIterator<Item = &'a str>) -> String {
    let mut shown = text.to_owned();
    for secret in hidden {
        if !secret.is_empty() {
            shown = shown.replace(secret, "[hidden]");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_lose_cards_control_characters_and_length() {
        assert_eq!(clean("Амжилттай"), "Амжилттай");
        assert_eq!(clean("card 4987381234563883, code\n 51"), "card [hidden], code 51");
        assert_eq!(clean("000008191937071002124"), "000008191937071002124", "a bill number has 21 digits");
        assert_eq!(clean(&"ө".repeat(500)).chars().count(), MOST);
        assert_eq!(without("for 99112233: no", ["99112233", ""]), "for [hidden]: no");
    }

    proptest! {
        #[test]
        fn no_card_number_is_kept(before in "[^0-9]{0,20}", number in "[0-9]{13,19}", after in "[^0-9]{0,20}") {
            let text = format!("{before}{number}{after}");
            prop_assert!(!clean(&text).contains(&number));
        }
    }
}
