//! The units of a run: virtual time, and the numbers of processes.

use std::fmt::Write as _;

/// Virtual time, in microseconds since the start of the run.
pub type Micros = u64;

/// One second.
pub const SECOND: Micros = 1_000_000;
/// One minute.
pub const MINUTE: Micros = 60 * SECOND;
/// One hour.
pub const HOUR: Micros = 60 * MINUTE;
/// One day.
pub const DAY: Micros = 24 * HOUR;

/// The number of a process in its story.
pub type ProcessId = usize;

/// A time as a story has it: `1d2h3m4s5ms6us`.
pub fn time_text(time: Micros) -> String {
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (1000, "ms"), (1, "us")];
    let mut text = String::new();
    let mut rest = time;
    for (unit, name) in units {
        if rest >= unit {
            let _ = write!(text, "{}{name}", rest / unit);
            rest %= unit;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}
