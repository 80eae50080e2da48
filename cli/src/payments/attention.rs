//! `tulbur payments attention`.

use serde_json::{Value, json};
use tulbur::payments::Store;
use tulbur::payments::store::ParkedDelivery;

use super::advice;
use crate::out::{Failure, Wall, bold, facts, print, print_json};

/// Events that were given up are listed up to this many.
const MOST_PARKED: u32 = 1000;

pub(super) async fn run(store: &dyn Store, wall: Wall, json: bool) -> Result<(), Failure> {
    let items = store.attention().await?;
    let parked = store.parked_deliveries(MOST_PARKED).await?;
    if json {
        let items: Vec<Value> =
            items.iter().map(|item| json!({ "item": item, "to_do": advice::for_item(item) })).collect();
        let parked: Vec<Value> = parked.iter().map(view).collect();
        return print_json(&json!({ "items": items, "given_up": parked }));
    }
    let mut text = Vec::new();
    for item in &items {
        text.push(format!(
            "{}\n{}\n  To do: {}",
            bold(&format!("{}: {}", item.kind, item.detail)),
            facts(&[
                ("order", item.order.as_ref().map(ToString::to_string)),
                ("payment", item.payment.as_ref().map(ToString::to_string)),
                ("account", item.account.as_ref().map(ToString::to_string)),
                ("since", Some(format!("{} ({})", wall.time(item.at), wall.name()))),
                ("key", Some(item.key.clone())),
            ]),
            advice::for_item(item),
        ));
    }
    for one in &parked {
        let event = one.event.read.as_ref().ok();
        let order = event.and_then(|event| event.order.as_ref().map(ToString::to_string));
        let payment = event.and_then(|event| event.payment.as_ref().map(ToString::to_string));
        let retry = match (&payment, &order) {
            (Some(name), _) | (None, Some(name)) => format!("tulbur payments retry {name}"),
            (None, None) => format!("tulbur payments retry --all-given-up --handler {}", one.handler),
        };
        text.push(format!(
            "{}\n{}\n  To do: Repair the application's handler, then: {retry}",
            bold(&format!(
                "event given up: `{}` was not delivered to handler `{}`",
                one.event.kind, one.handler
            )),
            facts(&[
                ("event", Some(one.event.id.to_string())),
                ("order", order),
                ("payment", payment),
                ("tries", Some(one.attempts.to_string())),
                ("given up", Some(format!("{} ({})", wall.time(one.parked_at), wall.name()))),
            ]),
        ));
    }
    if text.is_empty() {
        text.push("Nothing waits for a person.".to_owned());
    }
    Ok(print(&text.join("\n\n"))?)
}

fn view(parked: &ParkedDelivery) -> Value {
    json!({
        "handler": parked.handler, "id": parked.event.id, "kind": parked.event.kind, "event": parked.event.read.as_ref().ok(),
        "attempts": parked.attempts, "first_at": parked.first_at, "parked_at": parked.parked_at,
    })
}
