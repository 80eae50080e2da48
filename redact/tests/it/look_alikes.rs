//! Shows what looks like a card number and is none.

use std::borrow::Cow;

use proptest::prelude::*;
use tulbur_redact::{HIDDEN, card_numbers, free_text};

/// A merchant's account at UnionPay under tag 15, Visa's merchant number under tag 02, a reference under tag 62 that
/// stands so that its digits and the tags' would be a card number.
const QR: [&str; 5] = [
    "0002010102121531279404962794049600022310027138152045734530349654031005802MN5911TEST MERCHA6011ULAANBAATAR63041B2C",
    "00020101021102164111111111111111520400005303704540510000\
     5802VN5909CUA HANG16005HANOI6304ABCD",
    "0002010102112604A1-B5204581153034965802MN5902AB6002UB62160112123456789012\
     6304F0F0",
    "000201010212520458115303496540411005802MN5906ДЭЛГҮҮ6002UB62440121000008191937071002124031500000000003430063041A2B",
    "0002010102122604A1-B5204541153034965802MN5902AB6002UB62200116411111111111111163041234",
];

#[test]
fn look_alikes_stay() {
    for text in [
        // Times: yyyymmddhhmmss, ddmmyyyyhhmmss, ISO, Unix in seconds, milli-, micro- and nanoseconds.
        "20261130101500",
        "30052026101500",
        "2026-11-30T10:15:00.123456789+08:00",
        "1764468900 1764468900123 1764468900123456 1764468900123456789",
        // QPay's payment ids have 15 digits.
        "493622150113497",
        "089741882240445",
        "019276866891878",
        "593744473409193",
        "8e25b4d5-fe5a-4d0f-b050-def68a82aaad",
        // VNPay's transaction numbers, bank transaction numbers, terminal and order codes.
        "14226112",
        "VNP14226112",
        "14422574",
        "995335542255",
        // Objects of a QR code by themselves.
        "1531279404962794049600022310027138152045734",
        "279404962794049600022310027138 ",
        "000008191937071002124",
        "6244010712345670504",
        "5204541153034965802",
        "970437205249008064",
        // Masked already.
        "411111******1111",
        "4111 11** **** 1111",
        "949625xxxxxx0003",
        // Telephones and amounts.
        "9911 2233, 8811 2233; +976 9911-2233",
        "99112233 88112234",
        "1,500,000.00 ₮ 4,500.00",
        // Digests.
        "4111111111111111aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccc0",
        // A wrong check digit, and no issuer.
        "4111111111111112",
        "1234567812345670",
        "0000000000000000",
    ] {
        assert!(
            matches!(card_numbers(text), Cow::Borrowed(shown) if shown == text),
            "{}",
            card_numbers(text)
        );
    }
}

#[test]
fn a_qr_code_stays_and_what_stands_beside_it_does_not() {
    for code in QR {
        assert_eq!(card_numbers(code), code);
        assert_eq!(free_text(code), code);
        let beside = format!("{{\"qr\":\"{code}\",\"card\":\"4111 1111 1111 1111\"}}");
        assert_eq!(card_numbers(&beside), beside.replace("4111 1111 1111 1111", HIDDEN));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    /// Every second of forty years, with or without milliseconds.
    #[test]
    fn a_time_stays(
        (year, month, day) in (2000..2040, 1..=12, 1..=31), (hour, minute, second) in (0..24, 0..60, 0..60),
        millis in prop::option::of(0..1000),
    ) {
        let fraction = millis.map(|millis| format!("{millis:03}")).unwrap_or_default();
        let date = format!("{year:04}{month:02}{day:02}");
        let time = format!("{hour:02}{minute:02}{second:02}");
        let european = format!("{day:02}{month:02}{year:04}{time}");
        for text in [format!("{date}{time}{fraction}"), format!("{date} {time}"), european] {
            prop_assert_eq!(card_numbers(&text), &*text);
        }
    }

    /// Only American Express uses 15 digits. No issuer uses 12 digits or fewer.
    #[test]
    fn an_id_of_qpay_or_vnpay_stays(id in "([0-24-9][0-9]{14}|[0-9]{1,12})") {
        prop_assume!(!["5018", "5020", "5038", "5893", "6304", "6759", "6761", "6762", "6763"].iter().any(|p| id.starts_with(p)));
        prop_assert_eq!(card_numbers(&id), &*id);
    }

    /// A QR code with any merchant account of 31 digits, and any bill number.
    #[test]
    fn a_merchant_account_under_tag_15_stays(account in "[0-9]{31}", bill in "[0-9]{10,25}", name in "[A-Z0-9 ]{1,25}") {
        let bill = format!("01{:02}{bill}", bill.len());
        let code = format!(
            "0002010102121531{account}5204581253034965802MN59{:02}{name}6002UB62{:02}{bill}6304A0B1", name.len(), bill.len()
        );
        prop_assert_eq!(card_numbers(&code), &*code);
        prop_assert_eq!(card_numbers(&account), &*account);
    }
}
