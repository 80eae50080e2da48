//! The checkout page, no scripts, time that runs out, Mongolian, and a shop that dies on the way.

use serde_json::json;

use crate::world::{GOOD, PENDING, World, scenario, scenario_without_scripts};

/// From the order's page to the checkout page.
async fn go_on(world: &World, order: &str) {
    world.goto_order(order).await;
    world.browser.click("td a[href*='/tulbur/checkout/']").await;
    world.until_state("pending/open").await;
}

#[tokio::test]
async fn the_checkout_page_lives() {
    scenario("the checkout page lives", async |world| {
        let browser = &world.browser;
        let order = world.choose("card").await;
        world.at_bank("payment").await;
        go_on(world, &order).await;
        browser.look("checkout").await;
        let clock = browser.text(".clock").await;
        assert!(
            clock.starts_with("9:") || clock == "10:00",
            "the bank's page lives for ten minutes: {clock}"
        );
        browser.until(&format!("document.querySelector('.clock').textContent !== {clock:?}")).await;

        // Each button leads to its page.
        for (button, page) in
            [("section a.button:nth-of-type(2)", "socialpay"), ("section a.button.first", "payment")]
        {
            browser.click(button).await;
            world.at_bank(page).await;
            browser.back().await;
            world.until_state("pending/open").await;
        }

        // Paid elsewhere, while the page is open.
        world.is_paid_elsewhere(&order).await;
        assert!(!browser.has("section a.button").await, "a paid payment is offered for payment");
        world.paid_once(&order, &[1]).await;

        // Canceled, and paid by another payment.
        let order = world.choose("card").await;
        world.at_bank("payment").await;
        go_on(world, &order).await;
        browser.click("summary").await;
        browser.look("checkout-cancel").await;
        browser.click("form button.danger").await;
        world.until_state("canceled").await;
        browser.look("checkout-canceled").await;
        assert!(browser.words().await.contains("Invoice canceled"));
        world.is_unpaid(&order, "not paid").await;
        browser.click("main a.button.first").await;
        assert_eq!(browser.text("#status").await, "not paid");
        browser.click("form.ways button[value='card']").await;
        world.pay_with(GOOD).await;
        world.until_state("paid").await;
        world.paid_once(&order, &[0, 1]).await;
    })
    .await;
}

#[tokio::test]
async fn it_works_without_scripts() {
    scenario_without_scripts("it works without scripts", async |world| {
        let browser = &world.browser;
        let order = world.choose("card").await;
        world.at_bank("payment").await;
        go_on(world, &order).await;
        // Were there scripts, the page would listen and not load itself again.
        browser.until_there("noscript > meta[http-equiv='refresh']").await;
        browser.look("checkout-without-scripts").await;
        browser.click("section a.button.first").await;
        world.pay_with(PENDING).await;
        browser.click("#back").await;
        world.until_state("pending/asking").await;
        browser.look("result-without-scripts").await;

        // Nobody touches the page: it loads itself again.
        let reference = world.references(&order).await.remove(0);
        assert!(world.sandbox.act(&reference, "pay", &json!({})).await);
        world.until_state("paid").await;
        assert!(!browser.has("meta[http-equiv='refresh']").await, "a page that is done loads itself again");
        world.paid_once(&order, &[1]).await;

        // Canceling is a form.
        let order = world.choose("socialpay").await;
        world.at_bank("socialpay").await;
        go_on(world, &order).await;
        browser.click("summary").await;
        browser.click("form button.danger").await;
        world.until_state("canceled").await;
        world.is_unpaid(&order, "not paid").await;
    })
    .await;
}

