//! Deterministic simulation of the payments engine.
//!
//! Several processes, each with a runtime of its own, share one simulated database and one simulated bank. The simulator
//! ticks the runtimes in virtual time: a process that is not ticked stands still, one whose runtime is dropped has
//! crashed. Latencies, faults and everything that people do follow from one seed, or from a [`story::Story`] that is
//! written by hand. At the end a judge compares the bank's books with what is stored, heard and listed.

pub mod bank;
mod calls;
mod cards;
pub mod fault;
pub mod generate;
pub mod judge;
pub mod notes;
pub mod outcome;
mod process;
pub mod random;
pub mod report;
mod run;
mod runner;
pub mod shrink;
pub mod sim;
mod store;
pub mod story;
pub mod units;

pub use run::run;
