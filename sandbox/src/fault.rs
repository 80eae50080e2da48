//! Faults: the accidents that cost money, on order.

use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The request is carried out, then the connection is cut without a byte of the answer.
    AnswerLost,
    /// The connection is cut before the request is looked at.
    CutBefore,
    /// Status 500, and the request is not carried out.
    ErrorBefore,
    /// Status 500 although the request was carried out.
    ErrorAfter,
    /// The request is carried out at once and the answer comes after `ms` (1000 unless told).
    Slow,
    /// The answer announces its full length and ends half way.
    Truncated,
    /// The answer is a page of HTML with status 200.
    NotJson,
    /// The answer's checksum is made with another key.
    AnswerWrongChecksum,
    /// The answer's amount is another one than its checksum covers.
    AnswerTamperedAmount,
    /// The notification is never sent.
    PushLost,
    /// The notification is sent twice.
    PushDoubled,
    /// The notification is sent after `ms` (1000 unless told); nobody waits for it.
    PushDelayed,
    /// The notification has been delivered before the answer or the redirect leaves.
    PushBeforeAnswer,
    /// The notification is sent after the answer or the redirect has left (`ms` later, 500 unless told).
    PushAfterAnswer,
    /// The notification's amount is another one than its checksum covers.
    PushTamperedAmount,
    /// The notification's checksum is made with another key.
    PushWrongKey,
    /// The notification names a payment that is none of the merchant's.
    PushForeignId,
    /// Status 401 although the caller's token is good, and the request is not carried out.
    TokenRefused,
    /// The request is carried out, and a proxy answers with a page of HTML and status 502.
    BadGateway,
}

impl FaultKind {
    /// The faults of the connection and of the answer's bytes. The host carries them out for every plug-in.
    pub const WIRE: &'static [Self] = &[
        Self::AnswerLost,
        Self::CutBefore,
        Self::ErrorBefore,
        Self::ErrorAfter,
        Self::Slow,
        Self::Truncated,
        Self::NotJson,
    ];

    /// The faults of when and how often a notification is sent. The host carries them out for every plug-in.
    pub const TIMING: &'static [Self] = &[
        Self::PushLost,
        Self::PushDoubled,
        Self::PushDelayed,
        Self::PushBeforeAnswer,
        Self::PushAfterAnswer,
    ];

    /// The faults of what is signed or named. A plug-in names those that it can do in its
    /// [`Profile`](crate::plugin::Profile), and makes them from the [`Tamper`](crate::plugin::Tamper) it is given.
    pub const CONTENT: &'static [Self] = &[
        Self::AnswerWrongChecksum,
        Self::AnswerTamperedAmount,
        Self::PushTamperedAmount,
        Self::PushWrongKey,
        Self::PushForeignId,
    ];

    /// The faults of what stands before an API: the check of a token, a proxy. The host carries them out for the
    /// plug-ins that name them in their [`Profile`](crate::plugin::Profile).
    pub const ENTRANCE: &'static [Self] = &[Self::TokenRefused, Self::BadGateway];

    /// The name in JSON, such as `answer-lost`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AnswerLost => "answer-lost",
            Self::CutBefore => "cut-before",
            Self::ErrorBefore => "error-before",
            Self::ErrorAfter => "error-after",
            Self::Slow => "slow",
            Self::Truncated => "truncated",
            Self::NotJson => "not-json",
            Self::AnswerWrongChecksum => "answer-wrong-checksum",
            Self::AnswerTamperedAmount => "answer-tampered-amount",
            Self::PushLost => "push-lost",
            Self::PushDoubled => "push-doubled",
            Self::PushDelayed => "push-delayed",
            Self::PushBeforeAnswer => "push-before-answer",
            Self::PushAfterAnswer => "push-after-answer",
            Self::PushTamperedAmount => "push-tampered-amount",
            Self::PushWrongKey => "push-wrong-key",
            Self::PushForeignId => "push-foreign-id",
            Self::TokenRefused => "token-refused",
            Self::BadGateway => "bad-gateway",
        }
    }

    /// What it does, in one sentence.
    pub fn text(self) -> &'static str {
        match self {
            Self::AnswerLost => "carried out, then the connection is cut without an answer",
            Self::CutBefore => "the connection is cut before anything happens",
            Self::ErrorBefore => "status 500, nothing happens",
            Self::ErrorAfter => "status 500 although it was carried out",
            Self::Slow => "carried out at once, the answer comes late (ms)",
            Self::Truncated => "the answer ends half way",
            Self::NotJson => "the answer is HTML with status 200",
            Self::AnswerWrongChecksum => "the answer's checksum is made with another key",
            Self::AnswerTamperedAmount => "the answer's amount is not the one its checksum covers",
            Self::PushLost => "the notification is never sent",
            Self::PushDoubled => "the notification is sent twice",
            Self::PushDelayed => "the notification comes late (ms)",
            Self::PushBeforeAnswer => "the notification arrives before the answer leaves",
            Self::PushAfterAnswer => "the notification is sent after the answer has left",
            Self::PushTamperedAmount => "the notification's amount is not the one its checksum covers",
            Self::PushWrongKey => "the notification's checksum is made with another key",
            Self::PushForeignId => "the notification names a payment of somebody else",
            Self::TokenRefused => "status 401 although the token is good, nothing happens",
            Self::BadGateway => "carried out, and a proxy answers with HTML and status 502",
        }
    }

    fn is_push(self) -> bool {
        self.name().starts_with("push-")
    }
}

