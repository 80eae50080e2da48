//! Amounts that a provider is tried with.

use tulbur_core::{Money, ProviderInfo};

/// For each currency: the smallest amount, one with a fraction, whole ones and large ones, within the declared range.
pub(crate) fn usual_amounts(info: &ProviderInfo) -> Vec<Money> {
    let mut amounts = Vec::new();
    for currency in &info.currencies {
        let unit = 10_i64.pow(currency.decimals());
        let mut minor = vec![1, 7, unit, 10 * unit, 1500 * unit, 123_456_789 * unit, 9_999_999_999 * unit];
        if unit > 1 {
            // A fraction whose last digit is not nothing, one whose last is, and one that a binary fraction cannot hold.
            minor.extend([unit + 1, 1234 * unit + unit / 2, 19 * unit + 99 * unit / 100]);
        }
        if let Some(range) = &info.amounts
            && range.start().currency() == *currency
        {
            minor.retain(|minor| (range.start().minor()..=range.end().minor()).contains(minor));
            minor.extend([range.start().minor(), range.end().minor()]);
        }
        minor.sort_unstable();
        minor.dedup();
        amounts.extend(minor.into_iter().map(|minor| Money::from_minor(minor, *currency)));
    }
    amounts
}

#[cfg(test)]
mod tests {
    use tulbur_core::{AccountName, Alphabet, Currency, ProviderId, RefRule};

    use super::*;

    fn info(currency: Currency) -> ProviderInfo {
        let (id, account) = (ProviderId::parse("bank").unwrap(), AccountName::parse("bank").unwrap());
        ProviderInfo::new(id, account, "Bank", currency, RefRule::new(Alphabet::Digits, 8..=8))
    }

    #[test]
    fn there_is_a_fraction_only_where_the_currency_has_one_and_bounds_hold() {
        let of = |info: &ProviderInfo| usual_amounts(info).iter().map(|m| m.minor()).collect::<Vec<_>>();
        let tugrug = info(Currency::MNT);
        assert!(of(&tugrug).contains(&1) && of(&tugrug).contains(&101) && of(&tugrug).contains(&1999));
        let mut dong = info(Currency::VND);
        assert_eq!(of(&dong)[..4], [1, 7, 10, 1500]);
        dong.amounts = Some(Money::from_minor(5, Currency::VND)..=Money::from_minor(2000, Currency::VND));
        assert_eq!(of(&dong), [5, 7, 10, 1500, 2000]);
    }
}
