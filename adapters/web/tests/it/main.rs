//! The pages and routes, without any web framework.

mod live;
mod pages;
mod support;
mod ways;
