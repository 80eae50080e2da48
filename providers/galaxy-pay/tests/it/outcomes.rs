//! The outcome of each failure, for every operation.

use proptest::prelude::*;
use serde_json::Value;
use tulbur_conformance::UNANSWERED;
use tulbur_core::{ErrorKind, Outcome, Phase, TransportError};
use tulbur_galaxy_pay::ResponseSignature;

use crate::common::*;

fn lost(operation: Operation) -> Outcome {
    if operation.writes() { Outcome::Unknown } else { Outcome::NoEffect }
}

async fn fails(operation: Operation, answer: Scripted) -> tulbur_core::Error {
    let (gateway, script) = gateway();
    script.then(answer);
    let error = operation.run(&gateway).await.expect_err("this answer is no success");
    assert_eq!(script.sent().len(), 1, "{operation:?} is sent once");
    assert_eq!(error.account().unwrap().as_str(), "saigon-shop");
    assert!(error.operation().is_some());
    error
}

#[tokio::test]
async fn good_answers_are_good() {
    for operation in Operation::ALL {
        let (gateway, script) = gateway();
        script.then(http(200, operation.good()));
        operation.run(&gateway).await.unwrap_or_else(|error| panic!("{operation:?}: {error}"));
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

/// The code decides, whatever the HTTP status is, and whether it is a text or a number.
#[tokio::test]
async fn an_answer_with_another_code() {
    use ErrorKind::{Duplicate, Rejected, Timeout, Unauthorized, Unavailable};
    for operation in Operation::ALL {
        let no = if operation.writes() { Outcome::Refused } else { Outcome::NoEffect };
        let open = lost(operation);
        let ended = if operation.begins_a_payment() { Outcome::Refused } else { open };
        for (code, kind, outcome) in [
            ("400", Rejected, no),
            ("401", Unauthorized, no),
            ("409", Duplicate, open),
            ("502", Unavailable, open),
            ("503", Unavailable, open),
            ("504", Timeout, open),
            ("408", Rejected, ended),
            ("499", Rejected, ended),
            ("505", Rejected, ended),
            ("404", if operation.writes() { Rejected } else { ErrorKind::NotFound }, open),
            ("00", Rejected, open),
            ("117", Rejected, open),
            ("20", Rejected, open),
        ] {
            if operation.charges() && ["408", "499", "505"].contains(&code) {
                continue; // An answer and no error; see `cards`.
            }
            let answer = operation.own(&envelope(code, "Không thành công", &Value::Null));
            for status in [200, 400, 401, 409, 500, 502, 504] {
                let error = fails(operation, http(status, answer.clone())).await;
                assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{operation:?} {code} {status}");
                assert_eq!((error.code(), error.text()), (Some(code), Some("Không thành công")));
            }
            if !code.starts_with('0') {
                let number = answer.replace(&format!("\"{code}\""), code);
                let error = fails(operation, http(200, number)).await;
                assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{operation:?} {code}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_without_the_envelope() {
    use ErrorKind::{Malformed, RateLimited, Unavailable};
    for operation in Operation::ALL {
        for (status, body, kind) in [
            (200, "<html>", Malformed),
            (200, "", Malformed),
            (200, "{}", Malformed),
            (200, "null", Malformed),
            (200, r#"["r","200"]"#, Malformed),
            (200, r#"{"responseCode":""}"#, Malformed),
            (200, r#"{"responseCode":{"a":1}}"#, Malformed),
            (204, "", Unavailable),
            (302, "", Unavailable),
            (400, r#"{"message":"no"}"#, Unavailable),
            (403, "<html>", Unavailable),
            (404, "", Unavailable),
            (429, "", RateLimited),
            (500, "oops", Unavailable),
            (502, "<html>", Unavailable),
            (503, "", Unavailable),
            (504, "{", Unavailable),
        ] {
            let error = fails(operation, http(status, body)).await;
            assert_eq!(
                (error.kind(), error.outcome()),
                (kind, lost(operation)),
                "{operation:?} {status} {body}"
            );
        }
        // A good body does not make another status good.
        for status in [302, 400, 500] {
            let error = fails(operation, http(status, operation.good())).await;
            assert_eq!(
                (error.kind(), error.outcome()),
                (Malformed, lost(operation)),
                "{operation:?} {status}"
            );
        }
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read() {
    for operation in Operation::ALL {
        let good = operation.good();
        let mut not_utf8 = good.clone().into_bytes();
        let at = good.find("Success").unwrap();
        not_utf8[at] = 0xFF;
        let doubled = good.replacen('{', r#"{"responseCode":"200","#, 1);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for answer in [
            good.as_bytes()[..good.len() / 2].to_vec(),
            not_utf8,
            doubled.into_bytes(),
            deep.into_bytes(),
            format!("{{\"responseMessage\":\"{}\"}}", "x".repeat(1_000_000)).into_bytes(),
        ] {
            let shown = String::from_utf8_lossy(&answer[..answer.len().min(60)]).into_owned();
            let error = fails(operation, http(200, answer)).await;
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Malformed, lost(operation)), "{shown}");
            assert!(error.to_string().len() < 400, "{error}");
        }
    }
}

/// 200, and what the operation needs is not there or is not what it should be.
#[tokio::test]
async fn a_success_without_what_it_should_bring() {
    for operation in Operation::ALL {
        let good: Value = serde_json::from_str(&operation.good()).unwrap();
        let needed: &[&str] = match operation {
            Operation::Qr => &["transactionID", "qrCode"],
            Operation::Link => &["orderNo", "shortLink"],
            Operation::Query => &["transactionID", "orderID"],
            Operation::CreateToken => &["token"],
            Operation::Token | Operation::Fast | Operation::Card => &["transactionID"],
            operation if operation.changes() => &[],
            Operation::QueryTokens => &[],
            _ => &["transactionID", "endpoint"],
        };
        for name in needed {
            for value in [Value::Null, "".into(), true.into(), serde_json::json!(["a"])] {
                let mut bad = good.clone();
                bad["responseData"][name] = value;
                let error = fails(operation, http(200, bad.to_string())).await;
                assert_eq!((error.kind(), error.outcome()), (ErrorKind::Malformed, lost(operation)), "{bad}");
            }
        }
        if !needed.is_empty() {
            for data in [Value::Null, "".into(), serde_json::json!([])] {
                let mut bad = good.clone();
                bad["responseData"] = data;
                let error = fails(operation, http(200, bad.to_string())).await;
                assert_eq!((error.kind(), error.outcome()), (ErrorKind::Malformed, lost(operation)), "{bad}");
            }
        }
    }
}

#[tokio::test]
async fn an_address_that_no_browser_should_be_sent_to() {
    for (operation, name) in [
        (Operation::Option, "endpoint"),
        (Operation::Checkout, "endpoint"),
        (Operation::Token, "endpoint"),
        (Operation::Link, "shortLink"),
    ] {
        for address in
            ["javascript:alert(1)", "http://gateway.example/x", "/pay/1", "https://a@b.example/", "x y"]
        {
            let mut bad: Value = serde_json::from_str(&operation.good()).unwrap();
            bad["responseData"][name] = address.into();
            let error = fails(operation, http(200, bad.to_string())).await;
            assert_eq!((error.field(), error.outcome()), (Some(name), Outcome::Unknown), "{address}");
        }
    }
}

#[tokio::test]
async fn the_answer_to_another_request() {
    for operation in Operation::ALL {
        for other in [OTHER, "14653fa1-2f69-4f4f-9d4b-240e1bebbdf3"] {
            let answer = operation.good().replace(&format!("{REQUEST}{}", operation.mark()), other);
            let error = fails(operation, http(200, answer)).await;
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Untrusted, lost(operation)));
            assert_eq!(error.field(), Some("requestID"));
        }
    }
}

#[tokio::test]
async fn the_answer_about_another_payment() {
    for name in ["transactionID", "orderID"] {
        let mut answer: Value = serde_json::from_str(&Operation::Query.good()).unwrap();
        answer["responseData"][name] = OTHER.into();
        let error = fails(Operation::Query, http(200, answer.to_string())).await;
        assert_eq!((error.kind(), error.field()), (ErrorKind::Untrusted, Some(name)));
    }
}

/// The formula of an answer's signature is inferred, and each account says what follows from it.
#[tokio::test]
async fn the_signature_of_an_answer() {
    use ResponseSignature::{Lenient, Off, Strict};
    for operation in Operation::ALL {
        let body = operation.good();
        let right = sign(&body);
        for (header, rule, used, counted) in [
            (Some(right.as_str()), Off, true, (0, 0)),
            (Some(right.as_str()), Lenient, true, (1, 0)),
            (Some(right.as_str()), Strict, true, (1, 0)),
            (Some("wrong"), Off, true, (0, 0)),
            (Some("wrong"), Lenient, true, (0, 1)),
            (Some("wrong"), Strict, false, (0, 1)),
            (None, Lenient, true, (0, 0)),
            (None, Strict, false, (0, 1)),
        ] {
            let mut config = all();
            config.response_signature = rule;
            let (gateway, script) = gateway_with(config);
            let headers = header.map(|value| ("signature".to_owned(), value.to_owned()));
            let headers = headers.into_iter().collect();
            script.then(Ok(tulbur_core::HttpResponse::new(200, headers, body.clone())));
            let result = operation.run(&gateway).await;
            assert_eq!(result.is_ok(), used, "{operation:?} {rule:?} {header:?}");
            assert_eq!(gateway.response_signatures(), counted, "{rule:?} {header:?}");
            if let Err(error) = result {
                assert_eq!((error.kind(), error.outcome()), (ErrorKind::Untrusted, lost(operation)));
            }
        }
    }
}

/// Who is told that the salt is wrong cannot check by that salt who says so; every other refusal must be signed.
#[tokio::test]
async fn under_strict_rules_only_401_is_believed_without_a_signature() {
    for operation in Operation::ALL {
        for (code, outcome) in [("401", Outcome::Refused), ("400", Outcome::Unknown)] {
            let mut config = all();
            config.response_signature = ResponseSignature::Strict;
            let (gateway, script) = gateway_with(config);
            script.then(http(401, operation.own(&envelope(code, "no", &Value::Null))));
            let error = operation.run(&gateway).await.unwrap_err();
            let wanted = if operation.writes() { outcome } else { Outcome::NoEffect };
            assert_eq!(error.outcome(), wanted, "{operation:?} {code}");
        }
    }
}

proptest! {
    /// Whatever comes back: no panic, and a write that did not succeed is refused only by a documented code.
    #[test]
    fn nothing_that_comes_back_is_too_strange(
        status in prop::sample::select(vec![200_u16, 201, 302, 400, 401, 404, 429, 500, 502]),
        code in prop::option::of("[0-9]{0,4}"),
        data in prop::sample::select(vec!["null", "{}", "[]", "\"\"", "7", "{\"transactionID\":7}", "{\"tokens\":[{}]}"]),
        at in 0_usize..Operation::ALL.len(),
        noise in ".{0,40}",
    ) {
        let operation = Operation::ALL[at];
        let code = code.map_or("null".to_owned(), |code| format!("\"{code}\""));
        let body = format!(r#"{{"responseCode":{code},"responseMessage":{},"responseData":{data}}}"#, serde_json::json!(noise));
        let (gateway, script) = gateway();
        script.then(http(status, body));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        if let Err(error) = runtime.block_on(operation.run(&gateway)) {
            let documented = ["400", "401", "408", "499", "505"].iter().any(|known| error.code() == Some(known));
            let wanted = if documented && error.outcome() == Outcome::Refused { Outcome::Refused } else { lost(operation) };
            prop_assert_eq!(error.outcome(), wanted);
        }
    }
}
