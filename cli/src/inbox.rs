//! `tulbur inbox`.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tulbur::core::Channel;
use tulbur::payments::store::{Find, InboxEntry};
use tulbur::payments::{Replayed, ShownDelivery, ShownField, Store};

use crate::database::{DatabaseOptions, Setup};
use crate::out::{Failure, Wall, bold, facts, indented, print, print_json, table};
use crate::payments::{parse_name, view, who};

/// The options of `tulbur inbox`.
#[derive(Debug, Args)]
#[command(after_help = "\
What arrived is kept sealed. It is shown with amounts, codes and references only: no checksum, token, card number, name
or header is ever printed.

Examples:
  tulbur inbox list --refused
  tulbur inbox show 0193f2c8a4b77c1e9d3f5a6b7c8d9e0f --sealing-key 2027=SHOP_SEALING_KEY
  tulbur inbox replay 0193f2c8a4b77c1e9d3f5a6b7c8d9e0f --by Saruul")]
pub(crate) struct Options {
    #[command(flatten)]
    database: DatabaseOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists what arrived, newest first, and what became of it
    List {
        /// At most so many
        #[arg(long, default_value_t = 50, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
        /// Only what was refused as not genuine
        #[arg(long)]
        refused: bool,
        /// Only of this account
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
    },
    /// Shows one delivery, without anything secret or personal; needs the key that sealed it
    Show {
        /// The delivery's id
        id: String,
    },
    /// Gives a delivery to its account's provider again: it is verified anew, and the provider is asked
    #[command(after_help = "\
A replay proves nothing: whatever the delivery says, the provider's own answer counts. It is written into the history.
Needs the account and the key that sealed the delivery.")]
    Replay {
        /// The delivery's id
        id: String,
        /// Who asks for it, for the history [default: the user's name]
        #[arg(long, value_name = "NAME", value_parser = parse_name)]
        by: Option<String>,
    },
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let setup = Setup::read(&options.database)?;
    let json = options.database.json;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        let store = setup.store().await?;
        match &options.command {
            Command::List { limit, refused, account } => {
                list(&*store, *limit, *refused, account.as_deref(), setup.wall, json).await
            }
            Command::Show { id } => show(&setup, &*store, id, json).await,
            Command::Replay { id, by } => replay(&setup, &store, id, &who(by.as_deref()), json).await,
        }
    })
}

fn entry_view(entry: &InboxEntry, times: u32) -> Value {
    json!({
        "id": entry.id, "account": entry.account, "channel": entry.channel, "at": entry.at,
        "verdict": entry.verdict.as_str(), "note": entry.note, "payment": entry.payment, "times": times,
        "key": entry.repeat_key, "sealed_with": key_id(entry),
    })
}

fn channel(entry: &InboxEntry) -> &'static str {
    match entry.channel {
        Channel::Notify => "notification",
        Channel::Return => "payer's return",
    }
}

/// The id of the key that sealed it.
fn key_id(entry: &InboxEntry) -> &str {
    entry.sealed.split_once('.').map_or("?", |(id, _)| id)
}

async fn list(
    store: &dyn Store,
    limit: u32,
    refused: bool,
    account: Option<&str>,
    wall: Wall,
    json: bool,
) -> Result<(), Failure> {
    let filtered = refused || account.is_some();
    // What is asked for may stand far behind what is not.
    let mut entries = store.inbox(if filtered { u32::MAX >> 1 } else { limit }).await?;
    entries.retain(|(entry, _)| {
        let verdict = !refused || entry.verdict.as_str() == "refused";
        verdict && account.is_none_or(|account| entry.account == *account)
    });
    entries.truncate(limit as usize);
    if json {
        let entries: Vec<Value> = entries.iter().map(|(entry, times)| entry_view(entry, *times)).collect();
        return print_json(&entries);
    }
    if entries.is_empty() {
        return Ok(print("Nothing is in the inbox that is like that.")?);
    }
    let rows: Vec<[String; 8]> = entries
        .iter()
        .map(|(entry, times)| {
            [
                entry.id.clone(),
                wall.time(entry.at),
                entry.account.to_string(),
                channel(entry).to_owned(),
                times.to_string(),
                entry.verdict.as_str().to_owned(),
                entry.payment.as_ref().map_or_else(|| "-".into(), ToString::to_string),
                entry.note.clone(),
            ]
        })
        .collect();
    let first = format!("first came ({})", wall.name());
    let text = table(["delivery", &first, "account", "how", "times", "verdict", "payment", "note"], &rows);
    Ok(print(&text)?)
}

async fn find(store: &dyn Store, id: &str) -> Result<(InboxEntry, u32), Failure> {
    store.inbox_entry(id).await?.ok_or_else(|| {
        Failure::new(format!("there is no delivery `{id}`; `tulbur inbox list` shows the newest"))
    })
}

