//! Deliveries, and the list for a person.

use std::sync::Arc;

use futures_util::future::join_all;
use tulbur_core::{AccountName, Timestamp};

use super::samples::{account, at, attention, delivery, opened, order_ref, payment, payment_id};
use super::{Found, Stores, ensure, ensure_eq, failed, named_checks};
use crate::record::{CustomerRef, Purpose};
use crate::store::{Changes, Find, InboxEntry, Store, Verdict};

named_checks! {
    a_repeated_delivery_is_counted: "a delivery of the same account, key and meaning is counted and not added, also when many come at once",
    a_delivery_of_other_meaning_is_kept_beside: "another meaning under the same key is an entry of its own, and the first one stays the first",
    a_notification_finds_what_it_needs: "a payment by each of its names, with its order and the event's first delivery, at its own account only",
    refused_deliveries_are_bounded: "of what was refused only the newest of each account stay, and nothing else is dropped",
    the_inbox_is_newest_first: "the newest deliveries come first, no more than asked for",
    a_delivery_is_sealed_anew: "sealed deliveries come in pages, and one is replaced only by who knows the one that is there",
    an_item_is_listed_once: "the same item is listed once, with its first words, and its event is sent once",
    an_item_is_struck_once: "an item is struck off by a person once, or by a commit, and does not come back",
}

fn keeping(entry: InboxEntry) -> Changes {
    Changes { inbox: vec![entry], ..Changes::default() }
}

async fn a_repeated_delivery_is_counted(stores: Stores) -> Found {
    let deliveries = (0..40).map(|number| {
        let store = if number % 2 == 0 { stores.one.clone() } else { stores.two.clone() };
        let mut entry = delivery(&number.to_string(), "key", "meaning", Verdict::Accepted);
        entry.at = at(5);
        tokio::spawn(async move { store.commit(keeping(entry)).await })
    });
    for result in join_all(deliveries).await {
        result.map_err(|e| e.to_string())?.map_err(|e| format!("a repeat is refused: {e}"))?;
    }
    // Two in one commit, as when both wait for the same decision.
    let twice = Changes {
        inbox: vec![
            delivery("x", "key", "meaning", Verdict::Accepted),
            delivery("y", "key", "meaning", Verdict::Accepted),
        ],
        ..Changes::default()
    };
    stores.one.commit(twice).await.map_err(|e| format!("two of one delivery in one commit: {e}"))?;
    let inbox = stores.two.inbox(10).await.map_err(failed)?;
    ensure_eq!(inbox.iter().map(|(_, times)| *times).collect::<Vec<_>>(), [42], "how often it came");
    ensure_eq!(inbox[0].0.at, at(5), "when it came first");
    // The same key at another account is another delivery.
    let mut elsewhere = delivery("z", "key", "meaning", Verdict::Accepted);
    elsewhere.account = account("other");
    stores.one.commit(keeping(elsewhere)).await.map_err(failed)?;
    ensure_eq!(stores.two.inbox(10).await.map_err(failed)?.len(), 2, "deliveries of two accounts");
    Ok(())
}

/// The first delivery of the event "key".
async fn earlier(store: &Arc<dyn Store>, account: &AccountName) -> Result<Option<InboxEntry>, String> {
    let nothing = payment_id("nothing");
    Ok(store.known(account, Find::Id(&nothing), "key").await.map_err(failed)?.earlier)
}

/// Every way to name a payment finds it with its order and the event's first delivery, at its own account only.
async fn a_notification_finds_what_it_needs(stores: Stores) -> Found {
    let bank = account("bank");
    let changes = opened("1");
    let first = changes.payments[0].clone();
    stores.one.commit(changes).await.map_err(failed)?;
    stores.one.commit(opened("2")).await.map_err(failed)?;
    let mut set_up = payment("3", "3");
    set_up.purpose = Purpose::CardSetup {
        customer: CustomerRef::parse("somebody").expect("the suite's names are well formed"),
    };
    stores.one.commit(Changes { payments: vec![set_up], ..Changes::default() }).await.map_err(failed)?;
    stores.one.commit(keeping(delivery("a", "key", "paid", Verdict::Accepted))).await.map_err(failed)?;
    let theirs = first.reference.provider_ref.clone().ok_or("the provider has no name for it")?;
    for find in [
        Find::Id(&first.id),
        Find::MerchantRef(&bank, &first.reference.merchant_ref),
        Find::ProviderRef(&bank, &theirs),
        Find::SecretHash(&first.secret_hash),
    ] {
        let known = stores.two.known(&bank, find, "key").await.map_err(failed)?;
        let read = stores.two.payment(find).await.map_err(failed)?;
        let order = stores.two.order(&order_ref("1")).await.map_err(failed)?.ok_or("its order is missing")?;
        ensure!(read.is_some(), "the payment is not found by {find:?}");
        ensure_eq!(known.payment, read, "the payment that is known, with its version");
        ensure_eq!(known.order, Some(order.record), "its order, with its version");
        ensure_eq!(
            known.earlier.map(|entry| entry.id),
            Some("delivery-a".to_owned()),
            "the earlier delivery"
        );
        let known = stores.two.known(&account("other"), find, "key").await.map_err(failed)?;
        ensure!(
            known.payment.is_none() && known.order.is_none() && known.earlier.is_none(),
            "{find:?} finds it at another account"
        );
    }
    let new = stores.two.known(&bank, Find::Id(&payment_id("2")), "another").await.map_err(failed)?;
    ensure!(
        new.payment.is_some() && new.earlier.is_none(),
        "an event that was never delivered has an earlier one"
    );
    let set_up = stores.two.known(&bank, Find::Id(&payment_id("3")), "key").await.map_err(failed)?;
    ensure!(set_up.payment.is_some() && set_up.order.is_none(), "a card set-up has an order");
    Ok(())
}

