//! Khur Bank for Tulbur: a hosted payment page, the question how a payment stands, refunds, and signed notifications.
//!
//! **There is no Khur Bank.** It was made up to show what a provider crate outside Tulbur's repository looks like.
//! `BANK.md` beside this crate is its manual; comments name its sections.
//!
//! An application names this crate once, and the registry knows it under [`ID`]:
//!
//! ```
//! use khur_bank as _;
//! use tulbur_core::Registry;
//!
//! let registry = Registry::linked()?;
//! assert!(registry.ids().iter().any(|id| id.as_str() == "khur-bank"));
//! # Ok::<(), tulbur_core::Error>(())
//! ```

mod client;
mod config;
mod info;
mod ipn;
mod sign;
mod status;
mod wire;

pub use client::KhurBank;
pub use config::{KhurBankConfig, PRODUCTION};
pub use info::FLOW_PAGE;

/// The provider's id.
pub const ID: &str = "khur-bank";
