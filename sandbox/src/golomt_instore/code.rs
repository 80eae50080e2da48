//! Makes the code that a customer scans: the EMVCo payload, and the links that open the app.

use tulbur_qr::{BuildError, Checksum, Element, HexCase, Initiation, Payload, Rules, UnionPay, id};

use crate::golomt_ecommerce::request::amount_in_form;

/// The institution in the bank's sample (specification of the payload, element 15).
const INSTITUTION: &str = "26620496";
/// A merchant that does not exist.
const MERCHANT: &str = "000000000000001";
const NAME: &str = "TULBUR SANDBOX";
const CITY: &str = "ULAANBAATAR";
/// The line of business in the bank's sample.
const CATEGORY: &str = "6010";
/// Where the deep link of the E-Commerce product keeps its opaque part.
pub(super) const KEY_LINK: &str = "socialpay-payment://key=";
/// How SocialPay opens a code of another issuer.
pub(super) const CODE_LINK: &str = "socialpay-payment://q?qPay_QRcode=";

/// The payload of an invoice, in the layout of the bank's sample.
///
/// # Errors
///
/// If the amount does not fit into a payload.
pub(super) fn payload(
    terminal: &str,
    bill_number: &str,
    amount: &str,
    checksum: &str,
) -> Result<String, BuildError> {
    let (algorithm, case) = match checksum {
        "x25-upper" => (Checksum::X25, HexCase::Upper),
        "emvco-upper" => (Checksum::Emvco, HexCase::Upper),
        "emvco-lower" => (Checksum::Emvco, HexCase::Lower),
        _ => (Checksum::X25, HexCase::Lower),
    };
    let payload = Payload::builder(Rules::Mongolia)
        .initiation(Initiation::Dynamic)
        .union_pay(&UnionPay::new(INSTITUTION, MERCHANT))
        .merchant(NAME, CITY, CATEGORY)
        .amount(&amount_in_form(amount, "shortest"))
        .bill_number(bill_number)
        .store(&store_label(terminal))
        .element(Element::new(id::FIRST_UNRESERVED, "01")?)
        .checksum(algorithm, case)
        .build()?;
    // The bank's sample has element 80 before the checksum, which is where the builder puts it too.
    Ok(payload.to_string())
}

/// Fifteen digits, as in the bank's sample; that they are the terminal is our reading.
fn store_label(terminal: &str) -> String {
    let digits: String = terminal.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.get(digits.len().saturating_sub(15)..).unwrap_or_default();
    format!("{digits:0>15}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_layout_is_that_of_the_bank_s_sample() {
        let sample: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/emv-qr.json")).unwrap();
        let sample = &sample["samples"][0];
        assert_eq!(sample["name"], "golomt-instore-doc");
        let theirs = Payload::parse(sample["payload"].as_str().unwrap()).unwrap();
        let text = payload("13161272", "000008191937071002124", "1100", "x25-lower").unwrap();
        let ours = Payload::parse(&text).unwrap();

        let shape = |payload: &Payload| {
            let inside = |element: &Element| element.elements().iter().map(Element::id).collect::<Vec<_>>();
            payload.elements().iter().map(|element| (element.id(), inside(element))).collect::<Vec<_>>()
        };
        assert_eq!(shape(&ours), shape(&theirs));
        for id in [id::PAYLOAD_FORMAT, id::POINT_OF_INITIATION, id::MERCHANT_CATEGORY, id::CURRENCY] {
            assert_eq!(ours.get(id), theirs.get(id));
        }
        for id in [id::AMOUNT, id::COUNTRY, id::MERCHANT_CITY, id::FIRST_UNRESERVED] {
            assert_eq!(ours.get(id), theirs.get(id));
        }
        assert_eq!(ours.bill_number(), theirs.bill_number());
        assert_eq!(ours.union_pay().unwrap().acquirer, theirs.union_pay().unwrap().acquirer);
        assert_eq!(ours.store().map(str::len), theirs.store().map(str::len));
        assert_eq!(ours.checksum().unwrap(), theirs.checksum().unwrap());
    }

    #[test]
    fn each_checksum_is_the_one_that_was_ordered() {
        for (switch, checksum, lower) in [
            ("x25-lower", Checksum::X25, true),
            ("x25-upper", Checksum::X25, false),
            ("emvco-upper", Checksum::Emvco, false),
            ("emvco-lower", Checksum::Emvco, true),
        ] {
            let text = payload("13161272", "1", "1100.50", switch).unwrap();
            let parsed = Payload::parse(&text).unwrap();
            assert_eq!(parsed.checksum().unwrap().checksum, checksum, "{text}");
            let end = &text[text.len() - 4..];
            assert_eq!(end.to_lowercase() == end, lower || !end.contains(|c: char| c.is_alphabetic()));
            assert_eq!(parsed.amount(), Some("1100.5"));
        }
    }

    #[test]
    fn a_terminal_of_any_name_has_a_store_label() {
        assert_eq!(store_label("13161272"), "000000013161272");
        assert_eq!(store_label("TILL"), "000000000000000");
        assert_eq!(store_label("1234567890123456789"), "567890123456789");
    }

    proptest! {
        #[test]
        fn every_amount_of_thirteen_characters_fits(
            whole in 0u64..10_000_000_000,
            cents in 0u64..100,
            serial in any::<u32>(),
        ) {
            prop_assume!(whole + cents > 0);
            let amount = format!("{whole}.{cents:02}");
            let text = payload("13161272", &serial.to_string(), &amount, "x25-lower").unwrap();
            let parsed = Payload::parse(&text).unwrap();
            prop_assert!(parsed.checksum().is_ok() && parsed.validate(Rules::Mongolia).is_ok());
            let shortest = amount_in_form(&amount, "shortest");
            prop_assert_eq!(parsed.amount().unwrap(), shortest.as_str());
        }
    }
}
