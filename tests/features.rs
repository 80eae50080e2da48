//! A feature that names a provider links it, so that it registers itself; a feature that is off links nothing.
//!
//! This is a test of the facade package, so it is built with exactly the facade's features. `.ci/run` builds it with
//! none and with each provider's, in debug and in release: a linker may drop in one what it keeps in the other.

use tulbur::Registry;

#[test]
fn the_providers_whose_features_are_on_are_linked_and_no_others() {
    let expected: Vec<&str> = [
        ("galaxy-pay", cfg!(feature = "galaxy-pay")),
        ("golomt-ecommerce", cfg!(feature = "golomt-ecommerce")),
        ("golomt-instore", cfg!(feature = "golomt-instore")),
        ("qpay", cfg!(feature = "qpay")),
    ]
    .into_iter()
    .filter_map(|(id, on)| on.then_some(id))
    .collect();
    let registry = Registry::linked().expect("no two crates share an id");
    let ids: Vec<String> = registry.ids().iter().map(ToString::to_string).collect();
    assert_eq!(ids, expected);
    let described: Vec<String> = registry.describe().iter().map(|info| info.id.to_string()).collect();
    assert_eq!(described, expected, "each can be described without credentials");
}

/// An application that forgot the feature is told which one to turn on.
#[cfg(all(
    feature = "reqwest",
    not(any(
        feature = "galaxy-pay",
        feature = "golomt-ecommerce",
        feature = "golomt-instore",
        feature = "qpay"
    ))
))]
#[test]
fn a_provider_that_is_not_linked_says_so() {
    use tulbur::{AccountConfig, AccountName, ErrorKind, ProviderId};

    let name = "golomt-ecommerce";
    let account = AccountConfig::new(
        AccountName::parse(name).expect("a name"),
        ProviderId::parse(name).expect("an id"),
    );
    let env = tulbur::reqwest::standard_env().expect("the transport can be built");
    let error =
        Registry::linked().and_then(|registry| registry.build(&account, &env)).expect_err("not linked");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("linked: none"), "{error}");
}
