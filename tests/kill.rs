//! The shop is killed with `kill -9`, at every named point and at random; the bank's books say what was paid.
//!
//! An order that the bank took money for must then have exactly one paid event and one shipment; any other none.
//! `TULBUR_KILL_ROUNDS` and `TULBUR_KILL_RANDOM` say how often, `TULBUR_KILL_SEED` repeats a run.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tulbur_tests::{Chance, Sandbox, Shop, eventually, number, shop_program};

/// Long enough for every question that the hasty shop asks late.
const PATIENCE: Duration = Duration::from_secs(100);

struct Street {
    sandbox: Sandbox,
    shop: Shop,
    _folder: tempfile::TempDir,
}

impl Street {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let (bank, shop) = (folder.path().join("bank"), folder.path().join("shop"));
        for made in [&bank, &shop] {
            std::fs::create_dir(made).expect("a folder can be made");
        }
        let sandbox = Sandbox::start(env!("CARGO_BIN_EXE_tulbur-process"), Path::new(&bank)).await;
        let program =
            shop_program(env!("CARGO_BIN_EXE_shop-process"), env!("CARGO_BIN_EXE_shop-actix-process"));
        let shop = Shop::new(program, &shop, &sandbox);
        Self { sandbox, shop, _folder: folder }
    }

    /// Saves a card, so that there is something to charge. The shop runs before and after.
    async fn save_card(&self) -> String {
        let (status, page) = self.shop.post("cards", &[]).await.expect("the shop answers");
        assert_eq!(status, 303, "{page}");
        let invoice = page.rsplit('/').next().unwrap_or_default();
        let payments = self.sandbox.payments().await;
        let setup =
            payments.iter().find(|payment| payment["id"] == invoice).expect("the bank knows the set-up");
        let reference = setup["reference"].as_str().expect("it has a reference");
        assert!(self.sandbox.act(reference, "pay", &json!({ "card": "success" })).await);
        eventually(PATIENCE, || async {
            self.shop.card().await.map(|_| ()).ok_or("no card is saved".into())
        })
        .await;
        self.shop.card().await.expect("it was there a moment ago")
    }

    /// The bank's payments that belong to no order we know of are what a killed shop never saw; they have references
    /// all the same, because the intent was written before it was sent.
    async fn judge(&self, order: &str) -> Result<(), String> {
        let told = self.shop.order(order).await;
        let books = self.sandbox.payments().await;
        let mut debits = 0;
        for payment in told["payments"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let reference = payment["reference"].as_str().unwrap_or_default();
            let entry = books.iter().find(|entry| entry["reference"] == reference);
            let taken = entry.and_then(|entry| entry["debits"].as_u64()).unwrap_or(0);
            if taken > 1 {
                return Err(format!("{order}: payment {reference} was debited {taken} times"));
            }
            if (taken == 1) != (payment["status"] == "paid") {
                return Err(format!("{order}: the bank took {taken}, the shop says {payment}"));
            }
            debits += taken;
        }
        let expected = (debits.min(1), debits.min(1), debits.saturating_sub(1));
        let count = |name: &str| told[name].as_u64().unwrap_or(0);
        let found = (count("paid_events"), count("shipped"), count("paid_again_events"));
        if found == expected {
            Ok(())
        } else {
            Err(format!("{order}: {debits} debits, but (paid, shipped, paid again) is {found:?}: {told}"))
        }
    }

    async fn holds(&self, order: &str) {
        eventually(PATIENCE, || self.judge(order)).await;
    }

    /// Waits until every event is delivered. A delivery that a killed shop had claimed comes again when its lease is over;
    /// a shop that is to stop at a delivery would stop at that one, at any time.
    async fn delivered(&self) {
        let database = format!("sqlite:{}", self.shop.folder().join("shop.db").display());
        eventually(PATIENCE, || async {
            let listed = tokio::process::Command::new(env!("CARGO_BIN_EXE_tulbur-process"))
                .args(["payments", "list", "--json", "--database", &database])
                .output()
                .await
                .map_err(|error| error.to_string())?;
            let listed: Value = serde_json::from_slice(&listed.stdout).map_err(|error| error.to_string())?;
            let waits = &listed["deliveries_pending"];
            if *waits == 0 { Ok(()) } else { Err(format!("{waits} events are not delivered")) }
        })
        .await;
    }

    async fn pays(&self, reference: &str) -> bool {
        self.sandbox.act(reference, "pay", &json!({ "card": "success" })).await
    }
}

