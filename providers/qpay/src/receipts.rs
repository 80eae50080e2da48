//! Makes, reads and cancels VAT receipts (ebarimt). They are about people, so nothing of them is printed.

use std::fmt;

use tulbur_core::wire::{filled, read};
use tulbur_core::{ChargeRef, Effect, Error, ErrorKind, Method, Money, ProviderRef, Result};

use crate::client::{Operation, QPay, body, is_id};
use crate::info::{self, CURRENCY};
use crate::wire::{ReceiptAnswer, ReceiptRequest};

/// Who gets a receipt (XLS, OAS). `Debug` shows which kind.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Receiver {
    /// A person (`CITIZEN`), with a phone or register number if there is one.
    Citizen(Option<String>),
    /// A company (`COMPANY`), with its register number.
    Company(String),
}

impl Receiver {
    fn kind(&self) -> &'static str {
        match self {
            Self::Citizen(_) => "CITIZEN",
            Self::Company(_) => "COMPANY",
        }
    }

    fn number(&self) -> Option<&str> {
        match self {
            Self::Citizen(number) => number.as_deref(),
            Self::Company(number) => Some(number),
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

/// Asks for a receipt of a payment. Its lines come from the invoice's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateReceipt {
    /// The payment, which must be paid: an id of [`Payment::parts`](tulbur_core::Payment::parts).
    pub payment_id: ChargeRef,
    /// Who gets it.
    pub receiver: Receiver,
    /// Where it was sold: four digits.
    pub district_code: Option<String>,
    /// The class of what was sold: seven digits. Only receipts 3.0 have it.
    pub classification_code: Option<String>,
}

impl CreateReceipt {
    /// A receipt of this payment for this receiver.
    pub fn new(payment_id: ChargeRef, receiver: Receiver) -> Self {
        Self { payment_id, receiver, district_code: None, classification_code: None }
    }

    /// With where it was sold.
    #[must_use]
    pub fn district_code(mut self, code: impl Into<String>) -> Self {
        self.district_code = Some(code.into());
        self
    }

    /// With the class of what was sold.
    #[must_use]
    pub fn classification_code(mut self, code: impl Into<String>) -> Self {
        self.classification_code = Some(code.into());
        self
    }

    fn check(&self) -> Result<()> {
        check_id("payment_id", self.payment_id.as_str())?;
        if self.receiver.number().is_some_and(str::is_empty) {
            return Err(Error::invalid("receiver", "its number is empty"));
        }
        for (field, code, count) in
            [("district_code", &self.district_code, 4), ("classification_code", &self.classification_code, 7)]
        {
            let fits = |code: &String| code.len() == count && code.bytes().all(|b| b.is_ascii_digit());
            if !code.as_ref().is_none_or(fits) {
                return Err(Error::invalid(field, format!("it is not {count} digits")));
            }
        }
        Ok(())
    }

    fn request(&self) -> ReceiptRequest<'_> {
        ReceiptRequest {
            payment_id: self.payment_id.as_str(),
            ebarimt_receiver_type: self.receiver.kind(),
            ebarimt_receiver: self.receiver.number(),
            district_code: self.district_code.as_deref(),
            classification_code: self.classification_code.as_deref(),
        }
    }
}

/// How a receipt stands (`barimt_status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiptStatus {
    /// Registered with the tax authority.
    Registered,
    /// Cancelled.
    Canceled,
    /// A word that stands in no table.
    Other,
}

/// A VAT receipt, as far as the answer has it: an older server was seen to answer a create with `{}` (ETAG), and then
/// nothing here is set. `Debug` shows the status.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// QPay's id of the receipt, by which the older operations find it.
    pub id: Option<ProviderRef>,
    /// How it stands.
    pub status: Option<ReceiptStatus>,
    /// What was paid.
    pub amount: Option<Money>,
    /// The VAT in it, in tögrög, as QPay writes it: it may have four decimals, which no [`Money`] has.
    pub vat_amount: Option<String>,
    /// The city tax in it, in the same form.
    pub city_tax_amount: Option<String>,
    /// What its QR says (`ebarimt_qr_data`).
    pub qr_data: Option<String>,
    /// The lottery number, such as `HV 83198235`.
    pub lottery: Option<String>,
    /// The tax authority's number of it (`ebarimt_receipt_id`).
    pub receipt_number: Option<String>,
    /// Since when it stands so: ISO 8601 in UTC.
    pub status_date: Option<String>,
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").field("status", &self.status).finish_non_exhaustive()
    }
}

fn check_id(field: &'static str, id: &str) -> Result<()> {
    if is_id(id) { Ok(()) } else { Err(Error::invalid(field, "it is no id of QPay's")) }
}

