//! The calls of a till, over a socket.

use serde_json::json;
use tulbur_qr::{Checksum, HexCase, Payload};
use tulbur_sandbox::golomt_instore::GolomtInstore;
use tulbur_sandbox::{Fault, FaultKind, PaymentState, Sandbox, Verdict};

use super::support::{INSTORE, INVOICE, PHONE, SECRET, TERMINAL, Till, code, desc, error, explained, start};
use crate::support::{joined, sign};

#[tokio::test]
async fn a_phone_invoice_from_the_till_to_the_settlement() {
    let (_sandbox, till, bank) = start().await;
    assert!(desc(&till.phone("INV-1", "1100").await).contains("success"));
    let record = bank.payment("INV-1").unwrap();
    assert_eq!((record.kind.as_str(), record.amount.as_str(), record.debits), ("phone", "1100", 0));
    assert_eq!(record.details["phone"], "99112233");

    let unpaid = till.check("INV-1", "1100").await;
    assert_ne!(code(&unpaid), "00");
    bank.act("INV-1", "pay").unwrap();
    let paid = till.check("INV-1", "1100").await;
    let result = &paid["body"]["response"];
    assert_eq!(code(&paid), "00");
    assert_eq!(result["resp_desc"], "Амжилттай");
    assert_eq!((&result["amount"], &result["terminal"]), (&json!("1100"), &json!(TERMINAL)));
    assert_eq!(result["invoice"], "INV-1");
    assert_eq!(result["approval_code"].as_str().unwrap().len(), 6);
    assert!(result["card_number"].as_str().unwrap().contains("******"));
    assert_eq!(bank.payment("INV-1").unwrap().debits, 1);

    let settled = till.settle("S-1").await;
    assert_eq!(settled["body"]["response"], json!({ "amount": "1100", "count": 1, "status": "SUCCESS" }));
    assert_eq!(till.settle("S-1").await, settled);
    assert_eq!(till.settle("S-2").await["body"]["response"]["count"], 0);
}

#[tokio::test]
async fn a_code_has_the_bank_s_layout_and_opens_by_link() {
    let (_sandbox, till, bank) = start().await;
    let text = till.qr("INV-1", "1100.5").await;
    let payload = Payload::parse(&text).unwrap();
    assert_eq!(payload.checksum().unwrap().checksum, Checksum::X25, "{text}");
    assert_eq!(payload.amount(), Some("1100.5"));
    assert_eq!(payload.get(80).unwrap().value(), "01");
    assert_eq!(payload.bill_number().unwrap().len(), 21);
    assert_eq!(payload.store(), Some("000000013161272"));
    assert_eq!(bank.payment("INV-1").unwrap().details["qr"], text);

    let link = till.deeplink("INV-2", "1100").await;
    let key = link.strip_prefix("socialpay-payment://key=").unwrap();
    assert_eq!(key.len(), 108);
    assert_eq!(bank.payment("INV-2").unwrap().kind, "deeplink");

    // Every code has a checksum of its own, and one in seven has no letter that could show a case.
    let mut cases = Vec::new();
    for n in 0..16 {
        let text = till.qr(&format!("CASE-{n}"), "1100.5").await;
        if text[text.len() - 4..].contains(|c: char| c.is_ascii_alphabetic()) {
            cases.push(Payload::parse(&text).unwrap().checksum().unwrap().case);
        }
    }
    assert!(!cases.is_empty() && cases.iter().all(|case| *case == HexCase::Lower), "{cases:?}");
}

#[tokio::test]
async fn amounts_are_signed_as_they_are_sent() {
    let (_sandbox, till, bank) = start().await;
    for amount in ["1", "1100", "1100.5", "1100.50", "999999.99", "1000000", "123456789"] {
        let number = format!("A{}", amount.replace('.', "x"));
        desc(&till.phone(&number, amount).await);
        bank.act(&number, "pay").unwrap();
        let paid = till.check(&number, amount).await;
        assert_eq!(paid["body"]["response"]["amount"], amount);
        let response = &paid["body"]["response"];
        assert_eq!(response["checksum"], sign(SECRET, &joined(response, INVOICE)));
    }
    for wrong in ["0", "-1", "1,100", "1e+06", "1.234", " 5", "five"] {
        let answer = till.simple("/pos/invoice/qr", "B", wrong).await;
        assert_eq!(error(&answer), ("error.invalid.request", "InvalidRequest"), "{wrong}");
        assert!(explained(&bank).contains("amount"), "{wrong}");
    }
    let too_long = "12345678901.23";
    assert_eq!(error(&till.simple("/pos/invoice/qr", "B", too_long).await).1, "InvalidRequest");
    assert!(explained(&bank).contains("13 characters"), "{}", explained(&bank));
    desc(&till.phone("B", too_long).await);
    // An old client sends a JSON number; its characters are what counts.
    let body = format!(
        "{{\"terminal\":\"{TERMINAL}\",\"invoice\":\"N\",\"amount\":1100.50,\"checksum\":\"{}\"}}",
        sign(SECRET, &format!("{TERMINAL}N1100.50"))
    );
    desc(&till.send("/pos/invoice/qr", body).await.unwrap().json());
    assert!(explained(&bank).contains("JSON number"));
}

