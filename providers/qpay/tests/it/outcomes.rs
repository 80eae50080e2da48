//! The outcome of each failure, for every operation.

use proptest::prelude::*;
use serde_json::json;
use tulbur_conformance::UNANSWERED;
use tulbur_core::{Error, ErrorKind, Outcome, Phase, TransportError};

use crate::common::*;

fn lost(operation: Operation) -> Outcome {
    if operation.writes() { Outcome::Unknown } else { Outcome::NoEffect }
}

async fn fails(operation: Operation, answer: Scripted) -> Error {
    let (qpay, script) = qpay();
    operation.prepare(&script);
    script.then(answer);
    let error = operation.run(&qpay).await.expect_err("this answer is no success");
    assert_eq!(script.sent().len(), 1 + usize::from(operation.gives_back()), "{operation:?} is sent once");
    assert_eq!(error.account().unwrap().as_str(), "qpay-shop");
    assert!(error.operation().is_some());
    error
}

#[tokio::test]
async fn good_answers_are_good() {
    for operation in Operation::ALL {
        let (qpay, script) = qpay();
        operation.prepare(&script);
        script.then(ok(&operation.good())).then(ok(&checked(&[])));
        operation.run(&qpay).await.unwrap_or_else(|error| panic!("{operation:?}: {error}"));
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

/// All 57 codes: status by QPay's classes, code, kind, and whether a write was surely not done.
const CODES: [(u16, ErrorKind, bool, &[&str]); 11] = {
    use ErrorKind::{Configuration, Duplicate, NotFound, Rejected, Unauthorized, Unavailable, Unsupported};
    [
        (401, Unauthorized, true, &["AUTHENTICATION_FAILED", "NO_CREDENDIALS", "NO_CREDENTIALS"]),
        (403, Unsupported, true, &["PERMISSION_DENIED", "MERCHANT_INACTIVE", "QRACCOUNT_INACTIVE"]),
        (
            422,
            NotFound,
            true,
            &[
                "INVOICE_NOTFOUND",
                "PAYMENT_NOTFOUND",
                "MERCHANT_NOTFOUND",
                "CUSTOMER_NOTFOUND",
                "CLIENT_NOTFOUND",
                "BANK_ACCOUNT_NOTFOUND",
                "CARD_TERMINAL_NOTFOUND",
                "P2P_TERMINAL_NOTFOUND",
                "QRCODE_NOTFOUND",
                "QRACCOUNT_NOTFOUND",
                "INPUT_NOTFOUND",
                "INFORM_NOTFOUND",
                "MCC_NOTFOUND",
                "BANK_MCC_NOT_FOUND",
                "BARIMT_NOT_FOUND",
            ],
        ),
        (
            409,
            Duplicate,
            false,
            &[
                "ACCOUNT_BANK_DUPLICATED",
                "BANK_MCC_ALREADY_ADDED",
                "CLIENT_USERNAME_DUPLICATED",
                "CUSTOMER_DUPLICATE",
                "INPUT_CODE_REGISTERED",
                "INVOICE_CODE_REGISTERED",
                "MERCHANT_ALREADY_REGISTERED",
            ],
        ),
        (400, Duplicate, false, &["PAYMENT_ALREADY_CANCELED"]),
        (400, Configuration, true, &["INVOICE_CODE_INVALID"]),
        (400, Rejected, true, &["PAYMENT_SETTLED"]),
        (
            400,
            Rejected,
            true,
            &[
                "PAYMENT_NOT_PAID",
                "QRCODE_USED",
                "INVALID_AMOUNT",
                "MIN_AMOUNT_ERR",
                "MAX_AMOUNT_ERR",
                "TRANSACTION_NOT_APPROVED",
                "ACCOUNT_SELECTION_INVALID",
                "CUSTOMER_REGISTER_INVALID",
                "EBARIMT_CANCEL_NOTSUPPERDED",
                "EBARIMT_NOT_REGISTERED",
                "EBARIMT_QR_CODE_INVALID",
                "INVALID_OBJECT_TYPE",
                "INVOICE_LINE_REQUIRED",
                "INVOICE_RECEIVER_DATA_REQUIRED",
                "INVOICE_RECEIVER_DATA_ADDRESS_REQUIRED",
                "INVOICE_RECEIVER_DATA_EMAIL_REQUIRED",
                "INVOICE_RECEIVER_DATA_PHONE_REQUIRED",
                "OBJECT_DATA_ERROR",
                "SENDER_BRANCH_DATA_REQUIRED",
                "TAX_LINE_REQUIRED",
                "TAX_PRODUCT_CODE_REQUIRED",
                "TRANSACTION_REQUIRED",
            ],
        ),
        (400, Rejected, true, &["INVOICE_ALREADY_CANCELED", "INVOICE_PAID"]),
        (500, Unavailable, false, &["SYSTEM_BUSY"]),
        (500, Unavailable, false, &["TypeError"]),
    ]
};

#[test]
fn all_codes_are_tried() {
    assert_eq!(CODES.iter().map(|(.., codes)| codes.len()).sum::<usize>(), 57);
}

/// The code decides, whatever the HTTP status is.
#[tokio::test]
async fn an_answer_with_a_code() {
    for operation in Operation::ALL {
        let refused = if operation.writes() { Outcome::Refused } else { Outcome::NoEffect };
        for (usual, kind, sure, codes) in CODES {
            let outcome = if sure { refused } else { lost(operation) };
            for code in codes {
                if kind == ErrorKind::Unauthorized
                    || operation == Operation::Cancel
                        && ["INVOICE_ALREADY_CANCELED", "INVOICE_PAID"].contains(code)
                {
                    continue; // Renewed, and answered: see `login` and `management`.
                }
                for status in [usual, 200, 400, 404, 409, 422, 500] {
                    let error = fails(operation, http(status, failure(code))).await;
                    assert_eq!(
                        (error.kind(), error.outcome()),
                        (kind, outcome),
                        "{operation:?} {code} {status}"
                    );
                    assert_eq!((error.code(), error.text()), (Some(*code), Some("Алдаа гарлаа")));
                }
                let bare = json!({ "error": code }).to_string();
                let error = fails(operation, http(usual, bare)).await;
                assert_eq!((error.kind(), error.code(), error.text()), (kind, Some(*code), None));
            }
        }
    }
}

/// Both spellings, after which nothing was done.
#[tokio::test]
async fn a_token_that_is_never_accepted() {
    for code in ["AUTHENTICATION_FAILED", "NO_CREDENDIALS", "NO_CREDENTIALS"] {
        for status in [401, 400, 200] {
            for operation in Operation::ALL {
                let (qpay, script) = qpay();
                operation.prepare(&script);
                script.then(http(status, failure(code))).then(http(status, failure(code)));
                let error = operation.run(&qpay).await.unwrap_err();
                let outcome = if operation.writes() { Outcome::Refused } else { Outcome::NoEffect };
                assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unauthorized, outcome));
                assert_eq!(error.code(), Some(code));
            }
        }
    }
}

