//! Exactly what crosses the network: what is sent, and what is read of what comes back.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tulbur_core::wire::{Field, Fields, Scalar, filled, is_nothing, object, read};
use tulbur_core::{AmountText, CardInfo, Error, ErrorKind, FreeText, Money, Result};

use crate::sign::CURRENCY;

/// `/pos/invoice/phone`.
#[derive(Serialize)]
pub(crate) struct PhoneRequest<'a> {
    pub(crate) amount: &'a AmountText,
    pub(crate) checksum: &'a str,
    pub(crate) invoice: &'a str,
    pub(crate) phone: &'a str,
    pub(crate) terminal: &'a str,
}

/// `/pos/invoice/qr`, `/pos/invoice/qr/deeplink`, `/pos/invoice/cancel`, `/pos/invoice/check`, `/pos/payment/cancel`.
#[derive(Serialize)]
pub(crate) struct InvoiceRequest<'a> {
    pub(crate) amount: &'a AmountText,
    pub(crate) checksum: &'a str,
    pub(crate) invoice: &'a str,
    pub(crate) terminal: &'a str,
}

/// `/pos/settlement`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SettlementRequest<'a> {
    pub(crate) checksum: &'a str,
    pub(crate) settlement_id: &'a str,
    pub(crate) terminal: &'a str,
}

/// The answer to every call of version 1.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(crate) struct Envelope<'a> {
    header: Option<&'a RawValue>,
    body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Header<'a> {
    code: Field<'a>,
    status: Field<'a>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Body<'a> {
    response: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
#[serde(rename_all = "camelCase")]
struct ErrorFields<'a> {
    error_desc: Field<'a>,
    error_type: Field<'a>,
}

/// What an envelope says, before anybody reads its result.
pub(crate) enum Said<T> {
    /// The call passed the bank's checks and was carried out; the result says how it ended.
    Executed(T),
    /// It was not, or an error stands beside the result.
    Failed(Failure),
}

/// An error inside an answer.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    /// `header.code`.
    pub(crate) header: Option<FreeText>,
    /// `body.error.errorType`.
    pub(crate) kind: Option<FreeText>,
    /// `body.error.errorDesc`.
    pub(crate) text: Option<FreeText>,
    /// `body.response.status`.
    pub(crate) status: Option<FreeText>,
}

impl Failure {
    /// Whether the bank gave a reason, in whatever words.
    pub(crate) fn has_words(&self) -> bool {
        self.kind.is_some() || self.text.is_some()
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("header", &self.header)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Reads an answer: header and body both decide, and an error may stand inside a 200.
///
/// `code` 200 means that the call passed all checks and was carried out (page D-qr). R-erxes also rejects a 200 that
/// holds an error; a sister service answers `status` `failed` with its errors. So all of it must be good.
pub(crate) fn open<'a, T: Deserialize<'a> + Default>(body: &'a [u8]) -> Result<Said<T>> {
    let envelope: Envelope<'_> = read(body)?;
    let missing = || Error::new(ErrorKind::Malformed, "it has no `header` with a `code`");
    let header: Header<'_> = object(envelope.header)?.ok_or_else(missing)?;
    let code = filled(&header.code).ok_or_else(missing)?;
    let body: Option<Body<'_>> = object(envelope.body)?;
    let (response, error) = body.map_or((None, None), |body| (body.response, body.error));
    let error: Option<ErrorFields<'_>> = match error {
        // An error that is a text and no object still is one.
        Some(raw) if raw.get().starts_with('"') && !is_nothing(raw) => {
            let text: Scalar<'_> = read(raw.get().as_bytes())?;
            Some(ErrorFields { error_desc: Some(text), error_type: None })
        }
        raw => object(raw)?,
    };
    let good = code == "200" && filled(&header.status).is_some_and(|s| s.eq_ignore_ascii_case("success"));
    if good && error.is_none() {
        return Ok(Said::Executed(object(response)?.unwrap_or_default()));
    }
    let words = |word: &Field<'_>| filled(word).map(FreeText::new);
    let status: Option<Outcome<'_>> = object(response).unwrap_or_default();
    Ok(Said::Failed(Failure {
        header: Some(FreeText::new(code)),
        kind: error.as_ref().and_then(|error| words(&error.error_type)),
        text: error.as_ref().and_then(|error| words(&error.error_desc)),
        status: status.and_then(|response| words(&response.status)),
    }))
}

/// The one field of a result that says no beside an error.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Outcome<'a> {
    status: Field<'a>,
}

