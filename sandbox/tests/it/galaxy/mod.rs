//! Galaxy Pay: the merchant's calls, the payer's pages, the callbacks.

mod api;
mod callbacks;
mod clients;
mod codes;
mod manage;
mod pages;
mod secrets;
mod support;
mod tokens;
mod vectors;
