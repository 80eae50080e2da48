//! Selects the parts of a kept delivery that may be shown.
//!
//! A value is shown only if its field is known to hold amounts, codes, references or times *and* it looks like one,
//! or if it is a reference that we know ourselves. Everything else is described by its length. So a field that
//! nobody thought of is hidden.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;
use tulbur_core::Url;

use crate::engine::kept::RawDelivery;
use crate::error::Result;
use crate::store::InboxEntry;
use crate::store::seal::SealingKeys;

/// A field of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ShownField {
    /// Where it stands, e.g. `data.orderAmount`.
    pub name: String,
    /// Its value as received; none if it is hidden.
    pub value: Option<String>,
    /// What is hidden, described without telling it.
    pub hidden: Option<String>,
}

/// A kept delivery without anything secret or personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ShownDelivery {
    /// The HTTP method.
    pub method: String,
    /// The query's fields.
    pub query: Vec<ShownField>,
    /// The headers; all their values are hidden.
    pub headers: Vec<ShownField>,
    /// How the body could be read: `json`, `form`, `empty`, or `unreadable`, which has no fields.
    pub form: &'static str,
    /// The body's fields.
    pub body: Vec<ShownField>,
    /// How many bytes the body had.
    pub bytes: usize,
    /// How many of them are kept.
    pub kept: usize,
}

/// Fields of amounts, codes, references and times, in lower case without punctuation.
const SHOWN: [&str; 50] = [
    "amount",
    "orderamount",
    "totalamount",
    "transactionamount",
    "paidamount",
    "refundamount",
    "capturedamount",
    "total",
    "currency",
    "ordercurrency",
    "status",
    "state",
    "code",
    "errorcode",
    "responsecode",
    "resultcode",
    "respcode",
    "transactionstatus",
    "transactionstage",
    "ipnstatus",
    "transactionid",
    "orderid",
    "orderno",
    "ordernumber",
    "orderreference",
    "requestid",
    "invoice",
    "invoiceid",
    "invoiceno",
    "reference",
    "ref",
    "merchantref",
    "paymentid",
    "refundid",
    "originalid",
    "type",
    "statuscode",
    "apioperation",
    "paymentmethod",
    "sourcetype",
    "transactiontype",
    "method",
    "responsedatetime",
    "transactiondatetime",
    "orderdatetime",
    "datetime",
    "date",
    "time",
    "timestamp",
    "event",
];
/// More fields than any provider sends.
const MOST_FIELDS: usize = 200;
const MOST_DEPTH: usize = 6;

impl SealingKeys {
    /// Opens a kept delivery and shows what is neither secret nor personal in it: amounts, codes, references, times,
    /// and the names of the other fields. `known` are references of ours, which are shown wherever they stand.
    ///
    /// # Errors
    /// [`Error::Sealed`](crate::Error::Sealed) when the key that sealed it is not here, by its id.
    pub fn show_delivery(&self, entry: &InboxEntry, known: &[&str]) -> Result<ShownDelivery> {
        let raw = RawDelivery::open(self, entry)?;
        let body = raw.body()?;
        let mut view = View { known, fields: Vec::new() };
        let form = view.body(&body);
        let fields = std::mem::take(&mut view.fields);
        view.form(raw.query.as_deref().unwrap_or_default());
        let query = view.fields;
        let headers = raw
            .headers
            .iter()
            .map(|(name, value)| ShownField {
                name: plain_name(name),
                value: None,
                hidden: Some(description(value)),
            })
            .collect();
        Ok(ShownDelivery {
            method: plain_name(&raw.method),
            query,
            headers,
            form,
            body: fields,
            bytes: raw.bytes,
            kept: body.len(),
        })
    }
}

struct View<'a> {
    known: &'a [&'a str],
    fields: Vec<ShownField>,
}

