//! Golomt Bank Instore: the till, the customer's phone, the notification.

mod api;
mod phone;
mod pushes;
pub(crate) mod support;
mod switches;
mod vectors;
