//! The HTTP transport of Tulbur, on reqwest.
