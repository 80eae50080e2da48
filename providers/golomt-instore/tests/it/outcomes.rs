//! The outcome of each failure, for every operation.

use proptest::prelude::*;
use tulbur_conformance::UNANSWERED;
use tulbur_core::{ErrorKind, Outcome, PaymentStatus, Phase, Provider, TransportError, confirm};
use tulbur_golomt_instore::FLOW_QR;

use crate::common::*;

fn lost(operation: Operation) -> Outcome {
    if operation.writes() { Outcome::Unknown } else { Outcome::NoEffect }
}

fn said_no(operation: Operation) -> Outcome {
    if operation.writes() { Outcome::Refused } else { Outcome::NoEffect }
}

async fn fails(operation: Operation, answer: Scripted) -> tulbur_core::Error {
    let shown = format!("{operation:?} {answer:?}");
    let (bank, script) = bank();
    script.then(answer);
    let error = operation.run(&bank).await.expect_err(&shown);
    assert_eq!(script.sent().len(), 1, "{operation:?} is sent once");
    assert_eq!(error.account().unwrap().as_str(), "till-1");
    assert!(error.operation().is_some());
    error
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
    for operation in Operation::ALL {
        for (status, body, kind) in [
            (400, failed("NotFound", "error.notfound.invoice"), ErrorKind::Unavailable),
            (401, String::new(), ErrorKind::Unauthorized),
            (403, "<html>".to_owned(), ErrorKind::Unauthorized),
            (404, "<html>".to_owned(), ErrorKind::Unavailable),
            (429, String::new(), ErrorKind::RateLimited),
            (500, String::new(), ErrorKind::Unavailable),
            (502, "<html>".to_owned(), ErrorKind::Unavailable),
            (302, String::new(), ErrorKind::Unavailable),
            // A good body does not make another status good.
            (201, operation.good(), ErrorKind::Unavailable),
        ] {
            let error = fails(operation, http(status, body)).await;
            assert_eq!((error.kind(), error.outcome()), (kind, lost(operation)), "{operation:?} {status}");
        }
    }
}

/// The two errors that are attested anywhere, and the documented no.
#[tokio::test]
async fn what_is_attested_is_a_refusal() {
    for operation in Operation::ALL {
        let error = fails(operation, http(200, failed("NotFound", "error.notfound.invoice"))).await;
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::NotFound, said_no(operation)),
            "{operation:?}"
        );
        assert_eq!((error.code(), error.text()), (Some("NotFound"), Some("error.notfound.invoice")));
        let error = fails(operation, http(200, failed("InvalidToken", "error.invalid.token"))).await;
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::Unauthorized, said_no(operation)),
            "{operation:?}"
        );
    }
    let said = r#"{"desc":"Хэрэглэгч олдсонгүй","status":"FAILED"}"#;
    for operation in [Operation::Phone, Operation::Qr, Operation::Deeplink, Operation::Cancel] {
        let error = fails(operation, http(200, good(said))).await;
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Rejected, Outcome::Refused), "{operation:?}");
        assert_eq!((error.code(), error.text()), (Some("FAILED"), Some("Хэрэглэгч олдсонгүй")));
    }
}

