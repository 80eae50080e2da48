//! Whether a payload is as it should be.

use std::fmt;

use crate::checksum::{Checksum, ChecksumError};
use crate::element::{Element, Lengths};
use crate::payload::Payload;
use crate::{id, mongolia, vietqr};

/// Whose rules a payload is checked against, or built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rules {
    /// EMV QR Code Specification for Payment Systems, Merchant-Presented Mode 1.0 (July 2017), and of 1.1 the two elements 62.10
    /// and 62.11, whose text was not read. Codes of countries, currencies and languages are checked by their shape only.
    Emvco,
    /// EMVCo's, with what Mongolian payloads are seen to do: the tögrög and the country MN; either checksum; element
    /// 80 bare; the elements that EMVCo reserves (65 to 79; qPay uses 71, 78 and 79); sub-elements 12 to 49 of the
    /// additional data; identifiers longer than 32; a name and a city in any script.
    Mongolia,
    /// VietQR: the đồng and the country VN; element 38 with a bank, a number and a service. Category, name and city
    /// may be absent, and are in any script.
    VietQr,
}

/// Everything that is wrong with a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invalid {
    /// In the order of their places; at least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the payload is not as it should be: ")?;
        for (index, problem) in self.problems.iter().enumerate() {
            let between = if index == 0 { "" } else { "; " };
            write!(f, "{between}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// How many bytes of the payload come before the element. For one that is missing: the length of the payload.
    pub at: usize,
    /// The element, from the outside in: `[62, 1]` is the bill number.
    pub path: Vec<u8>,
    /// What is wrong with it.
    pub kind: ProblemKind,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: element ", self.at)?;
        for (depth, id) in self.path.iter().enumerate() {
            let dot = if depth == 0 { "" } else { "." };
            write!(f, "{dot}{id:02}")?;
        }
        if let [root, ..] = self.path[..] {
            write!(f, " ({})", id::name(root))?;
        }
        write!(f, " {}", self.kind)
    }
}

/// What is wrong with an element.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProblemKind {
    /// It must be there.
    #[error("is missing")]
    Missing,
    /// An id occurs once in its place.
    #[error("is there more than once")]
    Repeated,
    /// The payload format indicator is first, the checksum last.
    #[error("is not in its place, which is the {place}")]
    Misplaced {
        /// `first` or `last`.
        place: &'static str,
    },
    /// A value has at least one character.
    #[error("is empty")]
    Empty,
    /// The value is longer than the specification has it.
    #[error("has {length} characters, at most {longest} are allowed")]
    TooLong {
        /// Its length.
        length: usize,
        /// The longest allowed.
        longest: usize,
    },
    /// The value is not what it should be.
    #[error("is `{found}` instead of {expected}")]
    Malformed {
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// It should be a template and does not read as one.
    #[error("is `{found}` instead of a template of elements that begins as it should")]
    NotATemplate {
        /// What stands there.
        found: String,
    },
    /// It must not be there, because of what another element says, or because the specification reserves its id.
    #[error("must not be there: {why}")]
    Unexpected {
        /// The reason.
        why: &'static str,
    },
    /// The lengths count bytes.
    #[error("has a length in bytes, and lengths count characters")]
    LengthInBytes,
    /// The checksum is absent, malformed or wrong.
    #[error("does not hold: {0}")]
    Checksum(ChecksumError),
    /// The checksum is right by another algorithm than the one prescribed.
    #[error("is right as {0}, and these rules ask for EMVCo's")]
    OtherChecksum(Checksum),
}

impl Payload {
    /// Checks the payload against these rules, its checksum included.
    ///
    /// # Errors
    ///
    /// [`Invalid`] has every problem, each with its place.
    pub fn validate(&self, rules: Rules) -> Result<(), Invalid> {
        validate(self, rules)
    }
}

fn validate(payload: &Payload, rules: Rules) -> Result<(), Invalid> {
    let mut check = Check { rules, payload, problems: Vec::new() };
    check.root();
    check.presence();
    check.fees();
    check.checksum();
    let mut problems = check.problems;
    // Stable, so that what was found first at a place stays first.
    problems.sort_by_key(|problem| problem.at);
    if problems.is_empty() { Ok(()) } else { Err(Invalid { problems }) }
}

