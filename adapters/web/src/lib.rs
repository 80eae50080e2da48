//! Framework-free web handlers and payer pages of Tulbur.
