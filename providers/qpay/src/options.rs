//! Defines the options that only QPay has. They are chosen for each invoice.

use std::fmt;

use serde::{Deserialize, Serialize};
use tulbur_core::{Money, ProviderOptions};

use crate::ID;

/// What only QPay has, for an invoice. Without options an invoice has the least that QPay wants.
///
/// Where a text is too long for its field, the invoice is refused before it is sent. Lengths are of characters (OAS).
///
/// ```
/// use tulbur_core::{Currency, Money, Options};
/// use tulbur_qpay::{Line, QPayOptions, TaxType, Vat};
///
/// let mut options = QPayOptions::default();
/// options.vat = Some(Vat::new(TaxType::Taxed, "3505"));
/// let mut line = Line::new("Two books", "2.00", Money::from_major(15_000, Currency::MNT)?);
/// line.classification_code = Some("2391000".into());
/// options.lines = vec![line];
/// let options = Options::new(&options)?;
/// # Ok::<(), tulbur_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct QPayOptions {
    /// The branch that sells (`sender_branch_code`), at most 45.
    pub branch_code: Option<String>,
    /// About that branch (`sender_branch_data`).
    pub branch: Option<Party>,
    /// Who sells (`sender_staff_code`), at most 100.
    pub staff_code: Option<String>,
    /// The till (`sender_terminal_code`), at most 45.
    pub terminal_code: Option<String>,
    /// The payer's code at the shop (`invoice_receiver_code`), at most 45. Without it the request's customer is sent if
    /// its key fits, else `terminal`, which is anyone.
    pub receiver_code: Option<String>,
    /// Who pays (`invoice_receiver_data`): mandatory for some accounts. Without it, name, e-mail and phone of the
    /// request's payer are sent if they are set.
    pub receiver: Option<Party>,
    /// A further text (`note`), at most 1000.
    pub note: Option<String>,
    /// What the VAT receipt needs. The invoice then carries the setting `vat_invoice_code`, where that is set.
    pub vat: Option<Vat>,
    /// Lets the payer pay less than the amount at a time (`allow_partial`, `minimum_amount`). The invoice is paid once
    /// all that came reaches the amount. When QPay closes such an invoice is **unknown**.
    pub allow_partial: Option<Bound>,
    /// Lets the payer pay more than the amount (`allow_exceed`, `maximum_amount`).
    pub allow_exceed: Option<Bound>,
    /// What is sold. Whether taxes stand inside the prices is **unknown** here, so the lines are not added up; the QR
    /// that QPay makes must be for the invoice's amount.
    pub lines: Vec<Line>,
    /// To which accounts the money goes (`transactions`). QPay must have allowed that (QG). That the parts must add up
    /// to the amount is inferred and not checked here.
    pub split: Vec<Split>,
}

impl ProviderOptions for QPayOptions {
    const PROVIDER: &'static str = ID;
}

/// The least or the most that a payer may choose to pay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Bound {
    /// The amount; QPay's own bound if not set.
    pub amount: Option<Money>,
}

impl Bound {
    /// Any amount that QPay takes.
    pub fn any() -> Self {
        Self::default()
    }

    /// At least, or at most, this much.
    pub fn of(amount: Money) -> Self {
        Self { amount: Some(amount) }
    }
}

/// A branch or a payer. `Debug` hides it: it is about a person.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Party {
    /// Register number, at most 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register: Option<String>,
    /// Name, at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// E-mail address, at most 255.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Phone number, at most 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Postal address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
}

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Party").finish_non_exhaustive()
    }
}

/// A postal address. Each text has at most 100 characters, the last three at most 20. `Debug` hides it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Address {
    /// City.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// District.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub district: Option<String>,
    /// Street.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street: Option<String>,
    /// Building.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub building: Option<String>,
    /// What else there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zipcode: Option<String>,
    /// Longitude.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longitude: Option<String>,
    /// Latitude.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latitude: Option<String>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").finish_non_exhaustive()
    }
}

/// The kind of VAT that a sale has (`tax_type`, XLS).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaxType {
    /// With VAT (`1`).
    Taxed,
    /// Without VAT (`2`).
    Untaxed,
    /// Exempt of VAT (`3`).
    Exempt,
}

impl TaxType {
    /// The digit on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taxed => "1",
            Self::Untaxed => "2",
            Self::Exempt => "3",
        }
    }
}

