//! Defines the options that only Galaxy Pay has. They are chosen for each payment.

use serde::{Deserialize, Serialize};
use tulbur_core::{Money, ProviderOptions};

use crate::ID;
use crate::codes::{LinkField, LinkMethod, Method, SourceType};
use crate::extra::ExtraData;

/// What only Galaxy Pay has, for an invoice or the charge of a saved card.
///
/// ```
/// use tulbur_core::Options;
/// use tulbur_galaxy_pay::{GalaxyPayOptions, Method, SourceType};
///
/// let mut options = GalaxyPayOptions::default();
/// options.method = Some(Method::Wallet);
/// options.source_type = Some(SourceType::MOMO);
/// let options = Options::new(&options)?;
/// # Ok::<(), tulbur_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct GalaxyPayOptions {
    /// How the payer pays. Without it a page lets the payer choose, and a QR is a bank's.
    pub method: Option<Method>,
    /// Who stands behind the method. Needed for wallets, hubs, QR and buy-now-pay-later.
    pub source_type: Option<SourceType>,
    /// An order or bill number for people, at most 20 characters.
    pub order_number: Option<String>,
    /// The sub-merchant that a master merchant acts for, at most 50 characters (`subMerchant.identifier`).
    pub sub_merchant: Option<String>,
    /// About customer, device and goods. Without it, e-mail and phone of the request's payer are sent if they are set.
    pub extra_data: Option<ExtraData>,
    /// Opens the modal checkout instead of a page.
    pub checkout: Option<Checkout>,
    /// Makes a payment link instead of a page.
    pub payment_link: Option<PaymentLink>,
    /// Charges a saved card without a page (`FAST_PAY`): for recurring charges of international cards.
    pub fast_pay: bool,
}

impl ProviderOptions for GalaxyPayOptions {
    const PROVIDER: &'static str = ID;
}

/// What the modal checkout wants to know beside the amount. Whether it must add up is unknown; nothing is checked here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Checkout {
    /// The subtotal (`orderNetAmount`); the amount if not set, as in the page's sample.
    pub net: Option<Money>,
    /// The fee (`orderFeeAmount`); nothing if not set.
    pub fee: Option<Money>,
    /// The discount (`orderDiscountAmount`); nothing if not set.
    pub discount: Option<Money>,
}

/// The unit of a payment link's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExpiryUnit {
    /// Days.
    Day,
    /// Hours.
    Hour,
    /// Minutes.
    Minute,
}

impl ExpiryUnit {
    /// How many seconds one of it has.
    pub(crate) fn seconds(self) -> u64 {
        match self {
            Self::Day => 86_400,
            Self::Hour => 3_600,
            Self::Minute => 60,
        }
    }
}

/// A payment link: a short address that the payer opens later.
///
/// There is nothing to ask about a link; see the book on what proves that it was paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PaymentLink {
    /// What the payer sees as the order's name, at most 250 characters.
    pub name: String,
    /// How long the link lives, in `expires_unit`s.
    pub expires_after: u32,
    /// The unit of `expires_after`.
    pub expires_unit: ExpiryUnit,
    /// What can be paid with. At least one.
    pub methods: Vec<LinkMethod>,
    /// What the payer is asked for.
    #[serde(default)]
    pub fields: Vec<LinkField>,
}

impl PaymentLink {
    /// A link that asks the payer for nothing but the money.
    pub fn new(
        name: impl Into<String>,
        expires_after: u32,
        expires_unit: ExpiryUnit,
        methods: impl IntoIterator<Item = LinkMethod>,
    ) -> Self {
        let methods = methods.into_iter().collect();
        Self { name: name.into(), expires_after, expires_unit, methods, fields: Vec::new() }
    }
}
