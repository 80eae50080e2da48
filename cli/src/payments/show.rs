//! `tulbur payments show`.

use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};
use tulbur::core::PaidPart;
use tulbur::payments::store::EventDelivery;
use tulbur::payments::{
    AttentionItem, EventKind, HistoryEntry, OperationRecord, OrderRecord, PaymentRecord, Purpose, Store,
    Timing,
};
use tulbur::{NextAction, OrderRef, Timestamp};

use super::find::find;
use super::{advice, list};
use crate::out::{Failure, Wall, bold, facts, indented, now, print, print_json, table};

/// The options of `tulbur payments show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tulbur payments show order-1042
  tulbur payments show 0193f2c8a4b77c1e9d3f5a6b7c8d9e0f --offset +08:00
  tulbur payments show order-1042 --json | jq '.payments[].status'")]
pub(super) struct Options {
    /// The shop's order, our payment id, our reference at the provider, or the provider's
    name: String,
}

/// Everything about an order, or about one card set-up.
struct Everything {
    order: Option<OrderRecord>,
    payments: Vec<(PaymentRecord, Vec<OperationRecord>)>,
    deliveries: Vec<EventDelivery>,
    attention: Vec<AttentionItem>,
    history: Vec<HistoryEntry>,
}

pub(super) async fn run(options: &Options, store: &dyn Store, wall: Wall, json: bool) -> Result<(), Failure> {
    let everything = read(store, &options.name).await?;
    if json {
        return print_json(&everything.view());
    }
    Ok(print(&everything.text(wall, now()))?)
}

async fn read(store: &dyn Store, name: &str) -> Result<Everything, Failure> {
    let found = find(store, name).await?;
    let orders: std::collections::BTreeSet<Option<&str>> =
        found.iter().map(|payment| payment.order().map(OrderRef::as_str)).collect();
    if orders.len() > 1 {
        let names: Vec<String> = found.iter().map(|payment| payment.id.to_string()).collect();
        return Err(Failure::new(format!(
            "`{name}` means more than one payment; name one: {}",
            names.join(", ")
        )));
    }
    let Some(first) = found.first() else {
        return Err(Failure::new(format!("order `{name}` has no payment")));
    };
    let order = match first.order() {
        Some(order) => store.order(order).await?,
        None => None,
    };
    let (order, records) = match order {
        Some(order) => (Some(order.record), order.payments),
        None => (None, found.clone()),
    };
    let mut payments = Vec::new();
    for payment in records {
        let operations = store.operations(&payment.id).await?;
        payments.push((payment, operations));
    }
    let reference = order.as_ref().map(|order| &order.order);
    let deliveries = store.deliveries(reference, &first.id).await?;
    let history = match reference {
        Some(order) => store.history(order).await?,
        None => store.payment_history(&first.id).await?,
    };
    let mut attention = store.attention().await?;
    attention.retain(|item| {
        let ours = payments.iter().any(|(payment, _)| item.payment.as_ref() == Some(&payment.id));
        ours || (item.order.is_some() && item.order.as_ref() == reference)
    });
    Ok(Everything { order, payments, deliveries, attention, history })
}

impl Everything {
    fn view(&self) -> Value {
        let payments: Vec<Value> = self
            .payments
            .iter()
            .map(|(payment, operations)| {
                let mut view = list::view(payment);
                view["operations"] = json!(operations);
                view
            })
            .collect();
        let events: Vec<Value> = self
            .deliveries
            .iter()
            .map(|one| {
                let handlers: Vec<Value> = one
                    .handlers
                    .iter()
                    .map(|part| {
                        json!({
                            "handler": part.handler, "state": part.state.as_str(), "attempts": part.attempts,
                            "at": part.at,
                        })
                    })
                    .collect();
                json!({
                    "id": one.event.id, "at": one.event.at, "kind": one.event.kind,
                    "event": one.event.read.as_ref().ok(), "handlers": handlers,
                })
            })
            .collect();
        json!({
            "order": self.order, "payments": payments, "events": events, "attention": self.attention,
            "history": self.history,
        })
    }

