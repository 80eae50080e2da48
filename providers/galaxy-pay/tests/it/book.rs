//! The book's tables say what the provider says of itself.

use tulbur_conformance::BookPage;
use tulbur_core::{FlowEffect, FlowStart, ProofBy, Provider, QueryBy};

use crate::common::gateway;

const PAGE: &str = "../../docs/src/providers/galaxy-pay.md";

#[test]
fn operations_and_flows_are_as_the_book_has_them() {
    let page = BookPage::read(env!("CARGO_MANIFEST_DIR"), PAGE);
    let (gateway, _) = gateway();
    page.has_operations("operations", &gateway.info().operations);

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
    page.has_rows("flows", &flows);
}
