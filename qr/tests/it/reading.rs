//! What cannot be read, where it is, and what is read though it is odd.

use crate::support::named;
use tulbur_qr::{
    BuildError, Checksum, ChecksumError, Element, ElementError, HexCase, Lengths, NationalAccount, Payload,
    ProblemKind, Rules, VietQr, id,
};

/// These elements, and behind them the right checksum.
fn sealed(elements: &str) -> String {
    let text = format!("{elements}6304");
    format!("{text}{:04X}", Checksum::Emvco.of(text.as_bytes()))
}

#[test]
fn an_error_names_the_place() {
    for (text, message) in [
        (
            "",
            "at byte 0: the text is empty, and a payload has at least its format indicator and its checksum",
        ),
        ("https://qr.example/1", "at byte 0: expected the two digits of an element's id, found `ht`"),
        ("0", "at byte 0: expected the two digits of an element's id, found `0`"),
        ("000201é1", "at byte 6: expected the two digits of an element's id, found `é1`"),
        ("000201+102", "at byte 6: expected the two digits of an element's id, found `+1`"),
        ("00020101", "at byte 8: expected the two digits of the length of element 01, found ``"),
        ("000201010", "at byte 8: expected the two digits of the length of element 01, found `0`"),
        ("00020101-2", "at byte 8: expected the two digits of the length of element 01, found `-2`"),
        ("0002010102", "at byte 10: element 01 says that its value has 2 characters, but 0 are left"),
        ("0002015905Эрд", "at byte 10: element 59 says that its value has 5 characters, but 3 are left"),
    ] {
        let error = Payload::parse(text).expect_err(text).to_string();
        assert!(error.starts_with(message), "{text}: {error}");
    }
    // Arabic-Indic digits are digits of Unicode, and none here.
    assert!(Payload::parse("٠٠0201").is_err());
}

#[test]
fn a_text_that_no_code_holds_is_refused_unread() {
    let longest = "0095".to_owned() + &"x".repeat(95);
    let long = longest.repeat(30);
    assert_eq!(
        Payload::parse(&long).expect_err("too long").to_string(),
        "at byte 2953: the text has 2970 bytes, and no QR code holds more than 2953"
    );
    assert!(Payload::parse(&longest.repeat(29)).is_ok());
}

#[test]
fn every_sample_cut_anywhere_is_an_error_or_has_no_checksum() {
    for name in ["golomt-instore-doc", "hipay-multischeme-102.43", "emvco-best-transport", "vietqr-dynamic"] {
        let text = named(name);
        for (end, _) in text.char_indices() {
            let Ok(cut) = Payload::parse(&text[..end]) else { continue };
            assert_eq!(cut.checksum(), Err(ChecksumError::Missing), "{name} cut at {end}");
        }
    }
}

#[test]
fn lengths_in_bytes_are_read_where_nothing_else_makes_sense() {
    // The name has 8 characters and 16 bytes.
    let fields = "5204601053034965802MN5916Энхсүлд";
    let text = sealed(&format!("000201153126620496266204960023031000001475916Энхсүлд{fields}"));
    assert!(Payload::parse_with(&text, Lengths::Characters).is_err());

    let text =
        sealed("00020115312662049626620496002303100000147520460105303496540411005802MN5914Энхсүлд6002UB");
    let payload = Payload::parse(&text).expect("it reads in bytes");
    assert_eq!(payload.lengths(), Lengths::Bytes);
    assert_eq!(payload.merchant_name(), Some("Энхсүлд"));
    assert_eq!(payload.to_string(), text, "written back as it was");
    assert!(payload.checksum().is_ok());
    let problems = payload.validate(Rules::Mongolia).expect_err("lengths are to count characters").problems;
    assert_eq!(problems.len(), 1);
    assert_eq!((&problems[0].path[..], &problems[0].kind), (&[59][..], &ProblemKind::LengthInBytes));
    assert_eq!(problems[0].at, text.find("5914").expect("it is there"));

    // The same with characters counted is right.
    let text =
        sealed("00020115312662049626620496002303100000147520460105303496540411005802MN5907Энхсүлд6002UB");
    let payload = Payload::parse(&text).expect("it reads");
    assert_eq!(payload.lengths(), Lengths::Characters);
    assert_eq!(payload.merchant_name(), Some("Энхсүлд"));
    assert_eq!(payload.validate(Rules::Mongolia), Ok(()));
    // A length that ends inside a character is no length in bytes.
    assert!(Payload::parse_with("5903Энхсүлд", Lengths::Bytes).is_err());
}

