//! Tests that metrics count each step once; names are those that the book and the dashboard use; no label tells a secret.
#![allow(clippy::disallowed_types, reason = "the metrics crate's numbers are floats")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::support;
use crate::support::recorder::Recorded;
use crate::support::{Bank, Shop, Write};
use tulbur_core::{AccountName, CustomerRef, async_trait};
use tulbur_payments::{
    ChargeCard, Event, EventHandler, HandlerError, METRICS, MetricKind, OpenCardSetup, RefundPayment,
    describe_metrics,
};

struct NeverWorks;

#[async_trait]
impl EventHandler for NeverWorks {
    async fn handle(&self, event: &Event) -> Result<(), HandlerError> {
        if event.kind.name() == "declined" { Err("planted failure".into()) } else { Ok(()) }
    }
}

async fn shop_with_handlers() -> Shop {
    let mut shop = Shop::open().await;
    let mut bank = Bank::new("bank");
    bank.state = Arc::clone(&shop.bank);
    shop.payments = support::builder(&shop.folder.path().join("shop.db"), &shop.clock)
        .await
        .account(Arc::new(bank))
        .handler("told", shop.told.clone())
        .handler("never-works", Arc::new(NeverWorks))
        .build()
        .await
        .unwrap();
    shop
}

/// A day with one of everything.
async fn a_day(shop: &Shop) {
    // Paid, told three times; refunded, and another refund that nobody knows about.
    let paid = shop.payments.open(shop.request("planted-order", 1500)).await.unwrap();
    shop.pay(&paid.reference.merchant_ref);
    let body = Shop::body(&paid.reference.merchant_ref, "000", "1500.00");
    for _ in 0..3 {
        shop.notify(&body).await;
    }
    shop.notify("nonsense").await;
    shop.work().await;
    let refund = |units| {
        let mut refund = RefundPayment::new(paid.id.clone(), "one came back");
        refund.amount = Some(support::mnt(units));
        refund
    };
    shop.payments.refund(refund(100)).await.unwrap();
    shop.bank.lock().unwrap().operation = Write::AnswerLost;
    shop.payments.refund(refund(200)).await.unwrap();
    // Declined, and its handler never works.
    let declined = shop.payments.open(shop.request("declined", 1500)).await.unwrap();
    let body = Shop::body(&declined.reference.merchant_ref, "051", "1500.00");
    shop.notify(&body).await;
    // A card, and a charge of which nobody knows.
    let customer = CustomerRef::parse("planted-customer").unwrap();
    let account = AccountName::parse("bank").unwrap();
    let setup = shop.payments.save_card(OpenCardSetup::new(customer.clone(), account)).await.unwrap();
    shop.pay(&setup.reference.merchant_ref);
    shop.payments.query(&setup.id).await.unwrap();
    let card = shop.payments.cards(&customer).await.unwrap().remove(0);
    shop.bank.lock().unwrap().write = Write::LostBefore;
    let charge = ChargeCard::new(shop.order("charge"), customer, card.id, support::mnt(10), "One thing");
    shop.payments.charge(charge).await.unwrap();
    for _ in 0..40 {
        shop.work().await;
        shop.clock.advance(Duration::from_mins(10));
    }
    // The bank goes away while ten payments are open.
    for number in 0..10 {
        shop.payments.open(shop.request(&number.to_string(), 1500)).await.unwrap();
    }
    shop.bank.lock().unwrap().down = true;
    shop.clock.advance(Duration::from_mins(1));
    shop.work().await;
    shop.payments.sample_metrics().await.unwrap();
}

