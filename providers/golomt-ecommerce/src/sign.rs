//! Lists the fields of each checksum in the bank's order, and says which messages can be read in one way only.
//!
//! The bank joins the values without separators (documented on the checksum page; the order stands on each
//! operation's page). A value that is absent contributes nothing.

use tulbur_core::{
    AccountKeys, CardToken, Currency, Error, ErrorKind, FieldLength, MessageShape, Money, PaymentStatus,
    Proof, Reading, Result, SignedField,
};

use crate::status;
use crate::wire::ResultDocument;

/// The bank's only currency; its wire has no field for one.
pub(crate) const CURRENCY: Currency = Currency::MNT;
/// The length of the longest result code that is taken.
const CODE: usize = 16;
/// The length of a card token in the bank's samples.
const TOKEN: usize = 64;
/// More characters than any amount has.
const AMOUNT: usize = 20;

/// `/api/invoice`.
pub(crate) fn invoice_request<'a>(
    transaction: &'a str,
    amount: &'a str,
    return_type: &'a str,
    callback: &'a str,
) -> [&'a str; 4] {
    [transaction, amount, return_type, callback]
}

/// The answer of `/api/invoice` and of `/api/confirmation`.
pub(crate) fn invoice_answer<'a>(invoice: &'a str, transaction: &'a str) -> [&'a str; 2] {
    [invoice, transaction]
}

/// `/api/inquiry`, `/api/check` and `/api/get/token`.
pub(crate) fn question(transaction: &str) -> [&str; 2] {
    [transaction, transaction]
}

/// `/api/pay`: the amount comes first, here alone.
pub(crate) fn pay_request<'a>(amount: &'a str, transaction: &'a str, token: &'a str) -> [&'a str; 3] {
    [amount, transaction, token]
}

/// `/api/confirmation`. The bank's page prints an amount in it too, but the body has none.
pub(crate) fn confirmation_request<'a>(
    transaction: &'a str,
    return_type: &'a str,
    callback: &'a str,
) -> [&'a str; 3] {
    [transaction, return_type, callback]
}

/// The answer of `/api/get/token`.
pub(crate) fn token_answer<'a>(transaction: &'a str, token: Option<&'a str>) -> [&'a str; 2] {
    [transaction, token.unwrap_or_default()]
}

/// `/api/getSettlementDetails`.
pub(crate) fn settlement_request<'a>(merchant: &'a str, token: &'a str) -> [&'a str; 2] {
    [merchant, token]
}

/// The shape of a [`ResultMessage`]. All references of an account have one length, which says where the code begins; a
/// text that begins with `000` behind the reference is a payment and nothing else.
pub(crate) static RESULT: MessageShape<4> = MessageShape::joined([
    SignedField::reference("transactionId", FieldLength::OfReferences),
    SignedField::result("errorCode", FieldLength::Code { success: status::SUCCESS, most: CODE }),
    SignedField::amount("amount", FieldLength::UpTo(AMOUNT)),
    SignedField::other("token", FieldLength::NoneOr(TOKEN)),
]);

/// What the bank says of one payment: in the answers of `/api/inquiry`, `/api/check` and `/api/pay`, and in a push.
#[derive(Clone, Copy)]
pub(crate) struct ResultMessage<'a> {
    pub(crate) transaction: &'a str,
    pub(crate) code: Option<&'a str>,
    pub(crate) amount: Option<&'a str>,
    pub(crate) token: Option<&'a str>,
}

impl<'a> ResultMessage<'a> {
    /// The values in their order.
    pub(crate) fn values(&self) -> [Option<&'a str>; 4] {
        [Some(self.transaction), self.code, self.amount, self.token]
    }

    /// Checks a push's checksum, and says what it proves.
    pub(crate) fn prove(&self, keys: &AccountKeys, checksum: Option<&str>) -> Result<Proof> {
        let status = |code: &str| status::of_code(Some(code));
        keys.prove(&RESULT, self.values(), checksum, &Reading::new(CURRENCY, &status))
    }

    /// Reads the values, each of which must stand in its place.
    ///
    /// Tokens are 64 characters in every sample. One of another length is taken only if it begins with a character
    /// that no amount has, because then it cannot have begun within the amount.
    pub(crate) fn read(&self) -> Result<ResultValues> {
        RESULT.check_answer(self.values())?;
        let amount = self.amount.map(amount).transpose()?;
        let status = status::of_code(self.code);
        if status != PaymentStatus::Pending && amount.is_none() {
            return Err(out_of_place("amount", "it is missing beside a result"));
        }
        if let Some(token) = self.token
            && token.len() != TOKEN
            && token.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        {
            let why =
                "it is not the 64 characters long that tokens are, and may have begun within the amount";
            return Err(out_of_place("token", why));
        }
        Ok(ResultValues { status, amount, token: self.token.map(CardToken::new) })
    }
}