/// Kills the shop while it opens a payment or charges a card.
async fn killed_while_writing(point: &str) {
    let mut street = Street::open().await;
    street.shop.start(None).await;
    let card = street.save_card().await;
    let mut orders = Vec::new();
    let mut debited = 0;
    for round in 0..number("TULBUR_KILL_ROUNDS", 20) {
        street.shop.terminate().await;
        street.shop.start(Some(point)).await;
        let order = format!("order-{round}");
        let way = if round % 2 == 0 { ("card", None) } else { ("saved", Some(card.as_str())) };
        // The call never comes back: the shop stands still over it and is killed.
        let buying = street.shop.buying(&order, way.0, way.1);
        let buying = tokio::spawn(buying);
        street.shop.stopped(point).await;
        street.shop.kill().await;
        assert_eq!(buying.await.expect("it does not panic"), None, "nobody was answered");
        street.shop.start(None).await;
        let left = street.shop.references(&order).await;
        assert_eq!(left.len(), 1, "the intent was written before it was sent");
        if round % 4 == 2 {
            // Somebody pays what the shop never saw answered; where nothing was sent, there is nothing to pay.
            debited += u64::from(street.pays(&left[0]).await);
        } else if round % 4 == 0 {
            // The customer tries again, once the shop knows what became of the first try.
            eventually(PATIENCE, || async {
                let (status, page) = street
                    .shop
                    .post(&format!("orders/{order}/pay"), &[("way", "card")])
                    .await
                    .ok_or("no answer")?;
                (status == 303).then_some(()).ok_or(format!("{status} {page}"))
            })
            .await;
            let tries = street.shop.references(&order).await;
            assert!(street.pays(tries.last().expect("there is one")).await);
            debited += 1;
        } else {
            debited += street.sandbox.debits(&left[0]).await;
        }
        street.holds(&order).await;
        orders.push(order);
    }
    for order in &orders {
        street.holds(order).await;
    }
    assert!(debited > 0, "no round took money: the test shows nothing");
    street.sandbox.kill().await;
}

/// Kills the shop over a notification, or over the event that follows.
async fn killed_while_told(point: &str) {
    let mut street = Street::open().await;
    street.shop.start(None).await;
    let mut orders = Vec::new();
    for round in 0..number("TULBUR_KILL_ROUNDS", 20) {
        street.shop.terminate().await;
        street.shop.start(Some(point)).await;
        let order = format!("order-{round}");
        let (status, page) = street.shop.buy(&order, "card", None).await.expect("the shop answers");
        assert_eq!(status, 303, "{page}");
        let reference = street.shop.references(&order).await.remove(0);
        let declines = round % 5 == 4 && point != "event-claimed" && point != "event-handled";
        let action = if declines { "decline" } else { "pay" };
        assert!(street.sandbox.act(&reference, action, &json!({})).await);
        street.shop.stopped(point).await;
        street.shop.kill().await;
        street.shop.start(None).await;
        street.holds(&order).await;
        if point.starts_with("event-") {
            street.delivered().await;
        }
        let taken = street.sandbox.debits(&reference).await;
        assert_eq!(taken, u64::from(!declines));
        orders.push(order);
    }
    for order in &orders {
        street.holds(order).await;
    }
    street.sandbox.kill().await;
}

