//! Reading a day's list from CSV.

use std::collections::BTreeSet;

use tulbur_core::{AmountNotation, Currency, Money, MoneyError};
use unicode_normalization::UnicodeNormalization as _;

use super::DayList;
use super::list_error::ListError;
use super::table::{self, Record, Records};

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
    /// So many lines stand before the headings and are left out.
    pub skip: usize,
    /// A line that begins with one of these words is a total and no payment, whatever the word's case. Totals end the list.
    pub totals: Vec<String>,
}

impl ListFormat {
    /// Plain amounts with a decimal point and no thousands separators; headings in the first line, and no totals.
    pub fn new(columns: Columns, currency: Currency) -> Self {
        Self {
            columns,
            words: Words::default(),
            currency,
            thousands: None,
            decimal: '.',
            skip: 0,
            totals: Vec::new(),
        }
    }
}

/// Reads a list: UTF-8 with or without a byte order mark, fields separated by comma, semicolon or tab, quoted or not,
/// with one line of headings. The whole list is read, or nothing.
///
/// # Errors
/// [`ListError`] for the first line that cannot be read, naming its column and never its value, unless that is an amount with two
/// readings. Lines that can be read in two ways, because a quote is missing or too much, are refused as well.
pub fn read_list(bytes: &[u8], format: &ListFormat) -> Result<DayList, ListError> {
    let text = text_of(bytes)?;
    let (records, fields, places) = headings(text, format)?;
    let mut lines = Vec::new();
    let mut totals_from = None;
    let mut signed_from = None;
    for record in records.clone() {
        let record = record.map_err(|wrong| ListError::new(Some(wrong.line), None, wrong.why))?;
        if record.fields.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        let first = record.fields.iter().map(|field| field.trim()).find(|field| !field.is_empty());
        if first.is_some_and(|first| is_among(&format.totals, first)) {
            totals_from.get_or_insert(record.line);
            continue;
        }
        if let Some(totals) = totals_from {
            let why = format!("it stands below line {totals}, which is a total, and a total ends the list");
            return Err(ListError::new(Some(record.line), None, why));
        }
        if record.fields.len() != fields {
            let why = format!("it has {} fields, and the heading has {fields}", record.fields.len());
            return Err(ListError::new(Some(record.line), None, why));
        }
        let row = Row { record: &record, format, places: &places };
        row.refuse_two_readings(&records, fields)?;
        let (listed, has_sign) = row.read()?;
        if listed.is_refund && listed.amount.is_positive() {
            let (line, first) = *signed_from.get_or_insert((record.line, has_sign));
            if first != has_sign {
                let why = format!(
                    "of the refunds here and in line {line} one has a minus and the other none; is one of them taken back? \
                     Write them alike"
                );
                return Err(row.wrong(&format.columns.amount, &why));
            }
        }
        lines.push(listed);
    }
    let has_refunds = format.columns.refunded.is_some()
        || (format.columns.status.is_some() && !format.words.refund.is_empty());
    Ok(DayList { lines, has_refunds })
}

/// The text of a file, if it is one.
fn text_of(bytes: &[u8]) -> Result<&str, ListError> {
    let wrong = |line, why: &str| Err(ListError::new(line, None, why));
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return wrong(None, "the list is UTF-16; save it as CSV in UTF-8");
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        return wrong(None, "the list is a spreadsheet and no text; save it as CSV in UTF-8");
    }
    if bytes.contains(&0) {
        return wrong(None, "the list holds NUL bytes, so it is UTF-16 or no text; save it as CSV in UTF-8");
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            // What stands before it is UTF-8.
            let before = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
            let line = u64::try_from(table::lines(&before).count()).ok();
            return wrong(line, "the list is not UTF-8; save it as CSV in UTF-8");
        }
    };
    if text.trim().is_empty() {
        return wrong(Some(1), "the list is empty: not even a line of headings is there");
    }
    Ok(text)
}

struct Places {
    reference: usize,
    amount: usize,
    status: Option<usize>,
    refunded: Option<usize>,
    currency: Option<usize>,
}

