//! The pages that a payer sees.

use std::time::Duration;

use serde_json::json;
use tulbur_sandbox::PaymentState;

use crate::support::{DECLINE, PENDING, SUCCESS, card_form, eventually, start};

#[tokio::test]
async fn the_page_is_there_in_both_languages_whatever_their_case() {
    let (_sandbox, merchant, _bank) = start().await;
    let invoice = merchant.invoice("A-1").await;
    for (room, language, words) in [
        ("payment", "mn", "Төлөх дүн"),
        ("payment", "MN", "Төлөх дүн"),
        ("payment", "EN", "Amount"),
        ("socialpay", "en", "Phone number"),
        ("socialpay", "Mn", "Утасны дугаар"),
    ] {
        let page = merchant.get(&format!("/{room}/{language}/{invoice}")).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains(words), "{room} {language}");
        assert!(page.text.contains("1,500.00 ₮"));
        assert_eq!(page.headers["cache-control"], "no-store");
        assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    }
    let upper = merchant.get(&format!("/payment/mn/{}", invoice.to_uppercase())).await;
    assert_eq!(upper.status, 200);
    for wrong in [
        format!("/payment/eng/{invoice}"),
        format!("/confirmation/mn/{invoice}"),
        "/payment/mn/00000000-0000-0000-0000-000000000000".to_owned(),
        format!("/payments/mn/{invoice}"),
    ] {
        assert_eq!(merchant.get(&wrong).await.status, 404, "{wrong}");
    }
    for asset in ["/-/page.css", "/-/page.js"] {
        assert_eq!(merchant.get(asset).await.status, 200);
    }
}

#[tokio::test]
async fn a_page_without_a_token_fails_only_by_switch() {
    let (_sandbox, merchant, bank) = start().await;
    let plain = merchant.invoice("A-1").await;
    let token = merchant.invoice_with("A-2", json!({ "genToken": "Y" })).await;
    for (switch, form_of_plain) in [("works", true), ("times-out", false)] {
        bank.set_switch("page-without-token", switch).unwrap();
        for (invoice, form) in [(&plain, form_of_plain), (&token, true)] {
            let page = merchant.get(&format!("/payment/en/{invoice}")).await.text;
            assert_eq!(page.contains("name=\"number\""), form, "{switch}");
            assert_eq!(page.contains("time for this payment is over"), !form, "{switch}");
        }
    }
}

#[tokio::test]
async fn a_test_card_fills_the_form_without_a_script() {
    let (_sandbox, merchant, _bank) = start().await;
    let invoice = merchant.invoice("A-1").await;
    let page = merchant.get(&format!("/payment/en/{invoice}?fill=decline")).await.text;
    assert!(page.contains(&format!("value=\"{DECLINE}\"")), "{page}");
    assert!(page.contains("value=\"12/30\"") && page.contains("value=\"123\""));
}