#[tokio::test]
async fn an_answer_without_a_code() {
    use ErrorKind::{Malformed, RateLimited, Rejected, Unavailable};
    for operation in Operation::ALL {
        for (status, body, kind) in [
            (200, "<html>a proxy</html>", Malformed),
            (200, "[]", Malformed),
            (200, "null", Malformed),
            (200, r#"{"a":1"#, Malformed),
            (302, "", Unavailable),
            (400, "<html>", Unavailable),
            (403, "<html>a firewall</html>", Unavailable),
            (404, "", Unavailable),
            (404, r#"{"message":"no route"}"#, Unavailable),
            (404, r#"{"error_code":"INVOICE_NOTFOUND"}"#, Unavailable),
            (422, "{}", Unavailable),
            (429, "<html>", RateLimited),
            (500, "", Unavailable),
            (502, "<html>", Unavailable),
            (503, r#"{"error":""}"#, Unavailable),
            (400, r#"{"error":""}"#, Unavailable),
            (200, r#"{"error":"A","error":"B"}"#, Malformed),
            (400, r#"{"error":"NEVER_SEEN"}"#, Rejected),
            (500, r#"{"error":"NEVER_SEEN","message":"x"}"#, Rejected),
        ] {
            let error = fails(operation, http(status, body)).await;
            assert_eq!(
                (error.kind(), error.outcome()),
                (kind, lost(operation)),
                "{operation:?} {status} {body}"
            );
        }
    }
}

#[tokio::test]
async fn a_validation_is_a_refusal_that_names_its_field() {
    let body = r#"{"error":{"page_limit":{"type":"MIN_NUMBER","message":"Number min value [1]!"}}}"#;
    for operation in Operation::ALL {
        let error = fails(operation, http(400, body)).await;
        let outcome = if operation.writes() { Outcome::Refused } else { Outcome::NoEffect };
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Rejected, outcome));
        assert_eq!(error.code(), Some("page_limit: MIN_NUMBER"));
        assert_eq!(error.text(), Some("Number min value [1]!"));
    }
}

/// Answers that look like something, so that what reads them gets far.
fn odd_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        any::<i64>().prop_map(|number| json!(number)),
        "[A-Z0-9._-]{0,12}".prop_map(|text| json!(text)),
        Just(json!(INVOICE)),
        Just(json!("PAID")),
        Just(json!("100.00")),
        Just(json!("MNT")),
        Just(json!(QR)),
    ];
    let names = prop::sample::select(vec![
        "error",
        "message",
        "invoice_id",
        "qr_text",
        "urls",
        "qPay_deeplink",
        "link",
        "name",
        "count",
        "rows",
        "payment_id",
        "payment_status",
        "payment_amount",
        "payment_currency",
        "object_id",
        "card_transactions",
        "id",
        "g_payment_id",
        "amount",
        "access_token",
        "expires_in",
        "refresh_token",
    ]);
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| json!(list)),
            prop::collection::vec((names.clone(), inner), 0..8).prop_map(|fields| {
                json!(fields.into_iter().collect::<std::collections::HashMap<_, _>>())
            }),
        ]
    })
    .prop_map(|value| value.to_string())
}

proptest! {
    /// No answer panics, and none but a whole good one is a payment.
    #[test]
    fn no_answer_is_too_strange(
        at in 0..Operation::ALL.len(),
        status in prop::sample::select(vec![200_u16, 201, 204, 400, 401, 404, 422, 500]),
        answer in prop_oneof![odd_json(), ".{0,60}"],
        login in any::<bool>(),
    ) {
        let operation = Operation::ALL[at];
        let (qpay, script) = qpay();
        if login {
            script.then_login(http(status, answer.clone()));
        }
        operation.prepare(&script);
        for _ in 0..25 {
            script.then(http(status, answer.clone()));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        if let Err(error) = runtime.block_on(operation.run(&qpay)) {
            prop_assert!(operation.writes() || error.outcome() == Outcome::NoEffect);
            prop_assert!(!error.to_string().contains("planted"));
        }
    }
}
