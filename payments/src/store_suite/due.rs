//! What is due: taken under leases, by one at a time.

use std::collections::HashSet;

use futures_util::future::join_all;
use tulbur_core::OperationState;

use super::samples::{account, at, event, opened, operation, payment, payment_id};
use super::{Found, Stores, ensure, ensure_eq, failed, named_checks};
use crate::record::{PaymentId, Status};
use crate::store::{Changes, Find};

named_checks! {
    due_payments_are_taken_soonest_first: "only what is due is taken, the soonest first, no more than asked for, and is leased",
    due_payments_are_taken_once: "many takers in two processes take each due payment once",
    a_lease_ends: "what a dead process took comes again when its lease is over, and not before",
    a_lease_is_no_change: "a decision made before a lease can still be committed, and says when to ask next",
    a_payment_is_put_off_unless_it_changed: "when a payment is asked about can be moved, unless it was changed since, or is asked about no more",
    due_operations_are_taken_once: "many takers in two processes take each due operation once, and again after the lease",
    hurry_makes_open_payments_due: "every open payment whose write is done is due at once, and nothing else",
    next_due_is_the_soonest_of_all: "the soonest of payments, operations and events",
    watched_accounts_are_those_still_asked_about: "accounts with payments or operations that are still watched",
}

async fn due_payments_are_taken_soonest_first(stores: Stores) -> Found {
    for (name, ask_at) in
        [("d", Some(40)), ("a", Some(10)), ("c", Some(30)), ("b", Some(20)), ("e", Some(99)), ("f", None)]
    {
        let mut changes = opened(name);
        changes.payments[0].ask_at = ask_at.map(at);
        stores.one.commit(changes).await.map_err(failed)?;
    }
    let (now, lease) = (at(40), at(100));
    let first = stores.one.take_due(now, lease, 2).await.map_err(failed)?;
    ensure_eq!(names(&first), ["payment-a", "payment-b"], "the two soonest");
    let second = stores.two.take_due(now, lease, 10).await.map_err(failed)?;
    ensure_eq!(names(&second), ["payment-c", "payment-d"], "the others that are due");
    let third = stores.one.take_due(now, lease, 10).await.map_err(failed)?;
    ensure_eq!(names(&third), [""; 0], "nothing is due any more");
    Ok(())
}

fn names(taken: &[PaymentId]) -> Vec<&str> {
    let mut names: Vec<&str> = taken.iter().map(PaymentId::as_str).collect();
    names.sort_unstable();
    names
}

async fn due_payments_are_taken_once(stores: Stores) -> Found {
    const ALL: usize = 120;
    let mut changes = Changes::default();
    for number in 0..ALL {
        let one = opened(&format!("{number:03}"));
        changes.orders.extend(one.orders);
        changes.payments.extend(one.payments);
    }
    stores.one.commit(changes).await.map_err(failed)?;
    let takers = (0..8).map(|number| {
        let store = if number % 2 == 0 { stores.one.clone() } else { stores.two.clone() };
        tokio::spawn(async move {
            let (mut taken, mut empty) = (Vec::new(), 0);
            // A taker that finds nothing may have found all of it locked by others.
            while empty < 5 && taken.len() <= ALL {
                let some = store.take_due(at(50), at(100), 7).await.map_err(failed)?;
                empty = if some.is_empty() { empty + 1 } else { 0 };
                taken.extend(some);
                tokio::task::yield_now().await;
            }
            Ok::<_, String>(taken)
        })
    });
    let mut taken = Vec::new();
    for taker in join_all(takers).await {
        taken.extend(taker.map_err(|e| e.to_string())??);
    }
    taken.extend(stores.one.take_due(at(50), at(100), 1000).await.map_err(failed)?);
    let different: HashSet<_> = taken.iter().collect();
    ensure_eq!(different.len(), ALL, "different payments that were taken");
    ensure_eq!(taken.len(), ALL, "payments that were taken, each once");
    Ok(())
}

async fn a_lease_ends(stores: Stores) -> Found {
    stores.one.commit(opened("1")).await.map_err(failed)?;
    let taken = stores.one.take_due(at(10), at(60), 10).await.map_err(failed)?;
    ensure_eq!(taken.len(), 1, "due payments");
    let early = stores.two.take_due(at(59), at(120), 10).await.map_err(failed)?;
    ensure!(early.is_empty(), "it was taken from the process that has it");
    let later = stores.two.take_due(at(60), at(120), 10).await.map_err(failed)?;
    ensure_eq!(later.len(), 1, "payments to be taken over after the lease");
    Ok(())
}

