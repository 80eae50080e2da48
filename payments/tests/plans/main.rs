//! Every statement of the engine and the worker finds its rows by an index on both databases, however many rows there are:
//! the very statements that the store sends, as the databases say that they would do them.

#[path = "../it/support/mod.rs"]
mod support;

mod events;
mod everything;
mod recorder;
