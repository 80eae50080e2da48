//! Defines the options that only the bank's e-commerce gateway has. They are chosen for each payment.

use serde::{Deserialize, Serialize};
use tulbur_core::ProviderOptions;

use crate::ID;

/// How the payer's browser or app comes back: the bank's `returnType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReturnType {
    /// With the result in the query string.
    #[default]
    Get,
    /// With the result in a form that the bank's page posts.
    Post,
    /// To an app. The return address is the app's own scheme, or an `https` link that the app answers to. What the
    /// bank adds to it is not documented.
    Mobile,
}

impl ReturnType {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Mobile => "MOBILE",
        }
    }
}

/// Which of the bank's two payment pages comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Page {
    /// The card page.
    #[default]
    Card,
    /// The page of the SocialPay wallet.
    SocialPay,
}

/// What only Golomt E-Commerce has, for an invoice or a card set-up.
///
/// ```
/// use tulbur_core::Options;
/// use tulbur_golomt_ecommerce::{GolomtEcommerceOptions, ReturnType};
///
/// let mut options = GolomtEcommerceOptions::default();
/// options.return_type = ReturnType::Post;
/// let options = Options::new(&options)?;
/// # Ok::<(), tulbur_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct GolomtEcommerceOptions {
    /// How the payer comes back; by GET if not set.
    pub return_type: ReturnType,
    /// Whether to ask for a link that opens the SocialPay app. [`Way::App`](tulbur_core::Way::App) asks for it too.
    pub social_deeplink: bool,
    /// The bank's field `email`. Its meaning is **unknown**: it stands in one sample of the documentation, and is not
    /// covered by the checksum. It is sent only if set here, never taken from the payer.
    pub email: Option<String>,
    /// Which page comes first; the account's setting `page` if not set.
    pub page: Option<Page>,
}

impl ProviderOptions for GolomtEcommerceOptions {
    const PROVIDER: &'static str = ID;
}