struct Check<'a> {
    rules: Rules,
    payload: &'a Payload,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn found(&mut self, at: usize, path: &[u8], kind: ProblemKind) {
        self.problems.push(Problem { at, path: path.to_vec(), kind });
    }

    /// Where the first element of this id starts, or the end of the payload.
    fn place(&self, id: u8) -> usize {
        let before = self.payload.elements().iter().take_while(|element| element.id() != id);
        before.map(Element::written).sum()
    }

    fn root(&mut self) {
        let elements = self.payload.elements();
        let mut at = 0;
        for (index, element) in elements.iter().enumerate() {
            let id = element.id();
            if elements[..index].iter().any(|earlier| earlier.id() == id) {
                self.found(at, &[id], ProblemKind::Repeated);
            }
            if id == id::PAYLOAD_FORMAT && index != 0 {
                self.found(at, &[id], ProblemKind::Misplaced { place: "first" });
            }
            if self.payload.lengths() == Lengths::Bytes && !element.value().is_ascii() {
                self.found(at, &[id], ProblemKind::LengthInBytes);
            }
            // The checksum has words of its own.
            if id != id::CRC {
                self.value(at, element);
            }
            at += element.written();
        }
    }

    /// The value of an element of the root.
    fn value(&mut self, at: usize, element: &Element) {
        let (id, value) = (element.id(), element.value());
        if value.is_empty() {
            return self.found(at, &[id], ProblemKind::Empty);
        }
        let latin = self.rules == Rules::Emvco;
        match id {
            id::PAYLOAD_FORMAT => self.expect(at, &[id], value, value == "01", "01"),
            id::POINT_OF_INITIATION => {
                self.expect(at, &[id], value, matches!(value, "11" | "12"), "11 (static) or 12 (dynamic)");
            }
            2..=25 if latin => self.expect(at, &[id], value, printable(value), "printable ASCII"),
            26..=51 => self.template(at, &[], element, true),
            id::MERCHANT_CATEGORY => self.expect(at, &[id], value, digits(value, 4), "four digits"),
            id::CURRENCY => match self.rules {
                Rules::Emvco => self.expect(at, &[id], value, digits(value, 3), "three digits"),
                Rules::Mongolia => {
                    self.expect(at, &[id], value, value == mongolia::CURRENCY, "496 (tögrög)");
                }
                Rules::VietQr => self.expect(at, &[id], value, value == vietqr::CURRENCY, "704 (đồng)"),
            },
            id::AMOUNT | id::FIXED_FEE => {
                self.expect(at, &[id], value, is_amount(value), AMOUNT);
                let whole = self.rules != Rules::VietQr || !value.contains('.');
                self.expect(
                    at,
                    &[id],
                    value,
                    whole,
                    "an amount without decimals, which the đồng does not have",
                );
            }
            id::TIP => self.expect(at, &[id], value, matches!(value, "01" | "02" | "03"), "01, 02 or 03"),
            id::PERCENTAGE_FEE => {
                self.expect(at, &[id], value, is_percentage(value), "a percentage between 00.01 and 99.99");
            }
            id::COUNTRY => match self.rules {
                Rules::Emvco => {
                    let letters = value.len() == 2 && value.bytes().all(|b| b.is_ascii_uppercase());
                    self.expect(at, &[id], value, letters, "two capital letters");
                }
                Rules::Mongolia => self.expect(at, &[id], value, value == mongolia::COUNTRY, "MN"),
                Rules::VietQr => self.expect(at, &[id], value, value == vietqr::COUNTRY, "VN"),
            },
            id::MERCHANT_NAME => self.line(at, &[id], value, 25, latin),
            id::MERCHANT_CITY => self.line(at, &[id], value, 15, latin),
            id::POSTAL_CODE => self.line(at, &[id], value, 10, latin),
            id::ADDITIONAL => self.additional(at, element),
            id::LANGUAGE => self.language(at, element),
            65..=79 if self.rules == Rules::Emvco => {
                self.found(at, &[id], ProblemKind::Unexpected { why: "EMVCo reserves the ids 65 to 79" });
            }
            80..=99 if self.rules != Rules::Mongolia || !element.elements().is_empty() => {
                self.template(at, &[], element, true);
            }
            _ => {}
        }
    }

    fn expect(&mut self, at: usize, path: &[u8], found: &str, right: bool, expected: &'static str) {
        if !right {
            self.found(at, path, ProblemKind::Malformed { found: found.to_owned(), expected });
        }
    }

    /// Text of one line with a greatest length; in Latin letters if the specification has it so.
    fn line(&mut self, at: usize, path: &[u8], value: &str, longest: usize, latin: bool) {
        let length = value.chars().count();
        if length > longest {
            self.found(at, path, ProblemKind::TooLong { length, longest });
        }
        let (right, expected) = if latin {
            (printable(value), "printable ASCII")
        } else if self.rules == Rules::Emvco && value.chars().any(|c| matches!(c, '\u{300}'..='\u{36f}')) {
            (false, "precomposed characters")
        } else {
            (!value.chars().any(char::is_control), "text without control characters")
        };
        self.expect(at, path, value, right, expected);
    }

    /// That this is a template without repetitions or empty values; calls nobody for what stands in it.
    fn template(&mut self, at: usize, outside: &[u8], element: &Element, with_identifier: bool) {
        let own = [outside, &[element.id()]].concat();
        if element.elements().is_empty() {
            return self.found(at, &own, ProblemKind::NotATemplate { found: element.value().to_owned() });
        }
        for (at, index, sub) in places(at, element) {
            let path = [own.as_slice(), &[sub.id()]].concat();
            if element.elements()[..index].iter().any(|earlier| earlier.id() == sub.id()) {
                self.found(at, &path, ProblemKind::Repeated);
            }
            if sub.value().is_empty() {
                self.found(at, &path, ProblemKind::Empty);
            } else if with_identifier && sub.id() == id::GLOBALLY_UNIQUE_IDENTIFIER {
                let longest = if self.rules == Rules::Mongolia { crate::element::LONGEST } else { 32 };
                self.line(at, &path, sub.value(), longest, true);
            }
        }
    }

    fn additional(&mut self, at: usize, element: &Element) {
        self.template(at, &[], element, false);
        for (at, _, sub) in places(at, element).filter(|(_, _, sub)| !sub.value().is_empty()) {
            let (path, value) = ([element.id(), sub.id()], sub.value());
            match sub.id() {
                1..=8 => self.line(at, &path, value, 25, self.rules == Rules::Emvco),
                id::additional::CONSUMER_DATA_REQUEST => {
                    let once = |letter| value.bytes().filter(|b| *b == letter).count() <= 1;
                    let letters = value.bytes().all(|b| b"AME".contains(&b) && once(b));
                    self.expect(at, &path, value, letters, "the letters A, M and E, each once at most");
                }
                id::additional::MERCHANT_TAX_ID => self.line(at, &path, value, 20, true),
                id::additional::MERCHANT_CHANNEL => {
                    let three =
                        value.chars().count() == 3 && (self.rules != Rules::Emvco || printable(value));
                    self.expect(at, &path, value, three, "three characters");
                }
                50..=99 if self.rules != Rules::Mongolia || !sub.elements().is_empty() => {
                    self.template(at, &[element.id()], sub, true);
                }
                0 | 12..=49 if self.rules == Rules::Emvco => {
                    let why = "EMVCo reserves this id of the additional data";
                    self.found(at, &path, ProblemKind::Unexpected { why });
                }
                _ => {}
            }
        }
    }

    fn language(&mut self, at: usize, element: &Element) {
        self.template(at, &[], element, false);
        for id in [id::language::PREFERENCE, id::language::MERCHANT_NAME] {
            if !element.elements().is_empty() && element.get(id).is_none() {
                self.found(at, &[element.id(), id], ProblemKind::Missing);
            }
        }
        for (at, _, sub) in places(at, element).filter(|(_, _, sub)| !sub.value().is_empty()) {
            let (path, value) = ([element.id(), sub.id()], sub.value());
            match sub.id() {
                id::language::PREFERENCE => {
                    let letters = value.len() == 2 && value.bytes().all(|b| b.is_ascii_alphabetic());
                    self.expect(at, &path, value, letters, "two letters");
                }
                id::language::MERCHANT_NAME => self.line(at, &path, value, 25, false),
                id::language::MERCHANT_CITY => self.line(at, &path, value, 15, false),
                3..=99 if self.rules == Rules::Emvco => {
                    let why = "EMVCo reserves this id of the language template";
                    self.found(at, &path, ProblemKind::Unexpected { why });
                }
                _ => {}
            }
        }
    }

    fn presence(&mut self) {
        let end = self.place(u8::MAX);
        let mut mandatory = vec![id::PAYLOAD_FORMAT, id::CURRENCY, id::COUNTRY];
        if self.rules != Rules::VietQr {
            mandatory.extend([id::MERCHANT_CATEGORY, id::MERCHANT_NAME, id::MERCHANT_CITY]);
        }
        for id in mandatory {
            if self.payload.get(id).is_none() {
                self.found(end, &[id], ProblemKind::Missing);
            }
        }
        if self.rules == Rules::VietQr {
            return self.vietqr();
        }
        if !self.payload.elements().iter().any(|element| matches!(element.id(), 2..=51)) {
            self.found(end, &[id::FIRST_ACCOUNT_TEMPLATE], ProblemKind::Missing);
        }
    }

    fn vietqr(&mut self) {
        let at = self.place(id::VIETQR);
        match (self.payload.get(id::VIETQR), self.payload.vietqr()) {
            (None, _) => self.found(at, &[id::VIETQR], ProblemKind::Missing),
            (Some(element), None) => {
                let expected = "the identifier A000000727, a bank, a number and a service";
                self.expect(at, &[id::VIETQR], element.value(), false, expected);
            }
            (Some(_), Some(to)) => {
                let path = [id::VIETQR, id::vietqr::BENEFICIARY];
                self.expect(at, &path, &to.bin, digits(&to.bin, 6), "a bank's six digits");
                let plain = !to.number.is_empty() && to.number.bytes().all(|b| b.is_ascii_alphanumeric());
                self.expect(at, &path, &to.number, plain, "an account or card of letters and digits");
            }
        }
    }

    fn fees(&mut self) {
        let tip = self.payload.get(id::TIP).map(Element::value);
        for (id, wanted, why) in [
            (id::FIXED_FEE, "02", "the tip indicator (55) is not 02"),
            (id::PERCENTAGE_FEE, "03", "the tip indicator (55) is not 03"),
        ] {
            let at = self.place(id);
            match (tip == Some(wanted), self.payload.get(id).is_some()) {
                (true, false) => self.found(at, &[id], ProblemKind::Missing),
                (false, true) => self.found(at, &[id], ProblemKind::Unexpected { why }),
                _ => {}
            }
        }
    }

    fn checksum(&mut self) {
        let at = self.place(id::CRC);
        let kind = match self.payload.checksum() {
            Ok(right) if right.checksum != Checksum::Emvco && self.rules != Rules::Mongolia => {
                ProblemKind::OtherChecksum(right.checksum)
            }
            Ok(_) => return,
            Err(ChecksumError::Missing) => ProblemKind::Missing,
            Err(ChecksumError::NotLast { .. }) => ProblemKind::Misplaced { place: "last" },
            Err(other) => ProblemKind::Checksum(other),
        };
        self.found(at, &[id::CRC], kind);
    }
}