#[test]
fn what_only_happens_to_read_as_a_template_is_text() {
    for bare in
        ["800201", "8004abcd", "80080104abcd", "78080004abcd", "15080004abcd", "17080104abcd", "26080104abcd"]
    {
        let payload = Payload::parse(bare).expect(bare);
        assert!(payload.elements()[0].elements().is_empty(), "{bare}");
        assert_eq!(payload.to_string(), bare);
    }
    for template in ["80080004abcd", "17080004abcd", "26080004abcd", "62080104abcd", "64080104abcd"] {
        let payload = Payload::parse(template).expect(template);
        assert_eq!(payload.elements()[0].elements().len(), 1, "{template}");
    }
    // Element 01 of an account is a template for NAPAS alone.
    let nested = "012400069704370110123456789";
    let napas = Payload::parse(&format!("38420010A000000727{nested}0")).expect("it reads");
    assert_eq!(napas.elements()[0].get(1).map(|sub| sub.elements().len()), Some(2));
    let other = Payload::parse(&format!("38420010A000000999{nested}0")).expect("it reads");
    assert_eq!(other.elements()[0].get(1).map(|sub| sub.elements().len()), Some(0));
}

#[test]
fn a_checksum_is_looked_for_at_the_end_only() {
    let checksum = |text: &str| Payload::parse(text).expect(text).checksum();
    assert_eq!(checksum("000201"), Err(ChecksumError::Missing));
    assert_eq!(checksum("6304ABCD000201"), Err(ChecksumError::NotLast { at: 0 }));
    assert_eq!(checksum("6304ABCD6304ABCD"), Err(ChecksumError::NotLast { at: 0 }));
    assert_eq!(checksum("0002016304+ABC"), Err(ChecksumError::NotHex { at: 10, found: "+ABC".into() }));
    assert_eq!(checksum("0002016303ABC"), Err(ChecksumError::NotHex { at: 10, found: "ABC".into() }));
    assert!(matches!(checksum("0002016304ＡＢＣＤ"), Err(ChecksumError::NotHex { .. })));
}

#[test]
fn the_case_of_a_checksum_does_not_matter_and_is_told() {
    let text = named("golomt-instore-doc");
    let head = text.strip_suffix("5aea").expect("its checksum");
    for (digits, case) in [("5aea", HexCase::Lower), ("5AEA", HexCase::Upper), ("5aEA", HexCase::Mixed)] {
        let payload = Payload::parse(&format!("{head}{digits}")).expect(digits);
        let right = payload.checksum().expect(digits);
        assert_eq!((right.checksum, right.case), (Checksum::X25, case));
        assert!(payload.to_string().ends_with(digits));
    }
}

