//! Several attempts at one order, and hands that click too often.

use serde_json::Value;
use tulbur_tests::eventually;

use crate::world::{GOOD, PATIENCE, World, scenario};

#[tokio::test]
async fn two_tries_pay_once() {
    scenario("two tries pay once", async |world| {
        let browser = &world.browser;
        let order = world.choose("card").await;
        world.at_bank("payment").await;
        let abandoned = browser.url().await;

        // Back to the shop without paying, and to the order by its own links.
        browser.back().await;
        browser.click("header a[href='/orders']").await;
        browser.look("orders-waiting").await;
        browser.click(&format!("td a[href='/orders/{order}']")).await;
        assert_eq!(browser.text("#status").await, "waiting");
        browser.look("order-waiting").await;
        browser.click("form.ways button[value='socialpay']").await;
        world.at_bank("socialpay").await;
        browser.fill("input[name='phone']", "99112233").await;
        browser.click("button[value='pay']").await;
        world.until_state("paid").await;
        world.paid_once(&order, &[0, 1]).await;
        browser.goto(&format!("{}orders", world.shop.url())).await;
        assert!(!browser.words().await.contains("For a person"));

        // The page that was left behind still takes money.
        browser.goto(&abandoned).await;
        world.pay_with(GOOD).await;
        world.until_state("paid").await;
        browser.until("document.body.innerText.includes('already been paid by another transaction')").await;
        browser.look("result-paid-again").await;
        eventually(PATIENCE, || async {
            let told = world.shop.order(&order).await;
            (told["paid_again_events"] == 1).then_some(()).ok_or_else(|| format!("the shop says {told}"))
        })
        .await;
        world.repeat_notifications().await;
        world.paid_once(&order, &[1, 1]).await;
        assert_eq!(world.shop.order(&order).await["paid_again_events"], 1);

        browser.goto(&format!("{}orders", world.shop.url())).await;
        browser.look("orders-for-a-person").await;
        let listed = browser.text("main ul").await;
        assert_eq!(listed.matches("paid-again").count(), 1, "{listed}");
        assert!(listed.contains(&order), "{listed}");
    })
    .await;
}

/// How often the form on a page of the bank's was sent.
async fn sends(world: &World, page: &str) -> usize {
    let path = page.strip_prefix(&world.sandbox.bank).expect("it is a page of the bank's");
    let requests = world.sandbox.get("requests").await;
    let sent = |request: &&Value| {
        request["method"] == "POST" && request["target"].as_str().is_some_and(|target| target == path)
    };
    requests.as_array().map_or(0, |all| all.iter().filter(sent).count())
}

#[tokio::test]
async fn a_second_click_is_no_second_payment() {
    scenario("a second click is no second payment", async |world| {
        let browser = &world.browser;
        // A double click on the shop's form, then on the bank's.
        browser.goto(&world.shop.url()).await;
        let order = world.order_of_the_form().await;
        browser.click_twice("#tea button[value='card']").await;
        world.at_bank("payment").await;
        world.has_one_payment(&order).await;
        world.fill_card(GOOD).await;
        browser.click_twice("button[value='pay']").await;
        world.until_state("paid").await;
        world.paid_once(&order, &[1]).await;

        // The same form of the shop's in two windows, as when a window is duplicated.
        browser.goto(&world.shop.url()).await;
        let order = world.order_of_the_form().await;
        browser.open_window(&world.shop.url()).await;
        browser.run(&format!("document.querySelector(\"#tea input[name='order']\").value = {order:?}")).await;
        browser.click("#tea button[value='card']").await;
        world.at_bank("payment").await;
        let page = browser.url().await;
        browser.close_window().await;
        browser.click("#tea button[value='card']").await;
        world.at_bank("payment").await;
        assert_eq!(browser.url().await, page, "the second window has a payment of its own");
        world.has_one_payment(&order).await;
        browser.open_window(&format!("{}orders", world.shop.url())).await;
        let listed = browser.run("return document.querySelectorAll('tbody tr').length").await;
        assert_eq!(listed, 2, "the order is listed twice");

        // The same page of the bank's in two windows, sent from both.
        browser.goto(&page).await;
        world.pay_with(GOOD).await;
        world.until_state("paid").await;
        browser.close_window().await;
        world.pay_with(GOOD).await;
        world.until_state("paid").await;
        assert_eq!(sends(world, &page).await, 2, "the form was not sent from both windows");
        world.paid_once(&order, &[1]).await;
        assert_eq!(world.shop.order(&order).await["paid_again_events"], 0);

        // A saved card is charged without a page, so only the shop stands between two clicks and two charges.
        browser.goto(&world.shop.url()).await;
        browser.click("#save-card").await;
        world.at_bank("confirmation").await;
        world.fill_card(GOOD).await;
        browser.click_twice("button[value='pay']").await;
        world.until_state("saved").await;
        browser.goto(&world.shop.url()).await;
        let order = world.order_of_the_form().await;
        browser.click_twice("#tea button[value='saved']").await;
        // The browser shows the second answer: the result, or the paid order if the first charge had ended.
        browser
            .until(
                "document.querySelector('main')?.dataset.state?.startsWith('paid') || \
                 document.querySelector('#status')?.dataset.status === 'paid'",
            )
            .await;
        world.paid_once(&order, &[1]).await;
        world.has_one_payment(&order).await;
        browser.goto(&world.shop.url()).await;
        let saved = browser.run("return document.querySelectorAll('#cards li').length").await;
        assert_eq!(saved, 1, "the card was saved twice");
    })
    .await;
}