/// Reads a receipt, which must be the payment's or have the id that was asked about, where it names them.
fn receipt(answer: &[u8], payment: Option<&str>, asked: Option<&str>) -> Result<Receipt> {
    let answer: ReceiptAnswer<'_> = read(answer)?;
    let differs = |said: Option<&str>, asked: Option<&str>| said.zip(asked).is_some_and(|(a, b)| a != b);
    if differs(filled(&answer.g_payment_id), payment) {
        let why = "the receipt is of another payment than the one asked about";
        return Err(Error::new(ErrorKind::Untrusted, why).with_field("g_payment_id"));
    }
    if differs(filled(&answer.id), asked) {
        let why = "the answer is about another receipt than the one asked about";
        return Err(Error::new(ErrorKind::Untrusted, why).with_field("id"));
    }
    let unfit =
        |field| Error::new(ErrorKind::Malformed, "it is of another form than known").with_field(field);
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let amount = filled(&answer.amount).map(|text| Money::parse(text, CURRENCY)).transpose();
    Ok(Receipt {
        id: filled(&answer.id).map(ProviderRef::parse).transpose().map_err(|_| unfit("id"))?,
        status: filled(&answer.barimt_status).map(|word| match word {
            "REGISTERED" => ReceiptStatus::Registered,
            "CANCELED" => ReceiptStatus::Canceled,
            _ => ReceiptStatus::Other,
        }),
        amount: amount.map_err(|_| unfit("amount"))?,
        vat_amount: owned(filled(&answer.vat_amount)),
        city_tax_amount: owned(filled(&answer.city_tax_amount)),
        qr_data: owned(filled(&answer.ebarimt_qr_data)),
        lottery: owned(filled(&answer.ebarimt_lottery)),
        receipt_number: owned(filled(&answer.ebarimt_receipt_id)),
        status_date: owned(filled(&answer.barimt_status_date)),
    })
}

impl QPay {
    /// Makes a VAT receipt 3.0 of a payment (`POST /v2/ebarimt_v3/create`, XLS): for new accounts.
    ///
    /// What a second create of one payment does is **unknown**, so that one whose answer was lost is not repeated here.
    ///
    /// # Errors
    /// [`Outcome::Unknown`](tulbur_core::Outcome::Unknown) when it may have been made; `PAYMENT_NOT_PAID` is a refusal.
    pub async fn create_receipt(&self, request: &CreateReceipt) -> Result<Receipt> {
        let create = self.make_receipt(info::CREATE_RECEIPT, "ebarimt_v3", request);
        self.named(info::CREATE_RECEIPT, create.await)
    }

    /// Cancels the VAT receipt 3.0 of a payment, named by the payment's id (TPA).
    ///
    /// # Errors
    /// [`Outcome::Unknown`](tulbur_core::Outcome::Unknown) when it may have been cancelled.
    pub async fn cancel_receipt(&self, payment_id: &ChargeRef) -> Result<Receipt> {
        let cancel = async {
            let id = payment_id.as_str();
            check_id("payment_id", id)?;
            let path = ["ebarimt_v3", id];
            let operation = Operation::new(info::CANCEL_RECEIPT, Method::Delete, &path);
            self.call(operation, Effect::Write, None, |answer| receipt(answer, Some(id), None)).await
        };
        self.named(info::CANCEL_RECEIPT, cancel.await)
    }

    /// Makes a VAT receipt on the older path (`POST /v2/ebarimt/create`, OAS): for accounts that have no 3.0.
    ///
    /// # Errors
    /// As [`create_receipt`](Self::create_receipt).
    pub async fn create_old_receipt(&self, request: &CreateReceipt) -> Result<Receipt> {
        let create = async {
            if request.classification_code.is_some() {
                let why = "only receipts 3.0 have it; leave it out";
                return Err(Error::new(ErrorKind::Unsupported, why).with_field("classification_code"));
            }
            self.make_receipt(info::CREATE_OLD_RECEIPT, "ebarimt", request).await
        };
        self.named(info::CREATE_OLD_RECEIPT, create.await)
    }

    /// Reads a VAT receipt of the older path, by the receipt's own id.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when QPay does not know it.
    pub async fn read_old_receipt(&self, id: &ProviderRef) -> Result<Receipt> {
        let read = self.old_receipt(info::READ_OLD_RECEIPT, Method::Get, Effect::Read, id);
        self.named(info::READ_OLD_RECEIPT, read.await)
    }

    /// Cancels a VAT receipt of the older path, by the receipt's own id. QPay may not do that
    /// (`EBARIMT_CANCEL_NOTSUPPERDED`).
    ///
    /// # Errors
    /// [`Outcome::Unknown`](tulbur_core::Outcome::Unknown) when it may have been cancelled.
    pub async fn cancel_old_receipt(&self, id: &ProviderRef) -> Result<Receipt> {
        let cancel = self.old_receipt(info::CANCEL_OLD_RECEIPT, Method::Delete, Effect::Write, id);
        self.named(info::CANCEL_OLD_RECEIPT, cancel.await)
    }

    async fn make_receipt(&self, name: &'static str, path: &str, request: &CreateReceipt) -> Result<Receipt> {
        request.check()?;
        let payment = request.payment_id.as_str();
        let path = [path, "create"];
        let operation = Operation::new(name, Method::Post, &path);
        let content = body(&request.request())?;
        self.call(operation, Effect::Write, Some(content), |answer| receipt(answer, Some(payment), None))
            .await
    }

    async fn old_receipt(
        &self,
        name: &'static str,
        method: Method,
        effect: Effect,
        id: &ProviderRef,
    ) -> Result<Receipt> {
        check_id("receipt_id", id.as_str())?;
        let path = ["ebarimt", id.as_str()];
        let operation = Operation::new(name, method, &path);
        self.call(operation, effect, None, |answer| receipt(answer, None, Some(id.as_str()))).await
    }
}
