//! The ways to pay: card, saved card, SocialPay.

use serde_json::json;

use crate::world::{DECLINED, EXPIRED, GOOD, PENDING, TOKEN_DECLINED, scenario};

#[tokio::test]
async fn a_card_pays() {
    scenario("a card pays", async |world| {
        let browser = &world.browser;
        browser.goto(&world.shop.url()).await;
        browser.look("shop").await;
        let order = world.choose("card").await;
        world.at_bank("payment").await;
        browser.look("bank-card").await;
        assert_eq!(browser.text("#amount").await, "1,500.00 ₮");
        let clock = browser.text("#clock").await;
        browser.until(&format!("document.querySelector('#clock').textContent !== {clock:?}")).await;

        world.pay_with(GOOD).await;
        world.until_state("paid").await;
        browser.look("result-paid").await;
        let words = browser.words().await;
        for part in ["Payment successful", "1,500 ₮", "999999******0006"] {
            assert!(words.contains(part), "{part} is missing: {words}");
        }
        browser.click("main a.button.first").await;
        let page = format!("{}orders/{order}", world.shop.url());
        browser.until(&format!("location.href === {page:?}")).await;
        assert_eq!(browser.text("#status").await, "paid");

        world.paid_once(&order, &[1]).await;
        browser.reload().await;
        assert_eq!(browser.text("#shipped").await, "1");
        assert!(!browser.has("form.ways").await, "a paid order is offered for payment");
        browser.look("order-paid").await;

        // However often the bank says it, and however often the payer comes back.
        world.repeat_notifications().await;
        browser.back().await;
        world.until_state("paid").await;
        browser.reload().await;
        world.until_state("paid").await;
        world.paid_once(&order, &[1]).await;
    })
    .await;
}

#[tokio::test]
async fn the_result_page_changes_by_itself() {
    scenario("the result page changes by itself", async |world| {
        let browser = &world.browser;
        let order = world.choose("card").await;
        world.pay_with(PENDING).await;
        browser.until_there("#result[data-state='sent']").await;
        browser.look("bank-sent").await;
        browser.click("#back").await;
        world.until_state("pending/asking").await;
        browser.look("result-asking").await;
        assert!(browser.words().await.contains("If you have paid, do not pay again."));
        world.is_unpaid(&order, "waiting").await;

        world.is_paid_elsewhere(&order).await;
        // Someone who does not see the page is told, too.
        assert_eq!(browser.run("return document.title").await, "Payment successful · Гурван зүйл");
        assert_eq!(browser.text("#announce").await, "Payment successful");
        world.paid_once(&order, &[1]).await;
    })
    .await;
}

#[tokio::test]
async fn a_declined_card_pays_nothing_and_another_one_does() {
    scenario("a declined card pays nothing and another one does", async |world| {
        // How the bank answers a form that it cannot use.
        world.excuse("422 (Unprocessable Entity)");
        let browser = &world.browser;
        let order = world.choose("card").await;
        world.at_bank("payment").await;
        // First nothing at all, then a number that is none of the test cards.
        browser.click("button[value='pay']").await;
        browser.until_there(".problems").await;
        browser.look("bank-card-problems").await;
        world.pay_with("4111 1111 1111 1111").await;
        browser.until_there(".problems").await;
        // The page holds the invoice's random id, so four digits alone could be found there.
        let page = browser.run("return document.documentElement.outerHTML").await.to_string();
        assert!(["4111 1111", "41111111"].iter().all(|digits| !page.contains(digits)));

        // An inquiry has no language: the bank's text is the bank's, in whatever language it comes.
        let declines = [
            (DECLINED, "Acquirer / Issuer Host Declined", "result-declined"),
            (EXPIRED, "Картын хугацаа дууссан", "result-card-expired"),
        ];
        for (card, why, name) in declines {
            world.pay_with(card).await;
            world.until_state("declined").await;
            browser.look(name).await;
            let words = browser.words().await;
            assert!(words.contains("Payment declined") && words.contains(why), "{words}");
            browser.click("main a.button.first").await;
            assert_eq!(browser.text("#status").await, "not paid");
            browser.look("order-not-paid").await;
            assert!(browser.words().await.contains(why));
            world.is_unpaid(&order, "not paid").await;
            browser.click("form.ways button[value='card']").await;
        }
        world.pay_with(GOOD).await;
        world.until_state("paid").await;
        world.paid_once(&order, &[0, 0, 1]).await;
    })
    .await;
}

