//! Writes QPay's documents, with the types that its answers have: texts where it has texts, nulls where it has nulls.

use serde::Serialize;
use serde_json::value::RawValue;

use super::code::{App, apps, picture};
use super::shared::Bank;
use super::state::{Invoice, Payment, Standing, sum};
use crate::galaxy_pay::fields::amount_text;

/// Money as a text with two decimals: `"100.00"`.
pub(super) fn money(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Money as a JSON number, written from whole möngö.
fn number(hundredths: u64) -> Option<Box<RawValue>> {
    RawValue::from_string(amount_text(hundredths)).ok()
}

fn quoted(text: &str) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(text).ok()
}

/// JSON that is given back as it came; what is none becomes null.
fn echoed(text: Option<&str>) -> Option<Box<RawValue>> {
    text.and_then(|text| RawValue::from_string(text.to_owned()).ok())
}

/// The answer of `POST /v2/invoice` (specification, 5.2).
#[derive(Serialize)]
pub(super) struct Created<'a> {
    invoice_id: &'a str,
    qr_text: &'a str,
    qr_image: String,
    #[serde(rename = "qPay_shortUrl")]
    short_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    urls: Option<Vec<App>>,
    /// The name that a table of QPay's has for the list [XLS]; every recorded answer has `urls`.
    #[serde(rename = "qPay_deeplink", skip_serializing_if = "Option::is_none")]
    deeplink: Option<Vec<App>>,
}

pub(super) fn created<'a>(bank: &Bank, invoice: &'a Invoice) -> Created<'a> {
    let base_url = bank.desk.base_url();
    let named = bank.desk.switch("links-member");
    let list = |member: &str| (named == member || named == "both").then(|| apps(base_url, &invoice.qr_text));
    Created {
        invoice_id: &invoice.id,
        qr_text: &invoice.qr_text,
        qr_image: picture(&invoice.qr_text),
        short_url: format!("{base_url}/s/{}", invoice.short_code),
        urls: list("urls"),
        deeplink: list("qPay_deeplink"),
    }
}

/// The answer of `GET /v2/invoice/{id}` (specification, 6.3).
#[derive(Serialize)]
pub(super) struct Read<'a> {
    invoice_id: &'a str,
    invoice_status: String,
    sender_invoice_no: &'a str,
    sender_branch_code: Option<&'a str>,
    sender_branch_data: Option<Box<RawValue>>,
    sender_staff_code: Option<&'a str>,
    sender_staff_data: Option<Box<RawValue>>,
    sender_terminal_code: Option<&'a str>,
    sender_terminal_data: Option<Box<RawValue>>,
    invoice_description: &'a str,
    invoice_due_date: Option<&'a str>,
    enable_expiry: bool,
    expiry_date: Option<&'a str>,
    allow_partial: bool,
    minimum_amount: Option<Box<RawValue>>,
    allow_exceed: bool,
    maximum_amount: Option<Box<RawValue>>,
    total_amount: String,
    gross_amount: Option<Box<RawValue>>,
    tax_amount: Option<Box<RawValue>>,
    surcharge_amount: Option<Box<RawValue>>,
    discount_amount: Option<Box<RawValue>>,
    callback_url: Option<&'a str>,
    note: Option<&'a str>,
    lines: Box<RawValue>,
    transactions: Box<RawValue>,
    inputs: [(); 0],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    payments: Vec<Row>,
}

pub(super) fn read<'a>(bank: &Bank, rows: &[Payment], invoice: &'a Invoice) -> Read<'a> {
    let order = &invoice.order;
    let as_text = bank.desk.switch("invoice-amounts") == "text";
    let amount = |hundredths| if as_text { quoted(&money(hundredths)) } else { number(hundredths) };
    let bound = |limit: Option<u64>| limit.filter(|limit| *limit > 0).and_then(amount);
    let list = |text: &Option<String>| echoed(text.as_deref()).unwrap_or_else(empty_list);
    Read {
        invoice_id: &invoice.id,
        invoice_status: status(bank, invoice),
        sender_invoice_no: &order.number,
        sender_branch_code: order.branch_code.as_deref(),
        sender_branch_data: echoed(order.branch_data.as_deref()),
        sender_staff_code: order.staff_code.as_deref(),
        sender_staff_data: echoed(order.staff_data.as_deref()),
        sender_terminal_code: order.terminal_code.as_deref(),
        sender_terminal_data: echoed(order.terminal_data.as_deref()),
        invoice_description: &order.description,
        invoice_due_date: order.due_date.as_deref(),
        enable_expiry: order.enable_expiry,
        expiry_date: order.expiry_date.as_deref(),
        allow_partial: order.partial.is_some(),
        minimum_amount: bound(order.partial),
        allow_exceed: order.exceed.is_some(),
        maximum_amount: bound(order.exceed),
        total_amount: money(order.hundredths),
        gross_amount: amount(order.sums.gross),
        tax_amount: amount(order.sums.tax()),
        surcharge_amount: amount(order.sums.surcharge),
        discount_amount: amount(order.sums.discount),
        callback_url: order.callback_url.as_deref(),
        note: order.note.as_deref(),
        lines: list(&order.lines),
        transactions: list(&order.transactions),
        inputs: [],
        payments: known(bank, rows).into_iter().map(row).collect(),
    }
}

