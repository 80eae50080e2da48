//! The book's page "Write a provider" shows pieces of files that exist. The pieces are compiled where they stand.

use std::fs;
use std::path::Path;

#[test]
fn every_piece_that_the_page_shows_is_there() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src");
    let page = fs::read_to_string(book.join("write-a-provider.md")).unwrap();
    let mut pieces = 0;
    for include in page.split("{{#include ").skip(1) {
        let (file, anchor) = include.split_once("}}").unwrap().0.split_once(':').unwrap();
        let source = fs::read_to_string(book.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let begin = source.find(&format!("// ANCHOR: {anchor}\n"));
        let end = source.find(&format!("// ANCHOR_END: {anchor}\n"));
        assert!(begin.is_some() && begin < end, "{file} has no piece called {anchor}");
        pieces += 1;
    }
    assert!(pieces >= 10, "{pieces}");
    let fences = page.matches("```rust").count();
    assert_eq!(fences, pieces, "Rust code that is not taken from a file is not compiled");
}

#[test]
fn every_kind_of_check_that_the_page_names_is_one_of_the_suites() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(repository.join("docs/src/write-a-provider.md")).unwrap();
    let mut suite = String::new();
    for file in fs::read_dir(repository.join("conformance/src/checks")).unwrap() {
        suite += &fs::read_to_string(file.unwrap().path()).unwrap();
    }
    let named = page.split('`').filter_map(|code| code.split_once("::…").map(|(kind, _)| kind));
    let kinds: Vec<&str> = named.collect();
    assert!(kinds.len() >= 10, "{kinds:?}");
    for kind in kinds {
        assert!(suite.contains(&format!("\"{kind}::")), "the suite has no checks called {kind}::");
    }
}
