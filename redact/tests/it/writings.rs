//! Writes card numbers in every way, and looks for them in what is shown.

use std::borrow::Cow;

use proptest::prelude::*;
use tulbur_redact::{HIDDEN, card_numbers, card_numbers_except, free_text};

/// The zeros of some scripts: ASCII, fullwidth, Arabic-Indic, Persian, Devanagari, Thai, Mongolian, mathematical.
const ZEROS: [char; 8] = ['0', '０', '٠', '۰', '०', '๐', '᠐', '𝟎'];
/// Between groups of any size.
const SEPARATORS: [&str; 24] = [
    "", " ", "  ", " - ", ".", "-", "+", "\t", "\n", "\u{a0}", "\u{2007}", "\u{202f}", "\u{3000}",
    "\u{2010}", "\u{2011}", "–", "—", "\u{2212}", "－", "·", "\u{200b}", "\u{ad}", "%20", "\\u00a0",
];

/// Starts and lengths, from the issuers' rules.
fn number() -> impl Strategy<Value = Vec<u32>> {
    let issuer = prop::sample::select(vec![
        ("4", 16),
        ("4", 13),
        ("4", 19),
        ("51", 16),
        ("55", 16),
        ("2221", 16),
        ("2720", 16),
        ("34", 15),
        ("37", 15),
        ("36", 14),
        ("3528", 16),
        ("6011", 16),
        ("65", 16),
        ("62", 16),
        ("62", 19),
        ("6759", 18),
        ("2200", 16),
        ("8600", 16),
    ]);
    (issuer, prop::collection::vec(0_u32..10, 19)).prop_map(|((prefix, length), filling)| {
        let mut digits: Vec<u32> = prefix.chars().filter_map(|c| c.to_digit(10)).chain(filling).collect();
        digits.truncate(length - 1);
        digits.push(0);
        let sum: u32 = digits
            .iter()
            .rev()
            .enumerate()
            .map(|(place, digit)| if place % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 })
            .sum();
        digits[length - 1] = (10 - sum % 10) % 10;
        digits
    })
}

