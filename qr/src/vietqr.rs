//! VietQR: a bank transfer as a QR code.
//!
//! Element 38 with the identifier of NAPAS holds the bank's BIN and the account, one template in another. The layout is
//! that of the public repository `galaxypayvn/sbh-fo-utils` (its `vietqr`), which agrees with the tables in
//! the README of `giautm/sgqr-go` (fields: 00, 01, 38, 53 = 704, 54, 58 = VN, 62.08, 63).

use std::fmt;

use crate::element::{Element, ElementError};
use crate::id;
use crate::id::vietqr::{ACCOUNT, BENEFICIARY, BIN, IDENTIFIER, SERVICE};
use crate::payload::Payload;

/// The đồng, in digits of ISO 4217.
pub(crate) const CURRENCY: &str = "704";
pub(crate) const COUNTRY: &str = "VN";

/// To whom a VietQR transfer goes.
///
/// ```
/// use tulbur_qr::{Initiation, Payload, Rules, VietQr};
///
/// let payload = Payload::builder(Rules::VietQr)
///     .initiation(Initiation::Dynamic)
///     .vietqr(&VietQr::to_account("970437", "1234567890"))
///     .amount("10000")
///     .purpose("TT DON HANG 1")
///     .build()?;
///
/// assert_eq!(
///     payload.to_string(),
///     "00020101021238540010A00000072701240006970437011012345678900208QRIBFTTA\
///      53037045405100005802VN62170813TT DON HANG 16304FFE7",
/// );
/// assert_eq!(payload.vietqr().map(|to| to.number), Some("1234567890".to_owned()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VietQr {
    /// The bank: six digits (38.01.00).
    pub bin: String,
    /// The account, or the card (38.01.01).
    pub number: String,
    /// What the number is (38.02).
    pub service: VietQrService,
}

/// What kind of number a [`VietQr`] transfer goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VietQrService {
    /// `QRIBFTTA`: an account.
    ToAccount,
    /// `QRIBFTTC`: a card.
    ToCard,
    /// A code that is not in our sources, as it was read.
    Other(String),
}

impl VietQrService {
    fn parse(code: &str) -> Self {
        match code {
            "QRIBFTTA" => Self::ToAccount,
            "QRIBFTTC" => Self::ToCard,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for VietQrService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ToAccount => "QRIBFTTA",
            Self::ToCard => "QRIBFTTC",
            Self::Other(code) => code,
        })
    }
}

impl VietQr {
    /// A transfer to an account.
    pub fn to_account(bin: impl Into<String>, account: impl Into<String>) -> Self {
        Self { bin: bin.into(), number: account.into(), service: VietQrService::ToAccount }
    }

    /// A transfer to a card.
    pub fn to_card(bin: impl Into<String>, card: impl Into<String>) -> Self {
        Self { bin: bin.into(), number: card.into(), service: VietQrService::ToCard }
    }

    pub(crate) fn element(&self) -> Result<Element, ElementError> {
        let beneficiary = [Element::new(BIN, &self.bin)?, Element::new(ACCOUNT, &self.number)?];
        let elements = [
            Element::new(id::GLOBALLY_UNIQUE_IDENTIFIER, IDENTIFIER)?,
            Element::template(BENEFICIARY, beneficiary)?,
            Element::new(SERVICE, self.service.to_string())?,
        ];
        Element::template(id::VIETQR, elements)
    }
}

impl Payload {
    /// To whom the transfer of a VietQR goes; `None` if element 38 is not one of NAPAS with a bank, a number and a
    /// service.
    pub fn vietqr(&self) -> Option<VietQr> {
        let template = self.get(id::VIETQR).filter(|element| element.identifier() == Some(IDENTIFIER))?;
        let beneficiary = template.get(BENEFICIARY)?;
        Some(VietQr {
            bin: beneficiary.get(BIN)?.value().to_owned(),
            number: beneficiary.get(ACCOUNT)?.value().to_owned(),
            service: VietQrService::parse(template.get(SERVICE)?.value()),
        })
    }
}
