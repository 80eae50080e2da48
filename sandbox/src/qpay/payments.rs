//! The calls about payments (specification, 7).

use super::answer::{self, Checked, Listed, Page};
use super::call::{Good, Outcome, Refusal, body_of, required, text};
use super::invoices;
use super::shared::Bank;
use super::state::{self, Invoice, Payment};
use crate::galaxy_pay::fields::Fields;

const LARGEST_PAGE: usize = 1000;

/// `offset`, with numbers as numbers or texts; the first page when it is left out.
fn page(bank: &Bank, fields: &Fields) -> Result<Page, Refusal> {
    let offset = fields.object("offset").map_err(|why| Refusal::invalid("offset", why))?;
    let offset = offset.unwrap_or_default();
    let number = number_of(&offset, "page_number", usize::MAX)?.unwrap_or(1);
    let limit = number_of(&offset, "page_limit", LARGEST_PAGE)?;
    let usual = || bank.desk.switch("usual-page-limit").parse().unwrap_or(1);
    Ok(Page { number, limit: limit.unwrap_or_else(usual) })
}

fn number_of(fields: &Fields, name: &str, most: usize) -> Result<Option<usize>, Refusal> {
    let Some(text) = text(fields, name, 45)? else { return Ok(None) };
    let below = || {
        // The one validation body that was observed live [QG].
        let why = format!("field {name} is below 1");
        Refusal::field(name, "MIN_NUMBER", "Number min value [1]!", why)
    };
    match text.parse::<usize>() {
        Ok(0) => Err(below()),
        Err(_) if text.starts_with('-') => Err(below()),
        Err(_) => Err(Refusal::invalid(name, format!("field {name} is not a whole number"))),
        Ok(number) if number > most => {
            let why = format!("field {name} is above {most}");
            Err(Refusal::field(name, "MAX_NUMBER", &why, why.clone()))
        }
        Ok(number) => Ok(Some(number)),
    }
}

fn object_type(fields: &Fields, known: &[&str]) -> Result<String, Refusal> {
    let kind = required(fields, "object_type", 45)?;
    if known.contains(&kind.as_str()) {
        return Ok(kind);
    }
    let why = format!("object_type is one of {}", known.join(", "));
    Err(Refusal::code("INVALID_OBJECT_TYPE", why))
}

/// `POST /v2/payment/check`.
pub(super) fn check(bank: &Bank, body: &[u8]) -> Outcome {
    let fields = body_of(body)?;
    object_type(&fields, &["INVOICE", "QR", "ITEM"])?;
    let id = required(&fields, "object_id", 50)?;
    let page = page(bank, &fields)?;
    let found = bank.desk.read(|state| {
        let invoice = invoices::find(state, &id)?;
        Ok::<_, Refusal>(state.rows(invoice).cloned().collect::<Vec<_>>())
    });
    let rows = match found {
        Ok(rows) => rows,
        Err(_) if bank.desk.switch("check-of-unknown") == "no-rows" => Vec::new(),
        Err(refusal) => return Err(refusal),
    };
    let known = answer::known(bank, &rows);
    let hidden = rows.len() - known.len();
    let late = match hidden {
        0 => String::new(),
        _ => format!("; {hidden} more are not known to the check yet, as the switch check-lag-ms says"),
    };
    let note = format!("{} rows{late}", known.len());
    Good::with(&Checked::page(bank, &known, &page), note)
}

/// `GET /v2/payment/{payment_id}`.
pub(super) fn read(bank: &Bank, id: &str) -> Outcome {
    let now = bank.desk.now();
    let found = bank.desk.read(|state| state.payments.get(id).filter(|row| row.known_at <= now).cloned());
    let payment = found.ok_or_else(|| not_found(bank, id))?;
    Good::with(&answer::paid(&payment), format!("the payment is {}", payment.status))
}

fn not_found(bank: &Bank, id: &str) -> Refusal {
    let why = if bank.desk.read(|state| state.invoices.contains_key(id)) {
        "this is an invoice_id; a payment_id is expected"
    } else if bank.desk.read(|state| state.payments.contains_key(id)) {
        "the API does not know this payment yet, as the switch check-lag-ms says"
    } else {
        "no payment has this id; leading zeros belong to it"
    };
    Refusal::code("PAYMENT_NOTFOUND", why)
}

