//! Maps the bank's results and refusals to statuses and errors (BANK.md, sections 3 and 4).

use tulbur_core::wire::read;
use tulbur_core::{Effect, Error, ErrorKind, HttpResponse, Outcome, PaymentStatus};

use crate::wire::Refusal;

// ANCHOR: result
/// The status that a result means. Pending unless the bank is explicit.
pub(crate) fn of_result(result: &str) -> PaymentStatus {
    match result {
        "PAID" => PaymentStatus::Paid,
        "FAIL" => PaymentStatus::Declined,
        "VOID" => PaymentStatus::Canceled,
        "LATE" => PaymentStatus::Expired,
        _ => PaymentStatus::Pending,
    }
}
// ANCHOR_END: result

// ANCHOR: refusal
/// The error that an answer without a 200 means.
///
/// Only a documented code with its own status is a refusal. Everything else leaves open what a write has done.
pub(crate) fn of_refusal(response: &HttpResponse, effect: Effect) -> Error {
    let lost = effect.outcome_when_lost();
    let no = if lost == Outcome::NoEffect { lost } else { Outcome::Refused };
    let refusal: Option<Refusal> = read(&response.body).ok();
    let code = refusal.as_ref().map(|refusal| refusal.code.as_str());
    let (kind, outcome, message) = match (response.status, code) {
        (401, Some("E101")) => {
            (ErrorKind::Unauthorized, no, "the bank knows no such merchant, or its checksum is another")
        }
        (400, Some("E201")) => (ErrorKind::Rejected, no, "the bank does not take one of the values"),
        (404, Some("E203")) => (ErrorKind::NotFound, no, "the bank does not know this payment"),
        (409, Some("E301" | "E302")) => (ErrorKind::Rejected, no, "the bank does not refund that"),
        (409, Some("E202")) => (ErrorKind::Duplicate, lost, "the bank has seen this id before; ask about it"),
        (429, _) => (ErrorKind::RateLimited, lost, "the bank wants fewer calls"),
        _ => (ErrorKind::Unavailable, lost, "the bank's system failed, or is not the bank's"),
    };
    Error::new(kind, format!("{message} (HTTP {})", response.status))
        .with_outcome(outcome)
        .with_answer(code, refusal.as_ref().map(|refusal| refusal.text.as_str()))
}
// ANCHOR_END: refusal
