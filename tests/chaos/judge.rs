//! The judge: compares what each order says with the providers' books.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tulbur_tests::Chance;

use super::street::{PROVIDERS, Street};

/// How long the last questions may take.
const PATIENCE: Duration = Duration::from_mins(4);

/// What the run showed.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    orders: usize,
    payments: usize,
    debits: u64,
    paid_events: u64,
    paid_again: u64,
    refunds: u64,
    captures: usize,
    voids: usize,
    for_a_person: usize,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} orders, {} payments, {} debits at the providers: {} paid events, {} paid again; {} refunds, {} captures, \
             {} voids; {} on the list for a person",
            self.orders,
            self.payments,
            self.debits,
            self.paid_events,
            self.paid_again,
            self.refunds,
            self.captures,
            self.voids,
            self.for_a_person
        )
    }
}

/// The providers' books by reference, and what the shop lists for a person.
struct Evidence {
    books: HashMap<(String, String), Value>,
    listed: HashSet<String>,
}

/// Waits until all questions are asked, and panics with everything that does not hold.
pub(crate) async fn judge(street: &Street) -> Verdict {
    // Nobody pays any more: what is open at a provider ends there.
    for provider in PROVIDERS {
        let books = street.sandbox.books(provider);
        for payment in books.payments().await {
            if payment["state"] == "open" {
                let reference = payment["reference"].as_str().unwrap_or_default();
                books.act(reference, "expire", &json!({})).await;
            }
        }
    }
    let began = Instant::now();
    let mut chance = Chance::new(street.seed);
    loop {
        let (verdict, complaints) = look(street, &mut chance).await;
        if complaints.is_empty() {
            return verdict;
        }
        let shown: Vec<&String> = complaints.iter().take(20).collect();
        assert!(
            began.elapsed() < PATIENCE,
            "seed {}: {} complaints, such as {shown:#?}\n{verdict}",
            street.seed,
            complaints.len()
        );
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn look(street: &Street, chance: &mut Chance) -> (Verdict, Vec<String>) {
    let mut evidence = Evidence { books: HashMap::new(), listed: HashSet::new() };
    for provider in PROVIDERS {
        for entry in street.sandbox.books(provider).payments().await {
            let reference = entry["reference"].as_str().unwrap_or_default().to_owned();
            evidence.books.insert((provider.to_owned(), reference), entry);
        }
    }
    let attention = street.json(chance, "api/attention").await;
    for item in attention.as_array().into_iter().flatten() {
        if ["unresolved-operation", "unproven"].iter().any(|kind| item["kind"] == *kind) {
            evidence.listed.extend(item["payment"].as_str().map(str::to_owned));
        }
    }
    let mut verdict = Verdict::default();
    let mut complaints = Vec::new();
    let mut known = HashSet::new();
    let orders = (0..street.orders).map(Street::order_name).chain(["the-card".into()]);
    for order in orders {
        let found = street.callers[0].json(&format!("api/orders/{order}")).await;
        // A shop that died over the very first word of it knows nothing, and nothing was asked of anybody.
        let Some(told) = found else { continue };
        if let Err(complaint) = one_order(&evidence, &told, &mut verdict, &mut known) {
            complaints.push(format!("{order}: {complaint}"));
        }
    }
    for ((provider, reference), entry) in &evidence.books {
        let debits = entry["debits"].as_u64().unwrap_or(0);
        if debits > 0 && entry["kind"] != "card-setup" && !known.contains(reference) {
            complaints.push(format!("{provider} took money for {reference}, which no order knows"));
        }
    }
    (verdict, complaints)
}

fn one_order(
    evidence: &Evidence,
    told: &Value,
    verdict: &mut Verdict,
    known: &mut HashSet<String>,
) -> Result<(), String> {
    verdict.orders += 1;
    let mut paid = 0;
    for payment in told["payments"].as_array().into_iter().flatten() {
        verdict.payments += 1;
        let text = |name: &str| payment[name].as_str().unwrap_or_default().to_owned();
        let (id, reference, status) = (text("id"), text("reference"), text("status"));
        known.insert(reference.clone());
        let entry = evidence.books.get(&(text("account"), reference.clone()));
        let debits = entry.and_then(|entry| entry["debits"].as_u64()).unwrap_or(0);
        verdict.debits += debits;
        if debits > 1 {
            return Err(format!("{reference} was debited {debits} times"));
        }
        let listed = evidence.listed.contains(&id);
        let is_paid = status == "paid";
        if is_paid && debits == 0 {
            return Err(format!("{reference} is paid here, and nobody was debited: {payment}"));
        }
        if !is_paid && debits == 1 && !listed {
            return Err(format!("{reference} was debited and is {status} here, and not listed: {payment}"));
        }
        if status == "pending" && !listed {
            return Err(format!("{reference} is stuck: {payment}"));
        }
        verdict.for_a_person += usize::from(listed);
        paid += u64::from(is_paid);
        operations(entry, payment, listed, verdict)?;
    }
    let count = |name: &str| told[name].as_u64().unwrap_or(0);
    let found = (count("paid_events"), count("shipped"), count("paid_again_events"));
    verdict.paid_events += found.0;
    verdict.paid_again += found.2;
    if found == (paid.min(1), paid.min(1), paid.saturating_sub(1)) {
        Ok(())
    } else {
        Err(format!("{paid} payments were paid, but (paid, shipped, paid again) is {found:?}: {told}"))
    }
}

/// Each refund happened at most once, and each that the shop takes for done is in the books.
fn operations(
    entry: Option<&Value>,
    payment: &Value,
    listed: bool,
    verdict: &mut Verdict,
) -> Result<(), String> {
    let refunds = entry.and_then(|entry| entry["refunds"].as_u64()).unwrap_or(0);
    let mut done = 0;
    let mut unknown = 0;
    for operation in payment["operations"].as_array().into_iter().flatten() {
        let (kind, state) = (operation["kind"].as_str(), operation["state"].as_str());
        match (kind, state) {
            (Some("refund"), Some("succeeded")) => done += 1,
            (Some("refund"), Some("unknown")) => unknown += 1,
            (Some("capture"), Some("succeeded")) => verdict.captures += 1,
            (Some("void"), Some("succeeded")) => verdict.voids += 1,
            _ => {}
        }
        let open = matches!(state, Some("reserved" | "submitted"));
        if open || (state == Some("unknown") && kind != Some("cancel") && !listed) {
            return Err(format!("an operation is stuck and not listed: {operation}"));
        }
    }
    verdict.refunds += done;
    if refunds < done || refunds > done + unknown {
        return Err(format!(
            "{refunds} refunds in the books, {done} done and {unknown} unknown here: {payment}"
        ));
    }
    Ok(())
}
