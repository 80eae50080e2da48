//! Notifications and browser returns: what each proves, and what is refused.

use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::Digest as _;
use tulbur_core::{
    Channel, Delivery, Error, ErrorKind, IpnEvent, IpnOutcome, PaymentStatus, Proof, Provider, Reply, Voucher,
};
use tulbur_galaxy_pay::{GalaxyPayConfig, IpnStatusType};

use crate::common::*;

fn headers(content_type: &str) -> Vec<(String, String)> {
    vec![("Content-Type".to_owned(), content_type.to_owned())]
}

fn verify(config: GalaxyPayConfig, delivery: &Delivery<'_>) -> Result<IpnEvent, Error> {
    let (gateway, script) = gateway_with(config);
    let event = gateway.ipn().unwrap().verify(delivery);
    assert!(script.sent().is_empty(), "reading a delivery sends nothing");
    event
}

fn notify(config: GalaxyPayConfig, body: &[u8]) -> Result<IpnEvent, Error> {
    let headers = headers("application/json; charset=utf-8");
    let delivery =
        Delivery { channel: Channel::Notify, method: "POST", query: None, headers: &headers, body };
    verify(config, &delivery)
}

fn told(config: GalaxyPayConfig, document: &Value) -> Result<IpnEvent, Error> {
    let data = encode(document);
    notify(config, &notification(&data, &sign(&data)))
}

fn come_back(method: &str, query: Option<&str>, body: &[u8]) -> Result<IpnEvent, Error> {
    let headers = headers("application/x-www-form-urlencoded");
    verify(config(), &Delivery { channel: Channel::Return, method, query, headers: &headers, body })
}

fn form(data: &str) -> String {
    let mut form = tulbur_core::Url::parse("http://x/").unwrap();
    form.query_pairs_mut().append_pair("data", data).append_pair("signature", &sign(data));
    form.query().unwrap().to_owned()
}

fn proven(event: &IpnEvent) -> Option<PaymentStatus> {
    match &event.proof {
        Proof::Signed(facts) => {
            assert_eq!(facts.amount, vnd(100_000));
            Some(facts.status)
        }
        Proof::Hint(voucher) => {
            assert_eq!(*voucher, Voucher::Checksum, "the signature was right");
            None
        }
    }
}

#[test]
fn a_notification_is_proof_in_both_versions() {
    for (outer, inner, status) in [
        ("200", None, PaymentStatus::Paid),
        ("200", Some("200"), PaymentStatus::Paid),
        ("499", None, PaymentStatus::Canceled),
        ("499", Some("499"), PaymentStatus::Canceled),
        ("408", None, PaymentStatus::Expired),
        ("505", None, PaymentStatus::Declined),
        ("200", Some("505"), PaymentStatus::Declined),
        ("499", Some("200"), PaymentStatus::Pending),
        ("200", Some("504"), PaymentStatus::Pending),
        ("00", None, PaymentStatus::Pending),
    ] {
        let event = told(config(), &callback(REQUEST, outer, inner)).unwrap();
        assert_eq!(proven(&event), Some(status), "{outer} {inner:?}");
        let Proof::Signed(facts) = &event.proof else { unreachable!() };
        assert_eq!(facts.merchant_ref.as_ref().unwrap().as_str(), REFERENCE);
        assert_eq!(facts.provider_ref.as_ref().unwrap().as_str(), TRANSACTION);
        assert_eq!((event.claimed, event.amount), (Some(status), Some(vnd(100_000))));
        assert_eq!(event.code.as_deref(), Some(inner.unwrap_or(outer)));
        let words = if inner.is_some() { "Giao dịch thành công." } else { "Thành công" };
        assert_eq!(event.text.as_deref(), Some(words));
    }
}

