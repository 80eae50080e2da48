//! Answers logins and refreshes, and checks the token of every call.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::call::{Good, Outcome, Refusal};
use super::shared::Bank;
use super::state::Books;
use super::tokens::Kind;

/// The answer of token and refresh: all eight members, as strict clients need them [OAS, QC, TPA].
#[derive(Serialize)]
struct Tokens {
    token_type: &'static str,
    refresh_expires_in: i64,
    refresh_token: String,
    access_token: String,
    expires_in: i64,
    scope: &'static str,
    #[serde(rename = "not-before-policy")]
    not_before_policy: &'static str,
    session_state: &'static str,
}

fn issue(tx: &mut Books<'_>) -> Tokens {
    let seconds: i64 = tx.switch("token-seconds").parse().unwrap_or_default();
    let expires_at = tx.now().plus_seconds(seconds);
    let session = &mut tx.state_mut().session;
    let access_token = session.give_out(Kind::Access, expires_at);
    let refresh_token = session.give_out(Kind::Refresh, expires_at);
    let expires_in = match tx.switch("token-expiry").as_str() {
        "duration" => seconds,
        _ => expires_at.as_millis() / 1000,
    };
    Tokens {
        token_type: "bearer",
        refresh_expires_in: expires_in,
        refresh_token,
        access_token,
        expires_in,
        scope: "get_token",
        not_before_policy: "0",
        session_state: "sandbox",
    }
}

/// `POST /v2/auth/token`. The body is not looked at: clients send none or `{}` [OAS, RUN].
pub(super) fn log_in(bank: &Bank, headers: &HeaderMap) -> Outcome {
    if let Err(why) = check_password(bank, headers) {
        bank.desk.update(|tx| tx.state_mut().session.refused_logins += 1)?;
        return Err(Refusal::code("AUTHENTICATION_FAILED", why));
    }
    let (tokens, logins) = bank.desk.update(|tx| {
        if tx.switch("second-login") == "ends-the-first" {
            tx.state_mut().session.revoke();
        }
        let now = tx.now();
        let session = &mut tx.state_mut().session;
        session.logins += 1;
        session.since.get_or_insert(now);
        let logins = session.logins;
        (issue(tx), logins)
    })?;
    Good::with(&tokens, format!("login number {logins}"))
}

fn check_password(bank: &Bank, headers: &HeaderMap) -> Result<(), &'static str> {
    let given = authorization(headers);
    let Some((scheme, encoded)) = given.split_once(' ') else {
        return Err("the header Authorization is missing, or is not Basic and base64 of username:password");
    };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err("the header Authorization must be Basic here; Bearer is for the other calls");
    }
    let decoded = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(pair) = decoded else { return Err("what stands behind Basic is not base64 of a text") };
    match pair.split_once(':') {
        None => Err("what stands behind Basic has no colon between user name and password"),
        Some((username, _)) if username != bank.account.username => Err("there is no such user name"),
        Some((_, password)) if password != bank.account.password => Err("the password is wrong"),
        Some(_) => Ok(()),
    }
}

/// `POST /v2/auth/refresh`. That a second use is answered with 401 is an assumption (specification, 2.2).
pub(super) fn refresh(bank: &Bank, headers: &HeaderMap) -> Outcome {
    let outcome = bank.desk.update(|tx| {
        let now = tx.now();
        let session = &mut tx.state_mut().session;
        let checked = bearer(headers).and_then(|token| {
            session.check(token, Kind::Refresh, now)?;
            session.use_up(token);
            Ok(())
        });
        match checked {
            Ok(()) => {
                session.refreshes += 1;
                Ok(issue(tx))
            }
            Err(why) => {
                session.refused_refreshes += 1;
                Err(why)
            }
        }
    })?;
    match outcome {
        Ok(tokens) => Good::with(&tokens, "refreshed; the old refresh token is used up"),
        Err(why) => Err(no_credentials(bank, why)),
    }
}

/// Checks the access token of a call.
pub(super) fn check(bank: &Bank, headers: &HeaderMap) -> Result<(), Refusal> {
    let now = bank.desk.now();
    let checked = bearer(headers)
        .and_then(|token| bank.desk.read(|state| state.session.check(token, Kind::Access, now)));
    let Err(why) = checked else { return Ok(()) };
    bank.desk.update(|tx| tx.state_mut().session.refused_calls += 1)?;
    Err(no_credentials(bank, why))
}

/// 401, in the spelling of QPay's servers of 2026 [ETAG] or of its table [TBL].
pub(super) fn no_credentials(bank: &Bank, why: &str) -> Refusal {
    Refusal::code(&bank.desk.switch("no-credentials"), why)
}

fn authorization(headers: &HeaderMap) -> &str {
    headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn bearer(headers: &HeaderMap) -> Result<&str, &'static str> {
    match authorization(headers).split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("basic") => {
            Err("the header Authorization is Basic; only /v2/auth/token takes that")
        }
        _ => Err("the header Authorization with Bearer and the token is missing"),
    }
}
