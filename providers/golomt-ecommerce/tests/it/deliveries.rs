//! Pushes and browser returns: what each proves, and what is refused.

use proptest::prelude::*;
use tulbur_core::{
    Channel, Delivery, Error, ErrorKind, IpnEvent, IpnOutcome, IpnProvider, PaymentStatus, Proof, Provider,
    Reply, Voucher,
};

use crate::common::*;

fn headers(content_type: &str) -> Vec<(String, String)> {
    vec![("Content-Type".to_owned(), content_type.to_owned())]
}

fn verify(delivery: &Delivery<'_>) -> Result<IpnEvent, Error> {
    let (bank, script) = bank();
    let event = bank.ipn().unwrap().verify(delivery);
    assert!(script.sent().is_empty(), "reading a delivery sends nothing");
    event
}

fn push(body: &[u8]) -> Result<IpnEvent, Error> {
    let headers = headers("application/json;charset=UTF-8");
    verify(&Delivery { channel: Channel::Notify, method: "POST", query: None, headers: &headers, body })
}

fn come_back(method: &str, query: Option<&str>, body: &[u8]) -> Result<IpnEvent, Error> {
    let headers = headers("application/x-www-form-urlencoded");
    verify(&Delivery { channel: Channel::Return, method, query, headers: &headers, body })
}

fn refused(body: &str, kind: ErrorKind, field: &str) {
    let error = push(body.as_bytes()).expect_err(body);
    assert_eq!((error.kind(), error.field()), (kind, Some(field)), "{error}: {body}");
}

#[test]
fn a_push_whose_checksum_covers_everything_is_proof() {
    for (code, amount, token, status) in [
        ("000", "1500.00", None, PaymentStatus::Paid),
        ("000", "1500", Some(CARD), PaymentStatus::Paid),
        ("300", "1500.0", None, PaymentStatus::Declined),
    ] {
        let event = push(result(REFERENCE, Some(code), amount, token).as_bytes()).unwrap();
        let Proof::Signed(facts) = &event.proof else { panic!("{event:?}") };
        assert_eq!(facts.merchant_ref.as_ref().unwrap().as_str(), REFERENCE);
        assert_eq!((facts.status, facts.amount), (status, money("1500")));
        assert_eq!((event.claimed, event.amount), (Some(status), Some(money("1500"))));
        assert_eq!((event.code.as_deref(), event.text.as_deref()), (Some(code), Some("Амжилттай")));
        assert_eq!(event.subject.merchant_ref.as_ref().unwrap().as_str(), REFERENCE);
        assert_eq!(event.saved_card.as_ref().map(|saved| saved.token.expose()), token);
        assert_eq!(event.card.masked_number.as_deref(), Some("949625******0003"));
    }
}

#[test]
fn a_repeat_and_a_contradiction_are_told_apart() {
    let event = |code, amount| push(result(REFERENCE, Some(code), amount, None).as_bytes()).unwrap();
    let (first, again) = (event("000", "1500.00"), event("000", "1500"));
    assert_eq!((first.repeat_key(), first.meaning()), (again.repeat_key(), again.meaning()));
    for other in [event("300", "1500.00"), event("000", "1500.01")] {
        assert_eq!(first.repeat_key(), other.repeat_key());
        assert_ne!(first.meaning(), other.meaning());
    }
}

#[test]
fn a_token_of_another_shape_makes_it_a_hint() {
    let event = push(result(REFERENCE, Some("000"), "1500.00", Some("tok-abc")).as_bytes()).unwrap();
    assert!(matches!(event.proof, Proof::Hint(Voucher::Checksum)));
    assert_eq!(event.saved_card, None, "the query brings it");
}