#[test]
fn scalars_may_be_numbers_and_whitespace_is_not_ours_to_judge() {
    let mut document = callback(REQUEST, "200", Some("200"));
    document["responseCode"] = 200.into();
    document["responseData"]["transactionStatus"] = 200.into();
    document["responseData"]["orderAmount"] = 100_000.into();
    assert_eq!(proven(&told(config(), &document).unwrap()), Some(PaymentStatus::Paid));
    let data = {
        use base64::Engine as _;
        let pretty = serde_json::to_string_pretty(&document).unwrap();
        base64::engine::general_purpose::STANDARD.encode(pretty)
    };
    let event = notify(config(), &notification(&data, &sign(&data))).unwrap();
    assert_eq!(proven(&event), Some(PaymentStatus::Paid));
}

/// A notification names the request that it is about, and that request's id tells whether money was only held.
#[test]
fn held_money_is_not_taken_money() {
    let id = |mark: &str| format!("{REQUEST}{mark}");
    for (config, request, status) in [
        (all(), id(""), Some(PaymentStatus::Paid)),
        (all(), id("h"), Some(PaymentStatus::Authorized)),
        (config(), id("h"), Some(PaymentStatus::Authorized)),
        // A success of a refund or a void is no payment's.
        (all(), id("c"), None),
        (config(), id("c"), None),
        // A request that is not ours might have held it, where that is possible.
        (all(), "14653fa1-2f69-4f4f-9d4b-240e1bebbdf3".into(), None),
        (config(), "14653fa1-2f69-4f4f-9d4b-240e1bebbdf3".into(), Some(PaymentStatus::Paid)),
    ] {
        let event = told(config, &callback(&request, "200", Some("200"))).unwrap();
        assert_eq!(proven(&event), status, "{request}");
    }
    let event = told(all(), &callback(&id("h"), "499", None)).unwrap();
    assert_eq!(proven(&event), Some(PaymentStatus::Canceled));
}

#[test]
fn a_saved_card_comes_with_a_payment_that_succeeded() {
    for (code, status, token, saved) in [
        ("200", "200", Some(TOKEN), true),
        ("200", "500", Some(TOKEN), false),
        ("200", "200", None, false),
        ("499", "200", Some(TOKEN), false),
    ] {
        let mut document = callback(REQUEST, code, Some(code));
        document["responseData"]["tokenization"] = tokenization(status, token);
        let event = told(config(), &document).unwrap();
        assert_eq!(event.saved_card.as_ref().map(|card| card.token.expose()), saved.then_some(TOKEN));
        assert_eq!(event.card.masked_number.as_deref(), Some("401200******0026"));
        assert_eq!(
            (event.card.brand.as_deref(), event.card.bank.as_deref()),
            (Some("VISA"), Some("VIETCOMBANK"))
        );
        // A browser brings none, whatever it says.
        let back = come_back("POST", None, form(&encode(&document)).as_bytes()).unwrap();
        assert_eq!(back.saved_card, None);
    }
}

#[test]
fn without_an_amount_or_currency_nothing_is_proven() {
    for missing in ["orderAmount", "orderCurrency"] {
        let mut document = callback(REQUEST, "200", None);
        document["responseData"][missing] = Value::Null;
        let event = told(config(), &document).unwrap();
        assert_eq!((proven(&event), event.amount), (None, None), "{missing}");
    }
}

fn link_document(code: &str) -> Value {
    json!({
        "requestId": "cd80bae6-3d24-44a8-9760-71b3e17fe27c", "responseDateTime": "20231115051400",
        "responseCode": code, "responseMessage": "Success",
        "responseData": { "orderNo": LINK, "orderReference": "TS1909", "orderAmount": "100000",
            "extraData": { "fullName": "Nguyễn Văn A" } },
    })
}

