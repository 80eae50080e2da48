//! The application as its own process, as `.ci/run` also builds it in release: a linker may drop there what it keeps
//! in debug.

use std::process::Command;

#[test]
fn the_application_is_paid_through_the_registry_alone() {
    let output = Command::new(env!("CARGO_BIN_EXE_app")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let mut lines = text.lines();
    for words in [
        "linked        khur-bank (Khur Bank)",
        "account       book-shop of khur-bank",
        "for 25000.00 MNT, pending",
        "/pay/mn/KB00000001",
        "notification  paid: 25000.00 MNT is proven by its checksum",
        "asked         paid, the bank says 25000.00 MNT",
        "refund        12500.00 MNT Succeeded",
        "asked         paid, 12500.00 MNT of 25000.00 MNT given back",
    ] {
        assert!(lines.any(|line| line.contains(words)), "missing, or in another order: {words}\n{text}");
    }
}

#[test]
fn the_application_names_the_provider_in_one_place() {
    let source = include_str!("../src/main.rs");
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let named: Vec<&str> =
        code.filter(|line| line.contains("khur_bank") && !line.contains("khur_bank_sandbox")).collect();
    assert_eq!(named, ["use khur_bank as _;"]);
}
