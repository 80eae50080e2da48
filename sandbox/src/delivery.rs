//! The delivery of notifications: each goes out when it is due, and what the merchant replies is kept.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::clock::Timestamp;
use crate::push::{Attempt, Push};
use crate::room::AnyRoom;

/// How long the sandbox waits for a merchant's reply to one notification.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a reply is kept.
const REPLY_KEPT: usize = 4096;

/// Sends what is due, until it is dropped. Every notification is sent on its own: a merchant that hangs on one
/// does not hold up the others.
pub(crate) async fn deliver(room: Arc<dyn AnyRoom>, client: reqwest::Client) {
    let mut flying = BTreeSet::new();
    let mut attempts = JoinSet::new();
    loop {
        let (due, next) = room.due_pushes(&flying);
        for push in due {
            flying.insert(push.id);
            attempts.spawn(attempt(client.clone(), push));
        }
        let pause = next.map_or(Duration::from_mins(1), |at| {
            Duration::from_millis(
                at.as_millis().saturating_sub(Timestamp::now().as_millis()).max(1).unsigned_abs(),
            )
        });
        tokio::select! {
            () = room.push_added() => {}
            () = tokio::time::sleep(pause) => {}
            Some(done) = attempts.join_next() => match done {
                Ok((id, attempt)) => {
                    flying.remove(&id);
                    room.push_attempted(id, attempt);
                }
                Err(error) => tracing::error!(%error, "a notification's task ended badly"),
            },
        }
    }
}

async fn attempt(client: reqwest::Client, push: Push) -> (u64, Attempt) {
    let at = Timestamp::now();
    let started = Instant::now();
    let mut address = push.address.unwrap_or_default();
    if !push.notification.query.is_empty() {
        address.push(if address.contains('?') { '&' } else { '?' });
        address.push_str(&push.notification.query);
    }
    let mut request = if push.notification.by_get {
        client.get(&address)
    } else {
        client
            .post(&address)
            .header("content-type", &push.notification.content_type)
            .body(push.notification.body)
    }
    .timeout(REPLY_TIMEOUT);
    for (name, value) in &push.notification.headers {
        request = request.header(name, value);
    }
    let (status, reply, error) = match request.send().await {
        Ok(response) => {
            let status = response.status().as_u16();
            let (reply, error) = read_reply(response).await;
            (Some(status), reply, error)
        }
        Err(error) => (None, String::new(), Some(causes(&error))),
    };
    let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    (push.id, Attempt { at, address, status, reply, error, millis })
}

async fn read_reply(mut response: reqwest::Response) -> (String, Option<String>) {
    let mut bytes = Vec::new();
    let error = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break None,
            Err(error) => break Some(causes(&error)),
        }
        if bytes.len() > REPLY_KEPT {
            bytes.truncate(REPLY_KEPT);
            break None;
        }
    };
    (String::from_utf8_lossy(&bytes).into_owned(), error)
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