fn write(digits: &[u32], zeros: &[char], separators: &[&str]) -> String {
    let mut text = String::new();
    for (place, digit) in digits.iter().enumerate() {
        if place > 0 {
            text.push_str(separators[place % separators.len()]);
        }
        let zero = zeros[place % zeros.len()];
        text.extend(char::from_u32(u32::from(zero) + digit));
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Any scripts, any separators at any places, anything but digits and separators around.
    #[test]
    fn a_card_number_is_hidden_in_every_writing(
        digits in number(),
        zeros in prop::collection::vec(prop::sample::select(ZEROS.to_vec()), 1..3),
        separators in prop::collection::vec(prop::sample::select(SEPARATORS.to_vec()), 1..6),
        before in "[a-zA-Zа-я(:\"=*# ]{0,12}",
        after in "[a-zA-Zа-я),\"&*# ]{0,12}",
    ) {
        let number = write(&digits, &zeros, &separators);
        let text = format!("{before}{number}{after}");
        prop_assert_eq!(card_numbers(&text), format!("{before}{HIDDEN}{after}"));
        prop_assert!(!free_text(&text).contains(&number));
    }

    /// Groups as on a card, whatever stands between them.
    #[test]
    fn a_national_number_is_hidden_as_it_is_printed(
        rest in prop::collection::vec(0_u32..10, 14),
        separator in prop::sample::select(vec!["", " ", "-", "/", "_", ",", "\u{a0}", ":", "\\", " | "]),
    ) {
        let mut digits = vec![9];
        digits.extend(rest);
        let sum: u32 = digits.iter().enumerate()
            .map(|(place, digit)| if place % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { *digit }).sum();
        digits.push((10 - sum % 10) % 10);
        let text = write(&digits, &['0'], &[separator, "", "", ""]);
        prop_assert_eq!(card_numbers(&text), HIDDEN);
    }

    /// Further numbers before and after, with something between.
    #[test]
    fn neighbours_hide_no_card_number(
        digits in number(),
        before in "([0-9]{1,6}[ .-]){0,4}",
        after in "([ .-][0-9]{1,6}){0,4}",
        separator in prop::sample::select(vec!["", " ", "-"]),
    ) {
        let number = write(&digits, &['0'], &[separator, "", "", ""]);
        let shown = card_numbers(&format!("{before}{number}{after}")).into_owned();
        let plain = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        prop_assert!(!plain(&shown).contains(&plain(&number)), "{}", shown);
        prop_assert!(shown.contains(HIDDEN));
    }

    /// Whatever arrives: no panic, nothing new to hide in what is shown, nothing allocated for what stays.
    #[test]
    fn hiding_twice_is_hiding_once(text in "[0-9 x\\-.%&;u{}\\\\A-F\u{a0}４]{0,80}|.{0,60}|(000201|[0-9]{4}| ){0,20}") {
        for hide in [card_numbers, free_text] {
            let shown = hide(&text);
            prop_assert_eq!(hide(&shown), &*shown);
            prop_assert!(matches!(shown, Cow::Borrowed(_)) || shown.contains(HIDDEN));
        }
    }

    /// Where nothing could be a number, nothing changes.
    #[test]
    fn words_stay(text in "[а-яa-z ,.!?]{0,60}[0-9]{0,12}[а-яa-z ,.!?]{0,30}") {
        prop_assert!(matches!(card_numbers(&text), Cow::Borrowed(shown) if shown == text));
    }
}

#[test]
fn the_writings_of_the_issue_are_hidden() {
    for number in [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111\u{a0}1111\u{a0}1111\u{a0}1111",
        "4111‑1111‑1111‑1111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "４１１１１１１１１１１１１１１１",
        "٤١١١ ١١١١ ١١١١ ١١١١",
        "४१११-११११-११११-११११",
        "᠔᠑᠑᠑᠑᠑᠑᠑᠑᠑᠑᠑᠑᠑᠑᠑",
        "4111/1111/1111/1111",
        "4111+1111+1111+1111",
        "4111%201111%201111%201111",
        "4111\\u00a01111\\u00a01111\\u00a01111",
        "4111&nbsp;1111&#160;1111&#xA0;1111",
        "%34111111111111111",
        "4️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣",
        "3782 822463 10005",
    ] {
        let hidden = card_numbers(number);
        assert!(hidden == HIDDEN || hidden == format!("{HIDDEN}\u{fe0f}\u{20e3}"), "{number}: {hidden}");
        assert_eq!(card_numbers(&format!("x{number}")), format!("x{hidden}"));
        assert_eq!(card_numbers(&format!("{{\"a\":\"{number}\"}}")), format!("{{\"a\":\"{hidden}\"}}"));
        assert_eq!(card_numbers(&format!("{number}x 12/30 737")), format!("{hidden}x 12/30 737"));
    }
    assert_eq!(card_numbers("from 5555555555554444 to 4111 1111 1111 1111."), "from [hidden] to [hidden].");
}

#[test]
fn tokens_are_hidden_and_what_is_shorter_is_not() {
    for (text, shown) in [
        ("token 2d1f5b0c9a7e4d3f8b6a1c0e2f4d6b8a0c1e3f5a7b9d1c3e5f7a9b0d2c4e6f80.", "token [hidden]."),
        ("3235EAC3C7A94E1B8D2F6A5B4C3D2E1F0A9B", "[hidden]"),
        ("0190a1b2c3d47e5f8a9b0c1d2e3f4a5b", "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b"),
        ("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"),
        ("Картын хугацаа дууссан", "Картын хугацаа дууссан"),
        ("x4111111111111111abcdefghijklmnopqrstuvwxyz", "[hidden]"),
    ] {
        assert_eq!(free_text(text), shown);
    }
}

#[test]
fn a_known_reference_is_never_hidden_and_hides_nothing() {
    let reference = "4111111111111111";
    let other = "/pay/4111111111111111?card=5555555555554444&x=4111%201111%201111%201111";
    assert_eq!(card_numbers_except(other, &[reference]), "/pay/4111111111111111?card=[hidden]&x=[hidden]");
    assert_eq!(
        card_numbers_except("a-4111111111111111-b", &["a-4111111111111111-b"]),
        "a-4111111111111111-b"
    );
    for short in ["", "1", "4111", "11111111"] {
        assert_eq!(card_numbers_except(reference, &[short]), HIDDEN, "{short}");
    }
    assert_eq!(card_numbers_except("ө4111111111111111ө", &["өө4111111111111111өө"]), "ө[hidden]ө");
}
