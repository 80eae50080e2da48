//! Maps QPay's words and codes to statuses and errors.
//!
//! `payment_status` of one movement of money:
//!
//! | word | what it is here | source |
//! |---|---|---|
//! | `PAID` | money that is there | QPay's text in QPY and TPA |
//! | `REFUNDED`, `REFUND` | money that was there and was given back | QPY, TPA; QC |
//! | `NEW`, `PENDING` | nothing yet | QPY, TPA; DOC |
//! | `FAILED` | this attempt failed; the invoice is still open | QPY, TPA |
//! | `PARTIAL` | no money by itself; the amounts of the paid rows decide | QC |
//! | any other | no money, and a person sees the word | |
//!
//! `invoice_status` is never read: that a closed invoice was paid is said by nobody.
//!
//! A failed call has a code in `error`. The code decides; the HTTP status is read only where there is none. What a code
//! leaves open is in [`class`], with 52 codes of QPay's table (TBL) and five more that were seen (ETAG, QG).

use serde_json::value::RawValue;
use tulbur_core::wire::{is_nothing, read};
use tulbur_core::{Effect, Error, ErrorKind, FreeText, HttpResponse, Outcome};

use crate::wire::Failure;

/// An invoice that was cancelled before.
pub(crate) const ALREADY_CANCELED: &str = "INVOICE_ALREADY_CANCELED";
/// An invoice that cannot be cancelled, because it was paid.
pub(crate) const INVOICE_PAID: &str = "INVOICE_PAID";

/// What a row of a check is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    /// Money that is there.
    There,
    /// Money that was given back.
    Returned,
    /// No money, by a word that is known.
    Nothing,
    /// No money, by a word that is not known.
    Unlisted,
}

/// What a row with this `payment_status` is worth.
pub(crate) fn of_word(word: &str) -> Worth {
    match word {
        "PAID" => Worth::There,
        "REFUNDED" | "REFUND" => Worth::Returned,
        "NEW" | "PENDING" | "FAILED" | "PARTIAL" => Worth::Nothing,
        _ => Worth::Unlisted,
    }
}

/// What a code says of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// The token, or the login, is not accepted. Nothing was done (inferred).
    Credentials,
    /// The account may not do this.
    Forbidden,
    /// QPay does not know what was asked about.
    NotFound,
    /// It was there before: of a write, this one may be meant.
    Before,
    /// The invoice code is wrong.
    InvoiceCode,
    /// The payment is no card's, and is settled.
    Settled,
    /// No, and nothing was done.
    Refused,
    /// QPay's own failure.
    Broken,
}

/// The class of a listed code.
fn class(code: &str) -> Option<Class> {
    Some(match code {
        // Both spellings: the second is of QPay's table and of older servers.
        "AUTHENTICATION_FAILED" | "NO_CREDENTIALS" | "NO_CREDENDIALS" => Class::Credentials,
        "PERMISSION_DENIED" | "MERCHANT_INACTIVE" | "QRACCOUNT_INACTIVE" => Class::Forbidden,
        "INVOICE_NOTFOUND"
        | "PAYMENT_NOTFOUND"
        | "MERCHANT_NOTFOUND"
        | "CUSTOMER_NOTFOUND"
        | "CLIENT_NOTFOUND"
        | "BANK_ACCOUNT_NOTFOUND"
        | "CARD_TERMINAL_NOTFOUND"
        | "P2P_TERMINAL_NOTFOUND"
        | "QRCODE_NOTFOUND"
        | "QRACCOUNT_NOTFOUND"
        | "INPUT_NOTFOUND"
        | "INFORM_NOTFOUND"
        | "MCC_NOTFOUND"
        | "BANK_MCC_NOT_FOUND"
        | "BARIMT_NOT_FOUND" => Class::NotFound,
        "ACCOUNT_BANK_DUPLICATED"
        | "BANK_MCC_ALREADY_ADDED"
        | "CLIENT_USERNAME_DUPLICATED"
        | "CUSTOMER_DUPLICATE"
        | "INPUT_CODE_REGISTERED"
        | "INVOICE_CODE_REGISTERED"
        | "MERCHANT_ALREADY_REGISTERED"
        | "PAYMENT_ALREADY_CANCELED" => Class::Before,
        "INVOICE_CODE_INVALID" => Class::InvoiceCode,
        "PAYMENT_SETTLED" => Class::Settled,
        ALREADY_CANCELED
        | INVOICE_PAID
        | "PAYMENT_NOT_PAID"
        | "QRCODE_USED"
        | "INVALID_AMOUNT"
        | "MIN_AMOUNT_ERR"
        | "MAX_AMOUNT_ERR"
        | "TRANSACTION_NOT_APPROVED"
        | "ACCOUNT_SELECTION_INVALID"
        | "CUSTOMER_REGISTER_INVALID"
        | "EBARIMT_CANCEL_NOTSUPPERDED"
        | "EBARIMT_NOT_REGISTERED"
        | "EBARIMT_QR_CODE_INVALID"
        | "INVALID_OBJECT_TYPE"
        | "INVOICE_LINE_REQUIRED"
        | "INVOICE_RECEIVER_DATA_REQUIRED"
        | "INVOICE_RECEIVER_DATA_ADDRESS_REQUIRED"
        | "INVOICE_RECEIVER_DATA_EMAIL_REQUIRED"
        | "INVOICE_RECEIVER_DATA_PHONE_REQUIRED"
        | "OBJECT_DATA_ERROR"
        | "SENDER_BRANCH_DATA_REQUIRED"
        | "TAX_LINE_REQUIRED"
        | "TAX_PRODUCT_CODE_REQUIRED"
        | "TRANSACTION_REQUIRED" => Class::Refused,
        "SYSTEM_BUSY" | "TypeError" => Class::Broken,
        _ => return None,
    })
}