/// Its signature's formula is inferred, and there is nothing to ask: it proves only where that is accepted.
#[test]
fn a_payment_link_is_paid_by_its_notification_where_that_is_accepted() {
    for (config, code, status) in [
        (all(), "200", Some(PaymentStatus::Paid)),
        (all(), "499", Some(PaymentStatus::Canceled)),
        (config(), "200", None),
    ] {
        let event = told(config, &link_document(code)).unwrap();
        assert_eq!(proven(&event), status);
        assert_eq!(event.subject.merchant_ref, None);
        assert_eq!(event.subject.provider_ref.as_ref().unwrap().as_str(), LINK);
        assert_eq!(event.amount, Some(vnd(100_000)));
    }
    let data = encode(&link_document("200"));
    let error = notify(all(), &notification(&data, &sign(data.clone() + "x"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Untrusted);
}

#[test]
fn a_repeat_and_a_contradiction_are_told_apart() {
    let one = told(config(), &callback(REQUEST, "200", None)).unwrap();
    let again = told(config(), &callback(REQUEST, "200", Some("200"))).unwrap();
    assert_eq!((one.repeat_key(), one.meaning()), (again.repeat_key(), again.meaning()));
    let other = told(config(), &callback(REQUEST, "499", None)).unwrap();
    assert_eq!(one.repeat_key(), other.repeat_key());
    assert_ne!(one.meaning(), other.meaning());
}

#[test]
fn the_payer_comes_back_by_query_or_form_and_is_believed_if_the_signature_is_right() {
    let data = encode(&callback(REQUEST, "499", Some("499")));
    let form = form(&data);
    for event in [
        come_back("GET", Some(&form), b""),
        come_back("POST", None, form.as_bytes()),
        come_back("GET", Some(&format!("order=7&{form}")), b""),
        come_back("GET", Some(&format!("order=7?{form}")), b""),
    ] {
        assert_eq!(proven(&event.unwrap()), Some(PaymentStatus::Canceled));
    }
    for strange in [
        come_back("PUT", Some(&form), b""),
        come_back("GET", None, b""),
        come_back("GET", Some("order=7"), b""),
        come_back("GET", Some(&format!("{form}&data=")), b""),
        come_back("POST", Some(&form), b""),
    ] {
        assert_eq!(strange.unwrap_err().kind(), ErrorKind::Malformed);
    }
    let unsigned = format!("data={}", form.split('&').next().unwrap().trim_start_matches("data="));
    assert_eq!(come_back("GET", Some(&unsigned), b"").unwrap_err().kind(), ErrorKind::Untrusted);
}

/// Base64 with a `+` that nobody encoded: a blank after decoding.
#[test]
fn a_plus_that_became_a_blank_is_put_back() {
    let mut document = callback(REQUEST, "200", None);
    let data = (0..64)
        .map(|filler| {
            document["responseData"]["orderDescription"] = format!("{}>>>???~~~", "x".repeat(filler)).into();
            encode(&document)
        })
        .find(|data| data.contains('+'))
        .expect("some text has a plus");
    let raw = format!("data={data}&signature={}", sign(&data));
    assert!(raw.contains('+'));
    assert_eq!(proven(&come_back("GET", Some(&raw), b"").unwrap()), Some(PaymentStatus::Paid));
    assert_eq!(proven(&come_back("POST", None, raw.as_bytes()).unwrap()), Some(PaymentStatus::Paid));
}

#[test]
fn a_signature_is_needed_and_must_be_the_texts_own() {
    let data = encode(&callback(REQUEST, "200", None));
    let right = sign(&data);
    let other = encode(&callback(REQUEST, "200", Some("200")));
    let decoded = callback(REQUEST, "200", None).to_string();
    for wrong in [
        "",
        " ",
        "null",
        &right.to_uppercase(),
        &right[1..],
        &format!("{right} "),
        &sign(&other),
        &sign(&decoded),
        &sign_with("another-salt", data.as_bytes()),
        &hex::encode(sha2::Sha256::digest(format!("{SALT}{data}"))),
    ] {
        let error = notify(config(), &notification(&data, wrong)).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Untrusted, Some("signature")), "{wrong}");
    }
    let missing = json!({ "data": data }).to_string();
    assert_eq!(notify(config(), missing.as_bytes()).unwrap_err().kind(), ErrorKind::Untrusted);
    for doubled in ["data", "signature"] {
        let body = format!(r#"{{"{doubled}":"x","data":"{data}","signature":"{right}"}}"#);
        let error = notify(config(), body.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(error.to_string().contains(doubled), "{error}");
    }
    // The text is not repaired where nothing broke it.
    let blank = data.replacen('A', " ", 1);
    assert_eq!(notify(config(), &notification(&blank, &right)).unwrap_err().kind(), ErrorKind::Untrusted);
}

#[test]
fn a_salt_can_be_changed_without_losing_a_notification() {
    let data = encode(&callback(REQUEST, "200", None));
    let body = notification(&data, &sign_with("the-next-salt-of-all", data.as_bytes()));
    assert_eq!(notify(config(), &body).unwrap_err().kind(), ErrorKind::Untrusted);
    let mut config = config();
    config.verification_salts = vec!["the-next-salt-of-all".into()];
    assert_eq!(proven(&notify(config, &body).unwrap()), Some(PaymentStatus::Paid));
}

/// Genuine, and yet not what the gateway documents.
#[test]
fn a_genuine_text_that_cannot_be_read_is_refused_and_not_quoted() {
    let signed = |data: &str| notify(config(), &notification(data, &sign(data))).unwrap_err();
    for data in ["planted!", "cGxhbnRlZA", "cGxhbnRlZA==", "e30=", "W10=", "bnVsbA==", "/w=="] {
        let error = signed(data);
        assert_eq!(error.kind(), ErrorKind::Malformed, "{data}");
        assert!(!error.to_string().contains("planted"), "{error}");
    }
    for (name, value) in [
        ("transactionID", Value::Null),
        ("transactionID", "x".repeat(300).into()),
        ("orderID", "".into()),
        ("orderID", "a\nb".into()),
        ("orderAmount", "1,000".into()),
        ("orderAmount", "-1".into()),
        ("orderAmount", "1.5".into()),
        ("orderAmount", json!({ "a": 1 })),
        ("orderCurrency", "XXX".into()),
        ("orderCurrency", "dong".into()),
        ("tokenization", "planted".into()),
    ] {
        let mut document = callback(REQUEST, "200", None);
        document["responseData"][name] = value;
        let error = told(config(), &document).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{document}");
        assert!(!error.to_string().contains("planted"), "{error}");
    }
    for name in ["responseCode", "responseData"] {
        let mut document = callback(REQUEST, "200", None);
        document[name] = Value::Null;
        assert_eq!(told(config(), &document).unwrap_err().field(), Some(name));
    }
}

#[test]
fn what_is_no_notification_says_why() {
    let data = encode(&callback(REQUEST, "200", None));
    let good = notification(&data, &sign(&data));
    let deliver = |method: &str, content_type: Option<&str>, body: &[u8]| {
        let headers = content_type.map(headers).unwrap_or_default();
        verify(config(), &Delivery { channel: Channel::Notify, method, query: None, headers: &headers, body })
    };
    assert!(deliver("POST", None, &good).is_ok(), "no content type is no contradiction");
    assert!(deliver("POST", Some("text/plain; charset=utf-8"), &good).is_ok());
    let with_mark = [b"\xef\xbb\xbf".as_slice(), &good].concat();
    assert!(deliver("POST", Some("application/json"), &with_mark).is_ok());
    let mut other_charset = good.clone();
    other_charset.splice(1..1, *b"\"bank\":\"\xc3\xee\xeb\",");
    assert!(deliver("POST", Some("application/json"), &other_charset).is_ok(), "unsigned words");
    for (method, content_type, field) in [
        ("GET", Some("application/json"), "method"),
        ("POST", Some("application/x-www-form-urlencoded"), "content-type"),
        ("POST", Some("text/html"), "content-type"),
    ] {
        let error = deliver(method, content_type, &good).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Malformed, Some(field)));
    }
    let large = notification(&"A".repeat(70_000), "x");
    for body in [&b""[..], b"{}", b"[]", b"null", b"\xFF", b"data=x&signature=y", &large] {
        let error = deliver("POST", Some("application/json"), body).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Malformed,
            "{}",
            String::from_utf8_lossy(&body[..body.len().min(40)])
        );
    }
}

