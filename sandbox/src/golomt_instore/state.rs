//! Keeps the bank's records, and makes every change to them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::code;
use crate::error::SandboxError;
use crate::golomt_ecommerce::request::amount_in_form;
use crate::plugin::{PaymentState, Records, Timestamp, Transaction};

/// The bank's memory. It is opaque to everybody else; see [`PaymentRecord`](crate::PaymentRecord) for the view.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct InstoreState {
    /// By the reference that the control page uses.
    pub(super) invoices: Records<String, Invoice>,
    /// From terminal and invoice number to that reference; see [`key`].
    references: Records<String, String>,
    /// By terminal and settlement id; see [`key`].
    pub(super) settlements: Records<String, Settlement>,
    next: u64,
}

/// A terminal and one of its numbers as one text. Neither can contain a line break.
fn key(terminal: &str, number: &str) -> String {
    format!("{terminal}\n{number}")
}

impl InstoreState {
    pub(super) fn reference(&self, terminal: &str, invoice: &str) -> Option<&str> {
        self.references.get(&key(terminal, invoice)).map(String::as_str)
    }

    pub(super) fn find(&self, terminal: &str, invoice: &str) -> Option<&Invoice> {
        self.reference(terminal, invoice).and_then(|reference| self.invoices.get(reference))
    }

    pub(super) fn is_overdue(&self, now: Timestamp) -> bool {
        self.invoices.values().any(|invoice| invoice.is_overdue(now))
    }
}

/// How the customer gets to know of the invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Channel {
    /// It appears in the app of whoever has this number.
    Phone(String),
    /// The customer scans it.
    Qr,
    /// The customer scans it, or the app opens by it.
    Deeplink,
}

impl Channel {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Phone(_) => "phone",
            Self::Qr => "qr",
            Self::Deeplink => "deeplink",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the number has the bank's own name for it")]
pub(super) struct Invoice {
    pub(super) number: u64,
    pub(super) reference: String,
    pub(super) terminal: String,
    pub(super) invoice: String,
    /// The characters that the merchant sent.
    pub(super) amount: String,
    pub(super) channel: Channel,
    /// The EMVCo payload, for what can be scanned.
    pub(super) payload: Option<String>,
    pub(super) bill_number: Option<String>,
    /// What the answer's `desc` said, where that opens the app.
    pub(super) link: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) state: PaymentState,
    pub(super) approval: String,
    pub(super) debits: Vec<Timestamp>,
    /// Amounts given back, in hundredths, with the moment of each.
    pub(super) refunds: Vec<(Timestamp, u64)>,
    pub(super) settled_by: Option<String>,
}

impl Invoice {
    pub(super) fn is_overdue(&self, now: Timestamp) -> bool {
        self.state == PaymentState::Open && self.expires_at.is_some_and(|at| at <= now)
    }

    pub(super) fn is_paid(&self) -> bool {
        self.state == PaymentState::Paid
    }

    /// What the customer paid and did not get back, in hundredths.
    pub(super) fn kept(&self) -> u64 {
        let back = self.refunds.iter().map(|(_, hundredths)| hundredths).sum();
        if self.is_paid() { hundredths(&self.amount).saturating_sub(back) } else { 0 }
    }

