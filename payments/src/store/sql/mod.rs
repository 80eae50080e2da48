//! Holds the statements that both databases understand; what they do not share is in each one's `dialect`.
//!
//! It is compiled once for each database, over that database's types.

use super::dialect;

mod alone;
mod batch;
mod due;
pub(super) mod known;
mod outbox;
pub(super) mod rows;
pub(super) mod settle;
pub(super) mod statement;
mod store;
pub(super) mod tables;
pub(super) mod value;
mod write;
