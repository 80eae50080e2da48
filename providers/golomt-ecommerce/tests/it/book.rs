//! The book's tables say what the provider says of itself.

use tulbur_conformance::BookPage;
use tulbur_core::{FlowEffect, FlowStart, ProofBy, Provider, QueryBy};

use crate::common::bank;

const PAGE: &str = "../../docs/src/providers/golomt-ecommerce.md";

#[test]
fn operations_and_flows_are_as_the_book_has_them() {
    let page = BookPage::read(env!("CARGO_MANIFEST_DIR"), PAGE);
    let (bank, _) = bank();
    page.has_operations("operations", &bank.info().operations);

    let flows: Vec<String> = bank
        .info()
        .flows
        .iter()
        .map(|flow| {
            let start = match &flow.start {
                FlowStart::Invoice(_) => "an invoice",
                FlowStart::CardSetup => "a card set-up",
                FlowStart::Charge => "the charge of a saved card",
                FlowStart::Options => "options",
            };
            let effect = if flow.effect == FlowEffect::MovesMoney { "yes" } else { "no" };
            assert_eq!(flow.query_by, QueryBy::MerchantRef);
            let proof = match flow.proof {
                ProofBy::QueryOrSignedIpn => "a query, or a signed push",
                _ => "a query",
            };
            let lifetime =
                flow.lifetime.map_or("-".to_owned(), |life| format!("{} minutes", life.as_secs() / 60));
            format!("| `{}` | {start} | {effect} | our reference | {proof} | {lifetime} |", flow.flow)
        })
        .collect();
    page.has_rows("flows", &flows);
}
