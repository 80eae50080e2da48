//! Exactly what crosses the network: what is sent, and what is read of what comes back.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tulbur_core::AmountText;
use tulbur_core::wire::{Field, Text};

use crate::options::{Party, TaxCode};

/// A number whose characters are ours.
pub(crate) type Number = Box<RawValue>;

/// `POST /v2/invoice` (OAS; the order of published clients).
#[derive(Serialize)]
pub(crate) struct InvoiceRequest<'a> {
    pub(crate) invoice_code: &'a str,
    pub(crate) sender_invoice_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sender_branch_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sender_branch_data: Option<&'a Party>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sender_staff_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sender_terminal_code: Option<&'a str>,
    pub(crate) invoice_receiver_code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) invoice_receiver_data: Option<&'a Party>,
    pub(crate) invoice_description: &'a str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) vat: Option<VatFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allow_partial: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) minimum_amount: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allow_exceed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) maximum_amount: Option<Number>,
    pub(crate) amount: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) callback_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) lines: Vec<LineFields<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) transactions: Vec<SplitFields<'a>>,
}

#[derive(Serialize)]
pub(crate) struct VatFields<'a> {
    pub(crate) calculate_vat: bool,
    pub(crate) tax_type: &'static str,
    pub(crate) district_code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tax_customer_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line_tax_code: Option<&'a str>,
}

/// Quantity and price are texts, as in QPay's examples.
#[derive(Serialize)]
pub(crate) struct LineFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sender_product_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tax_product_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) classification_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) barcode: Option<&'a str>,
    pub(crate) line_description: &'a str,
    pub(crate) line_quantity: &'a str,
    pub(crate) line_unit_price: AmountText,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) discounts: Vec<ChangeFields<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) surcharges: Vec<ChangeFields<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) taxes: Vec<TaxFields<'a>>,
}

#[derive(Serialize)]
pub(crate) struct ChangeFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) discount_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) surcharge_code: Option<&'a str>,
    pub(crate) description: &'a str,
    pub(crate) amount: Number,
}

#[derive(Serialize)]
pub(crate) struct TaxFields<'a> {
    pub(crate) tax_code: TaxCode,
    pub(crate) description: &'a str,
    pub(crate) amount: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) city_tax: Option<Number>,
}

/// The amount is a text, as both published clients that write it have it.
#[derive(Serialize)]
pub(crate) struct SplitFields<'a> {
    pub(crate) description: &'a str,
    pub(crate) amount: AmountText,
    pub(crate) accounts: Vec<AccountFields<'a>>,
}

#[derive(Serialize)]
pub(crate) struct AccountFields<'a> {
    pub(crate) account_bank_code: &'a str,
    pub(crate) account_number: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) iban_number: Option<&'a str>,
    pub(crate) account_name: &'a str,
    pub(crate) account_currency: &'static str,
    pub(crate) is_default: bool,
}

/// `POST /v2/payment/check`.
#[derive(Serialize)]
pub(crate) struct CheckRequest<'a> {
    pub(crate) object_type: &'static str,
    pub(crate) object_id: &'a str,
    pub(crate) offset: Offset,
}

#[derive(Serialize)]
pub(crate) struct Offset {
    pub(crate) page_number: usize,
    pub(crate) page_limit: usize,
}

/// `DELETE /v2/payment/refund/{payment_id}` and `…/cancel/{payment_id}`.
#[derive(Serialize)]
pub(crate) struct NoteRequest<'a> {
    pub(crate) note: &'a str,
}

/// `POST /v2/ebarimt_v3/create` and `/v2/ebarimt/create`.
#[derive(Serialize)]
pub(crate) struct ReceiptRequest<'a> {
    pub(crate) payment_id: &'a str,
    pub(crate) ebarimt_receiver_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ebarimt_receiver: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) district_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) classification_code: Option<&'a str>,
}

/// What an answer that is an error has.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(crate) struct Failure<'a> {
    pub(crate) error: Option<&'a RawValue>,
    pub(crate) message: Option<&'a RawValue>,
}

/// The answer to a login or a refresh.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(crate) struct TokenAnswer<'a> {
    pub(crate) access_token: Option<Text<'a>>,
    pub(crate) refresh_token: Option<Text<'a>>,
    pub(crate) expires_in: Field<'a>,
    pub(crate) refresh_expires_in: Field<'a>,
}

/// The answer to a create.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(crate) struct InvoiceAnswer<'a> {
    pub(crate) invoice_id: Option<Text<'a>>,
    pub(crate) qr_text: Option<Text<'a>>,
    #[serde(rename = "qPay_shortUrl")]
    pub(crate) short_url: Option<Text<'a>>,
    /// Every answer has this name.
    pub(crate) urls: Option<Vec<Link<'a>>>,
    /// The name in QPay's own table (XLS).
    #[serde(rename = "qPay_deeplink")]
    pub(crate) deeplinks: Option<Vec<Link<'a>>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
#[expect(clippy::struct_field_names, reason = "the names are QPay's")]
pub(crate) struct Link<'a> {
    pub(crate) name: Field<'a>,
    pub(crate) description: Field<'a>,
    pub(crate) logo: Field<'a>,
    pub(crate) link: Option<Text<'a>>,
}

/// The answer to a check.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(crate) struct CheckAnswer<'a> {
    /// How many rows there are in all.
    pub(crate) count: Field<'a>,
    pub(crate) rows: Option<Vec<Row<'a>>>,
}

/// One movement of money: a row of a check, or the answer to a read. Ids are texts: they have leading zeros.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(crate) struct Row<'a> {
    pub(crate) payment_id: Option<Text<'a>>,
    pub(crate) payment_status: Option<Text<'a>>,
    pub(crate) payment_amount: Field<'a>,
    pub(crate) payment_currency: Option<Text<'a>>,
    /// The name in a check.
    pub(crate) payment_type: Option<Text<'a>>,
    /// The name in a read.
    pub(crate) transaction_type: Option<Text<'a>>,
    pub(crate) payment_fee: Field<'a>,
    pub(crate) payment_date: Field<'a>,
    pub(crate) payment_wallet: Field<'a>,
    pub(crate) object_type: Option<Text<'a>>,
    pub(crate) object_id: Option<Text<'a>>,
    pub(crate) card_transactions: Option<Vec<CardRow<'a>>>,
    /// So it stands once in QPay's own text (XLS).
    #[serde(rename = "card_tansactions")]
    pub(crate) misspelt_card_transactions: Option<Vec<CardRow<'a>>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(crate) struct CardRow<'a> {
    pub(crate) card_type: Field<'a>,
    pub(crate) card_number: Field<'a>,
}

/// A VAT receipt, as far as it is read. It is about a person.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(crate) struct ReceiptAnswer<'a> {
    pub(crate) id: Option<Text<'a>>,
    pub(crate) g_payment_id: Option<Text<'a>>,
    pub(crate) amount: Field<'a>,
    pub(crate) vat_amount: Field<'a>,
    pub(crate) city_tax_amount: Field<'a>,
    pub(crate) ebarimt_qr_data: Field<'a>,
    pub(crate) ebarimt_lottery: Field<'a>,
    pub(crate) ebarimt_receipt_id: Field<'a>,
    pub(crate) barimt_status: Option<Text<'a>>,
    pub(crate) barimt_status_date: Field<'a>,
}