/// The error that a listed code is, in words.
fn of_class(class: Class, effect: Effect) -> Error {
    let lost = effect.outcome_when_lost();
    let refused = if lost == Outcome::NoEffect { Outcome::NoEffect } else { Outcome::Refused };
    let (kind, outcome, message) = match class {
        Class::Credentials => {
            (ErrorKind::Unauthorized, refused, "QPay did not accept the login or its token")
        }
        Class::Forbidden => (ErrorKind::Unsupported, refused, "QPay does not allow this account to do it"),
        Class::NotFound => (ErrorKind::NotFound, refused, "QPay does not know it"),
        Class::Before => (ErrorKind::Duplicate, lost, "QPay says that it was done before"),
        Class::InvoiceCode => {
            let why = "QPay does not know the invoice code; check the settings `invoice_code` and \
                       `vat_invoice_code`";
            (ErrorKind::Configuration, refused, why)
        }
        Class::Settled => {
            let why = "the payment is settled: QPay gives back what was paid by card, and the money of a bank \
                       transfer is given back by hand";
            (ErrorKind::Rejected, refused, why)
        }
        Class::Refused => (ErrorKind::Rejected, refused, "QPay refused the call"),
        Class::Broken => (ErrorKind::Unavailable, lost, "QPay says that its system failed"),
    };
    Error::new(kind, message).with_outcome(outcome)
}

/// The error that an HTTP status is, where no listed code says more. A 401 says that nothing was done (inferred).
fn of_http(status: u16, effect: Effect) -> Error {
    if status == 401 {
        return of_class(Class::Credentials, effect);
    }
    let (kind, message) = match status {
        429 => (ErrorKind::RateLimited, "QPay wants fewer calls (HTTP 429)".to_owned()),
        500..=599 => (ErrorKind::Unavailable, format!("QPay failed (HTTP {status})")),
        _ => (
            ErrorKind::Unavailable,
            format!("HTTP {status} without a code of QPay's table; check the setting `base_url`"),
        ),
    };
    Error::new(kind, message).with_outcome(effect.outcome_when_lost())
}

/// Looks for an error in an answer: in its `error` member first, whatever the HTTP status is, then in that status.
///
/// QPay's words are passed on without the `hidden` ones, should it ever repeat them.
///
/// # Errors
/// What the answer is, if it is no success.
pub(crate) fn check(response: &HttpResponse, effect: Effect, hidden: &[&str]) -> Result<(), Error> {
    let failure = read::<Failure<'_>>(&response.body);
    // Every success in every source is 200.
    let good = response.status == 200;
    let said = failure.as_ref().ok().and_then(|failure| failure.error).filter(|raw| !is_nothing(raw));
    let Some(said) = said else {
        return match failure {
            _ if !good => Err(of_http(response.status, effect)),
            // A name that stands twice may be the error's, so that it is no success.
            Err(why) if !response.body.is_empty() => Err(why.in_answer(effect, response)),
            _ => Ok(()),
        };
    };
    let message = failure.as_ref().ok().and_then(|failure| text(failure.message));
    let (error, code, message) = if let Some(code) = text(Some(said)) {
        (of_code(&code, response.status, effect), code, message)
    } else if let Some((code, message)) = field_error(said).filter(|_| response.status < 500) {
        (of_class(Class::Refused, effect), code, message)
    } else {
        return Err(of_http(response.status, effect));
    };
    let hide = |text: &str| FreeText::without(text, hidden.iter().copied());
    Err(error.with_answer(Some(&hide(&code)), message.as_deref().map(hide).as_deref()))
}