/// The result of a phone invoice, a QR, a QR with a link, and of a cancellation. The last may be given as a
/// transaction result instead (the newest R-erxes), so `resp_code` is read too.
#[derive(Deserialize, Default)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(crate) struct SimpleResult<'a> {
    desc: Field<'a>,
    status: Field<'a>,
    resp_code: Field<'a>,
    resp_desc: Field<'a>,
}

impl SimpleResult<'_> {
    pub(crate) fn desc(&self) -> Option<&str> {
        filled(&self.desc)
    }

    pub(crate) fn status(&self) -> Option<&str> {
        filled(&self.status)
    }

    pub(crate) fn resp_code(&self) -> Option<&str> {
        filled(&self.resp_code)
    }

    /// The bank's words, whichever shape it is.
    pub(crate) fn text(&self) -> Option<FreeText> {
        self.desc().or_else(|| filled(&self.resp_desc)).map(FreeText::new)
    }
}

/// The result of a check and of a refund, and the body of a push.
#[derive(Deserialize, Default)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(crate) struct TransactionResult<'a> {
    resp_code: Field<'a>,
    resp_desc: Field<'a>,
    approval_code: Field<'a>,
    amount: Field<'a>,
    card_number: Field<'a>,
    terminal: Field<'a>,
    invoice: Field<'a>,
    checksum: Field<'a>,
}

impl<'a> TransactionResult<'a> {
    /// The values of a push that came in a query string.
    pub(crate) fn from_fields(fields: &Fields<'a>) -> Result<Self> {
        let word = |name| fields.take(name).map(|value| value.map(Scalar::from));
        Ok(Self {
            resp_code: word("resp_code")?,
            resp_desc: word("resp_desc")?,
            approval_code: word("approval_code")?,
            amount: word("amount")?,
            card_number: word("card_number")?,
            terminal: word("terminal")?,
            invoice: word("invoice")?,
            checksum: word("checksum")?,
        })
    }

    pub(crate) fn resp_code(&self) -> Option<&str> {
        filled(&self.resp_code)
    }

    pub(crate) fn terminal(&self) -> Option<&str> {
        filled(&self.terminal)
    }

    pub(crate) fn invoice(&self) -> Option<&str> {
        filled(&self.invoice)
    }

    pub(crate) fn checksum(&self) -> Option<&str> {
        filled(&self.checksum)
    }

    /// The amount's characters.
    pub(crate) fn amount_text(&self) -> Option<&str> {
        filled(&self.amount)
    }

    /// The amount that they mean.
    pub(crate) fn amount(&self) -> Result<Option<Money>> {
        let unfit =
            |e: tulbur_core::MoneyError| Error::new(ErrorKind::Malformed, e.to_string()).with_field("amount");
        self.amount_text().map(|text| Money::parse(text, CURRENCY).map_err(unfit)).transpose()
    }

    pub(crate) fn text(&self) -> Option<FreeText> {
        filled(&self.resp_desc).map(FreeText::new)
    }

    /// The issuer's approval, if it has the shape of one.
    pub(crate) fn approval_code(&self) -> Option<String> {
        let code = filled(&self.approval_code)?;
        (code.len() <= 12 && code.bytes().all(|b| b.is_ascii_graphic())).then(|| code.to_owned())
    }

    /// What may be shown of the card. How the bank masks it is unknown; core masks what is not.
    pub(crate) fn card(&self) -> CardInfo {
        CardInfo::masked(filled(&self.card_number).map(clean_card).as_deref())
    }
}

