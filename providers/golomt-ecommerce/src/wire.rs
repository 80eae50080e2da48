//! Exactly what crosses the network: what is sent, and what is read of what comes back.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tulbur_core::wire::{Field, Text, filled, read};
use tulbur_core::{AmountText, CardInfo, Error, ErrorKind, FreeText, Result};

/// `POST /api/invoice`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InvoiceRequest<'a> {
    pub(crate) amount: &'a AmountText,
    pub(crate) callback: &'a str,
    pub(crate) checksum: &'a str,
    pub(crate) gen_token: YesNo,
    pub(crate) return_type: &'static str,
    pub(crate) transaction_id: &'a str,
    pub(crate) social_deeplink: YesNo,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<&'a str>,
}

/// The bank's flags.
#[derive(Clone, Copy, Serialize)]
pub(crate) enum YesNo {
    Y,
    N,
}

impl From<bool> for YesNo {
    fn from(yes: bool) -> Self {
        if yes { Self::Y } else { Self::N }
    }
}

/// `POST /api/inquiry`, `/api/check` and `/api/get/token`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Question<'a> {
    pub(crate) checksum: &'a str,
    pub(crate) transaction_id: &'a str,
}

/// `POST /api/confirmation`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfirmationRequest<'a> {
    pub(crate) callback: &'a str,
    pub(crate) checksum: &'a str,
    pub(crate) return_type: &'static str,
    pub(crate) transaction_id: &'a str,
}

/// `POST /api/pay`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PayRequest<'a> {
    pub(crate) amount: &'a AmountText,
    pub(crate) checksum: &'a str,
    pub(crate) transaction_id: &'a str,
    pub(crate) lang: &'static str,
    pub(crate) token: &'a str,
}

/// `POST /api/getSettlementDetails`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SettlementRequest<'a> {
    pub(crate) checksum: &'a str,
    pub(crate) token: &'a str,
    pub(crate) merchant_id: &'a str,
}

/// The characters of a field that is there and not empty.
fn some<'a>(field: Option<impl Into<Cow<'a, str>>>) -> Option<Cow<'a, str>> {
    field.map(Into::into).filter(|text| !text.is_empty())
}

fn must<'a>(name: &'static str, field: Option<Text<'a>>) -> Result<Cow<'a, str>> {
    some(field).ok_or_else(|| Error::new(ErrorKind::Malformed, "it is missing").with_field(name))
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct FailureFields<'a> {
    error: Option<Text<'a>>,
    message: Option<Text<'a>>,
}

/// The error JSON of a status other than 200.
pub(crate) struct Failure<'a> {
    pub(crate) error: Option<Cow<'a, str>>,
    pub(crate) message: Option<Cow<'a, str>>,
}

impl<'a> Failure<'a> {
    /// Reads it; something without either word is none.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self> {
        let fields: FailureFields<'a> = read(body)?;
        let failure = Self { error: some(fields.error), message: some(fields.message) };
        if failure.error.is_none() && failure.message.is_none() {
            return Err(Error::new(ErrorKind::Malformed, "it is no error JSON"));
        }
        Ok(failure)
    }

    /// Takes these out of its words, and what a [`FreeText`] never holds.
    pub(crate) fn hide<'s>(&mut self, hidden: impl Iterator<Item = &'s str>) {
        let hidden: Vec<&str> = hidden.collect();
        for text in [&mut self.error, &mut self.message].into_iter().flatten() {
            *text = String::from(FreeText::without(text, hidden.iter().copied())).into();
        }
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct InvoiceFields<'a> {
    invoice: Option<Text<'a>>,
    #[serde(rename = "transactionId")]
    transaction: Option<Text<'a>>,
    checksum: Option<Text<'a>>,
    #[serde(rename = "socialDeeplink")]
    deeplink: Option<Text<'a>>,
}

/// The answer of `/api/invoice` and of `/api/confirmation`.
pub(crate) struct InvoiceAnswer<'a> {
    pub(crate) invoice: Cow<'a, str>,
    pub(crate) transaction: Cow<'a, str>,
    pub(crate) checksum: Option<Cow<'a, str>>,
    pub(crate) deeplink: Option<Cow<'a, str>>,
}

impl<'a> InvoiceAnswer<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self> {
        let fields: InvoiceFields<'a> = read(body)?;
        Ok(Self {
            invoice: must("invoice", fields.invoice)?,
            transaction: must("transactionId", fields.transaction)?,
            checksum: fields.checksum.map(Cow::from),
            deeplink: some(fields.deeplink),
        })
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct ResultFields<'a> {
    #[serde(rename = "transactionId")]
    transaction: Option<Text<'a>>,
    #[serde(rename = "errorCode")]
    code: Option<Text<'a>>,
    #[serde(rename = "errorDesc")]
    text: Option<Text<'a>>,
    amount: Field<'a>,
    token: Option<Text<'a>>,
    checksum: Option<Text<'a>>,
    #[serde(rename = "cardNumber")]
    card_number: Option<Text<'a>>,
    bank: Option<Text<'a>>,
}

