//! Exact money, and the text that stands for it on a provider's wire.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// An ISO 4217 currency.
///
/// Serialised as its three-letter code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Mongolian tögrög: two decimals in ISO 4217, although none circulate.
    pub const MNT: Self = Self(iso_currency::Currency::MNT);
    /// Vietnamese đồng: no decimals.
    pub const VND: Self = Self(iso_currency::Currency::VND);
    /// United States dollar: two decimals.
    pub const USD: Self = Self(iso_currency::Currency::USD);
    /// Japanese yen: no decimals.
    pub const JPY: Self = Self(iso_currency::Currency::JPY);

    /// Reads a three-letter code such as `MNT`.
    ///
    /// # Errors
    /// [`MoneyError::UnknownCurrency`] when ISO 4217 has no such code, or the code is not a currency in which
    /// amounts are counted (gold, test codes).
    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        let unknown = || MoneyError::UnknownCurrency(code.chars().take(8).collect());
        let currency = iso_currency::Currency::from_code(code).ok_or_else(unknown)?;
        currency.exponent().ok_or_else(unknown)?;
        Ok(Self(currency))
    }

    /// The three-letter code.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// The three-digit ISO 4217 number, e.g. 496 for MNT (EMV QR tag 53).
    pub fn number(self) -> u16 {
        self.0.numeric()
    }

    /// How many decimals ISO 4217 gives this currency: the distance between the unit and the minor unit.
    pub fn decimals(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or(0))
    }

    /// The sign that people write beside an amount, e.g. `₮`.
    pub fn symbol(self) -> String {
        self.0.symbol().to_string()
    }

    fn minor_per_unit(self) -> i64 {
        10_i64.pow(self.decimals())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(code: &str) -> Result<Self, MoneyError> {
        Self::parse(code)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        let found = serde::de::Unexpected::Other("another text");
        Self::parse(&code)
            .map_err(|_| serde::de::Error::invalid_value(found, &"an ISO 4217 currency code such as MNT"))
    }
}

/// Why a text or a sum is not money.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MoneyError {
    /// The code is not an ISO 4217 currency in which amounts are counted.
    UnknownCurrency(String),
    /// The text is not a plain decimal number: digits, then optionally a point and digits.
    NotANumber(String),
    /// The text has more decimals than the currency, and they are not zeros.
    TooPrecise {
        /// The text as given, shortened.
        text: String,
        /// The currency whose decimals were exceeded.
        currency: Currency,
    },
    /// Somebody wrote more decimals than the currency has, and may have meant one of these
    /// ([`AmountNotation`](crate::AmountNotation)).
    Unclear {
        /// The text as given, shortened.
        text: String,
        /// The currency whose decimals were exceeded.
        currency: Currency,
        /// The amounts that may be meant, one or two, each as it can be written.
        readings: Vec<String>,
    },
    /// The amount does not fit 63 bits of minor units.
    TooLarge,
    /// Two amounts of different currencies were combined.
    CurrencyMismatch {
        /// Currency of the left amount.
        left: Currency,
        /// Currency of the right amount.
        right: Currency,
    },
    /// The amount cannot be written exactly with the decimals of the provider's format.
    NotRepresentable {
        /// The amount.
        amount: Money,
        /// How many decimals the provider's text has.
        decimals: u32,
    },
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCurrency(code) => write!(f, "`{code}` is not an ISO 4217 currency code"),
            Self::NotANumber(text) => {
                write!(f, "`{text}` is not an amount: write digits and at most one point, e.g. 1500.00")
            }
            Self::TooPrecise { text, currency } => {
                write!(f, "`{text}` has more decimals than {currency} ({}) has", currency.decimals())
            }
            Self::Unclear { text, currency, readings } => match readings.as_slice() {
                [first, second] => {
                    write!(f, "`{text}` can mean {first} or {second}: write {first} or {second}")
                }
                all => {
                    let has = currency.decimals();
                    let all = all.join(" or ");
                    write!(
                        f,
                        "`{text}` has more decimals than {currency} ({has}) has: write {all} if that is meant"
                    )
                }
            },
            Self::TooLarge => f.write_str("the amount is too large to be counted exactly"),
            Self::CurrencyMismatch { left, right } => write!(f, "{left} and {right} cannot be combined"),
            Self::NotRepresentable { amount, decimals } => {
                write!(f, "{amount} cannot be written with {decimals} decimals without losing some of it")
            }
        }
    }
}