    fn text(&self, wall: Wall, now: Timestamp) -> String {
        let mut parts = vec![self.title(wall)];
        let mut advices: Vec<String> = Vec::new();
        for item in &self.attention {
            advices.push(format!("{}: {}. {}", item.kind, item.detail, advice::for_item(item)));
        }
        for (payment, operations) in &self.payments {
            let several = self.payments.len() > 1;
            for line in advice::for_payment(payment, operations, wall, now) {
                advices.push(if several {
                    format!("…{}: {line}", short(payment.id.as_str()))
                } else {
                    line
                });
            }
        }
        if let Some((payment, _)) = self.payments.last() {
            advices.extend(advice::for_events(&self.deliveries, payment.id.as_str(), now));
        }
        let advices: Vec<String> =
            advices.iter().map(|line| format!("  * {}", line.replace('\n', " "))).collect();
        parts.push(format!("{}\n{}", bold("How it stands, and what comes next"), advices.join("\n")));
        for (payment, operations) in &self.payments {
            parts.push(payment_text(payment, operations, wall));
        }
        if !self.deliveries.is_empty() {
            parts.push(format!("{}\n{}", bold("Events for the application"), indented(&self.events(wall))));
        }
        parts.push(format!("{}\n{}", bold("History"), indented(&self.history(wall))));
        parts.push(format!("Times are {}.", wall.name()));
        parts.join("\n\n")
    }

    fn title(&self, wall: Wall) -> String {
        let Some(order) = &self.order else {
            return bold("A card set-up");
        };
        let state = match &order.paid_by {
            Some(payment) => format!("paid by payment {payment}"),
            None => "not paid".into(),
        };
        let title = bold(&format!("Order {}: {}, {state}", order.order, order.amount));
        format!("{title}\n  first opened {}", wall.time(order.created_at))
    }

    fn events(&self, wall: Wall) -> String {
        let rows: Vec<[String; 4]> = self
            .deliveries
            .iter()
            .map(|one| {
                let parts: Vec<String> = one
                    .handlers
                    .iter()
                    .map(|part| match part.attempts {
                        0 | 1 => format!("{} {}", part.handler, part.state),
                        tries => format!("{} {} ({tries} tries)", part.handler, part.state),
                    })
                    .collect();
                [
                    wall.time(one.event.at),
                    one.event.kind.clone(),
                    parts.join(", "),
                    match &one.event.read {
                        Ok(event) => told(&event.kind),
                        Err(why) => format!("cannot be read: {why}"),
                    },
                ]
            })
            .collect();
        table(["at", "event", "handlers", ""], &rows)
    }

    fn history(&self, wall: Wall) -> String {
        let rows: Vec<[String; 5]> = self
            .history
            .iter()
            .map(|entry| {
                [
                    wall.time(entry.at),
                    format!("…{}", short(entry.payment.as_str())),
                    entry.source.to_string(),
                    entry.change.map(|(from, to)| format!("{from} → {to}")).unwrap_or_default(),
                    entry.what.clone(),
                ]
            })
            .collect();
        table(["at", "payment", "learnt by", "change", "what"], &rows)
    }
}

fn short(id: &str) -> &str {
    id.get(id.len().saturating_sub(6)..).unwrap_or(id)
}

