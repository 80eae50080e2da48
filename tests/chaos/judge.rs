//! The judge: compares what each order says with the providers' books.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tulbur_tests::Chance;

use super::street::{PROVIDERS, Street};

mod tests;

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
    refunds: usize,
    captures: usize,
    voids: usize,
    payments_listed: usize,
    operations_listed: usize,
    links_unproven: usize,
    charges_unnamed: usize,
    captures_untold: usize,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} orders, {} payments, {} debits at the providers: {} paid events, {} paid again; {} refunds, {} captures, \
             {} voids; {} payments and {} operations on the list for a person, among them debited: {} links, {} \
             charges and {} captures",
            self.orders,
            self.payments,
            self.debits,
            self.paid_events,
            self.paid_again,
            self.refunds,
            self.captures,
            self.voids,
            self.payments_listed,
            self.operations_listed,
            self.links_unproven,
            self.charges_unnamed,
            self.captures_untold
        )
    }
}

/// The providers' books by reference, and what the shop lists for a person.
struct Evidence {
    books: HashMap<(String, String), Value>,
    /// The keys of the items, each of which names one payment or one operation.
    listed: HashSet<String>,
    /// How many refunds of each payment were asked for, by its id.
    refunds_asked: HashMap<String, u64>,
}

impl Evidence {
    /// Whether the payment itself is listed; an operation on it is listed by [`Evidence::has_operation`].
    fn has_payment(&self, id: &str) -> bool {
        ["unresolved-operation", "unproven"].iter().any(|kind| self.listed.contains(&format!("{kind}/{id}")))
    }

    /// Whether it is listed that more was given back than was taken.
    fn has_too_much_refunded(&self, id: &str) -> bool {
        self.listed.contains(&format!("over-refunded/{id}"))
    }

    fn has_operation(&self, reference: &str) -> bool {
        self.listed.contains(&format!("unresolved-operation/{reference}"))
    }
}

/// Why nobody can ask whether a payment's money was taken. Only then may it be on the list for a person instead of being
/// found; the three are counted apart, and all are Galaxy's.
enum Unaskable {
    /// A payment link: the gateway offers no question about it (`QueryBy::Nothing`).
    Link,
    /// A charge whose answer was lost, and all its notifications too: the gateway is asked by its own id only
    /// (`QueryBy::ProviderRef`), and nobody here has that.
    Charge,
    /// A capture whose answer was lost: a question about held money has the same answer before it and after
    /// (`FLOW_AUTHORIZE`), and nothing else tells of it.
    Capture,
}

impl Unaskable {
    /// Why, if what nobody knows is listed for a person: the payment, or its capture.
    fn of(evidence: &Evidence, entry: Option<&Value>, payment: &Value) -> Option<Self> {
        if payment["account"] != "galaxy-pay" {
            return None;
        }
        if evidence.has_payment(&text_of(payment, "id")) {
            if entry.is_some_and(|entry| entry["kind"] == "payment-link") {
                return Some(Self::Link);
            }
            if payment["operation"] == "unknown" && payment["provider_reference"].is_null() {
                return Some(Self::Charge);
            }
        }
        let mut operations = payment["operations"].as_array().into_iter().flatten();
        let untold = payment["status"] == "authorized"
            && operations.any(|operation| {
                operation["kind"] == "capture"
                    && operation["state"] == "unknown"
                    && evidence.has_operation(&text_of(operation, "reference"))
            });
        untold.then_some(Self::Capture)
    }
}

