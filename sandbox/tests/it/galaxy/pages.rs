//! The pages that a payer sees.

use serde_json::json;
use tulbur_qr::{Payload, Rules};
use tulbur_sandbox::PaymentState;

use super::support::{CHECKOUT, NAPAS, OPTION, PAY, PLAIN, QR, SECURE, by, card, hosted, order, start, with};
use crate::support::eventually;

#[tokio::test]
async fn the_pages_are_there_in_both_languages() {
    let (_sandbox, shop, _gateway) = start().await;
    let option = shop.open(OPTION, order("A-1")).await;
    let domestic = shop.open(PAY, by("A-2", "DOMESTIC")).await;
    for (page, words) in [
        (format!("/payWithOption/{option}"), "Chọn phương thức thanh toán"),
        (format!("/payWithOption/{option}?lang=en"), "Choose how to pay"),
        (format!("/payWithOption/{option}?lang=vi&method=INTERNATIONAL"), "Thanh toán bằng thẻ quốc tế"),
        (format!("/payWithOption/{option}?lang=en&method=WALLET&source=ZALOPAY"), "ZALOPAY"),
        (format!("/payWithOption/{option}?lang=en&method=CASH"), "does not take that way"),
        (format!("/pay/{domestic}"), "Pay by domestic card"),
        (format!("/pay/{domestic}?lang=vi"), "Thanh toán bằng thẻ nội địa"),
        // What the order names cannot be changed in the address.
        (format!("/pay/{domestic}?method=WALLET&source=MOMO"), "Pay by domestic card"),
    ] {
        let reply = shop.get(&page).await;
        assert!(reply.text.contains(words), "{page}: {}", reply.text);
        assert!(reply.text.contains("Thanh toán đơn hàng"));
        assert_eq!(reply.headers["cache-control"], "no-store");
        assert!(reply.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    }
    for wrong in [
        format!("/pay/{option}"),
        format!("/payWithOption/{domestic}"),
        "/pay/2501010000000000000000001".to_owned(),
        "/s/0000000000".to_owned(),
    ] {
        assert_eq!(shop.get(&wrong).await.status, 404, "{wrong}");
    }
    for asset in
        ["/-/page.css", "/-/gateway.css", "/-/page.js", "/checkout/vietjet/script-modal.js?version=20230710"]
    {
        assert_eq!(shop.get(asset).await.status, 200);
    }
}

#[tokio::test]
async fn a_card_form_with_mistakes_is_shown_again_and_changes_nothing() {
    let (_sandbox, shop, gateway) = start().await;
    let id = shop.open(PAY, by("A-1", "INTERNATIONAL")).await;
    let page = format!("/pay/{id}");
    for (at, value, words) in [
        (1, "4111 1111 1111 1111", "Only the test cards"),
        (1, NAPAS, "Only the test cards"),
        (2, "13/39", "The date looks like"),
        (3, "12", "The CVV"),
        (4, "", "The name"),
    ] {
        let mut form = card(PLAIN);
        form[at].1 = value;
        let reply = shop.form(&page, &form).await;
        assert_eq!(reply.status, 422);
        assert!(reply.text.contains(words), "{}", reply.text);
        // The page holds the payment's number with the time in it, so four digits alone could be found there.
        for digits in ["4111 1111", "41111111"] {
            assert!(!reply.text.contains(digits), "{}", reply.text);
        }
    }
    assert_eq!(gateway.payment("A-1").unwrap().state, PaymentState::Open);
    let filled = shop.get(&format!("{page}?fill=mpgs-3ds")).await.text;
    assert!(
        filled.contains("value=\"5506 9208 0924 3667\"") && filled.contains("value=\"01/39\""),
        "{filled}"
    );
}

#[tokio::test]
async fn a_domestic_card_asks_for_the_otp_and_gives_up_after_three() {
    let (_sandbox, shop, gateway) = start().await;
    let domestic = async |order_id: &str| {
        let id = shop.open(PAY, by(order_id, "DOMESTIC")).await;
        let page = format!("/pay/{id}");
        let mut form = card(NAPAS);
        form[2].1 = "03/07";
        form[3].1 = "";
        let asked = shop.form(&page, &form).await;
        assert!(
            asked.text.contains("Enter the OTP") && asked.text.contains("970400******0018"),
            "{}",
            asked.text
        );
        page
    };
    let page = domestic("A-1").await;
    let wrong = shop.form(&page, &[("otp", "123456")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("That OTP is wrong"));
    assert_eq!(shop.returned(shop.form(&page, &[("otp", "otp")]).await.location())["responseCode"], "200");
    assert_eq!(gateway.payment("A-1").unwrap().debits, 1);

    let page = domestic("A-3").await;
    let refused = shop.form(&page, &[("otp", "otp"), ("action", "refuse")]).await;
    assert_eq!(shop.returned(refused.location())["responseCode"], "505");

    let page = domestic("A-2").await;
    for _ in 0..2 {
        assert_eq!(shop.form(&page, &[("otp", "OTP")]).await.status, 422);
    }
    assert_eq!(shop.returned(shop.form(&page, &[("otp", "")]).await.location())["responseCode"], "505");
    assert_eq!(gateway.payment("A-2").unwrap().debits, 0);
}

#[tokio::test]
async fn cards_with_3ds_ask_and_the_others_do_not() {
    let (_sandbox, shop, gateway) = start().await;
    let pay = async |order_id: &str, number: &str| {
        let id = shop.open(PAY, by(order_id, "INTERNATIONAL")).await;
        (format!("/pay/{id}"), shop.form(&format!("/pay/{id}"), &card(number)).await)
    };
    let (_, done) = pay("A-1", PLAIN).await;
    assert_eq!(shop.returned(done.location())["responseCode"], "200");
    let (page, asked) = pay("A-2", SECURE).await;
    assert!(asked.text.contains("3-D Secure"));
    // The page itself shows the question, not the form; a card posted meanwhile is no answer.
    assert!(shop.get(&page).await.text.contains("id=\"challenge\""));
    assert!(shop.form(&page, &card(SECURE)).await.text.contains("id=\"challenge\""));
    assert_eq!(gateway.payment("A-2").unwrap().state, PaymentState::Open);
    let failed = shop.form(&page, &[("action", "refuse")]).await;
    assert!(failed.location().starts_with("https://shop.example/failed?"));
    assert_eq!(shop.returned(failed.location())["responseCode"], "505");

    let (_, declined) = pay("A-3", "9999 9900 0000 0014").await;
    assert_eq!(shop.returned(declined.location())["responseCode"], "505");
    let (page, sent) = pay("A-4", "9999990000000030").await;
    assert!(sent.text.contains("data-state=\"sent\""));
    assert_eq!(gateway.payment("A-4").unwrap().state, PaymentState::Sent);
    gateway.act("A-4", "pay").unwrap();
    assert!(shop.get(&page).await.text.contains("data-state=\"paid\""));

    // A card that the merchant collected meets the same question at the endpoint.
    let opened = shop.good(PAY, with(by("A-5", "INTERNATIONAL"), hosted(SECURE))).await;
    let path = opened["endpoint"].as_str().unwrap().strip_prefix(&shop.base).unwrap().to_owned();
    assert_eq!(gateway.payment("A-5").unwrap().debits, 0);
    assert!(shop.get(&path).await.text.contains("3-D Secure"));
    shop.form(&path, &[("action", "confirm")]).await;
    assert_eq!(gateway.payment("A-5").unwrap().debits, 1);
}

#[tokio::test]
async fn wallets_hubs_and_later_payments_are_approved_or_refused() {
    let (_sandbox, shop, gateway) = start().await;
    for (at, (method, source)) in
        [("WALLET", "MOMO"), ("WALLET", "GPAY"), ("HUB", "2C2P"), ("BNPL", "KREDIVO")].into_iter().enumerate()
    {
        for (action, code) in [("approve", "200"), ("refuse", "499")] {
            let order_id = format!("{action}-{at}");
            let id = shop.open(PAY, with(by(&order_id, method), json!({ "sourceType": source }))).await;
            assert!(shop.get(&format!("/pay/{id}")).await.text.contains(source));
            let done = shop.form(&format!("/pay/{id}"), &[("action", action)]).await;
            assert_eq!(shop.returned(done.location())["responseCode"], code);
            assert_eq!(gateway.payment(&order_id).unwrap().debits, u32::from(action == "approve"));
        }
    }
}

#[tokio::test]
async fn a_vietqr_is_valid_and_is_paid_by_the_bank_app() {
    let (_sandbox, shop, gateway) = start().await;
    let opened = shop.good(QR, with(by("A-1", "QRPAY"), json!({ "sourceType": "QRPAY" }))).await;
    let id = opened["transactionID"].as_str().unwrap();
    let text = opened["qrCode"].as_str().unwrap();
    let payload = Payload::parse(text).unwrap();
    payload.checksum().unwrap();
    payload.validate(Rules::VietQr).unwrap();
    assert_eq!((payload.amount(), payload.purpose()), (Some("100000"), Some(id)));

    let page = format!("/pay/{id}");
    let shown = shop.get(&page).await.text;
    assert!(shown.contains("<svg") && shown.contains(text), "{shown}");
    // A form on the page moves no money.
    assert_eq!(shop.form(&page, &[("action", "pay")]).await.status, 200);
    assert_eq!(gateway.payment("A-1").unwrap().debits, 0);

    let app = |text: &str| format!("/-/bank-app?{}", serde_urlencoded::to_string([("qr", text)]).unwrap());
    assert!(shop.get(&app(text)).await.text.contains("100000 VND"));
    let broken = text.replace("100000", "100001");
    let refused = shop.get(&app(&broken)).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("checksum"), "{}", refused.text);
    assert_eq!(shop.form("/-/bank-app", &[("qr", &broken), ("action", "pay")]).await.status, 422);
    for _ in 0..2 {
        assert_eq!(shop.form("/-/bank-app", &[("qr", text), ("action", "pay")]).await.status, 303);
    }
    assert_eq!(gateway.payment("A-1").unwrap().debits, 1);
    let back = shop.get(&format!("{page}?watch=1")).await;
    assert_eq!(shop.returned(back.location())["responseCode"], "200");
    assert_eq!(gateway.payment("A-1").unwrap().details["paymentMethod"], "QRPAY");

    // A QR of another sandbox is none of ours.
    let (_other, stranger, _) = start().await;
    assert_eq!(stranger.get(&app(text)).await.status, 422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn paying_twice_debits_once_also_at_the_same_moment() {
    let (_sandbox, shop, gateway) = start().await;
    let id = shop.open(PAY, by("A-1", "INTERNATIONAL")).await;
    let page = format!("/pay/{id}");
    let form = card(PLAIN);
    let replies = futures_util::future::join_all((0..20).map(|_| shop.form(&page, &form))).await;
    assert!(replies.iter().all(|reply| reply.status == 303));
    assert_eq!(gateway.payment("A-1").unwrap().debits, 1);
    assert_eq!(gateway.payment("A-1").unwrap().pushes.len(), 1);
    shop.form(&page, &[("action", "cancel")]).await;
    assert_eq!(gateway.payment("A-1").unwrap().state, PaymentState::Paid);
}

#[tokio::test]
async fn a_page_ends_by_itself() {
    let (_sandbox, shop, gateway) = start().await;
    let page_of = |id: &str| format!("/payWithOption/{id}?lang=en&method=INTERNATIONAL");
    // An open page is looked at where there is time to.
    let open = shop.open(OPTION, order("A-0")).await;
    assert!(shop.get(&page_of(&open)).await.text.contains("http-equiv=\"refresh\""));
    gateway.set_switch("page-seconds", "1").unwrap();
    let id = shop.open(OPTION, order("A-1")).await;
    let page = page_of(&id);
    eventually("the page runs out", || gateway.payment("A-1").unwrap().state == PaymentState::Expired).await;
    assert!(shop.get(&page).await.text.contains("data-state=\"expired\""));
    let late = shop.form(&page, &card(PLAIN)).await;
    assert_eq!(shop.returned(late.location())["responseCode"], "408");
    assert_eq!(gateway.payment("A-1").unwrap().debits, 0);
}

#[tokio::test]
async fn a_modal_checkout_tells_the_page_around_it_and_sends_nobody_away() {
    let (_sandbox, shop, _gateway) = start().await;
    let script = shop.get("/checkout/vietjet/script-modal.js").await;
    assert_eq!(script.headers["content-type"], "text/javascript; charset=utf-8");
    // A merchant's page may be in any encoding.
    assert!(script.text.is_ascii());
    for words in ["galaxyPaySubmitPayment", "galaxy-pay-sdk", "galaxy-pay-upc-popup", "event.origin"] {
        assert!(script.text.contains(words), "{words}");
    }
    let opened = shop.good(CHECKOUT, by("A-1", "INTERNATIONAL")).await;
    let path = opened["endpoint"].as_str().unwrap().strip_prefix(&shop.base).unwrap().to_owned();
    let id = opened["transactionID"].as_str().unwrap();
    let done = shop.form(&path, &[("action", "cancel")]).await;
    assert_eq!(done.status, 200);
    assert!(done.text.contains(&format!("data-transaction=\"{id}\" data-status=\"499\"")), "{}", done.text);
    assert!(shop.get("/-/page.js").await.text.contains("galaxy-pay-result"));
}
