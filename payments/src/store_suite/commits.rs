//! Commits: whole or not at all, on the versions that were read.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tulbur_core::{FreeText, OperationState, ProviderRef};

use super::check::{Found, Stores, ensure, ensure_eq, failed, named_checks};
use super::samples::{
    account, amount, at, attention, card, customer, delivery, event, history, key, opened, operation,
    operation_ref, order, order_ref, paid_event, payment, payment_id,
};
use crate::error::StoreError;
use crate::model::operation::KeyRecord;
use crate::model::record::Status;
use crate::store::{Changes, Find, Store, Verdict};

named_checks! {
    a_commit_is_there_for_all: "everything of a commit is read back as it was written, by another process too",
    a_commit_is_all_or_nothing: "a commit that conflicts anywhere leaves nothing of itself behind",
    a_stale_version_is_a_conflict: "orders, payments and operations change only on the version that is stored",
    what_is_new_must_be_new: "an order, payment, reference, page, operation, key, card or event that exists already is a conflict",
    a_freed_key_is_free_at_once: "the key of a write of which nothing was sent can be used again, also by the commit that frees it",
    an_order_has_one_paid_event: "a second paid event of one order is a conflict, whatever its id",
    of_many_writers_one_wins: "of many changes on one version, from two processes, exactly one is committed",
    a_commit_given_again_is_there_once: "a commit that is given again, as after a lost answer, conflicts and leaves all as it was",
    many_commits_at_once_all_stay: "commits that arrive together are all there, and one that conflicts fails alone",
    many_changes_at_once_are_each_as_decided: "commits of every kind of record that arrive together, new and changed, are each read back as they were written",
    commits_at_once_about_one_thing_follow_each_other: "counting up on versions from many tasks loses no step",
    a_caller_who_goes_away_breaks_nothing: "a commit whose caller was dropped is there whole or not at all",
    odd_texts_stay_as_they_are: "quotes, other scripts and control characters do not break a commit",
}

async fn a_commit_is_there_for_all(stores: Stores) -> Found {
    let changes = Changes {
        orders: vec![order("1")],
        payments: vec![payment("1", "1")],
        operations: vec![operation("1", "1")],
        freed: Vec::new(),
        settled: Vec::new(),
        refused: Vec::new(),
        keys: vec![key("1")],
        cards: vec![card("1", "customer", 0)],
        events: vec![event("1", "1")],
        history: vec![history("1", "first"), history("1", "second")],
        attention: vec![attention("item", "2")],
        resolved: Vec::new(),
        inbox: vec![delivery("1", "repeat", "meaning", Verdict::Accepted)],
    };
    stores.one.commit(changes.clone()).await.map_err(failed)?;
    let store = &stores.two;
    let mut wanted = (order("1"), payment("1", "1"), operation("1", "1"));
    wanted.0.version = 1;
    wanted.1.version = 1;
    wanted.2.version = 1;
    let found = store.order(&order_ref("1")).await.map_err(failed)?.ok_or("the order is missing")?;
    ensure_eq!(found.record, wanted.0, "the order");
    ensure_eq!(found.payments, vec![wanted.1.clone()], "the order's payments");
    let reference = &wanted.1.reference;
    let provider_ref = reference.provider_ref.as_ref().ok_or("the sample has a provider's reference")?;
    for find in [
        Find::Id(&wanted.1.id),
        Find::MerchantRef(&wanted.1.account, &reference.merchant_ref),
        Find::ProviderRef(&wanted.1.account, provider_ref),
        Find::SecretHash("hash-1"),
    ] {
        let found = store.payment(find).await.map_err(failed)?;
        ensure_eq!(found.as_ref(), Some(&wanted.1), "the payment by {find:?}");
    }
    let other = ProviderRef::parse("other").map_err(|e| e.to_string())?;
    for find in [
        Find::Id(&payment_id("2")),
        Find::MerchantRef(&account("other"), &reference.merchant_ref),
        Find::ProviderRef(&account("bank"), &other),
        Find::SecretHash("hash"),
    ] {
        ensure!(store.payment(find).await.map_err(failed)?.is_none(), "{find:?} finds what it must not");
    }
    let found = store.operation(&operation_ref("1")).await.map_err(failed)?;
    ensure_eq!(found.as_ref(), Some(&wanted.2), "the operation");
    ensure_eq!(store.operations(&payment_id("1")).await.map_err(failed)?, vec![wanted.2], "the operations");
    ensure_eq!(store.key(&key("1").key).await.map_err(failed)?, Some(key("1")), "the key");
    ensure!(store.key(&key("2").key).await.map_err(failed)?.is_none(), "a key is found that nobody used");
    let found = store.card(&changes.cards[0].card.id).await.map_err(failed)?;
    ensure_eq!(found.as_ref(), Some(&changes.cards[0]), "the card");
    ensure_eq!(
        store.cards(&customer("customer")).await.map_err(failed)?,
        vec![changes.cards[0].card.clone()],
        "the customer's cards"
    );
    ensure_eq!(store.events(&order_ref("1")).await.map_err(failed)?, changes.events, "the order's events");
    ensure_eq!(store.history(&order_ref("1")).await.map_err(failed)?, changes.history, "the history");
    ensure_eq!(
        store.payment_history(&payment_id("1")).await.map_err(failed)?,
        changes.history,
        "the payment's history"
    );
    ensure_eq!(
        store.attention().await.map_err(failed)?,
        vec![changes.attention[0].0.clone()],
        "the list for a person"
    );
    let found = store.inbox_entry("delivery-1").await.map_err(failed)?;
    ensure_eq!(found, Some((changes.inbox[0].clone(), 1)), "the delivery");
    Ok(())
}