/// What one look at all orders showed.
#[derive(Default)]
struct Look {
    verdict: Verdict,
    complaints: Vec<String>,
    /// Orders and payments whose money is held, and nobody has taken it or let it go.
    held: Vec<(String, String)>,
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
    for round in 0.. {
        let Look { verdict, complaints, held } = look(street, &mut chance).await;
        if complaints.is_empty() {
            return verdict;
        }
        // A customer may have left before the money was held. Then the shop takes it when it closes, or lets it go if
        // the order was paid in another way; only what it can do neither with stays a complaint.
        let action = if round % 2 == 0 { "capture" } else { "void" };
        for (order, payment) in held {
            let key = format!("closing-{round}-{payment}");
            let form = [("payment", payment.as_str()), ("action", action), ("key", key.as_str())];
            street.caller(&mut chance).post(&format!("orders/{order}/counter"), &form).await;
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
    unreachable!("the rounds end by a verdict or by impatience")
}

async fn look(street: &Street, chance: &mut Chance) -> Look {
    let refunds_asked = street.refunds_asked.lock().expect("no customer panicked").clone();
    let mut evidence = Evidence { books: HashMap::new(), listed: HashSet::new(), refunds_asked };
    for provider in PROVIDERS {
        for entry in street.sandbox.books(provider).payments().await {
            let reference = entry["reference"].as_str().unwrap_or_default().to_owned();
            evidence.books.insert((provider.to_owned(), reference), entry);
        }
    }
    let attention = street.json(chance, "api/attention").await;
    for item in attention.as_array().into_iter().flatten() {
        evidence.listed.extend(item["key"].as_str().map(str::to_owned));
    }
    let mut told = Vec::new();
    let mut untold = Vec::new();
    let orders = (0..street.orders).map(Street::order_name).chain(["the-card".into()]);
    for order in orders {
        let path = format!("api/orders/{order}");
        match street.callers[0].get(&path).await {
            Some((200, order)) => told.push(order),
            // A shop that died over the very first word of it knows nothing, and nothing was asked of anybody.
            Some((404, _)) => {}
            other => untold.push(format!("{order}: the shop cannot tell of it: {other:?}")),
        }
    }
    let mut look = compare(&evidence, &told);
    look.complaints.extend(untold);
    look
}

/// What the orders say of themselves, beside the evidence.
fn compare(evidence: &Evidence, orders: &[Value]) -> Look {
    let mut seen = Look::default();
    let mut known = HashSet::new();
    for order in orders {
        if let Err(complaint) = one_order(evidence, order, &mut seen, &mut known) {
            seen.complaints.push(format!("{}: {complaint}", text_of(order, "order")));
        }
    }
    for ((provider, reference), entry) in &evidence.books {
        let debits = entry["debits"].as_u64().unwrap_or(0);
        if debits > 0 && entry["kind"] != "card-setup" && !known.contains(reference) {
            seen.complaints.push(format!("{provider} took money for {reference}, which no order knows"));
        }
    }
    seen
}

fn one_order(
    evidence: &Evidence,
    told: &Value,
    seen: &mut Look,
    known: &mut HashSet<String>,
) -> Result<(), String> {
    seen.verdict.orders += 1;
    let mut paid = 0;
    let payments = told["payments"].as_array().map_or(&[][..], Vec::as_slice);
    known.extend(payments.iter().map(|payment| text_of(payment, "reference")));
    for payment in payments {
        let text = |name: &str| text_of(payment, name);
        let entry = evidence.books.get(&(text("account"), text("reference")));
        paid += u64::from(payment["status"] == "paid");
        one_payment(evidence, entry, payment, &mut seen.verdict)?;
        let operations = one_payments_operations(evidence, entry, payment, &mut seen.verdict)?;
        if payment["status"] == "authorized" && !operations.settle_what_is_held {
            seen.held.push((text_of(told, "order"), text("id")));
            return Err(format!("money is held, and nobody takes it or lets it go: {payment}"));
        }
    }
    let count = |name: &str| told[name].as_u64().unwrap_or(0);
    let found = (count("paid_events"), count("shipped"), count("paid_again_events"));
    seen.verdict.paid_events += found.0;
    seen.verdict.paid_again += found.2;
    if found == (paid.min(1), paid.min(1), paid.saturating_sub(1)) {
        Ok(())
    } else {
        Err(format!("{paid} payments were paid, but (paid, shipped, paid again) is {found:?}: {told}"))
    }
}

fn text_of(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// The payment is what the books say, or it is listed because nobody can say.
fn one_payment(
    evidence: &Evidence,
    entry: Option<&Value>,
    payment: &Value,
    verdict: &mut Verdict,
) -> Result<(), String> {
    let (reference, status) = (text_of(payment, "reference"), text_of(payment, "status"));
    let debits = entry.and_then(|entry| entry["debits"].as_u64()).unwrap_or(0);
    verdict.payments += 1;
    verdict.debits += debits;
    if debits > 1 {
        return Err(format!("{reference} was debited {debits} times"));
    }
    let is_paid = status == "paid";
    let listed = evidence.has_payment(&text_of(payment, "id"));
    if is_paid && debits == 0 {
        return Err(format!("{reference} is paid here, and nobody was debited: {payment}"));
    }
    if is_paid && listed {
        return Err(format!("{reference} is paid, and still on the list as if nobody knew: {payment}"));
    }
    if !is_paid && debits == 1 {
        match Unaskable::of(evidence, entry, payment) {
            Some(Unaskable::Link) => verdict.links_unproven += 1,
            Some(Unaskable::Charge) => verdict.charges_unnamed += 1,
            Some(Unaskable::Capture) => verdict.captures_untold += 1,
            None => {
                return Err(format!(
                    "{reference} was debited and is {status} here, and is not listed, or is although its provider can \
                     be asked: {payment}"
                ));
            }
        }
    }
    if status == "pending" && !listed {
        return Err(format!("{reference} is stuck: {payment}"));
    }
    verdict.payments_listed += usize::from(listed);
    Ok(())
}

/// What a payment's operations say about it.
#[derive(Default)]
struct Operations {
    /// A capture or a void may have happened, and is listed for a person.
    settle_what_is_held: bool,
}

/// Each operation is over or listed by itself; each refund happened at most once, and each that the shop takes for done is
/// in the books.
fn one_payments_operations(
    evidence: &Evidence,
    entry: Option<&Value>,
    payment: &Value,
    verdict: &mut Verdict,
) -> Result<Operations, String> {
    let mut found = Operations::default();
    let (mut done, mut unknown) = (Vec::new(), Vec::new());
    for operation in payment["operations"].as_array().into_iter().flatten() {
        let (kind, state) = (text_of(operation, "kind"), text_of(operation, "state"));
        let listed = evidence.has_operation(&text_of(operation, "reference"));
        // A cancel only tells the provider what is over here: whether it took it is worth nobody's time.
        let may_stay = state == "unknown" && (listed || kind == "cancel");
        if !may_stay && !matches!(state.as_str(), "succeeded" | "refused") {
            return Err(format!("a {kind} is stuck and not listed: {operation} of {payment}"));
        }
        if listed && state != "unknown" {
            return Err(format!(
                "a {kind} is {state}, and still on the list as if nobody knew: {operation} of {payment}"
            ));
        }
        verdict.operations_listed += usize::from(listed);
        match (kind.as_str(), state.as_str()) {
            ("refund", "succeeded") => done.push(operation),
            ("refund", "unknown") => unknown.push(operation),
            ("capture", "succeeded") => verdict.captures += 1,
            ("void", "succeeded") => verdict.voids += 1,
            ("capture" | "void", "unknown") => found.settle_what_is_held = true,
            _ => {}
        }
    }
    verdict.refunds += done.len();
    let listed = evidence.has_too_much_refunded(&text_of(payment, "id"));
    refunds(entry, payment, &done, &unknown, listed)?;
    let asked = evidence.refunds_asked.get(&text_of(payment, "id")).copied().unwrap_or(0);
    refunds_are_within_bounds(entry, payment, asked)?;
    Ok(found)
}

/// The refunds in the books are those that are done here, and perhaps some that are unknown: by their ids where the
/// provider keeps ours, else by their number and sum. Where a provider's answer told of more than it gave, which the fault of
/// the tampered amount does, that is what was recorded, and it is listed.
fn refunds(
    entry: Option<&Value>,
    payment: &Value,
    done: &[&Value],
    unknown: &[&Value],
    too_much_is_listed: bool,
) -> Result<(), String> {
    let amount = |operation: &&Value| hundredths(&operation["amount"]);
    let sum_done: u64 = done.iter().map(amount).sum();
    if hundredths(&payment["refunded"]) != sum_done {
        return Err(format!("what is given back is not the sum of its refunds: {payment}"));
    }
    let wrong =
        |books: &Value| Err(format!("the books have the refunds {books}, here are others: {payment}"));
    if let Some(orders) = entry.and_then(|entry| entry["refundOrders"].as_object()) {
        let is_in = |operation: &&Value| {
            let there = orders.get(&text_of(operation, "reference"));
            there.map(|there| hundredths(there) == amount(operation))
        };
        let fit = done.iter().all(|operation| is_in(operation) == Some(true))
            && unknown.iter().all(|operation| is_in(operation) != Some(false));
        let expected = done.len() + unknown.iter().filter(|operation| is_in(operation).is_some()).count();
        let count = entry.and_then(|entry| entry["refunds"].as_u64());
        if !fit || orders.len() != expected || count != u64::try_from(expected).ok() {
            return wrong(&json!(orders));
        }
        return Ok(());
    }
    let count = entry.and_then(|entry| entry["refunds"].as_u64()).unwrap_or(0);
    let sum = entry.map_or(0, |entry| hundredths(&entry["refunded"]));
    // What of the unknown ones, in every choice, may have happened besides.
    let mut possible = vec![(u64::try_from(done.len()).unwrap_or(u64::MAX), sum_done)];
    for operation in unknown {
        let with_it: Vec<_> =
            possible.iter().map(|(count, sum)| (count + 1, sum + amount(operation))).collect();
        possible.extend(with_it);
    }
    let fits = |(number, total): &(u64, u64)| {
        *number == count && (*total == sum || (too_much_is_listed && *total > sum))
    };
    if possible.iter().any(fits) { Ok(()) } else { wrong(&json!({ "count": count, "sum": sum })) }
}

/// Checks that each requested refund happened at most once, and that no more was refunded than was taken.
fn refunds_are_within_bounds(entry: Option<&Value>, payment: &Value, asked: u64) -> Result<(), String> {
    let Some(entry) = entry else { return Ok(()) };
    let count = entry["refunds"].as_u64().unwrap_or(0);
    if count > asked {
        return Err(format!("{asked} refunds were asked for, and {count} are in the books: {payment}"));
    }
    let orders = entry["refundOrders"].as_object();
    let given = orders.map_or(hundredths(&entry["refunded"]), |orders| orders.values().map(hundredths).sum());
    if count > 0 && given > hundredths(&entry["amount"]) {
        return Err(format!("more was given back than was taken: {entry}"));
    }
    Ok(())
}

/// Reads `1500.00 MNT`, `500`, `0.5`; nothing is zero.
fn hundredths(amount: &Value) -> u64 {
    let text = amount.as_str().unwrap_or("0");
    let number = text.split(' ').next().unwrap_or_default();
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    format!("{whole}{decimals:0<2}").parse().unwrap_or_else(|_| panic!("`{text}` is an amount"))
}
