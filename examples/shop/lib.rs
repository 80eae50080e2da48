//! Examples of Tulbur.