/// What the bank says of one payment or card: the answers of `/api/inquiry`, `/api/check`, `/api/pay` and
/// `/api/get/token`, and a push.
///
/// The card holder's name is among the fields and is not read: nothing here needs it.
pub(crate) struct ResultDocument<'a> {
    pub(crate) transaction: Cow<'a, str>,
    pub(crate) code: Option<Cow<'a, str>>,
    pub(crate) amount: Option<Cow<'a, str>>,
    pub(crate) token: Option<Cow<'a, str>>,
    pub(crate) checksum: Option<Cow<'a, str>>,
    pub(crate) text: Option<FreeText>,
    pub(crate) card: CardInfo,
}

impl<'a> ResultDocument<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self> {
        let fields: ResultFields<'a> = read(body)?;
        Ok(Self {
            transaction: must("transactionId", fields.transaction)?,
            code: some(fields.code),
            amount: some(fields.amount),
            token: some(fields.token),
            checksum: fields.checksum.map(Cow::from),
            text: filled(&fields.text).map(FreeText::new),
            card: CardInfo::masked(filled(&fields.card_number)).with_bank(filled(&fields.bank)),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_is_written_as_documented() {
        let amount = serde_json::from_str("\"1500.00\"").unwrap();
        let mut request = InvoiceRequest {
            amount: &amount,
            callback: "https://shop.mn/back",
            checksum: "c",
            gen_token: false.into(),
            return_type: "GET",
            transaction_id: "t",
            social_deeplink: true.into(),
            email: None,
        };
        assert_eq!(
            serde_json::to_string(&request).unwrap(),
            r#"{"amount":"1500.00","callback":"https://shop.mn/back","checksum":"c","genToken":"N","returnType":"GET","transactionId":"t","socialDeeplink":"Y"}"#
        );
        request.email = Some("test@gmail.com");
        assert!(serde_json::to_string(&request).unwrap().ends_with(r#""email":"test@gmail.com"}"#));
        let pay = PayRequest { amount: &amount, checksum: "c", transaction_id: "t", lang: "MN", token: "k" };
        assert_eq!(
            serde_json::to_string(&pay).unwrap(),
            r#"{"amount":"1500.00","checksum":"c","transactionId":"t","lang":"MN","token":"k"}"#
        );
    }

    #[test]
    fn an_unpaid_inquiry_has_nulls_and_empty_texts() {
        let body = r#"{"status":"PENDING","amount":"1500.00","bank":"","errorDesc":"","errorCode":null,"cardHolder":"",
            "cardNumber":"","transactionId":"t","token":null,"checksum":"c"}"#;
        let answer = ResultDocument::read(body.as_bytes()).unwrap();
        assert_eq!(
            (answer.code.as_deref(), answer.token.as_deref(), answer.text.as_deref()),
            (None, None, None)
        );
        assert!(answer.card.is_empty());
        assert_eq!(answer.message().values(), [Some("t"), None, Some("1500.00"), None]);
    }

    #[test]
    fn a_number_for_an_amount_keeps_its_characters_and_a_code_must_be_text() {
        let answer = ResultDocument::read(br#"{"transactionId":"t","amount":1500.0}"#).unwrap();
        assert_eq!(answer.amount.as_deref(), Some("1500.0"));
        let wrong = ResultDocument::read(br#"{"transactionId":"t","errorCode":0}"#).err().unwrap();
        assert_eq!(wrong.field(), Some("errorCode"));
    }

    #[test]
    fn a_full_card_number_is_masked_and_a_long_text_is_cut() {
        let body = format!(
            r#"{{"transactionId":"t","cardNumber":"4987381234563883","errorDesc":"{}","bank":"a\nb"}}"#,
            "x ".repeat(10_000)
        );
        let answer = ResultDocument::read(body.as_bytes()).unwrap();
        let said =
            ResultDocument::read(br#"{"transactionId":"t","errorDesc":"card 4987381234563883"}"#).unwrap();
        assert_eq!(said.text.as_deref(), Some("card [hidden]"));
        assert_eq!(answer.card.masked_number.as_deref(), Some("498738******3883"));
        assert_eq!(answer.card.bank.as_deref(), Some("ab"));
        assert_eq!(answer.text.unwrap().len(), 300);
    }

    proptest! {
        #[test]
        fn no_answer_is_too_strange(body in prop::collection::vec(any::<u8>(), 0..300)) {
            drop(ResultDocument::read(&body));
            drop(InvoiceAnswer::read(&body));
            drop(Failure::read(&body));
        }

        /// Objects with the right names and any values.
        #[test]
        fn no_object_is_too_strange(
            pairs in prop::collection::vec((
                prop::sample::select(vec!["transactionId", "errorCode", "amount", "token", "invoice", "error"]),
                prop::sample::select(vec!["null", "\"\"", "\"000\"", "0", "1e400", "[]", "{\"a\":[]}", "true", "\"\\u0000\""]),
            ), 0..6),
        ) {
            let inner: Vec<String> = pairs.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let body = format!("{{{}}}", inner.join(","));
            if let Ok(answer) = ResultDocument::read(body.as_bytes()) {
                drop(answer.message().read());
            }
            drop(InvoiceAnswer::read(body.as_bytes()));
            drop(Failure::read(body.as_bytes()));
        }
    }
}
