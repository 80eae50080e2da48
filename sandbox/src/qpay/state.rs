//! Keeps QPay's invoices and payments, and makes every change to them.

use serde::{Deserialize, Serialize};

use super::code::{KEY_LENGTH, payload};
use super::ids::{digits, token};
use super::order::Order;
use super::receipt::Receipt;
use super::tokens::Session;
use crate::galaxy_pay::fields::amount_text;
use crate::plugin::{PaymentState, Records, Timestamp, Transaction};

/// QPay's memory. It is opaque to everybody else; see [`PaymentRecord`](crate::PaymentRecord) for the view.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct QPayState {
    /// By `invoice_id`.
    pub(super) invoices: Records<String, Invoice>,
    /// From the name of an invoice in the control API to its `invoice_id`.
    pub(super) references: Records<String, String>,
    /// From the key in a QR, and from the code of a short address, to the `invoice_id`.
    pub(super) keys: Records<String, String>,
    /// By `payment_id`.
    pub(super) payments: Records<String, Payment>,
    /// By receipt id.
    pub(super) receipts: Records<String, Receipt>,
    pub(super) session: Session,
    next: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Invoice {
    pub(super) count: u64,
    pub(super) id: String,
    /// `sender_invoice_no`, or `invoice_id` where that number was used before.
    pub(super) reference: String,
    pub(super) order: Order,
    pub(super) created_at: Timestamp,
    pub(super) standing: Standing,
    pub(super) qr_text: String,
    pub(super) short_code: String,
    /// In the order in which they were made.
    pub(super) payments: Vec<String>,
    /// The payment that the next callback is about.
    pub(super) told: Option<String>,
    /// What a payer pays in the moment in which the merchant cancels.
    pub(super) on_cancel: Option<Wish>,
}

/// Where an invoice stands, apart from what was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Standing {
    Open,
    Closed,
    Canceled,
    Expired,
}

/// One row of a check: an attempt to pay, or a payment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Payment {
    pub(super) id: String,
    pub(super) invoice_id: String,
    /// QPay's word, such as `PAID`.
    pub(super) status: String,
    /// What the payer paid, in hundredths of the currency's unit.
    pub(super) hundredths: u64,
    /// What QPay keeps of it.
    pub(super) fee: u64,
    pub(super) currency: String,
    pub(super) by_card: bool,
    pub(super) wallet: String,
    pub(super) at: Timestamp,
    /// From when on the API knows it.
    pub(super) known_at: Timestamp,
}

impl Payment {
    pub(super) fn kind(&self) -> &'static str {
        if self.by_card { "CARD" } else { "P2P" }
    }

    /// Whether the payer's money was taken, also when it was given back later.
    pub(super) fn was_paid(&self) -> bool {
        matches!(self.status.as_str(), "PAID" | "REFUNDED")
    }
}

/// How somebody pays; see the action `pay`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Wish {
    pub(super) hundredths: Option<u64>,
    pub(super) by_card: bool,
    pub(super) status: Option<String>,
    pub(super) currency: Option<String>,
    pub(super) wallet: Option<String>,
    pub(super) payment_id: Option<String>,
    /// So many attempts fail first.
    pub(super) failed_before: u32,
}

/// A change of QPay's books.
pub(super) type Books<'a> = Transaction<'a, QPayState>;

impl QPayState {
    /// The invoice that the control API calls so.
    pub(super) fn by_reference(&self, reference: &str) -> Option<&Invoice> {
        let id = self.references.get(reference).map_or(reference, String::as_str);
        self.invoices.get(id)
    }

    pub(super) fn by_key(&self, key: &str) -> Option<&Invoice> {
        self.keys.get(key).and_then(|id| self.invoices.get(id))
    }

    /// The rows of an invoice, oldest first.
    pub(super) fn rows<'a>(&'a self, invoice: &'a Invoice) -> impl Iterator<Item = &'a Payment> {
        invoice.payments.iter().filter_map(|id| self.payments.get(id))
    }

    /// What was paid and not given back, in möngö.
    pub(super) fn paid(&self, invoice: &Invoice) -> u64 {
        let counts = |row: &&Payment| row.status == "PAID" && row.currency == "MNT";
        sum(self.rows(invoice).filter(counts))
    }

    /// The same in the host's words.
    pub(super) fn state_of(&self, invoice: &Invoice) -> PaymentState {
        let taken = |row: &&Payment| row.was_paid() && row.currency == "MNT";
        let taken = sum(self.rows(invoice).filter(taken));
        match invoice.standing {
            _ if taken >= invoice.order.hundredths => PaymentState::Paid,
            Standing::Open | Standing::Closed => PaymentState::Open,
            Standing::Canceled => PaymentState::Canceled,
            Standing::Expired => PaymentState::Expired,
        }
    }
}

/// What some rows come to. Tests may pay more often than a number holds, and no test is to bring the sandbox down.
pub(super) fn sum<'a>(rows: impl Iterator<Item = &'a Payment>) -> u64 {
    rows.fold(0, |sum, row| sum.saturating_add(row.hundredths))
}

