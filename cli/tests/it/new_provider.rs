//! `tulbur new-provider` as its own process: what it refuses, and that what it makes compiles and passes.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Tulbur's repository.
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn tulbur(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tulbur")).arg("new-provider").args(arguments).output().unwrap()
}

fn refused(arguments: &[&str]) -> String {
    let output = tulbur(arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn what_cannot_be_made_is_refused_and_nothing_is_left_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let into = text(folder.path());
    for (name, words) in [
        ("Khur", "a-z"),
        ("../khur", "a-z"),
        ("khur_bank", "a-z"),
        ("khur--bank", "hyphen"),
        ("async", "async-bank"),
        ("tulbur-core", "cannot be the name"),
    ] {
        let error = refused(&[name, "--path", REPOSITORY, "--into", into]);
        assert!(error.contains(name) && error.contains(words), "{error}");
    }
    let missing = folder.path().join("missing");
    let error = refused(&["khur", "--path", text(&missing), "--into", into]);
    assert!(error.contains("--path") && error.contains("core/Cargo.toml"), "{error}");
    let error = refused(&["khur", "--path", into, "--into", into]);
    assert!(error.contains("Tulbur's repository"), "{error}");
    let error = refused(&["khur", "--path", REPOSITORY, "--into", text(&missing)]);
    assert!(error.contains("--into") && error.contains("exists"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something was left");

    let there = folder.path().join("khur");
    fs::create_dir(&there).unwrap();
    fs::write(there.join("mine.txt"), "mine").unwrap();
    let error = refused(&["khur", "--path", REPOSITORY, "--into", into]);
    assert!(error.contains("is there already"), "{error}");
    assert_eq!(fs::read_to_string(there.join("mine.txt")).unwrap(), "mine");
    assert_eq!(fs::read_dir(&there).unwrap().count(), 1, "an existing folder was changed");
}

#[test]
fn a_workspace_around_the_new_folder_is_pointed_out() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Cargo.toml"), "[workspace]\nmembers = []\n").unwrap();
    fs::create_dir(folder.path().join("crates")).unwrap();
    let output = tulbur(&["khur", "--into", text(&folder.path().join("crates"))]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && told.contains("is a workspace") && told.contains("FILL IN"), "{told}");
}

/// Without the network: every crate that it needs is one of this workspace's, at the versions of its lock file.
#[test]
fn what_it_makes_compiles_and_passes_the_checks() {
    // In one place, so that a second run has little to build.
    let into = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-provider");
    let made = into.join("sample-bank");
    drop(fs::remove_dir_all(&made));
    fs::create_dir_all(&into).unwrap();
    let output = tulbur(&["sample-bank", "--path", REPOSITORY, "--into", text(&into)]);
    assert!(output.status.success(), "{output:?}");
    fs::copy(Path::new(REPOSITORY).join("Cargo.lock"), made.join("Cargo.lock")).unwrap();

    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["test", "--offline", "--color", "never"])
        // As in this workspace, so that what both have is built once.
        .args(["--config", "profile.dev.debug=\"line-tables-only\""])
        .args(["--config", "profile.dev.package.\"*\".debug=false"])
        .env("CARGO_TARGET_DIR", target)
        .current_dir(&made)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert!(!out.contains("FAILED") && !err.contains("warning"), "{out}\n{err}");
    for check in [
        "money::amounts_come_back_exactly",
        "payment::what_was_paid_is_paid",
        "payment::an_unknown_payment_is_not_found",
        "outcome::create_invoice_cut_after_sending_is_unknown",
        "outcome::create_invoice_with_keys_that_nobody_knows_is_refused",
        "outcome::create_invoice_of_a_reference_used_before_is_unknown",
        "write::create_invoice_whose_answer_is_lost_was_done_once",
        "write::create_invoice_past_its_send_by_is_never_sent",
        "secret::errors_of_create_invoice_show_none",
    ] {
        let line =
            out.lines().find(|line| line.contains(check)).unwrap_or_else(|| panic!("no {check}:\n{out}"));
        assert!(line.ends_with("ok"), "{line}");
    }
}
