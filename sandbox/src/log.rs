//! The request log: what came in, what was answered, and why, without what nobody may read.

use std::collections::VecDeque;
use std::sync::Mutex;

use axum::http::HeaderMap;
use serde::Serialize;

use crate::clock::Timestamp;
use crate::lock::lock;

const REQUESTS_KEPT: usize = 500;
const TEXT_KEPT: usize = 8 * 1024;
const SEALED: &str = "[not shown]";

/// Whether a request was accepted by the provider's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// It was taken and carried out.
    Accepted,
    /// It was refused.
    Refused,
}

/// A handler's word on a request; attach it to the response's extensions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Note {
    /// Taken or refused.
    pub verdict: Verdict,
    /// Why, in words a merchant's developer can act on.
    pub text: String,
}

impl Note {
    /// The request was carried out.
    pub fn accepted(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Accepted, text: text.into() }
    }

    /// The request was refused.
    pub fn refused(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Refused, text: text.into() }
    }
}

/// One request to a provider, as the log keeps it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LoggedRequest {
    /// Its number at this provider, from 1, since this process started.
    pub id: u64,
    /// When it came.
    pub at: Timestamp,
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub target: String,
    /// The merchant reference that it is about, where that can be seen.
    pub reference: Option<String>,
    /// Its headers, secrets not shown.
    pub headers: Vec<(String, String)>,
    /// Its body, secrets not shown, cut when long.
    pub body: String,
    /// The status of the answer; none while it is being worked on, or if the connection was cut.
    pub status: Option<u16>,
    /// The body of the answer, secrets not shown, cut when long.
    pub answer: String,
    /// Taken or refused.
    pub verdict: Option<Verdict>,
    /// Why.
    pub explanation: String,
    /// The faults that it suffered.
    pub faults: Vec<String>,
    /// How long the answer took.
    pub millis: Option<u64>,
}

/// The last requests of one provider.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    entries: Mutex<(u64, VecDeque<LoggedRequest>)>,
}

impl RequestLog {
    /// Enters a request that has just come in and gives it a number.
    pub(crate) fn enter(&self, mut request: LoggedRequest) -> u64 {
        let mut entries = lock(&self.entries);
        entries.0 += 1;
        request.id = entries.0;
        let id = request.id;
        entries.1.push_back(request);
        if entries.1.len() > REQUESTS_KEPT {
            entries.1.pop_front();
        }
        id
    }

    /// Completes an entry, if it is still kept.
    pub(crate) fn complete(&self, id: u64, change: impl FnOnce(&mut LoggedRequest)) {
        if let Some(entry) = lock(&self.entries).1.iter_mut().find(|entry| entry.id == id) {
            change(entry);
        }
    }

    pub(crate) fn all(&self) -> Vec<LoggedRequest> {
        lock(&self.entries).1.iter().cloned().collect()
    }
}

/// Headers as the log shows them: credentials are named, never shown.
pub(crate) fn redact_headers(headers: &HeaderMap, sealed: &[String]) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let name = name.as_str();
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let shown = match name {
                "authorization" | "proxy-authorization" => match text.split_once(' ') {
                    Some((scheme, _)) => format!("{scheme} {SEALED}"),
                    None => SEALED.to_owned(),
                },
                "cookie" => SEALED.to_owned(),
                _ if sealed.iter().any(|field| field.eq_ignore_ascii_case(name)) => SEALED.to_owned(),
                _ => text,
            };
            (name.to_owned(), shown)
        })
        .collect()
}

/// A body as the log shows it: the values of sealed fields are gone from JSON and from forms, and so is every digit
/// run that could be a card number, wherever it stands. Otherwise the text is what came, character by character.
pub(crate) fn redact_text(bytes: &[u8], sealed: &[String]) -> String {
    let mut text = String::from_utf8_lossy(bytes.get(..TEXT_KEPT).unwrap_or(bytes)).into_owned();
    for field in sealed {
        text = redact_json_field(&text, field);
        text = redact_form_field(&text, field);
    }
    text = redact_card_numbers(&text);
    if bytes.len() > TEXT_KEPT { format!("{text}… ({} bytes in all)", bytes.len()) } else { text }
}

