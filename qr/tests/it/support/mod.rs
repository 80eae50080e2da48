//! The payloads that the tests read, from the files beside them.

#![allow(dead_code, reason = "each test file uses its part of it")]

use serde_json::Value;

pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) payload: String,
    /// What else the file records.
    pub(crate) record: Value,
}

fn samples_of(file: &str, list: &str) -> Vec<Sample> {
    let file: Value = serde_json::from_str(file).expect("the vectors are JSON");
    let samples = file[list].as_array().expect("a list of samples");
    let sample = |record: &Value| Sample {
        name: record["name"].as_str().expect("a name").to_owned(),
        payload: record["payload"].as_str().expect("a payload").to_owned(),
        record: record.clone(),
    };
    samples.iter().map(sample).collect()
}

/// The six payloads seen in Mongolia.
pub(crate) fn mongolian() -> Vec<Sample> {
    let samples = samples_of(include_str!("../../vectors/emv-qr.json"), "samples");
    assert_eq!(samples.len(), 6);
    samples
}

/// Two that were made from the first of them.
pub(crate) fn derived() -> Vec<Sample> {
    let samples = samples_of(include_str!("../../vectors/emv-qr.json"), "derived");
    assert_eq!(samples.len(), 2);
    samples
}

/// EMVCo's own example, and a VietQR.
pub(crate) fn others() -> Vec<Sample> {
    let samples = samples_of(include_str!("../../vectors/others.json"), "samples");
    assert_eq!(samples.len(), 2);
    samples
}

pub(crate) fn named(name: &str) -> String {
    let mut all = mongolian().into_iter().chain(derived()).chain(others());
    all.find(|sample| sample.name == name).expect("a sample of this name").payload
}
