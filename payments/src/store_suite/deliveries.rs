//! Deliveries: for each handler by itself, in order per stream, by one at a time, until they are done.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::check::{Found, Stores, ensure, ensure_eq, failed, named_checks};
use super::samples::{at, event, opened, order_ref, payment_id};
use crate::model::event::Event;
use crate::store::{Changes, ClaimedDelivery, DeliveryState, HandlerSpec, Settle, Store, Wake};

named_checks! {
    events_of_an_order_come_one_by_one: "an event waits until the earlier ones of its order are settled, and holds up no other order and no other handler",
    a_delivery_comes_again: "a failed delivery comes again at its time, an abandoned one after its lease, and says how often it was tried, and since when",
    only_the_owner_settles: "who has lost a claim can neither settle, park nor renew it",
    a_renewed_claim_is_not_taken: "a claim that is renewed is nobody else's",
    a_released_claim_gives_its_attempt_back: "a delivery that was not called, or could not be read, was not tried",
    what_is_set_aside_alone_holds_up_nobody: "what nobody here can read stays first of its stream, or leaves it, as it is settled",
    a_parked_delivery_holds_up_nobody: "a parked delivery is listed, lets later ones go on, and can be brought back once, and only to its place",
    without_order_nothing_waits: "for a handler that keeps no order each delivery is due by itself",
    deliveries_say_how_events_stand: "each event of an order or card set-up, with how each handler stands",
    deliveries_are_claimed_once: "many takers in two processes claim each delivery once",
    deliveries_are_in_order_while_others_commit: "with commits and takers at once, no two events of an order are out at the same time, or out of order, and none is lost",
    the_next_delivery_is_the_soonest: "when the next delivery of some handlers is due, or a claim of theirs ends",
    commits_wake_other_processes: "where the store tells of commits, another process hears of a payment's, and of events without one",
}

async fn register(stores: &Stores, handlers: &[(&str, bool)]) -> Found {
    let specs: Vec<HandlerSpec> =
        handlers.iter().map(|(name, in_order)| HandlerSpec::new(*name, *in_order)).collect();
    stores.one.register_handlers(&specs, at(0)).await.map_err(failed)
}

async fn commit_events(stores: &Stores, events: Vec<Event>) -> Found {
    stores.one.commit(Changes { events, ..Changes::default() }).await.map_err(failed)
}

/// Claims up to so many deliveries of one handler, under a token that tells this claim from all others.
async fn claim(
    store: &Arc<dyn Store>,
    handler: &str,
    (now, lease): (i64, i64),
    most: u32,
) -> Result<Vec<ClaimedDelivery>, String> {
    let owner = format!("{handler}/{now}/{lease}/{most}");
    let wanted = [(handler.to_owned(), most)];
    store.claim_deliveries(&wanted, &owner, at(now), at(lease)).await.map_err(failed)
}

fn names(claimed: &[ClaimedDelivery]) -> Vec<&str> {
    claimed.iter().map(|one| one.claim.event.as_str()).collect()
}

async fn settle(
    store: &Arc<dyn Store>,
    claimed: &ClaimedDelivery,
    settle: Settle,
    now: i64,
) -> Result<bool, String> {
    store.settle_delivery(&claimed.claim, settle, at(now)).await.map_err(failed)
}

