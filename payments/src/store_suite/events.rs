//! The outbox: in order per stream, by one at a time, until it is done.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::samples::{at, event, opened, order_ref, payment_id};
use super::{Found, Stores, ensure, ensure_eq, failed, named_checks};
use crate::event::Event;
use crate::store::{Changes, ClaimedEvent, DeliveryState, Settle, Wake};

named_checks! {
    events_of_an_order_come_one_by_one: "an event waits until the earlier ones of its order are settled, and holds up no other order",
    an_event_comes_again: "a failed event comes again at its time, an abandoned one after its lease, and says how often and who is done",
    a_parked_event_holds_up_nobody: "a parked event is listed, lets later ones go on, and can be brought back once",
    a_late_event_holds_up_nobody: "an event that only handlers without order wait for comes again at its time, and later ones do not wait",
    deliveries_say_how_events_stand: "each event of an order or card set-up with its state, attempts, time and handlers",
    events_are_taken_once: "many takers in two processes take each event once",
    events_are_in_order_while_others_commit: "with commits and takers at once, no two events of an order are out at the same time, or out of order",
    commits_wake_other_processes: "where the store tells of commits, another process hears of a payment's, and of events without one",
}

async fn commit_events(stores: &Stores, events: Vec<Event>) -> Found {
    stores.one.commit(Changes { events, ..Changes::default() }).await.map_err(failed)
}

fn names(claimed: &[ClaimedEvent]) -> Vec<&str> {
    claimed.iter().map(|one| one.event.id.as_str()).collect()
}

async fn events_of_an_order_come_one_by_one(stores: Stores) -> Found {
    let mut of_setup = event("setup-1", "x");
    of_setup.order = None;
    let mut of_setup_too = event("setup-2", "x");
    of_setup_too.order = None;
    commit_events(
        &stores,
        vec![event("a1", "a"), event("a2", "a"), event("b1", "b"), of_setup, of_setup_too],
    )
    .await?;
    commit_events(&stores, vec![event("a3", "a")]).await?;
    let first = stores.one.take_events(at(0), at(60), 10).await.map_err(failed)?;
    ensure_eq!(names(&first), ["event-a1", "event-b1", "event-setup-1"], "the first of each order");
    let second = stores.two.take_events(at(1), at(60), 10).await.map_err(failed)?;
    ensure_eq!(names(&second), [""; 0], "while they are being delivered");
    stores.one.settle_event(&first[0].event.id, Settle::Done).await.map_err(failed)?;
    stores.one.settle_event(&first[2].event.id, Settle::Again(at(30))).await.map_err(failed)?;
    let third = stores.two.take_events(at(2), at(60), 10).await.map_err(failed)?;
    ensure_eq!(
        names(&third),
        ["event-a2"],
        "after the first of one order is done, and of another has failed"
    );
    stores.two.settle_event(&third[0].event.id, Settle::Done).await.map_err(failed)?;
    let fourth = stores.one.take_events(at(3), at(60), 10).await.map_err(failed)?;
    ensure_eq!(names(&fourth), ["event-a3"], "the last of the order");
    let of_order = stores.two.events(&order_ref("a")).await.map_err(failed)?;
    let of_order: Vec<&str> = of_order.iter().map(|event| event.id.as_str()).collect();
    ensure_eq!(of_order, ["event-a1", "event-a2", "event-a3"], "all events of an order, delivered or not");
    Ok(())
}

