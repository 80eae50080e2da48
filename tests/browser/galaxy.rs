//! Galaxy Pay: the gateway's own pages, a VietQR, a payment link, the modal, Vietnamese.

use serde_json::json;

use crate::world::{GALAXY, MASTER_3DS, NAPAS, VISA, World, all_show, scenario};

/// Chooses a kind of card on the gateway's page.
pub(crate) async fn choose_method(world: &World, method: &str) {
    world.at_page_of(GALAXY, "#choose").await;
    world.browser.click(&format!("#choose a[href*='method={method}']")).await;
}

/// Pays with a card on the gateway's page.
pub(crate) async fn pay_with(world: &World, number: &str) {
    world.at_page_of(GALAXY, "#pay input[name='number']").await;
    fill_card(world, number).await;
}

/// Fills in and sends the form for a card, which may stand in a frame.
async fn fill_card(world: &World, number: &str) {
    let browser = &world.browser;
    browser.fill("input[name='number']", number).await;
    browser.fill("input[name='date']", "12/30").await;
    if browser.has("input[name='cvv']").await {
        browser.fill("input[name='cvv']", "100").await;
    }
    browser.fill("input[name='holder']", "NGUYEN VAN A").await;
    browser.click("#pay button[value='pay']").await;
}

/// Types a one-time password.
async fn type_otp(world: &World, otp: &str) {
    world.at_page_of(GALAXY, "#challenge input[name='otp']").await;
    world.browser.fill("input[name='otp']", otp).await;
    // A wrong one leads to a page that looks the same.
    world.browser.run("window.tulburOldPage = true").await;
    world.browser.click("#challenge button[value='confirm']").await;
    world.browser.until("!window.tulburOldPage && document.readyState === 'complete'").await;
}

/// Says to the card's bank that it is the payer who pays, or that it is not.
pub(crate) async fn answer_challenge(world: &World, answer: &str) {
    world.at_page_of(GALAXY, "#challenge").await;
    world.browser.click(&format!("#challenge button[value='{answer}']")).await;
}

#[tokio::test]
async fn a_domestic_card_pays_with_its_otp() {
    scenario("a domestic card pays with its OTP", async |world| {
        // How the gateway answers a form that it cannot use.
        world.excuse("422 (Unprocessable Entity)");
        let browser = &world.browser;
        let order = world.choose_for("coffee", "galaxy").await;
        world.at_page_of(GALAXY, "#choose").await;
        browser.look("galaxy-choose").await;
        choose_method(world, "DOMESTIC").await;
        world.at_page_of(GALAXY, "#pay").await;
        browser.look("galaxy-card-domestic").await;
        pay_with(world, NAPAS).await;
        world.at_page_of(GALAXY, "#challenge").await;
        browser.look("galaxy-otp").await;
        type_otp(world, "000000").await;
        browser.until_there(".problems").await;
        type_otp(world, "otp").await;
        world.until_state("paid").await;
        browser.look("result-galaxy-paid").await;
        let words = browser.words().await;
        assert!(words.contains("Payment successful") && words.contains("100.000 ₫"), "{words}");
        world.paid_once(&order, &[1]).await;
        let booked = world.booked(&order).await;
        assert_eq!((&booked[0]["amount"], &booked[0]["currency"]), (&json!("100000"), &json!("VND")));
        browser.click("main a.button.first").await;
        assert_eq!(browser.text("#status").await, "paid");
        assert!(browser.text(".price").await.contains("100.000 ₫"));
        browser.look("order-galaxy-paid").await;
    })
    .await;
}

