//! QPay: tokens, invoices, payments, receipts, callbacks, pages.

mod auth;
mod callbacks;
mod clients;
mod control;
mod faults;
mod invoices;
mod pages;
mod payments;
mod receipts;
mod secrets;
mod support;
mod vectors;
