//! Adds up the lines of an invoice, and checks them and the accounts that it is split to.

use serde::{Deserialize, Serialize};

use super::call::{Refusal, boolean, required, text};
use crate::galaxy_pay::fields::Fields;

/// Quantities and prices have up to so many decimals.
const DECIMALS: usize = 4;
/// The most that one line may come to, in möngö; so no sum of lines overflows.
const MOST: u128 = 100_000_000_000_000;

/// What the lines of an invoice come to, in möngö.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sums {
    pub(super) gross: u64,
    pub(super) discount: u64,
    pub(super) surcharge: u64,
    /// VAT in ten-thousandths of a tögrög, as receipts write it.
    pub(super) vat: u64,
    /// City tax, likewise.
    pub(super) city_tax: u64,
    pub(super) total: u64,
}

impl Sums {
    /// The sums of an invoice without lines.
    pub(super) fn of_total(total: u64) -> Self {
        Self { gross: total, total, ..Self::default() }
    }

    /// VAT and city tax in möngö, cut.
    pub(super) fn tax(&self) -> u64 {
        (self.vat + self.city_tax) / 100
    }
}

/// Reads the lines; `None` if there are none. `taxes` says whether they are inside the prices.
pub(super) fn read(fields: &Fields, taxes: &str) -> Result<Option<Sums>, Refusal> {
    check_transactions(fields)?;
    let lines = list(fields, "lines")?;
    if lines.is_empty() {
        return Ok(None);
    }
    let mut sums = Sums::default();
    for line in &lines {
        add(&mut sums, line)?;
    }
    let outside = if taxes == "added" { sums.tax() } else { 0 };
    let total = (sums.gross + sums.surcharge + outside).checked_sub(sums.discount);
    sums.total = total.ok_or_else(|| Refusal::code("INVALID_AMOUNT", "the discounts exceed the lines"))?;
    Ok(Some(sums))
}

fn add(sums: &mut Sums, line: &Fields) -> Result<(), Refusal> {
    for (name, most) in [
        ("sender_product_code", 45),
        ("tax_product_code", 45),
        ("note", 100),
        ("barcode", usize::MAX),
        ("classification_code", 7),
    ] {
        text(line, name, most)?;
    }
    required(line, "line_description", 255)?;
    let quantity = decimal(line, "line_quantity")?;
    let price = decimal(line, "line_unit_price")?;
    let gross = u128::from(quantity) * u128::from(price) / 1_000_000;
    sums.gross += u64::try_from(gross.min(MOST)).unwrap_or_default();
    if gross > MOST {
        return Err(Refusal::code("INVALID_AMOUNT", "line_quantity times line_unit_price is too large"));
    }
    for discount in list(line, "discounts")? {
        text(&discount, "description", 100)?;
        sums.discount += decimal(&discount, "amount")? / 100;
    }
    for surcharge in list(line, "surcharges")? {
        text(&surcharge, "description", 100)?;
        sums.surcharge += decimal(&surcharge, "amount")? / 100;
    }
    for tax in list(line, "taxes")? {
        text(&tax, "description", 100)?;
        let amount = decimal(&tax, "amount")?;
        match text(&tax, "tax_code", 45)?.as_deref() {
            Some("CITY_TAX") => sums.city_tax += amount,
            Some("VAT") | None => sums.vat += amount,
            Some(_) => return Err(Refusal::invalid("tax_code", "field tax_code is VAT or CITY_TAX")),
        }
        if text(&tax, "city_tax", 45)?.is_some() {
            sums.city_tax += decimal(&tax, "city_tax")?;
        }
    }
    Ok(())
}

/// The accounts that an invoice is split to (specification, 7.3). That they must add up is only inferred, so it is not
/// asked for.
fn check_transactions(fields: &Fields) -> Result<(), Refusal> {
    for transaction in list(fields, "transactions")? {
        required(&transaction, "description", 100)?;
        decimal(&transaction, "amount")?;
        for account in list(&transaction, "accounts")? {
            for (name, most) in [
                ("account_bank_code", 45),
                ("account_number", 100),
                ("account_name", 100),
                ("account_currency", 45),
            ] {
                required(&account, name, most)?;
            }
            boolean(&account, "is_default")?;
            text(&account, "iban_number", 100)?;
        }
    }
    Ok(())
}

fn list(fields: &Fields, name: &str) -> Result<Vec<Fields>, Refusal> {
    fields.objects(name).map_err(|why| Refusal::invalid(name, why))
}

/// A mandatory decimal in ten-thousandths, from a number or a text.
fn decimal(fields: &Fields, name: &str) -> Result<u64, Refusal> {
    let text = required(fields, name, 45)?;
    parse(&text).ok_or_else(|| {
        let why = format!("field {name} is not a number of up to 11 digits and {DECIMALS} decimals");
        Refusal::code("INVALID_AMOUNT", why)
    })
}

fn parse(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.len() > 11 || fraction.len() > DECIMALS {
        return None;
    }
    Some(whole.parse::<u64>().ok()? * 10_000 + format!("{fraction:0<4}").parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_added_up_without_a_float() {
        let fields = Fields::parse(
            br#"{"lines":[
                {"line_description":"a","line_quantity":"3.00","line_unit_price":0.1,"discounts":[{"amount":"0.05"}]},
                {"line_description":"b","line_quantity":1.5,"line_unit_price":"1000.00","surcharges":[{"amount":10}],
                 "taxes":[{"tax_code":"VAT","amount":"89.2857"},{"tax_code":"CITY_TAX","amount":17.8571}]}]}"#,
        )
        .unwrap();
        let sums = read(&fields, "inside").unwrap().unwrap();
        let expected = Sums {
            gross: 150_030,
            discount: 5,
            surcharge: 1000,
            vat: 892_857,
            city_tax: 178_571,
            total: 151_025,
        };
        assert_eq!(sums, expected);
        assert_eq!(read(&fields, "added").unwrap().unwrap().total, 151_025 + 10_714);
        assert_eq!(read(&Fields::parse(b"{\"lines\":null}").unwrap(), "inside").unwrap(), None);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        assert_eq!(
            ["1", "1.5", "0.0001", "99999999999"].map(parse),
            [Some(10_000), Some(15_000), Some(1), Some(999_999_999_990_000)]
        );
        for text in ["", ".5", "5.", "1e3", "-1", "1,0", "1.00001", "999999999999", "१"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
