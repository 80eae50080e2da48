//! One element, and the reader that turns text into elements.

use std::fmt;

use crate::id;

/// What the largest QR code holds: version 40, lowest error correction (ISO/IEC 18004). Nothing longer is a payload.
pub(crate) const LARGEST: usize = 2953;

/// The longest value that two digits can announce.
pub(crate) const LONGEST: usize = 99;

/// What the two digits of a length count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Lengths {
    /// Characters, that is Unicode scalar values. This is the rule: a character of a string may take up to four bytes
    /// of UTF-8, and the length is the number of characters, not of bytes (EMVCo's Merchant-Presented Mode, data
    /// element format conventions; UnionPay's encoding specification says the same in these words).
    #[default]
    Characters,
    /// Bytes of UTF-8. Some issuers count these, against the rule. For text in ASCII both are the same.
    Bytes,
}

impl Lengths {
    pub(crate) fn of(self, text: &str) -> usize {
        match self {
            Self::Characters => text.chars().count(),
            Self::Bytes => text.len(),
        }
    }

    /// The byte where the first `length` units of `text` end, if there are so many and they end between characters.
    fn end(self, text: &str, length: usize) -> Option<usize> {
        match self {
            Self::Characters => text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(length),
            Self::Bytes => text.is_char_boundary(length).then_some(length),
        }
    }
}

impl fmt::Display for Lengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Characters => "characters",
            Self::Bytes => "bytes",
        })
    }
}

/// An id of two digits and a value, which is text or, in a template, again elements.
///
/// The text of the value is what was read, and what is written. The elements in it are read from that text, so two
/// elements are equal if their ids and texts are.
#[derive(Debug, Clone)]
pub struct Element {
    id: u8,
    value: String,
    elements: Vec<Element>,
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.value == other.value
    }
}

impl Eq for Element {}

/// Why there can be no such element.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ElementError {
    /// Ids have two digits.
    #[error("{id} is no id of an element: ids go from 0 to 99")]
    Id {
        /// What was asked for.
        id: u8,
    },
    /// Lengths have two digits.
    #[error("the value of element {id:02} has {length} characters, and an element has room for 99")]
    TooLong {
        /// The element.
        id: u8,
        /// Its length in characters.
        length: usize,
    },
}

impl Element {
    /// An element of text.
    ///
    /// # Errors
    ///
    /// If `id` is above 99 or `value` has more than 99 characters.
    pub fn new(id: u8, value: impl Into<String>) -> Result<Self, ElementError> {
        let value = value.into();
        let length = Lengths::Characters.of(&value);
        if id > 99 {
            return Err(ElementError::Id { id });
        }
        if length > LONGEST {
            return Err(ElementError::TooLong { id, length });
        }
        Ok(Self { id, value, elements: Vec::new() })
    }

    /// A template: an element made of elements, whose lengths count characters.
    ///
    /// # Errors
    ///
    /// If `id` is above 99 or the elements together have more than 99 characters.
    pub fn template(id: u8, elements: impl IntoIterator<Item = Element>) -> Result<Self, ElementError> {
        let elements: Vec<Element> = elements.into_iter().collect();
        let mut value = String::new();
        for element in &elements {
            element.write(Lengths::Characters, &mut value);
        }
        Ok(Self { elements, ..Self::new(id, value)? })
    }

    /// The id, 0 to 99; [`id`] has their names.
    pub fn id(&self) -> u8 {
        self.id
    }

    /// The value as it stands in the payload.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The elements in the value; none if it is not a template, or does not read as one.
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// The first element of this id in the value.
    pub fn get(&self, id: u8) -> Option<&Element> {
        self.elements.iter().find(|element| element.id == id)
    }

    /// The globally unique identifier (sub-element 00) of an account template or an unreserved one.
    pub fn identifier(&self) -> Option<&str> {
        self.get(id::GLOBALLY_UNIQUE_IDENTIFIER).map(Element::value)
    }

    /// Appends id, length and value.
    pub(crate) fn write(&self, lengths: Lengths, to: &mut String) {
        use fmt::Write;
        let length = lengths.of(&self.value);
        write!(to, "{:02}{length:02}{}", self.id, self.value).expect("writing to a String does not fail");
    }

    /// How many bytes [`Element::write`] appends.
    pub(crate) fn written(&self) -> usize {
        4 + self.value.len()
    }
}

/// Why a text is no payload: the first thing in it that cannot be read, and where that is.
///
/// Only the outer elements can be at fault. What should be a template and is not, such as the bare `01` that Mongolian
/// issuers write into element 80, is kept as text, and [`Payload::validate`](crate::Payload::validate) names it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {kind}")]
#[non_exhaustive]
pub struct ParseError {
    /// How many bytes of the text come before the place. In ASCII that is the number of characters.
    pub at: usize,
    /// What is wrong there.
    pub kind: ParseErrorKind,
}

