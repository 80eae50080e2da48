//! Mounts Tulbur's web handlers on axum.
