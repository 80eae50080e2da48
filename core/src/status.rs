//! Defines the status of a payment as the provider reports it, and the state of an operation.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::money::Money;
use crate::redacted::{FreeText, MaskedNumber};
use crate::reference::{ChargeRef, PaymentRef};
use crate::secret::CardToken;

/// How a payment stands. Pending unless the provider is explicit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaymentStatus {
    /// Nothing final is known. This is never a failure: the payer may still be typing.
    Pending,
    /// The amount is held on the payer's card and not yet taken.
    Authorized,
    /// The money was taken. Refunded money is still `Paid`, with [`Payment::refunded`].
    Paid,
    /// The provider or the card's bank said no.
    Declined,
    /// The payer or the merchant gave it up.
    Canceled,
    /// Its time ran out.
    Expired,
}

impl PaymentStatus {
    /// Whether money was taken.
    pub fn is_paid(self) -> bool {
        self == Self::Paid
    }

    /// Whether it ended without money.
    pub fn is_failed(self) -> bool {
        matches!(self, Self::Declined | Self::Canceled | Self::Expired)
    }

    /// The lower-case word, as serialised.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Authorized => "authorized",
            Self::Paid => "paid",
            Self::Declined => "declined",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for PaymentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What we know of one write to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationState {
    /// Committed here; no byte has left.
    Reserved,
    /// Handed to the network; the answer is not known yet.
    Submitted,
    /// The provider took it, and settles it later: it may still be refused. It is asked about, never repeated.
    Accepted,
    /// The provider said yes, and it is done.
    Succeeded,
    /// The provider said no, with a documented code.
    Refused,
    /// It may have happened. It is asked about, never repeated.
    Unknown,
}

impl OperationState {
    /// The lower-case word, as serialised.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Submitted => "submitted",
            Self::Accepted => "accepted",
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for OperationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What may be shown of the payer's card. Never a full number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CardInfo {
    /// The number as the provider masked it, e.g. `949625******0003`; masked here if it did not.
    pub masked_number: Option<MaskedNumber>,
    /// Visa, Mastercard, …, where the provider says it.
    pub brand: Option<FreeText>,
    /// The issuing bank's name.
    pub bank: Option<FreeText>,
}

impl CardInfo {
    /// A card of which this masked number is known.
    ///
    /// A number with more than ten digits in clear is not masked and is masked here, whatever the provider did.
    pub fn masked(number: Option<&str>) -> Self {
        Self {
            masked_number: number.filter(|n| !n.is_empty()).map(MaskedNumber::new),
            brand: None,
            bank: None,
        }
    }

    /// With the issuing bank's name.
    #[must_use]
    pub fn with_bank(mut self, bank: Option<&str>) -> Self {
        self.bank = bank.filter(|b| !b.is_empty()).map(FreeText::from);
        self
    }

    /// With the card scheme's name.
    #[must_use]
    pub fn with_brand(mut self, brand: Option<&str>) -> Self {
        self.brand = brand.filter(|b| !b.is_empty()).map(FreeText::from);
        self
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.masked_number.is_none() && self.brand.is_none() && self.bank.is_none()
    }
}

/// A card that the provider keeps for us, and the token by which it can be charged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SavedCard {
    /// Charges the card. Sealed before it is stored; never shown.
    pub token: CardToken,
    /// What may be shown of the card.
    pub card: CardInfo,
}

impl SavedCard {
    /// A saved card.
    pub fn new(token: CardToken, card: CardInfo) -> Self {
        Self { token, card }
    }
}

/// Money that came for a payment in one movement, where a payer can pay one invoice in several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PaidPart {
    /// The provider's id of the movement.
    pub charge_ref: ChargeRef,
    /// How much came.
    pub amount: Money,
    /// How it was paid, in the provider's word: `P2P`, `CARD`.
    pub method: Option<FreeText>,
    /// Whether the provider can give it back. Money that came by another method is given back by hand.
    pub refundable: bool,
    /// Whether it was given back.
    pub returned: bool,
}

impl PaidPart {
    /// A part that is there and that the provider cannot give back.
    pub fn new(charge_ref: ChargeRef, amount: Money) -> Self {
        Self { charge_ref, amount, method: None, refundable: false, returned: false }
    }
}

/// What the provider says of one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Payment {
    /// The payment, as full as the answer makes it.
    pub reference: PaymentRef,
    /// How it stands.
    pub status: PaymentStatus,
    /// The amount *in the answer*, never the one asked about; none where the answer names none.
    pub amount: Option<Money>,
    /// How much was captured, where that differs from the amount.
    pub captured: Option<Money>,
    /// How much was given back.
    pub refunded: Option<Money>,
    /// The movements of money, for providers whose payers can pay one invoice in several. [`Payment::of_parts`] makes
    /// status and sums of them.
    pub parts: Vec<PaidPart>,
    /// The provider's own code, as text.
    pub code: Option<FreeText>,
    /// The provider's own words.
    pub text: Option<FreeText>,
    /// What may be shown of the card.
    pub card: CardInfo,
    /// The card, if this payment saved it.
    pub saved_card: Option<SavedCard>,
    /// When the provider gives up on it, where the provider says so.
    pub expires_at: Option<Timestamp>,
}

impl Payment {
    /// What is known when only the status is.
    pub fn new(reference: PaymentRef, status: PaymentStatus) -> Self {
        Self {
            reference,
            status,
            amount: None,
            captured: None,
            refunded: None,
            parts: Vec::new(),
            code: None,
            text: None,
            card: CardInfo::default(),
            saved_card: None,
            expires_at: None,
        }
    }

    /// An invoice whose state follows from its parts. It is paid when the sum of all parts reaches `asked`. Before that it
    /// is pending. `amount` is the sum of all parts, `refunded` the sum of the returned ones. The engine fulfils no order
    /// with money that was returned before it was known.
    ///
    /// More than was asked for is paid. Less than was asked for is never paid, however the provider calls it.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) when parts are in several currencies, or their sum is no
    /// amount.
    pub fn of_parts(reference: PaymentRef, asked: Money, parts: Vec<PaidPart>) -> Result<Self> {
        let zero = Money::from_minor(0, asked.currency());
        let sum = |returned: bool| {
            parts
                .iter()
                .filter(|part| part.returned == returned)
                .try_fold(zero, |sum, part| sum.checked_add(part.amount))
                .map_err(|error| {
                    Error::new(ErrorKind::Malformed, "the parts of the payment have no sum")
                        .with_source(error)
                })
        };
        let (there, returned) = (sum(false)?, sum(true)?);
        let all = there.checked_add(returned).map_err(Error::from)?;
        let paid = all.minor() >= asked.minor();
        let mut payment =
            Self::new(reference, if paid { PaymentStatus::Paid } else { PaymentStatus::Pending });
        payment.amount = all.is_positive().then_some(all);
        payment.refunded = returned.is_positive().then_some(returned);
        payment.parts = parts;
        Ok(payment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_not_masked_is_masked_here() {
        let shown = |number| CardInfo::masked(Some(number)).masked_number.unwrap().to_string();
        assert_eq!(shown("4987381234563883"), "498738******3883");
        assert_eq!(shown("4987 3812 3456 3883"), "4987 38** **** 3883");
        assert_eq!(shown("949625******0003"), "949625******0003");
        assert_eq!(CardInfo::masked(Some("")), CardInfo::default());
        let named =
            CardInfo::default().with_bank(Some("4987-3812-3456-3883")).with_brand(Some("x4987381234563883"));
        assert_eq!((named.bank.as_deref(), named.brand.as_deref()), (Some("[hidden]"), Some("x[hidden]")));
    }
}