    pub(super) fn is_about(&self, amount: &str) -> bool {
        hundredths(&self.amount) == hundredths(amount)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settlement {
    /// In hundredths.
    pub(super) amount: u64,
    pub(super) count: u64,
}

/// An amount in hundredths; it has at most thirteen digits before the point and two behind it.
pub(super) fn hundredths(amount: &str) -> u64 {
    let text = amount_in_form(amount, "two-decimals");
    text.bytes()
        .filter(u8::is_ascii_digit)
        .fold(0, |sum: u64, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

/// Hundredths as an amount with two decimals.
pub(super) fn written(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// A change of the bank's books.
pub(super) type Books<'a> = Transaction<'a, InstoreState>;

/// A new invoice, before the bank numbers it.
pub(super) struct Opening<'a> {
    pub(super) terminal: &'a str,
    pub(super) invoice: &'a str,
    pub(super) amount: &'a str,
    pub(super) channel: Channel,
}

/// What became of an [`Opening`].
pub(super) enum Opened {
    Fresh(Invoice),
    /// The invoice that was there, answered once more.
    Again(Invoice),
    /// The invoice that was there took the new content.
    Replaced(Invoice),
    /// The number is taken, by one that is as this says.
    Taken(PaymentState),
    /// The amount does not fit into a payload.
    DoesNotFit(String),
}

/// Enters an invoice. What happens with a number that is there already is a switch.
pub(super) fn open(tx: &mut Books<'_>, opening: &Opening<'_>) -> Opened {
    let now = tx.now();
    let before = tx.state().find(opening.terminal, opening.invoice).cloned();
    let duplicates = tx.switch("duplicate-invoice");
    if let Some(before) = &before {
        match duplicates.as_str() {
            "same-answer"
                if before.state == PaymentState::Open
                    && before.channel == opening.channel
                    && before.is_about(opening.amount) =>
            {
                return Opened::Again(before.clone());
            }
            "replaced" if !before.is_paid() => {}
            _ => return Opened::Taken(before.state),
        }
    }
    let number = tx.state().next + 1;
    let (mut payload, mut link, mut bill_number) = (None, None, None);
    if !matches!(opening.channel, Channel::Phone(_)) {
        let number = bill(now, number);
        match code::payload(opening.terminal, &number, opening.amount, &tx.switch("qr-checksum")) {
            Ok(text) => payload = Some(text),
            Err(error) => return Opened::DoesNotFit(error.to_string()),
        }
        bill_number = Some(number);
        link = match (&opening.channel, tx.switch("deeplink-form").as_str(), tx.switch("qr-form").as_str()) {
            (Channel::Deeplink, "payload", _) | (Channel::Qr, _, "payload") => None,
            (Channel::Deeplink, "qpay", _) => {
                payload.as_ref().map(|text| format!("{}{text}", code::CODE_LINK))
            }
            _ => Some(format!("{}{}", code::KEY_LINK, STANDARD.encode(random::<80>()))),
        };
    }
    let seconds = number_switch(tx, "invoice-seconds");
    let state = tx.state_mut();
    state.next = number;
    let reference = before.as_ref().map_or_else(
        || free_reference(state, opening.terminal, opening.invoice),
        |before| before.reference.clone(),
    );
    let invoice = Invoice {
        number,
        reference: reference.clone(),
        terminal: opening.terminal.to_owned(),
        invoice: opening.invoice.to_owned(),
        amount: opening.amount.to_owned(),
        channel: opening.channel.clone(),
        payload,
        bill_number,
        link,
        created_at: now,
        expires_at: (seconds > 0).then(|| now.plus_seconds(seconds)),
        state: PaymentState::Open,
        approval: String::new(),
        debits: Vec::new(),
        refunds: Vec::new(),
        settled_by: None,
    };
    state.references.insert(key(opening.terminal, opening.invoice), reference.clone());
    state.invoices.insert(reference, invoice.clone());
    if before.is_some() { Opened::Replaced(invoice) } else { Opened::Fresh(invoice) }
}

/// The merchant's own number, unless another terminal has used it first.
fn free_reference(state: &InstoreState, terminal: &str, invoice: &str) -> String {
    if state.invoices.contains_key(invoice) { format!("{invoice}@{terminal}") } else { invoice.to_owned() }
}

/// A bill number in the form of the bank's sample: 21 digits with month, day and time in the middle (our reading).
fn bill(now: Timestamp, number: u64) -> String {
    format!("0000{}{:07}", now.format("%m%d%H%M%S", 8), number % 10_000_000)
}

/// The customer is debited and the merchant told, in one change. A payment is paid once.
pub(super) fn pay(tx: &mut Books<'_>, reference: &str) -> Option<Invoice> {
    let now = tx.now();
    let approval = format!("{:06}", u32::from_be_bytes(random::<4>()) % 1_000_000);
    let invoice = tx.state_mut().invoices.get_mut(reference)?;
    if invoice.is_paid() {
        return Some(invoice.clone());
    }
    invoice.state = PaymentState::Paid;
    invoice.debits.push(now);
    invoice.approval = approval;
    tell(tx, reference)
}

/// The invoice ends without money. Whether the merchant hears of it is a switch.
pub(super) fn end(tx: &mut Books<'_>, reference: &str, state: PaymentState) -> Option<Invoice> {
    let invoice = tx.state_mut().invoices.get_mut(reference)?;
    invoice.state = state;
    tell(tx, reference)
}

/// The customer decides in the app: only while the invoice is open.
pub(super) fn decide(tx: &mut Books<'_>, reference: &str, action: &str) -> Option<Invoice> {
    run_clock(tx);
    let invoice = tx.state().invoices.get(reference)?.clone();
    match (invoice.state, action) {
        (PaymentState::Open, "pay") => pay(tx, reference),
        (PaymentState::Open, "refuse") => end(tx, reference, PaymentState::Declined),
        (PaymentState::Open, "expire") => end(tx, reference, PaymentState::Expired),
        _ => Some(invoice),
    }
}

fn tell(tx: &mut Books<'_>, reference: &str) -> Option<Invoice> {
    // Nobody waits: the app has no browser to send back.
    let _ = tx.push(reference);
    tx.state().invoices.get(reference).cloned()
}

/// Money goes back to the customer.
pub(super) fn give_back(tx: &mut Books<'_>, reference: &str, hundredths: u64) -> Option<Invoice> {
    let now = tx.now();
    let invoice = tx.state_mut().invoices.get_mut(reference)?;
    invoice.refunds.push((now, hundredths));
    Some(invoice.clone())
}

/// Settles what a terminal has taken and not yet settled. The same id again gives the same result again.
pub(super) fn settle(tx: &mut Books<'_>, terminal: &str, id: &str) -> Settlement {
    let state = tx.state_mut();
    if let Some(before) = state.settlements.get(&key(terminal, id)) {
        return before.clone();
    }
    let mut settlement = Settlement { amount: 0, count: 0 };
    let unsettled = |invoice: &Invoice| {
        invoice.terminal == terminal && invoice.settled_by.is_none() && invoice.kept() > 0
    };
    for invoice in state.invoices.select_mut(unsettled) {
        invoice.settled_by = Some(id.to_owned());
        settlement.amount = settlement.amount.saturating_add(invoice.kept());
        settlement.count += 1;
    }
    state.settlements.insert(key(terminal, id), settlement.clone());
    settlement
}

/// What happens by itself: invoices run out.
pub(super) fn run_clock(tx: &mut Books<'_>) {
    let now = tx.now();
    let overdue: Vec<String> = tx
        .state()
        .invoices
        .values()
        .filter(|invoice| invoice.is_overdue(now))
        .map(|invoice| invoice.reference.clone())
        .collect();
    for reference in overdue {
        end(tx, &reference, PaymentState::Expired);
    }
}

/// Does one of the control page's actions.
pub(super) fn act(
    tx: &mut Books<'_>,
    reference: &str,
    action: &str,
    details: &BTreeMap<String, String>,
) -> Result<String, SandboxError> {
    run_clock(tx);
    let Some(invoice) = tx.state().invoices.get(reference).cloned() else {
        return Err(SandboxError::not_found(format!("there is no invoice {reference:?}")));
    };
    if let Some(name) = details.keys().next() {
        return Err(SandboxError::invalid(format!("unknown detail {name:?}; actions here take none")));
    }
    if !actions(&invoice).contains(&action) {
        return Err(SandboxError::refused(format!(
            "invoice {reference:?} is {}, so it cannot be told to {action}",
            invoice.state.name()
        )));
    }
    let done = match action {
        "pay" => pay(tx, reference),
        "decline" => end(tx, reference, PaymentState::Declined),
        "cancel" => end(tx, reference, PaymentState::Canceled),
        "expire" => end(tx, reference, PaymentState::Expired),
        "refund" => give_back(tx, reference, invoice.kept()),
        _ => None,
    };
    let state = done.map_or(invoice.state, |done| done.state);
    Ok(format!("invoice {reference:?}: {action} done, it is {} now", state.name()))
}

/// What can be done to an invoice as it stands. Paying after the end is there on purpose: money that comes late.
pub(super) fn actions(invoice: &Invoice) -> &'static [&'static str] {
    match invoice.state {
        PaymentState::Open => &["pay", "decline", "cancel", "expire"],
        PaymentState::Paid if invoice.kept() > 0 => &["refund"],
        PaymentState::Paid => &[],
        _ => &["pay"],
    }
}

pub(super) fn number_switch(tx: &Books<'_>, id: &str) -> i64 {
    // The switch takes whole numbers only, so this is about the type, not about a value.
    tx.switch(id).parse().unwrap_or_default()
}

pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundredths_are_exact() {
        for (text, value) in [
            ("1", 100),
            ("1100.5", 110_050),
            ("0.01", 1),
            ("999999.99", 99_999_999),
            ("9999999999999.99", 999_999_999_999_999),
            ("0007", 700),
        ] {
            assert_eq!(hundredths(text), value, "{text}");
        }
        assert_eq!(written(110_050), "1100.50");
        assert_eq!(written(1), "0.01");
    }
}
