//! The actix adapter, over real sockets.

#[path = "../../../web/tests/it/support/notifications.rs"]
mod notification_checks;
#[path = "../../../web/tests/it/support/mod.rs"]
mod support;

mod adapter;
mod notifications;
mod vectors;
