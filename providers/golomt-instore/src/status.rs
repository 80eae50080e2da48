//! Maps the bank's codes, errors and HTTP statuses to statuses and errors.
//!
//! | `resp_code` | our status | source |
//! |---|---|---|
//! | `00` | paid | R-erxes, and services that use R-go |
//! | any other, absent | pending | the same clients call it not paid; no source says that one of them is final |
//!
//! | in the answer | our outcome of a write | source |
//! |---|---|---|
//! | `status` `FAILED` | refused | page D-qr |
//! | `errorType` `NotFound` with `errorDesc` `error.notfound.invoice` | refused | a sister service of the bank's, with the same envelope |
//! | `errorType` `InvalidToken` with `errorDesc` `error.invalid.token` | refused | the same |
//! | everything else | unknown | no error of this service is documented |

use tulbur_core::{Effect, Error, ErrorKind, FreeText, HttpResponse, Outcome, PaymentStatus};

use crate::wire::{Failure, Said, SimpleResult, open};

/// The status that a transaction's code means.
pub(crate) fn of_code(code: Option<&str>) -> PaymentStatus {
    if code == Some("00") { PaymentStatus::Paid } else { PaymentStatus::Pending }
}

fn read_only(effect: Effect) -> bool {
    effect.outcome_when_lost() == Outcome::NoEffect
}

/// The outcome of an explicit no.
fn refused(effect: Effect) -> Outcome {
    if read_only(effect) { Outcome::NoEffect } else { Outcome::Refused }
}

/// What an error inside an answer means.
pub(crate) fn of_failure(failure: &Failure, effect: Effect) -> Error {
    let pair = (failure.kind.as_deref(), failure.text.as_deref());
    let header = failure.header.as_deref().unwrap_or_default();
    let (kind, outcome, message) = match pair {
        (Some("NotFound"), Some("error.notfound.invoice")) => {
            (ErrorKind::NotFound, refused(effect), "the bank does not know this invoice".to_owned())
        }
        (Some("InvalidToken"), Some("error.invalid.token")) => {
            (ErrorKind::Unauthorized, refused(effect), "the bank does not accept the token".to_owned())
        }
        _ if failure.status.as_deref() == Some("FAILED") => {
            (ErrorKind::Rejected, refused(effect), "the bank says that it failed".to_owned())
        }
        (Some("NotFound"), _) if read_only(effect) => {
            (ErrorKind::NotFound, Outcome::NoEffect, "the bank does not know this invoice".to_owned())
        }
        _ if names_the_account(failure) => (
            ErrorKind::Unauthorized,
            effect.outcome_when_lost(),
            "the bank's words are about this account; check the settings `terminal` and `secret`".to_owned(),
        ),
        _ if header.len() == 3 && header.starts_with('5') => (
            ErrorKind::Unavailable,
            effect.outcome_when_lost(),
            format!("the bank's system failed (code {header})"),
        ),
        _ => (
            ErrorKind::Rejected,
            effect.outcome_when_lost(),
            format!("the bank answered with an error (code {header}) that no document lists"),
        ),
    };
    Error::new(kind, message)
        .with_outcome(outcome)
        .with_answer(failure.kind.as_deref().or(failure.header.as_deref()), failure.text.as_deref())
}

/// Whether an error is about us and not about an invoice. Its words are unknown, so this looks for the things
/// themselves: an error about the checksum must never be taken for *not paid yet*.
fn names_the_account(failure: &Failure) -> bool {
    let says = |text: &Option<FreeText>| {
        let text = text.as_deref().unwrap_or_default().to_lowercase();
        [
            "checksum",
            "signature",
            "token",
            "terminal",
            "merchant",
            "auth",
            "forbidden",
            "denied",
            "permission",
        ]
        .iter()
        .any(|word| text.contains(word))
    };
    matches!(failure.header.as_deref(), Some("401" | "403")) || says(&failure.kind) || says(&failure.text)
}

/// Whether an error as the answer to a check may be how the bank says that nothing was paid. R-erxes copes with a
/// check that is answered so; no document has the words. What is about us, or a failure of the bank's, is not.
pub(crate) fn may_be_unpaid(failure: &Failure, error: &Error) -> bool {
    failure.has_words() && error.kind() == ErrorKind::Rejected
}