/// Finds the separator under which all the columns exist; returns the records below the headings, the number of fields and
/// the places of the columns.
fn headings<'a>(text: &'a str, format: &ListFormat) -> Result<(Records<'a>, usize, Places), ListError> {
    let columns = &format.columns;
    let mut best: Option<(usize, ListError)> = None;
    for delimiter in [',', ';', '\t'] {
        let mut records = Records::new(text, delimiter).skip_lines(format.skip);
        let (line, found) = match records.next() {
            Some(Ok(record)) => (record.line, record.fields),
            Some(Err(wrong)) => {
                let first = table::lines(text).nth(format.skip).unwrap_or_default();
                let fields = records.unquoted(first).count();
                if best.as_ref().is_none_or(|(most, _)| fields > *most) {
                    best = Some((fields, ListError::new(Some(wrong.line), None, wrong.why)));
                }
                continue;
            }
            None => {
                let why = format!("the list ends within the {} lines that are left out", format.skip);
                return Err(ListError::new(None, None, why));
            }
        };
        let names: Vec<String> = found.iter().map(|name| folded(name)).collect();
        let place = |heading: &str| {
            let folded = folded(heading);
            let mut found = names.iter().enumerate().filter(|(_, name)| **name == folded);
            match (found.next(), found.next()) {
                (Some((place, _)), None) => Ok(place),
                (None, _) => Err(format!("there is no column `{}`", shown(heading.trim()))),
                (Some(_), Some(_)) => Err(format!("the column `{}` stands twice", shown(heading.trim()))),
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
            Ok(places) => return Ok((records, names.len(), places)),
            Err(why) if best.as_ref().is_none_or(|(fields, _)| names.len() > *fields) => {
                let names: Vec<String> =
                    found.iter().map(|name| format!("`{}`", shown(name.trim()))).collect();
                let why = format!(
                    "{why}; the heading has {}. If lines stand before the headings, say how many",
                    names.join(", ")
                );
                best = Some((found.len(), ListError::new(Some(line), None, why)));
            }
            Err(_) => {}
        }
    }
    Err(best.map_or_else(|| ListError::new(Some(1), None, "the list is empty"), |(_, error)| error))
}

/// A heading or a word as it is compared: whatever its case, its blanks, and the form in which its accents are written.
fn folded(text: &str) -> String {
    let words: String = text.nfkc().collect::<String>().to_lowercase().nfkc().collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_among(words: &[String], word: &str) -> bool {
    let word = folded(word);
    words.iter().any(|known| folded(known) == word)
}

/// The beginning of a text from the list, as part of one line of a message.
fn shown(text: &str) -> String {
    text.chars().take(30).map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// Whether a character ends a line, steers a terminal, turns text around or is not seen.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

struct Row<'a> {
    record: &'a Record<'a>,
    format: &'a ListFormat,
    places: &'a Places,
}

impl Row<'_> {
    /// Reads the line, and says whether its amount had a sign.
    fn read(&self) -> Result<(Listed, bool), ListError> {
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
        let (is_paid, is_refund) = match (self.places.status, &columns.status) {
            (Some(place), Some(heading)) => self.status(place, heading)?,
            _ => (true, false),
        };
        let amount = self.text(self.places.amount, &columns.amount)?;
        let (unsigned, has_sign) = without_minus(amount);
        if has_sign && !is_refund {
            let why =
                "it is negative, and only refunds may be; say which words of the status column mean refunds";
            return Err(self.wrong(&columns.amount, why));
        }
        let amount = self.amount(unsigned, &columns.amount, currency)?;
        let refunded = match (self.places.refunded, &columns.refunded) {
            (Some(place), Some(heading)) if !self.text(place, heading)?.is_empty() => {
                Some(self.amount(without_minus(self.text(place, heading)?).0, heading, currency)?)
            }
            (Some(_), _) => Some(Money::from_minor(0, currency)),
            (None, _) => None,
        };
        if is_refund && refunded.is_some_and(Money::is_positive) {
            let why =
                "a line that is a refund has an amount in this column too; which one counts is not clear";
            return Err(self.wrong(columns.refunded.as_deref().unwrap_or_default(), why));
        }
        let refunded = refunded.filter(|_| !is_refund);
        let (line, reference) = (self.record.line, reference.to_owned());
        Ok((Listed { line, reference, amount, is_paid, is_refund, refunded }, has_sign))
    }

    /// Refuses a record of several lines that are lines of the list as well, each by itself: a quote may be missing, and
    /// then a payment would be read as part of a value.
    fn refuse_two_readings(&self, records: &Records<'_>, fields: usize) -> Result<(), ListError> {
        let is_a_line = |line: &&str| {
            let mut found = records.unquoted(line);
            let count = records.unquoted(line).count();
            let amount = found.nth(self.places.amount).unwrap_or_default();
            let amount = without_minus(amount.trim_matches(|c: char| c == '"' || c.is_whitespace())).0;
            count >= fields && self.notation().parse(amount, self.format.currency).is_ok()
        };
        let mut lines = table::lines(self.record.text);
        let Some(first) = lines.next() else { return Ok(()) };
        let inner = lines.zip(self.record.line + 1..).find(|(line, _)| is_a_line(line));
        match inner {
            Some((_, inner)) if is_a_line(&first) => Err(self.broken(format!(
                "a value in quotes goes on over line {inner}, which is a line of the list as well; is a quote missing? Save the \
                 list without line breaks in values"
            ))),
            _ => Ok(()),
        }
    }

    fn status(&self, place: usize, heading: &str) -> Result<(bool, bool), ListError> {
        let word = self.text(place, heading)?;
        let words = &self.format.words;
        match (is_among(&words.paid, word), is_among(&words.unpaid, word), is_among(&words.refund, word)) {
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
        let text = self.record.fields.get(place).map(|text| text.trim()).unwrap_or_default();
        if text.chars().any(steers) {
            let why = "it holds a line break or another character that is not seen; take it out";
            return Err(self.wrong(heading, why));
        }
        Ok(text)
    }

    fn notation(&self) -> AmountNotation {
        let notation = AmountNotation::new(self.format.decimal);
        self.format.thousands.map_or(notation, |separator| notation.thousands(separator))
    }

    fn amount(&self, text: &str, heading: &str, currency: Currency) -> Result<Money, ListError> {
        self.notation().parse(text, currency).map_err(|error| {
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
        ListError::new(Some(self.record.line), Some(&shown(heading)), why)
    }

    fn broken(&self, why: String) -> ListError {
        ListError::new(Some(self.record.line), None, why)
    }
}

/// An amount without the minus before it, hyphen or sign, and whether there was one.
fn without_minus(text: &str) -> (&str, bool) {
    text.strip_prefix(['-', '\u{2212}']).map_or((text, false), |rest| (rest.trim_start(), true))
}

#[cfg(test)]
mod tests;
