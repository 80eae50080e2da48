//! Pushes: each is a hint, whether its checksum is right or not, and belongs to the till whose terminal it names.

use proptest::prelude::*;
use tulbur_core::{
    AccountName, Channel, Delivery, Error, ErrorKind, IpnEvent, IpnOutcome, PaymentStatus, Proof, Provider,
    Reply, Voucher,
};
use tulbur_golomt_instore::{GolomtInstore, GolomtInstoreConfig};

use crate::common::*;

fn verify(bank: &GolomtInstore, method: &str, query: Option<&str>, body: &[u8]) -> Result<IpnEvent, Error> {
    let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
    bank.ipn().unwrap().verify(&Delivery { channel: Channel::Notify, method, query, headers: &headers, body })
}

fn push(body: &str) -> Result<IpnEvent, Error> {
    let (bank, script) = bank();
    let event = verify(&bank, "POST", None, body.as_bytes());
    assert!(script.sent().is_empty(), "reading a push sends nothing");
    event
}

/// The six members that R-erxes reads.
fn pushed(terminal: &str, reference: &str, amount: &str, code: &str, checksum: &str) -> String {
    format!(
        r#"{{"resp_code":"{code}","resp_desc":"Амжилттай","amount":"{amount}","checksum":"{checksum}","invoice":"{reference}","terminal":"{terminal}"}}"#
    )
}

fn genuine(amount: &str, code: &str) -> String {
    pushed(TERMINAL, REFERENCE, amount, code, &sign(&format!("{TERMINAL}{REFERENCE}{amount}")))
}

fn checked(event: &IpnEvent) -> bool {
    match event.proof {
        Proof::Hint(voucher) => voucher == Voucher::Checksum,
        Proof::Signed(_) => panic!("a push of this bank proves nothing"),
    }
}

#[test]
fn a_push_is_a_hint_whether_its_checksum_is_right_or_not() {
    for (code, claimed) in [("00", PaymentStatus::Paid), ("51", PaymentStatus::Pending)] {
        let right = push(&genuine("1100", code)).unwrap();
        assert!(checked(&right));
        assert_eq!(right.subject.merchant_ref.as_ref().unwrap().as_str(), REFERENCE);
        assert_eq!((right.claimed, right.amount), (Some(claimed), Some(money("1100"))));
        assert_eq!((right.code.as_deref(), right.text.as_deref()), (Some(code), Some("Амжилттай")));

        // The formula is inferred: refusing what does not match it might refuse the bank.
        let good = sign(&format!("{TERMINAL}{REFERENCE}1100"));
        for wrong in ["", "00", &good.to_uppercase(), &sign("another message"), &sign_with("other", &good)] {
            let event = push(&pushed(TERMINAL, REFERENCE, "1100", code, wrong)).unwrap();
            assert!(!checked(&event), "{wrong}");
            assert_eq!((event.claimed, event.amount), (right.claimed, right.amount));
        }
        let without = genuine("1100", code).replace("\"checksum\"", "\"other\"");
        assert!(!checked(&push(&without).unwrap()));
    }
}

#[test]
fn the_vector_of_the_inferred_formula_is_checked() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../vectors/golomt-instore.json")).unwrap();
    let vectors = vectors["vectors"].as_array().unwrap();
    let vector = vectors.iter().find(|vector| vector["name"] == "computed-push-as-check").unwrap();
    let key = vector["key"].as_str().unwrap();
    let (bank, _) = bank_with(GolomtInstoreConfig::new("12345678", key.into()));
    let checksum = vector["expected"].as_str().unwrap();
    let body = pushed("12345678", "INV20240819001", "1100", "00", checksum);
    assert!(checked(&verify(&bank, "POST", None, body.as_bytes()).unwrap()));
    let other = body.replace("\"1100\"", "\"1101\"");
    assert!(!checked(&verify(&bank, "POST", None, other.as_bytes()).unwrap()));
}

#[test]
fn a_second_secret_checks_too_while_the_bank_changes_over() {
    let mut config = config();
    config.verification_secrets = vec!["the-new-secret".into()];
    let (bank, _) = bank_with(config);
    let checksum = sign_with("the-new-secret", &format!("{TERMINAL}{REFERENCE}1100"));
    let body = pushed(TERMINAL, REFERENCE, "1100", "00", &checksum);
    assert!(checked(&verify(&bank, "POST", None, body.as_bytes()).unwrap()));
}

