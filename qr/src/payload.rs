//! A whole payload: reading, writing, and its fields by name.

use std::fmt;
use std::str::FromStr;

use crate::checksum::{self, ChecksumError, Verified};
use crate::element::{self, Element, LARGEST, Lengths, ParseError, ParseErrorKind};
use crate::id;

/// An EMVCo merchant-presented payload: the text in a QR code that a customer scans to pay.
///
/// It is lossless: what was read is written back byte by byte, with unknown elements, their order, and the case of the
/// checksum. Reading is tolerant and says nothing about whether the payload is right; ask [`Payload::checksum`] and
/// [`Payload::validate`].
///
/// ```
/// use tulbur_qr::{Checksum, Payload, id};
///
/// // The response sample of Golomt Bank's Instore API.
/// let text = "00020101021215312662049626620496002303100000147520460105303496540411005802MN\
///     5908kub-test6011ULAANBAATAR62440121000008191937071002124031500000000003430080020163045aea";
/// let payload = Payload::parse(text)?;
///
/// assert_eq!(payload.merchant_name(), Some("kub-test"));
/// assert_eq!(payload.amount(), Some("1100"));
/// assert_eq!(payload.currency(), Some("496"));
/// assert_eq!(payload.bill_number(), Some("000008191937071002124"));
/// assert_eq!(payload.get(id::FIRST_UNRESERVED).map(|bare| bare.value()), Some("01"));
/// assert_eq!(payload.checksum()?.checksum, Checksum::X25);
/// assert_eq!(payload.to_string(), text);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    elements: Vec<Element>,
    lengths: Lengths,
}

/// Whether a code is for one payment or for many (element 01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Initiation {
    /// `11`: printed once, paid by many customers.
    Static,
    /// `12`: made for one payment.
    Dynamic,
}

impl Initiation {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Static => "11",
            Self::Dynamic => "12",
        }
    }
}

