//! Events for the merchant's other systems, as signed webhooks.
//!
//! The form is that of *Standard Webhooks* (standardwebhooks.com): the headers `webhook-id`, `webhook-timestamp` and
//! `webhook-signature`, and a JSON body with `type`, `timestamp` and `data`. A [`Webhook`] is an [`EventHandler`], so the
//! outbox brings an event again until its endpoint takes it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::CtOutput;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::Semaphore;
use tulbur_core::layers::Timeout;
use tulbur_core::{
    Clock, Effect, ErrorKind, HttpRequest, HttpTransport, Money, Phase, Timestamp, TransportFault, Url,
    is_loopback,
};

use crate::engine::throttle::{Gate, Pace, PutOff};
use crate::error::{Error, Result};
use crate::model::event::{Event, EventHandler, EventKind, GiveUp, HandlerError, RetryLimit, Timing};

/// How long an endpoint may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Answers that are waited for at one time, of one endpoint.
const AT_ONCE: usize = 16;
/// How long an event waits for its turn at a slow endpoint before it goes back to the outbox.
const TURN_WITHIN: Duration = Duration::from_secs(20);
/// How long an endpoint may be away before an event is given up: over a weekend.
const GIVEN_UP_AFTER: Duration = Duration::from_hours(72);
/// How far a receiver's clock and ours may be apart, as Standard Webhooks' own libraries have it.
const TOLERANCE: Duration = Duration::from_mins(5);

/// The secrets that sign webhooks. Each signs; a receiver needs to know one of them.
///
/// A secret is `whsec_` and the base64 of 24 to 64 random bytes, as Standard Webhooks has it. To change one, put the new
/// one beside the old one, let every receiver change, and take the old one out. `Debug` shows none.
#[derive(Clone)]
pub struct WebhookSecrets(Vec<Hmac<Sha256>>);

impl WebhookSecrets {
    /// Takes the secrets.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when there is none, or one is not of that form.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Result<Self> {
        let keys = secrets
            .into_iter()
            .map(|secret| {
                let text = secret.expose_secret();
                if text.trim() != text {
                    return Err(refuse(
                        "secret",
                        "it begins or ends with white space, such as the line break at the end of a file; copy it without",
                    ));
                }
                if text.starts_with("v1,whsec_") {
                    return Err(refuse("secret", "it begins with `v1,`, as a signature does; leave that out"));
                }
                let bytes = text.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
                bytes
                    .filter(|bytes| (24..=64).contains(&bytes.len()))
                    .and_then(|bytes| Hmac::new_from_slice(&bytes).ok())
                    .ok_or_else(|| {
                        refuse("secret", "it is not `whsec_` and the base64 of 24 to 64 bytes; make one with `echo whsec_$(openssl rand -base64 32)`")
                    })
            })
            .collect::<Result<Vec<_>>>()?;
        if keys.is_empty() {
            return Err(refuse(
                "secret",
                "there is none; make one with `echo whsec_$(openssl rand -base64 32)`",
            ));
        }
        Ok(Self(keys))
    }

    /// The value of `webhook-signature`: one signature of each secret.
    fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let signatures: Vec<String> = self
            .0
            .iter()
            .map(|key| {
                format!("v1,{}", STANDARD.encode(signed(key, id, timestamp, body).finalize().into_bytes()))
            })
            .collect();
        signatures.join(" ")
    }

    /// Checks a webhook that was received: for systems of the merchant that are written in Rust.
    ///
    /// The texts are the values of the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`; the body is as
    /// it came, byte for byte. After that, remember the id: the same event may come again under it.
    ///
    /// # Errors
    /// [`WebhookRefused`], which says what does not fit. Answer with 400 or 401.
    pub fn verify(
        &self,
        id: &str,
        timestamp: &str,
        signature: &str,
        body: &[u8],
        now: Timestamp,
    ) -> std::result::Result<(), WebhookRefused> {
        let seconds: i64 = timestamp.parse().map_err(|_| WebhookRefused::Malformed("webhook-timestamp"))?;
        let sent = Timestamp::from_millis(seconds.saturating_mul(1000));
        if now.since(sent).max(sent.since(now)) > TOLERANCE {
            return Err(WebhookRefused::TooOldOrNew);
        }
        // Anybody can offer many signatures of a large body: it is read once for each secret. `==` takes the same time
        // wherever two differ.
        let genuine: Vec<_> = self.0.iter().map(|key| signed(key, id, timestamp, body).finalize()).collect();
        let fits = signature
            .split(' ')
            .filter_map(|word| word.strip_prefix("v1,"))
            .filter_map(|text| <[u8; 32]>::try_from(STANDARD.decode(text).ok()?).ok())
            .any(|mac| genuine.contains(&CtOutput::new(mac.into())));
        if fits { Ok(()) } else { Err(WebhookRefused::Signature) }
    }
}