async fn an_event_comes_again(stores: Stores) -> Found {
    commit_events(&stores, vec![event("1", "1")]).await?;
    let id = event("1", "1").id;
    let mut late = event("late", "2");
    late.at = at(1000);
    commit_events(&stores, vec![late]).await?;
    for attempt in 0..3_i64 {
        let (now, lease) = (at(attempt * 100), at(attempt * 100 + 50));
        let claimed = stores.one.take_events(now, lease, 10).await.map_err(failed)?;
        ensure_eq!(names(&claimed), ["event-1"], "attempt {attempt}");
        ensure_eq!(i64::from(claimed[0].attempts), attempt, "how often it was claimed before");
        let done: HashSet<&str> = claimed[0].done.iter().map(String::as_str).collect();
        let wanted: &[&str] = if attempt == 0 { &[] } else { &["mail", "ship"] };
        ensure_eq!(done, wanted.iter().copied().collect(), "the handlers that are done");
        // Noted twice, as after a crash between two handlers.
        for handler in ["ship", "mail", "ship"] {
            stores.two.handled(&id, handler).await.map_err(failed)?;
        }
        if attempt == 0 {
            let again = Settle::Again(at(100));
            stores.one.settle_event(&id, again).await.map_err(failed)?;
            let early = stores.two.take_events(at(99), at(150), 10).await.map_err(failed)?;
            ensure!(early.is_empty(), "it comes before its time");
        } else {
            let early = stores.two.take_events(at(attempt * 100 + 49), at(900), 10).await.map_err(failed)?;
            ensure!(early.is_empty(), "it was taken from the process that has it");
        }
    }
    stores.one.settle_event(&id, Settle::Done).await.map_err(failed)?;
    let after = stores.two.take_events(at(900), at(990), 10).await.map_err(failed)?;
    ensure!(after.is_empty(), "a delivered event comes again");
    Ok(())
}

async fn a_parked_event_holds_up_nobody(stores: Stores) -> Found {
    commit_events(&stores, vec![event("1", "1"), event("2", "1")]).await?;
    let claimed = stores.one.take_events(at(0), at(60), 10).await.map_err(failed)?;
    let id = claimed.first().ok_or("nothing is taken")?.event.id.clone();
    ensure!(
        !stores.one.unpark_event(&id, at(1)).await.map_err(failed)?,
        "an event that is not parked is brought back"
    );
    stores.one.settle_event(&id, Settle::Parked).await.map_err(failed)?;
    let parked = stores.two.parked_events(10).await.map_err(failed)?;
    ensure_eq!(parked, vec![event("1", "1")], "the parked events");
    let later = stores.two.take_events(at(100), at(160), 10).await.map_err(failed)?;
    ensure_eq!(names(&later), ["event-2"], "the later event of the order");
    stores.two.settle_event(&later[0].event.id, Settle::Done).await.map_err(failed)?;
    ensure!(
        stores.one.unpark_event(&id, at(200)).await.map_err(failed)?,
        "a parked event cannot be brought back"
    );
    ensure!(!stores.two.unpark_event(&id, at(200)).await.map_err(failed)?, "it is brought back twice");
    let early = stores.one.take_events(at(199), at(260), 10).await.map_err(failed)?;
    ensure!(early.is_empty(), "it comes before its time");
    let again = stores.one.take_events(at(200), at(260), 10).await.map_err(failed)?;
    ensure_eq!(names(&again), ["event-1"], "what was brought back");
    ensure_eq!(again[0].attempts, 0, "its attempts are counted anew");
    ensure!(stores.one.parked_events(10).await.map_err(failed)?.is_empty(), "it is still listed as parked");
    Ok(())
}

async fn a_late_event_holds_up_nobody(stores: Stores) -> Found {
    commit_events(&stores, vec![event("1", "1"), event("2", "1"), event("3", "1")]).await?;
    let first = stores.one.take_events(at(0), at(60), 10).await.map_err(failed)?;
    ensure_eq!(names(&first), ["event-1"], "the first");
    stores.one.settle_event(&first[0].event.id, Settle::Late(at(30))).await.map_err(failed)?;
    let second = stores.two.take_events(at(1), at(60), 10).await.map_err(failed)?;
    ensure_eq!(names(&second), ["event-2"], "the next, while the first waits for its time");
    let again = stores.one.take_events(at(30), at(90), 10).await.map_err(failed)?;
    ensure_eq!(names(&again), ["event-1"], "the first at its time, while the second is being delivered");
    ensure_eq!(again[0].attempts, 1, "how often it was claimed before");
    stores.two.settle_event(&second[0].event.id, Settle::Done).await.map_err(failed)?;
    let third = stores.two.take_events(at(31), at(90), 10).await.map_err(failed)?;
    ensure_eq!(names(&third), ["event-3"], "the last");
    Ok(())
}

