//! The published and computed vectors, on the bank's side of the wire.

use serde_json::{Value, json};
use tulbur_sandbox::Sandbox;
use tulbur_sandbox::golomt_ecommerce::{GolomtEcommerce, checksum};

use crate::support::Merchant;

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../vectors/golomt-ecommerce.json")).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

#[test]
fn every_vector_with_a_key_is_reproduced() {
    let mut checked = 0;
    for vector in vectors().iter().filter(|vector| !vector["key"].is_null()) {
        let fields = vector["fields"].as_array().unwrap();
        let values: Vec<&str> = fields.iter().map(|field| field["value"].as_str().unwrap_or("")).collect();
        assert_eq!(values.concat(), vector["message"], "{}", vector["name"]);
        assert_eq!(
            checksum(vector["key"].as_str().unwrap(), &values),
            vector["expected"],
            "{}",
            vector["name"]
        );
        checked += 1;
    }
    assert_eq!(checked, 19);
}

#[test]
fn vectors_without_a_key_stay_on_record_with_their_sources() {
    let records: Vec<_> = vectors().into_iter().filter(|vector| vector["key"].is_null()).collect();
    assert_eq!(records.len(), 6);
    assert!(records.iter().all(|record| !record["source"].as_str().unwrap().is_empty()));
}

/// Each request vector, sent as it is: the checksum passes, and with one character changed it does not.
#[tokio::test]
async fn every_request_vector_passes_the_bank_s_check_over_a_socket() {
    let mut sent = 0;
    for vector in vectors() {
        let Some(key) = vector["key"].as_str() else { continue };
        let Some(path) = vector["operation"].as_str().and_then(|name| name.strip_prefix("POST ")) else {
            continue;
        };
        if vector["direction"] != "request" {
            continue;
        }
        let sandbox = Sandbox::builder().plugin(GolomtEcommerce::new().secret(key)).start().await.unwrap();
        let merchant = Merchant::of(&sandbox);
        let mut body = json!({ "checksum": vector["expected"] });
        for field in vector["fields"].as_array().unwrap() {
            body[field["name"].as_str().unwrap()] = field["value"].clone();
        }
        let path = format!("{path}?page=0&size=50&start=2020-07-29&end=2030-08-31");
        let reply = merchant.send(&path, body.to_string()).await.unwrap();
        let expected = match &path {
            path if path.starts_with("/api/pay") => "no card has this token",
            path if path.starts_with("/api/inquiry") || path.starts_with("/api/check") => {
                "Payment not found."
            }
            path if path.starts_with("/api/get/token") => "Payment not found.",
            path if path.starts_with("/api/getSettlement") => "content",
            _ => "invoice",
        };
        assert!(reply.text.contains(expected), "{}: {}", vector["name"], reply.text);
        assert!(!reply.text.contains("checksum does not match"), "{}: {}", vector["name"], reply.text);

        let wrong = vector["expected"].as_str().unwrap().replacen(['0', '1', '2', '3'], "f", 1);
        body["checksum"] = wrong.into();
        let reply = merchant.send(&path, body.to_string()).await.unwrap();
        assert_eq!(reply.status, 400);
        assert!(reply.text.contains("checksum does not match"), "{}: {}", vector["name"], reply.text);
        sent += 1;
    }
    assert_eq!(sent, 10);
}
