//! Serves the people who operate a shop: reconciliation, replay, sealing anew, and showing what arrived.

pub(crate) mod handlers;
pub mod reconcile;
pub(crate) mod replay;
pub(crate) mod reseal;
pub(crate) mod resolve;
pub(crate) mod shown;
