//! Reading a day's list from CSV.

use std::collections::BTreeSet;
use std::fmt;

use csv::{ByteRecord, ReaderBuilder};
use tulbur_core::{AmountNotation, Currency, Money, MoneyError};

use super::DayList;

/// A line of a day's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where it stands, from 1; the heading is line 1.
    pub line: u64,
    /// Our reference or the provider's.
    pub reference: String,
    /// How much was paid, or given back by this line.
    pub amount: Money,
    /// Whether it is a payment that was paid.
    pub is_paid: bool,
    /// Whether it is a refund.
    pub is_refund: bool,
    /// What was given back of this payment altogether, where the list has a column for it.
    pub refunded: Option<Money>,
}

/// Which column holds what, by its heading.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Columns {
    /// Our reference, or the provider's.
    pub reference: String,
    /// The amount.
    pub amount: String,
    /// How it stands. Without it every line is a payment that was paid.
    pub status: Option<String>,
    /// What was given back altogether.
    pub refunded: Option<String>,
    /// The currency. Without it all amounts are in the account's.
    pub currency: Option<String>,
}

impl Columns {
    /// Reads `ref=Order ID,amount=Amount,status=State,refunded=Refunded,currency=Currency`; what is left out has the
    /// heading `ref` or `amount`, or does not exist.
    ///
    /// # Errors
    /// [`ListError`] for another word, or one that stands twice.
    pub fn parse(text: &str) -> Result<Self, ListError> {
        let wrong = |why: String| ListError::new(None, None, why);
        let mut columns = Self {
            reference: "ref".into(),
            amount: "amount".into(),
            status: None,
            refunded: None,
            currency: None,
        };
        let mut seen = BTreeSet::new();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let (word, heading) = part
                .split_once('=')
                .map(|(word, heading)| (word.trim(), heading.trim().to_owned()))
                .filter(|(_, heading)| !heading.is_empty())
                .ok_or_else(|| wrong("columns are written like ref=Order,amount=Amount".into()))?;
            match word {
                "ref" => columns.reference = heading,
                "amount" => columns.amount = heading,
                "status" => columns.status = Some(heading),
                "refunded" => columns.refunded = Some(heading),
                "currency" => columns.currency = Some(heading),
                _ => {
                    return Err(wrong("columns are ref, amount, status, refunded and currency".into()));
                }
            }
            if !seen.insert(word.to_owned()) {
                return Err(wrong(format!("the column {word} stands twice")));
            }
        }
        Ok(columns)
    }
}

/// What the words in the status column mean, whatever their case. Another word is an error, not a guess.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Words {
    /// It was paid.
    pub paid: Vec<String>,
    /// It was not.
    pub unpaid: Vec<String>,
    /// The line is a refund of its amount. With none the list has no such lines.
    pub refund: Vec<String>,
}

impl Default for Words {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            paid: words(&["paid"]),
            unpaid: words(&[
                "pending",
                "authorized",
                "declined",
                "canceled",
                "cancelled",
                "expired",
                "failed",
            ]),
            refund: Vec::new(),
        }
    }
}

/// How a list is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListFormat {
    /// Which column holds what.
    pub columns: Columns,
    /// What the status words mean.
    pub words: Words,
    /// The currency of amounts without one.
    pub currency: Currency,
    /// What separates thousands, if they are separated.
    pub thousands: Option<char>,
    /// What separates decimals.
    pub decimal: char,
}

impl ListFormat {
    /// Plain amounts with a decimal point and no thousands separators.
    pub fn new(columns: Columns, currency: Currency) -> Self {
        Self { columns, words: Words::default(), currency, thousands: None, decimal: '.' }
    }
}

/// Why a list cannot be read. Nothing was compared or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListError {
    line: Option<u64>,
    column: Option<String>,
    why: String,
}

impl ListError {
    pub(super) fn new(line: Option<u64>, column: Option<&str>, why: impl Into<String>) -> Self {
        Self { line, column: column.map(str::to_owned), why: why.into() }
    }

    /// The line, from 1.
    pub fn line(&self) -> Option<u64> {
        self.line
    }

