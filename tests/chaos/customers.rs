//! Simulates customers: they buy in every way, pay or not, retry, and ask for refunds.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tulbur_tests::{Chance, eventually};

use super::street::{Saved, Street};

/// How long a shop is waited for before the same is sent again, perhaps to another one: longer than its leases, and
/// shorter than most stops that are past them.
const PATIENCE: Duration = Duration::from_millis(1800);

/// A way to buy: the product, the word of the form, how often it is chosen, and whose books it is in.
struct Way {
    product: &'static str,
    word: &'static str,
    weight: u64,
}

const fn way(product: &'static str, word: &'static str, weight: u64) -> Way {
    Way { product, word, weight }
}

const WAYS: [Way; 10] = [
    way("tea", "card", 8),
    way("tea", "saved", 4),
    way("tea", "socialpay-qr", 6),
    way("tea", "socialpay-phone", 4),
    way("coffee", "galaxy", 8),
    way("coffee", "galaxy-qr", 4),
    way("coffee", "galaxy-link", 2),
    way("coffee", "galaxy-saving", 2),
    way("coffee", "saved", 4),
    way("coffee", "galaxy-hold", 4),
];

/// One customer with one order.
pub(crate) struct Customer<'a> {
    street: &'a Street,
    order: String,
    chance: Chance,
}

impl<'a> Customer<'a> {
    pub(crate) fn new(street: &'a Street, number: u64) -> Self {
        let chance = Chance::new(street.seed.wrapping_add(number.wrapping_mul(0x9e37)));
        Self { street, order: Street::order_name(number), chance }
    }

    pub(crate) async fn shops(mut self) {
        let way = self.choose();
        if !self.buys(way, "buy").await {
            return;
        }
        self.pauses(300).await;
        self.pays().await;
        // Some come back and try in another way, although the first may have been paid.
        if self.chance.below(8) == 0 {
            let other = WAYS.iter().filter(|other| other.product == way.product).collect::<Vec<_>>();
            let other = *self.chance.one(&other);
            let path = format!("orders/{}/pay", self.order);
            if self.buys(other, &path).await {
                self.pauses(200).await;
                self.pays().await;
            }
        }
        self.pauses(600).await;
        self.goes_to_the_counter().await;
    }

