//! The provider against a scripted bank: what is sent, what is made of every answer, and what is never said.

mod book;
mod common;
mod deliveries;
mod mini_app;
mod outcomes;
mod refusals;
mod requests;
mod sandbox;
mod sandbox_mini_app;
mod secrets;
mod sockets;
mod v2;