fn payment_text(payment: &PaymentRecord, operations: &[OperationRecord], wall: Wall) -> String {
    let time = |at: Option<Timestamp>| at.map(|at| wall.time(at));
    let text = |value: Option<&str>| value.map(str::to_owned);
    let reference = &payment.reference;
    let card = &payment.card;
    let card_text: Vec<&str> = [card.masked_number.as_deref(), card.brand.as_deref(), card.bank.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    let said: Vec<&str> =
        [&payment.code, &payment.text].into_iter().filter_map(|part| part.as_deref()).collect();
    let (charged, customer) = match &payment.purpose {
        Purpose::Payment { charged_card, save_card_for, .. } => {
            (charged_card.as_ref(), save_card_for.as_ref())
        }
        Purpose::CardSetup { customer } => (None, Some(customer)),
    };
    let mut next: Vec<&str> = payment.next.iter().map(action).collect();
    // One page in several languages is one thing to do.
    next.dedup();
    let parts: Vec<String> = payment.parts.iter().map(part).collect();
    let mut out = format!(
        "{}\n{}",
        bold(&format!("Payment {}: {}", payment.id, payment.status)),
        facts(&[
            ("amount", payment.amount().map(|amount| amount.to_string())),
            ("captured", payment.captured.map(|amount| amount.to_string())),
            ("came", Some(parts.join(", ")).filter(|text| !text.is_empty())),
            ("given back", payment.refunded.map(|amount| amount.to_string())),
            ("account", Some(format!("{} (flow {})", payment.account, reference.flow))),
            ("our reference", Some(reference.merchant_ref.to_string())),
            ("provider's", text(reference.provider_ref.as_ref().map(tulbur::core::ProviderRef::as_str))),
            ("its charge", text(reference.charge_ref.as_ref().map(tulbur::core::ChargeRef::as_str))),
            ("description", Some(payment.description.clone()).filter(|text| !text.is_empty())),
            ("opening", Some(payment.operation.to_string())),
            ("payer can", Some(next.join(", ")).filter(|text| !text.is_empty())),
            ("provider says", Some(said.join(" ")).filter(|text| !text.is_empty())),
            ("card", Some(card_text.join(", ")).filter(|text| !text.is_empty())),
            ("charged card", charged.map(ToString::to_string)),
            ("saved card", payment.saved_card.as_ref().map(ToString::to_string)),
            ("customer", customer.map(ToString::to_string)),
            ("opened", time(Some(payment.created_at))),
            ("paid", time(payment.paid_at)),
            ("payer's time ends", time(payment.expires_at.filter(|_| payment.status.is_open()))),
        ])
    );
    if !operations.is_empty() {
        let rows: Vec<[String; 6]> = operations
            .iter()
            .map(|operation| {
                [
                    operation.operation_ref.to_string(),
                    operation.kind.to_string(),
                    operation.amount.map_or_else(|| "-".into(), |amount| amount.to_string()),
                    operation.state.to_string(),
                    wall.time(operation.created_at),
                    [operation.code.as_deref(), operation.text.as_deref(), Some(operation.reason.as_str())]
                        .into_iter()
                        .flatten()
                        .filter(|text| !text.is_empty())
                        .collect::<Vec<_>>()
                        .join("; "),
                ]
            })
            .collect();
        let table = table(["operation", "what", "amount", "state", "asked for", ""], &rows);
        let _ = write!(out, "\n{}", indented(&table));
    }
    out
}

/// One movement of money, with the name by which a refund names it.
fn part(part: &PaidPart) -> String {
    let method = part.method.as_ref().map_or_else(String::new, |method| format!(" by {method}"));
    let state = match (part.returned, part.refundable) {
        (true, _) => ", given back",
        (false, true) => "",
        (false, false) => ", to be given back by hand only",
    };
    format!("{} (part {}{method}{state})", part.amount, part.charge_ref)
}

/// What the payer can do, without the address: it is the payer's.
fn action(action: &NextAction) -> &'static str {
    match action {
        NextAction::Redirect(_) => "go to the provider's page",
        NextAction::ShowQr(_) => "scan a QR code",
        NextAction::OpenApp(_) => "open an app",
        NextAction::Embed(_) => "use the provider's form",
        NextAction::Approve => "approve it on the phone",
        _ => "go on",
    }
}

fn told(kind: &EventKind) -> String {
    match kind {
        EventKind::Paid { amount, timing: Timing::After(status) } => {
            format!("{amount}, after it was {status}")
        }
        EventKind::Paid { amount, .. }
        | EventKind::PaidAgain { amount }
        | EventKind::Authorized { amount } => amount.to_string(),
        EventKind::Refunded { amount, operation } => format!("{amount} by {operation}"),
        EventKind::OperationRefused { kind, operation, code, text } => {
            let said = [code.as_deref(), text.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
            format!("{kind} {operation}: {said}")
        }
        EventKind::Declined { code, text } => {
            [code.as_deref(), text.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
        EventKind::CardSaved { customer, .. } => format!("of customer {customer}"),
        EventKind::Attention { reason, .. } => reason.to_string(),
        _ => String::new(),
    }
}