/// What the VAT receipt of an invoice needs (XLS, TPA).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Vat {
    /// The kind of VAT. `calculate_vat` is sent as true for [`TaxType::Taxed`] and as false for the others (TPA).
    pub tax_type: TaxType,
    /// Where it is sold: four digits, e.g. `0101` (XLS).
    pub district_code: String,
    /// The receipt's receiver (`tax_customer_code`).
    #[serde(default)]
    pub customer_code: Option<String>,
    /// The class of what is sold, where there are no lines (`line_tax_code`).
    #[serde(default)]
    pub line_tax_code: Option<String>,
}

impl Vat {
    /// VAT of this kind in this district.
    pub fn new(tax_type: TaxType, district_code: impl Into<String>) -> Self {
        Self { tax_type, district_code: district_code.into(), customer_code: None, line_tax_code: None }
    }
}

/// One line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Line {
    /// What it is (`line_description`), at most 255.
    pub description: String,
    /// How many: a decimal number more than nothing, such as `1.00`. It is sent as it is written here, as a text.
    pub quantity: String,
    /// The price of one.
    pub unit_price: Money,
    /// The shop's code of it (`sender_product_code`), at most 45.
    #[serde(default)]
    pub product_code: Option<String>,
    /// Its tax code (`tax_product_code`), at most 45.
    #[serde(default)]
    pub tax_product_code: Option<String>,
    /// Its class for VAT receipts 3.0 (`classification_code`): seven digits.
    #[serde(default)]
    pub classification_code: Option<String>,
    /// Its bar code.
    #[serde(default)]
    pub barcode: Option<String>,
    /// A further text, at most 100.
    #[serde(default)]
    pub note: Option<String>,
    /// What is taken off.
    #[serde(default)]
    pub discounts: Vec<Change>,
    /// What is put on.
    #[serde(default)]
    pub surcharges: Vec<Change>,
    /// Its taxes.
    #[serde(default)]
    pub taxes: Vec<Tax>,
}

impl Line {
    /// So many of something at this price.
    pub fn new(description: impl Into<String>, quantity: impl Into<String>, unit_price: Money) -> Self {
        Self {
            description: description.into(),
            quantity: quantity.into(),
            unit_price,
            product_code: None,
            tax_product_code: None,
            classification_code: None,
            barcode: None,
            note: None,
            discounts: Vec::new(),
            surcharges: Vec::new(),
            taxes: Vec::new(),
        }
    }
}

/// A discount or a surcharge of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Change {
    /// The shop's code of it (`discount_code`, `surcharge_code`).
    #[serde(default)]
    pub code: Option<String>,
    /// What it is, at most 100.
    pub description: String,
    /// How much.
    pub amount: Money,
}

impl Change {
    /// So much, for this reason.
    pub fn new(description: impl Into<String>, amount: Money) -> Self {
        Self { code: None, description: description.into(), amount }
    }
}

/// The name of a tax (`tax_code`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaxCode {
    /// Value added tax.
    Vat,
    /// The capital's city tax.
    CityTax,
}

/// A tax of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Tax {
    /// Which tax.
    pub code: TaxCode,
    /// What it is, at most 100.
    pub description: String,
    /// How much, in tögrög as a decimal number. It may have four decimals (`89.2857`, XLS), which no [`Money`] has.
    pub amount: String,
    /// The city tax beside a VAT (`city_tax`), in the same form.
    #[serde(default)]
    pub city_tax: Option<String>,
}

impl Tax {
    /// So much of this tax.
    pub fn new(code: TaxCode, description: impl Into<String>, amount: impl Into<String>) -> Self {
        Self { code, description: description.into(), amount: amount.into(), city_tax: None }
    }
}

/// A part of the amount, and the accounts that it may go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Split {
    /// What it is for, at most 100.
    pub description: String,
    /// How much.
    pub amount: Money,
    /// Where it goes.
    pub accounts: Vec<Account>,
}

impl Split {
    /// So much to this account.
    pub fn new(description: impl Into<String>, amount: Money, account: Account) -> Self {
        Self { description: description.into(), amount, accounts: vec![account] }
    }
}

/// An account at a bank. `Debug` shows the bank.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Account {
    /// The bank's code: six digits, e.g. `050000` for Khan Bank (TBL).
    pub bank_code: String,
    /// The account's number, at most 100.
    pub number: String,
    /// The holder's name, at most 100.
    pub name: String,
    /// Whether it is the one that is taken first.
    #[serde(default)]
    pub is_default: bool,
    /// Its IBAN.
    #[serde(default)]
    pub iban: Option<String>,
}

impl Account {
    /// An account in tögrög.
    pub fn new(bank_code: impl Into<String>, number: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            bank_code: bank_code.into(),
            number: number.into(),
            name: name.into(),
            is_default: false,
            iban: None,
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("bank_code", &self.bank_code).finish_non_exhaustive()
    }
}
