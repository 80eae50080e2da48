//! A VAT receipt as the state keeps it.

use serde::{Deserialize, Serialize};

use crate::plugin::Timestamp;

/// A VAT receipt. Its receiver is masked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Receipt {
    pub(super) id: String,
    pub(super) payment_id: String,
    pub(super) receiver_type: String,
    pub(super) receiver: Option<String>,
    pub(super) district: Option<String>,
    pub(super) vat: u64,
    pub(super) city_tax: u64,
    pub(super) tax_type: String,
    pub(super) lottery: String,
    pub(super) canceled: bool,
    pub(super) made_at: Timestamp,
    pub(super) changed_at: Timestamp,
}
