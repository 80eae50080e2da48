//! `tulbur providers` as its own process.

use std::process::Command;

use serde_json::Value;

fn output(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tulbur")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_linked_providers_are_listed_without_credentials() {
    let text = output(&["providers"]);
    for words in ["golomt-ecommerce", "MN", "MNT", "/api/invoice", "documented", "evidence"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn json_has_everything_in_one_line() {
    let text = output(&["providers", "--json"]);
    assert_eq!(text.lines().count(), 1);
    let providers: Value = serde_json::from_str(&text).unwrap();
    let ids: Vec<_> =
        providers.as_array().unwrap().iter().map(|provider| provider["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["galaxy-pay", "golomt-ecommerce", "golomt-instore", "qpay"]);
    let operations = providers[0]["operations"].as_array().unwrap();
    assert!(operations.len() >= 8, "{text}");
    assert!(
        operations
            .iter()
            .all(|operation| operation["evidence"].is_string() && operation["source"].is_string())
    );
}