/// The error that a code is.
fn of_code(code: &str, status: u16, effect: Effect) -> Error {
    match class(code) {
        Some(class) => of_class(class, effect),
        None if status == 401 => of_http(status, effect),
        None => Error::new(ErrorKind::Rejected, "QPay answered with a code that stands in no table")
            .with_outcome(effect.outcome_when_lost()),
    }
}

/// A JSON string that is not empty.
fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok().filter(|text: &String| !text.is_empty())
}

/// The first field that QPay's validation names, with what is wrong with it: `{"page_limit": {"type", "message"}}` (QG).
fn field_error(raw: &RawValue) -> Option<(String, Option<String>)> {
    let said: serde_json::Value = serde_json::from_str(raw.get()).ok()?;
    let (field, why) = said.as_object()?.iter().next()?;
    let word = |name: &str| why.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    Some((format!("{field}: {}", word("type").unwrap_or_default()), word("message")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_words_are_money() {
        for (word, worth) in [
            ("PAID", Worth::There),
            ("REFUNDED", Worth::Returned),
            ("REFUND", Worth::Returned),
            ("NEW", Worth::Nothing),
            ("PENDING", Worth::Nothing),
            ("FAILED", Worth::Nothing),
            ("PARTIAL", Worth::Nothing),
            ("paid", Worth::Unlisted),
            ("PAID ", Worth::Unlisted),
            ("CLOSED", Worth::Unlisted),
            ("", Worth::Unlisted),
        ] {
            assert_eq!(of_word(word), worth, "{word}");
        }
    }

    fn answered(status: u16, body: &str, effect: Effect) -> Error {
        check(&HttpResponse::new(status, vec![], body.to_owned()), effect, &[]).unwrap_err()
    }

    #[test]
    fn without_a_code_a_write_is_unknown_but_after_401() {
        use ErrorKind as Kind;
        for (status, kind, written) in [
            (400, Kind::Unavailable, Outcome::Unknown),
            (401, Kind::Unauthorized, Outcome::Refused),
            (403, Kind::Unavailable, Outcome::Unknown),
            (404, Kind::Unavailable, Outcome::Unknown),
            (302, Kind::Unavailable, Outcome::Unknown),
            (409, Kind::Unavailable, Outcome::Unknown),
            (422, Kind::Unavailable, Outcome::Unknown),
            (429, Kind::RateLimited, Outcome::Unknown),
            (500, Kind::Unavailable, Outcome::Unknown),
            (502, Kind::Unavailable, Outcome::Unknown),
        ] {
            for body in ["<html>a proxy</html>", "", "{}", "[]", "null", r#"{"error":null}"#] {
                for (effect, outcome) in [(Effect::Write, written), (Effect::Read, Outcome::NoEffect)] {
                    let error = answered(status, body, effect);
                    assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{status} {body}");
                }
            }
        }
        let good = HttpResponse::new(200, vec![], "{}");
        assert!(check(&good, Effect::Write, &[]).is_ok());
    }

    #[test]
    fn an_error_may_be_an_object_or_have_no_message() {
        let body = r#"{"error":{"page_limit":{"type":"MIN_NUMBER","message":"Number min value [1]!"}}}"#;
        let error = answered(400, body, Effect::Write);
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Rejected, Outcome::Refused));
        assert_eq!(error.code(), Some("page_limit: MIN_NUMBER"));
        assert_eq!(error.text(), Some("Number min value [1]!"));
        let error = answered(500, r#"{"error":"SYSTEM_BUSY"}"#, Effect::Write);
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
        assert_eq!((error.code(), error.text()), (Some("SYSTEM_BUSY"), None));
        // What is neither a code nor a validation says nothing, and a success is none with it.
        for odd in [r#"{"error":[1]}"#, r#"{"error":7}"#, r#"{"error":true}"#] {
            for status in [200, 400, 500] {
                let error = answered(status, odd, Effect::Write);
                assert_eq!(
                    (error.kind(), error.outcome()),
                    (ErrorKind::Unavailable, Outcome::Unknown),
                    "{odd}"
                );
            }
        }
        let error = answered(500, body, Effect::Write);
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
    }

    #[test]
    fn a_success_that_names_an_error_is_one() {
        let error = answered(200, r#"{"error":"PAYMENT_NOT_PAID","message":{"a":1}}"#, Effect::Write);
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Rejected, Outcome::Refused));
        let error = answered(200, r#"{"error":"NEVER_SEEN"}"#, Effect::Write);
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Rejected, Outcome::Unknown));
        let error = answered(200, r#"{"error":"PAYMENT_NOT_PAID","error":null}"#, Effect::Write);
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Malformed, Outcome::Unknown));
    }
}
