//! Tokens: logging in, refreshing, and what ends them.

use serde_json::{Value, json};
use tulbur_sandbox::Sandbox;

use super::support::{QPAY, Shop, act, basic, explained, names, start, try_act};

#[tokio::test]
async fn a_login_gives_all_eight_members_with_unix_times() {
    let (_sandbox, mut shop, qpay) = start().await;
    let tokens = shop.log_in(&qpay).await;
    let expected = [
        "access_token",
        "expires_in",
        "not-before-policy",
        "refresh_expires_in",
        "refresh_token",
        "scope",
        "session_state",
        "token_type",
    ];
    assert_eq!(names(&tokens), expected);
    assert_eq!(tokens["token_type"], "bearer");
    assert_eq!((&tokens["scope"], &tokens["session_state"]), (&json!("get_token"), &json!("sandbox")));
    assert_eq!(
        (&tokens["not-before-policy"], &tokens["refresh_expires_in"]),
        (&json!("0"), &tokens["expires_in"])
    );
    // Twenty-four hours after this login, which is a moment after the first one.
    let first = qpay.payment("session").unwrap().created_at.as_millis() / 1000;
    let left = tokens["expires_in"].as_i64().unwrap() - first;
    assert!((86_400..86_430).contains(&left), "{left}");

    qpay.set_switch("token-expiry", "duration").unwrap();
    qpay.set_switch("token-seconds", "600").unwrap();
    let tokens = shop.log_in(&qpay).await;
    assert_eq!((&tokens["expires_in"], &tokens["refresh_expires_in"]), (&json!(600), &json!(600)));
    // Three times in all; a client that logs in for each call is seen.
    let session = qpay.payment("session").unwrap();
    assert_eq!((&session.details["logins"], session.kind.as_str()), (&json!(3), "session"));
}

#[tokio::test]
async fn a_wrong_pair_is_refused_as_recorded_and_explained() {
    let (_sandbox, shop, qpay) = start().await;
    let good = qpay.credentials().clone();
    for (authorization, why) in [
        (Some(basic(&good["username"], "wrong")), "the password is wrong"),
        (Some(basic("nobody", &good["password"])), "no such user name"),
        (Some("Basic %%%".to_owned()), "not base64"),
        (Some(format!("Bearer {}", shop.token)), "must be Basic"),
        (Some("Basic bm9jb2xvbg==".to_owned()), "no colon"),
        (None, "missing"),
    ] {
        let reply = shop.send("POST", "/v2/auth/token", authorization.as_deref(), Some("{}")).await;
        assert_eq!(reply.status, 401, "{why}");
        assert_eq!(
            reply.text,
            "{\"error\":\"AUTHENTICATION_FAILED\",\"message\":\"Нэвтрэх нэр, нууц үг буруу\"}"
        );
        assert!(explained(&qpay).contains(why.trim_start_matches("not ")), "{why}: {}", explained(&qpay));
    }
    assert_eq!(qpay.payment("session").unwrap().details["refusedLogins"], 6);
    assert_eq!(qpay.payment("session").unwrap().details["logins"], 1);
}

async fn refresh(shop: &Shop, token: &str) -> (u16, Value) {
    let reply = shop.send("POST", "/v2/auth/refresh", Some(&format!("Bearer {token}")), None).await;
    (reply.status, reply.json())
}

#[tokio::test]
async fn a_refresh_token_rotates_and_is_good_once() {
    let (_sandbox, mut shop, qpay) = start().await;
    let old = shop.refresh.clone();
    let (status, tokens) = refresh(&shop, &old).await;
    assert_eq!((status, names(&tokens).len()), (200, 8));
    assert_ne!(tokens["refresh_token"], old.as_str());
    tokens["access_token"].as_str().unwrap().clone_into(&mut shop.token);
    shop.invoice("A-1").await;

    let expected = json!({ "error": "NO_CREDENTIALS", "message": "NO_CREDENTIALS" });
    assert_eq!(refresh(&shop, &old).await, (401, expected.clone()));
    assert!(explained(&qpay).contains("good once"), "{}", explained(&qpay));
    assert_eq!(refresh(&shop, "made-up").await, (401, expected.clone()));
    assert_eq!(refresh(&shop, &shop.token).await, (401, expected));
    assert!(explained(&qpay).contains("access token"), "{}", explained(&qpay));
    let session = qpay.payment("session").unwrap().details;
    assert_eq!((&session["refreshes"], &session["refusedRefreshes"]), (&json!(1), &json!(3)));
}

