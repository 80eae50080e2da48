//! Keeps the request log: what came in, what was answered, and why, without what nobody may read.

use std::collections::VecDeque;
use std::sync::Mutex;

use axum::http::HeaderMap;
use serde::Serialize;
use tulbur_redact::card_numbers_except;

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

/// Headers as the log shows them: credentials are named, never shown, and card numbers are hidden.
pub(crate) fn redact_headers(
    headers: &HeaderMap,
    sealed: &[String],
    reference: Option<&str>,
) -> Vec<(String, String)> {
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
                _ => redact_words(&text, reference),
            };
            (name.to_owned(), shown)
        })
        .collect()
}

/// A body or an address as the log shows it: the values of sealed fields are gone from JSON and from forms, and so is
/// every card number, in whatever writing and wherever it stands. The reference that the request is about stays, also
/// if it looks like one. Otherwise the text is what came, character by character.
pub(crate) fn redact_text(bytes: &[u8], sealed: &[String], reference: Option<&str>) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    for field in sealed {
        text = redact_json_field(&text, field);
        text = redact_form_field(&text, field);
    }
    text = redact_words(&text, reference);
    if bytes.len() <= TEXT_KEPT {
        return text;
    }
    // Cut last, so that the cut leaves no half of anything.
    text.truncate(text.floor_char_boundary(TEXT_KEPT));
    format!("{text}… ({} bytes in all)", bytes.len())
}

/// Words as the log shows them: without card numbers.
pub(crate) fn redact_words(text: &str, reference: Option<&str>) -> String {
    card_numbers_except(text, reference.as_slice()).into_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_gone_and_the_rest_is_literal() {
        let sealed = vec!["token".to_owned(), "cvc".to_owned()];
        let body = r#"{"amount": 1500.00, "token" : "se\"cret", "x":"token", "token":""}"#;
        let shown = redact_text(body.as_bytes(), &sealed, None);
        assert_eq!(shown, r#"{"amount": 1500.00, "token" : "[not shown]", "x":"token", "token":""}"#);

        let bare = redact_text(br#"{"cvc": 100 , "token":-1.5e3,"cvc":null}"#, &sealed, None);
        assert_eq!(bare, r#"{"cvc": [not shown] , "token":[not shown],"cvc":null}"#);

        let form = redact_text(b"card=9999+9900+0000+0006&cvc=123&action=pay", &sealed, None);
        assert_eq!(form, "card=[hidden]&cvc=[not shown]&action=pay");

        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer abc".parse().unwrap());
        assert_eq!(
            redact_headers(&headers, &sealed, None),
            [("authorization".into(), format!("Bearer {SEALED}"))]
        );
    }

    #[test]
    fn a_card_number_is_hidden_in_every_writing_and_the_reference_is_not() {
        for number in [
            "4111111111111111",
            "x4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111+1111+1111+1111",
            "4111%C2%A01111%C2%A01111%C2%A01111",
            "4111\\u00a01111\\u00a01111\\u00a01111",
            "٤١١١١١١١١١١١١١١١",
        ] {
            let shown = redact_text(
                format!("/pay/5555555555554444?n={number}").as_bytes(),
                &[],
                Some("5555555555554444"),
            );
            assert!(shown.starts_with("/pay/5555555555554444?n="), "{shown}");
            assert!(shown.ends_with("[hidden]"), "{number}: {shown}");
            let headers = HeaderMap::from_iter([(
                "user-agent".parse().unwrap(),
                axum::http::HeaderValue::from_bytes(number.as_bytes()).unwrap(),
            )]);
            assert!(redact_headers(&headers, &[], None)[0].1.ends_with("[hidden]"));
        }
        let cut = format!("{}4111 1111 1111 1111", " ".repeat(TEXT_KEPT - 15));
        assert!(!redact_text(cut.as_bytes(), &[], None).contains("4111"));
        assert_eq!(redact_text(b"4111111111111111", &[], Some("1")), "[hidden]");
    }

    #[test]
    fn long_and_broken_bodies_are_cut_not_refused() {
        let shown = redact_text(&vec![0xff; TEXT_KEPT + 1], &[], None);
        assert!(shown.ends_with(&format!("({} bytes in all)", TEXT_KEPT + 1)));
        assert_eq!(
            redact_text(br#"{"token":"never closed"#, &["token".into()], None),
            r#"{"token":"[not shown]"#
        );
    }
}
