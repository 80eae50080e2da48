//! QPay's settings: its id, its credentials, and the plug-in that holds them.

use std::fmt;

/// The id of this provider.
pub const PROVIDER_ID: &str = "qpay";
/// The user name (`client_id`) that the sandbox takes unless told otherwise.
pub const DEFAULT_USERNAME: &str = "sandbox-qpay-user";
/// The password (`client_secret`) that the sandbox takes unless told otherwise.
pub const DEFAULT_PASSWORD: &str = "sandbox-qpay-password";
/// The invoice code of the account unless told otherwise.
pub const DEFAULT_INVOICE_CODE: &str = "SANDBOX_INVOICE";
/// The second invoice code, for invoices with a VAT receipt, unless told otherwise.
pub const DEFAULT_VAT_INVOICE_CODE: &str = "SANDBOX_VAT_INVOICE";

/// QPay's side of the merchant API v2, for one merchant.
#[derive(Clone)]
pub struct QPay {
    pub(super) username: String,
    pub(super) password: String,
    pub(super) invoice_code: String,
    pub(super) vat_invoice_code: String,
}

impl fmt::Debug for QPay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QPay").finish_non_exhaustive()
    }
}

impl Default for QPay {
    fn default() -> Self {
        Self::new()
    }
}

impl QPay {
    /// A QPay with the sandbox's fixed credentials.
    pub fn new() -> Self {
        Self {
            username: DEFAULT_USERNAME.to_owned(),
            password: DEFAULT_PASSWORD.to_owned(),
            invoice_code: DEFAULT_INVOICE_CODE.to_owned(),
            vat_invoice_code: DEFAULT_VAT_INVOICE_CODE.to_owned(),
        }
    }

    /// Takes another user name and password.
    #[must_use]
    pub fn account(mut self, username: impl Into<String>, password: impl Into<String>) -> Self {
        self.username = username.into();
        self.password = password.into();
        self
    }

    /// Takes another invoice code.
    #[must_use]
    pub fn invoice_code(mut self, code: impl Into<String>) -> Self {
        self.invoice_code = code.into();
        self
    }

    /// Takes another invoice code for invoices with a VAT receipt.
    #[must_use]
    pub fn vat_invoice_code(mut self, code: impl Into<String>) -> Self {
        self.vat_invoice_code = code.into();
        self
    }
}
