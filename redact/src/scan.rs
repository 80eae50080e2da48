//! Finds card numbers and tokens in one pass, and puts a marker where they stood.

use std::borrow::Cow;
use std::ops::Range;

use crate::HIDDEN;
use crate::characters::{Part, first};
use crate::emv;
use crate::issuers::{LONGEST, is_card, is_national, usual};

/// The most characters between two groups of digits of one number.
const WIDEST_GAP: usize = 4;
/// The longest run of letters and digits that may be shown: a UUID without hyphens.
const LONGEST_WORD: usize = 32;
/// How many characters digests have in hexadecimal.
const DIGESTS: [usize; 5] = [32, 40, 64, 96, 128];

/// Hides card numbers.
///
/// The crate's page says what one is, in which writings it is found, and where it is not.
pub fn card_numbers(text: &str) -> Cow<'_, str> {
    Scan::new(text, &[], false).run()
}

/// Hides card numbers, but never a reference that the caller knows, nor a part of one.
///
/// `known` are references as they stand in the text. A number is hidden all the same where it stands beside them.
pub fn card_numbers_except<'a>(text: &'a str, known: &[&str]) -> Cow<'a, str> {
    Scan::new(text, known, false).run()
}

/// Hides card numbers, and tokens: runs of more than 32 ASCII letters and digits.
///
/// For what a provider says in words. People need neither, and a UUID and a reference are shorter.
pub fn free_text(text: &str) -> Cow<'_, str> {
    Scan::new(text, &[], true).run()
}

/// A digit where it stands.
#[derive(Clone, Copy, Default)]
struct Place {
    value: u8,
    start: usize,
    end: usize,
    /// Whether a group of digits begins here.
    begins: bool,
    /// Whether something other than blanks, dots and dashes stands before this group.
    after_punctuation: bool,
}

struct Scan<'t, 'k> {
    text: &'t str,
    known: &'k [&'k str],
    tokens: bool,
    /// The last digits that may be of one number.
    digits: [Place; LONGEST],
    count: usize,
    found: Vec<Range<usize>>,
}

impl<'t, 'k> Scan<'t, 'k> {
    fn new(text: &'t str, known: &'k [&'k str], tokens: bool) -> Self {
        Self { text, known, tokens, digits: [Place::default(); LONGEST], count: 0, found: Vec::new() }
    }

    fn run(mut self) -> Cow<'t, str> {
        self.search();
        if self.found.is_empty() {
            return Cow::Borrowed(self.text);
        }
        let mut shown = String::with_capacity(self.text.len());
        let mut from = 0;
        for hidden in &self.found {
            shown.push_str(&self.text[from..hidden.start]);
            shown.push_str(HIDDEN);
            from = hidden.end;
        }
        shown.push_str(&self.text[from..]);
        Cow::Owned(shown)
    }

    fn search(&mut self) {
        let (mut at, mut word) = (0, 0);
        let (mut in_group, mut gap, mut punctuation) = (false, 0, false);
        while at < self.text.len() {
            let rest = &self.text[at..];
            let code = if in_group { None } else { emv::length(rest) };
            let (part, length) = code.map_or_else(|| first(rest), |length| (Part::Other, length));
            if length > 1 || !rest.as_bytes()[0].is_ascii_alphanumeric() {
                self.end_word(word, at);
                word = at + length;
            }
            match part {
                Part::Digit(value) => {
                    let (begins, end) = (!in_group, at + length);
                    self.push(Place { value, start: at, end, begins, after_punctuation: punctuation });
                    (in_group, gap, punctuation) = (true, 0, false);
                }
                Part::Unseen => {}
                Part::Separator | Part::Punctuation => {
                    if in_group {
                        self.end_group();
                    }
                    (in_group, gap, punctuation) = (false, gap + 1, punctuation || part == Part::Punctuation);
                    if gap > WIDEST_GAP {
                        self.count = 0;
                    }
                }
                Part::Other => {
                    if in_group {
                        self.end_group();
                    }
                    (in_group, gap, punctuation, self.count) = (false, 0, false, 0);
                }
            }
            at += length;
        }
        if in_group {
            self.end_group();
        }
        self.end_word(word, at);
    }

    fn push(&mut self, place: Place) {
        if self.count == LONGEST {
            self.digits.copy_within(1.., 0);
            self.count -= 1;
        }
        self.digits[self.count] = place;
        self.count += 1;
    }

    /// Looks for the longest number that ends with the last digit. One begins where a group does.
    fn end_group(&mut self) {
        let digits = &self.digits[..self.count];
        let Some(last) = digits.last() else { return };
        let starts = (0..digits.len()).filter(|start| digits[*start].begins);
        let number = starts.map(|start| &digits[start..]).find(|number| is_number(number));
        let Some(range) = number.map(|number| number[0].start..last.end) else { return };
        if !self.is_known(&range) && !self.is_digest(&range) {
            self.hide(range);
        }
    }

    fn end_word(&mut self, start: usize, end: usize) {
        if self.tokens && end > start + LONGEST_WORD {
            self.hide(start..end);
        }
    }

    /// Adds what is found; nothing is found behind what is found later.
    fn hide(&mut self, mut range: Range<usize>) {
        while let Some(last) = self.found.pop_if(|last| range.start < last.end) {
            range = range.start.min(last.start)..range.end.max(last.end);
        }
        self.found.push(range);
    }

    /// Whether it lies inside a known reference.
    fn is_known(&self, range: &Range<usize>) -> bool {
        self.known.iter().filter(|known| known.len() >= range.len()).any(|known| {
            let from = self.text.floor_char_boundary((range.end).saturating_sub(known.len()));
            let to = self.text.ceil_char_boundary((range.start + known.len()).min(self.text.len()));
            self.text[from..to].contains(known)
        })
    }

    /// Whether it is the middle of a digest in hexadecimal.
    fn is_digest(&self, range: &Range<usize>) -> bool {
        let (before, after) = (&self.text.as_bytes()[..range.start], &self.text.as_bytes()[range.end..]);
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric();
        let most = DIGESTS[DIGESTS.len() - 1];
        let start = range.start - before.iter().rev().take(most).take_while(is_part).count();
        let end = range.end + after.iter().take(most).take_while(is_part).count();
        let word = &self.text[start..end];
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let one_case = word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            || word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
        DIGESTS.contains(&word.len()) && one_case && digits < word.len()
    }
}

fn is_number(digits: &[Place]) -> bool {
    if !is_card(digits.iter().map(|digit| digit.value)) {
        return false;
    }
    let any_groups = digits[1..].iter().all(|digit| !digit.begins || !digit.after_punctuation);
    if any_groups && !is_national(digits[0].value) {
        return true;
    }
    let (mut sizes, mut count) = ([0; LONGEST], 0);
    for digit in digits {
        count += usize::from(digit.begins);
        sizes[count - 1] += 1;
    }
    usual(&sizes[..count])
}
