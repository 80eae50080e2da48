//! The mini app against a scripted bank that has the private key.

use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs8::EncodePublicKey;
use rsa::rand_core::OsRng;
use rsa::{Pkcs1v15Encrypt, RsaPrivateKey};
use sha2::{Digest, Sha256};
use tulbur_core::{Effect, ErrorKind, HttpRequest, Method, Outcome, Phase, TransportError, TransportFault};
use tulbur_golomt_instore::mini_app::{MiniApp, MiniAppConfig, Notification, WebToken};

use crate::common::{Script, Scripted, body, env, http};
use crate::secrets::printed;

const CERT_ID: &str = "planted-cert-id";
const TOKEN: &str = "planted+web/token=";
const REGISTER: &str = "УБ99112233";
const CUSTOMER: &str = r#"{"individualId":1234567890123456789,"registerNumber":"УБ99112233","lastName":"Бат","firstName":"Болд","account":"1605000000","mobileNumber":"99112233","email":"bold@example.mn","imgUrl":null,"new":1}"#;

/// The bank's private key, made once: that takes a while.
static KEY: LazyLock<RsaPrivateKey> = LazyLock::new(|| RsaPrivateKey::new(&mut OsRng, 1024).unwrap());

/// The mini app, the bank's script, and the bank's private key.
fn app() -> (MiniApp, Arc<Script>, &'static RsaPrivateKey) {
    let private = &*KEY;
    let public = STANDARD.encode(private.to_public_key().to_public_key_der().unwrap().as_bytes());
    let (env, script) = env();
    let app = MiniApp::new(MiniAppConfig::new(CERT_ID.into(), public), env).unwrap();
    (app, script, private)
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    let found = request.headers.iter().find(|(header, _)| *header == name);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

/// What the bank finds when it opens the header.
fn opened(request: &HttpRequest, private: &RsaPrivateKey) -> String {
    let encrypted = STANDARD.decode(header(request, "x-golomt-signature")).unwrap();
    String::from_utf8(private.decrypt(Pkcs1v15Encrypt, &encrypted).unwrap()).unwrap()
}

fn token() -> WebToken {
    WebToken::parse(TOKEN).unwrap()
}

fn notification() -> Notification {
    Notification::new("1234567890123456789", "Баярлалаа", "planted text", "view", "https://shop.mn/mini")
}

#[tokio::test]
async fn a_token_is_exchanged_for_the_customer() {
    let (app, script, private) = app();
    script.then(http(200, CUSTOMER));
    let customer = app.check_token(&token()).await.unwrap();
    assert_eq!(customer.individual_id, "1234567890123456789", "all of its digits");
    assert_eq!(customer.register_number.as_deref(), Some(REGISTER));
    assert_eq!((customer.last_name.as_deref(), customer.first_name.as_deref()), (Some("Бат"), Some("Болд")));
    assert_eq!(
        (customer.account.as_deref(), customer.mobile_number.as_deref()),
        (Some("1605000000"), Some("99112233"))
    );
    assert_eq!((customer.email.as_deref(), customer.img_url), (Some("bold@example.mn"), None));

    let [sent] = &script.sent()[..] else { panic!("one request") };
    // It works once, so it is never sent again by itself.
    assert_eq!((sent.method, sent.effect), (Method::Post, Effect::ReadOnce));
    assert_eq!(
        sent.url.as_str(),
        "https://sp-api.golomtbank.com/api/utility/miniapp/token/check?language=mn"
    );
    assert_eq!(header(sent, "x-golomt-cert-id"), CERT_ID);
    assert_eq!(body(sent), format!(r#"{{"token":"{TOKEN}"}}"#));
    assert_eq!(opened(sent, private), hex::encode(Sha256::digest(&sent.body)));
}

#[tokio::test]
async fn each_header_is_encrypted_anew() {
    let (app, script, _) = app();
    script.then(http(200, CUSTOMER)).then(http(200, CUSTOMER));
    app.check_token(&token()).await.unwrap();
    app.check_token(&token()).await.unwrap();
    let sent = script.sent();
    assert_ne!(header(&sent[0], "x-golomt-signature"), header(&sent[1], "x-golomt-signature"));
    assert_eq!(sent[0].body, sent[1].body);
}

#[tokio::test]
async fn a_notification_is_sent() {
    let (app, script, private) = app();
    script.then(http(200, r#"{"message":"Амжилттай"}"#));
    app.notify(&notification()).await.unwrap();
    let [sent] = &script.sent()[..] else { panic!("one request") };
    assert_eq!(sent.effect, Effect::Write);
    assert_eq!(sent.url.as_str(), "https://sp-api.golomtbank.com/api/utility/notification/push?language=mn");
    assert_eq!(
        body(sent),
        r#"{"individualId":"1234567890123456789","messageTitle":"Баярлалаа","messageText":"planted text","VIEW_ID":"view","MINIAPP_URL":"https://shop.mn/mini"}"#
    );
    assert_eq!(opened(sent, private), hex::encode(Sha256::digest(&sent.body)));
    let nobody = Notification::new("", "a", "b", "c", "d");
    assert_eq!(app.notify(&nobody).await.unwrap_err().field(), Some("individualId"));
}

fn cut() -> Scripted {
    Err(TransportError::new(Phase::MayHaveBeenSent, TransportFault::Cut, "scripted"))
}

#[tokio::test]
async fn what_is_no_good_answer_is_an_error_that_says_what_may_have_happened() {
    let gossip = format!(r#"{{"message":"planted no: {TOKEN} of 1234567890123456789 and {CERT_ID}"}}"#);
    for (answer, kind) in [
        (http(200, r#"{"message":"Token хүчингүй"}"#), ErrorKind::Rejected),
        (http(200, r#"{"individualId":null}"#), ErrorKind::Rejected),
        (http(200, "{}"), ErrorKind::Rejected),
        (http(200, ""), ErrorKind::Malformed),
        (http(200, "<html>"), ErrorKind::Malformed),
        (http(200, "[]"), ErrorKind::Malformed),
        (http(200, r#"{"individualId":["planted"],"message":[]}"#), ErrorKind::Malformed),
        (http(401, r#"{"message":"no"}"#), ErrorKind::Unauthorized),
        (http(400, r#"{"message":"no"}"#), ErrorKind::Unavailable),
        (http(429, ""), ErrorKind::RateLimited),
        (http(500, ""), ErrorKind::Unavailable),
        (http(201, CUSTOMER), ErrorKind::Unavailable),
        (cut(), ErrorKind::Unavailable),
    ] {
        let (app, script, _) = app();
        script.then(answer);
        let error = app.check_token(&token()).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::NoEffect), "{error}");
    }
    for (answer, kind) in [
        (http(200, r#"{"message":"Амжилтгүй"}"#), ErrorKind::Rejected),
        (http(200, "{}"), ErrorKind::Rejected),
        (http(200, ""), ErrorKind::Malformed),
        (http(200, gossip.as_str()), ErrorKind::Rejected),
        (http(500, gossip.as_str()), ErrorKind::Unavailable),
        (cut(), ErrorKind::Unavailable),
    ] {
        let (app, script, _) = app();
        script.then(answer);
        let error = app.notify(&notification()).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::Unknown), "{error}");
        assert!(!printed(&error).contains("1234567890123456789"));
    }
    for status in [200, 400, 500] {
        let (app, script, _) = app();
        script.then(http(status, gossip.as_str()));
        assert!(!printed(&app.check_token(&token()).await.unwrap_err()).contains(TOKEN));
    }
}

#[tokio::test]
async fn personal_data_and_credentials_are_never_printed() {
    let (app, script, _) = app();
    script.then(http(200, CUSTOMER));
    let customer = app.check_token(&token()).await.unwrap();
    let (token, notification, sent) = (token(), notification(), script.sent());
    let shown = format!("{app:?} {customer:?} {customer:#?} {token:?} {notification:?} {sent:?}");
    for personal in [
        CERT_ID,
        TOKEN,
        REGISTER,
        "1234567890123456789",
        "Бат",
        "Болд",
        "1605000000",
        "99112233",
        "bold@",
        "planted",
    ] {
        assert!(!shown.contains(personal), "{personal} in {shown}");
    }
    assert!(shown.contains("register_number: \"set\"") && shown.contains("img_url: \"none\""), "{shown}");
}