fn empty_list() -> Box<RawValue> {
    RawValue::from_string("[]".to_owned()).expect("an empty list is JSON")
}

/// `invoice_status`. `OPEN` and `CLOSED` are known, the word for cancelled has two spellings, none is known for expired.
pub(super) fn status(bank: &Bank, invoice: &Invoice) -> String {
    match invoice.standing {
        Standing::Open => "OPEN".to_owned(),
        Standing::Closed => "CLOSED".to_owned(),
        Standing::Canceled => bank.desk.switch("canceled-status"),
        Standing::Expired => bank.desk.switch("expired-status"),
    }
}

/// The rows that the API knows already, in the order of the switch.
pub(super) fn known<'a>(bank: &Bank, rows: &'a [Payment]) -> Vec<&'a Payment> {
    let now = bank.desk.now();
    let mut rows: Vec<_> = rows.iter().filter(|row| row.known_at <= now).collect();
    if bank.desk.switch("rows-order") == "newest-first" {
        rows.reverse();
    }
    rows
}

/// The answer of `POST /v2/payment/check` (specification, 7.1).
#[derive(Serialize)]
pub(super) struct Checked {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_amount: Option<Box<RawValue>>,
    rows: Vec<Row>,
}

impl Checked {
    /// One page of the rows; the count and the sum are of all.
    pub(super) fn page(bank: &Bank, rows: &[&Payment], page: &Page) -> Self {
        let with_refunds = bank.desk.switch("paid-amount-counts") == "refunded-too";
        let counts = |row: &&Payment| row.status == "PAID" || with_refunds && row.status == "REFUNDED";
        let paid = sum(rows.iter().copied().filter(counts));
        let shown = paid > 0 || bank.desk.switch("paid-amount-of-nothing") == "zero";
        Self {
            count: rows.len(),
            paid_amount: if shown { number(paid) } else { None },
            rows: page.of(rows).map(|payment| row(payment)).collect(),
        }
    }
}

/// Which rows of a list are wanted.
pub(super) struct Page {
    pub(super) number: usize,
    pub(super) limit: usize,
}

impl Page {
    pub(super) fn of<'a, T>(&self, rows: &'a [T]) -> impl Iterator<Item = &'a T> {
        rows.iter().skip((self.number - 1).saturating_mul(self.limit)).take(self.limit)
    }
}

/// A row of a check.
#[derive(Serialize)]
pub(super) struct Row {
    payment_id: String,
    payment_status: String,
    payment_amount: String,
    trx_fee: String,
    payment_currency: String,
    payment_wallet: String,
    payment_type: &'static str,
    next_payment_date: Option<String>,
    next_payment_datetime: Option<String>,
    card_transactions: Vec<ByCard>,
    p2p_transactions: Vec<ByTransfer>,
}

fn row(payment: &Payment) -> Row {
    let (card_transactions, p2p_transactions) = transactions(payment);
    Row {
        payment_id: payment.id.clone(),
        payment_status: payment.status.clone(),
        payment_amount: money(payment.hundredths),
        trx_fee: money(payment.fee),
        payment_currency: payment.currency.clone(),
        payment_wallet: payment.wallet.clone(),
        payment_type: payment.kind(),
        next_payment_date: None,
        next_payment_datetime: None,
        card_transactions,
        p2p_transactions,
    }
}