fn signed(key: &Hmac<Sha256>, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac
}

impl fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookSecrets({} [redacted])", self.0.len())
    }
}

/// Why a webhook that was received is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookRefused {
    /// A header cannot be read.
    #[error("the header {0} cannot be read")]
    Malformed(&'static str),
    /// It was sent more than five minutes ago, or will be.
    #[error("it was not sent within five minutes of now; is the clock right?")]
    TooOldOrNew,
    /// No signature is one of these secrets'.
    #[error("no signature fits")]
    Signature,
}

/// Sends events to one endpoint.
///
/// It keeps no order and holds up nobody: while an endpoint is slow or away, other handlers, other endpoints and later
/// events go on. `Debug` shows the host only, because an address may hold a secret.
pub struct Webhook {
    url: Url,
    secrets: WebhookSecrets,
    transport: Timeout<Arc<dyn HttpTransport>>,
    clock: Arc<dyn Clock>,
    only: Option<BTreeSet<&'static str>>,
    gate: Gate,
    turns: Semaphore,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("host", &self.url.host_str())
            .field("only", &self.only)
            .finish_non_exhaustive()
    }
}

impl Webhook {
    /// The types of webhooks that there are.
    pub const TYPES: [&'static str; 10] = [
        "payment.paid",
        "payment.paid_again",
        "payment.authorized",
        "payment.refunded",
        "payment.operation_refused",
        "payment.declined",
        "payment.canceled",
        "payment.expired",
        "card.saved",
        "attention.needed",
    ];

    /// An endpoint for all events. The transport must follow no redirects and limit an answer's size, as
    /// [`HttpTransport`] demands.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when the address is neither `https` nor this machine's, or has a user name.
    pub fn new(
        url: Url,
        secrets: WebhookSecrets,
        transport: Arc<dyn HttpTransport>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return Err(refuse("url", "it must be https (http is allowed only for this machine)"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("url", "it has a user name or password; the signature says who sends"));
        }
        // Its circuit alone is of use here: what is sent, and how often, is the outbox's.
        let pace = Pace::default().per_second(1_000_000).at_once(u32::MAX);
        let gate = Gate::new(&format!("webhook {}", url.host_str().unwrap_or("-")), pace);
        let transport = Timeout::new(transport, Arc::clone(&clock), ANSWER_WITHIN);
        Ok(Self { url, secrets, transport, clock, only: None, gate, turns: Semaphore::new(AT_ONCE) })
    }

    /// Only for events of these types, out of [`Webhook::TYPES`].
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when there is no such type.
    pub fn only<'a>(mut self, types: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let known = |name: &str| Self::TYPES.into_iter().find(|known| *known == name);
        let types = types.into_iter().map(|name| {
            known(name).ok_or_else(|| {
                refuse(
                    "only",
                    format!("one of them is no type of webhook; there are {}", Self::TYPES.join(", ")),
                )
            })
        });
        self.only = Some(types.collect::<Result<_>>()?);
        Ok(self)
    }

    async fn deliver(&self, event: &Event) -> std::result::Result<(), HandlerError> {
        let host = self.url.host_str().unwrap_or("-");
        let permit = self
            .gate
            .enter(self.clock.monotonic())
            .map_err(|PutOff { .. }| format!("{host} does not answer; it is left in peace for a while"))?;
        let body = body_of(event).to_string().into_bytes();
        let now = self.clock.now();
        let timestamp = now.as_millis().div_euclid(1000).to_string();
        let signature = self.secrets.sign(event.id.as_str(), &timestamp, &body);
        // The outbox repeats it; a transport that repeats reads and keyed writes must not do so as well.
        let request = HttpRequest::post_json("webhook", Effect::Write, self.url.clone(), body)
            .with_header("webhook-id", event.id.as_str())
            .with_header("webhook-timestamp", timestamp)
            .with_header("webhook-signature", signature);
        let answer = self.transport.send(request).await;
        let now = self.clock.monotonic();
        let failure = match answer {
            Ok(answer) if (200..300).contains(&answer.status) => {
                permit.answered();
                return Ok(());
            }
            Ok(answer) => {
                let status = answer.status;
                match status {
                    429 | 500..=599 => permit.failed(now, event.id.as_str(), ErrorKind::Unavailable),
                    _ => permit.answered(),
                }
                match status {
                    410 => {
                        return Err(Box::new(GiveUp(format!(
                            "{host} answered 410: it wants no webhooks any more"
                        ))));
                    }
                    300..=399 => format!(
                        "{host} answered {status}; redirects are not followed, give its final address"
                    ),
                    _ => format!("{host} answered {status}"),
                }
            }
            Err(error) => {
                let kind = match (error.phase(), error.fault()) {
                    (_, TransportFault::Timeout) => ErrorKind::Timeout,
                    (Phase::NeverSent | Phase::MayHaveBeenSent, _) => ErrorKind::Unavailable,
                };
                permit.failed(now, event.id.as_str(), kind);
                format!("{host}: {error}")
            }
        };
        Err(failure.into())
    }
}

