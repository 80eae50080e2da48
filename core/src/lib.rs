//! Vocabulary, provider traits, ports and registry of Tulbur.
