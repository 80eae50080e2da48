//! Whatever a scanner or a provider hands over: it is read or refused, never changed, and judged without a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tulbur_qr::{Element, Lengths, Payload, Rules};

fuzz_target!(|text: &str| {
    for payload in [Payload::parse(text), Payload::parse_with(text, Lengths::Bytes)] {
        match payload {
            Err(error) => assert!(text.is_char_boundary(error.at)),
            Ok(payload) => {
                assert_eq!(payload.to_string(), text);
                let _ = payload.checksum().map_err(|error| error.to_string());
                for rules in [Rules::Emvco, Rules::Mongolia, Rules::VietQr] {
                    let _ = payload.validate(rules).map_err(|invalid| invalid.to_string());
                }
                let _ = (payload.union_pay(), payload.national_account(), payload.vietqr());
                if payload.lengths() == Lengths::Characters {
                    payload.elements().iter().for_each(is_made_of_its_elements);
                }
            }
        }
    }
});

fn is_made_of_its_elements(element: &Element) {
    if !element.elements().is_empty() {
        let again = Element::template(element.id(), element.elements().to_vec());
        assert_eq!(again.as_ref(), Ok(element));
        element.elements().iter().for_each(is_made_of_its_elements);
    }
}