#[tokio::test]
async fn a_tampered_request_is_refused_and_explained() {
    let (_sandbox, till, bank) = start().await;
    let signed = |amount: &str, message: &str| json!({ "terminal": TERMINAL, "invoice": "INV-1", "amount": amount, "checksum": sign(SECRET, message) });
    let right = format!("{TERMINAL}INV-11100");
    let cases = [
        (signed("1101", &right), "hashed \"13161272INV-11101\"", "terminal + invoice + amount"),
        (signed("1100", &format!("1100INV-1{TERMINAL}")), "amount + invoice + terminal", "order"),
        (signed("1100.00", &right), "hashed as \"1100\" (shortest)", "expected"),
        (signed("1100", &format!("{TERMINAL}|INV-1|1100")), "joined with \"|\"", "It looks as if"),
    ];
    for (body, words, more) in cases {
        let reply = till.send("/pos/invoice/qr", body.to_string()).await.unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!(error(&reply.json()), ("error.invalid.checksum", "InvalidChecksum"));
        let why = explained(&bank);
        assert!(why.contains(words) && why.contains(more), "{why}");
        assert!(!why.contains(SECRET), "{why}");
    }
    assert_eq!(bank.requests().pop().unwrap().verdict, Some(Verdict::Refused));
    assert!(bank.payments().is_empty());

    let big = json!({
        "terminal": TERMINAL, "invoice": "INV-1", "amount": "1000000",
        "checksum": sign(SECRET, &format!("{TERMINAL}INV-11e+06")),
    });
    till.send("/pos/invoice/qr", big.to_string()).await.unwrap();
    assert!(explained(&bank).contains("1e+06"), "{}", explained(&bank));

    for (body, words) in [
        ("{}".to_owned(), "terminal is missing"),
        ("[]".to_owned(), "not a JSON object"),
        (json!({ "terminal": "13161273" }).to_string(), "terminal \"13161273\" is not one of this bank's"),
        (json!({ "terminal": TERMINAL, "invoice": "A" }).to_string(), "amount is missing"),
        (json!({ "terminal": TERMINAL, "invoice": "A", "amount": "1" }).to_string(), "checksum is missing"),
    ] {
        assert!(till.send("/pos/invoice/qr", body).await.unwrap().json()["body"]["error"].is_object());
        assert!(explained(&bank).contains(words), "{}", explained(&bank));
    }
    let long = "a".repeat(33);
    assert_eq!(error(&till.simple("/pos/invoice/qr", &long, "1").await).1, "InvalidRequest");
    assert!(explained(&bank).contains("32"));
    desc(&till.simple("/pos/invoice/qr", &long[1..], "1").await);
}

#[tokio::test]
async fn unknown_invoices_are_named_in_the_one_way_that_is_known() {
    let (_sandbox, till, bank) = start().await;
    till.qr("INV-1", "1100").await;
    for path in ["/pos/invoice/check", "/pos/invoice/cancel", "/pos/payment/cancel"] {
        let answer = till.simple(path, "INV-2", "1100").await;
        assert_eq!(error(&answer), ("error.notfound.invoice", "NotFound"), "{path}");
        let answer = till.simple(path, "INV-1", "1101").await;
        assert_eq!(error(&answer), ("error.notfound.invoice", "NotFound"), "{path}");
        assert!(explained(&bank).contains("is about 1100, not about 1101"));
    }
    // The same value in other characters is the same invoice.
    assert_eq!(desc(&till.cancel("INV-1", "1100.00").await), "success");

    let reply = till.get("/pos/invoice/qr").await;
    assert_eq!((reply.status, &reply.json()["header"]["status"]), (405, &json!("failed")));
    let reply = till.get("/pos/invoice/info").await;
    assert_eq!((reply.status, &reply.json()["header"]["code"]), (404, &json!(404)));
}

