//! Nothing that is planted appears where people or logs look.

use serde_json::{Value, json};
use tulbur_conformance::{CARD_WRITINGS, printed};
use tulbur_core::{Phase, TransportError, TransportFault};

use crate::common::*;

const BASIC: &str = "cGxhbnRlZC11c2VyOnBsYW50ZWQ6cGFzc3dvcmQ=";

fn assert_silent(text: &str) {
    for secret in [USERNAME, PASSWORD, BASIC, "planted-access", "planted-refresh"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn errors_are_silent_even_if_qpay_is_not() {
    let gossip = format!("user {USERNAME}, word {PASSWORD}, token planted-access-1");
    for operation in Operation::ALL {
        let answers = [
            http(400, json!({ "error": gossip, "message": gossip }).to_string()),
            http(400, json!({ "error": "INVALID_AMOUNT", "message": gossip }).to_string()),
            http(
                400,
                json!({ "error": { gossip.clone(): { "type": gossip, "message": gossip } } }).to_string(),
            ),
            http(500, gossip.clone()),
            http(200, gossip.clone()),
            http(
                200,
                format!(r#"{{"invoice_id":["{gossip}"],"rows":"{gossip}","payment_id":["{gossip}"]}}"#),
            ),
            http(200, json!({ "invoice_id": gossip, "qr_text": gossip, "payment_id": gossip }).to_string()),
            Err(TransportError::new(Phase::MayHaveBeenSent, TransportFault::Cut, "scripted")),
        ];
        for answer in answers {
            let (qpay, script) = qpay();
            operation.prepare(&script);
            script.then(answer);
            // Of a cancellation whose answer says nothing wrong.
            script.then(ok(&checked(&[])));
            if let Err(error) = operation.run(&qpay).await {
                assert_silent(&printed(&error));
            }
            for request in script.sent().into_iter().chain(script.logins()) {
                assert_silent(&format!("{request:?}"));
            }
        }
    }
}

#[tokio::test]
async fn a_login_is_silent_even_if_qpay_is_not() {
    let gossip = format!("user {USERNAME}, word {PASSWORD}");
    for answer in [
        http(401, json!({ "error": "AUTHENTICATION_FAILED", "message": gossip }).to_string()),
        http(400, json!({ "error": gossip, "message": gossip }).to_string()),
        http(200, json!({ "access_token": [gossip] }).to_string()),
        http(200, json!({ "access_token": format!("planted-access\n{gossip}") }).to_string()),
        http(200, gossip.clone()),
        http(500, gossip.clone()),
    ] {
        let (qpay, script) = qpay();
        script.then_login(answer);
        assert_silent(&printed(&query(&qpay).await.unwrap_err()));
    }
}

#[tokio::test]
async fn debug_output_is_silent() {
    let (qpay, script) = qpay();
    assert_silent(&format!("{qpay:?} {:?}", all()));
    script.then(ok(&created()));
    let invoice = create(&qpay, &invoice_request()).await.unwrap();
    assert_silent(&format!("{qpay:?} {invoice:?}"));
    assert!(format!("{qpay:?}").contains("merchant.qpay.mn"));
}

#[tokio::test]
async fn a_card_number_in_qpays_words_is_hidden_in_every_writing() {
    for number in CARD_WRITINGS {
        let (qpay, script) = qpay();
        let mut answer = read(CARD, "PAID", "100.00");
        answer["payment_wallet"] = number.into();
        answer["payment_date"] = number.into();
        answer["card_transactions"] = json!([{ "card_type": number, "card_number": null }]);
        script.then(ok(&answer));
        let details = qpay.read_payment(&payment(), &charge(CARD)).await.unwrap();
        script.then(ok(&checked(&[row(TRANSFER, number, "1.00")])));
        let said = query(&qpay).await.unwrap();
        let mut named = created();
        named["urls"][0]["description"] = number.into();
        script.then(ok(&named));
        let invoice = create(&qpay, &invoice_request()).await.unwrap();
        script.then(http(
            400,
            json!({ "error": number, "message": format!("no card {number} here") }).to_string(),
        ));
        let error = query(&qpay).await.unwrap_err();
        let field: Value = json!({ "error": { number: { "type": number, "message": number } } });
        script.then(http(400, field.to_string()));
        let validation = query(&qpay).await.unwrap_err();
        let apps = format!("{:?}", invoice.next);
        let text = format!("{details:?} {said:?} {apps} {} {}", printed(&error), printed(&validation));
        assert!(!text.contains(number), "{number} in {text}");
        assert!(text.matches("[hidden]").count() >= 8, "{text}");
    }
    // A number that is not masked is masked here.
    let (qpay, script) = qpay();
    let mut answer = read(CARD, "PAID", "100.00");
    answer["card_transactions"] = json!([{ "card_number": "4987381234563883" }]);
    script.then(ok(&answer));
    let details = qpay.read_payment(&payment(), &charge(CARD)).await.unwrap();
    assert_eq!(details.card.masked_number.as_deref(), Some("498738******3883"));
}
