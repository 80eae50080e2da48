//! What an application that wants only verification gets, for every adapter. An adapter's test serves [`verifier`] at
//! `/notify/{account}` and, with [`single`], at `/bank`; its handler answers [`outcome`] of what it is given.
#![allow(unreachable_pub, reason = "each adapter's tests include this as a module of their own")]

use std::net::SocketAddr;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tulbur_core::{AccountName, IpnOutcome, PaymentStatus, Proof, Provider};
use tulbur_golomt_ecommerce::{GolomtEcommerce, GolomtEcommerceConfig};
use tulbur_web::{VerifiedIpn, Verifier};

use crate::support::Answer;
use crate::support::vectors::exchange;

const REFERENCE: &str = "0123456789abcdef0123456789abcdef";
/// The reference of a payment that the application cannot store.
const UNSTORABLE: &str = "ffffffffffffffffffffffffffffffff";

fn account(name: &str, secret: &str) -> Arc<dyn Provider> {
    let config = GolomtEcommerceConfig::new("token".into(), secret.into());
    let env = tulbur_reqwest::standard_env().unwrap();
    Arc::new(GolomtEcommerce::new(AccountName::parse(name).unwrap(), config, env).unwrap())
}

/// Two tills at one bank, each with its key.
pub fn verifier() -> Verifier {
    Verifier::new([account("till-1", "key-1"), account("till-2", "key-2")]).unwrap()
}

/// One till, whose name no address needs.
pub fn single() -> Verifier {
    Verifier::new([account("till-1", "key-1")]).unwrap()
}

/// What the application makes of a notification. It must be proof: anything else is not to be in these tests.
pub fn outcome(ipn: &VerifiedIpn) -> IpnOutcome<'static> {
    let facts = ipn.facts().expect("proof");
    assert!(matches!(ipn.event().proof, Proof::Signed(_)));
    assert_eq!((facts.status, facts.amount.to_string().as_str()), (PaymentStatus::Paid, "1500.00 MNT"));
    assert!(ipn.provider().queries().is_some());
    match facts.merchant_ref.as_ref().unwrap().as_str() {
        REFERENCE if ipn.account().as_str() == "till-1" => IpnOutcome::Accepted,
        _ => IpnOutcome::NotStored,
    }
}

/// A push as the bank signs it (page D-push): reference, code and amount joined, HMAC-SHA256, hexadecimal.
fn push(reference: &str, amount: &str, secret: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    for part in [reference, "000", "1500.00"] {
        mac.update(part.as_bytes());
    }
    let checksum = hex::encode(mac.finalize().into_bytes());
    let body = json!({
        "amount": amount, "bank": "Голомт банк", "errorDesc": "Амжилттай", "checksum": checksum,
        "errorCode": "000", "cardHolder": "", "transactionId": reference, "cardNumber": "949625******0003",
    });
    body.to_string().into_bytes()
}

async fn post(address: SocketAddr, path: &str, body: &[u8]) -> Answer {
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    exchange(address, "POST", path, &headers, body).await
}

fn said(answer: &Answer) -> (u16, &str, Option<&str>) {
    (answer.status, answer.body.as_str(), answer.header("content-type"))
}

const TEXT: Option<&str> = Some("text/plain; charset=utf-8");

pub async fn the_genuine_reach_the_handler(address: SocketAddr) {
    let genuine = push(REFERENCE, "1500.00", "key-1");
    // By its account, by its provider, and where there is only one.
    for path in ["/notify/till-1", "/notify/golomt-ecommerce", "/bank"] {
        let answer = post(address, path, &genuine).await;
        assert_eq!(said(&answer), (200, "OK", TEXT), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    // The provider's name finds the account whose key it is.
    let other = push(REFERENCE, "1500.00", "key-2");
    assert_eq!(said(&post(address, "/notify/golomt-ecommerce", &other).await), (503, "Not stored", TEXT));
    // What the handler could not store is answered so.
    let unstorable = push(UNSTORABLE, "1500.00", "key-1");
    assert_eq!(said(&post(address, "/notify/till-1", &unstorable).await), (503, "Not stored", TEXT));
}

pub async fn the_forged_are_answered_as_the_bank_expects(address: SocketAddr) {
    let genuine = push(REFERENCE, "1500.00", "key-1");
    let refused = (400, "Rejected", TEXT);
    for (why, path, body) in [
        ("another amount than the signed one", "/notify/till-1", push(REFERENCE, "15000.00", "key-1")),
        ("another till's key", "/notify/till-1", push(REFERENCE, "1500.00", "key-2")),
        ("nobody's key", "/notify/golomt-ecommerce", push(REFERENCE, "1500.00", "guess")),
        ("nobody's key", "/bank", push(REFERENCE, "1500.00", "guess")),
        ("not JSON", "/notify/till-1", b"transactionId=1".to_vec()),
        ("nothing", "/notify/till-1", Vec::new()),
        ("half of it", "/notify/till-1", genuine[..genuine.len() / 2].to_vec()),
    ] {
        assert_eq!(said(&post(address, path, &body).await), refused, "{why} at {path}");
    }
    // A GET with everything right in its body is still not how the bank pushes.
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let get = exchange(address, "GET", "/notify/till-1", &headers, &genuine).await;
    assert_eq!(said(&get), refused);
}

pub async fn what_no_bank_sends_is_refused(address: SocketAddr) {
    let genuine = push(REFERENCE, "1500.00", "key-1");
    let put = exchange(address, "PUT", "/notify/till-1", &[], &genuine).await;
    assert_eq!((put.status, put.header("allow")), (405, Some("GET, POST")));
    let head = exchange(address, "HEAD", "/notify/till-1", &[], b"").await;
    assert_eq!(head.status, 405);
    let stranger = post(address, "/notify/till-3", &genuine).await;
    assert_eq!(said(&stranger), (400, "Rejected", TEXT), "it does not tell which accounts there are");

    let mut large = genuine.clone();
    large.resize(tulbur_web::Web::BODY_LIMIT, b' ');
    assert_eq!(post(address, "/notify/till-1", &large).await.status, 200, "padding up to the limit is JSON");
    large.push(b' ');
    assert_eq!(post(address, "/notify/till-1", &large).await.status, 413);

    let mut stream = TcpStream::connect(address).await.unwrap();
    let head =
        "POST /notify/till-1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    for _ in 0..5 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

/// Two accounts at an address that names none is a mistake of the application, and must not become a success.
pub async fn an_address_that_names_nobody_is_our_mistake(address: SocketAddr, path: &str) {
    let genuine = push(REFERENCE, "1500.00", "key-1");
    assert_eq!(post(address, path, &genuine).await.status, 500);
}
