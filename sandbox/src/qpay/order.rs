//! Reads what an invoice is to be, with the lengths of QPay's own table (specification, 5.1).

use serde::{Deserialize, Serialize};

use super::call::{Refusal, boolean, required, text};
use super::lines::{self, Sums};
use super::settings::QPay;
use crate::galaxy_pay::fields::{Fields, parse_amount};

/// Members that are a text and nothing more, with their longest form.
const TEXTS: [(&str, usize); 9] = [
    ("sender_branch_code", 45),
    ("sender_staff_code", 100),
    ("sender_terminal_code", 45),
    ("tax_customer_code", usize::MAX),
    ("line_tax_code", usize::MAX),
    ("subscription_interval", usize::MAX),
    ("subscription_webhook", 255),
    ("next_payment_date", usize::MAX),
    ("note", 1000),
];

/// The members of a person or a branch.
const DATA: [(&str, usize); 4] = [("register", 20), ("name", 100), ("email", 255), ("phone", 20)];
const ADDRESS: [(&str, usize); 8] = [
    ("city", 100),
    ("district", 100),
    ("street", 100),
    ("building", 100),
    ("address", 100),
    ("zipcode", 20),
    ("longitude", 20),
    ("latitude", 20),
];

/// An invoice as the merchant ordered it. What is only echoed keeps its own JSON. Who is to receive it is checked and
/// not kept: that is a person's data, and no answer has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) invoice_code: String,
    pub(super) number: String,
    pub(super) description: String,
    /// The total in möngö.
    pub(super) hundredths: u64,
    pub(super) sums: Sums,
    pub(super) callback_url: Option<String>,
    pub(super) branch_code: Option<String>,
    pub(super) branch_data: Option<String>,
    pub(super) staff_code: Option<String>,
    pub(super) staff_data: Option<String>,
    pub(super) terminal_code: Option<String>,
    pub(super) terminal_data: Option<String>,
    pub(super) due_date: Option<String>,
    pub(super) enable_expiry: bool,
    pub(super) expiry_date: Option<String>,
    /// The least that may be paid at a time, in möngö, where less than all is allowed.
    pub(super) partial: Option<u64>,
    /// The most that may be paid in all, in möngö, where more is allowed; 0 is any amount.
    pub(super) exceed: Option<u64>,
    pub(super) note: Option<String>,
    pub(super) lines: Option<String>,
    pub(super) transactions: Option<String>,
    /// It was made with the account's code for VAT receipts.
    pub(super) vat: bool,
    pub(super) tax_type: Option<String>,
    pub(super) district_code: Option<String>,
}

impl Order {
    /// Reads and checks a body of `POST /v2/invoice`.
    pub(super) fn read(
        account: &QPay,
        switch: impl Fn(&str) -> String,
        fields: &Fields,
    ) -> Result<Self, Refusal> {
        let invoice_code = required(fields, "invoice_code", 45)?;
        let vat = invoice_code == account.vat_invoice_code;
        if !vat && invoice_code != account.invoice_code {
            return Err(Refusal::code("INVOICE_CODE_INVALID", "QPay issued no such invoice_code"));
        }
        let number = required(fields, "sender_invoice_no", 45)?;
        required(fields, "invoice_receiver_code", 45)?;
        let description = required(fields, "invoice_description", 255)?;
        for (name, most) in TEXTS {
            text(fields, name, most)?;
        }
        check_data(fields)?;
        check_receiver(&switch("receiver-data"), fields)?;
        let sums = lines::read(fields, &switch("taxes"))?;
        if vat && sums.is_none() && text(fields, "line_tax_code", usize::MAX)?.is_none() {
            let why = "an invoice for VAT receipts has neither lines nor line_tax_code";
            return Err(Refusal::code("INVOICE_LINE_REQUIRED", why));
        }
        let hundredths = total(&switch, fields, sums.as_ref())?;
        let limit = |switch: &str, bound: &str| allowance(fields, switch, bound);
        Ok(Self {
            number,
            description,
            hundredths,
            sums: sums.unwrap_or_else(|| Sums::of_total(hundredths)),
            callback_url: text(fields, "callback_url", 255)?,
            branch_code: text(fields, "sender_branch_code", 45)?,
            branch_data: raw(fields, "sender_branch_data"),
            staff_code: text(fields, "sender_staff_code", 100)?,
            staff_data: raw(fields, "sender_staff_data"),
            terminal_code: text(fields, "sender_terminal_code", 45)?,
            terminal_data: raw(fields, "sender_terminal_data"),
            due_date: text(fields, "invoice_due_date", 45)?,
            enable_expiry: boolean(fields, "enable_expiry")?.unwrap_or(false),
            expiry_date: text(fields, "expiry_date", 45)?,
            partial: limit("allow_partial", "minimum_amount")?,
            exceed: limit("allow_exceed", "maximum_amount")?,
            note: text(fields, "note", 1000)?,
            lines: raw(fields, "lines"),
            transactions: raw(fields, "transactions"),
            vat,
            tax_type: tax_type(fields)?,
            district_code: district(fields)?,
            invoice_code,
        })
    }
}