/// Exactly what the guide has (G 2.7.2); what was not taken never looks like it.
#[test]
fn each_outcome_has_its_reply() {
    let rejected = Error::new(ErrorKind::Untrusted, "x");
    for kind in [IpnStatusType::String, IpnStatusType::Number] {
        let mut config = config();
        config.ipn_status = kind;
        let (gateway, _) = gateway_with(config);
        let ipn = gateway.ipn().unwrap();
        let said = |code: &str, words: &str| {
            let code = if kind == IpnStatusType::String { format!("\"{code}\"") } else { code.to_owned() };
            Reply::json(200, format!(r#"{{"ipnStatus":{code},"ipnDescription":"{words}"}}"#))
        };
        for (outcome, reply) in [
            (IpnOutcome::Accepted, said("200", "processed")),
            (IpnOutcome::Repeat { completed: false }, said("200", "processed before")),
            (IpnOutcome::Repeat { completed: true }, said("409", "already completed")),
            (IpnOutcome::UnknownPayment, said("404", "transaction not found")),
            (IpnOutcome::Ignored, said("200", "of no interest")),
            (IpnOutcome::Rejected(&rejected), Reply::text(400, "Rejected")),
            (IpnOutcome::NotStored, Reply::text(500, "Not stored")),
        ] {
            assert_eq!(ipn.acknowledge(outcome), reply);
        }
    }
}

proptest! {
    #[test]
    fn no_delivery_is_too_strange(
        body in prop::collection::vec(any::<u8>(), 0..300),
        query in prop::option::of(".{0,100}"),
        method in prop::sample::select(vec!["GET", "POST", "PUT", ""]),
        notify in any::<bool>(),
    ) {
        let channel = if notify { Channel::Notify } else { Channel::Return };
        let delivery = Delivery { channel, method, query: query.as_deref(), headers: &[], body: &body };
        prop_assert!(verify(config(), &delivery).is_err(), "nothing unsigned is ever an event");
    }

    /// Any JSON that the gateway might sign: an event about what it names, or an error; a payment only with both codes.
    #[test]
    fn no_genuine_text_is_too_strange(
        outer in prop::sample::select(vec!["200", "499", "504", "", "00"]),
        inner in prop::option::of(prop::sample::select(vec!["200", "505", ""])),
        name in prop::sample::select(vec!["transactionID", "orderID", "orderAmount", "orderNo", "tokenization", "x"]),
        value in prop::sample::select(vec!["null", "\"\"", "7", "[]", "{}", "true", "\"\\u0000\"", "1e400"]),
    ) {
        let mut document = callback(REQUEST, outer, inner);
        document["responseData"][name] = "placeholder".into();
        let text = document.to_string().replace("\"placeholder\"", value);
        let data = { use base64::Engine as _; base64::engine::general_purpose::STANDARD.encode(text) };
        if let Ok(event) = notify(all(), &notification(&data, &sign(&data))) {
            let both = outer == "200" && inner.is_none_or(|inner| inner == "200" || inner.is_empty());
            if let Proof::Signed(facts) = &event.proof {
                prop_assert!(!facts.status.is_paid() || both);
            }
        }
    }

    /// One bit of the text or the signature changed: nothing follows from it.
    #[test]
    fn a_changed_bit_is_found(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let data = encode(&callback(REQUEST, "200", Some("200")));
        let signed = [data.clone(), sign(&data)].join("|");
        let mut changed = signed.clone().into_bytes();
        let at = at.index(changed.len());
        changed[at] ^= 1 << bit;
        if let Some((data, signature)) = String::from_utf8(changed).ok().as_deref().and_then(|text| text.split_once('|')) {
            let error = notify(config(), &notification(data, signature)).unwrap_err();
            prop_assert!(matches!(error.kind(), ErrorKind::Untrusted | ErrorKind::Malformed));
        }
    }
}