/// Whether nothing is kept at all.
async fn is_empty(store: &dyn Store) -> Result<bool, String> {
    let orders = store.orders(10).await.map_err(failed)?;
    let events = store.events(&order_ref("new")).await.map_err(failed)?;
    let history = store.payment_history(&payment_id("new")).await.map_err(failed)?;
    let attention = store.attention().await.map_err(failed)?;
    let inbox = store.inbox(10).await.map_err(failed)?;
    let key = store.key(&key("new").key).await.map_err(failed)?;
    let cards = store.cards(&customer("new")).await.map_err(failed)?;
    Ok(orders.is_empty()
        && events.is_empty()
        && history.is_empty()
        && attention.is_empty()
        && inbox.is_empty()
        && key.is_none()
        && cards.is_empty())
}

async fn a_commit_is_all_or_nothing(stores: Stores) -> Found {
    let mut stale_operation = operation("stale", "new");
    stale_operation.version = 3;
    let mut stale_order = order("stale");
    stale_order.version = 3;
    let mut stale_payment = payment("stale", "new");
    stale_payment.version = 3;
    let good = || Changes {
        keys: vec![key("new")],
        cards: vec![card("new", "new", 0)],
        events: vec![event("new", "new")],
        history: vec![history("new", "it happened")],
        attention: vec![attention("new", "new-attention")],
        inbox: vec![delivery("new", "new", "new", Verdict::Accepted)],
        ..opened("new")
    };
    let mut broken = [good(), good(), good(), good()];
    broken[0].orders.push(stale_order);
    broken[1].payments.push(stale_payment);
    broken[2].operations.push(stale_operation);
    // The last thing but one that is written: a second event of the same id.
    broken[3].events.push(event("new", "new"));
    for (number, changes) in broken.into_iter().enumerate() {
        let result = stores.one.commit(changes).await;
        ensure!(
            matches!(result, Err(StoreError::Conflict)),
            "case {number} must conflict, and gave {result:?}"
        );
        ensure!(is_empty(&*stores.two).await?, "case {number} left a part of itself behind");
    }
    stores.one.commit(good()).await.map_err(|e| format!("the same without the conflict fails: {e}"))
}

async fn conflicts(store: &dyn Store, changes: Changes, what: &str) -> Found {
    let result = store.commit(changes).await;
    ensure!(matches!(result, Err(StoreError::Conflict)), "{what} must be a conflict, and gave {result:?}");
    Ok(())
}

