//! One login for many calls, its renewal, and how long it is good.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tulbur_core::{ErrorKind, ManualClock, Method, Outcome, Phase, TransportError, TransportFault};

use crate::common::*;

const BASIC: &str = "Basic cGxhbnRlZC11c2VyOnBsYW50ZWQ6cGFzc3dvcmQ=";

fn paths(script: &Side) -> Vec<(String, String)> {
    let of = |request: &tulbur_core::HttpRequest| {
        (request.url.path().to_owned(), header(request, "authorization").unwrap().to_owned())
    };
    script.logins().iter().map(of).collect()
}

fn path(path: &str, authorization: &str) -> (String, String) {
    (path.into(), authorization.into())
}

#[tokio::test]
async fn a_login_is_basic_and_has_no_body() {
    let (qpay, script) = qpay();
    script.then(ok(&checked(&[])));
    query(&qpay).await.unwrap();
    let logins = script.logins();
    assert_eq!(logins.len(), 1);
    assert_eq!(
        (logins[0].method, logins[0].url.as_str()),
        (Method::Post, "https://merchant.qpay.mn/v2/auth/token")
    );
    assert_eq!(header(&logins[0], "authorization"), Some(BASIC));
    assert!(logins[0].body.is_empty());
    // `bearer` came in lower case, and is sent as it is usual.
    assert_eq!(header(&script.one(), "authorization"), Some("Bearer planted-access-1"));
}

#[tokio::test]
async fn a_hundred_calls_at_once_make_one_login() {
    let (qpay, script) = qpay();
    for _ in 0..100 {
        script.then(ok(&checked(&[])));
    }
    let calls = (0..100).map(|_| query(&qpay));
    assert!(join_all(calls).await.iter().all(Result::is_ok));
    assert_eq!((script.logins().len(), script.sent().len()), (1, 100));
}

/// How many logins and renewals ten calls make, each so much later than the one before.
async fn ten_calls(expires: &Value, apart: Duration) -> Vec<(String, String)> {
    let clock = ManualClock::new(NOW);
    let (qpay, script) = qpay_at(all(), &clock);
    for number in 1..=10 {
        script.then_login(ok(&token(number, expires))).then(ok(&checked(&[])));
    }
    for _ in 0..10 {
        query(&qpay).await.unwrap();
        clock.advance(apart);
    }
    paths(&script)
}

