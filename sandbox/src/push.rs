//! Notifications: what was to be sent, what was sent, and what the merchant replied.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// A notification, ready to be sent: by POST unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Notification {
    /// The value of `Content-Type`.
    pub content_type: String,
    /// Further headers.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Joined to the push address as its query; empty for none.
    #[serde(default)]
    pub query: String,
    /// The body, as it goes out.
    pub body: String,
    /// Where this one goes, when the payment itself says so; else it goes to the push address.
    #[serde(default)]
    pub address: Option<String>,
    /// How long after a failed attempt another one follows, for each retry; empty means one attempt only.
    #[serde(default)]
    pub retry_after: Vec<Duration>,
    /// It is sent by GET, without its body.
    #[serde(default)]
    pub by_get: bool,
    /// The one reply that counts as taken, with status 200; without it any status of success does.
    #[serde(default)]
    pub expects: Option<String>,
}

impl Notification {
    /// A JSON notification that is tried once.
    pub fn json(body: impl Into<String>) -> Self {
        Self {
            content_type: "application/json".into(),
            headers: Vec::new(),
            query: String::new(),
            body: body.into(),
            address: None,
            retry_after: Vec::new(),
            by_get: false,
            expects: None,
        }
    }

    /// Sends it there in place of the push address: the merchant gave this address with the payment.
    #[must_use]
    pub fn to(mut self, address: &str) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A notification whose values stand in the query of the address, with an empty body; tried once.
    pub fn in_query(query: impl Into<String>) -> Self {
        Self { query: query.into(), ..Self::json("") }
    }

    /// A notification by GET whose values stand in the query of the address; tried once.
    pub fn get(query: impl Into<String>) -> Self {
        Self { by_get: true, ..Self::in_query(query) }
    }

    /// Counts it as taken only when the merchant replies with status 200 and exactly this text.
    #[must_use]
    pub fn expects(mut self, reply: &str) -> Self {
        self.expects = Some(reply.into());
        self
    }

    /// Whether this try was taken.
    pub(crate) fn is_taken(&self, attempt: &Attempt) -> bool {
        match (&self.expects, attempt.status) {
            (Some(reply), status) => {
                status == Some(200) && attempt.error.is_none() && attempt.reply == *reply
            }
            (None, status) => status.is_some_and(|status| (200..300).contains(&status)),
        }
    }

    /// Sends it again after each of these pauses as long as the merchant does not take it.
    #[must_use]
    pub fn retry_after(mut self, pauses: Vec<Duration>) -> Self {
        self.retry_after = pauses;
        self
    }
}

/// Where a notification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PushState {
    /// It will be sent.
    Waiting,
    /// The merchant took it: it replied with a status of success, or with the one reply that counts.
    Delivered,
    /// Every attempt failed or was answered otherwise.
    Failed,
    /// A fault swallowed it.
    Lost,
    /// Nobody has set a push address.
    NoAddress,
}

impl PushState {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::NoAddress => "no-address",
        }
    }
}

/// One try to deliver a notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// When it was sent.
    pub at: Timestamp,
    /// Where to.
    pub address: String,
    /// The status of the reply, if there was one.
    pub status: Option<u16>,
    /// The body of the reply, its first four thousand characters or so.
    pub reply: String,
    /// What went wrong, if there was no reply.
    pub error: Option<String>,
    /// How long it took.
    pub millis: u64,
}

/// A notification with its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Push {
    /// Its number at this provider.
    pub id: u64,
    /// The merchant reference of the payment that it is about.
    pub reference: String,
    /// Where it stands.
    pub state: PushState,
    /// When the provider made it.
    pub created_at: Timestamp,
    /// When it is sent, or sent again.
    pub due_at: Timestamp,
    /// Where it goes.
    pub address: Option<String>,
    /// What goes out.
    pub notification: Notification,
    /// The faults that it suffers, in words.
    pub faults: Vec<String>,
    /// The tries so far.
    pub attempts: Vec<Attempt>,
}

/// A notification that somebody may wait for; see [`Desk::wait_for_push`](crate::plugin::Desk::wait_for_push).
#[derive(Clone, Debug)]
#[must_use = "a notification goes out by itself, but the answer usually waits for it"]
pub struct Ticket {
    pub(crate) ids: Vec<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_takes_a_notification_if_it_is_the_one_expected() {
        let attempt = |status, reply: &str| Attempt {
            at: Timestamp::now(),
            address: String::new(),
            status,
            reply: reply.to_owned(),
            error: None,
            millis: 0,
        };
        let usual = Notification::json("{}");
        let exact = Notification::get("id=1").expects("SUCCESS");
        for (status, reply, by_status, by_text) in [
            (Some(200), "SUCCESS", true, true),
            (Some(201), "SUCCESS", true, false),
            (Some(200), "SUCCESS\n", true, false),
            (Some(200), "\"SUCCESS\"", true, false),
            (Some(500), "SUCCESS", false, false),
            (None, "", false, false),
        ] {
            let attempt = attempt(status, reply);
            assert_eq!(
                (usual.is_taken(&attempt), exact.is_taken(&attempt)),
                (by_status, by_text),
                "{reply:?}"
            );
        }
    }
}
