//! The mini app's settings: its id, its certificate id, and the plug-in that holds them.

use crate::plugin::Timestamp;

/// The id of this provider.
pub const PROVIDER_ID: &str = "golomt-mini-app";
/// What a merchant sends in the header `X-Golomt-Cert-Id` unless told otherwise.
pub const DEFAULT_CERT_ID: &str = "sandbox-cert-id";

/// The SocialPay side of mini apps, for one merchant.
///
/// Its key pair is fixed, published in this crate, and protects nothing.
#[derive(Clone, Debug)]
pub struct GolomtMiniApp {
    pub(super) cert_id: String,
    /// Since when its customers exist, for the control page.
    pub(super) since: Timestamp,
}

impl Default for GolomtMiniApp {
    fn default() -> Self {
        Self::new()
    }
}

impl GolomtMiniApp {
    /// A SocialPay with the sandbox's fixed certificate id and key.
    pub fn new() -> Self {
        Self { cert_id: DEFAULT_CERT_ID.to_owned(), since: Timestamp::now() }
    }

    /// Gives the merchant another certificate id.
    #[must_use]
    pub fn cert_id(mut self, cert_id: impl Into<String>) -> Self {
        self.cert_id = cert_id.into();
        self
    }
}