/// A card number's own characters and no others.
fn clean_card(number: &str) -> String {
    number
        .chars()
        .filter(|c| c.is_ascii_digit() || matches!(c, '*' | 'x' | 'X' | ' ' | '-'))
        .take(40)
        .collect()
}

/// The result of a settlement.
#[derive(Deserialize, Default)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(crate) struct SettlementResult<'a> {
    pub(crate) amount: Field<'a>,
    pub(crate) count: Field<'a>,
    pub(crate) status: Field<'a>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Page D-qr prints this answer.
    const SAMPLE: &str = r#"{"header":{"code":200,"status":"success"},"body":{"response":{"desc":"0002","status":"SUCCESS"}}}"#;

    fn simple(body: &str) -> Said<SimpleResult<'_>> {
        open(body.as_bytes()).unwrap()
    }

    fn failure(body: &str) -> Failure {
        match simple(body) {
            Said::Failed(failure) => failure,
            Said::Executed(_) => panic!("it was taken as good: {body}"),
        }
    }

    #[test]
    fn the_documented_answer_is_good() {
        let Said::Executed(result) = simple(SAMPLE) else { panic!("it is good") };
        assert_eq!((result.desc(), result.status()), (Some("0002"), Some("SUCCESS")));
        for same in [
            SAMPLE.replace("200", "\"200\""),
            SAMPLE.replace("success", "SUCCESS"),
            SAMPLE.replace("{\"response\"", "{\"error\":null,\"response\""),
            SAMPLE.replace("{\"response\"", "{\"error\":{},\"response\""),
            SAMPLE.replace("{\"response\"", "{\"error\":\"\",\"response\""),
            SAMPLE.replace("{\"response\"", "{\"error\":[ ],\"response\""),
        ] {
            assert!(matches!(simple(&same), Said::Executed(_)), "{same}");
        }
        let empty = simple(r#"{"header":{"code":200,"status":"success"}}"#);
        assert!(matches!(empty, Said::Executed(result) if result.status().is_none()));
    }

    #[test]
    fn everything_must_be_good() {
        for bad in [
            SAMPLE.replace("200", "400"),
            SAMPLE.replace("200", "2000"),
            SAMPLE.replace("\"success\"", "\"failed\""),
            SAMPLE.replace("\"success\"", "null"),
            SAMPLE.replace("{\"response\"", "{\"error\":{\"errorDesc\":\"no\"},\"response\""),
            SAMPLE.replace("{\"response\"", "{\"error\":{\"errorType\":\"No\"},\"response\""),
            SAMPLE.replace("{\"response\"", "{\"error\":{\"other\":1},\"response\""),
            SAMPLE.replace("{\"response\"", "{\"error\":\"no\",\"response\""),
        ] {
            failure(&bad);
        }
    }

    /// As a sister service of the bank's answers.
    #[test]
    fn an_error_inside_a_200_is_read() {
        let said = failure(
            r#"{"header":{"code":400,"status":"failed"},"body":{"error":{"errorDesc":"error.notfound.invoice","errorType":"NotFound"}}}"#,
        );
        assert_eq!(said.header.as_deref(), Some("400"));
        assert_eq!(
            (said.kind.as_deref(), said.text.as_deref()),
            (Some("NotFound"), Some("error.notfound.invoice"))
        );
        let said = failure(r#"{"header":{"code":400},"body":{"response":{"status":"FAILED"}}}"#);
        assert_eq!((said.status.as_deref(), said.has_words()), (Some("FAILED"), false));
    }

    #[test]
    fn what_cannot_be_read_is_named_and_never_quoted() {
        for (body, word) in [
            (&b"planted"[..], "not JSON"),
            (b"", "too early"),
            (b"{\"header\":{\"code\":200", "too early"),
            (b"[]", "not a JSON object"),
            (br#"[{"code":200,"status":"success"},{}]"#, "not a JSON object"),
            (br#"{"header":[200,"success"]}"#, "not a JSON object"),
            (b"null", "not a JSON object"),
            (b"\"planted\"", "not a JSON object"),
            (b"{}", "no `header`"),
            (br#"{"header":{}}"#, "no `header`"),
            (br#"{"header":{"code":["planted"]}}"#, "code: it is neither text nor"),
            (br#"{"header":{"code":200,"code":"planted"}}"#, "code: the field stands more than once"),
            (
                br#"{"header":{"code":200,"status":"success"},"body":{"response":"planted"}}"#,
                "not a JSON object",
            ),
            (
                br#"{"header":{"code":200,"status":"success"},"body":{"response":{"status":{"a":1}}}}"#,
                "status: it is neither text nor",
            ),
            (b"{\"header\":\"planted\xFF\"}", "not UTF-8"),
        ] {
            let message = open::<SimpleResult>(body).err().expect("it cannot be read").to_string();
            assert!(message.contains(word) && !message.contains("planted"), "{message}");
        }
    }

    #[test]
    fn numbers_keep_their_characters() {
        let result: TransactionResult =
            read(br#"{"amount":1100.50,"resp_code":"00","card_number":4987381234563883}"#).unwrap();
        assert_eq!(result.amount_text(), Some("1100.50"));
        assert_eq!(result.amount().unwrap(), Some(Money::from_minor(110_050, CURRENCY)));
        assert_eq!(result.card().masked_number.as_deref(), Some("498738******3883"));
        let odd: TransactionResult =
            read(br#"{"amount":"1,100","approval_code":"a b","resp_code":""}"#).unwrap();
        assert_eq!(odd.amount().unwrap_err().field(), Some("amount"));
        assert_eq!((odd.approval_code(), odd.resp_code()), (None, None));
    }

    #[test]
    fn a_request_is_written_as_known() {
        let amount: AmountText = serde_json::from_str("\"1100\"").unwrap();
        let (checksum, invoice, terminal) = ("c", "i", "12345678");
        assert_eq!(
            serde_json::to_string(&InvoiceRequest { amount: &amount, checksum, invoice, terminal }).unwrap(),
            r#"{"amount":"1100","checksum":"c","invoice":"i","terminal":"12345678"}"#
        );
        assert_eq!(
            serde_json::to_string(&PhoneRequest { amount: &amount, checksum, invoice, phone: "p", terminal })
                .unwrap(),
            r#"{"amount":"1100","checksum":"c","invoice":"i","phone":"p","terminal":"12345678"}"#
        );
        assert_eq!(
            serde_json::to_string(&SettlementRequest { checksum, settlement_id: "s", terminal }).unwrap(),
            r#"{"checksum":"c","settlementId":"s","terminal":"12345678"}"#
        );
    }

    proptest! {
        #[test]
        fn no_answer_is_too_strange(body in prop::collection::vec(any::<u8>(), 0..300)) {
            drop(open::<SimpleResult>(&body));
            drop(open::<TransactionResult>(&body));
        }

        /// Envelopes with the right names and any values.
        #[test]
        fn no_envelope_is_too_strange(
            values in prop::array::uniform6(prop::sample::select(vec![
                "null", "\"\"", "\"00\"", "\"SUCCESS\"", "\"success\"", "200", "1e400", "[]", "{}", "{\"a\":[]}", "true",
                "\"\\u0000\"", "\"\\ud800\"",
            ])),
        ) {
            let [code, status, resp, amount, desc, error] = values;
            let body = format!(
                r#"{{"header":{{"code":{code},"status":{status}}},"body":{{"response":{{"resp_code":{resp},"amount":{amount},"desc":{desc},"status":{resp}}},"error":{error}}}}}"#
            );
            if let Ok(Said::Executed(result)) = open::<TransactionResult>(body.as_bytes()) {
                prop_assert!(code == "200" && status.to_lowercase() == "\"success\"");
                drop((result.amount(), result.card(), result.text(), result.approval_code()));
            }
            drop(open::<SimpleResult>(body.as_bytes()));
        }
    }
}