#[tokio::test]
async fn a_day_is_counted() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let shop = shop_with_handlers().await;
    Box::pin(a_day(&shop)).await;
    let count = |name: &str, labels: &[(&str, &str)]| {
        recorded.get(name, labels).map_or(0.0, |value| value.sum()).to_string()
    };
    let last = |name: &str, labels: &[(&str, &str)]| {
        recorded.get(name, labels).unwrap_or_else(|| panic!("{name}{labels:?}")).last().to_string()
    };
    for (name, labels, expected) in [
        ("tulbur_payments_opened_total", vec![("account", "bank")], "14"),
        ("tulbur_payment_events_total", vec![("kind", "paid")], "1"),
        ("tulbur_payment_events_total", vec![("kind", "declined")], "1"),
        ("tulbur_payment_events_total", vec![("kind", "card-saved")], "1"),
        ("tulbur_payment_events_total", vec![("kind", "refunded")], "1"),
        ("tulbur_payments_unknown_total", vec![("account", "bank")], "1"),
        ("tulbur_operations_total", vec![("kind", "refund"), ("state", "succeeded")], "1"),
        ("tulbur_operations_total", vec![("kind", "refund"), ("state", "unknown")], "1"),
        ("tulbur_operations_total", vec![("kind", "refund"), ("state", "reserved")], "2"),
        ("tulbur_notifications_total", vec![("verdict", "accepted")], "2"),
        ("tulbur_notifications_total", vec![("verdict", "repeat")], "2"),
        ("tulbur_notifications_total", vec![("verdict", "refused")], "1"),
        ("tulbur_attention_total", vec![("reason", "unresolved-operation")], "2"),
        ("tulbur_questions_total", vec![("account", "bank"), ("outcome", "unavailable")], "5"),
        ("tulbur_handler_calls_total", vec![("handler", "never-works"), ("result", "failed")], "20"),
        ("tulbur_events_parked_total", vec![("handler", "never-works")], "1"),
    ] {
        assert_eq!(count(name, &labels), expected, "{name} {labels:?}");
    }
    for (name, labels, expected) in [
        ("tulbur_circuit_open", vec![("account", "bank")], "1"),
        ("tulbur_payments_open", vec![], "11"),
        ("tulbur_unresolved", vec![], "2"),
        ("tulbur_outbox_parked", vec![("handler", "never-works")], "1"),
        ("tulbur_outbox_parked", vec![("handler", "told")], "0"),
        ("tulbur_outbox_pending", vec![("handler", "told")], "0"),
        ("tulbur_attention_open", vec![("reason", "undelivered")], "1"),
        ("tulbur_attention_open", vec![("reason", "unresolved-operation")], "2"),
        ("tulbur_attention_open", vec![("reason", "paid-again")], "0"),
    ] {
        assert_eq!(last(name, &labels), expected, "{name} {labels:?}");
    }
    assert_eq!(recorded.get("tulbur_intake_seconds", &[]).unwrap().all().len(), 5);
    assert!(recorded.get("tulbur_commit_seconds", &[]).unwrap().all().iter().all(|seconds| *seconds > 0.0));
    assert!(recorded.get("tulbur_payments_oldest_open_seconds", &[]).unwrap().last() >= 60.0);

    // Every metric is emitted as it is declared, and nothing else is.
    let keys = recorded.keys();
    for (name, labels) in &keys {
        let metric = METRICS.iter().find(|metric| metric.name == name);
        let metric = metric.unwrap_or_else(|| panic!("{name} is emitted and not declared"));
        let mut given: Vec<&str> = labels.iter().map(|(label, _)| label.as_str()).collect();
        let mut declared = metric.labels.to_vec();
        given.sort_unstable();
        declared.sort_unstable();
        assert_eq!(given, declared, "{name}");
        for (label, value) in labels {
            let word = value.bytes().all(|b| b.is_ascii_lowercase() || b"-_".contains(&b));
            assert!(word && value.len() < 30 && !value.contains("planted"), "{name}{{{label}={value}}}");
        }
    }
    let emitted: BTreeSet<&str> = keys.iter().map(|(name, _)| name.as_str()).collect();
    for metric in METRICS {
        // A store that puts no commits together has no size of a batch to tell.
        let optional = metric.name == "tulbur_commit_batch_size";
        assert!(optional || emitted.contains(metric.name), "{} is declared and not emitted", metric.name);
    }
}

