//! The provider traits.
//!
//! A provider is one struct. The root trait is small and object safe; each ability is a trait of its own, and the
//! root answers which there are, so presence is computed and cannot lie.

use std::any::Any;
use std::fmt::Debug;

use async_trait::async_trait;

use crate::error::Result;
use crate::info::{Ability, FlowInfo, FlowStart, ProviderInfo};
use crate::ipn::{Delivery, IpnEvent, IpnOutcome, Reply};
use crate::reference::PaymentRef;
use crate::request::{
    CancelRequest, CaptureRequest, CardSetup, CardSetupAnswer, Charge, ChargeRequest, CreateCardSetup,
    CreateInvoice, Invoice, Refund, RefundRequest, VoidRequest,
};
use crate::secret::CardToken;
use crate::status::Payment;

/// One configured provider: what it is, and which abilities it has.
///
/// An ability that the account may not use is absent here, not present and refusing.
pub trait Provider: Any + Debug + Send + Sync {
    /// What this account's provider is and can do.
    fn info(&self) -> &ProviderInfo;
    /// The flow that this request begins. A provider whose options choose among flows says so here, because a payment
    /// is stored under its flow before the provider has answered.
    fn flow_of_invoice(&self, request: &CreateInvoice) -> Option<&FlowInfo> {
        self.info().invoice_flow(request.way)
    }
    /// The flow that this charge begins, as [`flow_of_invoice`](Self::flow_of_invoice) does.
    fn flow_of_charge(&self, _request: &ChargeRequest) -> Option<&FlowInfo> {
        self.info().flow_of(&FlowStart::Charge)
    }
    /// Makes invoices that a payer pays on a page, in an app or on a phone.
    fn invoices(&self) -> Option<&dyn InvoiceProvider> {
        None
    }
    /// Makes QR payloads that a payer scans.
    fn qr(&self) -> Option<&dyn QrProvider> {
        None
    }
    /// Says how a payment stands.
    fn queries(&self) -> Option<&dyn QueryProvider> {
        None
    }
    /// Takes back an invoice that nobody has paid.
    fn cancels(&self) -> Option<&dyn CancelProvider> {
        None
    }
    /// Takes money that is held.
    fn captures(&self) -> Option<&dyn CaptureProvider> {
        None
    }
    /// Lets go of money that is held.
    fn voids(&self) -> Option<&dyn VoidProvider> {
        None
    }
    /// Gives money back.
    fn refunds(&self) -> Option<&dyn RefundProvider> {
        None
    }
    /// Saves a card on the provider's page, and reads it back.
    fn tokenize(&self) -> Option<&dyn TokenizeProvider> {
        None
    }
    /// Charges a saved card.
    fn charges(&self) -> Option<&dyn ChargeProvider> {
        None
    }
    /// Deletes a saved card.
    fn vault(&self) -> Option<&dyn TokenVaultProvider> {
        None
    }
    /// Reads notifications and browser returns.
    fn ipn(&self) -> Option<&dyn IpnProvider> {
        None
    }
}

/// The abilities that a provider has, computed from its traits.
pub fn abilities(provider: &dyn Provider) -> Vec<Ability> {
    let present = [
        (Ability::Invoice, provider.invoices().is_some()),
        (Ability::Qr, provider.qr().is_some()),
        (Ability::Query, provider.queries().is_some()),
        (Ability::Cancel, provider.cancels().is_some()),
        (Ability::Capture, provider.captures().is_some()),
        (Ability::Void, provider.voids().is_some()),
        (Ability::Refund, provider.refunds().is_some()),
        (Ability::Tokenize, provider.tokenize().is_some()),
        (Ability::Charge, provider.charges().is_some()),
        (Ability::Vault, provider.vault().is_some()),
        (Ability::Ipn, provider.ipn().is_some()),
    ];
    present.into_iter().filter_map(|(ability, is)| is.then_some(ability)).collect()
}

