//! The book's tables say what the provider says of itself.

use tulbur_conformance::BookPage;
use tulbur_core::{
    Asking, FlowEffect, FlowStart, NotFound, NotifyAddress, ProofBy, Provider, QueryBy, RefundPart, Way,
    abilities,
};

use crate::common::qpay;

const PAGE: &str = "../../docs/src/providers/qpay.md";

#[test]
fn operations_and_flows_are_as_the_book_has_them() {
    let page = BookPage::read(env!("CARGO_MANIFEST_DIR"), PAGE);
    let (qpay, _) = qpay();
    page.has_operations("operations", &qpay.info().operations);

    let flows: Vec<String> = qpay
        .info()
        .flows
        .iter()
        .map(|flow| {
            let start = if matches!(flow.start, FlowStart::Invoice(_)) { "an invoice" } else { "-" };
            let effect = if flow.effect == FlowEffect::MovesMoney { "yes" } else { "no" };
            let asked = if flow.query_by == QueryBy::ProviderRef { "QPay's `invoice_id`" } else { "-" };
            let proof = if flow.proof == ProofBy::Query { "a query" } else { "-" };
            let when = if flow.asking == Asking::OnHint { "on a hint" } else { "by a schedule" };
            assert_eq!((flow.lifetime, flow.not_found), (None, NotFound::ProvesNothing));
            assert_eq!((flow.poll.first.as_secs(), flow.poll.every.as_secs()), (15, 15));
            format!("| `{}` | {start} | {effect} | {asked} | {when} | {proof} |", flow.flow)
        })
        .collect();
    page.has_rows("flows", &flows);
}

#[test]
fn what_is_offered_is_described() {
    let (qpay, _) = qpay();
    let info = qpay.info();
    for ability in abilities(&qpay) {
        assert!(info.operations.iter().any(|operation| operation.ability == ability), "{ability:?}");
    }
    assert_eq!(info.ways, [Way::Page, Way::Qr, Way::App]);
    assert!(info.ways.iter().all(|way| info.invoice_flow(*way).is_some()));
    assert_eq!((info.notify, info.amounts.clone()), (NotifyAddress::PerPayment, None));
    let refunds = info.refunds.as_ref().unwrap();
    assert_eq!((refunds.part, refunds.repeated, refunds.window), (RefundPart::WholePart, true, None));
    assert_eq!((info.description.unwrap().most, info.longest_address), (255, Some(255)));
}
