//! Requests, byte for byte, beside those of published clients (`tests/vectors/qpay.json`), and the reading of published
//! answers.

use serde_json::{Value, json};
use tulbur_core::{
    CallbackUrl, CancelRequest, CreateInvoice, Currency, CustomerRef, Error, ErrorKind, HttpRequest,
    Language, MerchantRef, Method, Money, NextAction, Outcome, PageKind, PaymentStatus, Phase, Provider,
    TransportError, TransportFault, Way,
};
use tulbur_qpay::{QPay, ReceiptStatus};

use crate::common::*;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/qpay.json")).unwrap()
}

fn list<'a>(vectors: &'a Value, name: &str) -> &'a Vec<Value> {
    vectors[name].as_array().unwrap()
}

fn sample(name: &str) -> Value {
    let vectors = vectors();
    list(&vectors, "samples").iter().find(|one| one["name"] == name).unwrap()["body"].clone()
}

/// A request in the form that the vectors have it.
fn written(request: &HttpRequest) -> (String, String, String) {
    (request.method.as_str().to_owned(), request.url.path().to_owned(), body(request).to_owned())
}

/// What a published client has sent to this path, if its body is the same.
fn clients_that_send(request: &HttpRequest) -> Vec<String> {
    let (method, path, body) = written(request);
    let vectors = vectors();
    let sends = |client: &&Value| {
        list(client, "requests")
            .iter()
            .any(|one| one["method"] == method && one["path"] == path && one["body"] == body)
    };
    list(&vectors, "client_requests")
        .iter()
        .filter(sends)
        .map(|client| client["client"].as_str().unwrap().to_owned())
        .collect()
}

/// The requests that a client of ours sends as others do.
#[tokio::test]
async fn requests_are_those_of_published_clients() {
    let (qpay, script) = qpay();
    script.then(ok(&created())).then(ok(&checked(&[])));
    create(&qpay, &invoice_request()).await.unwrap();
    query(&qpay).await.unwrap();
    script.then(ok(&read_of(INVOICE, "493622150113497", "PAID", "100.00")));
    qpay.read_payment(&payment(), &charge("493622150113497")).await.unwrap();
    script.then(http(200, "{}")).then(ok(&checked(&[])));
    qpay.cancels().unwrap().cancel(&CancelRequest::new(payment())).await.unwrap();
    for cancels in [false, true] {
        let mut answer = read_of(INVOICE, "493622150113497", "PAID", "100.00");
        answer["transaction_type"] = "CARD".into();
        script.then(ok(&answer)).then(http(200, "{}"));
        let request = refund_request("493622150113497", "100");
        if cancels {
            qpay.cancel_payment(&request).await.unwrap();
        } else {
            qpay.refunds().unwrap().refund(&request).await.unwrap();
        }
    }
    let mut request = receipt_request();
    request.payment_id = charge("493622150113497");
    for _ in 0..3 {
        script.then(http(200, "{}"));
    }
    qpay.create_receipt(&request).await.unwrap();
    qpay.create_old_receipt(&request).await.unwrap();
    qpay.cancel_receipt(&request.payment_id).await.unwrap();
    let mut seen = Vec::new();
    for request in script.sent() {
        let clients = clients_that_send(&request);
        assert!(!clients.is_empty(), "nobody else sends {:?}", written(&request));
        seen.push(format!("{} {}", request.method.as_str(), request.url.path()));
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 9, "{seen:?}");
    let login = &script.logins()[0];
    assert_eq!(clients_that_send(login).len(), 7, "a login without a body");
}

