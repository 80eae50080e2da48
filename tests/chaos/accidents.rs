//! What goes wrong: faults at the providers, and shops that die.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tulbur_tests::Chance;

use super::street::{PROVIDERS, Street};

/// How often a fault struck.
pub(crate) struct Struck {
    pub(crate) provider: &'static str,
    pub(crate) kind: String,
    pub(crate) times: usize,
}

pub(crate) struct Accidents {
    street: Arc<Street>,
    over: Arc<AtomicBool>,
    faults: JoinHandle<Vec<Planted>>,
    kills: JoinHandle<()>,
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
            over,
        }
    }

    /// Everything stops going wrong, and every shop runs. How often each fault struck.
    pub(crate) async fn end(self) -> Vec<Struck> {
        self.over.store(true, Ordering::Relaxed);
        self.kills.await.expect("the killer does not panic");
        let planted = self.faults.await.expect("who plants faults does not panic");
        let mut struck: Vec<Struck> = Vec::new();
        for provider in PROVIDERS {
            let books = self.street.sandbox.books(provider);
            let waiting = ids(&books.get("faults").await);
            books.calm().await;
            for fault in planted.iter().filter(|fault| fault.provider == provider) {
                let times = usize::from(!waiting.contains(&fault.id));
                match struck.iter_mut().find(|one| one.provider == provider && one.kind == fault.kind) {
                    Some(one) => one.times += times,
                    None => struck.push(Struck { provider, kind: fault.kind.clone(), times }),
                }
            }
        }
        struck
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

/// Each kind in turn at each provider, so that every one strikes; more of those that wait are not ordered.
async fn plant(
    street: Arc<Street>,
    over: Arc<AtomicBool>,
    kinds: Vec<(&'static str, String)>,
) -> Vec<Planted> {
    /// Waiting faults at one provider: one of each kind strikes a request at a time, and most requests are to succeed.
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
