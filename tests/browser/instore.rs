//! SocialPay at Golomt Instore: a QR on the payer's screen or the till's, and an invoice on the payer's phone.

use serde_json::json;
use tulbur_tests::browser::Size;

use crate::world::{INSTORE, World, all_show, scenario, scenario_of_a_shop, text_of};

/// What the QR on the page is to hold: the link of an order's only payment, or the payload.
async fn code_of(world: &World, order: &str, member: &str) -> String {
    let [booked] = world.booked(order).await.try_into().expect("the order has one payment");
    text_of(&booked, member)
}

/// The payer's phone in a window of its own: reads the code, and decides.
async fn scan_and(world: &World, code: &str, decision: &str) {
    let browser = &world.browser;
    browser.open_window(&format!("{}/-/phone", world.address_of(INSTORE).await)).await;
    browser.fill("#code", code).await;
    browser.click("#scan").await;
    browser.until_there("#result[data-state='open']").await;
    browser.look("phone-scanned").await;
    browser.click(&format!("#{decision}")).await;
    browser.until_there("#result:not([data-state='open'])").await;
    browser.close_window().await;
}

/// The same payment on the display of a till, in a window of its own.
async fn open_display(world: &World) {
    let checkout = world.browser.url().await;
    let display = checkout.replace("/checkout/", "/display/");
    assert_ne!(checkout, display, "this is no checkout page");
    world.browser.open_window(&display).await;
    world.until_state("pending/").await;
}

#[tokio::test]
async fn socialpay_is_paid_by_qr() {
    scenario("SocialPay is paid by QR", async |world| {
        let browser = &world.browser;
        let order = world.choose("socialpay-qr").await;
        world.until_state("pending/open").await;
        let pictures = browser.look("checkout-socialpay-qr").await;
        let link = code_of(world, &order, "link").await;
        all_show(&pictures, &link);
        let button = browser.run("return document.querySelector('.apps a').getAttribute('href')").await;
        assert_eq!(button, link, "the app's button does not have the bank's link");
        world.turns_to("paid", scan_and(world, &link, "pay")).await;
        browser.look("checkout-socialpay-qr-paid").await;
        assert!(browser.words().await.contains("1,500 ₮"));
        world.paid_once(&order, &[1]).await;

        // Whichever of its forms the bank's answer has, and although the push never comes.
        world.switch_at(INSTORE, json!({ "deeplink-form": "payload" })).await;
        world.sandbox.books(INSTORE).fault(&json!({ "kind": "push-lost" })).await;
        let order = world.choose("socialpay-qr").await;
        world.until_state("pending/open").await;
        let payload = code_of(world, &order, "qr").await;
        all_show(&browser.look("checkout-socialpay-payload").await, &payload);
        browser.click("details summary").await;
        assert_eq!(browser.text("details code").await, payload);
        browser.look("checkout-socialpay-payload-as-text").await;
        world.turns_to("paid", scan_and(world, &payload, "pay")).await;
        world.paid_once(&order, &[1]).await;
        let faults = world.sandbox.books(INSTORE).get("faults").await;
        assert!(!faults.to_string().contains("push-lost"), "the push was not lost: {faults}");
    })
    .await;
}

#[tokio::test]
async fn a_till_shows_the_qr_to_its_customer() {
    scenario("a till shows the QR to its customer", async |world| {
        let browser = &world.browser;
        let order = world.choose("socialpay-qr").await;
        world.until_state("pending/open").await;
        open_display(world).await;
        let pictures = browser.look_on("display-qr", &[Size::TILL]).await;
        all_show(&pictures, &code_of(world, &order, "link").await);
        assert!(!browser.has("main a, main button, main summary").await, "a display has something to press");
        world.is_paid_elsewhere(&order).await;
        browser.look_on("display-paid", &[Size::TILL]).await;
        assert!(browser.has("main.good").await);
        let covered = "const main = document.querySelector('.display').getBoundingClientRect();
             return main.width >= innerWidth && main.height >= innerHeight";
        assert_eq!(browser.run(covered).await, true, "the display is not filled");
        // The payer's own page hears of it, too.
        browser.close_window().await;
        world.until_state("paid").await;
        world.paid_once(&order, &[1]).await;
    })
    .await;
}

#[tokio::test]
async fn socialpay_is_refused_or_left_alone() {
    // The bank keeps a code for ever and says of none that it was refused; the shop waits for so long.
    let options = [("--lifetime", "10")];
    scenario_of_a_shop(&options, "SocialPay is refused or left alone", async |world| {
        let browser = &world.browser;
        for (decision, name) in [("refuse", "socialpay-refused"), ("expire", "socialpay-expired")] {
            let order = world.choose("socialpay-qr").await;
            world.until_state("pending/open").await;
            let link = code_of(world, &order, "link").await;
            browser.run("window.tulburTestMark = true").await;
            scan_and(world, &link, decision).await;
            world.until_state("pending/").await;
            world.is_unpaid(&order, "waiting").await;
            if decision == "expire" {
                open_display(world).await;
                world.until_state("expired").await;
                browser.look_on("display-expired", &[Size::TILL]).await;
                browser.close_window().await;
            }
            // Then it ends by itself.
            world.until_state("expired").await;
            browser.look(name).await;
            assert_eq!(browser.run("return window.tulburTestMark").await, true, "the page was loaded again");
            assert!(browser.words().await.contains("The invoice has expired"));
            world.is_unpaid(&order, "not paid").await;
        }
    })
    .await;
}

#[tokio::test]
async fn socialpay_comes_to_the_phone() {
    scenario("SocialPay comes to the phone", async |world| {
        let browser = &world.browser;
        browser.goto(&world.shop.url()).await;
        browser.click("form[action='/language/mn'] button").await;
        browser.until("document.documentElement.lang === 'mn'").await;
        browser.goto(&world.shop.url()).await;
        let order = world.order_of_the_form().await;
        browser.fill("#tea input[name='phone']", "99112233").await;
        browser.click("#tea button[value='socialpay-phone']").await;
        world.until_state("pending/approve").await;
        browser.look("checkout-socialpay-phone-mn").await;
        let words = browser.words().await;
        assert!(words.contains("Гар утсандаа ирсэн нэхэмжлэхийг баталгаажуулна уу."), "{words}");
        assert!(!browser.has(".picture").await, "there is nothing to scan");
        open_display(world).await;
        browser.look_on("display-phone-mn", &[Size::TILL]).await;
        browser.close_window().await;

        world
            .turns_to("paid", async {
                let phones = format!("{}/-/phone", world.address_of(INSTORE).await);
                browser.open_window(&format!("{phones}?phone=88112233")).await;
                assert!(!browser.has("#arrived a").await, "the invoice is on another phone, too");
                browser.goto(&format!("{phones}?phone=99112233")).await;
                browser.look("phone-arrived").await;
                browser.click("#arrived a[data-invoice]").await;
                browser.click("#pay").await;
                browser.until_there("#result[data-state='paid']").await;
                browser.look("phone-paid").await;
                browser.close_window().await;
            })
            .await;
        browser.look("checkout-socialpay-phone-paid-mn").await;
        assert_eq!(browser.text("h1").await, "Төлбөр амжилттай");
        world.paid_once(&order, &[1]).await;
    })
    .await;
}
