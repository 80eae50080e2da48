//! Seals deliveries as they came, and opens them again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tulbur_core::{Channel, Delivery};

use crate::error::{Error, Result};
use crate::store::InboxEntry;
use crate::store::seal::{Place, SealingKeys};

/// A delivery as it was sealed.
#[derive(Deserialize)]
pub(crate) struct RawDelivery {
    pub(crate) method: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    body: String,
    /// How long the body was; of a refused one only the beginning is kept.
    pub(crate) bytes: usize,
}

impl RawDelivery {
    pub(crate) fn open(keys: &SealingKeys, entry: &InboxEntry) -> Result<Self> {
        let raw = keys.open(&Place::of_entry(entry), &entry.sealed)?;
        serde_json::from_slice(&raw).map_err(|_| Error::Sealed("it is no delivery".into()))
    }

    pub(crate) fn delivery<'a>(&'a self, channel: Channel, body: &'a [u8]) -> Delivery<'a> {
        Delivery { channel, method: &self.method, query: self.query.as_deref(), headers: &self.headers, body }
    }

    pub(crate) fn body(&self) -> Result<Vec<u8>> {
        STANDARD.decode(&self.body).map_err(|_| Error::Sealed("its body is not base64".into()))
    }
}
