//! Golomt E-Commerce's settings: its id, its credentials, and the plug-in that holds them.

use std::fmt;

/// The id of this provider.
pub const PROVIDER_ID: &str = "golomt-ecommerce";
/// The merchant token that the sandbox takes unless told otherwise.
pub const DEFAULT_TOKEN: &str = "sandbox-golomt-token";
/// The merchant secret that the sandbox signs with unless told otherwise.
pub const DEFAULT_SECRET: &str = "sandbox-golomt-secret";

/// The bank's side of the E-Commerce API, for one merchant.
#[derive(Clone)]
pub struct GolomtEcommerce {
    pub(super) token: String,
    pub(super) secret: String,
}

impl fmt::Debug for GolomtEcommerce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GolomtEcommerce").finish_non_exhaustive()
    }
}

impl Default for GolomtEcommerce {
    fn default() -> Self {
        Self::new()
    }
}

impl GolomtEcommerce {
    /// A bank with the sandbox's fixed credentials.
    pub fn new() -> Self {
        Self { token: DEFAULT_TOKEN.to_owned(), secret: DEFAULT_SECRET.to_owned() }
    }

    /// Takes another merchant token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = token.into();
        self
    }

    /// Signs with another merchant secret.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = secret.into();
        self
    }
}