async fn a_delivery_of_other_meaning_is_kept_beside(stores: Stores) -> Found {
    let bank = account("bank");
    ensure!(earlier(&stores.one, &bank).await?.is_none(), "something was delivered before");
    let refused = delivery("refused", "key", "-", Verdict::Refused);
    stores.one.commit(keeping(refused)).await.map_err(failed)?;
    let found = earlier(&stores.one, &bank).await?;
    ensure!(found.is_none(), "what was refused counts as delivered");
    let mut first = delivery("b", "key", "paid", Verdict::Accepted);
    first.at = at(1);
    let mut second = delivery("a", "key", "declined", Verdict::Contradiction);
    second.at = at(2);
    for entry in [&first, &second, &first] {
        stores.one.commit(keeping(entry.clone())).await.map_err(failed)?;
    }
    let found = earlier(&stores.two, &bank).await?;
    ensure_eq!(found, Some(first.clone()), "the first delivery of the event");
    ensure!(earlier(&stores.two, &account("other")).await?.is_none(), "it counts at another account");
    let entry = stores.two.inbox_entry(&first.id).await.map_err(failed)?;
    ensure_eq!(entry, Some((first, 2)), "the first entry and its repeat");
    let entry = stores.two.inbox_entry(&second.id).await.map_err(failed)?;
    ensure_eq!(entry, Some((second, 1)), "the one that says something else");
    ensure!(
        stores.two.inbox_entry("none").await.map_err(failed)?.is_none(),
        "an entry that nobody wrote is found"
    );
    Ok(())
}

async fn refused_deliveries_are_bounded(stores: Stores) -> Found {
    let genuine = delivery("genuine", "key", "meaning", Verdict::Accepted);
    stores.one.commit(keeping(genuine)).await.map_err(failed)?;
    for number in 0..12_i64 {
        for name in ["bank", "other"] {
            let id = format!("{name}-{number:02}");
            let mut entry = delivery(&id, &id, "-", Verdict::Refused);
            entry.account = account(name);
            entry.at = at(10 + number);
            let store = if number % 2 == 0 { &stores.one } else { &stores.two };
            store.keep_refused(entry, if name == "bank" { 3 } else { 5 }).await.map_err(failed)?;
        }
    }
    let inbox = stores.two.inbox(100).await.map_err(failed)?;
    let of = |name: &str| -> Vec<&str> {
        let own = inbox.iter().filter(|(entry, _)| entry.account == account(name));
        own.map(|(entry, _)| entry.id.as_str()).collect()
    };
    ensure_eq!(
        of("bank"),
        ["delivery-bank-11", "delivery-bank-10", "delivery-bank-09", "delivery-genuine"],
        "what is kept of one account"
    );
    ensure_eq!(of("other").len(), 5, "how many are kept of another account");
    Ok(())
}

async fn the_inbox_is_newest_first(stores: Stores) -> Found {
    for (id, seconds) in [("b", 2), ("d", 4), ("a", 1), ("c", 3)] {
        let mut entry = delivery(id, id, "meaning", Verdict::UnknownPayment);
        entry.at = at(seconds);
        stores.one.commit(keeping(entry)).await.map_err(failed)?;
    }
    let inbox = stores.two.inbox(3).await.map_err(failed)?;
    let ids: Vec<&str> = inbox.iter().map(|(entry, _)| entry.id.as_str()).collect();
    ensure_eq!(ids, ["delivery-d", "delivery-c", "delivery-b"], "the three newest");
    Ok(())
}

