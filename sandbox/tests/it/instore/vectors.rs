//! The recorded requests of public clients, on the bank's side of the wire.

use serde_json::{Value, json};
use tulbur_sandbox::golomt_instore::{GolomtInstore, PROVIDER_ID};
use tulbur_sandbox::{Provider, Sandbox};

use super::support::{Till, error};

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../../vectors/golomt-instore.json")).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

async fn bank_of(vector: &Value) -> (Sandbox, Provider, Till) {
    let terminal = vector["fields"].as_array().unwrap().iter().find(|field| field["name"] == "terminal");
    let terminal = terminal.unwrap()["value"].as_str().unwrap();
    let secret = vector["key"].as_str().unwrap();
    let plugin = GolomtInstore::new().terminal(terminal, secret);
    let sandbox = Sandbox::builder().plugin(plugin).start().await.unwrap();
    let bank = sandbox.provider(PROVIDER_ID).unwrap();
    let till = Till::at(bank.base_url(), terminal, secret);
    (sandbox, bank, till)
}

fn body_of(vector: &Value) -> Value {
    let mut body = json!({ "checksum": vector["expected"] });
    for field in vector["fields"].as_array().unwrap() {
        let name = field["name"].as_str().unwrap();
        let name = name.strip_suffix(" (as signed)").unwrap_or(name);
        body[name] = field["value"].clone();
    }
    body
}

fn path_of(vector: &Value) -> Option<&str> {
    let operation = vector["operation"].as_str()?;
    let (_, path) = operation.split_once("POST ")?;
    path.starts_with("/pos/").then_some(path)
}

/// Each recorded request passes the bank's check as it is, and not with one character of its checksum changed.
#[tokio::test]
async fn every_recorded_request_passes() {
    let mut sent = 0;
    for vector in vectors() {
        let Some(path) = path_of(&vector) else { continue };
        if vector["client_quirk"] == true || vector["key"].is_null() {
            continue;
        }
        let (_sandbox, _bank, till) = bank_of(&vector).await;
        let mut body = body_of(&vector);
        let answer = till.send(path, body.to_string()).await.unwrap().json();
        let name = &vector["name"];
        match path {
            "/pos/invoice/check" | "/pos/payment/cancel" => {
                assert_eq!(error(&answer), ("error.notfound.invoice", "NotFound"), "{name}");
            }
            "/pos/settlement" => assert_eq!(answer["body"]["response"]["status"], "SUCCESS", "{name}"),
            _ => {
                assert_eq!(answer["header"], json!({ "code": 200, "status": "success" }), "{name}");
                assert_eq!(answer["body"]["response"]["status"], "SUCCESS", "{name}: {answer}");
                assert!(answer["body"].get("error").is_none(), "{name}");
            }
        }
        let wrong = vector["expected"].as_str().unwrap().replacen(['0', '1', '2', '3'], "f", 1);
        body["checksum"] = wrong.into();
        let answer = till.send(path, body.to_string()).await.unwrap().json();
        assert_eq!(error(&answer), ("error.invalid.checksum", "InvalidChecksum"), "{name}");
        sent += 1;
    }
    assert_eq!(sent, 10);
}

/// What clients do wrong is refused, told apart, and let through only where a switch says so.
#[tokio::test]
async fn the_recorded_mistakes_are_recognised() {
    for (name, body_amount, words, lenient) in [
        ("quirk-go-2decimals-body", Some("5000.00"), "hashed as \"5000\" (shortest)", true),
        ("quirk-go-exponent", Some("1000000.00"), "1e+06", true),
        ("quirk-go-exponent", Some("1e+06"), "is not an amount", false),
        ("quirk-erxes-refund-order", None, "amount + invoice + terminal", false),
    ] {
        let vector = vectors().into_iter().find(|vector| vector["name"] == name).unwrap();
        let (_sandbox, bank, till) = bank_of(&vector).await;
        let mut body = body_of(&vector);
        if let Some(amount) = body_amount {
            body["amount"] = amount.into();
        }
        let path = path_of(&vector).unwrap();
        let answer = till.send(path, body.to_string()).await.unwrap().json();
        assert_eq!(answer["header"]["code"], 400, "{name}");
        let why = super::support::explained(&bank);
        assert!(why.contains(words), "{name}: {why}");
        bank.set_switch("lenient-amount", "yes").unwrap();
        let answer = till.send(path, body.to_string()).await.unwrap().json();
        assert_eq!(answer["header"]["code"] == 200, lenient, "{name}: {answer}");
    }
    let vector = vectors().into_iter().find(|vector| vector["name"] == "quirk-py-float").unwrap();
    let (_sandbox, _bank, till) = bank_of(&vector).await;
    let answer = till.send("/pos/invoice/qr", body_of(&vector).to_string()).await.unwrap().json();
    assert_eq!(answer["body"]["response"]["status"], "SUCCESS", "one decimal is an amount");
}

/// The notification's checksum, and the check that one client makes of the four values that it was sent.
#[tokio::test]
async fn a_notification_is_signed_as_recorded() {
    let vector = vectors().into_iter().find(|vector| vector["name"] == "computed-push-as-check").unwrap();
    let (_sandbox, bank, till) = bank_of(&vector).await;
    let field = |name: &str| body_of(&vector)[name].as_str().unwrap().to_owned();
    till.phone(&field("invoice"), &field("amount")).await;
    bank.act(&field("invoice"), "pay").unwrap();
    let body: Value = serde_json::from_str(&bank.pushes().pop().unwrap().notification.body).unwrap();
    assert_eq!(body["checksum"], vector["expected"]);

    let four = json!({
        "amount": body["amount"], "checksum": body["checksum"],
        "invoice": body["invoice"], "terminal": body["terminal"],
    });
    let answer = till.send("/pos/invoice/check", four.to_string()).await.unwrap().json();
    assert_eq!(answer["body"]["response"]["resp_code"], "00");
}
