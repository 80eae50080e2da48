//! Nothing that is planted appears where people or logs look.

use std::error::Error as _;

use serde_json::{Value, json};
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
    for secret in [KEY, SALT, TOKEN, CUSTOMER, CARD, "NGUYEN VAN PLANTED", "987"] {
        assert!(!text.contains(secret), "{secret} in {text}");
        assert!(!text.contains(&hex::encode(secret)) || secret == "987", "{secret} as hex in {text}");
    }
}

#[tokio::test]
async fn errors_are_silent_even_if_the_gateway_is_not() {
    let gossip = format!("key {KEY}, salt {SALT}, token {TOKEN}, customer {CUSTOMER}, card {CARD}");
    for operation in Operation::ALL {
        // Only what an operation sends can be repeated to it.
        let sent = match operation {
            Operation::CheckoutForCustomer | Operation::QueryTokens | Operation::RemoveToken => &gossip[..],
            _ => &gossip.replace(CUSTOMER, "nobody"),
        };
        let answers = [
            http(400, operation.own(&envelope("400", sent, &Value::Null))),
            http(200, operation.own(&envelope(sent, sent, &Value::Null))),
            http(500, sent),
            http(200, sent),
            http(200, format!("\"{sent}\"")),
            http(200, format!(r#"{{"responseCode":["{sent}"]}}"#)),
            http(200, operation.own(&done(&json!({ "transactionID": [sent], "endpoint": sent })))),
            http(
                200,
                operation.own(&done(&json!({ "transactionID": sent, "endpoint": sent, "orderNo": sent }))),
            ),
            http(200, operation.good().replace(REQUEST, OTHER)),
            Err(TransportError::new(Phase::MayHaveBeenSent, TransportFault::Cut, "scripted")),
        ];
        for answer in answers {
            let (gateway, script) = gateway();
            script.then(answer);
            if let Err(error) = operation.run(&gateway).await {
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
async fn a_token_that_the_gateway_repeats_is_hidden_whatever_its_shape() {
    let (gateway, script) = gateway();
    let mut request = charge_request();
    request.token = tulbur_core::CardToken::new("short-one");
    script.then(http(200, envelope("400", "no card short-one here", &Value::Null)));
    let error = gateway.charges().unwrap().charge(&request).await.unwrap_err();
    assert_eq!(error.text(), Some("no card [hidden] here"));
}

#[tokio::test]
async fn debug_output_is_silent() {
    let (gateway, script) = gateway();
    assert_silent(&format!("{gateway:?} {:?} {:?} {:?}", config(), charge_request(), raw_card()));
    let mut account = tokenization("200", Some(TOKEN));
    account["accountNumber"] = CARD.into();
    script.then(http(200, done(&account)));
    assert_silent(&format!(
        "{:?}",
        gateway.create_token(&raw_card(), &tulbur_galaxy_pay::Method::International).await.unwrap()
    ));
    let mut document = callback(REQUEST, "200", Some("200"));
    document["responseData"]["tokenization"] = account;
    document["responseData"]["transactionDescription"] = format!("card {CARD} token {TOKEN}").into();
    let data = encode(&document);
    let body = notification(&data, &sign(&data));
    let delivery =
        Delivery { channel: Channel::Notify, method: "POST", query: None, headers: &[], body: &body };
    let event = gateway.ipn().unwrap().verify(&delivery).unwrap();
    assert_eq!(event.saved_card.as_ref().unwrap().token.expose(), TOKEN);
    assert_eq!(event.card.masked_number.as_deref(), Some("401200******0026"));
    assert_silent(&format!("{delivery:?} {event:?}"));
}

#[tokio::test]
async fn a_card_number_in_the_gateways_words_is_hidden_in_every_writing() {
    for number in CARD_WRITINGS {
        let (gateway, script) = gateway();
        let mut data = queried("200", None);
        data["transactionDescription"] = format!("{}no card {number} here", "x ".repeat(90)).into();
        script.then(http(200, done(&data)));
        let payment = gateway.queries().unwrap().query(&payment(tulbur_galaxy_pay::FLOW_PAY)).await.unwrap();
        let mut document = callback(REQUEST, "200", Some("200"));
        document["responseData"]["transactionDescription"] = number.into();
        let mut account = tokenization("200", Some(TOKEN));
        (account["accountSource"], account["accountBrand"]) = (number.into(), number.into());
        document["responseData"]["tokenization"] = account;
        let data = encode(&document);
        let body = notification(&data, &sign(&data));
        let delivery =
            Delivery { channel: Channel::Notify, method: "POST", query: None, headers: &[], body: &body };
        let event = gateway.ipn().unwrap().verify(&delivery).unwrap();
        script.then(http(200, envelope(number, &format!("no card {number} here"), &Value::Null)));
        let asked = self::payment(tulbur_galaxy_pay::FLOW_PAY);
        let error = gateway.queries().unwrap().query(&asked).await.unwrap_err();
        let card = serde_json::to_string(&event.card).unwrap();
        let text = format!("{payment:?} {event:?} {card} {}", printed(&error));
        assert!(!text.contains(number), "{number} in {text}");
        assert!(text.matches("[hidden]").count() >= 8, "{text}");
    }
}