impl ResultDocument<'_> {
    /// The part that a checksum covers.
    pub(crate) fn message(&self) -> ResultMessage<'_> {
        ResultMessage {
            transaction: &self.transaction,
            code: self.code.as_deref(),
            amount: self.amount.as_deref(),
            token: self.token.as_deref(),
        }
    }
}

/// What a [`ResultMessage`] says.
pub(crate) struct ResultValues {
    pub(crate) status: PaymentStatus,
    pub(crate) amount: Option<Money>,
    pub(crate) token: Option<CardToken>,
}

fn out_of_place(field: &'static str, why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Untrusted, why).with_field(field)
}

fn amount(text: &str) -> Result<Money> {
    Money::parse(text, CURRENCY).map_err(|e| out_of_place("amount", e.to_string()).with_source(e))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use tulbur_core::{
        Alphabet, BuildEnv, ManualClock, NoNetwork, RefRule, Scheme, SecretString, SequenceIds, SigningKeys,
        Timestamp,
    };

    use super::*;

    fn keys(secret: &str) -> SigningKeys {
        SigningKeys::new(Scheme::HmacSha256, [&SecretString::from(secret)]).unwrap()
    }

    #[derive(serde::Deserialize)]
    struct Vectors {
        vectors: Vec<Vector>,
    }

    #[derive(serde::Deserialize)]
    struct Vector {
        name: String,
        operation: String,
        direction: String,
        key: Option<String>,
        fields: Vec<Field>,
        message: Option<String>,
        expected: String,
        source: String,
    }

    #[derive(serde::Deserialize)]
    struct Field {
        name: String,
        value: Option<String>,
    }

    impl Vector {
        fn value(&self, name: &str) -> Option<&str> {
            let field = self.fields.iter().find(|field| field.name == name);
            field.unwrap_or_else(|| panic!("{} has no {name}", self.name)).value.as_deref()
        }

        /// The message that this crate makes of the vector's fields, taken by name.
        fn parts(&self) -> Vec<&str> {
            let get = |name| self.value(name).unwrap_or_default();
            let has = |name| self.fields.iter().any(|field| field.name == name);
            match (self.operation.as_str(), self.direction.as_str()) {
                ("POST /api/invoice" | "any", "request") => {
                    invoice_request(get("transactionId"), get("amount"), get("returnType"), get("callback"))
                        .to_vec()
                }
                ("POST /api/invoice" | "POST /api/confirmation", "response") => {
                    invoice_answer(get("invoice"), get("transactionId")).to_vec()
                }
                ("POST /api/inquiry" | "POST /api/check" | "POST /api/get/token", "request") => {
                    question(get("transactionId")).to_vec()
                }
                ("POST /api/pay", "request") => {
                    pay_request(get("amount"), get("transactionId"), get("token")).to_vec()
                }
                ("POST /api/confirmation", "request") => {
                    confirmation_request(get("transactionId"), get("returnType"), get("callback")).to_vec()
                }
                ("POST /api/get/token", "response") => {
                    token_answer(get("transactionId"), self.value("token")).to_vec()
                }
                ("POST /api/getSettlementDetails", "request") => {
                    settlement_request(get("merchantId"), get("token")).to_vec()
                }
                (_, "response") => ResultMessage {
                    transaction: get("transactionId"),
                    code: self.value("errorCode"),
                    amount: self.value("amount"),
                    token: if has("token") { self.value("token") } else { None },
                }
                .values()
                .map(Option::unwrap_or_default)
                .to_vec(),
                other => panic!("{}: no operation of ours makes {other:?}", self.name),
            }
        }
    }

    fn vectors() -> Vec<Vector> {
        let text = include_str!("../tests/vectors/golomt-ecommerce.json");
        serde_json::from_str::<Vectors>(text).unwrap().vectors
    }

    #[test]
    fn every_vector_with_a_key_is_reproduced() {
        let mut proven = 0;
        for vector in vectors() {
            assert!(!vector.source.is_empty());
            let Some(key) = &vector.key else { continue };
            let parts = vector.parts();
            assert_eq!(Some(parts.concat()), vector.message, "{}", vector.name);
            assert_eq!(keys(key).sign(&parts), vector.expected, "{}", vector.name);
            assert!(keys(key).check(&parts, Some(&vector.expected)).is_ok(), "{}", vector.name);
            assert!(keys("another").check(&parts, Some(&vector.expected)).is_err(), "{}", vector.name);
            proven += 1;
        }
        assert_eq!(proven, 19);
    }

    /// Their keys are not published. They are kept because whoever holds a key can use them, and because their field
    /// order is the bank's.
    #[test]
    fn vectors_without_a_key_are_records() {
        let records: Vec<Vector> = vectors().into_iter().filter(|vector| vector.key.is_none()).collect();
        assert_eq!(records.len(), 6);
        for record in records {
            assert_eq!(record.expected.len(), 64, "{}", record.name);
            if let Some(message) = &record.message {
                assert_eq!(record.parts().concat(), *message, "{}", record.name);
            }
        }
    }

    /// The keys of an account whose references have this many characters.
    fn account_keys(secret: &str, references: usize) -> AccountKeys {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let env = BuildEnv::new(Arc::new(NoNetwork), clock, Arc::new(SequenceIds::default()));
        let rule = RefRule::new(Alphabet::AlphanumericHyphen, references..=references);
        env.keys(Scheme::HmacSha256, [&SecretString::from(secret)], &rule).unwrap()
    }

    #[derive(serde::Deserialize)]
    struct CodeVectors {
        key: String,
        vectors: Vec<CodeVector>,
    }

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct CodeVector {
        name: String,
        transaction_id: String,
        error_code: Option<String>,
        amount: String,
        token: Option<String>,
        checksum: String,
        #[serde(rename = "order_amount")]
        order_amount: String,
        expect: String,
    }

    /// A success is read as a success only, and a signed failure is a failure whatever the length of its code.
    #[test]
    fn every_code_of_the_vectors_is_read_as_expected() {
        let text = include_str!("../tests/vectors/golomt-ecommerce-codes.json");
        let all: CodeVectors = serde_json::from_str(text).unwrap();
        assert_eq!(all.vectors.len(), 19);
        for vector in &all.vectors {
            let name = &vector.name;
            let message = ResultMessage {
                transaction: &vector.transaction_id,
                code: vector.error_code.as_deref(),
                amount: Some(&vector.amount),
                token: vector.token.as_deref(),
            };
            // The account of the last line has references of four characters.
            let other = vector.expect == "must-not-be-trusted-as-a-push";
            let keys = account_keys(&all.key, if other { 4 } else { vector.transaction_id.len() });
            let proof = message.prove(&keys, Some(&vector.checksum)).unwrap();
            let signed = if let Proof::Signed(facts) = &proof { Some(facts.status) } else { None };
            let asked = Money::parse(&vector.order_amount, CURRENCY).unwrap();
            let read = message.read();
            match vector.expect.as_str() {
                "paid" => assert_eq!(signed, Some(PaymentStatus::Paid), "{name}"),
                "failed" => assert_eq!(signed, Some(PaymentStatus::Declined), "{name}"),
                "pending" => assert_eq!(read.unwrap().status, PaymentStatus::Pending, "{name}"),
                "amount-mismatch" => assert_ne!(read.unwrap().amount, Some(asked), "{name}"),
                "untrusted" => {
                    assert_eq!(signed, None, "{name}");
                    assert_eq!(read.err().unwrap().kind(), ErrorKind::Untrusted, "{name}");
                }
                _ => assert_eq!(signed, None, "{name}"),
            }
            if matches!(vector.expect.as_str(), "paid" | "failed") {
                assert_eq!(message.read().unwrap().amount, Some(asked), "{name}");
            }
        }
    }

    const REFERENCE: &str = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b";
    const CARD: &str = "2d1f5b0c9a7e4d3f8b6a1c0e2f4d6b8a0c1e3f5a7b9d1c3e5f7a9b0d2c4e6f80";

    fn message<'a>(code: Option<&'a str>, amount: &'a str, token: Option<&'a str>) -> ResultMessage<'a> {
        ResultMessage { transaction: REFERENCE, code, amount: Some(amount), token }
    }

    #[test]
    fn values_in_their_places_are_read() {
        let asked = Money::parse("1500", CURRENCY).unwrap();
        for text in ["1500", "1500.0", "1500.00", "1500.000"] {
            let values = message(Some("000"), text, Some(CARD)).read().unwrap();
            assert_eq!((values.status, values.amount), (PaymentStatus::Paid, Some(asked)), "{text}");
        }
        assert_eq!(message(None, "1500.00", None).read().unwrap().status, PaymentStatus::Pending);
        assert!(message(Some("000"), "0.50", None).read().is_ok());
        assert!(message(Some("000"), "1500.00", Some("tok-abc")).read().is_ok());
    }

    #[test]
    fn values_out_of_their_places_are_named() {
        for (message, field) in [
            (message(Some("00"), "01500.00", None), "errorCode"),
            (message(Some("0001"), "500.00", None), "errorCode"),
            (message(Some("0 0"), "500.00", None), "errorCode"),
            (message(Some("төө"), "500.00", None), "errorCode"),
            (message(None, "0001500.00", None), "errorCode"),
            (message(Some("000-54"), "1500.00", None), "errorCode"),
            // `001` with 1.0, its border moved.
            (message(Some("0011."), "0", None), "errorCode"),
            (message(Some("ABCDEFGHIJKLMNOPQ"), "1500.00", None), "errorCode"),
            (message(Some("30"), "01500.00", None), "amount"),
            (message(Some("000"), "1,500.00", None), "amount"),
            (message(Some("000"), "-1500.00", None), "amount"),
            (message(Some("000"), "1500.001", None), "amount"),
            (message(Some("000"), "1500.", None), "amount"),
            (message(Some("000"), "1e3", None), "amount"),
            (message(Some("000"), "1500.0000000000000000", None), "amount"),
            (message(Some("000"), "100000000000000000000", None), "amount"),
            (message(Some("000"), "1500.002", Some(&CARD[1..])), "amount"),
            (message(Some("000"), "1500.0", Some("0")), "token"),
            (message(Some("000"), "1500", Some(".00")), "token"),
            (message(Some("000"), "1500.00", Some("4tok-abc")), "token"),
            (ResultMessage { amount: None, ..message(Some("000"), "", None) }, "amount"),
        ] {
            let error = message.read().err().expect("it is out of place");
            assert_eq!((error.kind(), error.field()), (ErrorKind::Untrusted, Some(field)));
        }
    }

    proptest! {
        /// However one genuine message is cut into fields anew, a payment is read as itself alone, and nothing else is
        /// read as a payment.
        #[test]
        fn one_message_has_one_reading(
            shifts in prop::array::uniform3(-2_isize..=2),
            card in prop::option::of(Just(CARD)),
            code in prop_oneof!["000", "[0-9]{3}", "[0-9]{3}-[0-9]{2}", "[0-9A-Z]{1,6}"],
            amount in "[1-9][0-9]{0,6}(\\.[0-9]{1,2})?",
        ) {
            let text = [REFERENCE, &code, &amount, card.unwrap_or_default()].concat();
            let code_at = REFERENCE.len();
            let amount_at = code_at + code.len();
            let token_at = amount_at + amount.len();
            let moved = |at: usize, by| at.saturating_add_signed(by).min(text.len());
            let mut cuts = [moved(code_at, shifts[0]), moved(amount_at, shifts[1]), moved(token_at, shifts[2])];
            cuts.sort_unstable();
            let [a, b, c] = cuts;
            let some = |part: &'static str| if part.is_empty() { None } else { Some(part) };
            let text: &'static str = Box::leak(text.into_boxed_str());
            let moved = ResultMessage {
                transaction: &text[..a],
                code: some(&text[a..b]),
                amount: some(&text[b..c]),
                token: some(&text[c..]),
            };
            let keys = account_keys("k", REFERENCE.len());
            let proof = moved.prove(&keys, Some(&keys.sign(&[text]))).unwrap();
            let same = moved.transaction == REFERENCE
                && moved.code == Some(code.as_str())
                && moved.amount == Some(amount.as_str())
                && moved.token == card;
            let shadow = code != "000" && text[code_at..].starts_with("000");
            if let Proof::Signed(facts) = proof {
                prop_assert_eq!(facts.merchant_ref.as_ref().map(tulbur_core::MerchantRef::as_str), Some(REFERENCE));
                prop_assert!(moved.read().is_ok());
                if facts.status.is_paid() || code == "000" {
                    prop_assert!(same || shadow, "{:?}", facts);
                }
                prop_assert!(!shadow || facts.status.is_paid());
            } else {
                prop_assert!(!same || shadow);
            }
        }
    }
}
