//! EMVCo's rules, each with a payload that keeps it or breaks it.

use serde_json::Value;
use tulbur_qr::{Checksum, Payload, ProblemKind, Rules, VietQr};

/// What the document refuses and this crate takes: lists of codes are not kept here, and identifiers of other forms than the
/// document's are in wide use.
const TAKEN: [&str; 3] = ["26 GUID not AID/UUID/domain", "64.00 xx", "58 XX"];

fn element(id: u8, value: &str) -> String {
    format!("{id:02}{:02}{value}", value.chars().count())
}

/// A payload that keeps all rules, with these elements more, and its checksum.
fn with(more: &str) -> Payload {
    let start = "00020101021126400014A00000084300010104009502106128328515";
    let text = format!("{start}5204541153034965802MN5904Shop6002UB{more}6304");
    let sum = Checksum::Emvco.of(text.as_bytes());
    Payload::parse(&format!("{text}{sum:04X}")).unwrap()
}

fn problems(payload: &Payload, rules: Rules) -> Vec<(Vec<u8>, ProblemKind)> {
    let found = payload.validate(rules).err().map(|invalid| invalid.problems).unwrap_or_default();
    found.into_iter().map(|problem| (problem.path, problem.kind)).collect()
}

#[test]
fn every_probe_is_judged_as_the_document_has_it() {
    let probes: Vec<Value> = serde_json::from_str(include_str!("../vectors/emv-mpm-probes.json")).unwrap();
    assert_eq!(probes.len(), 91);
    for probe in &probes {
        let text = |name: &str| probe[name].as_str().unwrap();
        let (name, want) = (text("name"), text("want"));
        let judged = Payload::parse(text("payload"))
            .map_err(|error| error.to_string())
            .and_then(|payload| payload.validate(Rules::Emvco).map_err(|invalid| invalid.to_string()));
        let is_refused =
            ["invalid", "RFU", "v1.1 invalid", "not defined"].iter().any(|word| want.starts_with(word));
        if TAKEN.contains(&name) {
            assert_eq!(judged, Ok(()), "{name}");
        } else if is_refused {
            assert!(judged.is_err(), "{name}: {want}");
        } else if want.starts_with("valid") || want.contains("v1.1 valid") {
            assert_eq!(judged, Ok(()), "{name}: {want}");
        }
    }
}

#[test]
fn the_identifier_of_a_template_may_stand_anywhere() {
    let inside = element(1, "x") + &element(0, "com.shop");
    for more in [element(27, &inside), element(80, &inside), element(62, &element(50, &inside))] {
        assert_eq!(problems(&with(&more), Rules::Emvco), [], "{more}");
    }
    let payload = with(&element(80, &inside));
    let read = payload.get(80).unwrap();
    assert_eq!(read.elements().len(), 2);
    assert_eq!(payload.to_string(), Payload::parse(&payload.to_string()).unwrap().to_string());
    // Without one it is text, and named.
    let without = with(&element(27, &element(1, "x")));
    assert!(
        matches!(&problems(&without, Rules::Emvco)[..], [(path, ProblemKind::NotATemplate { .. })] if *path == [27])
    );
}

#[test]
fn what_stands_before_the_identifier_of_vietqr_is_read_too() {
    let to = element(0, "970415") + &element(1, "113366668888");
    let account = element(1, &to) + &element(2, "QRIBFTTA") + &element(0, "A000000727");
    let text = format!("000201010211{}53037045802VN6304", element(38, &account));
    let sum = Checksum::Emvco.of(text.as_bytes());
    let payload = Payload::parse(&format!("{text}{sum:04X}")).unwrap();
    assert_eq!(payload.vietqr().unwrap().bin, "970415");
    assert_eq!(problems(&payload, Rules::VietQr), []);
}

#[test]
fn the_dong_has_no_decimals() {
    let build = |amount: &str| {
        let account = VietQr::to_account("970415", "113366668888");
        Payload::builder(Rules::VietQr)
            .initiation(tulbur_qr::Initiation::Dynamic)
            .vietqr(&account)
            .currency("704")
            .country("VN")
            .amount(amount)
            .build()
            .map(|payload| payload.to_string())
    };
    assert!(build("100000").is_ok());
    for wrong in ["100000.50", "100000.00", "100.000", "5."] {
        assert!(build(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn requests_tips_and_percentages_keep_to_their_ranges() {
    let is_right = |more: &str| problems(&with(more), Rules::Emvco).is_empty();
    for (letters, right) in
        [("A", true), ("MAE", true), ("AA", false), ("MMM", false), ("AMEA", false), ("a", false)]
    {
        assert_eq!(is_right(&element(62, &element(9, letters))), right, "62.09 {letters}");
    }
    for (percentage, right) in [
        ("0.01", true),
        ("00.01", true),
        ("5", true),
        ("5.", true),
        ("99.99", true),
        ("0.001", false),
        ("0.009", false),
        ("0.00", false),
        ("100", false),
        ("3%", false),
    ] {
        let more = element(54, "10") + &element(55, "03") + &element(57, percentage);
        assert_eq!(is_right(&more), right, "57 {percentage}");
    }
    // Both at once, the wrong one, and none.
    for more in ["55020256045.00", "5502035601557", "550202", "550203", "5603100"] {
        let payload = with("");
        assert_eq!(problems(&payload, Rules::Emvco), []);
        if let Ok(payload) = Payload::parse(&payload.to_string().replace("6002UB", &format!("6002UB{more}")))
        {
            assert!(!problems(&payload, Rules::Emvco).is_empty(), "{more}");
        }
    }
}

#[test]
fn characters_are_those_of_their_format() {
    for (more, right) in [
        (element(2, "\u{414}\u{44d}"), false),
        (element(2, "4111"), true),
        (
            element(
                64,
                &(element(0, "mn") + &element(1, "\u{414}\u{44d}\u{43b}\u{433}\u{4af}\u{4af}\u{440}")),
            ),
            true,
        ),
        // In two characters what there is one for.
        (element(64, &(element(0, "vi") + &element(1, "Cafe\u{301}"))), false),
        (element(64, &(element(0, "vi") + &element(1, "Caf\u{e9}"))), true),
        (element(62, &element(11, "\u{20ac}")), false),
        (element(62, &element(11, "\u{414}\u{44d}\u{43b}")), false),
    ] {
        assert_eq!(problems(&with(&more), Rules::Emvco).is_empty(), right, "{more}");
    }
}
