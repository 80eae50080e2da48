//! Defines the requests to a provider, and its answers.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::clock::{Monotonic, Timestamp};
use crate::info::Way;
use crate::money::Money;
use crate::next::{CallbackUrl, Language, NextAction};
use crate::options::Options;
use crate::redacted::FreeText;
use crate::reference::{ChargeRef, CustomerRef, MerchantRef, OperationRef, PaymentRef, ProviderRef};
use crate::secret::CardToken;
use crate::status::{Payment, PaymentStatus, SavedCard};

/// Whether the money is taken at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capture {
    /// At once.
    #[default]
    Now,
    /// Held now, taken by a capture.
    Later,
}

/// Who pays, as far as a provider wants to know. `Debug` shows only what is set, not its value.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payer {
    /// Phone number, as the provider wants it.
    pub phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// The address of the payer's device, as the application saw it.
    pub address: Option<IpAddr>,
}

impl fmt::Debug for Payer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| if value.is_some() { "set" } else { "none" };
        f.debug_struct("Payer")
            .field("phone", &shown(&self.phone))
            .field("email", &shown(&self.email))
            .field("name", &shown(&self.name))
            .field("address", &if self.address.is_some() { "set" } else { "none" })
            .finish()
    }
}

/// Where the payer's browser or app comes back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnUrls {
    /// After a payment.
    pub success: CallbackUrl,
    /// After a refusal.
    pub failure: CallbackUrl,
    /// After the payer gave up.
    pub cancel: CallbackUrl,
}

impl ReturnUrls {
    /// One address for all three; the result is asked for anyway.
    pub fn one(url: CallbackUrl) -> Self {
        Self { failure: url.clone(), cancel: url.clone(), success: url }
    }

    /// The address, if all three are one.
    pub fn as_one(&self) -> Option<&CallbackUrl> {
        (self.success == self.failure && self.success == self.cancel).then_some(&self.success)
    }
}

/// Asks for an invoice: something that the payer can pay.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateInvoice {
    /// Our id of this payment, after the account's rule.
    pub merchant_ref: MerchantRef,
    /// What is asked for.
    pub amount: Money,
    /// What the payer reads, where the provider shows one.
    pub description: String,
    /// The payer's language.
    pub language: Language,
    /// Who pays.
    pub payer: Payer,
    /// The shop's key of the customer, where it has one.
    pub customer: Option<CustomerRef>,
    /// When it was asked for; the same when the request is built again.
    pub created_at: Option<Timestamp>,
    /// Where the payer comes back to.
    pub return_urls: Option<ReturnUrls>,
    /// Where notifications go, for providers that are told with each request.
    pub notify_url: Option<CallbackUrl>,
    /// When it should end, for providers that can be told.
    pub expires_at: Option<Timestamp>,
    /// Whether the money is taken at once.
    pub capture: Capture,
    /// Whether to save the card on the way.
    pub save_card: bool,
    /// How the payer pays.
    pub way: Way,
    /// One provider's own options.
    pub options: Option<Options>,
    /// The moment before which the request must be on its way; none if there is no such limit.
    ///
    /// The provider hands it to the [`HttpRequest`](crate::HttpRequest) of each write that it makes of this.
    pub send_by: Option<Monotonic>,
}

impl CreateInvoice {
    /// An invoice on the provider's page, captured at once.
    pub fn new(merchant_ref: MerchantRef, amount: Money, description: impl Into<String>) -> Self {
        Self {
            merchant_ref,
            amount,
            description: description.into(),
            language: Language::default(),
            payer: Payer::default(),
            customer: None,
            created_at: None,
            return_urls: None,
            notify_url: None,
            expires_at: None,
            capture: Capture::default(),
            save_card: false,
            way: Way::default(),
            options: None,
            send_by: None,
        }
    }

    /// With the moment before which it must be on its way.
    #[must_use]
    pub fn send_by(mut self, moment: Option<Monotonic>) -> Self {
        self.send_by = moment;
        self
    }
}

/// An invoice that the payer can pay.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invoice {
    /// How to find it again.
    pub payment: PaymentRef,
    /// How it stands; pending as a rule.
    pub status: PaymentStatus,
    /// What the payer does, as alternatives in order of preference.
    pub next: Vec<NextAction>,
    /// When it ends, where that is known.
    pub expires_at: Option<Timestamp>,
}

impl Invoice {
    /// A pending invoice.
    pub fn new(payment: PaymentRef, next: Vec<NextAction>) -> Self {
        Self { payment, status: PaymentStatus::Pending, next, expires_at: None }
    }
}

