//! Maps the bank's codes and HTTP statuses to statuses and errors.
//!
//! Result codes (`errorCode` in answers and pushes, `status_code` in browser returns) have three characters today. The
//! older gateway's are like `300-51`, and are taken too. The bank's full list is not available. Known are:
//!
//! | code | the bank's words | our status | source |
//! |---|---|---|---|
//! | `000` | Амжилттай | paid | every page of the documentation |
//! | null, absent | | pending | live clients (R-me, R-mot, R-simple) |
//! | `300` | Картын хугацаа дууссан (card expired) | declined | pages D-check, D-push |
//! | `179` | Acquirer / Issuer Host Declined | declined | a live browser return (R-me) |
//! | any other | | declined | R-simple, quoting the bank: all but `000` are failures |
//!
//! `status` in an inquiry (`SENT`, `PENDING`) says that data was sent, not that anything was paid; it is not read.

use tulbur_core::{Effect, Error, ErrorKind, HttpResponse, Outcome, PaymentStatus};

use crate::wire::Failure;

/// The only result code that means success.
pub(crate) const SUCCESS: &str = "000";

/// The status that a result code means.
pub(crate) fn of_code(code: Option<&str>) -> PaymentStatus {
    match code {
        None => PaymentStatus::Pending,
        Some(SUCCESS) => PaymentStatus::Paid,
        Some(_) => PaymentStatus::Declined,
    }
}

