//! Holds the account and the desk that QPay's handlers share.

use super::settings::QPay;
use super::state::QPayState;
use crate::plugin::Desk;

/// QPay as its handlers share it.
#[derive(Clone)]
pub(super) struct Bank {
    pub(super) account: QPay,
    pub(super) desk: Desk<QPayState>,
}
