//! Opens a store by its address.

use std::sync::Arc;

use crate::error::StoreError;
use crate::store::contract::Store;
use crate::store::settings::StoreSettings;

/// Opens a store by its address, with the settings that stores have by themselves.
///
/// | address | store |
/// |---|---|
/// | `sqlite:shop.db`, `sqlite:///var/lib/shop/shop.db` | `SqliteStore`, with the feature `sqlite` |
/// | `postgres://user:password@host:5432/shop`, `postgresql://…` | `PostgresStore`, with the feature `postgres` |
/// | `memory:` | [`MemoryStore`](crate::MemoryStore), which keeps nothing |
///
/// # Errors
/// [`StoreError::Unavailable`] for an address of another form, and for a database whose feature is off; and what
/// opening it can fail with. No error repeats the address, which may hold a password.
pub async fn open_store(address: &str) -> Result<Arc<dyn Store>, StoreError> {
    open_store_with(address, &StoreSettings::default()).await
}

/// As [`open_store`], with settings.
///
/// # Errors
/// As [`open_store`].
#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    allow(
        unused_variables,
        clippy::unused_async,
        reason = "only databases have settings, and are waited for"
    )
)]
pub async fn open_store_with(address: &str, settings: &StoreSettings) -> Result<Arc<dyn Store>, StoreError> {
    match address.split_once(':').map(|(scheme, _)| scheme) {
        #[cfg(feature = "sqlite")]
        Some("sqlite") => {
            let options = crate::store::sqlite::parse(address)?;
            Ok(Arc::new(crate::store::sqlite::SqliteStore::connect(options, settings).await?))
        }
        #[cfg(not(feature = "sqlite"))]
        Some("sqlite") => Err(StoreError::Unavailable(
            "the address names SQLite, and the feature `sqlite` of tulbur or tulbur-payments is off".into(),
        )),
        #[cfg(feature = "postgres")]
        Some("postgres" | "postgresql") => {
            let options = crate::store::postgres::parse(address)?;
            Ok(Arc::new(crate::store::postgres::PostgresStore::connect(options, settings).await?))
        }
        #[cfg(not(feature = "postgres"))]
        Some("postgres" | "postgresql") => Err(StoreError::Unavailable(
            "the address names PostgreSQL, and the feature `postgres` of tulbur or tulbur-payments is off"
                .into(),
        )),
        Some("memory") => Ok(Arc::new(crate::store::memory::MemoryStore::new())),
        _ => Err(StoreError::Unavailable(
            "the address of the database must begin with `sqlite:`, `postgres://` or `memory:`".into(),
        )),
    }
}
