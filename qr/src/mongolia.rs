//! Reads and writes the fields that Mongolian issuers add to those of EMVCo.
//!
//! There is no public document of the national format. What stands here was read from payloads of Golomt Bank, qPay,
//! HiPay and epayment.mn (`tests/vectors/emv-qr.json` has them with their sources), and is no more certain than that.

use crate::element::{Element, ElementError};
use crate::id;
use crate::payload::Payload;

/// The identifier of the national account template and of the national element 80.
pub const NATIONAL_IDENTIFIER: &str = "A0000008430001";

/// The tögrög, in digits of ISO 4217.
pub(crate) const CURRENCY: &str = "496";
pub(crate) const COUNTRY: &str = "MN";

/// The account of element 15: 31 digits.
///
/// The split into 8, 8 and 15 digits is UnionPay's layout. That Golomt Bank's sample follows it is inferred; it fits
/// the payloads of the other issuers too, whose institutions all end in `0496`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnionPay {
    /// The institution that acquires: eight digits.
    pub acquirer: String,
    /// The institution that forwards: eight digits, in all samples the same as the acquirer.
    pub forwarder: String,
    /// The merchant: fifteen digits.
    pub merchant: String,
}

impl UnionPay {
    /// The account of this merchant, acquired and forwarded by the same institution.
    pub fn new(institution: impl Into<String>, merchant: impl Into<String>) -> Self {
        let institution = institution.into();
        Self { forwarder: institution.clone(), acquirer: institution, merchant: merchant.into() }
    }

    /// Reads the value of an element 15 or 16; `None` if it is not 31 digits.
    pub fn parse(value: &str) -> Option<Self> {
        if value.len() != 31 || !value.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let (acquirer, rest) = value.split_at(8);
        let (forwarder, merchant) = rest.split_at(8);
        Some(Self { acquirer: acquirer.into(), forwarder: forwarder.into(), merchant: merchant.into() })
    }

    pub(crate) fn value(&self) -> String {
        format!("{}{}{}", self.acquirer, self.forwarder, self.merchant)
    }
}

/// The national account template: element 26 or 27 with the identifier [`NATIONAL_IDENTIFIER`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NationalAccount {
    /// Sub-element 01: eight characters such as `CAXBMNUB`, or four digits such as `0095`. Some payloads have none.
    pub bank: Option<String>,
    /// Sub-element 02: an account or a token. Some payloads have none.
    pub account: Option<String>,
}

const BANK: u8 = 1;
const ACCOUNT: u8 = 2;

impl NationalAccount {
    /// An account at a bank.
    pub fn new(bank: impl Into<String>, account: impl Into<String>) -> Self {
        Self { bank: Some(bank.into()), account: Some(account.into()) }
    }

    pub(crate) fn element(&self) -> Result<Element, ElementError> {
        let mut elements = vec![Element::new(id::GLOBALLY_UNIQUE_IDENTIFIER, NATIONAL_IDENTIFIER)?];
        for (id, value) in [(BANK, &self.bank), (ACCOUNT, &self.account)] {
            if let Some(value) = value {
                elements.push(Element::new(id, value)?);
            }
        }
        Element::template(id::FIRST_ACCOUNT_TEMPLATE, elements)
    }
}

impl Payload {
    /// The account of element 15, or 16, if it has the layout of [UnionPay].
    pub fn union_pay(&self) -> Option<UnionPay> {
        let at = |id| self.get(id).and_then(|element| UnionPay::parse(element.value()));
        at(id::UNION_PAY).or_else(|| at(id::UNION_PAY + 1))
    }

    /// The national account of Mongolia, in whichever of the elements 26 to 51 it stands.
    pub fn national_account(&self) -> Option<NationalAccount> {
        let template = self.elements().iter().find(|element| is_national(element))?;
        let text = |id| template.get(id).map(|element| element.value().to_owned());
        Some(NationalAccount { bank: text(BANK), account: text(ACCOUNT) })
    }
}

/// Whether this element is the national account template of Mongolia.
pub(crate) fn is_national(element: &Element) -> bool {
    matches!(element.id(), 26..=51) && element.identifier() == Some(NATIONAL_IDENTIFIER)
}
