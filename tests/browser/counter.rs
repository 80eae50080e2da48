//! What the shop does afterwards, at Galaxy Pay: cards that were saved, refunds, money that is held.

use serde_json::{Value, json};
use tulbur_tests::eventually;

use crate::galaxy::{answer_challenge, choose_method, pay_with};
use crate::world::{GALAXY, MASTER_3DS, PATIENCE, VISA, World, scenario};

/// The lines on the order's page about what the shop did: what, how much, how it went.
async fn done(world: &World) -> Vec<String> {
    let lines = "return [...document.querySelectorAll('tr.done')]
        .map(line => [...line.cells].slice(0, 3).map(cell => cell.innerText.trim()).join(' '))";
    let lines = world.browser.run(lines).await;
    lines.as_array().into_iter().flatten().filter_map(|line| line.as_str().map(str::to_owned)).collect()
}

/// Does something at the counter, from the order's page.
async fn act(world: &World, order: &str, action: &str) {
    world.goto_order(order).await;
    world.browser.click(&format!("button[value='{action}']")).await;
    world.browser.until_there("tr.done").await;
}

async fn in_the_books(world: &World, order: &str, member: &str, value: Value) {
    let booked = world.booked(order).await;
    assert_eq!(booked[0][member], value, "{member} of {}", booked[0]);
}

#[tokio::test]
async fn a_card_saved_at_the_gateway_pays_again() {
    scenario("a card saved at the gateway pays again", async |world| {
        let browser = &world.browser;
        let order = world.choose_for("coffee", "galaxy-saving").await;
        choose_method(world, "INTERNATIONAL").await;
        world.at_page_of(GALAXY, "#pay").await;
        browser.look("galaxy-card-saving").await;
        pay_with(world, MASTER_3DS).await;
        answer_challenge(world, "confirm").await;
        world.until_state("paid").await;
        world.paid_once(&order, &[1]).await;

        eventually(PATIENCE, || async {
            world.shop.card().await.map(|_| ()).ok_or("no card is offered".into())
        })
        .await;
        browser.goto(&world.shop.url()).await;
        browser.look("shop-with-galaxy-card").await;
        assert!(browser.text("#coffee select").await.contains("550692******3667"));
        assert!(!browser.has("#tea select").await, "a card of the one country is offered in the other");

        // Its bank asks whose it is, and is told once wrongly.
        let refused = world.choose_for("coffee", "saved").await;
        world.at_page_of(GALAXY, "#challenge").await;
        browser.look("galaxy-saved-challenge").await;
        answer_challenge(world, "refuse").await;
        world.until_state("declined").await;
        world.is_unpaid(&refused, "not paid").await;
        world.choose_again(&refused, "saved").await;
        answer_challenge(world, "confirm").await;
        world.until_state("paid").await;
        browser.look("result-galaxy-saved-card").await;
        world.paid_once(&refused, &[0, 1]).await;
    })
    .await;
}

#[tokio::test]
async fn half_is_refunded_then_the_rest() {
    scenario("half is refunded, then the rest", async |world| {
        let browser = &world.browser;
        let order = world.choose_for("coffee", "galaxy").await;
        choose_method(world, "INTERNATIONAL").await;
        pay_with(world, VISA).await;
        world.until_state("paid").await;
        world.paid_once(&order, &[1]).await;

        act(world, &order, "refund-half").await;
        browser.look("order-refunded-half").await;
        assert_eq!(done(world).await, ["refund 50.000 ₫ succeeded"]);
        in_the_books(world, &order, "refunded", json!("50000")).await;
        in_the_books(world, &order, "refunds", json!(1)).await;
        // A form that is sent again, as by the button that goes back, gives nothing back.
        browser.reload().await;
        assert_eq!(done(world).await.len(), 1);

        act(world, &order, "refund-rest").await;
        browser.look("order-refunded").await;
        assert_eq!(done(world).await, ["refund 50.000 ₫ succeeded"; 2]);
        in_the_books(world, &order, "refunded", json!("100000")).await;
        assert!(!browser.has("button[value^='refund']").await, "nothing is left to be given back");
        // It was paid all the same, and shipped.
        world.paid_once(&order, &[1]).await;
    })
    .await;
}

#[tokio::test]
async fn held_money_is_taken_or_let_go() {
    scenario("held money is taken or let go", async |world| {
        let browser = &world.browser;
        let order = world.choose_for("coffee", "galaxy-hold").await;
        pay_with(world, VISA).await;
        world.until_state("authorized").await;
        browser.look("result-held").await;
        assert!(browser.words().await.contains("The amount is held on your card."));
        world.goto_order(&order).await;
        browser.look("order-held").await;
        assert!(
            !browser.has("form[action$='/pay']").await,
            "an order with money held for it is to be paid again"
        );
        world.is_unpaid(&order, "waiting").await;
        in_the_books(world, &order, "authorized", json!(true)).await;
        act(world, &order, "capture").await;
        browser.look("order-captured").await;
        assert_eq!(done(world).await, ["capture 100.000 ₫ succeeded"]);
        in_the_books(world, &order, "captured", json!("100000")).await;
        world.paid_once(&order, &[1]).await;
        assert!(!browser.has("button[value='capture']").await, "what was taken can be taken again");

        let order = world.choose_for("coffee", "galaxy-hold").await;
        pay_with(world, VISA).await;
        world.until_state("authorized").await;
        act(world, &order, "void").await;
        browser.look("order-voided").await;
        let lines = done(world).await;
        assert!(
            lines.len() == 1 && lines[0].starts_with("void") && lines[0].ends_with("succeeded"),
            "{lines:?}"
        );
        assert!(world.booked(&order).await[0]["voidedAt"].is_string());
        in_the_books(world, &order, "captured", json!("0")).await;
        eventually(PATIENCE, || async {
            let told = world.shop.order(&order).await;
            (told["status"] == "not paid").then_some(()).ok_or_else(|| format!("the shop says {told}"))
        })
        .await;
        world.is_unpaid(&order, "not paid").await;
    })
    .await;
}
