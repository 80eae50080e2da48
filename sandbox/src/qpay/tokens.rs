//! Keeps the tokens of the account. A token is known by its SHA-256 only, so the state file holds none.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ids::random;
use crate::plugin::{Records, Timestamp};

/// What a session has seen.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Session {
    tokens: Records<String, Token>,
    /// Logins that worked; a client that logs in for each call is seen here.
    pub(super) logins: u64,
    pub(super) refused_logins: u64,
    pub(super) refreshes: u64,
    pub(super) refused_refreshes: u64,
    pub(super) refused_calls: u64,
    pub(super) since: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Token {
    kind: Kind,
    expires_at: Timestamp,
    /// A refresh token is good once (specification, 2.2).
    used: bool,
    revoked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Access,
    Refresh,
}

impl Session {
    /// How many tokens were given out and are neither revoked nor used up, of both kinds.
    pub(super) fn tokens(&self) -> usize {
        self.tokens.values().filter(|token| !token.revoked && !token.used).count()
    }

    /// Makes a token and gives it out; only its mark is kept.
    pub(super) fn give_out(&mut self, kind: Kind, expires_at: Timestamp) -> String {
        let token = hex::encode(random::<32>());
        let entry = Token { kind, expires_at, used: false, revoked: false };
        self.tokens.insert(mark(&token), entry);
        token
    }

    /// Checks a token of this kind.
    ///
    /// # Errors
    ///
    /// Says why it is not good.
    pub(super) fn check(&self, token: &str, kind: Kind, now: Timestamp) -> Result<(), &'static str> {
        let token = self.tokens.get(&mark(token)).ok_or("this token was never given out here")?;
        match (token.kind, kind) {
            (Kind::Refresh, Kind::Access) => {
                return Err("this is the refresh token; send the access token");
            }
            (Kind::Access, Kind::Refresh) => {
                return Err("this is the access token; send the refresh token");
            }
            _ if token.revoked => return Err("this token was revoked"),
            _ if token.used => return Err("this refresh token was used before, and is good once"),
            _ => {}
        }
        if token.expires_at <= now { Err("this token's time is over") } else { Ok(()) }
    }

    /// Uses a token up.
    pub(super) fn use_up(&mut self, token: &str) {
        if let Some(token) = self.tokens.get_mut(&mark(token)) {
            token.used = true;
        }
    }

    /// Ends the time of every access token; refresh tokens stay good.
    pub(super) fn expire(&mut self, now: Timestamp) {
        for token in self.tokens.select_mut(|token| token.kind == Kind::Access) {
            token.expires_at = now;
        }
    }

    /// Ends every token, so that only a login helps.
    pub(super) fn revoke(&mut self) {
        for token in self.tokens.select_mut(|token| !token.revoked) {
            token.revoked = true;
        }
    }
}

fn mark(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}
