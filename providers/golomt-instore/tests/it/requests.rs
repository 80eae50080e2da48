//! What each operation sends, and what it makes of a good answer.

use std::time::Duration;

use tulbur_core::{
    Ability, CancelRequest, Effect, Evidence, FlowEffect, Method, NextAction, Payment, PaymentStatus,
    Provider, QueryBy, RefundPart, RefundStatus, Way, abilities, cancel, confirm,
};
use tulbur_golomt_instore::{FLOW_APP, FLOW_PHONE, FLOW_QR};

use crate::common::*;

#[tokio::test]
async fn every_operation_sends_what_it_signs() {
    for operation in Operation::ALL {
        let (bank, script) = bank();
        script.then(http(200, operation.good()));
        operation.run(&bank).await.unwrap_or_else(|error| panic!("{operation:?}: {error}"));
        let [sent] = &script.sent()[..] else { panic!("one request") };
        let effect = if operation.writes() { Effect::Write } else { Effect::Read };
        assert_eq!((sent.method, sent.effect), (Method::Post, effect), "{operation:?}");
        assert_eq!(sent.url.as_str(), format!("https://instore.golomtbank.com{}", operation.path()));
        let headers: Vec<_> = sent.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(headers, [("content-type", "application/json")], "the checksum is the only credential");
        let expected = match operation {
            Operation::Phone => {
                let checksum = sign(&format!("{TERMINAL}{REFERENCE}1100{PHONE}"));
                format!(
                    r#"{{"amount":"1100","checksum":"{checksum}","invoice":"{REFERENCE}","phone":"{PHONE}","terminal":"{TERMINAL}"}}"#
                )
            }
            Operation::Settlement => {
                let checksum = sign(&format!("{TERMINAL}SETTLE001"));
                format!(r#"{{"checksum":"{checksum}","settlementId":"SETTLE001","terminal":"{TERMINAL}"}}"#)
            }
            _ => {
                let checksum = sign(&format!("{TERMINAL}{REFERENCE}1100"));
                format!(
                    r#"{{"amount":"1100","checksum":"{checksum}","invoice":"{REFERENCE}","terminal":"{TERMINAL}"}}"#
                )
            }
        };
        assert_eq!(body(sent), expected, "{operation:?}");
    }
}

/// One text for each amount, hashed and sent: no second decimal that is not needed, no exponent.
#[tokio::test]
async fn every_amount_is_signed_as_it_is_sent() {
    for (amount, text) in [
        ("1", "1"),
        ("1100", "1100"),
        ("1100.50", "1100.5"),
        ("999999.99", "999999.99"),
        ("1000000", "1000000"),
        ("123456789", "123456789"),
    ] {
        for way in [Way::Qr, Way::App, Way::Phone] {
            let (bank, script) = bank();
            let mut request = invoice_request(way);
            request.amount = money(amount);
            script.then(http(200, shown(LINK)));
            bank.invoices().unwrap().create_invoice(&request).await.unwrap();
            let sent: serde_json::Value = serde_json::from_slice(&script.sent()[0].body).unwrap();
            assert_eq!(sent["amount"], text);
            let phone = if way == Way::Phone { PHONE } else { "" };
            assert_eq!(
                sent["checksum"],
                sign(&format!("{TERMINAL}{REFERENCE}{text}{phone}")),
                "{way:?} {amount}"
            );
        }
    }
}

#[tokio::test]
async fn each_way_has_its_flow_and_shows_the_payer_something() {
    let open_app = |next: &NextAction| matches!(next, NextAction::OpenApp(apps) if apps[0].link == LINK);
    let show = |next: &NextAction, text: &str| matches!(next, NextAction::ShowQr(shown) if shown == text);
    for (way, desc, flow) in [
        (Way::Phone, "success", FLOW_PHONE),
        (Way::Qr, PAYLOAD, FLOW_QR),
        (Way::Qr, LINK, FLOW_QR),
        (Way::App, LINK, FLOW_APP),
        (Way::App, PAYLOAD, FLOW_APP),
    ] {
        let (bank, script) = bank();
        let request = invoice_request(way);
        script.then(http(200, shown(desc)));
        let invoice = match way {
            Way::Qr => bank.qr().unwrap().create_qr(&request).await.unwrap(),
            _ => bank.invoices().unwrap().create_invoice(&request).await.unwrap(),
        };
        assert_eq!((invoice.status, &invoice.payment.flow), (PaymentStatus::Pending, &flow));
        assert_eq!(bank.flow_of_invoice(&request).unwrap().flow, flow);
        assert_eq!(invoice.payment.merchant_ref, request.merchant_ref);
        assert_eq!(invoice.payment.amount, Some(money("1100")));
        assert_eq!(invoice.expires_at, None, "how long the bank keeps it is unknown");
        let right = match (way, desc) {
            (Way::Phone, _) => invoice.next == [NextAction::Approve],
            (Way::Qr, LINK) => show(&invoice.next[0], LINK) && open_app(&invoice.next[1]),
            (Way::App, LINK) => open_app(&invoice.next[0]) && show(&invoice.next[1], LINK),
            _ => invoice.next == [NextAction::ShowQr(PAYLOAD.into())],
        };
        assert!(right, "{way:?}: {:?}", invoice.next);
    }
}

#[tokio::test]
async fn the_shops_own_patience_gives_the_countdown() {
    let mut config = config();
    config.wait_minutes = Some(3);
    let (bank, script) = bank_with(config);
    script.then(http(200, shown(PAYLOAD)));
    let invoice = bank.qr().unwrap().create_qr(&invoice_request(Way::Qr)).await.unwrap();
    assert_eq!(invoice.expires_at, Some(NOW.after(Duration::from_mins(3))));
    assert!(bank.info().flows.iter().all(|flow| flow.lifetime == Some(Duration::from_mins(3))));
}

async fn asked(answer: String) -> Payment {
    let (bank, script) = bank();
    script.then(http(200, answer));
    confirm(bank.queries().unwrap(), &payment(FLOW_QR)).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_check_says_paid_and_nothing_else_for_sure() {
    let paid = asked(transaction(REFERENCE, "00", "1100.00")).await;
    assert_eq!((paid.status, paid.amount), (PaymentStatus::Paid, Some(money("1100"))));
    assert_eq!((paid.code.as_deref(), paid.text.as_deref()), (Some("00"), Some("Амжилттай")));
    assert_eq!(paid.card.masked_number.as_deref(), Some("498738******3883"));

    // The bank's amount, not ours.
    assert_eq!(asked(transaction(REFERENCE, "00", "1")).await.amount, Some(money("1")));
    // Every field may be missing: we asked by reference and amount.
    let bare = asked(good(r#"{"resp_code":"00"}"#)).await;
    assert_eq!((bare.status, bare.amount), (PaymentStatus::Paid, None));

    for (answer, code, text) in [
        (transaction(REFERENCE, "51", "0"), Some("51"), Some("Амжилттай")),
        (good(r#"{"resp_code":51}"#), Some("51"), None),
        (good("{}"), None, None),
        (good("null"), None, None),
        (r#"{"header":{"code":200,"status":"success"}}"#.to_owned(), None, None),
        (failed("NotPaid", "error.invoice.notpaid"), Some("NotPaid"), Some("error.invoice.notpaid")),
        (
            good(r#"{"resp_code":"00"}"#)
                .replace("\"body\":{", "\"body\":{\"error\":{\"errorDesc\":\"Гүйлгээ хийгдээгүй\"},"),
            Some("200"),
            Some("Гүйлгээ хийгдээгүй"),
        ),
    ] {
        let open = asked(answer.clone()).await;
        assert_eq!((open.status, open.amount), (PaymentStatus::Pending, None), "{answer}");
        assert_eq!((open.code.as_deref(), open.text.as_deref()), (code, text), "{answer}");
    }
}

#[tokio::test]
async fn the_approval_code_comes_with_a_paid_transaction() {
    for (code, approval) in [("00", Some("012345")), ("51", None)] {
        let (bank, script) = bank();
        script.then(http(200, transaction(REFERENCE, code, "1100")));
        let said = bank.transaction(&payment(FLOW_PHONE)).await.unwrap();
        assert_eq!(said.approval_code.as_deref(), approval);
        assert_eq!(said.payment.reference, payment(FLOW_PHONE));
    }
}

#[tokio::test]
async fn a_cancellation_may_be_answered_in_either_shape() {
    for answer in [
        shown("Амжилттай"),
        good(r#"{"status":"SUCCESS"}"#),
        good(r#"{"resp_code":"00","resp_desc":"Амжилттай"}"#),
        good(r#"{"resp_code":"00","status":"SUCCESS"}"#),
    ] {
        let (bank, script) = bank();
        script.then(http(200, answer.clone()));
        let canceled =
            cancel(bank.cancels().unwrap(), &CancelRequest::new(payment(FLOW_PHONE))).await.unwrap();
        assert_eq!(canceled.status, PaymentStatus::Canceled, "{answer}");
    }
}

#[tokio::test]
async fn a_refund_is_of_the_whole() {
    for (amount, said) in [("1100.00", "1100"), ("", "1100"), ("1099", "1099")] {
        let (bank, script) = bank();
        script.then(http(200, transaction(REFERENCE, "00", amount)));
        let refund = bank.refunds().unwrap().refund(&refund_request("1100")).await.unwrap();
        assert_eq!((refund.status, refund.amount), (RefundStatus::Succeeded, money(said)));
    }
}

#[tokio::test]
async fn a_settlement_is_handed_over_as_the_bank_words_it() {
    let (bank, script) = bank();
    script.then(http(200, Operation::Settlement.good()));
    let settlement = bank.settle("SETTLE001").await.unwrap();
    assert_eq!((settlement.amount, settlement.count), (Some(money("5000")), Some(3)));
    assert_eq!(settlement.status.as_deref(), Some("SUCCESS"));
}

#[test]
fn what_it_says_of_itself_is_what_it_has() {
    let (bank, _) = bank();
    let info = bank.info();
    let operations: std::collections::BTreeSet<_> = info
        .operations
        .iter()
        .map(|operation| operation.ability)
        .filter(|ability| *ability != Ability::Inherent)
        .collect();
    assert_eq!(abilities(&bank), operations.into_iter().collect::<Vec<_>>());
    assert!(bank.voids().is_none() && bank.charges().is_none() && bank.tokenize().is_none());
    assert_eq!(info.account.as_str(), "till-1");
    for (way, effect) in
        [(Way::Qr, FlowEffect::Inert), (Way::App, FlowEffect::Inert), (Way::Phone, FlowEffect::MovesMoney)]
    {
        let flow = info.invoice_flow(way).unwrap();
        assert_eq!((flow.effect, flow.query_by), (effect, QueryBy::MerchantRefAndAmount), "{way:?}");
    }
    let documented: Vec<_> =
        info.operations.iter().filter(|one| one.evidence == Evidence::Documented).collect();
    assert!(matches!(&documented[..], [one] if one.wire == "POST /pos/invoice/qr"), "one page could be read");
    let rule = info.refunds.as_ref().unwrap();
    assert!(rule.part == RefundPart::Whole && !rule.repeated && rule.window.is_none());
}

/// A write without it could leave after its owner has lost it.
#[tokio::test]
async fn every_write_is_sent_with_its_deadline() {
    for operation in Operation::ALL {
        let (bank, script) = bank();
        script.then(http(200, operation.good()));
        operation.run(&bank).await.unwrap();
        let [sent] = &script.sent()[..] else { panic!("one request") };
        let wanted = if operation.has_deadline() { SEND_BY } else { None };
        assert_eq!(sent.send_by, wanted, "{operation:?}");
    }
}
