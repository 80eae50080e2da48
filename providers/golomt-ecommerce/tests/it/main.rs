//! The provider against a scripted bank: what is sent, what is made of every answer, and what is never said.

mod book;
mod common;
mod deliveries;
mod outcomes;
mod refusals;
mod requests;
mod sandbox;
mod secrets;
