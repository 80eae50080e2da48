//! A shop that sells through QPay: its database is a file, its pages and callbacks go over HTTP, QPay is the sandbox.

mod callbacks;
mod money;
mod street;
