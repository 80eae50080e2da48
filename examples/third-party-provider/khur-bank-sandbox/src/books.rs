//! Keeps the bank's records, and makes every change to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tulbur_sandbox::SandboxError;
use tulbur_sandbox::plugin::{PaymentRecord, PaymentState, Ticket, Timestamp, Transaction};

/// How long a page lives, in seconds.
const PAGE: i64 = 15 * 60;

/// The bank's books.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Books {
    invoices: Vec<Invoice>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Invoice {
    pub(crate) number: String,
    pub(crate) reference: String,
    pub(crate) amount: String,
    pub(crate) description: String,
    pub(crate) return_url: String,
    pub(crate) result: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    paid_at: Option<Timestamp>,
    /// By the merchant's id of the refund, in möngö.
    refunds: BTreeMap<String, u64>,
}

impl Invoice {
    pub(crate) fn is_open(&self) -> bool {
        self.result == "OPEN"
    }

    pub(crate) fn refunded(&self) -> u64 {
        self.refunds.values().sum()
    }

    fn record(&self) -> PaymentRecord {
        let mut record =
            PaymentRecord::new(&self.number, &self.reference, "invoice", &self.amount, self.created_at);
        record.state = match self.result.as_str() {
            "PAID" => PaymentState::Paid,
            "FAIL" => PaymentState::Declined,
            "VOID" => PaymentState::Canceled,
            "LATE" => PaymentState::Expired,
            _ => PaymentState::Open,
        };
        record.code = Some(self.result.clone()).filter(|_| !self.is_open());
        record.expires_at = Some(self.expires_at);
        record.debited_at = self.paid_at;
        record.debits = u32::from(self.paid_at.is_some());
        record.pages.insert("page".into(), format!("/pay/mn/{}", self.number));
        if self.is_open() {
            record.actions = ["pay", "decline", "cancel", "expire"].map(String::from).to_vec();
        }
        record.detail("refunded", text(self.refunded())).detail("refunds", self.refunds.len())
    }
}

impl Books {
    pub(crate) fn by_reference(&self, reference: &str) -> Option<&Invoice> {
        self.invoices.iter().find(|invoice| invoice.reference == reference)
    }

    pub(crate) fn by_number(&self, number: &str) -> Option<&Invoice> {
        self.invoices.iter().find(|invoice| invoice.number == number)
    }

    pub(crate) fn records(&self) -> Vec<PaymentRecord> {
        self.invoices.iter().map(Invoice::record).collect()
    }

    pub(crate) fn overdue(&self, now: Timestamp) -> Vec<String> {
        let late = self.invoices.iter().filter(|invoice| invoice.is_open() && invoice.expires_at <= now);
        late.map(|invoice| invoice.reference.clone()).collect()
    }
}

/// Enters an invoice, and gives its number.
pub(crate) fn open(
    tx: &mut Transaction<'_, Books>,
    [reference, amount, return_url, description]: [&str; 4],
) -> String {
    let now = tx.now();
    let number = format!("KB{:08}", tx.state().invoices.len() + 1);
    tx.state_mut().invoices.push(Invoice {
        number: number.clone(),
        reference: reference.into(),
        amount: amount.into(),
        description: description.into(),
        return_url: return_url.into(),
        result: "OPEN".into(),
        created_at: now,
        expires_at: now.plus_seconds(PAGE),
        paid_at: None,
        refunds: BTreeMap::new(),
    });
    number
}

/// Gives an open invoice its result, once and for ever, and notifies the merchant.
pub(crate) fn finish(
    tx: &mut Transaction<'_, Books>,
    reference: &str,
    result: &str,
) -> Result<Option<Ticket>, SandboxError> {
    let now = tx.now();
    let found = tx.state_mut().invoices.iter_mut().find(|invoice| invoice.reference == reference);
    let Some(invoice) = found else {
        return Err(SandboxError::NotFound { what: format!("Khur Bank has no payment {reference:?}") });
    };
    if !invoice.is_open() {
        return Err(SandboxError::Refused { why: format!("{reference} is {} already", invoice.result) });
    }
    invoice.result = result.into();
    invoice.paid_at = (result == "PAID").then_some(now);
    Ok(tx.push(reference))
}

/// Notifies the merchant of another result than the one that stands.
pub(crate) fn lie(tx: &mut Transaction<'_, Books>, reference: &str, lie: &str) {
    let find = |books: &mut Books, result: &str| {
        let invoice = books.invoices.iter_mut().find(|invoice| invoice.reference == reference)?;
        Some(std::mem::replace(&mut invoice.result, result.to_owned()))
    };
    if let Some(truth) = find(tx.state_mut(), lie) {
        // Nobody waits for it.
        drop(tx.push(reference));
        find(tx.state_mut(), &truth);
    }
}

/// Why a refund is not made: the bank's code for it.
pub(crate) fn refund(
    tx: &mut Transaction<'_, Books>,
    [reference, amount, refund]: [&str; 3],
) -> Result<(), &'static str> {
    let found = tx.state_mut().invoices.iter_mut().find(|invoice| invoice.reference == reference);
    let invoice = found.ok_or("E203")?;
    let (paid, back) = (mongo(&invoice.amount).ok_or("E201")?, mongo(amount).ok_or("E201")?);
    if invoice.refunds.contains_key(refund) {
        return Err("E202");
    }
    if invoice.paid_at.is_none() {
        return Err("E302");
    }
    if back > paid - invoice.refunded() {
        return Err("E301");
    }
    invoice.refunds.insert(refund.into(), back);
    Ok(())
}

/// An amount with two decimals, in möngö.
pub(crate) fn mongo(text: &str) -> Option<u64> {
    let (units, fraction) = text.split_once('.')?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if fraction.len() != 2 || units.len() > 8 || !digits(units) || !digits(fraction) {
        return None;
    }
    Some(units.parse::<u64>().ok()? * 100 + fraction.parse::<u64>().ok()?)
}

/// The text of an amount in möngö.
pub(crate) fn text(mongo: u64) -> String {
    format!("{}.{:02}", mongo / 100, mongo % 100)
}
