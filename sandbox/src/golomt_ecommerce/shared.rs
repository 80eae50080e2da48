//! Holds the credentials and the desk that the bank's handlers share.

use std::time::Duration;

use super::state::BankState;
use crate::plugin::Desk;

/// How long a payer's way back, or an answer that must come second, waits for the merchant's reply to a notification.
pub(super) const PUSH_PATIENCE: Duration = Duration::from_secs(3);

/// The bank as its handlers share it.
#[derive(Clone)]
pub(super) struct Bank {
    pub(super) token: String,
    pub(super) secret: String,
    pub(super) desk: Desk<BankState>,
}