/// No error of this service is documented, so a write that is answered by one may have happened all the same.
#[tokio::test]
async fn what_no_source_lists_is_left_open() {
    let with_error = |body: String| body.replace("\"body\":{", "\"body\":{\"error\":{\"errorDesc\":\"?\"},");
    for operation in Operation::ALL.into_iter().filter(|operation| operation.writes()) {
        for answer in [
            failed("NotFound", "error.notfound.terminal"),
            failed("BadRequest", "error.invalid.checksum"),
            failed("Duplicate", "error.duplicate.invoice"),
            failed("", ""),
            with_error(operation.good()),
            operation.good().replace("200", "201"),
            operation.good().replace("\"success\"}", "\"failed\"}"),
            good("null"),
            r#"{"header":{"code":200,"status":"success"},"body":null}"#.to_owned(),
        ] {
            let error = fails(operation, http(200, answer.clone())).await;
            assert_eq!(error.outcome(), Outcome::Unknown, "{operation:?} {answer}: {error}");
        }
    }
    for (operation, result) in [
        (Operation::Phone, r#"{"desc":"success","status":"OK"}"#),
        (Operation::Phone, r#"{"desc":"success"}"#),
        (Operation::Qr, r#"{"status":"success","desc":"00020101"}"#),
        (Operation::Qr, r#"{"status":"SUCCESS"}"#),
        (Operation::Qr, r#"{"status":"SUCCESS","desc":"Амжилттай"}"#),
        (Operation::Deeplink, r#"{"status":"SUCCESS","desc":"javascript://x"}"#),
        (Operation::Cancel, r#"{"resp_code":"51"}"#),
        (Operation::Cancel, r#"{"resp_code":"51","status":"SUCCESS"}"#),
        (Operation::Cancel, r#"{"resp_code":"00","status":"FAILED"}"#),
        (Operation::Cancel, r#"{"status":"CANCELLED"}"#),
        (Operation::Refund, r#"{"resp_code":"68","resp_desc":"Хариу ирээгүй"}"#),
        (Operation::Refund, r#"{"resp_code":"05"}"#),
        (Operation::Refund, r#"{"status":"SUCCESS"}"#),
        (Operation::Settlement, r#"{"status":""}"#),
    ] {
        let error = fails(operation, http(200, good(result))).await;
        assert_eq!(error.outcome(), Outcome::Unknown, "{operation:?} {result}: {error}");
    }
}

/// An error that is about us or about the bank's health must never be taken for *not paid yet*: a payment whose time is
/// over would be given up although it may be paid.
#[tokio::test]
async fn a_check_that_was_not_answered_concludes_nothing() {
    for (answer, kind) in [
        (failed("BadRequest", "error.invalid.checksum"), ErrorKind::Unauthorized),
        (failed("Unknown", "Терминал бүртгэлгүй: terminal"), ErrorKind::Unauthorized),
        (failed("Internal", "oops").replace("400", "500"), ErrorKind::Unavailable),
        (failed("", ""), ErrorKind::Rejected),
        (r#"{"header":{"code":400,"status":"failed"},"body":{}}"#.to_owned(), ErrorKind::Rejected),
        (failed("NotFound", "?"), ErrorKind::NotFound),
    ] {
        let error = fails(Operation::Check, http(200, answer.clone())).await;
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::NoEffect), "{answer}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read() {
    for operation in Operation::ALL {
        let good = operation.good();
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let mut not_utf8 = good.clone().into_bytes();
        let in_a_text = good.find("success").unwrap();
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

#[tokio::test]
async fn an_answer_about_another_payment_is_not_about_this_one() {
    for operation in [Operation::Check, Operation::Refund] {
        for (answer, field) in [
            (transaction(OTHER, "00", "1100"), "invoice"),
            (transaction(REFERENCE, "00", "1100").replace(TERMINAL, "13161273"), "terminal"),
        ] {
            let error = fails(operation, http(200, answer)).await;
            assert_eq!((error.kind(), error.field()), (ErrorKind::Untrusted, Some(field)));
            assert_eq!(error.outcome(), lost(operation));
        }
        let error = fails(operation, http(200, transaction(REFERENCE, "00", "1,100"))).await;
        assert_eq!((error.kind(), error.field()), (ErrorKind::Malformed, Some("amount")));
        assert_eq!(error.outcome(), lost(operation));
    }
}

#[tokio::test]
async fn a_qr_for_other_money_is_never_shown() {
    let other = PAYLOAD.replace("54041100", "54041200");
    let error = fails(Operation::Qr, http(200, shown(&other))).await;
    assert_eq!((error.kind(), error.field()), (ErrorKind::Untrusted, Some("desc")));
    assert_eq!(error.outcome(), Outcome::Unknown);
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

    /// Only `00` is paid, whatever else stands in a transaction.
    #[test]
    fn only_the_code_of_success_pays(
        code in prop_oneof![Just("00".to_owned()), "[0-9A-Za-z]{0,3}"],
        amount in "[0-9]{1,9}(\\.[0-9]{1,2})?",
    ) {
        let (bank, script) = bank();
        script.then(http(200, transaction(REFERENCE, &code, &amount)));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let payment = runtime.block_on(confirm(bank.queries().unwrap(), &payment(FLOW_QR))).unwrap();
        prop_assert_eq!(payment.status == PaymentStatus::Paid, code == "00");
        prop_assert!(matches!(payment.status, PaymentStatus::Paid | PaymentStatus::Pending));
    }
}