#[async_trait]
impl EventHandler for Webhook {
    async fn handle(&self, event: &Event) -> std::result::Result<(), HandlerError> {
        if self.only.as_ref().is_some_and(|only| !only.contains(type_of(&event.kind))) {
            return Ok(());
        }
        let turn = tokio::select! {
            turn = self.turns.acquire() => turn.expect("the semaphore is never closed"),
            () = self.clock.sleep(TURN_WITHIN) => return Err("the endpoint is slower than events come".into()),
        };
        let result = self.deliver(event).await;
        drop(turn);
        result
    }

    fn in_order(&self) -> bool {
        false
    }

    fn retry_limit(&self) -> RetryLimit {
        RetryLimit::Age(GIVEN_UP_AFTER)
    }
}

fn refuse(field: &'static str, why: impl Into<String>) -> Error {
    Error::Provider(tulbur_core::Error::new(ErrorKind::Configuration, why).with_field(field))
}

fn type_of(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Paid { .. } => "payment.paid",
        EventKind::PaidAgain { .. } => "payment.paid_again",
        EventKind::Authorized { .. } => "payment.authorized",
        EventKind::Refunded { .. } => "payment.refunded",
        EventKind::RefundAccepted { .. } => "payment.refund_accepted",
        EventKind::OperationRefused { .. } => "payment.operation_refused",
        EventKind::Declined { .. } => "payment.declined",
        EventKind::Canceled => "payment.canceled",
        EventKind::Expired => "payment.expired",
        EventKind::CardSaved { .. } => "card.saved",
        EventKind::Attention { .. } => "attention.needed",
    }
}

/// The body. Amounts are text, so that no receiver makes a float of them.
fn body_of(event: &Event) -> Value {
    let mut data = match &event.kind {
        EventKind::Paid { amount, timing } => {
            let late = match timing {
                Timing::InTime => None,
                Timing::After(status) => Some(status.as_str()),
            };
            json!({ "amount": amount_of(*amount), "paid_after": late })
        }
        EventKind::PaidAgain { amount } | EventKind::Authorized { amount } => {
            json!({ "amount": amount_of(*amount) })
        }
        EventKind::Refunded { operation, amount } | EventKind::RefundAccepted { operation, amount } => {
            json!({ "operation": operation, "amount": amount_of(*amount) })
        }
        EventKind::OperationRefused { operation, kind, code, text } => {
            json!({ "operation": operation, "operation_kind": kind, "code": code, "text": text })
        }
        EventKind::Declined { code, text } => json!({ "code": code, "text": text }),
        EventKind::Canceled | EventKind::Expired => json!({}),
        EventKind::CardSaved { customer, card } => json!({ "customer": customer, "card": card }),
        EventKind::Attention { reason, detail } => json!({ "reason": reason, "detail": detail }),
    };
    data["order"] = json!(event.order);
    data["payment"] = json!(event.payment);
    json!({ "type": type_of(&event.kind), "timestamp": event.at.to_string(), "data": data })
}

