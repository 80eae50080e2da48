//! Nothing that is planted appears where people or logs look.

use std::error::Error as _;

use tulbur_conformance::CARD_WRITINGS;
use tulbur_core::{Channel, Delivery, Phase, Provider, TransportError, TransportFault};

use crate::common::*;

/// Everything that an error shows anywhere.
fn printed(error: &tulbur_core::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text} {cause} {cause:?}");
        source = cause.source();
    }
    text
}

fn assert_silent(text: &str) {
    for secret in [TOKEN, SECRET, CARD, "4987381234563883"] {
        assert!(!text.contains(secret), "{secret} in {text}");
        assert!(!text.contains(&hex::encode(secret)), "{secret} as hex in {text}");
    }
}

#[tokio::test]
async fn errors_are_silent_even_if_the_bank_is_not() {
    let gossip = format!("token {TOKEN}, secret {SECRET}, card {CARD}");
    for operation in Operation::ALL {
        let answers = [
            http(400, error_json(400, "Validation", &gossip)),
            http(500, error_json(500, &gossip, &gossip)),
            http(403, error_json(403, "Forbidden", &gossip)),
            http(200, gossip.clone()),
            http(200, format!("\"{gossip}\"")),
            http(200, format!(r#"{{"transactionId":["{gossip}"]}}"#)),
            http(
                200,
                format!(r#"{{"transactionId":"{gossip}","invoice":"{gossip}","checksum":"{gossip}"}}"#),
            ),
            http(200, result_signed(REFERENCE, Some(CARD), "1", Some(CARD), &sign("x"))),
            http(200, operation.good().replace(REFERENCE, OTHER)),
            Err(TransportError::new(Phase::MayHaveBeenSent, TransportFault::Cut, "scripted")),
        ];
        for answer in answers {
            let (bank, script) = bank();
            script.then(answer);
            if let Err(error) = operation.run(&bank).await {
                assert_silent(&printed(&error));
            }
            for request in script.sent() {
                assert_silent(&format!("{request:?}"));
            }
        }
    }
}

/// A token of an unusual shape is not recognised as one; that it was sent is enough to hide it.
#[tokio::test]
async fn a_card_token_that_the_bank_repeats_is_hidden_whatever_its_shape() {
    let (bank, script) = bank();
    let mut request = charge_request();
    request.token = tulbur_core::CardToken::new("planted-card");
    script.then(http(400, error_json(400, "Validation", "no card planted-card here")));
    let error = bank.charges().unwrap().charge(&request).await.unwrap_err();
    assert_eq!(error.text(), Some("no card [hidden] here"));
}

#[tokio::test]
async fn debug_output_is_silent() {
    let (bank, script) = bank();
    assert_silent(&format!("{bank:?} {:?}", config()));
    let card = r#""cardNumber":"4987381234563883""#;
    let paid = result(REFERENCE, Some("000"), "1500.00", Some(CARD))
        .replace(r#""cardNumber":"949625******0003""#, card);
    assert!(paid.contains(card));
    script.then(http(200, paid.clone())).then(http(200, settlement_answer(true)));
    let payment = bank.queries().unwrap().query(&page_ref()).await.unwrap();
    assert_eq!(payment.saved_card.as_ref().unwrap().token.expose(), CARD);
    assert_silent(&format!("{payment:?} {:?}", charge_request()));
    let page = bank.settlements(&settlement_query()).await.unwrap();
    assert_silent(&format!("{page:?} {:?}", settlement_query()));
    let delivery = Delivery {
        channel: Channel::Notify,
        method: "POST",
        query: None,
        headers: &[],
        body: paid.as_bytes(),
    };
    assert_silent(&format!("{delivery:?} {:?}", bank.ipn().unwrap().verify(&delivery).unwrap()));
}

#[tokio::test]
async fn a_card_number_in_the_banks_words_is_hidden_in_every_writing() {
    for number in CARD_WRITINGS {
        let (bank, script) = bank();
        let paid = result(REFERENCE, Some("000"), "1500.00", Some(CARD))
            .replace("Голомт банк", number)
            .replace("Амжилттай", &format!("{}no card {number} here", "x ".repeat(90)));
        assert_eq!(paid.matches(number).count(), 2);
        let settled = settlement_answer(true).replace("CHECKED", number);
        script.then(http(200, paid.clone())).then(http(200, settled));
        let payment = bank.queries().unwrap().query(&page_ref()).await.unwrap();
        let page = bank.settlements(&settlement_query()).await.unwrap();
        let push = Delivery {
            channel: Channel::Notify,
            method: "POST",
            query: None,
            headers: &[],
            body: paid.as_bytes(),
        };
        let event = bank.ipn().unwrap().verify(&push).unwrap();
        let query = format!("invoice={REFERENCE}&status_code=300&desc={number}");
        let returned =
            Delivery { channel: Channel::Return, method: "GET", query: Some(&query), body: b"", ..push };
        let returned = bank.ipn().unwrap().verify(&returned).unwrap();
        script.then(http(400, error_json(400, number, &format!("no card {number} here"))));
        let error = bank.queries().unwrap().query(&page_ref()).await.unwrap_err();
        let card = serde_json::to_string(&payment.card).unwrap();
        let text = format!("{payment:?} {card} {page:?} {event:?} {returned:?} {}", printed(&error));
        assert!(!text.contains(number), "{number} in {text}");
        assert!(text.matches("[hidden]").count() >= 8, "{text}");
    }
}
