//! The book's tables say what the provider says of itself.

use tulbur_conformance::BookPage;
use tulbur_core::{FlowEffect, FlowStart, ProofBy, Provider, QueryBy, Way};
use tulbur_golomt_instore::mini_app::MiniApp;
use tulbur_golomt_instore::v2::InstoreV2;

use crate::common::bank;

const PAGE: &str = "../../docs/src/providers/golomt-instore.md";

#[test]
fn operations_are_as_the_book_has_them() {
    let page = BookPage::read(env!("CARGO_MANIFEST_DIR"), PAGE);
    page.has_operations("operations", &bank().0.info().operations);
    page.has_operations("beside", &[MiniApp::operations(), InstoreV2::operations()].concat());
}

#[test]
fn flows_are_as_the_book_has_them() {
    let page = BookPage::read(env!("CARGO_MANIFEST_DIR"), PAGE);
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
    page.has_rows("flows", &flows);
}