    /// The heading of the column.
    pub fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, &self.column) {
            (Some(line), Some(column)) => write!(f, "line {line}, column `{column}`: {}", self.why),
            (Some(line), None) => write!(f, "line {line}: {}", self.why),
            (None, _) => f.write_str(&self.why),
        }
    }
}

impl std::error::Error for ListError {}

/// Reads a list: UTF-8 with or without a byte order mark, fields separated by comma, semicolon or tab, quoted or not,
/// with one line of headings. The whole list is read, or nothing.
///
/// # Errors
/// [`ListError`] for the first line that cannot be read, naming its column and never its value, unless that is an amount with two
/// readings.
pub fn read_list(bytes: &[u8], format: &ListFormat) -> Result<DayList, ListError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(ListError::new(None, None, "the list is UTF-16; save it as CSV in UTF-8"));
    }
    if bytes.trim_ascii().is_empty() {
        return Err(ListError::new(Some(1), None, "the list is empty: not even a line of headings is there"));
    }
    let (delimiter, places) = places(bytes, &format.columns)?;
    let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(bytes);
    let fields = reader.byte_headers().map_or(0, ByteRecord::len);
    let mut lines = Vec::new();
    let mut counter = LineCounter { bytes, place: 0, line: 1 };
    for record in reader.byte_records() {
        let record = record.map_err(|_| ListError::new(None, None, "the list cannot be read as CSV"))?;
        let line = counter.line_of(record.position().map_or(0, csv::Position::byte));
        if record.iter().all(|field| field.trim_ascii().is_empty()) {
            continue;
        }
        if record.len() != fields {
            let why = format!("it has {} fields, and the heading has {fields}", record.len());
            return Err(ListError::new(Some(line), None, why));
        }
        lines.push(Row { record: &record, line, format, places: &places }.read()?);
    }
    let has_refunds = format.columns.refunded.is_some()
        || (format.columns.status.is_some() && !format.words.refund.is_empty());
    Ok(DayList { lines, has_refunds })
}

/// The reader's own count is one behind where lines end with two characters.
struct LineCounter<'a> {
    bytes: &'a [u8],
    place: usize,
    line: u64,
}

impl LineCounter<'_> {
    /// The line on which a record begins that was found from this byte on.
    fn line_of(&mut self, byte: u64) -> u64 {
        let start = usize::try_from(byte).unwrap_or(usize::MAX);
        while let Some(byte) = self.bytes.get(self.place) {
            if self.place >= start && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            self.line += u64::from(*byte == b'\n');
            self.place += 1;
        }
        self.line
    }
}

struct Places {
    reference: usize,
    amount: usize,
    status: Option<usize>,
    refunded: Option<usize>,
    currency: Option<usize>,
}

/// Finds the separator under which all the columns exist.
fn places(bytes: &[u8], columns: &Columns) -> Result<(u8, Places), ListError> {
    let mut best: Option<(usize, String)> = None;
    for delimiter in [b',', b';', b'\t'] {
        let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(bytes);
        let Ok(headings) = reader.byte_headers() else { continue };
        let headings: Vec<String> =
            headings.iter().map(|text| String::from_utf8_lossy(text).trim().to_lowercase()).collect();
        let place = |heading: &str| {
            let heading = heading.trim().to_lowercase();
            let mut found = headings.iter().enumerate().filter(|(_, text)| **text == heading);
            match (found.next(), found.next()) {
                (Some((place, _)), None) => Ok(place),
                (None, _) => Err(format!("there is no column `{heading}`")),
                (Some(_), Some(_)) => Err(format!("the column `{heading}` stands twice")),
            }
        };
        let optional = |heading: &Option<String>| heading.as_deref().map(place).transpose();
        let all = || {
            Ok::<_, String>(Places {
                reference: place(&columns.reference)?,
                amount: place(&columns.amount)?,
                status: optional(&columns.status)?,
                refunded: optional(&columns.refunded)?,
                currency: optional(&columns.currency)?,
            })
        };
        match all() {
            Ok(places) => return Ok((delimiter, places)),
            Err(why) if best.as_ref().is_none_or(|(fields, _)| headings.len() > *fields) => {
                let names: Vec<String> = headings
                    .iter()
                    .map(|name| format!("`{}`", name.chars().take(30).collect::<String>()))
                    .collect();
                best = Some((headings.len(), format!("{why}; the heading has {}", names.join(", "))));
            }
            Err(_) => {}
        }
    }
    let why = best.map_or_else(|| "the list is empty".to_owned(), |(_, why)| why);
    Err(ListError::new(Some(1), None, why))
}

