//! Payloads and pictures: vectors, properties, and what cannot be read.

#[cfg(feature = "picture")]
mod pictures;
mod properties;
mod reading;
mod rules;
mod support;
mod vectors;
