//! Reads amounts that people write: on a command line, in a form, in a list that they were sent.

use crate::money::{AmountFormat, Currency, Money, MoneyError};

/// How people write amounts: what separates decimals, and thousands if they say that they separate them.
///
/// [`Money::parse`] is for a provider's wire, where `50.000` is fifty. People write `50.000` for fifty thousand as well. So
/// this refuses more decimals than the currency has, also when they are zeros, and takes separated thousands only when
/// they are declared.
///
/// ```
/// use tulbur_core::{AmountNotation, Currency, Money};
///
/// let plain = AmountNotation::default();
/// assert_eq!(plain.parse("50000", Currency::VND)?, Money::from_major(50_000, Currency::VND)?);
/// let unclear = plain.parse("50.000", Currency::VND).unwrap_err();
/// assert_eq!(unclear.to_string(), "`50.000` can mean 50 or 50000: write 50 or 50000");
///
/// let vietnamese = AmountNotation::new(',').thousands('.');
/// assert_eq!(vietnamese.parse("50.000", Currency::VND)?, Money::from_major(50_000, Currency::VND)?);
/// # Ok::<(), tulbur_core::MoneyError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmountNotation {
    decimal: char,
    thousands: Option<char>,
}

impl Default for AmountNotation {
    /// A decimal point, and thousands that are not separated.
    fn default() -> Self {
        Self::new('.')
    }
}

impl AmountNotation {
    /// With this character before the decimals, and thousands that are not separated.
    pub const fn new(decimal: char) -> Self {
        Self { decimal, thousands: None }
    }

    /// With thousands separated by this character. A blank stands for every kind of blank.
    #[must_use]
    pub const fn thousands(mut self, separator: char) -> Self {
        self.thousands = Some(separator);
        self
    }

    /// Reads an amount in this notation.
    ///
    /// # Errors
    /// [`MoneyError::NotANumber`] for anything but digits and the separators in their places, [`MoneyError::Unclear`] or
    /// [`MoneyError::TooPrecise`] for more decimals than the currency has, and [`MoneyError::TooLarge`].
    pub fn parse(self, text: &str, currency: Currency) -> Result<Money, MoneyError> {
        let not_a_number = || MoneyError::NotANumber(text.chars().take(40).collect());
        let (whole, fraction) = match text.split_once(self.decimal) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let units = self.ungrouped(whole).ok_or_else(not_a_number)?;
        if !is_digits(&units) || fraction.is_some_and(|fraction| !is_digits(fraction)) {
            return Err(not_a_number());
        }
        let fraction = fraction.unwrap_or_default();
        let plain = if fraction.is_empty() { units } else { format!("{units}.{fraction}") };
        if fraction.len() <= currency.decimals() as usize {
            return Money::parse(&plain, currency);
        }
        let may_be_a_group = fraction.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0');
        let grouped = may_be_a_group.then(|| Money::parse(&plain.replace('.', ""), currency)).transpose()?;
        let exact = match Money::parse(&plain, currency) {
            Err(MoneyError::TooPrecise { .. }) => None,
            other => Some(other?),
        };
        let readings: Vec<String> = exact.into_iter().chain(grouped).map(|one| self.write(one)).collect();
        let text = text.chars().take(40).collect();
        Err(if readings.is_empty() {
            MoneyError::TooPrecise { text, currency }
        } else {
            MoneyError::Unclear { text, currency, readings }
        })
    }

    /// Takes out the separators between thousands, which must stand where they belong.
    fn ungrouped(self, whole: &str) -> Option<String> {
        let blank = |c: char| if matches!(c, '\u{a0}' | '\u{202f}') { ' ' } else { c };
        let Some(separator) = self.thousands.filter(|one| whole.chars().any(|c| blank(c) == blank(*one)))
        else {
            return Some(whole.to_owned());
        };
        let groups: Vec<&str> = whole.split(|c| blank(c) == blank(separator)).collect();
        let (first, rest) = groups.split_first()?;
        let fits = (1..=3).contains(&first.len()) && rest.iter().all(|group| group.len() == 3);
        fits.then(|| groups.concat())
    }

