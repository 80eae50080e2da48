//! Checks of due work: payments and operations are taken under leases, by one process at a time.

use std::collections::HashSet;

use futures_util::future::join_all;
use tulbur_core::OperationState;

use super::check::{Found, Stores, ensure, ensure_eq, failed, named_checks};
use super::samples::{account, at, event, opened, operation, operation_ref, order_ref, payment, payment_id};
use crate::model::record::{PaymentId, Status};
use crate::store::{Changes, Find, HandlerSpec, LongestWaits, Unread, UnreadSince};

named_checks! {
    due_payments_are_taken_soonest_first: "only what is due is taken, the soonest first, no more than asked for, and is leased",
    due_payments_are_taken_once: "many takers in two processes take each due payment once",
    a_lease_ends: "what a dead process took comes again when its lease is over, and not before",
    a_lease_is_no_change: "a decision made before a lease can still be committed, and says when to ask next",
    a_payment_is_put_off_unless_it_changed: "when a payment is asked about can be moved, unless it was changed since, or is asked about no more",
    what_cannot_be_read_is_put_off: "what is due and cannot be read is put off, and it is known since when, until it is written anew",
    due_operations_are_taken_once: "many takers in two processes take each due operation once, and again after the lease",
    every_open_payment_is_made_due: "every open payment whose write is done is due at once, and nothing else",
    what_lies_too_far_ahead_is_moved: "leases and due times beyond their longest wait are moved to it, others stay, and no version changes",
    next_due_is_the_soonest_of_all: "the soonest of payments and operations, and of the leases of what is taken",
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

async fn what_cannot_be_read_is_put_off(stores: Stores) -> Found {
    let (one, two) = (&stores.one, &stores.two);
    let mut changes = opened("1");
    changes.operations = vec![operation("a", "1")];
    one.commit(changes).await.map_err(failed)?;
    let (id, reference) = (payment_id("1"), operation_ref("a"));
    for (unread, what) in [(Unread::Payment(&id), "payment"), (Unread::Operation(&reference), "operation")] {
        for (now, until) in [(10, 30), (30, 50)] {
            let since = one.put_off_unread(unread, at(now), at(until)).await.map_err(failed)?;
            let expected = UnreadSince {
                since: at(10),
                payment: id.clone(),
                account: account("bank"),
                order: Some(order_ref("1")),
            };
            ensure_eq!(since, Some(expected), "what is known of the {what}");
        }
    }
    ensure!(
        two.take_due(at(49), at(99), 10).await.map_err(failed)?.is_empty(),
        "the payment comes too early"
    );
    ensure!(two.take_operations(at(49), at(99), 10).await.map_err(failed)?.is_empty(), "the operation does");
    ensure_eq!(two.take_due(at(50), at(99), 10).await.map_err(failed)?.len(), 1, "payments that come again");
    let mut payment = two.payment(Find::Id(&id)).await.map_err(failed)?.ok_or("the payment is missing")?;
    ensure_eq!(payment.version(), 1, "its version");
    payment.ask_at = Some(at(60));
    one.commit(Changes { payments: vec![payment.clone()], ..Changes::default() }).await.map_err(failed)?;
    let since = one.put_off_unread(Unread::Payment(&id), at(60), at(70)).await.map_err(failed)?;
    ensure_eq!(since.map(|unread| unread.since), Some(at(60)), "since when, after it was written anew");
    payment.ask_at = None;
    let payment = payment.at_version(2);
    one.commit(Changes { payments: vec![payment], ..Changes::default() }).await.map_err(failed)?;
    let none = one.put_off_unread(Unread::Payment(&id), at(60), at(70)).await.map_err(failed)?;
    ensure_eq!(none, None, "of what is not due any more");
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
                if let Some(one) = some.first() {
                    let record = store.operation(one).await.map_err(failed)?;
                    let lease = record.and_then(|record| record.lease_until);
                    ensure_eq!(lease, Some(at(60)), "the lease of what is taken");
                }
                taken.extend(some);
                tokio::task::yield_now().await;
            }
            Ok(taken)
        })
    });
    let mut taken = Vec::new();
    for taker in join_all(takers).await {
        taken.extend(taker.map_err(|e| e.to_string())??);
    }
    taken.extend(stores.one.take_operations(at(10), at(60), 1000).await.map_err(failed)?);
    let different: HashSet<_> = taken.iter().collect();
    ensure_eq!((taken.len(), different.len()), (ALL, ALL), "operations that were taken, and different ones");
    let again = stores.two.take_operations(at(60), at(200), 1000).await.map_err(failed)?;
    ensure_eq!(again.len(), ALL, "operations to be taken over after the lease");
    Ok(())
}

async fn every_open_payment_is_made_due(stores: Stores) -> Found {
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
    stores.two.make_all_due(at(20)).await.map_err(failed)?;
    let due = stores.one.take_due(at(20), at(60), 100).await.map_err(failed)?;
    ensure!(due.contains(&payment_id("leased")), "what somebody else has taken is not due after a start");
    for (name, _, _, _, wanted) in cases {
        let found = due.contains(&payment_id(name));
        ensure_eq!(found, wanted, "whether `{name}` is due");
    }
    Ok(())
}