/// What arrives while the database is busy is written with one wait for the disk.
#[tokio::test]
async fn what_arrives_at_once_is_committed_together() {
    use sqlx::{Connection, SqliteConnection};

    let mut shop = Shop::open().await;
    let mut bodies = Vec::new();
    for number in 0..64 {
        let payment = shop.payments.open(shop.request(&number.to_string(), 1500)).await.unwrap();
        bodies.push(Shop::body(&payment.reference.merchant_ref, "000", "1500.00"));
    }
    // Another writer keeps the database busy until all of them have arrived.
    shop.restart_with(|options| options.busy_timeout(Duration::from_mins(1))).await;
    let mut busy =
        SqliteConnection::connect_with(&support::options(&shop.folder.path().join("shop.db"))).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut busy).await.unwrap();
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let arrived = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut busy).await.unwrap();
    };
    let arriving = futures_util::future::join_all(bodies.iter().map(|body| shop.notify(body)));
    let (replies, ()) = tokio::join!(arriving, arrived);
    assert!(replies.iter().all(|reply| reply.status == 200));
    let sizes = recorded.get("tulbur_commit_batch_size", &[]).unwrap().all();
    let (commits, most) = (sizes.iter().sum::<f64>(), sizes.iter().copied().fold(0.0, f64::max));
    assert!(commits >= 64.0, "each notification is committed: {sizes:?}");
    // Only the first goes alone: the others wait for it.
    assert!(most > 1.0 && sizes.len() < 32, "{} transactions: {sizes:?}", sizes.len());
}

#[test]
fn metrics_describe_themselves() {
    let recorded = Recorded::default();
    metrics::with_local_recorder(&recorded, describe_metrics);
    let described = recorded.described.lock().unwrap();
    assert_eq!(described.len(), METRICS.len());
    for metric in METRICS {
        assert!(metric.name.starts_with("tulbur_") && !described[metric.name].is_empty());
        let total = metric.name.ends_with("_total");
        assert_eq!(total, metric.kind == MetricKind::Counter, "{}", metric.name);
    }
}

fn project_file(path: &str) -> String {
    let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The words of a text that begin like our metrics.
fn names_in(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("tulbur_"))
        .map(str::to_owned)
        .collect()
}

/// The name without what Prometheus puts behind a histogram's.
fn base(name: &str) -> &str {
    ["_bucket", "_sum", "_count"].into_iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

#[test]
fn the_dashboard_and_the_book_use_the_names_of_the_code() {
    let of_core = names_in(&project_file("core/src/layers.rs"));
    assert_eq!(of_core.len(), 2, "{of_core:?}");
    let kind = |name: &str| METRICS.iter().find(|metric| metric.name == name).map(|metric| metric.kind);
    let known = |name: &str| {
        let plain = of_core.contains(name) || kind(name).is_some_and(|kind| kind != MetricKind::Histogram);
        let spread = name != base(name)
            && (of_core.contains(base(name)) || kind(base(name)) == Some(MetricKind::Histogram));
        plain || spread
    };
    let text = project_file("docs/dashboards/tulbur.json");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let mut used = BTreeSet::new();
    for panel in panels {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let names = names_in(target["expr"].as_str().expect("a target has an expression"));
            assert!(!names.is_empty(), "a target that looks at nothing of ours: {target}");
            for name in names {
                assert!(known(&name), "`{name}` in panel {} is no metric of the code", panel["title"]);
                used.insert(base(&name).to_owned());
            }
        }
    }
    for metric in METRICS {
        assert!(used.contains(metric.name), "no panel shows {}", metric.name);
    }
    let page = project_file("docs/src/observability.md");
    let on_page = names_in(&page);
    for metric in METRICS {
        assert!(on_page.contains(metric.name), "the book does not say {}", metric.name);
    }
    for name in &on_page {
        let exists = known(name) || kind(name).is_some() || of_core.contains(name);
        assert!(exists, "the book names `{name}`, which does not exist");
    }
}
