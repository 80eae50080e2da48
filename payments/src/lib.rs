//! Durable payments over any Tulbur provider.