impl View<'_> {
    fn body(&mut self, body: &[u8]) -> &'static str {
        if body.is_empty() {
            return "empty";
        }
        let Ok(text) = std::str::from_utf8(body) else { return "unreadable" };
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.starts_with(['{', '['])
            && let Ok(value) = serde_json::from_str::<Box<RawValue>>(text)
        {
            self.json("", &value, 0);
            return "json";
        }
        let is_form = text.contains('=') && text.bytes().all(|b| b.is_ascii_graphic());
        if is_form {
            self.form(text);
            return "form";
        }
        "unreadable"
    }

    fn form(&mut self, encoded: &str) {
        let Ok(mut url) = Url::parse("http://localhost/") else { return };
        url.set_query(Some(encoded));
        for (name, value) in url.query_pairs().take(MOST_FIELDS) {
            if !name.is_empty() || !value.is_empty() {
                self.text(&plain_name(&name), &value, 0);
            }
        }
    }

    fn json(&mut self, path: &str, value: &RawValue, depth: usize) {
        if self.fields.len() >= MOST_FIELDS {
            return;
        }
        let text = value.get();
        let inside = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if depth >= MOST_DEPTH {
            return self.add(path, None, "deeper than anybody looks".into());
        }
        match text.as_bytes().first() {
            Some(b'{') => {
                let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).unwrap_or_default();
                for (name, value) in members {
                    self.json(&inside(&plain_name(&name)), &value, depth + 1);
                }
            }
            Some(b'[') => {
                let items: Vec<Box<RawValue>> = serde_json::from_str(text).unwrap_or_default();
                for (number, value) in items.iter().enumerate() {
                    self.json(&inside(&number.to_string()), value, depth + 1);
                }
            }
            Some(b'"') => {
                let text: String = serde_json::from_str(text).unwrap_or_default();
                self.text(path, &text, depth);
            }
            Some(b't' | b'f' | b'n') => self.add(path, Some(text), String::new()),
            _ => self.text(path, text, depth),
        }
    }

    fn text(&mut self, name: &str, value: &str, depth: usize) {
        // Galaxy Pay sends its answer as base64 of JSON; a form turns its `+` into a blank.
        if value.len() > 16
            && let Ok(bytes) = STANDARD.decode(value.replace(' ', "+"))
            && let Ok(text) = std::str::from_utf8(&bytes)
            && text.starts_with('{')
            && let Ok(inner) = serde_json::from_str::<Box<RawValue>>(text)
        {
            return self.json(name, &inner, depth + 1);
        }
        let last = name.rsplit('.').find(|part| part.parse::<u32>().is_err()).unwrap_or(name);
        let plain: String =
            last.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        let known = !value.is_empty() && self.known.contains(&value);
        if value.is_empty() || known || (SHOWN.contains(&plain.as_str()) && is_plain(value)) {
            self.add(name, Some(value), String::new());
        } else {
            self.add(name, None, description(value));
        }
    }

    fn add(&mut self, name: &str, value: Option<&str>, hidden: String) {
        if self.fields.len() < MOST_FIELDS {
            self.fields.push(ShownField {
                name: name.to_owned(),
                value: value.map(str::to_owned),
                hidden: value.is_none().then_some(hidden),
            });
        }
    }
}

/// Whether it looks like an amount, a code, a reference or a time, and like nothing that is secret.
fn is_plain(value: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:+-/ ".contains(&b);
    let words = value.split(' ').count();
    value.len() <= 40
        && words <= 2
        && value.bytes().all(allowed)
        && tulbur_redact::card_numbers(value) == value
}

/// A name that cannot be mistaken for something else: a secret in the wrong place is no name.
fn plain_name(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.[]".contains(c);
    let is_name =
        name.len() <= 40 && name.chars().all(allowed) && name.bytes().filter(u8::is_ascii_digit).count() <= 6;
    if is_name { name.to_owned() } else { "(a name that is not shown)".to_owned() }
}

