//! Deliveries, and the list for a person.

use std::sync::Arc;

use futures_util::future::join_all;
use tulbur_core::{AccountName, CustomerRef, ProviderRef, Timestamp};

use super::check::{Found, Stores, ensure, ensure_eq, failed, named_checks};
use super::samples::{account, at, attention, delivery, opened, order_ref, payment, payment_id};
use crate::error::StoreError;
use crate::model::record::Purpose;
use crate::store::{Changes, Find, InboxEntry, Store, Verdict};

named_checks! {
    a_repeated_delivery_is_counted: "a delivery of the same account, key and meaning is counted and not added, also when many come at once",
    a_delivery_of_other_meaning_is_kept_beside: "another meaning under the same key is an entry of its own, and the first one stays the first",
    a_repeat_says_what_became_of_it: "a delivery that waits, or is about no payment of ours, takes over what its repeats say, also when all come at once",
    waiting_deliveries_are_taken_when_due: "what waits is found by the provider's reference, and taken when it is due, oldest first, until it is settled",
    a_notification_finds_what_it_needs: "a payment by each of its names, with its order and the event's first delivery, at its own account only",
    refused_deliveries_are_bounded: "of what was refused only the newest of each account stay, and nothing else is dropped",
    the_inbox_is_newest_first: "the newest deliveries come first, no more than asked for",
    a_delivery_is_sealed_anew: "sealed deliveries come in pages, and one is replaced only by who knows the one that is there",
    an_item_is_listed_once: "the same item is listed once, with its first words, and its event is sent once",
    an_item_is_resolved_once: "an item is resolved by a person once, or by a commit, and is listed again when it is found again",
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

/// A delivery about a reference of the provider's that nobody knows yet.
fn waiting(id: &str, repeat_key: &str, due: i64) -> InboxEntry {
    let provider_ref = ProviderRef::parse("theirs").expect("the suite's names are well formed");
    InboxEntry {
        provider_ref: Some(provider_ref),
        due_at: Some(at(due)),
        ..delivery(id, repeat_key, "meaning", Verdict::Waiting)
    }
}

async fn a_repeat_says_what_became_of_it(stores: Stores) -> Found {
    let accepted = |id: &str, key: &str| InboxEntry {
        payment: Some(payment_id("1")),
        note: "applied".into(),
        ..delivery(id, key, "meaning", Verdict::Accepted)
    };
    let unknown = |id: &str, key: &str| delivery(id, key, "meaning", Verdict::UnknownPayment);
    let one_by_one = [waiting("a1", "a", 10), unknown("a2", "a"), accepted("a3", "a"), unknown("a4", "a")];
    for entry in one_by_one {
        stores.one.commit(keeping(entry)).await.map_err(failed)?;
    }
    let inbox = vec![waiting("b1", "b", 10), unknown("b2", "b"), accepted("b3", "b"), unknown("b4", "b")];
    stores.one.commit(Changes { inbox, ..Changes::default() }).await.map_err(failed)?;
    let at_once = [waiting("c1", "c", 10), unknown("c2", "c"), accepted("c3", "c"), accepted("c4", "c")];
    for result in join_all(at_once.map(|entry| stores.one.commit(keeping(entry)))).await {
        result.map_err(failed)?;
    }
    // Of those that come at once any may be the first.
    for (first, key) in [(&["a1"][..], "a"), (&["b1"], "b"), (&["c1", "c2", "c3", "c4"], "c")] {
        let mut kept = Vec::new();
        for id in first {
            let found = stores.two.inbox_entry(&format!("delivery-{id}")).await.map_err(failed)?;
            kept.extend(found.map(|(entry, times)| (id, entry, times)));
        }
        ensure_eq!(kept.len(), 1, "entries that are kept of `{key}`");
        let (id, entry, times) = kept.remove(0);
        ensure_eq!(times, 4, "how often `{key}` came");
        ensure_eq!(entry.verdict, Verdict::Accepted, "what became of `{key}`");
        ensure_eq!((entry.payment, entry.due_at), (Some(payment_id("1")), None), "the rest of it");
        ensure_eq!(entry.sealed, format!("sealed {id}"), "what is kept of it");
    }
    let taken = delivery("a1", "d", "meaning", Verdict::Accepted);
    ensure!(
        matches!(stores.one.commit(keeping(taken)).await, Err(StoreError::Conflict)),
        "another delivery gets an id that is taken"
    );
    Ok(())
}

async fn waiting_deliveries_are_taken_when_due(stores: Stores) -> Found {
    let (one, two) = (&stores.one, &stores.two);
    for (id, came, due) in [("a", 2, 30), ("b", 1, 40), ("c", 3, 20), ("d", 4, 99)] {
        let entry = InboxEntry { at: at(came), ..waiting(id, id, due) };
        one.commit(keeping(entry)).await.map_err(failed)?;
    }
    let ids = |entries: &[InboxEntry]| -> Vec<String> { entries.iter().map(|one| one.id.clone()).collect() };
    let theirs = ProviderRef::parse("theirs").expect("the suite's names are well formed");
    let found = two.kept_for(&account("bank"), &theirs).await.map_err(failed)?;
    ensure_eq!(ids(&found), ["delivery-b", "delivery-a", "delivery-c", "delivery-d"], "what waits for it");
    ensure!(two.kept_for(&account("other"), &theirs).await.map_err(failed)?.is_empty(), "at another account");
    ensure!(two.take_kept(at(19), at(50), 10).await.map_err(failed)?.is_empty(), "it is taken too early");
    let soonest = two.take_kept(at(40), at(50), 1).await.map_err(failed)?;
    ensure_eq!(ids(&soonest), ["delivery-c"], "the one that is due first");
    ensure_eq!(soonest[0].due_at, Some(at(50)), "when it is due again");
    let rest = one.take_kept(at(40), at(60), 10).await.map_err(failed)?;
    ensure_eq!(ids(&rest), ["delivery-b", "delivery-a"], "the others that are due, oldest first");
    ensure_eq!(one.next_due().await.map_err(failed)?, Some(at(50)), "when something is due next");
    let settled = vec![InboxEntry { verdict: Verdict::Accepted, due_at: None, ..soonest[0].clone() }];
    one.commit(Changes { settled, ..Changes::default() }).await.map_err(failed)?;
    let again = two.take_kept(at(60), at(70), 10).await.map_err(failed)?;
    ensure_eq!(ids(&again), ["delivery-b", "delivery-a"], "what is due again, and not settled");
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
            let refused = vec![(entry, if name == "bank" { 3 } else { 5 })];
            store.commit(Changes { refused, ..Changes::default() }).await.map_err(failed)?;
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
    let mut same = listing("e", "6", at(8));
    same.attention.push(attention("e", "6"));
    stores.one.commit(same).await.map_err(|e| format!("one item twice with one event in a commit: {e}"))?;
    stores.one.resolve_attention("e", at(8)).await.map_err(failed)?;
    let many = (10..30).map(|number| {
        let store = if number % 2 == 0 { stores.one.clone() } else { stores.two.clone() };
        tokio::spawn(async move { store.commit(listing("d", &number.to_string(), at(9))).await })
    });
    for result in join_all(many).await {
        result.map_err(|e| e.to_string())?.map_err(|e| format!("an item that others list at once: {e}"))?;
    }
    ensure_eq!(items(&*stores.two).await?.len(), 4, "items after many listed the same one");
    let events = stores.one.events(&order_ref("of-attention")).await.map_err(failed)?;
    ensure_eq!(events.len(), 5, "events after many listed the same item");
    Ok(())
}

async fn an_item_is_resolved_once(stores: Stores) -> Found {
    for (key, event) in [("a", "1"), ("b", "2")] {
        stores.one.commit(listing(key, event, at(1))).await.map_err(failed)?;
    }
    ensure!(
        !stores.one.resolve_attention("none", at(2)).await.map_err(failed)?,
        "an item is resolved that was never listed"
    );
    ensure!(
        stores.one.resolve_attention("a", at(2)).await.map_err(failed)?,
        "a listed item cannot be resolved"
    );
    ensure!(!stores.two.resolve_attention("a", at(3)).await.map_err(failed)?, "an item is resolved twice");
    ensure_eq!(items(&*stores.two).await?, ["found with 2"], "what is left");
    let resolved = vec![("b".to_owned(), at(4)), ("none".to_owned(), at(4))];
    let settled = Changes { resolved, ..Changes::default() };
    stores.one.commit(settled.clone()).await.map_err(failed)?;
    stores.two.commit(settled).await.map_err(|e| format!("striking again fails: {e}"))?;
    ensure!(items(&*stores.two).await?.is_empty(), "a commit does not resolve items");
    stores.one.commit(listing("a", "3", at(5))).await.map_err(failed)?;
    ensure_eq!(items(&*stores.two).await?, ["found with 3"], "what is found again after it was resolved");
    Ok(())
}