#[tokio::test]
async fn a_form_with_mistakes_is_shown_again_and_changes_nothing() {
    let (_sandbox, merchant, bank) = start().await;
    let invoice = merchant.invoice("A-1").await;
    let page = format!("/payment/en/{invoice}");
    for (at, value, words) in [
        (1, "1234", "Only the test cards"),
        (1, "", "Only the test cards"),
        (2, "13/30", "expiry date"),
        (3, "12", "CVC"),
        (3, "abc", "CVC"),
        (4, "", "name"),
    ] {
        let mut fields = card_form(SUCCESS);
        fields[at].1 = value;
        let reply = merchant.form(&page, &fields).await;
        assert_eq!(reply.status, 422);
        assert!(reply.text.contains(words), "{words}");
    }
    assert_eq!(merchant.form(&page, &[]).await.status, 422);
    assert_eq!(bank.payment("A-1").unwrap().state, PaymentState::Open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn paying_twice_debits_once_also_at_the_same_moment() {
    let (_sandbox, merchant, bank) = start().await;
    let invoice = merchant.invoice("A-1").await;
    let page = format!("/payment/en/{invoice}");
    let form = card_form(SUCCESS);
    let replies = futures_util::future::join_all((0..20).map(|_| merchant.form(&page, &form))).await;
    assert!(replies.iter().all(|reply| reply.status == 303 && reply.location().contains("status_code=000")));
    assert_eq!(bank.payment("A-1").unwrap().debits, 1);
    // Another card on a page that is done changes nothing either.
    let late = merchant.pay_page(&invoice, DECLINE).await;
    assert!(late.location().contains("status_code=000"));
    assert_eq!(bank.payment("A-1").unwrap().state, PaymentState::Paid);
    let again = merchant.get(&page).await;
    assert!(again.text.contains("data-state=\"paid\""), "{}", again.text);
    assert!(
        again.text.contains("https://shop.example/back?invoice=A-1&#38;status_code=000"),
        "{}",
        again.text
    );
}

#[tokio::test]
async fn a_decline_is_final_for_its_invoice() {
    let (_sandbox, merchant, bank) = start().await;
    let invoice = merchant.invoice("A-1").await;
    let returned = merchant.pay_page(&invoice, DECLINE).await;
    assert_eq!(
        returned.location(),
        "https://shop.example/back?invoice=A-1&status_code=179&desc=Acquirer+/+Issuer+Host+Declined"
    );
    merchant.pay_page(&invoice, SUCCESS).await;
    assert_eq!(bank.payment("A-1").unwrap().debits, 0);
}

#[tokio::test]
async fn a_payer_can_give_up_and_the_code_of_that_is_a_switch() {
    let (_sandbox, merchant, bank) = start().await;
    let invoice = merchant.invoice("A-1").await;
    let returned = merchant.form(&format!("/payment/en/{invoice}"), &[("action", "cancel")]).await;
    assert_eq!(returned.location(), "https://shop.example/back?invoice=A-1&status_code=&desc=");
    assert_eq!(bank.payment("A-1").unwrap().state, PaymentState::Canceled);
    assert!(merchant.inquiry("A-1").await["errorCode"].is_null());
    merchant.pay_page(&invoice, SUCCESS).await;
    assert_eq!(bank.payment("A-1").unwrap().debits, 0);

    bank.set_switch("canceled-code", "179").unwrap();
    let invoice = merchant.invoice("A-2").await;
    let returned = merchant.form(&format!("/socialpay/en/{invoice}"), &[("action", "refuse")]).await;
    assert!(returned.location().contains("status_code=179"));
    assert_eq!(merchant.inquiry("A-2").await["errorCode"], "179");
}

#[tokio::test]
async fn socialpay_takes_a_phone_number() {
    let (_sandbox, merchant, bank) = start().await;
    let invoice = merchant.invoice("A-1").await;
    let page = format!("/socialpay/en/{invoice}");
    for phone in ["", "1234567", "abcdefgh"] {
        assert_eq!(merchant.form(&page, &[("action", "pay"), ("phone", phone)]).await.status, 422);
    }
    let returned = merchant.form(&page, &[("action", "pay"), ("phone", "99112233")]).await;
    assert_eq!(returned.status, 303);
    assert_eq!(bank.payment("A-1").unwrap().debits, 1);
}

#[tokio::test]
async fn a_page_ends_by_itself_and_late_money_is_possible() {
    let (_sandbox, merchant, bank) = start().await;
    // An open page is looked at where there is time to.
    let open = merchant.invoice("A-0").await;
    let page = merchant.get(&format!("/payment/en/{open}")).await.text;
    assert!(page.contains("http-equiv=\"refresh\""));
    bank.set_switch("page-seconds", "1").unwrap();
    let invoice = merchant.invoice("A-1").await;
    eventually("the page runs out", || bank.payment("A-1").unwrap().state == PaymentState::Expired).await;
    let page = merchant.get(&format!("/payment/en/{invoice}")).await.text;
    assert!(page.contains("data-state=\"expired\""));
    merchant.pay_page(&invoice, SUCCESS).await;
    assert_eq!(bank.payment("A-1").unwrap().debits, 0);

    // Only a person at the control page can make the bank debit after the end.
    bank.act("A-1", "pay").unwrap();
    assert_eq!(merchant.inquiry("A-1").await["errorCode"], "000");
    assert_eq!(bank.payment("A-1").unwrap().debits, 1);
    assert!(bank.act("A-1", "pay").unwrap_err().to_string().contains("is paid"));
}

/// The clock's tick may come late; a submit after the end must not get through before it.
#[tokio::test]
async fn a_submit_after_the_end_is_too_late_before_the_tick_too() {
    let (_sandbox, merchant, bank) = start().await;
    bank.set_switch("page-seconds", "1").unwrap();
    let invoice = merchant.invoice("A-1").await;
    let ends = bank.payment("A-1").unwrap().expires_at.unwrap().as_millis();
    let created = bank.payment("A-1").unwrap().created_at.as_millis();
    tokio::time::sleep(Duration::from_millis(u64::try_from(ends - created).unwrap())).await;
    merchant.pay_page(&invoice, SUCCESS).await;
    assert_eq!(bank.payment("A-1").unwrap().state, PaymentState::Expired);
}

#[tokio::test]
async fn a_payment_that_was_sent_does_not_run_out() {
    let (_sandbox, merchant, bank) = start().await;
    // Time enough to pay in on any machine.
    bank.set_switch("page-seconds", "5").unwrap();
    let invoice = merchant.invoice("A-1").await;
    let page = merchant.pay_page(&invoice, PENDING).await;
    assert!(page.text.contains("data-state=\"sent\""));
    tokio::time::sleep(Duration::from_millis(5500)).await;
    assert_eq!(bank.payment("A-1").unwrap().state, PaymentState::Sent);
    bank.act("A-1", "decline").unwrap();
    assert_eq!(merchant.inquiry("A-1").await["errorCode"], "179");
}

#[tokio::test]
async fn the_way_back_by_form_works_without_a_script() {
    let (_sandbox, merchant, _bank) = start().await;
    let invoice = merchant.invoice_with("A-1", json!({ "returnType": "POST" })).await;
    let page = merchant.pay_page(&invoice, SUCCESS).await;
    assert_eq!(page.status, 200);
    for words in [
        "action=\"https://shop.example/back\"",
        "data-submit=\"now\"",
        "name=\"invoice\" value=\"A-1\"",
        "name=\"status_code\" value=\"000\"",
        "name=\"desc\" value=\"Амжилттай\"",
        "<button class=\"main\">",
    ] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    let again = merchant.get(&format!("/payment/mn/{invoice}")).await.text;
    assert!(again.contains("name=\"invoice\" value=\"A-1\"") && !again.contains("data-submit"), "{again}");
}

#[tokio::test]
async fn the_way_back_keeps_the_merchant_s_query_and_app_links() {
    let (_sandbox, merchant, bank) = start().await;
    let tail = "invoice=A-1&status_code=179&desc=Acquirer+/+Issuer+Host+Declined";
    let mut at = 0;
    for (callback, switch, value, return_type, expected) in [
        (
            "https://shop.example/b?order=7",
            "callback-query",
            "ampersand",
            "GET",
            format!("https://shop.example/b?order=7&{tail}"),
        ),
        (
            "https://shop.example/b?order=7",
            "callback-query",
            "second-question-mark",
            "GET",
            format!("https://shop.example/b?order=7?{tail}"),
        ),
        ("myapp://paid", "mobile-parameters", "like-get", "MOBILE", format!("myapp://paid?{tail}")),
        ("myapp://paid", "mobile-parameters", "none", "MOBILE", "myapp://paid".to_owned()),
        (
            "https://shop.example/төлбөр",
            "callback-query",
            "ampersand",
            "GET",
            format!("https://shop.example/%D1%82%D3%A9%D0%BB%D0%B1%D3%A9%D1%80?{tail}"),
        ),
    ] {
        at += 1;
        let id = format!("A-{at}");
        bank.set_switch(switch, value).unwrap();
        let invoice =
            merchant.invoice_with(&id, json!({ "callback": callback, "returnType": return_type })).await;
        let returned = merchant.pay_page(&invoice, DECLINE).await;
        assert_eq!(returned.location(), expected.replace("A-1", &id));
    }
}
