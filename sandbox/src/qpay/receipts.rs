//! The calls about VAT receipts (specification, 13): `/v2/ebarimt_v3/*` and the older `/v2/ebarimt/*`.
//!
//! A receipt holds personal data. The receiver is kept masked only, and the request log shows neither side of it.

use serde::Serialize;

use super::answer::money;
use super::call::{Good, Outcome, Refusal, body_of, required, text};
use super::ids::digits;
use super::order::district;
use super::receipt::Receipt;
use super::shared::Bank;
use super::state::{Books, Invoice, Payment};

/// A receipt on the wire, with every member that QPay's answer has [XLS by TPA]. Amounts are texts.
#[derive(Serialize)]
struct Wire<'a> {
    id: &'a str,
    ebarimt_by: &'static str,
    g_wallet_id: &'a str,
    g_wallet_customer_id: Option<&'a str>,
    ebarimt_receiver_type: &'a str,
    ebarimt_receiver: Option<&'a str>,
    ebarimt_district_code: Option<&'a str>,
    ebarimt_bill_type: &'static str,
    g_merchant_id: &'static str,
    merchant_branch_code: Option<&'a str>,
    merchant_terminal_code: Option<&'a str>,
    merchant_staff_code: Option<&'a str>,
    merchant_register_no: &'static str,
    g_payment_id: &'a str,
    paid_by: &'static str,
    object_type: &'static str,
    object_id: &'a str,
    amount: String,
    vat_amount: String,
    city_tax_amount: String,
    ebarimt_qr_data: &'static str,
    ebarimt_lottery: &'a str,
    note: Option<&'a str>,
    barimt_status: &'static str,
    barimt_status_date: String,
    ebarimt_sent_email: Option<&'a str>,
    ebarimt_receiver_phone: Option<&'a str>,
    tax_type: &'a str,
    merchant_tin: &'static str,
    ebarimt_receipt_id: &'a str,
    created_by: &'static str,
    created_date: String,
    updated_by: &'static str,
    updated_date: String,
    status: bool,
    barimt_items: [(); 0],
    barimt_transactions: [(); 0],
    barimt_histories: [(); 0],
}

/// A merchant that does not exist.
const NOBODY: &str = "0000000";

fn wire<'a>(receipt: &'a Receipt, payment: &'a Payment, invoice: &'a Invoice) -> Wire<'a> {
    let order = &invoice.order;
    Wire {
        id: &receipt.id,
        ebarimt_by: "QPAY",
        g_wallet_id: &payment.wallet,
        g_wallet_customer_id: None,
        ebarimt_receiver_type: &receipt.receiver_type,
        ebarimt_receiver: receipt.receiver.as_deref(),
        ebarimt_district_code: receipt.district.as_deref(),
        ebarimt_bill_type: "",
        g_merchant_id: "SANDBOX",
        merchant_branch_code: order.branch_code.as_deref(),
        merchant_terminal_code: order.terminal_code.as_deref(),
        merchant_staff_code: order.staff_code.as_deref(),
        merchant_register_no: NOBODY,
        g_payment_id: &payment.id,
        paid_by: payment.kind(),
        object_type: "INVOICE",
        object_id: &payment.invoice_id,
        amount: money(payment.hundredths),
        vat_amount: money(receipt.vat),
        city_tax_amount: money(receipt.city_tax),
        ebarimt_qr_data: "SANDBOX",
        ebarimt_lottery: &receipt.lottery,
        note: None,
        barimt_status: if receipt.canceled { "CANCELED" } else { "REGISTERED" },
        barimt_status_date: receipt.changed_at.to_string(),
        ebarimt_sent_email: None,
        ebarimt_receiver_phone: None,
        tax_type: &receipt.tax_type,
        merchant_tin: NOBODY,
        ebarimt_receipt_id: &receipt.id,
        created_by: "SANDBOX",
        created_date: receipt.made_at.to_string(),
        updated_by: "SANDBOX",
        updated_date: receipt.changed_at.to_string(),
        status: true,
        barimt_items: [],
        barimt_transactions: [],
        barimt_histories: [],
    }
}

/// What a request asks for, after its checks.
struct Asked {
    payment_id: String,
    receiver_type: String,
    receiver: Option<String>,
    district: Option<String>,
}

impl Asked {
    fn read(body: &[u8]) -> Result<Self, Refusal> {
        let fields = body_of(body)?;
        let payment_id = required(&fields, "payment_id", 50)?;
        let receiver_type = required(&fields, "ebarimt_receiver_type", 45)?;
        let receiver = text(&fields, "ebarimt_receiver", 45)?;
        match (receiver_type.as_str(), &receiver) {
            ("CITIZEN", _) | ("COMPANY", Some(_)) => {}
            ("COMPANY", None) => return Err(Refusal::missing("ebarimt_receiver")),
            _ => {
                let why = "field ebarimt_receiver_type is CITIZEN or COMPANY";
                return Err(Refusal::invalid("ebarimt_receiver_type", why));
            }
        }
        text(&fields, "classification_code", 7)?;
        text(&fields, "callback_url", 255)?;
        Ok(Self { payment_id, receiver_type, receiver, district: district(&fields)? })
    }
}

