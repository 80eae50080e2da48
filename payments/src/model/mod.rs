//! Holds what is stored: records, events, operations, and what one commit changes.

pub(crate) mod changes;
pub(crate) mod event;
pub(crate) mod operation;
pub(crate) mod record;
pub(crate) mod request;
pub(crate) mod schedule;