/// Asks to give money back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefundRequest {
    /// The payment.
    pub payment: PaymentRef,
    /// Our persisted id of this refund.
    pub operation_ref: OperationRef,
    /// How much.
    pub amount: Money,
    /// How much was taken for the payment in all, where that is known: a refund of all of it is another request at some
    /// providers.
    pub taken: Option<Money>,
    /// The part to give back, of a payment that came in parts.
    pub part: Option<ChargeRef>,
    /// Why, for people.
    pub reason: String,
    /// Who asks for it, for the provider's books: a person or a system of the shop.
    pub by: Option<String>,
    /// The moment before which the request must be on its way; none if there is no such limit.
    ///
    /// The provider hands it to the [`HttpRequest`](crate::HttpRequest) of each write that it makes of this.
    pub send_by: Option<Monotonic>,
}

impl RefundRequest {
    /// A refund.
    pub fn new(
        payment: PaymentRef,
        operation_ref: OperationRef,
        amount: Money,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            payment,
            operation_ref,
            amount,
            taken: None,
            part: None,
            reason: reason.into(),
            by: None,
            send_by: None,
        }
    }

    /// With the moment before which it must be on its way.
    #[must_use]
    pub fn send_by(mut self, moment: Option<Monotonic>) -> Self {
        self.send_by = moment;
        self
    }
}

/// How a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefundStatus {
    /// Accepted; the money is on its way.
    Pending,
    /// Given back.
    Succeeded,
    /// Not given back.
    Failed,
}

/// A refund, as the provider answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refund {
    /// The provider's id of it, where it gives one.
    pub provider_ref: Option<ProviderRef>,
    /// The amount *in the answer*, or the one asked for where the answer names none.
    pub amount: Money,
    /// How it stands.
    pub status: RefundStatus,
}

impl Refund {
    /// A refund of this amount.
    pub fn new(amount: Money, status: RefundStatus) -> Self {
        Self { provider_ref: None, amount, status }
    }
}

/// Asks to take money that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CaptureRequest {
    /// The authorised payment.
    pub payment: PaymentRef,
    /// Our persisted id of this capture.
    pub operation_ref: OperationRef,
    /// How much, at most what is held.
    pub amount: Money,
    /// The moment before which the request must be on its way; none if there is no such limit.
    ///
    /// The provider hands it to the [`HttpRequest`](crate::HttpRequest) of each write that it makes of this.
    pub send_by: Option<Monotonic>,
}

impl CaptureRequest {
    /// A capture.
    pub fn new(payment: PaymentRef, operation_ref: OperationRef, amount: Money) -> Self {
        Self { payment, operation_ref, amount, send_by: None }
    }

    /// With the moment before which it must be on its way.
    #[must_use]
    pub fn send_by(mut self, moment: Option<Monotonic>) -> Self {
        self.send_by = moment;
        self
    }
}

/// Asks to let go of money that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VoidRequest {
    /// The authorised payment.
    pub payment: PaymentRef,
    /// Our persisted id of this void.
    pub operation_ref: OperationRef,
    /// The moment before which the request must be on its way; none if there is no such limit.
    ///
    /// The provider hands it to the [`HttpRequest`](crate::HttpRequest) of each write that it makes of this.
    pub send_by: Option<Monotonic>,
}

impl VoidRequest {
    /// A void.
    pub fn new(payment: PaymentRef, operation_ref: OperationRef) -> Self {
        Self { payment, operation_ref, send_by: None }
    }

    /// With the moment before which it must be on its way.
    #[must_use]
    pub fn send_by(mut self, moment: Option<Monotonic>) -> Self {
        self.send_by = moment;
        self
    }
}

/// Asks to take back an invoice that nobody has paid.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CancelRequest {
    /// The open payment.
    pub payment: PaymentRef,
    /// The moment before which the request must be on its way; none if there is no such limit.
    ///
    /// The provider hands it to the [`HttpRequest`](crate::HttpRequest) of each write that it makes of this.
    pub send_by: Option<Monotonic>,
}

impl CancelRequest {
    /// A cancellation.
    pub fn new(payment: PaymentRef) -> Self {
        Self { payment, send_by: None }
    }

    /// With the moment before which it must be on its way.
    #[must_use]
    pub fn send_by(mut self, moment: Option<Monotonic>) -> Self {
        self.send_by = moment;
        self
    }
}

/// Asks for a page on which the payer saves a card and buys nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateCardSetup {
    /// Our id of this set-up, after the account's rule.
    pub merchant_ref: MerchantRef,
    /// The payer's language.
    pub language: Language,
    /// Where the payer comes back to.
    pub return_urls: Option<ReturnUrls>,
    /// Where notifications go, for providers that are told with each request.
    pub notify_url: Option<CallbackUrl>,
    /// One provider's own options.
    pub options: Option<Options>,
    /// The moment before which the request must be on its way; none if there is no such limit.
    ///
    /// The provider hands it to the [`HttpRequest`](crate::HttpRequest) of each write that it makes of this.
    pub send_by: Option<Monotonic>,
}

