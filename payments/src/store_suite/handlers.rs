//! Handlers: who is registered is told of everything, and of nothing twice.

use super::check::{Found, Stores, ensure, ensure_eq, failed, named_checks};
use super::samples::{at, event, order_ref, payment_id};
use crate::model::event::Event;
use crate::store::{Changes, ClaimedDelivery, HandlerSpec, Settle, Store};

named_checks! {
    the_first_handlers_are_told_of_everything: "events wait while no handler is registered, and the first ones are told of all of them, in order",
    a_later_handler_is_told_of_what_comes: "a handler is told of what is committed after its registration, and of older events when it is asked for",
    registering_again_changes_nothing: "a handler that is registered again keeps what waits for it",
    a_handler_misses_nothing_while_others_commit: "with commits and a registration at once, a handler misses no event after the first that it hears of",
    a_handler_may_change_its_order: "a handler that begins or ceases to keep the order goes on with what waits for it",
    a_removed_handler_leaves_what_waits: "what waits for a removed handler is dropped, or goes to its heir in its order; what comes while nobody is left waits",
    handlers_are_counted: "each handler says since when it is registered and seen, and how much waits for it",
}

fn specs(handlers: &[(&str, bool)]) -> Vec<HandlerSpec> {
    handlers.iter().map(|(name, in_order)| HandlerSpec::new(*name, *in_order)).collect()
}

async fn tell(store: &dyn Store, events: Vec<Event>) -> Found {
    store.commit(Changes { events, ..Changes::default() }).await.map_err(failed)
}

async fn claim(store: &dyn Store, handler: &str, now: i64) -> Result<Vec<ClaimedDelivery>, String> {
    let wanted = [(handler.to_owned(), 1000)];
    let owner = format!("{handler}/{now}");
    store.claim_deliveries(&wanted, &owner, at(now), at(now + 60)).await.map_err(failed)
}

fn names(claimed: &[ClaimedDelivery]) -> Vec<&str> {
    claimed.iter().map(|one| one.claim.event.as_str()).collect()
}

/// What a handler is told from now on, each event as soon as it is due.
async fn hears(store: &dyn Store, handler: &str, now: i64) -> Result<Vec<String>, String> {
    let mut heard = Vec::new();
    loop {
        let claimed = claim(store, handler, now).await?;
        if claimed.is_empty() {
            return Ok(heard);
        }
        for one in claimed {
            ensure!(heard.len() < 1000, "it does not end");
            store.settle_delivery(&one.claim, Settle::Done, at(now)).await.map_err(failed)?;
            heard.push(one.claim.event.as_str().to_owned());
        }
    }
}

async fn the_first_handlers_are_told_of_everything(stores: Stores) -> Found {
    let (one, two) = (&*stores.one, &*stores.two);
    tell(one, vec![event("1", "a"), event("2", "a"), event("3", "b")]).await?;
    tell(one, vec![event("4", "a")]).await?;
    ensure_eq!(one.stats().await.map_err(failed)?.events_unheard, 4, "events that wait for a handler");
    ensure!(claim(two, "ship", 1).await?.is_empty(), "a handler is told before it is registered");
    two.register_handlers(&specs(&[("ship", true), ("mail", false)]), at(1)).await.map_err(failed)?;
    ensure_eq!(one.stats().await.map_err(failed)?.events_unheard, 0, "events that wait for a handler");
    tell(one, vec![event("5", "a")]).await?;
    ensure_eq!(names(&claim(two, "ship", 1).await?), ["event-1", "event-3"], "the first of each order");
    let heard = hears(one, "ship", 61).await?;
    ensure_eq!(heard, ["event-1", "event-3", "event-2", "event-4", "event-5"], "what the one is told");
    let heard = hears(one, "mail", 1).await?;
    ensure_eq!(heard, ["event-1", "event-2", "event-3", "event-4", "event-5"], "what the other is told");
    Ok(())
}

async fn a_later_handler_is_told_of_what_comes(stores: Stores) -> Found {
    let (one, two) = (&*stores.one, &*stores.two);
    one.register_handlers(&specs(&[("ship", true)]), at(0)).await.map_err(failed)?;
    let told = |name: &str, seconds: i64| Event { at: at(seconds), ..event(name, "1") };
    tell(one, vec![told("1", 1), told("2", 2), told("3", 3)]).await?;
    two.register_handlers(&specs(&[("ship", true), ("mail", true)]), at(4)).await.map_err(failed)?;
    tell(one, vec![told("4", 5), told("5", 6)]).await?;
    let first = claim(two, "mail", 10).await?;
    ensure_eq!(names(&first), ["event-4"], "the first after its registration");
    let none = two.backfill_handler("nobody", at(0), at(10)).await.map_err(failed)?;
    ensure_eq!(none, None, "older events for a handler that is none");
    two.settle_delivery(&first[0].claim, Settle::Done, at(10)).await.map_err(failed)?;
    let older = one.backfill_handler("mail", at(2), at(10)).await.map_err(failed)?;
    ensure_eq!(older, Some(2), "older events that are to be told");
    let heard = hears(two, "mail", 11).await?;
    ensure_eq!(heard, ["event-2", "event-3", "event-5"], "what it had not heard, in order");
    ensure_eq!(hears(two, "ship", 11).await?.len(), 5, "the other is told as ever");
    Ok(())
}

