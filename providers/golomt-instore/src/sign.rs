//! Lists the fields of each checksum in the bank's order.
//!
//! The values are joined with nothing between them (page D-qr writes it as a sum); the checksum is HMAC-SHA256 in
//! lower-case hexadecimal, its key the characters of the secret (every client). The amount is the very text in the body.

use tulbur_core::{AmountFormat, Currency};

/// The bank's only currency; its wire has no field for one. (The QR's own field says 496, tögrög.)
pub(crate) const CURRENCY: Currency = Currency::MNT;

/// How amounts are written: no decimal that is not needed, as in the bank's sample (`1100`) and R-erxes.
pub(crate) const AMOUNT: AmountFormat = AmountFormat::Shortest;

/// `/pos/invoice/qr`, `/pos/invoice/qr/deeplink`, `/pos/invoice/cancel`, `/pos/invoice/check`, `/pos/payment/cancel`,
/// and a push. That a push is signed so is inferred: R-erxes hands its values on to the check, checksum and all.
pub(crate) fn invoice<'a>(terminal: &'a str, invoice: &'a str, amount: &'a str) -> [&'a str; 3] {
    [terminal, invoice, amount]
}

/// `/pos/invoice/phone`.
pub(crate) fn phone<'a>(
    terminal: &'a str,
    invoice: &'a str,
    amount: &'a str,
    phone: &'a str,
) -> [&'a str; 4] {
    [terminal, invoice, amount, phone]
}

/// `/pos/settlement`.
pub(crate) fn settlement<'a>(terminal: &'a str, settlement: &'a str) -> [&'a str; 2] {
    [terminal, settlement]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;
    use tulbur_core::{Money, Scheme, SecretString, SigningKeys};

    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        vectors: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        operation: String,
        key: Option<String>,
        fields: Vec<Field>,
        message: String,
        expected: String,
        source: String,
        #[serde(default)]
        client_quirk: bool,
        digest_if_signed_over_body: Option<String>,
        digest_if_signed_over_plain_integer: Option<String>,
    }

    #[derive(Deserialize)]
    struct Field {
        name: String,
        value: String,
    }

    impl Vector {
        fn value(&self, name: &str) -> &str {
            let found = self.fields.iter().find(|field| field.name.split(' ').next() == Some(name));
            found.map_or_else(|| panic!("{}: no {name}", self.name), |field| field.value.as_str())
        }

        /// The message of this vector's operation, made by the functions above.
        fn parts(&self) -> Vec<&str> {
            let get = |name| self.value(name);
            match self.operation.as_str() {
                "POST /pos/invoice/phone" => {
                    phone(get("terminal"), get("invoice"), get("amount"), get("phone")).to_vec()
                }
                "POST /pos/settlement" => settlement(get("terminal"), get("settlementId")).to_vec(),
                "primitive" => self.fields.iter().map(|field| field.value.as_str()).collect(),
                _ => invoice(get("terminal"), get("invoice"), get("amount")).to_vec(),
            }
        }
    }

    fn keys(secret: &str) -> SigningKeys {
        SigningKeys::new(Scheme::HmacSha256, [&SecretString::from(secret)]).unwrap()
    }

    /// Those about this service's HMAC; the mini app's stands beside the mini app.
    fn vectors() -> Vec<Vector> {
        let text = include_str!("../tests/vectors/golomt-instore.json");
        let all = serde_json::from_str::<Vectors>(text).unwrap().vectors;
        all.into_iter().filter(|vector| vector.key.is_some()).collect()
    }

    #[test]
    fn every_vector_is_reproduced_and_verified() {
        let mut proven = 0;
        for vector in vectors().iter().filter(|vector| !vector.client_quirk) {
            let keys = keys(vector.key.as_deref().unwrap());
            let parts = vector.parts();
            assert!(!vector.source.is_empty());
            assert_eq!(parts.concat(), vector.message, "{}", vector.name);
            assert_eq!(keys.sign(&parts), vector.expected, "{}", vector.name);
            assert!(keys.check(&parts, Some(&vector.expected)).is_ok(), "{}", vector.name);
            assert!(self::keys("another").check(&parts, Some(&vector.expected)).is_err(), "{}", vector.name);
            proven += 1;
        }
        assert_eq!(proven, 11);
    }

    /// What other clients sign and what their own body says: never what is signed here.
    #[test]
    fn the_mistakes_of_other_clients_are_not_made() {
        let quirks: Vec<Vector> = vectors().into_iter().filter(|vector| vector.client_quirk).collect();
        assert_eq!(quirks.len(), 4);
        for quirk in quirks {
            let keys = keys(quirk.key.as_deref().unwrap());
            assert_eq!(keys.sign(&[&quirk.message]), quirk.expected, "{}", quirk.name);
            let (terminal, reference) = (quirk.value("terminal"), quirk.value("invoice"));
            let ours = |amount: &str| {
                let text = AMOUNT.render(Money::parse(amount, CURRENCY).unwrap()).unwrap();
                keys.sign(&invoice(terminal, reference, text.as_str()))
            };
            match quirk.name.as_str() {
                // It signs 5000 as we do; its body says 5000.00.
                "quirk-go-2decimals-body" => {
                    assert_eq!(ours("5000.00"), quirk.expected);
                    assert_ne!(Some(ours("5000.00")), quirk.digest_if_signed_over_body);
                }
                "quirk-go-exponent" => {
                    assert_ne!(ours("1000000"), quirk.expected);
                    assert_eq!(Some(ours("1000000")), quirk.digest_if_signed_over_plain_integer);
                }
                "quirk-py-float" => assert_ne!(ours("5000.0"), quirk.expected),
                "quirk-erxes-refund-order" => assert_ne!(ours("2000"), quirk.expected),
                other => panic!("{other} is not known here"),
            }
        }
    }

    #[test]
    fn amounts_have_one_text() {
        for (amount, text) in [
            ("1", "1"),
            ("1100", "1100"),
            ("1100.50", "1100.5"),
            ("999999.99", "999999.99"),
            ("1000000", "1000000"),
            ("123456789", "123456789"),
            ("0.01", "0.01"),
        ] {
            let money = Money::parse(amount, CURRENCY).unwrap();
            assert_eq!(AMOUNT.render(money).unwrap().as_str(), text);
        }
    }

    proptest! {
        /// The text is plain digits that mean the amount, whatever its size.
        #[test]
        fn every_amount_is_plain_text(minor in 1..=i64::MAX) {
            let money = Money::from_minor(minor, CURRENCY);
            let text = AMOUNT.render(money).unwrap();
            prop_assert!(text.as_str().bytes().all(|b| b.is_ascii_digit() || b == b'.'));
            prop_assert!(!text.as_str().ends_with('0') || !text.as_str().contains('.'));
            prop_assert_eq!(text.to_money(CURRENCY), Ok(money));
        }
    }
}
