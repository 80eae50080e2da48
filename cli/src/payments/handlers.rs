//! `tulbur payments handlers|remove-handler`: lists the registered handlers, and removes one.

use clap::Args;
use serde_json::{Value, json};
use tulbur::payments::{Store, remove_handler};

use super::act::agree;
use crate::out::{Failure, Wall, now, print, print_json, table};

/// Lists the handlers that are registered.
pub(super) async fn list(store: &dyn Store, wall: Wall, json: bool) -> Result<(), Failure> {
    let handlers = store.handlers().await?;
    if json {
        let handlers: Vec<Value> = handlers
            .iter()
            .map(|one| {
                json!({
                    "name": one.name, "in_order": one.in_order, "registered_at": one.registered_at,
                    "seen_at": one.seen_at, "waiting": one.waiting, "oldest": one.oldest, "parked": one.parked,
                })
            })
            .collect();
        return print_json(&json!({ "handlers": handlers }));
    }
    if handlers.is_empty() {
        return Ok(print("No handler is registered: events wait for the first. Does the application run?")?);
    }
    let rows: Vec<[String; 6]> = handlers
        .iter()
        .map(|one| {
            [
                one.name.clone(),
                if one.in_order { "in order" } else { "any order" }.to_owned(),
                one.waiting.to_string(),
                one.oldest.map_or_else(|| "-".to_owned(), |at| wall.time(at)),
                one.parked.to_string(),
                wall.time(one.seen_at),
            ]
        })
        .collect();
    let seen = format!("last seen ({})", wall.name());
    Ok(print(&table(["handler", "", "waiting", "since", "given up", &seen], &rows))?)
}

/// The options of `tulbur payments remove-handler`.
#[derive(Debug, Args)]
#[command(after_help = "\
Stop the processes that have the handler first: they register it again when they start.

Examples:
  tulbur payments remove-handler ship --heir shipping
      it was renamed: what waits for the old name goes to the new one, which must be registered already
  tulbur payments remove-handler newsletter
      the application has it no more: what waits for it is dropped")]
pub(super) struct RemoveOptions {
    /// The handler's name
    name: String,
    /// Another registered handler that gets the events that wait
    #[arg(long, value_name = "HANDLER")]
    heir: Option<String>,
    /// Do not ask before it is done
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn remove(options: &RemoveOptions, store: &dyn Store, json: bool) -> Result<(), Failure> {
    let name = &options.name;
    let handlers = store.handlers().await?;
    let waiting = handlers.iter().find(|one| one.name == *name).map_or(0, |one| one.waiting + one.parked);
    let what = match &options.heir {
        Some(heir) => format!("go to `{heir}`"),
        None => "are deleted, and no handler gets them".to_owned(),
    };
    agree(
        &format!("This removes handler `{name}`; {waiting} deliveries that wait for it {what}."),
        options.yes,
    )?;
    let count = remove_handler(store, name, options.heir.as_deref(), now()).await?;
    if json {
        return print_json(&json!({ "removed": name, "heir": options.heir, "deliveries": count }));
    }
    let what = match &options.heir {
        Some(heir) => format!("{count} deliveries went to `{heir}`."),
        None => format!("{count} deliveries were dropped."),
    };
    Ok(print(&format!("Handler `{name}` is removed. {what}"))?)
}
