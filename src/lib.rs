//! Tulbur.
