//! Holds the credentials and the desk that the gateway's handlers share.

use std::time::Duration;

use super::state::GatewayState;
use crate::plugin::Desk;

/// How long a payer's way back, or an answer that must come second, waits for the merchant's reply to a notification.
pub(super) const PUSH_PATIENCE: Duration = Duration::from_secs(3);

/// The gateway as its handlers share it.
#[derive(Clone)]
pub(super) struct Gateway {
    pub(super) api_key: String,
    pub(super) salt: String,
    pub(super) desk: Desk<GatewayState>,
}