#[tokio::test]
async fn a_saved_card_pays() {
    scenario("a saved card pays", async |world| {
        let browser = &world.browser;
        browser.goto(&world.shop.url()).await;
        assert!(!browser.has("button[value='saved']").await, "a card is offered before one was saved");
        browser.click("#save-card").await;
        world.at_bank("confirmation").await;
        browser.look("bank-save-card").await;
        world.fill_card(GOOD).await;
        browser.click("button[value='pay']").await;
        world.until_state("saved").await;
        browser.look("result-card-saved").await;
        browser.click("main a.button.first").await;
        browser.until_there("button[value='saved']").await;
        assert!(browser.text("#cards").await.contains("999999******0006"));
        browser.look("shop-with-card").await;

        let order = world.choose("saved").await;
        world.until_state("paid").await;
        browser.look("result-paid-by-saved-card").await;
        world.paid_once(&order, &[1]).await;

        // Another card is saved along with a payment; the bank will decline it when it is charged.
        let along = world.choose("card-saving").await;
        world.pay_with(TOKEN_DECLINED).await;
        world.until_state("paid").await;
        world.paid_once(&along, &[1]).await;
        browser.goto(&world.shop.url()).await;
        browser
            .run(
                "const cards = document.querySelector('#tea select');
                 cards.value = [...cards.options].find(card => card.text.endsWith('0048')).value",
            )
            .await;
        let refused = world.order_of_the_form().await;
        browser.click("#tea button[value='saved']").await;
        world.until_state("declined").await;
        browser.look("result-saved-card-declined").await;
        assert!(browser.words().await.contains("Acquirer / Issuer Host Declined"));
        world.is_unpaid(&refused, "not paid").await;
    })
    .await;
}

#[tokio::test]
async fn socialpay_pays_and_is_refused() {
    scenario("SocialPay pays and is refused", async |world| {
        world.excuse("422 (Unprocessable Entity)");
        let browser = &world.browser;
        let order = world.choose("socialpay").await;
        world.at_bank("socialpay").await;
        browser.look("bank-socialpay").await;
        browser.fill("input[name='phone']", "99").await;
        browser.click("button[value='pay']").await;
        browser.until_there(".problems").await;
        browser.fill("input[name='phone']", "99112233").await;
        browser.click("button[value='pay']").await;
        world.until_state("paid").await;
        world.paid_once(&order, &[1]).await;

        // The bank has no known code for a refusal: whoever knows nothing says nothing, and the payer may go on.
        let refused = world.choose("socialpay").await;
        world.at_bank("socialpay").await;
        browser.click("button[value='refuse']").await;
        world.until_state("pending/asking").await;
        browser.look("result-refused-without-code").await;
        world.is_unpaid(&refused, "waiting").await;

        // Where it has one, it is an end.
        world.switch(json!({ "canceled-code": "179" })).await;
        world.choose_again(&refused, "socialpay").await;
        world.at_bank("socialpay").await;
        browser.click("button[value='refuse']").await;
        world.until_state("declined").await;
        world.is_unpaid(&refused, "not paid").await;
        world.choose_again(&refused, "socialpay").await;
        world.at_bank("socialpay").await;
        browser.fill("input[name='phone']", "99112233").await;
        browser.click("button[value='pay']").await;
        world.until_state("paid").await;
        world.paid_once(&refused, &[0, 0, 1]).await;
    })
    .await;
}
