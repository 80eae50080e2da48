//! The simulated bank: its books, its notifications, and the provider through which the engine sees it.

mod books;
mod message;
mod provider;
mod transport;

pub use books::{Entry, Ledger, Move, Request, Standing};
pub(crate) use message::{Message, garbage, text_of};
pub(crate) use provider::{ACCOUNTS, provider};