#[tokio::test]
async fn each_request_has_its_login_its_type_and_its_deadline() {
    for operation in Operation::ALL {
        let (qpay, script) = qpay();
        operation.prepare(&script);
        script.then(ok(&operation.good())).then(ok(&checked(&[])));
        operation.run(&qpay).await.unwrap();
        let sent = script.sent();
        let request = &sent[usize::from(operation.gives_back())];
        assert_eq!(header(request, "authorization"), Some("Bearer planted-access-1"));
        assert_eq!(header(request, "accept"), Some("application/json"));
        let content = (!request.body.is_empty()).then_some("application/json");
        assert_eq!(header(request, "content-type"), content, "{operation:?}");
        assert_eq!(request.effect.is_write(), operation.writes(), "{operation:?}");
        assert_eq!(request.send_by, SEND_BY.filter(|_| operation.has_deadline()), "{operation:?}");
        assert_eq!(request.url.host_str(), Some("merchant.qpay.mn"));
        assert!(request.url.query().is_none());
    }
}

#[tokio::test]
async fn amounts_are_exact_numbers() {
    for (amount, written) in [
        ("100", "100"),
        ("100.00", "100"),
        ("100.5", "100.5"),
        ("100.55", "100.55"),
        ("0.01", "0.01"),
        ("92233720368547758.07", "92233720368547758.07"),
    ] {
        let (qpay, script) = qpay();
        let mut answer = created();
        answer["qr_text"] = Value::Null;
        script.then(ok(&answer));
        let mut request = invoice_request();
        request.amount = mnt(amount);
        create(&qpay, &request).await.unwrap_err();
        assert!(body(&script.one()).contains(&format!(r#""amount":{written},"#)), "{amount}");
    }
}

#[tokio::test]
async fn what_a_request_has_stands_in_its_fields() {
    let (qpay, script) = qpay();
    let sent = async |request: &CreateInvoice| -> Value {
        script.then(ok(&created()));
        create(&qpay, request).await.unwrap();
        serde_json::from_slice(&script.one().body).unwrap()
    };
    let mut request = invoice_request();
    request.customer = Some(CustomerRef::parse("customer-7").unwrap());
    assert_eq!(sent(&request).await["invoice_receiver_code"], "customer-7");
    request.customer = Some(CustomerRef::parse("x".repeat(46)).unwrap());
    assert_eq!(sent(&request).await["invoice_receiver_code"], "terminal");
    (request.payer.phone, request.payer.name) = (Some("88001122".into()), Some(String::new()));
    assert_eq!(sent(&request).await["invoice_receiver_data"], json!({ "phone": "88001122" }));
    request.description = String::new();
    assert_eq!(sent(&request).await["invoice_description"], NUMBER);
    request.notify_url = None;
    assert!(sent(&request).await.get("callback_url").is_none());
}

/// What is done to a good request.
type Change<'c> = &'c dyn Fn(&mut CreateInvoice);

#[tokio::test]
async fn what_cannot_be_asked_is_not_sent() {
    let (qpay, script) = qpay();
    let refused = async |change: Change<'_>| {
        let mut request = invoice_request();
        change(&mut request);
        let error = create(&qpay, &request).await.unwrap_err();
        assert_eq!((error.outcome(), error.operation()), (Outcome::NoEffect, Some("create_invoice")));
        error.field().map(str::to_owned)
    };
    let url = |text: &str| Some(CallbackUrl::parse(text).unwrap());
    let long = format!("https://shop.mn/{}", "x".repeat(240));
    let cases: [(Change<'_>, &str); 10] = [
        (&|r| r.amount = mnt("0"), "amount"),
        (&|r| r.amount = Money::from_major(1, Currency::USD).unwrap(), "amount"),
        (&|r| r.description = "x".repeat(256), "description"),
        (&|r| r.merchant_ref = MerchantRef::parse("x".repeat(46)).unwrap(), "merchant_ref"),
        (&|r| r.merchant_ref = MerchantRef::parse("a b").unwrap(), "merchant_ref"),
        (&|r| r.notify_url = url(&long), "notify_url"),
        (&|r| r.notify_url = url("https://shop.mn/n?qpay_payment_id=1"), "notify_url"),
        (&|r| r.payer.phone = Some("8".repeat(21)), "payer"),
        (&|r| r.way = Way::Phone, "way"),
        (&|r| r.save_card = true, "save_card"),
    ];
    for (change, field) in cases {
        assert_eq!(refused(change).await.as_deref(), Some(field));
    }
    assert!(script.sent().is_empty() && script.logins().is_empty());
}

#[tokio::test]
async fn the_published_answer_to_a_create_is_read() {
    let (qpay, script) = qpay();
    let answer = sample("invoice_created");
    let link = answer["urls"][0]["link"].as_str().unwrap().to_owned();
    script.then(ok(&answer));
    let invoice = create(&qpay, &invoice_request()).await.unwrap();
    assert_eq!(invoice.status, PaymentStatus::Pending);
    assert_eq!(invoice.payment, payment());
    assert_eq!(invoice.expires_at, None);
    let [NextAction::ShowQr(qr), NextAction::OpenApp(apps), NextAction::Redirect(page)] = &invoice.next[..]
    else {
        panic!("{:?}", invoice.next)
    };
    assert_eq!((qr.as_str(), apps[0].link.as_str(), &*apps[0].name), (QR, link.as_str(), "Хаан банк"));
    assert_eq!(apps[0].logo.as_ref().unwrap().as_str(), "https://qpay.mn/q/logo/khanbank.png");
    assert_eq!((page.url.as_str(), page.page), ("https://s.qpay.mn/z1lKnIO5T", PageKind::Choice));
}

async fn next_of(answer: &Value, way: Way, language: Language) -> Result<Vec<NextAction>, Error> {
    let (qpay, script) = qpay();
    script.then(ok(answer));
    let mut request = invoice_request();
    (request.way, request.language) = (way, language);
    create(&qpay, &request).await.map(|invoice| invoice.next)
}

#[tokio::test]
async fn the_way_asked_for_comes_first() {
    let first = async |way| next_of(&created(), way, Language::Mn).await.unwrap().remove(0);
    assert!(matches!(first(Way::Page).await, NextAction::Redirect(_)));
    assert!(matches!(first(Way::Qr).await, NextAction::ShowQr(_)));
    assert!(matches!(first(Way::App).await, NextAction::OpenApp(_)));
    let (qpay, script) = qpay();
    script.then(ok(&created()));
    let mut request = invoice_request();
    request.way = Way::Page;
    let invoice = qpay.qr().unwrap().create_qr(&request).await.unwrap();
    assert!(matches!(invoice.next[0], NextAction::ShowQr(_)));
}

#[tokio::test]
async fn links_are_passed_on_byte_for_byte_in_their_order() {
    let links = |next: &[NextAction]| -> Vec<(String, String)> {
        next.iter()
            .filter_map(|action| if let NextAction::OpenApp(apps) = action { Some(apps) } else { None })
            .flatten()
            .map(|app| (app.name.to_string(), app.link.clone()))
            .collect()
    };
    let odd = "most://q?qPay_QRcode=a b%2f+С".to_owned();
    let first = format!("khanbank://q?qPay_QRcode={QR}");
    let next = next_of(&created(), Way::App, Language::En).await.unwrap();
    assert_eq!(links(&next), [("Khan bank".into(), first.clone()), ("Most money".into(), odd.clone())]);
    // Under the name of QPay's own table; `urls` wins where it has any.
    let mut renamed = created();
    renamed["qPay_deeplink"] = renamed["urls"].take();
    assert_eq!(links(&next_of(&renamed, Way::App, Language::Mn).await.unwrap())[1].1, odd);
    renamed["urls"] = json!([{ "link": "one://" }, { "name": "no link" }]);
    assert_eq!(
        links(&next_of(&renamed, Way::App, Language::Mn).await.unwrap()),
        [("QPay".into(), "one://".into())]
    );
    renamed["urls"] = json!([]);
    assert_eq!(links(&next_of(&renamed, Way::App, Language::Mn).await.unwrap()).len(), 2);
    // Without either, and without a short link, the QR is left.
    for short in
        [Value::Null, "http://s.qpay.mn/a".into(), "javascript:alert(1)".into(), "s.qpay.mn/a".into()]
    {
        let bare = json!({ "invoice_id": INVOICE, "qr_text": QR, "qPay_shortUrl": short });
        for way in [Way::App, Way::Page, Way::Qr] {
            assert_eq!(next_of(&bare, way, Language::Mn).await.unwrap(), [NextAction::ShowQr(QR.into())]);
        }
    }
}

/// An answer that names nothing of ours but in its QR is found there.
#[tokio::test]
async fn an_invoice_of_somebody_else_is_never_shown() {
    let change = |name: &str, value: Value| {
        let mut answer = created();
        answer[name] = value;
        answer
    };
    let vectors = vectors();
    let tampered = list(&vectors, "qr_payloads")
        .iter()
        .find(|one| one["name"] == "negative-amount-changed-crc-kept")
        .unwrap()["payload"]
        .clone();
    for (answer, kind, field) in [
        (change("qr_text", tampered), ErrorKind::Malformed, "qr_text"),
        (change("qr_text", "0002010102".into()), ErrorKind::Malformed, "qr_text"),
        (change("qr_text", Value::Null), ErrorKind::Malformed, "qr_text"),
        (change("invoice_id", Value::Null), ErrorKind::Malformed, "invoice_id"),
        (change("invoice_id", "../payment".into()), ErrorKind::Malformed, "invoice_id"),
        (change("invoice_id", json!(7)), ErrorKind::Malformed, "invoice_id"),
    ] {
        let error = next_of(&answer, Way::Qr, Language::Mn).await.unwrap_err();
        assert_eq!((error.kind(), error.field(), error.outcome()), (kind, Some(field), Outcome::Unknown));
    }
    for (number, amount) in [("1234568", "100"), (NUMBER, "100.01"), (NUMBER, "10000"), (NUMBER, "1")] {
        let (qpay, script) = qpay();
        script.then(ok(&created()));
        let mut request = invoice_request();
        (request.merchant_ref, request.amount) = (MerchantRef::parse(number).unwrap(), mnt(amount));
        let error = create(&qpay, &request).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::Untrusted, Outcome::Unknown),
            "{number} {amount}"
        );
    }
}

/// The six published payloads, and the one that was made by their layout, each as the answer to a create of its own
/// number and amount.
#[tokio::test]
async fn the_published_payloads_are_shown_as_they_came() {
    let vectors = vectors();
    let mut tried = 0;
    for vector in list(&vectors, "qr_payloads") {
        let field = |id: &str| -> Option<&str> {
            vector["fields"].as_array()?.iter().find(|field| field[0] == id)?[1].as_str()
        };
        let (Some(amount), true) = (field("54"), vector["crc_verified"] == true) else { continue };
        let additional = field("62").unwrap();
        let length: usize = additional[2..4].parse().unwrap();
        let (number, payload) = (&additional[4..4 + length], vector["payload"].as_str().unwrap());
        let (qpay, script) = qpay();
        let mut answer = created();
        answer["qr_text"] = payload.into();
        script.then(ok(&answer));
        let mut request = invoice_request();
        (request.merchant_ref, request.amount) = (MerchantRef::parse(number).unwrap(), mnt(amount));
        let invoice = create(&qpay, &request).await.unwrap_or_else(|e| panic!("{}: {e}", vector["name"]));
        assert_eq!(invoice.next[0], NextAction::ShowQr(payload.into()));
        tried += 1;
    }
    assert_eq!(tried, 7, "no payload is passed over");
}

/// A create is never repeated here: neither after a failure nor after 400, which is final.
#[tokio::test]
async fn a_create_is_sent_once() {
    for (answer, outcome) in [
        (http(400, failure("INVALID_AMOUNT")), Outcome::Refused),
        (http(500, failure("SYSTEM_BUSY")), Outcome::Unknown),
        (http(502, "<html>"), Outcome::Unknown),
        (
            Err(TransportError::new(Phase::MayHaveBeenSent, TransportFault::Timeout, "scripted")),
            Outcome::Unknown,
        ),
        (Err(TransportError::new(Phase::NeverSent, TransportFault::Connect, "scripted")), Outcome::NoEffect),
    ] {
        let (qpay, script) = qpay();
        script.then(answer);
        assert_eq!(create(&qpay, &invoice_request()).await.unwrap_err().outcome(), outcome);
        assert_eq!(script.one().method, Method::Post);
    }
}

async fn answer_of(name: &str, run: impl AsyncFn(&QPay, &Side)) {
    let (qpay, script) = qpay();
    script.then(ok(&sample(name)));
    run(&qpay, &script).await;
}

#[tokio::test]
async fn the_other_published_answers_are_read() {
    answer_of("check_none", async |qpay, _| {
        assert_eq!(query(qpay).await.unwrap().status, PaymentStatus::Pending);
    })
    .await;
    answer_of("check_card", async |qpay, script| {
        script.then(ok(&read(CARD, "PAID", "100.00")));
        let said = query(qpay).await.unwrap();
        assert_eq!((said.status, said.amount), (PaymentStatus::Paid, Some(mnt("100"))));
        assert!(said.parts[0].refundable);
    })
    .await;
    answer_of("payment_p2p", async |qpay, _| {
        let read = qpay.read_payment(&payment(), &charge("493622150113497")).await.unwrap();
        assert_eq!(
            (read.amount, read.fee, read.method.as_deref()),
            (mnt("100"), Some(mnt("1")), Some("P2P"))
        );
    })
    .await;
    answer_of("ebarimt_v3_created", async |qpay, _| {
        let mut request = receipt_request();
        request.payment_id = charge("019276866891878");
        let receipt = qpay.create_receipt(&request).await.unwrap();
        assert_eq!(receipt.lottery.as_deref(), Some("HV 83198235"));
    })
    .await;
    answer_of("ebarimt_v3_canceled", async |qpay, _| {
        let receipt = qpay.cancel_receipt(&charge("019276866891878")).await.unwrap();
        assert_eq!(
            (receipt.status, receipt.vat_amount.as_deref()),
            (Some(ReceiptStatus::Canceled), Some("9.09"))
        );
    })
    .await;
    for name in ["token", "token_relative_form"] {
        let (qpay, script) = qpay();
        let answer = sample(name).to_string().replace("<opaque>", "opaque");
        script.then_login(http(200, answer)).then(ok(&checked(&[])));
        assert!(query(&qpay).await.is_ok(), "{name}");
        assert_eq!(header(&script.one(), "authorization"), Some("Bearer opaque"));
    }
}

/// The nine answers whose bodies were rebuilt from an `ETag`, and the validation that a client's author saw.
#[tokio::test]
async fn the_captured_refusals_are_read() {
    let vectors = vectors();
    let mut tried = 0;
    for vector in list(&vectors, "answers_reproduced_from_etags") {
        let Some(answer) = vector["body"].as_str() else { continue };
        let status = u16::try_from(vector["status"].as_u64().unwrap()).unwrap();
        let good = status == 200;
        let (qpay, script) = qpay();
        script.then(http(status, answer));
        if status == 401 {
            script.then(http(status, answer));
        }
        let result = qpay.create_old_receipt(&receipt_request()).await;
        assert_eq!(result.is_ok(), good, "{}", vector["name"]);
        if let Err(error) = result {
            let outcome = if status >= 500 { Outcome::Unknown } else { Outcome::Refused };
            assert_eq!(error.outcome(), outcome, "{}", vector["name"]);
            assert!(error.code().is_some());
        }
        tried += 1;
    }
    assert_eq!(tried, 10, "no answer is passed over but the one whose body is not known");
}
