//! A shop that sells through QPay: its database is a file, its pages and callbacks go over HTTP, QPay is the sandbox.

#[path = "qpay/callbacks.rs"]
mod callbacks;
#[path = "qpay/money.rs"]
mod money;
#[path = "qpay/street.rs"]
mod street;
