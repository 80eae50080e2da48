//! What happens to an application that depends on a provider's crate and never names it. Its own test program, because
//! one `use` anywhere in a program links the crate.

use tulbur_core::{AccountConfig, AccountName, ProviderId, Registry};

#[test]
fn a_crate_that_nothing_names_is_not_linked_and_the_error_says_what_to_write() {
    let registry = Registry::linked().unwrap();
    assert!(registry.ids().is_empty(), "{:?}", registry.ids());
    let account =
        AccountConfig::new(AccountName::parse("till").unwrap(), ProviderId::parse("khur-bank").unwrap());
    let env = tulbur_reqwest::standard_env().unwrap();
    let error = registry.build(&account, &env).unwrap_err().to_string();
    for words in ["`till`", "linked: none", "use its_crate as _;"] {
        assert!(error.contains(words), "{words}: {error}");
    }
}
