//! A crate that is named is linked and registers itself, in debug and in release.

use khur_bank as _;
use tulbur_core::{AccountConfig, AccountName, ErrorKind, ProviderFactory, ProviderId, Registry};

fn names(registry: &Registry) -> Vec<String> {
    registry.ids().iter().map(ToString::to_string).collect()
}

#[test]
fn the_named_crate_is_linked_and_described_without_credentials() {
    let registry = Registry::linked().unwrap();
    assert_eq!(names(&registry), ["khur-bank"]);
    assert_eq!(registry.describe()[0].name, "Khur Bank");
}

#[test]
fn a_second_provider_of_that_id_is_refused() {
    let error = Registry::linked().unwrap().with::<khur_bank::KhurBank>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains(khur_bank::KhurBank::ID), "{error}");
}

#[test]
fn by_hand_it_works_where_linking_does_not() {
    let registry = Registry::empty().with::<khur_bank::KhurBank>().unwrap();
    assert_eq!(names(&registry), ["khur-bank"]);
}

#[test]
fn an_unknown_id_lists_what_is_linked_and_the_remedies() {
    let account =
        AccountConfig::new(AccountName::parse("till").unwrap(), ProviderId::parse("other-bank").unwrap());
    let env = tulbur_reqwest::standard_env().unwrap();
    let error = Registry::linked().unwrap().build(&account, &env).unwrap_err().to_string();
    for words in ["`till`", "linked: khur-bank", "feature", "use its_crate as _;", "Registry::with"] {
        assert!(error.contains(words), "{words}: {error}");
    }
}
