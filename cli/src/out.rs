//! Prints results as text, tables and JSON.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use comfy_table::{Table, presets};
use tulbur::Timestamp;
use tulbur::core::{Clock as _, UtcOffset};

/// Why a command ended without success. An empty text was told already.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { code: 1, text: text.into() }
    }

    pub(crate) fn told(code: u8) -> Self {
        Self { code, text: String::new() }
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<tulbur::payments::Error> for Failure {
    fn from(error: tulbur::payments::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<tulbur::payments::StoreError> for Failure {
    fn from(error: tulbur::payments::StoreError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<tulbur::Error> for Failure {
    fn from(error: tulbur::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// Begins what is printed in bold on a terminal; [`PLAIN`] ends it. They stand outside of tables, whose widths count
/// them.
const BOLD: char = '\u{e000}';
const PLAIN: char = '\u{e001}';

pub(crate) fn bold(text: &str) -> String {
    format!("{BOLD}{text}{PLAIN}")
}

/// Prints a command's result. A reader that left early, as `head` does, is no failure.
pub(crate) fn print(text: &str) -> Result<(), String> {
    let stdout = std::io::stdout();
    let coloured = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let text = harmless(text, coloured);
    let mut out = stdout.lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(format!("cannot print: {error}")),
        _ => Ok(()),
    }
}

pub(crate) fn print_json<T: serde::Serialize>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| error.to_string())?;
    Ok(print(&text)?)
}

#[expect(clippy::print_stderr, reason = "a command line tool tells its failures on standard error")]
pub(crate) fn complain(error: &str) {
    if !error.is_empty() {
        eprintln!("tulbur: {}", harmless(error, false));
    }
}

/// Tells something beside the result, so that the result can be piped.
#[expect(clippy::print_stderr, reason = "it is for a person and no part of the result")]
pub(crate) fn remark(text: &str) {
    eprintln!("{}", harmless(text, false));
}

/// What is printed came from providers, payers and shops: nothing of it may steer the terminal or turn the text around.
fn harmless(text: &str, coloured: bool) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push(c),
            BOLD if coloured => out.push_str("\u{1b}[1m"),
            PLAIN if coloured => out.push_str("\u{1b}[0m"),
            BOLD | PLAIN => {}
            c if c.is_control() || turns(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A value from outside as part of one line: what ends a line is a blank.
pub(crate) fn one_line(text: &str) -> String {
    text.replace(['\n', '\r', '\t', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'], " ")
}

/// A table for people: no lines, a bold heading, and no blanks at the ends.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(headings);
    for row in rows {
        // A line break in a cell would look like a row.
        table.add_row(row.iter().map(|cell| one_line(cell)));
    }
    let mut lines = table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned());
    let first = lines.next().map(|line| bold(&line));
    first.into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

/// Names and values below each other; those without a value are left out.
pub(crate) fn facts(facts: &[(&str, Option<String>)]) -> String {
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let line = |(name, value): &(&str, Option<String>)| {
        value.as_ref().map(|value| format!("  {name:<width$}  {}", one_line(value)))
    };
    facts.iter().filter_map(line).collect::<Vec<_>>().join("\n")
}

/// The same lines, further in.
pub(crate) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Moments as a clock on the wall shows them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wall(UtcOffset);

impl Wall {
    /// Reads `+08:00` or `+05:30`.
    pub(crate) fn parse(offset: &str) -> Result<Self, String> {
        let wrong = || "the offset is no distance from UTC written like +08:00 or +05:30".to_owned();
        UtcOffset::parse(offset).map(Self).ok_or_else(wrong)
    }

    pub(crate) fn time(self, at: Timestamp) -> String {
        at.format_at(self.0, "%Y-%m-%d %H:%M:%S")
    }

    pub(crate) fn name(self) -> String {
        format!("UTC{}", self.0)
    }
}

/// Now.
pub(crate) fn now() -> Timestamp {
    tulbur::reqwest::TokioClock.now()
}

/// How long something is, roughly.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_off_by_hours_and_minutes() {
        let at = Timestamp::from_millis(0);
        for (offset, time) in
            [("+08:00", "08:00"), ("+05:30", "05:30"), ("-03:30", "20:30"), ("+00:00", "00:00")]
        {
            let wall = Wall::parse(offset).unwrap();
            assert_eq!(wall.name(), format!("UTC{offset}"));
            assert!(wall.time(at).contains(&format!(" {time}:00")), "{offset}: {}", wall.time(at));
        }
        for wrong in ["8", "+8:00", "+08:60", "+15:00", "+-1:00", "", "é"] {
            assert!(Wall::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_that_is_printed_steers_the_terminal() {
        let text = format!("{}\n\u{1b}[2J\u{7}\u{202e}x", bold("a"));
        assert_eq!(harmless(&text, false), "a\n\u{fffd}[2J\u{fffd}\u{fffd}x");
        assert_eq!(harmless(&bold("a"), true), "\u{1b}[1ma\u{1b}[0m");
    }

    #[test]
    fn a_cell_is_one_line_and_columns_stand_below_each_other() {
        let rows = [["a\nb".to_owned(), "c".to_owned()], ["long text".to_owned(), "d".to_owned()]];
        let text = harmless(&table(["first", "second"], &rows), false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        let column = |line: &str, word: &str| line.find(word).unwrap();
        assert_eq!(column(lines[0], "second"), column(lines[2], "d"));
        assert!(lines.iter().all(|line| *line == line.trim_end()));
    }

    #[test]
    fn spans_are_roughly_told() {
        assert_eq!(span(Duration::from_secs(90)), "90 s");
        assert_eq!(span(Duration::from_hours(50)), "2 days");
    }
}