/// What is wrong at a place of a text that should be a payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// There is nothing.
    #[error("the text is empty, and a payload has at least its format indicator and its checksum")]
    Empty,
    /// More than fits any QR code.
    #[error("the text has {length} bytes, and no QR code holds more than {}", LARGEST)]
    TooLarge {
        /// Its length in bytes.
        length: usize,
    },
    /// Two digits of an id should stand here.
    #[error(
        "expected the two digits of an element's id, found `{found}`; is this an EMVCo payload, and whole?"
    )]
    Id {
        /// What stands there, at most two characters.
        found: String,
    },
    /// Two digits of a length should stand here.
    #[error("expected the two digits of the length of element {id:02}, found `{found}`")]
    Length {
        /// The element.
        id: u8,
        /// What stands there, at most two characters.
        found: String,
    },
    /// The text ends before the value does, or a length in bytes ends inside a character.
    #[error("element {id:02} says that its value has {length} {lengths}, but {left} are left")]
    Value {
        /// The element.
        id: u8,
        /// The length that it announces.
        length: usize,
        /// How much there is.
        left: usize,
        /// What is counted.
        lengths: Lengths,
    },
}

/// Where the elements stand that are read; the same id may be a template in one place and text in another.
#[derive(Clone, Copy)]
enum Place<'a> {
    Root,
    Additional,
    /// In an account template with this identifier.
    Account(&'a str),
    Leaf,
}

/// Reads the elements of a whole payload.
pub(crate) fn read(text: &str, lengths: Lengths) -> Result<Vec<Element>, ParseError> {
    read_in(Place::Root, text, lengths)
}

fn read_in(place: Place<'_>, text: &str, lengths: Lengths) -> Result<Vec<Element>, ParseError> {
    let mut elements: Vec<Element> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let head = &text[at..];
        let id = two_digits(head)
            .map_err(|found| ParseError { at, kind: ParseErrorKind::Id { found: found.to_owned() } })?;
        let length = two_digits(&head[2..]).map_err(|found| ParseError {
            at: at + 2,
            kind: ParseErrorKind::Length { id, found: found.to_owned() },
        })?;
        let (rest, length) = (&head[4..], usize::from(length));
        let Some(end) = lengths.end(rest, length) else {
            let left = lengths.of(rest);
            return Err(ParseError { at: at + 4, kind: ParseErrorKind::Value { id, length, left, lengths } });
        };
        let value = &rest[..end];
        let elements_of_value = read_template(place, id, value, lengths);
        elements.push(Element { id, value: value.to_owned(), elements: elements_of_value });
        at += 4 + end;
    }
    Ok(elements)
}

/// The elements of a value that is a template; none if it is none, or does not read as one.
fn read_template(place: Place<'_>, id: u8, value: &str, lengths: Lengths) -> Vec<Element> {
    let (inside, with_identifier) = match (place, id) {
        // 17 to 25 are EMVCo's to give away; WeChat's account in them has the shape of a template.
        (Place::Root, 17..=51 | 80..=99) => (Place::Account(""), true),
        (Place::Root, id::ADDITIONAL) => (Place::Additional, false),
        (Place::Root, id::LANGUAGE) | (Place::Account(id::vietqr::IDENTIFIER), id::vietqr::BENEFICIARY) => {
            (Place::Leaf, false)
        }
        (Place::Additional, 50..=99) => (Place::Leaf, true),
        _ => return Vec::new(),
    };
    let Ok(elements) = read_in(inside, value, lengths) else { return Vec::new() };
    if !with_identifier {
        return elements;
    }
    // What has an identifier, wherever it stands, is a template. Something that only happens to read as one is text.
    let Some(identifier) = elements.iter().find(|element| element.id == 0) else { return Vec::new() };
    match inside {
        // The identifier decides how the rest of an account template reads, also what stands before it.
        Place::Account(_) => read_in(Place::Account(&identifier.value), value, lengths).unwrap_or_default(),
        _ => elements,
    }
}

/// The number of the first two characters, or what stands there instead.
fn two_digits(text: &str) -> Result<u8, &str> {
    if let [tens @ b'0'..=b'9', units @ b'0'..=b'9', ..] = text.as_bytes() {
        return Ok((tens - b'0') * 10 + (units - b'0'));
    }
    let end = text.char_indices().nth(2).map_or(text.len(), |(at, _)| at);
    Err(&text[..end])
}
