//! Instore v2 against a scripted bank.

use tulbur_core::{
    Accept, Currency, Effect, ErrorKind, Method, Money, Outcome, Phase, TransportError, TransportFault, Url,
};
use tulbur_golomt_instore::v2::{Card, InstoreV2, InstoreV2Config, V2Amount};

use crate::common::{Script, body, env, http, money};
use crate::secrets::printed;

const NUMBER: &str = "9999990000000006";

fn bank(amount: V2Amount) -> (InstoreV2, std::sync::Arc<Script>) {
    let base_url = Url::parse("https://bank.example/rest/").unwrap();
    let mut config = InstoreV2Config::new("12345678", base_url, amount);
    config.accept = Accept::Inferred;
    config.authorization = Some("Bearer planted".into());
    let (env, script) = env();
    (InstoreV2::new(config, env).unwrap(), script)
}

fn card() -> Card {
    Card::new(NUMBER.to_owned().into(), "1230".to_owned().into()).unwrap()
}

/// The page's sample has this shape, with empty values.
const GOOD: &str = r#"{"header":{"code":200,"status":"success"},"body":{"user":{"id":"","amount":"1100.5","amountISO":"000000110050","batchNumber":"7","transactionNumber":"000042","referenceNumber":12345678901,"responseCode":"00"}}}"#;

#[tokio::test]
async fn a_card_payment_is_sent_once_and_handed_over_as_answered() {
    for (format, text) in [(V2Amount::Shortest, "1100.5"), (V2Amount::TwoDecimals, "1100.50")] {
        let (bank, script) = bank(format);
        script.then(http(200, GOOD));
        let said = bank.pay(&card(), money("1100.50")).await.unwrap();
        assert_eq!(said.response_code.as_deref(), Some("00"));
        assert_eq!((said.id.as_deref(), said.amount.as_deref()), (None, Some("1100.5")));
        assert_eq!(said.amount_iso.as_deref(), Some("000000110050"));
        assert_eq!(said.batch_number.as_deref(), Some("7"));
        assert_eq!(said.transaction_number.as_deref(), Some("000042"));
        assert_eq!(said.reference_number.as_deref(), Some("12345678901"));

        let [sent] = &script.sent()[..] else { panic!("one request") };
        assert_eq!((sent.method, sent.effect), (Method::Post, Effect::Write));
        assert_eq!(sent.url.as_str(), "https://bank.example/rest/transaction/v1.0");
        assert_eq!(
            body(sent),
            format!(r#"{{"card":"{NUMBER}","expiry":"1230","amount":"{text}","terminal":"12345678"}}"#)
        );
        assert!(
            sent.headers
                .iter()
                .any(|(name, value)| *name == "authorization" && value.as_str() == "Bearer planted")
        );
        assert!(!format!("{sent:?} {bank:?} {said:?}").contains(NUMBER));
    }
}

/// The page's own sample: nothing is said, and nothing is made of it.
#[tokio::test]
async fn an_answer_without_values_says_nothing() {
    let (bank, script) = bank(V2Amount::Shortest);
    script.then(http(200, r#"{"header":{"code":200,"status":"success"},"body":{"user":{"id":"","amount":"","referenceNumber":0,"responseCode":""}}}"#));
    let said = bank.pay(&card(), money("1")).await.unwrap();
    assert_eq!((said.response_code, said.reference_number.as_deref()), (None, Some("0")));
}

#[tokio::test]
async fn after_every_other_answer_the_card_may_have_been_debited() {
    let cut = |phase| Err(TransportError::new(phase, TransportFault::Cut, "scripted"));
    for (answer, kind, outcome) in [
        (cut(Phase::NeverSent), ErrorKind::Unavailable, Outcome::NoEffect),
        (cut(Phase::MayHaveBeenSent), ErrorKind::Unavailable, Outcome::Unknown),
        (http(401, ""), ErrorKind::Unauthorized, Outcome::Unknown),
        (http(400, ""), ErrorKind::Unavailable, Outcome::Unknown),
        (http(500, NUMBER), ErrorKind::Unavailable, Outcome::Unknown),
        (http(200, ""), ErrorKind::Malformed, Outcome::Unknown),
        (http(200, NUMBER), ErrorKind::Malformed, Outcome::Unknown),
        (http(200, "{}"), ErrorKind::Rejected, Outcome::Unknown),
        (http(200, GOOD.replace("200", "400")), ErrorKind::Rejected, Outcome::Unknown),
        (http(200, GOOD.replace("200", NUMBER)), ErrorKind::Rejected, Outcome::Unknown),
        (http(200, GOOD.replace("success", "failed")), ErrorKind::Rejected, Outcome::Unknown),
        (http(200, GOOD.replace("user", "other")), ErrorKind::Malformed, Outcome::Unknown),
        (http(200, GOOD.replace("\"00\"", "[]")), ErrorKind::Malformed, Outcome::Unknown),
        // The page's sample has such a comma, and is no JSON.
        (http(200, GOOD.replace("\"00\"}", "\"00\",}")), ErrorKind::Malformed, Outcome::Unknown),
    ] {
        let (bank, script) = bank(V2Amount::Shortest);
        script.then(answer);
        let error = bank.pay(&card(), money("1100")).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{error}");
        assert!(!printed(&error).contains(NUMBER), "{error}");
        assert_eq!(script.sent().len(), 1);
    }
}

#[tokio::test]
async fn an_amount_that_cannot_be_meant_is_not_sent() {
    let (bank, script) = bank(V2Amount::Shortest);
    for amount in [money("0"), Money::from_minor(-1, Currency::MNT), Money::from_minor(100, Currency::USD)] {
        let error = bank.pay(&card(), amount).await.unwrap_err();
        assert_eq!((error.field(), error.outcome()), (Some("amount"), Outcome::NoEffect));
    }
    assert!(script.sent().is_empty());
}