/// `POST /v2/ebarimt_v3/create`.
pub(super) fn create(bank: &Bank, body: &[u8]) -> Outcome {
    let asked = Asked::read(body)?;
    let made = bank.desk.update(|tx| {
        let state = tx.state();
        let Some(payment) = state.payments.get(&asked.payment_id).cloned() else {
            return Err(Refusal::code("PAYMENT_NOTFOUND", "no payment has this payment_id"));
        };
        if payment.status != "PAID" {
            return Err(Refusal::code("PAYMENT_NOT_PAID", "a receipt is for what is paid"));
        }
        let open = |receipt: &&Receipt| receipt.payment_id == payment.id && !receipt.canceled;
        // What a second create does is not known; here it is the same receipt.
        if let Some(receipt) = state.receipts.values().find(open) {
            return Ok(receipt.id.clone());
        }
        Ok(enter(tx, &asked, &payment))
    })??;
    show(bank, &made, "the receipt is registered")
}

fn enter(tx: &mut Books<'_>, asked: &Asked, payment: &Payment) -> String {
    let now = tx.now();
    let state = tx.state_mut();
    let order = state.invoices.get(&payment.invoice_id).map(|invoice| &invoice.order);
    let tax_type = order.and_then(|order| order.tax_type.clone()).unwrap_or_else(|| "1".to_owned());
    let sums = order.map(|order| order.sums.clone()).unwrap_or_default();
    // VAT is a part of the price: an eleventh, cut and not rounded [GER]. Types 2 and 3 have none [XLS].
    let vat = match tax_type.as_str() {
        "1" if sums.vat > 0 => sums.vat / 100,
        "1" => payment.hundredths / 11,
        _ => 0,
    };
    let receipt = Receipt {
        id: uuid::Uuid::new_v4().to_string(),
        payment_id: payment.id.clone(),
        receiver_type: asked.receiver_type.clone(),
        receiver: asked.receiver.as_deref().map(masked),
        district: asked.district.clone().or_else(|| order.and_then(|order| order.district_code.clone())),
        vat,
        city_tax: sums.city_tax / 100,
        tax_type,
        lottery: format!("SB {}", digits(8)),
        canceled: false,
        made_at: now,
        changed_at: now,
    };
    let id = receipt.id.clone();
    state.receipts.insert(id.clone(), receipt);
    id
}

/// The first two characters: `88******` [XLS by TPA].
fn masked(text: &str) -> String {
    text.chars().enumerate().map(|(at, character)| if at < 2 { character } else { '*' }).collect()
}

fn show(bank: &Bank, id: &str, note: &str) -> Outcome {
    bank.desk.read(|state| {
        let receipt = state.receipts.get(id);
        let payment = receipt.and_then(|receipt| state.payments.get(&receipt.payment_id));
        let invoice = payment.and_then(|payment| state.invoices.get(&payment.invoice_id));
        match (receipt, payment, invoice) {
            (Some(receipt), Some(payment), Some(invoice)) => {
                Good::with(&wire(receipt, payment, invoice), note)
            }
            _ => Err(not_found()),
        }
    })
}

fn not_found() -> Refusal {
    Refusal::code("BARIMT_NOT_FOUND", "there is no such receipt")
}

/// `DELETE /v2/ebarimt_v3/{payment_id}`.
pub(super) fn cancel(bank: &Bank, payment_id: &str) -> Outcome {
    let of_payment = |receipt: &Receipt| receipt.payment_id == payment_id;
    let id = bank.desk.read(|state| {
        state.receipts.values().rfind(|receipt| of_payment(receipt)).map(|receipt| receipt.id.clone())
    });
    cancel_by_id(bank, &id.ok_or_else(not_found)?)
}

fn cancel_by_id(bank: &Bank, id: &str) -> Outcome {
    bank.desk.update(|tx| {
        let now = tx.now();
        if let Some(receipt) = tx.state_mut().receipts.get_mut(id) {
            receipt.canceled = true;
            receipt.changed_at = now;
        }
    })?;
    show(bank, id, "the receipt is canceled")
}

/// `POST /v2/ebarimt/create`. QPay's old sandbox answered `{}` or 500 in two forms [ETAG, QG]; a switch chooses.
pub(super) fn create_old(bank: &Bank, body: &[u8]) -> Outcome {
    let how = bank.desk.switch("old-receipt-answer");
    let made = create(bank, body)?;
    let why = "the switch old-receipt-answer says so";
    match how.as_str() {
        "empty" => Ok(Good::empty(format!("{}; answered with {{}}, because {why}", made.note()))),
        "system-busy" => Err(Refusal::bare("SYSTEM_BUSY", why)),
        "type-error" => Err(Refusal::code("TypeError", why)),
        _ => Ok(made),
    }
}

/// `GET /v2/ebarimt/{barimt_id}`.
pub(super) fn read_old(bank: &Bank, id: &str) -> Outcome {
    show(bank, id, "the receipt as it is")
}

/// `DELETE /v2/ebarimt/{barimt_id}`.
pub(super) fn cancel_old(bank: &Bank, id: &str) -> Outcome {
    if bank.desk.switch("old-receipt-cancel") == "refused" {
        return Err(Refusal::code("EBARIMT_CANCEL_NOTSUPPERDED", "the switch old-receipt-cancel says so"));
    }
    cancel_by_id(bank, id)
}
