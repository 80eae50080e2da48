//! What metrics and spans cost for each notification, in instructions, which other work on the machine does not change.
//!
//! `cargo bench -p tulbur-payments --features sqlite --bench observe`; needs valgrind.
#![allow(clippy::disallowed_types, reason = "the metrics crate's numbers are floats")]
#![allow(clippy::print_stdout, reason = "what is measured is printed")]

#[path = "../tests/it/support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use support::{Bank, Shop, State};
use tulbur_core::{AccountName, Channel, Delivery, ManualClock, OrderRef, PaymentStatus, Timestamp, Url};
use tulbur_payments::{MemoryStore, NotifyTarget, OpenPayment, Pace, Payments};

const FEW: u32 = 100;
const MANY: u32 = 300;

/// Keeps numbers as exporters do: a map, and atomics behind it.
#[derive(Default)]
struct Exporter(Mutex<HashMap<Key, Arc<Number>>>);

#[derive(Default)]
struct Number {
    count: AtomicU64,
    buckets: [AtomicU64; 12],
}

impl CounterFn for Number {
    fn increment(&self, value: u64) {
        self.count.fetch_add(value, Ordering::Relaxed);
    }
    fn absolute(&self, value: u64) {
        self.count.store(value, Ordering::Relaxed);
    }
}

impl HistogramFn for Number {
    fn record(&self, value: f64) {
        let limits = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0];
        if let Some(bucket) = limits.iter().position(|limit| value <= *limit) {
            self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Exporter {
    fn number(&self, key: &Key) -> Arc<Number> {
        Arc::clone(self.0.lock().unwrap().entry(key.clone()).or_default())
    }
}

impl Recorder for Exporter {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.number(key))
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.number(key))
    }
}

/// Opens payments, and takes a notification for each of them if that is wanted: the store in memory, so that only our
/// own work is counted.
async fn payments(count: u32, notify: bool) {
    let bank = Bank::new("bank");
    let state: Arc<Mutex<State>> = Arc::clone(&bank.state);
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_800_000_000_000)));
    let url = Url::parse("https://shop.example/").unwrap();
    let payments = Payments::builder(Arc::new(MemoryStore::default()), clock, support::sealing_keys(), url)
        .account(Arc::new(bank))
        // The clock stands still: no pace may make a question wait.
        .pace(Pace::default().per_second(1_000_000))
        .build()
        .await
        .unwrap();
    for number in 0..count {
        let order = OrderRef::parse(number.to_string()).unwrap();
        let account = AccountName::parse("bank").unwrap();
        let request = OpenPayment::new(order, account, support::mnt(1500), "Two things");
        let reference = payments.open(request).await.unwrap().reference.merchant_ref;
        let body = Shop::body(&reference, "000", "1500.00");
        if !notify {
            continue;
        }
        state.lock().unwrap().payments.get_mut(reference.as_str()).unwrap().status = PaymentStatus::Paid;
        let delivery = Delivery {
            channel: Channel::Notify,
            method: "POST",
            query: None,
            headers: &[],
            body: body.as_bytes(),
        };
        assert_eq!(payments.notify(NotifyTarget::Name("bank"), delivery).await.status, 200);
        // The question that follows is part of it.
        while state.lock().unwrap().queries <= number {
            tokio::task::yield_now().await;
        }
    }
}

fn run(how: &str, count: u32, notify: bool) {
    let exporter: &'static Exporter = Box::leak(Box::default());
    if how != "none" {
        assert!(metrics::set_global_recorder(exporter).is_ok(), "nobody else records");
    }
    if how == "spans" {
        let subscriber = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(payments(count, notify));
}

/// Instructions of one run.
fn instructions(how: &str, count: u32, notify: bool) -> u64 {
    let this = std::env::current_exe().unwrap();
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args(["--run", how, &count.to_string(), &notify.to_string()])
        .output()
        .expect("valgrind is installed");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let line = text.lines().find_map(|line| line.split_once("Collected : ")).expect("it says how many");
    line.1.trim().parse().unwrap()
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--run") {
        run(&args[at + 1], args[at + 2].parse().unwrap(), args[at + 3] == "true");
        return;
    }
    // Two sizes, so that what is done once falls out; with and without notifications, so that opening does.
    let each = |how: &str| {
        let of = |notify| instructions(how, MANY, notify) - instructions(how, FEW, notify);
        (of(true) - of(false)) / u64::from(MANY - FEW)
    };
    let none = each("none");
    println!("one notification with the question after it, in memory: {none} instructions");
    for (how, what) in
        [("metrics", "with a recorder"), ("spans", "with a recorder and a subscriber that writes")]
    {
        let with = each(how);
        let more = with.saturating_sub(none);
        println!("{what}: {with}, {more} more, {}.{} %", more * 100 / none, more * 1000 / none % 10);
    }
}
