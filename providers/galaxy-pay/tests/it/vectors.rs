//! The published signatures, and those that were derived for byte exactness (`tests/vectors/galaxy-pay.json`).

use base64::Engine as _;
use serde_json::Value;
use tulbur_core::{
    Channel, Currency, Delivery, ErrorKind, Money, PaymentStatus, Proof, Provider, Scheme, SigningKeys,
};
use tulbur_galaxy_pay::GalaxyPayConfig;

use crate::common::*;

fn vectors() -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../vectors/galaxy-pay.json")).unwrap();
    all["vectors"].as_array().unwrap().clone()
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap_or_else(|| panic!("{name} of {}", vector["name"]))
}

/// Those with a salt whose signature is known to come out.
fn signed() -> Vec<Value> {
    let is = |vector: &Value| vector["reproduced"] == true && vector["salt"].is_string();
    let signed: Vec<Value> = vectors().into_iter().filter(is).collect();
    assert_eq!(signed.len(), 15, "no vector is passed over");
    signed
}

#[test]
fn every_signature_is_made_and_checked() {
    for vector in signed() {
        let salts = SigningKeys::new(Scheme::SaltedSha256, &[text(&vector, "salt").into()]).unwrap();
        let (message, expected) = (text(&vector, "message"), text(&vector, "expected"));
        assert_eq!(salts.sign(&[message]), expected, "{}", vector["name"]);
        assert!(salts.check(&[message], Some(expected)).is_ok());
        assert!(salts.check(&[format!("{message} ")], Some(expected)).is_err());
        if let Some(other) = vector["must_not_equal"].as_str() {
            assert_ne!(salts.sign(&[message]), other);
        }
    }
}

fn deliver(data: &str, signature: &str) -> Result<tulbur_core::IpnEvent, tulbur_core::Error> {
    let mut config = GalaxyPayConfig::new("key".into(), "GO@2021".into());
    config.accept_short_salt = true;
    let (gateway, _) = gateway_with(config);
    let body = notification(data, signature);
    let delivery =
        Delivery { channel: Channel::Notify, method: "POST", query: None, headers: &[], body: &body };
    gateway.ipn().unwrap().verify(&delivery)
}

#[test]
fn the_published_callbacks_prove_what_they_say() {
    let vnd = |units| Money::from_major(units, Currency::VND).unwrap();
    for (name, status, amount, order, transaction) in [
        (
            "callback-signature-cancel-499",
            PaymentStatus::Canceled,
            109_000,
            "888289",
            "22050699e65d9a71d548e6b67323aef1a494ac",
        ),
        (
            "callback-signature-result-ipn-200",
            PaymentStatus::Paid,
            109_000,
            "888289",
            "22050699e65d9a71d548e6b67323aef1a494ac",
        ),
        (
            "derived-ipn-apiversion2-vietnamese",
            PaymentStatus::Paid,
            10_000,
            "order-1",
            "2501010000000000000000001",
        ),
    ] {
        let all = vectors();
        let vector = all.iter().find(|vector| vector["name"] == name).unwrap();
        let event = deliver(text(vector, "message"), text(vector, "expected")).unwrap();
        let Proof::Signed(facts) = &event.proof else { panic!("{name}: {event:?}") };
        assert_eq!((facts.status, facts.amount), (status, vnd(amount)), "{name}");
        assert_eq!(facts.merchant_ref.as_ref().unwrap().as_str(), order);
        assert!(facts.provider_ref.as_ref().unwrap().as_str().starts_with(&transaction[..20]));
        if name.starts_with("derived") {
            assert_eq!(event.text.as_deref(), Some("Giao dịch thành công."), "read as UTF-8");
        }
    }
}

#[test]
fn a_hash_over_the_decoded_json_is_refused() {
    let mut tried = 0;
    for vector in vectors() {
        let Some(right) = vector["must_not_equal"].as_str() else { continue };
        tried += 1;
        let data = base64::engine::general_purpose::STANDARD.encode(text(&vector, "message"));
        let error = deliver(&data, text(&vector, "expected")).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Untrusted, Some("signature")));
        assert!(deliver(&data, right).is_ok(), "the text's own signature is right");
    }
    assert_eq!(tried, 2);
}

#[test]
fn the_published_texts_decode_as_published() {
    let mut tried = 0;
    for vector in vectors() {
        if text(&vector, "algorithm") != "utf8(base64-standard-decode(message))" {
            continue;
        }
        tried += 1;
        let decoded = base64::engine::general_purpose::STANDARD.decode(text(&vector, "message")).unwrap();
        assert_eq!(std::str::from_utf8(&decoded).unwrap(), text(&vector, "expected"));
    }
    assert_eq!(tried, 2);
}

/// The same values written otherwise have another signature, so that nothing is written twice.
#[test]
fn another_rendering_has_another_signature() {
    let derived: Vec<Value> = vectors()
        .into_iter()
        .filter(|vector| text(vector, "name").starts_with("derived-") && vector["salt"].is_string())
        .collect();
    for one in &derived {
        for other in &derived {
            assert_eq!(one["name"] == other["name"], one["expected"] == other["expected"]);
        }
    }
    assert_eq!(derived.len(), 5);
}
