//! Callbacks of QPay: how each is read, what it proves, and its answer.

use proptest::prelude::*;
use tulbur_core::{
    Channel, Delivery, Error, ErrorKind, IpnEvent, IpnOutcome, Proof, Provider, Subject, Voucher,
};

use crate::common::*;

fn deliver(method: &str, query: Option<&str>, body: &[u8]) -> Result<IpnEvent, Error> {
    let (qpay, script) = qpay();
    let delivery = Delivery { channel: Channel::Notify, method, query, headers: &[], body };
    let event = qpay.ipn().unwrap().verify(&delivery);
    assert!(script.sent().is_empty() && script.logins().is_empty(), "reading does no I/O");
    event
}

/// A hint about no payment by name, with no claim: the address that it came to says whose it is.
fn assert_hint(event: &IpnEvent, id: &str) {
    assert!(matches!(event.proof, Proof::Hint(Voucher::Address)), "{event:?}");
    assert_eq!((&event.subject, event.claimed, event.amount), (&Subject::default(), None, None));
    assert_eq!(event.repeat_key(), format!("-/-/{id}"));
    assert!(!event.is_test && event.saved_card.is_none());
}

#[test]
fn a_callback_is_a_hint_by_get_and_by_post() {
    for (method, query, body) in [
        ("GET", "id=1001&qpay_payment_id=089741882240445", ""),
        ("GET", "qpay_payment_id=089741882240445", ""),
        ("POST", "qpay_payment_id=089741882240445", ""),
        ("POST", "o=1&qpay_payment_id=089741882240445", r#"{"invoice_id":"d50f49f2"}"#),
        ("POST", "qpay_payment_id=089741882240445", "qpay_payment_id=1&payment_status=PAID"),
        // QPay's own examples have the merchant's order number in a parameter of this name.
        ("GET", "payment_id=77&qpay_payment_id=089741882240445", ""),
        ("GET", "qpay%5Fpayment_id=089741882240445&payment_status=PAID&amount=1", ""),
    ] {
        assert_hint(&deliver(method, Some(query), body.as_bytes()).unwrap(), "089741882240445");
    }
    let card = format!("qpay_payment_id={CARD}");
    assert_hint(&deliver("GET", Some(&card), b"").unwrap(), CARD);
}

#[test]
fn each_payment_is_an_event_of_its_own_and_a_repeat_is_one() {
    let of = |query: &str| deliver("GET", Some(query), b"").unwrap();
    let (first, again) = (of("a=1&qpay_payment_id=001"), of("a=1&qpay_payment_id=001"));
    assert_eq!((first.repeat_key(), first.meaning()), (again.repeat_key(), again.meaning()));
    assert_ne!(of("qpay_payment_id=001").repeat_key(), of("qpay_payment_id=1").repeat_key());
}

/// A forged or foreign id makes us ask about our own invoice, and pays nothing.
#[tokio::test]
async fn a_foreign_payment_pays_nothing_here() {
    let query = format!("qpay_payment_id={TRANSFER}");
    assert_hint(&deliver("GET", Some(&query), b"").unwrap(), TRANSFER);
    let (qpay, script) = qpay();
    script.then(ok(&checked(&[]))).then(ok(&read_of(OTHER_INVOICE, TRANSFER, "PAID", "100.00")));
    assert!(!super::common::query(&qpay).await.unwrap().status.is_paid());
    let error = qpay.read_payment(&payment(), &charge(TRANSFER)).await.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Untrusted, Some("object_id")));
}

#[test]
fn what_does_not_name_qpays_payment_is_malformed() {
    let long = format!("qpay_payment_id={}", "1".repeat(51));
    for (method, query, field) in [
        ("GET", None, "qpay_payment_id"),
        ("GET", Some(""), "qpay_payment_id"),
        ("GET", Some("payment_id=089741882240445"), "qpay_payment_id"),
        ("GET", Some("qpay_payment_id="), "qpay_payment_id"),
        ("GET", Some("QPAY_PAYMENT_ID=1"), "qpay_payment_id"),
        ("GET", Some("qpay_payment_id=1&qpay_payment_id=1"), "qpay_payment_id"),
        ("GET", Some("qpay_payment_id=1&qpay_payment_id=2"), "qpay_payment_id"),
        ("GET", Some("qpay_payment_id=..%2Finvoice"), "qpay_payment_id"),
        ("GET", Some("qpay_payment_id=1%0A2"), "qpay_payment_id"),
        ("GET", Some("qpay_payment_id=%D1%82"), "qpay_payment_id"),
        ("GET", Some(&long), "qpay_payment_id"),
        ("POST", Some("o=1"), "qpay_payment_id"),
        ("POST", None, "qpay_payment_id"),
        ("PUT", Some("qpay_payment_id=1"), "method"),
        ("HEAD", Some("qpay_payment_id=1"), "method"),
    ] {
        let error = deliver(method, query, br#"{"qpay_payment_id":"1"}"#).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Malformed, Some(field)), "{method} {query:?}");
        assert_eq!(error.operation(), Some("callback"));
    }
}

#[test]
fn no_payer_comes_back_through_qpay() {
    let (qpay, _) = qpay();
    let query = Some("qpay_payment_id=1");
    let delivery = Delivery { channel: Channel::Return, method: "GET", query, headers: &[], body: b"" };
    assert_eq!(qpay.ipn().unwrap().verify(&delivery).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn success_is_said_only_of_what_is_stored() {
    let (qpay, _) = qpay();
    let reply = |outcome| {
        let reply = qpay.ipn().unwrap().acknowledge(outcome);
        (reply.status, reply.content_type, String::from_utf8(reply.body.to_vec()).unwrap())
    };
    let success = (200, "text/plain; charset=utf-8", "SUCCESS".to_owned());
    assert_eq!(reply(IpnOutcome::Accepted), success);
    assert_eq!(reply(IpnOutcome::Ignored), success);
    for completed in [false, true] {
        assert_eq!(reply(IpnOutcome::Repeat { completed }), success);
    }
    let error = Error::new(ErrorKind::Malformed, "no");
    for (outcome, status) in
        [(IpnOutcome::UnknownPayment, 404), (IpnOutcome::Rejected(&error), 400), (IpnOutcome::NotStored, 503)]
    {
        let (said, _, body) = reply(outcome);
        assert!(said == status && !body.contains("SUCCESS"), "{outcome:?}");
    }
}

proptest! {
    #[test]
    fn no_delivery_is_too_strange(
        query in ".{0,100}",
        body in prop::collection::vec(any::<u8>(), 0..100),
        post in any::<bool>(),
    ) {
        let method = if post { "POST" } else { "GET" };
        let named = format!("qpay_payment_id={query}");
        for query in [&query, &named] {
            if let Ok(event) = deliver(method, Some(query), &body) {
                prop_assert!(matches!(event.proof, Proof::Hint(_)));
            }
        }
    }
}
