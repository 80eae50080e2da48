//! The published and computed vectors, on the gateway's side of the wire.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tulbur_sandbox::Sandbox;
use tulbur_sandbox::galaxy_pay::{GalaxyPay, signature};

use super::support::{PAY, Shop};

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../../vectors/galaxy-pay.json")).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

#[test]
fn every_vector_with_a_salt_is_reproduced_and_the_negative_ones_differ() {
    let (mut checked, mut negative) = (0, 0);
    for vector in vectors().iter().filter(|vector| vector["salt"].is_string()) {
        assert_eq!(vector["reproduced"], true);
        let made =
            signature(vector["salt"].as_str().unwrap(), vector["message"].as_str().unwrap().as_bytes());
        assert_eq!(made, vector["expected"], "{}", vector["name"]);
        checked += 1;
        if let Some(forbidden) = vector["must_not_equal"].as_str() {
            assert_ne!(made, forbidden, "{}", vector["name"]);
            negative += 1;
        }
    }
    assert_eq!((checked, negative), (15, 2));
}

#[test]
fn the_decode_vectors_are_standard_base64_of_utf_8() {
    let decoded = vectors()
        .into_iter()
        .filter(|vector| vector["algorithm"].as_str().unwrap().starts_with("utf8(base64"));
    let mut checked = 0;
    for vector in decoded {
        let bytes = STANDARD.decode(vector["message"].as_str().unwrap()).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), vector["expected"], "{}", vector["name"]);
        checked += 1;
    }
    assert_eq!(checked, 2);
}

/// Each request vector, sent byte for byte: it passes the signature, and with one character of it changed it does not.
#[tokio::test]
async fn every_request_vector_passes_over_a_socket() {
    let sandbox = Sandbox::builder().plugin(GalaxyPay::new().salt("GO@2021")).start().await.unwrap();
    let shop = Shop::of(&sandbox);
    let gateway = sandbox.provider(super::support::GATEWAY).unwrap();
    gateway.set_switch("duplicate-key", "none").unwrap();
    let mut sent = 0;
    for vector in vectors() {
        let message = vector["message"].as_str().unwrap_or_default();
        let is_request = message.starts_with('{') && message.contains("requestDateTime");
        if !is_request || !vector["salt"].is_string() {
            continue;
        }
        let given = vector["expected"].as_str().unwrap();
        let reply = shop.send_signed(PAY, message, given).await;
        // The oldest one has the retired names of its fields.
        let retired = message.contains("\"cardType\"");
        let expected = if retired { (400, "mandatory field apiOperation") } else { (200, "transactionID") };
        assert_eq!(reply.status, expected.0, "{}: {}", vector["name"], reply.text);
        assert!(reply.text.contains(expected.1), "{}: {}", vector["name"], reply.text);

        let wrong = given.replacen(['0', '1', '2', '3'], "f", 1);
        let reply = shop.send_signed(PAY, message, &wrong).await;
        assert_eq!(reply.status, 401, "{}", vector["name"]);
        let log = gateway.requests().pop().unwrap();
        assert!(log.explanation.contains("No known mistake"), "{}", log.explanation);
        assert!(
            log.explanation.contains(given) && !log.explanation.contains("GO@2021"),
            "{}",
            log.explanation
        );
        sent += 1;
    }
    assert_eq!(sent, 6);
}

/// The bytes of one vector with the signature of another: what only looks alike is refused.
#[tokio::test]
async fn the_same_object_in_other_bytes_needs_another_signature() {
    let sandbox = Sandbox::builder().plugin(GalaxyPay::new().salt("GO@2021")).start().await.unwrap();
    let shop = Shop::of(&sandbox);
    let gateway = sandbox.provider(super::support::GATEWAY).unwrap();
    let find = |name: &str| vectors().into_iter().find(|vector| vector["name"] == name).unwrap();
    for (body, signature, words) in [
        ("derived-utf8-raw-vietnamese", "derived-utf8-escaped-vietnamese", "escapes were hashed but raw"),
        ("derived-utf8-escaped-vietnamese", "derived-utf8-raw-vietnamese", "raw UTF-8 was hashed"),
        ("derived-indented-body", "derived-utf8-raw-vietnamese", "without its blanks"),
        ("derived-numbers-as-strings", "derived-utf8-raw-vietnamese", "No known mistake"),
    ] {
        let (body, signature) = (find(body), find(signature));
        let body = body["message"].as_str().unwrap();
        let reply = shop.send_signed(PAY, body, signature["expected"].as_str().unwrap()).await;
        assert_eq!(reply.status, 401);
        let log = gateway.requests().pop().unwrap();
        assert!(log.explanation.contains(words), "{words}: {}", log.explanation);
    }
}

/// The guide's two callbacks and the derived third: the sandbox's own callbacks have their members in the same order.
#[tokio::test]
async fn callbacks_have_the_members_of_the_guide_s_samples_in_their_order() {
    use super::support::{by, start, with};
    use serde_json::json;

    let names = |text: &str| -> Vec<String> {
        text.split('"')
            .zip(text.split('"').skip(1).map(str::to_owned).zip(text.split('"').skip(2)))
            .filter(|(_, (_, after))| after.starts_with(':'))
            .map(|(_, (name, _))| name)
            .collect()
    };
    let (_sandbox, shop, gateway) = start().await;
    for (vector, version) in
        [("callback-data-decode-result-ipn-200", 1), ("derived-ipn-apiversion2-vietnamese", 2)]
    {
        let sample = vectors().into_iter().find(|known| known["name"] == vector).unwrap();
        let sample = if version == 1 {
            sample["expected"].as_str().unwrap().to_owned()
        } else {
            String::from_utf8(STANDARD.decode(sample["message"].as_str().unwrap()).unwrap()).unwrap()
        };
        if version == 2 {
            gateway.set_switch("callback-transaction-date-time", "no").unwrap();
        }
        let id = format!("V-{version}");
        shop.open(PAY, with(by(&id, "DOMESTIC"), json!({ "apiVersion": version, "language": "vi" }))).await;
        gateway.act(&id, "pay").unwrap();
        let push = gateway.pushes().pop().unwrap();
        let body: Value = serde_json::from_str(&push.notification.body).unwrap();
        let made = String::from_utf8(STANDARD.decode(body["data"].as_str().unwrap()).unwrap()).unwrap();
        let (mut made, mut sample) = (names(&made), names(&sample));
        if version == 1 {
            // The guide's sample has the description before the currency; its table and all else have it last.
            made.sort_unstable();
            sample.sort_unstable();
        }
        assert_eq!(made, sample);
    }
}