/// The error that an HTTP status other than 200 means. None is documented, so a write is left open.
pub(crate) fn of_http(response: &HttpResponse, effect: Effect) -> Error {
    let status = response.status;
    let (kind, message) = match status {
        401 | 403 => (
            ErrorKind::Unauthorized,
            format!(
                "HTTP {status}; check the settings `terminal` and `secret`, and whether the bank must be told our address"
            ),
        ),
        429 => (ErrorKind::RateLimited, "the bank wants fewer calls (HTTP 429)".to_owned()),
        500..=599 => (ErrorKind::Unavailable, format!("the bank's system failed (HTTP {status})")),
        _ => (
            ErrorKind::Unavailable,
            format!("HTTP {status}, which the bank does not document; check the setting `base_url`"),
        ),
    };
    let failure = match open::<SimpleResult<'_>>(&response.body) {
        Ok(Said::Failed(failure)) => failure,
        _ => Failure::default(),
    };
    Error::new(kind, message)
        .with_outcome(effect.outcome_when_lost())
        .with_answer(failure.kind.as_deref(), failure.text.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(header: &str, kind: &str, text: &str) -> Failure {
        let some = |text: &str| (!text.is_empty()).then(|| text.into());
        Failure { header: some(header), kind: some(kind), text: some(text), status: None }
    }

    #[test]
    fn only_two_zeros_are_paid_and_nothing_is_declined() {
        assert_eq!(of_code(Some("00")), PaymentStatus::Paid);
        for code in [None, Some("0"), Some("000"), Some("51"), Some("05"), Some(""), Some("OK")] {
            assert_eq!(of_code(code), PaymentStatus::Pending, "{code:?}");
        }
    }

    #[test]
    fn what_is_attested_is_refused_and_everything_else_is_open() {
        use ErrorKind as Kind;
        for (failure, kind, written) in [
            (failure("400", "NotFound", "error.notfound.invoice"), Kind::NotFound, Outcome::Refused),
            (failure("400", "InvalidToken", "error.invalid.token"), Kind::Unauthorized, Outcome::Refused),
            (failure("400", "NotFound", "error.notfound.terminal"), Kind::Unauthorized, Outcome::Unknown),
            (failure("400", "NotFound", ""), Kind::Rejected, Outcome::Unknown),
            (failure("400", "", "error.notfound.invoice"), Kind::Rejected, Outcome::Unknown),
            (failure("400", "BadRequest", "error.invalid.checksum"), Kind::Unauthorized, Outcome::Unknown),
            (failure("403", "", ""), Kind::Unauthorized, Outcome::Unknown),
            (failure("500", "Internal", "oops"), Kind::Unavailable, Outcome::Unknown),
            (failure("400", "Duplicate", "error.duplicate.invoice"), Kind::Rejected, Outcome::Unknown),
            (failure("200", "", "Хэрэглэгч олдсонгүй"), Kind::Rejected, Outcome::Unknown),
            (
                Failure { status: Some("FAILED".into()), ..failure("400", "", "no") },
                Kind::Rejected,
                Outcome::Refused,
            ),
        ] {
            let write = of_failure(&failure, Effect::Write);
            assert_eq!((write.kind(), write.outcome()), (kind, written), "write: {failure:?}");
            let read = of_failure(&failure, Effect::Read);
            assert_eq!(read.outcome(), Outcome::NoEffect, "read: {failure:?}");
        }
    }

    #[test]
    fn an_error_about_us_or_the_bank_never_means_unpaid() {
        for (failure, may) in [
            (failure("400", "NotPaid", "error.invoice.notpaid"), true),
            (failure("200", "", "Гүйлгээ олдсонгүй"), true),
            (failure("400", "", ""), false),
            (failure("400", "NotFound", "?"), false),
            (failure("400", "", "error.invalid.checksum"), false),
            (failure("400", "", "Checksum буруу"), false),
            (failure("400", "InvalidToken", "error.invalid.token"), false),
            (failure("400", "UnknownTerminal", "?"), false),
            (failure("401", "", "no"), false),
            (failure("500", "", "error"), false),
        ] {
            let error = of_failure(&failure, Effect::Read);
            assert_eq!(may_be_unpaid(&failure, &error), may, "{failure:?} {error}");
        }
    }

    #[test]
    fn an_http_status_leaves_a_write_open() {
        let body = r#"{"header":{"code":400,"status":"failed"},"body":{"error":{"errorDesc":"error.notfound.invoice","errorType":"NotFound"}}}"#;
        for (status, kind) in [
            (400, ErrorKind::Unavailable),
            (401, ErrorKind::Unauthorized),
            (403, ErrorKind::Unauthorized),
            (404, ErrorKind::Unavailable),
            (429, ErrorKind::RateLimited),
            (500, ErrorKind::Unavailable),
            (302, ErrorKind::Unavailable),
            (201, ErrorKind::Unavailable),
        ] {
            let response = HttpResponse::new(status, vec![], body);
            let error = of_http(&response, Effect::Write);
            assert_eq!((error.kind(), error.outcome()), (kind, Outcome::Unknown), "{status}");
            assert_eq!((error.code(), error.text()), (Some("NotFound"), Some("error.notfound.invoice")));
            assert_eq!(of_http(&response, Effect::Read).outcome(), Outcome::NoEffect);
        }
    }
}