async fn events_of_an_order_come_one_by_one(stores: Stores) -> Found {
    let (one, two) = (&stores.one, &stores.two);
    register(&stores, &[("ship", true), ("mail", true)]).await?;
    let of_setup = |name: &str| Event { order: None, ..event(name, "x") };
    let of_nothing = |name: &str| Event { order: None, payment: None, ..event(name, "x") };
    let events = vec![
        event("a1", "a"),
        event("a2", "a"),
        event("b1", "b"),
        of_setup("setup-1"),
        of_setup("setup-2"),
        of_nothing("alert-1"),
        of_nothing("alert-2"),
    ];
    commit_events(&stores, events).await?;
    commit_events(&stores, vec![event("a3", "a")]).await?;
    let first = claim(one, "ship", (0, 60), 10).await?;
    let heads = ["event-a1", "event-b1", "event-setup-1", "event-alert-1", "event-alert-2"];
    ensure_eq!(names(&first), heads, "the first of each order, and what has none");
    ensure_eq!(names(&claim(two, "ship", (1, 60), 10).await?), [""; 0], "while they are being delivered");
    ensure_eq!(names(&claim(two, "mail", (1, 60), 10).await?), heads, "those of another handler");
    ensure!(settle(one, &first[0], Settle::Done, 2).await?, "what is claimed cannot be settled");
    ensure!(settle(one, &first[2], Settle::Again(at(30)), 2).await?, "what is claimed cannot be settled");
    let third = claim(two, "ship", (2, 60), 10).await?;
    ensure_eq!(
        names(&third),
        ["event-a2"],
        "after the first of one order is done, and of another has failed"
    );
    settle(two, &third[0], Settle::Done, 3).await?;
    let fourth = claim(one, "ship", (3, 60), 10).await?;
    ensure_eq!(names(&fourth), ["event-a3"], "the last of the order");
    settle(one, &fourth[0], Settle::Done, 4).await?;
    commit_events(&stores, vec![event("a4", "a")]).await?;
    ensure_eq!(names(&claim(two, "ship", (4, 60), 10).await?), ["event-a4"], "after all of it was done");
    let of_order = two.events(&order_ref("a")).await.map_err(failed)?;
    let of_order: Vec<&str> = of_order.iter().map(|event| event.id.as_str()).collect();
    let all = ["event-a1", "event-a2", "event-a3", "event-a4"];
    ensure_eq!(of_order, all, "all events of an order, delivered or not");
    Ok(())
}

async fn a_delivery_comes_again(stores: Stores) -> Found {
    let (one, two) = (&stores.one, &stores.two);
    register(&stores, &[("ship", true)]).await?;
    let late = Event { at: at(1000), ..event("late", "2") };
    commit_events(&stores, vec![event("1", "1"), late]).await?;
    for attempt in 0..3_i64 {
        let claimed = claim(one, "ship", (attempt * 100, attempt * 100 + 50), 10).await?;
        ensure_eq!(names(&claimed), ["event-1"], "attempt {attempt}");
        ensure_eq!(i64::from(claimed[0].attempts), attempt + 1, "how often it was claimed");
        ensure_eq!(claimed[0].first_at, at(0), "when it was claimed first");
        ensure_eq!(claimed[0].event, Ok(event("1", "1")), "what is delivered");
        if attempt == 0 {
            settle(one, &claimed[0], Settle::Again(at(100)), 1).await?;
            ensure!(claim(two, "ship", (99, 150), 10).await?.is_empty(), "it comes before its time");
        } else {
            let early = claim(two, "ship", (attempt * 100 + 49, 900), 10).await?;
            ensure!(early.is_empty(), "it was taken from the process that has it");
        }
    }
    let claimed = claim(two, "ship", (300, 350), 10).await?;
    settle(two, &claimed[0], Settle::Done, 301).await?;
    ensure!(claim(two, "ship", (900, 990), 10).await?.is_empty(), "what is done comes again");
    Ok(())
}

async fn only_the_owner_settles(stores: Stores) -> Found {
    let (one, two) = (&stores.one, &stores.two);
    register(&stores, &[("ship", true)]).await?;
    commit_events(&stores, vec![event("1", "1"), event("2", "1")]).await?;
    let paused = claim(one, "ship", (0, 60), 10).await?.remove(0);
    let owner = claim(two, "ship", (60, 120), 10).await?.remove(0);
    for ending in [
        Settle::Done,
        Settle::Again(at(60)),
        Settle::Parked,
        Settle::Released(at(60)),
        Settle::SetAside { until: at(60), alone: true },
    ] {
        ensure!(!settle(one, &paused, ending, 61).await?, "who lost the claim settles it as {ending:?}");
    }
    let renewed = one.renew_delivery(&paused.claim, at(61)).await.map_err(failed)?;
    ensure!(!renewed, "who lost the claim renews it");
    ensure!(claim(one, "ship", (119, 200), 10).await?.is_empty(), "it is not the other's any more");
    ensure!(one.parked_deliveries(10).await.map_err(failed)?.is_empty(), "it is parked");
    // At the same moment, as when the same process has claimed it again.
    let lost = settle(two, &paused, Settle::Done, 119);
    let (lost, done, again) =
        tokio::join!(lost, settle(two, &owner, Settle::Done, 119), settle(two, &owner, Settle::Done, 119));
    ensure!(done? != again?, "the owner cannot settle it, or settles it twice");
    ensure!(!lost?, "who lost the claim settles it together with its owner");
    ensure!(!settle(two, &owner, Settle::Done, 119).await?, "it is settled twice");
    ensure_eq!(names(&claim(one, "ship", (119, 200), 10).await?), ["event-2"], "the next");
    Ok(())
}