#[tokio::test]
async fn tokens_expire_are_revoked_and_are_spelt_in_two_ways() {
    let (_sandbox, mut shop, qpay) = start().await;
    let invoice = shop.invoice("A-1").await;
    let path = format!("/v2/invoice/{invoice}");
    let none = json!({});

    act(&qpay, "session", "expire-tokens", &[]);
    shop.refused("GET", &path, &none, 401, "NO_CREDENTIALS").await;
    assert!(explained(&qpay).contains("time is over"));
    let (status, tokens) = refresh(&shop, &shop.refresh).await;
    assert_eq!(status, 200, "the refresh token stays good");
    tokens["access_token"].as_str().unwrap().clone_into(&mut shop.token);
    tokens["refresh_token"].as_str().unwrap().clone_into(&mut shop.refresh);
    shop.read(&invoice).await;

    act(&qpay, "session", "revoke-tokens", &[]);
    qpay.set_switch("no-credentials", "NO_CREDENDIALS").unwrap();
    shop.refused("GET", &path, &none, 401, "NO_CREDENDIALS").await;
    assert_eq!(refresh(&shop, &shop.refresh).await.0, 401);
    shop.log_in(&qpay).await;
    shop.read(&invoice).await;

    let first = shop.token.clone();
    shop.log_in(&qpay).await;
    let bearer = format!("Bearer {first}");
    assert_eq!(
        shop.send("GET", &path, Some(&bearer), None).await.status,
        200,
        "two logins live side by side"
    );
    qpay.set_switch("second-login", "ends-the-first").unwrap();
    shop.log_in(&qpay).await;
    assert_eq!(shop.send("GET", &path, Some(&bearer), None).await.status, 401);
    for authorization in [None, Some("Bearer x"), Some("Basic eDp5"), Some("x")] {
        assert_eq!(shop.send("GET", &path, authorization, None).await.status, 401);
    }
    let refresh_as_access = format!("Bearer {}", shop.refresh);
    assert_eq!(shop.send("GET", &path, Some(&refresh_as_access), None).await.status, 401);
    assert!(explained(&qpay).contains("refresh token"), "{}", explained(&qpay));
    assert!(try_act(&qpay, "A-1", "revoke-tokens", &[]).is_err());
    assert!(try_act(&qpay, "session", "pay", &[]).is_err());
}

#[tokio::test]
async fn a_token_runs_out_by_itself() {
    let (_sandbox, mut shop, qpay) = start().await;
    qpay.set_switch("token-seconds", "1").unwrap();
    shop.log_in(&qpay).await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(shop.raw("GET", "/v2/invoice/x", "").await.status, 401);
    assert_eq!(refresh(&shop, &shop.refresh).await.0, 401);
}

#[tokio::test]
async fn a_token_is_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.json");
    let (token, invoice);
    {
        let sandbox = Sandbox::builder().state_file(&file).start().await.unwrap();
        let shop = Shop::of(&sandbox).await;
        invoice = shop.invoice("A-1").await;
        token = shop.token;
    }
    let sandbox = Sandbox::builder().state_file(&file).start().await.unwrap();
    let mut shop = Shop::of(&sandbox).await;
    shop.token = token;
    assert_eq!(shop.read(&invoice).await["sender_invoice_no"], "A-1");
    act(&sandbox.provider(QPAY).unwrap(), "A-1", "pay", &[]);
    assert_eq!(shop.check(&invoice).await["paid_amount"], 100);
}