/// The error that an HTTP status other than 200 means (page D-auth: 400, 403, 500).
///
/// After a read nothing has happened. After a write, a documented refusal is one; everything else leaves open what
/// happened. The bank's words are passed on without the `hidden` ones, should it ever repeat them.
pub(crate) fn of_http<'a>(
    response: &HttpResponse,
    effect: Effect,
    hidden: impl Iterator<Item = &'a str>,
) -> Error {
    let mut failure = Failure::read(&response.body).ok();
    if let Some(failure) = &mut failure {
        failure.hide(hidden);
    }
    let failure = failure.as_ref();
    let word = failure.and_then(|failure| failure.error.as_deref());
    let text = failure.and_then(|failure| failure.message.as_deref());
    let says = |part: &str| text.is_some_and(|text| text.to_lowercase().contains(part));
    let read = effect.outcome_when_lost() == Outcome::NoEffect;
    let lost = effect.outcome_when_lost();
    let refused = if read { Outcome::NoEffect } else { Outcome::Refused };
    let status = response.status;

    let (kind, outcome, message) = match status {
        _ if says("duplicated") && failure.is_some() => (
            ErrorKind::Duplicate,
            lost,
            "the bank has seen this transactionId before; ask about that payment".to_owned(),
        ),
        403 if response.body.is_empty() || failure.is_some() => (
            ErrorKind::Unauthorized,
            refused,
            "the bank did not accept the merchant token; check the setting `token`".to_owned(),
        ),
        400 if failure.is_none() => {
            (ErrorKind::Malformed, lost, "HTTP 400 without the error JSON that is documented".to_owned())
        }
        400 if read && (word == Some("NotFound") || says("payment not found")) => {
            (ErrorKind::NotFound, refused, "the bank does not know this payment".to_owned())
        }
        400 if word == Some("Internal") => {
            (ErrorKind::Unavailable, lost, "the bank says that its system failed".to_owned())
        }
        400 => (ErrorKind::Rejected, refused, "the bank refused the call".to_owned()),
        429 => (ErrorKind::RateLimited, lost, "the bank wants fewer calls (HTTP 429)".to_owned()),
        500..=599 => (ErrorKind::Unavailable, lost, format!("the bank's system failed (HTTP {status})")),
        _ => (
            ErrorKind::Unavailable,
            lost,
            format!("HTTP {status}, which the bank does not document; check the setting `base_url`"),
        ),
    };
    Error::new(kind, message).with_outcome(outcome).with_answer(word, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_zeros_are_paid() {
        assert_eq!(of_code(None), PaymentStatus::Pending);
        assert_eq!(of_code(Some("000")), PaymentStatus::Paid);
        for code in ["300", "179", "001", "00", "", "0000", "abc"] {
            assert_eq!(of_code(Some(code)), PaymentStatus::Declined, "{code}");
        }
    }

    fn error_json(status: u16, error: &str, message: &str) -> String {
        format!(
            r#"{{"timestamp":"2020-06-02T10:51:56.359+0000","status":{status},"error":"{error}","message":"{message}","path":"/api/x"}}"#
        )
    }

    #[test]
    fn a_refusal_is_documented_and_everything_else_is_open() {
        use ErrorKind as Kind;
        let json = error_json;
        for (status, body, kind, written) in [
            (403, String::new(), Kind::Unauthorized, Outcome::Refused),
            (403, json(403, "Forbidden", "no"), Kind::Unauthorized, Outcome::Refused),
            (403, "<html>a firewall</html>".into(), Kind::Unavailable, Outcome::Unknown),
            (400, json(400, "Validation", "bad amount"), Kind::Rejected, Outcome::Refused),
            (400, json(400, "Validation", "transactionId is Duplicated!"), Kind::Duplicate, Outcome::Unknown),
            (500, json(500, "Internal", "duplicated key"), Kind::Duplicate, Outcome::Unknown),
            (400, json(400, "Internal", "oops"), Kind::Unavailable, Outcome::Unknown),
            (400, "<html>".into(), Kind::Malformed, Outcome::Unknown),
            (400, String::new(), Kind::Malformed, Outcome::Unknown),
            (500, json(500, "Internal", "oops"), Kind::Unavailable, Outcome::Unknown),
            (502, "<html>".into(), Kind::Unavailable, Outcome::Unknown),
            (302, String::new(), Kind::Unavailable, Outcome::Unknown),
            (404, String::new(), Kind::Unavailable, Outcome::Unknown),
            (201, "{}".into(), Kind::Unavailable, Outcome::Unknown),
            (429, String::new(), Kind::RateLimited, Outcome::Unknown),
        ] {
            let response = HttpResponse::new(status, vec![], body.clone());
            let write = of_http(&response, Effect::Write, std::iter::empty());
            assert_eq!((write.kind(), write.outcome()), (kind, written), "write: {status} {body}");
            let read = of_http(&response, Effect::Read, std::iter::empty());
            assert_eq!((read.kind(), read.outcome()), (kind, Outcome::NoEffect), "read: {status} {body}");
        }
    }

    #[test]
    fn an_unknown_payment_is_not_found_when_asked_about() {
        for body in [error_json(400, "Validation", "Payment not found."), error_json(400, "NotFound", "?")] {
            let response = HttpResponse::new(400, vec![], body);
            assert_eq!(of_http(&response, Effect::Read, std::iter::empty()).kind(), ErrorKind::NotFound);
            let write = of_http(&response, Effect::Write, std::iter::empty());
            assert_eq!((write.kind(), write.outcome()), (ErrorKind::Rejected, Outcome::Refused));
        }
    }

    #[test]
    fn a_bank_that_repeats_a_secret_is_not_quoted() {
        let body = error_json(400, "Validation", "token abc-token of card 4a5b is wrong");
        let response = HttpResponse::new(400, vec![], body);
        let error = of_http(&response, Effect::Write, ["abc-token", "4a5b", ""].into_iter());
        assert_eq!(error.text(), Some("token [hidden] of card [hidden] is wrong"));
    }

    #[test]
    fn the_banks_words_are_passed_on() {
        let response = HttpResponse::new(400, vec![], error_json(400, "Validation", "Payment not found."));
        let error = of_http(&response, Effect::Read, std::iter::empty());
        assert_eq!((error.code(), error.text()), (Some("Validation"), Some("Payment not found.")));
    }
}