impl CreateCardSetup {
    /// A card set-up.
    pub fn new(merchant_ref: MerchantRef) -> Self {
        Self {
            merchant_ref,
            language: Language::default(),
            return_urls: None,
            notify_url: None,
            options: None,
            send_by: None,
        }
    }

    /// With the moment before which it must be on its way.
    #[must_use]
    pub fn send_by(mut self, moment: Option<Monotonic>) -> Self {
        self.send_by = moment;
        self
    }
}

/// A page on which the payer saves a card.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CardSetup {
    /// How to find it again. It has no amount.
    pub reference: PaymentRef,
    /// What the payer does.
    pub next: Vec<NextAction>,
    /// When it ends, where that is known.
    pub expires_at: Option<Timestamp>,
}

impl CardSetup {
    /// A card set-up that waits for the payer.
    pub fn new(reference: PaymentRef, next: Vec<NextAction>) -> Self {
        Self { reference, next, expires_at: None }
    }
}

/// How a card set-up stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CardSetupAnswer {
    /// The set-up, as the answer names it.
    pub reference: PaymentRef,
    /// `Paid` is never among these: a set-up that succeeded has a card.
    pub state: CardSetupState,
    /// The provider's own code.
    pub code: Option<FreeText>,
    /// The provider's own words.
    pub text: Option<FreeText>,
}

impl CardSetupAnswer {
    /// An answer.
    pub fn new(reference: PaymentRef, state: CardSetupState) -> Self {
        Self { reference, state, code: None, text: None }
    }
}

/// How a card set-up stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardSetupState {
    /// The payer is not done.
    Pending,
    /// The card is saved.
    Saved(SavedCard),
    /// The card was refused.
    Declined,
}

/// Asks to charge a saved card.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChargeRequest {
    /// Our id of this payment, after the account's rule.
    pub merchant_ref: MerchantRef,
    /// How much.
    pub amount: Money,
    /// The card.
    pub token: CardToken,
    /// What the payer reads, where the provider shows one.
    pub description: String,
    /// The language of the provider's texts.
    pub language: Language,
    /// Where the payer comes back to, should the card's bank want to see them.
    pub return_urls: Option<ReturnUrls>,
    /// Where notifications go, for providers that are told with each request.
    pub notify_url: Option<CallbackUrl>,
    /// One provider's own options.
    pub options: Option<Options>,
    /// The moment before which the request must be on its way; none if there is no such limit.
    ///
    /// The provider hands it to the [`HttpRequest`](crate::HttpRequest) of each write that it makes of this.
    pub send_by: Option<Monotonic>,
}

impl ChargeRequest {
    /// A charge.
    pub fn new(merchant_ref: MerchantRef, amount: Money, token: CardToken) -> Self {
        Self {
            merchant_ref,
            amount,
            token,
            description: String::new(),
            language: Language::default(),
            return_urls: None,
            notify_url: None,
            options: None,
            send_by: None,
        }
    }

    /// With the moment before which it must be on its way.
    #[must_use]
    pub fn send_by(mut self, moment: Option<Monotonic>) -> Self {
        self.send_by = moment;
        self
    }
}

/// What came of charging a saved card.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Charge {
    /// How it stands. A decline is an answer, not an error.
    pub payment: Payment,
    /// A page that the card's bank wants the payer to see, if any.
    pub next: Vec<NextAction>,
}

impl Charge {
    /// A charge that needs nothing further of the payer.
    pub fn new(payment: Payment) -> Self {
        Self { payment, next: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    #[test]
    fn a_request_carries_its_deadline() {
        let reference = MerchantRef::parse("ABC00001").unwrap();
        let moment = Some(Monotonic::from_millis(7));
        let payment = PaymentRef::new(reference.clone(), None, crate::reference::Flow::new("page"));
        let amount = Money::from_minor(100, Currency::MNT);
        let id = || OperationRef::parse("op-1").unwrap();
        let token = CardToken::new("token");
        assert_eq!(CreateInvoice::new(reference.clone(), amount, "").send_by, None);
        assert_eq!(CreateInvoice::new(reference.clone(), amount, "").send_by(moment).send_by, moment);
        assert_eq!(CreateCardSetup::new(reference.clone()).send_by(moment).send_by, moment);
        assert_eq!(ChargeRequest::new(reference, amount, token).send_by(moment).send_by, moment);
        assert_eq!(RefundRequest::new(payment.clone(), id(), amount, "").send_by(moment).send_by, moment);
        assert_eq!(CaptureRequest::new(payment.clone(), id(), amount).send_by(moment).send_by, moment);
        assert_eq!(VoidRequest::new(payment.clone(), id()).send_by(moment).send_by, moment);
        assert_eq!(CancelRequest::new(payment).send_by(moment).send_by, moment);
    }
}