/// Enters a new invoice.
///
/// # Errors
///
/// Says why no QR code can hold it.
pub(super) fn open(tx: &mut Books<'_>, order: Order) -> Result<Invoice, String> {
    let key = token(KEY_LENGTH);
    let qr_text = payload(&amount_text(order.hundredths), &order.number, &order.description, &key)
        .map_err(|error| error.to_string())?;
    let created_at = tx.now();
    let state = tx.state_mut();
    state.next += 1;
    let id = uuid::Uuid::new_v4().to_string();
    let reference = if state.references.contains_key(&order.number) { &id } else { &order.number };
    let invoice = Invoice {
        count: state.next,
        reference: reference.clone(),
        id,
        order,
        created_at,
        standing: Standing::Open,
        qr_text,
        short_code: token(9),
        payments: Vec::new(),
        told: None,
        on_cancel: None,
    };
    state.references.insert(invoice.reference.clone(), invoice.id.clone());
    state.keys.insert(key, invoice.id.clone());
    state.keys.insert(invoice.short_code.clone(), invoice.id.clone());
    state.invoices.insert(invoice.id.clone(), invoice.clone());
    Ok(invoice)
}

/// A payer pays, or tries to. Nothing is refused here: money can come twice, late, and in another amount.
pub(super) fn pay(tx: &mut Books<'_>, invoice_id: &str, wish: &Wish) -> Option<String> {
    for _ in 0..wish.failed_before {
        let failed = Wish { status: Some("FAILED".to_owned()), payment_id: None, ..wish.clone() };
        enter(tx, invoice_id, &failed)?;
    }
    let id = enter(tx, invoice_id, wish)?;
    close_if_paid(tx, invoice_id);
    let tells = match tx.state().payments.get(&id)?.status.as_str() {
        "FAILED" => tx.switch("callback-on-failed") == "yes",
        _ => true,
    };
    if tells {
        tell(tx, invoice_id, &id);
    }
    Some(id)
}

fn enter(tx: &mut Books<'_>, invoice_id: &str, wish: &Wish) -> Option<String> {
    let at = tx.now();
    let lag: i64 = tx.switch("check-lag-ms").parse().unwrap_or_default();
    let rate: u64 = tx.switch("fee-per-mille").parse().unwrap_or_default();
    let left = {
        let invoice = tx.state().invoices.get(invoice_id)?;
        let left = invoice.order.hundredths.saturating_sub(tx.state().paid(invoice));
        if left == 0 { invoice.order.hundredths } else { left }
    };
    let hundredths = wish.hundredths.unwrap_or(left);
    // An id that was free when it was wished for may have been used since.
    let wished = wish.payment_id.clone().filter(|id| !tx.state().payments.contains_key(id));
    let id = wished.unwrap_or_else(|| new_id(tx.state(), wish.by_card));
    let payment = Payment {
        id: id.clone(),
        invoice_id: invoice_id.to_owned(),
        status: wish.status.clone().unwrap_or_else(|| "PAID".to_owned()),
        hundredths,
        fee: hundredths.saturating_mul(rate) / 1000,
        currency: wish.currency.clone().unwrap_or_else(|| "MNT".to_owned()),
        by_card: wish.by_card,
        wallet: wish.wallet.clone().unwrap_or_else(|| "Sandbox wallet".to_owned()),
        at,
        known_at: at.plus_millis(lag),
    };
    let state = tx.state_mut();
    state.payments.insert(id.clone(), payment);
    state.invoices.get_mut(invoice_id)?.payments.push(id.clone());
    Some(id)
}

/// Fifteen digits for a transfer, whose first may be zero; a UUID for a card (specification, 3).
fn new_id(state: &QPayState, by_card: bool) -> String {
    let make = || if by_card { uuid::Uuid::new_v4().to_string() } else { digits(15) };
    let mut id = make();
    while state.payments.contains_key(&id) {
        id = make();
    }
    id
}

/// An invoice closes when its amount is paid. What closes it otherwise is not known (specification, 7.4).
fn close_if_paid(tx: &mut Books<'_>, invoice_id: &str) {
    let by_first = tx.switch("closes-with") == "any-payment";
    let state = tx.state_mut();
    let Some(invoice) = state.invoices.get(invoice_id) else { return };
    let paid = state.paid(invoice);
    let closes = paid >= invoice.order.hundredths || by_first && paid > 0;
    if closes
        && invoice.standing == Standing::Open
        && let Some(invoice) = state.invoices.get_mut(invoice_id)
    {
        invoice.standing = Standing::Closed;
    }
}

/// Gives a payment back.
pub(super) fn refund(tx: &mut Books<'_>, payment_id: &str) {
    let Some(payment) = tx.state_mut().payments.get_mut(payment_id) else { return };
    "REFUNDED".clone_into(&mut payment.status);
    let invoice_id = payment.invoice_id.clone();
    if tx.switch("callback-on-refund") == "yes" {
        tell(tx, &invoice_id, payment_id);
    }
}

/// The merchant withdraws an invoice. The payer of `on_cancel` pays in the same moment.
pub(super) fn cancel(tx: &mut Books<'_>, invoice_id: &str) {
    let Some(invoice) = tx.state_mut().invoices.get_mut(invoice_id) else { return };
    invoice.standing = Standing::Canceled;
    if let Some(wish) = invoice.on_cancel.take() {
        pay(tx, invoice_id, &wish);
    }
}

fn tell(tx: &mut Books<'_>, invoice_id: &str, payment_id: &str) {
    let Some(invoice) = tx.state_mut().invoices.get_mut(invoice_id) else { return };
    invoice.told = Some(payment_id.to_owned());
    let reference = invoice.reference.clone();
    // QPay has nobody waiting for a callback: the payer's app does not go back to the shop.
    let _ = tx.push(&reference);
}