async fn a_delivery_is_sealed_anew(stores: Stores) -> Found {
    for id in ["3", "1", "2"] {
        stores.one.commit(keeping(delivery(id, id, "meaning", Verdict::Accepted))).await.map_err(failed)?;
    }
    let first = stores.two.sealed_inbox(None, 2).await.map_err(failed)?;
    let ids: Vec<&str> = first.iter().map(|entry| entry.id.as_str()).collect();
    ensure_eq!(ids, ["delivery-1", "delivery-2"], "the first page");
    let second = stores.two.sealed_inbox(Some("delivery-2"), 2).await.map_err(failed)?;
    let ids: Vec<&str> = second.iter().map(|entry| entry.id.as_str()).collect();
    ensure_eq!(ids, ["delivery-3"], "the second page");
    ensure!(
        !stores.one.reseal_inbox("delivery-1", "another", "new").await.map_err(failed)?,
        "a sealing is replaced that was another"
    );
    ensure!(
        stores.one.reseal_inbox("delivery-1", "sealed 1", "new").await.map_err(failed)?,
        "a sealing is not replaced"
    );
    let kept = stores.two.inbox_entry("delivery-1").await.map_err(failed)?.ok_or("it is missing")?;
    ensure_eq!(kept.0.sealed, "new", "the sealing that is there");
    Ok(())
}

async fn items(store: &dyn Store) -> Result<Vec<String>, String> {
    Ok(store.attention().await.map_err(failed)?.into_iter().map(|item| item.detail).collect())
}

fn listing(key: &str, event: &str, time: Timestamp) -> Changes {
    let mut pair = attention(key, event);
    pair.0.at = time;
    Changes { attention: vec![pair], ..Changes::default() }
}

async fn an_item_is_listed_once(stores: Stores) -> Found {
    let commits = [listing("b", "1", at(1)), listing("b", "2", at(2)), listing("a", "3", at(3))];
    for changes in commits {
        stores.one.commit(changes).await.map_err(failed)?;
    }
    let mut twice = listing("c", "4", at(4));
    twice.attention.push(attention("c", "5"));
    stores.one.commit(twice).await.map_err(|e| format!("one item twice in a commit: {e}"))?;
    ensure_eq!(
        items(&*stores.two).await?,
        ["found with 1", "found with 3", "found with 4"],
        "what is listed, oldest first"
    );
    let events = stores.two.events(&order_ref("of-attention")).await.map_err(failed)?;
    let events: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
    ensure_eq!(events, ["event-1", "event-3", "event-4"], "the events of the items");
    let many = (10..30).map(|number| {
        let store = if number % 2 == 0 { stores.one.clone() } else { stores.two.clone() };
        tokio::spawn(async move { store.commit(listing("d", &number.to_string(), at(9))).await })
    });
    for result in join_all(many).await {
        result.map_err(|e| e.to_string())?.map_err(|e| format!("an item that others list at once: {e}"))?;
    }
    ensure_eq!(items(&*stores.two).await?.len(), 4, "items after many listed the same one");
    let events = stores.one.events(&order_ref("of-attention")).await.map_err(failed)?;
    ensure_eq!(events.len(), 4, "events after many listed the same item");
    Ok(())
}

async fn an_item_is_struck_once(stores: Stores) -> Found {
    for (key, event) in [("a", "1"), ("b", "2")] {
        stores.one.commit(listing(key, event, at(1))).await.map_err(failed)?;
    }
    ensure!(
        !stores.one.resolve_attention("none", at(2)).await.map_err(failed)?,
        "an item is struck that was never listed"
    );
    ensure!(
        stores.one.resolve_attention("a", at(2)).await.map_err(failed)?,
        "a listed item cannot be struck"
    );
    ensure!(!stores.two.resolve_attention("a", at(3)).await.map_err(failed)?, "an item is struck twice");
    ensure_eq!(items(&*stores.two).await?, ["found with 2"], "what is left");
    let struck = vec![("b".to_owned(), at(4)), ("none".to_owned(), at(4))];
    let settled = Changes { struck, ..Changes::default() };
    stores.one.commit(settled.clone()).await.map_err(failed)?;
    stores.two.commit(settled).await.map_err(|e| format!("striking again fails: {e}"))?;
    ensure!(items(&*stores.two).await?.is_empty(), "a commit does not strike items off");
    stores.one.commit(listing("a", "3", at(5))).await.map_err(failed)?;
    ensure!(items(&*stores.two).await?.is_empty(), "what a person has struck off is listed again");
    Ok(())
}
