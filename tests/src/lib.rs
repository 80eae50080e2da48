//! Whole-system tests of Tulbur.
