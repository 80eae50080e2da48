//! Puts a marker into each setting, and finds it in nothing that is said about it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tulbur::core::AccountConfig;
use tulbur::{Registry, accounts_from};

use crate::support::{KEY, TILL, World, run};

/// The marker as a text and as a number.
const MARKERS: [&str; 2] = ["planted", "424242"];

fn assert_unmarked(said: &str, about: &str) {
    let lower = said.to_lowercase();
    for marker in MARKERS.into_iter().chain([&KEY.to_lowercase()[..12]]) {
        assert!(!lower.contains(marker), "{about}: {said}");
    }
}

/// The settings that an account of this provider can have, as the provider itself lists them.
fn settings_of(account: &str) -> Vec<String> {
    let toml = format!("[accounts.{account}]\nunheard = 1");
    let refused = build(&toml).unwrap_err();
    let (_, names) = refused.split_once("expected one of ").unwrap_or_else(|| panic!("{refused}"));
    names.split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
}

/// What is said of a configuration that is not taken, in all forms.
fn build(toml: &str) -> Result<(), String> {
    let registry = Registry::linked().unwrap();
    let env = tulbur::reqwest::standard_env().unwrap();
    let said = |error: tulbur::Error| {
        let mut said = format!("{error} {error:?}");
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            write!(said, " {cause} {cause:?}").unwrap();
            source = cause.source();
        }
        said
    };
    let accounts: Vec<AccountConfig> = accounts_from(Some(toml), [], &registry.ids()).map_err(said)?;
    for account in &accounts {
        registry.build(account, &env).map_err(said)?;
    }
    Ok(())
}

#[tokio::test]
async fn no_setting_of_an_account_is_quoted_when_it_is_refused() {
    let good: BTreeMap<&str, [(&str, &str); 2]> = BTreeMap::from([
        ("golomt-ecommerce", [("token", "\"t\""), ("secret", "\"s\"")]),
        ("golomt-instore", [("terminal", "\"13161272\""), ("secret", "\"s\"")]),
        ("galaxy-pay", [("api_key", "\"k\""), ("salt", "\"s-with-16-letters\"")]),
    ]);
    for (account, good) in good {
        let mut settings = settings_of(account);
        assert!(settings.len() > 5, "{settings:?}");
        settings.push("provider".into());
        for setting in settings {
            let mut refused = 0;
            for value in [
                "\"planted\"",
                "\" planted \\n\"",
                "\"Planted planted\"",
                "\"PLA\"",
                "\"http://planted.example/\"",
                "\"https://planted:planted@planted.example/?planted\"",
                "\"http://planted:x\"",
                "424242",
                "424242.5",
                "true",
                "[\"planted \"]",
                "[\"PLA\", 424242]",
                "{ planted = 1 }",
            ] {
                let mut toml = format!("[accounts.{account}]\n{setting} = {value}\n");
                for (other, value) in good.iter().filter(|(other, _)| *other != setting) {
                    writeln!(toml, "{other} = {value}").unwrap();
                }
                if let Err(said) = build(&toml) {
                    refused += 1;
                    assert_unmarked(&said, &format!("{account}: {setting} = {value}"));
                    assert!(!said.contains("PLA"), "{account}: {setting} = {value}: {said}");
                }
            }
            assert!(refused > 0, "{account}: {setting} takes anything");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_setting_of_the_command_is_quoted_when_it_is_refused() {
    let world = World::open().await;
    world.paid(TILL, "order-1", 1500).await;
    let config = std::fs::read_to_string(world.path("with-accounts.toml")).unwrap();
    let (_, accounts) = config.split_once("[accounts.").unwrap();
    let database = format!("database = \"{}\"\n", world.url());
    let keys = "sealing_keys = [{ id = \"2027\", env = \"SHOP_KEY\" }]\n";
    let refund =
        ["payments", "refund", "order-1", "--reason", "r", "--key", "k", "--yes", "--config", "c.toml"];
    let fails = |head: &str, arguments: &[&str], environment: &[(&str, &str)]| {
        std::fs::write(world.path("c.toml"), format!("{head}\n[accounts.{accounts}")).unwrap();
        let environment = [&[("SHOP_KEY", KEY)], environment].concat();
        let done = run(&[&refund[..], arguments].concat(), &environment, world.folder.path());
        assert!(done.code != 0, "{head} {arguments:?}: {done:?}");
        assert_unmarked(&format!("{}{}", done.out, done.err), &format!("{head} {arguments:?}"));
    };
    for head in [
        "database = \"planted\"",
        "database = \"planted://u:planted@h/planted\"",
        "database = 424242",
        &format!("{database}{keys}offset = \"planted\""),
        &format!("{database}{keys}offset = 424242"),
        &format!("{database}sealing_keys = \"planted\""),
        &format!("{database}sealing_keys = [\"planted\"]"),
        &format!("{database}sealing_keys = [{{ id = \"planted\" }}]"),
        &format!("{database}sealing_keys = [{{ id = 424242, env = \"planted\" }}]"),
        &format!("{database}sealing_keys = [{{ id = \"1\", env = \"{KEY}\" }}]"),
        &format!("{database}sealing_keys = [{{ id = \"{KEY}\", env = \"SHOP_KEY\" }}]"),
        &format!("{database}sealing_keys = [{{ id = \"planted\", env = \"PLANTED\" }}]"),
        &format!("{database}sealing_keys = \"planted"),
    ] {
        fails(head, &[], &[]);
    }
    let whole = format!("{database}{keys}");
    for arguments in [
        ["--sealing-key", KEY],
        ["--sealing-key", "planted"],
        ["--sealing-key", "=planted"],
        ["--sealing-key", "planted="],
        ["--sealing-key", &format!("1={KEY}")],
        ["--sealing-key", "planted=PLANTED"],
        ["--offset", "planted"],
        ["--database", "planted"],
        ["--database", "postgres://planted:planted@127.0.0.1:planted/x"],
    ] {
        fails(&whole, &arguments, &[]);
    }
    fails(&whole, &["--sealing-key", "2028=WRONG_KEY"], &[("WRONG_KEY", "planted")]);
    fails(keys, &[], &[("TULBUR_DATABASE", "planted")]);
    fails(&whole, &[], &[("TULBUR_GOLOMT_INSTORE_PROVIDER", "Planted")]);
    fails(&whole, &[], &[("TULBUR_GOLOMT_INSTORE_BASE_URL", "planted")]);
    assert!(
        world
            .payments
            .operations(
                &world
                    .payments
                    .order(&"order-1".to_owned().try_into().unwrap())
                    .await
                    .unwrap()
                    .unwrap()
                    .payments[0]
                    .id
            )
            .await
            .unwrap()
            .is_empty()
    );
}