async fn a_stale_version_is_a_conflict(stores: Stores) -> Found {
    let store = &*stores.one;
    let first = Changes { operations: vec![operation("1", "1")], ..opened("1") };
    store.commit(first).await.map_err(failed)?;
    let orders = |version| {
        let mut record = order("1");
        (record.version, record.paid_by) = (version, Some(payment_id("1")));
        Changes { orders: vec![record], ..Changes::default() }
    };
    let payments = |version| {
        let mut record = payment("1", "1");
        (record.version, record.status) = (version, Status::Paid);
        Changes { payments: vec![record], ..Changes::default() }
    };
    let operations = |version| {
        let mut record = operation("1", "1");
        (record.version, record.state) = (version, OperationState::Succeeded);
        Changes { operations: vec![record], ..Changes::default() }
    };
    let kinds: [(&str, &(dyn Fn(i64) -> Changes + Sync)); 3] =
        [("an order", &orders), ("a payment", &payments), ("an operation", &operations)];
    for (kind, make) in kinds {
        conflicts(&*stores.two, make(2), &format!("{kind} on a version that is not there yet")).await?;
        store.commit(make(1)).await.map_err(|e| format!("{kind} on its version fails: {e}"))?;
        conflicts(&*stores.two, make(1), &format!("{kind} on the version before the last")).await?;
        conflicts(store, make(0), &format!("{kind} as new although it is there")).await?;
        store.commit(make(2)).await.map_err(|e| format!("{kind} on its second version fails: {e}"))?;
    }
    let order = store.order(&order_ref("1")).await.map_err(failed)?.ok_or("the order is missing")?;
    ensure_eq!(order.record.version, 3, "the order's version after two changes");
    ensure_eq!(order.record.paid_by, Some(payment_id("1")), "what changed of the order");
    ensure_eq!(order.payments[0].version, 3, "the payment's version after two changes");
    ensure_eq!(order.payments[0].status, Status::Paid, "what changed of the payment");
    Ok(())
}

async fn what_is_new_must_be_new(stores: Stores) -> Found {
    let all = || Changes {
        operations: vec![operation("1", "1")],
        keys: vec![key("1")],
        cards: vec![card("1", "customer", 0)],
        events: vec![event("1", "1")],
        ..opened("1")
    };
    stores.one.commit(all()).await.map_err(failed)?;
    let store = &*stores.two;
    let empty = Changes::default;
    conflicts(store, Changes { orders: vec![order("1")], ..empty() }, "an order that exists").await?;
    let one = || payment("1", "1");
    conflicts(store, Changes { payments: vec![one()], ..empty() }, "a payment that exists").await?;
    let mut same_reference = payment("2", "1");
    same_reference.reference = one().reference;
    conflicts(
        store,
        Changes { payments: vec![same_reference.clone()], ..empty() },
        "a reference that is used at its account",
    )
    .await?;
    let mut same_theirs = payment("2", "1");
    same_theirs.reference.provider_ref = one().reference.provider_ref;
    conflicts(
        store,
        Changes { payments: vec![same_theirs], ..empty() },
        "a provider's reference that is used at its account",
    )
    .await?;
    let mut same_page = payment("2", "1");
    same_page.secret_hash = one().secret_hash;
    conflicts(store, Changes { payments: vec![same_page], ..empty() }, "a page secret that is used").await?;
    conflicts(
        store,
        Changes { operations: vec![operation("1", "1")], ..empty() },
        "an operation that exists",
    )
    .await?;
    conflicts(store, Changes { keys: vec![key("1")], ..empty() }, "a key that is used").await?;
    conflicts(store, Changes { cards: vec![card("1", "other", 0)], ..empty() }, "a card that exists").await?;
    conflicts(store, Changes { events: vec![event("1", "1")], ..empty() }, "an event that exists").await?;
    // The same reference at another account is another reference.
    same_reference.account = account("other");
    store
        .commit(Changes { payments: vec![same_reference], ..empty() })
        .await
        .map_err(|e| format!("a reference that is used at another account is refused: {e}"))
}