impl std::error::Error for MoneyError {}

/// An exact amount: a whole number of minor units of one currency.
///
/// It may be zero or negative (a difference is money too); what is asked from a payer is checked where it is
/// asked. There is no constructor that leaves open which unit a number counts.
///
/// ```
/// use tulbur_core::{Currency, Money};
/// let price = Money::parse("1500.00", Currency::MNT)?;
/// assert_eq!(price, Money::from_major(1500, Currency::MNT)?);
/// assert_eq!(price, Money::from_minor(150_000, Currency::MNT));
/// assert_eq!(price.to_string(), "1500.00 MNT");
/// # Ok::<(), tulbur_core::MoneyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// From minor units: möngö for MNT, cents for USD, whole đồng for VND.
    pub const fn from_minor(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// From whole units: tögrög, dollars, đồng.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] when the minor units do not fit.
    pub fn from_major(units: i64, currency: Currency) -> Result<Self, MoneyError> {
        let minor = units.checked_mul(currency.minor_per_unit()).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, currency })
    }

    /// Reads plain decimal text: `1500`, `1500.0` and `1500.00` are the same amount.
    ///
    /// Signs, exponents, spaces and thousands separators are refused. Decimals beyond the currency's own are
    /// accepted only if they are zeros. What a person wrote is read by [`AmountNotation`](crate::AmountNotation) instead.
    ///
    /// # Errors
    /// [`MoneyError::NotANumber`], [`MoneyError::TooPrecise`] or [`MoneyError::TooLarge`].
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let short = || tulbur_redact::card_numbers(text).chars().take(40).collect::<String>();
        let (units, fraction) = match text.split_once('.') {
            Some((units, fraction)) if !fraction.is_empty() => (units, fraction),
            Some(_) => return Err(MoneyError::NotANumber(short())),
            None => (text, ""),
        };
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if units.is_empty() || !digits(units) || !digits(fraction) {
            return Err(MoneyError::NotANumber(short()));
        }
        let decimals = currency.decimals() as usize;
        let (kept, beyond) = fraction.split_at(fraction.len().min(decimals));
        if beyond.bytes().any(|b| b != b'0') {
            return Err(MoneyError::TooPrecise { text: short(), currency });
        }
        let number = |part: &str| match part {
            "" => Ok(0),
            part => part.parse::<i64>().map_err(|_| MoneyError::TooLarge),
        };
        let missing = u32::try_from(decimals - kept.len()).unwrap_or(0);
        let fraction = number(kept)?.checked_mul(10_i64.pow(missing)).ok_or(MoneyError::TooLarge)?;
        let units = number(units)?.checked_mul(currency.minor_per_unit()).ok_or(MoneyError::TooLarge)?;
        let minor = units.checked_add(fraction).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, currency })
    }

    /// The amount in minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Whether the amount is more than nothing.
    pub const fn is_positive(self) -> bool {
        self.minor > 0
    }

    /// Sum of two amounts of one currency.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::TooLarge`].
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, ..self })
    }

    /// Difference of two amounts of one currency.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::TooLarge`].
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_sub(other.minor).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, ..self })
    }

    /// The amount as plain decimal text with all decimals of the currency, e.g. `1500.00`; no currency.
    pub fn to_decimal_text(self) -> String {
        self.with_decimals(self.currency.decimals())
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch { left: self.currency, right: other.currency })
        }
    }

    /// Writes with `decimals` places, which must not cut off anything but zeros.
    fn with_decimals(self, decimals: u32) -> String {
        let own = self.currency.decimals();
        let sign = if self.minor < 0 { "-" } else { "" };
        let minor = self.minor.unsigned_abs();
        let per_unit = self.currency.minor_per_unit().unsigned_abs();
        let (units, fraction) = (minor / per_unit, minor % per_unit);
        if decimals == 0 {
            return format!("{sign}{units}");
        }
        let mut fraction =
            if own == 0 { String::new() } else { format!("{fraction:0>width$}", width = own as usize) };
        while fraction.len() < decimals as usize {
            fraction.push('0');
        }
        fraction.truncate(decimals as usize);
        format!("{sign}{units}.{fraction}")
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal_text(), self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "rust_decimal")]
impl From<Money> for rust_decimal::Decimal {
    fn from(money: Money) -> Self {
        Self::new(money.minor, money.currency.decimals())
    }
}

