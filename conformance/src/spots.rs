//! Finding values in a notification, and changing them byte by byte.

use std::ops::Range;

use crate::mailbox::Letter;
use crate::members::member;
use crate::under_test::Member;

/// Which part of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Body,
    Query,
    Header(usize),
}

/// The bytes of one value in a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    part: Part,
    range: Range<usize>,
}

impl Spot {
    /// Where a member's value stands; none if it is absent or null. A JSON string is without its quotes.
    pub(crate) fn find(letter: &Letter, wanted: &Member) -> Option<Self> {
        match wanted {
            Member::Json(name) => {
                let member = member(&letter.body, name)?;
                if member.value(&letter.body) == b"null" {
                    return None;
                }
                Some(Self { part: Part::Body, range: member.inner(&letter.body) })
            }
            Member::Form(name) => field(&letter.body, name).map(|range| Self { part: Part::Body, range }),
            Member::Query(name) => {
                let range = field(letter.query.as_deref()?.as_bytes(), name)?;
                Some(Self { part: Part::Query, range })
            }
            Member::Header(name) => {
                let at = letter.headers.iter().position(|(header, _)| header.eq_ignore_ascii_case(name))?;
                Some(Self { part: Part::Header(at), range: 0..letter.headers[at].1.len() })
            }
            Member::Body => Some(Self { part: Part::Body, range: 0..letter.body.len() }),
        }
    }

    fn part<'a>(&self, letter: &'a Letter) -> &'a [u8] {
        match self.part {
            Part::Body => &letter.body,
            Part::Query => letter.query.as_deref().unwrap_or_default().as_bytes(),
            Part::Header(at) => letter.headers[at].1.as_bytes(),
        }
    }

    /// The value's bytes.
    pub(crate) fn value<'a>(&self, letter: &'a Letter) -> &'a [u8] {
        &self.part(letter)[self.range.clone()]
    }

    /// The letter with other bytes in this place; none where the part cannot hold such bytes.
    pub(crate) fn with(&self, letter: &Letter, value: &[u8]) -> Option<Letter> {
        let old = self.part(letter);
        let new = [&old[..self.range.start], value, &old[self.range.end..]].concat();
        let mut changed = letter.clone();
        match self.part {
            Part::Body => changed.body = new,
            Part::Query => changed.query = Some(String::from_utf8(new).ok()?),
            Part::Header(at) => changed.headers[at].1 = String::from_utf8(new).ok()?,
        }
        Some(changed)
    }

    /// The letter with each single bit of the value changed, and which one.
    pub(crate) fn with_each_bit_changed(&self, letter: &Letter) -> Vec<(usize, u8, Letter)> {
        let value = self.value(letter);
        let mut letters = Vec::new();
        for at in 0..value.len() {
            for bit in 0..8 {
                let mut changed = value.to_vec();
                changed[at] ^= 1 << bit;
                letters.extend(self.with(letter, &changed).map(|letter| (at, bit, letter)));
            }
        }
        letters
    }
}

/// The value of a field in form encoding.
fn field(encoded: &[u8], name: &str) -> Option<Range<usize>> {
    let mut start = 0;
    for pair in encoded.split(|&byte| byte == b'&') {
        let end = start + pair.len();
        if let Some(value) = pair.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")) {
            return Some(end - value.len()..end);
        }
        start = end + 1;
    }
    None
}

/// The letter without a member: its name becomes another.
pub(crate) fn without(letter: &Letter, left_out: &Member) -> Option<Letter> {
    let mut changed = letter.clone();
    let rename = |bytes: &[u8], from: &str, to: &str| -> Option<Vec<u8>> {
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes())?;
        Some([&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat())
    };
    match left_out {
        Member::Json(name) => {
            changed.body = member(&letter.body, name)?.without(&letter.body);
        }
        Member::Form(name) => {
            changed.body = rename(&letter.body, &format!("{name}="), "conformanceGone=")?;
        }
        Member::Query(name) => {
            let query = rename(letter.query.as_deref()?.as_bytes(), &format!("{name}="), "conformanceGone=")?;
            changed.query = String::from_utf8(query).ok();
        }
        Member::Header(name) => {
            changed.headers.retain(|(header, _)| !header.eq_ignore_ascii_case(name));
        }
        Member::Body => changed.body.clear(),
    }
    Some(changed)
}