fn redact_json_field(text: &str, field: &str) -> String {
    let name = format!("\"{field}\"");
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(&name) {
        let (before, after) = rest.split_at(at + name.len());
        out.push_str(before);
        rest = after;
        let Some(value) = after.trim_start().strip_prefix(':').map(str::trim_start) else { continue };
        if let Some(inside) = value.strip_prefix('"') {
            out.push_str(&after[..after.len() - inside.len()]);
            let end = closing_quote(inside);
            let shown = if end == 0 { "" } else { SEALED };
            out.push_str(shown);
            rest = &inside[end..];
        } else if value.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
            out.push_str(&after[..after.len() - value.len()]);
            out.push_str(SEALED);
            rest =
                value.trim_start_matches(|next: char| next.is_ascii_alphanumeric() || "+-.".contains(next));
        }
    }
    out.push_str(rest);
    out
}

fn closing_quote(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            '"' if !escaped => return at,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

fn redact_form_field(text: &str, field: &str) -> String {
    let name = format!("{field}=");
    text.split('&')
        .map(|pair| if pair.starts_with(&name) { format!("{name}{SEALED}") } else { pair.to_owned() })
        .collect::<Vec<_>>()
        .join("&")
}

/// Masks digits that pass the card numbers' own check, also when they are grouped by blanks, pluses or hyphens.
fn redact_card_numbers(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        let mut end = at;
        let mut digits = Vec::new();
        while end < characters.len() {
            match characters[end] {
                digit @ '0'..='9' => digits.push(digit),
                ' ' | '-' | '+' if !digits.is_empty() && digits.len() < 19 => {}
                _ => break,
            }
            end += 1;
        }
        if (13..=19).contains(&digits.len()) && passes_luhn(&digits) {
            out.extend(&digits[..6]);
            out.push_str("******");
            out.extend(&digits[digits.len() - 4..]);
            at = end;
        } else if end > at {
            out.extend(&characters[at..end]);
            at = end;
        } else {
            out.push(characters[at]);
            at += 1;
        }
    }
    out
}

/// The check digit rule of card numbers.
pub(crate) fn passes_luhn(digits: &[char]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .filter_map(|digit| digit.to_digit(10))
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => digit,
            (_, doubled) if doubled > 9 => doubled - 9,
            (_, doubled) => doubled,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_gone_and_the_rest_is_literal() {
        let sealed = vec!["token".to_owned(), "cvc".to_owned()];
        let body = r#"{"amount": 1500.00, "token" : "se\"cret", "x":"token", "token":""}"#;
        let shown = redact_text(body.as_bytes(), &sealed);
        assert_eq!(shown, r#"{"amount": 1500.00, "token" : "[not shown]", "x":"token", "token":""}"#);

        let bare = redact_text(br#"{"cvc": 100 , "token":-1.5e3,"cvc":null}"#, &sealed);
        assert_eq!(bare, r#"{"cvc": [not shown] , "token":[not shown],"cvc":null}"#);

        let form = redact_text(b"card=9999+9900+0000+0006&cvc=123&action=pay", &sealed);
        assert_eq!(form, "card=999999******0006&cvc=[not shown]&action=pay");

        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer abc".parse().unwrap());
        assert_eq!(redact_headers(&headers, &sealed), [("authorization".into(), format!("Bearer {SEALED}"))]);
    }

    #[test]
    fn long_and_broken_bodies_are_cut_not_refused() {
        let shown = redact_text(&vec![0xff; TEXT_KEPT + 1], &[]);
        assert!(shown.ends_with(&format!("({} bytes in all)", TEXT_KEPT + 1)));
        assert_eq!(redact_text(br#"{"token":"never closed"#, &["token".into()]), r#"{"token":"[not shown]"#);
    }
}