async fn a_renewed_claim_is_not_taken(stores: Stores) -> Found {
    let (one, two) = (&stores.one, &stores.two);
    register(&stores, &[("ship", true), ("mail", false)]).await?;
    commit_events(&stores, vec![event("1", "1")]).await?;
    let owner = claim(one, "ship", (0, 60), 10).await?.remove(0);
    for now in [50, 100, 150] {
        let renewed = one.renew_delivery(&owner.claim, at(now + 60)).await.map_err(failed)?;
        ensure!(renewed, "the owner cannot renew its claim");
        ensure!(claim(two, "ship", (now + 59, 999), 10).await?.is_empty(), "a renewed claim is taken");
    }
    ensure_eq!(names(&claim(two, "ship", (210, 300), 10).await?), ["event-1"], "once it is renewed no more");
    Ok(())
}

async fn a_released_claim_gives_its_attempt_back(stores: Stores) -> Found {
    let (one, two) = (&stores.one, &stores.two);
    register(&stores, &[("ship", true)]).await?;
    commit_events(&stores, vec![event("1", "1")]).await?;
    let first = claim(one, "ship", (0, 60), 10).await?.remove(0);
    settle(one, &first, Settle::Released(at(5)), 1).await?;
    ensure!(claim(two, "ship", (4, 60), 10).await?.is_empty(), "it comes before its time");
    let second = claim(two, "ship", (5, 60), 10).await?.remove(0);
    ensure_eq!((second.attempts, second.first_at), (1, at(5)), "what was released was not tried");
    settle(two, &second, Settle::Again(at(10)), 6).await?;
    let third = claim(two, "ship", (10, 60), 10).await?.remove(0);
    settle(two, &third, Settle::SetAside { until: at(20), alone: false }, 11).await?;
    let fourth = claim(two, "ship", (20, 60), 10).await?.remove(0);
    ensure_eq!((fourth.attempts, fourth.first_at), (2, at(5)), "what was tried before counts");
    ensure_eq!(fourth.aside_at, Some(at(11)), "when it was set aside");
    settle(two, &fourth, Settle::SetAside { until: at(30), alone: false }, 21).await?;
    let fifth = claim(two, "ship", (30, 60), 10).await?.remove(0);
    ensure_eq!(fifth.aside_at, Some(at(11)), "when it was first set aside");
    Ok(())
}

async fn what_is_set_aside_alone_holds_up_nobody(stores: Stores) -> Found {
    let (one, two) = (&stores.one, &stores.two);
    register(&stores, &[("ship", true)]).await?;
    commit_events(&stores, vec![event("1", "1"), event("2", "1")]).await?;
    let first = claim(one, "ship", (0, 60), 10).await?.remove(0);
    settle(one, &first, Settle::SetAside { until: at(10), alone: false }, 1).await?;
    ensure!(claim(two, "ship", (2, 60), 10).await?.is_empty(), "a later one goes before it");
    let first = claim(two, "ship", (10, 60), 10).await?.remove(0);
    settle(two, &first, Settle::SetAside { until: at(20), alone: true }, 11).await?;
    ensure_eq!(names(&claim(one, "ship", (12, 60), 10).await?), ["event-2"], "the one behind it");
    commit_events(&stores, vec![event("3", "1")]).await?;
    ensure_eq!(names(&claim(one, "ship", (20, 60), 10).await?), ["event-1"], "at its time, in nobody's way");
    Ok(())
}

