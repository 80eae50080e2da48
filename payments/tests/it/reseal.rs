//! An old sealing key can be taken out, once everything was sealed anew.

use std::sync::Arc;

use crate::support;
use crate::support::{Bank, SETUP, Shop, TOKEN};
use sqlx::Row as _;
use sqlx::sqlite::SqlitePool;
use tulbur_core::{AccountName, CustomerRef, SecretString, Url};
use tulbur_payments::{Payments, ResealFrom, Resealed, SealingKeys, SqliteStore};

fn key(byte: u8) -> SecretString {
    use base64::Engine as _;
    SecretString::from(base64::engine::general_purpose::STANDARD.encode([byte; 32]))
}

async fn with_keys(shop: &Shop, keys: SealingKeys) -> Payments {
    let mut bank = Bank::new("bank");
    bank.state = Arc::clone(&shop.bank);
    let store = SqliteStore::open_with(support::options(&shop.folder.path().join("shop.db"))).await.unwrap();
    let url = Url::parse("https://shop.example/tulbur").unwrap();
    Payments::builder(Arc::new(store), Arc::new(shop.clock.clone()), keys, url)
        .account(Arc::new(bank))
        .handler("told", shop.told.clone())
        .build()
        .await
        .unwrap()
}

/// The ids of the keys that anything in the database is sealed with.
async fn keys_in_use(shop: &Shop) -> Vec<String> {
    let pool = SqlitePool::connect_with(support::options(&shop.folder.path().join("shop.db"))).await.unwrap();
    let rows = sqlx::query(
        "SELECT sealed_token AS sealed FROM tulbur_cards UNION ALL SELECT sealed FROM tulbur_inbox \
         UNION ALL SELECT json_extract(body, '$.sealed_secret') FROM tulbur_payments",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let mut keys: Vec<String> =
        rows.iter().map(|row| row.get::<String, _>("sealed").split('.').next().unwrap().to_owned()).collect();
    assert!(keys.len() > 10, "the test has something to seal");
    keys.sort();
    keys.dedup();
    keys
}

async fn walk(payments: &Payments, batch: u32) -> Resealed {
    let mut all = payments.reseal(&ResealFrom::default(), batch).await.unwrap();
    while let Some(next) = all.next.clone() {
        // As a command that was stopped would go on.
        let next: ResealFrom = next.to_string().parse().unwrap();
        let step = payments.reseal(&next, batch).await.unwrap();
        assert!(step.seen <= u64::from(batch));
        all.add(step);
    }
    all
}

/// Five payments, of which one is paid and saved a card, and notifications about them.
async fn a_shop_with_an_old_key() -> (Shop, Payments) {
    let shop = Shop::open().await;
    let old = with_keys(&shop, SealingKeys::new([("old", &key(1))]).unwrap()).await;
    let setup = tulbur_payments::OpenCardSetup::new(
        CustomerRef::parse("bat").unwrap(),
        AccountName::parse("bank").unwrap(),
    );
    let saved = old.save_card(setup).await.unwrap();
    assert_eq!(saved.reference.flow, SETUP);
    shop.pay(&saved.reference.merchant_ref);
    old.query(&saved.id).await.unwrap();
    for number in 0..5 {
        let payment = old.open(shop.request(&number.to_string(), 1500)).await.unwrap();
        let body = Shop::body(&payment.reference.merchant_ref, "000", "1500.00");
        let delivery = tulbur_core::Delivery {
            channel: tulbur_core::Channel::Notify,
            method: "POST",
            query: None,
            headers: &[],
            body: body.as_bytes(),
        };
        if number > 2 {
            old.notify(tulbur_payments::NotifyTarget::Name("bank"), delivery).await;
        }
    }
    for number in 0..3 {
        shop_refuses(&old, number).await;
    }
    (shop, old)
}

async fn shop_refuses(payments: &Payments, number: u32) {
    let body = format!("nonsense-{number}");
    let delivery = tulbur_core::Delivery {
        channel: tulbur_core::Channel::Notify,
        method: "POST",
        query: None,
        headers: &[],
        body: body.as_bytes(),
    };
    payments.notify(tulbur_payments::NotifyTarget::Name("bank"), delivery).await;
}

#[tokio::test]
async fn everything_is_sealed_anew_and_the_old_key_is_needed_no_more() {
    let (shop, old) = a_shop_with_an_old_key().await;
    assert_eq!(keys_in_use(&shop).await, ["old"]);
    let before = old.order(&shop.order("0")).await.unwrap().unwrap().payments.remove(0);
    let page = old.checkout_url(&before).unwrap();

    let both = with_keys(&shop, SealingKeys::new([("new", &key(2)), ("old", &key(1))]).unwrap()).await;
    let done = walk(&both, 2).await;
    assert_eq!(done.seen, done.resealed);
    assert!(done.left.is_empty());
    assert_eq!(keys_in_use(&shop).await, ["new"]);
    let again = walk(&both, 100).await;
    assert_eq!((again.seen, again.resealed), (done.seen, 0), "what is new is left as it is");

    let new = with_keys(&shop, SealingKeys::new([("new", &key(2))]).unwrap()).await;
    let after = new.order(&shop.order("0")).await.unwrap().unwrap().payments.remove(0);
    assert_eq!(new.checkout_url(&after).unwrap(), page, "a payer's address stays as it was");
    assert_eq!((after.status, after.ask_at, after.asked), (before.status, before.ask_at, before.asked));
    let card = new.cards(&CustomerRef::parse("bat").unwrap()).await.unwrap().remove(0);
    let charge = tulbur_payments::ChargeCard::new(
        shop.order("charge"),
        card.customer,
        card.id,
        support::mnt(10),
        "One thing",
    );
    // The bank asserts that the token is the one that it gave out.
    assert_eq!(new.charge(charge).await.unwrap().status, tulbur_payments::Status::Paid);
    assert!(!format!("{done:?}").contains(TOKEN));
}

#[tokio::test]
async fn without_the_old_key_what_needs_it_is_counted() {
    let (shop, _) = a_shop_with_an_old_key().await;
    let new = with_keys(&shop, SealingKeys::new([("new", &key(2))]).unwrap()).await;
    let done = walk(&new, 3).await;
    assert_eq!((done.resealed, done.left.get("old")), (0, Some(&done.seen)));
    assert_eq!(keys_in_use(&shop).await, ["old"], "nothing was lost");
}

#[tokio::test]
async fn payments_that_change_meanwhile_change_and_are_sealed_anew() {
    let (shop, _) = a_shop_with_an_old_key().await;
    let both = with_keys(&shop, SealingKeys::new([("new", &key(2)), ("old", &key(1))]).unwrap()).await;
    let mut opened = Vec::new();
    for number in 100..120 {
        let old = with_keys(&shop, SealingKeys::new([("old", &key(1))]).unwrap()).await;
        opened.push(old.open(shop.request(&number.to_string(), 1500)).await.unwrap());
    }
    let paying = async {
        for payment in &opened {
            shop.pay(&payment.reference.merchant_ref);
            both.query(&payment.id).await.unwrap();
        }
    };
    let (done, ()) = tokio::join!(walk(&both, 1), paying);
    assert!(done.left.is_empty());
    for payment in &opened {
        let record = both.payment(&payment.id).await.unwrap();
        assert_eq!(record.status, tulbur_payments::Status::Paid);
    }
    assert_eq!(keys_in_use(&shop).await, ["new"]);
}