#[test]
fn characters_that_moved_across_a_boundary_are_named_although_the_checksum_is_right() {
    use ErrorKind::Untrusted;
    let longer = format!("0{CARD}");
    let moved = |reference: &str, code, amount, token, field| {
        refused(&result(reference, code, amount, token), Untrusted, field);
    };
    moved(&REFERENCE[..31], Some("b00"), "01500.00", None, "transactionId");
    moved(&format!("{REFERENCE}0"), Some("001"), "500.00", None, "transactionId");
    moved(REFERENCE, Some("00"), "01500.00", None, "errorCode");
    moved(REFERENCE, Some("0001"), "500.00", None, "errorCode");
    moved(REFERENCE, None, "0001500.00", None, "errorCode");
    moved(REFERENCE, Some("000"), "1500.002", Some(&CARD[1..]), "amount");
    moved(REFERENCE, Some("000"), "1500.0", Some(&longer), "token");
    moved(REFERENCE, Some("000"), "1500.0", Some("0"), "token");
    moved(REFERENCE, Some("000"), "15", Some("00.00"), "token");
    // Not moved, but no such amounts either.
    moved(REFERENCE, Some("000"), "1500.001", None, "amount");
    moved(REFERENCE, Some("000"), "1,500.00", None, "amount");
    moved(REFERENCE, Some("000"), "-1", None, "amount");
    moved("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f", Some("000"), "1500.00", None, "transactionId");
}

#[test]
fn a_checksum_is_needed_and_must_be_the_pushs_own() {
    use ErrorKind::{Malformed, Untrusted};
    let good = result(REFERENCE, Some("000"), "1500.00", None);
    let own = sign(&format!("{REFERENCE}0001500.00"));
    refused(&good.replace(&format!(",\"checksum\":\"{own}\""), ""), Untrusted, "checksum");
    for other in [
        "",
        "null",
        &own.to_uppercase(),
        &own[1..],
        &sign(&format!("{OTHER}0001500.00")),
        &sign(&format!("{REFERENCE}0001500.01")),
        &sign(&format!("{REFERENCE}3001500.00")),
        &sign_with("another-secret", &format!("{REFERENCE}0001500.00")),
    ] {
        refused(&good.replace(&own, other), Untrusted, "checksum");
    }
    let doubled = good.replace('}', &format!(",\"checksum\":\"{own}\"}}"));
    let error = push(doubled.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), Malformed);
    assert!(error.to_string().contains("checksum: the field stands more than once"), "{error}");
    let doubled = good.replace('}', ",\"errorCode\":\"000\"}");
    assert!(push(doubled.as_bytes()).unwrap_err().to_string().contains("errorCode: the field stands more"));
    // Another payment, another amount, another result under this checksum.
    for (from, to) in [(REFERENCE, OTHER), ("1500.00", "1500.01"), ("\"000\"", "\"300\"")] {
        refused(&good.replace(from, to), Untrusted, "checksum");
    }
}

/// A bank's library may say plain text, begin with a byte order mark, or write words in another charset.
#[test]
fn how_a_push_is_wrapped_does_not_matter_if_its_checksum_is_right() {
    let good = result(REFERENCE, Some("000"), "1500.00", None);
    let at = good.find("Golomt").unwrap();
    let mut other_charset = good.clone().into_bytes();
    other_charset.splice(at..at + 6, *b"\xc3\xee\xeb\xee\xec\xf2");
    let with_mark = [b"\xef\xbb\xbf".as_slice(), good.as_bytes()].concat();
    for (content_type, body) in [
        ("text/plain", good.as_bytes()),
        ("Text/Plain; charset=windows-1251", &other_charset),
        ("application/json", &with_mark),
    ] {
        let headers = headers(content_type);
        let delivery =
            Delivery { channel: Channel::Notify, method: "POST", query: None, headers: &headers, body };
        let event = verify(&delivery).unwrap();
        assert!(matches!(event.proof, tulbur_core::Proof::Signed(_)), "{content_type}");
    }
    // What the checksum covers is not guessed at.
    for field in [REFERENCE, "1500.00"] {
        let mut broken = good.clone().into_bytes();
        broken[good.find(field).unwrap()] = 0xc3;
        assert_eq!(push(&broken).unwrap_err().kind(), ErrorKind::Untrusted, "{field}");
    }
}

