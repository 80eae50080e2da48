//! The simulated bank: its books, its notifications, and the provider through which the engine sees it.

mod books;
mod message;
mod notify;
mod provider;
mod transport;

pub use books::{Entry, Ledger, Move, Request, Standing};
pub(crate) use message::{Message, garbage};
pub(crate) use notify::{notify, tell};
pub(crate) use provider::{ACCOUNTS, provider};
