//! Logs in at QPay, and renews a login.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tulbur_core::wire::{below, filled, needed, read};
use tulbur_core::{
    BuildEnv, Effect, Error, ErrorKind, ExposeSecret, HttpRequest, HttpResponse, Login, Method, Result,
    SecretString, Ticket, Timestamp, Url, async_trait,
};

use crate::config::QPayConfig;
use crate::info;
use crate::status;
use crate::wire::TokenAnswer;

/// A number above this is a time in Unix seconds, one up to it a duration in seconds. QPay sends times (OAS, PB); the
/// community's documents have durations (DOC).
const LEAST_TIME: u64 = 1_000_000_000;
/// How long a login lasts (OAS: exactly so between the answer's `Date` and `expires_in`). A clock here that is wrong
/// makes it no longer.
const LONGEST: Duration = Duration::from_hours(24);
/// How much earlier a login is renewed (QC, TPA, MP).
const MARGIN: Duration = Duration::from_mins(1);

/// What calls carry, and what renews it. It has no `Debug`.
#[derive(Clone)]
pub(crate) struct Token {
    access: SecretString,
    refresh: Refresh,
}

/// The token that renews a login, until it is taken. It is sent once, whatever becomes of that, because using one twice
/// "causes issues" (XLS).
type Refresh = Arc<Mutex<Option<SecretString>>>;

impl Token {
    /// The header of a call.
    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.access.expose_secret())
    }

    /// What a call must hide of it.
    pub(crate) fn secret(&self) -> &str {
        self.access.expose_secret()
    }

    fn take_refresh(&self) -> Option<SecretString> {
        self.refresh.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The login of one account. It has no `Debug`.
pub(crate) struct Credentials {
    username: SecretString,
    password: SecretString,
    base_url: Url,
    env: BuildEnv,
}

impl Credentials {
    pub(crate) fn new(config: &QPayConfig, env: BuildEnv) -> Self {
        Self {
            username: config.username.clone(),
            password: config.password.clone(),
            base_url: config.base_url.clone(),
            env,
        }
    }

    fn basic(&self) -> String {
        let pair = format!("{}:{}", self.username.expose_secret(), self.password.expose_secret());
        format!("Basic {}", STANDARD.encode(pair))
    }

    /// Asks for a token. Neither request has a body (OAS), and neither is repeated by the transport: QPay forbids
    /// fetching tokens again and again (QG), and a refresh token is good once.
    async fn ask(&self, name: &'static str, path: &str, header: String) -> Result<Ticket<Token>> {
        let url = below(&self.base_url, &["v2", "auth", path]);
        let request = HttpRequest::new(name, Effect::ReadOnce, Method::Post, url)
            .with_header("accept", "application/json")
            .with_header("authorization", header);
        let response = self
            .env
            .transport
            .send(request)
            .await
            .map_err(|error| Error::from_transport(error, Effect::ReadOnce))?;
        let hidden = [self.username.expose_secret(), self.password.expose_secret()];
        status::check(&response, Effect::ReadOnce, &hidden)?;
        ticket(&response, self.env.clock.now()).map_err(|e| e.in_answer(Effect::ReadOnce, &response))
    }
}

#[async_trait]
impl Login for Credentials {
    type Token = Token;

    /// Renews by the refresh token where there is one that was not used, and logs in where that fails.
    async fn login(&self, last: Option<&Token>) -> Result<Ticket<Token>> {
        if let Some(refresh) = last.and_then(Token::take_refresh) {
            let header = format!("Bearer {}", refresh.expose_secret());
            if let Ok(ticket) = self.ask(info::REFRESH, "refresh", header).await {
                return Ok(ticket);
            }
        }
        self.ask(info::LOGIN, "token", self.basic()).await.map_err(|error| match error.kind() {
            ErrorKind::Unauthorized => {
                let why = "QPay did not accept the login; check `username`, `password` and `base_url`";
                Error::new(ErrorKind::Configuration, why).with_answer(error.code(), error.text())
            }
            _ => error,
        })
    }
}

fn ticket(response: &HttpResponse, now: Timestamp) -> Result<Ticket<Token>> {
    let answer: TokenAnswer<'_> = read(&response.body)?;
    let access = needed("access_token", &answer.access_token)?;
    if !access.bytes().all(|b| b.is_ascii_graphic()) {
        let why = "it has characters that no header can carry";
        return Err(Error::new(ErrorKind::Malformed, why).with_field("access_token"));
    }
    // A refresh token that is over, or that no header can carry, is as good as none: the next renewal is a login.
    let refresh = filled(&answer.refresh_token)
        .filter(|token| token.bytes().all(|b| b.is_ascii_graphic()))
        .filter(|_| !lasts(filled(&answer.refresh_expires_in), now).is_zero())
        .map(SecretString::from);
    let token = Token { access: access.into(), refresh: Arc::new(Mutex::new(refresh)) };
    Ok(Ticket::new(token).good_for(lasts(filled(&answer.expires_in), now)))
}

/// How long a token is good by its `expires_in`: nothing, if that is neither a time to come nor a duration.
fn lasts(expires: Option<&str>, now: Timestamp) -> Duration {
    let Some(seconds) = expires.and_then(|text| text.parse::<u64>().ok()) else { return Duration::ZERO };
    let left = if seconds > LEAST_TIME {
        let end = i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1000));
        end.map_or(LONGEST, |end| Timestamp::from_millis(end).since(now))
    } else {
        Duration::from_secs(seconds)
    };
    let left = left.min(LONGEST);
    // Of a short time half is left: a margin that is as long as the token would mean a login for every call.
    left.saturating_sub(MARGIN.min(left / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_time_or_a_duration() {
        let now = Timestamp::from_millis(1_769_670_125_000);
        let day = Duration::from_mins(24 * 60 - 1);
        for (text, good_for) in [
            (Some("1769756525"), day),
            (Some("1769670225"), Duration::from_secs(50)),
            (Some("1769670125"), Duration::ZERO),
            (Some("1769000000"), Duration::ZERO),
            (Some("1000000001"), Duration::ZERO),
            (Some("600"), Duration::from_mins(9)),
            (Some("3600"), Duration::from_mins(59)),
            (Some("10"), Duration::from_secs(5)),
            (Some("1000000000"), day),
            (Some("86400"), day),
            // A time in milliseconds, and one in the year 2082: no longer than a day.
            (Some("1769756525000"), day),
            (Some("18446744073709551615"), day),
            (Some("0"), Duration::ZERO),
            (Some("-600"), Duration::ZERO),
            (Some("soon"), Duration::ZERO),
            (Some("600.5"), Duration::ZERO),
            (Some("1e9"), Duration::ZERO),
            (None, Duration::ZERO),
        ] {
            assert_eq!(lasts(text, now), good_for, "{text:?}");
        }
    }
}
