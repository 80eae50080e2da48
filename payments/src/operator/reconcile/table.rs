//! Reads a table from CSV: strictly, and with the line on which each record begins.
//!
//! Readers of CSV take a quote that never closes as a value that goes on to the end of the file, and say nothing. In a list
//! of payments that swallows payments. So a list with such a quote is refused here.

/// Why a table cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) line: u64,
    pub(super) why: String,
}

/// A record of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// The line on which it begins, from 1.
    pub(super) line: u64,
    pub(super) fields: Vec<String>,
    /// Its text as it stands in the file, without the end of its last line.
    pub(super) text: &'a str,
}

/// The records of a text, in order. Lines without anything are left out.
#[derive(Debug, Clone)]
pub(super) struct Records<'a> {
    rest: &'a str,
    line: u64,
    delimiter: char,
}

impl<'a> Records<'a> {
    pub(super) fn new(text: &'a str, delimiter: char) -> Self {
        Self { rest: text, line: 1, delimiter }
    }

    /// Leaves out so many lines, whatever they hold.
    pub(super) fn skip_lines(mut self, lines: usize) -> Self {
        for _ in 0..lines {
            let end = line_end(self.rest);
            self.pass(end);
            self.end_line();
        }
        self
    }

    /// The fields of a line, with quotes taken as characters like others.
    pub(super) fn unquoted<'b>(&self, line: &'b str) -> std::str::Split<'b, char> {
        line.split(self.delimiter)
    }

    /// Goes on to this place, which is on the same line.
    fn pass(&mut self, length: usize) -> &'a str {
        let (passed, rest) = self.rest.split_at(length);
        self.rest = rest;
        passed
    }

    /// Takes the end of a line, if one is here: LF, CR, or both.
    fn end_line(&mut self) -> bool {
        let length = line_break(self.rest);
        self.pass(length);
        self.line += u64::from(length > 0);
        length > 0
    }

    fn record(&mut self) -> Result<Record<'a>, Malformed> {
        let (start, line) = (self.rest, self.line);
        let mut fields = Vec::new();
        loop {
            fields.push(if self.rest.starts_with('"') { self.quoted()? } else { self.plain().to_owned() });
            if let Some(rest) = self.rest.strip_prefix(self.delimiter) {
                self.rest = rest;
                continue;
            }
            let text = &start[..start.len() - self.rest.len()];
            self.end_line();
            return Ok(Record { line, fields, text });
        }
    }

    fn plain(&mut self) -> &'a str {
        let end = self.rest.find([self.delimiter, '\n', '\r']).unwrap_or(self.rest.len());
        self.pass(end)
    }

    /// A value in quotes, in which a doubled quote stands for one.
    fn quoted(&mut self) -> Result<String, Malformed> {
        let opened = self.line;
        let wrong = |line, why: String| Malformed { line, why };
        self.pass(1);
        let mut value = String::new();
        loop {
            let Some(end) = self.rest.find(['"', '\n', '\r']) else {
                let why =
                    "a quote opens here and never closes, so that the lines after it cannot be told from \
                           its value; close it, or take it out"
                        .to_owned();
                return Err(wrong(opened, why));
            };
            value.push_str(self.pass(end));
            if let Some(rest) = self.rest.strip_prefix('"') {
                self.rest = rest;
                if !self.rest.starts_with('"') {
                    break;
                }
                self.pass(1);
                value.push('"');
            } else {
                value.push('\n');
                self.end_line();
            }
        }
        let next = self.rest.chars().next();
        if next.is_none_or(|next| next == self.delimiter || matches!(next, '\n' | '\r')) {
            return Ok(value);
        }
        let from =
            if opened == self.line { String::new() } else { format!(", which opened in line {opened},") };
        Err(wrong(
            self.line,
            format!("a quote{from} closes in the middle of a value; write a quote inside of a value twice"),
        ))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.end_line() {}
        if self.rest.is_empty() {
            return None;
        }
        let record = self.record();
        if record.is_err() {
            self.rest = "";
        }
        Some(record)
    }
}

/// The lines of a text, ended by LF, CR or both.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (line, after) = text.split_at(line_end(text));
        let length = line_break(after);
        rest = (length > 0).then(|| &after[length..]);
        Some(line)
    })
}

fn line_end(text: &str) -> usize {
    text.find(['\n', '\r']).unwrap_or(text.len())
}

/// How long the end of a line is that stands here.
fn line_break(text: &str) -> usize {
    if text.starts_with("\r\n") { 2 } else { usize::from(text.starts_with(['\n', '\r'])) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields = (u64, Vec<String>);

    fn read(text: &str) -> Result<Vec<Fields>, (u64, String)> {
        let records = Records::new(text, ',').map(|one| one.map(|one| (one.line, one.fields)));
        records.collect::<Result<_, _>>().map_err(|error| (error.line, error.why))
    }

    #[test]
    fn records_have_their_line_whatever_ends_lines() {
        for end in ["\n", "\r", "\r\n"] {
            let text = ["", "a,b", "", "\"x", "\"\"y\",2", "c,d"].join(end);
            let fields = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>();
            let expected =
                vec![(2, fields(&["a", "b"])), (4, fields(&["x\n\"y", "2"])), (6, fields(&["c", "d"]))];
            assert_eq!(read(&text), Ok(expected.clone()), "{end:?}");
            assert_eq!(read(&(text + end)), Ok(expected), "{end:?}");
        }
        assert_eq!(lines("a\rb\r\n\nc").collect::<Vec<_>>(), ["a", "b", "", "c"]);
        let skipped = Records::new("\"title\r\nx\r\na,b", ',').skip_lines(2).next().unwrap().unwrap();
        assert_eq!((skipped.line, skipped.text), (3, "a,b"));
        assert!(Records::new("a", ',').skip_lines(9).next().is_none());
    }

    #[test]
    fn a_quote_that_does_not_close_in_its_place_is_refused() {
        for (text, line, why) in [
            ("a,\"b\nc,d\n", 1, "never closes"),
            ("a,b\nc,\"", 2, "never closes"),
            ("a,\"b\"\"\nc,d", 1, "never closes"),
            ("a,\"b\" c\n", 1, "closes in the middle"),
            ("a,\"b\nc,\"d\"\n", 2, "opened in line 1"),
        ] {
            let (at, said) = read(text).unwrap_err();
            assert_eq!(at, line, "{text:?}");
            assert!(said.contains(why), "{text:?}: {said}");
        }
        // A quote inside of a value that has none around it is a character like others.
        assert_eq!(read("5\" pipe,b").unwrap()[0].1, ["5\" pipe", "b"]);
    }
}