async fn registering_again_changes_nothing(stores: Stores) -> Found {
    let (one, two) = (&*stores.one, &*stores.two);
    // Named twice at once; what waited for the first handler is due all the same.
    tell(one, vec![event("1", "1")]).await?;
    one.register_handlers(&specs(&[("ship", true), ("ship", true)]), at(0)).await.map_err(failed)?;
    tell(one, vec![event("2", "1")]).await?;
    let first = claim(one, "ship", 1).await?.remove(0);
    two.register_handlers(&specs(&[("ship", true)]), at(2)).await.map_err(failed)?;
    ensure!(claim(two, "ship", 2).await?.is_empty(), "what is claimed is due again");
    ensure!(
        one.settle_delivery(&first.claim, Settle::Done, at(3)).await.map_err(failed)?,
        "a claim does not survive it"
    );
    ensure_eq!(hears(two, "ship", 3).await?, ["event-2"], "the rest");
    let registered = one.handlers().await.map_err(failed)?;
    ensure_eq!(registered[0].registered_at, at(0), "when it was registered");
    Ok(())
}

async fn a_handler_misses_nothing_while_others_commit(stores: Stores) -> Found {
    const ALL: usize = 60;
    stores.one.register_handlers(&specs(&[("ship", false)]), at(0)).await.map_err(failed)?;
    let writers = (0..4_usize).map(|writer| {
        let store = if writer % 2 == 0 { stores.one.clone() } else { stores.two.clone() };
        tokio::spawn(async move {
            for number in 0..ALL {
                let name = format!("{writer}/{number:03}");
                tell(&*store, vec![event(&name, &format!("order-{writer}"))]).await?;
                tokio::task::yield_now().await;
            }
            Ok::<_, String>(())
        })
    });
    let writers: Vec<_> = writers.collect();
    let handlers: Vec<String> = (0..4).map(|number| format!("late-{number}")).collect();
    for handler in &handlers {
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        let spec = [HandlerSpec::new(handler, false)];
        stores.two.register_handlers(&spec, at(1)).await.map_err(failed)?;
    }
    for writer in writers {
        writer.await.map_err(|e| e.to_string())??;
    }
    let numbers = |claimed: &[ClaimedDelivery]| claimed.iter().map(|one| one.claim.seq).collect::<Vec<_>>();
    let all = numbers(&claim(&*stores.one, "ship", 100).await?);
    ensure_eq!(all.len(), 4 * ALL, "events that the first handler is told of");
    for handler in &handlers {
        let heard = numbers(&claim(&*stores.one, handler, 100).await?);
        let Some(first) = heard.first() else { continue };
        let since: Vec<i64> = all.iter().copied().filter(|seq| seq >= first).collect();
        ensure_eq!(heard, since, "what {handler} is told of, of all since its first");
    }
    Ok(())
}

async fn a_handler_may_change_its_order(stores: Stores) -> Found {
    let (one, two) = (&*stores.one, &*stores.two);
    one.register_handlers(&specs(&[("ship", true)]), at(0)).await.map_err(failed)?;
    tell(one, ["1", "2", "3"].map(|name| event(name, "1")).to_vec()).await?;
    let first = claim(one, "ship", 1).await?;
    ensure_eq!(names(&first), ["event-1"], "in order");
    two.register_handlers(&specs(&[("ship", false)]), at(2)).await.map_err(failed)?;
    let others = claim(two, "ship", 2).await?;
    ensure_eq!(names(&others), ["event-2", "event-3"], "without order");
    for one_more in &others {
        two.settle_delivery(&one_more.claim, Settle::Again(at(10)), at(3)).await.map_err(failed)?;
    }
    tell(one, ["4", "5"].map(|name| event(name, "1")).to_vec()).await?;
    one.register_handlers(&specs(&[("ship", true)]), at(4)).await.map_err(failed)?;
    ensure!(claim(two, "ship", 20).await?.is_empty(), "a later one is out while an earlier one is claimed");
    one.settle_delivery(&first[0].claim, Settle::Done, at(20)).await.map_err(failed)?;
    ensure_eq!(hears(two, "ship", 20).await?, ["event-2", "event-3", "event-4", "event-5"], "in order again");
    Ok(())
}

