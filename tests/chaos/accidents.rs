//! Injects faults at the providers, and kills, stops and continues shops.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tulbur_tests::Chance;

use super::street::{PROVIDERS, Street};

/// How often a fault occurred.
pub(crate) struct Occurrences {
    pub(crate) provider: &'static str,
    pub(crate) kind: String,
    pub(crate) times: usize,
}

pub(crate) struct Accidents {
    street: Arc<Street>,
    over: Arc<AtomicBool>,
    faults: JoinHandle<Vec<Planted>>,
    kills: JoinHandle<()>,
    stops: JoinHandle<Stops>,
}

/// How often shops were stopped, to go on later.
#[derive(Debug, Default)]
pub(crate) struct Stops {
    pub(crate) times: usize,
    /// For longer than any lease of the hasty schedule.
    pub(crate) past_leases: usize,
    /// Of these, how often a write was under way; with the point at which it was.
    pub(crate) writes_past_leases: BTreeMap<String, usize>,
}

impl Stops {
    /// How often a write was stopped for longer than its lease.
    pub(crate) fn of_writes(&self) -> usize {
        self.writes_past_leases.values().sum()
    }
}

impl fmt::Display for Stops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (times, past) = (self.times, self.past_leases);
        write!(f, "{times} stops, {past} of them past all leases, with writes at:")?;
        self.writes_past_leases.iter().try_for_each(|(point, times)| write!(f, " {point} {times}"))
    }
}

/// A fault that was ordered.
struct Planted {
    provider: &'static str,
    kind: String,
    id: u64,
}

impl Accidents {
    pub(crate) async fn begin(street: &Arc<Street>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let mut kinds = Vec::new();
        for provider in PROVIDERS {
            for kind in kinds_of(street, provider).await {
                kinds.push((provider, kind));
            }
        }
        Self {
            street: Arc::clone(street),
            faults: tokio::spawn(plant(Arc::clone(street), Arc::clone(&over), kinds)),
            kills: tokio::spawn(kill(Arc::clone(street), Arc::clone(&over))),
            stops: tokio::spawn(stop(Arc::clone(street), Arc::clone(&over))),
            over,
        }
    }

    /// Ends all faults and lets every shop run. Returns how often each fault occurred, and how often shops were stopped.
    pub(crate) async fn end(self) -> (Vec<Occurrences>, Stops) {
        self.over.store(true, Ordering::Relaxed);
        let stops = self.stops.await.expect("who stops shops does not panic");
        self.kills.await.expect("the killer does not panic");
        let planted = self.faults.await.expect("who plants faults does not panic");
        let mut occurrences: Vec<Occurrences> = Vec::new();
        for provider in PROVIDERS {
            let books = self.street.sandbox.books(provider);
            let waiting = ids(&books.get("faults").await);
            books.calm().await;
            for fault in planted.iter().filter(|fault| fault.provider == provider) {
                let times = usize::from(!waiting.contains(&fault.id));
                match occurrences.iter_mut().find(|one| one.provider == provider && one.kind == fault.kind) {
                    Some(one) => one.times += times,
                    None => occurrences.push(Occurrences { provider, kind: fault.kind.clone(), times }),
                }
            }
        }
        (occurrences, stops)
    }
}

async fn kinds_of(street: &Street, provider: &str) -> Vec<String> {
    let providers = street.sandbox.providers().await;
    let found = providers.iter().find(|one| one["id"] == provider).expect("the sandbox plays it");
    found["faults"].as_object().expect("faults by name").keys().cloned().collect()
}

fn ids(faults: &Value) -> Vec<u64> {
    faults.as_array().into_iter().flatten().filter_map(|fault| fault["id"].as_u64()).collect()
}

/// Each kind in turn at each provider, so that every one occurs; more of those that wait are not ordered.
async fn plant(
    street: Arc<Street>,
    over: Arc<AtomicBool>,
    kinds: Vec<(&'static str, String)>,
) -> Vec<Planted> {
    /// Waiting faults at one provider: one of each kind applies to a request at a time, and most requests are to succeed.
    const WAITING: usize = 2;
    let mut chance = Chance::new(street.seed ^ 0xfa17);
    let mut planted = Vec::new();
    let mut turn = kinds.clone();
    let mut at = 0;
    while !over.load(Ordering::Relaxed) {
        if at == turn.len() {
            at = 0;
            chance.shuffle(&mut turn);
        }
        let (provider, kind) = &turn[at];
        let books = street.sandbox.books(provider);
        if ids(&books.get("faults").await).len() < WAITING {
            let late = 200 + chance.below(1500);
            let id = books.fault(&json!({ "kind": kind, "ms": late })).await;
            planted.push(Planted { provider, kind: kind.clone(), id });
            at += 1;
        } else {
            // The others get theirs meanwhile.
            let (waits, rest) = turn[at..].split_first_mut().expect("there is one");
            if let Some(other) = rest.iter_mut().find(|other| other.0 != waits.0) {
                std::mem::swap(waits, other);
            }
        }
        tokio::time::sleep(Duration::from_millis(40 + chance.below(120))).await;
    }
    planted
}

/// Somebody dies about every second; the database server once, in the middle.
async fn kill(street: Arc<Street>, over: Arc<AtomicBool>) {
    let mut chance = Chance::new(street.seed ^ 0xdead);
    let mut beats = 0_u32;
    while !over.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(600 + chance.below(800))).await;
        {
            let mut shop = chance.one(&street.shops).lock().await;
            shop.kill().await;
            street.kills.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(chance.below(400))).await;
            shop.start(None).await;
        }
        beats += 1;
        if beats == 3 && street.restart_server().await {
            street.server_restarts.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Somebody stands still for a while and goes on, preferably where a write is at a point of its way; some do not go on, and
/// die there. Past its leases others take over what it had, and it finds that out when it wakes up.
async fn stop(street: Arc<Street>, over: Arc<AtomicBool>) -> Stops {
    // On SQLite others wait for the lock of one that was stopped inside a transaction, and give up after five seconds.
    const LONG: (u64, u64) = (2500, 1500);
    const SHORT: (u64, u64) = (100, 900);
    let mut chance = Chance::new(street.seed ^ 0x5709);
    let mut stops = Stops::default();
    while !over.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(300 + chance.below(1500))).await;
        let mut shop = chance.one(&street.shops).lock().await;
        // Refunds, captures and voids are fewer, and are waited for.
        match chance.below(5) {
            0 => {}
            1 => shop.dwells("", Duration::from_secs(2)).await,
            _ => shop.dwells("operation-reserved", Duration::from_secs(2)).await,
        }
        let points = shop.pause().await;
        stops.times += 1;
        let long = chance.below(3) > 0;
        let (least, more) = if long { LONG } else { SHORT };
        tokio::time::sleep(Duration::from_millis(least + chance.below(more))).await;
        if chance.below(8) == 0 {
            shop.kill().await;
            street.kills.fetch_add(1, Ordering::Relaxed);
            shop.start(None).await;
            continue;
        }
        shop.resume().await;
        if long {
            stops.past_leases += 1;
            for point in points {
                *stops.writes_past_leases.entry(point).or_default() += 1;
            }
        }
    }
    stops
}
