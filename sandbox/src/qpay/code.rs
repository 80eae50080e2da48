//! Makes the text of QPay's QR code, its picture, and the links that open a bank's app.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use tulbur_qr::{
    BuildError, Correction, Element, Initiation, NATIONAL_IDENTIFIER, Payload, Picture, Rules, UnionPay,
};

/// The switch of the card networks in every published payload (specification, 9).
const INSTITUTION: &str = "27940496";
/// A merchant that does not exist.
const MERCHANT: &str = "000000000000001";
const NAME: &str = "SANDBOX";
const CITY: &str = "Ulaanbaatar";
/// The line of business of QPay's own test merchant.
const CATEGORY: &str = "6010";
/// A bank that does not exist, and nobody's account at it.
pub(super) const BANK: (&str, &str) = ("TESTMNUB", "0000000001");
/// Sub-element 07 of the additional data: 21 characters (specification, 9).
pub(super) const KEY_LENGTH: usize = 21;
/// The longest bill number and reference label that EMVCo allows (sub-elements 01 and 05).
const LABEL: usize = 25;
/// What a link cannot hold as it is. Plain texts stay byte for byte; for others QPay's way is not known.
const LINK: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'#').add(b'%').add(b'&').add(b'+').add(b'?');

/// One bank app, as the list of an invoice has it.
#[derive(Serialize)]
pub(super) struct App {
    pub(super) name: &'static str,
    /// The Mongolian name.
    pub(super) description: &'static str,
    pub(super) logo: String,
    pub(super) link: String,
}

/// Apps whose schemes no phone knows: scheme, name, Mongolian name.
const APPS: [(&str, &str, &str); 4] = [
    ("tulbur-sandbox-wallet", "Sandbox wallet", "Туршилтын хэтэвч"),
    ("tulbur-sandbox-bank-1", "Sandbox bank 1", "Туршилтын банк 1"),
    ("tulbur-sandbox-bank-2", "Sandbox bank 2", "Туршилтын банк 2"),
    ("tulbur-sandbox-bank-3", "Sandbox bank 3", "Туршилтын банк 3"),
];

/// The bank apps, each with the link that opens it.
pub(super) fn apps(base_url: &str, qr_text: &str) -> Vec<App> {
    let text = utf8_percent_encode(qr_text, LINK);
    let app = |(scheme, name, description): (&str, &'static str, &'static str)| App {
        name,
        description,
        logo: format!("{base_url}/-/logo.svg"),
        link: format!("{scheme}://q?qPay_QRcode={text}"),
    };
    APPS.map(app).into()
}

/// The app's name of a link's scheme.
pub(super) fn app_of(scheme: &str) -> Option<&'static str> {
    APPS.iter().find(|(known, ..)| *known == scheme).map(|(_, name, _)| *name)
}

/// The payload of an invoice, in QPay's present layout.
///
/// A number or a description that is longer than EMVCo allows is cut (assumption: what QPay does is not known). Lengths
/// count characters, as EMVCo has it (assumption for QPay).
///
/// # Errors
///
/// If the amount does not fit into a payload.
pub(super) fn payload(
    amount: &str,
    number: &str,
    description: &str,
    key: &str,
) -> Result<String, BuildError> {
    let payload = Payload::builder(Rules::Mongolia)
        .initiation(Initiation::Dynamic)
        .union_pay(&UnionPay::new(INSTITUTION, MERCHANT))
        .element(Element::template(
            27,
            [Element::new(0, NATIONAL_IDENTIFIER)?, Element::new(1, BANK.0)?, Element::new(2, BANK.1)?],
        )?)
        .merchant(NAME, CITY, CATEGORY)
        .amount(amount)
        .additional(1, &cut(number))
        .additional(5, &cut(description))
        .additional(7, key)
        .element(Element::new(71, "QPP_QR")?)
        .element(Element::new(78, MERCHANT)?)
        .element(Element::new(79, "22")?)
        .element(Element::new(80, "01")?)
        .build()?;
    Ok(payload.to_string())
}

fn cut(text: &str) -> String {
    text.chars().take(LABEL).collect()
}

/// The picture of a payload: base64 of a PNG, without `data:` [GER, QPL].
pub(super) fn picture(qr_text: &str) -> String {
    // A payload is never larger than a code can hold; the builder has seen to that.
    Picture::of_text(qr_text, Correction::Medium)
        .map_or_else(|_| String::new(), |picture| STANDARD.encode(picture.to_png(6)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors() -> serde_json::Value {
        serde_json::from_str(include_str!("../../tests/vectors/qpay.json")).unwrap()
    }

    #[test]
    fn the_payload_is_the_one_of_the_vectors_and_has_the_shape_of_a_published_one() {
        let vectors = vectors();
        let by_name = |name: &str| {
            let all = vectors["qr_payloads"].as_array().unwrap();
            all.iter().find(|one| one["name"] == name).unwrap()["payload"].as_str().unwrap().to_owned()
        };
        let ours = payload("9800", "ORDER001", "test", "SANDBOX00000000000001").unwrap();
        assert_eq!(ours, by_name("sandbox-made"));
        let shape = |text: &str| {
            let payload = Payload::parse(text).unwrap();
            payload.checksum().unwrap();
            let inside = |element: &Element| element.elements().iter().map(Element::id).collect::<Vec<_>>();
            payload.elements().iter().map(|element| (element.id(), inside(element))).collect::<Vec<_>>()
        };
        assert_eq!(shape(&ours), shape(&by_name("test-merchant-with-national-template")));
    }

    #[test]
    fn long_and_foreign_texts_fit_into_the_payload() {
        let key = "k".repeat(KEY_LENGTH);
        for (number, description) in
            [("n".repeat(45), "d".repeat(255)), ("N-1".to_owned(), "Захиалга ".repeat(20))]
        {
            let text = payload("100.50", &number, &description, &key).unwrap();
            let parsed = Payload::parse(&text).unwrap();
            assert!(parsed.checksum().is_ok());
            assert!(number.starts_with(parsed.bill_number().unwrap()));
            assert!(description.starts_with(parsed.additional(5).unwrap()));
            assert_eq!(parsed.additional(7), Some(key.as_str()));
            assert!(!picture(&text).is_empty());
        }
    }

    #[test]
    fn a_link_holds_a_plain_text_byte_for_byte() {
        let text = payload("9800", "ORDER001", "test", "SANDBOX00000000000001").unwrap();
        for app in apps("http://127.0.0.1:1", &text) {
            let (scheme, rest) = app.link.split_once("://q?qPay_QRcode=").unwrap();
            assert_eq!((rest, app_of(scheme)), (text.as_str(), Some(app.name)));
        }
        assert!(apps("", "a b&c").iter().all(|app| app.link.ends_with("=a%20b%26c")));
    }
}
