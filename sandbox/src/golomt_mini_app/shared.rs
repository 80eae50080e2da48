//! Holds the certificate id and the desk that SocialPay's handlers share.

use super::state::MiniAppState;
use crate::plugin::Desk;

/// SocialPay as its handlers share it.
#[derive(Clone, Debug)]
pub(super) struct SocialPay {
    pub(super) cert_id: String,
    pub(super) desk: Desk<MiniAppState>,
}