async fn show(setup: &Setup, store: &dyn Store, id: &str, json: bool) -> Result<(), Failure> {
    let (entry, times) = find(store, id).await?;
    let keys = setup.keys()?.ok_or_else(|| {
        Failure::new(format!(
            "delivery `{id}` was sealed with key `{0}`, which is not configured: --sealing-key {0}=VARIABLE names the \
             environment variable that holds it",
            key_id(&entry)
        ))
    })?;
    let payment = match &entry.payment {
        Some(payment) => store.payment(Find::Id(payment)).await?,
        None => None,
    };
    // References of ours are no secret, wherever the provider puts them.
    let reference = payment.as_ref().map(|payment| &payment.reference);
    let known: Vec<&str> = reference
        .into_iter()
        .flat_map(|reference| {
            [
                Some(reference.merchant_ref.as_str()),
                reference.provider_ref.as_ref().map(tulbur::core::ProviderRef::as_str),
                reference.charge_ref.as_ref().map(tulbur::core::ChargeRef::as_str),
            ]
        })
        .flatten()
        .collect();
    let shown = keys.show_delivery(&entry, &known)?;
    if json {
        return print_json(&json!({ "entry": entry_view(&entry, times), "delivery": shown }));
    }
    Ok(print(&text(&entry, times, &shown, setup.wall))?)
}

fn text(entry: &InboxEntry, times: u32, shown: &ShownDelivery, wall: Wall) -> String {
    let mut parts = vec![format!(
        "{}\n{}",
        bold(&format!("Delivery {}: {}", entry.id, entry.verdict.as_str())),
        facts(&[
            ("how", Some(format!("{}, {}", channel(entry), shown.method))),
            ("account", Some(entry.account.to_string())),
            ("first came", Some(format!("{} ({})", wall.time(entry.at), wall.name()))),
            ("times", Some(times.to_string())),
            ("payment", entry.payment.as_ref().map(ToString::to_string)),
            ("note", Some(entry.note.clone())),
        ])
    )];
    let fields = |fields: &[ShownField]| {
        let rows: Vec<[String; 2]> = fields
            .iter()
            .map(|field| {
                let hidden = || format!("[not shown: {}]", field.hidden.as_deref().unwrap_or("nothing"));
                [field.name.clone(), field.value.clone().unwrap_or_else(hidden)]
            })
            .collect();
        indented(&table(["field", "value"], &rows))
    };
    if !shown.query.is_empty() {
        parts.push(format!("{}\n{}", bold("Query"), fields(&shown.query)));
    }
    if !shown.headers.is_empty() {
        parts.push(format!("{}\n{}", bold("Headers"), fields(&shown.headers)));
    }
    let size = if shown.kept < shown.bytes {
        format!("{} bytes, of which {} are kept", shown.bytes, shown.kept)
    } else {
        format!("{} bytes", shown.bytes)
    };
    let heading = bold(&format!("Body ({}, {size})", shown.form));
    parts.push(match shown.form {
        "empty" => bold("No body"),
        "unreadable" => format!("{heading}\n  It is neither JSON nor a form, and is not shown."),
        _ => format!("{heading}\n{}", fields(&shown.body)),
    });
    parts.join("\n\n")
}

/// How far what a delivery says can be trusted.
fn sort(genuine: bool) -> &'static str {
    if genuine { "It is genuine and" } else { "It is not signed, so anybody could have sent it, and it" }
}

async fn replay(
    setup: &Setup,
    store: &Arc<dyn Store>,
    id: &str,
    by: &str,
    json: bool,
) -> Result<(), Failure> {
    let (entry, _) = find(&**store, id).await?;
    let payments = setup.need_hands(store, &entry.account, "a replay").await?;
    let replayed = payments.replay(id, by).await?;
    if json {
        let value = match &replayed {
            Replayed::Asked { genuine, said, before, payment } => {
                json!({ "outcome": "asked", "genuine": genuine, "said": said, "before": before, "payment": view(payment) })
            }
            Replayed::UnknownPayment { genuine, said } => {
                json!({ "outcome": "unknown-payment", "genuine": genuine, "said": said })
            }
            Replayed::Refused { why } => json!({ "outcome": "refused", "why": why }),
            _ => json!({ "outcome": "other" }),
        };
        print_json(&value)?;
    } else {
        print(&match &replayed {
            Replayed::Asked { genuine, said, before, payment } => format!(
                "{} says {said}. The provider was asked: payment {} was {before} and is {}.\n\
                 tulbur payments show {} tells the rest.",
                sort(*genuine),
                payment.id,
                payment.status,
                payment.id
            ),
            Replayed::UnknownPayment { genuine, said } => format!(
                "{} says {said}, about no payment in this database. Nothing was changed.",
                sort(*genuine)
            ),
            Replayed::Refused { why } => format!("It is refused: {why}. Nothing was changed."),
            _ => "It was replayed.".to_owned(),
        })?;
    }
    if matches!(replayed, Replayed::Asked { .. }) { Ok(()) } else { Err(Failure::told(1)) }
}