async fn a_lease_is_no_change(stores: Stores) -> Found {
    stores.one.commit(opened("1")).await.map_err(failed)?;
    let read =
        stores.one.payment(Find::Id(&payment_id("1"))).await.map_err(failed)?.ok_or("it is missing")?;
    let taken = stores.two.take_due(at(10), at(60), 10).await.map_err(failed)?;
    ensure_eq!(names(&taken), ["payment-1"], "what is due");
    let leased =
        stores.two.payment(Find::Id(&payment_id("1"))).await.map_err(failed)?.ok_or("it is missing")?;
    ensure_eq!(leased, read, "a payment that was taken");
    let mut decided = read;
    decided.ask_at = Some(at(500));
    let commit = Changes { payments: vec![decided], ..Changes::default() };
    stores.one.commit(commit).await.map_err(|e| format!("a lease stands in the way of a decision: {e}"))?;
    let kept =
        stores.two.payment(Find::Id(&payment_id("1"))).await.map_err(failed)?.ok_or("it is missing")?;
    ensure_eq!(kept.ask_at, Some(at(500)), "when it is asked about next");
    let due = stores.two.take_due(at(60), at(120), 10).await.map_err(failed)?;
    ensure!(due.is_empty(), "it is due although the decision moved it");
    // A lease is for the time at which it was due, and for no other.
    let mut decided = kept;
    decided.ask_at = Some(at(20));
    let commit = Changes { payments: vec![decided], ..Changes::default() };
    stores.one.commit(commit).await.map_err(failed)?;
    let due = stores.two.take_due(at(20), at(90), 10).await.map_err(failed)?;
    ensure_eq!(names(&due), ["payment-1"], "what a decision made due while it was leased");
    let again = stores.one.take_due(at(30), at(90), 10).await.map_err(failed)?;
    ensure!(again.is_empty(), "it was taken from the process that has it");
    Ok(())
}

async fn a_payment_is_put_off_unless_it_changed(stores: Stores) -> Found {
    let read = async || {
        let found = stores.two.payment(Find::Id(&payment_id("1"))).await.map_err(failed)?;
        found.ok_or_else(|| "it is missing".to_owned())
    };
    stores.one.commit(opened("1")).await.map_err(failed)?;
    let before = read().await?;
    stores.one.put_off(&before, at(300)).await.map_err(failed)?;
    let moved = read().await?;
    ensure_eq!(
        (moved.ask_at, moved.version),
        (Some(at(300)), before.version),
        "when it is asked about, and its version"
    );
    let mut changed = moved.clone();
    changed.ask_at = Some(at(20));
    stores.one.commit(Changes { payments: vec![changed], ..Changes::default() }).await.map_err(failed)?;
    stores.one.put_off(&moved, at(500)).await.map_err(failed)?;
    let mut kept = read().await?;
    ensure_eq!(kept.ask_at, Some(at(20)), "when it is asked about after somebody changed it");
    kept.ask_at = None;
    stores.one.commit(Changes { payments: vec![kept], ..Changes::default() }).await.map_err(failed)?;
    stores.one.put_off(&read().await?, at(600)).await.map_err(failed)?;
    ensure_eq!(read().await?.ask_at, None, "when a payment is asked about that is asked about no more");
    Ok(())
}

async fn due_operations_are_taken_once(stores: Stores) -> Found {
    const ALL: usize = 60;
    let mut changes = opened("1");
    for number in 0..ALL {
        changes.operations.push(operation(&format!("{number:03}"), "1"));
    }
    let mut later = operation("later", "1");
    later.lease_until = Some(at(99));
    let mut answered = operation("answered", "1");
    answered.lease_until = None;
    changes.operations.extend([later, answered]);
    stores.one.commit(changes).await.map_err(failed)?;
    let takers = (0..6).map(|number| {
        let store = if number % 2 == 0 { stores.one.clone() } else { stores.two.clone() };
        tokio::spawn(async move {
            let (mut taken, mut empty) = (Vec::new(), 0);
            while empty < 5 && taken.len() <= ALL {
                let some = store.take_operations(at(10), at(60), 7).await.map_err(failed)?;
                empty = if some.is_empty() { empty + 1 } else { 0 };
                if let Some(odd) = some.iter().find(|one| one.lease_until != Some(at(60))) {
                    return Err(format!("what is taken says its lease: {odd:?}"));
                }
                taken.extend(some.into_iter().map(|one| one.operation_ref));
                tokio::task::yield_now().await;
            }
            Ok(taken)
        })
    });
    let mut taken = Vec::new();
    for taker in join_all(takers).await {
        taken.extend(taker.map_err(|e| e.to_string())??);
    }
    taken.extend(
        stores
            .one
            .take_operations(at(10), at(60), 1000)
            .await
            .map_err(failed)?
            .into_iter()
            .map(|o| o.operation_ref),
    );
    let different: HashSet<_> = taken.iter().collect();
    ensure_eq!((taken.len(), different.len()), (ALL, ALL), "operations that were taken, and different ones");
    let again = stores.two.take_operations(at(60), at(200), 1000).await.map_err(failed)?;
    ensure_eq!(again.len(), ALL, "operations to be taken over after the lease");
    Ok(())
}

