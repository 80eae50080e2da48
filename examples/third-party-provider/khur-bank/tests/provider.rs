//! What the conformance suite cannot know: the bank's own sample, and how much code a provider is.

use std::path::Path;
use std::sync::Arc;

use khur_bank::{KhurBank, KhurBankConfig};
use tulbur_core::{
    AccountName, Channel, Currency, Delivery, ErrorKind, IpnProvider as _, MerchantRef, Money, PaymentStatus,
    Proof, Url,
};

const MANUAL: &str = include_str!("../BANK.md");

fn bank(config: KhurBankConfig) -> tulbur_core::Result<KhurBank> {
    let env = tulbur_reqwest::standard_env().unwrap();
    KhurBank::new(AccountName::parse("khur-bank").unwrap(), config, env)
}

fn config() -> KhurBankConfig {
    KhurBankConfig::new("shop-1", "khur-sample-secret".into())
}

fn delivery(body: &str) -> Delivery<'_> {
    Delivery { channel: Channel::Notify, method: "POST", query: None, headers: &[], body: body.as_bytes() }
}

#[test]
fn the_sample_of_the_manual_is_proof() {
    let sample = MANUAL.split("```json").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let event = bank(config()).unwrap().verify(&delivery(sample)).unwrap();
    let Proof::Signed(facts) = event.proof else { panic!("it proves nothing") };
    assert_eq!(facts.merchant_ref, Some(MerchantRef::parse("Rk3vQ8mZt1yWc6Hn0aBd").unwrap()));
    assert_eq!(facts.status, PaymentStatus::Paid);
    assert_eq!(facts.amount, Money::from_major(25_000, Currency::MNT).unwrap());

    let mut rotated = config();
    rotated.secret = "the-new-one".into();
    assert!(bank(rotated.clone()).unwrap().verify(&delivery(sample)).is_err());
    rotated.verification_secrets = vec!["khur-sample-secret".into()];
    assert!(bank(rotated).unwrap().verify(&delivery(sample)).is_ok(), "the old secret still verifies");
}

/// The separator is a character that a forger may try to move values across.
#[test]
fn values_that_moved_across_a_separator_are_refused() {
    let sample = MANUAL.split("```json").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    for (reference, result, amount) in [
        ("Rk3vQ8mZt1yWc6Hn0aBd|PAID", "25000.00", ""),
        ("Rk3vQ8mZt1yWc6Hn0aBd", "PAID|25000.00", ""),
        ("", "Rk3vQ8mZt1yWc6Hn0aBd|PAID", "25000.00"),
        ("Rk3vQ8mZt1yWc6Hn0aB", "d|PAID", "25000.00"),
    ] {
        let moved = sample
            .replace("Rk3vQ8mZt1yWc6Hn0aBd\"", &format!("{reference}\""))
            .replace("\"PAID\"", &format!("\"{result}\""))
            .replace("\"25000.00\"", &format!("\"{amount}\""));
        assert_ne!(moved, sample);
        let error = bank(config()).unwrap().verify(&delivery(&moved)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Untrusted, "{moved}");
    }
}

#[test]
fn bad_settings_are_named_and_never_quoted() {
    let url = |text| Url::parse(text).unwrap();
    for (config, field) in [
        (KhurBankConfig::new("", "planted".into()), "merchant"),
        (KhurBankConfig::new("a shop", "planted".into()), "merchant"),
        (KhurBankConfig::new("shop-1", "planted\n".into()), "secret"),
        (KhurBankConfig::new("shop-1", "".into()), "secret"),
        (with_base(url("http://bank.example")), "base_url"),
        (with_base(url("https://a@bank.example")), "base_url"),
        (with_base(url("https://bank.example/?a")), "base_url"),
    ] {
        let printed = format!("{config:?}");
        let error = bank(config).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Configuration, Some(field)));
        assert!(!format!("{error} {error:?} {printed}").contains("planted"));
    }
    let debug = format!("{:?}", Arc::new(bank(config()).unwrap()));
    assert!(debug.contains("khur-bank") && !debug.contains("sample"), "{debug}");
}

fn with_base(base_url: Url) -> KhurBankConfig {
    let mut config = KhurBankConfig::new("shop-1", "planted".into());
    config.base_url = base_url;
    config
}

/// A bank's partner is to see at a glance that this is little work.
#[test]
fn a_provider_is_fewer_than_450_lines_of_code() {
    let mut lines = 0;
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let code =
            text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with("//"));
        lines += code.count();
    }
    assert!((1..450).contains(&lines), "{lines} lines are neither blank nor comment");
}