async fn a_removed_handler_leaves_what_waits(stores: Stores) -> Found {
    let (one, two) = (&*stores.one, &*stores.two);
    let three = [("mail", false), ("old", true), ("ship", true)];
    one.register_handlers(&specs(&three), at(0)).await.map_err(failed)?;
    tell(one, ["1", "2", "3", "4"].map(|name| event(name, "1")).to_vec()).await?;
    for handler in ["old", "ship"] {
        let first = claim(one, handler, 1).await?.remove(0);
        let ending = if handler == "old" { Settle::Parked } else { Settle::Done };
        one.settle_delivery(&first.claim, ending, at(1)).await.map_err(failed)?;
    }
    let out = claim(one, "old", 2).await?.remove(0);
    ensure_eq!(
        two.remove_handler("none", None, at(3)).await.map_err(failed)?,
        None,
        "a handler that is none"
    );
    ensure_eq!(two.remove_handler("old", Some("none"), at(3)).await.map_err(failed)?, None, "to nobody");
    ensure_eq!(two.remove_handler("old", Some("old"), at(3)).await.map_err(failed)?, None, "to itself");
    one.register_handlers(&specs(&[("new", true)]), at(3)).await.map_err(failed)?;
    tell(one, vec![event("5", "1")]).await?;
    let moved = two.remove_handler("old", Some("new"), at(4)).await.map_err(failed)?;
    ensure_eq!(moved, Some(4), "deliveries that go to the heir, which has one of them already");
    let held = one.settle_delivery(&out.claim, Settle::Done, at(5)).await.map_err(failed)?;
    ensure!(!held, "a claim survives its handler");
    ensure!(
        one.parked_deliveries(10).await.map_err(failed)?.is_empty(),
        "what was parked is tried by the heir"
    );
    let heard = hears(two, "new", 100).await?;
    ensure_eq!(heard, ["event-1", "event-2", "event-3", "event-4", "event-5"], "what the heir is told");
    ensure_eq!(two.remove_handler("ship", None, at(6)).await.map_err(failed)?, Some(4), "what is dropped");
    let of_order = two.deliveries(Some(&order_ref("1")), &payment_id("1")).await.map_err(failed)?;
    let handlers: Vec<&str> = of_order[0].handlers.iter().map(|part| part.handler.as_str()).collect();
    ensure_eq!(handlers, ["mail", "new", "ship"], "who did or is to do the first event");
    for name in ["mail", "new"] {
        one.remove_handler(name, None, at(7)).await.map_err(failed)?;
    }
    tell(one, vec![event("6", "1"), event("7", "1")]).await?;
    one.register_handlers(&specs(&[("ship", true)]), at(8)).await.map_err(failed)?;
    ensure_eq!(hears(two, "ship", 9).await?, ["event-6", "event-7"], "what came while nobody was left");
    Ok(())
}

async fn handlers_are_counted(stores: Stores) -> Found {
    let (one, two) = (&*stores.one, &*stores.two);
    ensure!(one.handlers().await.map_err(failed)?.is_empty(), "there are handlers before any is registered");
    two.register_handlers(&specs(&[("ship", true), ("mail", false)]), at(5)).await.map_err(failed)?;
    let told = |name: &str, seconds: i64| Event { at: at(seconds), ..event(name, "1") };
    tell(one, vec![told("1", 10), told("2", 20), told("3", 30)]).await?;
    for ending in [Settle::Done, Settle::Parked] {
        let first = claim(one, "ship", 50).await?.remove(0);
        one.settle_delivery(&first.claim, ending, at(50)).await.map_err(failed)?;
    }
    let seen = ["ship".to_owned(), "nobody".to_owned()];
    let before = two.see_handlers(&seen, at(70)).await.map_err(failed)?;
    ensure_eq!(before, [("ship".to_owned(), at(5))], "when a handler was seen before");
    let before = two.see_handlers(&seen, at(80)).await.map_err(failed)?;
    ensure_eq!(before, [("ship".to_owned(), at(70))], "when a handler was seen before");
    let found = one.handlers().await.map_err(failed)?;
    let found: Vec<_> = found
        .iter()
        .map(|one| {
            (
                one.name.as_str(),
                one.in_order,
                one.registered_at,
                one.seen_at,
                one.waiting,
                one.oldest,
                one.parked,
            )
        })
        .collect();
    let wanted = [
        ("mail", false, at(5), at(5), 3, Some(at(10)), 0),
        ("ship", true, at(5), at(80), 1, Some(at(30)), 1),
    ];
    ensure_eq!(found, wanted, "the handlers");
    Ok(())
}
