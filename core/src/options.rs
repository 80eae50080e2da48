//! Options that only one provider has, with their type erased.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};

/// A provider crate's own typed options. What only one provider has goes here.
pub trait ProviderOptions: Serialize + DeserializeOwned {
    /// The id of the provider whose options these are.
    const PROVIDER: &'static str;
}

/// One provider's options with their type erased; any other provider refuses them.
///
/// They are kept as JSON, so that a stored request can be compared with another. `Debug` names the provider and hides
/// the rest, which may be about a person.
#[derive(Clone, Serialize, Deserialize)]
pub struct Options {
    provider: String,
    value: Box<RawValue>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl Options {
    /// Erases a provider's options.
    ///
    /// # Errors
    /// When they cannot be serialised.
    pub fn new<T: ProviderOptions>(options: &T) -> Result<Self> {
        let value = serde_json::value::to_raw_value(options)
            .map_err(|e| Error::invalid("options", "the options cannot be written as JSON").with_source(e))?;
        Ok(Self { provider: T::PROVIDER.into(), value })
    }

    /// The id of the provider whose options these are.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Reads them as the options of `T`'s provider.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when they are another provider's.
    pub fn read<T: ProviderOptions>(&self) -> Result<T> {
        if self.provider != T::PROVIDER {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("these are options of `{}`; leave them out or use that provider", self.provider),
            )
            .with_field("options"));
        }
        serde_json::from_str(self.value.get())
            .map_err(|e| Error::invalid("options", "the options do not fit their type").with_source(e))
    }
}

impl PartialEq for Options {
    fn eq(&self, other: &Self) -> bool {
        self.provider == other.provider && self.value.get() == other.value.get()
    }
}

impl Eq for Options {}

/// Reads optional options, with the type's default when there are none.
///
/// # Errors
/// As [`Options::read`].
pub fn read_options<T: ProviderOptions + Default>(options: Option<&Options>) -> Result<T> {
    options.map_or_else(|| Ok(T::default()), Options::read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Wishes {
        name: String,
    }

    impl ProviderOptions for Wishes {
        const PROVIDER: &'static str = "bank";
    }

    #[test]
    fn options_do_not_print_what_they_hold() {
        let options = Options::new(&Wishes { name: "planted-name".into() }).unwrap();
        let printed = format!("{options:?}");
        assert!(printed.contains("bank") && !printed.contains("planted-name"), "{printed}");
        assert_eq!(options.read::<Wishes>().unwrap().name, "planted-name");
    }
}