#[test]
fn what_is_no_push_says_why() {
    let good = result(REFERENCE, Some("000"), "1500.00", None);
    let deep = format!("{{\"transactionId\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let bodies: [(Vec<u8>, &str); 8] = [
        (Vec::new(), "ends too early"),
        (b"invoice=1&status_code=000".to_vec(), "not JSON"),
        (b"[]".to_vec(), "not a JSON object"),
        (b"{}".to_vec(), "transactionId"),
        (deep.into_bytes(), "transactionId"),
        (format!("{{\"x\":\"{}\"}}", "x".repeat(1_000_000)).into_bytes(), "bytes"),
        (good.replace("\"000\"", "0").into_bytes(), "errorCode"),
        (good.replace("\"1500.00\"", "[1500]").into_bytes(), "amount"),
    ];
    for (body, word) in bodies {
        let error = push(&body).unwrap_err();
        assert!(error.to_string().contains(word), "{word} in {error}");
        assert!(error.to_string().len() < 300, "{error}");
    }
    for method in ["GET", "PUT", "HEAD", "post"] {
        let headers = headers("application/json");
        let delivery = Delivery {
            channel: Channel::Notify,
            method,
            query: None,
            headers: &headers,
            body: good.as_bytes(),
        };
        assert_eq!(verify(&delivery).unwrap_err().field(), Some("method"));
    }
    for content_type in ["text/html", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let headers = headers(content_type);
        let delivery = Delivery {
            channel: Channel::Notify,
            method: "POST",
            query: None,
            headers: &headers,
            body: good.as_bytes(),
        };
        assert_eq!(verify(&delivery).unwrap_err().field(), Some("content-type"));
    }
    let delivery = Delivery {
        channel: Channel::Notify,
        method: "POST",
        query: None,
        headers: &[],
        body: good.as_bytes(),
    };
    assert!(verify(&delivery).is_ok(), "the header alone is not what makes it genuine");
}