async fn what_lies_too_far_ahead_is_moved(stores: Stores) -> Found {
    let seconds = std::time::Duration::from_secs;
    let longest = LongestWaits {
        write: seconds(120),
        work: seconds(60),
        question: seconds(300),
        held: seconds(3600),
        late: seconds(86_400),
        delivery: seconds(512),
    };
    // The clock was far ahead, and everything was written as if it were right; now it is the hundredth second.
    let now = at(100);
    let cases = [
        ("reserved", Status::Pending, OperationState::Reserved, 120),
        ("submitted", Status::Pending, OperationState::Submitted, 120),
        ("pending", Status::Pending, OperationState::Succeeded, 300),
        ("unknown", Status::Pending, OperationState::Unknown, 300),
        ("held", Status::Authorized, OperationState::Succeeded, 3600),
        ("paid", Status::Paid, OperationState::Succeeded, 300),
        ("expired", Status::Expired, OperationState::Succeeded, 86_400),
        ("declined", Status::Declined, OperationState::Refused, 86_400),
    ];
    let mut changes = Changes::default();
    for (name, status, operation, wait) in cases {
        for (kind, ask_at) in [("far", 1_000_000), ("legal", 100 + wait), ("none", 0)] {
            let mut one = opened(&format!("{kind}-{name}"));
            let written =
                kind == "far" && matches!(operation, OperationState::Reserved | OperationState::Submitted);
            one.payments[0].lease_until = written.then(|| at(1_000_000));
            (one.payments[0].status, one.payments[0].operation) = (status, operation);
            one.payments[0].ask_at = (ask_at > 0).then(|| at(ask_at));
            changes.orders.extend(one.orders);
            changes.payments.extend(one.payments);
        }
    }
    for (name, state, until) in [
        ("far-reserved", OperationState::Reserved, 1_000_000),
        ("far-unknown", OperationState::Unknown, 1_000_000),
        ("legal-reserved", OperationState::Reserved, 220),
        ("legal-unknown", OperationState::Unknown, 400),
    ] {
        let mut one = operation(name, "far-paid");
        (one.state, one.lease_until, one.write_ends) = (state, Some(at(until)), None);
        if name == "far-reserved" {
            one.write_ends = Some(at(1_000_000));
        }
        changes.operations.push(one);
    }
    let mut told = event("far", "far-paid");
    told.at = at(1_000_000);
    changes.events.push(told);
    stores.one.register_handlers(&[HandlerSpec::new("ship", true)], at(0)).await.map_err(failed)?;
    stores.one.commit(changes).await.map_err(failed)?;
    let mut leased = opened("leased");
    leased.payments[0].ask_at = Some(at(100));
    stores.one.commit(leased).await.map_err(failed)?;
    let taken = stores.one.take_due(at(100), at(1_000_000), 10).await.map_err(failed)?;
    ensure_eq!(names(&taken), ["payment-leased"], "what is due");

    let moved = stores.two.clamp_times(now, &longest).await.map_err(failed)?;
    ensure_eq!(moved, 8 + 2 + 2 + 1 + 1 + 1, "how many lay too far ahead");
    for (name, _, _, wait) in cases {
        for (kind, wanted) in [("far", Some(at(100 + wait))), ("legal", Some(at(100 + wait))), ("none", None)]
        {
            let id = payment_id(&format!("{kind}-{name}"));
            let found = stores.one.payment(Find::Id(&id)).await.map_err(failed)?.ok_or("it is missing")?;
            ensure_eq!(
                (found.ask_at, found.version),
                (wanted, 1),
                "when `{kind}-{name}` is asked about, and its version"
            );
            ensure!(found.lease_until.is_none_or(|until| until == at(220)), "the lease of `{kind}-{name}`");
        }
    }
    for (name, wanted) in
        [("far-reserved", 220), ("far-unknown", 400), ("legal-reserved", 220), ("legal-unknown", 400)]
    {
        let reference = super::samples::operation_ref(name);
        let found = stores.one.operation(&reference).await.map_err(failed)?.ok_or("it is missing")?;
        ensure_eq!((found.lease_until, found.version), (Some(at(wanted)), 1), "the lease of `{name}`");
        let wanted = (name == "far-reserved").then(|| at(220));
        ensure_eq!(found.write_ends, wanted, "the lease of the write `{name}`");
    }
    let early = stores.two.take_due(at(159), at(1_000_000), 10).await.map_err(failed)?;
    ensure!(early.is_empty(), "it was taken from the process that has it");
    let later = stores.two.take_due(at(160), at(1_000_000), 10).await.map_err(failed)?;
    ensure_eq!(names(&later), ["payment-leased"], "what is due once its lease is over");
    let ship = [("ship".to_owned(), 10)];
    let told =
        stores.two.claim_deliveries(&ship, "two", at(100 + 512), at(1_000_000)).await.map_err(failed)?;
    ensure_eq!(told.len(), 1, "deliveries that are due");
    let again = stores.two.clamp_times(at(100), &longest).await.map_err(failed)?;
    ensure_eq!(again, 2, "what lies too far ahead again: what was taken until then");
    ensure_eq!(stores.two.clamp_times(at(100), &longest).await.map_err(failed)?, 0, "and then nothing");
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
    stores.one.take_due(at(10), at(70), 10).await.map_err(failed)?;
    ensure_eq!(next().await.map_err(failed)?, Some(at(70)), "once that one was taken, until then");
    let taken = stores
        .two
        .payment(Find::Id(&payment_id("3")))
        .await
        .map_err(failed)?
        .ok_or("payment 3 is missing")?;
    stores.one.put_off(&taken, at(95)).await.map_err(failed)?;
    ensure_eq!(next().await.map_err(failed)?, Some(at(90)), "once that one was put off");
    let mut refund = operation("1", "1");
    refund.lease_until = Some(at(80));
    stores.one.commit(Changes { operations: vec![refund], ..Changes::default() }).await.map_err(failed)?;
    ensure_eq!(next().await.map_err(failed)?, Some(at(80)), "with an operation");
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
