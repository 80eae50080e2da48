//! The command tulbur.
