//! The list of a card's settled payments.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::answer::{self, Shape};
use super::call::{Operation, Refusal};
use super::request::amount_in_form;
use super::shared::Bank;
use super::state::{BankPayment, Kind};
use crate::plugin::Timestamp;

/// The documents name no largest page; this bounds the sandbox.
const MOST: usize = 1000;
/// Ulaanbaatar's distance from UTC, for the times that the bank writes as local ones.
const LOCAL: i8 = 8;

struct Asked {
    page: usize,
    size: usize,
    start: String,
    end: String,
}

impl Asked {
    fn parse(query: &str) -> Result<Self, String> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query)
            .map_err(|error| format!("the query cannot be read: {error}"))?;
        let find = |name: &str| {
            let mut found = pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
            match (found.next(), found.next()) {
                (Some(value), None) => Ok(value),
                (None, _) => Err(format!(
                    "query parameter {name} is missing; the call looks like ?page=0&size=50&start=2020-07-29&end=2022-08-31"
                )),
                (Some(_), Some(_)) => Err(format!("query parameter {name} occurs twice")),
            }
        };
        let number = |name: &str| {
            let text = find(name)?;
            text.parse::<usize>().map_err(|_| format!("{name} is {text:?}; it must be a whole number"))
        };
        let date = |name: &str| {
            let text = find(name)?;
            let parsed = text.parse::<jiff::civil::Date>();
            match parsed {
                Ok(date) if date.to_string() == text => Ok(text.to_owned()),
                _ => Err(format!("{name} is {text:?}; it must be a date such as 2022-08-31")),
            }
        };
        let asked =
            Self { page: number("page")?, size: number("size")?, start: date("start")?, end: date("end")? };
        if !(1..=MOST).contains(&asked.size) {
            return Err(format!(
                "size is {}; it must be from 1 to {MOST} (the limit is the sandbox's)",
                asked.size
            ));
        }
        if asked.start > asked.end {
            return Err(format!("start {} is after end {}", asked.start, asked.end));
        }
        Ok(asked)
    }
}

pub(super) async fn list(
    State(bank): State<Bank>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outcome = (|| {
        let fields = bank.admit(Operation::Settlement, &headers, &body)?;
        let asked = Asked::parse(query.as_deref().unwrap_or_default()).map_err(Refusal::validation)?;
        let token = fields.required("token", false).map_err(Refusal::validation)?;
        let merchant = fields.required("merchantId", false).map_err(Refusal::validation)?;
        let shape = Shape::of(&bank.desk);
        let settled: Vec<Value> = bank.desk.read(|state| {
            let Some(card) = state.tokens.get(token) else { return Vec::new() };
            let mut payments: Vec<_> =
                state.payments.values().filter(|payment| is_settled(payment, card, &asked)).collect();
            payments.sort_by_key(|payment| payment.number);
            payments.into_iter().map(|payment| item(payment, merchant, token, &shape)).collect()
        });
        let pages = settled.len().div_ceil(asked.size);
        let first = asked.page.saturating_mul(asked.size);
        let content: Vec<_> = settled.iter().skip(first).take(asked.size).collect();
        Ok(answer::ok(&json!({
            "content": content,
            "pageable": {
                "first": asked.page == 0,
                "last": asked.page.saturating_add(1) >= pages,
                "totalPages": pages,
                "totalElements": settled.len(),
            },
        })))
    })();
    bank.answer(Operation::Settlement, outcome)
}

/// A card's paid payments within the dates, both included, by the day in Ulaanbaatar. A card set-up's small amount
/// goes back and is never settled.
fn is_settled(payment: &BankPayment, card: &str, asked: &Asked) -> bool {
    let Some(at) = payment.debits.first() else { return false };
    let day = at.format("%Y-%m-%d", LOCAL);
    payment.is_paid()
        && payment.kind != Kind::CardSetup
        && payment.card.as_deref() == Some(card)
        && asked.start <= day
        && day <= asked.end
}

fn item(payment: &BankPayment, merchant: &str, token: &str, shape: &Shape) -> Value {
    let at = payment.debits.first().copied().unwrap_or(payment.created_at);
    let written = |at: Timestamp| at.format("%Y-%m-%dT%H:%M:%S%.3f%z", 0);
    json!({
        "id": payment.number,
        "merchantId": merchant,
        "terminalId": "00000001",
        "batchNumber": "000001",
        "invoiceNumber": format!("{:06}", payment.number % 1_000_000),
        "cardNumber": payment.masked_card(),
        "token": token,
        "amount": amount_in_form(&payment.amount, &shape.amount_echo),
        "merchantInvoice": payment.transaction_id,
        "respCode": "00",
        "respDesc": payment.text(true),
        "tranTime": at.format("%H%M%S", LOCAL),
        "tranDate": at.format("%m%d", LOCAL),
        "sysReference": format!("{:012}", payment.number),
        "approvalCode": format!("{:06}", payment.number % 1_000_000),
        "freeText1": null,
        "freeText2": "CHECKED",
        "freeText3": null,
        "requestDate": written(at),
        "reversedDate": null,
        "checkedDate": written(at),
        "transferStatus": "NEW",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_read_or_refused_by_name() {
        let asked = Asked::parse("page=0&size=50&start=2020-07-29&end=2022-08-31").unwrap();
        assert_eq!((asked.page, asked.size, asked.start.as_str()), (0, 50, "2020-07-29"));
        for (query, word) in [
            ("", "page is missing"),
            ("page=0&page=1&size=50&start=2020-07-29&end=2022-08-31", "page occurs twice"),
            ("page=-1&size=50&start=2020-07-29&end=2022-08-31", "page is \"-1\""),
            ("page=0&size=0&start=2020-07-29&end=2022-08-31", "size is 0"),
            ("page=0&size=5&start=2020-02-30&end=2022-08-31", "start is"),
            ("page=0&size=5&start=29.07.2020&end=2022-08-31", "start is"),
            ("page=0&size=5&start=2022-09-01&end=2022-08-31", "is after end"),
        ] {
            let why = Asked::parse(query).err().unwrap_or_default();
            assert!(why.contains(word), "{query}: {why}");
        }
    }
}
