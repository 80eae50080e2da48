//! Making a payload.

use crate::checksum::{Checksum, HexCase};
use crate::element::{Element, ElementError};
use crate::id;
use crate::mongolia::{self, NationalAccount, UnionPay};
use crate::payload::{Initiation, Payload};
use crate::rules::{Invalid, Rules};
use crate::vietqr::{self, VietQr};

/// Makes a payload that keeps the rules it is made for; from [`Payload::builder`].
///
/// Elements are written in the order of their ids, which is the order of every payload we have seen, and the checksum
/// last. What is set twice has the value that was set last. Nothing is checked before [`Builder::build`].
///
/// ```
/// use tulbur_qr::{Checksum, Element, HexCase, Initiation, Payload, Rules, UnionPay, id};
///
/// let payload = Payload::builder(Rules::Mongolia)
///     .initiation(Initiation::Dynamic)
///     .union_pay(&UnionPay::new("26620496", "002303100000147"))
///     .merchant("kub-test", "ULAANBAATAR", "6010")
///     .amount("1100")
///     .bill_number("000008191937071002124")
///     .store("000000000034300")
///     .element(Element::new(id::FIRST_UNRESERVED, "01")?)
///     .checksum(Checksum::X25, HexCase::Lower)
///     .build()?;
///
/// // The sample of Golomt Bank's document.
/// assert!(payload.to_string().ends_with("0080020163045aea"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is made before `build`"]
pub struct Builder {
    rules: Rules,
    elements: Vec<Element>,
    additional: Vec<Element>,
    checksum: (Checksum, HexCase),
    /// The first element that could not be.
    wrong: Option<ElementError>,
}

/// Why no payload could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A value does not fit its element.
    #[error(transparent)]
    Element(#[from] ElementError),
    /// The payload would be longer than any QR code can hold.
    #[error("the payload has {length} bytes, and no QR code holds more than {}", crate::element::LARGEST)]
    TooLarge {
        /// Its length without the checksum.
        length: usize,
    },
    /// The payload would break the rules that it is made for.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Payload {
    /// Starts a payload that is to keep these rules. [`Rules::Mongolia`] and [`Rules::VietQr`] bring their currency and
    /// country.
    pub fn builder(rules: Rules) -> Builder {
        let builder = Builder {
            rules,
            elements: Vec::new(),
            additional: Vec::new(),
            checksum: (Checksum::Emvco, HexCase::Upper),
            wrong: None,
        };
        let builder = builder.text(id::PAYLOAD_FORMAT, "01");
        match rules {
            Rules::Emvco => builder,
            Rules::Mongolia => builder.currency(mongolia::CURRENCY).country(mongolia::COUNTRY),
            Rules::VietQr => builder.currency(vietqr::CURRENCY).country(vietqr::COUNTRY),
        }
    }
}

impl Builder {
    /// Whether the code is for one payment or for many (element 01).
    pub fn initiation(self, initiation: Initiation) -> Self {
        self.text(id::POINT_OF_INITIATION, initiation.text())
    }

    /// The merchant's UnionPay account (element 15).
    pub fn union_pay(self, account: &UnionPay) -> Self {
        self.text(id::UNION_PAY, &account.value())
    }

    /// The merchant's national account in Mongolia (element 26).
    pub fn national_account(self, account: &NationalAccount) -> Self {
        self.put(account.element())
    }

    /// To whom a VietQR transfer goes (element 38).
    pub fn vietqr(self, to: &VietQr) -> Self {
        self.put(to.element())
    }

    /// The merchant's name (59) and city (60), and the four digits of its line of business, ISO 18245 (52).
    pub fn merchant(self, name: &str, city: &str, category: &str) -> Self {
        self.text(id::MERCHANT_NAME, name).text(id::MERCHANT_CITY, city).text(id::MERCHANT_CATEGORY, category)
    }

