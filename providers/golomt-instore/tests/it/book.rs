//! The book's tables say what the provider says of itself.

use tulbur_core::{FlowEffect, FlowStart, OperationInfo, ProofBy, Provider, QueryBy, Way};
use tulbur_golomt_instore::mini_app::MiniApp;
use tulbur_golomt_instore::v2::InstoreV2;

use crate::common::bank;

const PAGE: &str = "../../docs/src/providers/golomt-instore.md";

fn page() -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    std::fs::read_to_string(&path).expect("the book has a page on this provider")
}

/// The rows of the table behind this marker.
fn rows<'a>(page: &'a str, marker: &str) -> Vec<&'a str> {
    let (_, after) = page.split_once(&format!("<!-- {marker}:")).expect("the page has the marker");
    let (table, _) = after.split_once("<!-- end -->").expect("the table ends");
    table.lines().skip(1).filter(|line| !line.is_empty()).skip(2).collect()
}

fn operations(operations: &[OperationInfo]) -> Vec<String> {
    let row = |one: &OperationInfo| {
        let ability = one.ability.as_str();
        format!("| {ability} | `{}` | {} | {} | {} |", one.name, one.wire, one.evidence, one.source)
    };
    operations.iter().map(row).collect()
}

#[test]
fn operations_are_as_the_book_has_them() {
    let page = page();
    let (bank, _) = bank();
    let beside = [MiniApp::operations(), InstoreV2::operations()].concat();
    for (marker, listed) in
        [("operations", operations(&bank.info().operations)), ("beside", operations(&beside))]
    {
        assert_eq!(rows(&page, marker), listed, "the table should be:\n{}", listed.join("\n"));
    }
}

#[test]
fn flows_are_as_the_book_has_them() {
    let page = page();
    let (bank, _) = bank();
    let flows: Vec<String> = bank
        .info()
        .flows
        .iter()
        .map(|flow| {
            let way = match &flow.start {
                FlowStart::Invoice(ways) if ways[..] == [Way::Qr] => "a QR",
                FlowStart::Invoice(ways) if ways[..] == [Way::App] => "a link to the app",
                FlowStart::Invoice(ways) if ways[..] == [Way::Phone] => "an invoice to a phone",
                other => panic!("{other:?}"),
            };
            let effect = if flow.effect == FlowEffect::MovesMoney { "yes" } else { "no" };
            assert_eq!((flow.query_by, flow.proof), (QueryBy::MerchantRefAndAmount, ProofBy::Query));
            assert_eq!(flow.lifetime, None);
            format!(
                "| `{}` | {way} | {effect} | our reference and the amount | a query | unknown |",
                flow.flow
            )
        })
        .collect();
    assert_eq!(rows(&page, "flows"), flows, "the table should be:\n{}", flows.join("\n"));
}