/// Kills the shop while it gives half of the money back. Nobody can ask this gateway about a refund: what may have
/// happened is never sent again, stands on the list for a person, and counts as given back. What was certainly never sent
/// frees its money and its key.
async fn killed_while_refunding(point: &str) {
    let mut street = Street::open().await;
    let gateway = street.sandbox.books("galaxy-pay");
    street.shop.start(None).await;
    for round in 0..number("TULBUR_KILL_ROUNDS", 20).div_ceil(2) {
        let order = format!("order-{round}");
        let form = [("order", order.as_str()), ("product", "coffee"), ("way", "galaxy")];
        let (status, page) = street.shop.post("buy", &form).await.expect("the shop answers");
        assert_eq!(status, 303, "{page}");
        let reference = street.shop.references(&order).await.remove(0);
        assert!(gateway.act(&reference, "pay", &json!({})).await);
        eventually(PATIENCE, || async {
            let told = street.shop.order(&order).await;
            (told["status"] == "paid").then_some(()).ok_or(format!("{told}"))
        })
        .await;
        let payment = street.shop.order(&order).await["payments"][0]["id"].clone();
        let payment = payment.as_str().expect("it has an id").to_owned();
        street.shop.terminate().await;
        street.shop.start(Some(point)).await;
        let caller = street.shop.caller();
        let path = format!("orders/{order}/counter");
        let half =
            [("payment", payment.clone()), ("action", "refund-half".into()), ("key", format!("key-{round}"))];
        let asking = {
            let (caller, path, half) = (caller.clone(), path.clone(), half.clone());
            tokio::spawn(async move {
                let form = half.each_ref().map(|(name, value)| (*name, value.as_str()));
                caller.post(&path, &form).await
            })
        };
        street.shop.stopped(point).await;
        street.shop.kill().await;
        assert_eq!(asking.await.expect("it does not panic"), None, "nobody was answered");
        street.shop.start(None).await;
        let unsent = point == "operation-reserved";
        let happened = u64::from(point == "operation-answered");
        let refunds = || async {
            let entry = gateway.payment(&reference).await;
            entry["refunds"].as_u64().unwrap_or(0)
        };
        let operations = || async {
            let told = street.shop.order(&order).await;
            let operations = told["payments"][0]["operations"].as_array().cloned().unwrap_or_default();
            operations.into_iter().map(|operation| operation["state"].clone()).collect::<Vec<_>>()
        };
        eventually(PATIENCE, || async {
            if unsent {
                let operations = operations().await;
                return (operations == ["refused"]).then_some(()).ok_or(format!("not freed: {operations:?}"));
            }
            let attention = street.shop.attention().await;
            let listed =
                |item: &Value| item["payment"] == payment.as_str() && item["kind"] == "unresolved-operation";
            attention.iter().any(listed).then_some(()).ok_or(format!("not listed: {attention:?}"))
        })
        .await;
        assert_eq!(refunds().await, happened);
        // The same form once more is the same refund, unless it was never sent; and a further one gets only what is
        // certainly left.
        let form = half.each_ref().map(|(name, value)| (*name, value.as_str()));
        let (status, page) = caller.post(&path, &form).await.expect("the shop answers");
        assert_eq!(status, 303, "{page}");
        assert_eq!(refunds().await, happened + u64::from(unsent));
        let key = format!("rest-{round}");
        let rest = [("payment", payment.as_str()), ("action", "refund-rest"), ("key", &key)];
        let (status, page) = caller.post(&path, &rest).await.expect("the shop answers");
        assert_eq!(status, 303, "{page}");
        let entry = gateway.payment(&reference).await;
        assert_eq!(refunds().await, happened + u64::from(unsent) + 1, "{entry}");
        let ends: &[&str] =
            if unsent { &["refused", "succeeded", "succeeded"] } else { &["unknown", "succeeded"] };
        assert_eq!(operations().await, ends);
    }
    street.sandbox.kill().await;
}

#[tokio::test]
async fn killed_with_a_refund_reserved() {
    killed_while_refunding("operation-reserved").await;
}

#[tokio::test]
async fn killed_before_a_refund_is_sent() {
    killed_while_refunding("operation-before-send").await;
}

#[tokio::test]
async fn killed_with_a_refund_answered() {
    killed_while_refunding("operation-answered").await;
}

#[tokio::test]
async fn killed_reserved() {
    killed_while_writing("reserved").await;
}

#[tokio::test]
async fn killed_before_send() {
    killed_while_writing("before-send").await;
}

#[tokio::test]
async fn killed_sent() {
    killed_while_writing("sent").await;
}

