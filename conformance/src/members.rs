//! Finds the members of a JSON document at every depth, and changes one of them, all other bytes kept.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One member of an object, wherever the object stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonMember {
    /// Where it is: `header.code`, `list[1].id`.
    pub(crate) path: String,
    name: String,
    /// From the name's quotation mark to the end of the value.
    whole: Range<usize>,
    value: Range<usize>,
}

impl JsonMember {
    /// The value as it is written.
    pub(crate) fn value<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        &body[self.value.clone()]
    }

    /// Where the value is written; a text is without its quotation marks.
    pub(crate) fn inner(&self, body: &[u8]) -> Range<usize> {
        let text = self.value(body).starts_with(b"\"");
        if text { self.value.start + 1..self.value.end - 1 } else { self.value.clone() }
    }

    /// The document with another value here.
    pub(crate) fn with(&self, body: &[u8], value: &str) -> Vec<u8> {
        [&body[..self.value.start], value.as_bytes(), &body[self.value.end..]].concat()
    }

    /// The document without this member: its name becomes another.
    pub(crate) fn without(&self, body: &[u8]) -> Vec<u8> {
        let gone = [br#""conformanceGone":"#.as_slice(), self.value(body)].concat();
        [&body[..self.whole.start], &gone, &body[self.whole.end..]].concat()
    }

    /// The document with a second member of this name, before the first and after it.
    pub(crate) fn doubled(&self, body: &[u8], value: &str) -> [Vec<u8>; 2] {
        let extra = format!("{}:{value}", serde_json::Value::from(self.name.as_str()));
        let (start, end) = (self.whole.start, self.whole.end);
        [
            [&body[..start], extra.as_bytes(), b",", &body[start..]].concat(),
            [&body[..end], b",", extra.as_bytes(), &body[end..]].concat(),
        ]
    }
}

/// The members of an object in their order, doubled ones included.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members).map(Self)
    }
}

/// Every member of a document, those of the outermost object first. None where it is no JSON object.
pub(crate) fn members(body: &[u8]) -> Vec<JsonMember> {
    let Ok(text) = std::str::from_utf8(body) else { return Vec::new() };
    let mut found = Vec::new();
    let mut waiting = vec![(String::new(), 0..text.len())];
    while !waiting.is_empty() {
        let mut deeper = Vec::new();
        for (path, range) in waiting {
            let part = &text[range];
            if let Ok(Object(object)) = serde_json::from_str(part) {
                for (name, raw) in object {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    let value = place(text, raw);
                    if let Some(start) = name_before(text, &name, value.start) {
                        found.push(JsonMember {
                            path: path.clone(),
                            name,
                            whole: start..value.end,
                            value: value.clone(),
                        });
                    }
                    deeper.push((path, value));
                }
            } else if !path.is_empty()
                && let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(part)
            {
                let items = list.into_iter().enumerate();
                deeper.extend(items.map(|(at, raw)| (format!("{path}[{at}]"), place(text, raw))));
            }
        }
        waiting = deeper;
    }
    found
}

/// Where a borrowed part of a text stands in it.
fn place(text: &str, raw: &RawValue) -> Range<usize> {
    let start = raw.get().as_ptr() as usize - text.as_ptr() as usize;
    start..start + raw.get().len()
}

/// Where the name before a value begins; nothing where it is written with escapes.
fn name_before(text: &str, name: &str, value: usize) -> Option<usize> {
    let before = text[..value].trim_end().strip_suffix(':')?.trim_end();
    let name = before.strip_suffix('"')?.strip_suffix(name)?;
    name.strip_suffix('"').map(str::len)
}

/// The member at this path.
pub(crate) fn member(body: &[u8], path: &str) -> Option<JsonMember> {
    members(body).into_iter().find(|member| member.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{ "a" : {"b":1,"c":[{"d":"x"},{"d":null}]}, "e\u0066":2, "g":"y" }"#;

    fn changed(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn members_are_found_at_every_depth() {
        let found: Vec<_> = members(BODY).iter().map(|m| (m.path.clone(), changed(m.value(BODY)))).collect();
        let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["a", "g", "a.b", "a.c", "a.c[0].d", "a.c[1].d"]);
        assert_eq!(found[4].1, "\"x\"");
        assert!(members(b"[1]").is_empty() && members(b"a=b").is_empty() && members(b"\xFF").is_empty());
    }

    #[test]
    fn one_member_is_changed_and_every_other_byte_is_kept() {
        let d = member(BODY, "a.c[0].d").unwrap();
        let text = changed(BODY);
        assert_eq!(changed(&d.with(BODY, "7")), text.replace("\"x\"", "7"));
        assert_eq!(changed(&d.without(BODY)), text.replace("\"d\":\"x\"", "\"conformanceGone\":\"x\""));
        let [first, last] = d.doubled(BODY, "0");
        assert_eq!(changed(&first), text.replace("\"d\":\"x\"", "\"d\":0,\"d\":\"x\""));
        assert_eq!(changed(&last), text.replace("\"d\":\"x\"", "\"d\":\"x\",\"d\":0"));
        assert_eq!(&BODY[d.inner(BODY)], b"x");
    }
}