#[derive(Serialize)]
struct ByCard {
    card_type: &'static str,
    is_cross_border: bool,
    amount: String,
    currency: String,
    date: String,
    status: &'static str,
    settlement_status: &'static str,
    settlement_status_date: String,
}

#[derive(Serialize)]
struct ByTransfer {
    transaction_bank_code: &'static str,
    account_bank_code: &'static str,
    account_bank_name: &'static str,
    account_number: &'static str,
    status: &'static str,
    amount: String,
    currency: String,
    settlement_status: &'static str,
}

/// What moved the money: a card's payment in full, or a transfer of what the fee leaves (specification, 7.1).
fn transactions(payment: &Payment) -> (Vec<ByCard>, Vec<ByTransfer>) {
    let status = if payment.status == "FAILED" { "FAILED" } else { "SUCCESS" };
    if payment.by_card {
        let by_card = ByCard {
            card_type: "UNIONPAY",
            is_cross_border: false,
            amount: money(payment.hundredths),
            currency: payment.currency.clone(),
            date: payment.at.to_string(),
            status,
            settlement_status: "PENDING",
            settlement_status_date: payment.at.to_string(),
        };
        return (vec![by_card], Vec::new());
    }
    // 100000 is the test bank of QPay's table [TBL].
    let by_transfer = ByTransfer {
        transaction_bank_code: "100000",
        account_bank_code: "100000",
        account_bank_name: "Тест банк",
        account_number: "00********",
        status,
        amount: money(payment.hundredths.saturating_sub(payment.fee)),
        currency: payment.currency.clone(),
        settlement_status: if status == "SUCCESS" { "SETTLED" } else { "PENDING" },
    };
    (Vec::new(), vec![by_transfer])
}

/// The answer of `GET /v2/payment/{id}` (specification, 7.2).
#[derive(Serialize)]
pub(super) struct Paid<'a> {
    payment_id: &'a str,
    payment_status: &'a str,
    payment_fee: String,
    payment_amount: String,
    payment_currency: &'a str,
    payment_date: String,
    payment_wallet: &'a str,
    object_type: &'static str,
    object_id: &'a str,
    next_payment_date: Option<String>,
    next_payment_datetime: Option<String>,
    transaction_type: &'static str,
    card_transactions: Vec<ByCard>,
    p2p_transactions: Vec<ByTransfer>,
}

pub(super) fn paid(payment: &Payment) -> Paid<'_> {
    let (card_transactions, p2p_transactions) = transactions(payment);
    Paid {
        payment_id: &payment.id,
        payment_status: &payment.status,
        payment_fee: money(payment.fee),
        payment_amount: money(payment.hundredths),
        payment_currency: &payment.currency,
        payment_date: payment.at.to_string(),
        payment_wallet: &payment.wallet,
        object_type: "INVOICE",
        object_id: &payment.invoice_id,
        next_payment_date: None,
        next_payment_datetime: None,
        transaction_type: payment.kind(),
        card_transactions,
        p2p_transactions,
    }
}

/// The answer of `POST /v2/payment/list` (specification, 7.5).
#[derive(Serialize)]
pub(super) struct Listed {
    pub(super) count: usize,
    pub(super) rows: Vec<ListRow>,
}

#[derive(Serialize)]
pub(super) struct ListRow {
    payment_id: String,
    payment_date: String,
    payment_status: String,
    payment_fee: String,
    payment_amount: String,
    payment_currency: String,
    payment_wallet: String,
    /// A text [QC]; what it holds is not known.
    payment_name: &'static str,
    payment_description: String,
    qr_code: String,
    paid_by: &'static str,
    object_type: &'static str,
    object_id: String,
    next_payment_date: Option<String>,
    next_payment_datetime: Option<String>,
}

pub(super) fn listed(payment: &Payment, invoice: &Invoice) -> ListRow {
    ListRow {
        payment_id: payment.id.clone(),
        payment_date: payment.at.to_string(),
        payment_status: payment.status.clone(),
        payment_fee: money(payment.fee),
        payment_amount: money(payment.hundredths),
        payment_currency: payment.currency.clone(),
        payment_wallet: payment.wallet.clone(),
        payment_name: "",
        payment_description: invoice.order.description.clone(),
        qr_code: invoice.qr_text.clone(),
        paid_by: payment.kind(),
        object_type: "INVOICE",
        object_id: payment.invoice_id.clone(),
        next_payment_date: None,
        next_payment_datetime: None,
    }
}
