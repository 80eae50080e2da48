//! Nothing that is planted appears where people or logs look.

use std::error::Error as _;

use tulbur_conformance::CARD_WRITINGS;
use tulbur_core::{Channel, Delivery, Phase, Provider, TransportError, TransportFault};
use tulbur_golomt_instore::FLOW_QR;

use crate::common::*;

const NUMBER: &str = "4987381234563883";

/// Everything that an error shows anywhere.
pub(crate) fn printed(error: &tulbur_core::Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text} {cause} {cause:?}");
        source = cause.source();
    }
    text
}

fn assert_silent(text: &str) {
    for secret in [SECRET, NUMBER, PHONE] {
        assert!(!text.contains(secret), "{secret} in {text}");
        assert!(!text.contains(&hex::encode(secret)), "{secret} as hex in {text}");
    }
}

#[tokio::test]
async fn errors_are_silent_even_if_the_bank_is_not() {
    let gossip = format!("secret {SECRET}, card {NUMBER}");
    for operation in Operation::ALL {
        let mut answers = vec![
            http(200, failed("Gossip", &gossip)),
            http(200, failed(&gossip, "error.invalid.token")),
            http(400, failed("Gossip", &gossip)),
            http(500, gossip.clone()),
            http(200, gossip.clone()),
            http(200, format!("\"{gossip}\"")),
            http(200, format!(r#"{{"header":"{gossip}"}}"#)),
            http(200, good(&format!(r#"{{"status":"{NUMBER}","resp_code":"{NUMBER}","desc":"{gossip}"}}"#))),
            http(200, good(&format!(r#"{{"status":"FAILED","desc":"{gossip}"}}"#))),
            http(200, operation.good().replace(REFERENCE, NUMBER)),
            Err(TransportError::new(Phase::MayHaveBeenSent, TransportFault::Cut, "scripted")),
        ];
        if operation == Operation::Phone {
            let said = format!("no such phone {PHONE}");
            answers.push(http(200, good(&format!(r#"{{"status":"FAILED","desc":"{said}"}}"#))));
            answers.push(http(200, failed("NotFound", &said)));
        }
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

#[tokio::test]
async fn debug_output_is_silent() {
    let (bank, script) = bank();
    assert_silent(&format!("{bank:?} {bank:#?} {:?}", config()));
    let paid = transaction(REFERENCE, "00", "1100").replace("498738******3883", NUMBER);
    script.then(http(200, paid.clone()));
    let said = bank.transaction(&payment(FLOW_QR)).await.unwrap();
    assert_eq!(said.payment.card.masked_number.as_deref(), Some("498738******3883"));
    assert_silent(&format!("{said:?} {:?}", invoice_request(tulbur_core::Way::Phone)));
    let push = format!(
        r#"{{"invoice":"{REFERENCE}","terminal":"{TERMINAL}","resp_code":"00","resp_desc":"card {NUMBER}","card_number":"{NUMBER}"}}"#
    );
    let delivery = Delivery {
        channel: Channel::Notify,
        method: "POST",
        query: None,
        headers: &[],
        body: push.as_bytes(),
    };
    assert_silent(&format!("{delivery:?} {:?}", bank.ipn().unwrap().verify(&delivery).unwrap()));
    let elsewhere = push.replace(TERMINAL, NUMBER);
    let delivery = Delivery { body: elsewhere.as_bytes(), ..delivery };
    assert_silent(&printed(&bank.ipn().unwrap().verify(&delivery).unwrap_err()));
}

#[tokio::test]
async fn a_card_number_in_the_banks_words_is_hidden_in_every_writing() {
    for number in CARD_WRITINGS {
        let (bank, script) = bank();
        let paid = transaction(REFERENCE, "00", "1100")
            .replace("Амжилттай", &format!("{}no card {number} here", "x ".repeat(90)));
        script.then(http(200, paid));
        let payment = bank.queries().unwrap().query(&payment(FLOW_QR)).await.unwrap();
        let push = format!(
            r#"{{"invoice":"{REFERENCE}","terminal":"{TERMINAL}","resp_code":"{number}","resp_desc":"card {number}"}}"#
        );
        let delivery = Delivery {
            channel: Channel::Notify,
            method: "POST",
            query: None,
            headers: &[],
            body: push.as_bytes(),
        };
        let event = bank.ipn().unwrap().verify(&delivery).unwrap();
        let elsewhere = push.replace(TERMINAL, number);
        let delivery = Delivery { body: elsewhere.as_bytes(), ..delivery };
        let stranger = bank.ipn().unwrap().verify(&delivery).unwrap_err();
        script.then(http(200, failed(number, &format!("no card {number} here"))));
        let error = Operation::Qr.run(&bank).await.unwrap_err();
        let text = format!("{payment:?} {event:?} {} {}", printed(&stranger), printed(&error));
        assert!(!text.contains(number), "{number} in {text}");
        // The terminal of a stranger is cut after sixteen characters.
        assert!(!text.contains(&number.chars().take(16).collect::<String>()), "{number} in {text}");
        assert!(text.matches("[hidden]").count() >= 6, "{text}");
    }
}
