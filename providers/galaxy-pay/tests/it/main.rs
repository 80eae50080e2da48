//! The provider against a scripted gateway: what is sent, what is made of every answer, and what is never said.

mod book;
mod cards;
mod common;
mod deliveries;
mod management;
mod outcomes;
mod refusals;
mod requests;
mod sandbox;
mod secrets;
mod sockets;
mod vectors;
