//! The book's tables say what the provider says of itself.

use tulbur_core::{FlowEffect, FlowStart, ProofBy, Provider, QueryBy};

use crate::common::gateway;

const PAGE: &str = "../../docs/src/providers/galaxy-pay.md";

/// The rows of the table behind this marker.
fn rows<'a>(page: &'a str, marker: &str) -> Vec<&'a str> {
    let (_, after) = page.split_once(&format!("<!-- {marker}:")).expect("the page has the marker");
    let (table, _) = after.split_once("<!-- end -->").expect("the table ends");
    table.lines().skip(1).filter(|line| !line.is_empty()).skip(2).collect()
}

#[test]
fn operations_and_flows_are_as_the_book_has_them() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&path).expect("the book has a page on this provider");
    let (gateway, _) = gateway();
    let operations: Vec<String> = gateway
        .info()
        .operations
        .iter()
        .map(|one| {
            let ability = one.ability.as_str();
            format!("| {ability} | `{}` | {} | {} | {} |", one.name, one.wire, one.evidence, one.source)
        })
        .collect();
    assert_eq!(rows(&page, "operations"), operations, "the table should be:\n{}", operations.join("\n"));

    let flows: Vec<String> = gateway
        .info()
        .flows
        .iter()
        .map(|flow| {
            let start = match &flow.start {
                FlowStart::Invoice(_) => "an invoice",
                FlowStart::CardSetup => "a card set-up",
                FlowStart::Charge => "the charge of a saved card",
                FlowStart::Options => "options, or holding money",
            };
            let effect = if flow.effect == FlowEffect::MovesMoney { "yes" } else { "no" };
            let asked = if flow.query_by == QueryBy::Nothing { "nothing" } else { "the gateway's reference" };
            let proof = match flow.proof {
                ProofBy::SignedIpn => "a notification, where that is accepted",
                _ => "a query, or a signed notification",
            };
            assert_eq!(flow.lifetime, None);
            format!("| `{}` | {start} | {effect} | {asked} | {proof} |", flow.flow)
        })
        .collect();
    assert_eq!(rows(&page, "flows"), flows, "the table should be:\n{}", flows.join("\n"));
}
