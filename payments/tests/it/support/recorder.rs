//! A recorder of metrics that remembers everything.
#![allow(dead_code, reason = "each binary uses its own part of it")]
#![allow(clippy::disallowed_types, reason = "the metrics crate's numbers are floats")]
#![allow(unreachable_pub, reason = "a module that several binaries include")]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

#[derive(Debug, Default)]
pub struct Recorded {
    values: Mutex<HashMap<Key, Arc<Value>>>,
    pub described: Mutex<BTreeMap<String, String>>,
}

/// All values that one metric with its labels was given.
#[derive(Debug, Default)]
pub struct Value(Mutex<Vec<f64>>);

impl Value {
    pub fn all(&self) -> Vec<f64> {
        self.0.lock().unwrap().clone()
    }
    pub fn last(&self) -> f64 {
        *self.0.lock().unwrap().last().unwrap()
    }
    pub fn sum(&self) -> f64 {
        self.0.lock().unwrap().iter().sum()
    }
}

impl CounterFn for Value {
    fn increment(&self, value: u64) {
        self.0.lock().unwrap().push(f64::from(u32::try_from(value).unwrap()));
    }
    fn absolute(&self, _: u64) {
        panic!("counters are counted");
    }
}

impl GaugeFn for Value {
    fn increment(&self, _: f64) {
        panic!("gauges are set");
    }
    fn decrement(&self, _: f64) {
        panic!("gauges are set");
    }
    fn set(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

impl HistogramFn for Value {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

impl Recorded {
    fn value(&self, key: &Key) -> Arc<Value> {
        Arc::clone(self.values.lock().unwrap().entry(key.clone()).or_default())
    }

    /// Every key that was recorded, as name and labels.
    pub fn keys(&self) -> Vec<(String, Vec<(String, String)>)> {
        let values = self.values.lock().unwrap();
        let labels = |key: &Key| key.labels().map(|l| (l.key().to_owned(), l.value().to_owned())).collect();
        values.keys().map(|key| (key.name().to_owned(), labels(key))).collect()
    }

    /// What one metric was given with these labels, in any order; none if nothing was.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<Arc<Value>> {
        let values = self.values.lock().unwrap();
        let found = values.iter().find(|(key, _)| {
            key.name() == name
                && key.labels().len() == labels.len()
                && labels.iter().all(|(k, v)| key.labels().any(|l| l.key() == *k && l.value() == *v))
        });
        found.map(|(_, value)| Arc::clone(value))
    }
}

impl Recorder for Recorded {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, text: SharedString) {
        self.described.lock().unwrap().insert(key.as_str().to_owned(), text.into_owned());
    }
    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, text: SharedString) {
        self.described.lock().unwrap().insert(key.as_str().to_owned(), text.into_owned());
    }
    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, text: SharedString) {
        self.described.lock().unwrap().insert(key.as_str().to_owned(), text.into_owned());
    }
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.value(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.value(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.value(key))
    }
}