async fn a_parked_delivery_holds_up_nobody(stores: Stores) -> Found {
    let (one, two) = (&stores.one, &stores.two);
    register(&stores, &[("mail", true), ("ship", true)]).await?;
    commit_events(&stores, vec![event("1", "1"), event("2", "1"), event("3", "1")]).await?;
    let first = claim(one, "ship", (0, 60), 10).await?.remove(0);
    let id = first.claim.event.clone();
    let unpark = async |now: i64| one.unpark_delivery("ship", &id, at(now)).await.map_err(failed);
    ensure!(!unpark(1).await?, "a delivery that is not parked is brought back");
    settle(one, &first, Settle::Parked, 5).await?;
    let parked = two.parked_deliveries(10).await.map_err(failed)?;
    let parked: Vec<_> = parked
        .iter()
        .map(|one| (one.handler.as_str(), one.event.read.clone(), one.attempts, one.first_at, one.parked_at))
        .collect();
    ensure_eq!(parked, [("ship", Ok(event("1", "1")), 1, at(0), at(5))], "what is parked");
    let second = claim(two, "ship", (100, 160), 10).await?;
    ensure_eq!(names(&second), ["event-2"], "the later event of the order");
    let other = one.unpark_delivery("mail", &id, at(100)).await.map_err(failed)?;
    ensure!(!other, "what another handler has not parked is brought back");
    ensure!(unpark(100).await?, "a parked delivery cannot be brought back");
    ensure!(!unpark(100).await?, "it is brought back twice");
    ensure!(one.parked_deliveries(10).await.map_err(failed)?.is_empty(), "it is still listed as parked");
    ensure!(claim(one, "ship", (101, 160), 10).await?.is_empty(), "two events of an order are out at once");
    settle(two, &second[0], Settle::Done, 102).await?;
    let again = claim(one, "ship", (102, 160), 10).await?;
    ensure_eq!(names(&again), ["event-1"], "what was brought back, before what is later");
    ensure_eq!((again[0].attempts, again[0].first_at), (1, at(102)), "its attempts are counted anew");
    settle(one, &again[0], Settle::Parked, 103).await?;
    // The next is due and nobody has it: it waits for what is brought back.
    ensure!(unpark(200).await?, "a parked delivery cannot be brought back again");
    ensure!(claim(one, "ship", (199, 260), 10).await?.is_empty(), "something comes before its turn");
    let again = claim(one, "ship", (200, 260), 10).await?;
    ensure_eq!(names(&again), ["event-1"], "what was brought back, at its time");
    settle(one, &again[0], Settle::Done, 201).await?;
    ensure_eq!(names(&claim(one, "ship", (201, 260), 10).await?), ["event-3"], "and then the last");
    Ok(())
}

async fn without_order_nothing_waits(stores: Stores) -> Found {
    let (one, two) = (&stores.one, &stores.two);
    register(&stores, &[("mail", false), ("ship", true)]).await?;
    commit_events(&stores, vec![event("1", "1"), event("2", "1")]).await?;
    commit_events(&stores, vec![event("3", "1")]).await?;
    let first = claim(one, "mail", (0, 60), 2).await?;
    ensure_eq!(names(&first), ["event-1", "event-2"], "no more than asked for");
    ensure_eq!(names(&claim(two, "mail", (1, 60), 10).await?), ["event-3"], "the rest");
    settle(one, &first[0], Settle::Again(at(30)), 2).await?;
    settle(one, &first[1], Settle::Parked, 2).await?;
    ensure_eq!(names(&claim(two, "mail", (30, 60), 10).await?), ["event-1"], "at its time");
    ensure_eq!(names(&claim(two, "ship", (30, 60), 10).await?), ["event-1"], "the other handler's first");
    Ok(())
}

async fn deliveries_say_how_events_stand(stores: Stores) -> Found {
    let (one, two) = (&stores.one, &stores.two);
    register(&stores, &[("mail", true), ("ship", true)]).await?;
    let of_setup = Event { order: None, ..event("setup", "x") };
    let events = vec![event("1", "1"), event("2", "1"), event("3", "1"), of_setup, event("5", "2")];
    commit_events(&stores, events).await?;
    for (number, ending) in (0..).zip([Settle::Done, Settle::Parked]) {
        let claimed = claim(one, "ship", (number, 60), 1).await?.remove(0);
        settle(one, &claimed, ending, number).await?;
    }
    claim(one, "ship", (2, 70), 10).await?;
    let found = two.deliveries(Some(&order_ref("1")), &payment_id("1")).await.map_err(failed)?;
    let found: Vec<_> = found
        .iter()
        .map(|one| {
            let handlers: Vec<_> = one
                .handlers
                .iter()
                .map(|part| (part.handler.as_str(), part.state, part.attempts, part.at))
                .collect();
            (one.event.id.as_str(), one.event.kind.as_str(), handlers)
        })
        .collect();
    let (due, waiting) =
        (("mail", DeliveryState::Due, 0, Some(at(0))), ("mail", DeliveryState::Waiting, 0, None));
    let wanted = [
        ("event-1", "canceled", vec![due, ("ship", DeliveryState::Done, 0, Some(at(0)))]),
        ("event-2", "canceled", vec![waiting, ("ship", DeliveryState::Parked, 1, Some(at(1)))]),
        ("event-3", "canceled", vec![waiting, ("ship", DeliveryState::Claimed, 1, Some(at(70)))]),
    ];
    ensure_eq!(found, wanted, "the deliveries of an order");
    let of_setup = two.deliveries(None, &payment_id("x")).await.map_err(failed)?;
    ensure_eq!(
        of_setup.iter().map(|one| (one.event.id.as_str(), one.handlers.len())).collect::<Vec<_>>(),
        [("event-setup", 2)],
        "the deliveries of a card set-up"
    );
    Ok(())
}

