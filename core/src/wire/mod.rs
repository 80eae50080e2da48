//! Reads and writes what crosses the network, the same way for every provider.

mod address;
mod form;
mod json;

pub use address::{below, check_address, check_base};
pub use form::{Fields, Pair};
pub use json::{Field, Scalar, Text, filled, is_nothing, needed, object, read};