#[tokio::test]
async fn who_does_not_prove_to_be_the_payer_is_declined() {
    scenario("who does not prove to be the payer is declined", async |world| {
        world.excuse("422 (Unprocessable Entity)");
        let browser = &world.browser;
        let order = world.choose_for("coffee", "galaxy").await;
        choose_method(world, "DOMESTIC").await;
        pay_with(world, NAPAS).await;
        for wrong in 1..=3 {
            type_otp(world, "OTP").await;
            if wrong < 3 {
                browser.until_there(".problems").await;
            }
        }
        world.until_state("declined").await;
        browser.look("result-galaxy-declined").await;
        let words = browser.words().await;
        assert!(words.contains("Payment declined") && words.contains("Authentication failed"), "{words}");
        assert_eq!(world.booked(&order).await[0]["code"], "505");
        world.is_unpaid(&order, "not paid").await;

        // Another card, whose bank asks on a page of its own.
        world.choose_again(&order, "galaxy").await;
        choose_method(world, "INTERNATIONAL").await;
        world.at_page_of(GALAXY, "#pay").await;
        browser.look("galaxy-card").await;
        pay_with(world, MASTER_3DS).await;
        world.at_page_of(GALAXY, "#challenge").await;
        browser.look("galaxy-challenge").await;
        answer_challenge(world, "refuse").await;
        world.until_state("declined").await;
        world.is_unpaid(&order, "not paid").await;
        world.choose_again(&order, "galaxy").await;
        choose_method(world, "INTERNATIONAL").await;
        pay_with(world, MASTER_3DS).await;
        answer_challenge(world, "confirm").await;
        world.until_state("paid").await;
        world.paid_once(&order, &[0, 0, 1]).await;
    })
    .await;
}

/// The bank's app in a window of its own reads a VietQR and pays.
async fn pay_by_bank_app(world: &World, payload: &str) {
    let browser = &world.browser;
    browser.open_window(&format!("{}/-/bank-app", world.address_of(GALAXY).await)).await;
    browser.fill("input[name='qr']", payload).await;
    browser.click("button.main").await;
    browser.until_there("#pay").await;
    browser.look("bank-app").await;
    assert!(browser.words().await.contains("100000 VND"), "{}", browser.words().await);
    browser.click("#pay button[value='pay']").await;
    browser.until_there("#result[data-state='paid']").await;
    browser.close_window().await;
}

#[tokio::test]
async fn a_vietqr_is_paid_by_the_banks_app() {
    scenario("a VietQR is paid by the bank's app", async |world| {
        let browser = &world.browser;
        let order = world.choose_for("coffee", "galaxy-qr").await;
        world.until_state("pending/open").await;
        let pictures = browser.look("checkout-vietqr").await;
        browser.click("details summary").await;
        let payload = browser.text("details code").await;
        all_show(&pictures, &payload);
        world.turns_to("paid", pay_by_bank_app(world, &payload)).await;
        browser.look("checkout-vietqr-paid").await;
        world.paid_once(&order, &[1]).await;
    })
    .await;
}

#[tokio::test]
async fn the_gateways_page_is_left_or_runs_out() {
    scenario("the gateway's page is left or runs out", async |world| {
        let browser = &world.browser;
        let order = world.choose_for("coffee", "galaxy").await;
        world.at_page_of(GALAXY, "#leave").await;
        browser.click("#leave button[value='cancel']").await;
        world.until_state("canceled").await;
        browser.look("result-galaxy-canceled").await;
        assert_eq!(world.booked(&order).await[0]["code"], "499");
        world.is_unpaid(&order, "not paid").await;

        world.switch_at(GALAXY, json!({ "page-seconds": "5" })).await;
        world.choose_again(&order, "galaxy").await;
        // However slowly this machine came here, the page ends by itself.
        world.at_page_of(GALAXY, "#result[data-state='expired']").await;
        browser.look("galaxy-expired").await;
        browser.click("#back").await;
        world.until_state("expired").await;
        browser.look("result-galaxy-expired").await;
        assert_eq!(world.booked(&order).await[1]["code"], "408");
        world.is_unpaid(&order, "not paid").await;

        world.switch_at(GALAXY, json!({ "page-seconds": "900" })).await;
        world.choose_again(&order, "galaxy").await;
        choose_method(world, "INTERNATIONAL").await;
        pay_with(world, VISA).await;
        world.until_state("paid").await;
        world.paid_once(&order, &[0, 0, 1]).await;
    })
    .await;
}