#[tokio::test]
async fn killed_answered() {
    killed_while_writing("answered").await;
}

#[tokio::test]
async fn killed_before_the_acknowledgement() {
    killed_while_told("before-acknowledgement").await;
}

#[tokio::test]
async fn killed_acknowledged() {
    killed_while_told("acknowledged").await;
}

#[tokio::test]
async fn killed_with_an_event_claimed() {
    killed_while_told("event-claimed").await;
}

#[tokio::test]
async fn killed_with_an_event_handled() {
    killed_while_told("event-handled").await;
}

#[expect(clippy::print_stdout, reason = "how much a run showed, and the seed that repeats it")]
#[tokio::test]
async fn killed_at_random() {
    let seed = number("TULBUR_KILL_SEED", 20_261_120);
    let kills = number("TULBUR_KILL_RANDOM", 200);
    let mut chance = Chance::new(seed);
    let mut street = Street::open().await;
    street.shop.start(None).await;
    let card = street.save_card().await;
    let mut orders: Vec<String> = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let debits_of = |books: &[Value]| books.iter().filter_map(|entry| entry["debits"].as_u64()).sum::<u64>();
    let (mut round, mut debits) = (0, 0);
    // Where the machine is slow, more shops are killed before they did anything: then there are more rounds.
    while round < kills || (debits <= kills / 4 && round < 4 * kills) {
        // What follows runs into the kill wherever it happens to be.
        let order = format!("order-{round}");
        orders.push(order.clone());
        let mut work: Vec<std::pin::Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
        let (shop, sandbox, card) = (&street.shop, &street.sandbox, card.as_str());
        let way = chance.below(3);
        work.push(Box::pin(async move {
            let (way, card) = if way == 0 { ("saved", Some(card)) } else { ("card", None) };
            shop.buy(&order, way, card).await;
        }));
        for reference in &open {
            let what = chance.below(8);
            work.push(Box::pin(async move {
                let action = if what < 6 { "pay" } else { "decline" };
                sandbox.act(reference, action, &json!({})).await;
            }));
        }
        let wait = Duration::from_millis(chance.below(350));
        tokio::select! {
            () = async { for one in work { one.await; } std::future::pending().await } => {}
            () = tokio::time::sleep(wait) => {}
        }
        street.shop.kill().await;
        street.shop.start(None).await;
        // The payer of one of the last pages goes on at some later time. Who comes back to a page much later than the
        // hasty shop looks, and whose notification is lost with the shop, is found by nobody.
        open.clear();
        let books = street.sandbox.payments().await;
        for entry in books.iter().rev().take(8) {
            if entry["state"] == "open" && chance.below(2) == 0 {
                open.extend(entry["reference"].as_str().map(str::to_owned));
            }
        }
        debits = debits_of(&books);
        round += 1;
    }
    for order in &orders {
        if street.shop.order(order).await != Value::Null {
            street.holds(order).await;
        }
    }
    let books = street.sandbox.payments().await;
    let debits = debits_of(&books);
    let setups = books.iter().filter(|entry| entry["kind"] == "card-setup").count();
    assert!(
        debits > kills / 4,
        "only {debits} debits in {round} rounds: the test shows little (seed {seed})"
    );
    eventually(PATIENCE, || async { everything_is_ours(&street, &orders).await }).await;
    println!(
        "seed {seed}: {round} kills, {} payments at the bank, {debits} debits, {setups} set-ups",
        books.len()
    );
    street.sandbox.kill().await;
}

/// Every debit in the bank's books belongs to an order of the shop's.
async fn everything_is_ours(street: &Street, orders: &[String]) -> Result<(), String> {
    let mut ours = Vec::new();
    for order in orders {
        ours.extend(street.shop.references(order).await);
    }
    for entry in street.sandbox.payments().await {
        let reference = entry["reference"].as_str().unwrap_or_default();
        let debited = entry["debits"].as_u64().unwrap_or(0) > 0 && entry["kind"] != "card-setup";
        if debited && !ours.iter().any(|known| known == reference) {
            return Err(format!("the bank took money for {reference}, which no order knows"));
        }
    }
    Ok(())
}
