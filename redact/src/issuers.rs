//! Knows how the card numbers of each issuer begin and how long they are, and checks their last digit.
//!
//! | issuer | begins with | digits | source |
//! |---|---|---|---|
//! | Visa | 4 | 13, 16, 18, 19 | credit-card-type; 13 as issued until the 1990s, Wikipedia |
//! | Mastercard | 51–55, 2221–2720 | 16 | credit-card-type |
//! | American Express | 34, 37 | 15 | credit-card-type |
//! | Diners Club | 300–305, 3095, 36, 38, 39 | 14, 16, 19 | credit-card-type; 3095 Wikipedia |
//! | JCB | 3528–3589 | 16–19 | credit-card-type |
//! | JCB, test cards | 3337 | 16 | `VNPay`'s page of test cards |
//! | Discover | 6011, 644–649, 65 | 16, 19 | credit-card-type |
//! | UnionPay | 62, 81 | 16–19 | credit-card-type, Wikipedia |
//! | Maestro | 5018, 5020, 5038, 5893, 6304, 6759, 6761–6763 | 13–19 | Wikipedia |
//! | Mir | 2200–2204 | 16–19 | credit-card-type |
//! | `RuPay` | 60, 82, 508 | 16 | Wikipedia |
//! | `UzCard` | 8600 | 16 | Wikipedia |
//! | national | 9: Napas 9704, Humo 9860, Troy 9792, Golomt 9496, and others | 16, 19 | ISO/IEC 7812-1: 9 is for national use |
//!
//! credit-card-type is `github.com/braintree/credit-card-type`, `src/lib/card-types.ts`; Wikipedia is its article
//! *Payment card number*, section *Issuer identification number*. A range there that has 14 or 15 digits beside 16
//! is taken without them, except for American Express and Diners Club: `QPay`'s payment ids have 15 digits.

/// The length of the longest card number.
pub(crate) const LONGEST: usize = 19;
const SHORTEST: usize = 13;

/// Whether these digits are a card number, were they written in one group.
pub(crate) fn is_card(digits: impl ExactSizeIterator<Item = u8> + DoubleEndedIterator + Clone) -> bool {
    (SHORTEST..=LONGEST).contains(&digits.len())
        && issued(
            digits.clone().take(4).fold(0, |number, digit| number * 10 + u16::from(digit)),
            digits.len(),
        )
        && !is_time(digits.clone())
        && passes_luhn(digits)
}

/// Whether an issuer has numbers that begin with these four digits and have this length.
fn issued(prefix: u16, length: usize) -> bool {
    let lengths: &[usize] = match prefix {
        4000..=4999 => &[13, 16, 18, 19],
        3400..=3499 | 3700..=3799 => &[15],
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => &[14, 16, 19],
        2200..=2204 | 3528..=3589 | 6200..=6299 | 8100..=8199 => &[16, 17, 18, 19],
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => &[13, 14, 15, 16, 17, 18, 19],
        6011 | 6440..=6599 | 9000..=9999 => &[16, 19],
        2221..=2720 | 3337 | 5080..=5089 | 5100..=5599 | 6000..=6099 | 8200..=8299 | 8600 => &[16],
        _ => &[],
    };
    lengths.contains(&length)
}

/// Whether it is `ddmmyyyyhhmmss` of this or the last century: 30 and 31 of a month begin as Diners Club's numbers do.
fn is_time(digits: impl ExactSizeIterator<Item = u8>) -> bool {
    let mut digits = digits.map(u32::from);
    let mut pair = || digits.next().unwrap_or_default() * 10 + digits.next().unwrap_or_default();
    let (day, month, century, _, hour, minute, second) =
        (pair(), pair(), pair(), pair(), pair(), pair(), pair());
    digits.len() == 0
        && (1..=31).contains(&day)
        && (1..=12).contains(&month)
        && (19..=20).contains(&century)
        && hour < 24
        && minute < 60
        && second < 60
}

/// The check digit rule of ISO/IEC 7812-1, annex B.
fn passes_luhn(digits: impl DoubleEndedIterator<Item = u8>) -> bool {
    let sum: u32 = digits
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(digit) * 2) {
            (0, double) => double / 2,
            (_, double) => double / 10 + double % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether a card's number is printed, or commonly written, in groups of these sizes.
pub(crate) fn usual(groups: &[usize]) -> bool {
    matches!(groups, [_] | [4, 4, 4, 4] | [4, 4, 4, 4, 1..=3] | [4, 6, 4 | 5] | [4, 4, 5] | [6, 13])
}

/// Whether numbers that begin with this digit are taken only in usual groups: telephone numbers begin with 9 too, and
/// two of them are 16 digits.
pub(crate) fn is_national(first: u8) -> bool {
    first == 9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(number: &str) -> bool {
        is_card(number.bytes().map(|byte| byte - b'0').collect::<Vec<_>>().into_iter())
    }

    /// Numbers that the issuers and the gateways print for tests.
    #[test]
    fn the_numbers_of_each_issuer_are_known() {
        for number in [
            "4111111111111111",
            "4222222222222",
            "4012000033330026",
            "4456530000001005",
            "5555555555554444",
            "2223003122003222",
            "5200000000001005",
            "378282246310005",
            "371449635398431",
            "30569309025904",
            "38520000023237",
            "3530111333300000",
            "3337000000000008",
            "6011111111111117",
            "6200000000000005",
            "6205500000000000004",
            "6759649826438453",
            "2200000000000004",
            "9704000000000018",
            "9704198526191432198",
            "9999990000000006",
            "8600000000000007",
        ] {
            let last = number.as_bytes()[number.len() - 1];
            let broken = format!("{}{}", &number[..number.len() - 1], (last - b'0' + 1) % 10);
            assert!(!is(&broken), "{broken}");
            assert!(is(number), "{number}");
        }
    }

    #[test]
    fn what_no_issuer_has_is_no_card() {
        for number in [
            // Right check digits, wrong beginnings or lengths.
            "0000000000000000",
            "1234567812345670",
            "7000000000000005",
            "411111111111116",
            "55555555555544440",
            "41111111111111111111",
            "30072026101502",
        ] {
            assert!(!is(number), "{number}");
        }
    }
}
