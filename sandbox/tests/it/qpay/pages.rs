//! The pages: QPay's list of bank apps, and the bank app that pays.

use serde_json::json;
use tulbur_sandbox::PaymentState;

use super::support::{INVOICE, Shop, explained, simple, start, statuses, with};

/// The path of the list, and the QR's text.
async fn open(shop: &Shop, number: &str, more: serde_json::Value) -> (String, String, String) {
    let created = shop.good("POST", INVOICE, &with(simple(number), more)).await;
    let text = |name: &str| created[name].as_str().unwrap().to_owned();
    let list = text("qPay_shortUrl").strip_prefix(&shop.base).unwrap().to_owned();
    (text("invoice_id"), list, text("qr_text"))
}

async fn scan(shop: &Shop, code: &str) -> crate::support::Reply {
    let query = serde_urlencoded::to_string([("lang", "en"), ("qr", code)]).unwrap();
    shop.get(&format!("/-/bank-app?{query}")).await
}

#[tokio::test]
async fn the_list_shows_the_code_and_the_apps_in_two_languages() {
    let (_sandbox, shop, qpay) = start().await;
    let (_, list, text) = open(&shop, "A-1", json!({ "amount": 1_234_567.5 })).await;
    let page = shop.get(&list).await;
    assert_eq!(page.status, 200);
    for words in
        ["lang=\"mn\"", "1,234,567.50 ₮", "id=\"qr\"", &text, "Туршилтын банк 1", "name=\"viewport\""]
    {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    assert!(page.text.contains("data-state=\"open\"") && page.text.contains("http-equiv=\"refresh\""));
    assert!(page.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let english = shop.get(&format!("{list}?lang=en")).await.text;
    assert!(english.contains("Pay with qPay") && english.contains("Sandbox bank 1"));
    assert_eq!(english.matches("tulbur-sandbox-").count(), 4);
    // The link to the bank app leads to this invoice.
    let app = english.split("id=\"bank-app\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let app = app.replace("&#38;", "&").replace("&amp;", "&");
    assert!(shop.get(&app).await.text.contains("data-invoice=\"A-1\""));

    super::support::act(&qpay, "A-1", "pay", &[]);
    let paid = shop.get(&list).await.text;
    assert!(paid.contains("data-state=\"paid\"") && !paid.contains("id=\"qr\"") && !paid.contains("refresh"));
    assert_eq!(shop.get("/s/none").await.status, 404);
    assert!(explained(&qpay).contains("qPay_shortUrl"));
}

#[tokio::test]
async fn the_bank_app_pays_by_transfer_by_card_or_fails() {
    let (_sandbox, shop, qpay) = start().await;
    for (number, action, kind, status) in [
        ("A-1", "pay", "P2P", "PAID"),
        ("A-2", "pay-by-card", "CARD", "PAID"),
        ("A-3", "fail", "P2P", "FAILED"),
    ] {
        let (id, _, text) = open(&shop, number, json!({})).await;
        assert!(scan(&shop, &text).await.text.contains("id=\"pay\""));
        let reply = shop.form("/-/bank-app", &[("lang", "en"), ("qr", &text), ("action", action)]).await;
        assert_eq!(reply.status, 303, "{}", reply.text);
        let after = shop.get(reply.location()).await.text;
        let check = shop.check(&id).await;
        assert_eq!((&check["rows"][0]["payment_type"], statuses(&check)), (&json!(kind), vec![status]));
        assert_eq!(after.contains("id=\"failed\""), status == "FAILED");
        // A failed try leaves the invoice open; a second click on a paid one pays nothing.
        shop.form("/-/bank-app", &[("qr", &text), ("action", "pay")]).await;
        assert_eq!(qpay.payment(number).unwrap().debits, 1);
        assert_eq!(qpay.payment(number).unwrap().state, PaymentState::Paid);
        assert!(!scan(&shop, &text).await.text.contains("id=\"pay\""));
    }
}

#[tokio::test]
async fn a_link_of_an_app_is_read_too_and_names_the_wallet() {
    let (_sandbox, shop, _qpay) = start().await;
    let (id, ..) = open(&shop, "A-1", json!({ "invoice_description": "Захиалга & #7" })).await;
    let created = shop.good("POST", INVOICE, &simple("A-2")).await;
    let link = created["urls"][2]["link"].as_str().unwrap();
    assert!(scan(&shop, link).await.text.contains("data-invoice=\"A-2\""));
    shop.form("/-/bank-app", &[("qr", link), ("action", "pay")]).await;
    let check = shop.check(created["invoice_id"].as_str().unwrap()).await;
    assert_eq!(check["rows"][0]["payment_wallet"], "Sandbox bank 2");
    assert_eq!(shop.check(&id).await["count"], 0);
    // A description that no link can hold as it is comes through all the same.
    let odd = shop
        .good("POST", INVOICE, &with(simple("A-3"), json!({ "invoice_description": "Захиалга & #7" })))
        .await;
    let link = odd["urls"][0]["link"].as_str().unwrap();
    assert!(link.is_ascii() && scan(&shop, link).await.text.contains("data-invoice=\"A-3\""));
}

#[tokio::test]
async fn an_amount_is_the_payer_s_only_where_the_invoice_allows_it() {
    let (_sandbox, shop, qpay) = start().await;
    let pay = async |text: &str, amount: &str| {
        shop.form("/-/bank-app", &[("lang", "en"), ("qr", text), ("amount", amount), ("action", "pay")])
            .await
            .status
    };
    let (_, _, exact) = open(&shop, "A-1", json!({})).await;
    assert!(!scan(&shop, &exact).await.text.contains("other-amount"));
    for amount in ["99", "101", "x", "0"] {
        assert_eq!(pay(&exact, amount).await, 422, "{amount}");
    }
    assert_eq!(qpay.payment("A-1").unwrap().debits, 0);
    assert_eq!(pay(&exact, "100.00").await, 303);

    let (id, _, partial) = open(&shop, "A-2", json!({ "allow_partial": true, "minimum_amount": 30 })).await;
    assert!(scan(&shop, &partial).await.text.contains("id=\"other-amount\" name=\"amount\" value=\"100\""));
    for (amount, status) in
        [("29.99", 422), ("30", 303), ("70.01", 422), ("45", 303), ("20", 422), ("25", 303)]
    {
        assert_eq!(pay(&partial, amount).await, status, "{amount}");
    }
    assert_eq!(shop.check(&id).await["paid_amount"], 100);

    let (_, _, exceed) = open(&shop, "A-3", json!({ "allow_exceed": "true", "maximum_amount": "150" })).await;
    for (amount, status) in [("150.01", 422), ("99", 422), ("150", 303)] {
        assert_eq!(pay(&exceed, amount).await, status, "{amount}");
    }
}

#[tokio::test]
async fn a_code_that_is_not_the_invoice_s_own_is_not_paid() {
    let (_sandbox, shop, qpay) = start().await;
    let (_, _, text) = open(&shop, "A-1", json!({})).await;
    let spoiled = text.replace("5403100", "5403900");
    let resealed = {
        let payload = tulbur_qr::Payload::parse(&text).unwrap();
        let mut builder = tulbur_qr::Payload::builder(tulbur_qr::Rules::Mongolia);
        for element in payload.elements() {
            builder = builder.element(element.clone());
        }
        builder.amount("1").build().unwrap().to_string()
    };
    let vectors = super::vectors::file();
    let foreign = vectors["qr_payloads"][0]["payload"].as_str().unwrap();
    let broken = vectors["qr_payloads"].as_array().unwrap().iter();
    let broken = broken.clone().find(|one| one["name"] == "negative-amount-changed-crc-kept").unwrap();
    for (code, words) in [
        ("hello", "the first two characters"),
        (spoiled.as_str(), "checksum"),
        (broken["payload"].as_str().unwrap(), "checksum"),
        (resealed.as_str(), "changed on the way"),
        (foreign, "belongs to no invoice here"),
        ("<script>alert(1)</script>", "id=\"problem\""),
    ] {
        let page = scan(&shop, code).await;
        assert_eq!(page.status, 422, "{code}");
        assert!(page.text.contains("id=\"problem\"") && !page.text.contains("<script>"), "{}", page.text);
        assert!(words == "the first two characters" || page.text.contains(words), "{words}: {}", page.text);
        assert_eq!(shop.form("/-/bank-app", &[("qr", code), ("action", "pay")]).await.status, 422);
    }
    assert_eq!(qpay.payment("A-1").unwrap().debits, 0);
    assert!(shop.get("/-/bank-app").await.text.contains("id=\"scan\""));
}

#[tokio::test]
async fn text_from_outside_is_escaped_on_every_page() {
    let (sandbox, shop, qpay) = start().await;
    let evil = "<script>alert(1)</script>\"&";
    let (_, list, text) = open(&shop, evil, json!({ "invoice_description": evil })).await;
    let record = qpay.payment(evil).unwrap();
    assert_eq!(record.pages["list of bank apps"], format!("{}{list}", shop.base));
    let app = record.pages["bank app"].strip_prefix(&shop.base).unwrap().to_owned();
    let control = format!("{}/p/qpay", sandbox.control_url());
    for page in [
        shop.get(&list).await.text,
        shop.get(&app).await.text,
        scan(&shop, &text).await.text,
        reqwest::get(control).await.unwrap().text().await.unwrap(),
    ] {
        assert!(!page.contains("<script>alert"), "{page}");
    }
}