#[tokio::test]
async fn an_expiry_is_a_time_or_a_duration() {
    let day = json!(1_769_756_525_u64);
    for (expires, apart, logins) in [
        // A time: one login for a day, in QPay's form and as a text.
        (day.clone(), Duration::from_mins(10), 1),
        (json!("1769756525"), Duration::from_mins(10), 1),
        (json!("600"), Duration::from_secs(1), 1),
        // A duration: ten minutes, with a margin of one.
        (json!(600), Duration::from_secs(1), 1),
        (json!(600), Duration::from_mins(3), 4),
        // Nonsense is a login that is over: no token is kept for 56 years.
        (json!(0), Duration::from_secs(1), 10),
        (json!(-5), Duration::from_secs(1), 10),
        (json!("soon"), Duration::from_secs(1), 10),
        (Value::Null, Duration::from_secs(1), 10),
        // A time that is over, and one that is much too far away.
        (json!(1_700_000_000_u64), Duration::from_secs(1), 10),
        (json!(1_769_756_525_000_u64), Duration::from_hours(12), 5),
    ] {
        let made = ten_calls(&expires, apart).await;
        assert_eq!(made.len(), logins, "{expires}: {made:?}");
    }
    // A day later it is renewed, each time with the new refresh token.
    let clock = ManualClock::new(NOW);
    let (qpay, script) = qpay_at(all(), &clock);
    for number in 1..=3_u64 {
        let expires = json!(1_769_756_525 + (number - 1) * 86_400);
        script.then_login(ok(&token(number, &expires))).then(ok(&checked(&[])));
        query(&qpay).await.unwrap();
        clock.advance(Duration::from_secs(86_341));
    }
    assert_eq!(
        paths(&script),
        [path("/v2/auth/token", BASIC), path("/v2/auth/token", BASIC), path("/v2/auth/token", BASIC)]
            .into_iter()
            .enumerate()
            .map(|(at, one)| match at {
                0 => one,
                _ => path("/v2/auth/refresh", &format!("Bearer planted-refresh-{at}")),
            })
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_token_that_died_is_renewed_once_and_the_call_is_made_once_more() {
    for code in ["NO_CREDENTIALS", "NO_CREDENDIALS", "AUTHENTICATION_FAILED", "SOMETHING_ELSE"] {
        for operation in Operation::ALL {
            let (qpay, script) = qpay();
            operation.prepare(&script);
            script.then(http(401, failure(code))).then(ok(&operation.good()));
            // A cancellation asks once more how the invoice stands.
            script.then(ok(&checked(&[])));
            operation.run(&qpay).await.unwrap_or_else(|error| panic!("{operation:?} {code}: {error}"));
            assert_eq!(
                paths(&script),
                [path("/v2/auth/token", BASIC), path("/v2/auth/refresh", "Bearer planted-refresh-1")]
            );
            let sent = script.sent();
            let at = usize::from(operation.gives_back());
            assert_eq!(
                (sent[at].url.as_str(), &sent[at].body),
                (sent[at + 1].url.as_str(), &sent[at + 1].body)
            );
            assert_eq!(header(&sent[at + 1], "authorization"), Some("Bearer planted-access-2"));
        }
    }
}

#[tokio::test]
async fn a_second_401_is_the_answer() {
    for operation in Operation::ALL {
        let (qpay, script) = qpay();
        operation.prepare(&script);
        script.then(http(401, failure("NO_CREDENTIALS"))).then(http(401, "<html>"));
        let error = operation.run(&qpay).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert_ne!(error.outcome(), Outcome::Unknown, "a 401 says that nothing was done");
        assert_eq!(script.logins().len(), 2);
        assert_eq!(script.sent().len(), 2 + usize::from(operation.gives_back()));
    }
}

#[tokio::test]
async fn a_permission_that_is_missing_is_no_dead_token() {
    let (qpay, script) = qpay();
    script.then(http(403, failure("PERMISSION_DENIED")));
    assert_eq!(query(&qpay).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!((script.sent().len(), script.logins().len()), (1, 1));
}

#[tokio::test]
async fn a_refresh_token_is_used_once_and_then_comes_the_password() {
    for answer in [
        http(401, failure("NO_CREDENTIALS")),
        http(500, failure("SYSTEM_BUSY")),
        http(200, "{}"),
        http(502, "<html>"),
        Err(TransportError::new(Phase::MayHaveBeenSent, TransportFault::Cut, "scripted")),
    ] {
        let (qpay, script) = qpay();
        script
            .then_login(ok(&token(1, &json!(1_769_756_525_u64))))
            .then_login(answer)
            .then_login(http(503, "<html>"))
            .then_login(ok(&token(4, &json!(1_769_756_525_u64))));
        script.then(http(401, failure("NO_CREDENTIALS")));
        let error = query(&qpay).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NoEffect));
        script.then(http(401, failure("NO_CREDENTIALS"))).then(ok(&checked(&[])));
        query(&qpay).await.unwrap();
        let login = || path("/v2/auth/token", BASIC);
        let refresh = path("/v2/auth/refresh", "Bearer planted-refresh-1");
        assert_eq!(paths(&script), [login(), refresh, login(), login()]);
    }
}

#[tokio::test]
async fn a_refresh_token_that_is_over_is_not_used() {
    let clock = ManualClock::new(NOW);
    let (qpay, script) = qpay_at(all(), &clock);
    let mut short = token(1, &json!(600));
    short["refresh_expires_in"] = json!(0);
    script.then_login(ok(&short)).then(ok(&checked(&[]))).then(ok(&checked(&[])));
    query(&qpay).await.unwrap();
    clock.advance(Duration::from_mins(10));
    query(&qpay).await.unwrap();
    assert_eq!(paths(&script), [path("/v2/auth/token", BASIC), path("/v2/auth/token", BASIC)]);
}

#[tokio::test]
async fn a_login_that_is_refused_is_a_setting_and_no_loop() {
    for operation in Operation::ALL {
        let (qpay, script) = qpay();
        script.then_login(http(401, failure("AUTHENTICATION_FAILED")));
        let error = operation.run(&qpay).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Configuration, Outcome::NoEffect));
        assert_eq!(error.code(), Some("AUTHENTICATION_FAILED"));
        assert!(error.message().contains("`username`"), "{error}");
        assert_eq!((script.logins().len(), script.sent().len()), (1, 0), "{operation:?}");
    }
    // Also when it was a renewal.
    let (qpay, script) = qpay();
    script
        .then_login(ok(&token(1, &json!(1_769_756_525_u64))))
        .then_login(http(401, failure("NO_CREDENTIALS")))
        .then_login(http(401, failure("AUTHENTICATION_FAILED")));
    script.then(http(401, failure("NO_CREDENTIALS")));
    assert_eq!(query(&qpay).await.unwrap_err().kind(), ErrorKind::Configuration);
    assert_eq!((script.logins().len(), script.sent().len()), (3, 1));
}

#[tokio::test]
async fn a_login_that_cannot_be_read_is_one() {
    for answer in ["", "{}", "<html>", r#"{"access_token":7}"#, r#"{"access_token":"a\nb","expires_in":1}"#] {
        let (qpay, script) = qpay();
        script.then_login(http(200, answer));
        let error = query(&qpay).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Malformed, Outcome::NoEffect), "{answer}");
        assert!(script.sent().is_empty());
    }
}
