//! Reads and writes what crosses the network, the same way for every provider.

mod address;
mod form;

pub use address::{below, check_address, check_base};
pub use form::{Fields, Pair};