async fn deliveries_are_claimed_once(stores: Stores) -> Found {
    const ALL: usize = 120;
    register(&stores, &[("ship", true), ("mail", false)]).await?;
    let events = (0..ALL).map(|number| event(&format!("{number:03}"), &format!("order-{number}"))).collect();
    commit_events(&stores, events).await?;
    let takers = (0..8).map(|number| {
        let store = if number % 2 == 0 { stores.one.clone() } else { stores.two.clone() };
        tokio::spawn(async move {
            let (mut taken, mut empty) = (Vec::new(), 0);
            while empty < 5 && taken.len() <= 2 * ALL {
                let wanted = [("ship".to_owned(), 7), ("mail".to_owned(), 5)];
                let owner = format!("taker-{number}");
                let some = store.claim_deliveries(&wanted, &owner, at(0), at(60)).await.map_err(failed)?;
                ensure!(some.len() <= 12, "more is claimed than was asked for");
                empty = if some.is_empty() { empty + 1 } else { 0 };
                taken.extend(some.into_iter().map(|one| (one.claim.handler, one.claim.event)));
                tokio::task::yield_now().await;
            }
            Ok::<_, String>(taken)
        })
    });
    let mut taken = Vec::new();
    for taker in join_all(takers).await {
        taken.extend(taker.map_err(|e| e.to_string())??);
    }
    for handler in ["ship", "mail"] {
        let rest = claim(&stores.one, handler, (0, 60), 1000).await?;
        taken.extend(rest.into_iter().map(|one| (one.claim.handler, one.claim.event)));
    }
    let different: HashSet<_> = taken.iter().collect();
    ensure_eq!(
        (taken.len(), different.len()),
        (2 * ALL, 2 * ALL),
        "deliveries that were claimed, and different ones"
    );
    Ok(())
}

/// What takers see: which order's event is out, and the number of the last one that was delivered.
#[derive(Default)]
struct Seen {
    out: HashSet<String>,
    last: HashMap<String, u32>,
    delivered: usize,
}