/// Makes invoices.
#[async_trait]
pub trait InvoiceProvider: Send + Sync {
    /// Creates an invoice. It is created by this, not paid.
    ///
    /// # Errors
    /// [`Outcome::Unknown`](crate::Outcome::Unknown) when it may exist although no good answer came.
    async fn create_invoice(&self, request: &CreateInvoice) -> Result<Invoice>;
}

/// Makes QR payloads.
#[async_trait]
pub trait QrProvider: Send + Sync {
    /// Creates an invoice with at least one [`NextAction::ShowQr`](crate::NextAction::ShowQr).
    ///
    /// # Errors
    /// As [`InvoiceProvider::create_invoice`].
    async fn create_qr(&self, request: &CreateInvoice) -> Result<Invoice>;
}

/// Says how a payment stands.
#[async_trait]
pub trait QueryProvider: Send + Sync {
    /// Asks. The amount in the answer is the provider's, never the one asked about.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when the provider does not know it; what that proves
    /// stands in [`FlowInfo`](crate::FlowInfo).
    async fn query(&self, payment: &PaymentRef) -> Result<Payment>;
}

/// Takes back an invoice.
#[async_trait]
pub trait CancelProvider: Send + Sync {
    /// Cancels; the answer says how the payment then stands, which may be `Paid`.
    ///
    /// # Errors
    /// `Unknown` when it may have been cancelled.
    async fn cancel(&self, request: &CancelRequest) -> Result<Payment>;
}

/// Takes money that is held.
#[async_trait]
pub trait CaptureProvider: Send + Sync {
    /// Captures.
    ///
    /// # Errors
    /// `Unknown` when it may have been captured.
    async fn capture(&self, request: &CaptureRequest) -> Result<Payment>;
}

/// Lets go of money that is held.
#[async_trait]
pub trait VoidProvider: Send + Sync {
    /// Voids.
    ///
    /// # Errors
    /// `Unknown` when it may have been voided.
    async fn void(&self, request: &VoidRequest) -> Result<Payment>;
}

/// Gives money back.
#[async_trait]
pub trait RefundProvider: Send + Sync {
    /// Refunds.
    ///
    /// # Errors
    /// `Unknown` when it may have been refunded.
    async fn refund(&self, request: &RefundRequest) -> Result<Refund>;
}

/// Saves cards on the provider's page.
#[async_trait]
pub trait TokenizeProvider: Send + Sync {
    /// Creates the page on which the payer types the card.
    ///
    /// # Errors
    /// As [`InvoiceProvider::create_invoice`].
    async fn create_card_setup(&self, request: &CreateCardSetup) -> Result<CardSetup>;

    /// Reads the saved card.
    ///
    /// # Errors
    /// As [`QueryProvider::query`].
    async fn read_card_setup(&self, setup: &PaymentRef) -> Result<CardSetupAnswer>;
}

/// Charges saved cards.
#[async_trait]
pub trait ChargeProvider: Send + Sync {
    /// Charges. It may still need a page (3-D Secure).
    ///
    /// # Errors
    /// `Unknown` when the card may have been charged.
    async fn charge(&self, request: &ChargeRequest) -> Result<Charge>;
}

/// Deletes saved cards.
#[async_trait]
pub trait TokenVaultProvider: Send + Sync {
    /// Deletes the card at the provider.
    ///
    /// # Errors
    /// `Unknown` when it may have been deleted.
    async fn delete_card(&self, token: &CardToken) -> Result<()>;
}

/// Reads what the provider sends by itself. Pure: no I/O, so it can be fuzzed and benchmarked.
pub trait IpnProvider: Send + Sync {
    /// Reads a delivery and says what it proves.
    ///
    /// # Errors
    /// [`ErrorKind::Untrusted`](crate::ErrorKind::Untrusted) when a checksum is missing or wrong,
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) when it cannot be read. Nothing may follow from it.
    fn verify(&self, delivery: &Delivery<'_>) -> Result<IpnEvent>;

    /// What to answer the provider, given what became of its delivery.
    fn acknowledge(&self, outcome: IpnOutcome<'_>) -> Reply;
}
