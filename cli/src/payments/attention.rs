//! `tulbur payments attention`.

use serde_json::{Value, json};
use tulbur::payments::Store;

use super::advice;
use crate::out::{Failure, Wall, bold, facts, print, print_json};

/// Events that were given up are listed up to this many.
const MOST_PARKED: u32 = 1000;

pub(super) async fn run(store: &dyn Store, wall: Wall, json: bool) -> Result<(), Failure> {
    let items = store.attention().await?;
    let parked = store.parked_events(MOST_PARKED).await?;
    if json {
        let items: Vec<Value> =
            items.iter().map(|item| json!({ "item": item, "to_do": advice::for_item(item) })).collect();
        return print_json(&json!({ "items": items, "parked_events": parked }));
    }
    let mut text = Vec::new();
    for item in &items {
        text.push(format!(
            "{}\n{}\n  To do: {}",
            bold(&format!("{}: {}", item.kind, item.detail)),
            facts(&[
                ("order", item.order.as_ref().map(ToString::to_string)),
                ("payment", item.payment.as_ref().map(ToString::to_string)),
                ("account", Some(item.account.to_string())),
                ("since", Some(format!("{} ({})", wall.time(item.at), wall.name()))),
                ("key", Some(item.key.clone())),
            ]),
            advice::for_item(item),
        ));
    }
    for event in &parked {
        let name = event.order.as_ref().map(ToString::to_string);
        let name = name.or(event.payment.as_ref().map(ToString::to_string)).unwrap_or_default();
        let payment = event.payment.as_ref().map_or(name.as_str(), |payment| payment.as_str());
        text.push(format!(
            "{}\n{}\n  To do: Repair the application's handler, then: tulbur payments retry {payment}",
            bold(&format!("event given up: `{}` of {name} was not delivered", event.kind.name())),
            facts(&[
                ("event", Some(event.id.to_string())),
                ("since", Some(format!("{} ({})", wall.time(event.at), wall.name()))),
            ]),
        ));
    }
    if text.is_empty() {
        text.push("Nothing waits for a person.".to_owned());
    }
    Ok(print(&text.join("\n\n"))?)
}