async fn deliveries_are_in_order_while_others_commit(stores: Stores) -> Found {
    const ORDERS: usize = 3;
    const EACH: u32 = 15;
    register(&stores, &[("ship", true), ("mail", true)]).await?;
    let seen = Arc::new(Mutex::new(Seen::default()));
    // One writer per order and process: an order's numbers are given out in the order of its commits.
    let counters: Vec<Arc<tokio::sync::Mutex<u32>>> = (0..ORDERS).map(|_| Arc::default()).collect();
    let mut tasks = Vec::new();
    for number in 0..ORDERS * 2 {
        let store = if number % 2 == 0 { stores.one.clone() } else { stores.two.clone() };
        let (order, counter) = (number / 2, counters[number / 2].clone());
        tasks.push(tokio::spawn(async move {
            loop {
                let mut next = counter.lock().await;
                if *next == EACH {
                    return Ok(());
                }
                *next += 1;
                let told = event(&format!("{order}/{:03}", *next), &format!("order-{order}"));
                store.commit(Changes { events: vec![told], ..Changes::default() }).await.map_err(failed)?;
            }
        }));
    }
    for number in 0..4 {
        let store = if number % 2 == 0 { stores.one.clone() } else { stores.two.clone() };
        let seen = seen.clone();
        tasks.push(tokio::spawn(async move {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_mins(2) {
                let wanted = [("ship".to_owned(), 2), ("mail".to_owned(), 2)];
                let owner = format!("taker-{number}");
                let claimed =
                    store.claim_deliveries(&wanted, &owner, at(0), at(600)).await.map_err(failed)?;
                for one in &claimed {
                    let stream = format!("{} of {}", one.claim.stream, one.claim.handler);
                    let number =
                        one.claim.event.as_str().rsplit('/').next().and_then(|text| text.parse().ok());
                    let number: u32 = number.ok_or("an event has another id than it was given")?;
                    let mut seen = seen.lock().expect("no taker panics");
                    if !seen.out.insert(stream.clone()) {
                        return Err(format!("two events of {stream} are out at once"));
                    }
                    let last = seen.last.insert(stream.clone(), number).unwrap_or(0);
                    if number != last + 1 {
                        return Err(format!("after event {last} of {stream} comes {number}"));
                    }
                }
                tokio::task::yield_now().await;
                for one in &claimed {
                    let stream = format!("{} of {}", one.claim.stream, one.claim.handler);
                    // Before it is settled: as soon as it is, another may take the next one.
                    seen.lock().expect("no taker panics").out.remove(&stream);
                    let held =
                        store.settle_delivery(&one.claim, Settle::Done, at(0)).await.map_err(failed)?;
                    if !held {
                        return Err(format!("a claim of {stream} is lost"));
                    }
                }
                let delivered = {
                    let mut seen = seen.lock().expect("no taker panics");
                    seen.delivered += claimed.len();
                    seen.delivered
                };
                if delivered == 2 * ORDERS * EACH as usize {
                    return Ok(());
                }
                if claimed.is_empty() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            Err("the events do not come to an end".into())
        }));
    }
    for task in join_all(tasks).await {
        task.map_err(|e| e.to_string())??;
    }
    Ok(())
}

async fn the_next_delivery_is_the_soonest(stores: Stores) -> Found {
    let (one, two) = (&stores.one, &stores.two);
    register(&stores, &[("ship", true), ("mail", false)]).await?;
    let next = async |handlers: &[&str]| {
        let handlers: Vec<String> = handlers.iter().map(|name| (*name).to_owned()).collect();
        two.next_delivery(&handlers).await.map_err(failed)
    };
    ensure_eq!(next(&["ship", "mail"]).await?, None, "when nothing is stored");
    let told = |name: &str, seconds: i64| Event { at: at(seconds), ..event(name, "1") };
    commit_events(&stores, vec![told("1", 70), told("2", 60)]).await?;
    ensure_eq!(next(&["ship"]).await?, Some(at(70)), "of an order's first");
    ensure_eq!(next(&["ship", "mail"]).await?, Some(at(60)), "of two handlers");
    ensure_eq!(next(&["nobody"]).await?, None, "of a handler that is none");
    claim(one, "ship", (70, 500), 1).await?;
    ensure_eq!(next(&["ship"]).await?, Some(at(500)), "of what is claimed");
    Ok(())
}

async fn commits_wake_other_processes(stores: Stores) -> Found {
    let Some(mut wakes) = stores.two.wakes().await.map_err(failed)? else { return Ok(()) };
    stores.one.commit(opened("1")).await.map_err(failed)?;
    hears(&mut wakes, |wake| *wake == Wake::Payment(payment_id("1")) || *wake == Wake::Anything).await?;
    while wakes.try_recv().is_ok() {}
    commit_events(&stores, vec![event("1", "1")]).await?;
    hears(&mut wakes, |_| true).await?;
    // Who listens only now hears what comes now.
    let mut late = stores.one.wakes().await.map_err(failed)?.ok_or("it tells no longer of commits")?;
    stores.two.commit(opened("2")).await.map_err(failed)?;
    hears(&mut late, |wake| *wake == Wake::Payment(payment_id("2")) || *wake == Wake::Anything).await
}

async fn hears(wakes: &mut tokio::sync::mpsc::Receiver<Wake>, wanted: impl Fn(&Wake) -> bool) -> Found {
    let found = tokio::time::timeout(Duration::from_secs(15), async {
        while let Some(wake) = wakes.recv().await {
            if wanted(&wake) {
                return true;
            }
        }
        false
    });
    ensure!(found.await == Ok(true), "a commit of the other process was not told of within fifteen seconds");
    Ok(())
}
