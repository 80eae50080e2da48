//! The payloads of `tests/vectors`: read, verified as recorded, written back.

use crate::support::{derived, mongolian, named, others};
use serde_json::Value;
use tulbur_qr::{
    Checksum, ChecksumError, Element, HexCase, Initiation, Lengths, NationalAccount, Payload, ProblemKind,
    Rules, UnionPay, VietQr, VietQrService, id,
};

fn same(element: &Element, record: &Value, at: &str) {
    let id: u8 = record["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    let at = format!("{at}.{id:02}");
    assert_eq!(element.id(), id, "{at}");
    assert_eq!(Some(element.value()), record["value"].as_str(), "{at}");
    assert_eq!(Some(element.value().chars().count() as u64), record["length"].as_u64(), "{at}");
    let empty = Vec::new();
    let sub = record["sub"].as_array().unwrap_or(&empty);
    assert_eq!(element.elements().len(), sub.len(), "{at}");
    for (element, record) in element.elements().iter().zip(sub) {
        same(element, record, &at);
    }
}

#[test]
fn every_sample_reads_as_recorded_and_is_written_back_unchanged() {
    for sample in mongolian() {
        let payload = Payload::parse(&sample.payload).expect(&sample.name);
        assert_eq!(payload.to_string(), sample.payload, "{}", sample.name);
        assert_eq!(payload.lengths(), Lengths::Characters);

        let recorded = sample.record["elements"].as_array().expect("elements");
        assert_eq!(payload.elements().len(), recorded.len(), "{}", sample.name);
        for (element, record) in payload.elements().iter().zip(recorded) {
            same(element, record, &sample.name);
        }
        let split =
            &recorded.iter().find(|record| record["id"] == "15").map(|record| record["split"].clone());
        assert_eq!(payload.union_pay().is_some(), split.is_some(), "{}", sample.name);
        if let (Some(account), Some(split)) = (payload.union_pay(), split) {
            assert_eq!(split["acquirer_iin"], account.acquirer);
            assert_eq!(split["forwarding_iin"], account.forwarder);
            assert_eq!(split["merchant_id"], account.merchant);
        }
    }
}

#[test]
fn every_checksum_is_the_recorded_one() {
    for sample in mongolian() {
        let right = Payload::parse(&sample.payload).expect(&sample.name).checksum().expect(&sample.name);
        let crc = &sample.record["crc"];
        assert_eq!(crc["valid_as_emvco"], right.checksum == Checksum::Emvco, "{}", sample.name);
        assert_eq!(crc["valid_as_x25"], right.checksum == Checksum::X25, "{}", sample.name);
        let case = if crc["hex_case"] == "lower" { HexCase::Lower } else { HexCase::Upper };
        assert_eq!(right.case, case, "{}", sample.name);

        let covered = &sample.payload.as_bytes()[..sample.payload.len() - 4];
        assert_eq!(
            crc["crc16_ccitt_false"],
            format!("{:04X}", Checksum::Emvco.of(covered)),
            "{}",
            sample.name
        );
        assert_eq!(crc["crc16_x25"], format!("{:04X}", Checksum::X25.of(covered)), "{}", sample.name);
    }
}

#[test]
fn the_derived_samples_hold_or_fail_as_recorded() {
    for sample in derived() {
        let payload = Payload::parse(&sample.payload).expect(&sample.name);
        assert_eq!(payload.to_string(), sample.payload);
        let right = payload.checksum().map(|right| right.checksum);
        assert_eq!(sample.record["valid_as_emvco"], right == Ok(Checksum::Emvco), "{}", sample.name);
        assert_eq!(sample.record["valid_as_x25"], right == Ok(Checksum::X25), "{}", sample.name);
    }
    let corrupt = Payload::parse(&named("golomt-instore-doc-corrupt-amount")).expect("it reads");
    assert!(
        matches!(corrupt.checksum(), Err(ChecksumError::Mismatch { at: 161, ref found, .. }) if found == "5aea"),
        "{:?}",
        corrupt.checksum()
    );
}

#[test]
fn every_mongolian_sample_keeps_the_rules_of_mongolia() {
    for sample in mongolian() {
        let payload = Payload::parse(&sample.payload).expect(&sample.name);
        assert_eq!(payload.validate(Rules::Mongolia), Ok(()), "{}", sample.name);
    }
}

#[test]
fn what_is_not_to_the_letter_of_emvco_in_the_samples_is_named() {
    let broken = |name: &str| match Payload::parse(&named(name)).expect(name).validate(Rules::Emvco) {
        Ok(()) => Vec::new(),
        Err(invalid) => invalid.problems.into_iter().map(|problem| problem.path).collect(),
    };
    assert_eq!(broken("golomt-instore-doc"), [vec![80], vec![63]]);
    assert_eq!(broken("qpay-sandbox-100"), Vec::<Vec<u8>>::new());
    assert_eq!(broken("qpay-postmerchant-2"), [[71], [78], [79], [80]]);
    assert_eq!(broken("qpay-tappay-90"), [[78], [79], [80]]);
    assert_eq!(broken("hipay-multischeme-102.43"), [[33, 0], [62, 52]]);
    assert_eq!(broken("epay-doc-5000"), [[80]]);
    assert_eq!(broken("emvco-best-transport"), Vec::<Vec<u8>>::new());
}

#[test]
fn a_mongolian_payload_has_its_fields_by_name() {
    let golomt = Payload::parse(&named("golomt-instore-doc")).expect("it reads");
    assert_eq!(golomt.initiation(), Some(Initiation::Dynamic));
    assert_eq!(golomt.merchant_name(), Some("kub-test"));
    assert_eq!(golomt.merchant_city(), Some("ULAANBAATAR"));
    assert_eq!(golomt.merchant_category(), Some("6010"));
    assert_eq!(golomt.country(), Some("MN"));
    assert_eq!(golomt.currency(), Some("496"));
    assert_eq!(golomt.amount(), Some("1100"));
    assert_eq!(golomt.bill_number(), Some("000008191937071002124"));
    assert_eq!(golomt.store(), Some("000000000034300"));
    assert_eq!(golomt.terminal(), None);
    assert_eq!(golomt.union_pay(), Some(UnionPay::new("26620496", "002303100000147")));
    assert_eq!(golomt.national_account(), None);
    assert_eq!(golomt.vietqr(), None);

    // UnionPay has two ids.
    let at_16 = Payload::parse("16312662049626620496002303100000147").expect("it reads");
    assert_eq!(at_16.union_pay(), golomt.union_pay());

    let qpay = Payload::parse(&named("qpay-postmerchant-2")).expect("it reads");
    assert_eq!(qpay.terminal(), Some("80t03dDu6zrZUZpn8NRr"));
    assert_eq!(qpay.national_account(), Some(NationalAccount::new("CAXBMNUB", "80t03dDu6zrZUZpn8NRr")));

    let bare = Payload::parse(&named("qpay-tappay-90")).expect("it reads");
    let account = bare.national_account().expect("the template is there");
    assert_eq!((account.bank, account.account), (None, None));

    let hipay = Payload::parse(&named("hipay-multischeme-102.43")).expect("it reads");
    assert_eq!(hipay.amount(), Some("102.43"));
    assert_eq!(hipay.additional(52), Some("1"));
    assert_eq!(hipay.national_account(), Some(NationalAccount::new("HPSMMNUB", "MN090051510199109855")));
    let element_80 = hipay.get(80).expect("it is there");
    assert_eq!(element_80.identifier(), Some(tulbur_qr::NATIONAL_IDENTIFIER));

    let epay = Payload::parse(&named("epay-doc-5000")).expect("it reads");
    assert_eq!(epay.postal_code(), Some("11000"));
    assert_eq!(epay.union_pay(), None);
}

#[test]
fn the_builder_makes_every_mongolian_sample_again() {
    for sample in mongolian() {
        let read = Payload::parse(&sample.payload).expect(&sample.name);
        let right = read.checksum().expect(&sample.name);
        let text = |text: Option<&str>| text.expect("every sample has it").to_owned();
        let mut builder = Payload::builder(Rules::Mongolia)
            .checksum(right.checksum, right.case)
            .initiation(read.initiation().expect("every sample says"))
            .merchant(
                &text(read.merchant_name()),
                &text(read.merchant_city()),
                &text(read.merchant_category()),
            )
            .amount(&text(read.amount()));
        if let Some(account) = read.union_pay() {
            builder = builder.union_pay(&account);
        }
        if let Some(account) = read.national_account() {
            // The builder's place for it is 26; qPay's is 27.
            builder = match read.get(27) {
                Some(at_27) => builder.element(at_27.clone()),
                None => builder.national_account(&account),
            };
        }
        for sub in read.get(id::ADDITIONAL).expect("every sample has it").elements().iter().rev() {
            builder = builder.additional(sub.id(), sub.value());
        }
        let rest = read.elements().iter().rev();
        for element in rest.filter(|element| matches!(element.id(), 17 | 33 | 51 | 61 | 65..=99)) {
            builder = builder.element(element.clone());
        }
        assert_eq!(builder.build().expect(&sample.name).to_string(), sample.payload, "{}", sample.name);
    }
}

#[test]
fn emvcos_example_counts_the_characters_of_a_chinese_name() {
    let text = named("emvco-best-transport");
    let payload = Payload::parse(&text).expect("it reads");
    assert_eq!(payload.lengths(), Lengths::Characters);
    assert_eq!(payload.to_string(), text);
    assert_eq!(payload.checksum().map(|right| right.checksum), Ok(Checksum::Emvco));
    let language = payload.get(id::LANGUAGE).expect("it has one");
    assert_eq!(language.get(id::language::PREFERENCE).map(Element::value), Some("ZH"));
    assert_eq!(language.get(id::language::MERCHANT_NAME).map(Element::value), Some("最佳运输"));
    assert_eq!(language.get(id::language::MERCHANT_CITY).map(Element::value), Some("北京"));

    assert!(Payload::parse_with(&text, Lengths::Bytes).is_err(), "it makes no sense in bytes");
}

#[test]
fn a_vietqr_has_its_fields_by_name() {
    let text = named("vietqr-dynamic");
    let payload = Payload::parse(&text).expect("it reads");
    assert_eq!(payload.to_string(), text);
    assert_eq!(payload.validate(Rules::VietQr), Ok(()));
    let to = payload.vietqr().expect("a transfer");
    assert_eq!(to, VietQr::to_account("970437", "1234567890"));
    assert_eq!(to.service, VietQrService::ToAccount);
    assert_eq!(payload.amount(), Some("10000"));
    assert_eq!(payload.currency(), Some("704"));
    assert_eq!(payload.country(), Some("VN"));
    assert_eq!(payload.purpose(), Some("TT DON HANG 1"));

    // By the letter of EMVCo it lacks what NAPAS does not ask for.
    let missing = payload.validate(Rules::Emvco).expect_err("it is not EMVCo's").problems;
    let missing: Vec<_> = missing.into_iter().map(|problem| (problem.path, problem.kind)).collect();
    assert_eq!(missing, [52, 59, 60].map(|id| (vec![id], ProblemKind::Missing)));
}

#[test]
fn every_sample_is_of_its_own_country_only() {
    for sample in mongolian().into_iter().chain(others()) {
        let payload = Payload::parse(&sample.payload).expect(&sample.name);
        let right = [Rules::Mongolia, Rules::VietQr].map(|rules| payload.validate(rules).is_ok());
        let country = payload.country().expect("every sample has it");
        assert_eq!(right, [country == "MN", country == "VN"], "{}", sample.name);
    }
}
