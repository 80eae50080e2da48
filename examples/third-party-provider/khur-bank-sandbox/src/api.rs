//! The merchant API (BANK.md, sections 1, 2 and 4).

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use tulbur_sandbox::axum::body::Bytes;
use tulbur_sandbox::axum::extract::State;
use tulbur_sandbox::axum::http::{StatusCode, header};
use tulbur_sandbox::axum::response::{IntoResponse as _, Response};
use tulbur_sandbox::axum::routing::post;
use tulbur_sandbox::axum::{Extension, Router};
use tulbur_sandbox::plugin::{Call, Desk, Note, Tamper};

use crate::books::{self, Books};

/// The merchant that the sandbox knows.
pub const MERCHANT: &str = "sandbox-merchant";
/// The secret that the sandbox signs with.
pub const SECRET: &str = "sandbox-khur-secret";
/// What one payment may be, in möngö.
const AMOUNTS: std::ops::RangeInclusive<u64> = 100..=1_000_000_000;

pub(crate) fn routes() -> Router<Desk<Books>> {
    Router::new()
        .route("/v1/invoices", post(invoices))
        .route("/v1/inquiry", post(inquiry))
        .route("/v1/refunds", post(refunds))
}

fn checksum(values: &[&str], key: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes every key");
    mac.update(values.join("|").as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// A message with its checksum, wrong in the way that a fault wants.
pub(crate) fn signed(values: &[(&str, &str)], tamper: Tamper) -> Value {
    let texts: Vec<&str> = values.iter().map(|(_, value)| *value).collect();
    let key = if tamper == Tamper::Key { "another-key" } else { SECRET };
    let mut message: Map<String, Value> =
        values.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    message.insert("checksum".into(), json!(checksum(&texts, key)));
    if tamper == Tamper::Amount && message.contains_key("amount") {
        message.insert("amount".into(), json!("1.00"));
    }
    Value::Object(message)
}

struct Refused {
    code: &'static str,
    why: String,
}

fn refused(code: &'static str, why: impl Into<String>) -> Refused {
    Refused { code, why: why.into() }
}

/// Reads a call and checks its checksum over the merchant and the values with these names.
fn read(body: &[u8], names: &[&str]) -> Result<Map<String, Value>, Refused> {
    let Ok(Value::Object(call)) = serde_json::from_slice(body) else {
        return Err(refused("E201", "the body is no JSON object"));
    };
    let text = |name: &str| {
        let value = call.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        value.ok_or_else(|| refused("E201", format!("{name} is missing or no text")))
    };
    let mut values = vec![text("merchant")?];
    for name in names {
        values.push(text(name)?);
    }
    let expected = checksum(&values, SECRET);
    if text("checksum")? != expected {
        let hashed = values.join("|");
        return Err(refused("E101", format!("hashed {hashed:?}, expected the checksum {expected}")));
    }
    if values[0] != MERCHANT {
        return Err(refused("E101", format!("the merchant is {MERCHANT}")));
    }
    Ok(call)
}

fn member<'a>(call: &'a Map<String, Value>, name: &str) -> &'a str {
    call.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn answer(result: Result<(Value, &str), Refused>) -> Response {
    let (status, body, note) = match result {
        Ok((body, did)) => (StatusCode::OK, body, Note::accepted(did)),
        Err(Refused { code, why }) => {
            let status = match code {
                "E101" => StatusCode::UNAUTHORIZED,
                "E201" => StatusCode::BAD_REQUEST,
                "E203" => StatusCode::NOT_FOUND,
                _ => StatusCode::CONFLICT,
            };
            // The log explains; a real bank's answer does not tell which checksum it expects.
            let text = if code == "E101" { "unknown merchant or wrong checksum" } else { &why };
            (status, json!({ "code": code, "text": text }), Note::refused(&why))
        }
    };
    let json = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (status, json, body.to_string()).into_response();
    response.extensions_mut().insert(note);
    response
}

async fn invoices(
    State(desk): State<Desk<Books>>,
    Extension(host): Extension<Call>,
    body: Bytes,
) -> Response {
    let call = match read(&body, &["reference", "amount", "return_url"]) {
        Ok(call) => call,
        Err(error) => return answer(Err(error)),
    };
    let values = ["reference", "amount", "return_url", "description"].map(|name| member(&call, name));
    let [reference, amount, _, description] = values;
    if reference.len() != 20 || !reference.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return answer(Err(refused("E201", "reference is not 20 letters and digits")));
    }
    if !books::mongo(amount).is_some_and(|amount| AMOUNTS.contains(&amount)) {
        return answer(Err(refused("E201", "amount is not from 1.00 to 10000000.00 with two decimals")));
    }
    if description.chars().count() > 100 {
        return answer(Err(refused("E201", "description has more than 100 characters")));
    }
    let opened = desk.update(|tx| {
        let used = tx.state().by_reference(reference).is_some();
        (!used).then(|| books::open(tx, values))
    });
    match opened {
        Ok(Some(number)) => {
            let values = [("reference", reference), ("invoice", number.as_str())];
            answer(Ok((signed(&values, host.tamper), "an invoice was made")))
        }
        Ok(None) => answer(Err(refused("E202", "reference was used before"))),
        Err(error) => error.into_response(),
    }
}

async fn inquiry(State(desk): State<Desk<Books>>, Extension(host): Extension<Call>, body: Bytes) -> Response {
    let call = match read(&body, &["reference"]) {
        Ok(call) => call,
        Err(error) => return answer(Err(error)),
    };
    let Some(invoice) = desk.read(|books| books.by_reference(member(&call, "reference")).cloned()) else {
        return answer(Err(refused("E203", "no such payment")));
    };
    let refunded = books::text(invoice.refunded());
    let values = [
        ("reference", invoice.reference.as_str()),
        ("result", &invoice.result),
        ("amount", &invoice.amount),
        ("refunded", &refunded),
    ];
    answer(Ok((signed(&values, host.tamper), "told how it stands")))
}

async fn refunds(State(desk): State<Desk<Books>>, Extension(host): Extension<Call>, body: Bytes) -> Response {
    let call = match read(&body, &["reference", "amount", "refund"]) {
        Ok(call) => call,
        Err(error) => return answer(Err(error)),
    };
    let values = ["reference", "amount", "refund"].map(|name| member(&call, name));
    let [reference, amount, refund] = values;
    if refund.chars().count() > 64 || books::mongo(amount).is_none_or(|amount| amount == 0) {
        return answer(Err(refused("E201", "refund is longer than 64 characters, or amount is no amount")));
    }
    match desk.update(|tx| books::refund(tx, values)) {
        Ok(Ok(())) => {
            let values =
                [("reference", reference), ("result", "DONE"), ("amount", amount), ("refund", refund)];
            answer(Ok((signed(&values, host.tamper), "the money was given back")))
        }
        Ok(Err(code)) => {
            let why = match code {
                "E202" => "refund was used before",
                "E203" => "no such payment",
                "E301" => "more than is left to refund",
                "E302" => "not paid, so nothing to refund",
                _ => "amount does not fit",
            };
            answer(Err(refused(code, why)))
        }
        Err(error) => error.into_response(),
    }
}