async fn hurry_makes_open_payments_due(stores: Stores) -> Found {
    let cases = [
        ("open", OperationState::Succeeded, Status::Pending, Some(at(500)), true),
        ("held", OperationState::Succeeded, Status::Authorized, Some(at(500)), true),
        ("unknown", OperationState::Unknown, Status::Pending, Some(at(500)), true),
        ("under-way", OperationState::Submitted, Status::Pending, Some(at(500)), false),
        ("reserved", OperationState::Reserved, Status::Pending, Some(at(500)), false),
        ("ended", OperationState::Succeeded, Status::Expired, Some(at(500)), false),
        ("done", OperationState::Succeeded, Status::Paid, None, false),
        ("nothing-to-ask", OperationState::Succeeded, Status::Pending, None, false),
    ];
    for (name, operation, status, ask_at, _) in cases {
        let mut changes = opened(name);
        let record = &mut changes.payments[0];
        (record.operation, record.status, record.ask_at) = (operation, status, ask_at);
        record.reference.provider_ref = None;
        stores.one.commit(changes).await.map_err(failed)?;
    }
    // What a process had taken that died with it is due at once too.
    let mut changes = opened("leased");
    changes.payments[0].ask_at = Some(at(5));
    stores.one.commit(changes).await.map_err(failed)?;
    let leased = stores.one.take_due(at(5), at(5000), 10).await.map_err(failed)?;
    ensure_eq!(names(&leased), ["payment-leased"], "what is due before");
    stores.two.hurry(at(20)).await.map_err(failed)?;
    let due = stores.one.take_due(at(20), at(60), 100).await.map_err(failed)?;
    ensure!(due.contains(&payment_id("leased")), "what somebody else has taken is not due after a start");
    for (name, _, _, _, wanted) in cases {
        let found = due.contains(&payment_id(name));
        ensure_eq!(found, wanted, "whether `{name}` is due");
    }
    Ok(())
}

async fn next_due_is_the_soonest_of_all(stores: Stores) -> Found {
    let next = || stores.two.next_due();
    ensure_eq!(next().await.map_err(failed)?, None, "when nothing is stored");
    let mut changes = opened("1");
    changes.payments[0].ask_at = None;
    stores.one.commit(changes).await.map_err(failed)?;
    ensure_eq!(next().await.map_err(failed)?, None, "when nothing is watched");
    let mut record = payment("2", "1");
    record.ask_at = Some(at(90));
    stores.one.commit(Changes { payments: vec![record], ..Changes::default() }).await.map_err(failed)?;
    ensure_eq!(next().await.map_err(failed)?, Some(at(90)), "with a payment");
    let mut record = payment("3", "1");
    record.ask_at = Some(at(10));
    stores.one.commit(Changes { payments: vec![record], ..Changes::default() }).await.map_err(failed)?;
    ensure_eq!(next().await.map_err(failed)?, Some(at(10)), "with a payment that is due sooner");
    stores.one.take_due(at(10), at(5000), 10).await.map_err(failed)?;
    ensure_eq!(next().await.map_err(failed)?, Some(at(90)), "once that one was taken");
    let mut refund = operation("1", "1");
    refund.lease_until = Some(at(80));
    stores.one.commit(Changes { operations: vec![refund], ..Changes::default() }).await.map_err(failed)?;
    ensure_eq!(next().await.map_err(failed)?, Some(at(80)), "with an operation");
    let mut told = event("1", "1");
    told.at = at(70);
    stores.one.commit(Changes { events: vec![told], ..Changes::default() }).await.map_err(failed)?;
    ensure_eq!(next().await.map_err(failed)?, Some(at(70)), "with an event");
    stores.one.take_events(at(70), at(75), 1).await.map_err(failed)?;
    ensure_eq!(next().await.map_err(failed)?, Some(at(75)), "with a leased event");
    Ok(())
}

async fn watched_accounts_are_those_still_asked_about(stores: Stores) -> Found {
    let mut changes = Changes::default();
    for (name, account_name, ask_at) in [
        ("1", "bank", Some(at(10))),
        ("2", "finished", None),
        ("3", "refunding", None),
        ("4", "bank", Some(at(20))),
    ] {
        let mut one = opened(name);
        one.payments[0].account = account(account_name);
        one.payments[0].ask_at = ask_at;
        changes.orders.extend(one.orders);
        changes.payments.extend(one.payments);
    }
    let mut refund = operation("1", "3");
    refund.account = account("refunding");
    changes.operations.push(refund);
    stores.one.commit(changes).await.map_err(failed)?;
    let mut accounts = stores.two.watched_accounts().await.map_err(failed)?;
    accounts.sort();
    ensure_eq!(accounts, [account("bank"), account("refunding")], "watched accounts");
    Ok(())
}