#[tokio::test]
async fn cancels_and_refunds_move_what_they_say() {
    let (_sandbox, till, bank) = start().await;
    till.qr("OPEN", "5").await;
    assert_eq!(desc(&till.cancel("OPEN", "5").await), "success");
    assert_eq!(bank.payment("OPEN").unwrap().state, PaymentState::Canceled);
    assert_eq!(till.cancel("OPEN", "5").await["body"]["response"]["status"], "FAILED");
    assert_ne!(code(&till.check("OPEN", "5").await), "00");

    assert_ne!(code(&till.refund("OPEN", "5").await), "00");
    till.qr("PAID", "5").await;
    bank.act("PAID", "pay").unwrap();
    assert_eq!(till.cancel("PAID", "5").await["body"]["response"]["status"], "FAILED");
    assert_eq!(bank.payment("PAID").unwrap().details["refunds"], 0);
    let refunded = till.refund("PAID", "5").await;
    assert_eq!((code(&refunded), &refunded["body"]["response"]["amount"]), ("00", &json!("5")));
    let record = bank.payment("PAID").unwrap();
    assert_eq!((&record.details["refunds"], &record.details["refunded"]), (&json!(1), &json!("5.00")));
    assert_ne!(code(&till.refund("PAID", "5").await), "00");
    assert_eq!(bank.payment("PAID").unwrap().details["refunds"], 1);
    assert_eq!(till.settle("S").await["body"]["response"]["count"], 0);
}

#[tokio::test]
async fn fifty_tills_and_secrets_of_their_own() {
    let plugin = GolomtInstore::new().terminal("TILL-A", "secret-a");
    let sandbox = Sandbox::builder().plugin(plugin).start().await.unwrap();
    let bank = sandbox.provider(INSTORE).unwrap();
    bank.set_switch("terminals", "50").unwrap();
    let last = Till::at(bank.base_url(), "13161321", SECRET);
    let own = Till::at(bank.base_url(), "TILL-A", "secret-a");
    let wrong = Till::at(bank.base_url(), "TILL-A", SECRET);
    desc(&last.phone("1", "10").await);
    // The same number at another till is another invoice, with a reference of its own for the control page.
    desc(&own.phone("1", "20").await);
    assert_eq!(error(&wrong.phone("2", "20").await).1, "InvalidChecksum");
    bank.act("1@TILL-A", "pay").unwrap();
    assert_eq!(code(&own.check("1", "20").await), "00");
    assert_ne!(code(&last.check("1", "10").await), "00");
    assert_eq!(bank.requests().pop().unwrap().reference.as_deref(), Some("1"));
}

#[tokio::test]
async fn faults_strike_the_calls_that_they_were_aimed_at() {
    let (_sandbox, till, bank) = start().await;
    bank.add_fault(Fault::new(FaultKind::AnswerLost).on_path("/pos/invoice/phone")).unwrap();
    let body = json!({ "terminal": TERMINAL, "invoice": "A", "amount": "5", "phone": "99112233" });
    let mut signed = body.clone();
    signed["checksum"] = sign(SECRET, &joined(&body, PHONE)).into();
    till.send("/pos/invoice/phone", signed.to_string()).await.unwrap_err();
    assert_eq!(bank.payment("A").unwrap().state, PaymentState::Open);
    assert_eq!(error(&till.phone("A", "5").await), ("error.duplicate.invoice", "Duplicate"));

    bank.act("A", "pay").unwrap();
    bank.add_fault(Fault::new(FaultKind::AnswerTamperedAmount).for_reference("A")).unwrap();
    assert_eq!(till.check("A", "5").await["body"]["response"]["amount"], "6");
    assert_eq!(till.check("A", "5").await["body"]["response"]["amount"], "5");
    bank.add_fault(Fault::new(FaultKind::ErrorAfter).for_reference("B")).unwrap();
    let body = json!({ "terminal": TERMINAL, "invoice": "B", "amount": "5" });
    let mut signed = body.clone();
    signed["checksum"] = sign(SECRET, &joined(&body, INVOICE)).into();
    let reply = till.send("/pos/invoice/qr", signed.to_string()).await.unwrap();
    assert_eq!((reply.status, &reply.json()["header"]["code"]), (500, &json!(500)));
    assert!(bank.payment("B").is_some());
    assert!(bank.add_fault(Fault::new(FaultKind::AnswerWrongChecksum)).is_err());
}

#[tokio::test]
async fn everything_survives_in_the_state_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    let sandbox = Sandbox::builder().state_file(&file).start().await.unwrap();
    let bank = sandbox.provider(INSTORE).unwrap();
    let till = Till::at(bank.base_url(), TERMINAL, SECRET);
    let text = till.qr("INV-1", "1100").await;
    bank.act("INV-1", "pay").unwrap();
    till.settle("S-1").await;
    sandbox.shutdown().await;

    let sandbox = Sandbox::builder().state_file(&file).start().await.unwrap();
    let bank = sandbox.provider(INSTORE).unwrap();
    let till = Till::at(bank.base_url(), TERMINAL, SECRET);
    assert_eq!(code(&till.check("INV-1", "1100").await), "00");
    assert_eq!(bank.payment("INV-1").unwrap().details["qr"], text);
    assert_eq!(till.settle("S-1").await["body"]["response"]["count"], 1);
    assert_eq!(till.settle("S-2").await["body"]["response"]["count"], 0);
}