/// `POST /v2/payment/list`. Here `INVOICE` means the invoice code [OAS, QPY].
pub(super) fn list(bank: &Bank, body: &[u8]) -> Outcome {
    let fields = body_of(body)?;
    let filter = Filter::read(&fields)?;
    let page = page(bank, &fields)?;
    let now = bank.desk.now();
    let mut found: Vec<(Payment, Invoice)> = bank.desk.read(|state| {
        let with_invoice = |row: &Payment| {
            let invoice = state.invoices.get(&row.invoice_id)?;
            (row.known_at <= now && filter.takes(row, invoice)).then(|| (row.clone(), invoice.clone()))
        };
        state.payments.values().filter_map(with_invoice).collect()
    });
    found.sort_by_key(|(row, invoice)| (row.at, invoice.count));
    let mut note = format!("{} payments", found.len());
    if filter.kind == "INVOICE" && bank.desk.read(|state| state.invoices.contains_key(&filter.id)) {
        note += "; object_id is an invoice_id, and INVOICE means the invoice_code here";
    }
    let rows = page.of(&found).map(|(row, invoice)| answer::listed(row, invoice)).collect();
    Good::with(&Listed { count: found.len(), rows }, note)
}

/// Which payments are to be listed.
struct Filter {
    kind: String,
    id: String,
    start: Option<String>,
    end: Option<String>,
    branch: Option<String>,
    terminal: Option<String>,
    staff: Option<String>,
}

impl Filter {
    fn read(fields: &Fields) -> Result<Self, Refusal> {
        Ok(Self {
            kind: object_type(fields, &["MERCHANT", "INVOICE", "QR"])?,
            id: required(fields, "object_id", 50)?,
            start: date(fields, "start_date")?,
            end: date(fields, "end_date")?,
            branch: text(fields, "merchant_branch_code", 45)?,
            terminal: text(fields, "merchant_terminal_code", 45)?,
            staff: text(fields, "merchant_staff_code", 100)?,
        })
    }

    /// The merchant's own id is not known to anybody outside QPay, so any will do.
    fn takes(&self, row: &Payment, invoice: &Invoice) -> bool {
        let order = &invoice.order;
        let same = |wanted: &Option<String>, has: &Option<String>| wanted.is_none() || wanted == has;
        let of_object = match self.kind.as_str() {
            "INVOICE" => order.invoice_code == self.id,
            "MERCHANT" => true,
            _ => invoice.qr_text == self.id,
        };
        // The zone of these dates is not known; Ulaanbaatar's is inferred.
        let at = row.at.format("%Y-%m-%d %H:%M:%S", 8);
        let starts = self.start.as_ref().is_none_or(|start| at >= *start);
        let ends =
            self.end.as_ref().is_none_or(|end| at.get(..end.len()).is_some_and(|at| at <= end.as_str()));
        of_object
            && starts
            && ends
            && same(&self.branch, &order.branch_code)
            && same(&self.terminal, &order.terminal_code)
            && same(&self.staff, &order.staff_code)
    }
}

/// A day, or a day and a time with a blank or a T between [QG, QC, DOC]; given back with a blank. A fraction of a
/// second, which one client sends, counts for nothing.
fn date(fields: &Fields, name: &str) -> Result<Option<String>, Refusal> {
    let Some(text) = text(fields, name, 45)? else { return Ok(None) };
    let pattern = "dddd-dd-dd dd:dd:dd";
    let (text, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    let text = text.replacen('T', " ", 1);
    let fits = |(wanted, is): (char, char)| if wanted == 'd' { is.is_ascii_digit() } else { wanted == is };
    let digits = fraction.chars().all(|digit| digit.is_ascii_digit());
    if digits && matches!(text.len(), 10 | 19) && pattern.chars().zip(text.chars()).all(fits) {
        return Ok(Some(text));
    }
    Err(Refusal::invalid(name, format!("field {name} is no date such as 2026-01-31 or 2026-01-31 23:59:59")))
}

/// `DELETE /v2/payment/cancel/{id}` and `/refund/{id}`: whole payments by card only. How the two differ is not known.
pub(super) fn give_back(bank: &Bank, id: &str, body: &[u8]) -> Outcome {
    let fields = body_of(body)?;
    text(&fields, "note", 1000)?;
    text(&fields, "callback_url", 255)?;
    let known = bank.desk.read(|state| state.payments.contains_key(id));
    if !known {
        return Err(not_found(bank, id));
    }
    bank.desk.update(|tx| {
        let Some(payment) = tx.state().payments.get(id) else {
            return Err(Refusal::code("PAYMENT_NOTFOUND", "the payment is gone"));
        };
        match payment.status.as_str() {
            "REFUNDED" => Err(Refusal::code("PAYMENT_ALREADY_CANCELED", "the payment was given back before")),
            "PAID" if payment.by_card => {
                state::refund(tx, id);
                let note = "the payment is given back";
                Ok(if tx.switch("refund-answer") == "nothing" {
                    Good::nothing(note)
                } else {
                    Good::empty(note)
                })
            }
            "PAID" => {
                let why = "a transfer is settled at once; only card payments can be given back here";
                Err(Refusal::code("PAYMENT_SETTLED", why))
            }
            other => Err(Refusal::code("PAYMENT_NOT_PAID", format!("the payment is {other}"))),
        }
    })?
}
