//! Shops whose parts run in one process with the sandbox.

mod qpay;
mod tills;