async fn a_freed_key_is_free_at_once(stores: Stores) -> Found {
    let (first, other) = (key("a"), key("b"));
    let keys = |keys: Vec<KeyRecord>| Changes { keys, ..Changes::default() };
    stores.one.commit(keys(vec![first.clone(), other.clone()])).await.map_err(failed)?;
    let second = KeyRecord { content: "another".into(), ..key("a") };
    let taken = stores.two.commit(keys(vec![second.clone()])).await;
    ensure!(matches!(taken, Err(StoreError::Conflict)), "a key that was used is used again: {taken:?}");
    let freed = vec![first.subject.clone()];
    let changes = Changes { freed, ..keys(vec![second.clone()]) };
    stores
        .one
        .commit(changes)
        .await
        .map_err(|e| format!("a key is not free in the commit that frees it: {e}"))?;
    ensure_eq!(stores.two.key(&first.key).await.map_err(failed)?, Some(second), "the key that was freed");
    ensure_eq!(stores.two.key(&other.key).await.map_err(failed)?, Some(other), "the key of another write");
    Ok(())
}

async fn an_order_has_one_paid_event(stores: Stores) -> Found {
    let paid = |name: &str, of: &str| Changes { events: vec![paid_event(name, of)], ..Changes::default() };
    stores.one.commit(Changes { events: vec![paid_event("1", "1")], ..opened("1") }).await.map_err(failed)?;
    conflicts(&*stores.two, paid("2", "1"), "a second paid event of an order").await?;
    stores.two.commit(opened("2")).await.map_err(failed)?;
    stores.two.commit(paid("3", "2")).await.map_err(|e| format!("another order cannot be paid: {e}"))?;
    let both = [paid("4", "3"), paid("5", "3")].map(|changes| stores.one.commit(changes));
    stores.one.commit(opened("3")).await.map_err(failed)?;
    let won = join_all(both).await.into_iter().flatten().count();
    ensure_eq!(won, 1, "paid events of one order that were committed at the same moment");
    Ok(())
}

