//! Runs the decisions: the write path, notifications, questions, and the background work.

pub(crate) mod apply;
pub(crate) mod arrival;
pub(crate) mod arrivals;
pub(crate) mod ask;
pub(crate) mod builder;
pub(crate) mod deliverer;
pub(crate) mod deliveries;
pub(crate) mod inner;
pub(crate) mod kept;
pub(crate) mod notify;
pub(crate) mod open;
pub(crate) mod operate;
pub(crate) mod payments;
pub(crate) mod probe;
pub(crate) mod refusals;
pub(crate) mod refused;
pub(crate) mod sampler;
pub(crate) mod spacing;
pub(crate) mod throttle;
pub(crate) mod time;
pub(crate) mod unread;
pub(crate) mod wakes;
mod wanted;
pub(crate) mod worker;
pub(crate) mod write;