    /// The merchant's postal code (element 61).
    pub fn postal_code(self, code: &str) -> Self {
        self.text(id::POSTAL_CODE, code)
    }

    /// Three digits of ISO 4217 (element 53).
    pub fn currency(self, digits: &str) -> Self {
        self.text(id::CURRENCY, digits)
    }

    /// Two letters of ISO 3166-1 (element 58).
    pub fn country(self, letters: &str) -> Self {
        self.text(id::COUNTRY, letters)
    }

    /// The amount in the currency's main unit, written as it is to stand in the payload: `1100`, `102.43`
    /// (element 54). Without one the customer enters it.
    pub fn amount(self, amount: &str) -> Self {
        self.text(id::AMOUNT, amount)
    }

    /// The bill or invoice number, at most 25 characters (62.01).
    pub fn bill_number(self, number: &str) -> Self {
        self.additional(id::additional::BILL_NUMBER, number)
    }

    /// The shop's label, at most 25 characters (62.03).
    pub fn store(self, label: &str) -> Self {
        self.additional(id::additional::STORE, label)
    }

    /// The till's label, at most 25 characters (62.07).
    pub fn terminal(self, label: &str) -> Self {
        self.additional(id::additional::TERMINAL, label)
    }

    /// What the payment is for, at most 25 characters (62.08).
    pub fn purpose(self, purpose: &str) -> Self {
        self.additional(id::additional::PURPOSE, purpose)
    }

    /// Any sub-element of the additional data (element 62); [`id::additional`] has their names.
    pub fn additional(mut self, id: u8, value: &str) -> Self {
        match Element::new(id, value) {
            Ok(element) => put(&mut self.additional, element),
            Err(wrong) => self.wrong = self.wrong.or(Some(wrong)),
        }
        self
    }

    /// Any element. One for the additional data (62) stands instead of what was set piece by piece; one for the
    /// checksum (63) is not used, because the checksum is computed.
    pub fn element(self, element: Element) -> Self {
        self.put(Ok(element))
    }

    /// Which checksum to write, and how; EMVCo's in capitals unless this is called.
    pub fn checksum(mut self, checksum: Checksum, case: HexCase) -> Self {
        self.checksum = (checksum, case);
        self
    }

    /// Makes the payload.
    ///
    /// # Errors
    ///
    /// If a value is longer than 99 characters, the whole is longer than a QR code can hold, or the payload would break
    /// its rules: every problem is named.
    pub fn build(self) -> Result<Payload, BuildError> {
        let Self { rules, mut elements, mut additional, checksum: (checksum, case), wrong } = self;
        if let Some(wrong) = wrong {
            return Err(wrong.into());
        }
        if !additional.is_empty() && !elements.iter().any(|element| element.id() == id::ADDITIONAL) {
            additional.sort_by_key(Element::id);
            elements.push(Element::template(id::ADDITIONAL, additional)?);
        }
        elements.retain(|element| element.id() != id::CRC);
        elements.sort_by_key(Element::id);
        let length = elements.iter().map(Element::written).sum();
        // What is read again is what was put together, if it is not too large.
        let payload =
            Payload::sealed(&elements, checksum, case).map_err(|_| BuildError::TooLarge { length })?;
        payload.validate(rules)?;
        Ok(payload)
    }

    fn text(self, id: u8, value: &str) -> Self {
        self.put(Element::new(id, value))
    }

    fn put(mut self, element: Result<Element, ElementError>) -> Self {
        match element {
            Ok(element) => put(&mut self.elements, element),
            Err(wrong) => self.wrong = self.wrong.or(Some(wrong)),
        }
        self
    }
}

/// Puts an element in the place of the one with its id, if there is one.
fn put(elements: &mut Vec<Element>, element: Element) {
    match elements.iter_mut().find(|earlier| earlier.id() == element.id()) {
        Some(earlier) => *earlier = element,
        None => elements.push(element),
    }
}
