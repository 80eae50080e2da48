//! The two checksums that occur in element 63.

use std::fmt;

use crc::{CRC_16_IBM_3740, CRC_16_IBM_SDLC, Crc};

/// The two digits of the id and the two of the length of element 63; the checksum covers them too.
pub(crate) const HEAD: &str = "6304";

const EMVCO: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_3740);
const X25: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_SDLC);

/// How the four hexadecimal digits of element 63 are computed.
///
/// Both are 16-bit cyclic redundancy checks over the bytes from the first one up to and including `6304`, and both
/// come from the polynomial `1021` with the initial value `FFFF`. They find typing and transport errors. They prove
/// nothing about who made the payload: anybody can compute them.
///
/// ```
/// use tulbur_qr::Checksum;
///
/// assert_eq!(Checksum::Emvco.of(b"123456789"), 0x29B1);
/// assert_eq!(Checksum::X25.of(b"123456789"), 0x906E);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Checksum {
    /// CRC-16/CCITT-FALSE, not reflected, no final xor: what EMVCo prescribes for the data object with
    /// the id 63, and what its own example carries. Everybody whose payloads we have seen uses it, except one:
    Emvco,
    /// CRC-16/X-25, reflected, final xor `FFFF`: what the one published payload of Golomt Bank's Instore API carries,
    /// in lower case (the response sample of its document page `instore_api_invoice_qr`). The document does not say
    /// so; it is inferred from the value, and no other catalogued 16-bit checksum gives it.
    ///
    /// A likely reason: EMVCo names ISO/IEC 13239 beside the polynomial and the initial value, and the checksum of that
    /// standard (HDLC) is this one.
    X25,
}

impl Checksum {
    /// The checksum of these bytes.
    pub fn of(self, bytes: &[u8]) -> u16 {
        match self {
            Self::Emvco => EMVCO.checksum(bytes),
            Self::X25 => X25.checksum(bytes),
        }
    }

    /// The checksum of these bytes as element 63 carries it: four digits.
    pub(crate) fn text(self, bytes: &[u8], case: HexCase) -> String {
        let sum = self.of(bytes);
        match case {
            HexCase::Upper | HexCase::Mixed => format!("{sum:04X}"),
            HexCase::Lower => format!("{sum:04x}"),
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Emvco => "EMVCo (CRC-16/CCITT-FALSE)",
            Self::X25 => "X-25 (CRC-16/X-25)",
        })
    }
}

/// How the hexadecimal digits of a checksum are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HexCase {
    /// `C66D`; also when there is no letter among the digits.
    Upper,
    /// `5aea`.
    Lower,
    /// `5aEA`. It is read; [`Builder`](crate::Builder) writes capitals instead.
    Mixed,
}

impl HexCase {
    fn of(digits: &str) -> Self {
        let lower = digits.bytes().any(|b| b.is_ascii_lowercase());
        let upper = digits.bytes().any(|b| b.is_ascii_uppercase());
        match (lower, upper) {
            (true, true) => Self::Mixed,
            (true, false) => Self::Lower,
            (false, _) => Self::Upper,
        }
    }
}

/// A checksum that was found right, and which one it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Verified {
    /// The algorithm whose value the payload carries. Where both give the same value, which happens once in 65536
    /// payloads, it is [`Checksum::Emvco`].
    pub checksum: Checksum,
    /// How its digits are written.
    pub case: HexCase,
}

/// Why a checksum could not be found right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChecksumError {
    /// There is no element 63.
    #[error("the payload has no checksum (element 63); it may have been cut off")]
    Missing,
    /// Element 63 is not the last one, or not the only one, so what it covers is not defined.
    #[error("at byte {at}: the checksum (element 63) is not the last element")]
    NotLast {
        /// Where the first element 63 starts, in bytes from the start of the payload.
        at: usize,
    },
    /// Element 63 is not four hexadecimal digits.
    #[error("at byte {at}: the checksum (element 63) is `{found}` instead of four hexadecimal digits")]
    NotHex {
        /// Where its value starts, in bytes from the start of the payload.
        at: usize,
        /// What stands there.
        found: String,
    },
    /// Neither algorithm gives the value that the payload carries: something in it was changed, by accident or not.
    #[error(
        "at byte {at}: the payload carries the checksum {found}, but its content has {emvco:04X} (EMVCo) or {x25:04X} \
         (X-25); it was changed on the way, do not pay or show it"
    )]
    Mismatch {
        /// Where its value starts, in bytes from the start of the payload.
        at: usize,
        /// The four digits that the payload carries.
        found: String,
        /// What [`Checksum::Emvco`] gives.
        emvco: u16,
        /// What [`Checksum::X25`] gives.
        x25: u16,
    },
}

/// Checks the digits `found`, which stand at byte `at`, against the bytes before them.
pub(crate) fn verify(covered: &[u8], at: usize, found: &str) -> Result<Verified, ChecksumError> {
    let hex = found.len() == 4 && found.bytes().all(|b| b.is_ascii_hexdigit());
    let Some(given) = hex.then(|| u16::from_str_radix(found, 16).ok()).flatten() else {
        return Err(ChecksumError::NotHex { at, found: found.to_owned() });
    };
    let (emvco, x25) = (Checksum::Emvco.of(covered), Checksum::X25.of(covered));
    let checksum = match given {
        _ if given == emvco => Checksum::Emvco,
        _ if given == x25 => Checksum::X25,
        _ => return Err(ChecksumError::Mismatch { at, found: found.to_owned(), emvco, x25 }),
    };
    Ok(Verified { checksum, case: HexCase::of(found) })
}
