//! Shortens the gateway's free text, and hides what may be a card's number or token in it.

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
        fn no_text_is_too_strange(text in ".{0,200}") {
            drop(words(&text));
        }
    }
}
