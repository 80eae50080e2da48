//! The provider against a scripted QPay: what is sent, what is made of every answer, and what is never said.

mod book;
mod check;
mod common;
mod deliveries;
mod login;
mod management;
mod options;
mod outcomes;
mod receipts;
mod requests;
mod secrets;
mod sockets;