#[tokio::test]
async fn time_runs_out_on_the_banks_page() {
    scenario("time runs out on the bank's page", async |world| {
        let browser = &world.browser;
        world.switch(json!({ "page-seconds": "5" })).await;
        let order = world.choose("card").await;
        // However slowly this machine came here, the page ends by itself.
        browser.until_there("#result[data-state='expired']").await;
        browser.look("bank-expired").await;
        // The bank gives no code for it, so nothing is known but that nobody has paid so far.
        browser.click("#back").await;
        world.until_state("pending/asking").await;
        world.is_unpaid(&order, "waiting").await;

        // Where the bank gives a code, it is an end.
        world.switch(json!({ "canceled-code": "179" })).await;
        world.choose_again(&order, "card").await;
        browser.until_there("#result[data-state='expired']").await;
        browser.click("#back").await;
        world.until_state("declined").await;
        world.is_unpaid(&order, "not paid").await;

        world.switch(json!({ "page-seconds": "600" })).await;
        world.choose_again(&order, "card").await;
        world.pay_with(GOOD).await;
        world.until_state("paid").await;
        world.paid_once(&order, &[0, 0, 1]).await;
    })
    .await;
}

#[tokio::test]
async fn it_speaks_mongolian() {
    scenario("it speaks Mongolian", async |world| {
        let browser = &world.browser;
        browser.goto(&world.shop.url()).await;
        browser.click("form[action='/language/mn'] button").await;
        browser.until("document.documentElement.lang === 'mn'").await;
        let order = world.choose("card").await;
        world.at_bank("payment").await;
        assert_eq!(browser.run("return document.documentElement.lang").await, "mn");
        assert_eq!(browser.text("h1").await, "Картаар төлөх");
        browser.look("bank-card-mn").await;

        go_on(world, &order).await;
        browser.look("checkout-mn").await;
        assert_eq!(browser.text("section h2").await, "Төлбөрийн хэлбэрээ сонгоно уу");
        browser.click("section a.button.first").await;
        world.pay_with(GOOD).await;
        world.until_state("paid").await;
        browser.look("result-paid-mn").await;
        assert_eq!(browser.run("return document.documentElement.lang").await, "mn");
        assert_eq!(browser.text("h1").await, "Төлбөр амжилттай");
        assert!(browser.text(".amount").await.ends_with("1,500 ₮"));

        // A link changes the language of the page, and nothing else.
        browser.click("footer a[lang='en']").await;
        browser.until("document.documentElement.lang === 'en'").await;
        assert_eq!(browser.text("h1").await, "Payment successful");
        assert!(browser.text(".amount").await.ends_with("1,500 ₮"));
        world.paid_once(&order, &[1]).await;
    })
    .await;
}

#[tokio::test]
async fn the_shop_is_killed_and_back_before_the_payer_pays() {
    scenario("the shop is killed and back before the payer pays", async |world| {
        let order = world.choose("card").await;
        world.at_bank("payment").await;
        world.shop.kill().await;
        world.shop.start(None).await;
        world.pay_with(GOOD).await;
        world.until_state("paid").await;
        world.paid_once(&order, &[1]).await;
    })
    .await;
}

#[tokio::test]
async fn the_shop_is_dead_while_the_payer_pays() {
    scenario("the shop is dead while the payer pays", async |world| {
        let order = world.choose("card").await;
        world.at_bank("payment").await;
        let page = world.browser.url().await;
        let reference = world.references(&order).await.remove(0);
        world.fill_card(GOOD).await;
        world.shop.kill().await;
        // The notification finds nobody, and neither does the payer on the way back.
        world.browser.try_click("button[value='pay']").await;
        tulbur_tests::eventually(crate::world::PATIENCE, || async {
            let debits = world.sandbox.debits(&reference).await;
            (debits == 1).then_some(()).ok_or_else(|| format!("{debits} debits"))
        })
        .await;

        // The shop hears of it with nobody's help.
        world.shop.start(None).await;
        world.paid_once(&order, &[1]).await;
        // The payer finds the way back from the bank's page.
        world.browser.goto(&page).await;
        world.browser.click("#back").await;
        world.until_state("paid").await;
        world.repeat_notifications().await;
        world.paid_once(&order, &[1]).await;
    })
    .await;
}
