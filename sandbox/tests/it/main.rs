//! The sandbox over real sockets: as a merchant's server, a payer's browser, a test and an outside plug-in meet it.

mod api;
mod clients;
mod control;
mod faults;
mod galaxy;
mod hostile;
mod instore;
mod kept;
mod mini_app;
mod pages;
mod plugin;
mod pushes;
mod qpay;
mod support;
mod tokens;
mod vectors;