async fn deliveries_say_how_events_stand(stores: Stores) -> Found {
    let mut of_setup = event("setup", "x");
    of_setup.order = None;
    let events =
        vec![event("1", "1"), event("2", "1"), event("3", "1"), event("4", "1"), of_setup, event("5", "2")];
    commit_events(&stores, events).await?;
    for settle in [Settle::Done, Settle::Parked] {
        let claimed = stores.one.take_events(at(0), at(60), 1).await.map_err(failed)?;
        let id = claimed.first().ok_or("nothing is taken")?.event.id.clone();
        stores.one.handled(&id, "ship").await.map_err(failed)?;
        stores.one.settle_event(&id, settle).await.map_err(failed)?;
    }
    stores.one.take_events(at(0), at(70), 1).await.map_err(failed)?;
    let order = order_ref("1");
    let found = stores.two.deliveries(Some(&order), &payment_id("1")).await.map_err(failed)?;
    let found: Vec<_> =
        found.iter().map(|one| (one.event.id.as_str(), one.state, one.attempts, one.handled.len())).collect();
    let wanted = [
        ("event-1", DeliveryState::Done, 1, 1),
        ("event-2", DeliveryState::Parked, 1, 1),
        ("event-3", DeliveryState::Pending, 1, 0),
        ("event-4", DeliveryState::Pending, 0, 0),
    ];
    ensure_eq!(found, wanted, "the deliveries of an order");
    let of_setup = stores.two.deliveries(None, &payment_id("x")).await.map_err(failed)?;
    ensure_eq!(
        of_setup.iter().map(|one| one.due_at).collect::<Vec<_>>(),
        [at(0)],
        "the deliveries of a card set-up"
    );
    Ok(())
}

async fn events_are_taken_once(stores: Stores) -> Found {
    const ALL: usize = 120;
    let events = (0..ALL).map(|number| event(&format!("{number:03}"), &format!("order-{number}"))).collect();
    commit_events(&stores, events).await?;
    let takers = (0..8).map(|number| {
        let store = if number % 2 == 0 { stores.one.clone() } else { stores.two.clone() };
        tokio::spawn(async move {
            let (mut taken, mut empty) = (Vec::new(), 0);
            while empty < 5 && taken.len() <= ALL {
                let some = store.take_events(at(0), at(60), 7).await.map_err(failed)?;
                empty = if some.is_empty() { empty + 1 } else { 0 };
                taken.extend(some.into_iter().map(|one| one.event.id));
                tokio::task::yield_now().await;
            }
            Ok::<_, String>(taken)
        })
    });
    let mut taken = Vec::new();
    for taker in join_all(takers).await {
        taken.extend(taker.map_err(|e| e.to_string())??);
    }
    taken.extend(
        stores
            .one
            .take_events(at(0), at(60), 1000)
            .await
            .map_err(failed)?
            .into_iter()
            .map(|one| one.event.id),
    );
    let different: HashSet<_> = taken.iter().collect();
    ensure_eq!((taken.len(), different.len()), (ALL, ALL), "events that were taken, and different ones");
    Ok(())
}

/// What takers see: which order's event is out, and the number of the last one that was delivered.
#[derive(Default)]
struct Seen {
    out: HashSet<String>,
    last: HashMap<String, u32>,
    delivered: usize,
}

async fn events_are_in_order_while_others_commit(stores: Stores) -> Found {
    const ORDERS: usize = 3;
    const EACH: u32 = 15;
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
                let claimed = store.take_events(at(0), at(600), 2).await.map_err(failed)?;
                for one in &claimed {
                    let stream = one.event.order.as_ref().map(ToString::to_string).unwrap_or_default();
                    let number = one.event.id.as_str().rsplit('/').next().and_then(|text| text.parse().ok());
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
                    let stream = one.event.order.as_ref().map(ToString::to_string).unwrap_or_default();
                    // Before it is settled: as soon as it is, another may take the next one.
                    seen.lock().expect("no taker panics").out.remove(&stream);
                    store.settle_event(&one.event.id, Settle::Done).await.map_err(failed)?;
                }
                let delivered = {
                    let mut seen = seen.lock().expect("no taker panics");
                    seen.delivered += claimed.len();
                    seen.delivered
                };
                if delivered == ORDERS * EACH as usize {
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
