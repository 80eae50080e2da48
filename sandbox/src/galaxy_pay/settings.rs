//! Galaxy Pay's settings: its id, its credentials, and the plug-in that holds them.

use std::fmt;

/// The id of this provider.
pub const PROVIDER_ID: &str = "galaxy-pay";
/// The API key that the sandbox takes unless told otherwise.
pub const DEFAULT_API_KEY: &str = "sandbox-galaxy-key";
/// The salt that the sandbox signs with unless told otherwise. The guides' samples use a shorter one, which no account takes.
pub const DEFAULT_SALT: &str = "sandbox-galaxy-salt";

/// The gateway's side of the API, for one merchant.
#[derive(Clone)]
pub struct GalaxyPay {
    pub(super) api_key: String,
    pub(super) salt: String,
}

impl fmt::Debug for GalaxyPay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GalaxyPay").finish_non_exhaustive()
    }
}

impl Default for GalaxyPay {
    fn default() -> Self {
        Self::new()
    }
}

impl GalaxyPay {
    /// A gateway with the sandbox's fixed credentials.
    pub fn new() -> Self {
        Self { api_key: DEFAULT_API_KEY.to_owned(), salt: DEFAULT_SALT.to_owned() }
    }

    /// Takes another API key.
    #[must_use]
    pub fn api_key(mut self, api_key: impl Into<String>) -> Self {
        self.api_key = api_key.into();
        self
    }

    /// Signs with another salt.
    #[must_use]
    pub fn salt(mut self, salt: impl Into<String>) -> Self {
        self.salt = salt.into();
        self
    }
}
