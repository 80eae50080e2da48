//! Every kept story, and a few hundred seeds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tulbur_simulation::fault::Kind;
use tulbur_simulation::judge::{Complaint, judge_story};
use tulbur_simulation::report::{run_seed, run_seeds};
use tulbur_simulation::{run, story};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stories")
}

/// Every story with its name.
fn stories() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "story"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// The stories that the engine is known to fail.
fn failing() -> BTreeSet<String> {
    let text = std::fs::read_to_string(folder().join("failing.txt")).unwrap_or_default();
    let names = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    names.map(str::to_owned).collect()
}

fn complaints(text: &str) -> Vec<Complaint> {
    let story = story::parse(text).unwrap();
    judge_story(&story, &run(&story, false))
}

#[test]
fn every_story_passes_or_is_known_to_fail() {
    let failing = failing();
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    for (name, text) in stories() {
        let found = complaints(&text);
        match (found.is_empty(), failing.contains(&name)) {
            (true, true) => wrong.push(format!("{name} passes: take it off failing.txt")),
            (false, false) => {
                let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
                wrong.push(format!("{name} fails:\n  {}", lines.join("\n  ")));
            }
            _ => {}
        }
        names.insert(name);
    }
    wrong.extend(
        failing.difference(&names).map(|name| format!("failing.txt names {name}, and there is none")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_story_reads_as_it_was_written() {
    for (name, text) in stories() {
        let story = story::parse(&text).unwrap();
        assert_eq!(story::parse(&story.to_string()).unwrap(), story, "{name}");
    }
    for seed in 0..50 {
        let story = tulbur_simulation::generate::generate(seed);
        assert_eq!(story::parse(&story.to_string()).unwrap(), story, "seed {seed}");
    }
}

/// How many seeds; `TULBUR_SIMULATION_SEEDS` says another number.
const SEEDS: u64 = 300;
/// In how many of a hundred seeds each kind of fault occurs at least.
const RARELY: u64 = 5;

#[test]
fn no_seed_fails() {
    let seeds = std::env::var("TULBUR_SIMULATION_SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let report = run_seeds(0, seeds, std::thread::available_parallelism().map_or(2, usize::from));
    let failed: Vec<String> = report
        .failed
        .iter()
        .map(|one| {
            format!(
                "seed {}: {}",
                one.seed,
                one.complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            )
        })
        .collect();
    assert!(
        failed.is_empty(),
        "cargo run --release -p tulbur-simulation -- --seeds {seeds}\n{}",
        failed.join("\n")
    );
    let too_few: Vec<&str> = Kind::ALL
        .iter()
        .zip(&report.occurred)
        .filter(|(_, occurred)| **occurred * 100 < seeds * RARELY)
        .map(|(kind, _)| kind.as_str())
        .collect();
    assert!(too_few.is_empty(), "occurred in less than {RARELY} % of the seeds: {too_few:?}");
}

#[test]
fn the_same_seed_gives_the_same_digest() {
    for seed in 0..8 {
        assert_eq!(run_seed(seed).digest, run_seed(seed).digest, "seed {seed}");
    }
    assert_eq!(run_seeds(0, 24, 1).digest, run_seeds(0, 24, 3).digest);
}
