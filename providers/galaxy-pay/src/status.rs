//! Maps the gateway's codes to statuses and errors.
//!
//! One table is shared by answers, callbacks and `transactionStatus` (G 1.5; D: appendix/response-codes). The classes
//! are this crate's reading of it:
//!
//! | code | meaning | of a payment | of a call |
//! |---|---|---|---|
//! | `200` | success | paid | done; for a create: created, and not paid |
//! | `499` | cancelled by the customer | canceled | a create was refused |
//! | `408` | transaction expired | expired | a create was refused |
//! | `505` | 3-D Secure failed or not supported | declined | a create was refused |
//! | `400` | bad request | pending: ask | refused |
//! | `401` | API key or signature invalid | pending: ask | refused |
//! | `409` | duplicate transaction | pending: ask | unknown: the first one stands |
//! | `502`, `503` | the service provider was not reached | pending: ask | unknown, although it is an answer |
//! | `504` | time-out | pending: ask | unknown, although it is an answer |
//! | any other | | pending: ask | unknown |
//!
//! `404` to a question is read as *not found*, which proves nothing here: what is answered about a payment that the
//! gateway does not know is not documented.
//!
//! No code for *pending* is documented, and none for a card's refusal by its bank.

use tulbur_core::{Effect, Error, ErrorKind, HttpResponse, Outcome, PaymentStatus};

/// The code of success.
pub(crate) const SUCCESS: &str = "200";
/// The code of an API key or a signature that is not accepted.
pub(crate) const UNAUTHORIZED: &str = "401";

/// What a call does, as far as its codes mean something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// Asks.
    Read,
    /// Begins a payment.
    Create,
    /// Changes something that is there: money, or a token.
    Change,
}

impl Call {
    /// A question has an id of its own, so that its bytes are not sent twice.
    pub(crate) fn effect(self) -> Effect {
        match self {
            Self::Read => Effect::ReadOnce,
            Self::Create | Self::Change => Effect::Write,
        }
    }
}

/// How a payment with this code stands.
pub(crate) fn of_code(code: &str) -> PaymentStatus {
    match code {
        SUCCESS => PaymentStatus::Paid,
        "499" => PaymentStatus::Canceled,
        "408" => PaymentStatus::Expired,
        "505" => PaymentStatus::Declined,
        _ => PaymentStatus::Pending,
    }
}

/// How a payment stands by the two codes of a callback. It was paid only if both say so; where they say different
/// things, nothing is certain (whether version 2 changes what the outer code means is unknown).
pub(crate) fn of_callback(outer: &str, inner: Option<&str>) -> PaymentStatus {
    let outer = of_code(outer);
    match inner.map(of_code) {
        None => outer,
        Some(inner) if inner == outer || outer.is_paid() => inner,
        Some(_) => PaymentStatus::Pending,
    }
}

/// How a payment stands by a query's inner values. Of the stages only `PROCESSING` and `SUCCESSFUL` are known (HPI); a
/// success in any other is not called one.
///
/// What a success is called while money is `held` is unknown, so that any stage but `PROCESSING` is held money at
/// least.
pub(crate) fn of_query(code: Option<&str>, stage: Option<&str>, held: bool) -> PaymentStatus {
    match code.map_or(PaymentStatus::Pending, of_code) {
        PaymentStatus::Paid => match stage {
            Some("PROCESSING") => PaymentStatus::Pending,
            _ if held => PaymentStatus::Authorized,
            None | Some("SUCCESSFUL") => PaymentStatus::Paid,
            Some(_) => PaymentStatus::Pending,
        },
        status => status,
    }
}

/// The error that an answer's code other than 200 is.
pub(crate) fn refusal(call: Call, code: &str, text: Option<&str>) -> Error {
    let lost = call.effect().outcome_when_lost();
    let refused = if call == Call::Read { Outcome::NoEffect } else { Outcome::Refused };
    let (kind, outcome, message) = match code {
        "400" => (ErrorKind::Rejected, refused, "the gateway refused the call"),
        UNAUTHORIZED => (
            ErrorKind::Unauthorized,
            refused,
            "the gateway did not accept the API key or the signature; check `api_key`, `salt` and `base_url`",
        ),
        // Not in the table of answers, but in that of notifications' replies, with this meaning (G 2.7.2).
        "404" if call == Call::Read => (ErrorKind::NotFound, refused, "the gateway does not know it"),
        "409" => (ErrorKind::Duplicate, lost, "the gateway has seen this before; ask about the first one"),
        "408" | "499" | "505" if call == Call::Create => {
            (ErrorKind::Rejected, refused, "the gateway ended the payment at once")
        }
        "502" | "503" => (ErrorKind::Unavailable, lost, "the gateway could not reach the provider behind it"),
        "504" => (ErrorKind::Timeout, lost, "the gateway's own request took too long"),
        _ => (ErrorKind::Rejected, lost, "the gateway answered with a code that says nothing certain here"),
    };
    Error::new(kind, message).with_outcome(outcome).with_answer(Some(code), text)
}