fn description(value: &str) -> String {
    let count = value.chars().count();
    let kind = if value.bytes().all(|b| b.is_ascii_digit()) {
        "digits"
    } else if value.bytes().all(|b| b.is_ascii_hexdigit()) {
        "hexadecimal characters"
    } else {
        "characters"
    };
    if value.is_empty() { "empty".to_owned() } else { format!("{count} {kind}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(body: &str, known: &[&str]) -> (&'static str, BTreeMap<String, String>) {
        let mut view = View { known, fields: Vec::new() };
        let form = view.body(body.as_bytes());
        let text = |field: ShownField| field.value.unwrap_or_else(|| format!("[{}]", field.hidden.unwrap()));
        (form, view.fields.into_iter().map(|field| (field.name.clone(), text(field))).collect())
    }

    #[test]
    fn amounts_codes_and_references_are_shown_and_nothing_else() {
        let body = r#"{"amount":"1500.00","errorCode":"000","transactionId":"test000001","cardHolder":"BAT DORJ",
            "cardNumber":"949625******0003","checksum":"5f9c0b17a2d4e6f8","token":"planted","price":12.50,
            "nested":{"status":"PAID","list":[{"code":7}]},"ok":true,"nothing":null}"#;
        let (form, fields) = view(body, &[]);
        assert_eq!(form, "json");
        let expected = [
            ("amount", "1500.00"),
            ("cardHolder", "[8 characters]"),
            ("cardNumber", "[16 characters]"),
            ("checksum", "[16 hexadecimal characters]"),
            ("errorCode", "000"),
            ("nested.list.0.code", "7"),
            ("nested.status", "PAID"),
            ("nothing", "null"),
            ("ok", "true"),
            ("price", "[5 characters]"),
            ("token", "[7 characters]"),
            ("transactionId", "test000001"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fields, BTreeMap::from(expected));
    }

    #[test]
    fn what_looks_secret_is_hidden_even_in_a_harmless_field() {
        for value in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "5f9c0b17a2d4e6f85f9c0b17a2d4e6f85f9c0b17a2d4e6f85f9c0b17a2d4e6f8",
            "payer@example.org",
            "Бат Дорж",
            "BAT DORJ SUREN",
            "a\u{1b}[31mb",
        ] {
            let body = serde_json::json!({ "reference": value }).to_string();
            let (_, fields) = view(&body, &[]);
            assert!(fields["reference"].starts_with('['), "{value}: {fields:?}");
        }
        // Sixteen digits that are no card number are a reference.
        assert_eq!(view(r#"{"orderID":"4111111111111112"}"#, &[]).1["orderID"], "4111111111111112");
    }

    #[test]
    fn forms_queries_and_base64_are_read_and_known_references_are_shown_anywhere() {
        let (form, fields) = view("a=b&status=1&odd=inv-1&x=%D0%91%D0%B0%D1%82", &["inv-1"]);
        assert_eq!((form, fields["odd"].as_str(), fields["status"].as_str()), ("form", "inv-1", "1"));
        assert_eq!(
            (fields["a"].as_str(), fields["x"].as_str()),
            ("[1 hexadecimal characters]", "[3 characters]")
        );
        let data = STANDARD.encode(r#"{"responseData":{"orderAmount":100000,"fullName":"Nguyen"}}"#);
        let body = serde_json::json!({ "data": data, "signature": "ab".repeat(32) }).to_string();
        let (_, fields) = view(&body, &[]);
        assert_eq!(fields["data.responseData.orderAmount"], "100000");
        assert_eq!(fields["data.responseData.fullName"], "[6 characters]");
        assert_eq!(fields["signature"], "[64 hexadecimal characters]");
    }

    #[test]
    fn what_cannot_be_read_is_not_shown() {
        for body in ["reference|000|1500|planted", "{broken", "\u{1}\u{2}"] {
            let (form, fields) = view(body, &[]);
            assert_eq!((form, fields.len()), ("unreadable", 0), "{body}");
        }
        assert_eq!(view("", &[]).0, "empty");
        let deep = format!("{}1{}", "{\"a\":".repeat(50), "}".repeat(50));
        assert!(view(&deep, &[]).1.len() == 1);
        let names = serde_json::json!({ "4111111111111111": 1, "x y": 2 }).to_string();
        assert!(view(&names, &[]).1.keys().all(|name| name.starts_with("(a name")));
    }

    proptest::proptest! {
        /// Whatever arrives: no panic, and a field of another name never tells its value.
        #[test]
        fn a_planted_text_is_never_told(name in "[a-z]{1,12}", value in "[a-zA-Z0-9]{12,60}") {
            proptest::prop_assume!(!SHOWN.contains(&name.as_str()));
            let body = serde_json::json!({ &name: &value, "inner": { &name: [&value] } }).to_string();
            let (_, fields) = view(&body, &[]);
            proptest::prop_assert!(fields.values().all(|shown| !shown.contains(&value)));
            let (_, fields) = view(&format!("{name}={value}"), &[]);
            proptest::prop_assert!(fields.values().all(|shown| !shown.contains(&value)));
            view(&value, &[]);
        }
    }
}
