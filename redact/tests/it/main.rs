//! Tests what is hidden and what is not, through the crate's public functions alone.

mod look_alikes;
mod writings;