/// The letter with a second member of this name, before the first and after it.
pub(crate) fn doubled(letter: &Letter, twice: &Member, value: &str) -> Vec<Letter> {
    let both = |one: Vec<u8>, two: Vec<u8>| [one, two].map(|body| Letter { body, ..letter.clone() }).to_vec();
    match twice {
        Member::Json(name) => {
            let text = serde_json::Value::from(value).to_string();
            if let Some(found) = member(&letter.body, name) {
                let [first, last] = found.doubled(&letter.body, &text);
                return both(first, last);
            }
            let Some(inner) = inside(&letter.body) else { return Vec::new() };
            let extra = format!("\"{name}\":{text}");
            both(
                [b"{", extra.as_bytes(), b",", inner, b"}"].concat(),
                [b"{", inner, b",", extra.as_bytes(), b"}"].concat(),
            )
        }
        Member::Form(name) => {
            let extra = format!("{name}={value}");
            both(
                [extra.as_bytes(), b"&", &letter.body].concat(),
                [&letter.body, b"&".as_slice(), extra.as_bytes()].concat(),
            )
        }
        Member::Query(name) => {
            let old = letter.query.clone().unwrap_or_default();
            [format!("{name}={value}&{old}"), format!("{old}&{name}={value}")]
                .map(|query| Letter { query: Some(query), ..letter.clone() })
                .to_vec()
        }
        Member::Header(_) | Member::Body => Vec::new(),
    }
}

/// What stands between the braces of a JSON object with members.
fn inside(body: &[u8]) -> Option<&[u8]> {
    let inner = body.trim_ascii().strip_prefix(b"{")?.strip_suffix(b"}")?;
    (!inner.trim_ascii().is_empty()).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(body: &str) -> Letter {
        let headers = vec![("x-sum".into(), "abc".into())];
        Letter {
            method: "POST".into(),
            path: "/notify".into(),
            query: Some("a=1&b=2".into()),
            headers,
            body: body.into(),
        }
    }

    #[test]
    fn values_are_found_where_they_stand() {
        let json = letter(r#"{"ab":"x","b": 12.50, "c":null}"#);
        let value = |member| Spot::find(&json, &member).map(|spot| spot.value(&json).to_vec());
        assert_eq!(value(Member::Json("ab")).unwrap(), b"x");
        assert_eq!(value(Member::Json("b")).unwrap(), b"12.50");
        assert_eq!(value(Member::Json("c")), None);
        assert_eq!(value(Member::Query("b")).unwrap(), b"2");
        assert_eq!(value(Member::Header("X-Sum")).unwrap(), b"abc");
        let form = letter("ab=1&b=22");
        let spot = Spot::find(&form, &Member::Form("b")).unwrap();
        assert_eq!(spot.with(&form, b"3").unwrap().body, b"ab=1&b=3");
        assert_eq!(spot.with_each_bit_changed(&form).len(), 16);
    }

    #[test]
    fn members_are_taken_away_and_doubled() {
        let json = letter(r#"{"a":"x","sum":"y"}"#);
        let gone = without(&json, &Member::Json("sum")).unwrap();
        assert_eq!(gone.body, br#"{"a":"x","conformanceGone":"y"}"#);
        assert!(without(&json, &Member::Header("x-sum")).unwrap().headers.is_empty());
        let two = doubled(&json, &Member::Json("a"), "z");
        assert_eq!(two[0].body, br#"{"a":"z","a":"x","sum":"y"}"#);
        assert_eq!(two[1].body, br#"{"a":"x","a":"z","sum":"y"}"#);
    }
}