    fn choose(&mut self) -> &'static Way {
        let mut at = self.chance.below(WAYS.iter().map(|way| way.weight).sum());
        for way in &WAYS {
            if at < way.weight {
                return way;
            }
            at -= way.weight;
        }
        &WAYS[0]
    }

    async fn pauses(&mut self, most: u64) {
        tokio::time::sleep(Duration::from_millis(self.chance.below(most))).await;
    }

    /// Sends the form until a shop answers. `false` if the shop refuses.
    async fn buys(&mut self, way: &Way, path: &str) -> bool {
        let mut form = vec![("order", self.order.clone()), ("product", way.product.into())];
        form.extend([("way", way.word.to_owned()), ("phone", "99112233".into())]);
        if way.word == "saved" {
            let cards: Vec<&Saved> =
                self.street.cards.iter().filter(|card| card.product == way.product).collect();
            let card = *self.chance.one(&cards);
            form.push(("card", card.id.clone()));
        }
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for _ in 0..40 {
            let asked = self.street.caller(&mut self.chance).post(path, &form);
            match tokio::time::timeout(PATIENCE, asked).await.unwrap_or(None) {
                Some((303, _)) => return true,
                // The provider was not there, or it is paid already, or nobody knows yet.
                Some(_) if self.chance.below(4) == 0 => return false,
                Some(_) | None => self.pauses(250).await,
            }
        }
        false
    }

    async fn told(&mut self) -> Value {
        let path = format!("api/orders/{}", self.order);
        self.street.json(&mut self.chance, &path).await
    }

    /// Pays, or does not, what the shop shows to the customer.
    async fn pays(&mut self) {
        let told = self.told().await;
        let payments = told["payments"].as_array().cloned().unwrap_or_default();
        let Some(payment) = payments.last().filter(|last| last["operation"] == "succeeded") else { return };
        let reference = payment["reference"].as_str().unwrap_or_default();
        let provider = payment["account"].as_str().unwrap_or_default();
        let action = match self.chance.below(20) {
            0 => "decline",
            1 => "cancel",
            2 => "expire",
            // Walks away.
            3 => return,
            _ => "pay",
        };
        self.street.sandbox.books(provider).act(reference, action, &json!({})).await;
    }

    /// Takes held money or lets it go; gives money back, sometimes twice over.
    async fn goes_to_the_counter(&mut self) {
        let told = self.told().await;
        for payment in told["payments"].as_array().into_iter().flatten() {
            let id = payment["id"].as_str().unwrap_or_default();
            match payment["status"].as_str() {
                Some("authorized") => {
                    let action = if self.chance.below(4) == 0 { "void" } else { "capture" };
                    self.asks(id, action).await;
                }
                Some("paid") if payment["account"] != "golomt-ecommerce" && self.chance.below(2) == 0 => {
                    let instore = payment["account"] == "golomt-instore";
                    self.asks(id, if instore { "refund-rest" } else { "refund-half" }).await;
                    if !instore && self.chance.below(3) == 0 {
                        self.asks(id, "refund-rest").await;
                    }
                }
                _ => {}
            }
        }
    }

    /// Sends a form of the counter until a shop answers; its key makes it one request.
    async fn asks(&mut self, payment: &str, action: &str) {
        if action.starts_with("refund") {
            let mut asked = self.street.refunds_asked.lock().expect("no customer panicked");
            *asked.entry(payment.to_owned()).or_default() += 1;
        }
        let key = format!("{}-{action}-{}", self.order, self.chance.below(1_000_000));
        let form = [("payment", payment), ("action", action), ("key", key.as_str())];
        let path = format!("orders/{}/counter", self.order);
        let first = self.chance.below(40);
        for attempt in first..first + 40 {
            // The next shop in turn, not the one that stands still.
            let shops = &self.street.callers;
            let shop = &shops[usize::try_from(attempt).unwrap_or(0) % shops.len()];
            let asked = shop.post(&path, &form);
            match tokio::time::timeout(PATIENCE, asked).await.unwrap_or(None) {
                // The shop is dead or stands still, or its database does.
                None | Some((503, _)) => self.pauses(250).await,
                Some(_) => return,
            }
        }
    }
}

/// Saves a card at each bank that keeps them, before anything goes wrong.
pub(crate) async fn save_cards(street: &Street) -> Vec<Saved> {
    let shop = &street.callers[0];
    let (status, page) = shop.post("cards", &[]).await.expect("the shop answers");
    assert_eq!(status, 303, "{page}");
    let books = street.sandbox.books("golomt-ecommerce");
    let setup = books.payments().await.pop().expect("the bank knows the set-up");
    let reference = setup["reference"].as_str().expect("it has a reference");
    assert!(books.act(reference, "pay", &json!({ "card": "success" })).await);

    let form = [("order", "the-card"), ("product", "coffee"), ("way", "galaxy-saving")];
    let (status, page) = shop.post("buy", &form).await.expect("the shop answers");
    assert_eq!(status, 303, "{page}");
    let books = street.sandbox.books("galaxy-pay");
    let payment = books.payments().await.pop().expect("the gateway knows the payment");
    let reference = payment["reference"].as_str().expect("it has a reference");
    assert!(books.act(reference, "pay", &json!({})).await);

    let began = Instant::now();
    eventually(Duration::from_secs(30), || async {
        let cards = shop.json("api/cards").await.unwrap_or_default();
        let count = cards.as_array().map_or(0, Vec::len);
        (count == 2).then_some(()).ok_or(format!("{count} cards after {:?}", began.elapsed()))
    })
    .await;
    let cards = shop.json("api/cards").await.expect("the shop answers");
    cards
        .as_array()
        .expect("cards are a list")
        .iter()
        .map(|card| Saved {
            id: card["id"].as_str().expect("a card has an id").to_owned(),
            product: if card["account"] == "galaxy-pay" { "coffee" } else { "tea" },
        })
        .collect()
}
