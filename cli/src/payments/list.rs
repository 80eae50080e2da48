//! `tulbur payments list`.

use std::fmt::Write as _;

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};
use tulbur::core::OperationState;
use tulbur::payments::store::PaymentFilter;
use tulbur::payments::{OperationRecord, PaymentRecord, Purpose, Status, Store};
use tulbur::{AccountName, Timestamp};

use super::advice;
use super::find::find;
use crate::out::{Failure, Wall, now, print, print_json, span, table};

/// The options of `tulbur payments list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tulbur payments list
  tulbur payments list --status pending --account till-7
  tulbur payments list --unknown
      what may have moved money, and nobody knows
  tulbur payments list --status paid --limit 1000 --json | jq -r '.payments[].order'")]
pub(super) struct Options {
    /// Only those that stand so
    #[arg(long, value_name = "STATUS", value_parser = PossibleValuesParser::new(Status::ALL.map(Status::as_str)))]
    status: Option<String>,
    /// Only those of this account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Only those of which nobody knows whether money moved
    #[arg(long, conflicts_with = "status")]
    unknown: bool,
    /// At most so many
    #[arg(long, default_value_t = 50, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Those after this payment in the list: the next page
    #[arg(long, value_name = "PAYMENT")]
    after: Option<String>,
}

pub(super) async fn run(options: &Options, store: &dyn Store, wall: Wall, json: bool) -> Result<(), Failure> {
    let (mut payments, operations) = if options.unknown {
        unknown(options, store).await?
    } else {
        (read(options, store).await?, Vec::new())
    };
    payments.truncate(options.limit as usize);
    let stats = store.stats().await?;
    let handlers = store.handlers().await?;
    let pending = handlers.iter().map(|handler| handler.waiting).sum::<u64>() + stats.events_unheard;
    let parked: u64 = handlers.iter().map(|handler| handler.parked).sum();
    let oldest_event = handlers.iter().filter_map(|handler| handler.oldest).min();
    let now = now();
    if json {
        let unknown = |payment: &PaymentRecord| {
            operations.iter().filter(|one| one.payment == payment.id).collect::<Vec<_>>()
        };
        let payments: Vec<Value> = payments
            .iter()
            .map(|payment| {
                let mut view = view(payment);
                if options.unknown {
                    view["unknown_operations"] = json!(unknown(payment));
                }
                view
            })
            .collect();
        return print_json(&json!({
            "payments": payments,
            "open": stats.open, "oldest_open": stats.oldest_open, "unknown": stats.unknown,
            "deliveries_pending": pending, "oldest_event": oldest_event, "deliveries_parked": parked,
            "attention": stats.attention,
        }));
    }
    let rows: Vec<[String; 7]> =
        payments.iter().map(|payment| row(payment, &operations, wall, now)).collect();
    let mut text = if rows.is_empty() {
        "No payment is like that.".to_owned()
    } else {
        table(
            ["payment", "order", "account", "amount", "status", &format!("opened ({})", wall.name()), ""],
            &rows,
        )
    };
    let mut facts = vec![format!("{} open", stats.open)];
    if let Some(oldest) = stats.oldest_open {
        let _ = write!(facts[0], " (the oldest for {})", span(now.since(oldest)));
    }
    facts.push(format!("{} unknown", stats.unknown));
    facts.push(format!("{pending} events to deliver"));
    if let Some(oldest) = oldest_event {
        let _ = write!(facts[2], " (the oldest for {})", span(now.since(oldest)));
    }
    facts.push(format!("{parked} events given up"));
    facts.push(format!("{} items for a person", stats.attention));
    let _ = write!(text, "\n\nIn all: {}.", facts.join(", "));
    if stats.attention + parked > 0 {
        text.push_str("\n`tulbur payments attention` says what to do.");
    }
    if payments.len() == options.limit as usize
        && let Some(last) = payments.last().filter(|_| !options.unknown)
    {
        let _ = write!(text, "\nThere may be more: --after {}", last.id);
    }
    Ok(print(&text)?)
}