#[cfg(feature = "rust_decimal")]
impl Money {
    /// From a decimal number of whole units.
    ///
    /// # Errors
    /// [`MoneyError::TooPrecise`] when digits beyond the currency's decimals are not zeros;
    /// [`MoneyError::TooLarge`] when the minor units do not fit.
    pub fn from_decimal(amount: rust_decimal::Decimal, currency: Currency) -> Result<Self, MoneyError> {
        use rust_decimal::prelude::ToPrimitive;
        let scaled = amount
            .checked_mul(rust_decimal::Decimal::from(currency.minor_per_unit()))
            .ok_or(MoneyError::TooLarge)?;
        if !scaled.fract().is_zero() {
            return Err(MoneyError::TooPrecise { text: amount.to_string(), currency });
        }
        let minor = scaled.to_i64().ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, currency })
    }
}

/// How one provider writes an amount. The decimals are the provider's constant, not ISO 4217's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AmountFormat {
    /// Always this many decimals: `1500.00` with two, `100000` with none.
    Fixed(u32),
    /// No decimal that is not needed: `1100`, `1100.5`, `999999.99`.
    Shortest,
}

impl AmountFormat {
    /// Writes the amount once. What comes out is both what is hashed and what is sent.
    ///
    /// # Errors
    /// [`MoneyError::NotRepresentable`] when the format has too few decimals for the amount.
    pub fn render(self, amount: Money) -> Result<AmountText, MoneyError> {
        let own = amount.currency.decimals();
        let needed = (0..=own).find(|decimals| amount.minor % 10_i64.pow(own - decimals) == 0).unwrap_or(own);
        match self {
            Self::Fixed(decimals) if decimals < needed => {
                Err(MoneyError::NotRepresentable { amount, decimals })
            }
            Self::Fixed(decimals) => Ok(AmountText(amount.with_decimals(decimals))),
            Self::Shortest => Ok(AmountText(amount.with_decimals(needed))),
        }
    }
}

/// The literal text of an amount on the wire: what was hashed is what was sent.
///
/// Serialises as a JSON string; [`AmountText::to_json_number`] gives the same characters as a raw JSON number.
/// Deserialises from either and keeps the characters as they were received (from `serde_json` only).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AmountText(String);

impl AmountText {
    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The amount that these characters mean in the account's currency.
    ///
    /// # Errors
    /// As [`Money::parse`].
    pub fn to_money(&self, currency: Currency) -> Result<Money, MoneyError> {
        Money::parse(&self.0, currency)
    }

    /// The same characters as a raw JSON number.
    ///
    /// # Errors
    /// [`MoneyError::NotANumber`] when the text was received and is no JSON number.
    pub fn to_json_number(&self) -> Result<Box<RawValue>, MoneyError> {
        let refuse = || MoneyError::NotANumber(self.0.chars().take(40).collect());
        if !self.0.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            return Err(refuse());
        }
        RawValue::from_string(self.0.clone()).map_err(|_| refuse())
    }
}

