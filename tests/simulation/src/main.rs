//! Runs seeds and stories from a command line.
#![expect(clippy::print_stdout, reason = "it is a command")]

// A run allocates and frees all the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use tulbur_simulation::generate::generate;
use tulbur_simulation::judge::judge_story;
use tulbur_simulation::report::{Report, run_seeds};
use tulbur_simulation::shrink::shrink;
use tulbur_simulation::{run, story};

const USAGE: &str =
    "tulbur-simulation [--seeds N] [--from K] [--threads N] [--shrink N] [--stop] [--print K] [--story FILE] [--loud]

  --seeds N     run so many seeds; 1000 if nothing is said
  --from K      the first seed; 0 if not said
  --threads N   on so many threads; as many as there are cores if not said
  --shrink N    shrink the first N failing seeds to stories; 1 if not said
  --stop        stop at the first failing seed
  --print K     print the story of a seed, and run nothing
  --story FILE  run one story
  --loud        with --story: print everything that happens";

struct Arguments {
    seeds: u64,
    from: u64,
    threads: usize,
    shrink: usize,
    stop: bool,
    print: Option<u64>,
    story: Option<String>,
    loud: bool,
}

fn arguments() -> Result<Arguments, String> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let mut found = Arguments {
        seeds: 1000,
        from: 0,
        threads: cores,
        shrink: 1,
        stop: false,
        print: None,
        story: None,
        loud: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("`{text}` is no number"));
        let small = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        match word.as_str() {
            "--seeds" => found.seeds = number(value()?)?,
            "--from" => found.from = number(value()?)?,
            "--threads" => found.threads = small(number(value()?)?),
            "--shrink" => found.shrink = small(number(value()?)?),
            "--stop" => found.stop = true,
            "--print" => found.print = Some(number(value()?)?),
            "--story" => found.story = Some(value()?),
            "--loud" => found.loud = true,
            other => return Err(format!("`{other}` is not known\n\n{USAGE}")),
        }
    }
    Ok(found)
}

fn run_story(path: &str, loud: bool) -> Result<bool, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let story = story::parse(&text).map_err(|error| format!("{path}: {error}"))?;
    let outcome = run(&story, loud);
    let complaints = judge_story(&story, &outcome);
    for complaint in &complaints {
        println!("{complaint}");
    }
    println!("digest {:016x}", outcome.digest.0);
    Ok(complaints.is_empty())
}

fn complain(report: &Report, shrinks: usize) {
    let mut words: BTreeMap<&str, u64> = BTreeMap::new();
    for result in &report.failed {
        let mut own: Vec<&str> = result.complaints.iter().map(|complaint| complaint.word).collect();
        own.sort_unstable();
        own.dedup();
        for word in own {
            *words.entry(word).or_default() += 1;
        }
    }
    println!("{} seeds failed: {words:?}", report.failed.len());
    for (index, result) in report.failed.iter().take(shrinks.max(1)).enumerate() {
        println!("\nseed {}:", result.seed);
        for complaint in &result.complaints {
            println!("  {complaint}");
        }
        if let Some(first) = result.complaints.first().filter(|_| index < shrinks) {
            println!("\nits story, shrunk:\n\n{}", shrink(&generate(result.seed), first));
        }
    }
}

/// Runs seeds a few at a time, until one fails.
fn run_until_one_fails(from: u64, count: u64, threads: usize) -> Report {
    const AT_ONCE: u64 = 20;
    let mut done = 0;
    loop {
        let mut report = run_seeds(from + done, AT_ONCE.min(count - done), threads);
        done += report.seeds;
        if !report.failed.is_empty() || done >= count {
            report.failed.truncate(1);
            return Report { seeds: done, ..report };
        }
    }
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(why) => {
            println!("{why}");
            return ExitCode::FAILURE;
        }
    };
    if let Some(seed) = arguments.print {
        println!("{}", generate(seed));
        return ExitCode::SUCCESS;
    }
    if let Some(path) = &arguments.story {
        return match run_story(path, arguments.loud) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(why) => {
                println!("{why}");
                ExitCode::FAILURE
            }
        };
    }
    if arguments.stop {
        let report = run_until_one_fails(arguments.from, arguments.seeds, arguments.threads);
        if report.failed.is_empty() {
            println!("none of {} seeds failed", report.seeds);
            return ExitCode::SUCCESS;
        }
        complain(&report, arguments.shrink);
        return ExitCode::FAILURE;
    }
    let began = Instant::now();
    let report = run_seeds(arguments.from, arguments.seeds, arguments.threads);
    let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
    println!("{report}");
    let rate = arguments.seeds.saturating_mul(10_000) / millis;
    println!("{millis} ms on {} threads: {}.{} seeds per second", arguments.threads, rate / 10, rate % 10);
    if !report.failed.is_empty() {
        complain(&report, arguments.shrink);
    }
    println!("digest {:016x}", report.digest);
    if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
