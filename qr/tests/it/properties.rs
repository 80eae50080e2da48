//! What holds for every text and every tree.

use std::fmt::Write;

use proptest::prelude::*;
use tulbur_qr::{Checksum, Element, HexCase, Lengths, Payload, Rules};

/// A value of at most so many characters, in several scripts, with digits enough to look like elements.
fn value(longest: usize) -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => prop::char::range('0', '9'),
        3 => prop::char::range(' ', '~'),
        1 => prop::char::range('А', 'я'),
        1 => Just('佳'),
        1 => Just('💳'),
    ];
    prop::collection::vec(character, 0..=longest).prop_map(|characters| characters.into_iter().collect())
}

/// An element that is text, a template, or a template in one.
fn element() -> impl Strategy<Value = Element> {
    let leaf =
        |longest| (0u8..=99, value(longest)).prop_map(|(id, text)| Element::new(id, text).expect("it fits"));
    prop_oneof![
        leaf(99),
        (0u8..=99, prop::collection::vec(leaf(12), 0..=5))
            .prop_map(|(id, elements)| Element::template(id, elements).expect("5 times 16 fit")),
        (0u8..=99, prop::collection::vec(leaf(6), 0..=4), 0u8..=99, value(20)).prop_map(
            |(id, elements, inner, text)| {
                let nested = Element::template(inner, elements).expect("4 times 10 fit");
                Element::template(id, [Element::new(0, text).expect("it fits"), nested])
                    .expect("24 and 44 fit")
            }
        ),
    ]
}

fn write(elements: &[Element], lengths: Lengths) -> String {
    let mut text = String::new();
    for element in elements {
        let value = element.value();
        let length = if lengths == Lengths::Bytes { value.len() } else { value.chars().count() };
        write!(text, "{:02}{length:02}{value}", element.id()).expect("writing to a String does not fail");
    }
    text
}

/// That each template is what its elements make, at every depth.
fn made_of_its_elements(element: &Element) -> bool {
    element.elements().is_empty()
        || Element::template(element.id(), element.elements().to_vec()).as_ref() == Ok(element)
            && element.elements().iter().all(made_of_its_elements)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_text_is_read_or_refused_and_never_changed(text in "\\PC{0,200}") {
        if let Ok(payload) = Payload::parse(&text) {
            prop_assert_eq!(payload.to_string(), text);
        }
    }

    #[test]
    fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes);
        match Payload::parse(&text) {
            Ok(payload) => prop_assert_eq!(payload.to_string(), text),
            Err(error) => {
                prop_assert!(error.at <= text.len());
                prop_assert!(text.is_char_boundary(error.at));
            }
        }
    }

    #[test]
    fn digits_alone_do_no_harm(text in "[0-9]{0,300}") {
        if let Ok(payload) = Payload::parse(&text) {
            prop_assert_eq!(payload.to_string(), text);
            prop_assert!(payload.elements().iter().all(made_of_its_elements));
            for rules in [Rules::Emvco, Rules::Mongolia, Rules::VietQr] {
                if let Err(invalid) = payload.validate(rules) {
                    prop_assert!(!invalid.problems.is_empty());
                    prop_assert!(invalid.problems.iter().all(|problem| problem.at <= 300));
                    prop_assert!(invalid.problems.is_sorted_by_key(|problem| problem.at));
                }
            }
        }
    }

    #[test]
    fn a_tree_that_is_written_is_read_as_the_same_tree(elements in prop::collection::vec(element(), 1..=6)) {
        let text = write(&elements, Lengths::Characters);
        let payload = Payload::parse_with(&text, Lengths::Characters).expect("it was written from a tree");
        prop_assert_eq!(payload.elements(), &elements[..]);
        prop_assert_eq!(payload.to_string(), text);
        prop_assert!(payload.elements().iter().all(made_of_its_elements));
    }

    #[test]
    fn so_is_one_whose_lengths_are_bytes(
        elements in prop::collection::vec((0u8..=99, value(24)), 1..=6),
    ) {
        let elements: Vec<_> =
            elements.into_iter().map(|(id, text)| Element::new(id, text).expect("it fits")).collect();
        let text = write(&elements, Lengths::Bytes);
        let payload = Payload::parse_with(&text, Lengths::Bytes).expect("it was written from a tree");
        prop_assert_eq!(payload.elements(), &elements[..]);
        prop_assert_eq!(payload.to_string(), text);
    }

    #[test]
    fn what_is_built_keeps_its_rules_and_one_changed_character_breaks_it(
        name in "[ -~]{1,25}",
        city in "[ -~]{1,15}",
        category in "[0-9]{4}",
        amount in "[1-9][0-9]{0,8}(\\.[0-9]{1,2})?",
        bill in "[!-~]{1,25}",
        x25 in any::<bool>(),
        lower in any::<bool>(),
        at in any::<prop::sample::Index>(),
        instead in 0x20u8..0x7f,
    ) {
        let checksum = if x25 { Checksum::X25 } else { Checksum::Emvco };
        let case = if lower { HexCase::Lower } else { HexCase::Upper };
        let payload = Payload::builder(Rules::Mongolia)
            .element(Element::new(15, "2662049626620496002303100000147").expect("it fits"))
            .merchant(&name, &city, &category)
            .amount(&amount)
            .bill_number(&bill)
            .checksum(checksum, case)
            .build()
            .expect("all of it is allowed");
        let text = payload.to_string();
        let again = Payload::parse(&text).expect("it was built");
        prop_assert_eq!(&again, &payload);
        prop_assert_eq!(again.validate(Rules::Mongolia), Ok(()));
        prop_assert_eq!(again.merchant_name(), Some(&name[..]));
        prop_assert_eq!(again.amount(), Some(&amount[..]));
        prop_assert_eq!(again.bill_number(), Some(&bill[..]));
        let right = again.checksum().expect("it was computed");
        // Once in 65536 both are right, and then it is EMVCo's.
        prop_assert!(right.checksum == checksum || right.checksum == Checksum::Emvco);

        // A cyclic redundancy check finds every error of one byte, whichever of the two it is; that the other one gives
        // the value by chance is possible and harmless here.
        let mut bytes = text.clone().into_bytes();
        let at = at.index(bytes.len() - 4);
        prop_assume!(bytes[at] != instead);
        bytes[at] = instead;
        let changed = String::from_utf8(bytes).expect("ASCII for ASCII");
        if let Ok(changed) = Payload::parse(&changed) && let Ok(right) = changed.checksum() {
            prop_assert_ne!(right.checksum, checksum);
        }
    }
}