struct Row<'a> {
    record: &'a ByteRecord,
    line: u64,
    format: &'a ListFormat,
    places: &'a Places,
}

impl Row<'_> {
    fn read(&self) -> Result<Listed, ListError> {
        let columns = &self.format.columns;
        let reference = self.text(self.places.reference, &columns.reference)?;
        if reference.is_empty() {
            return Err(self.wrong(&columns.reference, "it is empty"));
        }
        let currency = match (self.places.currency, &columns.currency) {
            (Some(place), Some(heading)) => {
                let code = self.text(place, heading)?.to_ascii_uppercase();
                Currency::parse(&code)
                    .map_err(|_| self.wrong(heading, "it is no currency code such as MNT"))?
            }
            _ => self.format.currency,
        };
        let amount = self.amount(self.places.amount, &columns.amount, currency)?;
        let refunded = match (self.places.refunded, &columns.refunded) {
            (Some(place), Some(heading)) if !self.text(place, heading)?.is_empty() => {
                Some(self.amount(place, heading, currency)?)
            }
            (Some(_), _) => Some(Money::from_minor(0, currency)),
            (None, _) => None,
        };
        let (is_paid, is_refund) = match (self.places.status, &columns.status) {
            (Some(place), Some(heading)) => self.status(place, heading)?,
            _ => (true, false),
        };
        if is_refund && refunded.is_some_and(Money::is_positive) {
            let why =
                "a line that is a refund has an amount in this column too; which one counts is not clear";
            return Err(self.wrong(columns.refunded.as_deref().unwrap_or_default(), why));
        }
        let refunded = refunded.filter(|_| !is_refund);
        Ok(Listed { line: self.line, reference: reference.to_owned(), amount, is_paid, is_refund, refunded })
    }

    fn status(&self, place: usize, heading: &str) -> Result<(bool, bool), ListError> {
        let word = self.text(place, heading)?.to_lowercase();
        let among = |words: &[String]| words.iter().any(|known| known.trim().to_lowercase() == word);
        let words = &self.format.words;
        match (among(&words.paid), among(&words.unpaid), among(&words.refund)) {
            (true, false, false) => Ok((true, false)),
            (false, true, false) => Ok((false, false)),
            (false, false, true) => Ok((false, true)),
            (false, false, false) => Err(self.wrong(
                heading,
                "nobody said what its word means: name the words for paid, unpaid and refunded",
            )),
            _ => Err(self.wrong(heading, "its word was given two meanings")),
        }
    }

    fn text(&self, place: usize, heading: &str) -> Result<&str, ListError> {
        let bytes = self.record.get(place).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| self.wrong(heading, "it is not UTF-8"))?;
        Ok(text.trim())
    }

    fn amount(&self, place: usize, heading: &str, currency: Currency) -> Result<Money, ListError> {
        let notation = AmountNotation::new(self.format.decimal);
        let notation = self.format.thousands.map_or(notation, |separator| notation.thousands(separator));
        notation.parse(self.text(place, heading)?, currency).map_err(|error| {
            let why = match error {
                MoneyError::TooLarge => "it is too large".to_owned(),
                MoneyError::NotANumber(_) => {
                    let groups = match self.format.thousands {
                        Some(_) => "",
                        None => "; thousands separators must be told",
                    };
                    format!("it is not an amount written with digits and `{}`{groups}", self.format.decimal)
                }
                // Two readings exist only of six digits or fewer, so they are no card's number in the wrong column.
                MoneyError::Unclear { readings, .. } if readings.len() == 2 => {
                    format!(
                        "it can mean {}; say what separates thousands and decimals",
                        readings.join(" or ")
                    )
                }
                _ => format!("it has more decimals than {} has", currency.code()),
            };
            self.wrong(heading, &why)
        })
    }

    fn wrong(&self, heading: &str, why: &str) -> ListError {
        ListError::new(Some(self.line), Some(heading), why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(columns: &str) -> ListFormat {
        ListFormat::new(Columns::parse(columns).unwrap(), Currency::MNT)
    }

    fn amounts(list: &DayList) -> Vec<String> {
        list.lines.iter().map(|line| line.amount.to_string()).collect()
    }

    #[test]
    fn commas_semicolons_tabs_quotes_and_a_mark_are_read() {
        for text in [
            "ref,amount\na1,1500\nb2,20.50\n",
            "\u{feff}Ref;Amount\r\na1;1500\r\n\r\nb2;20.50\r\n",
            "x\tamount\tREF\n\"y, z\"\t\"1500\"\t a1 \n\"two\nlines\"\t20.5\t\"b2\"",
            "\"ref\",\"amount\"\n\"a1\",\"1500.00\"\n,\n\"b2\",\"20.50\"",
        ] {
            let list = read_list(text.as_bytes(), &format("")).unwrap();
            assert_eq!(amounts(&list), ["1500.00 MNT", "20.50 MNT"], "{text}");
            let references: Vec<&str> = list.lines.iter().map(|line| line.reference.as_str()).collect();
            assert_eq!(references, ["a1", "b2"]);
            assert!(list.lines.iter().all(|line| line.is_paid && !line.is_refund && line.refunded.is_none()));
            assert!(!list.has_refunds);
        }
    }

    #[test]
    fn thousands_are_read_only_where_they_belong_and_only_if_told() {
        let mut grouped = format("");
        let read = |text: &str, format: &ListFormat| {
            let list = read_list(format!("ref;amount\na;{text}").as_bytes(), format);
            list.map(|list| list.lines[0].amount.to_string()).map_err(|error| error.to_string())
        };
        let refused = read("1,500.00", &grouped).unwrap_err();
        assert!(
            refused.starts_with("line 2, column `amount`: ") && refused.contains("must be told"),
            "{refused}"
        );
        grouped.thousands = Some(',');
        assert_eq!(read("1,500.00", &grouped).unwrap(), "1500.00 MNT");
        assert_eq!(read("12,345,678.9", &grouped).unwrap(), "12345678.90 MNT");
        assert_eq!(read("1500", &grouped).unwrap(), "1500.00 MNT");
        for wrong in
            ["1,50", "1,5000", ",500", "1500,000", "1,,500", "-5", "1e3", "", "1.2.3", "5,", ".5", "5."]
        {
            assert!(read(wrong, &grouped).is_err(), "{wrong}");
        }
        (grouped.thousands, grouped.decimal) = (Some('.'), ',');
        assert_eq!(read("1.500,25", &grouped).unwrap(), "1500.25 MNT");
        (grouped.thousands, grouped.decimal) = (Some(' '), ',');
        assert_eq!(read("1\u{a0}500,25", &grouped).unwrap(), "1500.25 MNT");
    }

    #[test]
    fn status_words_are_told_and_never_guessed() {
        let mut told = format("status=State");
        let text = "ref,amount,state\na,1,PAID\nb,2,Declined\n";
        let list = read_list(text.as_bytes(), &told).unwrap();
        assert_eq!(list.lines.iter().map(|line| line.is_paid).collect::<Vec<_>>(), [true, false]);
        let text = "ref,amount,state\na,1,paid\nb,2,REFUND\n";
        let error = read_list(text.as_bytes(), &told).unwrap_err();
        assert_eq!((error.line(), error.column()), (Some(3), Some("State")));
        told.words.refund = vec!["refund".into()];
        let list = read_list(text.as_bytes(), &told).unwrap();
        assert!(list.has_refunds && list.lines[1].is_refund && !list.lines[1].is_paid);
        told.words.unpaid.push("paid".into());
        assert!(read_list(text.as_bytes(), &told).is_err());
    }

    #[test]
    fn currencies_and_refunds_have_their_columns() {
        let format = format("ref=id,amount=sum,refunded=back,currency=cur");
        let list = read_list(b"id,sum,back,cur\na,100000,,VND\nb,10.50,5,usd\n", &format).unwrap();
        assert_eq!(amounts(&list), ["100000 VND", "10.50 USD"]);
        let refunded: Vec<String> =
            list.lines.iter().map(|line| line.refunded.unwrap().to_string()).collect();
        assert_eq!(refunded, ["0 VND", "5.00 USD"]);
        let error = read_list(b"id,sum,back,cur\na,1.50,,VND\n", &format).unwrap_err().to_string();
        assert_eq!(error, "line 2, column `sum`: it has more decimals than VND has");
        assert!(read_list(b"id,sum,back,cur\na,1,,XYZ\n", &format).is_err());
        let mut format = format;
        let unclear = b"id;sum;back;cur\na;100.000;;VND\n";
        let error = read_list(unclear, &format).unwrap_err().to_string();
        assert!(error.starts_with("line 2, column `sum`: it can mean 100 or 100000; "), "{error}");
        (format.thousands, format.decimal) = (Some('.'), ',');
        assert_eq!(amounts(&read_list(unclear, &format).unwrap()), ["100000 VND"]);
    }

    #[test]
    fn a_bad_line_names_itself_and_never_its_value() {
        for (text, line, column) in [
            ("ref,amount\na,1\n,2\n", 3, Some("ref")),
            ("ref,amount\na,planted\n", 2, Some("amount")),
            ("ref,amount\na,1,planted\n", 2, None),
            ("ref,amount\na,1\nplanted\n", 3, None),
            ("planted,amount\na,1\n", 1, None),
            ("ref,amount,ref\na,1,b\n", 1, None),
            ("", 1, None),
        ] {
            let error = read_list(text.as_bytes(), &format("")).unwrap_err();
            assert_eq!((error.line(), error.column()), (Some(line), column), "{text}: {error}");
            assert!(line == 1 || !error.to_string().contains("planted"), "{error}");
        }
        for end in ["\n", "\r\n", "\n\n", "\r\n\r\n"] {
            let text = ["\u{feff}ref,amount", "a,\"1\"", "\"b\nb\",2", "c,3", "d,4,5"].join(end);
            let list = read_list(text.rsplit_once(end).unwrap().0.as_bytes(), &format("")).unwrap();
            let step = end.matches('\n').count() as u64;
            let lines: Vec<u64> = list.lines.iter().map(|line| line.line).collect();
            assert_eq!(lines, [1 + step, 1 + 2 * step, 2 + 3 * step], "{end:?}");
            assert_eq!(read_list(text.as_bytes(), &format("")).unwrap_err().line(), Some(2 + 4 * step));
        }
        assert!(read_list(b"\xff\xfea\0", &format("")).unwrap_err().to_string().contains("UTF-16"));
        let error = read_list(b"ref,amount\n\xff,1\n", &format("")).unwrap_err();
        assert_eq!((error.line(), error.column()), (Some(2), Some("ref")));
        for wrong in ["ref", "ref=", "price=a", "ref=a,ref=b"] {
            assert!(Columns::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest::proptest! {
        /// Whatever the file holds, it is read or refused, and amounts come out as they were written.
        #[test]
        fn any_file_is_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = read_list(&bytes, &format("status=s"));
            let _ = read_list(&[b"ref,amount,s\n".as_slice(), &bytes].concat(), &format("status=s"));
        }

        #[test]
        fn amounts_come_out_as_they_were_written(minor in 0..i64::MAX / 2, grouped in proptest::bool::ANY) {
            let amount = Money::from_minor(minor, Currency::MNT);
            let mut format = format("");
            let mut text = amount.to_decimal_text();
            if grouped {
                format.thousands = Some(',');
                let (whole, decimals) = text.split_once('.').unwrap();
                let groups: Vec<&str> =
                    whole.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
                text = format!("\"{}.{decimals}\"", groups.join(","));
            }
            let list = read_list(format!("ref,amount\na,{text}").as_bytes(), &format).unwrap();
            proptest::prop_assert_eq!(list.lines[0].amount, amount);
        }
    }
}