fn raw(fields: &Fields, name: &str) -> Option<String> {
    fields.raw(name).map(str::to_owned)
}

/// What a payer owes: the amount, or the sum of the lines where there is none.
fn total(switch: impl Fn(&str) -> String, fields: &Fields, sums: Option<&Sums>) -> Result<u64, Refusal> {
    let hundredths = match (text(fields, "amount", 45)?, sums) {
        (Some(amount), _) => amount_of("amount", &amount)?,
        (None, Some(sums)) if sums.total > 0 => sums.total,
        (None, Some(_)) => {
            return Err(Refusal::code("INVALID_AMOUNT", "the lines are worth nothing together"));
        }
        (None, None) => return Err(Refusal::code("INVALID_AMOUNT", "there is neither amount nor lines")),
    };
    let bound = |id: &str| switch(id).parse::<u64>().unwrap_or_default() * 100;
    let (least, most) = (bound("least-amount"), bound("most-amount"));
    if hundredths < least {
        let why = "the amount is below the switch least-amount";
        return Err(Refusal::code("MIN_AMOUNT_ERR", why));
    }
    if most > 0 && hundredths > most {
        return Err(Refusal::code("MAX_AMOUNT_ERR", "the amount is above the switch most-amount"));
    }
    Ok(hundredths)
}

/// An amount in möngö. It is tögrög with up to two decimals, as a number or a text [OAS, RUN].
pub(super) fn amount_of(name: &str, text: &str) -> Result<u64, Refusal> {
    parse_amount(name, text, "MNT").map_err(|why| Refusal::code("INVALID_AMOUNT", why))
}

/// A switch of an invoice with its bound (specification, 7.4); a bound without the switch counts for nothing.
fn allowance(fields: &Fields, switch: &str, bound: &str) -> Result<Option<u64>, Refusal> {
    let limit = text(fields, bound, 45)?;
    let limit = limit.map_or(Ok(0), |text| amount_of(bound, &text))?;
    Ok(boolean(fields, switch)?.unwrap_or(false).then_some(limit))
}

fn tax_type(fields: &Fields) -> Result<Option<String>, Refusal> {
    boolean(fields, "calculate_vat")?;
    let kind = text(fields, "tax_type", 45)?;
    match kind.as_deref() {
        None | Some("1" | "2" | "3") => Ok(kind),
        Some(_) => Err(Refusal::invalid("tax_type", "field tax_type is 1, 2 or 3")),
    }
}

/// Four digits [XLS]; two in older texts [DOC].
pub(super) fn district(fields: &Fields) -> Result<Option<String>, Refusal> {
    let code = text(fields, "district_code", 45)?;
    let fits = |code: &str| matches!(code.len(), 2 | 4) && code.bytes().all(|byte| byte.is_ascii_digit());
    if code.as_deref().is_none_or(fits) {
        return Ok(code);
    }
    Err(Refusal::invalid("district_code", "field district_code is four digits"))
}

fn object(fields: &Fields, name: &str) -> Result<Option<Fields>, Refusal> {
    fields.object(name).map_err(|why| Refusal::invalid(name, why))
}

fn check_data(fields: &Fields) -> Result<(), Refusal> {
    for name in ["sender_branch_data", "sender_staff_data", "sender_terminal_data", "invoice_receiver_data"] {
        let Some(data) = object(fields, name)? else { continue };
        for (member, most) in DATA {
            text(&data, member, most)?;
        }
        // An address is an object of its own, and in some samples a text.
        if data.raw("address").is_none() {
            text(&data, "address", 255)?;
        } else if let Some(address) = object(&data, "address")? {
            for (member, most) in ADDRESS {
                text(&address, member, most)?;
            }
        }
    }
    Ok(())
}

/// Some accounts must say who receives the invoice; which, the switch says.
fn check_receiver(wanted: &str, fields: &Fields) -> Result<(), Refusal> {
    if wanted == "optional" {
        return Ok(());
    }
    let why = format!("the switch receiver-data is {wanted}");
    let Some(data) = object(fields, "invoice_receiver_data")? else {
        return Err(Refusal::code("INVOICE_RECEIVER_DATA_REQUIRED", why));
    };
    let has = |name: &str| data.raw(name).is_some() || matches!(data.optional(name, usize::MAX), Ok(Some(_)));
    match wanted {
        "phone" if !has("phone") => Err(Refusal::code("INVOICE_RECEIVER_DATA_PHONE_REQUIRED", why)),
        "email" if !has("email") => Err(Refusal::code("INVOICE_RECEIVER_DATA_EMAIL_REQUIRED", why)),
        "address" if !has("address") => Err(Refusal::code("INVOICE_RECEIVER_DATA_ADDRESS_REQUIRED", why)),
        _ => Ok(()),
    }
}