fn filter(options: &Options) -> Result<PaymentFilter, Failure> {
    let account = options.account.clone().map(AccountName::parse).transpose();
    let mut filter = PaymentFilter::default();
    filter.account = account.map_err(|error| Failure::new(error.to_string()))?;
    filter.limit = options.limit;
    Ok(filter)
}

async fn read(options: &Options, store: &dyn Store) -> Result<Vec<PaymentRecord>, Failure> {
    let mut filter = filter(options)?;
    filter.status =
        options.status.as_deref().and_then(|word| Status::ALL.into_iter().find(|one| one.as_str() == word));
    if let Some(after) = &options.after {
        let found = find(store, after).await?;
        filter.after = found.into_iter().next().map(|payment| payment.id);
    }
    Ok(store.payments(&filter).await?)
}

/// Payments of which it is unknown whether money moved, and the captures, voids, refunds and cancels of which it is.
async fn unknown(
    options: &Options,
    store: &dyn Store,
) -> Result<(Vec<PaymentRecord>, Vec<OperationRecord>), Failure> {
    let mut found = Vec::new();
    for status in [Status::Pending, Status::Authorized] {
        let mut filter = filter(options)?;
        filter.status = Some(status);
        filter.operation = Some(OperationState::Unknown);
        found.extend(store.payments(&filter).await?);
    }
    let mut operations = store.unknown_operations(options.limit).await?;
    operations.retain(|one| options.account.as_ref().is_none_or(|account| one.account == **account));
    for operation in &operations {
        if found.iter().all(|payment: &PaymentRecord| payment.id != operation.payment) {
            found.extend(store.payment(tulbur::payments::store::Find::Id(&operation.payment)).await?);
        }
    }
    found.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    Ok((found, operations))
}

fn row(payment: &PaymentRecord, unknown: &[OperationRecord], wall: Wall, now: Timestamp) -> [String; 7] {
    [
        payment.id.to_string(),
        subject(payment),
        payment.account.to_string(),
        payment.amount().map_or_else(|| "-".into(), |amount| amount.to_string()),
        payment.status.to_string(),
        wall.time(payment.created_at),
        advice::in_short(payment, unknown, now),
    ]
}

fn subject(payment: &PaymentRecord) -> String {
    match &payment.purpose {
        Purpose::Payment { order, .. } => order.to_string(),
        Purpose::CardSetup { customer } => format!("card of {customer}"),
    }
}

/// A payment as JSON: nothing sealed, no secret, no address of a payer's page.
pub(crate) fn view(payment: &PaymentRecord) -> Value {
    let reference = &payment.reference;
    let (order, customer, charged) = match &payment.purpose {
        Purpose::Payment { order, save_card_for, charged_card, .. } => {
            (Some(order), save_card_for.as_ref(), charged_card.as_ref())
        }
        Purpose::CardSetup { customer } => (None, Some(customer), None),
    };
    json!({
        "id": payment.id, "order": order, "customer": customer, "account": payment.account,
        "amount": payment.amount(), "captured": payment.captured, "parts": payment.parts,
        "refunded": payment.refunded,
        "status": payment.status, "ended_by": payment.ended_by, "operation": payment.operation,
        "confirmed": payment.confirmed, "flow": reference.flow, "merchant_ref": reference.merchant_ref,
        "provider_ref": reference.provider_ref, "charge_ref": reference.charge_ref,
        "description": payment.description, "code": payment.code, "text": payment.text,
        "card": payment.card, "saved_card": payment.saved_card, "charged_card": charged,
        "created_at": payment.created_at, "changed_at": payment.changed_at, "paid_at": payment.paid_at,
        "expires_at": payment.expires_at, "ask_at": payment.ask_at, "asked": payment.asked,
    })
}