/// One fault that is waiting for its moment.
///
/// As JSON: `{"kind":"answer-lost","path":"/api/pay","reference":"ORDER-1","times":1,"ms":250}`. Only `kind` is needed.
/// `times` is how often it strikes: 1 unless told, `null` for always.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Fault {
    /// Given by the sandbox; what a caller sends is ignored.
    #[serde(default)]
    pub id: u64,
    /// What goes wrong.
    pub kind: FaultKind,
    /// How often it still strikes; `None` is always.
    #[serde(default = "once")]
    pub times: Option<u32>,
    /// Only requests whose path starts so. Without it a fault of an answer strikes the provider's API and never a page.
    /// Faults of notifications have no path.
    #[serde(default)]
    pub path: Option<String>,
    /// Only for the payment with this merchant reference.
    #[serde(default)]
    pub reference: Option<String>,
    /// How late, for the faults that are late.
    #[serde(default)]
    pub ms: Option<u64>,
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's own type")]
fn once() -> Option<u32> {
    Some(1)
}

impl Fault {
    /// A fault that strikes once, wherever it first can.
    pub fn new(kind: FaultKind) -> Self {
        Self { id: 0, kind, times: Some(1), path: None, reference: None, ms: None }
    }

    /// Strikes the next `times` times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Strikes until it is taken away.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    /// Strikes only requests whose path starts so.
    #[must_use]
    pub fn on_path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Strikes only the payment with this merchant reference.
    #[must_use]
    pub fn for_reference(mut self, reference: impl Into<String>) -> Self {
        self.reference = Some(reference.into());
        self
    }

    /// How late, for the faults that are late.
    #[must_use]
    pub fn millis(mut self, ms: u64) -> Self {
        self.ms = Some(ms);
        self
    }

    fn strikes_request(&self, path: &str, api_prefix: &str, reference: Option<&str>) -> bool {
        !self.kind.is_push()
            && path.starts_with(self.path.as_deref().unwrap_or(api_prefix))
            && self.reference.as_deref().is_none_or(|wanted| reference == Some(wanted))
    }

    fn strikes_push(&self, reference: &str) -> bool {
        self.kind.is_push() && self.reference.as_deref().is_none_or(|wanted| wanted == reference)
    }
}

/// How a message must be wrong, because a fault was ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tamper {
    /// Not at all.
    #[default]
    None,
    /// The amount is changed after signing.
    Amount,
    /// It is signed with another key.
    Key,
    /// It names a payment of somebody else.
    Id,
}

/// Takes the faults that strike a request, counting them down; the same list decides again for the next request.
pub(crate) fn take_for_request(
    faults: &mut Vec<Fault>,
    path: &str,
    api_prefix: &str,
    reference: Option<&str>,
) -> Vec<Fault> {
    take(faults, |fault| fault.strikes_request(path, api_prefix, reference))
}

/// Takes the faults that strike a notification about a payment.
pub(crate) fn take_for_push(faults: &mut Vec<Fault>, reference: &str) -> Vec<Fault> {
    take(faults, |fault| fault.strikes_push(reference))
}

/// At most one fault of a kind strikes at a time, so that "twice" means two requests.
fn take(faults: &mut Vec<Fault>, mut strikes: impl FnMut(&Fault) -> bool) -> Vec<Fault> {
    let mut taken: Vec<Fault> = Vec::new();
    for fault in faults.iter_mut() {
        if strikes(fault) && !taken.iter().any(|other| other.kind == fault.kind) {
            taken.push(fault.clone());
            fault.times = fault.times.map(|times| times.saturating_sub(1));
        }
    }
    faults.retain(|fault| fault.times != Some(0));
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_named_as_json_names_it_and_belongs_to_one_list() {
        let lists = [FaultKind::WIRE, FaultKind::TIMING, FaultKind::CONTENT, FaultKind::ENTRANCE];
        let all: Vec<_> = lists.into_iter().flatten().copied().collect();
        assert_eq!(all.len(), 19);
        for kind in all {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.name()));
        }
    }

    #[test]
    fn a_fault_strikes_where_it_was_aimed_and_as_often_as_told() {
        let mut faults = vec![
            Fault::new(FaultKind::AnswerLost).times(2),
            Fault::new(FaultKind::Slow).on_path("/payment/").always(),
            Fault::new(FaultKind::ErrorAfter).for_reference("A"),
        ];
        let names = |taken: Vec<Fault>| taken.iter().map(|fault| fault.kind.name()).collect::<Vec<_>>();
        assert_eq!(names(take_for_request(&mut faults, "/payment/mn/1", "/api/", None)), ["slow"]);
        assert_eq!(names(take_for_request(&mut faults, "/api/pay", "/api/", Some("B"))), ["answer-lost"]);
        assert_eq!(
            names(take_for_request(&mut faults, "/api/pay", "/api/", Some("A"))),
            ["answer-lost", "error-after"]
        );
        assert_eq!(names(take_for_request(&mut faults, "/api/pay", "/api/", Some("A"))), [] as [&str; 0]);
        assert_eq!(faults.len(), 1);
    }
}