async fn of_many_writers_one_wins(stores: Stores) -> Found {
    stores.one.commit(opened("1")).await.map_err(failed)?;
    let writers = (0..32).map(|number| {
        let store = if number % 2 == 0 { stores.one.clone() } else { stores.two.clone() };
        let mut record = payment("1", "1");
        (record.version, record.asked) = (1, number);
        let noted = history("1", &number.to_string());
        let changes = Changes { payments: vec![record], history: vec![noted], ..Changes::default() };
        tokio::spawn(async move { (number, store.commit(changes).await) })
    });
    let mut winner = None;
    for writer in join_all(writers).await {
        let (number, result) = writer.map_err(|e| e.to_string())?;
        match result {
            Ok(()) => {
                ensure!(winner.is_none(), "two writers changed one version");
                winner = Some(number);
            }
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let winner = winner.ok_or("nobody could change it")?;
    let kept =
        stores.one.payment(Find::Id(&payment_id("1"))).await.map_err(failed)?.ok_or("it is missing")?;
    ensure_eq!((kept.asked, kept.version), (winner, 2), "what is stored is what was committed");
    let noted = stores.two.history(&order_ref("1")).await.map_err(failed)?;
    ensure_eq!(noted, vec![history("1", &winner.to_string())], "nothing of those who lost is there");
    Ok(())
}

async fn a_commit_given_again_is_there_once(stores: Stores) -> Found {
    let made = Changes {
        operations: vec![operation("1", "1")],
        keys: vec![key("1")],
        events: vec![event("1", "1")],
        history: vec![history("1", "made")],
        attention: vec![attention("item", "2")],
        inbox: vec![delivery("1", "repeat", "meaning", Verdict::Accepted)],
        ..opened("1")
    };
    let mut changed = Changes {
        history: vec![history("1", "changed")],
        resolved: vec![("item".into(), at(9))],
        inbox: vec![delivery("2", "repeat", "meaning", Verdict::Accepted)],
        ..Changes::default()
    };
    for (name, wanted_lines, wanted_times) in [("made", 1, 1), ("changed", 2, 2)] {
        if name == "changed" {
            let read = stores.one.order(&order_ref("1")).await.map_err(failed)?.ok_or("it is missing")?;
            changed.payments = read.payments;
            changed.payments[0].asked += 1;
        }
        let commit = if name == "made" { &made } else { &changed };
        // At once from two processes, and once more when all is quiet.
        let tries = (0..12).map(|number| {
            let store = if number % 2 == 0 { stores.one.clone() } else { stores.two.clone() };
            let commit = commit.clone();
            tokio::spawn(async move { store.commit(commit).await })
        });
        let mut results = Vec::new();
        for tried in join_all(tries).await {
            results.push(tried.map_err(|e| e.to_string())?);
        }
        results.push(stores.two.commit(commit.clone()).await);
        let done = results.iter().filter(|result| result.is_ok()).count();
        let others = results.iter().filter_map(|result| result.as_ref().err());
        if let Some(odd) = others.clone().find(|error| !matches!(error, StoreError::Conflict)) {
            return Err(format!("{name}: given again it is no conflict, but: {odd}"));
        }
        ensure_eq!((done, others.count()), (1, 12), "{name}: how often it was committed, and a conflict");
        let lines = stores.one.payment_history(&payment_id("1")).await.map_err(failed)?.len();
        ensure_eq!(lines, wanted_lines, "{name}: lines of history");
        let kept = stores.two.inbox_entry("delivery-1").await.map_err(failed)?;
        ensure_eq!(kept.map(|(_, times)| times), Some(wanted_times), "{name}: how often the delivery came");
        let events = stores.two.events(&order_ref("1")).await.map_err(failed)?;
        ensure_eq!(events, made.events, "{name}: the order's events");
    }
    Ok(())
}

async fn many_commits_at_once_all_stay(stores: Stores) -> Found {
    stores.one.commit(opened("taken")).await.map_err(failed)?;
    let writers = (0..96).map(|number| {
        let store = if number % 3 == 0 { stores.two.clone() } else { stores.one.clone() };
        let name = format!("{number:03}");
        let mut changes = Changes {
            events: vec![event(&name, &name)],
            history: vec![history(&name, "opened")],
            inbox: vec![delivery(&name, "the same", "for all", Verdict::Accepted)],
            ..opened(&name)
        };
        if number % 8 == 0 {
            changes.orders.push(order("taken"));
        }
        tokio::spawn(async move { (number, store.commit(changes).await) })
    });
    for writer in join_all(writers).await {
        let (number, result) = writer.map_err(|e| e.to_string())?;
        let name = format!("{number:03}");
        let kept = stores.two.order(&order_ref(&name)).await.map_err(failed)?;
        let events = stores.two.events(&order_ref(&name)).await.map_err(failed)?.len();
        let lines = stores.two.history(&order_ref(&name)).await.map_err(failed)?.len();
        if number % 8 == 0 {
            ensure!(matches!(result, Err(StoreError::Conflict)), "{name} must conflict, and gave {result:?}");
            ensure!(
                kept.is_none() && events == 0 && lines == 0,
                "{name} conflicted and left something behind"
            );
        } else {
            result.map_err(|e| format!("{name} conflicts with nobody, and failed: {e}"))?;
            ensure_eq!(kept.map(|order| order.payments.len()), Some(1), "the payments of {name}");
            ensure_eq!((events, lines), (1, 1), "events and history of {name}");
        }
    }
    let inbox = stores.one.inbox(10).await.map_err(failed)?;
    ensure_eq!(
        inbox.iter().map(|(_, times)| *times).collect::<Vec<_>>(),
        [84],
        "how often one delivery came"
    );
    Ok(())
}

async fn many_changes_at_once_are_each_as_decided(stores: Stores) -> Found {
    const ALL: usize = 48;
    let first = |number: usize| {
        let name = format!("{number:03}");
        let mut changes = Changes {
            operations: vec![operation(&name, &name)],
            keys: vec![key(&name)],
            cards: vec![card(&name, &name, 7)],
            events: vec![event(&format!("{name}-b"), &name), event(&format!("{name}-a"), &name)],
            history: vec![history(&name, "z"), history(&name, "y"), history(&name, "x")],
            attention: vec![attention(&name, &format!("{name}-c"))],
            inbox: vec![delivery(&name, &name, "meaning", Verdict::Accepted)],
            ..opened(&name)
        };
        changes.attention[0].1.order = Some(order_ref(&name));
        changes
    };
    let decided = |number: usize| {
        let name = format!("{number:03}");
        let (mut order, mut payment, mut operation) =
            (order(&name), payment(&name, &name), operation(&name, &name));
        order.paid_by = Some(payment.id.clone());
        (payment.status, payment.paid_at, payment.ask_at) = (Status::Paid, Some(at(9)), None);
        (operation.state, operation.lease_until) = (OperationState::Succeeded, None);
        // Every sixth was decided on a version that never was.
        let version = if number.is_multiple_of(6) { 5 } else { 1 };
        (order.version, payment.version, operation.version) = (1, version, 1);
        Changes {
            orders: vec![order],
            payments: vec![payment],
            operations: vec![operation],
            resolved: vec![(name.clone(), at(9))],
            history: vec![history(&name, "w")],
            ..Changes::default()
        }
    };
    for round in 0..2 {
        let commits = (0..ALL).map(|number| {
            let store = if number % 3 == 0 { stores.two.clone() } else { stores.one.clone() };
            let changes = if round == 0 { first(number) } else { decided(number) };
            tokio::spawn(async move { store.commit(changes).await })
        });
        for (number, result) in join_all(commits).await.into_iter().enumerate() {
            let result = result.map_err(|e| e.to_string())?;
            if round == 1 && number.is_multiple_of(6) {
                ensure!(
                    matches!(result, Err(StoreError::Conflict)),
                    "{number} must conflict, and gave {result:?}"
                );
            } else {
                result.map_err(|e| format!("{number} conflicts with nobody, and failed: {e}"))?;
            }
        }
    }
    for number in 0..ALL {
        let (name, moved) = (format!("{number:03}"), !number.is_multiple_of(6));
        let wanted = if moved { decided(number) } else { first(number) };
        let found =
            stores.two.order(&order_ref(&name)).await.map_err(failed)?.ok_or("an order is missing")?;
        let (mut one, mut other) = (wanted.orders[0].clone(), wanted.payments[0].clone());
        (one.version, other.version) = (one.version + 1, other.version + 1);
        ensure_eq!((found.record, found.payments), (one, vec![other]), "order and payment {name}");
        let mut one = wanted.operations[0].clone();
        one.version += 1;
        let found = stores.two.operations(&payment_id(&name)).await.map_err(failed)?;
        ensure_eq!(found, vec![one], "operation {name}");
        ensure_eq!(stores.two.key(&key(&name).key).await.map_err(failed)?, Some(key(&name)), "key {name}");
        let found = stores.two.card(&card(&name, &name, 7).card.id).await.map_err(failed)?;
        ensure_eq!(found, Some(card(&name, &name, 7)), "card {name}");
        let found = stores.two.events(&order_ref(&name)).await.map_err(failed)?;
        let found: Vec<&str> = found.iter().map(|event| event.id.as_str()).collect();
        let events = [format!("event-{name}-b"), format!("event-{name}-a"), format!("event-{name}-c")];
        ensure_eq!(found, events, "events of {name}");
        let found = stores.two.history(&order_ref(&name)).await.map_err(failed)?;
        let found: String = found.iter().map(|line| line.what.as_str()).collect();
        ensure_eq!(found, if moved { "zyxw" } else { "zyx" }, "history of {name}");
        let found = stores.two.inbox_entry(&format!("delivery-{name}")).await.map_err(failed)?;
        ensure_eq!(found, Some((delivery(&name, &name, "meaning", Verdict::Accepted), 1)), "delivery {name}");
        let listed = stores.two.attention().await.map_err(failed)?.iter().any(|item| item.key == name);
        ensure_eq!(listed, !moved, "whether item {name} is still listed");
    }
    Ok(())
}

async fn commits_at_once_about_one_thing_follow_each_other(stores: Stores) -> Found {
    const TASKS: u32 = 8;
    const STEPS: u32 = 5;
    stores.one.commit(opened("1")).await.map_err(failed)?;
    let tasks = (0..TASKS).map(|number| {
        let store = if number % 2 == 0 { stores.one.clone() } else { stores.two.clone() };
        tokio::spawn(async move {
            for _ in 0..STEPS {
                loop {
                    let mut record = store
                        .payment(Find::Id(&payment_id("1")))
                        .await
                        .map_err(failed)?
                        .ok_or_else(|| "it is missing".to_owned())?;
                    record.asked += 1;
                    match store.commit(Changes { payments: vec![record], ..Changes::default() }).await {
                        Ok(()) => break,
                        Err(StoreError::Conflict) => tokio::task::yield_now().await,
                        Err(error) => return Err(failed(error)),
                    }
                }
            }
            Ok(())
        })
    });
    for task in join_all(tasks).await {
        task.map_err(|e| e.to_string())??;
    }
    let kept =
        stores.one.payment(Find::Id(&payment_id("1"))).await.map_err(failed)?.ok_or("it is missing")?;
    ensure_eq!(kept.asked, TASKS * STEPS, "the steps that were counted");
    ensure_eq!(kept.version, i64::from(TASKS * STEPS) + 1, "its version");
    Ok(())
}

async fn a_caller_who_goes_away_breaks_nothing(stores: Stores) -> Found {
    for number in 0..20_u64 {
        let name = format!("{number:02}");
        let changes = Changes { events: vec![event(&name, &name)], ..opened(&name) };
        let wait = Duration::from_micros(number * 200);
        drop(tokio::time::timeout(wait, stores.one.commit(changes)).await);
    }
    // Whoever comes after finds the store working.
    stores.one.commit(opened("after")).await.map_err(failed)?;
    for number in 0..20 {
        let name = order_ref(&format!("{number:02}"));
        let begun = Instant::now();
        loop {
            let payments = stores.two.order(&name).await.map_err(failed)?.map(|order| order.payments.len());
            let events = stores.two.events(&name).await.map_err(failed)?.len();
            if matches!((payments, events), (None, 0) | (Some(1), 1)) {
                break;
            }
            // A commit whose caller has gone may still come to its end, between the two questions too.
            ensure!(
                begun.elapsed() < Duration::from_secs(10),
                "order {name} is there in part: {payments:?} payments, {events} events"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

async fn odd_texts_stay_as_they_are(stores: Stores) -> Found {
    let odd = "O'Hara \"x\" \\ %_ $1 ? төлбөр 支払 🧾 \u{7f} \u{1} \u{0} end";
    let mut changes = opened("1");
    odd.clone_into(&mut changes.payments[0].description);
    changes.payments[0].text = Some(odd.into());
    let mut entry = delivery("1", odd, "meaning", Verdict::Refused);
    odd.clone_into(&mut entry.note);
    changes.inbox.push(entry.clone());
    changes.history.push(history("1", odd));
    stores.one.commit(changes.clone()).await.map_err(failed)?;
    entry.id = "delivery-2".into();
    stores.one.commit(Changes { inbox: vec![entry], ..Changes::default() }).await.map_err(failed)?;
    let found =
        stores.two.payment(Find::Id(&payment_id("1"))).await.map_err(failed)?.ok_or("it is missing")?;
    ensure_eq!(
        (&*found.description, found.text.as_deref()),
        (odd, Some(&*FreeText::from(odd))),
        "the payment's texts"
    );
    ensure_eq!(found.amount(), Some(amount()), "the amount");
    ensure_eq!(stores.two.history(&order_ref("1")).await.map_err(failed)?, changes.history, "the history");
    // A store may have to replace what its database cannot hold, in the columns of a delivery only.
    let inbox = stores.two.inbox(10).await.map_err(failed)?;
    ensure_eq!(inbox.iter().map(|(_, times)| *times).collect::<Vec<_>>(), [2], "the delivery and its repeat");
    ensure!(
        inbox[0].0.note.starts_with("O'Hara \"x\" \\ %_ $1 ? төлбөр 支払 🧾"),
        "the note is {:?}",
        inbox[0].0.note
    );
    Ok(())
}