fn amount_of(amount: Money) -> Value {
    json!({ "value": amount.to_decimal_text(), "currency": amount.currency().code() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of docs.svix.com/receiving/verifying-payloads/how-manual; Standard Webhooks took its scheme
    /// over from there. The secret stands in two parts so that nobody takes it for a lost one.
    const VECTOR: [&str; 5] = [
        "plJ3nmyCDGBKInavdOK15jsl",
        "msg_loFOjxBNrRLzqYUf",
        "1731705121",
        r#"{"event_type":"ping","data":{"success":true}}"#,
        "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
    ];

    fn key(bytes: &[u8]) -> Hmac<Sha256> {
        Hmac::new_from_slice(bytes).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn the_published_example_is_signed_and_verified() {
        let [secret, id, timestamp, body, signature] = VECTOR;
        // Eighteen bytes: shorter than what Standard Webhooks asks for today, and so not by `new`.
        let secrets = WebhookSecrets(vec![key(&STANDARD.decode(secret).unwrap())]);
        assert_eq!(secrets.sign(id, timestamp, body.as_bytes()), signature);
        let now = at(1_731_705_121);
        let check = |id: &str, timestamp: &str, signature: &str, body: &str| {
            secrets.verify(id, timestamp, signature, body.as_bytes(), now)
        };
        assert_eq!(check(id, timestamp, signature, body), Ok(()));
        let two = format!("v1,AAAA v1a,{} {signature}", STANDARD.encode([1; 64]));
        assert_eq!(check(id, timestamp, &two, body), Ok(()));
        for (id, timestamp, signature, body) in [
            ("msg_2", timestamp, signature, body),
            (id, "1731705122", signature, body),
            (id, timestamp, signature, "{}"),
            (id, timestamp, "", body),
            (id, timestamp, &signature[3..], body),
            (id, timestamp, "v1,AAAA", body),
            (id, timestamp, &signature.replace("v1,", "v2,"), body),
        ] {
            assert_eq!(check(id, timestamp, signature, body), Err(WebhookRefused::Signature));
        }
        assert!(matches!(check(id, "soon", signature, body), Err(WebhookRefused::Malformed(_))));
        for moved in [-301, 301] {
            let now = at(1_731_705_121 + moved);
            let result = secrets.verify(id, timestamp, signature, body.as_bytes(), now);
            assert_eq!(result, Err(WebhookRefused::TooOldOrNew));
        }
    }

    /// A megabyte for each of them would take minutes.
    #[test]
    fn many_signatures_cost_what_one_costs() {
        let key = SecretString::from(format!("whsec_{}", STANDARD.encode([1; 32])));
        let secrets = WebhookSecrets::new([&key]).unwrap();
        let body = vec![b'x'; 1024 * 1024];
        let forged = vec![format!("v1,{}", STANDARD.encode([9; 32])); 2000].join(" ");
        let began = std::time::Instant::now();
        assert_eq!(secrets.verify("id", "100", &forged, &body, at(100)), Err(WebhookRefused::Signature));
        let genuine = format!("{forged} {}", secrets.sign("id", "100", &body));
        assert_eq!(secrets.verify("id", "100", &genuine, &body, at(100)), Ok(()));
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    }

    #[test]
    fn secrets_are_checked_and_not_printed() {
        let secret = |bytes: &[u8]| SecretString::from(format!("whsec_{}", STANDARD.encode(bytes)));
        let (old, new) = (secret(&[1; 32]), secret(&[2; 32]));
        let both = WebhookSecrets::new([&new, &old]).unwrap();
        let signature = both.sign("id", "100", b"{}");
        assert_eq!(signature.split(' ').count(), 2);
        for known in [&old, &new] {
            let known = WebhookSecrets::new([known]).unwrap();
            assert_eq!(known.verify("id", "100", &signature, b"{}", at(100)), Ok(()));
        }
        let other = WebhookSecrets::new([&secret(&[3; 32])]).unwrap();
        assert!(other.verify("id", "100", &signature, b"{}", at(100)).is_err());
        assert_eq!(format!("{both:?}"), "WebhookSecrets(2 [redacted])");
        assert!(WebhookSecrets::new([]).is_err());
        for wrong in ["planted", "whsec_", "whsec_*", "whsec_cGxhbnRlZA=="] {
            let error = WebhookSecrets::new([&SecretString::from(wrong)]).unwrap_err();
            assert!(!error.to_string().contains("planted") && !error.to_string().contains("cGxh"));
        }
        let good = new.expose_secret();
        for (wrong, named) in [
            (format!("{good}\n"), "white space"),
            (format!("{good}\r\n"), "white space"),
            (format!(" {good}"), "white space"),
            (format!("v1,{good}"), "`v1,`"),
        ] {
            let error = WebhookSecrets::new([&SecretString::from(wrong)]).unwrap_err().to_string();
            assert!(error.contains(named) && !error.contains(&good[6..]), "{error}");
        }
    }
}
