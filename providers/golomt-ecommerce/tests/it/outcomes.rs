//! The outcome of each failure, for every operation.

use proptest::prelude::*;
use tulbur_conformance::UNANSWERED;
use tulbur_core::{ErrorKind, Outcome, Phase, TransportError};

use crate::common::*;

fn lost(operation: Operation) -> Outcome {
    if operation.writes() { Outcome::Unknown } else { Outcome::NoEffect }
}

async fn fails(operation: Operation, answer: Scripted) -> tulbur_core::Error {
    let (bank, script) = bank();
    script.then(answer);
    let error = operation.run(&bank).await.expect_err("this answer is no success");
    assert_eq!(script.sent().len(), 1, "{operation:?} is sent once");
    assert_eq!(error.account().unwrap().as_str(), "web-shop");
    assert!(error.operation().is_some());
    error
}

#[tokio::test]
async fn good_answers_are_good() {
    for operation in Operation::ALL {
        let (bank, script) = bank();
        script.then(http(200, operation.good()));
        operation.run(&bank).await.unwrap_or_else(|error| panic!("{operation:?}: {error}"));
    }
}

#[tokio::test]
async fn a_request_without_an_answer() {
    for operation in Operation::ALL {
        for (fault, phase, kind) in UNANSWERED {
            let outcome = if phase == Phase::NeverSent { Outcome::NoEffect } else { lost(operation) };
            let error = fails(operation, Err(TransportError::new(phase, fault, "scripted"))).await;
            assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{operation:?} {phase:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_with_another_status() {
    use ErrorKind::{Duplicate, Malformed, NotFound, RateLimited, Rejected, Unauthorized, Unavailable};
    for operation in Operation::ALL {
        let refused = if operation.writes() { Outcome::Refused } else { Outcome::NoEffect };
        let unknown_payment = if operation.writes() { Rejected } else { NotFound };
        let open = lost(operation);
        for (status, body, kind, outcome) in [
            (403, String::new(), Unauthorized, refused),
            (403, error_json(403, "Forbidden", "no"), Unauthorized, refused),
            (403, "<html>".to_owned(), Unavailable, open),
            (400, error_json(400, "Validation", "wrong checksum"), Rejected, refused),
            (400, error_json(400, "NotFound", "Payment not found."), unknown_payment, refused),
            (400, error_json(400, "Validation", "transactionId duplicated"), Duplicate, open),
            (409, error_json(409, "Validation", "transactionId duplicated"), Duplicate, open),
            (400, "<html>".to_owned(), Malformed, open),
            (500, error_json(500, "Internal", "oops"), Unavailable, open),
            (500, String::new(), Unavailable, open),
            (503, "<html>".to_owned(), Unavailable, open),
            (404, "<html>".to_owned(), Unavailable, open),
            (302, String::new(), Unavailable, open),
            (204, String::new(), Unavailable, open),
            (429, String::new(), RateLimited, open),
            // A good body does not make another status good.
            (202, operation.good(), Unavailable, open),
        ] {
            let error = fails(operation, http(status, body.clone())).await;
            assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{operation:?} {status} {body}");
        }
    }
}

#[tokio::test]
async fn the_banks_words_are_in_the_error() {
    let error = fails(Operation::Invoice, http(400, error_json(400, "Validation", "Буруу дүн"))).await;
    assert_eq!((error.code(), error.text()), (Some("Validation"), Some("Буруу дүн")));
    assert_eq!(
        error.to_string(),
        "web-shop (golomt-ecommerce) create_invoice: the bank refused the call [Validation: Буруу дүн]"
    );
}

#[tokio::test]
async fn an_answer_that_cannot_be_read() {
    for operation in Operation::ALL {
        let good = operation.good();
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let mut not_utf8 = good.clone().into_bytes();
        let in_a_text = good.find("0190").or_else(|| good.find("515023")).unwrap();
        not_utf8[in_a_text] = 0xFF;
        let answers: [Vec<u8>; 8] = [
            Vec::new(),
            b"OK".to_vec(),
            b"null".to_vec(),
            b"{}".to_vec(),
            good.as_bytes()[..good.len() / 2].to_vec(),
            deep.into_bytes(),
            not_utf8,
            format!("{{\"message\":\"{}\"}}", "x".repeat(1_000_000)).into_bytes(),
        ];
        for answer in answers {
            let shown = String::from_utf8_lossy(&answer[..answer.len().min(60)]).into_owned();
            let error = fails(operation, http(200, answer)).await;
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Malformed, lost(operation)), "{shown}");
            assert!(error.to_string().len() < 400, "{error}");
        }
    }
}

/// The settlement list is the one answer that the bank does not sign.
fn signed() -> impl Iterator<Item = Operation> {
    Operation::ALL.into_iter().filter(|operation| *operation != Operation::Settlements)
}

#[tokio::test]
async fn an_answer_whose_checksum_is_not_its_own() {
    for operation in signed() {
        let good = operation.good();
        let (_, checksum) = good.split_once("\"checksum\":\"").unwrap();
        let checksum = &checksum[..64];
        let mut flipped = checksum.to_owned();
        flipped.replace_range(0..1, if checksum.starts_with('0') { "1" } else { "0" });
        for (made, kind) in [
            (flipped, ErrorKind::Untrusted),
            (String::new(), ErrorKind::Untrusted),
            (checksum.to_uppercase(), ErrorKind::Untrusted),
            (checksum[..63].to_owned(), ErrorKind::Untrusted),
            (format!("{checksum}{checksum}"), ErrorKind::Untrusted),
            (sign(OTHER), ErrorKind::Untrusted),
            (sign_with("another secret", &format!("{INVOICE}{REFERENCE}")), ErrorKind::Untrusted),
            (format!("{checksum}\",\"checksum\":\"{checksum}"), ErrorKind::Malformed),
        ] {
            let error = fails(operation, http(200, good.replace(checksum, &made))).await;
            assert_eq!((error.kind(), error.outcome()), (kind, lost(operation)), "{operation:?} {made}");
            assert!(error.to_string().contains("checksum"), "{error}");
        }
        let missing = good.replace(&format!(",\"checksum\":\"{checksum}\""), "");
        assert_ne!(missing, good);
        let error = fails(operation, http(200, missing)).await;
        assert_eq!((error.field(), error.outcome()), (Some("checksum"), lost(operation)));
    }
}

#[tokio::test]
async fn an_answer_about_another_payment_is_not_about_this_one() {
    for operation in signed() {
        let other = match operation {
            Operation::Invoice | Operation::CardSetup => invoice_answer(OTHER),
            Operation::ReadCardSetup => {
                let checksum = sign(&format!("{OTHER}{CARD}"));
                result_signed(OTHER, Some("000"), "", Some(CARD), &checksum)
            }
            _ => result(OTHER, Some("000"), "1500.00", None),
        };
        let error = fails(operation, http(200, other)).await;
        assert_eq!((error.kind(), error.field()), (ErrorKind::Untrusted, Some("transactionId")));
        assert_eq!(error.outcome(), lost(operation));
    }
}

#[tokio::test]
async fn characters_that_moved_into_a_neighbour_are_not_believed() {
    for operation in [Operation::Query, Operation::QueryCharge, Operation::Charge] {
        for (code, amount, token, field) in [
            (Some("00"), "01500.00", None, "errorCode"),
            (Some("0001"), "500.00", None, "errorCode"),
            (None, "0001500.00", None, "errorCode"),
            (Some("000"), "1500.002", Some(&CARD[1..]), "amount"),
            (Some("000"), "1500.0", Some("0"), "token"),
        ] {
            // The pay answer's checksum covers no token.
            if operation == Operation::Charge && token.is_some() {
                continue;
            }
            let error = fails(operation, http(200, result(REFERENCE, code, amount, token))).await;
            assert_eq!((error.kind(), error.field()), (ErrorKind::Untrusted, Some(field)), "{operation:?}");
            assert_eq!(error.outcome(), lost(operation));
        }
    }
}

#[tokio::test]
async fn an_answer_that_lacks_what_it_needs() {
    let checksum = sign(&format!("{REFERENCE}000"));
    let without_amount = result_signed(REFERENCE, Some("000"), "", None, &checksum);
    for operation in [Operation::Query, Operation::Charge] {
        let error = fails(operation, http(200, without_amount.clone())).await;
        assert_eq!((error.field(), error.outcome()), (Some("amount"), lost(operation)));
    }
    let error = fails(Operation::ReadCardSetup, http(200, token_answer(Some("000"), None))).await;
    assert_eq!((error.field(), error.outcome()), (Some("token"), Outcome::NoEffect));
    let error =
        fails(Operation::Invoice, http(200, invoice_answer(REFERENCE).replace("invoice", "bill"))).await;
    assert_eq!((error.field(), error.outcome()), (Some("invoice"), Outcome::Unknown));
    // A signed id that would lead the payer elsewhere.
    let checksum = sign(&format!("../../evil{REFERENCE}"));
    let answer =
        format!(r#"{{"invoice":"../../evil","transactionId":"{REFERENCE}","checksum":"{checksum}"}}"#);
    let error = fails(Operation::Invoice, http(200, answer)).await;
    assert_eq!((error.field(), error.outcome()), (Some("invoice"), Outcome::Unknown));
}

proptest! {
    /// Whatever comes back, it is an answer or an error, and a write that is no success is never said to be without
    /// effect.
    #[test]
    fn no_answer_is_too_strange(
        which in 0..Operation::ALL.len(),
        status in prop::sample::select(vec![200_u16, 200, 200, 400, 403, 500]),
        at in 0_usize..500,
        bytes in prop::collection::vec(any::<u8>(), 0..20),
        cut in any::<bool>(),
    ) {
        let operation = Operation::ALL[which];
        let mut body = operation.good().into_bytes();
        let at = at.min(body.len());
        if cut { body.truncate(at) }
        body.splice(at..at, bytes);
        let (bank, script) = bank();
        script.then(http(status, body));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        if let Err(error) = runtime.block_on(operation.run(&bank)) {
            prop_assert!(!operation.writes() || error.outcome() != Outcome::NoEffect, "{}", error);
        }
    }
}