/// The error that an answer without a readable envelope is: what its HTTP status means is not documented.
pub(crate) fn without_envelope(call: Call, response: &HttpResponse, why: Error) -> Error {
    let effect = call.effect();
    let status = response.status;
    let (kind, message) = match status {
        200 => return why.in_answer(effect, response),
        429 => (ErrorKind::RateLimited, "the gateway wants fewer calls (HTTP 429)".to_owned()),
        500..=599 => (ErrorKind::Unavailable, format!("the gateway failed (HTTP {status})")),
        _ => (
            ErrorKind::Unavailable,
            format!("HTTP {status} without the documented JSON; check the setting `base_url`"),
        ),
    };
    Error::new(kind, message).with_outcome(effect.outcome_when_lost())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tulbur_core::PaymentStatus as Status;

    #[test]
    fn a_payment_is_pending_unless_the_code_is_explicit() {
        for (code, status) in [
            ("200", Status::Paid),
            ("499", Status::Canceled),
            ("408", Status::Expired),
            ("505", Status::Declined),
            ("00", Status::Pending),
            ("400", Status::Pending),
            ("401", Status::Pending),
            ("409", Status::Pending),
            ("502", Status::Pending),
            ("503", Status::Pending),
            ("504", Status::Pending),
            ("", Status::Pending),
            ("2000", Status::Pending),
            (" 200", Status::Pending),
            ("200.0", Status::Pending),
        ] {
            assert_eq!(of_code(code), status, "{code}");
        }
    }

    #[test]
    fn only_two_successes_are_one() {
        assert_eq!(of_callback("200", None), Status::Paid);
        assert_eq!(of_callback("200", Some("200")), Status::Paid);
        assert_eq!(of_callback("499", None), Status::Canceled);
        assert_eq!(of_callback("499", Some("499")), Status::Canceled);
        assert_eq!(of_callback("200", Some("505")), Status::Declined);
        for (outer, inner) in [("499", "200"), ("504", "200"), ("505", "408"), ("200", "504"), ("00", "200")]
        {
            assert_eq!(of_callback(outer, Some(inner)), Status::Pending, "{outer} {inner}");
        }
    }

    #[test]
    fn a_query_is_read_by_its_inner_values() {
        for (code, stage, status) in [
            (Some("200"), None, Status::Paid),
            (Some("200"), Some("SUCCESSFUL"), Status::Paid),
            (Some("200"), Some("PROCESSING"), Status::Pending),
            (Some("200"), Some("SUCCESS"), Status::Pending),
            (Some("499"), Some("ANYTHING"), Status::Canceled),
            (None, Some("SUCCESSFUL"), Status::Pending),
            (None, None, Status::Pending),
        ] {
            assert_eq!(of_query(code, stage, false), status, "{code:?} {stage:?}");
            let held = match (status, code, stage) {
                (Status::Paid, ..) | (_, Some("200"), Some("SUCCESS")) => Status::Authorized,
                (other, ..) => other,
            };
            assert_eq!(of_query(code, stage, true), held, "{code:?} {stage:?}");
        }
    }

    #[test]
    fn what_a_refusal_leaves_open() {
        use ErrorKind as Kind;
        for (code, kind, create, change) in [
            ("400", Kind::Rejected, Outcome::Refused, Outcome::Refused),
            ("401", Kind::Unauthorized, Outcome::Refused, Outcome::Refused),
            ("408", Kind::Rejected, Outcome::Refused, Outcome::Unknown),
            ("499", Kind::Rejected, Outcome::Refused, Outcome::Unknown),
            ("505", Kind::Rejected, Outcome::Refused, Outcome::Unknown),
            ("409", Kind::Duplicate, Outcome::Unknown, Outcome::Unknown),
            ("502", Kind::Unavailable, Outcome::Unknown, Outcome::Unknown),
            ("503", Kind::Unavailable, Outcome::Unknown, Outcome::Unknown),
            ("504", Kind::Timeout, Outcome::Unknown, Outcome::Unknown),
            ("00", Kind::Rejected, Outcome::Unknown, Outcome::Unknown),
            ("117", Kind::Rejected, Outcome::Unknown, Outcome::Unknown),
        ] {
            for (call, outcome) in
                [(Call::Create, create), (Call::Change, change), (Call::Read, Outcome::NoEffect)]
            {
                let error = refusal(call, code, Some("words"));
                assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{code} {call:?}");
                assert_eq!((error.code(), error.text()), (Some(code), Some("words")));
            }
        }
    }

    #[test]
    fn without_an_envelope_a_write_is_unknown() {
        for (status, kind) in [
            (200, ErrorKind::Malformed),
            (201, ErrorKind::Unavailable),
            (302, ErrorKind::Unavailable),
            (400, ErrorKind::Unavailable),
            (404, ErrorKind::Unavailable),
            (429, ErrorKind::RateLimited),
            (500, ErrorKind::Unavailable),
            (502, ErrorKind::Unavailable),
        ] {
            let response = HttpResponse::new(status, vec![], "<html>");
            for (call, outcome) in [(Call::Change, Outcome::Unknown), (Call::Read, Outcome::NoEffect)] {
                let error = without_envelope(call, &response, Error::new(ErrorKind::Malformed, "why"));
                assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{status}");
            }
        }
    }
}