#[test]
fn what_the_bank_adds_one_day_is_passed_over() {
    let good = result(REFERENCE, Some("000"), "1500.00", None);
    let more = good.replace('}', r#","status":"SENT","bankCode":"15","new":{"deep":[1,{"er":null}]}}"#);
    let more = more.replacen("\"status\":\"SENT\",", "", 1);
    assert!(matches!(push(more.as_bytes()).unwrap().proof, Proof::Signed(_)));
    let without_token = good.replace("\"token\":null,", "");
    assert!(matches!(push(without_token.as_bytes()).unwrap().proof, Proof::Signed(_)));
    let as_number = good.replace("\"1500.00\"", "1500.00");
    assert!(matches!(push(as_number.as_bytes()).unwrap().proof, Proof::Signed(_)));
}

#[test]
fn a_return_is_only_ever_a_hint() {
    for (method, text, code, status) in [
        ("GET", format!("invoice={REFERENCE}&status_code=000"), Some("000"), Some(PaymentStatus::Paid)),
        (
            "POST",
            format!("invoice={REFERENCE}&status_code=000&desc="),
            Some("000"),
            Some(PaymentStatus::Paid),
        ),
        (
            "GET",
            format!("invoice={REFERENCE}&status_code=179&desc=Acquirer+/+Issuer+Host+Declined"),
            Some("179"),
            Some(PaymentStatus::Declined),
        ),
        (
            "GET",
            format!("order=7&invoice={REFERENCE}&status_code=000"),
            Some("000"),
            Some(PaymentStatus::Paid),
        ),
        (
            "GET",
            format!("order=7?invoice={REFERENCE}&status_code=000"),
            Some("000"),
            Some(PaymentStatus::Paid),
        ),
        (
            "GET",
            format!("a=1&order=7?invoice={REFERENCE}&status_code=300"),
            Some("300"),
            Some(PaymentStatus::Declined),
        ),
        ("GET", format!("invoice={REFERENCE}"), None, None),
        ("GET", format!("invoice={REFERENCE}&status_code="), None, None),
    ] {
        let (query, body) =
            if method == "GET" { (Some(text.as_str()), &b""[..]) } else { (None, text.as_bytes()) };
        let event = come_back(method, query, body).unwrap();
        assert!(matches!(event.proof, Proof::Hint(Voucher::None)));
        assert_eq!(event.subject.merchant_ref.as_ref().unwrap().as_str(), REFERENCE);
        assert_eq!((event.code.as_deref(), event.claimed, event.amount), (code, status, None), "{text}");
    }
    let query = format!("invoice={REFERENCE}&status_code=179&desc=Acquirer+/+Issuer+Host+Declined");
    let event = come_back("GET", Some(&query), b"").unwrap();
    assert_eq!(event.text.as_deref(), Some("Acquirer / Issuer Host Declined"));
}

#[test]
fn a_return_that_cannot_be_read_says_why() {
    let twice = format!("invoice={REFERENCE}&invoice={OTHER}&status_code=000");
    let many = "a&".repeat(1000);
    let long = format!("invoice={}", "x".repeat(70_000));
    let control = "invoice=a%0Ab";
    for (query, word) in [
        ("", "invoice"),
        ("status_code=000", "invoice"),
        ("invoice=&status_code=000", "invoice"),
        (twice.as_str(), "more than once"),
        ("invoice=%FF", "UTF-8"),
        (many.as_str(), "fields"),
        (long.as_str(), "bytes"),
        (control, "control"),
    ] {
        let error = come_back("GET", Some(query), b"").unwrap_err();
        assert!(error.to_string().contains(word), "{word} in {error}");
    }
    assert_eq!(come_back("PUT", Some("invoice=1"), b"").unwrap_err().field(), Some("method"));
    let long = format!("invoice={REFERENCE}&desc={}%0A", "x+".repeat(10_000));
    assert_eq!(come_back("GET", Some(&long), b"").unwrap().text.unwrap().len(), 300);
}

#[test]
fn each_outcome_is_answered_byte_for_byte() {
    let (bank, _) = bank();
    let rejected = Error::new(ErrorKind::Untrusted, "planted reason");
    for (outcome, status, body) in [
        (IpnOutcome::Accepted, 200, "OK"),
        (IpnOutcome::Repeat { completed: false }, 200, "OK"),
        (IpnOutcome::Repeat { completed: true }, 200, "OK"),
        (IpnOutcome::UnknownPayment, 200, "OK"),
        (IpnOutcome::Ignored, 200, "OK"),
        (IpnOutcome::Rejected(&rejected), 400, "Rejected"),
        (IpnOutcome::NotStored, 503, "Not stored"),
    ] {
        assert_eq!(bank.acknowledge(outcome), Reply::text(status, body));
    }
}

fn any_delivery(channel: Channel) -> impl Strategy<Value = (Channel, String, Option<String>, Vec<u8>)> {
    let method = prop::sample::select(vec!["POST", "GET", "PUT"]).prop_map(str::to_owned);
    let strange = prop::collection::vec(any::<u8>(), 0..400);
    let almost = (0_usize..500, any::<u8>()).prop_map(|(at, byte)| {
        let mut body = result(REFERENCE, Some("000"), "1500.00", Some(CARD)).into_bytes();
        let at = at % body.len();
        body[at] = byte;
        body
    });
    let body = prop_oneof![strange, almost];
    (Just(channel), method, prop::option::of("[ -~]{0,80}"), body)
}

proptest! {
    #[test]
    fn no_delivery_is_too_strange(
        (channel, method, query, body) in prop_oneof![any_delivery(Channel::Notify), any_delivery(Channel::Return)],
    ) {
        let delivery = Delivery { channel, method: &method, query: query.as_deref(), headers: &[], body: &body };
        if let Ok(event) = verify(&delivery)
            && let Proof::Signed(facts) = event.proof
        {
            // One changed byte in what is covered would not have been proven.
            prop_assert_eq!(facts.amount, money("1500"));
            prop_assert_eq!(facts.status, PaymentStatus::Paid);
            prop_assert_eq!(facts.merchant_ref.as_ref().unwrap().as_str(), REFERENCE);
            prop_assert_eq!(channel, Channel::Notify);
        }
    }

    /// What the bank signed is proven, and means what it says.
    #[test]
    fn every_genuine_push_is_proof(
        minor in 1_i64..10_000_000_000,
        code in "[0-9]{3}",
        card in any::<bool>(),
        shortest in any::<bool>(),
    ) {
        let amount = tulbur_core::Money::from_minor(minor, tulbur_core::Currency::MNT);
        let format = if shortest { tulbur_core::AmountFormat::Shortest } else { tulbur_core::AmountFormat::Fixed(2) };
        let text = format.render(amount).unwrap();
        let body = result(REFERENCE, Some(&code), text.as_str(), card.then_some(CARD));
        let event = push(body.as_bytes()).unwrap();
        let Proof::Signed(facts) = event.proof else { panic!("a hint only: {body}") };
        prop_assert_eq!(facts.amount, amount);
        prop_assert_eq!(facts.status.is_paid(), code == "000");
    }
}