    /// Writes an amount so that it has one reading: without separated thousands and without needless decimals.
    fn write(self, amount: Money) -> String {
        let text = AmountFormat::Shortest.render(amount).map(|text| text.as_str().to_owned());
        text.unwrap_or_else(|_| amount.to_decimal_text()).replace('.', self.decimal.encode_utf8(&mut [0; 4]))
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: AmountNotation = AmountNotation::new('.');

    fn refused(notation: AmountNotation, text: &str, currency: Currency) -> String {
        notation.parse(text, currency).unwrap_err().to_string()
    }

    #[test]
    fn what_can_be_read_in_two_ways_names_both() {
        for (text, currency, said) in [
            ("50.000", Currency::VND, "`50.000` can mean 50 or 50000: write 50 or 50000"),
            ("50.000", Currency::MNT, "`50.000` can mean 50 or 50000: write 50 or 50000"),
            ("1.500", Currency::USD, "`1.500` can mean 1.5 or 1500: write 1.5 or 1500"),
            (
                "1.505",
                Currency::USD,
                "`1.505` has more decimals than USD (2) has: write 1505 if that is meant",
            ),
            ("50.0", Currency::VND, "`50.0` has more decimals than VND (0) has: write 50 if that is meant"),
            ("0.000", Currency::VND, "`0.000` has more decimals than VND (0) has: write 0 if that is meant"),
            (
                "1500.000",
                Currency::MNT,
                "`1500.000` has more decimals than MNT (2) has: write 1500 if that is meant",
            ),
            ("1.5", Currency::VND, "`1.5` has more decimals than VND (0) has"),
        ] {
            assert_eq!(refused(PLAIN, text, currency), said, "{text}");
        }
        let comma = AmountNotation::new(',');
        assert_eq!(refused(comma, "1,500", Currency::MNT), "`1,500` can mean 1,5 or 1500: write 1,5 or 1500");
        // Declared thousands do not make surplus decimals right.
        assert!(refused(PLAIN.thousands(','), "50.000", Currency::VND).contains("50 or 50000"));
    }

    #[test]
    fn thousands_are_read_only_if_declared_and_in_their_places() {
        for text in ["1,500", "1 500", "1.500.000", "-5", "+5", "1e3", "5.", ".5", "", "१"] {
            assert!(matches!(PLAIN.parse(text, Currency::MNT), Err(MoneyError::NotANumber(_))), "{text}");
        }
        let grouped = PLAIN.thousands(',');
        let read = |text| grouped.parse(text, Currency::MNT).map(Money::to_decimal_text).ok();
        assert_eq!(read("12,345,678.9").as_deref(), Some("12345678.90"));
        assert_eq!(read("1500").as_deref(), Some("1500.00"));
        for text in ["1,50", "1,5000", ",500", "1500,000", "1,,500", "1,500,", "1.500,00"] {
            assert_eq!(read(text), None, "{text}");
        }
        let blank = AmountNotation::new(',').thousands(' ');
        for text in ["1 500,25", "1\u{a0}500,25", "1\u{202f}500,25"] {
            assert_eq!(blank.parse(text, Currency::MNT), Ok(Money::from_minor(150_025, Currency::MNT)));
        }
    }

    proptest! {
        #[test]
        fn what_is_read_has_one_reading(minor in 0..i64::MAX, dong: bool) {
            let amount = Money::from_minor(minor, if dong { Currency::VND } else { Currency::MNT });
            prop_assert_eq!(PLAIN.parse(&amount.to_decimal_text(), amount.currency()), Ok(amount));
            prop_assert_eq!(PLAIN.parse(&PLAIN.write(amount), amount.currency()), Ok(amount));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}", numbers in "[0-9., ]{0,30}") {
            for notation in [PLAIN, PLAIN.thousands(','), AmountNotation::new(',').thousands('.')] {
                drop(notation.parse(&text, Currency::MNT));
                drop(notation.parse(&numbers, Currency::VND));
            }
        }
    }
}