/// The problems of a Mongolian payload in which `from` was replaced by `to`, by the rules.
fn problems(rules: Rules, from: &str, to: &str) -> Vec<String> {
    let good = "00020101021215312662049626620496002303100000147520460105303496540411005802MN\
                5908kub-test6011ULAANBAATAR62130109BILL-0001";
    assert!(good.contains(from), "{from}");
    let text = sealed(&good.replacen(from, to, 1));
    match Payload::parse(&text).expect(&text).validate(rules) {
        Ok(()) => Vec::new(),
        Err(invalid) => invalid.problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn every_problem_has_a_place_and_a_sentence() {
    for (from, to, message) in [
        ("000201", "000202", "at byte 0: element 00 (payload format indicator) is `02` instead of 01"),
        (
            "010212",
            "010213",
            "at byte 6: element 01 (point of initiation method) is `13` instead of 11 (static)",
        ),
        (
            "52046010",
            "520460x0",
            "at byte 47: element 52 (merchant category code) is `60x0` instead of four digits",
        ),
        ("5303496", "5303840", "at byte 55: element 53 (currency) is `840` instead of 496 (tögrög)"),
        ("54041100", "54041,10", "at byte 62: element 54 (amount) is `1,10` instead of a positive amount"),
        ("54041100", "54051e+06", "at byte 62: element 54 (amount) is `1e+06` instead of a positive amount"),
        ("54041100", "54040.00", "at byte 62: element 54 (amount) is `0.00` instead of a positive amount"),
        ("54041100", "5403.50", "at byte 62: element 54 (amount) is `.50` instead of a positive amount"),
        ("54041100", "54041.1.", "at byte 62: element 54 (amount) is `1.1.` instead of a positive amount"),
        ("54041100", "541412345678901234", "at byte 62: element 54 (amount) is `12345678901234` instead of"),
        ("54041100", "5400", "at byte 62: element 54 (amount) is empty"),
        ("5802MN", "5802VN", "at byte 70: element 58 (country) is `VN` instead of MN"),
        (
            "5908kub-test",
            "5926abcdefghijklmnopqrstuvwxyz",
            "at byte 76: element 59 (merchant name) has 26 characters",
        ),
        (
            "5908kub-test",
            "5908kub\ntest",
            "at byte 76: element 59 (merchant name) is `kub\ntest` instead of text without",
        ),
        ("5908kub-test", "", "at byte 116: element 59 (merchant name) is missing"),
        (
            "6011ULAANBAATAR",
            "6016ULAANBAATAR-UNIV",
            "at byte 88: element 60 (merchant city) has 16 characters",
        ),
        ("62130109BILL-0001", "62040100", "at byte 107: element 62.01 (additional data) is empty"),
        (
            "62130109BILL-0001",
            "6204BILL",
            "at byte 103: element 62 (additional data) is `BILL` instead of a template",
        ),
        (
            "62130109BILL-0001",
            "62100101a0101b",
            "at byte 112: element 62.01 (additional data) is there more than once",
        ),
        (
            "62130109BILL-0001",
            "62050901x",
            "at byte 107: element 62.09 (additional data) is `x` instead of the letters A, M and E, each once",
        ),
        (
            "62130109BILL-0001",
            "62061102xx",
            "at byte 107: element 62.11 (additional data) is `xx` instead of three",
        ),
        (
            "62130109BILL-0001",
            "62300126abcdefghijklmnopqrstuvwxyz",
            "at byte 107: element 62.01 (additional data) has 26 characters, at most 25 are allowed",
        ),
        ("5802MN", "5802MN5802MN", "at byte 76: element 58 (country) is there more than once"),
        ("000201", "", "at byte 122: element 00 (payload format indicator) is missing"),
        (
            "000201010212",
            "010212000201",
            "at byte 6: element 00 (payload format indicator) is not in its place",
        ),
        ("5802MN", "5502025802MN", "at byte 134: element 56 (fixed fee) is missing"),
        (
            "5802MN",
            "570155802MN",
            "at byte 70: element 57 (percentage fee) must not be there: the tip indicator",
        ),
        (
            "5802MN",
            "55020357031005802MN",
            "at byte 76: element 57 (percentage fee) is `100` instead of a percentage",
        ),
        (
            "62130109BILL-0001",
            "26041234",
            "at byte 103: element 26 (merchant account) is `1234` instead of a template",
        ),
    ] {
        assert_eq!(problems(Rules::Mongolia, from, from), Vec::<String>::new());
        let found = problems(Rules::Mongolia, from, to);
        assert!(found.iter().any(|problem| problem.starts_with(message)), "{to}: {found:#?}");
        assert_eq!(found.len(), 1, "{to}: {found:#?}");
    }
}

#[test]
fn tips_and_fees_belong_together() {
    for right in ["550201", "5502025603500", "550203570525.50", "550203570201"] {
        let found = problems(Rules::Mongolia, "5802MN", &format!("{right}5802MN"));
        assert_eq!(found, Vec::<String>::new(), "{right}");
    }
}

#[test]
fn emvco_to_the_letter_wants_latin_letters_and_no_reserved_ids() {
    for (from, to) in [
        ("5908kub-test", "5904Энхс"),
        ("62130109BILL-0001", "6215010200121005abcde"),
        ("62130109BILL-0001", "78041234"),
        ("62130109BILL-0001", "800201"),
    ] {
        let to = to.replace("6215010200121005abcde", "62091205abcde");
        assert_eq!(problems(Rules::Mongolia, from, &to), Vec::<String>::new(), "{to}");
        assert_eq!(problems(Rules::Emvco, from, &to).len(), 1, "{to}");
    }
}

#[test]
fn a_payload_without_a_merchant_account_is_not_whole() {
    let found = problems(Rules::Mongolia, "15312662049626620496002303100000147", "");
    assert_eq!(found, ["at byte 93: element 26 (merchant account) is missing"]);
}

#[test]
fn the_language_template_has_a_language_and_a_name() {
    let right = "64150002MN0105Энхээ";
    assert_eq!(problems(Rules::Emvco, "62130109BILL-0001", right), Vec::<String>::new());
    let found = problems(Rules::Emvco, "62130109BILL-0001", "64060002MN");
    assert_eq!(found, ["at byte 103: element 64.01 (merchant information in another language) is missing"]);
    let found = problems(Rules::Emvco, "62130109BILL-0001", "64160003MNG0105Энхээ");
    assert!(found[0].ends_with("is `MNG` instead of two letters"), "{found:?}");
}

#[test]
fn a_checksum_that_does_not_hold_is_a_problem() {
    let corrupt = Payload::parse(&named("golomt-instore-doc-corrupt-amount")).expect("it reads");
    let invalid = corrupt.validate(Rules::Mongolia).expect_err("it was changed");
    assert_eq!(invalid.problems.len(), 1);
    assert!(invalid.to_string().contains("at byte 157: element 63 (checksum) does not hold"), "{invalid}");

    let cut = Payload::parse("000201").expect("it reads");
    let invalid = cut.validate(Rules::Emvco).expect_err("it is no payload");
    assert!(invalid.to_string().contains("element 63 (checksum) is missing"), "{invalid}");
}

#[test]
fn vietqr_needs_a_bank_and_an_account() {
    let build = |to: &VietQr| Payload::builder(Rules::VietQr).vietqr(to).build();
    assert!(build(&VietQr::to_card("970437", "9704370000000000018")).is_ok());
    for wrong in [
        VietQr::to_account("97043", "1"),
        VietQr::to_account("97043x", "1"),
        VietQr::to_account("970437", ""),
    ] {
        assert!(matches!(build(&wrong), Err(BuildError::Invalid(_))), "{wrong:?}");
    }
    let none = Payload::builder(Rules::VietQr).build();
    assert!(matches!(none, Err(BuildError::Invalid(invalid)) if invalid.problems[0].path == [id::VIETQR]));
}

#[test]
fn the_builder_refuses_what_does_not_fit() {
    let builder = Payload::builder(Rules::Mongolia)
        .national_account(&NationalAccount::new("0095", "6128328515"))
        .merchant("Enkhsod", "ULAANBAATAR", "8999");
    assert!(builder.clone().build().is_ok());
    assert_eq!(builder.clone().additional(100, "x").build(), Err(ElementError::Id { id: 100 }.into()));
    let long = "x".repeat(100);
    let too_long = ElementError::TooLong { id: 59, length: 100 };
    assert_eq!(builder.clone().merchant(&long, "UB", "8999").build(), Err(too_long.into()));
    // Four labels of 25 characters are more than a template of 99 holds.
    let label = "y".repeat(25);
    let four = builder.clone().bill_number(&label).store(&label).terminal(&label).purpose(&label);
    assert_eq!(four.build(), Err(ElementError::TooLong { id: 62, length: 116 }.into()));
    assert!(matches!(builder.clone().amount("1,000").build(), Err(BuildError::Invalid(_))));

    let mut full = builder;
    for id in 65..=99 {
        full = full.element(Element::new(id, "z".repeat(99)).expect("it fits"));
    }
    assert!(matches!(full.build(), Err(BuildError::TooLarge { length }) if length > 2953));
}

#[test]
fn what_is_set_twice_has_the_last_value_and_the_checksum_is_computed() {
    let payload = Payload::builder(Rules::Mongolia)
        .national_account(&NationalAccount::new("0095", "1"))
        .merchant("A", "B", "8999")
        .amount("1")
        .bill_number("first")
        .element(Element::new(id::CRC, "0000").expect("it fits"))
        .amount("2")
        .bill_number("second")
        .build()
        .expect("it is right");
    assert_eq!(payload.amount(), Some("2"));
    assert_eq!(payload.bill_number(), Some("second"));
    assert_eq!(payload.elements().iter().filter(|element| element.id() == id::CRC).count(), 1);
    assert!(payload.checksum().is_ok());
}