#[tokio::test]
async fn a_payment_link_is_paid() {
    scenario("a payment link is paid", async |world| {
        let browser = &world.browser;
        let order = world.choose_for("coffee", "galaxy-link").await;
        world.at_page_of(GALAXY, "#choose").await;
        let short = format!("{}/s/", world.address_of(GALAXY).await);
        assert!(browser.url().await.starts_with(&short), "{}", browser.url().await);
        browser.look("galaxy-link").await;
        choose_method(world, "INTERNATIONAL").await;
        pay_with(world, VISA).await;
        // A link leads nowhere back.
        world.at_page_of(GALAXY, "#result[data-state='paid']").await;
        browser.look("galaxy-link-paid").await;
        world.paid_once(&order, &[1]).await;
        world.goto_order(&order).await;
        assert_eq!(browser.text("#status").await, "paid");
    })
    .await;
}

#[tokio::test]
async fn the_modal_opens_in_the_page() {
    scenario("the modal opens in the page", async |world| {
        let browser = &world.browser;
        let order = world.choose_for("coffee", "galaxy-modal").await;
        world.until_state("pending/open").await;
        browser.look("checkout-modal").await;
        browser.run("window.tulburTestMark = true").await;
        browser.click("[data-function]").await;
        browser.until_there("#galaxy-pay-upc-popup iframe").await;
        // Closed and opened again: nothing has happened.
        browser.click("#galaxy-pay-upc-popup button").await;
        browser.until("document.querySelector('#galaxy-pay-upc-popup') === null").await;
        world.is_unpaid(&order, "waiting").await;
        browser.click("[data-function]").await;
        browser.enter_frame("#galaxy-pay-upc-popup iframe").await;
        browser.until_there("#pay input[name='number']").await;
        browser.leave_frames().await;
        browser.look("checkout-modal-open").await;
        browser.enter_frame("#galaxy-pay-upc-popup iframe").await;
        fill_card(world, VISA).await;
        browser.leave_frames().await;
        world.until_state("paid").await;
        browser.look("checkout-modal-paid").await;
        assert!(!browser.has("iframe").await, "the modal is still there");
        assert_eq!(browser.run("return window.tulburTestMark").await, true, "the page was loaded again");
        world.paid_once(&order, &[1]).await;
    })
    .await;
}

#[tokio::test]
async fn it_speaks_vietnamese() {
    scenario("it speaks Vietnamese", async |world| {
        let browser = &world.browser;
        browser.goto(&world.shop.url()).await;
        browser.click("form[action='/language/vi'] button").await;
        browser.until("document.documentElement.lang === 'vi'").await;
        browser.look("shop-vi").await;
        let order = world.choose_for("coffee", "galaxy").await;
        world.at_page_of(GALAXY, "#choose").await;
        assert_eq!(browser.text("h1").await, "Chọn phương thức thanh toán");
        browser.look("galaxy-choose-vi").await;

        // Our own page, from the order's.
        world.goto_order(&order).await;
        browser.click("td a[href*='/tulbur/checkout/']").await;
        world.until_state("pending/open").await;
        browser.look("checkout-vi").await;
        assert_eq!(browser.text("section h2").await, "Chọn cách thanh toán");
        browser.click("section a.button.first").await;
        choose_method(world, "DOMESTIC").await;
        pay_with(world, NAPAS).await;
        world.at_page_of(GALAXY, "#challenge").await;
        browser.look("galaxy-otp-vi").await;
        type_otp(world, "otp").await;
        world.until_state("paid").await;
        browser.look("result-paid-vi").await;
        assert_eq!(browser.run("return document.documentElement.lang").await, "vi");
        assert_eq!(browser.text("h1").await, "Thanh toán thành công");
        assert!(browser.text(".amount").await.ends_with("100.000 ₫"));
        world.paid_once(&order, &[1]).await;

        let order = world.choose_for("coffee", "galaxy-qr").await;
        world.until_state("pending/open").await;
        browser.look("checkout-vietqr-vi").await;
        assert!(browser.words().await.contains("Quét mã QR bằng ứng dụng ngân hàng hoặc ví điện tử"));
        browser.click("details.cancel summary").await;
        browser.look("checkout-cancel-vi").await;
        browser.click("form button.danger").await;
        world.until_state("canceled").await;
        browser.look("checkout-canceled-vi").await;
        world.is_unpaid(&order, "not paid").await;
    })
    .await;
}