impl fmt::Debug for AmountText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for AmountText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for AmountText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AmountText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match raw.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw.get()).map(Self).map_err(serde::de::Error::custom),
            Some(b'-' | b'0'..=b'9') => Ok(Self(raw.get().to_owned())),
            _ => Err(serde::de::Error::custom("an amount must be a JSON string or number")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MNT: Currency = Currency::MNT;

    #[test]
    fn equal_decimals_are_equal_amounts() {
        for text in ["1500", "1500.0", "1500.00", "1500.000", "001500"] {
            assert_eq!(Money::parse(text, MNT), Money::from_major(1500, MNT), "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_decimal_text_is_refused() {
        for text in
            ["", ".", "1.", ".5", "-1", "+1", "1e6", "1,500.00", " 1", "1 ", "1.2.3", "１", "NaN", "0x1"]
        {
            assert!(matches!(Money::parse(text, MNT), Err(MoneyError::NotANumber(_))), "{text}");
        }
    }

    #[test]
    fn decimals_beyond_the_currency_are_refused() {
        assert!(matches!(Money::parse("1.005", MNT), Err(MoneyError::TooPrecise { .. })));
        assert!(matches!(Money::parse("1.5", Currency::VND), Err(MoneyError::TooPrecise { .. })));
        assert_eq!(Money::parse("1.0", Currency::VND), Ok(Money::from_minor(1, Currency::VND)));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(Money::parse("92233720368547758.08", MNT), Err(MoneyError::TooLarge));
        assert_eq!(Money::parse("92233720368547758.07", MNT), Ok(Money::from_minor(i64::MAX, MNT)));
        assert_eq!(Money::parse(&"9".repeat(400), MNT), Err(MoneyError::TooLarge));
        assert_eq!(Money::from_major(i64::MAX, MNT), Err(MoneyError::TooLarge));
    }

    #[test]
    fn currencies_do_not_mix() {
        let (left, right) = (Money::from_minor(1, MNT), Money::from_minor(1, Currency::VND));
        assert_eq!(
            left.checked_add(right),
            Err(MoneyError::CurrencyMismatch { left: MNT, right: Currency::VND })
        );
        assert_eq!(Currency::parse("XAU"), Err(MoneyError::UnknownCurrency("XAU".into())));
        assert_eq!(Currency::parse("mnt"), Err(MoneyError::UnknownCurrency("mnt".into())));
    }

    #[test]
    fn formats_write_the_providers_text() {
        let text = |format: AmountFormat, minor| format.render(Money::from_minor(minor, MNT)).unwrap().0;
        assert_eq!(text(AmountFormat::Fixed(2), 150_000), "1500.00");
        assert_eq!(text(AmountFormat::Fixed(0), 150_000), "1500");
        assert_eq!(text(AmountFormat::Shortest, 110_000), "1100");
        assert_eq!(text(AmountFormat::Shortest, 110_050), "1100.5");
        assert_eq!(text(AmountFormat::Shortest, 99_999_999), "999999.99");
        assert_eq!(text(AmountFormat::Shortest, 100_000_000), "1000000");
        let half = Money::from_minor(50, MNT);
        assert_eq!(
            AmountFormat::Fixed(0).render(half),
            Err(MoneyError::NotRepresentable { amount: half, decimals: 0 })
        );
        let dong = Money::from_minor(100_000, Currency::VND);
        assert_eq!(AmountFormat::Fixed(0).render(dong).unwrap().as_str(), "100000");
        assert_eq!(AmountFormat::Fixed(2).render(dong).unwrap().as_str(), "100000.00");
    }

    #[test]
    fn amount_text_keeps_what_was_received() {
        let read = |json: &str| serde_json::from_str::<AmountText>(json);
        assert_eq!(read("\"1500.00\"").unwrap().as_str(), "1500.00");
        assert_eq!(read("1500.0").unwrap().as_str(), "1500.0");
        assert_eq!(read("1e2").unwrap().as_str(), "1e2");
        assert!(read("null").is_err());
        assert!(read("[1]").is_err());
        let number = AmountFormat::Fixed(2).render(Money::from_minor(150_000, MNT)).unwrap();
        assert_eq!(number.to_json_number().unwrap().get(), "1500.00");
        assert!(AmountText("\"x\"".into()).to_json_number().is_err());
    }

    #[cfg(feature = "rust_decimal")]
    #[test]
    fn decimals_convert_exactly() {
        let money = Money::from_minor(150_050, MNT);
        assert_eq!(Money::from_decimal(money.into(), MNT), Ok(money));
        assert!(Money::from_decimal(rust_decimal::Decimal::new(1, 3), MNT).is_err());
    }

    proptest! {
        #[test]
        fn text_round_trips(minor in 0..=i64::MAX, zero_decimal: bool) {
            let currency = if zero_decimal { Currency::VND } else { MNT };
            let money = Money::from_minor(minor, currency);
            for format in [AmountFormat::Shortest, AmountFormat::Fixed(currency.decimals()), AmountFormat::Fixed(4)] {
                prop_assert_eq!(format.render(money).unwrap().to_money(currency), Ok(money));
            }
            prop_assert_eq!(Money::parse(&money.to_decimal_text(), currency), Ok(money));
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            drop(Money::parse(&text, MNT));
            drop(serde_json::from_str::<AmountText>(&text));
        }
    }
}
