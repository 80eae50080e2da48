//! Amounts as people write them.

use tulbur_core::{Currency, Language, Money};

/// Where the sign of a currency stands.
enum Sign {
    Before(&'static str),
    After(&'static str),
}

/// Writes an amount as payers are used to reading it: `1,500 ₮`, `100.000 ₫`, `$12.50`.
///
/// Tögrög and đồng are written as at home, whatever the page's language: commas and `₮` there, points and `₫` here.
/// Any other currency follows the language, because its readers do. Möngö do not circulate, so they show only where
/// there are some: `1,500.50 ₮`. A currency without a sign that everybody knows has its code: `12.50 CHF`.
///
/// ```
/// use tulbur_core::{Currency, Language, Money};
/// use tulbur_web::format_amount;
///
/// let price = Money::from_major(1500, Currency::MNT)?;
/// assert_eq!(format_amount(price, Language::Mn), "1,500 ₮");
/// # Ok::<(), tulbur_core::MoneyError>(())
/// ```
pub fn format_amount(amount: Money, language: Language) -> String {
    let currency = amount.currency();
    let points_group = match currency {
        Currency::MNT => false,
        Currency::VND => true,
        _ => language == Language::Vi,
    };
    let sign = match (currency, language) {
        (Currency::MNT, _) => Sign::After("₮"),
        (Currency::VND, _) => Sign::After("₫"),
        (Currency::USD, Language::Vi) => Sign::After("US$"),
        (Currency::USD, _) => Sign::Before("$"),
        (Currency::JPY, Language::Mn | Language::En) => Sign::Before("¥"),
        _ => Sign::After(currency.code()),
    };
    let number = digits(amount, points_group);
    let minus = if amount.minor() < 0 { "-" } else { "" };
    match sign {
        Sign::Before(sign) => format!("{minus}{sign}{number}"),
        Sign::After(sign) => format!("{minus}{number} {sign}"),
    }
}

/// The number without its minus.
fn digits(amount: Money, points_group: bool) -> String {
    let (group, point) = if points_group { ('.', ',') } else { (',', '.') };
    let decimals = amount.currency().decimals();
    let per_unit = 10_u64.pow(decimals);
    let minor = amount.minor().unsigned_abs();
    let (units, fraction) = (minor / per_unit, minor % per_unit);

    let plain = units.to_string();
    let mut text = String::with_capacity(plain.len() * 4 / 3);
    for (position, digit) in plain.chars().enumerate() {
        if position > 0 && (plain.len() - position).is_multiple_of(3) {
            text.push(group);
        }
        text.push(digit);
    }
    if decimals == 0 || (amount.currency() == Currency::MNT && fraction == 0) {
        return text;
    }
    let width = usize::try_from(decimals).unwrap_or(0);
    format!("{text}{point}{fraction:0width$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(minor: i64, code: &str, language: Language) -> String {
        format_amount(Money::from_minor(minor, Currency::parse(code).unwrap()), language)
    }

    #[test]
    fn tugrug_and_dong_are_written_as_at_home() {
        for language in [Language::Mn, Language::En, Language::Vi] {
            for (minor, text) in [
                (0, "0 ₮"),
                (1, "0.01 ₮"),
                (100, "1 ₮"),
                (99_900, "999 ₮"),
                (100_000, "1,000 ₮"),
                (150_000, "1,500 ₮"),
                (150_050, "1,500.50 ₮"),
                (12_345_678_900, "123,456,789 ₮"),
                (-150_000, "-1,500 ₮"),
                (i64::MAX, "92,233,720,368,547,758.07 ₮"),
                (i64::MIN, "-92,233,720,368,547,758.08 ₮"),
            ] {
                assert_eq!(shown(minor, "MNT", language), text);
            }
            assert_eq!(shown(100_000, "VND", language), "100.000 ₫");
            assert_eq!(shown(999, "VND", language), "999 ₫");
            assert_eq!(shown(1_234_567, "VND", language), "1.234.567 ₫");
        }
    }

    #[test]
    fn other_currencies_follow_the_language() {
        assert_eq!(shown(1_250, "USD", Language::En), "$12.50");
        assert_eq!(shown(1_200, "USD", Language::Mn), "$12.00");
        assert_eq!(shown(-1_234_567, "USD", Language::En), "-$12,345.67");
        assert_eq!(shown(1_234_567, "USD", Language::Vi), "12.345,67 US$");
        assert_eq!(shown(1_500, "JPY", Language::En), "¥1,500");
        assert_eq!(shown(1_250, "CHF", Language::En), "12.50 CHF");
        assert_eq!(shown(1_234_567, "KWD", Language::En), "1,234.567 KWD");
        assert_eq!(shown(1_234_567, "KWD", Language::Vi), "1.234,567 KWD");
    }

    proptest! {
        #[test]
        fn no_digit_is_lost(minor: i64, which in 0_usize..4, vietnamese: bool) {
            let code = ["MNT", "VND", "USD", "KWD"][which];
            let language = if vietnamese { Language::Vi } else { Language::En };
            let money = Money::from_minor(minor, Currency::parse(code).unwrap());
            let read: String = format_amount(money, language).chars().filter(char::is_ascii_digit).collect();
            let mut exact = money.minor().unsigned_abs().to_string();
            let decimals = usize::try_from(money.currency().decimals()).unwrap();
            while exact.len() <= decimals {
                exact.insert(0, '0');
            }
            if code == "MNT" && exact.ends_with("00") {
                exact.truncate(exact.len() - 2);
            }
            prop_assert_eq!(read, exact);
        }
    }
}
