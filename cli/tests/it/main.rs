//! The command, as its users run it.

mod inbox;
mod new_provider;
mod payments;
mod postgres;
mod providers;
mod reconcile;
mod sandbox;
mod settings;
mod support;
mod write_a_provider;