/// The sub-elements of an element that starts at `at`, each with where it starts and its index.
fn places(at: usize, element: &Element) -> impl Iterator<Item = (usize, usize, &Element)> {
    element.elements().iter().enumerate().scan(at + 4, |next, (index, sub)| {
        let here = *next;
        *next += sub.written();
        Some((here, index, sub))
    })
}

const AMOUNT: &str = "a positive amount of at most 13 characters, digits with at most one point";

/// Digits, with at most one point that has a digit before it; not zero. EMVCo lets the point stand at the end.
fn is_amount(text: &str) -> bool {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    text.len() <= 13
        && !whole.is_empty()
        && all_digits(whole)
        && all_digits(decimals)
        && text.bytes().any(|b| matches!(b, b'1'..=b'9'))
}

/// More than nothing and less than a hundred, in at most five characters; the smallest is a hundredth.
fn is_percentage(text: &str) -> bool {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_a_hundredth = whole.bytes().chain(decimals.bytes().take(2)).any(|b| matches!(b, b'1'..=b'9'));
    // 99.99 is the greatest, so that of three decimals none may follow it but zeros.
    let is_above = whole == "99" && decimals.starts_with("99") && decimals.bytes().skip(2).any(|b| b != b'0');
    is_amount(text) && text.len() <= 5 && whole.len() <= 2 && is_a_hundredth && !is_above
}

fn printable(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' '..=b'~'))
}

fn digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|b| b.is_ascii_digit())
}