#[test]
fn a_body_and_a_query_are_both_read() {
    let (bank, _) = bank();
    let checksum = sign(&format!("{TERMINAL}{REFERENCE}1100.5"));
    let query = format!(
        "resp_code=00&resp_desc=%D0%90%D0%BC%D0%B6%D0%B8%D0%BB%D1%82%D1%82%D0%B0%D0%B9&amount=1100.5&checksum={checksum}&invoice={REFERENCE}&terminal={TERMINAL}"
    );
    for method in ["POST", "GET"] {
        let event = verify(&bank, method, Some(&query), b" \r\n").unwrap();
        assert!(checked(&event));
        assert_eq!((event.amount, event.text.as_deref()), (Some(money("1100.5")), Some("Амжилттай")));
    }
    // Where both are there, the body is the message.
    let body = genuine("1100", "00");
    let event = verify(&bank, "POST", Some("invoice=x&invoice=y"), body.as_bytes()).unwrap();
    assert_eq!(event.amount, Some(money("1100")));
    // A number for a number, and members that are new.
    let more =
        body.replace("\"1100\"", "1100").replace('}', r#","approval_code":"1","new":{"deep":[null]}}"#);
    assert!(checked(&push(&more).unwrap()));
    let shown = body.replace('}', r#","card_number":"4987381234563883"}"#);
    assert_eq!(push(&shown).unwrap().card.masked_number.as_deref(), Some("498738******3883"));
}

#[test]
fn a_repeat_is_recognised_and_a_failed_try_before_it_is_no_contradiction() {
    let event = |amount, code| push(&genuine(amount, code)).unwrap();
    let (first, again, other) = (event("1100", "00"), event("1100.00", "00"), event("1200", "00"));
    assert_eq!((first.repeat_key(), first.meaning()), (again.repeat_key(), again.meaning()));
    assert_eq!(first.repeat_key(), other.repeat_key());
    assert_ne!(first.meaning(), other.meaning(), "another amount is");
    let failed = event("1100", "51");
    assert_ne!(first.repeat_key(), failed.repeat_key());
}

#[test]
fn what_is_no_push_says_why() {
    let good = genuine("1100", "00");
    let deep = format!("{{\"invoice\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let long = format!("{{\"x\":\"{}\"}}", "x".repeat(1_000_000));
    let mut cases = vec![
        (String::new(), "terminal"),
        ("invoice=1&terminal=13161272".to_owned(), "not JSON"),
        ("[]".to_owned(), "not a JSON object"),
        ("{}".to_owned(), "terminal"),
        ("null".to_owned(), "not a JSON object"),
        (deep, ""),
        (long, "bytes"),
        (good.replace("\"00\"", "[0]"), "neither text nor a number"),
        (good.replace(REFERENCE, ""), "invoice"),
        (good.replace(REFERENCE, "a-b"), "invoice"),
        (good.replace(REFERENCE, &"a".repeat(33)), "invoice"),
        (good.replace(TERMINAL, ""), "terminal"),
        (
            good.replace('}', &format!(",\"invoice\":\"{OTHER}\"}}")),
            "invoice: the field stands more than once",
        ),
    ];
    cases.push((good[..good.len() / 2].to_owned(), "too early"));
    for (body, word) in cases {
        let error = push(&body).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
        assert!(error.to_string().contains(word), "{word} in {error}");
        assert!(error.to_string().len() < 300, "{error}");
    }
    let (bank, _) = bank();
    for method in ["PUT", "HEAD", "post", ""] {
        let error = verify(&bank, method, None, good.as_bytes()).unwrap_err();
        assert_eq!(error.field(), Some("method"));
    }
    for query in
        ["terminal=1&terminal=2", "terminal=%FF", &"a&".repeat(1000), &format!("terminal={TERMINAL}")]
    {
        assert_eq!(verify(&bank, "GET", Some(query), b"").unwrap_err().kind(), ErrorKind::Malformed);
    }
    // What amount a stranger claims does not matter; that nothing follows from it does.
    let strange = push(&genuine("1,100", "00")).unwrap();
    assert_eq!((strange.amount, checked(&strange)), (None, false));
}

#[test]
fn no_browser_comes_back_from_this_bank() {
    let (bank, _) = bank();
    let query = format!("invoice={REFERENCE}&terminal={TERMINAL}&resp_code=00");
    let delivery =
        Delivery { channel: Channel::Return, method: "GET", query: Some(&query), headers: &[], body: b"" };
    let error = bank.ipn().unwrap().verify(&delivery).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn each_outcome_is_answered_byte_for_byte() {
    let (bank, _) = bank();
    let answer = |outcome| bank.ipn().unwrap().acknowledge(outcome);
    let rejected = Error::new(ErrorKind::Malformed, "planted");
    for outcome in [
        IpnOutcome::Accepted,
        IpnOutcome::Repeat { completed: false },
        IpnOutcome::Repeat { completed: true },
        IpnOutcome::UnknownPayment,
        IpnOutcome::Ignored,
    ] {
        assert_eq!(answer(outcome), Reply::text(200, "OK"));
    }
    assert_eq!(answer(IpnOutcome::Rejected(&rejected)), Reply::text(400, "Rejected"));
    assert_eq!(answer(IpnOutcome::NotStored), Reply::text(503, "Not stored"));
}

/// Fifty tills behind one address: whoever has the push tries each account, as `/notify/golomt-instore` does.
#[test]
fn one_address_serves_fifty_tills() {
    let tills: Vec<GolomtInstore> = (0..50)
        .map(|number| {
            let name = AccountName::parse(format!("till-{number}")).unwrap();
            // Half of them share one secret, so that the checksum cannot tell them apart.
            let secret = if number % 2 == 0 { SECRET.to_owned() } else { format!("secret-{number}") };
            let config = GolomtInstoreConfig::new(format!("131612{number:02}"), secret.into());
            GolomtInstore::new(name, config, env().0).unwrap()
        })
        .collect();
    for (number, till) in tills.iter().enumerate() {
        let terminal = format!("131612{number:02}");
        let secret = if number % 2 == 0 { SECRET.to_owned() } else { format!("secret-{number}") };
        let right = sign_with(&secret, &format!("{terminal}{REFERENCE}1100"));
        // Also when the checksum is by a formula that nobody knows.
        for (checksum, is_checked) in [(right.as_str(), true), ("unknown", false)] {
            let body = pushed(&terminal, REFERENCE, "1100", "00", checksum);
            let readers: Vec<_> = tills
                .iter()
                .filter_map(|till| Some((till, verify(till, "POST", None, body.as_bytes()).ok()?)))
                .collect();
            let [(taker, event)] = &readers[..] else { panic!("{} tills took it", readers.len()) };
            assert_eq!(taker.info().account, till.info().account);
            assert_eq!(checked(event), is_checked);
        }
    }
    let stranger = pushed("99999999", REFERENCE, "1100", "00", "");
    for till in &tills {
        let error = verify(till, "POST", None, stranger.as_bytes()).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Untrusted, Some("terminal")));
        assert!(error.to_string().contains("99999999") && error.to_string().contains("131612"), "{error}");
    }
}

proptest! {
    /// However a genuine message is cut into fields anew, nothing is ever proven.
    #[test]
    fn no_push_is_too_strange_and_none_proves(
        at in 0_usize..400,
        bytes in prop::collection::vec(any::<u8>(), 0..20),
        cut in any::<bool>(),
    ) {
        let mut body = genuine("1100", "00").into_bytes();
        let at = at.min(body.len());
        if cut { body.truncate(at) }
        body.splice(at..at, bytes);
        let (bank, _) = bank();
        if let Ok(event) = verify(&bank, "POST", None, &body) {
            checked(&event);
        }
    }

    #[test]
    fn characters_that_wander_prove_nothing(moved in 1_usize..4) {
        // terminal + invoice + amount without separators: the same characters, the same checksum.
        let message = format!("{TERMINAL}{}1100", &REFERENCE[..20]);
        let checksum = sign(&message);
        let (reference, amount) = message[8..].split_at(20 + moved);
        let event = push(&pushed(TERMINAL, reference, amount, "00", &checksum)).unwrap();
        checked(&event);
    }
}