impl Payload {
    /// Reads a payload, and does not judge it.
    ///
    /// Lengths count characters, as the specification has it. Only if the text does not come out as a payload that
    /// ends with a checksum, and does when they count bytes, they count bytes: some issuers write them so, and
    /// [`Payload::lengths`] tells. White space around the payload is not part of it; trim it first.
    ///
    /// # Errors
    ///
    /// [`ParseError`] names the first place that cannot be read.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let by_rule = Self::parse_with(text, Lengths::Characters);
        if text.is_ascii() || by_rule.as_ref().is_ok_and(Self::ends_with_checksum) {
            return by_rule;
        }
        match Self::parse_with(text, Lengths::Bytes) {
            Ok(in_bytes) if in_bytes.ends_with_checksum() => Ok(in_bytes),
            _ => by_rule,
        }
    }

    /// Reads a payload whose lengths are known to count characters, or bytes.
    ///
    /// # Errors
    ///
    /// [`ParseError`] names the first place that cannot be read.
    pub fn parse_with(text: &str, lengths: Lengths) -> Result<Self, ParseError> {
        if text.is_empty() {
            return Err(ParseError { at: 0, kind: ParseErrorKind::Empty });
        }
        if text.len() > LARGEST {
            let kind = ParseErrorKind::TooLarge { length: text.len() };
            return Err(ParseError { at: LARGEST, kind });
        }
        Ok(Self { elements: element::read(text, lengths)?, lengths })
    }

    fn ends_with_checksum(&self) -> bool {
        self.elements.last().is_some_and(|last| last.id() == id::CRC && last.value().len() == 4)
    }

    /// The elements in their order.
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// What the lengths count.
    pub fn lengths(&self) -> Lengths {
        self.lengths
    }

    /// The first element of this id; [`id`] has their names.
    pub fn get(&self, id: u8) -> Option<&Element> {
        self.elements.iter().find(|element| element.id() == id)
    }

    /// Compares element 63 with both algorithms, in either case, and says which one it is.
    ///
    /// # Errors
    ///
    /// [`ChecksumError`] if there is none at the end, or it is neither.
    pub fn checksum(&self) -> Result<Verified, ChecksumError> {
        let mut at = 0;
        for (index, element) in self.elements.iter().enumerate() {
            if element.id() == id::CRC {
                if index + 1 != self.elements.len() {
                    return Err(ChecksumError::NotLast { at });
                }
                let covered = &self.to_string()[..at + checksum::HEAD.len()];
                return checksum::verify(covered.as_bytes(), at + checksum::HEAD.len(), element.value());
            }
            at += element.written();
        }
        Err(ChecksumError::Missing)
    }

    /// Whether the code is for one payment or for many (element 01); `None` if the payload does not say.
    pub fn initiation(&self) -> Option<Initiation> {
        match self.text(id::POINT_OF_INITIATION)? {
            "11" => Some(Initiation::Static),
            "12" => Some(Initiation::Dynamic),
            _ => None,
        }
    }

    /// Four digits of the merchant's line of business, ISO 18245 (element 52).
    pub fn merchant_category(&self) -> Option<&str> {
        self.text(id::MERCHANT_CATEGORY)
    }

    /// Three digits of ISO 4217 (element 53).
    pub fn currency(&self) -> Option<&str> {
        self.text(id::CURRENCY)
    }

    /// The amount as it stands in the payload, in the currency's main unit: `1100`, `102.43` (element 54).
    ///
    /// `None` if the customer is to enter it. It is text because a number would lose what was signed or shown.
    pub fn amount(&self) -> Option<&str> {
        self.text(id::AMOUNT)
    }

    /// Two letters of ISO 3166-1 (element 58).
    pub fn country(&self) -> Option<&str> {
        self.text(id::COUNTRY)
    }

    /// The merchant's name in Latin letters (element 59).
    pub fn merchant_name(&self) -> Option<&str> {
        self.text(id::MERCHANT_NAME)
    }

    /// The merchant's city in Latin letters (element 60).
    pub fn merchant_city(&self) -> Option<&str> {
        self.text(id::MERCHANT_CITY)
    }

    /// The merchant's postal code (element 61).
    pub fn postal_code(&self) -> Option<&str> {
        self.text(id::POSTAL_CODE)
    }

    /// A sub-element of the additional data (element 62); [`id::additional`] has their names.
    pub fn additional(&self, id: u8) -> Option<&str> {
        self.get(id::ADDITIONAL)?.get(id).map(Element::value)
    }

    /// The bill or invoice number (62.01).
    pub fn bill_number(&self) -> Option<&str> {
        self.additional(id::additional::BILL_NUMBER)
    }

    /// The shop's label (62.03). In Golomt Bank's sample it is 15 digits, which may be the terminal's number with
    /// zeros in front; the bank does not say.
    pub fn store(&self) -> Option<&str> {
        self.additional(id::additional::STORE)
    }

    /// The till's label (62.07). qPay puts its token here.
    pub fn terminal(&self) -> Option<&str> {
        self.additional(id::additional::TERMINAL)
    }

    /// What the payment is for (62.08); in VietQR the text of the transfer.
    pub fn purpose(&self) -> Option<&str> {
        self.additional(id::additional::PURPOSE)
    }

    fn text(&self, id: u8) -> Option<&str> {
        self.get(id).map(Element::value)
    }

    /// For the builder: these elements, and behind them the checksum.
    pub(crate) fn sealed(
        elements: &[Element],
        checksum: checksum::Checksum,
        case: checksum::HexCase,
    ) -> Result<Self, ParseError> {
        let mut text = String::new();
        for element in elements {
            element.write(Lengths::Characters, &mut text);
        }
        text.push_str(checksum::HEAD);
        let sum = checksum.text(text.as_bytes(), case);
        text.push_str(&sum);
        Self::parse_with(&text, Lengths::Characters)
    }
}

/// Writes the payload: the text that goes into the QR code.
impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(self.elements.iter().map(Element::written).sum());
        for element in &self.elements {
            element.write(self.lengths, &mut text);
        }
        f.write_str(&text)
    }
}

impl FromStr for Payload {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}
